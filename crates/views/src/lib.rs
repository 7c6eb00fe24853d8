//! Folds for reading: what a list and a page of runs show, as plain data.
//!
//! ```text
//! RunEvent, RunEvent, ...  ->  RunView (one attempt, everything)  ->  RunRow (its line in a list)
//!                              two of them                        ->  Difference, ...
//!                              its jobs' times                    ->  Waterfall (what made it as long as it was)
//! DeploymentEvent, ...     ->  DeploymentView (one deployment)    ->  DeploymentRow (its line)
//!                              all of an environment              ->  Ledger (what runs, what was good)
//! IncidentEvent, ...              ->  IncidentView (one incident)      ->  IncidentLine (its figures)
//! one that is over             ->  Shipment, ...; AttemptFacts    ->  Dora, Health (the numbers)
//! what was there before it     ->  Shipment::judged: ahead, back, the same once more
//! ```
//!
//! A view decides nothing and knows no clock: it shows what the journal says. A job whose lease is
//! open is in progress until somebody swept it, because that is what is known; a lost one is shown
//! as lost. An event that does not fit shows up rather than going away: a job that was never planned
//! gets its line all the same.
//!
//! A view is fed event by event, each in time that does not grow with the run (but for looking up a
//! job by its key), so it can follow a run while it goes.

mod attempt;
mod audit;
mod compare;
mod course;
mod deployment;
mod dora;
mod failing;
mod filter;
mod gate;
mod happened;
mod health;
mod incident;
mod job;
mod lead;
mod ledger;
mod length;
mod letters;
mod news;
mod pushed;
mod row;
mod run;
mod shipment;
mod shipped;
mod shipping;
mod size;
mod statistics;
mod waiting;
mod waterfall;

pub use attempt::{AttemptFacts, ImageFacts, JobFacts, KeptArtifact, StepFacts};
pub use audit::{AuditLine, DECISIONS};
pub use compare::{Compared, Difference, compare, take_in};
pub use course::{Before, Came};
pub use deployment::{
    DeedView, DeployStepView, DeploymentRow, DeploymentView, EndView, GateView, OwnerView,
    RefusedApproval, SignatureView,
};
pub use dora::{
    ChangeFailures, Deployed, Dora, Failed, Frequency, Mended, Recovered, Recovery, Rework, Week,
    dora,
};
pub use failing::{FAILING_COMMITS_MIN, FAILING_TIMES_MIN, FailingSeries, Tested, failing};
pub use filter::{RunFilter, RunState};
pub use gate::{AnswerKind, AnswerView, JobGateView};
pub use happened::{happened_at, moment_of};
pub use health::{Busy, Finished, Health, Repair, Waited, busy, health, queues};
pub use incident::{IncidentEnd, IncidentLine, IncidentSpan, IncidentView};
pub use job::{AnnotationView, ImageView, JobView, Loss, StepView, SummaryView};
pub use lead::{Known, LEAD_PARTS, LeadTime, Led, LeftOut, Omission};
pub use ledger::{Ledger, ReleaseLine, Running, ServiceLedger};
pub use length::{length, length_in_days};
pub use letters::{isolated, number_of, one_line, steers};
pub use news::{Failing, Found, News};
pub use pushed::Pushed;
pub use row::RunRow;
pub use run::{ArtifactView, JobCounts, Note, RunHeader, RunView};
pub use shipment::{COMMITS_PER_SHIPMENT_MAX, Course, Shipment};
pub use shipped::ShippedThere;
pub use shipping::{JobOver, ShippingJob, ShippingRun};
pub use size::{decimal_size, size_change};
pub use statistics::{SAMPLES_MIN, Share, Spread, Window};
pub use waterfall::{Part, PartKind, Waterfall, WaterfallRow, WaterfallStep};
