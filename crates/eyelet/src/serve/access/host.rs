//! Which server a browser believes to speak to.
//!
//! A page of another site can have its own name lead to this machine (DNS rebinding), and then reads what it gets as if it
//! came from there. The name that the browser asks for gives it away: only names that are ours are answered.

use std::net::{IpAddr, Ipv6Addr};

use hyper::StatusCode;
use hyper::header;
use hyper::http::request::Parts;

use crate::config::AllowedHost;
use crate::serve::answer::{Answer, plain};

/// Names that no public name server gives to somebody else's machine.
const LOCAL: [&str; 2] = [".local", ".localhost"];

/// The machine's own names.
#[derive(Debug, Default)]
pub(crate) struct OwnNames(Vec<String>);

impl OwnNames {
    /// Reads them: the host's name, with and without the domain, and in each domain that the machine looks for names in.
    pub(crate) fn read() -> Self {
        let uname = rustix::system::uname();
        let resolver = std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
        Self::of(uname.nodename().to_str().unwrap_or_default(), &resolver)
    }

    fn of(host: &str, resolver: &str) -> Self {
        let label = host.split('.').next().unwrap_or_default();
        if label.is_empty() {
            return Self::default();
        }
        // Source: resolv.conf(5).
        let domains = resolver
            .lines()
            .filter_map(|line| line.split_once(char::is_whitespace))
            .filter(|(key, _)| matches!(*key, "search" | "domain"))
            .flat_map(|(_, domains)| domains.split_whitespace())
            .map(|domain| domain.trim_matches('.'))
            .filter(|domain| !domain.is_empty());
        let mut names: Vec<String> = domains.map(|domain| format!("{label}.{domain}")).collect();
        names.extend([host.to_owned(), label.to_owned()]);
        Self(names)
    }

    fn has(&self, name: &str) -> bool {
        self.0.iter().any(|own| own.eq_ignore_ascii_case(name))
    }
}

/// Refuses what is asked of another server.
///
/// # Errors
/// The answer: 421, or 400 where more than one server is named.
pub(super) fn check(
    head: &Parts,
    own: &OwnNames,
    allowed: &[AllowedHost],
) -> Result<(), Box<Answer>> {
    let mut hosts = head.headers.get_all(header::HOST).iter();
    // Programs of old name none; browsers always do.
    let host = hosts.next().map_or(Some(""), |host| host.to_str().ok());
    let (Some(host), None) = (host, hosts.next()) else {
        return Err(Box::new(plain(StatusCode::BAD_REQUEST, "the Host field makes no sense")));
    };
    let asked = head.uri.authority().map_or(host, |authority| authority.as_str());
    for asked in [host, asked] {
        let name = without_port(asked);
        if !(name.is_empty()
            || is_ours(name, own)
            || allowed.iter().any(|allowed| allowed.covers(name)))
        {
            let shown: String = name.chars().filter(|c| !c.is_control()).take(100).collect();
            let text = format!(
                "this server is not known as `{shown}`; start with --allow-host {shown} if it is its name"
            );
            return Err(Box::new(plain(StatusCode::MISDIRECTED_REQUEST, &text)));
        }
    }
    Ok(())
}

/// Gives the name or address alone, without a dot at its end.
pub(super) fn without_port(host: &str) -> &str {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    name.strip_suffix('.').unwrap_or(name)
}

fn is_ours(name: &str, own: &OwnNames) -> bool {
    let address = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
    let is_address = address.is_some_and(|address| address.parse::<Ipv6Addr>().is_ok())
        || matches!(name.parse(), Ok(IpAddr::V4(_)));
    let name_in_lower_case = name.to_ascii_lowercase();
    let is_local = name_in_lower_case == "localhost"
        || LOCAL
            .iter()
            .any(|end| name_in_lower_case.len() > end.len() && name_in_lower_case.ends_with(end));
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    is_address || (is_local && name.bytes().all(is_part)) || own.has(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::Request;

    fn status(hosts: &[&str], uri: &str) -> u16 {
        let own =
            OwnNames::of("pi.example.net", "# domain x\nsearch lan. fritz.box\nnameserver ::1\n");
        let allowed = ["cam.example.org".parse().unwrap()];
        let mut request = Request::builder().uri(uri);
        for host in hosts {
            request = request.header("Host", *host);
        }
        let head = request.body(()).unwrap().into_parts().0;
        check(&head, &own, &allowed).map_or_else(|answer| answer.status().as_u16(), |()| 200)
    }

    #[test]
    fn names_that_only_this_machine_has_are_ours() {
        for ours in [
            "127.0.0.1:9090",
            "192.0.2.7",
            "[::1]:9090",
            "[2001:db8::1]",
            "localhost",
            "LOCALHOST:1",
            "cam.localhost",
            "printer.local:80",
            "pi",
            "PI:9090",
            "pi.example.net",
            "pi.lan",
            "pi.fritz.box",
            "pi.lan.",
            "cam.example.org:443",
            "",
        ] {
            assert_eq!(status(&[ours], "/"), 200, "{ours}");
        }
        assert_eq!(status(&[], "/"), 200, "HTTP/1.0");
    }

    #[test]
    fn any_other_name_may_be_a_page_that_leads_its_own_here() {
        for other in [
            "evil.example",
            "evil.example:9090",
            "pi.evil.example",
            "localhost.evil.example",
            ".local",
            "127.0.0.1.evil.example",
            "lan",
            "xpi.lan",
            "cam.example.org.evil.example",
            "[::1].evil",
            "::1",
            "local",
            "evil.example:90.local",
            "a b.local",
            "\u{e9}",
        ] {
            assert_ne!(status(&[other], "/"), 200, "{other}");
        }
        assert_eq!(status(&["localhost", "localhost"], "/"), 400);
        assert_eq!(status(&["localhost"], "http://evil.example/"), 421);
        assert_eq!(status(&["evil.example"], "http://localhost/"), 421);
    }
}
