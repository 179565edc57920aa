//! One message on its way: some bytes, then a frame's own pages.
//!
//! The one place that writes to a viewer's socket. The head goes with `MSG_MORE`, so that it shares a segment with the
//! payload; the payload goes by `sendfile(2)` from the sealed memfd: no copy in user space, whoever else is sent the same.

use std::io;
use std::ops::Range;
use std::os::fd::AsFd;
use std::sync::Arc;

use eyelet_area::Frame;
use rustix::io::Errno;
use rustix::net::SendFlags;
use tokio::io::Interest;
use tokio::net::TcpStream;

/// What is being sent; reused from message to message.
#[derive(Debug, Default)]
pub(crate) struct Sending {
    head: Vec<u8>,
    head_sent: usize,
    payload: Option<Payload>,
    is_active: bool,
}

#[derive(Debug)]
struct Payload {
    frame: Arc<Frame>,
    left: Range<u64>,
}

impl Sending {
    /// Begins with bytes alone.
    pub(crate) fn begin(&mut self, bytes: &[u8]) {
        debug_assert!(!self.is_active, "one message at a time");
        self.head.clear();
        self.head.extend_from_slice(bytes);
        self.head_sent = 0;
        self.payload = None;
        self.is_active = true;
    }

    /// Begins with a head and a part of a frame, which must lie inside it.
    pub(crate) fn begin_frame(&mut self, head: &[u8], frame: Arc<Frame>, part: Range<u64>) {
        self.begin(head);
        debug_assert!(part.end <= frame.info().len);
        self.payload = (!part.is_empty()).then_some(Payload { frame, left: part });
    }

    /// Tells whether something is left to send.
    pub(crate) fn is_active(&self) -> bool {
        self.is_active
    }

    /// Sends until all is in the kernel's hands. May be dropped and called again: it goes on where it was.
    pub(crate) async fn drive(&mut self, stream: &TcpStream) -> io::Result<()> {
        while self.is_active {
            stream.writable().await?;
            match stream.try_io(Interest::WRITABLE, || self.progress(stream)) {
                Ok(()) => self.is_active = false,
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    /// Sends what the socket takes now.
    ///
    /// After a short call it waits for the edge at once instead of trying until the kernel says `EAGAIN`: one system
    /// call less per frame.
    fn progress(&mut self, stream: &TcpStream) -> io::Result<()> {
        while self.head_sent < self.head.len() {
            let more = if self.payload.is_some() { SendFlags::MORE } else { SendFlags::empty() };
            let flags = more | SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
            match rustix::net::send(stream.as_fd(), &self.head[self.head_sent..], flags) {
                Ok(n) => self.head_sent += n,
                Err(Errno::INTR) => {}
                Err(e) => return Err(e.into()),
            }
        }
        while let Some(Payload { frame, left }) = &mut self.payload {
            let wanted = usize::try_from(left.end - left.start).unwrap_or(usize::MAX);
            let sent = match rustix::fs::sendfile(
                stream.as_fd(),
                frame.as_fd(),
                Some(&mut left.start),
                wanted,
            ) {
                // The memfd is sealed and long enough: the kernel has nothing to stop for.
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(n) => n,
                Err(Errno::INTR) => continue,
                Err(e) => return Err(e.into()),
            };
            if left.is_empty() {
                // The pages live on until the last socket has sent them.
                self.payload = None;
            } else if sent < wanted {
                return Err(io::ErrorKind::WouldBlock.into());
            }
        }
        Ok(())
    }
}
