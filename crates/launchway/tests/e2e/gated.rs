//! Jobs that name a protected environment of a server: they wait for people, through kill -9, and
//! nobody gets round that.

use expect_test::expect;
use serde_json::{Value as Json, json};

use crate::harness::wait_until;
use crate::serving::{Got, Serving};

const SETTINGS: &str = "
version: 1
project: app
groups: { devops: [kim, hubot, octocat, mona], leads: [lena, kim] }
services: { web: {} }
environments:
  production:
    level: 4
    protect: { reviewers: { devops: 1, leads: 1 }, branches: [main] }
    targets: { ecs: { region: eu-central-1, cluster: c, service: s } }
";

const SHIP: &str = "
name: Ship
on: { push: {}, workflow_dispatch: {} }
jobs:
  test:
    runs-on: ubuntu-latest
    steps: [{ run: echo tested >> $MARKS/tested }]
  ship:
    needs: test
    runs-on: ubuntu-latest
    environment: production
    steps: [{ run: echo shipped >> $MARKS/shipped }]
";

struct Gated {
    serving: Serving,
}

impl Gated {
    fn of(settings: &str) -> Gated {
        let serving = Serving::of(SHIP);
        serving.place.write("launchway.yml", settings);
        serving.place.commit();
        Gated { serving }
    }

    /// A token of a person.
    fn person(&self, login: &str, scope: &str) -> String {
        let args = ["tokens", "create", login, "--scope", scope, "--person", login];
        let made = self.serving.command(&args);
        assert_eq!(made.exit, 0, "{}", made.stderr);
        format!("Bearer {}", made.stdout.trim())
    }

    fn waits(&self, run: &str) -> Json {
        let mut shown = Json::Null;
        wait_until("the gate", || {
            let got = self.serving.get(&format!("/api/v1/runs/{run}/jobs/ship/approval"));
            shown = if got.status == 200 { got.json() } else { Json::Null };
            !shown.is_null() && shown["opened_at_ms"].is_null()
        });
        shown
    }

    fn say(&self, run: &str, bearer: &str, body: &Json) -> Got {
        let path = format!("/api/v1/runs/{run}/jobs/ship/approval");
        self.serving.ask("POST", &path, &[("authorization", bearer)], &body.to_string())
    }

    fn agree(&self, run: &str, bearer: &str, group: &str) -> Got {
        let what = self.waits(run)["what"].clone();
        let gate = format!("approval/{group}");
        self.say(run, bearer, &json!({ "decision": "approve", "gate": gate, "what": what }))
    }
}

fn detail(got: &Got) -> String {
    format!("{} {}", got.status, got.json()["detail"].as_str().unwrap_or("done"))
}

