//! The serve role's end of the control line.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::time::Duration;

use tokio::io::unix::AsyncFd;
use tokio::sync::oneshot;

use crate::control::{Control, FromChild, Report, ServeReport, Status, ToChild};
use crate::error::{Error, Result};
use crate::serve::Server;
use crate::serve::load::Load;
use crate::serve::readiness::{self, Registered};

/// The supervisor answers within a quarter second; more means that it is very busy.
const PATIENCE: Duration = Duration::from_secs(2);

/// The line to the supervisor.
#[derive(Debug)]
pub(super) struct Line {
    control: AsyncFd<Registered<Control>>,
    asked: RefCell<HashMap<u64, oneshot::Sender<Status>>>,
    last: Cell<u64>,
}

impl Line {
    pub(super) fn new(control: Control) -> Result<Self> {
        let control = readiness::register(control)?;
        Ok(Self { control, asked: RefCell::default(), last: Cell::new(0) })
    }

    /// Asks how everybody is.
    pub(super) async fn status(&self) -> Option<Status> {
        let ask = self.last.get() + 1;
        self.last.set(ask);
        let (sender, answer) = oneshot::channel();
        self.asked.borrow_mut().insert(ask, sender);
        self.control.get_ref().0.send(&FromChild::AskStatus { ask });
        let answer = tokio::time::timeout(PATIENCE, answer).await;
        self.asked.borrow_mut().remove(&ask);
        answer.ok()?.ok()
    }

    /// Tells how much this process has to do.
    pub(super) fn tell_load(&self, load: &Load) {
        if let Some(load) = load.to_tell() {
            self.control.get_ref().0.send(&FromChild::Load(load));
        }
    }

    /// Answers the supervisor until the line ends.
    pub(super) async fn serve(&self, server: &Server) -> Result<()> {
        loop {
            let mut ready = self.control.readable().await.map_err(|e| failed(&e))?;
            match self.control.get_ref().0.try_receive::<ToChild>()? {
                Some(ToChild::Report { ask }) => {
                    let report = Report::Serve(report(server));
                    self.control.get_ref().0.send(&FromChild::Report { ask, report });
                }
                Some(ToChild::Status { ask, status }) => {
                    if let Some(asker) = self.asked.borrow_mut().remove(&ask) {
                        // Whoever asked may have left.
                        asker.send(*status).ok();
                    }
                }
                Some(ToChild::LeastLoad(least)) => server.load.set_least(least),
                None => ready.clear_ready(),
            }
        }
    }
}

fn report(server: &Server) -> ServeReport {
    let counters = &server.counters;
    ServeReport {
        connections: counters.connections.get(),
        viewers: server.feeds.iter().map(|feed| (feed.place.id, feed.watching())).collect(),
        frames_sent: counters.frames_sent.get(),
        bytes_sent: counters.bytes_sent.get(),
        frames_dropped: counters.frames_dropped.get(),
        given_up: server.held.given_up(),
        held_bytes: server.held.bytes(),
        refused: counters.refused.get(),
    }
}

fn failed(e: &std::io::Error) -> Error {
    Error::failed(format!("failed to wait on the control line: {e}"))
}
