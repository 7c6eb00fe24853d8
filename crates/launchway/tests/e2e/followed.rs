//! A repository elsewhere of which nobody tells: looked at every so often, each push run once.

use std::io::Write as _;
use std::process::Stdio;

use expect_test::{Expect, expect};
use model_github::{Front, GitHub};
use serde_json::Value as Json;

use crate::harness::{Said, wait_until};
use crate::serving::Serving;
use crate::standing_by::Other;

const WORKFLOW: &str = "
on: push
jobs:
  a:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - run: cat file
";
/// It stands nowhere but in the vault.
const PASSWORD: &str = "ghp_aPasswordThatNobodyMaySee";

struct Story {
    serving: Serving,
    /// Where the repository is, which tells nobody of anything.
    there: Front,
}

impl Story {
    fn new() -> Story {
        let serving = Serving::of(WORKFLOW);
        let mut there = GitHub::default();
        there.tokens.insert(PASSWORD.to_owned(), "mona".to_owned());
        there.add("octo/away");
        let there = Front::serve(there, &serving.place.path("there")).expect("a port");
        let story = Story { serving, there };
        story.push("one");
        story
    }

    fn url(&self) -> String {
        format!("{}/octo/away.git", self.there.url())
    }

    /// Pushes a file with this in it, as a person.
    fn push(&self, text: &str) {
        let url = self.url().replace("http://", &format!("http://mona:{PASSWORD}@"));
        self.serving.place.write("file", text);
        self.serving.place.commit();
        self.serving.place.git(&["push", "--quiet", &url, "HEAD:refs/heads/main"]);
    }

    fn add(&self, more: &[&str], password: &str) -> Said {
        let data = self.serving.place.path("data").display().to_string();
        let url = self.url();
        let args = [&["repositories", "add", &url, "--data", &data], more].concat();
        let mut command = self.serving.place.launchway(&args);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("it starts");
        // Where it reads nothing, it may be gone already.
        let _ = child.stdin.take().expect("it is piped").write_all(password.as_bytes());
        Said::from(child.wait_with_output().expect("it ends"))
    }

    fn check(&self, said: &Said, expected: &Expect) {
        let text = format!("{}{}exit {}\n", said.stdout, said.stderr, said.exit);
        let data = self.serving.place.path("data").display().to_string();
        expected.assert_eq(&text.replace(&self.there.url(), "THERE").replace(&data, "DATA"));
    }

    /// The runs, oldest first, once there are so many and all are over.
    fn runs(&self, count: usize) -> String {
        let mut shown = Json::Null;
        wait_until("the runs' end", || {
            shown = self.serving.get("/api/v1/runs?limit=100").json();
            let runs = shown["runs"].as_array().expect("a list");
            runs.len() >= count && runs.iter().all(|it| !it["conclusion"].is_null())
        });
        let line = |it: &Json| {
            let words = ["repository", "event", "branch", "conclusion"];
            words.map(|word| it[word].as_str().unwrap_or("-")).join(" ") + "\n"
        };
        shown["runs"].as_array().expect("a list").iter().rev().map(line).collect()
    }

    fn said(&self) -> String {
        std::fs::read_to_string(self.serving.place.path("said")).expect("a file of ours")
    }
}

