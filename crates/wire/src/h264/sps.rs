//! Sequence parameter sets: read, and completed with what decoders want to know.

use super::bits::{BitReader, BitWriter};
use super::units::{kind, kind_of};

/// The longest sequence parameter set that is looked at, in bytes: one with all its matrices has a few hundred.
const MAX_LEN: usize = 4096;

/// The largest side of a picture, in blocks of 16 pixels: level 6.2 allows a thousand or so.
const MAX_SIDE_BLOCKS: u32 = 4095;

/// Profiles whose sets say how chroma is sampled. Source: ITU-T H.264, section 7.3.2.1.1.
const HIGH_PROFILES: [u8; 13] = [100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135];

/// `sar_width` and `sar_height` follow. Source: ITU-T H.264, table E-1.
const EXTENDED_SAR: u8 = 255;

/// No statement of colour. Source: ITU-T H.264, tables E-3 to E-5.
const UNSPECIFIED: u8 = 2;

/// How codes become colours, in the numbers of ITU-T H.264, tables E-3 to E-5.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Colour {
    /// `colour_primaries`.
    pub primaries: u8,
    /// `transfer_characteristics`.
    pub transfer: u8,
    /// `matrix_coefficients`.
    pub matrix: u8,
    /// `video_full_range_flag`.
    pub is_full_range: bool,
}

/// What a sequence parameter set says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sps {
    /// Which of 32 it is.
    pub id: u32,
    /// Pixels in a row, without what is cropped.
    pub width: u32,
    /// Rows, without what is cropped.
    pub height: u32,
    /// Frames that others may refer to.
    pub max_ref_frames: u32,
    /// What the colours mean, where it says so.
    pub colour: Option<Colour>,
    /// So many pictures may be shown later than others that come behind them, where it says so.
    pub reordered: Option<u32>,
    parts: Parts,
}

/// Where in its bits it says what is completed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Parts {
    /// `vui_parameters_present_flag`.
    vui: usize,
    has_vui: bool,
    /// `video_signal_type_present_flag`, and what comes behind that part.
    signal: (usize, usize),
    /// `video_format`, 5 where it says nothing.
    video_format: u32,
    is_full_range: bool,
    /// `bitstream_restriction_flag`, and what comes behind that part.
    restriction: (usize, usize),
}

impl Sps {
    /// Reads a unit; `None` if it is no sequence parameter set, or one that no decoder would take.
    #[must_use]
    pub fn parse(unit: &[u8]) -> Option<Self> {
        if kind_of(*unit.first()?) != kind::SPS {
            return None;
        }
        let mut reader = BitReader::new(&unit[1..], MAX_LEN);
        let bits = &mut reader;
        let profile = bits.byte()?;
        bits.number(16)?;
        let id = bits.unsigned_to(31)?;
        let chroma = if HIGH_PROFILES.contains(&profile) { chroma_format(bits)? } else { 1 };
        bits.unsigned_to(12)?;
        picture_order(bits)?;
        let max_ref_frames = bits.unsigned_to(16)?;
        bits.bit()?;
        let (width, height) = size(bits, chroma)?;
        let mut sps = Self {
            id,
            width,
            height,
            max_ref_frames,
            colour: None,
            reordered: None,
            parts: Parts {
                vui: bits.position(),
                has_vui: bits.bit()?,
                signal: (0, 0),
                video_format: 5,
                is_full_range: false,
                restriction: (0, 0),
            },
        };
        if sps.parts.has_vui {
            sps.read_vui(bits)?;
        }
        Some(sps)
    }

    /// Source: ITU-T H.264, section E.1.1.
    fn read_vui(&mut self, bits: &mut BitReader) -> Option<()> {
        if bits.bit()? && bits.byte()? == EXTENDED_SAR {
            bits.number(32)?;
        }
        if bits.bit()? {
            bits.bit()?;
        }
        self.parts.signal.0 = bits.position();
        self.read_signal(bits)?;
        self.parts.signal.1 = bits.position();
        pass_over_timing(bits)?;
        self.parts.restriction.0 = bits.position();
        if bits.bit()? {
            bits.bit()?;
            for _ in 0..4 {
                bits.unsigned_to(16)?;
            }
            self.reordered = Some(bits.unsigned_to(16)?);
            bits.unsigned_to(16)?;
        }
        self.parts.restriction.1 = bits.position();
        Some(())
    }

    fn read_signal(&mut self, bits: &mut BitReader) -> Option<()> {
        if !bits.bit()? {
            return Some(());
        }
        self.parts.video_format = bits.number(3)?;
        let is_full_range = bits.bit()?;
        self.parts.is_full_range = is_full_range;
        if bits.bit()? {
            let (primaries, transfer, matrix) = (bits.byte()?, bits.byte()?, bits.byte()?);
            let colour = Colour { primaries, transfer, matrix, is_full_range };
            self.colour = Some(colour).filter(|colour| colour.matrix != UNSPECIFIED);
        }
        Some(())
    }

    /// Writes the set that `unit` is, with what it does not say: these colours, and that pictures are shown in the order
    /// in which they come, so that a decoder holds none back. What it says stays as it is.
    ///
    /// `unit` is the one that this was [parsed](Self::parse) from.
    #[must_use]
    pub fn complete(&self, unit: &[u8], colour: Colour) -> Vec<u8> {
        let parts = &self.parts;
        let (Some(first), true) = (unit.first(), self.colour.is_none() || self.reordered.is_none())
        else {
            return unit.to_vec();
        };
        let reader = BitReader::new(&unit[1..], MAX_LEN);
        let mut bits = BitWriter::default();
        reader.copy(0, parts.vui, &mut bits);
        bits.bit(true);
        if parts.has_vui {
            reader.copy(parts.vui + 1, parts.signal.0, &mut bits);
        } else {
            bits.number(0, 2);
        }
        if self.colour.is_some() {
            reader.copy(parts.signal.0, parts.signal.1, &mut bits);
        } else {
            self.write_colour(colour, &mut bits);
        }
        if parts.has_vui {
            reader.copy(parts.signal.1, parts.restriction.0, &mut bits);
        } else {
            bits.number(0, 5);
        }
        if self.reordered.is_some() {
            reader.copy(parts.restriction.0, parts.restriction.1, &mut bits);
        } else {
            self.write_restriction(&mut bits);
        }
        let mut out = vec![*first];
        bits.finish(&mut out);
        out
    }

