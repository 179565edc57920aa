//! What is on the test picture and where.

use eyelet_area::{Format, MonotonicNs};
use rustix::time::{ClockId, clock_gettime};

use super::canvas::{Canvas, Rect};
use super::colour::{BARS, Codes};
use super::font;
use super::look::{Look, Pattern};
use crate::stamp;

/// Dots get no larger than this many pixels: a clock as large as the room would cost more than it shows.
const LARGEST_SCALE: usize = 4;

/// The block's way is a multiple of what it usually moves from frame to frame, in pixels.
const BLOCK_STEP: usize = 4;

/// `HH:MM:SS.mmm` and `FRAME`, a space, digits.
const CLOCK_CHARACTERS: usize = 12;
const NUMBER_CHARACTERS: usize = 16;

const BLACK: [u8; 3] = [0, 0, 0];
const WHITE: [u8; 3] = [255, 255, 255];
/// The middle of what R, G and B can be.
const GREY: [u8; 3] = [128, 128, 128];

/// Colour bars in the upper two thirds; below them a grey ramp, a moving block, the clock (UTC) and the frame's number.
/// The first 64 pixels of every eighth row belong to the [`stamp`].
#[derive(Debug)]
pub(super) struct Picture {
    canvas: Canvas,
    stamp: stamp::Layout,
    /// Black, white.
    ink: [Codes; 2],
    /// The lane of the block: black but for the block.
    lane: Rect,
    /// Where the block is now.
    block: Rect,
    motion: Motion,
    clock: Line,
    number: Line,
}

impl Picture {
    /// Draws what does not change; `None` for a format that cannot be drawn on.
    pub(super) fn new(format: &Format, look: &Look) -> Option<Self> {
        let stamp = stamp::Layout::for_format(format)?;
        let mut canvas = Canvas::new(format, look.is_flipped);
        let width = usize::try_from(format.width).ok()?;
        let height = usize::try_from(format.height).ok()?;
        // Chroma rows are shared by two, so parts begin at even rows.
        let bars_end = even(height * 2 / 3);
        let ramp_end = even(bars_end + (height - bars_end) / 4);
        let lane_end = even(bars_end + (height - bars_end) / 2);
        let codes = |rgb| Codes::of(format, look.of(rgb));
        draw_pattern(&mut canvas, look.pattern, &codes, width, bars_end);
        draw_ramp(&mut canvas, &codes, width, bars_end..ramp_end);
        let below = Rect { left: 0, top: ramp_end, right: width, bottom: height };
        let ink = [codes(BLACK), codes(WHITE)];
        canvas.fill(below, ink[0]);
        let left = even(stamp::PIXELS + stamp::ROW_STEP);
        let rows = (height - lane_end) / 2;
        let scale_for = |characters: usize| {
            let across = width.saturating_sub(left) / (characters * font::ADVANCE);
            across.min(rows.saturating_sub(1) / font::HEIGHT).min(LARGEST_SCALE)
        };
        let scale = scale_for(CLOCK_CHARACTERS);
        let line = |top, most| Line { at: (left, top), scale, most, shown: Vec::new() };
        let most =
            (width.saturating_sub(left) / (font::ADVANCE * scale.max(1))).min(NUMBER_CHARACTERS);
        Some(Self {
            canvas,
            stamp,
            ink,
            lane: Rect { left: 0, top: ramp_end, right: width, bottom: lane_end },
            block: Rect::default(),
            motion: Motion { speed: look.speed(), ..Motion::default() },
            clock: line(lane_end + 1, CLOCK_CHARACTERS),
            number: line(lane_end + rows + 1, most),
        })
    }

    /// Draws what does not change anew; the block goes on from where it is.
    pub(super) fn change(&mut self, format: &Format, look: &Look, sequence: u64) {
        let Some(changed) = Self::new(format, look) else { return };
        let mut motion = self.motion.go_on(sequence, way(self.lane));
        motion.speed = look.speed();
        *self = Self { motion, ..changed };
    }

    /// Lets the block begin at the left again.
    pub(super) fn reset_motion(&mut self, sequence: u64) {
        self.motion = Motion { since: sequence, from: 0, ..self.motion };
    }

    /// Draws what is new in this frame; gives all of its bytes.
    pub(super) fn draw(&mut self, sequence: u64, captured_at: MonotonicNs) -> &[u8] {
        self.canvas.fill(self.block, self.ink[0]);
        self.block = block_at(self.lane, self.motion.at(sequence, way(self.lane)));
        self.canvas.fill(self.block, self.ink[1]);
        self.clock.show(&mut self.canvas, &time_of_day(), self.ink);
        self.number.show(&mut self.canvas, &format!("FRAME {sequence}"), self.ink);
        self.stamp.write_frame(self.canvas.bytes_mut(), sequence);
        self.stamp.write_time(self.canvas.bytes_mut(), captured_at.as_micros());
        self.canvas.bytes()
    }
}

