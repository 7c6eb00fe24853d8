//! `launchway tokens`: who may use a server.

use std::path::Path;

use event::Timestamp;
use serde_json::json;
use server::{Access, AccessError, Scope, Token};

use crate::cli::{DataArgs, Format, TokenScope, TokensCommand};
use crate::exit::{Exit, Failure, Outcome};
use crate::serving::HERE;
use crate::serving::data::DataFolder;
use crate::terminal::style::{Style, out, talk};
use crate::terminal::time::{moment, now};

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

pub(crate) fn run(command: &TokensCommand, state: Option<&Path>) -> Outcome {
    match command {
        TokensCommand::Create { name, scope, person, days, data } => {
            create(&place(data, state)?, name, *scope, person.as_deref(), *days)
        }
        TokensCommand::List { format, data } => list(&access(&place(data, state)?), *format),
        TokensCommand::Revoke { id, data } => revoke(&place(data, state)?, id),
    }
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
    let exit = if matches!(error, AccessError::Name) { Exit::Usage } else { Exit::Missing };
    Failure::caused(exit, error)
}

fn create(
    data: &DataFolder,
    name: &str,
    scope: TokenScope,
    person: Option<&str>,
    days: u32,
) -> Outcome {
    if scope == TokenScope::Approve && person.is_none() {
        let message = "who agrees is a person: this token would be nobody's";
        return Err(Failure::new(Exit::Usage, message).hint("say whose it is: --person LOGIN"));
    }
    if scope == TokenScope::Runner && (!server::is_runner_name(name) || name == HERE) {
        let message = format!("{name:?} is no name of a runner");
        return Err(Failure::new(Exit::Usage, message)
            .hint("letters, digits and -_. such as gpu-1; launchway is the server's own machine"));
    }
    let scope = match scope {
        TokenScope::Read => Scope::Read,
        TokenScope::Approve => Scope::Approve,
        TokenScope::Deploy => Scope::Deploy,
        TokenScope::Operate => Scope::Operate,
        TokenScope::Admin => Scope::Admin,
        TokenScope::Runner => Scope::Runner,
    };
    let at = now();
    let until = Timestamp(at.0 + u64::from(days) * DAY_MS);
    let (token, text) =
        access(data).create_for(name, scope, person, (at, until)).map_err(failed)?;
    let whose = person.map(|it| format!(" of {it}")).unwrap_or_default();
    let made = format!("{} {name:?}{whose} may {}", token.id, scope.as_str());
    data.record("token.create", made)?;
    out(&text);
    talk(&format!(
        "token {} may {} until {}; it is shown only now",
        token.id,
        scope.as_str(),
        moment(until)
    ));
    Ok(Exit::Done)
}

fn list(access: &Access, format: Format) -> Outcome {
    let tokens = access.list().map_err(failed)?;
    let widest = tokens.iter().map(|it| it.name.chars().count()).max().unwrap_or(0);
    let style = Style::stdout();
    for token in &tokens {
        out(&match format {
            Format::Json => machine(token),
            Format::Human | Format::Github => line(token, widest, style),
        });
    }
    if tokens.is_empty() && format == Format::Human {
        talk("no token yet; launchway serve makes the first");
    }
    Ok(Exit::Done)
}

fn line(token: &Token, widest: usize, style: Style) -> String {
    let has_expired = token.expires_at <= now();
    let until = match has_expired {
        true => style.yellow(&format!("expired {}", moment(token.expires_at))),
        false => format!("until {}", moment(token.expires_at)),
    };
    let (id, name, scope) = (&token.id, &token.name, token.scope.as_str());
    let person = token.person.as_ref().map(|it| format!("  of {it}")).unwrap_or_default();
    format!("{id}  {name:<widest$}  {scope:<7}  {until}{person}")
}

fn machine(token: &Token) -> String {
    json!({
        "id": token.id, "name": token.name, "scope": token.scope.as_str(), "person": token.person,
        "created_at_ms": token.created_at, "expires_at_ms": token.expires_at,
    })
    .to_string()
}

fn revoke(data: &DataFolder, id: &str) -> Outcome {
    if access(data).revoke(id).map_err(failed)? {
        data.record("token.revoke", id.to_owned())?;
        talk(&format!("token {id} opens nothing any more"));
        return Ok(Exit::Done);
    }
    Err(Failure::new(Exit::Usage, format!("there is no token {id}"))
        .hint("launchway tokens list shows them"))
}
