//! Signing in to AWS and to its registries, against the model cloud.

use std::os::unix::fs::PermissionsExt as _;

use expect_test::expect;
use model_cloud::{Clock, Cloud, Fault, FaultKind, Front};

use crate::bench::{Bench, Ran};
use crate::deliver::serve;

const START: u64 = 1_795_000_000_000;
const ROLE: &str = "arn:aws:iam::111122223333:role/deployer";

/// A job in front of a cloud.
fn job() -> (Bench, Front) {
    let cloud = Cloud::new("111122223333", "eu-central-1", START);
    let front = Front::serve(cloud, Clock::Held, 0).expect("a port");
    let mut bench = Bench::new();
    for (name, value) in [
        ("AWS_ENDPOINT_URL", &*front.url()),
        ("GITHUB_WORKFLOW", "deploy it #1"),
        ("GITHUB_ACTION", "sign-in"),
        ("GITHUB_ACTOR", "mona[bot]"),
        ("GITHUB_SHA", "abc"),
        ("GITHUB_JOB", "ship"),
    ] {
        bench.set(name, value);
    }
    (bench, front)
}

fn sign_in(bench: &Bench, more: &[(&str, &str)]) -> Ran {
    let inputs: Vec<_> = [("aws-region", "eu-central-1"), ("audience", "sts.amazonaws.com")]
        .iter()
        .chain(more)
        .copied()
        .collect();
    bench.run("configure-aws-credentials", &inputs)
}

fn exported(ran: &Ran) -> String {
    let each = ran.env.iter().map(|(name, value)| format!("{name}={value}"));
    each.collect::<Vec<_>>().join("\n")
}

/// The first and the fifth seed: nobody may ask for a token.
#[test]
fn without_permission_for_a_token_it_fails_in_the_originals_words() {
    let (bench, _front) = job();
    let ran = sign_in(&bench, &[("role-to-assume", ROLE)]);
    assert_eq!(ran.code, 1);
    for words in [
        "Did you mean to set the `id-token` permission?",
        "::error::Credentials could not be loaded, please check your action inputs: Could not load credentials from any providers",
        "hint: a role needs `permissions: id-token: write`",
    ] {
        assert!(ran.log.contains(words), "{words}: {}", ran.log);
    }
    assert!(!ran.env.contains_key("AWS_ACCESS_KEY_ID"));
}

