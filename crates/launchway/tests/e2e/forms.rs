//! The forms of the pages as a browser without scripts has them: what a page shows is filled in and one of its buttons
//! pressed, with the session's cookie and the origin, and what comes of it is the page that is shown next. Pages of
//! another site press them in vain.

use expect_test::expect;

use crate::deploy::{APP, Project};
use crate::github::Connected;
use crate::harness::wait_until;
use crate::kill::signal;
use crate::serving::Serving;

/// Somebody who signed in.
struct Browser {
    url: String,
    session: String,
}

/// A field of a form, with what it holds before anybody types.
type Field = (String, String);

impl Browser {
    fn of(url: &str, token: &str) -> Browser {
        let mut browser = Browser { url: url.to_owned(), session: String::new() };
        let fields = browser.filled("/sign-in", ("/sign-in", "Sign in"), &[("token", token)]);
        let answer = browser.post("/sign-in", &fields, url);
        assert_eq!(answer.status(), 303);
        let cookie = answer.headers()["set-cookie"].to_str().expect("text");
        cookie.split(';').next().expect("a value").clone_into(&mut browser.session);
        browser
    }

    fn get(&self, path: &str) -> String {
        let asked = Serving::agent().get(format!("{}{path}", self.url));
        let mut page = asked.header("cookie", &self.session).call().expect("an answer");
        assert_eq!(page.status(), 200, "{path}");
        page.body_mut().read_to_string().expect("its body")
    }

    fn post(
        &self,
        action: &str,
        fields: &[Field],
        origin: &str,
    ) -> ureq::http::Response<ureq::Body> {
        let asked = Serving::agent().post(format!("{}{action}", self.url));
        let asked = asked.header("cookie", &self.session).header("origin", origin);
        let fields = fields.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        asked.send_form(fields).expect("an answer")
    }

    /// What the form of a page sends once these fields are filled in and this button is pressed.
    fn filled(
        &self,
        page: &str,
        (action, button): (&str, &str),
        typed: &[(&str, &str)],
    ) -> Vec<Field> {
        let page = self.get(page);
        let form = between(&page, &format!("method=\"post\" action=\"{action}\">"), "</form>");
        let mut fields = fields(form);
        for (name, value) in typed {
            let field = fields.iter_mut().find(|it| it.0 == *name);
            let field = field.unwrap_or_else(|| panic!("nowhere to type the {name}: {form}"));
            (*value).clone_into(&mut field.1);
        }
        let mut buttons = form.split("<button").skip(1);
        let pressed = buttons.find(|it| text_of(it, "</button>") == button);
        let pressed = pressed.unwrap_or_else(|| panic!("no button {button}: {form}"));
        let value = attribute(pressed, "name").zip(attribute(pressed, "value"));
        fields.extend(value);
        fields
    }

    /// The page that is shown next.
    fn press(&self, page: &str, form: (&str, &str), typed: &[(&str, &str)]) -> String {
        let fields = self.filled(page, form, typed);
        // Another site's page knows all of it but where it stands.
        assert_eq!(self.post(form.0, &fields, "https://elsewhere.example").status(), 403);
        let mut answer = self.post(form.0, &fields, &self.url);
        if answer.status() != 303 {
            let text = answer.body_mut().read_to_string().expect("its body");
            return format!("{} {text}", answer.status().as_u16());
        }
        self.get(answer.headers()["location"].to_str().expect("text"))
    }
}

fn between<'t>(text: &'t str, begin: &str, end: &str) -> &'t str {
    let (_, rest) = text.split_once(begin).unwrap_or_else(|| panic!("no {begin} in {text}"));
    rest.split_once(end).unwrap_or_else(|| panic!("no {end} behind {begin}")).0
}

/// Of a tag that begins before this text.
fn attribute(tag: &str, name: &str) -> Option<String> {
    let tag = tag.split('>').next().unwrap_or_default();
    let value = tag.split_once(&format!(" {name}=\""))?.1;
    Some(value.split('"').next().unwrap_or_default().to_owned())
}

/// What stands in such a tag.
fn text_of<'t>(tag: &'t str, end: &str) -> &'t str {
    let text = tag.split_once('>').map_or("", |it| it.1);
    text.split(end).next().unwrap_or_default()
}

