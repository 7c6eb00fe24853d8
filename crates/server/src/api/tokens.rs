//! Who may use the server: tokens, and people who signed in by the provider.
//!
//! Whoever may administer hears of tokens, ends them, and makes some of their own: for themselves alone, for no
//! longer than what they ask with, and for no more than they may. A token of another person, or of a program where a
//! person asks, would be somebody else who agrees to what they started.

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use axum::{Extension, Json};
use event::Timestamp;
use serde::Deserialize;
use serde_json::{Value as JsonValue, json};

use super::Operation;
use super::openapi::{many, number, object, or_null, text, yes_no};
use crate::access::{AccessError, Holder, Scope, Token};
use crate::app::{App, Shared, blocking};
use crate::audit;
use crate::guard::Who;
use crate::people::Person;
use crate::problem::Problem;
use crate::reason::{Because, Reason};
use crate::wire::{PersonLine, TokenLine};

/// As long as a token lasts on the machine itself.
const DAYS_MAX: u64 = 3_650;
const DAYS: u64 = 90;
const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

/// Operations about them.
pub(super) const OPERATIONS: &[Operation] = &[
    Operation {
        method: "get",
        path: "/api/v1/tokens",
        id: "listTokens",
        summary: "Tokens, oldest first, without what they are",
        scope: Scope::Admin,
        query: &[],
        body: None,
        answer: (200, "TokenList"),
        route: || get(list),
    },
    Operation {
        method: "post",
        path: "/api/v1/tokens",
        id: "createToken",
        summary: "Make a token of whoever asks, shown this once: it may no more than the one that it is made with, in no other repository and for no longer",
        scope: Scope::Admin,
        query: &[],
        body: Some("TokenWish"),
        answer: (201, "MadeToken"),
        route: || post(create),
    },
    Operation {
        method: "delete",
        path: "/api/v1/tokens/{id}",
        id: "revokeToken",
        summary: "End a token, with the sessions begun and the tokens made with it, at once",
        scope: Scope::Admin,
        query: &[],
        body: Some("Because"),
        answer: (200, "Token"),
        route: || delete(revoke),
    },
    Operation {
        method: "get",
        path: "/api/v1/people",
        id: "listPeople",
        summary: "Who signed in by the provider, and their sessions",
        scope: Scope::Admin,
        query: &[],
        body: None,
        answer: (200, "PersonList"),
        route: || get(people),
    },
    Operation {
        method: "post",
        path: "/api/v1/people/{name}/revoke",
        id: "revokePerson",
        summary: "End somebody's sessions, at once; they can sign in again",
        scope: Scope::Admin,
        query: &[],
        body: Some("Because"),
        answer: (200, "EndedSessions"),
        route: || post(end_sessions),
    },
    Operation {
        method: "delete",
        path: "/api/v1/people/{name}",
        id: "forgetPerson",
        summary: "End somebody's sessions, and let whoever signs in next under the name have it",
        scope: Scope::Admin,
        query: &[],
        body: Some("Because"),
        answer: (200, "EndedSessions"),
        route: || delete(forget),
    },
];

/// The shapes that they speak in.
pub(super) fn schemas() -> Vec<(&'static str, JsonValue)> {
    let scopes = json!({ "enum": ["read", "approve", "operate", "deploy", "admin"] });
    let token = [
        ("id", text()),
        ("name", text()),
        ("scope", text()),
        ("person", or_null("string")),
        ("machine", yes_no()),
        ("repositories", many(text())),
        ("environments", many(text())),
        ("made_with", or_null("string")),
        ("created_at_ms", number()),
        ("expires_at_ms", number()),
    ];
    let wish = json!({
        "type": "object",
        "required": ["name"],
        "properties": {
            "name": text(),
            "scope": scopes,
            "repositories": many(text()),
            "environments": many(text()),
            "days": { "type": "integer", "minimum": 1, "maximum": DAYS_MAX },
            "reason": crate::reason::field(),
        },
        "additionalProperties": false,
    });
    let session = [
        ("id", text()),
        ("may", text()),
        ("person", or_null("string")),
        ("created_at_ms", number()),
        ("expires_at_ms", number()),
    ];
    let person = [
        ("name", text()),
        ("issuer", text()),
        ("subject", text()),
        ("first_at_ms", number()),
        ("last_at_ms", number()),
        ("sessions", many(object(&session, &[]))),
    ];
    let token = object(&token, &[]);
    let made = object(&[("token", token.clone()), ("secret", text())], &[]);
    vec![
        ("TokenList", object(&[("tokens", many(token.clone()))], &[])),
        ("TokenWish", wish),
        ("MadeToken", made),
        ("Token", token),
        ("PersonList", object(&[("people", many(object(&person, &[])))], &[])),
        ("EndedSessions", object(&[("name", text()), ("sessions", number())], &[])),
    ]
}

