//! The server's face: sign-in, live pages, the API, over one data folder.
//!
//! ```text
//!   browser, program ──▶ serve.rs ──▶ guard.rs ──▶ pages, api, live ──▶ views of the journal
//!                                     who, whether       │
//!                                                        └──▶ Engine: cancel, re-run (decided elsewhere)
//! ```
//!
//! It folds what the journal says, and decides nothing: what somebody wants done goes through
//! [`Engine`] to whoever drives runs. The journal is synchronous, so whatever reads it does so on a
//! thread that may wait; async ends at the routes.
//!
//! Nothing is remembered but for speed: the lines of runs that are over, where the lines of a log
//! begin. What follows live is told only that something changed ([`Hub`]) and reads on from where it
//! stopped, so a restart in between loses nobody a line. Whoever follows is asked for as long as that
//! lasts ([`standing`]): with the right to look the stream ends.

mod access;
mod ansi;
mod api;
mod app;
mod approvals;
mod asked;
mod assets;
mod audit;
mod bound;
mod chart;
mod deployed;
mod dispatch;
mod engine;
mod environments;
mod exchanges;
mod folds;
mod graph;
mod guard;
mod health;
mod hub;
mod in_force;
mod incidents;
mod keep;
mod lines;
mod links;
mod live;
mod log;
mod log_line;
mod numbers;
mod oidc;
mod pages;
mod peer;
mod people;
mod problem;
mod provider;
mod reason;
mod rows;
mod run_search;
mod runner_link;
mod search;
mod sent;
mod serve;
mod standing;
mod sync;
mod timeline;
mod times;
mod waterfall;
mod webhooks;
mod wire;
mod words;

pub use access::{
    Access, AccessError, Grant, Holder, Places, Scope, Token, is_of_machine, is_runner_name,
};
pub use app::page_paths;
pub use approvals::{AnswerSaid, GateAnswer};
pub use dispatch::{Dispatch, InputForm, Offer, OfferedInput, OfferedWorkflow};
pub use engine::{
    Again, Change, Changes, ConnectedRepository, Elsewhere, Engine, FollowedRepository,
    GuardedEnvironment, HandedIn, HeldPush, KnownWorkflow, LetIn, Push, Received, Record, Refused,
    Runner, Switched, Takes, Teller, WaitingJob, Webhook, Why, Workers, WorkflowState,
};
pub use hub::Hub;
pub use in_force::{InForce, KeptRules, Setting};
pub use incidents::{IncidentAsk, IncidentDeed, IncidentWish, incident_details};
pub use keep::{KeepWish, KeptKind, KeptName, Named, NamedValue, VALUE_BYTES_MAX};
pub use peer::Network;
pub use people::Person;
pub use problem::Problem;
pub use provider::{ComeBack, NotSignedIn, Sent, SignIn};
pub use reason::{REASON_CHARS_MAX, REASON_HEEDED, Reason, TooLong};
pub use runner_link::RunnerLink;
pub use search::{Finder as LogFinder, Found as FoundLines, QUERY_CHARS_MAX};
pub use serve::{Options, Server, ServerError, Stop};
pub use sync::{SYNCED_MAX, SyncDone, SyncId, SyncOrder, SyncPlan, SyncValue, SyncWish};
pub use wire::{
    CameRelease, ConsolePage, DeploymentEvents, DeploymentLine, DeploymentList, EnvironmentLine,
    EnvironmentList, MessageLine, MessageList, OpenDeployment, PersonLine, PlaceReleases,
    PlaceStatus, ReleaseImage, ReleaseList, RunEvents, RunLine, RunList, RunningRelease,
    ServiceStatus, ServiceVersion, SessionLine, ShippedByJobs, StatusList, StoredEvent, TokenLine,
    TroubledLine, run_details,
};

pub use log_line::{json_line, log_as_json};

use log_line::say;
