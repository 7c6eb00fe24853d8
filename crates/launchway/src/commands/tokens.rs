//! `launchway tokens`: who may use a server, said where it runs or to itself.

use std::collections::BTreeSet;
use std::path::Path;

use event::Timestamp;
use serde_json::json;
use server::{Access, AccessError, Holder, Reason, Scope, TokenLine};

use crate::cli::{AtServerOrData, DataArgs, Format, TokenScope, TokensCommand};
use crate::distant::Client;
use crate::exit::{Exit, Failure, Outcome};
use crate::serving::HERE;
use crate::serving::data::DataFolder;
use crate::serving::repositories;
use crate::terminal::style::{Style, out, talk};
use crate::terminal::time::{moment, now};

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

pub(crate) fn run(command: &TokensCommand, state: Option<&Path>) -> Outcome {
    match command {
        TokensCommand::Create { at: AtServerOrData { server: Some(url), .. }, .. } => {
            create_at(&Client::of(url)?, command)
        }
        TokensCommand::Create {
            name,
            scope,
            person,
            machine,
            repositories,
            environments,
            days,
            at,
            reason,
        } => {
            let data = place(&at.data, state)?;
            let scope = checked(name, *scope, person.as_deref(), *machine)?;
            let repositories = connected(&data, repositories)?;
            let holder = Holder {
                scope,
                person: person.as_deref(),
                is_machine: *machine,
                repositories: &repositories,
                environments: &once_each(environments),
            };
            create(&data, name, holder, (*days, reason.said()))
        }
        TokensCommand::List { format, at } => {
            let lines = match &at.server {
                Some(url) => Client::of(url)?.tokens()?,
                None => {
                    let all = access(&place(&at.data, state)?).list().map_err(failed)?;
                    all.iter().map(TokenLine::from).collect()
                }
            };
            list(&lines, *format);
            Ok(Exit::Done)
        }
        TokensCommand::Revoke { id, at, reason } => match &at.server {
            Some(url) => {
                Client::of(url)?.revoke_token(id, reason.said())?;
                revoked(id)
            }
            None => revoke(&place(&at.data, state)?, id, reason.said()),
        },
    }
}

/// A server makes tokens of whoever asks, and of nobody else.
fn create_at(client: &Client, command: &TokensCommand) -> Outcome {
    let TokensCommand::Create {
        name,
        scope,
        person,
        machine,
        repositories,
        environments,
        days,
        reason,
        ..
    } = command
    else {
        unreachable!("it makes one");
    };
    let on_machine = "launchway tokens create --data DIR makes it, where the server runs";
    if person.is_some() || *machine {
        let message = "a server makes a token of whoever asks, as the one in LAUNCHWAY_TOKEN is";
        return Err(Failure::new(Exit::Usage, message)
            .hint(format!("leave out --person and --machine; for somebody else {on_machine}")));
    }
    if *scope == TokenScope::Runner {
        let message = "a server makes no token of a runner: who may administer takes no jobs";
        return Err(Failure::new(Exit::Usage, message).hint(on_machine));
    }
    let scope = scope_of(*scope);
    let bounds = (repositories.as_slice(), environments.as_slice());
    let (token, secret) = client.create_token(name, scope, bounds, (*days, reason.said()))?;
    made(&token, &secret);
    Ok(Exit::Done)
}

fn access(data: &DataFolder) -> Access {
    Access::in_folder(data.state.root())
}

pub(super) fn place(data: &DataArgs, state: Option<&Path>) -> Result<DataFolder, Failure> {
    let data = DataFolder::locate(data.data.as_deref(), state)?;
    if !data.state.root().is_dir() {
        let message = format!("there is no server's folder {}", data.state.root().display());
        return Err(Failure::new(Exit::Usage, message)
            .hint("launchway serve makes one; --data names another"));
    }
    Ok(data)
}

fn failed(error: AccessError) -> Failure {
    let (exit, hint) = match error {
        AccessError::NotOfPlaces => (Exit::Usage, Some("leave out --environment")),
        AccessError::Name | AccessError::Machine | AccessError::Environment => (Exit::Usage, None),
        _ => (Exit::Missing, None),
    };
    let failure = Failure::caused(exit, error);
    hint.into_iter().fold(failure, Failure::hint)
}

/// What it is to be good for, where it can be somebody's.
fn checked(
    name: &str,
    scope: TokenScope,
    person: Option<&str>,
    is_machine: bool,
) -> Result<Scope, Failure> {
    // Whoever holds a token of nobody's could agree, with one of their own, to what they started with it.
    let starts = matches!(scope, TokenScope::Operate | TokenScope::Deploy | TokenScope::Admin);
    if starts && person.is_none() && !is_machine {
        let message = "what this token starts would be nobody's: who holds it could agree to it with another token";
        return Err(Failure::new(Exit::Usage, message)
            .hint("say whose it is: --person LOGIN")
            .hint("a program's that only machines hold: --machine"));
    }
    if scope == TokenScope::Approve && person.is_none() {
        let message = "who agrees is a person: this token would be nobody's";
        return Err(Failure::new(Exit::Usage, message).hint("say whose it is: --person LOGIN"));
    }
    if scope == TokenScope::Runner && person.is_some() {
        let message =
            "a runner's token is a machine's, and nobody agrees or starts anything with it";
        return Err(Failure::new(Exit::Usage, message).hint("leave out --person"));
    }
    if scope == TokenScope::Runner && (!server::is_runner_name(name) || name == HERE) {
        let message = format!("{name:?} is no name of a runner");
        return Err(Failure::new(Exit::Usage, message)
            .hint("letters, digits and -_. such as gpu-1; launchway is the server's own machine"));
    }
    Ok(scope_of(scope))
}

