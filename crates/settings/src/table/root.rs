//! The root of `launchway.yml`.

use super::environment::CREDENTIALS;
use super::{
    DAY_MS, ENVIRONMENT, ENVIRONMENTS_MAX, ITEMS_MAX, REFS, SECOND_MS, SERVICE, SERVICES_MAX,
};
use crate::form;
use crate::kind::{Key, Kind, Named, Names, Shape};

pub(crate) static ROOT: Shape = Shape {
    name: "launchway.yml",
    short: None,
    one_of: &[],
    keys: &[
        Key::required(
            "version",
            Kind::Integer { min: 1, max: 1 },
            "The version of this language, 1.",
        ),
        Key::required(
            "project",
            Kind::Form(&form::NAME),
            "What all of it is called; `{project}` in names.",
        ),
        Key::default(
            "journal",
            Kind::Form(&form::JOURNAL),
            "local",
            "Where deployments are written down: on this machine (`local`), in a bucket that several \
             people share (docs/shared-journal.md). By a server: refused, for none keeps one yet. \
             `alone` is `local`, and says that only this one machine deploys: without that, what is \
             protected is not deployed from a journal that nobody else sees.",
        ),
        Key::optional(
            "journal_credentials",
            Kind::Shape(&CREDENTIALS),
            "How Launchway signs in to the journal's bucket. Without it: as AWS's own tools do, not \
             as an environment says, for one journal is of all environments. Its region is found.",
        ),
        Key::optional(
            "services",
            Kind::Map {
                names: Names::Form(&form::NAME),
                of: &Kind::Shape(&SERVICE),
                min: 1,
                max: SERVICES_MAX,
            },
            "What is deployed, by name. Without it nothing is deployed from here: jobs do that, and \
             this file says who approves them, and who is told.",
        ),
        Key::optional(
            "order",
            Kind::List {
                of: &Kind::Reference(Named::Service),
                min: 1,
                max: SERVICES_MAX,
                one: false,
            },
            "The order in which the services of one release ship, each verified before the next; \
             back in reverse. Without it: as they stand under `services`.",
        ),
        Key::optional(
            "groups",
            Kind::Map {
                names: Names::Form(&form::NAME),
                of: &Kind::List {
                    of: &Kind::Form(&form::PERSON),
                    min: 1,
                    max: ITEMS_MAX,
                    one: true,
                },
                min: 0,
                max: ITEMS_MAX,
            },
            "Who may approve: names of people by group. Their keys stand in \
             `.launchway/allowed_signers`.",
        ),
        Key::optional(
            "environments",
            Kind::Map {
                names: Names::Form(&form::NAME),
                of: &Kind::Shape(&ENVIRONMENT),
                min: 1,
                max: ENVIRONMENTS_MAX,
            },
            "Where it is deployed to, by name; those that jobs name in `environment:`, too.",
        ),
        Key::optional(
            "notify",
            Kind::List { of: &Kind::Shape(&NOTIFY), min: 0, max: ITEMS_MAX, one: false },
            "Who is told of what, by whoever drives it: the server of its runs, `deploy` of its \
             deployments (docs/messages.md).",
        ),
        Key::optional(
            "coverage",
            Kind::Shape(&COVERAGE),
            "How much of the lines tests have to run. A run under it has a check of its own that failed, \
             and `launchway run` says so and ends with 1 (docs/test-reports.md).",
        ),
        Key::optional(
            "images",
            Kind::Shape(&IMAGES),
            "How large the images that a run builds may be. A run above it has a check of its own that \
             failed, and `launchway run` says so and ends with 1 (docs/built-images.md).",
        ),
        Key::optional(
            "never_skip",
            REFS,
            "Branches on which a server runs what is pushed, and pull requests into them, although the \
             commit's message says `[skip ci]` or its like; it says so.",
        ),
        Key::optional(
            "goals",
            Kind::Shape(&GOALS),
            "How well pipelines are to do: shown beside what is measured, as met or missed \
             (docs/metrics.md). Nothing fails for a goal that is missed.",
        ),
        Key::optional(
            "releases",
            Kind::Shape(&RELEASES),
            "What a server makes at GitHub of version tags (docs/versions.md).",
        ),
        Key::optional("mail", Kind::Shape(&MAIL), "The server by which email is sent."),
        Key::optional(
            "private_receivers",
            Kind::List { of: &Kind::Form(&form::HOST), min: 1, max: ITEMS_MAX, one: true },
            "Hosts that messages may be sent to although their addresses are not public, or nothing \
             encrypts what goes there. A server does not hear this: `serve --private-receiver` says \
             so there.",
        ),
    ],
};

