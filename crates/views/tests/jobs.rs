//! Where jobs went that shipped something, and when one that did not succeed counts.

use std::sync::Arc;

use event::{
    Attempt, DeploymentKind, IncidentId, IncidentSource, RunId, Seq, Severity, ShippedBy,
    Timestamp, Verdict,
};
use views::{Before, Came, IncidentLine, Known, Shipment, Window, dora};

const HOUR: u64 = 60 * 60 * 1000;

/// Of no commit anything is known.
struct Nothing;

impl Known for Nothing {
    fn brought_before(&self, _: ShippedBy, _: &str) -> bool {
        false
    }

    fn pushed_at(&self, _: &Shipment, _: &str) -> Option<Timestamp> {
        None
    }
}

fn by(run: u64) -> ShippedBy {
    ShippedBy::Jobs(RunId(run), Attempt(1))
}

/// What jobs of a run did, which began and ended at an hour of the run's number.
fn shipped(run: u64, commit: &str, verdict: Verdict) -> Shipment {
    let at = Timestamp(run * HOUR);
    let text = |text: &str| -> Arc<str> { text.into() };
    Shipment {
        by: by(run),
        project: text("octo/app"),
        environment: text("production"),
        service: text("deploy.yml"),
        kind: DeploymentKind::Release,
        planned: true,
        verdict,
        version: text(commit),
        digest: text(commit),
        commit: Some(text(commit)),
        commits: Vec::new(),
        is_first: false,
        requested_at: at,
        began_at: Some(at),
        reached_at: (verdict == Verdict::Succeeded).then_some(at),
        finished_at: at,
        last_seq: Seq(9),
        position: 0,
        mends: None,
        course: None,
        jobs: Vec::new(),
    }
}

#[test]
fn the_kind_is_said_by_what_was_there_before() {
    use DeploymentKind::{Redeploy, Release, Rollback};
    let check = |runs: Option<&str>, tried: Option<u64>, commit: Came, expect| {
        let before = Before { runs: runs.map(|it| (by(1), it)), tried: tried.map(by), commit };
        let it = shipped(9, "c2", Verdict::Succeeded).judged(&before);
        assert_eq!((it.kind, it.mends), expect, "{before:?}");
        assert_eq!(it.planned, it.kind != Rollback);
        assert_eq!(it.is_first, runs.is_none());
    };
    check(None, None, Came::Never, (Release, None));
    check(Some("c1"), None, Came::Never, (Release, None));
    check(Some("c1"), Some(4), Came::Never, (Release, None));
    check(Some("c2"), None, Came::Since, (Redeploy, None));
    check(Some("c2"), Some(4), Came::Since, (Rollback, Some(by(4))));
    check(Some("c3"), None, Came::Before, (Rollback, Some(by(1))));
    check(Some("c3"), Some(4), Came::Before, (Rollback, Some(by(1))));
    check(Some("c1"), None, Came::Since, (Release, None));
}

#[test]
fn what_is_in_doubt_counts_where_somebody_went_back_from_it() {
    use Verdict::{Cancelled, Failed, Succeeded};
    let back = |run, to: &str, mends| Shipment {
        kind: DeploymentKind::Rollback,
        planned: false,
        mends: Some(by(mends)),
        ..shipped(run, to, Succeeded)
    };
    let check = |rest: &[Shipment], expect: (&[u64], u64, &[u64])| {
        let mut all = vec![shipped(1, "c1", Succeeded)];
        all.extend_from_slice(rest);
        let window = Window { since: Timestamp(0), until: Timestamp(100 * HOUR) };
        let dora = dora(&all, &[], window, &Nothing);
        let (failed, reached, doubted) = expect;
        let of = |runs: &[u64]| runs.iter().map(|run| by(*run)).collect::<Vec<_>>();
        assert_eq!(dora.change_failures.failed, of(failed), "{rest:?}");
        assert_eq!(dora.change_failures.share.whole, reached, "{rest:?}");
        let in_doubt: Vec<_> = dora.in_doubt.iter().map(|it| it.by).collect();
        assert_eq!(in_doubt, of(doubted), "{rest:?}");
    };
    check(&[shipped(2, "c2", Failed)], (&[], 1, &[2]));
    // What follows as planned says nothing of it.
    check(&[shipped(2, "c2", Failed), shipped(3, "c3", Succeeded)], (&[], 2, &[2]));
    check(&[shipped(2, "c2", Failed), back(3, "c1", 2)], (&[2], 3, &[]));
    check(&[shipped(2, "c2", Cancelled), back(3, "c1", 2)], (&[2], 3, &[]));
    // Twice: the last one is what was gone back from.
    let twice = [shipped(2, "c2", Failed), shipped(3, "c2", Failed), back(4, "c1", 3)];
    check(&twice, (&[3], 3, &[2]));
    // Going back further takes back what ran.
    let further = [shipped(2, "c2", Succeeded), shipped(3, "c3", Failed), back(4, "c1", 2)];
    check(&further, (&[2], 3, &[3]));
    // One that was to go back and failed took nothing back.
    let failed_back = Shipment { verdict: Failed, reached_at: None, ..back(3, "c1", 2) };
    check(&[shipped(2, "c2", Failed), failed_back], (&[], 1, &[2, 3]));
}

