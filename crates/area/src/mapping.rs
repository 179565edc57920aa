//! A read-only view of a sealed memfd.
#![allow(unsafe_code, reason = "mmap and the slice over it; each step argues why it is sound")]

use std::os::fd::BorrowedFd;
use std::ptr::NonNull;

use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

/// The pages of a sealed memfd, mapped for reading.
///
/// Invariant: `len` bytes from `start` are mapped readable until drop, and nobody can change or take them away: the
/// file carries `F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL` and is at least `len` bytes long.
pub(crate) struct Mapping {
    start: NonNull<u8>,
    len: usize,
}

// SAFETY: the memory is never written by anybody while the mapping exists (see the invariant), so that any thread may
// read it and any thread may unmap it.
unsafe impl Send for Mapping {}
// SAFETY: as above; shared reading of memory that never changes.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Maps the first `len` bytes. `len` must not be zero.
    ///
    /// Only [`Frame`](crate::Frame) calls this, after it checked (or itself set) the seals and the size.
    pub(crate) fn new(sealed: BorrowedFd<'_>, len: usize) -> rustix::io::Result<Self> {
        // MAP_PRIVATE: before Linux 6.7 a shared mapping of a write-sealed memfd is refused, even for reading.
        // SAFETY: the kernel chooses the address (null hint), so no existing mapping is touched.
        let start = unsafe {
            mmap(std::ptr::null_mut(), len, ProtFlags::READ, MapFlags::PRIVATE, sealed, 0)
        }?;
        let start = NonNull::new(start.cast()).ok_or(rustix::io::Errno::NOMEM)?;
        Ok(Self { start, len })
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        // SAFETY: the invariant: `len` readable bytes at `start`, unchanged for as long as `self` lives; u8 has no
        // alignment and no invalid values; len <= MAX_FRAME_LEN < isize::MAX.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: exactly the range that `new` mapped; no slice outlives `self` (as_slice borrows it).
        let unmapped = unsafe { munmap(self.start.as_ptr().cast(), self.len) };
        debug_assert!(unmapped.is_ok(), "a mapping of our own can be unmapped");
    }
}
