//! The file as the rules look at it: made once, read by all of them.
//!
//! It is a view of the tree as written. What is missing or misshapen is simply absent here: the reader
//! reports it.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use syntax::{Entry, Mapping, Node, NodeKind, Source, Span, yaml};

use crate::CheckContext;
use crate::known_actions::{self, KnownAction};
use crate::references::{self, Path};
use crate::shell::{self, Command};

/// Longer texts are refused by the reader (conformance 15).
const TEXT_BYTES_MAX: usize = 64 * 1024;

/// Services of one job that are looked at: each is held against every address of the job, and a
/// machine runs no more.
pub(crate) const SERVICES_MAX: usize = 32;

/// One workflow file.
#[derive(Debug)]
pub(crate) struct Subject<'a> {
    pub(crate) source: &'a Arc<Source>,
    pub(crate) root: &'a Mapping,
    pub(crate) context: &'a CheckContext<'a>,
    pub(crate) events: Vec<Event<'a>>,
    pub(crate) env: &'a [Entry],
    pub(crate) jobs: Vec<Job<'a>>,
    job_index: BTreeMap<String, usize>,
}

/// One event under `on`.
#[derive(Debug)]
pub(crate) struct Event<'a> {
    pub(crate) name: &'a str,
    pub(crate) filters: Option<&'a Mapping>,
}

/// One job.
#[derive(Debug)]
pub(crate) struct Job<'a> {
    pub(crate) id: &'a str,
    pub(crate) id_span: Span,
    pub(crate) body: &'a Mapping,
    pub(crate) env: &'a [Entry],
    pub(crate) steps: Vec<Step<'a>>,
    pub(crate) references: Vec<Reference<'a>>,
}

/// One step; those of `parallel` stand in line with the others.
#[derive(Debug)]
pub(crate) struct Step<'a> {
    pub(crate) body: &'a Mapping,
    pub(crate) id: Option<&'a str>,
    pub(crate) uses: Option<Uses<'a>>,
    pub(crate) with: &'a [Entry],
    pub(crate) env: &'a [Entry],
    pub(crate) script: Option<Script<'a>>,
}

/// `uses` of a step.
#[derive(Debug)]
pub(crate) struct Uses<'a> {
    pub(crate) span: Span,
    /// All of it.
    pub(crate) text: &'a str,
    /// Up to the `@`.
    pub(crate) name: &'a str,
    /// Behind the `@`.
    pub(crate) version: Option<&'a str>,
    pub(crate) known: Option<&'static KnownAction>,
    /// The facts of exactly this version; a commit or a branch says nothing about its inputs.
    pub(crate) manifest: Option<&'static KnownAction>,
}

/// `run` of a step.
#[derive(Debug)]
pub(crate) struct Script<'a> {
    pub(crate) node: &'a Node,
    pub(crate) text: &'a str,
    /// Absent where the shell is not of the Bourne family.
    pub(crate) commands: Vec<Command>,
    /// `shell`, of the step or by default.
    pub(crate) shell: Option<&'a str>,
}

/// A path that an expression reads.
#[derive(Debug)]
pub(crate) struct Reference<'a> {
    pub(crate) path: Path<'a>,
    pub(crate) node: &'a Node,
    text: &'a str,
    /// The step it stands in.
    pub(crate) step: Option<usize>,
    /// The key of the job or of the step under which it stands.
    pub(crate) key: &'a str,
    /// The key right before it: in `with: {script: ..}` it is `script`.
    pub(crate) inner_key: &'a str,
}

impl Reference<'_> {
    /// As the user wrote it.
    pub(crate) fn written(&self) -> &str {
        &self.text[self.path.range.clone()]
    }
}

impl<'a> Subject<'a> {
    pub(crate) fn new(
        source: &'a Arc<Source>,
        root: &'a Mapping,
        context: &'a CheckContext<'a>,
    ) -> Subject<'a> {
        let default_shell = default_shell(root);
        let jobs: Vec<Job<'a>> = entries(root.get("jobs"))
            .iter()
            .filter_map(|entry| Job::new(entry, default_shell))
            .collect();
        let index = |(at, job): (usize, &Job<'a>)| (job.id.to_ascii_lowercase(), at);
        let job_index = jobs.iter().enumerate().map(index).collect();
        let events = root.get("on").map_or_else(Vec::new, events);
        Subject { source, root, context, events, env: entries(root.get("env")), jobs, job_index }
    }

