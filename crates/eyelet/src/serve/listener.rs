//! A listener that was handed to this process, of either kind.

use std::io;
use std::net::TcpListener;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixListener;

use rustix::net::{AddressFamily, sockopt};
use tokio::net::{TcpStream, UnixStream};

use crate::serve::kernel::Kernel;

/// A listener of either kind.
#[derive(Debug)]
pub(crate) enum ListenerSocket {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl ListenerSocket {
    /// Takes an inherited one.
    pub(crate) fn take(socket: OwnedFd) -> io::Result<Self> {
        let is_unix = sockopt::socket_domain(&socket)? == AddressFamily::UNIX;
        Ok(if is_unix { Self::Unix(socket.into()) } else { Self::Tcp(socket.into()) })
    }

    pub(crate) fn set_nonblocking(&self) -> io::Result<()> {
        match self {
            Self::Tcp(listener) => listener.set_nonblocking(true),
            Self::Unix(listener) => listener.set_nonblocking(true),
        }
    }

    pub(crate) fn accept(&self) -> io::Result<Accepted> {
        match self {
            Self::Tcp(listener) => Ok(Accepted::Tcp(listener.accept()?.0)),
            Self::Unix(listener) => Ok(Accepted::Unix(listener.accept()?.0)),
        }
    }
}

impl AsFd for ListenerSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(listener) => listener.as_fd(),
            Self::Unix(listener) => listener.as_fd(),
        }
    }
}

/// What was accepted.
pub(crate) enum Accepted {
    Tcp(std::net::TcpStream),
    Unix(std::os::unix::net::UnixStream),
}

impl Accepted {
    /// Has tokio watch it.
    pub(crate) fn watched(self) -> io::Result<Kernel> {
        Ok(match self {
            Self::Tcp(stream) => {
                stream.set_nonblocking(true)?;
                Kernel::Tcp(TcpStream::from_std(stream)?)
            }
            Self::Unix(stream) => {
                stream.set_nonblocking(true)?;
                Kernel::Unix(UnixStream::from_std(stream)?)
            }
        })
    }
}
