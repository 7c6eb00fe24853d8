//! Signing in and calling, against the model cloud: in process, and over HTTP.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use aws::{
    Assume, Client, Endpoints, Fault, Https, Reply, SignIn, Surroundings, Transport, Unanswered,
    WireRequest,
};
use expect_test::{Expect, expect};
use model_cloud::{Answer, Clock, Cloud, FaultKind, Front, Request};

const START: u64 = 1_700_000_000_000;
const CONFIG: &str = "
[default]
region = eu-central-1
[profile deployer]
role_arn = arn:aws:iam::444455556666:role/deployer
source_profile = default
[profile token]
role_arn = arn:aws:iam::111122223333:role/ci   # a comment
web_identity_token_file = /token
[profile sso]
sso_session = company
s3 =
  max_concurrent_requests = 20
[profile self]
role_arn = arn:aws:iam::444455556666:role/self
source_profile = self
aws_access_key_id = AKIA111122223333
aws_secret_access_key = s
[profile a]
role_arn = arn:aws:iam::444455556666:role/a
source_profile = b
[profile b]
role_arn = arn:aws:iam::444455556666:role/b
source_profile = a
";
const KEYS: &str = "[default]\naws_access_key_id = AKIA111122223333\naws_secret_access_key = s\n";

struct Around(BTreeMap<String, String>);

impl Surroundings for Around {
    fn variable(&self, name: &str) -> Option<String> {
        self.0.get(name).cloned()
    }

    fn file(&self, path: &Path) -> Option<String> {
        match path.to_str()? {
            "/home/.aws/config" => Some(CONFIG.to_owned()),
            "/home/.aws/credentials" => Some(KEYS.to_owned()),
            "/token" => Some("a.b.c\n".to_owned()),
            _ => None,
        }
    }
}

fn around(variables: &str) -> Arc<dyn Surroundings> {
    let pairs = variables.split_whitespace().filter_map(|it| it.split_once('='));
    let mut all: BTreeMap<String, String> =
        pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
    all.entry("HOME".to_owned()).or_insert_with(|| "/home".to_owned());
    Arc::new(Around(all))
}

struct Inside(Rc<RefCell<Cloud>>);

impl Transport for Inside {
    fn send(&mut self, request: &WireRequest) -> Result<Reply, Unanswered> {
        let header = |name| {
            let found = request.headers.iter().find(|(key, _)| *key == name);
            found.map_or(String::new(), |(_, value)| value.clone())
        };
        let answer = self.0.borrow_mut().answer(&Request {
            target: header("x-amz-target"),
            authorization: header("authorization"),
            user_agent: header("user-agent"),
            body: request.body.clone(),
        });
        match answer {
            Answer::Said { status, request_id, body, .. } => {
                Ok(Reply { status, request_id: Some(request_id), body })
            }
            Answer::Lost => {
                Err(Unanswered { host: "aws".to_owned(), why: "the line was cut".to_owned() })
            }
        }
    }
}

fn cloud() -> Rc<RefCell<Cloud>> {
    Rc::new(RefCell::new(Cloud::new("111122223333", "eu-central-1", START)))
}

fn client(cloud: &Rc<RefCell<Cloud>>, sign_in: SignIn) -> Client {
    let clock = Rc::clone(cloud);
    Client::new(
        "eu-central-1",
        Endpoints::default(),
        sign_in,
        Box::new(Inside(Rc::clone(cloud))),
        Box::new(move || clock.borrow().now()),
    )
}

fn who(sign_in: SignIn) -> String {
    let cloud = cloud();
    let found = client(&cloud, sign_in).caller_identity();
    let calls: Vec<String> = cloud.borrow().calls().iter().map(|it| it.action.clone()).collect();
    match found {
        Ok(identity) => format!("{} | {}", identity.account, calls.join(" ")),
        Err(fault) => format!("{:?} {fault} | {}", fault.kind, calls.join(" ")),
    }
}

fn check_sign_in(variables: &str, expect: &Expect) {
    expect.assert_eq(&who(SignIn::new(around(variables))));
}