fn fields(form: &str) -> Vec<Field> {
    let inputs = form.split("<input").skip(1).filter_map(|input| {
        Some((attribute(input, "name")?, attribute(input, "value").unwrap_or_default()))
    });
    let selects = form.split("<select").skip(1).filter_map(|select| {
        let options: Vec<&str> = text_of(select, "</select>").split("<option").skip(1).collect();
        let is_selected =
            |it: &&&str| it.split('>').next().is_some_and(|it| it.contains("selected"));
        let chosen = options.iter().find(is_selected).or(options.first())?;
        let text = || text_of(chosen, "</option>").to_owned();
        Some((attribute(select, "name")?, attribute(chosen, "value").unwrap_or_else(text)))
    });
    inputs.chain(selects).collect()
}

const JOBS: &str = "
on: push
jobs:
  ship:
    runs-on: ubuntu-latest
    environment: production
    steps: [{ run: echo ship >> $MARKS/shipped }]
  typed:
    runs-on: ubuntu-latest
    environment: typed
    steps: [{ run: echo typed >> $MARKS/shipped }]
  shop:
    runs-on: ubuntu-latest
    environment: shop
    steps: [{ run: echo shop >> $MARKS/shipped }]
  long:
    runs-on: ubuntu-latest
    env: { KEY: '${{ secrets.DEPLOY_KEY }}' }
    steps:
      - run: |
          echo $PPID > $MARKS/worker
          echo x >> $MARKS/long
          while ! test -e $MARKS/go; do sleep 0.02; done
";

const SETTINGS: &str = "
version: 1
project: planner
groups: { devops: [kim], leads: [lena] }
services:
  web:
    run: [python3, app.py]
    bundle: { path: app }
    health: { paths: [/health], settle: 0s, within: 20s, every: 100ms }
environments:
  staging: { targets: { host: 127.0.0.1:PORT } }
  production: { protect: { reviewers: { devops: 1 } }, targets: { host: 127.0.0.1:PORT } }
  typed: { protect: { confirm: SHIP }, targets: { host: 127.0.0.1:PORT } }
  shop: { protect: { reviewers: { leads: 1 } }, targets: { host: 127.0.0.1:PORT } }
";

/// A server with a run of which three jobs are at their gates and one is lost, and with a deployment.
fn everything() -> (Serving, Project) {
    let serving = Serving::of(JOBS);
    let project = Project::of(APP, SETTINGS);
    let workflow = serving.place.repository().join(".github/workflows/ci.yml");
    let workflow = std::fs::read_to_string(workflow).expect("a file of ours");
    project.place.write(".github/workflows/ci.yml", &workflow);
    project.version("1.1");
    let bare = serving.place.path("app.git").display().to_string();
    project.place.git(&["push", "--quiet", &bare, "HEAD:refs/heads/main"]);
    let data = serving.place.path("data").display().to_string();
    let deployed = project.run(&["deploy", "staging", "--yes", "--state", &data]);
    assert_eq!(deployed.exit, 0, "{}", deployed.stderr);
    wait_until("the long job", || serving.mark("long") == "x\n");
    let worker = serving.mark("worker").trim().parse().expect("a number");
    signal(worker, rustix::process::Signal::KILL);
    wait_until("all that waits for somebody", || {
        let run = serving.get("/api/v1/runs/1").json();
        let jobs = run["jobs"].as_array().expect("a list");
        let is_there = |it: &&serde_json::Value| it["lost"] == true || it["status"] == "waiting";
        jobs.iter().filter(is_there).count() == 4
    });
    (serving, project)
}

/// Who presses what, what they type before, and what the page says then.
type Press<'t> = (&'t str, &'t str, (&'t str, &'t str), &'t [(&'t str, &'t str)], &'t [&'t str]);

