//! Incidents of a journal: what somebody tells of one, decided by `incident` and written down here.

mod jobs;

use std::sync::Arc;

use bucket::Shared;
use event::{DeploymentId, IncidentEvent, IncidentId, IncidentSource, Seq, ShippedBy, StreamId};
use incident::{Broken, Deployed, Opening, Refusal, Said, Told, Wish, decide, own};
use ports::{Journal, JournalError};
use store::Store;
use views::{DeploymentView, IncidentView};

use crate::deploying::book::Book;
use crate::exit::{Exit, Failure};
use crate::terminal::style::talk;
use crate::terminal::time::now;

pub(crate) use jobs::ProjectOf;

/// So often is decided anew where others were faster.
const BEHIND_OTHERS_MAX: usize = 50;
/// Incidents that are looked through for those of deployments that are open.
const SEARCHED_MAX: usize = 200;
/// Deployments whose end is looked at once more: whoever drove one may have been killed right behind it.
const ENDS_LOOKED_AT: usize = 20;

/// The incidents of a journal.
pub(crate) struct Incidents {
    store: Arc<Store>,
    shared: Option<Arc<Shared>>,
}

impl Incidents {
    /// Those where a project's deployments are written down.
    pub(crate) fn of(book: &Book) -> Incidents {
        Incidents { store: Arc::clone(book.copy()), shared: book.shared().cloned() }
    }

    /// Those of a machine's own journal.
    pub(crate) fn of_store(store: &Arc<Store>) -> Incidents {
        Incidents { store: Arc::clone(store), shared: None }
    }

    /// One of them.
    pub(crate) fn view(&self, id: IncidentId) -> Result<Option<IncidentView>, Failure> {
        let events = self.store.incident(id).map_err(missing)?;
        Ok(IncidentView::of(id, &events))
    }

