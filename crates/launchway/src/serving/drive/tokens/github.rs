//! `GITHUB_TOKEN`: a token of GitHub's for each job that may have one, of its repository alone, with what the job is
//! granted, ended when the job is over.
//!
//! ```text
//!   lease ──▶ a word ──▶ the worker asks with it ──▶ the journal: is that lease open? ──▶ GitHub makes a token
//!   the lease is over ──▶ GitHub ends it; who was killed before ends it at the next start
//! ```
//!
//! What was made and not ended is kept sealed, so that somebody ends it; it ends by itself after an hour.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc::{Receiver, TryRecvError};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use event::{Digest, JobDefinition, JobKey, RunEvent, RunRequest, Seq, StreamId, Timestamp};
use mask::Secret;
use ports::{Journal as _, Lease};
use protocol::GitHubDoor;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use server::{Refused, Why};
use store::{Scope, Value, Vault};

use super::{JobTokens, Purpose, Word, is_open};
use crate::exit::Failure;
use crate::kept;
use crate::serving::data::DataFolder;
use crate::serving::github::{Link, Links};
use crate::serving::repositories;
use crate::terminal::style::talk;
use crate::terminal::time::now;

/// Whose they are in their vault. No repository is called so.
const OWNER: &str = "launchway:github:jobs";
/// What could not be ended is tried again, and what is over by a look found.
const LOOK: Duration = Duration::from_secs(60);
/// A token that was made is given again to the same job while it lasts so long.
const LEFT_MS: u64 = 5 * 60 * 1000;

/// Whoever ends the server waits for that at most.
const MOMENT: Duration = Duration::from_millis(500);

/// What was made, by what it is kept as; none where it cannot be read.
type Kept = Vec<(String, Option<Made>)>;

/// What is known of tokens that were made.
pub(super) struct OfGitHub {
    data: DataFolder,
    links: Arc<Links>,
    /// Where jobs ask.
    door: String,
    /// Those of leases that go on, by what they are kept as.
    made: Mutex<BTreeMap<String, Made>>,
    turns: Turns,
    /// Those whose leases may be over.
    ended: (Mutex<BTreeSet<String>>, Condvar),
}

/// Whoever asks for a lease waits for whoever asks for the same, and for nobody else.
#[derive(Default)]
struct Turns {
    taken: Mutex<BTreeSet<String>>,
    free: Condvar,
}

/// Goes on until it is dropped.
struct Turn<'t>(&'t Turns, String);

impl Turns {
    fn await_one(&self, name: &str) -> Turn<'_> {
        let taken = locked(&self.taken);
        let is_taken = |taken: &mut BTreeSet<String>| taken.contains(name);
        let taken = self.free.wait_while(taken, is_taken);
        taken.unwrap_or_else(PoisonError::into_inner).insert(name.to_owned());
        Turn(self, name.to_owned())
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        locked(&self.0.taken).remove(&self.1);
        self.0.free.notify_all();
    }
}

