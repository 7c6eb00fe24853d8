//! All logs of a run searched at once: by the page, over the API, and on the command line.

use expect_test::expect;

use crate::harness::Said;
use crate::serving::Serving;

const WORKFLOW: &str = r#"
on: push
jobs:
  build:
    runs-on: ubuntu-latest
    steps:
      - run: |
          echo 'connection refused by db:5432'
          for i in $(seq 30); do echo "try $i: connection refused"; done
  test:
    runs-on: ubuntu-latest
    steps:
      - { run: 'echo "<b>Connection</b> timed out"', background: true, id: aside }
      - { run: echo quiet }
      - { wait: aside }
"#;

#[test]
fn every_log_of_a_run_is_searched() {
    let serving = Serving::of(WORKFLOW);
    serving.push();
    assert_eq!(serving.ended("1")["conclusion"], "success");
    let ask = |question: &str| serving.get(&format!("/api/v1/runs/1/search?{question}"));

    // The step's own text is in its log, too.
    let found = ask("q=connection+refused").json();
    let log = &found["logs"][0];
    assert_eq!(
        (&found["count"], &log["count"], &log["job"]),
        (&34.into(), &34.into(), &"build".into()),
        "{found}"
    );
    assert_eq!(log["lines"].as_array().expect("lines").len(), 20);
    assert_eq!((&found["logs_not_shown"], &found["logs_not_searched"]), (&0.into(), &0.into()));
    // By a pattern, in the log of a background step, too.
    let found = ask("q=%5E(%3Cb%3E)%3F(%3Fi)connection.*(out%7Cdb)&re=1").json();
    let logs = found["logs"].as_array().expect("logs").iter();
    let logs: Vec<String> = logs
        .map(|it| {
            format!("{} {} {}: {}", it["job"], it["aside"], it["count"], it["lines"][0]["text"])
        })
        .collect();
    expect![[r#"
        "build" null 1: "connection refused by db:5432"
        "test" 1 1: "<b>Connection</b> timed out""#]]
    .assert_eq(&logs.join("\n"));
    assert_eq!(ask("q=quiet&job=build").json()["count"], 0);
    for (question, status) in
        [("q=", 400), ("q=(&re=1", 400), ("q=x&job=nobody", 404), ("p=x", 400)]
    {
        assert_eq!(ask(question).status, status, "{question}");
    }
    let long = "x".repeat(201);
    assert_eq!(ask(&format!("q={long}")).status, 400);

    // The page leads to each line of each log, and shows what was printed as that.
    let page = |question: &str| serving.get(&format!("/runs/1.1/search{question}")).text;
    let text = page("?q=%5E%3Cb%3EConnection&re=1");
    let is_plain = text.contains("&lt;b&gt;Connection&lt;/b&gt; timed out");
    assert!(is_plain && !text.contains("<b>Connection"), "{text}");
    assert!(text.contains("/runs/1.1/jobs/test?aside=1") && text.contains("#L"), "{text}");
    assert!(page("?q=connection+refused").contains("34 lines of one log."));
    assert!(page("?q=nothing+at+all").contains("No line has that."));
    assert!(page("?q=(&re=1").contains("unclosed group"));
    assert!(page("").contains("Find in all logs"));
    assert!(serving.get("/runs/1.1").text.contains("action=\"/runs/1.1/search\""));

    // On the command line, of a server and of its folder: the same lines.
    let distant = |more: &[&str]| {
        let words = [&["runs", "logs", "1", "--server", &serving.url], more].concat();
        let mut command = serving.place.launchway(&words);
        let said = command.env("LAUNCHWAY_TOKEN", &serving.token).output().expect("it starts");
        Said::from(said)
    };
    let data = serving.place.path("data").display().to_string();
    let local = |more: &[&str]| {
        serving.place.run(&[&["runs", "logs", "1", "--state", &data], more].concat())
    };
    for more in [
        &["--search", "timed out"][..],
        // More lines than the server tells of at once.
        &["--search", "connection refused"],
        &["--search", "quiet", "--job", "test"],
        &["--search", "quiet", "--job", "build"],
        &["--search", "^<b>", "--regex"],
    ] {
        let (here, there) = (local(more), distant(more));
        assert_eq!((here.exit, &here.stdout), (there.exit, &there.stdout), "{}", there.stderr);
        assert_eq!(here.exit == 0, more != ["--search", "quiet", "--job", "build"], "{more:?}");
    }
    assert_eq!(distant(&["--search", "connection refused"]).stdout.lines().count(), 35);
    let said = local(&["--search", "^try (29|30):", "--regex"]);
    let lines: Vec<&str> = said.stdout.lines().map(str::trim).collect();
    assert_eq!((said.exit, lines.len()), (0, 3), "{}{}", said.stdout, said.stderr);
    assert!(lines[1].ends_with("try 29: connection refused"), "{}", said.stdout);
    assert_eq!(local(&["--search", "nothing at all"]).exit, 1);
    assert_eq!(local(&["--search", "(", "--regex"]).exit, 2);
    assert_eq!(local(&["--search", ""]).exit, 2);
}
