//! The WebSocket handshake: what a request must have, and what it gets otherwise.
//!
//! Source: RFC 6455, sections 4.1 and 4.2.

use eyelet_wire::v1::SUBPROTOCOL;
use eyelet_wire::websocket::accept_key;
use hyper::header::{self, HeaderMap, HeaderName};
use hyper::http::request::Parts;
use hyper::{Method, StatusCode, Version};

use crate::config::AllowedOrigin;
use crate::serve::answer::{Answer, plain};

/// A request that may become a WebSocket.
#[derive(Clone, Debug)]
pub(crate) struct Upgrade {
    accept: String,
    offered: Vec<String>,
}

impl Upgrade {
    /// Tells whether the client offers the `eyelet.v1` protocol.
    pub(crate) fn offers_v1(&self) -> bool {
        self.offered.iter().any(|offered| offered == SUBPROTOCOL)
    }

    /// Gives the bytes that complete the handshake, with a subprotocol if one is agreed on.
    pub(crate) fn response(&self, protocol: Option<&str>) -> Vec<u8> {
        let protocol =
            protocol.map(|p| format!("Sec-WebSocket-Protocol: {p}\r\n")).unwrap_or_default();
        let accept = &self.accept;
        format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {accept}\r\n{protocol}\r\n"
        )
        .into_bytes()
    }
}

/// Tells whether a request asks to become a WebSocket.
pub(crate) fn is_asked_for(head: &Parts) -> bool {
    has_token(&head.headers, header::UPGRADE, "websocket")
}

/// Checks a request that asks to become a WebSocket.
///
/// # Errors
/// The answer that it gets otherwise: 400, 403, 405 or 426.
pub(crate) fn check(head: &Parts, allowed: &[AllowedOrigin]) -> Result<Upgrade, Box<Answer>> {
    let refuse = |status, text| Err(Box::new(plain(status, text)));
    if head.method != Method::GET {
        let mut answer = plain(StatusCode::METHOD_NOT_ALLOWED, "a WebSocket begins with GET");
        answer.headers_mut().insert(header::ALLOW, header::HeaderValue::from_static("GET"));
        return Err(Box::new(answer));
    }
    if !is_asked_for(head) || !has_token(&head.headers, header::CONNECTION, "upgrade") {
        let mut answer = plain(StatusCode::UPGRADE_REQUIRED, "this address speaks WebSocket");
        answer.headers_mut().insert(header::UPGRADE, header::HeaderValue::from_static("websocket"));
        answer
            .headers_mut()
            .insert(header::CONNECTION, header::HeaderValue::from_static("upgrade"));
        return Err(Box::new(answer));
    }
    if head.version != Version::HTTP_11 {
        return refuse(StatusCode::BAD_REQUEST, "a WebSocket needs HTTP/1.1");
    }
    if text(&head.headers, header::SEC_WEBSOCKET_VERSION) != Some("13") {
        let mut answer = plain(
            StatusCode::UPGRADE_REQUIRED,
            "this server speaks version 13 of the WebSocket protocol",
        );
        answer
            .headers_mut()
            .insert(header::SEC_WEBSOCKET_VERSION, header::HeaderValue::from_static("13"));
        return Err(Box::new(answer));
    }
    let Some(accept) = text(&head.headers, header::SEC_WEBSOCKET_KEY).and_then(accept_key) else {
        return refuse(
            StatusCode::BAD_REQUEST,
            "Sec-WebSocket-Key is missing or is not 16 bytes in base64",
        );
    };
    let origin = text(&head.headers, header::ORIGIN).unwrap_or_default();
    if !is_same_origin(&head.headers) && !allowed.iter().any(|site| site.covers(origin)) {
        return refuse(
            StatusCode::FORBIDDEN,
            "this page's origin may not open the camera; start with --allow-origin to let it",
        );
    }
    let offered =
        tokens(&head.headers, header::SEC_WEBSOCKET_PROTOCOL).map(str::to_owned).collect();
    Ok(Upgrade { accept, offered })
}

/// A browser says which page asks; it must be one of ours. Programs say nothing and may.
pub(crate) fn is_same_origin(headers: &HeaderMap) -> bool {
    if !headers.contains_key(header::ORIGIN) {
        return true;
    }
    let origin = text(headers, header::ORIGIN).and_then(|origin| origin.split_once("://"));
    let host = text(headers, header::HOST);
    matches!((origin, host), (Some((_, origin)), Some(host)) if origin.eq_ignore_ascii_case(host))
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim)
}

fn tokens(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &str> {
    let values = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim).filter(|token| !token.is_empty())
}

fn has_token(headers: &HeaderMap, name: HeaderName, wanted: &str) -> bool {
    tokens(headers, name).any(|token| token.eq_ignore_ascii_case(wanted))
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::Request;

    fn head(change: impl FnOnce(&mut HeaderMap)) -> Parts {
        let mut request = Request::builder()
            .header("Host", "cam.local:9090")
            .header("Upgrade", "WebSocket")
            .header("Connection", "keep-alive, Upgrade")
            .header("Sec-WebSocket-Version", "13")
            .header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
            .body(())
            .unwrap();
        change(request.headers_mut());
        request.into_parts().0
    }

    fn status(head: &Parts) -> u16 {
        check(head, &[]).map_or_else(|answer| answer.status().as_u16(), |_| 101)
    }

    #[test]
    fn the_example_of_the_rfc_is_answered_as_there() {
        let upgrade = check(&head(|_| {}), &[]).unwrap();
        let response = String::from_utf8(upgrade.response(Some("eyelet.v1"))).unwrap();
        assert!(response.contains("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
        assert!(response.contains("Sec-WebSocket-Protocol: eyelet.v1\r\n"));
    }

    #[test]
    fn what_is_missing_gets_the_status_of_the_rfc() {
        assert_eq!(status(&head(|h| drop(h.remove("Upgrade")))), 426);
        assert_eq!(status(&head(|h| drop(h.remove("Connection")))), 426);
        assert_eq!(
            status(&head(|h| drop(h.insert("Sec-WebSocket-Version", "8".parse().unwrap())))),
            426
        );
        assert_eq!(status(&head(|h| drop(h.remove("Sec-WebSocket-Key")))), 400);
        assert_eq!(
            status(&head(|h| drop(h.insert("Sec-WebSocket-Key", "short".parse().unwrap())))),
            400
        );
    }

    #[test]
    fn a_page_of_another_site_is_refused() {
        let with = |origin: &str| head(|h| drop(h.insert("Origin", origin.parse().unwrap())));
        assert_eq!(status(&with("http://cam.local:9090")), 101);
        assert_eq!(status(&with("https://CAM.local:9090")), 101);
        for other in ["http://evil.example", "http://cam.local", "null", "cam.local:9090"] {
            assert_eq!(status(&with(other)), 403, "{other}");
        }
        let allowed = ["https://example.org".parse().unwrap()];
        assert!(check(&with("https://example.org"), &allowed).is_ok());
        assert!(check(&with("https://example.com"), &allowed).is_err());
    }
}
