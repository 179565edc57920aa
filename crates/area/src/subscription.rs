//! One subscriber, as the owner of an area keeps it.

use std::os::fd::{AsFd, OwnedFd};

use rustix::event::epoll;
use rustix::io::Errno;
use rustix::net::Shutdown;

use crate::message::{self, MAX_CREDIT, State};
use crate::socket::{self, ReceiveError};
use crate::{Credit, Error, ErrorKind, Frame, Result};

/// A connection, and what it is owed.
#[derive(Debug)]
pub(crate) struct Subscription {
    pub(crate) socket: OwnedFd,
    pub(crate) credit: Credit,
    /// The state was not sent since it changed.
    pub(crate) owes_state: bool,
    /// It was sent a frame, so it has asked for one.
    has_had_frame: bool,
    /// What epoll tells of its socket; that it was closed is told always.
    pub(crate) interest: epoll::EventFlags,
}

/// What a look at a subscriber's socket found.
#[derive(Debug, PartialEq, Eq)]
enum Heard {
    /// A message, which granted credit.
    Credit,
    /// No message now.
    Nothing,
    /// The subscriber has left.
    End,
}

impl Subscription {
    /// One that has just come, and is in the epoll set for its credit.
    pub(crate) fn new(socket: OwnedFd, credit: Credit) -> Self {
        let interest = epoll::EventFlags::IN;
        Self { socket, credit, owes_state: true, has_had_frame: false, interest }
    }

    /// Tells whether it has asked for a frame since it came.
    pub(crate) fn has_asked(&self) -> bool {
        self.has_had_frame || self.credit.has_credit()
    }

    /// Reads all credit that came; false when the subscriber has left.
    ///
    /// Ends soon, whatever it sends: each message grants a frame at the least, and more than [`MAX_CREDIT`] is an error.
    pub(crate) fn hear(&mut self) -> Result<bool> {
        loop {
            match self.hear_message()? {
                Heard::Credit => {}
                Heard::Nothing => return Ok(true),
                Heard::End => return Ok(false),
            }
        }
    }

    /// Reads credit unless some is left; false when the subscriber has left.
    pub(crate) fn hear_one_credit(&mut self) -> Result<bool> {
        Ok(self.credit.has_credit() || self.hear_message()? != Heard::End)
    }

    fn hear_message(&mut self) -> Result<Heard> {
        let received = loop {
            match socket::receive_without_descriptor(self.socket.as_fd()) {
                Ok(Some(received)) => break received,
                Ok(None) | Err(ReceiveError::Io(Errno::CONNRESET | Errno::PIPE)) => {
                    return Ok(Heard::End);
                }
                Err(ReceiveError::Io(Errno::AGAIN)) => return Ok(Heard::Nothing),
                Err(ReceiveError::Io(Errno::INTR)) => {}
                Err(ReceiveError::Io(e)) => {
                    return Err(Error::io("failed to hear a subscriber", e));
                }
                Err(ReceiveError::TooManyDescriptors) => return Err(needless_descriptor()),
            }
        };
        if received.descriptor.is_some() {
            return Err(needless_descriptor());
        }
        let frames = message::decode_credit(received.message())?;
        self.credit.grant(frames).map_err(|_| {
            let text = format!("a subscriber granted more than {MAX_CREDIT} frames");
            Error::new(ErrorKind::TooMuchCredit, text)
        })?;
        Ok(Heard::Credit)
    }

    /// Tells whether it is owed nothing, and credit that comes now could not be used before the next frame.
    pub(crate) fn may_sleep(&self) -> bool {
        self.has_had_frame && !self.owes_state && !self.credit.is_behind()
    }

    /// Sends state and newest frame if they are due; true when the socket is full and something is left.
    pub(crate) fn send_due(&mut self, state: &State, newest: Option<&Frame>) -> bool {
        if self.owes_state {
            match socket::send(self.socket.as_fd(), &message::encode_state(state), None) {
                Ok(()) => self.owes_state = false,
                Err(why) => return self.is_full(why),
            }
        }
        if let (true, Some(frame)) = (self.credit.is_due(), newest) {
            let bytes = message::encode_frame(frame.info(), self.credit.missed());
            match socket::send(self.socket.as_fd(), &bytes, Some(frame.as_fd())) {
                Ok(()) => {
                    self.credit.sent();
                    self.has_had_frame = true;
                }
                Err(why) => return self.is_full(why),
            }
        }
        false
    }

    /// Judges why a message could not be sent.
    fn is_full(&self, why: Errno) -> bool {
        if why == Errno::PIPE {
            // It takes no more, though it may not have closed: make that an end, which `hear` is told of.
            rustix::net::shutdown(&self.socket, Shutdown::Both).ok();
        }
        // The rest passes, as ETOOMANYREFS, too many descriptors in flight: the next frame or credit tries again.
        why == Errno::AGAIN
    }
}

fn needless_descriptor() -> Error {
    Error::new(ErrorKind::WrongDescriptors, "a subscriber sent a descriptor")
}
