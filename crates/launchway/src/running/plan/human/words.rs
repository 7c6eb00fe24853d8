//! What the plan says of jobs, legs and files, in words.

use event::{JobDefinition, JobKey};
use syntax::Diagnostic;

use crate::exit::{Exit, exit_of_findings};
use crate::running::plan::card::Card;
use crate::running::plan::{PlannedRun, Rehearsed};
use crate::terminal::plural::plural;

/// What keeps a file from running at all.
pub(super) fn why_not(found: &[Diagnostic]) -> &'static str {
    match exit_of_findings(found.iter()) {
        Exit::Refused => "it has mistakes",
        _ => "what it calls cannot be had",
    }
}

/// Jobs by how many stand before them: those of one wave may run side by side.
pub(super) fn waves<'j>(jobs: &[&'j Rehearsed]) -> Vec<Vec<&'j Rehearsed>> {
    let mut waves: Vec<Vec<&Rehearsed>> = Vec::new();
    let mut left: Vec<&Rehearsed> = jobs.to_vec();
    let mut placed: Vec<&JobKey> = Vec::new();
    while !left.is_empty() {
        let (ready, later): (Vec<_>, Vec<_>) =
            left.into_iter().partition(|job| job.needs.iter().all(|need| placed.contains(&need)));
        // The reader of workflows refuses circles, so each round places a job.
        placed.extend(ready.iter().map(|job| &job.key));
        if ready.is_empty() {
            waves.push(later);
            return waves;
        }
        waves.push(ready);
        left = later;
    }
    waves
}

/// What all legs ask for, in the words of the first.
pub(super) fn shared(cards: &[Card]) -> Vec<String> {
    let all: Vec<Vec<String>> = cards.iter().map(Card::pieces).collect();
    let Some((first, rest)) = all.split_first() else { return Vec::new() };
    let in_all = |piece: &&String| rest.iter().all(|pieces| pieces.contains(piece));
    first.iter().filter(in_all).cloned().collect()
}

/// A name that says more than the id, of a job without a matrix.
pub(super) fn named(job: &Rehearsed) -> Option<&str> {
    let [leg] = job.legs.as_slice() else { return None };
    if job.is_matrix || job.later.iter().any(|later| later.field == "name") {
        return None;
    }
    let name = leg.name.as_str();
    let own = name.rsplit(" / ").next().unwrap_or(name);
    (own != &*job.id).then_some(own)
}

pub(super) fn legs(job: &Rehearsed) -> Option<String> {
    let leg = job.legs.first().filter(|_| job.is_matrix)?;
    let at_a_time = leg.max_parallel.map(|max| format!(", {max} at a time")).unwrap_or_default();
    let others = if leg.fail_fast { "" } else { ", a failed one ends no other" };
    Some(format!("{}{at_a_time}{others}", plural(job.legs.len(), "leg")))
}

/// A leg's name without those of the jobs that call it.
pub(super) fn short_name(run: &PlannedRun, leg: &JobDefinition) -> String {
    let callers = run.rehearsal.jobs.iter().flat_map(|job| &job.legs);
    let parent = leg.parent.as_ref().and_then(|key| callers.into_iter().find(|it| it.key == *key));
    let name = leg.name.as_str();
    let prefix = parent.map(|parent| format!("{} / ", parent.name)).unwrap_or_default();
    name.strip_prefix(&prefix).unwrap_or(name).to_owned()
}

/// A job by its id in its own file.
pub(super) fn id_of(run: &PlannedRun, key: &JobKey) -> String {
    let found = run.rehearsal.job(key);
    found.map_or_else(|| key.to_string(), |job| job.id.to_string())
}

/// `decided when a and b have ended`
pub(super) fn when(names: impl Iterator<Item = String>) -> String {
    let names: Vec<String> = names.collect();
    match names.as_slice() {
        [] => "decided when the run begins".to_owned(),
        [one] => format!("decided when {one} has ended"),
        [all @ .., last] => format!("decided when {} and {last} have ended", all.join(", ")),
    }
}
