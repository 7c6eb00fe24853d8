//! Docker's actions where buildx is installed: what docker is asked, told by a stand-in for it.

use std::os::unix::fs::PermissionsExt as _;

use expect_test::{Expect, expect};

use crate::bench::Bench;

/// Answers as docker with buildx does, and keeps what it was asked.
const STAND_IN: &str = r#"#!/bin/sh
echo "$*" >>"$HOME/asked"
case "$1 $2" in
  "version --format") echo '{"Client":{"Version":"28.0.0"},"Server":{"Version":"28.0.0","Os":"linux","Arch":"amd64"}}' ;;
  "buildx version") echo "github.com/docker/buildx v0.21.1 abc" ;;
  "buildx inspect")
    test -e "$HOME/builder" || test "$3" = --bootstrap || exit 1
    printf 'Name: b\nDriver: docker-container\n\nNodes:\nName: b0\nEndpoint: default\nStatus: running\nBuildKit version: v0.20.0\nPlatforms: linux/amd64*, linux/386\n' ;;
  "buildx create") touch "$HOME/builder" ;;
  "buildx build")
    while [ $# -gt 0 ]; do
      case "$1" in
        --iidfile) echo sha256:id >"$2" ;;
        --metadata-file) echo '{"containerimage.digest":"sha256:digest"}' >"$2" ;;
        --secret) echo "secret: $(cat "${2#*src=}")" >>"$HOME/asked" ;;
      esac
      shift
    done ;;
  "image inspect") exit 1 ;;
  "buildx imagetools")
    case "$5" in
      *@sha256:digest) echo '{"manifests":[{"digest":"sha256:one","platform":{"os":"linux","architecture":"amd64"}},{"digest":"sha256:two","platform":{"os":"unknown","architecture":"unknown"}}]}' ;;
      *@sha256:one) echo '{"config":{"size":2},"layers":[{"size":40}]}' ;;
    esac ;;
  "login --password-stdin") echo "password: $(cat)" >>"$HOME/asked" ;;
esac
"#;

fn bench() -> Bench {
    let mut bench = Bench::new();
    bench.write("bin/docker", STAND_IN);
    let mode = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(bench.path("bin/docker"), mode).expect("chmod");
    let path = std::env::var("PATH").expect("PATH");
    let path = format!("{}:{path}", bench.path("bin").display());
    bench.set("PATH", path);
    bench.set("GITHUB_RUN_ATTEMPT", "1");
    bench
}

/// What docker was asked since, but for its version.
fn check(bench: &Bench, expected: &Expect) {
    let root = bench.path("").display().to_string();
    let asked = bench.read("home/asked").replace(root.trim_end_matches('/'), "ROOT");
    let told: Vec<_> = asked
        .lines()
        .filter(|line| !line.contains("version"))
        .map(|line| without_random(line.trim_end()))
        .collect();
    expected.assert_eq(&told.join("\n"));
    bench.write("home/asked", "");
}

/// Replaces the random parts of names.
fn without_random(line: &str) -> String {
    let words = line.split(' ').map(|word| match word.rsplit_once('-') {
        Some((start, end)) if end.len() >= 32 && !end.contains('/') => format!("{start}-RANDOM"),
        _ => word.to_owned(),
    });
    words.collect::<Vec<_>>().join(" ")
}

