//! A filled buffer of the driver's, lent to us.

use std::fmt;
use std::ops::Range;

use crate::format::Field;
use crate::ioctl::buffer::{Dequeued, Filled};
use crate::ioctl::format::MAX_PLANES;
use crate::queue::Streaming;
use crate::timestamp::{Moment, Timestamp};

/// `V4L2_BUF_FLAG_*`.
mod flag {
    pub(super) const KEY: u32 = 0x08;
    pub(super) const ERROR: u32 = 0x40;
    pub(super) const LAST: u32 = 0x0010_0000;
}

/// One picture in the driver's memory; dropping it gives the buffer back.
///
/// The bytes may be uncached, where each read costs a bus transfer: copy them once, in order, and work on the copy.
///
/// Source: `struct v4l2_buffer`, `struct v4l2_plane`.
pub struct Buffer<'a> {
    streaming: &'a mut Streaming,
    index: usize,
    plane_count: usize,
    /// Invariant: each range is within the mapping of its plane.
    payloads: [Range<usize>; MAX_PLANES],
    flags: u32,
    sequence: u32,
    timestamp: Timestamp,
    field: Field,
}

impl<'a> Buffer<'a> {
    /// Takes over what the pool gave; if its lengths make no sense, gives it back and says so.
    pub(crate) fn new(streaming: &'a mut Streaming, raw: &Dequeued) -> Result<Self, String> {
        // The pool has checked that the buffer exists, so the number fits.
        let index = usize::try_from(raw.index).unwrap_or(usize::MAX);
        let payloads = payloads(raw, streaming.pool().plane_lens(index));
        // From here on dropping the buffer gives it back.
        let mut buffer = Self {
            plane_count: streaming.pool().plane_lens(index).count().min(MAX_PLANES),
            streaming,
            index,
            payloads: [const { 0..0 }; MAX_PLANES],
            flags: raw.flags,
            sequence: raw.sequence,
            timestamp: Timestamp::new(raw.flags, raw.timestamp),
            field: Field::new(raw.field),
        };
        buffer.payloads = payloads?;
        Ok(buffer)
    }

    /// The payload of each plane, in the order of [`Format::planes`](crate::format::Format::planes): as many bytes as the
    /// driver filled, top row first, each row [`stride`](crate::format::Plane::stride) bytes from the one before.
    ///
    /// A [corrupt](Self::is_corrupt) or [last](Self::is_last) buffer may have fewer bytes than a picture, or none.
    #[must_use = "reading the planes is what a buffer is for"]
    pub fn planes(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        (0..self.plane_count).map(|plane| self.bytes(plane))
    }

    /// The payload of one plane; empty if there is no such plane.
    #[must_use]
    pub fn bytes(&self, plane: usize) -> &[u8] {
        let range = self.payloads.get(plane).cloned().unwrap_or_default();
        self.streaming.pool().bytes(self.index, plane, range).unwrap_or_default()
    }

    /// The payload of all planes together, in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.payloads.iter().map(ExactSizeIterator::len).sum()
    }

    /// Whether there is no payload.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The driver's frame counter: wraps, restarts, and may repeat itself; [`Sequence`](crate::sequence::Sequence) makes
    /// a number of it that always grows.
    #[must_use]
    pub fn sequence(&self) -> u32 {
        self.sequence
    }

    /// When the frame was taken.
    #[must_use]
    pub fn timestamp(&self) -> Timestamp {
        self.timestamp
    }

    /// Which moment of the frame that was.
    #[must_use]
    pub fn moment(&self) -> Moment {
        Moment::new(self.flags)
    }

    /// Which rows of the picture these are.
    #[must_use]
    pub fn field(&self) -> Field {
        self.field
    }

    /// The driver flagged an error: part of the picture is missing or wrong. The stream goes on.
    #[must_use]
    pub fn is_corrupt(&self) -> bool {
        self.flags & flag::ERROR != 0
    }

    /// It can be decoded without those before. Only video codecs say so; elsewhere every picture can.
    #[must_use]
    pub fn is_key(&self) -> bool {
        self.flags & flag::KEY != 0
    }

    /// No other will follow.
    #[must_use]
    pub fn is_last(&self) -> bool {
        self.flags & flag::LAST != 0
    }
}

