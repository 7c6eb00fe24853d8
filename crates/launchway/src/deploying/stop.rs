//! That somebody wants a deployment to end which another process drives: a file of its inbox says who and why, and
//! whoever drives that deployment hears it there, wherever they are with it. No signal is sent: a process that has an
//! environment may drive another deployment to it just now, or none. Whoever is killed before the wish is written
//! down leaves it to whoever goes on with the deployment.

use std::io::{Read as _, Write as _};
use std::path::PathBuf;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use deployment::Input;
use driver::{DeploymentInput, Place};
use event::{Actor, DeploymentId};
use mask::MaskedText;
use serde::{Deserialize, Serialize};
use views::DeploymentView;

use super::book::Book;
use super::inbox::{Inbox, Watched};
use crate::exit::{Exit, Failure};
use crate::state::StateFolder;
use crate::terminal::style::talk;

/// What the file is called; what others hand in is named by its digest.
const FILE: &str = "stop";
/// What it is called once it was told to whoever drives the deployment. Not `.told`, which approvals are given
/// back by.
const TOLD: &str = "stop-told";
/// A name and a reason are a few hundred bytes.
const FILE_BYTES_MAX: u64 = 64 << 10;
/// How long whoever drives a deployment has to write down that somebody wants it to end, until it is said that they
/// will: a step that does not come back keeps them.
pub(crate) const HEARD_WITHIN: Duration = Duration::from_secs(5);
/// How soon the journal is looked at for it.
pub(crate) const LOOK: Duration = Duration::from_millis(50);

/// Who wants it to end, and why.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Stop {
    pub(crate) by: Actor,
    pub(crate) reason: Option<MaskedText>,
}

/// Where such a wish lies for one deployment.
#[derive(Clone, Debug)]
pub(crate) struct Stops {
    folder: PathBuf,
}

/// What became of a wish.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    /// It is written down, or lies there for whoever is busy now.
    Kept,
    /// It came too late: why.
    TooLate(String),
    /// Nobody drives the deployment any more, and nothing lies there.
    Undriven,
}

impl Stop {
    /// What the machine is told.
    pub(crate) fn input(self) -> Input {
        Input::Cancel { by: self.by, reason: self.reason }
    }
}

/// Has whoever drives a deployment told, and waits a moment until they wrote it down.
pub(crate) fn tell(
    (book, state): (&Book, &StateFolder),
    view: &DeploymentView,
    stop: &Stop,
) -> Result<Wish, Failure> {
    let (stops, until) = (Stops::of(state, view.id), Instant::now() + HEARD_WITHIN);
    let mut is_ours = false;
    loop {
        let now = book.view(view.id)?;
        let now = now.ok_or_else(|| Failure::new(Exit::Fault, "the deployment is gone"))?;
        let verdict = now.ended.as_ref().map(|end| end.verdict.to_string());
        let is_wanted = now.cancelled_by.is_some();
        if let Some(wish) = known(now.id, is_wanted, now.turned.is_some(), verdict.as_deref()) {
            if now.ended.is_some() {
                Inbox::of(state, now.id).close();
            }
            return Ok(wish);
        }
        let (project, environment) = (&now.request.project, &now.request.environment);
        let holder = Place::holder(&state.places(), project, environment);
        if holder.map_err(|error| Failure::caused(Exit::Missing, error))?.is_none() {
            if is_ours {
                stops.forget();
            }
            return Ok(Wish::Undriven);
        }
        if !is_ours {
            is_ours = stops.put(stop)?;
        }
        if Instant::now() > until {
            return Ok(Wish::Kept);
        }
        std::thread::sleep(LOOK);
    }
}

/// What the journal says of whoever wants it to end now; none where it can still be wanted.
fn known(
    id: DeploymentId,
    is_wanted: bool,
    is_going_back: bool,
    verdict: Option<&str>,
) -> Option<Wish> {
    match verdict {
        _ if is_wanted => Some(Wish::Kept),
        Some(verdict) => Some(Wish::TooLate(format!("deployment {id} is over: {verdict}"))),
        None if is_going_back => {
            Some(Wish::TooLate(format!("deployment {id} is going back already")))
        }
        None => None,
    }
}

impl Stops {
    pub(crate) fn of(state: &StateFolder, id: DeploymentId) -> Stops {
        Stops { folder: state.approvals().join(id.to_string()) }
    }

    /// Puts it down, whole or not at all. Whether it did: the first one counts, and stays.
    fn put(&self, stop: &Stop) -> Result<bool, Failure> {
        if [FILE, TOLD].iter().any(|name| self.folder.join(name).exists()) {
            return Ok(false);
        }
        let path = self.folder.join(FILE);
        let text = serde_json::to_vec(stop).expect("it is plain data");
        let put = || -> std::io::Result<()> {
            std::fs::create_dir_all(&self.folder)?;
            let mut file = tempfile::NamedTempFile::new_in(&self.folder)?;
            file.write_all(&text)?;
            file.as_file().sync_all()?;
            file.persist(&path)?;
            Ok(())
        };
        let put = put();
        // Taken away meanwhile: the deployment is over, which the journal says by now.
        let is_gone = |error: &std::io::Error| match error.kind() {
            std::io::ErrorKind::NotFound => true,
            // So it is said of a folder that is taken away while it is made.
            std::io::ErrorKind::AlreadyExists => !self.folder.is_file(),
            _ => false,
        };
        if put.as_ref().is_err_and(is_gone) {
            return Ok(false);
        }
        put.map(|()| true).map_err(|error| {
            let context = format!("cannot write {}", path.display());
            Failure::caused(Exit::Missing, anyhow::Error::new(error).context(context))
        })
    }

