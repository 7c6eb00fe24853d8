//! Artifacts of a server's runs: from the page, over the API, and by the command as from a laptop.

use expect_test::{Expect, expect};

use crate::harness::Said;
use crate::serving::Serving;

const WORKFLOW: &str = "
on: push
jobs:
  make:
    runs-on: ubuntu-latest
    steps:
      - run: mkdir -p out && echo made > out/file && echo report > report.txt
      - { uses: actions/upload-artifact@v4, with: { name: out, path: out } }
      - { uses: actions/upload-artifact@v4, with: { name: 'a report + more', path: report.txt } }
";

fn download(serving: &Serving, args: &[&str]) -> Said {
    let mut command =
        serving.place.launchway(&[&["runs", "download", "--server", &serving.url], args].concat());
    command.env("LAUNCHWAY_TOKEN", &serving.token);
    Said::from(command.output().expect("it starts"))
}

fn check(serving: &Serving, args: &[&str], expected: &Expect) {
    let said = download(serving, args);
    let folder = serving.place.path("").display().to_string();
    let text = format!("{}{}exit {}\n", said.stdout, said.stderr, said.exit);
    expected.assert_eq(&text.replace(folder.trim_end_matches('/'), "FOLDER"));
}

#[test]
fn an_artifact_comes_from_a_server_as_it_was_made() {
    let serving = Serving::of(WORKFLOW);
    assert_eq!(serving.push().exit, 0);
    serving.ended("1");
    let into = serving.place.path("into").display().to_string();
    check(
        &serving,
        &["1", "-D", &into],
        &expect![[r#"
        a report + more: 1 file in FOLDER/into/a report + more
        out: 1 file in FOLDER/into/out
        exit 0
    "#]],
    );
    let file = |path: &str| std::fs::read_to_string(serving.place.path(path)).expect("unpacked");
    assert_eq!(
        (file("into/out/file"), file("into/a report + more/report.txt")),
        ("made\n".into(), "report\n".into())
    );
    check(
        &serving,
        &["1", "-n", "out", "-D", &into],
        &expect![[r#"
        out: 1 file in FOLDER/into
        exit 0
    "#]],
    );
    check(
        &serving,
        &["1", "-n", "out", "-D", &into],
        &expect![[r#"
        error: artifact out was not unpacked
          because: 'FOLDER/into/file' is there already
        hint: --dir names another folder
        exit 4
    "#]],
    );
    check(
        &serving,
        &["1", "-n", "absent", "-D", &into],
        &expect![[r#"
        error: run 1 has no artifact absent
        hint: it has: a report + more, out
        exit 2
    "#]],
    );
    check(
        &serving,
        &["9", "-D", &into],
        &expect![[r#"
        error: there is no such run
        exit 2
    "#]],
    );
    // What its page links is what the API gives.
    let page = serving.get("/runs/1.1").text;
    let href = "/api/v1/runs/1.1/artifacts/a%20report%20%2B%20more";
    assert!(page.contains(&format!("href=\"{href}\"")), "{page}");
    let asked = [("authorization", format!("Bearer {}", serving.token))];
    let asked = asked.each_ref().map(|(name, value)| (*name, value.as_str()));
    let request =
        ureq::http::Request::get(format!("{}{href}", serving.url)).header(asked[0].0, asked[0].1);
    let mut answer = Serving::agent().run(request.body(()).expect("a request")).expect("an answer");
    let head =
        |name: &str| answer.headers().get(name).and_then(|it| it.to_str().ok()).map(str::to_owned);
    let heads = [head("content-type"), head("content-disposition")];
    let bytes = answer.body_mut().read_to_vec().expect("its body");
    expect![[r#"[Some("application/zip"), Some("attachment; filename*=UTF-8''a%20report%20%2B%20more.zip")] Ok("PK")"#]].assert_eq(&format!("{heads:?} {:?}", std::str::from_utf8(&bytes[..2])));
    assert_eq!(serving.get("/api/v1/runs/1/artifacts/absent").status, 404);
    serving.end();
}

/// The first attempt fails behind its artifacts; the second one runs one job again.
const CARRIED: &str = "
on: push
jobs:
  make:
    runs-on: ubuntu-latest
    steps:
      - run: echo made > file
      - { uses: actions/upload-artifact@v4, with: { name: made, path: file } }
  check:
    runs-on: ubuntu-latest
    steps:
      - run: echo checked > file
      - { uses: actions/upload-artifact@v4, with: { name: checked, path: file, overwrite: true } }
      - run: test -e $MARKS/go
";

/// What the first attempt did is not what it was.
const DAMAGE: &str = "
import sqlite3, sys
with sqlite3.connect(sys.argv[1]) as journal:
    stream = 'SELECT id FROM stream WHERE name = ?'
    where = f'WHERE seq = 3 AND stream = ({stream})'
    journal.execute(f'UPDATE event SET payload = 7 {where}', ['run/1/1'])
";

#[test]
fn artifacts_of_an_attempt_before_are_shown_where_they_can_be_had() {
    let serving = Serving::of(CARRIED);
    assert_eq!(serving.push().exit, 0);
    assert_eq!(serving.ended("1.1")["conclusion"], "failure");
    serving.leave("go");
    let body = r#"{"only":"failed"}"#;
    assert_eq!(serving.post("/api/v1/runs/1/rerun", &[], body).status, 201);
    let run = serving.ended("1.2");
    let kept = |run: &serde_json::Value| {
        let all = run["artifacts"].as_array().expect("a list").iter();
        let all = all.map(|it| format!("{} {} {}", it["name"], it["attempt"], it["job"]));
        all.collect::<Vec<_>>().join(", ").replace('"', "")
    };
    expect!["checked 2 check, made 1 make"].assert_eq(&kept(&run));
    expect!["checked 1 check, made 1 make"].assert_eq(&kept(&serving.ended("1.1")));
    let page = serving.get("/runs/1").text;
    let link = "href=\"/api/v1/runs/1.2/artifacts/made\" download><bdi>made</bdi></a>";
    assert!(page.contains(link) && page.contains("of attempt 1"), "{page}");
    // The command says the same of a server and of its folder, and each of them can be had.
    let data = serving.place.path("data").display().to_string();
    let listed = |said: Said| {
        let lines = said.stdout.lines().map(str::trim).skip_while(|it| *it != "Artifacts").skip(1);
        let lines = lines.take_while(|it| !it.is_empty()).map(str::to_owned);
        lines.collect::<Vec<_>>().join("\n")
    };
    let mut distant = serving.place.launchway(&["runs", "show", "1", "--server", &serving.url]);
    distant.env("LAUNCHWAY_TOKEN", &serving.token);
    let distant = listed(Said::from(distant.output().expect("it starts")));
    expect![[r#"
        checked  116 bytes
        made  113 bytes, of attempt 1"#]]
    .assert_eq(&distant);
    assert_eq!(listed(serving.place.run(&["runs", "show", "1", "--state", &data])), distant);
    let into = serving.place.path("into").display().to_string();
    check(
        &serving,
        &["1", "-D", &into],
        &expect![[r#"
        checked: 1 file in FOLDER/into/checked
        made: 1 file in FOLDER/into/made
        exit 0
    "#]],
    );
    // That the first attempt cannot be read any more takes nothing from the second one.
    let journal = serving.place.path("data/journal.db");
    let damage = serving.place.program("python3").args(["-c", DAMAGE]).arg(&journal).status();
    assert!(damage.expect("python starts").success());
    let bearer = format!("Bearer {}", serving.token);
    let got = |name: &str| {
        let path = format!("/api/v1/runs/1.2/artifacts/{name}");
        serving.ask("HEAD", &path, &[("authorization", &bearer)], "").status
    };
    assert_eq!((got("checked"), got("made")), (200, 422));
    assert_eq!(serving.get("/runs/1").status, 200);
    let run = serving.get("/api/v1/runs/1").json();
    expect!["checked 2 check"].assert_eq(&kept(&run));
    let said = serving.place.run(&["runs", "show", "1", "--state", &data]);
    assert_eq!(said.exit, 0, "{}", said.stderr);
    let warning = "warning: artifacts of attempts before are left out: ";
    assert!(said.stderr.contains(warning), "{}", said.stderr);
    serving.end();
}
