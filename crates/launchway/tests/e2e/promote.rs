//! What ran well below goes up, the very same digest; and what a job of GitHub's sees of it.

use expect_test::expect;

use crate::deploy::Project;
use crate::harness::Said;

/// Digest, version and verdict of a deployment.
fn end(said: &Said) -> (String, String) {
    let ends = said.of("deployment_completed");
    let end = ends.first().unwrap_or_else(|| panic!("no end: {}{}", said.stdout, said.stderr));
    let word = |key: &str| end[key].as_str().unwrap_or_default().to_owned();
    (word("digest"), format!("{} {} exit {}", word("version"), word("verdict"), said.exit))
}

#[test]
fn a_bundle_goes_up_as_it_is() {
    let project = Project::new("    deploy: { promote: staging }\n");
    let promote = ["promote", "production", "--yes"];
    let said = project.run(&promote);
    assert_eq!(said.exit, 4, "{}", said.stderr);
    assert!(
        said.stderr.contains("no release of any service ran well in staging"),
        "{}",
        said.stderr
    );
    let (digest, ended) = end(&project.place.json(&["deploy", "staging", "--yes"]));
    assert_eq!(ended, "1.0 succeeded exit 0");
    // What lies here by now does not matter, not even what is not committed.
    project.version("2.0");
    project.place.write("app/version", "3.0");
    let (promoted, ended) = end(&project.place.json(&promote));
    assert_eq!((promoted, &*ended), (digest.clone(), "1.0 succeeded exit 0"));
    project.place.commit();
    // 3.0 was never below.
    let said = project.run(&["deploy", "production", "--yes"]);
    assert_eq!(said.exit, 4, "{}", said.stderr);
    assert!(said.stderr.contains("never ran well in staging"), "{}", said.stderr);
    // What failed below does not go up; what ran well before it does.
    project.version("4.0-broken");
    let (_, ended) = end(&project.place.json(&["deploy", "staging", "--yes"]));
    assert_eq!(ended, "4.0-broken rolled_back exit 6");
    let said = project.run(&["promote", "production", "--yes", "--version", "4.0-broken"]);
    assert_eq!(said.exit, 4, "{}", said.stderr);
    let (promoted, _) = end(&project.place.json(&promote));
    assert_eq!(promoted, digest);
    let said = project.run(&["promote", "staging", "--yes"]);
    expect![[r#"
        error: nothing says from where staging takes its releases
        hint: write `deploy: { promote: ENVIRONMENT }` under environments.staging
    "#]]
    .assert_eq(&said.stderr);
}

#[test]
fn a_job_of_githubs_gets_groups_annotations_a_summary_and_outputs() {
    let project = Project::new("");
    let run = |args: &[&str]| {
        let mut command = project.place.launchway(args);
        for (variable, file) in [("GITHUB_STEP_SUMMARY", "summary"), ("GITHUB_OUTPUT", "output")] {
            drop(std::fs::remove_file(project.place.path(file)));
            command.env(variable, project.place.path(file));
        }
        command.env("GITHUB_ACTIONS", "true");
        let output = command.output().expect("it starts");
        let read =
            |file: &str| std::fs::read_to_string(project.place.path(file)).unwrap_or_default();
        (Said::from(output), read("summary"), read("output"))
    };
    let deploy = ["deploy", "staging", "--yes", "--format", "github"];
    let (said, summary, output) = run(&deploy);
    assert_eq!(said.exit, 0, "{}", said.stdout);
    let commands = |said: &Said| -> String {
        let lines = said.stdout.lines().filter(|line| line.starts_with("::"));
        let cut = |line: &str| {
            let line = line.split(" (deployment").next().unwrap_or(line);
            let line = line.split("%0A  | GET").next().unwrap_or(line);
            line.split("Plan ").next().unwrap_or(line).to_owned() + "\n"
        };
        lines.map(cut).collect()
    };
    expect![[r#"
        ::group::
        ::endgroup::
        ::notice title=staging::✓ succeeded: api 1.0 to staging
    "#]]
    .assert_eq(&commands(&said));
    let first: Vec<&str> = summary.lines().take(4).collect();
    let first = first.join("\n");
    let (before, after) = first.split_once(" (").expect("a duration");
    expect![[r#"
        ### ✅ release to `staging`: succeeded (..

        | service | version | digest |
        |---|---|---|"#]]
    .assert_eq(&format!("{before} (..{}", after.split_once(')').expect("its end").1));
    assert!(summary.contains("| `api/health` | "), "{summary}");
    let values: Vec<&str> = output.lines().filter(|it| !it.starts_with("end_")).collect();
    assert!(values[0].starts_with("deployment<<end_") && values[1] == "1", "{output}");
    assert!(values.contains(&"succeeded") && values.contains(&"1.0"), "{output}");
    // One that goes back is an error on the run's page.
    project.version("1.1-broken");
    let (said, summary, _) = run(&deploy);
    assert_eq!(said.exit, 6, "{}", said.stdout);
    expect![[r#"
        ::group::
        ::endgroup::
        ::error title=api/smoke::smoke test 1 of 1 failed
        ::warning title=going back::smoke test 1 of 1 failed
        ::notice title=staging::api/migrate stays: a migration is never undone; the settings say that the release before works with it
        ::error title=staging::✗ rolled back: api 1.1-broken to staging
    "#]].assert_eq(&commands(&said));
    assert!(summary.contains("rolled back"), "{summary}");
    // What is refused before it begins, too.
    project.place.write("app/version", "2");
    let (said, _, _) = run(&deploy);
    expect![[r#"
        ::error title=launchway::1 file is not committed (app/version): what is shipped could not be found again%0Acommit; or ship what was built elsewhere: --from DIR --version VERSION
    "#]].assert_eq(&said.stderr);
}

/// A job's home goes with it, and a journal there with it.
#[test]
fn a_job_whose_journal_would_go_with_it_deploys_nothing() {
    let project = Project::new("");
    let deploys = format!(
        "on: push
jobs:
  ship:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v5
      - run: '{0} deploy staging --plan > /dev/null && echo planned'
      - run: '{0} deploy staging --yes 2>&1'
",
        env!("CARGO_BIN_EXE_launchway")
    );
    project.place.write(".github/workflows/ship.yml", &deploys);
    project.place.commit();
    let said = project.place.run(&["run", "push"]);
    assert_eq!(said.exit, 1, "{}{}", said.stdout, said.stderr);
    assert!(said.stdout.contains("planned"), "{}", said.stdout);
    let error = "this deployment would be known to nobody: its journal goes with the job (";
    assert!(said.stdout.contains(error), "{}", said.stdout);
    assert!(said.stdout.contains("share it: `journal: s3://BUCKET/PREFIX`"), "{}", said.stdout);
}
