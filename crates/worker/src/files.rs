//! The file commands of one deed (conformance 177 to 185): made before it, read after it.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use commands::file_command::{
    ArtifactSubjects, EnvFile, check_summary, decode, parse_env, parse_output, parse_path,
    parse_state,
};
use sequencer::{Effects, FileCommandPaths};

use crate::orphans;
use crate::subjects;

/// What was read, and what was wrong with it.
#[derive(Debug, Default)]
pub(crate) struct FileCommands {
    /// For the steps that follow; what stood before a mistake counts.
    pub(crate) effects: Effects,
    /// Mistakes that fail the step.
    pub(crate) failures: Vec<String>,
    /// Mistakes that do not.
    pub(crate) errors: Vec<String>,
    /// The summary's bytes, where there is one.
    pub(crate) summary: Option<Vec<u8>>,
}

/// Makes and removes the files of each deed. A file that a deed left empty serves the next one under
/// another name: to make a new one ext4 passes over every file that was removed in the last minute,
/// which was most of what a step cost.
#[derive(Debug, Default)]
pub(crate) struct Files {
    spare: Vec<String>,
    /// What the job says it made.
    subjects: ArtifactSubjects,
}

impl Files {
    /// Makes the files: empty, but for the list of what the job made so far.
    pub(crate) fn create(&mut self, paths: &FileCommandPaths) -> io::Result<()> {
        paths.each().iter().try_for_each(|(_, _, path)| match self.spare.pop() {
            Some(spare) if is_as_new(&spare) && fs::rename(&spare, path).is_ok() => Ok(()),
            _ => File::create(path).map(drop),
        })?;
        fs::write(&paths.artifacts_list, self.subjects.list_json())
    }

    /// Takes what the step says it made (conformance 185): the line that its log gets, if any, or
    /// why the step fails.
    pub(crate) fn declare(
        &mut self,
        paths: &FileCommandPaths,
        workspace: &Path,
    ) -> Result<Option<String>, String> {
        subjects::declare(Path::new(&paths.artifacts), workspace, &mut self.subjects)
            .map_err(|reason| unreadable("artifacts", &reason))
    }

    /// Removes the files of a deed that is over: no later step reads what it wrote. Where it left a
    /// process behind, that one may still write: its files are not used again.
    pub(crate) fn remove(&mut self, paths: &FileCommandPaths) {
        let is_alone = orphans::has_no_children();
        // It is nobody's but ours, whatever a step wrote into it.
        if is_alone && is_own(&paths.artifacts_list) {
            let list = OpenOptions::new().write(true).open(&paths.artifacts_list);
            // One that stays as it is, is removed with the others.
            let _ = list.and_then(|list| list.set_len(0));
        }
        for (_, _, path) in paths.each() {
            if is_alone && is_as_new(path) {
                self.spare.push(path.to_owned());
            } else {
                // The step may have removed it itself.
                let _ = fs::remove_file(path);
            }
        }
    }
}

/// Whether it is what [`Files::create`] made: an empty file of ours with this one name.
fn is_as_new(path: &str) -> bool {
    fs::symlink_metadata(path).is_ok_and(|it| it.len() == 0 && is_ours(&it))
}

/// The same with something in it.
fn is_own(path: &str) -> bool {
    fs::symlink_metadata(path).is_ok_and(|it| is_ours(&it))
}

fn is_ours(it: &fs::Metadata) -> bool {
    let own = rustix::process::getuid().as_raw();
    it.is_file() && it.uid() == own && it.nlink() == 1 && it.mode() & 0o600 == 0o600
}

