//! `launchway people`: who signed in to a server by the provider, asked where it runs or of itself.

use std::path::Path;

use serde_json::json;
use server::{Access, AccessError, Person, PersonLine, Reason};

use crate::cli::{DataArgs, Format, PeopleCommand};
use crate::distant::Client;
use crate::exit::{Exit, Failure, Outcome};
use crate::serving::data::DataFolder;
use crate::terminal::plural::plural;
use crate::terminal::style::{out, talk};
use crate::terminal::time::{moment, now};

pub(crate) fn run(command: &PeopleCommand, state: Option<&Path>) -> Outcome {
    match command {
        PeopleCommand::List { format, at } => {
            let people = match &at.server {
                Some(url) => Client::of(url)?.people()?,
                None => known(&place(&at.data, state)?)?,
            };
            list(&people, *format);
            Ok(Exit::Done)
        }
        PeopleCommand::Revoke { name, at, reason } => {
            let (name, count) = match &at.server {
                Some(url) => Client::of(url)?.end_sessions(name, reason.said())?,
                None => {
                    let data = place(&at.data, state)?;
                    let person = named(&data, name)?;
                    // Written down first: nothing ends that nobody hears of, whatever happens in between.
                    data.record_because("people.revoke", person.name.clone(), reason.said())?;
                    let count = end(&data, &person)?;
                    (person.name, count)
                }
            };
            talk(&format!("{name}: {}; they can sign in again", ended(count)));
            Ok(Exit::Done)
        }
        PeopleCommand::Forget { name, at, reason } => {
            let (name, count) = match &at.server {
                Some(url) => Client::of(url)?.forget_person(name, reason.said())?,
                None => forget(&place(&at.data, state)?, name, reason.said())?,
            };
            talk(&format!("{name}: {}; whoever signs in next so is {name}", ended(count)));
            Ok(Exit::Done)
        }
    }
}

/// Forgets whose a name is; what they are called, and how many sessions ended.
fn forget(data: &DataFolder, name: &str, reason: &Reason) -> Result<(String, usize), Failure> {
    let person = named(data, name)?;
    data.record_because("people.forget", person.whose(), reason)?;
    let count = access(data).forget(&person, now()).map_err(failed)?;
    Ok((person.name, count))
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

fn end(data: &DataFolder, person: &Person) -> Result<usize, Failure> {
    access(data).end_sessions_of(person, now()).map_err(failed)
}

fn ended(count: usize) -> String {
    match count {
        1 => "1 session ended".to_owned(),
        count => format!("{count} sessions ended"),
    }
}

fn known(data: &DataFolder) -> Result<Vec<PersonLine>, Failure> {
    let access = access(data);
    let line = |person: Person| {
        let sessions = access.sessions_of(&person, now()).map_err(failed)?;
        Ok(PersonLine::of(&person, &sessions))
    };
    access.people().map_err(failed)?.into_iter().map(line).collect()
}

fn list(people: &[PersonLine], format: Format) {
    let widest = people.iter().map(|it| it.name.chars().count()).max().unwrap_or(0);
    for person in people {
        out(&match format {
            Format::Json => json!(person).to_string(),
            Format::Human | Format::Github => line(person, widest),
        });
    }
    if people.is_empty() && format == Format::Human {
        talk("nobody signed in by a provider yet; launchway serve --sign-in-issuer lets people");
    }
}

fn line(person: &PersonLine, widest: usize) -> String {
    let PersonLine { name, issuer, subject, last_at_ms, sessions, .. } = person;
    let may = match sessions.last() {
        Some(newest) => {
            format!("{}, may {}", plural(sessions.len(), "session"), newest.may)
        }
        None => "no session".to_owned(),
    };
    format!("{name:<widest$}  last {}  {may}  {subject} at {issuer}", moment(*last_at_ms))
}
