//! Who watches, and who of them is told what changes beside the pictures: controls, and how many watch.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use std::time::Duration;

use eyelet_wire::v1::ControlInfo;
use tokio::sync::Notify;

use crate::serve::Server;

/// Clients that are told something in a row before others get their turn; see `hub`.
const BATCH: usize = 256;

/// The supervisor hears of viewers that come and go no more often, however many do.
const PAUSE: Duration = Duration::from_millis(250);

/// Something that changed.
#[derive(Clone, Debug)]
pub(crate) enum News {
    /// Controls of a camera, by the id of its stream.
    Controls(u32, Vec<ControlInfo>),
    /// Clients that watch, of the whole program.
    Viewers(u64),
}

/// A client that is told what changed. It takes it if it can, and never makes others wait.
pub(crate) trait Hearer {
    /// Something has changed.
    fn tell(&self, news: &News);
}

/// The clients of this process.
#[derive(Default)]
pub(crate) struct Audience {
    hearers: RefCell<Vec<Weak<dyn Hearer>>>,
    /// Clients that watch here.
    watching: Cell<u64>,
    watching_changed: Notify,
    /// Those of the whole program, as the supervisor told last.
    viewers: Cell<u64>,
}

/// A client that watches; counted until this is dropped.
pub(crate) struct Presence(Rc<Server>);

impl Audience {
    /// From now on a client is told what changes; first how many watch, once that is known.
    pub(crate) fn join(&self, hearer: Weak<dyn Hearer>) {
        if let Some(hearer) = hearer.upgrade()
            && self.viewers.get() > 0
        {
            hearer.tell(&News::Viewers(self.viewers.get()));
        }
        self.hearers.borrow_mut().push(hearer);
    }

    /// Tells everybody.
    pub(crate) async fn tell(&self, news: News) {
        if let News::Viewers(count) = news {
            self.viewers.set(count);
        }
        self.hearers.borrow_mut().retain(|hearer| hearer.strong_count() > 0);
        let hearers = self.hearers.borrow().clone();
        for batch in hearers.chunks(BATCH) {
            batch.iter().filter_map(Weak::upgrade).for_each(|hearer| hearer.tell(&news));
            tokio::task::yield_now().await;
        }
    }

    fn change(&self, to: impl Fn(u64) -> u64) {
        self.watching.set(to(self.watching.get()));
        self.watching_changed.notify_one();
    }
}

impl std::fmt::Debug for Audience {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Audience").field("watching", &self.watching).finish_non_exhaustive()
    }
}

impl Presence {
    pub(crate) fn new(server: &Rc<Server>) -> Self {
        server.audience.change(|watching| watching + 1);
        Self(Rc::clone(server))
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        self.0.audience.change(|watching| watching.saturating_sub(1));
    }
}

/// Tells the supervisor how many clients watch here, now and whenever that changes.
pub(super) async fn report(server: Rc<Server>) {
    let audience = &server.audience;
    loop {
        server.line.tell_watching(audience.watching.get());
        tokio::time::sleep(PAUSE).await;
        audience.watching_changed.notified().await;
    }
}
