//! Docker's actions against a real docker: what is there afterwards, and what is not. A tier of its
//! own, because it needs a daemon: one that answers, or `dockerd` and the right to start it.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use crate::bench::Bench;

#[path = "../../../registry/tests/house/server.rs"]
mod server;

use server::Server;

/// Where docker is, if not at its usual place. The daemon ends with the tests.
fn docker_host() -> Option<&'static str> {
    static HOST: OnceLock<Option<String>> = OnceLock::new();
    HOST.get_or_init(|| {
        let answers = |host: Option<&str>| {
            let mut command = Command::new("docker");
            command.args(["version"]).stdout(Stdio::null()).stderr(Stdio::null());
            command.envs(host.map(|host| ("DOCKER_HOST", host)));
            command.status().expect("docker is installed").success()
        };
        if answers(None) {
            return None;
        }
        let folder = std::env::temp_dir().join(format!("launchway-dockerd-{}", std::process::id()));
        let at = |name: &str| folder.join(name).display().to_string();
        let host = format!("unix://{}", at("socket"));
        let mut daemon = Command::new("setpriv");
        // It ends with the thread that asked for it, and that one with the tests.
        daemon
            .args(["--pdeathsig", "TERM", "dockerd", "--host", &host])
            .args(["--data-root", &at("data"), "--exec-root", &at("exec")])
            .args(["--pidfile", &at("pid"), "--bridge", "none", "--iptables=false"])
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        std::thread::spawn(move || daemon.status().expect("dockerd is installed"));
        wait(&|| answers(Some(&host)));
        Some(host)
    })
    .as_deref()
}

fn wait(is_there: &dyn Fn() -> bool) {
    let began = Instant::now();
    while !is_there() {
        assert!(began.elapsed() < Duration::from_secs(60), "it does not come up");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// A workspace with a Dockerfile that needs no image of anybody's.
fn workspace() -> Bench {
    let mut bench = Bench::new();
    if let Some(host) = docker_host() {
        bench.set("DOCKER_HOST", host);
    }
    for (name, value) in [("GITHUB_JOB", "build"), ("GITHUB_RUN_ATTEMPT", "1")] {
        bench.set(name, value);
    }
    let busybox = ["/bin/busybox", "/usr/bin/busybox"].map(Path::new);
    let busybox = busybox.into_iter().find(|path| path.exists()).expect("busybox is installed");
    std::fs::copy(busybox, bench.path("work/busybox")).expect("a copy");
    let text = "FROM scratch\nCOPY busybox /busybox\nCOPY said.txt /said.txt\nARG WHO=nobody\nLABEL who=$WHO\nCMD [\"/busybox\", \"cat\", \"/said.txt\"]\n";
    bench.write("work/Dockerfile", text);
    bench.write("work/said.txt", format!("{:?}\n", Instant::now()));
    bench
}

fn docker(bench: &Bench, arguments: &[&str]) -> (bool, String) {
    let mut command = Command::new("docker");
    command.args(arguments).env("HOME", bench.path("home"));
    command.envs(docker_host().map(|host| ("DOCKER_HOST", host)));
    let output = command.output().expect("docker is installed");
    (output.status.success(), String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// What the steps so far said of images.
fn listed(bench: &Bench) -> Vec<serde_json::Value> {
    let read = |line| serde_json::from_str(line).expect("JSON");
    bench.read("images.jsonl").lines().map(read).collect()
}

/// A name that no other test has; its image goes with it.
struct Image<'b> {
    bench: &'b Bench,
    name: String,
}

impl Image<'_> {
    fn new<'b>(bench: &'b Bench, name: &str) -> Image<'b> {
        Image { bench, name: format!("{name}-{}:test", std::process::id()) }
    }

    fn id(&self) -> Option<String> {
        let (found, id) =
            docker(self.bench, &["image", "inspect", "--format", "{{.Id}}", &self.name]);
        found.then_some(id)
    }
}

impl Drop for Image<'_> {
    fn drop(&mut self) {
        docker(self.bench, &["rmi", "--force", &self.name]);
    }
}

