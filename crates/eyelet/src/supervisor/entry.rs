//! The link that lets one browser in, once: for the owner's telephone, without typing a password.

use subtle::ConstantTimeEq as _;

use crate::config::Secret;
use crate::error::Result;
use crate::users::{hash_token, make_token};

/// The key of the next one who comes by a link.
pub(super) struct Entry {
    key: String,
    hash: Secret,
}

impl Entry {
    /// Makes a key that nobody had before.
    ///
    /// # Errors
    /// If the system has no random numbers.
    pub(super) fn make() -> Result<Self> {
        let (key, _) = make_token()?;
        // Nothing that is shown as a token may be taken for it.
        let key = key.rsplit('_').next().unwrap_or_default().to_owned();
        let hash = hash_token(&key);
        Ok(Self { key, hash })
    }

    /// What stands behind the address of a link.
    pub(super) fn path(&self) -> String {
        format!("/-/enter?key={}", self.key)
    }

    /// Lets somebody in who shows this key; it is another one after that.
    pub(super) fn redeem(&mut self, shown: &Secret) -> bool {
        let is_right: bool = self.hash.0.as_bytes().ct_eq(shown.0.as_bytes()).into();
        // Without random numbers nobody comes in twice by the old one.
        is_right && Self::make().map(|next| *self = next).is_ok()
    }
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Entry(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_lets_in_once() {
        let mut entry = Entry::make().unwrap();
        let key = entry.path().rsplit('=').next().unwrap().to_owned();
        assert!(key.len() == 64 && !format!("{entry:?}").contains(&key));
        assert!(!entry.redeem(&hash_token("")));
        assert!(entry.redeem(&hash_token(&key)));
        assert!(!entry.redeem(&hash_token(&key)));
        assert!(!entry.path().contains(&key));
    }
}
