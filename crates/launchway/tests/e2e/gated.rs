//! Jobs that name a protected environment of a server: they wait for people, through kill -9, and
//! nobody gets round that.

use expect_test::expect;
use serde_json::{Value as Json, json};

use crate::harness::{Said, wait_until};
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
    environment: { name: production, url: 'https://shop.example.com/?of=1&as=2' }
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

    /// Wherever the job is, it is said in which environment it ran, with a link there and to what it said at its end.
    fn says_where_it_ran(&self) {
        let job = self.serving.get("/api/v1/runs/1").json()["jobs"][1].clone();
        let said = [&job["environment"], &job["environment_url"]];
        assert_eq!(said, ["production", "https://shop.example.com/?of=1&as=2"]);
        let place = r##"href="/environments#environment-octo%2Fapp-production""##;
        let url = r#"<a href="https://shop.example.com/?of=1&amp;as=2" rel="noopener noreferrer">"#;
        for path in ["/runs/1.1", "/runs/1.1/jobs/ship"] {
            let page = self.serving.get(path).text;
            assert!(page.contains(place) && page.contains(url), "{page}");
        }
        let page = self.serving.get("/environments").text;
        assert!(page.contains(r#"id="environment-octo%2Fapp-production""#), "{page}");
        assert!(self.serving.get("/runs/1.1").text.contains(r#"<text class="place""#));
        let data = self.serving.place.path("data").display().to_string();
        let shown = self.serving.place.run(&["runs", "show", "1", "--state", &data]).stdout;
        let line = "environment production, https://shop.example.com/?of=1&as=2\n";
        assert!(shown.contains(line), "{shown}");
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
fn who_is_asked_sees_what_a_job_brings() {
    let gated = Gated::of(SETTINGS);
    let lena = gated.person("lena", "approve");
    let token = lena.strip_prefix("Bearer ").expect("a token").to_owned();
    let shown = |run: &str| {
        let mut command = gated.serving.place.launchway(&[
            "approvals",
            "show",
            run,
            "--server",
            &gated.serving.url,
        ]);
        let said = Said::from(command.env("LAUNCHWAY_TOKEN", &token).output().expect("it starts"));
        assert_eq!(said.exit, 0, "{}", said.stderr);
        let begins = ["brings", "  ", "takes"];
        let lines = said.stdout.lines().filter(|line| begins.iter().any(|it| line.starts_with(it)));
        // Hashes are new in every run.
        let word = |it: &str| match it {
            it if it.len() == 7 && it.bytes().all(|it| it.is_ascii_hexdigit()) => {
                "COMMIT".to_owned()
            }
            it => it.to_owned(),
        };
        let line = |line: &str| line.split(' ').map(word).collect::<Vec<_>>().join(" ") + "\n";
        lines.map(line).collect::<String>()
    };
    let page = |run: &str| {
        let path = format!("/approvals/{run}.1/ship");
        gated.serving.ask("GET", &path, &[("authorization", &lena)], "").text
    };
    let kim = gated.person("kim", "approve");
    let ship = |run: &str| {
        gated.agree(run, &kim, "devops");
        gated.agree(run, &lena, "leads");
        assert_eq!(gated.serving.ended(run)["conclusion"], "success");
    };
    let change = |name: &str| {
        gated.serving.place.write(name, name);
        gated.serving.place.git(&["add", "--all"]);
        gated.serving.place.git(&["commit", "--quiet", "--message", name]);
    };
    gated.serving.push();
    gated.waits("1");
    expect![[r#"
        brings: what ran there before is not known
          COMMIT a change (Mona)
    "#]]
    .assert_eq(&shown("1"));
    assert!(page("1").contains("What ran there before is not known"), "{}", page("1"));
    ship("1");
    assert!(!page("1").contains("What it brings"), "{}", page("1"));

    change("mends <b>it");
    change("faster");
    gated.serving.push();
    gated.waits("2");
    expect![[r#"
        brings: 2 commits since COMMIT
          COMMIT faster (Mona)
          COMMIT mends <b>it (Mona)
    "#]]
    .assert_eq(&shown("2"));
    let text = page("2");
    assert!(
        text.contains("2 commits since ") && text.contains("<bdi>mends &lt;b&gt;it</bdi>"),
        "{text}"
    );

    // What runs there now is taken back where the branch was forced elsewhere.
    ship("2");
    gated.serving.place.git(&["reset", "--quiet", "--hard", "HEAD~2"]);
    change("another way");
    let bare = gated.serving.place.path("app.git").display().to_string();
    gated.serving.place.git(&["push", "--quiet", "--force", &bare, "HEAD:refs/heads/main"]);
    gated.waits("3");
    expect![[r#"
        brings: 1 commit since COMMIT
          COMMIT another way (Mona)
        takes back: 2 commits
    "#]]
    .assert_eq(&shown("3"));
    gated.serving.end();
}

// proves: conformance 112
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
        403 somebody may not: they are not of devops, or not for this run
        403 hubot may not: they are not of leads, or not for this run
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
        "somebody" "refused" "somebody may not: they are not of devops, or not for this run"
        "hubot" "refused" "hubot may not: they are not of leads, or not for this run"
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

    gated.says_where_it_ran();

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

/// The command says the same as the API: what waits, what counts and what does not, with its exit code.
#[test]
fn people_agree_from_where_they_sit() {
    let gated = Gated::of(SETTINGS);
    gated.serving.push();
    gated.waits("1");
    let url = gated.serving.url.clone();
    let said = |bearer: &str, args: &[&str]| {
        let mut command = gated.serving.place.launchway(&["approvals"]);
        command.args(args).args(["--server", &url]);
        command.env("LAUNCHWAY_TOKEN", bearer.trim_start_matches("Bearer "));
        let said = Said::from(command.output().expect("it starts"));
        // Without what was shown before it.
        let is_said = |it: &&str| {
            ["error: ", "hint: ", "no job", "nothing"].iter().any(|begin| it.starts_with(begin))
                || [" agrees to ", " is refused"].iter().any(|it_says| it.contains(it_says))
        };
        let last: Vec<&str> = said.stderr.lines().filter(is_said).collect();
        let is_digest = |word: &str| word.trim_end_matches(',').len() >= 40;
        let plain = |line: &str| -> String {
            let words = line.split(' ').map(|it| if is_digest(it) { "DIGEST" } else { it });
            words.collect::<Vec<_>>().join(" ")
        };
        let out: Vec<String> = said.stdout.lines().map(plain).collect();
        format!(
            "{} {}\n",
            said.exit,
            [out, last.iter().map(|it| plain(it)).collect()].concat().join("\n")
        )
    };
    let of = |login: &str| gated.person(login, "approve");
    let (mona, hubot, lena) = (of("mona"), of("hubot"), of("lena"));
    let reader = gated.person("kim", "read");
    let mut told = said(&reader, &["list"]);
    told += &said(&reader, &["list", "staging"]);
    told += &said(&mona, &["approve", "1", "--group", "devops"]);
    told += &said(&reader, &["approve", "1", "--group", "devops"]);
    told += &said("launchway_none", &["approve", "1", "--group", "devops"]);
    told += &said(&reader, &["approve", "1"]);
    told += &said(&mona, &["approve", "1"]);
    told += &said(&hubot, &["approve", "1", "--group", "sales"]);
    told += &said(&hubot, &["approve", "1", "--confirm", "production"]);
    told += &said(&hubot, &["approve", "1", "--job", "test", "--group", "devops"]);
    told += &said(&hubot, &["approve", "7"]);
    // In one of two groups that are asked, so that one is meant.
    told += &said(&hubot, &["approve", "1"]);
    told += &said(&hubot, &["approve", "1", "--group", "leads"]);
    told += &said(&lena, &["approve"]);
    expect![[r#"
        0 job ship of run 1 to production, asked for by mona, mona@example.com: 1 of devops (kim, hubot, octocat); so far: nobody yet
        job ship of run 1 to production, asked for by mona, mona@example.com: 1 of leads (lena, kim); so far: nobody yet
        0 nothing waits for people
        4 error: mona may not: they requested the run
        4 error: this token may read; this needs one that may approve
        4 error: this is no token of this server, or it has ended
        hint: LAUNCHWAY_TOKEN holds it; launchway tokens create NAME --data DIR, where the server runs, makes one
        2 error: for which group? --group GROUP
        hint: you are in several that are still asked: devops, leads
        4 error: you are not among those who are still asked: 1 of devops (kim, hubot, octocat), 1 of leads (lena, kim)
        hint: who started it, agreed already or is in no such group is not; with --group the server says which, and writes it down
        2 error: nobody of sales is asked
        hint: there are: devops, leads
        2 error: that job asks nobody for a word
        2 error: that job stood at no gate
        2 error: no job of run 7 waits for people
        hint: launchway approvals list --server URL says which do
        0 hubot agrees to ship of run 1; still asked: 1 of leads (lena, kim)
        4 error: hubot may not: they are not of leads, or not for this run
        0 lena agrees to ship of run 1; nobody else is asked
    "#]].assert_eq(&told.replace(&url, "URL"));
    assert_eq!(gated.serving.ended("1")["conclusion"], "success");
    assert_eq!(gated.serving.mark("shipped"), "shipped\n");

    // Another one is refused, as a person and as a program see it.
    assert_eq!(gated.serving.post("/api/v1/runs/1/rerun", &[], "").status, 201);
    let what = gated.waits("1.2")["what"].clone();
    let mut command = gated.serving.place.launchway(&["approvals", "show", "1", "--server", &url]);
    command.args(["--format", "json"]);
    command.env("LAUNCHWAY_TOKEN", reader.trim_start_matches("Bearer "));
    let shown = Said::from(command.output().expect("it starts"));
    let shown: Json = serde_json::from_str(&shown.stdout).expect(&shown.stderr);
    assert_eq!((&shown["what"], &shown["job"]), (&what, &json!("ship")));
    let no = said(&lena, &["reject", "1", "--group", "leads", "--reason", "not today"]);
    expect![[r#"
        0 ship of run 1 is refused
    "#]]
    .assert_eq(&no);
    assert_eq!(gated.serving.ended("1.2")["conclusion"], "failure");
    expect![[r#"
        0 ship of run 1 of octo/app to production, asked for by mona, machine:first start, mona@example.com
        commit: DIGEST .github/workflows/ci.yml
        rules: DIGEST
        what is agreed to: DIGEST
        1 of devops (kim, hubot, octocat); so far: nobody yet
        1 of leads (lena, kim); so far: nobody yet
        lena rejected: not today
    "#]]
    .assert_eq(&said(&lena, &["show", "1", "--job", "ship"]));
    expect![[r#"
        2 error: run 1 is over: failure
    "#]]
    .assert_eq(&said(&lena, &["approve", "1", "--job", "ship", "--group", "leads"]));
}

/// The timer is the clock's, and lasts through a kill.
#[test]
fn a_timer_opens_by_itself() {
    let timer = SETTINGS.replace("reviewers: { devops: 1, leads: 1 }", "wait: 2s");
    let timer = timer.replace("level: 4", "level: 5");
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

#[test]
fn a_token_of_one_environment_agrees_and_starts_nothing_in_another() {
    let gated = Gated::of(SETTINGS);
    let of = |login: &str, scope: &str, environment: &str| {
        let create = ["tokens", "create", login, "--scope", scope, "--person", login];
        let made = gated.serving.command(&[&create[..], &["--environment", environment]].concat());
        assert_eq!(made.exit, 0, "{}", made.stderr);
        format!("Bearer {}", made.stdout.trim())
    };
    gated.serving.push();
    gated.waits("1");
    let path = "/api/v1/repositories/octo/app/dispatches";
    let by_hand = |bearer: &str| {
        let wanted = r#"{"workflow": "ci.yml"}"#;
        gated.serving.ask("POST", path, &[("authorization", bearer)], wanted)
    };
    let tried = [
        detail(&gated.agree("1", &of("kim", "approve", "staging"), "devops")),
        detail(&gated.agree("1", &of("kim", "approve", "Production"), "devops")),
        detail(&by_hand(&of("mona", "deploy", "staging"))),
        detail(&by_hand(&of("mona", "deploy", "production"))),
    ];
    expect![[r#"
        403 This token may approve in staging; this needs one that may approve in production.
        200 done
        403 the job ship runs in production, and you may deploy in staging alone
        201 done"#]]
    .assert_eq(&tried.join("\n"));
    let create = ["tokens", "create", "x", "--scope", "operate", "--machine"];
    let said = gated.serving.command(&[&create[..], &["--environment", "staging"]].concat());
    expect![[r#"
        error: only what may approve or deploy is of an environment
        hint: leave out --environment
        exit 2
    "#]]
    .assert_eq(&format!("{}exit {}\n", said.stderr, said.exit));
    let listed = gated.serving.command(&["tokens", "list"]).stdout;
    assert!(listed.contains(" of mona  only in staging\n"), "{listed}");
    gated.serving.end();
}

/// Rules that ask nobody, at the level that they have where none is written.
const ALONE: &str = "
version: 1
project: app
environments:
  production: { protect: { wait: 1s, branches: [main] } }
";

/// A level says who starts what runs in an environment, jobs as much as deployments.
#[test]
fn nothing_reaches_an_environment_without_a_person_until_its_level_says_so() {
    let gated = Gated::of(ALONE);
    gated.serving.push();
    let shown = gated.waits("1");
    assert_eq!(
        shown["gates"][1],
        json!({ "gate": "start", "kind": "start", "agreed": [], "asks_you": false })
    );
    let why = || gated.serving.get("/api/v1/runs/1").json()["jobs"][1]["why_waiting"].clone();
    wait_until("the timer", || why() == "waits at the gate of production for a person to start it");
    let page = |path: &str| gated.serving.get(path).text;
    assert!(
        page("/environments").contains("A person starts each job"),
        "{}",
        page("/environments")
    );
    // Whoever may deploy or approve there, the one who pushed as well; nobody else, and no program.
    let yes = json!({ "decision": "approve", "gate": "start", "what": shown["what"] });
    let mona = gated.person("mona", "deploy");
    let tried = [
        detail(&gated.say("1", &gated.person("hubot", "operate"), &yes)),
        detail(&gated.say("1", &format!("Bearer {}", gated.serving.token), &yes)),
        detail(&gated.say(
            "1",
            &mona,
            &json!({ "decision": "approve", "gate": "approval/devops", "what": shown["what"] }),
        )),
        detail(&gated.say("1", &mona, &yes)),
    ];
    expect![[r#"
        403 This token may operate; this needs one that may approve.
        403 This token belongs to nobody by name; only people agree.
        403 This token may deploy; this needs one that may approve in production.
        200 done"#]]
    .assert_eq(&tried.join("\n"));
    assert_eq!(gated.serving.ended("1")["conclusion"], "success");
    assert_eq!(gated.serving.mark("shipped"), "shipped\n");

    // A dispatch is a person's, and asks nobody else. Run again it asks: who may do that need not be allowed to deploy.
    let path = "/api/v1/repositories/octo/app/dispatches";
    let by_hand = r#"{"workflow":"ci.yml"}"#;
    assert_eq!(gated.serving.ask("POST", path, &[("authorization", &mona)], by_hand).status, 201);
    assert_eq!(gated.serving.ended("2")["conclusion"], "success");
    // A program's is nobody's.
    assert_eq!(gated.serving.post(path, &[], by_hand).status, 201);
    gated.waits("3");
    assert_eq!(gated.serving.post("/api/v1/runs/3/cancel", &[], "").status, 202);
    gated.serving.ended("3");
    assert_eq!(gated.serving.post("/api/v1/runs/2/rerun", &[], "").status, 201);
    gated.waits("2.2");
    let url = gated.serving.url.clone();
    let said = |args: &[&str]| {
        let mut command = gated.serving.place.launchway(&["approvals"]);
        command.args(args).args(["--server", &url]);
        command.env("LAUNCHWAY_TOKEN", mona.trim_start_matches("Bearer "));
        let said = Said::from(command.output().expect("it starts"));
        let last = said.stderr.lines().last().unwrap_or_default();
        format!("{} {}{last}", said.exit, said.stdout)
    };
    expect![[r#"
        0 job ship of run 2 to production, asked for by mona, machine:first start: a person starts it; so far: nobody yet
    "#]].assert_eq(&said(&["list"]));
    expect!["0 mona starts ship of run 2"].assert_eq(&said(&["approve", "2"]));
    assert_eq!(gated.serving.ended("2.2")["conclusion"], "success");

    // Below 4 nothing is let there, and it says what would; at 5 a push ships.
    let push = |level: &str| {
        gated.serving.place.write(
            "launchway.yml",
            &ALONE.replace("{ protect", &format!("{{ level: {level}, protect")),
        );
        gated.serving.place.commit();
        gated.serving.push();
    };
    push("3");
    assert_eq!(gated.serving.ended("4")["conclusion"], "failure");
    let shut = page("/runs/4.1");
    assert!(
        shut.contains("production has the level 3: no job runs there; with `level: 4`"),
        "{shut}"
    );
    push("5");
    assert_eq!(gated.serving.ended("5")["conclusion"], "success");
    assert_eq!(gated.serving.mark("shipped"), "shipped\n".repeat(4));
    gated.serving.end();
}
