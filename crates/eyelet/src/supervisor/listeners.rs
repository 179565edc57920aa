//! Binding the sockets that outlive every child.

use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{Gid, Mode};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, sockopt};

use crate::accounts;
use crate::config::{Listen, UnixListen};
use crate::error::{Error, Result};

/// Connections that wait for a serve process; what the kernel allows by default (`net.core.somaxconn`).
const BACKLOG: i32 = 4096;

/// What is really listened on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Bound {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

/// Binds an address; gives the socket, and the address that it really has.
pub(super) fn bind(listen: &Listen) -> Result<(OwnedFd, Bound)> {
    if let Listen::Unix(unix) = listen {
        return bind_unix(unix).map(|socket| (socket, Bound::Unix(unix.path.clone())));
    }
    let mut last = Errno::INVAL;
    for address in listen.candidates() {
        match bind_address(address) {
            Ok((socket, address)) => return Ok((socket, Bound::Tcp(address))),
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

/// Binds a socket in the file system: in the place of one that nobody answers on any more, and of nothing else.
fn bind_unix(listen: &UnixListen) -> Result<OwnedFd> {
    let path = &listen.path;
    let failed = |what: &str, e: Errno| {
        Error::failed(format!("failed to {what} `unix:{}`: {e}", path.display()))
    };
    let group = listen.group.as_deref().map(accounts::group).transpose()?;
    let address = SocketAddrUnix::new(path).map_err(|e| failed("listen on", e))?;
    let socket = || {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)
    };
    if let Ok(there) = std::fs::symlink_metadata(path) {
        let refuse = |why| Err(Error::refused(format!("`{}` {why}", path.display())));
        if !there.file_type().is_socket() {
            return refuse("is there and no socket: choose another path with --listen");
        }
        let probe = socket().map_err(|e| failed("look at", e))?;
        match rustix::net::connect(&probe, &address) {
            Err(Errno::CONNREFUSED) => {
                std::fs::remove_file(path).map_err(|e| {
                    Error::failed(format!("failed to take `{}` away: {e}", path.display()))
                })?;
            }
            _ => {
                return refuse(
                    "is another program's: stop that, or choose another path with --listen",
                );
            }
        }
    }
    let socket = socket().map_err(|e| failed("listen on", e))?;
    // What it is bound with is what it is made with: nobody connects in between who may not. Source: `unix_bind` of Linux.
    rustix::fs::fchmod(&socket, Mode::from_raw_mode(0o600)).map_err(|e| failed("protect", e))?;
    rustix::net::bind(&socket, &address).map_err(|e| failed("listen on", e))?;
    let protect = || {
        if let Some(group) = group {
            rustix::fs::chown(path, None, Some(Gid::from_raw(group)))?;
        }
        rustix::fs::chmod(path, Mode::from_raw_mode(listen.mode))?;
        rustix::net::listen(&socket, BACKLOG)
    };
    protect().map_err(|e| {
        std::fs::remove_file(path).ok();
        failed("protect", e)
    })?;
    Ok(socket)
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
