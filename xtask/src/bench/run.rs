//! One run: a server, its viewers, and what both used while the viewers counted.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use serde_json::Value;

use super::figures::{Figures, Verdict};
use super::kind::Kind;
use super::lab::{Lab, Side};
use super::scenario::{Load, Protocol, Scenario};
use super::server::{Programs, Start};
use super::{calls, tree};
use crate::command::tail;

/// How long a server may take until it listens, and until it has ended.
const PATIENCE: Duration = Duration::from_secs(10);
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// What a slow viewer reads in a second: less than two frames of the main job.
const SLOW_BYTES: &str = "1000000";
/// How long slow viewers are alone, so that the kernel's buffers for them are full when the others begin.
const SETTLE: Duration = Duration::from_secs(2);
/// Slow viewers watch until they are ended.
const LONG: &str = "3600";

/// A process that is ended, with all of its group, when it is dropped.
#[derive(Debug)]
pub(super) struct Group(pub(super) Child);

impl Group {
    pub(super) fn spawn(lab: &Lab, mut command: Command) -> Result<Self> {
        let what = format!("failed to start {:?}", command.get_program());
        let child = command.stdin(Stdio::null()).spawn().context(what)?;
        lab.raise(child.id());
        Ok(Self(child))
    }

    pub(super) fn id(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let Some(pid) = i32::try_from(self.id()).ok().and_then(Pid::from_raw) else { return };
        // Whoever has ended by itself cannot be signalled, and need not be.
        kill_process(pid, Signal::INT).ok();
        let begin = Instant::now();
        while begin.elapsed() < PATIENCE && matches!(self.0.try_wait(), Ok(None)) {
            std::thread::sleep(LOOK_EVERY);
        }
        kill_process_group(pid, Signal::KILL).ok();
        self.0.wait().ok();
    }
}

/// A server that listens.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) group: Group,
    pub(super) url: String,
}

impl Server {
    /// Starts it and waits until it can be reached.
    pub(super) fn start(lab: &Lab, start: Start) -> Result<Self> {
        let Start { mut command, port, path } = start;
        let said = tempfile::NamedTempFile::new()?;
        command.stdout(said.reopen()?).stderr(said.reopen()?);
        let mut group = Group::spawn(lab, command)?;
        let begin = Instant::now();
        loop {
            let text = std::fs::read_to_string(said.path()).unwrap_or_default();
            let url = match port {
                Some(port) => {
                    let is_there = || tree::listens(group.id(), port);
                    is_there().then(|| format!("http://127.0.0.1:{port}"))
                }
                None => text
                    .lines()
                    .find_map(|line| Some(line.strip_prefix("listening on ")?.trim().to_owned())),
            };
            if let Some(url) = url {
                lab.raise(group.id());
                return Ok(Self { group, url: format!("{}{path}", url.trim_end_matches('/')) });
            }
            ensure!(group.0.try_wait()?.is_none(), "it ended: {}", tail(&text, 5));
            ensure!(begin.elapsed() < PATIENCE, "it does not listen: {}", tail(&text, 5));
            std::thread::sleep(LOOK_EVERY);
        }
    }
}

/// Begins the command line of headless viewers.
pub(super) fn watch(lab: &Lab, eyelet: &Path, url: &str, scenario: &Scenario) -> Command {
    let mut command = lab.command(Side::Viewers, eyelet);
    command.args(["watch", url, "--json"]);
    match (scenario.load, scenario.protocol) {
        (Load::Paused, _) => command.arg("--pause"),
        (_, Protocol::WebSocket) => command.arg("--bare"),
        (_, Protocol::Mjpeg) => command.arg("--mjpeg"),
    };
    if scenario.load == Load::Silent {
        command.arg("--never-read");
    }
    command.stderr(Stdio::null());
    command
}

/// What was seen from outside while viewers counted.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    server_seconds: f64,
    memory_mb: f64,
    tcp_mb: f64,
    shared_mb: f64,
    calls_per_second: Option<f64>,
}

