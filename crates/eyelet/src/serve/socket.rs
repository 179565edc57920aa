//! A client's socket, whatever kind it is: TCP, a Unix socket, or TCP with TLS around it.
//!
//! What sends and reads knows this type alone. Without TLS each call is the kernel's own and nothing lies between; with it
//! bytes are encrypted here, a few records at a time, so that the newest frame is still chosen late.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, RawFd};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use rustix::io::Errno;
use rustix::net::{SendFlags, Shutdown};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::serve::encryption::Encryption;
use crate::serve::kernel::Kernel;

/// A client's socket.
#[derive(Debug)]
pub(crate) struct Socket {
    kernel: Kernel,
    /// In a box, as most have none.
    encryption: Option<Box<Encryption>>,
}

/// Where a client is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Peer {
    /// None on a Unix socket, or when it has left already.
    pub(crate) address: Option<SocketAddr>,
    /// On a Unix socket of this machine.
    pub(crate) is_unix: bool,
    /// Nobody on the way reads along.
    pub(crate) is_encrypted: bool,
}

impl Peer {
    /// Its address, where it has one.
    pub(crate) fn ip(&self) -> Option<IpAddr> {
        self.address.map(|address| address.ip())
    }

    /// Tells whether it is on this machine.
    pub(crate) fn is_local(&self) -> bool {
        self.is_unix || self.ip().is_some_and(|ip| ip.to_canonical().is_loopback())
    }
}

impl Socket {
    /// Takes what was accepted.
    pub(crate) fn new(kernel: Kernel, encryption: Option<Encryption>) -> Self {
        Self { kernel, encryption: encryption.map(Box::new) }
    }

    /// Where the client is.
    pub(crate) fn peer(&self) -> Peer {
        let (address, is_unix) = match &self.kernel {
            Kernel::Tcp(stream) => (stream.peer_addr().ok(), false),
            Kernel::Unix(_) => (None, true),
        };
        Peer { address, is_unix, is_encrypted: self.encryption.is_some() }
    }

    /// The number of its descriptor.
    pub(crate) fn number(&self) -> RawFd {
        self.kernel.as_fd().as_raw_fd()
    }

    /// Tells whether a frame's pages can go into it without a copy.
    pub(crate) fn takes_pages(&self) -> bool {
        self.encryption.is_none()
    }

    /// Does what writes with [`send`](Self::send) and its like; [`WouldBlock`](io::ErrorKind::WouldBlock) from it means that
    /// the socket is full, and [`poll_write_ready`](Self::poll_write_ready) tells when it is not.
    pub(crate) fn try_write<T>(&self, work: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        if self.encryption.is_some() {
            // Each write says by itself whether it was full.
            return work();
        }
        self.kernel.try_write_io(work)
    }

    /// Sends what the socket takes in one call.
    pub(crate) fn send(&self, bytes: &[u8], has_more: bool) -> io::Result<usize> {
        if let Some(encryption) = &self.encryption {
            return encryption.send(&self.kernel, bytes);
        }
        let more = if has_more { SendFlags::MORE } else { SendFlags::empty() };
        let flags = more | SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
        loop {
            match rustix::net::send(&self.kernel, bytes, flags) {
                Err(Errno::INTR) => {}
                other => return Ok(other?),
            }
        }
    }

    /// Puts what was sent into the kernel's hands, as far as it is not there.
    pub(crate) fn flush(&self) -> io::Result<()> {
        self.encryption.as_ref().map_or(Ok(()), |encryption| encryption.flush(&self.kernel))
    }

    /// Reads what is there.
    pub(crate) fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match &self.encryption {
            Some(encryption) => encryption.read(&self.kernel, buffer),
            None => self.kernel.try_read(buffer),
        }
    }

    /// Ready when there may be something to read.
    ///
    /// Ask it before each read: so the runtime sees to it that a flood does not keep out all others.
    pub(crate) fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.encryption.as_ref().is_some_and(|encryption| encryption.has_decrypted()) {
            // A record at the most: the kernel is asked soon enough.
            return Poll::Ready(Ok(()));
        }
        self.kernel.poll_read_ready(cx)
    }

    /// Ready when there may be room.
    pub(crate) fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.kernel.poll_write_ready(cx)
    }

    /// Says that nothing more comes from our side.
    pub(crate) fn shutdown(&self) -> io::Result<()> {
        if let Some(encryption) = &self.encryption {
            encryption.say_end(&self.kernel);
        }
        Ok(rustix::net::shutdown(&self.kernel, Shutdown::Write)?)
    }

    /// Writes all of it.
    pub(crate) async fn write_all(&self, mut bytes: &[u8]) -> io::Result<()> {
        std::future::poll_fn(|cx| {
            loop {
                let sent = self.try_write(|| {
                    while !bytes.is_empty() {
                        let sent = self.send(bytes, false)?;
                        bytes = &bytes[sent..];
                    }
                    self.flush()
                });
                match sent {
                    Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                        ready!(self.poll_write_ready(cx))?;
                    }
                    other => return Poll::Ready(other),
                }
            }
        })
        .await
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.kernel.as_fd()
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            ready!(self.poll_read_ready(cx))?;
            match self.try_read(buffer.initialize_unfilled()) {
                Ok(count) => {
                    buffer.advance(count);
                    return Poll::Ready(Ok(()));
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                Err(e) => return Poll::Ready(Err(e)),
            }
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        loop {
            match self.try_write(|| self.send(bytes, false)) {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                    ready!(self.poll_write_ready(cx))?;
                }
                other => return Poll::Ready(other),
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            match self.flush() {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                    ready!(self.poll_write_ready(cx))?;
                }
                other => return Poll::Ready(other),
            }
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.shutdown())
    }
}
