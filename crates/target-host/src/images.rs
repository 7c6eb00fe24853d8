//! Images of releases: brought by their digest, and taken away when nobody goes back to them.
//!
//! Bringing one takes minutes, and whoever asks may be killed or ask again. A thread brings it and
//! holds the image's lock; everybody else looks: the image is here, or somebody brings it, or it
//! stands in a file why it could not be brought. What we brought ourselves is written down: that
//! alone is ever taken away.

use std::fs;
use std::io::{self, Seek as _, Write as _};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use event::{Cause, CauseCode, DeploymentId, EvidenceKind, ServiceRequest};
use mask::{MaskedText, Secret};
use serde::{Deserialize, Serialize};

use crate::containers::Image;
use crate::folder::{self, Folder, Lock, try_lock};
use docker::{Engine, EngineError};

/// Who knows registries: how they are signed in to, and what they have.
pub trait Registries: Send {
    /// What an engine needs to pull: the value of its header `X-Registry-Auth`; none where nothing
    /// is signed in to.
    ///
    /// # Errors
    /// When whoever keeps the sign-in does not give it.
    fn sign_in(
        &mut self,
        service: &ServiceRequest,
        location: &str,
    ) -> Result<Option<Secret>, Cause>;

    /// Whether there is an image of this digest.
    ///
    /// # Errors
    /// When the registry does not say.
    fn has(
        &mut self,
        service: &ServiceRequest,
        location: &str,
        digest: &str,
    ) -> Result<bool, Cause>;
}

/// Somebody who knows none: what is here, is here.
pub(crate) struct NoRegistries;

impl Registries for NoRegistries {
    fn sign_in(&mut self, _: &ServiceRequest, _: &str) -> Result<Option<Secret>, Cause> {
        Ok(None)
    }

    fn has(&mut self, _: &ServiceRequest, _: &str, _: &str) -> Result<bool, Cause> {
        Ok(false)
    }
}

/// How far an image is.
pub(crate) enum Brought {
    Here,
    /// What is seen.
    Underway(String),
    Failed(Cause),
    /// Trying again may help.
    Unreachable(Cause),
}

/// What is written down of an image that we brought.
#[derive(Debug, Serialize, Deserialize)]
struct Note {
    location: String,
    digest: String,
    socket: PathBuf,
}

/// Why one could not be brought.
#[derive(Debug, Serialize, Deserialize)]
struct Refused {
    deployment: DeploymentId,
    cause: Cause,
    passing: bool,
}

fn note_of(folder: &Folder, image: &Image) -> PathBuf {
    folder.images().join(format!("{}.json", image.hex()))
}

fn lock_of(folder: &Folder, image: &Image) -> PathBuf {
    folder.images().join(format!("{}.lock", image.hex()))
}

fn refused_of(folder: &Folder, image: &Image) -> PathBuf {
    folder.images().join(format!("{}.refused.json", image.hex()))
}

/// An engine's word as a cause, with what helps.
pub(crate) fn cause(error: &EngineError) -> Cause {
    let (code, what) = match error {
        EngineError::Unanswered { .. } => (
            CauseCode::Unavailable,
            format!("{error}; start it, or say with DOCKER_HOST=unix:///PATH where it is"),
        ),
        EngineError::Closed(_) => (
            CauseCode::Unavailable,
            format!("{error}: add the user to the group `docker`, or deploy as root"),
        ),
        EngineError::Said { .. } | EngineError::Stopped => {
            (CauseCode::TargetRefused, error.to_string())
        }
    };
    Cause::new(code, MaskedText::without_secrets(what))
}

/// Why containers cannot be run on this machine; none where they can.
pub fn docker_problem() -> Option<String> {
    let looked = Engine::of(None).map(|engine| engine.look());
    match looked {
        Ok(Ok(())) => None,
        Ok(Err(error)) => Some(error.to_string()),
        Err(problem) => Some(problem),
    }
}

