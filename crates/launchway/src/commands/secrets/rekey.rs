//! `launchway secrets rekey`: another key for everything that a folder keeps.

use std::path::Path;

use crate::commands::whose::servers_folder;
use crate::exit::{Exit, Failure, Outcome};
use crate::serving::data::DataFolder;
use crate::state::StateFolder;
use crate::state::acting;
use crate::terminal::style::talk;
use crate::{journal, kept};

pub(super) fn run(data: Option<&Path>, state: Option<&Path>) -> Outcome {
    let state = folder(data, state)?;
    let place = state.vault().display().to_string();
    let vault = kept::vault(&state);
    if vault.hold().map_err(kept::failed)?.is_none() {
        return Err(nothing(&place));
    }
    // Written down first: no key goes that nobody hears of, whatever fails or is killed in between.
    journal::record(&state, "secret.rekey", place.clone())?;
    let rekeyed = vault.rekey().map_err(kept::failed)?.ok_or_else(|| nothing(&place))?;
    if rekeyed.was_cut_short {
        talk("a change of the key that was cut short before is taken to its end, too");
    }
    let secrets = match rekeyed.secrets {
        1 => "1 secret is".to_owned(),
        count => format!("{count} secrets are"),
    };
    talk(&format!("{secrets} kept under a new key in {place}; the old one is gone from there"));
    talk("copies of the folder that were made before have the old key, and the secrets of then");
    Ok(Exit::Done)
}

fn nothing(place: &str) -> Failure {
    Failure::new(Exit::Usage, format!("no secret was ever kept in {place}"))
        .hint("a server's are in its folder: --data DIR")
}

/// The server's that is named, else one's own; that may be a server's, too.
fn folder(data: Option<&Path>, state: Option<&Path>) -> Result<StateFolder, Failure> {
    if data.is_some() {
        return Ok(servers_folder(data, state)?.state);
    }
    let data = DataFolder { state: StateFolder::locate(state)? };
    if data.is_servers() {
        acting::as_owner(data.state.root())?;
    }
    Ok(data.state)
}
