//! What can fail, as a value.

use std::io;

/// What the functions of this crate give.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a verb, a request or the host failed.
///
/// The first eleven are what the server answers with; each holds its text. The request goes on after them, but for
/// [`Error::Gone`]: a handler best returns that one with `?`, which is no fault.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Nothing came in time.
    #[error("timeout: {0}")]
    Timeout(String),
    /// The client has left, or took nothing for too long, or the server has ended the request. From now on only
    /// messages that came before can be had.
    #[error("gone: {text}")]
    Gone {
        /// The code with which the client has closed its WebSocket, 1005 if it gave none; `None` where it just left.
        code: Option<u16>,
        /// What the server says about it.
        text: String,
    },
    /// What was asked for is wrong in itself, as an area's name with a space.
    #[error("bad request: {0}")]
    BadRequest(String),
    /// It does not fit what was done before, as a second answer.
    #[error("bad state: {0}")]
    BadState(String),
    /// There is no such area.
    #[error("no area: {0}")]
    NoArea(String),
    /// That part lies outside the frame or area, or there is no frame.
    #[error("out of range: {0}")]
    OutOfRange(String),
    /// A [`Stopper`](crate::Stopper) has ended the wait.
    #[error("stopped: {0}")]
    Stopped(String),
    /// The area's owner does not take that.
    #[error("refused: {0}")]
    Refused(String),
    /// Longer than a limit.
    #[error("too large: {0}")]
    TooLarge(String),
    /// The server is older than this crate.
    #[error("unknown verb: {0}")]
    UnknownVerb(String),
    /// The server failed; its log says why.
    #[error("internal: {0}")]
    Internal(String),
    /// A kind that this version does not know, and its text.
    #[error("{0}")]
    OtherKind(String),
    /// What came is not the app protocol, so this request cannot go on.
    #[error("the server speaks nonsense: {0}")]
    Protocol(String),
    /// There is no socket to serve, or no thread to be had.
    #[error("{0}")]
    Start(String),
    /// An error of the app's own.
    #[error(transparent)]
    App(Box<dyn std::error::Error + Send + Sync>),
}

impl Error {
    /// Makes an error of the app's own from a text or from any other error.
    ///
    /// ```
    /// let wrong = "x".parse::<u16>().map_err(eyelet_app::Error::app);
    /// assert_eq!(wrong.unwrap_err().to_string(), "invalid digit found in string");
    /// ```
    pub fn app(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::App(error.into())
    }

    /// Tells whether the client has left, which is how streams end.
    #[must_use]
    pub const fn is_gone(&self) -> bool {
        matches!(self, Self::Gone { .. })
    }

    /// The connection to the server has failed; which is to an app as if its client had left.
    pub(crate) fn hung_up(error: &io::Error) -> Self {
        Self::Gone { code: None, text: format!("the server has ended the request: {error}") }
    }

    /// Reads what follows `err`: `KIND TEXT`.
    pub(crate) fn from_answer(answer: &str) -> Self {
        let (kind, text) = answer.split_once(' ').unwrap_or((answer, ""));
        let said = text.to_owned();
        match kind {
            "timeout" => Self::Timeout(said),
            "gone" => {
                let code = text.split(' ').next().and_then(|word| word.parse().ok());
                Self::Gone { code, text: said }
            }
            "bad-request" => Self::BadRequest(said),
            "bad-state" => Self::BadState(said),
            "no-area" => Self::NoArea(said),
            "out-of-range" => Self::OutOfRange(said),
            "stopped" => Self::Stopped(said),
            "refused" => Self::Refused(said),
            "too-large" => Self::TooLarge(said),
            "unknown-verb" => Self::UnknownVerb(said),
            "internal" => Self::Internal(said),
            _ => Self::OtherKind(answer.to_owned()),
        }
    }
}

/// So that `?` takes files and the like in a handler; what was one of ours becomes itself again.
impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        error.downcast::<Self>().unwrap_or_else(Self::app)
    }
}

/// So that a body can be an [`io::Write`].
impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        Self::other(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every kind that the server can say is known here.
    #[test]
    fn each_kind_of_the_page_has_a_variant() {
        let page = include_str!("../../../docs/ref/app.md");
        let (_, kinds) = page.split_once("| kind | means | then |").unwrap();
        let (kinds, _) = kinds.split_once("\n\n").unwrap();
        let words: Vec<&str> =
            kinds.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
        assert_eq!(words.len(), 11);
        for word in words {
            let error = Error::from_answer(&format!("{word} because"));
            assert!(!matches!(error, Error::OtherKind(_)), "{word}");
            assert!(error.to_string().ends_with(": because"), "{error}");
        }
    }

    #[test]
    fn the_code_of_a_closed_websocket_is_told() {
        let code = |answer| match Error::from_answer(answer) {
            Error::Gone { code, .. } => code,
            other => panic!("{other}"),
        };
        assert_eq!(code("gone 1005 the client has left"), Some(1005));
        assert_eq!(code("gone the client has left"), None);
        assert_eq!(code("gone"), None);
        assert!(
            matches!(Error::from_answer("new-kind x"), Error::OtherKind(text) if text == "new-kind x")
        );
    }

    #[test]
    fn gone_stays_gone_through_an_io_error() {
        let error = io::Error::from(Error::from_answer("gone x"));
        assert!(Error::from(error).is_gone());
        assert!(matches!(Error::from(io::Error::other("x")), Error::App(_)));
    }
}
