//! Runs one command to its end or its deadline, and passes on what it prints while it prints it.

use std::io::{Read as _, Write as _};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use rustix::process::Pid;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use super::family::Reach;

/// How often a running command is looked at; a zombie lasts so long at most.
const TICK: Duration = Duration::from_millis(20);
/// Time that helpers of an ended command have to end too, as a browser's do.
const FAREWELL: Duration = Duration::from_secs(3);

/// The status of a command that cannot be started, as shells have it.
const NOT_STARTED: i32 = 127;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// By itself, with this status; 128 + N after signal N, as shells have it.
    Exited(i32),
    /// It took too long and was killed.
    Late,
    /// We were told to stop, and it was killed.
    Interrupted,
}

impl Ending {
    pub(super) fn is_success(self) -> bool {
        self == Self::Exited(0)
    }
}

/// A command that has ended.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) ending: Ending,
    /// What it printed, to standard output and standard error, in order.
    pub(super) output: String,
    pub(super) time: Duration,
    /// The names of the processes that it left behind; they were killed.
    pub(super) left_behind: Vec<String>,
}

/// Runs a command. Nothing of it is left when this returns.
///
/// # Errors
/// If we cannot have a pipe or hear signals. A command that cannot be started is a run that failed.
pub(super) fn run(command: &mut Command, deadline: Instant, reach: Reach) -> Result<Run> {
    let start = Instant::now();
    let stop = stop_flag()?;
    let (reader, writer) = std::io::pipe().context("failed to make a pipe")?;
    command.stdin(Stdio::null()).stdout(writer.try_clone()?).stderr(writer);
    let name = command.get_program().to_string_lossy().into_owned();
    let child = match command.spawn() {
        Ok(child) => child,
        Err(problem) => {
            let output = format!("failed to start `{name}`: {problem}");
            super::say(&output);
            let ending = Ending::Exited(NOT_STARTED);
            return Ok(Run { ending, output, time: start.elapsed(), left_behind: vec![] });
        }
    };
    // The command holds the pipe's other end, and with it the reader would wait for ever.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let printing = pass_on(reader);
    let started = Pid::from_child(&child);
    let ending = wait(started, deadline, reach, stop);
    let left_behind = clean_up(started, ending, reach);
    let output = printing.join().unwrap_or_default();
    Ok(Run { ending, output, time: start.elapsed(), left_behind })
}

fn wait(started: Pid, deadline: Instant, reach: Reach, stop: &AtomicBool) -> Ending {
    loop {
        if let Some(status) = reach.reap(started) {
            let signalled =
                || status.terminating_signal().map_or(NOT_STARTED, |signal| 128 + signal);
            return Ending::Exited(status.exit_status().unwrap_or_else(signalled));
        }
        if stop.load(Ordering::Relaxed) {
            return Ending::Interrupted;
        }
        if Instant::now() >= deadline {
            return Ending::Late;
        }
        thread::sleep(TICK);
    }
}

/// Kills what is left; returns the names of what should not have been there.
fn clean_up(started: Pid, ending: Ending, reach: Reach) -> Vec<String> {
    let until = Instant::now() + FAREWELL;
    let has_ended = matches!(ending, Ending::Exited(_));
    while has_ended && Instant::now() < until && !reach.members(started).is_empty() {
        thread::sleep(TICK);
        reach.reap(started);
    }
    let left = if has_ended { reach.members(started) } else { vec![] };
    reach.kill(started);
    reach.reap(started);
    left.into_iter().map(|member| member.name).collect()
}

/// Copies what comes to standard output, and keeps it.
fn pass_on(mut reader: std::io::PipeReader) -> JoinHandle<String> {
    thread::spawn(move || {
        let mut kept = Vec::new();
        let mut part = [0; 8 << 10];
        while let Ok(len @ 1..) = reader.read(&mut part) {
            let mut out = std::io::stdout().lock();
            // Standard output may be closed; the step goes on.
            out.write_all(&part[..len]).and_then(|()| out.flush()).ok();
            kept.extend_from_slice(&part[..len]);
        }
        String::from_utf8_lossy(&kept).into_owned()
    })
}

/// Becomes true when we are told to stop; the terminal's Ctrl-C reaches what we started by itself, others do not.
fn stop_flag() -> Result<&'static AtomicBool> {
    static STOP: OnceLock<Arc<AtomicBool>> = OnceLock::new();
    if STOP.get().is_none() {
        let flag = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            signal_hook::flag::register(signal, Arc::clone(&flag))
                .context("failed to hear signals")?;
        }
        // Another thread of a test may have been first; both flags hear the signals.
        STOP.set(flag).ok();
    }
    STOP.get().map(AsRef::as_ref).context("there is no stop flag")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, patience: Duration) -> Run {
        let mut command = Command::new("sh");
        run(command.args(["-c", script]), Instant::now() + patience, Reach::Below).unwrap()
    }

    #[test]
    fn output_of_both_kinds_and_the_status_are_kept() {
        let run = shell("echo one; echo two >&2; exit 3", FAREWELL);
        assert_eq!(run.output, "one\ntwo\n");
        assert!(!run.ending.is_success());
        assert!(shell("true", FAREWELL).ending.is_success());
    }

    #[test]
    fn a_late_command_is_ended_with_all_it_started() {
        let run = shell("sleep 1000 & echo $!; wait", Duration::from_millis(300));
        assert_eq!(run.ending, Ending::Late);
        let state = format!("/proc/{}/stat", run.output.trim());
        // Gone, or a zombie that its new parent has not yet taken note of.
        assert!(std::fs::read_to_string(state).map_or(true, |stat| stat.contains(") Z ")));
    }

    #[test]
    fn what_cannot_be_started_has_failed() {
        let mut command = Command::new("no-such-program");
        let run = run(&mut command, Instant::now(), Reach::Below).unwrap();
        assert!(!run.ending.is_success() && run.output.contains("no-such-program"));
    }
}
