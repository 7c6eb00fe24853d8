//! A project with one service on a ministack: what a person has in launchway.yml, and what is seen
//! there afterwards.

use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use expect_test::Expect;
use serde_json::{Value as Json, json};

use crate::harness::{Place, Said, wait_until};
use crate::server::{ACCOUNT, REGION, Server};

/// The longest that a verdict may come behind the platform's own change: one poll and a second.
const KNOWN_WITHIN_MS: i64 = 6000;

pub(crate) struct Project {
    pub(crate) place: Place,
    pub(crate) server: &'static Server,
    /// Its cluster, and the family of its task definitions: no two tests have the same.
    pub(crate) cluster: String,
}

/// What is not as usual.
pub(crate) struct Unusual<'a> {
    /// How many tasks.
    pub(crate) desired: u32,
    /// Whether ECS gives up, and goes back, by itself.
    pub(crate) breaker: (bool, bool),
    /// The command of `migrate`.
    pub(crate) migrate: Option<&'a [&'a str]>,
    /// More of the environment.
    pub(crate) more: &'a str,
    /// When it must be stable.
    pub(crate) within: &'a str,
    /// The image that runs before.
    pub(crate) before: &'a str,
}

impl Default for Unusual<'_> {
    fn default() -> Self {
        let (breaker, within) = ((true, true), "2m");
        Unusual { desired: 1, breaker, migrate: None, more: "", within, before: "1.0" }
    }
}

impl Project {
    pub(crate) fn new(server: &'static Server, unusual: &Unusual<'_>) -> Project {
        static NUMBER: AtomicU32 = AtomicU32::new(1);
        let cluster = format!("staging-{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        server.ok("ecs", "create_cluster", json!({"clusterName": cluster}));
        let options = json!({"awslogs-group": "/planner", "awslogs-region": REGION,
            "awslogs-stream-prefix": cluster});
        let app = json!({"name": "app", "image": server.image(unusual.before), "memory": 32,
            "environment": [{"name": "LEVEL", "value": "debug"}],
            "logConfiguration": {"logDriver": "awslogs", "options": options}});
        let definition = json!({"family": cluster, "containerDefinitions": [app]});
        server.ok("ecs", "register_task_definition", definition);
        let (enable, rollback) = unusual.breaker;
        let service = json!({"cluster": cluster, "serviceName": "api-service", "launchType": "EC2",
            "desiredCount": unusual.desired, "taskDefinition": cluster, "deploymentConfiguration":
            {"deploymentCircuitBreaker": {"enable": enable, "rollback": rollback}}});
        server.ok("ecs", "create_service", service);
        let migrate = unusual.migrate.map_or(String::new(), |it| {
            format!("\n    migrate: {{ run: {}, timeout: 1m }}", json!(it))
        });
        let settings = format!(
            "
version: 1
project: planner
services:
  api:
    env: {{ LEVEL: info }}{migrate}
environments:
  staging:
    region: {REGION}
    account: \"{ACCOUNT}\"
    targets: {{ ecs: {{ cluster: {cluster}, service: '{{service}}-service', within: {} }} }}
{}
",
            unusual.within, unusual.more
        );
        let project =
            Project { place: Place::with(&[("launchway.yml", &settings)]), server, cluster };
        project.wait_for_tasks(unusual.desired);
        project
    }

    pub(crate) fn launchway(&self, args: &[&str]) -> Command {
        let mut command = self.place.launchway(args);
        command
            .env("AWS_ENDPOINT_URL", &self.server.url)
            .env("AWS_ACCESS_KEY_ID", ACCOUNT)
            .env("AWS_SECRET_ACCESS_KEY", "test");
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Said {
        Said::from(self.launchway(args).output().expect("the binary starts"))
    }

    /// Ships an image of ours; more arguments behind it.
    pub(crate) fn deploy(&self, version: &str, more: &[&str]) -> Said {
        let image = self.server.image(version);
        self.deploy_image(&image, version, more)
    }

    pub(crate) fn deploy_image(&self, image: &str, version: &str, more: &[&str]) -> Said {
        let args = ["deploy", "staging", "--yes", "--image", image, "--version", version];
        self.run(&[&args, more, &["--format", "json"]].concat())
    }

    /// How a command ended, and what is there now.
    pub(crate) fn check(&self, said: &Said, expect: &Expect) {
        expect.assert_eq(&self.plain(&format!("{}{}", ends(said), self.there())));
    }

    pub(crate) fn service(&self) -> Json {
        let with = json!({"cluster": self.cluster, "services": ["api-service"]});
        self.server.ok("ecs", "describe_services", with)["services"][0].take()
    }

    /// Which release runs, in how many tasks, and what Launchway did for it so far.
    pub(crate) fn there(&self) -> String {
        let service = self.service();
        let revision = service["taskDefinition"].as_str().unwrap_or_default();
        let revision = revision.rsplit(':').next().unwrap_or_default();
        let deeds = ["RegisterTaskDefinition", "RunTask", "UpdateService"];
        let deeds = deeds.map(|it| format!("{it} {}", self.server.heard(it, &self.cluster)));
        // Tasks of an older deployment may still be on their way out: the service counts them, too.
        let mut deployments = service["deployments"].as_array().expect("a list").iter();
        let primary = deployments.find(|it| it["status"] == "PRIMARY");
        let running = &primary.expect("there always is one")["runningCount"];
        format!("revision {revision}, {running} running, {}\n", deeds.join(", "))
    }

    pub(crate) fn wait_for_tasks(&self, wanted: u32) {
        wait_until("the tasks", || self.service()["runningCount"] == wanted);
    }

    /// How long behind the platform's last change of our deployment its step knew of it. The
    /// platform's own clock says when; so does the journal.
    pub(crate) fn known_in_time(&self, revision: u64) {
        let service = self.service();
        let suffix = format!(":{revision}");
        let deployments = service["deployments"].as_array().expect("a list").iter();
        let mine = deployments
            .clone()
            .find(|it| it["taskDefinition"].as_str().is_some_and(|it| it.ends_with(&suffix)));
        let changed = mine.expect("it is listed")["updatedAt"].as_f64().expect("a time") * 1000.0;
        let said = self.run(&["deployments", "show", "--format", "json"]);
        let shown: Json = serde_json::from_str(&said.stdout).expect("one object");
        let steps = shown["steps"].as_array().expect("a list").iter();
        let step = steps.clone().find(|it| it["step"] == "api/stabilise").expect("it was done");
        let over = step["forward"]["over_at_ms"].as_i64().expect("it is over");
        let late = over - changed as i64;
        assert!((0..=KNOWN_WITHIN_MS).contains(&late), "known {late} ms after the change");
        say(&format!("known {late} ms after ECS's own change"));
    }

    /// Lines that say the same on every run.
    pub(crate) fn plain(&self, said: &str) -> String {
        said.replace(&self.cluster, "CLUSTER")
    }
}

/// Its tasks would run as long as the tests do.
impl Drop for Project {
    fn drop(&mut self) {
        let with = json!({"cluster": self.cluster, "service": "api-service", "force": true});
        // A test that failed may have broken what is asked here.
        let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            self.server.ask("ecs", "delete_service", with, None)
        }));
        drop(ended);
    }
}

