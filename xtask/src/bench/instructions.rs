//! `cargo xtask bench instructions`: what a frame costs the serve role in user space, to the instruction.
//!
//! Time is noise; instructions under valgrind are the same in every run, to less than one per cent. What the kernel does
//! is not among them. The cost of a frame is the difference of a long run and a short one.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use super::server::Programs;
use crate::command::find;
use crate::command::output;
use crate::workspace_root;

const SHORT: u32 = 100;
const LONG: u32 = 400;
const VIEWERS: [u32; 3] = [1, 10, 50];

/// Counts and prints.
///
/// # Errors
/// There is no valgrind, or a run failed.
pub(super) fn run(programs: &Programs) -> Result<()> {
    ensure!(find("valgrind").is_some(), "`valgrind` is missing: `apt-get install valgrind`");
    let eyelet = build()?;
    for viewers in VIEWERS {
        let count = |frames| count(programs, &eyelet, viewers, frames);
        let (short, long) = (count(SHORT)?, count(LONG)?);
        let frame = long.saturating_sub(short) / u64::from(LONG - SHORT);
        let delivered = frame / u64::from(viewers);
        println!(
            "{viewers:>3} viewers: {frame:>8} instructions per published frame, {delivered:>6} per delivered one"
        );
    }
    Ok(())
}

/// Builds an Eyelet that asks libc for the time: valgrind hides the kernel's own page from what looks for it itself.
fn build() -> Result<PathBuf> {
    let target = crate::target_folder().join("bench-valgrind");
    let mut cargo = Command::new("cargo");
    cargo.args(["build", "--release", "--package", "eyelet"]).current_dir(workspace_root());
    cargo.env("CARGO_TARGET_DIR", &target).env("RUSTFLAGS", "--cfg rustix_use_libc");
    ensure!(cargo.status().context("failed to start cargo")?.success(), "the build failed");
    Ok(target.join("release/eyelet"))
}

fn count(programs: &Programs, eyelet: &Path, viewers: u32, frames: u32) -> Result<u64> {
    let counted = tempfile::NamedTempFile::new()?;
    let mut command = Command::new(&programs.bench);
    command.args(["push", &viewers.to_string(), &frames.to_string()]);
    command.args(["valgrind", "--quiet", "--tool=callgrind"]);
    command.arg(format!("--callgrind-out-file={}", counted.path().display())).arg(eyelet);
    output(&mut command)?;
    let text = std::fs::read_to_string(counted.path())?;
    totals(&text).context("valgrind counted nothing")
}

/// Source: "Callgrind Format Specification", valgrind's manual.
fn totals(text: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix("totals:"))?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_is_read() {
        assert_eq!(totals("fn=(1) main\n1 5\n\ntotals: 4711\n"), Some(4711));
        assert_eq!(totals(""), None);
    }
}