    /// Nobody is to hear it.
    fn forget(&self) {
        for name in [FILE, TOLD] {
            // Whoever drives it may have been faster.
            let _ = std::fs::remove_file(self.folder.join(name));
        }
    }

    /// Tells whoever drives the deployment what lies there, and what is put down until it is over.
    pub(crate) fn listen(self, sender: Sender<DeploymentInput>) {
        // Told to a process that died before it was written down. What is told twice is no news to the machine.
        let _ = std::fs::rename(self.folder.join(TOLD), self.folder.join(FILE));
        let watched = match Watched::begin(&self.folder) {
            Ok(watched) => watched,
            Err(error) => {
                let folder = self.folder.display();
                talk(&format!("deployments cancel is not heard: cannot watch {folder}: {error}"));
                return;
            }
        };
        std::thread::spawn(move || {
            loop {
                if let Some(stop) = self.look() {
                    talk(&format!("stopping: {} wants it", stop.by.name));
                    if sender.send(DeploymentInput::Told(stop.input())).is_err() {
                        // It lies there for whoever goes on with it.
                        return;
                    }
                    let _ = std::fs::rename(self.folder.join(FILE), self.folder.join(TOLD));
                }
                if !watched.wait() {
                    return;
                }
            }
        });
    }

    /// What somebody wants. What does not read is nobody's wish, and taken away.
    fn look(&self) -> Option<Stop> {
        let path = self.folder.join(FILE);
        let file = match std::fs::File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return None,
            Err(error) => {
                talk(&format!("deployments cancel is not heard: {}: {error}", path.display()));
                return None;
            }
        };
        let mut text = Vec::new();
        let read = file.take(FILE_BYTES_MAX).read_to_end(&mut text);
        let stop = read.ok().and_then(|_| serde_json::from_slice(&text).ok());
        if stop.is_none() {
            let _ = std::fs::remove_file(&path);
        }
        stop
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, channel};

    use super::*;

    fn heard(inputs: &Receiver<DeploymentInput>) -> String {
        match inputs.recv().expect("it is told") {
            DeploymentInput::Told(Input::Cancel { by, reason }) => {
                let source = by.source.as_deref().unwrap_or("here");
                format!("{} ({}, {source}): {}", by.name, by.proof, reason.expect("a reason"))
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_somebody_wants_is_heard_by_whoever_drives_that_deployment() {
        let folder = tempfile::tempdir().expect("a folder");
        let stops = |id: &str| Stops { folder: folder.path().join(id) };
        let stop = |name: &str| Stop {
            by: Actor {
                name: MaskedText::without_secrets(name),
                proof: "token".into(),
                source: Some("api".into()),
                address: None,
            },
            reason: Some(MaskedText::without_secrets("wrong version")),
        };
        // While it is driven, and before: another deployment of the same process hears nothing.
        let ((sixth, of_6), (seventh, of_7)) = (channel(), channel());
        stops("6").listen(sixth);
        assert!(stops("7").put(&stop("lena")).expect("it is written"));
        assert!(!stops("7").put(&stop("mona")).expect("one lies there"), "the first one counts");
        stops("7").listen(seventh);
        assert_eq!(heard(&of_7), "lena (token, api): wrong version");
        assert!(stops("6").put(&stop("mona")).expect("it is written"));
        assert_eq!(heard(&of_6), "mona (token, api): wrong version");
        assert!(of_7.try_recv().is_err());
        // Who died before it was written down leaves it to who goes on.
        assert!(stops("8").put(&stop("nora")).expect("it is written"));
        let file = |name| stops("8").folder.join(name);
        std::fs::rename(file(FILE), file(TOLD)).expect("it was told");
        assert!(!stops("8").put(&stop("mona")).expect("one lies there"), "it still counts");
        let (eighth, of_8) = channel();
        stops("8").listen(eighth);
        assert_eq!(heard(&of_8), "nora (token, api): wrong version");
        // Whom nobody listens to any more leaves it there.
        stops("9").listen(channel().0);
        assert!(stops("9").put(&stop("otto")).expect("it is written"));
        let (ninth, of_9) = channel();
        stops("9").listen(ninth);
        assert_eq!(heard(&of_9), "otto (token, api): wrong version");
    }

    #[test]
    fn what_comes_too_late_is_said() {
        let known = |is_wanted, is_going_back, verdict| match known(
            DeploymentId(7),
            is_wanted,
            is_going_back,
            verdict,
        ) {
            Some(Wish::TooLate(why)) => why,
            other => format!("{other:?}"),
        };
        assert_eq!(known(false, false, None), "None");
        assert_eq!(known(true, false, None), "Some(Kept)");
        assert_eq!(known(true, true, None), "Some(Kept)", "it goes back because of it");
        assert_eq!(known(true, true, Some("went back")), "Some(Kept)");
        assert_eq!(known(false, true, None), "deployment 7 is going back already");
        assert_eq!(known(false, true, Some("went back")), "deployment 7 is over: went back");
        assert_eq!(known(false, false, Some("done")), "deployment 7 is over: done");
    }

    #[test]
    fn what_does_not_read_is_nobodys_wish() {
        let folder = tempfile::tempdir().expect("a folder");
        let stops = Stops { folder: folder.path().to_owned() };
        for wrong in ["", "{", "[1]", "{\"by\":7}"] {
            std::fs::write(stops.folder.join(FILE), wrong).expect("a file of ours");
            assert!(stops.look().is_none(), "{wrong}");
            assert!(!stops.folder.join(FILE).exists(), "{wrong}");
        }
    }
}
