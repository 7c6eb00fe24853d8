//! The events of one run.
//!
//! The vocabulary holds what the numbers need later (control plane C.1): when a job became ready,
//! when a worker took it, how it ended and whose fault that was, which commits the run is about.

use std::collections::BTreeMap;
use std::sync::Arc;

use mask::MaskedText;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::deployment::{Actor, Asked, GateKey};
use crate::digest::Digest;
use crate::gate::JobGate;
use crate::ids::{
    AnnotationLevel, Attempt, BlobId, Conclusion, Fence, JobKey, RunId, StepKey, Timestamp,
};
use crate::image::BuiltImage;

/// What happened in a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum RunEvent {
    /// The run exists. Everything its decisions rest on is in the request.
    RunCreated(Box<RunRequest>),
    /// It stands behind another run of its concurrency group.
    RunWaiting {
        /// For what.
        reason: WaitReason,
        /// Since when.
        at: Timestamp,
    },
    /// Nothing stands before its jobs any more; it holds its concurrency group, where it has one.
    RunStarted {
        /// When.
        at: Timestamp,
    },
    /// A file's jobs and what they need of each other, all of one file at once: the run's own right
    /// behind `RunCreated`, a called workflow's when its calling job's turn has come. Conditions,
    /// matrices and names are not looked at before the needs are there.
    JobsDeclared {
        /// The calling job; none for the run's own file.
        parent: Option<JobKey>,
        /// Which file: none for the run's own, else a key of `called`.
        file: Option<String>,
        /// In the order of the file.
        jobs: Vec<DeclaredJob>,
    },
    /// A job's place in the graph was settled: once for a plain job, once for each leg of a matrix,
    /// once for each job of a called workflow. Nothing of it is evaluated again.
    JobPlanned(Box<JobDefinition>),
    /// A matrix job gave its legs. `children` were planned just before.
    JobExpanded {
        /// The job as it stands in the file.
        job: JobKey,
        /// What it became.
        children: Vec<JobKey>,
    },
    /// Its condition said no, or an ancestor's end did.
    JobSkipped {
        /// Which.
        job: JobKey,
        /// Why.
        reason: SkipReason,
        /// When.
        at: Timestamp,
    },
    /// It waits for something other than its needs.
    JobWaiting {
        /// Which.
        job: JobKey,
        /// For what.
        reason: WaitReason,
        /// Since when.
        at: Timestamp,
    },
    /// It names an environment, and the rules were read: this stands before it. Asked once more with
    /// another [`JobGate::what`], what was agreed to before is void.
    JobGated {
        /// Which.
        job: JobKey,
        /// What has to open.
        gate: Box<JobGate>,
        /// When.
        at: Timestamp,
    },
    /// Somebody agreed to exactly what the gate asks, or typed the word.
    JobApproved {
        /// Which.
        job: JobKey,
        /// At which gate.
        gate: GateKey,
        /// Who.
        by: Actor,
        /// [`JobGate::what`], as they were shown it.
        what: Digest,
        /// Why, in their words.
        reason: Option<MaskedText>,
        /// Of this answer alone.
        id: Arc<str>,
        /// When.
        at: Timestamp,
    },
    /// Somebody said no: it ends without a worker.
    JobRejected {
        /// Which.
        job: JobKey,
        /// At which gate.
        gate: GateKey,
        /// Who.
        by: Actor,
        /// [`JobGate::what`], as they were shown it.
        what: Digest,
        /// Why, in their words.
        reason: Option<MaskedText>,
        /// Of this answer alone.
        id: Arc<str>,
        /// When.
        at: Timestamp,
    },
    /// Somebody said something at a gate that does not count. It changes nothing.
    JobApprovalRefused {
        /// Which.
        job: JobKey,
        /// At which gate, where they said so.
        gate: Option<GateKey>,
        /// Who.
        by: Actor,
        /// Why it does not count.
        why: MaskedText,
        /// Of this answer alone.
        id: Arc<str>,
        /// When.
        at: Timestamp,
    },
    /// Everybody agreed who is asked, the clock lets it through, and the rules were read once more.
    JobGateOpened {
        /// Which.
        job: JobKey,
        /// The tip that the rules were read from.
        commit: Arc<str>,
        /// When.
        at: Timestamp,
    },
    /// Needs satisfied, gates passed, concurrency slot free (`ready_at`).
    JobReady {
        /// Which.
        job: JobKey,
        /// When.
        at: Timestamp,
    },
    /// A worker is to have it (`leased_at`). Intent: this stands in the journal before the worker starts.
    JobLeased {
        /// Which.
        job: JobKey,
        /// Which lease.
        fence: Fence,
        /// What a worker's processes are known by (`RUNNER_TRACKING_ID`).
        tracking_id: Arc<str>,
        /// The runner on another machine that is to have it; none is whoever drives the run.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        runner: Option<Arc<str>>,
        /// When.
        at: Timestamp,
    },
    /// The worker reported for work.
    JobStarted {
        /// Which.
        job: JobKey,
        /// Which lease.
        fence: Fence,
        /// The worker's process id on this machine.
        pid: u32,
        /// The runner's name.
        runner: Arc<str>,
        /// When.
        at: Timestamp,
    },
    /// A step began.
    StepStarted {
        /// In which job.
        job: JobKey,
        /// Which.
        step: StepKey,
        /// Its name, masked.
        name: MaskedText,
        /// It runs beside the steps behind it. The keys of all that is inside of it begin with its
        /// own and `/`.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        background: bool,
        /// When.
        at: Timestamp,
    },
    /// A step ended. Its log bytes were in the blob before this was written.
    StepCompleted {
        /// In which job.
        job: JobKey,
        /// Which.
        step: StepKey,
        /// Before `continue-on-error`.
        outcome: Conclusion,
        /// After `continue-on-error`.
        conclusion: Conclusion,
        /// Its lines in the job's log; those of a background step, and of all that is inside of
        /// it, in that step's own.
        log: LogRange,
        /// The log of a background step, which the job's log does not hold.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        own_log: Option<BlobId>,
        /// When.
        at: Timestamp,
    },
    /// An annotation from a command, a matcher or the engine.
    AnnotationAdded {
        /// In which job.
        job: JobKey,
        /// From which step.
        step: Option<StepKey>,
        /// What.
        annotation: Annotation,
    },
    /// A step wrote a summary; the blob holds it, masked.
    SummaryWritten {
        /// In which job.
        job: JobKey,
        /// By which step.
        step: StepKey,
        /// The Markdown.
        blob: BlobId,
    },
    /// An artifact was kept with the run.
    ArtifactUploaded {
        /// By which job.
        job: JobKey,
        /// Its name, unique in the run unless overwritten.
        name: MaskedText,
        /// The archive.
        blob: BlobId,
        /// Its size.
        size_bytes: u64,
        /// Kept until.
        expires_at: Timestamp,
    },
    /// A step built an image of containers.
    ImageBuilt {
        /// In which job.
        job: JobKey,
        /// Which step.
        step: StepKey,
        /// The image.
        image: BuiltImage,
    },
    /// It ended.
    JobCompleted {
        /// Which.
        job: JobKey,
        /// Which lease; none where it never had a worker.
        fence: Option<Fence>,
        /// How.
        conclusion: Conclusion,
        /// Whose fault.
        exit: ExitKind,
        /// Its outputs; those that hold a secret were dropped (conformance 104).
        outputs: BTreeMap<String, MaskedText>,
        /// The whole log's blob, where it wrote one.
        log: Option<BlobId>,
        /// The environment's address, evaluated at the end.
        environment_url: Option<MaskedText>,
        /// When.
        at: Timestamp,
    },
    /// All legs of a matrix job ended: what others see of it (conformance 98).
    MatrixCompleted {
        /// The job as it stands in the file.
        job: JobKey,
        /// `needs.<job>.result`
        conclusion: Conclusion,
        /// The legs' outputs merged, in the order of the legs.
        outputs: BTreeMap<String, MaskedText>,
        /// When.
        at: Timestamp,
    },
    /// All jobs of a called workflow ended: the calling job's own end.
    CallCompleted {
        /// The calling job.
        job: JobKey,
        /// `needs.<job>.result`
        conclusion: Conclusion,
        /// The called workflow's outputs.
        outputs: BTreeMap<String, MaskedText>,
        /// When.
        at: Timestamp,
    },
    /// The job is not run again in this attempt: its end is that of an attempt before.
    JobCarried {
        /// Which.
        job: JobKey,
        /// How it ended there.
        conclusion: Conclusion,
        /// Its outputs there.
        outputs: BTreeMap<String, MaskedText>,
        /// In which attempt it ran; its log is there.
        from: Attempt,
    },
    /// Its worker is gone and nobody knows how far it came. Its tree was ended before this was written.
    JobLost {
        /// Which.
        job: JobKey,
        /// Which lease.
        fence: Fence,
        /// What is known.
        reason: MaskedText,
        /// When.
        at: Timestamp,
    },
    /// A lost job is to start again from its beginning, by itself or because a person said so.
    JobRequeued {
        /// Which.
        job: JobKey,
        /// Who said so; none where the rule did.
        by: Option<MaskedText>,
        /// How they asked for it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        asked: Option<Asked>,
        /// When.
        at: Timestamp,
    },
    /// Somebody or something wants it stopped. Without a job: the whole run.
    CancelRequested {
        /// Which job, or all.
        job: Option<JobKey>,
        /// Why.
        reason: CancelReason,
        /// When.
        at: Timestamp,
    },
    /// A key was accepted that this engine does not enforce; said on the run so that nobody is misled.
    NotEnforced {
        /// Which job, where it is one.
        job: Option<JobKey>,
        /// What is not enforced, with its place.
        note: MaskedText,
    },
    /// All jobs ended.
    RunCompleted {
        /// How.
        conclusion: Conclusion,
        /// When.
        at: Timestamp,
    },
}

