//! A second fold, event by event, with the invariants after each.

use deployment::{State, check, evolve};
use driver::DeploymentObserver;
use event::{DeploymentEvent, DeploymentId, Fact as _};

/// Watches one deployment.
#[derive(Debug, Default)]
pub(crate) struct Watcher {
    pub(crate) state: State,
    /// What is wrong, the first of it.
    pub(crate) broken: Option<String>,
    /// The events, a line each.
    pub(crate) log: Vec<String>,
    /// Kinds of events that came.
    pub(crate) kinds: Vec<&'static str>,
}

impl Watcher {
    fn take(&mut self, event: &DeploymentEvent) {
        self.log.push(event.encode());
        self.kinds.push(event.kind());
        let fold = evolve(&mut self.state, event).map_err(|error| error.to_string());
        let rules = check(&self.state).map_err(|broken| broken.to_string());
        for found in [fold, rules] {
            if let (None, Err(what)) = (&self.broken, found) {
                self.broken = Some(format!("{what}\nafter {}", event.encode()));
            }
        }
    }
}

impl DeploymentObserver for Watcher {
    fn on_event(&mut self, _: DeploymentId, event: &DeploymentEvent) {
        self.take(event);
    }

    fn on_adopted(&mut self, _: DeploymentId, events: &[DeploymentEvent]) {
        for event in events {
            self.take(event);
        }
    }
}
