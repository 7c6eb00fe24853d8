//! A journal that a script makes, and what figures say of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use event::{
    Attempt, DeploymentEvent, DeploymentId, Fact as _, RunEvent, RunId, Seq, StreamId, Timestamp,
};
use expect_test::Expect;
use figures::{Asked, Delivery, Figures};
use ports::Journal as _;
use serde_json::{Value as Json, json};
use store::Store;
use views::Window;

pub(crate) const HOUR: u64 = 60 * 60 * 1000;

pub(crate) struct Journal {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) store: Arc<Store>,
    /// Runs, with what the first attempt of each was made from.
    made: BTreeMap<u64, Json>,
    /// Runs that go on, with the environments of the jobs that they were planned with.
    open: BTreeMap<u64, Vec<String>>,
    hour: u64,
}

impl Journal {
    pub(crate) fn of(script: &str) -> Journal {
        let folder = tempfile::tempdir().expect("a journal of ours");
        let store = Arc::new(Store::open(folder.path()).expect("a journal of ours"));
        let (made, open) = (BTreeMap::new(), BTreeMap::new());
        let mut journal = Journal { folder, store, made, open, hour: 0 };
        script.lines().map(str::trim).filter(|it| !it.is_empty()).for_each(|it| journal.line(it));
        journal
    }

    /// `push main c1 c2: production=success`, `dispatch main c2: ...`, `tag v1 c2: ...`,
    /// `again 1: ...`. Without a colon it does not come to an end. With `...` at its end it goes on with
    /// `later 1: ...`: jobs that were planned as `production=planned`, and others. `production=carried` came from
    /// the attempt before. `main~m5` is a branch
    /// that left the default branch at m5. What begins with `& ` happens while the line before it does.
    pub(crate) fn line(&mut self, line: &str) {
        // All of it in the same hour, and so its end in the same millisecond.
        let (line, later) = line.strip_prefix("& ").map_or((line, 10), |line| (line, 0));
        self.hour += later;
        let (what, ends) = match line.split_once(':') {
            Some((what, ends)) => (what, Some(ends)),
            None => (line, None),
        };
        let mut words = what.split_whitespace();
        let kind = words.next().expect("what made it");
        let (stream, created) = match kind {
            "again" => {
                let id = words.next().and_then(|it| it.parse().ok()).expect("which run");
                let attempt = self.store.allocate_attempt(RunId(id)).expect("a journal of ours");
                let mut created = self.made[&id].clone();
                created["attempt"] = attempt.0.into();
                created["at"] = (self.hour * HOUR).into();
                (StreamId::Run(RunId(id), attempt), vec![created])
            }
            "later" => {
                let id = words.next().and_then(|it| it.parse().ok()).expect("which run");
                (StreamId::Run(RunId(id), Attempt(1)), Vec::new())
            }
            kind => {
                let git_ref = words.next().expect("where");
                self.created(kind, git_ref, &words.map(full).collect::<Vec<_>>())
            }
        };
        let mut events = created;
        let goes_on = ends.is_some_and(|it| it.ends_with("..."));
        let StreamId::Run(run, _) = stream else { panic!("a run") };
        let mut planned = self.open.remove(&run.0).unwrap_or_default();
        for end in ends.into_iter().flat_map(|it| it.split_whitespace()).filter(|it| *it != "...") {
            let (environment, conclusion) = end.split_once('=').expect("how it ended");
            let known = planned.iter().position(|it| it == environment);
            let key = format!("job-{}", known.unwrap_or(planned.len()));
            if known.is_none() {
                events.push(self.planned(&key, environment));
                planned.push(environment.to_owned());
            }
            if conclusion == "carried" {
                events.push(json!({ "type": "JobCarried", "job": key, "conclusion": "success",
                    "outputs": {}, "from": 1 }));
            } else if conclusion == "skip" {
                let reason = json!({ "kind": "condition", "expression": "false" });
                events.push(json!({ "type": "JobSkipped", "job": key, "reason": reason,
                    "at": self.hour * HOUR }));
            } else if conclusion != "planned" {
                events.extend(self.job(&key, conclusion));
            }
            if conclusion != "planned" {
                let at = known.unwrap_or(planned.len() - 1);
                planned[at] = "over".to_owned();
            }
        }
        if goes_on {
            self.open.insert(run.0, planned);
        } else if ends.is_some() {
            events.push(json!({ "type": "RunCompleted", "conclusion": "success",
                "at": (self.hour + 1) * HOUR }));
        }
        let events: Vec<RunEvent> = events.iter().map(decoded).collect();
        let at = Timestamp(self.hour * HOUR);
        let known = self.store.events::<RunEvent>(stream, Seq(0)).expect("a journal of ours");
        let seq = Seq(known.len() as u64);
        self.store.append(stream, seq, at, &events).expect("a journal of ours");
    }

