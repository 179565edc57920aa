//! Why a line is refused.

use thiserror::Error;

use super::{Kind, MAX_LINE_LEN};

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
                matches!(verb.as_str(), "send" | "close" | "write" | "head" | "body")
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
pub(super) enum Wrong {
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

/// The beginning of an app's word, for an error text.
pub(super) fn quoted(word: &str) -> String {
    const KEPT: usize = 40;
    word.chars().take(KEPT).collect()
}
