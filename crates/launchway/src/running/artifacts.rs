//! The artifacts that a run has so far, written down for each job that starts: `download-artifact`
//! takes them by name.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use event::{Attempt, RunEvent, RunId, StreamId};
use protocol::RUN_ARTIFACTS_FILE;
use serde_json::json;
use store::Store;

/// Artifacts by run and name, each as the line that jobs read.
pub(crate) struct RunArtifacts {
    store: Arc<Store>,
    lines: BTreeMap<RunId, BTreeMap<String, String>>,
}

/// Which attempt uploaded an artifact.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Since {
    ThisAttempt,
    Earlier,
}

impl RunArtifacts {
    /// Knows of none yet.
    pub(crate) fn new(store: Arc<Store>) -> RunArtifacts {
        RunArtifacts { store, lines: BTreeMap::new() }
    }

    /// Takes note of an event. The newest of a name wins; those of earlier attempts belong to the
    /// run as well.
    pub(crate) fn take(&mut self, stream: StreamId, event: &RunEvent) {
        let (run, attempt) = stream.as_run().expect("the stream of a run");
        match event {
            RunEvent::RunCreated(_) => {
                for earlier in 1..attempt.0 {
                    self.take_earlier(run, Attempt(earlier));
                }
            }
            RunEvent::ArtifactUploaded { .. } => self.keep(run, event, Since::ThisAttempt),
            RunEvent::RunCompleted { .. } => {
                self.lines.remove(&run);
            }
            _ => {}
        }
    }

    /// An attempt that was pruned or cannot be read has no artifacts to offer.
    fn take_earlier(&mut self, run: RunId, attempt: Attempt) {
        let stream = StreamId::Run(run, attempt);
        for event in crate::journal::events(&self.store, stream).unwrap_or_default() {
            self.keep(run, &event, Since::Earlier);
        }
    }

    fn keep(&mut self, run: RunId, event: &RunEvent, since: Since) {
        let RunEvent::ArtifactUploaded { name, blob, size_bytes, expires_at, .. } = event else {
            return;
        };
        let mut line = json!({
            "name": name, "blob": blob, "size_bytes": size_bytes, "expires_at": expires_at,
        });
        if since == Since::Earlier {
            line["earlier"] = true.into();
        }
        self.lines.entry(run).or_default().insert(name.to_string(), line.to_string());
    }

    /// Writes the list into the job's folder, which is made.
    pub(crate) fn list(&self, run: RunId, job: &Path) -> anyhow::Result<()> {
        let lines = self.lines.get(&run).into_iter().flat_map(BTreeMap::values);
        let text: String = lines.map(|line| format!("{line}\n")).collect();
        let path = job.join(RUN_ARTIFACTS_FILE);
        std::fs::create_dir_all(job)
            .and_then(|()| std::fs::write(&path, text))
            .with_context(|| format!("cannot write {}", path.display()))
    }
}
