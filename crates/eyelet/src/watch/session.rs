//! One connection after its handshake, as a pure function of what arrives: what to count and what to answer.

use eyelet_area::MonotonicNs;
use eyelet_wire::v1::{
    ClientMessage, FRAME_HEADER_LEN, FormatInfo, FrameHeader, FrameHeaderError, ServerMessage,
    Start, StreamInfo,
};
use eyelet_wire::websocket::{Opcode, close_payload, header, mask};

use super::check::{self, Check};
use super::handshake::random;
use super::multipart::Multipart;
use super::parser::{Broken, Event, Parser};
use super::tally::Arrived;
use super::{Mode, Options, Verify};
use crate::error::Error;
use crate::stamp::Stamps;

/// Bytes of acknowledgements that may wait to be sent: the next one says the same as all before it.
const MAX_UNSENT: usize = 4096;

/// What a connection tells about the stream.
pub(crate) trait Witness {
    /// A frame is whole.
    fn frame(&mut self, frame: Arrived, now_us: u64);
    /// A frame came that no `config` describes.
    fn frame_without_config(&mut self);
    /// The stream's shape is known.
    fn format(&mut self, format: &FormatInfo);
    /// The server said something that is for people.
    fn remark(&mut self, text: String);
}

/// Why a connection ends.
#[derive(Debug)]
pub(crate) enum Ended {
    /// It can be tried again.
    Lost(String),
    /// Trying again will not help.
    Refused(Error),
}

/// What takes the server's bytes apart.
#[derive(Debug)]
enum Reader {
    WebSocket(Parser),
    Multipart(Multipart),
}

impl Reader {
    fn next<'a>(&mut self, input: &mut &'a [u8]) -> Result<Option<Event<'a>>, Broken> {
        match self {
            Self::WebSocket(parser) => parser.next(input),
            Self::Multipart(multipart) => multipart.next(input),
        }
    }
}

/// The state of one connection.
#[derive(Debug)]
pub(crate) struct Session {
    options: Options,
    reader: Reader,
    /// What waits to be sent.
    pub(crate) outgoing: Vec<u8>,
    /// Frames were asked for.
    pub(crate) is_started: bool,
    is_paused: bool,
    to_ack: Option<u64>,
    config_id: Option<u8>,
    /// Frames may need those before them.
    is_predicted: bool,
    message: Message,
    /// The layouts that the stamps may have; one when `is_decided`, none when there are no stamps.
    checks: Vec<Check>,
    is_decided: bool,
    /// Length of the bare frames that `checks` are for.
    bare_len: Option<u64>,
}

/// The binary message that is arriving.
#[derive(Debug)]
struct Message {
    head: [u8; FRAME_HEADER_LEN],
    head_len: usize,
    header: Option<FrameHeader>,
    /// Bytes of a longer header that are still to be skipped.
    skip: usize,
    payload_len: u64,
    is_ignored: bool,
}

const NO_MESSAGE: Message = Message {
    head: [0; FRAME_HEADER_LEN],
    head_len: 0,
    header: None,
    skip: 0,
    payload_len: 0,
    is_ignored: false,
};

impl Session {
    pub(crate) fn new(options: &Options) -> Self {
        Self {
            options: options.clone(),
            reader: match options.mode {
                Mode::V1 | Mode::Bare => Reader::WebSocket(Parser::new()),
                Mode::Mjpeg => Reader::Multipart(Multipart::new()),
            },
            outgoing: Vec::new(),
            is_started: options.mode != Mode::V1,
            is_paused: false,
            to_ack: None,
            config_id: None,
            is_predicted: false,
            message: NO_MESSAGE,
            checks: Vec::new(),
            is_decided: false,
            bare_len: None,
        }
    }

