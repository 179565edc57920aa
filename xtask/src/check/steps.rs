//! The steps of the check: a row each.
//!
//! To add one: a row here. Its output must end with a summary that [`Summary`] reads; what it needs from the machine is a
//! row in [`super::machine`].

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::summary::Summary;

/// When a step runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum When {
    /// Always, also with `--fast`.
    Always,
    /// Only without `--fast`.
    Full,
}

/// What a step runs.
#[derive(Clone, Copy, Debug)]
pub(super) enum Program {
    /// Cargo in the workspace's folder.
    Cargo(&'static [&'static str]),
    /// Another of these commands.
    Xtask(&'static str),
    /// npm in the folder of the browser's tests.
    Npm(&'static [&'static str]),
    /// A program on `PATH`, in the workspace's folder.
    Other(&'static str, &'static [&'static str]),
}

/// One step.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    pub(super) when: When,
    program: Program,
    pub(super) summary: Summary,
    /// Minutes after which it is ended: some times what it takes on two cores with nothing built.
    minutes: u64,
}

/// Parts that are not built unless asked for, as they need more than Rust and a C compiler; tests are about them too.
const OPTIONAL: &str = "eyelet/h264";

/// All steps, in their order: the quick ones first.
pub(super) const STEPS: &[Step] = &[
    Step {
        name: "fmt",
        about: "every Rust file is formatted",
        when: When::Always,
        program: Program::Cargo(&["fmt", "--all", "--check"]),
        summary: Summary::ExitStatus,
        minutes: 2,
    },
    Step {
        name: "tidy",
        about: "rules that no other tool knows: lengths, names, links, documents",
        when: When::Always,
        program: Program::Xtask("tidy"),
        summary: Summary::Ours,
        minutes: 2,
    },
    Step {
        name: "clippy",
        about: "lints",
        when: When::Always,
        program: Program::Cargo(&[
            "clippy",
            "--workspace",
            "--all-targets",
            "--features",
            OPTIONAL,
            "--",
            "-D",
            "warnings",
        ]),
        summary: Summary::ExitStatus,
        minutes: 15,
    },
    Step {
        name: "unit",
        about: "tests inside the Rust files",
        when: When::Always,
        program: Program::Cargo(&[
            "test",
            "--workspace",
            "--features",
            OPTIONAL,
            "--no-fail-fast",
            "--lib",
            "--bins",
        ]),
        summary: Summary::Cargo,
        minutes: 20,
    },
    Step {
        name: "plain",
        about: "the same of the program without its optional parts",
        when: When::Full,
        program: Program::Cargo(&["test", "--package", "eyelet", "--no-fail-fast", "--lib"]),
        summary: Summary::Cargo,
        minutes: 15,
    },
    Step {
        name: "doc",
        about: "the documentation builds without warnings",
        when: When::Full,
        program: Program::Cargo(&["doc", "--workspace", "--no-deps"]),
        summary: Summary::ExitStatus,
        minutes: 15,
    },
    Step {
        name: "doctest",
        about: "examples in the documentation",
        when: When::Full,
        program: Program::Cargo(&["test", "--workspace", "--no-fail-fast", "--doc"]),
        summary: Summary::Cargo,
        minutes: 15,
    },
    Step {
        name: "build",
        about: "the released executable with its optional parts, and the example of an app in Rust",
        when: When::Full,
        program: Program::Cargo(&[
            "build",
            "--release",
            "--package",
            "eyelet",
            "--package",
            "eyelet-app",
            "--features",
            OPTIONAL,
            "--bins",
            "--examples",
        ]),
        summary: Summary::ExitStatus,
        minutes: 20,
    },
    Step {
        name: "integration",
        about: "real processes on the test picture, and each library from outside",
        when: When::Full,
        // The clients have a step of their own: they need the released executable, and programs that are not ours.
        program: Program::Cargo(&[
            "test",
            "--workspace",
            "--exclude",
            "eyelet-clients",
            "--features",
            OPTIONAL,
            "--no-fail-fast",
            "--test",
            "*",
        ]),
        summary: Summary::Cargo,
        minutes: 20,
    },
    Step {
        name: "supply",
        about: "others' crates: licences, sources, duplicates, number; the executable's size",
        when: When::Full,
        program: Program::Xtask("supply"),
        summary: Summary::Ours,
        minutes: 5,
    },
    Step {
        name: "fuzz",
        about: "the fuzz targets, four seconds each",
        when: When::Full,
        program: Program::Xtask("fuzz"),
        summary: Summary::Ours,
        minutes: 20,
    },
    Step {
        name: "readme",
        about: "the commands of README.md",
        when: When::Full,
        program: Program::Xtask("readme"),
        summary: Summary::Ours,
        minutes: 5,
    },
    Step {
        name: "perl",
        about: "the Perl app host",
        when: When::Full,
        program: Program::Other("prove", &["--recurse", "apps/perl/t"]),
        summary: Summary::Prove,
        minutes: 5,
    },
    Step {
        name: "python",
        about: "the Python package and its ASGI host, as far as neither numpy nor Starlette is needed",
        when: When::Full,
        program: Program::Other(
            "env",
            &[
                "PYTHONPATH=apps/python",
                "python3",
                "-B",
                "-m",
                "unittest",
                "discover",
                "-v",
                "-s",
                "apps/python/tests",
            ],
        ),
        summary: Summary::Unittest,
        minutes: 5,
    },
    Step {
        name: "npm",
        about: "the packages that the browser's tests use",
        when: When::Full,
        program: Program::Npm(&["ci"]),
        summary: Summary::ExitStatus,
        minutes: 5,
    },
    Step {
        name: "types",
        about: "types of the page and its tests",
        when: When::Full,
        program: Program::Npm(&["run", "check"]),
        summary: Summary::ExitStatus,
        minutes: 5,
    },
    Step {
        name: "web",
        about: "the player's modules without a browser",
        when: When::Full,
        program: Program::Npm(&["run", "unit"]),
        summary: Summary::Node,
        minutes: 5,
    },
    Step {
        name: "page",
        about: "the page in Chromium and Firefox against a server in the test's hands",
        when: When::Full,
        program: Program::Npm(&["run", "page"]),
        summary: Summary::Node,
        minutes: 10,
    },
    Step {
        name: "player",
        about: "the page, an <img> and the article in Chromium on the released executable",
        when: When::Full,
        program: Program::Npm(&["run", "player"]),
        summary: Summary::Node,
        minutes: 10,
    },
    Step {
        name: "clients",
        about: "ffmpeg, curl, mpv, OpenCV and what else people watch with, on the released executable",
        when: When::Full,
        program: Program::Xtask("clients"),
        summary: Summary::Cargo,
        minutes: 10,
    },
    Step {
        name: "vm",
        about: "the kernel's own camera drivers in a virtual machine",
        when: When::Full,
        program: Program::Xtask("vm"),
        summary: Summary::Ours,
        minutes: 25,
    },
];

