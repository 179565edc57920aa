//! One child: a role that is always wanted, and the process that has it now.

use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitStatus};

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

/// How a process ends that is no longer wanted as it is.
#[derive(Clone, Copy, Debug)]
struct Ending {
    /// None when it was asked.
    ask_at: Option<Instant>,
    kill_at: Instant,
}

/// Where a child is in its life.
#[derive(Debug)]
enum Life {
    Waiting { until: Instant },
    Running(Process),
}

/// A role that is wanted until a reload takes it away.
#[derive(Debug)]
pub(super) struct Child {
    role: Role,
    life: Life,
    is_wanted: bool,
    /// Its process is to end: when it is asked, and when it is made to. Then its place is free, or the next one starts at
    /// once.
    ending: Option<Ending>,
    /// The program ends if it finds that it cannot work: nothing has changed since the start.
    pub(super) is_vital: bool,
    backoff: Backoff,
    starts: u32,
    last_end: Option<String>,
}

impl Child {
    pub(super) fn new(role: Role, restart: Restart) -> Self {
        let backoff = new_backoff(role, restart);
        Self {
            role,
            life: Life::Waiting { until: Instant::now() },
            is_wanted: true,
            ending: None,
            is_vital: true,
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
            Life::Waiting { until } if self.is_wanted => Some(until),
            Life::Waiting { .. } | Life::Running(_) => None,
        }
    }

    /// Tells whether a reload has taken the role away, and its process has ended: another role may have the place.
    pub(super) fn is_free(&self) -> bool {
        !self.is_wanted && self.pid().is_none()
    }

    /// Tells whether no reload has taken the role away.
    pub(super) fn is_wanted(&self) -> bool {
        self.is_wanted
    }

    /// Tells whether its process is the one that does the role's work.
    pub(super) fn is_current(&self) -> bool {
        self.is_wanted && self.ending.is_none()
    }

    /// The role is wanted no more: its process is asked to end at that time, and has so long for it then.
    pub(super) fn retire(&mut self, ask_at: Instant, patience: Duration) {
        self.is_wanted = false;
        self.end(ask_at, patience);
    }

    /// The process is asked to end at once, so that one takes its place that is told other things.
    pub(super) fn replace(&mut self, now: Instant, patience: Duration) {
        self.is_vital = false;
        self.end(now, patience);
    }

    fn end(&mut self, ask_at: Instant, patience: Duration) {
        match self.life {
            // It was asked already; what it is told is read when the next one starts.
            Life::Running(_) if self.ending.is_some() => {}
            Life::Running(_) => {
                self.ending = Some(Ending { ask_at: Some(ask_at), kill_at: ask_at + patience });
            }
            // What is told is read when it starts.
            Life::Waiting { .. } => self.life = Life::Waiting { until: ask_at },
        }
    }

    /// When it is to be asked, or made, to end.
    pub(super) fn ends_at(&self) -> Option<Instant> {
        self.ending.map(|ending| ending.ask_at.unwrap_or(ending.kill_at))
    }

    /// Gives the signal that is due, once.
    pub(super) fn due_signal(&mut self, now: Instant) -> Option<Signal> {
        let ending = self.ending.as_mut()?;
        if ending.ask_at.take_if(|at| *at <= now).is_some() {
            return Some(Signal::TERM);
        }
        let is_due = ending.ask_at.is_none() && ending.kill_at <= now;
        is_due.then(|| {
            ending.kill_at = now + Duration::from_secs(1);
            Signal::KILL
        })
    }

    /// From now on it is started again by these rules.
    pub(super) fn set_restart(&mut self, restart: Restart) {
        self.backoff = new_backoff(self.role, restart);
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
        let pause = self.backoff.ended(now);
        // One that was asked to end is no failure.
        let pause = if self.ending.take().is_some() { Duration::ZERO } else { pause };
        self.life = Life::Waiting { until: now + pause };
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

fn new_backoff(role: Role, restart: Restart) -> Backoff {
    let seed =
        u64::from(std::process::id()) << 16 ^ role.to_string().bytes().map(u64::from).sum::<u64>();
    Backoff::new(restart.first, restart.cap, restart.healthy_after, seed)
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

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(5);

    fn running(now: Instant) -> Child {
        let mut child = Child::new(Role::Capture { area: 1 }, Restart::default());
        let pid = Pid::from_raw(1 << 21).unwrap();
        child.started(now, Process { pid, control: None });
        child
    }

    #[test]
    fn one_that_is_replaced_is_asked_then_made_to_end_and_starts_again_at_once() {
        let now = Instant::now();
        let mut child = running(now);
        child.replace(now, PATIENCE);
        assert!(!child.is_current() && child.is_wanted());
        assert_eq!((child.due_signal(now), child.due_signal(now)), (Some(Signal::TERM), None));
        let late = now + PATIENCE;
        assert_eq!(child.ends_at(), Some(late));
        assert_eq!((child.due_signal(late), child.due_signal(late)), (Some(Signal::KILL), None));
        child.ended(late, "ended".to_owned());
        assert!(child.is_current() && child.is_due(late));
        assert!(!child.is_vital, "what came later does not end the program");
    }

    #[test]
    fn one_that_is_retired_is_never_started_again_even_if_it_was_being_replaced() {
        let now = Instant::now();
        let mut child = running(now);
        child.replace(now, PATIENCE);
        child.due_signal(now);
        child.retire(now, PATIENCE);
        assert_eq!(child.due_signal(now), None, "it was asked before");
        assert!(!child.is_free());
        child.ended(now, "ended".to_owned());
        assert!(child.is_free() && child.starts_at().is_none() && !child.is_due(now + PATIENCE));
        let mut waiting = Child::new(Role::Keep, Restart::default());
        waiting.retire(now, PATIENCE);
        assert!(waiting.is_free());
    }
}
