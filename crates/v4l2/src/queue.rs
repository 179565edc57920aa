//! From a device to a flow of buffers, in the order that V4L2 demands.
//!
//! [`Device`] → [`allocate`](Device::allocate) → [`Allocated`] → [`start`](Allocated::start) → [`Streaming`], and back by
//! [`stop`](Streaming::stop) and [`release`](Allocated::release). Dropping any of them undoes everything: the stream is
//! stopped, the memory unmapped, the buffers freed, the device closed.

use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use crate::buffer::Buffer;
use crate::device::Device;
use crate::error::{Error, ErrorKind, Result};
use crate::mapping::Pool;

/// With one buffer the driver has nothing to fill while we read it, and some (`gspca`) do not even start.
const FEWEST_BUFFERS: u32 = 2;

/// `VIDEO_MAX_FRAME`: more are never given.
const MOST_BUFFERS: u32 = 32;

/// A device with buffers that are mapped and not in use. Its format is fixed.
#[derive(Debug)]
pub struct Allocated {
    // The order matters: the buffers are freed before the device is closed.
    pool: Pool,
    device: Device,
}

/// A device from which frames flow.
///
/// It can be polled ([`AsFd`], or [`wait`](Self::wait)): `POLLIN` means that [`dequeue`](Self::dequeue) has something,
/// `POLLPRI` that [`dequeue_event`](Device::dequeue_event) has, and `POLLERR` that [`dequeue`](Self::dequeue) has an error
/// to tell: the device is gone, the driver gave up, or it has no buffer to fill.
#[derive(Debug)]
pub struct Streaming {
    pool: Pool,
    device: Device,
    /// A buffer could not be given back; told by the next [`dequeue`](Self::dequeue).
    failure: Option<Error>,
}

/// What a stream has to give.
#[derive(Debug)]
pub enum Dequeued<'a> {
    /// A filled buffer, ours until it is dropped.
    Buffer(Buffer<'a>),
    /// Nothing yet.
    NotReady,
    /// Nothing any more: the device said so, and has to be stopped.
    EndOfStream,
}

/// What [`Streaming::wait`] found. Several may be true at once; none is after a time-out or a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Readiness {
    /// A buffer can be dequeued.
    pub has_buffer: bool,
    /// An event can be dequeued.
    pub has_event: bool,
    /// Something is wrong; dequeueing a buffer tells what.
    pub has_error: bool,
}

impl Device {
    /// Makes buffers for frames of the format in force and maps them.
    ///
    /// Two to 32 buffers are asked for; the driver decides, so look at [`Allocated::len`]. Four is a good number: one is
    /// read, one is filled, two are there for when reading takes longer than a frame.
    ///
    /// # Errors
    /// [`ErrorKind::Busy`] if somebody else has buffers, [`ErrorKind::InvalidData`] if the driver gives fewer than two.
    /// The device is closed then.
    pub fn allocate(self, count: u32) -> Result<Allocated> {
        let doing = "allocate buffers of";
        let count = count.clamp(FEWEST_BUFFERS, MOST_BUFFERS);
        let pool = Pool::map(self.shared_fd(), self.buf_type(), count)
            .map_err(|errno| self.failed(doing, errno))?;
        if u32::try_from(pool.len()).is_ok_and(|len| len < FEWEST_BUFFERS) {
            let cause =
                format!("the driver gave {}, at least {FEWEST_BUFFERS} are needed", pool.len());
            return Err(Error::stated(ErrorKind::InvalidData, doing, self.path(), cause));
        }
        Ok(Allocated { pool, device: self })
    }
}

#[allow(clippy::len_without_is_empty, reason = "there are never fewer than two")]
impl Allocated {
    /// Gives all buffers to the driver and lets frames flow.
    ///
    /// # Errors
    /// [`ErrorKind::Busy`] if something on the way is in use (USB: too little bandwidth shows as [`ErrorKind::Io`]). The
    /// device is closed then.
    pub fn start(mut self) -> Result<Streaming> {
        self.pool.queue_all().map_err(|errno| self.device.failed("queue the buffers of", errno))?;
        self.pool.start().map_err(|errno| self.device.failed("start streaming from", errno))?;
        Ok(Streaming { pool: self.pool, device: self.device, failure: None })
    }

    /// How many buffers there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.pool.len()
    }

    /// The device, for what can be done with it while it has buffers.
    #[must_use]
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Frees the buffers; the format can be set again.
    #[must_use]
    pub fn release(self) -> Device {
        drop(self.pool);
        self.device
    }
}