#[test]
fn credentials_are_found_where_awss_own_tools_find_them() {
    let keys = "AWS_ACCESS_KEY_ID=AKIA777788889999 AWS_SECRET_ACCESS_KEY=s";
    check_sign_in(keys, &expect!["777788889999 | sts:GetCallerIdentity"]);
    check_sign_in("", &expect!["111122223333 | sts:GetCallerIdentity"]);
    check_sign_in(
        "AWS_PROFILE=deployer",
        &expect!["444455556666 | sts:AssumeRole sts:GetCallerIdentity"],
    );
    check_sign_in(
        "AWS_PROFILE=token",
        &expect!["111122223333 | sts:AssumeRoleWithWebIdentity sts:GetCallerIdentity"],
    );
    check_sign_in(
        "AWS_PROFILE=self",
        &expect!["444455556666 | sts:AssumeRole sts:GetCallerIdentity"],
    );
    check_sign_in(
        "AWS_ROLE_ARN=arn:aws:iam::444455556666:role/x AWS_WEB_IDENTITY_TOKEN_FILE=/token",
        &expect!["444455556666 | sts:AssumeRoleWithWebIdentity sts:GetCallerIdentity"],
    );
}

#[test]
fn what_cannot_be_signed_in_with_says_what_to_do() {
    check_sign_in(
        "HOME=/nowhere",
        &expect![
            "SignIn sts:GetCallerIdentity: there are no AWS credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, or AWS_ROLE_ARN with AWS_WEB_IDENTITY_TOKEN_FILE | "
        ],
    );
    check_sign_in(
        "AWS_PROFILE=nobody",
        &expect!["SignIn sts:GetCallerIdentity: there is no AWS profile `nobody` | "],
    );
    check_sign_in(
        "AWS_PROFILE=sso",
        &expect![[
            r#"SignIn sts:GetCallerIdentity: the AWS profile `sso` signs in by `sso_session`, which Launchway does not do; run `eval "$(aws configure export-credentials --profile sso --format env)"` before | "#
        ]],
    );
    check_sign_in(
        "AWS_PROFILE=a",
        &expect!["SignIn sts:GetCallerIdentity: the AWS profile `a` is its own source | "],
    );
    check_sign_in(
        "AWS_ROLE_ARN=arn:aws:iam::444455556666:role/x AWS_WEB_IDENTITY_TOKEN_FILE=/gone",
        &expect!["SignIn sts:GetCallerIdentity: the token file /gone cannot be read | "],
    );
}

#[test]
fn settings_may_name_a_profile_or_a_role() {
    let assume = || Assume {
        role: "arn:aws:iam::444455556666:role/deployer".to_owned(),
        session: "launchway-12".to_owned(),
        seconds: 3600,
    };
    let profile = SignIn::new(around("AWS_PROFILE=nobody")).with_profile("token");
    expect!["111122223333 | sts:AssumeRoleWithWebIdentity sts:GetCallerIdentity"]
        .assert_eq(&who(profile));
    let on_top = SignIn::new(around("")).assuming(assume());
    expect!["444455556666 | sts:AssumeRole sts:GetCallerIdentity"].assert_eq(&who(on_top));
    let token = SignIn::new(around("AWS_WEB_IDENTITY_TOKEN_FILE=/token")).assuming(assume());
    expect!["444455556666 | sts:AssumeRoleWithWebIdentity sts:GetCallerIdentity"]
        .assert_eq(&who(token));
}

#[test]
fn a_session_is_renewed_before_it_ends_and_not_before() {
    let cloud = cloud();
    let mut client = client(&cloud, SignIn::new(around("AWS_PROFILE=token")));
    let mut assumed = Vec::new();
    for minutes in [0, 30, 54, 56, 57] {
        cloud.borrow_mut().advance(START + minutes * 60_000);
        client.caller_identity().unwrap();
        assumed.push(cloud.borrow().done("sts:AssumeRoleWithWebIdentity"));
    }
    assert_eq!(assumed, [1, 1, 1, 2, 2]);
}