/// The first seed's build: the image that its last step wants is not there, as on GitHub.
#[test]
fn without_load_docker_has_no_image() {
    let bench = workspace();
    let image = Image::new(&bench, "without-load");
    let ran = bench.run("docker-setup-buildx", &[("use", "true")]).ok();
    assert_eq!(ran.outputs["driver"], "docker-container");
    let inputs = [
        ("context", "."),
        ("push", "false"),
        ("tags", &*image.name),
        ("cache-from", "type=gha"),
        ("cache-to", "type=gha,mode=max"),
    ];
    let ran = bench.run("docker-build-push", &inputs).ok();
    for line in [
        "::warning::input `cache-from` is not enforced: `type=gha`",
        "::warning::input `cache-to` is not enforced: `type=gha`",
        "the result only stays in the build cache",
    ] {
        assert!(ran.log.contains(line), "{line}: {}", ran.log);
    }
    assert_eq!(image.id(), None);
    assert_eq!(ran.outputs.get("imageid"), None);
    // How large it is, is known all the same.
    let listed = listed(&bench);
    let id = listed[0]["in_engine"].as_str().expect("docker has it as a cache");
    assert!(docker(&bench, &["image", "inspect", id]).0, "{listed:?}");
    assert_eq!(listed[0]["names"], serde_json::json!([image.name]));
    assert!(listed[0]["build_ms"].is_u64(), "{listed:?}");
    let (found, _) = docker(&bench, &["run", "--rm", &image.name]);
    assert!(!found, "it is not pulled from anywhere either");
    let loaded = [inputs[0], inputs[2], ("load", "true")];
    let ran = bench.run("docker-build-push", &loaded).ok();
    assert_eq!(image.id().as_ref(), ran.outputs.get("imageid"));
    // What was there before is found by later steps; that is said.
    let ran = bench.run("docker-build-push", &inputs).ok();
    assert!(ran.log.contains("this machine has an image"), "{}", ran.log);
}

