//! What a job needs before its worker starts: the commits of its repository, the artifacts of its run,
//! the folders of this machine in place of the server's.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::Receiver;

use event::BlobId;
use protocol::{
    FromRunner, HeldLease, JobPaths, JobSpec, MachineLimits, Piece, RUN_ARTIFACTS_FILE, RunnerJob,
    Walls,
};
use serde_json::Value as Json;
use store::{Blobs, Durability};

use super::folder::JobFolders;
use crate::connection::Outgoing;
use crate::sources::{Coming, Mirrors, SourcesError};

/// Actions of GitHub's that read no artifact: a job of such steps alone fetches none.
const WITHOUT_ARTIFACTS: &[&str] =
    &["actions/checkout", "actions/upload-artifact", "actions/cache", "actions/setup-"];

/// What comes for a job that is prepared.
#[derive(Debug)]
pub(super) enum Fetched {
    Commits(Coming),
    Blob(BlobId, Piece, Vec<u8>),
    Missing(String),
}

/// A job that is being prepared.
pub(super) struct Preparing {
    pub(super) lease: HeldLease,
    pub(super) folder: JobFolders,
    pub(super) mirrors: Arc<Mirrors>,
    /// The server's address, as this machine reaches it.
    pub(super) server: String,
    /// What keeps a job in here.
    pub(super) walls: Walls,
    /// What a job may take here.
    pub(super) limits: MachineLimits,
    /// Labels whose jobs run in a container of this image here.
    pub(super) images: BTreeMap<String, String>,
    pub(super) outgoing: Outgoing,
    pub(super) inbox: Receiver<Fetched>,
}

/// Why it is not ready.
enum Failed {
    /// The connection was cut: it is tried again with the next.
    Cut,
    For(String),
}

impl Preparing {
    /// The job as its worker gets it, or why it cannot be run here; none when the connection was cut.
    pub(super) fn run(self, job: RunnerJob) -> Option<Result<Box<JobSpec>, String>> {
        match self.prepare(job) {
            Ok(spec) => Some(Ok(Box::new(spec))),
            Err(Failed::For(reason)) => Some(Err(reason)),
            Err(Failed::Cut) => None,
        }
    }

    fn prepare(&self, job: RunnerJob) -> Result<JobSpec, Failed> {
        let failed = |error: &dyn std::fmt::Display| {
            Failed::For(format!("the runner could not prepare it: {error}"))
        };
        let repository = self.commits(&job)?;
        let folder = &self.folder;
        for path in [&folder.job, &folder.blobs, &folder.actions, &folder.caches, &folder.tools] {
            fs::create_dir_all(path).map_err(|it| failed(&it))?;
        }
        fs::write(folder.job.join(RUN_ARTIFACTS_FILE), &job.artifacts).map_err(|it| failed(&it))?;
        let text = |path: &Path| Arc::<str>::from(path.to_string_lossy());
        let lock_file = match &job.lock {
            Some(lock) => {
                fs::write(&folder.lock_file, lock).map_err(|it| failed(&it))?;
                text(&folder.lock_file)
            }
            None => "".into(),
        };
        if reads_artifacts(&job.spec.definition) {
            self.artifacts(&job.artifacts)?;
        }
        let mut spec = job.spec;
        spec.paths = JobPaths {
            repository: text(&repository),
            job: text(&folder.job),
            log: text(&folder.log),
            blobs: text(&folder.blobs),
            actions: text(&folder.actions),
            caches: text(&folder.caches),
            tools: text(&folder.tools),
            downloads: text(&folder.downloads),
            lock_file,
        };
        // Whether it is kept in is the server's to say, from what this machine's.
        spec.options.walls =
            spec.options.walls.map(|it| Walls { outside: it.outside, ..self.walls.clone() });
        let image =
            |label: &Arc<str>| self.images.get(&label.to_lowercase()).map(|it| (&**it).into());
        spec.options.image = spec.labels.iter().find_map(image);
        // What the server's machine lets a job take is not asked here.
        spec.options.limits = self.limits.of(spec.labels.iter().map(|it| &**it));
        // Every commit is in the one repository.
        spec.options.objects = None;
        let github = spec.options.github.as_mut().and_then(|it| it.token.as_mut());
        for door in spec.options.id_token.iter_mut().chain(github) {
            door.url = reached(&self.server, &door.url).into();
        }
        Ok(spec)
    }

