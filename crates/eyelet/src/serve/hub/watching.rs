//! Those who want an area's frames: one at a time when they come for it, or as they are offered.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use eyelet_area::Frame;
use tokio::sync::watch;

use super::{Feed, Newest};
use crate::serve::wrapping::Envelope;

/// Somebody who wants frames; dropping it ends the demand.
#[derive(Debug)]
pub(super) struct Demand(Rc<Feed>);

/// Somebody who waits for frames.
#[derive(Debug)]
pub(crate) struct Watching {
    pub(super) demand: Demand,
    pub(super) newest: watch::Receiver<Newest>,
}

/// A viewer's place in a feed: it is offered what is newest until this is dropped.
#[derive(Debug)]
pub(crate) struct Joined {
    pub(super) demand: Demand,
    pub(super) key: u64,
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
        self.first_that(patience, |newest| newest.frame.clone()).await
    }

    /// Waits for the first frame that is picked, or for the reason why there is none, at most so long.
    pub(crate) async fn first_that(
        &mut self,
        patience: Duration,
        pick: impl Fn(&Newest) -> Option<Arc<Frame>>,
    ) -> Newest {
        let settled = |newest: &Newest| {
            pick(newest).is_some() || (newest.frame.is_none() && !newest.state.why().is_empty())
        };
        tokio::time::timeout(patience, self.newest.wait_for(settled)).await.ok();
        let newest = self.newest();
        // Time is over: one that will not do is none.
        Newest { frame: pick(&newest), ..newest }
    }

    /// The area that is watched.
    pub(crate) fn feed(&self) -> &Rc<Feed> {
        &self.demand.0
    }
}

impl Joined {
    /// Asks for a key frame.
    pub(crate) fn want_key(&self) {
        self.demand.0.want_key();
    }

    /// Tells whether a reload has taken the area away: nothing comes any more.
    pub(crate) fn is_gone(&self) -> bool {
        self.demand.0.is_gone.get()
    }

    /// Looks at the newest.
    pub(crate) fn newest(&self) -> watch::Ref<'_, Newest> {
        self.demand.0.newest.borrow()
    }

    /// Gives the newest frame with all that goes around it in an envelope, made once for all viewers, where that is cheaper
    /// than to send the parts.
    pub(crate) fn wrapped(&self, frame: &Arc<Frame>, envelope: Envelope) -> Option<Arc<Frame>> {
        let feed = &self.demand.0;
        let viewers = feed.outlets.len();
        feed.wrapping.borrow_mut().get(frame, envelope, viewers, |wrapped| feed.held.add(wrapped))
    }
}

impl Drop for Joined {
    fn drop(&mut self) {
        self.demand.0.outlets.remove(self.key);
    }
}

impl Demand {
    pub(super) fn new(feed: &Rc<Feed>) -> Self {
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
