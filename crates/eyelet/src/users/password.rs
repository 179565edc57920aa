//! Passwords: hashed by Argon2id, as people choose them badly and use them elsewhere.

use argon2::password_hash::{PasswordHash, PasswordHasher as _, PasswordVerifier as _, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};

use crate::config::Secret;
use crate::error::{Error, Result};
use crate::users::random::random;

/// Memory for one hash, in KiB, and passes over it.
///
/// Source: OWASP Password Storage Cheat Sheet, the second of its equal choices; the first Raspberry Pi takes about a second
/// for it, once for each login.
const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
/// Most memory that a hash from elsewhere may ask for: more is a mistake, and would end a small machine.
pub(super) const MAX_MEMORY_KIB: u32 = 256 << 10;
/// The same for passes.
pub(super) const MAX_PASSES: u32 = 64;
/// The same for lanes.
pub(super) const MAX_LANES: u32 = 64;
/// Longest password, in bytes; it is hashed whole.
const MAX_LEN: usize = 1024;

/// A hash of the usual cost that no password has: who says a name that nobody has waits as long as for a wrong password.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Hashes a password.
///
/// # Errors
/// If it is empty or too long, or the system has no random numbers.
pub fn hash(password: &str) -> Result<Secret> {
    if !(1..=MAX_LEN).contains(&password.len()) {
        return Err(Error::usage("a password has 1 to 1024 bytes"));
    }
    let failed = |e: &dyn std::fmt::Display| Error::failed(format!("failed to hash: {e}"));
    let salt = SaltString::encode_b64(&random::<16>()?).map_err(|e| failed(&e))?;
    let params = Params::new(MEMORY_KIB, PASSES, 1, None).map_err(|e| failed(&e))?;
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let hash = argon2.hash_password(password.as_bytes(), &salt).map_err(|e| failed(&e))?;
    Ok(Secret(hash.to_string()))
}

/// Tells whether it is this password; takes as long where there is nothing to hold it against.
///
/// It takes tens of milliseconds of a core and 19 MiB.
#[must_use]
pub fn verify(password: &[u8], secret: Option<&Secret>) -> bool {
    let text = secret.map_or(NOBODY, |secret| &secret.0);
    let Ok(hash) = PasswordHash::new(text) else { return false };
    let is_right = Argon2::default().verify_password(password, &hash).is_ok();
    is_right && secret.is_some() && password.len() <= MAX_LEN
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_its_own_and_no_other() {
        let secret = hash("correct horse").unwrap();
        assert!(secret.0.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        assert!(verify(b"correct horse", Some(&secret)));
        for wrong in [&b"correct hors"[..], b"", b"correct horse "] {
            assert!(!verify(wrong, Some(&secret)));
        }
        assert_ne!(hash("correct horse").unwrap(), secret, "a salt of its own");
        assert!(!verify(b"", None) && !verify(b"correct horse", None));
        assert!(hash("").is_err());
    }

    #[test]
    fn the_hash_of_nobody_costs_what_others_cost() {
        let nobody = PasswordHash::new(NOBODY).unwrap();
        let params = Params::try_from(&nobody).unwrap();
        assert_eq!((params.m_cost(), params.t_cost(), params.p_cost()), (MEMORY_KIB, PASSES, 1));
    }
}
