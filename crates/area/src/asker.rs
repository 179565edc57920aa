//! Asking an area's owner: to read, to write, to add.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use crate::message::{
    self, Answer, Ask, MAX_MESSAGE_LEN, MAX_REQUEST_PAYLOAD_LEN, OwnerMessage, Request,
};
use crate::socket::{self, ReceiveError};
use crate::{Error, ErrorKind, Result};

/// What an asker is told.
#[derive(Debug)]
pub enum Told {
    /// The answer to a request, in the order of the requests.
    Answer(Answer),
    /// The owner has gone, and requests that it had not answered may be done or not: connect again.
    Closed,
}

/// A connection to an area for requests; frames need another, a [`Subscriber`](crate::Subscriber).
///
/// It polls readable ([`AsFd`]) when [`try_receive`](Self::try_receive) has something.
#[derive(Debug)]
pub struct Asker {
    socket: OwnedFd,
    buffer: Vec<u8>,
    last_tag: u32,
}

impl Asker {
    /// Connects to the area at `path`.
    ///
    /// # Errors
    /// As [`Subscriber::connect`](crate::Subscriber::connect).
    pub fn connect(path: &Path) -> Result<Self> {
        let buffer = vec![0; MAX_MESSAGE_LEN + 1];
        Ok(Self { socket: socket::connect(path)?, buffer, last_tag: 0 })
    }

    /// Sends a request and gives its tag. Never waits.
    ///
    /// # Errors
    /// [`ErrorKind::TooLarge`] for a payload over [`MAX_REQUEST_PAYLOAD_LEN`]; [`ErrorKind::Io`] if the socket is full,
    /// as the answers to earlier ones are to be received first, or the owner has gone.
    pub fn send(&mut self, ask: Ask) -> Result<u32> {
        if let Ask::Write { payload, .. } = &ask
            && payload.len() > MAX_REQUEST_PAYLOAD_LEN
        {
            let (len, most) = (payload.len(), MAX_REQUEST_PAYLOAD_LEN);
            let text = format!("a write of {len} bytes; one request has {most} at the most");
            return Err(Error::new(ErrorKind::TooLarge, text));
        }
        let tag = self.last_tag.wrapping_add(1);
        let bytes = Request { tag, ask }.encode();
        socket::send(self.socket.as_fd(), &bytes, None)
            .map_err(|e| Error::io("failed to ask an area's owner", e))?;
        self.last_tag = tag;
        Ok(tag)
    }

    /// Receives what is there; `None` if there is nothing now. Never waits.
    ///
    /// # Errors
    /// What the owner sent is not believed: [`ErrorKind::InvalidMessage`], [`ErrorKind::WrongVersion`],
    /// [`ErrorKind::WrongDescriptors`]; [`ErrorKind::Io`] if the kernel refuses.
    pub fn try_receive(&mut self) -> Result<Option<Told>> {
        loop {
            let socket = self.socket.as_fd();
            let received = match socket::receive_without_descriptor(socket, &mut self.buffer) {
                Ok(Some(received)) => received,
                Ok(None) | Err(ReceiveError::Io(Errno::CONNRESET)) => {
                    return Ok(Some(Told::Closed));
                }
                Err(ReceiveError::Io(Errno::AGAIN | Errno::INTR)) => return Ok(None),
                Err(ReceiveError::Io(e)) => {
                    return Err(Error::io("failed to receive an answer", e));
                }
                Err(ReceiveError::TooManyDescriptors) => {
                    let text = "a descriptor for who wants no frame";
                    return Err(Error::new(ErrorKind::WrongDescriptors, text));
                }
            };
            match message::decode_owner(received.message)? {
                OwnerMessage::Answer(answer) => return Ok(Some(Told::Answer(answer))),
                // Who asks is told of it all the same.
                OwnerMessage::State(_) => {}
                OwnerMessage::Frame { .. } => {
                    let text = "a frame for who sends requests";
                    return Err(Error::new(ErrorKind::InvalidMessage, text));
                }
            }
        }
    }

    /// Sends a request and waits at most `timeout` for its answer. No other request may be under way.
    ///
    /// # Errors
    /// As [`send`](Self::send) and [`try_receive`](Self::try_receive); [`ErrorKind::NoOwner`] if the owner has gone,
    /// and [`ErrorKind::Io`] with `ETIMEDOUT` if the time is over: then drop this, an answer may still come.
    pub fn ask(&mut self, ask: Ask, timeout: Duration) -> Result<Answer> {
        let tag = self.send(ask)?;
        let deadline = Instant::now().checked_add(timeout);
        loop {
            match self.try_receive()? {
                Some(Told::Answer(answer)) if answer.tag == tag => return Ok(answer),
                Some(Told::Answer(_)) => continue,
                Some(Told::Closed) => {
                    return Err(Error::new(ErrorKind::NoOwner, "the area's owner has gone"));
                }
                None => {}
            }
            let left = deadline.map(|d| d.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                return Err(Error::io("the area's owner does not answer", Errno::TIMEDOUT));
            }
            let left = left.and_then(|left| Timespec::try_from(left).ok());
            match poll(&mut [PollFd::new(&self.socket, PollFlags::IN)], left.as_ref()) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(e) => return Err(Error::io("failed to wait for an answer", e)),
            }
        }
    }
}

impl AsFd for Asker {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
