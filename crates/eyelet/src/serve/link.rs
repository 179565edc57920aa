//! A WebSocket connection from our side: always reading, one message out at a time.
//!
//! Pings and closes are answered here. What waits to be sent is bounded: a few pongs, a handful of texts, one frame.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::io;
use std::ops::Range;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::BytesMut;
use eyelet_area::{Frame, MonotonicNs};
use eyelet_wire::websocket::{
    Decoder, MAX_CONTROL_PAYLOAD, Message, Opcode, Role, close_payload, header,
};
use tokio::time::Sleep;

use crate::serve::counters::Counters;
use crate::serve::sending::Sending;
use crate::serve::socket::Socket;
use crate::serve::{input, tcp};

/// Texts that may wait for a viewer that does not read; more is a flood of questions.
const MAX_WAITING: usize = 64;
/// Bytes of pongs that may wait: sixteen of the longest. Of more pings than that only the last is answered, as RFC 6455,
/// section 5.5.3, allows.
const MAX_PONGS_LEN: usize = 16 * (2 + MAX_CONTROL_PAYLOAD);
/// After a close frame the other side has so long to answer before the connection is cut.
const CLOSE_PATIENCE: Duration = Duration::from_secs(2);

/// What a link has to tell.
#[derive(Debug)]
pub(crate) enum Heard {
    /// A text or binary message.
    Message(Message),
    /// The frame that was given to [`Link::send_frame`], or the message for [`Link::send`], is in the kernel's hands.
    Sent,
    /// Something else was sent: there may be room for a frame.
    Idle,
    /// The connection has ended.
    Closed,
}

/// A WebSocket connection.
#[derive(Debug)]
pub(crate) struct Link {
    stream: Socket,
    counters: Rc<Counters>,
    decoder: Decoder,
    input: BytesMut,
    sending: Sending,
    /// What is being sent is a frame or a message whose end somebody waits for.
    is_awaited: bool,
    waiting: VecDeque<Vec<u8>>,
    /// Pongs that wait, one behind the other as they are sent.
    pongs: Vec<u8>,
    end: End,
    /// With which code the client has closed; 1005 if it gave none.
    closed_with: Option<u16>,
    is_aborted: bool,
}

#[derive(Debug)]
enum End {
    Open,
    /// A close frame is to be sent when nothing else is being sent.
    Closing(Vec<u8>),
    /// It is sent; the other side may answer until then.
    Lingering(Pin<Box<Sleep>>),
}

impl Link {
    /// Takes a socket after (or just before) the handshake; `read_ahead` is what was read beyond the request.
    pub(crate) fn new(
        stream: Socket,
        read_ahead: BytesMut,
        max_message: usize,
        counters: Rc<Counters>,
    ) -> Self {
        Self {
            stream,
            counters,
            decoder: Decoder::new(Role::Server, max_message),
            input: read_ahead,
            sending: Sending::default(),
            is_awaited: false,
            waiting: VecDeque::new(),
            pongs: Vec::new(),
            end: End::Open,
            closed_with: None,
            is_aborted: false,
        }
    }

    /// The code with which the client has closed, 1005 if it gave none; nothing while it has not.
    pub(crate) fn closed_with(&self) -> Option<u16> {
        self.closed_with
    }

    /// The socket.
    pub(crate) fn stream(&self) -> &Socket {
        &self.stream
    }

    /// Begins with bytes as they are: the answer to the handshake, before anything else is sent.
    ///
    /// Nothing takes it back any more, whatever the client has sent too early.
    pub(crate) fn send_raw(&mut self, bytes: &[u8]) {
        self.sending.begin(bytes);
    }

    /// Sends a text message when the socket takes it.
    pub(crate) fn send_text(&mut self, text: &str) {
        if self.waiting.len() >= MAX_WAITING {
            self.refuse(1008, "too many questions without reading the answers");
            return;
        }
        self.waiting.push_back(message(Opcode::Text, text.as_bytes()));
    }

    /// Tells whether a frame may be begun now.
    pub(crate) fn is_idle(&self) -> bool {
        if self.is_aborted {
            return false;
        }
        let nothing_waits = self.waiting.is_empty() && self.pongs.is_empty();
        !self.sending.is_active() && nothing_waits && matches!(self.end, End::Open)
    }

    /// Begins to send a part of a frame as one message, behind `prefix`; [`Heard::Sent`] tells its end.
    ///
    /// Call it only when [`is_idle`](Self::is_idle).
    pub(crate) fn send_frame(
        &mut self,
        opcode: Opcode,
        prefix: &[u8],
        frame: Arc<Frame>,
        part: Range<u64>,
    ) {
        let len = prefix.len() as u64 + (part.end - part.start);
        let mut head = [0; 64];
        let ws = header(opcode, len, None);
        let ws_len = ws.as_ref().len();
        head[..ws_len].copy_from_slice(ws.as_ref());
        head[ws_len..ws_len + prefix.len()].copy_from_slice(prefix);
        self.sending.begin_frame(&head[..ws_len + prefix.len()], frame, part, &[]);
        self.is_awaited = true;
    }

    /// Begins to send a frame that is wrapped in its message already. Call it only when [`is_idle`](Self::is_idle).
    pub(crate) fn send_wrapped(&mut self, wrapped: Arc<Frame>) {
        let all = 0..wrapped.info().len;
        self.sending.begin_frame(&[], wrapped, all, &[]);
    }

    /// Begins to send one message; [`Heard::Sent`] tells its end. Call it only when [`is_idle`](Self::is_idle).
    pub(crate) fn send(&mut self, opcode: Opcode, payload: &[u8]) {
        self.sending.begin(&message(opcode, payload));
        self.is_awaited = true;
    }

