//! What the settings say of variables: values for everybody, values out of files, references to
//! secrets; and what they named once and name no more.

use expect_test::{Expect, expect};
use model_cloud::{Cloud, Fault, FaultKind};
use serde_json::{Value as Json, json};

use crate::plans::proposed;
use crate::world::{SECRET, Script, ask, play, script};

/// What differs, or why it is refused; the steps are the usual ones.
fn check(script: &Script, expect: &Expect) {
    let all = proposed(script);
    let told = all.lines().filter(|it| !it.starts_with("api/") && !it.starts_with("back:"));
    let told = told.filter(|it| !it.contains(".image:")).map(|it| format!("{it}\n"));
    expect.assert_eq(&told.collect::<String>().replace("containerDefinitions[app].", ""));
}

fn with(config: Json) -> Script {
    let mut script = script(|_| {});
    script.config = config;
    script
}

fn secrets(pairs: &[(&str, &str)]) -> Json {
    let reference = |at: &str| match at.split_once(':') {
        Some(("ssm", name)) => json!({"in": "ssm", "name": name}),
        _ => match at.split_once('#') {
            Some((id, key)) => json!({"in": "secrets_manager", "id": id, "key": key}),
            None => json!({"in": "secrets_manager", "id": at}),
        },
    };
    let all = pairs.iter().map(|(name, at)| ((*name).to_owned(), reference(at)));
    json!({"secrets": Json::Object(all.collect())})
}

/// The container as it was registered last.
fn registered(cloud: &mut Cloud) -> Json {
    let body = json!({"taskDefinition": "api", "include": ["TAGS"]});
    ask(cloud, "DescribeTaskDefinition", &body)["taskDefinition"]["containerDefinitions"][0].take()
}

/// As if an earlier deployment had put these variables there.
fn before(tag: &str, container: Json) -> impl Fn(&mut Cloud) + 'static {
    let tag = tag.to_owned();
    move |cloud| {
        let mut app = json!({"name": "app", "image": "repo@sha256:good", "memory": 128});
        for (key, value) in container.as_object().into_iter().flatten() {
            app[key] = value.clone();
        }
        let body = json!({"family": "api", "containerDefinitions": [app],
            "executionRoleArn": "arn:aws:iam::111122223333:role/execution",
            "tags": [{"key": "launchway:variables", "value": tag}]});
        ask(cloud, "RegisterTaskDefinition", &body);
        let body = json!({"cluster": "c", "service": "api", "taskDefinition": "api:2"});
        ask(cloud, "UpdateService", &body);
        let to = cloud.now() + 120_000;
        cloud.advance(to);
    }
}

