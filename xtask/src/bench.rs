//! `cargo xtask bench`: Eyelet beside a bare loop of `write`, in turn, on the same bytes, watched by the same tool.
//!
//! Machines are shared and noisy: only the ratio of runs that follow each other says something. The medians of several
//! rounds are printed, and the verdict of `eyelet watch` on each run.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::workspace_root;

const ROUNDS: usize = 5;
const SECONDS: &str = "10";
const VIEWERS: &str = "50";

/// What one run gave.
struct Figures {
    latency_p50_ms: f64,
    latency_p99_ms: f64,
    processor_seconds_per_gb: f64,
    verdict: String,
}

/// A server that is measured; killed when dropped.
struct Server {
    process: Child,
    url: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to kill.
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

/// Runs the comparison; arguments are not taken.
pub(crate) fn run(arguments: &[String]) -> Result<ExitCode> {
    if !arguments.is_empty() {
        bail!("bench takes no argument");
    }
    let built = build()?;
    let (eyelet, bare) = (built.join("eyelet"), built.join("bare"));
    let folder = tempfile::tempdir()?;
    let words = ["run", "--source", "test:640x480@30", "--listen", "127.0.0.1:0", "--runtime-dir"];
    let mut runs: [Vec<Figures>; 2] = [Vec::new(), Vec::new()];
    for round in 1..=ROUNDS {
        let mut run = Command::new(&eyelet);
        run.args(words).arg(folder.path().join("run"));
        for (name, command, figures) in [("eyelet", run, 0), ("bare write", Command::new(&bare), 1)]
        {
            let got = measure(&eyelet, command)?;
            println!(
                "round {round} {name:<10}  p50 {:6.2} ms  p99 {:6.2} ms  {:.3} processor s/GB  {}",
                got.latency_p50_ms, got.latency_p99_ms, got.processor_seconds_per_gb, got.verdict
            );
            runs[figures].push(got);
        }
    }
    let [ours, bare] = &runs;
    for (what, pick) in [
        ("latency p50", (|f: &Figures| f.latency_p50_ms) as fn(&Figures) -> f64),
        ("latency p99", |f| f.latency_p99_ms),
        ("processor s/GB", |f| f.processor_seconds_per_gb),
    ] {
        let (ours, bare) = (median(ours, pick), median(bare, pick));
        println!("{what:<15} eyelet {ours:7.3}  bare write {bare:7.3}  ratio {:.2}", ours / bare);
    }
    let all_full = runs.iter().flatten().all(|f| f.verdict == "full_rate");
    println!(
        "{ROUNDS} rounds, {VIEWERS} viewers, 614400 bytes at 30 a second, {SECONDS} s each; all at full rate: {all_full}"
    );
    Ok(if all_full { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn build() -> Result<PathBuf> {
    let built = Command::new("cargo")
        .args(["build", "--release", "--package", "eyelet", "--package", "eyelet-bench"])
        .current_dir(workspace_root())
        .status()?;
    if !built.success() {
        bail!("the build failed");
    }
    Ok(crate::target_folder().join("release"))
}

/// Starts a server, watches it, and adds up what it and its children used.
fn measure(eyelet: &Path, mut command: Command) -> Result<Figures> {
    let mut process = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    let lines = BufReader::new(process.stdout.take().context("no output")?).lines();
    let url = lines
        .map_while(Result::ok)
        .find_map(|l| l.strip_prefix("listening on ").map(str::to_owned));
    let server = Server { process, url: url.context("the server did not say where it listens")? };
    let before = processor_seconds(server.process.id())?;
    let watched = Command::new(eyelet)
        .args(["watch", &server.url, "--viewers", VIEWERS, "--seconds", SECONDS, "--json"])
        .output()?;
    let used = processor_seconds(server.process.id())? - before;
    let report: Value = serde_json::from_slice(&watched.stdout).context("watch gave no report")?;
    let number = |path: &str| {
        report
            .pointer(path)
            .and_then(Value::as_f64)
            .with_context(|| format!("the report lacks {path}"))
    };
    Ok(Figures {
        latency_p50_ms: number("/captured_to_received_ms/p50")?,
        latency_p99_ms: number("/captured_to_received_ms/p99")?,
        processor_seconds_per_gb: used / (number("/bytes")? / 1e9),
        verdict: report["verdict"].as_str().unwrap_or("unknown").to_owned(),
    })
}

/// Adds up the processor time of a process and its children, in seconds.
///
/// Source: `proc_pid_schedstat(5)`: nanoseconds on a processor, of each thread.
fn processor_seconds(pid: u32) -> Result<f64> {
    let mut nanos = 0.0;
    for task in std::fs::read_dir(format!("/proc/{pid}/task"))? {
        let folder = task?.path();
        let stat = std::fs::read_to_string(folder.join("schedstat"))?;
        nanos += stat.split(' ').next().unwrap_or("0").parse::<f64>()?;
        for child in std::fs::read_to_string(folder.join("children"))?.split_whitespace() {
            nanos += processor_seconds(child.parse()?)? * 1e9;
        }
    }
    Ok(nanos / 1e9)
}

fn median(figures: &[Figures], pick: fn(&Figures) -> f64) -> f64 {
    let mut values: Vec<f64> = figures.iter().map(pick).collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
