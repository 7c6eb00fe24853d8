//! What somebody is told, before it is known how.

use event::Timestamp;
use serde::{Deserialize, Serialize};

/// The longest fact that is told: titles and branches of outsiders may be of any length.
const FACT_CHARS_MAX: usize = 300;

/// What may be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Occasion {
    /// A deployment was asked for: it is coming.
    Requested,
    /// A gate is shut.
    Waiting,
    /// A deployment begins to change something.
    Started,
    /// It succeeded.
    Succeeded,
    /// It failed.
    Failed,
    /// It failed, and what ran before runs again.
    RolledBack,
    /// Going back failed too.
    RollbackStuck,
    /// A rule forbade it.
    Refused,
    /// A person ended it before its first change.
    Cancelled,
    /// Another deployment took its place.
    Superseded,
    /// A run succeeded.
    RunSucceeded,
    /// A run failed.
    RunFailed,
    /// A run was ended.
    RunCancelled,
    /// A job waits for a person: an approval, or because it was lost.
    RunWaiting,
    /// Tests of the default branch fail repeatedly.
    TestsFailing,
    /// A scan of the default branch found what the one before did not.
    VulnerabilityFound,
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// Somebody has to act now.
    Critical,
    /// It went wrong.
    Error,
    /// Somebody should look.
    Warning,
    /// Good to know.
    Info,
}

impl Severity {
    /// As PagerDuty calls it.
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Critical => "critical",
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Info => "info",
        }
    }
}

impl Occasion {
    const ALL: [Occasion; 16] = [
        Occasion::Requested,
        Occasion::Waiting,
        Occasion::Started,
        Occasion::Succeeded,
        Occasion::Failed,
        Occasion::RolledBack,
        Occasion::RollbackStuck,
        Occasion::Refused,
        Occasion::Cancelled,
        Occasion::Superseded,
        Occasion::RunSucceeded,
        Occasion::RunFailed,
        Occasion::RunCancelled,
        Occasion::RunWaiting,
        Occasion::TestsFailing,
        Occasion::VulnerabilityFound,
    ];

    /// As it stands in settings and in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Occasion::Requested => "requested",
            Occasion::Waiting => "waiting",
            Occasion::Started => "started",
            Occasion::Succeeded => "succeeded",
            Occasion::Failed => "failed",
            Occasion::RolledBack => "rolled_back",
            Occasion::RollbackStuck => "rollback_stuck",
            Occasion::Refused => "refused",
            Occasion::Cancelled => "cancelled",
            Occasion::Superseded => "superseded",
            Occasion::RunSucceeded => "run_succeeded",
            Occasion::RunFailed => "run_failed",
            Occasion::RunCancelled => "run_cancelled",
            Occasion::RunWaiting => "run_waiting",
            Occasion::TestsFailing => "tests_failing",
            Occasion::VulnerabilityFound => "vulnerability_found",
        }
    }

    /// By its word; none where it is none.
    pub fn parse(word: &str) -> Option<Occasion> {
        Occasion::ALL.into_iter().find(|it| it.as_str() == word)
    }

    /// How bad it is.
    pub fn severity(self) -> Severity {
        match self {
            Occasion::RollbackStuck => Severity::Critical,
            Occasion::Failed
            | Occasion::RolledBack
            | Occasion::RunFailed
            | Occasion::TestsFailing => Severity::Error,
            Occasion::Refused
            | Occasion::Waiting
            | Occasion::RunWaiting
            | Occasion::VulnerabilityFound => Severity::Warning,
            _ => Severity::Info,
        }
    }

    /// Whether what went wrong before is over with it.
    pub fn heals(self) -> bool {
        matches!(self, Occasion::Succeeded | Occasion::RunSucceeded)
    }

    /// Whether only the runs before it say so.
    pub fn is_news(self) -> bool {
        matches!(self, Occasion::TestsFailing | Occasion::VulnerabilityFound)
    }

    /// Whether it is about a run, not about a deployment.
    pub fn is_of_run(self) -> bool {
        matches!(
            self,
            Occasion::RunSucceeded
                | Occasion::RunFailed
                | Occasion::RunCancelled
                | Occasion::RunWaiting
        ) || self.is_news()
    }
}

/// What somebody is told. Kept in the outbox: nothing secret is in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Of what.
    pub occasion: Occasion,
    /// What goes wrong and is well again: an environment, a workflow on a branch.
    pub subject: String,
    /// One line that says it.
    pub title: String,
    /// One fact each.
    pub facts: Vec<String>,
    /// The page about it, where there is one.
    pub link: Option<String>,
    /// When it happened.
    pub at: Timestamp,
}

/// One line without what steers a terminal, hides, or turns text around; cut where it is long.
pub(crate) fn clean(text: &str) -> String {
    let shown = |it: char| {
        let is_hidden = matches!(it,
            '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}');
        if it.is_control() || is_hidden || matches!(it, '\u{2028}' | '\u{2029}') { ' ' } else { it }
    };
    let mut kept: String = text.chars().take(FACT_CHARS_MAX).map(shown).collect();
    if text.chars().nth(FACT_CHARS_MAX).is_some() {
        kept.push('…');
    }
    kept.trim().to_owned()
}
