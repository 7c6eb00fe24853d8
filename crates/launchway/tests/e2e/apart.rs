//! Two repositories of one server that were cloned from one place are two teams': what is kept for the one
//! is none of the other's.

use expect_test::expect;
use serde_json::Value as Json;

use crate::harness::{Said, text, wait_until};
use crate::kept::given;
use crate::serving::Serving;

const WORKFLOW: &str = "
on: push
jobs:
  says:
    runs-on: ubuntu-latest
    environment: production
    steps:
      - run: printf %s '${{ secrets.TOK }}+${{ secrets.DB_URL }}+${{ vars.REGION }}' | rev > \"$MARKS/$WHO\"
        env: { WHO: '${{ github.repository_owner }}' }
";

const SETTINGS: &str = "
version: 1
project: planner
services: { api: { run: [sh], bundle: { path: app } } }
environments: { dev: { targets: { host: 127.0.0.1:8080 } } }
notify: [{ name: team, slack: 'local:SLACK_URL', on: [run_succeeded], branches: main }]
";

/// octo/app and eve/app2 come from one place.
struct Two {
    serving: Serving,
    data: String,
}

impl Two {
    fn new() -> Two {
        let serving = Serving::of(WORKFLOW);
        let data = serving.place.path("data").display().to_string();
        let it = Two { serving, data };
        it.serving.place.write("launchway.yml", SETTINGS);
        it.serving.place.commit();
        let (one, other) = (it.bare("app.git"), it.bare("app2.git"));
        it.serving.place.git(&["clone", "--quiet", "--bare", &one, &other]);
        for (bare, name) in [(&one, "octo/app"), (&other, "eve/app2")] {
            let origin = it.bare("app");
            it.serving.place.git(&["-C", bare, "config", "remote.origin.url", &origin]);
            let args = ["repositories", "add", bare, "--name", name, "--environment", "production"];
            let said = it.serving.command(&args);
            assert_eq!(said.exit, 0, "{}", said.stderr);
        }
        it
    }

    fn bare(&self, name: &str) -> String {
        self.serving.place.path(name).display().to_string()
    }

    fn set(&self, name: &str, more: &[&str], value: &str) {
        let args = ["secrets", "set", name, "--repository", "octo/app", "--data", &self.data];
        let said = given(&self.serving.place, &[&args, more].concat(), value);
        assert_eq!(said.exit, 0, "{}", said.stderr);
    }

    fn push_to(&self, bare: &str) -> Said {
        let mut git = self.serving.place.program("git");
        git.args(["push", "--quiet", &self.bare(bare), "HEAD:refs/heads/main"]);
        Said::from(git.output().expect("git starts"))
    }

    fn kept(&self, repository: &str) -> String {
        let got = self.serving.get(&format!("/api/v1/repositories/{repository}/kept")).json();
        let names = got["kept"].as_array().expect("a list").iter();
        names.map(|it| it["name"].as_str().expect("a name")).collect::<Vec<_>>().join(" ")
    }

    /// What is said of the messages that are owed.
    fn notes(&self) -> String {
        let mut command = self.serving.place.program(env!("CARGO_BIN_EXE_launchway"));
        command.args(["notify", "list", "--format", "json", "--state", &self.data]);
        let said = text(&command.output().expect("it starts").stdout);
        let lines = said.lines().map(|it| serde_json::from_str::<Json>(it).expect("JSON"));
        lines.map(|it| it["note"].as_str().unwrap_or_default().to_owned() + "\n").collect()
    }
}

