//! What the worker is to do for one step.

use event::StepKey;
use indexmap::IndexMap;

use crate::Shell;

/// One thing to do, with everything about it decided. Texts may hold secrets: the worker masks
/// what it shows.
#[derive(Clone, Debug, PartialEq)]
pub struct Deed {
    /// Grows with every deed of the job; names its files.
    pub number: u64,
    /// For which step.
    pub key: StepKey,
    /// What.
    pub body: DeedBody,
    /// Its environment over what the host gives (conformance 108); `PATH` without [`Deed::path`].
    pub env: IndexMap<String, String>,
    /// Goes before `PATH`, the first entry first (conformance 182).
    pub path: Vec<String>,
    /// Where its file commands are read (conformance 177).
    pub files: FileCommandPaths,
    /// `timeout-minutes` (conformance 129).
    pub timeout_minutes: Option<f64>,
    /// What its log begins with (conformance 140).
    pub shown: Shown,
}

/// The kinds of deed.
#[derive(Clone, Debug, PartialEq)]
pub enum DeedBody {
    /// Run a script.
    Script {
        /// With what.
        shell: Shell,
        /// The text, before the shell's own additions.
        script: String,
        /// Where, against the workspace; none is the workspace.
        directory: Option<String>,
    },
    /// Run one stage of an action that is a program.
    Action {
        /// Which stage.
        stage: ActionStage,
        /// Which program.
        program: Program,
    },
    /// Read an action from the workspace (conformance 153), answered by
    /// [`crate::Input::ActionRead`].
    ReadAction {
        /// As written behind `uses`.
        uses: String,
    },
}

/// The program of an action.
#[derive(Clone, Debug, PartialEq)]
pub enum Program {
    /// Node, with a file.
    Node {
        /// The major version that `runs.using` asks for.
        version: u32,
        /// The script, as an absolute path.
        file: String,
    },
    /// Our own version of an action.
    Native {
        /// Its name in the table of natives.
        name: String,
    },
}

/// The stages of an action (conformance 147).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ActionStage {
    /// Before all steps.
    Pre,
    /// In its place.
    Main,
    /// After all steps, last in first out.
    Post,
}

impl ActionStage {
    /// `pre`, `main`, `post`
    pub fn as_str(self) -> &'static str {
        match self {
            ActionStage::Pre => "pre",
            ActionStage::Main => "main",
            ActionStage::Post => "post",
        }
    }
}

/// The files of one deed's file commands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileCommandPaths {
    /// `GITHUB_ENV`
    pub env: String,
    /// `GITHUB_OUTPUT`
    pub output: String,
    /// `GITHUB_PATH`
    pub path: String,
    /// `GITHUB_STATE`
    pub state: String,
    /// `GITHUB_STEP_SUMMARY`
    pub summary: String,
    /// `GITHUB_ARTIFACTS`
    pub artifacts: String,
    /// `GITHUB_ARTIFACTS_LIST`, which is there to be read.
    pub artifacts_list: String,
}

impl FileCommandPaths {
    /// The files of deed `number` in `folder`, under GitHub's names.
    pub(crate) fn new(folder: &str, number: u64) -> FileCommandPaths {
        let file = |name: &str| format!("{folder}/{name}_{number:08}");
        FileCommandPaths {
            env: file("set_env"),
            output: file("set_output"),
            path: file("add_path"),
            state: file("save_state"),
            summary: file("step_summary"),
            artifacts: file("artifacts"),
            artifacts_list: file("artifacts_list"),
        }
    }

    /// Variable, the last part of `github.<..>`, and path of each.
    pub fn each(&self) -> [(&'static str, &'static str, &str); 7] {
        [
            ("GITHUB_ENV", "env", &self.env),
            ("GITHUB_OUTPUT", "output", &self.output),
            ("GITHUB_PATH", "path", &self.path),
            ("GITHUB_STATE", "state", &self.state),
            ("GITHUB_STEP_SUMMARY", "step_summary", &self.summary),
            ("GITHUB_ARTIFACTS", "artifacts", &self.artifacts),
            ("GITHUB_ARTIFACTS_LIST", "artifacts_list", &self.artifacts_list),
        ]
    }
}

/// What a step's log begins with: its title, the script or the inputs, and its environment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shown {
    /// `Run actions/checkout@v5`
    pub title: String,
    /// `with:`
    pub with: IndexMap<String, String>,
    /// `env:`: what workflow, job, steps and `GITHUB_ENV` set; not what we add.
    pub env: IndexMap<String, String>,
}
