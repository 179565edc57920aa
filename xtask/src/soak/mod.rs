//! `cargo xtask faults` and `cargo xtask soak`: the random faults of `tests/faults`, for longer than the check has time.

mod chart;
mod report;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context as _, Result, bail, ensure};

use crate::{command, target_folder, workspace_root};
use report::{Report, Sample};

const USAGE: &str = "\
usage: cargo xtask faults [--seed N] [--first N] [--steps N]
       cargo xtask soak [--seed N] [--minutes N] [--keep]
  --seed     makes the steps; the same one the same steps (1)
  --first    the number of the first step (0)
  --steps    how many (2000)
  --minutes  how long (30)
  --keep     report and plot go to bench/results, instead of target/soak
EYELET_BIN names another executable than that of this workspace";

/// Steps of `faults` without a number: ten minutes.
const STEPS: u64 = 2000;
const MINUTES: u64 = 30;
/// Name of the test, and what makes it run alone.
const TEST: [&str; 4] =
    ["random_faults_break_no_promise", "--exact", "--nocapture", "--test-threads=1"];

/// What the command line says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Wish {
    seed: u64,
    first: u64,
    steps: u64,
    minutes: u64,
    shall_keep: bool,
}

impl Wish {
    fn parse(arguments: &[String]) -> Result<Self> {
        let mut wish =
            Self { seed: 1, first: 0, steps: STEPS, minutes: MINUTES, shall_keep: false };
        let mut words = arguments.iter();
        while let Some(word) = words.next() {
            let place = match word.as_str() {
                "--keep" => {
                    wish.shall_keep = true;
                    continue;
                }
                "--seed" => &mut wish.seed,
                "--first" => &mut wish.first,
                "--steps" => &mut wish.steps,
                "--minutes" => &mut wish.minutes,
                other => bail!("there is no option `{other}`\n{USAGE}"),
            };
            let number = words.next().and_then(|word| word.parse().ok());
            *place = number.with_context(|| format!("{word} takes a number\n{USAGE}"))?;
        }
        ensure!(wish.steps > 0 && wish.minutes > 0, "--steps and --minutes are 1 or more\n{USAGE}");
        Ok(wish)
    }
}

/// Runs `cargo xtask faults`.
///
/// # Errors
/// Words that are not understood, or cargo cannot be started; a broken promise is not an error but an exit status.
pub(crate) fn run_faults(arguments: &[String]) -> Result<ExitCode> {
    let wish = Wish::parse(arguments)?;
    let mut cargo = test(wish);
    cargo.env("EYELET_FAULTS_FIRST", wish.first.to_string());
    cargo.env("EYELET_FAULTS_STEPS", wish.steps.to_string());
    let status = cargo.status().context("failed to start cargo")?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Runs `cargo xtask soak`: on the released executable, as its memory is what users have.
///
/// # Errors
/// As [`run_faults`], and if it cannot be built or the report not be written.
pub(crate) fn run(arguments: &[String]) -> Result<ExitCode> {
    let wish = Wish::parse(arguments)?;
    let beside = std::path::absolute(target_folder().join("soak"))?;
    let samples = beside.join("samples.jsonl");
    let folder =
        if wish.shall_keep { workspace_root().join("bench/results") } else { beside.clone() };
    fs::create_dir_all(&beside)?;
    let executable = executable()?;
    let mut report = Report::new(wish.seed, wish.minutes);
    let mut cargo = test(wish);
    cargo.env("EYELET_BIN", std::path::absolute(executable)?);
    cargo.env("EYELET_FAULTS_MINUTES", wish.minutes.to_string());
    cargo.env("EYELET_FAULTS_SAMPLES", &samples);
    let status = cargo.status().context("failed to start cargo")?;
    report.samples = read(&samples)?;
    report.is_sound = status.success();
    let verdict = report.write(&folder)?;
    print!("{}", verdict.text);
    println!("`{}` has the report", folder.join("soak.md").display());
    Ok(if verdict.is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The run of the test.
fn test(wish: Wish) -> Command {
    let mut cargo = Command::new(command::cargo());
    cargo.args(["test", "--package", "eyelet", "--test", "faults", "--"]).args(TEST);
    cargo.current_dir(workspace_root()).env("EYELET_FAULTS_SEED", wish.seed.to_string());
    cargo
}

fn executable() -> Result<PathBuf> {
    if let Some(named) = std::env::var_os("EYELET_BIN").filter(|path| !path.is_empty()) {
        return Ok(named.into());
    }
    let mut cargo = Command::new(command::cargo());
    cargo.args(["build", "--release", "--package", "eyelet"]).current_dir(workspace_root());
    ensure!(cargo.status().context("failed to start cargo")?.success(), "the build failed");
    Ok(target_folder().join("release/eyelet"))
}

fn read(samples: &Path) -> Result<Vec<Sample>> {
    let text = fs::read_to_string(samples)
        .with_context(|| format!("the run left no `{}`", samples.display()))?;
    text.lines().map(Sample::read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(words: &[&str]) -> Result<Wish> {
        Wish::parse(&words.iter().map(ToString::to_string).collect::<Vec<_>>())
    }

    #[test]
    fn words_say_how_long() {
        let plain = wish(&[]).unwrap();
        assert_eq!((plain.seed, plain.steps, plain.minutes), (1, STEPS, MINUTES));
        let other = wish(&["--minutes", "5", "--seed", "7", "--keep"]).unwrap();
        assert_eq!((other.seed, other.minutes, other.shall_keep), (7, 5, true));
        assert!(wish(&["--minutes", "0"]).unwrap_err().to_string().contains("usage"));
        assert!(wish(&["--seed"]).unwrap_err().to_string().contains("--seed takes a number"));
        assert!(wish(&["--fast"]).unwrap_err().to_string().contains("`--fast`"));
    }

    #[test]
    fn the_test_is_there() {
        let tests = workspace_root().join("tests/faults/main.rs");
        assert!(fs::read_to_string(tests).unwrap().contains(&format!("fn {}(", TEST[0])));
    }
}
