//! Which versions are native, and that every manifest stands on its own.

use super::*;

// proves: conformance 154
#[test]
fn only_known_versions_are_native() {
    let name = |uses: &str| {
        let (path, reference) = uses.split_once('@').expect("a uses");
        let mut parts = path.splitn(3, '/');
        let (owner, repo) = (parts.next().expect("owner"), parts.next().expect("repo"));
        lookup(owner, repo, parts.next(), reference).map(|native| native.name)
    };
    for (uses, expected) in [
        ("actions/checkout@v4", Some("checkout")),
        ("Actions/Checkout@v4.1.7", Some("checkout")),
        ("actions/checkout@v6", Some("checkout")),
        ("actions/checkout@11bd71901bbe5b1630ceea73d27597364c9af683", Some("checkout")),
        ("actions/cache/restore@v4", Some("cache-restore")),
        ("trufflesecurity/trufflehog@main", Some("trufflehog")),
        ("aquasecurity/tfsec-action@v1.0.0", Some("tfsec")),
        ("slackapi/slack-github-action@v1.27.1", Some("slack-v1")),
        ("slackapi/slack-github-action@v2", Some("slack")),
        ("github/codeql-action/upload-sarif@v3", Some("upload-sarif")),
        ("github/codeql-action/init@v3", None),
        ("docker/build-push-action@v5", Some("docker-build-push")),
        ("docker/build-push-action@v1", None),
        ("actions/checkout@v1", None),
        ("actions/checkout@v99", None),
        ("actions/checkout@v4-beta", None),
        ("actions/checkout@0000000000000000000000000000000000000000", None),
        ("actions/checkout/sub@v4", None),
    ] {
        assert_eq!(name(uses), expected, "{uses}");
    }
}

#[test]
fn every_name_stands_once() {
    let mut names = REGISTER.iter().map(|native| native.action.name).collect::<Vec<_>>();
    names.sort_unstable();
    let count = names.len();
    names.dedup();
    assert_eq!(names.len(), count);
}

/// The text of every file of the natives, to look inputs up in.
const SOURCES: &[&str] = &[
    include_str!("aws_credentials.rs"),
    include_str!("aws_credentials/profile.rs"),
    include_str!("aws_credentials/tags.rs"),
    include_str!("cache.rs"),
    include_str!("ecr_login.rs"),
    include_str!("checkout.rs"),
    include_str!("checkout/auth.rs"),
    include_str!("codecov.rs"),
    include_str!("docker/build.rs"),
    include_str!("docker/context.rs"),
    include_str!("docker/login.rs"),
    include_str!("docker/plain.rs"),
    include_str!("docker/setup_buildx.rs"),
    include_str!("docker/with_buildx.rs"),
    include_str!("download_artifact.rs"),
    include_str!("ecs_deploy.rs"),
    include_str!("ecs_deploy/run_task.rs"),
    include_str!("ecs_render.rs"),
    include_str!("setup_node.rs"),
    include_str!("setup_python.rs"),
    include_str!("setup_terraform.rs"),
    include_str!("slack.rs"),
    include_str!("tfsec.rs"),
    include_str!("tools.rs"),
    include_str!("trufflehog.rs"),
    include_str!("upload_artifact.rs"),
    include_str!("upload_sarif.rs"),
];

/// Inputs that may be read by nobody: they have no effect wherever nothing is fetched.
const WITHOUT_EFFECT: &[&str] = &[
    "setup-node token",
    "setup-python token",
    "docker-setup-buildx cache-binary",
    "codecov disable_safe_directory",
    "codecov skip_validation",
    "codecov use_legacy_upload_endpoint",
    "codecov use_pypi",
    "codecov verbose",
];

// proves: conformance 145
#[test]
fn every_manifest_is_read_and_every_input_looked_at() {
    for native in REGISTER {
        let name = native.action.name;
        let source = syntax::Source::new("action.yml", native.action.manifest);
        let (manifest, diagnostics) = workflow::read_action(&source);
        assert!(diagnostics.is_empty(), "{name}: {diagnostics:?}");
        let manifest = manifest.expect(name);
        for input in &manifest.inputs {
            let input = &*input.name.value;
            let known = WITHOUT_EFFECT.contains(&format!("{name} {input}").as_str());
            let quoted = format!("\"{input}\"");
            let read = SOURCES.iter().any(|text| text.contains(&quoted));
            assert!(read || known, "{name}: input {input}");
        }
    }
}
