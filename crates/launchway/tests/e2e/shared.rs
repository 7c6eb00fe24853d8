//! A journal in a bucket, and two laptops: two binaries, two state folders, two homes, one bucket; the
//! model cloud holds the bucket and the services.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use expect_test::{Expect, expect};
use model_cloud::{Clock, Cloud, Fault, FaultKind, Front, Image};
use serde_json::{Value as Json, json};

use crate::ecs::ask;
use crate::harness::{Place, Said, wait_until};

/// Seconds of the cloud in one of ours.
const TIMES: u64 = 20;
/// A place is good for 90 seconds of ours: none expires while a test looks away.
const GOOD_FOR_S: u64 = 1_800;
const SETTINGS: &str = "
version: 1
project: planner
journal: s3://deployments/journal/planner
groups: { devops: [mona, hubot] }
services:
  api:
    env: { LEVEL: info }
    migrate: { run: [migrate], timeout: 2m }
environments:
  staging:
    level: 5
    region: eu-central-1
    url: http://127.0.0.1:9
    targets: { ecs: { cluster: staging, service: '{service}-service', within: 5m } }
    verify: { smoke: [{ run: [sh, -c, 'test -f launchway.yml && pwd > ../smoked'] }] }
";
const PROTECTED: &str = "    protect: { reviewers: { devops: 1 } }\n";

fn image(letter: char) -> String {
    format!("registry.example.com/planner@sha256:{}", letter.to_string().repeat(64))
}

/// What two laptops share.
struct Shared {
    front: Front,
    a: Laptop,
    b: Laptop,
}

struct Laptop {
    place: Place,
    name: &'static str,
    url: String,
}

impl Laptop {
    fn new(name: &'static str, settings: &str, front: &Front) -> Laptop {
        let place = Place::with(&[("launchway.yml", settings)]);
        Laptop { place, name, url: front.url() }
    }

    fn launchway(&self, args: &[&str]) -> Command {
        let mut command = self.place.launchway(args);
        command
            .env("AWS_ENDPOINT_URL", &self.url)
            .env("AWS_ACCESS_KEY_ID", "AKIA111122223333")
            .env("AWS_SECRET_ACCESS_KEY", "secret-of-the-key")
            .env("USER", self.name)
            .env("LAUNCHWAY_PLACE_SECONDS", GOOD_FOR_S.to_string());
        command
    }

    fn run(&self, args: &[&str]) -> Said {
        Said::from(self.launchway(args).output().expect("it starts"))
    }

