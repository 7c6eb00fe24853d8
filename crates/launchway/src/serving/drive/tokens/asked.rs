//! How often jobs ask for tokens, and for whom: what a lease costs the server and the audit trail has an end.

use std::collections::{BTreeMap, BTreeSet};

use event::Timestamp;

/// Of one lease: whoever signs in anew before each of its steps asks less often.
const A_MINUTE_MAX: u32 = 60;
const MINUTE_MS: u64 = 60_000;
/// Receivers that tokens of one lease are for: a job that ships everywhere names a few.
const AUDIENCES_MAX: usize = 20;
/// Leases that are remembered: more than any server drives at once. Who was forgotten begins anew.
const LEASES_MAX: usize = 10_000;

/// What jobs asked for, by their leases.
#[derive(Debug)]
pub(super) struct Asked<L> {
    leases: BTreeMap<L, Lease>,
}

impl<L> Default for Asked<L> {
    fn default() -> Asked<L> {
        Asked { leases: BTreeMap::new() }
    }
}

#[derive(Debug, Default)]
struct Lease {
    /// When the minute began that is counted.
    since: Timestamp,
    count: u32,
    /// Those that were written down.
    audiences: BTreeSet<String>,
}

/// Why none is given.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum TooMany {
    /// Until so many seconds have passed.
    Asked {
        seconds: u64,
    },
    Audiences,
}

impl TooMany {
    pub(super) fn said(&self) -> String {
        match self {
            TooMany::Asked { seconds } => format!(
                "a job asks for {A_MINUTE_MAX} tokens a minute at most; again in {seconds} s"
            ),
            TooMany::Audiences => {
                format!("a job asks for tokens for {AUDIENCES_MAX} audiences at most")
            }
        }
    }
}

impl<L: Ord + Clone> Asked<L> {
    /// Counts that a lease asks.
    pub(super) fn ask(&mut self, lease: &L, now: Timestamp) -> Result<(), TooMany> {
        self.make_room(lease);
        let known = self.leases.entry(lease.clone()).or_default();
        let passed = now.0.saturating_sub(known.since.0);
        if passed >= MINUTE_MS || known.count == 0 {
            (known.since, known.count) = (now, 0);
        }
        if known.count >= A_MINUTE_MAX {
            let seconds = (MINUTE_MS - passed.min(MINUTE_MS)).div_ceil(1_000);
            return Err(TooMany::Asked { seconds });
        }
        known.count += 1;
        Ok(())
    }

    /// Whether a token for this audience is to be written down: the first of a lease is.
    pub(super) fn is_first(&self, lease: &L, audience: &str) -> Result<bool, TooMany> {
        let Some(known) = self.leases.get(lease) else { return Ok(true) };
        if known.audiences.contains(audience) {
            return Ok(false);
        }
        if known.audiences.len() >= AUDIENCES_MAX {
            return Err(TooMany::Audiences);
        }
        Ok(true)
    }

    /// That stands in the journal.
    ///
    /// # Errors
    /// When others of the lease came meanwhile, and there are too many.
    pub(super) fn wrote(&mut self, lease: &L, audience: &str) -> Result<(), TooMany> {
        let is_first = self.is_first(lease, audience)?;
        if let Some(known) = self.leases.get_mut(lease).filter(|_| is_first) {
            known.audiences.insert(audience.to_owned());
        }
        Ok(())
    }

    /// The one that asked longest ago goes.
    fn make_room(&mut self, lease: &L) {
        if self.leases.len() < LEASES_MAX || self.leases.contains_key(lease) {
            return;
        }
        let oldest = self.leases.iter().min_by_key(|(_, it)| it.since);
        if let Some(oldest) = oldest.map(|(lease, _)| lease.clone()) {
            self.leases.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_asks_so_often_and_others_as_often() {
        let mut asked = Asked::default();
        let at = |seconds: u64| Timestamp(1_800_000_000_000 + seconds * 1_000);
        for _ in 0..A_MINUTE_MAX {
            assert_eq!(asked.ask(&"one", at(0)), Ok(()));
        }
        assert_eq!(asked.ask(&"one", at(20)), Err(TooMany::Asked { seconds: 40 }));
        assert_eq!(asked.ask(&"other", at(20)), Ok(()));
        assert_eq!(asked.ask(&"one", at(60)), Ok(()));
    }

    #[test]
    fn the_first_for_an_audience_is_written_down_and_there_are_few() {
        let mut asked = Asked::default();
        let at = Timestamp(1_800_000_000_000);
        asked.ask(&"one", at).expect("the first");
        for audience in 0..AUDIENCES_MAX {
            let audience = audience.to_string();
            // What could not be written is the first the next time, too.
            assert_eq!(asked.is_first(&"one", &audience), Ok(true));
            assert_eq!(asked.is_first(&"one", &audience), Ok(true));
            assert_eq!(asked.wrote(&"one", &audience), Ok(()));
            assert_eq!(asked.is_first(&"one", &audience), Ok(false));
        }
        assert_eq!(asked.is_first(&"one", "more"), Err(TooMany::Audiences));
        assert_eq!(asked.is_first(&"one", "0"), Ok(false));
        assert_eq!(asked.is_first(&"other", "more"), Ok(true));
    }

    #[test]
    fn so_many_are_remembered() {
        let mut asked = Asked::default();
        let at = |lease: usize| Timestamp(1_800_000_000_000 + lease as u64);
        for lease in 0..=LEASES_MAX {
            asked.ask(&lease, at(lease)).expect("the first of it");
        }
        assert_eq!(asked.leases.len(), LEASES_MAX);
        assert!(!asked.leases.contains_key(&0));
    }
}
