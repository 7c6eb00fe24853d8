//! A service: what is built, how it starts, when it is healthy.

use super::target::{STRATEGY, TARGETS, VERIFY};
use super::{COMMAND, GLOBS, HOUR_MS, ITEMS_MAX, LIMIT, SECOND_MS, WAIT};
use crate::form;
use crate::kind::{Key, Kind, Names, Shape};

pub(crate) static SERVICE: Shape = Shape {
    name: "service",
    short: None,
    one_of: &[],
    keys: &[
        BUILD_KEY,
        IMAGE_KEY,
        BUNDLE_KEY,
        RUN_KEY,
        HEALTH_KEY,
        MIGRATE_KEY,
        VERSION_KEY,
        OWNS_KEY,
        ENV_KEY,
        SETTINGS_KEY,
        SECRETS_KEY,
        TARGET_KEY,
        TARGETS_KEY,
        STRATEGY_KEY,
        VERIFY_KEY,
    ],
};

// Constants cannot hold a temporary that points at a static.
static A_PATH_TEMPLATE: Kind = Kind::Form(&form::PATH_TEMPLATE);
static A_SECRET: Kind = Kind::Form(&form::SECRET);
static AN_ENV_TEXT: Kind = Kind::Form(&form::ENV_TEXT);

pub(super) const BUILD_KEY: Key = Key::optional(
    "build",
    Kind::Shape(&BUILD),
    "How its image is built. Without it, what `image` names is there already.",
);
pub(super) const IMAGE_KEY: Key = Key::default(
    "image",
    Kind::Form(&form::IMAGE),
    "{project}-{service}",
    "The repository of its images in the registry, without registry and tag.",
);
pub(super) const BUNDLE_KEY: Key = Key::optional(
    "bundle",
    Kind::Shape(&BUNDLE),
    "Which files it is made of where it runs without an image. Without it: the repository.",
);
pub(super) const RUN_KEY: Key = Key::optional(
    "run",
    COMMAND,
    "The program that is the service, and its arguments, on a target that runs processes. It \
     listens on the port that the variable PORT holds. On ECS only where `owns` names \
     `command`.",
);
pub(super) const HEALTH_KEY: Key =
    Key::optional("health", Kind::Shape(&HEALTH), "When a new version is healthy.");
pub(super) const MIGRATE_KEY: Key = Key::optional(
    "migrate",
    Kind::Shape(&MIGRATE),
    "What is run once per release, before the new version starts.",
);
pub(super) const VERSION_KEY: Key = Key::optional(
    "version",
    Kind::Shape(&VERSION),
    "Where it says which version it is, so that every instance can be asked.",
);
pub(super) const OWNS_KEY: Key = Key::items(
    "owns",
    Kind::List { of: &Kind::Word(OWNED), min: 1, max: OWNED.len(), one: true },
    &["image"],
    "What of it on the platform is Launchway's as a whole: variables and references to secrets that \
     the settings do not name go, the command is that of `run`. What the settings name is \
     Launchway's anyway; everything else stays as it is there.",
);
pub(super) const ENV_KEY: Key = Key::optional(
    "env",
    Kind::Map { names: Names::Form(&form::ENV_NAME), of: &AN_ENV_TEXT, min: 0, max: ITEMS_MAX },
    "Variables that everybody may read.",
);
pub(super) const SETTINGS_KEY: Key = Key::optional(
    "settings",
    Kind::List { of: &A_PATH_TEMPLATE, min: 1, max: ITEMS_MAX, one: true },
    "`.env` files with variables; what a later one says wins, and `env` wins over all of them.",
);
pub(super) const SECRETS_KEY: Key = Key::optional(
    "secrets",
    Kind::Map { names: Names::Form(&form::ENV_NAME), of: &A_SECRET, min: 0, max: ITEMS_MAX },
    "Variables whose values lie elsewhere, by reference.",
);
pub(super) const TARGET_KEY: Key =
    Key::optional("target", Kind::Word(KINDS), "Which of several targets is meant.");
