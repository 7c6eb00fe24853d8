//! Issues that are incidents: which, of which project, and what is written down of them.

use std::sync::Arc;

use event::{Actor, IncidentSource};
use forge::{Issue, IssueIncident, IssueTold};
use incident::{Deployed, Opening, TITLE_CHARS_MAX, Told, Wish, decide, line};
use mask::MaskedText;
use store::Store;

use crate::exit::{Exit, Failure};
use crate::incidents::Incidents;
use crate::serving::repositories::{self, Connected, IncidentLabel};
use crate::terminal::style::talk;
use crate::terminal::time::now;

/// What an issue says about an incident; none where nobody said which label makes one, or it says
/// nothing about one.
pub(super) fn incident<'c>(
    connected: &'c Connected,
    issue: &Issue,
) -> Option<(&'c IncidentLabel, IssueIncident)> {
    let label = connected.incidents.as_ref()?;
    Some((label, issue.incident(&connected.name, &label.label)?))
}

/// What became of what an issue says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Took {
    /// It is written down, or says nothing new.
    Whole,
    /// It is over, and nobody said yet that it is one: that may come later.
    Early,
}

/// Writes down what an issue says. The same words change nothing the second time.
pub(super) fn take(
    store: &Arc<Store>,
    connected: &Connected,
    issue: &Issue,
) -> Result<Took, Failure> {
    let Some((label, found)) = incident(connected, issue) else { return Ok(Took::Whole) };
    let incidents = Incidents::of_store(store);
    let by = Actor {
        name: MaskedText::without_secrets(&*issue.by),
        proof: "github".into(),
        source: None,
        address: None,
    };
    let told = Told { by, source: IncidentSource::Github, at: issue.at, now: now() };
    // Behind a number that was taken nothing may be written.
    let known = match incidents.with_key(&found.key)? {
        Some(id) => incidents.view(id)?.map(|_| id),
        None => None,
    };
    let over = match found.told {
        IssueTold::Is => None,
        IssueTold::Closed => Some("the issue was closed"),
        IssueTold::Gone => Some("the issue was deleted, or moved elsewhere"),
        IssueTold::Unlabeled => Some("the label was taken away"),
    };
    let (id, wish) = match (known, over) {
        (None, None) => {
            open(&incidents, connected, issue, (label, found), &told)?;
            return Ok(Took::Whole);
        }
        (None, Some(_)) => return Ok(Took::Early),
        (Some(id), None) => (id, Wish::Reopen { reason: None }),
        (Some(id), Some(reason)) => {
            (id, Wish::Resolve { reason: Some(MaskedText::without_secrets(reason)) })
        }
    };
    incidents.tell(id, &wish, &told)?;
    Ok(Took::Whole)
}

fn open(
    incidents: &Incidents,
    connected: &Connected,
    issue: &Issue,
    (label, found): (&IncidentLabel, IssueIncident),
    told: &Told,
) -> Result<(), Failure> {
    let title = line(&issue.title, TITLE_CHARS_MAX);
    let title = if title.is_empty() { format!("issue {}", issue.number) } else { title };
    let mut opening = Opening {
        project: project(connected)?,
        environment: label.environment.as_str().into(),
        service: None,
        title: MaskedText::without_secrets(title),
        severity: found.severity,
        key: Some(found.key.as_str().into()),
        link: issue.url.as_deref().map(Into::into),
        caused_by: None,
    };
    // With the opening, in one: behind it a death in between would lose the deployment.
    opening.caused_by =
        cause(incidents, (connected, issue), &opening, told)?.unwrap_or_else(|why| {
            let (name, number) = (&connected.name, issue.number);
            talk(&format!("note: issue {number} of {name}: nothing is linked: {why}"));
            None
        });
    incidents.open(opening, told).map(drop)
}

/// What an issue's text names as what brought it, or why that is not heeded: it may be a stranger's, or of
/// elsewhere, or none; then a person links it.
fn cause(
    incidents: &Incidents,
    (connected, issue): (&Connected, &Issue),
    opening: &Opening,
    told: &Told,
) -> Result<Result<Option<Deployed>, String>, Failure> {
    let Some(by) = issue.shipped else { return Ok(Ok(None)) };
    if !issue.is_of_the_house() {
        let why = format!("whoever named {by} is no owner, member or collaborator there");
        return Ok(Err(why));
    }
    let project = Arc::clone(&opening.project);
    let project_of = |name: &str| (name == connected.name).then(|| Arc::clone(&project));
    let deployed = match incidents.shipped(by, Some(&opening.environment), &project_of) {
        Ok(deployed) => deployed,
        Err(failure) if matches!(failure.exit, Exit::Usage | Exit::Refused) => {
            return Ok(Err(failure.error.to_string()));
        }
        Err(failure) => return Err(failure),
    };
    let with = Opening { caused_by: Some(deployed.clone()), ..opening.clone() };
    Ok(match decide(None, &Wish::Open(with), told) {
        Ok(_) => Ok(Some(deployed)),
        Err(refusal) => Err(refusal.to_string()),
    })
}

/// The project of the settings at the tip of the default branch; where there are none, the repository itself, whose
/// jobs ship.
fn project(connected: &Connected) -> Result<Arc<str>, Failure> {
    let Some(settings) = repositories::settings_at_tip(connected)? else {
        return Ok(connected.name.as_str().into());
    };
    crate::serving::incidents::in_this_journal(&settings)?;
    Ok(settings.project.value)
}

#[cfg(test)]
mod tests;
