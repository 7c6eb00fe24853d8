//! The file commands of one deed (conformance 177 to 184): made before it, read after it.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use commands::file_command::{
    EnvFile, check_summary, decode, parse_env, parse_output, parse_path, parse_state,
};
use sequencer::{Effects, FileCommandPaths};

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

/// Makes the empty files.
pub(crate) fn create(paths: &FileCommandPaths) -> io::Result<()> {
    paths.each().iter().try_for_each(|(_, _, path)| File::create(path).map(drop))
}

/// Removes the files of a deed that is over.
pub(crate) fn remove(paths: &FileCommandPaths) {
    for (_, _, path) in paths.each() {
        // The step may have removed it itself.
        let _ = fs::remove_file(path);
    }
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
