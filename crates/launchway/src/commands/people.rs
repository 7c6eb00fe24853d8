//! `launchway people`: who signed in to a server by the provider.

use std::path::Path;

use serde_json::json;
use server::{Access, AccessError, Person, Token};

use crate::cli::{DataArgs, Format, PeopleCommand};
use crate::exit::{Exit, Failure, Outcome};
use crate::serving::data::DataFolder;
use crate::terminal::style::{out, talk};
use crate::terminal::time::{moment, now};

pub(crate) fn run(command: &PeopleCommand, state: Option<&Path>) -> Outcome {
    match command {
        PeopleCommand::List { format, data } => list(&place(data, state)?, *format),
        PeopleCommand::Revoke { name, data } => {
            let data = place(data, state)?;
            let person = named(&data, name)?;
            let ended = end(&data, &person)?;
            data.record("people.revoke", person.name.clone())?;
            talk(&format!("{}: {ended}; they can sign in again", person.name));
            Ok(Exit::Done)
        }
        PeopleCommand::Forget { name, data } => {
            let data = place(data, state)?;
            let person = named(&data, name)?;
            let ended = end(&data, &person)?;
            access(&data).forget(&person).map_err(failed)?;
            let whose = format!("{}, of {} at {}", person.name, person.subject, person.issuer);
            data.record("people.forget", whose)?;
            talk(&format!("{}: {ended}; whoever signs in next so is {0}", person.name));
            Ok(Exit::Done)
        }
    }
}

fn access(data: &DataFolder) -> Access {
    Access::in_folder(data.state.root())
}

fn place(data: &DataArgs, state: Option<&Path>) -> Result<DataFolder, Failure> {
    super::tokens::place(data, state)
}

fn failed(error: AccessError) -> Failure {
    Failure::caused(Exit::Missing, error)
}

fn named(data: &DataFolder, name: &str) -> Result<Person, Failure> {
    let known = access(data).people().map_err(failed)?;
    let found = known.into_iter().find(|it| it.name.to_lowercase() == name.to_lowercase());
    found.ok_or_else(|| {
        Failure::new(Exit::Usage, format!("nobody signed in who is called {name}")).hint(
            "launchway people list shows who did; tokens are revoked by launchway tokens revoke",
        )
    })
}

fn end(data: &DataFolder, person: &Person) -> Result<String, Failure> {
    let count = access(data).end_sessions_of(person, now()).map_err(failed)?;
    Ok(match count {
        1 => "1 session ended".to_owned(),
        count => format!("{count} sessions ended"),
    })
}

fn list(data: &DataFolder, format: Format) -> Outcome {
    let access = access(data);
    let people = access.people().map_err(failed)?;
    let widest = people.iter().map(|it| it.name.chars().count()).max().unwrap_or(0);
    for person in &people {
        let sessions = access.sessions_of(person, now()).map_err(failed)?;
        out(&match format {
            Format::Json => machine(person, &sessions),
            Format::Human | Format::Github => line(person, &sessions, widest),
        });
    }
    if people.is_empty() && format == Format::Human {
        talk("nobody signed in by a provider yet; launchway serve --sign-in-issuer lets people");
    }
    Ok(Exit::Done)
}

fn line(person: &Person, sessions: &[Token], widest: usize) -> String {
    let Person { name, issuer, subject, last_at, .. } = person;
    let may = match sessions.last() {
        Some(newest) => {
            let count = sessions.len();
            let word = if count == 1 { "session" } else { "sessions" };
            format!("{count} {word}, may {}", newest.may())
        }
        None => "no session".to_owned(),
    };
    format!("{name:<widest$}  last {}  {may}  {subject} at {issuer}", moment(*last_at))
}

fn machine(person: &Person, sessions: &[Token]) -> String {
    let session = |it: &Token| {
        json!({
            "id": it.id, "may": it.may(), "person": it.person,
            "created_at_ms": it.created_at, "expires_at_ms": it.expires_at,
        })
    };
    json!({
        "name": person.name, "issuer": person.issuer, "subject": person.subject,
        "first_at_ms": person.first_at, "last_at_ms": person.last_at,
        "sessions": sessions.iter().map(session).collect::<Vec<_>>(),
    })
    .to_string()
}
