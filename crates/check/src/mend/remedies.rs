//! One function for each rule that has a mend. The rule's own page says the same in words.

use syntax::{Diagnostic, Entry, Mapping, Node, RuleId, Span};

use super::edit::{Text, entry, first_key};
use crate::subject::{Job, Step, Subject};

/// A finding at its place.
struct Case<'a, 's> {
    subject: &'a Subject<'s>,
    job: &'a Job<'s>,
    /// The step it is in, where it is in one.
    step: Option<&'a Step<'s>>,
    finding: &'a Diagnostic,
    at: Span,
}

type Remedy = for<'t> fn(&Case<'_, '_>, Text<'t>) -> Option<Text<'t>>;

const REMEDIES: &[(RuleId, Remedy)] = &[
    ("token-without-permission", give_permission),
    ("image-not-loaded", load_image),
    ("hidden-failure", show_failure),
    ("service-database-missing", make_database),
    ("unreachable-service", map_port),
    ("empty-scan", scan_commits),
    ("case-ignored", compare_in_step),
    ("outsider-text-in-run", pass_by_environment),
    ("unknown-output", give_id),
    ("unknown-input", new_slack),
    ("missing-required-input", new_slack),
    ("cloud-command-without-credentials", sign_in),
    ("plan-without-backend", init_with_backend),
    ("unpinned-action", name_version),
    ("refused-action-version", raise_version),
];

/// Actions that people name by a branch, and a version of each.
const VERSIONS: &[(&str, &str)] = &[("trufflesecurity/trufflehog", "v3.88.0")];

pub(super) fn has_mend(rule: RuleId) -> bool {
    REMEDIES.iter().any(|(known, _)| *known == rule)
}

/// The text with this finding mended; none where that has no remedy.
pub(super) fn apply(
    subject: &Subject<'_>,
    finding: &Diagnostic,
    at: Span,
    text: Text<'_>,
) -> Option<String> {
    let (_, remedy) = REMEDIES.iter().find(|(rule, _)| *rule == finding.rule)?;
    let begins = |job: &&Job<'_>| job.id_span.start <= at.start;
    let job = subject.jobs.iter().filter(begins).max_by_key(|job| job.id_span.start)?;
    let is_before =
        |step: &&Step<'_>| first_key(step.body).is_some_and(|first| first <= at.range().start);
    let step = job.steps.iter().rfind(is_before);
    let case = Case { subject, job, step, finding, at };
    remedy(&case, text).map(Text::done)
}

/// What stands in quotes in the message.
fn quoted(finding: &Diagnostic, number: usize) -> Option<&str> {
    finding.message.split('\'').nth(number * 2 + 1)
}

fn own_mapping<'m>(body: &'m Mapping, key: &str) -> Option<&'m Mapping> {
    body.get(key).and_then(Node::as_mapping).filter(|it| !it.entries.is_empty())
}

/// A mapping in block style: its keys begin lines.
fn is_block(text: &Text<'_>, mapping: &Mapping) -> bool {
    first_key(mapping).is_some_and(|at| {
        let line = text.line(at);
        line[..text.column(at)].chars().all(|it| it == ' ' || it == '-')
    })
}

/// Adds an entry to a mapping of a body, which is made where it is not there.
fn add<'t>(
    text: Text<'t>,
    body: &Mapping,
    key: &str,
    line: &str,
    before: &Entry,
) -> Option<Text<'t>> {
    match own_mapping(body, key) {
        Some(there) if is_block(&text, there) => Some(text.before_key(first_key(there)?, line)),
        Some(_) => None,
        None if body.get(key).is_some() => None,
        None => {
            let lines = format!("{key}:\n  {line}");
            Some(text.before_key(before.key.span.range().start, &lines))
        }
    }
}

fn give_permission<'t>(case: &Case<'_, '_>, text: Text<'t>) -> Option<Text<'t>> {
    let scope = case.finding.message.split('`').nth(1)?.split(':').next()?.to_owned();
    let steps = entry(case.job.body, "steps")?;
    if let Some(there) = own_mapping(case.job.body, "permissions") {
        if let Some(given) = entry(there, &scope) {
            let range = given.value.span.range();
            return Some(text.replace(range.start, range.end, "write"));
        }
        return add(text, case.job.body, "permissions", &format!("{scope}: write"), steps);
    }
    // What is not listed is none: what the job had is listed with it.
    let mut lines = format!("permissions:\n  {scope}: write\n");
    let above = case.subject.root.get("permissions").and_then(Node::as_mapping);
    let above = above.map_or(&[][..], |it| &it.entries);
    for given in above.iter().filter(|it| *it.key.text != *scope) {
        lines += &format!("  {}: {}\n", given.key.text, given.value.as_str().unwrap_or("read"));
    }
    if !above.iter().any(|it| &*it.key.text == "contents") && scope != "contents" {
        lines += "  contents: read\n";
    }
    Some(text.before_key(steps.key.span.range().start, &lines))
}

