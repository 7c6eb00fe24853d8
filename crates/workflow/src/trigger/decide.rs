//! Does this event start this workflow? Pure, and a "no" says why.

use syntax::Span;

use super::events::default_types;
use super::{FilterList, Sense, Trigger, Triggers};
use crate::filter::takes;

/// Files looked at by path filters; the rest is not seen (conformance 35).
const CHANGED_FILES_MAX: usize = 300;

/// What happened.
#[derive(Clone, Copy, Debug)]
pub struct TriggerEvent<'e> {
    /// The event's name, such as `push`.
    pub name: &'e str,
    /// The activity type, such as `opened`, or the type of a `repository_dispatch`.
    pub activity: Option<&'e str>,
    /// The full ref of a push, such as `refs/heads/main`.
    pub git_ref: Option<&'e str>,
    /// The base branch of a pull request or merge group, or the head branch of the run that
    /// triggered a `workflow_run`, without `refs/heads/`.
    pub branch: Option<&'e str>,
    /// The name of the workflow whose run triggered a `workflow_run`.
    pub workflow: Option<&'e str>,
    /// The schedule that is due.
    pub schedule: Option<&'e str>,
    /// Name and version of an image for `image_version`.
    pub image: Option<(&'e str, &'e str)>,
    /// What the change touches.
    pub changed_files: ChangedFiles<'e>,
}

/// The files of a change.
#[derive(Clone, Copy, Debug)]
pub enum ChangedFiles<'e> {
    /// Not known, or too many: path filters let it through (conformance 35).
    AlwaysRun,
    /// Paths from the repository's root.
    Known(&'e [String]),
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It starts.
    Runs,
    /// It does not.
    Not {
        /// A sentence for people.
        reason: String,
        /// The filter, or the whole of `on`.
        span: Span,
    },
}

impl TriggerEvent<'_> {
    /// An event of which only the name is known.
    pub fn named(name: &str) -> TriggerEvent<'_> {
        TriggerEvent {
            name,
            activity: None,
            git_ref: None,
            branch: None,
            workflow: None,
            schedule: None,
            image: None,
            changed_files: ChangedFiles::AlwaysRun,
        }
    }
}

impl Triggers {
    /// Whether the event starts the workflow.
    pub fn decide(&self, event: &TriggerEvent<'_>) -> Verdict {
        let Some(trigger) = self.get(event.name) else {
            let names: Vec<&str> = self.events.iter().map(|it| &*it.name.value).collect();
            let listed = if names.is_empty() { "nothing".to_owned() } else { names.join(", ") };
            return Verdict::Not {
                reason: format!("It runs on {listed}, not on {}.", event.name),
                span: self.span,
            };
        };
        match refusal(trigger, event) {
            Some((reason, span)) => Verdict::Not { reason, span },
            None => Verdict::Runs,
        }
    }
}

type Refusal = (String, Span);

fn refusal(trigger: &Trigger, event: &TriggerEvent<'_>) -> Option<Refusal> {
    wrong_type(trigger, event)
        .or_else(|| wrong_source(trigger, event))
        .or_else(|| match event.name {
            "push" => wrong_ref(trigger, event),
            _ => wrong_branch(trigger, event),
        })
        .or_else(|| wrong_paths(trigger, event))
}

/// Conformance 20.
fn wrong_type(trigger: &Trigger, event: &TriggerEvent<'_>) -> Option<Refusal> {
    let activity = event.activity?;
    match &trigger.types {
        Some(types) if types.iter().any(|it| &*it.value == activity) => None,
        Some(types) => {
            let names: Vec<&str> = types.iter().map(|it| &*it.value).collect();
            let span = types.first().map_or(trigger.name.span, |it| it.span);
            Some((format!("`types` has {}, not {activity}.", join(&names)), span))
        }
        None => {
            let types = default_types(event.name)?;
            (!types.contains(&activity)).then(|| {
                let reason = format!(
                    "Without `types` {} means {}, not {activity}.",
                    event.name,
                    types.join(", ")
                );
                (reason, trigger.name.span)
            })
        }
    }
}

