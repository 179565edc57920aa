//! The serve role's end of the control line.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use tokio::io::unix::AsyncFd;
use tokio::sync::oneshot;

use crate::config::Secret;
use crate::control::{AppReport, Control, FromChild, Report, ServeReport, Status, ToChild};
use crate::error::{Error, Result};
use crate::panel::{Done, Job};
use crate::role;
use crate::serve::Server;
use crate::serve::audience::News;
use crate::serve::load::Load;
use crate::serve::readiness::{self, Registered};

/// The supervisor answers within a quarter second; more means that it is very busy.
const PATIENCE: Duration = Duration::from_secs(2);

/// A USB camera that does not answer is given up by its driver after 5 s at the most.
const PANEL_PATIENCE: Duration = Duration::from_secs(6);

/// Questions of one kind whose answers are awaited, by their numbers.
#[derive(Debug)]
struct Asked<T>(RefCell<HashMap<u64, oneshot::Sender<T>>>);

impl<T> Default for Asked<T> {
    fn default() -> Self {
        Self(RefCell::default())
    }
}

impl<T> Asked<T> {
    /// Gives the answer to who asked, who may have left.
    fn answered(&self, ask: u64, answer: T) {
        if let Some(asker) = self.0.borrow_mut().remove(&ask) {
            asker.send(answer).ok();
        }
    }
}

/// The line to the supervisor.
#[derive(Debug)]
pub(super) struct Line {
    control: AsyncFd<Registered<Control>>,
    asked: Asked<Status>,
    asked_panels: Asked<Result<Done>>,
    asked_links: Asked<bool>,
    last: Cell<u64>,
}

impl Line {
    pub(super) fn new(control: Control) -> Result<Self> {
        let control = readiness::register(control)?;
        Ok(Self {
            control,
            asked: Asked::default(),
            asked_panels: Asked::default(),
            asked_links: Asked::default(),
            last: Cell::new(0),
        })
    }

    /// Asks how everybody is.
    pub(super) async fn status(&self) -> Option<Status> {
        self.ask(&self.asked, PATIENCE, |ask| FromChild::AskStatus { ask }).await
    }

    /// Tells how many clients watch here.
    pub(super) fn tell_watching(&self, watching: u64) {
        self.control.get_ref().0.send(&FromChild::Watching(watching));
    }

    /// Has something done with a camera's controls; none if it is not done in time, which it may be later.
    pub(super) async fn panel(&self, area: usize, job: Job) -> Option<Result<Done>> {
        let message = |ask| FromChild::AskPanel { ask, area, job };
        self.ask(&self.asked_panels, PANEL_PATIENCE, message).await
    }

    /// Asks whether somebody may come in by the link that was printed, who shows a key of this hash.
    pub(super) async fn redeem(&self, hash: Secret) -> bool {
        let message = |ask| FromChild::Redeem { ask, hash };
        self.ask(&self.asked_links, PATIENCE, message).await.unwrap_or(false)
    }

    /// Asks the supervisor something; none if it does not answer in time.
    async fn ask<T>(
        &self,
        asked: &Asked<T>,
        patience: Duration,
        message: impl FnOnce(u64) -> FromChild,
    ) -> Option<T> {
        let ask = self.last.get() + 1;
        self.last.set(ask);
        let (sender, answer) = oneshot::channel();
        asked.0.borrow_mut().insert(ask, sender);
        self.control.get_ref().0.send(&message(ask));
        let answer = tokio::time::timeout(patience, answer).await;
        asked.0.borrow_mut().remove(&ask);
        answer.ok()?.ok()
    }

    /// Tells how much this process has to do.
    pub(super) fn tell_load(&self, load: &Load) {
        if let Some(load) = load.to_tell() {
            self.control.get_ref().0.send(&FromChild::Load(load));
        }
    }

    /// Answers the supervisor until the line ends.
    pub(super) async fn serve(&self, server: &Rc<Server>) -> Result<()> {
        loop {
            let mut ready = self.control.readable().await.map_err(|e| failed(&e))?;
            let (message, sockets) = self.control.get_ref().0.try_receive_with_sockets()?;
            match message {
                Some(ToChild::Report { ask }) => {
                    let report = Report::Serve(report(server));
                    self.control.get_ref().0.send(&FromChild::Report { ask, report });
                }
                Some(ToChild::Status { ask, status }) => self.asked.answered(ask, *status),
                Some(ToChild::PanelAnswer { ask, outcome }) => {
                    self.asked_panels.answered(ask, outcome);
                }
                Some(ToChild::Redeemed { ask, is_right }) => {
                    self.asked_links.answered(ask, is_right);
                }
                Some(ToChild::LeastLoad(least)) => server.load.set_least(least),
                Some(ToChild::ControlsChanged { area, controls }) => {
                    let stream = u32::try_from(area).unwrap_or(u32::MAX);
                    server.audience.tell(News::Controls(stream, controls)).await;
                }
                Some(ToChild::Viewers(count)) => server.audience.tell(News::Viewers(count)).await,
                Some(ToChild::Renewed) => {
                    let renewed = role::renewed(sockets);
                    // What could not be taken over is said, and the rest goes on.
                    if let Err(e) = renewed.and_then(|(boot, sockets)| server.renew(boot, sockets))
                    {
                        log::error!("{e}");
                    }
                }
                // It is for a capture role.
                Some(ToChild::Panel { .. }) => {}
                None => ready.clear_ready(),
            }
        }
    }
}

fn report(server: &Server) -> ServeReport {
    let counters = &server.counters;
    ServeReport {
        connections: server.crowd.count(),
        viewers: server.feeds().iter().map(|feed| (feed.place().id, feed.watching())).collect(),
        frames_sent: counters.frames_sent.get(),
        bytes_sent: counters.bytes_sent.get(),
        frames_dropped: counters.frames_dropped.get(),
        given_up: server.held.given_up(),
        held_bytes: server.held.bytes(),
        refused: counters.refused.get(),
        closed: counters.closed.get(),
        app: server.app().map(|gate| AppReport {
            places: gate.places(),
            taken: gate.taken(),
            requests: counters.app_requests.get(),
            failures: counters.app_failures.get(),
        }),
    }
}

fn failed(e: &std::io::Error) -> Error {
    Error::failed(format!("failed to wait on the control line: {e}"))
}
