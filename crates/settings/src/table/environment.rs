//! An environment: who may deploy there, how, and with what.

use super::service::{
    BUILD_KEY, BUNDLE_KEY, ENV_KEY, HEALTH_KEY, IMAGE_KEY, MIGRATE_KEY, OWNS_KEY, RUN_KEY,
    SECRETS_KEY, SETTINGS_KEY, STRATEGY_KEY, TARGET_KEY, TARGETS_KEY, VERIFY_KEY, VERSION_KEY,
};
use super::{DAY_MS, GLOBS, HOUR_MS, ITEMS_MAX, LIMIT, REFS, SECOND_MS, SERVICES_MAX, TEXTS};
use crate::form;
use crate::kind::{Key, Kind, Named, Names, Shape};

pub(crate) static ENVIRONMENT: Shape = Shape {
    name: "environment",
    short: None,
    one_of: &[],
    keys: &[
        Key::default(
            "level",
            Kind::Integer { min: 0, max: 5 },
            "4",
            "How much happens without a person: 0 nothing, 1 tests without the cloud, 2 images \
             without a push, 3 looking at the infrastructure, 4 deployments that a person starts, \
             5 deployments by themselves.",
        ),
        Key::optional("url", Kind::Form(&form::URL), "Where it is reached."),
        Key::optional(
            "deploy",
            Kind::Shape(&DEPLOY),
            "What starts a deployment, or from where it comes.",
        ),
        Key::optional("region", Kind::Form(&form::REGION), "The region of everything in it."),
        Key::optional(
            "account",
            Kind::Form(&form::ACCOUNT),
            "The account it is in. With credentials of another one, nothing is touched.",
        ),
        Key::optional("credentials", Kind::Shape(&CREDENTIALS), "How Launchway signs in."),
        Key::optional(
            "registry",
            Kind::Form(&form::REGISTRY),
            "Where its images are: the repositories of `image` lie behind this. Without it: the \
             registry of AWS (ECR) in `region`.",
        ),
        Key::optional(
            "scan",
            Kind::Shape(&SCAN),
            "What ECR must have found in an image, or not, before it is deployed here.",
        ),
        SETTINGS_KEY,
        ENV_KEY,
        SECRETS_KEY,
        TARGETS_KEY,
        STRATEGY_KEY,
        VERIFY_KEY,
        Key::optional("protect", Kind::Shape(&PROTECT), "What must be so before a deployment."),
        Key::optional("backup", Kind::Shape(&BACKUP), "What is saved before anything changes."),
        Key::default(
            "on_cancel",
            Kind::Word(&[
                ("back", "what ran before runs again"),
                ("finish", "it goes on to its end"),
            ]),
            "back",
            "What a deployment does that is cancelled after its first change.",
        ),
        Key::optional(
            "below",
            Kind::Reference(Named::Environment),
            "What never succeeded there is refused here, and a job of a server waits for it. Without it: \
             where `deploy: promote:` takes it from.",
        ),
        Key::optional(
            "services",
            Kind::Map {
                names: Names::Reference(Named::Service),
                of: &Kind::Shape(&OVERRIDE),
                min: 0,
                max: SERVICES_MAX,
            },
            "What is different here for one service.",
        ),
    ],
};

