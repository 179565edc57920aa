//! WebSocket framing: what goes on the wire after the handshake, and the key of the handshake itself.
//!
//! Belongs here: frame heads, masking, fragmentation, UTF-8, close codes, limits. Does not belong here: the HTTP
//! request of the handshake, the Origin check, when to ping, and anything that touches a socket.
//!
//! No extension is negotiated, so the reserved bits must be zero.
//!
//! Source: RFC 6455.

mod close;
mod decoder;
mod header;
#[cfg(test)]
mod tests;
mod utf8;
mod violation;

pub use close::{CloseReason, close_payload, may_close_with};
pub use decoder::{Decoder, Message};
pub use header::{FrameHead, Header, MAX_HEADER_LEN, header, parse_header};
pub use violation::Violation;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD as ENCODER};
use sha1::{Digest as _, Sha1};

/// Bytes of a control frame's payload at most. Source: RFC 6455, section 5.5.
pub const MAX_CONTROL_PAYLOAD: usize = 125;

/// What a frame carries. Source: RFC 6455, section 5.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Opcode {
    /// More of the message that an earlier frame began.
    Continuation,
    /// UTF-8 text.
    Text,
    /// Any bytes.
    Binary,
    /// The last frame of this direction.
    Close,
    /// To be answered with a pong of the same payload.
    Ping,
    /// The answer to a ping, or a sign of life nobody asked for.
    Pong,
}

impl Opcode {
    /// The four bits on the wire.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Continuation => 0x0,
            Self::Text => 0x1,
            Self::Binary => 0x2,
            Self::Close => 0x8,
            Self::Ping => 0x9,
            Self::Pong => 0xA,
        }
    }

    /// The meaning of four bits from the wire; `None` for the reserved ones.
    #[must_use]
    pub const fn from_code(code: u8) -> Option<Self> {
        Some(match code {
            0x0 => Self::Continuation,
            0x1 => Self::Text,
            0x2 => Self::Binary,
            0x8 => Self::Close,
            0x9 => Self::Ping,
            0xA => Self::Pong,
            _ => return None,
        })
    }

    /// True for close, ping and pong, which may stand between the fragments of a message.
    #[must_use]
    pub const fn is_control(self) -> bool {
        self.code() & 0x8 != 0
    }
}

/// Which end of the connection reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Reads what a client sent: every frame must be masked.
    Server,
    /// Reads what a server sent: no frame may be masked.
    Client,
}

/// Keys are random bytes in base64; the RFC's own example leaves bits set behind the last byte (errata 3150), so some
/// clients do as well.
const KEY_DECODER: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true),
);

/// The value of `Sec-WebSocket-Accept` for the client's `Sec-WebSocket-Key`.
///
/// `None` unless the key is the base64 form of exactly 16 bytes; such a request is refused with 400.
///
/// ```
/// let accept = eyelet_wire::websocket::accept_key("dGhlIHNhbXBsZSBub25jZQ==");
/// assert_eq!(accept.as_deref(), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
/// ```
///
/// Source: RFC 6455, section 4.2.2, item 5.
#[must_use]
pub fn accept_key(key: &str) -> Option<String> {
    const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    const KEY_LEN: usize = 24; // 16 bytes in base64, padding included
    if key.len() != KEY_LEN || KEY_DECODER.decode(key).ok()?.len() != 16 {
        return None;
    }
    let digest = Sha1::new().chain_update(key).chain_update(GUID).finalize();
    Some(ENCODER.encode(digest))
}

/// Masks a payload that starts a frame, or takes its mask off: both are the same.
///
/// For a later part of a payload rotate the key left by the count of bytes before it, modulo 4.
/// O(len), in place, does not allocate.
///
/// Source: RFC 6455, section 5.3.
pub fn mask(payload: &mut [u8], key: [u8; 4]) {
    let wide = u64::from_ne_bytes([key[0], key[1], key[2], key[3], key[0], key[1], key[2], key[3]]);
    let (words, rest) = payload.as_chunks_mut::<8>();
    for word in words {
        *word = (u64::from_ne_bytes(*word) ^ wide).to_ne_bytes();
    }
    for (byte, key) in rest.iter_mut().zip(key.iter().cycle()) {
        *byte ^= key;
    }
}
