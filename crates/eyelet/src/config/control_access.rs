//! Who may change cameras' controls over HTTP.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// Who may change cameras' controls over HTTP; pages of other sites never.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ControlAccess {
    /// Clients on this machine: whoever is there may open the camera anyway.
    #[default]
    Local,
    /// Everybody who may watch.
    All,
    /// Nobody.
    None,
}

impl FromStr for ControlAccess {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "local" => Ok(Self::Local),
            "all" => Ok(Self::All),
            "none" => Ok(Self::None),
            other => Err(Error::usage(format!("takes local, all or none, not `{other}`"))),
        }
    }
}