    /// Takes what arrived. O(bytes), and keeps nothing of a frame.
    pub(crate) fn feed(
        &mut self,
        mut input: &[u8],
        witness: &mut impl Witness,
    ) -> Result<(), Ended> {
        loop {
            let event = self.reader.next(&mut input);
            let event = event
                .map_err(|broken| Ended::Lost(format!("server broke the protocol: {broken}")))?;
            match event {
                Some(Event::Part(part)) => self.part(part)?,
                Some(Event::Kept(part)) => self.part(&part)?,
                Some(Event::Begin(len)) => self.begin(len),
                Some(Event::End) => self.end(witness)?,
                Some(Event::Text(text)) => self.text(&text, witness)?,
                Some(Event::Ping(payload)) => self.send(Opcode::Pong, &payload),
                Some(Event::Close(reason)) => {
                    self.send(Opcode::Close, &close_payload(1000, ""));
                    return Err(Ended::Lost(match reason {
                        Some(reason) => {
                            format!("server closed with {} `{}`", reason.code, reason.text)
                        }
                        None => "server closed without a reason".to_owned(),
                    }));
                }
                None => break,
            }
        }
        if self.outgoing.len() < MAX_UNSENT
            && let Some(seq) = self.to_ack.take()
        {
            self.send(Opcode::Text, ClientMessage::Ack { seq, stream: None }.to_json().as_bytes());
        }
        Ok(())
    }

    /// Queues a frame, masked.
    pub(crate) fn send(&mut self, opcode: Opcode, payload: &[u8]) {
        let [a, b, c, d, ..] = random().to_ne_bytes();
        let key = [a, b, c, d];
        self.outgoing.extend_from_slice(&header(opcode, payload.len() as u64, Some(key)));
        let begin = self.outgoing.len();
        self.outgoing.extend_from_slice(payload);
        mask(&mut self.outgoing[begin..], key);
    }

    fn text(&mut self, text: &str, witness: &mut impl Witness) -> Result<(), Ended> {
        if self.options.mode != Mode::V1 {
            return Ok(());
        }
        let message = ServerMessage::parse(text);
        let message =
            message.map_err(|error| Ended::Lost(format!("server broke the protocol: {error}")))?;
        match message {
            ServerMessage::Hello { streams, .. } => self.start(&streams)?,
            ServerMessage::Config { id, format, .. } => {
                self.config_id = Some(id);
                self.is_decided = false;
                self.is_predicted = format.format == "h264";
                self.checks = check::of_config(&format).into_iter().collect();
                witness.format(&format);
            }
            ServerMessage::State { state, why, .. } => {
                let why = why.map(|why| format!(": {why}")).unwrap_or_default();
                witness.remark(format!("stream is {state:?}{why}"));
            }
            ServerMessage::Error { code, message } => {
                let text = format!("server says {code:?}: {message}");
                if self.config_id.is_none() {
                    return Err(Ended::Refused(Error::refused(text)));
                }
                witness.remark(text);
            }
            _ => {}
        }
        Ok(())
    }

    /// Asks for frames.
    fn start(&mut self, streams: &[StreamInfo]) -> Result<(), Ended> {
        let stream = match &self.options.stream {
            None => None,
            Some(wanted) => {
                let by_name = streams.iter().find(|stream| stream.name == *wanted);
                let by_id = || streams.iter().find(|stream| Ok(stream.id) == wanted.parse());
                let found = by_name.or_else(by_id).ok_or_else(|| {
                    let names: Vec<_> = streams.iter().map(|s| format!("`{}`", s.name)).collect();
                    let text = format!("no stream `{wanted}`; there is {}", names.join(", "));
                    Ended::Refused(Error::refused(text))
                })?;
                Some(found.id)
            }
        };
        let formats = self.options.format.clone().map(|format| vec![format]);
        let start = Start { stream, formats, window: self.options.window, maxfps: None };
        self.send(Opcode::Text, ClientMessage::Start(start).to_json().as_bytes());
        self.is_started = true;
        Ok(())
    }

    fn begin(&mut self, len: Option<u64>) {
        self.message = NO_MESSAGE;
        if self.options.mode == Mode::V1 || (self.bare_len == len && len.is_some()) {
            return;
        }
        self.bare_len = len;
        // Pictures of JPEG are never of one length.
        let fits = self.is_decided && self.checks.first().is_some_and(Check::fits_any_length);
        if !fits {
            self.is_decided = false;
            self.checks = check::of_len(len.unwrap_or(0));
        }
    }

