//! What would be done, and what is refused before anything is.

use expect_test::{Expect, expect};
use ports::Target as _;
use serde_json::json;

use crate::world::{Script, ask, cloud, play, register, script, target, wanted};

pub(crate) fn proposed(script: &Script) -> String {
    let cloud = cloud(script);
    let (mut target, wanted) = (target(&cloud), wanted(script));
    let seen = match target.observe(&wanted) {
        Ok(seen) => seen,
        Err(cause) => return format!("cannot look: {:?}: {}\n", cause.code, cause.message),
    };
    let calls = cloud.borrow().calls().len();
    let proposal = target.propose(&wanted, &seen);
    assert_eq!(target.propose(&wanted, &seen), proposal, "the same gives the same");
    assert_eq!(cloud.borrow().calls().len(), calls, "deciding calls nothing");
    let proposal = match proposal {
        Ok(proposal) => proposal,
        Err(cause) => return format!("refused: {}\n", cause.message),
    };
    let mut out = String::new();
    for change in &proposal.changes {
        let (before, after) = (change.before.as_ref(), change.after.as_ref());
        let word = |it: Option<&mask::MaskedText>| it.map_or("-".to_owned(), ToString::to_string);
        out += &format!("{}: {} -> {}\n", change.field, word(before), word(after));
    }
    for step in &proposal.steps {
        out += &format!("{} {}: {}\n", step.key, step.kind.as_str(), step.what);
    }
    for note in &proposal.notes {
        out += &format!("note: {note}\n");
    }
    out + &format!("back: {:?}\n", proposal.going_back)
}

fn check(script: &Script, expect: &Expect) {
    expect.assert_eq(&proposed(script));
}

fn configured(config: serde_json::Value) -> Script {
    let mut script = script(|_| {});
    script.config = config;
    script
}

