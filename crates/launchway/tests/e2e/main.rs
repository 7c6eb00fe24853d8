//! End to end: the real binary, real git, real processes. What each rule says in detail is proved at
//! the doors of the crates below; here is proved that they were wired to one another.
//!
//! ```text
//!   access.rs     signing in to AWS: our own issuer, the role of an environment
//!   run.rs        what jobs and steps do: needs, conditions, matrices, environments, masks, limits
//!   background.rs steps in the background: their ends, their logs, their names
//!   reuse.rs      actions, called workflows, checkout, artifacts, caches
//!   told.rs       what people and programs are told: annotations, lines of JSON, pages, logs
//!   prune.rs      what goes from the state folder, and what stays
//!   bad_input.rs  what is said about bad input; writes docs/bad-input.md
//!   refuse.rs     what is refused before anything runs, in which words, with which exit code
//!   safety.rs     on which machine, in which environment, from which work tree a run may be
//!   demo.rs       `launchway demo`, with nothing but sh and git
//!   approvals.rs  signatures that open gates, and what people try to get round them
//!   databases.rs  real migrations, dumps in a bucket, kill -9 in between; a server's journal in a real
//!                 PostgreSQL                                             (feature `postgres`)
//!   deploy.rs     deployments to this machine: shipped, gone back on, killed and gone on with
//!   doctor.rs     what a deployment needs: nothing flagged where all is well, each thing taken away is
//!   ecs.rs        deployments to ECS, played by the model cloud: shipped, gone back on, killed
//!   build.rs      images built, pushed, found again and promoted  (feature `docker`)
//!   promote.rs    the same digest goes up; deployments inside a job of GitHub's
//!   images.rs     images that runs build, recorded and shown               (feature `docker`)
//!   init.rs       what init writes for the examples and the seeds
//!   groups.rs     concurrency groups between commands
//!   host.rs       a service on this machine: brought, replaced, its supervisor killed
//!   settings.rs   launchway.yml and .env files: checked, shown, their schema
//!   job_user.rs   jobs of root's server that are another user's, and what they try
//!   json.rs       lines of JSON have the fields of docs/json.md
//!   logs.rs       `launchway logs`: last lines, what comes, masked and harmless
//!   kill.rs       kill -9 and signals, and what is true afterwards
//!   own_workflows.rs  those that init writes, to their end              (feature `docker`)
//!   corrected.rs  the seeds' delivery workflows, corrected, to their end         (feature `docker`)
//!   walkthroughs.rs   docs/walkthroughs, run as they stand there                 (feature `docker`)
//!   seeds.rs      the seeds' delivery workflows as written: where they fail, and why (its build:
//!                 feature `docker`)
//!   watched.rs    alarms and printed texts of services on this machine
//!   serve.rs      the server: pushes, pages, the API, killed and gone on with, who gets in
//!   at_server.rs  verbs against a server: secrets, history, status, the trail, switches
//!   gated.rs      jobs that wait for people on a server: quorum, timer, kill -9, what is refused
//!   pinned.rs     the branch that rules come from, and rules that nobody can read
//!   messages.rs   people are told of runs and deployments, over outages and kills
//!   mail.rs       email, to a real server of SMTP                         (feature `smtp`)
//!   sign_in.rs    people sign in by a provider, and what happens where it is away (a real one: feature
//!                 `sign-in`)
//!   delivered.rs  jobs that name an environment, as the figures and pages have them
//!   rights.rs     who may what, for as long as they look
//!   oidc.rs       jobs of a server get tokens that say who they are
//!   trail.rs      secrets that a server takes and never gives; the trail of who did what
//!   scheduled.rs  schedules that came due while the server was away
//!   rekeyed.rs    another key for a server's secrets, while it serves and whoever changes it is killed
//!   dispatch.rs   workflows that somebody runs by hand on a server: page, API, command
//!   browser.rs    every page, looked at by Chromium                          (feature `browser`)
//!   github.rs     a server and the model of GitHub: webhooks in, checks and comments out, forks
//!   github_missed.rs  webhooks that never came: found by looking, delivered again, once
//!   github_token.rs  the token of each job: what it may do, that it starts nothing and ends with the job
//!   github_token_far.rs  the same on a runner of another machine, cut, killed and lost
//!   synced.rs     what is kept, put into GitHub's secrets and variables, here and by a server
//!   webhooks.rs   a thousand webhooks a second                               (feature `soak`)
//!   soak.rs       kill -9 at instants that a seed chooses; 200 who follow live  (feature `soak`)
//!   examples.rs   the repository's examples with PyPI, npm, PostgreSQL, Redis (feature `examples`)
//! ```

mod access;
mod apart;
mod approvals;
mod artifacts;
mod at_server;
mod attacks;
mod background;
mod bad_input;
mod beside;
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
mod followed;
mod gated;
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
