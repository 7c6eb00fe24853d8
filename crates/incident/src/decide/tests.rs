//! One wish behind the other: what is written down of each.

use event::{Attempt, DeploymentId, Digest, Envelope, IncidentId, RunId, Seq, StreamId};
use expect_test::{Expect, expect};
use mask::MaskedText;

use super::*;

fn text(text: &str) -> MaskedText {
    MaskedText::without_secrets(text)
}

fn deployed(id: u64) -> Deployed {
    Deployed {
        id: DeploymentId(id).into(),
        project: "planner".into(),
        of_settings: None,
        environment: "production".into(),
        services: vec!["api".into()],
        since: Timestamp(id * 100),
        ended_at: Some(Timestamp(id * 100 + 50)),
    }
}

fn opening(caused_by: Option<u64>) -> Opening {
    Opening {
        project: "planner".into(),
        environment: "production".into(),
        service: None,
        title: text("it is slow"),
        severity: Severity::Major,
        key: Some("github:octo/app#1".into()),
        link: None,
        caused_by: caused_by.map(deployed),
    }
}

fn at(source: IncidentSource, at: u64) -> Told {
    let by = Actor { name: text("mona"), proof: "token".into(), source: None, address: None };
    Told { by, source, at: Timestamp(at), now: Timestamp(1_000) }
}

const PERSON: IncidentSource = IncidentSource::Person;
const GITHUB: IncidentSource = IncidentSource::Github;

fn resolve() -> Wish {
    Wish::Resolve { reason: None }
}

fn link(id: u64) -> Wish {
    Wish::Link(deployed(id), IncidentRole::Cause)
}

/// One wish behind the other, and what came of each.
fn check(wishes: &[(Wish, Told)], expected: &Expect) {
    let mut events = Vec::new();
    let mut said = String::new();
    for (wish, told) in wishes {
        let view = IncidentView::of(IncidentId(1), &events);
        match decide(view.as_ref(), wish, told) {
            Err(refusal) => said.push_str(&format!("refused: {refusal}\n")),
            Ok(new) if new.is_empty() => said.push_str("nothing\n"),
            Ok(new) => {
                for event in new {
                    said.push_str(&format!("{}\n", event::Fact::kind(&event)));
                    events.push(Envelope {
                        stream: StreamId::Incident(IncidentId(1)),
                        seq: Seq(events.len() as u64 + 1),
                        at: Timestamp(0),
                        digest: Digest::ZERO,
                        event,
                    });
                }
            }
        }
    }
    if let Some(view) = IncidentView::of(IncidentId(1), &events) {
        let spans: Vec<_> =
            view.spans.iter().map(|it| (it.since.0, it.end.as_ref().map(|it| it.at.0))).collect();
        let of = view.caused_by.map(|it| it.to_string()).map(|it| format!("Some({it})"));
        let fixed_by: Vec<String> = view.fixed_by.iter().map(ToString::to_string).collect();
        let (of, fixed_by) = (of.unwrap_or_else(|| "None".to_owned()), fixed_by.join(", "));
        said.push_str(&format!("{spans:?}, of {of}, fixed by [{fixed_by}]\n"));
    }
    expected.assert_eq(&said);
}

