//! The server: what is pushed is run, pages and the API say what happens, whoever is killed is gone
//! on with, and nobody gets in who may not.

use std::io::{BufRead as _, BufReader};

use expect_test::{Expect, expect};
use serde_json::Value as Json;

use crate::harness::{Said, wait_until};
use crate::serving::Serving;

mod killed;
mod refused;

/// A run and its jobs, a line each.
pub(crate) fn jobs(run: &Json) -> String {
    let mut text = format!("{} {}\n", run["status"], run["conclusion"]);
    for job in run["jobs"].as_array().into_iter().flatten() {
        text.push_str(&format!("{}: {} {}\n", job["name"], job["conclusion"], job["why_waiting"]));
    }
    text.replace('"', "")
}

const HELLO: &str = r#"
on: push
jobs:
  hello:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - name: says
        run: |
          echo "before <script>alert(1)</script>"
          echo "::add-mask::hunter2hunter2"
          while ! test -e $MARKS/go; do sleep 0.02; done
          printf '\033[31mred\033[0m hunter2hunter2\n'
"#;

#[test]
fn what_is_pushed_is_run_and_followed() {
    let serving = Serving::of(HELLO);
    assert_eq!(serving.get("/readyz").text, "ready\n");
    let pushed = serving.push();
    assert_eq!(pushed.exit, 0, "{}", pushed.stderr);
    let said = format!("launchway: run 1  .github/workflows/ci.yml  {}/runs/1.1", serving.url);
    assert!(pushed.stderr.contains(&said), "{}", pushed.stderr);
    // A push is answered when its run is in the journal; its jobs are planned a moment later.
    wait_until("the job's page", || serving.get("/runs/1/jobs/hello").status == 200);
    let follower = follow(&serving, "/live/runs/1/jobs/hello?after=0");
    let lines = until(follower, "before", |seen| {
        serving.leave("go");
        seen
    });
    let all = until(lines, "event: end", |seen| seen).1;
    assert!(all.contains("before &lt;script&gt;alert(1)&lt;/script&gt;"), "{all}");
    assert!(all.contains("<span class=\"f1\">red</span> ***"), "{all}");
    let run = serving.ended("1");
    expect![[r#"
        completed success
        hello: success null
    "#]]
    .assert_eq(&jobs(&run));
    let page = serving.get("/runs/1.1/jobs/hello").text;
    for part in
        ["before &lt;script&gt;alert(1)&lt;/script&gt;", "<span class=\"f1\">red</span> ***"]
    {
        assert!(page.contains(part), "{page}");
    }
    for never in ["<script>alert", "hunter2hunter2</span>", "style=\""] {
        assert!(!page.contains(never), "{never}");
    }
    let list = serving.get("/runs").text;
    assert!(list.contains("href=\"/runs/1.1\"><bdi>a change</bdi></a>"), "{list}");
    let raw = serving.get("/api/v1/runs/1/jobs/hello/log").text;
    assert!(raw.contains("before <script>") && !raw.contains("\u{1b}[31mred\u{1b}[0m hunter2"));
    let found = serving.get("/runs/1/jobs/hello?q=%2A%2A%2A").text;
    assert!(found.contains("1 line has that."), "{found}");
    serving.end();
}

type Stream = (BufReader<ureq::BodyReader<'static>>, String);

/// Server-sent events of a path, with what came so far.
fn follow(serving: &Serving, path: &str) -> Stream {
    let request = Serving::agent()
        .get(format!("{}{path}", serving.url))
        .header("authorization", format!("Bearer {}", serving.token));
    let response = request.call().expect("an answer");
    assert_eq!(response.status(), 200);
    (BufReader::new(response.into_body().into_reader()), String::new())
}

/// Reads until a line has the text.
fn until((mut lines, mut seen): Stream, text: &str, then: impl FnOnce(Stream) -> Stream) -> Stream {
    while !seen.contains(text) {
        assert!(lines.read_line(&mut seen).expect("it can be read") > 0, "it ended: {seen}");
    }
    then((lines, seen))
}

/// A job that others need; it goes on until it is told.
pub(crate) const LONG: &str = "
on: push
permissions: {}
jobs:
  first:
    runs-on: ubuntu-latest
    steps: [{ run: 'echo x >> $MARKS/first' }]
  long:
    needs: first
    runs-on: ubuntu-latest
    steps:
      - run: |
          echo x >> $MARKS/long
          echo it holds on
          while ! test -e $MARKS/go; do sleep 0.02; done
  after:
    needs: long
    runs-on: ubuntu-latest
    steps: [{ run: 'echo x >> $MARKS/after' }]
";

#[test]
fn workflow_files_with_mistakes_are_refused_with_their_place() {
    let serving = Serving::of(HELLO);
    serving.place.write(".github/workflows/other.yml", "on: push\njobs:\n  a:\n    steps: []\n");
    serving.place.commit();
    let pushed = serving.push();
    assert_eq!(pushed.exit, 1);
    let said: Vec<&str> =
        pushed.stderr.lines().map(|line| line.trim_start_matches("remote: ").trim_end()).collect();
    let said = said.join("\n");
    for part in
        [".github/workflows/other.yml:4:5", "the push is refused", "pre-receive hook declined"]
    {
        assert!(said.contains(part), "{said}");
    }
    assert_eq!(serving.get("/api/v1/runs").json()["runs"], serde_json::json!([]));
    serving.end();
}

#[test]
fn a_run_is_cancelled_and_run_again_once_for_a_key() {
    let serving = Serving::of(LONG);
    serving.push();
    wait_until("the long job", || serving.mark("long") == "x\n");
    let waiting = serving.get("/api/v1/runs/1").json();
    assert!(jobs(&waiting).contains("after: null waits for long"), "{}", jobs(&waiting));
    assert_eq!(serving.post("/api/v1/runs/1/rerun", &[], "").status, 409);
    let mut here = serving.place.program(env!("CARGO_BIN_EXE_launchway"));
    let here = here.args(["runs", "cancel", "1", "--state"]).arg(serving.place.path("data"));
    let here = Said::from(here.output().expect("it starts"));
    assert_eq!(here.exit, 4, "a signal would end the server with all its runs");
    assert!(here.stderr.contains("launchway runs cancel 1 --server http://"), "{}", here.stderr);
    assert_eq!(serving.post("/api/v1/runs/1/cancel", &[], "").status, 202);
    assert_eq!(serving.ended("1")["conclusion"], "cancelled");
    assert_eq!(serving.post("/api/v1/runs/1/cancel", &[], "").status, 409);
    serving.leave("go");
    let again = || {
        let key = [("idempotency-key", "the same")];
        let got = serving.post("/api/v1/runs/1/rerun", &key, r#"{"only":"failed"}"#);
        (got.status, got.json()["attempt"].clone())
    };
    assert_eq!(again(), (201, 2.into()));
    assert_eq!(again(), (201, 2.into()));
    let key = [("idempotency-key", "the same")];
    let other = serving.post("/api/v1/runs/1/rerun", &key, r#"{"only":"all"}"#);
    assert_eq!(other.status, 409, "{}", other.text);
    let second = serving.ended("1");
    assert_eq!((&second["attempt"], &second["conclusion"]), (&2.into(), &"success".into()));
    assert_eq!(serving.mark("first"), "x\n", "what ended well is not run again");
    assert_eq!(serving.post("/api/v1/runs/1/rerun", &[], "nonsense").status, 400);
    assert_eq!(serving.post("/api/v1/runs/77/cancel", &[], "").status, 404);
    serving.end();
}

/// The same commands, with the same output, as those that read the folder.
#[test]
fn the_command_line_says_the_same_of_a_server() {
    let serving = Serving::of(HELLO);
    serving.leave("go");
    serving.push();
    serving.ended("1");
    let of_server = |args: &[&str], token: &str| {
        let mut command = serving.place.launchway(&[args, &["--server", &serving.url]].concat());
        Said::from(command.env("LAUNCHWAY_TOKEN", token).output().expect("it starts"))
    };
    let data = serving.place.path("data");
    let of_folder = |args: &[&str]| {
        let mut command = serving.place.program(env!("CARGO_BIN_EXE_launchway"));
        Said::from(command.args(args).arg("--state").arg(&data).output().expect("it starts"))
    };
    let json = ["--format", "json"];
    for args in [
        &["runs", "list", "--all"][..],
        &["runs", "list", "--all", json[0], json[1]],
        &["runs", "list", "--all", "--workflow", "ci", "--branch", "main", "--status", "success"],
        &["runs", "list", "--event", "push", "--repository", "octo/app"],
        &["runs", "show", "1"],
        &["runs", "show", "1", json[0], json[1]],
        &["runs", "logs", "1"],
        &["runs", "logs", "1", "-j", "hello", "--raw"],
        &["runs", "logs", "1", "--search", "e"],
    ] {
        let (served, read) = (of_server(args, &serving.token), of_folder(args));
        assert_eq!((served.exit, served.stderr), (read.exit, read.stderr), "{args:?}");
        assert_eq!(served.stdout, read.stdout, "{args:?}");
        assert!(!served.stdout.is_empty(), "{args:?}");
    }
    for args in [["--status", "failure"], ["--branch", "mai"], ["--actor", "nobody"]] {
        let args = [&["runs", "list", "--all"][..], &args].concat();
        for said in [of_server(&args, &serving.token), of_folder(&args)] {
            assert_eq!((said.exit, &*said.stdout, &*said.stderr), (0, "", "no run fits\n"));
        }
    }
    let refused = of_folder(&["runs", "list", "--status", "failed"]);
    assert!(refused.exit == 2 && refused.stderr.contains("timed_out"), "{}", refused.stderr);
    let page = serving.get("/runs?branch=main&status=failure&workflow=&before=9.1").text;
    assert!(
        page.contains("No run fits.") && page.contains(r#"value="failure" selected"#),
        "{page}"
    );
    assert!(serving.get("/runs?workflow=ci.yml&actor=").text.contains("href=\"/runs/1.1\""));
    let problem = |path: &str| {
        let got = serving.get(path);
        assert_eq!(got.status, 400, "{}", got.text);
        got.json()["detail"].as_str().expect("text").to_owned()
    };
    expect!["`brunch` is no parameter of listRuns: it knows `before`, `repository`, `workflow`, `branch`, `status`, `actor`, `event`, `limit`."]
        .assert_eq(&problem("/api/v1/runs?brunch=main"));
    expect!["`status` is one of queued, waiting, in_progress, completed, success, failure, timed_out, cancelled, skipped."]
        .assert_eq(&problem("/api/v1/runs?status=failed"));
    let watched = of_server(&["runs", "watch"], &serving.token);
    assert_eq!(watched.exit, 0, "{}", watched.stderr);
    assert!(watched.stdout.contains("logs: launchway runs logs 1 --server"), "{}", watched.stdout);
    let again = of_server(&["runs", "rerun", "1"], &serving.token);
    assert!(again.stderr.starts_with("run 1, attempt 2, was made"), "{}", again.stderr);
    serving.ended("1");
    let check = |args: &[&str], token: &str, exit: i32, expect: Expect| {
        let said = of_server(args, token);
        assert_eq!(said.exit, exit, "{}", said.stderr);
        expect.assert_eq(&said.stderr.replace(&serving.url, "URL"));
    };
    check(
        &["runs", "cancel", "1"],
        &serving.token,
        2,
        expect![[r#"
        error: run 1 is over: success
    "#]],
    );
    check(
        &["runs", "show", "77"],
        &serving.token,
        2,
        expect![[r#"
        error: there is no such run
    "#]],
    );
    check(
        &["runs", "list"],
        "",
        2,
        expect![[r#"
        error: LAUNCHWAY_TOKEN is not set
        hint: launchway tokens create NAME --data DIR makes a token, where the server runs; export it as LAUNCHWAY_TOKEN
    "#]],
    );
    check(
        &["runs", "list"],
        "launchway_x",
        4,
        expect![[r#"
            error: this is no token of this server, or it has ended
            hint: LAUNCHWAY_TOKEN holds it; launchway tokens create NAME --data DIR, where the server runs, makes one
        "#]],
    );
    let mut open = serving.place.launchway(&["runs", "list", "--server", "http://ci.example.com"]);
    let open = Said::from(open.env("LAUNCHWAY_TOKEN", "x").output().expect("it starts"));
    assert_eq!(open.exit, 4);
    expect![[r#"
        error: http://ci.example.com is not encrypted: the token would be given away
        hint: use its https:// address, or a tunnel to it on this machine
    "#]]
    .assert_eq(&open.stderr);
    serving.end();
}

#[test]
fn figures_are_counted_beside_and_open_into_their_runs() {
    let serving = Serving::of(
        "on: push\njobs:\n  fails:\n    runs-on: ubuntu-latest\n    steps: [{run: exit 1}]\n",
    );
    serving.push();
    serving.ended("1");
    let mut told = Json::Null;
    wait_until("the run is counted", || {
        told = serving.get("/api/v1/metrics?since=1d").json();
        told["pipelines"].as_array().is_some_and(|it| !it.is_empty())
    });
    let pipeline = &told["pipelines"][0];
    assert_eq!(pipeline["success"], serde_json::json!({ "part": 0, "whole": 1, "rate": null }));
    let failure = &pipeline["failures"][0];
    assert_eq!((&failure["run"], &failure["stream"]), (&1.into(), &"run/1/1".into()));
    let events = serving.get("/api/v1/runs/1/events").json();
    let events = events["events"].as_array().unwrap();
    let named = events.iter().find(|it| it["seq"] == failure["seq"]).unwrap();
    assert_eq!(named["event"]["type"], "RunCompleted", "the figure opens into this event");
    assert_eq!(told["queues"][0]["labels"], "ubuntu-latest");
    let page = serving.get("/insights/pipelines");
    assert!(page.text.contains("The default branch is red since"), "{}", page.text);
    assert!(serving.get("/insights").text.contains("Nothing was deployed"));
    let data = serving.place.path("data");
    let local = |args: &[&str]| {
        let mut command = serving.place.program(env!("CARGO_BIN_EXE_launchway"));
        let command = command.arg("metrics").args(args).arg("--state").arg(&data);
        Said::from(command.current_dir("/").output().expect("it starts"))
    };
    let served = |args: &[&str]| {
        let mut command =
            serving.place.launchway(&[&["metrics", "--server", &serving.url], args].concat());
        let token = serving.token.as_str();
        Said::from(command.env("LAUNCHWAY_TOKEN", token).output().expect("it starts"))
    };
    let of = ["--of", "pipelines"];
    assert_eq!(local(&of).stdout, served(&of).stdout);
    assert!(local(&of).stdout.contains("✗ run 1.1  run/1/1 "), "{}", local(&of).stdout);
    let bad = "`since` is a span such as 90d, 12w or 48h, or a day such as 2026-03-01, of the last ten years.";
    for path in ["/api/v1/metrics?since=ever", "/api/v1/metrics?since=99999d"] {
        assert_eq!(
            (serving.get(path).status, &serving.get(path).json()["detail"]),
            (400, &bad.into())
        );
    }
    assert_eq!(serving.ask("GET", "/api/v1/metrics", &[], "").status, 401);
    assert_eq!(serving.ask("GET", "/insights", &[], "").status, 303);
    a_time_that_is_past(&serving, &local, &served);
    serving.end();
}

/// What a protected branch gets is never skipped, and whoever pushes is told why.
#[test]
fn words_that_skip_runs_are_not_heard_where_nothing_may_be_skipped() {
    let serving = Serving::of(
        "on: push\njobs: { it: { runs-on: ubuntu-latest, steps: [{ run: 'true' }] } }\n",
    );
    let pushed = |settings: &str| {
        serving.place.write("launchway.yml", &format!("version: 1\nproject: a\n{settings}\n"));
        serving.place.git(&["add", "-A"]);
        serving.place.git(&["commit", "--quiet", "--message", "a change [skip ci]"]);
        let said = serving.push().stderr;
        let told = said.lines().filter_map(|it| it.split("launchway: ").nth(1)).map(str::trim);
        let told = told.filter(|it| it.contains("skip") || it.starts_with("run "));
        // Where it is served differs.
        told.map(|it| it.split("  http").next().unwrap_or(it)).collect::<Vec<_>>().join("\n")
    };
    expect![".github/workflows/ci.yml does not run: The commit's message says [skip ci]."]
        .assert_eq(&pushed("notify: []"));
    expect![[r#"
        run 1  .github/workflows/ci.yml
        the commit's message says [skip ci], and it runs all the same: `never_skip` of launchway.yml names main"#]].assert_eq(&pushed("never_skip: ['release/*', main]"));
    expect![".github/workflows/ci.yml does not run: The commit's message says [skip ci]."]
        .assert_eq(&pushed("never_skip: ['release/*']"));
}

/// Figures up to yesterday have nothing of today, and say of when they are.
fn a_time_that_is_past(
    serving: &Serving,
    local: &dyn Fn(&[&str]) -> Said,
    served: &dyn Fn(&[&str]) -> Said,
) {
    let told = serving.get("/api/v1/metrics?since=3w&until=1d").json();
    let named = |name: &str| told[name].to_string();
    let said = ["is_past", "pipelines", "oldest_ready"].map(named);
    assert_eq!(said, ["true", "[]", "null"]);
    let length = told["until_ms"].as_u64().zip(told["since_ms"].as_u64());
    assert_eq!(length.map(|(until, since)| until - since), Some(20 * 24 * 60 * 60 * 1000));
    assert_eq!(serving.get("/api/v1/metrics?until=").json()["is_past"], false);
    let past = ["--since", "3w", "--until", "1d"];
    let (here, there) = (local(&past).stdout, served(&past).stdout);
    let first = here.lines().next().expect("of when it is");
    assert!(first.starts_with("since ") && first.contains(" until "), "{first}");
    assert!(!here.contains(".github/workflows/ci.yml"), "{here}");
    let behind = |text: &str| text.lines().skip(1).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(behind(&here), behind(&there));
    let refused = |ends: &[&str], expect: Expect| {
        let said = local(ends);
        assert_eq!(served(ends).stderr, said.stderr);
        expect.assert_eq(&format!("{}exit {}\n", said.stderr, said.exit));
    };
    refused(
        &["--until", "2999-01-01"],
        expect![[r#"
            error: --until takes a span or a day of the last ten years up to today, not `2999-01-01`
            hint: such as 7d, 4w, 48h, 2026-03-31; without it figures go up to now
            exit 2
        "#]],
    );
    refused(
        &["--since", "1d", "--until", "1w"],
        expect![[r#"
            error: --until 1w is not after --since 1d
            hint: name an earlier --since, or leave it out: then it is 90 days before the end
            exit 2
        "#]],
    );
    for (query, why) in [
        (
            "until=soon",
            "`until` is a span such as 7d, 4w or 48h, or a day such as 2026-03-31, of the last ten years up to today.",
        ),
        ("since=1d&until=1w", "`until` is not after `since`; name an earlier `since`, or none."),
    ] {
        let answer = serving.get(&format!("/api/v1/metrics?{query}"));
        assert_eq!((answer.status, &answer.json()["detail"]), (400, &why.into()));
        assert_eq!(serving.get(&format!("/insights/tests?{query}")).status, 400);
    }
    let unknown = serving.get("/api/v1/metrics?parts=pipelines,pipes");
    let why = "`parts` takes some of delivery, pipelines, slow_tests, flaky, tests, images, scans, with commas between.";
    assert_eq!((unknown.status, &unknown.json()["detail"]), (400, &why.into()));
    for path in ["/insights", "/insights/pipelines", "/insights/tests", "/insights/images"] {
        let page = serving.get(&format!("{path}?until=1d&repository=octo%2Fapp")).text;
        let heading = page.split("</h1>").next().unwrap_or_default();
        assert!(heading.ends_with(" UTC</span>") && heading.contains(" UTC to "), "{page}");
        // Other pages are of the same time, another span is one up to now.
        let kept = "href=\"/insights/tests?until=1d&amp;repository=octo%2Fapp\"";
        let other = format!("href=\"{path}?since=30d&amp;repository=octo%2Fapp\"");
        assert!(page.contains(kept) && page.contains(&other), "{page}");
        assert!(page.contains("name=\"repository\" value=\"octo/app\""), "{page}");
        assert!(!page.contains("is red since") && !page.contains("Oldest job"), "{page}");
        let page = serving.get(path).text;
        assert!(!page.contains(" UTC</span></h1>"), "{page}");
        assert!(page.contains("href=\"/insights/tests\""), "{page}");
    }
}

const TESTED: &str = r#"
on: push
jobs:
  test:
    runs-on: ubuntu-latest
    steps:
      - run: |
          mkdir reports
          echo '<testsuite name="s"><testcase classname="Shelf" name="adds" time="0.5"/><testcase classname="Shelf" name="<b>loses" file="shelf.py" line="7"><failure message="hunter2"/></testcase></testsuite>' | sed 's/<b>/\&lt;b\&gt;/' > reports/junit.xml
          printf 'SF:shelf.py\nDA:1,1\nDA:2,0\nend_of_record\n' > reports/lcov.info
      - uses: actions/upload-artifact@v4
        with: { name: reports, path: reports }
"#;

#[test]
fn reports_among_the_artifacts_are_told_and_a_copy_makes_the_same_server() {
    let serving = Serving::of(TESTED);
    serving.push();
    serving.ended("1");
    let told = serving.get("/api/v1/runs/1/tests").json();
    expect![[r#"{"passed":1,"failed":1,"errored":0,"skipped":0,"retried":0,"time_ms":500}"#]]
        .assert_eq(&told["counts"].to_string());
    let page = serving.get("/runs/1/tests").text;
    for part in ["&lt;b&gt;loses", "shelf.py:7", "50.0 %"] {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert!(!page.contains("hunter2") && !page.contains("<b>loses"), "{page}");
    let run = serving.get("/runs/1.1").text;
    assert!(run.contains("href=\"/runs/1.1/tests\"") && run.contains("shelf.py:7 · test"), "{run}");
    assert!(run.contains("Failed tests") && !run.contains("<b>loses"), "{run}");
    let page = serving.get("/insights/tests").text;
    assert!(page.contains("None is known."), "{page}");
    assert!(page.contains("Tests that take the most time"), "{page}");
    assert!(page.contains("<bdi>adds</bdi>") && page.contains("<bdi>500 ms</bdi>"), "{page}");
    let alone = serving.get("/api/v1/metrics?parts=slow_tests").json();
    assert_eq!([&alone["pipelines"], &alone["tests"]], [&serde_json::json!([]); 2], "{alone}");
    let slow = &alone["slow_tests"];
    let slow: Vec<String> =
        slow.as_array().expect("a list").iter().map(|it| it["name"].to_string()).collect();
    assert_eq!(slow, ["\"adds\""], "what failed says nothing of how long it takes");
    assert_eq!(serving.ask("GET", "/api/v1/runs/1/tests", &[], "").status, 401);
    assert_eq!(serving.get("/api/v1/runs/9/tests").status, 404);
    let data = serving.place.path("data");
    let shown = |folder: &std::path::Path| {
        let mut command = serving.place.program(env!("CARGO_BIN_EXE_launchway"));
        let command = command.args(["runs", "show", "1", "--state"]).arg(folder);
        Said::from(command.output().expect("it starts")).stdout
    };
    let figures = |args: &[&str]| {
        let mut command = serving.place.program(env!("CARGO_BIN_EXE_launchway"));
        let command = command.args(["metrics", "--state"]).arg(&data).args(args);
        Said::from(command.current_dir("/").output().expect("it starts"))
    };
    let told = figures(&[]).stdout;
    let told =
        told.split("\ntests that take the most time\n").nth(1).unwrap_or_default().trim_start();
    expect![[r#"
              500 ms  1 time, longest 500 ms  s Shelf adds  (test, .github/workflows/ci.yml)
    "#]]
    .assert_eq(told);
    let line = figures(&["--format", "json"]).of("slow_test").into_iter().next();
    let line = line.expect("one test");
    assert_eq!((&line["total_ms"], &line["longest_ms"]), (&500.into(), &500.into()));
    let page = shown(&data);
    let tests = page.split("\ntests: ").nth(1).unwrap_or_default();
    expect![[r#"
        1 passed, 1 failed (500 ms)
          ✗ Shelf <b>loses  shelf.py:7  (test)
        coverage: 50.0 % (1 of 2 lines)
    "#]]
    .assert_eq(tests);
    let scraped = serving.get("/metrics").text;
    assert!(
        scraped.contains("launchway_runs_completed_total{conclusion=\"success\"} 1\n"),
        "{scraped}"
    );
    assert!(scraped.contains("launchway_job_wait_seconds_count 1\n"), "{scraped}");

    // A copy while it runs; whatever instant one is killed at, none has its name that is not whole.
    let to = serving.place.path("copy");
    let backup = |to: &std::path::Path| {
        let mut command = serving.place.program(env!("CARGO_BIN_EXE_launchway"));
        command.args(["serve", "backup"]).arg(to).arg("--data").arg(&data);
        command
    };
    for _ in 0..3 {
        let mut killed = backup(&to).spawn().expect("it starts");
        wait_until("it begins, or ends", || {
            serving.place.path("copy.partial").exists() || to.exists()
        });
        let _ = killed.kill();
        let _ = killed.wait();
        assert!(!to.exists() || to.join("backup.json").exists(), "half a copy has no name");
        let _ = std::fs::remove_dir_all(&to);
    }
    let said = Said::from(backup(&to).output().expect("it starts"));
    assert_eq!(said.exit, 0, "{}", said.stderr);
    assert!(!serving.place.path("copy.partial").exists());
    let again = Said::from(backup(&to).output().expect("it starts"));
    assert_eq!(again.exit, 4, "{}", again.stderr);
    let restore = |folder: &str| {
        let mut command = serving.place.program(env!("CARGO_BIN_EXE_launchway"));
        let folder = serving.place.path(folder);
        let command = command.args(["serve", "restore"]).arg(&to).arg("--data").arg(folder);
        Said::from(command.output().expect("it starts"))
    };
    let refused = restore("data");
    assert_eq!(refused.exit, 4);
    assert!(refused.stderr.contains("is not empty; nothing is written over"), "{}", refused.stderr);
    let restored = restore("new");
    assert_eq!(restored.exit, 0, "{}", restored.stderr);
    assert!(restored.stdout.contains("every one proven"), "{}", restored.stdout);
    assert_eq!(shown(&serving.place.path("new")), page);
    let half = serving.place.path("copy");
    let whole = serving.place.path("whole");
    let copied = |from: &std::path::Path, to: &std::path::Path| {
        let done = std::process::Command::new("cp").arg("-a").args([from, to]).status();
        assert!(done.expect("cp").success());
    };
    copied(&half, &whole);
    // What a copy lost since is told, and nothing is made of it.
    let mut seen = String::new();
    for (name, is_emptied) in
        [("journal.db", false), ("journal.db", true), ("tokens", false), ("blobs", false)]
    {
        let path = half.join(name);
        match path.is_dir() {
            true => std::fs::remove_dir_all(&path).expect("it is there"),
            false => std::fs::remove_file(&path).expect("it is there"),
        }
        if is_emptied {
            std::fs::write(&path, "").expect("written");
        }
        let refused = restore("other");
        seen.push_str(&format!("{}exit {}\n", refused.stderr, refused.exit));
        assert!(!serving.place.path("other").exists(), "{name}");
        std::fs::remove_dir_all(&half).expect("removed");
        copied(&whole, &half);
    }
    let digits = regex::Regex::new("[0-9]{2,}").expect("a pattern");
    let seen = seen.replace(&half.display().to_string(), "COPY");
    expect![[r#"
        error: the copy in COPY is not whole: it has no journal (journal.db)
        hint: restore another copy; launchway serve backup --data DIR makes one
        exit 3
        error: the journal of the copy in COPY ends at event 0, and was copied at N
        hint: restore another copy; launchway serve backup --data DIR makes one
        exit 3
        error: the copy in COPY is not whole: tokens is missing
        hint: restore another copy; launchway serve backup --data DIR makes one
        exit 3
        error: the copy in COPY is not whole: blobs is missing
        hint: restore another copy; launchway serve backup --data DIR makes one
        exit 3
    "#]]
    .assert_eq(&digits.replace_all(&seen, "N"));
    std::fs::remove_file(half.join("backup.json")).expect("it is there");
    let refused = restore("other");
    assert_eq!(refused.exit, 2);
    assert!(refused.stderr.contains("is no whole copy of a server's folder"), "{}", refused.stderr);
    serving.end();
}
