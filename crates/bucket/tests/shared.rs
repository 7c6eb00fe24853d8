//! The shared journal over HTTP, against the model cloud: the journal's contract, two machines at
//! once, places that expire in virtual time, and what goes wrong with a bucket.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use aws::{Client, Endpoints, Https, SignIn, Surroundings};
use bucket::{BucketError, Hold, Identity, Located, Objects, Shared, Taking};
use event::{
    Attempt, Conclusion, DeploymentEvent, Digest, GateKey, JobKey, RunEvent, RunId, Seq, StreamId,
    Timestamp,
};
use expect_test::{Expect, expect};
use model_cloud::{Clock, Cloud, Fault, FaultKind, Front};
use ports::{JOURNAL_CONTRACT, Journal, JournalError};
use store::Store;

const START: u64 = 1_700_000_000_000;
const MINUTE: Duration = Duration::from_secs(60);

struct Keys;

impl Surroundings for Keys {
    fn variable(&self, name: &str) -> Option<String> {
        match name {
            "AWS_ACCESS_KEY_ID" => Some("AKIA111122223333".to_owned()),
            "AWS_SECRET_ACCESS_KEY" => Some("s".to_owned()),
            _ => None,
        }
    }

    fn file(&self, _: &Path) -> Option<String> {
        None
    }
}

fn cloud() -> Front {
    let mut cloud = Cloud::new("111122223333", "eu-central-1", START);
    cloud.add_bucket("planner");
    Front::serve(cloud, Clock::Held, 0).expect("a free port")
}

/// A machine: a folder with a copy, and who it is.
struct Machine {
    folder: tempfile::TempDir,
    shared: Arc<Shared>,
}

fn machine(front: &Front, name: &str) -> Machine {
    let folder = tempfile::tempdir().expect("a folder");
    let shared = process(front, name, folder.path());
    Machine { folder, shared }
}

/// A process of a machine.
fn process(front: &Front, name: &str, folder: &Path) -> Arc<Shared> {
    let url = front.url();
    let objects = Objects::new(Located::of("s3://planner/journal"), "us-east-1", move |region| {
        Client::new(
            region,
            Endpoints::at(&url),
            SignIn::new(Arc::new(Keys)),
            Box::<Https>::default(),
            Box::new(|| START),
        )
    });
    let copy = Arc::new(Store::open(folder).expect("a store"));
    let who = Identity { owner: format!("{name}, process 1"), machine: name.to_owned() };
    Arc::new(Shared::new(objects, copy, who, folder.join("heeds"), || Timestamp(START)))
}

impl Machine {
    fn append(&self, stream: StreamId, expected: u64, job: &str) -> Result<Seq, String> {
        let event = RunEvent::JobReady { job: JobKey::new(job), at: Timestamp(START) };
        let appended = self.shared.append(stream, Seq(expected), Timestamp(START), &[event]);
        appended.map_err(|error| story(&error))
    }

    fn note(&self, deployment: event::DeploymentId, expected: u64) -> Result<Seq, String> {
        let event = DeploymentEvent::GateOpened {
            gate: GateKey::new("wait"),
            by: None,
            at: Timestamp(START),
        };
        let stream = StreamId::Deployment(deployment);
        let appended = self.shared.append(stream, Seq(expected), Timestamp(START), &[event]);
        appended.map_err(|error| story(&error))
    }

    fn read(&self, stream: StreamId) -> Vec<String> {
        self.shared.refresh().expect("the bucket answers");
        let events: Vec<event::Envelope> = self.shared.read(stream, Seq(0)).expect("readable");
        let job = |event: RunEvent| match event {
            RunEvent::JobReady { job, .. } => job.to_string(),
            other => panic!("{other:?}"),
        };
        events.into_iter().map(|it| job(it.event)).collect()
    }

    fn take(&self) -> Result<Hold, String> {
        let (project, environment) = ("planner".into(), "staging".into());
        match self.shared.take(&project, &environment, MINUTE) {
            Ok(Taking::Ours(hold)) => Ok(hold),
            Ok(Taking::By(it)) => Err(format!(
                "{} since {} until {}",
                it.owner,
                it.since.0 - START,
                it.until.0 - START
            )),
            Err(error) => Err(story(&error)),
        }
    }

