//! Labels whose jobs run without walls, as whoever serves, and the jobs that may have them. That is the
//! administrator's word alone: nothing that stands in a repository changes it, and code of a fork is never among
//! them.
//!
//! A job that asks for such a label and may not have it gets no machine. It waits and says so, as one whose label
//! nobody has.

use std::fmt;
use std::str::FromStr;

use event::RunRequest;
use mask::MaskedText;
use syntax::Span;
use workflow::{Pattern, PatternError};

use crate::state::Node;

/// A label of `runs-on` whose jobs run without walls, and what it is for. One label may be there several times.
///
/// In words: `LABEL[=OWNER/NAME][:WHICH]`, or `LABEL=everything`; [`fmt::Display`] gives them back.
#[derive(Clone, Debug)]
pub struct TrustedLabel {
    /// The label; compared in any case.
    pub label: String,
    /// The only repository that it is for, as `owner/name`; none: every one that is connected.
    pub repository: Option<String>,
    /// For which of its jobs.
    pub jobs: TrustedJobs,
}

/// Jobs of a repository that may have a trusted label.
#[derive(Clone, Debug)]
pub enum TrustedJobs {
    /// Those of the default branch, and those that people agreed to at the gate of an environment.
    Guarded,
    /// Those of these branches.
    Branches(Pattern),
    /// Those of these tags.
    Tags(Pattern),
    /// Those that run in this environment: its rules let them in.
    Environment(String),
    /// All but those of forks.
    Everything,
}

/// Why a text names no trusted label.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TrustedLabelError {
    /// Nothing before `=`.
    #[error("it names no label; {FORMS}")]
    NoLabel,
    /// What follows `=` is not the name of a repository.
    #[error("`{0}` is no repository; {FORMS}")]
    Repository(String),
    /// What follows the repository.
    #[error("`{0}` says of no jobs which they are; {FORMS}")]
    Jobs(String),
    /// A pattern of branches or tags.
    #[error("`{text}`: {source}")]
    Pattern {
        /// As written.
        text: String,
        /// What is wrong with it.
        source: PatternError,
    },
}

/// What can be said.
const FORMS: &str = "deploy=octo/app, deploy=octo/app:environment:production, deploy=octo/app:branch:main, \
                     deploy=octo/app:tag:v*, or deploy=everything";
const EVERYTHING: &str = "everything";

impl FromStr for TrustedLabel {
    type Err = TrustedLabelError;

    fn from_str(text: &str) -> Result<TrustedLabel, TrustedLabelError> {
        let (label, whose) = match text.split_once('=') {
            Some((label, whose)) => (label, Some(whose)),
            None => (text, None),
        };
        if label.trim().is_empty() {
            return Err(TrustedLabelError::NoLabel);
        }
        let of = |repository, jobs| Ok(TrustedLabel { label: label.to_owned(), repository, jobs });
        let (name, which) = match whose {
            None => return of(None, TrustedJobs::Guarded),
            Some(EVERYTHING) => return of(None, TrustedJobs::Everything),
            Some(whose) => match whose.split_once(':') {
                Some((name, which)) => (name, Some(which)),
                None => (whose, None),
            },
        };
        let is_part = |it: &str| !it.is_empty() && !it.contains(['/', ' ', '*']);
        if !name.split_once('/').is_some_and(|(owner, name)| is_part(owner) && is_part(name)) {
            return Err(TrustedLabelError::Repository(name.to_owned()));
        }
        let jobs = which.map_or(Ok(TrustedJobs::Guarded), TrustedJobs::read)?;
        of(Some(name.to_owned()), jobs)
    }
}

impl TrustedJobs {
    fn read(text: &str) -> Result<TrustedJobs, TrustedLabelError> {
        let unknown = || TrustedLabelError::Jobs(text.to_owned());
        if text == EVERYTHING {
            return Ok(TrustedJobs::Everything);
        }
        let (kind, name) = text.split_once(':').ok_or_else(unknown)?;
        let pattern = || {
            let failed = |source| TrustedLabelError::Pattern { text: name.to_owned(), source };
            let pattern = Pattern::parse(name, Span::default()).map_err(failed)?;
            // What is taken away has to be in something that is given.
            if pattern.is_negative() { Err(unknown()) } else { Ok(pattern) }
        };
        match kind {
            "branch" => pattern().map(TrustedJobs::Branches),
            "tag" => pattern().map(TrustedJobs::Tags),
            "environment" if !name.trim().is_empty() => {
                Ok(TrustedJobs::Environment(name.to_owned()))
            }
            _ => Err(unknown()),
        }
    }

    /// For people, as what the label is given to.
    pub fn words(&self) -> String {
        match self {
            TrustedJobs::Guarded => {
                "the default branch, and jobs that people agreed to at a gate".to_owned()
            }
            TrustedJobs::Branches(pattern) => format!("the branches {}", pattern.text()),
            TrustedJobs::Tags(pattern) => format!("the tags {}", pattern.text()),
            TrustedJobs::Environment(name) => format!("the environment {name}"),
            TrustedJobs::Everything => "everything but code of forks".to_owned(),
        }
    }
}

