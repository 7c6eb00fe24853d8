//! What an expression may name, place by place (conformance 45 to 65).
//!
//! Named by the place in the file, so that a reader says `scope::STEP_IF` and nobody has to know by
//! heart that a step's `if` sees no secrets. The lists themselves stand once, in [`Scope`].

use expr::Scope;

/// Where only literal text belongs: names of workflows, ids, filters; and a step's `shell` and the
/// workflow's `defaults.run` (58), where literals and functions pass.
pub const LITERAL: Scope = Scope::NOTHING;
/// `run-name` and the workflow's `concurrency` (45).
pub const RUN: Scope = Scope::RUN;
/// The workflow's `env` (46).
pub const WORKFLOW_ENV: Scope = Scope::WORKFLOW_ENV;
/// A job's `if` (47).
pub const JOB_IF: Scope = Scope::JOB_IF;
/// `strategy` (48).
pub const STRATEGY: Scope = Scope::STRATEGY;
/// Most of a job: `name`, `runs-on`, `environment`, `concurrency`, `container`, the timeouts (49).
pub const JOB: Scope = Scope::JOB;
/// A job's `env` (50).
pub const JOB_ENV: Scope = Scope::JOB_ENV;
/// A job's `defaults.run` (51).
pub const JOB_DEFAULTS: Scope = Scope::JOB_DEFAULTS;
/// `credentials` of a container or service (52), beside what the container itself sees (49).
pub const CREDENTIALS: Scope = Scope::CREDENTIALS;
/// `env` of a container or service (53).
pub const CONTAINER_ENV: Scope = Scope::JOB_OUTPUTS;
/// `environment.url` (54).
pub const ENVIRONMENT_URL: Scope = Scope::ENVIRONMENT_URL;
/// A job's `outputs` (55).
pub const JOB_OUTPUTS: Scope = Scope::JOB_OUTPUTS;
/// A step's `if` (56): no secrets.
pub const STEP_IF: Scope = Scope::STEP_IF;
/// The rest of a step (57).
pub const STEP: Scope = Scope::STEP;
/// A calling job's `with` (59).
pub const CALL_WITH: Scope = Scope::JOB;
/// A calling job's `secrets` (59).
pub const CALL_SECRETS: Scope = Scope::JOB_ENV;
/// The default of an input of `workflow_call` (60).
pub const CALL_INPUT_DEFAULT: Scope = Scope::RUN;
/// The value of an output of `workflow_call` (61).
pub const CALL_OUTPUT: Scope = Scope::CALL_OUTPUT;
/// `snapshot.if`, which knows no status.
pub const SNAPSHOT_IF: Scope = Scope::JOB;
/// A composite action's step (62): no secrets, vars or needs.
pub const COMPOSITE_STEP: Scope = Scope::COMPOSITE_STEP;
/// The `if` of a composite action's step (62).
pub const COMPOSITE_IF: Scope = Scope::COMPOSITE_IF;
/// A composite action's outputs (63).
pub const COMPOSITE_OUTPUT: Scope = Scope::COMPOSITE_OUTPUT;
/// The default of an action's input (64).
pub const ACTION_INPUT: Scope = Scope::ACTION_INPUT;
/// `args` and `env` of a Docker action (65).
pub const DOCKER_ARGS: Scope = Scope::DOCKER_ARGS;
/// `pre-if` and `post-if` of an action: status functions and `hashFiles`.
pub const ACTION_IF: Scope = Scope::COMPOSITE_IF;
