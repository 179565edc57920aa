//! Asking a server in the guest.

use std::io::{BufRead as _, BufReader, ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};

use crate::vm::guest::{Guest, PATIENCE};

/// The body of a page; waits until something in the guest answers.
///
/// # Errors
/// If nothing answers, or not with status 200.
pub(crate) fn get(guest: &Guest, path: &str) -> Result<Vec<u8>> {
    let deadline = Instant::now() + PATIENCE;
    let answer = loop {
        let answer = exchange(guest, path).with_context(|| format!("asking for `{path}`"))?;
        if !answer.is_empty() {
            break answer;
        }
        ensure!(Instant::now() < deadline, "nothing in the guest answers for `{path}`");
        std::thread::sleep(Duration::from_millis(100));
    };
    let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n");
    let (head, body) = answer.split_at(end.context("the answer has no end of its header")? + 4);
    let head = String::from_utf8_lossy(head);
    match head.split(' ').nth(1) {
        Some("200") => Ok(body.to_vec()),
        _ => bail!("the guest answers for `{path}`: {}", head.trim()),
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

/// The next frame of the first stream, as a viewer without a player gets it: one WebSocket message, nothing before it.
///
/// # Errors
/// If none comes.
///
/// Source: RFC 6455, 4.1 and 5.2.
pub(crate) fn bare_frame(guest: &Guest) -> Result<Vec<u8>> {
    /// The most that a frame here has; more is a misread length.
    const MOST: u64 = 1 << 24;
    let mut connection = BufReader::new(TcpStream::connect(guest.address())?);
    connection.get_ref().set_read_timeout(Some(PATIENCE))?;
    connection.get_mut().write_all(
        b"GET /-/ws HTTP/1.1\r\nHost: guest\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
          Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    )?;
    let mut line = String::new();
    connection.read_line(&mut line)?;
    ensure!(line.starts_with("HTTP/1.1 101 "), "no WebSocket but `{}`", line.trim());
    while !line.trim().is_empty() {
        line.clear();
        connection.read_line(&mut line)?;
    }
    loop {
        let mut head = [0; 2];
        connection.read_exact(&mut head)?;
        let mut long = [0; 8];
        let len = match head[1] {
            126 => {
                connection.read_exact(&mut long[6..])?;
                u64::from_be_bytes(long)
            }
            127 => {
                connection.read_exact(&mut long)?;
                u64::from_be_bytes(long)
            }
            short => short.into(),
        };
        ensure!(len <= MOST, "a message of {len} bytes");
        let mut payload = vec![0; usize::try_from(len)?];
        connection.read_exact(&mut payload)?;
        match head[0] {
            0x82 => return Ok(payload), // a whole binary message
            0x89 => {}                  // a ping; nobody misses the answer so soon
            other => bail!("a message begins with {other:#x}"),
        }
    }
}

/// One request; the answer is empty if nobody listens: the emulator then closes a connection that it took itself.
fn exchange(guest: &Guest, path: &str) -> Result<Vec<u8>> {
    let mut connection = TcpStream::connect(guest.address())?;
    connection.set_read_timeout(Some(PATIENCE))?;
    let mut answer = Vec::new();
    let done =
        write!(connection, "GET {path} HTTP/1.1\r\nHost: guest\r\nConnection: close\r\n\r\n")
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
