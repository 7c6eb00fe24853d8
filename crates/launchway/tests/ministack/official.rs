//! The official action beside ours, on the same server: how long behind ECS's own change each says what
//! became of a deployment, and what it says. `cargo xtask real-actions --from DIR`, where DIR has the
//! action's repository; nothing of it is kept here.
//!
//! The server keeps what failed in its list, where AWS does not once it went back; there the action
//! sees the end of the way back, and nothing before.

use std::path::PathBuf;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value as Json, json};

use crate::harness::text;
use crate::project::{Project, Unusual, say};
use crate::server::{ACCOUNT, REGION, open};

/// How long the action may wait; its own default is half an hour.
const WAIT_MINUTES: &str = "1";

fn now_ms() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    i64::try_from(now.as_millis()).expect("before the year 300 million")
}

/// A verdict, and when it came.
struct Heard {
    who: &'static str,
    exit: i32,
    said: String,
    /// Behind ECS's own change.
    late_ms: i64,
    /// Altogether.
    took_ms: i64,
}

/// When ECS changed the deployment of revision 2 last.
fn changed(project: &Project) -> i64 {
    let service = project.service();
    let deployments = service["deployments"].as_array().expect("a list").clone();
    let mine = deployments
        .iter()
        .find(|it| it["taskDefinition"].as_str().is_some_and(|it| it.ends_with(":2")));
    let at = mine.expect("it is listed")["updatedAt"].as_f64().expect("a time");
    (at * 1000.0) as i64
}

fn ours(image: &str) -> Heard {
    let project = Project::new(open(), &Unusual::default());
    let began = now_ms();
    let said = project.deploy_image(image, "2", &[]);
    let ended = now_ms();
    let end = said.of("deployment_completed").remove(0);
    let words = format!("{} ({})", end["verdict"], end["cause"]).replace('"', "");
    Heard {
        who: "launchway deploy",
        exit: said.exit,
        said: project.plain(&words),
        late_ms: ended - changed(&project),
        took_ms: ended - began,
    }
}

fn theirs(image: &str) -> Heard {
    let folder = std::env::var_os("LAUNCHWAY_REAL_ACTIONS").map(PathBuf::from);
    let folder = folder.expect("the chore says where they are");
    let project = Project::new(open(), &Unusual::default());
    let options = json!({"awslogs-group": "/planner", "awslogs-region": REGION,
        "awslogs-stream-prefix": project.cluster});
    let app = json!({"name": "app", "image": image, "memory": 32,
        "logConfiguration": {"logDriver": "awslogs", "options": options}});
    let definition: Json = json!({"family": project.cluster, "containerDefinitions": [app]});
    project.place.write("definition.json", &definition.to_string());
    let mut command: Command = project.place.program("node");
    command
        .arg(folder.join("amazon-ecs-deploy-task-definition/dist/index.js"))
        .env("AWS_ENDPOINT_URL", &project.server.url)
        .env("AWS_ACCESS_KEY_ID", ACCOUNT)
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .env("AWS_REGION", REGION)
        .env("GITHUB_WORKSPACE", project.place.repository())
        .env("INPUT_TASK-DEFINITION", "definition.json")
        .env("INPUT_SERVICE", "api-service")
        .env("INPUT_CLUSTER", &project.cluster)
        .env("INPUT_WAIT-FOR-SERVICE-STABILITY", "true")
        .env("INPUT_WAIT-FOR-MINUTES", WAIT_MINUTES);
    let began = now_ms();
    let output = command.output().expect("node is installed");
    let ended = now_ms();
    let said = text(&output.stdout);
    let error = said.lines().rev().find(|it| it.starts_with("::error"));
    Heard {
        who: "the official action",
        exit: output.status.code().unwrap_or(-1),
        said: error.unwrap_or("nothing is wrong").chars().take(120).collect(),
        late_ms: ended - changed(&project),
        took_ms: ended - began,
    }
}

#[test]
fn both_say_what_became_of_it() {
    let missing = {
        let good = open().image("1.1");
        let (repository, _) = good.split_once('@').expect("it has a digest");
        format!("{repository}@sha256:{}", "0".repeat(64))
    };
    let stories = [
        ("a good release", open().image("1.1"), 0),
        ("a crash loop", open().image("crash"), 6),
        ("a missing image", missing, 6),
    ];
    std::thread::scope(|scope| {
        for (story, image, wanted) in &stories {
            scope.spawn(move || {
                let (ours, theirs) = (ours(image), theirs(image));
                for Heard { who, exit, said, late_ms, took_ms } in [&ours, &theirs] {
                    say(&format!(
                        "{story}, {who}: exit {exit} after {took_ms} ms, {late_ms} ms behind ECS: {said}"
                    ));
                }
                assert_eq!(ours.exit, *wanted, "{story}");
            });
        }
    });
}
