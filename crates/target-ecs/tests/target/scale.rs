//! More tasks, fewer, none; and who else has a say in it.

use expect_test::{Expect, expect};
use model_cloud::{Cloud, Fault, FaultKind, Image};
use serde_json::{Value as Json, json};

use crate::plans::proposed;
use crate::world::{GOOD, Script, ask, play, script};

/// So many tasks of what runs.
fn scaling(to: u32, more: impl Fn(&mut Cloud) + 'static) -> Script {
    let mut script = script(more);
    script.config = json!({"instances": to, "within_ms": 120_000});
    script.restores = Some("arn:aws:ecs:eu-central-1:111122223333:task-definition/api:1".into());
    script
}

fn scaled_by_itself(cloud: &mut Cloud) {
    let body = json!({"ServiceNamespace": "ecs", "ResourceId": "service/c/api",
        "ScalableDimension": "ecs:service:DesiredCount", "MinCapacity": 2, "MaxCapacity": 8});
    ask(cloud, "AnyScaleFrontendService.RegisterScalableTarget", &body);
}

fn check(script: &Script, expect: &Expect) {
    let end = play(script, Vec::new());
    assert!(end.unplanned.is_empty(), "{:?}", end.unplanned);
    expect.assert_eq(&end.tell());
}

#[test]
fn a_plan() {
    expect![[r#"
        desiredCount: 2 -> 5
        api/scale apply: lets api of c have 5 tasks and waits until they run
        back: Possible { to: KnownRelease { release: Release { version: "v1", digest: "sha256:good", location: Some("repo"), commit: None }, handle: Object {"task_definition": String("arn:aws:ecs:eu-central-1:111122223333:task-definition/api:1")}, adopted: true } }
    "#]].assert_eq(&proposed(&scaling(5, |_| {})));
}

#[test]
fn more_fewer_none() {
    check(
        &scaling(5, |_| {}),
        &expect![[r#"
        succeeded by launchway after 10 s
        UpdateService 1 | api:1 5/5
    "#]],
    );
    check(
        &scaling(1, |_| {}),
        &expect![[r#"
        succeeded by launchway after 5 s
        UpdateService 1 | api:1 1/1
    "#]],
    );
    check(
        &scaling(0, |_| {}),
        &expect![[r#"
        succeeded by launchway vacuous after 5 s
        UpdateService 1 | api:1 0/0
    "#]],
    );
    check(
        &scaling(2, |_| {}),
        &expect![[r#"
        succeeded by launchway unchanged after 0 s
         | api:1 2/2
    "#]],
    );
}

#[test]
fn tasks_that_do_not_come_are_taken_back() {
    let never = |cloud: &mut Cloud| cloud.script(GOOD, Image::missing());
    check(
        &scaling(3, never),
        &expect![[r#"
        rolled_back by launchway: TimedOut after 124 s
        - 2 of 3 tasks ran when its time was over
          Platform: task ID: TaskFailedToStart: CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref: not found
          Exit: container app never ran: CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref: not found
          Platform: 11 more ended like this one
        UpdateService 2 | api:1 2/2
    "#]],
    );
}

#[test]
fn what_is_scaled_by_itself_is_left_alone_unless_somebody_insists() {
    check(
        &scaling(5, scaled_by_itself),
        &expect![[r#"
        refused by launchway: TargetRefused > TargetRefused after 0 s
        - api cannot be deployed there
        - Application Auto Scaling has api between 2 and 8 tasks and would take the number back: change its bounds (`aws application-autoscaling register-scalable-target`), or insist: --force
         | api:1 2/2
    "#]],
    );
    let mut insisting = scaling(5, scaled_by_itself);
    insisting.config["even_if_scaled"] = Json::Bool(true);
    check(
        &insisting,
        &expect![[r#"
        succeeded by launchway after 10 s
        UpdateService 1 | api:1 5/5
    "#]],
    );
    let hidden = |cloud: &mut Cloud| {
        let call = "application-autoscaling:DescribeScalableTargets";
        cloud.inject(Fault::first(call, 9, FaultKind::Denied));
    };
    expect!["note: whether something scales api by itself was not looked at: these credentials may not call application-autoscaling:DescribeScalableTargets"].assert_eq(
        proposed(&scaling(5, hidden)).lines().find(|it| it.starts_with("note")).unwrap_or_default(),
    );
}

/// Whichever answer gets lost, the number is the same in the end.
#[test]
fn answers_that_get_lost() {
    let whole = play(&scaling(4, |_| {}), Vec::new());
    let calls = whole.cloud.borrow().calls().len() - whole.set_up_calls;
    for kind in [FaultKind::LostBefore, FaultKind::LostAfter, FaultKind::ErrorAfter] {
        for after in 0..u32::try_from(calls).expect("few") {
            let fault = Fault { after, ..Fault::first("*", 1, kind.clone()) };
            let end = play(&scaling(4, |_| {}), vec![fault]);
            let told = (end.verdict(), end.runs());
            assert_eq!(told, (whole.verdict(), whole.runs()), "{kind:?} at call {after}");
        }
    }
}