    fn refused(&self) -> String {
        let error = self.shared.refresh().expect_err("it is refused");
        format!("{} | {}", story(&error), error.hint())
    }
}

fn story(error: &dyn std::error::Error) -> String {
    let mut story = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        story += &format!(": {error}");
        source = error.source();
    }
    let address = story.find("127.0.0.1:").map(|at| &story[at..]);
    let port = address.map(|it| it.split(' ').next().unwrap_or(it).to_owned());
    port.map_or(story.clone(), |port| story.replace(&port, "HOST"))
}

fn run(number: u64) -> StreamId {
    StreamId::Run(RunId(number), Attempt(1))
}

fn inject(front: &Front, action: &str, times: u32, kind: FaultKind) {
    front.with(|cloud| cloud.inject(Fault::first(action, times, kind)));
}

fn entry(number: u64) -> String {
    format!("journal/log/{number:020}.json")
}

#[test]
fn the_contract_is_kept() {
    for (_, case) in JOURNAL_CONTRACT {
        let front = cloud();
        case(&*machine(&front, "a").shared);
    }
}

#[test]
fn two_machines_know_of_each_other() {
    let front = cloud();
    let (a, b) = (machine(&front, "a"), machine(&front, "b"));
    assert_eq!(a.append(run(1), 0, "one"), Ok(Seq(1)));
    assert_eq!(b.append(run(2), 0, "two"), Ok(Seq(1)));
    // What the other appended was not read yet: it is, and the caller's state is stale.
    let stale = b.append(run(1), 0, "three");
    assert_eq!(stale, Err("stream run/1/1 is at 1, not at 0".to_owned()));
    assert_eq!(b.append(run(1), 1, "three"), Ok(Seq(2)));
    for machine in [&a, &b] {
        assert_eq!(machine.read(run(1)), ["one", "three"]);
        assert_eq!(machine.read(run(2)), ["two"]);
    }
    // A machine that is new reads all of it, and the chain is the same everywhere.
    let c = machine(&front, "c");
    c.shared.refresh().expect("the bucket answers");
    let chain = |it: &Machine| it.shared.copy().head(run(1)).expect("a head");
    assert_eq!(chain(&c), chain(&a));
    assert_eq!(c.shared.copy().verify().expect("unbroken").events, 3);
}

#[test]
fn of_two_machines_exactly_one_wins() {
    let front = cloud();
    let machines = [machine(&front, "a"), machine(&front, "b"), machine(&front, "c")];
    for round in 0..10 {
        let won = std::thread::scope(|scope| {
            let all: Vec<_> = machines
                .iter()
                .map(|it| scope.spawn(move || it.append(run(1), round, "job").is_ok()))
                .collect();
            all.into_iter()
                .filter(|_| true)
                .map(|it| it.join().expect("it ends"))
                .collect::<Vec<_>>()
        });
        assert_eq!(won.iter().filter(|it| **it).count(), 1, "round {round}");
        machines.iter().for_each(|it| it.shared.refresh().expect("the bucket answers"));
    }
}

#[test]
fn numbers_are_nobody_elses() {
    let front = cloud();
    let machines = [machine(&front, "a"), machine(&front, "b")];
    let (project, environment): (Arc<str>, Arc<str>) = ("planner".into(), "staging".into());
    let mut numbers: Vec<u64> = std::thread::scope(|scope| {
        let each = machines.iter().map(|it| {
            let (project, environment) = (Arc::clone(&project), Arc::clone(&environment));
            scope.spawn(move || {
                let next = || it.shared.allocate_deployment(&project, &environment);
                (0..5).map(|_| next().expect("a number").0).collect::<Vec<_>>()
            })
        });
        let each: Vec<_> = each.collect();
        each.into_iter().flat_map(|it| it.join().expect("it ends")).collect()
    });
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=10).collect::<Vec<_>>());
    machines[0].shared.refresh().expect("the bucket answers");
    let listed = machines[0].shared.copy().deployments("planner", Some("staging"), 100);
    assert_eq!(listed.expect("a list").len(), 10);
}

