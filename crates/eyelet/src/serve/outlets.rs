//! The viewers of a feed, and how each is offered what is newest.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};

/// A viewer as the feed sees it: offered whatever is newest, it takes it if it can, and never makes others wait.
pub(crate) trait Outlet {
    /// Something is newest that was not before.
    fn offer(&self);
    /// When the frame was captured that it is in the middle of, of any feed.
    fn holds_since(&self) -> Option<eyelet_area::MonotonicNs>;
    /// Ends the viewer at once: what it holds is needed.
    fn give_up(&self);
}

/// The viewers of a feed, in the order in which they came; their keys grow.
#[derive(Default)]
pub(super) struct Outlets {
    by_key: RefCell<Vec<(u64, Weak<dyn Outlet>)>>,
    last_key: Cell<u64>,
}

/// How far somebody has come who goes through the viewers, while they come and leave.
#[derive(Debug, Default)]
pub(super) struct Place {
    index: usize,
    /// Key of the one before.
    key: u64,
}

impl Outlets {
    /// Counts the viewers.
    pub(super) fn len(&self) -> usize {
        self.by_key.borrow().len()
    }

    pub(super) fn insert(&self, outlet: Weak<dyn Outlet>) -> u64 {
        let key = self.last_key.get() + 1;
        self.last_key.set(key);
        self.by_key.borrow_mut().push((key, outlet));
        key
    }

    pub(super) fn remove(&self, key: u64) {
        let mut by_key = self.by_key.borrow_mut();
        if let Ok(index) = by_key.binary_search_by_key(&key, |(key, _)| *key) {
            by_key.remove(index);
        }
    }

    /// Gives each viewer once, those included that have come since the last call.
    pub(super) fn next(&self, place: &mut Place) -> Option<Weak<dyn Outlet>> {
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

    pub(super) fn all(&self) -> Vec<Rc<dyn Outlet>> {
        self.by_key.borrow().iter().filter_map(|(_, outlet)| outlet.upgrade()).collect()
    }
}

impl std::fmt::Debug for Outlets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Outlets").field("len", &self.by_key.borrow().len()).finish_non_exhaustive()
    }
}
