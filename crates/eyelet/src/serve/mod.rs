//! The serve role: HTTP, WebSocket and the built-in site, on one thread.
//!
//! A request is answered by hyper until something wants the socket itself: a stream, or the user's app. Then the socket
//! is taken over (`http`) and written by `sending` straight from the frame's own pages.

mod accept;
pub(crate) mod answer;
mod api;
mod areas;
mod clients;
mod control;
mod familiar;
mod held;
mod http;
mod hub;
pub(crate) mod inbox;
mod input;
pub(crate) mod link;
mod load;
mod multipart;
pub(crate) mod outstanding;
pub(crate) mod query;
mod readiness;
mod requests;
mod routes;
pub(crate) mod sending;
mod site;
mod snapshot;
pub(crate) mod streams;
mod takeover;
pub(crate) mod tcp;
mod trimming;
pub(crate) mod viewer;
pub(crate) mod websocket;
mod wrapping;

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::LocalSet;

use crate::app::Gate;
use crate::config::Limits;
use crate::error::{Error, Result};
use crate::role::{AreaPlace, Born};
use control::Line;
use held::Held;
pub(crate) use hub::{Feed, Joined, Newest, Outlet, Watching};

/// What all connections of a serve process share.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) limits: Limits,
    pub(crate) feeds: Vec<Rc<Feed>>,
    pub(crate) app: Option<Gate>,
    pub(crate) counters: Counters,
    load: load::Load,
    line: Line,
    /// Frames that slow viewers hold.
    held: Rc<Held>,
    /// Who is watching `/stream`.
    clients: clients::Clients,
    snapshots: snapshot::Maker,
    trimming: trimming::Trimming,
    /// Areas that clients may change.
    writable: Vec<String>,
    /// Becomes true when the process is to stop.
    stop: watch::Receiver<bool>,
}

/// Counted since the process started.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) connections: Cell<usize>,
    pub(crate) frames_sent: Cell<u64>,
    pub(crate) bytes_sent: Cell<u64>,
    pub(crate) frames_dropped: Cell<u64>,
    pub(crate) refused: Cell<u64>,
}

/// Adds to a counter.
pub(crate) fn count(counter: &Cell<u64>, more: u64) {
    counter.set(counter.get() + more);
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

    /// Finds an area by its id.
    pub(crate) fn feed(&self, id: u32) -> Option<&Rc<Feed>> {
        self.feeds.get(usize::try_from(id).ok()?)
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

async fn serve(born: Born) -> Result<()> {
    let Born { boot, control, sockets } = born;
    let (stop_sender, stop) = watch::channel(false);
    let held = Rc::new(Held::new(boot.config.limits.held_bytes));
    let feed = |area: AreaPlace| Rc::new(Feed::new(area, Rc::clone(&held)));
    let feeds = boot.areas.into_iter().map(feed);
    let app = boot
        .config
        .app
        .as_ref()
        .zip(boot.app_socket)
        .map(|(app, socket)| Gate::new(socket, app.places()));
    let server = Rc::new(Server {
        limits: boot.config.limits,
        feeds: feeds.collect(),
        app,
        counters: Counters::default(),
        load: load::Load::new(boot.config.serve_processes),
        line: Line::new(control)?,
        held: Rc::clone(&held),
        clients: clients::Clients::default(),
        snapshots: snapshot::Maker::default(),
        trimming: trimming::Trimming::default(),
        writable: boot.config.writable,
        stop,
    });
    for feed in &server.feeds {
        tokio::task::spawn_local(Rc::clone(feed).follow());
    }
    let mut terminated = terminate_signal()?;
    for socket in sockets {
        let listener = accept::listener(socket)?;
        tokio::task::spawn_local(accept::accept(Rc::clone(&server), listener));
    }
    server.line.tell_load(&server.load);
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
    let deadline = tokio::time::Instant::now() + server.limits.stop_timeout;
    while server.counters.connections.get() > 0 && tokio::time::Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
