//! Jobs: their keys, what they need, where they run, what they may.

use expect_test::expect;

use super::*;

// proves: conformance 10
#[test]
fn c10_job_keys() {
    file(
        "on: push\njobs:\n  a:\n    step: []\n",
        expect![[r#"
        4:5 `step` error[unexpected-key] Unexpected value 'step' | did you mean `steps`?
        4:5 `step` error[missing-key] Required property is missing: runs-on | add `runs-on:`
    "#]],
    );
    job(
        "timeout_minutes: 5\nwith: {}",
        expect![[r#"
        6:5 `timeout_minutes` error[unexpected-key] Unexpected value 'timeout_minutes' | did you mean `timeout-minutes`?
        7:5 `with` error[unexpected-key] Unexpected value 'with' | the keys here are: name, needs, if, runs-on, environment, concurrency, permissions, outputs, env, defaults, strategy, steps, timeout-minutes, cancel-timeout-minutes, continue-on-error, container, services, snapshot
    "#]],
    );
    job("cancel-timeout-minutes: 1\nsnapshot: image\nservices: {db: {image: pg}}", expect![[""]]);
    job(
        "snapshot: {if: always(), version: 1}",
        expect![[r#"
            6:16 `if` error[missing-key] Required property is missing: image-name | add `image-name:`
            6:20 `always` error[expression] Unrecognized function: 'always'. Located at position 1 within expression: always() | `always` cannot be called in this place
        "#]],
    );
    file(
        "on: push\njobs: []",
        expect![[r#"
        2:7 `[]` error[unexpected-value] A sequence was not expected | a mapping is expected here
    "#]],
    );
    file(
        "on: push\njobs: {}",
        expect![[r#"
        2:7 `{}` error[missing-key] The workflow must contain at least one job
    "#]],
    );
    file(
        "on: push\njobs: {a: x}",
        expect![[r#"
        2:11 `x` error[unexpected-value] Unexpected value 'x' | a mapping is expected here
    "#]],
    );
}

// proves: conformance 11, 117, 120
#[test]
fn c11_jobs_that_call_a_workflow() {
    let call = |lines: &str| format!("on: push\njobs:\n  a:\n{}", lines.replace("- ", "    "));
    file(
        &call("- uses: o/r/.github/workflows/x.yml@v1\n- with: {a: 1}\n- secrets: inherit"),
        expect![[""]],
    );
    file(
        &call("- uses: ./.github/workflows/x.yml\n- secrets: {A: '${{ secrets.B }}'}"),
        expect![[""]],
    );
    file(
        &call("- uses: $/.github/workflows/x.yml\n- secrets: all"),
        expect![[r#"
        5:14 `all` error[unexpected-value] Unexpected value 'all' | write `inherit`, or a mapping of secrets
    "#]],
    );
    file(
        &call("- uses: o/r/.github/workflows/x.yml@v1\n- runs-on: x\n- steps: []\n- env: {}"),
        expect![[r#"
            5:5 `runs-on` error[job-form] Unexpected value 'runs-on' | the called workflow has its own runner and steps; use one or the other
            6:5 `steps` error[job-form] Unexpected value 'steps' | the called workflow has its own runner and steps; use one or the other
            7:5 `env` error[unexpected-key] Unexpected value 'env' | the keys here are: name, uses, with, secrets, needs, if, permissions, concurrency, strategy
        "#]],
    );
    file(
        &call("- uses: o/r@v1"),
        expect![[r#"
        4:11 `o/r@v1` error[uses] a reusable workflow lies directly in .github/workflows and ends in .yml or .yaml | write `owner/repo/.github/workflows/file.yml@ref`, or `./.github/workflows/file.yml` for the same repository
    "#]],
    );
    file(
        &call("- uses: o/r/.github/workflows/x.yml"),
        expect![[r#"
        4:11 `o/r/.github/workflows/x.yml` error[uses] Expected format {org}/{repo}[/path]@ref | write `owner/repo/.github/workflows/file.yml@ref`, or `./.github/workflows/file.yml` for the same repository
    "#]],
    );
    file(
        &call("- uses: ./.github/workflows/x.yml@v1"),
        expect![[r#"
        4:11 `./.github/workflows/x.yml@v1` error[uses] a workflow of the same repository is called without `@ref`: it is of the same commit | write `owner/repo/.github/workflows/file.yml@ref`, or `./.github/workflows/file.yml` for the same repository
    "#]],
    );
    file(
        &call("- uses: ./x.yml"),
        expect![[r#"
        4:11 `./x.yml` error[uses] a reusable workflow lies directly in .github/workflows and ends in .yml or .yaml | write `owner/repo/.github/workflows/file.yml@ref`, or `./.github/workflows/file.yml` for the same repository
    "#]],
    );
    file(
        &call("- uses: docker://x"),
        expect![[r#"
        4:11 `docker://x` error[uses] a job calls a workflow, not an image | write `owner/repo/.github/workflows/file.yml@ref`, or `./.github/workflows/file.yml` for the same repository
    "#]],
    );
    file(
        &call("- uses: o/r/.github/workflows/x.yml@${{ github.ref }}"),
        expect![[r#"
        4:43 `github` error[expression] Unrecognized named-value: 'github'. Located at position 1 within expression: github.ref | `github` is not available in this place; no context can be used here
    "#]],
    );
    file(
        &call("- uses: o/r/.github/workflows/x.yml@v1\n- with: {a: '${{ secrets.B }}'}"),
        expect![[r#"
            5:20 `secrets` error[expression] Unrecognized named-value: 'secrets'. Located at position 1 within expression: secrets.B | `secrets` is not available in this place; the contexts here are: github, inputs, vars, needs, strategy, matrix
        "#]],
    );
}

// proves: conformance 14
#[test]
fn c14_needs() {
    file("on: push\njobs:\n  a: {runs-on: x, needs: B}\n  b: {runs-on: x}", expect![[""]]);
    file(
        "on: push\njobs:\n  a: {runs-on: x, needs: [bb, zzz]}\n  b: {runs-on: x}",
        expect![[r#"
        3:27 `bb` error[needs] Job 'a' depends on unknown job 'bb'. | the jobs are: a, b
        3:31 `zzz` error[needs] Job 'a' depends on unknown job 'zzz'. | the jobs are: a, b
    "#]],
    );
    file(
        "on: push\njobs:\n  a: {runs-on: x, needs: b}\n  b: {runs-on: x, needs: a}",
        expect![[r#"
            3:3 `a: {runs-on: x, needs: b}\n  b: {runs-on: x, needs: a}` error[needs] The workflow must contain at least one job with no dependencies.
            3:26 `b` error[needs] Job 'a' depends on job 'b' which creates a cycle in the dependency graph. | take one of the needs of the circle away
            4:26 `a` error[needs] Job 'b' depends on job 'a' which creates a cycle in the dependency graph. | take one of the needs of the circle away
        "#]],
    );
    file(
        "on: push\njobs:\n  a: {runs-on: x}\n  b: {runs-on: x, needs: [a, b]}\n  c: {runs-on: x, needs: b}",
        expect![[r#"
            4:30 `b` error[needs] Job 'b' depends on job 'b' which creates a cycle in the dependency graph. | take one of the needs of the circle away
            5:26 `b` error[needs] Job 'c' depends on job 'b' which creates a cycle in the dependency graph. | take one of the needs of the circle away
        "#]],
    );
    file(
        "on: push\njobs:\n  a: {runs-on: x, needs: {}}",
        expect![[r#"
        3:26 `{}` error[unexpected-value] A mapping was not expected | one value or a list is expected here
    "#]],
    );
}

// proves: conformance 91, 94
#[test]
fn c91_strategy() {
    job(
        "strategy: {matrix: {a: \"${{ 'x' }}\"}}",
        expect![[r#"
        6:28 `\"${{ \'x\' }}\"` error[unexpected-value] Unexpected value '${{ 'x' }}' | a list is expected here
    "#]],
    );
    job(
        "strategy: {matrix: {os: [a, b], include: [{os: a, x: 1}], exclude: '${{ fromJSON(vars.x) }}'}, fail-fast: false, max-parallel: 2}",
        expect![[""]],
    );
    job(
        "strategy: {matrix: '${{ fromJSON(needs.a.outputs.m) }}', fail-fast: '${{ true }}'}",
        expect![[""]],
    );
    job(
        "strategy: {matrix: {os: a, v: [], include: [x], exclude: {}}, failfast: 1}",
        expect![[r#"
            6:29 `a` error[unexpected-value] Unexpected value 'a' | a list is expected here
            6:35 `[]` error[matrix] Matrix vector 'v' does not contain any values
            6:49 `x` error[unexpected-value] Unexpected value 'x' | a mapping is expected here
            6:62 `{}` error[unexpected-value] A mapping was not expected | a list is expected here
            6:67 `failfast` error[unexpected-key] Unexpected value 'failfast' | did you mean `fail-fast`?
        "#]],
    );
    job(
        "strategy: {matrix: [a]}",
        expect![[r#"
        6:24 `[a]` error[unexpected-value] A sequence was not expected | a mapping of lists is expected here
    "#]],
    );
    job(
        "strategy: {matrix: {a: '${{ matrix.b }}'}, fail-fast: 'no', max-parallel: two}",
        expect![[r#"
            6:33 `matrix` error[expression] Unrecognized named-value: 'matrix'. Located at position 1 within expression: matrix.b | `matrix` is not available in this place; the contexts here are: github, inputs, vars, needs
            6:59 `\'no\'` error[unexpected-value] Unexpected value 'no' | write `true` or `false` without quotes, or an expression
            6:79 `two` error[unexpected-value] Unexpected value 'two' | write a number without quotes, or an expression
        "#]],
    );
}

// proves: conformance 101
#[test]
fn c101_runs_on() {
    let runs_on = |value: &str| format!("on: push\njobs:\n  a:\n    runs-on: {value}\n");
    file(&runs_on("[self-hosted, '${{ matrix.os }}']"), expect![[""]]);
    file(&runs_on("{group: g, labels: [a, b]}"), expect![[""]]);
    file(
        &runs_on("{grup: g, labels: {}}"),
        expect![[r#"
        4:15 `grup` error[unexpected-key] Unexpected value 'grup' | did you mean `group`?
        4:32 `{}` error[unexpected-value] A mapping was not expected | one value or a list is expected here
    "#]],
    );
    file(
        &runs_on("''"),
        expect![[r#"
        4:14 `\'\'` error[unexpected-value] Unexpected value '' | an empty value does not do here
    "#]],
    );
    file(
        &runs_on("[[a]]"),
        expect![[r#"
        4:15 `[a]` error[unexpected-value] A sequence was not expected | one value is expected here
    "#]],
    );
    file(
        &runs_on("${{ secrets.A }}"),
        expect![[r#"
        4:18 `secrets` error[expression] Unrecognized named-value: 'secrets'. Located at position 1 within expression: secrets.A | `secrets` is not available in this place; the contexts here are: github, inputs, vars, needs, strategy, matrix
    "#]],
    );
}

// proves: conformance 109, 133
#[test]
fn c109_defaults() {
    root("defaults: {run: {shell: bash, working-directory: x}}", expect![[""]]);
    root(
        "defaults: {run: {shell: '${{ vars.S }}', cwd: x}}",
        expect![[r#"
        3:30 `vars` error[expression] Unrecognized named-value: 'vars'. Located at position 1 within expression: vars.S | `vars` is not available in this place; no context can be used here
        3:42 `cwd` error[unexpected-key] Unexpected value 'cwd' | the keys here are: shell, working-directory
    "#]],
    );
    root("defaults: {}", expect![[""]]);
    root(
        "defaults: {run: '${{ github.x }}'}",
        expect![[r#"
        3:17 `\'${{ github.x }}\'` error[unexpected-value] Unexpected value '${{ github.x }}' | a mapping is expected here
    "#]],
    );
    job("defaults: {run: '${{ fromJSON(vars.DEFAULTS) }}'}", expect![[""]]);
    job(
        "defaults: {run: bash}",
        expect![[r#"
        6:21 `bash` error[unexpected-value] Unexpected value 'bash' | a mapping is expected here
    "#]],
    );
    root(
        "defaults: {runs: {}}",
        expect![[r#"
        3:12 `runs` error[unexpected-key] Unexpected value 'runs' | did you mean `run`?
    "#]],
    );
    steps(
        "- run: a\n  shell: ''\n  working-directory: ${{ env.A }}",
        expect![[r#"
        7:16 `\'\'` error[unexpected-value] Unexpected value '' | an empty value does not do here
    "#]],
    );
}

// proves: conformance 110
#[test]
fn c110_permissions() {
    root("permissions: read-all", expect![[""]]);
    root("permissions: {contents: read, id-token: write, models: none}", expect![[""]]);
    root(
        "permissions: {content: read, id-token: read, issues: admin, pages: true}",
        expect![[r#"
        3:15 `content` error[permissions] Unexpected value 'content' | did you mean `contents`?
        3:40 `read` error[unexpected-value] Unexpected value 'read' | `id-token` takes: write, none
        3:54 `admin` error[unexpected-value] Unexpected value 'admin' | `issues` takes: read, write, none
        3:68 `true` error[unexpected-value] Unexpected value 'true' | `pages` takes: read, write, none
    "#]],
    );
    root(
        "permissions: write",
        expect![[r#"
        3:14 `write` error[unexpected-value] Unexpected value 'write' | write `read-all`, `write-all`, `{}` or scope by scope
    "#]],
    );
    root(
        "permissions: ~",
        expect![[r#"
        3:14 `~` error[unexpected-value] Unexpected value '' | a mapping is expected here
    "#]],
    );
}

// proves: conformance 112, 113
#[test]
fn c112_environment_and_snapshot() {
    job(
        "environment: {name: prod, url: '${{ steps.a.outputs.url }}', deployment: false}",
        expect![[""]],
    );
    job(
        "environment: {url: '${{ secrets.A }}', deployment: 'no'}",
        expect![[r#"
        6:19 `url` error[missing-key] Required property is missing: name | add `name:`
        6:29 `secrets` error[expression] Unrecognized named-value: 'secrets'. Located at position 1 within expression: secrets.A | `secrets` is not available in this place; the contexts here are: github, inputs, vars, needs, strategy, matrix, steps, job, runner, env
        6:56 `\'no\'` error[unexpected-value] Unexpected value 'no' | write `true` or `false` without quotes, or an expression
    "#]],
    );
    job("snapshot: {image-name: a, version: 1.*}", expect![[""]]);
}

// proves: conformance 155, 159
#[test]
fn c155_containers_and_services() {
    job(
        "container: {image: a, ports: [80, '90:90'], volumes: [a:b], options: --cpus 1, env: {A: 1}}",
        expect![[""]],
    );
    job(
        "container: docker://",
        expect![[r#"
        6:16 `docker://` error[container] an image is missing behind docker://
    "#]],
    );
    job(
        "container: {imagee: a, ports: 80, credentials: {username: a}}",
        expect![[r#"
            6:16 `{imagee: a, ports: 80, credentials: {username: a}}` error[container] Container image cannot be empty | add `image:`
            6:17 `imagee` error[unexpected-key] Unexpected value 'imagee' | did you mean `image`?
            6:35 `80` error[unexpected-value] Unexpected value '80' | a list is expected here
        "#]],
    );
    job(
        "services: {db: {image: pg, entrypoint: e, command: c}, cache: redis, bad: {cmd: x}}",
        expect![[r#"
            6:79 `{cmd: x}` error[container] Container image cannot be empty | add `image:`
            6:80 `cmd` error[unexpected-key] Unexpected value 'cmd' | the keys here are: image, options, env, ports, volumes, credentials, entrypoint, command
        "#]],
    );
}

#[test]
fn a_job_travels_as_json() {
    let text = "on: push\njobs:\n  build:\n    runs-on: [a, b]\n    timeout-minutes: 3.10\n    \
                env: {V: 3.10, W: '3.10'}\n    if: github.ref\n    steps:\n    - run: echo ${{ env.V }}\n    \
                - uses: a/b@c\n      with: {x: true}\n";
    let (workflow, _) = workflow::read(&Source::new("f", text));
    let job = &workflow.unwrap().jobs[0];
    let json = workflow::job_to_json(job);
    expect![[r#"{"runs-on":["a","b"],"timeout-minutes":3.1,"env":{"V":3.1,"W":"3.10"},"if":"github.ref","steps":[{"run":"echo ${{ env.V }}"},{"uses":"a/b@c","with":{"x":true}}]}"#]].assert_eq(&json.to_string());
    let (again, diagnostics) = workflow::job_from_json("build", &json);
    assert!(diagnostics.is_empty(), "{diagnostics:?}");
    let again = again.unwrap();
    assert_eq!(workflow::job_to_json(&again), json);
    let workflow::JobBody::Steps(body) = &again.body else { panic!("a job with steps") };
    assert_eq!(body.steps.len(), 2);
    assert_eq!(&*body.env.as_ref().unwrap().get("V").unwrap().literal_text().unwrap(), "3.1");
    let (none, diagnostics) = workflow::job_from_json("x", &serde_json::json!({"steps": []}));
    assert!(none.is_none() && diagnostics.len() == 1);
}
