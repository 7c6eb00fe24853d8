//! Releases that a server makes at GitHub of version tags: once, of what is good, changed in place, never another's.

use expect_test::expect;
use serde_json::{Value as Json, json};

use crate::github::Connected;
use crate::harness::wait_until;

const RELEASE: &str = r#"
on: { push: { tags: ['v*'] } }
jobs:
  build:
    runs-on: ubuntu-latest
    permissions: { contents: write }
    steps:
      - run: echo one > built.txt
      - uses: actions/upload-artifact@v4
        with: { name: built, path: built.txt }
      - run: test ! -e $MARKS/broken
      - if: startsWith(github.ref_name, 'v9')
        run: |
          curl -sf "$GITHUB_API_URL/repos/$GITHUB_REPOSITORY/releases" -H "Authorization: Bearer ${{ github.token }}" \
            -d "{\"tag_name\": \"$GITHUB_REF_NAME\", \"body\": \"by a step\"}" > /dev/null
"#;
const SHIP: &str = "
on: workflow_dispatch
jobs:
  ship:
    environment: production
    runs-on: ubuntu-latest
    steps: [{ run: 'true' }]
";
const SETTINGS: &str = "
version: 1
project: app
releases: { github: published }
";

impl Connected {
    fn commit_saying(&self, message: &str) {
        self.place.write("file", message);
        self.place.git(&["add", "--all"]);
        // As a button of GitHub's makes it.
        let mut git = self.place.program("git");
        git.env("GIT_COMMITTER_NAME", "GitHub").env("GIT_COMMITTER_EMAIL", "noreply@github.com");
        git.args(["-c", "user.name=Mona", "-c", "user.email=mona@example.com"]);
        let done = git.args(["commit", "--quiet", "--message", message]).output();
        assert!(done.expect("git starts").status.success());
    }

    /// Tags what is checked out, and pushes the tag.
    fn tag(&self, name: &str) {
        self.place.git(&["tag", name]);
        let url = self.github.url().replace("http://", "http://mona:ghp_mona@");
        let git_ref = format!("refs/tags/{name}");
        self.place.git(&["push", "--quiet", &format!("{url}/octo/app.git"), &git_ref]);
    }

    fn version(&self, tag: &str) -> Json {
        self.get(&format!("/api/v1/repositories/octo/app/versions/{tag}"))
    }

    /// What is known of the release at GitHub, once that is of this kind.
    fn at_github(&self, tag: &str, state: &str) -> Json {
        let mut shown = Json::Null;
        wait_until(&format!("{tag} to be {state}"), || {
            shown = self.version(tag)["version"]["github"].clone();
            shown["state"] == state
        });
        shown
    }

    fn standing(&self, tag: &str, standing: &str) {
        wait_until(&format!("{tag} to be {standing}"), || {
            self.version(tag)["version"]["standing"] == standing
        });
    }

    fn releases(&self) -> Vec<Json> {
        self.github.with(|github| github.repositories["octo/app"].releases.clone())
    }

    /// The tags of what there is, and which is the latest.
    fn listed(&self) -> String {
        let repository = self.github.with(|github| github.repositories["octo/app"].clone());
        let line = |it: &Json| {
            let is_latest = it["id"].as_u64() == repository.latest_release;
            let kind = if it["prerelease"] == true { " prerelease" } else { "" };
            let kind = if it["draft"] == true { " draft" } else { kind };
            let author = it["author"]["login"].as_str().expect("a name");
            let latest = if is_latest { " latest" } else { "" };
            format!("{} by {author}{kind}{latest}\n", it["tag_name"].as_str().expect("a tag"))
        };
        repository.releases.iter().map(line).collect()
    }

    fn body(&self, tag: &str) -> String {
        let all = self.releases();
        let found = all.iter().find(|it| it["tag_name"] == *tag).expect("it is there");
        found["body"].as_str().expect("text").to_owned()
    }

    fn set_body(&self, tag: &str, body: &str) {
        self.github.with(|github| {
            let all = &mut github.repositories.get_mut("octo/app").expect("it is there").releases;
            let found = all.iter_mut().find(|it| it["tag_name"] == *tag).expect("it is there");
            found["body"] = body.into();
        });
    }

