//! What keeps a job's gate shut that no person opens: a timer, freezes, windows, checks that are not green, the
//! environment below.

use std::ops::RangeInclusive;
use std::sync::Arc;

use event::{JobGate, RunRequest, Timestamp};
use mask::MaskedText;
use settings::{Environment, Settings};

use super::below;
use crate::deploying::checks::{self, Runs};
use crate::deploying::gates;
use crate::exit::Failure;

/// When what no clock opens is looked at again where nothing that ends says so before, and rules that nobody can
/// read: the later, the longer it is so, for each look is an event.
const LOOK_MS: RangeInclusive<u64> = 60_000..=600_000;

/// Nothing, where nothing does.
#[derive(Default)]
pub(super) struct Shut {
    /// Until when, and why.
    until: Option<(Timestamp, String)>,
    /// Runs of the commit may open it.
    waits_for_runs: bool,
}

impl Shut {
    /// By the clock: the timer, freezes, windows.
    pub(super) fn by_clock(
        all: [&Environment; 3],
        request: &RunRequest,
        wait_ms: Option<u64>,
        at: Timestamp,
    ) -> Result<Shut, Failure> {
        let timer = wait_ms.map(|ms| Timestamp(request.at.0.saturating_add(ms)));
        let timer = timer.filter(|timer| *timer > at);
        let mut until = timer.map(|it| (it, "its timer runs".to_owned()));
        let name = &all[0].name.value;
        for protect in all.map(|it| &it.protect) {
            let from = moment(until.as_ref().map_or(at, |(it, _)| *it));
            if let Some((opens, why)) = gates::opens(name, protect, from)? {
                let ms = u64::try_from(opens.as_millisecond()).unwrap_or_default();
                until = Some((Timestamp(ms), why));
            }
        }
        Ok(Shut { until, waits_for_runs: false })
    }

    /// Until the checks are green that any of them names.
    pub(super) fn checks(
        self,
        runs: &Runs,
        all: [&Environment; 3],
        (request, at): (&RunRequest, Timestamp),
    ) -> Shut {
        let named = all.into_iter().flat_map(|it| &it.protect.checks);
        let mut checks: Vec<&str> = named.map(|it| &*it.value).collect();
        checks.sort_unstable();
        checks.dedup();
        let name = &all[0].name.value;
        let green = checks::must_be_green(runs, name, &checks, Some(&request.change.commit));
        match green {
            Ok(()) => self,
            Err(failure) => self.for_runs((request, at), format!("{:#}", failure.error)),
        }
    }

    /// Until the commit ended well in each environment that is named below this one.
    ///
    /// # Errors
    /// Where it never will.
    pub(super) fn below(
        mut self,
        runs: &Runs,
        (named, rules): (&[Arc<str>], &[&Settings]),
        name: &str,
        (request, at): (&RunRequest, Timestamp),
    ) -> Result<Shut, Failure> {
        for below in named {
            if let Some(why) = below::missing(runs, request, (name, below), rules)? {
                self = self.for_runs((request, at), why);
            }
        }
        Ok(self)
    }

    /// As long as nobody can read the rules.
    pub(super) fn unread(why: &str, request: &RunRequest, at: Timestamp) -> Shut {
        Shut::default().looked_at((request, at), format!("its rules cannot be read: {why}"))
    }

    fn for_runs(self, now: (&RunRequest, Timestamp), why: String) -> Shut {
        Shut { waits_for_runs: true, ..self.looked_at(now, why) }
    }

    fn looked_at(self, (request, at): (&RunRequest, Timestamp), why: String) -> Shut {
        let look = look_again(request, at);
        let until = Some((self.until.map_or(look, |(it, _)| it.max(look)), why));
        Shut { until, ..self }
    }

    /// The same of a gate.
    pub(super) fn keeps(self, gate: JobGate) -> JobGate {
        let (opens_at, shut) = self.until.unzip();
        let (shut, waits_for_runs) = (shut.map(MaskedText::without_secrets), self.waits_for_runs);
        JobGate { opens_at, shut, waits_for_runs, ..gate }
    }
}

fn look_again(request: &RunRequest, at: Timestamp) -> Timestamp {
    let waited_ms = at.0.saturating_sub(request.at.0);
    Timestamp(at.0.saturating_add((waited_ms / 60).clamp(*LOOK_MS.start(), *LOOK_MS.end())))
}

/// As calendars say it.
pub(super) fn moment(at: Timestamp) -> jiff::Timestamp {
    let ms = i64::try_from(at.0).unwrap_or(i64::MAX);
    jiff::Timestamp::from_millisecond(ms).unwrap_or(jiff::Timestamp::MAX)
}
