//! Which deployment an issue may name, and whose journal its incident belongs in.

use std::path::Path;
use std::process::Command;

use event::{
    Attempt, DeploymentEvent, DeploymentId, Fact as _, RunEvent, RunId, Seq, ShippedBy, StreamId,
    Timestamp,
};
use expect_test::{Expect, expect};
use ports::Journal as _;
use serde_json::json;

use super::*;

/// A server's journal, and a repository that is connected to it.
struct Place {
    folder: tempfile::TempDir,
    store: Arc<Store>,
}

fn git(folder: &Path, args: &[&str]) {
    let mut command = Command::new("git");
    let identity = ["-c", "user.name=mona", "-c", "user.email=mona@example.com"];
    let done = command.arg("-C").arg(folder).args(identity).args(args).output();
    let done = done.expect("git is installed");
    assert!(done.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&done.stderr));
}

impl Place {
    fn new(journal: &str) -> Place {
        let folder = tempfile::tempdir().expect("a folder");
        let tree = folder.path().join("tree");
        std::fs::create_dir(&tree).expect("a folder");
        let settings = format!(
            "version: 1\nproject: planner\n{journal}services: {{ web: {{}} }}\nenvironments: {{ production: {{ targets: {{ ecs: {{ region: eu-central-1, cluster: c, service: s }} }} }} }}\n"
        );
        std::fs::write(tree.join(settings::FILE), settings).expect("a file");
        git(&tree, &["init", "--quiet", "--initial-branch", "main"]);
        git(&tree, &["add", "."]);
        git(&tree, &["commit", "--quiet", "--message", "settings"]);
        git(folder.path(), &["clone", "--quiet", "--bare", "tree", "app.git"]);
        let store = Arc::new(Store::open(&folder.path().join("data")).expect("a new store opens"));
        Place { folder, store }
    }

    /// A deployment of the project that was asked for at this second.
    fn deployment(&self, environment: &str, second: u64) -> DeploymentId {
        let id = self.store.allocate_deployment("planner", environment).expect("a number");
        let requested: DeploymentEvent = serde_json::from_value(json!({
            "type": "DeploymentRequested", "project": "planner", "environment": environment,
            "kind": "release", "by": { "name": "mona", "proof": "local" }, "reason": null,
            "services": [{
                "service": "web", "release": { "version": "1", "digest": "sha256:1" },
                "restores": null, "last_good": null, "target": "ecs", "config": {}, "around": [],
            }],
            "gates": [], "force": false, "on_cancel": "finish", "at": second * 1000,
        }))
        .expect("a request");
        let at = Timestamp(second * 1000);
        let ledger = self.store.ledger();
        ledger.append(StreamId::Deployment(id), Seq(0), at, &[requested]).expect("appended");
        id
    }

    /// A run of a repository whose job shipped to an environment from this second on.
    fn shipped(&self, repository: &str, environment: &str, second: u64) -> ShippedBy {
        let (run, number) = self.store.allocate_run(repository, "ship.yml").expect("a number");
        let at = second * 1000;
        let events = [
            json!({ "type": "RunCreated", "run": run, "attempt": 1, "run_number": number,
                "carried": [], "repository": repository, "repository_path": "/app", "called": {},
                "workflow": { "path": "ship.yml", "text": "" }, "title": "a change",
                "event": { "name": "push", "git_ref": "refs/heads/main", "payload": {} },
                "change": { "commit": "c".repeat(40), "authored_at": 1, "committed_at": 1,
                    "uncommitted": 0 },
                "inputs": {}, "vars": {}, "secret_names": [], "actor": "mona",
                "triggering_actor": "mona", "at": at }),
            json!({ "type": "JobPlanned", "key": "ship", "id": "ship", "name": "ship",
                "parent": null, "file": null, "needs": [], "matrix": null, "index": 0, "total": 1,
                "fail_fast": true, "max_parallel": null, "queued_at": at,
                "environment": environment }),
            json!({ "type": "JobReady", "job": "ship", "at": at }),
            json!({ "type": "JobLeased", "job": "ship", "fence": 1, "tracking_id": "t", "at": at }),
        ];
        let decoded = |it: &serde_json::Value| RunEvent::decode(it.to_string().as_bytes());
        let events: Vec<RunEvent> =
            events.iter().map(decoded).collect::<Result<_, _>>().expect("events");
        let stream = StreamId::Run(run, Attempt(1));
        self.store.append(stream, Seq(0), Timestamp(at), &events).expect("appended");
        ShippedBy::Jobs(run, Attempt(1))
    }

