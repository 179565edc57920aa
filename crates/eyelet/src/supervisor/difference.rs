//! What leads from some named things to others.

use std::collections::BTreeMap;

/// Named things that went, came, or became something else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Difference<K, V> {
    pub(super) gone: Vec<K>,
    pub(super) new: Vec<(K, V)>,
    pub(super) changed: Vec<(K, V)>,
}

impl<K: Ord + Clone, V: PartialEq + Clone> Difference<K, V> {
    /// Compares what there is with what there shall be.
    pub(super) fn between(old: &BTreeMap<K, V>, new: &BTreeMap<K, V>) -> Self {
        let gone = old.keys().filter(|key| !new.contains_key(key)).cloned();
        let named = |is_it: fn(&BTreeMap<K, V>, &K, &V) -> bool| {
            let found = new.iter().filter(move |(key, value)| is_it(old, key, value));
            found.map(|(key, value)| (key.clone(), value.clone())).collect()
        };
        Self {
            gone: gone.collect(),
            new: named(|old, key, _| !old.contains_key(key)),
            changed: named(|old, key, value| old.get(key).is_some_and(|old| old != value)),
        }
    }

    /// Makes of what there is what there shall be.
    #[cfg(test)]
    pub(super) fn apply(&self, to: &mut BTreeMap<K, V>) {
        to.retain(|key, _| !self.gone.contains(key));
        to.extend(self.new.iter().chain(&self.changed).cloned());
    }
}
