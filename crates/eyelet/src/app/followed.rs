//! Areas that a request has to do with, and how far it has got in each.

use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::task::Poll;

use crate::serve::Watching;
use crate::serve::viewer::Pace;

/// An area that this request waits for, sends or reads.
pub(super) struct Followed {
    pub(super) watching: Watching,
    pub(super) pace: Pace,
}

/// Waits until something has changed in one of these areas since it was looked at.
pub(super) async fn changed(areas: &mut BTreeMap<usize, Followed>, ids: &[usize]) {
    if let [id] = ids {
        if let Some(followed) = areas.get_mut(id) {
            followed.watching.changed().await;
        }
        return;
    }
    let waited_for = areas.iter_mut().filter(|(id, _)| ids.contains(id));
    let mut changes: Vec<_> =
        waited_for.map(|(_, followed)| Box::pin(followed.watching.changed())).collect();
    poll_fn(|cx| {
        let is_one_ready = changes.iter_mut().any(|change| change.as_mut().poll(cx).is_ready());
        if is_one_ready { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}
