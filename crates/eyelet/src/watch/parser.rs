//! What a server sends, taken apart as it comes: control whole, binary messages in pieces that are never stored.
//!
//! [`eyelet_wire::websocket::Decoder`] keeps whole messages; a headless viewer of many streams cannot afford that for
//! frames. So binary frames are followed here, and all others are left to that decoder.

use std::fmt;

use bytes::BytesMut;
use eyelet_wire::websocket::{
    CloseReason, Decoder, FrameHead, MAX_HEADER_LEN, Message, Opcode, Role, Violation, parse_header,
};

/// Bytes of a text message at most: a `hello` that names a thousand streams.
const MAX_TEXT: usize = 1 << 20;

/// A step in what a server sends.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Event<'a> {
    /// A control message of the subprotocol.
    Text(String),
    /// To be answered.
    Ping(Vec<u8>),
    /// Nothing follows.
    Close(Option<CloseReason>),
    /// A binary message begins; its length unless it is fragmented.
    Begin(Option<u64>),
    /// Its next bytes.
    Part(&'a [u8]),
    /// Its next bytes, kept back until it was certain that they are its own.
    Kept(Vec<u8>),
    /// It is whole.
    End,
}

/// What the server did wrong.
#[derive(Debug)]
pub(crate) enum Broken {
    Framing(Violation),
    Masked,
    Fragments,
    Multipart(&'static str),
}

impl From<Violation> for Broken {
    fn from(violation: Violation) -> Self {
        Self::Framing(violation)
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Framing(violation) => violation.fmt(f),
            Self::Masked => f.write_str("frame from a server is masked"),
            Self::Fragments => f.write_str("fragments of two messages are mixed"),
            Self::Multipart(what) => f.write_str(what),
        }
    }
}

/// Reads one connection.
#[derive(Debug)]
pub(crate) struct Parser {
    stage: Stage,
    /// The kind of the fragmented message that is open.
    open: Option<Opcode>,
    /// Reads what is not binary.
    decoder: Decoder,
    /// What `decoder` has not taken yet.
    control: BytesMut,
}

#[derive(Debug)]
enum Stage {
    /// Inside a frame's head, of which so many bytes are there.
    Head(HeadBytes, usize),
    /// So many bytes of a text or control frame are missing.
    Control(u64),
    /// A binary frame's payload; the message ends with it if `fin`.
    Binary { left: u64, fin: bool },
}

type HeadBytes = [u8; MAX_HEADER_LEN];

const HEAD: Stage = Stage::Head([0; MAX_HEADER_LEN], 0);

impl Parser {
    pub(crate) fn new() -> Self {
        Self {
            stage: HEAD,
            open: None,
            decoder: Decoder::new(Role::Client, MAX_TEXT),
            control: BytesMut::new(),
        }
    }

    /// Takes bytes off `input` up to the next event; `None` when all is taken and more is needed. O(bytes taken).
    pub(crate) fn next<'a>(&mut self, input: &mut &'a [u8]) -> Result<Option<Event<'a>>, Broken> {
        loop {
            match &mut self.stage {
                Stage::Head(..) => {
                    let Some((head, bytes)) = self.take_head(input)? else { return Ok(None) };
                    if let Some(event) = self.begin(&head, &bytes)? {
                        return Ok(Some(event));
                    }
                }
                Stage::Control(left) => {
                    self.control.extend_from_slice(take(input, left));
                    let is_whole = *left == 0;
                    let event = self.decode()?;
                    if is_whole {
                        self.stage = HEAD;
                    }
                    if event.is_some() || !is_whole {
                        return Ok(event);
                    }
                }
                Stage::Binary { left: 0, fin } => {
                    let fin = *fin;
                    self.stage = HEAD;
                    if fin {
                        self.open = None;
                        return Ok(Some(Event::End));
                    }
                }
                Stage::Binary { left, .. } => {
                    let part = take(input, left);
                    return Ok((!part.is_empty()).then_some(Event::Part(part)));
                }
            }
        }
    }

    /// Reads a frame's head, which may come byte by byte; gives its bytes too.
    fn take_head(&mut self, input: &mut &[u8]) -> Result<Option<(FrameHead, HeadBytes)>, Broken> {
        let Stage::Head(bytes, len) = &mut self.stage else { return Ok(None) };
        let before = *len;
        let taken = input.len().min(MAX_HEADER_LEN - before);
        bytes[before..before + taken].copy_from_slice(&input[..taken]);
        let head = parse_header(&bytes[..before + taken])?;
        let taken = head.map_or(taken, |head| head.header_len - before);
        *input = &input[taken..];
        *len += taken;
        Ok(head.map(|head| (head, *bytes)))
    }

    fn begin(
        &mut self,
        head: &FrameHead,
        bytes: &HeadBytes,
    ) -> Result<Option<Event<'static>>, Broken> {
        if head.masked.is_some() {
            return Err(Broken::Masked);
        }
        let kind = match (head.opcode, self.open) {
            (Opcode::Text | Opcode::Binary, Some(_)) | (Opcode::Continuation, None) => {
                return Err(Broken::Fragments);
            }
            (Opcode::Continuation, Some(kind)) => kind,
            (kind, _) => kind,
        };
        if kind == Opcode::Binary {
            self.stage = Stage::Binary { left: head.len, fin: head.fin };
            let is_first = self.open.replace(Opcode::Binary).is_none();
            return Ok(is_first.then_some(Event::Begin(head.fin.then_some(head.len))));
        }
        if kind == Opcode::Text {
            self.open = (!head.fin).then_some(Opcode::Text);
        }
        self.control.extend_from_slice(&bytes[..head.header_len]);
        self.stage = Stage::Control(head.len);
        Ok(None)
    }

    fn decode(&mut self) -> Result<Option<Event<'static>>, Broken> {
        Ok(self.decoder.decode(&mut self.control)?.and_then(|message| match message {
            Message::Text(text) => Some(Event::Text(text)),
            Message::Ping(payload) => Some(Event::Ping(payload)),
            Message::Close(reason) => Some(Event::Close(reason)),
            Message::Pong(_) | Message::Binary(_) => None,
        }))
    }
}

