//! `GITHUB_TOKEN`: a token of GitHub's for each job that may have one, of its repository alone, with what the job is
//! granted, ended when the job is over.
//!
//! ```text
//!   lease ──▶ a word ──▶ the worker asks with it ──▶ the journal: is that lease open? ──▶ GitHub makes a token
//!   the lease is over ──▶ GitHub ends it; who was killed before ends it at the next start
//! ```
//!
//! What was made and not ended is kept sealed, so that somebody ends it; it ends by itself after an hour.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use event::{Digest, JobDefinition, JobKey, RunEvent, RunRequest, Seq, StreamId, Timestamp};
use mask::Secret;
use ports::{Journal as _, Lease};
use protocol::GitHubDoor;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use server::{Refused, Why};
use store::{Scope, Value};

use super::{JobTokens, Word, is_open};
use crate::exit::Failure;
use crate::kept;
use crate::serving::data::DataFolder;
use crate::serving::github::{Link, Links};
use crate::serving::repositories;
use crate::terminal::style::talk;
use crate::terminal::time::now;

/// No repository is called so: its jobs never see what stands under it.
const OWNER: &str = "launchway:github:jobs";
/// What could not be ended is tried again, and what is over by a look found.
const LOOK: Duration = Duration::from_secs(60);
/// So many are asked for at once.
const TURNS: usize = 16;
/// A token that was made is given again to the same job while it lasts so long.
const LEFT_MS: u64 = 5 * 60 * 1000;

/// What is known of tokens that were made.
pub(super) struct OfGitHub {
    data: DataFolder,
    links: Arc<Links>,
    /// Where jobs ask.
    door: String,
    /// Those of leases that go on, by what they are kept as.
    made: Mutex<BTreeMap<String, Made>>,
    /// Whoever asks for a lease waits for whoever asks for the same.
    turns: [Mutex<()>; TURNS],
    ended: (Mutex<bool>, Condvar),
}

/// One that was made.
#[derive(Clone, Serialize, Deserialize)]
struct Made {
    word: Word,
    token: String,
    until: Timestamp,
    left_out: Vec<String>,
}

impl Made {
    fn said(&self) -> Json {
        json!({ "token": self.token, "expires_at_ms": self.until, "left_out": self.left_out })
    }
}

impl OfGitHub {
    pub(super) fn new(data: DataFolder, links: Arc<Links>, local: &str) -> OfGitHub {
        OfGitHub {
            data,
            links,
            door: format!("{local}/oidc/github-token"),
            made: Mutex::default(),
            turns: Default::default(),
            ended: Default::default(),
        }
    }

    fn scope() -> Scope {
        Scope { repository: OWNER.to_owned(), environment: None }
    }

    /// GitHub, where a run's repository is connected there.
    fn link(&self, request: &RunRequest) -> Result<Option<Link>, Failure> {
        if repositories::on_github(&self.data, &request.repository)?.is_none() {
            return Ok(None);
        }
        self.links.get()
    }

    fn keep(&self, made: &Made) -> Result<(), Failure> {
        let text = Secret::new(serde_json::to_string(made).expect("plain data"));
        let vault = kept::vault(&self.data.state);
        let set = vault.set(
            &OfGitHub::scope(),
            &kept_as(&made.word),
            Value::Secret(&text),
            (now(), None),
        );
        set.map(drop).map_err(kept::failed)?;
        self.made().insert(kept_as(&made.word), made.clone());
        Ok(())
    }

    fn forget(&self, name: &str) -> Result<(), Failure> {
        let vault = kept::vault(&self.data.state);
        vault.remove(&OfGitHub::scope(), name, true).map_err(kept::failed)?;
        self.made().remove(name);
        Ok(())
    }