    pub(crate) fn created(
        &mut self,
        kind: &str,
        git_ref: &str,
        commits: &[String],
    ) -> (StreamId, Vec<Json>) {
        let (id, number) =
            self.store.allocate_run("octo/app", "deploy.yml").expect("a journal of ours");
        let (git_ref, left_at) = match git_ref.split_once('~') {
            Some((git_ref, left_at)) => (git_ref, Some(full(left_at))),
            None => (git_ref, None),
        };
        let (event, git_ref) = match kind {
            "tag" => ("push", format!("refs/tags/{git_ref}")),
            "dispatch" => ("workflow_dispatch", format!("refs/heads/{git_ref}")),
            event => (event, format!("refs/heads/{git_ref}")),
        };
        let hour = self.hour - 2;
        let date = format!("1970-01-{:02}T{:02}:00:00+00:00", 1 + hour / 24, hour % 24);
        let listed = commits.iter().map(|id| match id.ends_with("dead") {
            true => json!({ "id": id }),
            false => json!({ "id": id, "timestamp": date }),
        });
        let listed: Vec<Json> = if event == "push" { listed.collect() } else { Vec::new() };
        let head = commits.last().expect("a commit");
        let created = json!({ "type": "RunCreated", "run": id, "attempt": 1, "run_number": number,
            "carried": [], "repository": "octo/app", "repository_path": "/app",
            "workflow": { "path": ".github/workflows/deploy.yml", "text": "" }, "called": {},
            "title": "a change",
            "event": { "name": event, "git_ref": git_ref, "payload": { "commits": listed } },
            "change": { "commit": head, "authored_at": 1, "committed_at": hour * HOUR,
                "uncommitted": 0, "branched_at": left_at },
            "inputs": {}, "vars": {}, "secret_names": [], "actor": "mona",
            "triggering_actor": "mona", "at": self.hour * HOUR });
        self.made.insert(id.0, created.clone());
        (StreamId::Run(id, Attempt(1)), vec![created])
    }

    /// A job of an hour's fourth, in that environment; `-` names none.
    pub(crate) fn planned(&self, key: &str, environment: &str) -> Json {
        let at = self.hour * HOUR + HOUR / 4;
        let environment = (environment != "-").then_some(environment);
        json!({ "type": "JobPlanned", "key": key, "id": key, "name": key,
            "parent": null, "file": null, "needs": [], "matrix": null, "index": 0, "total": 1,
            "fail_fast": true, "max_parallel": null, "queued_at": at, "environment": environment })
    }

    /// What it did. `no` never has a worker, `lost` loses its first one and fails with the next.
    pub(crate) fn job(&self, key: &str, conclusion: &str) -> Vec<Json> {
        let at = self.hour * HOUR + HOUR / 4;
        let (had_worker, is_lost) = (conclusion != "no", conclusion == "lost");
        let conclusion = match conclusion {
            "no" | "lost" => "failure",
            conclusion => conclusion,
        };
        let exit = if conclusion == "success" { "none" } else { "user_failure" };
        let tracking = format!("track-{}-{key}", self.hour);
        let mut events = Vec::new();
        if had_worker {
            events.extend([
                json!({ "type": "JobReady", "job": key, "at": at }),
                json!({ "type": "JobLeased", "job": key, "fence": 1, "tracking_id": tracking,
                    "at": at }),
                json!({ "type": "JobStarted", "job": key, "fence": 1, "pid": 1, "runner": "here",
                    "at": at }),
            ]);
        }
        if is_lost {
            events.extend([
                json!({ "type": "JobLost", "job": key, "fence": 1, "reason": "gone", "at": at }),
                json!({ "type": "JobRequeued", "job": key, "by": "mona", "at": at }),
                json!({ "type": "JobLeased", "job": key, "fence": 2, "tracking_id": "another",
                    "at": at }),
            ]);
        }
        events.push(json!({ "type": "JobCompleted", "job": key,
            "fence": had_worker.then_some(1), "conclusion": conclusion, "exit": exit,
            "outputs": {}, "log": null, "environment_url": null, "at": at + HOUR / 2 }));
        events
    }

    /// A deployment that the first job of the run at an hour made.
    pub(crate) fn deployed_by_a_job(&self, hour: u64) {
        let job = format!("track-{hour}-job-0");
        self.deployed(hour, json!({ "job": job }), false);
    }

