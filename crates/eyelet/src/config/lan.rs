//! What `--lan` prints beside the addresses for other devices.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// Whether a QR code of the best address is printed for other devices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lan {
    /// On a terminal.
    Auto,
    /// Always.
    Qr,
    /// Never.
    Plain,
}

impl FromStr for Lan {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "auto" => Ok(Self::Auto),
            "qr" => Ok(Self::Qr),
            "plain" => Ok(Self::Plain),
            other => Err(Error::usage(format!("takes auto, qr or plain, not `{other}`"))),
        }
    }
}