fn load_image<'t>(case: &Case<'_, '_>, text: Text<'t>) -> Option<Text<'t>> {
    let build =
        case.job.steps.iter().find(|step| {
            step.is_action("docker/build-push-action") && step.input("load").is_none()
        })?;
    let with = entry(build.body, "with")?;
    add(text, build.body, "with", "load: true", with)
}

/// What always ends well is taken away.
fn show_failure<'t>(case: &Case<'_, '_>, text: Text<'t>) -> Option<Text<'t>> {
    let at = case.at.range().start;
    let line = text.line(at);
    let start = at - text.column(at);
    let joint = line.find("||")?;
    let kept = line[..joint].trim_end().len();
    let end = start + line.len();
    Some(text.replace(start + kept, end, ""))
}

fn service<'m>(case: &Case<'m, '_>) -> Option<&'m Mapping> {
    let name = quoted(case.finding, 0)?;
    let services = case.job.body.get("services")?.as_mapping()?;
    services.get(name)?.as_mapping()
}

fn make_database<'t>(case: &Case<'_, '_>, text: Text<'t>) -> Option<Text<'t>> {
    let body = service(case)?;
    let line = case.finding.hint.as_deref()?.split('`').nth(1)?;
    add(text, body, "env", line, entry(body, "image")?)
}

fn map_port<'t>(case: &Case<'_, '_>, text: Text<'t>) -> Option<Text<'t>> {
    let body = service(case)?;
    if body.get("ports").is_some() {
        return None;
    }
    let port = case.finding.hint.as_deref()?.split('"').nth(1)?;
    Some(text.behind(entry(body, "image")?, &format!("ports:\n  - {port}")))
}

/// The action takes the event's commits; the checkout has to bring them.
fn scan_commits<'t>(case: &Case<'_, '_>, mut text: Text<'t>) -> Option<Text<'t>> {
    let step = case.step?;
    let with = own_mapping(step.body, "with")?;
    if with.entries.iter().all(|it| matches!(&*it.key.text, "base" | "head")) {
        return None;
    }
    for key in ["base", "head"] {
        if let Some(entry) = entry(with, key) {
            text = text.without(entry);
        }
    }
    let checkout = case.job.steps.iter().find(|it| it.is_action("actions/checkout"));
    let Some(checkout) = checkout else { return Some(text) };
    if checkout.input("fetch-depth").is_some() {
        return Some(text);
    }
    match own_mapping(checkout.body, "with") {
        Some(with) => Some(text.before_key(first_key(with)?, "fetch-depth: 0")),
        None => Some(text.behind(entry(checkout.body, "uses")?, "with:\n  fetch-depth: 0")),
    }
}

/// A condition of the job that is one comparison becomes its first step, where the shell compares.
fn compare_in_step<'t>(case: &Case<'_, '_>, text: Text<'t>) -> Option<Text<'t>> {
    let condition = entry(case.job.body, "if")?;
    if !(condition.key.span.start..=condition.value.span.end).contains(&case.at.start) {
        return None;
    }
    let written = condition.value.as_str()?;
    let inner = written.trim().trim_start_matches("${{").trim_end_matches("}}").trim();
    let (left, right) = inner.split_once("==")?;
    let (left, word) = (left.trim(), right.trim().trim_matches('\''));
    let plain = |it: char| it.is_ascii_alphanumeric() || "._-".contains(it);
    if !left.chars().all(plain) || !word.chars().all(plain) || word.is_empty() {
        return None;
    }
    let first = first_key(case.job.steps.first()?.body)?;
    let dash = text.line(first).find('-')?;
    let variable = left.rsplit('.').next()?.to_uppercase().replace('-', "_");
    let lead = " ".repeat(dash);
    let step = format!(
        "{lead}- name: Check the confirmation\n{lead}  env:\n{lead}    {variable}: ${{{{ {left} }}}}\n\
         {lead}  run: test \"${variable}\" = {word}\n\n"
    );
    Some(text.without(condition).before_line(first, &step))
}

/// The value travels in the environment; the script only names it.
fn pass_by_environment<'t>(case: &Case<'_, '_>, text: Text<'t>) -> Option<Text<'t>> {
    let step = case.step?;
    let run = entry(step.body, "run")?;
    let (at, range) = (case.at.range().start, run.value.span.range());
    if !range.contains(&at) {
        return None;
    }
    let open = text.slice(range.start, at).rfind("${{")? + range.start;
    let close = text.slice(at, range.end).find("}}")? + at + 2;
    let expression = text.slice(open, close);
    let written = text.slice(at, case.at.range().end.max(at + 1));
    let name = written.rsplit('.').next().unwrap_or_default();
    let plain = |it: char| it.is_ascii_alphanumeric() || it == '_' || it == '-';
    if name.is_empty() || !name.chars().all(plain) {
        return None;
    }
    let name = name.to_uppercase().replace('-', "_");
    let whole = text.slice(range.start, range.end);
    // Every place of this script where it stands.
    let mut places = Vec::new();
    let mut from = 0;
    while let Some(found) = whole[from..].find(expression) {
        places.push(range.start + from + found);
        from += found + expression.len();
    }
    let mut text = text;
    for place in &places {
        text = text.replace(*place, place + expression.len(), &format!("${{{name}}}"));
    }
    let there = own_mapping(step.body, "env").and_then(|env| entry(env, &name));
    match there {
        Some(_) => None,
        None => add(text, step.body, "env", &format!("{name}: {expression}"), run),
    }
}

