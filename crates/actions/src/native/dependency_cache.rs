//! The `cache` input of setup actions: a package manager's download folder, by its lock files.

use std::path::PathBuf;

use super::caching::{Caches, Saved, hash_files};
use super::glob::{Patterns, Search};
use super::step::{Failure, Step};

/// What is cached, and under which name.
pub(super) struct DependencyCache {
    /// Folders, as patterns.
    pub(super) folders: Vec<String>,
    /// The key up to the digest of the lock files.
    pub(super) prefix: String,
    /// Whether an older entry serves where there is none for these lock files.
    pub(super) older_serves: bool,
}

/// The lock files that patterns name, in the workspace.
pub(super) fn lock_files(step: &Step, patterns: &[String]) -> Result<Vec<PathBuf>, Failure> {
    let workspace = step.folder("GITHUB_WORKSPACE")?;
    let patterns = Patterns::read(patterns, &workspace, &step.folder("HOME")?)?;
    patterns.find(Search { descend: false, skip_hidden: false })
}

impl DependencyCache {
    /// Restores, and remembers for `post` what to save.
    pub(super) fn restore(&self, step: &mut Step, files: &[PathBuf]) -> Result<(), Failure> {
        let key = format!("{}-{}", self.prefix, hash_files(files)?);
        let restore_keys =
            if self.older_serves { vec![format!("{}-", self.prefix)] } else { Vec::new() };
        step.save_state("cache-primary-key", &key);
        step.save_state("cache-paths", &self.folders.join("\n"));
        step.output("cache-primary-key", &key);
        let caches = Caches::open(step)?;
        let Some(entry) = caches.find(&self.folders, &key, &restore_keys)? else {
            step.output("cache-hit", "false");
            step.info(&format!("cache is not found (key {key})"));
            return Ok(());
        };
        if let Err(failure) = caches.restore(&entry) {
            step.warning(&format!("Failed to restore: {}", failure.message));
            caches.discard_spoiled(entry);
            step.output("cache-hit", "false");
            return Ok(());
        }
        step.save_state("cache-matched-key", &entry.key);
        step.output("cache-matched-key", &entry.key);
        step.output("cache-hit", if entry.key == key { "true" } else { "false" });
        step.info(&format!("Cache restored from key: {}", entry.key));
        Ok(())
    }
}

/// The `post` stage.
pub(super) fn save(step: &mut Step) -> Result<(), Failure> {
    let (Some(key), Some(paths)) = (step.state("cache-primary-key"), step.state("cache-paths"))
    else {
        return Ok(());
    };
    if step.state("cache-matched-key").as_deref() == Some(&key) {
        step.info(&format!("Cache hit occurred on the primary key {key}, not saving cache."));
        return Ok(());
    }
    let paths = paths.lines().map(str::to_owned).collect::<Vec<_>>();
    match Caches::open(step)?.save(&paths, &key) {
        Ok(Saved::Stored { size_bytes }) => {
            step.info(&format!("Cache saved with the key: {key} ({size_bytes} bytes)"));
        }
        Ok(Saved::Exists) => step.info(&format!("there is a cache with the key {key} already")),
        Ok(Saved::Nothing) => step.info("nothing was downloaded, so there is nothing to cache"),
        Err(failure) => step.warning(&failure.message),
    }
    Ok(())
}
