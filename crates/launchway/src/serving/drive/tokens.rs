//! Tokens of OIDC for jobs: who a job is, said by the server, so that a cloud needs no stored secret.
//!
//! ```text
//!   lease, `id-token: write` ──▶ a word sealed for it ──▶ the job asks with it ──▶ the journal: is that
//!                                                                                  lease open? ──▶ a token
//! ```
//!
//! Nothing is kept: the word says which lease it is of, and the journal says whether that goes on. What
//! comes from a fork gets none.

mod asked;
mod github;

use std::sync::{Arc, Mutex, PoisonError};

use event::{JobDefinition, RunEvent, RunRequest, Seq, StreamId};
use issuer::{Bearers, Claims, IssuerError, Keys, Place, Subject, discovery};
use ports::{Journal as _, Lease};
use protocol::IdTokenDoor;
use serde_json::Value as Json;
use server::{Refused, Why};
use store::Store;

use self::asked::{Asked, TooMany};
use crate::exit::{Exit, Failure};
use crate::serving::data::DataFolder;
use crate::serving::github::Links;
use crate::serving::repositories::{self, SubjectForm};
use crate::terminal::style::talk;
use crate::terminal::time::now;

/// A key that the server publishes itself signs for so long. One whose files lie elsewhere is replaced by
/// whoever puts them there: `launchway issuer rotate`.
const KEY_DAYS: u64 = 30;
const DAY_SECONDS: u64 = 86_400;

/// GitHub's audiences are short; so is every other that a cloud asks for.
const AUDIENCE_CHARS_MAX: usize = 255;

const NO_WORD: &str =
    "this is no word of a job, or its key was withdrawn since: then the job has to run again";

/// Issues tokens to jobs.
pub(crate) struct JobTokens {
    data: DataFolder,
    store: Arc<Store>,
    keys: Keys,
    bearers: Bearers,
    /// `iss`
    issuer: String,
    /// Whether that is the server itself.
    is_served: bool,
    /// Where jobs ask.
    door: String,
    asked: Mutex<Asked<Word>>,
    /// Tokens of GitHub's, for jobs of repositories there.
    github: github::OfGitHub,
}

/// Which lease a word is of.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
struct Word {
    stream: StreamId,
    job: event::JobKey,
    fence: event::Fence,
    /// A word opens one door: who has another is not to come by what this one gives.
    #[serde(default)]
    purpose: Purpose,
}

/// What a word is good for.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    serde::Serialize,
    serde::Deserialize,
)]
#[serde(rename_all = "snake_case")]
enum Purpose {
    /// Tokens of ours, which steps ask for.
    #[default]
    IdToken,
    /// The job's one of GitHub's, which its worker asks for.
    GitHubToken,
}

impl JobTokens {
    /// By the keys of the data folder. `issuer` is the address where the keys are published, where that
    /// is not the server; `reached` is the server's own, `local` where jobs reach it.
    pub(crate) fn open(
        data: &DataFolder,
        (store, links): (Arc<Store>, Arc<Links>),
        issuer: Option<&str>,
        (reached, local): (&str, &str),
    ) -> Result<JobTokens, Failure> {
        let failed = |error: IssuerError| Failure::caused(Exit::Missing, error);
        let folder = data.state.issuer();
        Ok(JobTokens {
            data: data.clone(),
            keys: Keys::open(&folder, seconds()).map_err(failed)?,
            bearers: Bearers::open(&folder).map_err(failed)?,
            is_served: issuer.is_none(),
            issuer: issuer.unwrap_or(reached).trim_end_matches('/').to_owned(),
            // What asks adds `&audience=`.
            door: format!("{local}/oidc/token?api-version=2.0"),
            asked: Mutex::default(),
            github: github::OfGitHub::new(data.clone(), links, local),
            store,
        })
    }

