//! A WebSocket: messages, and frames as messages.

use std::ops::{Deref, DerefMut, RangeBounds};
use std::time::Duration;

use eyelet_wire::verbs::{MAX_PAYLOAD_LEN, MAX_REASON_LEN, Op};
use eyelet_wire::websocket::may_close_with;

use crate::areas::{Area, at_most, part};
use crate::error::{Error, Result};
use crate::link::{nonsense, number, seconds};
use crate::request::Request;

/// A WebSocket, made by [`Request::handshake`]. It can do all that its [`Request`] can; it is closed with 1000 when the
/// handler returns, with 1011 when that fails.
#[derive(Debug)]
pub struct WebSocket<'a> {
    request: &'a mut Request,
}

/// A message of the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// Text.
    Text(String),
    /// Bytes.
    Binary(Vec<u8>),
}

impl<'a> WebSocket<'a> {
    pub(crate) fn new(request: &'a mut Request) -> Self {
        Self { request }
    }

    /// Sends the area's newest frame as one binary message; gives its sequence when it is in the client's socket. Waits
    /// for the first frame where there is none yet.
    ///
    /// # Errors
    /// [`Error::NoArea`], [`Error::OutOfRange`] if there is no frame, [`Error::Gone`].
    pub fn send_area<'n>(&mut self, area: impl Into<Area<'n>>) -> Result<u64> {
        self.send_area_part(area, .., Op::Binary)
    }

    /// Sends these bytes of the area's newest frame as one message; gives its sequence. Nobody looks whether a text is
    /// UTF-8.
    ///
    /// # Errors
    /// As [`send_area`](Self::send_area); [`Error::OutOfRange`] too if the frame is shorter.
    pub fn send_area_part<'n>(
        &mut self,
        area: impl Into<Area<'n>>,
        bytes: impl RangeBounds<u64>,
        op: Op,
    ) -> Result<u64> {
        let (area, (pos, len), op) = (area.into().checked()?, part(bytes)?, digit(op));
        number(&self.link.ask(format_args!("send-area {area} {pos} {len} {op}"), &[])?)
    }

    /// Sends each newest frame of the area as one message, without the app, until the client leaves or a
    /// [`Stopper`](crate::Stopper) ends it, which alone is `Ok`.
    ///
    /// # Errors
    /// [`Error::NoArea`], [`Error::Gone`].
    pub fn follow<'n>(&mut self, area: impl Into<Area<'n>>, op: Op) -> Result<()> {
        let (area, op) = (area.into().checked()?, digit(op));
        match self.link.ask(format_args!("follow {area} {op}"), &[]) {
            Ok(_) | Err(Error::Stopped(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Sends a text.
    ///
    /// # Errors
    /// [`Error::TooLarge`] beyond 16 MiB, [`Error::Gone`].
    pub fn send_text(&mut self, text: impl AsRef<str>) -> Result<()> {
        self.send(Op::Text, text.as_ref().as_bytes())
    }

    /// Sends bytes.
    ///
    /// # Errors
    /// [`Error::TooLarge`] beyond 16 MiB, [`Error::Gone`].
    pub fn send_binary(&mut self, bytes: impl AsRef<[u8]>) -> Result<()> {
        self.send(Op::Binary, bytes.as_ref())
    }

    fn send(&mut self, op: Op, bytes: &[u8]) -> Result<()> {
        at_most(bytes, MAX_PAYLOAD_LEN)?;
        self.link.ask(format_args!("send {} {}", digit(op), bytes.len()), bytes).map(drop)
    }

    /// Waits for a message.
    ///
    /// # Errors
    /// [`Error::Gone`] when none is left, [`Error::Stopped`].
    pub fn recv(&mut self) -> Result<Message> {
        self.recv_so_long(None)
    }

    /// Waits for a message, so long at most.
    ///
    /// # Errors
    /// As [`recv`](Self::recv), and [`Error::Timeout`].
    pub fn recv_timeout(&mut self, timeout: Duration) -> Result<Message> {
        self.recv_so_long(Some(timeout))
    }

    fn recv_so_long(&mut self, timeout: Option<Duration>) -> Result<Message> {
        let words = self.link.ask(format_args!("recv {}", seconds(timeout)), &[])?;
        self.message(&words)
    }

    /// Gives a message that is there; never waits.
    ///
    /// # Errors
    /// [`Error::Gone`] when none is left.
    pub fn try_recv(&mut self) -> Result<Option<Message>> {
        let words = self.link.ask(format_args!("recv-nb"), &[])?;
        if words.is_empty() { Ok(None) } else { self.message(&words).map(Some) }
    }

    fn message(&mut self, words: &str) -> Result<Message> {
        let (op, len) = words.split_once(' ').unwrap_or((words, ""));
        let bytes = self.link.payload(len)?;
        match op {
            "1" => Ok(Message::Text(
                String::from_utf8(bytes).map_err(|_| nonsense("a text is not UTF-8"))?,
            )),
            "2" => Ok(Message::Binary(bytes)),
            _ => Err(nonsense(words)),
        }
    }

    /// Closes it with a code and a reason of 123 bytes at most; codes of an app's own are 4000 to 4999.
    ///
    /// # Errors
    /// [`Error::BadRequest`] if nobody may close with this code, [`Error::TooLarge`], [`Error::Gone`].
    pub fn close(&mut self, code: u16, reason: &str) -> Result<()> {
        if !may_close_with(code) {
            return Err(Error::BadRequest(format!("nobody may close with {code}")));
        }
        at_most(reason.as_bytes(), MAX_REASON_LEN)?;
        let verb = format_args!("close {code} {}", reason.len());
        self.request.link.ask(verb, reason.as_bytes()).map(drop)
    }
}

impl Deref for WebSocket<'_> {
    type Target = Request;

    fn deref(&self) -> &Request {
        self.request
    }
}

impl DerefMut for WebSocket<'_> {
    fn deref_mut(&mut self) -> &mut Request {
        self.request
    }
}

const fn digit(op: Op) -> u8 {
    match op {
        Op::Text => 1,
        Op::Binary => 2,
    }
}
