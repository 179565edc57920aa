//! The supervisor: owns the listeners, the area sockets and every child; parses nothing from the network.
//!
//! One thread polls the signals and the children's control lines. What a child needs was bound before it was born and
//! stays bound when it dies, so that nobody is refused meanwhile.

mod announce;
mod child;
mod difference;
mod entry;
mod estate;
mod lan;
mod listeners;
mod loads;
mod packages;
mod panels;
mod plan;
mod reload;
mod runtime_folder;
mod signals;
mod spawn;
mod status;
mod viewers;

use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitOptions};

use crate::config::Config;
use crate::control::{FromChild, ToChild};
use crate::due;
use crate::error::{Error, Result};
use crate::role::Role;
use announce::Announcement;
use child::Child;
use estate::Estate;
use loads::Loads;
use panels::Panels;
use plan::Plan;
use signals::Signals;
use status::Questions;
use viewers::Viewers;

/// What children are given beyond the time that they give their streams.
const AFTER_STREAMS: Duration = Duration::from_millis(500);

/// Reads the configuration again: as it would be if the program were started now.
pub type Reread = Box<dyn FnMut() -> Result<Config>>;

/// Runs the program until it is told to stop.
///
/// # Errors
/// When a port or the runtime folder cannot be had, or a source is hopeless from the start.
pub fn run(config: Config, reread: Reread) -> Result<()> {
    let signals = Signals::new()?;
    let estate = Estate::make(Plan::new(config))?;
    Supervisor::new(estate, reread).run(signals)
}

struct Supervisor {
    estate: Estate,
    reread: Reread,
    children: Vec<Child>,
    questions: Questions,
    loads: Loads,
    viewers: Viewers,
    panels: Panels,
    announcement: Announcement,
    started: Instant,
    stop: Option<Stop>,
}

/// How far the end has come.
struct Stop {
    deadline: Instant,
    result: Result<()>,
}

impl Supervisor {
    fn new(estate: Estate, reread: Reread) -> Self {
        let restart = estate.plan.config.restart;
        let roles = estate.plan.roles();
        let children = roles.into_keys().map(|role| Child::new(role, restart)).collect();
        let announcement = Announcement::new(&estate);
        Self {
            estate,
            reread,
            children,
            questions: Questions::default(),
            loads: Loads::default(),
            viewers: Viewers::new(Instant::now()),
            panels: Panels::default(),
            announcement,
            started: Instant::now(),
            stop: None,
        }
    }

    fn run(mut self, mut signals: Signals) -> Result<()> {
        loop {
            let now = Instant::now();
            self.start_due(now);
            self.kill_overdue(now);
            for message in self.questions.overdue(now, &self.children, self.started) {
                self.children[message.0].send(&message.1);
            }
            if let Some(count) = self.viewers.news(now) {
                self.tell_serving(&ToChild::Viewers(count));
            }
            self.announcement.look(now);
            if self.stop.is_some() && self.children.iter().all(|c| c.pid().is_none()) {
                return self.stop.take().map_or(Ok(()), |stop| stop.result);
            }
            self.wait(&signals)?;
            for signal in signals.pending() {
                self.on_signal(signal);
            }
            self.hear();
            self.reap();
        }
    }

    fn start_due(&mut self, now: Instant) {
        if self.stop.is_some() {
            return;
        }
        for child in self.children.iter_mut().filter(|child| child.is_due(now)) {
            let settings = self.panels.settings(child.role());
            match spawn::spawn(child.role(), child.generation(), settings, &self.estate) {
                Ok(born) => child.started(now, born),
                Err(e) => {
                    log::error!("{e}");
                    child.failed_to_start(now, &e);
                }
            }
        }
    }

