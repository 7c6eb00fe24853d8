//! What is played on it.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::process::Stdio;

use expect_test::expect;
use serde_json::json;

use crate::harness::{Said, wait_until};
use crate::project::{Project, Unusual, ends, evidence, without_ids};
use crate::server::open;

#[test]
fn a_release_goes_out_another_follows_and_the_first_comes_back() {
    let project = Project::new(open(), &Unusual { desired: 2, ..Unusual::default() });
    project.check(
        &project.deploy("1.1", &[]),
        &expect![[r#"
        succeeded by launchway: -
        exit 0
        revision 2, 2 running, RegisterTaskDefinition 1, RunTask 0, UpdateService 1
    "#]],
    );
    project.known_in_time(2);
    project.check(
        &project.deploy("1.1", &[]),
        &expect![[r#"
        succeeded by launchway unchanged: -
        exit 0
        revision 2, 2 running, RegisterTaskDefinition 1, RunTask 0, UpdateService 1
    "#]],
    );
    project.check(
        &project.deploy("1.2", &[]),
        &expect![[r#"
        succeeded by launchway: -
        exit 0
        revision 3, 2 running, RegisterTaskDefinition 2, RunTask 0, UpdateService 2
    "#]],
    );
    project.known_in_time(3);
    let back = ["rollback", "staging", "--to", "1.1", "--reason", "errors at checkout", "--yes"];
    project.check(
        &project.run(&[&back[..], &["--format", "json"]].concat()),
        &expect![[r#"
        succeeded by launchway: -
        exit 0
        revision 4, 2 running, RegisterTaskDefinition 3, RunTask 0, UpdateService 3
    "#]],
    );
    let said = project.run(&["status", "staging", "--format", "json"]);
    let line = &said.lines()[0];
    assert_eq!((&line["version"], &line["seen"]), (&json!("1.1"), &json!("1.1")), "{line}");
    let said = project.run(&["history", "staging", "--format", "json"]);
    let lines = said.lines();
    let line = |it: &serde_json::Value| {
        format!("{} {} {}\n", it["deployment"], it["kind"], it["standing"]).replace('"', "")
    };
    expect![[r#"
        4 rollback succeeded
        3 release succeeded
        2 redeploy succeeded
        1 release succeeded
    "#]]
    .assert_eq(&lines.iter().map(line).collect::<String>());
}

/// ministack keeps what failed in its list and gives an old deployment its place back, under its old
/// id; in AWS the way back is a deployment of its own (target-ecs: verdicts.rs).
#[test]
fn what_crashes_is_taken_back_by_ecs_and_why_is_said() {
    let project = Project::new(open(), &Unusual::default());
    let said = project.deploy("crash", &[]);
    project.check(
        &said,
        &expect![[r#"
        rolled_back by platform: ECS gave the deployment up and goes back to CLUSTER:1
        exit 6
        revision 1, 1 running, RegisterTaskDefinition 1, RunTask 0, UpdateService 1
    "#]],
    );
    expect![[r#"
        platform_rolled_back: ECS gave the deployment up and goes back to CLUSTER:1
        exited: ECS deployment circuit breaker was triggered after 3 consecutive task failures.
          platform: task ID: EssentialContainerExited: Essential container exited
          exit: container app ended with exit code 3
          platform: 2 more ended like this one
          log: app: cannot reach the database
          platform: (service api-service) rolled back to the last completed deployment.
          platform: (service api-service) deployment failed: deployment circuit breaker was triggered.
          platform: (service api-service) has begun draining connections on 1 tasks.
    "#]].assert_eq(&project.plain(&without_ids(&evidence(&said))));
    project.known_in_time(2);
    // What never ran well is nothing to go back to, and the next release goes out.
    project.check(
        &project.deploy("1.1", &[]),
        &expect![[r#"
        succeeded by launchway: -
        exit 0
        revision 3, 1 running, RegisterTaskDefinition 2, RunTask 0, UpdateService 2
    "#]],
    );
}

/// ECS gives up and leaves it there: we go back.
#[test]
fn what_crashes_is_taken_back_by_us_where_ecs_does_not() {
    let project = Project::new(open(), &Unusual { breaker: (true, false), ..Unusual::default() });
    let said = project.deploy("crash", &[]);
    project.check(&said, &expect![[r#"
        rolled_back by launchway: ECS gave the deployment up: ECS deployment circuit breaker was triggered after 3 consecutive task failures.
        exit 6
        revision 1, 1 running, RegisterTaskDefinition 1, RunTask 0, UpdateService 2
    "#]]);
    project.known_in_time(2);
}

/// Nobody gives up but we, when its time is over: ministack does not count tasks that fail, as AWS
/// does (target-ecs: verdicts.rs).
#[test]
fn what_crashes_for_ever_is_taken_back_when_its_time_is_over() {
    let project = Project::new(
        open(),
        &Unusual { breaker: (false, false), within: "20s", ..Unusual::default() },
    );
    let mut said = project.deploy("crash", &[]);
    // It is looked at between two crashes, or in one.
    said.stdout = said.stdout.replace("1 of 1 tasks ran when", "0 of 1 tasks ran when");
    project.check(
        &said,
        &expect![[r#"
            rolled_back by launchway: 0 of 1 tasks ran when its time was over
            exit 6
            revision 1, 1 running, RegisterTaskDefinition 1, RunTask 0, UpdateService 2
        "#]],
    );
}

#[test]
fn an_image_that_is_not_there_is_taken_back() {
    let project = Project::new(open(), &Unusual::default());
    let image = project.server.image("1.1");
    let (repository, _) = image.split_once('@').expect("it has a digest");
    let image = format!("{repository}@sha256:{}", "0".repeat(64));
    let said = project.deploy_image(&image, "9.9", &[]);
    project.check(
        &said,
        &expect![[r#"
        rolled_back by platform: ECS gave the deployment up and goes back to CLUSTER:1
        exit 6
        revision 1, 1 running, RegisterTaskDefinition 1, RunTask 0, UpdateService 1
    "#]],
    );
    let known = evidence(&said);
    for words in ["not_started", "CannotPullContainerError", "manifest unknown"] {
        assert!(known.contains(words), "{words}: {known}");
    }
    project.known_in_time(2);
}

#[test]
fn a_service_of_no_tasks_succeeds_and_says_that_nothing_runs() {
    let project = Project::new(open(), &Unusual { desired: 0, ..Unusual::default() });
    project.check(
        &project.deploy("1.1", &[]),
        &expect![[r#"
        succeeded by launchway vacuous: -
        exit 0
        revision 2, 0 running, RegisterTaskDefinition 1, RunTask 0, UpdateService 1
    "#]],
    );
}

/// Somebody else lets the service run something while we watch ours.
#[test]
fn what_somebody_else_ships_meanwhile_is_left_alone() {
    let project = Project::new(open(), &Unusual::default());
    let image = project.server.image("1.1");
    let args =
        ["deploy", "staging", "--yes", "--image", &image, "--version", "1.1", "--format", "json"];
    let mut child = project.launchway(&args);
    let child = child.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    wait_until("our update", || project.server.heard("UpdateService", &project.cluster) == 1);
    let app = json!({"name": "app", "image": project.server.image("1.2"), "memory": 32});
    let theirs = json!({"family": project.cluster, "containerDefinitions": [app]});
    let theirs = project.server.ok("ecs", "register_task_definition", theirs);
    let with = json!({"cluster": project.cluster, "service": "api-service",
        "taskDefinition": theirs["taskDefinition"]["taskDefinitionArn"]});
    project.server.ok("ecs", "update_service", with);
    let said = Said::from(child.wait_with_output().expect("it ends"));
    let words = without_ids(&ends(&said));
    // Theirs goes on, and comes to its end.
    project.wait_for_tasks(1);
    expect![[r#"
        superseded by launchway: another deployment took the place of this one: ecs-svc/ID lets api-service run CLUSTER:3
        exit 1
        revision 3, 1 running, RegisterTaskDefinition 1, RunTask 0, UpdateService 1
    "#]].assert_eq(&project.plain(&format!("{words}{}", project.there())));
}

#[test]
fn a_migration_runs_once_and_before_the_service_changes() {
    let migrate = ["sh", "-c", "echo created table tasks"];
    let project = Project::new(open(), &Unusual { migrate: Some(&migrate), ..Unusual::default() });
    project.check(
        &project.deploy("1.1", &[]),
        &expect![[r#"
        succeeded by launchway: -
        exit 0
        revision 2, 1 running, RegisterTaskDefinition 1, RunTask 1, UpdateService 1
    "#]],
    );
    project.check(
        &project.deploy("1.2", &["--skip-migrations"]),
        &expect![[r#"
        succeeded by launchway: -
        exit 0
        revision 3, 1 running, RegisterTaskDefinition 2, RunTask 1, UpdateService 2
    "#]],
    );
}

#[test]
fn a_migration_that_fails_changes_nothing_and_its_log_is_shown() {
    let migrate = ["sh", "-c", "echo adding column due; echo no such table: tasks; exit 7"];
    let project = Project::new(open(), &Unusual { migrate: Some(&migrate), ..Unusual::default() });
    let said = project.deploy("1.1", &[]);
    project.check(
        &said,
        &expect![[r#"
        rolled_back by launchway: the migration failed
        exit 6
        revision 1, 1 running, RegisterTaskDefinition 1, RunTask 1, UpdateService 0
    "#]],
    );
    expect![[r#"
        migration_failed: the migration failed
        exited: it ended with exit code 7
          platform: task ID: EssentialContainerExited: Essential container exited
          exit: container app ended with exit code 7
          log: app: adding column due
          log: app: no such table: tasks
    "#]]
    .assert_eq(&project.plain(&without_ids(&evidence(&said))));
}

/// ECS says that all is well; a smoke test does not.
#[test]
fn what_does_not_do_its_work_is_taken_back() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("    url: http://{}\n", listener.local_addr().expect("an address"));
    std::thread::spawn(move || {
        for mut connection in listener.incoming().flatten() {
            let _ = connection.read(&mut [0; 4096]);
            let _ = connection.write_all(
                b"HTTP/1.1 500 broken\r\ncontent-length: 13\r\nconnection: close\r\n\r\ndatabase down",
            );
        }
    });
    let more = format!("{url}    verify: {{ smoke: [{{ get: /tasks }}] }}\n");
    let project = Project::new(open(), &Unusual { more: &more, ..Unusual::default() });
    project.check(
        &project.deploy("1.1", &[]),
        &expect![[r#"
        rolled_back by launchway: smoke test 1 of 1 failed
        exit 6
        revision 1, 1 running, RegisterTaskDefinition 1, RunTask 0, UpdateService 2
    "#]],
    );
    let revision = project.service()["taskDefinition"].clone();
    assert!(revision.as_str().is_some_and(|it| it.ends_with(":1")), "{revision}");
}
