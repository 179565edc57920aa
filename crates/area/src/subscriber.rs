//! Receiving from an area.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use crate::message::{
    self, Answer, MAX_ANSWER_LEN, MAX_MESSAGE_LEN, MAX_REQUEST_PAYLOAD_LEN, Op, OwnerMessage,
    Request, State,
};
use crate::socket::{self, ReceiveError};
use crate::{Error, ErrorKind, Frame, Result};

/// What a subscriber is told.
#[derive(Debug)]
pub enum Event {
    /// The newest frame; it used up one credit.
    Frame {
        /// The frame, its seals and size checked.
        frame: Frame,
        /// Frames published since the last one that came here, and not sent.
        missed: u64,
    },
    /// What the owner says of its source; comes first after connecting, and when it changes.
    State(State),
    /// What came of a request; the answers come in the order of the requests.
    Answer(Answer),
    /// The owner has gone. Its area may have a new one: connect again.
    Closed,
}

/// One connection to an area. Dropping it ends the subscription.
///
/// It polls readable ([`AsFd`]) when [`try_receive`](Self::try_receive) has something.
#[derive(Debug)]
pub struct Subscriber {
    socket: OwnedFd,
    last_sequence: u64,
    /// A byte longer than the longest message that may come.
    buffer: Vec<u8>,
}

impl Subscriber {
    /// Connects to the area at `path`. Nothing comes before [`grant`](Self::grant), but its state.
    ///
    /// # Errors
    /// [`ErrorKind::NoOwner`] if nothing listens there, or more wait there than may; else [`ErrorKind::Io`].
    pub fn connect(path: &Path) -> Result<Self> {
        let buffer = vec![0; MAX_MESSAGE_LEN + 1];
        Ok(Self { socket: socket::connect(path)?, last_sequence: 0, buffer })
    }

    /// Grants credit for `frames` more, at most [`MAX_CREDIT`](crate::MAX_CREDIT) in all.
    ///
    /// # Errors
    /// [`ErrorKind::Io`]; a connection that has ended is no error here, [`Event::Closed`] tells it.
    pub fn grant(&mut self, frames: u32) -> Result<()> {
        self.send_credit(frames, false)
    }

    /// The same, and says that frames before the next key frame cannot be used: an owner that can make one soon does.
    ///
    /// # Errors
    /// As [`grant`](Self::grant).
    pub fn grant_wanting_key(&mut self, frames: u32) -> Result<()> {
        self.send_credit(frames, true)
    }

    fn send_credit(&mut self, frames: u32, wants_key: bool) -> Result<()> {
        match socket::send(self.socket.as_fd(), &message::encode_credit(frames, wants_key), None) {
            Ok(()) | Err(Errno::PIPE | Errno::CONNRESET) => Ok(()),
            Err(e) => Err(Error::io("failed to grant credit", e)),
        }
    }

    /// Asks for application data to be read or changed. The answer comes as an [`Event::Answer`]. Never waits.
    ///
    /// Receive the answers: the owner closes the connection of who asks on and does not. Who writes and leaves before
    /// the answer comes has what it asked for done all the same, if the owner lives to read it.
    ///
    /// # Errors
    /// [`ErrorKind::TooLarge`] for more than [`MAX_REQUEST_PAYLOAD_LEN`] bytes to write; [`ErrorKind::Full`] while the
    /// owner has not read the requests before: nothing was sent, wait for answers and try again; else
    /// [`ErrorKind::Io`]. A connection that has ended is no error here, [`Event::Closed`] tells it.
    pub fn request(&mut self, request: &Request) -> Result<()> {
        match &request.op {
            Op::Write { payload, .. } if payload.len() > MAX_REQUEST_PAYLOAD_LEN => {
                let text = format!(
                    "a request to write {} bytes; at most {MAX_REQUEST_PAYLOAD_LEN} at once",
                    payload.len()
                );
                return Err(Error::new(ErrorKind::TooLarge, text));
            }
            _ => {}
        }
        if self.buffer.len() <= MAX_ANSWER_LEN {
            self.buffer = vec![0; MAX_ANSWER_LEN + 1];
        }
        match socket::send(self.socket.as_fd(), &message::encode_request(request), None) {
            Ok(()) | Err(Errno::PIPE | Errno::CONNRESET) => Ok(()),
            Err(Errno::AGAIN) => {
                Err(Error::new(ErrorKind::Full, "the owner has not read the requests before"))
            }
            Err(e) => Err(Error::io("failed to send a request", e)),
        }
    }

