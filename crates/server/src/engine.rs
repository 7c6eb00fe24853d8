//! What the pages may ask of whoever drives runs. The server decides nothing itself.

use std::collections::BTreeMap;

use event::{Actor, DeploymentId, IncidentId, JobKey, StreamId, Timestamp};
use serde::{Deserialize, Serialize};
use versions::{VersionList, VersionRecord};
use views::DeploymentView;

use crate::approvals::GateAnswer;
use crate::dispatch::{Dispatch, Offer};
use crate::in_force::InForce;
use crate::incidents::IncidentAsk;
use crate::keep::{KeepWish, KeptName, Named};
use crate::reason::Reason;
use crate::runner_link::RunnerLink;
use crate::sync::{SyncDone, SyncOrder, SyncPlan, SyncWish};
use crate::wire::ConsolePage;

/// Which jobs run again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    /// All.
    All,
    /// Those that failed, with those that need them.
    Failed,
}

/// Why something that was asked for is not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Of which kind the reason is.
    pub why: Why,
    /// The reason, for people.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

/// Writes into the audit trail what is about to be done to the thing of this name: asked when nothing stands in its
/// way, before anything of it is done, so that nothing is done that nobody hears of. Where it cannot, nothing is.
pub type Record<'r> = &'r dyn Fn(&str) -> Result<(), Refused>;

/// Kinds of reasons.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// There is no such thing.
    NotFound,
    /// It is not in the state for it.
    Conflict,
    /// What was given cannot be used.
    Input,
    /// A rule forbids it.
    Forbidden,
    /// It was asked for too often.
    TooOften,
    /// Nothing proves who says it.
    Unproven,
    /// Something that is needed does not answer.
    Missing,
}

impl Refused {
    /// A reason without a remedy.
    pub fn new(why: Why, message: impl Into<String>) -> Refused {
        Refused { why, message: message.into(), hint: None }
    }
}

/// What reaches an environment with a job that waits at its gate.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Changes {
    /// The commit that ran well there last, as far as jobs tell; none where that is not known.
    pub since: Option<String>,
    /// Those that come, the newest first, of many the newest; where it is not known since when, the job's own alone.
    pub commits: Vec<Change>,
    /// How many come in all.
    pub count: usize,
    /// How many that run there now do not any more.
    pub lost: usize,
}

/// A commit, for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// Its hash.
    pub commit: String,
    /// The first line of what it says.
    pub subject: String,
    /// Who wrote it.
    pub by: String,
}

/// How many jobs run at a time, and how many do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Workers {
    /// At a time.
    pub width: usize,
    /// Now.
    pub busy: usize,
    /// Jobs that are ready and wait for one.
    pub ready: usize,
}

/// A machine that takes jobs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Runner {
    /// What it is called.
    pub name: String,
    /// Labels that it has besides those that mean any Linux machine.
    pub labels: Vec<String>,
    /// The only repositories whose jobs it takes; none: those of every one.
    pub repositories: Option<Vec<String>>,
    /// Jobs at a time.
    pub capacity: usize,
    /// Jobs that run there now.
    pub busy: usize,
    /// What it takes.
    pub takes: Takes,
    /// How jobs are kept in there; nothing where it did not say.
    pub kept_in: String,
    /// What it said of itself; none for the server's own machine.
    pub elsewhere: Option<Elsewhere>,
}

/// A runner on another machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Elsewhere {
    /// Of its program.
    pub version: String,
    /// Its processor.
    pub processor: String,
    /// When it was heard last.
    pub heard_at: Timestamp,
}

/// What a runner takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// Jobs whose labels it has.
    Jobs,
    /// No job any more; what runs there goes on.
    Nothing,
    /// No job now: nobody hears of it.
    Away,
}

/// A job that is ready and has no worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaitingJob {
    /// Its run.
    pub stream: StreamId,
    /// The job.
    pub job: JobKey,
    /// Why, as a sentence about it.
    pub why: String,
}

/// A repository whose pushes are run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectedRepository {
    /// `owner/name`
    pub name: String,
    /// The bare repository.
    pub path: String,
    /// Where it is, where that is elsewhere and it is looked at every so often.
    pub elsewhere: Option<FollowedRepository>,
    /// Environments that its jobs may run in.
    pub environments: Vec<String>,
    /// Workflow files that somebody switched off.
    pub switched_off: Vec<String>,
}

/// A workflow at the tip of a repository's default branch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownWorkflow {
    /// Its file.
    pub path: String,
    /// `name`
    pub name: Option<String>,
    /// The events that it runs on.
    pub events: Vec<String>,
    /// Whether it runs on them.
    pub state: WorkflowState,
}

