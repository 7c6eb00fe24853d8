//! Signing in to AWS as the settings of an environment say, and clients of its regions.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use aws::{
    Assume, Client, Endpoints, Https, Issue, Question, Reply, SignIn, Surroundings, Unanswered,
};
use issuer::{Claims, Keys, Place, Subject};
use mask::Secret;
use repository::Repository;
use settings::Credentials;

use super::person;
use super::targets::Site;
use crate::exit::Failure;
use crate::settings_file::Found;
use crate::state::StateFolder;
use crate::terminal::time::now;

/// The environment and the files of whoever deploys. Settings may name other variables for the key.
struct Here {
    key_id: String,
    secret: String,
}

impl Surroundings for Here {
    fn variable(&self, name: &str) -> Option<String> {
        let name = match name {
            "AWS_ACCESS_KEY_ID" => &self.key_id,
            "AWS_SECRET_ACCESS_KEY" => &self.secret,
            other => other,
        };
        std::env::var(name).ok()
    }

    fn file(&self, path: &Path) -> Option<String> {
        std::fs::read_to_string(path).ok()
    }

    fn ask(&self, question: &Question) -> Result<Reply, Unanswered> {
        Https::default().ask(question)
    }
}

/// A client of a region.
pub(crate) fn client(region: &str, sign_in: SignIn) -> Client {
    // Where AWS is, where not at its usual place: variables of AWS's own tools.
    let endpoints = Endpoints::of(|name| std::env::var(name).ok());
    Client::new(region, endpoints, sign_in, Box::new(Https::default()), Box::new(|| now().0))
}

/// As the settings of the environment say; without any as AWS's own tools do.
pub(crate) fn sign_in(site: Site<'_>, found: Option<&Found>) -> Result<SignIn, Failure> {
    let environment = found.and_then(|it| it.settings.environment(site.environment));
    let credentials = environment.and_then(|it| it.credentials.as_ref());
    Ok(sign_in_with(credentials, site, found))
}

/// With these credentials; without any as AWS's own tools do.
pub(crate) fn sign_in_with(
    credentials: Option<&Credentials>,
    site: Site<'_>,
    found: Option<&Found>,
) -> SignIn {
    let here = |key_id: &str, secret: &str| {
        let (key_id, secret) = (key_id.to_owned(), secret.to_owned());
        SignIn::new(Arc::new(Here { key_id, secret }))
    };
    let usual = as_whoever;
    match credentials {
        None => usual(),
        Some(Credentials::Assume(assume)) => {
            let sign_in = usual().assuming(Assume {
                role: assume.role.value.to_string(),
                session: session(site),
                seconds: assume.session.value.as_secs(),
            });
            match (&assume.issuer, found) {
                (Some(url), Some(found)) => {
                    sign_in.with_issuer(Arc::new(Own::of(site, found, &url.value)))
                }
                _ => sign_in,
            }
        }
        Some(Credentials::Profile(profile)) => usual().with_profile(&profile.value),
        Some(Credentials::Keys { id, secret }) => here(&id.value, &secret.value),
        Some(Credentials::Instance) => usual().of_this_machine(),
    }
}

/// As AWS's own tools do, whatever the settings say: whoever looks for what is wrong with them.
pub(crate) fn as_whoever() -> SignIn {
    let (key_id, secret) = ("AWS_ACCESS_KEY_ID".to_owned(), "AWS_SECRET_ACCESS_KEY".to_owned());
    SignIn::new(Arc::new(Here { key_id, secret }))
}

/// The name under which CloudTrail keeps a role's session, before the deployment's number.
fn session(site: Site<'_>) -> String {
    let name = format!("launchway-{}-{}", site.project, site.environment);
    let plain =
        |it: char| if it.is_ascii_alphanumeric() || "+=,.@-_".contains(it) { it } else { '-' };
    name.chars().map(plain).collect()
}

/// Our own issuer: its keys lie in the state folder, and tokens are made for deployments only.
struct Own {
    folder: PathBuf,
    url: String,
    subject: Option<Subject>,
    commit: Option<String>,
}

impl Own {
    fn of(site: Site<'_>, found: &Found, url: &str) -> Own {
        let repository = Repository::discover(&found.root).ok();
        Own {
            folder: site.state.issuer(),
            url: url.trim_end_matches('/').to_owned(),
            commit: repository.as_ref().map(|it| it.head.id.clone()),
            subject: repository.map(|it| subject(&it, site.environment)),
        }
    }
}

/// Whom tokens for an environment are about. Numbers are known inside GitHub Actions only.
pub(crate) fn subject(repository: &Repository, environment: &str) -> Subject {
    let number = |name: &str| std::env::var(name).ok().filter(|it| !it.is_empty());
    Subject {
        owner: repository.owner.clone(),
        owner_id: number("GITHUB_REPOSITORY_OWNER_ID"),
        repository: repository.name.clone(),
        repository_id: number("GITHUB_REPOSITORY_ID"),
        place: Place::Environment(environment.to_owned()),
    }
}

impl Issue for Own {
    fn token(&self, audience: &str) -> Result<Secret, String> {
        let subject = self.subject.clone().ok_or("there is no repository that it could be for")?;
        let now = now().0 / 1000;
        let keys = Keys::open(&self.folder, now).map_err(|error| told(&error))?;
        let claims = Claims {
            issuer: self.url.clone(),
            audience: audience.to_owned(),
            subject,
            is_by_number: true,
            commit: self.commit.clone(),
            actor: person().name.to_string(),
            run: "launchway".to_owned(),
            more: Vec::new(),
        };
        keys.token(&claims, now).map_err(|error| told(&error))
    }
}

/// An error with what it comes from.
fn told(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut source = error.source();
    while let Some(next) = source {
        words += &format!(": {next}");
        source = next.source();
    }
    words
}

/// The keys of this machine's issuer.
pub(crate) fn keys(state: &StateFolder) -> Result<Keys, Failure> {
    let now = now().0 / 1000;
    Keys::open(&state.issuer(), now)
        .map_err(|error| Failure::caused(crate::exit::Exit::Missing, error))
}
