//! Our own versions of actions: the same binary as a child, with the contract of a JavaScript
//! action and a few variables about this machine.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use event::Timestamp;
use mask::Masker;
use protocol::{JobSpec, RUN_ARTIFACTS_FILE, Report};
use serde_json::Value as Json;

use crate::setup::Folders;

/// Our own binary; still itself where its file was replaced meanwhile.
pub(crate) fn program() -> PathBuf {
    std::env::current_exe()
        .ok()
        .filter(|path| path.is_file())
        .unwrap_or_else(|| PathBuf::from("/proc/self/exe"))
}

/// Where a job lists the artifacts it kept: a JSON object a line with `name`, `blob`, `size_bytes`,
/// `expires_at`. One file for the whole job: its later steps see them too.
pub(crate) fn artifacts_file(folders: &Folders) -> PathBuf {
    folders.file_commands.join("artifacts.jsonl")
}

/// What a native version knows beside a JavaScript action's environment.
pub(crate) fn variables(spec: &JobSpec, artifacts: &Path) -> BTreeMap<String, String> {
    let of_run = Path::new(&*spec.paths.job).join(RUN_ARTIFACTS_FILE);
    let flag = |is_on: bool| if is_on { "1" } else { "0" }.to_owned();
    let mut variables = BTreeMap::from([
        ("LAUNCHWAY_REPOSITORY".to_owned(), spec.paths.repository.to_string()),
        ("LAUNCHWAY_BLOBS".to_owned(), spec.paths.blobs.to_string()),
        ("LAUNCHWAY_CACHES".to_owned(), spec.paths.caches.to_string()),
        ("LAUNCHWAY_TOOLS".to_owned(), spec.paths.tools.to_string()),
        ("LAUNCHWAY_OFFLINE".to_owned(), flag(spec.options.offline)),
        ("LAUNCHWAY_COMMITTED".to_owned(), flag(spec.options.committed)),
        ("LAUNCHWAY_ARTIFACTS_FILE".to_owned(), artifacts.to_string_lossy().into_owned()),
        ("LAUNCHWAY_RUN_ARTIFACTS".to_owned(), of_run.to_string_lossy().into_owned()),
    ]);
    if !spec.options.mirrors.is_empty() {
        let rules = serde_json::to_string(&spec.options.mirrors).expect("texts are JSON");
        variables.insert("LAUNCHWAY_MIRRORS".to_owned(), rules);
    }
    // Its own HOME is the job's; what git ignores is said in the user's.
    if let Some(home) = std::env::home_dir() {
        variables.insert("LAUNCHWAY_HOME".to_owned(), home.to_string_lossy().into_owned());
    }
    variables
}

/// What was listed behind the first `known` lines, as reports; a word about each line that cannot
/// be read; and how many lines are known now.
pub(crate) fn artifacts(
    file: &Path,
    known: usize,
    masker: &Masker,
) -> (Vec<Report>, Vec<String>, usize) {
    let (mut reports, mut wrong) = (Vec::new(), Vec::new());
    let Ok(text) = std::fs::read_to_string(file) else { return (reports, wrong, known) };
    for (number, line) in text.lines().enumerate().skip(known) {
        match artifact(line, masker) {
            Some(report) => reports.push(report),
            None if line.trim().is_empty() => {}
            None => wrong.push(format!("line {} of the list of artifacts is wrong", number + 1)),
        }
    }
    (reports, wrong, text.lines().count())
}

fn artifact(line: &str, masker: &Masker) -> Option<Report> {
    let line: Json = serde_json::from_str(line).ok()?;
    Some(Report::ArtifactUploaded {
        name: masker.mask(line["name"].as_str()?),
        blob: event::BlobId::new(line["blob"].as_str()?),
        size_bytes: line["size_bytes"].as_u64()?,
        expires_at: Timestamp(line["expires_at"].as_u64()?),
    })
}
