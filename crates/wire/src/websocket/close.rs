//! Close frames: the code, and the reason as text.

use super::MAX_CONTROL_PAYLOAD;
use super::violation::Broken;

/// Why a peer closes, as its close frame says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloseReason {
    /// 1000 to 1003, 1007 to 1014, or 3000 to 4999.
    pub code: u16,
    /// For people; may be empty.
    pub text: String,
}

/// Makes the payload of a close frame: the code and as much of the reason as fits, cut between characters.
///
/// At most [`MAX_CONTROL_PAYLOAD`] bytes. The code is not checked: it is ours, not a peer's.
///
/// ```
/// use eyelet_wire::websocket::close_payload;
/// assert_eq!(close_payload(1001, "bye"), [0x03, 0xE9, b'b', b'y', b'e']);
/// ```
///
/// Source: RFC 6455, section 5.5.1.
#[must_use]
pub fn close_payload(code: u16, reason: &str) -> Vec<u8> {
    let fits = reason.floor_char_boundary(MAX_CONTROL_PAYLOAD - size_of::<u16>());
    [&code.to_be_bytes(), &reason.as_bytes()[..fits]].concat()
}

/// Reads a close frame's payload; an empty one gives no reason.
pub(super) fn parse(payload: &[u8]) -> Result<Option<CloseReason>, Broken> {
    if payload.is_empty() {
        return Ok(None);
    }
    let (code, text) = payload.split_first_chunk().ok_or(Broken::CloseOneByte)?;
    let code = u16::from_be_bytes(*code);
    if !may_close_with(code) {
        return Err(Broken::CloseCode(code));
    }
    let text = str::from_utf8(text).map_err(|_| Broken::ReasonNotUtf8)?.to_owned();
    Ok(Some(CloseReason { code, text }))
}

/// Tells whether a code may be in a close frame.
///
/// Source: RFC 6455, section 7.4.2, and the IANA registry of close codes, which added 1012 to 1014.
#[must_use]
pub const fn may_close_with(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}