/// Whether a workflow runs on its events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WorkflowState {
    /// It does.
    On,
    /// Somebody switched it off.
    Off,
    /// It cannot be read.
    Broken,
}

/// A repository elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FollowedRepository {
    /// Where git fetches it.
    pub url: String,
    /// From one look to the next.
    pub every_seconds: u64,
    /// Why it cannot be looked at now; none where it can.
    pub trouble: Option<String>,
}

/// An environment, as the rules at the tip of the default branch have it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GuardedEnvironment {
    /// Its name.
    pub name: String,
    /// `project` of the settings; none where no settings name it.
    pub project: Option<String>,
    /// Services that the settings have; a way on leads for no others.
    pub services: Vec<String>,
    /// The environment below, from which it is promoted to.
    pub below: Option<String>,
    /// How much happens without a person.
    pub level: Option<u32>,
    /// Where it is reached.
    pub url: Option<String>,
    /// What guards it, a sentence each.
    pub rules: Vec<String>,
    /// The commit of the last job that ended well there.
    pub commit: Option<String>,
}

/// A push that came, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Push {
    /// `owner/name`
    pub repository: String,
    /// `refs/heads/main`
    pub git_ref: String,
    /// The commit it brought.
    pub commit: String,
    /// Who pushed.
    pub pusher: String,
    /// When.
    pub at: Timestamp,
    /// The runs it made, each with its workflow file.
    pub runs: Vec<(StreamId, String)>,
    /// Why files did not run, or what is wrong.
    pub said: Vec<String>,
}

/// Code of a fork whose runs wait until somebody lets them in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldPush {
    /// What it is called.
    pub id: String,
    /// `owner/name`
    pub repository: String,
    /// `refs/pull/7/merge`
    pub git_ref: String,
    /// The commit that would run.
    pub commit: String,
    /// Who sent it.
    pub by: String,
    /// The workflow files that would run.
    pub workflows: Vec<String>,
}

/// What became of code of a fork that somebody let in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LetIn {
    /// How many runs begin.
    pub runs: usize,
    /// Workflows that were switched off since it was pushed: they do not run.
    pub switched_off: Vec<String>,
}

/// A workflow that was switched on or off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Switched {
    /// Its file.
    pub path: String,
    /// Whether that is at the tip of the default branch.
    pub is_at_tip: bool,
}

/// Who tells the server something without having signed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Teller {
    /// GitHub, of a repository.
    GitHub,
    /// PagerDuty, of an incident there.
    PagerDuty,
}

/// What somebody tells who has not signed in, as it came.
#[derive(Clone, Copy, Debug)]
pub struct Webhook<'w> {
    /// Who it says that it is of: the address that it came to.
    pub teller: Teller,
    /// What it says that it is.
    pub event: &'w str,
    /// What it says that it is known by.
    pub delivery: &'w str,
    /// What is to prove it.
    pub signature: &'w str,
    /// What its body says that it is.
    pub content_type: &'w str,
    /// Its body.
    pub body: &'w [u8],
}

/// What became of what somebody told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    /// It is on the disk, and will be acted upon.
    New,
    /// It was taken before.
    Known,
    /// It is proven, and about nothing that is done here.
    Ignored,
}

/// What became of what somebody signed for a deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HandedIn {
    /// It counts.
    Agreed {
        /// Who signed it.
        by: String,
        /// Whether it was the last one wanted there.
        is_open: bool,
    },
    /// It ended the deployment.
    Rejected,
}

/// Whoever drives runs.
pub trait Engine: Send + Sync {
    /// Whether somebody sees to it that an open run goes on.
    fn is_attended(&self, stream: StreamId) -> bool;

    /// Where a cloud shows what was deployed, in its console; nothing of what is in none.
    fn console(&self, view: &DeploymentView) -> Vec<ConsolePage>;

    /// How busy the workers are.
    fn workers(&self) -> Workers;

    /// The machines that take jobs.
    fn runners(&self) -> Vec<Runner>;

    /// The runs that go on here.
    fn driven(&self) -> Vec<StreamId>;

    /// Jobs that are ready and have no worker, in the order of their turn.
    fn queue(&self) -> Vec<WaitingJob>;

    /// Why jobs of a run that are ready have no worker, each as a sentence about it.
    fn waits(&self, stream: StreamId) -> BTreeMap<JobKey, String>;

    /// Serves a runner on another machine until its connection is over; `name` is whom its token says it
    /// is, and `repositories` are the only ones whose jobs it may have; none: all. Called on a thread of its own.
    fn serve_runner(&self, name: &str, repositories: &[String], link: RunnerLink);

