//! `launchway supervise` and `launchway proxy`: the hidden halves of the target `host`.

use std::path::Path;
use std::process::ExitCode;

use target_host::{Folder, IfTaken};

use crate::exit::{Exit, Failure};

/// Looks after the services of a folder.
pub(crate) fn supervise(folder: &Path, if_taken: IfTaken) -> Result<ExitCode, Failure> {
    let own = std::env::current_exe()
        .map_err(|error| Failure::caused(Exit::Missing, error))?
        .into_os_string();
    target_host::supervise(&Folder::new(absolute(folder)?), &[own], if_taken)
        .map_err(|error| Failure::caused(Exit::Missing, error))?;
    Ok(Exit::Done.into())
}

/// Runs one command that a deployment wants to be run once.
pub(crate) fn task(folder: &Path) -> Result<ExitCode, Failure> {
    target_host::run_task(folder).map_err(|error| Failure::caused(Exit::Missing, error))?;
    Ok(Exit::Done.into())
}

/// Holds the listeners of a folder.
pub(crate) fn proxy(folder: &Path) -> Result<ExitCode, Failure> {
    match proxy::main(&absolute(folder)?, proxy::given_on_stdin()) {
        Err(error) => Err(Failure::caused(Exit::Missing, error)),
    }
}

/// A folder is known by its path, and processes carry it in their environment.
fn absolute(folder: &Path) -> Result<std::path::PathBuf, Failure> {
    std::path::absolute(folder).map_err(|error| Failure::caused(Exit::Missing, error))
}
