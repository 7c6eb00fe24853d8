//! Issues that are incidents: which, of which project, and what is written down of them.

use std::sync::Arc;

use event::{Actor, IncidentSource};
use forge::{Issue, IssueIncident, IssueTold};
use incident::{Opening, TITLE_CHARS_MAX, Told, Wish, line};
use mask::MaskedText;
use repository::Repository;
use store::Store;
use syntax::Source;

use crate::exit::{Exit, Failure};
use crate::incidents::Incidents;
use crate::serving::repositories::{Connected, IncidentLabel};
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

/// Writes down what an issue says. The same words change nothing the second time.
pub(super) fn take(
    store: &Arc<Store>,
    connected: &Connected,
    issue: &Issue,
) -> Result<(), Failure> {
    let Some((label, found)) = incident(connected, issue) else { return Ok(()) };
    let incidents = Incidents::of_store(store);
    let by = Actor { name: MaskedText::without_secrets(&*issue.by), proof: "github".into() };
    let told = Told { by, source: IncidentSource::Github, at: issue.at, now: now() };
    let known = incidents.with_key(&found.key)?;
    let over = |reason: &str| Wish::Resolve { reason: Some(MaskedText::without_secrets(reason)) };
    let (id, wish) = match (known, found.told) {
        (None, IssueTold::Is) => return open(&incidents, connected, issue, (label, found), &told),
        // It was closed before it was one.
        (None, _) => return Ok(()),
        (Some(id), IssueTold::Is) => (id, Wish::Reopen { reason: None }),
        (Some(id), IssueTold::Closed) => (id, over("the issue was closed")),
        (Some(id), IssueTold::Unlabeled) => (id, over("the label was taken away")),
    };
    // A number that was taken, and behind which nothing was written.
    if incidents.view(id)?.is_none() {
        return match found.told {
            IssueTold::Is => open(&incidents, connected, issue, (label, found), &told),
            IssueTold::Closed | IssueTold::Unlabeled => Ok(()),
        };
    }
    incidents.tell(id, &wish, &told).map(drop)
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
    let opening = Opening {
        project: project(connected)?,
        environment: label.environment.as_str().into(),
        service: None,
        title: MaskedText::without_secrets(title),
        severity: found.severity,
        key: Some(found.key.as_str().into()),
        link: issue.url.as_deref().map(Into::into),
        caused_by: None,
    };
    let (id, _) = incidents.open(opening, told)?;
    // What the issue's text names may be of elsewhere, or none: then a person links it.
    if let Some(deployment) = issue.deployment {
        let linked = incidents.deployed(deployment).and_then(|deployed| {
            let wish = Wish::Link(deployed, event::IncidentRole::Cause);
            incidents.tell(id, &wish, told)
        });
        if let Err(failure) = linked {
            let name = &connected.name;
            let number = issue.number;
            talk(&format!("note: issue {number} of {name}: not linked: {:#}", failure.error));
        }
    }
    Ok(())
}

/// The project of the settings at the tip of the default branch.
fn project(connected: &Connected) -> Result<Arc<str>, Failure> {
    let none = || {
        let message = format!("{} has no {} on its default branch", connected.name, settings::FILE);
        Failure::new(Exit::Missing, message)
            .hint("its project says whose incidents they are: push one, or take --incidents away")
    };
    let tip = Repository::default_commit(&connected.path)?.ok_or_else(none)?;
    let nobody = (String::new(), String::new());
    let repository = Repository::bare(&connected.path, &tip, nobody)?;
    let text = repository.committed_file(settings::FILE)?.ok_or_else(none)?;
    let read = settings::read(&Source::new(settings::FILE, text)).0;
    let mistaken = || {
        let message = format!("{} of {} has mistakes", settings::FILE, connected.name);
        Failure::new(Exit::Missing, message).hint("launchway check shows them")
    };
    Ok(Arc::clone(&read.ok_or_else(mistaken)?.project.value))
}