    /// Says what a runner takes from now on.
    ///
    /// # Errors
    /// When there is none of that name, or it cannot be kept or recorded.
    fn set_runner(&self, name: &str, takes: Takes, record: Record<'_>) -> Result<(), Refused>;

    /// Ends a run. What it has begun ends in its own order.
    ///
    /// # Errors
    /// When it is over, or nobody can end it.
    fn cancel(&self, stream: StreamId, by: &Actor, reason: &Reason) -> Result<(), Refused>;

    /// Runs it once more, as a new attempt. The same key makes one attempt of that run, however often it is
    /// used; a key has in it whose it is.
    ///
    /// # Errors
    /// When it is not over, or cannot be run any more.
    fn rerun(
        &self,
        stream: StreamId,
        which: Again,
        by: &Actor,
        reason: &Reason,
        key: Option<&str>,
    ) -> Result<StreamId, Refused>;

    /// Starts jobs again that were lost and wait for a person.
    ///
    /// # Errors
    /// When none waits.
    fn resume(&self, stream: StreamId, by: &Actor, reason: &Reason) -> Result<(), Refused>;

    /// The repositories whose pushes are run.
    ///
    /// # Errors
    /// When they cannot be read.
    fn repositories(&self) -> Result<Vec<ConnectedRepository>, Refused>;

    /// The newest pushes to repositories that are `wanted`, by their names, newest first.
    ///
    /// # Errors
    /// When they cannot be read.
    fn pushes(&self, limit: usize, wanted: &dyn Fn(&str) -> bool) -> Result<Vec<Push>, Refused>;

    /// Code of forks that nobody let in yet.
    ///
    /// # Errors
    /// When it cannot be read.
    fn held(&self) -> Result<Vec<HeldPush>, Refused>;

    /// Lets in what waits under an id.
    ///
    /// # Errors
    /// When nothing waits that is called so, or it cannot be written down or recorded.
    fn let_in(&self, id: &str, by: &str, record: Record<'_>) -> Result<LetIn, Refused>;

    /// The versions of a repository: its tags that are valid semver, the highest first.
    ///
    /// # Errors
    /// When there is no such repository, or it cannot be read.
    fn versions(&self, repository: &str) -> Result<VersionList, Refused>;

    /// One of them, with its notes, runs, artifacts and deployments.
    ///
    /// # Errors
    /// When there is none, or it cannot be read.
    fn version(&self, repository: &str, tag: &str) -> Result<VersionRecord, Refused>;

    /// What may be dispatched in a repository, at a branch or tag; none: the default branch.
    ///
    /// # Errors
    /// When there is no such repository, branch or tag.
    fn offer(&self, repository: &str, git_ref: Option<&str>) -> Result<Offer, Refused>;

    /// Makes a run that somebody asked for by hand. The same key makes one run in that repository; a key has
    /// in it whose it is.
    ///
    /// # Errors
    /// When there is no such workflow, or what was given is not what it asks for.
    fn dispatch(
        &self,
        wanted: &Dispatch,
        by: &Actor,
        key: Option<&str>,
    ) -> Result<StreamId, Refused>;

    /// Has somebody say something at a job's gate, and comes back when it is written down.
    ///
    /// # Errors
    /// When it does not count; that is written down, too.
    fn answer(&self, answer: &GateAnswer) -> Result<(), Refused>;

    /// What reaches an environment of a repository with a job of this commit.
    ///
    /// # Errors
    /// When the repository cannot be asked.
    fn changes(
        &self,
        repository: &str,
        environment: &str,
        commit: &str,
    ) -> Result<Changes, Refused>;

    /// Deployments that wait for people, the newest first, a line for each group, as
    /// `launchway approvals list --format json` writes it.
    ///
    /// # Errors
    /// When they cannot be read.
    fn waiting_deployments(&self) -> Result<Vec<serde_json::Value>, Refused>;

    /// What is to be signed for a deployment, as `launchway approvals show --output` writes it.
    ///
    /// # Errors
    /// When there is no such deployment, or it waits for nobody.
    fn approval_request(&self, id: DeploymentId) -> Result<serde_json::Value, Refused>;

    /// Hands what somebody signed to whoever drives a deployment, who judges it, and comes back with what
    /// became of it.
    ///
    /// # Errors
    /// When it does not count, or nobody drives it.
    fn hand_in(&self, id: DeploymentId, signed: &str) -> Result<HandedIn, Refused>;

    /// Has whoever drives a deployment told that somebody wants it to end, and waits a little until that is written
    /// down; one that nobody drives and that changed nothing is ended. Said twice it is said once. Gives whether
    /// somebody drives it.
    ///
    /// # Errors
    /// When there is no such deployment, it is over, or nobody drives it and it changed something.
    fn cancel_deployment(
        &self,
        id: DeploymentId,
        by: &Actor,
        reason: Option<&str>,
    ) -> Result<bool, Refused>;

    /// A token of OIDC for the job that has this word.
    ///
    /// # Errors
    /// When it is no word of a job that goes on.
    fn id_token(&self, bearer: &str, audience: Option<&str>) -> Result<String, Refused>;

    /// The token of GitHub's for the job that has this word: `token`, when it ends, and what it may not do.
    ///
    /// # Errors
    /// When it is no word of a job that goes on and may have one, or GitHub gives none.
    fn github_token(&self, bearer: &str) -> Result<serde_json::Value, Refused>;

    /// The discovery document of whoever issues such tokens.
    fn oidc_discovery(&self) -> serde_json::Value;

    /// The keys that prove them.
    ///
    /// # Errors
    /// When they cannot be read.
    fn oidc_keys(&self) -> Result<serde_json::Value, Refused>;

    /// The environments of a repository, with what guards each.
    ///
    /// # Errors
    /// When the rules cannot be read.
    fn environments(&self, repository: &str) -> Result<Vec<GuardedEnvironment>, Refused>;

    /// What the settings at the tip of a repository's default branch want of its pipelines; what is usual where they
    /// say nothing, or it is not connected.
    ///
    /// # Errors
    /// When they cannot be read, or have mistakes: why, for people.
    fn goals(&self, repository: &str) -> Result<figures::Goals, String>;

    /// Secrets and variables of a repository: names, and who set them when.
    ///
    /// # Errors
    /// When there is no such repository.
    fn kept(&self, repository: &str) -> Result<Vec<KeptName>, Refused>;

    /// Secrets and variables that workflows at the tip of a repository's default branch and messages read.
    ///
    /// # Errors
    /// When there is no such repository, or it cannot be read.
    fn named(&self, repository: &str) -> Result<Named, Refused>;

    /// Keeps a value, or forgets it.
    ///
    /// # Errors
    /// When it cannot be kept so, or recorded.
    fn keep(&self, wish: &KeepWish, record: Record<'_>) -> Result<(), Refused>;

    /// What would be put into GitHub's secrets and variables of a repository that is a mirror of one there.
    ///
    /// # Errors
    /// When it is none, or GitHub does not say what it has.
    fn plan_sync(&self, repository: &str, wish: &SyncWish) -> Result<SyncPlan, Refused>;

    /// Puts values there; each is recorded before, as an action and what it is done to.
    ///
    /// # Errors
    /// When none was tried. What stops it later is said beside what was done.
    fn sync(
        &self,
        repository: &str,
        order: &SyncOrder,
        record: &dyn Fn(&str, String) -> Result<(), Refused>,
    ) -> Result<SyncDone, Refused>;

    /// The workflows of a repository, and those that are switched off.
    ///
    /// # Errors
    /// When there is no such repository, or it cannot be read.
    fn workflows(&self, repository: &str) -> Result<Vec<KnownWorkflow>, Refused>;

    /// Switches a workflow on or off that is named by its path or its file name; one that only another branch has by
    /// its whole path. What a run began goes on.
    ///
    /// # Errors
    /// When there is no such workflow, or it cannot be written down or recorded.
    fn switch_workflow(
        &self,
        repository: &str,
        workflow: &str,
        is_on: bool,
        record: Record<'_>,
    ) -> Result<Switched, Refused>;

    /// What is connected, with all that is kept of each, as `launchway repositories list --format json` writes it.
    ///
    /// # Errors
    /// When it cannot be read.
    fn connections(&self) -> Result<Vec<serde_json::Value>, Refused>;

    /// Sends a test message by a rule of a repository, now and once; comes back when it arrived.
    ///
    /// # Errors
    /// When there is no such rule, or it did not arrive.
    fn test_rule(&self, repository: &str, rule: &str) -> Result<(), Refused>;

    /// Does something about an incident, and comes back with which one when it is written down.
    ///
    /// # Errors
    /// When it cannot be so, or cannot be written down.
    fn incident(&self, ask: &IncidentAsk) -> Result<IncidentId, Refused>;

    /// Whether anything is heard of somebody: it is connected.
    ///
    /// # Errors
    /// Where it is not, or that cannot be told.
    fn hears(&self, teller: Teller) -> Result<(), Refused>;

    /// What is in force on the server, for its administrator.
    ///
    /// # Errors
    /// When it cannot be read.
    fn in_force(&self) -> Result<InForce, Refused>;

    /// Takes a webhook. When it returns, what was taken survives.
    ///
    /// # Errors
    /// When nothing proves it, it cannot be used, or cannot be written down.
    fn webhook(&self, webhook: &Webhook<'_>) -> Result<Received, Refused>;

    /// Why no new work can be taken; none where it can.
    fn is_unready(&self) -> Option<String>;
}
