//! End to end: the real binary, real git, real processes. What each rule says in detail is proved at
//! the doors of the crates below; here is proved that they were wired to one another.
//! Each file says in its first lines what it plays. What needs real parts (Docker, PostgreSQL, a browser) is behind a
//! feature of that name: `cargo xtask test` brings them, tier by tier.

mod access;
mod apart;
mod approvals;
mod artifacts;
mod at_server;
mod attacks;
mod background;
mod bad_input;
mod beside;
#[cfg(feature = "machine")]
mod bounded;
#[cfg(feature = "browser")]
mod browser;
#[cfg(feature = "docker")]
mod build;
mod by_itself;
#[cfg(feature = "docker")]
mod contained;
#[cfg(feature = "docker")]
mod containers;
#[cfg(feature = "docker")]
mod corrected;
#[cfg(feature = "docker")]
#[path = "../../../target-host/tests/house/daemon.rs"]
mod daemon;
#[cfg(feature = "postgres")]
mod databases;
mod delivered;
mod demo;
mod deploy;
mod dispatch;
mod doctor;
mod ecs;
mod edges;
#[cfg(feature = "schemathesis")]
mod examined;
#[cfg(feature = "examples")]
mod examples;
mod first_day;
mod followed;
mod forms;
mod gated;
mod gated_shut;
mod github;
mod github_missed;
mod github_releases;
mod github_token;
mod github_token_far;
mod groups;
mod harness;
mod host;
#[cfg(feature = "docker")]
mod image;
#[cfg(feature = "docker")]
mod images;
mod incidents;
mod init;
mod job_user;
mod json;
mod kept;
mod kill;
mod left_alone;
mod logs;
mod lost;
#[cfg(feature = "smtp")]
mod mail;
mod messages;
mod no_such_run;
mod oidc;
mod own_action;
#[cfg(feature = "docker")]
mod own_workflows;
mod paged;
mod pinned;
mod plan;
#[cfg(any(feature = "docker", feature = "postgres"))]
mod postgres;
mod promote;
mod prune;
mod reasons;
mod refuse;
#[cfg(feature = "docker")]
#[path = "../../../registry/tests/house/server.rs"]
mod registry;
mod rekeyed;
mod relay;
mod remote;
mod remote_away;
mod reuse;
mod rights;
mod run;
mod runner;
mod safety;
mod sandboxed;
mod scans;
mod scheduled;
mod searched;
mod seeds;
mod select;
mod serve;
mod serving;
mod settings;
mod shared;
mod sign_in;
#[cfg(feature = "soak")]
mod soak;
mod standing_by;
mod state_of_work;
mod synced;
mod tls;
mod told;
mod trail;
mod versions;
mod waits;
#[cfg(feature = "docker")]
mod walkthroughs;
mod watched;
#[cfg(feature = "soak")]
mod webhooks;
mod where_it_runs;
