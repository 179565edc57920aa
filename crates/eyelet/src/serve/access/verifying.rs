//! Holding what somebody shows against what is known, without keeping anybody else waiting.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use subtle::ConstantTimeEq as _;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::Asker;
use super::credentials::Credentials;
use super::failures::Failures;
use crate::config::{Secret, User};
use crate::users::{self, SessionKey};

/// Passwords that wait to be hashed, one after the other, each 19 MiB and tens of milliseconds; more are told to come
/// again.
const MOST_WAITING: usize = 16;
/// Right passwords that are known again, so that a client that shows one with each request costs nothing.
const MOST_KNOWN: usize = 1024;

/// Why somebody is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wrong {
    /// It is wrong.
    Secret,
    /// There were too many wrong ones; the next may come after this.
    TooOften(Duration),
    /// Too many are being looked at.
    Busy,
}

/// Looks at what is shown.
#[derive(Debug)]
pub(crate) struct Verifying {
    key: SessionKey,
    /// The secrets that these names and passwords were right for, by their fingerprints.
    known: RefCell<HashMap<[u8; 32], Secret>>,
    failures: Failures,
    hashing: Semaphore,
    waiting: Cell<usize>,
}

impl Verifying {
    pub(super) fn new(key: SessionKey) -> Self {
        Self {
            key,
            known: RefCell::default(),
            failures: Failures::default(),
            hashing: Semaphore::new(1),
            waiting: Cell::new(0),
        }
    }

    /// What sessions are signed with.
    pub(super) fn key(&self) -> &SessionKey {
        &self.key
    }

    /// Finds who shows this; nobody for a session that is over, as any will be: that is as if nothing was shown.
    pub(super) async fn user(
        &self,
        shown: Credentials,
        users: &[User],
        address: Option<IpAddr>,
    ) -> Result<Option<Asker>, Wrong> {
        match shown {
            Credentials::Session(session) => {
                let found = self.key.check(&session, users, SystemTime::now());
                Ok(found.map(|(name, rights)| Asker::User { name: name.to_owned(), rights }))
            }
            Credentials::Token(token) => self.token(&token, users, address).map(Some),
            Credentials::Password { name, password } => {
                self.password(&name, &password, users, address).await.map(Some)
            }
            Credentials::Nonsense => Err(Wrong::Secret),
        }
    }

    /// Finds the user of a token.
    fn token(&self, token: &str, users: &[User], address: Option<IpAddr>) -> Result<Asker, Wrong> {
        let hash = users::hash_token(token);
        let is_it = |user: &&User| user.secret.0.as_bytes().ct_eq(hash.0.as_bytes()).into();
        match users.iter().find(is_it) {
            Some(user) => Ok(asker(user)),
            None => {
                self.failures.begin(address, Instant::now()).map_err(Wrong::TooOften)?;
                Err(Wrong::Secret)
            }
        }
    }

    /// Looks whether a user has this password.
    async fn password(
        &self,
        name: &str,
        password: &[u8],
        users: &[User],
        address: Option<IpAddr>,
    ) -> Result<Asker, Wrong> {
        let user = users.iter().find(|user| user.name == name);
        let fingerprint = self.key.fingerprint(&[name.as_bytes(), password]);
        if let Some(user) = user
            && self.known.borrow().get(&fingerprint) == Some(&user.secret)
        {
            return Ok(asker(user));
        }
        self.failures.begin(address, Instant::now()).map_err(Wrong::TooOften)?;
        let is_right = self.hash(password, user.map(|user| user.secret.clone())).await;
        if is_right != Some(false) {
            self.failures.forgive(address);
        }
        match (is_right, user) {
            (None, _) => Err(Wrong::Busy),
            (Some(true), Some(user)) => {
                let mut known = self.known.borrow_mut();
                if known.len() >= MOST_KNOWN {
                    known.clear();
                }
                known.insert(fingerprint, user.secret.clone());
                Ok(asker(user))
            }
            _ => {
                // The name is what somebody typed, a password perhaps.
                log::info!("a login from {} was refused", Shown(address));
                Err(Wrong::Secret)
            }
        }
    }

