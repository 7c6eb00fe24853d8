//! Node for JavaScript actions (design 8.10): a path that was configured, else those on PATH; which
//! of them, is what the action, the environment and GitHub's calendar say (conformance 144). Looked
//! for before the first step, so that a job without it fails in set-up.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use sequencer::ActionHome;
use workflow::ActionRuns;

use crate::process::is_executable;
use crate::setup::{Actions, SetupError};

/// Names the program where PATH's is not the one to use.
const CONFIGURED: &str = "LAUNCHWAY_NODE";

/// Actions for older versions are mapped up to this one (conformance 144).
const OLDEST: u32 = 20;

/// What GitHub runs actions for [`OLDEST`] on since June 2026.
const CURRENT: u32 = 24;

/// Wants [`CURRENT`] and nothing older.
const FORCE: &str = "FORCE_JAVASCRIPT_ACTIONS_TO_NODE24";

/// Wants [`OLDEST`] for as long as there is one.
const ALLOW_OLDEST: &str = "ACTIONS_ALLOW_USE_UNSECURE_NODE_VERSION";

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

/// Those that were found, and what was said about them.
#[derive(Debug, Default)]
pub(crate) struct Nodes {
    found: Vec<Node>,
    /// Actions whose notice is in the log.
    noted: BTreeSet<String>,
}

/// What an action for [`OLDEST`] is to run on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wish {
    /// Nobody says: what GitHub does.
    Current,
    /// Nothing older.
    Forced,
    /// As it was written.
    Oldest,
}

impl Nodes {
    /// Looks for them, if one of the actions needs one and none was looked for yet.
    pub(crate) fn find(&mut self, actions: &Actions, path: &str) -> Result<(), SetupError> {
        let Some((version, action)) = needed(actions) else { return Ok(()) };
        self.look(path);
        if self.found.iter().any(|node| node.major >= version) {
            return Ok(());
        }
        Err(SetupError::Refused(self.refusal(action, version)))
    }

    /// Looks for them, if none was looked for yet.
    pub(crate) fn look(&mut self, path: &str) {
        if self.found.is_empty() {
            self.found = programs(path)
                .into_iter()
                .filter_map(|program| Some(Node { major: major(&program)?, program }))
                .collect();
        }
    }

    /// Those that were found: where they are, and which they are.
    pub(crate) fn programs(&self) -> impl Iterator<Item = (&Path, u32)> {
        self.found.iter().map(|node| (&*node.program, node.major))
    }

    /// Those that were found, for people.
    pub(crate) fn lines(&self) -> impl Iterator<Item = String> {
        let line = |node: &Node| format!("Node {}: {}", node.major, node.program.display());
        self.found.iter().map(line)
    }

    fn refusal(&self, action: &str, version: u32) -> String {
        let there = |node: &Node| format!("'{}' is version {}", node.program.display(), node.major);
        let there: Vec<String> = self.found.iter().map(there).collect();
        let there = match there.as_slice() {
            [] => "there is none on PATH".to_owned(),
            there => there.join(", "),
        };
        format!("{action} needs Node {version}, and {there}: {REMEDY}")
    }

    /// The one for an action, with what its log should say: whether that is a warning, and what.
    pub(crate) fn choose(
        &mut self,
        action: &str,
        version: u32,
        env: &BTreeMap<String, String>,
    ) -> Result<(Node, Vec<(bool, String)>), String> {
        let (wish, warning) = wish(env, &|name| std::env::var(name).ok());
        let node = self.pick(version, wish).cloned();
        let is_old = version <= OLDEST;
        let needed = if is_old && wish == Wish::Forced { CURRENT } else { version.max(OLDEST) };
        let node = node.ok_or_else(|| self.refusal(action, needed))?;
        let mut notes = Vec::new();
        if is_old {
            notes.extend(warning.map(|text| (true, text)));
        }
        if is_old && self.noted.insert(action.to_owned()) {
            notes.extend(notice(action, wish, node.major));
        }
        Ok((node, notes))
    }

    fn pick(&self, version: u32, wish: Wish) -> Option<&Node> {
        match wish {
            _ if version > OLDEST => self.at_least(version),
            Wish::Forced => self.at_least(CURRENT),
            Wish::Oldest => self.at_least(OLDEST),
            Wish::Current => {
                let newest = || self.found.iter().max_by_key(|node| node.major);
                self.at_least(CURRENT).or_else(newest).filter(|node| node.major >= OLDEST)
            }
        }
    }

    /// The oldest that is not too old.
    fn at_least(&self, version: u32) -> Option<&Node> {
        self.found.iter().filter(|node| node.major >= version).min_by_key(|node| node.major)
    }
}

/// What there is to say where an action for [`OLDEST`] runs on another version, or on another than
/// at GitHub.
fn notice(action: &str, wish: Wish, major: u32) -> Option<(bool, String)> {
    if major >= CURRENT {
        let text = format!(
            "Node.js {OLDEST} is deprecated: {action} targets Node.js {OLDEST} and runs on Node.js \
             {major}"
        );
        return Some((true, text));
    }
    (wish == Wish::Current).then(|| {
        let text = format!(
            "Launchway: {action} runs on Node.js {major}, the newest here; GitHub runs it on \
             Node.js {CURRENT}"
        );
        (false, text)
    })
}

