//! The seeds' delivery workflows, corrected (`examples/seeds/corrected`), from the sign-in to the last
//! check: real docker, a real registry, AWS's own command line, and the model cloud as AWS.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use expect_test::{Expect, expect};
use model_cloud::{Clock, Cloud, Front};
use serde_json::json;

use crate::build::{AWS, registry_of};
use crate::ecs::ask;
use crate::harness::{Place, Said, text};
use crate::registry::Server as Registry;
use crate::seeds::need_docker;

/// Seconds of the cloud in one of ours.
const TIMES: u64 = 30;

/// What a job meets besides AWS: where its token is had, the service's own address, a chat.
pub(crate) struct Web {
    pub(crate) url: String,
    /// Paths that were asked, and what was posted.
    heard: Arc<Mutex<Vec<String>>>,
}

impl Web {
    pub(crate) fn serve() -> Web {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let heard = Arc::new(Mutex::new(Vec::new()));
        let told = Arc::clone(&heard);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // A client that goes away in the middle is no news.
                drop(answer(&stream, &told));
            }
        });
        Web { url, heard }
    }

    fn heard(&self) -> String {
        self.heard.lock().expect("nobody died with it").join("\n")
    }
}

fn answer(mut stream: &TcpStream, heard: &Mutex<Vec<String>>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut first = String::new();
    reader.read_line(&mut first)?;
    let (mut length, mut line) = (0, String::new());
    while reader.read_line(&mut line)? > 0 && line != "\r\n" {
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
        line.clear();
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let path = first.split(' ').nth(1).unwrap_or_default();
    heard.lock().expect("nobody died with it").push(format!("{path} {}", text(&body)));
    // A token has three parts; whether AWS believes it is not the model's business.
    let said = r#"{"value": "head.claims.signature"}"#;
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{said}",
        said.len()
    )
}

/// AWS's command line: the one that the tier installs, else the machine's.
fn path_with_aws() -> String {
    let target = Path::new(env!("CARGO_BIN_EXE_launchway")).ancestors().nth(2);
    let own: PathBuf = target.expect("a target folder").join("seeds/bin");
    let path = std::env::var("PATH").expect("PATH is set");
    if own.join("aws").exists() { format!("{}:{path}", own.display()) } else { path }
}

struct Team {
    place: Place,
    front: Front,
    web: Web,
    registry: Registry,
}

impl Team {
    /// A repository with the workflow, in a cloud where these services run: cluster, service, family,
    /// container.
    fn new(region: &str, services: &[[&str; 4]], name: &str, files: &[(&str, &str)]) -> Team {
        need_docker();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
        let now = u64::try_from(now.as_millis()).expect("before the year 500 million");
        let mut cloud = Cloud::new("111122223333", region, now);
        cloud.set_deregistration_delay(1000);
        for [cluster, service, family, container] in services {
            ask(&mut cloud, "CreateCluster", &json!({"clusterName": cluster}));
            let app = json!({"name": container, "image": "old@sha256:0", "memory": 128});
            let body = json!({"family": family, "containerDefinitions": [app]});
            ask(&mut cloud, "RegisterTaskDefinition", &body);
            let body = json!({"cluster": cluster, "serviceName": service, "desiredCount": 1,
                "taskDefinition": family, "launchType": "FARGATE"});
            ask(&mut cloud, "CreateService", &body);
        }
        cloud.advance(now + 60_000);
        let place = Place::with(files);
        let registry = registry_of(&place, "registry", Some(AWS));
        cloud.set_registry(&registry.host);
        let front = Front::serve(cloud, Clock::Wall { times: TIMES }, 0).expect("a port");
        let web = Web::serve();
        let busybox = ["/bin/busybox", "/usr/bin/busybox"].map(Path::new);
        let busybox = busybox.into_iter().find(|path| path.exists()).expect("it is installed");
        for folder in ["", "backend"] {
            let folder = place.repository().join(folder);
            if folder.is_dir() {
                std::fs::copy(busybox, folder.join("busybox")).expect("a copy");
                // No other test has an image of the same bytes.
                let text = format!(
                    "FROM scratch\nCOPY busybox /busybox\nLABEL of={}-{name}\n",
                    std::process::id()
                );
                std::fs::write(folder.join("Dockerfile"), text).expect("written");
            }
        }
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/seeds/corrected");
        let text = std::fs::read_to_string(path.join(name)).expect("a corrected seed");
        // Where AWS is, and who gives the job its token: on GitHub both are GitHub's and AWS's own.
        let more = format!(
            "\nenv:\n  AWS_ENDPOINT_URL: {}\n  ACTIONS_ID_TOKEN_REQUEST_URL: {}/token?job=1\n  ACTIONS_ID_TOKEN_REQUEST_TOKEN: bearer\n\njobs:\n",
            front.url(),
            web.url
        );
        let text = ["api", "app", "staging"].iter().fold(text, |text, host| {
            text.replace(&format!("https://{host}.example.com"), &web.url)
        });
        place.write(".github/workflows/seed.yml", &text.replacen("\njobs:\n", &more, 1));
        place.commit();
        Team { place, front, web, registry }
    }

