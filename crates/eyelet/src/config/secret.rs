//! Text that is never printed.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The hash of a password, `$argon2id$…`, or of a token, `sha256:…`; the key of a certificate.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(pub(crate) String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}