#[test]
fn what_people_do_on_pages_takes_no_script() {
    let (serving, project) = everything();
    let of = |login: &str, scope: &str| {
        let args = ["tokens", "create", login, "--scope", scope, "--person", login];
        let made = serving.command(&args);
        assert_eq!(made.exit, 0, "{}", made.stderr);
        (login.to_owned(), Browser::of(&serving.url, made.stdout.trim()))
    };
    let people: std::collections::BTreeMap<_, _> = [
        of("kim", "approve"),
        of("lena", "approve"),
        of("mona", "approve"),
        of("hubot", "operate"),
        of("ada", "admin"),
    ]
    .into();
    let play = |table: &[Press<'_>]| {
        for (who, page, form, typed, expected) in table {
            let shown = people[*who].press(page, *form, typed);
            for words in *expected {
                assert!(shown.contains(words), "{who} at {form:?}: {words}: {shown}");
            }
        }
    };
    let ship = ("/approvals/1.1/ship", "Approve");
    let shop = ("/approvals/1.1/shop", "Reject");
    let typed = ("/approvals/1.1/typed", "Confirm");
    let because = [("reason", "not before <the> sale")];
    play(&[
        ("mona", typed.0, typed, &[("word", "ship")], &["403", "it is another word"]),
        ("mona", typed.0, typed, &[("word", "SHIP")], &["The word is right. It is written down."]),
        ("kim", ship.0, ship, &[("reason", "seen")], &["You agreed. It is written down.", "seen"]),
        (
            "lena",
            shop.0,
            shop,
            &because,
            &["You said no. The job does not run.", "not before &lt;the&gt; sale"],
        ),
        ("ada", "/runners", ("/runners/launchway/drain", "Drain"), &[], &["Take jobs again"]),
        (
            "hubot",
            "/runs/1.1",
            ("/runs/1.1/resume", "Start lost jobs again"),
            &[],
            &["The lost jobs were told to start again."],
        ),
    ]);
    // It was drained: the lost job waits for it.
    let why = || serving.get("/api/v1/runs/1").json()["jobs"][3]["why_waiting"].clone();
    wait_until("the drained runner", || {
        why() == "waits for the runner launchway, which is drained"
    });
    let resume = ("/runners/launchway/resume", "Take jobs again");
    play(&[("ada", "/runners", resume, &[], &["Drain launchway"])]);
    wait_until("the lost job", || serving.mark("long") == "x\nx\n");
    serving.leave("go");

    let run = serving.ended("1");
    let jobs = run["jobs"].as_array().expect("a list").iter();
    let ends: Vec<String> = jobs.map(|it| format!("{} {}", it["job"], it["conclusion"])).collect();
    expect![[r#"
        "ship" "success"
        "typed" "success"
        "shop" "failure"
        "long" "success""#]]
    .assert_eq(&ends.join("\n"));
    let mut shipped: Vec<String> = serving.mark("shipped").lines().map(str::to_owned).collect();
    shipped.sort();
    assert_eq!(shipped, ["ship", "typed"]);

    let brought = [("title", "mails <are> late"), ("severity", "minor")];
    let slow = [("title", "it is slow"), ("environment", "production")];
    let open = "Open the incident";
    play(&[
        (
            "hubot",
            "/deployments/1",
            ("/deployments/1/incidents", open),
            &brought,
            &["mails &lt;are&gt; late", "/deployments/1\""],
        ),
        ("hubot", "/runs/1.1", ("/incidents", open), &slow, &["it is slow", "/runs/1.1\""]),
        (
            "hubot",
            "/incidents/1",
            ("/incidents/1", "Resolve"),
            &[("reason", "rolled back")],
            &["says <bdi>hubot</bdi>: <bdi>rolled back</bdi>", "Reopen"],
        ),
    ]);
    let incidents = serving.get("/api/v1/incidents").json();
    let told = incidents["incidents"].as_array().expect("a list").iter();
    let told = told.map(|it| {
        format!("{} {} {} by {}", it["title"], it["severity"], it["state"], it["caused_by"])
    });
    expect![[r#"
        "it is slow" "major" "open" by "1.1"
        "mails <are> late" "minor" "resolved" by 1"#]]
    .assert_eq(&told.collect::<Vec<_>>().join("\n"));
    drop(project);
    serving.end();
}

#[test]
fn a_fork_is_let_in_on_the_page() {
    let asks =
        "on: pull_request\njobs: { asks: { runs-on: ubuntu-latest, steps: [{ run: 'true' }] } }\n";
    let it = Connected::of(&[("asks.yml", asks)], false, &[]);
    it.place.git(&["checkout", "--quiet", "-b", "theirs"]);
    it.place.write("file", "x");
    it.place.commit();
    it.push_to("hubot/app", "theirs");
    it.github.open("octo/app", it.pull(1, "hubot/app", "theirs")).expect("git does");
    wait_until("what waits", || it.get("/api/v1/held")["held"][0]["id"].is_string());
    let held = it.get("/api/v1/held");
    let action = format!("/held/{}/let-in", held["held"][0]["id"].as_str().expect("text"));
    let made = it.command(&["tokens", "create", "ops", "--scope", "operate", "--person", "hubot"]);
    let browser = Browser::of(&it.url, made.stdout.trim());
    let shown = browser.press("/repositories", (&action, "Let in"), &[]);
    assert!(!shown.contains(&action), "{shown}");
    let runs = it.runs(1);
    assert!(runs.contains("success"), "{runs}");
    let decided = it.get("/api/v1/audit?action=fork.let_in");
    assert_eq!(decided["decisions"][0]["actor"], "hubot");
    it.end();
}
