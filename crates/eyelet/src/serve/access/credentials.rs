//! What a request says about who it is from. Source: RFC 7617 (Basic), RFC 6750 (Bearer), RFC 6265 (cookies).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::header::{self, HeaderMap, HeaderName};
use hyper::http::request::Parts;

use crate::serve::query::Query;
use crate::users::TOKEN_PREFIX;

/// What somebody shows. It is a secret: it has no `Debug`.
#[derive(PartialEq, Eq)]
pub(crate) enum Credentials {
    /// A name and a password.
    Password { name: String, password: Vec<u8> },
    /// A token.
    Token(String),
    /// A cookie that was given at a login.
    Session(String),
    /// Something that is none of these.
    Nonsense,
}

/// What a request shows, if it shows something: the `Authorization` field counts most, then the cookie, then `?token=` for
/// clients that can send neither.
pub(super) fn of(head: &Parts, cookie: &str) -> Option<Credentials> {
    if head.headers.contains_key(header::AUTHORIZATION) {
        return Some(authorization(&head.headers).unwrap_or(Credentials::Nonsense));
    }
    if let Some(session) = cookie_called(&head.headers, cookie) {
        return Some(Credentials::Session(session));
    }
    let token = Query::new(head.uri.query()).get("token")?;
    // Others may mean something else by it.
    token.starts_with(TOKEN_PREFIX).then(|| Credentials::Token(token.into_owned()))
}

fn authorization(headers: &HeaderMap) -> Option<Credentials> {
    let (scheme, said) = only(headers, header::AUTHORIZATION)?.trim().split_once(' ')?;
    let said = said.trim_start();
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(Credentials::Token(said.to_owned()));
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = STANDARD.decode(said).ok()?;
    let colon = decoded.iter().position(|byte| *byte == b':')?;
    let (name, password) = (&decoded[..colon], &decoded[colon + 1..]);
    // For clients that know passwords only.
    if password.starts_with(TOKEN_PREFIX.as_bytes()) {
        return String::from_utf8(password.to_vec()).ok().map(Credentials::Token);
    }
    let name = String::from_utf8(name.to_vec()).ok()?;
    Some(Credentials::Password { name, password: password.to_vec() })
}

fn only(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}

fn cookie_called(headers: &HeaderMap, wanted: &str) -> Option<String> {
    let fields = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs =
        fields.flat_map(|field| field.split(';')).filter_map(|pair| pair.split_once('='));
    pairs.find(|(name, _)| name.trim() == wanted).map(|(_, value)| value.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::Request;

    fn shown(fields: &[(&str, &str)], uri: &str) -> Option<Credentials> {
        let mut request = Request::builder().uri(uri);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        of(&request.body(()).unwrap().into_parts().0, "eyelet-9090")
    }

    fn basic(text: &str) -> String {
        format!("Basic {}", STANDARD.encode(text))
    }

    #[test]
    fn each_way_of_saying_who_one_is_is_understood() {
        let password = |name: &str, password: &str| {
            Some(Credentials::Password { name: name.to_owned(), password: password.into() })
        };
        let token = |text: &str| Some(Credentials::Token(text.to_owned()));
        let said = |value: &str| shown(&[("authorization", value)], "/");
        assert!(said(&basic("ann:a:b é")) == password("ann", "a:b é"));
        assert!(said(&basic(":")) == password("", ""));
        assert!(said(&basic("x:eyelet_12")) == token("eyelet_12"));
        assert!(said("bearer  eyelet_12") == token("eyelet_12"));
        assert!(shown(&[], "/-/ws?token=eyelet_12") == token("eyelet_12"));
        assert!(shown(&[], "/?token=12").is_none() && shown(&[], "/").is_none());
        let cookies = [("cookie", "a=b; eyelet-9090=ann.1.ff; eyelet-80=x")];
        assert!(shown(&cookies, "/") == Some(Credentials::Session("ann.1.ff".to_owned())));
        assert!(shown(&[("cookie", "eyelet-80=x; =; y")], "/").is_none());
    }

    #[test]
    fn what_makes_no_sense_is_not_nothing() {
        for wrong in ["", "Basic", "Basic ", "Basic !!", &basic("nocolon"), "Digest x", "Bearer"] {
            assert!(
                shown(&[("authorization", wrong)], "/") == Some(Credentials::Nonsense),
                "{wrong}"
            );
        }
        let twice = [("authorization", "Bearer a"), ("authorization", "Bearer b")];
        assert!(shown(&twice, "/") == Some(Credentials::Nonsense));
    }
}
