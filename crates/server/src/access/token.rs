//! What a token is, whose, and what it is good for.

use event::{Digest, Timestamp};
use serde::{Deserialize, Serialize};

/// What programs' names begin with, where their tokens start something; nobody's login does.
pub(super) const MACHINE: &str = "machine:";
/// Names of runners, which stand in pages beside others.
const RUNNER_NAME_BYTES_MAX: usize = 60;
/// What a token is good for: a role. [`Scope::holds`] says what each may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Look at everything.
    Read,
    /// Also agree at gates, as the person that the token belongs to.
    Approve,
    /// Also run by hand, cancel and re-run.
    Operate,
    /// Also run by hand what names an environment.
    Deploy,
    /// Everything that people do.
    Admin,
    /// Take jobs, as the machine that the token is named after, and nothing else.
    Runner,
}

impl Scope {
    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Scope::Read => "read",
            Scope::Approve => "approve",
            Scope::Deploy => "deploy",
            Scope::Operate => "operate",
            Scope::Admin => "admin",
            Scope::Runner => "take jobs",
        }
    }
}

impl Scope {
    /// Whether it can be good in some environments alone.
    pub fn is_of_places(self) -> bool {
        matches!(self, Scope::Approve | Scope::Deploy)
    }

    /// Whether it is good for something. To agree is apart: who starts things does not agree to them
    /// with the same token.
    pub fn holds(self, needed: Scope) -> bool {
        match (self, needed) {
            (Scope::Runner, it) | (it, Scope::Runner) => it == Scope::Runner,
            (Scope::Admin, _) | (_, Scope::Read) => true,
            (own, Scope::Approve) => own == Scope::Approve,
            (own, Scope::Operate) => matches!(own, Scope::Operate | Scope::Deploy),
            (own, needed) => own == needed,
        }
    }
}

/// What somebody may, who has no token: a scope, or that scope in one environment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// What.
    pub scope: Scope,
    /// Where it is good for deploying and agreeing; none: everywhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// `owner/name`, and nothing of any other; none: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
}

impl Grant {
    /// What it gives, for people.
    pub fn words(&self) -> String {
        let place = self.environment.iter().map(|it| format!(" in {it}"));
        let of = self.repository.iter().map(|it| format!(" for {it}"));
        std::iter::once(self.scope.as_str().to_owned()).chain(place).chain(of).collect()
    }
}

/// Whose a token is to be, and what it is good for.
#[derive(Clone, Copy, Debug)]
pub struct Holder<'h> {
    /// What it may.
    pub scope: Scope,
    /// The login by which groups name its person; none: nobody's.
    pub person: Option<&'h str>,
    /// It is nobody's, and meant to be.
    pub is_machine: bool,
    /// What it sees, each as `owner/name`; none named: all.
    pub repositories: &'h [String],
    /// Where it is good for deploying and agreeing; none named: everywhere. Of nothing else ([`Scope::is_of_places`]).
    pub environments: &'h [String],
}

impl Holder<'_> {
    /// A program, everywhere.
    pub const fn program(scope: Scope) -> Holder<'static> {
        Holder { scope, person: None, is_machine: true, repositories: &[], environments: &[] }
    }
}

/// In which environments something may be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Places {
    /// In those; none at all where there are none.
    Only(Vec<String>),
    /// In all.
    Everywhere,
}

impl Places {
    /// Whether an environment is one of them. Names of environments are the same in any case.
    pub fn have(&self, environment: &str) -> bool {
        match self {
            Places::Only(names) => names.iter().any(|it| it.eq_ignore_ascii_case(environment)),
            Places::Everywhere => true,
        }
    }
}

/// Of a session without a token: who proved to whom who they are, and what that gives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// The provider.
    pub issuer: String,
    /// Who they are there.
    pub subject: String,
    /// What they may.
    pub grants: Vec<Grant>,
    /// Of the rules that gave it. Under others it is good for nothing.
    pub rules: Digest,
}

