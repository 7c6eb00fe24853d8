//! Who does what a deployment owes the world: the targets of its services, and the prober for what
//! is asked and run around the change.

use std::collections::BTreeMap;
use std::sync::Arc;

use backup::Backups;
use bucket::Shared;
use driver::Doors;
use event::{Cause, CauseCode, DeploymentRequest, PlannedStep, ServiceRequest};
use mask::{MaskedText, Masker};
use ports::{Performer, StepRan, Target};
use probe::{Body, Commands, Prober};

use super::inbox;
use super::rules::Where;
use super::targets::{self, Site};
use super::watching::{self, Watching};
use crate::exit::{Exit, Failure};
use crate::images::gate::{Images, is_about_images};
use crate::settings_file::Found;
use crate::state::StateFolder;

/// The doors of this machine.
pub(crate) struct Hands {
    targets: BTreeMap<Arc<str>, Box<dyn Target>>,
    prober: Prober,
    images: Images,
    watching: Watching,
    /// None where no step is a backup's.
    backups: Option<Backups>,
    /// Where the rules are read once more.
    rules: Option<Where>,
    /// Under whose right all of it is done, where several machines share it.
    under: Option<Arc<Shared>>,
}

impl Hands {
    /// Opens every target that the request needs.
    pub(crate) fn open(
        state: &StateFolder,
        request: &DeploymentRequest,
        found: Option<&Found>,
    ) -> Result<Hands, Failure> {
        Hands::of(state, (&request.project, &request.environment), &request.services, found)
    }

    /// Opens every target that these services need. `of` is the project and the environment.
    pub(crate) fn of(
        state: &StateFolder,
        of: (&str, &str),
        services: &[ServiceRequest],
        found: Option<&Found>,
    ) -> Result<Hands, Failure> {
        let site = Site { state, project: of.0, environment: of.1 };
        let mut opened: BTreeMap<Arc<str>, Box<dyn Target>> = BTreeMap::new();
        for service in services {
            if !opened.contains_key(&service.target) {
                let target = targets::open(&service.target, site, found)?;
                opened.insert(Arc::clone(&service.target), target);
            }
        }
        let mut steps = services.iter().flat_map(|it| &it.around);
        let backups = match steps.any(|it| backup::Body::read(&it.body).is_ok()) {
            true => Some(targets::backups(site, found)?),
            false => None,
        };
        let commands = Commands::new(&state.deployments(), Masker::new());
        let commands = match found {
            Some(found) => commands.otherwise_in(&found.root),
            None => commands,
        };
        let images = Images::new(site, found);
        let watching = Watching::new(site, found);
        let environment = Arc::from(of.1);
        let rules = found.map(|found| Where { file: found.file.clone(), environment });
        let prober = Prober::new(commands);
        Ok(Hands { targets: opened, prober, images, watching, backups, rules, under: None })
    }

    /// Nothing is done any more once another machine has taken over, or may have.
    pub(crate) fn under(self, shared: Option<&Arc<Shared>>) -> Hands {
        Hands { under: shared.cloned(), ..self }
    }

    fn must_hold(&self) -> Result<(), Cause> {
        let Some(shared) = &self.under else { return Ok(()) };
        let unavailable =
            |why| Cause::new(CauseCode::Unavailable, MaskedText::without_secrets(why));
        shared.must_hold().map_err(unavailable)
    }
}

impl Hands {
    /// What the command of a step printed that is over.
    pub(crate) fn printed(&mut self, ran: &StepRan<'_>) -> Result<Vec<MaskedText>, Cause> {
        self.target(ran.service)?.printed(ran)
    }
}

impl Doors for Hands {
    fn target(&mut self, service: &ServiceRequest) -> Result<&mut dyn Target, Cause> {
        match self.targets.get_mut(&service.target) {
            Some(target) => Ok(target.as_mut()),
            None => {
                let message = format!("there is no target of the kind {}", service.target);
                Err(Cause::new(CauseCode::Fault, MaskedText::without_secrets(message)))
            }
        }
    }

    fn rules(&mut self, request: &DeploymentRequest) -> Result<Arc<str>, Cause> {
        let cause = |code, message: String| Cause::new(code, MaskedText::without_secrets(message));
        let Some(rules) = &self.rules else {
            return Err(cause(CauseCode::Unavailable, "the settings are not at hand".to_owned()));
        };
        let ruling = rules.read().map_err(|failure| {
            let is_missing = failure.exit == Exit::Missing;
            let code = if is_missing { CauseCode::Unavailable } else { CauseCode::GateShut };
            cause(code, format!("{:#}", failure.error))
        })?;
        let before = request.protection.as_ref().map(|it| it.rules.digest);
        if before == Some(ruling.rules.digest) {
            Ok(ruling.rules.commit)
        } else {
            Err(inbox::changed(&request.environment))
        }
    }

    fn performer(
        &mut self,
        service: &ServiceRequest,
        step: &PlannedStep,
    ) -> Result<&mut dyn Performer, Cause> {
        self.must_hold()?;
        if is_about_images(step) {
            return Ok(&mut self.images);
        }
        // Whoever planned a step reads its body: what the prober can read is the prober's.
        if Body::read(&step.body).is_ok() {
            return Ok(&mut self.prober);
        }
        if watching::is_watched(step) {
            return Ok(&mut self.watching);
        }
        if backup::Body::read(&step.body).is_err() {
            return Ok(self.target(service)? as &mut dyn Performer);
        }
        let unopened = "nobody was asked who takes backups";
        let unopened = Cause::new(CauseCode::Fault, MaskedText::without_secrets(unopened));
        Ok(self.backups.as_mut().ok_or(unopened)? as &mut dyn Performer)
    }
}

/// Nobody's doors: for whoever writes something down and does nothing.
pub(crate) struct Nobody;

impl Doors for Nobody {
    fn target(&mut self, _: &ServiceRequest) -> Result<&mut dyn Target, Cause> {
        Err(nobody())
    }

    fn rules(&mut self, _: &DeploymentRequest) -> Result<Arc<str>, Cause> {
        Err(nobody())
    }

    fn performer(
        &mut self,
        _: &ServiceRequest,
        _: &PlannedStep,
    ) -> Result<&mut dyn Performer, Cause> {
        Err(nobody())
    }
}

impl driver::DeploymentObserver for Nobody {
    fn on_event(&mut self, _: event::DeploymentId, _: &event::DeploymentEvent) {}
}

fn nobody() -> Cause {
    Cause::new(CauseCode::Unavailable, MaskedText::without_secrets("nobody drives it"))
}