    /// A deployment of an hour's fourth.
    pub(crate) fn deployed(&self, hour: u64, by: Json, unchanged: bool) {
        let at = hour * HOUR + HOUR / 4;
        let id = self.store.allocate_deployment("planner", "production").expect("a journal");
        let mona = json!({ "name": "mona", "proof": "local" });
        let service = json!({ "service": "api", "release": { "version": "1", "digest": "sha256:1" },
            "last_good": null, "target": "host", "config": null, "around": [] });
        let step = json!({ "key": "api/switch", "kind": "switch", "what": "does it", "calls": [],
            "undo": { "kind": "nothing" }, "within_ms": 1, "body": null });
        let plan = json!({ "services": [{ "service": "api", "seen": null, "running": null,
            "changes": [], "steps": [step], "going_back": { "kind": "first_deployment" } }],
            "order": ["api/switch"] });
        let events = [
            json!({ "type": "DeploymentRequested", "project": "planner", "environment": "production",
                "kind": "release", "by": mona, "reason": null, "services": [service], "gates": [],
                "force": false, "planned": true, "on_cancel": "back",
                "at": at }),
            json!({ "type": "DeploymentPlanned", "plan": plan, "hash": "ab".repeat(32), "at": at }),
            json!({ "type": "StepIntended", "step": "api/switch", "way": "forward", "at": at }),
            json!({ "type": "DeploymentCompleted", "verdict": "succeeded", "cause": null,
                "by": "launchway", "unchanged": unchanged, "at": at + 1 }),
        ];
        let mut events = events.to_vec();
        for (key, value) in by.as_object().expect("what is said besides") {
            events[0][key] = value.clone();
        }
        let events: Vec<DeploymentEvent> = events
            .iter()
            .map(|it| DeploymentEvent::decode(it.to_string().as_bytes()).expect("it is one"))
            .collect();
        let stream = StreamId::Deployment(DeploymentId(id.0));
        self.store.ledger().append(stream, Seq(0), Timestamp(at), &events).expect("a journal");
    }

    pub(crate) fn figures(&self) -> Figures {
        Figures::open(self.folder.path()).expect("a journal of ours")
    }

    pub(crate) fn deliveries(&self, figures: &Figures) -> Vec<Delivery> {
        figures.catch_up(&self.store, &mut |_| true).expect("a journal of ours");
        figures.delivery(&asked(Some("octo/app"))).expect("a journal of ours").told
    }

    /// All of it, whatever the environment is called.
    pub(crate) fn told(&self) -> String {
        self.deliveries(&self.figures()).iter().map(told).collect()
    }
}

pub(crate) fn asked(repository: Option<&str>) -> Asked {
    let window = Window { since: Timestamp(0), until: Timestamp(1000 * HOUR) };
    Asked {
        project: Some("planner".to_owned()),
        repositories: repository.map(|it| vec![it.to_owned()]),
        ..Asked::everything(window)
    }
}

fn decoded(event: &Json) -> RunEvent {
    RunEvent::decode(event.to_string().as_bytes()).expect("a journal of ours")
}

/// `c1` is its first digits.
pub(crate) fn full(name: &str) -> String {
    let digits = name.strip_suffix('?').unwrap_or(name);
    let rest = if name.ends_with('?') { "dead" } else { "0000" };
    format!("{digits}{:0>width$}", rest, width = 40 - digits.len())
}

pub(crate) fn told(it: &Delivery) -> String {
    let hours = |ms: u64| ms as f64 / HOUR as f64;
    let mut text = format!(
        "{} {}: {} deployed, failed {}/{}, rework {}\n",
        it.environment,
        it.service.rsplit('/').next().expect("a file"),
        it.frequency.count,
        it.change_failures.rate.part,
        it.change_failures.rate.whole,
        it.rework.rate.part,
    );
    for of in &it.deployments {
        text += &format!(
            "  {} {} {} of {}",
            of.stream,
            of.kind.as_str(),
            of.verdict.as_str(),
            of.version.trim_end_matches('0')
        );
        for led in it.lead_time.commits.iter().filter(|led| led.deployment == of.deployment) {
            text += &format!(" +{} {}h", &led.commit[..2], hours(led.total_ms));
        }
        for left in it.lead_time.left_out.iter().filter(|it| it.deployment == of.deployment) {
            text += &format!(" -{} {}", &left.commit[..2], left.why);
        }
        text += &of.mended_by.map_or_else(String::new, |by| format!(", mended by {by}"));
        text.push('\n');
    }
    for of in &it.recovery.recovered {
        text += &format!("  {} recovered after {}h\n", of.deployment, hours(of.time_ms));
    }
    for of in &it.in_doubt {
        text += &format!("  in doubt: {} {}\n", of.deployment, of.verdict.as_str());
    }
    text
}

pub(crate) fn check(script: &str, expect: Expect) {
    let journal = Journal::of(script);
    let told = journal.told();
    expect.assert_eq(&told);
    // Another process that begins says the same, and so does one that reads all of it once more.
    assert_eq!(journal.told(), told);
    let raw = rusqlite::Connection::open(journal.folder.path().join("figures.db"));
    raw.expect("it is there").execute("UPDATE cursor SET position = 0", []).expect("it is ours");
    assert_eq!(journal.told(), told);
}
