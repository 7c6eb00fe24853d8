//! The secret scan, the coverage keeper and the Terraform scanner.

use std::os::unix::fs::PermissionsExt;

use crate::bench::{Bench, Ran};

/// A token that no scanner finds in this file.
fn token() -> String {
    format!("gh{}_{}", "p", "aB3dE5fG7hI9jK1lM3nO5pQ7rS9tU1vW3xY5")
}

/// The user's repository with a secret in its second-newest commit, checked out in full.
fn scanned(depth: &str) -> (Bench, [String; 3]) {
    let mut bench = Bench::new();
    bench.user_repository();
    bench.write("user/src/config.py", format!("a = 1\nTOKEN = '{}'\n", token()));
    bench.git("user", &["add", "-A"]);
    bench.git("user", &["commit", "-q", "-m", "secret"]);
    bench.write("user/later.txt", "x\n");
    bench.git("user", &["add", "-A"]);
    bench.git("user", &["commit", "-q", "-m", "later"]);
    let at = |name: &str| bench.git("user", &["rev-parse", name]);
    let commits = [at("HEAD~2"), at("HEAD~1"), at("HEAD")];
    bench.set("GITHUB_SHA", commits[2].clone());
    bench.run("checkout", &[("fetch-depth", depth)]).ok();
    (bench, commits)
}

