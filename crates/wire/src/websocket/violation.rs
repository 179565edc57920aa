//! What a peer did wrong.

use thiserror::Error;

/// The peer broke the protocol or a limit.
///
/// Answer with a close frame of [`Violation::close_code`] and end the connection.
///
/// ```
/// use eyelet_wire::websocket::parse_header;
/// let violation = parse_header(&[0xC1]).unwrap_err();
/// assert_eq!(violation.close_code(), 1002);
/// assert_eq!(violation.to_string(), "reserved bits are set");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(transparent)]
pub struct Violation(#[from] Broken);

impl Violation {
    /// The code for the close frame: 1002 (protocol), 1007 (not UTF-8) or 1009 (too big).
    ///
    /// Source: RFC 6455, section 7.4.1.
    #[must_use]
    pub const fn close_code(&self) -> u16 {
        match self.0 {
            Broken::NotUtf8 | Broken::ReasonNotUtf8 => 1007,
            Broken::TooBig { .. } => 1009,
            _ => 1002,
        }
    }
}

/// Each rule that can be broken. Source: RFC 6455, the section named with each.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum Broken {
    /// 5.2: zero unless an extension is negotiated, and none ever is.
    #[error("reserved bits are set")]
    ReservedBits,
    /// 5.2.
    #[error("opcode {0} is reserved")]
    ReservedOpcode(u8),
    /// 5.5.
    #[error("control frame is fragmented")]
    FragmentedControl,
    /// 5.5.
    #[error("control frame is longer than 125 bytes")]
    LongControl,
    /// 5.2: "the minimal number of bytes MUST be used".
    #[error("payload length is not encoded in the shortest way")]
    LengthNotMinimal,
    /// 5.2.
    #[error("payload length has its top bit set")]
    LengthTopBit,
    /// 5.1.
    #[error("frame from a client is not masked")]
    NotMasked,
    /// 5.1.
    #[error("frame from a server is masked")]
    Masked,
    /// 5.4.
    #[error("continuation of a message that has not begun")]
    NothingToContinue,
    /// 5.4.
    #[error("new message inside a fragmented one")]
    InsideFragmented,
    /// 8.1.
    #[error("text is not UTF-8")]
    NotUtf8,
    /// 5.5.1.
    #[error("close frame has a payload of one byte")]
    CloseOneByte,
    /// 7.4.
    #[error("close code {0} may not be sent")]
    CloseCode(u16),
    /// 5.5.1.
    #[error("close reason is not UTF-8")]
    ReasonNotUtf8,
    /// 7.4.1.
    #[error("message is longer than {limit} bytes")]
    TooBig { limit: usize },
}