    /// Begins to end the connection: what is being sent is finished, then the close frame goes.
    pub(crate) fn close(&mut self, code: u16, reason: &str) {
        if matches!(self.end, End::Open) {
            self.end = End::Closing(message(Opcode::Close, &close_payload(code, reason)));
            self.waiting.clear();
        }
    }

    /// The same for what the client has done, which is counted.
    pub(crate) fn refuse(&mut self, code: u16, reason: &str) {
        self.counters.closed.count(code);
        self.close(code, reason);
    }

    /// Begins to end a connection whose client says more than anybody listens to.
    pub(crate) fn close_too_many_messages(&mut self) {
        self.refuse(1009, "too many messages wait for the app");
    }

    /// When the frame was captured that it is in the middle of.
    pub(crate) fn holds_since(&self) -> Option<MonotonicNs> {
        self.sending.holds_since()
    }

    /// Lets go of what is being sent, and of the connection: nothing can be said in the middle of a message.
    pub(crate) fn abort(&mut self) {
        tcp::forget_unsent(&self.stream);
        self.sending = Sending::default();
        self.is_aborted = true;
    }

    /// Sends what the socket takes now of what is begun and of what waits; true when nothing is left.
    ///
    /// When something is left, somebody has to [`poll`](Self::poll).
    ///
    /// # Errors
    /// When the socket fails; the next [`poll`](Self::poll) says so again.
    pub(crate) fn push(&mut self) -> io::Result<bool> {
        loop {
            self.begin_waiting()?;
            if !self.sending.is_active() {
                return Ok(true);
            }
            if !self.sending.attempt(&self.stream)? {
                return Ok(false);
            }
            self.is_awaited = false;
        }
    }

    /// Reads and sends until there is something to tell. May be dropped and called again.
    ///
    /// # Errors
    /// When the socket fails; the connection is over then.
    pub(crate) async fn next(&mut self) -> io::Result<Heard> {
        poll_fn(|cx| self.poll(cx)).await
    }

    /// The same for who waits for more than this.
    ///
    /// # Errors
    /// As [`next`](Self::next).
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Heard>> {
        let mut reads = 0;
        loop {
            if self.is_aborted {
                return Poll::Ready(Ok(Heard::Closed));
            }
            if let Some(heard) = self.hear() {
                return Poll::Ready(Ok(heard));
            }
            self.begin_waiting()?;
            if self.sending.is_active() && self.sending.poll(cx, &self.stream)?.is_ready() {
                let is_awaited = std::mem::take(&mut self.is_awaited);
                return Poll::Ready(Ok(if is_awaited { Heard::Sent } else { Heard::Idle }));
            }
            if reads == input::READS_AT_A_TIME {
                // A flood must not keep out all others.
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            reads += 1;
            let input = &mut self.input;
            match input::poll_read(cx, &self.stream, |bytes| input.extend_from_slice(bytes))? {
                Poll::Ready(0) => return Poll::Ready(Ok(Heard::Closed)),
                Poll::Ready(_) => continue,
                Poll::Pending => {}
            }
            if let End::Lingering(patience) = &mut self.end
                && patience.as_mut().poll(cx).is_ready()
            {
                return Poll::Ready(Ok(Heard::Closed));
            }
            return Poll::Pending;
        }
    }

    /// Looks at what was read.
    fn hear(&mut self) -> Option<Heard> {
        loop {
            match self.decoder.decode(&mut self.input) {
                Ok(None) => return None,
                Ok(Some(Message::Ping(payload))) => self.answer_ping(&payload),
                Ok(Some(Message::Pong(_))) => {}
                // RFC 6455, section 5.5.1: answered with the same code.
                Ok(Some(Message::Close(reason))) => {
                    self.closed_with = Some(reason.as_ref().map_or(1005, |r| r.code));
                    if matches!(self.end, End::Lingering(_)) {
                        return Some(Heard::Closed);
                    }
                    let payload = close_payload(reason.map_or(1000, |r| r.code), "");
                    self.end = End::Closing(message(Opcode::Close, &payload));
                    self.waiting.clear();
                }
                Ok(Some(other)) if matches!(self.end, End::Open) => {
                    return Some(Heard::Message(other));
                }
                Ok(Some(_)) => {}
                Err(violation) => {
                    self.refuse(violation.close_code(), &violation.to_string());
                    // Nothing more can be understood.
                    self.input.clear();
                    return None;
                }
            }
        }
    }

    fn answer_ping(&mut self, payload: &[u8]) {
        // Once the close frame is out, nothing follows it.
        if matches!(self.end, End::Lingering(_)) {
            return;
        }
        let pong = message(Opcode::Pong, payload);
        if self.pongs.len() + pong.len() > MAX_PONGS_LEN {
            self.pongs.clear();
        }
        self.pongs.extend_from_slice(&pong);
    }

    /// Begins to send what waits, most urgent first.
    fn begin_waiting(&mut self) -> io::Result<()> {
        if self.sending.is_active() {
            return Ok(());
        }
        if let Some(next) = self.waiting.pop_front() {
            self.sending.begin(&next);
        } else if !self.pongs.is_empty() {
            self.sending.begin(&std::mem::take(&mut self.pongs));
        } else if let End::Closing(close) = &mut self.end {
            if close.is_empty() {
                // The close frame is out: no more from our side.
                self.stream.shutdown()?;
                self.end = End::Lingering(Box::pin(tokio::time::sleep(CLOSE_PATIENCE)));
            } else {
                self.sending.begin(&std::mem::take(close));
            }
        }
        Ok(())
    }
}

fn message(opcode: Opcode, payload: &[u8]) -> Vec<u8> {
    [header(opcode, payload.len() as u64, None).as_ref(), payload].concat()
}
