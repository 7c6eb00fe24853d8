//! What is known of a version.

use event::{Conclusion, ShippedBy, Timestamp, Verdict};
use serde::{Deserialize, Serialize};

use crate::notes::Notes;

/// A version's line in a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VersionLine {
    /// `owner/name`
    pub repository: String,
    /// `v1.2.3`
    pub tag: String,
    /// It comes before one: `v1.2.3-rc.1`.
    pub prerelease: bool,
    /// The commit that the tag leads to; where the tag is gone, led to.
    pub commit: String,
    /// Who pushed it, or else who made the tag; none where nobody says.
    pub by: Option<String>,
    /// When its first run was made, or else when the tag was.
    pub at_ms: Timestamp,
    /// Somebody took the tag away.
    pub gone: bool,
    /// How the runs ended that its push began.
    pub standing: Standing,
    /// What there is of it at GitHub; none where nothing is known there.
    pub github: Option<AtGitHub>,
}

/// The versions of a repository.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct VersionList {
    /// The highest first.
    pub versions: Vec<VersionLine>,
    /// Lower ones that do not stand there.
    pub left_out: usize,
    /// Events of the journal that are not counted yet: runs of versions may be among them.
    pub behind_events: u64,
}

/// How the runs of a version stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// One of them is not over.
    Open,
    /// All of them succeeded.
    Succeeded,
    /// One of them did not.
    Failed,
    /// Its push began none that the journal knows.
    NoRuns,
}

impl Standing {
    /// Its word, as programs read it.
    pub fn as_str(self) -> &'static str {
        match self {
            Standing::Open => "open",
            Standing::Succeeded => "succeeded",
            Standing::Failed => "failed",
            Standing::NoRuns => "no_runs",
        }
    }
}

/// The release of a version at GitHub.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum AtGitHub {
    /// This server made it.
    Made {
        /// By what GitHub knows it.
        id: u64,
        /// Its page.
        url: String,
    },
    /// Somebody else did: a person, or a step of a workflow. It is left alone.
    Others {
        /// Its page.
        url: String,
    },
    /// This server made it, and somebody took it away. It is not made again.
    TakenAway,
    /// GitHub did not take it.
    Refused {
        /// Why, and what to do.
        why: String,
    },
}

/// A version with all that came of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VersionRecord {
    /// As in a list.
    pub version: VersionLine,
    /// The tag of the version before it; none of the first.
    pub previous: Option<String>,
    /// What came with it.
    pub notes: Notes,
    /// The runs that its push began: of each workflow the newest.
    pub runs: Vec<RunOfVersion>,
    /// What those kept, by run and name.
    pub artifacts: Vec<VersionArtifact>,
    /// Artifacts that do not stand there.
    pub more_artifacts: usize,
    /// Where its commit went, the newest first.
    pub deployments: Vec<VersionDeployment>,
    /// Why there is no release of it at GitHub, and what to do for one; none where there is, or the repository is not
    /// known from there.
    pub no_release: Option<String>,
    /// Events of the journal that are not counted yet.
    pub behind_events: u64,
}

/// A run of a version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunOfVersion {
    /// `12.1`
    pub run: String,
    /// The workflow's file.
    pub workflow: String,
    /// How it ended; none while it goes on.
    pub conclusion: Option<Conclusion>,
}

/// Something that a run of a version kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionArtifact {
    /// `12.1`
    pub run: String,
    /// What it is called.
    pub name: String,
    /// How large it is.
    pub size_bytes: u64,
    /// When it goes.
    pub expires_at_ms: Timestamp,
}

/// Where a version's commit went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionDeployment {
    /// `41`, or `12.1` of jobs.
    pub by: ShippedBy,
    /// Where.
    pub environment: String,
    /// The service; of jobs the workflow's file.
    pub service: String,
    /// How it ended.
    pub verdict: Verdict,
    /// When.
    pub at_ms: Timestamp,
}

/// How runs stand together.
pub fn standing(runs: &[RunOfVersion]) -> Standing {
    let is_good = |it: &RunOfVersion| {
        matches!(it.conclusion, Some(Conclusion::Success | Conclusion::Skipped))
    };
    if runs.is_empty() {
        Standing::NoRuns
    } else if runs.iter().any(|it| it.conclusion.is_none()) {
        Standing::Open
    } else if runs.iter().all(is_good) {
        Standing::Succeeded
    } else {
        Standing::Failed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_stands_as_all_its_runs_do() {
        let check = |ends: &[Option<Conclusion>], expect: Standing| {
            let run = |conclusion: &Option<Conclusion>| RunOfVersion {
                run: "1.1".to_owned(),
                workflow: "ci.yml".to_owned(),
                conclusion: *conclusion,
            };
            let runs: Vec<RunOfVersion> = ends.iter().map(run).collect();
            assert_eq!(standing(&runs), expect, "{ends:?}");
        };
        let (good, bad) = (Some(Conclusion::Success), Some(Conclusion::Failure));
        check(&[], Standing::NoRuns);
        check(&[good, Some(Conclusion::Skipped)], Standing::Succeeded);
        check(&[good, bad], Standing::Failed);
        check(&[good, Some(Conclusion::Cancelled)], Standing::Failed);
        check(&[bad, None], Standing::Open);
    }
}