    /// Waits for signals, messages, or the next thing to do.
    fn wait(&self, signals: &Signals) -> Result<()> {
        let deadlines =
            self.children.iter().filter_map(|c| c.starts_at()).filter(|_| self.stop.is_none());
        let due = deadlines
            .chain(self.questions.deadline())
            .chain(self.announcement.deadline())
            .chain(self.viewers.deadline())
            .chain(self.stop.as_ref().map(|stop| stop.deadline))
            .chain(self.children.iter().filter_map(Child::ends_at))
            .min();
        let mut fds = vec![PollFd::from_borrowed_fd(signals.as_fd(), PollFlags::IN)];
        fds.extend(
            self.children
                .iter()
                .filter_map(Child::control)
                .map(|c| PollFd::from_borrowed_fd(c.as_fd(), PollFlags::IN)),
        );
        match poll(&mut fds, due::within(due).as_ref()) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(e) => Err(Error::failed(format!("failed to wait for children: {e}"))),
        }
    }

    fn on_signal(&mut self, signal: Signal) {
        match signal {
            Signal::TERM | Signal::INT if self.stop.is_some() => {
                log::info!("stopping at once");
                self.signal_all(Signal::KILL);
            }
            Signal::TERM | Signal::INT => self.begin_stop(Ok(())),
            Signal::HUP => self.reload(),
            _ => {}
        }
    }

    fn begin_stop(&mut self, result: Result<()>) {
        if self.stop.is_some() {
            return;
        }
        log::info!("stopping");
        self.announcement.cancel();
        let patience = self.estate.plan.config.limits.stop_timeout + AFTER_STREAMS;
        self.stop = Some(Stop { deadline: Instant::now() + patience, result });
        self.signal(Signal::TERM, Role::is_serve);
        self.end_behind_the_viewers();
    }

    /// Ends what viewers look at when nobody looks any more, so that they are told of the stop and of nothing else.
    fn end_behind_the_viewers(&self) {
        let mut serving = self.children.iter().filter(|child| child.role().is_serve());
        if self.stop.is_some() && serving.all(|child| child.pid().is_none()) {
            self.signal_all(Signal::TERM);
        }
    }

    fn kill_overdue(&mut self, now: Instant) {
        if let Some(stop) = &mut self.stop
            && now >= stop.deadline
        {
            stop.deadline = now + Duration::from_secs(1);
            self.signal_all(Signal::KILL);
        }
        for child in &mut self.children {
            if let Some(pid) = child.pid()
                && let Some(signal) = child.due_signal(now)
            {
                rustix::process::kill_process_group(pid, signal).ok();
            }
        }
    }

    fn signal_all(&self, signal: Signal) {
        self.signal(signal, |_| true);
    }

    fn signal(&self, signal: Signal, whom: impl Fn(Role) -> bool) {
        let wanted = self.children.iter().filter(|child| whom(child.role()));
        for pid in wanted.filter_map(Child::pid) {
            // The whole group: an app host has children of its own. It may have ended in this moment.
            rustix::process::kill_process_group(pid, signal).ok();
        }
    }

    /// Reads what the children say.
    fn hear(&mut self) {
        for at in 0..self.children.len() {
            while let Some(message) = self.children[at].receive() {
                self.on_message(at, message);
            }
        }
    }

    fn on_message(&mut self, at: usize, message: FromChild) {
        let role = self.children[at].role();
        match message {
            FromChild::Opened(opened) => self.announcement.opened(role, &opened),
            FromChild::Lost(error) => self.announcement.lost(role, &error),
            FromChild::Hopeless(error) if self.children[at].is_vital => {
                self.begin_stop(Err(error));
            }
            // What a reload has brought must not end what there was before.
            FromChild::Hopeless(error) => {
                log::error!("{role}: {error}");
                self.announcement.lost(role, &error);
            }
            FromChild::Report { ask, report } => self.questions.answered(ask, at, report),
            FromChild::Load(load) => {
                self.loads.says(at, load);
                self.tell_least_load();
            }
            FromChild::Watching(watching) => self.viewers.says(at, watching),
            FromChild::AskPanel { ask, area, job } => {
                let (to, message) = self.panels.ask((at, ask), area, job, &self.children);
                self.children[to].send(&message);
            }
            FromChild::Panel { ask, outcome } => {
                if let Some((asker, answer)) = self.panels.answered(ask, role, outcome) {
                    self.children[asker].send(&answer);
                }
            }
            FromChild::ControlsChanged(controls) => {
                if let Role::Capture { area } = role {
                    self.tell_serving(&ToChild::ControlsChanged { area, controls });
                }
            }
            FromChild::Redeem { ask, hash } => {
                let is_right = self.estate.entry.redeem(&hash);
                self.children[at].send(&ToChild::Redeemed { ask, is_right });
                if is_right {
                    self.announcement.renew_link(&self.estate);
                }
            }
            FromChild::AskStatus { ask } => {
                let question = self.questions.ask(at, ask, &self.children);
                for child in &self.children {
                    child.send(&question);
                }
            }
        }
        if let Some((asker, answer)) = self.questions.complete(&self.children, self.started) {
            self.children[asker].send(&answer);
        }
    }

    fn tell_least_load(&mut self) {
        let Some(least) = self.loads.news() else { return };
        self.tell_serving(&ToChild::LeastLoad(least));
    }

    fn tell_serving(&self, message: &ToChild) {
        for child in self.children.iter().filter(|child| child.role().is_serve()) {
            child.send(message);
        }
    }

    /// Collects children that ended.
    fn reap(&mut self) {
        while let Ok(Some((pid, status))) = rustix::process::wait(WaitOptions::NOHANG) {
            self.reaped(pid, status);
        }
    }

    fn reaped(&mut self, pid: Pid, status: rustix::process::WaitStatus) {
        let is_stopping = self.stop.is_some();
        let Some(at) = self.children.iter().position(|child| child.pid() == Some(pid)) else {
            return;
        };
        let child = &mut self.children[at];
        let how = child::describe_end(status);
        let is_expected = !child.is_current();
        if is_expected {
            log::debug!("{} pid={pid} {how}, as it was asked to", child.role());
        } else if !is_stopping {
            log::warn!("{} pid={pid} {how}; it is started again", child.role());
        }
        // What it left in its group (an app host's own children) ends with it.
        rustix::process::kill_process_group(pid, Signal::KILL).ok();
        child.ended(Instant::now(), how);
        let role = child.role();
        if role == Role::App && child.is_free() {
            self.estate.forget_old_app();
        }
        self.announcement.ended(role);
        for (asker, answer) in self.panels.ended(at, role) {
            self.children[asker].send(&answer);
        }
        if role.is_serve() {
            self.loads.ended(at);
            self.viewers.ended(at);
            self.tell_least_load();
            self.end_behind_the_viewers();
        }
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        self.signal_all(Signal::KILL);
    }
}
