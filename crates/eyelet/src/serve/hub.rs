//! The areas inside a serve process: subscribed to while somebody watches, the newest frame of each for all viewers.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::Duration;

use eyelet_area::{Event, Format, Frame, State, Subscriber};
use tokio::sync::{Notify, watch};

use crate::error::{Error, Result};
use crate::role::AreaPlace;
use crate::serve::held::Held;
use crate::serve::readiness;
use crate::serve::requests::Requests;
use crate::serve::wrapping::{Envelope, Wrapping};

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
    /// What the owner says.
    pub(crate) state: State,
    /// Frames published while somebody watched, those included that this process was too late for.
    pub(crate) published: u64,
}

/// A viewer as the feed sees it: offered whatever is newest, it takes it if it can, and never makes others wait.
pub(crate) trait Outlet {
    /// Something is newest that was not before.
    fn offer(&self);
    /// When the frame was captured that it is in the middle of, of any feed.
    fn holds_since(&self) -> Option<eyelet_area::MonotonicNs>;
    /// Ends the viewer at once: what it holds is needed.
    fn give_up(&self);
}

/// One area as this process follows it.
#[derive(Debug)]
pub(crate) struct Feed {
    pub(crate) place: AreaPlace,
    newest: watch::Sender<Newest>,
    watching: Cell<usize>,
    demand_changed: Notify,
    outlets: Outlets,
    held: Rc<Held>,
    wrapping: RefCell<Wrapping>,
    shape: Cell<Option<(Format, Duration)>>,
    requests: Requests,
}

/// The viewers of a feed, in the order in which they came; their keys grow.
#[derive(Default)]
struct Outlets {
    by_key: RefCell<Vec<(u64, Weak<dyn Outlet>)>>,
    last_key: Cell<u64>,
}

/// Somebody who wants frames; dropping it ends the demand.
#[derive(Debug)]
struct Demand(Rc<Feed>);

/// Somebody who waits for frames.
#[derive(Debug)]
pub(crate) struct Watching {
    demand: Demand,
    newest: watch::Receiver<Newest>,
}

/// A viewer's place in a feed: it is offered what is newest until this is dropped.
#[derive(Debug)]
pub(crate) struct Joined {
    demand: Demand,
    key: u64,
}

