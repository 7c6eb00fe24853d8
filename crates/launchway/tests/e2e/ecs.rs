//! Deployments to ECS: the real binary against the model cloud's HTTP front, whose time is faster.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use expect_test::{Expect, expect};
use model_cloud::{Answer, Clock, Cloud, Front, Image, Request};
use serde_json::{Value as Json, json};

use crate::harness::{Place, Said, text, wait_until};
use crate::serving::Serving;
use crate::tls::Secured;

/// Seconds of the cloud in one of ours.
const TIMES: u64 = 10;

/// A digest, by its first letter.
fn digest(letter: char) -> String {
    format!("sha256:{}", letter.to_string().repeat(64))
}

/// The image of a release, as `--image` has it.
pub(crate) fn image(letter: char) -> String {
    format!("registry.example.com/planner@{}", digest(letter))
}

/// Before what a command takes as it is.
fn with_format<'a>(args: &[&'a str]) -> Vec<&'a str> {
    let at = args.iter().position(|it| *it == "--").unwrap_or(args.len());
    [&args[..at], &["--format", "json"], &args[at..]].concat()
}

pub(crate) struct Project {
    place: Place,
    pub(crate) front: Front,
}

pub(crate) fn ask(cloud: &mut Cloud, operation: &str, body: &Json) -> Json {
    let target = match operation.contains('.') {
        true => operation.to_owned(),
        false => format!("AmazonEC2ContainerServiceV20141113.{operation}"),
    };
    let request = Request { target, body: body.to_string(), ..Request::default() };
    match cloud.answer(&request) {
        Answer::Said { body, .. } => serde_json::from_str(&body).expect("the model speaks JSON"),
        Answer::Lost => Json::Null,
    }
}

impl Project {
    pub(crate) fn new(more: &str) -> Project {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
        let now = u64::try_from(now.as_millis()).expect("before the year 500 million");
        let mut cloud = Cloud::new("111122223333", "eu-central-1", now);
        cloud.set_deregistration_delay(1000);
        ask(&mut cloud, "CreateCluster", &json!({"clusterName": "staging"}));
        let app = json!({"name": "app", "image": image('a'), "memory": 128,
            "environment": [{"name": "LEVEL", "value": "debug"}],
            "logConfiguration": {"logDriver": "awslogs", "options": {
                "awslogs-group": "/ecs/api", "awslogs-stream-prefix": "api"}}});
        cloud.script(&digest('a'), Image::good().printing(&["hello from 1.0"]));
        cloud.script(&digest('b'), Image::good().printing(&["hello from 2.0"]));
        let body = json!({"family": "api", "containerDefinitions": [app],
            "executionRoleArn": "arn:aws:iam::111122223333:role/execution"});
        ask(&mut cloud, "RegisterTaskDefinition", &body);
        let body = json!({"cluster": "staging", "serviceName": "api-service", "desiredCount": 2,
            "taskDefinition": "api", "launchType": "FARGATE", "deploymentConfiguration":
            {"deploymentCircuitBreaker": {"enable": true, "rollback": true}}});
        ask(&mut cloud, "CreateService", &body);
        cloud.advance(now + 60_000);
        cloud.script(&digest('f'), Image::missing());
        cloud.script_command(&digest('b'), &["migrate"], Image::exits(1000, 0));
        cloud.forget_calls();
        let settings = format!(
            "
version: 1
project: planner
services:
  api:
    env: {{ LEVEL: info }}
    migrate: {{ run: [migrate], timeout: 2m }}
environments:
  staging:
    region: eu-central-1
    targets: {{ ecs: {{ cluster: staging, service: '{{service}}-service', within: 5m }} }}
{more}
"
        );
        let place = Place::with(&[("launchway.yml", &settings)]);
        let front = Front::serve(cloud, Clock::Wall { times: TIMES }, 0).expect("a port");
        Project { place, front }
    }

