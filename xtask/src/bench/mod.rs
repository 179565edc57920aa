//! `cargo xtask bench`: Eyelet beside bare loops of system calls and beside other servers, in turn, on the same bytes,
//! watched by the same viewers.
//!
//! Machines are shared and noisy: only ratios of runs that follow each other say something, and only in a network
//! namespace with stock settings ([`lab`]). Nothing is asserted; a run that did not take place is a failure.

mod calls;
mod figures;
mod instructions;
mod kind;
mod lab;
mod once;
mod page;
mod peers;
mod plot;
mod report;
mod run;
mod scenario;
mod server;
mod tree;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, Result, bail, ensure};

use crate::provenance;
use crate::workspace_root;
use kind::Kind;
use lab::Lab;
use peers::Peers;
use report::{Compared, Results, Rounds};
use scenario::{SCENARIOS, Scenario};
use server::Programs;

const USAGE: &str = "\
usage: cargo xtask bench [--rounds 5] [--seconds 5] [--out FOLDER] [--no-peers] [--yes] [--all | apps | NAME...]
       cargo xtask bench --list
       cargo xtask bench instructions
       cargo xtask bench page
  --all       every scenario, not only those marked in the list: some hours
  page        the player beside the page of the article, in Chromium; needs what the browser's tests need
  apps        every scenario in which frames come through an app
  --no-peers  only Eyelet and the bare loops
  --yes       fetch peers without asking
  --out       where tables and plots go, instead of bench/results";

/// Seconds of the run that counts system calls.
const CALLS_SECONDS: f64 = 2.0;

/// What was asked for.
#[derive(Debug)]
struct Wish {
    rounds: usize,
    seconds: f64,
    out: PathBuf,
    has_peers: bool,
    may_fetch: bool,
    scenarios: Vec<&'static Scenario>,
}

/// Compares, or lists what could be compared.
pub(crate) fn run(arguments: &[String]) -> Result<ExitCode> {
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--list"] => {
            list();
            Ok(ExitCode::SUCCESS)
        }
        ["--help" | "-h"] => {
            println!("{USAGE}");
            Ok(ExitCode::SUCCESS)
        }
        ["page"] => page::run(&build()?),
        ["instructions"] => instructions::run(&build()?).map(|()| ExitCode::SUCCESS),
        _ => compare(&Wish::read(arguments)?),
    }
}

impl Wish {
    fn read(arguments: &[String]) -> Result<Self> {
        let mut wish = Self {
            rounds: 5,
            seconds: 5.0,
            out: workspace_root().join("bench/results"),
            has_peers: true,
            may_fetch: false,
            scenarios: Vec::new(),
        };
        let mut words = arguments.iter();
        while let Some(word) = words.next() {
            let mut value =
                || words.next().with_context(|| format!("{word} needs a value\n{USAGE}"));
            match word.as_str() {
                "--rounds" => wish.rounds = value()?.parse()?,
                "--seconds" => wish.seconds = value()?.parse()?,
                "--out" => wish.out = value()?.into(),
                "--no-peers" => wish.has_peers = false,
                "--yes" => wish.may_fetch = true,
                "--all" => wish.scenarios = SCENARIOS.iter().collect(),
                "apps" => wish.scenarios.extend(SCENARIOS.iter().filter(|s| s.places.is_some())),
                name => {
                    let found = SCENARIOS.iter().find(|scenario| scenario.name == name);
                    let unknown =
                        || format!("there is no scenario `{name}`; `--list` tells\n{USAGE}");
                    wish.scenarios.push(found.with_context(unknown)?);
                }
            }
        }
        if wish.scenarios.is_empty() {
            wish.scenarios = SCENARIOS.iter().filter(|scenario| scenario.is_default).collect();
        }
        ensure!(wish.rounds > 0 && wish.seconds > 0.0, "rounds and seconds are more than 0");
        Ok(wish)
    }
}

fn list() {
    for scenario in SCENARIOS {
        let mark = if scenario.is_default { '*' } else { ' ' };
        let servers: Vec<_> = scenario.servers.iter().map(|kind| kind.name()).collect();
        println!("{mark} {:<21} {} ({})", scenario.name, scenario.about(), servers.join(", "));
    }
    println!("* runs when nothing is named");
}

