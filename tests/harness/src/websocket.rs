//! A WebSocket client that blocks, does nothing by itself, and can also break the rules.

use std::fmt;
use std::io::{BufReader, ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use bytes::BytesMut;
use eyelet_wire::websocket::{Decoder, Message, Opcode, Role, accept_key, close_payload};
use eyelet_wire::websocket::{header, mask};

use crate::deadline::{DEADLINE, left};
use crate::http::{self, Response};

/// Bytes of one message at most: an uncompressed frame of 8192 x 8192 pixels in two bytes each.
const MAX_MESSAGE: usize = 128 << 20;
/// Bytes of one read at most: a good part of a frame.
const READ: usize = 256 << 10;
const MASK: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D]; // the example of RFC 6455, section 5.7; tests need no secrecy

/// One connection, after its handshake.
#[derive(Debug)]
pub struct WsClient {
    stream: TcpStream,
    decoder: Decoder,
    input: BytesMut,
    protocol: Option<String>,
}

/// The server's answer to a handshake that it did not accept. Get it with `error.downcast_ref::<Refused>()`.
#[derive(Debug)]
pub struct Refused(pub Response);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "handshake was answered with {}: {}", self.0.status, self.0.text())
    }
}

impl std::error::Error for Refused {}

impl WsClient {
    /// Connects and shakes hands.
    ///
    /// # Errors
    /// [`Refused`] for any answer but 101; others when the connection or the answer is broken.
    pub fn connect(
        addr: SocketAddr,
        path: &str,
        protocols: &[&str],
        headers: &[(&str, &str)],
    ) -> Result<Self> {
        Self::over(http::connect(addr)?, addr, path, protocols, headers)
    }

    /// The same with a kernel that keeps little of what is not read, so that the server soon feels it.
    ///
    /// # Errors
    /// As [`Self::connect`].
    pub fn connect_keeping_little(
        addr: SocketAddr,
        path: &str,
        protocols: &[&str],
    ) -> Result<Self> {
        Self::over(http::connect_keeping_little(addr)?, addr, path, protocols, &[])
    }

    fn over(
        mut stream: TcpStream,
        addr: SocketAddr,
        path: &str,
        protocols: &[&str],
        headers: &[(&str, &str)],
    ) -> Result<Self> {
        static HANDSHAKES: AtomicU64 = AtomicU64::new(0);
        // 16 bytes in base64, whose last letter before the padding has four bits that must be zero.
        let key = format!("{:021}A==", HANDSHAKES.fetch_add(1, Ordering::Relaxed));
        let mut request = http::request_head(addr, "GET", path, headers);
        request += "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n";
        request += &format!("Sec-WebSocket-Key: {key}\r\n");
        if !protocols.is_empty() {
            request += &format!("Sec-WebSocket-Protocol: {}\r\n", protocols.join(", "));
        }
        request += "\r\n";
        stream.write_all(request.as_bytes())?;
        let mut reader = BufReader::new(stream);
        let mut response = http::read_head(&mut reader).context("handshake")?;
        if response.status != 101 {
            response.body = http::read_body(&mut reader, &response)?;
            bail!(Refused(response));
        }
        let accept = response.header("sec-websocket-accept");
        ensure!(accept == accept_key(&key).as_deref(), "`Sec-WebSocket-Accept` is {accept:?}");
        Ok(Self {
            input: BytesMut::from(reader.buffer()),
            stream: reader.into_inner(),
            decoder: Decoder::new(Role::Client, MAX_MESSAGE),
            protocol: response.header("sec-websocket-protocol").map(str::to_owned),
        })
    }

    /// Gives the subprotocol that the server chose.
    #[must_use]
    pub fn protocol(&self) -> Option<&str> {
        self.protocol.as_deref()
    }

    /// Waits for the next message, control messages included; `None` when none came in time.
    ///
    /// # Errors
    /// The connection ended, also in order (the close message comes before), or the server broke a rule.
    pub fn next_message(&mut self, timeout: Duration) -> Result<Option<Message>> {
        let begin = Instant::now();
        loop {
            if let Some(message) = self.decoder.decode(&mut self.input)? {
                return Ok(Some(message));
            }
            let Some(left) = left(begin, timeout) else { return Ok(None) };
            self.stream.set_read_timeout(Some(left))?;
            let filled = self.input.len();
            self.input.resize(filled + READ, 0);
            let read = self.stream.read(&mut self.input[filled..]);
            self.input.truncate(filled + *read.as_ref().unwrap_or(&0));
            match read {
                Ok(0) => bail!("connection ended"),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(error) => return Err(error).context("failed to read"),
            }
        }
    }

    /// Waits for the next text, answers pings on the way, and skips everything else.
    ///
    /// # Errors
    /// As [`Self::next_binary`].
    pub fn next_text(&mut self) -> Result<String> {
        self.next_that("text", |message| match message {
            Message::Text(text) => Some(text),
            _ => None,
        })
    }

    /// Waits for the next binary message, answers pings on the way, and skips everything else.
    ///
    /// # Errors
    /// None came within [`DEADLINE`], or the connection was closed.
    pub fn next_binary(&mut self) -> Result<Vec<u8>> {
        self.next_that("binary message", |message| match message {
            Message::Binary(bytes) => Some(bytes),
            _ => None,
        })
    }

