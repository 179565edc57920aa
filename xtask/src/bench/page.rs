//! `cargo xtask bench page`: what the player costs a browser, and how late it is, beside the page of the article.

use std::process::{Command, ExitCode};

use anyhow::{Context as _, Result};

use super::server::Programs;
use crate::command::output;
use crate::workspace_root;

/// Runs the browser's own part of it; figures go to `bench/results/page.md`.
///
/// # Errors
/// The browser's packages cannot be had, or the script cannot be started.
pub(super) fn run(programs: &Programs) -> Result<ExitCode> {
    let folder = workspace_root().join("tests/browser");
    output(Command::new("npm").arg("ci").current_dir(&folder))?;
    let mut bench = Command::new("node");
    bench.arg("bench.mjs").arg(workspace_root().join("bench/results"));
    let ended = bench.env("EYELET_BIN", &programs.eyelet).current_dir(&folder).status();
    let is_good = ended.context("failed to start node")?.success();
    Ok(if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
