//! Runs of a server (`--server`): the same views, folded here from the events that it gives, shown by
//! the same renderers.

mod deeds;
mod deployed;
mod follow;
mod held;
mod kept;
mod messages;
mod people;
mod searched;
mod switches;
mod trail;
mod versions;

pub(crate) use deployed::Where;
pub(crate) use kept::{KeptKey, KeptLine};
pub(crate) use searched::LogSearch;

use std::io::Read as _;
use std::time::Duration;

use event::{Attempt, BlobId, RunEvent, RunId, RunRequest};
use figures::{Asked, Report, ReportPart, RunImages, RunScans, RunTests};
use serde::de::DeserializeOwned;
use serde_json::Value as Json;
use server::{Problem, Reason, RunEvents, RunList};
use ureq::{Agent, Body};
use views::{RunFilter, RunState, RunView};

use self::deeds::add;
use crate::cli::RunRef;
use crate::exit::{Exit, Failure};
use crate::random;
use crate::running::standing::Standing;

/// How long the server may take to begin an answer.
const ANSWER_PATIENCE: Duration = Duration::from_secs(60);
/// An answer that is no log and no stream.
const ANSWER_BYTES_MAX: u64 = 256 << 20;
/// Parts of a list with fewer runs than were asked for, each after some thousands were looked through; then it is enough.
const SEARCHES_MAX: usize = 10;
/// The variable that the token stands in. An argument would stand in the process list.
const TOKEN: &str = "LAUNCHWAY_TOKEN";

/// A server, and what it is shown.
pub(crate) struct Client {
    agent: Agent,
    url: String,
    authorization: String,
}

/// A run of the server.
pub(crate) struct DistantRun {
    /// What it was made from.
    pub(crate) request: RunRequest,
    pub(crate) view: RunView,
    pub(crate) standing: Standing,
}

/// What to do where nobody answers.
const NOBODY_THERE: &str = "is the address right, and does launchway serve run there?";

impl Client {
    /// The server at an address, with the token of the environment.
    pub(crate) fn of(url: &str) -> Result<Client, Failure> {
        let url = url.trim_end_matches('/');
        let is_encrypted = url.starts_with("https://");
        if !is_encrypted && !url.starts_with("http://") {
            let message = format!("--server takes an address, not `{url}`");
            return Err(Failure::new(Exit::Usage, message).hint("such as https://ci.example.com"));
        }
        if !is_encrypted && !https::is_here(url) {
            let message = format!("{url} is not encrypted: the token would be given away");
            return Err(Failure::new(Exit::Forbidden, message)
                .hint("use its https:// address, or a tunnel to it on this machine"));
        }
        let token = std::env::var(TOKEN).ok().filter(|it| !it.trim().is_empty());
        let Some(token) = token else {
            return Err(Failure::new(Exit::Usage, format!("{TOKEN} is not set")).hint(
                "launchway tokens create NAME --data DIR makes a token, where the server runs; export it as LAUNCHWAY_TOKEN",
            ));
        };
        // A stream is read as long as it lives.
        let config = https::config()
            .timeout_connect(Some(ANSWER_PATIENCE))
            .timeout_recv_response(Some(ANSWER_PATIENCE));
        let config = if https::is_here(url) { config.proxy(None) } else { config };
        Ok(Client {
            agent: config.build().new_agent(),
            url: url.to_owned(),
            authorization: format!("Bearer {}", token.trim()),
        })
    }

    fn unreachable(&self, error: ureq::Error) -> Failure {
        let context = format!("the server {} does not answer", self.url);
        let is_untrusted = matches!(&error, ureq::Error::Io(it) if https::is_untrusted(it));
        let error = match error {
            // Its own words begin with the library's name for it.
            ureq::Error::Io(error) => anyhow::Error::new(error),
            error => anyhow::Error::new(error),
        };
        let hint = if is_untrusted { https::TRUST_HINT } else { NOBODY_THERE };
        Failure::caused(Exit::Missing, error.context(context)).hint(hint)
    }

    fn send(&self, path: &str) -> Result<Body, Failure> {
        self.done(self.call(path)?)
    }

    fn call(&self, path: &str) -> Result<ureq::http::Response<Body>, Failure> {
        let request = self
            .agent
            .get(format!("{}{path}", self.url))
            .header("authorization", &self.authorization);
        request.call().map_err(|error| self.unreachable(error))
    }

