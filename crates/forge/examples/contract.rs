//! What is checked against GitHub's own schemas: every call that is made, with what the model of
//! GitHub answers; what the model's webhooks say; and GitHub's own examples of webhooks, which have to
//! be read. Lines of JSON for `contract/check.js`.

#![expect(clippy::print_stdout, reason = "its output is what it is for")]

use std::path::Path;
use std::process::{Command, ExitCode};

use event::Timestamp;
use forge::{
    Again, Check, CommitStatus, Credentials, FailedTest, FoundRelease, GitHub, JobDeployment,
    Proven, Release, Said, Told, ValueKind,
};
use mask::Secret;
use model_github::{Front, Pull};
use serde_json::{Value as Json, json};

const HEAD: &str = "1111111111111111111111111111111111111111";
/// Events that are acted upon.
const EVENTS: &[&str] =
    &["push", "pull_request", "workflow_dispatch", "repository_dispatch", "release", "issues"];

fn main() -> ExitCode {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let key = model_github::new_key();
    let mut model = model_github::GitHub::default();
    model.add("octo/app");
    model.app = Some(("12".to_owned(), key.clone()));
    let front = Front::serve(model, folder.path()).expect("a port");
    let may = ["checks", "contents", "deployments", "issues", "pull_requests", "security_events"];
    let keeps = ["secrets", "actions_variables", "environments", "administration"];
    let writes = may.iter().chain(&keeps).map(|it| ((*it).to_owned(), "write".to_owned()));
    front.with(|github| github.app_permissions = Some(writes.collect()));
    let app = Credentials::app("12", Secret::new(key)).expect("a key");
    let github = GitHub::new(&front.url(), app);
    calls(&github);
    webhooks(&front);
    missed(&github);
    job_token(&github);
    values(&github);
    releases(&github, &front);
    scan(&front, &github, folder.path());
    for call in front.with(|github| github.calls.clone()) {
        let call = json!({ "method": call.method, "path": call.path, "body": call.body,
            "status": call.status, "answer": call.answer });
        println!("{}", json!({ "call": call }));
    }
    for sent in front.sent() {
        let body: Json = serde_json::from_str(&sent.body).expect("JSON");
        println!("{}", json!({ "webhook": { "event": sent.event, "body": body } }));
    }
    match std::env::args().nth(1) {
        Some(path) => examples(Path::new(&path)),
        None => ExitCode::SUCCESS,
    }
}

/// Everything that is told, as it is told.
fn calls(github: &GitHub) {
    let mut told = Told::default();
    github.who().expect("it lets us in");
    let annotation = |number: u32| {
        json!({ "path": "src/a.rs", "start_line": number, "end_line": number, "start_column": 1,
            "end_column": 2, "annotation_level": "failure", "message": "x", "title": "y" })
    };
    let test = FailedTest {
        job: "build".to_owned(),
        name: "Shelf \u{203a} loses".to_owned(),
        place: Some(("src/shelf.py".to_owned(), 7)),
    };
    for (status, conclusion, annotations) in
        [("queued", None, 0), ("in_progress", None, 0), ("completed", Some("timed_out"), 60)]
    {
        let mut body = json!({ "name": "ci / build (push)", "external_id": "launchway:run/1/1:build",
            "details_url": "https://ci.example.com/runs/1.1/jobs/build", "status": status,
            "started_at": "2026-11-21T12:00:00Z",
            "output": { "title": "runs", "summary": "text" } });
        if let Some(conclusion) = conclusion {
            body["conclusion"] = conclusion.into();
            body["completed_at"] = "2026-11-21T12:00:00Z".into();
        }
        let check = Check {
            key: "launchway:run/1/1:build".to_owned(),
            head: HEAD.to_owned(),
            name: "ci / build (push)".to_owned(),
            body,
            annotations: (1..=annotations).map(annotation).chain(test.annotation()).collect(),
        };
        told.check(github, "octo/app", &check).expect("it takes it");
    }
    for state in ["pending", "success", "failure", "error"] {
        let body = json!({ "state": state, "context": "ci", "description": "x",
            "target_url": "https://ci.example.com" });
        let status = CommitStatus { head: HEAD.to_owned(), body };
        told.status(github, "octo/app", &status).expect("it takes it");
    }
    for state in ["in_progress", "success", "failure", "error"] {
        let body = json!({ "state": state, "environment": "staging", "description": "x",
            "log_url": "https://ci.example.com", "environment_url": "https://staging.example.com" });
        let deployment = JobDeployment {
            key: "launchway:run/1/1:ship".to_owned(),
            head: HEAD.to_owned(),
            environment: "staging".to_owned(),
            state,
            body,
        };
        told.deployment(github, "octo/app", &deployment).expect("it takes it");
        // Who was killed looks.
        told = Told::default();
    }
    for text in ["one", "two"] {
        told.comment(github, "octo/app", 7, ("", text)).expect("it takes it");
    }
}

