//! The app protocol: an app drives its request by one-line verbs, and each is answered by one line.
//!
//! A line ends with a newline and has words parted by spaces. Some verbs announce a payload, whose bytes follow the
//! newline at once. Belongs here: the grammar and its limits. Does not belong here: what a verb does.
//!
//! | verb | does |
//! |---|---|
//! | `handshake [PROTOCOL]` | answers the WebSocket request, with a subprotocol if one is named |
//! | `wait AREA MS TIMEOUT` | waits for a frame newer than the last one waited for or sent; `MS` is accepted and ignored, `TIMEOUT` is in seconds and 0 means for ever |
//! | `send-area AREA POS LEN OP` | sends the newest frame from `POS` on as one message; `LEN` 0 is to its end |
//! | `send OP LEN` + payload | sends a message; `OP` is 1 for text, 2 for binary |
//! | `head LEN` + payload | answers with an HTTP head |
//! | `body LEN` + payload | sends a part of the body |
//! | `end` | ends the request |
//!
//! The answer is `ok`, `ok VALUE` or `err KIND TEXT`.
//!
//! To add a verb: a variant of [`Verb`], an arm in `Words::verb`, a line in each table of `verbs/tests.rs`, and if it
//! has a payload an arm in [`Verb::payload_len`].

mod answer;
#[cfg(test)]
mod tests;

pub use answer::{Kind, err, ok};

use std::time::Duration;

use thiserror::Error;

use crate::head::is_token;

/// Bytes of a line at most, without its newline: verbs are short, and an answer may carry a sentence.
pub const MAX_LINE_LEN: usize = 4096;
/// Bytes of an app's HTTP head at most: more than browsers and proxies take.
pub const MAX_HEAD_LEN: usize = 64 * 1024;
/// Bytes of a payload at most: holds any message or part of a body that an app makes in one piece, and bounds what one
/// request keeps in memory; frames are sent from areas instead.
pub const MAX_PAYLOAD_LEN: usize = 16 * 1024 * 1024;
/// Seconds that a wait may last at most: a century, so that sums of times cannot overflow.
const MAX_SECONDS: u64 = 3_155_760_000;

/// What an app asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verb {
    /// Completes the WebSocket handshake.
    Handshake {
        /// The subprotocol that the app chose: an HTTP token.
        protocol: Option<String>,
    },
    /// Waits for a frame that is newer than the last one this request waited for or sent.
    Wait {
        /// The area's id.
        area: u32,
        /// Accepted for old apps and ignored: nothing polls here.
        interval: Duration,
        /// `None` waits for ever.
        timeout: Option<Duration>,
    },
    /// Sends the newest frame, or a part of it, as one message.
    SendArea {
        /// The area's id.
        area: u32,
        /// Bytes to leave out at the front.
        pos: u64,
        /// Bytes to send; `None` sends all from `pos` on.
        len: Option<u64>,
        /// What the message is.
        op: Op,
    },
    /// Sends the payload as one message.
    Send {
        /// What the message is.
        op: Op,
        /// Bytes of payload, at most [`MAX_PAYLOAD_LEN`].
        len: usize,
    },
    /// Answers with the HTTP head in the payload; see [`crate::head`].
    Head {
        /// Bytes of payload, at most [`MAX_HEAD_LEN`].
        len: usize,
    },
    /// Sends the payload as a part of the body.
    Body {
        /// Bytes of payload, at most [`MAX_PAYLOAD_LEN`].
        len: usize,
    },
    /// Ends the request.
    End,
}

impl Verb {
    /// Bytes that follow the line.
    #[must_use]
    pub const fn payload_len(&self) -> usize {
        match self {
            Self::Send { len, .. } | Self::Head { len } | Self::Body { len } => *len,
            Self::Handshake { .. } | Self::Wait { .. } | Self::SendArea { .. } | Self::End => 0,
        }
    }
}

/// What a WebSocket message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Op {
    /// UTF-8; who sends it has to check that.
    Text,
    /// Any bytes.
    Binary,
}

/// Reads one line, with or without its line end.
///
/// # Errors
/// [`VerbError`] if the line is too long or has anything but printable ASCII, the verb is not known, or its words are
/// too few, too many or out of range.
///
/// ```
/// use eyelet_wire::verbs::{Op, Verb, parse};
/// let verb = parse(b"send-area 0 0 0 2\n")?;
/// assert_eq!(verb, Verb::SendArea { area: 0, pos: 0, len: None, op: Op::Binary });
/// # Ok::<(), eyelet_wire::verbs::VerbError>(())
/// ```
pub fn parse(line: &[u8]) -> Result<Verb, VerbError> {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if line.len() > MAX_LINE_LEN {
        return Err(Wrong::LineTooLong.into());
    }
    if !line.iter().all(|byte| matches!(byte, b' '..=b'~')) {
        return Err(Wrong::NotPrintable.into());
    }
    let line = str::from_utf8(line).map_err(|_| Wrong::NotPrintable)?;
    let mut words = line.split(' ').filter(|word| !word.is_empty());
    let Some(verb) = words.next() else { return Err(Wrong::Empty.into()) };
    let mut words = Words { verb, words };
    let verb = words.verb()?;
    match words.words.next() {
        Some(word) => Err(Wrong::Surplus(quoted(words.verb), quoted(word)).into()),
        None => Ok(verb),
    }
}

/// The words of a line, of which the first is the verb.
struct Words<'a, I> {
    verb: &'a str,
    words: I,
}