/// Runs one scenario on one server once; `counts_calls` makes it short and counts system calls as well.
///
/// # Errors
/// The server or the viewers did not run, as the text says.
pub(super) fn measure(
    lab: &Lab,
    kind: Kind,
    scenario: &Scenario,
    programs: &Programs,
    seconds: f64,
    counts_calls: bool,
) -> Result<Figures> {
    let before = tree::kernel_mb();
    let server = Server::start(lab, kind.start(lab, scenario, programs)?)?;
    let _slow = match scenario.load {
        Load::WithSlow(slow) => {
            let mut command = watch(lab, &programs.eyelet, &server.url, scenario);
            command.args(["--slow-bytes-per-second", SLOW_BYTES, "--seconds", LONG]);
            command.args(["--viewers", &slow.to_string()]).stdout(Stdio::null());
            let slow = Group::spawn(lab, command)?;
            std::thread::sleep(SETTLE);
            Some(slow)
        }
        _ => None,
    };
    let mut command = watch(lab, &programs.eyelet, &server.url, scenario);
    command.args(["--announce", "--seconds", &seconds.to_string()]);
    command.args(["--viewers", &scenario.viewers.to_string()]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut viewers = Group::spawn(lab, command)?;
    let mut words = BufReader::new(viewers.0.stderr.take().context("no standard error")?).lines();
    let mut last = String::new();
    let mut until = |word: &str| -> Result<()> {
        loop {
            match words.next() {
                Some(line) => last = line?,
                None => bail!("the viewers failed: {last}"),
            }
            if last == word {
                return Ok(());
            }
        }
    };
    until("counting")?;
    let used_before = tree::processor_seconds(server.group.id())?;
    let calls_per_second = counts_calls.then(|| calls::per_second(server.group.id())).flatten();
    until("counted")?;
    let (tcp_mb, shared_mb) = tree::kernel_mb();
    let seen = Seen {
        server_seconds: tree::processor_seconds(server.group.id())? - used_before,
        memory_mb: tree::memory_mb(server.group.id()),
        tcp_mb: (tcp_mb - before.0).max(0.0),
        shared_mb: (shared_mb - before.1).max(0.0),
        calls_per_second,
    };
    let out = viewers.0.stdout.take().context("no standard output")?;
    let report: Value = serde_json::from_reader(out).context("the viewers gave no report")?;
    figures(scenario, &report, &seen)
}

fn figures(scenario: &Scenario, report: &Value, seen: &Seen) -> Result<Figures> {
    let number = |path: &str| report.pointer(path).and_then(Value::as_f64);
    let needed = |path: &str| number(path).with_context(|| format!("the report lacks {path}"));
    let (frames, bytes, seconds) = (needed("/frames")?, needed("/bytes")?, needed("/seconds")?);
    let (fps_min, fps_median) = (needed("/fps/min")?, needed("/fps/median")?);
    let viewers_seconds = needed("/cpu_seconds")?;
    let per = |what: f64, of: f64| (of > 0.0 && scenario.delivers()).then(|| what / of);
    Ok(Figures {
        us_per_frame: per(seen.server_seconds * 1e6, frames),
        seconds_per_gb: per(seen.server_seconds, bytes / 1e9),
        total_seconds_per_gb: per(seen.server_seconds + viewers_seconds, bytes / 1e9),
        server_load: seen.server_seconds / seconds,
        viewers_load: viewers_seconds / seconds,
        calls_per_frame: seen.calls_per_second.and_then(|calls| per(calls * seconds, frames)),
        p50_ms: number("/captured_to_received_ms/p50").filter(|_| scenario.delivers()),
        p99_ms: number("/captured_to_received_ms/p99").filter(|_| scenario.delivers()),
        fps_min,
        fps_median,
        memory_mb: seen.memory_mb,
        tcp_mb: seen.tcp_mb,
        shared_mb: seen.shared_mb,
        gaps: needed("/gaps")?,
        torn: needed("/torn")?,
        verdict: Verdict::of(
            scenario.delivers(),
            frames,
            number("/received_ratio"),
            number("/published_fps"),
        ),
    })
}
