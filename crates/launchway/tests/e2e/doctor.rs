//! `launchway doctor`: nothing is flagged where all is well; each thing taken away is.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use expect_test::{Expect, expect};
use model_cloud::{Answer, Clock, Cloud, Front, Health, Image, Request};
use serde_json::{Value as Json, json};

use crate::harness::{Place, Said};

fn ask(cloud: &mut Cloud, operation: &str, body: &Json) -> Json {
    let target = format!("AmazonEC2ContainerServiceV20141113.{operation}");
    let request = Request { target, body: body.to_string(), ..Request::default() };
    match cloud.answer(&request) {
        Answer::Said { body, .. } => serde_json::from_str(&body).expect("the model speaks JSON"),
        Answer::Lost => Json::Null,
    }
}

/// What is there when all is well; a test takes one thing away.
struct Ward {
    container: Json,
    service: Json,
    settings: String,
    /// Its tasks never answer a health check.
    never_well: bool,
    /// What the address answers with.
    status: u16,
    /// Afterwards.
    then: Box<dyn Fn(&mut Cloud)>,
    command: Box<dyn Fn(&mut Command)>,
}

impl Ward {
    fn well() -> Ward {
        let settings = "
version: 1
project: planner
services:
  api: {}
environments:
  staging:
    region: eu-central-1
    account: \"111122223333\"
    url: http://WARD
    targets: { ecs: { cluster: staging, service: '{service}-service', container: app } }
";
        Ward {
            container: json!({"name": "app", "image": "repo:1", "memory": 128,
                "healthCheck": {"command": ["CMD", "true"]}, "logConfiguration":
                {"logDriver": "awslogs", "options": {"awslogs-group": "/ecs/api"}}}),
            service: json!({"cluster": "staging", "serviceName": "api-service", "desiredCount": 1,
                "taskDefinition": "api", "launchType": "FARGATE", "deploymentConfiguration":
                {"deploymentCircuitBreaker": {"enable": true, "rollback": true}},
                "networkConfiguration": {"awsvpcConfiguration": {
                    "subnets": ["subnet-1"], "securityGroups": ["sg-1"]}}}),
            settings: settings.to_owned(),
            never_well: false,
            status: 200,
            then: Box::new(|_| {}),
            command: Box::new(|_| {}),
        }
    }

    /// With other settings.
    fn settings(from: &str, to: &str) -> Ward {
        let well = Ward::well();
        assert!(well.settings.contains(from), "{from}");
        Ward { settings: well.settings.replace(from, to), ..well }
    }

    fn then(deed: impl Fn(&mut Cloud) + 'static) -> Ward {
        Ward { then: Box::new(deed), ..Ward::well() }
    }

    fn doctor(&self) -> Said {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis();
        let now = u64::try_from(now).expect("before the year 500 million");
        let mut cloud = Cloud::new("111122223333", "eu-central-1", now);
        if self.never_well {
            cloud.script("repo:1", Image::with_health(Health::Never));
        }
        ask(&mut cloud, "CreateCluster", &json!({"clusterName": "staging"}));
        let body = json!({"family": "api", "containerDefinitions": [self.container],
            "executionRoleArn": "arn:aws:iam::111122223333:role/execution"});
        ask(&mut cloud, "RegisterTaskDefinition", &body);
        ask(&mut cloud, "CreateService", &self.service);
        cloud.advance(now + 120_000);
        (self.then)(&mut cloud);
        let front = Front::serve(cloud, Clock::Held, 0).expect("a port");
        let url = answering(self.status);
        let place = Place::with(&[("launchway.yml", &self.settings.replace("http://WARD", &url))]);
        let mut command = place.launchway(&["doctor", "staging", "--format", "json"]);
        command
            .env("AWS_ENDPOINT_URL", front.url())
            .env("AWS_ACCESS_KEY_ID", "AKIA111122223333")
            .env("AWS_SECRET_ACCESS_KEY", "secret-of-the-key");
        (self.command)(&mut command);
        let said = Said::from(command.output().expect("it starts"));
        let changes = front.with(|cloud| {
            let reads = ["Describe", "List", "Get", "Batch", "Assume"];
            let is_read = |it: &str| reads.iter().any(|read| it.contains(read));
            let ours = cloud.calls().iter().filter(|it| it.user_agent.starts_with("launchway"));
            ours.filter(|it| !is_read(&it.action)).count()
        });
        assert_eq!(changes, 0, "it looks, and changes nothing");
        said
    }

    fn check(&self, expect: &Expect) {
        expect.assert_eq(&flagged(&self.doctor()));
    }
}

/// A server that always answers so; nobody's address for 0.
pub(crate) fn answering(status: u16) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    if status != 0 {
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let _ = stream.read(&mut [0; 4096]);
                let head = format!(
                    "HTTP/1.1 {status} x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
                );
                let _ = stream.write_all(head.as_bytes());
            }
        });
    }
    url
}

