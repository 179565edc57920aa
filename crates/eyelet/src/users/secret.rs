//! What a user's secret may be: the hash of a password, or of a token.
//!
//! A token is 256 random bits, which nobody guesses: one round of SHA-256 is enough, and costs nothing for each request.

use argon2::Params;
use argon2::password_hash::PasswordHash;
use ring::digest::{SHA256, digest};

use super::random::{hex, random};
use crate::config::Secret;
use crate::error::{Error, Result};
use crate::users::password::{MAX_LANES, MAX_MEMORY_KIB, MAX_PASSES};

const TOKEN_HASH: &str = "sha256:";
/// What tokens begin with, so that people and scanners of lost secrets know what one is.
pub(crate) const TOKEN_PREFIX: &str = "eyelet_";

/// Kinds of secrets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecretKind {
    /// A password's hash.
    Password,
    /// A token's hash.
    Token,
}

impl SecretKind {
    /// Tells what a secret is.
    ///
    /// # Errors
    /// If it is neither, or would take too much of this machine. The message does not repeat it.
    pub fn of(secret: &Secret) -> Result<Self> {
        if let Some(hex) = secret.0.strip_prefix(TOKEN_HASH) {
            let is_hash =
                hex.len() == 64 && hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
            return if is_hash { Ok(Self::Token) } else { Err(neither()) };
        }
        let hash = PasswordHash::new(&secret.0).map_err(|_| neither())?;
        let is_argon2id = hash.algorithm.as_str() == "argon2id" && hash.hash.is_some();
        if !is_argon2id || hash.salt.is_none() {
            return Err(neither());
        }
        // Looked at as they stand: the crate's own reading of them overflows.
        let is_within = |name, most| hash.params.get_decimal(name).is_some_and(|n| n <= most);
        let limits = [("m", MAX_MEMORY_KIB), ("t", MAX_PASSES), ("p", MAX_LANES)];
        if !limits.into_iter().all(|(name, most)| is_within(name, most)) {
            return Err(Error::usage(format!(
                "this hash takes more than {} MiB, {MAX_PASSES} passes or {MAX_LANES} lanes: set the password anew",
                MAX_MEMORY_KIB >> 10
            )));
        }
        Params::try_from(&hash).map_err(|_| neither())?;
        Ok(Self::Password)
    }
}

fn neither() -> Error {
    Error::usage("the secret is neither `$argon2id$…` nor `sha256:…`; `eyelet user add` writes it")
}

/// Makes a token, and what is kept of it.
///
/// # Errors
/// If the system has no random numbers.
pub fn make_token() -> Result<(String, Secret)> {
    let token = format!("{TOKEN_PREFIX}{}", hex(&random::<32>()?));
    let secret = hash_token(&token);
    Ok((token, secret))
}

/// What is kept of a token.
#[must_use]
pub fn hash_token(token: &str) -> Secret {
    Secret(format!("{TOKEN_HASH}{}", hex(digest(&SHA256, token.as_bytes()).as_ref())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_long_random_and_kept_as_its_hash() {
        let ((token, secret), (other, _)) = (make_token().unwrap(), make_token().unwrap());
        assert!(token.len() == TOKEN_PREFIX.len() + 64 && token != other);
        assert!(hash_token(&token) == secret && hash_token(&other) != secret);
        assert_eq!(SecretKind::of(&secret).unwrap(), SecretKind::Token);
        assert!(!secret.0.contains(&token));
    }

    #[test]
    fn what_is_no_hash_is_refused_without_being_repeated() {
        for wrong in [
            "hunter2",
            "sha256:hunter2",
            "$2y$10$hunter2",
            "$argon2i$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA",
            "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA",
            "$argon2id$v=19$m=19456,t=2,p=1000000000$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA",
            "$argon2id$v=19$m=9999999,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA",
            "",
        ] {
            let error = SecretKind::of(&Secret(wrong.to_owned())).unwrap_err().to_string();
            assert!(!error.contains("hunter2") && error.contains("th"), "{wrong}: {error}");
        }
    }
}
