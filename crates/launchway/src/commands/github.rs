//! `launchway github`: how a server is let in there.

use std::path::Path;

use forge::{Credentials, GitHub};
use mask::Secret;
use serde_json::json;

use crate::cli::{Format, GithubCommand};
use crate::exit::{Exit, Failure, Outcome};
use crate::serving::data::DataFolder;
use crate::serving::github::{self, Links, Place};
use crate::serving::repositories;
use crate::terminal::style::{out, talk};

/// A key of an app has 2 KB.
const KEY_BYTES_MAX: u64 = 64 << 10;

pub(crate) fn run(command: &GithubCommand, state: Option<&Path>) -> Outcome {
    match command {
        GithubCommand::Connect { app, key, url, api, new_secret, data } => {
            let data = DataFolder::locate(data.data.as_deref(), state)?;
            let url = checked(url)?;
            let api = api.as_deref().map(checked).transpose()?;
            let api = api.unwrap_or_else(|| Place::api_of(&url));
            let credentials = credentials(app.as_deref(), key.as_deref())?;
            let place = Place { url, api, app: app.clone(), who: String::new() };
            connect(&data, place, &credentials, *new_secret)
        }
        GithubCommand::Status { format, data } => {
            status(&DataFolder::locate(data.data.as_deref(), state)?, *format)
        }
    }
}

/// A token is sent there: over TLS, or to this machine.
pub(super) fn checked(url: &str) -> Result<String, Failure> {
    let url = url.trim_end_matches('/');
    let is_safe =
        url.starts_with("https://") || (url.starts_with("http://") && https::is_here(url));
    let is_plain = url.bytes().all(|it| it.is_ascii_alphanumeric() || b"-._~:/[]".contains(&it));
    if is_safe && is_plain {
        return Ok(url.to_owned());
    }
    Err(Failure::new(
        Exit::Usage,
        "--url and --api take an address, without a name to sign in with",
    )
    .hint("such as https://github.example.com"))
}

fn credentials(app: Option<&str>, key: Option<&Path>) -> Result<Credentials, Failure> {
    let (Some(id), Some(path)) = (app, key) else {
        let token = super::secrets::value_of("GitHub's token")?;
        if token.is_empty() || token.contains(|it: char| it.is_whitespace() || it.is_control()) {
            return Err(Failure::new(Exit::Usage, "this is no token of GitHub's")
                .hint("make one, and give it on standard input: launchway github connect < FILE"));
        }
        return Ok(Credentials::Token(Secret::new(token)));
    };
    let failed = |error: std::io::Error| {
        Failure::caused(Exit::Missing, error).hint(format!("is {} there?", path.display()))
    };
    use std::io::Read as _;
    let mut text = String::new();
    let file = std::fs::File::open(path).map_err(failed)?;
    file.take(KEY_BYTES_MAX).read_to_string(&mut text).map_err(failed)?;
    Credentials::app(id, Secret::new(text)).map_err(|error| Failure::caused(Exit::Usage, error))
}

fn connect(
    data: &DataFolder,
    place: Place,
    credentials: &Credentials,
    new_secret: bool,
) -> Outcome {
    let who = GitHub::new(&place.api, credentials.clone()).who().map_err(github::failed)?;
    let place = Place { who, ..place };
    let made = github::keep(data, &place, credentials, new_secret)?;
    talk(&format!("connected to {} as {}", place.url, place.who));
    if let Some(secret) = made {
        let url = data.served_at()?.unwrap_or_else(|| "https://YOUR-SERVER".to_owned());
        talk(&format!(
            "webhooks go to {url}/webhooks/github, as application/json, with this secret, which is shown only now:"
        ));
        talk("");
        talk(&format!("  {}", secret.expose()));
        talk("");
    }
    let shown = data.state.pasted();
    talk(&format!("next: launchway repositories add github:OWNER/NAME --data {shown}"));
    Ok(Exit::Done)
}

fn status(data: &DataFolder, format: Format) -> Outcome {
    let Some(link) = Links::of(data.clone()).get()? else {
        return Err(Failure::new(Exit::Usage, "this server is not connected to GitHub")
            .hint("launchway github connect does that"));
    };
    let said = link.github.who();
    let known = repositories::all(data)?;
    let names: Vec<&str> =
        known.iter().filter(|it| it.github.is_some()).map(|it| it.name.as_str()).collect();
    let how = if link.place.app.is_some() { "app" } else { "token" };
    if format == Format::Json {
        out(&json!({
            "url": link.place.url, "api": link.place.api, "as": link.place.who, "by": how,
            "lets_in": said.is_ok(), "repositories": names,
        })
        .to_string());
    } else {
        out(&format!("{}  as {} (by {how})", link.place.url, link.place.who));
        for name in names {
            out(&format!("  {name}"));
        }
    }
    said.map(|_| Exit::Done).map_err(github::failed)
}
