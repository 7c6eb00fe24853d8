//! The root of `launchway.yml`.

use super::environment::CREDENTIALS;
use super::{ENVIRONMENT, ENVIRONMENTS_MAX, ITEMS_MAX, SERVICE, SERVICES_MAX};
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
             people share (docs/shared-journal.md), or by a server. `alone` is `local`, and says that \
             only this one machine deploys: without that, what is protected is not deployed from a \
             journal that nobody else sees.",
        ),
        Key::optional(
            "journal_credentials",
            Kind::Shape(&CREDENTIALS),
            "How Launchway signs in to the journal's bucket. Without it: as AWS's own tools do, not \
             as an environment says, for one journal is of all environments. Its region is found.",
        ),
        Key::required(
            "services",
            Kind::Map {
                names: Names::Form(&form::NAME),
                of: &Kind::Shape(&SERVICE),
                min: 1,
                max: SERVICES_MAX,
            },
            "What is deployed, by name.",
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
        Key::required(
            "environments",
            Kind::Map {
                names: Names::Form(&form::NAME),
                of: &Kind::Shape(&ENVIRONMENT),
                min: 1,
                max: ENVIRONMENTS_MAX,
            },
            "Where it is deployed to, by name.",
        ),
        Key::optional(
            "notify",
            Kind::List { of: &Kind::Shape(&NOTIFY), min: 0, max: ITEMS_MAX, one: false },
            "Who is told of what.",
        )
        .not_yet(),
    ],
};

pub(crate) static NOTIFY: Shape = Shape {
    name: "message",
    short: None,
    one_of: &["slack", "webhook", "email", "pagerduty"],
    keys: &[
        Key::optional(
            "slack",
            Kind::Form(&form::SECRET),
            "Where the address of Slack's webhook lies.",
        ),
        Key::optional("webhook", Kind::Form(&form::URL), "An address that is sent JSON."),
        Key::optional("email", Kind::Form(&form::EMAIL), "An address of email."),
        Key::optional("pagerduty", Kind::Form(&form::SECRET), "Where the integration's key lies."),
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
            "Of which environments; without it: of all.",
        ),
    ],
};

const OCCASIONS: &[(&str, &str)] = &[
    ("waiting", "an approval is waited for"),
    ("started", "a deployment starts"),
    ("succeeded", "it succeeded"),
    ("failed", "it failed, and nothing was left to go back to"),
    ("rolled_back", "it failed, and what ran before runs again"),
    ("rollback_stuck", "going back failed too"),
    ("refused", "a rule forbade it"),
    ("cancelled", "a person ended it before its first change"),
    ("superseded", "another deployment took its place"),
];
