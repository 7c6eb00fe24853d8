//! What settings want of pipelines, as the numbers take it.

use figures::{Goals, Wanted};
use settings::Settings;

/// The goals of settings; without any, what is usual.
pub(crate) fn of(settings: &Settings) -> Goals {
    let Some(goals) = &settings.goals else { return Goals::default() };
    let workflows = goals.workflows.iter();
    Goals {
        all: wanted(goals),
        workflows: workflows.map(|(name, of)| (name.to_string(), wanted(of))).collect(),
    }
}

fn wanted(goals: &settings::Goals) -> Wanted {
    let ms = |it: std::time::Duration| u64::try_from(it.as_millis()).unwrap_or(u64::MAX);
    Wanted {
        success_percent: goals.success,
        duration_ms: goals.duration.map(ms),
        queue_ms: goals.queue.map(ms),
        repair_ms: goals.repair.map(ms),
    }
}