/// What a run is made from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunRequest {
    /// The run.
    pub run: RunId,
    /// Its attempt, from 1.
    pub attempt: Attempt,
    /// Per workflow and repository, from 1; the same over attempts.
    pub run_number: u64,
    /// The attempt before, and the jobs whose results carry over (re-run of failed jobs only).
    pub carried: Vec<JobKey>,
    /// `owner/name`
    pub repository: Arc<str>,
    /// The work tree or bare repository on this machine.
    pub repository_path: Arc<str>,
    /// The workflow file that runs.
    pub workflow: WorkflowFile,
    /// Reusable workflows by the `uses` they are called by.
    pub called: BTreeMap<String, WorkflowFile>,
    /// Display title (`run-name`, else by event).
    pub title: MaskedText,
    /// The event.
    pub event: EventRef,
    /// The commit the run is about.
    pub change: Change,
    /// The workflow's own concurrency group, evaluated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<ConcurrencyClaim>,
    /// Which of its jobs are wanted; all unless told.
    #[serde(default, skip_serializing_if = "Selection::is_everything")]
    pub selection: Selection,
    /// What a person settled for it on this machine.
    #[serde(default, skip_serializing_if = "Terms::is_nothing")]
    pub terms: Terms,
    /// `inputs`, typed.
    pub inputs: Json,
    /// `vars`
    pub vars: Json,
    /// Names of the secrets that were there; never a value.
    pub secret_names: Vec<String>,
    /// Who.
    pub actor: Arc<str>,
    /// Who re-ran it.
    pub triggering_actor: Arc<str>,
    /// How that one asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<Asked>,
    /// When.
    pub at: Timestamp,
}

