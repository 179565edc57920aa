//! The moving picture: a few drawings shown in turn, and the stamp that makes torn frames visible.
//!
//! **Stamp** (YUYV only): in rows 0, 8, 16, … the luma of the first 64 pixels are the bits of one 64-bit word, most
//! significant first: 235 is 1, 16 is 0; their chroma is 128. The word is `(sequence & (2^48 - 1)) << 16 | check`, where
//! `check` is the CRC-16/CCITT-FALSE of the sequence's six bytes, most significant first. A reader that finds two different
//! words in one frame has a torn one.

use libjpeg_turbo_rs::{Subsampling, compress_raw};

use crate::descriptors::{FORMAT_H264, FORMAT_MJPEG, FORMAT_YUYV, Size};
use crate::options::HuffmanTables;

/// How many drawings an album has: enough that no two neighbours look alike, few enough to draw in a second.
const DRAWINGS: u8 = 8;
/// Every so many rows carry the stamp.
const STAMP_ROWS: usize = 8;
/// The brightest and the darkest luma of video.
const LUMA_ONE: u8 = 235;
const LUMA_ZERO: u8 = 16;
/// Chroma without colour.
const GREY: u8 = 128;
/// A usual webcam's quality; JPEG's own scale.
const JPEG_QUALITY: u8 = 80;

/// What an album shows: the format's index and the size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kind {
    /// [`FORMAT_YUYV`], [`FORMAT_MJPEG`] or [`FORMAT_H264`].
    pub(crate) format: u8,
    /// Width and height.
    pub(crate) size: Size,
    /// For MJPEG only.
    pub(crate) huffman: HuffmanTables,
}

/// The drawings of one kind, ready to send.
#[derive(Debug)]
pub(crate) struct Album {
    kind: Kind,
    drawings: Vec<Vec<u8>>,
}

impl Album {
    /// Draws everything; takes about a second in an emulated machine.
    pub(crate) fn draw(kind: Kind) -> Self {
        let drawings = match kind.format {
            FORMAT_MJPEG => (0..DRAWINGS).map(|shift| jpeg(kind, shift)).collect(),
            FORMAT_H264 => h264(),
            _ => (0..DRAWINGS).map(|shift| yuyv(kind.size, shift)).collect(),
        };
        Self { kind, drawings }
    }

    /// What it shows.
    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    /// Makes `frame` the frame number `sequence`.
    pub(crate) fn copy_to(&self, frame: &mut Vec<u8>, sequence: u64) {
        let at = sequence % self.drawings.len() as u64;
        frame.clone_from(&self.drawings[usize::try_from(at).expect("a handful of drawings")]);
        if self.kind.format == FORMAT_YUYV {
            stamp(frame, usize::from(self.kind.size.0) * 2, sequence);
        }
    }
}

/// The colour (luma, blue, red) at a place: stripes that move to the left over a still background and blinking squares.
fn colour(x: u16, y: u16, shift: u8) -> [u8; 3] {
    let low = |value: u16| value.to_le_bytes()[0];
    let is_light = (x / 32 + y / 32 + u16::from(shift)).is_multiple_of(2);
    [low(x + 16 * u16::from(shift)), low(y), if is_light { 160 } else { 96 }]
}

fn yuyv((width, height): Size, shift: u8) -> Vec<u8> {
    let mut out = Vec::with_capacity(usize::from(width) * usize::from(height) * 2);
    for y in 0..height {
        for x in (0..width).step_by(2) {
            let [luma, blue, red] = colour(x, y, shift);
            out.extend([luma, blue, colour(x + 1, y, shift)[0], red]);
        }
    }
    out
}

fn jpeg(kind: Kind, shift: u8) -> Vec<u8> {
    let (width, height) = kind.size;
    let across = width.div_ceil(2);
    let plane = |step: usize, part: usize| -> Vec<u8> {
        let row = |y| (0..width).step_by(step).map(move |x| colour(x, y, shift)[part]);
        (0..height).flat_map(row).collect()
    };
    let [width, height, across] = [width, height, across].map(usize::from);
    // 4:2:2, as webcams send it.
    let out = compress_raw(
        &[&plane(1, 0), &plane(2, 1), &plane(2, 2)],
        &[width, across, across],
        &[height; 3],
        width,
        height,
        JPEG_QUALITY,
        Subsampling::S422,
    )
    .expect("a picture of an offered size, written to memory");
    match kind.huffman {
        HuffmanTables::Kept => out,
        HuffmanTables::Stripped => strip_huffman_tables(&out),
    }
}

/// The pictures of a stream by x264, whatever size was asked for: 34 x 18 pixels, the first and the fourth key pictures. Each
/// begins with a delimiter.
fn h264() -> Vec<Vec<u8>> {
    const STREAM: &[u8] = include_bytes!("../../../crates/wire/testdata/x264_34x18_baseline.h264");
    const DELIMITER: [u8; 4] = [0, 0, 1, 9];
    let starts = STREAM.windows(4).enumerate().filter(|(_, bytes)| *bytes == DELIMITER);
    // Each has a fourth byte before its start code.
    let starts: Vec<usize> = starts.map(|(at, _)| at - 1).chain([STREAM.len()]).collect();
    starts.windows(2).map(|pair| STREAM[pair[0]..pair[1]].to_vec()).collect()
}