    fn launchway(&self, args: &[&str]) -> Command {
        let mut command = self.place.launchway(args);
        command
            .env("AWS_ENDPOINT_URL", self.front.url())
            .env("AWS_ACCESS_KEY_ID", "AKIA111122223333")
            .env("AWS_SECRET_ACCESS_KEY", "secret-of-the-key");
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Said {
        let output = self.launchway(args).output().expect("it starts");
        let exit = output.status.code().unwrap_or(-1);
        Said { exit, stdout: text(&output.stdout), stderr: text(&output.stderr) }
    }

    /// The end of a deployment, and what was done for it.
    pub(crate) fn check(&self, args: &[&str], expect: &Expect) {
        let said = self.run(&with_format(args));
        let ends = said.of("deployment_completed");
        let words = ends.iter().map(|end| {
            format!("{} {} {}\n", end["service"], end["verdict"], end["cause"]).replace('"', "")
        });
        let is_told = |line: &&str| line.starts_with("error") || line.starts_with("hint");
        let errors: String =
            said.stderr.lines().filter(is_told).map(|it| format!("{it}\n")).collect();
        let words: String = words.collect();
        expect.assert_eq(&format!("{words}{errors}exit {}, {}\n", said.exit, self.runs()));
    }

    /// Variables and references of the revision that was registered last.
    fn registered(&self) -> String {
        self.front.with(|cloud| {
            let body = json!({"taskDefinition": "api"});
            let mut given = ask(cloud, "DescribeTaskDefinition", &body);
            let app = given["taskDefinition"]["containerDefinitions"][0].take();
            format!("{} {}", app["environment"], app["secrets"])
        })
    }

    /// What the service is to run, and what was done so far.
    fn runs(&self) -> String {
        self.front.with(|cloud| {
            let deeds =
                ["RegisterTaskDefinition", "RunTask", "UpdateService", "StopServiceDeployment"];
            let deeds = deeds.map(|it| format!("{it} {}", cloud.done(&format!("ecs:{it}"))));
            let body = json!({"cluster": "staging", "services": ["api-service"]});
            let service = ask(cloud, "DescribeServices", &body)["services"][0].take();
            let definition = service["taskDefinition"].as_str().unwrap_or_default().to_owned();
            let running = &service["runningCount"];
            let name = definition.rsplit('/').next().unwrap_or_default();
            format!("{name} {running}, {}", deeds.join(", "))
        })
    }
}

#[test]
fn a_release_goes_to_ecs_a_bad_one_comes_back_and_an_old_one_is_restored() {
    let project = Project::new("");
    let check = |letter: char, args: &[&str], expect: &Expect| {
        let image = image(letter);
        let deploy = ["deploy", "staging", "--yes", "--image", &image, "--version"];
        project.check(&[&deploy, args].concat(), expect);
    };
    project.check(&["deploy", "staging", "--yes"], &expect![[r#"
        error: there is no repository planner-api in ECR, in eu-central-1
        hint: make it: launchway build --push staging --create-repository
        hint: or: aws ecr create-repository --repository-name planner-api --region eu-central-1
        exit 5, api:1 2, RegisterTaskDefinition 0, RunTask 0, UpdateService 0, StopServiceDeployment 0
    "#]]);
    project.check(&["deploy", "staging", "--yes", "--image", "planner:latest"], &expect![[r#"
        error: planner:latest names no image by its digest
        hint: --image api=REPOSITORY@sha256:..., as the registry says after a push
        exit 2, api:1 2, RegisterTaskDefinition 0, RunTask 0, UpdateService 0, StopServiceDeployment 0
    "#]]);
    project.check(&["deploy", "staging", "--yes", "--image", "web=sha256:1"], &expect![[r#"
        error: there is no service web
        hint: there are: api
        exit 2, api:1 2, RegisterTaskDefinition 0, RunTask 0, UpdateService 0, StopServiceDeployment 0
    "#]]);
    check(
        'b',
        &["2.0"],
        &expect![[r#"
        api succeeded null
        exit 0, api:2 2, RegisterTaskDefinition 1, RunTask 1, UpdateService 1, StopServiceDeployment 0
    "#]],
    );
    check(
        'c',
        &["2.1", "--skip-migrations"],
        &expect![[r#"
        api succeeded null
        exit 0, api:3 2, RegisterTaskDefinition 2, RunTask 1, UpdateService 2, StopServiceDeployment 0
    "#]],
    );
    check(
        'f',
        &["2.2"],
        &expect![[r#"
        api rolled_back the migration failed
        exit 6, api:3 2, RegisterTaskDefinition 3, RunTask 2, UpdateService 2, StopServiceDeployment 0
    "#]],
    );
    check(
        'f',
        &["2.2", "--skip-migrations"],
        &expect![[r#"
            api rolled_back ECS gave the deployment up and goes back to api:3
            exit 6, api:3 2, RegisterTaskDefinition 4, RunTask 2, UpdateService 3, StopServiceDeployment 0
        "#]],
    );
    let back = ["rollback", "staging", "--to", "2.0", "--reason", "again", "--yes"];
    project.check(&back, &expect![[r#"
        api succeeded null
        exit 0, api:6 2, RegisterTaskDefinition 5, RunTask 2, UpdateService 4, StopServiceDeployment 0
    "#]]);
    let agent = project.front.with(|cloud| {
        let call = cloud.calls().iter().find(|it| it.action == "ecs:UpdateService").cloned();
        call.map(|it| it.user_agent)
    });
    assert_eq!(agent.as_deref(), Some("launchway/1"));
}

const SERVED: &str = "
version: 1
project: planner
services: { api: {} }
environments:
  staging: { region: eu-central-1, targets: { ecs: { cluster: staging, service: s } } }
";

#[test]
fn what_was_deployed_is_linked_to_the_console() {
    let project = Project::new("");
    let serving =
        Serving::of("{ on: workflow_dispatch, jobs: { a: { runs-on: a, steps: [run: a] } } }");
    serving.place.write("launchway.yml", SERVED);
    serving.place.commit();
    assert_eq!(serving.push().exit, 0);
    let data = serving.place.path("data").display().to_string();
    let image = image('b');
    let deploy = ["deploy", "staging", "--yes", "--image", &image, "--skip-migrations"];
    let said = project.run(&[&deploy[..], &["--state", &data]].concat());
    assert_eq!(said.exit, 0, "{}", said.stderr);
    let (host, of) = ("https://eu-central-1.console.aws.amazon.com", "region=eu-central-1");
    let service = format!("{host}/ecs/v2/clusters/staging/services/api-service/health?{of}");
    let group = format!("{host}/cloudwatch/home?{of}#logsV2:log-groups/log-group/$252Fecs$252Fapi");
    let pages = json!([
        { "service": "api", "what": "ecs_service", "name": "api-service", "url": service },
        { "service": "api", "what": "log_group", "name": "/ecs/api", "url": group },
    ]);

    let show = ["deployments", "show", "--state", &data];
    let shown = project.run(&show).stdout;
    assert!(shown.contains(&format!("api: service api-service at AWS: {service}\n")), "{shown}");
    assert!(shown.contains(&format!("api: logs /ecs/api at AWS: {group}\n")), "{shown}");
    let shown = project.run(&[&show[..], &["--format", "json"]].concat());
    assert_eq!(shown.lines()[0]["console"], pages);
    let listed = project.run(&["environments", "--state", &data, "--format", "json"]);
    assert_eq!(listed.lines()[0]["console"], pages);

    let list = serving.get("/api/v1/deployments").json();
    assert_eq!(list["deployments"][0]["console"], pages);
    let list = serving.get("/api/v1/environments").json();
    assert_eq!(list["environments"][0]["console"], pages, "{list}");
    for path in ["/deployments/1", "/environments"] {
        let page = serving.get(path).text;
        for url in [&service, &group] {
            let link = format!("href=\"{url}\" rel=\"noopener noreferrer\"");
            assert!(page.contains(&link), "{path}: {page}");
        }
    }
    // A deployment is a project's: who is bound to repositories hears of none.
    let bound = ["tokens", "create", "octo", "--scope", "read", "--repository", "octo/app"];
    let bound = format!("Bearer {}", serving.command(&bound).stdout.trim());
    let as_bound = |path: &str| serving.ask("GET", path, &[("authorization", &bound)], "");
    assert_eq!(as_bound("/api/v1/environments").json()["environments"][0]["console"], json!([]));
    assert!(!as_bound("/environments").text.contains("console.aws"));
    serving.end();
}

/// A revert is built anew, so that no digest tells; its files do.
#[test]
fn a_commit_that_reverts_is_going_back() {
    let project = Project::new("");
    let deploy = |letter: char| {
        let image = image(letter);
        let args = ["deploy", "staging", "--image", &image, "--skip-migrations", "--yes"];
        let said = project.run(&with_format(&args));
        assert_eq!(said.exit, 0, "{}{}", said.stdout, said.stderr);
        let said = project.run(&["history", "staging", "--format", "json"]);
        said.lines()[0]["kind"].as_str().unwrap_or_default().to_owned()
    };
    project.place.write("page.html", "one");
    project.place.commit();
    assert_eq!(deploy('b'), "release");
    project.place.write("page.html", "two");
    project.place.commit();
    assert_eq!(deploy('c'), "release");
    project.place.git(&["revert", "--no-edit", "HEAD"]);
    assert_eq!(deploy('d'), "rollback");
    // Built once more of the same files, and never gone from: no way back.
    project.place.git(&["commit", "--quiet", "--allow-empty", "--message", "again"]);
    assert_eq!(deploy('e'), "release");
}

#[test]
fn a_plan_names_every_call_and_makes_none_that_changes() {
    let project = Project::new("");
    let image = image('b');
    let said = project.run(&["deploy", "staging", "--plan", "--image", &image, "--version", "2.0"]);
    expect![[r#"
        api: api:1 runs
          containerDefinitions[app].image: registry.example.com/planner@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa -> registry.example.com/planner@sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb
          containerDefinitions[app].environment[LEVEL]: another value -> info
          1. api/register  registers a revision of api with registry.example.com/planner@sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb as app
             nothing to undo
          2. api/migrate  runs `migrate` in a task of the new revision
             not undone: a migration is never undone; the settings say that the release before works with it
          3. api/update  lets api-service of staging run it
             undone: lets api-service run api:1 again
          4. api/stabilise  waits until ECS has completed the deployment, or given it up
             nothing to undo
        api: if it fails, it goes back to api:1
        api: nobody asks whether it works: a task that started is taken for one that does
        plan d8b5522639a6
    "#]].assert_eq(&said.stdout);
    let changes = project.front.with(|cloud| {
        let reads = ["Describe", "List", "Get"];
        let is_read = |it: &str| reads.iter().any(|read| it.contains(read));
        cloud.calls().iter().filter(|it| !is_read(&it.action)).count()
    });
    assert_eq!(changes, 0);
}

/// How it stands there: tasks, deployments, targets, what ECS said.
#[test]
fn a_status_says_how_the_tasks_are() {
    let project = Project::new("");
    let said = project.run(&["status", "staging"]);
    let before_events: Vec<&str> = said.stdout.lines().take(5).collect();
    expect![[r#"
        staging
          api  nothing was deployed; api:1 runs there
              2 of 2 tasks run
              deployment of api:1: completed, 2 of 2 tasks
              (service api-service) has reached a steady state."#]]
    .assert_eq(&before_events.join("\n"));
    let said = project.run(&["status", "staging", "--format", "json"]);
    let report = &said.lines()[0]["report"];
    assert_eq!(report[0], "2 of 2 tasks run", "{}", said.stdout);
}

#[test]
fn another_account_is_not_touched() {
    let project = Project::new("    account: \"999900001111\"");
    let image = image('b');
    let args = ["deploy", "staging", "--yes", "--image", &image, "--version", "2.0"];
    project.check(&args, &expect![[r#"
        api refused api cannot be deployed there
        exit 4, api:1 2, RegisterTaskDefinition 0, RunTask 0, UpdateService 0, StopServiceDeployment 0
    "#]]);
}

/// Services on ECS are asked behind their load balancer, which speaks TLS.
#[test]
fn health_is_asked_over_tls_by_certificates_that_are_trusted() {
    let secured = Secured::serve();
    let more = format!(
        "    url: {}
    services: {{ api: {{ health: {{ paths: [/health], settle: 0s, within: 2s, every: 100ms }} }} }}",
        secured.url
    );
    let project = Project::new(&more);
    let image = image('b');
    let args = ["deploy", "staging", "--yes", "--image", &image, "--version", "2.0"];
    project.check(&args, &expect![[r#"
        api rollback_stuck going back failed at api/health
        exit 7, api:1 2, RegisterTaskDefinition 1, RunTask 1, UpdateService 2, StopServiceDeployment 0
    "#]]);
    project.place.write("trusted.pem", &secured.certificate);
    let trusting = |args: &[&str]| {
        let trusted = project.place.repository().join("trusted.pem");
        let output = project.launchway(args).env("SSL_CERT_FILE", trusted).output();
        let output = output.expect("it starts");
        (output.status.code(), text(&output.stdout))
    };
    let (exit, said) = trusting(&args);
    assert_eq!(exit, Some(0), "{said}");
    let (exit, said) = trusting(&["verify", "staging"]);
    assert_eq!((exit, said.starts_with("✓ api/health")), (Some(0), true), "{said}");
}

/// A command in a task of what runs: nothing is registered for it, and the service is left alone.
#[test]
fn a_command_runs_in_a_task_of_what_runs() {
    let project = Project::new("");
    let image = image('b');
    let args = ["deploy", "staging", "--yes", "--image", &image, "--version", "2.0"];
    assert_eq!(project.run(&args).exit, 0);
    project.front.with(|cloud| {
        cloud.script_command(&digest('b'), &["reindex"], Image::exits(1000, 0));
        cloud.script_command(&digest('b'), &["break"], Image::exits(1000, 3));
    });
    project.check(&["task", "run", "staging", "--yes", "--", "reindex"], &expect![[r#"
        api succeeded null
        exit 0, api:2 2, RegisterTaskDefinition 1, RunTask 2, UpdateService 1, StopServiceDeployment 0
    "#]]);
    project.check(&["task", "run", "staging", "--yes", "--", "break"], &expect![[r#"
        api failed it ended with exit code 3
        exit 1, api:2 2, RegisterTaskDefinition 1, RunTask 3, UpdateService 1, StopServiceDeployment 0
    "#]]);
}

/// Killed behind the update: whoever comes next finds what was done, and nothing is done twice.
#[test]
fn a_deployment_that_is_killed_is_gone_on_with() {
    let project = Project::new("");
    let image = image('b');
    let args = ["deploy", "staging", "--yes", "--image", &image, "--version", "2.0"];
    let mut child = project.launchway(&args);
    let mut child = child.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
    wait_until("the service is updated", || {
        project.front.with(|cloud| cloud.done("ecs:UpdateService") == 1)
    });
    child.kill().expect("it runs");
    child.wait().expect("it ends");
    project.check(&["deployments", "resume"], &expect![[r#"
        api succeeded null
        exit 0, api:2 2, RegisterTaskDefinition 1, RunTask 1, UpdateService 1, StopServiceDeployment 0
    "#]]);
}

/// References, files and values for everybody: each goes where it belongs, and what is private
/// stands nowhere but in the container.
#[test]
fn secrets_and_files_reach_the_container_and_nothing_else() {
    let project = Project::new(
        "    services: { api: { settings: settings/staging.env,
              secrets: { DATABASE_URL: 'secretsmanager:planner/db#url' } } }",
    );
    let deploy = |expect: &Expect| {
        let image = image('b');
        let args = ["deploy", "staging", "--yes", "--image", &image, "--version", "2.0"];
        project.check(&args, expect);
    };
    let file = |text: &str| project.place.write("settings/staging.env", text);
    deploy(&expect![[r#"
        error: settings/staging.env is not here
        hint: its example says what it holds; launchway check compares them
        exit 5, api:1 2, RegisterTaskDefinition 0, RunTask 0, UpdateService 0, StopServiceDeployment 0
    "#]]);
    file("REGION_NAME=somewhere-quiet\nLEVEL=from-file\nDB_PASSWORD=hunter-two\n");
    deploy(&expect![[r#"
        error: DB_PASSWORD of settings/staging.env looks private, and everybody who may look at a task definition of api would read it
        hint: put it into Secrets Manager, and where it lies under `secrets`: DB_PASSWORD: secretsmanager:NAME
        exit 3, api:1 2, RegisterTaskDefinition 0, RunTask 0, UpdateService 0, StopServiceDeployment 0
    "#]]);
    file("REGION_NAME=somewhere-quiet\nLEVEL=from-file\n");
    deploy(&expect![[r#"
        api refused api cannot be deployed there
        exit 4, api:1 2, RegisterTaskDefinition 0, RunTask 0, UpdateService 0, StopServiceDeployment 0
    "#]]);
    let arn = project.front.with(|cloud| {
        let body = json!({"Name": "planner/db", "SecretString": "{\"url\": \"postgres://\"}"});
        let given = ask(cloud, "secretsmanager.CreateSecret", &body);
        given["ARN"].as_str().expect("it is made").to_owned()
    });
    let image = image('b');
    let said = project.run(&["deploy", "staging", "--plan", "--image", &image, "--version", "2.0"]);
    let is_one =
        |it: &&str| it.starts_with("containerDefinitions[app].e") || it.contains("[app].s");
    let changes = said.stdout.lines().map(str::trim_start).filter(is_one);
    expect![[r#"
          containerDefinitions[app].environment[LEVEL]: another value -> info
          containerDefinitions[app].environment[REGION_NAME]: (nothing) -> a value
          containerDefinitions[app].secrets[DATABASE_URL]: (nothing) -> ARN:url::"#]]
    .assert_eq(&changes.collect::<Vec<_>>().join("\n").replace(&arn, "ARN"));
    deploy(&expect![[r#"
        api succeeded null
        exit 0, api:2 2, RegisterTaskDefinition 1, RunTask 1, UpdateService 1, StopServiceDeployment 0
    "#]]);
    expect![[r#"[{"name":"LEVEL","value":"info"},{"name":"REGION_NAME","value":"somewhere-quiet"}] [{"name":"DATABASE_URL","valueFrom":"ARN:url::"}]"#]].assert_eq(&project.registered().replace(&arn, "ARN"));
    // What is not in the settings any more goes.
    file("OTHER=1\n");
    deploy(&expect![[r#"
        api succeeded null
        exit 0, api:3 2, RegisterTaskDefinition 2, RunTask 2, UpdateService 2, StopServiceDeployment 0
    "#]]);
    expect![[r#"[{"name":"LEVEL","value":"info"},{"name":"OTHER","value":"1"}] [{"name":"DATABASE_URL","valueFrom":"ARN:url::"}]"#]].assert_eq(&project.registered().replace(&arn, "ARN"));
    let mut folders = vec![project.place.state()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let bytes = std::fs::read(&path).unwrap_or_default();
            let kept = bytes.windows(15).any(|it| it == b"somewhere-quiet");
            assert!(!kept, "{}", path.display());
        }
    }
}

/// A snapshot before the migration, one for both attempts of a killed command; the list knows it,
/// and it becomes a new database beside the one that runs.
#[test]
fn a_database_is_put_aside_once_and_restored_beside_itself() {
    let project = Project::new("    backup: { rds: '{project}-db' }");
    project.front.with(|cloud| {
        cloud.add_database("planner-db", false);
        cloud.snapshots_take(20_000, false);
    });
    let image = image('b');
    let args = ["deploy", "staging", "--yes", "--image", &image, "--version", "2.0"];
    let mut child = project.launchway(&args);
    let mut child = child.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
    wait_until("a snapshot is asked for", || {
        project.front.with(|cloud| cloud.snapshots().len() == 1)
    });
    child.kill().expect("it runs");
    child.wait().expect("it ends");
    project.check(&["deployments", "resume"], &expect![[r#"
        api succeeded null
        exit 0, api:2 2, RegisterTaskDefinition 1, RunTask 1, UpdateService 1, StopServiceDeployment 0
    "#]]);
    let said = project.run(&["backups", "list", "--format", "json"]);
    let [only] = &said.lines()[..] else { panic!("{}", said.stdout) };
    let id = only["backup"].as_str().expect("a name").to_owned();
    expect![[r#""planner-db" "staging" "1" "available""#]].assert_eq(&format!(
        "{} {} {} {}",
        only["database"], only["environment"], only["deployment"], only["state"]
    ));
    let restore = |more: &[&str]| {
        project
            .run(&[&["backups", "restore", &id, "--reason", "a drill", "--yes"][..], more].concat())
    };
    let over = restore(&["--as", "planner-db"]);
    expect![[r#"
        4 error: planner-db is the one that runs
        hint: a backup becomes a new database: --as NAME
    "#]]
    .assert_eq(&format!("{} {}", over.exit, over.stderr));
    let said = restore(&[]);
    let told = said.stdout.lines().skip_while(|it| !it.starts_with("planner-db-of-1 is there"));
    let told = told.take_while(|it| !it.starts_with('✓'));
    expect![[r#"
        planner-db-of-1 is there. To let it take the place of planner-db:
          1. look at what is in it, at the address that aws rds describe-db-instances says; it has network and parameters of planner-db, or the account's usual ones where that is gone
          2. stop what writes to planner-db: launchway scale staging --to 0 (what comes after this is lost)
          3. put the old one aside: aws rds modify-db-instance --region eu-central-1 --db-instance-identifier planner-db --new-db-instance-identifier planner-db-before --apply-immediately
          4. when that is done, let the new one take its name: aws rds modify-db-instance --region eu-central-1 --db-instance-identifier planner-db-of-1 --new-db-instance-identifier planner-db --apply-immediately
          5. start what writes to it: launchway scale staging --to N
          6. when everything is well, and not before, delete planner-db-before
    "#]].assert_eq(&told.map(|it| format!("{it}\n")).collect::<String>());
    assert_eq!(said.exit, 0, "{}{}", said.stdout, said.stderr);
    let databases = project
        .front
        .with(|cloud| cloud.databases().into_iter().map(str::to_owned).collect::<Vec<_>>());
    assert_eq!(databases, ["planner-db", "planner-db-of-1"]);
    let history = project.run(&["history", "--format", "json"]);
    let kinds: Vec<_> = history.lines().iter().map(|it| it["kind"].to_string()).collect();
    assert_eq!(kinds, ["\"task\"", "\"release\""]);
}

/// The last lines of each task, then those of the tasks that a deployment brings, until Ctrl-C.
#[test]
fn logs_of_tasks_are_read_and_followed() {
    let project = Project::new("");
    let said = project.run(&["logs", "staging", "--format", "json"]);
    let lines = said.lines();
    let texts: Vec<_> = lines.iter().map(|it| it["text"].as_str().unwrap_or_default()).collect();
    assert_eq!(texts, ["hello from 1.0", "hello from 1.0"], "{}{}", said.stdout, said.stderr);
    let one = lines[0]["instance"].as_str().expect("a task's id").to_owned();
    let said = project.run(&["logs", "staging", "--instance", &one]);
    assert_eq!((said.exit, said.stdout.as_str()), (0, "hello from 1.0\n"));
    let said = project.run(&["logs", "staging", "--instance", "nobody"]);
    expect![[r#"
        5 error: no task of api-service that runs is called nobody
        hint: launchway status says what runs where; what stopped tasks said: launchway deployments show
    "#]].assert_eq(&format!("{} {}", said.exit, said.stderr));
    let mut following = project.launchway(&["logs", "staging", "--follow", "--format", "json"]);
    let mut following = following.stdout(Stdio::piped()).spawn().expect("it starts");
    let mut printed = BufReader::new(following.stdout.take().expect("a pipe")).lines();
    let mut next = || printed.next().expect("more").expect("text");
    assert!(next().contains("hello from 1.0"));
    let image = image('b');
    let args =
        ["deploy", "staging", "--yes", "--skip-migrations", "--image", &image, "--version", "2.0"];
    assert_eq!(project.run(&args).exit, 0);
    while !next().contains("hello from 2.0") {}
    let id = rustix::process::Pid::from_child(&following);
    rustix::process::kill_process(id, rustix::process::Signal::INT).expect("it runs");
    assert_eq!(following.wait().expect("it ends").code(), Some(0));
}

/// The number of tasks, and nothing else of the service.
#[test]
fn a_service_is_scaled_unless_something_else_scales_it() {
    let project = Project::new("");
    let image = image('b');
    let args =
        ["deploy", "staging", "--yes", "--skip-migrations", "--image", &image, "--version", "2.0"];
    assert_eq!(project.run(&args).exit, 0);
    project.check(&["scale", "staging", "--to", "4", "--yes"], &expect![[r#"
        api succeeded null
        exit 0, api:2 4, RegisterTaskDefinition 1, RunTask 0, UpdateService 2, StopServiceDeployment 0
    "#]]);
    project.front.with(|cloud| {
        let body = json!({"ServiceNamespace": "ecs", "ResourceId": "service/staging/api-service",
            "ScalableDimension": "ecs:service:DesiredCount", "MinCapacity": 2, "MaxCapacity": 8});
        ask(cloud, "AnyScaleFrontendService.RegisterScalableTarget", &body);
    });
    project.check(&["scale", "staging", "--to", "1", "--yes"], &expect![[r#"
        api refused api cannot be deployed there
        exit 4, api:2 4, RegisterTaskDefinition 1, RunTask 0, UpdateService 2, StopServiceDeployment 0
    "#]]);
    project.check(&["scale", "staging", "--to", "1", "--force", "--yes"], &expect![[r#"
        api succeeded null
        exit 0, api:2 1, RegisterTaskDefinition 1, RunTask 0, UpdateService 3, StopServiceDeployment 0
    "#]]);
}

/// Alarms of the settings are looked at before anything changes, and watched behind it.
#[test]
fn alarms_of_the_settings_are_looked_at_and_watched() {
    let project = Project::new("    verify: { alarms: [api-5xx], logs: [PANIC] }");
    let image = image('b');
    let plan = || {
        let said =
            project.run(&["deploy", "staging", "--plan", "--image", &image, "--version", "2.0"]);
        let told = [said.stdout.as_str(), said.stderr.as_str()].concat();
        let told = told.lines().filter(|it| it.contains("api-5xx"));
        format!("{}\nexit {}", told.collect::<Vec<_>>().join("\n"), said.exit)
    };
    expect![[r#"
        error: api: there is no alarm api-5xx: make it, or correct `verify.alarms`
        exit 4"#]]
    .assert_eq(&plan());
    project.front.with(|cloud| cloud.set_alarm("api-5xx", "ALARM"));
    expect![[r#"
        error: api: the alarm api-5xx is on already (Threshold Crossed: 1 datapoint was greater than the threshold (5.0).): see to that first, or take it out of `verify.alarms`
        exit 4"#]].assert_eq(&plan());
    project.front.with(|cloud| cloud.set_alarm("api-5xx", "OK"));
    expect![[r#"
          5. api/watch  watches that api-5xx stay quiet, and what is printed, for 120 s
        exit 0"#]]
    .assert_eq(&plan());
}

/// The budget is asked behind the smoke tests, at the environment's address.
#[test]
fn a_service_that_is_too_faulty_goes_back() {
    let url = crate::doctor::answering(503);
    let project = Project::new(&format!(
        "    url: {url}
    verify: {{ smoke: [{{ get: /tasks, status: 503 }}], budget: {{ p95: 20s, errors: 5 }} }}"
    ));
    let image = image('b');
    let args = ["deploy", "staging", "--yes", "--image", &image, "--version", "2.0"];
    project.check(&args, &expect![[r#"
        api rolled_back api is slower or more faulty than its budget allows
        exit 6, api:1 2, RegisterTaskDefinition 1, RunTask 1, UpdateService 2, StopServiceDeployment 0
    "#]]);
}