pub(crate) static NOTIFY: Shape = Shape {
    name: "message",
    short: None,
    one_of: &["slack", "webhook", "email", "pagerduty"],
    keys: &[
        Key::optional(
            "name",
            Kind::Form(&form::NAME),
            "What the rule is called. Without it: its kind and its place in the list, `slack-1`.",
        ),
        Key::optional(
            "slack",
            Kind::Form(&form::KEPT_SECRET),
            "Where the address of Slack's webhook lies.",
        ),
        Key::optional("webhook", Kind::Form(&form::URL), "An address that is sent JSON."),
        Key::optional("email", Kind::Form(&form::EMAIL), "An address of email."),
        Key::optional(
            "pagerduty",
            Kind::Form(&form::KEPT_SECRET),
            "Where the integration's key lies (Events API v2). What succeeds ends the incident that \
             this rule began.",
        ),
        Key::optional(
            "key",
            Kind::Form(&form::KEPT_SECRET),
            "Where the key lies by which what is sent to `webhook` is signed.",
        ),
        Key::optional(
            "pagerduty_url",
            Kind::Form(&form::URL),
            "PagerDuty's address where it is not https://events.pagerduty.com.",
        ),
        Key::items(
            "on",
            Kind::List { of: &Kind::Word(OCCASIONS), min: 1, max: ITEMS_MAX, one: true },
            &["failed", "rolled_back", "rollback_stuck"],
            "What is told.",
        ),
        Key::optional(
            "environments",
            Kind::List {
                of: &Kind::Reference(Named::Environment),
                min: 1,
                max: ENVIRONMENTS_MAX,
                one: true,
            },
            "Of deployments to which environments, and of runs whose jobs name one of them: those that failed, succeeded or were cancelled as the run was, or the one that waits. Without it: of all.",
        ),
        Key::optional(
            "branches",
            Kind::List { of: &Kind::Form(&form::REF), min: 1, max: ITEMS_MAX, one: true },
            "Of runs of which branches; without it: of all runs.",
        ),
    ],
};

/// More would be asked of no code: a minimum of 0 asks nothing.
const PERCENT: Kind = Kind::Integer { min: 1, max: 100 };

pub(crate) static COVERAGE: Shape = Shape {
    name: "minimum of coverage",
    short: None,
    one_of: &[],
    keys: &[
        Key::optional("minimum", PERCENT, "Of all lines together, in percent."),
        Key::optional(
            "flags",
            Kind::Map { names: Names::Form(&form::TEXT), of: &PERCENT, min: 1, max: ITEMS_MAX },
            "Of the lines of a flag, in percent: `api` of an artifact `coverage-api`.",
        ),
    ],
};

/// How large an image may be.
const IMAGE_SIZE: Kind = Kind::Size { min_bytes: 1, max_bytes: 1 << 40 };

pub(crate) static IMAGES: Shape = Shape {
    name: "maximum of images",
    short: None,
    one_of: &[],
    keys: &[
        Key::optional(
            "maximum",
            IMAGE_SIZE,
            "Of the files of each image, as `docker images` says it: `500MB`. A MB is a million bytes, \
             a MiB 1,048,576.",
        ),
        Key::optional(
            "names",
            Kind::Map { names: Names::Form(&form::TEXT), of: &IMAGE_SIZE, min: 1, max: ITEMS_MAX },
            "Of images of a name, in place of `maximum`: the name without its tag, or its end from a \
             `/` on, `app` of `ghcr.io/octo/app:v2`.",
        ),
    ],
};

