//! Letting a browser in: a form for a name and a password, or a link that works once, against a session.

use std::time::SystemTime;

use bytes::Bytes;
use hyper::body::Incoming;
use hyper::header::{self, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Method, StatusCode};
use serde_json::json;

use super::credentials::Credentials;
use super::verifying::Wrong;
use super::{Asker, check_origin, is_page_wanted};
use crate::config::{Anonymous, Rights};
use crate::serve::answer::{Answer, plain, retry_after, whole};
use crate::serve::query::Query;
use crate::serve::socket::Peer;
use crate::serve::{Server, body};
use crate::users::{LIFETIME, LINK, TOKEN_PREFIX, hash_token};

/// Longest body of a form, in bytes.
const MAX_FORM_LEN: usize = 8 << 10;

/// The page with the form.
const LOGIN: &str = include_str!("../../../../../web/login/login.html");
/// The page behind a link that works once: programs that look at links for a preview press no button.
const ENTER: &str = include_str!("../../../../../web/login/enter.html");

/// Where the page's sheet comes from; nothing else comes from anywhere.
const POLICY: &str = "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; \
                      frame-ancestors 'none'";

/// Answers whoever shows nothing: a browser that wants a page is led to the form.
pub(super) fn challenge(head: &Parts) -> Answer {
    if is_page_wanted(head) {
        let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
        let query =
            form_urlencoded::Serializer::new(String::new()).append_pair("next", path).finish();
        // A proxy may have this server below a folder of its own.
        let up = "../".repeat(head.uri.path().matches('/').count().saturating_sub(1));
        return to(&format!("{up}-/login?{query}"));
    }
    let mut answer =
        plain(StatusCode::UNAUTHORIZED, "a user and a password, or a token, are needed here");
    demand(&mut answer, head);
    answer
}

/// Says how to show who one is. A page's own requests do not say that a password is an answer: the browser would ask for one
/// in a window of its own.
pub(super) fn demand(answer: &mut Answer, head: &Parts) {
    let is_pages = head.headers.get("sec-fetch-mode").is_some_and(|mode| mode != "navigate");
    let how = if is_pages {
        "Bearer realm=\"Eyelet\""
    } else {
        "Basic realm=\"Eyelet\", charset=\"UTF-8\""
    };
    answer.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(how));
}

/// The name of the cookie: a browser sends those of all ports of a host.
pub(super) fn cookie_name(head: &Parts) -> String {
    let host = head.headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("");
    match host.rsplit_once(':') {
        Some((_, port)) if port.parse::<u16>().is_ok() => format!("eyelet-{port}"),
        _ => "eyelet".to_owned(),
    }
}

/// `/-/login`: the form, and what was filled in.
///
/// # Errors
/// The answer: 403 for a page of another site, what [`body::read`] says of the body.
pub(crate) async fn login(
    server: &Server,
    head: &Parts,
    body: Incoming,
    peer: Peer,
) -> Result<Answer, Box<Answer>> {
    let config = server.config();
    needed(server)?;
    if head.method != Method::POST {
        let next = Query::new(head.uri.query()).get("next").unwrap_or_default();
        return Ok(form(StatusCode::OK, &next, ""));
    }
    let form_sent = read_form(server, head, body).await?;
    let said = Query::new(Some(&form_sent));
    let (name, password) =
        (said.get("name").unwrap_or_default(), said.get("password").unwrap_or_default());
    let next = said.get("next").unwrap_or_default();
    let (users, verifying) = (&config.access.users, &server.guard.verifying);
    let shown = if password.starts_with(TOKEN_PREFIX) {
        Credentials::Token(password.into_owned())
    } else {
        let password = password.as_bytes().to_vec();
        Credentials::Password { name: name.into_owned(), password }
    };
    let shown = verifying.user(shown, users, peer.ip()).await;
    let opened =
        shown.map(|user| verifying.key().open(user.as_ref()?.name()?, users, SystemTime::now()));
    Ok(match opened {
        Ok(Some(session)) => {
            with_cookie(back_to(inside(&next)), head, peer, &session, LIFETIME.as_secs())
        }
        Ok(None) | Err(Wrong::Secret) => {
            form(StatusCode::UNAUTHORIZED, &next, "That name and password do not belong together.")
        }
        Err(Wrong::TooOften(wait)) => {
            let seconds = wait.as_secs() + 1;
            let text = format!("Too many wrong tries: the next one in {seconds} s.");
            retry_after(form(StatusCode::TOO_MANY_REQUESTS, &next, &text), seconds)
        }
        Err(Wrong::Busy) => {
            form(StatusCode::SERVICE_UNAVAILABLE, &next, "The server is busy: try again.")
        }
    })
}

/// `/-/logout`: the browser forgets its session.
///
/// # Errors
/// The answer 403 for a page of another site.
pub(crate) fn logout(head: &Parts, peer: Peer) -> Result<Answer, Box<Answer>> {
    check_origin(head)?;
    Ok(with_cookie(back_to("/"), head, peer, "", 0))
}

