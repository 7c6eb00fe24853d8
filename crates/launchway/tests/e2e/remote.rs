//! Workflows of other repositories, from a bare repository that stands in for the host.

use expect_test::expect;

use crate::harness::{Place, text};

/// A bare repository `octo/tools` beside the work tree, tagged v1, with these files.
fn with_tools(place: &Place, files: &[(&str, &str)]) {
    let work = place.path("tools");
    for (path, text) in files {
        let path = work.join(path);
        std::fs::create_dir_all(path.parent().expect("it lies in a folder")).expect("a folder");
        std::fs::write(path, text).expect("a file of ours");
    }
    let git = |args: &[&str]| {
        let who = ["-c", "user.name=Mona", "-c", "user.email=mona@example.com"];
        let output = place.program("git").arg("-C").arg(&work).args(who).args(args).output();
        let output = output.expect("git starts");
        assert!(output.status.success(), "git {args:?}: {}", text(&output.stderr));
    };
    git(&["init", "--quiet", "--initial-branch", "main"]);
    git(&["add", "--all"]);
    git(&["commit", "--quiet", "--message", "tools"]);
    git(&["tag", "--force", "v1"]);
    let bare = place.path("mirror/octo/tools.git");
    let _ = std::fs::remove_dir_all(&bare);
    git(&["clone", "--quiet", "--bare", ".", &bare.display().to_string()]);
}

const SHARED: &str = "
on:
  workflow_call:
    inputs: { who: { type: string, required: true } }
    outputs: { said: { value: '${{ jobs.greet.outputs.said }}' } }
jobs:
  greet:
    runs-on: ubuntu-latest
    outputs: { said: '${{ steps.it.outputs.said }}' }
    steps: [{ id: it, run: 'echo said=hello ${{ inputs.who }} >> $GITHUB_OUTPUT' }]
  inner: { uses: ./.github/workflows/beside.yml }
";

const BESIDE: &str = "
on: workflow_call
jobs: { beside: { runs-on: ubuntu-latest, steps: [{ run: 'echo = beside of tools in ${{ github.repository }}' }] } }
";

const MAIN: &str = "
on: push
jobs:
  call:
    uses: octo/tools/.github/workflows/shared.yml@v1
    with: { who: world }
  after:
    needs: call
    runs-on: ubuntu-latest
    steps: [{ run: 'echo = ${{ needs.call.outputs.said }}' }]
";

const OURS: &str = "
on: workflow_call
jobs: { ours: { runs-on: ubuntu-latest, steps: [{ run: 'echo = beside of the caller' }] } }
";

fn caller() -> Place {
    Place::with(&[
        (".github/workflows/ci.yml", MAIN),
        // What a remote file calls by `./` is not this.
        (".github/workflows/beside.yml", OURS),
    ])
}

fn mirror(place: &Place) -> String {
    format!("octo={}", place.path("mirror/octo").display())
}