    /// The job with this id, ignoring case.
    pub(crate) fn job(&self, id: &str) -> Option<&Job<'a>> {
        self.job_index.get(&id.to_ascii_lowercase()).map(|at| &self.jobs[*at])
    }

    /// Where a part of a scalar's value stands in the file.
    pub(crate) fn locate(&self, scalar: &Node, part: Range<usize>) -> Span {
        match scalar.as_str() {
            Some(value) => yaml::locate(self.source, scalar.place(), value, part),
            None => scalar.span,
        }
    }

    /// Where a reference stands in the file.
    pub(crate) fn place(&self, reference: &Reference<'a>) -> Span {
        self.locate(reference.node, reference.path.range.clone())
    }

    pub(crate) fn has_event(&self, name: &str) -> bool {
        self.events.iter().any(|event| event.name == name)
    }

    /// The `permissions` that hold for a job.
    pub(crate) fn permissions(&self, job: &Job<'a>) -> Option<&'a Node> {
        job.body.get("permissions").or_else(|| self.root.get("permissions"))
    }
}

impl<'a> Job<'a> {
    fn new(entry: &'a Entry, workflow_shell: Option<&'a str>) -> Option<Job<'a>> {
        let body = entry.value.as_mapping()?;
        let mut shell = default_shell(body).or(workflow_shell);
        if shell.is_none() && body.get("runs-on").and_then(Node::as_str).is_some_and(on_windows) {
            shell = Some("pwsh");
        }
        let mut steps = Vec::new();
        collect_steps(body.get("steps"), shell, &mut steps);
        let mut job = Job {
            id: &entry.key.text,
            id_span: entry.key.span,
            body,
            env: entries(body.get("env")),
            steps,
            references: Vec::new(),
        };
        job.references = job.all_references();
        Some(job)
    }

    fn all_references(&self) -> Vec<Reference<'a>> {
        let mut found = Vec::new();
        for entry in self.body.entries.iter().filter(|entry| &*entry.key.text != "steps") {
            let site = Site { step: None, key: &entry.key.text };
            collect_references(&entry.value, &entry.key.text, site, &mut found);
        }
        for (at, step) in self.steps.iter().enumerate() {
            for entry in step.body.entries.iter().filter(|entry| &*entry.key.text != "parallel") {
                let site = Site { step: Some(at), key: &entry.key.text };
                collect_references(&entry.value, &entry.key.text, site, &mut found);
            }
        }
        found
    }

    /// The jobs it names in `needs`, in lower case.
    pub(crate) fn needs(&self) -> BTreeSet<String> {
        let names = self.body.get("needs").map_or_else(Vec::new, strings);
        names.into_iter().map(str::to_ascii_lowercase).collect()
    }

    /// Whether its steps run right on the machine.
    pub(crate) fn on_host(&self) -> bool {
        self.body.get("container").is_none()
    }

    /// Whether it runs on a machine of GitHub's: fresh, and without any credentials.
    pub(crate) fn on_hosted_runner(&self) -> bool {
        let hosted = |label: &str| {
            ["ubuntu-", "windows-", "macos-"].iter().any(|start| label.starts_with(start))
        };
        self.body.get("runs-on").and_then(Node::as_str).is_some_and(hosted)
    }

    /// `if`, as a text.
    pub(crate) fn condition(&self) -> Option<&'a Node> {
        self.body.get("if").filter(|node| node.as_str().is_some())
    }
}

impl<'a> Step<'a> {
    fn new(body: &'a Mapping, shell: Option<&'a str>) -> Step<'a> {
        let shell = body.get("shell").and_then(Node::as_str).or(shell);
        let script = body.get("run").and_then(|node| {
            let text = node.as_str().filter(|text| text.len() <= TEXT_BYTES_MAX)?;
            let commands = if is_bourne(shell) { shell::commands(text) } else { Vec::new() };
            Some(Script { node, text, commands, shell })
        });
        Step {
            body,
            id: body.get("id").and_then(Node::as_str),
            uses: body.get("uses").and_then(Uses::new),
            with: entries(body.get("with")),
            env: entries(body.get("env")),
            script,
        }
    }

    /// The input of this name; inputs ignore case (conformance 145: they become upper-case names).
    pub(crate) fn input(&self, name: &str) -> Option<&'a Node> {
        get_ignoring_case(self.with, name)
    }

    /// The text of an input.
    pub(crate) fn input_text(&self, name: &str) -> Option<&'a str> {
        self.input(name).and_then(Node::as_str)
    }

    /// Whether it uses this action, in any version.
    pub(crate) fn is_action(&self, name: &str) -> bool {
        self.uses.as_ref().is_some_and(|uses| uses.name.eq_ignore_ascii_case(name))
    }
}

