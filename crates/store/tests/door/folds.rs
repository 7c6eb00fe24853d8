//! What is asked of the whole journal: the feed, decisions, what ended, numbers of deployments and
//! releases, and the copy of a journal that several machines share.

use std::sync::Arc;

use event::{AuditRecord, DeploymentId, Digest, Fact, RunEvent, Seq, StreamId, Timestamp, chain};
use mask::MaskedText;
use ports::Journal as _;
use store::{SharedPlace, TakenIn, TakenStream, WantedDeployments};

use crate::engines::{Home, on_each_engine};
use crate::{NOW, completed, ready, run};

on_each_engine! {
    the_feed_has_one_order,
    decisions_are_found_by_their_kind_from_either_side,
    what_ended_is_found_behind_a_place,
    what_began_is_found_behind_a_place,
    deployments_are_counted,
    environments_are_found_in_any_case,
    streams_before_one_are_found,
    a_shared_journal_is_taken_in_once_and_in_order,
}

fn the_feed_has_one_order(home: &Home) {
    let store = home.open();
    assert_eq!((store.newest_position().unwrap(), store.feed(0, 9).unwrap().len()), (0, 0));
    store.append(run(1), Seq(0), NOW, &[ready("a"), completed()]).unwrap();
    store.append(run(2), Seq(0), NOW, &[ready("\u{0} \\u0000 \"")]).unwrap();
    let feed = store.feed(0, 9).unwrap();
    let said: Vec<_> = feed.iter().map(|it| (&*it.stream, it.seq.0, it.kind.as_deref())).collect();
    assert_eq!(
        said,
        [
            ("run/1/1", 1, Some("JobReady")),
            ("run/1/1", 2, Some("RunCompleted")),
            ("run/2/1", 1, Some("JobReady")),
        ]
    );
    assert!(feed.is_sorted_by_key(|it| it.position));
    assert_eq!(store.newest_position().unwrap(), feed[2].position);
    assert_eq!(store.feed(feed[0].position, 1).unwrap(), feed[1..2]);
    store.forget(run(1)).unwrap();
    assert_eq!(store.feed(0, 1).unwrap()[0].kind, None);
    // A text with every character comes back as it was.
    assert_eq!(store.read(run(2), Seq(0)).unwrap()[0].event, ready("\u{0} \\u0000 \""));
}

fn decisions_are_found_by_their_kind_from_either_side(home: &Home) {
    let store = home.open();
    for number in 1..=3 {
        store.append(run(number), Seq(0), NOW, &[ready("a"), completed()]).unwrap();
    }
    let record = AuditRecord {
        actor: None,
        token: None,
        action: "token.create".into(),
        object: MaskedText::without_secrets("ci"),
        reason: None,
        source: "command".into(),
        address: None,
        refused: None,
        at: NOW,
    };
    store.record(record).unwrap();
    let kinds = &["RunCompleted", "AuditRecorded"][..];
    let newest = store.decisions(None, kinds, 2).unwrap();
    assert_eq!(newest[0].stream, "audit");
    assert_eq!(newest[1].stream, "run/3/1");
    assert!(newest[1].payload.starts_with("{\"type\":\"RunCompleted\""));
    let before = store.decisions(Some(newest[1].position), kinds, 9).unwrap();
    assert_eq!(before.iter().map(|it| &*it.stream).collect::<Vec<_>>(), ["run/2/1", "run/1/1"]);
    let after = store.decisions_after(before[1].position, kinds, 1).unwrap();
    assert_eq!(after[0].stream, "run/2/1");
    assert_eq!(store.decisions(None, &[], 9).unwrap(), []);
}

fn what_ended_is_found_behind_a_place(home: &Home) {
    let store = home.open();
    store.append(run(1), Seq(0), NOW, &[ready("a"), completed()]).unwrap();
    let first = store.newest_position().unwrap();
    store.append(run(2), Seq(0), NOW, &[ready("a")]).unwrap();
    store.append(run(3), Seq(0), NOW, &[completed()]).unwrap();
    store.append(run(2), Seq(1), NOW, &[completed()]).unwrap();
    let last = store.newest_position().unwrap();
    assert_eq!(store.ended_between(first, last).unwrap(), ["run/3/1", "run/2/1"]);
    assert_eq!(store.ended_between(0, first).unwrap(), ["run/1/1"]);
    assert_eq!(store.ended_between(last, u64::MAX).unwrap(), Vec::<String>::new());
}