/// A line of text that redraws only the characters that changed.
#[derive(Debug)]
struct Line {
    at: (usize, usize),
    scale: usize,
    most: usize,
    shown: Vec<u8>,
}

impl Line {
    fn show(&mut self, canvas: &mut Canvas, text: &str, ink: [Codes; 2]) {
        if self.scale == 0 {
            return;
        }
        self.shown.resize(self.most, b' ');
        for (at, (new, shown)) in text.bytes().zip(&mut self.shown).enumerate() {
            if new != *shown {
                let left = self.at.0 + at * font::ADVANCE * self.scale;
                canvas.draw(new, (left, self.at.1), self.scale, ink);
                *shown = new;
            }
        }
    }
}

fn even(n: usize) -> usize {
    n & !1
}

fn draw_pattern(
    canvas: &mut Canvas,
    pattern: Pattern,
    codes: &impl Fn([u8; 3]) -> Codes,
    width: usize,
    bottom: usize,
) {
    match pattern {
        Pattern::Bars => {
            let edge = |bar: usize| match bar {
                8.. => width,
                bar => even(bar * width / BARS.len()),
            };
            for (bar, rgb) in BARS.into_iter().enumerate() {
                let rect = Rect { left: edge(bar), top: 0, right: edge(bar + 1), bottom };
                canvas.fill(rect, codes(rgb));
            }
        }
        // Two columns share their colour.
        Pattern::Gradient => {
            for left in (0..width).step_by(2) {
                let rect = Rect { left, top: 0, right: (left + 2).min(width), bottom };
                canvas.fill(rect, codes(hue(left, width)));
            }
        }
        Pattern::Grey => {
            canvas.fill(Rect { left: 0, top: 0, right: width, bottom }, codes(GREY));
        }
    }
}

/// The colour at a place on the way from red by yellow, green, cyan, blue and magenta back to red.
fn hue(at: usize, width: usize) -> [u8; 3] {
    let way = at * 6 * 256 / width;
    let (rising, part) = (u8::try_from(way % 256).unwrap_or(u8::MAX), way / 256);
    let falling = u8::MAX - rising;
    match part {
        0 => [255, rising, 0],
        1 => [falling, 255, 0],
        2 => [0, 255, rising],
        3 => [0, falling, 255],
        4 => [rising, 0, 255],
        _ => [255, 0, falling],
    }
}

fn draw_ramp(
    canvas: &mut Canvas,
    codes: &impl Fn([u8; 3]) -> Codes,
    width: usize,
    rows: std::ops::Range<usize>,
) {
    for left in 0..width {
        let grey = u8::try_from(left * 255 / (width - 1)).unwrap_or(u8::MAX);
        let rect = Rect { left, top: rows.start, right: left + 1, bottom: rows.end };
        canvas.fill(rect, codes([grey; 3]));
    }
}

/// How the block moves: from a place at a frame, so many pixels with each.
#[derive(Clone, Copy, Debug, Default)]
struct Motion {
    since: u64,
    from: u64,
    speed: u64,
}

impl Motion {
    /// Where the block is at a frame, in pixels from the left, on a way so long.
    fn at(self, sequence: u64, way: u64) -> u64 {
        let frames = sequence.wrapping_sub(self.since) % way;
        (self.from + frames * self.speed) % way
    }

    /// The same motion, begun here.
    fn go_on(self, sequence: u64, way: u64) -> Self {
        Self { since: sequence, from: self.at(sequence, way), ..self }
    }
}

/// A block as high as its lane, at a place in it.
fn block_at(lane: Rect, left: u64) -> Rect {
    let left = usize::try_from(left).unwrap_or(0);
    Rect { left, right: left + side(lane), ..lane }
}

fn side(lane: Rect) -> usize {
    even(lane.bottom - lane.top).max(2)
}

/// Pixels from which the block starts again at the left; never 0.
fn way(lane: Rect) -> u64 {
    let places = (lane.right.saturating_sub(side(lane)) / BLOCK_STEP).max(1);
    u64::try_from(places * BLOCK_STEP).unwrap_or(1)
}