    /// What a job asks with; none for one that may not have tokens.
    pub(crate) fn door(
        &self,
        lease: &Lease,
        request: &RunRequest,
        definition: &JobDefinition,
    ) -> Option<IdTokenDoor> {
        if !may_have(request, definition) {
            return None;
        }
        self.door_at(&self.door, lease, Purpose::IdToken)
    }

    /// A door that a lease's word opens.
    fn door_at(&self, url: &str, lease: &Lease, purpose: Purpose) -> Option<IdTokenDoor> {
        let Lease { stream, job, fence } = lease.clone();
        let word = Word { stream, job, fence, purpose };
        let word = serde_json::to_string(&word).expect("plain data");
        let sealed = self.bearers.seal(&word).map_err(|error| {
            talk(&format!("warning: {} {} is given no tokens: {error:#}", lease.stream, lease.job));
        });
        let bearer = sealed.ok()?;
        Some(IdTokenDoor { url: url.into(), bearer: bearer.expose().to_owned() })
    }

    /// The lease that a word is of.
    fn word(&self, bearer: &str, purpose: Purpose) -> Result<Word, Refused> {
        let word = self.bearers.open_word(bearer);
        let word = word.map_err(|error| Refused::new(Why::Missing, error.to_string()))?;
        let word = word.and_then(|it| word_for(purpose, &it));
        word.ok_or_else(|| Refused::new(Why::Forbidden, NO_WORD))
    }

    /// The run and the job of a word, whose lease goes on.
    fn opened(&self, word: &Word) -> Result<(Box<RunRequest>, Box<JobDefinition>), Refused> {
        let forbidden = |message: &str| Refused::new(Why::Forbidden, message);
        let events = self.store.read(word.stream, Seq(0));
        let events = events.map_err(|error| Refused::new(Why::Missing, error.to_string()))?;
        let events: Vec<RunEvent> = events.into_iter().map(|it| it.event).collect();
        if !is_open(&events, word) {
            return Err(forbidden("the job is over"));
        }
        let definition = events.iter().find_map(|it| match it {
            RunEvent::JobPlanned(it) if it.key == word.job => Some(it.clone()),
            _ => None,
        });
        let definition = definition.ok_or_else(|| forbidden("there is no such job"))?;
        match events.into_iter().next() {
            Some(RunEvent::RunCreated(request)) => Ok((request, definition)),
            _ => Err(forbidden("there is no such run")),
        }
    }

    /// A token for whoever has this word.
    pub(crate) fn token(&self, bearer: &str, audience: Option<&str>) -> Result<String, Refused> {
        let forbidden = |message: &str| Refused::new(Why::Forbidden, message);
        let failed = |error: IssuerError| Refused::new(Why::Missing, error.to_string());
        let word = self.word(bearer, Purpose::IdToken)?;
        let audience = audience.unwrap_or(&self.issuer);
        refuse_audience(audience)?;
        self.asked(|asked| asked.ask(&word, now()))?;
        let (request, definition) = self.opened(&word)?;
        let (request, definition) = (&*request, &*definition);
        // Whoever has the key of words could make one for any job.
        if !may_have(request, definition) {
            return Err(forbidden("the job has no right to tokens"));
        }
        if self.is_served {
            self.keys.rotate_older(seconds(), KEY_DAYS * DAY_SECONDS).map_err(failed)?;
        }
        let claims = self
            .claims(request, definition, audience)
            .map_err(|failure| Refused::new(Why::Missing, format!("{:#}", failure.error)))?;
        let is_first = self.asked(|asked| asked.is_first(&word, audience))?;
        let (token, id) = self.keys.issue(&claims, seconds()).map_err(failed)?;
        if is_first {
            self.write_down(&word, (audience, &id))?;
            self.asked(|asked| asked.wrote(&word, audience))?;
        }
        Ok(token.expose().to_owned())
    }

