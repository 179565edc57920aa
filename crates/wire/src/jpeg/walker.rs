//! Follows a picture's markers from its start to its end, however it is cut into reads.

use memchr::memchr;

use super::segments::{EOI, SOI, SOS, has_length, is_frame_header};

/// Where the walk is. Needs no memory beside itself.
#[derive(Debug)]
pub(super) struct Walker {
    state: State,
    progress: Progress,
}

/// What a picture must have, in this order. Source: ITU-T T.81, figure B.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    NoFrame,
    Frame,
    Scan,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// A marker has to begin.
    Marker,
    /// Behind the 0xFF of a marker.
    Code,
    LengthHigh {
        code: u8,
    },
    LengthLow {
        code: u8,
        high: u8,
    },
    Segment {
        code: u8,
        left: usize,
    },
    /// Inside a scan's data.
    Scan,
    /// Behind a 0xFF in a scan's data.
    ScanCode,
}

/// What the walk came to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// All bytes are taken and more are needed.
    More,
    /// The last byte taken ends the picture.
    End,
    /// The last two bytes taken start another picture: this one is cut off.
    Start,
    /// The last byte taken cannot stand there.
    Damaged,
}

impl Walker {
    /// Begins behind the start marker.
    pub(super) const fn new() -> Self {
        Self { state: State::Marker, progress: Progress::NoFrame }
    }

    /// True if the last byte taken may be the first of a marker.
    pub(super) const fn is_inside_marker(&self) -> bool {
        matches!(self.state, State::Code | State::ScanCode)
    }

    /// Takes bytes until something is found; gives their count.
    pub(super) fn walk(&mut self, bytes: &[u8]) -> (usize, Step) {
        let mut at = 0;
        while at < bytes.len() {
            match self.state {
                State::Segment { code, left } => {
                    let taken = left.min(bytes.len() - at);
                    at += taken;
                    self.state = after(code, left - taken);
                }
                State::Scan => match memchr(0xFF, &bytes[at..]) {
                    Some(offset) => {
                        at += offset + 1;
                        self.state = State::ScanCode;
                    }
                    None => at = bytes.len(),
                },
                _ => {
                    let step = self.byte(bytes[at]);
                    at += 1;
                    if step != Step::More {
                        return (at, step);
                    }
                }
            }
        }
        (at, Step::More)
    }

    fn byte(&mut self, byte: u8) -> Step {
        self.state = match (self.state, byte) {
            (State::Marker | State::Code | State::ScanCode, 0xFF) => match self.state {
                State::Marker => State::Code,
                same => same, // fill bytes: T.81, section B.1.1.2
            },
            // A stuffed zero, and the markers that restart within a scan: T.81, section B.1.1.5.
            (State::ScanCode, 0x00 | 0xD0..=0xD7) => State::Scan,
            (State::Code | State::ScanCode, SOI) => return Step::Start,
            (State::Code | State::ScanCode, EOI) if self.progress == Progress::Scan => {
                return Step::End;
            }
            (State::Code | State::ScanCode, code) if has_length(code) && self.accepts(code) => {
                State::LengthHigh { code }
            }
            (State::LengthHigh { code }, high) => State::LengthLow { code, high },
            (State::LengthLow { code, high }, low) => {
                let len = usize::from(u16::from_be_bytes([high, low]));
                let Some(left) = len.checked_sub(2) else { return Step::Damaged };
                after(code, left)
            }
            _ => return Step::Damaged,
        };
        Step::More
    }

    /// Checks a marker's place: one frame header, then scans. A second frame header means that the end of this picture
    /// and the start of another were lost. (Hierarchical pictures have several; nobody makes them.)
    fn accepts(&mut self, code: u8) -> bool {
        let (in_order, now) = match code {
            SOS => (self.progress != Progress::NoFrame, Progress::Scan),
            _ if is_frame_header(code) => (self.progress == Progress::NoFrame, Progress::Frame),
            _ => (true, self.progress),
        };
        self.progress = now;
        in_order
    }
}

/// Where the walk is with `left` bytes of a segment to come.
const fn after(code: u8, left: usize) -> State {
    match (left, code) {
        (0, SOS) => State::Scan,
        (0, _) => State::Marker,
        _ => State::Segment { code, left },
    }
}