fn locked<T>(it: &Mutex<T>) -> MutexGuard<'_, T> {
    it.lock().unwrap_or_else(PoisonError::into_inner)
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
            turns: Turns::default(),
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

    /// One of their own: each job that begins or ends writes the file anew, which is to be short, and neither waits
    /// for those who set secrets nor keeps them waiting.
    fn vault(&self) -> Vault {
        Vault::in_folder(&self.data.state.job_tokens())
    }

    fn keep(&self, made: &Made) -> Result<(), Failure> {
        let text = Secret::new(serde_json::to_string(made).expect("plain data"));
        let set = self.vault().set(
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
        self.vault().remove(&OfGitHub::scope(), name, true).map_err(kept::failed)?;
        self.made().remove(name);
        Ok(())
    }

    fn made(&self) -> MutexGuard<'_, BTreeMap<String, Made>> {
        locked(&self.made)
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
        let token =
            if may { self.door_at(&self.github.door, lease, Purpose::GitHubToken) } else { None };
        Some(GitHubDoor {
            server_url: link.place.url.as_str().into(),
            api_url: link.place.api.as_str().into(),
            token,
        })
    }

    /// The token of the job that has this word; the same one, however often it asks.
    pub(crate) fn github_token(&self, bearer: &str) -> Result<Json, Refused> {
        let word = self.word(bearer, Purpose::GitHubToken)?;
        self.asked(|asked| asked.ask(&word, now()))?;
        let name = kept_as(&word);
        let _turn = self.github.turns.await_one(&name);
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
        let given = self.give(&made, &request.repository, &granted);
        if given.is_err() {
            // Nobody has it, and nobody knows of it: where it cannot be ended either, it ends by itself.
            let _ = link.github.end_job_token(&Secret::new(made.token.clone()));
        }
        given.map(|()| made.said())
    }

    /// The trail has it before anybody else: what is kept is given to whoever asks once more.
    fn give(
        &self,
        made: &Made,
        repository: &str,
        granted: &BTreeMap<String, String>,
    ) -> Result<(), Refused> {
        let may: Vec<String> =
            granted.iter().map(|(scope, access)| format!("{scope}: {access}")).collect();
        let Word { stream, job, .. } = &made.word;
        let object = format!("{stream} {job} for {repository}, {}", may.join(", "));
        self.record("github_token.give", object)?;
        let kept = self.github.keep(made);
        kept.map_err(|failure| Refused::new(Why::Missing, format!("{:#}", failure.error)))
    }

    /// A job's lease may be over: its token is to end.
    pub(crate) fn is_over(&self, stream: StreamId, job: &JobKey) {
        let of_it = |it: &Made| it.word.stream == stream && it.word.job == *job;
        let names: Vec<String> = {
            let made = self.github.made();
            made.iter().filter(|(_, it)| of_it(it)).map(|(name, _)| name.clone()).collect()
        };
        if !names.is_empty() {
            let (ended, woken) = &self.github.ended;
            locked(ended).extend(names);
            woken.notify_all();
        }
    }

    /// Ends tokens of jobs that are over, until the other end of `stop` is dropped.
    pub(crate) fn end_those_over(&self, stop: &Receiver<()>) {
        let goes_on = || stop.try_recv() == Err(TryRecvError::Empty);
        let mut told = None;
        let mut tell = |ended: Result<(), Failure>| {
            let trouble = ended.err().filter(|it| !store::is_away(it.error.as_ref()));
            let trouble = trouble.map(|it| format!("{:#}", it.error));
            if let Some(why) = trouble.as_ref().filter(|_| told != trouble) {
                talk(&format!(
                    "warning: a job's GITHUB_TOKEN could not be ended, and ends by itself within the hour: {why}"
                ));
            }
            told = trouble;
        };
        while goes_on() {
            tell(self.kept().and_then(|kept| self.end_of(kept, &goes_on)));
            let all_again = Instant::now() + LOOK;
            while goes_on() && Instant::now() < all_again {
                let names = self.await_some_ended();
                if !names.is_empty() {
                    let made = self.github.made().clone();
                    let made = made.into_iter().filter(|(name, _)| names.contains(name));
                    tell(self.end_of(made.map(|(name, it)| (name, Some(it))).collect(), &goes_on));
                }
            }
        }
    }

    /// What may be over now; nothing after a moment, so that whoever ends the server does not wait.
    fn await_some_ended(&self) -> BTreeSet<String> {
        let (ended, woken) = &self.github.ended;
        let waited = woken.wait_timeout_while(locked(ended), MOMENT, |it| it.is_empty());
        std::mem::take(&mut *waited.unwrap_or_else(PoisonError::into_inner).0)
    }

    /// All that were made and not ended, by whatever server; none where one cannot be read.
    fn kept(&self) -> Result<Kept, Failure> {
        let kept = self.github.vault().secrets(OWNER, None).map_err(kept::failed)?;
        let read = |(name, text): (String, Secret)| {
            (name, serde_json::from_str::<Made>(text.expose()).ok())
        };
        Ok(kept.into_iter().map(read).collect())
    }

    /// Ends those of these whose leases are over. One that cannot be ended keeps no other.
    fn end_of(&self, mut kept: Kept, goes_on: &dyn Fn() -> bool) -> Result<(), Failure> {
        if kept.is_empty() {
            return Ok(());
        }
        let link = self.github.links.get()?;
        let mut trouble = Ok(());
        // A run is read once for all of its jobs.
        kept.sort_by_key(|(_, made)| made.as_ref().map(|it| it.word.stream));
        let mut read: Option<(StreamId, Vec<RunEvent>)> = None;
        for (name, made) in kept {
            if !goes_on() {
                break;
            }
            let is_past = made.as_ref().is_none_or(|it| it.until.0 < now().0);
            if let Some(made) = made.filter(|_| !is_past) {
                let stream = made.word.stream;
                if read.as_ref().is_none_or(|(of, _)| *of != stream) {
                    // Behind the journal's word alone: a lease that goes on has its token still.
                    let Ok(events) = self.store.read(stream, Seq(0)) else { continue };
                    read = Some((stream, events.into_iter().map(|it| it.event).collect()));
                }
                if read.as_ref().is_some_and(|(_, events)| is_open(events, &made.word)) {
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
            purpose: Purpose::GitHubToken,
        };
        assert_eq!(kept_as(&word("build", 1)), kept_as(&word("build", 1)));
        assert_ne!(kept_as(&word("build", 1)), kept_as(&word("build", 2)));
        assert_ne!(kept_as(&word("build", 1)), kept_as(&word("test", 1)));
    }

    #[test]
    fn a_word_opens_one_door() {
        let old = r#"{"stream":"run/12/1","job":"build","fence":1}"#;
        let of = |purpose: &str| old.replace('}', &format!(r#","purpose":"{purpose}"}}"#));
        let (id_token, github) = (Purpose::IdToken, Purpose::GitHubToken);
        for (purpose, text, expect) in [
            (id_token, of("id_token"), true),
            (github, of("git_hub_token"), true),
            (github, of("id_token"), false),
            (id_token, of("git_hub_token"), false),
            // Of a job that began before words said it.
            (id_token, old.to_owned(), true),
            (github, old.to_owned(), false),
            (github, of("all"), false),
        ] {
            let found = super::super::word_for(purpose, &text);
            assert_eq!(found.is_some(), expect, "{purpose:?} {text}");
        }
    }

    #[test]
    fn a_lease_waits_for_itself_alone() {
        let turns = Turns::default();
        let first = turns.await_one("JOB_1");
        drop(turns.await_one("JOB_2"));
        let asked = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            let second = scope.spawn(|| {
                let _turn = turns.await_one("JOB_1");
                asked.load(std::sync::atomic::Ordering::Acquire)
            });
            asked.store(true, std::sync::atomic::Ordering::Release);
            drop(first);
            assert!(second.join().expect("it ends"), "it came before the first was done");
        });
        assert!(locked(&turns.taken).is_empty());
    }
}
