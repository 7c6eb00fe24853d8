//! Where a service runs, how a new version takes over, and what must hold then.

use super::{COMMAND, DAY_MS, HOUR_MS, ITEMS_MAX, LIMIT, TEXTS, WAIT};
use crate::form;
use crate::kind::{Key, Kind, Shape};

pub(crate) static TARGETS: Shape = Shape {
    name: "targets",
    short: None,
    one_of: &[],
    keys: &[
        Key::optional("ecs", Kind::Shape(&ECS), "A service of Amazon ECS."),
        Key::optional(
            "host",
            Kind::Shape(&HOST),
            "Processes or containers on the machine Launchway stands on.",
        ),
        Key::optional("kubernetes", Kind::Shape(&KUBERNETES), "A Deployment of Kubernetes.")
            .not_yet(),
    ],
};

// What is required is required of the target as it is put together of service and environment:
// each of them alone may leave it to the other (`judge.rs`).

static ECS: Shape = Shape {
    name: "ecs",
    short: None,
    one_of: &[],
    keys: &[
        Key::optional(
            "region",
            Kind::Form(&form::REGION),
            "Its region; without it: that of the environment.",
        ),
        Key::optional("cluster", Kind::Form(&form::RESOURCE), "The cluster. Needed."),
        Key::default("service", Kind::Form(&form::RESOURCE), "{service}", "The service."),
        Key::optional(
            "container",
            Kind::Form(&form::RESOURCE),
            "The container whose image is changed; needed where a task has several.",
        ),
        Key::default("within", LIMIT, "30m", "When it is not stable by then, it goes back."),
    ],
};

static HOST: Shape = Shape {
    name: "host",
    short: Some("listen"),
    one_of: &[],
    keys: &[
        Key::optional(
            "listen",
            Kind::Form(&form::LISTEN),
            "Where requests arrive; the proxy listens there. Needed.",
        ),
        Key::default(
            "instances",
            Kind::Integer { min: 1, max: 64 },
            "1",
            "How many processes or containers serve side by side.",
        ),
        Key::default(
            "drain",
            Kind::Duration { min_ms: 0, max_ms: HOUR_MS },
            "30s",
            "How long an old process may finish what it has begun.",
        ),
        Key::optional(
            "as",
            Kind::Word(RUNS_AS),
            "What it runs as. Without it: as processes where `run` is written, or neither `build` \
             nor `image` is; else as containers.",
        ),
        Key::default(
            "port",
            Kind::Integer { min: 1, max: 65_535 },
            "8080",
            "Where a container listens, inside it; its variable PORT holds it.",
        ),
        Key::optional(
            "user",
            Kind::Form(&form::USER),
            "Whose processes they are; without it: of whoever deploys. Only root can start those of \
             others. Of a container: one of its image's users, or a number.",
        ),
        Key::optional(
            "memory",
            Kind::Size { min_bytes: 6 << 20, max_bytes: 1 << 50 },
            "The most memory one container may use; what wants more is ended. Processes cannot be \
             held to it.",
        ),
    ],
};

const RUNS_AS: &[(&str, &str)] = &[
    ("process", "files of the repository, packed, and the program that `run` names"),
    ("container", "its image, run by the Docker of this machine"),
];

static KUBERNETES: Shape = Shape {
    name: "kubernetes",
    short: None,
    one_of: &[],
    keys: &[
        Key::optional("region", Kind::Form(&form::REGION), "The region of an EKS cluster."),
        Key::optional("cluster", Kind::Form(&form::RESOURCE), "The EKS cluster."),
        Key::optional("context", Kind::Form(&form::TEXT), "The context of a kubeconfig instead."),
        Key::default("namespace", Kind::Form(&form::RESOURCE), "default", "The namespace."),
        Key::default("deployment", Kind::Form(&form::RESOURCE), "{service}", "The Deployment."),
        Key::optional("container", Kind::Form(&form::RESOURCE), "The container in it."),
        Key::default("within", LIMIT, "15m", "When the rollout is not done by then, it goes back."),
    ],
};

pub(crate) static STRATEGY: Shape = Shape {
    name: "strategy",
    short: None,
    one_of: &["rolling", "blue_green", "canary"],
    keys: &[
        Key::optional("rolling", Kind::Shape(&ROLLING), "One instance after the other."),
        Key::optional(
            "blue_green",
            Kind::Shape(&BLUE_GREEN),
            "All of the new ones beside the old ones, then all requests at once.",
        ),
        Key::optional("canary", Kind::Shape(&CANARY), "A few requests first, then more.").not_yet(),
    ],
};

static ROLLING: Shape = Shape { name: "rolling", short: None, one_of: &[], keys: &[] };

static BLUE_GREEN: Shape = Shape {
    name: "blue_green",
    short: Some("bake"),
    one_of: &[],
    keys: &[Key::default(
        "bake",
        WAIT,
        "10m",
        "How long the old ones are kept beside the new ones, to go back at once.",
    )],
};

static CANARY: Shape = Shape {
    name: "canary",
    short: Some("steps"),
    one_of: &[],
    keys: &[
        Key::items(
            "steps",
            Kind::List { of: &Kind::Integer { min: 1, max: 99 }, min: 1, max: 20, one: true },
            &["10", "50"],
            "The share of requests that the new version gets, in percent, rising.",
        ),
        Key::default("bake", WAIT, "5m", "How long each share is looked at."),
    ],
};

pub(crate) static VERIFY: Shape = Shape {
    name: "verify",
    short: None,
    one_of: &[],
    keys: &[
        Key::optional(
            "smoke",
            Kind::List { of: &Kind::Shape(&SMOKE), min: 1, max: ITEMS_MAX, one: false },
            "Requests and commands that must succeed, in this order.",
        ),
        Key::optional(
            "headers",
            Kind::List { of: &Kind::Form(&form::HEADER), min: 1, max: ITEMS_MAX, one: true },
            "Headers that answers must have.",
        ),
        Key::optional(
            "alarms",
            TEXTS,
            "CloudWatch alarms that must not go off, from the first change to the end.",
        ),
        Key::optional("logs", TEXTS, "Texts that must not appear in the logs in that time."),
        Key::optional(
            "budget",
            Kind::Shape(&BUDGET),
            "How slow and how faulty it may be, over 100 answers on the paths of health and of smoke tests.",
        ),
    ],
};

pub(crate) static SMOKE: Shape = Shape {
    name: "smoke test",
    short: None,
    one_of: &["get", "run"],
    keys: &[
        Key::optional("get", Kind::Form(&form::URL_PATH), "A path that is asked for."),
        Key::optional("run", COMMAND, "A command; URL is in its environment."),
        Key::default(
            "status",
            Kind::Integer { min: 100, max: 599 },
            "200",
            "The status of the answer to `get`.",
        ),
        Key::optional("contains", Kind::Form(&form::TEXT), "What the answer to `get` contains."),
        Key::default(
            "within",
            Kind::Duration { min_ms: 1, max_ms: DAY_MS },
            "30s",
            "How long it may take.",
        ),
    ],
};

static BUDGET: Shape = Shape {
    name: "budget",
    short: None,
    one_of: &[],
    keys: &[
        Key::optional(
            "p95",
            Kind::Duration { min_ms: 1, max_ms: HOUR_MS },
            "Of 20 answers, 19 come within this.",
        ),
        Key::optional(
            "errors",
            Kind::Integer { min: 0, max: 100 },
            "The share of answers with a status from 500 on, or of none, in percent.",
        ),
    ],
};