#[test]
fn a_role_is_taken_by_the_jobs_token() {
    let (mut bench, front) = job();
    let issuer = serve(&[(200, r#"{"value":"a.b.c"}"#)]);
    bench.set("ACTIONS_ID_TOKEN_REQUEST_URL", format!("{}/token?job=1", issuer.url));
    bench.set("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "ask");
    let more = [("role-to-assume", ROLE), ("output-credentials", "true")];
    let ran = sign_in(&bench, &more).ok();
    issuer.check(&expect![[r#"
        GET /token?job=1&audience=sts.amazonaws.com HTTP/1.1
        authorization: Bearer ask
    "#]]);
    expect![[r#"
        AWS_ACCESS_KEY_ID=ASIA111122223333
        AWS_DEFAULT_REGION=eu-central-1
        AWS_REGION=eu-central-1
        AWS_SECRET_ACCESS_KEY=model-secret-of-deployer
        AWS_SESSION_TOKEN=model-session-of-GitHubActions"#]]
    .assert_eq(&exported(&ran));
    for secret in ["a.b.c", "ASIA111122223333", "model-secret-of-deployer"] {
        assert!(ran.log.contains(&format!("::add-mask::{secret}")), "{secret}: {}", ran.log);
    }
    assert_eq!(ran.outputs["aws-account-id"], "111122223333");
    assert_eq!(ran.outputs["aws-session-token"], "model-session-of-GitHubActions");
    assert!(
        ran.outputs["aws-expiration"].ends_with(".000Z\""),
        "{}",
        ran.outputs["aws-expiration"]
    );
    front.with(|cloud| {
        let call = cloud.calls().iter().find(|it| it.action.ends_with("WebIdentity"));
        let call = call.expect("it was asked for").request.to_string();
        assert!(!call.contains("Tags.member"), "{call}");
    });
    let inputs = [("output-env-credentials", "true")];
    let after = bench.stage("configure-aws-credentials", "post", &inputs, &ran.state).ok();
    assert!(after.env.len() == 5 && after.env.values().all(String::is_empty));
}

#[test]
fn a_role_that_does_not_trust_is_refused_at_once() {
    let (mut bench, front) = job();
    let issuer = serve(&[(200, r#"{"value":"a.b.c"}"#)]);
    bench.set("ACTIONS_ID_TOKEN_REQUEST_URL", format!("{}/?", issuer.url));
    bench.set("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "ask");
    front.with(|cloud| cloud.distrust(ROLE));
    let ran = sign_in(&bench, &[("role-to-assume", ROLE)]);
    assert_eq!(ran.code, 1);
    let words = "::error::Could not assume role with OIDC: Not authorized to perform sts:AssumeRoleWithWebIdentity";
    assert!(ran.log.contains(words), "{}", ran.log);
}

#[test]
fn keys_take_a_role_by_its_name_with_tags() {
    let (bench, front) = job();
    let keys =
        [("aws-access-key-id", "AKIA111122223333"), ("aws-secret-access-key", "not-a-secret")];
    let ran = sign_in(&bench, &keys).ok();
    assert_eq!(ran.env["AWS_SECRET_ACCESS_KEY"], "not-a-secret");
    assert!(ran.log.contains("Proceeding with IAM user credentials"));
    let unanswered = Fault::first("sts:AssumeRole", 1, FaultKind::ServerError);
    front.with(|cloud| cloud.inject(unanswered));
    let mut more = keys.to_vec();
    more.extend([
        ("role-to-assume", "deployer"),
        ("role-session-name", "ship"),
        ("role-duration-seconds", "900"),
        ("role-external-id", "word"),
        ("custom-tags", r#"{"team": "one"}"#),
        ("transitive-tag-keys", "team\nnone"),
    ]);
    let ran = sign_in(&bench, &more).ok();
    assert!(ran.log.contains("Retry AssumeRole: attempt 1 of 12 failed"), "{}", ran.log);
    assert_eq!(ran.env["AWS_SESSION_TOKEN"], "model-session-of-ship");
    let asked = front.with(|cloud| {
        let call = cloud.calls().iter().rfind(|it| it.action == "sts:AssumeRole");
        serde_json::to_string_pretty(&call.expect("it was asked for").request).expect("JSON")
    });
    for part in [
        r#""RoleArn": "arn:aws:iam::111122223333:role/deployer""#,
        r#""DurationSeconds": "900""#,
        r#""ExternalId": "word""#,
        r#""Tags.member.3.Value": "deploy it _1""#,
        r#""TransitiveTagKeys.member.1": "team""#,
    ] {
        assert!(asked.contains(part), "{part}: {asked}");
    }
    assert!(!asked.contains("TransitiveTagKeys.member.2"));
    let refused = sign_in(&bench, &[keys[0]]);
    let words =
        "::error::'aws-secret-access-key' must be provided if 'aws-access-key-id' is provided";
    assert!(refused.log.contains(words), "{}", refused.log);
}

#[test]
fn a_role_is_taken_on_top_of_what_the_job_has() {
    let (mut bench, front) = job();
    bench.set("AWS_ACCESS_KEY_ID", "AKIA111122223333");
    bench.set("AWS_SECRET_ACCESS_KEY", "not-a-secret");
    let more = [("role-to-assume", ROLE), ("role-chaining", "true")];
    let ran = sign_in(&bench, &more).ok();
    assert_eq!(ran.env["AWS_ACCESS_KEY_ID"], "ASIA111122223333");
    let ran = sign_in(&bench, &[("use-existing-credentials", "true")]).ok();
    assert!(ran.log.contains("Pre-existing credentials are valid."), "{}", ran.log);
    let ran = sign_in(&bench, &[("allowed-account-ids", "444455556666, 777788889999")]);
    let words = "::error::The account ID of the provided credentials (111122223333) does not match any of the expected account IDs: 444455556666, 777788889999";
    assert!(ran.log.contains(words), "{}", ran.log);
    let ran = sign_in(&bench, &[("unset-current-credentials", "true")]);
    assert!(ran.log.contains("Could not load credentials from any providers"), "{}", ran.log);
    assert_eq!(front.with(|cloud| cloud.done("sts:AssumeRole")), 1);
    // The account was hidden by itself up to the third major.
    let hides = |bench: &Bench| sign_in(bench, &[]).ok().log.contains("::add-mask::111122223333");
    assert!(!hides(&bench));
    bench.set("GITHUB_ACTION_REF", "v2");
    assert!(hides(&bench));
}

#[test]
fn a_profile_is_in_the_place_of_variables() {
    let (bench, _front) = job();
    bench.write("home/.aws/config", "[profile other]\nregion = us-east-1\n");
    let more = [
        ("aws-access-key-id", "AKIA111122223333"),
        ("aws-secret-access-key", "not-a-secret"),
        ("role-to-assume", ROLE),
        ("aws-profile", "dev"),
    ];
    let ran = sign_in(&bench, &more).ok();
    assert_eq!(exported(&ran), "");
    expect![[r#"
        [dev]
        aws_access_key_id = ASIA111122223333
        aws_secret_access_key = model-secret-of-deployer
        aws_session_token = model-session-of-GitHubActions
    "#]]
    .assert_eq(&bench.read("home/.aws/credentials"));
    expect![[r#"
        [profile other]
        region = us-east-1
        [profile dev]
        region = eu-central-1
    "#]]
    .assert_eq(&bench.read("home/.aws/config"));
    let file = std::fs::metadata(bench.path("home/.aws/credentials")).expect("a file");
    assert_eq!(file.permissions().mode() & 0o777, 0o600);
    let ran = sign_in(&bench, &more);
    assert!(ran.log.contains("Profile with name \"dev\" already exists."), "{}", ran.log);
}

#[test]
fn inputs_are_checked_before_anything_is_asked() {
    let (bench, front) = job();
    for (more, words) in [
        (("aws-region", "Nowhere!"), "Region is not valid: Nowhere!"),
        (("role-session-name", "x"), "Role session name must be between 2 and 64 characters"),
        (("role-session-name", "a b"), "Role session name is not valid: 'a b'."),
        (("custom-tags", "[]"), "custom-tags: input must be a JSON object"),
        (("force-skip-oidc", "true"), "If 'force-skip-oidc' is true and 'role-to-assume' is set,"),
        (("role-chaining", "yes"), "Input does not meet YAML 1.2 \"Core Schema\" specification"),
    ] {
        let ran = sign_in(&bench, &[("role-to-assume", ROLE), more]);
        assert_eq!(ran.code, 1, "{words}");
        assert!(ran.log.contains(&format!("::error::{words}")), "{words}: {}", ran.log);
    }
    assert!(front.with(|cloud| cloud.calls().is_empty()));
}

/// The second seed: v1 leaves the password visible, because it hides it only where it is asked to.
#[test]
fn registries_are_signed_in_to_by_docker() {
    let mut bench = Bench::new();
    bench.write("bin/docker", "#!/bin/sh\necho \"$*: $(cat)\" >>\"$HOME/asked\"\n");
    let mode = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(bench.path("bin/docker"), mode).expect("chmod");
    let path = format!("{}:{}", bench.path("bin").display(), std::env::var("PATH").expect("PATH"));
    bench.set("PATH", path);
    bench.set("AWS_ACCESS_KEY_ID", "AKIA111122223333");
    bench.set("AWS_SECRET_ACCESS_KEY", "not-a-secret");
    assert!(bench.run("amazon-ecr-login", &[]).log.contains("::error::Region is missing"));
    bench.set("AWS_REGION", "eu-central-1");
    // `AWS:pass-word`
    let answer = r#"{"authorizationData":[{"authorizationToken":"QVdTOnBhc3Mtd29yZA==","proxyEndpoint":"https://111122223333.dkr.ecr.eu-central-1.amazonaws.com"}]}"#;
    let cloud = serve(&[(200, answer), (200, answer), (200, answer)]);
    bench.set("AWS_ENDPOINT_URL_ECR", cloud.url.clone());
    let registry = "111122223333.dkr.ecr.eu-central-1.amazonaws.com";
    let ran = bench.run("amazon-ecr-login", &[("registry-type", "private")]).ok();
    assert_eq!(ran.outputs["registry"], registry);
    let output = "docker_password_111122223333_dkr_ecr_eu_central_1_amazonaws_com";
    assert_eq!(ran.outputs[output], "pass-word");
    assert!(ran.log.contains("::add-mask::pass-word"), "{}", ran.log);
    bench.stage("amazon-ecr-login", "post", &[], &ran.state).ok();
    bench.set("GITHUB_ACTION_REF", "v1");
    let ran = bench.run("amazon-ecr-login", &[("skip-logout", "true")]).ok();
    assert!(ran.log.contains("::warning::Your docker password is not masked."), "{}", ran.log);
    assert!(!ran.log.contains("add-mask") && !ran.state.contains_key("registries"));
    let inputs = [("registry", registry), ("logout", "false")];
    bench.run("docker-login", &inputs).ok();
    let asked = bench.read("home/asked");
    expect![[r#"
        login --password-stdin --username AWS https://111122223333.dkr.ecr.eu-central-1.amazonaws.com: pass-word
        logout 111122223333.dkr.ecr.eu-central-1.amazonaws.com: 
        login --password-stdin --username AWS https://111122223333.dkr.ecr.eu-central-1.amazonaws.com: pass-word
        login --password-stdin --username AWS https://111122223333.dkr.ecr.eu-central-1.amazonaws.com: pass-word
    "#]]
    .assert_eq(&asked);
}
