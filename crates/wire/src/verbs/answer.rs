//! The server's line.

use std::fmt::Display;

use super::MAX_LINE_LEN;

/// What an `err` answer is about, for programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// The time given to `wait` or the deadline of a send is over.
    Timeout,
    /// The client has left.
    Gone,
    /// The line or its payload is wrong.
    BadRequest,
    /// The verb does not fit what has been done so far, such as `send` before `handshake`.
    BadState,
    /// There is no area of that id.
    NoArea,
    /// The part asked for lies outside the frame, or there is no frame yet.
    OutOfRange,
    /// The area's owner does not take that.
    Refused,
    /// The app has said `stop`.
    Stopped,
    /// Longer than a limit.
    TooLarge,
    /// From a newer app, or a slip of the pen.
    UnknownVerb,
    /// The server failed.
    Internal,
}

impl Kind {
    /// The word on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Gone => "gone",
            Self::BadRequest => "bad-request",
            Self::BadState => "bad-state",
            Self::NoArea => "no-area",
            Self::OutOfRange => "out-of-range",
            Self::Refused => "refused",
            Self::Stopped => "stopped",
            Self::TooLarge => "too-large",
            Self::UnknownVerb => "unknown-verb",
            Self::Internal => "internal",
        }
    }
}

impl Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Makes the line `ok`, or `ok VALUE` if there is a value, with its newline.
///
/// ```
/// assert_eq!(eyelet_wire::verbs::ok(17), b"ok 17\n");
/// assert_eq!(eyelet_wire::verbs::ok(""), b"ok\n");
/// ```
#[must_use]
pub fn ok(value: impl Display) -> Vec<u8> {
    line("ok", &value.to_string())
}

/// Makes the line `err KIND TEXT`, with its newline.
///
/// Whatever the text holds, the answer stays one line: control characters become spaces, and it is cut to
/// [`MAX_LINE_LEN`] between characters.
///
/// ```
/// use eyelet_wire::verbs::{Kind, err};
/// assert_eq!(err(Kind::NoArea, "area 7 does not exist"), b"err no-area area 7 does not exist\n");
/// ```
#[must_use]
pub fn err(kind: Kind, text: impl Display) -> Vec<u8> {
    line(&format!("err {kind}"), &text.to_string())
}

fn line(start: &str, text: &str) -> Vec<u8> {
    let mut line = start.to_owned();
    if !text.is_empty() {
        line.push(' ');
        line.extend(text.chars().map(|c| if is_break(c) { ' ' } else { c }));
    }
    line.truncate(line.floor_char_boundary(MAX_LINE_LEN));
    line.push('\n');
    line.into_bytes()
}

/// Control characters, and the two separators that some languages also take for a line's end.
fn is_break(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')
}
