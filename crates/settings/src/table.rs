//! The one table of keys: what `launchway.yml` can say, what each key takes, means and defaults to.
//!
//! ```text
//!   root.rs         project, journal, groups, notify, goals, releases
//!   service.rs      what is built, how it starts, when it is healthy
//!   environment.rs  who may deploy there, how, with what
//!   target.rs       where it runs, and how the new version takes over
//! ```

mod environment;
mod root;
mod service;
mod target;

pub(crate) use environment::{ENVIRONMENT, FREEZE, OVERRIDE, PROTECT, WINDOW};
pub(crate) use root::{NOTIFY, ROOT, WORKFLOW_GOALS};
pub(crate) use service::{BUNDLE, SERVICE};
pub(crate) use target::{SMOKE, STRATEGY};

use crate::form;
use crate::kind::Kind;

const SECOND_MS: u64 = 1_000;
const HOUR_MS: u64 = 3_600 * SECOND_MS;
const DAY_MS: u64 = 24 * HOUR_MS;

/// Services of a project and environments of one: each pair is looked at.
const SERVICES_MAX: usize = 64;
const ENVIRONMENTS_MAX: usize = 32;
/// Items of a list and entries of a mapping: more is no list that a person wrote.
const ITEMS_MAX: usize = 256;

/// A wait inside of a deployment.
const WAIT: Kind = Kind::Duration { min_ms: 0, max_ms: DAY_MS };
/// A limit on something that must happen.
const LIMIT: Kind = Kind::Duration { min_ms: SECOND_MS, max_ms: DAY_MS };
/// A command and its arguments.
const COMMAND: Kind =
    Kind::List { of: &Kind::Form(&form::TEXT), min: 1, max: ITEMS_MAX, one: false };
/// Any number of texts.
const TEXTS: Kind = Kind::List { of: &Kind::Form(&form::TEXT), min: 1, max: ITEMS_MAX, one: true };
const GLOBS: Kind = Kind::List { of: &Kind::Form(&form::GLOB), min: 1, max: ITEMS_MAX, one: true };
const REFS: Kind = Kind::List { of: &Kind::Form(&form::REF), min: 1, max: ITEMS_MAX, one: true };
