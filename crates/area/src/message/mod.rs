//! The fixed layout of every message on an area's socket. Normative: `docs/ref/area.md`.
//!
//! All numbers are little endian. One message is one datagram of the `SOCK_SEQPACKET` socket, of exactly the length
//! that its kind has; reserved bytes are zero when sent and not looked at when received.

mod request;

use std::time::Duration;

pub use request::{
    ANSWER_HEAD_LEN, Answer, Bits, MAX_ANSWER_LEN, MAX_ANSWER_PAYLOAD_LEN, MAX_REASON_LEN,
    MAX_REQUEST_LEN, MAX_REQUEST_PAYLOAD_LEN, Op, Outcome, REQUEST_HEAD_LEN, Request,
    encode_answer, encode_request,
};

use crate::frame::{FrameFlags, FrameInfo};
use crate::{Error, ErrorKind, Format, FourCc, Matrix, MonotonicNs, Range, Result};

/// First bytes of every message: `EYEA`.
pub const MAGIC: [u8; 4] = *b"EYEA";
/// Version of this layout.
pub const VERSION: u16 = 1;
/// Most frames that a subscriber may have granted and not received.
///
/// One in use and one on its way keep a reader busy; more would only pin frames that are no longer the newest.
pub const MAX_CREDIT: u32 = 2;

/// Offsets in bytes, as `docs/ref/area.md` lists them.
pub mod offset {
    #![allow(missing_docs, reason = "the names are those of the table in docs/ref/area.md")]
    pub const MAGIC: usize = 0;
    pub const VERSION: usize = 4;
    pub const KIND: usize = 6;

    pub const FRAME_SEQUENCE: usize = 8;
    pub const FRAME_CAPTURED_AT: usize = 16;
    pub const FRAME_PUBLISHED_AT: usize = 24;
    pub const FRAME_MISSED: usize = 32;
    pub const FRAME_LEN: usize = 40;
    pub const FRAME_WIDTH: usize = 48;
    pub const FRAME_HEIGHT: usize = 52;
    pub const FRAME_STRIDE: usize = 56;
    pub const FRAME_FOURCC: usize = 60;
    pub const FRAME_INTERVAL: usize = 64;
    pub const FRAME_MATRIX: usize = 72;
    pub const FRAME_RANGE: usize = 73;
    pub const FRAME_FLAGS: usize = 74;
    pub const FRAME_RESERVED: usize = 76;

    pub const STATE_STATE: usize = 8;
    pub const STATE_WHY_LEN: usize = 12;
    pub const STATE_WHY: usize = 16;

    pub const CREDIT_FRAMES: usize = 8;
    pub const CREDIT_FLAGS: usize = 12;
    pub const CREDIT_RESERVED: usize = 14;

    pub const REQUEST_TAG: usize = 8;
    pub const REQUEST_OP: usize = 12;
    pub const REQUEST_BITS: usize = 14;
    pub const REQUEST_POS: usize = 16;
    pub const REQUEST_LEN: usize = 24;
    pub const REQUEST_AMOUNT: usize = 32;

    pub const ANSWER_TAG: usize = 8;
    pub const ANSWER_OUTCOME: usize = 12;
    pub const ANSWER_RESERVED: usize = 14;
    pub const ANSWER_SEQUENCE: usize = 16;
    pub const ANSWER_VALUE: usize = 24;
}

/// Length of a frame message, in bytes.
pub const FRAME_MESSAGE_LEN: usize = 96;
/// Length of a state message, in bytes.
pub const STATE_MESSAGE_LEN: usize = 256;
/// Length of a credit message, in bytes.
pub const CREDIT_MESSAGE_LEN: usize = 16;
/// No message without a payload is longer.
pub const MAX_MESSAGE_LEN: usize = STATE_MESSAGE_LEN;

const FRAME_KIND: u16 = 1;
const STATE_KIND: u16 = 2;
const CREDIT_KIND: u16 = 3;
const REQUEST_KIND: u16 = 4;
const ANSWER_KIND: u16 = 5;
const FLAG_KEY: u16 = 1;
const FLAG_WANTS_KEY: u16 = 1;
const STATE_LIVE: u32 = 1;
const STATE_NO_SIGNAL: u32 = 2;

/// What an area's owner says of its source.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum State {
    /// Frames come.
    Live,
    /// No frames come, because none has come yet.
    #[default]
    NoSignalYet,
    /// No frames come, for this reason.
    NoSignal {
        /// One line for a person; at most 240 bytes arrive.
        why: String,
    },
}

impl State {
    /// Gives the reason why there is no signal; empty while live and before the start.
    #[must_use]
    pub fn why(&self) -> &str {
        match self {
            Self::NoSignal { why } => why,
            Self::Live | Self::NoSignalYet => "",
        }
    }

    /// Tells whether frames come.
    #[must_use]
    pub fn is_live(&self) -> bool {
        *self == Self::Live
    }
}

