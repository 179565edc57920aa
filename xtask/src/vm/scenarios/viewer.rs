//! `eyelet watch` on this side of the network: a viewer of an Eyelet in the guest.

use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::vm::guest::Guest;

/// Longer than any scenario: such a viewer is told when to end.
const UNTIL_TOLD: &str = "3600";

/// Flags for streams whose frames carry no stamps: some other picture may look like one.
pub(super) const UNSTAMPED: &[&str] = &["--verify", "never"];

/// A viewer that watches until it is told to end.
#[derive(Debug)]
pub(super) struct Viewer {
    process: Option<Child>,
}

impl Viewer {
    /// Connects; `flags` are those of `eyelet watch`.
    pub(super) fn start(guest: &Guest, flags: &[&str]) -> Result<Self> {
        let mut command = command(guest, UNTIL_TOLD, flags);
        let process = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        Ok(Self { process: Some(process.context("failed to start a viewer")?) })
    }

    /// Ends it and reads its report.
    pub(super) fn end(mut self) -> Result<Report> {
        let process = self.process.take().context("the viewer runs")?;
        // Ctrl-C, as the command line has it: the standard library knows only SIGKILL.
        let line = format!("kill -INT {}", process.id());
        let status = Command::new("sh").args(["-c", &line]).status()?;
        ensure!(status.success(), "the viewer had ended: {:?}", process.wait_with_output());
        Report::read(process.wait_with_output()?)
    }
}

impl Drop for Viewer {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            // It may have ended; there is nothing to lose.
            drop(process.kill().and_then(|()| process.wait()));
        }
    }
}

/// Watches for so many seconds and reports.
pub(super) fn watch(guest: &Guest, seconds: u32, flags: &[&str]) -> Result<Report> {
    let mut command = command(guest, &seconds.to_string(), flags);
    Report::read(command.output().context("failed to start a viewer")?)
}

fn command(guest: &Guest, seconds: &str, flags: &[&str]) -> Command {
    let mut command = Command::new(guest.executable("eyelet"));
    command.arg("watch").arg(format!("http://{}", guest.address()));
    command.args(["--json", "--seconds", seconds]).args(flags).stdin(Stdio::null());
    command
}

/// What a viewer saw.
#[derive(Clone, Debug)]
pub(super) struct Report(Value);

impl Report {
    fn read(output: std::process::Output) -> Result<Self> {
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "the viewer failed: {}", said.trim());
        Ok(Self(serde_json::from_slice(&output.stdout).context("the viewer printed no JSON")?))
    }

    /// A counter: `frames`, `torn`, `verified` …
    pub(super) fn count(&self, name: &str) -> u64 {
        self.0[name].as_u64().unwrap_or_default()
    }

    /// A rate; 0 if it is not known.
    pub(super) fn rate(&self, name: &str) -> f64 {
        self.0[name].as_f64().unwrap_or_default()
    }

    /// The stream's shape, as `yuyv 640x480`.
    pub(super) fn format(&self) -> &str {
        self.0["format"].as_str().unwrap_or_default()
    }

    /// Checks that frames came, each newer than the one before, and that the connection lasted.
    pub(super) fn expect_sound(&self) -> Result<()> {
        ensure!(self.count("frames") > 0, "the viewer saw nothing: {}", self.0);
        for fault in ["torn", "stale", "backwards", "undecodable", "without_config", "disconnects"]
        {
            ensure!(self.count(fault) == 0, "the viewer's `{fault}` is not 0: {}", self.0);
        }
        Ok(())
    }

    /// Checks that the viewer was told of something, such as `NoSignal`.
    pub(super) fn expect_told(&self, text: &str) -> Result<()> {
        let remarks = self.0["remarks"].as_object().context("the report lacks remarks")?;
        ensure!(
            remarks.keys().any(|remark| remark.contains(text)),
            "the viewer was not told `{text}`: {remarks:?}"
        );
        Ok(())
    }
}
