//! One subscriber, as the owner of an area keeps it.

use std::os::fd::{AsFd, OwnedFd};

use rustix::event::epoll;
use rustix::io::Errno;
use rustix::net::Shutdown;

use crate::message::{self, Answer, MAX_CREDIT, Request, State, SubscriberMessage};
use crate::socket::{self, ANSWER_ROOM_BYTES, ReceiveError, SEND_ROOM_BYTES};
use crate::{Credit, Error, ErrorKind, Frame, Result};

/// A connection, and what it is owed.
#[derive(Debug)]
pub(crate) struct Subscription {
    pub(crate) socket: OwnedFd,
    pub(crate) credit: Credit,
    /// The state was not sent since it changed.
    pub(crate) owes_state: bool,
    /// It has said that it wants a key frame, and none was published since.
    pub(crate) wants_key: bool,
    /// It was sent a frame, so it has asked for one.
    has_had_frame: bool,
    /// What epoll tells of its socket; that it was closed is told always.
    pub(crate) interest: epoll::EventFlags,
    /// What may have been sent to it and not received, in bytes.
    send_room: usize,
}

/// What a subscriber sent, as far as it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// All that was wanted; there may be no more now.
    Enough,
    /// As many requests as there was room for; there may be more.
    Share,
    /// All, and the subscriber has left.
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
            wants_key: false,
            has_had_frame: false,
            interest,
            send_room: SEND_ROOM_BYTES,
        }
    }

    /// Tells whether it has asked for a frame since it came.
    pub(crate) fn has_asked(&self) -> bool {
        self.has_had_frame || self.credit.has_credit()
    }

    /// Reads all that came, but at most `room` requests, onto `requests`.
    ///
    /// Ends soon, whatever it sends: each credit is of a frame at the least, and more than [`MAX_CREDIT`] is an error.
    pub(crate) fn hear(
        &mut self,
        buffer: &mut [u8],
        room: usize,
        requests: &mut Vec<Request>,
    ) -> Result<Heard> {
        let end = requests.len() + room;
        while requests.len() < end {
            match self.hear_message(buffer)? {
                Message::Some(SubscriberMessage::Credit { frames, wants_key }) => {
                    self.grant(frames)?;
                    self.wants_key |= wants_key;
                }
                Message::Some(SubscriberMessage::Request(request)) => requests.push(request),
                Message::None => return Ok(Heard::Enough),
                Message::End => return Ok(Heard::End),
            }
        }
        Ok(Heard::Share)
    }

    /// As [`hear`](Self::hear), but only until it has credit.
    pub(crate) fn hear_credit(
        &mut self,
        buffer: &mut [u8],
        room: usize,
        requests: &mut Vec<Request>,
    ) -> Result<Heard> {
        let end = requests.len() + room;
        while !self.credit.has_credit() && requests.len() < end {
            match self.hear_message(buffer)? {
                Message::Some(SubscriberMessage::Credit { frames, wants_key }) => {
                    self.grant(frames)?;
                    self.wants_key |= wants_key;
                }
                Message::Some(SubscriberMessage::Request(request)) => requests.push(request),
                Message::None => break,
                Message::End => return Ok(Heard::End),
            }
        }
        Ok(Heard::Enough)
    }

    fn grant(&mut self, frames: u32) -> Result<()> {
        self.credit.grant(frames).map_err(|_| {
            let text = format!("a subscriber granted more than {MAX_CREDIT} frames");
            Error::new(ErrorKind::TooMuchCredit, text)
        })
    }

    fn hear_message(&mut self, buffer: &mut [u8]) -> Result<Message> {
        loop {
            let received = match socket::receive_without_descriptor(self.socket.as_fd(), buffer) {
                Ok(Some(received)) => received,
                Ok(None) | Err(ReceiveError::Io(Errno::PIPE)) => return Ok(Message::End),
                Err(ReceiveError::Io(Errno::AGAIN)) => return Ok(Message::None),
                // The latter is told once of a peer that left with messages unread. What it sent before comes after.
                Err(ReceiveError::Io(Errno::INTR | Errno::CONNRESET)) => continue,
                Err(ReceiveError::Io(e)) => {
                    return Err(Error::io("failed to hear a subscriber", e));
                }
                Err(ReceiveError::TooManyDescriptors) => return Err(needless_descriptor()),
                Err(ReceiveError::TooLong) => return Err(too_long()),
            };
            if received.descriptor.is_some() {
                return Err(needless_descriptor());
            }
            return message::decode_subscriber(received.message).map(Message::Some);
        }
    }

    /// Tells whether it is owed nothing, and credit that comes now could not be used before the next frame.
    pub(crate) fn may_sleep(&self) -> bool {
        self.has_had_frame && !self.owes_state && !self.credit.is_behind()
    }

    /// Sends state and newest frame if they are due; true when the socket is full and something is left.
    pub(crate) fn send_due(&mut self, state: &State, newest: Option<&Frame>) -> bool {
        if self.owes_state || (self.credit.is_due() && newest.is_some()) {
            self.make_room(SEND_ROOM_BYTES);
        }
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

    /// Sends an answer.
    ///
    /// # Errors
    /// It does not fit the socket: the subscriber has not received those before.
    pub(crate) fn send_answer(&mut self, answer: &Answer) -> Result<()> {
        self.make_room(ANSWER_ROOM_BYTES);
        match socket::send(self.socket.as_fd(), &message::encode_answer(answer), None) {
            Ok(()) => Ok(()),
            Err(why @ (Errno::PIPE | Errno::CONNRESET)) => {
                self.is_full(why);
                Ok(())
            }
            Err(Errno::AGAIN) => {
                let text = "a subscriber asks and does not receive the answers";
                Err(Error::new(ErrorKind::Full, text))
            }
            Err(e) => Err(Error::io("failed to answer a subscriber", e)),
        }
    }

    /// Answers need room for those that were asked for at once; frames in it would only be pinned.
    fn make_room(&mut self, bytes: usize) {
        if self.send_room != bytes {
            self.send_room = bytes;
            // If it fails, what is sent next says so.
            socket::set_send_room(self.socket.as_fd(), bytes).ok();
        }
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

/// What a look at a subscriber's socket found.
#[derive(Debug)]
enum Message {
    Some(SubscriberMessage),
    /// Nothing now.
    None,
    /// The subscriber has left.
    End,
}

fn needless_descriptor() -> Error {
    Error::new(ErrorKind::WrongDescriptors, "a subscriber sent a descriptor")
}

fn too_long() -> Error {
    Error::new(ErrorKind::InvalidMessage, "a message longer than any that a subscriber sends")
}
