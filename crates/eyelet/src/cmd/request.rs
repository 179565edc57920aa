//! One request to a running Eyelet.

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use crate::error::{Error, Result};

/// Longer than the server waits for a picture or for a camera.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a running Eyelet answered.
#[derive(Debug)]
pub(super) struct Answer {
    /// 200, 404, …
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
}

/// Sends a request to the Eyelet at `url` and reads the whole answer.
///
/// # Errors
/// If nothing answers there, or nothing that speaks HTTP.
pub(super) fn send(url: &str, method: &str, path: &str, body: &str) -> Result<Answer> {
    let authority = url.strip_prefix("http://").unwrap_or(url).trim_end_matches('/');
    let failed = |e: &dyn std::fmt::Display| {
        Error::failed(format!("failed to ask `{url}`: {e}; is eyelet running there?"))
    };
    let mut addresses = authority.to_socket_addrs().map_err(|e| failed(&e))?;
    let address = addresses.next().ok_or_else(|| failed(&"no address"))?;
    let mut connection = TcpStream::connect_timeout(&address, PATIENCE).map_err(|e| failed(&e))?;
    connection.set_read_timeout(Some(PATIENCE)).map_err(|e| failed(&e))?;
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {authority}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    connection.write_all(request.as_bytes()).map_err(|e| failed(&e))?;
    let mut answer = Vec::new();
    connection.read_to_end(&mut answer).map_err(|e| failed(&e))?;
    let head_len = answer.windows(4).position(|w| w == b"\r\n\r\n");
    let head_len = head_len.ok_or_else(|| failed(&"that is no HTTP"))? + 4;
    let body = answer.split_off(head_len);
    let head = String::from_utf8_lossy(&answer);
    let status = head.split_whitespace().nth(1).and_then(|status| status.parse().ok());
    Ok(Answer { status: status.ok_or_else(|| failed(&"that is no HTTP"))?, body })
}

impl Answer {
    /// The body as one line of text.
    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).trim().to_owned()
    }
}
