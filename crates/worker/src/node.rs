//! Node for JavaScript actions (design 8.10): a path that was configured, else the one on PATH, of
//! a major version that will do; looked for before the first step, so that a job without it fails
//! in set-up.

use std::path::{Path, PathBuf};
use std::process::Command;

use sequencer::ActionHome;
use workflow::ActionRuns;

use crate::process::find_program;
use crate::setup::{Actions, SetupError};

/// Names the program where PATH's is not the one to use.
const CONFIGURED: &str = "LAUNCHWAY_NODE";

/// Actions for older versions were mapped up to this one, and all of them run on newer ones too
/// (conformance 144).
const OLDEST: u32 = 20;

/// What to do about a missing Node.
const REMEDY: &str = "install it, or name it with the variable LAUNCHWAY_NODE";

/// Said before an action runs whose code knows the addresses of GitHub's own services.
pub(crate) const NO_SERVICES: &str = "Launchway: this action may ask GitHub's artifact or cache \
    service, which is not offered here yet; if it does, the message that follows is its own";

/// What the toolkit's clients look for (conformance 198).
const SERVICE_VARIABLES: [&[u8]; 3] =
    [b"ACTIONS_RESULTS_URL", b"ACTIONS_CACHE_URL", b"ACTIONS_RUNTIME_URL"];

/// Whether a script holds a client of those services.
pub(crate) fn may_call_services(script: &Path) -> bool {
    // A script that cannot be read says so itself when it is started.
    std::fs::read(script).is_ok_and(|text| {
        SERVICE_VARIABLES.iter().any(|name| memchr::memmem::find(&text, name).is_some())
    })
}

/// A Node that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) program: PathBuf,
    pub(crate) major: u32,
}

/// The newest version that one of these actions asks for, and which action; none where no action
/// needs Node.
fn needed(actions: &Actions) -> Option<(u32, &str)> {
    actions
        .iter()
        .filter_map(|(name, action)| match (&action.manifest.runs, &action.home) {
            (ActionRuns::Node { version, .. }, ActionHome::Folder(_)) => {
                Some(((*version).max(OLDEST), &**name))
            }
            _ => None,
        })
        .max_by_key(|(version, _)| *version)
}

/// Finds it, if one of the actions needs it.
pub(crate) fn find(actions: &Actions, path: &str) -> Result<Option<Node>, SetupError> {
    let Some((version, action)) = needed(actions) else { return Ok(None) };
    let configured = std::env::var_os(CONFIGURED).map(PathBuf::from);
    let program = configured.or_else(|| find_program("node", path, Path::new("/")));
    let refuse = |found: String| {
        let text = format!("{action} needs Node {version}, and {found}: {REMEDY}");
        Err(SetupError::Refused(text))
    };
    let Some(program) = program else { return refuse("there is none on PATH".to_owned()) };
    match major(&program) {
        None => refuse(format!("'{} --version' gave no version", program.display())),
        Some(major) if major < version => {
            refuse(format!("{} is version {major}", program.display()))
        }
        Some(major) => Ok(Some(Node { program, major })),
    }
}

fn major(program: &Path) -> Option<u32> {
    let output = Command::new(program).arg("--version").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    text.trim().strip_prefix('v')?.split('.').next()?.parse().ok()
}
