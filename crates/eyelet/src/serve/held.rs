//! The frames that a serve process holds because somebody is slow, and how much that may be.

use std::cell::{Cell, RefCell};
use std::sync::{Arc, Weak};

use eyelet_area::Frame;

/// Frames that somebody may still hold.
#[derive(Debug, Default)]
pub(crate) struct Held {
    budget: Cell<u64>,
    frames: RefCell<Vec<Weak<Frame>>>,
    given_up: Cell<u64>,
}

impl Held {
    /// Lets slow viewers hold so many bytes.
    pub(crate) fn set_budget(&self, budget: u64) {
        self.budget.set(budget);
    }

    /// Counts a frame until nobody holds it any more.
    pub(crate) fn add(&self, frame: &Arc<Frame>) {
        let mut frames = self.frames.borrow_mut();
        frames.retain(|frame| frame.strong_count() > 0);
        frames.push(Arc::downgrade(frame));
    }

    /// Tells whether the frames that are held, but for the newest, are more than the budget.
    pub(crate) fn exceeds_budget(&self, newest: &Arc<Frame>) -> bool {
        self.bytes().saturating_sub(newest.info().len) > self.budget.get()
    }

    /// Adds up what is held, the newest of each feed included.
    pub(crate) fn bytes(&self) -> u64 {
        let frames = self.frames.borrow();
        frames.iter().filter_map(Weak::upgrade).map(|frame| frame.info().len).sum()
    }

    /// Counts a viewer that was given up for it.
    pub(crate) fn count_given_up(&self) {
        self.given_up.set(self.given_up.get() + 1);
    }

    /// Viewers that were given up so far.
    pub(crate) fn given_up(&self) -> u64 {
        self.given_up.get()
    }
}

#[cfg(test)]
mod tests {
    use eyelet_area::{Format, FrameBuilder, MonotonicNs};

    use super::*;

    fn frame(len: usize) -> Arc<Frame> {
        let mut builder = FrameBuilder::new().unwrap();
        builder.write(&vec![0; len]).unwrap();
        Arc::new(builder.seal(Format::default(), MonotonicNs(1)).unwrap())
    }

    #[test]
    fn only_what_somebody_holds_counts() {
        let held = Held::default();
        held.set_budget(1000);
        let (slow, newest) = (frame(900), frame(300));
        held.add(&slow);
        held.add(&frame(5000));
        held.add(&newest);
        assert_eq!(held.bytes(), 1200);
        assert!(!held.exceeds_budget(&newest));
        let slower = frame(101);
        held.add(&slower);
        assert!(held.exceeds_budget(&newest));
        drop(slow);
        assert!(!held.exceeds_budget(&newest));
    }
}
