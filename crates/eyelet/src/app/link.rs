//! The connection to the app: lines in, payloads in, answers out.

use std::io;

use bytes::{Bytes, BytesMut};
use eyelet_wire::verbs::MAX_LINE_LEN;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

/// Bytes read at a time.
const READ_LEN: usize = 4096;

/// One request's connection to the app host.
#[derive(Debug)]
pub(super) struct AppLink {
    stream: UnixStream,
    input: BytesMut,
}

impl AppLink {
    pub(super) fn new(stream: UnixStream) -> Self {
        Self { stream, input: BytesMut::new() }
    }

    /// Sends an answer or a request.
    pub(super) async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
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

    /// Gives the payload of `len` bytes that follows a line. May be dropped and called again.
    pub(super) async fn payload(&mut self, len: usize) -> io::Result<Bytes> {
        while self.input.len() < len {
            if self.fill().await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(self.input.split_to(len).freeze())
    }

    /// Waits until the app hangs up while it should be waiting for an answer. May be dropped and called again.
    pub(super) async fn hung_up(&mut self) -> io::Error {
        loop {
            match self.fill().await {
                Ok(0) => return io::ErrorKind::UnexpectedEof.into(),
                Ok(_) if self.input.len() > MAX_LINE_LEN => {
                    return io::Error::new(
                        io::ErrorKind::InvalidData,
                        "it talks while it should wait",
                    );
                }
                Ok(_) => {}
                Err(e) => return e,
            }
        }
    }

    async fn fill(&mut self) -> io::Result<usize> {
        self.input.reserve(READ_LEN);
        self.stream.read_buf(&mut self.input).await
    }
}
