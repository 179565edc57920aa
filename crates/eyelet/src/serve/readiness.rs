//! Waiting in tokio for descriptors that are not tokio's own.
#![allow(unsafe_code, reason = "tokio wants a promise that the descriptor stays the same")]

use std::os::fd::{AsFd, AsRawFd, RawFd};

use eyelet_area::Subscriber;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::control::Control;
use crate::error::{Error, Result};
use crate::serve::listener::ListenerSocket;

/// Something that owns one descriptor for its whole life and never changes it.
///
/// Invariant: `as_fd` gives the same open descriptor at every call, until drop. Only types that were looked at for it
/// are listed below.
pub(crate) trait OwnsOne: AsFd {}

/// Its socket is set when it is made, and closed by drop only.
impl OwnsOne for Subscriber {}
/// Its socket is set when it is made, and closed by drop only.
impl OwnsOne for Control {}
/// Either of the standard library's holds one descriptor and has no way to change it.
impl OwnsOne for ListenerSocket {}

/// What tokio registers.
#[derive(Debug)]
pub(crate) struct Registered<T>(pub(crate) T);

impl<T: OwnsOne> AsRawFd for Registered<T> {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_fd().as_raw_fd()
    }
}

/// Registers with the runtime of this thread, for reading only: whatever a peer takes from its end makes ours writable
/// anew, which would wake us for nothing.
pub(crate) fn register<T: OwnsOne>(inner: T) -> Result<AsyncFd<Registered<T>>> {
    // SAFETY: `inner` moves into the AsyncFd; by the invariant of `OwnsOne` its descriptor is open and the same until
    // it is dropped, and nothing here takes it out or replaces it.
    let registered =
        unsafe { AsyncFd::register_with_interest(Registered(inner), Interest::READABLE) };
    registered.map_err(|e| {
        Error::failed(format!("failed to wait for a descriptor: {}", e.into_parts().1))
    })
}
