//! The client of an app's request: first a socket that waits for an answer, then a WebSocket or a body.

use std::io;
use std::time::Duration;

use bytes::BytesMut;
use eyelet_wire::head::Head;
use eyelet_wire::websocket::Opcode;
use hyper::StatusCode;
use rustix::net::Shutdown;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::serve::answer;
use crate::serve::link::{Heard, Link};
use crate::serve::websocket::Upgrade;

/// After the end of an answer the client has so long to read it before the socket is closed.
const END_PATIENCE: Duration = Duration::from_secs(2);

/// Who asked.
#[derive(Debug)]
pub(super) enum Client {
    /// Nothing was answered yet, or an HTTP answer is being sent.
    Http(Http),
    /// The handshake is done.
    WebSocket(Box<Link>),
}

#[derive(Debug)]
pub(super) struct Http {
    stream: TcpStream,
    read_ahead: BytesMut,
    max_message: usize,
    is_head: bool,
    has_answer: bool,
}

impl Client {
    pub(super) fn new(
        stream: TcpStream,
        read_ahead: BytesMut,
        max_message: usize,
        is_head: bool,
    ) -> Self {
        Self::Http(Http { stream, read_ahead, max_message, is_head, has_answer: false })
    }

    /// Becomes a WebSocket.
    pub(super) fn upgrade(self, upgrade: &Upgrade, protocol: Option<&str>) -> Self {
        match self {
            Self::Http(http) => {
                let mut link = Link::new(http.stream, http.read_ahead, http.max_message);
                link.send_raw(&upgrade.response(protocol));
                Self::WebSocket(Box::new(link))
            }
            already @ Self::WebSocket(_) => already,
        }
    }

    /// Tells whether anything was answered.
    pub(super) fn has_answer(&self) -> bool {
        match self {
            Self::Http(http) => http.has_answer,
            Self::WebSocket(_) => true,
        }
    }

    /// Waits until the client has left, answering pings meanwhile and throwing away what it says. May be dropped and
    /// called again.
    pub(super) async fn gone(&mut self) {
        match self {
            Self::Http(http) => http.gone().await,
            Self::WebSocket(link) => {
                while !matches!(link.next().await, Ok(Heard::Closed) | Err(_)) {}
            }
        }
    }

    /// Sends one message and waits until it is in the kernel's hands.
    pub(super) async fn send(&mut self, opcode: Opcode, payload: &[u8]) -> io::Result<()> {
        let link = self.idle_link().await?;
        link.send(opcode, payload);
        sent(link).await
    }

    /// Gives the link when it can take a message.
    pub(super) async fn idle_link(&mut self) -> io::Result<&mut Link> {
        let Self::WebSocket(link) = self else { return Err(io::ErrorKind::NotConnected.into()) };
        while !link.is_idle() {
            if matches!(link.next().await?, Heard::Closed) {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
        }
        Ok(link)
    }

    /// Writes the head of an HTTP answer; the body ends with the connection.
    pub(super) async fn head(&mut self, head: &Head) -> io::Result<()> {
        let Self::Http(http) = self else { return Err(io::ErrorKind::InvalidInput.into()) };
        http.has_answer = true;
        let status = StatusCode::from_u16(head.status).unwrap_or(StatusCode::BAD_GATEWAY);
        let mut bytes = format!("HTTP/1.1 {status}\r\n").into_bytes();
        for (name, value) in &head.headers {
            bytes.extend_from_slice(&[name.as_bytes(), b": ", value, b"\r\n"].concat());
        }
        if let Some(len) = head.content_length {
            bytes.extend_from_slice(format!("Content-Length: {len}\r\n").as_bytes());
        }
        bytes.extend_from_slice(b"Connection: close\r\n\r\n");
        http.stream.write_all(&bytes).await
    }

    /// Writes a part of the body.
    pub(super) async fn body(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Http(http) if http.is_head => Ok(()),
            Self::Http(http) => http.stream.write_all(bytes).await,
            Self::WebSocket(_) => Err(io::ErrorKind::InvalidInput.into()),
        }
    }

    /// Answers with one line, if nothing was answered yet, and ends.
    pub(super) async fn fail(&mut self, status: StatusCode, text: &str) {
        if let Self::Http(http) = self
            && !http.has_answer
        {
            http.has_answer = true;
            // The client may have left: nobody else is to be told.
            http.stream.write_all(&answer::plain_bytes(status, text)).await.ok();
        }
        self.end(1011, "the app has failed").await;
    }

    /// Ends the connection in order; a WebSocket with this code.
    pub(super) async fn end(&mut self, code: u16, reason: &str) {
        match self {
            Self::Http(http) => {
                // Fails when the client has left, and then there is nothing to wait for.
                if rustix::net::shutdown(&http.stream, Shutdown::Write).is_ok() {
                    tokio::time::timeout(END_PATIENCE, http.gone()).await.ok();
                }
            }
            Self::WebSocket(link) => {
                link.close(code, reason);
                self.gone().await;
            }
        }
    }
}

/// Waits until the message that was begun is in the kernel's hands.
pub(super) async fn sent(link: &mut Link) -> io::Result<()> {
    loop {
        match link.next().await? {
            Heard::Sent => return Ok(()),
            Heard::Closed => return Err(io::ErrorKind::BrokenPipe.into()),
            Heard::Idle | Heard::Message(_) => {}
        }
    }
}

impl Http {
    /// Waits for the client's end. What it sends beyond its request is a pipelined one, which this connection will not answer.
    async fn gone(&mut self) {
        let mut thrown_away = [0; 1024];
        loop {
            if self.stream.readable().await.is_err() {
                return;
            }
            // A flood must not keep out all others.
            tokio::task::yield_now().await;
            match self.stream.try_read(&mut thrown_away) {
                Ok(0) => return,
                Ok(_) => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => return,
            }
        }
    }
}
