//! The workflows that `launchway init` writes, run as they stand: tests, staging, production, rollback
//! of two services on the model's ECS. Each job has a machine of its own; what they share is the
//! journal in the bucket.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use expect_test::{Expect, expect};
use model_cloud::{Clock, Cloud, Front};
use serde_json::json;

use crate::build::{AWS, registry_of};
use crate::corrected::Web;
use crate::ecs::ask;
use crate::harness::{Place, Said};
use crate::registry::Server as Registry;
use crate::seeds::need_docker;

/// Seconds of the cloud in one of ours.
const TIMES: u64 = 30;
const SERVICES: [&str; 2] = ["api", "auth"];

struct Team {
    place: Place,
    front: Front,
    web: Web,
    _registry: Registry,
}

impl Team {
    fn new() -> Team {
        need_docker();
        let place = Place::with(&[
            ("ci-cd/environments/staging.env", "LEVEL=debug\n"),
            ("ci-cd/environments/production.env", "LEVEL=info\n"),
        ]);
        let busybox = ["/bin/busybox", "/usr/bin/busybox"].map(Path::new);
        let busybox = busybox.into_iter().find(|path| path.exists()).expect("it is installed");
        for service in SERVICES {
            let label = format!("LABEL of={}-{service}", std::process::id());
            let dockerfile = format!("FROM scratch\nCOPY busybox /busybox\nUSER 1000\n{label}\n");
            place.write(&format!("{service}/Dockerfile"), &dockerfile);
            let to = place.repository().join(service).join("busybox");
            std::fs::copy(busybox, to).expect("a copy");
        }
        place.commit();
        let said = place.run(&["init", "--target", "ecs"]);
        assert_eq!(said.exit, 0, "{}{}", said.stdout, said.stderr);
        let registry = registry_of(&place, "registry", Some(AWS));
        let front = Front::serve(cloud(&registry.host), Clock::Wall { times: TIMES }, 0);
        let front = front.expect("a port");
        let web = Web::serve();
        let team = Team { place, front, web, _registry: registry };
        team.finish_settings();
        team.place.commit();
        team
    }

    /// What a team adds to what was written: the roles. And what GitHub and AWS are for a job here.
    fn finish_settings(&self) {
        let read = |path: &str| {
            std::fs::read_to_string(self.place.repository().join(path)).expect("it was written")
        };
        let role = "arn:aws:iam::111122223333:role/deployer";
        let settings = read("launchway.yml")
            .replace("    # credentials:", "    credentials:")
            .replace("# journal_credentials:", "journal_credentials:")
            .replace("arn:aws:iam::111122223333:role/NAME", role);
        self.place.write("launchway.yml", &settings);
        let env = format!(
            "\nenv:\n  AWS_ENDPOINT_URL: {}\n  ACTIONS_ID_TOKEN_REQUEST_URL: {}/token?job=1\n  ACTIONS_ID_TOKEN_REQUEST_TOKEN: bearer\n\njobs:\n",
            self.front.url(),
            self.web.url
        );
        for name in ["cd-staging", "cd-production", "rollback"] {
            let path = format!(".github/workflows/{name}.yml");
            self.place.write(&path, &read(&path).replacen("\njobs:\n", &env, 1));
        }
    }

    fn check(&self, workflow: &str, environment: &str, inputs: &[&str], expect: &Expect) {
        let path = format!(".github/workflows/{workflow}.yml");
        let mut args = vec!["run", "workflow_dispatch", "--environment", environment];
        args.extend(["-W", &path, "--format", "json"]);
        args.extend(inputs.iter().flat_map(|it| ["--input", it]));
        let own = Path::new(env!("CARGO_BIN_EXE_launchway")).parent().expect("a folder");
        let path = std::env::var("PATH").expect("PATH is set");
        let mut command = self.place.launchway(&args);
        let output = command.env("PATH", format!("{}:{path}", own.display())).output();
        let said = Said::from(output.expect("it starts"));
        let lines = said.of("log");
        let log: Vec<&str> = lines.iter().filter_map(|line| line["text"].as_str()).collect();
        let shown = format!("{}{}", said.verdict(), self.runs());
        let is_same = expect.data().split_whitespace().eq(shown.split_whitespace());
        let is_taken = is_same || std::env::var_os("UPDATE_EXPECT").is_some();
        // What went wrong first: whoever shows the rest may cut it.
        let wrong = log
            .iter()
            .filter(|line| line.contains("rror"))
            .fold(String::new(), |all, line| all + line + "\n");
        assert!(is_taken, "{shown}{wrong}\n{}\n{}", said.stderr, log.join("\n"));
        expect.assert_eq(&shown);
    }

