//! `cargo xtask vm [scenario...]`: Eyelet with the kernel's own V4L2 drivers, in a virtual machine.
//!
//! A guest with Debian's newest kernel runs under qemu without KVM, so this works wherever Debian's packages can be had:
//! in containers and CI, without a camera, without root, without a kernel module on the host. The guest has `vivid` (the
//! kernel's test camera), `uvcvideo` with the simulated USB cameras of `tests/uvcsim`, and `hid-cp2112` with the GPIO chip of
//! `tests/cp2112sim`.
//!
//! The guest boots once; its state is saved, and each scenario starts from that state in a second. What is fetched is kept in
//! the target folder under `vm/`, by package version.

mod agent;
mod cpio;
mod executables;
mod guest;
mod initrd;
mod kernel;
mod lab;
mod lines;
mod monitor;
mod scenarios;
mod tools;

use std::collections::BTreeSet;
use std::fs::{self, File, TryLockError};
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};

use lab::Lab;
use scenarios::Scenario;

const USAGE: &str = "\
usage: cargo xtask vm [--list] [scenario...]
  runs the scenarios whose names are given or begin with `NAME/`; all without a name";

/// Runs the command.
///
/// # Errors
/// If the guest cannot be prepared or a name is unknown; a failed scenario is not an error but an exit status.
pub(crate) fn run(arguments: &[String]) -> Result<ExitCode> {
    if let Some(flag) = arguments.iter().find(|argument| argument.starts_with('-')) {
        if flag == "--list" {
            for scenario in scenarios::all() {
                println!("{:<24} {}", scenario.name, scenario.about);
            }
            return Ok(ExitCode::SUCCESS);
        }
        eprintln!("{USAGE}");
        return Ok(ExitCode::from(2));
    }
    let chosen = choose(arguments)?;
    let folder = crate::target_folder().join("vm");
    fs::create_dir_all(&folder)
        .with_context(|| format!("failed to make `{}`", folder.display()))?;
    let _lock = lock(&folder)?;
    let executables: BTreeSet<&str> =
        chosen.iter().flat_map(|scenario| scenario.executables).copied().collect();
    let lab = Lab::prepare(&folder, &executables)?;
    let failed = chosen.iter().filter(|scenario| !passes(scenario, &lab, KERNEL_FAULTS)).count();
    lab.tear_down()?;
    println!("{} passed, {failed} failed", chosen.len() - failed);
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn choose(names: &[String]) -> Result<Vec<&'static Scenario>> {
    let means = |name: &str, scenario: &Scenario| {
        scenario
            .name
            .strip_prefix(name)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    for name in names {
        ensure!(
            scenarios::all().any(|scenario| means(name, scenario)),
            "no scenario `{name}`; `cargo xtask vm --list` names them"
        );
    }
    let is_wanted =
        |scenario: &&Scenario| names.is_empty() || names.iter().any(|name| means(name, scenario));
    Ok(scenarios::all().filter(is_wanted).collect())
}

/// How often the guest's own kernel may break in a scenario.
///
/// Debian's uvcvideo can run into freed memory while a camera is pulled out; then nothing was tried.
const KERNEL_FAULTS: usize = 2;
/// What every kernel of the guest prints when it has broken. Source: `print_oops_end_marker`, kernel/panic.c.
const KERNEL_FAULT: &str = "---[ end trace ";

/// Runs one scenario in a fresh guest and prints its line.
fn passes(scenario: &Scenario, lab: &Lab, kernel_faults: usize) -> bool {
    let start = Instant::now();
    let mut guest = match lab.guest(scenario.name) {
        Ok(guest) => guest,
        Err(problem) => {
            println!("FAILED {}: {problem:#}", scenario.name);
            return false;
        }
    };
    let result = (scenario.run)(&mut guest);
    let seconds = start.elapsed().as_secs_f64();
    match result {
        Ok(note) => {
            println!("ok     {:<20} {seconds:5.1} s  {note}", scenario.name);
            guest.discard();
            true
        }
        Err(problem) => {
            let autopsy = guest.autopsy();
            if kernel_faults > 0 && autopsy.contains(KERNEL_FAULT) {
                println!("again  {:<20} {seconds:5.1} s  the guest's kernel broke", scenario.name);
                drop(guest);
                return passes(scenario, lab, kernel_faults - 1);
            }
            println!("FAILED {:<20} {seconds:5.1} s  {problem:#}", scenario.name);
            println!("{autopsy}");
            false
        }
    }
}

/// Waits until no other run uses the folder.
fn lock(folder: &Path) -> Result<File> {
    let path = folder.join("lock");
    let file = File::create(&path)
        .with_context(|| format!("failed to open the lock `{}`", path.display()))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            eprintln!("waiting for another `cargo xtask vm` to end");
            file.lock()?;
        }
        Err(TryLockError::Error(problem)) => {
            return Err(problem).context("failed to lock the folder");
        }
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_choose_single_scenarios_and_groups() {
        let count = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(ToString::to_string).collect();
            choose(&names).map(|chosen| chosen.len())
        };
        assert_eq!(count(&[]).unwrap(), scenarios::all().count());
        assert_eq!(count(&["infra/vivid"]).unwrap(), 1);
        assert!(count(&["infra"]).unwrap() > 5);
        assert!(count(&["infr"]).is_err());
    }

    #[test]
    fn scenario_names_are_unique() {
        let names: BTreeSet<_> = scenarios::all().map(|scenario| scenario.name).collect();
        assert_eq!(names.len(), scenarios::all().count());
    }
}
