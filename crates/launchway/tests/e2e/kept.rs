//! Secrets and variables that are kept on this machine: `secrets`, `vars`.

use std::io::Write as _;
use std::process::Stdio;

use expect_test::{Expect, expect};

use crate::harness::{Place, Said};

const WORKFLOW: &str = "
on: push
jobs:
  build:
    runs-on: ubuntu-latest
    steps:
      - run: echo '= ${{ vars.REGION }}' \"$(printf %s \"$TOKEN\" | wc -c)\" \"$TOKEN\"
        env: { TOKEN: '${{ secrets.TOKEN }}' }
  ship:
    runs-on: ubuntu-latest
    environment: production
    steps:
      - run: echo '= ships' \"$(printf %s \"$TOKEN\" | wc -c)\" \"$(printf %s \"$KEY\" | wc -c)\"
        env: { TOKEN: '${{ secrets.TOKEN }}', KEY: '${{ secrets.KEY }}' }
";

const SETTINGS: &str = "
version: 1
project: planner
services:
  api:
    run: [./app]
    secrets: { DB_URL: 'local:DB_URL', CERTIFICATE: 'file:missing.pem' }
environments:
  production:
    targets: { host: 127.0.0.1:8080 }
";

pub(crate) fn given(place: &Place, args: &[&str], input: &str) -> Said {
    let mut command = place.launchway(args);
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("it starts");
    child.stdin.take().expect("a pipe").write_all(input.as_bytes()).expect("it reads");
    Said::from(child.wait_with_output().expect("it ends"))
}

fn check(place: &Place, args: &[&str], expect: &Expect) {
    told(&place.run(args), expect);
}

/// Times of this minute are `NOW`.
fn told(said: &Said, expect: &Expect) {
    let now = regex::Regex::new(r"\d{4}-\d\d-\d\d \d\d:\d\d(:\d\d)?").expect("one");
    let text = format!("{}{}exit {}\n", said.stdout, said.stderr, said.exit);
    expect.assert_eq(&now.replace_all(&text, "NOW"));
}

