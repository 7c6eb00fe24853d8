//! From a journal to figures: what is counted once, what is taken in after a kill, and where each
//! figure comes from.

use std::sync::Arc;

use event::{
    Actor, By, DeployStepKey, DeployStepKind, DeploymentEvent, DeploymentId, DeploymentKind,
    DeploymentPlan, DeploymentRequest, Digest, GoingBack, IncidentEvent, IncidentRecord,
    IncidentRole, IncidentSource, KnownRelease, OnCancel, PlannedStep, Release, Seq, ServicePlan,
    ServiceRequest, Severity, ShippedCommit, StreamId, Timestamp, Undo, Verdict, Way,
};
use expect_test::{Expect, expect};
use figures::{Asked, Delivery, Figures};
use mask::MaskedText;
use ports::Journal as _;
use serde_json::Value as Json;
use store::Store;
use views::Window;

const HOUR: u64 = 60 * 60 * 1000;
const DAY: u64 = 24 * HOUR;

struct Journal {
    folder: tempfile::TempDir,
    store: Arc<Store>,
}

impl Journal {
    fn new() -> Journal {
        let folder = tempfile::tempdir().expect("a journal of ours");
        let store = Arc::new(Store::open(folder.path()).expect("a journal of ours"));
        Journal { folder, store }
    }

    fn figures(&self) -> Figures {
        Figures::open(self.folder.path()).expect("a journal of ours")
    }

    /// A deployment of `api` that was wanted at an hour, and took one.
    fn deployed(&self, kind: DeploymentKind, verdict: Verdict, hour: u64) -> DeploymentId {
        let id =
            self.store.allocate_deployment("planner", "production").expect("a journal of ours");
        self.append(id, &events(kind, verdict, hour));
        id
    }

    /// An incident of an hour, over two later.
    fn incident(&self, cause: Option<DeploymentId>, fix: DeploymentId, hour: u64) {
        let id = self.store.allocate_incident("planner", None).expect("a journal of ours");
        let at = Timestamp(hour * HOUR);
        let by = Actor {
            name: MaskedText::without_secrets("mona"),
            proof: "local".into(),
            source: None,
            address: None,
        };
        let record = IncidentRecord {
            project: "planner".into(),
            environment: "production".into(),
            service: None,
            title: MaskedText::without_secrets("it is slow"),
            severity: Severity::Major,
            source: IncidentSource::Person,
            key: None,
            link: None,
            caused_by: cause.map(Into::into),
            by: by.clone(),
            opened_at: at,
            at,
        };
        let over = Timestamp((hour + 2) * HOUR);
        let events = [
            IncidentEvent::IncidentOpened(Box::new(record)),
            IncidentEvent::IncidentLinked {
                deployment: fix.into(),
                role: IncidentRole::Fix,
                by: by.clone(),
                at: over,
            },
            IncidentEvent::IncidentResolved { by, reason: None, resolved_at: over, at: over },
        ];
        self.store.append_incident(id, Seq(0), over, &events).expect("a journal of ours");
    }

    fn append(&self, id: DeploymentId, events: &[DeploymentEvent]) {
        let stream = StreamId::Deployment(id);
        let (seq, _) = self.store.head(stream).expect("a journal of ours");
        self.store.ledger().append(stream, seq, Timestamp(1), events).expect("a journal of ours");
    }

    fn delivery(&self, figures: &Figures) -> Vec<Delivery> {
        figures.catch_up(&self.store, &mut |_| true).expect("a journal of ours");
        let window = Window { since: Timestamp(0), until: Timestamp(100 * DAY) };
        let asked = Asked::everything(window);
        figures.delivery(&asked).expect("a journal of ours").told
    }

    fn check(&self, figures: &Figures, expect: Expect) {
        self.told(figures, |text| expect.assert_eq(text));
    }

    fn told(&self, figures: &Figures, check: impl FnOnce(&str)) {
        let mut text = String::new();
        for it in self.delivery(figures) {
            let of: Vec<String> = it
                .deployments
                .iter()
                .map(|it| format!("{} {}-{}", it.stream, it.first_seq, it.last_seq))
                .collect();
            text += &format!(
                "{} {}: {} deployed, lead {:?} of {}, failed {}/{}, recovery {:?} and [{}], rework {}\n{}\n",
                it.service,
                it.environment,
                it.frequency.count,
                it.lead_time.total.median_ms.map(|ms| ms / HOUR),
                it.lead_time.total.count,
                it.change_failures.rate.part,
                it.change_failures.rate.whole,
                it.recovery.recovered.iter().map(|it| it.time_ms / HOUR).collect::<Vec<_>>(),
                it.recovery.open.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
                it.rework.rate.part,
                of.join(", "),
            );
        }
        check(&text);
    }
}

