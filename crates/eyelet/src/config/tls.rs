//! Certificates for TLS.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What TLS is spoken with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tls {
    /// A certificate with those that vouch for it, and its key.
    Given {
        /// PEM.
        certificate: String,
        /// PEM.
        key: Pem,
    },
    /// One that this program makes, and keeps, before it listens.
    SelfSigned,
}

/// A key. Never printed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Pem(pub(crate) String);

impl fmt::Debug for Pem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pem(…)")
    }
}
