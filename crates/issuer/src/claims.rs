//! What a token says, in GitHub's words.

use serde_json::{Value as Json, json};

/// Whom a token is about: the form that roles' trust policies compare with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// Who has the repository.
    pub owner: String,
    /// Its number, which stays when the name changes.
    pub owner_id: Option<String>,
    /// The repository.
    pub repository: String,
    /// Its number.
    pub repository_id: Option<String>,
    /// Where from, or where to.
    pub place: Place,
}

/// What stands behind the repository. A job that names an environment has that form only, whatever
/// its branch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// The environment that is deployed to.
    Environment(String),
    /// A branch or tag, as a full ref.
    Ref(String),
    /// A pull request.
    PullRequest,
}

impl Subject {
    /// `repo:planner-team/planner:environment:production`
    pub fn by_name(&self) -> String {
        format!("repo:{}/{}:{}", self.owner, self.repository, self.place.text())
    }

    /// `repo:planner-team@17/planner@42:environment:production`, as GitHub has it for repositories
    /// made or renamed since 2026-07-15. None where a number is not known.
    pub fn by_number(&self) -> Option<String> {
        let (owner_id, repository_id) = self.owner_id.as_ref().zip(self.repository_id.as_ref())?;
        let (owner, repository) = (&self.owner, &self.repository);
        let place = self.place.text();
        Some(format!("repo:{owner}@{owner_id}/{repository}@{repository_id}:{place}"))
    }
}

impl Place {
    fn text(&self) -> String {
        match self {
            // A colon separates: GitHub writes one in a name as `%3A`.
            Place::Environment(name) => format!("environment:{}", name.replace(':', "%3A")),
            Place::Ref(name) => format!("ref:{name}"),
            Place::PullRequest => "pull_request".to_owned(),
        }
    }
}

/// A token's content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    /// Who issues it: its URL.
    pub issuer: String,
    /// Whom it is for.
    pub audience: String,
    /// Whom it is about.
    pub subject: Subject,
    /// Whether the subject has the numbers, where they are known.
    pub is_by_number: bool,
    /// The commit that is shipped, where it is known.
    pub commit: Option<String>,
    /// Who asked for it.
    pub actor: String,
    /// What it is for: the deployment, or the run.
    pub run: String,
    /// What else is said: of a job what GitHub says of one.
    pub more: Vec<(&'static str, String)>,
}

/// How long a token is good for: it is used at once.
pub(crate) const LIVES_SECONDS: u64 = 300;
/// Clocks differ a little.
const BEFORE_SECONDS: u64 = 60;

impl Claims {
    /// As a token has them, issued at this second.
    pub(crate) fn json(&self, id: &str, now: u64) -> Json {
        let subject = &self.subject;
        let full_name = format!("{}/{}", subject.owner, subject.repository);
        // The form with numbers says more; a trust policy by names takes the other one.
        let mut said = json!({
            "iss": self.issuer,
            "aud": self.audience,
            "sub": subject.by_name(),
            "jti": id,
            "iat": now,
            "nbf": now.saturating_sub(BEFORE_SECONDS),
            "exp": now + LIVES_SECONDS,
            "repository": full_name,
            "repository_owner": subject.owner,
            "actor": self.actor,
            "event_name": "deployment",
            "run_id": self.run,
            "runner_environment": "self-hosted",
        });
        let more = [
            ("repository_id", subject.repository_id.clone()),
            ("repository_owner_id", subject.owner_id.clone()),
            ("sha", self.commit.clone()),
            (
                "environment",
                match &subject.place {
                    Place::Environment(name) => Some(name.clone()),
                    _ => None,
                },
            ),
            (
                "ref",
                match &subject.place {
                    Place::Ref(name) => Some(name.clone()),
                    _ => None,
                },
            ),
        ];
        for (key, value) in more {
            if let Some(value) = value {
                said[key] = value.into();
            }
        }
        for (key, value) in &self.more {
            said[*key] = value.as_str().into();
        }
        // As on GitHub for repositories made since 2026-07-15.
        if let Some(subject) = subject.by_number().filter(|_| self.is_by_number) {
            said["sub"] = subject.into();
        }
        said
    }
}
