//! Things that are owed, told to the model of GitHub: each stands there once, whatever goes wrong.

use std::path::Path;

use forge::{
    Check, CommitStatus, Credentials, ForgeError, GitHub, JobDeployment, Method, Told, ValueKind,
};
use mask::Secret;
use model_github::{Fault, FaultKind, Front};
use serde_json::{Value as Json, json};

const HEAD: &str = "1111111111111111111111111111111111111111";

fn model(folder: &Path) -> (Front, GitHub) {
    let key = model_github::new_key();
    let mut model = model_github::GitHub::default();
    model.add("octo/app");
    model.app = Some(("12".to_owned(), key.clone()));
    model.tokens.insert("ghp_person".to_owned(), "mona".to_owned());
    let front = Front::serve(model, folder).expect("a port");
    let credentials = Credentials::app("12", Secret::new(key)).expect("a key");
    let github = GitHub::new(&front.url(), credentials);
    (front, github)
}

fn fault(front: &Front, method: &str, path: &str, kind: FaultKind) {
    let fault = Fault { method: method.to_owned(), path: path.to_owned(), kind, times: 1 };
    front.with(|github| github.faults.push(fault));
}

fn check(status: &str, annotations: usize) -> Check {
    let mut body = json!({
        "name": "ci / build (push)", "external_id": "launchway:run/1/1:build",
        "details_url": "https://ci.example.com/runs/1.1/jobs/build", "status": status,
        "output": { "title": status, "summary": "text" },
    });
    if status == "completed" {
        body["conclusion"] = "failure".into();
    }
    let one = |number: usize| {
        json!({ "path": "src/a.rs", "start_line": number + 1, "end_line": number + 1,
            "annotation_level": "warning", "message": format!("number {number}") })
    };
    Check {
        key: "launchway:run/1/1:build".to_owned(),
        head: HEAD.to_owned(),
        name: "ci / build (push)".to_owned(),
        body,
        annotations: (0..annotations).map(one).collect(),
    }
}

/// Tries until it is told, forgetting everything on the way, as who was killed does.
fn told(github: &GitHub, tell: impl Fn(&mut Told) -> Result<bool, ForgeError>) -> u32 {
    for tries in 1..=10 {
        match tell(&mut Told::default()) {
            Ok(_) => return tries,
            Err(error) => assert!(error.is_passing(), "{error}"),
        }
    }
    panic!("{} never takes it", github.host());
}

#[test]
fn a_check_is_made_once_and_its_annotations_come_in_fifties() {
    let folder = tempfile::tempdir().unwrap();
    let (front, github) = model(folder.path());
    for (method, kind) in [
        ("POST", FaultKind::AnswerLost),
        ("GET", FaultKind::CallLost),
        ("PATCH", FaultKind::AnswerLost),
        ("PATCH", FaultKind::Broken),
    ] {
        fault(&front, method, "check-runs", kind);
    }
    let queued = check("queued", 0);
    assert_eq!(told(&github, |told| told.check(&github, "octo/app", &queued)), 5);
    let over = check("completed", 120);
    fault(&front, "PATCH", "check-runs", FaultKind::AnswerLost);
    told(&github, |told| told.check(&github, "octo/app", &over));
    let repository = front.with(|github| github.repositories["octo/app"].clone());
    assert_eq!(repository.checks.len(), 1);
    let annotations = repository.annotations.values().next().unwrap();
    let lines: Vec<Json> = annotations.iter().map(|it| it["start_line"].clone()).collect();
    let each: Vec<Json> = (1..=120).map(Json::from).collect();
    assert_eq!(lines, each);
    // What is known to stand there is not sent again.
    let mut known = Told::default();
    known.check(&github, "octo/app", &over).unwrap();
    let calls = front.with(|github| github.calls.len());
    assert!(!known.check(&github, "octo/app", &over).unwrap());
    assert_eq!(front.with(|github| github.calls.len()), calls);
}

#[test]
fn statuses_deployments_and_comments_are_made_once() {
    let folder = tempfile::tempdir().unwrap();
    let (front, github) = model(folder.path());
    for path in ["/statuses/", "/deployments", "/comments"] {
        fault(&front, "POST", path, FaultKind::AnswerLost);
    }
    let body = json!({ "state": "success", "context": "ci", "description": "x", "target_url": "https://ci" });
    let status = CommitStatus { head: HEAD.to_owned(), body };
    told(&github, |told| told.status(&github, "octo/app", &status));
    let deployment = |state: &'static str| JobDeployment {
        key: "launchway:run/1/1:ship".to_owned(),
        head: HEAD.to_owned(),
        environment: "staging".to_owned(),
        state,
        body: json!({ "state": state, "environment": "staging" }),
    };
    told(&github, |told| told.deployment(&github, "octo/app", &deployment("in_progress")));
    fault(&front, "POST", "/statuses", FaultKind::AnswerLost);
    told(&github, |told| told.deployment(&github, "octo/app", &deployment("success")));
    let marker = forge::comment_marker("octo/app", 7);
    for text in ["one", "two"] {
        let text = format!("{marker}\n{text}");
        told(&github, |told| told.comment(&github, "octo/app", 7, (&marker, &text)));
    }
    let repository = front.with(|github| github.repositories["octo/app"].clone());
    let states: Vec<&Json> = repository.deployment_statuses.iter().map(|it| &it["state"]).collect();
    assert_eq!(states, ["in_progress", "success"]);
    assert_eq!((repository.statuses.len(), repository.deployments.len()), (1, 1));
    assert_eq!(repository.comments.len(), 1);
    assert_eq!(repository.comments[0]["body"], format!("{marker}\ntwo"));
}