#[test]
fn what_is_told_twice_is_written_down_once() {
    check(
        &[
            (Wish::Open(opening(None)), at(GITHUB, 200)),
            (Wish::Open(opening(None)), at(GITHUB, 200)),
            (resolve(), at(GITHUB, 300)),
            (resolve(), at(GITHUB, 300)),
            (Wish::Open(opening(None)), at(GITHUB, 200)),
        ],
        &expect![[r#"
            IncidentOpened
            nothing
            IncidentResolved
            nothing
            nothing
            [(200, Some(300))], of None, fixed by []
        "#]],
    );
}

#[test]
fn what_is_over_can_begin_again_and_what_comes_late_changes_nothing() {
    check(
        &[
            (Wish::Open(opening(None)), at(GITHUB, 200)),
            (resolve(), at(GITHUB, 300)),
            (Wish::Reopen { reason: None }, at(GITHUB, 400)),
            // GitHub delivers the end of before once more.
            (resolve(), at(GITHUB, 300)),
            (resolve(), at(GITHUB, 500)),
            (Wish::Reopen { reason: None }, at(GITHUB, 400)),
        ],
        &expect![[r#"
            IncidentOpened
            IncidentResolved
            IncidentReopened
            nothing
            IncidentResolved
            nothing
            [(200, Some(300)), (400, Some(500))], of None, fixed by []
        "#]],
    );
}

#[test]
fn a_person_is_told_what_cannot_be() {
    check(
        &[
            (resolve(), at(PERSON, 300)),
            (Wish::Open(Opening { title: text(" "), ..opening(None) }), at(PERSON, 200)),
            (Wish::Open(opening(Some(3))), at(PERSON, 200)),
            (Wish::Open(opening(None)), at(PERSON, 200)),
            (resolve(), at(PERSON, 100)),
            (resolve(), at(PERSON, 10_000_000)),
            (link(3), at(PERSON, 300)),
        ],
        &expect![[r#"
            refused: there is no such incident
            refused: it says nothing about what is wrong
            refused: deployment 3 was asked for when the incident was there already; it cannot have brought it
            IncidentOpened
            refused: it began at a later moment than that
            refused: that moment has yet to come
            refused: deployment 3 was asked for when the incident was there already; it cannot have brought it
            [(200, None)], of None, fixed by []
        "#]],
    );
}

#[test]
fn one_deployment_brought_it_and_any_number_may_end_it() {
    let fix = |id| Wish::Link(deployed(id), IncidentRole::Fix);
    check(
        &[
            (Wish::Open(opening(Some(1))), at(PERSON, 250)),
            (link(1), at(PERSON, 300)),
            (link(2), at(PERSON, 300)),
            (fix(5), at(PERSON, 300)),
            (fix(5), at(PERSON, 300)),
            (fix(6), at(PERSON, 300)),
            (Wish::Unlink(DeploymentId(5).into(), IncidentRole::Fix), at(PERSON, 300)),
            (Wish::Unlink(DeploymentId(5).into(), IncidentRole::Fix), at(PERSON, 300)),
        ],
        &expect![[r#"
            IncidentOpened
            nothing
            IncidentUnlinked
            IncidentLinked
            IncidentLinked
            nothing
            IncidentLinked
            IncidentUnlinked
            nothing
            [(250, None)], of Some(2), fixed by [6]
        "#]],
    );
}

#[test]
fn a_deployment_elsewhere_has_nothing_to_do_with_it() {
    let staging = Deployed { environment: "staging".into(), ..deployed(1) };
    let web = Opening { service: Some("web".into()), ..opening(Some(1)) };
    check(
        &[
            (Wish::Open(web), at(PERSON, 250)),
            (Wish::Open(opening(None)), at(PERSON, 250)),
            (Wish::Link(staging, IncidentRole::Fix), at(PERSON, 300)),
        ],
        &expect![[r#"
            refused: deployment 1 did not ship web
            IncidentOpened
            refused: deployment 1 went to staging of planner, where the incident is not
            [(250, None)], of None, fixed by []
        "#]],
    );
}

#[test]
fn what_is_made_to_end_it_did_not_bring_it_and_was_not_over_before() {
    let fix = |id| Wish::Link(deployed(id), IncidentRole::Fix);
    check(
        &[
            (Wish::Open(opening(Some(2))), at(PERSON, 300)),
            (fix(1), at(PERSON, 400)),
            (fix(2), at(PERSON, 400)),
            (fix(3), at(PERSON, 400)),
            (link(3), at(PERSON, 400)),
        ],
        &expect![[r#"
            IncidentOpened
            refused: deployment 1 was over before the incident began; it cannot have ended it
            refused: deployment 2 cannot have brought it and ended it: take the other link away first
            IncidentLinked
            refused: deployment 3 cannot have brought it and ended it: take the other link away first
            [(300, None)], of Some(2), fixed by [3]
        "#]],
    );
}

#[test]
fn a_person_who_asks_again_gets_the_same_and_opens_nothing_anew() {
    check(
        &[
            (Wish::Open(opening(None)), at(PERSON, 200)),
            (resolve(), at(PERSON, 300)),
            (Wish::Open(opening(None)), at(PERSON, 400)),
            (Wish::Open(Opening { title: text("it is down"), ..opening(None) }), at(PERSON, 400)),
            (
                Wish::Open(Opening { environment: "staging".into(), ..opening(None) }),
                at(PERSON, 400),
            ),
            (
                Wish::Open(Opening { environment: "PRODUCTION".into(), ..opening(None) }),
                at(PERSON, 400),
            ),
            (Wish::Open(opening(Some(1))), at(PERSON, 400)),
        ],
        &expect![[r#"
            IncidentOpened
            IncidentResolved
            nothing
            refused: that key opened another incident: each one has its own
            refused: that key opened another incident: each one has its own
            nothing
            refused: that key opened another incident: each one has its own
            [(200, Some(300))], of None, fixed by []
        "#]],
    );
}

/// What jobs of a run shipped to production from a second on.
fn by_jobs(run: u64, since: u64) -> Deployed {
    Deployed {
        id: ShippedBy::Jobs(RunId(run), Attempt(1)),
        project: "octo/app".into(),
        of_settings: Some("planner".into()),
        services: vec![".github/workflows/deploy.yml".into()],
        since: Timestamp(since),
        ended_at: Some(Timestamp(since + 50)),
        ..deployed(1)
    }
}

#[test]
fn what_jobs_shipped_brings_and_ends_incidents_as_deployments_do() {
    let of = |deployed| Opening {
        project: "octo/app".into(),
        caused_by: Some(deployed),
        ..opening(None)
    };
    let fix = |deployed| Wish::Link(deployed, IncidentRole::Fix);
    check(
        &[
            (Wish::Open(of(by_jobs(12, 300))), at(PERSON, 200)),
            (Wish::Open(of(by_jobs(12, 100))), at(PERSON, 200)),
            (fix(by_jobs(12, 100)), at(PERSON, 400)),
            (fix(by_jobs(11, 50)), at(PERSON, 400)),
            (fix(by_jobs(14, 300)), at(PERSON, 400)),
            (fix(by_jobs(14, 300)), at(PERSON, 400)),
            (fix(deployed(5)), at(PERSON, 400)),
            (Wish::Link(by_jobs(13, 150), IncidentRole::Cause), at(PERSON, 400)),
            (Wish::Unlink(by_jobs(14, 300).id, IncidentRole::Fix), at(PERSON, 400)),
        ],
        &expect![[r#"
            refused: run 12.1 began there when the incident was there already; it cannot have brought it
            IncidentOpened
            refused: run 12.1 cannot have brought it and ended it: take the other link away first
            refused: run 11.1 was over before the incident began; it cannot have ended it
            IncidentLinked
            nothing
            refused: deployment 5 went to production of planner, where the incident is not
            IncidentUnlinked
            IncidentLinked
            IncidentUnlinked
            [(200, None)], of Some(13.1), fixed by []
        "#]],
    );
}

#[test]
fn jobs_belong_to_their_repository_and_to_the_project_of_its_settings() {
    let cause = |deployed| Wish::Link(deployed, IncidentRole::Cause);
    let stranger = Deployed { of_settings: None, ..by_jobs(12, 100) };
    let elsewhere = Deployed { environment: "staging".into(), ..by_jobs(12, 100) };
    let other_case = Deployed { environment: "Production".into(), ..by_jobs(12, 100) };
    check(
        &[
            (Wish::Open(opening(None)), at(PERSON, 250)),
            (cause(stranger), at(PERSON, 300)),
            (cause(elsewhere), at(PERSON, 300)),
            (cause(other_case), at(PERSON, 300)),
        ],
        &expect![[r#"
            IncidentOpened
            refused: run 12.1 went to production of octo/app, where the incident is not
            refused: run 12.1 went to staging of octo/app, where the incident is not
            IncidentLinked
            [(250, None)], of Some(12.1), fixed by []
        "#]],
    );
    let web = Opening { service: Some("web".into()), ..opening(None) };
    check(
        &[(Wish::Open(web), at(PERSON, 250)), (cause(by_jobs(12, 100)), at(PERSON, 300))],
        &expect![[r#"
            IncidentOpened
            refused: run 12.1 did not ship web
            [(250, None)], of None, fixed by []
        "#]],
    );
}

#[test]
fn an_incident_is_where_what_brought_it_went_as_that_calls_it() {
    let wish = Wish::Open(Opening { environment: "PRODUCTION".into(), ..opening(Some(1)) });
    let events = decide(None, &wish, &at(PERSON, 200)).expect("it can be so");
    let [IncidentEvent::IncidentOpened(record)] = &events[..] else { panic!("{events:?}") };
    assert_eq!(&*record.environment, "production");
}
