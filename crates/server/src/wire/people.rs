//! Tokens and people, as `tokens list` and `people list --format json` write them.

use event::Timestamp;
use serde::{Deserialize, Serialize};

use crate::access::{Token, bounded};
use crate::people::Person;

/// A token, without what it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TokenLine {
    /// What it is revoked by.
    pub id: String,
    /// What it is for, in a person's words.
    pub name: String,
    /// What it may do.
    pub scope: String,
    /// Whose it is; none: nobody's.
    pub person: Option<String>,
    /// It is a program's, and meant to be.
    pub machine: bool,
    /// The only repositories that it is good for; none: all, and the server itself.
    pub repositories: Vec<String>,
    /// The only environments that it deploys to, or agrees in; none: all. A server of a version before says none.
    #[serde(default)]
    pub environments: Vec<String>,
    /// The token that it was made with, and ends with; none: it was made where the server runs.
    pub made_with: Option<String>,
    /// When it was made.
    pub created_at_ms: Timestamp,
    /// When it ends.
    pub expires_at_ms: Timestamp,
}

/// Somebody who signed in by the provider.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PersonLine {
    /// What they are called.
    pub name: String,
    /// The provider.
    pub issuer: String,
    /// Who they are there.
    pub subject: String,
    /// When they signed in first.
    pub first_at_ms: Timestamp,
    /// When they did last.
    pub last_at_ms: Timestamp,
    /// Their sessions that are not over, the oldest first.
    pub sessions: Vec<SessionLine>,
}

/// A session of theirs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SessionLine {
    /// Its id.
    pub id: String,
    /// What it is good for, in words.
    pub may: String,
    /// The login by which groups name them.
    pub person: Option<String>,
    /// When it was begun.
    pub created_at_ms: Timestamp,
    /// When it ends.
    pub expires_at_ms: Timestamp,
}

impl From<&Token> for TokenLine {
    fn from(token: &Token) -> TokenLine {
        TokenLine {
            id: token.id.clone(),
            name: token.name.clone(),
            scope: token.scope.as_str().to_owned(),
            person: token.person.clone(),
            machine: token.is_machine,
            repositories: token.repositories.clone(),
            environments: token.environments.clone(),
            made_with: token.made_with.clone(),
            created_at_ms: token.created_at,
            expires_at_ms: token.expires_at,
        }
    }
}

impl TokenLine {
    /// What it is good for, for people.
    pub fn may(&self) -> String {
        bounded(&self.scope, &self.environments, &self.repositories)
    }
}

impl PersonLine {
    /// Somebody with their sessions.
    pub fn of(person: &Person, sessions: &[Token]) -> PersonLine {
        let session = |it: &Token| SessionLine {
            id: it.id.clone(),
            may: it.may(),
            person: it.person.clone(),
            created_at_ms: it.created_at,
            expires_at_ms: it.expires_at,
        };
        PersonLine {
            name: person.name.clone(),
            issuer: person.issuer.clone(),
            subject: person.subject.clone(),
            first_at_ms: person.first_at,
            last_at_ms: person.last_at,
            sessions: sessions.iter().map(session).collect(),
        }
    }
}
