//! Deployments while the remote that says who may deploy cannot be asked.

use expect_test::{Expect, expect};

use crate::deploy::Project;

/// Deploys without anybody asked, and says how it ended and what the person was told.
fn check(project: &Project, environment: &str, expect: &Expect) {
    let said = project.run(&["deploy", environment, "--yes"]);
    let is_told = |line: &&str| {
        ["note: the rules", "error", "  help"].iter().any(|start| line.starts_with(start))
    };
    let remote = project.place.path("remote.git").display().to_string();
    let told: Vec<String> = said
        .stderr
        .lines()
        .filter(is_told)
        .map(|line| line.replace(&remote, "/remote.git"))
        .map(|line| match line.split_once(" were read ") {
            Some((start, end)) => {
                let (_, branch) = end.split_once(" from ").expect("where from");
                let branch = branch.split_once(" at ").expect("at which commit").0;
                format!("{start} were read AGE ago, from {branch} at COMMIT")
            }
            None => line,
        })
        .collect();
    let runs = project.get("/version");
    expect.assert_eq(&format!("exit {}, {runs}\n{}\n", said.exit, told.join("\n")));
}

#[test]
fn what_nothing_protects_is_deployed_by_the_rules_that_were_read_last() {
    let project = Project::new("    protect: { wait: 1h }");
    let place = &project.place;
    let (remote, away) = (place.path("remote.git"), place.path("away.git"));
    let address = remote.display().to_string();
    place.git(&["init", "--quiet", "--bare", "--initial-branch", "main", &address]);
    place.git(&["remote", "add", "origin", &address]);
    place.git(&["push", "--quiet", "origin", "HEAD:refs/heads/main"]);
    let goes = || std::fs::rename(&remote, &away).expect("it goes away");
    let comes = || std::fs::rename(&away, &remote).expect("it comes back");
    // Nobody here ever heard the rules.
    goes();
    check(
        &project,
        "staging",
        &expect![[r#"
        exit 5, 
        error: the rules cannot be read
    "#]],
    );
    comes();
    check(
        &project,
        "staging",
        &expect![[r#"
        exit 0, {"version": "1.0"}

    "#]],
    );
    goes();
    project.version("1.1");
    check(
        &project,
        "staging",
        &expect![[r#"
        exit 0, {"version": "1.1"}
        note: the rules cannot be read: the remote /remote.git cannot be asked: '/remote.git' does not appear to be a git repository; staging is held to the rules that were read AGE ago, from main at COMMIT
    "#]],
    );
    check(
        &project,
        "production",
        &expect![[r#"
        exit 5, {"version": "1.1"}
        error: the rules cannot be read
    "#]],
    );
    // What the settings here say now is no more than a wish, and so is what the clone holds of the remote.
    let settings = place.repository().join("launchway.yml");
    let protected = std::fs::read_to_string(&settings).expect("the settings");
    place.write("launchway.yml", &protected.replace("protect: { wait: 1h }", "level: 4"));
    project.version("1.2");
    place.git(&["update-ref", "refs/remotes/origin/main", "HEAD"]);
    check(
        &project,
        "production",
        &expect![[r#"
        exit 5, {"version": "1.1"}
        error: the rules cannot be read
    "#]],
    );
    // And the other way round: what is protected here now waits.
    let staging = "  staging:\n";
    place.write(
        "launchway.yml",
        &protected.replace(staging, "  staging:\n    protect: { wait: 1h }\n"),
    );
    project.version("1.3");
    check(
        &project,
        "staging",
        &expect![[r#"
        exit 5, {"version": "1.1"}
        error: the rules cannot be read
    "#]],
    );
    place.write("launchway.yml", &protected);
    project.version("1.4");
    // Another address said nothing yet.
    place.git(&["remote", "set-url", "origin", &place.path("other.git").display().to_string()]);
    check(
        &project,
        "staging",
        &expect![[r#"
        exit 5, {"version": "1.1"}
        error: the rules cannot be read
    "#]],
    );
    place.git(&["remote", "set-url", "origin", &address]);
    // Long ago is too long ago.
    for entry in std::fs::read_dir(place.state().join("rules")).expect("they are kept").flatten() {
        let text = std::fs::read_to_string(entry.path()).expect("a file");
        let mut kept: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        let at = kept["at_ms"].as_u64().expect("a time");
        kept["at_ms"] = (at - 8 * 24 * 60 * 60 * 1_000).into();
        std::fs::write(entry.path(), kept.to_string()).expect("a file");
    }
    check(
        &project,
        "staging",
        &expect![[r#"
        exit 5, {"version": "1.1"}
        error: the rules cannot be read
    "#]],
    );
    // Going back needs nobody.
    let said = project.run(&["rollback", "staging", "--to", "1.0", "--reason", "slow", "--yes"]);
    assert_eq!(
        (said.exit, project.get("/version")),
        (0, "{\"version\": \"1.0\"}".to_owned()),
        "{}",
        said.stderr
    );
}