fn scope_of(scope: TokenScope) -> Scope {
    match scope {
        TokenScope::Read => Scope::Read,
        TokenScope::Approve => Scope::Approve,
        TokenScope::Deploy => Scope::Deploy,
        TokenScope::Operate => Scope::Operate,
        TokenScope::Admin => Scope::Admin,
        TokenScope::Runner => Scope::Runner,
    }
}

/// The repositories that it is bound to, as they are called here.
fn connected(data: &DataFolder, wanted: &[String]) -> Result<Vec<String>, Failure> {
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let known: Vec<String> = repositories::all(data)?.into_iter().map(|it| it.name).collect();
    let mut found = Vec::new();
    for name in wanted {
        if !known.contains(name) {
            let message = format!("no repository {name} is connected");
            return Err(Failure::new(Exit::Usage, message)
                .hint("launchway repositories list shows which are"));
        }
        if !found.contains(name) {
            found.push(name.clone());
        }
    }
    Ok(found)
}

fn once_each(names: &[String]) -> Vec<String> {
    let all: BTreeSet<&String> = names.iter().collect();
    all.into_iter().cloned().collect()
}

fn create(
    data: &DataFolder,
    name: &str,
    holder: Holder<'_>,
    (days, reason): (u32, &Reason),
) -> Outcome {
    let at = now();
    let until = Timestamp(at.0 + u64::from(days) * DAY_MS);
    let (token, text) = access(data).create_for(name, holder, (at, until)).map_err(failed)?;
    let line = TokenLine::from(&token);
    let recorded = format!("{} {name:?}{} may {}", token.id, whose(&line), token.may());
    data.record_because("token.create", recorded, reason).inspect_err(|_| {
        // Nobody was shown it.
        let _ = access(data).revoke(&token.id);
    })?;
    made(&line, &text);
    Ok(Exit::Done)
}

/// What it is, and the only time that it is shown.
fn made(token: &TokenLine, secret: &str) {
    out(secret);
    let (id, may, until) = (&token.id, token.may(), moment(token.expires_at_ms));
    talk(&format!("token {id} may {may} until {until}; it is shown only now"));
}

/// Of a person, of a machine, or of nobody.
fn whose(token: &TokenLine) -> String {
    match &token.person {
        Some(person) => format!(" of {person}"),
        None if token.machine => " of a machine".to_owned(),
        None => String::new(),
    }
}

fn list(tokens: &[TokenLine], format: Format) {
    let widest = tokens.iter().map(|it| it.name.chars().count()).max().unwrap_or(0);
    let style = Style::stdout();
    for token in tokens {
        out(&match format {
            Format::Json => json!(token).to_string(),
            Format::Human | Format::Github => line(token, widest, style),
        });
    }
    if tokens.is_empty() && format == Format::Human {
        talk("no token yet; launchway serve makes the first");
    }
}

fn line(token: &TokenLine, widest: usize, style: Style) -> String {
    let has_expired = token.expires_at_ms <= now();
    let until = match has_expired {
        true => style.yellow(&format!("expired {}", moment(token.expires_at_ms))),
        false => format!("until {}", moment(token.expires_at_ms)),
    };
    let (id, name, scope) = (&token.id, &token.name, &token.scope);
    let person = Some(whose(token)).filter(|it| !it.is_empty()).map(|it| format!(" {it}"));
    let person = person.unwrap_or_default();
    let only = [("in ", &token.environments), ("", &token.repositories)];
    let only = only.into_iter().filter(|(_, names)| !names.is_empty());
    let only: String =
        only.map(|(word, names)| format!("  only {word}{}", names.join(", "))).collect();
    format!("{id}  {name:<widest$}  {scope:<7}  {until}{person}{only}")
}

fn revoke(data: &DataFolder, id: &str, reason: &Reason) -> Outcome {
    let none = || {
        Failure::new(Exit::Usage, format!("there is no token {id}"))
            .hint("launchway tokens list shows them")
    };
    let access = access(data);
    // Also one whose file cannot be read, which is in no list.
    if !access.is_there(id).map_err(failed)? {
        return Err(none());
    }
    // Written down first: nothing ends that nobody hears of, whatever happens in between.
    for object in access.ends_with(id, now()).map_err(failed)? {
        data.record_because("token.revoke", object, reason)?;
    }
    if !access.revoke(id).map_err(failed)? {
        return Err(none());
    }
    revoked(id)
}

fn revoked(id: &str) -> Outcome {
    talk(&format!("token {id} opens nothing any more"));
    Ok(Exit::Done)
}
