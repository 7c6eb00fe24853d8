//! Alarms that go off, and texts that are printed: while ECS deploys, and behind it.

use expect_test::{Expect, expect};
use model_cloud::{Cloud, Fault, FaultKind, Image};
use serde_json::json;

use crate::plans::proposed;
use crate::world::{NEW, Script, play, script};

fn watching(more: impl Fn(&mut Cloud) + 'static) -> Script {
    let mut script = script(move |cloud| {
        cloud.set_alarm("api-5xx", "OK");
        cloud.set_alarm("api-slow", "INSUFFICIENT_DATA");
        more(cloud);
    });
    script.config = json!({"alarms": ["api-5xx", "api-slow"], "texts": ["PANIC"]});
    script
}

fn check(script: &Script, expect: &Expect) {
    let end = play(script, Vec::new());
    assert!(end.unplanned.is_empty(), "{:?}", end.unplanned);
    expect.assert_eq(&end.tell());
}

#[test]
fn a_plan_says_what_is_watched() {
    let told = proposed(&watching(|_| {}));
    let told = told.lines().filter(|it| it.contains("watch")).collect::<Vec<_>>().join("\n");
    expect![
        "api/watch bake: watches that api-5xx, api-slow stay quiet, and what is printed, for 120 s"
    ]
    .assert_eq(&told);
}

#[test]
fn quiet_is_a_success() {
    check(
        &watching(|_| {}),
        &expect![[r#"
        succeeded by launchway after 134 s
        RegisterTaskDefinition 1, UpdateService 1 | api:2 2/2
    "#]],
    );
}

#[test]
fn an_alarm_that_goes_off_is_gone_back_on() {
    let during = watching(|_| {}).at(20, |cloud| cloud.set_alarm("api-5xx", "ALARM"));
    check(
        &during,
        &expect![[r#"
        rolled_back by launchway: VerificationFailed after 31 s
        - the alarm api-5xx went off
          Platform: Threshold Crossed: 1 datapoint was greater than the threshold (5.0).
        RegisterTaskDefinition 1, UpdateService 2 | api:1 2/2
    "#]],
    );
    let behind = watching(|_| {}).at(100, |cloud| cloud.set_alarm("api-slow", "ALARM"));
    check(
        &behind,
        &expect![[r#"
        rolled_back by launchway: VerificationFailed after 113 s
        - the alarm api-slow went off
          Platform: Threshold Crossed: 1 datapoint was greater than the threshold (5.0).
        RegisterTaskDefinition 1, UpdateService 2 | api:1 2/2
    "#]],
    );
}

#[test]
fn a_text_that_is_printed_is_gone_back_on() {
    let prints = |cloud: &mut Cloud| {
        cloud.script(NEW, Image::good().printing(&["listening", "PANIC: hunter-two is wrong"]));
    };
    check(
        &watching(prints),
        &expect![[r#"
        rolled_back by launchway: VerificationFailed after 20 s
        - 1a764a3c printed `PANIC`
          Log: PANIC: *** is wrong
        RegisterTaskDefinition 1, UpdateService 2 | api:1 2/2
    "#]],
    );
}

#[test]
fn an_alarm_that_is_on_or_not_there_refuses() {
    check(
        &watching(|cloud| cloud.set_alarm("api-5xx", "ALARM")),
        &expect![[r#"
        refused by launchway: TargetRefused > TargetRefused after 0 s
        - api cannot be deployed there
        - the alarm api-5xx is on already (Threshold Crossed: 1 datapoint was greater than the threshold (5.0).): see to that first, or take it out of `verify.alarms`
         | api:1 2/2
    "#]],
    );
    let mut other = watching(|_| {});
    other.config["alarms"] = json!(["api-6xx"]);
    check(
        &other,
        &expect![[r#"
        refused by launchway: TargetRefused > TargetRefused after 0 s
        - api cannot be deployed there
        - there is no alarm api-6xx: make it, or correct `verify.alarms`
         | api:1 2/2
    "#]],
    );
    let denied = |cloud: &mut Cloud| {
        cloud.inject(Fault::first("cloudwatch:DescribeAlarms", 9, FaultKind::Denied));
    };
    check(
        &watching(denied),
        &expect![[r#"
        refused by launchway: TargetRefused > TargetRefused after 0 s
        - api cannot be deployed there
        - the alarms of the settings cannot be looked at (cloudwatch:DescribeAlarms: AccessDeniedException: User: arn:aws:iam::111122223333:user/deployer is not authorized to perform: cloudwatch:DescribeAlarms because no identity-based policy allows the cloudwatch:DescribeAlarms action): allow cloudwatch:DescribeAlarms, or take them out of `verify.alarms`
         | api:1 2/2
    "#]],
    );
}