    /// Tells whether it is right; nothing if too many wait.
    async fn hash(&self, password: &[u8], secret: Option<Secret>) -> Option<bool> {
        if self.waiting.get() >= MOST_WAITING {
            return None;
        }
        let _waiting = Waiting::new(&self.waiting);
        let _turn = self.hashing.acquire().await.ok()?;
        let password = password.to_vec();
        let hash = move || users::verify_password(&password, secret.as_ref());
        // The event loop goes on with its frames.
        tokio::task::spawn_blocking(hash).await.ok()
    }
}

/// Somebody who waits, until dropped.
struct Waiting<'a>(&'a Cell<usize>);

impl<'a> Waiting<'a> {
    fn new(count: &'a Cell<usize>) -> Self {
        count.set(count.get() + 1);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

/// An address for people.
struct Shown(Option<IpAddr>);

impl std::fmt::Display for Shown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Some(address) => address.to_canonical().fmt(f),
            None => f.write_str("this machine"),
        }
    }
}

fn asker(user: &User) -> Asker {
    Asker::User { name: user.name.clone(), rights: user.rights }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Rights;

    fn run<T>(test: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        tokio::task::LocalSet::new().block_on(&runtime, test)
    }

    fn users() -> (Vec<User>, String) {
        let (token, hash) = users::make_token().unwrap();
        let user = |name: &str, rights, secret| User { name: name.to_owned(), rights, secret };
        let ann = user("ann", Rights::View, users::hash_password("right").unwrap());
        (vec![ann, user("robot", Rights::Control, hash)], token)
    }

    #[test]
    fn users_are_known_by_what_is_theirs_alone() {
        let (users, token) = users();
        let verifying = Verifying::new(SessionKey::make().unwrap());
        run(async {
            let ann = Asker::User { name: "ann".to_owned(), rights: Rights::View };
            for _ in 0..2 {
                assert_eq!(
                    verifying.password("ann", b"right", &users, None).await,
                    Ok(ann.clone())
                );
            }
            let wrong =
                [("ann", "wrong"), ("bob", "right"), ("robot", &token), ("", ""), ("annr", "ight")];
            for (name, password) in wrong {
                let shown = verifying.password(name, password.as_bytes(), &users, None).await;
                assert_eq!(shown, Err(Wrong::Secret), "{name}");
            }
            let robot = Asker::User { name: "robot".to_owned(), rights: Rights::Control };
            assert_eq!(verifying.token(&token, &users, None), Ok(robot));
            assert_eq!(verifying.token("eyelet_", &users, None), Err(Wrong::Secret));
            assert_eq!(verifying.token(&users[1].secret.0, &users, None), Err(Wrong::Secret));
        });
    }

    #[test]
    fn a_changed_password_is_not_known_from_before() {
        let (mut users, _) = users();
        let verifying = Verifying::new(SessionKey::make().unwrap());
        run(async {
            assert!(verifying.password("ann", b"right", &users, None).await.is_ok());
            users[0].secret = users::hash_password("other").unwrap();
            let shown = verifying.password("ann", b"right", &users, None).await;
            assert_eq!(shown, Err(Wrong::Secret));
        });
    }

    #[test]
    fn a_crowd_of_passwords_does_not_pile_up() {
        let (users, _) = users();
        let verifying = Verifying::new(SessionKey::make().unwrap());
        run(async {
            let tries = (0..MOST_WAITING + 3).map(|number| {
                let address = Some(IpAddr::V4(u32::try_from(number).unwrap().into()));
                verifying.password("ann", b"wrong", &users, address)
            });
            let mut tries: Vec<_> = tries.map(Box::pin).collect();
            let mut busy = 0;
            for at in (0..tries.len()).rev() {
                // Each is begun before the first is awaited to its end.
                let polled = futures_poll(tries[at].as_mut()).await;
                busy += usize::from(polled == Some(Err(Wrong::Busy)));
            }
            assert_eq!(busy, 3);
        });
    }

    /// Polls once.
    async fn futures_poll<F: Future>(mut future: std::pin::Pin<&mut F>) -> Option<F::Output> {
        std::future::poll_fn(|cx| {
            std::task::Poll::Ready(match future.as_mut().poll(cx) {
                std::task::Poll::Ready(output) => Some(output),
                std::task::Poll::Pending => None,
            })
        })
        .await
    }
}
