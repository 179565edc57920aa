//! What is on the test picture and where.

use eyelet_area::{Format, MonotonicNs};
use rustix::time::{ClockId, clock_gettime};

use super::canvas::{Canvas, Rect};
use super::colour::{BARS, Codes};
use super::font;
use crate::stamp;

/// Dots get no larger than this many pixels: a clock as large as the room would cost more than it shows.
const LARGEST_SCALE: usize = 4;

/// Pixels that the block moves from frame to frame.
const BLOCK_STEP: usize = 4;

/// `HH:MM:SS.mmm` and `FRAME`, a space, digits.
const CLOCK_CHARACTERS: usize = 12;
const NUMBER_CHARACTERS: usize = 16;

const BLACK: [u8; 3] = [0, 0, 0];
const WHITE: [u8; 3] = [255, 255, 255];

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
    clock: Line,
    number: Line,
}

impl Picture {
    /// Draws what does not change; `None` for a format that cannot be drawn on.
    pub(super) fn new(format: &Format) -> Option<Self> {
        let stamp = stamp::Layout::for_format(format)?;
        let mut canvas = Canvas::new(format);
        let width = usize::try_from(format.width).ok()?;
        let height = usize::try_from(format.height).ok()?;
        // Chroma rows are shared by two, so parts begin at even rows.
        let bars_end = even(height * 2 / 3);
        let ramp_end = even(bars_end + (height - bars_end) / 4);
        let lane_end = even(bars_end + (height - bars_end) / 2);
        draw_bars(&mut canvas, format, width, bars_end);
        draw_ramp(&mut canvas, format, width, bars_end..ramp_end);
        let below = Rect { left: 0, top: ramp_end, right: width, bottom: height };
        let ink = [Codes::of(format, BLACK), Codes::of(format, WHITE)];
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
            clock: line(lane_end + 1, CLOCK_CHARACTERS),
            number: line(lane_end + rows + 1, most),
        })
    }

    /// Draws what is new in this frame; gives all of its bytes.
    pub(super) fn draw(&mut self, sequence: u64, captured_at: MonotonicNs) -> &[u8] {
        self.canvas.fill(self.block, self.ink[0]);
        self.block = block_at(self.lane, sequence);
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

fn draw_bars(canvas: &mut Canvas, format: &Format, width: usize, bottom: usize) {
    let edge = |bar: usize| if bar == BARS.len() { width } else { even(bar * width / BARS.len()) };
    for (bar, rgb) in BARS.into_iter().enumerate() {
        let rect = Rect { left: edge(bar), top: 0, right: edge(bar + 1), bottom };
        canvas.fill(rect, Codes::of(format, rgb));
    }
}

fn draw_ramp(canvas: &mut Canvas, format: &Format, width: usize, rows: std::ops::Range<usize>) {
    for left in 0..width {
        let grey = u8::try_from(left * 255 / (width - 1)).unwrap_or(u8::MAX);
        let rect = Rect { left, top: rows.start, right: left + 1, bottom: rows.end };
        canvas.fill(rect, Codes::of(format, [grey; 3]));
    }
}

/// A block as high as its lane that goes from left to right and starts again.
fn block_at(lane: Rect, sequence: u64) -> Rect {
    let side = even(lane.bottom - lane.top).max(2);
    let places = u64::try_from((lane.right.saturating_sub(side) / BLOCK_STEP).max(1)).unwrap_or(1);
    let left = usize::try_from(sequence % places).unwrap_or(0) * BLOCK_STEP;
    Rect { left, right: left + side, ..lane }
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
    use proptest::prelude::*;

    use super::*;

    const NOW: MonotonicNs = MonotonicNs(4_711_000);

    /// The Y, U, V of a pixel of a YUYV picture.
    fn pixel(bytes: &[u8], width: usize, x: usize, y: usize) -> [u8; 3] {
        let pair = &bytes[(y * width + x / 2 * 2) * 2..][..4];
        [pair[x % 2 * 2], pair[1], pair[3]]
    }

    fn vga() -> Picture {
        Picture::new(&Format::packed(FourCc::YUYV, 640, 480)).unwrap()
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

    proptest! {
        #[test]
        fn any_size_and_format_has_its_stamp(width in 32u32..400, height in 16u32..300, at in 0usize..5, sequence: u64) {
            let fourcc = [FourCc::YUYV, FourCc::UYVY, FourCc::NV12, FourCc::GREY, FourCc::RGB24][at];
            let odd = u32::from(matches!(fourcc, FourCc::GREY | FourCc::RGB24));
            let format = Format::packed(fourcc, width * 2 + odd, height);
            let mut picture = Picture::new(&format).unwrap();
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