fn push(bench: &mut Bench, before: &str, after: &str, commits: &str) -> Ran {
    bench.write(
        "event.json",
        format!(r#"{{"before":"{before}","after":"{after}","commits":{commits}}}"#),
    );
    let event = bench.path("event.json").display().to_string();
    bench.set("GITHUB_EVENT_PATH", event);
    bench.set("GITHUB_EVENT_NAME", "push");
    bench.run("trufflehog", &[("path", "./")])
}

#[test]
fn a_secret_in_the_range_fails_and_is_not_shown() {
    let (mut bench, [before, secret, head]) = scanned("0");
    let ran = push(&mut bench, &before, &head, "[{}]");
    assert_eq!(ran.code, 1);
    assert!(
        ran.log
            .contains("::error file=src/config.py,line=2,title=Possible secret%3A GitHub token::"),
        "{}",
        ran.log
    );
    assert!(ran.log.contains(&secret[..12]));
    assert!(!ran.log.contains(&token()) && !bench.read("GITHUB_STEP_SUMMARY").contains(&token()));
    assert!(bench.read("GITHUB_STEP_SUMMARY").contains("`src/config.py:2`"));
    let behind = push(&mut bench, &secret, &head, "[{}]").ok();
    assert!(behind.log.contains("1 added lines scanned: 0 secrets"), "{}", behind.log);
    let fresh = push(&mut bench, "0000000000000000000000000000000000000000", &head, "[{}]");
    assert_eq!(fresh.code, 1, "a new branch is scanned whole");
    let nothing = push(&mut bench, &before, &head, "[]").ok();
    assert!(nothing.log.contains("No commits to scan"));
}

#[test]
fn the_extent_is_the_originals() {
    let (mut bench, [before, secret, _]) = scanned("0");
    bench.set("GITHUB_EVENT_NAME", "workflow_dispatch");
    let run = |inputs: &[(&str, &str)]| bench.run("trufflehog", inputs);
    assert_eq!(run(&[]).code, 1, "everything");
    let same = run(&[("base", "HEAD"), ("head", "main")]);
    assert_eq!(same.code, 1);
    assert!(same.log.contains("BASE and HEAD commits are the same"), "{}", same.log);
    assert_eq!(run(&[("base", &secret), ("head", "HEAD")]).code, 0);
    assert_eq!(run(&[("base", &before)]).code, 1);
    let unknown = run(&[("base", "nowhere"), ("head", "HEAD")]).ok();
    let says = "::warning::nothing was scanned: `nowhere` is not a commit of this clone";
    assert!(unknown.log.contains(says), "{}", unknown.log);
    // A branch that only the clone's origin has is found there.
    bench.git("work", &["update-ref", "refs/remotes/origin/develop", &before]);
    let remote = run(&[("base", "develop"), ("head", "HEAD")]);
    assert!(remote.log.contains(&format!("scanning the commits {before}..")), "{}", remote.log);
    assert_eq!(remote.code, 1);
    bench.write("work/skip", "^src/\n");
    let inputs =
        [("base", before.as_str()), ("extra_args", "--only-verified --exclude-paths=skip")];
    let skipped = bench.run("trufflehog", &inputs).ok();
    assert!(skipped.log.contains("::warning::input `extra_args` is not enforced: --only-verified"));
    // The objects lie on this machine, but the clone ends before them, as it would on GitHub.
    let (mut shallow, [before, _, head_too]) = scanned("1");
    let ran = push(&mut shallow, &before, &head_too, "[{}]").ok();
    let says = format!("::warning::nothing was scanned: `{before}` is not a commit of this clone");
    assert!(ran.log.contains(&says), "{}", ran.log);
    assert!(ran.log.contains("give actions/checkout `fetch-depth: 0`"));
    // The second seed: a push to another branch than main, which its checkout does not bring.
    shallow.git("work", &["checkout", "--quiet", "-b", "develop"]);
    shallow.git("work", &["branch", "--quiet", "-D", "main"]);
    shallow.git("work", &["update-ref", "-d", "refs/remotes/origin/main"]);
    let ran = shallow.run("trufflehog", &[("base", "main"), ("head", "HEAD")]).ok();
    assert!(ran.log.contains("nothing was scanned: `main`"), "{}", ran.log);
}

#[test]
fn coverage_is_kept_with_the_run() {
    let mut bench = Bench::new();
    bench.set("GITHUB_JOB", "test");
    let ran = bench.run("codecov", &[]).ok();
    assert!(ran.log.contains("::warning::No coverage reports found"), "{}", ran.log);
    assert_eq!(bench.run("codecov", &[("fail_ci_if_error", "true")]).code, 1);
    bench.write("work/coverage.xml", "<coverage line-rate=\"0.875\" branches=\"0\">");
    bench.write("work/web/lcov.info", "LF:10\nLH:5\n");
    bench.write("work/node_modules/x/coverage.xml", "theirs");
    let inputs = [("files", "./coverage.xml"), ("flags", "unit"), ("override_branch", "x")];
    let ran = bench.run("codecov", &inputs).ok();
    for line in [
        "report coverage.xml: lines covered 87.5 %",
        "report web/lcov.info: lines covered 50.0 %",
        "kept with the run as coverage-unit@test",
        "::notice::no token is set: the coverage is kept with the run",
        "input `override_branch` is not enforced",
    ] {
        assert!(ran.log.contains(line), "{line}: {}", ran.log);
    }
    bench.run("download-artifact", &[("name", "coverage-unit@test"), ("path", "got")]).ok();
    assert!(bench.path("work/got/web/lcov.info").exists());
    assert!(!bench.path("work/got/node_modules").exists());
    let again = bench.run("codecov", &inputs).ok();
    assert!(again.log.contains("kept with the run as coverage-unit@test-2"));
    for (inputs, name) in [
        (&[][..], "coverage-test"),
        (&[("name", "of a night")], "coverage-test@of-a-night"),
        (&[("flags", "api, unit"), ("name", "x")], "coverage-api+unit@test-x"),
    ] {
        let ran = bench.run("codecov", inputs).ok();
        assert!(ran.log.contains(&format!("kept with the run as {name}\n")), "{}", ran.log);
    }
    let with_token = bench.run("codecov", &[("token", "t")]).ok();
    assert!(
        with_token.log.contains("::warning::a token is set, but sending"),
        "{}",
        with_token.log
    );
    assert_eq!(bench.run("codecov", &[("token", "t"), ("fail_ci_if_error", "true")]).code, 5);
}

#[test]
fn terraform_is_scanned_by_what_is_installed() {
    let mut bench = Bench::new();
    bench.write("work/infra/main.tf", "");
    let bin = bench.path("bin").display().to_string();
    // Only the tests' own programs: whatever the machine has installed stays out.
    bench.set("PATH", format!("{bin}:/nowhere"));
    let missing = bench.run("tfsec", &[("working_directory", "infra")]);
    assert_eq!(missing.code, 5);
    assert!(missing.log.contains("hint: install one: trivy"), "{}", missing.log);
    let install = |name: &str| {
        bench.write(&format!("bin/{name}"), "#!/bin/sh\necho \"ran $*\"\nexit 3\n");
        let mode = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(bench.path(&format!("bin/{name}")), mode).expect("chmod");
    };
    install("trivy");
    let ran = bench.run("tfsec", &[("working_directory", "infra"), ("additional_args", "--x")]);
    assert_eq!((ran.code, ran.outputs["tfsec-return-code"].as_str()), (1, "3"));
    assert!(
        ran.log.contains("ran config --format table --exit-code 1 --skip-check-update"),
        "{}",
        ran.log
    );
    assert!(ran.log.contains("input `additional_args` is not enforced"));
    install("tfsec");
    let ran = bench.run("tfsec", &[("soft_fail", "true"), ("additional_args", "--x --y")]);
    assert!(ran.log.contains("ran --format=default --soft-fail --x --y"), "{}", ran.log);
}
