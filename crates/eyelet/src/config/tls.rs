//! Certificates for TLS.

use serde::{Deserialize, Serialize};

use crate::config::Secret;

/// What TLS is spoken with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tls {
    /// A certificate with those that vouch for it, and its key.
    Given {
        /// PEM.
        certificate: String,
        /// PEM.
        key: Secret,
    },
    /// One that this program makes, and keeps, before it listens.
    SelfSigned,
}