#[test]
fn what_is_loaded_runs() {
    let bench = workspace();
    let image = Image::new(&bench, "loaded");
    let inputs = [
        ("context", "."),
        ("tags", &*image.name),
        ("build-args", "WHO=one,two"),
        ("labels", "\"team=a, b\"\nplain=c"),
    ];
    // Without a builder of its own it is docker's own: the image is there.
    let ran = bench.run("docker-build-push", &inputs).ok();
    assert_eq!(image.id().as_ref(), ran.outputs.get("imageid"), "{}", ran.log);
    assert!(ran.outputs["metadata"].contains(&format!("\"image.name\": \"{}\"", image.name)));
    let format = ["image", "inspect", "--format", "{{json .Config.Labels}}", &image.name];
    let (_, labels) = docker(&bench, &format);
    assert_eq!(labels, r#"{"plain":"c","team":"a, b","who":"one,two"}"#);
    let (ran, said) = docker(&bench, &["run", "--rm", "--network", "none", &image.name]);
    assert_eq!((ran, said), (true, bench.read("work/said.txt").trim().to_owned()));
    let broken = bench.run("docker-build-push", &[("context", "."), ("file", "none")]);
    assert_eq!(broken.code, 1);
    assert!(broken.log.contains("::error::docker build failed with: "), "{}", broken.log);
}

#[test]
fn the_default_context_is_the_commit() {
    let mut bench = workspace();
    bench.write("user/Dockerfile", "FROM scratch\nCOPY one.txt /\n");
    bench.write("user/sub/Dockerfile", "FROM scratch\nCOPY here.txt /\n");
    bench.write("user/sub/here.txt", "x");
    bench.user_repository();
    bench.git("user", &["add", "-A"]);
    bench.git("user", &["commit", "-q", "--amend", "-m", "with it"]);
    let head = bench.git("user", &["rev-parse", "HEAD"]);
    bench.set("GITHUB_SHA", head.clone());
    let image = Image::new(&bench, "of-commit");
    let ran = bench.run("docker-build-push", &[("tags", &*image.name)]).ok();
    assert!(ran.log.contains(&format!("context: the repository at {head}")), "{}", ran.log);
    assert!(image.id().is_some());
    let inputs = [("tags", &*image.name), ("context", "{{defaultContext}}:sub")];
    let again = bench.run("docker-build-push", &inputs).ok();
    assert_ne!(again.outputs["imageid"], ran.outputs["imageid"]);
}

#[test]
fn what_only_buildx_can_do_is_refused_by_name() {
    let bench = workspace();
    let (has_buildx, _) = docker(&bench, &["buildx", "version"]);
    assert!(!has_buildx, "these tests are for machines without buildx");
    for (input, value) in [
        ("annotations", "a=b"),
        ("attests", "type=sbom"),
        ("allow", "network.host"),
        ("build-contexts", "a=b"),
        ("no-cache-filters", "a"),
        ("provenance", "true"),
        ("sbom", "true"),
        ("call", "check"),
        ("cache-to", "type=registry,ref=a"),
        ("outputs", "type=oci,dest=x"),
        ("platforms", "linux/amd64,linux/s390x"),
    ] {
        let ran = bench.run("docker-build-push", &[("context", "."), (input, value)]);
        assert_eq!(ran.code, 5, "{input}: {}", ran.log);
        let told = if input == "platforms" { "a build for linux/" } else { input };
        assert!(ran.log.contains(told) && ran.log.contains("hint: install buildx"), "{}", ran.log);
    }
    for (input, value) in
        [("driver", "kubernetes"), ("driver-opts", "network=host"), ("install", "true")]
    {
        let ran = bench.run("docker-setup-buildx", &[(input, value)]);
        assert_eq!(ran.code, 5, "{input}: {}", ran.log);
        assert!(ran.log.contains(input), "{}", ran.log);
    }
    let ran = bench.run("docker-build-push", &[("context", "."), ("builder", "mine")]);
    assert!(ran.log.contains("::error::no builder \"mine\" found"), "{}", ran.log);
}

/// A registry with a password: mona, not-a-secret.
fn registry() -> (Server, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let users = folder.path().join("htpasswd");
    let hash = "mona:$2y$05$Arz6kFMmwuIJtjK0Y.9bNuuReY.slboo8EcoPJuEx/wlYc171H94a\n";
    std::fs::write(&users, hash).expect("a file");
    let auth = format!("auth: {{htpasswd: {{realm: test, path: {}}}}}\n", users.display());
    (Server::start(folder.path(), &auth), folder)
}

#[test]
fn a_push_needs_a_login_and_leaves_no_name() {
    let bench = workspace();
    let (registry, _folder) = registry();
    let host = &registry.host;
    let (one, two) = (format!("{host}/app:1"), format!("{host}/app:latest"));
    let tags = format!("{one}\n{two}");
    let push = [("context", "."), ("push", "true"), ("tags", &*tags)];
    bench.run("docker-setup-buildx", &[("use", "true")]).ok();
    let refused = bench.run("docker-build-push", &push);
    assert!(refused.log.contains("::error::docker push failed with: "), "{}", refused.log);
    let login = [("registry", &**host), ("username", "mona"), ("password", "not-a-secret")];
    let wrong = bench.run("docker-login", &[login[0], login[1], ("password", "wrong")]);
    assert_eq!(wrong.code, 1);
    let words = format!("::error::docker login to {host} failed: ");
    assert!(wrong.log.contains(&words), "{}", wrong.log);
    let with_logout = [login[0], login[1], login[2], ("logout", "true")];
    let signed_in = bench.run("docker-login", &with_logout).ok();
    assert!(bench.read("home/.docker/config.json").contains(&**host), "it is the job's own");
    assert_eq!(signed_in.log.matches("not-a-secret").count(), 1, "masked: {}", signed_in.log);
    let ran = bench.run("docker-build-push", &push).ok();
    let digest = &ran.outputs["digest"];
    assert!(digest.starts_with("sha256:") && *digest != ran.outputs["imageid"]);
    for tag in [&one, &two] {
        assert!(!docker(&bench, &["image", "inspect", tag]).0, "{tag} is still docker's");
    }
    let (pulled, said) = docker(&bench, &["pull", "--quiet", &format!("{host}/app@{digest}")]);
    assert!(pulled, "{said}");
    docker(&bench, &["rmi", "--force", &format!("{host}/app@{digest}")]);
    bench.stage("docker-login", "post", &[], &signed_in.state).ok();
    assert!(!bench.read("home/.docker/config.json").contains(&**host), "it ended with the job");
}