/// A time that a pipeline is to take.
const TIME: Kind = Kind::Duration { min_ms: SECOND_MS, max_ms: 30 * DAY_MS };

pub(crate) static GOALS: Shape = Shape {
    name: "goals",
    short: None,
    one_of: &[],
    keys: &[
        Key::default(
            "success",
            PERCENT,
            "95",
            "Of a hundred final attempts on the default branch, so many are to succeed. 95 is what \
             pages call the usual goal where nobody wrote one.",
        ),
        Key::optional("duration", TIME, "The median of how long runs take is not to be above it."),
        Key::optional("queue", TIME, "Nineteen in twenty jobs are to wait no longer for a worker."),
        Key::optional(
            "repair",
            TIME,
            "The median of how long the default branch stays red is not to be above it.",
        ),
        Key::optional(
            "workflows",
            Kind::Map {
                names: Names::Form(&form::WORKFLOW),
                of: &Kind::Shape(&WORKFLOW_GOALS),
                min: 1,
                max: ITEMS_MAX,
            },
            "What else holds for workflows, by their file's name.",
        ),
    ],
};

pub(crate) static WORKFLOW_GOALS: Shape = Shape {
    name: "goals of a workflow",
    short: None,
    one_of: &[],
    keys: &[
        Key::optional("success", PERCENT, "In place of `success` of all."),
        Key::optional("duration", TIME, "In place of `duration` of all."),
        Key::optional("queue", TIME, "In place of `queue` of all."),
        Key::optional("repair", TIME, "In place of `repair` of all."),
    ],
};

pub(crate) static RELEASES: Shape = Shape {
    name: "releases",
    short: None,
    one_of: &[],
    keys: &[Key::default(
        "github",
        Kind::Word(&[
            ("none", "no release is made there"),
            ("draft", "a draft, which a person publishes"),
            ("published", "a release that everybody sees who sees the repository"),
        ]),
        "none",
        "What is made of a version tag whose runs all succeeded. It is read from the default branch \
         of a repository that the server knows from GitHub.",
    )],
};

pub(crate) static MAIL: Shape = Shape {
    name: "mail server",
    short: None,
    one_of: &[],
    keys: &[
        Key::required("host", Kind::Form(&form::HOST), "Its name."),
        Key::optional(
            "port",
            Kind::Integer { min: 1, max: 65_535 },
            "Its port. Without it: 465 for `tls`, 25 for `none`, else 587.",
        ),
        Key::default(
            "encryption",
            Kind::Word(&[
                ("starttls", "TLS behind the first words, or nothing is sent"),
                ("tls", "TLS from the first byte"),
                ("none", "nothing encrypts it: only to hosts of `private_receivers`"),
            ]),
            "starttls",
            "What keeps others from reading mail on its way.",
        ),
        Key::required("from", Kind::Form(&form::EMAIL), "Who sends."),
        Key::optional("user", Kind::Form(&form::TEXT), "As whom it is signed in."),
        Key::optional("password", Kind::Form(&form::KEPT_SECRET), "Where the password lies."),
    ],
};

const OCCASIONS: &[(&str, &str)] = &[
    ("requested", "somebody asked for a deployment: it is coming"),
    ("waiting", "a gate is shut: an approval, a wait"),
    ("started", "a deployment begins to change something"),
    ("succeeded", "it succeeded"),
    ("failed", "it failed, and nothing was left to go back to"),
    ("rolled_back", "it failed, and what ran before runs again"),
    ("rollback_stuck", "going back failed too"),
    ("refused", "a rule forbade it"),
    ("cancelled", "a person ended it before its first change"),
    ("superseded", "another deployment took its place"),
    ("run_failed", "a run failed"),
    ("run_succeeded", "a run succeeded"),
    ("run_cancelled", "a run was ended"),
    ("run_waiting", "a job waits for a person: an approval, or because it was lost"),
    ("tests_failing", "tests of the default branch fail repeatedly"),
    ("vulnerability_found", "a scan of the default branch found what the one before did not"),
];
