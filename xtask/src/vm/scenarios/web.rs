//! Asking a server in the guest.

use std::io::{BufRead as _, BufReader, ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

use crate::vm::guest::{Guest, PATIENCE};

/// The body of a page; waits until something in the guest answers.
///
/// # Errors
/// If nothing answers, or not with status 200.
pub(crate) fn get(guest: &Guest, path: &str) -> Result<Vec<u8>> {
    let deadline = Instant::now() + PATIENCE;
    let answer = loop {
        let head = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n");
        let answer = exchange(guest, &head, "").with_context(|| format!("asking for `{path}`"))?;
        if !answer.is_empty() {
            break answer;
        }
        ensure!(Instant::now() < deadline, "nothing in the guest answers for `{path}`");
        std::thread::sleep(Duration::from_millis(100));
    };
    body_of(&answer).with_context(|| format!("asking for `{path}`"))
}

/// The body of an answer with status 200.
fn body_of(answer: &[u8]) -> Result<Vec<u8>> {
    let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n");
    let (head, body) = answer.split_at(end.context("the answer has no end of its header")? + 4);
    let head = String::from_utf8_lossy(head);
    match head.split(' ').nth(1) {
        Some("200") => Ok(body.to_vec()),
        _ => bail!("the guest answers: {} {}", head.trim(), String::from_utf8_lossy(body)),
    }
}

/// Size of a PNG picture, from its first chunk.
///
/// # Errors
/// If it is none.
///
/// Source: W3C Portable Network Graphics, 5.2 and 11.2.1.
pub(crate) fn png_size(png: &[u8]) -> Result<(u32, u32)> {
    let is_png = png.starts_with(b"\x89PNG\r\n\x1a\n") && png.get(12..16) == Some(b"IHDR");
    let word = |at: usize| png.get(at..at + 4)?.try_into().ok().map(u32::from_be_bytes);
    let size = word(16).zip(word(20)).filter(|_| is_png);
    size.context("that is no PNG picture")
}

/// The answer to a PUT of this JSON.
///
/// # Errors
/// If it is not 200 with JSON.
pub(crate) fn put(guest: &Guest, path: &str, body: &Value) -> Result<Value> {
    let body = body.to_string();
    let head =
        format!("PUT {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n", body.len());
    let answer = exchange(guest, &head, &body).with_context(|| format!("sending to `{path}`"))?;
    Ok(serde_json::from_slice(&body_of(&answer)?)?)
}

/// The status and the body of the answer to a request with this body.
///
/// # Errors
/// If there is no answer.
pub(crate) fn ask(guest: &Guest, method: &str, path: &str, body: &str) -> Result<(u16, String)> {
    let len = body.len();
    let head = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len}\r\n");
    let answer = exchange(guest, &head, body).with_context(|| format!("asking `{path}`"))?;
    let answer = String::from_utf8_lossy(&answer);
    let (head, body) = answer.split_once("\r\n\r\n").context("the answer has no end")?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    Ok((status.context("the answer has no status")?, body.to_owned()))
}

/// An answer that has no end, read as it comes.
#[derive(Debug)]
pub(crate) struct Endless(TcpStream);

impl Endless {
    /// Asks for it.
    ///
    /// # Errors
    /// If nobody answers.
    pub(crate) fn get(guest: &Guest, path: &str) -> Result<Self> {
        let mut connection = TcpStream::connect(guest.address())?;
        connection.set_read_timeout(Some(PATIENCE))?;
        write!(connection, "GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
        Ok(Self(connection))
    }

    /// Reads until these bytes have come.
    ///
    /// # Errors
    /// If they do not come.
    pub(crate) fn wait_for(&mut self, bytes: &[u8]) -> Result<()> {
        let mut last = Vec::new();
        let mut buffer = [0; 4096];
        while !last.windows(bytes.len()).any(|window| window == bytes) {
            last.drain(..last.len().saturating_sub(bytes.len()));
            let len = self.0.read(&mut buffer).context("nothing more comes")?;
            ensure!(len > 0, "the answer has ended");
            last.extend_from_slice(&buffer[..len]);
        }
        Ok(())
    }
}

/// The next frame of the first stream, as a viewer without a player gets it: one WebSocket message, nothing before it.
///
/// # Errors
/// If none comes.
pub(crate) fn bare_frame(guest: &Guest) -> Result<Vec<u8>> {
    Socket::bare(guest, "0")?.frame()
}

/// A WebSocket as far as it is needed here.
///
/// Source: RFC 6455, 4.1 and 5.2.
#[derive(Debug)]
pub(crate) struct Socket(BufReader<TcpStream>);

impl Socket {
    /// Shakes hands for a client that offers `eyelet.v1`.
    ///
    /// # Errors
    /// If nobody answers.
    pub(crate) fn v1(guest: &Guest) -> Result<Self> {
        Self::connect(guest, "/-/ws", "Sec-WebSocket-Protocol: eyelet.v1\r\n")
    }

