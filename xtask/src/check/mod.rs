//! `cargo xtask check`: everything that must be right, the same here and in CI.
//!
//! Installs what the tests need, runs the steps of [`steps::STEPS`] one after the other, also after one has failed, and
//! ends with a table and `N passed, N failed`. Whatever a step leaves running is ended with it.

mod family;
mod machine;
mod readme;
mod report;
mod runner;
mod steps;
mod summary;

use std::io::Write as _;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use family::Reach;
use report::Report;
use runner::Ending;
use steps::{STEPS, Step, When};

pub(crate) use readme::run as run_readme;

const USAGE: &str = "\
usage: cargo xtask check [--fast] [--yes] [step...]
  runs the steps named, all without a name
  --fast  only the steps that take no minute: no browser, no virtual machine, no processes
  --yes   install packages without asking";

/// Longest time of all steps together in CI, which ends a job after an hour without a word.
const CI_BUDGET: Duration = Duration::from_secs(55 * 60);

/// What the command line says.
#[derive(Debug, PartialEq, Eq)]
struct Options {
    is_fast: bool,
    may_install: bool,
    names: Vec<String>,
}

impl Options {
    fn parse(arguments: &[String]) -> Result<Self> {
        let mut options = Self { is_fast: false, may_install: false, names: vec![] };
        for argument in arguments {
            match argument.as_str() {
                "--fast" => options.is_fast = true,
                "--yes" => options.may_install = true,
                name if STEPS.iter().any(|step| step.name == name) => {
                    options.names.push(name.into());
                }
                flag if flag.starts_with('-') => bail!("there is no `{flag}`\n{USAGE}"),
                name => {
                    let names: Vec<&str> = STEPS.iter().map(|step| step.name).collect();
                    bail!("there is no step `{name}`; there are {}\n{USAGE}", names.join(", "))
                }
            }
        }
        Ok(options)
    }

    fn wants(&self, step: &Step) -> bool {
        let is_named = self.names.is_empty() || self.names.iter().any(|name| name == step.name);
        is_named && (!self.is_fast || step.when == When::Always)
    }
}

/// Runs the command.
///
/// # Errors
/// If the words are wrong or a step cannot be watched; a failed step is not an error but an exit status.
pub(crate) fn run(arguments: &[String]) -> Result<ExitCode> {
    let options = Options::parse(arguments)?;
    let is_ci = std::env::var_os("CI").is_some_and(|value| !value.is_empty() && value != "false");
    let (chosen, left_out): (Vec<&Step>, Vec<&Step>) =
        STEPS.iter().partition(|step| options.wants(step));
    let family = Reach::adopt_orphans()?;
    if chosen.iter().any(|step| step.when == When::Full) {
        machine::prepare(options.may_install || is_ci)
            .inspect_err(|_| say("0 passed, 1 failed"))?;
    }
    let deadline = is_ci.then(|| Instant::now() + CI_BUDGET);
    let mut report = Report::default();
    for step in chosen {
        say(&format!("\n== {}: {}", step.name, step.about));
        let run = runner::run(&mut step.command()?, step.deadline_before(deadline), family)?;
        let was_interrupted = run.ending == Ending::Interrupted;
        report.add(step, run);
        if was_interrupted {
            break;
        }
    }
    say(&report.table(&left_out));
    Ok(if report.has_failed() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Prints to standard output, which may be closed: the steps and the exit status do not depend on a reader.
fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}").and_then(|()| out.flush()).ok();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(words: &[&str]) -> Result<Options> {
        Options::parse(&words.iter().map(ToString::to_string).collect::<Vec<_>>())
    }

    #[test]
    fn everything_runs_unless_something_is_said() {
        let all = options(&[]).unwrap();
        assert!(STEPS.iter().all(|step| all.wants(step)));
        let fast = options(&["--fast"]).unwrap();
        assert!(fast.wants(&STEPS[0]) && !STEPS.iter().all(|step| fast.wants(step)));
        let some = options(&["fmt", "vm"]).unwrap();
        assert_eq!(STEPS.iter().filter(|step| some.wants(step)).count(), 2);
    }

    #[test]
    fn wrong_words_are_refused() {
        assert!(options(&["nosuch"]).unwrap_err().to_string().contains("there are fmt"));
        assert!(options(&["--nosuch"]).unwrap_err().to_string().contains("usage"));
    }
}
