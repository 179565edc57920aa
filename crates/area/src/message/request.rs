//! What subscribers ask of an area of application data, and what its owner answers.

use super::{ANSWER_KIND, REQUEST_KIND, begin, get, get_u32, get_u64, invalid, offset, put};
use crate::Result;

/// Length of a request without its payload, in bytes.
pub const REQUEST_HEAD_LEN: usize = 40;
/// Length of an answer without its payload, in bytes.
pub const ANSWER_HEAD_LEN: usize = 32;
/// The longest payload of a request, in bytes.
///
/// A datagram has to fit the socket whole, and this fits where nobody changed the kernel's defaults. What is larger is
/// written in pieces.
pub const MAX_REQUEST_PAYLOAD_LEN: usize = 65_536;
/// The longest payload of an answer, in bytes. What is larger is read from the frame.
pub const MAX_ANSWER_PAYLOAD_LEN: usize = 65_536;
/// The longest reason of a refusal, in bytes; a longer one is cut at a character.
pub const MAX_REASON_LEN: usize = 240;
/// No request is longer.
pub const MAX_REQUEST_LEN: usize = REQUEST_HEAD_LEN + MAX_REQUEST_PAYLOAD_LEN;
/// No answer is longer.
pub const MAX_ANSWER_LEN: usize = ANSWER_HEAD_LEN + MAX_ANSWER_PAYLOAD_LEN;

const READ: u16 = 1;
const WRITE: u16 = 2;
const ADD: u16 = 3;

/// A subscriber's wish to read or change an area of application data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Whatever the subscriber likes; the answer has it too.
    pub tag: u32,
    /// What is to be done.
    pub op: Op,
}

/// What a request is to do with the bytes of an area.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// Give bytes as they are now.
    Read {
        /// The first byte.
        pos: u64,
        /// Bytes wanted; 0 for all from `pos` on.
        len: u64,
    },
    /// Replace bytes.
    Write {
        /// The first byte.
        pos: u64,
        /// What stands there afterwards, at most [`MAX_REQUEST_PAYLOAD_LEN`] bytes; none make a new version all the same.
        payload: Vec<u8>,
    },
    /// Add to a little-endian number, which wraps, and give what came of it.
    Add {
        /// The number's first byte.
        pos: u64,
        /// How long it is.
        bits: Bits,
        /// What to add.
        amount: i64,
    },
}

/// How long a number is that is added to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Bits {
    /// One byte.
    B8 = 8,
    /// Two bytes.
    B16 = 16,
    /// Four bytes.
    B32 = 32,
    /// Eight bytes.
    B64 = 64,
}

impl Bits {
    /// Gives the length of so many bits, if it is one.
    #[must_use]
    pub fn from_count(bits: u16) -> Option<Self> {
        [Self::B8, Self::B16, Self::B32, Self::B64].into_iter().find(|b| b.count() == bits)
    }

    /// Counts the bits.
    #[must_use]
    pub fn count(self) -> u16 {
        self as u16
    }

    /// Counts the bytes.
    #[must_use]
    pub fn bytes(self) -> usize {
        usize::from(self.count() / 8)
    }
}

/// What came of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It was done.
    Done = 0,
    /// Not every byte that was asked for lies inside the area; nothing is changed.
    OutOfRange = 1,
    /// This owner takes no such request; it may say why.
    Refused = 2,
    /// More is to be read than an answer carries; map the frame.
    TooLong = 3,
}

impl Outcome {
    /// Gives the outcome of a code on the wire, if it is one.
    #[must_use]
    pub fn from_code(code: u16) -> Option<Self> {
        let all = [Self::Done, Self::OutOfRange, Self::Refused, Self::TooLong];
        all.into_iter().find(|outcome| *outcome as u16 == code)
    }
}

/// An owner's answer to one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The request's.
    pub tag: u32,
    /// What came of it.
    pub outcome: Outcome,
    /// Of write and add: that of the frame that has the change, or of a later one; else 0.
    pub sequence: u64,
    /// Of add: the number afterwards, its sign extended; of an outcome out of range: the area's length; else 0.
    pub value: i64,
    /// Of read: the bytes; of a refusal: its reason in UTF-8, or nothing; else none.
    pub payload: Vec<u8>,
}

impl Answer {
    /// An answer that says no more than what came of the request.
    #[must_use]
    pub fn new(tag: u32, outcome: Outcome) -> Self {
        Self { tag, outcome, sequence: 0, value: 0, payload: Vec::new() }
    }

    /// A refusal that says why, in one line for a person; at most [`MAX_REASON_LEN`] bytes arrive.
    #[must_use]
    pub fn refused(tag: u32, why: &str) -> Self {
        let cut = why.floor_char_boundary(MAX_REASON_LEN);
        let payload = why.as_bytes()[..cut].to_vec();
        Self { payload, ..Self::new(tag, Outcome::Refused) }
    }

    /// Gives the reason of a refusal; empty where its owner gave none.
    #[must_use]
    pub fn why(&self) -> &str {
        match self.outcome {
            Outcome::Refused => std::str::from_utf8(&self.payload).unwrap_or_default(),
            Outcome::Done | Outcome::OutOfRange | Outcome::TooLong => "",
        }
    }
}