impl Feed {
    pub(crate) fn new(place: AreaPlace, held: Rc<Held>) -> Self {
        let requests = Requests::new(place.path.clone());
        Self {
            place,
            newest: watch::Sender::new(Newest::default()),
            watching: Cell::new(0),
            demand_changed: Notify::new(),
            outlets: Outlets::default(),
            held,
            wrapping: RefCell::default(),
            shape: Cell::new(None),
            requests,
        }
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
        u32::try_from(self.place.id).unwrap_or(u32::MAX)
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

    /// Shape of the last frame that this process saw, and the time from frame to frame.
    pub(crate) fn shape(&self) -> Option<(Format, Duration)> {
        self.shape.get()
    }

    /// Stays subscribed for ever.
    pub(super) async fn follow(self: Rc<Self>) {
        loop {
            if let Err(e) = self.subscribe().await {
                log::warn!("area={} {e}", self.place.name);
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
                self.wrapping.take();
                return Ok(());
            }
            tokio::select! {
                ready = subscriber.readable_mut() => {
                    let mut ready = ready.map_err(|e| Error::failed(format!("failed to wait for frames: {e}")))?;
                    match ready.get_inner_mut().0.try_receive()? {
                        Some(Event::Frame { frame, missed }) => {
                            has_credit = false;
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

    async fn take(&self, frame: Frame, missed: u64) {
        let frame = Arc::new(frame);
        self.shape.set(Some((frame.info().format, frame.info().interval)));
        self.held.add(&frame);
        self.newest.send_modify(|newest| {
            newest.frame = Some(Arc::clone(&frame));
            newest.published += 1 + missed;
        });
        self.fan_out().await;
        self.keep_within_budget(&frame);
    }

    async fn set_state(&self, state: State) {
        let has_changed = self.newest.send_if_modified(|newest| {
            if newest.state == state {
                return false;
            }
            if !state.is_live() {
                newest.frame = None;
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

/// How far somebody has come who goes through the viewers, while they come and leave.
#[derive(Debug, Default)]
struct Place {
    index: usize,
    /// Key of the one before.
    key: u64,
}

impl Outlets {
    fn insert(&self, outlet: Weak<dyn Outlet>) -> u64 {
        let key = self.last_key.get() + 1;
        self.last_key.set(key);
        self.by_key.borrow_mut().push((key, outlet));
        key
    }

    fn remove(&self, key: u64) {
        let mut by_key = self.by_key.borrow_mut();
        if let Ok(index) = by_key.binary_search_by_key(&key, |(key, _)| *key) {
            by_key.remove(index);
        }
    }

    /// Gives each viewer once, those included that have come since the last call.
    fn next(&self, place: &mut Place) -> Option<Weak<dyn Outlet>> {
        let by_key = self.by_key.borrow();
        let is_moved =
            place.index > 0 && by_key.get(place.index - 1).is_none_or(|(key, _)| *key != place.key);
        if is_moved {
            place.index = by_key.partition_point(|(key, _)| *key <= place.key);
        }
        let (key, outlet) = by_key.get(place.index)?;
        *place = Place { index: place.index + 1, key: *key };
        Some(Weak::clone(outlet))
    }

    fn all(&self) -> Vec<Rc<dyn Outlet>> {
        self.by_key.borrow().iter().filter_map(|(_, outlet)| outlet.upgrade()).collect()
    }
}

impl std::fmt::Debug for Outlets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Outlets").field("len", &self.by_key.borrow().len()).finish_non_exhaustive()
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
        self.first_that(patience, |_| true).await
    }

    /// Waits for the first frame that will do, or for the reason why there is none, at most so long.
    pub(crate) async fn first_that(
        &mut self,
        patience: Duration,
        will_do: impl Fn(&Frame) -> bool,
    ) -> Newest {
        let settled = |newest: &Newest| match &newest.frame {
            Some(frame) => will_do(frame),
            None => !newest.state.why().is_empty(),
        };
        tokio::time::timeout(patience, self.newest.wait_for(settled)).await.ok();
        let newest = self.newest();
        // Time is over: one that will not do is none.
        Newest { frame: newest.frame.filter(|frame| will_do(frame)), ..newest }
    }

    /// The area that is watched.
    pub(crate) fn feed(&self) -> &Rc<Feed> {
        &self.demand.0
    }
}

impl Joined {
    /// Looks at the newest.
    pub(crate) fn newest(&self) -> watch::Ref<'_, Newest> {
        self.demand.0.newest.borrow()
    }

    /// Gives the frame with all that goes around it in an envelope, made once for all viewers, where that is cheaper
    /// than to send the parts.
    pub(crate) fn wrapped(&self, frame: &Arc<Frame>, envelope: Envelope) -> Option<Arc<Frame>> {
        let feed = &self.demand.0;
        let viewers = feed.outlets.by_key.borrow().len();
        feed.wrapping.borrow_mut().get(frame, envelope, viewers, |wrapped| feed.held.add(wrapped))
    }
}

impl Drop for Joined {
    fn drop(&mut self) {
        self.demand.0.outlets.remove(self.key);
    }
}

impl Demand {
    fn new(feed: &Rc<Feed>) -> Self {
        feed.watching.set(feed.watching.get() + 1);
        feed.demand_changed.notify_one();
        Self(Rc::clone(feed))
    }
}

impl Drop for Demand {
    fn drop(&mut self) {
        self.0.watching.set(self.0.watching.get().saturating_sub(1));
        self.0.demand_changed.notify_one();
    }
}
