//! `launchway runs download`: the artifacts of a run, unpacked into a folder, as `gh run download`
//! does it: one that is named goes straight into the folder, others into a folder of their name
//! each, and what is there already is not touched.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Component, Path, PathBuf};

use actions::{Existing, unpack_artifact};
use mask::MaskedText;
use store::Store;
use views::ArtifactView;

use crate::cli::RunRef;
use crate::exit::{Exit, Failure, Outcome};
use crate::journal;
use crate::terminal::plural::plural;
use crate::terminal::style::out;
use crate::terminal::time::now;

pub(crate) fn run(store: &Store, run: &RunRef, names: &[String], folder: &Path) -> Outcome {
    let stream = journal::find(store, run)?;
    let mut view = journal::view(store, stream)?;
    view.take_artifacts(&journal::earlier(store, stream)?);
    let (number, _) = stream.as_run().expect("the stream of a run");
    let fetch = |name: &str, artifact: &ArtifactView| {
        store.blobs().get(&artifact.blob).map_err(|error| {
            let text = format!("the bytes of artifact {name} are gone");
            Failure::caused(Exit::Missing, anyhow::Error::new(error).context(text))
                .hint("launchway runs rerun makes it again")
        })
    };
    unpacked(&format!("run {number}"), &view.artifacts, (names, folder), &fetch)
}

/// Unpacks artifacts of a run, all or those that are named, whose archives are fetched.
pub(super) fn unpacked(
    run: &str,
    all: &BTreeMap<MaskedText, ArtifactView>,
    (names, folder): (&[String], &Path),
    fetch: &dyn Fn(&str, &ArtifactView) -> Result<File, Failure>,
) -> Outcome {
    for (name, artifact) in wanted(run, all, names)? {
        let target = match names {
            [_] => folder.to_owned(),
            _ => folder.join(own_folder(name)?),
        };
        let files = unpack(name, fetch(name, artifact)?, &target)?;
        out(&format!("{name}: {} in {}", plural(files, "file"), target.display()));
    }
    Ok(Exit::Done)
}

/// The artifacts that were asked for; without names all that have not expired.
fn wanted<'a>(
    run: &str,
    all: &'a BTreeMap<MaskedText, ArtifactView>,
    names: &'a [String],
) -> Result<Vec<(&'a str, &'a ArtifactView)>, Failure> {
    let has_expired = |artifact: &ArtifactView| artifact.expires_at <= now();
    if names.is_empty() {
        let found: Vec<_> = all
            .iter()
            .filter(|(_, artifact)| !has_expired(artifact))
            .map(|(name, artifact)| (name.as_str(), artifact))
            .collect();
        return match (found.is_empty(), all.len()) {
            (false, _) => Ok(found),
            (true, 0) => Err(Failure::new(Exit::Usage, format!("{run} kept no artifacts"))),
            (true, count) => Err(Failure::new(
                Exit::Missing,
                format!("all artifacts of {run} have expired ({count})"),
            )
            .hint("launchway runs rerun makes them again")),
        };
    }
    names.iter().map(|name| one(run, all, name, has_expired)).collect()
}

fn one<'a>(
    run: &str,
    all: &'a BTreeMap<MaskedText, ArtifactView>,
    name: &'a str,
    has_expired: impl Fn(&ArtifactView) -> bool,
) -> Result<(&'a str, &'a ArtifactView), Failure> {
    let Some((_, artifact)) = all.iter().find(|(known, _)| known.as_str() == name) else {
        let known: Vec<&str> = all.keys().map(MaskedText::as_str).collect();
        let failure = Failure::new(Exit::Usage, format!("{run} has no artifact {name}"));
        return Err(match known.as_slice() {
            [] => failure.hint("it kept none"),
            known => failure.hint(format!("it has: {}", known.join(", "))),
        });
    };
    if has_expired(artifact) {
        let message = format!("artifact {name} of {run} has expired");
        let hint = "launchway runs rerun makes it again";
        return Err(Failure::new(Exit::Missing, message).hint(hint));
    }
    Ok((name, artifact))
}

/// The folder of an artifact's name. A job may call it what it likes, so it is looked at.
fn own_folder(name: &str) -> Result<PathBuf, Failure> {
    let path = Path::new(name);
    let mut parts = path.components();
    match (parts.next(), parts.next()) {
        (Some(Component::Normal(part)), None) if part == path.as_os_str() => Ok(path.to_owned()),
        _ => Err(Failure::new(
            Exit::Refused,
            format!("artifact {name:?} is called like no folder: nothing was unpacked for it"),
        )
        .hint("--name with its name unpacks it straight into --dir")),
    }
}

fn unpack(name: &str, archive: File, target: &Path) -> Result<usize, Failure> {
    unpack_artifact(archive, target, Existing::Refuse).map_err(|error| {
        use actions::UnpackError::{Archive, Exists, Outside, Write};
        let (exit, hint) = match &error {
            Exists(_) => (Exit::Forbidden, Some("--dir names another folder")),
            Archive(_) | Outside(_) => (Exit::Refused, None),
            Write { .. } => (Exit::Missing, None),
        };
        let context = format!("artifact {name} was not unpacked");
        let failure = Failure::caused(exit, anyhow::Error::new(error).context(context));
        hint.into_iter().fold(failure, Failure::hint)
    })
}
