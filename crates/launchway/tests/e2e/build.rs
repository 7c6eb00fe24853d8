//! Releases of images: a real docker builds them, real registries keep them, the model cloud runs
//! them. `launchway build`, `promote`, and `deploy` that finds what was built.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use expect_test::{Expect, expect};
use model_cloud::{Clock, Cloud, Front, Scan};
use serde_json::json;

use crate::ecs::ask;
use crate::harness::{Place, Said, text};
use crate::registry::Server as Registry;
use crate::seeds::need_docker;

/// `AWS:model-password`, as the model's tokens have it.
pub(crate) const AWS: &str = "AWS:$2y$05$PDdOzsEeM939lXMeQ.gp8ekx2SIoy3baFyDlqG6Em/pNoMAxdGGYa\n";
/// Seconds of the cloud in one of ours.
const TIMES: u64 = 20;

/// A registry of a project's own, with a password where `users` has one.
pub(crate) fn registry_of(place: &Place, name: &str, users: Option<&str>) -> Registry {
    let folder = place.path(name);
    let Some(users) = users else { return Registry::start(&folder, "") };
    let path = folder.with_extension("users");
    std::fs::write(&path, users).expect("written");
    let auth = format!("auth: {{htpasswd: {{realm: r, path: {}}}}}\n", path.display());
    Registry::start(&folder, &auth)
}

/// A project with one service on the model's ECS, in two environments.
struct Project {
    place: Place,
    front: Front,
    /// What is hidden in what is compared: it differs from run to run.
    hidden: Vec<(String, String)>,
}

const DOCKERFILE: &str =
    "FROM scratch\nARG WHO\nLABEL who=$WHO\nCOPY busybox /busybox\nCMD [\"/busybox\", \"true\"]\n";

impl Project {
    fn new(settings: impl FnOnce(&Place) -> String) -> Project {
        need_docker();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
        let now = u64::try_from(now.as_millis()).expect("before the year 500 million");
        let mut cloud = Cloud::new("111122223333", "eu-central-1", now);
        cloud.set_deregistration_delay(1000);
        for environment in ["staging", "production"] {
            ask(&mut cloud, "CreateCluster", &json!({"clusterName": environment}));
            let app = json!({"name": "app", "image": "old@sha256:0", "memory": 128});
            let body = json!({"family": environment, "containerDefinitions": [app]});
            ask(&mut cloud, "RegisterTaskDefinition", &body);
            let body = json!({"cluster": environment, "serviceName": "api", "desiredCount": 1,
                "taskDefinition": environment, "launchType": "FARGATE"});
            ask(&mut cloud, "CreateService", &body);
        }
        cloud.advance(now + 60_000);
        let place = Place::with(&[("Dockerfile", DOCKERFILE)]);
        let busybox = ["/bin/busybox", "/usr/bin/busybox"].map(Path::new);
        let busybox = busybox.into_iter().find(|path| path.exists()).expect("it is installed");
        std::fs::copy(busybox, place.repository().join("busybox")).expect("a copy");
        place.write("launchway.yml", &settings(&place));
        let front = Front::serve(cloud, Clock::Wall { times: TIMES }, 0).expect("a port");
        let mut project = Project { place, front, hidden: Vec::new() };
        project.commit("FIRST");
        project
    }

    /// A commit, called so from now on.
    fn commit(&mut self, name: &str) {
        // Each has a Dockerfile, and with it an image, of its own.
        let unique = format!("{DOCKERFILE}LABEL commit={name}-{}\n", std::process::id());
        self.place.write("Dockerfile", &unique);
        self.place.commit();
        let head = self.git(&["rev-parse", "HEAD"]);
        self.hidden.push((head.clone(), name.to_owned()));
        self.hidden.push((head[..12].to_owned(), format!("{name}-SHORT")));
    }

    fn git(&self, args: &[&str]) -> String {
        let output = self.place.program("git").args(args).output().expect("git starts");
        text(&output.stdout).trim().to_owned()
    }

