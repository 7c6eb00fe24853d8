//! What a server found in the logs of a run.

use event::JobKey;
use serde::Deserialize;
use views::RunView;

use super::{Client, percent};
use crate::exit::Failure;

/// What was found, log by log.
#[derive(Debug, Deserialize)]
pub(crate) struct LogSearch {
    logs: Vec<LogFound>,
    /// Logs that have it and of which nothing is told.
    logs_not_shown: u64,
    /// Logs that nobody looked at, or not to their end.
    logs_not_searched: u64,
}

/// What was found in one of them.
#[derive(Debug, Deserialize)]
pub(crate) struct LogFound {
    job: JobKey,
    /// Of a background step, which has a log of its own, its number.
    aside: Option<u32>,
    count: u64,
    lines: Vec<LineFound>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct LineFound {
    pub(crate) line: u64,
    pub(crate) text: String,
    /// What is left off at its end. A server of before does not tell.
    #[serde(default)]
    cut_bytes: u64,
}

impl LogSearch {
    /// Whether all logs were looked through, and each is told of that has it.
    pub(crate) fn is_whole(&self) -> bool {
        self.logs_not_shown == 0 && self.logs_not_searched == 0
    }

    /// What was found in the log of a job, or of one of its background steps.
    pub(crate) fn log(&self, job: &JobKey, aside: Option<u32>) -> Option<&LogFound> {
        self.logs.iter().find(|it| it.job == *job && it.aside == aside)
    }
}

impl LogFound {
    /// The lines, where all of them are told, each to its end.
    pub(crate) fn lines(&self) -> Option<&[LineFound]> {
        let is_whole = self.lines.iter().all(|it| it.cut_bytes == 0);
        (is_whole && self.lines.len() as u64 == self.count).then_some(&self.lines)
    }
}

impl Client {
    /// Has the server look through the logs of a run, or of one of its jobs. None of a server of an earlier version,
    /// which does not.
    pub(crate) fn search(
        &self,
        view: &RunView,
        job: Option<&JobKey>,
        (text, is_pattern): (&str, bool),
    ) -> Result<Option<LogSearch>, Failure> {
        let (run, attempt) = (view.header.run, view.header.attempt);
        let job = job.map(|it| format!("&job={}", percent(it.as_str()))).unwrap_or_default();
        let re = if is_pattern { "&re=1" } else { "" };
        let q = percent(text);
        let response = self.call(&format!("/api/v1/runs/{run}.{attempt}/search?q={q}{re}{job}"))?;
        if response.status() == 404 {
            return Ok(None);
        }
        self.decoded(self.done(response)?).map(Some)
    }
}
