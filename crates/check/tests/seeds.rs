//! What the rules find in the seeds' workflows: the last column of `docs/seeds.md`.
//!
//! Notes about tags and time limits are left out of the table; a test of their own counts them.

use std::path::Path;
use std::sync::Arc;

use check::{CheckContext, check_node};
use expect_test::{Expect, expect};
use syntax::{Diagnostic, Source, yaml};

fn source(name: &str) -> Arc<Source> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/seeds").join(name);
    #[expect(
        clippy::disallowed_methods,
        reason = "the examples lie on the disk; the crate itself stays pure"
    )]
    let text = std::fs::read_to_string(path).expect("an example");
    Source::new(name, text)
}

fn findings(name: &str) -> Vec<Diagnostic> {
    let source = source(name);
    let (root, mistakes) = yaml::read(&source);
    assert!(mistakes.is_empty(), "{mistakes:?}");
    check_node(&source, &root.expect("not empty"), &CheckContext::default())
}

fn row(finding: &Diagnostic) -> String {
    let label = &finding.labels[0];
    let line = label.source.place(label.span.start).line;
    let text = label.source.slice(label.span).lines().next().unwrap_or("");
    format!("{line} {} {}: {} <- {text}\n", finding.severity, finding.rule, finding.message)
}

#[expect(clippy::needless_pass_by_value, reason = "the macro makes the value at the call")]
fn check(name: &str, expect: Expect) {
    let quiet = |found: &Diagnostic| {
        found.rule == "missing-timeout"
            || (found.rule == "unpinned-action" && found.message.contains("tag"))
    };
    let table: String = findings(name).iter().filter(|found| !quiet(found)).map(row).collect();
    expect.assert_eq(&table);
}

#[test]
fn s0_test() {
    check("s0-test.yml", expect![[""]]);
}

#[test]
fn s0_build() {
    check(
        "s0-build.yml",
        expect![[r#"
        29 warning image-not-loaded: the image sandbox-broker-api:test was built into the builder's cache only, Docker does not have it <- docker run --rm sandbox-broker-api:test --version
        29 warning hidden-failure: `|| echo Built successfully` ends well whatever the command did: this step cannot fail <- echo "Built successfully"
    "#]],
    );
}

#[test]
fn s0_terraform() {
    check(
        "s0-terraform.yml",
        expect![[r#"
        35 warning plan-without-backend: `terraform plan` after `init -backend=false` does not know the state <- terraform plan -no-color
    "#]],
    );
}

#[test]
fn s0_deploy() {
    check(
        "s0-deploy.yml",
        expect![[r#"
        18 note case-ignored: 'deploy' passes for 'DEPLOY': `==` ignores case <- github.event.inputs.confirm
        29 error token-without-permission: aws-actions/configure-aws-credentials signs in by OIDC, but the job's token has no `id-token: write` <- aws-actions/configure-aws-credentials@v4
        40 note outsider-text-in-run: whoever starts the workflow chooses `github.event.inputs.version`, and here it becomes part of a script <- github.event.inputs.version
        48 note outsider-text-in-run: whoever starts the workflow chooses `github.event.inputs.version`, and here it becomes part of a script <- github.event.inputs.version
    "#]],
    );
}

#[test]
fn s0_rollback() {
    check(
        "s0-rollback.yml",
        expect![[r#"
        16 note case-ignored: 'rollback' passes for 'ROLLBACK': `==` ignores case <- github.event.inputs.confirm
        20 error token-without-permission: aws-actions/configure-aws-credentials signs in by OIDC, but the job's token has no `id-token: write` <- aws-actions/configure-aws-credentials@v4
        30 note outsider-text-in-run: whoever starts the workflow chooses `github.event.inputs.task_revision`, and here it becomes part of a script <- github.event.inputs.task_revision
    "#]],
    );
}

#[test]
fn s2_main() {
    check(
        "s2-main.yml",
        expect![[r#"
        57 warning unreachable-service: the service 'postgres' maps no port, so nothing listens on localhost:5432 <- postgresql://postgres:postgres@localhost/test
        57 warning service-database-missing: the service 'postgres' makes no database 'test' <- postgresql://postgres:postgres@localhost/test
        58 warning unreachable-service: the service 'redis' maps no port, so nothing listens on localhost:6379 <- redis://localhost:6379
        75 warning unpinned-action: trufflesecurity/trufflehog@main runs whatever is on that branch today <- trufflesecurity/trufflehog@main
        78 warning empty-scan: this scans nothing: after a push to the default branch base and head are one commit, and a checkout of depth 1 has no such branch <- ${{ github.event.repository.default_branch }}
        116 error cloud-command-without-credentials: `aws ecs` needs a sign-in, and the job 'deploy-dev' has none <- aws ecs update-service \
        128 error cloud-command-without-credentials: `aws ecs` needs a sign-in, and the job 'deploy-staging' has none <- aws ecs update-service \
        146 error cloud-command-without-credentials: `aws ecs` needs a sign-in, and the job 'deploy-production' has none <- aws ecs update-service \
        151 error missing-required-input: slackapi/slack-github-action@v1 needs SLACK_WEBHOOK_URL or SLACK_BOT_TOKEN in its environment <- slackapi/slack-github-action@v1
        153 warning unknown-input: slackapi/slack-github-action@v1 has no input 'webhook-url' <- webhook-url
    "#]],
    );
}

#[test]
fn s4_deploy() {
    check(
        "s4-deploy.yml",
        expect![[r#"
            22 error token-without-permission: aws-actions/configure-aws-credentials signs in by OIDC, but the job's token has no `id-token: write` <- aws-actions/configure-aws-credentials@v4
            51 warning unknown-output: no step of the job 'deploy' has the id 'vars' <- steps.vars.outputs.image_uri
            56 warning unknown-output: no step of the job 'deploy' has the id 'task-def' <- steps.task-def.outputs.task-definition
            57 warning unknown-variable: nobody sets the variable 'ENV' <- env.ENV
            58 warning unknown-variable: nobody sets the variable 'ENV' <- env.ENV
        "#]],
    );
}

#[test]
fn tags_and_missing_time_limits_are_noted() {
    let count =
        |name: &str, rule: &str| findings(name).iter().filter(|found| found.rule == rule).count();
    assert_eq!(count("s2-main.yml", "missing-timeout"), 7);
    assert_eq!(count("s2-main.yml", "unpinned-action"), 11);
}

#[test]
fn github_takes_every_file() {
    let names =
        ["s0-test", "s0-build", "s0-terraform", "s0-deploy", "s0-rollback", "s2-main", "s4-deploy"];
    for name in names {
        let (workflow, mistakes) = workflow::read(&source(&format!("{name}.yml")));
        assert!(workflow.is_some(), "{name}");
        assert_eq!(mistakes, [], "{name}: all their mistakes show when they run");
    }
}
