//! One child: a role that is always wanted, and the process that has it now.

use std::time::{Duration, Instant};

use rustix::process::{Pid, WaitStatus};

use crate::backoff::Backoff;
use crate::config::Restart;
use crate::control::{ChildStatus, Control, FromChild, Report, ToChild};
use crate::error::Error;
use crate::role::Role;

/// The process of a role, just started.
#[derive(Debug)]
pub(super) struct Process {
    pub(super) pid: Pid,
    /// Absent for programs that do not speak our control protocol: app hosts.
    pub(super) control: Option<Control>,
}

/// Where a child is in its life.
#[derive(Debug)]
enum Life {
    Waiting { until: Instant },
    Running(Process),
}

/// A role that is always wanted.
#[derive(Debug)]
pub(super) struct Child {
    role: Role,
    life: Life,
    backoff: Backoff,
    starts: u32,
    last_end: Option<String>,
}

impl Child {
    pub(super) fn new(role: Role, restart: Restart) -> Self {
        let seed = u64::from(std::process::id()) << 16
            ^ role.to_string().bytes().map(u64::from).sum::<u64>();
        let backoff = Backoff::new(restart.first, restart.cap, restart.healthy_after, seed);
        Self {
            role,
            life: Life::Waiting { until: Instant::now() },
            backoff,
            starts: 0,
            last_end: None,
        }
    }

    pub(super) fn role(&self) -> Role {
        self.role
    }

    /// Counts the processes that had the role before the next one.
    pub(super) fn generation(&self) -> u32 {
        self.starts
    }

    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.starts_at().is_some_and(|until| until <= now)
    }

    pub(super) fn starts_at(&self) -> Option<Instant> {
        match self.life {
            Life::Waiting { until } => Some(until),
            Life::Running(_) => None,
        }
    }

    pub(super) fn started(&mut self, now: Instant, process: Process) {
        log::debug!("{} pid={} started", self.role, process.pid);
        self.starts += 1;
        self.backoff.started(now);
        self.life = Life::Running(process);
    }

    pub(super) fn failed_to_start(&mut self, now: Instant, error: &Error) {
        self.ended(now, format!("could not start: {error}"));
    }

    pub(super) fn ended(&mut self, now: Instant, how: String) {
        self.last_end = Some(how);
        self.life = Life::Waiting { until: now + self.backoff.ended(now) };
    }

    pub(super) fn pid(&self) -> Option<Pid> {
        self.process().map(|process| process.pid)
    }

    pub(super) fn control(&self) -> Option<&Control> {
        self.process().and_then(|process| process.control.as_ref())
    }

    fn process(&self) -> Option<&Process> {
        match &self.life {
            Life::Running(process) => Some(process),
            Life::Waiting { .. } => None,
        }
    }

    pub(super) fn send(&self, message: &ToChild) {
        if let Some(control) = self.control() {
            control.send(message);
        }
    }

    /// Gives the next message; a line that has ended is closed, the child's end is seen by its status.
    pub(super) fn receive(&mut self) -> Option<FromChild> {
        let Life::Running(process) = &mut self.life else { return None };
        match process.control.as_ref()?.try_receive() {
            Ok(message) => message,
            Err(_) => {
                process.control = None;
                None
            }
        }
    }

    pub(super) fn status(&self, report: Option<Report>) -> ChildStatus {
        ChildStatus {
            role: self.role.to_string(),
            pid: self.pid().map(|pid| pid.as_raw_nonzero().get().cast_unsigned()),
            restarts: self.starts.saturating_sub(1),
            last_end: self.last_end.clone(),
            report,
        }
    }
}

/// Says how a process ended, for people.
pub(super) fn describe_end(status: WaitStatus) -> String {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(0), _) => "ended".to_owned(),
        (Some(code), _) => format!("ended with status {code}"),
        (None, Some(signal)) => format!("was ended by signal {signal}"),
        (None, None) => "changed its state".to_owned(),
    }
}

/// How long children may take to answer before a status goes out without them.
pub(super) const REPORT_PATIENCE: Duration = Duration::from_millis(250);
