//! What the best-known actions take, give and need: facts of their own `action.yml`, by version.
//!
//! An action stands here once for each span of versions with the same meaning; `inputs` is the union
//! over the span, so that a rule is quiet in doubt. The manifests of the actions that Launchway runs
//! natively are elsewhere (`crates/actions`): a check must know also those that it never runs.

/// The facts about one action, in a span of major versions.
#[derive(Debug)]
pub(crate) struct KnownAction {
    /// `owner/repository[/path]`, in lower case.
    pub(crate) name: &'static str,
    /// The first and the last major version meant.
    pub(crate) majors: (u32, u32),
    /// Every input.
    pub(crate) inputs: &'static [&'static str],
    /// Inputs without which its own code stops.
    pub(crate) required: &'static [&'static str],
    /// Environment variables of which it needs one.
    pub(crate) required_env: &'static [&'static str],
    /// Its outputs.
    pub(crate) outputs: &'static [&'static str],
    /// It signs in to a cloud or a registry for the steps behind it.
    pub(crate) signs_in: bool,
    /// The scopes that the job's token has to have as `write`, unless another token is given.
    pub(crate) needs_write: &'static [&'static str],
}

const NONE: KnownAction = KnownAction {
    name: "",
    majors: (0, u32::MAX),
    inputs: &[],
    required: &[],
    required_env: &[],
    outputs: &[],
    signs_in: false,
    needs_write: &[],
};

