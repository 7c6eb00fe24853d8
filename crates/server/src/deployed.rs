//! Deployments of the journal: those that somebody looks for, and what runs where for all that they did.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use event::{DeploymentEvent, DeploymentId, Envelope, Seq, StreamId};
use ports::{Journal as _, JournalError};
use store::WantedDeployments;
use views::{DeploymentRow, DeploymentView, Ledger};

use crate::app::App;
use crate::problem::Problem;
use crate::wire::{
    DeploymentLine, DeploymentList, OpenDeployment, PlaceReleases, PlaceStatus, ServiceStatus,
};

/// Deployments of one answer.
pub(crate) const LISTED_MAX: usize = 200;
/// Deployments to an environment that are looked through for the newest one that can be read: a number may have been
/// taken alone, and what is pruned is gone.
const LOOKED_MAX: usize = 20;
/// Deployments to an environment that are folded: what runs there came with one of them.
const FOLDED_MAX: usize = 1_000;
/// Deployments that are over and remembered: some kilobytes each.
const REMEMBERED_MAX: usize = 5_000;
/// Environments of one answer.
const PLACES_MAX: usize = 100;
/// Images that are looked through.
const IMAGES_MAX: usize = 1_000;

/// What was read of a deployment.
pub(crate) type Read = Vec<Envelope<DeploymentEvent>>;

/// The events of a deployment.
pub(crate) fn events(app: &App, id: DeploymentId, after: Seq) -> Result<Read, Problem> {
    Ok(app.store.ledger().read(StreamId::Deployment(id), after)?)
}

/// A deployment, folded; none where it was only numbered, was pruned, or a newer version wrote it: that hides no
/// other.
pub(crate) fn view(app: &App, id: DeploymentId) -> Result<Option<DeploymentView>, Problem> {
    folded_of(id, app.store.ledger().read(StreamId::Deployment(id), Seq(0)))
}

/// A journal that cannot be read now is no deployment that is not there.
fn folded_of(
    id: DeploymentId,
    read: Result<Read, JournalError>,
) -> Result<Option<DeploymentView>, Problem> {
    let events = match read {
        Err(JournalError::Forgotten { .. } | JournalError::Unreadable(_)) => return Ok(None),
        read => read?,
    };
    let events: Vec<_> = events.into_iter().map(|it| it.event).collect();
    Ok(DeploymentView::of(id, &events))
}

/// Those of them that there are, in this order.
pub(crate) fn views(
    app: &App,
    ids: impl IntoIterator<Item = DeploymentId>,
) -> Result<Vec<DeploymentView>, Problem> {
    ids.into_iter().filter_map(|id| view(app, id).transpose()).collect()
}

/// Those that are wanted, newest first, and where older ones begin.
pub(crate) fn list(app: &App, wanted: WantedDeployments<'_>) -> Result<DeploymentList, Problem> {
    let limit = wanted.limit.clamp(1, LISTED_MAX);
    let mut ids =
        app.store.deployments_before(&WantedDeployments { limit: limit + 1, ..wanted })?;
    let is_more = ids.len() > limit;
    ids.truncate(limit);
    let older = ids.last().copied().filter(|_| is_more);
    let views = views(app, ids)?;
    let line = |it: &DeploymentView| {
        let console = app.engine.console(it);
        DeploymentLine { console, ..DeploymentRow::from(it).into() }
    };
    Ok(DeploymentList { deployments: views.iter().map(line).collect(), older })
}

/// The newest deployment of a project to an environment that can be read, and whether there are only others.
pub(crate) fn newest(
    app: &App,
    project: &str,
    environment: &str,
) -> Result<(Option<DeploymentView>, bool), Problem> {
    let wanted = WantedDeployments {
        project: Some(project),
        environment: Some(environment),
        in_any_case: true,
        before: None,
        limit: LOOKED_MAX,
    };
    let ids = app.store.deployments_before(&wanted)?;
    for id in &ids {
        if let Some(view) = view(app, *id)? {
            return Ok((Some(view), false));
        }
    }
    Ok((None, !ids.is_empty()))
}

/// Deployments that were folded: those that are over change no more.
#[derive(Debug, Default)]
pub(crate) struct Remembered(Mutex<BTreeMap<DeploymentId, Arc<DeploymentView>>>);

impl Remembered {
    /// The part of a deployment that tells what runs where.
    fn view(&self, app: &App, id: DeploymentId) -> Result<Option<Arc<DeploymentView>>, Problem> {
        let known = || self.0.lock().expect("nobody panics while holding the deployments");
        if let Some(view) = known().get(&id) {
            return Ok(Some(Arc::clone(view)));
        }
        let Some(view) = view(app, id)? else { return Ok(None) };
        if view.ended.is_none() {
            return Ok(Some(Arc::new(view)));
        }
        let view = Arc::new(slim(view));
        let mut known = known();
        known.insert(id, Arc::clone(&view));
        if known.len() > REMEMBERED_MAX {
            // The lowest number is the oldest.
            known.pop_first();
        }
        Ok(Some(view))
    }
}