#[test]
fn a_comment_that_a_stranger_marked_is_not_ours() {
    let folder = tempfile::tempdir().unwrap();
    let (front, app) = model(folder.path());
    let person = GitHub::new(&front.url(), Credentials::Token(Secret::new("ghp_person")));
    let marker = forge::comment_marker("octo/app", 7);
    let trap = json!(format!("{marker}\nall is well"));
    front.with(|it| {
        // A bot of that name is an app's; a person's account has another.
        for stranger in ["mallory", "launchway", "launchway-bot"] {
            it.comment("octo/app", 7, stranger, &trap);
        }
    });
    // Whoever was killed in between finds their own again, and that of nobody else.
    for text in ["one", "two"] {
        let text = format!("{marker}\n{text}");
        told(&app, |told| told.comment(&app, "octo/app", 7, (&marker, &text)));
        told(&person, |told| told.comment(&person, "octo/app", 7, (&marker, &text)));
    }
    let comments = front.with(|it| it.repositories["octo/app"].comments.clone());
    let shown: Vec<String> = comments
        .iter()
        .map(|it| {
            let body = it["body"].as_str().unwrap();
            format!("{}: {}", it["user"]["login"].as_str().unwrap(), &body[marker.len() + 1..])
        })
        .collect();
    assert_eq!(
        shown,
        [
            "mallory: all is well",
            "launchway: all is well",
            "launchway-bot: all is well",
            "launchway[bot]: two",
            "mona: two",
        ]
    );
    // Who we are is asked once, and only where somebody bears the marker.
    let asked = front.with(|it| it.called("GET", "/user").len());
    assert_eq!(asked, 1);
}

#[test]
fn who_has_heard_enough_is_not_asked() {
    let folder = tempfile::tempdir().unwrap();
    let (front, github) = model(folder.path());
    github.ask(Method::Get, "octo/app", "", None).unwrap();
    fault(&front, "GET", "/repos/", FaultKind::Limited(50));
    let limited = |seconds: u64| matches!(seconds, 49 | 50);
    let error = github.ask(Method::Get, "octo/app", "", None).unwrap_err();
    assert!(matches!(error, ForgeError::Limited { seconds, .. } if limited(seconds)), "{error}");
    let calls = front.with(|github| github.calls.len());
    let error = github.ask(Method::Get, "octo/app", "", None).unwrap_err();
    assert!(matches!(error, ForgeError::Limited { seconds, .. } if limited(seconds)), "{error}");
    assert_eq!(front.with(|github| github.calls.len()), calls);
}

#[test]
fn tokens_stand_in_no_error_and_go_where_they_are_for() {
    let folder = tempfile::tempdir().unwrap();
    let (front, app) = model(folder.path());
    let person = GitHub::new(&front.url(), Credentials::Token(Secret::new("ghp_person")));
    assert_eq!(
        (app.who().unwrap().as_str(), person.who().unwrap().as_str()),
        ("launchway", "mona")
    );
    let body = json!({ "name": "x", "head_sha": HEAD });
    let refused = person.ask(Method::Post, "octo/app", "/check-runs", Some(&body)).unwrap_err();
    assert!(matches!(refused, ForgeError::Refused { status: 403, .. }), "{refused:?}");
    let wrong = GitHub::new(&front.url(), Credentials::Token(Secret::new("ghp_wr\nong")));
    let nobody = GitHub::new("http://127.0.0.1:1", Credentials::Token(Secret::new("ghp_wrong")));
    for github in [&wrong, &nobody] {
        let error = github.ask(Method::Get, "octo/app", "", None).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("ghp_"), "{error:?}");
    }
    // An installation's token is asked for once.
    for _ in 0..3 {
        app.ask(Method::Get, "octo/app", "", None).unwrap();
    }
    assert_eq!(front.with(|github| github.called("POST", "access_tokens").len()), 1);
    let foreign = model_github::new_key();
    let foreign = Credentials::app("12", Secret::new(foreign)).unwrap();
    let error = GitHub::new(&front.url(), foreign).who().unwrap_err();
    assert!(matches!(error, ForgeError::Denied { .. }), "{error:?}");
}

