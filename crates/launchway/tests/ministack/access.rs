//! Who may: tokens, roles, policies, on a server that checks signatures, trusts and permissions. It does
//! not look at a token's signature (crates/issuer: door.rs does), and knows no `iam:PassRole`
//! (target-ecs, on the model cloud).

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use expect_test::expect;
use serde_json::{Value as Json, json};

use crate::harness::Said;
use crate::project::{Project, Unusual, ends, evidence};
use crate::server::{ACCOUNT, strict};
use crate::serving::Serving;

const GITHUB: &str = "https://token.actions.githubusercontent.com";
const ROLE: &str = "arn:aws:iam::111122223333:role/";

/// A token as GitHub's, without a signature that anybody looks at.
fn token(issuer: &str, subject: &str) -> String {
    let part = |it: Json| URL_SAFE_NO_PAD.encode(it.to_string());
    let claims = json!({"iss": issuer, "sub": subject, "aud": "sts.amazonaws.com",
        "exp": 4_000_000_000_u64});
    format!("{}.{}.{}", part(json!({"alg": "RS256"})), part(claims), part(json!("x")))
}

/// A role that is given for tokens like this, and may do this.
fn role(name: &str, trust: &Json, policy: Option<&Json>) {
    let with = json!({"RoleName": name, "AssumeRolePolicyDocument": trust.to_string()});
    strict().ok("iam", "create_role", with);
    if let Some(policy) = policy {
        let with = json!({"RoleName": name, "PolicyName": "launchway",
            "PolicyDocument": policy.to_string()});
        strict().ok("iam", "put_role_policy", with);
    }
}

/// An environment that takes a role.
fn assuming(role: &str, issuer: Option<&str>) -> String {
    let issuer = issuer.map_or(String::new(), |it| format!(", issuer: {it}"));
    format!("    credentials: {{ assume: {{ role: '{ROLE}{role}'{issuer} }} }}\n")
}

/// What `environments iam` wrote.
fn written(said: &Said) -> Json {
    assert_eq!(said.exit, 0, "{}", said.stderr);
    said.lines().remove(0)
}

impl Project {
    /// The trust of its role, for a repository of that address.
    fn trust(&self) -> Json {
        self.has_an_address();
        let said = self.run(&["environments", "iam", "staging", "--format", "json"]);
        written(&said)["trust"].clone()
    }

    /// Without keys: only a token opens.
    fn keyless(&self, args: &[&str]) -> Command {
        let mut command = self.launchway(args);
        command.env_remove("AWS_ACCESS_KEY_ID").env_remove("AWS_SECRET_ACCESS_KEY");
        command
    }

    /// What the settings derive, as the command writes it. ministack asks about the cluster where AWS
    /// asks about services and tasks, about the group where AWS asks about the stream, and knows none
    /// of ECS's conditions.
    fn policy(&self) -> Json {
        let said = self.run(&["environments", "iam", "staging", "--format", "json"]);
        let mut policy = written(&said)["policy"].clone();
        for statement in policy["Statement"].as_array_mut().expect("a list") {
            let action = statement["Action"][0].as_str().unwrap_or_default();
            if action.starts_with("ecs:") || action.starts_with("logs:") {
                statement["Resource"] = json!("*");
                statement.as_object_mut().expect("a statement").remove("Condition");
            }
        }
        policy
    }
}

/// A runner of GitHub Actions as a job sees it: whoever brings the bearer gets the token.
fn runner(subject: &str) -> (String, &'static str) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/token?api=2", listener.local_addr().expect("an address"));
    let given = json!({"value": token(GITHUB, subject)}).to_string();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let lines = BufReader::new(&stream).lines().map_while(Result::ok);
            let head: Vec<String> = lines.take_while(|it| !it.is_empty()).collect();
            let asks = head.iter().any(|it| it.eq_ignore_ascii_case("authorization: bearer asked"))
                && head[0].contains("audience=sts.amazonaws.com");
            let (status, body) = if asks { (200, given.as_str()) } else { (403, "") };
            let length = body.len();
            let _ = write!(
                stream,
                "HTTP/1.1 {status} x\r\ncontent-length: {length}\r\n\
                connection: close\r\n\r\n{body}"
            );
        }
    });
    (url, "asked")
}