/// Without what a ledger does not look at.
fn slim(view: DeploymentView) -> DeploymentView {
    let mut steps = view.steps;
    steps.retain(|step| step.back.is_some());
    let plan = view.plan.map(|(mut plan, digest)| {
        plan.order.clear();
        plan.services.iter_mut().for_each(|it| it.steps.clear());
        (plan, digest)
    });
    DeploymentView {
        plan,
        owners: Vec::new(),
        gates: Vec::new(),
        steps,
        notes: Vec::new(),
        passed: Vec::new(),
        refused: Vec::new(),
        ..view
    }
}

/// Those that wait for people, the newest first.
pub(crate) fn waiting(app: &App) -> Result<Vec<Arc<DeploymentView>>, Problem> {
    let newest = app.store.newest_deployments(LISTED_MAX)?.into_iter();
    let views = newest.filter_map(|id| app.deployed.view(app, id).transpose());
    let waits = |it: &Result<Arc<DeploymentView>, Problem>| {
        it.as_ref().map_or(true, |view| view.waits_for_people())
    };
    views.filter(waits).collect()
}

/// What came to an environment, oldest first.
fn folded(
    app: &App,
    project: &str,
    environment: &str,
) -> Result<Vec<Arc<DeploymentView>>, Problem> {
    let wanted = WantedDeployments {
        project: Some(project),
        environment: Some(environment),
        in_any_case: false,
        before: None,
        limit: FOLDED_MAX,
    };
    // The newest first: of those that are remembered the oldest go.
    let newest = app.store.deployments_before(&wanted)?.into_iter();
    let views = newest.filter_map(|id| app.deployed.view(app, id).transpose());
    let mut views = views.collect::<Result<Vec<_>, _>>()?;
    views.reverse();
    Ok(views)
}

/// What runs in an environment of a project.
pub(crate) fn ledger(app: &App, project: &str, environment: &str) -> Result<Ledger, Problem> {
    Ok(Ledger::of(folded(app, project, environment)?.iter().map(|it| &**it)))
}

/// Environments that something was deployed to, by their projects.
fn places(
    app: &App,
    project: Option<&str>,
    environment: Option<&str>,
) -> Result<Vec<(String, String)>, Problem> {
    let places = app.store.deployment_places(project, environment, PLACES_MAX + 1)?;
    few_enough(places.len())?;
    Ok(places)
}

fn few_enough(count: usize) -> Result<(), Problem> {
    if count <= PLACES_MAX {
        return Ok(());
    }
    let detail = format!(
        "There are more than {PLACES_MAX} environments: name one `project`, or one `environment`."
    );
    Err(Problem::bad(detail))
}

/// What came where and which images there are, of one project or all, in one environment or all.
pub(crate) fn releases(
    app: &App,
    project: Option<&str>,
    environment: Option<&str>,
) -> Result<Vec<PlaceReleases>, Problem> {
    let records = app.store.releases(project, None, IMAGES_MAX)?;
    let records: Vec<_> = records.into_iter().map(|(_, record)| record).collect();
    let mut found: BTreeSet<(Arc<str>, Arc<str>)> = BTreeSet::new();
    for (of, place) in places(app, project, environment)? {
        found.insert((Arc::from(of), Arc::from(place)));
    }
    let is_wanted = |it: &str| environment.is_none_or(|wanted| wanted == it);
    let built = records.iter().filter(|it| is_wanted(&it.environment));
    found.extend(built.map(|it| (Arc::clone(&it.project), Arc::clone(&it.environment))));
    few_enough(found.len())?;
    let mut all = Vec::new();
    for (of, place) in found {
        let it = PlaceReleases::of((&of, &place), &ledger(app, &of, &place)?, &records);
        // Where a number was taken alone nothing is known.
        if !it.releases.is_empty() || !it.images.is_empty() {
            all.push(it);
        }
    }
    Ok(all)
}

/// What runs where, of one project or all, in one environment or all.
pub(crate) fn status(
    app: &App,
    project: Option<&str>,
    environment: Option<&str>,
) -> Result<Vec<PlaceStatus>, Problem> {
    let mut all = Vec::new();
    for (of, place) in places(app, project, environment)? {
        let views = folded(app, &of, &place)?;
        // Where a number was taken alone nothing is known.
        if views.is_empty() {
            continue;
        }
        let ledger = Ledger::of(views.iter().map(|it| &**it));
        let open = views.iter().filter(|it| it.ended.is_none());
        let open =
            open.map(|it| OpenDeployment { deployment: it.id, standing: it.standing().to_owned() });
        let services = ledger.services.iter();
        all.push(PlaceStatus {
            open: open.collect(),
            services: services.map(|(name, it)| ServiceStatus::of(name, Some(it))).collect(),
            project: Arc::from(of),
            environment: Arc::from(place),
        });
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_journal_that_is_away_is_no_deployment_that_is_not_there() {
        let id = DeploymentId(41);
        let stream = StreamId::Deployment(id);
        let away = JournalError::Storage {
            action: "cannot read the journal".to_owned(),
            source: "it is locked".into(),
        };
        let read = |read| match folded_of(id, read) {
            Ok(view) => format!("{:?}", view.map(|it| it.id)),
            Err(problem) => problem.status.to_string(),
        };
        assert_eq!(read(Ok(Vec::new())), "None", "its number was taken alone");
        assert_eq!(read(Err(JournalError::Forgotten { stream })), "None");
        assert_eq!(read(Err(JournalError::Unreadable("newer".to_owned()))), "None");
        assert_eq!(read(Err(away)), "503");
    }
}