    fn part(&mut self, mut part: &[u8]) -> Result<(), Ended> {
        let message = &mut self.message;
        if self.options.mode == Mode::V1 && message.header.is_none() && !message.is_ignored {
            let taken = part.len().min(FRAME_HEADER_LEN - message.head_len);
            message.head[message.head_len..message.head_len + taken]
                .copy_from_slice(&part[..taken]);
            message.head_len += taken;
            part = &part[taken..];
            match FrameHeader::decode(&message.head[..message.head_len]) {
                Ok((header, offset)) => {
                    message.header = Some(header);
                    message.skip = offset - FRAME_HEADER_LEN;
                }
                Err(FrameHeaderError::NotAFrame(_)) => message.is_ignored = true,
                Err(FrameHeaderError::TooShort(_)) => return Ok(()),
                Err(error) => {
                    return Err(Ended::Lost(format!("server broke the protocol: {error}")));
                }
            }
        }
        let skipped = message.skip.min(part.len());
        message.skip -= skipped;
        part = &part[skipped..];
        message.payload_len += part.len() as u64;
        if !message.is_ignored && self.options.verify != Verify::Never {
            self.checks.iter_mut().for_each(|check| check.part(part));
        }
        Ok(())
    }

    fn end(&mut self, witness: &mut impl Witness) -> Result<(), Ended> {
        let now_us = MonotonicNs::now().as_micros();
        let message = std::mem::replace(&mut self.message, NO_MESSAGE);
        if message.is_ignored {
            return Ok(());
        }
        let header = message.header.as_ref();
        if self.options.mode == Mode::V1 {
            let Some(header) = header.filter(|_| message.skip == 0) else {
                let what = "a binary message ends inside the frame header";
                return Err(Ended::Lost(format!("server broke the protocol: {what}")));
            };
            if self.options.window.is_some() && !self.options.no_ack {
                self.to_ack = Some(header.sequence);
            }
            if self.config_id != Some(header.config_id) {
                for check in &mut self.checks {
                    check.end(); // what it says is of no use
                }
                witness.frame_without_config();
                return Ok(());
            }
        }
        let (stamps, stamped_us) = self.judge();
        let stamped = match stamps {
            Some(Stamps::Whole(sequence)) => Some(sequence),
            _ => None,
        };
        let frame = Arrived {
            sequence: header.map(|header| header.sequence).or(stamped),
            dropped: header.map_or(0, |header| header.dropped),
            len: message.payload_len,
            stamps,
            captured_us: header.map(|header| header.captured_us).or(stamped_us),
            sent_us: header.map(|header| header.sent_us),
            needs_last: self.is_predicted && header.is_some_and(|header| !header.flags.key),
        };
        if self.options.pauses && !std::mem::replace(&mut self.is_paused, true) {
            self.send(Opcode::Text, ClientMessage::Pause { stream: None }.to_json().as_bytes());
        }
        witness.frame(frame, now_us);
        Ok(())
    }

    /// Judges the frame that ended; the first of a format decides whether there are stamps, and where. Gives the time in
    /// them too.
    fn judge(&mut self) -> (Option<Stamps>, Option<u64>) {
        if self.options.verify == Verify::Never {
            return (None, None);
        }
        if let ([check], true) = (&mut self.checks[..], self.is_decided) {
            let (stamps, captured_us) = check.end();
            return (Some(stamps), captured_us);
        }
        let found: Vec<(Stamps, Option<u64>)> = self.checks.iter_mut().map(Check::end).collect();
        let always = (self.options.verify == Verify::Always).then_some(Stamps::Absent);
        if !std::mem::replace(&mut self.is_decided, true) {
            let is_whole = |found: &(Stamps, _)| matches!(found.0, Stamps::Whole(_));
            let best = found.iter().position(is_whole);
            // One row that looks like a stamp may be a picture of something else: it decides only where stamps are
            // known to be there.
            let is_certain = self.options.verify == Verify::Always;
            let torn = || found.iter().position(|found| found.0 == Stamps::Torn);
            let best = best.or_else(|| torn().filter(|_| is_certain));
            self.checks = best.map(|best| self.checks.swap_remove(best)).into_iter().collect();
            if let Some(best) = best {
                return (Some(found[best].0), found[best].1);
            }
        }
        (always, None)
    }
}
