//! Binding the sockets that outlive every child.

use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, sockopt};

use crate::config::Listen;
use crate::error::{Error, Result};

/// Connections that wait for a serve process; what the kernel allows by default (`net.core.somaxconn`).
const BACKLOG: i32 = 4096;

/// Binds an address; gives the socket, and the address that it really has.
pub(super) fn bind(listen: Listen) -> Result<(OwnedFd, SocketAddr)> {
    let mut last = Errno::INVAL;
    for address in listen.candidates() {
        match bind_address(address) {
            Ok(bound) => return Ok(bound),
            Err(e) => last = e,
        }
    }
    let hint = match last {
        Errno::ADDRINUSE => {
            "; another program has it: stop that, or choose another port with --listen"
        }
        Errno::ACCESS => "; ports below 1024 need a privilege: choose another with --listen",
        Errno::ADDRNOTAVAIL => "; no interface of this machine has that address",
        _ => "",
    };
    Err(Error::failed(format!("failed to listen on `{listen}`: {last}{hint}")))
}

fn bind_address(address: SocketAddr) -> rustix::io::Result<(OwnedFd, SocketAddr)> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(family, SocketType::STREAM, flags, None)?;
    // A restart must not wait for connections of the last run to be forgotten.
    sockopt::set_socket_reuseaddr(&socket, true)?;
    if address.ip().is_unspecified() && address.is_ipv6() {
        sockopt::set_ipv6_v6only(&socket, false)?;
    }
    rustix::net::bind(&socket, &address)?;
    rustix::net::listen(&socket, BACKLOG)?;
    let real = SocketAddr::try_from(rustix::net::getsockname(&socket)?)?;
    Ok((socket, real))
}

/// Makes the socket that serve processes reach the app host by.
pub(super) fn listen_for_app(path: &Path) -> Result<(PathBuf, OwnedFd)> {
    let failed = |e: Errno| Error::failed(format!("failed to make `{}`: {e}", path.display()));
    let address = SocketAddrUnix::new(path).map_err(failed)?;
    let socket = rustix::net::socket_with(
        AddressFamily::UNIX,
        SocketType::STREAM,
        SocketFlags::CLOEXEC,
        None,
    )
    .map_err(failed)?;
    rustix::net::bind(&socket, &address).map_err(failed)?;
    rustix::net::listen(&socket, BACKLOG).map_err(failed)?;
    Ok((path.to_owned(), socket))
}
