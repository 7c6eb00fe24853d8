//! What driver and worker say to each other, over a socket, a JSON object a line.
//!
//! The worker owns the job: steps, processes, masking, the log file. The driver owns what is
//! remembered. Secrets travel here and nowhere else; this socket is never logged.

mod runner;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use event::{
    Annotation, Attempt, BlobId, BuiltImage, Conclusion, ExitKind, Fence, JobKey, LogRange, RunId,
    StepKey, Timestamp,
};
use mask::MaskedText;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

pub use runner::{
    AWAY_SECONDS_MAX, FRAME_BYTES_MAX, FrameError, FromRunner, Greeting, HeldLease, Limited,
    LogName, Order, PIECE_BYTES_MAX, Piece, RENEW_SECONDS, RUNNER_PROTOCOL, RunnerJob,
    SILENT_SECONDS_MAX, Standing, ToRunner, read_frame, write_frame,
};

/// The longest message either side accepts. A job's definition is at most a workflow file (500 KB)
/// with its payload (GitHub's limit for a webhook: 25 MB).
pub const MESSAGE_BYTES_MAX: usize = 64 << 20;

/// In a job's folder: the artifacts that finished jobs of the run kept, a JSON object a line with
/// `name`, `blob`, `size_bytes`, `expires_at`, and `earlier` where it was an attempt before this one:
/// such a name is free. Whoever starts the worker writes it; without it the
/// job sees its own artifacts only.
pub const RUN_ARTIFACTS_FILE: &str = "artifacts.jsonl";

/// The file that a background step writes its lines to, beside the job's log. Numbers count from 1.
pub fn own_log(log: &Path, number: u32) -> PathBuf {
    let mut path = log.as_os_str().to_owned();
    path.push(format!(".{number}"));
    PathBuf::from(path)
}

/// From the driver to the worker.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum ToWorker {
    /// The first message: the job.
    Start(Box<JobSpec>),
    /// End the job in the order of conformance 138. A second one kills at once.
    Cancel,
    /// The first message at the worker's own socket ([`ATTACH_SOCKET`]): somebody who remembers that many reports of this lease
    /// takes over. The worker says what is behind them, then what comes. Another fence is not answered.
    Attach {
        /// The lease.
        fence: Fence,
        /// Numbered reports that are remembered.
        heard: u64,
    },
    /// So many numbered reports are remembered now: the worker need not keep them.
    Heard {
        /// From the beginning of the lease.
        reports: u64,
    },
    /// The lease was given up: the worker ends its tree, and nobody hears what it still says.
    Over,
}

/// In a job's folder: what the name of the socket begins with at which a worker that outlives its driver
/// ([`JobOptions::outlives`]) is found. The rest of the name is random: whoever may not look into the folder, as
/// what runs behind walls ([`Walls`]), cannot knock either.
pub const ATTACH_SOCKET: &str = "attach.";

/// In a job's folder: the numbered reports of a worker that outlives its driver, as they went over the
/// socket, from the first. Where it is not there, no step of the job ever began.
pub const REPORTS_FILE: &str = "reports.jsonl";

/// In a job's folder: what a worker that outlives its driver wrote to its standard error.
pub const ERRORS_FILE: &str = "worker.err";

/// From the worker to the driver. Every one carries the fence of its job's lease.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FromWorker {
    /// The lease it reports under.
    pub fence: Fence,
    /// Which report of the lease it is, from 0; none for [`Report::LogGrew`], which nobody remembers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<u64>,
    /// What it reports.
    pub report: Report,
}

/// What a worker reports.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum Report {
    /// Ready; the job was understood.
    Started {
        /// Process id.
        pid: u32,
        /// When.
        at: Timestamp,
    },
    /// A step began.
    StepStarted {
        /// Which.
        step: StepKey,
        /// Its masked name.
        name: MaskedText,
        /// Whether it runs beside the steps behind it.
        background: bool,
        /// When.
        at: Timestamp,
    },
    /// The job's log file grew to here. Sent at most every 50 ms; the bytes are in the file already.
    LogGrew {
        /// Length of the log file.
        bytes: u64,
        /// The step that writes.
        step: StepKey,
        /// Which background step's own file it is ([`own_log`]); none is the job's log.
        own: Option<u32>,
    },
    /// A step ended; its log lines are in the file.
    StepCompleted {
        /// Which.
        step: StepKey,
        /// Before `continue-on-error`.
        outcome: Conclusion,
        /// After `continue-on-error`.
        conclusion: Conclusion,
        /// Its lines.
        log: LogRange,
        /// The log of a background step; the blob is stored, and its file is still there.
        own_log: Option<BlobId>,
        /// When.
        at: Timestamp,
    },
    /// An annotation.
    AnnotationAdded {
        /// From which step.
        step: Option<StepKey>,
        /// What.
        annotation: Annotation,
    },
    /// A summary; the blob is stored.
    SummaryWritten {
        /// By which step.
        step: StepKey,
        /// The masked Markdown.
        blob: BlobId,
    },
    /// An artifact; the blob is stored.
    ArtifactUploaded {
        /// Its name.
        name: MaskedText,
        /// The archive.
        blob: BlobId,
        /// Its size.
        size_bytes: u64,
        /// Kept until.
        expires_at: Timestamp,
    },
    /// An image that a step built.
    ImageBuilt {
        /// Which step.
        step: StepKey,
        /// The image.
        image: BuiltImage,
    },
    /// Something is accepted and not enforced.
    NotEnforced {
        /// What.
        note: MaskedText,
    },
    /// The last message.
    Completed {
        /// How.
        conclusion: Conclusion,
        /// Whose fault.
        exit: ExitKind,
        /// Its outputs.
        outputs: BTreeMap<String, MaskedText>,
        /// The environment's address.
        environment_url: Option<MaskedText>,
        /// When.
        at: Timestamp,
    },
}