impl<'a> Uses<'a> {
    fn new(node: &'a Node) -> Option<Uses<'a>> {
        let text = node.as_str()?;
        let (name, version) = match text.split_once('@') {
            Some((name, version)) => (name, Some(version)),
            None => (text, None),
        };
        let known = known_actions::find(name, version);
        let numbered = version.and_then(known_actions::major).is_some();
        let manifest = known.filter(|known| numbered && !known.inputs.is_empty());
        Some(Uses { span: node.span, text, name, version, known, manifest })
    }

    /// An action of this repository.
    pub(crate) fn is_local(&self) -> bool {
        self.text.starts_with("./") || self.text.starts_with("$/")
    }

    /// `actions/..`: GitHub's own actions, which sign in nowhere and fetch no project.
    pub(crate) fn is_githubs(&self) -> bool {
        self.name.starts_with("actions/")
    }
}

/// The entries of a mapping; none where it is something else.
pub(crate) fn entries(node: Option<&Node>) -> &[Entry] {
    node.and_then(Node::as_mapping).map_or(&[], |mapping| &mapping.entries)
}

/// The value under a name, ignoring case.
pub(crate) fn get_ignoring_case<'a>(entries: &'a [Entry], name: &str) -> Option<&'a Node> {
    let entry = entries.iter().find(|entry| entry.key.text.eq_ignore_ascii_case(name));
    entry.map(|entry| &entry.value)
}

/// A string, or the strings of a list.
fn strings(node: &Node) -> Vec<&str> {
    match node.as_sequence() {
        Some(items) => items.iter().filter_map(Node::as_str).collect(),
        None => node.as_str().into_iter().collect(),
    }
}

/// Every string in a tree, with its node.
pub(crate) fn texts<'a>(node: &'a Node, found: &mut Vec<&'a Node>) {
    match &node.kind {
        NodeKind::String(..) => found.push(node),
        NodeKind::Sequence(items) => items.iter().for_each(|item| texts(item, found)),
        NodeKind::Mapping(map) => map.entries.iter().for_each(|entry| texts(&entry.value, found)),
        NodeKind::Null | NodeKind::Bool(_) | NodeKind::Number(_) => {}
    }
}

fn events(on: &Node) -> Vec<Event<'_>> {
    match &on.kind {
        NodeKind::String(name, _) => vec![Event { name, filters: None }],
        NodeKind::Sequence(items) => {
            let event = |item| Some(Event { name: Node::as_str(item)?, filters: None });
            items.iter().filter_map(event).collect()
        }
        NodeKind::Mapping(map) => {
            let named = map
                .entries
                .iter()
                .map(|entry| Event { name: &entry.key.text, filters: entry.value.as_mapping() });
            named.collect()
        }
        NodeKind::Null | NodeKind::Bool(_) | NodeKind::Number(_) => Vec::new(),
    }
}

fn collect_steps<'a>(node: Option<&'a Node>, shell: Option<&'a str>, found: &mut Vec<Step<'a>>) {
    for item in node.and_then(Node::as_sequence).unwrap_or(&[]) {
        let Some(body) = item.as_mapping() else { continue };
        found.push(Step::new(body, shell));
        collect_steps(body.get("parallel"), shell, found);
    }
}

fn default_shell(body: &Mapping) -> Option<&str> {
    let run = body.get("defaults")?.as_mapping()?.get("run")?.as_mapping()?;
    run.get("shell")?.as_str()
}

fn on_windows(label: &str) -> bool {
    label.starts_with("windows-")
}

fn is_bourne(shell: Option<&str>) -> bool {
    let Some(shell) = shell else { return true };
    let program = shell.split_whitespace().next().unwrap_or("");
    matches!(program.rsplit('/').next(), Some("bash" | "sh" | "zsh" | "dash"))
}

#[derive(Clone, Copy)]
struct Site<'a> {
    step: Option<usize>,
    key: &'a str,
}

fn collect_references<'a>(
    node: &'a Node,
    inner_key: &'a str,
    site: Site<'a>,
    found: &mut Vec<Reference<'a>>,
) {
    match &node.kind {
        NodeKind::String(text, _) if text.len() <= TEXT_BYTES_MAX => {
            let mut ranges = references::expressions(text);
            if ranges.is_empty() && site.key == "if" {
                ranges.push(0..text.len());
            }
            for range in ranges {
                found.extend(references::paths(text, range).into_iter().map(|path| Reference {
                    path,
                    node,
                    text,
                    step: site.step,
                    key: site.key,
                    inner_key,
                }));
            }
        }
        NodeKind::Sequence(items) => {
            items.iter().for_each(|item| collect_references(item, inner_key, site, found));
        }
        NodeKind::Mapping(map) => {
            for entry in &map.entries {
                collect_references(&entry.value, &entry.key.text, site, found);
            }
        }
        _ => {}
    }
}
