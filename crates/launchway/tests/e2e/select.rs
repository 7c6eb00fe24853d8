//! Which files of a work tree are workflows, and what is said where none is.

use expect_test::expect;

use crate::harness::Place;

const SAYS: &str =
    "on: push\njobs: { job: { runs-on: ubuntu-latest, steps: [{ run: 'echo = NAME' }] } }\n";

// proves: conformance 1
#[test]
fn c1_workflows_are_the_yaml_files_directly_in_the_folder() {
    let file = |name: &str| (format!(".github/workflows/{name}"), SAYS.replace("NAME", name));
    let names = [
        "a.yml",
        "b.yaml",
        ".hidden.yml",
        "C.yml",
        "d.YML",
        "e.yml.txt",
        "f",
        "sub/g.yml",
        "h.json",
    ];
    let files: Vec<(String, String)> = names.into_iter().map(file).collect();
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (&**path, &**text)).collect();
    let place = Place::with(&files);
    // Neither a folder with such a name nor a file elsewhere is one.
    place.write(".github/workflows/folder.yml/x", "");
    place.write(".github/h.yml", SAYS);
    place.write("i.yml", SAYS);
    let expected = expect![[r#"
        ".github/workflows/.hidden.yml"
        ".github/workflows/C.yml"
        ".github/workflows/a.yml"
        ".github/workflows/b.yaml""#]];
    for args in [&[][..], &["--committed"]] {
        let said = place.json(&[&["run"], args].concat());
        let mut ran: Vec<String> =
            said.of("run_completed").iter().map(|line| line["workflow"].to_string()).collect();
        ran.sort();
        expected.assert_eq(&ran.join("\n"));
    }
}

// proves: conformance 1
#[test]
fn c1_the_file_of_the_commit_or_of_the_work_tree_is_read() {
    let place = Place::workflow(&SAYS.replace("NAME", "committed"));
    place.write(".github/workflows/ci.yml", &SAYS.replace("NAME", "changed"));
    place.write(".github/workflows/new.yml", &SAYS.replace("NAME", "new"));
    // One job at a time: both files' jobs have the same name.
    let printed = |args: &[&str]| place.json(&[&["run", "--width", "1"], args].concat()).printed();
    expect![[r#"
        job = changed
        job = new
    "#]]
    .assert_eq(&printed(&[]));
    expect![[r#"
        job = committed
    "#]]
    .assert_eq(&printed(&["--committed"]));
}

// proves: conformance 1
#[test]
fn c1_links_are_read_as_git_keeps_them() {
    let place = Place::workflow(&SAYS.replace("NAME", "plain"));
    place.write("shared/ci.yml", &SAYS.replace("NAME", "linked"));
    let link = |target: &str, name: &str| {
        std::os::unix::fs::symlink(target, place.repository().join(name)).expect("a link of ours");
    };
    link("../../shared/ci.yml", ".github/workflows/linked.yml");
    place.commit();
    let expected = expect![[r#"
        error[workflow-link]: this file is a symbolic link, which GitHub does not follow
         --> .github/workflows/linked.yml:1:1
          |
        1 | ../../shared/ci.yml
          | ^^^^^^^^^^^^^^^^^^^
        3"#]];
    for args in [&[][..], &["--committed"]] {
        let said = place.run(&[&["run"], args].concat());
        let refused: Vec<&str> = said.stderr.lines().take(5).collect();
        expected.assert_eq(&format!("{}\n{}", refused.join("\n"), said.exit));
    }
    let checked = place.run(&["check", "--format", "json"]);
    expect![[r#"
        {"file":".github/workflows/ci.yml","line":2,"column":9,"end_line":2,"end_column":12,"severity":"note","rule":"missing-timeout","message":"the job 'job' may hang for 360 minutes","hint":"add `timeout-minutes`, a little more than its longest good run"}
        {"file":".github/workflows/linked.yml","line":1,"column":1,"end_line":1,"end_column":20,"severity":"error","rule":"workflow-link","message":"this file is a symbolic link, which GitHub does not follow","hint":"make it a file, or call the other one as a reusable workflow"}
    "#]].assert_eq(&checked.stdout);
    // Who names it means it.
    let said = place.json(&["run", "-W", ".github/workflows/linked.yml"]);
    expect![[r#"
        job = linked
        job: success
        .github/workflows/linked.yml success
        exit 0
    "#]]
    .assert_eq(&said.story());
    // Behind a link there is no folder for GitHub.
    std::fs::rename(place.repository().join(".github"), place.repository().join("hidden"))
        .expect("renamed");
    link("hidden", ".github");
    place.commit();
    let expected = expect![[r#"
        error: there is no workflow file in .github/workflows
        hint: workflows are *.yml files in .github/workflows; or name one: -W FILE
        hint: to see how it all works without one: launchway demo
        2"#]];
    for args in [&[][..], &["--committed"]] {
        let said = place.run(&[&["run"], args].concat());
        expected.assert_eq(&format!("{}{}", said.stderr, said.exit));
    }
}

/// What is said of a workflow on `push` and `pull_request` whose head commit has this message.
fn skipped(message: &str, event: &str) -> String {
    let place = Place::workflow(
        "on: [push, pull_request, workflow_dispatch]\njobs: { job: { runs-on: ubuntu-latest, steps: [{ run: 'true' }] } }\n",
    );
    place.git(&["checkout", "--quiet", "-b", "feature"]);
    place.git(&["commit", "--quiet", "--allow-empty", "--message", message]);
    let said = place.run(&["run", event, "--format", "json"]);
    assert_eq!(said.exit, 0, "{}", said.stderr);
    match said.of("run_completed").len() {
        0 => said.stderr.lines().last().unwrap_or_default().trim().to_owned(),
        _ => "runs".to_owned(),
    }
}

// proves: conformance 23
#[test]
fn c23_words_of_the_head_commit_skip_pushes_and_pull_requests() {
    for word in ["[skip ci]", "[ci skip]", "[no ci]", "[skip actions]", "[actions skip]"] {
        let said = format!(".github/workflows/ci.yml: The commit's message says {word}.");
        assert_eq!(skipped(&format!("a change {word} of ours"), "push"), said);
        assert_eq!(skipped(&format!("a change\n\nmore {word}"), "pull_request"), said);
    }
    for trailer in ["skip-checks: true", "skip-checks:true"] {
        let said = ".github/workflows/ci.yml: The commit's message says skip-checks: true.";
        assert_eq!(skipped(&format!("a change\n\n\n{trailer}"), "push"), said);
    }
    assert_eq!(skipped("skip ci", "push"), "runs");
    assert_eq!(skipped("skip-checks: true\n\nand more", "push"), "runs");
    assert_eq!(skipped("[skip ci]", "workflow_dispatch"), "runs");
    // A workflow that is named is wanted.
    let place = Place::workflow(
        "on: push\njobs: { job: { runs-on: ubuntu-latest, steps: [{ run: 'true' }] } }\n",
    );
    place.git(&["commit", "--quiet", "--allow-empty", "--message", "[skip ci]"]);
    let said = place.json(&["run", "-W", ".github/workflows/ci.yml"]);
    assert_eq!(said.of("run_completed").len(), 1);
}

/// Why a workflow with this trigger does not run on a payload; `runs` where it does.
fn on_payload(on: &str, event: &str, payload: &str) -> String {
    let place = Place::workflow(&format!(
        "on:\n  {on}\njobs: {{ job: {{ runs-on: ubuntu-latest, steps: [{{ run: 'true' }}] }} }}\n"
    ));
    let path = place.path("event.json");
    std::fs::write(&path, payload).expect("a file of ours");
    let path = path.display().to_string();
    let said = place.json(&["run", event, "--event-path", &path]);
    assert_eq!(said.exit, 0, "{}", said.stderr);
    match said.of("run_completed").len() {
        0 => said.stderr.lines().last().unwrap_or_default().trim().to_owned(),
        _ => "runs".to_owned(),
    }
}

// proves: conformance 28, 36
#[test]
fn c28_merge_groups_and_images_reach_their_filters() {
    let group = r#"{ "action": "checks_requested", "merge_group": { "base_ref": "refs/heads/main", "head_ref": "refs/heads/gh-readonly-queue/main/pr-1" } }"#;
    let merge_group =
        |on: &str| on_payload(&format!("merge_group: {{ {on} }}"), "merge_group", group);
    assert_eq!(merge_group("branches: [main]"), "runs");
    expect![".github/workflows/ci.yml: No pattern of `branches` lets the branch main through."]
        .assert_eq(&merge_group("branches: ['release/**']"));
    expect![".github/workflows/ci.yml: `branches-ignore` leaves out the branch main."]
        .assert_eq(&merge_group("branches-ignore: [main]"));
    let image =
        r#"{ "action": "ready", "image_version": { "name": "builder", "version": "1.2.0" } }"#;
    let image_version = |on: &str| {
        on_payload(&format!("image_version: {{ types: [ready], {on} }}"), "image_version", image)
    };
    assert_eq!(image_version("names: [builder], versions: ['1.2.0']"), "runs");
    expect![".github/workflows/ci.yml: `names` has other, not builder."]
        .assert_eq(&image_version("names: [other]"));
    expect![".github/workflows/ci.yml: `versions` has 1.3.0, not 1.2.0."]
        .assert_eq(&image_version("versions: ['1.3.0']"));
    let pull = r#"{ "action": "opened", "number": 1, "pull_request": { "number": 1, "base": { "ref": "main" }, "head": { "ref": "feature", "sha": "0123456789012345678901234567890123456789" } } }"#;
    let pull_request =
        |on: &str| on_payload(&format!("pull_request: {{ {on} }}"), "pull_request", pull);
    assert_eq!(pull_request("branches: [main]"), "runs");
    expect![".github/workflows/ci.yml: No pattern of `branches` lets the branch main through."]
        .assert_eq(&pull_request("branches: [feature]"));
}

/// Hosts send what somebody's client sent: a name that the workflow does not declare counts for
/// nothing. Typed on the command line, it is a slip.
// proves: conformance 26
#[test]
fn c26_undeclared_inputs_of_a_payload_count_for_nothing() {
    let place = Place::workflow(
        "on:\n  workflow_dispatch:\n    inputs:\n      known: { required: true }\njobs:\n  job:\n    runs-on: ubuntu-latest\n    steps:\n      - run: echo '= ${{ join(inputs.*) }}'\n      - run: \"echo '= ${{ github.event.inputs.other }}.'\"\n",
    );
    let path = place.path("event.json");
    std::fs::write(&path, r#"{ "inputs": { "known": "a", "other": "b" } }"#).expect("ours");
    let path = path.display().to_string();
    assert_eq!(place.json(&["plan", "workflow_dispatch", "--event-path", &path]).exit, 0);
    let said = place.json(&["run", "workflow_dispatch", "--event-path", &path]);
    assert_eq!(said.exit, 0, "{}", said.stderr);
    expect![[r#"
        job = a
        job = .
    "#]]
    .assert_eq(&said.printed());
    let typed = ["run", "workflow_dispatch", "--input", "known=a", "--input", "other=b"];
    let typed = place.run(&typed);
    assert_eq!(typed.exit, 3);
    expect![[r#"
        error: .github/workflows/ci.yml has no input other
        hint: it has: known
    "#]]
    .assert_eq(&typed.stderr);
}