    fn commits(&self, job: &RunnerJob) -> Result<PathBuf, Failed> {
        let mut ask = |tips| {
            let lease = self.lease.clone();
            // That nobody hears it shows when nothing comes.
            let _ = self.outgoing.send(&FromRunner::Sources { lease, tips }, b"");
        };
        let mut coming = || loop {
            match self.inbox.recv().ok()? {
                Fetched::Commits(coming) => return Some(coming),
                Fetched::Missing(reason) => return Some(Coming::Missing(reason)),
                Fetched::Blob(..) => {}
            }
        };
        self.mirrors.have(job, &mut ask, &mut coming).map_err(|error| match error {
            SourcesError::Cut => Failed::Cut,
            error => Failed::For(format!("the runner could not fetch its commits: {error}")),
        })
    }

    fn artifacts(&self, listed: &str) -> Result<(), Failed> {
        let failed = |error: &dyn std::fmt::Display| {
            Failed::For(format!("the runner could not fetch the run's artifacts: {error}"))
        };
        let blobs = Blobs::open(&self.folder.blobs, Durability::ProcessDeath);
        let blobs = blobs.map_err(|it| failed(&it))?;
        for wanted in blobs_in(listed) {
            let message = FromRunner::Want { lease: self.lease.clone(), blob: wanted.clone() };
            self.outgoing.send(&message, b"").map_err(|_| Failed::Cut)?;
            let path = self.folder.blobs.with_extension("coming");
            let mut file = File::create(&path).map_err(|it| failed(&it))?;
            loop {
                match self.inbox.recv().map_err(|_| Failed::Cut)? {
                    Fetched::Blob(blob, piece, bytes) if blob == wanted => {
                        file.write_all(&bytes).map_err(|it| failed(&it))?;
                        if piece.offset + bytes.len() as u64 >= piece.size {
                            break;
                        }
                    }
                    Fetched::Missing(reason) => return Err(failed(&reason)),
                    Fetched::Blob(..) | Fetched::Commits(_) => {}
                }
            }
            let kept = blobs.adopt(&path).map_err(|it| failed(&it))?;
            let _ = fs::remove_file(&path);
            if kept.0 != wanted {
                return Err(failed(&"an artifact is not what its name says"));
            }
        }
        Ok(())
    }
}

/// Whether a job may read artifacts: by its steps, as far as they tell.
fn reads_artifacts(definition: &Json) -> bool {
    let steps = definition["steps"].as_array().into_iter().flatten();
    let mut used = steps.filter_map(|step| step["uses"].as_str());
    used.any(|uses| !WITHOUT_ARTIFACTS.iter().any(|known| uses.starts_with(known)))
}

/// The blobs of a run's artifacts, as its list has them.
fn blobs_in(listed: &str) -> BTreeSet<BlobId> {
    let blob = |line: &str| {
        let line: Json = serde_json::from_str(line).ok()?;
        serde_json::from_value(line["blob"].clone()).ok()
    };
    listed.lines().filter_map(blob).collect()
}

/// An address of the server, as this machine reaches it.
fn reached(server: &str, url: &str) -> String {
    let path = url.split_once("://").and_then(|(_, rest)| rest.split_once('/'));
    let path = path.map_or("", |(_, path)| path);
    format!("{}/{path}", server.trim_end_matches('/'))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn artifacts_come_only_where_a_step_may_read_them() {
        for (steps, expect) in [
            (json!([{ "run": "make" }]), false),
            (
                json!([{ "uses": "actions/checkout@v4" }, { "uses": "actions/setup-node@v4" }]),
                false,
            ),
            (json!([{ "uses": "actions/upload-artifact@v4" }]), false),
            (json!([{ "uses": "actions/download-artifact@v4" }]), true),
            (json!([{ "run": "make" }, { "uses": "./.github/actions/own" }]), true),
        ] {
            assert_eq!(reads_artifacts(&json!({ "steps": steps })), expect, "{steps}");
        }
    }

    #[test]
    fn the_servers_addresses_are_reached_as_the_runner_reaches_it() {
        let url = "http://127.0.0.1:7878/oidc/token?api-version=2.0";
        assert_eq!(
            reached("https://ci.example.com/", url),
            "https://ci.example.com/oidc/token?api-version=2.0"
        );
    }
}
