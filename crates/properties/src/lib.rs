//! What must hold for whatever bytes come from outside: the bodies of the fuzz targets.
//!
//! ```text
//!   fuzz/targets/NAME.rs ──▶ check(bytes) ◀── tests/corpus.rs
//!   nightly, minutes         panics where      stable, every build:
//!                            a promise breaks  each file of fuzz/corpus/NAME
//! ```
//!
//! A property says more than "no panic": what is printed reads the same, places lie in the text,
//! limits are kept, a secret never comes through. A broken promise is a panic, because that is what
//! fuzzers and tests both look for. Nothing here knows that there is a fuzzer.
//!
//! A new target is a module and a line in [`TARGETS`], a bin in `fuzz/Cargo.toml`, a file in
//! `fuzz/targets` and a folder in `fuzz/corpus`; the replay finds what is missing.

pub mod actions;
pub mod approvals;
pub mod archives;
pub mod bundles;
pub mod containers;
pub mod dotenv;
pub mod events;
pub mod expressions;
pub mod file_commands;
pub mod locks;
pub mod manifests;
pub mod masks;
pub mod matchers;
pub mod messages;
pub mod paged;
pub mod patterns;
mod places;
pub mod reports;
pub mod runner_frames;
pub mod services;
pub mod settings;
pub mod sign_in;
pub mod summaries;
pub mod templates;
mod tree;
pub mod trust_policies;
pub mod versions;
pub mod webhooks;
pub mod workflow_commands;
pub mod workflows;
mod world;
pub mod yaml;

/// Takes an input, and panics where a promise is broken.
pub type Property = fn(&[u8]);

/// Every target by the name of its corpus.
pub const TARGETS: &[(&str, Property)] = &[
    ("actions", actions::check),
    ("approvals", approvals::check),
    ("archives", archives::check),
    ("bundles", bundles::check),
    ("containers", containers::check),
    ("dotenv", dotenv::check),
    ("events", events::check),
    ("expressions", expressions::check),
    ("file_commands", file_commands::check),
    ("locks", locks::check),
    ("manifests", manifests::check),
    ("masks", masks::check),
    ("matchers", matchers::check),
    ("messages", messages::check),
    ("paged", paged::check),
    ("runner_frames", runner_frames::check),
    ("patterns", patterns::check),
    ("reports", reports::check),
    ("services", services::check),
    ("settings", settings::check),
    ("sign_in", sign_in::check),
    ("summaries", summaries::check),
    ("templates", templates::check),
    ("trust_policies", trust_policies::check),
    ("versions", versions::check),
    ("webhooks", webhooks::check),
    ("workflow_commands", workflow_commands::check),
    ("workflows", workflows::check),
    ("yaml", yaml::check),
];