/// What looking costs: one list where nothing is new, and one object for each new append.
#[test]
fn reading_costs_what_is_new() {
    let front = cloud();
    let (a, b) = (machine(&front, "a"), machine(&front, "b"));
    for number in 0..30 {
        a.append(run(1), number, "job").expect("appended");
    }
    let calls = |front: &Front| front.with(|cloud| cloud.calls().len());
    let costs = |machine: &Machine| {
        let before = calls(&front);
        machine.shared.refresh().expect("the bucket answers");
        calls(&front) - before
    };
    assert_eq!((costs(&b), costs(&b)), (31, 1));
    a.append(run(1), 30, "job").expect("appended");
    assert_eq!((costs(&b), costs(&a)), (2, 1));
    // An append costs one call where nobody else was there.
    let before = calls(&front);
    a.append(run(1), 31, "job").expect("appended");
    assert_eq!(calls(&front) - before, 1);
}

#[test]
fn a_lost_answer_is_found_out() {
    for kind in [FaultKind::LostAfter, FaultKind::ErrorAfter, FaultKind::LostBefore] {
        let front = cloud();
        let a = machine(&front, "a");
        a.append(run(1), 0, "one").expect("appended");
        inject(&front, "s3:PutObject", 1, kind.clone());
        assert_eq!(a.append(run(1), 1, "two"), Ok(Seq(2)), "{kind:?}");
        assert_eq!(a.read(run(1)), ["one", "two"]);
        let entries = front.with(|cloud| cloud.object_names("planner").len());
        assert_eq!(entries, 3, "two entries, and what says what this is");
    }
    // Another was at it in the same moment.
    let front = cloud();
    let a = machine(&front, "a");
    a.append(run(1), 0, "one").expect("appended");
    let conflict = "ConditionalRequestConflict".to_owned();
    inject(&front, "s3:PutObject", 2, FaultKind::Refused(conflict, String::new()));
    assert_eq!(a.append(run(1), 1, "two"), Ok(Seq(2)));
}

/// The answer never comes, however often: nobody is told that it was done, and it is there.
#[test]
fn what_is_not_known_is_no_success() {
    let front = cloud();
    let a = machine(&front, "a");
    a.append(run(1), 0, "one").expect("appended");
    inject(&front, "s3:PutObject", 1, FaultKind::LostAfter);
    inject(&front, "s3:PutObject", 3, FaultKind::LostBefore);
    let said = a.append(run(1), 1, "two").expect_err("nobody knows");
    expect!["the shared journal did not take it: the journal in s3://planner/journal cannot be reached: s3:PutObject: HOST did not answer: io: Peer disconnected"].assert_eq(&said);
    // Whoever goes on reads first, and finds it.
    let stale = a.append(run(1), 1, "two");
    assert_eq!(stale, Err("stream run/1/1 is at 2, not at 1".to_owned()));
    assert_eq!(a.read(run(1)), ["one", "two"]);
}

fn check_damage(damage: impl FnOnce(&mut Cloud), expect: &Expect) {
    let front = cloud();
    let (a, b) = (machine(&front, "a"), machine(&front, "b"));
    for number in 0..3 {
        a.append(run(1), number, "job").expect("appended");
    }
    front.with(damage);
    expect.assert_eq(&format!("a: {}\nb: {}\n", state(&a), state(&b)));
}

fn state(machine: &Machine) -> String {
    match machine.shared.refresh() {
        Ok(()) => "as it was".to_owned(),
        Err(_) => machine.refused(),
    }
}

