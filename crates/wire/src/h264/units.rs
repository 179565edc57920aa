//! Units of a byte stream with start codes.

use std::fmt::Write as _;

use memchr::memmem;

/// What stands before each unit; a zero may stand before it.
pub(super) const START: [u8; 3] = [0, 0, 1];

/// Types of units. Source: ITU-T H.264, table 7-1.
pub(super) mod kind {
    pub(in super::super) const SLICE: u8 = 1;
    pub(in super::super) const IDR_SLICE: u8 = 5;
    pub(in super::super) const SEI: u8 = 6;
    pub(in super::super) const SPS: u8 = 7;
    pub(in super::super) const PPS: u8 = 8;
    pub(in super::super) const DELIMITER: u8 = 9;
    pub(in super::super) const FILLER: u8 = 12;
}

/// The type of a unit that begins with this byte.
pub(super) fn kind_of(first: u8) -> u8 {
    first & 0x1f
}

/// Gives the units of a byte stream, none empty, without start codes and the zeros around them. O(bytes) in all.
///
/// ```
/// let stream = [0, 0, 0, 1, 9, 0xf0, 0, 0, 1, 0x65, 7, 0];
/// let units: Vec<&[u8]> = eyelet_wire::h264::units(&stream).collect();
/// assert_eq!(units, [&[9, 0xf0][..], &[0x65, 7]]);
/// ```
pub fn units(stream: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut starts = memmem::find_iter(stream, &START).map(|at| at + START.len()).peekable();
    std::iter::from_fn(move || {
        let start = starts.next()?;
        let end = starts.peek().map_or(stream.len(), |next| next - START.len());
        let unit = stream.get(start..end).unwrap_or_default();
        let zeros = unit.iter().rev().take_while(|byte| **byte == 0).count();
        Some(&unit[..unit.len() - zeros])
    })
    .filter(|unit| !unit.is_empty())
}

/// Tells whether an access unit is a picture that needs none before: an IDR picture.
#[must_use]
pub fn is_key(access_unit: &[u8]) -> bool {
    let mut kinds = units(access_unit).map(|unit| kind_of(unit[0]));
    kinds.find(|kind| matches!(*kind, kind::SLICE..=kind::IDR_SLICE)) == Some(kind::IDR_SLICE)
}

/// Names what a decoder must be able to, by the first sequence parameter set in an access unit: `avc1.42E01F`.
///
/// Source: RFC 6381, section 3.3; ISO/IEC 14496-15, section 5.3.3.
///
/// ```
/// let key = [0, 0, 0, 1, 0x67, 0x42, 0xc0, 0x1f, 9, 0, 0, 1, 0x65];
/// assert_eq!(eyelet_wire::h264::codec(&key).as_deref(), Some("avc1.42C01F"));
/// ```
#[must_use]
pub fn codec(access_unit: &[u8]) -> Option<String> {
    let sps = units(access_unit).find(|unit| kind_of(unit[0]) == kind::SPS)?;
    let mut codec = String::from("avc1.");
    for byte in sps.get(1..4)? {
        write!(codec, "{byte:02X}").ok()?;
    }
    Some(codec)
}