/// In the order of their names; the same name with other versions side by side.
const ACTIONS: &[KnownAction] = &[
    KnownAction {
        name: "actions/cache",
        majors: (1, 5),
        inputs: &[
            "path",
            "key",
            "restore-keys",
            "upload-chunk-size",
            "enableCrossOsArchive",
            "fail-on-cache-miss",
            "lookup-only",
            "save-always",
        ],
        required: &["path", "key"],
        outputs: &["cache-hit"],
        ..NONE
    },
    KnownAction {
        name: "actions/cache/restore",
        majors: (3, 5),
        inputs: &[
            "path",
            "key",
            "restore-keys",
            "enableCrossOsArchive",
            "fail-on-cache-miss",
            "lookup-only",
        ],
        required: &["path", "key"],
        outputs: &["cache-hit", "cache-primary-key", "cache-matched-key"],
        ..NONE
    },
    KnownAction {
        name: "actions/cache/save",
        majors: (3, 5),
        inputs: &["path", "key", "upload-chunk-size", "enableCrossOsArchive"],
        required: &["path", "key"],
        ..NONE
    },
    KnownAction {
        name: "actions/checkout",
        majors: (1, 7),
        inputs: &[
            "repository",
            "ref",
            "token",
            "ssh-key",
            "ssh-known-hosts",
            "ssh-strict",
            "ssh-user",
            "persist-credentials",
            "path",
            "clean",
            "filter",
            "sparse-checkout",
            "sparse-checkout-cone-mode",
            "fetch-depth",
            "fetch-tags",
            "show-progress",
            "lfs",
            "submodules",
            "set-safe-directory",
            "github-server-url",
            "allow-unsafe-pr-checkout",
        ],
        outputs: &["ref", "commit"],
        ..NONE
    },
    KnownAction {
        name: "actions/download-artifact",
        majors: (1, 8),
        inputs: &[
            "name",
            "artifact-ids",
            "path",
            "pattern",
            "merge-multiple",
            "github-token",
            "repository",
            "run-id",
            "digest-mismatch",
            "skip-decompress",
        ],
        outputs: &["download-path"],
        ..NONE
    },
    KnownAction {
        name: "actions/setup-node",
        majors: (1, 7),
        inputs: &[
            "node-version",
            "node-version-file",
            "architecture",
            "check-latest",
            "registry-url",
            "scope",
            "token",
            "cache",
            "cache-dependency-path",
            "mirror",
            "mirror-token",
            "package-manager-cache",
            "always-auth",
            "version",
        ],
        outputs: &["cache-hit", "node-version", "cache-primary-key", "cache-matched-key"],
        ..NONE
    },
    KnownAction {
        name: "actions/setup-python",
        majors: (1, 7),
        inputs: &[
            "python-version",
            "python-version-file",
            "cache",
            "architecture",
            "check-latest",
            "token",
            "cache-dependency-path",
            "update-environment",
            "allow-prereleases",
            "freethreaded",
            "pip-version",
            "pip-install",
        ],
        outputs: &["python-version", "cache-hit", "python-path"],
        ..NONE
    },
    KnownAction {
        name: "actions/upload-artifact",
        majors: (1, 7),
        inputs: &[
            "name",
            "path",
            "if-no-files-found",
            "retention-days",
            "compression-level",
            "overwrite",
            "include-hidden-files",
            "archive",
        ],
        required: &["path"],
        outputs: &["artifact-id", "artifact-url", "artifact-digest"],
        ..NONE
    },
    KnownAction {
        name: "aquasecurity/tfsec-action",
        majors: (1, 1),
        inputs: &[
            "working_directory",
            "version",
            "format",
            "additional_args",
            "soft_fail",
            "github_token",
        ],
        outputs: &["tfsec-return-code"],
        ..NONE
    },
    KnownAction {
        name: "aws-actions/amazon-ecr-login",
        majors: (1, 2),
        inputs: &["http-proxy", "mask-password", "registries", "registry-type", "skip-logout"],
        outputs: &["registry"],
        signs_in: true,
        ..NONE
    },
    KnownAction {
        name: "aws-actions/amazon-ecs-deploy-task-definition",
        majors: (1, 2),
        inputs: &[
            "cluster",
            "codedeploy-application",
            "codedeploy-appspec",
            "codedeploy-deployment-config",
            "codedeploy-deployment-description",
            "codedeploy-deployment-group",
            "desired-count",
            "enable-ecs-managed-tags",
            "force-new-deployment",
            "keep-null-value-keys",
            "max-retries",
            "propagate-tags",
            "run-task",
            "run-task-assign-public-IP",
            "run-task-capacity-provider-strategy",
            "run-task-container-overrides",
            "run-task-launch-type",
            "run-task-managed-ebs-volume",
            "run-task-managed-ebs-volume-name",
            "run-task-security-groups",
            "run-task-started-by",
            "run-task-subnets",
            "run-task-tags",
            "service",
            "service-managed-ebs-volume",
            "service-managed-ebs-volume-name",
            "task-definition",
            "wait-for-minutes",
            "wait-for-service-stability",
            "wait-for-task-stopped",
            "wait-max-delay-seconds",
        ],
        required: &["task-definition"],
        outputs: &["task-definition-arn", "codedeploy-deployment-id", "run-task-arn"],
        ..NONE
    },
    KnownAction {
        name: "aws-actions/amazon-ecs-render-task-definition",
        majors: (1, 1),
        inputs: &[
            "task-definition",
            "task-definition-arn",
            "task-definition-family",
            "task-definition-revision",
            "container-name",
            "image",
            "environment-variables",
            "env-files",
            "log-configuration-log-driver",
            "log-configuration-options",
            "docker-labels",
            "command",
            "secrets",
            "task-role-arn",
            "execution-role-arn",
        ],
        required: &["container-name", "image"],
        outputs: &["task-definition"],
        ..NONE
    },
    KnownAction {
        name: "aws-actions/configure-aws-credentials",
        majors: (1, 6),
        inputs: &[
            "action-timeout-s",
            "allowed-account-ids",
            "audience",
            "aws-access-key-id",
            "aws-profile",
            "aws-region",
            "aws-secret-access-key",
            "aws-session-token",
            "custom-tags",
            "disable-retry",
            "force-skip-oidc",
            "http-proxy",
            "inline-session-policy",
            "managed-session-policies",
            "mask-aws-account-id",
            "no-proxy",
            "output-credentials",
            "output-env-credentials",
            "overwrite-aws-profile",
            "retry-max-attempts",
            "role-chaining",
            "role-duration-seconds",
            "role-external-id",
            "role-session-name",
            "role-skip-session-tagging",
            "role-to-assume",
            "special-characters-workaround",
            "sts-endpoint",
            "transitive-tag-keys",
            "unset-current-credentials",
            "use-existing-credentials",
            "web-identity-token-file",
        ],
        required: &["aws-region"],
        outputs: &[
            "aws-account-id",
            "aws-access-key-id",
            "aws-secret-access-key",
            "aws-session-token",
            "aws-expiration",
            "authenticated-arn",
        ],
        signs_in: true,
        ..NONE
    },
    KnownAction { name: "azure/login", signs_in: true, ..NONE },
    KnownAction {
        name: "codecov/codecov-action",
        majors: (3, 3),
        inputs: &[
            "token",
            "directory",
            "dry_run",
            "env_vars",
            "fail_ci_if_error",
            "file",
            "files",
            "flags",
            "full_report",
            "functionalities",
            "gcov",
            "gcov_args",
            "gcov_executable",
            "gcov_ignore",
            "gcov_include",
            "move_coverage_to_trash",
            "name",
            "network_filter",
            "network_prefix",
            "os",
            "override_branch",
            "override_build",
            "override_commit",
            "override_pr",
            "override_tag",
            "root_dir",
            "slug",
            "swift",
            "swift_project",
            "upstream_proxy",
            "url",
            "verbose",
            "version",
            "working-directory",
            "xcode",
            "xcode_archive_path",
            "xtra_args",
        ],
        ..NONE
    },
    KnownAction {
        name: "docker/build-push-action",
        majors: (2, 7),
        inputs: &[
            "add-hosts",
            "allow",
            "annotations",
            "attests",
            "build-args",
            "build-contexts",
            "builder",
            "cache-from",
            "cache-to",
            "call",
            "cgroup-parent",
            "context",
            "file",
            "github-token",
            "labels",
            "load",
            "network",
            "no-cache",
            "no-cache-filters",
            "outputs",
            "platforms",
            "provenance",
            "pull",
            "push",
            "sbom",
            "secret-envs",
            "secret-files",
            "secrets",
            "shm-size",
            "ssh",
            "tags",
            "target",
            "ulimit",
        ],
        outputs: &["imageid", "digest", "metadata"],
        ..NONE
    },
    KnownAction {
        name: "docker/login-action",
        majors: (1, 4),
        inputs: &["registry", "username", "password", "ecr", "logout", "scope", "registry-auth"],
        signs_in: true,
        ..NONE
    },
    KnownAction {
        name: "docker/setup-buildx-action",
        majors: (1, 4),
        inputs: &[
            "append",
            "buildkitd-config",
            "buildkitd-config-inline",
            "buildkitd-flags",
            "cache-binary",
            "cleanup",
            "config",
            "config-inline",
            "driver",
            "driver-opts",
            "endpoint",
            "install",
            "keep-state",
            "name",
            "platforms",
            "use",
            "version",
        ],
        outputs: &["driver", "endpoint", "flags", "name", "platforms", "status", "nodes"],
        ..NONE
    },
    KnownAction { name: "google-github-actions/auth", signs_in: true, ..NONE },
    KnownAction {
        name: "hashicorp/setup-terraform",
        majors: (1, 4),
        inputs: &[
            "cli_config_credentials_hostname",
            "cli_config_credentials_token",
            "terraform_version",
            "terraform_wrapper",
        ],
        // Its wrapper sets three more on the steps that call terraform, not on its own.
        ..NONE
    },
    KnownAction {
        name: "slackapi/slack-github-action",
        majors: (1, 1),
        inputs: &[
            "channel-id",
            "payload",
            "payload-delimiter",
            "payload-file-path",
            "payload-file-path-parsed",
            "slack-message",
            "update-ts",
        ],
        required_env: &["SLACK_WEBHOOK_URL", "SLACK_BOT_TOKEN"],
        outputs: &["time", "thread_ts", "ts", "channel_id"],
        ..NONE
    },
    KnownAction {
        name: "slackapi/slack-github-action",
        majors: (2, 4),
        inputs: &[
            "api",
            "errors",
            "method",
            "payload",
            "payload-delimiter",
            "payload-file-path",
            "payload-templated",
            "proxy",
            "retries",
            "token",
            "webhook",
            "webhook-type",
        ],
        outputs: &["ok", "response", "time", "channel_id", "thread_ts", "ts"],
        ..NONE
    },
    KnownAction {
        name: "softprops/action-gh-release",
        majors: (0, 3),
        inputs: &[
            "append_body",
            "body",
            "body_path",
            "discussion_category_name",
            "draft",
            "fail_on_unmatched_files",
            "files",
            "generate_release_notes",
            "make_latest",
            "name",
            "overwrite_files",
            "prerelease",
            "preserve_order",
            "previous_tag",
            "repository",
            "tag_name",
            "target_commitish",
            "token",
            "working_directory",
        ],
        outputs: &["url", "id", "upload_url", "assets"],
        needs_write: &["contents"],
        ..NONE
    },
    KnownAction {
        name: "trufflesecurity/trufflehog",
        majors: (3, 3),
        inputs: &["path", "base", "head", "extra_args", "image", "version"],
        ..NONE
    },
];

