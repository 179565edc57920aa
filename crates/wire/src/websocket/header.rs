//! The head of a frame: written for what we send, read from what arrives.

use std::ops::Deref;

use super::violation::Broken;
use super::{MAX_CONTROL_PAYLOAD, Opcode, Violation};

/// Bytes of the longest frame head: two, a 64-bit length and a mask. Source: RFC 6455, section 5.2.
pub const MAX_HEADER_LEN: usize = 14;

const FIN: u8 = 0x80;
const RESERVED: u8 = 0x70;
const OPCODE: u8 = 0x0F;
const MASKED: u8 = 0x80;
const LENGTH: u8 = 0x7F;
/// Values of the 7-bit length that announce a longer one.
const LENGTH_16: u8 = 126;
const LENGTH_64: u8 = 127;

/// A frame head ready to be sent, on the stack; the payload goes out behind it from wherever it lies.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Header {
    bytes: [u8; MAX_HEADER_LEN],
    /// Invariant: at most `MAX_HEADER_LEN`.
    len: usize,
}

impl Header {
    fn push(&mut self, bytes: &[u8]) {
        self.bytes[self.len..self.len + bytes.len()].copy_from_slice(bytes);
        self.len += bytes.len();
    }
}

impl Deref for Header {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

impl AsRef<[u8]> for Header {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl std::fmt::Debug for Header {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Header({:02x?})", &**self)
    }
}

/// Makes the head of an unfragmented frame (FIN set).
///
/// With `mask` the payload must be sent masked by the same key ([`super::mask`]); clients must, servers must not.
/// A length of 2^63 or more has no encoding and is sent as 2^63 - 1. O(1), does not allocate.
///
/// ```
/// use eyelet_wire::websocket::{Opcode, header};
/// assert_eq!(*header(Opcode::Binary, 614_400, None), [0x82, 127, 0, 0, 0, 0, 0, 9, 0x60, 0]);
/// ```
///
/// Source: RFC 6455, section 5.2.
#[must_use]
pub fn header(opcode: Opcode, payload_len: u64, mask: Option<[u8; 4]>) -> Header {
    let mut head = Header { bytes: [0; MAX_HEADER_LEN], len: 0 };
    let masked = if mask.is_some() { MASKED } else { 0 };
    let payload_len = payload_len.min(u64::MAX >> 1);
    head.push(&[FIN | opcode.code()]);
    match (u8::try_from(payload_len), u16::try_from(payload_len)) {
        (Ok(len @ 0..LENGTH_16), _) => head.push(&[masked | len]),
        (_, Ok(len)) => {
            head.push(&[masked | LENGTH_16]);
            head.push(&len.to_be_bytes());
        }
        _ => {
            head.push(&[masked | LENGTH_64]);
            head.push(&payload_len.to_be_bytes());
        }
    }
    if let Some(key) = mask {
        head.push(&key);
    }
    head
}

/// A frame head as it arrived; `len` bytes of payload follow it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHead {
    /// This frame ends its message.
    pub fin: bool,
    /// What the frame carries.
    pub opcode: Opcode,
    /// The key that takes the payload's mask off.
    pub masked: Option<[u8; 4]>,
    /// Bytes of payload.
    pub len: u64,
    /// Bytes of the head itself.
    pub header_len: usize,
}

/// Reads the frame head that `input` begins with; `None` until all of it is there.
///
/// A reader that must not buffer large frames takes `header_len` bytes off and then `len` bytes of payload as they
/// come. Checks what the head alone can tell, and as soon as it can tell; [`super::Decoder`] also checks masks,
/// fragmentation, limits and content. O(1), does not allocate.
///
/// # Errors
/// A [`Violation`] for reserved bits and opcodes, fragmented or long control frames, and lengths with the top bit set
/// or not in their shortest form.
///
/// ```
/// use eyelet_wire::websocket::{Opcode, parse_header};
/// let head = parse_header(&[0x82, 126, 0x10, 0x00, 0xAA])?.unwrap();
/// assert_eq!((head.opcode, head.fin, head.len, head.header_len), (Opcode::Binary, true, 4096, 4));
/// assert_eq!(parse_header(&[0x82, 126, 0x10])?, None);
/// # Ok::<(), eyelet_wire::websocket::Violation>(())
/// ```
///
/// Source: RFC 6455, section 5.2.
pub fn parse_header(input: &[u8]) -> Result<Option<FrameHead>, Violation> {
    let Some((&first, rest)) = input.split_first() else { return Ok(None) };
    let (fin, opcode) = parse_first(first)?;
    let Some((&second, rest)) = rest.split_first() else { return Ok(None) };
    let short = second & LENGTH;
    if opcode.is_control() && usize::from(short) > MAX_CONTROL_PAYLOAD {
        return Err(Broken::LongControl.into());
    }
    let Some((len, rest)) = parse_length(short, rest)? else { return Ok(None) };
    let (masked, rest) = if second & MASKED == 0 {
        (None, rest)
    } else {
        let Some((key, rest)) = rest.split_first_chunk() else { return Ok(None) };
        (Some(*key), rest)
    };
    Ok(Some(FrameHead { fin, opcode, masked, len, header_len: input.len() - rest.len() }))
}

fn parse_first(first: u8) -> Result<(bool, Opcode), Broken> {
    if first & RESERVED != 0 {
        return Err(Broken::ReservedBits);
    }
    let code = first & OPCODE;
    let opcode = Opcode::from_code(code).ok_or(Broken::ReservedOpcode(code))?;
    let fin = first & FIN != 0;
    if opcode.is_control() && !fin {
        return Err(Broken::FragmentedControl);
    }
    Ok((fin, opcode))
}

/// The payload's length, and what follows it.
fn parse_length(short: u8, rest: &[u8]) -> Result<Option<(u64, &[u8])>, Broken> {
    let (len, rest, shortest) = match short {
        LENGTH_16 => {
            let Some((bytes, rest)) = rest.split_first_chunk() else { return Ok(None) };
            (u64::from(u16::from_be_bytes(*bytes)), rest, u64::from(LENGTH_16))
        }
        LENGTH_64 => {
            let Some((bytes, rest)) = rest.split_first_chunk() else { return Ok(None) };
            (u64::from_be_bytes(*bytes), rest, u64::from(u16::MAX) + 1)
        }
        _ => (u64::from(short), rest, 0),
    };
    if len > u64::MAX >> 1 {
        return Err(Broken::LengthTopBit);
    }
    if len < shortest {
        return Err(Broken::LengthNotMinimal);
    }
    Ok(Some((len, rest)))
}
