//! The client of an app's request: first a socket that waits for an answer, then a WebSocket or a body.

use std::future::poll_fn;
use std::io;
use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use eyelet_area::Frame;
use eyelet_wire::head::Head;
use hyper::StatusCode;
use rustix::net::Shutdown;

use super::messages::Messages;
use crate::serve::Server;
use crate::serve::answer;
use crate::serve::counters::Counters;
use crate::serve::inbox::Inbox;
use crate::serve::input;
use crate::serve::link::Link;
use crate::serve::sending::Sending;
use crate::serve::socket::Socket;
use crate::serve::tcp;
use crate::serve::viewer::Following;
use crate::serve::websocket::Upgrade;

/// After the end of an answer the client has so long to read it before the socket is closed.
const END_PATIENCE: Duration = Duration::from_secs(2);

/// Who asked.
#[derive(Debug)]
pub(super) enum Client {
    /// Nothing was answered yet, or an HTTP answer is being sent.
    Http(Http),
    /// The handshake is done.
    WebSocket(Box<Messages>),
    /// It gets an area's frames, without the app.
    Following(Following),
}

#[derive(Debug)]
pub(super) struct Http {
    stream: Socket,
    read_ahead: BytesMut,
    max_message: usize,
    counters: Rc<Counters>,
    is_head: bool,
    has_answer: bool,
}

impl Client {
    pub(super) fn new(
        server: &Server,
        stream: Socket,
        read_ahead: BytesMut,
        is_head: bool,
    ) -> Self {
        let max_message = server.limits().message_bytes;
        let counters = Rc::clone(&server.counters);
        Self::Http(Http { stream, read_ahead, max_message, counters, is_head, has_answer: false })
    }

    /// Becomes a WebSocket.
    pub(super) fn upgrade(self, upgrade: &Upgrade, protocol: Option<&str>) -> Self {
        match self {
            Self::Http(http) => {
                let mut link =
                    Link::new(http.stream, http.read_ahead, http.max_message, http.counters);
                link.send_raw(&upgrade.response(protocol));
                Self::WebSocket(Box::new(Messages::new(link, Inbox::new(http.max_message))))
            }
            already => already,
        }
    }

    /// Tells whether anything was answered.
    pub(super) fn has_answer(&self) -> bool {
        match self {
            Self::Http(http) => http.has_answer,
            Self::WebSocket(_) | Self::Following(_) => true,
        }
    }

    /// Waits until the client has left, answering pings meanwhile. May be dropped and called again.
    pub(super) async fn gone(&mut self) {
        match self {
            Self::Http(http) => http.gone().await,
            Self::WebSocket(messages) => messages.gone().await,
            // An error is an end as well.
            Self::Following(following) => drop(poll_fn(|cx| following.poll(cx)).await),
        }
    }

    /// Waits until it has left: false; where messages are waited for, also until one is there. May be dropped and called
    /// again.
    pub(super) async fn has_come(&mut self, recv: bool) -> bool {
        match self {
            Self::WebSocket(messages) if recv => messages.has_come().await,
            client => {
                client.gone().await;
                false
            }
        }
    }

    /// Says in which way it has left.
    pub(super) fn farewell(&self) -> String {
        match self {
            Self::WebSocket(messages) => messages.closed_with(),
            Self::Http(_) | Self::Following(_) => None,
        }
        .map_or("the client has left".to_owned(), |code| format!("{code} the client has left"))
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
            Self::WebSocket(_) | Self::Following(_) => Err(io::ErrorKind::InvalidInput.into()),
        }
    }

    /// Writes a part of a frame as a part of the body.
    pub(super) async fn body_frame(
        &mut self,
        frame: Arc<Frame>,
        part: Range<u64>,
    ) -> io::Result<()> {
        let Self::Http(http) = self else { return Err(io::ErrorKind::InvalidInput.into()) };
        if http.is_head {
            return Ok(());
        }
        tcp::bound_unsent(&http.stream, part.end - part.start);
        let mut sending = Sending::default();
        sending.begin_frame(&[], frame, part, &[]);
        poll_fn(|cx| sending.poll(cx, &http.stream)).await
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
            Self::WebSocket(messages) => {
                messages.close(code, reason);
                messages.gone().await;
            }
            Self::Following(following) => {
                following.close(code, reason);
                self.gone().await;
            }
        }
    }
}

impl Http {
    /// Waits for the client's end. What it sends beyond its request is a pipelined one, which this connection will not answer.
    async fn gone(&mut self) {
        loop {
            // A flood must not keep out all others.
            tokio::task::yield_now().await;
            match poll_fn(|cx| input::poll_read(cx, &self.stream, |_| {})).await {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
        }
    }
}
