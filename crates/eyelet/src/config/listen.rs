//! Addresses to listen on: `127.0.0.1:9090`, `[::1]:9090`, `:9090` for every interface.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// One address to listen on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Listen {
    /// Exactly this one.
    Address(SocketAddr),
    /// Every interface, IPv4 and IPv6, at this port.
    Everywhere(u16),
}

impl Listen {
    /// Where a run listens that is told nothing: this machine only.
    pub const DEFAULT: Self = Self::Address(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9090));

    /// Where a run listens that is to be reached from other devices.
    pub const LAN: Self = Self::Everywhere(9090);

    /// Tells whether only this machine can connect.
    #[must_use]
    pub fn is_loopback(self) -> bool {
        matches!(self, Self::Address(address) if address.ip().is_loopback())
    }

    /// The port; 0 for any that is free.
    #[must_use]
    pub fn port(self) -> u16 {
        match self {
            Self::Address(address) => address.port(),
            Self::Everywhere(port) => port,
        }
    }

    /// The addresses to bind, the first that works.
    #[must_use]
    pub fn candidates(self) -> Vec<SocketAddr> {
        match self {
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
            let how = "write ADDRESS:PORT as `127.0.0.1:9090` or `[::1]:9090`, or `:9090` for every interface";
            Error::usage(format!("`{text}` is no address to listen on: {how}"))
        };
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

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Everywhere(port) => write!(f, ":{port}"),
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
    fn a_mistake_says_what_to_write() {
        for text in ["9090", "", ":", "host:1", "127.0.0.1", "127.0.0.1:99999"] {
            let error = text.parse::<Listen>().unwrap_err().to_string();
            assert!(error.contains("write ADDRESS:PORT"), "{text}: {error}");
        }
    }
}