/// Everything a worker needs to run one job. What has expressions is as written: the worker
/// evaluates it where GitHub's runner would.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct JobSpec {
    /// The run.
    pub run: RunId,
    /// Its attempt.
    pub attempt: Attempt,
    /// The job.
    pub job: JobKey,
    /// The lease.
    pub fence: Fence,
    /// What its processes are known by.
    pub tracking_id: Arc<str>,
    /// The runner on another machine that has the lease; none is whoever drives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runner: Option<Arc<str>>,
    /// Its name with matrix values.
    pub name: MaskedText,
    /// What it asks of a runner.
    #[serde(default)]
    pub labels: Vec<Arc<str>>,
    /// The file it stands in.
    pub workflow_path: Arc<str>,
    /// The job's YAML node as JSON, aliases replayed (`workflow::job_from_json` reads it back).
    pub definition: Json,
    /// Line of each step in the file, for messages.
    pub step_lines: Vec<u32>,
    /// The workflow's `env`, as written.
    pub workflow_env: Json,
    /// The workflow's `defaults.run`, as written.
    pub workflow_defaults: Json,
    /// Contexts that are settled before the job: `github` (without what only the runner knows),
    /// `inputs`, `vars`, `needs`, `strategy`, `matrix`, and of `job` where its file is from.
    pub contexts: BTreeMap<String, Json>,
    /// The secrets this job may read, `GITHUB_TOKEN` among them.
    pub secrets: BTreeMap<String, String>,
    /// The event's payload, for `event.json`.
    pub payload: Json,
    /// What the token may do: scope to `read`, `write` or `none`.
    pub permissions: BTreeMap<String, String>,
    /// Folders.
    pub paths: JobPaths,
    /// The job's time limit.
    pub timeout_minutes: f64,
    /// How long clean-up may take after a cancel (conformance 103).
    pub cancel_timeout_minutes: f64,
    /// How the job is run.
    pub options: JobOptions,
}

/// The folders of a job. All exist before the worker starts.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct JobPaths {
    /// The repository on this machine.
    pub repository: Arc<str>,
    /// Everything of this job; goes away after it. Holds `work`, `temp`, `home`, `actions`.
    pub job: Arc<str>,
    /// The job's log, which the worker writes.
    pub log: Arc<str>,
    /// Blobs (`store::Blobs` layout).
    pub blobs: Arc<str>,
    /// Fetched actions by commit, shared.
    pub actions: Arc<str>,
    /// Dependency caches (`actions/cache`), shared.
    pub caches: Arc<str>,
    /// Tool cache, shared.
    pub tools: Arc<str>,
    /// What package managers downloaded, shared.
    #[serde(default)]
    pub downloads: Arc<str>,
    /// The lock file of this repository's actions.
    pub lock_file: Arc<str>,
}

/// How jobs are run; the same for a whole run.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct JobOptions {
    /// Nothing is fetched.
    pub offline: bool,
    /// Third-party code even where a native version exists.
    pub no_native: bool,
    /// Checkout gives HEAD rather than the work tree.
    pub committed: bool,
    /// The commit that checkout gives in place of HEAD: the work tree as it was when the run began.
    #[serde(default)]
    pub snapshot: Option<Arc<str>>,
    /// The objects of commits that only this machine has.
    #[serde(default)]
    pub objects: Option<Arc<str>>,
    /// Where actions come from instead: prefix of `owner/repo` to an address or folder.
    pub mirrors: BTreeMap<String, String>,
    /// `ACTIONS_STEP_DEBUG`
    pub debug: bool,
    /// Where the job gets tokens of OIDC; none where it may not have any.
    #[serde(default)]
    pub id_token: Option<IdTokenDoor>,
    /// How the job reaches GitHub; none where its repository is not connected there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub github: Option<GitHubDoor>,
    /// The worker goes on while its driver is away, and waits for the next one.
    #[serde(default)]
    pub outlives: bool,
    /// The image of the container that a job runs in which names none itself; none is this machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<Arc<str>>,
    /// What is done in the job is kept in; none where it may do what the worker may.
    #[serde(default)]
    pub walls: Option<Walls>,
    /// What its processes may take together.
    #[serde(default)]
    pub limits: JobLimits,
    /// The job stood at the gate of its environment, if it names one, and that is open.
    #[serde(default)]
    pub gated: bool,
}

