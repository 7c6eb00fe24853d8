//! Signing in to AWS: our own issuer's tokens, proven by what it publishes; the role of an environment,
//! written and looked at.

use std::os::unix::fs::PermissionsExt as _;
use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use expect_test::{Expect, expect};
use model_cloud::{Answer, Clock, Cloud, Front, Request};
use serde_json::{Value as Json, json};

use crate::harness::{Place, Said};

const SETTINGS: &str = "
version: 1
project: planner
services:
  api: { migrate: { run: [migrate] } }
environments:
  staging:
    region: eu-central-1
    account: \"111122223333\"
    credentials:
      assume: { role: 'arn:aws:iam::111122223333:role/planner-staging', issuer: https://tokens.example.com }
    targets: { ecs: { cluster: staging, service: '{service}-service' } }
    backup: { rds: planner-db }
";

fn ask(cloud: &mut Cloud, operation: &str, body: &Json) {
    let target = format!("AmazonEC2ContainerServiceV20141113.{operation}");
    let request = Request { target, body: body.to_string(), ..Request::default() };
    assert!(matches!(cloud.answer(&request), Answer::Said { status: 200, .. }), "{operation}");
}

fn place() -> Place {
    let place = Place::with(&[("launchway.yml", SETTINGS)]);
    place.git(&["remote", "add", "origin", "git@example.com:planner-team/planner.git"]);
    place
}

fn front() -> Front {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis();
    let now = u64::try_from(now).expect("before the year 500 million");
    let mut cloud = Cloud::new("111122223333", "eu-central-1", now);
    ask(&mut cloud, "CreateCluster", &json!({"clusterName": "staging"}));
    let app = json!({"name": "app", "image": "repo:1", "memory": 128, "logConfiguration":
        {"logDriver": "awslogs", "options": {"awslogs-group": "/ecs/api"}}});
    let body = json!({"family": "api", "containerDefinitions": [app],
        "executionRoleArn": "arn:aws:iam::111122223333:role/execution"});
    ask(&mut cloud, "RegisterTaskDefinition", &body);
    let body = json!({"cluster": "staging", "serviceName": "api-service", "desiredCount": 1,
        "taskDefinition": "api", "launchType": "FARGATE"});
    ask(&mut cloud, "CreateService", &body);
    cloud.advance(now + 60_000);
    Front::serve(cloud, Clock::Held, 0).expect("a port")
}

fn with_cloud(place: &Place, front: &Front, args: &[&str]) -> Said {
    let mut command = place.launchway(args);
    command.env("AWS_ENDPOINT_URL", front.url());
    Said::from(command.output().expect("it starts"))
}

/// The token that STS was given last.
fn token(front: &Front) -> String {
    front.with(|cloud| {
        let mut calls = cloud.calls().iter().rev();
        let call = calls.find(|it| it.action == "sts:AssumeRoleWithWebIdentity").expect("one");
        call.request["WebIdentityToken"].as_str().expect("it has one").to_owned()
    })
}

/// What a token says, where one of the published keys has signed it.
fn proven(token: &str, key_set: &Json) -> Option<Json> {
    let decoded = |it: &str| URL_SAFE_NO_PAD.decode(it).ok();
    let (said, signature) = token.rsplit_once('.')?;
    let (head, payload) = said.split_once('.')?;
    let head: Json = serde_json::from_slice(&decoded(head)?).ok()?;
    let key = key_set["keys"].as_array()?.iter().find(|it| it["kid"] == head["kid"])?;
    let (n, e) = (decoded(key["n"].as_str()?)?, decoded(key["e"].as_str()?)?);
    let key = RsaPublicKeyComponents { n, e };
    key.verify(&RSA_PKCS1_2048_8192_SHA256, said.as_bytes(), &decoded(signature)?).ok()?;
    serde_json::from_slice(&decoded(payload)?).ok()
}

#[test]
fn a_token_of_our_own_is_proven_by_what_is_published() {
    let (place, front) = (place(), front());
    let published = place.path("public").display().to_string();
    let publish = ["issuer", "publish", "--url", "https://tokens.example.com", "--to", &published];
    assert_eq!(place.run(&publish).exit, 0);
    let said = with_cloud(&place, &front, &["doctor", "staging", "--format", "json"]);
    assert!(said.lines().iter().any(|it| it["check"] == "sign-in" && it["state"] == "ok"));
    let file = |name: &str| -> Json {
        let text = std::fs::read_to_string(place.path("public/.well-known").join(name));
        serde_json::from_str(&text.expect("it is published")).expect("JSON")
    };
    assert_eq!(file("openid-configuration")["issuer"], "https://tokens.example.com");
    let claims = proven(&token(&front), &file("jwks")).expect("it is proven");
    let word = |key: &str| claims[key].as_str().unwrap_or_default().to_owned();
    assert_eq!(word("sub"), "repo:planner-team/planner:environment:staging");
    assert_eq!(
        (word("iss"), word("aud")),
        ("https://tokens.example.com".to_owned(), "sts.amazonaws.com".to_owned(),)
    );
    // A new key is published beside the old one, which still signs.
    assert_eq!(place.run(&["issuer", "rotate"]).exit, 0);
    let keys = place.run(&["issuer", "keys", "--format", "json"]).lines();
    let signs: Vec<&Json> = keys.iter().map(|it| &it["signs"]).collect();
    assert_eq!(signs, [&json!(true), &json!(false)]);
    let folder = place.state().join("issuer");
    for entry in std::fs::read_dir(folder).expect("it is there").flatten() {
        let mode = entry.metadata().expect("it is there").permissions().mode();
        let is_key = entry.path().extension().is_some_and(|it| it == "key");
        assert!(!is_key || mode & 0o077 == 0, "{}", entry.path().display());
    }
    let plain = place.run(&["issuer", "publish", "--url", "http://x", "--to", &published]);
    expect![[r#"
        error: http://x does not begin with https://
        hint: a cloud fetches the files over TLS only
        exit 2
    "#]]
    .assert_eq(&format!("{}exit {}\n", plain.stderr, plain.exit));
}

/// Statements by name: actions, and the resources that are not those of a cluster.
fn statements(said: &Said) -> String {
    assert_eq!(said.exit, 0, "{}", said.stderr);
    let line = said.lines().remove(0);
    let list = |it: &Json| {
        let words = it.as_array().into_iter().flatten().filter_map(Json::as_str);
        words.collect::<Vec<_>>().join(" ")
    };
    let statements = line["policy"]["Statement"].as_array().cloned().unwrap_or_default();
    let lines = statements.iter().map(|it| {
        let name = it["Sid"].as_str().unwrap_or_default();
        format!("{name}: {} | {}\n", list(&it["Action"]), list(&it["Resource"]))
    });
    lines.collect()
}

#[test]
fn the_role_of_an_environment_is_derived_and_more_exact_after_a_look() {
    let (place, front) = (place(), front());
    let args = ["environments", "iam", "staging", "--format", "json"];
    let said = place.run(&args);
    expect![[r#"
        note: roles and log groups of tasks are those of the whole account: --exact looks which they are
        note: the numbers of owner and repository are not known here: any are taken behind their names
    "#]].assert_eq(&said.stderr);
    expect![[r#"
        Service: ecs:DescribeServices ecs:ListServiceDeployments ecs:UpdateService | arn:aws:ecs:eu-central-1:111122223333:service/staging/api-service
        ServiceDeployments: ecs:DescribeServiceRevisions ecs:StopServiceDeployment | arn:aws:ecs:eu-central-1:111122223333:service-deployment/staging/api-service/* arn:aws:ecs:eu-central-1:111122223333:service-revision/staging/api-service/*
        TaskDefinitions: ecs:DescribeTaskDefinition ecs:ListTaskDefinitions ecs:RegisterTaskDefinition | *
        TagsOfRevisions: ecs:TagResource | arn:aws:ecs:eu-central-1:111122223333:task-definition/*:*
        ListOfTasks: ecs:ListTasks | *
        Tasks: ecs:DescribeTasks | arn:aws:ecs:eu-central-1:111122223333:task/staging/*
        Targets: elasticloadbalancing:DescribeTargetHealth | *
        Migrations: ecs:RunTask | arn:aws:ecs:eu-central-1:111122223333:task-definition/*:*
        MigrationsThatDoNotEnd: ecs:StopTask | arn:aws:ecs:eu-central-1:111122223333:task/staging/*
        ImagesOfWayBack: ecr:BatchGetImage | arn:aws:ecr:eu-central-1:111122223333:repository/*
        PlacesOfWayBack: application-autoscaling:DescribeScalableTargets ec2:DescribeSecurityGroups ec2:DescribeSubnets elasticloadbalancing:DescribeTargetGroups logs:DescribeLogGroups | *
        RolesOfWayBack: iam:GetRole | arn:aws:iam::111122223333:role/*
        RolesOfTasks: iam:PassRole | arn:aws:iam::111122223333:role/*
        LastLines: logs:GetLogEvents | arn:aws:logs:eu-central-1:111122223333:log-group:*:log-stream:*
        Backups: rds:DescribeDBInstances rds:DescribeDBSnapshots rds:CreateDBSnapshot | arn:aws:rds:eu-central-1:111122223333:db:planner-db arn:aws:rds:eu-central-1:111122223333:snapshot:launchway-*
        TagsOfBackups: rds:AddTagsToResource | arn:aws:rds:eu-central-1:111122223333:snapshot:launchway-*
    "#]].assert_eq(&statements(&said));
    let exact = with_cloud(&place, &front, &[&args[..], &["--exact"]].concat());
    let exact = statements(&exact);
    let looked: String = exact
        .lines()
        .filter(|it| {
            ["RolesOfTasks", "LastLines", "Migrations:"].iter().any(|name| it.starts_with(name))
        })
        .map(|it| format!("{it}\n"))
        .collect();
    expect![[r#"
        Migrations: ecs:RunTask | arn:aws:ecs:eu-central-1:111122223333:task-definition/api:*
        RolesOfTasks: iam:PassRole | arn:aws:iam::111122223333:role/execution
        LastLines: logs:GetLogEvents | arn:aws:logs:eu-central-1:111122223333:log-group:/ecs/api:log-stream:*
    "#]].assert_eq(&looked);
    for (form, beginning) in [
        ("commands", "aws iam create-open-id-connect-provider"),
        ("terraform", "resource \"aws_iam_openid_connect_provider\" \"planner_staging\""),
    ] {
        let said = place.run(&["environments", "iam", "staging", "--as", form]);
        assert!(said.stdout.starts_with(beginning), "{}", said.stdout);
    }
}

/// Who builds may push, who takes from below may read there, who wants a scan may ask for it.
#[test]
fn rights_at_ecr_are_those_of_the_repositories() {
    let ecs = "targets: { ecs: { cluster: c } }";
    let settings = format!(
        "
version: 1
project: planner
services:
  api: {{ build: {{ context: . }}, image: 'planner-{{env}}' }}
environments:
  staging: {{ region: eu-central-1, account: '111122223333', {ecs} }}
  production:
    region: eu-central-1
    account: '111122223333'
    deploy: {{ promote: staging }}
    scan: high
    {ecs}
"
    );
    let place = Place::with(&[("launchway.yml", &settings)]);
    place.git(&["remote", "add", "origin", "git@example.com:planner-team/planner.git"]);
    let check = |environment: &str, expect: &Expect| {
        let said = place.run(&["environments", "iam", environment, "--format", "json"]);
        let of_images = |it: &&str| !it.starts_with("ImagesOfWayBack") && it.contains("ecr:");
        let all = statements(&said);
        let lines: Vec<&str> = all.lines().filter(of_images).collect();
        expect.assert_eq(&lines.join("\n"));
    };
    check(
        "staging",
        &expect![[r#"
        Images: ecr:BatchCheckLayerAvailability ecr:BatchGetImage ecr:CompleteLayerUpload ecr:DescribeRepositories ecr:GetDownloadUrlForLayer ecr:InitiateLayerUpload ecr:PutImage ecr:UploadLayerPart | arn:aws:ecr:eu-central-1:111122223333:repository/planner-staging
        SignInToRegistry: ecr:GetAuthorizationToken | *"#]],
    );
    check(
        "production",
        &expect![[r#"
        Images: ecr:BatchCheckLayerAvailability ecr:BatchGetImage ecr:CompleteLayerUpload ecr:DescribeRepositories ecr:GetDownloadUrlForLayer ecr:InitiateLayerUpload ecr:PutImage ecr:UploadLayerPart | arn:aws:ecr:eu-central-1:111122223333:repository/planner-production
        SignInToRegistry: ecr:GetAuthorizationToken | *
        ImagesCopied: ecr:BatchGetImage ecr:GetDownloadUrlForLayer | arn:aws:ecr:eu-central-1:111122223333:repository/planner-staging
        Scans: ecr:DescribeImageScanFindings ecr:DescribeRepositories ecr:StartImageScan | arn:aws:ecr:eu-central-1:111122223333:repository/planner-production"#]],
    );
}

/// Dumps have rights of their own, whatever the service runs on.
#[test]
fn a_dump_needs_its_bucket_and_its_address() {
    let dump = "backup: { dump: { url: 'ssm:/planner/url', to: 's3://planner-backups/staging' } }";
    let settings = SETTINGS
        .replace("targets: { ecs: { cluster: staging, service: '{service}-service' } }", dump)
        .replace("backup: { rds: planner-db }", "targets: { host: 127.0.0.1:8080 }")
        .replace("api: {", "api: { run: [./server],");
    let place = Place::with(&[("launchway.yml", &settings)]);
    place.git(&["remote", "add", "origin", "git@example.com:planner-team/planner.git"]);
    let said = place.run(&["environments", "iam", "staging", "--format", "json"]);
    expect![[r#"
        Dumps: s3:AbortMultipartUpload s3:GetObject s3:PutObject | arn:aws:s3:::planner-backups/staging/launchway-*
        BucketOfDumps: s3:ListBucket s3:ListBucketMultipartUploads | arn:aws:s3:::planner-backups
        AddressOfDatabase: ssm:GetParameters | arn:aws:ssm:eu-central-1:111122223333:parameter/planner/url
    "#]].assert_eq(&statements(&said));
}

fn check_trust(document: &Json, expect: &Expect) {
    let place = place();
    let path = place.path("role.json");
    std::fs::write(&path, document.to_string()).expect("a file");
    let path = path.display().to_string();
    let said = place.run(&["environments", "iam", "staging", "--check-trust", &path]);
    let errors: String = said
        .stderr
        .lines()
        .filter(|it| it.starts_with("error"))
        .map(|it| format!("{it}\n"))
        .collect();
    expect
        .assert_eq(&format!("{}{errors}exit {}\n", said.stdout, said.exit).replace(&path, "FILE"));
}

#[test]
fn a_role_that_is_there_is_looked_at() {
    let of = |sub: &str| {
        json!({"Role": {"RoleName": "planner-staging", "AssumeRolePolicyDocument": {
            "Version": "2012-10-17", "Statement": [{
                "Effect": "Allow", "Action": "sts:AssumeRoleWithWebIdentity",
                "Principal": {"Federated":
                    "arn:aws:iam::111122223333:oidc-provider/tokens.example.com"},
                "Condition": {"StringEquals": {"tokens.example.com:aud": "sts.amazonaws.com",
                    "tokens.example.com:sub": sub}}}]}}})
    };
    check_trust(
        &of("repo:planner-team/planner:environment:staging"),
        &expect![[r#"
        nothing is wrong with it
        exit 0
    "#]],
    );
    check_trust(
        &of("repo:planner-team/planner:ref:refs/heads/main"),
        &expect![[r#"
        error: the role is not given: sub was `repo:planner-team/planner:environment:staging`, the policy wants `repo:planner-team/planner:ref:refs/heads/main` (StringEquals): a job that names an environment never has a branch in its sub
          hint: allow the sub `repo:planner-team/planner:environment:staging`
        exit 3
    "#]],
    );
    check_trust(
        &json!({"Role": {}}),
        &expect![[r#"
        error: FILE is no policy: it has no Statement
        exit 3
    "#]],
    );
}
