//! The driver's buffers in this process: who may touch their memory, and when.
//!
//! Mapped driver memory is not a `&[u8]` that nobody writes: the driver and its hardware do, while the buffer is theirs.
//! So [`Pool`] keeps for each buffer whose it is, and everything that changes that goes through it:
//!
//! - queued: from before `VIDIOC_QBUF` until `VIDIOC_DQBUF` gave it back or `VIDIOC_STREAMOFF` succeeded. No reference
//!   to its bytes exists or can be made.
//! - ours: at all other times. V4L2 forbids the driver to touch it until it is queued again, and a reference borrows the
//!   pool, so that it cannot be queued meanwhile.
//!
//! What the contract rests on beyond this process: the driver keeps to V4L2, and no other process that may open the node
//! maps our buffers in order to write to them. Both can write to the picture in any case, and a picture is all they
//! reach: this crate reads no length, index or pointer from the mapped bytes.
//!
//! Source: Linux Media Userspace API, "Streaming I/O (Memory Mapping)" and "ioctl VIDIOC_QBUF, VIDIOC_DQBUF".
#![allow(unsafe_code, reason = "maps memory, and lends it out as slices")]

use std::ops::Range;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::Arc;

use rustix::io::Errno;
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

use crate::ioctl::buffer::{self, Dequeued, Place};
use crate::ioctl::{BufType, stream};

/// One plane of one buffer, mapped for reading until it is dropped.
#[derive(Debug)]
struct Mapping {
    start: NonNull<u8>,
    len: usize,
}

// SAFETY: a mapping belongs to the process, not to a thread; nothing in it is tied to the thread that made it.
unsafe impl Send for Mapping {}
// SAFETY: through a shared reference the bytes are only read, under the rules of the module.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Maps the plane that the driver says is at `place`.
    fn new(fd: BorrowedFd<'_>, place: Place) -> Result<Self, Errno> {
        // A slice is no longer than `isize::MAX`, which a 32-bit program could reach.
        let len = isize::try_from(place.length).map_err(|_| Errno::NOMEM)?.unsigned_abs();
        if len == 0 {
            // `mmap` would say that we asked for something wrong; the driver did.
            return Err(Errno::IO);
        }
        // SAFETY: with a null hint the kernel chooses a place where nothing is mapped yet.
        let start = unsafe {
            mmap(
                std::ptr::null_mut(),
                len,
                ProtFlags::READ,
                MapFlags::SHARED,
                fd,
                u64::from(place.offset),
            )
        }?;
        let start = NonNull::new(start.cast()).ok_or(Errno::NOMEM)?;
        Ok(Self { start, len })
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: `start` and `len` are one mapping made by `mmap`; slices of it borrow the pool that owns this.
        let answer = unsafe { munmap(self.start.as_ptr().cast(), self.len) };
        debug_assert_eq!(answer, Ok(()), "a mapping that was made can be undone");
    }
}

/// One buffer: its planes, and whose it is.
#[derive(Debug)]
struct Slot {
    planes: Vec<Mapping>,
    is_queued: bool,
}

/// All buffers of a device. Dropping it stops the stream, undoes the mappings and frees the buffers.
#[derive(Debug)]
pub(crate) struct Pool {
    fd: Arc<OwnedFd>,
    buf_type: BufType,
    /// Invariant: `is_queued` is true for at least all buffers that the driver may write to.
    slots: Vec<Slot>,
    is_streaming: bool,
}

impl Pool {
    /// Asks the driver for `count` buffers and maps as many as it made.
    pub(crate) fn map(fd: Arc<OwnedFd>, buf_type: BufType, count: u32) -> Result<Self, Errno> {
        let made = buffer::request(fd.as_fd(), buf_type, count)?;
        // From here on a failure drops the pool, which frees the buffers.
        let mut pool = Self { fd, buf_type, slots: Vec::new(), is_streaming: false };
        for index in 0..made {
            let places = buffer::places(pool.fd.as_fd(), buf_type, index)?;
            let map = |place| Mapping::new(pool.fd.as_fd(), place);
            let planes = places.into_iter().map(map).collect::<Result<_, _>>()?;
            pool.slots.push(Slot { planes, is_queued: false });
        }
        Ok(pool)
    }

    /// How many buffers there are.
    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    /// How many buffers the driver has to fill.
    pub(crate) fn queued(&self) -> usize {
        self.slots.iter().filter(|slot| slot.is_queued).count()
    }

    /// Gives one of our buffers to the driver.
    pub(crate) fn queue(&mut self, index: usize) -> Result<(), Errno> {
        let raw = u32::try_from(index).map_err(|_| Errno::INVAL)?;
        let slot = self.slots.get_mut(index).ok_or(Errno::INVAL)?;
        if slot.is_queued {
            return Err(Errno::INVAL);
        }
        // Before the call: the driver may write as soon as it is inside.
        slot.is_queued = true;
        let answer = buffer::queue(self.fd.as_fd(), self.buf_type, raw);
        if answer.is_err() {
            // A buffer that was refused stays ours.
            slot.is_queued = false;
        }
        answer
    }

    /// Gives all of our buffers to the driver.
    pub(crate) fn queue_all(&mut self) -> Result<(), Errno> {
        for index in 0..self.slots.len() {
            if !self.slots[index].is_queued {
                self.queue(index)?;
            }
        }
        Ok(())
    }

