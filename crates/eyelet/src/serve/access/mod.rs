//! Who a request is from, and what that one may.
//!
//! Without users everybody who reaches a listener may watch. With them a request shows a password, a token, or the session
//! that a browser was given at its login; `docs/guide/access.md` tells it to people.

mod credentials;
mod failures;
mod host;
pub(crate) mod login;
mod verifying;

use hyper::header;
use hyper::http::request::Parts;
use hyper::{Method, StatusCode};
use tokio::sync::watch;

use crate::config::{Access, Anonymous, ControlAccess, Rights, Secret};
use crate::serve::answer::{Answer, plain, retry_after};
use crate::serve::socket::Peer;
use crate::serve::{Server, websocket};
use crate::users::LINK;
#[cfg(fuzzing)]
use credentials::Credentials;
use host::OwnNames;
use verifying::{Verifying, Wrong};

/// What a serve process knows of those who ask, beside the configuration.
#[derive(Debug)]
pub(crate) struct Guard {
    names: OwnNames,
    verifying: Verifying,
    /// Changes whenever somebody may be another one.
    changes: watch::Sender<()>,
}

impl Guard {
    /// Begins with nobody known.
    pub(crate) fn new(key: crate::users::SessionKey) -> Self {
        Self {
            names: OwnNames::read(),
            verifying: Verifying::new(key),
            changes: watch::Sender::new(()),
        }
    }

    /// Has those looked at again who were let in before.
    pub(crate) fn renew(&self) {
        self.changes.send_replace(());
    }
}

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Asker {
    /// Anybody: there are no users.
    Anybody,
    /// Somebody who says no name, where that is enough to watch.
    Nameless,
    /// A user.
    User {
        /// The name; [`LINK`](crate::users::LINK) for who came by a link that the program printed.
        name: String,
        rights: Rights,
    },
}

impl Asker {
    /// The name, if one was said.
    pub(crate) fn name(&self) -> Option<&str> {
        match self {
            Self::User { name, .. } => Some(name),
            Self::Anybody | Self::Nameless => None,
        }
    }
}

/// Finds out who asks.
///
/// # Errors
/// The answer where that one may not even watch: 401, a login for a browser, 429 after too many wrong tries.
pub(crate) async fn admit(server: &Server, head: &Parts, peer: Peer) -> Result<Asker, Box<Answer>> {
    let config = server.config();
    let access = &config.access;
    if access.anonymous == Anonymous::All {
        return Ok(Asker::Anybody);
    }
    let user = match credentials::of(head, &login::cookie_name(head)) {
        Some(shown) => server.guard.verifying.user(shown, &access.users, peer.ip()).await,
        None => Ok(None),
    };
    Err(Box::new(match user {
        Ok(Some(user)) => return Ok(user),
        Ok(None) if access.anonymous == Anonymous::View => return Ok(Asker::Nameless),
        Ok(None) => login::challenge(head),
        Err(Wrong::Secret) => wrong(head),
        Err(Wrong::TooOften(wait)) => too_often(wait),
        Err(Wrong::Busy) => busy(),
    }))
}

/// What somebody was let in by, who stays.
#[derive(Clone, Debug)]
pub(crate) struct Pass {
    asker: Asker,
    /// A user's, at that time.
    secret: Option<Secret>,
}

impl Pass {
    pub(crate) fn new(asker: Asker, access: &Access) -> Self {
        let user = access.users.iter().find(|user| Some(user.name.as_str()) == asker.name());
        Self { secret: user.map(|user| user.secret.clone()), asker }
    }

    /// Whether it would be let in again.
    fn is_good(&self, access: &Access) -> bool {
        match &self.asker {
            Asker::Anybody => access.anonymous == Anonymous::All,
            Asker::Nameless => access.anonymous != Anonymous::None,
            Asker::User { name, .. } if name == LINK => true,
            Asker::User { name, .. } => access
                .users
                .iter()
                .any(|user| user.name == *name && Some(&user.secret) == self.secret.as_ref()),
        }
    }

