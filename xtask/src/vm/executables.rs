//! Our own executables for the guest: released ones, linked statically, so that the guest needs no libraries for them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

/// The target is named even where it is the host's own: without it the static flag would reach procedural macros too.
const TARGET: &str = "x86_64-unknown-linux-gnu";

/// Builds these packages of the workspace; returns the folder of their executables, which have the packages' names.
///
/// # Errors
/// If cargo fails; it has told why.
pub(crate) fn build(folder: &Path, packages: &BTreeSet<&str>) -> Result<PathBuf> {
    let folder = folder.join("build");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.current_dir(crate::workspace_root());
    command.env("RUSTFLAGS", "-C target-feature=+crt-static").env_remove("CARGO_ENCODED_RUSTFLAGS");
    command
        .args(["build", "--quiet", "--release", "--target", TARGET, "--target-dir"])
        .arg(&folder);
    // Half the size, which every saved state would carry; the places of panics stay.
    command.args(["--config", "profile.release.strip='debuginfo'"]);
    for package in packages {
        command.args(["--package", package]);
    }
    let status = command.status().context("failed to start cargo")?;
    ensure!(status.success(), "failed to build the guest's executables");
    Ok(folder.join(TARGET).join("release"))
}