/// What the variables say, those of the workflow before those of the machine; and a warning where
/// one of the two says both.
fn wish(
    workflow: &BTreeMap<String, String>,
    machine: &dyn Fn(&str) -> Option<String>,
) -> (Wish, Option<String>) {
    let look = |name: &str| {
        let of_workflow = workflow.get(name).map(|text| is_true(text));
        let of_machine = machine(name).filter(|text| !text.is_empty());
        let is_on = of_workflow.unwrap_or_else(|| of_machine.as_deref().is_some_and(is_true));
        (is_on, of_workflow.is_some(), of_machine.is_some())
    };
    let (force, force_by_workflow, force_by_machine) = look(FORCE);
    let (oldest, oldest_by_workflow, oldest_by_machine) = look(ALLOW_OLDEST);
    let by_one = force_by_workflow && oldest_by_workflow || force_by_machine && oldest_by_machine;
    match (force, oldest) {
        (true, true) if by_one => {
            let text = format!(
                "{FORCE} and {ALLOW_OLDEST} are both set to true, which is likely a mistake: the \
                 default is used, Node.js {CURRENT}"
            );
            (Wish::Current, Some(text))
        }
        (_, true) => (Wish::Oldest, None),
        (true, false) => (Wish::Forced, None),
        (false, false) => (Wish::Current, None),
    }
}

/// As GitHub's runner reads a boolean.
fn is_true(text: &str) -> bool {
    ["1", "true", "$true"].iter().any(|word| text.eq_ignore_ascii_case(word))
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

/// The one that was configured, else every `node` on PATH, each once.
fn programs(path: &str) -> Vec<PathBuf> {
    if let Some(configured) = std::env::var_os(CONFIGURED).filter(|it| !it.is_empty()) {
        return vec![PathBuf::from(configured)];
    }
    let mut seen = BTreeSet::new();
    let folders = path.split(':').filter(|folder| folder.starts_with('/'));
    let programs = folders.map(|folder| Path::new(folder).join("node"));
    programs
        .filter(|program| is_executable(program))
        .filter(|program| seen.insert(program.canonicalize().unwrap_or_else(|_| program.clone())))
        .collect()
}

fn major(program: &Path) -> Option<u32> {
    let output = Command::new(program).arg("--version").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    text.trim().strip_prefix('v')?.split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    /// Which Node an action runs on where these are there.
    fn chosen(there: &[u32], version: u32, workflow: &[&str], machine: &[&str]) -> String {
        let node = |major: &u32| Node { program: format!("/node{major}").into(), major: *major };
        let nodes = Nodes { found: there.iter().map(node).collect(), noted: BTreeSet::new() };
        let set = |names: &[&str]| -> BTreeMap<String, String> {
            let pairs = names.iter().filter_map(|pair| pair.split_once('='));
            pairs
                .map(|(name, value)| {
                    let name = if name == "force" { FORCE } else { ALLOW_OLDEST };
                    (name.to_owned(), value.to_owned())
                })
                .collect()
        };
        let machine = set(machine);
        let (wish, warning) = wish(&set(workflow), &|name| machine.get(name).cloned());
        let node = nodes.pick(version, wish);
        let text = node.map_or("none".to_owned(), |node| node.major.to_string());
        if warning.is_some() { format!("{text}, warned") } else { text }
    }

    // proves: conformance 144
    #[test]
    fn c144_which_node_runs_an_action() {
        type Case = (&'static [u32], u32, &'static [&'static str], &'static [&'static str]);
        let all: &'static [u32] = &[18, 20, 22, 24, 26];
        let cases: [Case; 16] = [
            (all, 20, &[], &[]),
            (all, 16, &[], &[]),
            (all, 24, &["oldest=true"], &[]),
            (all, 20, &["oldest=true"], &[]),
            (all, 20, &["force=true"], &[]),
            (all, 20, &["oldest=true", "force=true"], &[]),
            (all, 20, &["oldest=true"], &["force=true"]),
            (all, 20, &["oldest=false"], &["oldest=1"]),
            (all, 20, &[], &["oldest=1"]),
            (all, 20, &[], &["oldest=TRUE", "force=1"]),
            (&[20], 20, &[], &[]),
            (&[20], 20, &["force=1"], &[]),
            (&[20], 24, &[], &[]),
            (&[26], 24, &[], &[]),
            (&[24], 20, &["oldest=true"], &[]),
            (&[18], 20, &[], &[]),
        ];
        let mut text = String::new();
        for (there, version, workflow, machine) in cases {
            let node = chosen(there, version, workflow, machine);
            text.push_str(&format!("{there:?} {version} {workflow:?} {machine:?}: {node}\n"));
        }
        expect![[r#"
            [18, 20, 22, 24, 26] 20 [] []: 24
            [18, 20, 22, 24, 26] 16 [] []: 24
            [18, 20, 22, 24, 26] 24 ["oldest=true"] []: 24
            [18, 20, 22, 24, 26] 20 ["oldest=true"] []: 20
            [18, 20, 22, 24, 26] 20 ["force=true"] []: 24
            [18, 20, 22, 24, 26] 20 ["oldest=true", "force=true"] []: 24, warned
            [18, 20, 22, 24, 26] 20 ["oldest=true"] ["force=true"]: 20
            [18, 20, 22, 24, 26] 20 ["oldest=false"] ["oldest=1"]: 24
            [18, 20, 22, 24, 26] 20 [] ["oldest=1"]: 20
            [18, 20, 22, 24, 26] 20 [] ["oldest=TRUE", "force=1"]: 24, warned
            [20] 20 [] []: 20
            [20] 20 ["force=1"] []: none
            [20] 24 [] []: none
            [26] 24 [] []: 26
            [24] 20 ["oldest=true"] []: 24
            [18] 20 [] []: none
        "#]]
        .assert_eq(&text);
    }
}
