//! A journal that a shipped version wrote says the same for ever: what pages show of its runs and
//! deployments, and what is counted of it.

use std::fmt::Write as _;
use std::sync::Arc;

use event::{DeploymentEvent, Fact, IncidentId, Seq, ShippedBy, StreamId, Timestamp};
use figures::{Asked, Figures, ReportPart};
use ports::Journal as _;
use serde_json::Value as Json;
use store::Store;
use views::{DeploymentRow, DeploymentView, IncidentView, RunView, Window};

/// A line for each event, over all streams, and what is said of all of it. A new version of the
/// vocabulary adds a pair.
const GOLDEN: &[(&str, &str)] = &[
    (include_str!("../../event/golden/journal-v1.jsonl"), "../../event/golden/journal-v1.txt"),
    (include_str!("../../event/golden/journal-v2.jsonl"), "../../event/golden/journal-v2.txt"),
    (include_str!("../../event/golden/journal-v3.jsonl"), "../../event/golden/journal-v3.txt"),
];

fn appended(store: &Arc<Store>, line: &Json) -> StreamId {
    let stream = line["stream"].as_str().expect("it names its stream");
    let stream: StreamId = stream.parse().expect("a stream");
    let at = Timestamp(line["at"].as_u64().expect("it says when"));
    let (seq, _) = store.head(stream).expect("a journal of ours");
    let payload = line["event"].to_string();
    fn decoded<E: Fact>(payload: &str) -> [E; 1] {
        [E::decode(payload.as_bytes()).expect("it is known for ever")]
    }
    let taken = match stream {
        StreamId::Run(..) => store.append(stream, seq, at, &decoded(&payload)),
        StreamId::Deployment(_) => {
            store.ledger().append(stream, seq, at, &decoded::<DeploymentEvent>(&payload))
        }
        StreamId::Incident(id) => store.append_incident(id, seq, at, &decoded(&payload)),
        StreamId::Release(_) | StreamId::Audit => unreachable!("none is in it"),
    };
    taken.expect("it is taken");
    stream
}

fn run(text: &mut String, store: &Store, stream: StreamId) {
    let events = store.read(stream, Seq(0)).expect("it is read");
    let view = RunView::of(events.iter().map(|it| &it.event)).expect("it begins with a run");
    let _ = writeln!(text, "{stream}: {} {:?}", view.state(), view.counts);
    for (depth, job) in view.in_order() {
        let _ = writeln!(text, "{}{}: {}", "  ".repeat(depth + 1), job.name, job.state());
        for step in &job.steps {
            let _ = writeln!(text, "    {}: {:?} {:?}", step.name, step.outcome, step.conclusion);
        }
    }
    let artifacts: Vec<_> = view.artifacts.keys().map(ToString::to_string).collect();
    let _ = writeln!(text, "  artifacts: {artifacts:?}");
}

fn deployment(text: &mut String, store: &Arc<Store>, stream: StreamId) {
    let StreamId::Deployment(id) = stream else { unreachable!("it is one") };
    let events = store.ledger().read(stream, Seq(0)).expect("it is read");
    let events: Vec<_> = events.into_iter().map(|it| it.event).collect();
    let view = DeploymentView::of(id, &events).expect("it begins with a request");
    let row = DeploymentRow::from(&view);
    let _ = writeln!(text, "{stream}: {} {} {:?}", row.kind.as_str(), row.standing, row.services);
    for step in &view.steps {
        let done = |deed: &Option<views::DeedView>| deed.as_ref().map(views::DeedView::is_done);
        let (forward, back) = (done(&step.forward), done(&step.back));
        let _ = writeln!(text, "  {}: {} {forward:?} {back:?}", step.key, step.kind.as_str());
    }
}

fn incident(text: &mut String, store: &Store, id: IncidentId) {
    let view = IncidentView::of(id, &store.incident(id).expect("it is read"));
    let view = view.expect("it begins with an incident");
    let spans: Vec<_> =
        view.spans.iter().map(|it| (it.since.0, it.end.as_ref().map(|it| it.at.0))).collect();
    let shown = |it: ShippedBy| it.deployment().map_or(it.named(), |id| format!("{id:?}"));
    let cause = view.caused_by.map_or("None".to_owned(), |it| format!("Some({})", shown(it)));
    let title = &view.record.title;
    let _ = writeln!(text, "incident/{id}: {title} {cause} {spans:?}");
}

#[test]
fn every_golden_journal_says_the_same() {
    for (journal, told) in GOLDEN {
        let folder = tempfile::tempdir().expect("a folder for scratch");
        let store = Arc::new(Store::open(folder.path()).expect("a journal of ours"));
        let mut streams = std::collections::BTreeSet::new();
        for line in journal.lines() {
            let line = serde_json::from_str(line).expect("it is JSON");
            streams.insert(appended(&store, &line));
        }
        let mut text = String::new();
        for stream in streams {
            match stream {
                StreamId::Run(..) => run(&mut text, &store, stream),
                StreamId::Incident(id) => incident(&mut text, &store, id),
                _ => deployment(&mut text, &store, stream),
            }
        }
        let figures = Figures::open(folder.path()).expect("a file of ours");
        figures.catch_up(&store, &mut |_| true).expect("it is counted");
        let window = Window { since: Timestamp(0), until: Timestamp(10_000_000_000_000) };
        let asked = Asked::everything(window);
        let mut report = figures.report(&store, &asked, ReportPart::ALL).expect("it is told");
        // Of several repositories as of each of them, and of none nothing.
        let of = |names: &[&str]| {
            let repositories = Some(names.iter().map(|it| (*it).to_owned()).collect());
            let asked = Asked { repositories, ..asked.clone() };
            figures.report(&store, &asked, ReportPart::ALL).expect("it is told").pipelines.len()
        };
        let known: std::collections::BTreeSet<&str> =
            report.pipelines.iter().map(|it| it.repository.as_str()).collect();
        let each: Vec<&str> = known.into_iter().chain(["octo/other"]).collect();
        assert_eq!(of(&each), report.pipelines.len());
        assert_eq!(each.iter().map(|it| of(&[it])).sum::<usize>(), report.pipelines.len());
        assert_eq!(of(&[]), 0);
        report.delivery.iter_mut().for_each(|it| it.weeks.clear());
        text += &serde_json::to_string_pretty(&report).expect("it is plain data");
        text.push('\n');
        let path = format!("{}/tests/{told}", env!("CARGO_MANIFEST_DIR"));
        expect_test::expect_file![path].assert_eq(&text);
    }
}