/// How a command ended: verdicts, what was said in between, the exit code.
pub(crate) fn ends(said: &Said) -> String {
    let mut words = String::new();
    for end in said.of("deployment_completed") {
        let flag = |it: &str| if end[it] == true { format!(" {it}") } else { String::new() };
        let text = |it: &str| end[it].as_str().unwrap_or("-").to_owned();
        let flags = format!("{}{}", flag("vacuous"), flag("unchanged"));
        words += &format!("{} by {}{flags}: {}\n", text("verdict"), text("by"), text("cause"));
    }
    let is_told = |line: &&str| line.starts_with("error") || line.starts_with("hint");
    words.extend(said.stderr.lines().filter(is_told).map(|it| format!("{it}\n")));
    words + &format!("exit {}\n", said.exit)
}

/// All causes with their evidence, in order.
pub(crate) fn evidence(said: &Said) -> String {
    fn of(cause: &Json, words: &mut String) {
        *words += &format!("{}: {}\n", text_of(&cause["code"]), text_of(&cause["message"]));
        for it in cause["evidence"].as_array().into_iter().flatten() {
            *words += &format!("  {}: {}\n", text_of(&it["kind"]), text_of(&it["text"]));
        }
        cause["because"].as_array().into_iter().flatten().for_each(|it| of(it, words));
    }
    fn text_of(value: &Json) -> &str {
        value.as_str().unwrap_or_default()
    }
    let mut words = String::new();
    for end in said.of("deployment_completed") {
        of(&end["causes"], &mut words);
    }
    words
}

/// Ids of tasks and deployments are new each time.
pub(crate) fn without_ids(said: &str) -> String {
    let is_id =
        |it: &str| it.len() >= 20 && it.bytes().all(|it| b"0123456789abcdef-".contains(&it));
    let plain = |it: &str| if is_id(it) { "ID".to_owned() } else { it.to_owned() };
    let between = |it: char| !it.is_ascii_hexdigit() && it != '-';
    said.split_inclusive(between)
        .map(|it| {
            let word = it.trim_end_matches(between);
            format!("{}{}", plain(word), &it[word.len()..])
        })
        .collect()
}

/// The harness of tests swallows what is printed the usual way.
pub(crate) fn say(line: &str) {
    use std::io::Write as _;
    // Nobody reads it any more where it cannot be written.
    let _ = writeln!(std::io::stderr(), "ministack: {line}");
}
