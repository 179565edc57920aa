//! `VIDIOC_SUBSCRIBE_EVENT`, `VIDIOC_UNSUBSCRIBE_EVENT`, `VIDIOC_DQEVENT`: what happens to a device beside frames.
//!
//! Source: `struct v4l2_event`, `struct v4l2_event_subscription`.
#![allow(unsafe_code, reason = "the calls themselves")]

use std::os::fd::BorrowedFd;

use rustix::io::Errno;
use rustix::ioctl::{Opcode, opcode};

use super::{GROUP, assert_layout, call, plain, zeroed};

/// `struct v4l2_event`; `data` is its union of 64 bytes, aligned for a 64-bit integer.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub(crate) struct Event {
    pub(crate) type_: u32,
    pub(super) data: [u64; 8],
    pub(super) pending: u32,
    pub(crate) sequence: u32,
    /// `struct timespec` with a 64-bit time on all machines: seconds, nanoseconds.
    pub(crate) timestamp: [i64; 2],
    pub(crate) id: u32,
    pub(super) reserved: [u32; 8],
}

/// `struct v4l2_event_subscription`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub(super) struct EventSubscription {
    pub(super) type_: u32,
    pub(super) id: u32,
    pub(super) flags: u32,
    pub(super) reserved: [u32; 5],
}
plain!(Event, EventSubscription);
assert_layout!(Event, 136, 136, data: 8, 8, pending: 72, 72, timestamp: 80, 80, id: 96, 96);
assert_layout!(EventSubscription, 32, 32, flags: 8, 8);

pub(super) const DQEVENT: Opcode = opcode::read::<Event>(GROUP, 89);
pub(super) const SUBSCRIBE_EVENT: Opcode = opcode::write::<EventSubscription>(GROUP, 90);
pub(super) const UNSUBSCRIBE_EVENT: Opcode = opcode::write::<EventSubscription>(GROUP, 91);

/// `V4L2_EVENT_EOS`.
pub(crate) const EOS: u32 = 2;
/// `V4L2_EVENT_CTRL`.
pub(crate) const CTRL: u32 = 3;
/// `V4L2_EVENT_SOURCE_CHANGE`.
pub(crate) const SOURCE_CHANGE: u32 = 5;

impl Event {
    /// The union as the kernel wrote it.
    pub(crate) fn data(&self) -> [u8; 64] {
        let mut bytes = [0; 64];
        for (chunk, word) in bytes.chunks_exact_mut(8).zip(self.data) {
            chunk.copy_from_slice(&word.to_ne_bytes());
        }
        bytes
    }
}

/// Asks for events of a type, and for a control its id.
pub(crate) fn subscribe(fd: BorrowedFd<'_>, type_: u32, id: u32) -> Result<(), Errno> {
    let mut raw = EventSubscription { type_, id, ..zeroed() };
    // SAFETY: `VIDIOC_SUBSCRIBE_EVENT` takes a `struct v4l2_event_subscription`, which `EventSubscription` is.
    unsafe { call::<SUBSCRIBE_EVENT, EventSubscription>(fd, &mut raw) }
}

/// Asks for no more events of a type.
pub(crate) fn unsubscribe(fd: BorrowedFd<'_>, type_: u32, id: u32) -> Result<(), Errno> {
    let mut raw = EventSubscription { type_, id, ..zeroed() };
    // SAFETY: `VIDIOC_UNSUBSCRIBE_EVENT` takes a `struct v4l2_event_subscription`, which `EventSubscription` is.
    unsafe { call::<UNSUBSCRIBE_EVENT, EventSubscription>(fd, &mut raw) }
}

/// Takes the oldest event; `None` if there is none (`ENOENT` on a non-blocking descriptor).
pub(crate) fn dequeue(fd: BorrowedFd<'_>) -> Result<Option<Event>, Errno> {
    let mut raw = zeroed();
    // SAFETY: `VIDIOC_DQEVENT` fills a `struct v4l2_event`, which `Event` is.
    match unsafe { call::<DQEVENT, Event>(fd, &mut raw) } {
        Ok(()) => Ok(Some(raw)),
        Err(Errno::NOENT | Errno::AGAIN) => Ok(None),
        Err(errno) => Err(errno),
    }
}

#[cfg(test)]
impl Event {
    /// An event made up for a test.
    pub(crate) fn sample(type_: u32, id: u32, bytes: &[u8]) -> Self {
        let mut raw: Self = zeroed();
        for (word, chunk) in raw.data.iter_mut().zip(bytes.chunks(8)) {
            let mut padded = [0; 8];
            padded[..chunk.len()].copy_from_slice(chunk);
            *word = u64::from_ne_bytes(padded);
        }
        Self { type_, id, ..raw }
    }
}