#[test]
fn a_protected_environment_waits_for_a_quorum_through_a_kill() {
    let mut gated = Gated::of(SETTINGS);
    let pushed = gated.serving.push();
    assert!(pushed.stderr.contains("launchway: run 1"), "{}", pushed.stderr);
    let shown = gated.waits("1");
    assert_eq!(gated.serving.mark("tested"), "tested\n");
    let run = gated.serving.get("/api/v1/runs/1").json();
    assert_eq!(run["status"], "waiting");
    expect!["waits at the gate of production for 1 of devops (kim, hubot, octocat) and 1 of leads (lena, kim)"].assert_eq(run["jobs"][1]["why_waiting"].as_str().unwrap());
    assert_eq!(
        gated.serving.get("/api/v1/approvals").json()["approvals"][0]["what"],
        shown["what"]
    );

    let people = ["kim", "hubot", "lena", "somebody"].map(|it| (it, gated.person(it, "approve")));
    let of = |name: &str| people.iter().find(|it| it.0 == name).unwrap().1.clone();
    let what = shown["what"].clone();
    let yes = |group: &str| json!({ "decision": "approve", "gate": format!("approval/{group}"), "what": what });
    let tried = [
        detail(&gated.say("1", &of("somebody"), &yes("devops"))),
        detail(&gated.say("1", &of("hubot"), &yes("leads"))),
        detail(&gated.say("1", &of("hubot"), &yes("nobody"))),
        detail(&gated.say(
            "1",
            &of("hubot"),
            &json!({ "decision": "approve", "gate": "approval/devops", "what": "00".repeat(32) }),
        )),
        detail(&gated.say("1", &of("hubot"), &json!({ "decision": "approve" }))),
        detail(&gated.say("1", &gated.person("kim", "operate"), &yes("devops"))),
        detail(&gated.say("1", &format!("Bearer {}", gated.serving.token), &yes("devops"))),
        detail(&gated.say("1", &of("kim"), &yes("devops"))),
        detail(&gated.say("1", &of("kim"), &yes("devops"))),
        detail(&gated.say("1", &of("kim"), &yes("leads"))),
    ];
    expect![[r#"
        403 somebody may not: they are not of the group, or not for this run
        403 hubot may not: they are not of the group, or not for this run
        403 there is no gate approval/nobody
        403 what they were shown is not what waits: it changed since
        400 The body is such as {"decision": "approve", "gate": "approval/devops", "what": DIGEST}: missing field `gate` at line 1 column 22.
        403 This token may operate; this needs one that may approve.
        403 This token belongs to nobody by name; only people agree.
        200 done
        403 kim may not: they agreed already
        403 kim may not: they agreed for another group, and nobody counts twice"#]]
    .assert_eq(&tried.join("\n"));

    // Whoever is killed in between has lost nothing.
    gated.serving.kill();
    gated.serving.restart();
    let shown = gated.waits("1");
    let said = shown["answers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| format!("{} {} {}\n", it["by"], it["said"], it["why"]));
    expect![[r#"
        "somebody" "refused" "somebody may not: they are not of the group, or not for this run"
        "hubot" "refused" "hubot may not: they are not of the group, or not for this run"
        "hubot" "refused" "there is no gate approval/nobody"
        "hubot" "refused" "what they were shown is not what waits: it changed since"
        "kim" "approved" null
        "kim" "refused" "kim may not: they agreed already"
        "kim" "refused" "kim may not: they agreed for another group, and nobody counts twice"
    "#]]
    .assert_eq(&said.collect::<String>());
    assert_eq!(gated.serving.mark("shipped"), "");

    // The page of the one who is asked has the form, that of others says why not.
    let page = |bearer: &str| {
        gated.serving.ask("GET", "/approvals/1.1/ship", &[("authorization", bearer)], "").text
    };
    assert!(page(&of("lena")).contains("value=\"approve\">Approve"), "{}", page(&of("lena")));
    assert!(page(&of("kim")).contains("you are not asked, or you agreed already"));
    let agreed = gated.agree("1", &of("lena"), "leads");
    assert_eq!(agreed.status, 200, "{}", agreed.text);
    assert_eq!(gated.serving.ended("1")["conclusion"], "success");
    assert_eq!(gated.serving.mark("shipped"), "shipped\n");
    let over = gated.say("1", &of("hubot"), &yes("devops"));
    assert_eq!(over.status, 409, "{}", over.text);

    // Run again it asks again.
    assert_eq!(gated.serving.post("/api/v1/runs/1/rerun", &[], "").status, 201);
    assert_ne!(gated.waits("1.2")["what"], what);
    assert_eq!(gated.serving.mark("shipped"), "shipped\n");
    gated.serving.end();
}

#[test]
fn nobody_agrees_to_their_own_and_what_changes_voids_it() {
    let gated = Gated::of(SETTINGS);
    let others = SHIP.replace("$MARKS", &gated.serving.place.path("marks").display().to_string());
    gated.serving.push();
    gated.waits("1");
    let by_hand = r#"{"workflow":"ci.yml"}"#;
    let path = "/api/v1/repositories/octo/app/dispatches";
    let operator = gated.person("octocat", "operate");
    let tried = gated.serving.ask("POST", path, &[("authorization", &operator)], by_hand);
    assert_eq!(
        detail(&tried),
        "403 the job ship runs in production, and this token may not deploy"
    );
    let octocat = gated.person("octocat", "deploy");
    let kind = [("authorization", octocat.as_str())];
    assert_eq!(gated.serving.ask("POST", path, &kind, by_hand).status, 201);
    let mine = gated.waits("2");
    assert_eq!(mine["gates"][0]["members"], json!(["kim", "hubot"]), "mona wrote it: {mine}");
    let octocat = gated.person("octocat", "approve");
    assert_eq!(
        detail(&gated.agree("2", &octocat, "devops")),
        "403 octocat may not: they requested the run"
    );

    // The rules change under it: what was agreed to is void, and asked for anew.
    let (kim, lena) = (gated.person("kim", "approve"), gated.person("lena", "approve"));
    assert_eq!(gated.agree("2", &lena, "leads").status, 200);
    let stricter = SETTINGS.replace("devops: 1", "devops: 2");
    gated.serving.place.write("launchway.yml", &stricter);
    gated.serving.place.write(
        ".github/workflows/ci.yml",
        &others.replace("push: {}", "push: { branches: [never] }"),
    );
    gated.serving.place.commit();
    gated.serving.push();
    let what = mine["what"].clone();
    let old = json!({ "decision": "approve", "gate": "approval/devops", "what": what });
    let stale = gated.say("2", &kim, &old);
    assert_eq!(detail(&stale), "403 what they were shown is not what waits: it changed since");
    let now = gated.waits("2");
    assert_ne!(now["what"], what);
    assert_eq!(now["gates"][1]["agreed"], json!([]), "what lena said is void: {now}");

    // A branch that is not taken fails, and says why; somebody says no, and it ends.
    let no = json!({ "decision": "reject", "gate": "approval/leads", "what": now["what"], "reason": "not today" });
    assert_eq!(gated.say("2", &lena, &no).status, 200);
    let run = gated.serving.ended("2");
    assert_eq!(run["conclusion"], "failure");
    gated.serving.place.git(&["checkout", "--quiet", "-b", "other"]);
    gated.serving.place.write(".github/workflows/ci.yml", &others);
    gated.serving.place.commit();
    let bare = gated.serving.place.path("app.git").display().to_string();
    gated.serving.place.git(&["push", "--quiet", &bare, "HEAD:refs/heads/other"]);
    assert_eq!(gated.serving.ended("3")["conclusion"], "failure");
    let page = gated.serving.get("/runs/3.1").text;
    assert!(page.contains("production takes only main; this is other"), "{page}");
    assert_eq!(gated.serving.mark("shipped"), "");
    gated.serving.end();
}

/// The timer is the clock's, and lasts through a kill.
#[test]
fn a_timer_opens_by_itself() {
    let timer = SETTINGS.replace("reviewers: { devops: 1, leads: 1 }", "wait: 2s");
    let mut gated = Gated::of(&timer);
    gated.serving.push();
    let shown = gated.waits("1");
    assert!(shown["opens_at_ms"].is_number(), "{shown}");
    gated.serving.kill();
    gated.serving.restart();
    let run = gated.serving.ended("1");
    assert_eq!(run["conclusion"], "success");
    let opened = gated.serving.get("/api/v1/runs/1/jobs/ship/approval").json();
    assert!(opened["opened_at_ms"].as_u64() >= shown["opens_at_ms"].as_u64(), "{opened}");
    gated.serving.end();
}
