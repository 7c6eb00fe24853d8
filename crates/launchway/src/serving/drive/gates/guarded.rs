//! Whether anything guards an environment of a connected repository, for whoever gives something to its jobs.

use super::kept::Kept;
use super::level::low;
use super::tip::AtTip;
use crate::serving::repositories::Connected;

/// What stands before the jobs of an environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Guarded {
    /// Rules: of its repository, or those that the server keeps.
    ByRules,
    /// Nothing, and whoever connected the repository agreed that jobs run there: any branch's do.
    ByNothing,
    /// No job runs there.
    NoJobs,
    /// Nobody can tell now; jobs wait.
    Unreadable(String),
}

impl Guarded {
    pub(crate) fn of(connected: &Connected, environment: &str) -> Guarded {
        let kept = match Kept::of(connected) {
            Ok(kept) => kept,
            Err(why) => return Guarded::Unreadable(why),
        };
        if kept.is_some_and(|it| it.environment(environment).is_some()) {
            return Guarded::ByRules;
        }
        let rules = match AtTip::of(connected) {
            AtTip::Rules(rules) => Some(rules),
            AtTip::Nothing => None,
            AtTip::Unreadable(why) => return Guarded::Unreadable(why),
        };
        let own = rules.as_ref().and_then(|it| super::environment(&it.settings, environment));
        let is_agreed =
            connected.environments.iter().any(|it| it.eq_ignore_ascii_case(environment));
        match own {
            Some(it) if low(it).is_some() => Guarded::NoJobs,
            Some(it) if !it.protect.is_empty() => Guarded::ByRules,
            _ if is_agreed => Guarded::ByNothing,
            _ => Guarded::NoJobs,
        }
    }
}