impl Step {
    /// The command with its folder and environment.
    ///
    /// # Errors
    /// If `PATH` cannot be extended.
    pub(super) fn command(&self) -> Result<Command> {
        let root = crate::workspace_root();
        let (program, arguments, folder): (_, &[&str], _) = match self.program {
            Program::Cargo(arguments) => (crate::command::cargo(), arguments, root),
            // This very executable, also when a step has built a new one in its place.
            Program::Xtask(ref name) => ("/proc/self/exe".into(), std::slice::from_ref(name), root),
            Program::Npm(arguments) => ("npm".into(), arguments, root.join("tests/browser")),
            Program::Other(program, arguments) => (program.into(), arguments, root),
        };
        let mut command = Command::new(program);
        command.args(arguments).current_dir(folder);
        // Summaries are read by a program.
        command.env("CARGO_TERM_COLOR", "never").env("NO_COLOR", "1").env_remove("FORCE_COLOR");
        command.env("RUSTDOCFLAGS", "-D warnings");
        command.env("EYELET_BIN", crate::target_folder().join("release/eyelet"));
        command.env("PATH", super::machine::path()?);
        // Steps have folders of their own; a relative path was meant from here.
        if let Some(article) = std::env::var_os("EYELET_ARTICLE").filter(|path| !path.is_empty()) {
            command.env("EYELET_ARTICLE", std::path::absolute(article)?);
        }
        Ok(command)
    }

    /// When it is ended: its own limit, or an earlier one of all together.
    pub(super) fn deadline_before(&self, last: Option<Instant>) -> Instant {
        let own = Instant::now() + Duration::from_secs(60 * self.minutes);
        last.map_or(own, |last| last.min(own))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique() {
        let names: std::collections::BTreeSet<_> = STEPS.iter().map(|step| step.name).collect();
        assert_eq!(names.len(), STEPS.len());
    }

    #[test]
    fn an_earlier_common_limit_holds() {
        let soon = Instant::now() + Duration::from_secs(1);
        assert_eq!(STEPS[0].deadline_before(Some(soon)), soon);
        assert!(STEPS[0].deadline_before(None) > soon);
    }
}
