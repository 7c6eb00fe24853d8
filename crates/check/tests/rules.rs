//! Where a rule speaks and, more important, where it keeps quiet: cases that the pages do not show.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use check::{CheckContext, check_node};
use expect_test::{Expect, expect};
use syntax::{Source, yaml};

/// What one rule finds: line, severity, message, the text it points at.
#[expect(clippy::needless_pass_by_value, reason = "the macro makes the value at the call")]
fn check(rule: &str, text: &str, expect: Expect) {
    let called = yaml::read(&Source::new("called", CALLED)).0.expect("a tree");
    let workflows = BTreeMap::from([(".github/workflows/called.yml".into(), &called)]);
    let source = Source::new("ci.yml", text);
    let (root, mistakes) = yaml::read(&source);
    assert!(mistakes.is_empty(), "{mistakes:?}");
    let mut table = String::new();
    for found in check_node(&source, &root.expect("a tree"), &CheckContext { workflows }) {
        let label = &found.labels[0];
        let line = source.place(label.span.start).line;
        if found.rule == rule {
            let text = source.slice(label.span).lines().next().unwrap_or("");
            writeln!(table, "{line} {} {} <- {text}", found.severity, found.message)
                .expect("a string");
        }
    }
    expect.assert_eq(&table);
}

/// A job on a hosted runner with these steps.
fn job(steps: &str) -> String {
    let steps: String = steps.lines().map(|line| format!("      {line}\n")).collect();
    format!("on: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps:\n{steps}")
}

const CALLED: &str = "on: {workflow_call: {inputs: {tag: {type: string, required: true}, loud: {type: boolean}}}}\nconcurrency: ${{ github.workflow }}\njobs: {}\n";

