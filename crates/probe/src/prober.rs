//! The steps that ask: one `advance` for all of them.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::time::Duration;

use event::{Cause, CauseCode, DeployStepKind, EvidenceKind, Release, Timestamp, Way};
use mask::MaskedText;
use ports::{Order, Performer, Progress};
use serde_json::{Value as Json, json};

use crate::body::{Answer, Body, Smoke, VersionField};
use crate::budget::{self, Budget, Said};
use crate::command::{Commands, Once, Ran};
use crate::request::{Asker, Got, join};

/// How soon it is looked whether an answer is there.
const LOOK: Duration = Duration::from_millis(50);
/// Rounds in a row that fail while baking, before that counts: one lost packet is no fault.
const BAKE_FAULTS_MAX: u32 = 2;

/// A step as this process knows it. After a crash it begins anew: health is asked again, and commands
/// find themselves.
type Key = (u64, String, Way);

#[derive(Default)]
struct Watch {
    round: Option<Receiver<Result<(), String>>>,
    /// When the next round is due.
    next: Timestamp,
    healthy_since: Option<Timestamp>,
    faults: u32,
    fault: Option<String>,
    /// The smoke test that is on.
    at: usize,
}

/// Asks.
pub struct Prober {
    commands: Commands,
    asker: Asker,
    watches: BTreeMap<Key, Watch>,
    /// Looks at budgets, and what was seen of them last.
    budgets: BTreeMap<Key, (Receiver<Said>, String)>,
}

impl Prober {
    /// A prober that runs commands with these.
    pub fn new(commands: Commands) -> Prober {
        let (watches, budgets) = (BTreeMap::new(), BTreeMap::new());
        Prober { commands, asker: Asker::new(), watches, budgets }
    }

    /// Ends what runs for an order that nobody wants any more.
    pub fn abandon(&mut self, order: &Order<'_>) {
        let token = token(order);
        self.commands.end(&token);
        self.budgets.remove(&key(order));
        if let Some(watch) = self.watches.remove(&key(order)) {
            self.commands.end(&format!("{token}-{}", watch.at));
        }
    }

    fn failed(&self, code: CauseCode, message: &str, evidence: &str) -> Progress {
        let cause = Cause::new(code, MaskedText::without_secrets(message));
        let text = self.commands.masked(evidence);
        let kind = if code == CauseCode::Exited { EvidenceKind::Log } else { EvidenceKind::Probe };
        Progress::Failed(if evidence.is_empty() { cause } else { cause.with_evidence(kind, text) })
    }

    /// Paths asked in rounds, until they have held, or the time is over.
    fn rounds(&mut self, order: &Order<'_>, rounds: &Rounds) -> Progress {
        let watch = self.watches.entry(key(order)).or_default();
        let answer = watch.round.as_ref().map(Receiver::try_recv);
        match answer {
            Some(Ok(answer)) => {
                watch.round = None;
                watch.next = Timestamp(order.now.0 + rounds.every_ms);
                match answer {
                    Ok(()) => {
                        watch.faults = 0;
                        watch.fault = None;
                        watch.healthy_since.get_or_insert(order.now);
                    }
                    Err(fault) => {
                        watch.faults += 1;
                        watch.fault = Some(fault);
                        watch.healthy_since = None;
                    }
                }
            }
            Some(Err(TryRecvError::Disconnected)) => watch.round = None,
            Some(Err(TryRecvError::Empty)) | None => {}
        }
        let since = if rounds.is_bake { Some(order.since) } else { watch.healthy_since };
        let held = since.map_or(0, |since| order.now.0.saturating_sub(since.0));
        // A last round that failed is not held, however long it has been.
        if held >= rounds.hold_ms && watch.healthy_since.is_some() && watch.round.is_none() {
            self.watches.remove(&key(order));
            return Progress::Done { effect: json!({ "held_ms": held }) };
        }
        let fault = watch.fault.clone().unwrap_or_default();
        if rounds.is_bake && watch.faults >= BAKE_FAULTS_MAX {
            self.watches.remove(&key(order));
            let message = format!("{} was healthy and is not any more", order.service.service);
            return self.failed(CauseCode::VerificationFailed, &message, &fault);
        }
        if order.now >= order.until {
            self.watches.remove(&key(order));
            let message = format!("{} was not healthy in time", order.service.service);
            return self.failed(CauseCode::NeverHealthy, &message, &fault);
        }
        if watch.round.is_none() && order.now >= watch.next {
            watch.round = Some(ask(&self.asker, rounds.asks.clone()));
        }
        let seen = match (watch.healthy_since, fault) {
            (Some(_), _) => format!("healthy for {} of {} s", held / 1000, rounds.hold_ms / 1000),
            (None, fault) if fault.is_empty() => "asking".to_owned(),
            (None, fault) => fault,
        };
        Progress::Underway { seen: self.commands.masked(&seen), again_in: LOOK }
    }

