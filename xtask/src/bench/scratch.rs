//! The folder of a benchmark: repositories to run, states, files of a gigabyte. It goes away with the
//! value, also when a measurement fails.

use std::cell::Cell;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::bench::measure::{quiet, time};

/// A folder of our own.
pub(crate) struct Scratch {
    folder: PathBuf,
    count: Cell<u64>,
}

impl Scratch {
    /// Makes it anew below `folder`.
    pub(crate) fn create(folder: &Path) -> Result<Scratch> {
        let folder = folder.join(std::process::id().to_string());
        fs::create_dir_all(&folder)
            .with_context(|| format!("cannot make the folder {}", folder.display()))?;
        Ok(Scratch { folder, count: Cell::new(0) })
    }

    /// A path in it.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// A path in it that no call gave before; [`Scratch::remove`] removes all of the name.
    pub(crate) fn next(&self, name: &str) -> PathBuf {
        self.count.set(self.count.get() + 1);
        self.path(name).join(self.count.get().to_string())
    }

    /// Removes a file or a folder in it: a gigabyte is not kept longer than it is looked at.
    pub(crate) fn remove(&self, name: &str) -> Result<()> {
        let path = self.path(name);
        match fs::symlink_metadata(&path) {
            Err(_) => Ok(()),
            Ok(it) if it.is_dir() => Ok(fs::remove_dir_all(path)?),
            Ok(_) => Ok(fs::remove_file(path)?),
        }
    }

    /// A repository with one commit that holds these workflow files.
    pub(crate) fn repository(&self, name: &str, workflows: &[String]) -> Result<PathBuf> {
        let root = self.path(name);
        let folder = root.join(".github/workflows");
        fs::create_dir_all(&folder)?;
        for (at, text) in workflows.iter().enumerate() {
            fs::write(folder.join(format!("bench-{at}.yml")), text)?;
        }
        let person = ["-c", "user.name=bench", "-c", "user.email=bench@localhost"];
        for args in [
            &["init", "--quiet", "--initial-branch=main"][..],
            &["add", "--all"],
            &[&person[..], &["commit", "--quiet", "--message=bench"]].concat(),
        ] {
            time(quiet("git").args(args).current_dir(&root))?;
        }
        Ok(root)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Left over it is in the build's folder, which `cargo clean` empties.
        let _ = fs::remove_dir_all(&self.folder);
    }
}