/// Takes at most `left` bytes off `input`.
fn take<'a>(input: &mut &'a [u8], left: &mut u64) -> &'a [u8] {
    let len = usize::try_from(*left).unwrap_or(usize::MAX).min(input.len());
    let (part, rest) = input.split_at(len);
    *input = rest;
    *left -= len as u64;
    part
}

#[cfg(test)]
mod tests {
    use super::*;
    use eyelet_wire::websocket::header;
    use proptest::prelude::*;

    /// Feeds `bytes` in pieces of these lengths and writes down what comes; parts of one message are joined.
    fn read(bytes: &[u8], pieces: &[usize]) -> Result<Vec<String>, Broken> {
        let (mut parser, mut seen, mut message) = (Parser::new(), Vec::new(), Vec::new());
        let (mut rest, mut pieces) = (bytes, pieces.iter().cycle());
        while !rest.is_empty() {
            let len = pieces.next().copied().unwrap_or(rest.len()).clamp(1, rest.len());
            let (mut piece, after) = rest.split_at(len);
            rest = after;
            while let Some(event) = parser.next(&mut piece)? {
                match event {
                    Event::Begin(_) => message.clear(),
                    Event::Part(part) => message.extend_from_slice(part),
                    Event::End => seen.push(format!("binary {message:?}")),
                    other => seen.push(format!("{other:?}")),
                }
            }
            assert!(piece.is_empty());
        }
        Ok(seen)
    }

    fn frame(opcode: Opcode, fin: bool, payload: &[u8]) -> Vec<u8> {
        let mut bytes = [&header(opcode, payload.len() as u64, None), payload].concat();
        if !fin {
            bytes[0] &= 0x7F;
        }
        bytes
    }

    #[test]
    fn rules_of_framing_are_kept() {
        let masked = [&header(Opcode::Binary, 1, Some([1; 4]))[..], &[0]].concat();
        let continued = frame(Opcode::Continuation, true, b"x");
        let twice = [frame(Opcode::Binary, false, b"x"), frame(Opcode::Text, true, b"x")].concat();
        let long = header(Opcode::Text, MAX_TEXT as u64 + 1, None).to_vec();
        let not_utf8 = frame(Opcode::Text, true, b"\xFF");
        for wrong in [masked, continued, twice, long, not_utf8, vec![0xC2, 0]] {
            assert!(read(&wrong, &[]).is_err(), "{wrong:?}");
        }
    }

    proptest! {
        #[test]
        fn pieces_do_not_matter(
            messages in prop::collection::vec((0..5, prop::collection::vec(any::<u8>(), 0..300)), 0..8),
            pieces in prop::collection::vec(1usize..40, 1..20),
        ) {
            let (mut bytes, mut expected) = (Vec::new(), Vec::new());
            for (kind, payload) in &messages {
                let short = &payload[..payload.len().min(125)];
                match kind {
                    0 => {
                        bytes.extend(frame(Opcode::Binary, true, payload));
                        expected.push(format!("binary {payload:?}"));
                    }
                    1 => {
                        let (first, second) = payload.split_at(payload.len() / 3);
                        bytes.extend(frame(Opcode::Binary, false, first));
                        bytes.extend(frame(Opcode::Ping, true, b"between"));
                        bytes.extend(frame(Opcode::Continuation, false, b""));
                        bytes.extend(frame(Opcode::Continuation, true, second));
                        expected.push(format!("{:?}", Event::Ping(b"between".to_vec())));
                        expected.push(format!("binary {payload:?}"));
                    }
                    2 => {
                        bytes.extend(frame(Opcode::Text, false, "h\u{E4}".as_bytes()));
                        bytes.extend(frame(Opcode::Continuation, true, b"llo"));
                        expected.push(format!("{:?}", Event::Text("h\u{E4}llo".into())));
                    }
                    3 => {
                        bytes.extend(frame(Opcode::Ping, true, short));
                        expected.push(format!("{:?}", Event::Ping(short.to_vec())));
                    }
                    _ => bytes.extend(frame(Opcode::Pong, true, short)),
                }
            }
            bytes.extend(frame(Opcode::Close, true, &[]));
            expected.push(format!("{:?}", Event::Close(None)));
            prop_assert_eq!(read(&bytes, &pieces).unwrap(), expected);
        }

        #[test]
        fn anything_is_read_without_a_panic(bytes: Vec<u8>, pieces in prop::collection::vec(1usize..9, 1..5)) {
            drop(read(&bytes, &pieces));
        }
    }
}