/// Which workflow, which schedule, which image.
fn wrong_source(trigger: &Trigger, event: &TriggerEvent<'_>) -> Option<Refusal> {
    if let (Some(workflows), Some(name)) = (&trigger.workflows, event.workflow)
        && !workflows.iter().any(|it| &*it.value == name)
    {
        let names: Vec<&str> = workflows.iter().map(|it| &*it.value).collect();
        let span = workflows.first().map_or(trigger.name.span, |it| it.span);
        return Some((format!("`workflows` has {}, not {name}.", join(&names)), span));
    }
    if let Some(due) = event.schedule
        && !trigger.schedule.iter().any(|it| &*it.cron.value == due)
    {
        return Some((format!("No entry of `schedule` is '{due}'."), trigger.name.span));
    }
    let (name, version) = event.image?;
    for (key, wanted, found) in
        [("names", &trigger.names, name), ("versions", &trigger.versions, version)]
    {
        let Some(wanted) = wanted else { continue };
        if !wanted.iter().any(|it| &*it.value == found) {
            let names: Vec<&str> = wanted.iter().map(|it| &*it.value).collect();
            let span = wanted.first().map_or(trigger.name.span, |it| it.span);
            return Some((format!("`{key}` has {}, not {found}.", join(&names)), span));
        }
    }
    None
}

/// A push goes to a branch or to a tag; a filter on one kind alone shuts out the other
/// (conformance 32).
fn wrong_ref(trigger: &Trigger, event: &TriggerEvent<'_>) -> Option<Refusal> {
    let git_ref = event.git_ref?;
    let (kind, name, own, other) = if let Some(name) = git_ref.strip_prefix("refs/heads/") {
        ("branch", name, &trigger.branches, &trigger.tags)
    } else if let Some(name) = git_ref.strip_prefix("refs/tags/") {
        ("tag", name, &trigger.tags, &trigger.branches)
    } else {
        return None;
    };
    match (own, other) {
        (Some(list), _) => refused_by(list, kind, name),
        (None, Some(list)) => {
            let reason = format!("It has `{}` only, and {name} is a {kind}.", list.key);
            Some((reason, list.span))
        }
        (None, None) => None,
    }
}

/// Pull requests and merge groups look at the base branch (conformance 36), `workflow_run` at the
/// head branch of the run that triggered it (conformance 24).
fn wrong_branch(trigger: &Trigger, event: &TriggerEvent<'_>) -> Option<Refusal> {
    refused_by(trigger.branches.as_ref()?, "branch", event.branch?)
}

fn refused_by(list: &FilterList, kind: &str, name: &str) -> Option<Refusal> {
    let fits = takes(&list.patterns, name);
    let refused = match list.sense {
        Sense::Only => !fits,
        Sense::Ignore => fits,
    };
    refused.then(|| {
        let reason = match list.sense {
            Sense::Only => format!("No pattern of `{}` lets the {kind} {name} through.", list.key),
            Sense::Ignore => format!("`{}` leaves out the {kind} {name}.", list.key),
        };
        (reason, list.span)
    })
}

/// Conformance 33 to 35.
fn wrong_paths(trigger: &Trigger, event: &TriggerEvent<'_>) -> Option<Refusal> {
    let list = trigger.paths.as_ref()?;
    if event.git_ref.is_some_and(|it| event.name == "push" && it.starts_with("refs/tags/")) {
        return None;
    }
    let ChangedFiles::Known(files) = event.changed_files else { return None };
    if files.is_empty() {
        return Some((format!("`{}` is set, and no file changed.", list.key), list.span));
    }
    let seen = &files[..files.len().min(CHANGED_FILES_MAX)];
    let reason = match list.sense {
        Sense::Only if seen.iter().any(|file| takes(&list.patterns, file)) => return None,
        Sense::Only => format!("No changed file fits `{}`.", list.key),
        Sense::Ignore if !seen.iter().all(|file| takes(&list.patterns, file)) => return None,
        Sense::Ignore => format!("Every changed file fits `{}`.", list.key),
    };
    Some((reason, list.span))
}

fn join(names: &[&str]) -> String {
    if names.is_empty() { "nothing".to_owned() } else { names.join(", ") }
}
