//! A request as the app sees it: CGI variables and a body.

use std::time::Duration;

use bytes::Bytes;
use eyelet_wire::scgi;
use hyper::body::{Body, Incoming};
use hyper::http::request::Parts;
use hyper::{StatusCode, header};

use crate::config::{AllowedOrigin, Limits};
use crate::serve::access::Asker;
use crate::serve::answer::{Answer, plain};
use crate::serve::body;
use crate::serve::query::Query;
use crate::serve::socket::Peer;
use crate::serve::websocket::{self, Upgrade};

/// A request for the app, read to its end.
#[derive(Debug)]
pub(crate) struct Request {
    /// The SCGI netstring.
    pub(crate) head: Vec<u8>,
    pub(crate) body: Bytes,
    /// It may become a WebSocket; absent if it does not ask, the answer that it would get if it asks wrongly.
    pub(crate) upgrade: Option<Upgrade>,
    /// It is HEAD: the body is not sent.
    pub(crate) is_head: bool,
    /// The least time from frame to frame, of `?fps=`; what is no rate there means something to the app.
    pub(crate) least_interval: Option<Duration>,
}

impl Request {
    /// Reads a request.
    ///
    /// # Errors
    /// The answer that it gets: 400 for a bad upgrade or head, what [`body::read`] says of the body.
    pub(crate) async fn read(
        head: Parts,
        body: Incoming,
        asker: &Asker,
        peer: Peer,
        limits: &Limits,
        allowed: &[AllowedOrigin],
    ) -> Result<Self, Box<Answer>> {
        let upgrade = if websocket::is_asked_for(&head) {
            Some(websocket::check(&head, allowed)?)
        } else {
            None
        };
        let body = if body.is_end_stream() {
            Bytes::new()
        } else {
            body::read(body, limits.body_bytes, limits).await?
        };
        let netstring = scgi::encode_request(body.len() as u64, variables(&head, asker, peer))
            .map_err(|e| {
                Box::new(plain(
                    StatusCode::BAD_REQUEST,
                    &format!("the request cannot be passed on: {e}"),
                ))
            })?;
        let is_head = head.method == hyper::Method::HEAD;
        let least_interval = Query::new(head.uri.query()).least_interval().ok().flatten();
        Ok(Self { head: netstring, body, upgrade, is_head, least_interval })
    }
}

/// The CGI variables. Source: RFC 3875, section 4.1; PSGI 1.1 for those beyond.
fn variables(head: &Parts, asker: &Asker, peer: Peer) -> Vec<(String, Vec<u8>)> {
    let path = head.uri.path();
    let query = head.uri.query().unwrap_or("");
    let host = head.headers.get(header::HOST).and_then(|h| h.to_str().ok()).unwrap_or("");
    let (server, port) = host
        .rsplit_once(':')
        .filter(|(_, port)| port.parse::<u16>().is_ok())
        .unwrap_or((host, if peer.is_encrypted { "443" } else { "80" }));
    let mut variables: Vec<(String, Vec<u8>)> = [
        ("REQUEST_METHOD", head.method.as_str().to_owned()),
        ("REQUEST_URI", head.uri.path_and_query().map_or(path, |p| p.as_str()).to_owned()),
        ("SCRIPT_NAME", String::new()),
        ("QUERY_STRING", query.to_owned()),
        ("SERVER_PROTOCOL", format!("{:?}", head.version)),
        ("SERVER_NAME", if server.is_empty() { "localhost".to_owned() } else { server.to_owned() }),
        ("SERVER_PORT", port.to_owned()),
    ]
    .map(|(name, value)| (name.to_owned(), value.into_bytes()))
    .into();
    variables.push(("PATH_INFO".to_owned(), percent_decode(path)));
    if let Some(peer) = peer.address {
        variables
            .push(("REMOTE_ADDR".to_owned(), peer.ip().to_canonical().to_string().into_bytes()));
        variables.push(("REMOTE_PORT".to_owned(), peer.port().to_string().into_bytes()));
    }
    if peer.is_encrypted {
        variables.push(("HTTPS".to_owned(), b"on".to_vec()));
    }
    if let Asker::User { name, rights } = asker {
        variables.push(("REMOTE_USER".to_owned(), name.clone().into_bytes()));
        variables.push(("EYELET_RIGHTS".to_owned(), rights.to_string().into_bytes()));
    }
    for name in head.headers.keys() {
        let Some(variable) = scgi::cgi_name(name.as_str()) else { continue };
        // RFC 9110, section 5.3: values of the same name join with a comma; cookies with a semicolon (RFC 9113, 8.2.3).
        let separator: &[u8] = if name == header::COOKIE { b"; " } else { b", " };
        let values: Vec<&[u8]> =
            head.headers.get_all(name).iter().map(|value| value.as_bytes()).collect();
        variables.push((variable, values.join(separator)));
    }
    variables
}

/// Turns `%41` into `A`; what is no escape stays as it is. Source: RFC 3986, section 2.1.
fn percent_decode(path: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let digits = after.get(..2).filter(|d| byte == b'%' && d.iter().all(u8::is_ascii_hexdigit));
        match digits
            .and_then(|d| std::str::from_utf8(d).ok())
            .and_then(|d| u8::from_str_radix(d, 16).ok())
        {
            Some(decoded) => {
                out.push(decoded);
                rest = &after[2..];
            }
            None => {
                out.push(byte);
                rest = after;
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::percent_decode;

    #[test]
    fn escapes_are_decoded_and_others_stay() {
        assert_eq!(percent_decode("/a%20b%2Fc"), b"/a b/c");
        assert_eq!(percent_decode("/100%/%zz/%4"), b"/100%/%zz/%4");
    }
}
