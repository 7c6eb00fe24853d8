//! What targets would do: looked at and proposed, and nothing done.

use std::sync::Arc;

use driver::Doors as _;
use event::{Cause, ServicePlan, ServiceRequest};

use super::doors::Hands;
use super::show;
use crate::exit::{Exit, Failure};
use crate::settings_file::Found;
use crate::state::StateFolder;
use crate::terminal::style::Style;

/// What would be done for each service, with its target's own steps. `of` is the project and the
/// environment.
pub(crate) fn foresee(
    state: &StateFolder,
    of: (&str, &str),
    services: &[ServiceRequest],
    found: &Found,
) -> Result<Vec<ServicePlan>, Failure> {
    let mut hands = Hands::of(state, of, services, Some(found))?;
    let mut plans = Vec::new();
    for wanted in services {
        let refused = |exit: Exit, cause: &Cause| {
            let tree = show::tree(cause, 0, Style::plain());
            Failure::new(exit, format!("{}: {}", wanted.service, tree.trim_end()))
        };
        let target = hands.target(wanted).map_err(|cause| refused(Exit::Missing, &cause))?;
        let seen = target.observe(wanted).map_err(|cause| refused(Exit::Missing, &cause))?;
        let proposal =
            target.propose(wanted, &seen).map_err(|cause| refused(Exit::Forbidden, &cause))?;
        plans.push(ServicePlan {
            service: Arc::clone(&wanted.service),
            seen: seen.seen,
            running: seen.running,
            changes: proposal.changes,
            steps: proposal.steps,
            going_back: proposal.going_back,
            notes: proposal.notes,
        });
    }
    Ok(plans)
}
