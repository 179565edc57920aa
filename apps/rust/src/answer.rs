//! An HTTP answer: its head, and the body in parts.

use std::fmt::Write as _;
use std::io;
use std::ops::{Deref, DerefMut, RangeBounds};

use eyelet_wire::verbs::{MAX_HEAD_LEN, MAX_PAYLOAD_LEN};

use crate::areas::{Area, part};
use crate::error::{Error, Result};
use crate::link::number;
use crate::request::Request;

/// The body of an answer, sent in parts; made by [`Request::answer`].
///
/// It can do all that its [`Request`] can, and is an [`io::Write`], each call of which sends a part. It ends with the
/// request.
#[derive(Debug)]
pub struct Body<'a> {
    request: &'a mut Request,
}

impl<'a> Body<'a> {
    pub(crate) fn new(request: &'a mut Request) -> Self {
        Self { request }
    }

    /// Sends a part, of any length; returns when the client's socket has taken it.
    ///
    /// # Errors
    /// [`Error::Gone`].
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> Result<()> {
        for bytes in bytes.as_ref().chunks(MAX_PAYLOAD_LEN) {
            self.link.ask(format_args!("body {}", bytes.len()), bytes)?;
        }
        Ok(())
    }

    /// Sends the area's newest frame as a part; gives its sequence. Waits for the first frame where there is none yet.
    ///
    /// # Errors
    /// [`Error::NoArea`], [`Error::OutOfRange`] if there is no frame, [`Error::Gone`].
    pub fn send_area<'n>(&mut self, area: impl Into<Area<'n>>) -> Result<u64> {
        self.send_area_part(area, ..)
    }

    /// Sends these bytes of the area's newest frame as a part; gives its sequence.
    ///
    /// # Errors
    /// As [`send_area`](Self::send_area); [`Error::OutOfRange`] too if the frame is shorter.
    pub fn send_area_part<'n>(
        &mut self,
        area: impl Into<Area<'n>>,
        bytes: impl RangeBounds<u64>,
    ) -> Result<u64> {
        let (area, (pos, len)) = (area.into().checked()?, part(bytes)?);
        number(&self.link.ask(format_args!("send-area {area} {pos} {len} 2"), &[])?)
    }
}

impl Deref for Body<'_> {
    type Target = Request;

    fn deref(&self) -> &Request {
        self.request
    }
}

impl DerefMut for Body<'_> {
    fn deref_mut(&mut self) -> &mut Request {
        self.request
    }
}

impl io::Write for Body<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.send(bytes)?;
        Ok(bytes.len())
    }

    /// Does nothing: each part was sent at once.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Makes the head of an answer.
pub(crate) fn head(status: u16, headers: &[(&str, &str)]) -> Result<String> {
    if !(200..=599).contains(&status) {
        return Err(Error::BadRequest(format!("{status} is no status of an answer")));
    }
    let mut head = format!("HTTP/1.1 {status} -\r\n");
    for (name, value) in headers {
        if !is_name(name) {
            return Err(Error::BadRequest(format!("`{}` is no header", name.escape_debug())));
        }
        // A line end would begin another header, written by whoever chose the value.
        if value.bytes().any(|byte| byte != b'\t' && byte.is_ascii_control()) {
            let text = format!("the header {name} has a control character");
            return Err(Error::BadRequest(text));
        }
        // It cannot fail: it is memory.
        write!(head, "{name}: {value}\r\n").ok();
    }
    head.push_str("\r\n");
    if head.len() > MAX_HEAD_LEN {
        return Err(Error::TooLarge(format!("a head of {} bytes", head.len())));
    }
    Ok(head)
}

/// Source: RFC 9110, section 5.6.2.
fn is_name(name: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !name.is_empty() && name.bytes().all(is_letter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_understands_the_head() {
        let head = head(200, &[("Content-Type", "text/html"), ("X-Tab", "a\tä")]).unwrap();
        let head = eyelet_wire::head::parse(head.as_bytes()).unwrap();
        assert_eq!(head.status, 200);
        assert_eq!(head.headers.len(), 2);
        assert_eq!(head.headers[1], ("X-Tab".to_owned(), "a\tä".as_bytes().to_vec()));
    }

    #[test]
    fn no_value_becomes_another_header() {
        let long = "x".repeat(MAX_HEAD_LEN);
        for (name, value) in [("X", "a\r\nY: b"), ("X", "\0"), ("X\n", "a"), ("", "a"), ("a b", "")]
        {
            let error = head(200, &[(name, value)]).unwrap_err();
            assert!(matches!(error, Error::BadRequest(_)), "{error}");
        }
        assert!(matches!(head(200, &[("X", &long)]), Err(Error::TooLarge(_))));
        assert!(matches!(head(101, &[]), Err(Error::BadRequest(_))));
    }
}
