//! What jobs deploy is counted: runs in, figures out. A line of a script is a run, ten hours behind the one
//! before it: what made it, where, its commits (each two hours older than the run), and how each job
//! ended, by its environment.

use std::collections::BTreeMap;
use std::sync::Arc;

use event::{
    Attempt, DeploymentEvent, DeploymentId, Fact as _, IncidentEvent, RunEvent, RunId, Seq,
    ShippedBy, StreamId, Timestamp,
};
use expect_test::{Expect, expect};
use figures::{Asked, Delivery, Figures, NewestByJobs, NewestOfEach};
use ports::Journal as _;
use serde_json::{Value as Json, json};
use store::Store;
use views::Window;

const HOUR: u64 = 60 * 60 * 1000;

struct Journal {
    folder: tempfile::TempDir,
    store: Arc<Store>,
    /// Runs, with what the first attempt of each was made from.
    made: BTreeMap<u64, Json>,
    /// Runs that go on, with the environments of the jobs that they were planned with.
    open: BTreeMap<u64, Vec<String>>,
    hour: u64,
}

impl Journal {
    fn of(script: &str) -> Journal {
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
    fn line(&mut self, line: &str) {
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

    fn created(&mut self, kind: &str, git_ref: &str, commits: &[String]) -> (StreamId, Vec<Json>) {
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
    fn planned(&self, key: &str, environment: &str) -> Json {
        let at = self.hour * HOUR + HOUR / 4;
        let environment = (environment != "-").then_some(environment);
        json!({ "type": "JobPlanned", "key": key, "id": key, "name": key,
            "parent": null, "file": null, "needs": [], "matrix": null, "index": 0, "total": 1,
            "fail_fast": true, "max_parallel": null, "queued_at": at, "environment": environment })
    }

    /// What it did. `no` never has a worker, `lost` loses its first one and fails with the next.
    fn job(&self, key: &str, conclusion: &str) -> Vec<Json> {
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
    fn deployed_by_a_job(&self, hour: u64) {
        let job = format!("track-{hour}-job-0");
        self.deployed(hour, json!({ "job": job }), false);
    }

    /// A deployment of an hour's fourth.
    fn deployed(&self, hour: u64, by: Json, unchanged: bool) {
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

    fn figures(&self) -> Figures {
        Figures::open(self.folder.path()).expect("a journal of ours")
    }

    fn deliveries(&self, figures: &Figures) -> Vec<Delivery> {
        figures.catch_up(&self.store, &mut |_| true).expect("a journal of ours");
        figures.delivery(&asked(Some("octo/app"))).expect("a journal of ours").told
    }

    /// All of it, whatever the environment is called.
    fn told(&self) -> String {
        self.deliveries(&self.figures()).iter().map(told).collect()
    }
}

fn asked(repository: Option<&str>) -> Asked {
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
fn full(name: &str) -> String {
    let digits = name.strip_suffix('?').unwrap_or(name);
    let rest = if name.ends_with('?') { "dead" } else { "0000" };
    format!("{digits}{:0>width$}", rest, width = 40 - digits.len())
}

fn told(it: &Delivery) -> String {
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

fn check(script: &str, expect: Expect) {
    let journal = Journal::of(script);
    let told = journal.told();
    expect.assert_eq(&told);
    // Another process that begins says the same, and so does one that reads all of it once more.
    assert_eq!(journal.told(), told);
    let raw = rusqlite::Connection::open(journal.folder.path().join("figures.db"));
    raw.expect("it is there").execute("UPDATE cursor SET position = 0", []).expect("it is ours");
    assert_eq!(journal.told(), told);
}

#[test]
fn jobs_that_name_an_environment_are_deployments() {
    check(
        "push main c1: -=success production=success production=success staging=success
         push main c2 c3: production=success
         push main c4: -=success",
        expect![[r#"
            production deploy.yml: 2 deployed, failed 0/2, rework 0
              run/1/1 release succeeded of c1
              run/2/1 release succeeded of c3 +c2 2.75h +c3 2.75h
        "#]],
    );
}

#[test]
fn what_did_not_come_with_its_own_push_comes_with_the_next_one() {
    // Jobs that failed, that were never reached, and a run that still waits.
    check(
        "push main c1: production=success
         push main c2: production=failure
         push main c3: -=failure
         push main c4
         push main c5: production=success",
        expect![[r#"
            production deploy.yml: 2 deployed, failed 0/2, rework 0
              run/1/1 release succeeded of c1
              run/5/1 release succeeded of c5 +c2 32.75h +c3 22.75h +c4 12.75h +c5 2.75h
              in doubt: 2.1 failed
        "#]],
    );
}

#[test]
fn whatever_made_the_run_its_commit_is_looked_for_among_what_was_pushed() {
    check(
        "push main c1: staging=success
         dispatch main c1: production=success
         push main c2 c3: staging=success
         push main c4: staging=success
         tag v2 c3: production=success
         dispatch main c4: production=success
         schedule main c9: production=success",
        expect![[r#"
            production deploy.yml: 4 deployed, failed 0/4, rework 0
              run/2/1 release succeeded of c1
              run/5/1 release succeeded of v2 +c2 22.75h +c3 2.75h
              run/6/1 release succeeded of c4 +c4 2.75h
              run/7/1 release succeeded of c9 +c9 2.75h
        "#]],
    );
}

#[test]
fn going_back_is_seen_by_what_was_there_before() {
    // An old run that is run again; forward again; an older commit that never was alone; the same once more.
    check(
        "push main c1: production=success
         push main c2 c3: production=success
         again 1: production=success
         again 2: production=success
         tag v2 c2: production=success
         again 3: production=success",
        expect![[r#"
            production deploy.yml: 3 deployed, failed 2/6, rework 2
              run/1/1 release succeeded of c1
              run/2/1 release succeeded of c3 +c2 2.75h +c3 2.75h, mended by 1.2
              run/1/2 rollback succeeded of c1
              run/2/2 release succeeded of c3 -c3 came_before, mended by 3.1
              run/3/1 rollback succeeded of v2
              run/3/2 redeploy succeeded of v2
              2.1 recovered after 10h
              2.2 recovered after 10h
        "#]],
    );
}

#[test]
fn what_failed_is_in_doubt_until_somebody_goes_back() {
    check(
        "push main c1: production=success
         push main c2: production=failure
         again 2: production=cancelled
         again 1: production=success
         push main c3: production=failure
         push main c4: production=success",
        expect![[r#"
            production deploy.yml: 2 deployed, failed 1/4, rework 1
              run/1/1 release succeeded of c1
              run/2/2 release cancelled of c2, mended by 1.2
              run/1/2 rollback succeeded of c1
              run/4/1 release succeeded of c4 +c2 42.75h +c3 12.75h +c4 2.75h
              2.2 recovered after 10h
              in doubt: 2.1 failed
              in doubt: 3.1 failed
        "#]],
    );
    // Going back further takes back what ran, not what was tried.
    check(
        "push main c1: production=success
         push main c2: production=success
         push main c3: production=failure
         again 1: production=failure
         again 1: production=success",
        expect![[r#"
            production deploy.yml: 2 deployed, failed 1/3, rework 1
              run/1/1 release succeeded of c1
              run/2/1 release succeeded of c2 +c2 2.75h, mended by 1.3
              run/1/3 rollback succeeded of c1
              2.1 recovered after 30h
              in doubt: 3.1 failed
              in doubt: 1.2 failed
        "#]],
    );
}

#[test]
fn all_jobs_of_an_environment_say_how_it_ended() {
    for (ends, expect) in [
        ("production=success production=success", "release succeeded"),
        ("production=success production=skipped", "in doubt: 1.1 cancelled"),
        ("production=success Production=failure", "in doubt: 1.1 failed"),
        ("production=cancelled production=timed_out", "in doubt: 1.1 failed"),
        ("production=success production=no", "in doubt: 1.1 cancelled"),
        ("production=no", ""),
        ("-=failure production=success", "release succeeded"),
    ] {
        let told = Journal::of(&format!("push main c1: {ends}")).told();
        assert!(told.contains(expect) && expect.is_empty() == told.is_empty(), "{ends}: {told}");
    }
}

#[test]
fn a_job_that_was_carried_over_is_not_among_them_and_holds_back_no_other() {
    // A chain: the first job is carried over before the second is planned. Legs of a matrix: all are planned, then
    // some are carried over.
    for again in [
        "production=carried production=success",
        "production=planned production=planned production=carried production=success",
        "production=planned production=planned production=success production=carried",
    ] {
        check(
            &format!(
                "push main c1: production=success
                 push main c2: production=success production=failure
                 again 2: {again}"
            ),
            expect![[r#"
                production deploy.yml: 2 deployed, failed 0/2, rework 0
                  run/1/1 release succeeded of c1
                  run/2/2 release succeeded of c2 +c2 12.75h
                  in doubt: 2.1 failed
            "#]],
        );
    }
    // All of them were: it shipped nothing.
    check("push main c1: -=failure\nagain 1: production=carried -=success", expect![""]);
}

#[test]
fn a_job_that_never_came_to_an_end_holds_back_no_other() {
    check(
        "push main c1: production=planned production=success staging=planned",
        expect![[r#"
            production deploy.yml: 1 deployed, failed 0/1, rework 0
              run/1/1 release succeeded of c1
        "#]],
    );
}

#[test]
fn what_came_with_more_commits_than_are_counted_is_named() {
    let check = |commits: usize, counted: usize, at_limit: &[ShippedBy]| {
        let names: Vec<String> = (0..commits).map(|at| format!("b{at:04}")).collect();
        let script = format!(
            "push main a1: production=success\npush main {}: production=success",
            names.join(" ")
        );
        let journal = Journal::of(&script);
        let told = journal.deliveries(&journal.figures());
        let lead_time = &told[0].lead_time;
        assert_eq!((lead_time.total.count, &*lead_time.at_limit), (counted, at_limit));
    };
    check(999, 999, &[]);
    check(1_200, 1_000, &[ShippedBy::Jobs(RunId(2), Attempt(1))]);
}

#[test]
fn what_ended_in_the_same_millisecond_stands_in_the_order_of_the_journal() {
    // As texts, `run/10/1` stands before `run/9/1`.
    let before: String = (1..=7).map(|at| format!("push main a{at}: -=success\n")).collect();
    check(
        &format!(
            "push main a0: production=success
             {before}
             push main b1: production=success
             & push main b2: production=success
             again 10: production=success"
        ),
        expect![[r#"
            production deploy.yml: 3 deployed, failed 0/4, rework 0
              run/1/1 release succeeded of a
              run/9/1 release succeeded of b1 +a1 72.75h +a2 62.75h +a3 52.75h +a4 42.75h +a5 32.75h +a6 22.75h +a7 12.75h +b1 2.75h
              run/10/1 release succeeded of b2 +b2 2.75h
              run/10/2 redeploy succeeded of b2
        "#]],
    );
}

#[test]
fn a_commit_without_a_date_is_left_out_and_told() {
    check(
        "push main c1: production=success
         push main c2? c3: production=success",
        expect![[r#"
            production deploy.yml: 2 deployed, failed 0/2, rework 0
              run/1/1 release succeeded of c1
              run/2/1 release succeeded of c3 +c3 2.75h -c2 no_date
        "#]],
    );
}

#[test]
fn a_job_that_ran_the_command_is_counted_once() {
    let mut journal = Journal::of("");
    journal.deployed_by_a_job(10);
    journal.line("push main c1: production=success staging=success");
    let told = journal.told();
    let expect = expect![[r#"
        production api: 1 deployed, failed 0/1, rework 0
          deployment/1 release succeeded of 1
        staging deploy.yml: 1 deployed, failed 0/1, rework 0
          run/1/1 release succeeded of c1
    "#]];
    expect.assert_eq(&told);
}

#[test]
fn a_job_whose_command_changed_nothing_shipped_nothing() {
    let mut journal = Journal::of("");
    journal.deployed(10, json!({ "job": "track-10-job-0" }), true);
    journal.line("push main c1: production=success");
    assert_eq!(journal.told(), "");
    // A task is none: what ran beside it counts.
    let mut journal = Journal::of("");
    journal.deployed(10, json!({ "job": "track-10-job-0", "kind": "task" }), false);
    journal.line("push main c1: production=success");
    let expect = expect![[r#"
        production deploy.yml: 1 deployed, failed 0/1, rework 0
          run/1/1 release succeeded of c1
    "#]];
    expect.assert_eq(&journal.told());
}

#[test]
fn a_branch_that_never_came_there_brings_what_was_pushed_to_it_since_the_last_one() {
    check(
        "push develop d1: production=success
         push main c1: -=success
         push main c2: -=success
         push develop d2: production=success
         push main c3: -=success
         push main c4: production=success",
        expect![[r#"
            production deploy.yml: 3 deployed, failed 0/3, rework 0
              run/1/1 release succeeded of d1
              run/4/1 release succeeded of d2 +d2 2.75h
              run/6/1 release succeeded of c4 +c3 12.75h +c4 2.75h
        "#]],
    );
}

#[test]
fn jobs_count_when_they_are_over_whatever_else_their_run_does() {
    // The first run waits for production while the second one goes to staging, and fails there.
    check(
        "push main c1: staging=success production=planned ...
         push main c2: staging=success production=planned ...
         push main c3: staging=failure
         later 2: production=success
         later 1: production=success",
        expect![[r#"
            production deploy.yml: 1 deployed, failed 1/2, rework 1
              run/2/1 release succeeded of c2, mended by 1.1
              run/1/1 rollback succeeded of c1
              2.1 recovered after 10h
        "#]],
    );
    // Staging alone: what came later there is not what the run that waits brought.
    check(
        "push main c1: qa=success
         push main c2: qa=success -=planned ...
         push main c3: qa=success
         later 2: -=success
         push main c4: qa=success",
        expect![[r#"
            qa deploy.yml: 4 deployed, failed 0/4, rework 0
              run/1/1 release succeeded of c1
              run/2/1 release succeeded of c2 +c2 2.75h
              run/3/1 release succeeded of c3 +c3 2.75h
              run/4/1 release succeeded of c4 +c4 2.75h
        "#]],
    );
    let journal = Journal::of(
        "push main c1: staging=success production=planned ...
         push main c2: staging=success production=planned ...",
    );
    let figures = journal.figures();
    figures.catch_up(&journal.store, &mut |_| true).expect("a journal of ours");
    let newest = figures.newest_by_jobs("octo/app").expect("a journal of ours");
    let newest: Vec<String> =
        newest.newest.iter().map(|it| format!("{} {}", it.environment, it.by)).collect();
    assert_eq!(newest, ["staging 2.1"]);
}

#[test]
fn a_later_job_of_the_same_environment_says_how_it_ended() {
    for (later, expect) in [
        ("production=success", "release succeeded of c2 +c2 12.75h"),
        ("production=failure", "in doubt: 2.1 failed"),
        ("production=no", "in doubt: 2.1 cancelled"),
        ("-=failure", "release succeeded of c2 +c2 2.75h"),
    ] {
        let first = "push main c1: production=success\npush main c2: production=success ...";
        let journal = Journal::of(first);
        let told = journal.told();
        assert!(told.contains("release succeeded of c2 +c2 2.75h"), "{later}: {told}");
        let journal = Journal::of(&format!("{first}\nlater 2: {later}"));
        let told = journal.told();
        assert!(told.contains(expect), "{later}: {told}");
    }
    // What it had brought comes with the next one.
    check(
        "push main c1: production=success
         push main c2: production=success ...
         later 2: production=failure
         push main c3: production=success",
        expect![[r#"
            production deploy.yml: 2 deployed, failed 0/2, rework 0
              run/1/1 release succeeded of c1
              run/3/1 release succeeded of c3 +c2 22.75h +c3 2.75h
              in doubt: 2.1 failed
        "#]],
    );
}

#[test]
fn while_a_further_job_of_the_environment_runs_it_is_in_no_figure_and_told_as_running() {
    let before = "production deploy.yml: 1 deployed, failed 0/1, rework 0\n  run/1/1 release succeeded of c1\n";
    let after = "production deploy.yml: 2 deployed, failed 0/2, rework 0\n  run/1/1 release succeeded of c1\n  run/2/1 release succeeded of c2 +c2 ";
    for (script, expect, standing) in [
        ("", format!("{after}2.75h\n"), "production 2.1 succeeded"),
        ("production=planned ...", before.to_owned(), "production 2.1 running"),
        ("production=planned -=success ...", before.to_owned(), "production 2.1 running"),
        (
            "production=planned ...\nlater 2: production=success",
            format!("{after}22.75h\n"),
            "production 2.1 succeeded",
        ),
        (
            "production=planned ...\nlater 2: production=skip",
            format!("{after}2.75h\n"),
            "production 2.1 succeeded",
        ),
        // It never came to its end, and its run did.
        (
            "production=planned ...\nlater 2: -=success",
            format!("{after}2.75h\n"),
            "production 2.1 succeeded",
        ),
        (
            "production=planned ...\nlater 2: production=failure",
            format!("{before}  in doubt: 2.1 failed\n"),
            "production 2.1 failed",
        ),
    ] {
        let journal = Journal::of(&format!(
            "push main c1: production=success\npush main c2: production=success ...\nlater 2: {script}"
        ));
        assert_eq!(journal.told(), expect, "{script}");
        let newest = journal.figures().newest_by_jobs("octo/app").expect("a journal of ours");
        let told =
            |it: &figures::NewestByJobs| format!("{} {} {}", it.environment, it.by, it.standing());
        let newest: Vec<String> = newest.newest.iter().map(told).collect();
        assert_eq!(newest, [standing], "{script}");
    }
    // The first one that ever went there.
    let first = "push main c1: production=success production=planned ...";
    assert_eq!(Journal::of(first).told(), "");
}

#[test]
fn what_came_with_jobs_that_fail_later_came_with_the_next_that_had_it() {
    check(
        "push main c1: staging=success
         push main c2: staging=success ...
         push main c3: staging=success
         later 2: staging=failure
         push main c4: staging=success",
        expect![[r#"
            staging deploy.yml: 3 deployed, failed 0/3, rework 0
              run/1/1 release succeeded of c1
              run/3/1 release succeeded of c3 +c2 12.75h +c3 2.75h
              run/4/1 release succeeded of c4 +c4 2.75h
              in doubt: 2.1 failed
        "#]],
    );
    // The same commit once more; a branch that was cut behind it. One that went back does not have it.
    check(
        "push main c1: staging=success
         push main c2: staging=success ...
         dispatch main c2: staging=success
         later 2: staging=no
         push main c3: staging=success",
        expect![[r#"
            staging deploy.yml: 3 deployed, failed 0/3, rework 0
              run/1/1 release succeeded of c1
              run/3/1 release succeeded of c2 +c2 12.75h
              run/4/1 release succeeded of c3 +c3 2.75h
              in doubt: 2.1 cancelled
        "#]],
    );
    check(
        "push main c1: staging=success
         push main c2: staging=success ...
         push release~c2 r1: staging=success
         later 2: staging=failure
         push main c3: staging=success",
        expect![[r#"
            staging deploy.yml: 3 deployed, failed 0/3, rework 0
              run/1/1 release succeeded of c1
              run/3/1 release succeeded of r1 +c2 12.75h +r1 2.75h
              run/4/1 release succeeded of c3 +c3 2.75h
              in doubt: 2.1 failed
        "#]],
    );
    check(
        "push main c1: staging=success
         push main c2: staging=success ...
         again 1: staging=success
         later 2: staging=failure
         push main c3: staging=success",
        expect![[r#"
            staging deploy.yml: 2 deployed, failed 1/4, rework 1
              run/1/1 release succeeded of c1
              run/1/2 rollback succeeded of c1
              run/2/1 release failed of c2, mended by 1.2
              run/3/1 release succeeded of c3 +c2 32.75h +c3 2.75h
              2.1 recovered after 10h
        "#]],
    );
}

#[test]
fn a_branch_that_was_cut_brings_what_the_default_branch_had_then() {
    check(
        "push main m1: production=success
         push main m2: -=success
         push main m3: -=success
         push release~m3 r1: production=success
         push main m4: production=success
         push release~m3 r2: production=success
         push main m5: -=success",
        expect![[r#"
            production deploy.yml: 4 deployed, failed 0/4, rework 0
              run/1/1 release succeeded of m1
              run/4/1 release succeeded of r1 +m2 22.75h +m3 12.75h +r1 2.75h
              run/5/1 release succeeded of m4 +m4 2.75h
              run/6/1 release succeeded of r2 +r2 2.75h
        "#]],
    );
}

#[test]
fn an_environment_is_the_same_in_any_case() {
    check(
        "push main c1: Production=success
         push main c2: production=success",
        expect![[r#"
            Production deploy.yml: 2 deployed, failed 0/2, rework 0
              run/1/1 release succeeded of c1
              run/2/1 release succeeded of c2 +c2 2.75h
        "#]],
    );
}

#[test]
fn deployments_of_before_are_of_the_jobs_that_ran_meanwhile() {
    let mut journal = Journal::of("");
    // Nothing said then which job it was.
    journal.deployed(10, json!({}), false);
    journal.line("push main c1: production=success");
    let only_command =
        "production api: 1 deployed, failed 0/1, rework 0\n  deployment/1 release succeeded of 1\n";
    let both = journal.told();
    assert!(both.len() > only_command.len(), "{both}");
    let raw = rusqlite::Connection::open(journal.folder.path().join("figures.db")).unwrap();
    raw.execute_batch(
        "UPDATE jobs_since SET at = (SELECT max(finished_at) FROM shipment);
         DELETE FROM shipment; DELETE FROM brought; UPDATE cursor SET position = 0",
    )
    .unwrap();
    drop(raw);
    assert_eq!(journal.told(), only_command);
}

#[test]
fn the_newest_of_each_environment_is_told_of_one_repository() {
    let mut script = "push main c1: staging=success production=failure".to_owned();
    for at in 0..250 {
        script += &format!("\npush main d{at}: review/{at}=success");
    }
    script += "\npush main c2: production=success";
    let journal = Journal::of(&script);
    let figures = journal.figures();
    figures.catch_up(&journal.store, &mut |_| true).expect("a journal of ours");
    let newest = figures.newest_by_jobs("octo/app").expect("a journal of ours");
    assert!(newest.is_cut);
    let newest = newest.newest;
    let names: Vec<&str> = newest.iter().map(|it| &*it.environment).collect();
    assert_eq!((names.len(), names[0], names[1]), (200, "production", "review/249"));
    assert_eq!(newest[0].verdict, event::Verdict::Succeeded);
    // All that was done anywhere, and not only what was the last in its environment.
    let last = figures.last_by_jobs(300).expect("a journal of ours");
    let told = |it: &NewestByJobs| format!("{} {} {}", it.environment, it.by, it.standing());
    let ends = [0, 1, 251, 252].map(|at| told(&last[at]));
    let expect = ["production 252.1 succeeded", "review/249 251.1 succeeded"];
    assert_eq!((last.len(), &ends[..2]), (253, &expect.map(str::to_owned)[..]));
    let oldest = ["staging 1.1 succeeded", "production 1.1 failed"];
    assert!(ends[2..].iter().all(|it| oldest.contains(&it.as_str())), "{ends:?}");
    assert_eq!(figures.last_by_jobs(1).expect("a journal of ours"), last[..1]);
    // What ran `launchway deploy` after all was nothing of the jobs' own.
    let mut journal =
        Journal::of("push main c1: staging=success\npush main c2: Staging=success ...");
    let told = |journal: &Journal| {
        let figures = journal.figures();
        figures.catch_up(&journal.store, &mut |_| true).expect("a journal of ours");
        let newest = figures.newest_by_jobs("octo/app").expect("a journal of ours").newest;
        newest.iter().map(|it| format!("{} {}", it.environment, it.by)).collect::<Vec<_>>()
    };
    assert_eq!(told(&journal), ["Staging 2.1"]);
    journal.deployed(30, json!({ "job": "track-30-job-1", "environment": "staging" }), false);
    journal.line("later 2: staging=success");
    assert_eq!(told(&journal), ["staging 1.1"]);
    assert_eq!(figures.newest_by_jobs("octo/other").unwrap(), NewestOfEach::default());
}

#[test]
fn of_more_services_than_one_answer_holds_the_count_is_told() {
    let ends: Vec<String> = (0..203).map(|at| format!("review/{at:03}=success")).collect();
    let journal = Journal::of(&format!("push main c1: {}", ends.join(" ")));
    let figures = journal.figures();
    figures.catch_up(&journal.store, &mut |_| true).expect("a journal of ours");
    let all = figures.delivery(&asked(Some("octo/app"))).expect("a journal of ours");
    assert_eq!((all.told.len(), all.left_out), (200, 3));
    // What is counted elsewhere is not left out.
    let besides = ["Review/007", "review/201", "review/202"].map(str::to_owned).to_vec();
    let told = |asked: &Asked| {
        let all = figures.delivery(asked).expect("a journal of ours");
        (all.told.len(), all.left_out)
    };
    let asked = Asked { besides, ..asked(Some("octo/app")) };
    assert_eq!(told(&asked), (200, 0));
    assert_eq!(told(&Asked { only_production: true, ..asked }), (0, 0));
}

#[test]
fn whose_jobs_are_told_is_for_whoever_asks() {
    let journal = Journal::of("push main c1: production=success");
    journal.deployed_by_a_job(990);
    let figures = journal.figures();
    figures.catch_up(&journal.store, &mut |_| true).expect("a journal of ours");
    let of = |asked: &Asked| -> Vec<(String, bool)> {
        let all = figures.delivery(asked).expect("a journal of ours").told;
        all.into_iter().map(|it| (it.project, it.by_jobs)).collect()
    };
    let (project, jobs) = (("planner".to_owned(), false), ("octo/app".to_owned(), true));
    assert_eq!(of(&asked(Some("octo/app"))), [project.clone(), jobs.clone()]);
    assert_eq!(of(&asked(Some("octo/other"))), vec![project.clone()]);
    assert_eq!(of(&asked(None)), vec![project.clone()]);
    let all = Asked { project: None, ..asked(None) };
    assert_eq!(of(&all), [project, jobs.clone()]);
    let named = Asked { project: Some("octo/app".to_owned()), ..asked(None) };
    assert_eq!(of(&named), vec![jobs.clone()]);
    assert_eq!(of(&Asked { only_jobs: true, ..all }), [jobs]);
}

#[test]
fn what_an_older_version_counted_stays_and_jobs_come_to_it() {
    let journal = Journal::of(
        "push main c1: production=success
         push main c2: production=success",
    );
    let raw = rusqlite::Connection::open(journal.folder.path().join("figures.db"));
    let raw = raw.expect("a file of ours");
    let newest = journal.store.newest_position().expect("a journal of ours");
    for sql in [
        include_str!("../src/schema/v1.sql"),
        include_str!("../src/schema/v2.sql"),
        include_str!("../src/schema/v3.sql"),
        // The journal has nothing of it any more.
        "INSERT INTO shipment VALUES (7, 'api', 'planner', 'production', 'release', 1, 'succeeded', '1.7',
           'sha256:7', NULL, 0, 3600000, 3600000, 3600000, 7200000, 4);
         INSERT INTO shipped VALUES (7, 'api', 'c7', 1800000);
         INSERT INTO brought VALUES ('planner', 'production', 'api', 'c7', 7);
         PRAGMA user_version = 3;",
        &format!("UPDATE cursor SET position = {newest}"),
    ] {
        raw.execute_batch(sql).expect("a file of ours");
    }
    expect![[r#"
        production api: 1 deployed, failed 0/1, rework 0
          deployment/7 release succeeded of 1.7 +c7 1.5h
        production deploy.yml: 2 deployed, failed 0/2, rework 0
          run/1/1 release succeeded of c1
          run/2/1 release succeeded of c2 +c2 2.75h
    "#]]
    .assert_eq(&journal.told());
}

#[test]
fn what_a_file_of_before_says_of_jobs_is_counted_anew_and_stays_where_the_journal_forgot_it() {
    let journal = Journal::of(
        "push main c1: production=success
         push main c2: production=success production=failure
         again 2: production=carried production=success",
    );
    let raw = rusqlite::Connection::open(journal.folder.path().join("figures.db"));
    let raw = raw.expect("a file of ours");
    let newest = journal.store.newest_position().expect("a journal of ours");
    for sql in [
        include_str!("../src/schema/v1.sql"),
        include_str!("../src/schema/v2.sql"),
        include_str!("../src/schema/v3.sql"),
        include_str!("../src/schema/v4.sql"),
        include_str!("../src/schema/v5.sql"),
        // The second one was wrong, and the journal has nothing of the other any more.
        "INSERT INTO shipment (stream, environment, service, project, is_by_jobs, kind, planned, verdict,
           version, digest, made_from, is_first, requested_at, finished_at, reached_at, last_seq)
         SELECT stream, 'production', '.github/workflows/deploy.yml', 'octo/app', 1, 'release', 1,
           'succeeded', commit_id, commit_id, commit_id, 0, at, at, at, 9
         FROM (SELECT 'run/2/1' AS stream, 'c0' AS commit_id, 72000000 AS at
               UNION ALL SELECT 'run/77/1', 'c77', 3600000);
         INSERT INTO brought (project, environment, service, commit_id, stream)
         VALUES ('octo/app', 'production', '.github/workflows/deploy.yml', 'c0', 'run/2/1');
         PRAGMA user_version = 5;",
        &format!("UPDATE cursor SET position = {newest}"),
    ] {
        raw.execute_batch(sql).expect("a file of ours");
    }
    expect![[r#"
        production deploy.yml: 3 deployed, failed 0/3, rework 0
          run/77/1 release succeeded of c77
          run/1/1 release succeeded of c1 +c1 2.75h
          run/2/2 release succeeded of c2 +c2 12.75h
          in doubt: 2.1 failed
    "#]]
    .assert_eq(&journal.told());
}

#[test]
fn an_older_commit_of_the_branch_that_one_was_cut_from_goes_back() {
    // What runs came from a branch; the commit came with it, or with the first one, and never by itself.
    check(
        "push main m1: -=success
         push main m2: -=success
         push release~m2 r1: production=success
         tag v1 m1: production=success",
        expect![[r#"
            production deploy.yml: 1 deployed, failed 1/2, rework 1
              run/3/1 release succeeded of r1, mended by 4.1
              run/4/1 rollback succeeded of v1
              3.1 recovered after 10h
        "#]],
    );
    check(
        "push main c1 c2: production=success
         dispatch other d1: production=success
         tag v1 c1: production=success",
        expect![[r#"
            production deploy.yml: 2 deployed, failed 1/3, rework 1
              run/1/1 release succeeded of c2
              run/2/1 release succeeded of d1 +d1 2.75h, mended by 3.1
              run/3/1 rollback succeeded of v1
              2.1 recovered after 10h
        "#]],
    );
}

#[test]
fn a_commit_that_is_pushed_behind_the_end_was_not_there() {
    // However late the journal is read.
    check(
        "push main c1: production=success
         push main c2: -=success
         dispatch main c3: production=success
         push main c3: -=success",
        expect![[r#"
            production deploy.yml: 2 deployed, failed 0/2, rework 0
              run/1/1 release succeeded of c1
              run/3/1 release succeeded of c3 +c3 2.75h
        "#]],
    );
}

#[test]
fn what_was_taken_back_failed_wherever_it_ended() {
    // It ended once more behind what took it back.
    check(
        "push main c1: production=success
         push main c2: production=failure ...
         again 1: production=success
         later 2: production=success",
        expect![[r#"
            production deploy.yml: 1 deployed, failed 1/3, rework 1
              run/1/1 release succeeded of c1
              run/1/2 rollback succeeded of c1
              run/2/1 release failed of c2, mended by 1.2
        "#]],
    );
}

#[test]
fn a_job_that_lost_its_worker_behind_the_command_is_none() {
    let mut journal = Journal::of("");
    journal.deployed_by_a_job(10);
    journal.line("push main c1: production=lost");
    let expect = expect![[r#"
        production api: 1 deployed, failed 0/1, rework 0
          deployment/1 release succeeded of 1
    "#]];
    expect.assert_eq(&journal.told());
}

#[test]
fn a_projects_incident_counts_for_who_sees_its_jobs_and_is_read_by_who_sees_it() {
    let journal = Journal::of("push main c1: production=success\npush main c2: production=success");
    let opened = |project: &str, title: &str, cause: Option<&str>| {
        let id = journal.store.allocate_incident(project, None).expect("a journal of ours");
        let record = json!({ "type": "IncidentOpened", "project": project,
            "environment": "PRODUCTION", "service": null, "title": title, "severity": "major",
            "source": "person", "key": null, "link": null, "caused_by": cause,
            "by": { "name": "mona", "proof": "local" }, "opened_at": 15 * HOUR, "at": 15 * HOUR });
        let event = IncidentEvent::decode(record.to_string().as_bytes()).expect("it is one");
        let at = Timestamp(15 * HOUR);
        journal.store.append_incident(id, Seq(0), at, &[event]).expect("a journal of ours");
    };
    opened("planner", "of the project", Some("1.1"));
    opened("octo/app", "of the repository", None);
    opened("octo/other", "of another", Some("9.1"));
    let figures = journal.figures();
    figures.catch_up(&journal.store, &mut |_| true).expect("a journal of ours");
    let told = |only_jobs: bool| {
        let asked = Asked { only_jobs, ..asked(Some("octo/app")) };
        let it = figures.delivery(&asked).expect("a journal of ours").told.remove(0);
        let titles: Vec<String> = it.incidents.into_iter().map(|it| it.title).collect();
        let brought: Vec<String> =
            it.deployments.iter().map(|it| format!("{:?}", it.incidents)).collect();
        let failed = it.change_failures.rate.part;
        format!("{}: {failed} failed by {}\n", titles.join(", "), brought.join(", "))
    };
    expect![[r#"
        of the repository, of the project: 1 failed by [IncidentId(1)], []
        of the repository: 1 failed by [IncidentId(1)], []
    "#]]
    .assert_eq(&format!("{}{}", told(false), told(true)));
}

#[test]
fn a_tag_that_is_called_like_the_name_of_another_is_not_that() {
    let journal = Journal::of(
        "
        tag v1.0.0 c1: production=success
        tag refs/tags/v1.0.0 c1: production=failure
        ",
    );
    let figures = journal.figures();
    figures.catch_up(&journal.store, &mut |_| true).expect("a journal of ours");
    let runs = |tag| {
        let found = figures.tag_runs("octo/app", tag).expect("a journal of ours");
        found.into_iter().map(|it| (it.run.0, it.tag)).collect::<Vec<_>>()
    };
    let (one, other) = ((1, "v1.0.0".to_owned()), (2, "refs/tags/v1.0.0".to_owned()));
    assert_eq!(runs(None), [other, one.clone()]);
    assert_eq!(runs(Some("v1.0.0")), [one]);
}
