//! Whether a frame is whole, and when it was captured: the stamps in its pixels or its JPEG comments, read while it
//! passes by.

use eyelet_area::{Format, FourCc, Range};
use eyelet_wire::v1::FormatInfo;

use super::comments::Comments;
use crate::stamp::{Layout, PIXELS, Stamps};

/// Bytes that a stamped row's stamp has at most: number and time, three a pixel.
const MAX_STAMP: usize = 2 * PIXELS * 3;

/// Sizes that a bare frame may have; which one, and in which pixel format, its stamps tell.
const BARE_SIZES: [(u32, u32); 14] = [
    (160, 96),
    (160, 120),
    (320, 160),
    (320, 240),
    (352, 288),
    (640, 360),
    (640, 480),
    (800, 600),
    (1024, 768),
    (1280, 720),
    (1280, 960),
    (1280, 1024),
    (1920, 1080),
    (3840, 2160),
];
const BARE_FORMATS: [FourCc; 5] =
    [FourCc::YUYV, FourCc::UYVY, FourCc::NV12, FourCc::GREY, FourCc::RGB24];

/// Reads the stamps of one frame after the other, in pieces.
#[derive(Debug)]
pub(crate) enum Check {
    /// Of raw pixels.
    Pixels(Box<Pixels>),
    /// Of a JPEG picture.
    Comments(Comments),
}

impl Check {
    /// Takes the next bytes of the frame. O(stamps in them).
    pub(crate) fn part(&mut self, bytes: &[u8]) {
        match self {
            Self::Pixels(pixels) => pixels.part(bytes),
            Self::Comments(comments) => comments.part(bytes),
        }
    }

    /// Ends the frame and begins the next; gives what its stamps say, and when it was captured, in µs.
    pub(crate) fn end(&mut self) -> (Stamps, Option<u64>) {
        match self {
            Self::Pixels(pixels) => pixels.end(),
            Self::Comments(comments) => comments.end(),
        }
    }

    /// Tells whether the frame's length says nothing about where the stamps are.
    pub(crate) fn fits_any_length(&self) -> bool {
        matches!(self, Self::Comments(_))
    }
}

/// Reads the stamps in pixels.
#[derive(Debug)]
pub(crate) struct Pixels {
    layout: Layout,
    /// Bytes of this frame that have passed.
    at: usize,
    /// The next stamped row.
    row: usize,
    /// What has passed of that row's stamp.
    stamp: [u8; MAX_STAMP],
    filled: usize,
    agreed: Option<u64>,
    is_torn: bool,
    captured_us: Option<u64>,
}

impl Pixels {
    pub(crate) fn new(layout: Layout) -> Self {
        Self {
            layout,
            at: 0,
            row: 0,
            stamp: [0; MAX_STAMP],
            filled: 0,
            agreed: None,
            is_torn: false,
            captured_us: None,
        }
    }

    fn part(&mut self, bytes: &[u8]) {
        let end = self.at + bytes.len();
        while self.row < self.layout.rows() {
            let range = self.range();
            let from = range.start + self.filled;
            if from >= end {
                break;
            }
            let part = &bytes[from - self.at..range.end.min(end) - self.at];
            self.stamp[self.filled..self.filled + part.len()].copy_from_slice(part);
            self.filled += part.len();
            if self.filled < range.len() {
                break;
            }
            self.judge();
        }
        self.at = end;
    }

    /// The bytes of the next row's stamp; the first row's has the time too, where there is room.
    fn range(&self) -> std::ops::Range<usize> {
        let range = self.layout.byte_range(self.row);
        let time = self.layout.time_range().filter(|_| self.row == 0);
        range.start..time.map_or(range.end, |time| time.end)
    }

    fn judge(&mut self) {
        if let Some(time) = self.layout.time_range().filter(|_| self.row == 0) {
            self.captured_us = self.layout.read(&self.stamp[time]);
        }
        let sequence = self.layout.read(&self.stamp[..self.filled]);
        // A row is bad if it says nothing, or something else than a row before; the first may be either.
        self.is_torn |=
            sequence.is_none() || self.agreed.is_some_and(|agreed| Some(agreed) != sequence);
        self.agreed = self.agreed.or(sequence);
        self.filled = 0;
        self.row += 1;
    }

    fn end(&mut self) -> (Stamps, Option<u64>) {
        let is_cut_off = self.row < self.layout.rows();
        let stamps = match self.agreed {
            None => Stamps::Absent,
            Some(_) if self.is_torn || is_cut_off => Stamps::Torn,
            Some(sequence) => Stamps::Whole(sequence),
        };
        let captured_us = self.captured_us.filter(|_| matches!(stamps, Stamps::Whole(_)));
        *self = Self::new(self.layout);
        (stamps, captured_us)
    }
}