#[test]
fn a_plan() {
    let owned = json!({"environment": {"LEVEL": "info", "EMPTY": "", "NEW": "1"}});
    check(
        &configured(owned),
        &expect![[r#"
            containerDefinitions[app].image: repo@sha256:good -> repo@sha256:new
            containerDefinitions[app].environment[LEVEL]: another value -> info
            containerDefinitions[app].environment[NEW]: - -> 1
            api/register prepare: registers a revision of api with repo@sha256:new as app
            api/update apply: lets api of c run it
            api/stabilise stabilise: waits until ECS has completed the deployment, or given it up
            note: nobody asks whether it works: a task that started is taken for one that does
            back: Possible { to: KnownRelease { release: Release { version: "api:1", digest: "sha256:good", location: Some("repo"), commit: None }, handle: Object {"task_definition": String("arn:aws:ecs:eu-central-1:111122223333:task-definition/api:1")}, adopted: true } }
        "#]],
    );
}

#[test]
fn a_plan_that_restores() {
    let earlier = |cloud: &mut model_cloud::Cloud| {
        let more = json!({"command": ["serve"], "environment": [{"name": "TOKEN", "value": "t"}]});
        let definition = register(cloud, "repo@sha256:new", &more);
        let body = json!({"cluster": "c", "service": "api", "taskDefinition": definition});
        ask(cloud, "UpdateService", &body);
        let to = cloud.now() + 60_000;
        cloud.advance(to);
    };
    let mut restoring = script(earlier);
    restoring.restores = Some("arn:aws:ecs:eu-central-1:111122223333:task-definition/api:1".into());
    check(
        &restoring,
        &expect![[r#"
            containerDefinitions[app].command: ["serve"] -> -
            containerDefinitions[app].image: repo@sha256:new -> repo@sha256:good
            containerDefinitions[app].environment[EMPTY]: - -> a value
            containerDefinitions[app].environment[LEVEL]: - -> a value
            containerDefinitions[app].environment[TOKEN]: a value -> -
            api/register prepare: registers a revision of api with repo@sha256:good as app
            api/update apply: lets api of c run it
            api/stabilise stabilise: waits until ECS has completed the deployment, or given it up
            note: nobody asks whether it works: a task that started is taken for one that does
            back: Possible { to: KnownRelease { release: Release { version: "api:2", digest: "sha256:new", location: Some("repo"), commit: None }, handle: Object {"task_definition": String("arn:aws:ecs:eu-central-1:111122223333:task-definition/api:2")}, adopted: true } }
        "#]],
    );
    restoring.restores = Some("arn:aws:ecs:eu-central-1:111122223333:task-definition/api:9".into());
    check(
        &restoring,
        &expect![[r#"
        refused: api:9, which is to be restored, was deleted: deploy its version instead
    "#]],
    );
}

#[test]
fn the_account_is_another() {
    check(
        &configured(json!({"account": "999900001111"})),
        &expect![[r#"
            refused: the credentials are of the AWS account 111122223333, and the settings want 999900001111: sign in to that one, or correct `account`
        "#]],
    );
}

#[test]
fn places_that_are_not_there() {
    check(
        &configured(json!({"service": "web"})),
        &expect![[r#"
        refused: there is no active service web in the cluster c of eu-central-1 (MISSING): make it first, or correct `targets.ecs`
    "#]],
    );
    check(
        &configured(json!({"cluster": "x"})),
        &expect![[r#"
            refused: there is no active service api in the cluster x of eu-central-1 (there is no such cluster): make it first, or correct `targets.ecs`
        "#]],
    );
    check(
        &configured(json!({"container": "web"})),
        &expect![[r#"
        refused: api:1 has no container web: set `targets.ecs.container` to one of app, side
    "#]],
    );
    check(
        &configured(json!({"container": null})),
        &expect![[r#"
        refused: api:1 has several containers: set `targets.ecs.container` to one of app, side
    "#]],
    );
}

#[test]
fn a_variable_that_comes_from_a_secret() {
    let mut script = configured(json!({"environment": {"PASSWORD": "x"}}));
    script.container = json!({"secrets": [{"name": "PASSWORD", "valueFrom": "/planner/token"}]});
    check(
        &script,
        &expect![[r#"
        refused: PASSWORD comes from a secret in api:1, and the settings have a value for it: take it out of one of them
    "#]],
    );
}

#[test]
fn deployments_that_are_done_by_others() {
    let mut script = script(|_| {});
    script.service = json!({"deploymentController": {"type": "CODE_DEPLOY"}});
    check(
        &script,
        &expect![[r#"
        refused: deployments of api are done by CODE_DEPLOY, which Launchway does not drive yet: make a service with the deployment controller ECS
    "#]],
    );
}

#[test]
fn another_deployment_is_under_way() {
    let busy = |cloud: &mut model_cloud::Cloud| {
        let body = json!({"cluster": "c", "service": "api", "forceNewDeployment": true});
        ask(cloud, "UpdateService", &body);
    };
    check(
        &script(busy),
        &expect![[r#"
            refused: another deployment of api is under way (ecs-svc/7172820739197057138 of api:1): wait until it is over, or end it
        "#]],
    );
}

#[test]
fn there_would_be_no_way_back() {
    let gone = |cloud: &mut model_cloud::Cloud| {
        ask(cloud, "DeregisterTaskDefinition", &json!({"taskDefinition": "api:1"}));
    };
    check(
        &script(gone),
        &expect![[r#"
            containerDefinitions[app].image: repo@sha256:good -> repo@sha256:new
            api/register prepare: registers a revision of api with repo@sha256:new as app
            api/update apply: lets api of c run it
            api/stabilise stabilise: waits until ECS has completed the deployment, or given it up
            note: nobody asks whether it works: a task that started is taken for one that does
            back: Impossible { reasons: ["api:1, which would be gone back to, is deregistered: register it again as it is and let the service run that revision"] }
        "#]],
    );
}

/// A revision that is registered differs from the one that ran in what the plan said, and bears
/// the tags of the one that ran.
#[test]
fn what_is_registered() {
    let owned = json!({"environment": {"LEVEL": "info"}});
    let end = play(&configured(owned), Vec::new());
    let mut cloud = end.cloud.borrow_mut();
    let mut describe = |name: &str| {
        let body = json!({"taskDefinition": name, "include": ["TAGS"]});
        ask(&mut cloud, "DescribeTaskDefinition", &body)
    };
    let (before, after) = (describe("api:1"), describe("api:2"));
    let app = |it: &serde_json::Value| it["taskDefinition"]["containerDefinitions"][0].clone();
    let side = |it: &serde_json::Value| it["taskDefinition"]["containerDefinitions"][1].clone();
    assert_eq!(side(&before), side(&after));
    let mut same = app(&after);
    same["image"] = app(&before)["image"].clone();
    same["environment"] = app(&before)["environment"].clone();
    assert_eq!(same, app(&before));
    expect![[r#"
        "repo@sha256:new" [{"name":"EMPTY","value":""},{"name":"LEVEL","value":"info"}]
        [{"key":"team","value":"planner"},{"key":"launchway:deployment","value":"12"},{"key":"launchway:intended","value":"1700000120000"},{"key":"launchway:version","value":"v2"},{"key":"launchway:variables","value":"LEVEL"}]"#]].assert_eq(&format!(
        "{} {}\n{}",
        app(&after)["image"],
        app(&after)["environment"],
        after["tags"]
    ));
}

/// Nothing of a variable that is not ours stands in the plan.
#[test]
fn values_of_others_are_not_in_the_journal() {
    let mut script = script(|_| {});
    script.container = json!({"environment": [{"name": "TOKEN", "value": "do-not-tell"}]});
    script.config = json!({"environment": {"TOKEN": "ours"}});
    let end = play(&script, Vec::new());
    assert!(end.plan().is_some());
    let journal = serde_json::to_string(&end.events).unwrap();
    assert!(!journal.contains("do-not-tell"), "{journal}");
}
