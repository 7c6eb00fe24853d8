//! The walk-throughs (`docs/walkthroughs`), run as they stand there: their settings, their commands in
//! order, their typed words; a real docker, a real registry and a real PostgreSQL, the model cloud as AWS.

use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;
use std::time::{SystemTime, UNIX_EPOCH};

use model_cloud::{Clock, Cloud, Front, Image};
use serde_json::json;

use crate::build::{AWS, registry_of};
use crate::corrected::Web;
use crate::ecs::ask;
use crate::harness::{Place, text};
use crate::postgres::Database;
use crate::seeds::need_docker;

/// Seconds of the cloud in one of ours.
const TIMES: u64 = 30;

/// Services as `[cluster, service, family, container]`, and folders with a Dockerfile.
fn walk(name: &str, region: &str, services: &[[&str; 4]], folders: &[&str]) {
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
    cloud.add_bucket("conflicto-deployments");
    cloud.advance(now + 60_000);
    let place = Place::with(&[]);
    let registry = registry_of(&place, "registry", Some(AWS));
    cloud.set_registry(&registry.host);
    let front = Front::serve(cloud, Clock::Wall { times: TIMES }, 0).expect("a port");
    let web = Web::serve();
    let busybox = ["/bin/busybox", "/usr/bin/busybox"].map(Path::new);
    let busybox = busybox.into_iter().find(|path| path.exists()).expect("it is installed");
    for folder in folders {
        let id = std::process::id();
        let text = format!("FROM scratch\nCOPY busybox /busybox\nLABEL of={name}-{folder}-{id}\n");
        place.write(&format!("{folder}/Dockerfile"), &text);
        std::fs::copy(busybox, place.repository().join(folder).join("busybox")).expect("a copy");
    }
    let keys = "[deployer]\naws_access_key_id = AKIA111122223333\naws_secret_access_key = key\n";
    std::fs::create_dir_all(place.path("home/.aws")).expect("a folder of ours");
    std::fs::write(place.path("home/.aws/credentials"), keys).expect("written");
    let who = "[user]\nname = Mona\nemail = mona@example.com\n";
    std::fs::write(place.path("home/.gitconfig"), who).expect("written");

    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/walkthroughs").join(name);
    let page = std::fs::read_to_string(page).expect("the page");
    let settings = page.split("```yaml\n").nth(1).and_then(|it| it.split("```").next());
    let settings = settings.expect("it has settings").replace("settle: 30s", "settle: 0s");
    let hosts = ["api", "app", "dev", "staging"];
    let settings = hosts.iter().fold(settings, |text, host| {
        text.replace(&format!("https://{host}.example.com"), &web.url)
    });
    // Its address lies where the settings say.
    let database = settings.contains("dump:").then(Database::start);
    if let Some(database) = &database {
        database.ask("create table tasks as select n as id from generate_series(1, 100) n");
        front.with(|cloud| {
            cloud.add_bucket("planner-backups");
            let value = json!({"database_url": database.url}).to_string();
            let body = json!({"Name": "planner/production", "SecretString": value});
            ask(cloud, "secretsmanager.CreateSecret", &body);
        });
    }
    place.write("launchway.yml", &settings);
    place.commit();
    let own = Path::new(env!("CARGO_BIN_EXE_launchway")).parent().expect("it is in a folder");
    let path = std::env::var("PATH").expect("PATH is set");
    let mut count = 0;
    for line in page.lines().filter_map(|line| line.strip_prefix("    ")) {
        if !line.starts_with("launchway ") && !line.starts_with("git ") {
            continue;
        }
        let (command, remark) = line.split_once(" # ").unwrap_or((line, ""));
        let typed = remark.trim().strip_prefix("type ");
        // A word is typed at a terminal.
        let mut script = match typed {
            Some(_) => {
                let mut script = place.program("script");
                script.args(["--quiet", "--return", "--command", command, "/dev/null"]);
                script.stdin(Stdio::piped());
                script
            }
            None => {
                let mut shell = place.program("sh");
                shell.args(["-c", command]);
                shell
            }
        };
        script
            .env("PATH", format!("{}:{path}", own.display()))
            .env("LAUNCHWAY_STATE", place.state())
            .env("AWS_ENDPOINT_URL", front.url())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        if !settings.contains("profile: deployer") {
            script.env("AWS_ACCESS_KEY_ID", "AKIA111122223333");
            script.env("AWS_SECRET_ACCESS_KEY", "key");
        }
        let mut child = script.spawn().expect("it starts");
        let input = child.stdin.take();
        if let (Some(mut input), Some(word)) = (input, typed) {
            writeln!(input, "{word}").expect("it reads");
            // It stays open until the command is over: its end would be one of the terminal's.
            let output = child.wait_with_output().expect("it ends");
            drop(input);
            assert!(output.status.success(), "{name}: {command}\n{}", text(&output.stdout));
        } else {
            let output = child.wait_with_output().expect("it ends");
            let said = text(&output.stdout) + &text(&output.stderr);
            assert!(output.status.success(), "{name}: {command}\n{said}");
        }
        if command.starts_with("launchway build") {
            migrations_end(&place, &front);
        }
        count += 1;
    }
    assert!(count >= 8, "{name} has {count} commands");
    drop(registry);
}

/// A container of the model runs on unless it is told otherwise; a migration ends.
fn migrations_end(place: &Place, front: &Front) {
    let said = place.run(&["releases", "--format", "json"]);
    front.with(|cloud| {
        for line in said.lines() {
            let digest = line["digest"].as_str().unwrap_or_default();
            cloud.script_command(digest, &["migrate"], Image::exits(1000, 0));
        }
    });
}

#[test]
fn s0() {
    let api = "sandbox-broker-api";
    walk("s0.md", "eu-central-1", &[["sandbox-broker-cluster", api, api, api]], &["."]);
}

#[test]
fn s1() {
    let services = [
        ["staging", "auth-service", "auth-staging", "app"],
        ["staging", "api-service", "api-staging", "app"],
        ["production", "auth-service", "auth-production", "app"],
        ["production", "api-service", "api-production", "app"],
    ];
    walk("s1.md", "eu-central-1", &services, &["auth", "api"]);
}

#[test]
fn s2() {
    let services = [
        ["dev-cluster", "app-service", "app-dev", "app"],
        ["staging-cluster", "app-service", "app-staging", "app"],
        ["prod-cluster", "app-service", "app-prod", "app"],
    ];
    walk("s2.md", "us-east-1", &services, &["."]);
}

#[test]
fn s4() {
    let of = ["dev", "staging", "prod"];
    let names: Vec<[String; 3]> = of
        .iter()
        .map(|it| {
            [
                format!("conflicto-{it}"),
                format!("conflicto-backend-service-{it}"),
                format!("conflicto-backend-{it}"),
            ]
        })
        .collect();
    let services: Vec<[&str; 4]> = names
        .iter()
        .map(|[cluster, service, family]| {
            [cluster.as_str(), service.as_str(), family.as_str(), "conflicto-backend"]
        })
        .collect();
    walk("s4.md", "us-west-2", &services, &["backend"]);
}
