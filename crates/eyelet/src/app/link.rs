//! The connection to the app: lines in, payloads in, answers out.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Poll, ready};

use bytes::{Buf as _, Bytes, BytesMut};
use eyelet_wire::verbs::{self, MAX_LINE_LEN, Verb};
use tokio::io::{AsyncRead as _, AsyncWriteExt, ReadBuf};
use tokio::net::UnixStream;

/// Bytes read at a time.
const READ_LEN: usize = 4096;

thread_local! {
    /// A buffer for each request would be much of what an idle one costs.
    static BUFFER: RefCell<[u8; READ_LEN]> = const { RefCell::new([0; READ_LEN]) };
}

/// One request's connection to the app host.
#[derive(Debug)]
pub(super) struct AppLink {
    stream: UnixStream,
    input: BytesMut,
}

/// What an app does that should be waiting.
#[derive(Debug)]
pub(super) enum Interruption {
    /// It wants what it waits for no more.
    Stop,
    /// It has left, or speaks nonsense.
    HungUp(io::Error),
}

impl AppLink {
    pub(super) fn new(stream: UnixStream) -> Self {
        Self { stream, input: BytesMut::new() }
    }

    /// Sends an answer or a request.
    pub(super) async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.input.is_empty() {
            // The next line may be long in coming.
            self.input = BytesMut::new();
        }
        self.stream.write_all(bytes).await
    }

    /// Gives the next line without its end; `None` when the app has hung up. May be dropped and called again.
    ///
    /// # Errors
    /// A line longer than [`MAX_LINE_LEN`] is nonsense.
    pub(super) async fn line(&mut self) -> io::Result<Option<Bytes>> {
        loop {
            if let Some(end) = self.input.iter().position(|&byte| byte == b'\n') {
                let mut line = self.input.split_to(end + 1);
                line.truncate(end);
                return Ok(Some(line.freeze()));
            }
            if self.input.len() > MAX_LINE_LEN {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "a line without an end"));
            }
            if self.fill().await? == 0 {
                return Ok(None);
            }
        }
    }

    /// Tells whether a `wait` has come already that is to be obeyed next.
    pub(super) fn waits_next(&self) -> bool {
        self.input.starts_with(b"wait ") && self.input.contains(&b'\n')
    }

    /// Gives the payload of `len` bytes that follows a line. May be dropped and called again.
    pub(super) async fn payload(&mut self, len: usize) -> io::Result<Bytes> {
        while self.input.len() < len {
            if self.fill().await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(self.input.split_to(len).freeze())
    }

    /// Waits until the app says `stop` or hangs up, while it should be waiting for an answer; other lines wait. May be
    /// dropped and called again.
    pub(super) async fn interrupted(&mut self) -> Interruption {
        loop {
            if self.take_stop() {
                return Interruption::Stop;
            }
            if self.input.len() > MAX_LINE_LEN {
                let text = "it talks while it should wait";
                let error = io::Error::new(io::ErrorKind::InvalidData, text);
                return Interruption::HungUp(error);
            }
            match self.fill().await {
                Ok(0) => return Interruption::HungUp(io::ErrorKind::UnexpectedEof.into()),
                Ok(_) => {}
                Err(e) => return Interruption::HungUp(e),
            }
        }
    }

    fn take_stop(&mut self) -> bool {
        let Some(end) = self.input.iter().position(|&byte| byte == b'\n') else { return false };
        let is_stop = verbs::parse(&self.input[..end]) == Ok(Verb::Stop);
        if is_stop {
            self.input.advance(end + 1);
        }
        is_stop
    }

    /// Reads what is there. May be dropped and called again.
    async fn fill(&mut self) -> io::Result<usize> {
        // By `poll_read`, as a read that does not fill the buffer then needs no second one to find nothing.
        poll_fn(|cx| {
            BUFFER.with_borrow_mut(|buffer| {
                let mut read = ReadBuf::new(buffer);
                ready!(Pin::new(&mut self.stream).poll_read(cx, &mut read))?;
                self.input.extend_from_slice(read.filled());
                Poll::Ready(Ok(read.filled().len()))
            })
        })
        .await
    }
}
