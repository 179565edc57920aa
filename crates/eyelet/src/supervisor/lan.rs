//! The addresses by which another device reaches this machine.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use if_addrs::IfAddr;

/// Interfaces that programs make for guests and containers of this machine, by the beginnings of their names. `br0` is
/// none of them: people make it to put this machine on their network.
const INTERNAL: [&str; 13] = [
    "docker", "br-", "veth", "virbr", "vmnet", "vboxnet", "lxcbr", "lxdbr", "podman", "cni",
    "cali", "flannel", "kube",
];

/// Where the program listens that answers for `HOSTNAME.local` on the network.
const AVAHI: &str = "/run/avahi-daemon/socket";

/// An address of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Own {
    interface: String,
    address: IpAddr,
}

/// Gives the addresses to open on another device, the best first; of each its URL.
pub(super) fn urls(listening: &[SocketAddr], scheme: &str) -> Vec<String> {
    let own = if_addrs::get_if_addrs().unwrap_or_else(|e| {
        log::warn!("failed to list the addresses of this machine: {e}");
        Vec::new()
    });
    let own = own.into_iter().map(|interface| Own {
        address: match interface.addr {
            IfAddr::V4(ref v4) => v4.ip.into(),
            IfAddr::V6(ref v6) => v6.ip.into(),
        },
        interface: interface.name,
    });
    let own: Vec<Own> = own.collect();
    let name = Path::new(AVAHI).exists().then(host_name).flatten();
    reachable(listening, &own, name.as_deref(), scheme)
}

/// The name of this machine on its network.
fn host_name() -> Option<String> {
    let uname = rustix::system::uname();
    let name = uname.nodename().to_str().ok()?.split('.').next()?.to_owned();
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '-';
    (!name.is_empty() && name.chars().all(is_name)).then_some(name)
}

fn reachable(
    listening: &[SocketAddr],
    own: &[Own],
    name: Option<&str>,
    scheme: &str,
) -> Vec<String> {
    let mut urls = Vec::new();
    for listening in listening.iter().filter(|address| !address.ip().is_loopback()) {
        let port = listening.port();
        if !listening.ip().is_unspecified() {
            urls.push(url(scheme, listening.ip(), port));
            continue;
        }
        // `[::]` takes IPv4 as well.
        let fits = |own: &&Own| own.address.is_ipv4() || listening.is_ipv6();
        let mut ranked: Vec<(u8, &Own)> =
            own.iter().filter(fits).filter_map(|own| Some((rank(own)?, own))).collect();
        ranked.sort_by_key(|(rank, _)| *rank);
        if ranked.iter().any(|(rank, _)| *rank < LAST_RESORT) {
            ranked.retain(|(rank, _)| *rank < LAST_RESORT);
        }
        let mut has_v6 = false;
        for (_, own) in ranked {
            // Of those one is enough; a machine has many.
            if !(own.address.is_ipv6() && std::mem::replace(&mut has_v6, own.address.is_ipv6())) {
                urls.push(url(scheme, own.address, port));
            }
        }
        urls.extend(name.map(|name| format!("{scheme}://{name}.local:{port}")));
    }
    urls.dedup();
    urls
}

/// From here on an address is told only where there is no other.
const LAST_RESORT: u8 = 10;

/// How good an address is for another device, the best 0; none if no other device can use it.
fn rank(Own { interface, address }: &Own) -> Option<u8> {
    let is_internal = INTERNAL.iter().any(|begin| interface.starts_with(begin));
    let rank = match address {
        IpAddr::V4(v4) if v4.is_loopback() || v4.is_unspecified() => return None,
        IpAddr::V4(v4) if v4.is_link_local() => LAST_RESORT + 1,
        IpAddr::V4(v4) if v4.is_private() => 0,
        IpAddr::V4(_) => 1,
        // No browser takes the interface's name that these need.
        IpAddr::V6(v6) if v6.is_loopback() || v6.is_unicast_link_local() => return None,
        IpAddr::V6(v6) if v6.is_unique_local() => 3,
        IpAddr::V6(_) => 2,
    };
    Some(if is_internal { LAST_RESORT.max(rank) } else { rank })
}

fn url(scheme: &str, address: IpAddr, port: u16) -> String {
    format!("{scheme}://{}", SocketAddr::new(address, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(all: &[(&str, &str)]) -> Vec<Own> {
        let own = all.iter().map(|(interface, address)| Own {
            interface: (*interface).to_owned(),
            address: address.parse().unwrap(),
        });
        own.collect()
    }

    fn found(listening: &str, all: &[(&str, &str)]) -> Vec<String> {
        reachable(&[listening.parse().unwrap()], &own(all), None, "http")
    }

    const LAPTOP: [(&str, &str); 9] = [
        ("lo", "127.0.0.1"),
        ("lo", "::1"),
        ("docker0", "172.17.0.1"),
        ("wlan0", "fe80::1"),
        ("wlan0", "2001:db8::5"),
        ("wlan0", "2001:db8::6"),
        ("tun0", "100.64.0.9"),
        ("wlan0", "192.168.1.7"),
        ("br-0a1b2c", "172.18.0.1"),
    ];

    #[test]
    fn those_of_the_network_come_first_and_those_of_containers_not_at_all() {
        assert_eq!(
            found("[::]:9090", &LAPTOP),
            ["http://192.168.1.7:9090", "http://100.64.0.9:9090", "http://[2001:db8::5]:9090"]
        );
        assert_eq!(found("0.0.0.0:80", &LAPTOP), ["http://192.168.1.7:80", "http://100.64.0.9:80"]);
    }

    #[test]
    fn where_there_is_nothing_else_a_bridge_or_a_link_local_address_will_do() {
        let alone = [("docker0", "172.17.0.1"), ("eth0", "169.254.3.4"), ("eth0", "fe80::1")];
        assert_eq!(
            found("[::]:9090", &alone),
            ["http://172.17.0.1:9090", "http://169.254.3.4:9090"]
        );
        assert!(found("[::]:9090", &[("lo", "127.0.0.1"), ("eth0", "fe80::1")]).is_empty());
    }

    #[test]
    fn an_address_that_was_named_is_the_one() {
        assert_eq!(found("192.168.1.7:8080", &LAPTOP), ["http://192.168.1.7:8080"]);
        assert!(found("127.0.0.1:8080", &LAPTOP).is_empty());
        assert!(found("[::1]:8080", &LAPTOP).is_empty());
    }

    #[test]
    fn the_name_comes_last() {
        let listening = ["[::]:9090".parse().unwrap()];
        let urls = reachable(&listening, &own(&[("eth0", "10.0.0.2")]), Some("cam"), "https");
        assert_eq!(urls, ["https://10.0.0.2:9090", "https://cam.local:9090"]);
    }
}