/// A model with an environment, and who keeps values there.
fn keeper(folder: &Path) -> (Front, GitHub) {
    let (front, _) = model(folder);
    front.with(|it| {
        let repository = it.repositories.get_mut("octo/app").expect("it was added");
        repository.environments.insert("Qa / eu".to_owned(), model_github::Values::default());
    });
    let person = Credentials::Token(Secret::new("ghp_person"));
    let github = GitHub::new(&front.url(), person);
    (front, github)
}

#[test]
fn values_come_to_their_places_as_they_were() {
    let folder = tempfile::tempdir().unwrap();
    let (front, github) = keeper(folder.path());
    let text = "a line\nand \u{e9} more".to_owned();
    for value in [text.as_str(), &"x".repeat(48 << 10)] {
        // GitHub calls environments alike in any case.
        for environment in [None, Some("qa / EU")] {
            let key = github.sealing_key("octo/app", environment).unwrap();
            let id = (environment, "KEY");
            github.put_secret("octo/app", id, &Secret::new(value), &key).unwrap();
            github.add_variable("octo/app", (environment, "REGION"), value).unwrap();
            // Somebody was faster, or took it away.
            github.add_variable("octo/app", (environment, "REGION"), value).unwrap();
            github.change_variable("octo/app", (environment, "TIER"), value).unwrap();
        }
        let places = front.with(|it| {
            let repository = it.repositories["octo/app"].clone();
            [repository.values, repository.environments["Qa / eu"].clone()]
        });
        for it in &places {
            assert_eq!(it.secrets["KEY"].value, value);
            assert_eq!(
                (&*it.variables["REGION"].value, &*it.variables["TIER"].value),
                (value, value)
            );
        }
    }
    // What was sealed for one place opens at no other.
    let key = github.sealing_key("octo/app", None).unwrap();
    let id = (Some("Qa / eu"), "KEY");
    let refused = github.put_secret("octo/app", id, &Secret::new("x"), &key).unwrap_err();
    assert!(matches!(refused, ForgeError::Refused { status: 422, .. }), "{refused}");
    let sent = front.with(|it| it.calls.iter().map(|it| it.body.to_string()).collect::<String>());
    let own = front.with(|it| it.called("PUT", "/secrets/").len());
    assert!(!sent.contains("encrypted_value\":\"a line") && own == 5, "{own}");
}

#[test]
fn lists_are_read_to_their_ends_and_an_environment_may_not_be_there() {
    let folder = tempfile::tempdir().unwrap();
    let (front, github) = keeper(folder.path());
    let kept = |at: &str| model_github::KeptValue {
        value: "x".to_owned(),
        created_at: "2026-11-23T00:00:00Z".to_owned(),
        updated_at: at.to_owned(),
    };
    front.with(|it| {
        let values = &mut it.repositories.get_mut("octo/app").expect("it was added").values;
        for number in 0..100 {
            values.secrets.insert(format!("S{number}"), kept("2026-11-23T00:00:07Z"));
            values.variables.insert(format!("V{number}"), kept("2026-11-23T00:00:08Z"));
        }
    });
    for (kind, second) in [(ValueKind::Secret, 7), (ValueKind::Variable, 8)] {
        let all = github.values("octo/app", None, kind).unwrap().expect("a repository is there");
        assert_eq!(all.len(), 100);
        let at = 1_795_392_000_000 + second * 1000;
        assert!(all.iter().all(|it| it.since.0 == at), "{:?}", all[0]);
        assert!(all.iter().all(|it| it.variable.is_some() == (kind == ValueKind::Variable)));
        assert_eq!(github.values("octo/app", Some("nowhere"), kind).unwrap(), None);
        let there = github.values("octo/app", Some("Qa / eu"), kind).unwrap();
        assert_eq!(there, Some(Vec::new()));
    }
    github.make_environment("octo/app", "nowhere").unwrap();
    let there = github.values("octo/app", Some("nowhere"), ValueKind::Secret).unwrap();
    assert_eq!(there, Some(Vec::new()));
    let absent = github.values("octo/nothing", None, ValueKind::Secret).unwrap_err();
    assert!(matches!(absent, ForgeError::Absent { .. }), "{absent}");
}

#[test]
fn a_token_may_keep_what_it_may() {
    let folder = tempfile::tempdir().unwrap();
    let (front, github) = keeper(folder.path());
    let may = [("secrets".to_owned(), "write".to_owned())];
    front.with(|it| it.token_permissions.insert("ghp_person".to_owned(), may.into()));
    let key = github.sealing_key("octo/app", None).unwrap();
    github.put_secret("octo/app", (None, "KEY"), &Secret::new("hunter2"), &key).unwrap();
    for refused in [
        github.values("octo/app", None, ValueKind::Variable).map(drop),
        github.values("octo/app", Some("Qa / eu"), ValueKind::Secret).map(drop),
        github.make_environment("octo/app", "new"),
    ] {
        let error = refused.unwrap_err();
        assert!(matches!(error, ForgeError::Refused { status: 403, .. }), "{error}");
    }
}