    fn hide(&mut self, text: &str, name: &str) {
        self.hidden.push((text.to_owned(), name.to_owned()));
    }

    fn run(&self, args: &[&str]) -> Said {
        let mut command = self.place.launchway(args);
        command
            .env("AWS_ENDPOINT_URL", self.front.url())
            .env("AWS_ACCESS_KEY_ID", "AKIA111122223333")
            .env("AWS_SECRET_ACCESS_KEY", "secret-of-the-key");
        let output = command.output().expect("it starts");
        let exit = output.status.code().unwrap_or(-1);
        Said { exit, stdout: text(&output.stdout), stderr: text(&output.stderr) }
    }

    fn shown(&self, text: &str) -> String {
        let shown =
            self.hidden.iter().fold(text.to_owned(), |text, (it, name)| text.replace(it, name));
        // Sizes and times are the machine's.
        let lines = shown.lines().map(|line| {
            let line = line.split(" built in ").next().unwrap_or(line);
            let line = if line.starts_with("plan ") { "plan HASH" } else { line };
            match line
                .split_once(", built ")
                .and_then(|(it, rest)| Some((it, rest.split_once(", ")?)))
            {
                Some((before, (_, after))) => format!("{before}, built, {after}"),
                None => line.to_owned(),
            }
        });
        lines.map(|line| line + "\n").collect()
    }

    /// What a command says to people, without what docker says.
    fn check(&self, args: &[&str], expect: &Expect) {
        let said = self.run(args);
        let talk: String = said
            .stderr
            .lines()
            .filter(|line| !line.starts_with("  "))
            .map(|line| format!("{line}\n"))
            .collect();
        expect.assert_eq(&self.shown(&format!("{}{talk}exit {}", said.stdout, said.exit)));
    }

    /// Pushes; the digest is called so from now on.
    fn push(&mut self, args: &[&str], name: &str) -> String {
        let all = [&["build", "--push", "staging", "--format", "json"], args].concat();
        let said = self.run(&all);
        assert_eq!(said.exit, 0, "{}", said.stderr);
        let pushed = said.of("release_pushed");
        let digest = pushed[0]["digest"].as_str().expect("a digest").to_owned();
        self.hide(&digest[7..], name);
        self.hide(&digest[7..19], &format!("{name}-SHORT"));
        crate::json::check_lines(&crate::json::documented(), "build", &said.lines());
        digest
    }

    /// The image that a service is to run.
    fn image(&self, environment: &str) -> String {
        let image = self.front.with(|cloud| {
            let body = json!({"cluster": environment, "services": ["api"]});
            let service = ask(cloud, "DescribeServices", &body)["services"][0].take();
            let body = json!({"taskDefinition": service["taskDefinition"]});
            let definition = ask(cloud, "DescribeTaskDefinition", &body);
            definition["taskDefinition"]["containerDefinitions"][0]["image"].clone()
        });
        self.shown(image.as_str().unwrap_or_default()).trim().to_owned()
    }
}

fn settings(staging: &str, production: &str) -> String {
    format!(
        "
version: 1
project: planner
services:
  api:
    build: {{ context: ., args: {{ WHO: 'mona, \"hubot\"' }} }}
    image: 'planner-{{env}}'
environments:
  staging:
    level: 5
    region: eu-central-1
    {staging}
    targets: {{ ecs: {{ cluster: staging, service: api, within: 2m }} }}
  production:
    level: 5
    region: eu-central-1
    deploy: {{ promote: staging }}
    {production}
    targets: {{ ecs: {{ cluster: production, service: api, within: 2m }} }}
"
    )
}

