//! The HTTP request that becomes a WebSocket or is answered with pictures, and what an unwilling server answers.

use std::hash::{BuildHasher as _, RandomState};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use eyelet_wire::v1::SUBPROTOCOL;
use eyelet_wire::websocket::accept_key;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use super::{Mode, Target};
use crate::error::{Error, Result};

/// How long a server may take to accept and to answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// Bytes of the answer's head at most.
const MAX_HEAD: usize = 16 << 10;
/// Characters of a refusal's body that are worth repeating.
const MAX_QUOTE: usize = 200;

/// Connects and shakes hands; gives the socket and what the server has sent behind its answer.
///
/// # Errors
/// Nobody listens, or the answer is not that of a WebSocket server that speaks what `mode` needs.
pub(crate) async fn open(
    target: &Target,
    addresses: &[SocketAddr],
    mode: Mode,
    receive_buffer: Option<u32>,
) -> Result<(TcpStream, Vec<u8>)> {
    let all = async {
        let mut stream = connect(target, addresses, receive_buffer).await?;
        let rest = upgrade(&mut stream, target, mode).await?;
        Ok((stream, rest))
    };
    timeout(PATIENCE, all).await.unwrap_or_else(|_| {
        let seconds = PATIENCE.as_secs();
        let what = "is that the right port, and does the server still answer others?";
        Err(Error::unavailable(format!("`{target}` did not answer in {seconds} seconds; {what}")))
    })
}

async fn connect(
    target: &Target,
    addresses: &[SocketAddr],
    receive_buffer: Option<u32>,
) -> Result<TcpStream> {
    let mut failure = io::Error::other("the host has no address");
    for address in addresses {
        match connect_to(*address, receive_buffer).await {
            Ok(stream) => return Ok(stream),
            Err(error) => failure = error,
        }
    }
    let advice = match failure.kind() {
        io::ErrorKind::ConnectionRefused => "; is eyelet running there?",
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
            "; is that the right address?"
        }
        _ => "",
    };
    let to = target.authority();
    Err(Error::unavailable(format!("failed to connect to `{to}`: {failure}{advice}")))
}

async fn connect_to(address: SocketAddr, receive_buffer: Option<u32>) -> io::Result<TcpStream> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    if let Some(bytes) = receive_buffer {
        socket.set_recv_buffer_size(bytes)?;
    }
    let stream = socket.connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

async fn upgrade(stream: &mut TcpStream, target: &Target, mode: Mode) -> Result<Vec<u8>> {
    let broken = |what: &str, error: io::Error| {
        Error::failed(format!("failed to {what} the handshake with `{target}`: {error}"))
    };
    let key = new_key();
    stream
        .write_all(request(target, mode, &key).as_bytes())
        .await
        .map_err(|error| broken("send", error))?;
    let mut bytes = Vec::new();
    loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let rest = bytes.split_off(end + 4);
            let answer = Answer::read(&bytes, target)?;
            match (answer.status, mode) {
                (101, Mode::V1 | Mode::Bare) => answer.check(target, mode, &key)?,
                (200, Mode::Mjpeg) => answer.check_multipart(target)?,
                _ => return Err(answer.refusal(target, mode, &body(stream, rest).await)),
            }
            return Ok(rest);
        }
        let is_over = bytes.len() > MAX_HEAD
            || stream.read_buf(&mut bytes).await.map_err(|error| broken("read", error))? == 0;
        if is_over {
            return Err(not_http(target, &bytes));
        }
    }
}

/// Reads as much of a refusal's body as is worth repeating.
async fn body(stream: &mut TcpStream, mut bytes: Vec<u8>) -> String {
    const WAIT: Duration = Duration::from_millis(200);
    while bytes.len() < MAX_QUOTE
        && matches!(timeout(WAIT, stream.read_buf(&mut bytes)).await, Ok(Ok(1..)))
    {}
    quote(&bytes)
}

fn request(target: &Target, mode: Mode, key: &str) -> String {
    let upgrade = format!(
        "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n"
    );
    let wish = match mode {
        Mode::V1 => format!("{upgrade}Sec-WebSocket-Protocol: {SUBPROTOCOL}\r\n"),
        Mode::Bare => upgrade,
        Mode::Mjpeg => "Accept: multipart/x-mixed-replace, image/*\r\n".to_owned(),
    };
    let (path, host, version) = (&target.path, target.authority(), env!("CARGO_PKG_VERSION"));
    format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: eyelet-watch/{version}\r\n{wish}\r\n"
    )
}