/// Our judgement of a trust is the server's, for each pair. `crates/iam` says why.
#[test]
fn trusts_are_judged_as_the_server_judges_them() {
    let pairs: Vec<Json> =
        serde_json::from_str(include_str!("../../../iam/tests/pairs.json")).expect("a list");
    for (number, pair) in pairs.iter().enumerate() {
        let name = format!("pair-{number}");
        role(&name, &pair["trust"], None);
        let part = |it: &Json| URL_SAFE_NO_PAD.encode(it.to_string());
        let token = format!("{}.{}.x", part(&json!({})), part(&pair["token"]));
        let with = json!({"RoleArn": format!("{ROLE}{name}"), "RoleSessionName": "test",
            "WebIdentityToken": token});
        let answer = strict().ask("sts", "assume_role_with_web_identity", with, None);
        assert_eq!(answer["error"].is_null(), pair["given"], "{}: {answer}", pair["name"]);
    }
}

/// Inside GitHub Actions: the runner's token, the role of the environment, the exact policy.
#[test]
fn a_job_signs_in_with_its_token_and_ships() {
    let project = Project::new(
        strict(),
        &Unusual { more: &assuming("of-a-job", None), ..Unusual::default() },
    );
    let trust = project.trust();
    role("of-a-job", &trust, Some(&project.policy()));
    let (url, bearer) = runner("repo:planner-team/planner:environment:staging");
    let image = project.server.image("1.1");
    let deploy = ["deploy", "staging", "--yes", "--image", &image, "--version", "1.1"];
    let deploy = [&deploy[..], &["--format", "json"]].concat();
    let mut command = project.keyless(&deploy);
    command.env("ACTIONS_ID_TOKEN_REQUEST_URL", &url).env("ACTIONS_ID_TOKEN_REQUEST_TOKEN", bearer);
    let said = Said::from(command.output().expect("it starts"));
    project.check(
        &said,
        &expect![[r#"
        succeeded by launchway: -
        exit 0
        revision 2, 1 running, RegisterTaskDefinition 1, RunTask 0, UpdateService 1
    "#]],
    );
}

/// A pull request has no such sub. What it has is said, and what to do.
#[test]
fn a_token_about_something_else_is_refused_and_explained() {
    let project = Project::new(
        strict(),
        &Unusual { more: &assuming("of-another", None), ..Unusual::default() },
    );
    role("of-another", &project.trust(), Some(&project.policy()));
    let file = project.place.path("token");
    std::fs::write(&file, token(GITHUB, "repo:planner-team/planner:pull_request")).expect("a file");
    let image = project.server.image("1.1");
    let deploy = ["deploy", "staging", "--yes", "--image", &image, "--version", "1.1"];
    let mut command = project.keyless(&[&deploy[..], &["--format", "json"]].concat());
    command.env("AWS_WEB_IDENTITY_TOKEN_FILE", &file);
    let said = Said::from(command.output().expect("it starts"));
    expect![[r#"
        refused by launchway: api cannot be deployed there
        exit 4
        target_refused: api cannot be deployed there
        target_refused: these credentials may not sts:AssumeRoleWithWebIdentity: Not authorized to perform sts:AssumeRoleWithWebIdentity (arn:aws:iam::111122223333:role/of-another: the token's iss is https://token.actions.githubusercontent.com, its sub repo:planner-team/planner:pull_request, its aud sts.amazonaws.com)
    "#]].assert_eq(&format!("{}{}", ends(&said), evidence(&said)));
}

/// Our own issuer: its key lies in the state folder, the role trusts its URL.
#[test]
fn a_deployment_signs_in_with_a_token_of_our_own_issuer() {
    let url = "https://tokens.example.com";
    let project = Project::new(
        strict(),
        &Unusual { more: &assuming("of-our-own", Some(url)), ..Unusual::default() },
    );
    role("of-our-own", &project.trust(), Some(&project.policy()));
    let image = project.server.image("1.1");
    let deploy = ["deploy", "staging", "--yes", "--image", &image, "--version", "1.1"];
    let deploy = [&deploy[..], &["--format", "json"]].concat();
    let said = Said::from(project.keyless(&deploy).output().expect("it starts"));
    project.check(
        &said,
        &expect![[r#"
        succeeded by launchway: -
        exit 0
        revision 2, 1 running, RegisterTaskDefinition 1, RunTask 0, UpdateService 1
    "#]],
    );
}

/// The role is of the account, but the settings want another one: nothing is touched.
#[test]
fn credentials_of_another_account_touch_nothing() {
    let project = Project::new(strict(), &Unusual::default());
    let settings = std::fs::read_to_string(project.place.repository().join("launchway.yml"));
    let settings = settings.expect("it is there").replace(ACCOUNT, "999900001111");
    project.place.write("launchway.yml", &settings);
    project.place.commit();
    project.check(
        &project.deploy("1.1", &[]),
        &expect![[r#"
        refused by launchway: api cannot be deployed there
        exit 4
        revision 1, 1 running, RegisterTaskDefinition 0, RunTask 0, UpdateService 0
    "#]],
    );
}

/// A user with a key that may do this and nothing else; `[id, secret]`.
fn user(name: &str, policy: &Json) -> [String; 2] {
    strict().ok("iam", "create_user", json!({"UserName": name}));
    let with = json!({"UserName": name, "PolicyName": "launchway",
        "PolicyDocument": policy.to_string()});
    strict().ok("iam", "put_user_policy", with);
    let key = strict().ok("iam", "create_access_key", json!({"UserName": name}));
    let of = |it: &str| key["AccessKey"][it].as_str().expect("a key").to_owned();
    [of("AccessKeyId"), of("SecretAccessKey")]
}

impl Project {
    fn run_as(&self, key: &[String; 2], args: &[&str]) -> Said {
        let mut command = self.launchway(args);
        command.env("AWS_ACCESS_KEY_ID", &key[0]).env("AWS_SECRET_ACCESS_KEY", &key[1]);
        Said::from(command.output().expect("it starts"))
    }

    fn deploy_as(&self, key: &[String; 2], version: &str) -> Said {
        let image = self.server.image(version);
        let args = ["deploy", "staging", "--yes", "--image", &image, "--version", version];
        self.run_as(key, &[&args[..], &["--format", "json"]].concat())
    }

    /// The origin is what subs are about, and where the rules are read.
    fn has_an_address(&self) {
        let origin = self.place.path("planner-team/planner.git");
        let origin = origin.to_str().expect("a path of letters");
        self.place.git(&["clone", "--quiet", "--bare", ".", origin]);
        self.place.git(&["remote", "add", "origin", origin]);
    }
}

const MIGRATE: &[&str] = &["sh", "-c", "echo created table tasks"];

/// What the settings derive suffices: for a migration and a release, for one that is taken back by us,
/// and for going back.
#[test]
fn the_derived_policy_suffices() {
    let project = Project::new(strict(), &Unusual { migrate: Some(MIGRATE), ..Unusual::default() });
    project.has_an_address();
    let key = user("exact", &project.policy());
    let mut said = ends(&project.deploy_as(&key, "1.1"));
    said += &ends(&project.deploy_as(&key, "1.2"));
    let crashed = project.deploy_as(&key, "crash");
    said += &ends(&crashed);
    let back = ["rollback", "staging", "--to", "1.1", "--reason", "slow", "--yes"];
    said += &ends(&project.run_as(&key, &[&back[..], &["--format", "json"]].concat()));
    expect![[r#"
        succeeded by launchway: -
        exit 0
        succeeded by launchway: -
        exit 0
        rolled_back by platform: ECS gave the deployment up and goes back to CLUSTER:3
        exit 6
        succeeded by launchway: -
        exit 0
    "#]]
    .assert_eq(&project.plain(&said));
    assert!(!evidence(&crashed).contains("AccessDenied"), "{}", evidence(&crashed));
}

/// Every action of it is needed: without any one of them something fails, or is shown less and says so.
/// ministack knows nothing of `iam:PassRole`, of `ecs:TagResource` with a registration, nor of service
/// deployments: the model cloud does (target-ecs: access.rs). `ecs:StopTask` ends migrations whose time
/// is over. Nothing here has roles, repositories of ECR or a network whose way back could be looked at;
/// that too is the model cloud's (target-ecs: feasibility.rs).
#[test]
fn without_any_one_action_it_fails_or_says_what_it_could_not_see() {
    const ELSEWHERE: &[&str] = &[
        "application-autoscaling:DescribeScalableTargets",
        "ec2:DescribeSecurityGroups",
        "ec2:DescribeSubnets",
        "ecr:BatchGetImage",
        "elasticloadbalancing:DescribeTargetGroups",
        "elasticloadbalancing:DescribeTargetHealth",
        "iam:GetRole",
        "logs:DescribeLogGroups",
        "ecs:DescribeServiceRevisions",
        "ecs:ListServiceDeployments",
        "ecs:StopServiceDeployment",
        "ecs:StopTask",
        "ecs:TagResource",
        "iam:PassRole",
    ];
    let first = Project::new(strict(), &Unusual { migrate: Some(MIGRATE), ..Unusual::default() });
    first.has_an_address();
    let policy = first.policy();
    let actions = policy["Statement"].as_array().expect("a list").iter();
    let actions = actions.flat_map(|it| it["Action"].as_array().expect("a list"));
    let mut actions: Vec<&str> = actions.filter_map(Json::as_str).collect();
    actions.retain(|it| !ELSEWHERE.contains(it));
    let ended = std::sync::Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for action in &actions {
            let (policy, ended) = (&policy, &ended);
            scope.spawn(move || {
                let line = without(policy, action);
                ended.lock().expect("nobody panics with it").push(format!("{action}: {line}\n"));
            });
        }
    });
    let mut ended = ended.into_inner().expect("nobody panics with it");
    ended.sort_unstable();
    expect![[r#"
        ecs:DescribeServices: refused, exit 4
        ecs:DescribeTaskDefinition: refused, exit 4
        ecs:DescribeTasks: rolled_back, exit 6
        ecs:ListTaskDefinitions: failed, exit 1
        ecs:ListTasks: rolled_back, exit 6
        ecs:RegisterTaskDefinition: failed, exit 1
        ecs:RunTask: rolled_back, exit 6
        ecs:UpdateService: rolled_back, exit 6
        logs:GetLogEvents: rolled_back, exit 6
    "#]]
    .assert_eq(&ended.concat());
}

/// How a deployment ends without one action: one that succeeds, or for what explains a failure one that
/// crashes.
fn without(policy: &Json, action: &str) -> String {
    let unusual = Unusual { migrate: Some(MIGRATE), within: "25s", ..Unusual::default() };
    let project = Project::new(strict(), &unusual);
    let mut policy = policy.clone();
    let statements = policy["Statement"].as_array_mut().expect("a list");
    for statement in statements.iter_mut() {
        statement["Action"].as_array_mut().expect("a list").retain(|it| it != action);
    }
    statements.retain(|it| it["Action"] != json!([]));
    let key = user(&format!("without-{}", action.replace(':', "-")), &policy);
    let version = if action.starts_with("logs:") { "crash" } else { "1.1" };
    let said = project.deploy_as(&key, version);
    let causes = evidence(&said);
    let told = causes.lines().any(|it| it.contains(action));
    let verdict = said.of("deployment_completed").first().map_or_else(
        || said.stderr.lines().next().unwrap_or_default().to_owned(),
        |it| it["verdict"].as_str().unwrap_or_default().to_owned(),
    );
    assert!(told || said.stderr.contains(action), "{action}: {causes}{}", said.stderr);
    format!("{verdict}, exit {}", said.exit)
}

/// What `doctor` finds that is not as it should be.
fn flagged(said: &Said) -> String {
    let lines = said.lines().into_iter().filter(|it| it["state"] != "ok");
    let text = |it: &Json| it.as_str().unwrap_or("-").to_owned();
    let lines = lines.map(|it| {
        let (state, check) = (text(&it["state"]), text(&it["check"]));
        format!("{state} {check}: {}; {}\n", text(&it["message"]), text(&it["hint"]))
    });
    format!("{}exit {}\n", lines.collect::<String>(), said.exit)
}

/// Whoever may look at the role is told who else may take it, and that nobody can.
#[test]
fn doctor_looks_at_the_roles_trust_and_its_provider() {
    let project = Project::new(
        strict(),
        &Unusual { more: &assuming("looked-at", None), ..Unusual::default() },
    );
    let good = project.trust();
    let mut allowed = project.policy();
    let looks = json!({"Effect": "Allow", "Resource": "*",
        "Action": ["iam:GetRole", "iam:GetOpenIDConnectProvider"]});
    allowed["Statement"].as_array_mut().expect("a list").push(looks);
    role("looked-at", &good, Some(&allowed));
    let file = project.place.path("token");
    let sub = "repo:planner-team/planner:environment:staging";
    std::fs::write(&file, token(GITHUB, sub)).expect("a file");
    let doctor = || {
        let mut command = project.keyless(&["doctor", "staging", "--format", "json"]);
        command.env("AWS_WEB_IDENTITY_TOKEN_FILE", &file);
        flagged(&Said::from(command.output().expect("it starts")))
    };
    expect![[r#"
        error provider: the account does not know the issuer https://token.actions.githubusercontent.com; aws iam create-open-id-connect-provider --url https://token.actions.githubusercontent.com --client-id-list sts.amazonaws.com
        warning health check: nobody asks whether it works: a task that started is taken for one that does; a health check in the task definition, a load balancer, or `health` in the settings
        exit 5
    "#]].assert_eq(&doctor());
    let with = json!({"Url": GITHUB, "ClientIDList": ["sts.amazonaws.com"]});
    strict().ok("iam", "create_open_id_connect_provider", with);
    expect![[r#"
        warning health check: nobody asks whether it works: a task that started is taken for one that does; a health check in the task definition, a load balancer, or `health` in the settings
        exit 0
    "#]].assert_eq(&doctor());
    let trust = |sub: &str| {
        let mut trust = good.clone();
        let key = "token.actions.githubusercontent.com:sub";
        trust["Statement"][0]["Condition"]["StringLike"] = json!({key: sub});
        trust["Statement"][0]["Condition"]["StringEquals"]
            .as_object_mut()
            .expect("keys")
            .remove(key);
        let with = json!({"RoleName": "looked-at", "PolicyDocument": trust.to_string()});
        strict().ok("iam", "update_assume_role_policy", with);
    };
    trust("repo:planner-team/planner:*");
    expect![[r#"
        warning trust: `repo:planner-team/planner:*` trusts every branch, tag and pull request: whoever may push one may deploy; `:environment:NAME`, whose rules say who may deploy
        warning health check: nobody asks whether it works: a task that started is taken for one that does; a health check in the task definition, a load balancer, or `health` in the settings
        exit 0
    "#]].assert_eq(&doctor());
    trust("repo:planner-team/planner:ref:refs/heads/main");
    expect![[r#"
        error sign-in: sts:AssumeRoleWithWebIdentity: AccessDenied: Not authorized to perform sts:AssumeRoleWithWebIdentity (arn:aws:iam::111122223333:role/looked-at: the token's iss is https://token.actions.githubusercontent.com, its sub repo:planner-team/planner:environment:staging, its aud sts.amazonaws.com); the role's trust must take the issuer https://token.actions.githubusercontent.com and the sub repo:planner-team/planner:environment:staging or repo:planner-team@*/planner@*:environment:staging: launchway environments iam staging
        exit 4
    "#]].assert_eq(&doctor());
    // Whoever may look at the role besides is told what it wants.
    let mut command = project.launchway(&["doctor", "staging", "--format", "json"]);
    command.env("AWS_WEB_IDENTITY_TOKEN_FILE", &file);
    let said = flagged(&Said::from(command.output().expect("it starts")));
    assert!(said.contains("error trust: the role is not given: sub was `repo:planner-team/planner:environment:staging`, the policy wants `repo:planner-team/planner:ref:refs/heads/main` (StringLike): a job that names an environment never has a branch in its sub"), "{said}");
}

/// A job on a server of ours signs in with the official action's steps, by a token of the server's own
/// issuer, whose keys are published elsewhere: for the role that trusts its environment, and no other.
#[test]
fn a_job_on_a_server_signs_in_by_the_servers_own_token() {
    const ISSUER: &str = "tokens.serving.example.com";
    let with = json!({"Url": format!("https://{ISSUER}"), "ClientIDList": ["sts.amazonaws.com"]});
    strict().ok("iam", "create_open_id_connect_provider", with);
    let trust = |environment: &str| {
        json!({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow",
            "Principal": {"Federated": format!("arn:aws:iam::{ACCOUNT}:oidc-provider/{ISSUER}")},
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": {"StringEquals": {
                format!("{ISSUER}:aud"): "sts.amazonaws.com",
                format!("{ISSUER}:sub"): format!("repo:octo/app:environment:{environment}"),
            }},
        }]})
    };
    role("of-staging", &trust("staging"), None);
    role("of-production", &trust("production"), None);
    let job = |role: &str| {
        format!(
            "
  {role}:
    runs-on: ubuntu-latest
    environment: staging
    permissions: {{ id-token: write }}
    env: {{ AWS_ENDPOINT_URL: '{}' }}
    steps:
      - uses: aws-actions/configure-aws-credentials@v4
        with: {{ role-to-assume: '{ROLE}{role}', aws-region: eu-central-1, retry-max-attempts: 1 }}
      - run: printf %s \"$AWS_ACCESS_KEY_ID\" > $MARKS/{role}
",
            strict().url
        )
    };
    let workflow = format!("on: push\njobs:\n{}{}", job("of-staging"), job("of-production"));
    let issuer = format!("https://{ISSUER}");
    let serving = Serving::with(&workflow, &["--issuer", &issuer]);
    let bare = serving.place.path("app.git").display().to_string();
    let agreed = ["repositories", "add", &bare, "--name", "octo/app", "--environment", "staging"];
    assert_eq!(serving.command(&agreed).exit, 0);
    assert_eq!(serving.push().exit, 0);
    let run = serving.ended("1");
    let conclusion = |name: &str| {
        let jobs = run["jobs"].as_array().into_iter().flatten();
        jobs.filter(|it| it["name"] == name).map(|it| it["conclusion"].clone()).next()
    };
    assert_eq!(conclusion("of-staging"), Some("success".into()), "{run}");
    assert!(!serving.mark("of-staging").is_empty());
    assert_eq!(conclusion("of-production"), Some("failure".into()), "{run}");
    let log = serving.get("/runs/1/jobs/of-production/log.txt").text;
    assert!(log.contains("Not authorized to perform sts:AssumeRoleWithWebIdentity"), "{log}");
    serving.end();
}
