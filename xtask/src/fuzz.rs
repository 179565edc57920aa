//! `cargo xtask fuzz [--seconds N] [target...]`: the fuzz targets, each for some seconds.
//!
//! They are cargo-fuzz's, but need neither it nor a nightly compiler here: what libFuzzer wants of the compiler are
//! options that the stable one takes. Without a sanitizer, as the code under test is safe Rust: what they find are panics,
//! overflows, assertions, and what takes too long or too much.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context as _, Result, bail, ensure};

use crate::command;

const USAGE: &str = "usage: cargo xtask fuzz [--seconds N] [target...]";

/// For each target, unless said otherwise: all together take about a minute.
const SECONDS: u64 = 4;

/// What libFuzzer wants: counters at each branch, and the operands of comparisons; overflows are found as well.
const FLAGS: [&str; 8] = [
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Cdebug-assertions",
    "-Coverflow-checks",
    "--cfg=fuzzing",
];

/// What the command line says.
#[derive(Debug)]
struct Options {
    seconds: u64,
    /// All without a name.
    names: Vec<String>,
}

/// What came of one target.
#[derive(Debug)]
struct Outcome {
    executions: u64,
    /// What it said, if it failed.
    failure: Option<String>,
}

/// Runs the command.
///
/// # Errors
/// If the words are wrong or the targets cannot be built; what a target finds is not an error but an exit status.
pub(crate) fn run(arguments: &[String]) -> Result<ExitCode> {
    let folder = crate::workspace_root().join("fuzz");
    let all = targets(&folder)?;
    let options = Options::parse(arguments, &all)?;
    let executables = build(&folder)?;
    let chosen = all.iter().filter(|name| options.names.is_empty() || options.names.contains(name));
    let (mut passed, mut failed) = (0, 0);
    println!("{:<18} {:>12} {:>10}", "target", "executions", "a second");
    for name in chosen {
        let Outcome { executions, failure } = fuzz(&folder, &executables, name, options.seconds)?;
        println!("{name:<18} {executions:>12} {:>10}", executions / options.seconds.max(1));
        match failure {
            None => passed += 1,
            Some(said) => {
                println!("{said}");
                failed += 1;
            }
        }
    }
    println!("{passed} passed, {failed} failed");
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Options {
    fn parse(arguments: &[String], all: &BTreeSet<String>) -> Result<Self> {
        let mut options = Self { seconds: SECONDS, names: Vec::new() };
        let mut words = arguments.iter();
        while let Some(word) = words.next() {
            match word.as_str() {
                "--seconds" => {
                    let seconds = words.next().and_then(|word| word.parse().ok());
                    options.seconds = seconds
                        .filter(|seconds| *seconds > 0)
                        .with_context(|| format!("--seconds takes a number from 1 on\n{USAGE}"))?;
                }
                name if all.contains(name) => options.names.push(name.into()),
                name => {
                    let names: Vec<&str> = all.iter().map(String::as_str).collect();
                    bail!("there is no target `{name}`; there are {}\n{USAGE}", names.join(", "))
                }
            }
        }
        Ok(options)
    }
}

/// The names of all targets: their files.
fn targets(folder: &Path) -> Result<BTreeSet<String>> {
    let files = fs::read_dir(folder.join("fuzz_targets")).context("failed to find the targets")?;
    let names = files.map(|file| Ok(file?.path().file_stem().map(PathBuf::from)));
    let names: Result<Vec<_>> = names.collect();
    Ok(names?.into_iter().flatten().map(|name| name.display().to_string()).collect())
}

/// Builds all targets, and gives the folder where they are.
fn build(folder: &Path) -> Result<PathBuf> {
    // With the target named, build scripts and macros are built without the flags.
    let triple = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let target = std::path::absolute(crate::target_folder().join("fuzz"))?;
    let mut cargo = Command::new(command::cargo());
    cargo
        .args(["build", "--release", "--locked", "--target", &triple, "--target-dir"])
        .arg(&target);
    cargo.current_dir(folder).env("CARGO_ENCODED_RUSTFLAGS", FLAGS.join("\x1f"));
    // What is set for this command by the outer cargo is not for the other workspace.
    cargo.env_remove("RUSTFLAGS").env_remove("CARGO_TARGET_DIR");
    let status = cargo.status().context("failed to start cargo")?;
    ensure!(status.success(), "failed to build the fuzz targets");
    Ok(target.join(triple).join("release"))
}

/// Runs one target from its seeds and what earlier runs have found.
fn fuzz(folder: &Path, executables: &Path, name: &str, seconds: u64) -> Result<Outcome> {
    let corpus = crate::target_folder().join("fuzz/corpus").join(name);
    let artifacts = folder.join("artifacts").join(name);
    for made in [&corpus, &artifacts] {
        fs::create_dir_all(made).with_context(|| format!("failed to make `{}`", made.display()))?;
    }
    let mut target = Command::new(executables.join(name));
    target.arg(format!("-max_total_time={seconds}"));
    target.arg(format!("-artifact_prefix={}/", artifacts.display()));
    // An input that takes longer is a finding: all are small.
    target.args(["-print_final_stats=1", "-timeout=10", "-rss_limit_mb=1024"]);
    target.arg(&corpus).arg(folder.join("seeds").join(name));
    let output = target.output().with_context(|| format!("failed to start the target `{name}`"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    let failure = (!output.status.success()).then(|| command::tail(said.trim(), 40).to_owned());
    Ok(Outcome { executions: executions(&said), failure })
}

/// Reads `stat::number_of_executed_units: 12345`.
fn executions(said: &str) -> u64 {
    let count =
        |line: &str| line.strip_prefix("stat::number_of_executed_units:")?.trim().parse().ok();
    said.lines().find_map(count).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(words: &[&str]) -> Result<Options> {
        let all = BTreeSet::from(["verbs".to_owned(), "y4m".to_owned()]);
        Options::parse(&words.iter().map(ToString::to_string).collect::<Vec<_>>(), &all)
    }

    #[test]
    fn words_choose_targets_and_seconds() {
        let chosen = options(&["--seconds", "600", "verbs"]).unwrap();
        assert_eq!((chosen.seconds, &chosen.names[..]), (600, &["verbs".to_owned()][..]));
        assert_eq!(options(&[]).unwrap().seconds, SECONDS);
        assert!(options(&["nosuch"]).unwrap_err().to_string().contains("there are verbs, y4m"));
        assert!(options(&["--seconds", "0"]).unwrap_err().to_string().contains("usage"));
    }

    #[test]
    fn every_target_is_built_and_has_seeds() {
        let folder = crate::workspace_root().join("fuzz");
        let manifest = fs::read_to_string(folder.join("Cargo.toml")).unwrap();
        for name in targets(&folder).unwrap() {
            assert!(manifest.contains(&format!("name = \"{name}\"")), "{name} is in no [[bin]]");
            assert!(
                folder.join("seeds").join(&name).read_dir().unwrap().next().is_some(),
                "{name}"
            );
        }
    }

    #[test]
    fn executions_are_read() {
        assert_eq!(executions("#1\nstat::number_of_executed_units: 4711\nstat::x: 1\n"), 4711);
    }
}
