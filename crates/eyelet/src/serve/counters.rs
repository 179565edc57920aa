//! What a serve process counts, from its start on.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use hyper::StatusCode;

/// Counted since the process started.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) frames_sent: Cell<u64>,
    pub(crate) bytes_sent: Cell<u64>,
    pub(crate) frames_dropped: Cell<u64>,
    /// Requests that the app got.
    pub(crate) app_requests: Cell<u64>,
    /// Requests that were refused, by the status of the answer.
    pub(crate) refused: Tally,
    /// Requests that the app failed in, by the status of the answer.
    pub(crate) app_failures: Tally,
    /// WebSockets that were closed for what the client did, by the code of the close frame.
    pub(crate) closed: Tally,
}

/// Adds to a counter.
pub(crate) fn count(counter: &Cell<u64>, more: u64) {
    counter.set(counter.get() + more);
}

/// A counter for each code.
#[derive(Debug, Default)]
pub(crate) struct Tally(RefCell<BTreeMap<u16, u64>>);

impl Tally {
    /// Counts one of this code.
    pub(crate) fn count(&self, code: impl Into<u16>) {
        *self.0.borrow_mut().entry(code.into()).or_default() += 1;
    }

    /// Gives what was counted.
    pub(crate) fn get(&self) -> BTreeMap<u16, u64> {
        self.0.borrow().clone()
    }
}

impl Counters {
    /// Counts what hyper has refused before anybody here saw it: a head that makes no sense, is too long, or never came.
    pub(crate) fn refused_by_hyper(&self, error: &hyper::Error) {
        let status = if error.is_parse_too_large() {
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE
        } else if error.is_parse() {
            StatusCode::BAD_REQUEST
        } else if error.is_timeout() {
            StatusCode::REQUEST_TIMEOUT
        } else {
            return;
        };
        self.refused.count(status);
    }
}