    fn write_colour(&self, colour: Colour, bits: &mut BitWriter) {
        // A set that says its range and no more means it.
        let says_range = self.parts.signal.1 > self.parts.signal.0 + 1;
        let is_full_range =
            if says_range { self.parts.is_full_range } else { colour.is_full_range };
        bits.bit(true);
        bits.number(self.parts.video_format, 3);
        bits.bit(is_full_range);
        bits.bit(true);
        for number in [colour.primaries, colour.transfer, colour.matrix] {
            bits.number(number.into(), 8);
        }
    }

    /// The numbers are those that hold where nothing is said, but for the last two: nothing is shown out of order, and no
    /// more frames are kept than are referred to. Source: ITU-T H.264, section E.2.1.
    fn write_restriction(&self, bits: &mut BitWriter) {
        bits.bit(true);
        bits.bit(true);
        for number in [2, 1, 15, 15, 0, self.max_ref_frames] {
            bits.unsigned(number);
        }
    }
}

/// Reads how chroma is sampled, and passes over the scaling matrices. Source: ITU-T H.264, section 7.3.2.1.1.
fn chroma_format(bits: &mut BitReader) -> Option<u32> {
    let chroma = bits.unsigned_to(3)?;
    // Three separate planes are cropped like grey.
    let cropped_as = if chroma == 3 && bits.bit()? { 0 } else { chroma };
    bits.unsigned_to(6)?;
    bits.unsigned_to(6)?;
    bits.bit()?;
    if bits.bit()? {
        for list in 0..if chroma == 3 { 12 } else { 8 } {
            if bits.bit()? {
                scaling_list(bits, if list < 6 { 16 } else { 64 })?;
            }
        }
    }
    Some(cropped_as)
}

/// Source: ITU-T H.264, section 7.3.2.1.1.1.
fn scaling_list(bits: &mut BitReader, len: u32) -> Option<()> {
    let (mut last, mut next) = (8, 8);
    for _ in 0..len {
        if next != 0 {
            next = (last + bits.signed()?).rem_euclid(256);
        }
        if next != 0 {
            last = next;
        }
    }
    Some(())
}

fn picture_order(bits: &mut BitReader) -> Option<()> {
    match bits.unsigned_to(2)? {
        0 => bits.unsigned_to(12).map(drop),
        1 => {
            bits.bit()?;
            bits.signed()?;
            bits.signed()?;
            for _ in 0..bits.unsigned_to(255)? {
                bits.signed()?;
            }
            Some(())
        }
        _ => Some(()),
    }
}

/// Width and height in pixels. Source: ITU-T H.264, section 7.4.2.1.1, equations 7-13 to 7-22.
fn size(bits: &mut BitReader, chroma: u32) -> Option<(u32, u32)> {
    let across = bits.unsigned_to(MAX_SIDE_BLOCKS - 1)? + 1;
    let down = bits.unsigned_to(MAX_SIDE_BLOCKS - 1)? + 1;
    let is_frames_only = bits.bit()?;
    if !is_frames_only {
        bits.bit()?;
    }
    bits.bit()?;
    let fields = if is_frames_only { 1 } else { 2 };
    let (unit_across, unit_down) = match chroma {
        1 => (2, 2 * fields),
        2 => (2, fields),
        _ => (1, fields),
    };
    let mut cropped = (0, 0);
    if bits.bit()? {
        let mut side = || bits.unsigned_to(MAX_SIDE_BLOCKS * 16);
        let (left, right, top, bottom) = (side()?, side()?, side()?, side()?);
        cropped = ((left + right) * unit_across, (top + bottom) * unit_down);
    }
    let width = (across * 16).checked_sub(cropped.0)?;
    let height = (down * 16 * fields).checked_sub(cropped.1)?;
    (width > 0 && height > 0 && height <= MAX_SIDE_BLOCKS * 16).then_some((width, height))
}

/// Passes over where chroma lies, the rate, and the reference decoder. Source: ITU-T H.264, section E.1.1.
fn pass_over_timing(bits: &mut BitReader) -> Option<()> {
    if bits.bit()? {
        bits.unsigned_to(5)?;
        bits.unsigned_to(5)?;
    }
    if bits.bit()? {
        bits.number(32)?;
        bits.number(32)?;
        bits.bit()?;
    }
    let has_nal = bits.bit()? && reference_decoder(bits)?;
    let has_vcl = bits.bit()? && reference_decoder(bits)?;
    if has_nal || has_vcl {
        bits.bit()?;
    }
    bits.bit().map(drop)
}

/// Passes over the parameters of a hypothetical reference decoder. Source: ITU-T H.264, section E.1.2.
fn reference_decoder(bits: &mut BitReader) -> Option<bool> {
    let buffers = bits.unsigned_to(31)? + 1;
    bits.byte()?;
    for _ in 0..buffers {
        bits.unsigned()?;
        bits.unsigned()?;
        bits.bit()?;
    }
    bits.number(20)?;
    Some(true)
}