/// A message from an owner to a subscriber.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OwnerMessage {
    /// A frame; its memfd travels beside it as the only descriptor.
    Frame {
        /// What it is.
        info: FrameInfo,
        /// Frames published since the last one that this subscriber got, and not sent to it.
        missed: u64,
    },
    /// What the owner says of its source.
    State(State),
    /// What came of a request.
    Answer(Answer),
}

/// A message from a subscriber to an owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SubscriberMessage {
    /// It takes frames.
    Credit {
        /// So many more; never 0.
        frames: u32,
        /// It cannot use others before the next key frame.
        wants_key: bool,
    },
    /// It wants application data read or changed.
    Request(Request),
}

fn put<const N: usize>(to: &mut [u8], at: usize, bytes: [u8; N]) {
    to[at..at + N].copy_from_slice(&bytes);
}

fn get<const N: usize>(from: &[u8], at: usize) -> [u8; N] {
    let mut bytes = [0; N];
    bytes.copy_from_slice(&from[at..at + N]);
    bytes
}

fn get_u32(from: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(get(from, at))
}

fn get_u64(from: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(get(from, at))
}

fn begin<const N: usize>(kind: u16) -> [u8; N] {
    let mut bytes = [0; N];
    put(&mut bytes, offset::MAGIC, MAGIC);
    put(&mut bytes, offset::VERSION, VERSION.to_le_bytes());
    put(&mut bytes, offset::KIND, kind.to_le_bytes());
    bytes
}

/// Writes the message that goes with a frame's memfd.
#[must_use]
pub fn encode_frame(info: &FrameInfo, missed: u64) -> [u8; FRAME_MESSAGE_LEN] {
    let mut bytes = begin(FRAME_KIND);
    put(&mut bytes, offset::FRAME_SEQUENCE, info.sequence.to_le_bytes());
    put(&mut bytes, offset::FRAME_CAPTURED_AT, info.captured_at.0.to_le_bytes());
    put(&mut bytes, offset::FRAME_PUBLISHED_AT, info.published_at.0.to_le_bytes());
    put(&mut bytes, offset::FRAME_MISSED, missed.to_le_bytes());
    put(&mut bytes, offset::FRAME_LEN, info.len.to_le_bytes());
    put(&mut bytes, offset::FRAME_WIDTH, info.format.width.to_le_bytes());
    put(&mut bytes, offset::FRAME_HEIGHT, info.format.height.to_le_bytes());
    put(&mut bytes, offset::FRAME_STRIDE, info.format.stride.to_le_bytes());
    put(&mut bytes, offset::FRAME_FOURCC, info.format.fourcc.0);
    let interval = u64::try_from(info.interval.as_nanos()).unwrap_or(0);
    put(&mut bytes, offset::FRAME_INTERVAL, interval.to_le_bytes());
    bytes[offset::FRAME_MATRIX] = info.format.matrix as u8;
    bytes[offset::FRAME_RANGE] = info.format.range as u8;
    let flags = if info.flags.is_key { FLAG_KEY } else { 0 };
    put(&mut bytes, offset::FRAME_FLAGS, flags.to_le_bytes());
    bytes
}

/// Writes a state message; a reason that does not fit is cut at a character.
#[must_use]
pub fn encode_state(state: &State) -> [u8; STATE_MESSAGE_LEN] {
    let mut bytes = begin(STATE_KIND);
    let code = if state.is_live() { STATE_LIVE } else { STATE_NO_SIGNAL };
    put(&mut bytes, offset::STATE_STATE, code.to_le_bytes());
    let why = state.why();
    let cut = why.floor_char_boundary(STATE_MESSAGE_LEN - offset::STATE_WHY);
    let len = u32::try_from(cut).unwrap_or(0);
    put(&mut bytes, offset::STATE_WHY_LEN, len.to_le_bytes());
    bytes[offset::STATE_WHY..offset::STATE_WHY + cut].copy_from_slice(&why.as_bytes()[..cut]);
    bytes
}

/// Writes a credit message.
#[must_use]
pub fn encode_credit(frames: u32, wants_key: bool) -> [u8; CREDIT_MESSAGE_LEN] {
    let mut bytes = begin(CREDIT_KIND);
    put(&mut bytes, offset::CREDIT_FRAMES, frames.to_le_bytes());
    let flags = if wants_key { FLAG_WANTS_KEY } else { 0 };
    put(&mut bytes, offset::CREDIT_FLAGS, flags.to_le_bytes());
    bytes
}

/// Checks what all messages share and gives the kind.
fn kind(bytes: &[u8]) -> Result<u16> {
    if bytes.len() < 8 || bytes[..4] != MAGIC {
        let text = format!("{} bytes that are no message of an area", bytes.len());
        return Err(Error::new(ErrorKind::InvalidMessage, text));
    }
    let version = u16::from_le_bytes(get(bytes, offset::VERSION));
    if version != VERSION {
        let text =
            format!("the peer speaks version {version} of the area protocol, this is {VERSION}");
        return Err(Error::new(ErrorKind::WrongVersion, text));
    }
    Ok(u16::from_le_bytes(get(bytes, offset::KIND)))
}

