//! Verbs against a server: what `--server` says is what is said where the server runs, and whoever is bound to a
//! repository sees that one.

use std::io::Write as _;
use std::process::Stdio;

use expect_test::{Expect, expect};

use crate::approvals::served::Server;
use crate::deploy::Project;
use crate::harness::{Place, Said, wait_until};
use crate::serving::Serving;

mod stopped;

const WORKFLOW: &str = "
on: push
jobs:
  build:
    runs-on: ubuntu-latest
    steps:
      - run: echo '= ${{ vars.REGION }}' \"$(printf %s \"$TOKEN\" | wc -c)\"
        env: { TOKEN: '${{ secrets.TOKEN }}' }
";

/// Somebody with a token of a server.
struct Asker<'s> {
    place: &'s Place,
    url: &'s str,
    token: &'s str,
}

impl Asker<'_> {
    /// A command with `--server`, and something on its standard input.
    fn given(&self, args: &[&str], input: &str) -> Said {
        let mut command = self.place.launchway(args);
        command.args(["--server", self.url]).env("LAUNCHWAY_TOKEN", self.token);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("it starts");
        // Whoever is refused does not read it.
        let _ = child.stdin.take().expect("a pipe").write_all(input.as_bytes());
        Said::from(child.wait_with_output().expect("it ends"))
    }

    fn run(&self, args: &[&str]) -> Said {
        self.given(args, "")
    }

    /// What is said. Times of this minute are `NOW`.
    fn check(&self, args: &[&str], input: &str, expect: &Expect) {
        let said = self.given(args, input);
        let now = regex::Regex::new(r"\d{4}-\d\d-\d\d \d\d:\d\d(:\d\d)?").expect("one");
        let text = format!("{}{}exit {}\n", said.stdout, said.stderr, said.exit);
        let text = text.replace(self.url, "URL");
        expect.assert_eq(&now.replace_all(&text, "NOW"));
    }

    /// The same words, and the same lines of JSON, as `here` says them where the server runs.
    fn same(&self, args: &[&str], here: &dyn Fn(&[&str]) -> Said) {
        for format in ["human", "json"] {
            let args = [args, &["--format", format]].concat();
            let (here, there) = (here(&args), self.run(&args));
            assert_eq!(here.exit, 0, "{args:?} {}", here.stderr);
            assert_eq!((&there.stdout, there.exit), (&here.stdout, 0), "{args:?} {}", there.stderr);
        }
    }
}

/// Whoever has the token of the first start.
fn admin(serving: &Serving) -> Asker<'_> {
    Asker { place: &serving.place, url: &serving.url, token: &serving.token }
}

/// A token that is made on the server's machine.
fn token(serving: &Serving, args: &[&str]) -> String {
    let said = serving.command(&[&["tokens", "create", "x"], args].concat());
    assert_eq!(said.exit, 0, "{}", said.stderr);
    said.stdout.trim().to_owned()
}

