//! Approvals by SSH signatures, with real keys, a real remote and real deployments to this machine;
//! and what people try to get round them.

pub(crate) mod served;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};

use expect_test::expect;
use serde_json::Value as Json;

use crate::deploy::Project;
use crate::harness::{Said, text};
use crate::json;

const APP: &str = r#"
import http.server, os
class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_): pass
    def do_GET(self):
        body = open('version').read().encode()
        self.send_response(200)
        self.send_header('content-length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)
http.server.ThreadingHTTPServer(('127.0.0.1', int(os.environ['PORT'])), Handler).serve_forever()
"#;

/// Two of devops and one of leads; `PORT` is production's, staging is somewhere else.
const SETTINGS: &str = "
version: 1
project: planner
groups:
  devops: [mona, hubot, hubot-too, lena, kim, gone]
  leads: [lena, shadow, smith]
services:
  api:
    run: [python3, app.py]
    bundle: { path: app }
    health: { paths: [/health], settle: 0s, within: 20s, every: 100ms }
environments:
  production:
    level: 5
    targets: { host: 127.0.0.1:PORT }
    protect: { reviewers: { devops: 2, leads: 1 } }
  staging:
    level: 5
    targets: { host: 127.0.0.1:1 }
";

/// A project with a remote, and keys of people beside it.
struct Team {
    project: Project,
}

impl Team {
    fn new() -> Team {
        let project = Project::of(APP, SETTINGS);
        let team = Team { project };
        for name in ["mona", "mona-2", "hubot", "lena", "kim", "gone", "stranger"] {
            let path = team.key(name).display().to_string();
            let args = ["-q", "-t", "ed25519", "-N", "", "-C", "", "-f", &path];
            assert!(Command::new("ssh-keygen").args(args).status().expect("it starts").success());
        }
        let key = |name: &str| team.public(name);
        // mona has two keys and two more names; hubot has one more name.
        let signers = format!(
            "mona {mona}\nshadow {mona}\nsmith,mona {second}\nhubot,hubot@example.com {hubot}\n\
             hubot-too {hubot}\nlena {lena}\nkim {kim}\ngone valid-before=\"20200101Z\" {gone}\n",
            mona = key("mona"),
            second = key("mona-2"),
            hubot = key("hubot"),
            lena = key("lena"),
            kim = key("kim"),
            gone = key("gone"),
        );
        let place = &team.project.place;
        place.write(".launchway/allowed_signers", &signers);
        let remote = place.path("remote.git").display().to_string();
        place.git(&["init", "--quiet", "--bare", "--initial-branch", "main", &remote]);
        place.git(&["remote", "add", "origin", &remote]);
        team.write_as("Dev", "dev@example.com");
        team.push();
        team
    }

    /// Commits what is there, written by somebody.
    fn write_as(&self, name: &str, address: &str) {
        let place = &self.project.place;
        place.git(&["add", "--all"]);
        let author = format!("--author={name} <{address}>");
        let who = ["-c", "user.name=Dev", "-c", "user.email=dev@example.com"];
        let commit = ["commit", "--quiet", "--allow-empty", "--message", "a change", &author];
        place.git(&[&who[..], &commit].concat());
    }

    fn push(&self) {
        self.project.place.git(&["push", "--quiet", "--force", "origin", "HEAD:refs/heads/main"]);
    }

    fn key(&self, name: &str) -> PathBuf {
        self.project.place.path(&format!("key-{name}"))
    }

    fn public(&self, name: &str) -> String {
        let path = self.project.place.path(&format!("key-{name}.pub"));
        std::fs::read_to_string(path).expect("a public key").trim().to_owned()
    }

    fn run(&self, args: &[&str]) -> Said {
        self.project.run(args)
    }

    /// What a deployment waits for; or how it ended, where it waits for nothing.
    #[expect(clippy::zombie_processes, reason = "who waits is waited for by Waiting::end")]
    fn begin(&self, args: &[&str], variables: &[(&str, &str)]) -> (Option<Waiting>, String) {
        let key = self.key("mona").display().to_string();
        let key: &[&str] = if args.contains(&"--key") { &[] } else { &["--key", &key] };
        let all = [&["deploy"], args, key, &["--format", "json"]].concat();
        let mut child = self.project.place.launchway(&all);
        let child = child.envs(variables.iter().copied());
        let child = child.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = child.expect("the binary starts");
        let mut lines = BufReader::new(child.stdout.take().expect("it was asked for"));
        let (mut id, mut gates) = (String::new(), Vec::new());
        loop {
            let mut line = String::new();
            if lines.read_line(&mut line).expect("it says something") == 0 {
                let said = Said::from(child.wait_with_output().expect("it ends"));
                let error = said.stderr.lines().find(|line| line.starts_with("error"));
                return (None, format!("exit {}, {}", said.exit, error.unwrap_or("no error")));
            }
            let json: Json = serde_json::from_str(&line).expect("a line of JSON");
            match json["type"].as_str() {
                Some("deployment_started") => id = word(&json["deployment"]),
                Some("gate_waiting") => gates.push(word(&json["gate"])),
                _ => {}
            }
            // They are told in this order, in one go.
            if gates.last().is_some_and(|gate| gate == "approval/leads") {
                let by = self.show(&id)["by"].as_str().unwrap_or_default().to_owned();
                let said = format!("asked for by {by}, waits for {}", gates.join(", "));
                return (Some(Waiting { id, child, lines }), said);
            }
        }
    }

    fn show(&self, id: &str) -> Json {
        let said = self.run(&["deployments", "show", id, "--format", "json"]);
        serde_json::from_str(&said.stdout).unwrap_or_else(|_| panic!("{}", said.stderr))
    }

    /// What is signed for a gate.
    fn statement(&self, id: &str, gate: &str) -> String {
        let output = self.project.place.path("statement").display().to_string();
        let key = self.key("stranger").display().to_string();
        let group = gate.trim_start_matches("approval/");
        let args = ["approvals", "sign", id, "--group", group, "--key", &key, "--output", &output];
        let said = self.run(&args);
        assert_eq!(said.exit, 0, "{}", said.stderr);
        let all = std::fs::read_to_string(output).expect("what was signed");
        all.split_once("-----BEGIN").expect("a signature").0.to_owned()
    }

    /// A text with a signature over it, made by ssh-keygen alone.
    fn signed(&self, key: &str, namespace: &str, text: &str) -> String {
        let key = self.key(key).display().to_string();
        let mut child = Command::new("ssh-keygen")
            .args(["-Y", "sign", "-q", "-n", namespace, "-f", &key])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let mut input = child.stdin.take().expect("it was asked for");
        input.write_all(text.as_bytes()).expect("it reads");
        drop(input);
        let output = child.wait_with_output().expect("it ends");
        assert!(output.status.success());
        format!("{text}{}", self::text(&output.stdout))
    }

    /// Hands a file in, and says how that went and what was written down of it.
    fn hand_in(&self, id: &str, handed: &str) -> String {
        let path = self.project.place.path("handed");
        std::fs::write(&path, handed).expect("a file of ours");
        let path = path.display().to_string();
        let before = self.show(id)["refused"].as_array().map_or(0, Vec::len);
        let said = self.run(&["approvals", "approve", id, "--signature", &path]);
        let now = self.show(id);
        let refused = now["refused"].as_array().expect("a list");
        match refused.get(before) {
            Some(line) => format!("exit {}, written down: {}", said.exit, word(&line["why"])),
            None => format!("exit {}, {}", said.exit, said.stderr.trim_end()),
        }
    }
}

fn word(json: &Json) -> String {
    json.as_str().unwrap_or_default().to_owned()
}

/// A deployment that waits, driven by a process.
struct Waiting {
    id: String,
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Waiting {
    /// How it ends.
    fn end(mut self) -> String {
        let lines = self.lines.by_ref().lines().map_while(Result::ok);
        let stdout = lines.collect::<Vec<_>>().join("\n");
        let told = Said { exit: 0, stdout, stderr: String::new() };
        json::check_lines(&json::documented(), "deploy", &told.lines());
        let said = told.of("deployment_completed").first().map_or("no end".to_owned(), |end| {
            format!("{} {}", word(&end["verdict"]), word(&end["cause"]))
        });
        let _ = self.child.wait();
        said.trim_end().to_owned()
    }

    fn cancel(self, team: &Team) {
        let said = team.run(&["deployments", "cancel", &self.id]);
        assert_eq!(said.exit, 0, "{}", said.stderr);
        let end = self.end();
        assert!(end.starts_with("cancelled"), "{end}");
    }
}

const NAMESPACE: &str = "launchway-deployment@1";

/// Attempts to open a gate with what is handed in, against one deployment that waits; then it is
/// agreed to in earnest, and what was signed is tried once more.
#[test]
fn signatures_that_do_not_count() {
    let team = Team::new();
    // Another journal's first deployment, so that numbers are no help.
    let (waiting, said) = team.begin(&["production"], &[]);
    let old = waiting.expect(&said);
    let old_text = team.statement(&old.id, "approval/devops");
    let old_id = old.id.clone();
    old.cancel(&team);
    let (waiting, said) = team.begin(&["production"], &[]);
    let waiting = waiting.expect(&said);
    let id = waiting.id.clone();
    let devops = team.statement(&id, "approval/devops");
    let leads = team.statement(&id, "approval/leads");
    let sign = |key: &str, text: &str| team.signed(key, NAMESPACE, text);
    let with = |key: &str, from: &str, to: &str| {
        let text = devops.lines().map(|line| match line.starts_with(from) {
            true => format!("{from}: {to}\n"),
            false => format!("{line}\n"),
        });
        sign(key, &text.collect::<String>())
    };
    let hubot = sign("hubot", &devops);
    let (hubot_text, hubot_signature) = hubot.split_at(devops.len());
    let mut table = String::new();
    let mut attack = |name: &str, handed: &str| {
        table += &format!("{name}: {}\n", team.hand_in(&id, handed));
    };
    attack("their own", &sign("mona", &devops));
    attack("their own, with their other key", &sign("mona-2", &devops));
    attack("their own, under their other name in another group", &sign("mona", &leads));
    attack("their own, with the other key under a third name", &sign("mona-2", &leads));
    attack("an unknown key", &sign("stranger", &devops));
    attack("a key whose time is over", &sign("gone", &devops));
    attack("not of that group", &sign("kim", &leads));
    attack("another plan", &with("hubot", "plan", &"0".repeat(64)));
    attack("another environment", &with("hubot", "environment", "staging"));
    attack("another project", &with("hubot", "project", "other"));
    attack("another deployment", &with("hubot", "deployment", "7"));
    attack("another requester", &with("hubot", "requested by", "kim"));
    attack("another moment", &with("hubot", "requested at", "2026-01-01T00:00:00Z"));
    attack("other rules", &with("hubot", "rules", &"0".repeat(64)));
    attack("the deployment before, with the same plan", &sign("hubot", &old_text));
    attack("a gate that is none", &with("hubot", "gate", "approval/admins"));
    attack("expired", &with("hubot", "expires", "2026-01-01T00:00:00Z"));
    attack("for ever", &with("hubot", "expires", "2126-01-01T00:00:00Z"));
    attack("signed for git", &team.signed("hubot", "git", &devops));
    attack("signed as a request", &team.signed("hubot", "launchway-request@1", &devops));
    attack("bytes behind the text", &sign("hubot", &format!("{devops}\n")));
    attack("a line more", &sign("hubot", &format!("{devops}gate: approval/leads\n")));
    attack("another text than was signed", &format!("{leads}{hubot_signature}"));
    attack("no text", hubot_signature);
    attack("bytes behind the signature", &format!("{hubot}{hubot_text}"));
    attack("half a signature", &hubot[..hubot.len() - 60]);
    // The first that counts.
    attack("hubot", &hubot);
    attack("the same once more", &hubot);
    attack("the same person with a new signature", &with("hubot", "expires", &soon()));
    attack("lena for leads", &sign("lena", &leads));
    attack("lena for devops too", &sign("lena", &devops));
    attack("kim, who is the second of devops", &sign("kim", &devops));
    let end = waiting.end();
    attack("once more, when it is over", &hubot);
    table += &format!("it ended: {end}\n");
    let old = team.hand_in(&old_id, &sign("hubot", &old_text));
    table += &format!("for the one that was cancelled: {old}\n");
    expect![[r#"
        their own: exit 4, written down: mona may not: they requested the deployment
        their own, with their other key: exit 4, written down: mona may not: they requested the deployment
        their own, under their other name in another group: exit 4, written down: mona may not: they requested the deployment
        their own, with the other key under a third name: exit 4, written down: mona may not: they requested the deployment
        an unknown key: exit 4, written down: the key KEY OF stranger is nobody's there
        a key whose time is over: exit 4, written down: the key KEY OF gone does not count for that, or not now
        not of that group: exit 4, written down: kim may not: they are not of leads, or not for this deployment
        another plan: exit 4, written down: it is for another plan: it says `0000000000000000000000000000000000000000000000000000000000000000`, and it has to be `DIGEST`
        another environment: exit 4, written down: it is for another environment: it says `staging`, and it has to be `production`
        another project: exit 4, written down: it is for another project: it says `other`, and it has to be `planner`
        another deployment: exit 4, written down: it is for another deployment: it says `7`, and it has to be `2`
        another requester: exit 4, written down: it is for another requested by: it says `kim`, and it has to be `mona`
        another moment: exit 4, written down: it is for another requested at: it says `2026-01-01T00:00:00Z`, and it has to be `TIME`
        other rules: exit 4, written down: it is for another rules: it says `0000000000000000000000000000000000000000000000000000000000000000`, and it has to be `DIGEST`
        the deployment before, with the same plan: exit 4, written down: it is for another deployment: it says `1`, and it has to be `2`
        a gate that is none: exit 4, written down: no gate `approval/admins` is waited for
        expired: exit 4, written down: what was signed has expired
        for ever: exit 4, written down: it would count for more than 7 days
        signed for git: exit 4, written down: it was made for `git`, not for `launchway-deployment@1`
        signed as a request: exit 4, written down: it was made for `launchway-request@1`, not for `launchway-deployment@1`
        bytes behind the text: exit 4, written down: what was signed is not the text of this approval, byte for byte
        a line more: exit 4, written down: what was signed is not the text of this approval, byte for byte
        another text than was signed: exit 4, written down: the signature does not fit what it should be over
        no text: exit 4, written down: what was signed is no approval of a deployment
        bytes behind the signature: exit 4, written down: it is no signature of ssh-keygen -Y sign
        half a signature: exit 4, written down: it is no signature of ssh-keygen -Y sign
        hubot: exit 0, hubot agrees to deployment 2; still asked: 1 of devops (lena, kim, gone), 1 of leads (lena)
        the same once more: exit 0, hubot agrees to deployment 2; still asked: 1 of devops (lena, kim, gone), 1 of leads (lena)
        the same person with a new signature: exit 4, written down: hubot may not: they agreed already
        lena for leads: exit 0, lena agrees to deployment 2; still asked: 1 of devops (lena, kim, gone)
        lena for devops too: exit 4, written down: lena may not: they agreed for another group, and nobody counts twice
        kim, who is the second of devops: exit 0, kim agrees to deployment 2; nobody else is asked
        once more, when it is over: exit 4, written down: the deployment is over
        it ended: succeeded
        for the one that was cancelled: exit 4, written down: the deployment is over
    "#]].assert_eq(&known(&table, &team));
    let shown = team.show(&id);
    let approvals = shown["approvals"].as_array().expect("a list");
    let verified = approvals.iter().map(|it| format!("{} {}", it["by"], it["verified"]));
    expect![[r#""hubot" true, "kim" true, "lena" true"#]]
        .assert_eq(&verified.collect::<Vec<_>>().join(", "));
}

/// In an hour, as a statement says it.
fn soon() -> String {
    let output = Command::new("date").args(["-u", "-d", "+1 hour", "+%Y-%m-%dT%H:%M:%SZ"]).output();
    text(&output.expect("date is there").stdout).trim().to_owned()
}

/// What differs from run to run, by a name.
fn known(table: &str, team: &Team) -> String {
    let mut table = table.to_owned();
    for name in ["mona", "mona-2", "hubot", "lena", "kim", "gone", "stranger"] {
        let key = team.key(name).display().to_string();
        let output = Command::new("ssh-keygen").args(["-l", "-f", &key]).output();
        let line = text(&output.expect("it starts").stdout);
        let fingerprint = line.split(' ').nth(1).expect("a fingerprint").to_owned();
        table = table.replace(&fingerprint, &format!("KEY OF {name}"));
    }
    let is_time = |word: &str| word.starts_with("`20") && word.contains("Z`");
    let is_digest = |word: &str| {
        let hex = word.trim().trim_matches(['`', ',']);
        hex.len() == 64 && hex.chars().all(|it| it.is_ascii_hexdigit())
    };
    let words = table.split_inclusive([' ', '\n']).map(|word| {
        let end = &word[word.trim_end().len()..];
        let is_ours = word.starts_with("`2026-01-01") || word.contains("0000000");
        match word {
            word if is_ours => word.to_owned(),
            word if is_time(word) => format!("`TIME`{end}"),
            word if is_digest(word) => format!("`DIGEST`{end}"),
            word => word.to_owned(),
        }
    });
    let folder = team.project.place.path("").display().to_string();
    words.collect::<String>().replace(&folder, "/")
}

/// Attempts to have no gate, or an easier one: in the commit that ships, in the clone, in the
/// environment, on the command line.
#[test]
fn ways_round_the_rules() {
    let team = Team::new();
    let place = &team.project.place;
    let settings = std::fs::read_to_string(place.repository().join("launchway.yml"));
    let settings = settings.expect("the settings");
    let signers = std::fs::read_to_string(place.repository().join(".launchway/allowed_signers"));
    let signers = signers.expect("the signers");
    let mut table = String::new();
    let mut attack = |name: &str, args: &[&str], variables: &[(&str, &str)]| {
        let (waiting, said) = team.begin(args, variables);
        table += &format!("{name}: {said}\n");
        if let Some(waiting) = waiting {
            waiting.cancel(&team);
        }
    };
    let production = &["production"][..];
    attack("as it is meant", production, &[]);
    attack("--yes", &["production", "--yes"], &[]);
    attack("--force", &["production", "--force"], &[]);
    attack("--hotfix", &["production", "--hotfix", "--reason", "it burns"], &[]);
    attack("another name in USER", production, &[("USER", "kim"), ("LOGNAME", "kim")]);
    let stranger = team.key("stranger").display().to_string();
    attack("a key that nobody knows", &["production", "--key", &stranger], &[]);
    let other = place.path("other-state").display().to_string();
    attack("another state folder", &["production"], &[("LAUNCHWAY_STATE", &other)]);
    let evil = place.path("evil.git").display().to_string();
    let instead = format!("url.{evil}.insteadOf");
    let remote = place.path("remote.git").display().to_string();
    place.git(&["clone", "--quiet", "--bare", &remote, &evil]);
    let variables = [
        ("GIT_CONFIG_COUNT", "1"),
        ("GIT_CONFIG_KEY_0", &*instead),
        ("GIT_CONFIG_VALUE_0", &*remote),
    ];
    // From here on there is nobody to agree, as far as this clone says.
    let free = settings.replace("    protect: { reviewers: { devops: 2, leads: 1 } }\n", "");
    place.write("launchway.yml", &free);
    team.write_as("Dev", "dev@example.com");
    attack("no reviewers in the commit that ships, on the local main", production, &[]);
    place.git(&["push", "--quiet", &evil, "HEAD:refs/heads/main"]);
    attack("another remote by variables", production, &variables);
    place.git(&["update-ref", "refs/remotes/origin/main", "HEAD"]);
    place.git(&["symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/main"]);
    attack("the clone's idea of the remote", production, &[]);
    let tip = text(
        &place.program("git").args(["ls-remote", &remote, "HEAD"]).output().expect("git").stdout,
    );
    let tip = tip.split('\t').next().expect("a commit").to_owned();
    place.git(&["replace", &tip, "HEAD"]);
    attack("another commit in the place of the tip", production, &[]);
    place.git(&["replace", "-d", &tip]);
    place.write(
        "launchway.yml",
        &settings
            .replace("reviewers: { devops: 2", "reviewers: { kims: 1")
            .replace("leads: 1 }", "kims2: 1 }")
            .replace("groups:", "groups:\n  kims: [mona]\n  kims2: [smith, kim]"),
    );
    team.write_as("Dev", "dev@example.com");
    attack("other groups", production, &[]);
    // Where it goes.
    let port =
        settings.split("host: 127.0.0.1:").nth(1).expect("a port").split(' ').next().expect("it");
    place.write("launchway.yml", &settings.replace("127.0.0.1:1 ", &format!("127.0.0.1:{port} ")));
    team.write_as("Dev", "dev@example.com");
    attack("staging where production is", &["staging"], &[]);
    let another = settings
        .replace("  staging:", "  prod2:")
        .replace("127.0.0.1:1 ", &format!("127.0.0.1:{port} "));
    place.write("launchway.yml", &another);
    team.write_as("Dev", "dev@example.com");
    attack("an environment that the rules do not know", &["prod2"], &[]);
    place.write("launchway.yml", &free.replace("project: planner", "project: planner2"));
    team.write_as("Dev", "dev@example.com");
    attack("another project", production, &[]);
    place.write(
        "launchway.yml",
        &free.replace("project: planner", "project: planner\njournal: s3://mine/here"),
    );
    team.write_as("Dev", "dev@example.com");
    attack("another journal", production, &[]);
    place.write("launchway.yml", &settings);
    place.write("deploy/launchway.yml", &free);
    place.write("deploy/app/app.py", APP);
    team.write_as("Dev", "dev@example.com");
    attack("--file elsewhere", &["production", "--file", "deploy/launchway.yml"], &[]);
    std::fs::remove_dir_all(place.repository().join("deploy")).expect("it is there");
    // Whose keys are whose.
    place.write(
        ".launchway/allowed_signers",
        &format!("{signers}kim {}\n", team.public("stranger")),
    );
    team.write_as("Dev", "dev@example.com");
    let (waiting, said) = team.begin(production, &[]);
    let waiting = waiting.expect(&said);
    let text = team.statement(&waiting.id, "approval/devops");
    let said = team.hand_in(&waiting.id, &team.signed("stranger", NAMESPACE, &text));
    table += &format!("a key added in the commit that ships: {said}\n");
    waiting.cancel(&team);
    place.write(".launchway/allowed_signers", &signers);
    // Who wrote it.
    place.write("app/version", "1.1");
    team.write_as("somebody", "hubot@example.com");
    let (waiting, said) = team.begin(production, &[]);
    let waiting = waiting.expect(&said);
    let text = team.statement(&waiting.id, "approval/devops");
    let said = team.hand_in(&waiting.id, &team.signed("hubot", NAMESPACE, &text));
    table += &format!("by who wrote a commit of it: {said}\n");
    waiting.cancel(&team);
    // Rejected, and tried once more.
    let (waiting, said) = team.begin(production, &[]);
    let waiting = waiting.expect(&said);
    let kim = team.signed("kim", NAMESPACE, &team.statement(&waiting.id, "approval/devops"));
    let key = team.key("lena").display().to_string();
    let args = ["approvals", "reject", &waiting.id, "--group", "leads", "--key", &key];
    let said = team.run(&[&args[..], &["--reason", "not on a friday"]].concat());
    assert_eq!(said.exit, 0, "{}", said.stderr);
    let id = waiting.id.clone();
    table += &format!("rejected: {}\n", waiting.end());
    table += &format!("what was signed before, after that: {}\n", team.hand_in(&id, &kim));
    // The rules change while it waits: what was agreed to is void, whatever they are now.
    for (name, change) in [
        ("the level is lowered", settings.replace("level: 5", "level: 4")),
        ("a group has one more", settings.replace("[lena, shadow", "[lena, kim, shadow")),
    ] {
        let (waiting, said) = team.begin(production, &[]);
        let waiting = waiting.expect(&said);
        let sign = |key: &str, gate: &str| {
            let text = team.statement(&waiting.id, gate);
            team.signed(key, NAMESPACE, &text)
        };
        let (kim, lena) = (sign("kim", "approval/devops"), sign("lena", "approval/leads"));
        let said = team.hand_in(&waiting.id, &kim);
        assert!(said.contains("kim agrees"), "{said}");
        place.write("launchway.yml", &change);
        team.write_as("Dev", "dev@example.com");
        team.push();
        table += &format!("{name}, then lena agrees: {}\n", team.hand_in(&waiting.id, &lena));
        table += &format!("{name}: {}\n", waiting.end());
        place.write("launchway.yml", &settings);
        team.write_as("Dev", "dev@example.com");
        team.push();
    }
    std::fs::rename(&remote, place.path("away.git")).expect("it goes away");
    let (_, said) = team.begin(production, &[]);
    table += &format!("the remote does not answer: {said}\n");
    std::fs::rename(place.path("away.git"), &remote).expect("it comes back");
    expect![[r#"
        as it is meant: asked for by mona, waits for approval/devops, approval/leads
        --yes: asked for by mona, waits for approval/devops, approval/leads
        --force: asked for by mona, waits for approval/devops, approval/leads
        --hotfix: asked for by mona, waits for approval/devops, approval/leads
        another name in USER: asked for by mona, waits for approval/devops, approval/leads
        a key that nobody knows: exit 4, error: production wants people to agree, so it must be known who asks, and the key KEY OF stranger is nobody's there, or does not count for that now
        another state folder: asked for by mona, waits for approval/devops, approval/leads
        no reviewers in the commit that ships, on the local main: asked for by mona, waits for approval/devops, approval/leads
        another remote by variables: asked for by mona, waits for approval/devops, approval/leads
        the clone's idea of the remote: asked for by mona, waits for approval/devops, approval/leads
        another commit in the place of the tip: asked for by mona, waits for approval/devops, approval/leads
        other groups: exit 4, error: production wants the agreement of 2 of devops and 1 of kims and 1 of kims2 and 1 of leads, and too few of them may agree to this one
        staging where production is: exit 4, error: the target of api in staging is another than on main
        an environment that the rules do not know: exit 4, error: main of /remote.git knows no environment prod2
        another project: exit 4, error: the project is another than on main
        another journal: exit 4, error: the journal is another than on main
        --file elsewhere: exit 4, error: /repository/deploy/launchway.yml is not on main of /remote.git, and launchway.yml is: who may deploy is decided there
        a key added in the commit that ships: exit 4, written down: the key KEY OF stranger is nobody's there
        by who wrote a commit of it: exit 4, written down: hubot may not: they are not of devops, or not for this deployment
        rejected: refused lena said no to the plan: not on a friday
        what was signed before, after that: exit 4, written down: the deployment is over
        the level is lowered, then lena agrees: exit 4, written down: the rules of production were changed since it was requested: what was agreed to is void
        the level is lowered: refused the rules of production were changed since it was requested: what was agreed to is void
        a group has one more, then lena agrees: exit 4, written down: the rules of production were changed since it was requested: what was agreed to is void
        a group has one more: refused the rules of production were changed since it was requested: what was agreed to is void
        the remote does not answer: exit 5, error: the rules cannot be read
    "#]].assert_eq(&known(&table, &team));
    // What was refused before anything was planned is in the history.
    let history = team.run(&["history", "--format", "json", "-n", "100"]);
    let refused = history.lines().into_iter().filter(|line| line["standing"] == "refused");
    let refused: Vec<String> = refused.map(|line| word(&line["cause"])).collect();
    expect![[r#"
        the rules of production were changed since it was requested: what was agreed to is void
        the rules of production were changed since it was requested: what was agreed to is void
        lena said no to the plan: not on a friday
        /repository/deploy/launchway.yml is not on main of /remote.git, and launchway.yml is: who may deploy is decided there
        the journal is another than on main
        main of /remote.git knows no environment prod2
        the target of api in staging is another than on main
        production wants the agreement of 2 of devops and 1 of kims and 1 of kims2 and 1 of leads, and too few of them may agree to this one
        production wants people to agree, so it must be known who asks, and the key KEY OF stranger is nobody's there, or does not count for that now"#]].assert_eq(&known(&refused.join("\n"), &team));
}

/// People agree to what they saw. What stands there when they have agreed is looked at again.
#[test]
fn what_changed_since_it_was_agreed_to_is_refused() {
    let team = Team::new();
    let (waiting, said) = team.begin(&["production"], &[]);
    let waiting = waiting.expect(&said);
    let address = ("127.0.0.1", team.project.port);
    let _somebody_else = std::net::TcpListener::bind(address).expect("it was free");
    for (key, group) in [("hubot", "devops"), ("kim", "devops"), ("lena", "leads")] {
        let key = team.key(key).display().to_string();
        let args = ["approvals", "approve", &waiting.id, "--group", group, "--key", &key];
        let said = team.run(&args);
        assert_eq!(said.exit, 0, "{}", said.stderr);
    }
    let id = waiting.id.clone();
    expect!["refused api was changed by somebody since the plan was made"]
        .assert_eq(&waiting.end());
    let steps = team.show(&id)["steps"].clone();
    let began = |it: &&Json| !it["forward"].is_null() || !it["back"].is_null();
    let began = steps.as_array().expect("a list").iter().filter(began).count();
    assert_eq!(began, 0, "nothing was begun: {steps}");
}