    /// Receives what is there; `None` if there is nothing now. Never waits.
    ///
    /// # Errors
    /// What the owner sent is not believed: [`ErrorKind::InvalidMessage`], [`ErrorKind::WrongVersion`],
    /// [`ErrorKind::WrongDescriptors`], [`ErrorKind::NotSealed`], [`ErrorKind::TooShort`], [`ErrorKind::TooLarge`].
    /// [`ErrorKind::Io`] if the kernel refuses; with `EMFILE` this process has no descriptor left for the frame, which
    /// is lost. Drop the subscriber after any of them: dropping it is what closes the connection.
    pub fn try_receive(&mut self) -> Result<Option<Event>> {
        let socket = self.socket.as_fd();
        let received = match socket::receive_with_descriptor(socket, &mut self.buffer) {
            Ok(Some(received)) => received,
            Ok(None) | Err(ReceiveError::Io(Errno::CONNRESET)) => return Ok(Some(Event::Closed)),
            Err(ReceiveError::Io(Errno::AGAIN | Errno::INTR)) => return Ok(None),
            Err(ReceiveError::Io(e)) => return Err(Error::io("failed to receive a frame", e)),
            Err(ReceiveError::TooManyDescriptors) => return Err(wrong_descriptors("several")),
            Err(ReceiveError::TooLong) => {
                let text = "a message longer than any that was asked for";
                return Err(Error::new(ErrorKind::InvalidMessage, text));
            }
        };
        let descriptor_less = match message::decode_owner(received.message)? {
            OwnerMessage::Frame { info, missed } => {
                let Some(memfd) = received.descriptor else { return Err(wrong_descriptors("no")) };
                if info.sequence <= self.last_sequence {
                    let text = format!("frame {} came after {}", info.sequence, self.last_sequence);
                    return Err(Error::new(ErrorKind::InvalidMessage, text));
                }
                let frame = Frame::receive(info, memfd)?;
                self.last_sequence = info.sequence;
                return Ok(Some(Event::Frame { frame, missed }));
            }
            OwnerMessage::State(state) => Event::State(state),
            OwnerMessage::Answer(answer) => Event::Answer(answer),
        };
        match received.descriptor {
            None => Ok(Some(descriptor_less)),
            Some(_) => Err(Error::new(
                ErrorKind::WrongDescriptors,
                "a state or an answer with a descriptor",
            )),
        }
    }

    /// Waits at most `timeout` for something to receive; `None` when the time is over.
    ///
    /// # Errors
    /// As [`try_receive`](Self::try_receive).
    pub fn receive(&mut self, timeout: Duration) -> Result<Option<Event>> {
        // A timeout beyond what the clock can hold is none.
        let deadline = Instant::now().checked_add(timeout);
        loop {
            if let Some(event) = self.try_receive()? {
                return Ok(Some(event));
            }
            let left = deadline.map(|d| d.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                return Ok(None);
            }
            let left = left.and_then(|left| Timespec::try_from(left).ok());
            match poll(&mut [PollFd::new(&self.socket, PollFlags::IN)], left.as_ref()) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(e) => return Err(Error::io("failed to wait for a frame", e)),
            }
        }
    }
}

fn wrong_descriptors(how_many: &str) -> Error {
    Error::new(ErrorKind::WrongDescriptors, format!("a frame message with {how_many} descriptors"))
}

impl AsFd for Subscriber {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
