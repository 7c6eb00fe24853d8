//! What jobs of a run shipped, as far as it can have to do with an incident: from the run's own events.

use std::sync::Arc;

use event::{
    Attempt, DeploymentEvent, DeploymentId, DeploymentKind, RunEvent, RunId, Seq, ShippedBy,
    StreamId,
};
use incident::Deployed;
use ports::JournalError;
use store::{Store, WantedDeployments};
use views::{RunView, ShippedThere};

use super::missing;
use crate::exit::{Exit, Failure};

/// Deployments that are read at once.
const PAGE: usize = 200;

/// The project that the settings of a repository name; none where there are none, or they are not known.
pub(crate) type ProjectOf<'p> = &'p dyn Fn(&str) -> Option<Arc<str>>;

/// What the jobs of an attempt shipped to an environment; where none is said, to the only one.
pub(super) fn shipped(
    store: &Store,
    (run, attempt): (RunId, Attempt),
    environment: Option<&str>,
    project_of: ProjectOf<'_>,
) -> Result<Deployed, Failure> {
    let by = ShippedBy::Jobs(run, attempt);
    let events = match store.events::<RunEvent>(StreamId::Run(run, attempt), Seq(0)) {
        Err(JournalError::Forgotten { .. }) => {
            let message = format!("the events of {} are gone: they were pruned", by.named());
            return Err(Failure::new(Exit::Usage, message));
        }
        events => events.map_err(missing)?,
    };
    let view = RunView::of(events.iter().map(|it| &it.event)).ok_or_else(|| {
        Failure::new(Exit::Usage, format!("there is no {}", by.named()))
            .hint("12.1 is the first attempt of run 12; launchway runs list shows what there is")
    })?;
    let there = there(by, view.shipped(), environment)?;
    if let Some(id) = commanded(store, &there)? {
        let message = format!("a job of {} ran launchway deploy: deployment {id}", by.named());
        return Err(Failure::new(Exit::Refused, message).hint(format!("name that one: {id}")));
    }
    let repository = &view.header.repository;
    Ok(Deployed {
        id: by,
        project: Arc::clone(repository),
        of_settings: project_of(repository),
        environment: there.environment,
        services: vec![Arc::clone(&view.header.workflow_path)],
        since: there.began_at,
        ended_at: there.ended_at,
    })
}

/// The environment that is meant.
fn there(
    by: ShippedBy,
    mut all: Vec<ShippedThere>,
    environment: Option<&str>,
) -> Result<ShippedThere, Failure> {
    let refused = |message: String| Failure::new(Exit::Refused, message);
    if all.is_empty() {
        return Err(refused(format!("{} shipped nothing", by.named())).hint(
            "jobs count that name an environment and had a worker; one that was carried over counts for the attempt that ran it",
        ));
    }
    let names: Vec<&str> = all.iter().map(|it| &*it.environment).collect();
    let names = names.join(" and ");
    let at = match environment {
        None if all.len() > 1 => {
            let last = &all[all.len() - 1].environment;
            let message = format!("{} shipped to {names}: which?", by.named());
            return Err(
                refused(message).hint(format!("name the environment where users meet it: {last}"))
            );
        }
        None => Some(0),
        Some(name) => all.iter().position(|it| it.environment.eq_ignore_ascii_case(name)),
    };
    let at = at.ok_or_else(|| {
        let environment = environment.unwrap_or_default();
        refused(format!("{} shipped to {names}, and not to {environment}", by.named()))
    })?;
    Ok(all.swap_remove(at))
}

/// The deployment that one of the jobs asked for there: then that is what counts, and nothing of the jobs.
fn commanded(store: &Store, there: &ShippedThere) -> Result<Option<DeploymentId>, Failure> {
    let mut before = None;
    loop {
        let wanted = WantedDeployments { before, limit: PAGE, ..WantedDeployments::default() };
        let ids = store.deployments_before(&wanted).map_err(missing)?;
        for id in &ids {
            let first = match store.first::<DeploymentEvent>(StreamId::Deployment(*id)) {
                Err(JournalError::Forgotten { .. }) => continue,
                first => first.map_err(missing)?,
            };
            let Some(DeploymentEvent::DeploymentRequested(request)) = first.map(|it| it.event)
            else {
                continue;
            };
            if request.at < there.began_at {
                return Ok(None);
            }
            let is_there = request.environment.eq_ignore_ascii_case(&there.environment);
            let is_by_it = request.job.as_ref().is_some_and(|it| there.jobs.contains(it));
            if is_there && is_by_it && request.kind != DeploymentKind::Task {
                return Ok(Some(*id));
            }
        }
        match ids.last() {
            Some(last) if ids.len() == PAGE => before = Some(*last),
            _ => return Ok(None),
        }
    }
}
