//! The program's one error: a kind to act on, and one line for a person.

use std::fmt;

/// What to do about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// The command line or the configuration is wrong: exit status 2.
    Usage,
    /// It cannot work as it is asked for, and waiting does not help: exit status 1.
    Refused,
    /// It is not there now and may come: a camera that is unplugged or busy. Try again.
    Unavailable,
    /// The kernel or a peer failed us.
    Failed,
}

/// What went wrong, as one line: what was being done, to what, why, and what to do where that is known. Mistakes in a
/// configuration are told all together, a line each.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Error {
    kind: ErrorKind,
    text: String,
}

/// The program's result.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// Makes an error of `kind` that says `text`; line breaks become spaces.
    pub fn new(kind: ErrorKind, text: impl fmt::Display) -> Self {
        Self { kind, text: text.to_string().replace(['\n', '\r'], " ") }
    }

    /// A mistake on the command line or in the configuration.
    pub fn usage(text: impl fmt::Display) -> Self {
        Self::new(ErrorKind::Usage, text)
    }

    /// Several of these, a line each.
    pub fn usages(lines: Vec<String>) -> Self {
        let lines: Vec<String> = lines.into_iter().map(|line| Self::usage(line).text).collect();
        Self { kind: ErrorKind::Usage, text: lines.join("\n") }
    }

    /// Something that waiting does not mend.
    pub fn refused(text: impl fmt::Display) -> Self {
        Self::new(ErrorKind::Refused, text)
    }

    /// Something that may be there later.
    pub fn unavailable(text: impl fmt::Display) -> Self {
        Self::new(ErrorKind::Unavailable, text)
    }

    /// Something that failed while running.
    pub fn failed(text: impl fmt::Display) -> Self {
        Self::new(ErrorKind::Failed, text)
    }

    /// Tells what to do about it.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Gives the exit status of a program that ends with it: 2 for usage, 1 for the rest.
    #[must_use]
    pub fn exit_status(&self) -> u8 {
        if self.kind == ErrorKind::Usage { 2 } else { 1 }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Error {}

impl From<eyelet_area::Error> for Error {
    fn from(error: eyelet_area::Error) -> Self {
        Self::failed(error)
    }
}
