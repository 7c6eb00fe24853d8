//! Where jobs went that shipped something: ahead, back, or to the same once more. A run does not say it,
//! what was there before does, in the order in which shipments ended.
//!
//! ```text
//! nothing succeeded there yet                                   the first: a release
//! the commit that runs, and nothing was tried since             a redeployment
//! the commit that runs, behind one of another that is in doubt  a rollback, which takes back that one
//! a commit that came before the one that runs                   a rollback, which takes back what runs
//! any other                                                     a release
//! ```
//!
//! So an old run that is run again, and one that is made at an older tag or commit, are seen as going back. One
//! that goes back inside of a job (to a tag that was typed in) is not: the run's own commit counts.

use event::{DeploymentKind, ShippedBy};

use crate::shipment::Shipment;

/// What was there before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Before<'b> {
    /// The newest that succeeded, with its commit.
    pub runs: Option<(ShippedBy, &'b str)>,
    /// The newest since then that is in doubt and of another commit than the one that comes.
    pub tried: Option<ShippedBy>,
    /// Where the commit that comes stands.
    pub commit: Came,
}

/// Where a commit stands to what came to an environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Came {
    /// It never was there.
    Never,
    /// It was there before what runs came.
    Before,
    /// It came behind what runs, which somebody went back to since.
    Since,
}

impl Shipment {
    /// Says of which kind jobs' shipment is, and what it takes back.
    #[must_use]
    pub fn judged(mut self, before: &Before<'_>) -> Shipment {
        self.is_first = before.runs.is_none();
        (self.kind, self.mends) = match before.runs {
            Some((_, commit)) if self.commit.as_deref() == Some(commit) => match before.tried {
                Some(tried) => (DeploymentKind::Rollback, Some(tried)),
                None => (DeploymentKind::Redeploy, None),
            },
            Some((runs, _)) if before.commit == Came::Before => {
                (DeploymentKind::Rollback, Some(runs))
            }
            _ => (DeploymentKind::Release, None),
        };
        self.planned = self.kind != DeploymentKind::Rollback;
        self
    }
}