fn events(kind: DeploymentKind, verdict: Verdict, hour: u64) -> Vec<DeploymentEvent> {
    let at = |hours: u64| Timestamp((hour + hours) * HOUR);
    let release = Release {
        version: format!("1.{hour}").into(),
        digest: format!("sha256:{hour}").into(),
        location: None,
        commit: None,
    };
    let known =
        KnownRelease { release: release.clone(), handle: serde_json::Value::Null, adopted: false };
    let request = DeploymentRequest {
        project: "planner".into(),
        environment: "production".into(),
        kind,
        by: Actor {
            name: MaskedText::without_secrets("mona"),
            proof: "local".into(),
            source: None,
            address: None,
        },
        reason: None,
        services: vec![ServiceRequest {
            service: "api".into(),
            release,
            restores: None,
            last_good: Some(known),
            target: "host".into(),
            config: serde_json::Value::Null,
            around: Vec::new(),
        }],
        gates: Vec::new(),
        force: false,
        commits: vec![ShippedCommit { commit: format!("{hour:040}").into(), committed_at: at(0) }],
        planned: !matches!(kind, DeploymentKind::Hotfix | DeploymentKind::Rollback),
        on_cancel: OnCancel::Back,
        protection: None,
        job: None,
        at: at(0),
    };
    let key = DeployStepKey::new("api", "switch");
    let step = PlannedStep {
        key: key.clone(),
        kind: DeployStepKind::Switch,
        what: MaskedText::without_secrets("switches"),
        calls: Vec::new(),
        undo: Undo::Nothing,
        within_ms: 1,
        body: serde_json::Value::Null,
    };
    let service = ServicePlan {
        service: "api".into(),
        seen: serde_json::Value::Null,
        running: None,
        changes: Vec::new(),
        steps: vec![step],
        going_back: GoingBack::FirstDeployment,
        notes: Vec::new(),
    };
    let plan = DeploymentPlan { services: vec![service], order: vec![key.clone()] };
    vec![
        DeploymentEvent::DeploymentRequested(Box::new(request)),
        DeploymentEvent::DeploymentPlanned {
            plan: Box::new(plan),
            hash: Digest::of(b"plan"),
            at: at(0),
        },
        DeploymentEvent::StepIntended { step: key, way: Way::Forward, at: at(0) },
        DeploymentEvent::DeploymentCompleted {
            verdict,
            cause: None,
            by: By::Launchway,
            vacuous: false,
            unchanged: false,
            runs: std::collections::BTreeMap::new(),
            at: at(1),
        },
    ]
}

