//! Deployments that wait, on a server: its command line lists them, shows the plan, and hands in what is signed
//! at home. Whoever drives the deployment judges it, as on the machine itself.

use std::process::{Child, Stdio};

use expect_test::expect;

use super::Team;
use crate::harness::{Place, Said, wait_for_line};

/// A server over the journal that the deployments stand in.
pub(crate) struct Server {
    process: Child,
    pub(crate) url: String,
}

impl Server {
    pub(crate) fn over(place: &Place, more: &[&str]) -> Server {
        let file = std::fs::File::create(place.path("served")).expect("a file of ours");
        let state = place.state().display().to_string();
        let mut serve = place.launchway(&["serve", "--listen", "127.0.0.1:0", "--grace", "0"]);
        let serve = serve.args(["--data", &state]).args(more).stdout(file).stderr(Stdio::null());
        let process = serve.spawn().expect("it starts");
        let line = wait_for_line(&place.path("served"));
        let url = line.strip_prefix("serving ").expect("where it serves").to_owned();
        Server { process, url }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn what_waits_is_shown_signed_and_handed_in_over_a_server() {
    let team = Team::new();
    let place = &team.project.place;
    let server = Server::over(place, &[]);
    let token = |args: &[&str]| {
        let state = place.state().display().to_string();
        let said = place.run(&[&["tokens", "create"], args, &["--data", &state]].concat());
        assert_eq!(said.exit, 0, "{}", said.stderr);
        said.stdout.trim().to_owned()
    };
    let hubot = token(&["hubot", "--scope", "approve", "--person", "hubot"]);
    let looks_on = token(&["looks on"]);
    let with = |token: &str, args: &[&str]| {
        let mut command =
            place.launchway(&[&["approvals"], args, &["--server", &server.url]].concat());
        Said::from(command.env("LAUNCHWAY_TOKEN", token).output().expect("it starts"))
    };
    assert_eq!(with(&hubot, &["list"]).stderr, "nothing waits for people\n");
    let (waiting, said) = team.begin(&["production"], &[]);
    let waiting = waiting.expect(&said);
    let id = waiting.id.clone();

    // The same as on the machine itself.
    let here = |args: &[&str]| team.run(&[&["approvals"], args].concat()).stdout;
    assert_eq!(with(&looks_on, &["list"]).stdout, here(&["list"]));
    let json = ["list", "--format", "json"];
    assert_eq!(with(&looks_on, &json).stdout, here(&json));
    let shown = with(&looks_on, &["show", &id, "--deployment"]);
    assert_eq!(shown.stdout, here(&["show", &id]), "{}", shown.stderr);

    // The page and the API have it, too; of it who is bound to a repository sees nothing.
    let get = |token: &str, path: &str| ask(&server.url, token, path);
    let waits = |token: &str| get(token, "/approvals").1;
    let (page, bare) = (waits(&hubot), place.path("remote.git").display().to_string());
    let state = place.state().display().to_string();
    let added = place.run(&["repositories", "add", &bare, "--name", "octo/app", "--data", &state]);
    assert_eq!(added.exit, 0, "{}", added.stderr);
    let bound = token(&["bound", "--repository", "octo/app"]);
    for has in [">for you<", "/deployments/1\">Deployment 1 to <bdi>production</bdi>", "1 of leads"]
    {
        assert!(page.contains(has), "{has}: {page}");
    }
    assert!(waits(&looks_on).contains(">waiting<"), "nobody by name is asked");
    assert!(waits(&bound).contains("Nothing waits for anybody."));
    assert_eq!(get(&bound, "/api/v1/deployments/waiting").0, 403);
    let (_, told) = get(&looks_on, "/api/v1/deployments/waiting");
    assert!(told.contains("\"deployment\":\"1\""), "{told}");
    assert_eq!(
        commands(&get(&looks_on, "/deployments/1").1, &server.url),
        [
            "launchway approvals approve 1 --group devops --deployment --server URL",
            "launchway approvals approve 1 --group leads --deployment --server URL",
            "launchway approvals reject 1 --group devops --deployment --reason \"...\" --server URL",
        ]
    );

    let mut table = String::new();
    let mut say = |what: &str, said: &Said| {
        let lines: Vec<&str> = said.stderr.lines().collect();
        let from = lines.iter().rposition(|it| it.starts_with("error")).unwrap_or(lines.len() - 1);
        table.push_str(&format!("{what}: exit {}: {}\n", said.exit, lines[from..].join(" | ")));
    };
    let key = |name: &str| team.key(name).display().to_string();
    let approve = |token: &str, group: &str, name: &str| {
        let key = key(name);
        with(token, &["approve", &id, "--deployment", "--group", group, "--key", &key])
    };
    say("who may only look", &approve(&looks_on, "devops", "hubot"));
    say("their own", &approve(&hubot, "devops", "mona"));
    say("an unknown key", &approve(&hubot, "devops", "stranger"));
    say("hubot", &approve(&hubot, "devops", "hubot"));
    // The signature says who agrees; whose token hands it in does not matter.
    let (ask, signed) = (place.path("ask.json"), place.path("signed"));
    let (ask, signed) = (ask.display().to_string(), signed.display().to_string());
    assert_eq!(with(&hubot, &["show", &id, "--deployment", "--output", &ask]).exit, 0);
    let lena = key("lena");
    let sign = ["approvals", "sign", "--request", &ask, "--group", "leads", "--key", &lena];
    assert_eq!(team.run(&[&sign[..], &["--output", &signed]].concat()).exit, 0);
    let hand_in = ["approve", &id, "--deployment", "--signature", &signed];
    say("lena, signed elsewhere", &with(&hubot, &hand_in));
    assert!(waits(&hubot).contains(">waiting<"), "who agreed is asked no more");
    assert_eq!(commands(&get(&looks_on, "/deployments/1").1, &server.url).len(), 2);
    say("a job has no signature", &with(&hubot, &["approve", &id, "--signature", &signed]));
    say("a job has no file", &with(&hubot, &["show", &id, "--output", &ask]));
    say("kim, the last", &approve(&hubot, "devops", "kim"));
    say("it ended", &Said { exit: 0, stdout: String::new(), stderr: waiting.end() });
    assert!(waits(&hubot).contains("Nothing waits for anybody."));
    assert!(commands(&get(&looks_on, "/deployments/1").1, &server.url).is_empty());
    say("once more", &with(&hubot, &hand_in));
    let (waiting, said) = team.begin(&["production", "--force"], &[]);
    let waiting = waiting.expect(&said);
    // What does not look right is a reason to say no, not one that keeps anybody from it.
    place.write("launchway.yml", "version: 1\nproject: [\n");
    let yes = ["approve", &waiting.id, "--deployment", "--group", "devops", "--key"];
    say(
        "a yes where the settings have mistakes",
        &with(&hubot, &[&yes[..], &[&key("hubot")]].concat()),
    );
    let no = ["reject", &waiting.id, "--deployment", "--reason", "not today", "--group", "devops"];
    say("a no", &with(&hubot, &[&no[..], &["--key", &key("hubot")]].concat()));
    say("it ended", &Said { exit: 0, stdout: String::new(), stderr: waiting.end() });
    expect![[r#"
        who may only look: exit 4: error: this token may read; this needs one that may approve in production
        their own: exit 4: error: it does not count: mona may not: they requested the deployment | hint: it was written down
        an unknown key: exit 4: error: it does not count: the key FINGERPRINT is nobody's there | hint: it was written down
        hubot: exit 0: hubot agrees to deployment 1; still asked: 1 of devops (lena, kim, gone), 1 of leads (lena)
        lena, signed elsewhere: exit 0: lena agrees to deployment 1; still asked: 1 of devops (lena, kim, gone)
        a job has no signature: exit 2: error: a job of a server is agreed to without a signature: your token says who you are | hint: for a deployment of the server: --deployment
        a job has no file: exit 2: error: what is agreed to of a server's job is not signed, so there is no file for that | hint: for a deployment of the server: --deployment
        kim, the last: exit 0: kim agrees to deployment 1; nobody else is asked
        it ended: exit 0: succeeded
        once more: exit 2: error: deployment 1 is over: succeeded
        a yes where the settings have mistakes: exit 3: error: launchway.yml has mistakes | hint: `launchway check` shows them, and what else there is to say
        a no: exit 0: deployment 2 is refused
        it ended: exit 0: refused hubot said no to the plan: not today
    "#]]
    .assert_eq(&without_fingerprints(&table));
}

/// What a server answers: the status and the text.
fn ask(url: &str, token: &str, path: &str) -> (u16, String) {
    let request = ureq::Agent::config_builder().http_status_as_error(false).build().new_agent();
    let request = request.get(format!("{url}{path}"));
    let answer = request.header("authorization", format!("Bearer {token}")).call();
    let mut answer = answer.expect("an answer");
    (answer.status().as_u16(), answer.body_mut().read_to_string().expect("text"))
}

/// The commands that a deployment's page has to be typed, with `URL` for the server.
fn commands(page: &str, url: &str) -> Vec<String> {
    let parts = page.split("<pre class=\"type\">").skip(1);
    let commands = parts.map(|it| it.split_once("</pre>").expect("it ends").0);
    commands.map(|it| it.replace("&quot;", "\"").replace(url, "URL")).collect()
}

/// What is handed in goes to an environment: whoever signed in may agree in those alone that their claims give.
#[cfg(feature = "sign-in")]
#[test]
fn who_signed_in_hands_in_where_they_may_agree() {
    use crate::sign_in::real::{Browser, Login};

    let team = Team::new();
    let place = &team.project.place;
    let mut login = Login::begin();
    let issuer = login.url.clone();
    let allow = |rule| ["--sign-in-allow", rule];
    let named =
        ["--sign-in-issuer", &issuer, "--sign-in-client", "public", "--sign-in-ask", "groups"];
    let rules = [allow("groups=backend:approve@staging"), allow("groups=leads:approve@Production")];
    let server = Server::over(place, &[&named[..], &rules.concat()].concat());
    login.knows(&server.url);
    let (waiting, said) = team.begin(&["production"], &[]);
    let waiting = waiting.expect(&said);
    let (key, signed) = (team.key("hubot").display().to_string(), place.path("signed"));
    let output = signed.display().to_string();
    let sign = ["approvals", "sign", &waiting.id, "--group", "devops", "--key", &key];
    assert_eq!(team.run(&[&sign[..], &["--output", &output]].concat()).exit, 0);
    let signed = std::fs::read_to_string(signed).expect("what was signed");
    let body = serde_json::json!({ "signed": signed }).to_string();
    let path = format!("{}/api/v1/deployments/{}/approval", server.url, waiting.id);
    let mut table = String::new();
    // Neither has a key of the rules: the signature says who agrees, and the session who may hand it in.
    for person in ["mona", "lena"] {
        let mut browser = Browser::default();
        assert_eq!(browser.sign_in(&server.url, person).status, 200);
        let got = browser.ask("POST", &path, &body);
        let json = got.json();
        let said = json["detail"].as_str().or(json["decision"].as_str()).unwrap_or_default();
        table.push_str(&format!("{person}: {} {said}\n", got.status));
    }
    expect![[r#"
        mona: 403 You may approve in staging; this needs somebody who may approve in production.
        lena: 200 approved
    "#]]
    .assert_eq(&table);
    waiting.cancel(&team);
}

/// Keys are made anew for each test.
fn without_fingerprints(table: &str) -> String {
    let mut parts = table.split("SHA256:");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| {
        let rest = part.split_once(' ').map_or("", |it| it.1);
        format!("{text}FINGERPRINT {rest}")
    })
}
