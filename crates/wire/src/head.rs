//! The HTTP head that an app answers with: read with suspicion, and reduced to what may be passed on.
//!
//! Belongs here: syntax, and the headers that concern one connection only, which are the server's business. Does not
//! belong here: `Date`, `Server` and the framing of the body, which the server adds.
//!
//! The result holds no CR, LF or NUL, so whoever writes it out cannot be made to write another header or answer.
//!
//! Source: RFC 9110, sections 5 and 7.6.1; RFC 9112, sections 4 to 6.

use httparse::{EMPTY_HEADER, Header, Response, Status};
use thiserror::Error;

/// Headers at most: as many as the server takes from a client.
pub const MAX_HEADERS: usize = 100;

/// An answer's status and headers, without its body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// 200 to 599.
    pub status: u16,
    /// The body's length, if the app gave it; it is not in `headers`.
    pub content_length: Option<u64>,
    /// Names as the app wrote them, in its order; a name may stand more than once (`Set-Cookie`).
    pub headers: Vec<(String, Vec<u8>)>,
}

/// Reads the head that is all of `bytes`: a status line, headers and an empty line.
///
/// Headers about the app's own connection (`Connection` and what it names, `Keep-Alive`, `Proxy-Connection`, `TE`,
/// `Trailer`, `Upgrade`) are left out. The reason phrase is ignored. O(bytes).
///
/// # Errors
/// [`HeadError`] if it is not a whole head and nothing more, the status is not a final one, a name or value has a
/// character that it may not have, there are more than [`MAX_HEADERS`], `Content-Length` is not one number, or there is
/// a `Transfer-Encoding`: an app sends its body plain.
///
/// ```
/// let head = eyelet_wire::head::parse(b"HTTP/1.1 200 -\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n")?;
/// assert_eq!(head.status, 200);
/// assert_eq!(head.headers, [("Content-Type".to_owned(), b"text/html".to_vec())]);
/// # Ok::<(), eyelet_wire::head::HeadError>(())
/// ```
pub fn parse(bytes: &[u8]) -> Result<Head, HeadError> {
    let mut space = [EMPTY_HEADER; MAX_HEADERS];
    let mut response = Response::new(&mut space);
    match response.parse(bytes).map_err(syntax)? {
        Status::Complete(len) if len == bytes.len() => {}
        Status::Complete(len) => return Err(HeadError::Surplus(bytes.len() - len)),
        Status::Partial => return Err(HeadError::NotWhole),
    }
    let status = response.code.unwrap_or_default();
    if !(200..=599).contains(&status) {
        return Err(HeadError::StatusCode(status));
    }
    let nominated = nominated(response.headers);
    let mut head = Head { status, content_length: None, headers: Vec::new() };
    for Header { name, value } in response.headers.iter() {
        if name.eq_ignore_ascii_case("Transfer-Encoding") {
            return Err(HeadError::TransferEncoding);
        } else if name.eq_ignore_ascii_case("Content-Length") {
            let len = length(value).ok_or(HeadError::ContentLength)?;
            if head.content_length.replace(len).is_some_and(|other| other != len) {
                return Err(HeadError::ContentLength);
            }
        } else if !is_hop_by_hop(name) && !nominated.iter().any(|n| n.eq_ignore_ascii_case(name)) {
            head.headers.push(((*name).to_owned(), value.to_vec()));
        }
    }
    Ok(head)
}

fn syntax(error: httparse::Error) -> HeadError {
    match error {
        httparse::Error::HeaderName => HeadError::HeaderName,
        httparse::Error::HeaderValue => HeadError::HeaderValue,
        httparse::Error::TooManyHeaders => HeadError::TooManyHeaders,
        httparse::Error::NewLine => HeadError::LineEnd,
        _ => HeadError::StatusLine,
    }
}

/// The names that `Connection` lists. Source: RFC 9110, section 7.6.1.
fn nominated(headers: &[Header]) -> Vec<String> {
    headers
        .iter()
        .filter(|header| header.name.eq_ignore_ascii_case("Connection"))
        .flat_map(|header| header.value.split(|&byte| byte == b','))
        .map(|name| String::from_utf8_lossy(name).trim().to_owned())
        .collect()
}

fn is_hop_by_hop(name: &str) -> bool {
    ["Connection", "Keep-Alive", "Proxy-Connection", "TE", "Trailer", "Upgrade"]
        .iter()
        .any(|known| known.eq_ignore_ascii_case(name))
}

/// One decimal number without a sign. Source: RFC 9110, section 8.6.
fn length(value: &[u8]) -> Option<u64> {
    let digits = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
    digits.then(|| str::from_utf8(value).ok()?.parse().ok())?
}

/// True for an HTTP token: header names and subprotocols are tokens. Source: RFC 9110, section 5.6.2.
pub(crate) fn is_token(bytes: &[u8]) -> bool {
    let is_token_char =
        |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    !bytes.is_empty() && bytes.iter().all(is_token_char)
}

