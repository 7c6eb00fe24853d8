//! Who may use the server, and what is in force on it. Tokens and sessions are ended here; of everything else each part
//! says the command that changes it.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use axum::{Extension, Form};
use event::Timestamp;
use serde::Deserialize;

use super::{Frame, Page, shown};
use crate::access::{Scope, Token};
use crate::api::{end_person, end_token};
use crate::app::{App, Shared, blocking};
use crate::guard::Who;
use crate::in_force::{InForce, KeptRules, Setting};
use crate::people::Person;
use crate::problem::Problem;
use crate::reason::Reason;
use crate::words::{Moment, percent};

/// Tokens that are shown, and people; the commands have all.
const LINES_MAX: usize = 300;

#[derive(Template)]
#[template(path = "settings.html")]
struct SettingsPage {
    frame: Frame,
    said: Option<&'static str>,
    folder: String,
    tokens: Vec<TokenRow>,
    tokens_more: usize,
    people: Vec<PersonRow>,
    people_more: usize,
    has_provider: bool,
    tables: [Table; 2],
    rules: Vec<KeptRules>,
}

/// A token, without anything that it is known by.
struct TokenRow {
    name: String,
    id: String,
    whose: Whose,
    may: String,
    created: Moment,
    until: Moment,
    is_over: bool,
    /// What was done with it.
    trail: String,
}

enum Whose {
    Person(String),
    Program,
    Nobody,
}

struct PersonRow {
    name: String,
    /// Who they are at the provider.
    of: String,
    /// What the newest session gives; none where there is none.
    may: Option<String>,
    /// Sessions that are not over.
    count: usize,
    at: Moment,
}

struct Table {
    title: &'static str,
    rows: Vec<Setting>,
}

/// The page.
pub(crate) async fn settings(
    State(app): State<Shared>,
    Extension(who): Extension<Who>,
    Query(Said { said }): Query<Said>,
) -> Page {
    who.may(Scope::Admin)?;
    let said = match said.as_deref() {
        Some("token") => {
            Some("The token ended, with the sessions begun and the tokens made with it.")
        }
        Some("sessions") => Some("Their sessions ended. They can sign in again."),
        _ => None,
    };
    let page = blocking(move || SettingsPage::of(&app, &who, said));
    shown(&page.await?)
}

#[derive(Deserialize)]
pub(crate) struct Said {
    said: Option<String>,
}

/// What is to end.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct End {
    /// A token, by its id.
    token: Option<String>,
    /// The sessions of somebody, by their name.
    sessions: Option<String>,
    /// Why.
    reason: Option<String>,
}

/// Ends it.
pub(crate) async fn ended(
    State(app): State<Shared>,
    Extension(who): Extension<Who>,
    Form(end): Form<End>,
) -> Result<Response, Problem> {
    who.may(Scope::Admin)?;
    let reason = Reason::given(end.reason)?;
    let said = blocking(move || match (end.token, end.sessions) {
        (Some(id), None) => end_token(&app, &who, &id, &reason).map(|_| "token"),
        (None, Some(name)) => end_person(&app, &who, &name, &reason).map(|_| "sessions"),
        _ => Err(Problem::bad("The form names a `token`, or whose `sessions` are to end.")),
    });
    Ok(Redirect::to(&format!("/settings?said={}", said.await?)).into_response())
}

impl SettingsPage {
    fn of(app: &App, who: &Who, said: Option<&'static str>) -> Result<SettingsPage, Problem> {
        let now = app.now();
        let InForce { folder, connections, server, rules } = app.engine.in_force()?;
        let tokens = app.access.list()?;
        let people = app.access.people()?;
        let sessions = sessions(app, now)?;
        let has_sessions = |it: &Person| sessions.get(&(it.issuer.clone(), it.subject.clone()));
        Ok(SettingsPage {
            frame: Frame::new(Some(who), "settings"),
            said,
            folder,
            tokens_more: tokens.len().saturating_sub(LINES_MAX),
            // The newest are those that somebody looks for.
            tokens: tokens.iter().rev().take(LINES_MAX).map(|it| TokenRow::of(it, now)).collect(),
            people_more: people.len().saturating_sub(LINES_MAX),
            people: people
                .iter()
                .take(LINES_MAX)
                .map(|it| PersonRow::of(it, has_sessions(it)))
                .collect(),
            has_provider: app.sign_in.is_some(),
            tables: [
                Table { title: "Connections", rows: connections },
                Table { title: "The server itself", rows: server },
            ],
            rules,
        })
    }
}

/// Sessions that the provider's proof began, by who that is.
type Sessions = BTreeMap<(String, String), Vec<Token>>;

fn sessions(app: &App, now: Timestamp) -> Result<Sessions, Problem> {
    let mut all = Sessions::new();
    for session in app.access.proven_sessions(now)? {
        let Some(proof) = &session.proof else { continue };
        let key = (proof.issuer.clone(), proof.subject.clone());
        all.entry(key).or_default().push(session);
    }
    Ok(all)
}

impl TokenRow {
    fn of(token: &Token, now: Timestamp) -> TokenRow {
        let whose = match &token.person {
            Some(person) => Whose::Person(person.clone()),
            None if token.is_machine || token.scope == Scope::Runner => Whose::Program,
            None => Whose::Nobody,
        };
        TokenRow {
            name: token.name.clone(),
            id: token.id.clone(),
            whose,
            may: token.may(),
            created: Moment::of(token.created_at),
            until: Moment::of(token.expires_at),
            is_over: token.expires_at <= now,
            trail: format!("/audit?actor={}", percent(&token.asker())),
        }
    }
}

impl PersonRow {
    fn of(person: &Person, sessions: Option<&Vec<Token>>) -> PersonRow {
        let newest = sessions.and_then(|all| all.iter().max_by_key(|it| it.created_at));
        PersonRow {
            name: person.name.clone(),
            of: format!("{} at {}", person.subject, person.issuer),
            may: newest.map(Token::may),
            count: sessions.map_or(0, Vec::len),
            at: Moment::of(person.last_at),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::{Access, Holder};

    #[test]
    fn a_token_is_shown_without_what_it_is_known_by() {
        let folder = tempfile::tempdir().unwrap();
        let access = Access::in_folder(folder.path());
        let names = ["octo/app".to_owned()];
        let check = |scope, person, is_machine, repositories: &[String], expect: &str| {
            let holder = Holder { scope, person, is_machine, repositories, environments: &[] };
            let times = (Timestamp(1), Timestamp(9));
            let (token, _) = access.create_for("nightly", holder, times).unwrap();
            let row = TokenRow::of(&token, Timestamp(9));
            let whose = match row.whose {
                Whose::Person(person) => person,
                Whose::Program => "a program".to_owned(),
                Whose::Nobody => "nobody".to_owned(),
            };
            let TokenRow { may, is_over, trail, .. } = row;
            assert_eq!(format!("{whose}: {may}, {is_over}, {trail}"), expect);
        };
        check(Scope::Admin, Some("mona"), false, &[], "mona: admin, true, /audit?actor=mona");
        let program = "a program: operate for octo/app, true, /audit?actor=machine%3Anightly";
        check(Scope::Operate, None, true, &names, program);
        let runner = "a program: take jobs, true, /audit?actor=machine%3Anightly";
        check(Scope::Runner, None, false, &[], runner);
        check(Scope::Read, None, false, &[], "nobody: read, true, /audit?actor=machine%3Anightly");
    }
}
