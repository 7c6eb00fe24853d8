//! `launchway init` in copies of the examples and of the seeds' repositories: what it writes is good
//! as it is.

use std::path::Path;

use expect_test::{Expect, expect};

use crate::harness::{Place, Said};

/// A repository with a copy of an example, some files left out.
fn example(name: &str, without: &[&str]) -> Place {
    let place = Place::with(&[]);
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples").join(name);
    copy(&from, &place.repository());
    for path in without {
        let path = place.repository().join(path);
        if path.is_dir() {
            std::fs::remove_dir_all(path).expect("it is there");
        } else {
            std::fs::remove_file(path).expect("it is there");
        }
    }
    place.commit();
    place
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder of ours");
    for entry in std::fs::read_dir(from).expect("a folder").flatten() {
        let (path, to) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy(&path, &to);
        } else {
            std::fs::copy(&path, &to).expect("a copy");
        }
    }
}

fn seed(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/seeds").join(name);
    std::fs::read_to_string(path).expect("a seed")
}

/// Differences are told line by line elsewhere.
fn told(said: &Said, expect: &Expect) {
    let is_talk = |line: &&str| !line.starts_with(['+', '-', ' ']) && !line.ends_with(".yml:");
    let said = Said {
        stderr: said.stderr.lines().filter(is_talk).map(|line| format!("{line}\n")).collect(),
        stdout: said.stdout.clone(),
        exit: said.exit,
    };
    expect.assert_eq(&format!("{}{}exit {}\n", said.stdout, said.stderr, said.exit));
}

/// What it wrote has no mistake, and not even a warning.
fn is_good(place: &Place) {
    let said = place.run(&["check", "--deny", "warnings"]);
    assert_eq!(said.exit, 0, "{}{}", said.stdout, said.stderr);
}