/// Makes a key of 16 bytes in base64, of which 126 bits are chosen.
fn new_key() -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let random = [random(), random()];
    let letter = |at: usize| char::from(LETTERS[(random[at / 11] >> (at % 11 * 6) & 63) as usize]);
    (0..21).map(letter).chain("A==".chars()).collect()
}

/// Gives a number that a server cannot guess well; masks and keys need no more.
pub(crate) fn random() -> u64 {
    RandomState::new().hash_one(0)
}

/// The head of the server's answer.
struct Answer {
    status: u16,
    reason: String,
    headers: Vec<(String, String)>,
}

impl Answer {
    fn read(bytes: &[u8], target: &Target) -> Result<Self> {
        let text = String::from_utf8_lossy(bytes);
        let mut lines = text.split("\r\n");
        let mut words = lines.next().unwrap_or_default().splitn(3, ' ');
        let is_http = words.next().is_some_and(|version| version.starts_with("HTTP/1."));
        let status = words.next().and_then(|status| status.parse().ok());
        let Some(status) = status.filter(|_| is_http) else { return Err(not_http(target, bytes)) };
        let reason = quote(words.next().unwrap_or_default().as_bytes());
        let headers = lines.filter_map(|line| line.split_once(':'));
        let headers =
            headers.map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()));
        Ok(Self { status, reason, headers: headers.collect() })
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    fn check(&self, target: &Target, mode: Mode, key: &str) -> Result<()> {
        let is_upgrade =
            self.header("upgrade").is_some_and(|v| v.eq_ignore_ascii_case("websocket"));
        if !is_upgrade || self.header("sec-websocket-accept") != accept_key(key).as_deref() {
            let why = "its answer to the handshake has a wrong accept key or no upgrade";
            let what = "is there a broken proxy between?";
            return Err(Error::refused(format!(
                "`{target}` is no WebSocket server: {why}; {what}"
            )));
        }
        match (mode, self.header("sec-websocket-protocol")) {
            (Mode::V1, Some(SUBPROTOCOL)) | (Mode::Bare, None) | (Mode::Mjpeg, _) => Ok(()),
            (Mode::V1, _) => Err(Error::refused(format!(
                "`{target}` does not speak {SUBPROTOCOL}; with `--bare` every message is one frame"
            ))),
            (Mode::Bare, Some(other)) => {
                let other = quote(other.as_bytes());
                Err(Error::refused(format!("`{target}` chose `{other}`, which nobody asked for")))
            }
        }
    }

    fn check_multipart(&self, target: &Target) -> Result<()> {
        let kind = self.header("content-type").unwrap_or_default();
        if !kind.to_ascii_lowercase().starts_with("multipart/") {
            let what = "is that the path of an MJPEG stream?";
            let kind = quote(kind.as_bytes());
            return Err(Error::refused(format!("`{target}` answered with `{kind}`; {what}")));
        }
        if let Some(coding) = self.header("transfer-encoding") {
            let coding = quote(coding.as_bytes());
            let what = "headless viewers read plain answers only";
            return Err(Error::refused(format!("`{target}` answered in `{coding}`; {what}")));
        }
        Ok(())
    }

    fn refusal(&self, target: &Target, mode: Mode, body: &str) -> Error {
        let advice = match self.status {
            401 => "; it wants a password, which headless viewers cannot give",
            403 => "; it does not let this client in",
            404 if mode == Mode::Mjpeg => "; is the path right? Eyelet's own is `/-/stream.mjpg`",
            404 => "; is the path right? Eyelet's own is `/-/ws`",
            200 | 400 | 426 => "; is that the path of a WebSocket?",
            503 => "; it is busy: are there too many viewers?",
            _ => "",
        };
        let (status, reason) = (self.status, &self.reason);
        let body = if body.is_empty() { String::new() } else { format!(" (`{body}`)") };
        let text = format!("`{target}` answered {status} {reason}{body}{advice}");
        if status >= 500 { Error::unavailable(text) } else { Error::refused(text) }
    }
}

fn not_http(target: &Target, bytes: &[u8]) -> Error {
    let what = if bytes.is_empty() {
        "closed the connection without an answer".to_owned()
    } else {
        format!("answered `{}`, which is no HTTP", quote(bytes))
    };
    Error::refused(format!("`{target}` {what}; is that the port of eyelet?"))
}

/// Makes a server's bytes fit to be printed.
fn quote(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let clean = text.trim().chars().map(|c| if c.is_control() { ' ' } else { c });
    clean.take(MAX_QUOTE).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_valid_and_differ() {
        let (one, other) = (new_key(), new_key());
        assert!(accept_key(&one).is_some(), "{one}");
        assert_ne!(one, other);
    }
}
