//! A command of the user's, which ends when we let go of it.
#![allow(unsafe_code, reason = "one system call between fork and exec")]

use std::fmt;
use std::io::ErrorKind;
use std::os::unix::process::CommandExt as _;
use std::process::{self, Child, ChildStdout, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

use crate::error::{Error, Result};
use crate::role::BOOT_VARIABLE;

/// How long the command has to end when it is asked to.
const PATIENCE: Duration = Duration::from_millis(300);

/// A running command and all that it started, one process group.
///
/// Dropping it ends the group: SIGTERM, and SIGKILL after 300 ms. If this process itself is killed, nobody can do that;
/// then the kernel ends the command, and what it started ends when it next writes, because nobody has the other end of
/// the pipe (SIGPIPE).
#[derive(Debug)]
pub(super) struct Command {
    /// As a person would write it, for messages.
    shown: String,
    child: Child,
    /// Of the command and its group: it leads its own.
    pid: Option<Pid>,
}

impl Command {
    /// Starts it with nothing on standard input, and standard error as ours.
    ///
    /// # Errors
    /// [`Refused`](crate::error::ErrorKind::Refused) if there is no such command or it may not be run.
    pub(super) fn spawn(words: &[String]) -> Result<(Self, ChildStdout)> {
        let (program, arguments) =
            words.split_first().ok_or_else(|| Error::usage("`exec:` names no command"))?;
        let shown =
            shlex::try_join(words.iter().map(String::as_str)).unwrap_or_else(|_| words.join(" "));
        let mut command = process::Command::new(program);
        end_with_us(&mut command);
        let spawned = command
            .args(arguments)
            // It may be an Eyelet itself, and is no role of ours.
            .env_remove(BOOT_VARIABLE)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn();
        let mut child = spawned.map_err(|e| {
            let text = format!("failed to start the command `{shown}`: {e}");
            match e.kind() {
                ErrorKind::NotFound | ErrorKind::PermissionDenied => Error::refused(text),
                _ => Error::unavailable(text),
            }
        })?;
        let stdout = child.stdout.take();
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        let command = Self { shown, child, pid };
        let stdout =
            stdout.ok_or_else(|| Error::failed(format!("{command} has no standard output")))?;
        Ok((command, stdout))
    }

    /// Tells how it ended; `None` if it has not. Its number stays taken, so that its group can still be ended.
    pub(super) fn ending(&self) -> Result<Option<String>> {
        let Some(pid) = self.pid else { return Ok(None) };
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        let status = waitid(WaitId::Pid(pid), options)
            .map_err(|e| Error::failed(format!("failed to look after {self}: {e}")))?;
        Ok(status.map(|status| match (status.exit_status(), status.terminating_signal()) {
            (Some(code), _) => format!("ended with status {code}"),
            (_, Some(signal)) => format!("was ended by signal {signal}"),
            _ => "ended".to_owned(),
        }))
    }

    fn signal(&self, signal: Signal) {
        let Some(pid) = self.pid else { return };
        if let Err(e) = kill_process_group(pid, signal) {
            log::debug!("source=exec {self} could not be signalled: {e}");
        }
    }
}

/// Arranges that the kernel ends the command when the thread that starts it ends: the capture role has one.
fn end_with_us(command: &mut process::Command) {
    let between_fork_and_exec =
        || Ok(rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?);
    // SAFETY: what runs between fork and exec is one prctl by a raw system call: it takes no lock and no memory.
    unsafe { command.pre_exec(between_fork_and_exec) };
}

impl Drop for Command {
    fn drop(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        self.signal(Signal::TERM);
        while matches!(self.ending(), Ok(None)) && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(2));
        }
        // Also what the command started and left behind.
        self.signal(Signal::KILL);
        if let Err(e) = self.child.wait() {
            log::debug!("source=exec {self} could not be reaped: {e}");
        }
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the command `{}`", self.shown)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    fn spawn(words: &[&str]) -> Result<(Command, ChildStdout)> {
        Command::spawn(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn all_that_it_started_ends_with_it() {
        let (command, mut stdout) =
            spawn(&["sh", "-c", "trap '' TERM; sleep 1000 & echo; wait"]).unwrap();
        let mut started = [0];
        stdout.read_exact(&mut started).unwrap();
        drop(command);
        // The end comes when nobody has the pipe open any more, the background process included.
        assert_eq!(stdout.read(&mut started).unwrap(), 0);
    }

    #[test]
    fn how_it_ended_can_be_asked_more_than_once() {
        let (command, mut stdout) = spawn(&["sh", "-c", "exit 7"]).unwrap();
        stdout.read_to_end(&mut Vec::new()).unwrap();
        let ending = loop {
            if let Some(ending) = command.ending().unwrap() {
                break ending;
            }
        };
        assert_eq!(ending, "ended with status 7");
        assert_eq!(command.ending().unwrap(), Some(ending));
    }

    #[test]
    fn what_is_no_command_is_refused() {
        let error = spawn(&["/nowhere/camera", "two words"]).unwrap_err();
        assert_eq!(error.kind(), crate::error::ErrorKind::Refused);
        assert!(error.to_string().contains("`/nowhere/camera 'two words'`"), "{error}");
    }
}
