//! What the journal knows of a project's deployments.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bucket::Shared;
use event::{
    DeployStepKey, DeployStepKind, DeploymentEvent, DeploymentId, ReleaseId, ReleaseRecord, Seq,
    StreamId, Way,
};
use ports::{Journal, JournalError};
use serde_json::Value as Json;
use store::Store;
use views::{DeedView, DeploymentView, Ledger};

use super::{places, shared};
use crate::exit::{Exit, Failure};
use crate::settings_file::Found;
use crate::state::StateFolder;
use crate::terminal::style::talk;

/// How many deployments of an environment are folded: what ran well longer ago is not offered.
const FOLDED_MAX: usize = 1_000;
/// Environments that are named to whoever looks for another.
const PLACES_MAX: usize = 100;

/// Releases whose migration ran: service and digest.
pub(crate) type Migrated = BTreeSet<(Arc<str>, Arc<str>)>;

/// A project's deployments.
#[derive(Clone)]
pub(crate) struct Book {
    /// This machine's own journal: its runs, and deployments where nobody shares them.
    pub(crate) store: Arc<Store>,
    pub(crate) project: Arc<str>,
    shared: Option<Arc<Shared>>,
}

/// Where deployments are appended to.
pub(crate) type Deployments = Arc<dyn Journal<DeploymentEvent>>;

impl Book {
    /// As the settings say where deployments are written down, with what is there now. The folder
    /// that comes with it is the one whose numbers are those of that journal.
    pub(crate) fn of(found: &Found, state: &StateFolder) -> Result<(Book, StateFolder), Failure> {
        let store = Arc::new(crate::journal::open(state)?);
        let project = Arc::clone(&found.settings.project.value);
        let Some(located) = shared::located(found) else {
            return Ok((Book { store, project, shared: None }, state.clone()));
        };
        let own = state.of_shared(&located.to_string());
        match shared::open(found, &own, located) {
            Ok(shared) => Ok((Book { store, project, shared: Some(shared) }, own)),
            // One that cannot be opened may be none of this project's: that it was tried is written
            // down here, and nothing else is done ([`Book::is_of`]).
            Err(why) => {
                let other = places::other_journal(found).ok_or(why)?;
                talk(&format!("note: {:#}; this machine's own is looked at", other.error));
                Ok((Book { store, project, shared: None }, state.clone()))
            }
        }
    }

    /// Whether it is what the settings ask for.
    pub(crate) fn is_of(&self, found: &Found) -> bool {
        self.shared.is_some() == shared::located(found).is_some()
    }

    /// A server's, of a project that has no settings there.
    pub(crate) fn of_server(store: Arc<Store>, project: Arc<str>) -> Book {
        Book { store, project, shared: None }
    }

    /// This machine's own, whatever the settings say.
    pub(crate) fn of_this_machine(found: &Found, state: &StateFolder) -> Result<Book, Failure> {
        let store = Arc::new(crate::journal::open(state)?);
        Ok(Book { store, project: Arc::clone(&found.settings.project.value), shared: None })
    }

    /// The journal that several machines share, where it is one.
    pub(crate) fn shared(&self) -> Option<&Arc<Shared>> {
        self.shared.as_ref()
    }

    /// Where all looking is done.
    pub(crate) fn copy(&self) -> &Arc<Store> {
        self.shared.as_ref().map_or(&self.store, |it| it.copy())
    }

    /// Where deployments are appended to.
    pub(crate) fn deployments(&self) -> Deployments {
        match &self.shared {
            Some(shared) => Arc::clone(shared) as Deployments,
            None => Arc::new(self.store.ledger()),
        }
    }

    /// Reads what other machines wrote meanwhile.
    pub(crate) fn refresh(&self) -> Result<(), Failure> {
        match &self.shared {
            Some(shared) => shared.refresh().map_err(shared::failed),
            None => Ok(()),
        }
    }

    /// The next deployment to an environment.
    pub(crate) fn allocate(&self, environment: &Arc<str>) -> Result<DeploymentId, Failure> {
        match &self.shared {
            Some(shared) => {
                let id = shared.allocate_deployment(&self.project, environment);
                id.map_err(shared::failed)
            }
            None => {
                let id = self.store.allocate_deployment(&self.project, environment);
                id.map_err(|error| Failure::caused(Exit::Missing, error))
            }
        }
    }

    /// Writes down that a release came to a repository.
    pub(crate) fn record_release(&self, record: ReleaseRecord) -> Result<(), Failure> {
        match &self.shared {
            Some(shared) => shared.record_release(record).map(|_| ()).map_err(shared::failed),
            None => {
                let kept = self.store.record_release(record).map(|_| ());
                kept.map_err(|error| Failure::caused(Exit::Missing, error))
            }
        }
    }

