//! Finding in all logs of a run: job after job in the order of its page, by the search of one log (`search.rs`).

use std::time::{Duration, Instant};

use event::JobKey;
use views::{JobView, RunView};

use crate::app::App;
use crate::log::{self, Hits};
use crate::problem::Problem;
use crate::search::{Finder, QUERY_CHARS_MAX};

/// So long the logs of one run are searched, all together. A page may take longer, but nobody waits for it.
pub(crate) const TIME_MAX: Duration = Duration::from_secs(10);
/// Lines that are shown of one log; all are counted.
pub(crate) const LINES_MAX: usize = 20;
/// Logs of which lines are shown; of all others they are counted.
pub(crate) const LOGS_SHOWN_MAX: usize = 100;

/// What is looked for, as somebody asked for it.
pub(crate) struct Asked<'a> {
    pub(crate) query: &'a str,
    pub(crate) is_pattern: bool,
}

impl Asked<'_> {
    /// What finds it; else what is wrong with the pattern, for people.
    pub(crate) fn finder(&self) -> Result<Result<Finder, String>, Problem> {
        if self.query.chars().count() > QUERY_CHARS_MAX {
            return Err(Problem::bad("The text to find is too long."));
        }
        Ok(match self.is_pattern {
            true => Finder::pattern(self.query),
            false => Ok(Finder::text(self.query)),
        })
    }
}

/// What was found in the logs of a run.
pub(crate) struct RunHits<'v> {
    /// Of the logs that have it.
    pub(crate) logs: Vec<LogHits<'v>>,
    /// Lines that have it, of all that were looked at.
    pub(crate) count: u64,
    /// Logs that have it and of which nothing is shown.
    pub(crate) not_shown: u64,
    /// Logs that nobody looked at, or not to their end, because the time was up.
    pub(crate) not_searched: u64,
}

/// What was found in one of them.
pub(crate) struct LogHits<'v> {
    pub(crate) job: &'v JobView,
    /// Of a background step, which has a log of its own, its number and its name.
    pub(crate) aside: Option<(u32, &'v str)>,
    pub(crate) hits: Hits,
}

/// Looks through the logs of a run, or of one of its jobs.
pub(crate) fn find<'v>(
    app: &App,
    view: &'v RunView,
    job: Option<&JobKey>,
    finder: &Finder,
) -> Result<RunHits<'v>, Problem> {
    let ends = Instant::now() + TIME_MAX;
    let mut found = RunHits { logs: Vec::new(), count: 0, not_shown: 0, not_searched: 0 };
    for it in view.jobs.iter().filter(|it| job.is_none_or(|job| it.key == *job)) {
        let steps = it.steps.iter().filter(|step| step.background);
        let asides = (1..).zip(steps).map(|(number, step)| Some((number, step.name.as_str())));
        for aside in std::iter::once(None).chain(asides) {
            let Some(log) = log::open(app, view, it, aside.map(|(number, _)| number)) else {
                continue;
            };
            let left = ends.saturating_duration_since(Instant::now());
            if left.is_zero() {
                found.not_searched += 1;
                continue;
            }
            let hits = log.search_within(app, finder, (1, LINES_MAX), left)?;
            found.not_searched += u64::from(hits.stopped_at.is_some());
            found.count += hits.count;
            if hits.count == 0 {
                continue;
            }
            match found.logs.len() < LOGS_SHOWN_MAX {
                true => found.logs.push(LogHits { job: it, aside, hits }),
                false => found.not_shown += 1,
            }
        }
    }
    Ok(found)
}