    /// Waits for the server's close message, skips everything else, and gives its code.
    ///
    /// # Errors
    /// None came within [`DEADLINE`].
    pub fn next_close(&mut self) -> Result<Option<u16>> {
        let begin = Instant::now();
        while let Some(left) = left(begin, DEADLINE) {
            if let Some(Message::Close(reason)) = self.next_message(left)? {
                return Ok(reason.map(|reason| reason.code));
            }
        }
        bail!("no close message in {} seconds", DEADLINE.as_secs())
    }

    fn next_that<T>(&mut self, what: &str, take: impl Fn(Message) -> Option<T>) -> Result<T> {
        let begin = Instant::now();
        while let Some(left) = left(begin, DEADLINE) {
            match self.next_message(left)? {
                Some(Message::Ping(payload)) => self.send(Opcode::Pong, &payload)?,
                Some(Message::Close(reason)) => bail!("server closed: {reason:?}"),
                Some(message) => {
                    if let Some(found) = take(message) {
                        return Ok(found);
                    }
                }
                None => {}
            }
        }
        bail!("no {what} in {} seconds", DEADLINE.as_secs())
    }

    /// Sends a text message.
    ///
    /// # Errors
    /// The connection ended, or the server did not read for [`DEADLINE`].
    pub fn send_text(&mut self, text: &str) -> Result<()> {
        self.send(Opcode::Text, text.as_bytes())
    }

    /// Sends one whole frame of any kind, masked.
    ///
    /// # Errors
    /// As [`Self::send_text`].
    pub fn send(&mut self, opcode: Opcode, payload: &[u8]) -> Result<()> {
        let head = header(opcode, payload.len() as u64, Some(MASK));
        let mut payload = payload.to_vec();
        mask(&mut payload, MASK);
        self.send_raw(&[&head, &payload[..]].concat())
    }

    /// Sends bytes as they are, to break the rules.
    ///
    /// # Errors
    /// As [`Self::send_text`].
    pub fn send_raw(&mut self, bytes: &[u8]) -> Result<()> {
        self.stream.write_all(bytes).context("failed to send")
    }

    /// Sends a close message.
    ///
    /// # Errors
    /// As [`Self::send_text`].
    pub fn send_close(&mut self, code: u16, reason: &str) -> Result<()> {
        self.send(Opcode::Close, &close_payload(code, reason))
    }

    /// Gives the socket, to shut it down or to look at its options.
    #[must_use]
    pub fn socket(&self) -> &TcpStream {
        &self.stream
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;
    use std::thread::JoinHandle;

    /// Answers one handshake with `answer`, in which `ACCEPT` stands for the right key, and then sends `bytes`.
    fn server(answer: &'static str, bytes: &'static [u8]) -> (SocketAddr, JoinHandle<Vec<u8>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let thread = std::thread::spawn(move || {
            let mut reader = BufReader::new(listener.accept().unwrap().0);
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") {
                std::io::BufRead::read_line(&mut reader, &mut head).unwrap();
            }
            let key = head.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: "));
            let answer = answer.replace("ACCEPT", &accept_key(key.unwrap()).unwrap());
            reader.get_mut().write_all(&[answer.as_bytes(), bytes].concat()).unwrap();
            reader.get_mut().shutdown(std::net::Shutdown::Write).unwrap();
            let mut rest = Vec::new();
            reader.read_to_end(&mut rest).unwrap();
            rest
        });
        (addr, thread)
    }

    const ACCEPTED: &str = concat!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n",
        "Sec-WebSocket-Accept: ACCEPT\r\nSec-WebSocket-Protocol: eyelet.v1\r\n\r\n"
    );

    #[test]
    fn messages_go_both_ways() {
        let (addr, thread) = server(ACCEPTED, b"\x82\x01x\x89\x01p\x81\x02hi\x88\x02\x03\xE9");
        let mut client = WsClient::connect(addr, "/-/ws", &["eyelet.v1"], &[]).unwrap();
        assert_eq!(client.protocol(), Some("eyelet.v1"));
        assert_eq!(client.next_text().unwrap(), "hi"); // the ping before it was answered
        client.send_text("ho").unwrap();
        assert_eq!(client.next_close().unwrap(), Some(1001));
        client.next_message(DEADLINE).unwrap_err(); // the end
        drop(client);
        let mut sent = BytesMut::from(&thread.join().unwrap()[..]);
        let mut decoder = Decoder::new(Role::Server, 1000);
        assert_eq!(decoder.decode(&mut sent), Ok(Some(Message::Pong(b"p".to_vec()))));
        assert_eq!(decoder.decode(&mut sent), Ok(Some(Message::Text("ho".into()))));
        assert_eq!(decoder.decode(&mut sent), Ok(None));
    }

    #[test]
    fn refusals_carry_the_answer() {
        let answer = "HTTP/1.1 403 Forbidden\r\nContent-Length: 6\r\n\r\norigin";
        let (addr, _) = server(answer, b"");
        let error = WsClient::connect(addr, "/-/ws", &[], &[("Origin", "http://x")]).unwrap_err();
        let Refused(response) = error.downcast_ref().unwrap();
        assert_eq!((response.status, response.text().as_str()), (403, "origin"));
    }

    #[test]
    fn wrong_accept_key_is_noticed() {
        let answer = "HTTP/1.1 101 x\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
        let (addr, _) = server(answer, b"");
        WsClient::connect(addr, "/-/ws", &[], &[]).unwrap_err();
    }
}