fn check_fault(kind: FaultKind, expect: &Expect) {
    let cloud = cloud();
    cloud.borrow_mut().inject(model_cloud::Fault::first("ecs:DescribeServices", 1, kind));
    let mut client = client(&cloud, SignIn::new(around("")));
    let fault: Fault = client.describe_service("c", "api").expect_err("it was injected");
    let cause = fault.cause();
    let evidence = cause.evidence[0].text.as_str();
    let without_id = evidence.split(" (request ").next().unwrap_or_default();
    expect.assert_eq(&format!(
        "{:?} again={} | {:?}: {} | {without_id}",
        fault.kind,
        fault.may_pass(),
        cause.code,
        cause.message
    ));
}

#[test]
fn faults_become_causes_with_awss_words_as_evidence() {
    check_fault(
        FaultKind::Throttled,
        &expect![
            "Throttled again=true | Unavailable: AWS wants fewer calls of ecs:DescribeServices: Rate exceeded | ecs:DescribeServices: ThrottlingException: Rate exceeded"
        ],
    );
    check_fault(
        FaultKind::ServerError,
        &expect![
            "Server again=true | Unavailable: AWS failed at ecs:DescribeServices: Service Unavailable. Please try again later. | ecs:DescribeServices: ServerException: Service Unavailable. Please try again later."
        ],
    );
    check_fault(
        FaultKind::LostBefore,
        &expect![
            "Unanswered again=true | Unavailable: AWS did not answer ecs:DescribeServices: aws did not answer: the line was cut | ecs:DescribeServices: aws did not answer: the line was cut"
        ],
    );
    check_fault(
        FaultKind::Denied,
        &expect![
            "Denied again=false | TargetRefused: these credentials may not ecs:DescribeServices: User: arn:aws:iam::111122223333:user/deployer is not authorized to perform: ecs:DescribeServices because no identity-based policy allows the ecs:DescribeServices action | ecs:DescribeServices: AccessDeniedException: User: arn:aws:iam::111122223333:user/deployer is not authorized to perform: ecs:DescribeServices because no identity-based policy allows the ecs:DescribeServices action"
        ],
    );
    let expired = "The security token included in the request is expired";
    let expired = FaultKind::Refused("ExpiredTokenException".to_owned(), expired.to_owned());
    check_fault(
        expired,
        &expect![
            "SignIn again=false | Unavailable: AWS does not take the credentials of ecs:DescribeServices: The security token included in the request is expired | ecs:DescribeServices: ExpiredTokenException: The security token included in the request is expired"
        ],
    );
}

#[test]
fn nothing_secret_is_in_what_is_printed() {
    let credentials = aws::Credentials::key("AKIA111122223333", "very-secret");
    assert!(!format!("{credentials:?}").contains("very-secret"));
}

/// The real transport, over HTTP to the model's front.
#[test]
fn a_call_goes_over_http_and_says_who_makes_it() {
    let front =
        Front::serve(Cloud::new("111122223333", "eu-central-1", START), Clock::Held, 0).unwrap();
    let endpoints = Endpoints::at(&front.url());
    let mut client = Client::new(
        "eu-central-1",
        endpoints,
        SignIn::new(around("")),
        Box::new(Https::default()),
        Box::new(|| START),
    );
    client.call_as("launchway/12".to_owned());
    assert_eq!(client.caller_identity().unwrap().account, "111122223333");
    let fault = client.describe_service("c", "api").unwrap_err();
    assert!(fault.is("ClusterNotFoundException"), "{fault}");
    let id = fault.request_id.unwrap();
    front.with(|cloud| {
        let last = cloud.calls().last().unwrap();
        assert_eq!(
            (last.request_id.as_str(), last.user_agent.as_str()),
            (id.as_str(), "launchway/12")
        );
        cloud.inject(model_cloud::Fault::first("*", 1, FaultKind::LostAfter));
    });
    let lost = client.caller_identity().unwrap_err();
    assert_eq!(lost.kind, aws::FaultKind::Unanswered);
}
