//! The areas inside a serve process: subscribed to while somebody watches, the newest frame of each for all viewers.

mod watching;

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::Duration;

use eyelet_area::{Event, Format, FourCc, Frame, MAX_CREDIT, State, Subscriber};
use tokio::sync::{Notify, watch};

use crate::config::stream::Kind;
use crate::error::{Error, Result};
use crate::role::AreaPlace;
use crate::serve::held::Held;
use crate::serve::outlets::{Outlet, Outlets, Place};
use crate::serve::readiness;
use crate::serve::recent::Recent;
use crate::serve::requests::Requests;
use crate::serve::wrapping::Wrapping;
use watching::Demand;
pub(crate) use watching::{Joined, Watching};

/// Pause before an area is connected to again after an error.
const PAUSE_AFTER_ERROR: Duration = Duration::from_millis(100);
/// The same after its owner has gone: an owner that sends everybody away must not be asked without end.
const PAUSE_AFTER_END: Duration = Duration::from_millis(10);

/// Viewers that are sent a frame before others have their turn: two milliseconds or so. Each such pause lets the readers
/// of one machine fall asleep, and waking them is the sender's work.
const BATCH: usize = 256;

/// What is newest in an area.
#[derive(Clone, Debug, Default)]
pub(crate) struct Newest {
    /// The newest frame; none while there is no signal, or nobody watches.
    pub(crate) frame: Option<Arc<Frame>>,
    /// The last frames, where they need those before them.
    pub(crate) recent: Recent,
    /// What the owner says.
    pub(crate) state: State,
    /// Frames published while somebody watched, those included that this process was too late for.
    pub(crate) published: u64,
}

impl Newest {
    /// The newest frame that needs none before.
    pub(crate) fn alone(&self) -> Option<&Arc<Frame>> {
        let frame = self.frame.as_ref()?;
        if frame.info().format.fourcc.is_predicted() {
            return self.recent.newest_key();
        }
        Some(frame)
    }
}

/// One area as this process follows it.
#[derive(Debug)]
pub(crate) struct Feed {
    /// What it is; a reload may change what is made in it, and of what.
    place: RefCell<Rc<AreaPlace>>,
    /// A reload has taken it away.
    is_gone: Cell<bool>,
    newest: watch::Sender<Newest>,
    watching: Cell<usize>,
    demand_changed: Notify,
    outlets: Outlets,
    held: Rc<Held>,
    wrapping: RefCell<Wrapping>,
    shape: Cell<Option<(Format, Duration)>>,
    requests: Requests,
    /// Somebody has no use for frames before the next key frame.
    wants_key: Cell<bool>,
}

impl Feed {
    pub(crate) fn new(place: AreaPlace, held: Rc<Held>) -> Self {
        let requests = Requests::new(place.path.clone());
        Self {
            place: RefCell::new(Rc::new(place)),
            is_gone: Cell::new(false),
            newest: watch::Sender::new(Newest::default()),
            watching: Cell::new(0),
            demand_changed: Notify::new(),
            outlets: Outlets::default(),
            held,
            wrapping: RefCell::default(),
            shape: Cell::new(None),
            requests,
            wants_key: Cell::new(false),
        }
    }

    /// What the area is.
    pub(crate) fn place(&self) -> Rc<AreaPlace> {
        Rc::clone(&self.place.borrow())
    }

    /// Another thing is made in the area from now on.
    pub(super) fn renew(&self, place: AreaPlace) {
        if *self.place() != place {
            self.place.replace(Rc::new(place));
        }
    }

    /// The area is there no more: tells those who watch, and follows it no longer.
    pub(super) async fn end(self: Rc<Self>) {
        self.lose("a new configuration has taken this stream away").await;
        self.is_gone.set(true);
        self.demand_changed.notify_one();
        self.fan_out().await;
    }

    /// Begins to watch: from the first watcher on frames come, the newest at once.
    pub(crate) fn watch(self: &Rc<Self>) -> Watching {
        Watching { demand: Demand::new(self), newest: self.newest.subscribe() }
    }

    /// Lets a viewer in: from now on it is offered what is newest.
    pub(crate) fn join(self: &Rc<Self>, outlet: Weak<dyn Outlet>) -> Joined {
        Joined { demand: Demand::new(self), key: self.outlets.insert(outlet) }
    }

    /// The area's id, as clients call it.
    pub(crate) fn id(&self) -> u32 {
        u32::try_from(self.place().id).unwrap_or(u32::MAX)
    }

    /// The way to ask its owner for a change.
    pub(crate) fn requests(&self) -> &Requests {
        &self.requests
    }

    /// Looks at the newest, without watching.
    pub(crate) fn newest(&self) -> Newest {
        self.newest.borrow().clone()
    }

    /// Counts those who watch.
    pub(crate) fn watching(&self) -> usize {
        self.watching.get()
    }

    /// Asks for a key frame, with the next credit.
    pub(crate) fn want_key(&self) {
        self.wants_key.set(true);
    }

    /// Tells whether its frames need those before them, as far as that is known.
    fn is_predicted(&self) -> bool {
        let made = self.place().kind().map(Kind::fourcc);
        made.or(self.shape().map(|(format, _)| format.fourcc)).is_some_and(FourCc::is_predicted)
    }

