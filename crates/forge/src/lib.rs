//! GitHub: what it says, and what it is told.
//!
//! ```text
//!   webhook.rs    is it GitHub's? is it fresh?           (pure)     body, headers -> Proven
//!   said.rs       what happened there                    (pure)     Proven -> Said
//!   issue.rs      which issue is an incident              (pure)     Issue, label -> IssueIncident
//!   owed.rs       what GitHub is owed of a run           (pure)     RunView -> checks, statuses, deployments
//!   failed_tests.rs  where tests stand that failed  (pure)
//!   reported.rs      tests and coverage of a run, in a line  (pure)
//!   minimum.rs       whether tests ran enough, as a check  (pure)
//!   words.rs      what stands in checks and comments     (pure)
//!   api.rs        one call: signed in, limited, said     (network)
//!   token.rs      who we are: an app's key, or a token
//!   job_token.rs  a token for one job, with what the job is granted  (network)
//!   missed.rs     what it could not tell us: deliveries that failed, who moved a branch  (network)
//!   values.rs     secrets and variables that it keeps     (network)
//!   seal.rs       a secret in a box that it alone opens
//!   sync.rs       which of ours it is to have             (pure)     here, there -> lines
//!   release.rs    the release of a version: its text (pure), looked for, made, mended  (network)
//!   tell.rs       one thing owed, told once              (network)  look first where nobody knows
//! ```
//!
//! Nothing of a webhook is read before its signature is proven, and nothing of it is believed that
//! can be asked: commits are fetched, and what is not there does not run. No token stands in an
//! error.

mod api;
mod failed_tests;
mod issue;
mod job_token;
mod limit;
mod missed;
mod owed;
mod release;
mod reported;
mod said;
mod seal;
mod sync;
mod tell;
mod token;
mod values;
mod webhook;
mod words;

pub use api::{Answered, ForgeError, GitHub, Method};
pub use failed_tests::{FailedTest, FailedTests, place};
pub use issue::{Issue, IssueIncident, IssueTold};
pub use job_token::JobToken;
pub use limit::{Judged, Limit, limit_check, limit_status};
pub use missed::{Again, Moved};
pub use owed::{Check, CommitStatus, JobDeployment, Subject, checks, deployments, statuses};
pub use release::{FoundRelease, Linked, OurRelease, Release};
pub use reported::{FlagCoverage, ImageSize, Reported};
pub use said::{PullRequest, Said, read};
pub use seal::{SealError, SealingKey};
pub use sync::{HereValue, SyncLine, SyncRefusal, SyncState, SyncWish, There, sync_lines};
pub use tell::Told;
pub use token::{Credentials, KeyError};
pub use values::{ThereValue, ValueId, ValueKind};
pub use views::happened_at;
pub use webhook::{BODY_BYTES_MAX, FRESH_MS, Heads, KEPT_MS, NotTaken, Proven, prove};
pub use words::{CommentedRun, comment, comment_marker};