    fn take(&self, issue: &Issue) -> Result<Took, Failure> {
        let connected = Connected {
            name: "octo/app".to_owned(),
            path: self.folder.path().join("app.git"),
            incidents: Some(IncidentLabel {
                label: "incident".to_owned(),
                environment: "production".to_owned(),
            }),
            ..Connected::default()
        };
        take(&self.store, &connected, issue)
    }

    /// What became of an issue that names a deployment: its incident's events, and its cause.
    fn check(
        &self,
        number: u64,
        names: impl Into<ShippedBy>,
        association: &str,
        expected: &Expect,
    ) {
        let issue = issue(number, Some(names.into()), association);
        assert_eq!(self.take(&issue).expect("taken"), Took::Whole);
        let incidents = Incidents::of_store(&self.store);
        let id = incidents.with_key(&issue.key("octo/app")).expect("read").expect("opened");
        let view = incidents.view(id).expect("read").expect("written");
        let shown =
            format!("{} events, by {:?}", view.last_seq, view.caused_by.map(|it| it.to_string()));
        expected.assert_eq(&shown);
    }
}

fn issue(number: u64, shipped: Option<ShippedBy>, association: &str) -> Issue {
    Issue {
        action: "labeled".to_owned(),
        number,
        title: "checkout answers 500".to_owned(),
        url: None,
        labels: vec!["incident".to_owned()],
        label: Some("incident".to_owned()),
        is_open: true,
        shipped,
        association: association.to_owned(),
        by: "mona".to_owned(),
        at: Timestamp(100_000),
    }
}

#[test]
fn a_deployment_is_linked_with_the_opening_where_who_named_it_belongs_there() {
    let place = Place::new("");
    let good = place.deployment("production", 50);
    let elsewhere = place.deployment("staging", 50);
    let later = place.deployment("production", 150);
    place.check(1, good, "MEMBER", &expect![[r#"1 events, by Some("1")"#]]);
    place.check(2, good, "NONE", &expect!["1 events, by None"]);
    place.check(3, good, "CONTRIBUTOR", &expect!["1 events, by None"]);
    place.check(4, elsewhere, "OWNER", &expect!["1 events, by None"]);
    place.check(5, later, "OWNER", &expect!["1 events, by None"]);
    place.check(6, DeploymentId(99), "OWNER", &expect!["1 events, by None"]);
}

#[test]
fn what_jobs_shipped_is_linked_where_it_is_of_that_repository_and_environment() {
    let place = Place::new("");
    let good = place.shipped("octo/app", "Production", 50);
    let elsewhere = place.shipped("octo/app", "staging", 50);
    let stranger = place.shipped("octo/other", "production", 50);
    let later = place.shipped("octo/app", "production", 150);
    place.check(1, good, "MEMBER", &expect![[r#"1 events, by Some("1.1")"#]]);
    place.check(2, good, "NONE", &expect!["1 events, by None"]);
    place.check(3, elsewhere, "OWNER", &expect!["1 events, by None"]);
    place.check(4, stranger, "OWNER", &expect!["1 events, by None"]);
    place.check(5, later, "OWNER", &expect!["1 events, by None"]);
    let unknown = ShippedBy::Jobs(RunId(99), Attempt(1));
    place.check(6, unknown, "OWNER", &expect!["1 events, by None"]);
}

#[test]
fn an_end_without_a_beginning_waits_for_one() {
    let place = Place::new("");
    let mut closed = issue(1, None, "OWNER");
    closed.action = "closed".to_owned();
    closed.is_open = false;
    closed.at = Timestamp(200_000);
    assert_eq!(place.take(&closed).expect("taken"), Took::Early);
    assert_eq!(place.take(&issue(1, None, "OWNER")).expect("taken"), Took::Whole);
    assert_eq!(place.take(&closed).expect("taken"), Took::Whole);
    let incidents = Incidents::of_store(&place.store);
    let newest = incidents.newest(None, 9).expect("read");
    assert_eq!(newest.iter().map(views::IncidentView::is_open).collect::<Vec<_>>(), [false]);
}

#[test]
fn a_project_that_shares_its_journal_has_no_incidents_here() {
    let place = Place::new("journal: s3://acme/journal\n");
    let refused = place.take(&issue(1, None, "OWNER")).expect_err("refused");
    expect![[r#"
        the incidents of planner stand with its deployments, in s3://acme/journal
        open them in a clone of it: launchway incidents open"#]]
    .assert_eq(&format!("{}\n{}", refused.error, refused.hints.join("\n")));
    assert_eq!(Incidents::of_store(&place.store).newest(None, 9).expect("read"), []);
}