    /// Shape of the last frame that this process saw, and the time from frame to frame.
    pub(crate) fn shape(&self) -> Option<(Format, Duration)> {
        self.shape.get()
    }

    /// Stays subscribed as long as the area is there.
    pub(super) async fn follow(self: Rc<Self>) {
        while !self.is_gone.get() {
            if let Err(e) = self.subscribe().await {
                log::warn!("area={} {e}", self.place().name);
                self.lose(&e.to_string()).await;
                tokio::time::sleep(PAUSE_AFTER_ERROR).await;
            }
        }
    }

    /// One subscription: until the owner goes, or the last watcher.
    ///
    /// Leaving after the last watcher gives the credit back that is still out, and the next subscription gets the
    /// newest frame at once instead of the one after it.
    async fn subscribe(&self) -> Result<()> {
        let subscriber = Subscriber::connect(&self.place().path)?;
        let mut subscriber = readiness::register(subscriber)?;
        let mut granted = 0;
        loop {
            if self.is_gone.get() {
                return Ok(());
            } else if self.watching() > 0 {
                granted = self.grant(&mut subscriber.get_mut().0, granted)?;
            } else if granted > 0 || self.newest.borrow().frame.is_some() {
                // Also one that came as the last watcher left: it must not wait for the next, and grow old.
                self.newest.send_if_modified(|newest| {
                    newest.recent.clear();
                    newest.frame.take().is_some()
                });
                self.wrapping.take();
                return Ok(());
            }
            tokio::select! {
                ready = subscriber.readable_mut() => {
                    let mut ready = ready.map_err(|e| Error::failed(format!("failed to wait for frames: {e}")))?;
                    match ready.get_inner_mut().0.try_receive()? {
                        Some(Event::Frame { frame, missed }) => {
                            granted -= 1;
                            self.take(frame, missed).await;
                        }
                        Some(Event::State(state)) => self.set_state(state).await,
                        // Nothing was asked here.
                        Some(Event::Answer(_)) => {}
                        Some(Event::Closed) => {
                            self.lose("the process that makes this stream is starting again").await;
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

    /// Grants what is missing up to the window, and gives how much is granted then.
    ///
    /// Where frames need those before them one more is let come, so that none is missed while the one before is sent.
    fn grant(&self, subscriber: &mut Subscriber, granted: u32) -> Result<u32> {
        let window = if self.is_predicted() { MAX_CREDIT } else { 1 };
        let missing = window.saturating_sub(granted);
        if missing > 0 && self.wants_key.take() {
            subscriber.grant_wanting_key(missing)?;
        } else if missing > 0 {
            subscriber.grant(missing)?;
        }
        Ok(granted.max(window))
    }

    async fn take(&self, frame: Frame, missed: u64) {
        let frame = Arc::new(frame);
        if frame.info().flags.is_key {
            self.wants_key.set(false);
        }
        self.shape.set(Some((frame.info().format, frame.info().interval)));
        self.held.add(&frame);
        self.newest.send_modify(|newest| {
            newest.recent.push(&frame);
            newest.frame = Some(Arc::clone(&frame));
            newest.published += 1 + missed;
        });
        self.fan_out().await;
        self.keep_within_budget(&frame);
    }

    async fn set_state(&self, state: State) {
        if self.is_gone.get() {
            // Nothing comes after that.
            return;
        }
        let has_changed = self.newest.send_if_modified(|newest| {
            if newest.state == state {
                return false;
            }
            if !state.is_live() {
                newest.frame = None;
                newest.recent.clear();
            }
            newest.state = state;
            true
        });
        if has_changed {
            self.fan_out().await;
        }
    }

    async fn lose(&self, why: &str) {
        self.set_state(State::NoSignal { why: why.to_owned() }).await;
    }

    /// Offers what is newest to every viewer.
    ///
    /// The viewers send by themselves, here and now: waking a task for each would cost more than a small frame. What is
    /// newest is asked by each viewer when it is its turn.
    async fn fan_out(&self) {
        let mut place = Place::default();
        for offers in 1.. {
            let Some(outlet) = self.outlets.next(&mut place) else { return };
            if let Some(outlet) = outlet.upgrade() {
                outlet.offer();
            }
            if offers % BATCH == 0 {
                tokio::task::yield_now().await;
            }
        }
    }

    /// Gives up the viewers that are furthest behind until the frames that slow viewers hold fit their budget.
    fn keep_within_budget(&self, newest: &Arc<Frame>) {
        while self.held.exceeds_budget(newest) {
            let outlets = self.outlets.all();
            let oldest = outlets.iter().filter_map(|outlet| Some((outlet.holds_since()?, outlet)));
            let newest_captured = newest.info().captured_at;
            let oldest = oldest
                .filter(|(since, _)| *since < newest_captured)
                .min_by_key(|(since, _)| *since);
            // The others belong to another feed, which looks for itself.
            let Some((_, outlet)) = oldest else { return };
            outlet.give_up();
            self.held.count_given_up();
        }
    }
}