    fn asked<T>(
        &self,
        ask: impl FnOnce(&mut Asked<Word>) -> Result<T, TooMany>,
    ) -> Result<T, Refused> {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        ask(&mut asked).map_err(|too_many| {
            let why = match too_many {
                TooMany::Asked { .. } => Why::TooOften,
                TooMany::Audiences => Why::Forbidden,
            };
            Refused::new(why, too_many.said())
        })
    }

    /// That a job was given a token, by its id, before anybody has it: the first for each audience.
    fn write_down(&self, word: &Word, (audience, id): (&str, &str)) -> Result<(), Refused> {
        let object = format!("{} {} for {audience}, jti {id}", word.stream, word.job);
        self.record("id_token.give", object)
    }

    /// What was given to a job.
    fn record(&self, action: &str, object: String) -> Result<(), Refused> {
        let record = event::AuditRecord {
            actor: None,
            token: None,
            action: action.into(),
            object: mask::MaskedText::without_secrets(object),
            reason: None,
            source: "job".into(),
            address: None,
            refused: None,
            at: now(),
        };
        let written = self.store.record(record).map(drop);
        written.map_err(|error| Refused::new(Why::Missing, error.to_string()))
    }

    /// Where the keys are, and what tokens say.
    pub(crate) fn discovery(&self) -> Json {
        discovery(&self.issuer)
    }

    /// The keys that tokens are proven by.
    pub(crate) fn key_set(&self) -> Result<Json, Refused> {
        let failed = |error: IssuerError| Refused::new(Why::Missing, error.to_string());
        self.keys.key_set(seconds()).map_err(failed)
    }

    fn claims(
        &self,
        request: &RunRequest,
        job: &JobDefinition,
        audience: &str,
    ) -> Result<Claims, Failure> {
        // One repository has one form, whatever set off its run: events made here have no numbers of GitHub's.
        let connected = repositories::find(&self.data, &request.repository)?;
        let on_github = connected.and_then(|it| it.github);
        let numbers = on_github.and_then(|it| it.numbers);
        let (owner, name) = request.repository.split_once('/').unwrap_or(("", &request.repository));
        let payload = &request.event.payload["repository"];
        let git_ref = &*request.event.git_ref;
        let place = match &job.environment {
            Some(environment) => Place::Environment(environment.to_string()),
            None if request.event.name.starts_with("pull_request") => Place::PullRequest,
            None => Place::Ref(git_ref.to_owned()),
        };
        Ok(Claims {
            issuer: self.issuer.clone(),
            audience: audience.to_owned(),
            subject: Subject {
                owner: owner.to_owned(),
                owner_id: numbers
                    .map(|it| it.owner.to_string())
                    .or_else(|| number(&payload["owner"]["id"])),
                repository: name.to_owned(),
                repository_id: numbers
                    .map(|it| it.repository.to_string())
                    .or_else(|| number(&payload["id"])),
                place,
            },
            is_by_number: on_github.is_some_and(|it| it.subject == SubjectForm::Numbers),
            commit: Some(request.change.commit.to_string()),
            actor: request.actor.to_string(),
            run: request.run.to_string(),
            more: said_besides(request, job),
        })
    }
}

/// What a sealed word says, where it is good for this.
fn word_for(purpose: Purpose, text: &str) -> Option<Word> {
    serde_json::from_str::<Word>(text).ok().filter(|it| it.purpose == purpose)
}

/// Whether a job may have tokens: it says so, and its code is the repository's own.
fn may_have(request: &RunRequest, definition: &JobDefinition) -> bool {
    let granted = definition.permissions.get("id-token");
    granted.is_some_and(|it| it == "write") && !request.terms.outside
}

/// It stands in the audit trail as the job wrote it.
fn refuse_audience(audience: &str) -> Result<(), Refused> {
    let length = audience.chars().count();
    if length == 0 || length > AUDIENCE_CHARS_MAX {
        let message = format!("an audience has 1 to {AUDIENCE_CHARS_MAX} characters");
        return Err(Refused::new(Why::Input, message));
    }
    if audience.contains(char::is_control) {
        return Err(Refused::new(
            Why::Input,
            "an audience is one line, without control characters",
        ));
    }
    Ok(())
}