/// What an environment may say differently about a service: all of it.
pub(crate) static OVERRIDE: Shape = Shape {
    name: "service in an environment",
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

static DEPLOY: Shape = Shape {
    name: "deploy",
    short: None,
    one_of: &["on", "promote"],
    keys: &[
        Key::optional(
            "on",
            Kind::Shape(&ON),
            "What is deployed without a person, at level 5: pushes that ask for it.",
        ),
        Key::optional(
            "promote",
            Kind::Reference(Named::Environment),
            "The environment whose release is deployed here, the very same digest.",
        ),
    ],
};

static ON: Shape = Shape {
    name: "on",
    short: Some("branch"),
    one_of: &[],
    keys: &[
        Key::required("branch", Kind::Form(&form::REF), "What is checked out must be this branch."),
        Key::optional("paths", GLOBS, "Only where these changed since what runs there."),
    ],
};

static SCAN: Shape = Shape {
    name: "scan",
    short: Some("refuse"),
    one_of: &[],
    keys: &[
        Key::default(
            "refuse",
            Kind::Word(&[
                ("critical", "critical findings"),
                ("high", "these and worse"),
                ("medium", "these and worse"),
                ("low", "these and worse"),
            ]),
            "critical",
            "Findings as bad as this refuse the deployment.",
        ),
        Key::default(
            "unsupported",
            Kind::Word(&[("refuse", "it is not deployed"), ("allow", "it is, and that is said")]),
            "refuse",
            "What becomes of an image that ECR cannot scan.",
        ),
        Key::default("within", LIMIT, "5m", "When there is no result by then, it is refused."),
    ],
};

pub(super) static CREDENTIALS: Shape = Shape {
    name: "credentials",
    short: None,
    one_of: &["assume", "profile", "instance", "keys"],
    keys: &[
        Key::optional(
            "assume",
            Kind::Shape(&ASSUME),
            "A role, by a token of OIDC: nothing is stored.",
        ),
        Key::optional("profile", Kind::Form(&form::TEXT), "A profile of AWS's own files."),
        Key::optional("instance", Kind::Shape(&INSTANCE), "The role of the machine or task."),
        Key::optional(
            "keys",
            Kind::Shape(&KEYS),
            "Access keys. They live long: `assume` is safer.",
        ),
    ],
};

static ASSUME: Shape = Shape {
    name: "assume",
    short: Some("role"),
    one_of: &[],
    keys: &[
        Key::required("role", Kind::Form(&form::ROLE), "The role."),
        Key::default(
            "session",
            Kind::Duration { min_ms: 900 * SECOND_MS, max_ms: 12 * HOUR_MS },
            "1h",
            "How long a session is good for.",
        ),
        Key::optional(
            "issuer",
            Kind::Form(&form::URL),
            "The URL of Launchway's own issuer of tokens. Without it: the token that is there, of a \
             file or of a job of GitHub Actions.",
        ),
    ],
};

static INSTANCE: Shape = Shape { name: "instance", short: None, one_of: &[], keys: &[] };

static KEYS: Shape = Shape {
    name: "keys",
    short: None,
    one_of: &[],
    keys: &[
        Key::default(
            "id",
            Kind::Form(&form::ENV_NAME),
            "AWS_ACCESS_KEY_ID",
            "The secret that holds the key's id.",
        ),
        Key::default(
            "secret",
            Kind::Form(&form::ENV_NAME),
            "AWS_SECRET_ACCESS_KEY",
            "The secret that holds the key.",
        ),
    ],
};

pub(crate) static PROTECT: Shape = Shape {
    name: "protect",
    short: None,
    one_of: &[],
    keys: &[
        Key::optional(
            "reviewers",
            Kind::Map {
                names: Names::Reference(Named::Group),
                of: &Kind::Integer { min: 1, max: 20 },
                min: 1,
                max: 16,
            },
            "How many of each group must approve. Nobody counts twice, and never who asked for it \
             or pushed it.",
        ),
        Key::default("authors", Kind::Flag, "false", "Whether authors of its commits may approve."),
        Key::optional(
            "wait",
            Kind::Duration { min_ms: 0, max_ms: 30 * DAY_MS },
            "How long is waited, so that somebody can still say no.",
        ),
        Key::optional("branches", REFS, "Only what these branches contain."),
        Key::optional("tags", REFS, "Only what has one of these tags."),
        Key::optional(
            "confirm",
            Kind::Form(&form::TEXT),
            "A word that whoever starts it must type.",
        ),
        Key::optional(
            "windows",
            Kind::List { of: &Kind::Shape(&WINDOW), min: 1, max: ITEMS_MAX, one: false },
            "Only in one of these times.",
        ),
        Key::optional(
            "freezes",
            Kind::List { of: &Kind::Shape(&FREEZE), min: 1, max: ITEMS_MAX, one: false },
            "Never in one of these times.",
        ),
        Key::optional("checks", TEXTS, "Checks that must be green for that very commit."),
    ],
};

const DAYS: &[(&str, &str)] = &[
    ("mon", "Monday"),
    ("tue", "Tuesday"),
    ("wed", "Wednesday"),
    ("thu", "Thursday"),
    ("fri", "Friday"),
    ("sat", "Saturday"),
    ("sun", "Sunday"),
];

pub(crate) static WINDOW: Shape = Shape {
    name: "window",
    short: None,
    one_of: &[],
    keys: &[
        Key::items(
            "days",
            Kind::List { of: &Kind::Word(DAYS), min: 1, max: DAYS.len(), one: true },
            &["mon", "tue", "wed", "thu", "fri"],
            "On these days.",
        ),
        Key::required("from", Kind::Form(&form::CLOCK), "From this time of day on."),
        Key::required("to", Kind::Form(&form::CLOCK), "Until this time of that day."),
        Key::required("zone", Kind::Form(&form::ZONE), "The time zone in which that is so."),
    ],
};

pub(crate) static FREEZE: Shape = Shape {
    name: "freeze",
    short: None,
    one_of: &[],
    keys: &[
        Key::required("from", Kind::Form(&form::MOMENT), "From then on."),
        Key::required("to", Kind::Form(&form::MOMENT), "Until then."),
        Key::required("reason", Kind::Form(&form::TEXT), "Said to whoever wants to deploy."),
    ],
};

static BACKUP: Shape = Shape {
    name: "backup",
    short: None,
    one_of: &["rds", "dump"],
    keys: &[
        Key::optional("rds", Kind::Shape(&RDS), "A snapshot of a database of Amazon RDS."),
        Key::optional("dump", Kind::Shape(&DUMP), "A dump of PostgreSQL, proven readable."),
    ],
};

static RDS: Shape = Shape {
    name: "rds",
    short: Some("instance"),
    one_of: &["instance", "cluster"],
    keys: &[
        Key::optional("instance", Kind::Form(&form::RESOURCE), "The instance."),
        Key::optional("cluster", Kind::Form(&form::RESOURCE), "The cluster, for Aurora."),
        Key::default(
            "within",
            LIMIT,
            "2h",
            "When it is not available by then, nothing is changed.",
        ),
    ],
};

static DUMP: Shape = Shape {
    name: "dump",
    short: None,
    one_of: &[],
    keys: &[
        Key::required(
            "url",
            Kind::Form(&form::SECRET),
            "Where the database's address lies: `postgresql://USER:PASSWORD@HOST/DATABASE`, as the \
             service has it. This machine must reach it.",
        ),
        Key::required("to", Kind::Form(&form::BUCKET), "The bucket it is kept in."),
        Key::optional(
            "scratch",
            Kind::Form(&form::SECRET),
            "Where the address of a server lies on which each dump is restored once, to prove it, and \
             how long that takes is kept. The database made there is dropped again.",
        ),
        Key::default("within", LIMIT, "1h", "When it is not done by then, nothing is changed."),
    ],
};
