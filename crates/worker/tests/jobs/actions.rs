//! Jobs that use actions: Node, composite ones from a repository, and what is refused in set-up.

use std::path::Path;
use std::process::Command;

use expect_test::{Expect, expect};
use protocol::Report;

use crate::harness::{Told, start, start_with};

/// Runs the job with `octo/*` fetched from repositories in the scratch folder.
fn run_with(actions: &[(&str, &[(&str, &str)])], steps: &str) -> Told {
    run_where(&[], actions, steps)
}

/// The same on a machine that has these variables too.
fn run_where(variables: &[(&str, &str)], actions: &[(&str, &[(&str, &str)])], steps: &str) -> Told {
    let workflow = format!("on: push\njobs:\n  job:\n    runs-on: ubuntu-latest\n{steps}");
    start_with(&workflow, variables, |spec| {
        let mirror = Path::new(&*spec.paths.job).parent().expect("a folder").join("mirror");
        for (name, files) in actions {
            let repository = mirror.join("octo").join(name);
            for (file, text) in *files {
                let path = repository.join(file);
                std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
                std::fs::write(path, text).expect("a file");
            }
            commit(&repository);
        }
        let mirror = mirror.to_str().expect("a path of ours").to_owned();
        spec.options.mirrors.insert("octo".to_owned(), mirror);
    })
    .finish()
}

/// Makes a repository of a folder, with one commit and a tag.
fn commit(folder: &Path) {
    for arguments in [
        "init -q -b main",
        "add .",
        "-c user.name=t -c user.email=t@example.com commit -q -m first",
        "tag v1",
    ] {
        let git = Command::new("git").args(arguments.split(' ')).current_dir(folder).status();
        assert!(git.expect("git runs").success(), "git {arguments}");
    }
}

fn check(actions: &[(&str, &[(&str, &str)])], steps: &str, expected: Expect) {
    expected.assert_eq(&run_with(actions, steps).told());
}

/// Text with `@{{` for what must not be evaluated on the way.
fn write_action(folder: &str, yaml: &str) -> String {
    let lines: String = yaml.lines().map(|line| format!("          {line}\n")).collect();
    format!(
        "      - run: |\n          mkdir {folder}\n          tr @ '$' > {folder}/action.yml <<'YAML'\n{lines}          YAML\n"
    )
}

const SAY: &str = "
const fs = require('fs');
const stage = process.argv[1].split('/').pop();
console.log(`${stage}: ${process.env['INPUT_TWO-WORDS']} ${process.env.STATE_kept} ${process.env.GITHUB_ACTION}`);
fs.appendFileSync(process.env.GITHUB_STATE, `kept=${stage}\\n`);
fs.appendFileSync(process.env.GITHUB_OUTPUT, `said=${stage}\\n`);
";

