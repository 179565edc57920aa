//! An Eyelet in the guest: starting it, and its own account of itself.

use std::fmt;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

use super::web;
use crate::command::tail;
use crate::vm::guest::{GUEST_PORT, Guest, PATIENCE};

/// Its log in the guest, both outputs.
pub(super) const LOG: &str = "eyelet";
/// The end of a line of its log that tells that it opened a camera.
pub(super) const OPENED: &str = " open";
const PAUSE: Duration = Duration::from_millis(100);

/// An Eyelet that runs in the guest.
#[derive(Debug)]
pub(super) struct Server {
    pid: u32,
}

impl Server {
    /// Starts one with these sources, at the port that the host reaches, and waits until it says where it listens.
    pub(super) fn with_sources(guest: &mut Guest, sources: &[&str]) -> Result<Self> {
        let sources: String =
            sources.iter().map(|source| format!(" --source '{source}'")).collect();
        Self::start(guest, &format!("eyelet run --listen 0.0.0.0:{GUEST_PORT}{sources}"))
    }

    /// Starts one by a whole command, and waits until it says where it listens.
    pub(super) fn start(guest: &mut Guest, command: &str) -> Result<Self> {
        let server = Self { pid: guest.background(LOG, command)? };
        let pid = server.pid;
        guest.wait_for(&format!(
            "grep -q '^listening on' /run/log/{LOG} || ! kill -0 {pid} 2>/dev/null"
        ))?;
        let log = guest.log(LOG)?;
        ensure!(log.contains("listening on"), "`{command}` ended: {}", tail(&log, 5));
        Ok(server)
    }

    /// Ends it and waits for that.
    pub(super) fn stop(self, guest: &mut Guest) -> Result<()> {
        guest.run(&format!("kill {}", self.pid))?;
        guest.wait_for(&format!("! kill -0 {} 2>/dev/null", self.pid))
    }

    /// How many lines of its log have this in them.
    pub(super) fn said(&self, guest: &mut Guest, text: &str) -> Result<usize> {
        Ok(guest.log(LOG)?.lines().filter(|line| line.contains(text)).count())
    }

    /// Waits until its log has a line with this in it.
    pub(super) fn wait_to_say(&self, guest: &mut Guest, text: &str) -> Result<()> {
        guest.wait_for(&format!("grep -qF '{text}' /run/log/{LOG}"))
    }

    /// Waits until its log tells for the `times`th time that it opened a camera.
    pub(super) fn wait_to_open(&self, guest: &mut Guest, times: u32) -> Result<()> {
        guest.wait_for(&format!("[ $(grep -c '{OPENED}$' /run/log/{LOG}) -ge {times} ]"))
    }

    /// What it says of a source.
    pub(super) fn source(&self, guest: &Guest, id: usize) -> Result<Source> {
        let status = status(guest)?;
        let source = status["sources"].get(id).context("the status lacks the source")?;
        Ok(Source(source.clone()))
    }

    /// Waits until what it says of a source fits; `wanted` says what that is.
    pub(super) fn wait(
        &self,
        guest: &Guest,
        id: usize,
        wanted: &str,
        fits: impl Fn(&Source) -> bool,
    ) -> Result<Source> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let source = self.source(guest, id)?;
            if fits(&source) {
                return Ok(source);
            }
            ensure!(Instant::now() < deadline, "source {id} is not {wanted}: {source}");
            std::thread::sleep(PAUSE);
        }
    }

    /// Waits until a source is live and `frames` more came.
    pub(super) fn wait_live(&self, guest: &Guest, id: usize, frames: u64) -> Result<Source> {
        let first = self.wait(guest, id, "live", Source::is_live)?;
        let until = first.count("captured") + frames;
        self.wait(guest, id, &format!("live with {frames} frames more"), |source| {
            source.is_live() && source.count("captured") >= until
        })
    }

    /// Waits until a source says that it gives nothing, and why.
    pub(super) fn wait_lost(&self, guest: &Guest, id: usize, why: &str) -> Result<Source> {
        self.wait(guest, id, &format!("lost because of `{why}`"), |source| {
            !source.is_live() && source.text("why").contains(why)
        })
    }

    /// Checks that none of its processes ever had to be started again: whatever the camera did was foreseen.
    pub(super) fn expect_unbroken(&self, guest: &Guest) -> Result<()> {
        let status = status(guest)?;
        let processes = status["processes"].as_array().context("the status lacks processes")?;
        let restarted = processes.iter().find(|process| process["restarts"] != 0);
        ensure!(restarted.is_none(), "a process was started again: {restarted:?}");
        let pid = &status["supervisor_pid"];
        ensure!(*pid == self.pid, "it is process {pid}, not {}", self.pid);
        Ok(())
    }
}

fn status(guest: &Guest) -> Result<Value> {
    let text = web::get(guest, "/-/api/status")?;
    serde_json::from_slice(&text).context("the status is no JSON")
}

/// A source, as the status describes it.
#[derive(Clone, Debug)]
pub(super) struct Source(Value);

impl Source {
    /// Whether frames come.
    pub(super) fn is_live(&self) -> bool {
        self.0["state"] == "live"
    }

    /// A text; empty if there is none.
    pub(super) fn text(&self, name: &str) -> &str {
        self.0[name].as_str().unwrap_or_default()
    }

    /// A counter: `captured`, `published`, `dropped`, `skipped`, `corrupt` …
    pub(super) fn count(&self, name: &str) -> u64 {
        self.0[name].as_u64().unwrap_or_default()
    }

    /// Frames per second that the camera promises.
    pub(super) fn nominal_fps(&self) -> f64 {
        self.0["format"]["fps"].as_f64().unwrap_or_default()
    }

    /// Checks the shape of the frames, as `640x480 YUYV`.
    pub(super) fn expect_format(&self, wanted: &str) -> Result<()> {
        let format = &self.0["format"];
        let fourcc = format["fourcc"].as_str().unwrap_or_default();
        let found = format!("{}x{} {fourcc}", format["width"], format["height"]);
        if found != wanted {
            bail!("the source gives {found}, not {wanted}");
        }
        Ok(())
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