/// Gives what looks for stamps in frames of a `config`; `None` where a picture cannot carry them.
pub(crate) fn of_config(info: &FormatInfo) -> Option<Check> {
    if info.format == "jpeg" {
        return Some(Check::Comments(Comments::default()));
    }
    layout(info).map(|layout| Check::Pixels(Box::new(Pixels::new(layout))))
}

/// Gives what looks for stamps in bare frames of so many bytes: raw ones that fit, or JPEG pictures.
pub(crate) fn of_len(len: u64) -> Vec<Check> {
    let pixels =
        bare_layouts(len).into_iter().map(|layout| Check::Pixels(Box::new(Pixels::new(layout))));
    pixels.chain([Check::Comments(Comments::default())]).collect()
}

fn layout(info: &FormatInfo) -> Option<Layout> {
    let fourcc = FourCc(info.fourcc.as_bytes().try_into().ok()?);
    let (width, height) = (info.width, info.height);
    if width > Format::MAX_SIDE_PX || height > Format::MAX_SIDE_PX {
        return None;
    }
    let packed = Format::packed(fourcc, width, height);
    let range = if info.range == eyelet_wire::v1::Range::Full { Range::Full } else { packed.range };
    Layout::for_format(&Format { stride: info.stride, range, ..packed })
}

/// Gives the layouts that a bare frame of so many bytes may have.
fn bare_layouts(len: u64) -> Vec<Layout> {
    let all = BARE_SIZES.iter().flat_map(|size| BARE_FORMATS.map(|fourcc| (fourcc, *size)));
    let formats = all.map(|(fourcc, (width, height))| Format::packed(fourcc, width, height));
    let fitting = formats.filter(|format| format.packed_len() == Some(len));
    fitting.filter_map(|format| Layout::for_format(&format)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn picture(fourcc: FourCc, sequence: u64) -> (Layout, Vec<u8>) {
        let format = Format::packed(fourcc, 64, 20);
        let layout = Layout::for_format(&format).unwrap();
        let mut frame = vec![77; usize::try_from(format.packed_len().unwrap()).unwrap()];
        layout.write_frame(&mut frame, sequence);
        (layout, frame)
    }

    fn stamps(layout: Layout, frame: &[u8]) -> Stamps {
        let mut check = Pixels::new(layout);
        check.part(frame);
        check.end().0
    }

    proptest! {
        #[test]
        fn pieces_do_not_matter(at in 0usize..5, sequence in 0u64..1 << 48, len in 1usize..400) {
            let (layout, frame) = picture(BARE_FORMATS[at], sequence);
            let mut check = Pixels::new(layout);
            for _ in 0..2 {
                frame.chunks(len).for_each(|part| check.part(part));
                prop_assert_eq!(check.end(), (Stamps::Whole(sequence), None));
            }
        }

        #[test]
        fn the_time_is_read_where_there_is_one(at in 0usize..5, us in 0u64..1 << 48, len in 1usize..400) {
            let format = Format::packed(BARE_FORMATS[at], 128, 20);
            let layout = Layout::for_format(&format).unwrap();
            let mut frame = vec![77; usize::try_from(format.packed_len().unwrap()).unwrap()];
            layout.write_frame(&mut frame, 7);
            layout.write_time(&mut frame, us);
            let mut check = Pixels::new(layout);
            frame.chunks(len).for_each(|part| check.part(part));
            prop_assert_eq!(check.end(), (Stamps::Whole(7), Some(us)));
        }

        #[test]
        fn a_frame_that_is_half_of_another_is_torn(at in 0usize..5, cut in 1usize..20) {
            let ((layout, mut frame), (_, next)) = (picture(BARE_FORMATS[at], 7), picture(BARE_FORMATS[at], 8));
            let stride = layout.byte_range(1).start / crate::stamp::ROW_STEP;
            frame[..cut * stride].copy_from_slice(&next[..cut * stride]);
            let whole = if cut > 16 { Stamps::Whole(8) } else { Stamps::Torn };
            prop_assert_eq!(stamps(layout, &frame), whole);
        }
    }

    #[test]
    fn damage_is_torn_and_pictures_without_stamps_are_not() {
        let (layout, frame) = picture(FourCc::YUYV, 7);
        let mut damaged = frame.clone();
        damaged[layout.byte_range(0).start] ^= 0x80;
        assert_eq!(stamps(layout, &damaged), Stamps::Torn);
        assert_eq!(stamps(layout, &frame[..1500]), Stamps::Torn);
        assert_eq!(stamps(layout, &vec![16; frame.len()]), Stamps::Absent);
        assert_eq!(stamps(layout, &[]), Stamps::Absent);
    }

    #[test]
    fn bare_frames_are_guessed_by_their_length() {
        assert_eq!(
            bare_layouts(614_400),
            [
                Layout::for_format(&Format::packed(FourCc::YUYV, 640, 480)),
                Layout::for_format(&Format::packed(FourCc::UYVY, 640, 480))
            ]
            .map(Option::unwrap)
        );
        assert!(bare_layouts(614_401).is_empty());
    }
}