/// Outputs of actions whose facts the rules do not need otherwise.
const OUTPUTS: &[(&str, &str)] = &[
    ("aws-actions/amazon-ecs-render-task-definition", "task-definition"),
    ("aws-actions/amazon-ecr-login", "registry"),
];

/// The one step before it that has such an output, and no id, gets this one.
fn give_id<'t>(case: &Case<'_, '_>, text: Text<'t>) -> Option<Text<'t>> {
    let at = case.at.range().start;
    let id = quoted(case.finding, 1)?;
    let rest = text.line(at).get(text.column(at)..)?;
    let output = rest.split_once("outputs.")?.1;
    let plain = |it: char| it.is_ascii_alphanumeric() || it == '_' || it == '-';
    let output = output.split(|it| !plain(it)).next()?;
    let here = first_key(case.step?.body)?;
    let gives = |step: &&Step<'_>| {
        let Some(uses) = &step.uses else { return false };
        let listed = |(name, of): &(&str, &str)| uses.name == *name && *of == output;
        uses.known.is_some_and(|it| it.outputs.contains(&output)) || OUTPUTS.iter().any(listed)
    };
    let before = |step: &&Step<'_>| {
        step.id.is_none() && first_key(step.body).is_some_and(|first| first < here)
    };
    let mut found = case.job.steps.iter().filter(before).filter(gives);
    let (step, None) = (found.next()?, found.next()) else { return None };
    let uses = entry(step.body, "uses")?;
    Some(text.before_key(uses.key.span.range().start, &format!("id: {id}")))
}

/// From its second major on the action has the input that is meant here.
fn new_slack<'t>(case: &Case<'_, '_>, text: Text<'t>) -> Option<Text<'t>> {
    let step = case.step.filter(|it| it.is_action("slackapi/slack-github-action"))?;
    let uses = step.uses.as_ref().filter(|it| it.version.is_some_and(|it| it.starts_with("v1")))?;
    let hook = entry(own_mapping(step.body, "with")?, "webhook-url")?;
    let key = hook.key.span.range();
    let uses_range = uses.span.range();
    let text = text.replace(uses_range.start, uses_range.end, &format!("{}@v2", uses.name));
    Some(text.replace(key.start, key.end, "webhook").behind(hook, "webhook-type: incoming-webhook"))
}

/// As another job of the file signs in.
fn sign_in<'t>(case: &Case<'_, '_>, text: Text<'t>) -> Option<Text<'t>> {
    let name = "aws-actions/configure-aws-credentials";
    let mut jobs = case.subject.jobs.iter();
    let (job, at) = jobs.find_map(|job| {
        let at = job.steps.iter().position(|step| step.is_action(name))?;
        Some((job, at))
    })?;
    let begin = |at: usize| job.steps.get(at).and_then(|step| first_key(step.body));
    let start = begin(at)?;
    let start = start - text.column(start);
    let end = match begin(at + 1) {
        Some(next) => next - text.column(next),
        None => return None,
    };
    let copied = text.slice(start, end).trim_end();
    let own = first_key(case.job.steps.first()?.body)?;
    let (from, to) = (copied.find('-')?, text.line(own).find('-')?);
    let moved = copied.lines().map(|line| {
        let rest = line.get(from..).filter(|_| line.len() >= from).unwrap_or(line.trim_start());
        format!("{}{rest}\n", " ".repeat(to))
    });
    let moved: String = moved.collect();
    Some(text.before_line(own, &moved))
}

fn init_with_backend<'t>(case: &Case<'_, '_>, text: Text<'t>) -> Option<Text<'t>> {
    let at = case.at.range().start;
    let run = entry(case.step?.body, "run")?;
    let init = "terraform init -input=false -reconfigure";
    if text.slice(run.key.span.range().start, at).contains('\n') {
        let indent = " ".repeat(text.column(at));
        return Some(text.before_line(at, &format!("{indent}{init}\n")));
    }
    Some(text.replace(at, at, &format!("{init} && ")))
}

fn name_version<'t>(case: &Case<'_, '_>, text: Text<'t>) -> Option<Text<'t>> {
    let uses = case.step?.uses.as_ref()?;
    let (_, version) = VERSIONS.iter().find(|(name, _)| uses.name.eq_ignore_ascii_case(name))?;
    let range = uses.span.range();
    Some(text.replace(range.start, range.end, &format!("{}@{version}", uses.name)))
}

/// The rule says which.
fn raise_version<'t>(case: &Case<'_, '_>, text: Text<'t>) -> Option<Text<'t>> {
    let uses = case.step?.uses.as_ref()?;
    let hint = case.finding.hint.as_deref()?;
    let version = hint.strip_prefix("use ")?.split(' ').next()?.split_once('@')?.1;
    let range = uses.span.range();
    Some(text.replace(range.start, range.end, &format!("{}@{version}", uses.name)))
}
