//! The seam to a job's services: they are started before the first step and stopped after the last
//! post stage (conformance 105, 159).

use crate::setup::SetupError;

/// Starts them. Local programs are not there yet: the job is refused in set-up, never run without.
pub(crate) fn start() -> Result<(), SetupError> {
    let text = "the job has `services`, which are not supported yet";
    Err(SetupError::Refused(text.to_owned()))
}
