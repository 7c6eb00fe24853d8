//! `action.yml` and `uses` at the door.

mod door;

use expect_test::{Expect, expect};
use syntax::Source;
use workflow::{ActionRuns, Uses};

#[track_caller]
fn action(text: &str, expected: Expect) {
    let source = Source::new("action.yml", text);
    let (manifest, diagnostics) = workflow::read_action(&source);
    let mut out = match manifest.as_ref().map(|it| &it.runs) {
        None => "none\n".to_owned(),
        Some(ActionRuns::Composite { steps }) => {
            let keys: Vec<&str> = steps.iter().map(|step| &*step.key).collect();
            format!("composite {}\n", keys.join(" "))
        }
        Some(ActionRuns::Node { version, main, pre, pre_if, post, post_if }) => {
            let text = |it: &Option<workflow::Text>| it.as_ref().map(|it| it.value.to_string());
            let condition =
                |it: &Option<workflow::Condition>| it.as_ref().map(|it| it.expr.text().to_owned());
            format!(
                "node{version} {} pre {:?} {:?} post {:?} {:?}\n",
                main.value,
                text(pre),
                condition(pre_if),
                text(post),
                condition(post_if)
            )
        }
        Some(ActionRuns::Docker(docker)) => {
            format!("docker {} args {}\n", docker.image.value, docker.args.len())
        }
    };
    for input in manifest.iter().flat_map(|it| &it.inputs) {
        let default = input.default.as_ref().map(workflow::Template::literal_text);
        let required = if input.required { "required " } else { "" };
        out.push_str(&format!("input {} {required}{default:?}\n", input.name.value));
    }
    for output in manifest.iter().flat_map(|it| &it.outputs) {
        out.push_str(&format!("output {} {}\n", output.name.value, output.value.is_some()));
    }
    out.push_str(&door::say_all(&source, &diagnostics));
    expected.assert_eq(&out);
}