#[test]
fn a_builder_is_made_used_and_removed() {
    let bench = bench();
    let inputs = [
        ("name", "b"),
        ("use", "true"),
        ("driver-opts", "network=host\nimage=moby/buildkit:v0.20.0"),
        ("platforms", "linux/amd64,linux/arm64"),
        ("append", "- endpoint: ssh://one\n  platforms: linux/arm64"),
        ("version", "v0.20.0"),
    ];
    let ran = bench.run("docker-setup-buildx", &inputs).ok();
    assert!(ran.log.contains("input `version` is not enforced"), "{}", ran.log);
    let outputs = ["name", "driver", "platforms", "endpoint", "status"];
    let outputs = outputs.map(|name| &*ran.outputs[name]);
    assert_eq!(outputs, ["b", "docker-container", "linux/amd64,linux/386", "default", "running"]);
    bench.stage("docker-setup-buildx", "post", &[("cleanup", "true")], &ran.state).ok();
    check(
        &bench,
        &expect![[r#"
        buildx inspect b
        buildx create --name b --driver docker-container --driver-opt network=host --driver-opt image=moby/buildkit:v0.20.0 --buildkitd-flags --allow-insecure-entitlement security.insecure --allow-insecure-entitlement network.host --platform linux/amd64,linux/arm64 --use
        buildx create --name b --append --buildkitd-flags --allow-insecure-entitlement security.insecure --allow-insecure-entitlement network.host --platform linux/arm64 ssh://one
        buildx inspect --bootstrap --builder b
        buildx inspect b
        buildx rm b"#]],
    );
}

#[test]
fn a_build_has_the_originals_arguments() {
    let bench = bench();
    bench.write("home/builder", "");
    let inputs = [
        ("context", "."),
        ("file", "a/Dockerfile"),
        ("push", "true"),
        ("tags", "one/app:1,one/app:2"),
        ("build-args", "A=1,2\nB=3"),
        ("secrets", "TOKEN=not-a-secret"),
        ("cache-from", "type=gha\ntype=registry,ref=one/app:cache"),
        ("platforms", "linux/amd64,linux/arm64"),
        ("sbom", "true"),
    ];
    let ran = bench.run("docker-build-push", &inputs).ok();
    assert_eq!((&*ran.outputs["imageid"], &*ran.outputs["digest"]), ("sha256:id", "sha256:digest"));
    assert!(!ran.log.contains("not-a-secret"), "{}", ran.log);
    check(
        &bench,
        &expect![[r#"
            buildx inspect
            buildx build --build-arg A=1,2 --build-arg B=3 --cache-from type=registry,ref=one/app:cache --file a/Dockerfile --iidfile ROOT/temp/image-RANDOM --platform linux/amd64,linux/arm64 --attest type=provenance,mode=max,builder-id=https://github.com/octo/app/actions/runs/7/attempts/1 --attest type=sbom --secret id=TOKEN,src=ROOT/temp/secret-RANDOM --tag one/app:1 --tag one/app:2 --metadata-file ROOT/temp/metadata-RANDOM --push .
            secret: not-a-secret
            image inspect --format {{.Id}} sha256:id
            buildx imagetools inspect --raw one/app@sha256:digest
            buildx imagetools inspect --raw one/app@sha256:one"#]],
    );
    // What a builder pushed docker does not have: the registry says how large it is, packed.
    let listed: serde_json::Value =
        serde_json::from_str(bench.read("images.jsonl").trim_end()).expect("one line of JSON");
    let parts = ["names", "digest", "platform", "size_bytes", "size_of"].map(|it| &listed[it]);
    assert_eq!(
        serde_json::json!(parts),
        serde_json::json!([
            ["one/app:1", "one/app:2"],
            "sha256:digest",
            "linux/amd64",
            42,
            "compressed"
        ])
    );
    let inputs =
        [("context", "."), ("load", "true"), ("provenance", "false"), ("no-cache", "true")];
    bench.run("docker-build-push", &inputs).ok();
    check(
        &bench,
        &expect![[r#"
            buildx build --iidfile ROOT/temp/image-RANDOM --attest type=provenance,disabled=true --metadata-file ROOT/temp/metadata-RANDOM --load --no-cache .
            image inspect --format {{.Id}} sha256:id"#]],
    );
}

#[test]
fn a_password_is_given_by_standard_input() {
    let bench = bench();
    let inputs = [("username", "mona"), ("password", "not-a-secret"), ("logout", "true")];
    let ran = bench.run("docker-login", &inputs).ok();
    bench.stage("docker-login", "post", &[], &ran.state).ok();
    let several = "- registry: ghcr.io\n  username: mona\n  password: one\n- registry: docker.io\n  username: mona\n  password: two\n  scope: '@push'";
    bench.run("docker-login", &[("registry-auth", several), ("logout", "false")]).ok();
    check(
        &bench,
        &expect![[r#"
        login --password-stdin --username mona docker.io
        password: not-a-secret
        logout docker.io
        login --password-stdin --username mona ghcr.io
        password: one
        login --password-stdin --username mona docker.io
        password: two"#]],
    );
    for (inputs, words) in [
        (vec![], "Username and password required"),
        (vec![("username", "mona")], "Password required"),
        (vec![("password", "x")], "Username required"),
        (
            vec![("registry-auth", several), ("username", "mona")],
            "Cannot use registry-auth with other inputs",
        ),
        (vec![("registry-auth", "[]")], "No registry to login"),
    ] {
        let ran = bench.run("docker-login", &inputs);
        assert!(ran.log.contains(&format!("::error::{words}")), "{words}: {}", ran.log);
    }
}

#[test]
fn without_docker_it_is_said_how_to_get_it() {
    let mut bench = Bench::new();
    bench.set("PATH", "/nowhere");
    for (name, inputs) in [
        ("docker-build-push", vec![("context", ".")]),
        ("docker-setup-buildx", vec![]),
        ("docker-login", vec![("username", "mona"), ("password", "x")]),
    ] {
        let ran = bench.run(name, &inputs);
        assert_eq!(ran.code, 5, "{name}: {}", ran.log);
        assert!(ran.log.contains("hint: install it"), "{}", ran.log);
    }
}
