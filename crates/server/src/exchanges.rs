//! How often the provider is asked for whoever comes back with a code: anybody can come, with codes that
//! are none, and each has the provider asked.
//!
//! Who signs in does not count: a whole company may come within a minute, behind one address.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};

use event::Timestamp;

/// Codes in vain that one address may bring within a minute. People who mistype do that at the provider.
const OF_ADDRESS_MAX: u32 = 10;
/// And all together.
const IN_ALL_MAX: u32 = 60;
const MINUTE_MS: u64 = 60_000;

/// Codes that were brought in a minute, in vain or not judged yet.
#[derive(Debug, Default)]
pub(crate) struct Exchanges(Mutex<Minute>);

#[derive(Debug, Default)]
struct Minute {
    /// Since 1970.
    number: u64,
    all: u32,
    /// No more of them than `IN_ALL_MAX`.
    of: BTreeMap<IpAddr, u32>,
}

/// Somebody's turn, which counts unless it is given back.
#[derive(Debug)]
pub(crate) struct Turn {
    minute: u64,
    from: IpAddr,
}

impl Exchanges {
    /// A turn for an address; else after how many seconds there may be one.
    pub(crate) fn take(&self, from: IpAddr, now: Timestamp) -> Result<Turn, u64> {
        let (number, from) = (now.0 / MINUTE_MS, network(from));
        let mut minute = self.minute();
        if minute.number != number {
            *minute = Minute { number, ..Minute::default() };
        }
        let of_address = minute.of.get(&from).copied().unwrap_or(0);
        if minute.all >= IN_ALL_MAX || of_address >= OF_ADDRESS_MAX {
            return Err((MINUTE_MS - now.0 % MINUTE_MS).div_ceil(1000));
        }
        minute.all += 1;
        minute.of.insert(from, of_address + 1);
        Ok(Turn { minute: number, from })
    }

    /// It was not in vain, or nobody was asked.
    pub(crate) fn give_back(&self, turn: &Turn) {
        let mut minute = self.minute();
        if minute.number != turn.minute {
            return;
        }
        minute.all = minute.all.saturating_sub(1);
        if let Some(count) = minute.of.get_mut(&turn.from) {
            *count = count.saturating_sub(1);
        }
    }

    fn minute(&self) -> MutexGuard<'_, Minute> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whoever has one address of IPv6 has 2^64 of them.
fn network(from: IpAddr) -> IpAddr {
    match from.to_canonical() {
        IpAddr::V6(it) => {
            let [a, b, c, d, ..] = it.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        it => it,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_800_000_010_400);

    fn taken(exchanges: &Exchanges, from: &str, times: u32) -> u32 {
        let from = from.parse().unwrap();
        (0..times).filter(|_| exchanges.take(from, NOW).is_ok()).count() as u32
    }

    #[test]
    fn whoever_comes_in_vain_waits_for_the_next_minute() {
        let exchanges = Exchanges::default();
        assert_eq!(taken(&exchanges, "192.0.2.1", 50), OF_ADDRESS_MAX);
        // The same by other names, and whoever has a whole network.
        assert_eq!(taken(&exchanges, "::ffff:192.0.2.1", 1), 0);
        assert_eq!(taken(&exchanges, "2001:db8::1", 9), 9);
        assert_eq!(taken(&exchanges, "2001:db8::2", 9), 1);
        assert_eq!(taken(&exchanges, "192.0.2.2", 3), 3);
        let one = "192.0.2.1".parse().unwrap();
        assert_eq!(exchanges.take(one, NOW).unwrap_err(), 50);
        assert!(exchanges.take(one, Timestamp(NOW.0 + 50_000)).is_ok());
    }

    #[test]
    fn all_together_wait_and_who_signs_in_does_not_count() {
        let exchanges = Exchanges::default();
        for _ in 0..500 {
            let turn = exchanges.take("192.0.2.1".parse().unwrap(), NOW).unwrap();
            exchanges.give_back(&turn);
        }
        let all: u32 = (0..200).map(|it| taken(&exchanges, &format!("198.51.100.{it}"), 1)).sum();
        assert_eq!(all, IN_ALL_MAX);
    }
}
