//! Where may be connected to: an address that somebody names must not open the inside of a network.
//!
//! A host is resolved once, every address that it has is looked at, and what was looked at is connected
//! to: a name that answers differently the second time gains nothing.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};

/// Which hosts may have an address that is not public.
#[derive(Clone, Debug, Default)]
pub struct Guard {
    private: BTreeSet<String>,
}

/// Why a host is not connected to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forbidden {
    host: String,
    is_never: bool,
}

impl Forbidden {
    /// Whether nobody can allow it: link-local, or of no one host.
    pub fn is_never(&self) -> bool {
        self.is_never
    }
}

impl std::fmt::Display for Forbidden {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let host = &self.host;
        if self.is_never {
            return write!(
                f,
                "{host} has an address that nothing is sent to: link-local, or of no one host"
            );
        }
        write!(f, "{host} has an address that is not public")
    }
}

impl std::error::Error for Forbidden {}

impl Guard {
    /// These hosts may have private addresses, by name; all others may not.
    pub fn allowing(private: impl IntoIterator<Item = String>) -> Guard {
        Guard { private: private.into_iter().map(|it| it.to_ascii_lowercase()).collect() }
    }

    /// Whether a host was allowed by name.
    pub fn allows(&self, host: &str) -> bool {
        self.private.contains(&host.trim_matches(['[', ']']).to_ascii_lowercase())
    }

    /// The addresses, if every one may be connected to.
    ///
    /// # Errors
    /// When one may not.
    pub fn judge(
        &self,
        host: &str,
        addresses: Vec<SocketAddr>,
    ) -> Result<Vec<SocketAddr>, Forbidden> {
        let host = host.trim_matches(['[', ']']);
        let forbidden = |is_never| Forbidden { host: host.to_owned(), is_never };
        if addresses.iter().any(|it| is_never(it.ip())) {
            return Err(forbidden(true));
        }
        if !self.allows(host) && !addresses.iter().all(|it| is_public(it.ip())) {
            return Err(forbidden(false));
        }
        Ok(addresses)
    }

    /// Asks only what may be connected to, and hears nothing of the environment's proxies: what is behind
    /// one nobody here can look at. All of a request has so long.
    pub fn agent(&self, within: Duration) -> ureq::Agent {
        let config = crate::config().timeout_global(Some(within)).proxy(None).build();
        let resolver = GuardedResolver(self.clone());
        ureq::Agent::with_parts(config, DefaultConnector::default(), resolver)
    }
}

/// Looks addresses up for requests of HTTP.
#[derive(Debug)]
struct GuardedResolver(Guard);

impl Resolver for GuardedResolver {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let found = DefaultResolver::default().resolve(uri, config, timeout);
        let found = found.map_err(|error| match error {
            ureq::Error::Io(_) => ureq::Error::HostNotFound,
            other => other,
        })?;
        let host = uri.host().unwrap_or_default();
        let judged = self.0.judge(host, found.iter().copied().collect());
        judged.map_err(|error| ureq::Error::Other(Box::new(error)))?;
        Ok(found)
    }
}

/// What is never sent to, whoever allows it: clouds hand out credentials at link-local addresses.
fn is_never(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(it) => {
            it.is_link_local() || it.is_multicast() || it.is_broadcast() || it.is_unspecified()
        }
        IpAddr::V6(it) => match embedded(it) {
            Some(inner) => is_never(IpAddr::V4(inner)),
            None => {
                let [first, ..] = it.segments();
                let is_metadata = it == Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);
                first & 0xffc0 == 0xfe80 || it.is_multicast() || it.is_unspecified() || is_metadata
            }
        },
    }
}

/// Whether an address belongs to everybody's internet.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(it) => is_public_v4(it),
        IpAddr::V6(it) => match embedded(it) {
            Some(inner) => is_public_v4(inner),
            // Global unicast, without what is for documentation, tests and tunnels.
            None => {
                let [first, second, ..] = it.segments();
                first & 0xe000 == 0x2000
                    && !(first == 0x2001 && (second == 0xdb8 || second < 0x200))
                    && !(first == 0x3fff && second < 0x1000)
            }
        },
    }
}

fn is_public_v4(it: Ipv4Addr) -> bool {
    let [a, b, c, _] = it.octets();
    let is_special = it.is_private()
        || it.is_loopback()
        || it.is_link_local()
        || it.is_multicast()
        || it.is_broadcast()
        || it.is_documentation()
        || a == 0
        || a >= 240
        || (a == 100 && b & 0xc0 == 64)
        || (a == 192 && b == 0 && c == 0)
        || (a == 192 && b == 88 && c == 99)
        || (a == 198 && b & 0xfe == 18);
    !is_special
}

/// The address of the fourth version that stands in one of the sixth: mapped, translated, tunnelled.
fn embedded(it: Ipv6Addr) -> Option<Ipv4Addr> {
    let segments = it.segments();
    let of = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        Ipv4Addr::new(a, b, c, d)
    };
    match segments {
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => (segments[7] == 1).then_some(Ipv4Addr::LOCALHOST),
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            Some(of(high, low))
        }
        [0x2002, high, low, ..] => Some(of(high, low)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_everybodys_is_public() {
        for public in
            ["1.1.1.1", "52.94.76.1", "2606:4700::1111", "2a00:1450::1", "64:ff9b::101:101"]
        {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
        for inside in [
            "127.0.0.1",
            "127.9.9.9",
            "0.0.0.0",
            "10.1.2.3",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.0.1",
            "169.254.169.254",
            "100.64.0.1",
            "192.0.0.8",
            "192.0.2.1",
            "198.18.0.1",
            "198.51.100.7",
            "203.0.113.9",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "fe80::1",
            "fc00::1",
            "fd00:ec2::254",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "2002:a00:1::",
            "2001:db8::1",
            "2001:0:1::",
            "fec0::1",
            "100::1",
        ] {
            assert!(!is_public(inside.parse().unwrap()), "{inside}");
        }
    }

    #[test]
    fn every_address_of_a_name_counts_and_a_name_opens_only_itself() {
        let at = |it: &str| SocketAddr::new(it.parse().unwrap(), 443);
        let guard = Guard::allowing(["Hooks.Internal".to_owned()]);
        let one_inside = vec![at("1.1.1.1"), at("10.0.0.1")];
        assert!(guard.judge("hooks.internal", one_inside.clone()).is_ok());
        assert!(guard.judge("a.hooks.internal", one_inside).is_err());
        // What hands out credentials is for nobody.
        for never in
            ["169.254.169.254", "::ffff:169.254.169.254", "fd00:ec2::254", "fe80::1", "0.0.0.0"]
        {
            assert!(guard.judge("hooks.internal", vec![at(never)]).is_err(), "{never}");
        }
    }
}