fn compare(wish: &Wish) -> Result<ExitCode> {
    let mut programs = build()?;
    if wish.has_peers {
        programs.peers = Peers::prepare(wish.may_fetch);
    }
    let lab = Lab::new();
    let is_stopped = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&is_stopped))?;
    }
    let mut results = Results { head: head(&lab, &programs, wish), ..Results::default() };
    let (mut left_out, mut failed) = (BTreeSet::new(), 0);
    for scenario in &wish.scenarios {
        println!("{}: {}", scenario.name, scenario.about());
        let mut bench =
            Bench { lab: &lab, programs: &programs, wish, left_out: &mut left_out, failed };
        results.compared.push(bench.scenario(scenario, &is_stopped)?);
        failed = bench.failed;
    }
    results.once = once::measure(&lab, &programs);
    results.left_out = left_out.into_iter().collect();
    results.write(&wish.out)?;
    print!("\n{}", results.markdown());
    println!("\nwritten to {}", wish.out.display());
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

struct Bench<'a> {
    lab: &'a Lab,
    programs: &'a Programs,
    wish: &'a Wish,
    left_out: &'a mut BTreeSet<String>,
    failed: usize,
}

impl Bench<'_> {
    /// All servers in turn, round after round; then once more for the system calls.
    fn scenario(
        &mut self,
        scenario: &'static Scenario,
        is_stopped: &AtomicBool,
    ) -> Result<Compared> {
        let can_start = |kind: &Kind| match kind.start(self.lab, scenario, self.programs) {
            Ok(_) => true,
            Err(problem) => {
                println!("  {:<14} left out: {problem:#}", kind.name());
                self.left_out.insert(format!("{problem:#}"));
                false
            }
        };
        let kinds: Vec<Kind> = scenario.servers.iter().copied().filter(can_start).collect();
        let mut servers: Vec<Rounds> = kinds
            .into_iter()
            .map(|kind| Rounds { kind, figures: Vec::new(), calls_per_frame: None })
            .collect();
        for round in 1..=self.wish.rounds {
            for rounds in &mut servers {
                ensure!(!is_stopped.load(Ordering::Relaxed), "stopped");
                self.round(round, scenario, rounds);
            }
        }
        for rounds in servers.iter_mut().filter(|rounds| !rounds.figures.is_empty()) {
            ensure!(!is_stopped.load(Ordering::Relaxed), "stopped");
            let kind = rounds.kind;
            let run = run::measure(self.lab, kind, scenario, self.programs, CALLS_SECONDS, true);
            rounds.calls_per_frame = run.ok().and_then(|figures| figures.calls_per_frame);
        }
        servers.retain(|rounds| !rounds.figures.is_empty());
        Ok(Compared { scenario, servers })
    }

    fn round(&mut self, round: usize, scenario: &Scenario, rounds: &mut Rounds) {
        let (kind, seconds) = (rounds.kind, self.wish.seconds);
        match run::measure(self.lab, kind, scenario, self.programs, seconds, false) {
            Ok(figures) => {
                println!("  round {round} {:<14} {}", kind.name(), line(&figures));
                rounds.figures.push(figures);
            }
            Err(problem) => {
                println!("  round {round} {:<14} did not run: {problem:#}", kind.name());
                let begin = format!("{} in {}: ", kind.name(), scenario.name);
                if !self.left_out.iter().any(|line| line.starts_with(&begin)) {
                    self.left_out.insert(format!("{begin}{problem:#}"));
                }
                self.failed += 1;
            }
        }
    }
}

/// A run in one line.
fn line(figures: &figures::Figures) -> String {
    let number = |value: Option<f64>| value.map_or("–".to_owned(), |value| format!("{value:.2}"));
    format!(
        "{:>8} µs/frame  {:>6} s/GB  p50 {:>6} ms  p99 {:>6} ms  {:.2} s/s  {:.1} MB  {}",
        number(figures.us_per_frame),
        number(figures.seconds_per_gb),
        number(figures.p50_ms),
        number(figures.p99_ms),
        figures.server_load,
        figures.memory_mb,
        figures.verdict
    )
}

fn build() -> Result<Programs> {
    let mut cargo = Command::new("cargo");
    cargo.args(["build", "--release", "--package", "eyelet", "--package", "eyelet-bench"]);
    let built = cargo.current_dir(workspace_root()).status().context("failed to start cargo")?;
    if !built.success() {
        bail!("the build failed");
    }
    let folder = crate::target_folder().join("release");
    Ok(Programs {
        eyelet: folder.join("eyelet"),
        bench: folder.join("eyelet-bench"),
        peers: Peers::none("they were not wanted"),
    })
}

/// What a reader must know to understand the figures.
fn head(lab: &Lab, programs: &Programs, wish: &Wish) -> Vec<String> {
    let [when, system] = provenance::machine();
    let rounds =
        format!("{} rounds of {} s in turn, 30 frames a second", wish.rounds, wish.seconds);
    let mut head = vec![when, system, lab.about().to_owned(), rounds, provenance::version()];
    head.extend(programs.peers.versions());
    head
}
