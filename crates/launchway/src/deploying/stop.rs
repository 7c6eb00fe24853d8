//! That somebody wants a deployment to end which another process drives: a file of its inbox says who and why, and a
//! signal has the process look there. The file is there first: whoever is killed before it hears leaves the wish to
//! whoever goes on with the deployment.

use std::io::{Read as _, Write as _};
use std::path::PathBuf;

use deployment::Input;
use event::{Actor, DeploymentId};
use mask::MaskedText;
use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};

use crate::exit::{Exit, Failure};
use crate::state::StateFolder;

/// What the file is called; what others hand in is named by its digest.
const FILE: &str = "stop";
/// A name and a reason are a few hundred bytes.
const FILE_BYTES_MAX: u64 = 64 << 10;

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

impl Stop {
    /// What the machine is told.
    pub(crate) fn input(self) -> Input {
        Input::Cancel { by: self.by, reason: self.reason }
    }
}

impl Stops {
    pub(crate) fn of(state: &StateFolder, id: DeploymentId) -> Stops {
        Stops { folder: state.approvals().join(id.to_string()) }
    }

    /// Tells the process that drives it.
    pub(crate) fn tell(&self, pid: u32, stop: &Stop) -> Result<(), Failure> {
        self.put(stop)?;
        let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
        if let Some(Ok(())) = pid.map(|pid| kill_process(pid, Signal::INT)) {
            return Ok(());
        }
        // Whoever is to hear it did not.
        let _ = self.take();
        Err(Failure::new(Exit::Forbidden, "the process that drives it cannot be told")
            .hint("it belongs to somebody else, or just ended"))
    }

    fn put(&self, stop: &Stop) -> Result<(), Failure> {
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
        put().map_err(|error| {
            let context = format!("cannot write {}", path.display());
            Failure::caused(Exit::Missing, anyhow::Error::new(error).context(context))
        })
    }

    /// What somebody wants, once.
    pub(crate) fn take(&self) -> Option<Stop> {
        let path = self.folder.join(FILE);
        let mut text = Vec::new();
        let file = std::fs::File::open(&path).ok()?;
        let read = file.take(FILE_BYTES_MAX).read_to_end(&mut text);
        // What cannot be taken away would be heard again; the machine knows that it was said.
        let _ = std::fs::remove_file(&path);
        read.ok()?;
        serde_json::from_slice(&text).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_somebody_wants_is_heard_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let stops = Stops { folder: folder.path().join("7") };
        let by = Actor {
            name: MaskedText::without_secrets("lena"),
            proof: "token".into(),
            source: Some("api".into()),
        };
        let stop = Stop { by, reason: Some(MaskedText::without_secrets("wrong version")) };
        assert!(stops.take().is_none(), "nobody wants anything");
        stops.put(&stop).expect("it is written");
        let Some(Input::Cancel { by, reason }) = stops.take().map(Stop::input) else {
            panic!("it lies there");
        };
        assert_eq!((by, reason), (stop.by.clone(), stop.reason.clone()));
        assert!(stops.take().is_none(), "it was heard");
        // Where nobody can be told, nobody hears it later.
        assert!(stops.tell(u32::MAX, &stop).is_err());
        assert!(stops.take().is_none());
        for wrong in ["", "{", "[1]", "{\"by\":7}"] {
            std::fs::write(stops.folder.join(FILE), wrong).expect("a file of ours");
            assert!(stops.take().is_none(), "{wrong}");
            assert!(!stops.folder.join(FILE).exists(), "{wrong}");
        }
    }
}
