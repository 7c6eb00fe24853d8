//! Whether anybody drives a run. What the journal says last of a run whose command was killed is not
//! what is true: nothing of it runs any more.

use driver::Owner;
use event::{Status, StreamId};
use views::{JobView, RunView};

use crate::exit::{Exit, Failure};
use crate::state::StateFolder;

/// Who sees to it that a run goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It is over; nobody has to.
    Over,
    /// This process.
    Driven(u32),
    /// A server elsewhere.
    Served,
    /// Nobody: its command was killed, or went away because a person has to decide.
    Unattended,
}

impl Standing {
    /// Looks who has the run.
    pub(crate) fn of(state: &StateFolder, view: &RunView) -> Result<Standing, Failure> {
        if view.conclusion.is_some() {
            return Ok(Standing::Over);
        }
        let stream = StreamId::Run(view.header.run, view.header.attempt);
        match Owner::holder(&state.owners(), stream) {
            Ok(Some(pid)) => Ok(Standing::Driven(pid)),
            Ok(None) => Ok(Standing::Unattended),
            Err(error) => Err(Failure::caused(Exit::Missing, error)),
        }
    }

    /// The process, for programs that read.
    pub(crate) fn driven_by(self) -> Option<u32> {
        match self {
            Standing::Driven(pid) => Some(pid),
            Standing::Over | Standing::Served | Standing::Unattended => None,
        }
    }

    /// What is to be said of the run, where nobody runs it.
    pub(crate) fn about_run(self, view: &RunView) -> Option<String> {
        let run = view.header.run;
        (self == Standing::Unattended)
            .then(|| format!("nobody runs it; launchway runs resume {run} goes on with it"))
    }

    /// Why a job does not go on.
    pub(crate) fn about_job(self, view: &RunView, job: &JobView) -> Option<String> {
        let unattended = self == Standing::Unattended && job.children.is_empty() && !job.lost;
        match job.status {
            Status::InProgress if unattended => Some("was running when launchway ended".to_owned()),
            Status::Queued if unattended => Some("is ready, and nobody runs it".to_owned()),
            _ => view.why_waiting(&job.key),
        }
    }
}
