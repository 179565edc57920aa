//! Running other programs: a failure says what was run and what it said.

use std::ffi::OsStr;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

/// Runs a command to its end and returns its standard output.
///
/// # Errors
/// If it cannot be started or ends with a failure; the error has the end of what it said.
pub(crate) fn output(command: &mut Command) -> Result<Vec<u8>> {
    let line = describe(command);
    let output = command.output().with_context(|| format!("failed to start `{line}`"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("`{line}` failed ({}): {}", output.status, tail(said.trim(), 20));
    }
    Ok(output.stdout)
}

/// Like [`output`], as text.
///
/// # Errors
/// As [`output`], and if the text is not UTF-8.
pub(crate) fn text(command: &mut Command) -> Result<String> {
    let line = describe(command);
    String::from_utf8(output(command)?).with_context(|| format!("`{line}` did not print UTF-8"))
}

/// Finds a program on the path.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// The cargo that runs this, or the one on the path.
pub(crate) fn cargo() -> PathBuf {
    std::env::var_os("CARGO").map_or_else(|| "cargo".into(), PathBuf::from)
}

/// Asks a person on the terminal whether to do it; `what` completes "…? [y/N]".
///
/// # Errors
/// If nobody can be asked.
pub(crate) fn is_agreed(what: &str) -> Result<bool> {
    let mut out = std::io::stdout().lock();
    write!(out, "{what}? [y/N] ").and_then(|()| out.flush())?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// The last `count` lines of a text.
pub(crate) fn tail(text: &str, count: usize) -> &str {
    match text.trim_end().rmatch_indices('\n').nth(count.saturating_sub(1)) {
        Some((at, _)) => &text[at + 1..],
        None => text,
    }
}

/// A path as an argument that must be text.
///
/// # Errors
/// If it is not UTF-8.
pub(crate) fn path_text(path: &Path) -> Result<&str> {
    path.to_str().with_context(|| format!("the path `{}` is not UTF-8", path.display()))
}

/// The command's first words: package lists are long.
fn describe(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let mut line: Vec<_> = words.map(OsStr::to_string_lossy).collect();
    if line.len() > 8 {
        line.truncate(8);
        line.push("…".into());
    }
    line.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tail_keeps_the_last_lines() {
        assert_eq!(tail("a\nb\nc\n", 2), "b\nc\n");
        assert_eq!(tail("a\nb", 5), "a\nb");
        assert_eq!(tail("", 1), "");
    }

    #[test]
    fn failure_says_what_ran_and_what_it_said() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo broken >&2; exit 3"]);
        let problem = format!("{:#}", text(&mut command).unwrap_err());
        assert!(problem.contains("sh -c") && problem.contains("broken"), "{problem}");
    }
}
