//! Requests to an area's owner, and their answers: small data that is read and changed in order.

use super::{ANSWER_KIND, REQUEST_KIND, begin, get, get_u32, get_u64, invalid, offset, put};
use crate::Result;

/// Length of a request without its payload, in bytes.
pub const REQUEST_HEAD_LEN: usize = 40;
/// Length of an answer without its payload, in bytes.
pub const ANSWER_HEAD_LEN: usize = 32;
/// Longest payload of a request or an answer, in bytes: three of them fit what a socket may hold.
pub const MAX_REQUEST_PAYLOAD_LEN: usize = 64 << 10;

const OP_READ: u16 = 1;
const OP_WRITE: u16 = 2;
const OP_ADD: u16 = 3;

/// What is asked of an area's owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Whatever the asker likes; the answer has it too.
    pub tag: u32,
    /// What is asked.
    pub ask: Ask,
}

/// Something that an owner does at once, and whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Give bytes.
    Read {
        /// The first byte.
        pos: u64,
        /// How many; 0 for all from `pos` on.
        len: u64,
    },
    /// Put bytes there.
    Write {
        /// The first byte.
        pos: u64,
        /// At most [`MAX_REQUEST_PAYLOAD_LEN`] bytes.
        payload: Vec<u8>,
    },
    /// Add to a little-endian number, which wraps.
    Add {
        /// Its first byte.
        pos: u64,
        /// How wide it is.
        bits: Bits,
        /// What is added.
        amount: i64,
    },
}

/// How wide a number is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names say all")]
pub enum Bits {
    B8,
    B16,
    B32,
    B64,
}

impl Bits {
    /// Gives the width of so many bits; none where no number has that.
    #[must_use]
    pub const fn new(bits: u16) -> Option<Self> {
        match bits {
            8 => Some(Self::B8),
            16 => Some(Self::B16),
            32 => Some(Self::B32),
            64 => Some(Self::B64),
            _ => None,
        }
    }

    /// The number of bits.
    #[must_use]
    pub const fn count(self) -> u16 {
        match self {
            Self::B8 => 8,
            Self::B16 => 16,
            Self::B32 => 32,
            Self::B64 => 64,
        }
    }

    /// The number of bytes.
    #[must_use]
    pub const fn bytes(self) -> usize {
        self.count() as usize / 8
    }
}

/// What came of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// The request's.
    pub tag: u32,
    /// Whether it was done.
    pub outcome: Outcome,
    /// Of a change: the sequence of the frame that has it, or of a later one.
    pub sequence: u64,
    /// Of an addition: the number afterwards, its sign extended. Of one out of range: the area's length.
    pub value: i64,
    /// What was read.
    pub payload: Vec<u8>,
}

/// Whether a request was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It was.
    #[default]
    Done,
    /// Not every byte lies inside the area; nothing is changed.
    OutOfRange,
    /// This owner takes no such request.
    Refused,
    /// More is to be read than an answer can have.
    TooLong,
}

impl Request {
    /// Writes the message. The payload is not checked to be short enough: who made it knows.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut head: [u8; REQUEST_HEAD_LEN] = begin(REQUEST_KIND);
        put(&mut head, offset::REQUEST_TAG, self.tag.to_le_bytes());
        let (op, bits, pos, len, amount, payload): (_, _, _, _, _, &[u8]) = match &self.ask {
            Ask::Read { pos, len } => (OP_READ, 0, *pos, *len, 0, &[]),
            Ask::Write { pos, payload } => (OP_WRITE, 0, *pos, payload.len() as u64, 0, payload),
            Ask::Add { pos, bits, amount } => (OP_ADD, bits.count(), *pos, 0, *amount, &[]),
        };
        put(&mut head, offset::REQUEST_OP, op.to_le_bytes());
        put(&mut head, offset::REQUEST_BITS, bits.to_le_bytes());
        put(&mut head, offset::REQUEST_POS, pos.to_le_bytes());
        put(&mut head, offset::REQUEST_LEN, len.to_le_bytes());
        put(&mut head, offset::REQUEST_AMOUNT, amount.to_le_bytes());
        [&head, payload].concat()
    }
}

impl Answer {
    /// Writes the message.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut head: [u8; ANSWER_HEAD_LEN] = begin(ANSWER_KIND);
        put(&mut head, offset::ANSWER_TAG, self.tag.to_le_bytes());
        let outcome: u16 = match self.outcome {
            Outcome::Done => 0,
            Outcome::OutOfRange => 1,
            Outcome::Refused => 2,
            Outcome::TooLong => 3,
        };
        put(&mut head, offset::ANSWER_OUTCOME, outcome.to_le_bytes());
        put(&mut head, offset::ANSWER_SEQUENCE, self.sequence.to_le_bytes());
        put(&mut head, offset::ANSWER_VALUE, self.value.to_le_bytes());
        [&head, &self.payload[..]].concat()
    }
}

/// Checks that a message has its head and not too much behind it, and gives that.
fn payload(bytes: &[u8], head_len: usize) -> Result<&[u8]> {
    let payload = bytes.get(head_len..).filter(|p| p.len() <= MAX_REQUEST_PAYLOAD_LEN);
    payload.ok_or_else(|| invalid(format!("a request or an answer of {} bytes", bytes.len())))
}

pub(super) fn decode(bytes: &[u8]) -> Result<Request> {
    let payload = payload(bytes, REQUEST_HEAD_LEN)?;
    let u16_at = |at| u16::from_le_bytes(get(bytes, at));
    let (pos, len) = (get_u64(bytes, offset::REQUEST_POS), get_u64(bytes, offset::REQUEST_LEN));
    let bits = u16_at(offset::REQUEST_BITS);
    let ask = match u16_at(offset::REQUEST_OP) {
        OP_READ if payload.is_empty() => Ask::Read { pos, len },
        OP_WRITE if payload.len() as u64 == len => Ask::Write { pos, payload: payload.to_vec() },
        OP_ADD if payload.is_empty() => {
            let bits =
                Bits::new(bits).ok_or_else(|| invalid(format!("a number of {bits} bits")))?;
            Ask::Add { pos, bits, amount: i64::from_le_bytes(get(bytes, offset::REQUEST_AMOUNT)) }
        }
        op @ (OP_READ | OP_WRITE | OP_ADD) => {
            let text = format!("a request of kind {op} with {} bytes of payload", payload.len());
            return Err(invalid(text));
        }
        op => return Err(invalid(format!("a request for {op}, which is nothing"))),
    };
    Ok(Request { tag: get_u32(bytes, offset::REQUEST_TAG), ask })
}

pub(super) fn decode_answer(bytes: &[u8]) -> Result<Answer> {
    let payload = payload(bytes, ANSWER_HEAD_LEN)?;
    let outcome = match u16::from_le_bytes(get(bytes, offset::ANSWER_OUTCOME)) {
        0 => Outcome::Done,
        1 => Outcome::OutOfRange,
        2 => Outcome::Refused,
        3 => Outcome::TooLong,
        other => return Err(invalid(format!("an answer with outcome {other}"))),
    };
    Ok(Answer {
        tag: get_u32(bytes, offset::ANSWER_TAG),
        outcome,
        sequence: get_u64(bytes, offset::ANSWER_SEQUENCE),
        value: i64::from_le_bytes(get(bytes, offset::ANSWER_VALUE)),
        payload: payload.to_vec(),
    })
}