/// The part of a workflow that a person asked for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Selection {
    /// Keys under `jobs`; these run, and what they need. Empty: all.
    pub jobs: Vec<String>,
    /// Values by matrix key; legs with another value are left out.
    pub matrix: BTreeMap<String, String>,
}

impl Selection {
    /// Whether nothing is left out.
    pub fn is_everything(&self) -> bool {
        self.jobs.is_empty() && self.matrix.is_empty()
    }
}

/// What the person who started a run settled for it. It belongs to the run: whoever goes on with it,
/// or runs its commit again, is bound and helped by the same.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Terms {
    /// Environments whose jobs may run.
    pub environments: Vec<String>,
    /// Labels and groups of `runs-on` that mean this machine.
    pub labels: Vec<String>,
    /// Labels whose jobs run in a container of this image, where they name none themselves.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub images: BTreeMap<String, String>,
    /// Jobs see what is committed, not the work tree.
    pub committed: bool,
    /// Jobs that name an environment stand at its gate before they start.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub gated: bool,
    /// It is code of somebody who may not write to the repository: no secret, no token that writes,
    /// no environment, and caches of its own.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub outside: bool,
    /// Jobs are kept in: they reach what is theirs, and no more of the machine than its programs.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub sandboxed: bool,
    /// Who looked at such code and let it run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub let_in_by: Option<String>,
}