#[test]
fn what_is_kept_reaches_the_jobs_that_may_have_it() {
    let place = Place::workflow(WORKFLOW);
    place.git(&["remote", "add", "origin", "git@example.com:octo/planner.git"]);
    check(
        &place,
        &["secrets", "list"],
        &expect![[r#"
            TOKEN  missing  .github/workflows/ci.yml:8
            KEY  (production)  missing  .github/workflows/ci.yml:14
            TOKEN  (production)  missing  .github/workflows/ci.yml:14
            exit 0
        "#]],
    );
    let set =
        |args: &[&str], value: &str| given(&place, &[&["secrets", "set"], args].concat(), value);
    told(
        &set(&["TOKEN"], "for-everybody\n"),
        &expect![[r#"
            the secret TOKEN is kept for example.com/octo/planner
            exit 0
        "#]],
    );
    assert_eq!(set(&["token", "--environment", "production"], "for-production").exit, 0);
    assert_eq!(set(&["KEY", "--environment", "production"], "a-long-key").exit, 0);
    check(
        &place,
        &["vars", "set", "REGION", "eu-central-1"],
        &expect![[r#"
            the variable REGION is kept for example.com/octo/planner
            exit 0
        "#]],
    );
    check(
        &place,
        &["secrets", "list"],
        &expect![[r#"
            TOKEN  set NOW  .github/workflows/ci.yml:8
            KEY  (production)  set NOW  .github/workflows/ci.yml:14
            TOKEN  (production)  set NOW  .github/workflows/ci.yml:14
            exit 0
        "#]],
    );
    check(
        &place,
        &["vars", "list"],
        &expect![[r#"
        REGION = eu-central-1  .github/workflows/ci.yml:7
        exit 0
    "#]],
    );
    let said = place.json(&["run", "--environment", "production"]);
    expect![[r#"
        build = eu-central-1 13 ***
        ship = ships 14 10
        exit 0"#]]
    .assert_eq(&format!("{}exit {}", said.printed(), said.exit));
    assert!(!said.stderr.contains("not set"), "{}", said.stderr);
    // A flag comes before what is kept.
    let said =
        place.json(&["run", "-j", "build", "--secret", "TOKEN=by-flag", "--var", "REGION=x"]);
    expect![[r#"
        build = x 7 ***
    "#]]
    .assert_eq(&said.printed());
    // Nothing of it lies anywhere as it is.
    let mut grep = place.program("grep");
    grep.args(["-rlE", "for-everybody|for-production|a-long-key"]).arg(place.state());
    let found = grep.output().expect("grep starts");
    assert_eq!(String::from_utf8_lossy(&found.stdout), "");
    check(
        &place,
        &["secrets", "remove", "TOKEN"],
        &expect![[r#"
        the secret TOKEN is forgotten
        exit 0
    "#]],
    );
    check(
        &place,
        &["secrets", "remove", "TOKEN"],
        &expect![[r#"
        error: no secret TOKEN is kept here
        hint: launchway secrets list shows what there is
        exit 2
    "#]],
    );
}

#[test]
fn settings_name_theirs_and_slips_are_refused() {
    let place = Place::with(&[("launchway.yml", SETTINGS)]);
    check(
        &place,
        &["secrets", "list"],
        &expect![[r#"
        CERTIFICATE  (production)  missing file:missing.pem  service api
        DB_URL  (production)  missing  service api
        exit 0
    "#]],
    );
    let set =
        |args: &[&str], value: &str| given(&place, &[&["secrets", "set"], args].concat(), value);
    told(
        &set(&["DB_URL", "--environment", "prod"], "x"),
        &expect![[r#"
        error: there is no environment prod
        hint: there are: production
        exit 2
    "#]],
    );
    told(
        &set(&["DB-URL"], "x"),
        &expect![[r#"
        error: `DB-URL` cannot be the name of a secret
        hint: letters, digits and _, not a digit first
        exit 2
    "#]],
    );
    told(
        &set(&["DB_URL"], ""),
        &expect![[r#"
        error: the value of DB_URL is empty
        hint: launchway secrets remove DB_URL forgets one
        exit 2
    "#]],
    );
    told(
        &set(&["DB_URL", "--rotate-by", "soon"], "x"),
        &expect![[r#"
        error: `soon` is no day
        hint: YYYY-MM-DD, as 2027-03-31
        exit 2
    "#]],
    );
    let rotate = ["DB_URL", "--environment", "production", "--rotate-by", "2020-01-31"];
    assert_eq!(set(&rotate, "postgres://planner").exit, 0);
    check(
        &place,
        &["secrets", "list"],
        &expect![[r#"
            CERTIFICATE  (production)  missing file:missing.pem  service api
            DB_URL  (production)  set NOW, to be rotated since 2020-01-31  service api
            exit 0
        "#]],
    );
    let said = place.json(&["secrets", "list"]);
    let states: Vec<String> =
        said.lines().iter().map(|it| format!("{} {}", it["name"], it["state"])).collect();
    expect![[r#""CERTIFICATE" "missing", "DB_URL" "set""#]].assert_eq(&states.join(", "));
    check(
        &place,
        &["secrets", "setup", "--environment", "production"],
        &expect![[r#"
        every secret that is named is set
        exit 0
    "#]],
    );
}

const MESSAGES: &str = "
version: 1
project: planner
services: { api: { run: [./app] } }
environments: { production: { targets: { host: 127.0.0.1:8080 } } }
notify:
  - { name: team, slack: 'local:SLACK_URL', on: run_failed }
  - { name: oncall, pagerduty: 'local:PAGER_KEY', on: run_failed }
  - { name: mails, email: leads@example.com, on: run_failed }
mail: { host: smtp.example.com, from: ci@example.com, user: ci, password: 'local:SMTP_PASSWORD' }
";

/// What is read and nobody set is said, of messages too: by the command, the API and on the page.
#[test]
fn a_server_says_what_is_missing() {
    let serving = crate::serving::Serving::of(WORKFLOW);
    let bare = serving.place.path("app.git").display().to_string();
    let agreed = ["repositories", "add", &bare, "--environment", "production"];
    assert_eq!(serving.command(&agreed).exit, 0);
    serving.place.write("launchway.yml", MESSAGES);
    serving.place.commit();
    assert_eq!(serving.push().exit, 0);
    let data = serving.place.path("data").display().to_string();
    let set = |args: &[&str]| {
        let of = ["--repository", "octo/app", "--data", &data];
        let said =
            given(&serving.place, &[&["secrets", "set"], args, &of].concat(), "a-long-value");
        assert_eq!(said.exit, 0, "{}", said.stderr);
    };
    set(&["TOKEN"]);
    // A message is told by what is kept for all.
    set(&["SLACK_URL", "--environment", "production"]);
    let here = serving.command(&["secrets", "list", "--repository", "octo/app"]);
    told(
        &here,
        &expect![[r#"
        PAGER_KEY  missing  message oncall
        SLACK_URL  missing  message team
        SMTP_PASSWORD  missing  mail
        TOKEN  set NOW  .github/workflows/ci.yml:8, .github/workflows/ci.yml:14
        KEY  (production)  missing  .github/workflows/ci.yml:14
        SLACK_URL  (production)  set NOW  named nowhere
        exit 0
    "#]],
    );
    let kept = serving.get("/api/v1/repositories/octo/app/kept").json();
    let named = kept["named"].as_array().expect("a list").iter();
    let missing = named
        .filter(|it| it["is_missing"] == true)
        .map(|it| format!("{} {} {} {}", it["kind"], it["name"], it["environment"], it["used_at"]));
    expect![[r#"
        "secret" "KEY" "production" ".github/workflows/ci.yml:14"
        "secret" "SLACK_URL" null "message team"
        "secret" "PAGER_KEY" null "message oncall"
        "secret" "SMTP_PASSWORD" null "mail"
        "variable" "REGION" null ".github/workflows/ci.yml:7""#]]
    .assert_eq(&missing.collect::<Vec<_>>().join("\n"));
    let page = serving.get("/secrets?repository=octo/app").text;
    assert!(page.contains("<h2>Missing</h2>") && page.contains("message oncall"), "{page}");

    // By settings with mistakes nobody knows what messages read, and everybody is told.
    serving.place.write("launchway.yml", "version: 1\nnotifiy: {}\n");
    serving.place.commit();
    // Not by our hook, which refuses it.
    let unheard = "--receive-pack=git -c core.hooksPath=/nowhere receive-pack";
    serving.place.git(&["push", "--quiet", unheard, &bare, "HEAD:refs/heads/main"]);
    let here = serving.command(&["secrets", "list", "--repository", "octo/app"]);
    told(
        &here,
        &expect![[r#"
        TOKEN  set NOW  .github/workflows/ci.yml:8, .github/workflows/ci.yml:14
        KEY  (production)  missing  .github/workflows/ci.yml:14
        SLACK_URL  (production)  set NOW  named nowhere
        warning: what messages read is not known: launchway.yml of octo/app has mistakes: launchway.yml:1: `project` is missing in launchway.yml
        exit 0
    "#]],
    );
    let said =
        serving.command(&["secrets", "list", "--repository", "octo/app", "--format", "json"]);
    let why = said.of("messages_not_known")[0]["why"].clone();
    assert_eq!(serving.get("/api/v1/repositories/octo/app/kept").json()["messages_not_known"], why);
    let page = serving.get("/secrets?repository=octo/app").text;
    assert!(page.contains("What messages read is not known: launchway.yml of octo/app"), "{page}");
    serving.end();
}
