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
    let printed = |args: &[&str]| place.json(&[&["run"], args].concat()).printed();
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