#[test]
fn what_is_pushed_elsewhere_runs_once_whoever_is_killed() {
    let mut story = Story::new();
    let add = ["--every", "1s", "--sign-in", "mona"];
    let refused = story.add(&add, "ghp_wrong");
    assert_eq!(refused.exit, 5, "{}", refused.stderr);
    let list = story.serving.command(&["repositories", "list"]);
    assert!(!list.stdout.contains("octo/away"), "{}", list.stdout);
    story.check(
        &story.add(&add, PASSWORD),
        &expect![[r#"
        octo/away: THERE/octo/away.git is looked at every 1 s, and what is pushed to it is run
        exit 0
    "#]],
    );
    // What was there is not run; what comes is.
    story.push("two");
    expect![[r#"
        octo/away push main success
    "#]]
    .assert_eq(&story.runs(1));
    story.serving.kill();
    story.push("three");
    story.serving.restart();
    expect![[r#"
        octo/away push main success
        octo/away push main success
    "#]]
    .assert_eq(&story.runs(2));
    // Nobody is let in for a while.
    let tokens = story.there.with(|there| std::mem::take(&mut there.tokens));
    wait_until("why", || story.said().contains("octo/away cannot be looked at"));
    let listed = story.serving.command(&["repositories", "list", "--format", "json"]);
    let away =
        listed.lines().into_iter().find(|it| it["name"] == "octo/away").expect("it is listed");
    assert!(away["trouble"].as_str().is_some_and(|it| !it.is_empty()), "{away}");
    let page = story.serving.get("/repositories").text;
    assert!(
        page.contains("looked at every 1 s") && page.contains("It cannot be looked at"),
        "{page}"
    );
    story.there.with(|there| there.tokens = tokens);
    story.push("four");
    expect![[r#"
        octo/away push main success
        octo/away push main success
        octo/away push main success
    "#]]
    .assert_eq(&story.runs(3));
    wait_until("its end", || story.said().contains("octo/away can be looked at again"));
    let data = story.serving.place.path("data").display().to_string();
    let found = story.serving.place.program("grep").args(["-rl", "ghp_aPassword", &data]).output();
    assert_eq!(String::from_utf8_lossy(&found.expect("grep starts").stdout), "");
    assert!(!story.said().contains("ghp_"), "{}", story.said());
    story.serving.end();
}

/// What was pushed since the copy was run by the original. The copy lies elsewhere, and so does what it mirrors.
#[test]
fn a_restored_server_runs_nothing_again_and_reads_its_own_mirrors() {
    let mut story = Story::new();
    assert_eq!(story.add(&["--every", "1s", "--sign-in", "mona"], PASSWORD).exit, 0);
    story.push("two");
    story.runs(1);
    let place = |name: &str| story.serving.place.path(name).display().to_string();
    let (copy, new) = (place("copy"), place("new"));
    assert_eq!(story.serving.command(&["serve", "backup", &copy]).exit, 0);
    story.push("three");
    story.runs(2);
    story.serving.stop();
    let run = |args: &[&str]| story.serving.place.run(&[args, &["--data", &new]].concat());
    let restored = run(&["serve", "restore", &copy, "--take-over"]);
    assert_eq!(restored.exit, 0, "{}", restored.stderr);
    std::fs::remove_dir_all(story.serving.place.path("data/mirrors")).expect("they are there");
    let listed = run(&["repositories", "list", "--format", "json"]);
    let away = listed.lines().into_iter().find(|it| it["name"] == "octo/away");
    assert_eq!(away.expect("it is listed")["path"], format!("{new}/mirrors/octo/away.git"));
    let other = Other::start(&story.serving.place, "new", &[]);
    let looked = story.serving.place.path("new/followed/octo/away.json");
    wait_until("the first look", || looked.exists());
    story.push("four");
    let mut runs = Vec::new();
    wait_until("the new push", || {
        let text = other.ask("GET", "/api/v1/runs?limit=100", &story.serving.token).1;
        let shown: Json = serde_json::from_str(&text).expect("JSON");
        runs = shown["runs"].as_array().expect("a list").clone();
        runs.len() > 1 && runs.iter().all(|it| !it["conclusion"].is_null())
    });
    let mut git = story.serving.place.program("git");
    let commit = Said::from(git.args(["rev-parse", "HEAD"]).output().expect("git starts")).stdout;
    assert_eq!((runs.len(), runs[0]["commit"].as_str()), (2, commit.get(..7)), "{runs:?}");
    assert_eq!(runs[0]["conclusion"], "success");
    other.end();
}

#[test]
fn what_cannot_be_followed_says_why() {
    let story = Story::new();
    let run = |args: &[&str]| story.serving.command(&[&["repositories"], args].concat());
    let check = |args: &[&str], expected: &Expect| story.check(&run(args), expected);
    check(
        &["add", "http://git.example.com/octo/app.git"],
        &expect![[r#"
        error: what comes by http can be changed on its way
        hint: use an address of https or ssh
        exit 2
    "#]],
    );
    check(
        &["add", "https://mona:sesame@git.example.com/octo/app.git"],
        &expect![[r#"
        error: an address stands in files and process lists: it holds no name and no password
        hint: leave them out, and give them by --sign-in USER and standard input
        exit 2
    "#]],
    );
    check(
        &["add", "git@git.example.com:octo/its.git", "--sign-in", "mona"],
        &expect![[r#"
            error: --sign-in is for addresses of https; ssh has keys of its own
            exit 2
        "#]],
    );
    check(
        &["add", "https://git.example.com/octo/app.git", "--every", "1ms"],
        &expect![[r#"
        error: invalid value '1ms' for '--every <DURATION>': a length of time like 30s or 5m, up to a day

        For more information, try '--help'.
        exit 2
    "#]],
    );
    check(
        &["add", "app.git", "--every", "30s"],
        &expect![[r#"
        error: --every and --sign-in say something of a repository elsewhere
        hint: such as https://git.example.com/octo/app.git
        exit 2
    "#]],
    );
    check(
        &["add", "https://git.example.com/octo/app.git", "--forks", "ask"],
        &expect![[r#"
        error: --forks says something of a repository on GitHub
        hint: github:OWNER/NAME is one
        exit 2
    "#]],
    );
    story.check(
        &story.add(&["--sign-in", "mona", "--name", "octo/app"], PASSWORD),
        &expect![[r#"
        error: octo/app is connected already, and is not elsewhere
        hint: give this one a name of its own: --name OWNER/NAME
        exit 2
    "#]],
    );
    let added = story.add(&["--sign-in", "mona"], PASSWORD);
    assert_eq!(added.exit, 0, "{}", added.stderr);
    // Called again it changes what is said, and keeps the rest.
    story.check(
        &story.add(&["--every", "5m", "--environment", "staging"], ""),
        &expect![[r#"
        octo/away: THERE/octo/away.git is looked at every 300 s, and what is pushed to it is run
        exit 0
    "#]],
    );
    check(
        &["add", "file:///srv/git/other.git", "--name", "octo/away"],
        &expect![[r#"
        error: octo/away follows another address
        hint: give this one a name of its own: --name OWNER/NAME; or launchway repositories remove --data DATA octo/away, and add it anew, with what you agreed to
        exit 2
    "#]],
    );
    check(
        &["remove", "octo/away"],
        &expect![[r#"
        octo/away is run no more; its runs stay
        exit 0
    "#]],
    );
    let away = story.serving.place.path("data/followed/octo/away.json");
    assert!(!away.exists());
    story.serving.end();
}
