//! The areas inside a serve process: subscribed to while somebody watches, the newest frame of each for all viewers.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use eyelet_area::{Event, Frame, State, Subscriber};
use tokio::sync::{Notify, watch};

use crate::error::{Error, Result};
use crate::role::AreaPlace;
use crate::serve::readiness;

/// Pause before an area is connected to again after an error.
const PAUSE_AFTER_ERROR: Duration = Duration::from_millis(100);
/// The same after its owner has gone: an owner that sends everybody away must not be asked without end.
const PAUSE_AFTER_END: Duration = Duration::from_millis(10);

/// What is newest in an area.
#[derive(Clone, Debug, Default)]
pub(crate) struct Newest {
    /// The newest frame; none while there is no signal, or nobody watches.
    pub(crate) frame: Option<Arc<Frame>>,
    /// What the owner says.
    pub(crate) state: State,
    /// Frames published while somebody watched, those included that this process was too late for.
    pub(crate) published: u64,
}

/// One area as this process follows it.
#[derive(Debug)]
pub(crate) struct Feed {
    pub(crate) place: AreaPlace,
    newest: watch::Sender<Newest>,
    watching: Cell<usize>,
    demand_changed: Notify,
}

/// Somebody who wants frames; dropping it ends the demand.
#[derive(Debug)]
pub(crate) struct Watching {
    feed: Rc<Feed>,
    newest: watch::Receiver<Newest>,
}

impl Feed {
    pub(crate) fn new(place: AreaPlace) -> Self {
        let newest = watch::Sender::new(Newest::default());
        Self { place, newest, watching: Cell::new(0), demand_changed: Notify::new() }
    }

    /// Begins to watch: from the first watcher on frames come, the newest at once.
    pub(crate) fn watch(self: &Rc<Self>) -> Watching {
        self.watching.set(self.watching.get() + 1);
        self.demand_changed.notify_one();
        Watching { feed: Rc::clone(self), newest: self.newest.subscribe() }
    }

    /// Counts those who watch.
    pub(crate) fn watching(&self) -> usize {
        self.watching.get()
    }

    /// Stays subscribed for ever.
    pub(super) async fn follow(self: Rc<Self>) {
        loop {
            if let Err(e) = self.subscribe().await {
                log::warn!("area={} {e}", self.place.name);
                self.lose(&e.to_string());
                tokio::time::sleep(PAUSE_AFTER_ERROR).await;
            }
        }
    }

    /// One subscription: until the owner goes, or the last watcher.
    ///
    /// Leaving after the last watcher gives the credit back that is still out, and the next subscription gets the
    /// newest frame at once instead of the one after it.
    async fn subscribe(&self) -> Result<()> {
        let subscriber = Subscriber::connect(&self.place.path)?;
        let mut subscriber = readiness::register(subscriber)?;
        let mut has_credit = false;
        loop {
            if self.watching() > 0 && !has_credit {
                subscriber.get_mut().0.grant(1)?;
                has_credit = true;
            } else if self.watching() == 0 && (has_credit || self.newest.borrow().frame.is_some()) {
                // Also one that came as the last watcher left: it must not wait for the next, and grow old.
                self.newest.send_if_modified(|newest| newest.frame.take().is_some());
                return Ok(());
            }
            tokio::select! {
                ready = subscriber.readable_mut() => {
                    let mut ready = ready.map_err(|e| Error::failed(format!("failed to wait for frames: {e}")))?;
                    match ready.get_inner_mut().0.try_receive()? {
                        Some(Event::Frame { frame, missed }) => {
                            has_credit = false;
                            self.take(frame, missed);
                        }
                        Some(Event::State(state)) => self.set_state(state),
                        Some(Event::Closed) => {
                            self.lose("the capture process is starting again");
                            tokio::time::sleep(PAUSE_AFTER_END).await;
                            return Ok(());
                        }
                        None => ready.clear_ready(),
                    }
                }
                () = self.demand_changed.notified() => {}
            }
        }
    }

    fn take(&self, frame: Frame, missed: u64) {
        self.newest.send_modify(|newest| {
            newest.frame = Some(Arc::new(frame));
            newest.published += 1 + missed;
        });
    }

    fn set_state(&self, state: State) {
        self.newest.send_if_modified(|newest| {
            if newest.state == state {
                return false;
            }
            if !state.is_live() {
                newest.frame = None;
            }
            newest.state = state;
            true
        });
    }

    fn lose(&self, why: &str) {
        self.set_state(State::NoSignal { why: why.to_owned() });
    }
}

impl Watching {
    /// Looks at the newest.
    pub(crate) fn newest(&self) -> Newest {
        self.newest.borrow().clone()
    }

    /// Waits until something has changed since the last [`newest_seen`](Self::newest_seen).
    pub(crate) async fn changed(&mut self) {
        if self.newest.changed().await.is_err() {
            // The feed lives as long as the process.
            std::future::pending::<()>().await;
        }
    }

    /// Looks at the newest and remembers that it was seen.
    pub(crate) fn newest_seen(&mut self) -> Newest {
        self.newest.borrow_and_update().clone()
    }

    /// Waits for the first frame, or for the reason why there is none, at most so long.
    pub(crate) async fn first(&mut self, patience: Duration) -> Newest {
        let settled = |newest: &Newest| newest.frame.is_some() || !newest.state.why().is_empty();
        tokio::time::timeout(patience, self.newest.wait_for(settled)).await.ok();
        self.newest()
    }

    /// The area that is watched.
    pub(crate) fn place(&self) -> &AreaPlace {
        &self.feed.place
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.feed.watching.set(self.feed.watching.get().saturating_sub(1));
        self.feed.demand_changed.notify_one();
    }
}
