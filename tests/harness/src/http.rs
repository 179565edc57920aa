//! HTTP/1.1 as far as tests need it.
//!
//! Source: RFC 9112.

use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use anyhow::{Context as _, Result, bail, ensure};
use rustix::net::{AddressFamily, SocketType, sockopt};

use crate::deadline::DEADLINE;

/// Bytes that a kernel keeps which is to keep little.
const LITTLE: usize = 4096;

/// An answer, its body's framing taken off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// 200, 404, …
    pub status: u16,
    /// Names in lower case, in the server's order.
    pub headers: Vec<(String, String)>,
    /// Empty where only the head was read.
    pub body: Vec<u8>,
}

impl Response {
    /// Gives a header's value; `name` in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Gives the body as text, wrong bytes replaced.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Reads the body as JSON.
    ///
    /// # Errors
    /// It is none.
    pub fn json(&self) -> Result<serde_json::Value> {
        serde_json::from_slice(&self.body).with_context(|| format!("not JSON: {}", self.text()))
    }
}

/// Connects; reads and writes fail after [`DEADLINE`] without progress.
pub(crate) fn connect(addr: SocketAddr) -> Result<TcpStream> {
    prepared(
        TcpStream::connect_timeout(&addr, DEADLINE)
            .with_context(|| format!("failed to connect to {addr}"))?,
    )
}

/// The same with a kernel that keeps little of what is not read, so that the server soon feels it.
///
/// It must be told before it connects: a window that was offered once is not taken back.
pub(crate) fn connect_keeping_little(addr: SocketAddr) -> Result<TcpStream> {
    let socket = rustix::net::socket(
        if addr.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 },
        SocketType::STREAM,
        None,
    )?;
    sockopt::set_socket_recv_buffer_size(&socket, LITTLE)?;
    rustix::net::connect(&socket, &addr).with_context(|| format!("failed to connect to {addr}"))?;
    prepared(socket.into())
}

fn prepared(stream: TcpStream) -> Result<TcpStream> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(DEADLINE))?;
    stream.set_write_timeout(Some(DEADLINE))?;
    Ok(stream)
}

/// Sends one request on a connection of its own and reads the whole answer.
///
/// `Host`, `Connection: close` and, with a body, `Content-Length` are added. An endless answer (`/-/stream.mjpg`) never
/// comes back from here: use [`crate::Eyelet::raw`].
///
/// # Errors
/// The connection or the answer is broken.
pub fn exchange(
    addr: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Result<Response> {
    let what = || format!("{method} {path} at {addr}");
    let mut stream = connect(addr)?;
    let mut request = request_head(addr, method, path, headers);
    request += "Connection: close\r\n";
    if !body.is_empty() {
        request += &format!("Content-Length: {}\r\n", body.len());
    }
    request += "\r\n";
    stream.write_all(&[request.as_bytes(), body].concat()).with_context(what)?;
    let mut reader = BufReader::new(stream);
    let mut response = read_head(&mut reader).with_context(what)?;
    if method != "HEAD" {
        response.body = read_body(&mut reader, &response).with_context(what)?;
    }
    Ok(response)
}

/// The request line and headers, without the empty line.
pub(crate) fn request_head(
    addr: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
) -> String {
    let mut head = format!("{method} {path} HTTP/1.1\r\n");
    if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
        head += &format!("Host: {addr}\r\n");
    }
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    head
}

pub(crate) fn read_head(reader: &mut impl BufRead) -> Result<Response> {
    let line = read_line(reader)?;
    let mut words = line.splitn(3, ' ');
    let version = words.next().unwrap_or_default();
    ensure!(version.starts_with("HTTP/1."), "not an HTTP answer: `{line}`");
    let status = words.next().and_then(|word| word.parse().ok());
    let status = status.with_context(|| format!("no status in `{line}`"))?;
    let mut headers = Vec::new();
    loop {
        let line = read_line(reader)?;
        if line.is_empty() {
            return Ok(Response { status, headers, body: Vec::new() });
        }
        let (name, value) =
            line.split_once(':').with_context(|| format!("not a header: `{line}`"))?;
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
}

pub(crate) fn read_body(reader: &mut impl BufRead, head: &Response) -> Result<Vec<u8>> {
    let mut body = Vec::new();
    if matches!(head.status, 100..=199 | 204 | 304) {
        return Ok(body);
    }
    if head.header("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked")) {
        return read_chunks(reader);
    }
    match head.header("content-length") {
        Some(len) => {
            body.resize(len.parse().with_context(|| format!("`Content-Length` is `{len}`"))?, 0);
            reader.read_exact(&mut body).context("body is cut off")?;
        }
        None => drop(reader.read_to_end(&mut body).context("body is cut off")?),
    }
    Ok(body)
}

fn read_chunks(reader: &mut impl BufRead) -> Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let line = read_line(reader)?;
        let len = line.split(';').next().unwrap_or_default().trim();
        let len = u64::from_str_radix(len, 16).with_context(|| format!("chunk of `{line}`"))?;
        let read = reader.by_ref().take(len).read_to_end(&mut body)?;
        ensure!(read as u64 == len, "chunk of {len} bytes is cut off after {read}");
        let end = read_line(reader)?;
        if len == 0 {
            let mut trailer = end;
            while !trailer.is_empty() {
                trailer = read_line(reader)?;
            }
            return Ok(body);
        }
        ensure!(end.is_empty(), "chunk is longer than it says");
    }
}

fn read_line(reader: &mut impl BufRead) -> Result<String> {
    let mut line = Vec::new();
    reader.read_until(b'\n', &mut line).context("failed to read")?;
    match line.strip_suffix(b"\r\n") {
        Some(line) => Ok(String::from_utf8_lossy(line).into_owned()),
        None if line.is_empty() => bail!("connection ended where a line was due"),
        None => bail!("line does not end in CR LF: `{}`", line.escape_ascii()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(mut answer: &[u8]) -> Result<Response> {
        let mut response = read_head(&mut answer)?;
        response.body = read_body(&mut answer, &response)?;
        Ok(response)
    }

    #[test]
    fn bodies_of_every_framing_are_read() {
        for (answer, body) in [
            ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi and more", "hi"),
            ("HTTP/1.0 200 OK\r\n\r\nto the end", "to the end"),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;x=1\r\nhi\r\nA\r\n0123456789\r\n0\r\nT: t\r\n\r\n",
                "hi0123456789",
            ),
            ("HTTP/1.1 204 No Content\r\n\r\nnot a body", ""),
        ] {
            assert_eq!(read(answer.as_bytes()).unwrap().text(), body, "{answer}");
        }
    }

    #[test]
    fn broken_answers_are_refused() {
        for answer in [
            "",
            "HTTP/1.1 200 OK\r\n",
            "SSH-2.0\r\n\r\n",
            "HTTP/1.1 OK\r\n\r\n",
            "HTTP/1.1 200 OK\n\n",
            "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nhi",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi!\r\n0\r\n\r\n",
        ] {
            read(answer.as_bytes()).unwrap_err();
        }
    }

    #[test]
    fn header_names_are_in_lower_case() {
        let response = read(b"HTTP/1.1 404 Not Found\r\nX-Why:  gone \r\n\r\n").unwrap();
        assert_eq!((response.status, response.header("x-why")), (404, Some("gone")));
    }
}