impl Terms {
    /// Whether nothing was settled.
    pub fn is_nothing(&self) -> bool {
        *self == Terms::default()
    }

    /// These and more: what was agreed to stays.
    pub fn and(&self, more: &Terms) -> Terms {
        let both = |one: &[String], more: &[String]| {
            let mut all = one.to_vec();
            all.extend(more.iter().filter(|it| !one.contains(it)).cloned());
            all
        };
        let own = |(label, image): (&String, &String)| (label.clone(), image.clone());
        Terms {
            environments: both(&self.environments, &more.environments),
            labels: both(&self.labels, &more.labels),
            images: more.images.iter().chain(&self.images).map(own).collect(),
            committed: self.committed || more.committed,
            gated: self.gated || more.gated,
            outside: self.outside || more.outside,
            sandboxed: self.sandboxed || more.sandboxed,
            let_in_by: self.let_in_by.clone().or_else(|| more.let_in_by.clone()),
        }
    }
}

/// A file's text at the commit that runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WorkflowFile {
    /// From the repository's root; a file of another repository by the address it is called by.
    pub path: Arc<str>,
    /// Byte for byte.
    pub text: Arc<str>,
}

/// The event that made a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EventRef {
    /// `push`, `pull_request`, ...
    pub name: Arc<str>,
    /// `github.ref`
    pub git_ref: Arc<str>,
    /// The whole payload.
    pub payload: Json,
}

impl EventRef {
    /// The repository's default branch, as the payload names it.
    pub fn default_branch(&self) -> Option<&str> {
        self.payload.pointer("/repository/default_branch").and_then(Json::as_str)
    }
}

/// The commit, with what lead time needs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// Full hash.
    pub commit: Arc<str>,
    /// When its author wrote it.
    pub authored_at: Timestamp,
    /// When it was committed.
    pub committed_at: Timestamp,
    /// Files differing from that commit in the work tree that ran (`design` 8.7).
    pub uncommitted: u64,
    /// The work tree as a commit of its own, where it has changes: every job of the run and of its
    /// later attempts sees this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<Arc<str>>,
    /// Where commits lie that only this machine has: the snapshot, a pull request's test merge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store: Option<Arc<str>>,
    /// The newest commit of the default branch that is in it: where its branch left that one. None on the
    /// default branch, of a pull request, and of a run that ships nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branched_at: Option<Arc<str>>,
}

/// A job with everything about it that was decided before it starts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JobDefinition {
    /// The job.
    pub key: JobKey,
    /// The key under `jobs`.
    pub id: Arc<str>,
    /// Name with matrix values, as checks know it.
    pub name: MaskedText,
    /// The calling job, inside a reusable workflow.
    pub parent: Option<JobKey>,
    /// Which file it stands in: the run's own, or a key of `called`.
    pub file: Option<String>,
    /// Jobs it needs.
    pub needs: Vec<JobKey>,
    /// `matrix`, null without one.
    pub matrix: Json,
    /// Number of this leg, from 0.
    pub index: u32,
    /// Legs in all.
    pub total: u32,
    /// Whether the first failure ends the other legs.
    pub fail_fast: bool,
    /// Legs at a time.
    pub max_parallel: Option<u32>,
    /// When it was planned: `queued_at` (control plane C.1). A job that waits for its needs was
    /// planned long before it is ready.
    pub queued_at: Timestamp,
    /// The concurrency group it asks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<ConcurrencyClaim>,
    /// `continue-on-error` of the job: its failure fails nobody else (conformance 97).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub continue_on_error: bool,
    /// The environment it names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<MaskedText>,
    /// What its token may do: scope to `read` or `write`; what is not listed is none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub permissions: BTreeMap<String, String>,
    /// What only a job with steps has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runner: Option<RunnerDemand>,
    /// What only a job that calls a workflow has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<WorkflowCall>,
}

/// A job as it stands in a file, before anything of it was evaluated.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DeclaredJob {
    /// The job.
    pub key: JobKey,
    /// The key under `jobs`.
    pub id: Arc<str>,
    /// Jobs of the same file that it needs.
    pub needs: Vec<JobKey>,
}

