//! Taking over descriptors that were inherited at fixed numbers.
#![allow(unsafe_code, reason = "a descriptor's number becomes its owner, once")]

use std::os::fd::{BorrowedFd, FromRawFd, OwnedFd};
use std::sync::Mutex;

use rustix::io::{FdFlags, fcntl_getfd, fcntl_setfd};

static TAKEN: Mutex<Vec<i32>> = Mutex::new(Vec::new());

/// Takes the inherited descriptor `number`; `None` if it is not open, or was taken before.
///
/// It gets `FD_CLOEXEC`, so that what this process starts does not inherit it by accident.
#[must_use]
pub(crate) fn take(number: i32) -> Option<OwnedFd> {
    let mut taken = TAKEN.lock().ok()?;
    if number < 3 || taken.contains(&number) {
        return None;
    }
    // SAFETY: `number` is not -1; the borrow ends within this statement's uses below, and both calls answer EBADF for
    // a number that is not open.
    let borrowed = unsafe { BorrowedFd::borrow_raw(number) };
    fcntl_getfd(borrowed).ok()?;
    fcntl_setfd(borrowed, FdFlags::CLOEXEC).ok()?;
    taken.push(number);
    // SAFETY: it is open (fcntl above), and nobody else owns it: numbers from 3 on are taken only here, each once, and
    // the roles call this first thing, before any other descriptor is opened.
    Some(unsafe { OwnedFd::from_raw_fd(number) })
}
