//! Events in, a plain text out. The events are JSON as the journal keeps it; `at` is seconds after
//! the run was made, as a number that is easily read.

use std::fmt::Write as _;

use event::{
    Attempt, Conclusion, Digest, Envelope, Fact, JobKey, RunEvent, RunId, Seq, Status, StreamId,
    Timestamp,
};
use expect_test::{Expect, expect};
use views::{AttemptFacts, JobView, RunFilter, RunRow, RunState, RunView, StepView};

const CREATED: &str = r#"{"type":"RunCreated","run":12,"attempt":1,"run_number":7,"carried":[],
    "repository":"octo/planner","repository_path":"/src/planner",
    "workflow":{"path":".github/workflows/ci.yml","text":"on: push"},"called":{},
    "title":"Tidy the shelves","event":{"name":"push","git_ref":"refs/heads/main","payload":{}},
    "change":{"commit":"0123456789abcdef0123456789abcdef01234567","authored_at":1,
    "committed_at":2,"uncommitted":3},"inputs":{},"vars":{},"secret_names":[],"actor":"octocat",
    "triggering_actor":"octocat","at":0}"#;

/// The two jobs that most tables begin with.
const DECLARED: &str = r#"{"type":"JobsDeclared","parent":null,"file":null,"jobs":[
    {"key":"lint","id":"lint","needs":[]},{"key":"test","id":"test","needs":["lint"]}]}"#;

const STARTED: &str = r#"{"type":"RunStarted","at":10}"#;

fn planned(key: &str, rest: &str) -> String {
    format!(
        r#"{{"type":"JobPlanned","key":"{key}","id":"{key}","name":"{key}","parent":null,
        "file":null,"needs":[],"matrix":null,"index":0,"total":1,"fail_fast":true,
        "max_parallel":null,"queued_at":10{rest}}}"#
    )
}

fn decode(line: &str) -> RunEvent {
    RunEvent::decode(line.as_bytes()).unwrap_or_else(|error| panic!("{line}: {error:?}"))
}

/// One event a line; a line that does not end with `}` goes on in the next.
fn events(table: &str) -> Vec<RunEvent> {
    let mut events = vec![decode(CREATED)];
    let mut whole = String::new();
    for line in table.lines().map(str::trim).filter(|line| !line.is_empty()) {
        whole.push_str(line);
        if is_whole(&whole) {
            events.push(decode(&std::mem::take(&mut whole)));
        }
    }
    assert_eq!(whole, "", "a line that does not end");
    events
}

/// Whether the braces are balanced; the tables have none inside of texts.
fn is_whole(text: &str) -> bool {
    text.matches('{').count() == text.matches('}').count()
}

/// The newest time in these tables, for what goes on.
const NOW: Timestamp = Timestamp(100);

fn show_step(step: &StepView) -> String {
    let state = step.conclusion.map_or(step.status.as_str(), Conclusion::as_str);
    let interrupted = if step.interrupted { ", interrupted" } else { "" };
    let lines = step.log.map(|log| format!(", {} lines", log.lines)).unwrap_or_default();
    let outcome = step.outcome.filter(|it| step.conclusion != Some(*it));
    let outcome = outcome.map(|it| format!(" (outcome {it})")).unwrap_or_default();
    format!("{}: {state}{outcome}{lines}{interrupted}", step.name)
}

fn show_job(view: &RunView, depth: usize, job: &JobView, text: &mut String) {
    let indent = "  ".repeat(depth + 1);
    write!(text, "{indent}{}: {}", job.name, job.state()).expect("a String takes everything");
    if let Some(took) = job.duration_ms(NOW) {
        write!(text, ", took {took}").expect("a String takes everything");
    }
    let mut line = |what: String| {
        write!(text, "\n{indent}  {what}").expect("a String takes everything");
    };
    view.why_waiting(&job.key).into_iter().for_each(&mut line);
    job.steps.iter().map(show_step).for_each(&mut line);
    let queue = job.queue_ms(NOW).filter(|_| !job.losses.is_empty() && !job.lost);
    queue.into_iter().for_each(|it| line(format!("queue took {it}")));
    for loss in &job.losses {
        line(format!("lost under lease {} at {}: {}", loss.fence, loss.at, loss.reason));
    }
    for it in &job.annotations {
        line(format!("{}: {}", it.annotation.level, it.annotation.message));
    }
    job.cancel.iter().for_each(|reason| line(format!("cancel: {reason:?}")));
    job.skipped.iter().for_each(|reason| line(format!("skipped: {reason:?}")));
    job.outputs.iter().for_each(|(name, value)| line(format!("output {name}={value}")));
    text.push('\n');
}