    fn budget(&mut self, order: &Order<'_>, urls: Vec<String>, budget: Budget) -> Progress {
        let key = key(order);
        let (said, last) = self
            .budgets
            .entry(key.clone())
            .or_insert_with(|| (budget::look(&self.asker, urls, budget), "asking".to_owned()));
        let over = loop {
            match said.try_recv() {
                Ok(Said::Seen(seen)) => *last = seen,
                Ok(Said::Over(measured, kept)) => break Some((measured, kept)),
                Err(TryRecvError::Empty) if order.now < order.until => {
                    let seen = last.clone();
                    return self.underway(&seen);
                }
                Err(_) => break None,
            }
        };
        self.budgets.remove(&key);
        let service = &order.service.service;
        match over {
            Some((measured, Ok(()))) => {
                let p95_ms = u64::try_from(measured.p95().as_millis()).unwrap_or(u64::MAX);
                let (requests, errors) = (measured.requests(), measured.errors());
                Progress::Done {
                    effect: json!({"requests": requests, "errors": errors, "p95_ms": p95_ms}),
                }
            }
            Some((_, Err(fault))) => {
                let message = format!("{service} is slower or more faulty than its budget allows");
                self.failed(CauseCode::VerificationFailed, &message, &fault)
            }
            None => {
                let message = format!("the budget of {service} was not looked at in time");
                self.failed(CauseCode::TimedOut, &message, "")
            }
        }
    }

    fn smoke(&mut self, order: &Order<'_>, url: &str, folder: &str, tests: &[Smoke]) -> Progress {
        let key = key(order);
        let watch = self.watches.entry(key.clone()).or_default();
        let Some(test) = tests.get(watch.at) else {
            self.watches.remove(&key);
            return Progress::Done { effect: json!({ "tests": tests.len() }) };
        };
        let number = watch.at + 1;
        let result = match test {
            Smoke::Get { path, answer, within_ms } => {
                let wants = Ask {
                    url: join(url, path),
                    answer: answer.clone(),
                    headers: Vec::new(),
                    version: None,
                    timeout: Duration::from_millis(*within_ms),
                };
                answered(watch.round.get_or_insert_with(|| ask(&self.asker, vec![wants])))
            }
            Smoke::Run { run, .. } => {
                let environment = vec![("URL".to_owned(), url.to_owned())];
                let token = format!("{}-{}", token(order), watch.at);
                self.ran(&Once { token, run, folder, environment })
            }
        };
        let watch = self.watches.get_mut(&key).expect("it stands there");
        match result {
            Some(Ok(())) => {
                watch.at += 1;
                watch.round = None;
                self.underway(&format!("{number} of {} tests passed", tests.len()))
            }
            Some(Err((code, fault))) => {
                self.watches.remove(&key);
                let message = format!("smoke test {number} of {} failed", tests.len());
                self.failed(code, &message, &fault)
            }
            None if order.now >= order.until => {
                self.commands.end(&format!("{}-{}", token(order), number - 1));
                self.watches.remove(&key);
                let message =
                    format!("smoke test {number} of {} was not over in time", tests.len());
                self.failed(CauseCode::TimedOut, &message, "")
            }
            None => self.underway(&format!("test {number} of {}", tests.len())),
        }
    }

