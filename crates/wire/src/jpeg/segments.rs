//! The segments before the first scan, of a picture that is all there.

pub(super) const SOF0: u8 = 0xC0;
pub(super) const SOF1: u8 = 0xC1;
pub(super) const DHT: u8 = 0xC4;
const JPG: u8 = 0xC8;
const DAC: u8 = 0xCC;
pub(super) const SOI: u8 = 0xD8;
pub(super) const EOI: u8 = 0xD9;
pub(super) const SOS: u8 = 0xDA;

/// True for the markers of frame headers. Source: ITU-T T.81, table B.1.
pub(super) const fn is_frame_header(code: u8) -> bool {
    matches!(code, 0xC0..=0xCF) && !matches!(code, DHT | JPG | DAC)
}

/// True for markers that begin a segment with a length; the others stand alone or are reserved.
pub(super) const fn has_length(code: u8) -> bool {
    matches!(code, 0xC0..=0xCF | 0xDA..=0xFE)
}

/// A marker with its payload.
pub(super) struct Segment<'a> {
    pub(super) code: u8,
    /// Offset of the marker.
    pub(super) start: usize,
    /// Behind the length.
    pub(super) payload: &'a [u8],
}

/// The segments up to the first scan's header, which is the last one; stops at whatever is not well formed.
pub(super) fn segments(picture: &[u8]) -> impl Iterator<Item = Segment<'_>> {
    let mut at = if picture.starts_with(&super::SOI) { super::SOI.len() } else { picture.len() };
    std::iter::from_fn(move || {
        while picture.get(at..at + 2)? == [0xFF, 0xFF] {
            at += 1; // fill bytes: T.81, section B.1.1.2
        }
        let &[0xFF, code, l1, l0] = picture.get(at..at + 4)? else { return None };
        if !has_length(code) {
            return None;
        }
        let end = at + 2 + usize::from(u16::from_be_bytes([l1, l0]));
        let segment = Segment { code, start: at, payload: picture.get(at + 4..end)? };
        at = if code == SOS { picture.len() } else { end };
        Some(segment)
    })
}