    /// Takes the oldest filled buffer, which is ours then. `None` stands for a buffer that was never given.
    pub(crate) fn dequeue(&mut self) -> Result<Option<Dequeued>, Errno> {
        let dequeued = buffer::dequeue(self.fd.as_fd(), self.buf_type)?;
        let slot = usize::try_from(dequeued.index).ok().and_then(|index| self.slots.get_mut(index));
        Ok(slot.filter(|slot| slot.is_queued).map(|slot| {
            slot.is_queued = false;
            dequeued
        }))
    }

    /// Lets frames flow.
    pub(crate) fn start(&mut self) -> Result<(), Errno> {
        // Before the call: a stream that may have started has to be stopped.
        self.is_streaming = true;
        stream::on(self.fd.as_fd(), self.buf_type)
    }

    /// Stops the flow; all buffers are ours then.
    pub(crate) fn stop(&mut self) -> Result<(), Errno> {
        stream::off(self.fd.as_fd(), self.buf_type)?;
        self.is_streaming = false;
        for slot in &mut self.slots {
            slot.is_queued = false;
        }
        Ok(())
    }

    /// The length of each plane of a buffer.
    pub(crate) fn plane_lens(&self, index: usize) -> impl Iterator<Item = usize> {
        self.slots.get(index).into_iter().flat_map(|slot| slot.planes.iter().map(|plane| plane.len))
    }

    /// Bytes of one plane of a buffer of ours; `None` beyond its end, and while it is the driver's.
    pub(crate) fn bytes(&self, index: usize, plane: usize, range: Range<usize>) -> Option<&[u8]> {
        let slot = self.slots.get(index).filter(|slot| !slot.is_queued)?;
        let mapping = slot.planes.get(plane)?;
        // SAFETY: the mapping covers `len` readable bytes and lives as long as the pool, which the result borrows; `mmap`
        // gave it, so it is one allocated object and not null; `Mapping::new` checked `isize::MAX`; every byte of fresh pages is
        // initialised. Nobody writes to it meanwhile: the buffer is ours, and to give it to the driver takes `&mut self`.
        let all = unsafe { std::slice::from_raw_parts(mapping.start.as_ptr(), mapping.len) };
        all.get(range)
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        // In this order, or the driver refuses. Errors mean that the device is gone, and with it what is freed here;
        // closing the descriptor frees the rest.
        if self.is_streaming {
            let _gone = stream::off(self.fd.as_fd(), self.buf_type);
        }
        self.slots.clear();
        let _gone = buffer::request(self.fd.as_fd(), self.buf_type, 0);
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Write;

    use super::*;

    /// A pool over a file in place of a driver: every ioctl fails with `ENOTTY`, mapping works.
    fn pool_of_file(content: &[u8], is_queued: bool) -> Pool {
        let mut file = tempfile::tempfile().expect("a temporary file");
        file.write_all(content).expect("room for it");
        let fd = Arc::new(OwnedFd::from(File::from(OwnedFd::from(file))));
        let length = u32::try_from(content.len()).expect("a short file");
        let plane = Mapping::new(fd.as_fd(), Place { offset: 0, length }).expect("a mapping");
        let slots = vec![Slot { planes: vec![plane], is_queued }];
        Pool { fd, buf_type: BufType::Single, slots, is_streaming: false }
    }

    #[test]
    fn bytes_end_where_the_mapping_ends() {
        let pool = pool_of_file(b"0123456789", false);
        assert_eq!(pool.bytes(0, 0, 2..5), Some(&b"234"[..]));
        assert_eq!(pool.bytes(0, 0, 0..10), Some(&b"0123456789"[..]));
        assert_eq!(pool.bytes(0, 0, 0..11), None);
        let (start, end) = (5, 4);
        assert_eq!(pool.bytes(0, 0, start..end), None);
        assert_eq!(pool.bytes(0, 1, 0..1), None, "no such plane");
        assert_eq!(pool.bytes(1, 0, 0..1), None, "no such buffer");
    }

    #[test]
    fn queued_buffer_has_no_bytes() {
        assert_eq!(pool_of_file(b"0123456789", true).bytes(0, 0, 0..1), None);
    }

    #[test]
    fn buffer_that_the_driver_refuses_stays_ours() {
        let mut pool = pool_of_file(b"0123456789", false);
        assert_eq!(pool.queue(0), Err(Errno::NOTTY));
        assert_eq!(pool.queued(), 0);
        assert!(pool.bytes(0, 0, 0..1).is_some());
    }

    #[test]
    fn buffer_is_not_queued_twice_nor_beyond_the_last() {
        let mut pool = pool_of_file(b"0123456789", true);
        assert_eq!(pool.queue(0), Err(Errno::INVAL));
        assert_eq!(pool.queue(1), Err(Errno::INVAL));
        assert_eq!(pool.queue_all(), Ok(()), "nothing left to queue, so the driver is not asked");
    }

    #[test]
    fn stream_that_does_not_stop_keeps_its_buffers() {
        let mut pool = pool_of_file(b"0123456789", true);
        assert_eq!(pool.stop(), Err(Errno::NOTTY));
        assert_eq!(pool.queued(), 1);
    }
}
