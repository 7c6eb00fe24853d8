//! A team's first day with a server, from one end to the other: a bare repository and GitHub are
//! connected, both are pushed to, the log is read, the check is seen, who asked is refused, two
//! others approve, messages come, everything is killed, and nothing is missing.

use expect_test::expect;
use serde_json::Value as Json;

use crate::github::Connected;
use crate::harness::{Said, wait_until};
use crate::messages::Hook;

const SHIP: &str = "
name: Ship
on: push
jobs:
  test:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - run: 'for line in 1 2 3; do echo \"= tested $line\"; done'
  ship:
    needs: test
    runs-on: ubuntu-latest
    environment: production
    steps:
      - run: |
          echo '= ships'
          echo begun >> $MARKS/${GITHUB_REPOSITORY#octo/}.begun
          until test -e $MARKS/go; do sleep 0.02; done
          echo '= shipped'
";

const SETTINGS: &str = "
version: 1
project: planner
groups: { devops: [mona, hubot], leads: [lena, mona] }
services: { web: {} }
environments:
  production:
    protect: { reviewers: { devops: 1, leads: 1 } }
    targets: { ecs: { region: eu-central-1, cluster: c, service: s } }
";

/// The two repositories of the team.
const GITHUB: &str = "octo/app";
const BARE: &str = "octo/bare";

struct Team {
    server: Connected,
    messages: Hook,
}

impl Team {
    fn new() -> Team {
        let more = ["--private-receiver", "127.0.0.1"];
        let add = ["--environment", "production"];
        let server = Connected::served(&[("ship.yml", SHIP)], true, &add, &more);
        let messages = Hook::begin();
        let rule = messages.rule("on: [run_waiting, run_succeeded, run_failed]");
        server.place.write("launchway.yml", &format!("{SETTINGS}{rule}"));
        server.place.commit();
        let team = Team { server, messages };
        let bare = team.bare();
        team.server.place.git(&["init", "--quiet", "--bare", "--initial-branch", "main", &bare]);
        let add = ["repositories", "add", &bare, "--name", BARE, "--environment", "production"];
        let added = team.server.command(&add);
        assert_eq!(added.exit, 0, "{}", added.stderr);
        team
    }

    fn bare(&self) -> String {
        self.server.place.path("bare.git").display().to_string()
    }

    /// A token of a person who may approve.
    fn person(&self, login: &str) -> String {
        let args = ["tokens", "create", login, "--scope", "approve", "--person", login];
        let made = self.server.command(&args);
        assert_eq!(made.exit, 0, "{}", made.stderr);
        made.stdout.trim().to_owned()
    }

    /// What somebody says at their own machine.
    fn says(&self, token: &str, args: &[&str]) -> Said {
        let args = [args, &["--server", &self.server.url]].concat();
        let mut command = self.server.place.launchway(&args);
        Said::from(command.env("LAUNCHWAY_TOKEN", token).output().expect("the binary starts"))
    }

    /// The number of a repository's one run, once it waits at the gate.
    fn waits(&self, repository: &str) -> String {
        let mut number = String::new();
        wait_until("the gate", || {
            let listed = self.server.get("/api/v1/runs?limit=100");
            let runs = listed["runs"].as_array().expect("a list").iter();
            let run = runs.into_iter().find(|it| it["repository"] == repository).cloned();
            let run = run.unwrap_or_default();
            number = run["run"].to_string().replace('"', "");
            run["status"] == "waiting"
        });
        number
    }

    /// The lines that the steps of a run printed themselves.
    fn log(&self, token: &str, run: &str) -> String {
        let said = self.says(token, &["runs", "logs", run]);
        assert_eq!(said.exit, 0, "{}", said.stderr);
        let lines = said.stdout.lines().filter(|line| !line.contains("echo"));
        let lines = lines.filter_map(|line| Some(line.split_once("= ")?.1));
        lines.map(|line| format!("{line}\n")).collect()
    }

    /// The checks and deployments that stand at GitHub.
    fn stands(&self) -> String {
        self.server.github.with(|github| {
            let repository = &github.repositories[GITHUB];
            let check =
                |it: &Json| format!("{} {} {}\n", it["name"], it["status"], it["conclusion"]);
            let state = |it: &Json| format!("deployment {}\n", it["state"]);
            let checks = repository.checks.iter().map(check);
            let states = repository.deployment_statuses.iter().map(state);
            checks.chain(states).collect::<String>().replace('"', "")
        })
    }
}

/// How a command ended, and the first line that it said to people.
fn ended(said: &Said) -> String {
    format!("{} {}\n", said.exit, said.stderr.lines().next().unwrap_or_default())
}

#[test]
fn from_a_push_to_production_over_a_kill() {
    let mut team = Team::new();
    let [mona, hubot, lena] = ["mona", "hubot", "lena"].map(|it| team.person(it));
    team.server.push("main");
    let github = team.waits(GITHUB);
    team.server.place.git(&["push", "--quiet", &team.bare(), "HEAD:refs/heads/main"]);
    let bare = team.waits(BARE);

    expect![[r#"
        tested 1
        tested 2
        tested 3
    "#]]
    .assert_eq(&team.log(&mona, &github));

    // mona pushed; she is of both groups, and is asked by neither.
    let approve = ["approvals", "approve", &github];
    let said = [&mona, &hubot, &hubot, &lena].map(|token| ended(&team.says(token, &approve)));
    expect![[r#"
        4 error: you are not among those who are still asked: 1 of devops (hubot), 1 of leads (lena)
        0 ship of run 1 of octo/app to production, asked for by mona
        4 error: you are not among those who are still asked: 1 of leads (lena)
        0 ship of run 1 of octo/app to production, asked for by mona
    "#]]
    .assert_eq(&said.concat());
    let approve = ["approvals", "approve", &bare];
    for token in [&hubot, &lena] {
        assert_eq!(team.says(token, &approve).exit, 0);
    }

    // Both ship; everything of the server is killed. What ships goes on, and is not done again.
    let begun = || ["app.begun", "bare.begun"].map(|it| team.server.mark(it));
    wait_until("both to ship", || begun() == ["begun\n", "begun\n"]);
    wait_until("GitHub to be told", || team.stands().ends_with("deployment in_progress\n"));
    team.server.kill();
    std::fs::write(team.server.place.path("marks/go"), "").expect("a file of ours");
    team.server.restart();

    expect![[r#"
        1 push main success
        2 push main success
    "#]]
    .assert_eq(&team.server.runs(2));
    expect![[r#"
        tested 1
        tested 2
        tested 3
        ships
        shipped
        --
        tested 1
        tested 2
        tested 3
        ships
        shipped
    "#]]
    .assert_eq(&format!("{}--\n{}", team.log(&mona, &github), team.log(&mona, &bare)));
    assert_eq!(["app.begun", "bare.begun"].map(|it| team.server.mark(it)), ["begun\n", "begun\n"]);
    wait_until("GitHub to be told", || team.stands().ends_with("deployment success\n"));
    expect![[r#"
        ship / test (push) completed success
        ship / ship (push) completed success
        deployment in_progress
        deployment success
    "#]]
    .assert_eq(&team.stands());
    wait_until("the messages", || team.messages.titles().len() == 4);
    let mut titles = team.messages.titles();
    titles.sort();
    expect![[r#"
        octo/app: ship.yml succeeded on main
        octo/app: ship.yml waits for a person on main
        octo/bare: ship.yml succeeded on main
        octo/bare: ship.yml waits for a person on main"#]]
    .assert_eq(&titles.join("\n"));

    // Who did what stands in the trail, which nobody changed.
    let trail = team.server.command(&["audit", "export"]).lines();
    let of_run = format!("run/{github}/1 ship");
    let is_said =
        |it: &&Json| it["action"] == "gate.approve" && it["object"].to_string().contains(&of_run);
    let said: Vec<_> = trail.iter().filter(is_said).map(|it| it["actor"].as_str()).collect();
    assert_eq!(said, [Some("hubot"), Some("lena")]);
    assert_eq!(team.server.command(&["audit", "verify"]).exit, 0);
    team.server.end();
}
