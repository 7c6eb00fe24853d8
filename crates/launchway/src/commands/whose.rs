//! Whose: of the repository that somebody stands in, or of one that is connected to a server (`--repository`).

use std::path::Path;

use crate::cli::AtServerArgs;
use crate::distant::Client;
use crate::exit::{Exit, Failure};
use crate::serving::data::DataFolder;
use crate::state::StateFolder;
use crate::state::acting;

/// Where a command looks, and whose things it finds there.
pub(super) enum Whose {
    /// Of the repository that somebody stands in, with what this machine knows of it.
    Here(StateFolder),
    /// Of one that is connected to this machine's server.
    Folder(DataFolder, String),
    /// Of one that is connected to a server.
    Server(Client, String),
}

impl Whose {
    /// As the command line says it.
    pub(super) fn of(at: &AtServerArgs, state: Option<&Path>) -> Result<Whose, Failure> {
        match (&at.repository, &at.server) {
            (Some(name), Some(url)) => Ok(Whose::Server(Client::of(url)?, name.clone())),
            (Some(name), None) => {
                Ok(Whose::Folder(servers_folder(at.data.as_deref(), state)?, name.clone()))
            }
            (None, _) => {
                let state = StateFolder::locate(state)?;
                refuse_servers(&state)?;
                Ok(Whose::Here(state))
            }
        }
    }
}

/// The folder of the server of this machine: as every command takes it, or as the state folder.
pub(super) fn servers_folder(
    flag: Option<&Path>,
    state: Option<&Path>,
) -> Result<DataFolder, Failure> {
    if flag.is_none() {
        let data = DataFolder { state: StateFolder::locate(state)? };
        if data.is_servers() {
            acting::as_owner(data.state.root())?;
            return Ok(data);
        }
    }
    DataFolder::locate(flag, state)
}

/// A clone is known by where it comes from, and a server's repository by its name: what was kept in a
/// server's folder for a clone would reach nobody.
fn refuse_servers(state: &StateFolder) -> Result<(), Failure> {
    let data = DataFolder { state: state.clone() };
    if !data.is_servers() {
        return Ok(());
    }
    let (shown, root) = (state.root().display(), state.pasted());
    Err(Failure::new(Exit::Usage, format!("{shown} is a server's: of which of its repositories?"))
        .hint(format!(
            "say which: --repository OWNER/NAME --data {root}; launchway repositories list --data {root} shows them"
        )))
}