    fn made(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Made>> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a lease's token is kept as.
fn kept_as(word: &Word) -> String {
    let text = serde_json::to_string(word).expect("plain data");
    let digest = Digest::of(text.as_bytes()).to_string();
    let end: String = digest.chars().rev().take(32).collect();
    format!("JOB_{}", end.to_uppercase())
}

/// What a job may do at GitHub: code of forks writes nothing there, whatever its run was planned by.
fn granted(request: &RunRequest, definition: &JobDefinition) -> BTreeMap<String, String> {
    let all = definition.permissions.iter().map(|(scope, access)| {
        let access = if request.terms.outside && &**access == "write" { "read" } else { access };
        (scope.to_string(), access.to_owned())
    });
    all.filter(|(scope, access)| scope != "id-token" && access != "none").collect()
}

impl JobTokens {
    /// How a job reaches GitHub, and where it asks for its token; none for a job of another repository.
    pub(crate) fn github_door(
        &self,
        lease: &Lease,
        request: &RunRequest,
        definition: &JobDefinition,
        has_own: bool,
    ) -> Option<GitHubDoor> {
        let link = self.github.link(request).unwrap_or_else(|failure| {
            let job = &lease.job;
            let why = &failure.error;
            talk(&format!("warning: {} {job} is given no GITHUB_TOKEN: {why:#}", lease.stream));
            None
        })?;
        let may = link.place.app.is_some() && !has_own && !granted(request, definition).is_empty();
        let token = if may { self.door_at(&self.github.door, lease) } else { None };
        Some(GitHubDoor {
            server_url: link.place.url.as_str().into(),
            api_url: link.place.api.as_str().into(),
            token,
        })
    }

    /// The token of the job that has this word; the same one, however often it asks.
    pub(crate) fn github_token(&self, bearer: &str) -> Result<Json, Refused> {
        let word = self.word(bearer)?;
        self.asked(|asked| asked.ask(&word, now()))?;
        let name = kept_as(&word);
        let turn = name.bytes().last().map_or(0, usize::from) % TURNS;
        let _turn = self.github.turns[turn].lock().unwrap_or_else(PoisonError::into_inner);
        let (request, definition) = self.opened(&word)?;
        let known = self.github.made().get(&name).cloned();
        if let Some(known) = known.filter(|it| it.until.0 > now().0 + LEFT_MS) {
            return Ok(known.said());
        }
        let missing = |failure: Failure| Refused::new(Why::Missing, format!("{:#}", failure.error));
        let link = self.github.link(&request).map_err(missing)?;
        let granted = granted(&request, &definition);
        let link = link.filter(|it| it.place.app.is_some() && !granted.is_empty());
        let link = link.ok_or_else(|| {
            Refused::new(Why::Forbidden, "the job has no right to a GITHUB_TOKEN")
        })?;
        let made = link.github.job_token(&request.repository, &granted);
        let made = made.map_err(|error| {
            let why = if error.is_passing() { Why::Missing } else { Why::Forbidden };
            Refused::new(why, error.to_string())
        })?;
        let Some(made) = made else {
            let left_out: Vec<String> =
                granted.iter().map(|(scope, access)| format!("{scope}: {access}")).collect();
            return Ok(json!({ "token": "", "left_out": left_out }));
        };
        let forge::JobToken { token, until, left_out } = made;
        let made = Made { word, token: token.expose().to_owned(), until, left_out };
        self.github.keep(&made).map_err(missing)?;
        let may: Vec<String> =
            granted.iter().map(|(scope, access)| format!("{scope}: {access}")).collect();
        let Word { stream, job, .. } = &made.word;
        let object = format!("{stream} {job} for {}, {}", request.repository, may.join(", "));
        self.record("github_token.give", object)?;
        Ok(made.said())
    }

    /// A job's lease may be over: its token is to end.
    pub(crate) fn is_over(&self, stream: StreamId, job: &JobKey) {
        let has_one =
            self.github.made().values().any(|it| it.word.stream == stream && it.word.job == *job);
        if has_one {
            let (flag, woken) = &self.github.ended;
            *flag.lock().unwrap_or_else(PoisonError::into_inner) = true;
            woken.notify_all();
        }
    }

    /// Ends tokens of jobs that are over, until the other end of `stop` is dropped.
    pub(crate) fn end_those_over(&self, stop: &Receiver<()>) {
        let mut told = None;
        loop {
            let ended = self.end_all_over();
            let trouble = ended.err().filter(|it| !store::is_away(it.error.as_ref()));
            let trouble = trouble.map(|it| format!("{:#}", it.error));
            if let Some(why) = trouble.as_ref().filter(|_| told != trouble) {
                talk(&format!(
                    "warning: a job's GITHUB_TOKEN could not be ended, and ends by itself within the hour: {why}"
                ));
            }
            told = trouble;
            let (flag, woken) = &self.github.ended;
            let flag = flag.lock().unwrap_or_else(PoisonError::into_inner);
            // Whoever ends the server waits for that at most.
            let wait = Duration::from_millis(500);
            let mut waited = Duration::ZERO;
            let mut flag = flag;
            loop {
                if !matches!(stop.recv_timeout(Duration::ZERO), Err(RecvTimeoutError::Timeout)) {
                    return;
                }
                if *flag || waited >= LOOK {
                    *flag = false;
                    break;
                }
                (flag, _) = woken.wait_timeout(flag, wait).unwrap_or_else(PoisonError::into_inner);
                waited += wait;
            }
        }
    }

    /// Ends those whose leases are over. One that cannot be ended keeps no other.
    fn end_all_over(&self) -> Result<(), Failure> {
        let kept = kept::vault(&self.github.data.state).secrets(OWNER, None);
        let kept = kept.map_err(kept::failed)?;
        if kept.is_empty() {
            return Ok(());
        }
        let link = self.github.links.get()?;
        let mut trouble = Ok(());
        for (name, text) in kept {
            let made = serde_json::from_str::<Made>(text.expose()).ok();
            let is_past = made.as_ref().is_none_or(|it| it.until.0 < now().0);
            if let Some(made) = made.filter(|_| !is_past) {
                // Behind the journal's word alone: a lease that goes on has its token still.
                let Ok(events) = self.store.read(made.word.stream, Seq(0)) else { continue };
                let events: Vec<RunEvent> = events.into_iter().map(|it| it.event).collect();
                if is_open(&events, &made.word) {
                    self.github.made().entry(name).or_insert(made);
                    continue;
                }
                let token = Secret::new(made.token);
                let ended = link.as_ref().map_or(Ok(()), |it| it.github.end_job_token(&token));
                if let Err(error) = ended {
                    trouble = Err(crate::serving::github::failed(error));
                    continue;
                }
            }
            self.github.forget(&name)?;
        }
        trouble
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_lease_has_a_name_of_its_own() {
        let word = |job: &str, fence: u64| Word {
            stream: "run/12/1".parse().expect("a run"),
            job: JobKey::new(job),
            fence: event::Fence(fence),
        };
        assert_eq!(kept_as(&word("build", 1)), kept_as(&word("build", 1)));
        assert_ne!(kept_as(&word("build", 1)), kept_as(&word("build", 2)));
        assert_ne!(kept_as(&word("build", 1)), kept_as(&word("test", 1)));
    }
}