#[test]
fn what_is_kept_for_one_is_none_of_anothers_from_the_same_place() {
    let it = Two::new();
    let serving = &it.serving;
    it.set("TOK", &[], "octos-token");
    it.set("DB_URL", &["--environment", "production"], "octos-database");
    it.set("SLACK_URL", &[], "https://hooks.example.com/octo");
    let region = ["vars", "set", "REGION", "octos-region", "--repository", "octo/app"];
    assert_eq!(serving.command(&region).exit, 0);
    assert_eq!(it.kept("octo/app"), "REGION SLACK_URL TOK DB_URL");
    // It is not listed there.
    assert_eq!(it.kept("eve/app2"), "");
    // A job there sees nothing of it.
    let pushed = it.push_to("app2.git");
    assert_eq!(pushed.exit, 0, "{}", pushed.stderr);
    serving.ended("1");
    assert_eq!(serving.mark("eve"), "++");
    // Nor does a message of its rules go there.
    wait_until("what its message lacks", || it.notes().contains("SLACK_URL"));
    expect![[r#"
        the secret SLACK_URL of eve/app2 is not kept here: launchway secrets set SLACK_URL --repository eve/app2 --data DATA
    "#]]
    .assert_eq(&it.notes().replace(&it.data, "DATA"));
    // Who may everything there changes nothing here.
    let create = ["tokens", "create", "eve", "--scope", "admin", "--machine", "--repository"];
    let made = serving.command(&[&create[..], &["eve/app2"]].concat());
    let bearer = format!("Bearer {}", made.stdout.trim());
    let path = "/api/v1/repositories/eve/app2/kept/secrets/DB_URL";
    let body = r#"{"value": "eves-database", "environment": "production"}"#;
    assert_eq!(serving.ask("PUT", path, &[("authorization", &bearer)], body).status, 200);
    assert_eq!(it.push_to("app.git").exit, 0);
    serving.ended("2");
    assert_eq!(serving.mark("octo"), "noiger-sotco+esabatad-sotco+nekot-sotco");
    // The trail has the deeds with their places.
    let trail = serving.get("/api/v1/audit?action=secret").json().to_string();
    assert!(trail.contains("octo/app production DB_URL"), "{trail}");
    assert!(trail.contains("eve/app2 production DB_URL"), "{trail}");
    // What one leaves is whoever's is called so next, and that is said.
    let removed = serving.command(&["repositories", "remove", "octo/app"]).stderr;
    let left = "still kept, for whoever is called octo/app next: REGION, SLACK_URL, TOK, DB_URL (production)";
    assert!(removed.contains(left), "{removed}");
    it.serving.end();
}

#[test]
fn at_a_servers_folder_it_is_said_of_which_repository() {
    let it = Two::new();
    let place = &it.serving.place;
    let data = &it.data;
    let check = |mut command: std::process::Command, expect: &expect_test::Expect| {
        let said = Said::from(command.output().expect("it starts"));
        let text = format!("{}{}exit {}\n", said.stdout, said.stderr, said.exit);
        expect.assert_eq(&text.replace(&it.data, "DATA"));
    };
    let command = |args: &[&str]| {
        let mut command = place.program(env!("CARGO_BIN_EXE_launchway"));
        command.args(args);
        command
    };
    // In the clone of a person: it would reach nobody.
    check(
        command(&["secrets", "set", "TOK", "--state", data]),
        &expect![[r#"
            error: DATA is a server's: of which of its repositories?
            hint: say which: --repository OWNER/NAME --data DATA; launchway repositories list --data DATA shows them
            exit 2
        "#]],
    );
    check(
        command(&["secrets", "list", "--repository", "octo/none", "--data", data]),
        &expect![[r#"
            error: no repository octo/none is connected
            hint: launchway repositories list --data DATA shows what is
            exit 2
        "#]],
    );
    // What the default branch names is listed, wherever one stands.
    assert_eq!(it.push_to("app.git").exit, 0);
    check(
        command(&["secrets", "list", "--repository", "octo/app", "--state", data]),
        &expect![[r#"
            SLACK_URL  missing  message team
            DB_URL  (production)  missing  .github/workflows/ci.yml:8
            TOK  (production)  missing  .github/workflows/ci.yml:8
            exit 0
        "#]],
    );
    let mut bare = command(&["vars", "list"]);
    bare.current_dir(place.path("app.git"));
    check(
        bare,
        &expect![[r#"
            error: this is a bare repository: a server's
            hint: say which: --repository OWNER/NAME --data DIR, as launchway repositories list has it
            exit 2
        "#]],
    );
    it.serving.end();
}