    fn ship(&self, tag: &str) {
        let wanted = json!({ "workflow": "ship.yml", "ref": format!("refs/tags/{tag}") });
        let (status, said) = self.ask("/api/v1/repositories/octo/app/dispatches", &wanted);
        assert_eq!(status, 201, "{said}");
    }

    /// Without what is new in every run.
    fn plain(&self, text: &str) -> String {
        let text = text.replace(&self.url, "SERVER").replace(&self.github.url(), "GITHUB");
        let hash = regex::Regex::new(r"\b[0-9a-f]{40}\b")
            .expect("one")
            .replace_all(&text, "HASH")
            .into_owned();
        let hash = regex::Regex::new(r"`[0-9a-f]{7}`")
            .expect("one")
            .replace_all(&hash, "`SHORT`")
            .into_owned();
        let now = regex::Regex::new(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ").expect("one");
        now.replace_all(&hash, "NOW").into_owned()
    }
}

fn connected() -> Connected {
    let add = ["--environment", "production"];
    let it = Connected::of(&[("release.yml", RELEASE), ("ship.yml", SHIP)], true, &add);
    it.place.write("launchway.yml", SETTINGS);
    it.place.commit();
    it.push("main");
    it
}

// proves: a version has its release at GitHub once, with what came with it and where it went
#[test]
fn a_good_version_has_one_release_and_a_bad_one_none() {
    let it = connected();
    it.tag("v1.0.0");
    it.at_github("v1.0.0", "made");
    it.commit_saying("feat: say <b>hello</b> to @mona (#12)");
    it.commit_saying("fix: see #7 and octo/other#8");
    std::fs::write(it.place.path("marks/broken"), "").expect("a file of ours");
    it.tag("v1.1.0");
    it.standing("v1.1.0", "failed");
    let why = it.version("v1.1.0")["no_release"].clone();
    assert_eq!(
        why,
        "No release is made at GitHub: not all its runs succeeded. One that is run again and succeeds makes it."
    );
    // An older one is made meanwhile; a later one that comes before a version, too.
    std::fs::remove_file(it.place.path("marks/broken")).expect("it was left");
    it.tag("v2.0.0-rc.1");
    it.at_github("v2.0.0-rc.1", "made");
    assert_eq!(
        it.listed(),
        "v1.0.0 by launchway[bot] latest\nv2.0.0-rc.1 by launchway[bot] prerelease\n"
    );
    let run = it.version("v1.1.0")["runs"][0]["run"].as_str().expect("a run").to_owned();
    let number = run.split('.').next().expect("a number");
    let (status, said) =
        it.ask(&format!("/api/v1/runs/{number}/rerun"), &json!({ "only": "failed" }));
    assert_eq!(status, 201, "{said}");
    it.at_github("v1.1.0", "made");
    expect![[r#"
        <!-- launchway:version octo/app v1.1.0 -->
        ### New

        - say &lt;b\>hello&lt;/b\> to @<!-- -->mona (#12) ([`SHORT`](GITHUB/octo/app/commit/HASH))

        ### Fixed

        - see #<!-- -->7 and octo/other#<!-- -->8 ([`SHORT`](GITHUB/octo/app/commit/HASH))

        [All changes since v1.0.0](GITHUB/octo/app/compare/v1.0.0...v1.1.0)

        Runs: [release.yml (run 2.2)](SERVER/runs/2.2)

        Artifacts: [built](SERVER/runs/2.2)

        <!-- /launchway -->"#]]
    .assert_eq(&it.plain(&it.body("v1.1.0")));
    // A fix of the line before is no latest one.
    it.place.git(&["checkout", "--quiet", "-b", "old", "v1.0.0"]);
    it.commit_saying("fix: an old one");
    it.tag("v1.0.1");
    it.at_github("v1.0.1", "made");
    expect![[r#"
        v1.0.0 by launchway[bot]
        v2.0.0-rc.1 by launchway[bot] prerelease
        v1.1.0 by launchway[bot] latest
        v1.0.1 by launchway[bot]
    "#]]
    .assert_eq(&it.listed());
    // What comes back of it starts nothing.
    let runs = it.runs(5);
    assert_eq!(runs.lines().count(), 5, "{runs}");
    let audit = it.get("/api/v1/audit?action=release.make");
    assert_eq!(audit["decisions"].as_array().map(Vec::len), Some(4), "{audit}");
    it.end();
}

#[test]
fn a_release_is_changed_in_place_and_anothers_never() {
    let it = connected();
    // A step of the workflow makes its own.
    it.tag("v9.0.0");
    let others = it.at_github("v9.0.0", "others");
    assert!(others["url"].as_str().is_some_and(|it| it.contains("/releases/")), "{others}");
    it.commit_saying("say hello");
    it.tag("v1.0.0");
    it.at_github("v1.0.0", "made");
    let before = format!("Read this first.\r\n{}", it.body("v1.0.0").replace('\n', "\r\n"));
    it.set_body("v1.0.0", &before);
    it.ship("v1.0.0");
    wait_until("where it went", || it.body("v1.0.0").contains("production"));
    let body = it.body("v1.0.0");
    assert!(
        body.starts_with("Read this first.\n<!-- launchway:version octo/app v1.0.0 -->\n"),
        "{body}"
    );
    assert!(body.contains("| production | succeeded, "), "{body}");
    let patched =
        |it: &Connected| it.github.with(|github| github.called("PATCH", "/releases/").len());
    assert_eq!((patched(&it), it.body("v9.0.0")), (1, "by a step".to_owned()));
    // Somebody takes it away: it is not made again.
    it.github.with(|github| {
        let all = &mut github.repositories.get_mut("octo/app").expect("it is there").releases;
        all.retain(|it| it["tag_name"] != "v1.0.0");
    });
    it.ship("v1.0.0");
    it.at_github("v1.0.0", "taken_away");
    assert_eq!((it.releases().len(), patched(&it)), (1, 1));
    it.end();
}

#[test]
fn whoever_is_killed_makes_it_once() {
    use model_github::{Fault, FaultKind};
    let mut it = connected();
    let fault = |method: &str, path: &str, kind| Fault {
        method: method.to_owned(),
        path: path.to_owned(),
        kind,
        times: 1,
    };
    it.github.with(|github| {
        github.faults.push(fault("POST", "/releases", FaultKind::AnswerLost));
        github.faults.push(fault("GET", "/releases/tags/", FaultKind::Broken));
    });
    it.tag("v1.0.0");
    it.at_github("v1.0.0", "made");
    it.commit_saying("say hello");
    it.github.with(|github| {
        // Nothing is answered before the server is killed.
        for _ in 0..50 {
            github.faults.push(fault("POST", "/releases", FaultKind::AnswerLost));
        }
    });
    it.tag("v1.1.0");
    wait_until("the release", || it.releases().len() == 2);
    it.kill();
    it.github.with(|github| github.faults.clear());
    it.restart();
    it.at_github("v1.1.0", "made");
    assert_eq!(it.listed(), "v1.0.0 by launchway[bot]\nv1.1.0 by launchway[bot] latest\n");
    it.end();
}

#[test]
fn nothing_is_made_unasked_or_where_it_may_not() {
    let it = Connected::of(&[("release.yml", RELEASE)], true, &[]);
    it.tag("v1.0.0");
    it.standing("v1.0.0", "succeeded");
    let why = it.version("v1.0.0")["no_release"].as_str().expect("text").to_owned();
    assert!(why.contains("releases: { github: published }"), "{why}");
    // It is asked for now, and the app may not.
    let reads = [("contents", "read"), ("checks", "write"), ("metadata", "read")];
    let reads = reads.map(|(name, access)| (name.to_owned(), access.to_owned()));
    it.github.with(|github| github.app_permissions = Some(reads.into()));
    it.place.write("launchway.yml", &SETTINGS.replace("published", "draft"));
    it.place.commit();
    it.push("main");
    it.tag("v1.1.0");
    let refused = it.at_github("v1.1.0", "refused");
    let why = refused["why"].as_str().expect("text");
    assert!(why.contains("needs Contents: write there"), "{why}");
    it.github.with(|github| github.app_permissions = None);
    let run = it.version("v1.1.0")["runs"][0]["run"].as_str().expect("a run").to_owned();
    let number = run.split('.').next().expect("a number");
    let (status, said) = it.ask(&format!("/api/v1/runs/{number}/rerun"), &json!({}));
    assert_eq!(status, 201, "{said}");
    it.at_github("v1.1.0", "made");
    assert_eq!(it.listed(), "v1.1.0 by launchway[bot] draft\n");
    it.end();
}
