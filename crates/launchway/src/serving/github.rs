//! GitHub as the server knows it: who we are there, and the secret that proves its webhooks.
//!
//! ```text
//!   github.json     where it is                       (no secret)
//!   vault/          token or key, webhook's secret    (sealed, under a name that no repository has)
//!   taking.rs       webhook ─▶ deliveries.db, each in its turn ─▶ taking/told.rs: mirror fetched ─▶ intake.rs
//!   looking.rs      what GitHub did not tell, looked for ─▶ deliveries.db
//!   issues.rs       an issue with the label ─▶ an incident
//!   telling.rs      journal ─▶ what GitHub is owed ─▶ checks, statuses, deployments, comments
//!   releasing.rs    a version is good ─▶ its release, made once, changed in place
//! ```

mod issues;
pub(crate) mod looking;
mod releasing;
pub(crate) mod syncing;
pub(crate) mod taking;
pub(crate) mod telling;
mod turns;

use std::sync::Arc;

use forge::{Credentials, GitHub};
use mask::Secret;
use serde::{Deserialize, Serialize};
use store::{Scope, Value};

use super::data::{self, DataFolder, Known};
use super::repositories::{self, Connected, Numbers};
use crate::exit::{Exit, Failure};
use crate::kept;
use crate::random;
use crate::terminal::time::now;

/// No repository is called so: its jobs never see what stands under it.
pub(super) const OWNER: &str = "launchway:github";
const TOKEN: &str = "TOKEN";
const KEY: &str = "APP_KEY";
const WEBHOOK_SECRET: &str = "WEBHOOK_SECRET";

/// How GitHub is reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Place {
    /// `https://github.com`
    pub(crate) url: String,
    /// `https://api.github.com`
    pub(crate) api: String,
    /// The app that we are; none where we are a person's token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) app: Option<String>,
    /// What GitHub calls us.
    pub(crate) who: String,
}

impl Place {
    /// Where the API of a GitHub is: a host of its own, but for servers of one's own.
    pub(crate) fn api_of(url: &str) -> String {
        match url {
            "https://github.com" => "https://api.github.com".to_owned(),
            url => format!("{url}/api/v3"),
        }
    }

    /// Where git fetches a repository.
    pub(crate) fn clone_url(&self, name: &str) -> String {
        format!("{}/{name}.git", self.url)
    }
}

/// What is connected: where, as whom, and what proves it.
#[derive(Clone)]
pub(crate) struct Link {
    pub(crate) place: Place,
    pub(crate) github: Arc<GitHub>,
    pub(crate) webhook_secret: Secret,
}

/// The link of a data folder, read again where it was made anew.
pub(crate) struct Links {
    data: DataFolder,
    known: Known<Link>,
}

impl Links {
    pub(crate) fn of(data: DataFolder) -> Links {
        Links { data, known: Known::default() }
    }

    /// The link; none where nobody connected one.
    pub(crate) fn get(&self) -> Result<Option<Link>, Failure> {
        self.known.get(&self.data.path("github.json"), |place| Link::open(&self.data, place))
    }
}

impl Link {
    fn open(data: &DataFolder, place: Place) -> Result<Link, Failure> {
        let mut secrets = kept::vault(&data.state).secrets(OWNER, None).map_err(kept::failed)?;
        let mut take = |name: &str| {
            secrets.remove(name).ok_or_else(|| {
                Failure::new(Exit::Missing, format!("what lets us in at {} is gone", place.url))
                    .hint("launchway github connect makes the connection anew")
            })
        };
        let webhook_secret = take(WEBHOOK_SECRET)?;
        let credentials = match &place.app {
            Some(id) => Credentials::app(id, take(KEY)?)
                .map_err(|error| Failure::caused(Exit::Missing, error))?,
            None => Credentials::Token(take(TOKEN)?),
        };
        let github = Arc::new(GitHub::new(&place.api, credentials));
        Ok(Link { place, github, webhook_secret })
    }
}

/// Where it is, as whom, by what; for the audit trail.
fn in_words(place: &Place, has_new_secret: bool) -> String {
    let how = if place.app.is_some() { "an app" } else { "a token" };
    let new = if has_new_secret { ", with a new secret for webhooks" } else { "" };
    format!("{} as {}, by {how}{new}", place.url, place.who)
}

/// Keeps a connection that was tried, once that is written down. The webhook's secret stays, where there is one and
/// no other is wanted; what comes back is a new one.
pub(crate) fn keep(
    data: &DataFolder,
    place: &Place,
    credentials: &Credentials,
    wants_secret: bool,
) -> Result<Option<Secret>, Failure> {
    let vault = kept::vault(&data.state);
    let scope = Scope { repository: OWNER.to_owned(), environment: None };
    let known = vault.secrets(OWNER, None).map_err(kept::failed)?;
    let is_new = wants_secret || !known.contains_key(WEBHOOK_SECRET);
    data.record("github.connect", in_words(place, is_new))?;
    let set = |name: &str, value: &Secret| {
        vault.set(&scope, name, Value::Secret(value), (now(), None)).map(drop).map_err(kept::failed)
    };
    match credentials {
        Credentials::Token(token) => set(TOKEN, token)?,
        Credentials::App { key, .. } => set(KEY, key)?,
    }
    let made = if is_new {
        let secret = Secret::new(random::hex::<32>()?);
        set(WEBHOOK_SECRET, &secret)?;
        Some(secret)
    } else {
        None
    };
    // Behind what it needs: whoever reads it finds that.
    data::write(&data.path("github.json"), place)?;
    Ok(made)
}

/// What `repositories add github:OWNER/NAME` asks for: its name, and its numbers where they are said.
pub(crate) fn found(link: &Link, name: &str) -> Result<(String, Option<Numbers>), Failure> {
    let answered = link.github.ask(forge::Method::Get, name, "", None).map_err(failed)?;
    // GitHub knows how its owner writes it, and where it went.
    let full_name = answered.json["full_name"].as_str().unwrap_or(name);
    let owner = answered.json["owner"]["id"].as_u64();
    let numbers = owner.zip(answered.json["id"].as_u64());
    let numbers = numbers.map(|(owner, repository)| Numbers { owner, repository });
    Ok((repositories::checked_name(full_name)?, numbers))
}

/// A mirror of a repository, brought up to date.
pub(crate) fn mirror(link: &Link, connected: &Connected) -> Result<repository::Mirror, Failure> {
    let url = link.place.clone_url(&connected.name);
    let mirror = repository::Mirror::open(&connected.path, &url)?;
    let header = link.github.fetch_header(&connected.name).map_err(failed)?;
    mirror.fetch(repository::Access { header: Some(header.expose()) })?;
    Ok(mirror)
}

/// What GitHub did not do, for people.
pub(crate) fn failed(error: forge::ForgeError) -> Failure {
    let hint = error.hint();
    let failure = Failure::caused(Exit::Missing, error);
    hint.into_iter().fold(failure, Failure::hint)
}
