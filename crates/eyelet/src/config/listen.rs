//! Addresses to listen on: `127.0.0.1:9090`, `[::1]:9090`, `:9090` for every interface, `unix:/run/eyelet.sock`.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// One address to listen on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Listen {
    /// Exactly this one.
    Address(SocketAddr),
    /// Every interface, IPv4 and IPv6, at this port.
    Everywhere(u16),
    /// A socket in the file system of this machine.
    Unix(UnixListen),
}

/// A socket in the file system, and who may connect.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct UnixListen {
    /// From the root on.
    pub path: PathBuf,
    /// Permissions; 0600: its owner.
    pub mode: u32,
    /// Its group, where that is not the program's own.
    pub group: Option<String>,
}

/// Longest path of a socket, in bytes; unix(7).
const MAX_PATH_LEN: usize = 107;

impl Listen {
    /// Where a run listens that is told nothing: this machine only.
    pub const DEFAULT: Self = Self::Address(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9090));

    /// Where a run listens that is to be reached from other devices.
    pub const LAN: Self = Self::Everywhere(9090);

    /// Tells whether only this machine can connect.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        match self {
            Self::Address(address) => address.ip().is_loopback(),
            Self::Everywhere(_) => false,
            Self::Unix(_) => true,
        }
    }

    /// The port; 0 for any that is free, and where there is none.
    #[must_use]
    pub fn port(&self) -> u16 {
        match self {
            Self::Address(address) => address.port(),
            Self::Everywhere(port) => *port,
            Self::Unix(_) => 0,
        }
    }

    /// The addresses to bind, the first that works; none of a Unix socket.
    #[must_use]
    pub fn candidates(&self) -> Vec<SocketAddr> {
        match *self {
            Self::Unix(_) => Vec::new(),
            Self::Address(address) => vec![address],
            // One socket for both where the kernel has IPv6.
            Self::Everywhere(port) => vec![
                SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)),
                SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)),
            ],
        }
    }
}

impl FromStr for Listen {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let wrong = || {
            let how = "write ADDRESS:PORT as `127.0.0.1:9090` or `[::1]:9090`, `:9090` for every interface, or unix:/PATH";
            Error::usage(format!("`{text}` is no address to listen on: {how}"))
        };
        if let Some(rest) = text.strip_prefix("unix:") {
            return unix(rest).map(Self::Unix);
        }
        if let Some(port) = text.strip_prefix(':') {
            return port.parse().map(Self::Everywhere).map_err(|_| wrong());
        }
        if let Some(port) = text.strip_prefix("localhost:") {
            let port = port.parse().map_err(|_| wrong())?;
            return Ok(Self::Address(SocketAddr::from((Ipv4Addr::LOCALHOST, port))));
        }
        text.parse().map(Self::Address).map_err(|_| wrong())
    }
}

/// Reads `/PATH?mode=660&group=video`.
fn unix(text: &str) -> Result<UnixListen> {
    let (path, options) = text.split_once('?').unwrap_or((text, ""));
    let wrong = |why: String| {
        Err(Error::usage(format!("`unix:{text}` {why}: write unix:/PATH?mode=660&group=NAME")))
    };
    if !path.starts_with('/') || path.ends_with('/') || path.len() > MAX_PATH_LEN {
        return wrong(format!("is no path from / on with {MAX_PATH_LEN} bytes at the most"));
    }
    let mut unix = UnixListen { path: path.into(), mode: 0o600, group: None };
    for option in options.split('&').filter(|option| !option.is_empty()) {
        match option.split_once('=') {
            Some(("mode", mode)) => match u32::from_str_radix(mode, 8) {
                Ok(mode) if mode <= 0o777 => unix.mode = mode,
                _ => return wrong(format!("has a mode `{mode}` that is none")),
            },
            Some(("group", group)) if !group.is_empty() => unix.group = Some(group.to_owned()),
            _ => return wrong(format!("has an option `{option}` that there is not")),
        }
    }
    Ok(unix)
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Everywhere(port) => write!(f, ":{port}"),
            Self::Unix(unix) => write!(f, "unix:{}", unix.path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_port_is_every_interface() {
        assert_eq!(":9090".parse(), Ok(Listen::Everywhere(9090)));
        assert!(!Listen::Everywhere(9090).is_loopback());
        assert!(Listen::DEFAULT.is_loopback());
        assert_eq!("localhost:1".parse::<Listen>().unwrap().to_string(), "127.0.0.1:1");
    }

    #[test]
    fn a_socket_in_the_file_system_has_a_mode_and_a_group() {
        let Ok(Listen::Unix(unix)) = "unix:/run/a b.sock?mode=660&group=video".parse() else {
            panic!("no socket");
        };
        assert_eq!((unix.path.to_str(), unix.mode), (Some("/run/a b.sock"), 0o660));
        assert_eq!(unix.group.as_deref(), Some("video"));
        assert!(Listen::Unix(unix).is_loopback());
        let long = format!("unix:/{}", "x".repeat(107));
        for text in [
            "unix:",
            "unix:a",
            "unix:/a/",
            "unix:/a?mode=8",
            "unix:/a?mode=1777",
            "unix:/a?x=1",
            &long,
        ] {
            let error = text.parse::<Listen>().unwrap_err().to_string();
            assert!(error.contains("unix:/PATH"), "{text}: {error}");
        }
    }

    #[test]
    fn a_mistake_says_what_to_write() {
        for text in ["9090", "", ":", "host:1", "127.0.0.1", "127.0.0.1:99999"] {
            let error = text.parse::<Listen>().unwrap_err().to_string();
            assert!(error.contains("write ADDRESS:PORT"), "{text}: {error}");
        }
    }
}
