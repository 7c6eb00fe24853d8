//! The numbers: how often is deployed, how long that takes, how well the pipelines do.
//!
//! ```text
//! journal ── what ended behind the cursor ──▶ views (one stream at a time) ──▶ rows in figures.db
//!                                                                               │
//!              Report ◀── views::dora, views::health, over a window ◀───────────┘
//! ```
//!
//! A run or a deployment is folded once, when it is over, an incident whenever something happened in it; its rows
//! and the cursor are written in one transaction. Nothing is folded from the first event but the first time, and what is held in memory
//! is one stream, then the rows of the window that is asked about. Every row names its stream and the
//! numbers of the events that it came from.
//!
//! Jobs that name an environment are deployments, too: they are taken in when they are over, while their run goes
//! on. Of which kind each is, and which commits came with it, is decided then, by what was there before; for that,
//! what pushes bring is kept when their runs begin.
//!
//! What a run kept as artifacts is looked through for reports of tests, coverage and scans, once, at the same
//! time; their rows say which tests do not always say the same, and what is news with a run.
//!
//! `figures.db` lies beside the journal. It can be deleted: it is made again from what the journal
//! still has. What `prune` took from the journal stays in it.

mod collect;
mod course;
mod database;
mod error;
mod findings;
mod flag;
mod fold;
mod goals;
mod heirs;
mod held;
mod images;
mod incidents;
mod jobs;
mod newest;
mod news;
mod query;
mod readers;
mod ready;
mod report;
mod report_part;
mod scans;
mod series;
mod shipments;
mod shipping;
mod since;
mod slow_tests;
mod standing;
mod tagged;
mod tally;
mod test_results;

pub use database::Figures;
pub use error::FiguresError;
pub use findings::{FoundCount, LastScan, OpenFinding, RunFinding, RunScan, RunScans};
pub use fold::Caught;
pub use goals::{Goal, Goals, Wanted};
pub use held::CoverageKept;
pub use images::{ImageRun, ImageSeries, KeptImage, RunImage, RunImages};
pub use newest::{NewestByJobs, NewestOfEach};
pub use query::{Asked, is_production};
pub use ready::oldest_ready;
pub use report::{
    Deliveries, Delivery, DeliveryWeek, Deployment, Duration, Failures, FrequencyFigure, Incident,
    LeadPart, LeadTimes, LedCommit, LedParts, LeftOutCommit, Load, OldestReady, Pipeline,
    PipelineFailure, PipelineRepair, Queue, Rate, RecoveredFrom, RecoveryFigure, Red, Report,
    ReworkFigure, Slow,
};
pub use report_part::ReportPart;
pub use series::{FlagLines, Series, SeriesRun};
pub use since::{NoWindow, window};
pub use slow_tests::SlowTest;
pub use tagged::{CommitShipped, TagRun};
pub use tally::{Histogram, Tally};
pub use test_results::{
    CoverageBefore, CoveredFile, Disagreement, FlagFigures, Flaky, ReportFile, RunCoverage,
    RunTests, TestCounts, TestResult,
};
