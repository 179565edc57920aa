//! Sessions: what a browser shows after it has logged in, so that it need not show the password again.
//!
//! `NAME.EXPIRES.MAC`: nothing is kept here, so every serve process knows them all, and a restarted one as well. The key
//! lives as long as the program. Another password, or none, ends the sessions of a user, as the old secret is part of what
//! the code is made of.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ring::hmac;
use serde::{Deserialize, Serialize};

use super::random::{hex, random};
use crate::config::{Rights, User};
use crate::error::Result;

/// How long a session lasts.
pub const LIFETIME: Duration = Duration::from_secs(30 * 86_400);

/// The name of who came by a link that the program printed; no user's has this letter.
pub const LINK: &str = "~link";
/// Whoever reads what the program prints might as well stop it.
const LINK_RIGHTS: Rights = Rights::Control;

/// What sessions are signed with. Never printed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SessionKey([u8; 32]);

impl fmt::Debug for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionKey(…)")
    }
}

impl SessionKey {
    /// Makes one.
    ///
    /// # Errors
    /// If the system has no random numbers.
    pub fn make() -> Result<Self> {
        random().map(Self)
    }

    /// Makes the session of a user, or of [`LINK`]; none for a name that nobody has.
    #[must_use]
    pub fn open(&self, name: &str, users: &[User], now: SystemTime) -> Option<String> {
        let expires = seconds(now + LIFETIME);
        let (_, signed) = signed(name, expires, users)?;
        let code = hmac::sign(&self.hmac(), &signed);
        Some(format!("{name}.{expires}.{}", hex(code.as_ref())))
    }

    /// Whose session it is, and what that one may; none if it was not made here, is over, or its user is another one now.
    #[must_use]
    pub fn check<'a>(
        &self,
        session: &'a str,
        users: &[User],
        now: SystemTime,
    ) -> Option<(&'a str, Rights)> {
        let (rest, code) = session.rsplit_once('.')?;
        let (name, expires) = rest.rsplit_once('.')?;
        let expires: u64 = expires.parse().ok()?;
        let (rights, signed) = signed(name, expires, users)?;
        hmac::verify(&self.hmac(), &signed, &unhex(code)?).ok()?;
        (seconds(now) < expires).then_some((name, rights))
    }

    /// Makes of what a client said something to find it again by, without keeping it.
    #[must_use]
    pub fn fingerprint(&self, said: &[&[u8]]) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.hmac());
        context.update(b"said");
        for part in said {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        let mut fingerprint = [0; 32];
        fingerprint.copy_from_slice(context.sign().as_ref());
        fingerprint
    }

    fn hmac(&self) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, &self.0)
    }
}

/// What somebody may, and what the code is made of.
fn signed(name: &str, expires: u64, users: &[User]) -> Option<(Rights, Vec<u8>)> {
    let (rights, secret) = if name == LINK {
        (LINK_RIGHTS, "")
    } else {
        let user = users.iter().find(|user| user.name == name)?;
        (user.rights, user.secret.0.as_str())
    };
    // No name has a NUL.
    Some((rights, format!("session\0{name}\0{expires}\0{secret}").into_bytes()))
}

fn seconds(at: SystemTime) -> u64 {
    at.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pairs = text.as_bytes().chunks(2);
    pairs.map(|pair| Some(digit(*pair.first()?)? << 4 | digit(*pair.get(1)?)?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::users::make_token;

    fn user(name: &str, rights: Rights) -> User {
        User { name: name.to_owned(), rights, secret: make_token().unwrap().1 }
    }

    #[test]
    fn a_session_is_its_users_until_it_is_over_or_the_secret_is_another() {
        let (key, now) = (SessionKey::make().unwrap(), SystemTime::now());
        let users = [user("a.b@c", Rights::View), user("bob", Rights::Control)];
        let session = key.open("a.b@c", &users, now).unwrap();
        assert_eq!(key.check(&session, &users, now), Some(("a.b@c", Rights::View)));
        assert_eq!(key.check(&session, &users, now + LIFETIME), None);
        assert_eq!(key.check(&session, &[user("a.b@c", Rights::View)], now), None);
        assert_eq!(key.check(&session, &users[1..], now), None);
        assert_eq!(SessionKey::make().unwrap().check(&session, &users, now), None);
        assert_eq!(key.open("nobody", &users, now), None);
        let link = key.open(LINK, &users, now).unwrap();
        assert_eq!(key.check(&link, &[], now), Some((LINK, Rights::Control)));
    }

    #[test]
    fn a_session_that_was_changed_anywhere_is_none() {
        let (key, now) = (SessionKey::make().unwrap(), SystemTime::now());
        let users = [user("ann", Rights::View), user("bnn", Rights::Control)];
        let session = key.open("ann", &users, now).unwrap();
        for at in 0..session.len() {
            let mut bytes = session.clone().into_bytes();
            bytes[at] ^= 1;
            let changed = String::from_utf8(bytes).unwrap();
            assert_eq!(key.check(&changed, &users, now), None, "{changed}");
            assert_eq!(key.check(&session[..at], &users, now), None);
        }
        for nonsense in ["", ".", "..", "...", "ann.9999999999.", "ann.9999999999.zz", "é.1.é"] {
            assert_eq!(key.check(nonsense, &users, now), None, "{nonsense}");
        }
    }
}
