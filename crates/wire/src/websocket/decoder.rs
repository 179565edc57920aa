//! From bytes to messages.

use bytes::{Buf as _, BytesMut};

use super::utf8::Utf8Progress;
use super::violation::Broken;
use super::{CloseReason, FrameHead, Opcode, Role, Violation, close, mask, parse_header};

/// A whole message, its fragments joined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// Text, checked to be UTF-8.
    Text(String),
    /// Any bytes.
    Binary(Vec<u8>),
    /// Wants a pong with the same payload.
    Ping(Vec<u8>),
    /// Answers a ping.
    Pong(Vec<u8>),
    /// The last message: nothing that follows is read.
    Close(Option<CloseReason>),
}

/// Turns what a peer sends, however it is cut into reads, into messages.
///
/// Memory: one message of at most `max_message` bytes and one control frame of at most 125; it grows with what arrives,
/// never with what a head merely announces.
#[derive(Debug)]
pub struct Decoder {
    role: Role,
    max_message: usize,
    state: State,
    /// The payload of the text or binary message that is arriving. Invariant: at most `max_message` bytes.
    data: Vec<u8>,
    /// What the message in `data` is, once its first frame has begun and until its last has ended.
    message: Option<Kind>,
    /// The payload of the control frame that is arriving. Invariant: at most 125 bytes.
    control: Vec<u8>,
}

#[derive(Debug)]
enum State {
    /// Between frames, or inside a frame's head.
    Head,
    /// Inside a frame's payload.
    Payload { head: FrameHead, read: u64 },
    /// A close frame has arrived.
    Closed,
    /// The peer broke a rule.
    Failed(Violation),
}

#[derive(Debug)]
enum Kind {
    Text(Utf8Progress),
    Binary,
}

impl Decoder {
    /// Makes a decoder for one connection; `max_message` bounds the sum of a message's fragments, in bytes.
    #[must_use]
    pub const fn new(role: Role, max_message: usize) -> Self {
        Self {
            role,
            max_message,
            state: State::Head,
            data: Vec::new(),
            message: None,
            control: Vec::new(),
        }
    }

    /// Takes bytes off the front of `input` until a message is whole; `None` when more input is needed.
    ///
    /// Call it until it gives `None`, then read more. On `None` at most an unfinished frame head is left in `input`
    /// (less than 14 bytes). After a close message everything is thrown away and `None` given. O(bytes taken).
    ///
    /// # Errors
    /// A [`Violation`], at the first byte that shows it; every later call gives the same one again.
    pub fn decode(&mut self, input: &mut BytesMut) -> Result<Option<Message>, Violation> {
        let result = self.advance(input);
        if let Err(violation) = &result {
            self.state = State::Failed(violation.clone());
            (self.data, self.control) = (Vec::new(), Vec::new());
        }
        result
    }

    /// Bytes of memory that it holds now for messages that are not whole.
    #[must_use]
    pub const fn held(&self) -> usize {
        self.data.capacity() + self.control.capacity()
    }

    fn advance(&mut self, input: &mut BytesMut) -> Result<Option<Message>, Violation> {
        loop {
            let (head, read) = match &self.state {
                State::Head => {
                    let Some(head) = parse_header(input)? else { return Ok(None) };
                    self.begin(&head)?;
                    input.advance(head.header_len);
                    (head, 0)
                }
                State::Payload { head, read } => (*head, *read),
                State::Closed => {
                    input.clear();
                    return Ok(None);
                }
                State::Failed(violation) => return Err(violation.clone()),
            };
            let read = read + self.take(&head, read, input)?;
            if read < head.len {
                self.state = State::Payload { head, read };
                return Ok(None);
            }
            self.state = State::Head;
            if let Some(message) = self.end(&head)? {
                return Ok(Some(message));
            }
        }
    }

    /// Checks a frame against its predecessors before any of its payload is kept.
    fn begin(&mut self, head: &FrameHead) -> Result<(), Broken> {
        match (self.role, head.masked) {
            (Role::Server, None) => return Err(Broken::NotMasked),
            (Role::Client, Some(_)) => return Err(Broken::Masked),
            _ => {}
        }
        match (head.opcode, &self.message) {
            (Opcode::Continuation, None) => return Err(Broken::NothingToContinue),
            (Opcode::Text | Opcode::Binary, Some(_)) => return Err(Broken::InsideFragmented),
            (Opcode::Text, None) => self.message = Some(Kind::Text(Utf8Progress::default())),
            (Opcode::Binary, None) => self.message = Some(Kind::Binary),
            _ => {}
        }
        let left = (self.max_message - self.data.len()) as u64;
        if !head.opcode.is_control() && head.len > left {
            return Err(Broken::TooBig { limit: self.max_message });
        }
        Ok(())
    }

    /// Moves what `input` has of the payload into its buffer, unmasked; gives the count of bytes.
    fn take(&mut self, head: &FrameHead, read: u64, input: &mut BytesMut) -> Result<u64, Broken> {
        let left = usize::try_from(head.len - read).unwrap_or(usize::MAX);
        let mut part = input.split_to(left.min(input.len()));
        if let Some(mut key) = head.masked {
            key.rotate_left((read % 4) as usize);
            mask(&mut part, key);
        }
        if head.opcode.is_control() {
            self.control.extend_from_slice(&part);
        } else {
            grow(&mut self.data, part.len(), self.max_message);
            self.data.extend_from_slice(&part);
            if let Some(Kind::Text(progress)) = &mut self.message
                && !progress.accepts(&self.data)
            {
                return Err(Broken::NotUtf8);
            }
        }
        Ok(part.len() as u64)
    }

    /// Makes the message that the frame ends, if it ends one.
    fn end(&mut self, head: &FrameHead) -> Result<Option<Message>, Broken> {
        Ok(Some(match head.opcode {
            Opcode::Ping => Message::Ping(std::mem::take(&mut self.control)),
            Opcode::Pong => Message::Pong(std::mem::take(&mut self.control)),
            Opcode::Close => {
                let reason = close::parse(&std::mem::take(&mut self.control))?;
                self.state = State::Closed;
                self.data = Vec::new();
                Message::Close(reason)
            }
            _ if !head.fin => return Ok(None),
            _ => {
                let data = std::mem::take(&mut self.data);
                match self.message.take() {
                    Some(Kind::Text(_)) => {
                        Message::Text(String::from_utf8(data).map_err(|_| Broken::NotUtf8)?)
                    }
                    _ => Message::Binary(data),
                }
            }
        }))
    }
}

/// Makes room for `more` bytes: doubles as `Vec` does, but never beyond `limit`, which the sum is known to respect.
fn grow(data: &mut Vec<u8>, more: usize, limit: usize) {
    let needed = data.len() + more;
    if needed > data.capacity() {
        let capacity = needed.max((data.capacity() * 2).min(limit));
        data.reserve_exact(capacity - data.len());
    }
}
