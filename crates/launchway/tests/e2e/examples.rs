//! The repository's examples, run for real: Python packages from PyPI, Node packages from npm,
//! PostgreSQL and Redis as local programs. The corrected workflows succeed; those as two teams wrote
//! them end as `docs/seeds.md` says that they end on GitHub.

use std::path::Path;
use std::sync::Mutex;

use expect_test::{Expect, expect};

use crate::harness::{Place, Said, living};

/// Host ports belong to one test at a time.
static PORTS: Mutex<()> = Mutex::new(());

/// Where packages come from and who vouches for that is the machine's affair, as in jobs.
fn is_of_the_machine(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    let parts = ["PROXY", "CERT", "CA_BUNDLE", "CAINFO", "PYENV_ROOT"];
    let beginnings = ["PIP_", "UV_", "NPM_CONFIG_"];
    parts.iter().any(|part| name.contains(part))
        || beginnings.iter().any(|beginning| name.starts_with(beginning))
}

/// A repository made of an example.
fn example(name: &str) -> Place {
    let place = Place::with(&[]);
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    copy(&examples.join(name), &place.repository());
    place.commit();
    place
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder of ours");
    for entry in std::fs::read_dir(from).expect("an example") {
        let path = entry.expect("an entry").path();
        let to = to.join(path.file_name().expect("it has a name"));
        if path.is_dir() {
            copy(&path, &to);
        } else {
            std::fs::copy(&path, &to).expect("a file of ours");
        }
    }
}

/// Goes to a branch whose pull request touches the Terraform files.
fn change(place: &Place) {
    place.git(&["checkout", "--quiet", "-b", "change"]);
    place.write("terraform/outputs.tf", "output \"name\" {\n  value = \"planner\"\n}\n");
    place.commit();
}

fn check(place: &Place, args: &[&str], expect: Expect) -> Said {
    let mut command = place.launchway(&[&["run", "--format", "json"], args].concat());
    command.envs(std::env::vars().filter(|(name, _)| is_of_the_machine(name)));
    let said = Said::from(command.output().expect("the binary starts"));
    expect.assert_eq(&said.verdict());
    assert!(living(place).is_empty(), "{:?}", living(place));
    said
}

/// Whether a job's log has a line with this text.
fn says(said: &Said, job: &str, text: &str) -> bool {
    said.of("log")
        .iter()
        .any(|line| line["job"] == job && line["text"].as_str().is_some_and(|it| it.contains(text)))
}

#[test]
fn fullstack_is_built_on_both_sides_and_bundled() {
    let place = example("fullstack");
    check(
        &place,
        &[],
        expect![[r#"
        backend: success
        bundle: success
        frontend: success
        .github/workflows/ci.yml success
        exit 0
    "#]],
    );
    let page = place.run(&["runs", "show"]).stdout;
    assert!(page.contains("planner.tar.gz") || page.contains("./planner/__init__.py"), "{page}");
}

#[test]
fn the_corrected_service_passes_with_its_database_and_cache() {
    let _ports = PORTS.lock().expect("a test of the other workflow failed");
    let place = example("fastapi-service");
    check(
        &place,
        &[],
        expect![[r#"
        lint: success
        package: success
        security: success
        test: success
        .github/workflows/main.yml success
        exit 0
    "#]],
    );
    let artifacts = &place.shown()["artifacts"];
    assert_eq!(artifacts[0]["name"], "bundle", "{artifacts}");
}

#[test]
fn a_pull_request_runs_the_corrected_tests_and_terraform() {
    let place = example("fastapi-service");
    change(&place);
    let said = check(
        &place,
        &["pull_request", "-W", ".github/workflows/test.yml"],
        expect![[r#"
        unit-tests: success
        .github/workflows/test.yml success
        exit 0
    "#]],
    );
    assert!(says(&said, "unit-tests", "passed"), "{}", said.stdout);
    let said = place.json(&["run", "pull_request", "-W", ".github/workflows/terraform.yml"]);
    terraform(
        &said,
        expect![[r#"
        terraform: failure
          Setup Terraform: failure, failure
          Terraform Format Check: skipped, skipped
          Terraform Init: skipped, skipped
          Terraform Validate: skipped, skipped
          Security Scan with tfsec: skipped, skipped
        .github/workflows/terraform.yml failure
        exit 1
    "#]],
    );
}

#[test]
fn s0_test_as_written_passes() {
    let place = example("fastapi-service");
    change(&place);
    check(
        &place,
        &["pull_request", "-W", "as-written/s0-test.yml"],
        expect![[r#"
        unit-tests: success
        as-written/s0-test.yml success
        exit 0
    "#]],
    );
}

#[test]
fn s0_terraform_as_written_wants_a_version_by_name() {
    let place = example("fastapi-service");
    change(&place);
    let said = place.json(&["run", "pull_request", "-W", "as-written/s0-terraform.yml"]);
    terraform(
        &said,
        expect![[r#"
        terraform: failure
          Setup Terraform: failure, failure
          Terraform Format Check: skipped, skipped
          Terraform Init: skipped, skipped
          Terraform Validate: skipped, skipped
          Terraform Plan (read-only): skipped, skipped
          Security Scan with tfsec: skipped, skipped
        as-written/s0-terraform.yml failure
        exit 1
    "#]],
    );
}

/// Where Terraform 1.5.0 is not installed its setup fails, says which version is wanted and what to
/// do; no other version is taken instead.
fn terraform(said: &Said, expect: Expect) {
    let steps = said.of("step_completed");
    let setup = steps.iter().find(|step| step["name"] == "Setup Terraform").expect("it ran");
    if setup["outcome"] == "success" {
        assert!(says(said, "terraform", "1.5.0"), "{}", said.stdout);
        return;
    }
    expect.assert_eq(&said.verdict());
    assert!(says(said, "terraform", "Terraform 1.5.0 is not on this machine"), "{}", said.stdout);
    assert!(says(said, "terraform", "hint: install it"), "{}", said.stdout);
}

/// `test` fails since no service maps a port, and everything behind it is skipped. The scanner of
/// dependencies asks a server of its own, which may be out of reach; that step is taken out where the
/// verdict of the one behind it is looked at.
#[test]
fn s2_main_as_written_ends_as_documented() {
    let _ports = PORTS.lock().expect("a test of the other workflow failed");
    let place = example("fastapi-service");
    let path = place.repository().join("as-written/s2-main.yml");
    let written = std::fs::read_to_string(&path).expect("the example has it");
    let without = written
        .replace("          pip install safety\n          safety check\n", "          true\n");
    assert_ne!(written, without);
    place.write("as-written/s2-main.yml", &without);
    place.commit();
    let said = check(
        &place,
        &["push", "-W", "as-written/s2-main.yml", "--environment", "production"],
        expect![[r#"
            build: skipped
            deploy-dev: skipped
            deploy-production: skipped
            deploy-staging: skipped
            lint: success
            security: failure
              Scan for secrets: failure, failure
            test: failure
              Run tests: failure, failure
              Upload coverage: skipped, skipped
              Post Set up Python: skipped, skipped
            as-written/s2-main.yml failure
            exit 1
        "#]],
    );
    assert!(says(&said, "test", "port 5432 failed: Connection refused"), "{}", said.stdout);
    assert!(says(&said, "security", "BASE and HEAD commits are the same"), "{}", said.stdout);
}