    fn run(&self, args: &[&str]) -> Said {
        let all =
            [&["run"], args, &["-W", ".github/workflows/seed.yml", "--format", "json"]].concat();
        let mut command = self.place.launchway(&all);
        let output = command.env("PATH", path_with_aws()).output().expect("it starts");
        Said::from(output)
    }

    /// How it ended, and what the service runs then.
    fn check(&self, args: &[&str], of: [&str; 2], expect: &Expect) {
        let said = self.run(args);
        let log: Vec<String> = said
            .of("log")
            .iter()
            .filter_map(|line| line["text"].as_str().map(str::to_owned))
            .collect();
        let runs = self.front.with(|cloud| {
            let body = json!({"cluster": of[0], "services": [of[1]]});
            let service = ask(cloud, "DescribeServices", &body)["services"][0].take();
            let body = json!({"taskDefinition": service["taskDefinition"]});
            let definition = ask(cloud, "DescribeTaskDefinition", &body);
            let image = definition["taskDefinition"]["containerDefinitions"][0]["image"].clone();
            let name = service["taskDefinition"].as_str().unwrap_or_default().to_owned();
            let own = format!("{}/", self.registry.host);
            let is_own = |it: &str| it.starts_with(&own) && it.contains("@sha256:");
            let what =
                if image.as_str().is_some_and(is_own) { "new, by its digest" } else { "old" };
            let name = name.rsplit('/').next().unwrap_or_default().to_owned();
            format!(
                "{name}: {what}, {} deployment\n",
                service["deployments"].as_array().map_or(0, Vec::len)
            )
        });
        let verdict = said.verdict();
        // What jobs hand on differs from run to run.
        let lines = verdict.lines().map(|line| line.split(" {").next().unwrap_or(line));
        let verdict = format!("{}\n{runs}", lines.collect::<Vec<_>>().join("\n"));
        let is_as_expected =
            expect.data().trim().lines().last().map(str::trim) == runs.lines().last();
        assert!(is_as_expected, "{verdict}{}\n{}", log.join("\n"), said.stderr);
        expect.assert_eq(&verdict);
    }
}