/// The JPEG without its DHT segments.
fn strip_huffman_tables(jpeg: &[u8]) -> Vec<u8> {
    const HUFFMAN_TABLES: u8 = 0xc4;
    const START_OF_SCAN: u8 = 0xda;
    let (start, mut rest) = jpeg.split_at(2);
    let mut out = start.to_vec();
    while let [0xff, marker, high, low, ..] = *rest {
        let len = 2 + usize::from(u16::from_be_bytes([high, low]));
        let (segment, tail) = rest.split_at(len.min(rest.len()));
        if marker != HUFFMAN_TABLES {
            out.extend(segment);
        }
        rest = tail;
        if marker == START_OF_SCAN {
            break;
        }
    }
    out.extend(rest);
    out
}

/// Burns the stamp into a YUYV frame.
fn stamp(frame: &mut [u8], stride: usize, sequence: u64) {
    let word = stamp_word(sequence);
    let mut pixels = [[LUMA_ZERO, GREY]; 64];
    for (bit, pixel) in pixels.iter_mut().rev().enumerate() {
        if word >> bit & 1 == 1 {
            pixel[0] = LUMA_ONE;
        }
    }
    let pixels = pixels.as_flattened();
    for row in frame.chunks_exact_mut(stride).step_by(STAMP_ROWS) {
        row[..pixels.len()].copy_from_slice(pixels);
    }
}

/// The stamp's 64 bits for a sequence number.
fn stamp_word(sequence: u64) -> u64 {
    let low = sequence & ((1 << 48) - 1);
    low << 16 | u64::from(crc16(&low.to_be_bytes()[2..]))
}

/// CRC-16/CCITT-FALSE: polynomial 0x1021, start 0xffff, nothing reflected.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0xffff, |crc, &byte| {
        (0..8).fold(crc ^ u16::from(byte) << 8, |crc: u16, _| {
            if crc & 0x8000 == 0 { crc << 1 } else { crc << 1 ^ 0x1021 }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::descriptors::frame_bytes;

    const SIZE: Size = (320, 240);

    fn frame(format: u8, huffman: HuffmanTables, sequence: u64) -> Vec<u8> {
        let mut out = Vec::new();
        Album::draw(Kind { format, size: SIZE, huffman }).copy_to(&mut out, sequence);
        out
    }

    #[test]
    fn crc_matches_the_catalogue() {
        // The check value of CRC-16/CCITT-FALSE (also "IBM-3740") in the catalogue of CRC algorithms.
        assert_eq!(crc16(b"123456789"), 0x29b1);
    }

    #[test]
    fn stamp_is_readable_in_every_eighth_row() {
        for sequence in [0, 1, 77, (1 << 48) - 1, 1 << 48 | 5] {
            let frame = frame(FORMAT_YUYV, HuffmanTables::Kept, sequence);
            for row in frame.chunks_exact(640).step_by(STAMP_ROWS) {
                let bits = row[..128].chunks_exact(2).map(|pixel| u64::from(pixel[0] == LUMA_ONE));
                let word = bits.fold(0, |word, bit| word << 1 | bit);
                assert_eq!(word >> 16, sequence & ((1 << 48) - 1));
                assert_eq!(word, stamp_word(sequence));
                assert!(row[..128].chunks_exact(2).all(|pixel| pixel[1] == GREY));
            }
        }
    }

    #[test]
    fn picture_moves_from_frame_to_frame() {
        for format in [FORMAT_YUYV, FORMAT_MJPEG] {
            let frames: Vec<_> = (1..=8).map(|n| frame(format, HuffmanTables::Kept, n)).collect();
            for pair in frames.windows(2) {
                assert_ne!(pair[0], pair[1]);
            }
        }
    }

    #[test]
    fn h264_has_its_sets_in_every_third_picture() {
        for sequence in 0..12 {
            let frame = frame(FORMAT_H264, HuffmanTables::Kept, sequence);
            assert!(frame.starts_with(&[0, 0, 0, 1, 9]), "{sequence}");
            let has_sets = frame.windows(4).any(|bytes| bytes == [0, 0, 1, 0x67]);
            assert_eq!(has_sets, sequence % 3 == 0, "{sequence}");
        }
    }

    #[test]
    fn yuyv_fills_the_frame() {
        let bytes = frame(FORMAT_YUYV, HuffmanTables::Kept, 1).len();
        assert_eq!(bytes, usize::try_from(frame_bytes(SIZE)).unwrap());
    }

    #[test]
    fn stripping_removes_only_the_huffman_tables() {
        let whole = frame(FORMAT_MJPEG, HuffmanTables::Kept, 1);
        let stripped = frame(FORMAT_MJPEG, HuffmanTables::Stripped, 1);
        let has_tables = |jpeg: &[u8]| jpeg.windows(2).any(|pair| pair == [0xff, 0xc4]);
        assert!(has_tables(&whole) && !has_tables(&stripped));
        assert!(stripped.len() < whole.len());
        for jpeg in [whole, stripped] {
            assert!(jpeg.starts_with(&[0xff, 0xd8]) && jpeg.ends_with(&[0xff, 0xd9]));
        }
    }
}