/// An incident of an hour, over two later, of what a run's jobs shipped.
fn incident(number: u64, cause: Option<u64>, fixes: &[u64], hour: u64) -> IncidentLine {
    IncidentLine {
        incident: IncidentId(number),
        project: "octo/app".into(),
        environment: "production".into(),
        service: None,
        title: "it is slow".into(),
        source: IncidentSource::Person,
        severity: Severity::Major,
        caused_by: cause.map(by),
        fixed_by: fixes.iter().map(|run| by(*run)).collect(),
        opened_at: Timestamp(hour * HOUR),
        resolved_at: Some(Timestamp((hour + 2) * HOUR)),
        last_seq: Seq(3),
    }
}

#[test]
fn an_incident_says_that_what_jobs_shipped_failed_and_what_mended_it() {
    use Verdict::{Failed, Succeeded};
    let check = |incidents: &[IncidentLine], expect: &str| {
        let runs = [(1, Succeeded), (2, Succeeded), (3, Failed), (9, Succeeded)];
        let all: Vec<Shipment> =
            runs.iter().map(|(run, verdict)| shipped(*run, &format!("c{run}"), *verdict)).collect();
        let window = Window { since: Timestamp(0), until: Timestamp(100 * HOUR) };
        let dora = dora(&all, incidents, window, &Nothing);
        let names =
            |all: &[ShippedBy]| all.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        let mended = dora.recovery.recovered.iter();
        let mended: Vec<String> = mended
            .map(|it| format!("{} {:?} {}h", it.deployment, it.by, it.time_ms / HOUR))
            .collect();
        let told = format!(
            "failed {} of {}, mended {mended:?}, rework {}",
            names(&dora.change_failures.failed),
            dora.change_failures.share.whole,
            names(&dora.rework.deployments),
        );
        assert_eq!(told, expect);
    };
    check(&[], "failed  of 3, mended [], rework ");
    // Two of one are one failure; the last one's end is the recovery.
    let two = [incident(1, Some(2), &[], 3), incident(2, Some(2), &[], 4)];
    check(&two, "failed 2.1 of 3, mended [\"2.1 Incident(IncidentId(2)) 4h\"], rework ");
    // What was made to end it was unplanned, whatever jobs say, and mends it where it came first.
    let late = IncidentLine { resolved_at: None, ..incident(1, Some(2), &[9], 3) };
    check(
        &[late],
        "failed 2.1 of 3, mended [\"2.1 By(Jobs(RunId(9), Attempt(1))) 7h\"], rework 9.1",
    );
    // Nobody knows whether users met it, until they say so.
    check(
        &[incident(1, Some(3), &[], 3)],
        "failed 3.1 of 4, mended [\"3.1 Incident(IncidentId(1)) 2h\"], rework ",
    );
    // One that nobody knows the cause of says what was made to end it, and no more.
    check(&[incident(1, None, &[9], 3)], "failed  of 3, mended [], rework 9.1");
}