/// `HH:MM:SS.mmm` in UTC.
fn time_of_day() -> String {
    let now = clock_gettime(ClockId::Realtime);
    let (seconds, millis) = (now.tv_sec.rem_euclid(86_400), now.tv_nsec / 1_000_000);
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    format!("{hours:02}:{minutes:02}:{:02}.{millis:03}", seconds % 60)
}

#[cfg(test)]
mod tests {
    use eyelet_area::FourCc;
    use eyelet_wire::v1::ControlValue;
    use proptest::prelude::*;

    use super::super::look::Knobs;
    use super::*;
    use crate::panel::Job;

    const NOW: MonotonicNs = MonotonicNs(4_711_000);

    /// The Y, U, V of a pixel of a YUYV picture.
    fn pixel(bytes: &[u8], width: usize, x: usize, y: usize) -> [u8; 3] {
        let pair = &bytes[(y * width + x / 2 * 2) * 2..][..4];
        [pair[x % 2 * 2], pair[1], pair[3]]
    }

    fn vga() -> Picture {
        Picture::new(&Format::packed(FourCc::YUYV, 640, 480), &Look::default()).unwrap()
    }

    #[test]
    fn bars_stand_in_order_over_two_thirds() {
        let mut picture = vga();
        let bytes = picture.draw(1, NOW);
        for (bar, y) in
            [(0, 235), (1, 210), (2, 170), (3, 145), (4, 106), (5, 81), (6, 41), (7, 16)]
        {
            for row in [1, 319] {
                assert_eq!(pixel(bytes, 640, bar * 80, row)[0], y, "bar {bar}, row {row}");
                assert_eq!(pixel(bytes, 640, bar * 80 + 79, row)[0], y, "bar {bar}, row {row}");
            }
        }
        assert_eq!(pixel(bytes, 640, 400, 100), [81, 90, 240]);
    }

    #[test]
    fn the_ramp_goes_from_black_to_white() {
        let mut picture = vga();
        let bytes = picture.draw(1, NOW);
        assert_eq!(pixel(bytes, 640, 0, 321), [16, 128, 128]);
        assert_eq!(pixel(bytes, 640, 639, 321), [235, 128, 128]);
    }

    #[test]
    fn the_block_moves_and_leaves_nothing_behind() {
        let mut picture = vga();
        let lit = |bytes: &[u8]| -> Vec<usize> {
            (0..640).filter(|x| pixel(bytes, 640, *x, 371)[0] == 235).collect()
        };
        let first = lit(picture.draw(100, NOW));
        let second = lit(picture.draw(101, NOW));
        assert_eq!((first.len(), second.len()), (40, 40));
        assert_eq!(second[0], first[0] + BLOCK_STEP);
    }

    #[test]
    fn clock_and_number_are_there_and_stay_clear_of_the_stamp() {
        let mut picture = vga();
        let bytes = picture.draw(1, NOW);
        let lit = |rows: std::ops::Range<usize>| {
            rows.flat_map(|y| (0..640).map(move |x| (x, y)))
                .filter(|(x, y)| y % 8 != 0 && pixel(bytes, 640, *x, *y)[0] == 235)
                .map(|(x, _)| x)
                .collect::<Vec<_>>()
        };
        for rows in [401..439, 441..479] {
            let lit = lit(rows);
            assert!(lit.len() > 500 && lit.iter().all(|x| *x >= 72), "{}", lit.len());
        }
    }

    #[test]
    fn only_what_changes_changes() {
        let mut picture = vga();
        let before = picture.draw(7, NOW).to_vec();
        let after = picture.draw(8, NOW);
        let rows = before.chunks(1280).zip(after.chunks(1280));
        let changed = rows.filter(|(before, after)| before != after).count();
        assert!(changed < 60 + 40 + 80, "{changed} rows");
    }

    /// A look that the controls of a picture were set to.
    fn look(settings: &[(&str, i64)]) -> Look {
        let settings = settings.iter().map(|(id, value)| {
            let value = match *id {
                "flip" => ControlValue::Boolean(*value != 0),
                _ => ControlValue::Integer(*value),
            };
            ((*id).to_owned(), Some(value))
        });
        let mut knobs = Knobs::default();
        let done = knobs.set(&Job::Set(settings.collect())).unwrap();
        assert!(done.errors.is_empty(), "{:?}", done.errors);
        knobs.look()
    }