/// What a runner may be called: it stands in addresses, and in files' names.
pub fn is_runner_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    (1..=RUNNER_NAME_BYTES_MAX).contains(&name.len())
        && name.bytes().all(plain)
        && !name.starts_with('.')
}

/// A token, as it is kept: without its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// What it is revoked by.
    pub id: String,
    /// What it is for, in a person's words.
    pub name: String,
    /// What it may do.
    pub scope: Scope,
    /// Whose it is: the login by which groups name them. None: nobody's, a program's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<String>,
    /// It is no person's, and somebody said so.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_machine: bool,
    /// The only repositories that it is good for, each as `owner/name`; none: all, and the server itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub repositories: Vec<String>,
    /// The only environments that it deploys to, or agrees in; none: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub environments: Vec<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
    /// The token that it was made with, over HTTP: it ends with that one. None: made where the server runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made_with: Option<String>,
    /// Of a session: the token that it was begun with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) parent: Option<String>,
    /// Of a session that was begun with none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<Proof>,
    /// Of its secret.
    pub(super) digest: Digest,
}

impl Token {
    /// Whether it is good for something, at least in one environment.
    pub fn holds(&self, needed: Scope) -> bool {
        match &self.proof {
            Some(proof) => proof.grants.iter().any(|it| it.scope.holds(needed)),
            None => self.scope.holds(needed),
        }
    }

    /// In which environments it is good for something.
    pub fn places(&self, needed: Scope) -> Places {
        let Some(proof) = &self.proof else {
            return match (self.scope.holds(needed), self.environments.as_slice()) {
                (false, _) => Places::Only(Vec::new()),
                (true, []) => Places::Everywhere,
                (true, names) => Places::Only(names.to_vec()),
            };
        };
        let grants = || proof.grants.iter().filter(|it| it.scope.holds(needed));
        if grants().any(|it| it.environment.is_none()) {
            return Places::Everywhere;
        }
        Places::Only(grants().filter_map(|it| it.environment.clone()).collect())
    }

    /// Who asks with it, as journals and gates know them: the person's login, what somebody is called who
    /// signed in without one, or the program by its token's name. The last is no login's: whoever names a
    /// token after somebody starts nothing in their name.
    pub fn asker(&self) -> String {
        match (&self.person, &self.proof) {
            (Some(person), _) => person.clone(),
            (None, Some(_)) => self.name.clone(),
            (None, None) => format!("{MACHINE}{}", self.name),
        }
    }

    /// Whose it is, told apart from everybody else's: a person's, whichever token or session they come with,
    /// or that one token's. Names of tokens are not: two may have the same.
    pub(crate) fn holder(&self) -> String {
        match (&self.person, &self.proof) {
            (Some(person), _) => format!("person {}", person.to_lowercase()),
            (None, Some(proof)) => format!("subject {} of {}", proof.subject, proof.issuer),
            (None, None) => format!("token {}", self.of_token()),
        }
    }

    /// The token that somebody has who asks with it: itself, or of a session the one that it was begun with.
    pub(crate) fn of_token(&self) -> &str {
        self.parent.as_ref().unwrap_or(&self.id)
    }

    /// What it is good for, for people.
    pub fn may(&self) -> String {
        match &self.proof {
            Some(proof) => proof.grants.iter().map(Grant::words).collect::<Vec<_>>().join(", "),
            None => bounded(self.scope.as_str(), &self.environments, &self.repositories),
        }
    }
}

/// What a token is good for, for people: `deploy in staging for octo/app`.
pub(crate) fn bounded(scope: &str, environments: &[String], repositories: &[String]) -> String {
    let named = |word: &str, names: &[String]| match names {
        [] => String::new(),
        names => format!(" {word} {}", names.join(", ")),
    };
    [scope, &named("in", environments), &named("for", repositories)].concat()
}

/// Whether a name is one of a program. Logins are the same in any case.
pub fn is_of_machine(name: &str) -> bool {
    name.get(..MACHINE.len()).is_some_and(|it| it.eq_ignore_ascii_case(MACHINE))
}