    /// A command among smoke tests: none while it runs.
    fn ran(&self, once: &Once<'_>) -> Option<Tested> {
        let words = once.run.join(" ");
        let failed = |fault| Some(Err((CauseCode::VerificationFailed, fault)));
        match self.commands.advance(once) {
            Ok(Ran::Underway) => None,
            Ok(Ran::Ended(0, _)) => Some(Ok(())),
            Ok(Ran::Ended(code, said)) => failed(format!("{words} exited with {code}\n{said}")),
            Ok(Ran::Lost(said)) => failed(format!("{words} was ended from outside\n{said}")),
            Err(error) => {
                Some(Err((CauseCode::Unavailable, format!("{words} cannot be started: {error}"))))
            }
        }
    }

    /// A command, once: in the release's own folder where a step before said which that is
    /// (`folder` in its effect), else where the body says.
    fn command(&mut self, order: &Order<'_>, run: &[String], folder: &str) -> Progress {
        let token = token(order);
        let own = order.effects.iter().filter(|(key, _)| {
            let service = key.as_str().split('/').next();
            service == Some(&*order.service.service)
        });
        let own = own.filter_map(|(_, effect)| effect.get("folder")?.as_str()).next_back();
        let folder = own.unwrap_or(folder);
        let once = Once { token: token.clone(), run, folder, environment: Vec::new() };
        let words = run.join(" ");
        let is_migration = order.step.kind == DeployStepKind::Migrate;
        let failed = if is_migration { CauseCode::MigrationFailed } else { CauseCode::Exited };
        let cause = |message: String, said: &MaskedText| {
            let cause = Cause::new(failed, self.commands.masked(&message));
            let is_silent = said.as_str().is_empty();
            if is_silent { cause } else { cause.with_evidence(EvidenceKind::Log, said.clone()) }
        };
        match self.commands.advance(&once) {
            Ok(Ran::Underway) if order.now >= order.until => {
                self.commands.end(&token);
                let message = format!("{words} was not over in time and was ended");
                Progress::Failed(cause(message, &MaskedText::without_secrets("")))
            }
            Ok(Ran::Underway) => self.underway(&format!("{words} runs")),
            Ok(Ran::Ended(0, _)) => Progress::Done { effect: json!({ "exit": 0 }) },
            Ok(Ran::Ended(code, said)) => {
                Progress::Failed(cause(format!("{words} exited with {code}"), &said))
            }
            Ok(Ran::Lost(said)) => {
                let message = format!("{words} was ended from outside; it is not run again");
                Progress::Failed(cause(message, &said))
            }
            Err(error) => {
                let message = format!("{words} cannot be started: {error}");
                Progress::Failed(Cause::new(CauseCode::NotStarted, self.commands.masked(&message)))
            }
        }
    }

    fn underway(&self, seen: &str) -> Progress {
        Progress::Underway { seen: self.commands.masked(seen), again_in: LOOK }
    }
}

/// How a smoke test ended.
type Tested = Result<(), (CauseCode, String)>;

/// Whether a request of a smoke test came back: none while it has not.
fn answered(round: &Receiver<Result<(), String>>) -> Option<Tested> {
    match round.try_recv() {
        Ok(result) => Some(result.map_err(|fault| (CauseCode::VerificationFailed, fault))),
        Err(TryRecvError::Empty) => None,
        Err(TryRecvError::Disconnected) => {
            Some(Err((CauseCode::Fault, "the request was lost".to_owned())))
        }
    }
}

