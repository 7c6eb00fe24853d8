//! Signing in with what stands beside us: the machine's metadata, a task's agent, the runner of a
//! job, our own issuer. Real HTTP to a small server that is as strict as they are.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;

use aws::{
    AUDIENCE, Assume, Client, Endpoints, Https, Issue, Question, Reply, SignIn, Surroundings,
    Unanswered,
};
use expect_test::{Expect, expect};
use mask::Secret;
use model_cloud::{Clock, Cloud, Front};

const START: u64 = 1_700_000_000_000;
const SESSION: &str = "session-of-the-metadata";
const CREDENTIALS: &str = r#"{"Code": "Success", "AccessKeyId": "ASIA444455556666",
    "SecretAccessKey": "s", "Token": "t", "Expiration": "2023-11-14T23:13:20Z"}"#;

/// What the server says to a request: `(status, body)`.
fn answer(method: &str, path: &str, header: &dyn Fn(&str) -> String) -> (u16, String) {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let has_session = header("x-aws-ec2-metadata-token") == SESSION;
    match (method, path) {
        ("PUT", "/latest/api/token") if header("x-aws-ec2-metadata-token-ttl-seconds") == "60" => {
            (200, SESSION.to_owned())
        }
        ("GET", "/latest/meta-data/iam/security-credentials/") if has_session => {
            (200, "deployer\n".to_owned())
        }
        ("GET", "/latest/meta-data/iam/security-credentials/deployer") if has_session => {
            (200, CREDENTIALS.to_owned())
        }
        ("GET", path) if path.starts_with("/latest/") => (401, "Unauthorized".to_owned()),
        ("GET", "/task") if header("authorization") == "of-the-task" => {
            (200, CREDENTIALS.to_owned())
        }
        ("GET", "/token")
            if header("authorization") == "bearer of-the-job"
                && query == format!("job=1&audience={AUDIENCE}") =>
        {
            (200, r#"{"count": 1, "value": "a.b.c"}"#.to_owned())
        }
        ("GET", "/nothing") => (200, "{}".to_owned()),
        _ => (403, "no".to_owned()),
    }
}

/// The address of a server that ends with the test.
fn serve() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || listener.incoming().flatten().for_each(|it| converse(&it)));
    address.to_string()
}

fn converse(stream: &TcpStream) {
    let mut reader = BufReader::new(stream);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 || line.trim().is_empty() {
            break;
        }
        lines.push(line.trim().to_owned());
    }
    let header = |name: &str| {
        let found = lines.iter().filter_map(|it| it.split_once(": "));
        let found = found.filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, it)| it);
        found.map(str::to_owned).next().unwrap_or_default()
    };
    let length = header("content-length").parse().unwrap_or(0);
    let _ = reader.read_exact(&mut vec![0; length]);
    let Some(first) = lines.first() else { return };
    let mut words = first.split(' ');
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let (status, body) = answer(method, path, &header);
    let length = body.len();
    let mut writer = stream;
    let said = format!(
        "HTTP/1.1 {status} said\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
    );
    let _ = writer.write_all(said.as_bytes());
}

struct Around(BTreeMap<String, String>);

impl Surroundings for Around {
    fn variable(&self, name: &str) -> Option<String> {
        self.0.get(name).cloned()
    }

    fn file(&self, path: &Path) -> Option<String> {
        match path.to_str()? {
            "/agent" => Some("of-the-task\n".to_owned()),
            "/config" => Some(
                "[profile task]\nrole_arn = arn:aws:iam::777788889999:role/next\n\
                 credential_source = EcsContainer\n"
                    .to_owned(),
            ),
            _ => None,
        }
    }

    fn ask(&self, question: &Question) -> Result<Reply, Unanswered> {
        Https::default().ask(question)
    }
}

/// `HOST` is the server's address.
fn around(variables: &str) -> Arc<dyn Surroundings> {
    let variables = variables.replace("HOST", &serve());
    let pairs = variables.split_whitespace().filter_map(|it| it.split_once('='));
    Arc::new(Around(pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect()))
}

fn check(sign_in: SignIn, expect: &Expect) {
    let cloud = Cloud::new("111122223333", "eu-central-1", START);
    let front = Front::serve(cloud, Clock::Held, 0).expect("a port");
    let endpoints = Endpoints::at(&front.url());
    let https = Box::new(Https::default());
    let mut client = Client::new("eu-central-1", endpoints, sign_in, https, Box::new(|| START));
    let found = client.caller_identity();
    let calls = front.with(|cloud| {
        let names: Vec<String> = cloud.calls().iter().map(|it| it.action.clone()).collect();
        names.join(" ")
    });
    let said = match found {
        Ok(identity) => identity.account,
        Err(fault) => fault.message,
    };
    expect.assert_eq(&format!("{said} | {calls}"));
}

fn assume() -> Assume {
    Assume {
        role: "arn:aws:iam::777788889999:role/deployer".to_owned(),
        session: "launchway-12".to_owned(),
        seconds: 3600,
    }
}