    /// Waits until it is good no more.
    pub(crate) async fn ended(&self, server: &Server) {
        let mut changes = server.guard.changes.subscribe();
        while self.is_good(&server.config().access) {
            if changes.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }
}

/// Refuses what is asked of another server.
///
/// # Errors
/// The answer: 421 or 400.
pub(crate) fn check_host(server: &Server, head: &Parts) -> Result<(), Box<Answer>> {
    host::check(head, &server.guard.names, &server.config().access.hosts)
}

/// Tells whether somebody may change what there is to change: no page of another site, and no user who may only watch.
///
/// # Errors
/// The answer: 401 or 403.
pub(crate) fn may_change(asker: &Asker, head: &Parts) -> Result<(), Box<Answer>> {
    check_origin(head)?;
    match asker {
        Asker::Anybody | Asker::User { rights: Rights::Control, .. } => Ok(()),
        Asker::Nameless => Err(Box::new(login::challenge(head))),
        Asker::User { name, rights: Rights::View } => {
            let text = format!("the user `{name}` may watch and change nothing");
            Err(Box::new(plain(StatusCode::FORBIDDEN, &text)))
        }
    }
}

/// No page of another site changes anything, or logs anybody in or out.
fn check_origin(head: &Parts) -> Result<(), Box<Answer>> {
    if websocket::is_same_origin(&head.headers) {
        return Ok(());
    }
    let text = "this page's origin may not change anything here";
    Err(Box::new(plain(StatusCode::FORBIDDEN, text)))
}

/// The same for cameras' controls, for which there is a rule of its own where there are no users.
///
/// # Errors
/// As [`may_change`].
pub(crate) fn may_control(
    server: &Server,
    asker: &Asker,
    head: &Parts,
    peer: Peer,
) -> Result<(), Box<Answer>> {
    may_change(asker, head)?;
    let refuse = |text: &str| Err(Box::new(plain(StatusCode::FORBIDDEN, text)));
    match server.config().control_access {
        ControlAccess::None => refuse("controls may not be changed: --api-control is `none`"),
        ControlAccess::Local if *asker == Asker::Anybody && !is_local(head, peer) => {
            refuse("start with --api-control all to let clients on other machines change controls")
        }
        ControlAccess::Local | ControlAccess::All => Ok(()),
    }
}

/// The client is on this machine and calls it by a name of its own: a page of another site that has its name lead here
/// says that name, and so does a proxy that passes on what others ask.
fn is_local(head: &Parts, peer: Peer) -> bool {
    let is_loopback = |address: std::net::IpAddr| address.to_canonical().is_loopback();
    let host = head.headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("");
    let name = host::without_port(host);
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    let is_own_name = name.eq_ignore_ascii_case("localhost") || bare.parse().is_ok_and(is_loopback);
    peer.is_local() && is_own_name
}

/// Whether a request is let in where there is a user whom nobody knows, and whether the name that it asks for is ours.
#[cfg(fuzzing)]
pub(crate) fn fuzzing(head: &Parts) -> (bool, bool) {
    let user = crate::config::User {
        name: "ann".to_owned(),
        rights: Rights::View,
        secret: crate::users::hash_token("eyelet_nobody"),
    };
    let key = crate::users::SessionKey::make().expect("random numbers");
    let users = [user];
    let is_in = match credentials::of(head, &login::cookie_name(head)) {
        // Hashing takes too long for many; nobody has a password here.
        None | Some(Credentials::Password { .. }) => false,
        Some(shown) => {
            let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
            let verifying = Verifying::new(key);
            matches!(runtime.block_on(verifying.user(shown, &users, None)), Ok(Some(_)))
        }
    };
    (is_in, host::check(head, &OwnNames::default(), &[]).is_ok())
}

fn wrong(head: &Parts) -> Answer {
    let mut answer =
        plain(StatusCode::UNAUTHORIZED, "the user, the password or the token is wrong");
    login::demand(&mut answer, head);
    answer
}

fn too_often(wait: std::time::Duration) -> Answer {
    let seconds = wait.as_secs() + 1;
    let text = format!("too many wrong tries from your address; the next one in {seconds} s");
    retry_after(plain(StatusCode::TOO_MANY_REQUESTS, &text), seconds)
}

fn busy() -> Answer {
    let text = "too many passwords are being checked; try again";
    retry_after(plain(StatusCode::SERVICE_UNAVAILABLE, text), 1)
}

/// Tells whether a browser asks for a page, and not a program for something, or a page for a part of it.
fn is_page_wanted(head: &Parts) -> bool {
    let text = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok());
    let is_navigation = text("sec-fetch-mode").is_none_or(|mode| mode == "navigate");
    let takes_html = text("accept").is_some_and(|accept| accept.contains("text/html"));
    matches!(head.method, Method::GET | Method::HEAD) && is_navigation && takes_html
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::Request;