#[test]
fn secrets_and_variables_are_kept_at_a_server() {
    let serving = Serving::of(WORKFLOW);
    assert_eq!(serving.push().exit, 0);
    let app = ["--repository", "octo/app"];
    let with = |args: &[&'static str]| [args, &app].concat();
    let admin = admin(&serving);
    let here = |args: &[&str]| serving.command(args);
    admin.check(
        &with(&["secrets", "list"]),
        "",
        &expect![[r#"
            TOKEN  missing  .github/workflows/ci.yml:8
            exit 0
        "#]],
    );
    admin.check(
        &with(&["secrets", "set", "token", "--rotate-by", "2020-01-31"]),
        "for-everybody\n",
        &expect![[r#"
            the secret TOKEN is kept for octo/app
            exit 0
        "#]],
    );
    admin.check(
        &with(&["secrets", "set", "TOKEN", "--environment", "production"]),
        "for-production",
        &expect![[r#"
            the secret TOKEN is kept for production of octo/app
            exit 0
        "#]],
    );
    admin.check(
        &with(&["secrets", "set", "TOKEN"]),
        "for-everybody-else",
        &expect![[r#"
            the secret TOKEN has another value for octo/app
            exit 0
        "#]],
    );
    admin.check(
        &with(&["vars", "set", "REGION", "eu-central-1"]),
        "",
        &expect![[r#"
            the variable REGION is kept for octo/app
            exit 0
        "#]],
    );
    admin.same(&with(&["secrets", "list"]), &here);
    admin.same(&with(&["vars", "list"]), &here);
    admin.check(
        &with(&["secrets", "setup"]),
        "",
        &expect![[r#"
            every secret that is named is set
            exit 0
        "#]],
    );
    let said = admin.run(&with(&["secrets", "list", "--format", "json"]));
    assert!(!said.stdout.contains("for-everybody"), "{}", said.stdout);
    admin.check(
        &with(&["secrets", "remove", "TOKEN", "--environment", "production"]),
        "",
        &expect![[r#"
            the secret TOKEN is forgotten
            exit 0
        "#]],
    );
    admin.check(
        &with(&["secrets", "remove", "NOBODYS"]),
        "",
        &expect![[r#"
            error: no secret NOBODYS is kept there
            exit 2
        "#]],
    );
    admin.check(
        &["secrets", "list"],
        "",
        &expect![[r#"
            error: the following required arguments were not provided:
              --repository <OWNER/NAME>

            Usage: launchway secrets list --repository <OWNER/NAME> --server <URL>

            For more information, try '--help'.
            exit 2
        "#]],
    );
    let bound = token(&serving, &["--repository", "octo/app"]);
    let bound = Asker { token: &bound, ..admin };
    assert_eq!(bound.run(&with(&["secrets", "list"])).exit, 0);
    bound.check(
        &with(&["secrets", "set", "TOKEN"]),
        "mine",
        &expect![[r#"
        error: this token may read for octo/app; this needs one that may admin
        exit 4
    "#]],
    );
    bound.check(
        &["secrets", "list", "--repository", "octo/other"],
        "",
        &expect![[r#"
        error: no repository octo/other is connected
        exit 2
    "#]],
    );
    // As long as a value may be, of what JSON writes with most letters; a byte more is refused in words.
    let long = "\u{1b}".repeat(48 << 10);
    assert_eq!(admin.given(&with(&["secrets", "set", "LONG"]), &long).exit, 0);
    let path = "/api/v1/repositories/octo/app/kept/secrets/LONG";
    let put = |bytes: usize| {
        let body = serde_json::json!({ "value": "x".repeat(bytes) }).to_string();
        let bearer = format!("Bearer {}", serving.token);
        // Of what is too long nothing is read: whoever sends it at once would hear of a broken connection.
        let headers = [("authorization", &*bearer), ("expect", "100-continue")];
        let got = serving.ask("PUT", path, &headers, &body);
        (got.status, got.json()["detail"].as_str().unwrap_or_default().to_owned())
    };
    assert_eq!(
        put((48 << 10) + 1),
        (422, "secret LONG has 49153 bytes; GitHub takes 49152".to_owned())
    );
    assert_eq!(put(1 << 20), (413, "A value has 49152 bytes at most.".to_owned()));
    // Nobody is given a value again: not where it lies, and not by what was said of it.
    let mut grep = serving.place.program("grep");
    grep.args(["-rlE", "for-everybody|for-production"]).arg(serving.place.path("data"));
    let found = grep.output().expect("grep starts");
    assert_eq!(String::from_utf8_lossy(&found.stdout), "");
}

#[test]
fn what_was_deployed_is_told_by_a_server() {
    let project = Project::new("    level: 4\n    protect: { wait: 1h }");
    assert_eq!(project.run(&["deploy", "staging", "--yes", "--reason", "the first"]).exit, 0);
    project.version("1.1-broken");
    assert_eq!(project.run(&["deploy", "staging", "--yes"]).exit, 6);
    let place = &project.place;
    let server = Server::over(place, &[]);
    let data = place.state().display().to_string();
    let made = |args: &[&str]| {
        let said = place.run(&[&["tokens", "create"], args, &["--data", &data]].concat());
        assert_eq!(said.exit, 0, "{}", said.stderr);
        said.stdout.trim().to_owned()
    };
    let looks_on = made(&["looks on"]);
    let reader = Asker { place, url: &server.url, token: &looks_on };
    let here = |args: &[&str]| project.run(args);
    let planner = ["--project", "planner"];
    let with = |args: &[&'static str]| [args, &planner].concat();
    let without = |args: &[&str]| {
        let named: Vec<&str> = args.iter().copied().filter(|it| !planner.contains(it)).collect();
        here(&named)
    };
    reader.same(&with(&["history"]), &without);
    reader.same(&with(&["history", "staging", "-n", "1"]), &without);
    reader.same(&with(&["deployments", "show"]), &without);
    reader.same(&["deployments", "show", "1"], &here);
    for watch in [&["deployments", "watch", "2"][..], &["deployments", "watch", "1"]] {
        let json = [watch, &["--format", "json"]].concat();
        for args in [watch, &json] {
            let (here, there) = (here(args), reader.run(args));
            assert_eq!((&there.stdout, &there.stderr), (&here.stdout, &here.stderr), "{args:?}");
            assert_eq!(there.exit, here.exit, "{args:?}");
        }
    }
    // A server asks no target; the rest is the same.
    let lines = |said: &Said| {
        let mut lines = said.lines();
        for line in &mut lines {
            for field in ["seen", "unseen", "report"] {
                line[field] = serde_json::Value::Null;
            }
        }
        lines
    };
    let status = ["status", "staging", "--format", "json"];
    assert_eq!(lines(&reader.run(&status)), lines(&here(&status)));
    reader.check(
        &["status"],
        "",
        &expect![[r#"
        staging of planner
          api  1.0 since NOW (deployment 1); it cannot be looked at: a server asks no target
        exit 0
    "#]],
    );
    // With several projects it says whose.
    let newest = reader.run(&["history", "-n", "1"]).stdout;
    assert!(newest.contains("  staging of planner  api 1.1-broken  release by "), "{newest}");
    let nowhere = expect![[r#"
        no deployment went to nowhere; deployments went to: staging of planner
        exit 0
    "#]];
    for args in [["history", "nowhere"], ["status", "nowhere"], ["releases", "nowhere"]] {
        reader.check(&args, "", &nowhere);
    }
    reader.check(
        &["history", "--project", "planer"],
        "",
        &expect![[r#"
        nothing of planer was deployed; there are: planner
        exit 0
    "#]],
    );
    reader.same(&with(&["releases", "staging"]), &without);
    reader.check(
        &["deployments", "show", "9"],
        "",
        &expect![[r#"
        error: there is no deployment 9
        exit 2
    "#]],
    );
    reader.check(
        &with(&["environments"]),
        "",
        &expect![[r#"
        there is no environment
        exit 0
    "#]],
    );
    let bare = place.path("app.git").display().to_string();
    place.git(&["clone", "--quiet", "--bare", ".", &bare]);
    for name in ["octo/app", "octo/other"] {
        let path = if name == "octo/app" { bare.clone() } else { bare.replace("app", "other") };
        if name == "octo/other" {
            place.git(&["clone", "--quiet", "--bare", ".", &path]);
        }
        let args = ["repositories", "add", &path, "--name", name, "--data", &data];
        let added = project.run(&args);
        assert_eq!(added.exit, 0, "{}", added.stderr);
    }
    reader.check(
        &with(&["environments"]),
        "",
        &expect![[r#"
        staging of octo/app
          level 4: a person starts every deployment
          No job runs there: no rule guards it, and nobody agreed.
          api 1.0 runs
        production of octo/app
          level 4: a person starts every deployment
          A person starts each job: by a dispatch, or at its gate where it comes of something else.
          1h pass after it was asked for.
        staging of octo/other
          level 4: a person starts every deployment
          No job runs there: no rule guards it, and nobody agreed.
          api 1.0 runs
        production of octo/other
          level 4: a person starts every deployment
          A person starts each job: by a dispatch, or at its gate where it comes of something else.
          1h pass after it was asked for.
        exit 0
    "#]],
    );
    // Who is bound to one repository sees its environments, and no project's deployments.
    let bound = made(&["bound", "--repository", "octo/app"]);
    let bound = Asker { token: &bound, ..reader };
    bound.check(
        &["environments"],
        "",
        &expect![[r#"
        staging of octo/app
          level 4: a person starts every deployment
          No job runs there: no rule guards it, and nobody agreed.
        production of octo/app
          level 4: a person starts every deployment
          A person starts each job: by a dispatch, or at its gate where it comes of something else.
          1h pass after it was asked for.
        exit 0
    "#]],
    );
    let wholly = expect![[r#"
        error: this is about the whole server; you may read for octo/app
        exit 4
    "#]];
    for args in [&["history"][..], &["deployments", "show", "1"], &["status"], &["releases"]] {
        bound.check(args, "", &wholly);
    }
}

#[test]
fn the_trail_is_exported_from_a_server() {
    let serving = Serving::of(WORKFLOW);
    assert_eq!(serving.push().exit, 0);
    serving.ended("1");
    let admin = admin(&serving);
    let here = serving.command(&["audit", "export"]);
    let there = admin.run(&["audit", "export"]);
    let decisions = |said: &Said| {
        said.stdout.lines().filter(|it| !it.contains("\"head\"")).map(str::to_owned).collect()
    };
    let (here, there): (Vec<String>, Vec<String>) = (decisions(&here), decisions(&there));
    assert!(here.len() > 2, "{here:?}");
    assert_eq!(here, there);
    let csv = ["audit", "export", "--format", "csv"];
    assert_eq!(admin.run(&csv).stdout, serving.command(&csv).stdout);
    admin.check(&["audit", "verify"], "", &expect![[r#"
        error: what URL says of its journal proves nothing: verify reads the journal itself
        hint: launchway audit verify --data DIR --expect HEAD, on its machine or beside a copy of its folder
        exit 2
    "#]]);
    let bound = token(&serving, &["--repository", "octo/app"]);
    let bound = Asker { token: &bound, ..admin };
    bound.check(
        &["audit", "export"],
        "",
        &expect![[r#"
        error: this is about the whole server; you may read for octo/app
        exit 4
    "#]],
    );
}

const READS: &str = "
on: push
jobs:
  reads:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - run: cat word; grep -q one word
";

#[test]
fn two_runs_of_a_server_are_compared() {
    let serving = Serving::of(READS);
    for (run, word) in [("1", "one\n"), ("2", "two\n")] {
        serving.place.write("word", word);
        serving.place.commit();
        assert_eq!(serving.push().exit, 0);
        serving.ended(run);
    }
    let admin = admin(&serving);
    let data = serving.place.path("data").display().to_string();
    let here = |args: &[&str]| serving.place.run(&[args, &["--state", &data]].concat());
    admin.same(&["runs", "diff", "1", "2"], &here);
    // Without numbers the newest, and the one of the same workflow before it.
    let named = admin.run(&["runs", "diff", "1.1", "2.1", "--format", "json"]);
    assert_eq!(admin.run(&["runs", "diff", "--format", "json"]).stdout, named.stdout);
    let is_line =
        |it: &serde_json::Value| it["what"].as_str().is_some_and(|it| it.starts_with("log line"));
    let lines = named.lines();
    let line = lines.iter().find(|it| is_line(it)).unwrap_or_else(|| panic!("{}", named.stdout));
    assert_eq!((&line["first"], &line["second"]), (&"one".into(), &"two".into()));
    admin.check(
        &["runs", "diff", "1", "x"],
        "",
        &expect![[r#"
            error: `x` is not a run
            hint: RUN or RUN.ATTEMPT, such as 12 or 12.1; launchway runs list --server URL shows them
            exit 2
        "#]],
    );
    let other = token(&serving, &["--repository", "octo/app"]);
    let other = Asker { token: &other, ..admin };
    assert_eq!(other.run(&["runs", "diff"]).exit, 0);
}

#[test]
fn a_workflow_is_switched_off_at_a_server() {
    let workflow = WORKFLOW.replace("on: push", "on: [push, workflow_dispatch]");
    let serving = Serving::of(&workflow);
    let admin = admin(&serving);
    let app = ["--repository", "octo/app"];
    let with = |args: &[&'static str]| [args, &app].concat();
    assert_eq!(serving.push().exit, 0);
    let here = |args: &[&str]| serving.command(args);
    let list = with(&["workflows", "list"]);
    assert_eq!(admin.run(&list).stdout, here(&list).stdout);
    let reader = token(&serving, &["--repository", "octo/app"]);
    let reader = Asker { token: &reader, ..admin };
    reader.check(
        &with(&["workflows", "disable", "ci.yml"]),
        "",
        &expect![[r#"
        error: this token may read for octo/app; this needs one that may admin
        exit 4
    "#]],
    );
    admin.check(
        &with(&["workflows", "disable", "nowhere.yml"]),
        "",
        &expect![[r#"
        error: there is no workflow nowhere.yml
        hint: there are: .github/workflows/ci.yml; one that only another branch has: by its whole path, .github/workflows/FILE.yml
        exit 2
    "#]],
    );
    // One that only another branch has is named whole, and whoever names it wrong sees that it is not there.
    let night = ".github/workflows/night.yml";
    admin.check(&with(&["workflows", "disable", night]), "", &expect![[r#"
        .github/workflows/night.yml runs no more, until: launchway workflows enable --repository octo/app --server URL .github/workflows/night.yml
        note: there is no such file at the tip of the default branch: it is switched off wherever it is
        exit 0
    "#]]);
    assert_eq!(admin.run(&list).stdout, here(&list).stdout);
    admin.check(
        &with(&["workflows", "enable", "night.yml"]),
        "",
        &expect![[r#"
        .github/workflows/night.yml runs on its events again
        exit 0
    "#]],
    );
    admin.check(&with(&["workflows", "disable", "ci.yml"]), "", &expect![[r#"
        .github/workflows/ci.yml runs no more, until: launchway workflows enable --repository octo/app --server URL ci.yml
        exit 0
    "#]]);
    reader.check(
        &list,
        "",
        &expect![[r#"
            .github/workflows/ci.yml  disabled, on push, workflow_dispatch
            exit 0
        "#]],
    );
    reader.check(
        &with(&["workflows", "list", "--format", "json"]),
        "",
        &expect![[r#"
            {"path":".github/workflows/ci.yml","name":null,"events":["push","workflow_dispatch"],"state":"off"}
            exit 0
        "#]],
    );
    assert_eq!(admin.run(&list).stdout, here(&list).stdout);
    serving.place.write("README.md", "another commit");
    serving.place.commit();
    let told: String =
        serving.push().stderr.lines().filter(|it| it.contains("off")).map(str::to_owned).collect();
    expect!["remote: launchway: .github/workflows/ci.yml does not run: It is switched off; `launchway workflows enable ci.yml --repository octo/app` lets it run."].assert_eq(told.trim_end());
    let by_hand = ["run", "workflow_dispatch", "-W", "ci.yml", "--repository", "octo/app"];
    admin.check(&by_hand, "", &expect![[r#"
        error: .github/workflows/ci.yml does not run: It is switched off; `launchway workflows enable ci.yml --repository octo/app` lets it run
        exit 3
    "#]]);
    assert!(serving.get("/repositories").text.contains("switched off"));
    let all = serving.get("/api/v1/repositories").json();
    assert_eq!(all["repositories"][0]["switched_off"][0], ".github/workflows/ci.yml");
    admin.check(
        &with(&["workflows", "enable", "ci.yml"]),
        "",
        &expect![[r#"
        .github/workflows/ci.yml runs on its events again
        exit 0
    "#]],
    );
    let trail = serving.command(&["audit", "export"]).lines();
    let switches: Vec<String> = trail
        .iter()
        .filter(|it| it["action"].as_str().is_some_and(|it| it.starts_with("workflow.")))
        .map(|it| format!("{} {} {}", it["action"], it["object"], it["source"]))
        .collect();
    expect![[r#"
        "workflow.disable" "octo/app .github/workflows/night.yml" "api"
        "workflow.enable" "octo/app .github/workflows/night.yml" "api"
        "workflow.disable" "octo/app .github/workflows/ci.yml" "api"
        "workflow.enable" "octo/app .github/workflows/ci.yml" "api""#]]
    .assert_eq(&switches.join("\n"));
    serving.place.write("README.md", "one more");
    serving.place.commit();
    assert_eq!(serving.push().exit, 0);
    assert_eq!(serving.ended("2")["conclusion"], "success");
}

#[test]
fn tokens_and_people_are_looked_after_at_a_server() {
    let serving = Serving::of(WORKFLOW);
    let here = |args: &[&str]| serving.command(args);
    let mona = token(&serving, &["--scope", "admin", "--person", "mona", "--days", "7"]);
    let mona = Asker { token: &mona, ..admin(&serving) };
    mona.same(&["tokens", "list"], &here);
    mona.same(&["people", "list"], &here);
    mona.check(
        &["people", "revoke", "lena"],
        "",
        &expect![[r#"
        error: nobody signed in who is called lena
        exit 2
    "#]],
    );
    // Of whoever asks, of no more than they may, and for no longer.
    let made = mona.run(&["tokens", "create", "laptop", "--scope", "operate"]);
    assert_eq!(made.exit, 0, "{}", made.stderr);
    let laptop = mona.run(&["tokens", "list", "--format", "json"]).lines();
    let laptop = laptop.iter().find(|it| it["name"] == "laptop").expect("it is listed").clone();
    let days = (laptop["expires_at_ms"].as_u64(), laptop["created_at_ms"].as_u64());
    assert!(days.0.zip(days.1).is_some_and(|(end, from)| end - from <= 7 * 86_400_000));
    assert_eq!(
        (&laptop["person"], &laptop["scope"], &laptop["machine"]),
        (&"mona".into(), &"operate".into(), &false.into())
    );
    let create = |more: &[&'static str]| [&["tokens", "create", "y"], more].concat();
    mona.check(&create(&["--person", "lena"]), "", &expect![[r#"
        error: a server makes a token of whoever asks, as the one in LAUNCHWAY_TOKEN is
        hint: leave out --person and --machine; for somebody else launchway tokens create --data DIR makes it, where the server runs
        exit 2
    "#]]);
    mona.check(&create(&["--machine"]), "", &expect![[r#"
        error: a server makes a token of whoever asks, as the one in LAUNCHWAY_TOKEN is
        hint: leave out --person and --machine; for somebody else launchway tokens create --data DIR makes it, where the server runs
        exit 2
    "#]]);
    mona.check(
        &create(&["--scope", "runner"]),
        "",
        &expect![[r#"
        error: a server makes no token of a runner: who may administer takes no jobs
        hint: launchway tokens create --data DIR makes it, where the server runs
        exit 2
    "#]],
    );
    mona.check(
        &create(&["--repository", "octo/other"]),
        "",
        &expect![[r#"
        error: no repository octo/other is connected
        exit 2
    "#]],
    );
    let operator = made.stdout.trim().to_owned();
    let operator = Asker { token: &operator, ..mona };
    operator.check(
        &create(&[]),
        "",
        &expect![[r#"
        error: this token may operate; this needs one that may admin
        exit 4
    "#]],
    );
    operator.check(
        &["tokens", "list"],
        "",
        &expect![[r#"
        error: this token may operate; this needs one that may admin
        exit 4
    "#]],
    );
    // Who may administer one repository looks after what is good for that alone.
    let bound = ["--scope", "admin", "--person", "lena", "--repository", "octo/app"];
    let bound = token(&serving, &bound);
    let bound = Asker { token: &bound, ..mona };
    let seen = bound.run(&["tokens", "list", "--format", "json"]).lines();
    let names: Vec<&str> = seen.iter().filter_map(|it| it["person"].as_str()).collect();
    assert_eq!(names, ["lena"]);
    bound.check(
        &create(&[]),
        "",
        &expect![[r#"
        error: this token may admin for octo/app: what it makes is bound to those, too
        exit 4
    "#]],
    );
    assert_eq!(bound.run(&create(&["--repository", "octo/app"])).exit, 0);
    bound.check(
        &["people", "list"],
        "",
        &expect![[r#"
        error: this is about the whole server; you may admin for octo/app
        exit 4
    "#]],
    );
    let id = laptop["id"].as_str().expect("an id").to_owned();
    let revoke = ["tokens", "revoke", &id];
    let said = bound.run(&revoke).stderr.replace(&id, "ID");
    expect![[r#"
        error: there is no token ID
    "#]]
    .assert_eq(&said);
    assert_eq!(mona.run(&revoke).exit, 0);
    assert_eq!(operator.run(&["runs", "list"]).exit, 4);
    // Whoever has a token may have made others with it: they end with it.
    let second = mona.run(&["tokens", "create", "second", "--scope", "admin"]).stdout;
    let second = Asker { token: second.trim(), ..mona };
    let third = second.run(&["tokens", "create", "third"]).stdout;
    let third = Asker { token: third.trim(), ..mona };
    assert_eq!(third.run(&["runs", "list"]).exit, 0);
    let all = second.run(&["tokens", "list", "--format", "json"]).lines();
    let named = |name: &str| all.iter().find(|it| it["name"] == name).expect("it is listed");
    assert_eq!(named("third")["made_with"], named("second")["id"]);
    let id = named("second")["id"].as_str().expect("an id");
    assert_eq!(mona.run(&["tokens", "revoke", id]).exit, 0);
    for it in [second, third] {
        assert_eq!(it.run(&["runs", "list"]).exit, 4);
    }
    let trail = serving.command(&["audit", "export"]).lines();
    let deeds: Vec<String> = trail
        .iter()
        .filter(|it| it["source"] == "api" && it["refused"] == false)
        .map(|it| format!("{} {}", it["actor"], it["action"]))
        .collect();
    expect![[r#"
        "mona" "token.create"
        "lena" "token.create"
        "mona" "token.revoke"
        "mona" "token.create"
        "mona" "token.create"
        "mona" "token.revoke"
        "mona" "token.revoke""#]]
    .assert_eq(&deeds.join("\n"));
}

#[test]
fn messages_and_repositories_are_looked_after_at_a_server() {
    let serving = Serving::of(WORKFLOW);
    let admin = admin(&serving);
    // Nobody listens there: the port is given back at once.
    let port = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = port.local_addr().expect("an address");
    drop(port);
    let settings = format!(
        "version: 1\nproject: planner\nservices: {{ api: {{ run: [sh] }} }}\n\
         environments: {{ dev: {{ targets: {{ host: 127.0.0.1:8080 }} }} }}\n\
         notify: [{{ name: hook, webhook: 'http://{address}', on: [run_succeeded, run_failed] }}]\n"
    );
    serving.place.write("launchway.yml", &settings);
    serving.place.commit();
    assert_eq!(serving.push().exit, 0);
    serving.ended("1");
    let data = serving.place.path("data").display().to_string();
    let here = |args: &[&str]| serving.place.run(&[args, &["--state", &data]].concat());
    let list = ["notify", "list", "--format", "json"];
    wait_until("a message", || !here(&list).lines().is_empty());
    let numbers = |said: &Said| -> Vec<(String, String)> {
        let lines = said.lines();
        lines.iter().map(|it| (it["number"].to_string(), it["about"].to_string())).collect()
    };
    assert_eq!(numbers(&admin.run(&list)), numbers(&here(&list)));
    admin.check(
        &["notify", "retry", "999"],
        "",
        &expect![[r#"
        error: 999 neither waits nor was given up
        exit 2
    "#]],
    );
    wait_until("it is due again", || {
        let said = admin.run(&["notify", "retry", "1", "--reason", "it listens now"]);
        said.stderr.contains("is due now")
    });
    let audit = serving.get("/api/v1/audit?action=message.retry").json();
    assert_eq!(audit["decisions"][0]["reason"], "it listens now");
    let test = |rule: &'static str| ["notify", "test", rule, "--repository", "octo/app"];
    admin.check(
        &test("nobody"),
        "",
        &expect![[r#"
        error: there is no rule nobody
        hint: the rules are: hook
        exit 2
    "#]],
    );
    let said = admin.run(&test("hook"));
    assert!(said.exit == 5 && said.stderr.contains("refuses connections"), "{}", said.stderr);
    // On its machine the same, with what the server was started with.
    let said = serving.command(&test("hook"));
    assert!(said.exit == 5 && said.stderr.contains("refuses connections"), "{}", said.stderr);
    assert!(serving.get("/api/v1/audit?limit=200").text.contains("octo/app hook"));
    // Who tests wants to know of what they wrote: no older rules tell where those at the tip have mistakes.
    serving.place.write("launchway.yml", &settings.replace("webhook:", "webhok:"));
    serving.place.commit();
    // Past the hook, which refuses them.
    let bare = serving.place.path("app.git").display().to_string();
    let work = serving.place.repository().display().to_string();
    serving.place.git(&["--git-dir", &bare, "fetch", "--quiet", &work, "+HEAD:refs/heads/main"]);
    for said in [admin.run(&test("hook")), serving.command(&test("hook"))] {
        let mistaken = "launchway.yml of octo/app has mistakes: launchway.yml:5: ";
        assert!(said.exit == 5 && said.stderr.contains(mistaken), "{}", said.stderr);
    }
    let said = serving.command(&["repositories", "list", "--format", "json"]);
    let there = admin.run(&["repositories", "list", "--format", "json"]);
    assert_eq!((&there.stdout, there.exit), (&said.stdout, 0), "{}", there.stderr);
    admin.same(&["repositories", "list"], &|args| serving.command(args));
    let reader = token(&serving, &["--repository", "octo/app"]);
    let reader = Asker { token: &reader, ..admin };
    reader.check(
        &["repositories", "list"],
        "",
        &expect![[r#"
        error: this token may read for octo/app; this needs one that may admin
        exit 4
    "#]],
    );
    reader.check(
        &["notify", "list"],
        "",
        &expect![[r#"
        error: this is about the whole server; you may read for octo/app
        exit 4
    "#]],
    );
    reader.check(
        &test("hook"),
        "",
        &expect![[r#"
        error: this token may read for octo/app; this needs one that may admin
        exit 4
    "#]],
    );
    let bound = token(&serving, &["--scope", "admin", "--machine", "--repository", "octo/app"]);
    let bound = Asker { token: &bound, ..admin };
    assert_eq!(bound.run(&["repositories", "list", "--format", "json"]).stdout, said.stdout);
    bound.check(
        &["notify", "retry", "1"],
        "",
        &expect![[r#"
        error: this is about the whole server; you may admin for octo/app
        exit 4
    "#]],
    );
}