#[test]
fn a_fastapi_service_gets_settings_that_can_be_deployed() {
    let place = example("fastapi-service", &["launchway.yml"]);
    told(
        &place.run(&["init"]),
        &expect![[r#"
        found    api: FastAPI in app/main.py
        found    staging: this machine; no workflow names a place
        found    production: this machine; no workflow names a place
        wrote    launchway.yml
                   what is shipped, and where to
        next: launchway check, then launchway deploy staging --plan
        exit 0
    "#]],
    );
    is_good(&place);
    place.commit();
    let said = place.run(&["deploy", "staging", "--plan"]);
    assert_eq!(said.exit, 0, "{}", said.stderr);
    assert!(said.stdout.contains("api: nothing runs"), "{}", said.stdout);
    let text = std::fs::read_to_string(place.repository().join("launchway.yml")).expect("written");
    expect![[r##"
        # What is shipped, where to, and what must be so before and after. `launchway check` finds mistakes,
        # `launchway settings show` says what is in force, defaults included; `launchway init` wrote this.
        version: 1
        project: repository

        services:
          api:
            # `launchway build` makes its image of this.
            build: { context: . }
            # FastAPI in app/main.py.
            run: [sh, '-c', 'exec python3 -m uvicorn app.main:app --port "$PORT"']
            # A new version counts once this has been well for so long.
            health: { paths: [/health], settle: 2s }

        environments:
          staging:
            # A person starts every deployment; at level 5 a push may.
            level: 4
            # This machine, behind Launchway's own proxy.
            targets: { host: 127.0.0.1:8080 }
          production:
            # A person starts every deployment; at level 5 a push may.
            level: 4
            # Only what ran well there, the very same digest: launchway promote
            deploy: { promote: staging }
            # Whoever starts it types this word.
            protect: { confirm: DEPLOY }
            # This machine, behind Launchway's own proxy.
            targets: { host: 127.0.0.1:8081 }
    "##]].assert_eq(&text);
    // A second time there is nothing to do.
    told(
        &place.run(&["init"]),
        &expect![[r#"
        found    api: FastAPI in app/main.py
        found    staging: this machine; no workflow names a place
        found    production: this machine; no workflow names a place
        as it is launchway.yml
        next: launchway check, then launchway deploy staging --plan
        exit 0
    "#]],
    );
}

#[test]
fn a_backend_and_a_frontend_get_settings_too() {
    let place = example("fullstack", &[]);
    told(
        &place.run(&["init"]),
        &expect![[r#"
            found    frontend: a guess: package.json has no `start`: its files are served as they are
            found    staging: this machine; no workflow names a place
            found    production: this machine; no workflow names a place
            passed   backend: Python, and nothing in it listens: no service
            wrote    launchway.yml
                       what is shipped, and where to
            next: launchway check, then launchway deploy staging --plan
            exit 0
        "#]],
    );
    is_good(&place);
    place.commit();
    let said = place.run(&["deploy", "staging", "--plan"]);
    assert_eq!(said.exit, 0, "{}", said.stderr);
}

#[test]
fn what_is_there_is_not_overwritten_unseen() {
    let place = example("fastapi-service", &[]);
    let path = place.repository().join("launchway.yml");
    let before = std::fs::read_to_string(&path).expect("it is there");
    let said = place.run(&["init"]);
    assert_eq!(said.exit, 4, "{}", said.stdout);
    assert!(said.stdout.contains("kept     launchway.yml"), "{}", said.stdout);
    assert!(
        said.stderr.contains("\n- project: planner\n+ project: repository\n"),
        "{}",
        said.stderr
    );
    assert_eq!(std::fs::read_to_string(&path).expect("it is there"), before);
    let said = place.run(&["init", "--dry-run"]);
    assert_eq!(said.exit, 0, "{}", said.stderr);
    assert_eq!(std::fs::read_to_string(&path).expect("it is there"), before);
    let said = place.json(&["init", "--yes"]);
    assert_eq!(said.of("file")[0]["became"], "overwritten", "{}", said.stdout);
    crate::json::check_lines(&crate::json::documented(), "init", &said.lines());
    is_good(&place);
}

/// The workflows of a team, with a Dockerfile.
fn team(workflows: &[&str]) -> Place {
    let mut files = vec![("Dockerfile".to_owned(), "FROM scratch\n".to_owned())];
    for name in workflows {
        files.push((format!(".github/workflows/{name}"), seed(name)));
    }
    let files: Vec<(&str, &str)> =
        files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    Place::with(&files)
}

#[test]
fn the_first_seeds_five_workflows_are_mended_and_their_service_is_found() {
    let place = team(&[
        "s0-build.yml",
        "s0-deploy.yml",
        "s0-rollback.yml",
        "s0-terraform.yml",
        "s0-test.yml",
    ]);
    told(
        &place.run(&["init", "--yes"]),
        &expect![[r#"
            found    web: an image, by Dockerfile
            found    production: ECS, cluster sandbox-broker-cluster
            wrote    launchway.yml
                       what is shipped, and where to
            wrote    .github/workflows/s0-build.yml
                       the image sandbox-broker-api:test was built into the builder's cache only, Docker does not have it [image-not-loaded]
                       `|| echo Built successfully` ends well whatever the command did: this step cannot fail [hidden-failure]
            wrote    .github/workflows/s0-deploy.yml
                       'deploy' passes for 'DEPLOY': `==` ignores case [case-ignored]
                       aws-actions/configure-aws-credentials signs in by OIDC, but the job's token has no `id-token: write` [token-without-permission]
                       whoever starts the workflow chooses `github.event.inputs.version`, and here it becomes part of a script [outsider-text-in-run]
                       whoever starts the workflow chooses `github.event.inputs.version`, and here it becomes part of a script [outsider-text-in-run]
            wrote    .github/workflows/s0-rollback.yml
                       'rollback' passes for 'ROLLBACK': `==` ignores case [case-ignored]
                       aws-actions/configure-aws-credentials signs in by OIDC, but the job's token has no `id-token: write` [token-without-permission]
                       whoever starts the workflow chooses `github.event.inputs.task_revision`, and here it becomes part of a script [outsider-text-in-run]
            wrote    .github/workflows/s0-terraform.yml
                       `terraform plan` after `init -backend=false` does not know the state [plan-without-backend]
            its role: launchway environments iam production --as terraform
            next: launchway check, then launchway deploy production --plan
            exit 0
        "#]],
    );
    is_good(&place);
    let text = std::fs::read_to_string(place.repository().join("launchway.yml")).expect("written");
    expect![[r##"
        # What is shipped, where to, and what must be so before and after. `launchway check` finds mistakes,
        # `launchway settings show` says what is in force, defaults included; `launchway init` wrote this.
        version: 1
        project: repository
        # What was deployed is written down on this machine, and no other one deploys. Where others do, it is a
        # bucket that they share: s3://BUCKET/PREFIX (docs/shared-journal.md).
        journal: alone

        services:
          web:
            # `launchway build` makes its image of this.
            build: { context: . }
            # The repository that the workflows push to.
            image: sandbox-broker-api
            # A new version counts once this has been well for so long.
            health: { paths: [/v1/healthz], settle: 30s }

        environments:
          production:
            # A person starts every deployment; at level 5 a push may.
            level: 4
            # Whoever starts it types this word.
            protect: { confirm: DEPLOY }
            url: https://api.example.com
            region: eu-central-1
            # With credentials of another account nothing is touched.
            account: "111122223333"
            credentials: { assume: "arn:aws:iam::111122223333:role/GithubActionsDeployRole" }
            targets: { ecs: { cluster: sandbox-broker-cluster, service: sandbox-broker-api, container: sandbox-broker-api } }
    "##]].assert_eq(&text);
}

#[test]
fn the_third_seeds_workflow_is_mended_and_its_environments_are_found() {
    let place = team(&["s2-main.yml"]);
    told(
        &place.run(&["init", "--yes"]),
        &expect![[r#"
            found    web: an image, by Dockerfile
            found    dev: ECS, cluster dev-cluster
            found    staging: ECS, cluster staging-cluster
            found    production: ECS, cluster prod-cluster
            wrote    launchway.yml
                       what is shipped, and where to
            wrote    .github/workflows/s2-main.yml
                       the service 'postgres' maps no port, so nothing listens on localhost:5432 [unreachable-service]
                       the service 'postgres' makes no database 'test' [service-database-missing]
                       the service 'redis' maps no port, so nothing listens on localhost:6379 [unreachable-service]
                       trufflesecurity/trufflehog@main runs whatever is on that branch today [unpinned-action]
                       this scans nothing: after a push to the default branch base and head are one commit, and a checkout of depth 1 has no such branch [empty-scan]
                       `aws ecs` needs a sign-in, and the job 'deploy-dev' has none [cloud-command-without-credentials]
                       `aws ecs` needs a sign-in, and the job 'deploy-staging' has none [cloud-command-without-credentials]
                       `aws ecs` needs a sign-in, and the job 'deploy-production' has none [cloud-command-without-credentials]
                       slackapi/slack-github-action@v1 needs SLACK_WEBHOOK_URL or SLACK_BOT_TOKEN in its environment [missing-required-input]
            its role: launchway environments iam dev --as terraform
            its role: launchway environments iam staging --as terraform
            its role: launchway environments iam production --as terraform
            next: launchway check, then launchway deploy dev --plan
            exit 0
        "#]],
    );
    is_good(&place);
    let text = std::fs::read_to_string(place.repository().join("launchway.yml")).expect("written");
    expect![[r#"
        # What is shipped, where to, and what must be so before and after. `launchway check` finds mistakes,
        # `launchway settings show` says what is in force, defaults included; `launchway init` wrote this.
        version: 1
        project: repository
        # What was deployed is written down on this machine, and no other one deploys. Where others do, it is a
        # bucket that they share: s3://BUCKET/PREFIX (docs/shared-journal.md).
        journal: alone

        services:
          web:
            # `launchway build` makes its image of this.
            build: { context: . }
            # The repository that the workflows push to.
            image: company-app

        environments:
          dev:
            # A person starts every deployment; at level 5 a push may.
            level: 4
            region: us-east-1
            targets: { ecs: { cluster: dev-cluster, service: app-service } }
          staging:
            # A person starts every deployment; at level 5 a push may.
            level: 4
            # Only what ran well there, the very same digest: launchway promote
            deploy: { promote: dev }
            url: https://staging.example.com
            services:
              web:
                # A new version counts once this has been well for so long.
                health: { paths: [/health], settle: 30s }
            region: us-east-1
            targets: { ecs: { cluster: staging-cluster, service: app-service } }
          production:
            # A person starts every deployment; at level 5 a push may.
            level: 4
            # Only what ran well there, the very same digest: launchway promote
            deploy: { promote: staging }
            # Whoever starts it types this word.
            protect: { confirm: DEPLOY }
            url: https://app.example.com
            services:
              web:
                # A new version counts once this has been well for so long.
                health: { paths: [/health], settle: 30s }
            region: us-east-1
            targets: { ecs: { cluster: prod-cluster, service: app-service } }
    "#]].assert_eq(&text);
}

#[test]
fn what_cannot_be_mended_in_the_fifth_seeds_workflow_is_told() {
    let place = team(&["s4-deploy.yml"]);
    place.write("settings/README", "");
    place.write(".env.example", "LOG_LEVEL=info\n");
    told(
        &place.run(&["init", "--yes"]),
        &expect![[r#"
            found    web: an image, by Dockerfile
            found    dev: ECS, cluster conflicto-dev
            found    staging: ECS, cluster conflicto-staging
            found    prod: ECS, cluster conflicto-prod
            wrote    launchway.yml
                       what is shipped, and where to
            wrote    settings/dev.env.example
                       the variables of .env.example, for dev
            wrote    settings/staging.env.example
                       the variables of .env.example, for staging
            wrote    settings/prod.env.example
                       the variables of .env.example, for prod
            wrote    .github/workflows/s4-deploy.yml
                       aws-actions/configure-aws-credentials signs in by OIDC, but the job's token has no `id-token: write` [token-without-permission]
                       no step of the job 'deploy' has the id 'task-def' [unknown-output]
            left     .github/workflows/s4-deploy.yml:55: no step of the job 'deploy' has the id 'vars' [unknown-output]
            left     .github/workflows/s4-deploy.yml:61: nobody sets the variable 'ENV' [unknown-variable]
            left     .github/workflows/s4-deploy.yml:62: nobody sets the variable 'ENV' [unknown-variable]
            its role: launchway environments iam dev --as terraform
            its role: launchway environments iam staging --as terraform
            its role: launchway environments iam prod --as terraform
            next: launchway check, then launchway deploy dev --plan
            exit 0
        "#]],
    );
    let example = place.repository().join("settings/prod.env.example");
    assert_eq!(std::fs::read_to_string(example).expect("written"), "LOG_LEVEL=info\n");
}

/// S1 describes its repository and its four workflows, and writes none of them down.
fn two_services_of_django() -> Place {
    const REQUIREMENTS: &str = "django\npsycopg[binary]\nredis\n";
    let mut files = vec![
        ("ci-cd/environments/staging.env", "DEBUG=0\n"),
        ("ci-cd/environments/production.env", "DEBUG=0\n"),
        ("terraform/main.tf", "terraform {}\n"),
    ];
    let of = ["api/Dockerfile", "auth/Dockerfile"];
    files.extend(of.map(|path| (path, "FROM python:3.12-slim\nCOPY . /app\nUSER app\n")));
    let of = ["api/requirements.txt", "auth/requirements.txt"];
    files.extend(of.map(|path| (path, REQUIREMENTS)));
    let of = ["api/manage.py", "auth/manage.py", "api/tests/test_it.py", "auth/tests/test_it.py"];
    files.extend(of.map(|path| (path, "")));
    let place = Place::with(&files);
    place.commit();
    place
}

#[test]
fn s1_gets_its_four_workflows() {
    let place = two_services_of_django();
    told(
        &place.run(&["init", "--target", "ecs"]),
        &expect![[r#"
        found    api: an image, by api/Dockerfile
        found    auth: an image, by auth/Dockerfile
        found    staging: ECS, cluster repository-staging
        found    production: ECS, cluster repository-production
        wrote    launchway.yml
                   what is shipped, and where to
        wrote    .github/actions/launchway/action.yml
                   puts launchway on the PATH of a job
        wrote    .github/workflows/ci.yml
                   tests, for every pull request
        wrote    .github/workflows/cd-staging.yml
                   builds, and ships to staging
        wrote    .github/workflows/cd-production.yml
                   brings to production what ran well in staging
        wrote    .github/workflows/rollback.yml
                   goes back
        its role: launchway environments iam staging --as terraform
        its role: launchway environments iam production --as terraform
        next: launchway check, then launchway deploy staging --plan
        exit 0
    "#]],
    );
    is_good(&place);
    place.commit();
    let said = place.run(&["plan", "push", "-W", ".github/workflows/ci.yml"]);
    let (_, jobs) = said.stdout.split_once("\n\n").expect("what it is about, then the jobs");
    expect![[r#"
        ▶ CI  .github/workflows/ci.yml
          a change
          one at a time in the group ci-CI-refs/heads/main

          ● check      “Workflows and settings” · ubuntu-latest · 3 steps · token: contents read · 10 min at most
          ● test-api   ubuntu-latest · 5 steps · with postgres:15, redis:7 · token: contents read · 20 min at most
          ● test-auth  ubuntu-latest · 5 steps · with postgres:15, redis:7 · token: contents read · 20 min at most
          ● terraform  “Infrastructure” · ubuntu-latest · 5 steps · token: contents read · 10 min at most

          variables not set, so empty: LAUNCHWAY_SHA256 (.github/workflows/ci.yml:27), LAUNCHWAY_URL (.github/workflows/ci.yml:26); set with --var NAME=VALUE
    "#]].assert_eq(jobs);
    // What is there is kept, and told apart from what would be written.
    let said = place.run(&["init", "--target", "ecs", "--workflows"]);
    assert_eq!(said.exit, 0, "{}{}", said.stdout, said.stderr);
    assert!(said.stdout.contains("as it is .github/workflows/rollback.yml"), "{}", said.stdout);
}

#[test]
fn what_runs_nowhere_but_here_goes_to_no_cloud() {
    let place = Place::with(&[("package.json", r#"{"scripts": {"start": "node ."}}"#)]);
    place.commit();
    told(
        &place.run(&["init", "--target", "ecs"]),
        &expect![[r#"
        error: ECS runs images, and no service has a Dockerfile
        hint: --target host
        exit 3
    "#]],
    );
}