#[test]
fn references_are_looked_up_and_go_where_ecs_wants_them() {
    let config = secrets(&[
        ("DATABASE_URL", "planner/db#url"),
        ("TOKEN", "ssm:/planner/token"),
        ("WHOLE", "planner/db"),
    ]);
    check(
        &with(config.clone()),
        &expect![[r#"
            secrets[DATABASE_URL]: - -> arn:aws:secretsmanager:eu-central-1:111122223333:secret:planner/db-bSHqRp:url::
            secrets[TOKEN]: - -> arn:aws:ssm:eu-central-1:111122223333:parameter/planner/token
            secrets[WHOLE]: - -> arn:aws:secretsmanager:eu-central-1:111122223333:secret:planner/db-bSHqRp
            note: nobody asks whether it works: a task that started is taken for one that does
        "#]],
    );
    let end = play(&with(config), Vec::new());
    let app = registered(&mut end.cloud.borrow_mut());
    expect![[r#"
        [{"name":"DATABASE_URL","valueFrom":"arn:aws:secretsmanager:eu-central-1:111122223333:secret:planner/db-bSHqRp:url::"},{"name":"TOKEN","valueFrom":"arn:aws:ssm:eu-central-1:111122223333:parameter/planner/token"},{"name":"WHOLE","valueFrom":"arn:aws:secretsmanager:eu-central-1:111122223333:secret:planner/db-bSHqRp"}]
        succeeded by launchway"#]].assert_eq(&format!("{}\n{}", app["secrets"], end.verdict()));
}

#[test]
fn what_is_missing_is_named_before_anything_changes() {
    let config = secrets(&[("DATABASE_URL", "planner/other#url"), ("TOKEN", "ssm:/planner/no")]);
    check(
        &with(config.clone()),
        &expect![[r#"
        refused: DATABASE_URL: there is no secret planner/other in Secrets Manager of eu-central-1: make it, or correct the reference; TOKEN: there is no parameter /planner/no in the Parameter Store of eu-central-1: make it, or correct the reference
    "#]],
    );
    let end = play(&with(config), Vec::new());
    assert_eq!(end.deeds().len(), 0, "{}", end.tell());
    let mut deleted = with(secrets(&[("DATABASE_URL", "planner/db")]));
    deleted.set_up = Box::new(|cloud| {
        ask(cloud, "secretsmanager.DeleteSecret", &json!({"SecretId": "planner/db"}));
    });
    check(
        &deleted,
        &expect![[r#"
        refused: DATABASE_URL: the secret planner/db is marked for deletion: restore it (`aws secretsmanager restore-secret --secret-id planner/db`)
    "#]],
    );
}

/// A secret that the copied revision has by itself, and that is gone: no task of it would start.
#[test]
fn secrets_that_are_copied_are_looked_at_too() {
    let mut copied = script(|cloud: &mut Cloud| {
        ask(cloud, "AmazonSSM.DeleteParameter", &json!({"Name": "/planner/token"}));
    });
    copied.container = json!({"secrets": [{"name": "TOKEN", "valueFrom": "/planner/token"}]});
    check(
        &copied,
        &expect![[r#"
        refused: there is no parameter /planner/token in the Parameter Store of eu-central-1: make it, or correct the reference
    "#]],
    );
}

#[test]
fn who_may_not_look_is_told_so() {
    let denied = |config: Json| {
        let mut script = with(config);
        script.set_up = Box::new(|cloud| {
            for action in ["secretsmanager:DescribeSecret", "ssm:GetParameters"] {
                cloud.inject(Fault::first(action, 9, FaultKind::Denied));
            }
        });
        script
    };
    check(
        &denied(secrets(&[("DATABASE_URL", "planner/db")])),
        &expect![[r#"
        refused: DATABASE_URL: ECS wants the ARN of its secret, and these credentials may not look it up: write the ARN, or allow secretsmanager:DescribeSecret
    "#]],
    );
    let arn = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:planner/db-AbCdEf";
    check(
        &denied(secrets(&[("DATABASE_URL", arn), ("TOKEN", "ssm:/planner/token")])),
        &expect![[r#"
            secrets[DATABASE_URL]: - -> arn:aws:secretsmanager:eu-central-1:111122223333:secret:planner/db-AbCdEf
            secrets[TOKEN]: - -> /planner/token
            note: whether its secrets are there was not looked at: these credentials may not call ssm:GetParameters
            note: whether its secrets are there was not looked at: these credentials may not call secretsmanager:DescribeSecret
            note: nobody asks whether it works: a task that started is taken for one that does
        "#]],
    );
}

/// Values of files reach the container, and nothing that is written down.
#[test]
fn values_of_files_are_private() {
    let config = json!({"private": ["DATABASE_HOST"], "environment": {"LEVEL": "info"}});
    check(
        &with(config.clone()),
        &expect![[r#"
            environment[DATABASE_HOST]: - -> a value
            environment[LEVEL]: another value -> info
            note: nobody asks whether it works: a task that started is taken for one that does
        "#]],
    );
    let end = play(&with(config), Vec::new());
    let app = registered(&mut end.cloud.borrow_mut());
    expect![[r#"[{"name":"EMPTY","value":""},{"name":"DATABASE_HOST","value":"hunter-two of DATABASE_HOST"},{"name":"LEVEL","value":"info"}]"#]]
        .assert_eq(&app["environment"].to_string());
    let journal = serde_json::to_string(&end.events).unwrap();
    assert!(end.plan().is_some() && !journal.contains(SECRET), "{journal}");
}

#[test]
fn a_value_that_is_not_here_is_named() {
    let end = play(&with(json!({"private": ["ELSEWHERE"]})), Vec::new());
    assert_eq!(end.deeds().len(), 0);
    let told = end.tell();
    assert!(told.contains("the value of ELSEWHERE, which stands in a file"), "{told}");
}

#[test]
fn what_the_settings_named_once_and_name_no_more_goes() {
    let there = json!({
        "environment": [{"name": "OLD", "value": "1"}, {"name": "LEVEL", "value": "info"},
                        {"name": "OTHERS", "value": "2"}],
        "secrets": [{"name": "OLD_TOKEN", "valueFrom": "/planner/token"}]});
    let mut script = with(json!({"environment": {"LEVEL": "info"}}));
    script.set_up = Box::new(before("LEVEL OLD OLD_TOKEN GONE", there.clone()));
    check(
        &script,
        &expect![[r#"
            environment[OLD]: a value -> -
            secrets[OLD_TOKEN]: /planner/token -> -
            note: nobody asks whether it works: a task that started is taken for one that does
        "#]],
    );
    let end = play(&script, Vec::new());
    let app = registered(&mut end.cloud.borrow_mut());
    expect![[r#"[{"name":"OTHERS","value":"2"},{"name":"LEVEL","value":"info"}] []"#]]
        .assert_eq(&format!("{} {}", app["environment"], app["secrets"]));
    // What was the settings' as a secret may be theirs as a value.
    let mut script = with(json!({"environment": {"OLD_TOKEN": "no secret any more"}}));
    script.set_up = Box::new(before("OLD_TOKEN", there));
    check(
        &script,
        &expect![[r#"
            environment[OLD_TOKEN]: - -> no secret any more
            secrets[OLD_TOKEN]: /planner/token -> -
            note: nobody asks whether it works: a task that started is taken for one that does
        "#]],
    );
}

#[test]
fn settings_that_own_all_of_it_leave_nothing_else() {
    let there = json!({
        "environment": [{"name": "OTHERS", "value": "2"}], "command": ["old"],
        "secrets": [{"name": "TOKEN", "valueFrom": "/planner/token"}]});
    let owning = |owns: Json| {
        let mut script = with(owns);
        script.set_up = Box::new(before("", there.clone()));
        script
    };
    check(
        &owning(json!({"owns_environment": true, "environment": {"LEVEL": "info"}})),
        &expect![[r#"
            environment[LEVEL]: - -> info
            environment[OTHERS]: a value -> -
            note: nobody asks whether it works: a task that started is taken for one that does
        "#]],
    );
    check(
        &owning(json!({"owns_secrets": true, "command": ["new", "one"]})),
        &expect![[r#"
            command: ["old"] -> ["new","one"]
            secrets[TOKEN]: /planner/token -> -
            note: nobody asks whether it works: a task that started is taken for one that does
        "#]],
    );
    check(
        &owning(json!({"command": []})),
        &expect![[r#"
            command: ["old"] -> -
            note: nobody asks whether it works: a task that started is taken for one that does
        "#]],
    );
}

#[test]
fn secrets_want_an_execution_role() {
    let mut script = with(secrets(&[("TOKEN", "ssm:/planner/token")]));
    script.set_up = Box::new(|cloud| {
        let app = json!({"name": "app", "image": "repo@sha256:good", "memory": 128});
        let body = json!({"family": "api", "containerDefinitions": [app]});
        ask(cloud, "RegisterTaskDefinition", &body);
        let body = json!({"cluster": "c", "service": "api", "taskDefinition": "api:2"});
        ask(cloud, "UpdateService", &body);
        let to = cloud.now() + 120_000;
        cloud.advance(to);
    });
    check(
        &script,
        &expect![[r#"
        refused: a task that gets secrets needs an execution role, and the task definition has none: give it one (`executionRoleArn`)
    "#]],
    );
}