impl fmt::Debug for Buffer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Buffer")
            .field("index", &self.index)
            .field("sequence", &self.sequence)
            .field("timestamp", &self.timestamp)
            .field("len", &self.len())
            .field("is_corrupt", &self.is_corrupt())
            .finish_non_exhaustive()
    }
}

impl Drop for Buffer<'_> {
    fn drop(&mut self) {
        self.streaming.give_back(self.index);
    }
}

/// The payload of each plane, checked against what is mapped.
fn payloads(
    raw: &Dequeued,
    mapped: impl Iterator<Item = usize>,
) -> Result<[Range<usize>; MAX_PLANES], String> {
    let mut payloads = [const { 0..0 }; MAX_PLANES];
    for ((payload, filled), mapped) in payloads.iter_mut().zip(raw.planes).zip(mapped) {
        *payload = match within(filled, mapped) {
            Some(range) => range,
            // Of a frame that failed the driver may say anything.
            None if raw.flags & flag::ERROR != 0 => 0..0,
            None => {
                let Filled { bytesused, data_offset } = filled;
                return Err(format!(
                    "the driver claims bytes {data_offset} to {bytesused} of a buffer of {mapped}"
                ));
            }
        };
    }
    Ok(payloads)
}

/// The payload of one plane: V4L2's `bytesused` counts from the start of the plane, a header of `data_offset` included.
fn within(filled: Filled, mapped: usize) -> Option<Range<usize>> {
    let start = usize::try_from(filled.data_offset).ok()?;
    let end = usize::try_from(filled.bytesused).ok()?;
    (start <= end && end <= mapped).then_some(start..end)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn filled(data_offset: u32, bytesused: u32) -> Filled {
        Filled { bytesused, data_offset }
    }

    #[test]
    fn payload_ends_where_the_driver_stopped_and_starts_behind_its_header() {
        assert_eq!(within(filled(0, 614_400), 614_400), Some(0..614_400));
        assert_eq!(within(filled(16, 100), 4096), Some(16..100));
        assert_eq!(within(filled(0, 0), 4096), Some(0..0));
    }

    #[test]
    fn claims_beyond_the_mapping_are_refused() {
        let raw = Dequeued::sample(0, 0, &[filled(0, 4097)]);
        let refusal = payloads(&raw, [4096].into_iter()).expect_err("too much");
        assert_eq!(refusal, "the driver claims bytes 0 to 4097 of a buffer of 4096");
        let raw = Dequeued::sample(0, 0, &[filled(10, 9)]);
        assert!(payloads(&raw, [4096].into_iter()).is_err(), "ends before it starts");
    }

    #[test]
    fn failed_frame_may_claim_anything_and_is_empty() {
        let raw = Dequeued::sample(0, flag::ERROR, &[filled(0, u32::MAX), filled(0, 5)]);
        let payloads = payloads(&raw, [4096, 4096].into_iter()).expect("a corrupt frame");
        assert_eq!(payloads[..2], [0..0, 0..5]);
    }

    #[test]
    fn planes_that_are_not_mapped_are_not_looked_at() {
        let raw = Dequeued::sample(0, 0, &[filled(0, 5), filled(7, u32::MAX)]);
        let payloads = payloads(&raw, [4096].into_iter()).expect("the first plane is fine");
        assert_eq!(payloads[..2], [0..5, 0..0]);
    }

    proptest! {
        #[test]
        fn payload_is_always_within_the_mapping(data_offset: u32, bytesused: u32, mapped in 0usize..1 << 33) {
            if let Some(range) = within(filled(data_offset, bytesused), mapped) {
                prop_assert!(range.start <= range.end && range.end <= mapped);
            }
        }
    }
}
