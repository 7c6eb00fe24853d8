//! `deploy.on`: what a job deploys where no person starts it.

use expect_test::{Expect, expect};

use crate::deploy::Project;

/// How a command ended, what runs then, and what was said about why.
fn check(project: &Project, args: &[&str], expect: &Expect) {
    let said = project.run(&[&["deploy", "staging"], args].concat());
    let starts = ["nothing", "error", "{\"type\":\"nothing_deployed\""];
    let told = |line: &&str| starts.iter().any(|start| line.starts_with(start));
    let told = said.stdout.lines().chain(said.stderr.lines()).find(told).unwrap_or_default();
    let runs = project.get("/version");
    expect.assert_eq(&format!("exit {}, {runs} {told}\n", said.exit));
}

#[test]
fn only_what_touches_the_paths_is_deployed_where_nobody_starts_it() {
    let project = Project::new("");
    let place = &project.place;
    let path = place.repository().join("launchway.yml");
    let settings = std::fs::read_to_string(path).expect("the settings").replace(
        "  staging:\n",
        "  staging:\n    level: 5\n    deploy: { on: { branch: main, paths: ['app/**', '!app/*.md'] } }\n",
    );
    place.write("launchway.yml", &settings);
    place.commit();
    // Nothing runs yet: all of it is new.
    check(
        &project,
        &["--version", "1.0"],
        &expect![[r#"
        exit 0, {"version": "1.0"} 
    "#]],
    );
    place.write("docs/page.md", "read this");
    place.write("app/notes.md", "and this");
    place.commit();
    check(
        &project,
        &[],
        &expect![[r#"
        exit 0, {"version": "1.0"} nothing is deployed to staging: nothing of app/**, !app/*.md changed since 1.0
    "#]],
    );
    check(
        &project,
        &["--format", "json"],
        &expect![[r#"
        exit 0, {"version": "1.0"} {"type":"nothing_deployed","environment":"staging","why":"nothing of app/**, !app/*.md changed since 1.0"}
    "#]],
    );
    // A person is not bound by it.
    check(
        &project,
        &["--yes", "--version", "1.0"],
        &expect![[r#"
        exit 0, {"version": "1.0"} 
    "#]],
    );
    project.version("1.1");
    place.write("docs/page.md", "read that");
    place.commit();
    // The push before the last one counts as well: its deployment may have failed.
    check(
        &project,
        &["--version", "1.1"],
        &expect![[r#"
        exit 0, {"version": "1.1"} 
    "#]],
    );
    check(
        &project,
        &["--version", "1.2"],
        &expect![[r#"
        exit 0, {"version": "1.1"} nothing is deployed to staging: nothing of app/**, !app/*.md changed since 1.1
    "#]],
    );
    check(
        &project,
        &["--version", "1.1", "--force"],
        &expect![[r#"
        exit 0, {"version": "1.1"} 
    "#]],
    );
    place.git(&["checkout", "--quiet", "-b", "other"]);
    project.version("1.3");
    check(
        &project,
        &[],
        &expect![[r#"
        exit 4, {"version": "1.1"} error: staging is deployed to by itself from main; this is other
    "#]],
    );
    check(
        &project,
        &["--yes"],
        &expect![[r#"
        exit 0, {"version": "1.3"} 
    "#]],
    );
}