/// Actions that need more of the token than they say in their inputs.
const WRITERS: &[(&str, &[&str])] = &[
    ("actions/attest-build-provenance", &["id-token", "attestations"]),
    ("actions/deploy-pages", &["pages", "id-token"]),
    ("actions/labeler", &["pull-requests"]),
    ("actions/stale", &["issues"]),
    ("github/codeql-action/analyze", &["security-events"]),
    ("github/codeql-action/upload-sarif", &["security-events"]),
    ("peter-evans/create-pull-request", &["contents", "pull-requests"]),
];

/// The facts about an action in this version. A version that is no number (a branch, a commit) is
/// taken for the newest.
pub(crate) fn find(name: &str, version: Option<&str>) -> Option<&'static KnownAction> {
    let lower = name.to_ascii_lowercase();
    let first = ACTIONS.partition_point(|action| action.name < lower.as_str());
    let same = ACTIONS[first..].iter().take_while(|action| action.name == lower);
    match version.and_then(major) {
        Some(major) => {
            same.into_iter().find(|action| (action.majors.0..=action.majors.1).contains(&major))
        }
        None => same.last(),
    }
}

/// The scopes that an action cannot do without.
pub(crate) fn scopes_to_write(name: &str, known: Option<&KnownAction>) -> &'static [&'static str] {
    let lower = name.to_ascii_lowercase();
    match WRITERS.iter().find(|(writer, _)| *writer == lower) {
        Some((_, scopes)) => scopes,
        None => known.map_or(&[], |action| action.needs_write),
    }
}