/// A place asked for in a concurrency group (conformance 40 to 42).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConcurrencyClaim {
    /// The group, as written; compared without case.
    pub group: MaskedText,
    /// Whether it ends whoever holds the group.
    pub cancel_in_progress: bool,
    /// `queue: max`: it lets those who wait already wait on.
    pub queue_max: bool,
}

/// What a job asks of the machine it runs on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunnerDemand {
    /// `runs-on`: a runner needs all of them.
    pub labels: Vec<MaskedText>,
    /// `runs-on.group`
    pub group: Option<MaskedText>,
    /// The job's time limit.
    pub timeout_minutes: f64,
    /// How long cleaning up may take after a cancel (conformance 103).
    pub cancel_timeout_minutes: f64,
    /// Whether it reads a secret other than GITHUB_TOKEN: such a job is not started twice unasked.
    pub reads_secrets: bool,
    /// Ports of the machine that its services want for themselves.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub host_ports: Vec<u16>,
}

/// The workflow that a job calls.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WorkflowCall {
    /// The key of `called`.
    pub file: String,
    /// `inputs` of the called workflow, typed.
    pub inputs: Json,
}

/// Why a job did not run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum SkipReason {
    /// Its `if` evaluated to false.
    Condition {
        /// As written, masked.
        expression: MaskedText,
    },
    /// A job that it needs, or one before that, did not succeed.
    Needs {
        /// Which.
        job: JobKey,
    },
    /// The job that calls its workflow did not run.
    Caller,
    /// Somebody forced the run to end, whatever its condition says.
    Forced,
}

/// What a job waits for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum WaitReason {
    /// A concurrency group is taken.
    Concurrency {
        /// The group.
        group: MaskedText,
        /// By whom.
        holder: MaskedText,
    },
    /// `max-parallel` is reached.
    MaxParallel,
    /// It was lost and may not be started again without a person (`design` 8.2).
    Person {
        /// Why not.
        reason: MaskedText,
    },
}

/// Why something is stopped.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum CancelReason {
    /// A person.
    Person {
        /// Who.
        by: MaskedText,
        /// How they asked for it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        asked: Option<Asked>,
    },
    /// Another leg of the matrix failed.
    FailFast {
        /// Which.
        job: JobKey,
    },
    /// A newer run or job in the same concurrency group.
    Concurrency {
        /// The group.
        group: MaskedText,
    },
    /// `timeout-minutes` of the job.
    Timeout {
        /// The limit.
        minutes: f64,
    },
    /// The run is as old as a run may get, its waiting included (conformance 229).
    RunLimit {
        /// The limit.
        days: u64,
    },
    /// The command that ran it went away.
    CommandGone,
    /// A person, who does not wait for jobs whose condition wants them to run on.
    Forced {
        /// Who.
        by: MaskedText,
        /// How they asked for it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        asked: Option<Asked>,
    },
    /// It was told to stop and took longer to clean up than it may (conformance 103).
    CleanUp {
        /// The limit.
        minutes: f64,
    },
}

/// Whose fault a job's end was (control plane C.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExitKind {
    /// It ended well, or was skipped.
    None,
    /// A step said so.
    UserFailure,
    /// Something around the job failed: set-up, a service, the disk.
    InfraFailure,
    /// Stopped on purpose.
    Cancelled,
    /// Ran into its time limit.
    Timeout,
    /// Its worker was lost.
    LostRunner,
}

/// Lines of a job's log that belong to one step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogRange {
    /// Offset of the first byte in the job's log.
    pub start_bytes: u64,
    /// Offset behind the last.
    pub end_bytes: u64,
    /// Number of lines.
    pub lines: u64,
}

/// What a step, a matcher or the engine says about a place in the code.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Annotation {
    /// How bad.
    pub level: AnnotationLevel,
    /// What.
    pub message: MaskedText,
    /// Title, where given.
    pub title: Option<MaskedText>,
    /// From the repository's root.
    pub file: Option<MaskedText>,
    /// Line, from 1.
    pub line: Option<u32>,
    /// Last line.
    pub end_line: Option<u32>,
    /// Column, from 1.
    pub column: Option<u32>,
    /// Last column.
    pub end_column: Option<u32>,
}