    /// The newest, of a project or of all, newest first.
    pub(crate) fn newest(
        &self,
        project: Option<&str>,
        limit: usize,
    ) -> Result<Vec<IncidentView>, Failure> {
        let ids = self.store.incidents(project, limit).map_err(missing)?;
        let views = ids.into_iter().map(|id| self.view(id));
        Ok(views.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
    }

    /// The incident that is known by this key elsewhere.
    pub(crate) fn with_key(&self, key: &str) -> Result<Option<IncidentId>, Failure> {
        self.store.incident_with(key).map_err(missing)
    }

    /// What was shipped, as far as it can have to do with an incident. What jobs shipped to several environments is
    /// that of the one that is said.
    pub(crate) fn shipped(
        &self,
        by: ShippedBy,
        environment: Option<&str>,
        project_of: ProjectOf<'_>,
    ) -> Result<Deployed, Failure> {
        match by {
            ShippedBy::Deployment(id) => self.deployed(id),
            ShippedBy::Jobs(..) if self.shared.is_some() => {
                let message = format!("{} is in this machine's journal alone", by.named());
                Err(Failure::new(Exit::Refused, message).hint(
                    "incidents of this project stand in the journal that several machines share; only deployments are there",
                ))
            }
            ShippedBy::Jobs(run, attempt) => {
                jobs::shipped(&self.store, (run, attempt), environment, project_of)
            }
        }
    }

    fn deployed(&self, id: DeploymentId) -> Result<Deployed, Failure> {
        let view = self.deployment(id)?;
        let none = || Failure::new(Exit::Usage, format!("there is no deployment {id}"));
        Ok((&view.ok_or_else(none)?).into())
    }

    fn deployment(&self, id: DeploymentId) -> Result<Option<DeploymentView>, Failure> {
        match self.store.ledger().read(StreamId::Deployment(id), Seq(0)) {
            Ok(events) => {
                let events: Vec<_> = events.into_iter().map(|it| it.event).collect();
                Ok(DeploymentView::of(id, &events))
            }
            Err(JournalError::Forgotten { .. }) => Ok(None),
            Err(error) => Err(missing(error)),
        }
    }

    /// What was opened with this key before, whatever became since of what it names.
    pub(crate) fn opened_with(
        &self,
        key: &str,
        said: Said<'_>,
    ) -> Result<Option<IncidentId>, Failure> {
        let Some(id) = self.with_key(key)? else { return Ok(None) };
        match self.view(id)? {
            Some(known) if !said.is(&known.record) => Err(refused(&Refusal::OtherKey)),
            known => Ok(known.map(|_| id)),
        }
    }

    /// Opens one; one that is known by its key already is told once more. Gives which, and whether that
    /// changed anything.
    pub(crate) fn open(
        &self,
        opening: Opening,
        told: &Told,
    ) -> Result<(IncidentId, bool), Failure> {
        let wish = Wish::Open(opening.clone());
        let known = match opening.key.as_deref() {
            Some(key) => self.with_key(key)?,
            None => None,
        };
        if let Some(id) = known {
            return Ok((id, self.tell(id, &wish, told)?));
        }
        // What cannot be so takes no number.
        decide(None, &wish, told).map_err(|refusal| refused(&refusal))?;
        let (project, key) = (&opening.project, opening.key.as_deref());
        let id = match &self.shared {
            Some(shared) => shared.allocate_incident(project, key).map_err(missing)?,
            None => self.store.allocate_incident(project, key).map_err(missing)?,
        };
        Ok((id, self.tell(id, &wish, told)?))
    }

    /// Writes down what somebody tells of one. Gives whether that changed anything.
    pub(crate) fn tell(&self, id: IncidentId, wish: &Wish, told: &Told) -> Result<bool, Failure> {
        for _ in 0..BEHIND_OTHERS_MAX {
            let known = self.view(id)?;
            let expected = known.as_ref().map_or(Seq(0), |it| it.last_seq);
            let events = decide(known.as_ref(), wish, told);
            let events = events.map_err(|refusal| refused(&refusal))?;
            if events.is_empty() {
                return Ok(false);
            }
            match self.append(id, expected, told, &events) {
                Ok(_) => return Ok(true),
                Err(JournalError::Conflict { .. }) => {}
                Err(error) => return Err(missing(error)),
            }
        }
        Err(Failure::new(Exit::Missing, format!("incident {id} is written to without end")))
    }

    fn append(
        &self,
        id: IncidentId,
        expected: Seq,
        told: &Told,
        events: &[IncidentEvent],
    ) -> Result<Seq, JournalError> {
        match &self.shared {
            Some(shared) => shared.append(StreamId::Incident(id), expected, told.now, events),
            None => self.store.append_incident(id, expected, told.now, events),
        }
    }

    /// What the newest deployments of a project broke, or mended, is told of, each once however often
    /// this is done. The incidents are read once, and one of them again where it was written to.
    pub(crate) fn look_at_ends(&self, project: &str) -> Result<(), Failure> {
        let ids = self.store.deployments(project, None, ENDS_LOOKED_AT).map_err(missing)?;
        let views = ids.into_iter().rev().map(|id| self.deployment(id));
        let views: Vec<_> = views.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect();
        let known = self.newest(Some(project), SEARCHED_MAX)?.into_iter();
        let open = known.map(|it| self.broken(it, &views));
        let mut open: Vec<_> = open.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect();
        for view in &views {
            for own in own(view, &mut open, now()) {
                if let Some(id) = self.tell_own(&own)? {
                    open.retain(|it| it.incident.id != id);
                    let told = self.view(id)?;
                    open.extend(told.map(|it| self.broken(it, &views)).transpose()?.flatten());
                }
            }
        }
        Ok(())
    }

    /// An incident of a deployment, where it is open and the deployment is known: among these, else in
    /// the journal.
    fn broken(
        &self,
        incident: IncidentView,
        views: &[DeploymentView],
    ) -> Result<Option<Broken>, Failure> {
        if !incident.is_open() || incident.record.source != IncidentSource::Deployment {
            return Ok(None);
        }
        let cause = incident.caused_by.and_then(ShippedBy::deployment);
        let Some(cause) = cause else { return Ok(None) };
        if let Some(cause) = views.iter().find(|it| it.id == cause) {
            return Ok(Some(Broken::of(incident, cause)));
        }
        Ok(self.deployment(cause)?.map(|cause| Broken::of(incident, &cause)))
    }

    /// Gives which incident was written to, if one was.
    fn tell_own(&self, own: &incident::Own) -> Result<Option<IncidentId>, Failure> {
        let mut changed = None;
        for (wish, told) in &own.told {
            let (id, is_news) = match wish {
                Wish::Open(opening) => self.open(opening.clone(), told)?,
                wish => match self.with_key(&own.key)? {
                    Some(id) => (id, self.tell(id, wish, told)?),
                    None => continue,
                },
            };
            changed = changed.or(is_news.then_some(id));
        }
        Ok(changed)
    }

    /// The same, where it is nobody's errand: what goes wrong is said.
    pub(crate) fn look_at_ends_in_passing(&self, project: &str) {
        if let Err(failure) = self.look_at_ends(project) {
            talk(&format!("warning: incidents are not looked after: {:#}", failure.error));
        }
    }
}

fn missing(error: impl Into<anyhow::Error>) -> Failure {
    Failure::caused(Exit::Missing, error)
}

fn refused(refusal: &Refusal) -> Failure {
    let is_usage = matches!(refusal, Refusal::Unknown | Refusal::OtherKey);
    let exit = if is_usage { Exit::Usage } else { Exit::Refused };
    let failure = Failure::new(exit, refusal);
    match refusal {
        Refusal::Elsewhere { deployment: ShippedBy::Jobs(..), .. } => failure.hint(
            "an incident of what jobs ship is of their repository, or of the project that its settings name",
        ),
        Refusal::NotShipped { deployment: ShippedBy::Jobs(..), .. } => failure.hint(
            "what jobs ship is known by their workflow file; an incident without a service is of all",
        ),
        _ => failure,
    }
}
