//! Who may watch, and who may change something.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::config::Secret;
use crate::error::{Error, Result};

/// Who may do what over HTTP.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Access {
    /// Those who have a password or a token.
    pub users: Vec<User>,
    /// What everybody else may.
    pub anonymous: Anonymous,
    /// Names that this server has beside the machine's own, for which a browser may ask.
    pub hosts: Vec<AllowedHost>,
}

impl Access {
    /// Tells whether anybody who reaches a listener may watch.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.anonymous != Anonymous::None
    }
}

/// What somebody may who says no name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Anonymous {
    /// All that the other options leave: there are no users.
    #[default]
    All,
    /// Watch, and change nothing.
    View,
    /// Nothing.
    None,
}

impl FromStr for Anonymous {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "view" => Ok(Self::View),
            "none" => Ok(Self::None),
            other => Err(Error::usage(format!("takes view or none, not `{other}`"))),
        }
    }
}

/// What a user may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rights {
    /// Watch.
    View,
    /// Watch, and change controls and areas.
    Control,
}

impl FromStr for Rights {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "view" => Ok(Self::View),
            "control" => Ok(Self::Control),
            other => Err(Error::usage(format!("takes view or control, not `{other}`"))),
        }
    }
}

impl fmt::Display for Rights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::View => "view",
            Self::Control => "control",
        })
    }
}

/// Somebody who has a password or a token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Letters, digits, `-`, `_`, `.` and `@`.
    pub name: String,
    /// What the user may.
    pub rights: Rights,
    /// What a password or token is held against.
    pub secret: Secret,
}

/// A name of this server, as it stands in an address: `cam.example.org`; `*` for any.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AllowedHost(String);

/// Any name.
const ANY: &str = "*";

impl AllowedHost {
    /// Whether it is this name, which has no port.
    pub fn covers(&self, name: &str) -> bool {
        self.0 == ANY || self.0.eq_ignore_ascii_case(name)
    }
}

impl FromStr for AllowedHost {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        let name = text.strip_suffix('.').unwrap_or(text);
        if name == ANY || (!name.is_empty() && name.chars().all(is_part)) {
            return Ok(Self(name.to_owned()));
        }
        Err(Error::usage(format!(
            "takes a name as cam.example.org, without scheme, port and path, or `*` for any, not `{text}`"
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_no_port_and_no_scheme() {
        let host: AllowedHost = "Cam.example.org.".parse().unwrap();
        assert!(host.covers("cam.EXAMPLE.org") && !host.covers("cam.example.org.evil.example"));
        assert!("*".parse::<AllowedHost>().unwrap().covers("anything"));
        for wrong in ["", "http://cam", "cam:80", "*.example.org", "cam/x", "a b"] {
            let error = wrong.parse::<AllowedHost>().unwrap_err().to_string();
            assert!(error.contains("cam.example.org"), "{wrong}: {error}");
        }
    }

    #[test]
    fn a_secret_is_not_printed() {
        let user = User {
            name: "ann".to_owned(),
            rights: Rights::View,
            secret: Secret("sha256:00".to_owned()),
        };
        assert!(!format!("{user:?}").contains("00"));
    }
}
