//! What pages of other sites may read, and what browsers are told about every answer.
//!
//! Source: the Fetch standard, section 3.3 (CORS); the site that a page is from stands in `Origin`.

use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Method, StatusCode};

use crate::config::AllowedOrigin;
use crate::serve::answer::{Answer, plain};

/// What pages of other sites may ask with.
const METHODS: &str = "GET, HEAD";
/// The fields that they may set: a token stands in the one, conditions in the others.
const FIELDS: &str = "authorization, cache-control, if-none-match";
/// Seconds for which a browser need not ask again; the longest that browsers take.
const PREFLIGHT_LASTS: &str = "7200";

/// Where nothing else is said: an answer is no page, loads nothing, and stands in no frame.
const POLICY: &str = "default-src 'none'; frame-ancestors 'none'";

/// The site whose page asks, if it may read the answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reader(Option<Site>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Site {
    origin: HeaderValue,
    /// It was named, and not let in with all others: it may show who its user is.
    is_named: bool,
}

impl Reader {
    /// Finds it.
    pub(crate) fn of(request: &HeaderMap, allowed: &[AllowedOrigin]) -> Self {
        let site = request.get(header::ORIGIN).and_then(|origin| {
            let text = origin.to_str().ok()?;
            let is_named = allowed.iter().any(|site| site.names(text));
            let is_allowed = is_named || allowed.iter().any(|site| site.covers(text));
            is_allowed.then(|| Site { origin: origin.clone(), is_named })
        });
        Self(site)
    }

    /// The fields that let it read.
    fn fields(&self) -> Vec<(&'static str, HeaderValue)> {
        let Some(site) = &self.0 else { return Vec::new() };
        let any = HeaderValue::from_static("*");
        let origin = if site.is_named { site.origin.clone() } else { any };
        let mut fields = vec![("access-control-allow-origin", origin)];
        if site.is_named {
            let yes = HeaderValue::from_static("true");
            fields.push(("access-control-allow-credentials", yes));
        }
        fields
    }

    /// The same as lines of an answer that hyper does not write.
    pub(crate) fn lines(&self) -> String {
        let line = |(name, value): (&str, HeaderValue)| {
            value.to_str().ok().map(|value| format!("{name}: {value}\r\n"))
        };
        self.fields().into_iter().filter_map(line).collect()
    }
}

/// Answers a browser that asks whether a page of another site may ask; none for what is no such question.
pub(crate) fn preflight(head: &Parts, reader: &Reader) -> Option<Answer> {
    let is_question = head.method == Method::OPTIONS
        && head.headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    if !is_question {
        return None;
    }
    if reader.0.is_none() {
        let text = "start with --allow-origin to let pages of that site read what is here";
        return Some(plain(StatusCode::FORBIDDEN, text));
    }
    let mut answer = plain(StatusCode::NO_CONTENT, "");
    *answer.body_mut() = http_body_util::Full::default();
    let headers = answer.headers_mut();
    for (name, value) in [
        (header::ACCESS_CONTROL_ALLOW_METHODS, METHODS),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, FIELDS),
        (header::ACCESS_CONTROL_MAX_AGE, PREFLIGHT_LASTS),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    Some(answer)
}

/// Adds what every answer has.
pub(crate) fn finish(answer: &mut Answer, reader: &Reader) {
    let headers = answer.headers_mut();
    headers.entry(header::REFERRER_POLICY).or_insert(HeaderValue::from_static("no-referrer"));
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let is_picture = content_type.is_some_and(|content_type| content_type.starts_with("image/"));
    if is_picture {
        // Any page may show one; what it shows it cannot read.
        let all = HeaderValue::from_static("cross-origin");
        headers.entry("cross-origin-resource-policy").or_insert(all);
    } else {
        let policy = HeaderValue::from_static(POLICY);
        headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(policy);
    }
    for (name, value) in reader.fields() {
        headers.entry(name).or_insert(value);
    }
    // A cache must not give one site's answer to another.
    headers.append(header::VARY, HeaderValue::from_static("origin"));
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::Request;

    fn head(method: &str, origin: &str) -> Parts {
        let request = Request::builder().method(method).header("Origin", origin);
        request.header("Access-Control-Request-Method", "GET").body(()).unwrap().into_parts().0
    }

    fn allowed(sites: &[&str]) -> Vec<AllowedOrigin> {
        sites.iter().map(|site| site.parse().unwrap()).collect()
    }

    #[test]
    fn only_sites_that_were_named_read_and_show_who_they_are() {
        let lines = |origin: &str, sites: &[&str]| {
            Reader::of(&head("GET", origin).headers, &allowed(sites)).lines()
        };
        assert_eq!(lines("https://evil.example", &[]), "");
        assert_eq!(lines("https://evil.example", &["https://a.example"]), "");
        let named = lines("https://a.example", &["https://a.example", "*"]);
        assert!(named.contains("origin: https://a.example\r\n"), "{named}");
        assert!(named.contains("credentials: true"), "{named}");
        assert_eq!(lines("https://b.example", &["*"]), "access-control-allow-origin: *\r\n");
        assert_eq!(lines("null", &[]), "");
    }

    #[test]
    fn a_browser_that_asks_first_is_told() {
        let ask = |method, sites: &[&str]| {
            let head = head(method, "https://a.example");
            let answer = preflight(&head, &Reader::of(&head.headers, &allowed(sites)));
            answer.map(|answer| answer.status().as_u16())
        };
        assert_eq!(ask("OPTIONS", &["https://a.example"]), Some(204));
        assert_eq!(ask("OPTIONS", &[]), Some(403));
        assert_eq!(ask("GET", &["*"]), None);
    }
}