// proves: conformance 117
#[test]
fn a_workflow_of_another_repository_runs_and_calls_what_lies_beside_it() {
    let place = caller();
    with_tools(
        &place,
        &[(".github/workflows/shared.yml", SHARED), (".github/workflows/beside.yml", BESIDE)],
    );
    let said = place.json(&["run", "--mirror", &mirror(&place)]);
    expect![[r#"
        after = hello world
        call/inner/beside = beside of tools in local/repository
        after: success
        call / greet: success {"said":"hello world"}
        call / inner / beside: success
        .github/workflows/ci.yml success
        exit 0
        fetching octo/tools/.github/workflows/shared.yml@v1 (commit COMMIT) from FOLDER/mirror/octo/tools.git (mirror octo=FOLDER/mirror/octo)
    "#]].assert_eq(&format!("{}{}", said.story(), without_places(&place, &said.stderr)));
}

// The commit that the lock file names runs, whatever the tag says now.
// proves: conformance 117
#[test]
fn a_committed_lock_file_holds_called_workflows_too() {
    let place = caller();
    let files =
        [(".github/workflows/shared.yml", SHARED), (".github/workflows/beside.yml", BESIDE)];
    with_tools(&place, &files);
    place.write(".launchway/keep", "");
    let first = place.json(&["run", "--mirror", &mirror(&place)]);
    assert_eq!(first.exit, 0, "{}", first.stderr);
    place.commit();
    let moved = BESIDE.replace("beside of tools", "another one");
    with_tools(&place, &[files[0], (".github/workflows/beside.yml", &moved)]);
    // A tag that was looked up just now is believed for a minute, so the state is another one.
    let _ = std::fs::remove_dir_all(place.state());
    let said = place.json(&["run", "--mirror", &mirror(&place)]);
    expect![[r#"
        after = hello world
        call/inner/beside = beside of tools in local/repository
        after: success
        call / greet: success {"said":"hello world"}
        call / inner / beside: success
        .github/workflows/ci.yml success
        exit 0
        fetching octo/tools/.github/workflows/shared.yml@v1 (commit COMMIT) from FOLDER/mirror/octo/tools.git (mirror octo=FOLDER/mirror/octo)
        warning: octo/tools/.github/workflows/shared.yml@v1 moved to COMMIT; the locked commit COMMIT runs
    "#]].assert_eq(&format!("{}{}", said.story(), without_places(&place, &said.stderr)));
}

// A plan fetches what it has to look at and says so; the lock file is a run's to write.
#[test]
fn a_plan_looks_into_workflows_of_other_repositories() {
    let place = caller();
    with_tools(
        &place,
        &[(".github/workflows/shared.yml", SHARED), (".github/workflows/beside.yml", BESIDE)],
    );
    place.write(".launchway/keep", "");
    place.commit();
    let said = place.run(&["plan", "--mirror", &mirror(&place)]);
    let jobs: Vec<&str> = said.stdout.lines().skip(1).collect();
    expect![[r#"

        ▶ .github/workflows/ci.yml
          a change

          ● call   calls octo/tools/.github/workflows/shared.yml@v1
                   ● greet  ubuntu-latest · 1 step
                   ● inner  calls ./.github/workflows/beside.yml
                            ● beside  ubuntu-latest · 1 step
          │
          ● after  after call · ubuntu-latest · 1 step

        – .github/workflows/beside.yml
          does not run: It runs on workflow_call, not on push.
        fetching octo/tools/.github/workflows/shared.yml@v1 (commit COMMIT) from FOLDER/mirror/octo/tools.git (mirror octo=FOLDER/mirror/octo)

        1 workflow with 3 jobs; 1 not started
    "#]].assert_eq(&format!("{}\n{}", jobs.join("\n"), without_places(&place, &said.stderr)));
    assert!(!place.repository().join(".launchway/actions.lock").exists());
    // What was fetched once is there.
    let again = place.run(&["plan", "--offline"]);
    assert_eq!((again.exit, &again.stdout), (0, &said.stdout), "{}", again.stderr);
}

#[test]
fn what_cannot_be_had_is_named_with_a_remedy() {
    let place = caller();
    let said = place.run(&["run", "--mirror", &mirror(&place)]);
    expect![[r#"
        error[called-workflow-unreachable]: unable to resolve action octo/tools/.github/workflows/shared.yml@v1: no repository at FOLDER/mirror/octo/octo/tools
         --> .github/workflows/ci.yml:5:11
          |
        5 |     uses: octo/tools/.github/workflows/shared.yml@v1
          |           ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
          |
          = help: check the spelling, or name another place with --mirror OWNER/REPO=WHERE; a private one needs git credentials

        error: nothing was run
        exit 5"#]].assert_eq(&format!(
        "{}exit {}",
        without_places(&place, &said.stderr),
        said.exit
    ));
    let said = place.run(&["plan", "--mirror", &mirror(&place)]);
    expect![[r#"

        ✗ .github/workflows/ci.yml
          cannot run: what it calls cannot be had
          error[called-workflow-unreachable]: unable to resolve action octo/tools/.github/workflows/shared.yml@v1: no repository at FOLDER/mirror/octo/octo/tools
           --> .github/workflows/ci.yml:5:11
            |
          5 |     uses: octo/tools/.github/workflows/shared.yml@v1
            |           ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
            |
            = help: check the spelling, or name another place with --mirror OWNER/REPO=WHERE; a private one needs git credentials

        – .github/workflows/beside.yml
          does not run: It runs on workflow_call, not on push.
        exit 5"#]].assert_eq(&format!(
        "{}exit {}",
        without_places(&place, said.stdout.split_once('\n').expect("a heading").1),
        said.exit
    ));
    let said = place.json(&["run", "--mirror", &mirror(&place)]);
    expect![[r#"
        {"file":".github/workflows/ci.yml","line":5,"column":11,"end_line":5,"end_column":53,"severity":"error","rule":"called-workflow-unreachable","message":"unable to resolve action octo/tools/.github/workflows/shared.yml@v1: no repository at FOLDER/mirror/octo/octo/tools","hint":"check the spelling, or name another place with --mirror OWNER/REPO=WHERE; a private one needs git credentials"}
        error: nothing was run
        exit 5"#]].assert_eq(&format!("{}exit {}", without_places(&place, &said.stderr), said.exit));
    with_tools(&place, &[(".github/workflows/shared.yml", SHARED)]);
    let said = place.json(&["run", "--mirror", &mirror(&place)]);
    expect![[r#"
        fetching octo/tools/.github/workflows/shared.yml@v1 (commit COMMIT) from FOLDER/mirror/octo/tools.git (mirror octo=FOLDER/mirror/octo)
        {"file":"octo/tools/.github/workflows/shared.yml@v1","line":11,"column":18,"end_line":11,"end_column":48,"severity":"error","rule":"called-workflow","message":"octo/tools/.github/workflows/beside.yml@COMMIT: there is no .github/workflows/beside.yml in commit COMMIT","hint":"check the path in front of the @"}
        error: nothing was run
        exit 3"#]].assert_eq(&format!("{}exit {}", without_places(&place, &said.stderr), said.exit));
    let _ = std::fs::remove_dir_all(place.state());
    let said = place.json(&["run", "--offline"]);
    expect![[r#"
        {"file":".github/workflows/ci.yml","line":5,"column":11,"end_line":5,"end_column":53,"severity":"error","rule":"called-workflow-unreachable","message":"octo/tools/.github/workflows/shared.yml@v1 is not on this machine, and --offline forbids fetching it","hint":"run once without --offline, or name another place with --mirror OWNER/REPO=WHERE"}
        error: nothing was run
        exit 5"#]].assert_eq(&format!("{}exit {}", without_places(&place, &said.stderr), said.exit));
}

/// Folders and commits differ from test to test.
fn without_places(place: &Place, said: &str) -> String {
    let folder = place.path("").display().to_string();
    let said = said.replace(&folder, "FOLDER/");
    let mut clean = String::new();
    for piece in said.split_inclusive(|letter: char| !letter.is_ascii_hexdigit()) {
        let word = piece.trim_end_matches(|letter: char| !letter.is_ascii_hexdigit());
        clean.push_str(if word.len() == 40 { "COMMIT" } else { word });
        clean.push_str(&piece[word.len()..]);
    }
    clean
}

// proves: conformance 68, 124
#[test]
fn a_job_knows_the_file_that_it_stands_in() {
    let says = "
      - run: |
          echo '= ${{ job.workflow_repository }} ${{ job.workflow_file_path }}'
          echo '= ${{ job.workflow_ref }}'
          echo '= sha of the run: ${{ job.workflow_sha == github.sha }}, none: ${{ job.workflow_sha == null }}'
          echo '= [${{ toJSON(job.check_run_id) }}] ${{ job.status }}'
";
    let called = |name: &str| {
        format!("on: workflow_call\njobs:\n  {name}:\n    runs-on: ubuntu-latest\n    steps:{says}")
    };
    let main = format!(
        "on: push\njobs:\n  near: {{ uses: ./.github/workflows/near.yml }}\n  far: {{ uses: octo/tools/.github/workflows/far.yml@v1 }}\n  own:\n    runs-on: ubuntu-latest\n    steps:{says}"
    );
    let place = Place::with(&[
        (".github/workflows/ci.yml", &*main),
        (".github/workflows/near.yml", &*called("near")),
    ]);
    place.git(&["remote", "add", "origin", "https://github.com/octo/demo"]);
    with_tools(&place, &[(".github/workflows/far.yml", &*called("far"))]);
    let said = place.json(&["run", "--mirror", &mirror(&place)]);
    expect![[r#"
        far/far = octo/tools .github/workflows/far.yml
        far/far = octo/tools/.github/workflows/far.yml@v1
        far/far = sha of the run: false, none: true
        far/far = [null] success
        near/near = octo/demo .github/workflows/near.yml
        near/near = octo/demo/.github/workflows/near.yml@refs/heads/main
        near/near = sha of the run: true, none: false
        near/near = [null] success
        own = octo/demo .github/workflows/ci.yml
        own = octo/demo/.github/workflows/ci.yml@refs/heads/main
        own = sha of the run: true, none: false
        own = [null] success
        far / far: success
        near / near: success
        own: success
        .github/workflows/ci.yml success
        exit 0
    "#]]
    .assert_eq(&said.story());
}
