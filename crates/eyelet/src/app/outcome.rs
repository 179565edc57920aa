//! What a verb is answered with, and how long one waits for it.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use eyelet_wire::verbs::{self, Kind};
use tokio::time::Instant;

use super::link::Interruption;

/// What a verb is answered with: a value, or a kind and a text.
pub(super) type Outcome = Result<Reply, (Kind, String)>;

/// What follows `ok`.
#[derive(Debug, Default)]
pub(super) struct Reply {
    words: String,
    payload: Bytes,
}

impl Reply {
    /// Words alone.
    pub(super) fn words(words: impl std::fmt::Display) -> Self {
        Self { words: words.to_string(), payload: Bytes::new() }
    }

    /// A payload, whose length ends the words.
    pub(super) fn payload(words: &str, payload: impl Into<Bytes>) -> Self {
        let payload = payload.into();
        Self { words: format!("{words}{}", payload.len()), payload }
    }

    /// The line, and the payload behind it.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        [&verbs::ok(&self.words), &self.payload[..]].concat()
    }
}

/// What is said of a client that left in no special way.
pub(super) const GONE: &str = "the client has left";

pub(super) fn gone() -> (Kind, String) {
    (Kind::Gone, GONE.to_owned())
}

/// When a time is over that begins now.
pub(super) fn deadline(timeout: Option<Duration>) -> Option<Instant> {
    timeout.map(|timeout| Instant::now() + timeout)
}

/// What a verb is answered with that the app did not wait for; one that has left does not hear it.
pub(super) fn interrupted(interruption: Interruption) -> (Kind, String) {
    match interruption {
        Interruption::Stop => (Kind::Stopped, "the app wants it no more".to_owned()),
        // Not "gone": the client is still there, and is to be told.
        Interruption::HungUp(e) => (Kind::Internal, format!("the app has left: {e}")),
    }
}

pub(super) fn done(result: io::Result<()>) -> Outcome {
    result.map(|()| Reply::default()).map_err(|_| gone())
}

pub(super) async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
