//! How fast it goes: from a push to its run, from a job that could begin to its first step, how busy workers were, and
//! what waits now.

use std::sync::Arc;

use event::{Attempt, Fact as _, RunEvent, Seq, StreamId, Timestamp};
use expect_test::{Expect, expect};
use figures::{Asked, Duration, Figures, Report, ReportPart};
use ports::Journal as _;
use serde_json::{Value as Json, json};
use store::Store;
use views::Window;

struct Journal {
    _folder: tempfile::TempDir,
    store: Arc<Store>,
    figures: Figures,
}

/// Times are in seconds.
impl Journal {
    fn new() -> Journal {
        let folder = tempfile::tempdir().expect("a journal of ours");
        let store = Arc::new(Store::open(folder.path()).expect("a journal of ours"));
        let figures = Figures::open(folder.path()).expect("a journal of ours");
        Journal { _folder: folder, store, figures }
    }

    /// A run that a push made, with a job that could begin then; it goes on from there where `leased` is none.
    fn run(&self, (pushed, made, ready): (Option<u64>, u64, u64), leased: Option<(u64, u64, u64)>) {
        let (id, number) =
            self.store.allocate_run("octo/app", "ci.yml").expect("a journal of ours");
        let payload = match pushed {
            Some(at) => json!({ "repository": { "pushed_at": at } }),
            None => json!({}),
        };
        let mut events = vec![
            json!({ "type": "RunCreated", "run": id, "attempt": 1, "run_number": number,
                "carried": [], "repository": "octo/app", "repository_path": "/app",
                "workflow": { "path": "ci.yml", "text": "" }, "called": {}, "title": "a change",
                "event": { "name": "push", "git_ref": "refs/heads/main", "payload": payload },
                "change": { "commit": "c0", "authored_at": 1, "committed_at": 1, "uncommitted": 0 },
                "inputs": {}, "vars": {}, "secret_names": [], "actor": "mona", "triggering_actor": "mona",
                "at": made * 1000 }),
            json!({ "type": "JobReady", "job": "test", "at": ready * 1000 }),
        ];
        if let Some((leased, stepped, over)) = leased {
            events.extend([
                json!({ "type": "JobLeased", "job": "test", "fence": 1, "tracking_id": format!("t{id}"), "at": leased * 1000 }),
                json!({ "type": "StepStarted", "job": "test", "step": "0", "name": "a step", "at": stepped * 1000 }),
                json!({ "type": "StepStarted", "job": "test", "step": "1", "name": "another", "at": over * 1000 }),
                json!({ "type": "JobCompleted", "job": "test", "fence": 1, "conclusion": "success",
                    "exit": "none", "outputs": {}, "log": null, "environment_url": null, "at": over * 1000 }),
                json!({ "type": "RunCompleted", "conclusion": "success", "at": over * 1000 }),
            ]);
        }
        let decode =
            |it: &Json| RunEvent::decode(it.to_string().as_bytes()).expect("a journal of ours");
        let events: Vec<RunEvent> = events.iter().map(decode).collect();
        let stream = StreamId::Run(id, Attempt(1));
        self.store.append(stream, Seq(0), Timestamp(1), &events).expect("a journal of ours");
    }

    fn report(&self, ends: (u64, u64)) -> Report {
        self.report_of(ends, false)
    }

    fn report_of(&self, (since, until): (u64, u64), is_past: bool) -> Report {
        self.figures.catch_up(&self.store, &mut |_| true).expect("a journal of ours");
        let window = Window { since: Timestamp(since * 1000), until: Timestamp(until * 1000) };
        let asked = Asked { is_past, ..Asked::everything(window) };
        let mut report =
            self.figures.report(&self.store, &asked, ReportPart::ALL).expect("a journal of ours");
        report.look_at_queue(&self.store, &asked).expect("a journal of ours");
        report
    }
}

fn told(report: &Report, expect: Expect) {
    let spread = |it: &Duration| format!("{:?} {:?} of {}", it.median_ms, it.p95_ms, it.count);
    let mut text = String::new();
    for it in &report.pipelines {
        text += &format!("from push to run: {}\n", spread(&it.trigger));
    }
    for it in &report.queues {
        text +=
            &format!("wait: {}\nuntil the first step: {}\n", spread(&it.wait), spread(&it.start));
    }
    let load = &report.load;
    text += &format!(
        "busy: {} of {}, {:?}, {} at most\n",
        load.busy_ms, load.span_ms, load.average, load.peak
    );
    if let Some(it) = &report.oldest_ready {
        text += &format!("waits: {} of run {}.{} for {}\n", it.job, it.run, it.attempt, it.age_ms);
    }
    expect.assert_eq(&text);
}

#[test]
fn times_are_of_the_journal_and_what_it_does_not_say_is_not_guessed() {
    let journal = Journal::new();
    for number in 0..5 {
        let at = 1_000 + number * 100;
        // The forge says when it was pushed but once.
        let pushed = (number != 0).then_some(at - 3);
        journal.run((pushed, at, at + 1), Some((at + 3, at + 4, at + 53)));
    }
    told(
        &journal.report((1_000, 1_500)),
        expect![[r#"
        from push to run: None None of 4
        wait: Some(2000) Some(2000) of 5
        until the first step: Some(3000) Some(3000) of 5
        busy: 250000 of 500000, Some(0.5), 1 at most
    "#]],
    );
    // A push that the forge's clock puts behind its run took no time; two jobs wait, and the older one is told.
    journal.run((Some(2_000), 1_500, 1_501), Some((1_502, 1_503, 1_600)));
    journal.run((None, 1_510, 1_550), None);
    journal.run((None, 1_510, 1_540), None);
    told(
        &journal.report((1_000, 1_700)),
        expect![[r#"
        from push to run: Some(3000) Some(3000) of 5
        wait: Some(2000) Some(2000) of 6
        until the first step: Some(3000) Some(3000) of 6
        busy: 348000 of 700000, Some(0.49714285714285716), 1 at most
        waits: test of run 8.1 for 160000
    "#]],
    );
    let tally = journal.figures.tally().expect("a journal of ours");
    assert_eq!((tally.starts.sum_ms, tally.triggers.sum_ms), (5 * 3_000 + 2_000, 4 * 3_000));
}

#[test]
fn what_is_so_now_is_no_part_of_a_time_that_is_past() {
    let journal = Journal::new();
    // One that ends inside, one that goes on over the end, one that comes behind it, and one that waits now.
    for (leased, over) in [(1_000, 1_100), (1_150, 1_300), (1_250, 1_350)] {
        journal.run((None, leased - 2, leased - 1), Some((leased, leased + 1, over)));
    }
    journal.run((None, 1_010, 1_011), None);
    let report = journal.report_of((1_000, 1_200), true);
    told(
        &report,
        expect![[r#"
            from push to run: None None of 0
            wait: None None of 1
            until the first step: None None of 1
            busy: 150000 of 200000, Some(0.75), 1 at most
        "#]],
    );
    assert!(report.is_past);
    let mut judged = report.clone();
    judged.judge(&|_| Ok(figures::Goals::default()));
    assert_eq!(judged.goal_notes, ["the goals are those of now, not of that time"]);
    // The same up to now.
    let now = journal.report((1_000, 1_200));
    assert_eq!(now.oldest_ready.map(|it| it.run), Some(event::RunId(4)));
}
