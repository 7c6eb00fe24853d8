//! Deployments that a server is asked to stop, or to go on with: whoever drives one is told, and says who wanted it.

use std::process::{Child, Stdio};

use expect_test::expect;

use super::Asker;
use crate::approvals::served::Server;
use crate::deploy::Project;
use crate::harness::{Place, wait_until};

/// A deployment that waits for an hour to pass.
fn waiting(place: &Place, number: usize) -> Child {
    let said = place.path(&format!("said-{number}"));
    let file = std::fs::File::create(&said).expect("a file of ours");
    let mut deploy = place.launchway(&["deploy", "production", "--yes", "--format", "json"]);
    let child =
        deploy.stdin(Stdio::null()).stdout(file).stderr(Stdio::null()).spawn().expect("it starts");
    wait_until("it waits", || {
        std::fs::read_to_string(&said).unwrap_or_default().contains("\"gate_waiting\"")
    });
    child
}

#[test]
fn a_deployment_is_stopped_by_a_server() {
    let project = Project::new("    level: 4\n    protect: { wait: 1h }");
    let place = &project.place;
    let server = Server::over(place, &[]);
    let data = place.state().display().to_string();
    let made = |args: &[&str]| {
        let said = place.run(&[&["tokens", "create"], args, &["--data", &data]].concat());
        assert_eq!(said.exit, 0, "{}", said.stderr);
        said.stdout.trim().to_owned()
    };
    let (looks_on, lenas) =
        (made(&["looks on"]), made(&["lena", "--scope", "operate", "--person", "lena"]));
    let reader = Asker { place, url: &server.url, token: &looks_on };
    let lena = Asker { token: &lenas, ..reader };
    lena.check(
        &["deployments", "cancel"],
        "",
        &expect![[r#"
            error: nothing was deployed yet
            exit 2
        "#]],
    );

    let mut driven = waiting(place, 1);
    reader.check(
        &["deployments", "cancel", "1"],
        "",
        &expect![[r#"
            error: this token may read; this needs one that may operate in production
            exit 4
        "#]],
    );
    let told = expect![[r#"
        deployment 1 is told to stop; launchway deployments watch 1 --server URL shows how
        exit 0
    "#]];
    lena.check(&["deployments", "cancel", "1", "--reason", "not today"], "", &told);
    assert_eq!(driven.wait().expect("it ends").code(), Some(130));
    lena.check(
        &["deployments", "cancel", "1"],
        "",
        &expect![[r#"
            error: deployment 1 is over: cancelled
            exit 2
        "#]],
    );
    // What it wanted of whom is in the trail, said by who drove it.
    let trail = place.run(&["audit", "export", "--data", &data]);
    let cancelled: Vec<_> =
        trail.lines().into_iter().filter(|it| it["action"] == "deployment.cancel").collect();
    let said: Vec<_> = cancelled
        .iter()
        .map(|it| ["actor", "proof", "source", "reason"].map(|key| it[key].as_str().unwrap_or("")))
        .collect();
    assert_eq!(said, [["lena", "token", "api", "not today"]]);

    // Nobody drives it any more, and it changed nothing.
    let mut killed = waiting(place, 2);
    killed.kill().expect("it runs");
    killed.wait().expect("it is dead");
    lena.check(
        &["deployments", "resume", "2"],
        "",
        &expect![[r#"
            error: a server goes on with no deployment: it has neither the settings of planner nor what signs in to its targets
            hint: in a clone of the project, on the server's machine: launchway deployments resume 2 --state DIR, with the server's folder
            hint: the next deployment to production finishes it first, too
            hint: it changed nothing yet: launchway deployments cancel 2 --server URL ends it
            exit 2
        "#]],
    );
    let ended = lena.run(&["deployments", "cancel", "2"]);
    let first = ended.stdout.lines().next().unwrap_or_default();
    assert!(first.starts_with("⊘ cancelled: api 1.0 to production (deployment 2"), "{first}");
    assert_eq!(ended.exit, 130, "{}", ended.stderr);
    lena.check(
        &["deployments", "resume", "2"],
        "",
        &expect![[r#"
            error: deployment 2 is over: cancelled
            exit 2
        "#]],
    );

    // At the machine whoever drives it says who and why, too.
    let mut driven = waiting(place, 3);
    let said = project.run(&["deployments", "cancel", "3", "--reason", "by hand"]);
    assert_eq!(
        said.stderr,
        "deployment 3 is told to stop; launchway deployments watch 3 shows how\n"
    );
    assert_eq!(driven.wait().expect("it ends").code(), Some(130));
    let shown = project.run(&["deployments", "show", "3"]).stdout;
    assert!(shown.contains("wanted it to end: by hand"), "{shown}");
}
