//! The request as an app host gets it: one SCGI netstring of CGI variables.
//!
//! Source: the SCGI specification, <https://python.ca/scgi/protocol.txt>; RFC 3875, section 4.1.

use std::collections::HashSet;

use thiserror::Error;

/// Bytes of all variables together at most: twice the longest HTTP head that the server takes.
pub const MAX_VARS_LEN: usize = 128 * 1024;

const CONTENT_LENGTH: &[u8] = b"CONTENT_LENGTH";
const SCGI: &[u8] = b"SCGI";

/// Writes a request's variables as one netstring: `CONTENT_LENGTH` first, `SCGI` second, then the given ones in order.
///
/// Values are bytes: what a browser sends need not be UTF-8.
///
/// # Errors
/// [`ScgiError`] if a name is empty, stands twice or is one of the two that are written here; if a name or a value has
/// a NUL; and if all together exceed [`MAX_VARS_LEN`].
///
/// ```
/// let request = eyelet_wire::scgi::encode_request(0, [("REQUEST_METHOD", "GET"), ("PATH_INFO", "/")])?;
/// assert_eq!(request, b"55:CONTENT_LENGTH\x000\0SCGI\x001\0REQUEST_METHOD\0GET\0PATH_INFO\0/\0,");
/// # Ok::<(), eyelet_wire::scgi::ScgiError>(())
/// ```
pub fn encode_request<N: AsRef<[u8]>, V: AsRef<[u8]>>(
    content_length: u64,
    vars: impl IntoIterator<Item = (N, V)>,
) -> Result<Vec<u8>, ScgiError> {
    let mut body = Vec::with_capacity(2048);
    put(&mut body, CONTENT_LENGTH, content_length.to_string().as_bytes());
    put(&mut body, SCGI, b"1");
    let mut names = HashSet::from([CONTENT_LENGTH.to_vec(), SCGI.to_vec()]);
    for (name, value) in vars {
        let (name, value) = (name.as_ref(), value.as_ref());
        let printable = || name.escape_ascii().to_string();
        if name.is_empty() || name.contains(&0) {
            return Err(ScgiError::Name(printable()));
        }
        if value.contains(&0) {
            return Err(ScgiError::Nul(printable()));
        }
        if body.len() + name.len() + value.len() + 2 > MAX_VARS_LEN {
            return Err(ScgiError::TooLong);
        }
        if !names.insert(name.to_vec()) {
            return Err(ScgiError::Twice(printable()));
        }
        put(&mut body, name, value);
    }
    Ok([format!("{}:", body.len()).as_bytes(), &body, b","].concat())
}

fn put(body: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    for part in [name, &[0], value, &[0]] {
        body.extend_from_slice(part);
    }
}

/// Reads the variables of a request, as an app host does; gives them and the bytes that they took. `None` while the
/// netstring is not whole.
///
/// The names and values are those that [`encode_request`] was given, `CONTENT_LENGTH` and `SCGI` included. The body, if
/// there is one, follows. O(bytes).
///
/// # Errors
/// [`MalformedRequest`] if it is no netstring of pairs, or one longer than [`MAX_VARS_LEN`].
pub fn decode_request(bytes: &[u8]) -> Result<Option<(Vars, usize)>, MalformedRequest> {
    const MAX_DIGITS: usize = 6;
    let Some(colon) = bytes.iter().take(MAX_DIGITS + 1).position(|&byte| byte == b':') else {
        let may_grow = bytes.len() <= MAX_DIGITS && bytes.iter().all(u8::is_ascii_digit);
        return if may_grow { Ok(None) } else { Err(MalformedRequest) };
    };
    let digits = str::from_utf8(&bytes[..colon]).map_err(|_| MalformedRequest)?;
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0');
    let len = digits.parse().ok().filter(|len| is_number && *len <= MAX_VARS_LEN);
    let len: usize = len.ok_or(MalformedRequest)?;
    let begin = colon + 1;
    let Some(whole) = bytes.get(begin..=begin + len) else { return Ok(None) };
    let pairs = whole.strip_suffix(b"\0,").ok_or(MalformedRequest)?;
    let words: Vec<&[u8]> = pairs.split(|&byte| byte == 0).collect();
    if !words.len().is_multiple_of(2) {
        return Err(MalformedRequest);
    }
    let vars = words.chunks_exact(2).map(|pair| (pair[0].to_vec(), pair[1].to_vec())).collect();
    Ok(Some((vars, begin + len + 1)))
}

/// Names and values, in their order.
pub type Vars = Vec<(Vec<u8>, Vec<u8>)>;

/// What came is no request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the request is no netstring of variables")]
pub struct MalformedRequest;

