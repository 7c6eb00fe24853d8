//! Where the jobs of a run shipped to, while it goes on and behind its end: what an incident may name.

use std::sync::Arc;

use event::Timestamp;

use crate::run::RunView;

/// What jobs of an attempt shipped to one environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShippedThere {
    /// The environment, as the first of them wrote it.
    pub environment: Arc<str>,
    /// When the first worker was to have the first of them.
    pub began_at: Timestamp,
    /// When the last of them was over; none while one is not.
    pub ended_at: Option<Timestamp>,
    /// What the processes of each were known by, with every worker that had it.
    pub jobs: Vec<Arc<str>>,
}

impl RunView {
    /// The environments that its jobs shipped to, in the order in which they began there. Jobs that never had a
    /// worker are not among them, nor are those that were carried over: they shipped with the attempt that ran them.
    pub fn shipped(&self) -> Vec<ShippedThere> {
        let mut found: Vec<ShippedThere> = Vec::new();
        for job in self.jobs.iter().filter(|it| it.carried_from.is_none()) {
            // A worker that was lost may have shipped before it was.
            let (Some(environment), Some((began_at, _))) =
                (job.named_environment(), job.leases.first())
            else {
                continue;
            };
            let it = ShippedThere {
                environment,
                began_at: *began_at,
                ended_at: job.completed_at,
                jobs: job.leases.iter().map(|(_, id)| Arc::clone(id)).collect(),
            };
            // As on GitHub: names of environments are the same in any case.
            let same =
                |known: &&mut ShippedThere| known.environment.eq_ignore_ascii_case(&it.environment);
            match found.iter_mut().find(same) {
                Some(known) => known.and(it),
                None => found.push(it),
            }
        }
        found.sort_by_key(|it| it.began_at);
        found
    }
}

impl ShippedThere {
    fn and(&mut self, it: ShippedThere) {
        self.began_at = self.began_at.min(it.began_at);
        self.ended_at = self.ended_at.zip(it.ended_at).map(|(one, other)| one.max(other));
        self.jobs.extend(it.jobs);
    }
}