fn show(view: &RunView) -> String {
    let counts = view.counts;
    let mut text = format!(
        "run: {}, took {:?}; {} queued, {} in progress, {} waiting, {} completed\n",
        view.state(),
        view.duration_ms(NOW),
        counts.queued,
        counts.in_progress,
        counts.waiting,
        counts.completed
    );
    for (depth, job) in view.in_order() {
        show_job(view, depth, job, &mut text);
    }
    for (name, artifact) in &view.artifacts {
        text.push_str(&format!("artifact {name} of {}: {}\n", artifact.job, artifact.size_bytes));
    }
    for note in &view.notes {
        text.push_str(&format!("note: {}\n", note.note));
    }
    text
}

fn check(table: &str, expected: &Expect) {
    let events = events(table);
    let view = RunView::of(&events).expect("it begins with RunCreated");
    // The counts are kept up event by event; they must be what counting gives.
    let counted = |status| {
        let plain = view.jobs.iter().filter(|job| job.children.is_empty());
        plain.filter(|job| job.status == status).count() as u64
    };
    assert_eq!(view.counts.queued, counted(Status::Queued));
    assert_eq!(view.counts.in_progress, counted(Status::InProgress));
    assert_eq!(view.counts.waiting, counted(Status::Waiting));
    assert_eq!(view.counts.completed, counted(Status::Completed));
    assert_eq!(view.in_order().len(), view.jobs.len());
    expected.assert_eq(&show(&view));
}