pub(super) const TARGETS_KEY: Key = Key::optional(
    "targets",
    Kind::Shape(&TARGETS),
    "Where it runs. What services have in common stands in the environment, what environments \
     have in common in the service.",
);
pub(super) const STRATEGY_KEY: Key = Key::default(
    "strategy",
    Kind::Shape(&STRATEGY),
    "rolling",
    "How the new version takes the place of the old one.",
);
pub(super) const VERIFY_KEY: Key = Key::optional(
    "verify",
    Kind::Shape(&VERIFY),
    "What must hold before a deployment is called a success.",
);

const KINDS: &[(&str, &str)] = &[
    ("ecs", "a service of Amazon ECS"),
    ("host", "processes or containers on this machine"),
    ("kubernetes", "a Deployment of Kubernetes"),
];

const OWNED: &[(&str, &str)] = &[
    ("image", "which image runs"),
    ("environment", "its variables"),
    ("secrets", "its references to secrets"),
    ("command", "the command that starts it"),
];

static BUILD: Shape = Shape {
    name: "build",
    short: Some("context"),
    one_of: &[],
    keys: &[
        Key::default("context", Kind::Form(&form::PATH), ".", "The folder that is built."),
        Key::optional(
            "dockerfile",
            Kind::Form(&form::PATH),
            "The Dockerfile; without it: `Dockerfile` in `context`.",
        ),
        Key::optional("target", Kind::Form(&form::TEXT), "The stage of the Dockerfile to build."),
        Key::default(
            "platform",
            Kind::Word(&[
                ("linux/amd64", "64-bit Intel and AMD"),
                ("linux/arm64", "64-bit ARM, AWS Graviton"),
            ]),
            "linux/amd64",
            "What it is built for.",
        ),
        Key::optional(
            "args",
            Kind::Map {
                names: Names::Form(&form::ENV_NAME),
                of: &Kind::Form(&form::ENV_TEXT),
                min: 0,
                max: ITEMS_MAX,
            },
            "Build arguments. They can be read in the image: no secrets.",
        ),
    ],
};

pub(crate) static BUNDLE: Shape = Shape {
    name: "bundle",
    short: Some("path"),
    one_of: &[],
    keys: &[
        Key::default("path", Kind::Form(&form::PATH), ".", "The folder it is in."),
        Key::items("include", GLOBS, &["**"], "What of it belongs to the service."),
        Key::optional("exclude", GLOBS, "What of that does not. What git ignores never does."),
        Key::default(
            "limit",
            Kind::Size { min_bytes: 1, max_bytes: 64 << 30 },
            "1GiB",
            "How large it may be; more is a mistake in the patterns.",
        ),
    ],
};

static HEALTH: Shape = Shape {
    name: "health",
    short: Some("paths"),
    one_of: &[],
    keys: &[
        Key::required(
            "paths",
            Kind::List { of: &Kind::Form(&form::URL_PATH), min: 1, max: 16, one: true },
            "Each must answer with a status from 200 to 299.",
        ),
        Key::default("settle", WAIT, "30s", "How long it has to stay healthy before it counts."),
        Key::default("within", LIMIT, "5m", "When it is not healthy by then, it is given up."),
        Key::default(
            "timeout",
            Kind::Duration { min_ms: 10, max_ms: HOUR_MS },
            "5s",
            "How long one answer may take.",
        ),
        Key::default(
            "every",
            Kind::Duration { min_ms: 100, max_ms: HOUR_MS },
            "1s",
            "How often is asked.",
        ),
    ],
};

static MIGRATE: Shape = Shape {
    name: "migrate",
    short: Some("run"),
    one_of: &[],
    keys: &[
        Key::required("run", COMMAND, "The command, run with the new version and its settings."),
        Key::default(
            "timeout",
            Kind::Duration { min_ms: SECOND_MS, max_ms: 24 * HOUR_MS },
            "10m",
            "How long it may take.",
        ),
        Key::default(
            "compatible",
            Kind::Flag,
            "true",
            "Whether the version before still works once it ran. Where it does not, going back \
             needs the backup, and that is said before the deployment.",
        ),
    ],
};

static VERSION: Shape = Shape {
    name: "version",
    short: Some("path"),
    one_of: &[],
    keys: &[
        Key::required("path", Kind::Form(&form::URL_PATH), "The path that answers with JSON."),
        Key::default(
            "field",
            Kind::Form(&form::TEXT),
            "version",
            "The field of that JSON; `build.sha` for one inside another.",
        ),
    ],
};