/// Why an app's head is refused. The client gets 502, the app a `bad-request`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum HeadError {
    /// The first line is not `HTTP/1.x STATUS REASON`.
    #[error("status line is not `HTTP/1.1 STATUS REASON`")]
    StatusLine,
    /// Interim answers and `101` are not for apps to give.
    #[error("status {0} is not between 200 and 599")]
    StatusCode(u16),
    /// Not a token, or followed by something else than a colon.
    #[error("a header's name has a character that it may not have")]
    HeaderName,
    /// A control character other than tab.
    #[error("a header's value has a character that it may not have")]
    HeaderValue,
    /// CR without LF.
    #[error("a line does not end in CR LF")]
    LineEnd,
    /// More than [`MAX_HEADERS`].
    #[error("there are more than {MAX_HEADERS} headers")]
    TooManyHeaders,
    /// No empty line.
    #[error("head does not end in an empty line")]
    NotWhole,
    /// The body has a verb of its own.
    #[error("{0} bytes follow the empty line")]
    Surplus(usize),
    /// Not a number, or two that differ.
    #[error("`Content-Length` is not one number")]
    ContentLength,
    /// The server frames the body.
    #[error("`Transfer-Encoding` is the server's to choose: send the body plain")]
    TransferEncoding,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn with(headers: &str) -> Result<Head, HeadError> {
        parse(format!("HTTP/1.1 200 OK\r\n{headers}\r\n").as_bytes())
    }

    #[test]
    fn heads_that_are_refused() {
        let cases: [(&str, &[u8], HeadError); 17] = [
            ("nothing", b"", HeadError::NotWhole),
            ("no empty line", b"HTTP/1.1 200 OK\r\nA: b\r\n", HeadError::NotWhole),
            ("no version", b"200 OK\r\n\r\n", HeadError::StatusLine),
            ("CGI's way", b"Status: 200 OK\r\n\r\n", HeadError::StatusLine),
            ("two digits", b"HTTP/1.1 20 OK\r\n\r\n", HeadError::StatusLine),
            ("101", b"HTTP/1.1 101 Switching\r\n\r\n", HeadError::StatusCode(101)),
            ("999", b"HTTP/1.1 999 x\r\n\r\n", HeadError::StatusCode(999)),
            ("LF in reason is the end", b"HTTP/1.1 200 O\nK\r\n\r\n", HeadError::HeaderName),
            ("space in name", b"HTTP/1.1 200 OK\r\nA b: c\r\n\r\n", HeadError::HeaderName),
            ("space before colon", b"HTTP/1.1 200 OK\r\nA : c\r\n\r\n", HeadError::HeaderName),
            ("no name", b"HTTP/1.1 200 OK\r\n: c\r\n\r\n", HeadError::HeaderName),
            ("folded", b"HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n", HeadError::HeaderName),
            ("NUL in value", b"HTTP/1.1 200 OK\r\nA: b\0\r\n\r\n", HeadError::HeaderValue),
            ("CR in value", b"HTTP/1.1 200 OK\r\nA: b\rc\r\n\r\n", HeadError::HeaderValue),
            (
                "second answer",
                b"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
                HeadError::Surplus(19),
            ),
            (
                "chunked",
                b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
                HeadError::TransferEncoding,
            ),
            ("body", b"HTTP/1.1 200 OK\r\n\r\nhello", HeadError::Surplus(5)),
        ];
        for (name, bytes, error) in cases {
            assert_eq!(parse(bytes), Err(error), "{name}");
        }
        let many = "A: b\r\n".repeat(MAX_HEADERS + 1);
        assert_eq!(with(&many), Err(HeadError::TooManyHeaders));
        assert_eq!(with(&many[6..]).unwrap().headers.len(), MAX_HEADERS);
    }

    #[test]
    fn lengths_must_be_one_number() {
        for bad in ["", "-1", "+1", "1,1", "0x10", "1 2", "18446744073709551616"] {
            let head = with(&format!("Content-Length: {bad}\r\n"));
            assert_eq!(head, Err(HeadError::ContentLength), "{bad:?}");
        }
        let twice = with("Content-Length: 7\r\ncontent-length: 7\r\n").unwrap();
        assert_eq!((twice.content_length, twice.headers.len()), (Some(7), 0));
        assert_eq!(
            with("Content-Length: 7\r\nContent-Length: 8\r\n"),
            Err(HeadError::ContentLength)
        );
    }

    #[test]
    fn what_concerns_one_connection_is_left_out() {
        let head = with(concat!(
            "Connection: close, X-Mine\r\nKeep-Alive: timeout=5\r\nx-mine: 1\r\nUpgrade: h2c\r\n",
            "Set-Cookie: a=1\r\nTE: trailers\r\nSet-Cookie: b=\u{E4}\r\nTrailer: x\r\n",
        ));
        let cookie = |value: &str| ("Set-Cookie".to_owned(), value.as_bytes().to_vec());
        assert_eq!(head.unwrap().headers, [cookie("a=1"), cookie("b=\u{E4}")]);
    }

    proptest! {
        #[test]
        fn nothing_that_is_accepted_can_inject(bytes in prop::collection::vec(
            prop_oneof![any::<u8>(), Just(b'\r'), Just(b'\n'), Just(b':')], 0..200,
        )) {
            let all = [b"HTTP/1.1 200 OK\r\n", &bytes[..], b"\r\n\r\n"].concat();
            if let Ok(head) = parse(&all) {
                for (name, value) in head.headers {
                    prop_assert!(is_token(name.as_bytes()));
                    prop_assert!(!value.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)));
                }
            }
        }

        #[test]
        fn plain_heads_are_read(
            status in 200u16..600,
            length: Option<u64>,
            headers in prop::collection::vec(("X-[A-Za-z0-9-]{0,20}", "[!-~]([ -~]{0,30}[!-~])?"), 0..20),
        ) {
            let mut text = format!("HTTP/1.1 {status} -\r\n");
            for (name, value) in &headers {
                text += &format!("{name}: {value}\r\n");
            }
            if let Some(length) = length {
                text += &format!("Content-Length: {length}\r\n");
            }
            let headers = headers.into_iter().map(|(n, v)| (n, v.into_bytes())).collect();
            let head = parse(format!("{text}\r\n").as_bytes());
            prop_assert_eq!(head, Ok(Head { status, content_length: length, headers }));
        }
    }
}