impl fmt::Display for TrustedLabel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.label)?;
        match &self.repository {
            None if matches!(self.jobs, TrustedJobs::Everything) => {
                return write!(f, "={EVERYTHING}");
            }
            None => return Ok(()),
            Some(repository) => write!(f, "={repository}")?,
        }
        match &self.jobs {
            TrustedJobs::Guarded => Ok(()),
            TrustedJobs::Branches(pattern) => write!(f, ":branch:{}", pattern.text()),
            TrustedJobs::Tags(pattern) => write!(f, ":tag:{}", pattern.text()),
            TrustedJobs::Environment(name) => write!(f, ":environment:{name}"),
            TrustedJobs::Everything => write!(f, ":{EVERYTHING}"),
        }
    }
}

impl TrustedLabel {
    /// Whether it is this label.
    pub fn is(&self, label: &str) -> bool {
        self.label.eq_ignore_ascii_case(label)
    }

    /// Whether it is for jobs of a run's repository.
    fn is_for(&self, request: &RunRequest) -> bool {
        self.repository.as_deref().is_none_or(|it| *it == *request.repository)
    }

    /// Whether a job may have it.
    fn lets(&self, request: &RunRequest, node: &Node) -> bool {
        if !self.is_for(request) {
            return false;
        }
        let git_ref = &*request.event.git_ref;
        // Who opens a pull request brings text of their own, whatever it is said to be of.
        let is_pull = request.event.name.starts_with("pull_request");
        let is_of = |prefix: &str, fits: &dyn Fn(&str) -> bool| {
            !is_pull && git_ref.strip_prefix(prefix).is_some_and(fits)
        };
        match &self.jobs {
            TrustedJobs::Everything => true,
            TrustedJobs::Guarded => {
                let default = request.event.default_branch();
                node.agreed || is_of("refs/heads/", &|name| Some(name) == default)
            }
            TrustedJobs::Branches(pattern) => is_of("refs/heads/", &|name| pattern.fits(name)),
            TrustedJobs::Tags(pattern) => is_of("refs/tags/", &|name| pattern.fits(name)),
            TrustedJobs::Environment(name) => {
                let own = node.definition.as_ref().and_then(|it| it.environment.as_ref());
                request.terms.gated && own.is_some_and(|it| it.as_str().eq_ignore_ascii_case(name))
            }
        }
    }
}

/// A trusted label that a job asks for, and may not have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Untrusted {
    /// The label, as the job asks for it.
    pub label: String,
    /// Whether it is code of a fork, which none is given.
    pub is_fork: bool,
    /// What of the job's repository it is given to, in words.
    pub given: Vec<String>,
}

/// The first trusted label that a job asks for and may not have.
pub(crate) fn untrusted(
    trusted: &[TrustedLabel],
    request: &RunRequest,
    node: &Node,
) -> Option<Untrusted> {
    let runner = node.definition.as_ref().and_then(|it| it.runner.as_ref())?;
    runner.labels.iter().map(MaskedText::as_str).find_map(|label| {
        let of: Vec<&TrustedLabel> = trusted.iter().filter(|it| it.is(label)).collect();
        let is_fork = request.terms.outside;
        // Where every job has it, a fork's runs too, behind walls: those that whoever starts it puts up.
        let is_everybodys = |it: &&TrustedLabel| matches!(it.jobs, TrustedJobs::Everything);
        let is_let = |it: &&TrustedLabel| it.lets(request, node) && (!is_fork || is_everybodys(it));
        if of.is_empty() || of.iter().any(is_let) {
            return None;
        }
        let given = of.iter().filter(|it| it.is_for(request)).map(|it| it.jobs.words()).collect();
        Some(Untrusted { label: label.to_owned(), is_fork, given })
    })
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    #[test]
    fn what_can_be_said_of_a_label_is_said_back() {
        for text in [
            "deploy",
            "deploy=everything",
            "deploy=octo/app",
            "deploy=octo/app:everything",
            "deploy=octo/app:branch:release/**",
            "deploy=octo/app:tag:v*",
            "deploy=octo/app:environment:production eu",
        ] {
            assert_eq!(text.parse::<TrustedLabel>().expect(text).to_string(), text);
        }
    }

    #[test]
    fn what_says_nothing_is_refused() {
        let check = |text: &str, expect: Expect| {
            let error = text.parse::<TrustedLabel>().expect_err(text).to_string();
            expect.assert_eq(error.split("; deploy=").next().unwrap_or_default());
        };
        check("", expect!["it names no label"]);
        check("=octo/app", expect!["it names no label"]);
        check("deploy=", expect!["`` is no repository"]);
        check("deploy=app", expect!["`app` is no repository"]);
        check("deploy=octo/*", expect!["`octo/*` is no repository"]);
        check("deploy=octo/app/x", expect!["`octo/app/x` is no repository"]);
        check("deploy=octo/app:", expect!["`` says of no jobs which they are"]);
        check("deploy=octo/app:main", expect!["`main` says of no jobs which they are"]);
        check("deploy=octo/app:branch:", expect!["``: the pattern is empty"]);
        check("deploy=octo/app:branch:[", expect!["`[`: `[` is not closed"]);
        check(
            "deploy=octo/app:branch:!main",
            expect!["`branch:!main` says of no jobs which they are"],
        );
        check(
            "deploy=octo/app:environment:",
            expect!["`environment:` says of no jobs which they are"],
        );
    }
}