    fn deploy(&self, letter: char, version: &str) -> Command {
        let image = image(letter);
        let mut command = self.launchway(&["deploy", "staging", "--yes", "--image", &image]);
        command.args(["--version", version, "--format", "json"]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn history(&self) -> String {
        let said = self.run(&["history", "--format", "json"]);
        assert_eq!(said.exit, 0, "{}", said.stderr);
        let line = |it: Json| {
            let word = |key: &str| it[key].as_str().unwrap_or_default().to_owned();
            format!(
                "{} {} by {}, {}\n",
                word("deployment"),
                word("kind"),
                word("by"),
                word("standing")
            )
        };
        said.lines().into_iter().map(line).collect()
    }
}

fn shared(more: &str) -> Shared {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    let now = u64::try_from(now.as_millis()).expect("before the year 500 million");
    let mut cloud = Cloud::new("111122223333", "eu-central-1", now);
    cloud.add_bucket("deployments");
    cloud.set_deregistration_delay(1000);
    ask(&mut cloud, "CreateCluster", &json!({"clusterName": "staging"}));
    let app = json!({"name": "app", "image": image('a'), "memory": 128});
    let body = json!({"family": "api", "containerDefinitions": [app],
        "executionRoleArn": "arn:aws:iam::111122223333:role/execution"});
    ask(&mut cloud, "RegisterTaskDefinition", &body);
    let body = json!({"cluster": "staging", "serviceName": "api-service", "desiredCount": 2,
        "taskDefinition": "api", "launchType": "FARGATE"});
    ask(&mut cloud, "CreateService", &body);
    cloud.advance(now + 60_000);
    for letter in ['b', 'c'] {
        let digest = format!("sha256:{}", letter.to_string().repeat(64));
        cloud.script_command(&digest, &["migrate"], Image::exits(1000, 0));
    }
    cloud.forget_calls();
    let front = Front::serve(cloud, Clock::Wall { times: TIMES }, 0).expect("a port");
    let settings = format!("{SETTINGS}{more}");
    let (a, b) = (Laptop::new("ana", &settings, &front), Laptop::new("ben", &settings, &front));
    Shared { front, a, b }
}

impl Shared {
    /// What was done so far.
    fn deeds(&self) -> String {
        let deeds = ["RegisterTaskDefinition", "RunTask", "UpdateService"];
        let done = |cloud: &mut Cloud| deeds.map(|it| cloud.done(&format!("ecs:{it}")).to_string());
        self.front.with(done).join(" ")
    }

    fn done(&self, operation: &str) -> usize {
        self.front.with(|cloud| cloud.done(operation))
    }

    fn inject(&self, action: &str, times: u32, kind: FaultKind) {
        self.front.with(|cloud| cloud.inject(Fault::first(action, times, kind)));
    }

    /// S3 does not answer until it is told to; ECS does.
    fn take_bucket_away(&self) {
        for action in ["s3:PutObject", "s3:GetObject", "s3:ListBucket"] {
            self.inject(action, u32::MAX, FaultKind::LostBefore);
        }
    }
}

/// What a command said to people, without what is another each time.
fn told(said: &Said) -> String {
    let is_told =
        |line: &&str| ["error", "hint", "note", "deployment"].iter().any(|it| line.starts_with(it));
    let mut text = String::new();
    for line in said.stderr.lines().filter(is_told) {
        text += &format!("{}\n", plain(line));
    }
    format!("{text}exit {}\n", said.exit)
}

/// Numbers of processes, the machine's name, ports and times are others each time.
fn plain(line: &str) -> String {
    let host = rustix::system::uname();
    let line = line.replace(&*host.nodename().to_string_lossy(), "HOST");
    let word = |word: &str| {
        let digits = word.trim_matches(|it: char| !it.is_ascii_digit());
        match digits {
            _ if word.starts_with("127.0.0.1") => "HOST".to_owned(),
            _ if digits.contains(':') && digits.len() >= 5 => "TIME".to_owned(),
            _ if digits.len() == 10 && digits.matches('-').count() == 2 => "DAY".to_owned(),
            _ => word.to_owned(),
        }
    };
    let words: Vec<String> = line.split(' ').map(word).collect();
    let mut words = words.join(" ");
    if let Some((before, behind)) = words.split_once("process ") {
        let rest = behind.trim_start_matches(|it: char| it.is_ascii_digit());
        words = format!("{before}process N{rest}");
    }
    words
}

fn end(child: Child) -> Said {
    Said::from(child.wait_with_output().expect("it ends"))
}

fn verdicts(said: &Said) -> String {
    let ends = said.of("deployment_completed");
    let word = |end: Json| format!("{} {}", end["deployment"], end["verdict"]).replace('"', "");
    ends.into_iter().map(word).collect::<Vec<_>>().join(", ")
}

#[test]
fn a_deployment_that_was_killed_on_one_laptop_is_finished_on_another() {
    let team = shared("");
    let mut child = team.a.deploy('b', "2.0").spawn().expect("it starts");
    wait_until("the service is updated", || team.done("ecs:UpdateService") == 1);
    child.kill().expect("it runs");
    child.wait().expect("it ends");
    let check = |said: &Said, expect: Expect| expect.assert_eq(&told(said));
    // Nobody can tell that it is dead: whoever comes is told who has it, and until when.
    let said = end(team.b.deploy('c', "3.0").spawn().expect("it starts"));
    check(
        &said,
        expect![[r#"
        error: another deployment goes to staging now: ana on HOST, process N, since DAY TIME until DAY TIME unless it is renewed
        hint: launchway deployments watch follows it
        hint: once that has expired, the next deploy, or deployments resume, goes on with it
        exit 4
    "#]],
    );
    assert_eq!(team.b.history(), "1 release by ana, in progress\n");
    team.front.advance((GOOD_FOR_S + 2) * 1000);
    // The folder that it was planned in is on the other laptop alone.
    let (own, away) = (team.a.place.repository(), team.a.place.path("away"));
    std::fs::rename(&own, &away).expect("it is ours");
    // The next one there finishes it first, and then does its own.
    let said = end(team.b.deploy('c', "3.0").spawn().expect("it starts"));
    check(
        &said,
        expect![[r#"
        deployment 1 was left open; it is finished first
        exit 0
    "#]],
    );
    assert_eq!(verdicts(&said), "1 succeeded, 2 succeeded");
    assert_eq!(team.deeds(), "2 2 2");
    let history = team.b.history();
    assert_eq!(history, "2 release by ben, succeeded\n1 release by ana, succeeded\n");
    std::fs::rename(&away, &own).expect("it is ours");
    assert_eq!(team.a.history(), history);
    let smoked = |it: &Laptop| std::fs::read_to_string(it.place.path("smoked")).ok();
    assert!(smoked(&team.b).is_some_and(|it| it.trim().ends_with("/repository")));
    // What ran well there last is known on the first one, too: nothing is left to be done.
    let said = end(team.a.deploy('c', "3.0").spawn().expect("it starts"));
    assert_eq!((verdicts(&said), team.deeds()), ("3 succeeded".to_owned(), "2 2 2".to_owned()));
}

/// The same laptop knows that its own process is dead: it does not wait.
#[test]
fn a_laptop_does_not_wait_for_its_own_dead() {
    let team = shared("");
    let mut child = team.a.deploy('b', "2.0").spawn().expect("it starts");
    wait_until("the service is updated", || team.done("ecs:UpdateService") == 1);
    child.kill().expect("it runs");
    child.wait().expect("it ends");
    let said = team.a.run(&["deployments", "resume", "--format", "json"]);
    assert_eq!((verdicts(&said), team.deeds()), ("1 succeeded".to_owned(), "1 1 1".to_owned()));
}

#[test]
fn of_two_that_deploy_at_once_one_does() {
    let team = shared("");
    let both = [team.a.deploy('b', "2.0").spawn(), team.b.deploy('c', "3.0").spawn()];
    let said = both.map(|child| end(child.expect("it starts")));
    let mut exits: Vec<i32> = said.iter().map(|it| it.exit).collect();
    exits.sort_unstable();
    assert_eq!(exits, [0, 4], "{}{}", said[0].stderr, said[1].stderr);
    assert_eq!(team.deeds(), "1 1 1");
    assert_eq!(team.a.history(), team.b.history());
}

#[test]
fn what_is_signed_on_one_laptop_opens_a_gate_on_another() {
    let team = shared(PROTECTED);
    let remote = team.a.place.path("remote.git").display().to_string();
    let key = |name: &str| team.a.place.path(name).display().to_string();
    for name in ["mona", "hubot"] {
        let args = ["-q", "-t", "ed25519", "-N", "", "-C", "", "-f", &key(name)];
        assert!(Command::new("ssh-keygen").args(args).status().expect("it starts").success());
    }
    let public = |name: &str| std::fs::read_to_string(key(&format!("{name}.pub"))).expect("a key");
    let signers = format!("mona {}\nhubot {}\n", public("mona").trim(), public("hubot").trim());
    for laptop in [&team.a, &team.b] {
        laptop.place.write(".launchway/allowed_signers", &signers);
        laptop.place.commit();
    }
    team.a.place.git(&["init", "--quiet", "--bare", "--initial-branch", "main", &remote]);
    for laptop in [&team.a, &team.b] {
        laptop.place.git(&["remote", "add", "origin", &remote]);
    }
    team.a.place.git(&["push", "--quiet", "origin", "HEAD:refs/heads/main"]);
    let mut child =
        team.a.deploy('b', "2.0").args(["--key", &key("mona")]).spawn().expect("it starts");
    let mut lines = BufReader::new(child.stdout.take().expect("it was asked for"));
    let mut line = String::new();
    while !line.contains("gate_waiting") {
        line.clear();
        assert_ne!(
            lines.read_line(&mut line).expect("it says something"),
            0,
            "{}",
            end(child).stderr
        );
    }
    let said = team.b.run(&["approvals", "list"]);
    expect![[r#"
        deployment 1 to staging, asked for by mona: 1 of devops (hubot); so far: nobody yet
    "#]]
    .assert_eq(&plain(&said.stdout));
    // Who asked for it does not count, on no laptop.
    let approve = |who: &str| team.b.run(&["approvals", "approve", "1", "--key", &key(who)]);
    expect![[r#"
        deployment 1 of planner to staging, asked for by mona DAY TIME
        error: it does not count: mona may not: they requested the deployment
        hint: it was written down
        exit 4
    "#]]
    .assert_eq(&told(&approve("mona")));
    let said = approve("hubot");
    assert_eq!(said.exit, 0, "{}", said.stderr);
    let mut rest = String::new();
    lines.read_to_string(&mut rest).expect("it ends");
    assert!(rest.contains(r#""verdict":"succeeded""#), "{rest}");
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
    let names = team.front.with(|cloud| cloud.object_names("deployments"));
    assert!(!names.iter().any(|it| it.contains("/inbox/")), "{names:?}");
}

/// Nothing is done whose intent is not written down: what is under way stops, and goes on later.
#[test]
fn without_the_bucket_nothing_begins_and_what_is_under_way_stops() {
    let team = shared("");
    let check = |said: &Said, expect: Expect| expect.assert_eq(&told(said));
    team.take_bucket_away();
    // Nothing was ever read here: there is nothing to show.
    check(
        &team.b.run(&["history"]),
        expect![[r#"
        error: the journal in s3://deployments/journal/planner cannot be reached
        hint: nothing was lost: what was written is there when it answers again
        exit 5
    "#]],
    );
    let said = end(team.a.deploy('b', "2.0").spawn().expect("it starts"));
    check(
        &said,
        expect![[r#"
        error: the journal in s3://deployments/journal/planner cannot be reached
        hint: nothing was lost: what was written is there when it answers again
        exit 5
    "#]],
    );
    team.front.with(Cloud::heal);
    assert_eq!(team.deeds(), "0 0 0");
    let child = team.a.deploy('b', "2.0").spawn().expect("it starts");
    wait_until("the migration runs", || team.done("ecs:RunTask") == 1);
    team.take_bucket_away();
    let said = end(child);
    check(
        &said,
        expect![[r#"
        error: the journal failed
        hint: nothing was lost: what was written is there when it answers again
        exit 5
    "#]],
    );
    assert_eq!(team.done("ecs:UpdateService"), 0);
    // What was read before is shown, with its age.
    check(
        &team.a.run(&["history"]),
        expect![[r#"
        note: as of DAY TIME the journal in s3://deployments/journal/planner cannot be reached: s3:ListBucket: HOST did not answer: io: Peer disconnected
        exit 0
    "#]],
    );
    team.front.with(Cloud::heal);
    let said = team.a.run(&["deployments", "resume", "--format", "json"]);
    assert_eq!((verdicts(&said), team.deeds()), ("1 succeeded".to_owned(), "1 1 1".to_owned()));
    assert_eq!(team.b.history(), "1 release by ana, succeeded\n");
}

/// Who lost the right while it was not looking does nothing more, whatever its own clock says.
#[test]
fn who_was_overtaken_stops() {
    let team = shared("");
    let child = team.a.deploy('b', "2.0").spawn().expect("it starts");
    wait_until("the migration runs", || team.done("ecs:RunTask") == 1);
    team.front.advance((GOOD_FOR_S + 2) * 1000);
    let said = team.b.run(&["deployments", "resume", "--format", "json"]);
    assert_eq!(verdicts(&said), "1 succeeded", "{}", said.stderr);
    let said = end(child);
    expect![[r#"
        error: the journal failed
        hint: launchway deployments watch shows what they do
        exit 5
    "#]]
    .assert_eq(&told(&said));
    assert_eq!(team.deeds(), "1 1 1");
}

#[test]
fn what_cannot_share_a_journal_is_refused_by_name() {
    let team = shared("");
    let check = |said: &Said, expect: Expect| expect.assert_eq(&told(said));
    team.front.with(|cloud| cloud.ignore_conditions("of-old"));
    // Protected, and by nothing that wants a key: that would be asked for first.
    let with = |from: &str, to: &str| {
        let settings = format!("{SETTINGS}    protect: {{ wait: 1s }}\n").replace(from, to);
        Laptop::new("ana", &settings, &team.front)
    };
    let deploy = |laptop: &Laptop| end(laptop.deploy('b', "2.0").spawn().expect("it starts"));
    check(
        &deploy(&with("s3://deployments/", "s3://of-old/")),
        expect![[r#"
            error: the server of s3://of-old/journal/planner writes over objects that it is told to leave (`If-None-Match: *`): it cannot keep a journal
            hint: Amazon S3 does it, and others in newer versions
            exit 5
        "#]],
    );
    let elsewhere = with("s3://deployments/", "s3://elsewhere/");
    check(
        &deploy(&elsewhere),
        expect![[r#"
        error: the journal in s3://elsewhere/journal/planner cannot be used
        hint: docs/shared-journal.md shows how a bucket is made for it
        exit 5
    "#]],
    );
    let local = with("journal: s3://deployments/journal/planner", "journal: local");
    check(
        &deploy(&local),
        expect![[r#"
            error: staging is protected, and its journal lies on this machine alone: who deploys from another one would not hear of it
            hint: share it: `journal: s3://BUCKET/PREFIX`, docs/shared-journal.md
            hint: or say that no other machine deploys: `journal: alone`
            exit 4
        "#]],
    );
    let server = with("s3://deployments/journal/planner", "https://launchway.example.com");
    check(
        &deploy(&server),
        expect![[r#"
            error: staging wants a server's journal, which this version cannot do
            hint: a bucket does without a server: docs/shared-journal.md
            exit 5
        "#]],
    );
    let here = Place::with(&[(
        "launchway.yml",
        "version: 1\nproject: planner\njournal: s3://deployments/other\nservices:\n  api: { run: \
         [app], bundle: { path: . }, health: { paths: [/] } }\nenvironments:\n  here: { level: 5, \
         targets: { host: '127.0.0.1:8080' } }\n",
    )]);
    let here = Laptop { place: here, name: "ana", url: team.front.url() };
    check(
        &here.run(&["deploy", "here", "--yes"]),
        expect![[r#"
            error: api of here runs on this machine, and the journal is shared: on another machine it would not be there
            hint: keep what runs here in settings of its own, with `journal: local`
            exit 4
        "#]],
    );
}