impl Streaming {
    /// Takes the oldest filled buffer. Never waits.
    ///
    /// One system call; no allocation. While the [`Buffer`] lives, the driver has one buffer less to fill.
    ///
    /// # Errors
    /// [`ErrorKind::Gone`] if the device was unplugged. [`ErrorKind::Io`] if the driver gave up: open the device again.
    /// [`ErrorKind::InvalidData`] if the driver claims more bytes than the buffer has; the frame is lost, the stream goes
    /// on. An error of giving the last buffer back, which is told here; it is then tried again.
    pub fn dequeue(&mut self) -> Result<Dequeued<'_>> {
        if let Some(failure) = self.failure.take() {
            self.failure = self.pool.queue_all().err().map(|errno| self.not_given_back(errno));
            return Err(failure);
        }
        let doing = "dequeue a buffer of";
        let raw = match self.pool.dequeue() {
            Ok(Some(raw)) => raw,
            Ok(None) => {
                let cause = "the driver gave a buffer that it did not have";
                return Err(Error::stated(
                    ErrorKind::InvalidData,
                    doing,
                    self.device.path(),
                    cause,
                ));
            }
            Err(Errno::AGAIN) => return Ok(Dequeued::NotReady),
            Err(Errno::PIPE) => return Ok(Dequeued::EndOfStream),
            Err(errno) => return Err(self.device.failed(doing, errno)),
        };
        let path = self.device.path().to_owned();
        match Buffer::new(self, &raw) {
            Ok(buffer) => Ok(Dequeued::Buffer(buffer)),
            Err(cause) => Err(Error::stated(ErrorKind::InvalidData, doing, &path, cause)),
        }
    }

    /// Waits until there is a buffer, an event or an error, at most so long, or until a signal arrives.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if the system cannot wait (out of memory).
    pub fn wait(&self, timeout: Duration) -> Result<Readiness> {
        let timeout = Timespec::try_from(timeout).ok();
        let mut fds = [PollFd::new(&self.device, PollFlags::IN | PollFlags::PRI)];
        match poll(&mut fds, timeout.as_ref()) {
            Ok(_) => Ok(Readiness::new(fds[0].revents())),
            Err(Errno::INTR) => Ok(Readiness::default()),
            Err(errno) => Err(self.device.failed("wait for", errno)),
        }
    }

    /// Stops the flow. What was filled and not dequeued is lost.
    ///
    /// # Errors
    /// [`ErrorKind::Gone`] if the device was unplugged. The device is closed then.
    pub fn stop(mut self) -> Result<Allocated> {
        self.pool.stop().map_err(|errno| self.device.failed("stop streaming from", errno))?;
        Ok(Allocated { pool: self.pool, device: self.device })
    }

    /// How many buffers the driver has to fill; with none it drops frames.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.pool.queued()
    }

    /// The device, for controls and events.
    #[must_use]
    pub fn device(&self) -> &Device {
        &self.device
    }

    pub(crate) fn pool(&self) -> &Pool {
        &self.pool
    }

    /// Gives a buffer back to the driver, or remembers why that failed.
    pub(crate) fn give_back(&mut self, index: usize) {
        if let Err(errno) = self.pool.queue(index) {
            self.failure = Some(self.not_given_back(errno));
        }
    }

    fn not_given_back(&self, errno: Errno) -> Error {
        self.device.failed("give a buffer back to", errno)
    }
}

impl Readiness {
    fn new(flags: PollFlags) -> Self {
        Self {
            has_buffer: flags.intersects(PollFlags::IN | PollFlags::RDNORM),
            has_event: flags.contains(PollFlags::PRI),
            has_error: flags.intersects(PollFlags::ERR | PollFlags::HUP | PollFlags::NVAL),
        }
    }
}

impl AsFd for Allocated {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.device.as_fd()
    }
}

impl AsFd for Streaming {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.device.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn poll_flags_are_told_apart() {
        let of = Readiness::new;
        assert_eq!(of(PollFlags::empty()), Readiness::default());
        assert_eq!(of(PollFlags::IN), Readiness { has_buffer: true, ..Readiness::default() });
        assert_eq!(of(PollFlags::PRI), Readiness { has_event: true, ..Readiness::default() });
        let unplugged = PollFlags::ERR | PollFlags::HUP;
        assert_eq!(of(unplugged), Readiness { has_error: true, ..Readiness::default() });
        assert!(of(PollFlags::all()).has_buffer && of(PollFlags::all()).has_event);
    }

    #[test]
    fn streams_can_move_to_another_thread() {
        fn is_send<T: Send>() {}
        is_send::<Device>();
        is_send::<Allocated>();
        is_send::<Streaming>();
    }
}
