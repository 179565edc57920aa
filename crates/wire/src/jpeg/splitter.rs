//! Pictures cut out of a byte stream.

use bytes::{Buf as _, Bytes, BytesMut};

use super::SOI;
use super::walker::{Step, Walker};

/// Bytes between two pictures that may be text or padding and are not counted as damage: more than any head of a
/// multipart part.
const MAX_SEPARATOR_LEN: u64 = 4096;

/// Finds whole pictures in what a command, a pipe or a file gives: pictures one behind the other, also with a multipart
/// boundary and headers, or zeros, between them.
///
/// A picture that is cut off, damaged or longer than the limit is skipped and counted, and the next one is found; if it
/// broke inside a segment, what the segment's length claims is skipped with it, at most 64 KiB. What is embedded in a
/// picture (a thumbnail) is not taken for one. Only the markers are checked: a picture that was cut off in its tables
/// can by rare chance join the next one to a well-formed whole, which only a decoder can tell. Each byte is looked at
/// once.
///
/// Memory: none of its own; the caller's buffer holds at most one picture that is not whole.
///
/// ```
/// use bytes::BytesMut;
/// use eyelet_wire::jpeg::Splitter;
/// let picture = [0xFF, 0xD8, 0xFF, 0xC0, 0, 2, 0xFF, 0xDA, 0, 2, 1, 2, 3, 0xFF, 0xD9];
/// let mut input = BytesMut::from(&b"--boundary\r\nContent-Type: image/jpeg\r\n\r\n"[..]);
/// let mut splitter = Splitter::new(1 << 20);
/// assert_eq!(splitter.next_picture(&mut input), None);
/// input.extend_from_slice(&picture);
/// assert_eq!(splitter.next_picture(&mut input).unwrap(), picture[..]);
/// assert_eq!(splitter.skipped(), 0);
/// ```
#[derive(Debug)]
pub struct Splitter {
    max_len: usize,
    state: State,
    damaged: u64,
    skipped: u64,
}

#[derive(Debug)]
enum State {
    /// Between pictures: so many bytes, and whether all of them are text or zeros.
    Between { len: u64, is_separator: bool },
    /// In a picture, whose first `walked` bytes are at the front of the input.
    Picture { walker: Walker, walked: usize },
    /// In a picture that is too long, of which only the last `walked` bytes (0 or 1) are left.
    TooLong { walker: Walker, walked: usize },
}

const BETWEEN: State = State::Between { len: 0, is_separator: true };

impl Splitter {
    /// Makes a splitter for one stream, which skips pictures of more than `max_len` bytes.
    #[must_use]
    pub const fn new(max_len: usize) -> Self {
        Self { max_len, state: BETWEEN, damaged: 0, skipped: 0 }
    }

    /// Pictures that were cut off, damaged or too long.
    #[must_use]
    pub const fn damaged(&self) -> u64 {
        self.damaged
    }

    /// Bytes of those pictures, and other bytes that are neither of a picture nor text or zeros between two.
    #[must_use]
    pub const fn skipped(&self) -> u64 {
        match self.state {
            State::Between { len, is_separator: false } => self.skipped + len,
            _ => self.skipped,
        }
    }

    /// Splits the next picture off the front of `input`, without what stood before it; `None` when more is needed.
    ///
    /// Between calls `input` may only be added to at its end. On `None` it holds at most `max_len` bytes.
    pub fn next_picture(&mut self, input: &mut BytesMut) -> Option<Bytes> {
        loop {
            match &mut self.state {
                State::Between { .. } => {
                    if !self.find_start(input) {
                        return None;
                    }
                }
                State::Picture { walker, walked } | State::TooLong { walker, walked } => {
                    *walked = (*walked).min(input.len());
                    let (taken, step) = walker.walk(&input[*walked..]);
                    *walked += taken;
                    let walked = *walked;
                    if step == Step::More {
                        self.await_more(input);
                        return None;
                    }
                    if let Some(picture) = self.finish(input, walked, &step) {
                        return Some(picture);
                    }
                }
            }
        }
    }

    /// Throws away what is before a picture's start; false if there is none yet.
    fn find_start(&mut self, input: &mut BytesMut) -> bool {
        // The byte behind the start is the first of another marker.
        const START: [u8; 3] = [SOI[0], SOI[1], 0xFF];
        let found = memchr::memmem::find(input, &START);
        let before = found.unwrap_or_else(|| {
            let half = if input.ends_with(&START[..2]) {
                2
            } else {
                usize::from(input.ends_with(&START[..1]))
            };
            input.len() - half
        });
        if let State::Between { len, is_separator } = &mut self.state {
            *len += before as u64;
            *is_separator &= *len <= MAX_SEPARATOR_LEN
                && input[..before].iter().all(|&byte| byte == 0 || is_text(byte));
        }
        input.advance(before);
        if found.is_some() {
            self.skipped = self.skipped();
            self.state = State::Picture { walker: Walker::new(), walked: SOI.len() };
        }
        found.is_some()
    }

    /// All of `input` belongs to an unfinished picture: keeps it, unless it is too long already.
    fn await_more(&mut self, input: &mut BytesMut) {
        let (walker, walked) = match std::mem::replace(&mut self.state, BETWEEN) {
            State::Picture { walker, walked } if walked <= self.max_len => {
                self.state = State::Picture { walker, walked };
                return;
            }
            State::Picture { walker, walked } | State::TooLong { walker, walked } => {
                (walker, walked)
            }
            State::Between { .. } => return,
        };
        let kept = usize::from(walker.is_inside_marker() && walked > 0);
        self.skip(input, walked - kept);
        self.state = State::TooLong { walker, walked: kept };
    }

    /// The picture has ended, well or not; gives it if it is good.
    fn finish(&mut self, input: &mut BytesMut, walked: usize, step: &Step) -> Option<Bytes> {
        let state = std::mem::replace(&mut self.state, BETWEEN);
        let fits = matches!(state, State::Picture { .. }) && walked <= self.max_len;
        if *step == Step::End && fits {
            return Some(input.split_to(walked).freeze());
        }
        self.damaged += 1;
        let next = if *step == Step::Start { SOI.len() } else { 0 };
        self.skip(input, walked - next);
        None
    }

    fn skip(&mut self, input: &mut BytesMut, len: usize) {
        input.advance(len);
        self.skipped += len as u64;
    }
}

const fn is_text(byte: u8) -> bool {
    matches!(byte, b' '..=b'~' | b'\t' | b'\r' | b'\n')
}