/// Writes a request.
#[must_use]
pub fn encode_request(request: &Request) -> Vec<u8> {
    let mut head: [u8; REQUEST_HEAD_LEN] = begin(REQUEST_KIND);
    let (op, pos, len, bits, amount, payload) = match &request.op {
        Op::Read { pos, len } => (READ, *pos, *len, 0, 0, &[][..]),
        Op::Write { pos, payload } => (WRITE, *pos, payload.len() as u64, 0, 0, &payload[..]),
        Op::Add { pos, bits, amount } => (ADD, *pos, 0, bits.count(), *amount, &[][..]),
    };
    put(&mut head, offset::REQUEST_TAG, request.tag.to_le_bytes());
    put(&mut head, offset::REQUEST_OP, op.to_le_bytes());
    put(&mut head, offset::REQUEST_BITS, bits.to_le_bytes());
    put(&mut head, offset::REQUEST_POS, pos.to_le_bytes());
    put(&mut head, offset::REQUEST_LEN, len.to_le_bytes());
    put(&mut head, offset::REQUEST_AMOUNT, amount.to_le_bytes());
    [&head, payload].concat()
}

/// Writes an answer.
#[must_use]
pub fn encode_answer(answer: &Answer) -> Vec<u8> {
    let mut head: [u8; ANSWER_HEAD_LEN] = begin(ANSWER_KIND);
    put(&mut head, offset::ANSWER_TAG, answer.tag.to_le_bytes());
    put(&mut head, offset::ANSWER_OUTCOME, (answer.outcome as u16).to_le_bytes());
    put(&mut head, offset::ANSWER_SEQUENCE, answer.sequence.to_le_bytes());
    put(&mut head, offset::ANSWER_VALUE, answer.value.to_le_bytes());
    [&head, &answer.payload[..]].concat()
}

/// The payload behind a head, if the message has a length that its kind can have.
fn payload(bytes: &[u8], head_len: usize, max_len: usize) -> Result<&[u8]> {
    bytes.get(head_len..).filter(|payload| payload.len() <= max_len).ok_or_else(|| {
        let len = bytes.len();
        invalid(format!("a message of {len} bytes; its kind has {head_len} and a payload"))
    })
}

pub(super) fn decode_request(bytes: &[u8]) -> Result<Request> {
    let payload = payload(bytes, REQUEST_HEAD_LEN, MAX_REQUEST_PAYLOAD_LEN)?;
    let op = u16::from_le_bytes(get(bytes, offset::REQUEST_OP));
    let bits = u16::from_le_bytes(get(bytes, offset::REQUEST_BITS));
    let pos = get_u64(bytes, offset::REQUEST_POS);
    let len = get_u64(bytes, offset::REQUEST_LEN);
    let amount = i64::from_le_bytes(get(bytes, offset::REQUEST_AMOUNT));
    let is_add = op == ADD;
    let payload_len = if op == WRITE { len } else { 0 };
    if payload.len() as u64 != payload_len {
        let text = format!(
            "a request of op {op} with {} bytes behind it, not {payload_len}",
            payload.len()
        );
        return Err(invalid(text));
    }
    if (is_add && len != 0) || (!is_add && (bits != 0 || amount != 0)) {
        return Err(invalid(format!("a request of op {op} with what belongs to another")));
    }
    let op = match op {
        READ => Op::Read { pos, len },
        WRITE => Op::Write { pos, payload: payload.to_vec() },
        ADD => {
            let no_number = || invalid(format!("a request to add to {bits} bits"));
            Op::Add { pos, bits: Bits::from_count(bits).ok_or_else(no_number)?, amount }
        }
        other => return Err(invalid(format!("a request of op {other}"))),
    };
    Ok(Request { tag: get_u32(bytes, offset::REQUEST_TAG), op })
}

pub(super) fn decode_answer(bytes: &[u8]) -> Result<Answer> {
    let payload = payload(bytes, ANSWER_HEAD_LEN, MAX_ANSWER_PAYLOAD_LEN)?;
    let code = u16::from_le_bytes(get(bytes, offset::ANSWER_OUTCOME));
    let outcome =
        Outcome::from_code(code).ok_or_else(|| invalid(format!("an answer of outcome {code}")))?;
    let may_have_payload = match outcome {
        Outcome::Done => true,
        Outcome::Refused => payload.len() <= MAX_REASON_LEN && std::str::from_utf8(payload).is_ok(),
        Outcome::OutOfRange | Outcome::TooLong => payload.is_empty(),
    };
    if !may_have_payload {
        return Err(invalid(format!("an answer of outcome {code} with such a payload")));
    }
    Ok(Answer {
        tag: get_u32(bytes, offset::ANSWER_TAG),
        outcome,
        sequence: get_u64(bytes, offset::ANSWER_SEQUENCE),
        value: i64::from_le_bytes(get(bytes, offset::ANSWER_VALUE)),
        payload: payload.to_vec(),
    })
}