#[test]
fn a_machine_has_a_role_and_wants_a_session() {
    let machine = |variables: &str| SignIn::new(around(variables)).of_this_machine();
    check(
        machine("AWS_EC2_METADATA_SERVICE_ENDPOINT=http://HOST/"),
        &expect!["444455556666 | sts:GetCallerIdentity"],
    );
    // What else is there does not count: the settings say which.
    check(
        machine(
            "AWS_EC2_METADATA_SERVICE_ENDPOINT=http://HOST AWS_ACCESS_KEY_ID=AKIA111122223333 AWS_SECRET_ACCESS_KEY=s",
        ),
        &expect!["444455556666 | sts:GetCallerIdentity"],
    );
    check(
        machine("AWS_EC2_METADATA_DISABLED=true"),
        &expect![
            "there are no credentials of a role of this machine: AWS_EC2_METADATA_DISABLED says that it is not asked for one | "
        ],
    );
    check(
        machine("AWS_EC2_METADATA_SERVICE_ENDPOINT=http://HOST/elsewhere"),
        &expect![
            "there are no credentials of a role of this machine: this machine's metadata answered with 403 | "
        ],
    );
}

#[test]
fn a_task_has_a_role_and_says_where() {
    let uri = "AWS_CONTAINER_CREDENTIALS_FULL_URI=http://HOST/task";
    let of_task = |more: &str| SignIn::new(around(&format!("{uri} {more}")));
    check(
        of_task("AWS_CONTAINER_AUTHORIZATION_TOKEN=of-the-task").of_this_machine(),
        &expect!["444455556666 | sts:GetCallerIdentity"],
    );
    // Found by itself, behind everything else.
    check(
        of_task("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=/agent"),
        &expect!["444455556666 | sts:GetCallerIdentity"],
    );
    check(
        of_task("AWS_ACCESS_KEY_ID=AKIA111122223333 AWS_SECRET_ACCESS_KEY=s"),
        &expect!["111122223333 | sts:GetCallerIdentity"],
    );
    check(
        of_task(
            "AWS_CONTAINER_AUTHORIZATION_TOKEN=of-the-task AWS_PROFILE=task AWS_CONFIG_FILE=/config",
        ),
        &expect!["777788889999 | sts:AssumeRole sts:GetCallerIdentity"],
    );
    check(
        of_task("AWS_CONTAINER_AUTHORIZATION_TOKEN=of-the-task").assuming(assume()),
        &expect!["777788889999 | sts:AssumeRole sts:GetCallerIdentity"],
    );
    check(
        of_task("AWS_CONTAINER_AUTHORIZATION_TOKEN=wrong"),
        &expect![
            "there are no credentials of a role of this machine: the task's agent answered with 403 | "
        ],
    );
    check(
        SignIn::new(around("AWS_CONTAINER_CREDENTIALS_FULL_URI=http://HOST/nothing")),
        &expect![
            "there are no credentials of a role of this machine: the task's agent gave something else than credentials | "
        ],
    );
    // Its authorization goes nowhere else.
    check(
        SignIn::new(around("AWS_CONTAINER_CREDENTIALS_FULL_URI=http://example.com/task")),
        &expect![
            "there are no credentials of a role of this machine: AWS_CONTAINER_CREDENTIALS_FULL_URI leads to example.com without TLS: it may be this machine only | "
        ],
    );
}

#[test]
fn a_job_has_a_token_where_its_permissions_say_so() {
    let url = "ACTIONS_ID_TOKEN_REQUEST_URL=http://HOST/token?job=1";
    let job =
        |token: &str| SignIn::new(around(&format!("{url} ACTIONS_ID_TOKEN_REQUEST_TOKEN={token}")));
    check(
        job("of-the-job").assuming(assume()),
        &expect!["777788889999 | sts:AssumeRoleWithWebIdentity sts:GetCallerIdentity"],
    );
    check(
        job("of-another").assuming(assume()),
        &expect![
            "the runner of this job gave no token: the answer was 403; the job needs `permissions: { id-token: write }` | "
        ],
    );
}

struct Own(Result<&'static str, &'static str>);

impl Issue for Own {
    fn token(&self, audience: &str) -> Result<Secret, String> {
        assert_eq!(audience, AUDIENCE);
        self.0.map(Secret::new).map_err(str::to_owned)
    }
}

#[test]
fn our_own_issuer_makes_one_and_a_refusal_says_what_it_said() {
    let own = |token| SignIn::new(around("")).assuming(assume()).with_issuer(Arc::new(Own(token)));
    check(
        own(Ok("a.b.c")),
        &expect!["777788889999 | sts:AssumeRoleWithWebIdentity sts:GetCallerIdentity"],
    );
    check(
        own(Err("there is no key")),
        &expect!["there is no token of our own: there is no key | "],
    );
    // {"iss":"https://tokens.example.com","sub":"repo:a/b:ref:refs/heads/main","aud":"sts"} in two parts;
    // the model wants three parts.
    check(
        own(Ok(
            "x.eyJpc3MiOiJodHRwczovL3Rva2Vucy5leGFtcGxlLmNvbSIsInN1YiI6InJlcG86YS9iOnJlZjpyZWZzL2hlYWRzL21haW4iLCJhdWQiOiJzdHMifQ",
        )),
        &expect![
            "The ID Token provided is not a valid JWT. (arn:aws:iam::777788889999:role/deployer: the token's iss is https://tokens.example.com, its sub repo:a/b:ref:refs/heads/main, its aud sts) | sts:AssumeRoleWithWebIdentity"
        ],
    );
}