/// The release of a version: looked for, made, found again, changed; and a draft, which no tag finds.
fn releases(github: &GitHub, front: &Front) {
    for (tag, is_draft) in [("v1.0.0", false), ("v1.0.1", false), ("v1.1.0-rc.1", true)] {
        let mut git = Command::new("git");
        let tagged = git.args(["tag", tag, "main"]).current_dir(front.path("octo/app")).status();
        assert!(tagged.expect("git starts").success(), "{tag}");
        front.with(|model| {
            let moved = json!({ "ref": format!("refs/tags/{tag}"), "after": HEAD });
            let repository = model.repositories.get_mut("octo/app").expect("it was added");
            repository.activity.insert(0, moved);
        });
        let mark = format!("<!-- launchway:version octo/app {tag} -->");
        let release = Release {
            tag: tag.to_owned(),
            commit: HEAD.to_owned(),
            is_prerelease: is_draft,
            is_draft,
            text: format!("{mark}\none\n<!-- /launchway -->"),
            mark,
        };
        let found = github.find_release("octo/app", &release).expect("it looks");
        assert_eq!(found, FoundRelease::Nothing, "{tag}");
        github.make_release("octo/app", &release).expect("it takes it");
        let found = github.find_release("octo/app", &release).expect("it looks");
        let FoundRelease::Ours(there) = found else { panic!("{tag} is {found:?}") };
        let newer = Release { text: release.text.replace("one", "two"), ..release };
        let body = newer.mended(&there).expect("it is another");
        github.mend_release("octo/app", &there, &body).expect("it takes it");
    }
}

/// What could not be told, as it is asked for: the model's webhooks went nowhere.
fn missed(github: &GitHub) {
    let later = Timestamp(u64::from(u32::MAX) * 1_000);
    let asked = github.deliver_missed(Timestamp(0), later).expect("it lists them");
    assert_eq!(asked, Some(Again { count: 2, is_more: false }));
    let moved = github.moved("octo/app", "refs/heads/main", HEAD).expect("it remembers");
    assert_eq!(moved.map(|it| it.who).as_deref(), Some("mona"));
}

/// The token of a job, made and ended.
fn job_token(github: &GitHub) {
    let granted = [("contents", "write"), ("pull-requests", "read"), ("packages", "read")];
    let granted = granted.map(|(scope, access)| (scope.to_owned(), access.to_owned()));
    let made = github.job_token("octo/app", &granted.into()).expect("it makes one");
    let made = made.expect("some of it is allowed");
    assert_eq!(made.left_out, ["packages: read"]);
    github.end_job_token(&made.token).expect("it ends");
}

/// Secrets and variables, new ones and others in their place, of a repository and of an environment.
fn values(github: &GitHub) {
    github.make_environment("octo/app", "production").expect("it makes one");
    for environment in [None, Some("production")] {
        let key = github.sealing_key("octo/app", environment).expect("it has one");
        for value in ["one", "other"] {
            let secret = Secret::new(value);
            let id = (environment, "DB_URL");
            github.put_secret("octo/app", id, &secret, &key).expect("it takes it");
        }
        github.add_variable("octo/app", (environment, "REGION"), "eu").expect("it takes it");
        github.change_variable("octo/app", (environment, "REGION"), "us").expect("it takes it");
        for kind in [ValueKind::Secret, ValueKind::Variable] {
            let there = github.values("octo/app", environment, kind).expect("it lists them");
            assert_eq!(there.map(|it| it.len()), Some(1));
        }
    }
}

