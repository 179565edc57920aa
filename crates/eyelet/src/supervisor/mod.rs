//! The supervisor: owns the listeners, the area sockets and every child; parses nothing from the network.
//!
//! One thread polls the signals and the children's control lines. What a child needs was bound before it was born and
//! stays bound when it dies, so that nobody is refused meanwhile.

mod announce;
mod child;
mod listeners;
mod loads;
mod packages;
mod runtime_folder;
mod signals;
mod spawn;
mod status;

use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitOptions};

use crate::config::Config;
use crate::config::Origin;
use crate::control::{FromChild, ToChild};
use crate::due;
use crate::error::{Error, Result};
use crate::role::{AreaPlace, Role};
use announce::Announcement;
use child::Child;
use loads::Loads;
use runtime_folder::RuntimeFolder;
use signals::Signals;
use status::Questions;

/// What the supervisor owns for its children.
#[derive(Debug)]
struct Estate {
    config: Config,
    /// Removed when the supervisor ends.
    _folder: RuntimeFolder,
    areas: Vec<(AreaPlace, OwnedFd)>,
    listeners: Vec<OwnedFd>,
    app: Option<(std::path::PathBuf, OwnedFd)>,
    /// Where the packages for the user's programs lie, if there are any.
    packages: Option<std::path::PathBuf>,
}

impl Estate {
    /// The sockets of the areas that have this origin, in the order of their ids.
    fn areas_of(&self, wanted: impl Fn(Origin) -> bool) -> Vec<&OwnedFd> {
        let areas = self.areas.iter().filter(|(place, _)| wanted(place.origin));
        areas.map(|(_, socket)| socket).collect()
    }
}

/// Runs the program until it is told to stop.
///
/// # Errors
/// When a port or the runtime folder cannot be had, or a source is hopeless from the start.
pub fn run(config: Config) -> Result<()> {
    let signals = Signals::new()?;
    let (listeners, addresses) = listeners::bind_all(&config.listen)?;
    let folder = RuntimeFolder::make(config.runtime_folder.as_deref())?;
    let areas = listen_for_subscribers(&config, folder.path())?;
    let app = match &config.app {
        Some(_) => Some(listeners::listen_for_app(folder.path())?),
        None => None,
    };
    let has_programs = config.app.is_some() || !config.mules.is_empty();
    let packages = has_programs.then(|| folder.install_packages()).transpose()?;
    let estate = Estate { config, _folder: folder, areas, listeners, app, packages };
    Supervisor::new(estate, addresses).run(signals)
}

/// Makes every area's socket.
fn listen_for_subscribers(config: &Config, folder: &Path) -> Result<Vec<(AreaPlace, OwnedFd)>> {
    let mut areas = Vec::new();
    for (id, (name, origin)) in config.areas().into_iter().enumerate() {
        let path = folder.join(format!("{id}-{name}"));
        let socket = eyelet_area::listen(&path, 0o600)?;
        areas.push((AreaPlace { id, name: name.to_owned(), path, origin }, socket));
    }
    Ok(areas)
}

struct Supervisor {
    estate: Estate,
    children: Vec<Child>,
    questions: Questions,
    loads: Loads,
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
    fn new(estate: Estate, addresses: Vec<SocketAddr>) -> Self {
        let config = &estate.config;
        let sources = config.sources.len();
        let captures = (0..sources).map(|area| Role::Capture { area });
        let encoders = (sources..sources + config.streams.len()).map(|area| Role::Encode { area });
        let keep = (!config.app_areas.is_empty()).then_some(Role::Keep);
        let mules = (0..config.mules.len()).map(|index| Role::Mule { index });
        let serves = (0..config.serve_processes).map(|index| Role::Serve { index });
        let app = config.app.as_ref().map(|_| Role::App);
        let children = captures
            .chain(encoders)
            .chain(keep)
            .chain(serves)
            .chain(app)
            .chain(mules)
            .map(|role| Child::new(role, config.restart))
            .collect();
        let announcement = Announcement::new(&estate, addresses);
        Self {
            estate,
            children,
            questions: Questions::default(),
            loads: Loads::default(),
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
            match spawn::spawn(child.role(), child.generation(), &self.estate) {
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
            .chain(self.stop.as_ref().map(|stop| stop.deadline))
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

    /// Has the app loaded again; its host lets what is under way end with the old one.
    fn reload(&self) {
        let app = self.children.iter().find(|child| child.role() == Role::App);
        match app.and_then(Child::pid) {
            Some(pid) => {
                log::info!("the app is loaded again");
                // The host alone: it tells its own children.
                rustix::process::kill_process(pid, Signal::HUP).ok();
            }
            None => log::info!("there is no app to load again, and no configuration file"),
        }
    }

    fn begin_stop(&mut self, result: Result<()>) {
        if self.stop.is_some() {
            return;
        }
        log::info!("stopping");
        self.announcement.cancel();
        // Half a second more than the children give their streams.
        let patience = self.estate.config.limits.stop_timeout + Duration::from_millis(500);
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
            FromChild::Hopeless(error) => self.begin_stop(Err(error)),
            FromChild::Report { ask, report } => self.questions.answered(ask, at, report),
            FromChild::Load(load) => {
                self.loads.says(at, load);
                self.tell_least_load();
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
        for child in self.children.iter().filter(|child| child.role().is_serve()) {
            child.send(&ToChild::LeastLoad(least));
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
        if !is_stopping {
            log::warn!("{} pid={pid} {how}; it is started again", child.role());
        }
        // What it left in its group (an app host's own children) ends with it.
        rustix::process::kill_process_group(pid, Signal::KILL).ok();
        child.ended(Instant::now(), how);
        let role = child.role();
        self.announcement.ended(role);
        if role.is_serve() {
            self.loads.ended(at);
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
