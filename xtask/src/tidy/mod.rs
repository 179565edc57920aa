//! `cargo xtask tidy`: rules of this repository that no other tool knows.
//!
//! To add one: a function from the [`Tree`] to its problems, a row in [`RULES`], and a unit test that shows it failing on a bad
//! sample. A rule that finds nothing to look at is an error, so that a moved folder does not switch it off.

mod documents;
mod links;
mod sources;
mod tree;
mod unsafety;
mod words;

use std::io::Write as _;
use std::process::ExitCode;

use anyhow::Result;

use tree::Tree;

/// What is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Problem {
    /// The file, from the workspace's folder.
    path: String,
    /// The line, from 1; 0 where it is the whole file.
    line: usize,
    text: String,
}

/// A rule's answer.
type Verdict = Result<Vec<Problem>>;

struct Rule {
    name: &'static str,
    check: fn(&Tree) -> Verdict,
}

const RULES: &[Rule] = &[
    Rule { name: "files are short", check: sources::short_files },
    Rule { name: "names say the job", check: sources::telling_names },
    Rule { name: "skipped tests say why", check: sources::reasons_to_skip },
    Rule { name: "every crate has the lints", check: sources::lints },
    Rule { name: "unsafe code is where it is known to be", check: unsafety::known_modules },
    Rule { name: "one word for one idea", check: words::glossary },
    Rule { name: "links lead somewhere", check: links::relative },
    Rule { name: "the frame's way can be followed", check: links::frames_way },
    Rule { name: "decisions have status and date", check: documents::decisions },
    Rule { name: "what is promised is tested", check: documents::promises },
    Rule { name: "the changelog goes on", check: documents::changelog },
];

/// Runs the command.
///
/// # Errors
/// If the files cannot be read; a broken rule is not an error but an exit status.
pub(crate) fn run(_: &[String]) -> Result<ExitCode> {
    let tree = Tree::read(&crate::workspace_root())?;
    let mut failed = 0;
    let mut out = std::io::stdout().lock();
    for rule in RULES {
        let lines = match (rule.check)(&tree) {
            Ok(problems) => problems.iter().map(ToString::to_string).collect(),
            Err(problem) => vec![format!("{problem:#}")],
        };
        failed += usize::from(!lines.is_empty());
        let result = if lines.is_empty() { "ok    " } else { "FAILED" };
        writeln!(out, "{result} {}", rule.name)?;
        lines.iter().try_for_each(|line| writeln!(out, "       {line}"))?;
    }
    writeln!(out, "{} passed, {failed} failed", RULES.len() - failed)?;
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.path, self.text),
            line => write!(f, "{}:{line}: {}", self.path, self.text),
        }
    }
}
