//! What runs where, and what ran well there last: a fold of all deployments to one environment.
//!
//! A revision that exists is no revision that was good (delivery B9): only what a deployment
//! verified is gone back to. What was found running and taken over becomes good when it was verified
//! once, which is when a deployment went back to it and its health was asked again.

use std::collections::BTreeMap;
use std::sync::Arc;

use event::{
    DeployStepKind, DeploymentId, DeploymentKind, KnownRelease, Release, Timestamp, Verdict,
};

use crate::deployment::{DeploymentView, EndView};

/// One environment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ledger {
    /// By service.
    pub services: BTreeMap<Arc<str>, ServiceLedger>,
}

/// One service in an environment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ServiceLedger {
    /// What runs, as far as the journal knows.
    pub runs: Option<Running>,
    /// The deployment that left nothing running, where one did: the wanted number was 0.
    pub emptied_by: Option<DeploymentId>,
    /// What ran well last: what is gone back to.
    pub last_good: Option<KnownRelease>,
    /// Releases that came here, newest first, each once.
    pub releases: Vec<ReleaseLine>,
}

/// What runs.
#[derive(Clone, Debug, PartialEq)]
pub struct Running {
    /// What.
    pub release: KnownRelease,
    /// Since which deployment.
    pub deployment: DeploymentId,
    /// Since when.
    pub since: Timestamp,
    /// A person has to look: a way back stuck, and nobody knows.
    pub is_unsure: bool,
}

/// A release that came to an environment.
#[derive(Clone, Debug, PartialEq)]
pub struct ReleaseLine {
    /// Which.
    pub release: Release,
    /// What brings it back; none where it never ran well.
    pub known: Option<KnownRelease>,
    /// By which deployment it came last.
    pub deployment: DeploymentId,
    /// Of which kind that was.
    pub kind: DeploymentKind,
    /// How that ended.
    pub verdict: Verdict,
    /// When.
    pub at: Timestamp,
}

impl ReleaseLine {
    /// Whether it can be gone back to.
    pub fn is_good(&self) -> bool {
        self.known.is_some()
    }
}

impl Ledger {
    /// The fold of an environment's deployments, oldest first. Those on their way are passed over.
    pub fn of<'a>(deployments: impl IntoIterator<Item = &'a DeploymentView>) -> Ledger {
        let mut ledger = Ledger::default();
        for view in deployments {
            if let Some(end) = &view.ended {
                ledger.take(view, end);
            }
        }
        ledger
    }

    /// What a deployment of this service goes back to.
    pub fn last_good(&self, service: &str) -> Option<&KnownRelease> {
        self.services.get(service)?.last_good.as_ref()
    }

    fn take(&mut self, view: &DeploymentView, end: &EndView) {
        for wanted in &view.request.services {
            let service = self.services.entry(Arc::clone(&wanted.service)).or_default();
            service.found(view, &wanted.service);
            if view.request.kind == DeploymentKind::Task {
                continue;
            }
            match end.verdict {
                Verdict::Succeeded => service.succeeded(view, end, &wanted.service),
                Verdict::RolledBack => service.went_back(view, &wanted.service),
                Verdict::RollbackStuck | Verdict::Superseded | Verdict::Failed => {
                    if let Some(runs) = &mut service.runs {
                        runs.is_unsure |= end.verdict != Verdict::Failed;
                    }
                }
                Verdict::Cancelled | Verdict::Refused => {}
            }
            let came = !matches!(end.verdict, Verdict::Cancelled | Verdict::Refused);
            if came && !end.unchanged {
                service.came(view, end, &wanted.release);
            }
        }
    }
}

impl ServiceLedger {
    /// What the way back leads to: the newest release that ran well and is not what runs.
    pub fn previous(&self) -> Option<&KnownRelease> {
        let runs = self.runs.as_ref().map(|it| &it.release.release.digest);
        let mut good = self.releases.iter().filter(|it| Some(&it.release.digest) != runs);
        good.find_map(|it| it.known.as_ref())
    }

