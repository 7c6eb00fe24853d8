//! What the journal knows of a project's deployments.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use event::{DeployStepKey, DeployStepKind, DeploymentEvent, DeploymentId, Seq, StreamId, Way};
use ports::{Journal as _, JournalError};
use serde_json::Value as Json;
use store::Store;
use views::{DeedView, DeploymentView, Ledger};

use crate::exit::{Exit, Failure};

/// How many deployments of an environment are folded: what ran well longer ago is not offered.
const FOLDED_MAX: usize = 1_000;

/// Releases whose migration ran: service and digest.
pub(crate) type Migrated = BTreeSet<(Arc<str>, Arc<str>)>;

/// A project's deployments.
#[derive(Clone)]
pub(crate) struct Book {
    pub(crate) store: Arc<Store>,
    pub(crate) project: Arc<str>,
}

impl Book {
    /// One deployment, folded; none where its number was taken and nothing written.
    pub(crate) fn view(&self, id: DeploymentId) -> Result<Option<DeploymentView>, Failure> {
        let ledger = self.store.ledger();
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
        let ids = self.store.deployments(&self.project, environment, limit);
        let ids = ids.map_err(|error| Failure::caused(Exit::Missing, error))?;
        let mut views = Vec::new();
        for id in ids {
            views.extend(self.view(id)?);
        }
        Ok(views)
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
        let read = self.store.ledger().read(StreamId::Deployment(id), Seq(0));
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