/// Looks whether an image is here, and sees to it that somebody brings it.
pub(crate) fn bring(
    folder: &Folder,
    image: &Image,
    deployment: DeploymentId,
    sign_in: impl FnOnce() -> Result<Option<Secret>, Cause>,
) -> io::Result<Brought> {
    match image.engine.has_image(&image.reference()) {
        Ok(true) => return Ok(Brought::Here),
        Ok(false) => {}
        Err(error) if error.is_passing() => return Ok(Brought::Unreachable(cause(&error))),
        Err(error) => return Ok(Brought::Failed(cause(&error))),
    }
    let path = lock_of(folder, image);
    let Some(mut lock) = try_lock(&path)? else {
        let told = fs::read_to_string(&path).unwrap_or_default();
        let told = if told.is_empty() { String::new() } else { format!(": {told}") };
        return Ok(Brought::Underway(format!("the image is brought{told}")));
    };
    // Whoever held it may have ended since we looked.
    if image.engine.has_image(&image.reference()).unwrap_or(false) {
        return Ok(Brought::Here);
    }
    let refused = refused_of(folder, image);
    match folder::read::<Refused>(&refused)? {
        Some(it) if it.deployment == deployment && !it.passing => {
            return Ok(Brought::Failed(it.cause));
        }
        Some(it) if it.deployment == deployment => {
            fs::remove_file(&refused)?;
            return Ok(Brought::Unreachable(it.cause));
        }
        Some(_) => fs::remove_file(&refused)?,
        None => {}
    }
    let sign_in = match sign_in() {
        Ok(sign_in) => sign_in,
        Err(cause) if cause.code == CauseCode::Unavailable => {
            return Ok(Brought::Unreachable(cause));
        }
        Err(cause) => return Ok(Brought::Failed(cause)),
    };
    let (image, note) = (image.clone(), note_of(folder, image));
    std::thread::spawn(move || {
        if let Err(error) = pull(&image, sign_in.as_ref(), &mut lock, &note) {
            let told = Refused {
                deployment,
                passing: is_passing(&error),
                cause: not_brought(&image, &error),
            };
            // Where the disk refuses, the next one who asks tries it himself.
            let _ = folder::replace(&refused, &told);
        }
        let _ = lock.0.set_len(0);
    });
    Ok(Brought::Underway("the image is brought".to_owned()))
}

fn pull(
    image: &Image,
    sign_in: Option<&Secret>,
    lock: &mut Lock,
    note: &std::path::Path,
) -> Result<(), EngineError> {
    let mut last = String::new();
    let mut tell = |told: &str| {
        if told != last {
            told.clone_into(&mut last);
            // For whoever looks meanwhile; half a line does no harm.
            let _ = lock.0.rewind().and_then(|()| lock.0.write_all(told.as_bytes()));
            let _ = lock.0.set_len(told.len() as u64);
        }
    };
    // Before the deed: an image that nobody knows to be ours would stay for ever. Where it was ours
    // to bring, it was not here.
    let is_ours = Note {
        location: image.location.clone(),
        digest: image.digest.clone(),
        socket: image.engine.socket().to_owned(),
    };
    let _ = folder::replace(note, &is_ours);
    let of = (image.location.as_str(), image.digest.as_str());
    image.engine.pull(of, sign_in.map(Secret::expose), &mut tell)?;
    if image.engine.has_image(&image.reference())? {
        return Ok(());
    }
    let message = "the pull ended, and the image is not here".to_owned();
    Err(EngineError::Said { status: 404, message })
}

/// A registry that does not answer, as an engine tells of it, may answer the next time.
fn is_passing(error: &EngineError) -> bool {
    let EngineError::Said { message, .. } = error else { return error.is_passing() };
    let passing = ["timeout", "connection refused", "no such host", "TLS handshake", "EOF"];
    passing.iter().any(|it| message.contains(it)) && !is_denied(message)
}

fn is_denied(message: &str) -> bool {
    let denied = ["denied", "unauthorized", "authentication required", "no basic auth"];
    denied.iter().any(|it| message.contains(it))
}

/// Why an image could not be brought, and what helps.
fn not_brought(image: &Image, error: &EngineError) -> Cause {
    let reference = image.reference();
    let host = image.location.split('/').next().unwrap_or_default();
    let EngineError::Said { message, .. } = error else { return cause(error) };
    let (code, what) = if is_denied(message) {
        let what = format!(
            "{host} lets nobody pull {reference} by what docker is signed in with here: docker \
             login {host}"
        );
        (CauseCode::TargetRefused, what)
    } else if message.contains("not found") || message.contains("manifest unknown") {
        (CauseCode::TargetRefused, format!("there is no image {reference} any more"))
    } else if message.contains("no space left") {
        (CauseCode::TargetRefused, format!("there is no room for the image {reference}"))
    } else if is_passing(error) {
        (CauseCode::Unavailable, format!("{host} does not answer docker"))
    } else {
        (CauseCode::TargetRefused, format!("docker could not pull {reference}"))
    };
    Cause::new(code, MaskedText::without_secrets(what))
        .with_evidence(EvidenceKind::Platform, MaskedText::without_secrets(message.as_str()))
}

/// Takes away what we brought, nobody goes back to, and lies here longer than `age`.
pub(crate) fn prune(
    folder: &Folder,
    is_used: impl Fn(&str) -> bool,
    age: Duration,
) -> io::Result<()> {
    for entry in fs::read_dir(folder.images())?.flatten() {
        let Ok(Some(note)) = folder::read::<Note>(&entry.path()) else { continue };
        let changed = entry.metadata().and_then(|it| it.modified()).unwrap_or(SystemTime::now());
        if is_used(&note.digest) || changed.elapsed().is_ok_and(|it| it < age) {
            continue;
        }
        let Ok(engine) = Engine::of(Some(&note.socket)) else { continue };
        // A container of somebody else's may need it, and an engine may be away: the next time.
        let reference = format!("{}@{}", note.location, note.digest);
        if engine.remove_image(&reference).is_ok_and(|is_gone| is_gone) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}