    /// Shakes hands for a client that wants bare frames of a stream, by its name or id.
    ///
    /// # Errors
    /// If nobody answers.
    pub(crate) fn bare(guest: &Guest, stream: &str) -> Result<Self> {
        Self::connect(guest, &format!("/-/ws?stream={stream}"), "")
    }

    fn connect(guest: &Guest, path: &str, more: &str) -> Result<Self> {
        let mut connection = BufReader::new(TcpStream::connect(guest.address())?);
        connection.get_ref().set_read_timeout(Some(PATIENCE))?;
        write!(
            connection.get_mut(),
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{more}\r\n",
        )?;
        let mut line = String::new();
        connection.read_line(&mut line)?;
        ensure!(line.starts_with("HTTP/1.1 101 "), "no WebSocket but `{}`", line.trim());
        while !line.trim().is_empty() {
            line.clear();
            connection.read_line(&mut line)?;
        }
        Ok(Self(connection))
    }

    /// Waits for a frame.
    ///
    /// # Errors
    /// If none comes.
    pub(crate) fn frame(&mut self) -> Result<Vec<u8>> {
        loop {
            match self.message()? {
                (0x82, payload) => return Ok(payload), // a whole binary message
                (0x89, _) => {}                        // a ping; nobody misses the answer so soon
                (other, _) => bail!("a message begins with {other:#x}"),
            }
        }
    }

    /// Waits for a text of this type.
    ///
    /// # Errors
    /// If none comes.
    pub(crate) fn told(&mut self, t: &str) -> Result<Value> {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if let (0x81, payload) = self.message()? {
                let text: Value = serde_json::from_slice(&payload)?;
                if text["t"] == t {
                    return Ok(text);
                }
            }
        }
        bail!("no `{t}` comes")
    }

    /// The first byte of the next message, and its payload.
    fn message(&mut self) -> Result<(u8, Vec<u8>)> {
        /// The most that a frame here has; more is a misread length.
        const MOST: u64 = 1 << 24;
        let mut head = [0; 2];
        self.0.read_exact(&mut head)?;
        let mut long = [0; 8];
        let len = match head[1] {
            126 => {
                self.0.read_exact(&mut long[6..])?;
                u64::from_be_bytes(long)
            }
            127 => {
                self.0.read_exact(&mut long)?;
                u64::from_be_bytes(long)
            }
            short => short.into(),
        };
        ensure!(len <= MOST, "a message of {len} bytes");
        let mut payload = vec![0; usize::try_from(len)?];
        self.0.read_exact(&mut payload)?;
        Ok((head[0], payload))
    }
}

/// One request; the answer is empty if nobody listens: the emulator then closes a connection that it took itself.
fn exchange(guest: &Guest, head: &str, body: &str) -> Result<Vec<u8>> {
    let mut connection = TcpStream::connect(guest.address())?;
    connection.set_read_timeout(Some(PATIENCE))?;
    let mut answer = Vec::new();
    let done = write!(connection, "{head}Connection: close\r\n\r\n{body}")
        .and_then(|()| connection.read_to_end(&mut answer));
    match done {
        Err(problem)
            if matches!(problem.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe) =>
        {
            Ok(vec![])
        }
        done => done.map(|_| answer).map_err(Into::into),
    }
}
