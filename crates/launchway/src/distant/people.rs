//! Who may use a server: its tokens, and people who signed in to it by the provider.

use serde::Deserialize;
use serde_json::{Value as Json, json};
use server::{PersonLine, Reason, Scope, TokenLine};

use super::deeds::add;
use super::{Client, percent};
use crate::exit::{Exit, Failure};

#[derive(Deserialize)]
struct Tokens {
    tokens: Vec<TokenLine>,
}

#[derive(Deserialize)]
struct People {
    people: Vec<PersonLine>,
}

#[derive(Deserialize)]
struct Made {
    token: TokenLine,
    secret: String,
}

#[derive(Deserialize)]
struct Ended {
    name: String,
    sessions: usize,
}

fn read<T: for<'d> Deserialize<'d>>(answer: Json) -> Result<T, Failure> {
    serde_json::from_value(answer).map_err(|error| Failure::caused(Exit::Missing, error))
}

impl Client {
    /// Its tokens, as far as whoever asks looks after them.
    pub(crate) fn tokens(&self) -> Result<Vec<TokenLine>, Failure> {
        let all: Tokens = self.get("/api/v1/tokens")?;
        Ok(all.tokens)
    }

    /// Makes one of whoever asks; what is kept of it, and what it is.
    pub(crate) fn create_token(
        &self,
        name: &str,
        scope: Scope,
        (repositories, environments): (&[String], &[String]),
        (days, reason): (u32, &Reason),
    ) -> Result<(TokenLine, String), Failure> {
        let mut wish =
            json!({ "name": name, "scope": scope, "repositories": repositories, "days": days });
        // A server of a version before refuses the word, and so makes none without the bounds.
        if !environments.is_empty() {
            wish["environments"] = json!(environments);
        }
        add(&mut wish, reason);
        let made: Made = read(self.post("/api/v1/tokens", None, &wish)?)?;
        Ok((made.token, made.secret))
    }

    /// Ends a token.
    pub(crate) fn revoke_token(&self, id: &str, reason: &Reason) -> Result<(), Failure> {
        self.delete(&format!("/api/v1/tokens/{}", percent(id)), reason).map(drop)
    }

    /// Who signed in by the provider.
    pub(crate) fn people(&self) -> Result<Vec<PersonLine>, Failure> {
        let all: People = self.get("/api/v1/people")?;
        Ok(all.people)
    }

    /// Ends somebody's sessions; what they are called, and how many these were.
    pub(crate) fn end_sessions(
        &self,
        name: &str,
        reason: &Reason,
    ) -> Result<(String, usize), Failure> {
        let path = format!("/api/v1/people/{}/revoke", percent(name));
        let ended: Ended = read(self.deed(&path, reason)?)?;
        Ok((ended.name, ended.sessions))
    }

    /// Ends somebody's sessions and forgets whose the name is; what they are called, and how many these were.
    pub(crate) fn forget_person(
        &self,
        name: &str,
        reason: &Reason,
    ) -> Result<(String, usize), Failure> {
        let ended: Ended =
            read(self.delete(&format!("/api/v1/people/{}", percent(name)), reason)?)?;
        Ok((ended.name, ended.sessions))
    }
}