// proves: conformance 144, 145, 146, 147, 183
#[test]
fn c146_a_node_action_with_all_its_stages() {
    let action = "
name: say
inputs: { two-words: { default: default } }
runs: { using: node20, pre: pre.js, main: main.js, post: post.js }
";
    let told = run_with(
        &[("say", &[("action.yml", action), ("pre.js", SAY), ("main.js", SAY), ("post.js", SAY)])],
        "
    steps:
      - run: echo first
      - uses: octo/say@v1
        id: say
        with: { two-words: given }
      - run: echo got ${{ steps.say.outputs.said }}
",
    );
    expect![[r#"
        __setup: success -> success
        pre:say: success -> success
        __run: success -> success
        say: success -> success
        __run_2: success -> success
        post:say: success -> success
        job: success None
    "#]]
    .assert_eq(&told.told());
    let said: Vec<&str> = told
        .log
        .lines()
        .filter(|line| {
            ["pre.js", "main.js", "post.js", "first", "got"].iter().any(|it| line.starts_with(it))
        })
        .collect();
    expect![[r#"
        pre.js: given undefined say
        first
        main.js: given pre.js say
        got main.js
        post.js: given main.js say"#]]
    .assert_eq(&said.join("\n"));
}

// proves: conformance 144
#[test]
fn c144_the_node_that_an_action_runs_on() {
    let machine = tempfile::tempdir().expect("a scratch folder");
    let node = |version: &str| {
        let folder = machine.path().join(version);
        std::fs::create_dir_all(&folder).expect("a folder");
        let script = format!(
            "#!/bin/sh\n[ \"$1\" = --version ] && echo v{version}.1.0 || echo \"node {version} runs\"\n"
        );
        std::fs::write(folder.join("node"), script).expect("a script");
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(folder.join("node"), mode).expect("a mode");
        folder.display().to_string()
    };
    let (old, new) = (node("20"), node("24"));
    let base = std::env::var("PATH").expect("a PATH");
    let both = format!("{old}:{new}:{base}");
    let runs = |version: &str| format!("name: a\nruns: {{ using: {version}, main: main.js }}\n");
    let (for_old, for_new) = (runs("node20"), runs("node24"));
    let actions: [(&str, &[(&str, &str)]); 2] = [
        ("old", &[("action.yml", &for_old), ("main.js", "")]),
        ("new", &[("action.yml", &for_new), ("main.js", "")]),
    ];
    let steps = "    steps:
      - uses: octo/old@v1
      - uses: octo/old@v1
      - { uses: octo/old@v1, env: { ACTIONS_ALLOW_USE_UNSECURE_NODE_VERSION: true } }
      - uses: octo/new@v1
";
    let said = |variables: &[(&str, &str)]| -> Vec<String> {
        let told = run_where(variables, &actions, steps);
        let text = told.text().replace(machine.path().to_str().expect("ours"), "MACHINE");
        let said = |line: &&str| {
            line.starts_with("node ") || line.contains("Node ") || line.contains("Node.js ")
        };
        text.lines().filter(said).map(str::to_owned).collect()
    };
    let mut text = said(&[("PATH", &both)]).join("\n");
    let configured = format!("{old}/node");
    text += "\n-- configured\n";
    text += &said(&[("PATH", &both), ("LAUNCHWAY_NODE", &configured)]).join("\n");
    expect![[r#"
        ##[warning]Node.js 20 is deprecated: octo/old@v1 targets Node.js 20 and runs on Node.js 24
        node 24 runs
        node 24 runs
        node 20 runs
        node 24 runs
        -- configured
        ##[error]octo/new@v1 needs Node 24, and 'MACHINE/20/node' is version 20: install it, or name it with the variable LAUNCHWAY_NODE"#]].assert_eq(&text);
}

// proves: conformance 106
#[test]
fn c106_a_missing_action_fails_the_job_before_any_step() {
    check(
        &[],
        "
    steps:
      - run: touch started
      - uses: octo/none@v1
",
        expect![[r#"
            Error  unable to resolve action octo/none@v1: no repository at /FOLDER/mirror/octo/none; check the spelling, or name another place with --mirror OWNER/REPO=WHERE; a private one needs git credentials
            __setup: failure -> failure
            job: failure InfraFailure
        "#]],
    );
}

// proves: conformance 106, 148
#[test]
fn c106_an_action_inside_a_composite_is_found_at_set_up_too() {
    let outer = "
name: outer
runs:
  using: composite
  steps:
    - uses: octo/none@v1
";
    check(
        &[("outer", &[("action.yml", outer)])],
        "    steps:\n      - uses: octo/outer@v1\n",
        expect![[r#"
            Error  unable to resolve action octo/none@v1: no repository at /FOLDER/mirror/octo/none; check the spelling, or name another place with --mirror OWNER/REPO=WHERE; a private one needs git credentials
            __setup: failure -> failure
            job: failure InfraFailure
        "#]],
    );
}

// proves: conformance 155, 159
#[test]
fn what_cannot_run_is_refused_in_set_up_by_name() {
    check(
        &[],
        "    services: { web: { image: \"nginx:${{ vars.COLOUR }}\" } }\n    steps:\n      - run: a\n",
        expect![[r#"
            Error  service web: the image nginx:blue needs Docker
            __setup: failure -> failure
            job: failure InfraFailure
        "#]],
    );
    check(
        &[],
        "    steps:\n      - uses: docker://alpine:3\n",
        expect![[r#"
        Error  step '__alpine_3' uses a Docker action (docker://alpine:3), which is not supported yet
        __setup: failure -> failure
        job: failure InfraFailure
    "#]],
    );
    check(
        &[],
        "    steps:\n      - parallel: [{ uses: docker://alpine:3 }]\n",
        expect![[r#"
        Error  step '__alpine_3' uses a Docker action (docker://alpine:3), which is not supported yet
        __setup: failure -> failure
        job: failure InfraFailure
    "#]],
    );
    check(
        &[],
        "    container: node:24\n    steps:\n      - run: a\n",
        expect![[r#"
        Error  the job runs in a container, which needs Docker: docker does not answer at /nowhere/docker.sock: there is no such socket
        __setup: failure -> failure
        job: failure InfraFailure
    "#]],
    );
}

// proves: conformance 144, 150
#[test]
fn c150_a_docker_action_is_refused_by_name() {
    let docker = "name: d\nruns: { using: docker, image: Dockerfile }\n";
    check(
        &[("d", &[("action.yml", docker)])],
        "    steps:\n      - uses: octo/d@v1\n",
        expect![[r#"
            Error  octo/d@v1 is a Docker action, which needs Docker and is not supported yet
            __setup: failure -> failure
            job: failure InfraFailure
        "#]],
    );
    check(
        &[("e", &[("Dockerfile", "FROM scratch")])],
        "    steps:\n      - uses: octo/e@v1\n",
        expect![[r#"
            Error  octo/e@v1 is a Docker action, which needs Docker and is not supported yet
            __setup: failure -> failure
            job: failure InfraFailure
        "#]],
    );
}

// proves: conformance 173, 194, 195, 196, 197, 221, 234
#[test]
fn c194_problem_matchers_live_as_long_as_the_job() {
    let matcher = r#"{"problemMatcher":[{"owner":"cc","pattern":[{"regexp":"^(.+):(\\d+): (warning|error): (.+)$","file":1,"line":2,"severity":3,"message":4}]}]}"#;
    let steps = format!(
        "
    steps:
      - run: |
          echo '{matcher}' > m.json
          mkdir src; touch src/a.c
          echo ::add-matcher::m.json
      - run: |
          echo \"src/a.c:3: warning: careful\"
          echo \"$PWD/src/a.c:4: error: wrong with s3cr3t-value\"
          echo ::remove-matcher owner=cc::
          echo \"src/a.c:5: error: unseen\"
      - run: for i in $(seq 12); do echo ::notice::n$i; done
"
    );
    check(
        &[],
        &steps,
        expect![[r#"
        __run: success -> success
        Warning src/a.c:3 careful
        Error src/a.c:4 wrong with ***
        __run_2: success -> success
        Notice  n1
        Notice  n2
        Notice  n3
        Notice  n4
        Notice  n5
        Notice  n6
        Notice  n7
        Notice  n8
        Notice  n9
        Notice  n10
        __run_3: success -> success
        job: success None
    "#]],
    );
}

// proves: conformance 148, 152, 153, 263
#[test]
fn c153_a_local_action_is_read_when_its_step_comes() {
    let outer = write_action(
        "../outer",
        "name: outer\noutputs: { said: { value: \"@{{ steps.say.outputs.said }}\" } }\nruns:\n  using: composite\n  steps:\n    - id: say\n      shell: bash\n      run: echo \"said=@{{ github.action_path }}\" >> $GITHUB_OUTPUT",
    );
    let steps = format!(
        "    outputs:\n      said: ${{{{ steps.call.outputs.said }}}}\n      inner: ${{{{ steps.say.outputs.said }}}}\n    steps:\n{outer}      - uses: ./../outer\n        id: call\n      - uses: ./missing\n"
    );
    check(
        &[],
        &steps,
        expect![[r#"
        __run: success -> success
        call/say: success -> success
        call: success -> success
        Error  Can't find 'action.yml', 'action.yaml' or 'Dockerfile' under '/FOLDER/job/work/demo/demo/./missing'. Did you forget to run actions/checkout before running your local action?
        __self: failure -> failure
        job: failure UserFailure said=/FOLDER/job/work/demo/outer
    "#]],
    );
}

// proves: conformance 53, 68, 159, 163
#[cfg(feature = "real-programs")]
#[test]
fn c159_a_service_is_there_for_the_steps_and_gone_after() {
    let told = run_with(
        &[],
        "
    services:
      cache: { image: \"redis:${{ vars.MISSING }}\", ports: [6379] }
    steps:
      - run: |
          exec 3<>/dev/tcp/localhost/${{ job.services.cache.ports['6379'] }}
          echo PING >&3
          read -r answer <&3
          echo \"answer ${answer%?}\"
",
    );
    expect![[r#"
        __setup: success -> success
        __run: success -> success
        job: success None
    "#]]
    .assert_eq(&told.told());
    assert!(told.log.contains("answer +PONG\n"), "{}", told.log);
}

// The natives speak for themselves in `actions`; here it is that the worker hands them what they
// need and passes on what they give.
#[test]
fn natives_check_out_and_keep_artifacts() {
    let workflow = "
on: push
jobs:
  job:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - run: cat hello.txt
      - uses: actions/upload-artifact@v4
        with: { name: greeting, path: hello.txt }
      - uses: actions/download-artifact@v4
        with: { name: greeting, path: back }
      - run: cat back/hello.txt
";
    let told = start(workflow, |spec| {
        let repository = Path::new(&*spec.paths.repository).to_owned();
        std::fs::write(repository.join("hello.txt"), "hello from the tree\n").expect("a file");
        commit(&repository);
        let head = Command::new("git")
            .args(["rev-parse", "HEAD"])
            .current_dir(&repository)
            .output()
            .expect("git runs");
        let head = String::from_utf8(head.stdout).expect("a hash");
        spec.contexts.get_mut("github").expect("it is there")["sha"] = head.trim().into();
    })
    .finish();
    expect![[r#"
        __setup: success -> success
        __actions_checkout: success -> success
        __run: success -> success
        __actions_upload-artifact: success -> success
        __actions_download-artifact: success -> success
        __run_2: success -> success
        post:__actions_checkout: success -> success
        job: success None
    "#]]
    .assert_eq(&told.told());
    assert_eq!(told.log.matches("\nhello from the tree\n").count(), 2, "{}", told.log);
    let kept = told.reports.iter().find_map(|report| match report {
        Report::ArtifactUploaded { name, blob, .. } => Some((name.to_string(), blob.to_string())),
        _ => None,
    });
    let (name, blob) = kept.expect("an artifact was reported");
    assert_eq!((name.as_str(), blob.len()), ("greeting", 64));
}