/// The number in `v4`, `v4.1.2`, `4`.
pub(crate) fn major(version: &str) -> Option<u32> {
    let number = version.strip_prefix('v').unwrap_or(version);
    let first = number.split('.').next()?;
    // A commit such as 4e1243bd may begin with digits but is never this short.
    if first.len() <= 3 { first.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::{ACTIONS, WRITERS, find};

    #[test]
    fn the_table_is_sorted_and_without_doubles() {
        let places: Vec<_> = ACTIONS.iter().map(|action| (action.name, action.majors)).collect();
        let mut sorted = places.clone();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(places, sorted);
        assert!(WRITERS.is_sorted());
        for action in ACTIONS {
            assert!(
                action.required.iter().all(|input| action.inputs.contains(input)),
                "{}",
                action.name
            );
        }
    }

    #[test]
    fn versions_choose_the_entry() {
        let slack =
            |version| find("slackapi/Slack-github-action", version).map(|action| action.majors);
        assert_eq!(slack(Some("v1.27.0")), Some((1, 1)));
        assert_eq!(slack(Some("v2")), Some((2, 4)));
        assert_eq!(slack(Some("main")), Some((2, 4)));
        assert_eq!(slack(Some("v9")), None);
        assert_eq!(slack(Some("0123456789abcdef0123456789abcdef01234567")), Some((2, 4)));
    }
}