// proves: conformance 144, 147
#[test]
fn c144_node_actions() {
    action(
        "name: A\nauthor: me\nbranding: {icon: x}\nruns: {using: node20, main: a.js}",
        expect![[r#"
            node20 a.js pre None None post None None
        "#]],
    );
    action(
        "runs: {using: Node24, main: a.js, pre: p.js, pre-if: always(), post: q.js, post-if: \"github.ref == 'x'\"}",
        expect![[r#"
            node24 a.js pre Some("p.js") Some("always()") post Some("q.js") Some("github.ref == 'x'")
        "#]],
    );
    action(
        "runs: {using: node20, mian: a.js}",
        expect![[r#"
        none
        1:8 `using` error[missing-key] Required property is missing: main | add `main:`
        1:23 `mian` error[unexpected-key] Unexpected value 'mian' | did you mean `main`?
    "#]],
    );
    action(
        "runs: {using: node99, main: a.js}",
        expect![[r#"
        none
        1:15 `node99` error[action] 'using: node99' is not supported | write `composite`, `docker`, `node20` or `node24`
    "#]],
    );
    action(
        "runs: {main: a.js}",
        expect![[r#"
            none
            1:8 `main` error[missing-key] Required property is missing: using | add `using:`
        "#]],
    );
    action(
        "name: x",
        expect![[r#"
        none
        1:1 `name: x` error[missing-key] Required property is missing: runs | add `runs:` with `using:`
    "#]],
    );
    action(
        "",
        expect![[r#"
        none
        1:1 `` error[action] the file is empty
    "#]],
    );
    action(
        "runs: {using: node16, main: a.js, post-if: secrets.A, pre-if: success(}",
        expect![[r#"
            node16 a.js pre None None post None None
            1:44 `secrets` error[expression] Unrecognized named-value: 'secrets'. Located at position 1 within expression: secrets.A | `secrets` is not available in this place; the contexts here are: github, inputs, strategy, matrix, steps, job, runner, env
            1:70 `(` error[expression] Unexpected end of expression: '('. Located at position 8 within expression: success( | '(' at position 8 is never closed
        "#]],
    );
}

// proves: conformance 64, 145
#[test]
fn c145_inputs() {
    action(
        "inputs:\n  a: {description: d, required: true, default: 5}\n  B:\n  c: {required: 'true', default: '${{ github.token }}', deprecationMessage: old, note: mine}\nruns: {using: node20, main: a.js}",
        expect![[r#"
            node20 a.js pre None None post None None
            input a required Some(Some("5"))
            input B None
            input c required Some(None)
        "#]],
    );
    action(
        "inputs: {a: x, b: {default: '${{ secrets.A }}'}}\nruns: {using: node20, main: a.js}",
        expect![[r#"
            node20 a.js pre None None post None None
            input b Some(Some("${{ secrets.A }}"))
            1:13 `x` error[unexpected-value] Unexpected value 'x' | a mapping is expected here
            1:34 `secrets` error[expression] Unrecognized named-value: 'secrets'. Located at position 1 within expression: secrets.A | `secrets` is not available in this place; the contexts here are: github, strategy, matrix, job, runner
        "#]],
    );
}

// proves: conformance 62, 63, 148
#[test]
fn c148_composite_actions() {
    action(
        "outputs: {o: {value: '${{ steps.a.outputs.b }}', description: d}}\nruns:\n  using: composite\n  steps:\n  - run: echo ${{ inputs.x }}\n    shell: bash\n    if: failure()\n    continue-on-error: true\n  - uses: a/b@c\n    id: u\n    with: {x: 1}\n  - uses: ./y",
        expect![[r#"
            composite __run u __self
            output o true
        "#]],
    );
    action(
        "outputs: {o: {value: '${{ hashFiles(1) }}', vaule: x}}\nruns:\n  using: composite\n  steps:\n  - run: ${{ secrets.A }} ${{ needs.x }}\n  - run: a\n    shell: bash\n    timeout-minutes: 5\n    background: true\n  - wait-all:\n  - uses: a/b",
        expect![[r#"
            composite __run __run_2
            output o true
            1:27 `hashFiles` error[expression] Unrecognized function: 'hashFiles'. Located at position 1 within expression: hashFiles(1) | `hashFiles` cannot be called in this place
            1:45 `vaule` error[unexpected-key] Unexpected value 'vaule' | did you mean `value`?
            5:5 `run` error[missing-key] Required property is missing: shell | add `shell:`
            5:14 `secrets` error[expression] Unrecognized named-value: 'secrets'. Located at position 1 within expression: secrets.A | `secrets` is not available in this place; the contexts here are: github, inputs, strategy, matrix, steps, job, runner, env
            5:31 `needs` error[expression] Unrecognized named-value: 'needs'. Located at position 1 within expression: needs.x | `needs` is not available in this place; the contexts here are: github, inputs, strategy, matrix, steps, job, runner, env
            8:5 `timeout-minutes` error[unexpected-key] Unexpected value 'timeout-minutes' | the keys here are: id, name, if, run, shell, working-directory, env, continue-on-error
            9:5 `background` error[unexpected-key] Unexpected value 'background' | the keys here are: id, name, if, run, shell, working-directory, env, continue-on-error
            10:5 `wait-all` error[step-form] Expected one of uses or run to be defined | a step runs a script (`run:`) or an action (`uses:`)
            11:11 `a/b` error[uses] Expected format {org}/{repo}[/path]@ref. Actual 'a/b' | such as `actions/checkout@v4`, `./path/in/the/workspace` or `docker://image`
        "#]],
    );
    action(
        "runs: {using: composite}",
        expect![[r#"
        none
        1:8 `using` error[missing-key] Required property is missing: steps | add `steps:`
    "#]],
    );
}

// proves: conformance 65, 150
#[test]
fn c150_docker_actions() {
    action(
        "runs: {using: docker, image: Dockerfile, args: ['${{ inputs.a }}', b], env: {A: '${{ inputs.a }}'}, entrypoint: e, pre-entrypoint: p, post-entrypoint: q, post-if: always()}",
        expect![[r#"
            docker Dockerfile args 2
        "#]],
    );
    action(
        "runs: {using: docker, image: 'docker://x', args: ['${{ github.ref }}'], main: x}",
        expect![[r#"
            docker docker://x args 1
            1:56 `github` error[expression] Unrecognized named-value: 'github'. Located at position 1 within expression: github.ref | `github` is not available in this place; the contexts here are: inputs
            1:73 `main` error[unexpected-key] Unexpected value 'main' | the keys here are: using, image, entrypoint, args, env, pre-entrypoint, pre-if, post-entrypoint, post-if
        "#]],
    );
    action(
        "runs: {using: docker}",
        expect![[r#"
        none
        1:8 `using` error[missing-key] Required property is missing: image | add `image:`
    "#]],
    );
}

// proves: conformance 117, 142
#[test]
fn c142_uses() {
    let mut out = String::new();
    for text in [
        "a/b@v1",
        "a/b/c/d@refs/heads/x",
        "./x",
        ".\\x",
        "$/x/y",
        "docker://alpine:3",
        "Docker://x",
        "docker://",
        "a/b",
        "a@b",
        "/b@c",
        "a/@c",
        "a/b@",
        "a/b@c@d",
        "",
        "@",
        "a//b@c",
    ] {
        match Uses::parse_action(text) {
            Ok(uses) => out.push_str(&format!("{text} => {uses:?} {uses}\n")),
            Err(error) => out.push_str(&format!("{text} => {error}\n")),
        }
    }
    out.push('\n');
    for text in [
        "o/r/.github/workflows/a.yml@v1",
        "./.github/workflows/a.yaml",
        "$/.github/workflows/a.yml",
        "o/r/.github/workflows/b/a.yml@v1",
        "o/r/.github/workflows/.yml@v1",
        "./.github/workflows/a.txt",
    ] {
        match Uses::parse_workflow(text) {
            Ok(uses) => out.push_str(&format!("{text} => {uses:?}\n")),
            Err(error) => out.push_str(&format!("{text} => {error}\n")),
        }
    }
    expect![[r#"
        a/b@v1 => Remote { owner: "a", repo: "b", path: None, reference: "v1" } a/b@v1
        a/b/c/d@refs/heads/x => Remote { owner: "a", repo: "b", path: Some("c/d"), reference: "refs/heads/x" } a/b/c/d@refs/heads/x
        ./x => Local { path: "./x" } ./x
        .\x => Local { path: ".\\x" } .\x
        $/x/y => SelfForm { path: "x/y" } $/x/y
        docker://alpine:3 => Docker { image: "alpine:3" } docker://alpine:3
        Docker://x => Docker { image: "x" } docker://x
        docker:// => an image is missing behind docker://
        a/b => Expected format {org}/{repo}[/path]@ref
        a@b => Expected format {org}/{repo}[/path]@ref
        /b@c => Expected format {org}/{repo}[/path]@ref
        a/@c => Expected format {org}/{repo}[/path]@ref
        a/b@ => Expected format {org}/{repo}[/path]@ref
        a/b@c@d => Expected format {org}/{repo}[/path]@ref
         => Expected format {org}/{repo}[/path]@ref
        @ => Expected format {org}/{repo}[/path]@ref
        a//b@c => Expected format {org}/{repo}[/path]@ref

        o/r/.github/workflows/a.yml@v1 => Remote { owner: "o", repo: "r", path: Some(".github/workflows/a.yml"), reference: "v1" }
        ./.github/workflows/a.yaml => Local { path: "./.github/workflows/a.yaml" }
        $/.github/workflows/a.yml => SelfForm { path: ".github/workflows/a.yml" }
        o/r/.github/workflows/b/a.yml@v1 => a reusable workflow lies directly in .github/workflows and ends in .yml or .yaml
        o/r/.github/workflows/.yml@v1 => a reusable workflow lies directly in .github/workflows and ends in .yml or .yaml
        ./.github/workflows/a.txt => a reusable workflow lies directly in .github/workflows and ends in .yml or .yaml
    "#]].assert_eq(&out);
}
