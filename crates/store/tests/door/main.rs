//! The store at its door. One binary, so that it is linked once.

#![expect(clippy::unwrap_used, reason = "bodies of tests, which on_each_engine! makes of them")]

mod blobs;
mod chain;
#[cfg(feature = "postgres")]
mod cluster;
mod engines;
mod errors;
mod folds;
mod holes;
mod journal;
mod outbox;
#[cfg(feature = "postgres")]
mod postgres;
mod processes;
mod webhooks;

use event::{Attempt, Conclusion, JobKey, RunEvent, RunId, StreamId, Timestamp};

/// A time; the store takes it from its caller.
const NOW: Timestamp = Timestamp(1_767_225_600_000);

fn run(number: u64) -> StreamId {
    StreamId::Run(RunId(number), Attempt(1))
}

fn ready(job: &str) -> RunEvent {
    RunEvent::JobReady { job: JobKey::new(job), at: NOW }
}

fn completed() -> RunEvent {
    RunEvent::RunCompleted { conclusion: Conclusion::Success, at: NOW }
}

/// An error with all its sources, and the folder's name taken out.
fn story(error: &dyn std::error::Error, folder: &std::path::Path) -> String {
    let mut story = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        story.push_str(&format!("\n  because: {error}"));
        source = error.source();
    }
    story.replace(&folder.display().to_string(), "FOLDER")
}
