//! The serve role: HTTP, WebSocket and the built-in site, on one thread.
//!
//! A request is answered by hyper until something wants the socket itself: a stream, or the user's app. Then the socket
//! is taken over (`http`) and written by `sending` straight from the frame's own pages.

mod accept;
pub(crate) mod access;
pub(crate) mod answer;
mod api;
mod areas;
pub(crate) mod audience;
pub(crate) mod body;
mod clients;
mod control;
pub(crate) mod controls;
pub(crate) mod cors;
pub(crate) mod counters;
mod crowd;
pub(crate) mod encryption;
pub(crate) mod exchange;
mod familiar;
mod formats;
mod held;
mod http;
mod hub;
pub(crate) mod inbox;
pub(crate) mod input;
pub(crate) mod kernel;
pub(crate) mod link;
mod listener;
mod load;
mod metrics;
mod multipart;
mod outlets;
pub(crate) mod outstanding;
pub(crate) mod query;
mod readiness;
mod recent;
mod refusal;
mod renewal;
mod requests;
mod routes;
pub(crate) mod sending;
mod site;
mod snapshot;
pub(crate) mod socket;
pub(crate) mod streams;
mod takeover;
pub(crate) mod tcp;
mod trimming;
pub(crate) mod viewer;
pub(crate) mod websocket;
mod wrapping;

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::LocalSet;

use crate::app::Gate;
use crate::config::{Config, Limits};
use crate::error::{Error, Result};
use crate::role::{AreaPlace, Born};
use control::Line;
use counters::{Counters, count};
use held::Held;
pub(crate) use hub::{Feed, Joined, Newest, Watching};
pub(crate) use outlets::Outlet;
pub use routes::addresses;

/// What all connections of a serve process share.
#[derive(Debug)]
pub(crate) struct Server {
    /// What the run is told; a reload replaces it.
    config: RefCell<Rc<Config>>,
    /// Every area, by its id.
    feeds: RefCell<Rc<[Rc<Feed>]>>,
    /// How TCP connections are encrypted, where they are.
    encryption: RefCell<Option<Arc<rustls::ServerConfig>>>,
    /// The way into the app, where there is one.
    app: RefCell<Option<Rc<Gate>>>,
    listening: accept::Listening,
    /// Who may do what.
    guard: access::Guard,
    crowd: Rc<crowd::Crowd>,
    refusals: Rc<refusal::Refusals>,
    pub(crate) counters: Rc<Counters>,
    load: load::Load,
    line: Line,
    /// Frames that slow viewers hold.
    held: Rc<Held>,
    /// Who is watching `/stream`.
    clients: clients::Clients,
    pub(crate) audience: audience::Audience,
    snapshots: snapshot::Maker,
    trimming: trimming::Trimming,
    /// Becomes true when the process is to stop.
    stop: watch::Receiver<bool>,
}

impl Server {
    /// Waits until the process is to stop.
    pub(crate) async fn stopped(&self) {
        let mut stop = self.stop.clone();
        // An error means that the sender is gone, and that is the end as well.
        stop.wait_for(|stop| *stop).await.ok();
    }

    /// Counts a frame that is begun for a viewer, and those that it did not get before.
    pub(crate) fn count_frame(&self, bytes: u64, dropped: u64) {
        count(&self.counters.frames_dropped, dropped);
        count(&self.counters.frames_sent, 1);
        count(&self.counters.bytes_sent, bytes);
    }

    /// What the run is told now. Ask again after a wait: a reload may have replaced it.
    pub(crate) fn config(&self) -> Rc<Config> {
        Rc::clone(&self.config.borrow())
    }

    /// What one viewer and all of them may take now.
    pub(crate) fn limits(&self) -> Limits {
        self.config.borrow().limits
    }

    /// How new TCP connections are encrypted, where they are.
    fn encryption(&self) -> Option<Arc<rustls::ServerConfig>> {
        self.encryption.borrow().clone()
    }

    /// The way into the app, where there is one.
    pub(crate) fn app(&self) -> Option<Rc<Gate>> {
        self.app.borrow().clone()
    }

    /// The areas that there are now, in the order of their ids.
    pub(crate) fn feeds(&self) -> Rc<[Rc<Feed>]> {
        Rc::clone(&self.feeds.borrow())
    }

    /// Finds an area by its id.
    pub(crate) fn feed(&self, id: u32) -> Option<Rc<Feed>> {
        self.feed_of(usize::try_from(id).ok()?)
    }

    /// The same for an id of our own.
    pub(crate) fn feed_of(&self, id: usize) -> Option<Rc<Feed>> {
        self.feeds.borrow().iter().find(|feed| feed.place().id == id).cloned()
    }

    /// Finds an area by its name.
    pub(crate) fn feed_named(&self, name: &str) -> Option<Rc<Feed>> {
        self.feeds.borrow().iter().find(|feed| feed.place().name == name).cloned()
    }

    /// Begins to follow an area.
    fn begin_feed(&self, place: AreaPlace) -> Rc<Feed> {
        let feed = Rc::new(Feed::new(place, Rc::clone(&self.held)));
        tokio::task::spawn_local(Rc::clone(&feed).follow());
        feed
    }
}

/// Runs the role until the supervisor ends it.
///
/// # Errors
/// When the runtime, a listener or the control line fails: the supervisor starts the role again.
pub fn run(born: Born) -> Result<()> {
    let failed = |e: std::io::Error| Error::failed(format!("failed to start serving: {e}"));
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let tasks = LocalSet::new();
    let result = tasks.block_on(&runtime, serve(born));
    // A snapshot that is being made must not hold up the end.
    runtime.shutdown_timeout(Duration::from_millis(100));
    result
}

fn no_key() -> Error {
    Error::failed("the supervisor gave no key for sessions")
}

async fn serve(born: Born) -> Result<()> {
    let Born { boot, control, sockets } = born;
    let (stop_sender, stop) = watch::channel(false);
    let server = Rc::new(Server {
        config: RefCell::new(Rc::new(boot.config.clone())),
        feeds: RefCell::default(),
        encryption: RefCell::default(),
        app: RefCell::default(),
        listening: accept::Listening::default(),
        guard: access::Guard::new(boot.session_key.clone().ok_or_else(no_key)?),
        crowd: Rc::default(),
        refusals: Rc::default(),
        counters: Rc::default(),
        load: load::Load::default(),
        line: Line::new(control)?,
        held: Rc::default(),
        clients: clients::Clients::default(),
        audience: audience::Audience::default(),
        snapshots: snapshot::Maker::default(),
        trimming: trimming::Trimming::default(),
        stop,
    });
    let mut terminated = terminate_signal()?;
    server.renew(boot, sockets)?;
    tokio::task::spawn_local(audience::report(Rc::clone(&server)));
    tokio::select! {
        ended = server.line.serve(&server) => return ended,
        _ = terminated.recv() => {}
    }
    stop_sender.send_replace(true);
    drain(&server).await;
    Ok(())
}

fn terminate_signal() -> Result<tokio::signal::unix::Signal> {
    tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())
        .map_err(|e| Error::failed(format!("failed to hear signals: {e}")))
}

/// Waits until every connection has ended, or the time for that is over.
async fn drain(server: &Server) {
    let deadline = tokio::time::Instant::now() + server.limits().stop_timeout;
    while server.crowd.count() > 0 && tokio::time::Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