impl<'a, I: Iterator<Item = &'a str>> Words<'a, I> {
    fn verb(&mut self) -> Result<Verb, Wrong> {
        Ok(match self.verb {
            "handshake" => Verb::Handshake { protocol: self.protocol()? },
            "wait" => Verb::Wait {
                area: self.number("AREA")?,
                interval: self.seconds("MS")? / 1000,
                timeout: Some(self.seconds("TIMEOUT")?).filter(|timeout| !timeout.is_zero()),
            },
            "send-area" => Verb::SendArea {
                area: self.number("AREA")?,
                pos: self.number("POS")?,
                len: Some(self.number("LEN")?).filter(|&len| len != 0),
                op: self.op()?,
            },
            "send" => Verb::Send { op: self.op()?, len: self.len(MAX_PAYLOAD_LEN)? },
            "head" => Verb::Head { len: self.len(MAX_HEAD_LEN)? },
            "body" => Verb::Body { len: self.len(MAX_PAYLOAD_LEN)? },
            "end" => Verb::End,
            unknown => return Err(Wrong::Unknown(quoted(unknown))),
        })
    }

    fn word(&mut self, name: &'static str) -> Result<&'a str, Wrong> {
        self.words.next().ok_or_else(|| Wrong::Missing(quoted(self.verb), name))
    }

    fn bad(&self, name: &'static str, word: &str) -> Wrong {
        Wrong::Value(quoted(self.verb), name, quoted(word))
    }

    fn protocol(&mut self) -> Result<Option<String>, Wrong> {
        match self.words.next() {
            Some(word) if !is_token(word.as_bytes()) => Err(self.bad("PROTOCOL", word)),
            word => Ok(word.map(str::to_owned)),
        }
    }

    /// A decimal number without a sign.
    fn number<T: TryFrom<u64>>(&mut self, name: &'static str) -> Result<T, Wrong> {
        let word = self.word(name)?;
        digits(word).and_then(|n| T::try_from(n).ok()).ok_or_else(|| self.bad(name, word))
    }

    /// A decimal number, with a fraction or without, as a time in seconds.
    fn seconds(&mut self, name: &'static str) -> Result<Duration, Wrong> {
        let word = self.word(name)?;
        seconds(word).ok_or_else(|| self.bad(name, word))
    }

    fn op(&mut self) -> Result<Op, Wrong> {
        match self.word("OP")? {
            "1" => Ok(Op::Text),
            "2" => Ok(Op::Binary),
            word => Err(self.bad("OP", word)),
        }
    }

    fn len(&mut self, limit: usize) -> Result<usize, Wrong> {
        let len: u64 = self.number("LEN")?;
        usize::try_from(len).ok().filter(|&len| len <= limit).ok_or_else(|| Wrong::PayloadTooLong {
            verb: quoted(self.verb),
            len,
            limit,
        })
    }
}

fn digits(word: &str) -> Option<u64> {
    word.bytes().all(|byte| byte.is_ascii_digit()).then(|| word.parse().ok())?
}

/// `1`, `0.5`, `.5` and `1.`; what is beyond nanoseconds is rounded up, so that a short time never becomes none.
fn seconds(word: &str) -> Option<Duration> {
    let (whole, fraction) = word.split_once('.').unwrap_or((word, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let whole = if whole.is_empty() { 0 } else { digits(whole)? };
    if whole > MAX_SECONDS || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let mut nanos = 0;
    for place in 0..9 {
        nanos =
            nanos * 10 + fraction.as_bytes().get(place).map_or(0, |digit| u32::from(digit - b'0'));
    }
    let beyond = fraction.bytes().skip(9).any(|digit| digit != b'0');
    Some(Duration::new(whole, nanos) + Duration::from_nanos(u64::from(beyond)))
}

/// The beginning of an app's word, for an error text.
fn quoted(word: &str) -> String {
    const KEPT: usize = 40;
    word.chars().take(KEPT).collect()
}

/// Why a line is refused; goes to the app as `err KIND TEXT`.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(transparent)]
pub struct VerbError(#[from] Wrong);

impl VerbError {
    /// The kind for the answer.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self.0 {
            Wrong::LineTooLong | Wrong::PayloadTooLong { .. } => Kind::TooLarge,
            Wrong::Unknown(_) => Kind::UnknownVerb,
            _ => Kind::BadRequest,
        }
    }

    /// True if the request has to end after the answer: a payload may follow whose length is not known, and its bytes,
    /// which may be a stranger's, must not be taken for verbs.
    #[must_use]
    pub fn ends_request(&self) -> bool {
        match &self.0 {
            Wrong::Missing(verb, _) | Wrong::Surplus(verb, _) | Wrong::Value(verb, ..) => {
                !matches!(verb.as_str(), "handshake" | "wait" | "send-area" | "end")
            }
            Wrong::Empty => false,
            Wrong::LineTooLong
            | Wrong::NotPrintable
            | Wrong::Unknown(_)
            | Wrong::PayloadTooLong { .. } => true,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Error)]
enum Wrong {
    #[error("line is longer than {MAX_LINE_LEN} bytes")]
    LineTooLong,
    #[error("line has bytes that are not printable ASCII")]
    NotPrintable,
    #[error("line is empty")]
    Empty,
    #[error("verb `{0}` is not known")]
    Unknown(String),
    #[error("`{0}` lacks {1}")]
    Missing(String, &'static str),
    #[error("`{0}` has a word too many: `{1}`")]
    Surplus(String, String),
    #[error("`{0}` has a wrong {1}: `{2}`")]
    Value(String, &'static str, String),
    #[error("payload of {len} bytes is longer than the {limit} that `{verb}` takes")]
    PayloadTooLong { verb: String, len: u64, limit: usize },
}