/// Whether somebody may look after what is good for these repositories; none named: for the server.
fn may_look_after(who: &Who, repositories: &[String]) -> bool {
    if repositories.is_empty() {
        return who.may_with_server(Scope::Admin);
    }
    repositories.iter().all(|it| who.may_within(it, Scope::Admin))
}

async fn list(
    State(app): State<Shared>,
    Extension(who): Extension<Who>,
) -> Result<Json<JsonValue>, Problem> {
    who.may(Scope::Admin)?;
    blocking(move || {
        let mut all = app.access.list()?;
        all.retain(|it| may_look_after(&who, &it.repositories));
        let tokens: Vec<TokenLine> = all.iter().map(TokenLine::from).collect();
        Ok(Json(json!({ "tokens": tokens })))
    })
    .await
}

async fn revoke(
    State(app): State<Shared>,
    Extension(who): Extension<Who>,
    Path(id): Path<String>,
    Because(reason): Because,
) -> Result<Json<TokenLine>, Problem> {
    who.may(Scope::Admin)?;
    blocking(move || Ok(Json(TokenLine::from(&end_token(&app, &who, &id, &reason)?)))).await
}

/// Ends a token, with the sessions begun and the tokens made with it; says what it was.
pub(crate) fn end_token(app: &App, who: &Who, id: &str, reason: &Reason) -> Result<Token, Problem> {
    let none = || Problem::not_found(format!("there is no token {id}"));
    let found = app.access.list()?.into_iter().find(|it| it.id == id).ok_or_else(none)?;
    if !may_look_after(who, &found.repositories) {
        return Err(none());
    }
    // Written down first: no token ends that nobody hears of, whatever happens in between.
    for object in app.access.ends_with(id, app.now())? {
        audit::record(app, who, ("token.revoke", object), (reason, None))?;
    }
    if app.access.revoke(id)? { Ok(found) } else { Err(none()) }
}

/// What somebody wants a token for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wish {
    name: String,
    scope: Option<Scope>,
    #[serde(default)]
    repositories: Vec<String>,
    /// Where it may deploy or agree; none: everywhere.
    #[serde(default)]
    environments: Vec<String>,
    days: Option<u64>,
    reason: Option<String>,
}

impl Wish {
    /// What it may, of which repositories and until when, where whoever asks has as much.
    fn checked(&self, own: &Token, now: Timestamp) -> Result<(Scope, Timestamp), Problem> {
        let scope = self.scope.unwrap_or(Scope::Read);
        if own.proof.is_some() {
            let detail = "Who signed in by a provider has no token that one could be made with.";
            return Err(Problem::of_scope(detail));
        }
        if !own.scope.holds(scope) {
            return Err(Problem::of_scope(format!(
                "This token may {}; it makes none that may {}.",
                own.may(),
                scope.as_str()
            )));
        }
        if scope == Scope::Approve && own.person.is_none() {
            return Err(Problem::bad("Who agrees is a person, and this token is nobody's."));
        }
        let is_others = |it: &&String| !own.repositories.contains(it);
        let others = self.repositories.iter().find(is_others);
        match others {
            _ if own.repositories.is_empty() => {}
            Some(other) => {
                return Err(Problem::not_found(format!("no repository {other} is connected")));
            }
            None if self.repositories.is_empty() => {
                return Err(Problem::of_scope(format!(
                    "This token may {}: what it makes is bound to those, too.",
                    own.may()
                )));
            }
            None => {}
        }
        let days = self.days.unwrap_or(DAYS);
        if !(1..=DAYS_MAX).contains(&days) {
            return Err(Problem::bad(format!("A token lasts 1 to {DAYS_MAX} days.")));
        }
        let until = Timestamp(now.0.saturating_add(days * DAY_MS));
        Ok((scope, until.min(own.expires_at)))
    }
}