    /// What goes up from here: what runs, where that ran well, else what did so last. What failed here, or nobody
    /// verified, is not what runs well.
    pub fn runs_well(&self) -> Option<&KnownRelease> {
        let runs = self.runs.as_ref().filter(|it| !it.is_unsure).map(|it| &it.release);
        let is_good = |it: &&KnownRelease| {
            let mut good = self.releases.iter().filter(|line| line.is_good());
            good.any(|line| line.release.digest == it.release.digest)
        };
        runs.filter(is_good).or(self.last_good.as_ref())
    }

    /// What the plan found running there.
    fn found(&mut self, view: &DeploymentView, service: &str) {
        let plan = view.plan.as_ref().map(|(plan, _)| plan);
        let found = plan.and_then(|plan| plan.services.iter().find(|it| *it.service == *service));
        let Some(found) = found.and_then(|it| it.running.as_ref()) else { return };
        let is_known = self.runs.as_ref().is_some_and(|it| it.release.release == found.release);
        if !is_known {
            let (deployment, since) = (view.id, view.request.at);
            self.runs =
                Some(Running { release: found.clone(), deployment, since, is_unsure: false });
            self.emptied_by = None;
        }
    }

    fn succeeded(&mut self, view: &DeploymentView, end: &EndView, service: &str) {
        let Some(known) = end.runs.get(service) else {
            if end.vacuous {
                self.runs = None;
                self.emptied_by = Some(view.id);
            }
            return;
        };
        self.emptied_by = None;
        let is_news = !end.unchanged || self.runs.is_none();
        if is_news {
            let (deployment, since) = (view.id, end.at);
            self.runs =
                Some(Running { release: known.clone(), deployment, since, is_unsure: false });
        }
        // What was found running and left alone was not verified by that.
        if !known.adopted {
            self.last_good = Some(known.clone());
        }
    }

    fn went_back(&mut self, view: &DeploymentView, service: &str) {
        let verified = view.steps.iter().any(|step| {
            let asked = step.back.as_ref().is_some_and(crate::deployment::DeedView::is_done);
            *step.service == *service && step.kind == DeployStepKind::Verify && asked
        });
        let Some(runs) = &mut self.runs else { return };
        runs.is_unsure = false;
        if verified {
            self.last_good = Some(runs.release.clone());
            let release = runs.release.clone();
            let known = self.releases.iter_mut().find(|it| it.release == release.release);
            if let Some(line) = known {
                line.known = Some(release);
            } else {
                let line = ReleaseLine {
                    release: release.release.clone(),
                    known: Some(release),
                    // It was there before: it came with no deployment of ours.
                    deployment: runs.deployment,
                    kind: DeploymentKind::Release,
                    verdict: Verdict::Succeeded,
                    at: runs.since,
                };
                self.releases.insert(0, line);
            }
        }
    }

    /// Its line goes to the front; that it ran well once stays.
    fn came(&mut self, view: &DeploymentView, end: &EndView, release: &Release) {
        let is_it = |line: &ReleaseLine| line.release.digest == release.digest;
        let before = self.releases.iter().position(is_it).map(|at| self.releases.remove(at));
        let known = end.runs.values().find(|it| it.release.digest == release.digest && !it.adopted);
        let known = known.cloned().or_else(|| before.and_then(|line| line.known));
        self.releases.insert(
            0,
            ReleaseLine {
                release: release.clone(),
                known: known.filter(|_| !is_spoilt(end)),
                deployment: view.id,
                kind: view.request.kind,
                verdict: end.verdict,
                at: end.at,
            },
        );
    }
}

/// Whether its last deployment says that a release is no good any more. One that ran well once and
/// failed later is not offered: the newest word counts.
fn is_spoilt(end: &EndView) -> bool {
    matches!(end.verdict, Verdict::RolledBack | Verdict::RollbackStuck | Verdict::Failed)
}
