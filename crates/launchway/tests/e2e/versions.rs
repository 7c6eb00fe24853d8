//! Version tags of a server's repository: what came with each, and what came of it.

use expect_test::expect;
use serde_json::Value as Json;

use crate::harness::{Said, wait_until};
use crate::serving::Serving;

const SHIPS: &str = r"
on: { push: { tags: ['v*'] } }
jobs:
  build:
    runs-on: ubuntu-latest
    steps:
      - run: echo one > built.txt
      - uses: actions/upload-artifact@v4
        with: { name: built, path: built.txt }
      - run: test ! -e $MARKS/broken
  ship:
    needs: build
    environment: staging
    runs-on: ubuntu-latest
    steps: [{ run: 'true' }]
";

impl Serving {
    fn commit_saying(&self, file: &str, message: &str) {
        self.place.write(file, message);
        self.place.git(&["add", "--all"]);
        self.place.git(&["commit", "--quiet", "--message", message]);
    }

    /// Tags what is committed, and pushes that.
    fn tag(&self, name: &str) -> Said {
        self.place.git(&["tag", "--force", name]);
        let bare = self.place.path("app.git");
        let mut git = self.place.program("git");
        let refs = ["+HEAD:refs/heads/main".to_owned(), format!("+refs/tags/{name}")];
        let output = git.args(["push", "--quiet"]).arg(bare).args(refs).output();
        Said::from(output.expect("git starts"))
    }

    fn version(&self, tag: &str) -> Json {
        let got = self.get(&format!("/api/v1/repositories/octo/app/versions/{tag}"));
        assert_eq!(got.status, 200, "{}", got.text);
        got.json()
    }

    fn settled(&self, tag: &str, standing: &str) -> Json {
        let mut shown = Json::Null;
        wait_until("how a version stands", || {
            shown = self.version(tag);
            shown["version"]["standing"] == standing
        });
        shown
    }
}

/// Without what is new in every run.
fn plain(text: &str) -> String {
    let now = regex::Regex::new(r"\d{4}-\d\d-\d\d \d\d:\d\d(:\d\d)?").expect("one");
    let hash = regex::Regex::new(r"\b[0-9a-f]{12}\b").expect("one");
    hash.replace_all(&now.replace_all(text, "NOW"), "HASH").into_owned()
}

#[test]
fn a_version_tag_has_its_notes_runs_artifacts_and_deployments() {
    let serving = Serving::with(SHIPS, &[]);
    let bare = serving.place.path("app.git").display().to_string();
    let name = ["--name", "octo/app", "--environment", "staging"];
    let added = serving.command(&[&["repositories", "add", &bare], &name[..]].concat());
    assert_eq!(added.exit, 0, "{}", added.stderr);
    assert_eq!(serving.tag("v1.0.0").exit, 0);
    serving.settled("v1.0.0", "succeeded");
    serving.commit_saying("a", "feat(api): say <b>hello</b> to @mona");
    serving.commit_saying("b", "fix: no more than #12");
    serving.commit_saying("c", "tidy");
    // What is no version is nothing, and what runs for it is not.
    assert_eq!(serving.tag("v1.1").exit, 0);
    serving.leave("broken");
    assert_eq!(serving.tag("v1.1.0").exit, 0);
    serving.settled("v1.1.0", "failed");
    std::fs::remove_file(serving.place.path("marks/broken")).expect("it was left");
    let shown = serving.version("v1.1.0");
    let run = shown["runs"][0]["run"].as_str().expect("a run").to_owned();
    let number = run.split('.').next().expect("a number").to_owned();
    let again = format!("/api/v1/runs/{number}/rerun");
    let got = serving.post(&again, &[], r#"{"only":"failed"}"#);
    assert_eq!(got.status, 201, "{}", got.text);
    serving.settled("v1.1.0", "succeeded");
    wait_until("where it went", || {
        serving.version("v1.1.0")["deployments"].as_array().is_some_and(|it| !it.is_empty())
    });
    let of = ["--repository", "octo/app"];
    let said = serving.command(&[&["versions", "list"], &of[..]].concat());
    expect![[r#"
        succeeded  v1.1.0  HASH  by mona, NOW
        succeeded  v1.0.0  HASH  by mona, NOW
    "#]]
    .assert_eq(&plain(&said.stdout));
    let said = serving.command(&[&["versions", "show", "v1.1.0"], &of[..]].concat());
    expect![[r#"
        succeeded  v1.1.0  HASH  by mona, NOW
          behind v1.0.0

        New
          api: say <b>hello</b> to @mona  HASH

        Fixed
          no more than #12  HASH

        Other changes
          tidy  HASH

        Runs
          ✓ 3.2  .github/workflows/ci.yml  success

        Artifacts
          built  122 bytes  of run 3.2

        Where it went
          staging  .github/workflows/ci.yml  succeeded, run 3.2, NOW
    "#]]
    .assert_eq(&plain(&said.stdout));
    // At the server it is said as it is said where the server runs.
    for args in [&["versions", "list"][..], &["versions", "show", "v1.1.0"]] {
        for format in ["human", "json"] {
            let args = [args, &of[..], &["--format", format]].concat();
            let mut there = serving.place.launchway(&args);
            there.args(["--server", &serving.url]).env("LAUNCHWAY_TOKEN", &serving.token);
            let there = Said::from(there.output().expect("it starts"));
            assert_eq!((there.exit, there.stdout), (0, serving.command(&args).stdout), "{args:?}");
        }
    }
    let none = serving.command(&[&["versions", "show", "v1.1"], &of[..]].concat());
    assert_eq!(none.exit, 2, "{}", none.stderr);
    assert!(
        none.stderr.contains("octo/app has no version v1.1: versions are tags"),
        "{}",
        none.stderr
    );
    // On the pages others' words are words.
    let page = serving.get("/repositories/octo/app/versions/v1.1.0").text;
    assert!(page.contains("say &lt;b&gt;hello&lt;/b&gt; to @mona"), "{page}");
    assert!(page.contains("/api/v1/runs/") && page.contains("staging"), "{page}");
    let list = serving.get("/repositories/octo/app/versions").text;
    assert!(list.contains("/repositories/octo/app/versions/v1.1.0"), "{list}");
    assert_eq!(serving.get("/api/v1/repositories/octo/app/versions/v9.0.0").status, 404);
    assert_eq!(serving.get("/repositories/octo/other/versions").status, 404);
    // A tag that somebody takes away is not forgotten.
    let mut git = serving.place.program("git");
    let gone = git.args(["push", "--quiet", &bare, ":refs/tags/v1.1.0"]).output();
    assert!(gone.expect("git starts").status.success());
    let shown = serving.version("v1.1.0");
    assert_eq!(
        (&shown["version"]["gone"], &shown["version"]["standing"]),
        (&true.into(), &"succeeded".into())
    );
    serving.end();
}

#[test]
fn a_laptop_knows_its_own_tags() {
    let place = crate::harness::Place::workflow(
        "on: push\njobs: { a: { runs-on: ubuntu-latest, steps: [{ run: 'true' }] } }",
    );
    let said = place.run(&["versions", "list"]);
    assert_eq!((said.exit, &*said.stdout), (0, ""));
    assert!(said.stderr.contains("there is no version"), "{}", said.stderr);
    place.git(&["tag", "--annotate", "--message", "the first", "v0.1.0"]);
    place.git(&["tag", "nightly"]);
    let said = place.run(&["versions", "list"]);
    expect![[r#"
        no runs    v0.1.0  HASH  by Mona, NOW
    "#]]
    .assert_eq(&plain(&said.stdout));
}