async fn create(
    State(app): State<Shared>,
    Extension(who): Extension<Who>,
    headers: HeaderMap,
    body: axum::body::Bytes,
) -> Result<Response, Problem> {
    who.may(Scope::Admin)?;
    if headers.contains_key("idempotency-key") {
        return Err(Problem::bad(
            "A token is shown once, so a second try cannot be told of it: leave out Idempotency-Key, look for a token that nobody was shown in the list, and end it.",
        ));
    }
    let wish: Wish = serde_json::from_slice(&body).map_err(|error| {
        let shape = "{\"name\": TEXT, \"scope\": \"read\", \"repositories\": [], \"environments\": [], \"days\": 90}";
        Problem::bad(format!("The body is such as {shape}: {error}."))
    })?;
    let (token, secret) = blocking(move || made(&app, &who, &wish)).await?;
    let body = json!({ "token": TokenLine::from(&token), "secret": secret });
    Ok((StatusCode::CREATED, Json(body)).into_response())
}

fn made(app: &App, who: &Who, wish: &Wish) -> Result<(Token, String), Problem> {
    let now = app.now();
    let (scope, until) = wish.checked(&who.token, now)?;
    let reason = Reason::given(wish.reason.clone())?;
    let known = app.engine.repositories()?;
    let is_unknown = |it: &&String| !known.iter().any(|known| known.name == **it);
    if let Some(other) = wish.repositories.iter().find(is_unknown) {
        return Err(Problem::not_found(format!("no repository {other} is connected")));
    }
    let [repositories, environments] = [&wish.repositories, &wish.environments].map(|names| {
        let mut names = names.clone();
        names.sort();
        names.dedup();
        names
    });
    let holder = Holder {
        scope,
        person: who.token.person.as_deref(),
        is_machine: who.token.is_machine,
        repositories: &repositories,
        environments: &environments,
    };
    let made = app.access.create_with(&who.token, &wish.name, holder, (now, until));
    let (token, secret) = made.map_err(|error| match error {
        AccessError::Name
        | AccessError::Machine
        | AccessError::NotOfPlaces
        | AccessError::Environment
        | AccessError::Makers => Problem::bad(error.to_string()),
        error => error.into(),
    })?;
    let (own, may) = (who.token.of_token(), token.may());
    let object = format!("{} {:?} may {may}, made with {own}", token.id, token.name);
    audit::record(app, who, ("token.create", object), (&reason, None)).inspect_err(|_| {
        // Nobody was shown it.
        let _ = app.access.revoke(&token.id);
    })?;
    Ok((token, secret))
}

async fn people(
    State(app): State<Shared>,
    Extension(who): Extension<Who>,
) -> Result<Json<JsonValue>, Problem> {
    who.may(Scope::Admin)?;
    blocking(move || {
        let all = app.access.people_with_sessions(app.now())?;
        let all: Vec<PersonLine> = all.iter().map(|(it, its)| PersonLine::of(it, its)).collect();
        Ok(Json(json!({ "people": all })))
    })
    .await
}

async fn end_sessions(
    State(app): State<Shared>,
    Extension(who): Extension<Who>,
    Path(name): Path<String>,
    Because(reason): Because,
) -> Result<Json<JsonValue>, Problem> {
    who.may(Scope::Admin)?;
    blocking(move || {
        let (person, ended) = end_person(&app, &who, &name, &reason)?;
        Ok(Json(json!({ "name": person.name, "sessions": ended })))
    })
    .await
}

/// Ends the sessions of somebody who signed in by the provider; says who that is, and how many there were.
pub(crate) fn end_person(
    app: &App,
    who: &Who,
    name: &str,
    reason: &Reason,
) -> Result<(Person, usize), Problem> {
    let person = named(app, name)?;
    // Written down first: no session ends that nobody hears of, whatever happens in between.
    audit::record(app, who, ("people.revoke", person.name.clone()), (reason, None))?;
    let ended = app.access.end_sessions_of(&person, app.now())?;
    Ok((person, ended))
}

