//! A commit of the work tree as it stands, made beside the user's repository.
//!
//! git itself decides what belongs to it (`git add -A` in a private index, so that ignored files
//! stay out and unchanged ones are not read again); every new object goes into the workspace's
//! store. The same tree on the same HEAD gives the same commit, in every job of a run.

use std::fs::{self, File};
use std::path::Path;

use super::Request;
use super::own::Source;
use crate::git::Git;
use crate::native::step::{Failure, Step, failed_at};

/// What the work tree is.
pub(super) enum Snapshot {
    /// As committed.
    Clean,
    /// Something else.
    Changed {
        /// The commit made of it; its parent is HEAD.
        commit: String,
        /// How many files differ.
        changes: usize,
    },
}

/// Looks at the work tree, and commits it where it differs from HEAD.
pub(super) fn take(step: &Step, source: &Source, request: &Request) -> Result<Snapshot, Failure> {
    let index = request.folder.join(".git/launchway-index");
    copy_index(&source.index, &index)?;
    let snapshot = look(step, source, request, &index);
    drop(fs::remove_file(&index));
    snapshot
}

fn look(
    step: &Step,
    source: &Source,
    request: &Request,
    index: &Path,
) -> Result<Snapshot, Failure> {
    let objects = request.folder.join(".git/objects");
    // The job has a home of its own; what git ignores is said in the user's.
    let home = step.variable("LAUNCHWAY_HOME");
    let git = |name: &str| {
        let storage = format!("lfs.storage={}", request.folder.join(".git/lfs").display());
        let settings =
            ["core.splitIndex=false".to_owned(), "core.untrackedCache=false".to_owned(), storage];
        let mut git = Git::configured(&source.folder, name, &settings)
            .env("GIT_DIR", &source.git_dir)
            .env("GIT_WORK_TREE", &source.folder)
            .env("GIT_INDEX_FILE", index)
            .env("GIT_OBJECT_DIRECTORY", &objects)
            .env("GIT_ALTERNATE_OBJECT_DIRECTORIES", &source.objects);
        if let Some(home) = &home {
            git = git.env("HOME", home);
        }
        git
    };
    let mut add = git("add").args(["--all", "--", ":/"]);
    if let Ok(inside) = request.folder.strip_prefix(&source.folder) {
        // The workspace lies inside the work tree it is made from.
        add = add.arg(format!(":(exclude,top,literal){}", inside.display()));
    }
    add.run()?;
    let tree = git("write-tree").text()?;
    let head = git("log").args(["-1", "--format=%T %cI", "HEAD"]).text()?;
    let (head_tree, date) = head.split_once(' ').unwrap_or((&head, ""));
    if tree == head_tree {
        return Ok(Snapshot::Clean);
    }
    let names = git("diff-index").args(["--cached", "--name-only", "-z", "HEAD"]).bytes()?;
    let changes = names.iter().filter(|byte| **byte == 0).count();
    let mut commit = git("commit-tree").args([
        tree.as_str(),
        "-p",
        "HEAD",
        "-m",
        "Work tree with uncommitted changes",
    ]);
    for who in ["AUTHOR", "COMMITTER"] {
        commit = commit
            .env(&format!("GIT_{who}_NAME"), "Launchway")
            .env(&format!("GIT_{who}_EMAIL"), "launchway@localhost")
            .env(&format!("GIT_{who}_DATE"), date);
    }
    Ok(Snapshot::Changed { commit: commit.text()?, changes })
}

/// Copies the user's index with its time: git reads a file again when it is as young as the index,
/// and a younger copy would hide a change made in that same second.
fn copy_index(from: &Path, to: &Path) -> Result<(), Failure> {
    let Ok(found) = fs::metadata(from) else { return Ok(()) };
    fs::copy(from, to).map_err(failed_at("copied", from))?;
    let modified = found.modified().map_err(failed_at("read", from))?;
    File::options()
        .write(true)
        .open(to)
        .and_then(|file| file.set_modified(modified))
        .map_err(failed_at("written", to))
}