    /// The body of an answer that is no problem.
    fn done(&self, mut response: ureq::http::Response<Body>) -> Result<Body, Failure> {
        let status = response.status();
        if status.is_success() {
            return Ok(response.into_body());
        }
        let text = response.body_mut().read_to_string().unwrap_or_default();
        let Ok(problem) = serde_json::from_str::<Problem>(&text) else {
            let message =
                format!("{} answers with {status}: is it a server of Launchway?", self.url);
            return Err(Failure::new(Exit::Missing, message));
        };
        let exit = match problem.status {
            401 | 403 => Exit::Forbidden,
            422 => Exit::Refused,
            503 | 504 => Exit::Missing,
            _ => Exit::Usage,
        };
        let failure = Failure::new(exit, fragment(&problem.detail));
        let failure = problem.hint.into_iter().fold(failure, Failure::hint);
        if problem.status == 401 {
            return Err(failure.hint(format!(
                "{TOKEN} holds it; launchway tokens create NAME --data DIR, where the server runs, makes one"
            )));
        }
        Err(failure)
    }

    fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        self.decoded(self.send(path)?)
    }

    fn decoded<T: DeserializeOwned>(&self, body: Body) -> Result<T, Failure> {
        let mut text = Vec::new();
        body.into_reader()
            .take(ANSWER_BYTES_MAX)
            .read_to_end(&mut text)
            .map_err(|error| Failure::caused(Exit::Missing, error))?;
        serde_json::from_slice(&text).map_err(|error| {
            let context = format!("{} answers with what this version does not know", self.url);
            Failure::caused(Exit::Missing, anyhow::Error::new(error).context(context))
        })
    }

    /// The newest runs that are wanted.
    pub(crate) fn runs(&self, limit: usize, filter: &RunFilter) -> Result<RunList, Failure> {
        let words = [
            ("repository", filter.repository.as_deref()),
            ("workflow", filter.workflow.as_deref()),
            ("branch", filter.branch.as_deref()),
            ("status", filter.state.map(RunState::as_str)),
            ("actor", filter.actor.as_deref()),
            ("event", filter.event.as_deref()),
        ];
        let words = words
            .iter()
            .filter_map(|(name, value)| value.map(|value| format!("&{name}={}", percent(value))));
        let words: String = words.collect();
        let mut all = RunList { runs: Vec::new(), older: None };
        let mut short = 0;
        loop {
            let wanted = (limit - all.runs.len()).min(100);
            let before = all.older.as_ref().map(|it| format!("&before={it}")).unwrap_or_default();
            let part: RunList = self.get(&format!("/api/v1/runs?limit={wanted}{before}{words}"))?;
            short += usize::from(part.runs.len() < wanted);
            all.runs.extend(part.runs);
            all.older = part.older;
            if all.older.is_none() || all.runs.len() >= limit || short == SEARCHES_MAX {
                return Ok(all);
            }
        }
    }

    /// What a run's reports say; none where it is not over, or kept none.
    pub(crate) fn tests(&self, view: &RunView) -> Result<Option<RunTests>, Failure> {
        if view.conclusion.is_none() || view.artifacts.is_empty() {
            return Ok(None);
        }
        let (run, attempt) = (view.header.run, view.header.attempt);
        self.get(&format!("/api/v1/runs/{run}.{attempt}/tests"))
    }

    /// The images that a run built.
    pub(crate) fn images(&self, view: &RunView) -> Result<RunImages, Failure> {
        let (run, attempt) = (view.header.run, view.header.attempt);
        if view.images().next().is_none() {
            return Ok(RunImages::default());
        }
        self.get(&format!("/api/v1/runs/{run}.{attempt}/images"))
    }

    /// What scans of a run found. None of a server of an earlier version, which does not tell.
    pub(crate) fn scans(&self, view: &RunView) -> Result<Option<RunScans>, Failure> {
        if view.conclusion.is_none() || view.artifacts.is_empty() {
            return Ok(Some(RunScans::default()));
        }
        let (run, attempt) = (view.header.run, view.header.attempt);
        let response = self.call(&format!("/api/v1/runs/{run}.{attempt}/scans"))?;
        if response.status() == 404 {
            return Ok(None);
        }
        self.decoded(self.done(response)?).map(Some)
    }

    /// The numbers.
    pub(crate) fn metrics(
        &self,
        (since, until): (&Option<String>, &Option<String>),
        asked: &Asked,
        parts: &[ReportPart],
    ) -> Result<Report, Failure> {
        // A server of before knows no parts, and gives all.
        let parts: Vec<&str> = parts.iter().map(|it| it.as_str()).collect();
        let parts = Some(parts.join(","));
        // The command names one, or none.
        let repository = asked.repositories.as_ref().and_then(|it| it.first().cloned());
        let all = [
            ("since", since),
            ("until", until),
            ("environment", &asked.environment),
            ("service", &asked.service),
            ("repository", &repository),
            ("parts", &parts),
        ];
        let all = all.iter().filter_map(|(name, value)| {
            value.as_ref().map(|value| format!("{name}={}", percent(value)))
        });
        let all: Vec<String> = all.collect();
        let report: Report = self.get(&format!("/api/v1/metrics?{}", all.join("&")))?;
        // What it does not know it passes over, and tells of a time that goes on until now. One whose clock is behind
        // may say that a day is not over which is over here: it tells of nothing beyond that.
        if asked.is_past && report.until_ms > asked.window.until && !report.is_past {
            let message = "the server is of a version that knows no `--until`: it told up to now";
            let hint = "leave it out, or have the server updated";
            return Err(Failure::new(Exit::Missing, message).hint(hint));
        }
        Ok(report)
    }

    /// Its newest incidents.
    pub(crate) fn incidents(
        &self,
        open: bool,
        project: Option<&str>,
        environment: Option<&str>,
    ) -> Result<Vec<Json>, Failure> {
        let asked =
            [("state", open.then_some("open")), ("project", project), ("environment", environment)];
        let asked = asked
            .iter()
            .filter_map(|(name, value)| value.map(|value| format!("&{name}={}", percent(value))));
        let asked: String = asked.collect();
        let all: Json =
            self.get(&format!("/api/v1/incidents?{}", asked.trim_start_matches('&')))?;
        Ok(all["incidents"].as_array().cloned().unwrap_or_default())
    }

    /// One of them.
    pub(crate) fn incident(&self, id: u64) -> Result<Json, Failure> {
        self.get(&format!("/api/v1/incidents/{id}"))
    }

    /// Opens one, once however often the answer is lost.
    pub(crate) fn open_incident(&self, wanted: &Json) -> Result<Json, Failure> {
        self.post("/api/v1/incidents", Some(&random_key()?), wanted)
    }

    /// Does something about one.
    pub(crate) fn change_incident(&self, id: u64, wanted: &Json) -> Result<Json, Failure> {
        self.post(&format!("/api/v1/incidents/{id}"), None, wanted)
    }

    /// What a person means, as the API names it.
    pub(crate) fn name(&self, run: &RunRef) -> Result<String, Failure> {
        let id = match run.id {
            Some(id) => id,
            None => {
                let newest = self.runs(1, &RunFilter::default())?.runs.into_iter().next();
                let none = || Failure::new(Exit::Usage, "the server has no run yet");
                newest.ok_or_else(none)?.run.0
            }
        };
        Ok(run.attempt.map_or_else(|| id.to_string(), |attempt| format!("{id}.{attempt}")))
    }

    /// A run, folded from its events.
    pub(crate) fn run(&self, name: &str) -> Result<DistantRun, Failure> {
        let mut begun: Option<(RunRequest, RunView)> = None;
        let mut after = 0;
        loop {
            let part: RunEvents = self.get(&format!("/api/v1/runs/{name}/events?after={after}"))?;
            if let Some(last) = part.events.last() {
                after = last.seq.0;
                for stored in &part.events {
                    match (&mut begun, &stored.event) {
                        (Some((_, view)), event) => view.apply(event),
                        (None, event @ RunEvent::RunCreated(request)) => {
                            begun = RunView::of([event]).map(|view| ((**request).clone(), view));
                        }
                        (None, _) => {}
                    }
                }
                continue;
            }
            let none = || Failure::new(Exit::Missing, format!("run {name} begins with no run"));
            let (request, mut view) = begun.ok_or_else(none)?;
            view.waits = part.waits;
            let standing = match (view.conclusion, part.unattended) {
                (Some(_), _) => Standing::Over,
                (None, true) => Standing::Unattended,
                (None, false) => Standing::Served,
            };
            return Ok(DistantRun { request, view, standing });
        }
    }

    /// The attempts before one, the oldest first, without those that were pruned or never began.
    pub(crate) fn earlier(&self, of: &RunRequest) -> Result<Vec<RunView>, Failure> {
        let mut views = Vec::new();
        for attempt in 1..of.attempt.0 {
            match self.run(&format!("{}.{attempt}", of.run)) {
                Ok(found) => views.push(found.view),
                Err(failure) if failure.exit == Exit::Usage => {}
                Err(failure) => return Err(failure),
            }
        }
        Ok(views)
    }

    /// The Markdown of a summary; nothing where it is gone.
    pub(crate) fn summary(&self, run: &RunView, blob: &BlobId) -> Option<String> {
        let (run, attempt) = (run.header.run, run.header.attempt);
        let body = self.send(&format!("/api/v1/runs/{run}.{attempt}/summaries/{blob}"));
        let mut text = String::new();
        body.ok()?.into_reader().take(ANSWER_BYTES_MAX).read_to_string(&mut text).ok()?;
        Some(text)
    }

    /// The log of a job, or of one of its background steps, in a file that goes away with its handle.
    pub(crate) fn log(
        &self,
        view: &RunView,
        job: &str,
        aside: Option<u32>,
    ) -> Result<Option<std::fs::File>, Failure> {
        let run = view.header.run;
        let carried = view.jobs.iter().find(|it| it.key.as_str() == job);
        let carried = carried.and_then(|it| it.carried_from);
        let attempt = carried.unwrap_or(view.header.attempt);
        let aside = aside.map(|number| format!("?aside={number}")).unwrap_or_default();
        let job = percent(job);
        match self.file(&format!("/api/v1/runs/{run}.{attempt}/jobs/{job}/log{aside}")) {
            // It wrote none, or it is gone.
            Err(failure) if failure.exit == Exit::Usage => Ok(None),
            file => file.map(Some),
        }
    }

    /// The archive of an artifact, in a file that goes away with its handle.
    pub(crate) fn artifact(
        &self,
        run: RunId,
        attempt: Attempt,
        name: &str,
    ) -> Result<std::fs::File, Failure> {
        self.file(&format!("/api/v1/runs/{run}.{attempt}/artifacts/{}", percent(name)))
    }

    /// What is answered, in a file that goes away with its handle.
    fn file(&self, path: &str) -> Result<std::fs::File, Failure> {
        use std::io::Seek as _;
        let body = self.send(path)?;
        let failed = |error: std::io::Error| Failure::caused(Exit::Missing, error);
        let mut file = tempfile::tempfile().map_err(failed)?;
        std::io::copy(&mut body.into_reader(), &mut file).map_err(failed)?;
        file.rewind().map_err(failed)?;
        Ok(file)
    }

    fn post(&self, path: &str, key: Option<&str>, body: &Json) -> Result<Json, Failure> {
        let mut request = self
            .agent
            .post(format!("{}{path}", self.url))
            .header("authorization", &self.authorization)
            .header("content-type", "application/json");
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        self.said(request.send(body.to_string()))
    }

    fn put(&self, path: &str, body: &Json) -> Result<Json, Failure> {
        let request = self
            .agent
            .put(format!("{}{path}", self.url))
            .header("authorization", &self.authorization)
            .header("content-type", "application/json");
        self.said(request.send(body.to_string()))
    }

    /// What came back of what was asked for.
    fn said(
        &self,
        answered: Result<ureq::http::Response<Body>, ureq::Error>,
    ) -> Result<Json, Failure> {
        let response = answered.map_err(|error| self.unreachable(error))?;
        self.decoded(self.done(response)?)
    }

    /// Ends a run.
    pub(crate) fn cancel(&self, name: &str, reason: &Reason) -> Result<(), Failure> {
        self.deed(&format!("/api/v1/runs/{name}/cancel"), reason).map(drop)
    }

    /// Starts its lost jobs again.
    pub(crate) fn resume(&self, name: &str, reason: &Reason) -> Result<(), Failure> {
        self.deed(&format!("/api/v1/runs/{name}/resume"), reason).map(drop)
    }

    /// Runs it once more; the new attempt.
    pub(crate) fn rerun(
        &self,
        name: &str,
        failed: bool,
        reason: &Reason,
    ) -> Result<String, Failure> {
        let mut body = serde_json::json!({ "only": if failed { "failed" } else { "all" } });
        add(&mut body, reason);
        self.made(&format!("/api/v1/runs/{name}/rerun"), &body)
    }

    /// Runs a workflow of a repository; the run that was made.
    pub(crate) fn dispatch(&self, repository: &str, wanted: &Json) -> Result<String, Failure> {
        self.made(&format!("/api/v1/repositories/{repository}/dispatches"), wanted)
    }

    /// Jobs that wait at the gate of an environment, the oldest first.
    pub(crate) fn approvals(&self) -> Result<Vec<Json>, Failure> {
        let all: Json = self.get("/api/v1/approvals")?;
        Ok(all["approvals"].as_array().cloned().unwrap_or_default())
    }

    /// Says something at the gate of a job; the gate as it is then.
    pub(crate) fn answer(&self, run: &str, job: &str, said: &Json) -> Result<Json, Failure> {
        let path = format!("/api/v1/runs/{run}/jobs/{}/approval", percent(job));
        self.post(&path, None, said)
    }

    /// The gate of a job.
    pub(crate) fn approval(&self, run: &str, job: &str) -> Result<Json, Failure> {
        self.get(&format!("/api/v1/runs/{run}/jobs/{}/approval", percent(job)))
    }

    /// Deployments that wait for people, the newest first, once for each group. None of a server of an
    /// earlier version, which does not tell.
    pub(crate) fn waiting_deployments(&self) -> Result<Option<Vec<Json>>, Failure> {
        let response = self.call("/api/v1/deployments/waiting")?;
        if response.status() == 404 {
            return Ok(None);
        }
        let all: Json = self.decoded(self.done(response)?)?;
        Ok(Some(all["deployments"].as_array().cloned().unwrap_or_default()))
    }

    /// What is to be signed for a deployment.
    pub(crate) fn approval_request(&self, id: u64) -> Result<Json, Failure> {
        self.get(&format!("/api/v1/deployments/{id}/approval"))
    }

    /// Hands in what was signed for a deployment; what became of it.
    pub(crate) fn hand_in(&self, id: u64, signed: &str) -> Result<Json, Failure> {
        let body = serde_json::json!({ "signed": signed });
        self.post(&format!("/api/v1/deployments/{id}/approval"), None, &body)
    }

    /// Its runners, and the jobs that wait for one.
    pub(crate) fn runners(&self) -> Result<Json, Failure> {
        self.get("/api/v1/runners")
    }

    /// Has a runner `drain` or `resume`.
    pub(crate) fn set_runner(
        &self,
        name: &str,
        verb: &str,
        reason: &Reason,
    ) -> Result<(), Failure> {
        // What could not stand in a path is no name of a runner.
        if !name.bytes().all(|it| it.is_ascii_alphanumeric() || b"-_.".contains(&it)) {
            return Err(Failure::new(Exit::Usage, format!("there is no runner `{name}`")));
        }
        self.deed(&format!("/api/v1/runners/{name}/{verb}"), reason).map(drop)
    }

    /// The names of the repositories that it runs.
    pub(crate) fn repositories(&self) -> Result<Vec<String>, Failure> {
        let all: Json = self.get("/api/v1/repositories")?;
        let names = all["repositories"].as_array().into_iter().flatten();
        Ok(names.filter_map(|it| it["name"].as_str().map(str::to_owned)).collect())
    }

    /// Asks for a run, once however often the answer is lost.
    fn made(&self, path: &str, body: &Json) -> Result<String, Failure> {
        let made = self.post(path, Some(&random_key()?), body)?;
        Ok(format!("{}.{}", made["run"], made["attempt"]))
    }
}

/// What makes a request one and the same, however often it is sent.
fn random_key() -> Result<String, Failure> {
    random::hex::<16>()
}

/// A sentence as the terminal says what went wrong.
fn fragment(sentence: &str) -> String {
    let text = sentence.trim_end_matches('.');
    let mut letters = text.chars();
    let first = letters.next().map(|it| it.to_lowercase().to_string()).unwrap_or_default();
    first + letters.as_str()
}

/// Text as a part of a path.
fn percent(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    text.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

#[cfg(test)]
mod tests;
