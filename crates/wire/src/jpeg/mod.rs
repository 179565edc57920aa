//! JPEG without decoding: size, completeness, missing Huffman tables, and pictures cut out of a byte stream.
//!
//! Everything follows the marker structure: a marker inside a segment, such as the end of a thumbnail in EXIF data, is
//! data.
//!
//! Source: ITU-T T.81 (ISO/IEC 10918-1), annex B.

mod huffman;
mod segments;
mod splitter;
#[cfg(test)]
mod tests;
mod walker;

pub use huffman::{
    STANDARD_HUFFMAN_TABLES, has_huffman_tables, huffman_tables_offset, insert_huffman_tables,
};
pub use splitter::Splitter;

use segments::segments;
use walker::{Step, Walker};

/// Start and end of a picture, as on the wire.
const SOI: [u8; 2] = [0xFF, 0xD8];

/// Width and height in pixels, from the frame header. O(headers).
///
/// `None` if there is no whole frame header before the first scan, or it leaves the height to a later segment (DNL).
///
/// ```
/// let start = [0xFF, 0xD8, 0xFF, 0xC0, 0, 11, 8, 0x01, 0xE0, 0x02, 0x80, 1, 1, 0x11, 0];
/// assert_eq!(eyelet_wire::jpeg::dimensions(&start), Some((640, 480)));
/// ```
///
/// Source: ITU-T T.81, section B.2.2.
#[must_use]
pub fn dimensions(picture: &[u8]) -> Option<(u32, u32)> {
    let frame = segments(picture).find(|segment| segments::is_frame_header(segment.code))?;
    let &[_precision, y1, y0, x1, x0, ..] = frame.payload else { return None };
    let (width, height) = (u16::from_be_bytes([x1, x0]), u16::from_be_bytes([y1, y0]));
    (width != 0 && height != 0).then_some((width.into(), height.into()))
}

/// Bytes of the picture that `bytes` begins with, its end marker included; what follows is not looked at.
///
/// `None` if it is cut off or damaged. O(picture).
#[must_use]
pub fn picture_len(bytes: &[u8]) -> Option<usize> {
    let picture = bytes.strip_prefix(&SOI)?;
    match Walker::new().walk(picture) {
        (len, Step::End) => Some(SOI.len() + len),
        _ => None,
    }
}

/// True if `bytes` begins with a whole picture, from start to end marker; padding may follow, as cameras send it.
#[must_use]
pub fn is_complete(bytes: &[u8]) -> bool {
    picture_len(bytes).is_some()
}