/// What is not as it should be, and how it ends. Addresses are new each time.
fn flagged(said: &Said) -> String {
    let text = |it: &Json| it.as_str().unwrap_or("-").to_owned();
    let lines = said.lines().into_iter().filter(|it| it["state"] != "ok");
    let lines = lines.map(|it| {
        let (state, check) = (text(&it["state"]), text(&it["check"]));
        format!("{state} {check}: {}; {}\n", text(&it["message"]), text(&it["hint"]))
    });
    let lines: String = lines.collect();
    let mut words = String::new();
    for word in lines.split_inclusive([' ', '\n', '/']) {
        match word.split_once("127.0.0.1:") {
            _ if word.trim_end().len() > 12
                && word.trim_end().bytes().all(|it| it.is_ascii_digit()) =>
            {
                words += "ID ";
            }
            Some((before, port)) => {
                let rest = port.trim_start_matches(|it: char| it.is_ascii_digit());
                words += &format!("{before}ADDRESS{rest}");
            }
            None => words += word,
        }
    }
    format!("{words}{}exit {}\n", said.stderr, said.exit)
}

#[test]
fn nothing_is_flagged_where_all_is_well() {
    let said = Ward::well().doctor();
    expect![[r#"
        exit 0
    "#]]
    .assert_eq(&flagged(&said));
    let checks: Vec<String> =
        said.lines().iter().map(|it| it["check"].as_str().unwrap_or_default().to_owned()).collect();
    expect!["git, docker, disk, journal, sign-in, access key, account, address, service, deployment, way back, circuit breaker, health check"].assert_eq(&checks.join(", "));
}

#[test]
fn who_we_are_and_what_we_may() {
    let without_keys = Ward {
        command: Box::new(|command| {
            command.env_remove("AWS_ACCESS_KEY_ID");
        }),
        ..Ward::well()
    };
    without_keys.check(&expect![[r#"
        error sign-in: sts:GetCallerIdentity: there are no AWS credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, or AWS_ROLE_ARN with AWS_WEB_IDENTITY_TOKEN_FILE; docs/aws-sign-in.md says which ways there are
        exit 5
    "#]]);
    Ward::settings("111122223333", "999900001111").check(&expect![[r#"
        error account: the credentials are of the AWS account 111122223333, and the settings want 999900001111; sign in to that one, or correct `account`
        exit 4
    "#]]);
    Ward::settings("    account: \"111122223333\"\n", "").check(&expect![[r#"
        warning account: nothing says that it should be 111122223333; write `account` under environments.staging: then no other is touched
        exit 0
    "#]]);
    let year = 365 * 24 * 60 * 60 * 1000;
    Ward::then(move |cloud| cloud.keys_made(cloud.now() - year)).check(&expect![[r#"
        warning access key: a stored key, AKIA111122223333, made 364 days ago; a role needs no stored key: launchway environments iam staging writes it, and `credentials: { assume: ARN }` takes it; until then make a new key and delete this one
        exit 0
    "#]]);
    Ward::then(|cloud| cloud.deny("iam:ListAccessKeys")).check(&expect![[r#"
        unseen access key: how old the access key is was not looked at: iam:ListAccessKeys: AccessDeniedException: User: arn:aws:iam::111122223333:user/deployer is not authorized to perform: iam:ListAccessKeys because no identity-based policy allows the iam:ListAccessKeys action; -
        exit 0
    "#]]);
    Ward::then(|cloud| cloud.deny("ecs:DescribeServices")).check(&expect![[r#"
        error access: these credentials may not ecs:DescribeServices: User: arn:aws:iam::111122223333:user/deployer is not authorized to perform: ecs:DescribeServices because no identity-based policy allows the ecs:DescribeServices action; `launchway environments iam` writes what is needed
        exit 4
    "#]]);
    Ward::then(|cloud| cloud.deny("ecs:DescribeTaskDefinition")).check(&expect![[r#"
        error access: these credentials may not ecs:DescribeTaskDefinition: User: arn:aws:iam::111122223333:user/deployer is not authorized to perform: ecs:DescribeTaskDefinition because no identity-based policy allows the ecs:DescribeTaskDefinition action; `launchway environments iam` writes what is needed
        exit 4
    "#]]);
    let role = "    credentials: { assume: 'arn:aws:iam::111122223333:role/deployer' }\n    url: http://WARD";
    let mut refused = Ward::settings("    url: http://WARD", role);
    refused.then = Box::new(|cloud| cloud.distrust("arn:aws:iam::111122223333:role/deployer"));
    refused.check(&expect![[r#"
        error sign-in: sts:AssumeRole: AccessDenied: Not authorized to perform sts:AssumeRoleWithWebIdentity; the role's trust must take the issuer https://token.actions.githubusercontent.com and the sub repo:local/repository:environment:staging or repo:local@*/repository@*:environment:staging: launchway environments iam staging
        exit 4
    "#]]);
}

#[test]
fn what_is_deployed_to() {
    Ward::settings("cluster: staging", "cluster: elsewhere").check(&expect![[r#"
        error service: there is no active service api-service in the cluster elsewhere of eu-central-1 (there is no such cluster); make it first, or correct `targets.ecs`
        exit 5
    "#]]);
    Ward::settings("{service}-service", "{service}").check(&expect![[r#"
        error service: there is no active service api in the cluster staging of eu-central-1 (MISSING); make it first, or correct `targets.ecs`
        exit 5
    "#]]);
    Ward::settings("container: app", "container: web").check(&expect![[r#"
        error deployment: api:1 has no container web; set `targets.ecs.container` to one of app
        exit 5
    "#]]);
    let mut by_another = Ward::well();
    by_another.service["deploymentController"] = json!({"type": "CODE_DEPLOY"});
    by_another.check(&expect![[r#"
        error deployment: deployments of api-service are done by CODE_DEPLOY, which Launchway does not drive yet; make a service with the deployment controller ECS
        exit 5
    "#]]);
    Ward::then(|cloud| {
        ask(cloud, "DeregisterTaskDefinition", &json!({"taskDefinition": "api:1"}));
    })
    .check(&expect![[r#"
        error way back: api:1, which would be gone back to, is deregistered; register it again as it is and let the service run that revision
        exit 5
    "#]]);
    Ward::then(|cloud| {
        let body = json!({"cluster": "staging", "service": "api-service", "forceNewDeployment": true});
        ask(cloud, "UpdateService", &body);
    })
    .check(&expect![[r#"
        error deployment: another deployment of api-service is under way (ecs-svc/ID of api:1); wait until it is over, or end it
        exit 5
    "#]]);
    Ward::settings("  api: {}", "  api: { secrets: { DATABASE_URL: secretsmanager:planner/db } }")
        .check(&expect![[r#"
            error deployment: DATABASE_URL: there is no secret planner/db in Secrets Manager of eu-central-1; make it, or correct the reference
            exit 5
        "#]]);
}

/// More of these: target-ecs, feasibility.rs.
#[test]
fn what_a_service_stands_on() {
    let gone = |what: &'static str| Ward::then(move |cloud| cloud.take_away(what));
    gone("arn:aws:iam::111122223333:role/execution").check(&expect![[r#"
        error way back: api:1, which would be gone back to, needs the execution role arn:aws:iam::111122223333:role/execution, which is gone; make it again, with what it may do
        exit 5
    "#]]);
    gone("/ecs/api").check(&expect![[r#"
        error way back: api:1, which would be gone back to, needs the log group /ecs/api, which is gone; make it again (`aws logs create-log-group --region eu-central-1 --log-group-name /ecs/api`)
        exit 5
    "#]]);
    gone("subnet-1").check(&expect![[r#"
        error way back: api:1, which would be gone back to, needs the subnet subnet-1, which is gone; let the service use others
        exit 5
    "#]]);
    gone("sg-1").check(&expect![[r#"
        error way back: api:1, which would be gone back to, needs the security group sg-1, which is gone; let the service use others
        exit 5
    "#]]);
    Ward::then(|cloud| cloud.deny("iam:GetRole")).check(&expect![[r#"
        unseen access: not everything that going back needs was looked at: these credentials may not call iam:GetRole; `launchway environments iam` writes what is needed
        exit 0
    "#]]);
}

/// Whether requests of the load balancer get to the tasks.
#[test]
fn what_the_network_lets_through() {
    let behind = |then: fn(&mut Cloud)| {
        let mut ward = Ward::then(then);
        ward.service["loadBalancers"] = json!([{"containerName": "app", "containerPort": 8000,
            "targetGroupArn": "arn:aws:elasticloadbalancing:eu-central-1:111122223333:targetgroup/api/1"}]);
        ward
    };
    behind(|_| {}).check(&expect![[r#"
        exit 0
    "#]]);
    behind(|cloud| cloud.close("sg-1")).check(&expect![[r#"
        error network: no rule of sg-1 lets the load balancer in at port 8000; aws ec2 authorize-security-group-ingress --group-id sg-1 --protocol tcp --port 8000 --source-group sg-balancer
        exit 5
    "#]]);
    behind(|cloud| cloud.deny("elasticloadbalancing:DescribeLoadBalancers")).check(&expect![[r#"
        unseen network: whether requests reach the tasks was not looked at: elasticloadbalancing:DescribeLoadBalancers: AccessDeniedException: User: arn:aws:iam::111122223333:user/deployer is not authorized to perform: elasticloadbalancing:DescribeLoadBalancers because no identity-based policy allows the elasticloadbalancing:DescribeLoadBalancers action; let whoever asks see load balancers and security groups
        exit 0
    "#]]);
    let mut unwell = behind(|cloud| cloud.targets_fail_by("Target.Timeout", "Request timed out"));
    unwell.never_well = true;
    unwell.service["healthCheckGracePeriodSeconds"] = json!(600);
    unwell.check(&expect![[r#"
        error deployment: another deployment of api-service is under way (ecs-svc/ID of api:1); wait until it is over, or end it
        warning targets: target group api: 1 of 1 unhealthy: Target.Timeout: Request timed out (nobody answered at port 8000 in time: do the security groups of the tasks let the load balancer in, and does the container listen there, at every address?); launchway logs says what the tasks print
        exit 5
    "#]]);
}

#[test]
fn what_helps_when_something_goes_wrong() {
    let mut without = Ward::well();
    without.service["deploymentConfiguration"] = json!({});
    without.check(&expect![[r#"
        warning circuit breaker: ECS starts what does not work again and again; deploymentCircuitBreaker with enable and rollback
        exit 0
    "#]]);
    let mut half = Ward::well();
    half.service["deploymentConfiguration"]["deploymentCircuitBreaker"]["rollback"] = json!(false);
    half.check(&expect![[r#"
        warning circuit breaker: ECS gives up what does not start, and leaves it there; deploymentCircuitBreaker with rollback: then it goes back also where nobody watches
        exit 0
    "#]]);
    let mut unasked = Ward::well();
    unasked.container.as_object_mut().expect("a container").remove("healthCheck");
    unasked.check(&expect![[r#"
        warning health check: nobody asks whether it works: a task that started is taken for one that does; a health check in the task definition, a load balancer, or `health` in the settings
        exit 0
    "#]]);
    // The settings may ask instead.
    unasked.settings = unasked.settings.replace("api: {}", "api: { health: { paths: [/health] } }");
    unasked.check(&expect![[r#"
        exit 0
    "#]]);
}

#[test]
fn where_it_is_reached_and_who_may_deploy() {
    Ward { status: 0, ..Ward::well() }.check(&expect![[r#"
        error address: ADDRESS did not answer: io: Connection refused (os error 111); correct `url`, or let this machine reach it
        exit 5
    "#]]);
    Ward { status: 503, ..Ward::well() }.check(&expect![[r#"
        warning address: http://ADDRESS/ answers with 503; health is asked there after a deployment: correct `url` or `health`
        exit 0
    "#]]);
    Ward::settings("    url: http://WARD", "    level: 3\n    url: http://WARD").check(&expect![[
        r#"
        warning level: level 3: nothing is deployed to staging; from level 4 on a person may deploy
        exit 0
    "#
    ]]);
    let nothing = Ward {
        command: Box::new(|command| {
            command.env("PATH", "/nowhere");
        }),
        ..Ward::well()
    };
    nothing.check(&expect![[r#"
        error git: git is not there; install it: what is shipped is named by its commit
        exit 5
    "#]]);
}

fn check_host(settings: &str, expect: &Expect) {
    let place = Place::with(&[("launchway.yml", settings), ("app/server", "#!/bin/sh\n")]);
    let said = place.run(&["doctor", "staging", "--format", "json"]);
    expect.assert_eq(&flagged(&said));
}

#[test]
fn this_machine_as_a_target() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let taken = listener.local_addr().expect("an address");
    let free = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    let settings = |run: &str, path: &str, listen: &dyn std::fmt::Display| {
        format!(
            "
version: 1
project: planner
services:
  api: {{ run: [{run}], bundle: {{ path: {path} }} }}
environments:
  staging:
    targets: {{ host: '{listen}' }}
"
        )
    };
    check_host(
        &settings("./server", "app", &free),
        &expect![[r#"
        exit 0
    "#]],
    );
    check_host(
        &settings("sh", "app", &taken),
        &expect![[r#"
        error port: something else listens on ADDRESS; end it, or correct `targets.host.listen`
        exit 5
    "#]],
    );
    check_host(
        &settings("./other", "app", &free),
        &expect![[r#"
        warning program: ./other, which starts it, is not there; install it; a program of the bundle is named with a slash: ./server
        exit 0
    "#]],
    );
    check_host(
        &settings("no-such-program", "build", &free),
        &expect![[r#"
        warning folder: there is no folder build; build it, correct `bundle.path`, or ship another: --from DIR
        error program: no-such-program, which starts it, is not there; install it; a program of the bundle is named with a slash: ./server
        exit 5
    "#]],
    );
}