impl Performer for Prober {
    fn advance(&mut self, order: &Order<'_>) -> Progress {
        let body = match Body::read(&order.step.body) {
            Ok(body) => body,
            Err(error) => {
                let message = format!("{} cannot be read: {error}", order.step.key);
                return self.failed(CauseCode::Fault, &message, "");
            }
        };
        match body {
            Body::Health { url, paths, headers, version, settle_ms, timeout_ms, every_ms } => {
                let timeout = Duration::from_millis(timeout_ms);
                let mut asks = asks(&url, &paths, &headers, timeout);
                asks.extend(version.and_then(|field| version_ask(order, &url, field, timeout)));
                let rounds = Rounds { asks, every_ms, hold_ms: settle_ms, is_bake: false };
                self.rounds(order, &rounds)
            }
            Body::Bake { url, paths, bake_ms, timeout_ms, every_ms } => {
                let asks = asks(&url, &paths, &[], Duration::from_millis(timeout_ms));
                let rounds = Rounds { asks, every_ms, hold_ms: bake_ms, is_bake: true };
                self.rounds(order, &rounds)
            }
            Body::Smoke { url, folder, tests } => self.smoke(order, &url, &folder, &tests),
            Body::Budget { url, paths, p95_ms, errors_percent } => {
                let urls = paths.iter().map(|path| join(&url, path)).collect();
                let p95 = p95_ms.map(Duration::from_millis);
                self.budget(order, urls, Budget { p95, errors_percent })
            }
            Body::Command { run, folder } => self.command(order, &run, &folder),
        }
    }
}

struct Rounds {
    asks: Vec<Ask>,
    every_ms: u64,
    hold_ms: u64,
    is_bake: bool,
}

/// One request of a round.
#[derive(Clone)]
struct Ask {
    url: String,
    answer: Answer,
    headers: Vec<String>,
    /// The field of the body and what it may hold.
    version: Option<(String, Release)>,
    timeout: Duration,
}

fn key(order: &Order<'_>) -> Key {
    (order.deployment.0, order.step.key.to_string(), order.way)
}

/// A folder's name: the same for the same intent, another for another.
fn token(order: &Order<'_>) -> String {
    let way = if order.way == Way::Forward { "forward" } else { "back" };
    let step = order.step.key.as_str().replace('/', "-");
    format!("{}-{step}-{way}-{}", order.deployment, order.since)
}

fn asks(url: &str, paths: &[String], headers: &[String], timeout: Duration) -> Vec<Ask> {
    let ask = |path: &String| Ask {
        url: join(url, path),
        answer: Answer { status: None, contains: None },
        headers: headers.to_vec(),
        version: None,
        timeout,
    };
    paths.iter().map(ask).collect()
}

/// Forward it must say what was shipped; back, what ran before, where that is known.
fn version_ask(
    order: &Order<'_>,
    url: &str,
    field: VersionField,
    timeout: Duration,
) -> Option<Ask> {
    let release = match order.way {
        Way::Forward => order.service.release.clone(),
        Way::Back => order.before?.release.clone(),
    };
    let answer = Answer { status: None, contains: None };
    let version = Some((field.field, release));
    Some(Ask { url: join(url, &field.path), answer, headers: Vec::new(), version, timeout })
}

/// Asks on a thread of its own, one after the other; the first fault is the answer.
fn ask(asker: &Asker, asks: Vec<Ask>) -> Receiver<Result<(), String>> {
    let (sender, receiver) = channel();
    let asker = asker.clone();
    std::thread::spawn(move || {
        let result = asks.iter().try_for_each(|ask| {
            let got = asker.get(&ask.url, ask.timeout)?;
            fault(ask, &got).map_or(Ok(()), Err)
        });
        // Nobody waits any more when the step is over.
        let _ = sender.send(result);
    });
    receiver
}

fn fault(ask: &Ask, got: &Got) -> Option<String> {
    if let Some(fault) = got.fault(&ask.answer) {
        return Some(fault);
    }
    if let Some(lacks) = ask.headers.iter().find(|name| !got.headers.contains(name)) {
        return Some(format!("GET {}: the answer has no header {lacks}", ask.url));
    }
    let (field, release) = ask.version.as_ref()?;
    let json: Json = serde_json::from_str(&got.body).unwrap_or_default();
    let said = field.split('.').try_fold(&json, |json, name| json.get(name));
    let said = said.and_then(Json::as_str).unwrap_or_default();
    let commit = release.commit.as_deref().unwrap_or_default();
    let is_commit = said.len() >= 7 && commit.starts_with(said);
    let is_it = said == &*release.version || is_commit;
    let wanted = &release.version;
    (!is_it).then(|| format!("GET {}: {field} is `{said}`, not {wanted}", ask.url))
}