#[test]
fn a_run_from_its_beginning_to_its_end() {
    check(
        "",
        &expect![[r#"
        run: queued, took None; 0 queued, 0 in progress, 0 waiting, 0 completed
    "#]],
    );
    let begin = format!("{DECLARED}\n{STARTED}");
    check(
        &begin,
        &expect![[r#"
        run: queued, took Some(90); 0 queued, 0 in progress, 2 waiting, 0 completed
          lint: waiting
            has all it needs and is about to be decided
          test: waiting
            waits for lint
    "#]],
    );
    let begin = begin + "\n" + &planned("lint", "") + r#"{"type":"JobReady","job":"lint","at":11}"#;
    let begin = begin.replace("}{", "}\n{");
    check(
        &begin,
        &expect![[r#"
        run: queued, took Some(90); 1 queued, 0 in progress, 1 waiting, 0 completed
          lint: queued
            is ready and waits for a worker
          test: waiting
            waits for lint
    "#]],
    );
    let begin = begin
        + r#"
        {"type":"JobLeased","job":"lint","fence":1,"tracking_id":"t1","at":12}
        {"type":"JobStarted","job":"lint","fence":1,"pid":42,"runner":"laptop","at":13}
        {"type":"StepStarted","job":"lint","step":"one","name":"Run ruff","at":14}
        "#;
    check(
        &begin,
        &expect![[r#"
        run: in_progress, took Some(90); 0 queued, 1 in progress, 1 waiting, 0 completed
          lint: in_progress, took 87
            Run ruff: in_progress
          test: waiting
            waits for lint
    "#]],
    );
    let begin = begin
        + r#"
        {"type":"StepCompleted","job":"lint","step":"one","outcome":"failure","conclusion":"success","log":{"start_bytes":0,"end_bytes":9,"lines":2},"at":15}
        {"type":"AnnotationAdded","job":"lint","step":"one","annotation":{"level":"warning","message":"long line","title":null,"file":null,"line":null,"end_line":null,"column":null,"end_column":null}}
        {"type":"ArtifactUploaded","job":"lint","name":"report","blob":"b1","size_bytes":10,"expires_at":900}
        {"type":"ArtifactUploaded","job":"lint","name":"report","blob":"b2","size_bytes":20,"expires_at":900}
        {"type":"NotEnforced","job":null,"note":"no such thing here"}
        {"type":"JobCompleted","job":"lint","fence":1,"conclusion":"success","exit":"none","outputs":{"version":"1.2"},"log":"b3","environment_url":null,"at":20}
        "#;
    check(
        &begin,
        &expect![[r#"
        run: in_progress, took Some(90); 0 queued, 0 in progress, 1 waiting, 1 completed
          lint: success, took 7
            Run ruff: success (outcome failure), 2 lines
            warning: long line
            output version=1.2
          test: waiting
            has all it needs and is about to be decided
        artifact report of lint: 20
        note: no such thing here
    "#]],
    );
    let end = begin
        + r#"
        {"type":"JobSkipped","job":"test","reason":{"kind":"condition","expression":"false"},"at":21}
        {"type":"RunCompleted","conclusion":"success","at":30}
        "#;
    check(
        &end,
        &expect![[r#"
        run: success, took Some(20); 0 queued, 0 in progress, 0 waiting, 2 completed
          lint: success, took 7
            Run ruff: success (outcome failure), 2 lines
            warning: long line
            output version=1.2
          test: skipped
            skipped: Condition { expression: "false" }
        artifact report of lint: 20
        note: no such thing here
    "#]],
    );
}

/// Up to a step that runs.
fn running() -> String {
    format!(
        r#"{DECLARED}
        {STARTED}
        {{"type":"JobReady","job":"lint","at":11}}
        {{"type":"JobLeased","job":"lint","fence":1,"tracking_id":"t1","at":12}}
        {{"type":"JobStarted","job":"lint","fence":1,"pid":42,"runner":"laptop","at":13}}
        {{"type":"StepStarted","job":"lint","step":"one","name":"Run ruff","at":14}}
        "#
    )
}

#[test]
fn after_a_kill_a_job_is_in_progress_until_it_was_swept_and_then_lost() {
    check(
        &running(),
        &expect![[r#"
        run: in_progress, took Some(90); 0 queued, 1 in progress, 1 waiting, 0 completed
          lint: in_progress, took 87
            Run ruff: in_progress
          test: waiting
            waits for lint
    "#]],
    );
    let lost = running()
        + r#"
        {"type":"JobLost","job":"lint","fence":1,"reason":"its worker is gone","at":50}
        "#;
    check(
        &lost,
        &expect![[r#"
            run: waiting, took Some(90); 0 queued, 0 in progress, 2 waiting, 0 completed
              lint: lost, took 37
                was lost: its worker is gone; nothing was decided about it yet
                Run ruff: in_progress, interrupted
                lost under lease 1 at 50: its worker is gone
              test: waiting
                waits for lint
        "#]],
    );
    let person = lost.clone()
        + r#"
        {"type":"JobWaiting","job":"lint","reason":{"kind":"person","reason":"it names the environment staging"},"at":51}
        "#;
    check(
        &person,
        &expect![[r#"
            run: waiting, took Some(90); 0 queued, 0 in progress, 2 waiting, 0 completed
              lint: lost, took 37
                was lost (its worker is gone) and waits for a person: it names the environment staging
                Run ruff: in_progress, interrupted
                lost under lease 1 at 50: its worker is gone
              test: waiting
                waits for lint
        "#]],
    );
    let again = lost.clone()
        + r#"
        {"type":"JobRequeued","job":"lint","by":null,"at":52}
        "#;
    check(
        &again,
        &expect![[r#"
            run: in_progress, took Some(90); 1 queued, 0 in progress, 1 waiting, 0 completed
              lint: queued
                is ready and waits for a worker
                queue took 48
                lost under lease 1 at 50: its worker is gone
              test: waiting
                waits for lint
        "#]],
    );
    let again = again
        + r#"
        {"type":"JobLeased","job":"lint","fence":2,"tracking_id":"t2","at":60}
        {"type":"StepStarted","job":"lint","step":"one","name":"Run ruff","at":61}
        "#;
    check(
        &again,
        &expect![[r#"
            run: in_progress, took Some(90); 0 queued, 1 in progress, 1 waiting, 0 completed
              lint: in_progress, took 40
                Run ruff: in_progress
                queue took 8
                lost under lease 1 at 50: its worker is gone
              test: waiting
                waits for lint
        "#]],
    );
    let given_up = lost
        + r#"
        {"type":"JobCompleted","job":"lint","fence":1,"conclusion":"failure","exit":"lost_runner","outputs":{},"log":null,"environment_url":null,"at":55}
        "#;
    check(
        &given_up,
        &expect![[r#"
            run: in_progress, took Some(90); 0 queued, 0 in progress, 1 waiting, 1 completed
              lint: failure, took 42
                Run ruff: in_progress, interrupted
                queue took 1
                lost under lease 1 at 50: its worker is gone
              test: waiting
                has all it needs and is about to be decided
        "#]],
    );
}

#[test]
fn what_a_lost_job_ran_is_no_queue_in_the_figures() {
    let table = running()
        + r#"
        {"type":"JobLost","job":"lint","fence":1,"reason":"its worker is gone","at":50}
        {"type":"JobRequeued","job":"lint","by":null,"at":52}
        {"type":"JobLeased","job":"lint","fence":2,"tracking_id":"t2","at":60}
        {"type":"JobCompleted","job":"lint","fence":2,"conclusion":"success","exit":"none","outputs":{},"log":null,"environment_url":null,"at":70}
        {"type":"RunCompleted","conclusion":"success","at":71}
        "#;
    let told: Vec<Envelope> = (1..)
        .zip(events(&table))
        .map(|(seq, event)| Envelope {
            stream: StreamId::Run(RunId(12), Attempt(1)),
            seq: Seq(seq),
            at: Timestamp(0),
            digest: Digest([0; 32]),
            event,
        })
        .collect();
    let facts = AttemptFacts::of(&told).expect("it is over");
    let [job] = facts.jobs.as_slice() else { panic!("{facts:?}") };
    assert_eq!((job.ready_at, job.leased_at), (Timestamp(52), Timestamp(60)));
}

#[test]
fn legs_and_inner_jobs_stand_below_the_job_that_they_are_of() {
    let table = format!(
        r#"
        {{"type":"JobsDeclared","parent":null,"file":null,"jobs":[
            {{"key":"test","id":"test","needs":[]}},{{"key":"call","id":"call","needs":["test"]}},
            {{"key":"last","id":"last","needs":["call"]}}]}}
        {STARTED}
        {}
        {}
        {{"type":"JobExpanded","job":"test","children":["test (1)","test (2)"]}}
        {{"type":"JobReady","job":"test (1)","at":11}}
        {{"type":"JobWaiting","job":"test (2)","reason":{{"kind":"max_parallel"}},"at":11}}
        "#,
        planned("test (1)", "").replace(r#""max_parallel":null"#, r#""max_parallel":1"#),
        planned("test (2)", "").replace(r#""max_parallel":null"#, r#""max_parallel":1"#),
    );
    check(
        &table,
        &expect![[r#"
        run: queued, took Some(90); 1 queued, 0 in progress, 3 waiting, 0 completed
          test: in_progress
            test (1): queued
              is ready and waits for a worker
            test (2): waiting
              waits for another leg of its matrix: `max-parallel` is 1
          call: waiting
            waits for test
          last: waiting
            waits for call
    "#]],
    );
    let table = table
        + r#"
        {"type":"JobCompleted","job":"test (1)","fence":1,"conclusion":"failure","exit":"user_failure","outputs":{},"log":null,"environment_url":null,"at":20}
        {"type":"CancelRequested","job":"test (2)","reason":{"kind":"fail_fast","job":"test (1)"},"at":20}
        {"type":"JobCompleted","job":"test (2)","fence":null,"conclusion":"cancelled","exit":"cancelled","outputs":{},"log":null,"environment_url":null,"at":20}
        {"type":"MatrixCompleted","job":"test","conclusion":"failure","outputs":{},"at":21}
        {"type":"JobsDeclared","parent":"call","file":"b.yml","jobs":[{"key":"call/build","id":"build","needs":[]}]}
        {"type":"JobReady","job":"call/build","at":22}
        "#;
    check(
        &table,
        &expect![[r#"
        run: in_progress, took Some(90); 1 queued, 0 in progress, 1 waiting, 2 completed
          test: failure
            test (1): failure
            test (2): cancelled
              cancel: FailFast { job: JobKey("test (1)") }
          call: in_progress
            call/build: queued
              is ready and waits for a worker
          last: waiting
            waits for call
    "#]],
    );
    let table = table
        + r#"
        {"type":"JobCompleted","job":"call/build","fence":2,"conclusion":"success","exit":"none","outputs":{},"log":null,"environment_url":null,"at":30}
        {"type":"CallCompleted","job":"call","conclusion":"success","outputs":{"image":"x"},"at":31}
        "#;
    check(
        &table,
        &expect![[r#"
        run: in_progress, took Some(90); 0 queued, 0 in progress, 1 waiting, 3 completed
          test: failure
            test (1): failure
            test (2): cancelled
              cancel: FailFast { job: JobKey("test (1)") }
          call: success
            output image=x
            call/build: success
          last: waiting
            has all it needs and is about to be decided
    "#]],
    );
}

#[test]
fn what_never_began_says_why() {
    let over = |cancel: &str, conclusion: &str| {
        format!(
            r#"{DECLARED}{{"type":"RunWaiting","reason":{{"kind":"concurrency","group":"g","holder":"run 11"}},"at":5}}{cancel}{{"type":"RunCompleted","conclusion":"{conclusion}","at":20}}"#
        )
        .replace("}{", "}\n{")
    };
    let cancel = |reason: &str| {
        format!(r#"{{"type":"CancelRequested","job":null,"reason":{reason},"at":19}}"#)
    };
    let newer = cancel(r#"{"kind":"concurrency","group":"production"}"#);
    check(
        &over(&newer, "cancelled"),
        &expect![[r#"
        run: cancelled, took None; 0 queued, 0 in progress, 0 waiting, 2 completed
          lint: cancelled
            never started: its run made way for a newer one in the concurrency group `production`
          test: cancelled
            never started: its run made way for a newer one in the concurrency group `production`
    "#]],
    );
    let told = |cancel: &str, conclusion: &str| {
        let view = RunView::of(&events(&over(cancel, conclusion))).unwrap();
        let job = &view.jobs[0];
        format!("{}: {}", job.state(), view.why_waiting(&job.key).unwrap())
    };
    let person = cancel(r#"{"kind":"person","by":"mona"}"#);
    assert_eq!(told(&person, "cancelled"), "cancelled: never started: mona cancelled its run");
    let old = cancel(r#"{"kind":"run_limit","days":35}"#);
    assert_eq!(
        told(&old, "cancelled"),
        "cancelled: never started: its run was 35 days old, and none may get older"
    );
    assert_eq!(told("", "failure"), "skipped: never started: its run ended before it");
}

#[test]
fn what_stands_before_its_gate_says_that_its_rules_are_not_read() {
    let planned = planned("lint", r#","environment":"production""#);
    let view = RunView::of(&events(&format!("{DECLARED}\n{STARTED}\n{planned}"))).unwrap();
    assert_eq!(
        view.why_waiting(&JobKey::new("lint")).unwrap(),
        "waits until the rules of the environment `production` are read"
    );
}

#[test]
fn what_waits_says_why() {
    let group = r#"{"kind":"concurrency","group":"production","holder":"run 11"}"#;
    check(
        &format!(r#"{DECLARED}{{"type":"RunWaiting","reason":{group},"at":5}}"#)
            .replace("}{", "}\n{"),
        &expect![[r#"
            run: waiting, took None; 0 queued, 0 in progress, 2 waiting, 0 completed
              lint: waiting
                belongs to a run that waits for the concurrency group `production`, which run 11 has
              test: waiting
                belongs to a run that waits for the concurrency group `production`, which run 11 has
        "#]],
    );
    let table = format!(
        r#"{DECLARED}
        {STARTED}
        {{"type":"JobWaiting","job":"lint","reason":{group},"at":11}}
        "#
    );
    check(
        &table,
        &expect![[r#"
        run: waiting, took Some(90); 0 queued, 0 in progress, 2 waiting, 0 completed
          lint: waiting
            waits for the concurrency group `production`, which run 11 has
          test: waiting
            waits for lint
    "#]],
    );
    check(
        r#"{"type":"JobsDeclared","parent":null,"file":null,"jobs":[
            {"key":"a","id":"a","needs":[]},{"key":"b","id":"b","needs":[]},
            {"key":"c","id":"c","needs":[]},{"key":"d","id":"d","needs":[]},
            {"key":"two","id":"two","needs":["a","b"]},
            {"key":"three","id":"three","needs":["a","b","c"]},
            {"key":"four","id":"four","needs":["a","b","c","d"]},
            {"key":"five","id":"five","needs":["a","b","c","d","two"]}]}"#,
        &expect![[r#"
            run: queued, took None; 0 queued, 0 in progress, 8 waiting, 0 completed
              a: waiting
                has all it needs and is about to be decided
              b: waiting
                has all it needs and is about to be decided
              c: waiting
                has all it needs and is about to be decided
              d: waiting
                has all it needs and is about to be decided
              two: waiting
                waits for a and b
              three: waiting
                waits for a, b and c
              four: waiting
                waits for a, b, c and d
              five: waiting
                waits for a, b, c and 2 more
        "#]],
    );
}

#[test]
fn a_carried_job_has_its_end_and_no_time() {
    let table = format!(
        r#"{DECLARED}
        {STARTED}
        {{"type":"JobCarried","job":"lint","conclusion":"success","outputs":{{"a":"b"}},"from":1}}
        {{"type":"JobReady","job":"test","at":12}}
        "#
    );
    check(
        &table,
        &expect![[r#"
        run: in_progress, took Some(90); 1 queued, 0 in progress, 0 waiting, 1 completed
          lint: success
            output a=b
          test: queued
            is ready and waits for a worker
    "#]],
    );
}

#[test]
fn an_event_about_a_job_that_nobody_planned_shows() {
    check(
        r#"{"type":"JobReady","job":"stranger","at":11}"#,
        &expect![[r#"
        run: queued, took None; 1 queued, 0 in progress, 0 waiting, 0 completed
          stranger: queued
            is ready and waits for a worker
    "#]],
    );
}

#[test]
fn a_stream_that_does_not_begin_with_its_beginning_is_no_run() {
    assert_eq!(RunView::of(&[decode(STARTED)]), None);
    assert_eq!(RunView::of(&[]), None);
}

#[test]
fn a_row_is_short() {
    let table = running() + r#"{"type":"RunCompleted","conclusion":"failure","at":30}"#;
    let row = RunRow::from(&RunView::of(&events(&table)).unwrap());
    expect![[r#"
        RunRow {
            run: RunId(
                12,
            ),
            attempt: Attempt(
                1,
            ),
            run_number: 7,
            repository: "octo/planner",
            workflow: "ci.yml",
            title: "Tidy the shelves",
            event: "push",
            actor: "octocat",
            branch: "main",
            commit: "0123456",
            status: Completed,
            conclusion: Some(
                Failure,
            ),
            lost: false,
            created_at: Timestamp(
                0,
            ),
            started_at: Some(
                Timestamp(
                    10,
                ),
            ),
            duration_ms: Some(
                20,
            ),
        }
    "#]]
    .assert_debug_eq(&row);
}

#[test]
fn a_list_is_of_the_runs_that_somebody_wants() {
    let table = running() + r#"{"type":"RunCompleted","conclusion":"failure","at":30}"#;
    let row = RunRow::from(&RunView::of(&events(&table)).unwrap());
    let some = |text: &str| Some(text.to_owned());
    let all = RunFilter::default();
    assert!(all.fits(&row) && all.is_empty());
    let fits = |filter: RunFilter| filter.fits(&row) && !filter.is_empty();
    for workflow in ["ci.yml", "ci", ".github/workflows/ci.yml"] {
        assert!(fits(RunFilter { workflow: some(workflow), ..all.clone() }), "{workflow}");
    }
    for branch in ["main", "refs/heads/main"] {
        assert!(fits(RunFilter { branch: some(branch), ..all.clone() }), "{branch}");
    }
    for state in ["completed", "failure"] {
        assert!(fits(RunFilter { state: RunState::of(state), ..all.clone() }), "{state}");
    }
    let whole = RunFilter {
        repository: some("octo/planner"),
        workflow: some("ci.yml"),
        branch: some("main"),
        state: RunState::of("failure"),
        actor: some("OCTOCAT"),
        event: some("push"),
    };
    assert!(fits(whole.clone()));
    for other in [
        RunFilter { repository: some("octo/Planner"), ..whole.clone() },
        RunFilter { workflow: some("ci.yaml"), ..whole.clone() },
        RunFilter { branch: some("mai"), ..whole.clone() },
        RunFilter { state: RunState::of("success"), ..whole.clone() },
        RunFilter { actor: some("octo"), ..whole.clone() },
        RunFilter { event: some("pull_request"), ..whole.clone() },
    ] {
        assert!(!other.fits(&row), "{other:?}");
    }
    assert_eq!(RunState::of("failed"), None);
}

#[test]
fn a_ref_is_named_as_github_names_it() {
    for (git_ref, name) in [
        ("refs/heads/feature/x", "feature/x"),
        ("refs/tags/v1", "v1"),
        ("refs/pull/12/merge", "12/merge"),
        ("main", "main"),
    ] {
        let created = CREATED.replace("refs/heads/main", git_ref);
        assert_eq!(RunRow::from(&RunView::of(&[decode(&created)]).unwrap()).branch, name);
    }
}

// proves: conformance 141
#[test]
fn c141_a_background_step_has_its_own_log_and_all_that_is_inside_of_it() {
    let step = |rest: &str| format!("{{\"job\":\"lint\",\"at\":15,{rest}}}\n");
    let began = |key: &str, background: bool| {
        step(&format!(
            r#""type":"StepStarted","step":"{key}","name":"{key}","background":{background}"#
        ))
    };
    let ended = |key: &str, own_log: &str| {
        step(&format!(
            r#""type":"StepCompleted","step":"{key}","outcome":"success","conclusion":"success",
            "log":{{"start_bytes":0,"end_bytes":9,"lines":2}}{own_log}"#
        ))
    };
    let table = [
        running(),
        began("first", true),
        began("second", true),
        began("second/inner", false),
        ended("second/inner", ""),
        ended("second", r#","own_log":"b2""#),
        ended("one", ""),
    ];
    let table = table.concat();
    let events = events(&table);
    let RunEvent::RunCreated(request) = &events[0] else { panic!("it comes first") };
    let mut view = RunView::new(request);
    events[1..].iter().for_each(|event| view.apply(event));
    let job = view.jobs.iter().find(|job| job.key.as_str() == "lint").expect("it was declared");
    let show = |step: &StepView| {
        let aside = job.background_of(&step.key);
        let aside = aside.map_or("the job's log".to_owned(), |(number, aside)| {
            format!("log {number}, of {}: {:?}", aside.name, aside.own_log)
        });
        format!("{}: {aside}\n", step.key)
    };
    expect![[r#"
        one: the job's log
        first: log 1, of first: None
        second: log 2, of second: Some(BlobId("b2"))
        second/inner: log 2, of second: Some(BlobId("b2"))
    "#]]
    .assert_eq(&job.steps.iter().map(show).collect::<String>());
}

#[test]
fn what_a_job_shipped_began_with_its_first_worker() {
    let table = format!(
        r#"
        {DECLARED}
        {STARTED}
        {}
        {{"type":"JobReady","job":"lint","at":11}}
        {{"type":"JobLeased","job":"lint","fence":1,"tracking_id":"t1","at":12}}
        {{"type":"JobLost","job":"lint","fence":1,"reason":"gone","at":50}}
        {{"type":"JobRequeued","job":"lint","by":"mona","at":55}}
        {{"type":"JobLeased","job":"lint","fence":2,"tracking_id":"t2","at":60}}
        "#,
        planned("lint", r#","environment":"production""#)
    );
    let view = RunView::of(&events(&table)).expect("a run");
    let [it] = &view.shipped()[..] else { panic!("one environment") };
    assert_eq!((it.began_at, it.ended_at), (Timestamp(12), None));
    assert_eq!(it.jobs.iter().map(|it| &**it).collect::<Vec<_>>(), ["t1", "t2"]);
}
