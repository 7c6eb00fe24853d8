//! Incidents of our own: a deployment that went wrong after users could meet it.
//!
//! They are computed from the deployment's own end, and known by its number: however often that is
//! done, each is opened once. It is over when the deployment went back, or when later ones brought
//! every service that it had changed to a good end.

use std::collections::BTreeSet;
use std::sync::Arc;

use event::{
    Actor, DeployStepKind, DeploymentId, DeploymentKind, IncidentRole, IncidentSource, Severity,
    ShippedBy, Timestamp, Verdict,
};
use mask::MaskedText;
use views::{DeploymentView, IncidentView};

use crate::decide::{Deployed, Opening, Told, Wish};
use crate::limits::{TITLE_CHARS_MAX, line};

/// What is to be told of a deployment that is over, in this order.
#[derive(Clone, Debug, PartialEq)]
pub struct Own {
    /// What the incident is known by.
    pub key: Arc<str>,
    /// What is told of it.
    pub told: Vec<(Wish, Told)>,
}

/// An incident of a deployment that is open, and what of it is still to be mended.
#[derive(Clone, Debug, PartialEq)]
pub struct Broken {
    /// The incident.
    pub incident: IncidentView,
    /// Services that the deployment had changed, and that no later one brought to a good end.
    left: BTreeSet<Arc<str>>,
    /// Hotfixes and rollbacks that had a part in it.
    fixes: Vec<Deployed>,
}

impl Broken {
    /// Nothing of it is mended. `cause` is the deployment that brought it.
    pub fn of(incident: IncidentView, cause: &DeploymentView) -> Broken {
        let changed = cause.steps.iter().filter(|it| changes(it.kind) && it.forward.is_some());
        let mut left: BTreeSet<_> = changed.map(|it| Arc::clone(&it.service)).collect();
        if left.is_empty() {
            left = cause.request.services.iter().map(|it| Arc::clone(&it.service)).collect();
        }
        Broken { incident, left, fixes: Vec::new() }
    }
}

impl From<&DeploymentView> for Deployed {
    fn from(view: &DeploymentView) -> Deployed {
        let request = &view.request;
        Deployed {
            id: view.id.into(),
            project: Arc::clone(&request.project),
            of_settings: None,
            environment: Arc::clone(&request.environment),
            services: request.services.iter().map(|it| Arc::clone(&it.service)).collect(),
            since: request.at,
            ended_at: view.ended.as_ref().map(|it| it.at),
        }
    }
}

/// What a deployment's own incident is known by.
pub(crate) fn key(deployment: DeploymentId) -> Arc<str> {
    format!("deployment:{deployment}").into()
}

/// What is to be told of a deployment: that it broke something, or that it mended the last of what an
/// earlier one broke. `open` are the incidents of deployments that are open, of the same project; what
/// this one mends of them is taken off. Deployments come in their order.
pub fn own(view: &DeploymentView, open: &mut [Broken], now: Timestamp) -> Vec<Own> {
    let Some(end) = &view.ended else { return Vec::new() };
    match end.verdict {
        // What runs already is no news: it was there when users met the fault.
        Verdict::Succeeded if end.unchanged => Vec::new(),
        Verdict::Succeeded => {
            let mended = open.iter_mut().filter(|it| mends(view, end.at, it));
            mended.filter_map(|it| over(view, it, end.at, now)).collect()
        }
        Verdict::RolledBack | Verdict::RollbackStuck | Verdict::Failed => {
            broke(view, end.verdict, end.at, now).into_iter().collect()
        }
        Verdict::Superseded | Verdict::Cancelled | Verdict::Refused => Vec::new(),
    }
}

fn told(at: Timestamp, now: Timestamp) -> Told {
    let name = MaskedText::without_secrets("launchway");
    let by = Actor { name, proof: "deployment".into(), source: None, address: None };
    Told { by, source: IncidentSource::Deployment, at, now }
}

fn broke(
    view: &DeploymentView,
    verdict: Verdict,
    finished_at: Timestamp,
    now: Timestamp,
) -> Option<Own> {
    if view.request.kind == DeploymentKind::Task {
        return None;
    }
    let since = reached_at(view)?;
    let (what, severity) = match verdict {
        Verdict::RolledBack => ("was rolled back", Severity::Minor),
        Verdict::RollbackStuck => ("could not be rolled back", Severity::Critical),
        _ => ("failed", Severity::Major),
    };
    let cause = view.ended.as_ref().and_then(|it| it.cause.as_ref());
    let cause = cause.map(|it| format!(": {}", it.message)).unwrap_or_default();
    let title = line(&format!("deployment {} {what}{cause}", view.id), TITLE_CHARS_MAX);
    let key = key(view.id);
    let opening = Opening {
        project: Arc::clone(&view.request.project),
        environment: Arc::clone(&view.request.environment),
        service: None,
        // It is made of what the journal has as masked text.
        title: MaskedText::without_secrets(title),
        severity,
        key: Some(Arc::clone(&key)),
        link: None,
        caused_by: Some(view.into()),
    };
    let mut all = vec![(Wish::Open(opening), told(since, now))];
    if verdict == Verdict::RolledBack {
        let reason = Some(MaskedText::without_secrets("it went back"));
        all.push((Wish::Resolve { reason }, told(finished_at, now)));
    }
    Some(Own { key, told: all })
}

/// When the first of its services was about to change.
fn reached_at(view: &DeploymentView) -> Option<Timestamp> {
    let steps = view.steps.iter().filter(|step| changes(step.kind));
    steps.filter_map(|step| step.forward.as_ref()).map(|deed| deed.since).min()
}

fn changes(kind: DeployStepKind) -> bool {
    matches!(kind, DeployStepKind::Apply | DeployStepKind::Switch)
}

/// Whether a deployment that succeeded has a part in the end of an incident: it went to the same place
/// later, with some of the services that are still to be mended.
fn mends(view: &DeploymentView, finished_at: Timestamp, broken: &Broken) -> bool {
    let (request, incident) = (&view.request, &broken.incident);
    let record = &incident.record;
    incident.is_open()
        && record.source == IncidentSource::Deployment
        && request.kind != DeploymentKind::Task
        && (&request.project, &request.environment) == (&record.project, &record.environment)
        && incident.caused_by.and_then(ShippedBy::deployment).is_some_and(|it| it < view.id)
        && incident.changed_at() <= finished_at
        && request.services.iter().any(|it| broken.left.contains(&it.service))
}

/// Takes off what this one mends; the incident is over with the last of it.
fn over(
    view: &DeploymentView,
    broken: &mut Broken,
    finished_at: Timestamp,
    now: Timestamp,
) -> Option<Own> {
    broken.left.retain(|left| view.request.services.iter().all(|it| it.service != *left));
    if matches!(view.request.kind, DeploymentKind::Hotfix | DeploymentKind::Rollback) {
        broken.fixes.push(view.into());
    }
    if !broken.left.is_empty() {
        return None;
    }
    let key = broken.incident.record.key.clone()?;
    let told = || told(finished_at, now);
    let link = |fix| (Wish::Link(fix, IncidentRole::Fix), told());
    let mut all: Vec<_> = broken.fixes.drain(..).map(link).collect();
    let reason = MaskedText::without_secrets(format!("deployment {} succeeded", view.id));
    all.push((Wish::Resolve { reason: Some(reason) }, told()));
    Some(Own { key, told: all })
}

#[cfg(test)]
mod tests;
