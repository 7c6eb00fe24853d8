//! The file commands of one deed (conformance 177 to 185): made before it, read after it.

use std::io::{self, Write as _};
use std::path::Path;

use commands::file_command::{
    ArtifactSubjects, EnvFile, check_summary, decode, parse_env, parse_output, parse_path,
    parse_state,
};
use rustix::fs::{FileType, Stat};
use sequencer::{Effects, FileCommandPaths};

use crate::container::Mounts;
use crate::orphans;
use crate::shared::SharedFolder;
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

/// Makes, reads and removes the files of each deed. A file that a deed left empty serves the next one
/// under another name: to make a new one ext4 passes over every file that was removed in the last minute,
/// which was most of what a step cost.
#[derive(Debug, Default)]
pub(crate) struct Files {
    /// Where they lie, under the last part of their paths; there from set-up on.
    folder: Option<SharedFolder>,
    spare: Vec<String>,
    /// What the container sees that steps run in. Nobody here sees who still writes there: files are never
    /// used again.
    inside: Option<Mounts>,
    /// What the job says it made.
    subjects: ArtifactSubjects,
}

impl Files {
    /// Those in this folder.
    pub(crate) fn within(folder: &Path) -> io::Result<Files> {
        Ok(Files { folder: Some(SharedFolder::open(folder)?), ..Files::default() })
    }

    /// Steps run in a container that sees this.
    pub(crate) fn are_inside(&mut self, mounts: Mounts) {
        self.inside = Some(mounts);
    }

    /// Where they lie.
    pub(crate) fn folder(&self) -> &SharedFolder {
        self.folder.as_ref().expect("no step runs before set-up")
    }

    /// Makes the files: empty, but for the list of what the job made so far.
    pub(crate) fn create(&mut self, paths: &FileCommandPaths) -> io::Result<()> {
        for (_, _, path) in paths.each() {
            let spare = self.spare.pop().filter(|spare| self.is_as_new(spare));
            match spare {
                Some(spare) if self.folder().rename(&spare, name(path)).is_ok() => {}
                _ => drop(self.folder().make(name(path))?),
            }
        }
        let mut list = self.folder().empty(name(&paths.artifacts_list))?;
        list.write_all(self.subjects.list_json().as_bytes())
    }

    /// Takes what the step says it made (conformance 185): the line that its log gets, if any, or
    /// why the step fails.
    pub(crate) fn declare(
        &mut self,
        paths: &FileCommandPaths,
        workspace: &Path,
    ) -> Result<Option<String>, String> {
        let read = self.folder().read(name(&paths.artifacts));
        let read = read.map_err(|error| unreadable("artifacts", &error))?;
        let Some(bytes) = read.filter(|bytes| !bytes.is_empty()) else { return Ok(None) };
        subjects::declare(&bytes, (workspace, self.inside.as_ref()), &mut self.subjects)
            .map_err(|reason| unreadable("artifacts", &reason))
    }

    /// Removes the files of a deed that is over: no later step reads what it wrote. Where it left a
    /// process behind, that one may still write: its files are not used again.
    pub(crate) fn remove(&mut self, paths: &FileCommandPaths) {
        let is_alone = self.inside.is_none() && orphans::has_no_children();
        // It is nobody's but ours, whatever a step wrote into it. One that stays as it is, is removed with
        // the others.
        let list = name(&paths.artifacts_list);
        if is_alone && self.folder().stat(list).is_ok_and(|it| is_ours(&it)) {
            let _ = self.folder().empty(list);
        }
        for (_, _, path) in paths.each() {
            if is_alone && self.is_as_new(name(path)) {
                self.spare.push(name(path).to_owned());
            } else {
                // The step may have removed it itself.
                let _ = self.folder().remove(name(path));
            }
        }
    }

    /// Whether it is what [`Files::create`] made: an empty file of ours with this one name.
    fn is_as_new(&self, name: &str) -> bool {
        self.folder().stat(name).is_ok_and(|it| it.st_size == 0 && is_ours(&it))
    }

    /// Reads them, also after a failure.
    pub(crate) fn read(&self, paths: &FileCommandPaths) -> FileCommands {
        let mut found = FileCommands::default();
        let mut failures = Vec::new();
        let mut text = |variable: &str, path: &str| match self.folder().read(name(path)) {
            Ok(bytes) => {
                let bytes = bytes.filter(|bytes| !bytes.is_empty());
                bytes.map(|bytes| decode(&bytes).into_owned())
            }
            Err(error) => {
                failures.push(format!("Unable to read the file behind ${variable}: {error}"));
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
        self.summary(&paths.summary, &mut found);
        found
    }

    /// Too large a summary is not kept; the step goes on (conformance 184).
    fn summary(&self, path: &str, found: &mut FileCommands) {
        let Ok(stat) = self.folder().stat(name(path)) else { return };
        if stat.st_size == 0 {
            return;
        }
        if let Err(error) = check_summary(stat.st_size.unsigned_abs()) {
            found.errors.push(error.to_string());
            return;
        }
        match self.folder().read(name(path)) {
            Ok(bytes) => found.summary = bytes,
            Err(error) => found.errors.push(format!("the step summary cannot be read: {error}")),
        }
    }
}

/// The last part of a path: wherever a step sees the folder, here it is this one.
fn name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

fn is_ours(it: &Stat) -> bool {
    // As whom this thread makes files.
    let own = rustix::process::geteuid().as_raw();
    let is_file = FileType::from_raw_mode(it.st_mode) == FileType::RegularFile;
    is_file && it.st_uid == own && it.st_nlink == 1 && it.st_mode & 0o600 == 0o600
}

fn unreadable(command: &str, reason: &dyn std::fmt::Display) -> String {
    format!("Unable to process file command '{command}' successfully. {reason}")
}

#[cfg(test)]
mod tests {
    use std::fs;
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
        let mut files = Files::within(folder.path()).expect("it is there");
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
            assert!(files.is_as_new(super::name(path)) || name == "artifacts_list", "{path}");
        }
        let list = fs::read_to_string(&second.artifacts_list).expect("it is there");
        assert_eq!(list, r#"{"version":1,"subjects":[]}"#);
    }
}
