//! Running a program to its end, or to ours.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use eyelet_harness::{Eyelet, wait_until};

/// A program that runs; dropped, it is killed.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    name: String,
    /// Where what it prints goes: nobody need read while it runs.
    stdout: PathBuf,
    stderr: PathBuf,
}

/// What it printed until it ended well.
#[derive(Debug)]
pub(crate) struct Printed {
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

/// Starts a program of a Debian package, in the folder of an Eyelet.
pub(crate) fn start(eyelet: &Eyelet, name: &str, package: &str, words: &[&str]) -> Result<Running> {
    let mut command = Command::new(name);
    command.args(words);
    spawn(eyelet, command)
        .with_context(|| format!("`{name}` is of Debian's package `{package}`: is it installed?"))
}

/// Starts a program, in the folder of an Eyelet.
pub(crate) fn spawn(eyelet: &Eyelet, mut command: Command) -> Result<Running> {
    let name = command.get_program().to_string_lossy().into_owned();
    let [stdout, stderr] = ["stdout", "stderr"].map(|file| eyelet.folder().join(file));
    command.current_dir(eyelet.folder()).stdin(Stdio::null());
    command.stdout(File::create(&stdout)?).stderr(File::create(&stderr)?);
    // A proxy of the machine is not for loopback.
    for variable in ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"] {
        command.env_remove(variable);
    }
    let child = command.spawn().with_context(|| format!("failed to start `{name}`"))?;
    Ok(Running { child, name, stdout, stderr })
}

impl Running {
    /// Waits until it has ended, and well.
    pub(crate) fn finish(mut self) -> Result<Printed> {
        let ended = wait_until(&format!("end of `{}`", self.name), || {
            !matches!(self.child.try_wait(), Ok(None))
        });
        let printed = Printed { stdout: read(&self.stdout)?, stderr: text(&self.stderr)? };
        ended.with_context(|| format!("it printed {}", printed.stderr))?;
        let status = self.child.wait()?;
        // Some say on their output what was wrong.
        let said = match printed.stderr.is_empty() {
            true => String::from_utf8_lossy(&printed.stdout),
            false => printed.stderr.as_str().into(),
        };
        ensure!(status.success(), "`{}`: {status}: {said}", self.name);
        Ok(printed)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended where it was waited for.
        self.child.kill().and_then(|()| self.child.wait()).ok();
    }
}

/// Reads a file that a program has written.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("failed to read `{}`", path.display()))
}

fn text(path: &Path) -> Result<String> {
    Ok(String::from_utf8_lossy(&read(path)?).into_owned())
}