async fn forget(
    State(app): State<Shared>,
    Extension(who): Extension<Who>,
    Path(name): Path<String>,
    Because(reason): Because,
) -> Result<Json<JsonValue>, Problem> {
    who.may(Scope::Admin)?;
    blocking(move || {
        let person = named(&app, &name)?;
        audit::record(&app, &who, ("people.forget", person.whose()), (&reason, None))?;
        let ended = app.access.forget(&person, app.now())?;
        Ok(Json(json!({ "name": person.name, "sessions": ended })))
    })
    .await
}

/// Who is called so, in any case.
fn named(app: &App, name: &str) -> Result<Person, Problem> {
    let is_it = |it: &Person| it.name.to_lowercase() == name.to_lowercase();
    let none = || Problem::not_found(format!("nobody signed in who is called {name}"));
    app.access.people()?.into_iter().find(is_it).ok_or_else(none)
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;
    use crate::access::Access;

    const NOW: Timestamp = Timestamp(10 * DAY_MS);

    /// What a token that may so much is refused, or makes: its scope, and for how many days.
    fn check(
        (scope, person, repositories): (Scope, Option<&str>, &[&str]),
        wish: &str,
        expect: &Expect,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let repositories: Vec<String> = repositories.iter().map(|it| (*it).to_owned()).collect();
        let holder = Holder {
            scope,
            person,
            is_machine: person.is_none(),
            repositories: &repositories,
            environments: &[],
        };
        let times = (Timestamp(0), Timestamp(NOW.0 + 30 * DAY_MS));
        let access = Access::in_folder(folder.path());
        let (own, _) = access.create_for("x", holder, times).unwrap();
        let wish: Wish = serde_json::from_str(wish).unwrap();
        let said = match wish.checked(&own, NOW) {
            Ok((scope, until)) => {
                format!("{} for {} days", scope.as_str(), (until.0 - NOW.0) / DAY_MS)
            }
            Err(problem) => format!("{}: {}", problem.status, problem.detail),
        };
        expect.assert_eq(&said);
    }

    #[test]
    fn a_token_makes_none_that_may_more_than_it() {
        let mona = (Scope::Admin, Some("mona"), &[][..]);
        check(mona, r#"{"name":"x"}"#, &expect!["read for 30 days"]);
        check(mona, r#"{"name":"x","scope":"approve","days":7}"#, &expect!["approve for 7 days"]);
        check(mona, r#"{"name":"x","scope":"admin","days":3650}"#, &expect!["admin for 30 days"]);
        check(
            mona,
            r#"{"name":"x","scope":"runner"}"#,
            &expect!["403: This token may admin; it makes none that may take jobs."],
        );
        check(mona, r#"{"name":"x","days":0}"#, &expect!["400: A token lasts 1 to 3650 days."]);
        check(
            mona,
            r#"{"name":"x","days":18446744073709551615}"#,
            &expect!["400: A token lasts 1 to 3650 days."],
        );
        check(mona, r#"{"name":"x","repositories":["octo/app"]}"#, &expect!["read for 30 days"]);
        let machine = (Scope::Admin, None, &[][..]);
        check(machine, r#"{"name":"x","scope":"deploy"}"#, &expect!["deploy for 30 days"]);
        check(
            machine,
            r#"{"name":"x","scope":"approve"}"#,
            &expect!["400: Who agrees is a person, and this token is nobody's."],
        );
        let bound = (Scope::Admin, Some("mona"), &["octo/app", "octo/api"][..]);
        check(bound, r#"{"name":"x","repositories":["octo/app"]}"#, &expect!["read for 30 days"]);
        check(
            bound,
            r#"{"name":"x"}"#,
            &expect![
                "403: This token may admin for octo/app, octo/api: what it makes is bound to those, too."
            ],
        );
        check(
            bound,
            r#"{"name":"x","repositories":["octo/app","octo/web"]}"#,
            &expect!["404: no repository octo/web is connected"],
        );
        let operator = (Scope::Operate, Some("mona"), &[][..]);
        check(
            operator,
            r#"{"name":"x","scope":"admin"}"#,
            &expect!["403: This token may operate; it makes none that may admin."],
        );
    }

    #[test]
    fn nobody_says_whose_a_token_is() {
        for wrong in
            [r#"{"name":"x","person":"lena"}"#, r#"{"name":"x","machine":true}"#, "{}", "[]"]
        {
            assert!(serde_json::from_str::<Wish>(wrong).is_err(), "{wrong}");
        }
    }
}
