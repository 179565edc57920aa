//! One subscriber, as the owner of an area keeps it.

use std::os::fd::{AsFd, OwnedFd};

use rustix::event::epoll;
use rustix::io::Errno;
use rustix::net::Shutdown;

use crate::message::{self, Answer, MAX_CREDIT, Request, State, SubscriberMessage};
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
    /// It has sent a request, and is sent no frame.
    is_for_requests: bool,
    /// What epoll tells of its socket; that it was closed is told always.
    pub(crate) interest: epoll::EventFlags,
}

/// What a look at a subscriber's socket found.
#[derive(Debug, PartialEq, Eq)]
enum Heard {
    /// A message, which granted credit.
    Credit,
    /// A message, which asks for something.
    Request(Request),
    /// No message now.
    Nothing,
    /// The subscriber has left.
    End,
}

impl Subscription {
    /// One that has just come, and is in the epoll set for its credit.
    pub(crate) fn new(socket: OwnedFd, credit: Credit) -> Self {
        let interest = epoll::EventFlags::IN;
        Self {
            socket,
            credit,
            owes_state: true,
            has_had_frame: false,
            is_for_requests: false,
            interest,
        }
    }

    /// Tells whether it has asked for a frame since it came.
    pub(crate) fn has_asked(&self) -> bool {
        self.has_had_frame || self.credit.has_credit()
    }

    /// Reads all credit that came, or at most so many requests; false when the subscriber has left.
    ///
    /// Ends soon, whatever it sends: each grant is for a frame at the least, and more than [`MAX_CREDIT`] is an error.
    pub(crate) fn hear(
        &mut self,
        buffer: &mut [u8],
        requests: &mut Vec<Request>,
        most_requests: usize,
    ) -> Result<bool> {
        let mut left = most_requests;
        while left > 0 {
            match self.hear_message(buffer)? {
                Heard::Credit => {}
                Heard::Request(request) => {
                    requests.push(request);
                    left -= 1;
                }
                Heard::Nothing => return Ok(true),
                Heard::End => return Ok(false),
            }
        }
        Ok(true)
    }

    /// Reads credit unless some is left; false when the subscriber has left.
    pub(crate) fn hear_one_credit(&mut self, buffer: &mut [u8]) -> Result<bool> {
        if self.credit.has_credit() {
            return Ok(true);
        }
        match self.hear_message(buffer)? {
            Heard::End => Ok(false),
            Heard::Request(_) => Err(both()),
            Heard::Credit | Heard::Nothing => Ok(true),
        }
    }

    fn hear_message(&mut self, buffer: &mut [u8]) -> Result<Heard> {
        let received = loop {
            match socket::receive_without_descriptor(self.socket.as_fd(), buffer) {
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
        let frames = match message::decode_subscriber(received.message)? {
            SubscriberMessage::Request(_) if self.has_asked() => return Err(both()),
            SubscriberMessage::Request(request) => {
                if !self.is_for_requests {
                    socket::make_room_for_answers(self.socket.as_fd())
                        .map_err(|e| Error::io("failed to make room for answers", e))?;
                    self.is_for_requests = true;
                }
                return Ok(Heard::Request(request));
            }
            SubscriberMessage::Credit(_) if self.is_for_requests => return Err(both()),
            SubscriberMessage::Credit(frames) => frames,
        };
        self.credit.grant(frames).map_err(|_| {
            let text = format!("a subscriber granted more than {MAX_CREDIT} frames");
            Error::new(ErrorKind::TooMuchCredit, text)
        })?;
        Ok(Heard::Credit)
    }

    /// Sends an answer.
    pub(crate) fn answer(&self, answer: &Answer) -> Result<()> {
        socket::send(self.socket.as_fd(), &answer.encode(), None)
            .map_err(|e| Error::io("a subscriber does not take its answers", e))
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

fn both() -> Error {
    let text = "a subscriber that wants frames and sends requests: each needs its own connection";
    Error::new(ErrorKind::InvalidMessage, text)
}

fn needless_descriptor() -> Error {
    Error::new(ErrorKind::WrongDescriptors, "a subscriber sent a descriptor")
}