#[test]
fn c110_permissions_count_as_they_hold_for_the_job() {
    let text = |permissions: &str, inputs: &str| {
        format!(
            "on: push\n{permissions}\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps:\n      - uses: aws-actions/configure-aws-credentials@v4\n        with: {{aws-region: eu-central-1, {inputs}}}\n      - uses: softprops/action-gh-release@v2\n"
        )
    };
    let role = "role-to-assume: arn";
    check("token-without-permission", &text("permissions: write-all", role), expect![""]);
    check(
        "token-without-permission",
        &text("permissions: {id-token: write, contents: write}", role),
        expect![""],
    );
    check("token-without-permission", &text("name: x", "aws-access-key-id: x"), expect![""]);
    check(
        "token-without-permission",
        &text("permissions: {contents: read}", role),
        expect![[r#"
        7 error aws-actions/configure-aws-credentials signs in by OIDC, but the job's token has no `id-token: write` <- aws-actions/configure-aws-credentials@v4
        9 warning softprops/action-gh-release needs `contents: write` <- softprops/action-gh-release@v2
    "#]],
    );
}

#[test]
fn c163_a_service_is_looked_for_where_the_steps_run() {
    let text = |job: &str, service: &str, url: &str| {
        format!(
            "on: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n{job}    services:\n      db: {{image: 'bitnami/postgres:16'{service}}}\n    env: {{U: '{url}'}}\n    steps:\n      - run: x\n"
        )
    };
    check(
        "unreachable-service",
        &text("", "", "postgres://u@localhost:5432/x"),
        expect![[r#"
        7 warning the service 'db' maps no port, so nothing listens on localhost:5432 <- postgres://u@localhost:5432/x
    "#]],
    );
    check(
        "unreachable-service",
        &text("", "", "127.0.0.1:5432"),
        expect![[r#"
        7 warning the service 'db' maps no port, so nothing listens on localhost:5432 <- 127.0.0.1:5432
    "#]],
    );
    check("unreachable-service", &text("", "", "postgres://u@localhost:15432/x"), expect![""]);
    check("unreachable-service", &text("", "", "http://localhost/postgres://"), expect![""]);
    check(
        "unreachable-service",
        &text("", ", ports: [5432]", "postgres://u@localhost/x"),
        expect![""],
    );
    check(
        "unreachable-service",
        &text("    container: python:3\n", "", "postgres://u@localhost/x"),
        expect![""],
    );
}

#[test]
fn a_database_that_a_step_creates_is_not_missed() {
    let text = |env: &str, url: &str, run: &str| {
        format!(
            "on: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n    services:\n      db: {{image: 'postgres:16', env: {{{env}}}}}\n    steps:\n      - run: {run}\n        env: {{DATABASE_URL: '{url}'}}\n"
        )
    };
    let url = "postgresql+psycopg://app:x@localhost:5432/app?sslmode=off";
    check(
        "service-database-missing",
        &text("POSTGRES_PASSWORD: x", url, "x"),
        expect![[r#"
        9 warning the service 'db' makes no database 'app' <- 'postgresql+psycopg://app:x@localhost:5432/app?sslmode=off'
    "#]],
    );
    check("service-database-missing", &text("POSTGRES_USER: app", url, "x"), expect![""]);
    check(
        "service-database-missing",
        &text("POSTGRES_DB: '${{ vars.DB }}'", url, "x"),
        expect![""],
    );
    check(
        "service-database-missing",
        &text("POSTGRES_PASSWORD: x", url, "createdb app"),
        expect![""],
    );
    check(
        "service-database-missing",
        &text("POSTGRES_PASSWORD: x", "postgres://db.example.com/app", "x"),
        expect![""],
    );
}

#[test]
fn c145_inputs_of_known_versions_only() {
    check(
        "unknown-input",
        &job(
            "- uses: actions/setup-node@v4\n  with: {nodeversion: 20, wholly-unknown: 1}\n- uses: actions/setup-node@0123456789abcdef0123456789abcdef01234567\n  with: {nodeversion: 20}\n- uses: somebody/something@v1\n  with: {x: 1}\n- uses: codecov/codecov-action@v5\n  with: {plugins: x}\n- uses: actions/checkout@v4\n  with: {Fetch-Depth: 0}",
        ),
        expect![[r#"
            7 warning actions/setup-node@v4 has no input 'nodeversion' <- nodeversion
            7 warning actions/setup-node@v4 has no input 'wholly-unknown' <- wholly-unknown
        "#]],
    );
    check(
        "missing-required-input",
        &job(
            "- uses: actions/cache@v4\n  with: {path: x, key: ''}\n- uses: actions/cache@v4\n  with: ${{ fromJSON(vars.CACHE) }}\n- uses: actions/upload-artifact@v4",
        ),
        expect![[r#"
            6 error actions/cache@v4 needs the input 'key' <- actions/cache@v4
            10 error actions/upload-artifact@v4 needs the input 'path' <- actions/upload-artifact@v4
        "#]],
    );
}

#[test]
fn c80_steps_that_are_not_there_are_empty() {
    check(
        "unknown-output",
        &job(
            "- run: echo ${{ steps.later.outputs.x }} ${{ steps['LATER'].outcome }}\n- id: later\n  run: x\n- uses: actions/cache@v4\n  id: cache\n  if: steps.later.outputs.x == 'steps.none.outputs.y'\n- run: echo ${{ steps.cache.outputs.cache-hit }} ${{ steps.cache.outputs.hit }} ${{ toJSON(steps) }}\n- run: echo ${{ steps[env.ID].outputs.x }}",
        ),
        expect![[r#"
            6 warning the step 'later' has not run yet <- steps.later.outputs.x
            6 warning the step 'LATER' has not run yet <- steps['LATER'].outcome
            12 warning actions/cache has no output 'hit' <- steps.cache.outputs.hit
        "#]],
    );
    check(
        "unknown-need",
        "on: push\njobs:\n  a:\n    runs-on: x\n    steps: [{run: x}]\n  b:\n    needs: [A]\n    runs-on: x\n    steps:\n      - run: echo ${{ needs.a.result }} ${{ needs.a.outputs.x }} ${{ needs.c.result }} ${{ toJSON(needs.*.result) }}\n",
        expect![[r#"
            10 warning the job 'a' declares no output 'x' <- needs.a.outputs.x
            10 warning the job 'b' does not need 'c', so nothing of it is known here <- needs.c.result
        "#]],
    );
}

#[test]
fn c219_each_job_is_a_fresh_machine() {
    let rule = "cloud-command-without-credentials";
    check(rule, &job("- run: |\n    aws --version\n    aws configure set region x"), expect![""]);
    check(
        rule,
        &job(
            "- run: aws s3 ls --no-sign-request s3://x\n- run: |\n    if ! aws s3 ls; then exit 1; fi\n- run: aws s3 ls || echo none\n- run: aws s3 ls",
        ),
        expect![[r#"
            8 warning `aws s3` needs a sign-in, and the job 'a' has none <- if ! aws s3 ls
            9 warning `aws s3` needs a sign-in, and the job 'a' has none <- aws s3 ls
            10 error `aws s3` needs a sign-in, and the job 'a' has none <- aws s3 ls
        "#]],
    );
    check(rule, &job("- uses: somebody/sign-in@v1\n- run: aws s3 ls"), expect![""]);
    check(
        rule,
        &job(
            "- uses: actions/checkout@v4\n- run: docker push example.com/x\n- run: docker login -u x\n- run: docker push example.com/x",
        ),
        expect![[r#"
            7 error `docker push` needs a sign-in, and the job 'a' has none <- docker push example.com/x
        "#]],
    );
    check(
        rule,
        &job(
            "- run: kubectl version --client\n- run: cat <<X\n    aws s3 ls\n    X\n- run: kubectl apply -f x",
        ),
        expect![[r#"
            10 error `kubectl apply` needs a sign-in, and the job 'a' has none <- kubectl apply -f x
        "#]],
    );
    check(
        rule,
        "on: push\njobs:\n  a:\n    runs-on: [self-hosted, linux]\n    steps:\n      - run: aws s3 ls\n",
        expect![""],
    );
    check(
        rule,
        &job("- run: aws s3 ls\n  env: {AWS_PROFILE: x}\n- run: aws s3 ls\n  shell: pwsh"),
        expect![""],
    );
}

#[test]
fn outsiders_write_what_the_event_brings() {
    check(
        "outsider-text-in-run",
        "on:\n  workflow_dispatch: {inputs: {level: {type: choice, options: [a]}, text: {}}}\n  pull_request:\njobs:\n  a:\n    runs-on: x\n    steps:\n      - run: echo ${{ github.head_ref }} ${{ inputs.level }} ${{ inputs.text }} ${{ github.event.pull_request.number }}\n      - run: echo ${{ contains(github.event.commits[0].message, 'x') }}\n        env: {X: '${{ github.head_ref }}'}\n      - uses: actions/github-script@v7\n        with: {script: 'x(`${{ github.event.issue.title }}`)'}\n",
        expect![[r#"
            8 warning anybody can write `github.head_ref`, and here it becomes part of a script <- github.head_ref
            8 note whoever starts the workflow chooses `inputs.text`, and here it becomes part of a script <- inputs.text
            12 warning anybody can write `github.event.issue.title`, and here it becomes part of a script <- github.event.issue.title
        "#]],
    );
}

#[test]
fn c251_the_text_false_is_true() {
    check(
        "condition-always-true",
        &job(
            "- if: steps.a.outputs.flag\n  run: x\n- if: ${{ !needs.b.outputs.flag }}\n  run: x\n- if: steps.a.outputs.flag == 'true'\n  run: x\n- if: ${{ always() || true }}\n  run: x\n- if: github.event.inputs.dry\n  run: x\n- if: inputs.dry\n  run: x\n- if: true\n  run: x",
        ),
        expect![[r#"
            6 note `steps.a.outputs.flag` is a text, and the text 'false' is true <- steps.a.outputs.flag
            8 note `needs.b.outputs.flag` is a text, and the text 'false' is true <- ${{ !needs.b.outputs.flag }}
            12 warning `|| true` makes this condition true always <- ${{ always() || true }}
            14 note `github.event.inputs.dry` is a text, and the text 'false' is true <- github.event.inputs.dry
        "#]],
    );
    check(
        "never-runs",
        "on: [push]\njobs:\n  a: {runs-on: x, if: \"github.event_name == 'release'\", steps: [{run: x}]}\n  b: {runs-on: x, if: \"github.event_name == 'release' || github.ref == 'x'\", steps: [{run: x}]}\n  c: {runs-on: x, if: \"github.event_name != 'release'\", steps: [{run: x}]}\n",
        expect![[r#"
            3 error the job 'a' waits for the event 'release', which does not start this workflow <- "github.event_name == 'release'"
        "#]],
    );
    check(
        "never-runs",
        "on: []\njobs: {a: {runs-on: x, steps: [{run: x}]}}\n",
        expect![[r#"
            1 warning no event starts this workflow <- []
        "#]],
    );
}

#[test]
fn files_have_to_be_there() {
    let rule = "missing-checkout";
    check(
        rule,
        &job("- uses: ./.github/actions/x"),
        expect![[r#"
        6 error ./.github/actions/x is read from the workspace, which is empty here <- ./.github/actions/x
    "#]],
    );
    check(
        rule,
        &job(
            "- uses: actions/setup-python@v5\n- run: pip install black\n- run: npm install -g x\n- run: make\n- run: make again",
        ),
        expect![[r#"
            9 warning `make` reads files of the repository, and the workspace is empty here <- make
        "#]],
    );
    check(rule, &job("- run: git clone https://example.com/x\n- run: make"), expect![""]);
    check(rule, &job("- run: echo 'all:' > Makefile\n- run: make"), expect![""]);
}

#[test]
fn failures_are_hidden_only_where_nothing_else_can_fail() {
    let rule = "hidden-failure";
    check(
        rule,
        &job("- run: pytest || true\n- run: pytest | tee log || true\n- run: make || exit 0"),
        expect![[r#"
            6 warning `|| true` ends well whatever the command did: this step cannot fail <- true
            7 warning `|| true` ends well whatever the command did: this step cannot fail <- true
            8 warning `|| exit 0` ends well whatever the command did: this step cannot fail <- exit 0
        "#]],
    );
    check(
        rule,
        &job(
            "- run: rm -r x || true\n- run: docker rm x || true\n- run: grep x y || true\n- run: |\n    make\n    pytest || true\n- run: make || exit 1\n- run: a && b || true",
        ),
        expect![""],
    );
    check(
        "unchecked-pipe",
        &job(
            "- run: make | tee log\n- run: |\n    set -o pipefail\n    make | tee log\n- run: echo x | tee log\n- run: make | grep x\n- run: make | tee log\n  shell: bash -e {0}",
        ),
        expect![[r#"
            6 note a failure of `make` is lost: the pipe's status is that of `tee` <- make | tee log
            12 note a failure of `make` is lost: the pipe's status is that of `tee` <- make | tee log
        "#]],
    );
}

// proves: conformance 43
#[test]
fn c125_a_called_workflow_has_its_callers_name() {
    let text = "on: push\nconcurrency: {group: '${{github.workflow}}'}\njobs:\n  a:\n    uses: ./.github/workflows/called.yml\n    with: {tag: x, quiet: true}\n  b:\n    uses: ./.github/workflows/called.yml\n    secrets: inherit\n  c:\n    uses: ./.github/workflows/unseen.yml\n";
    check(
        "concurrency-deadlock",
        text,
        expect![[r#"
        5 error the called workflow waits for the group that this run holds <- ./.github/workflows/called.yml
        8 error the called workflow waits for the group that this run holds <- ./.github/workflows/called.yml
    "#]],
    );
    check(
        "call-inputs",
        text,
        expect![[r#"
        6 error the called workflow declares no input 'quiet' <- quiet
        8 error the called workflow requires the input 'tag' <- ./.github/workflows/called.yml
    "#]],
    );
    check(
        "concurrency-deadlock",
        "on: push\nconcurrency: Deploy\njobs:\n  a: {runs-on: x, concurrency: {group: deploy}, steps: [{run: x}]}\n  b: {runs-on: x, concurrency: other, steps: [{run: x}]}\n",
        expect![[r#"
            4 error the job 'a' waits for the group that its own workflow holds <- deploy
        "#]],
    );
}

#[test]
fn c168_old_commands() {
    check(
        "deprecated-command",
        &job(
            "- run: |\n    echo \"::set-output name=a::b\"\n    echo '::set-env name=a::b'\n    echo ::add-path::/x\n- run: echo '::set-env name=a::b'\n  env: {ACTIONS_ALLOW_UNSECURE_COMMANDS: true}",
        ),
        expect![[r#"
            7 warning the command `set-output` is going away <- ::set-output
            8 error the command `set-env` fails the step <- ::set-env
            9 error the command `add-path` fails the step <- ::add-path::
            10 warning the command `set-env` is going away <- ::set-env
        "#]],
    );
}

#[test]
fn c77_a_number_loses_its_last_zero() {
    check(
        "version-as-number",
        "on: push\njobs:\n  a:\n    runs-on: x\n    strategy: {matrix: {v: [3.9, 3.10, '3.20'], include: [{v: 1.20}], size: [10, 1.0]}}\n    steps:\n      - uses: actions/setup-go@v5\n        with: {go-version: 1.20, cache: true}\n",
        expect![[r#"
            5 warning 3.10 is the number 3.1 <- 3.10
            5 warning 1.20 is the number 1.2 <- 1.20
            8 warning 1.20 is the number 1.2 <- 1.20
        "#]],
    );
}

// proves: conformance 133
#[test]
fn c133_shells_that_are_none() {
    let text = |workflow: &str, of_job: &str, steps: &str| {
        let default = |shell: &str| format!("defaults: {{run: {{shell: {shell}}}}}");
        format!(
            "on: push\n{}\njobs:\n  a:\n    runs-on: x\n    {}\n    steps:\n{steps}",
            default(workflow),
            default(of_job)
        )
    };
    let all = "      - {run: a, shell: fish}\n      - parallel: [{run: b, shell: ' Fishy -c '}]\n      - {run: c}\n";
    check(
        "unknown-shell",
        &text("zsh", "perl", all),
        expect![[r#"
        6 error invalid shell option 'perl': it must be a known shell (bash, sh, pwsh, powershell, python) or hold '{0}' <- perl
        8 error invalid shell option 'fish': it must be a known shell (bash, sh, pwsh, powershell, python) or hold '{0}' <- fish
        9 error invalid shell option 'Fishy -c': it must be a known shell (bash, sh, pwsh, powershell, python) or hold '{0}' <- ' Fishy -c '
    "#]],
    );
    let fine = "      - {run: a, shell: BASH}\n      - {run: b, shell: 'perl -w {0}'}\n      - {run: c, shell: cmd}\n      - {run: d, shell: \"${{ matrix.shell }}\"}\n";
    // Nobody takes the defaults.
    check("unknown-shell", &text("zsh", "perl", fine), expect![""]);
    let default = text("zsh", "x", "      - {run: a}\n").replace("    defaults", "    x-defaults");
    check(
        "unknown-shell",
        &default,
        expect![[r#"
        2 error invalid shell option 'zsh': it must be a known shell (bash, sh, pwsh, powershell, python) or hold '{0}' <- zsh
    "#]],
    );
}

// proves: conformance 94
#[test]
fn c94_matrices_of_more_than_256_jobs() {
    let numbers = |count: usize| (0..count).map(|it| it.to_string()).collect::<Vec<_>>().join(", ");
    let check = |matrix: &str, expected: Expect| {
        let text = format!(
            "on: push\njobs:\n  a:\n    runs-on: x\n    strategy: {{matrix: {matrix}}}\n    steps: [{{run: a}}]\n"
        );
        let source = Source::new("ci.yml", &*text);
        let (root, _) = yaml::read(&source);
        let mut table = String::new();
        for found in check_node(&source, &root.expect("a tree"), &CheckContext::default()) {
            if found.rule == "matrix-too-large" {
                let hint = found.hint.unwrap_or_default();
                writeln!(table, "{}: {hint}", found.message).expect("a string");
            }
        }
        expected.assert_eq(&table);
    };
    let (large, small) = (numbers(257), numbers(16));
    check(
        &format!("{{n: [{large}]}}"),
        expect![[r#"
            the matrix makes more than 256 jobs: it makes at least 257: `exclude` some, or split it over two jobs
        "#]],
    );
    check(&format!("{{a: [{small}], b: [{small}]}}"), expect![""]);
    check(
        &format!("{{a: [{small}], b: [{small}], c: [1, 2]}}"),
        expect![[r#"
            the matrix makes more than 256 jobs: it makes at least 512: `exclude` some, or split it over two jobs
        "#]],
    );
    check(&format!("{{n: [{large}], exclude: [{{n: 7}}]}}"), expect![""]);
    check(
        &format!("{{n: [{large}], exclude: [{{n: 700}}]}}"),
        expect![[r#"
            the matrix makes more than 256 jobs: it makes at least 257: `exclude` some, or split it over two jobs
        "#]],
    );
    // A text may equal a number.
    check(&format!("{{n: [{large}], exclude: [{{n: '700'}}]}}"), expect![""]);
    check(&format!("{{n: [{large}], exclude: \"${{{{ fromJSON(vars.NOT) }}}}\"}}"), expect![""]);
    check(
        &format!("{{n: [{large}], m: \"${{{{ fromJSON(vars.M) }}}}\"}}"),
        expect![[r#"
            the matrix makes more than 256 jobs: it makes at least 257: `exclude` some, or split it over two jobs
        "#]],
    );
    check("\"${{ fromJSON(vars.M) }}\"", expect![""]);
    // What fills in the others adds none; what contradicts all of them is one more.
    let of =
        |more: &str| format!("{{a: [{small}], b: [{small}], include: [{{a: 3, x: y}}{more}]}}");
    check(&of(""), expect![""]);
    check(
        &of(", {a: 16}"),
        expect![[r#"
            the matrix makes more than 256 jobs: it makes at least 257: `exclude` some, or split it over two jobs
        "#]],
    );
    let alone: Vec<String> = (0..257).map(|it| format!("{{n: {it}}}")).collect();
    check(
        &format!("{{include: [{}]}}", alone.join(", ")),
        expect![[r#"
            the matrix makes more than 256 jobs: it makes at least 257: `exclude` some, or split it over two jobs
        "#]],
    );
}

#[test]
fn images_and_plans() {
    let build = "- uses: docker/setup-buildx-action@v3\n- uses: docker/build-push-action@v6\n  with: {tags: 'a:1, a:2', push: PUSH}\n- run: docker --debug run --rm a:2\n- run: docker run a:3";
    check(
        "image-not-loaded",
        &job(&build.replace("PUSH", "false")),
        expect![[r#"
            9 warning the image a:2 was built into the builder's cache only, Docker does not have it <- docker --debug run --rm a:2
        "#]],
    );
    check(
        "image-not-loaded",
        &job(&build.replace("PUSH", "\"${{ github.ref == 'x' }}\"")),
        expect![""],
    );
    check(
        "plan-without-backend",
        &job(
            "- run: cd x && terraform init -backend=false && terraform validate\n- run: terraform init\n- run: terraform plan",
        ),
        expect![""],
    );
    check(
        "refused-action-version",
        &job(
            "- uses: actions/cache@v2.1.8\n- uses: actions/cache@v4\n- uses: actions/download-artifact@v3.0.1\n- uses: actions/upload-artifact@main",
        ),
        expect![[r#"
            6 error GitHub refuses actions/cache@v2.1.8: the service behind it is switched off <- actions/cache@v2.1.8
            8 error GitHub refuses actions/download-artifact@v3.0.1: the service behind it is switched off <- actions/download-artifact@v3.0.1
        "#]],
    );
    check(
        "unpinned-action",
        &job("- uses: docker://alpine:3\n- uses: a/b@${{ x }}\n- uses: ./x"),
        expect![[r#"
            6 note the image alpine:3 is not pinned <- docker://alpine:3
        "#]],
    );
}

#[test]
fn comments_need_a_reason_and_a_rule() {
    check(
        "ignore-without-reason",
        "on: push # launchway: ignore[never-runs, nonsense] x\n# launchway: ignore[never-runs\n# launchway: ignore[never-runs]\nenv: {A: 'x launchway: ignore[y]'}\njobs: {}\n",
        expect![[r#"
            1 warning there is no rule 'nonsense' <- launchway: ignore[never-runs, nonsense] x
            2 warning the rule's name is not closed by `]` <- launchway: ignore[never-runs
            3 warning 'never-runs' is switched off without a reason <- launchway: ignore[never-runs]
        "#]],
    );
    check(
        "missing-timeout",
        "on: push\njobs:\n  a: # launchway: ignore[missing-timeout, unpinned-action] short\n    runs-on: x\n    steps: [{run: x}]\n  b:\n    runs-on: x\n    steps: [{run: x}]\n",
        expect![[r#"
            6 note the job 'b' may hang for 360 minutes <- b
        "#]],
    );
}

#[test]
fn a_rule_that_finds_too_much_says_so() {
    let steps: String = "- uses: a/b@main\n".repeat(300);
    let source = Source::new("ci.yml", job(&steps));
    let root = yaml::read(&source).0.expect("a tree");
    let found = check_node(&source, &root, &CheckContext::default());
    let of_rule: Vec<_> = found.iter().filter(|found| found.rule == "unpinned-action").collect();
    assert_eq!(of_rule.len(), check::OF_RULE_MAX);
    expect!["this rule has found 200 places and looks no further"]
        .assert_eq(&of_rule.last().expect("many").message);
}

#[test]
fn variables_may_be_set_in_many_ways() {
    let rule = "unknown-variable";
    check(
        rule,
        &job(
            "- run: echo ${{ env.A }} ${{ env.a }} ${{ env.B }} ${{ env.HOME }}\n  env: {A: x}\n- if: env.C\n  run: x",
        ),
        expect![[r#"
            6 warning nobody sets the variable 'B' <- env.B
            6 warning nobody sets the variable 'HOME' <- env.HOME
            8 warning nobody sets the variable 'C' <- env.C
        "#]],
    );
    check(rule, &job("- run: echo A=b >> $GITHUB_ENV\n- run: echo ${{ env.A }}"), expect![""]);
    check(rule, &job("- uses: somebody/something@v1\n- run: echo ${{ env.A }}"), expect![""]);
    check(rule, &job("- run: echo ${{ env.A }}\n  env: ${{ fromJSON(vars.ENV) }}"), expect![""]);
}

#[test]
fn a_warning_of_the_reader_can_be_switched_off_too() {
    let count = |comment: &str| {
        let text = job(&format!("{comment}\n- if: ${{{{ github.ref }}}} == 'x'\n  run: x"));
        let source = Source::new("ci.yml", text);
        let found = check::without_ignored(&source, workflow::read(&source).1);
        found.iter().filter(|found| found.rule == "condition-always-true").count()
    };
    assert_eq!(count("# launchway: ignore[condition-always-true]"), 1);
    assert_eq!(count("# launchway: ignore[condition-always-true] shown in a course"), 0);
}
