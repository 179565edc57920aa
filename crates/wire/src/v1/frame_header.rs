//! The fixed header before the payload of a frame.

use thiserror::Error;

/// Bytes of the header as this version writes it; a multiple of 4, so that pixels behind it stay aligned.
pub const FRAME_HEADER_LEN: usize = 32;

/// [`FRAME_HEADER_LEN`] as it is written.
const HEADER_LEN: u8 = 32;
const _: () = assert!(HEADER_LEN as usize == FRAME_HEADER_LEN);

/// The first byte: this message is a frame.
const TYPE_FRAME: u8 = 1;
const FLAG_KEY: u8 = 1;
const FLAG_DISCONTINUITY: u8 = 2;

/// Facts about one frame that are yes or no.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct FrameFlags {
    /// It can be decoded without an earlier frame: always so for pixels and JPEG.
    pub key: bool,
    /// Frames of the stream were dropped for this viewer between the frame before and this one.
    pub discontinuity: bool,
}

impl FrameFlags {
    const fn bits(self) -> u8 {
        (if self.key { FLAG_KEY } else { 0 })
            | (if self.discontinuity { FLAG_DISCONTINUITY } else { 0 })
    }

    const fn from_bits(bits: u8) -> Self {
        Self { key: bits & FLAG_KEY != 0, discontinuity: bits & FLAG_DISCONTINUITY != 0 }
    }
}

/// What a viewer learns about a frame beside its payload. 32 bytes on the wire, little endian.
///
/// | offset | type | field |
/// |---|---|---|
/// | 0 | u8 | type: 1 = frame; a message of another type is ignored |
/// | 1 | u8 | flags: 1 key, 2 discontinuity; the others are zero and ignored |
/// | 2 | u8 | config id |
/// | 3 | u8 | header length: where the payload starts |
/// | 4 | u32 | dropped |
/// | 8 | u64 | sequence |
/// | 16 | u64 | captured, µs |
/// | 24 | u64 | sent, µs |
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct FrameHeader {
    /// Facts that are yes or no.
    pub flags: FrameFlags,
    /// Which `config` message describes the payload.
    pub config_id: u8,
    /// Frames of this stream that this viewer did not get, since it started; wraps.
    pub dropped: u32,
    /// The frame's number in its stream, always growing.
    pub sequence: u64,
    /// When the camera made it: the server's CLOCK_MONOTONIC in µs.
    pub captured_us: u64,
    /// When the server began to send it, same clock.
    pub sent_us: u64,
}

impl FrameHeader {
    /// Writes the header. O(1), does not allocate.
    #[must_use]
    pub const fn encode(&self) -> [u8; FRAME_HEADER_LEN] {
        let mut out = [0; FRAME_HEADER_LEN];
        out[0] = TYPE_FRAME;
        out[1] = self.flags.bits();
        out[2] = self.config_id;
        out[3] = HEADER_LEN;
        put(&mut out, 4, &self.dropped.to_le_bytes());
        put(&mut out, 8, &self.sequence.to_le_bytes());
        put(&mut out, 16, &self.captured_us.to_le_bytes());
        put(&mut out, 24, &self.sent_us.to_le_bytes());
        out
    }

    /// Reads the header that `message` begins with, and the offset at which the payload starts.
    ///
    /// The offset is at least [`FRAME_HEADER_LEN`] and may lie beyond `message`, when only its beginning was given or
    /// the sender is newer. O(1), does not allocate.
    ///
    /// # Errors
    /// [`FrameHeaderError`] if it is too short, not a frame, or gives a payload offset inside these 32 bytes.
    ///
    /// ```
    /// use eyelet_wire::v1::FrameHeader;
    /// let header = FrameHeader { config_id: 3, sequence: 7, ..FrameHeader::default() };
    /// assert_eq!(FrameHeader::decode(&header.encode())?, (header, 32));
    /// # Ok::<(), eyelet_wire::v1::FrameHeaderError>(())
    /// ```
    pub fn decode(message: &[u8]) -> Result<(Self, usize), FrameHeaderError> {
        match message.first() {
            Some(&TYPE_FRAME) => {}
            Some(&other) => return Err(FrameHeaderError::NotAFrame(other)),
            None => return Err(FrameHeaderError::TooShort(0)),
        }
        let Some((head, _)) = message.split_first_chunk::<FRAME_HEADER_LEN>() else {
            return Err(FrameHeaderError::TooShort(message.len()));
        };
        if usize::from(head[3]) < FRAME_HEADER_LEN {
            return Err(FrameHeaderError::PayloadOffset(head[3]));
        }
        let header = Self {
            flags: FrameFlags::from_bits(head[1]),
            config_id: head[2],
            dropped: u32::from_le_bytes(field(head, 4)),
            sequence: u64::from_le_bytes(field(head, 8)),
            captured_us: u64::from_le_bytes(field(head, 16)),
            sent_us: u64::from_le_bytes(field(head, 24)),
        };
        Ok((header, usize::from(head[3])))
    }
}

/// Why bytes are not a frame's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum FrameHeaderError {
    /// Fewer bytes than a header has.
    #[error("frame header of 32 bytes is cut off after {0}")]
    TooShort(usize),
    /// Another type of message, from a newer sender: ignore it.
    #[error("binary message of type {0} is not a frame")]
    NotAFrame(u8),
    /// The payload cannot start inside the header.
    #[error("payload offset {0} lies inside the frame header")]
    PayloadOffset(u8),
}

const fn put<const N: usize>(out: &mut [u8; FRAME_HEADER_LEN], offset: usize, bytes: &[u8; N]) {
    let (_, rest) = out.split_at_mut(offset);
    rest.split_at_mut(N).0.copy_from_slice(bytes);
}

fn field<const N: usize>(head: &[u8; FRAME_HEADER_LEN], offset: usize) -> [u8; N] {
    std::array::from_fn(|i| head[offset + i])
}
