//! `cargo xtask readme`: the commands of README.md do what it says.
//!
//! Each block fenced as `sh test` runs in a shell of its own, in an empty folder, with the released executable first on `PATH`.
//! The usual port in it becomes a free one, so that an Eyelet that runs beside is not disturbed.

use std::fs;
use std::net::TcpListener;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use super::family::Reach;
use super::runner;
use crate::packages::remove_folder;

/// Time for one block; each takes some seconds.
const DEADLINE: Duration = Duration::from_secs(60);
/// The address that README.md uses.
const ADDRESS: &str = "127.0.0.1:9090";

/// Runs the command.
///
/// # Errors
/// If README.md cannot be read or has nothing to run; a block that fails is not an error but an exit status.
pub(crate) fn run(_: &[String]) -> Result<ExitCode> {
    let page = crate::workspace_root().join("README.md");
    let text = fs::read_to_string(&page).context("failed to read README.md")?;
    let blocks = blocks(&text);
    ensure!(!blocks.is_empty(), "README.md has no block fenced as `sh test`");
    let family = Reach::adopt_orphans()?;
    let mut failed = 0;
    for block in &blocks {
        super::say(&format!("-- README.md, line {}:\n{}", block.line, block.script.trim_end()));
        let run = runner::run(&mut shell(block)?, Instant::now() + DEADLINE, family)?;
        if !run.ending.is_success() {
            failed += 1;
            super::say(&format!("FAILED: {:?}", run.ending));
        }
    }
    super::say(&format!("{} passed, {failed} failed", blocks.len() - failed));
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn shell(block: &Block) -> Result<Command> {
    let folder = crate::target_folder().join("readme");
    remove_folder(&folder)?;
    fs::create_dir_all(&folder)
        .with_context(|| format!("failed to make `{}`", folder.display()))?;
    let release = crate::target_folder().join("release");
    let inherited = std::env::var_os("PATH").unwrap_or_default();
    let path = std::iter::once(release).chain(std::env::split_paths(&inherited));
    // Closed again before the block runs: another program may take it, but nobody else looks for a port like this here.
    let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr())?;
    let script = block.script.replace(ADDRESS, &free.to_string());
    let mut command = Command::new("sh");
    command.args(["-eu", "-c", &script]).current_dir(&folder);
    command.env("PATH", std::env::join_paths(path)?);
    Ok(command)
}

#[derive(Debug, PartialEq, Eq)]
struct Block {
    /// The fence's line, from 1.
    line: usize,
    script: String,
}

fn blocks(page: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for (line, text) in (1..).zip(page.lines()) {
        match &mut open {
            None if text == "```sh test" => open = Some(Block { line, script: String::new() }),
            None => {}
            Some(_) if text == "```" => blocks.extend(open.take()),
            Some(block) => block.script += &format!("{text}\n"),
        }
    }
    blocks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_marked_blocks_are_run() {
        let page =
            "a\n```sh\nnot this\n```\n```sh test\none\ntwo\n```\n```sh test\nopen for ever\n";
        assert_eq!(blocks(page), [Block { line: 5, script: "one\ntwo\n".into() }]);
    }
}