/// `/-/enter`: the page behind a link that works once, and its button.
///
/// # Errors
/// The answer: 403 for a link that does not work any more, or a page of another site.
pub(crate) async fn enter(
    server: &Server,
    head: &Parts,
    body: Incoming,
    peer: Peer,
) -> Result<Answer, Box<Answer>> {
    needed(server)?;
    if head.method != Method::POST {
        let key = Query::new(head.uri.query()).get("key").unwrap_or_default();
        return Ok(page(StatusCode::OK, ENTER.replace("{key}", &escape(&key))));
    }
    let form_sent = read_form(server, head, body).await?;
    let key = Query::new(Some(&form_sent)).get("key").unwrap_or_default();
    // The supervisor learns a hash alone: nothing from the network reaches it as it came.
    if !server.line.redeem(hash_token(&key)).await {
        let text = "this link has been used, or was never printed; the program prints another one";
        return Err(Box::new(plain(StatusCode::FORBIDDEN, text)));
    }
    let config = server.config();
    let key = server.guard.verifying.key();
    let session = key.open(LINK, &config.access.users, SystemTime::now()).unwrap_or_default();
    Ok(with_cookie(back_to("/"), head, peer, &session, LIFETIME.as_secs()))
}

/// `/-/api/session`: who asks, and what that one may.
pub(crate) fn session(server: &Server, asker: &Asker) -> Answer {
    let has_users = server.config().access.anonymous != Anonymous::All;
    let rights = match asker {
        Asker::Anybody => None,
        Asker::Nameless => Some(Rights::View),
        Asker::User { rights, .. } => Some(*rights),
    };
    let told = json!({
        "user": asker.name(),
        "rights": rights,
        "has_users": has_users,
    });
    whole(StatusCode::OK, "application/json", Bytes::from(format!("{told}\n")))
}

/// Where everybody may watch nobody logs in.
fn needed(server: &Server) -> Result<(), Box<Answer>> {
    if server.config().access.anonymous == Anonymous::All {
        let text = "nobody needs to log in here: the server was started without --users";
        return Err(Box::new(plain(StatusCode::NOT_FOUND, text)));
    }
    Ok(())
}

async fn read_form(server: &Server, head: &Parts, body: Incoming) -> Result<String, Box<Answer>> {
    check_origin(head)?;
    let body = body::read(body, MAX_FORM_LEN, &server.limits()).await?;
    String::from_utf8(body.to_vec())
        .map_err(|_| Box::new(plain(StatusCode::BAD_REQUEST, "the form is not UTF-8")))
}

fn form(status: StatusCode, next: &str, trouble: &str) -> Answer {
    let text =
        LOGIN.replace("{trouble}", &escape(trouble)).replace("{next}", &escape(inside(next)));
    page(status, text)
}

fn page(status: StatusCode, text: String) -> Answer {
    let mut answer = whole(status, "text/html; charset=utf-8", Bytes::from(text));
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    // With `no-referrer` a browser sends the form without saying whose page it is from.
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    answer
}

fn to(path: &str) -> Answer {
    let mut answer = plain(StatusCode::SEE_OTHER, "it goes on elsewhere");
    let path = HeaderValue::from_str(path).unwrap_or(HeaderValue::from_static("/"));
    answer.headers_mut().insert(header::LOCATION, path);
    answer
}

/// Back from an address below `/-/` to one of this server.
fn back_to(path: &str) -> Answer {
    to(&format!("..{path}"))
}

fn with_cookie(
    mut answer: Answer,
    head: &Parts,
    peer: Peer,
    session: &str,
    seconds: u64,
) -> Answer {
    let name = cookie_name(head);
    let secure = if peer.is_encrypted { "; Secure" } else { "" };
    let cookie =
        format!("{name}={session}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}");
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        answer.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    answer
}

/// Where to go after a login: an address of this server, or its page.
///
/// A browser takes `//` and `/\` at the beginning for another server.
fn inside(next: &str) -> &str {
    let is_inside = next.starts_with('/')
        && !next[1..].starts_with(['/', '\\'])
        && !next.starts_with("/-/login")
        && next.bytes().all(|byte| matches!(byte, b'!'..=b'~'));
    if is_inside { next } else { "/" }
}

/// Makes text of a page of what somebody sent.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_leads_nowhere_else() {
        for there in ["/", "/?stream=front", "/a/b?c=//d"] {
            assert_eq!(inside(there), there);
        }
        for elsewhere in [
            "",
            "//evil.example",
            "/\\evil.example",
            "https://evil.example",
            "/\r\nx: y",
            "/-/login?next=x",
            "/\u{e9}",
        ] {
            assert_eq!(inside(elsewhere), "/", "{elsewhere}");
        }
    }

    #[test]
    fn what_was_sent_is_no_part_of_the_page() {
        let answer = form(StatusCode::OK, "/\"><script>", "<b>&'");
        let text = format!("{:?}", answer.body());
        assert!(!text.contains("<script>") && !text.contains("<b>"), "{text}");
        assert!(text.contains("&lt;b&gt;&amp;&#39;"), "{text}");
    }
}