    fn is_local_with(host: &str, peer: &str) -> bool {
        let head = Request::builder().header("Host", host).body(()).unwrap().into_parts().0;
        let peer =
            Peer { address: peer.parse().ok(), is_unix: peer == "unix", is_encrypted: false };
        is_local(&head, peer)
    }

    #[test]
    fn only_this_machine_by_its_own_names_is_local() {
        for host in ["localhost", "LocalHost:9090", "127.0.0.1:9090", "127.1.2.3", "[::1]:9090"] {
            assert!(is_local_with(host, "127.0.0.1:5000"), "{host}");
            assert!(is_local_with(host, "[::ffff:127.0.0.1]:5000"), "{host}");
            assert!(is_local_with(host, "unix"), "{host}");
            assert!(!is_local_with(host, "192.0.2.7:5000"), "{host}");
        }
        for host in ["", "evil.example:9090", "192.0.2.1:9090", "localhost.evil.example", "::"] {
            assert!(!is_local_with(host, "127.0.0.1:5000"), "{host}");
        }
    }

    #[test]
    fn a_pass_is_good_as_long_as_its_user_is_the_same() {
        let user = |secret: &str| crate::config::User {
            name: "ann".to_owned(),
            rights: Rights::View,
            secret: Secret(secret.to_owned()),
        };
        let access =
            |anonymous, users: &[_]| Access { users: users.to_vec(), anonymous, hosts: Vec::new() };
        let protected = access(Anonymous::None, &[user("a")]);
        let ann = Asker::User { name: "ann".to_owned(), rights: Rights::View };
        let pass = Pass::new(ann, &protected);
        assert!(pass.is_good(&protected));
        assert!(!pass.is_good(&access(Anonymous::None, &[user("b")])));
        assert!(!pass.is_good(&access(Anonymous::None, &[])));
        let nameless = Pass::new(Asker::Nameless, &access(Anonymous::View, &[]));
        assert!(nameless.is_good(&access(Anonymous::View, &[])) && !nameless.is_good(&protected));
        let anybody = Pass::new(Asker::Anybody, &Access::default());
        assert!(anybody.is_good(&Access::default()) && !anybody.is_good(&protected));
    }

    #[test]
    fn who_may_only_watch_changes_nothing() {
        let head = Request::builder().body(()).unwrap().into_parts().0;
        let user = |rights| Asker::User { name: "ann".to_owned(), rights };
        let status = |asker| may_change(&asker, &head).map_err(|answer| answer.status().as_u16());
        assert_eq!(status(user(Rights::Control)), Ok(()));
        assert_eq!(status(Asker::Anybody), Ok(()));
        assert_eq!(status(user(Rights::View)), Err(403));
        assert_eq!(status(Asker::Nameless), Err(401));
        let head = Request::builder().header("Host", "cam").header("Origin", "http://evil");
        let head = head.body(()).unwrap().into_parts().0;
        assert_eq!(may_change(&user(Rights::Control), &head).unwrap_err().status(), 403);
    }
}