    /// The newest releases, of one service or of all, newest first.
    pub(crate) fn releases(
        &self,
        service: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(ReleaseId, ReleaseRecord)>, JournalError> {
        self.copy().releases(Some(&self.project), service, limit)
    }

    /// One deployment, folded; none where its number was taken and nothing written.
    pub(crate) fn view(&self, id: DeploymentId) -> Result<Option<DeploymentView>, Failure> {
        let ledger = self.copy().ledger();
        match ledger.read(StreamId::Deployment(id), Seq(0)) {
            Ok(envelopes) => {
                let events: Vec<_> = envelopes.into_iter().map(|it| it.event).collect();
                Ok(DeploymentView::of(id, &events))
            }
            // What retention took is not shown; that it was there is in the chain.
            Err(JournalError::Forgotten { .. }) => Ok(None),
            Err(error) => Err(Failure::caused(Exit::Missing, error)),
        }
    }

    /// The newest of them, to an environment or to all, newest first.
    pub(crate) fn newest(
        &self,
        environment: Option<&str>,
        limit: usize,
    ) -> Result<Vec<DeploymentView>, Failure> {
        let ids = self.copy().deployments(&self.project, environment, limit);
        let ids = ids.map_err(|error| Failure::caused(Exit::Missing, error))?;
        let mut views = Vec::new();
        for id in ids {
            views.extend(self.view(id)?);
        }
        Ok(views)
    }

    /// Environments that something of the project went to, each with the project.
    pub(crate) fn places(&self) -> Result<Vec<(String, String)>, Failure> {
        let places = self.copy().deployment_places(Some(&self.project), None, PLACES_MAX);
        places.map_err(|error| Failure::caused(Exit::Missing, error))
    }

    /// What runs in an environment, and what ran well there.
    pub(crate) fn ledger(&self, environment: &str) -> Result<Ledger, Failure> {
        let views = self.newest(Some(environment), FOLDED_MAX)?;
        Ok(Ledger::of(views.iter().rev()))
    }

    /// Deployments to an environment that are not over, oldest first.
    pub(crate) fn open(&self, environment: &str) -> Result<Vec<DeploymentView>, Failure> {
        let mut views = self.newest(Some(environment), FOLDED_MAX)?;
        views.retain(|view| view.ended.is_none());
        views.reverse();
        Ok(views)
    }

    /// The releases whose migration ran in an environment.
    pub(crate) fn migrated(&self, environment: &str) -> Result<Migrated, Failure> {
        let mut migrated = BTreeSet::new();
        for view in self.newest(Some(environment), FOLDED_MAX)? {
            for wanted in &view.request.services {
                let ran = view.steps.iter().any(|step| {
                    step.service == wanted.service
                        && step.kind == DeployStepKind::Migrate
                        && step.forward.as_ref().is_some_and(DeedView::is_done)
                });
                if ran {
                    let digest = Arc::clone(&wanted.release.digest);
                    migrated.insert((Arc::clone(&wanted.service), digest));
                }
            }
        }
        Ok(migrated)
    }

    /// What came out of the steps of a deployment that were done.
    pub(crate) fn effects(
        &self,
        id: DeploymentId,
    ) -> Result<BTreeMap<DeployStepKey, Json>, Failure> {
        let read = self.copy().ledger().read(StreamId::Deployment(id), Seq(0));
        let envelopes = read.map_err(|error| Failure::caused(Exit::Missing, error))?;
        let effects = envelopes.into_iter().filter_map(|envelope| match envelope.event {
            DeploymentEvent::StepDone { step, way: Way::Forward, effect, .. } => {
                Some((step, effect))
            }
            _ => None,
        });
        Ok(effects.collect())
    }

    /// The deployment a person means: by its number, else the newest.
    pub(crate) fn find(&self, id: Option<u64>) -> Result<DeploymentView, Failure> {
        let found = match id {
            Some(id) => {
                self.view(DeploymentId(id))?.filter(|it| it.request.project == self.project)
            }
            None => self.newest(None, 10)?.into_iter().next(),
        };
        found.ok_or_else(|| {
            let what = match id {
                Some(id) => format!("there is no deployment {id} of {}", self.project),
                None => format!("nothing of {} was deployed yet", self.project),
            };
            Failure::new(Exit::Usage, what).hint("launchway deployments list shows what there is")
        })
    }
}