/// The variable that carries a request header, or `None` for a header that must not be passed on.
///
/// Left out: `Content-Length`, which is written by [`encode_request`]; `Proxy`, whose variable would be taken for a
/// setting by HTTP clients inside the app; and names with anything but letters, digits and `-`, because `_` would
/// make two headers look alike. A header that stands twice has to be joined by the caller.
///
/// ```
/// use eyelet_wire::scgi::cgi_name;
/// assert_eq!(cgi_name("Sec-WebSocket-Key").as_deref(), Some("HTTP_SEC_WEBSOCKET_KEY"));
/// assert_eq!(cgi_name("content-type").as_deref(), Some("CONTENT_TYPE"));
/// assert_eq!(cgi_name("Proxy"), None);
/// ```
///
/// Source: RFC 3875, section 4.1.18; CVE-2016-5385 for `Proxy`.
#[must_use]
pub fn cgi_name(header: &str) -> Option<String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    if header.is_empty() || !header.bytes().all(plain) {
        return None;
    }
    let name = header.to_ascii_uppercase().replace('-', "_");
    match name.as_str() {
        "CONTENT_LENGTH" | "PROXY" => None,
        "CONTENT_TYPE" => Some(name),
        _ => Some(format!("HTTP_{name}")),
    }
}

/// Why variables cannot be written; nothing is sent then.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ScgiError {
    /// Names are not empty and have no NUL.
    #[error("variable name `{0}` is empty or has a NUL")]
    Name(String),
    /// NUL ends a value.
    #[error("value of variable `{0}` has a NUL")]
    Nul(String),
    /// Each name stands once.
    #[error("variable `{0}` is given twice")]
    Twice(String),
    /// The sum of the names and values is limited.
    #[error("variables are longer than {MAX_VARS_LEN} bytes")]
    TooLong,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// An independent reader, as an app host has one.
    fn decode(request: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
        let colon = request.iter().position(|&byte| byte == b':').unwrap();
        let len: usize = str::from_utf8(&request[..colon]).unwrap().parse().unwrap();
        let body = &request[colon + 1..];
        assert_eq!((body.len(), body[len]), (len + 1, b','));
        assert_eq!(body[len - 1], 0);
        let words: Vec<_> = body[..len - 1].split(|&byte| byte == 0).collect();
        words.chunks_exact(2).map(|pair| (pair[0].to_vec(), pair[1].to_vec())).collect()
    }

    #[test]
    fn a_name_twice_is_refused_also_the_two_that_are_always_there() {
        for name in ["SCGI", "CONTENT_LENGTH"] {
            assert_eq!(encode_request(0, [(name, "x")]), Err(ScgiError::Twice(name.into())));
        }
        assert_eq!(encode_request(0, [("A", "1"), ("A", "2")]), Err(ScgiError::Twice("A".into())));
    }

    #[test]
    fn a_nul_cannot_smuggle_a_variable() {
        assert!(encode_request(0, [("A", "x\0REMOTE_USER\0root")]).is_err());
        assert!(encode_request(0, [("A\0B", "x")]).is_err());
        assert!(encode_request(0, [("", "x")]).is_err());
    }

    #[test]
    fn too_many_bytes_are_refused() {
        let long = "x".repeat(MAX_VARS_LEN);
        assert_eq!(encode_request(0, [("A", long.as_str())]), Err(ScgiError::TooLong));
    }

    #[test]
    fn ambiguous_headers_have_no_variable() {
        for header in ["", "X_Forwarded_For", "proxy", "Content-Length", "a b", "ä"] {
            assert_eq!(cgi_name(header), None, "{header}");
        }
    }

    #[test]
    fn what_is_no_request_is_refused_and_half_of_one_awaited() {
        let whole = encode_request(3, [("A", "1")]).unwrap();
        for at in 0..whole.len() {
            assert_eq!(decode_request(&whole[..at]), Ok(None), "{at}");
        }
        let more = [&whole[..], b"abc"].concat();
        assert_eq!(decode_request(&more).unwrap().unwrap().1, whole.len());
        let wrong: [&[u8]; 8] =
            [b"x", b":", b"0:,", b"07:", b"1234567", b"999999:", b"4:A\x001\x00;", b"2:A\x00,"];
        for bytes in wrong {
            assert_eq!(decode_request(bytes), Err(MalformedRequest), "{}", bytes.escape_ascii());
        }
    }

    proptest! {
        #[test]
        fn nonsense_makes_no_panic(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            decode_request(&bytes).ok();
        }

        #[test]
        fn what_is_written_is_read_back(
            length: u64,
            vars in prop::collection::btree_map("[A-Z_]{1,12}Z", prop::collection::vec(1u8.., 0..40), 0..20),
        ) {
            let written = encode_request(length, &vars).unwrap();
            let read = decode(&written);
            prop_assert_eq!(decode_request(&written), Ok(Some((read.clone(), written.len()))));
            prop_assert_eq!(&read[0], &(b"CONTENT_LENGTH".to_vec(), length.to_string().into_bytes()));
            prop_assert_eq!(&read[1], &(b"SCGI".to_vec(), b"1".to_vec()));
            let given: Vec<_> = vars.into_iter().map(|(n, v)| (n.into_bytes(), v)).collect();
            prop_assert_eq!(&read[2..], given);
        }
    }
}
