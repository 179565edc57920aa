//! From a line to a verb.

use std::time::Duration;

use super::wrong::{VerbError, Wrong, quoted};
use super::{
    Area, Bits, MAX_HEAD_LEN, MAX_LINE_LEN, MAX_PAYLOAD_LEN, MAX_REASON_LEN, MAX_SECONDS,
    MAX_WAITED_FOR, MAX_WRITE_LEN, Op, Verb,
};
use crate::head::is_token;
use crate::websocket::may_close_with;

/// Reads one line, with or without its line end.
///
/// # Errors
/// [`VerbError`] if the line is too long or has anything but printable ASCII, the verb is not known, or its words are
/// too few, too many or out of range.
///
/// ```
/// use eyelet_wire::verbs::{Area, Op, Verb, parse};
/// let verb = parse(b"send-area 0 0 0 2\n")?;
/// assert_eq!(verb, Verb::SendArea { area: Area::Id(0), pos: 0, len: None, op: Op::Binary });
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
                area: self.area()?,
                interval: self.seconds("MS")? / 1000,
                timeout: some_time(self.seconds("TIMEOUT")?),
            },
            "wait-any" => self.wait_any()?,
            "send-area" => Verb::SendArea {
                area: self.area()?,
                pos: self.number("POS")?,
                len: Some(self.number("LEN")?).filter(|&len| len != 0),
                op: self.op()?,
            },
            "follow" => Verb::Follow { area: self.area()?, op: self.op()? },
            "stop" => Verb::Stop,
            "send" => Verb::Send { op: self.op()?, len: self.len(MAX_PAYLOAD_LEN)? },
            "recv" => Verb::Recv { timeout: self.optional_seconds("TIMEOUT")? },
            "recv-nb" => Verb::RecvNow,
            "close" => Verb::Close { code: self.close_code()?, len: self.len(MAX_REASON_LEN)? },
            "read" => Verb::Read {
                area: self.area()?,
                pos: self.number("POS")?,
                len: Some(self.number("LEN")?).filter(|&len| len != 0),
            },
            "write" => Verb::Write {
                area: self.area()?,
                pos: self.number("POS")?,
                len: self.len(MAX_WRITE_LEN)?,
            },
            "inc" | "dec" => self.change()?,
            "areas" => Verb::Areas,
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

    fn wait_any(&mut self) -> Result<Verb, Wrong> {
        let timeout = some_time(self.seconds("TIMEOUT")?);
        let (mut recv, mut areas) = (false, Vec::new());
        let mut word = self.word("WHAT")?;
        loop {
            match word {
                "recv" => recv = true,
                area => areas.push(self.area_of(area)?),
            }
            if areas.len() + usize::from(recv) > MAX_WAITED_FOR {
                return Err(self.bad("WHAT", word));
            }
            match self.words.next() {
                Some(next) => word = next,
                None => return Ok(Verb::WaitAny { timeout, recv, areas }),
            }
        }
    }

    fn area(&mut self) -> Result<Area, Wrong> {
        let word = self.word("AREA")?;
        self.area_of(word)
    }

    fn area_of(&self, word: &str) -> Result<Area, Wrong> {
        let is_name = |c: u8| c.is_ascii_alphanumeric() || c == b'-' || c == b'_';
        if let Some(id) = digits(word) {
            return u32::try_from(id).map(Area::Id).map_err(|_| self.bad("AREA", word));
        }
        // A name that began with a sign would be a number with a slip of the pen.
        if word.bytes().all(is_name) && !word.starts_with('-') {
            return Ok(Area::Name(word.to_owned()));
        }
        Err(self.bad("AREA", word))
    }

    fn change(&mut self) -> Result<Verb, Wrong> {
        let (area, pos) = (self.area()?, self.number("POS")?);
        let bits = match self.word("BITS")? {
            "8" => Bits::B8,
            "16" => Bits::B16,
            "32" => Bits::B32,
            "64" => Bits::B64,
            word => return Err(self.bad("BITS", word)),
        };
        let word = self.word("AMOUNT")?;
        let (sign, amount) = word.strip_prefix('-').map_or((1, word), |rest| (-1, rest));
        // Wide enough for both ends of 64 bits; what wraps there wraps in the area as well.
        let amount = digits(amount).ok_or_else(|| self.bad("AMOUNT", word))?.cast_signed();
        let amount = if self.verb == "dec" { amount.wrapping_neg() } else { amount };
        Ok(Verb::Inc { area, pos, bits, amount: amount.wrapping_mul(sign) })
    }

    fn close_code(&mut self) -> Result<u16, Wrong> {
        let code = self.number("CODE")?;
        if may_close_with(code) { Ok(code) } else { Err(self.bad("CODE", &code.to_string())) }
    }

    fn optional_seconds(&mut self, name: &'static str) -> Result<Option<Duration>, Wrong> {
        let Some(word) = self.words.next() else { return Ok(None) };
        seconds(word).map(some_time).ok_or_else(|| self.bad(name, word))
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

/// No time is for ever.
fn some_time(time: Duration) -> Option<Duration> {
    Some(time).filter(|time| !time.is_zero())
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