    /// The revisions that run, by cluster and service.
    fn runs(&self) -> String {
        let mut lines = String::new();
        for cluster in ["repository-staging", "repository-production"] {
            let runs = self.front.with(|cloud| {
                let body = json!({"cluster": cluster, "services": SERVICES});
                let mut found = ask(cloud, "DescribeServices", &body);
                let found = found["services"].take();
                let name = |it: &serde_json::Value| {
                    let arn = it["taskDefinition"].as_str().unwrap_or_default();
                    arn.rsplit('/').next().unwrap_or_default().to_owned()
                };
                let names: Vec<String> = found.as_array().into_iter().flatten().map(name).collect();
                names.join(", ")
            });
            lines += &format!("{cluster}: {runs}\n");
        }
        lines
    }
}

/// Two services in two clusters, their repositories, and the bucket of the journal.
fn cloud(registry: &str) -> Cloud {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    let now = u64::try_from(now.as_millis()).expect("before the year 500 million");
    let mut cloud = Cloud::new("111122223333", "us-east-1", now);
    cloud.set_deregistration_delay(1000);
    cloud.set_registry(registry);
    cloud.add_bucket("repository-journal");
    for service in SERVICES {
        let body = json!({"repositoryName": format!("repository-{service}")});
        ask(&mut cloud, "AmazonEC2ContainerRegistry_V20150921.CreateRepository", &body);
    }
    for environment in ["staging", "production"] {
        let cluster = format!("repository-{environment}");
        ask(&mut cloud, "CreateCluster", &json!({"clusterName": cluster}));
        for service in SERVICES {
            let family = format!("{service}-{environment}");
            let app = json!({"name": service, "image": "old@sha256:0", "memory": 128});
            let body = json!({"family": family, "containerDefinitions": [app],
                "executionRoleArn": "arn:aws:iam::111122223333:role/execution"});
            ask(&mut cloud, "RegisterTaskDefinition", &body);
            let body = json!({"cluster": cluster, "serviceName": service, "desiredCount": 1,
                "taskDefinition": family, "launchType": "FARGATE"});
            ask(&mut cloud, "CreateService", &body);
        }
    }
    cloud.advance(now + 60_000);
    cloud
}

#[test]
fn s1_ships_to_staging_then_to_production_and_comes_back() {
    let team = Team::new();
    team.check(
        "cd-staging",
        "staging",
        &["reason=the first"],
        &expect![[r#"
        ci / Workflows and settings: success
        ship: success
        .github/workflows/cd-staging.yml success
        exit 0
        repository-staging: api-staging:2, auth-staging:2
        repository-production: api-production:1, auth-production:1
    "#]],
    );
    team.check(
        "cd-production",
        "production",
        &["confirm=deploy", "reason=x"],
        &expect![[r#"
        ship: failure
          Ship: failure, failure
        .github/workflows/cd-production.yml failure
        exit 1
        repository-staging: api-staging:2, auth-staging:2
        repository-production: api-production:1, auth-production:1
    "#]],
    );
    team.check(
        "cd-production",
        "production",
        &["confirm=DEPLOY", "reason=x"],
        &expect![[r#"
        ship: success
        .github/workflows/cd-production.yml success
        exit 0
        repository-staging: api-staging:2, auth-staging:2
        repository-production: api-production:2, auth-production:2
    "#]],
    );
    // What ran before nobody knows to be good; what comes next can be gone back from.
    team.place.commit();
    team.check(
        "cd-staging",
        "staging",
        &["reason=the second"],
        &expect![[r#"
        ci / Workflows and settings: success
        ship: success
        .github/workflows/cd-staging.yml success
        exit 0
        repository-staging: api-staging:3, auth-staging:3
        repository-production: api-production:2, auth-production:2
    "#]],
    );
    team.check(
        "cd-production",
        "production",
        &["confirm=DEPLOY", "reason=y"],
        &expect![[r#"
        ship: success
        .github/workflows/cd-production.yml success
        exit 0
        repository-staging: api-staging:3, auth-staging:3
        repository-production: api-production:3, auth-production:3
    "#]],
    );
    let back = ["environment=production", "confirm=ROLLBACK", "reason=slow"];
    team.check(
        "rollback",
        "production",
        &back,
        &expect![[r#"
        rollback: success
        .github/workflows/rollback.yml success
        exit 0
        repository-staging: api-staging:3, auth-staging:3
        repository-production: api-production:4, auth-production:4
    "#]],
    );
}
