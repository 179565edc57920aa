//! `cargo xtask clients [test...]`: the programs that people watch with, on the released executable.
//!
//! Debian's programs are installed by the check, or by hand. What is in Python comes from PyPI in the versions of
//! `tests/clients/requirements.txt`, into an environment of its own in the target folder.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context as _, Result, ensure};

use crate::command;
use crate::packages::{cached, remove_folder};

/// Runs the command.
///
/// # Errors
/// If Python's packages cannot be had, or there is no executable; a failed test is not an error but an exit status.
pub(crate) fn run(arguments: &[String]) -> Result<ExitCode> {
    let built = crate::target_folder().join("release/eyelet");
    let executable = std::env::var_os("EYELET_BIN").map_or(built, PathBuf::from);
    let missing = || format!("no `{}`: `cargo xtask check build` makes it", executable.display());
    ensure!(executable.is_file(), missing());
    let python = python().context("the clients in Python")?;
    let mut cargo = Command::new(command::cargo());
    cargo.args(["test", "--package", "eyelet-clients", "--test", "clients", "--"]).args(arguments);
    cargo.current_dir(crate::workspace_root());
    cargo.env("EYELET_BIN", std::path::absolute(executable)?).env("EYELET_PYTHON", python);
    let status = cargo.status().context("failed to start cargo")?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A Python that has the packages.
fn python() -> Result<PathBuf> {
    let list = crate::workspace_root().join("tests/clients/requirements.txt");
    let wanted = fs::read_to_string(&list)
        .with_context(|| format!("failed to read `{}`", list.display()))?;
    let version = command::text(Command::new("python3").arg("--version"))
        .context("install the package `python3`")?;
    let folder = crate::target_folder().join("clients-python");
    let folder = cached(&folder, &format!("{version}{wanted}"), |folder| install(folder, &list))?;
    // The path must not be resolved: it is a link to the machine's own Python, which would not find them.
    Ok(std::path::absolute(folder.join("bin/python"))?)
}

fn install(folder: &Path, list: &Path) -> Result<()> {
    eprintln!("fetching the clients in Python from PyPI");
    remove_folder(folder)?;
    command::output(Command::new("python3").args(["-m", "venv"]).arg(folder))
        .context("install the package `python3-venv`")?;
    let mut pip = Command::new(folder.join("bin/python"));
    // Only what is built already: a compiler's fault would be nobody's here.
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
    command::output(pip.args(["--only-binary", ":all:", "--requirement"]).arg(list)).map(drop)
}
