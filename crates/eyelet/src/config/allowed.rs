//! Pages of other sites that may watch.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::Error;

/// The origin of a site whose pages may open WebSockets here, as a browser names it: `https://example.org`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AllowedOrigin(String);

/// Any site.
const ANY: &str = "*";

impl AllowedOrigin {
    /// Whether a browser that says this origin may.
    pub fn covers(&self, origin: &str) -> bool {
        self.0 == ANY || self.names(origin)
    }

    /// Whether it is this site, and not any.
    pub fn names(&self, origin: &str) -> bool {
        self.0.eq_ignore_ascii_case(origin)
    }
}

impl FromStr for AllowedOrigin {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let is_origin = |text: &str| {
            let (scheme, host) = text.split_once("://")?;
            let is_host = !host.is_empty() && !host.contains(['/', '?', '#', '@', ' ', '*']);
            (matches!(scheme, "http" | "https") && is_host).then_some(())
        };
        // People copy addresses with the slash at their end, which an origin has not.
        let origin = text.strip_suffix('/').unwrap_or(text);
        if text == ANY || is_origin(origin).is_some() {
            return Ok(Self(origin.to_owned()));
        }
        Err(Error::usage(format!(
            "takes a site as https://example.org or http://printer.local:8080, without a path, or `*` \
             for all, not `{text}`"
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_is_its_scheme_host_and_port() {
        let site: AllowedOrigin = "http://Printer.local:8080/".parse().unwrap();
        assert!(site.covers("http://printer.local:8080"));
        for other in [
            "http://printer.local",
            "https://printer.local:8080",
            "http://printer.local:8080.evil",
            "null",
            "",
        ] {
            assert!(!site.covers(other), "{other}");
        }
        assert!("*".parse::<AllowedOrigin>().unwrap().covers("null"));
    }

    #[test]
    fn what_is_no_site_is_refused_with_an_example() {
        for text in [
            "",
            "example.org",
            "ftp://x",
            "http://",
            "https://x/path",
            "https://*.x",
            "https://user@x",
        ] {
            let error = text.parse::<AllowedOrigin>().unwrap_err().to_string();
            assert!(error.contains("https://example.org"), "{text}: {error}");
        }
    }
}