fn what_began_is_found_behind_a_place(home: &Home) {
    let store = home.open();
    store.append(run(1), Seq(0), NOW, &[ready("a"), completed()]).unwrap();
    let first = store.newest_position().unwrap();
    store.append(run(2), Seq(0), NOW, &[ready("b")]).unwrap();
    store.append(run(3), Seq(0), NOW, &[ready("c"), completed()]).unwrap();
    let last = store.newest_position().unwrap();
    store.append(run(2), Seq(1), NOW, &[completed()]).unwrap();
    let told = |between, kinds| {
        let told = store.told_between(between, kinds).unwrap();
        told.into_iter().map(|it| format!("{} {}", it.stream, it.seq)).collect::<Vec<_>>()
    };
    assert_eq!(told((first, last), &["JobReady"][..]), ["run/2/1 1", "run/3/1 1"]);
    assert_eq!(told((0, u64::MAX), &["RunCompleted"][..]), ["run/1/1 2", "run/3/1 2", "run/2/1 2"]);
    assert_eq!(store.begun_between(first, last).unwrap(), ["run/2/1", "run/3/1"]);
    assert_eq!(store.begun_between(last, u64::MAX).unwrap(), Vec::<String>::new());
    let begin = |number| store.first::<RunEvent>(run(number)).unwrap().map(|it| it.event);
    assert_eq!((begin(2), begin(4)), (Some(ready("b")), None));
    store.forget(run(3)).unwrap();
    assert_eq!(store.begun_between(first, last).unwrap(), ["run/2/1"]);
    assert!(store.first::<RunEvent>(run(3)).is_err());
}

fn deployments_are_counted(home: &Home) {
    let store = home.open();
    for environment in ["staging", "production", "staging"] {
        store.allocate_deployment("planner", environment).unwrap();
    }
    store.allocate_deployment("other", "staging").unwrap();
    let ids = |ids: &[u64]| ids.iter().map(|id| DeploymentId(*id)).collect::<Vec<_>>();
    assert_eq!(store.deployments("planner", Some("staging"), 9).unwrap(), ids(&[3, 1]));
    assert_eq!(store.deployments("planner", None, 2).unwrap(), ids(&[3, 2]));
    assert_eq!(store.newest_deployments(2).unwrap(), ids(&[4, 3]));
    let wanted = |project, environment, before: Option<u64>| {
        let before = before.map(DeploymentId);
        let wanted =
            WantedDeployments { project, environment, before, ..WantedDeployments::default() };
        store.deployments_before(&WantedDeployments { limit: 2, ..wanted })
    };
    assert_eq!(wanted(None, None, None).unwrap(), ids(&[4, 3]));
    assert_eq!(wanted(None, None, Some(3)).unwrap(), ids(&[2, 1]));
    assert_eq!(wanted(Some("planner"), None, Some(3)).unwrap(), ids(&[2, 1]));
    assert_eq!(wanted(None, Some("staging"), Some(4)).unwrap(), ids(&[3, 1]));
    assert_eq!(wanted(Some("planner"), Some("staging"), Some(3)).unwrap(), ids(&[1]));
    assert_eq!(wanted(Some("other"), Some("production"), None).unwrap(), []);
    let place = |project: &str, environment: &str| (project.to_owned(), environment.to_owned());
    let places = [place("other", "staging"), place("planner", "production")];
    assert_eq!(store.deployment_places(None, None, 2).unwrap(), places);
    assert_eq!(store.deployment_places(Some("other"), None, 2).unwrap(), places[..1]);
    assert_eq!(store.deployment_places(None, Some("production"), 1).unwrap(), places[1..]);
    assert_eq!(store.deployment_places(Some("other"), Some("production"), 2).unwrap(), []);
    assert_eq!(store.newest_deployment().unwrap(), 4);
    assert_eq!(store.newest_release().unwrap(), 0);
    assert_eq!(store.releases(Some("planner"), Some("api"), 9).unwrap(), []);
}

