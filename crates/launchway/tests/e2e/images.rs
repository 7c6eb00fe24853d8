//! Images that runs build: by a native version, by scripts with both of docker's builders, and what is told of them.

use std::path::Path;

use serde_json::{Value as Json, json};

use crate::harness::Place;
use crate::seeds::need_docker;

/// As the first and the third seed build.
const WORKFLOW: &str = "
on: push
jobs:
  action:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - uses: docker/setup-buildx-action@v3
      - uses: docker/build-push-action@v5
        with: { context: ., push: false, tags: 'NAME-action:test' }
  script:
    runs-on: ubuntu-latest
    env: { REGISTRY: registry.example.com, REPO: NAME/app, TAG: '${{ github.sha }}' }
    steps:
      - uses: actions/checkout@v4
      - run: DOCKER_BUILDKIT=0 docker build -t $REGISTRY/$REPO:$TAG . && docker tag $REGISTRY/$REPO:$TAG other-NAME
      - run: DOCKER_BUILDKIT=1 /usr/bin/docker build --tag NAME-kit --build-arg WHO=kit .
      - run: echo nothing is built here, by docker
";

/// A place with a Dockerfile whose image is as large as its files.
fn place(name: &str) -> Place {
    need_docker();
    let place = Place::with(&[("README.md", "")]);
    let dockerfile = format!("FROM scratch\nARG WHO={name}\nLABEL who=$WHO\nCOPY file /file\n");
    place.write("Dockerfile", &dockerfile);
    place.write("file", &"x".repeat(1_000_000));
    place.write(".github/workflows/build.yml", &WORKFLOW.replace("NAME", name));
    place.commit();
    place
}

struct Gone<'n>(&'n str);

impl Drop for Gone<'_> {
    fn drop(&mut self) {
        let list = ["images", "--format", "{{.Repository}}:{{.Tag}}"];
        let list = std::process::Command::new("docker").args(list).output().expect("docker");
        let list = String::from_utf8_lossy(&list.stdout).into_owned();
        for name in list.lines().filter(|it| it.contains(self.0)) {
            drop(std::process::Command::new("docker").args(["rmi", "--force", name]).output());
        }
    }
}

fn built(shown: &Json) -> Vec<(String, Json, Json)> {
    let images = shown["images"]["images"].as_array().expect("a list").iter();
    let of = |it: &Json| {
        assert_eq!((&it["size_of"], &it["platform"]), (&json!("unpacked"), &json!(platform())));
        assert!(it["build_ms"].is_u64() && it["id"].is_string(), "{it}");
        let names: Vec<&str> =
            it["names"].as_array().expect("a list").iter().filter_map(Json::as_str).collect();
        (names.join(" "), it["size_bytes"].clone(), it["size_before_bytes"].clone())
    };
    let mut all: Vec<_> = images.map(of).collect();
    all.sort_by(|one, two| one.0.cmp(&two.0));
    all
}

fn platform() -> &'static str {
    if cfg!(target_arch = "aarch64") { "linux/arm64" } else { "linux/amd64" }
}

#[test]
fn images_are_recorded_whoever_builds_them() {
    assert!(Path::new("/usr/bin/docker").exists(), "these tests want Debian's docker");
    let name = format!("recorded{}", std::process::id());
    let _gone = Gone(&name);
    let place = place(&name);
    let run = place.json(&["run", "push"]);
    assert_eq!(run.exit, 0, "{}{}", run.stdout, run.stderr);
    let first = place.shown();
    let commit = first["commit"].as_str().expect("a commit").to_owned();
    let names = |commit: &str| {
        [
            format!("{name}-action:test"),
            format!("{name}-kit:latest"),
            format!("registry.example.com/{name}/app:{commit} other-{name}:latest"),
        ]
    };
    let expect = names(&commit).map(|it| (it, json!(1_000_000), Json::Null));
    assert_eq!(built(&first), expect);

    place.write("file", &"x".repeat(1_250_000));
    place.commit();
    assert_eq!(place.json(&["run", "push"]).exit, 0);
    let second = place.shown();
    let commit = second["commit"].as_str().expect("a commit").to_owned();
    let expect = names(&commit).map(|it| (it, json!(1_250_000), json!(1_000_000)));
    assert_eq!(built(&second), expect);
    let page = place.run(&["runs", "show"]).stdout;
    let line =
        format!("{name}-kit:latest ({})  1.2 MB unpacked, +250.0 KB since run 1", platform());
    assert!(page.contains(&line), "{page}");
}