/// Reads them, also after a failure.
pub(crate) fn read(paths: &FileCommandPaths) -> FileCommands {
    let mut found = FileCommands::default();
    let mut failures = Vec::new();
    let mut text = |name: &str, path: &str| match content(Path::new(path)) {
        Ok(bytes) => bytes.map(|bytes| decode(&bytes).into_owned()),
        Err(error) => {
            failures.push(format!("Unable to read the file behind ${name}: {error}"));
            None
        }
    };
    let env = text("GITHUB_ENV", &paths.env);
    let output = text("GITHUB_OUTPUT", &paths.output);
    let state = text("GITHUB_STATE", &paths.state);
    let path = text("GITHUB_PATH", &paths.path);
    found.failures = failures;
    if let Some(text) = env {
        let file = parse_env(&text);
        found.effects.env.extend(file.variables);
        found.errors.extend(file.refused.iter().map(|name| EnvFile::refusal(name)));
        found.failures.extend(file.error.map(|reason| unreadable("env", &reason)));
    }
    for (command, text, into) in [
        ("output", output.map(|text| parse_output(&text)), &mut found.effects.outputs),
        ("state", state.map(|text| parse_state(&text)), &mut found.effects.state),
    ] {
        match text {
            None => {}
            Some(Ok(pairs)) => into.extend(pairs),
            Some(Err(error)) => {
                into.extend(error.before().iter().cloned());
                found.failures.push(unreadable(command, error.reason()));
            }
        }
    }
    found.effects.path = path.map(|text| parse_path(&text)).unwrap_or_default();
    summary(&paths.summary, &mut found);
    found
}

fn unreadable(command: &str, reason: &dyn std::fmt::Display) -> String {
    format!("Unable to process file command '{command}' successfully. {reason}")
}

/// Too large a summary is not kept; the step goes on (conformance 184).
fn summary(path: &str, found: &mut FileCommands) {
    let Ok(metadata) = fs::metadata(path) else { return };
    if metadata.len() == 0 {
        return;
    }
    if let Err(error) = check_summary(metadata.len()) {
        found.errors.push(error.to_string());
        return;
    }
    match fs::read(path) {
        Ok(bytes) => found.summary = Some(bytes),
        Err(error) => found.errors.push(format!("the step summary cannot be read: {error}")),
    }
}

/// The bytes; none where the file is empty or was removed.
fn content(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::metadata(path) {
        Ok(metadata) if metadata.len() == 0 => Ok(None),
        Ok(_) => fs::read(path).map(Some),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn paths(folder: &Path, number: u32) -> FileCommandPaths {
        let path =
            |name: &str| folder.join(format!("{name}_{number}")).to_string_lossy().into_owned();
        FileCommandPaths {
            env: path("env"),
            output: path("output"),
            path: path("path"),
            state: path("state"),
            summary: path("summary"),
            artifacts: path("artifacts"),
            artifacts_list: path("artifacts_list"),
        }
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).expect("the folder is there");
        let names =
            entries.map(|it| it.expect("an entry").file_name().to_string_lossy().into_owned());
        let mut names: Vec<String> = names.collect();
        names.sort();
        names
    }

    // proves: conformance 177
    #[test]
    fn c177_every_step_has_fresh_files() {
        let folder = tempfile::tempdir().expect("a scratch folder");
        let mut files = Files::default();
        let (first, second) = (paths(folder.path(), 1), paths(folder.path(), 2));
        files.create(&first).expect("files");
        // What was written, replaced, linked, closed or removed serves no second step.
        fs::write(&first.env, "A=b\n").expect("written");
        fs::hard_link(&first.output, folder.path().join("mine")).expect("linked");
        fs::set_permissions(&first.path, fs::Permissions::from_mode(0o400)).expect("closed");
        fs::remove_file(&first.state).expect("removed");
        std::os::unix::fs::symlink("mine", &first.state).expect("replaced");
        files.remove(&first);
        assert_eq!(names(folder.path()), ["artifacts_1", "artifacts_list_1", "mine", "summary_1"]);
        files.create(&second).expect("files");
        assert_eq!(
            names(folder.path()),
            [
                "artifacts_2",
                "artifacts_list_2",
                "env_2",
                "mine",
                "output_2",
                "path_2",
                "state_2",
                "summary_2"
            ]
        );
        for (_, name, path) in second.each() {
            assert!(is_as_new(path) || name == "artifacts_list", "{path}");
        }
        let list = fs::read_to_string(&second.artifacts_list).expect("it is there");
        assert_eq!(list, r#"{"version":1,"subjects":[]}"#);
    }
}
