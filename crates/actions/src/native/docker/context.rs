//! What is built from. Without a `context` that is the repository at the run's commit, not what
//! earlier steps left in the workspace.

use std::path::{Path, PathBuf};

use crate::git::Git;
use crate::native::step::{Failure, Step, failed_at, random_hex};

/// Where a build reads from.
#[derive(Debug)]
pub(super) struct Context {
    /// What docker gets.
    pub(super) place: String,
    /// Where `file` is looked for, where that is not the folder that the step stands in.
    pub(super) root: Option<PathBuf>,
}

/// What templates call the default.
const DEFAULT: &str = "{{defaultContext}}";

/// The context that the input names.
pub(super) fn read(step: &Step) -> Result<Context, Failure> {
    let given = step.input("context");
    let plain: String = given.split_whitespace().collect();
    let inside = plain.strip_prefix(DEFAULT);
    if given.is_empty() || inside.is_some() {
        let folder = exported(step)?;
        let root = inside
            .and_then(|it| it.strip_prefix(':'))
            .map_or_else(|| folder.clone(), |below| folder.join(below.trim_start_matches('/')));
        return Ok(Context { place: root.display().to_string(), root: Some(root) });
    }
    Ok(Context { place: given, root: None })
}

/// The default context inside the value of another input.
pub(super) fn filled_in(step: &Step, text: &str) -> Result<String, Failure> {
    if !text.contains(DEFAULT) {
        return Ok(text.to_owned());
    }
    let folder = exported(step)?.display().to_string();
    Ok(text.replace(&format!("{DEFAULT}:"), &format!("{folder}/")).replace(DEFAULT, &folder))
}

/// The run's commit in a folder of its own.
fn exported(step: &Step) -> Result<PathBuf, Failure> {
    let own = step.folder("LAUNCHWAY_REPOSITORY")?;
    let commit = step.required("GITHUB_SHA")?;
    let objects = step.variable("LAUNCHWAY_OBJECTS");
    let git = |name: &str| {
        let git = Git::new(&own, name);
        match &objects {
            Some(folder) => git.env("GIT_ALTERNATE_OBJECT_DIRECTORIES", folder),
            None => git,
        }
    };
    // As the checkout does: what is not committed belongs to the commit that is checked out.
    let head = git("rev-parse").args(["--verify", "--quiet", "HEAD"]).ask()?;
    let made = step.variable("LAUNCHWAY_SNAPSHOT").filter(|_| head.as_deref() == Some(&*commit));
    let commit = made.unwrap_or(commit);
    let archive = git("archive").args(["--format=tar", &commit]).bytes()?;
    let folder = step.folder("RUNNER_TEMP")?.join(format!("context-{}", random_hex()));
    unpack(&archive, &folder)?;
    step.info(&format!(
        "context: the repository at {commit}, as the input `context` names no other; files of earlier steps are not in it"
    ));
    Ok(folder)
}

fn unpack(archive: &[u8], folder: &Path) -> Result<(), Failure> {
    std::fs::create_dir_all(folder).map_err(failed_at("made", folder))?;
    let mut archive = tar::Archive::new(archive);
    archive.set_preserve_mtime(false);
    archive.unpack(folder).map_err(failed_at("written", folder))
}
