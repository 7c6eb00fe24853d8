//! Where a request comes from: who connected, or whom a proxy says that it speaks for.

use std::net::IpAddr;
use std::str::FromStr;

use axum::http::HeaderMap;

/// Addresses that a header of forwarding is followed through. Who sends more sends a story.
const HOPS_MAX: usize = 32;

/// Where a connection comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) IpAddr);

impl Peer {
    /// Whom a request is from, to share fairly and for nothing else: what a proxy on this machine says last is believed,
    /// too. Whoever makes it up is one of all together.
    pub(crate) fn caller(self, headers: &HeaderMap, trusted: &[Network]) -> IpAddr {
        self.behind(headers, &|it| it.is_loopback() || is_one_of(trusted, it))
    }

    /// Whom a request is from, to be written down: only proxies that whoever started the server named are believed.
    pub(crate) fn address(self, headers: &HeaderMap, trusted: &[Network]) -> IpAddr {
        self.behind(headers, &|it| is_one_of(trusted, it))
    }

    /// Goes back from proxy to proxy, as long as each is believed.
    fn behind(self, headers: &HeaderMap, is_believed: &dyn Fn(IpAddr) -> bool) -> IpAddr {
        let lines: Vec<&str> =
            headers.get_all("x-forwarded-for").iter().filter_map(|it| it.to_str().ok()).collect();
        let said = lines.iter().rev().flat_map(|line| line.rsplit(','));
        let mut found = self.0.to_canonical();
        for word in said.take(HOPS_MAX) {
            match word.trim().parse::<IpAddr>() {
                Ok(before) if is_believed(found) => found = before.to_canonical(),
                _ => break,
            }
        }
        found
    }
}

fn is_one_of(trusted: &[Network], address: IpAddr) -> bool {
    trusted.iter().any(|it| it.has(address))
}

/// A machine or a network: `10.0.0.5`, `10.0.0.0/8`, `fd00::/8`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u32,
}

impl Network {
    fn has(&self, address: IpAddr) -> bool {
        let rest = |bits: u32| bits - self.bits;
        match (self.address, address) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                u32::from(own).checked_shr(rest(32)) == u32::from(other).checked_shr(rest(32))
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                u128::from(own).checked_shr(rest(128)) == u128::from(other).checked_shr(rest(128))
            }
            _ => false,
        }
    }
}

impl FromStr for Network {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Network, &'static str> {
        let takes = "an address or a network as numbers, such as 10.0.0.5 or 10.0.0.0/8";
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| takes)?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Ok(most), |it| it.parse().map_err(|_| takes))?;
        match bits {
            0 => Err("everybody would be a proxy, and say who they are"),
            bits if bits > most => Err(takes),
            bits => Ok(Network { address: address.to_canonical(), bits }),
        }
    }
}

impl std::fmt::Display for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn headers(said: &[&'static str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for it in said {
            headers.append("x-forwarded-for", HeaderValue::from_static(it));
        }
        headers
    }

    #[test]
    fn a_proxy_of_this_machine_says_who_calls() {
        let check = |peer: &str, said: &[&'static str], expect: &str| {
            let caller = Peer(peer.parse().unwrap()).caller(&headers(said), &[]);
            assert_eq!(caller.to_string(), expect, "{peer} {said:?}");
        };
        check("127.0.0.1", &["192.0.2.7, 192.0.2.8"], "192.0.2.8");
        check("::ffff:127.0.0.1", &["192.0.2.7", "2001:db8::8"], "2001:db8::8");
        check("127.0.0.1", &["me"], "127.0.0.1");
        check("127.0.0.1", &[], "127.0.0.1");
        check("192.0.2.1", &["192.0.2.8"], "192.0.2.1");
    }

    #[test]
    fn only_a_proxy_that_was_named_is_written_down_for_others() {
        let check = |trusted: &str, peer: &str, said: &[&'static str], expect: &str| {
            let trusted: Vec<Network> =
                trusted.split_whitespace().map(|it| it.parse().unwrap()).collect();
            let address = Peer(peer.parse().unwrap()).address(&headers(said), &trusted);
            assert_eq!(address.to_string(), expect, "{trusted:?} {peer} {said:?}");
        };
        // Whoever runs on this machine could say so.
        check("", "127.0.0.1", &["192.0.2.8"], "127.0.0.1");
        check("127.0.0.1", "127.0.0.1", &["192.0.2.8"], "192.0.2.8");
        check("127.0.0.1", "::ffff:127.0.0.1", &["192.0.2.8"], "192.0.2.8");
        check("10.0.0.0/8", "10.1.2.3", &["192.0.2.7, 10.9.9.9"], "192.0.2.7");
        // What stands before the first who is not believed is anybody's.
        check("10.0.0.0/8", "10.1.2.3", &["198.51.100.1, 192.0.2.7"], "192.0.2.7");
        check("10.0.0.0/8", "11.1.2.3", &["192.0.2.7"], "11.1.2.3");
        check("fd00::/8", "fd12::1", &["2001:db8::8"], "2001:db8::8");
        check("10.0.0.1", "10.0.0.1", &["nobody"], "10.0.0.1");
    }

    #[test]
    fn a_network_is_numbers() {
        for (text, expect) in [
            ("10.0.0.5", "10.0.0.5/32"),
            ("10.0.0.0/8", "10.0.0.0/8"),
            ("fd00::/8", "fd00::/8"),
            ("::1", "::1/128"),
        ] {
            assert_eq!(text.parse::<Network>().unwrap().to_string(), expect);
        }
        for wrong in
            ["", "proxy", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/0", "::/129", "10.0.0.5:80"]
        {
            assert!(wrong.parse::<Network>().is_err(), "{wrong}");
        }
    }
}
