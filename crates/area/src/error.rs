//! The crate's one error: a kind to act on, and words that say what was being done to what.

use std::{error, fmt, io};

/// What a caller can act on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The kernel refused a call; [`Error::source`](error::Error::source) has its answer.
    Io,
    /// Nothing listens at the area's path.
    NoOwner,
    /// This process was given no area to own.
    NotGiven,
    /// The peer sent something that is no message of this protocol.
    InvalidMessage,
    /// The peer speaks another version of this protocol.
    WrongVersion,
    /// A frame came without a descriptor, or with more than one.
    WrongDescriptors,
    /// A frame's memfd lacks a seal, so that somebody could still change it.
    NotSealed,
    /// A frame's memfd is shorter than its message says.
    TooShort,
    /// The peer granted more credit than an area gives.
    TooMuchCredit,
    /// A frame, a format or a payload is larger than an area carries.
    TooLarge,
    /// No answer came in time.
    TimedOut,
    /// The peer has not received what was sent before, and there is no room for more.
    Full,
}

/// What went wrong with an area.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    what: String,
    source: Option<io::Error>,
}

/// The crate's result.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    pub(crate) fn new(kind: ErrorKind, what: impl Into<String>) -> Self {
        Self { kind, what: what.into(), source: None }
    }

    pub(crate) fn io(what: impl Into<String>, source: impl Into<io::Error>) -> Self {
        Self { kind: ErrorKind::Io, what: what.into(), source: Some(source.into()) }
    }

    pub(crate) fn with_kind(mut self, kind: ErrorKind) -> Self {
        self.kind = kind;
        self
    }

    /// Tells what a caller can act on.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.source {
            Some(source) => write!(f, "{}: {source}", self.what),
            None => f.write_str(&self.what),
        }
    }
}

impl error::Error for Error {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        self.source.as_ref().map(|e| e as _)
    }
}
