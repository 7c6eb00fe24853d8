//! The gate of a job that names an environment: what it asks, who agreed, whether it may open.

use std::collections::BTreeMap;

use event::{Actor, GateDemand, GateKey, JobDefinition, JobGate, RunRequest, Timestamp};

/// Whether a job stands at a gate before anything else.
pub(crate) fn is_gated(request: &RunRequest, definition: &JobDefinition) -> bool {
    let named = definition.environment.is_some() && definition.call.is_none();
    request.terms.gated && named
}

/// A gate as a job stands behind it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Gate {
    pub(crate) asked: JobGate,
    /// By gate: who agreed to exactly [`JobGate::what`].
    pub(crate) agreed: BTreeMap<GateKey, Vec<Actor>>,
}

impl Gate {
    pub(crate) fn new(asked: JobGate) -> Gate {
        Gate { asked, agreed: BTreeMap::new() }
    }

    /// Asked once more: what was agreed to holds where it is the same.
    pub(crate) fn again(self, asked: JobGate) -> Gate {
        let agreed = if asked.what == self.asked.what { self.agreed } else { BTreeMap::new() };
        Gate { asked, agreed }
    }

    /// Who agreed at a gate.
    pub(crate) fn at(&self, key: &GateKey) -> &[Actor] {
        self.agreed.get(key).map_or(&[], Vec::as_slice)
    }

    /// Whether everybody agreed who is asked.
    pub(crate) fn is_agreed(&self) -> bool {
        self.asked.demands.iter().all(|demand| {
            let wanted = match demand {
                GateDemand::Approval { count, .. } => *count as usize,
                GateDemand::Confirm { .. } | GateDemand::Start => 1,
                // The clock's: it stands in `opens_at`.
                GateDemand::Wait { .. } => 0,
            };
            self.at(&demand.key()).len() >= wanted
        })
    }

    /// Whether people agreed whom the rules ask: not where nothing but a timer or a word was asked for, or only
    /// what is to run asks somebody, who may be a friend of whoever wrote it.
    pub(crate) fn is_agreed_by_people(&self) -> bool {
        let asks = |it: &GateDemand| matches!(it, GateDemand::Approval { count, .. } if *count > 0);
        self.asked.rules_ask_people && self.asked.demands.iter().any(asks) && self.is_agreed()
    }

    /// Not before then.
    pub(crate) fn opens_at(&self) -> Timestamp {
        self.asked.opens_at.unwrap_or_default()
    }
}