/// What keeps the processes of a job in: they reach the machine's programs, the folders of the job, and what
/// jobs share.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Walls {
    /// Out of reach, whatever lies there, but for what is the job's own.
    pub hidden: Vec<Arc<str>>,
    /// Out of reach wherever it lies, in what may be read or changed, too: files that let somebody in.
    #[serde(default)]
    pub secret: Vec<Arc<str>>,
    /// May be read besides: toolchains in unusual places.
    pub readable: Vec<Arc<str>>,
    /// May be changed besides: what jobs share on purpose.
    pub changeable: Vec<Arc<str>>,
    /// Code of somebody who may not write to the repository: it changes nothing that other jobs use.
    pub outside: bool,
    /// Whose its processes are; the worker's own user where there is none.
    #[serde(default)]
    pub user: Option<JobUser>,
}

/// What the processes of a job may take together, by the machine that it runs on; what is none has no limit. Those of a
/// container are kept by the engine, others by the kernel.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobLimits {
    /// Memory.
    pub memory_bytes: Option<u64>,
    /// Thousandths of a processor.
    pub cpu_thousandths: Option<u64>,
    /// Processes and threads at a time.
    pub processes: Option<u64>,
    /// The cgroup of the machine that whoever starts the job divides. Where there is none, and something is limited, the
    /// job runs in a container or not at all.
    pub cgroup: Option<Arc<str>>,
}

impl JobLimits {
    /// Whether something is limited.
    pub fn is_any(&self) -> bool {
        self.memory_bytes.or(self.cpu_thousandths).or(self.processes).is_some()
    }
}

/// What a machine lets its jobs take.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MachineLimits {
    /// Each job.
    pub every: JobLimits,
    /// Each job with a label, in lower case; it comes before what every job has, the smallest of several first.
    pub labelled: BTreeMap<String, JobLimits>,
}

impl MachineLimits {
    /// Of a job with these labels.
    pub fn of<'l>(&self, labels: impl IntoIterator<Item = &'l str>) -> JobLimits {
        let labelled: Vec<&JobLimits> =
            labels.into_iter().filter_map(|it| self.labelled.get(&it.to_lowercase())).collect();
        let of = |what: fn(&JobLimits) -> Option<u64>| {
            labelled.iter().filter_map(|it| what(it)).min().or(what(&self.every))
        };
        JobLimits {
            memory_bytes: of(|it| it.memory_bytes),
            cpu_thousandths: of(|it| it.cpu_thousandths),
            processes: of(|it| it.processes),
            cgroup: self.every.cgroup.clone(),
        }
    }
}

/// A user of the machine, other than the worker's and not root, whose the processes of jobs are. He reaches
/// [`Walls::hidden`] as far as is needed to come to what he is given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobUser {
    /// His number.
    pub id: u32,
    /// His group's; he is in no other.
    pub group: u32,
    /// What he is called, else his number.
    pub name: Arc<str>,
}

/// Where the folders lie that jobs share and change, in the folder of a server or a runner: the tools, and what
/// package managers downloaded. `caches` is where below the caches the job's own begin. What is one user's is not
/// another's to change, so each has his own.
pub fn shared_folders(root: &Path, caches: &Path, user: Option<&JobUser>) -> (PathBuf, PathBuf) {
    let Some(user) = user else {
        return (root.join("tools"), root.join("caches").join(caches).join("downloads"));
    };
    let own = root.join("users").join(user.id.to_string());
    (own.join("tools"), own.join(caches).join("downloads"))
}

/// GitHub, for a job of a repository there.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct GitHubDoor {
    /// `https://github.com`
    pub server_url: Arc<str>,
    /// `https://api.github.com`
    pub api_url: Arc<str>,
    /// Where the job gets its `GITHUB_TOKEN`, by its own word; none where it may have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<IdTokenDoor>,
}

/// Where a job gets tokens: such that say who it is (`ACTIONS_ID_TOKEN_REQUEST_URL` and `.._TOKEN`), or its own
/// of GitHub.
#[derive(Clone, Serialize, Deserialize)]
pub struct IdTokenDoor {
    /// Where it asks; what asks adds `&audience=`.
    pub url: Arc<str>,
    /// What it asks with. A secret, good for as long as the job.
    pub bearer: String,
}

impl std::fmt::Debug for IdTokenDoor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IdTokenDoor").field("url", &self.url).finish_non_exhaustive()
    }
}