fn invalid(what: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidMessage, what)
}

fn check_len(bytes: &[u8], expected: usize) -> Result<()> {
    match bytes.len() {
        n if n == expected => Ok(()),
        n => Err(invalid(format!("a message of {n} bytes; its kind has {expected}"))),
    }
}

/// Reads what a subscriber sent.
///
/// # Errors
/// [`ErrorKind::InvalidMessage`], [`ErrorKind::WrongVersion`].
pub fn decode_subscriber(bytes: &[u8]) -> Result<SubscriberMessage> {
    match kind(bytes)? {
        CREDIT_KIND => decode_credit(bytes),
        REQUEST_KIND => request::decode_request(bytes).map(SubscriberMessage::Request),
        other => Err(invalid(format!("a subscriber sent a message of kind {other}"))),
    }
}

fn decode_credit(bytes: &[u8]) -> Result<SubscriberMessage> {
    check_len(bytes, CREDIT_MESSAGE_LEN)?;
    let flags = u16::from_le_bytes(get(bytes, offset::CREDIT_FLAGS));
    match get_u32(bytes, offset::CREDIT_FRAMES) {
        0 => Err(invalid("credit for no frame")),
        frames => Ok(SubscriberMessage::Credit { frames, wants_key: flags & FLAG_WANTS_KEY != 0 }),
    }
}

/// Reads what an owner sent.
///
/// # Errors
/// [`ErrorKind::InvalidMessage`], [`ErrorKind::WrongVersion`].
pub fn decode_owner(bytes: &[u8]) -> Result<OwnerMessage> {
    match kind(bytes)? {
        FRAME_KIND => decode_frame(bytes),
        STATE_KIND => decode_state(bytes),
        ANSWER_KIND => request::decode_answer(bytes).map(OwnerMessage::Answer),
        other => Err(invalid(format!("an owner sent a message of kind {other}"))),
    }
}

fn decode_frame(bytes: &[u8]) -> Result<OwnerMessage> {
    check_len(bytes, FRAME_MESSAGE_LEN)?;
    let side = |at| match get_u32(bytes, at) {
        px if px <= Format::MAX_SIDE_PX => Ok(px),
        px => Err(invalid(format!("a frame {px} pixels wide or high"))),
    };
    let (matrix, range) = (bytes[offset::FRAME_MATRIX], bytes[offset::FRAME_RANGE]);
    let format = Format {
        width: side(offset::FRAME_WIDTH)?,
        height: side(offset::FRAME_HEIGHT)?,
        stride: get_u32(bytes, offset::FRAME_STRIDE),
        fourcc: FourCc(get(bytes, offset::FRAME_FOURCC)),
        matrix: Matrix::from_code(matrix).ok_or_else(|| invalid(format!("matrix {matrix}")))?,
        range: Range::from_code(range).ok_or_else(|| invalid(format!("range {range}")))?,
    };
    let info = FrameInfo {
        sequence: get_u64(bytes, offset::FRAME_SEQUENCE),
        captured_at: MonotonicNs(get_u64(bytes, offset::FRAME_CAPTURED_AT)),
        published_at: MonotonicNs(get_u64(bytes, offset::FRAME_PUBLISHED_AT)),
        len: get_u64(bytes, offset::FRAME_LEN),
        format,
        interval: Duration::from_nanos(get_u64(bytes, offset::FRAME_INTERVAL)),
        flags: FrameFlags {
            is_key: u16::from_le_bytes(get(bytes, offset::FRAME_FLAGS)) & FLAG_KEY != 0,
        },
    };
    match format.packed_len() {
        Some(len) if len > info.len => {
            Err(invalid(format!("a {format} frame of {} bytes; it needs {len}", info.len)))
        }
        _ => Ok(OwnerMessage::Frame { info, missed: get_u64(bytes, offset::FRAME_MISSED) }),
    }
}

fn decode_state(bytes: &[u8]) -> Result<OwnerMessage> {
    check_len(bytes, STATE_MESSAGE_LEN)?;
    let len = get_u32(bytes, offset::STATE_WHY_LEN) as usize;
    let why = bytes[offset::STATE_WHY..]
        .get(..len)
        .and_then(|why| std::str::from_utf8(why).ok())
        .ok_or_else(|| invalid("a state whose reason is no text"))?;
    let state = match get_u32(bytes, offset::STATE_STATE) {
        STATE_LIVE => State::Live,
        STATE_NO_SIGNAL if why.is_empty() => State::NoSignalYet,
        STATE_NO_SIGNAL => State::NoSignal { why: why.to_owned() },
        other => return Err(invalid(format!("state {other}"))),
    };
    Ok(OwnerMessage::State(state))
}

#[cfg(test)]
mod tests;
