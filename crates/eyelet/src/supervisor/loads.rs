//! The loads of the serve processes, and the smallest of them, which all are told.

use std::collections::BTreeMap;

/// What each living serve process has to do, by its place among the children.
#[derive(Debug, Default)]
pub(super) struct Loads {
    of: BTreeMap<usize, usize>,
    /// What they were told last; each begins with none at all.
    told: usize,
}

impl Loads {
    /// A process says its load.
    pub(super) fn says(&mut self, child: usize, load: usize) {
        self.of.insert(child, load);
    }

    /// A process has ended.
    pub(super) fn ended(&mut self, child: usize) {
        self.of.remove(&child);
    }

    /// Gives the smallest load if it is another than last time.
    pub(super) fn news(&mut self) -> Option<usize> {
        let least = self.of.values().copied().min()?;
        (std::mem::replace(&mut self.told, least) != least).then_some(least)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_of_the_living_is_told_when_it_changes() {
        let mut loads = Loads::default();
        assert_eq!(loads.news(), None);
        loads.says(1, 0);
        loads.says(2, 3);
        assert_eq!(loads.news(), None, "none at all is what they begin with");
        loads.says(1, 5);
        assert_eq!((loads.news(), loads.news()), (Some(3), None));
        loads.ended(2);
        assert_eq!(loads.news(), Some(5));
        loads.says(2, 0);
        assert_eq!(loads.news(), Some(0));
    }
}