/// Results of a scan, as the native version of the action sends them by the token of a job: the example `native` of the
/// crate actions lies beside this one.
fn scan(front: &Front, github: &GitHub, folder: &Path) {
    let granted = [("security-events".to_owned(), "write".to_owned())];
    let made = github.job_token("octo/app", &granted.into()).expect("it makes one");
    let token = made.expect("it is allowed").token;
    let sarif = json!({ "version": "2.1.0", "runs": [{ "tool": { "driver": { "name": "zap" } },
        "results": [{ "ruleId": "X1", "message": { "text": "x" } }] }] });
    std::fs::write(folder.join("zap.sarif"), sarif.to_string()).expect("a file of ours");
    let native = std::env::current_exe().expect("this program").with_file_name("native");
    let mut command = Command::new(native);
    command.args(["upload-sarif", "main"]).current_dir(folder).env_clear();
    command.env("GITHUB_API_URL", front.url()).env("GITHUB_WORKSPACE", folder);
    command.env("GITHUB_REPOSITORY", "octo/app").env("GITHUB_REF", "refs/heads/main");
    command.env("GITHUB_SHA", HEAD).env("GITHUB_JOB", "scan");
    command.env("GITHUB_WORKFLOW_REF", "octo/app/.github/workflows/scan.yml@refs/heads/main");
    command.env("INPUT_SARIF_FILE", "zap.sarif").env("INPUT_CHECKOUT_PATH", folder);
    command.env("INPUT_WAIT-FOR-PROCESSING", "true").env("INPUT_TOKEN", token.expose());
    for file in
        ["GITHUB_OUTPUT", "GITHUB_ENV", "GITHUB_PATH", "GITHUB_STATE", "GITHUB_STEP_SUMMARY"]
    {
        std::fs::write(folder.join(file), "").expect("a file of ours");
        command.env(file, folder.join(file));
    }
    let output = command.output().expect("cargo build -p actions --example native");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    let kept = front.with(|github| github.repositories["octo/app"].scans.len());
    assert_eq!(kept, 1, "{said}");
}

/// A push and a pull request, as the model tells of them.
fn webhooks(front: &Front) {
    let path = front.path("octo/app");
    let git = |args: &[&str]| {
        let output = Command::new("git")
            .args(["-c", "user.name=Mona", "-c", "user.email=mona@example.com"])
            .args(args)
            .current_dir(&path)
            .output()
            .expect("git starts");
        String::from_utf8(output.stdout).expect("text").trim().to_owned()
    };
    let tree = git(&["mktree"]);
    for branch in ["main", "change"] {
        let commit = git(&["commit-tree", &tree, "-m", branch]);
        git(&["update-ref", &format!("refs/heads/{branch}"), &commit]);
    }
    front.tell_push("octo/app", "refs/heads/main", (&"0".repeat(40), HEAD));
    let pull = Pull {
        number: 1,
        head_repository: "octo/app".to_owned(),
        head_ref: "change".to_owned(),
        base_ref: "main".to_owned(),
        author: "hubot".to_owned(),
        association: "NONE".to_owned(),
    };
    front.open("octo/app", pull).expect("git does");
}

/// GitHub's own examples are read, and mean what they say.
fn examples(path: &Path) -> ExitCode {
    let text = std::fs::read(path).expect("the examples");
    let all: Json = serde_json::from_slice(&text).expect("JSON");
    let (mut read, mut failed) = (0, 0);
    for event in all.as_array().expect("a list") {
        let name = event["name"].as_str().expect("a name");
        for payload in event["examples"].as_array().expect("a list") {
            let delivery = Proven {
                id: "1".to_owned(),
                event: name.to_owned(),
                digest: None,
                payload: payload.clone(),
            };
            let said = forge::read(&delivery);
            let is_right = match &said {
                Some((repository, _)) if payload["repository"]["full_name"] != **repository => {
                    false
                }
                Some((_, Said::Nothing { .. })) => {
                    !EVENTS.contains(&name) || matches!(name, "push" | "issues")
                }
                Some(_) => EVENTS.contains(&name),
                // Some are about no repository.
                None => !EVENTS.contains(&name) && payload["repository"].is_null(),
            };
            read += 1;
            if !is_right {
                failed += 1;
                println!(
                    "{}",
                    json!({ "misread": name, "as": format!("{said:?}"), "payload": payload })
                );
            }
        }
    }
    println!("{}", json!({ "examples": read, "misread": failed }));
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