#[test]
fn an_image_is_built_once_deployed_by_its_digest_and_promoted_to_another_registry() {
    let (mut one, mut two) = (None, None);
    let mut project = Project::new(|place| {
        let first = one.insert(registry_of(place, "registry-1", None)).host.clone();
        let second = two.insert(registry_of(place, "registry-2", None)).host.clone();
        settings(&format!("registry: {first}"), &format!("registry: {second}/upstairs"))
    });
    for (registry, name) in [(&one, "REGISTRY-1"), (&two, "REGISTRY-2")] {
        let host = registry.as_ref().expect("it was started").host.clone();
        project.hide(&host, name);
    }
    project.place.git(&["tag", "v1.0.0"]);
    project.place.write("extra", "new\n");
    project.check(
        &["build"],
        &expect![[r#"
        error: 1 file is not committed (extra): what is built could not be found again
        hint: commit; or build it for this machine only: --dirty
        exit 4
    "#]],
    );
    std::fs::remove_file(project.place.repository().join("extra")).expect("it is there");
    project.check(
        &["build", "--plan", "--push", "staging"],
        &expect![[r#"
        api: v1.0.0 from . for linux/amd64
          goes to REGISTRY-1/planner-staging as FIRST, FIRST-SHORT, v1.0.0, latest, staging-latest
        exit 0
    "#]],
    );
    project.check(
        &["build"],
        &expect![[r#"
        ✓ api
        exit 0
    "#]],
    );
    project.check(
        &["deploy", "staging"],
        &expect![[r#"
        error: REGISTRY-1/planner-staging has no image of the commit FIRST-SHORT
        hint: launchway build --push staging
        hint: or name one: --image api=REPOSITORY@sha256:...
        exit 5
    "#]],
    );
    let digest = project.push(&[], "DIGEST-1");
    // Once is enough; built again from docker's own cache it is the same.
    assert_eq!(project.push(&[], "DIGEST-1"), digest);
    assert_eq!(project.push(&["--again"], "DIGEST-1"), digest);
    project.check(
        &["releases", "staging"],
        &expect![[r#"
            image       staging  api  v1.0.0  DIGEST-1-SHORT, built, of FIRST-SHORT
            exit 0
        "#]],
    );
    project.check(
        &["promote", "production"],
        &expect![[r#"
        api never ran well in staging; it stays as it is
        error: no release of any service ran well in staging, and production takes only what did
        hint: launchway deploy staging first
        exit 4
    "#]],
    );
    project.check(
        &["deploy", "production"],
        &expect![[r#"
        error: REGISTRY-2/upstairs/planner-production has no image of the commit FIRST-SHORT
        hint: it is in the repository of staging: launchway promote production
        exit 5
    "#]],
    );
    let said = project.run(&["deploy", "staging"]);
    assert_eq!(said.exit, 0, "{}{}", said.stdout, said.stderr);
    expect!["REGISTRY-1/planner-staging@sha256:DIGEST-1"].assert_eq(&project.image("staging"));
    project.check(&["promote", "production", "--plan"], &expect![[r#"
        api: production:1 runs
          containerDefinitions[app].image: old@sha256:0 -> REGISTRY-2/upstairs/planner-production@sha256:DIGEST-1
          1. api/copy  copies the image from REGISTRY-1/planner-staging to REGISTRY-2/upstairs/planner-production, byte for byte
             nothing to undo
          2. api/register  registers a revision of production with REGISTRY-2/upstairs/planner-production@sha256:DIGEST-1 as app
             nothing to undo
          3. api/update  lets api of production run it
             undone: lets api run production:1 again
          4. api/stabilise  waits until ECS has completed the deployment, or given it up
             nothing to undo
        api: if it fails, it goes back to production:1
        api: nobody asks whether it works: a task that started is taken for one that does
        plan HASH
        exit 0
    "#]]);
    let said = project.run(&["promote", "production"]);
    assert_eq!(said.exit, 0, "{}{}", said.stdout, said.stderr);
    expect!["REGISTRY-2/upstairs/planner-production@sha256:DIGEST-1"]
        .assert_eq(&project.image("production"));
    let said = project.run(&["promote", "production", "--format", "json"]);
    assert_eq!(said.of("deployment_completed")[0]["unchanged"], true, "{}", said.stdout);
    // Another image has another name, and no version twice.
    project.commit("SECOND");
    project.place.git(&["tag", "--force", "v1.0.0"]);
    project.check(&["build", "--push", "staging"], &expect![[r#"
        error: REGISTRY-1/planner-staging:v1.0.0 is there and is another image (sha256:DIGEST-1): it keeps its name
        hint: ship the one that is there: launchway deploy ENVIRONMENT --version v1.0.0
        hint: or commit, or tag another version, and build that
        exit 4
    "#]]);
    project.place.git(&["tag", "v1.1.0"]);
    project.place.git(&["tag", "--delete", "v1.0.0"]);
    project.push(&[], "DIGEST-2");
    let said = project.run(&["deploy", "staging"]);
    assert_eq!(said.exit, 0, "{}{}", said.stdout, said.stderr);
    expect!["REGISTRY-1/planner-staging@sha256:DIGEST-2"].assert_eq(&project.image("staging"));
    // By its version, whatever is checked out.
    let said = project.run(&["deploy", "staging", "--version", "1.0.0"]);
    assert_eq!(said.exit, 0, "{}{}", said.stdout, said.stderr);
    expect!["REGISTRY-1/planner-staging@sha256:DIGEST-1"].assert_eq(&project.image("staging"));
    project.check(
        &["deploy", "staging", "--version", "3.0.0"],
        &expect![[r#"
        error: REGISTRY-1/planner-staging has no image of 3.0.0
        hint: launchway build --push staging
        hint: or name one: --image api=REPOSITORY@sha256:...
        exit 5
    "#]],
    );
}

#[test]
fn a_repository_of_ecr_is_made_signed_in_to_and_scanned() {
    let mut registry = None;
    let mut project = Project::new(|place| {
        registry = Some(registry_of(place, "registry", Some(AWS)));
        settings("scan: { refuse: high, within: 1m }", "")
    });
    let host = registry.as_ref().expect("it was started").host.clone();
    project.hide(&host, "REGISTRY");
    project.front.with(|cloud| cloud.set_registry(&host));
    project.check(
        &["build", "--push", "staging"],
        &expect![[r#"
        error: there is no repository planner-staging in ECR, in eu-central-1
        hint: make it: launchway build --push staging --create-repository
        hint: or: aws ecr create-repository --repository-name planner-staging --region eu-central-1
        exit 5
    "#]],
    );
    let digest = project.push(&["--create-repository"], "DIGEST");
    let scan = |status: &str, counts: &[(&str, u64)]| Scan {
        status: status.to_owned(),
        counts: counts.iter().map(|(key, count)| ((*key).to_owned(), *count)).collect(),
    };
    let deploy = |expect: &Expect| {
        let said = project.run(&["deploy", "staging", "--format", "json"]);
        let ends = said.of("deployment_completed");
        let end = ends.first().unwrap_or_else(|| panic!("no end: {}", said.stderr));
        let evidence = &end["causes"]["because"][0]["evidence"][0]["text"];
        expect.assert_eq(&format!(
            "{} {} {evidence} exit {}, {}",
            end["verdict"],
            end["causes"],
            said.exit,
            project.image("staging")
        ));
    };
    project.front.with(|cloud| cloud.script_scan(&digest, scan("", &[("HIGH", 1), ("LOW", 3)])));
    deploy(&expect![[
        r#""failed" {"code":"verification_failed","message":"the scan of the image found 1 HIGH","evidence":[{"kind":"platform","text":"HIGH CVE-2026-HIGH-1 in openssl 3.0.1"}]} null exit 1, old@sha256:0"#
    ]]);
    project.front.with(|cloud| cloud.script_scan(&digest, scan("UNSUPPORTED_IMAGE", &[])));
    deploy(&expect![[
        r#""failed" {"code":"verification_failed","message":"ECR cannot scan this image, and the settings do not allow that","evidence":[{"kind":"platform","text":"UnsupportedImageError: The operating system is not supported.; `scan: { unsupported: allow }` does"}]} null exit 1, old@sha256:0"#
    ]]);
    project.front.with(|cloud| cloud.script_scan(&digest, scan("", &[("LOW", 3)])));
    deploy(&expect![[r#""succeeded" null null exit 0, REGISTRY/planner-staging@sha256:DIGEST"#]]);
}