#[test]
fn what_does_not_fit_is_said_and_nothing_of_it_is_taken() {
    check_damage(
        |cloud| cloud.lose_object("planner", &entry(2)),
        &expect![[r#"
        a: as it was
        b: the journal in s3://planner/journal is damaged: entry 2 is gone | docs/shared-journal.md says what can be done about it
    "#]],
    );
    check_damage(
        |cloud| cloud.lose_object("planner", &entry(3)),
        &expect![[r#"
        a: the journal in s3://planner/journal is damaged: entry 3 is gone, which was read before | docs/shared-journal.md says what can be done about it
        b: as it was
    "#]],
    );
    check_damage(
        |cloud| cloud.lose_object("planner", &entry(1)),
        &expect![[r#"
        a: as it was
        b: the journal in s3://planner/journal is damaged: entry 1 is gone | docs/shared-journal.md says what can be done about it
    "#]],
    );
    check_damage(
        |cloud| cloud.set_object("planner", &entry(3), b"{}"),
        &expect![[r#"
        a: the journal in s3://planner/journal is damaged: entry 3 is another than was read before | docs/shared-journal.md says what can be done about it
        b: the journal in s3://planner/journal is damaged: entry 3: it is no entry of a journal | docs/shared-journal.md says what can be done about it
    "#]],
    );
    check_damage(
        |cloud| cloud.set_object("planner", &entry(4), b"no json"),
        &expect![[r#"
        a: the journal in s3://planner/journal is damaged: entry 4: it is no entry of a journal | docs/shared-journal.md says what can be done about it
        b: the journal in s3://planner/journal is damaged: entry 4: it is no entry of a journal | docs/shared-journal.md says what can be done about it
    "#]],
    );
    check_damage(
        |cloud| cloud.set_object("planner", &entry(4), b"{\"format\": 2, \"more\": true}"),
        &expect![[r#"
            a: the journal in s3://planner/journal was written by a newer version: entry 4: it has the form 2, and this one knows 1 | this needs a newer version of launchway
            b: the journal in s3://planner/journal was written by a newer version: entry 4: it has the form 2, and this one knows 1 | this needs a newer version of launchway
        "#]],
    );
    check_damage(
        |cloud| {
            let third = cloud.object_bytes("planner", &entry(3)).expect("it is there");
            cloud.set_object("planner", &entry(4), &third);
        },
        &expect![[r#"
            a: the journal in s3://planner/journal is damaged: entry 4 says that it is entry 3 | docs/shared-journal.md says what can be done about it
            b: the journal in s3://planner/journal is damaged: entry 4 says that it is entry 3 | docs/shared-journal.md says what can be done about it
        "#]],
    );
    check_damage(
        |cloud| {
            let third = cloud.object_bytes("planner", &entry(3)).expect("it is there");
            let text = String::from_utf8(third).expect("text");
            let text = text.replace("\"number\": 3", "\"number\": 4");
            cloud.set_object("planner", &entry(4), text.as_bytes());
        },
        &expect![[r#"
            a: the journal in s3://planner/journal is damaged: entry 4: it does not name the entry before it | docs/shared-journal.md says what can be done about it
            b: the journal in s3://planner/journal is damaged: entry 4: it does not name the entry before it | docs/shared-journal.md says what can be done about it
        "#]],
    );
    // An event that was changed: the chain's digest does not fit.
    check_damage(
        |cloud| {
            let third = cloud.object_bytes("planner", &entry(3)).expect("it is there");
            let text = String::from_utf8(third).expect("text").replace("job\\\"", "jab\\\"");
            cloud.set_object("planner", &entry(3), text.as_bytes());
        },
        &expect![[r#"
            a: the journal in s3://planner/journal is damaged: entry 3 is another than was read before | docs/shared-journal.md says what can be done about it
            b: the journal in s3://planner/journal is damaged: entry 3: its events are not those that its chain is of | docs/shared-journal.md says what can be done about it
        "#]],
    );
    // What is none of ours is left alone.
    check_damage(
        |cloud| cloud.set_object("planner", "journal/log/README", b"hello"),
        &expect![[r#"
            a: as it was
            b: as it was
        "#]],
    );
}

#[test]
fn a_server_without_conditions_is_refused_by_name() {
    let front = cloud();
    front.with(|cloud| cloud.ignore_conditions("planner"));
    let a = machine(&front, "a");
    expect!["the shared journal did not take it: the server of s3://planner/journal writes over objects that it is told to leave (`If-None-Match: *`): it cannot keep a journal"].assert_eq(&a.append(run(1), 0, "one").expect_err("it is refused"));
    expect!["the server of s3://planner/journal writes over objects that it is told to leave (`If-None-Match: *`): it cannot keep a journal"].assert_eq(&a.take().err().expect("it is refused"));
    let names = front.with(|cloud| cloud.object_names("planner"));
    assert_eq!(names, ["journal/journal.json"]);
}

#[test]
fn a_bucket_that_does_not_answer_is_told_from_one_that_says_no() {
    let front = cloud();
    let a = machine(&front, "a");
    inject(&front, "s3:ListBucket", 4, FaultKind::Throttled);
    expect!["the journal in s3://planner/journal cannot be reached: s3:ListBucket: SlowDown: Please reduce your request rate. | nothing was lost: what was written is there when it answers again"].assert_eq(&a.refused());
    inject(&front, "s3:ListBucket", 1, FaultKind::Denied);
    expect!["the journal in s3://planner/journal cannot be used: s3:ListBucket: AccessDenied: Access Denied | launchway environments iam ENVIRONMENT shows what has to be allowed"].assert_eq(&a.refused());
    // Three that fail are got over.
    inject(&front, "s3:ListBucket", 3, FaultKind::Throttled);
    a.shared.refresh().expect("the fourth call is answered");
    assert_eq!(a.shared.as_of(), Some(Timestamp(START)));
    // What was read before is shown, and no more is appended.
    a.append(run(1), 0, "one").expect("appended");
    inject(&front, "*", 100, FaultKind::LostBefore);
    assert!(a.append(run(1), 1, "two").is_err());
    let error = a.shared.refresh().expect_err("no answer");
    assert!(error.is_out_of_reach());
    let events: Vec<event::Envelope> = a.shared.read(run(1), Seq(0)).expect("the copy");
    assert_eq!(events.len(), 1);
}

#[test]
fn a_place_is_one_machines_until_it_lets_go_or_expires() {
    let front = cloud();
    let (a, b) = (machine(&front, "a"), machine(&front, "b"));
    let hold = a.take().expect("it is free");
    assert_eq!(hold.fence(), 1);
    let said = b.take().err().expect("it is taken");
    assert_eq!(said, "a, process 1 since 0 until 61000");
    let holder = b.shared.holder("planner", "staging").expect("it says").expect("somebody");
    assert!(!holder.is_here);
    // Another environment is another place.
    let other = b.shared.take(&"planner".into(), &"production".into(), MINUTE);
    assert!(matches!(other, Ok(Taking::Ours(_))));
    drop(other);
    // Renewed, it is good for longer.
    front.with(|cloud| cloud.advance(START + 40_000));
    hold.renew();
    front.with(|cloud| cloud.advance(START + 90_000));
    assert_eq!(b.take().err().as_deref(), Some("a, process 1 since 0 until 101000"));
    drop(hold);
    assert_eq!(b.shared.holder("planner", "staging").expect("it says"), None);
    let hold = b.take().expect("it was let go");
    assert_eq!(hold.fence(), 2);
}

#[test]
fn who_was_too_slow_appends_nothing_any_more() {
    let front = cloud();
    let (a, b) = (machine(&front, "a"), machine(&front, "b"));
    let hold = a.take().expect("it is free");
    let id = a.shared.allocate_deployment(&"planner".into(), &"staging".into()).expect("a number");
    assert_eq!(a.note(id, 0), Ok(Seq(1)));
    front.with(|cloud| cloud.advance(START + 61_000));
    let other = b.take().expect("it has expired");
    assert_eq!(other.fence(), 2);
    // Its own clock says that it still has it: the log says otherwise.
    assert_eq!(a.shared.must_hold(), Ok(()));
    let said = a.note(id, 1).expect_err("it is stale");
    expect![
        "the shared journal did not take it: b, process 1 has taken over the deployments to staging"
    ]
    .assert_eq(&said);
    hold.renew();
    assert!(a.shared.must_hold().is_err_and(|it| it.starts_with("b, process 1 has taken over")));
    // The other goes on where it was left; letting go of what is lost disturbs nobody.
    drop(hold);
    assert_eq!(b.note(id, 1), Ok(Seq(2)));
    assert!(a.take().is_err_and(|it| it.starts_with("b, process 1 since 61000")));
}

#[test]
fn of_two_that_take_at_once_one_has_it() {
    for _ in 0..5 {
        let front = cloud();
        let machines = [machine(&front, "a"), machine(&front, "b"), machine(&front, "c")];
        let taken: Vec<_> = std::thread::scope(|scope| {
            let all: Vec<_> = machines.iter().map(|it| scope.spawn(|| it.take())).collect();
            all.into_iter().map(|it| it.join().expect("it ends")).collect()
        });
        assert_eq!(taken.iter().filter(|it| it.is_ok()).count(), 1);
    }
}

/// The process is dead and its machine lives: whoever has that machine's own lock need not wait.
#[test]
fn the_same_machine_does_not_wait_for_its_dead() {
    let front = cloud();
    let a = machine(&front, "a");
    std::mem::forget(a.take().expect("it is free"));
    let again = Machine {
        shared: process(&front, "a", a.folder.path()),
        folder: tempfile::tempdir().expect("a folder"),
    };
    assert_eq!(again.take().expect("its own is dead").fence(), 2);
}

/// Objects that somebody removed by hand: the fence does not begin anew.
#[test]
fn a_fence_only_grows() {
    let front = cloud();
    let a = machine(&front, "a");
    drop(a.take().expect("it is free"));
    drop(a.take().expect("it is free"));
    let names = front.with(|cloud| cloud.object_names("planner"));
    let places: Vec<_> = names.into_iter().filter(|it| it.contains("places")).collect();
    assert_eq!(places, ["journal/places/planner/staging/00000000000000000002.json"]);
    front.with(|cloud| cloud.lose_object("planner", &places[0]));
    assert_eq!(a.take().expect("it is free").fence(), 3);
}

/// Its answer was lost, and the place is ours all the same.
#[test]
fn a_place_whose_answer_was_lost_is_known() {
    let front = cloud();
    let (a, b) = (machine(&front, "a"), machine(&front, "b"));
    a.append(run(1), 0, "one").expect("the bucket was asked whether it heeds conditions");
    inject(&front, "s3:PutObject", 1, FaultKind::LostAfter);
    let hold = a.take().expect("it is free");
    assert_eq!(hold.fence(), 1);
    assert!(b.take().is_err());
}

#[test]
fn what_is_handed_in_arrives() {
    let front = cloud();
    let (a, b) = (machine(&front, "a"), machine(&front, "b"));
    let id = event::DeploymentId(12);
    let digest = Digest::of(b"approved");
    b.shared.hand_in(id, &digest, "approved").expect("it is taken");
    b.shared.hand_in(id, &digest, "approved").expect("once is enough");
    front.with(|cloud| cloud.set_object("planner", "journal/inbox/12/README", b"none of ours"));
    let handed = a.shared.handed_in(id, &|_| false).expect("it says");
    assert_eq!(handed.iter().map(|it| &*it.text).collect::<Vec<_>>(), ["approved"]);
    assert_eq!(a.shared.handed_in(id, &|it| *it == digest).expect("it says"), []);
    a.shared.clear(id, &digest).expect("it is taken away");
    assert_eq!(a.shared.handed_in(id, &|_| false).expect("it says"), []);
}

/// Killed between the bucket and the copy: the next process reads what it wrote.
#[test]
fn a_copy_can_be_thrown_away() {
    let front = cloud();
    let a = machine(&front, "a");
    a.append(run(1), 0, "one").expect("appended");
    let completed =
        RunEvent::RunCompleted { conclusion: Conclusion::Success, at: Timestamp(START) };
    a.shared.append(run(1), Seq(1), Timestamp(START), &[completed]).expect("appended");
    let open = |shared: &Shared| Journal::<RunEvent>::open_streams(shared).expect("a list");
    assert_eq!(open(&a.shared), []);
    let new = machine(&front, "a");
    new.shared.refresh().expect("the bucket answers");
    assert_eq!(open(&new.shared), []);
    let error: JournalError = new
        .shared
        .append(run(1), Seq(0), Timestamp(START), &[] as &[RunEvent])
        .expect_err("it is stale");
    assert!(matches!(error, JournalError::Conflict { found: Seq(2), .. }), "{error}");
}

#[test]
fn what_may_be_shown_while_the_bucket_is_away() {
    let fault = || aws_fault();
    let away = BucketError::Unreachable { place: "s3://a/b".to_owned(), source: fault() };
    let damaged = BucketError::Damaged { place: "s3://a/b".to_owned(), what: String::new() };
    assert_eq!((away.is_out_of_reach(), damaged.is_out_of_reach()), (true, false));
}

fn aws_fault() -> Box<aws::Fault> {
    Box::new(aws::Fault {
        kind: aws::FaultKind::Unanswered,
        action: "s3:GetObject".to_owned(),
        code: None,
        message: "nobody".to_owned(),
        request_id: None,
        resources: Box::default(),
    })
}
