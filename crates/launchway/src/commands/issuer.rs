//! `launchway issuer`: the keys of tokens with which deployments sign in to a cloud, and the files by
//! which the cloud knows them.

use std::path::Path;

use ::issuer::{Bearers, DISCOVERY, IssuerError, KEY_SET, discovery};
use serde_json::{Value as Json, json};

use crate::cli::{Format, IssuerCommand};
use crate::deploying::cloud;
use crate::exit::{Exit, Failure, Outcome};
use crate::journal;
use crate::state::StateFolder;
use crate::terminal::style::out;
use crate::terminal::time::now;

pub(crate) fn run(command: &IssuerCommand, state: &StateFolder) -> Outcome {
    let now = now().0 / 1000;
    let keys = cloud::keys(state)?;
    let failed = |error: IssuerError| Failure::caused(Exit::Missing, error);
    match command {
        IssuerCommand::Keys { format } => {
            for (id, signs) in keys.published(now).map_err(failed)? {
                match format {
                    Format::Json => out(&json!({"key": id, "signs": signs}).to_string()),
                    _ => out(&format!("{id}  {}", if signs { "signs" } else { "is published" })),
                }
            }
        }
        IssuerCommand::Rotate { at_once: true } => {
            let place = state.issuer();
            // Written down first: no key goes that nobody hears of, whatever fails or is killed in between.
            let known = keys.published(now).map_err(failed)?;
            let known: Vec<String> = known.into_iter().map(|(id, _)| id).collect();
            let has_words = Bearers::are_in(&place).map_err(failed)?;
            let words = if has_words { " and the key of jobs' words" } else { "" };
            let names = known.join(", ");
            let object = format!("{} at once, withdrawn: {names}{words}", place.display());
            journal::record(state, "issuer.rotate", object)?;
            let had_words = Bearers::replace(&place).map_err(failed)?;
            let names = keys.replace(now).map_err(failed)?.join(", ");
            out(&format!("withdrawn: {names}; a new key signs from now on"));
            if had_words {
                out(
                    "withdrawn: what running jobs ask with; one that asks for a token from now on is refused, and has to run again",
                );
            }
            out(
                "a server that publishes them itself does so at once; else: launchway issuer publish --url URL --to DIR",
            );
            out("who fetched the old keys may go by them for as long as it keeps them");
        }
        IssuerCommand::Rotate { at_once: false } => {
            journal::record(state, "issuer.rotate", state.issuer().display().to_string())?;
            keys.rotate(now).map_err(failed)?;
            out("a new key is there; it signs in a day");
            out("serve the files anew before: launchway issuer publish --url URL --to DIR");
        }
        IssuerCommand::Publish { url, to } => {
            if !url.starts_with("https://") {
                return Err(Failure::new(
                    Exit::Usage,
                    format!("{url} does not begin with https://"),
                )
                .hint("a cloud fetches the files over TLS only"));
            }
            write(to, DISCOVERY, &discovery(url))?;
            write(to, KEY_SET, &keys.key_set(now).map_err(failed)?)?;
            out(&format!("serve {} at {url}", to.display()));
        }
    }
    Ok(Exit::Done)
}

/// A file as a whole, or not at all: somebody may serve the folder.
fn write(folder: &Path, name: &str, content: &Json) -> Result<(), Failure> {
    let path = folder.join(name);
    let failed = |error: std::io::Error| {
        let what = format!("cannot write {}", path.display());
        Failure::caused(Exit::Missing, anyhow::Error::from(error).context(what))
    };
    let place = path.parent().expect("it has a folder");
    std::fs::create_dir_all(place).map_err(failed)?;
    let file = tempfile::Builder::new()
        .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))
        .tempfile_in(place)
        .map_err(failed)?;
    std::fs::write(file.path(), format!("{content:#}\n")).map_err(failed)?;
    file.persist(&path).map_err(|error| failed(error.error))?;
    Ok(())
}