    #[test]
    fn patterns_show_what_they_are_called() {
        let format = Format::packed(FourCc::RGB24, 600, 480);
        let row = |settings: &[(&str, i64)], places: [usize; 3]| {
            let mut picture = Picture::new(&format, &look(settings)).unwrap();
            let bytes = picture.draw(1, NOW);
            places.map(|x| <[u8; 3]>::try_from(&bytes[(600 + x) * 3..][..3]).unwrap())
        };
        let middle = [128; 3];
        assert_eq!(row(&[("pattern", 2)], [0, 300, 599]), [middle; 3]);
        let [red, cyan, blue] = row(&[("pattern", 1)], [0, 300, 400]);
        assert_eq!((red, cyan, blue), ([255, 0, 0], [0, 255, 255], [0, 0, 255]));
        let [_, cyan, _] = row(&[("pattern", 1), ("flip", 1)], [0, 299, 400]);
        assert!(cyan[0] < 8 && cyan[1] > 247 && cyan[2] > 247, "{cyan:?}");
    }

    #[test]
    fn a_flipped_picture_is_the_mirror_of_the_other() {
        for fourcc in [FourCc::YUYV, FourCc::GREY] {
            let format = Format::packed(fourcc, 640, 480);
            let mut plain = Picture::new(&format, &Look::default()).unwrap();
            let mut flipped = Picture::new(&format, &look(&[("flip", 1)])).unwrap();
            let step = if fourcc == FourCc::GREY { 1 } else { 2 };
            let (plain, flipped) = (plain.draw(99, NOW), flipped.draw(99, NOW));
            // Rows of bars, ramp and lane that have no stamp.
            for y in [1, 319, 321, 371] {
                let luma = |bytes: &[u8], x: usize| bytes[(y * 640 + x) * step];
                for x in 0..640 {
                    assert_eq!(luma(plain, x), luma(flipped, 639 - x), "{x}, {y}");
                }
            }
        }
    }

    #[test]
    fn the_block_goes_on_from_where_it_is_when_its_speed_changes() {
        let format = Format::packed(FourCc::YUYV, 640, 480);
        let mut picture = vga();
        let left = |bytes: &[u8]| (0..640).find(|x| pixel(bytes, 640, *x, 371)[0] == 235).unwrap();
        assert_eq!(left(picture.draw(10, NOW)), 40);
        picture.change(&format, &look(&[("speed", 16)]), 10);
        assert_eq!(left(picture.draw(11, NOW)), 56);
        picture.change(&format, &look(&[("speed", 0)]), 11);
        assert_eq!(left(picture.draw(500, NOW)), 56);
        picture.reset_motion(500);
        assert_eq!(left(picture.draw(501, NOW)), 0);
    }

    proptest! {
        #[test]
        fn no_look_touches_the_stamp(
            at in 0usize..5, brightness in -64i64..=64, contrast in 0i64..=200, pattern in 0i64..3, flip in 0i64..2, sequence: u32,
        ) {
            let fourcc = [FourCc::YUYV, FourCc::UYVY, FourCc::NV12, FourCc::GREY, FourCc::RGB24][at];
            let format = Format::packed(fourcc, 130, 98);
            let settings = [
                ("brightness", brightness), ("contrast", contrast), ("pattern", pattern), ("flip", flip),
            ];
            let mut picture = Picture::new(&format, &look(&settings)).unwrap();
            let layout = stamp::Layout::for_format(&format).unwrap();
            for sequence in [u64::from(sequence), u64::from(sequence) + 1] {
                let frame = picture.draw(sequence, NOW);
                prop_assert_eq!(layout.read_frame(frame), Some(sequence));
                prop_assert_eq!(layout.read(&frame[layout.time_range().unwrap()]), Some(4711));
            }
        }

        #[test]
        fn any_size_and_format_has_its_stamp(width in 32u32..400, height in 16u32..300, at in 0usize..5, sequence: u64) {
            let fourcc = [FourCc::YUYV, FourCc::UYVY, FourCc::NV12, FourCc::GREY, FourCc::RGB24][at];
            let odd = u32::from(matches!(fourcc, FourCc::GREY | FourCc::RGB24));
            let format = Format::packed(fourcc, width * 2 + odd, height);
            let mut picture = Picture::new(&format, &Look::default()).unwrap();
            let layout = stamp::Layout::for_format(&format).unwrap();
            let first = picture.draw(sequence, NOW);
            prop_assert_eq!(first.len() as u64, format.packed_len().unwrap());
            prop_assert_eq!(layout.read_frame(first), Some(sequence & 0xffff_ffff_ffff));
            if let Some(time) = layout.time_range() {
                prop_assert_eq!(layout.read(&first[time]), Some(4711));
            }
            let next = sequence.wrapping_add(1);
            prop_assert_eq!(layout.read_frame(picture.draw(next, NOW)), Some(next & 0xffff_ffff_ffff));
        }
    }
}