/// What GitHub says of a job besides, as far as it is known.
fn said_besides(request: &RunRequest, job: &JobDefinition) -> Vec<(&'static str, String)> {
    let git_ref = &*request.event.git_ref;
    let said = |path: &str| payload_text(&request.event.payload, path);
    let here = |path: &str| format!("{}/{path}@{git_ref}", request.repository);
    let workflow = here(&request.workflow.path);
    let called = job.file.as_deref().map(|it| match it.strip_prefix("./") {
        Some(path) => here(path),
        None => it.to_owned(),
    });
    let kind = if git_ref.starts_with("refs/tags/") { "tag" } else { "branch" };
    // Which commit a reusable workflow of elsewhere was read at is not known but by its name.
    let called_at = job.file.as_deref().map(|it| match it.strip_prefix("./") {
        Some(_) => Some(request.change.commit.to_string()),
        None => it.rsplit_once('@').map(|(_, at)| at.to_owned()).filter(|it| is_commit(it)),
    });
    let called_at = called_at.unwrap_or_else(|| Some(request.change.commit.to_string()));
    let is_sender = said("/sender/login").as_deref() == Some(&*request.actor);
    let actor_id = number(&request.event.payload["sender"]["id"]).filter(|_| is_sender);
    let known = [
        ("actor_id", actor_id),
        ("job_workflow_sha", called_at),
        ("repository_visibility", said("/repository/visibility")),
    ];
    let known = known.into_iter().filter_map(|(name, value)| Some((name, value?)));
    let mut more = vec![
        ("ref", git_ref.to_owned()),
        ("head_ref", said("/pull_request/head/ref").unwrap_or_default()),
        ("base_ref", said("/pull_request/base/ref").unwrap_or_default()),
        ("workflow", name_of_workflow(request)),
        ("ref_type", kind.to_owned()),
        ("event_name", request.event.name.to_string()),
        ("job_workflow_ref", called.unwrap_or_else(|| workflow.clone())),
        ("workflow_ref", workflow),
        ("workflow_sha", request.change.commit.to_string()),
        ("run_number", request.run_number.to_string()),
        ("run_attempt", request.attempt.to_string()),
    ];
    more.extend(known);
    more
}

/// 0 is what a person or a repository without a forge has: no number at all.
fn number(it: &Json) -> Option<String> {
    it.as_u64().filter(|it| *it != 0).map(|it| it.to_string())
}

fn payload_text(payload: &Json, path: &str) -> Option<String> {
    payload.pointer(path).and_then(Json::as_str).map(str::to_owned)
}

/// As `github.workflow` has it: the name that the file gives, else its path.
fn name_of_workflow(request: &RunRequest) -> String {
    let (files, _) = scheduler::Files::read(request);
    let name = files.and_then(|it| it.workflow().name.as_ref().map(|it| it.value.to_string()));
    name.unwrap_or_else(|| request.workflow.path.to_string())
}

fn is_commit(text: &str) -> bool {
    text.len() == 40 && text.bytes().all(|it| it.is_ascii_hexdigit())
}

/// Whether a lease goes on.
fn is_open(events: &[RunEvent], word: &Word) -> bool {
    let mut is_open = false;
    for event in events {
        match event {
            RunEvent::JobLeased { job, fence, .. } if *job == word.job => {
                is_open = *fence == word.fence;
            }
            RunEvent::JobCompleted { job, .. } | RunEvent::JobLost { job, .. }
                if *job == word.job =>
            {
                is_open = false;
            }
            RunEvent::RunCompleted { .. } => is_open = false,
            _ => {}
        }
    }
    is_open
}

fn seconds() -> u64 {
    now().0 / 1_000
}
