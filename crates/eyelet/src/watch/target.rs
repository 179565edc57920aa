//! Where to watch: a URL in the few parts that matter.

use std::fmt;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::str::FromStr;

use crate::error::{Error, Result};

/// Where Eyelet's own WebSocket is.
const DEFAULT_PATH: &str = "/-/ws";
/// Where its pictures in a multipart answer are.
const MJPEG_PATH: &str = "/-/stream.mjpg";
const DEFAULT_PORT: u16 = 80;

/// A server and a path on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Name or address as it was given, an IPv6 address without its brackets.
    pub host: String,
    /// The TCP port.
    pub port: u16,
    /// With its query; begins with `/`.
    pub path: String,
}

impl Target {
    /// Gives `HOST:PORT` as a `Host` header has it.
    #[must_use]
    pub fn authority(&self) -> String {
        let Self { host, port, .. } = self;
        if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
    }

    /// Means the pictures in a multipart answer where no path was given.
    #[must_use]
    pub fn for_mjpeg(mut self) -> Self {
        if let Some(query) = self.path.strip_prefix(DEFAULT_PATH) {
            self.path = format!("{MJPEG_PATH}{query}");
        }
        self
    }

    /// Finds the addresses of the host, in the order in which to try them. Blocks while a name is looked up.
    ///
    /// # Errors
    /// Nobody has that name.
    pub fn addresses(&self) -> Result<Vec<SocketAddr>> {
        let found = (self.host.as_str(), self.port).to_socket_addrs().map_err(|error| {
            Error::failed(format!("failed to find the host `{}`: {error}", self.host))
        })?;
        Ok(found.collect())
    }
}

impl FromStr for Target {
    type Err = Error;

    /// Reads `http://host:port/path`, `ws://…` or `host:port`; the path is `/-/ws` if it is missing.
    fn from_str(text: &str) -> Result<Self> {
        let wrong = |why: &str| {
            Error::usage(format!(
                "cannot watch `{text}`: {why}; give it as `http://127.0.0.1:9090`"
            ))
        };
        let rest = match text.split_once("://") {
            Some(("http" | "ws", rest)) => rest,
            Some(("https" | "wss", _)) => {
                return Err(wrong(
                    "headless viewers speak no TLS, so use the server's plain address",
                ));
            }
            Some(_) => return Err(wrong("only `http` and `ws` can be watched")),
            None => text,
        };
        let rest = rest.split('#').next().unwrap_or_default();
        let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        if authority.contains('@') {
            return Err(wrong("a user in a URL is not supported"));
        }
        if path.contains(|c: char| c.is_control() || c == ' ') {
            return Err(wrong("the path has a space or a control character"));
        }
        let (host, port) = split_port(authority).ok_or_else(|| wrong("the port is no number"))?;
        if host.is_empty() || host.contains(|c: char| c.is_control() || c == ' ') {
            return Err(wrong("there is no host"));
        }
        let path = match path {
            "" | "/" => DEFAULT_PATH.to_owned(),
            path if path.starts_with('?') => format!("{DEFAULT_PATH}{path}"),
            path => path.to_owned(),
        };
        Ok(Self { host: host.to_owned(), port, path })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}{}", self.authority(), self.path)
    }
}

/// Splits `host:port`, `[v6]:port`, `host`.
fn split_port(authority: &str) -> Option<(&str, u16)> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (host, rest) = rest.split_once(']')?;
            (host, if rest.is_empty() { None } else { Some(rest.strip_prefix(':')?) })
        }
        None => match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        },
    };
    Some((host, port.map_or(Some(DEFAULT_PORT), |port| port.parse().ok())?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_read() {
        for (text, read) in [
            ("http://127.0.0.1:9090", "http://127.0.0.1:9090/-/ws"),
            ("http://127.0.0.1:9090/", "http://127.0.0.1:9090/-/ws"),
            ("ws://cam/eyetoy?a=1#x", "http://cam:80/eyetoy?a=1"),
            ("cam:9090?token=1", "http://cam:9090/-/ws?token=1"),
            ("http://[::1]:9090/x", "http://[::1]:9090/x"),
            ("[::1]", "http://[::1]:80/-/ws"),
        ] {
            assert_eq!(text.parse::<Target>().unwrap().to_string(), read, "{text}");
        }
    }

    #[test]
    fn mjpeg_has_a_path_of_its_own() {
        for (text, read) in [
            ("cam?stream=1", "http://cam:80/-/stream.mjpg?stream=1"),
            ("cam/video", "http://cam:80/video"),
        ] {
            assert_eq!(text.parse::<Target>().unwrap().for_mjpeg().to_string(), read);
        }
    }

    #[test]
    fn what_cannot_be_watched_is_explained() {
        for text in [
            "",
            "http://",
            "https://cam",
            "rtsp://cam",
            "http://cam:x",
            "http://u@cam",
            "[::1",
            "::1",
            "http://cam/a b",
            "http://cam:99999",
        ] {
            let error = text.parse::<Target>().unwrap_err();
            assert_eq!(error.kind(), crate::error::ErrorKind::Usage, "{text}");
            assert!(error.to_string().contains("http://127.0.0.1:9090"), "{error}");
        }
    }
}
