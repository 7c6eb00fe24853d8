//! What a runner is given of a job, besides what a worker gets.

use std::path::Path;
use std::sync::Arc;

use protocol::{JobSpec, RUN_ARTIFACTS_FILE, RunnerJob, Walls};

use crate::sources;

/// Longer lock files are none: one names a few hundred actions.
const LOCK_BYTES_MAX: u64 = 1 << 20;
/// Artifacts that a run lists, as lines.
const ARTIFACTS_BYTES_MAX: u64 = 16 << 20;

/// Puts a job together. What was laid into its folder on the server goes with it, and the folder goes.
pub(super) fn job(mut spec: JobSpec) -> Result<RunnerJob, String> {
    let folder = Path::new(&*spec.paths.job);
    let artifacts = read(&folder.join(RUN_ARTIFACTS_FILE), ARTIFACTS_BYTES_MAX)?;
    let lock = match &*spec.paths.lock_file {
        "" => None,
        path => read(Path::new(path), LOCK_BYTES_MAX)?,
    };
    let repository = Path::new(&*spec.paths.repository);
    let refs = sources::Refs::of(repository).map_err(|error| error.to_string())?;
    let github = spec.contexts.get("github");
    let word = |name: &str| github.and_then(|it| it[name].as_str()).unwrap_or_default();
    let commit: Arc<str> = match &spec.options.snapshot {
        Some(snapshot) => Arc::clone(snapshot),
        None => word("sha").into(),
    };
    // Only what is behind the last folder of that name: the rest of the path is the server's.
    let caches = spec.paths.caches.rsplit_once("/caches").map_or("", |(_, below)| below);
    let caches = caches.trim_start_matches('/').to_owned();
    let _ = std::fs::remove_dir_all(folder);
    // What is hidden on the server, and where, is nobody's business elsewhere.
    let walls = spec.options.walls;
    spec.options.walls = walls.map(|it| Walls { outside: it.outside, ..Walls::default() });
    // In which container it runs there is that machine's to say.
    spec.options.image = None;
    Ok(RunnerJob {
        repository: word("repository").into(),
        commit,
        refs: refs.digest().into(),
        lock,
        artifacts: artifacts.unwrap_or_default(),
        caches,
        spec,
    })
}

/// A file's text; none where there is no such file.
fn read(path: &Path, bytes_max: u64) -> Result<Option<String>, String> {
    use std::io::Read as _;
    let failed = |error: std::io::Error| format!("cannot read {}: {error}", path.display());
    let file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let mut text = String::new();
    let read = file.take(bytes_max + 1).read_to_string(&mut text).map_err(failed)?;
    if read as u64 > bytes_max {
        return Err(format!("{} is too long", path.display()));
    }
    Ok(Some(text))
}