#[test]
fn what_ended_is_counted_once_and_says_which_events_it_was() {
    use DeploymentKind::{Hotfix, Release, Rollback};
    use Verdict::{RollbackStuck, RolledBack, Succeeded};
    let journal = Journal::new();
    let figures = journal.figures();
    journal.check(&figures, expect![""]);
    for hour in 1..=4 {
        journal.deployed(Release, Succeeded, hour);
    }
    journal.deployed(Release, RolledBack, 10);
    journal.deployed(Release, Succeeded, 20);
    journal.deployed(Rollback, Succeeded, 30);
    let told = expect![[r#"
        api production: 6 deployed, lead Some(1) of 6, failed 2/7, recovery [1, 10] and [], rework 1
        deployment/1 1-4, deployment/2 1-4, deployment/3 1-4, deployment/4 1-4, deployment/5 1-4, deployment/6 1-4, deployment/7 1-4
    "#]];
    journal.check(&figures, told);
    // Nothing new, and another process that begins: the same.
    let again = expect![[r#"
        api production: 6 deployed, lead Some(1) of 6, failed 2/7, recovery [1, 10] and [], rework 1
        deployment/1 1-4, deployment/2 1-4, deployment/3 1-4, deployment/4 1-4, deployment/5 1-4, deployment/6 1-4, deployment/7 1-4
    "#]];
    journal.check(&journal.figures(), again);
    journal.deployed(Release, RollbackStuck, 40);
    let stuck = expect![[r#"
        api production: 6 deployed, lead Some(1) of 6, failed 3/8, recovery [1, 10] and [8], rework 1
        deployment/1 1-4, deployment/2 1-4, deployment/3 1-4, deployment/4 1-4, deployment/5 1-4, deployment/6 1-4, deployment/7 1-4, deployment/8 1-4
    "#]];
    journal.check(&figures, stuck);
    journal.deployed(Hotfix, Succeeded, 50);
    let mended = expect![[r#"
        api production: 7 deployed, lead Some(1) of 7, failed 3/9, recovery [1, 10, 10] and [], rework 2
        deployment/1 1-4, deployment/2 1-4, deployment/3 1-4, deployment/4 1-4, deployment/5 1-4, deployment/6 1-4, deployment/7 1-4, deployment/8 1-4, deployment/9 1-4
    "#]];
    journal.check(&figures, mended);
}

#[test]
fn a_hotfix_that_names_what_it_mends_makes_no_other_deployment_fail() {
    use DeploymentKind::{Hotfix, Release};
    use Verdict::Succeeded;
    // One that names the first, one that names nothing, one whose incident nobody knows the cause of.
    for (cause, failed) in [
        (Some(Some(DeploymentId(1))), "failed 1/3, recovery [18] and []"),
        (None, "failed 1/3, recovery [10] and []"),
        (Some(None), "failed 1/3, recovery [10] and []"),
    ] {
        let journal = Journal::new();
        journal.deployed(Release, Succeeded, 1);
        journal.deployed(Release, Succeeded, 10);
        let fix = journal.deployed(Hotfix, Succeeded, 20);
        if let Some(cause) = cause {
            journal.incident(cause, fix, 18);
        }
        journal
            .told(&journal.figures(), |text| assert!(text.contains(failed), "{cause:?}: {text}"));
    }
}

#[test]
fn what_a_server_of_before_tells_is_understood() {
    let journal = Journal::new();
    journal.deployed(DeploymentKind::Release, Verdict::RolledBack, 1);
    let told = journal.delivery(&journal.figures()).remove(0);
    let mut of_before = serde_json::to_value(&told).expect("it is written");
    for (of, field) in
        [("/deployments/0", "incidents"), ("/recovery/recovered/0", "incident"), ("", "incidents")]
    {
        let part = of_before.pointer_mut(of).and_then(Json::as_object_mut).expect("an object");
        assert!(part.remove(field).is_some(), "{of}");
    }
    let read: Delivery = serde_json::from_value(of_before).expect("it is understood");
    assert_eq!(read, told);
}

#[test]
fn what_is_under_way_is_counted_when_it_is_over() {
    let journal = Journal::new();
    let figures = journal.figures();
    let id = journal.store.allocate_deployment("planner", "production").expect("a journal of ours");
    let mut events = events(DeploymentKind::Release, Verdict::Succeeded, 1);
    let end = events.pop().expect("a journal of ours");
    journal.append(id, &events);
    journal.check(&figures, expect![""]);
    journal.append(id, &[end]);
    journal.check(
        &figures,
        expect![[r#"
            api production: 1 deployed, lead None of 1, failed 0/1, recovery [] and [], rework 0
            deployment/1 1-4
        "#]],
    );
}

#[test]
fn an_earlier_journal_in_its_place_is_counted_anew() {
    let journal = Journal::new();
    let figures = journal.figures();
    journal.deployed(DeploymentKind::Release, Verdict::Succeeded, 1);
    figures.catch_up(&journal.store, &mut |_| true).expect("a journal of ours");
    let other = Journal::new();
    let caught = figures.catch_up(&other.store, &mut |_| true).expect("a journal of ours");
    assert_eq!((caught.position, caught.newest), (0, 0));
    other.check(&figures, expect![""]);
}

#[test]
fn what_nobody_understands_holds_nobody_up_and_is_looked_at_again() {
    let journal = Journal::new();
    let figures = journal.figures();
    let id = journal.deployed(DeploymentKind::Release, Verdict::Succeeded, 1);
    let raw = rusqlite::Connection::open(journal.folder.path().join("journal.db"))
        .expect("a journal of ours");
    let (stream, seq): (i64, i64) = raw
        .query_row("SELECT stream, seq FROM event WHERE seq = 3", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .expect("a journal of ours");
    let payload: String = raw
        .query_row(
            "SELECT payload FROM event WHERE stream = ?1 AND seq = ?2",
            [stream, seq],
            |row| row.get(0),
        )
        .expect("a journal of ours");
    let set = "UPDATE event SET payload = ?3 WHERE stream = ?1 AND seq = ?2";
    raw.execute(set, rusqlite::params![stream, seq, "{\"type\":\"Newer\"}"])
        .expect("a journal of ours");
    journal.deployed(DeploymentKind::Release, Verdict::Succeeded, 2);
    let one = expect![[r#"
        api production: 1 deployed, lead None of 1, failed 0/1, recovery [] and [], rework 0
        deployment/2 1-4
    "#]];
    journal.check(&figures, one);
    // A version that understands it comes.
    raw.execute(set, rusqlite::params![stream, seq, payload]).expect("a journal of ours");
    figures.look_again(&journal.store).expect("a journal of ours");
    assert_eq!(id, DeploymentId(1));
    let both = expect![[r#"
        api production: 2 deployed, lead None of 2, failed 0/2, recovery [] and [], rework 0
        deployment/1 1-4, deployment/2 1-4
    "#]];
    journal.check(&figures, both);
    assert_eq!(journal.store.head(StreamId::Deployment(id)).expect("a journal of ours").0, Seq(4));
}