#[test]
fn s0_deploys_and_rolls_back() {
    let definition = r#"{"family": "sandbox-broker-api", "containerDefinitions":
        [{"name": "sandbox-broker-api", "image": "none", "memory": 128}]}"#;
    let services = [[
        "sandbox-broker-cluster",
        "sandbox-broker-api",
        "sandbox-broker-api",
        "sandbox-broker-api",
    ]];
    let team = Team::new(
        "eu-central-1",
        &services,
        "s0-deploy.yml",
        &[("task-definition.json", definition)],
    );
    let of = ["sandbox-broker-cluster", "sandbox-broker-api"];
    let deploy = ["workflow_dispatch", "--environment", "production", "--input"];
    team.check(
        &[&deploy[..], &["confirm=deploy"]].concat(),
        of,
        &expect![[r#"
        deploy: failure
          Check the confirmation: failure, failure
          Run actions/checkout@v4: skipped, skipped
          Configure AWS credentials (OIDC): skipped, skipped
          Login to Amazon ECR: skipped, skipped
          Build and push the image: skipped, skipped
          Update ECS task definition: skipped, skipped
          Deploy to ECS: skipped, skipped
          Verify deployment: skipped, skipped
        .github/workflows/seed.yml failure
        exit 1
        sandbox-broker-api:1: old, 1 deployment
    "#]],
    );
    team.check(
        &[&deploy[..], &["confirm=DEPLOY", "--input", "version=1.4.2"]].concat(),
        of,
        &expect![[r#"
            deploy: success
            .github/workflows/seed.yml success
            exit 0
            sandbox-broker-api:2: new, by its digest, 1 deployment
        "#]],
    );
    assert!(
        team.web.heard().contains("/token?job=1&audience=sts.amazonaws.com"),
        "{}",
        team.web.heard()
    );
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/seeds/corrected");
    let rollback = std::fs::read_to_string(path.join("s0-rollback.yml")).expect("a corrected seed");
    let env = std::fs::read_to_string(team.place.repository().join(".github/workflows/seed.yml"))
        .expect("it is there");
    let env = env.split_once("\nenv:\n").and_then(|(_, rest)| rest.split_once("\njobs:\n"));
    let env = env.expect("it was put there").0;
    let rollback = rollback.replace("https://api.example.com", &team.web.url).replacen(
        "\njobs:\n",
        &format!("\nenv:\n{env}\njobs:\n"),
        1,
    );
    team.place.write(".github/workflows/seed.yml", &rollback);
    team.place.commit();
    let back = ["confirm=ROLLBACK", "--input", "task_revision=1"];
    team.check(
        &[&deploy[..], &back].concat(),
        of,
        &expect![[r#"
        rollback: success
        .github/workflows/seed.yml success
        exit 0
        sandbox-broker-api:1: old, 1 deployment
    "#]],
    );
}

#[test]
fn s2_deploys_what_it_built_to_the_environment_of_its_branch() {
    let services = [
        ["dev-cluster", "app-service", "dev", "app"],
        ["staging-cluster", "app-service", "staging", "app"],
        ["prod-cluster", "app-service", "prod", "app"],
    ];
    let team = Team::new("us-east-1", &services, "s2-deploy.yml", &[]);
    let chat = format!("SLACK_WEBHOOK={}/slack", team.web.url);
    let secrets = [
        "--secret",
        "AWS_ACCESS_KEY_ID=AKIA111122223333",
        "--secret",
        "AWS_SECRET_ACCESS_KEY=key",
        "--secret",
        &chat,
        "--environment",
    ];
    let run = |environment, of, expect: &Expect| {
        team.check(&[&["push"], &secrets[..], &[environment]].concat(), of, expect);
    };
    run(
        "production",
        ["prod-cluster", "app-service"],
        &expect![[r#"
        build: success
        deploy: success
        .github/workflows/seed.yml success
        exit 0
        prod:2: new, by its digest, 1 deployment
    "#]],
    );
    assert!(team.web.heard().contains("Production deployment of commit"), "{}", team.web.heard());
    team.place.git(&["checkout", "--quiet", "-b", "staging"]);
    team.place.commit();
    run(
        "staging",
        ["staging-cluster", "app-service"],
        &expect![[r#"
        build: success
        deploy: success
          Notify team: skipped, skipped
        .github/workflows/seed.yml success
        exit 0
        staging:2: new, by its digest, 1 deployment
    "#]],
    );
}

#[test]
fn s4_deploys_to_the_environment_that_was_chosen() {
    let services = [
        [
            "conflicto-dev",
            "conflicto-backend-service-dev",
            "conflicto-backend-dev",
            "conflicto-backend",
        ],
        [
            "conflicto-prod",
            "conflicto-backend-service-prod",
            "conflicto-backend-prod",
            "conflicto-backend",
        ],
    ];
    let team = Team::new("us-west-2", &services, "s4-deploy.yml", &[("backend/README", "")]);
    let role = "AWS_DEPLOYER_ROLE_ARN=arn:aws:iam::111122223333:role/deployer";
    let args = [
        "workflow_dispatch",
        "--input",
        "environment=prod",
        "--environment",
        "prod",
        "--var",
        role,
    ];
    team.check(
        &args,
        ["conflicto-prod", "conflicto-backend-service-prod"],
        &expect![[r#"
        deploy: success
        .github/workflows/seed.yml success
        exit 0
        conflicto-backend-prod:2: new, by its digest, 1 deployment
    "#]],
    );
}