fn environments_are_found_in_any_case(home: &Home) {
    let store = home.open();
    for environment in ["Production", "staging", "production", "Größe", "GRÖSSE"] {
        store.allocate_deployment("planner", environment).unwrap();
    }
    store.allocate_deployment("other", "production").unwrap();
    let check = |environment: &str, before: Option<u64>, expect: &[u64]| {
        let wanted = WantedDeployments {
            project: Some("planner"),
            environment: Some(environment),
            in_any_case: true,
            before: before.map(DeploymentId),
            limit: 9,
        };
        let ids = store.deployments_before(&wanted).unwrap();
        assert_eq!(ids.into_iter().map(|it| it.0).collect::<Vec<_>>(), expect, "{environment}");
    };
    check("PRODUCTION", None, &[3, 1]);
    check("production", Some(3), &[1]);
    check("Staging", None, &[2]);
    // Letters of ASCII alone, in either engine.
    check("größe", None, &[4]);
    check("GRÖße", None, &[]);
    // An index has them: what others shipped, and where, costs nothing.
    let plan = home.plan("SELECT id FROM deployment WHERE project = 'p' AND FOLDED = 'e' AND id < 9 ORDER BY id DESC");
    assert!(plan.contains("deployment_place_any_case"), "{plan}");
}

fn streams_before_one_are_found(home: &Home) {
    let store = home.open();
    for number in 1..=4 {
        store.append(run(number), Seq(0), NOW, &[completed()]).unwrap();
    }
    assert_eq!(store.streams_before(None, 2).unwrap(), [run(4), run(3)]);
    assert_eq!(store.streams_before(Some(run(3)), 9).unwrap(), [run(2), run(1)]);
    assert_eq!(store.streams_before(Some(run(9)), 9).unwrap(), []);
}

fn a_shared_journal_is_taken_in_once_and_in_order(home: &Home) {
    let store = home.open();
    let stream = StreamId::Deployment(DeploymentId(5));
    let event = RunEvent::encode(&ready("a"));
    let digest = chain(&Digest::ZERO, stream, Seq(1), NOW, &Digest::of(event.as_bytes()));
    let entry = |number: u64, fence: u64| TakenIn {
        number,
        previous: if number == 1 { Digest::ZERO } else { Digest::of(b"1") },
        digest: Digest::of(number.to_string().as_bytes()),
        version: format!("v{number}"),
        looked_at: Timestamp(10),
        place: Some(SharedPlace {
            project: "planner".into(),
            environment: "staging".into(),
            fence,
            owner: "mona".into(),
        }),
        stream: (number == 1).then(|| TakenStream {
            stream,
            filed: Some(("planner".into(), "staging".into())),
            after: Seq(0),
            at: NOW,
            chain: digest,
            ends: false,
            events: vec![event.clone()],
        }),
    };
    store.looked(Timestamp(5)).unwrap();
    store.take_in(entry(1, 7)).unwrap();
    store.take_in(entry(1, 7)).unwrap();
    store.take_in(entry(2, 6)).unwrap_err();
    store.take_in(entry(3, 8)).unwrap_err();
    store.looked(Timestamp(3)).unwrap();
    let cursor = store.cursor().unwrap();
    assert_eq!((cursor.number, &*cursor.version, cursor.looked_at), (1, "v1", Some(Timestamp(10))));
    store.take_in(entry(2, 8)).unwrap();
    let place = store.shared_place("planner", "staging").unwrap().unwrap();
    assert_eq!((place.fence, place.owner), (8, Arc::from("mona")));
    assert_eq!(store.head(stream).unwrap(), (Seq(1), digest));
    assert_eq!(store.deployments("planner", None, 9).unwrap(), [DeploymentId(5)]);
    assert_eq!(store.allocate_deployment("planner", "staging").unwrap(), DeploymentId(6));
}
