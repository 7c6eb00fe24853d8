//! Our own versions of actions: the same binary as a child, with the contract of a JavaScript
//! action and a few variables about this machine.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use event::Timestamp;
use mask::Masker;
use protocol::{JobSpec, RUN_ARTIFACTS_FILE, Report};
use serde_json::{Value as Json, json};

use crate::setup::Folders;

/// What a job may upload (conformance 237).
const ARTIFACTS_MAX: usize = 500;

/// In the folder of file commands: the artifacts that the job kept.
pub(crate) const ARTIFACTS_FILE: &str = "artifacts.jsonl";

/// In the same folder: the images that the job's native versions built ([`crate::images`]).
pub(crate) const IMAGES_FILE: &str = "images.jsonl";

/// Our own binary; still itself where its file was replaced meanwhile.
pub(crate) fn program() -> PathBuf {
    std::env::current_exe()
        .ok()
        .filter(|path| path.is_file())
        .unwrap_or_else(|| PathBuf::from("/proc/self/exe"))
}

/// Where a job lists the artifacts it kept: a JSON object a line with `name`, `blob`, `size_bytes`,
/// `expires_at`. One file for the whole job: its later steps see them too.
fn artifacts_file(folders: &Folders) -> PathBuf {
    folders.file_commands.join(ARTIFACTS_FILE)
}

/// Who does it, for what outlives the job.
fn lease(spec: &JobSpec) -> String {
    let JobSpec { run, attempt, job, fence, .. } = spec;
    json!({ "job": format!("run {}.{}, job {job}", run.0, attempt.0), "lease": fence.0 })
        .to_string()
}

/// What a native version knows beside a JavaScript action's environment.
pub(crate) fn variables(spec: &JobSpec, folders: &Folders) -> BTreeMap<String, String> {
    let (artifacts, images) = (artifacts_file(folders), folders.file_commands.join(IMAGES_FILE));
    let of_run = Path::new(&*spec.paths.job).join(RUN_ARTIFACTS_FILE);
    let flag = |is_on: bool| if is_on { "1" } else { "0" }.to_owned();
    let mut variables = BTreeMap::from([
        ("LAUNCHWAY_REPOSITORY".to_owned(), spec.paths.repository.to_string()),
        ("LAUNCHWAY_BLOBS".to_owned(), spec.paths.blobs.to_string()),
        ("LAUNCHWAY_CACHES".to_owned(), spec.paths.caches.to_string()),
        ("LAUNCHWAY_TOOLS".to_owned(), spec.paths.tools.to_string()),
        ("LAUNCHWAY_OFFLINE".to_owned(), flag(spec.options.offline)),
        ("LAUNCHWAY_COMMITTED".to_owned(), flag(spec.options.committed)),
        ("LAUNCHWAY_LEASE".to_owned(), lease(spec)),
        ("LAUNCHWAY_ARTIFACTS_FILE".to_owned(), artifacts.to_string_lossy().into_owned()),
        ("LAUNCHWAY_IMAGES_FILE".to_owned(), images.to_string_lossy().into_owned()),
        ("LAUNCHWAY_RUN_ARTIFACTS".to_owned(), of_run.to_string_lossy().into_owned()),
    ]);
    for (name, value) in [
        ("LAUNCHWAY_SNAPSHOT", &spec.options.snapshot),
        ("LAUNCHWAY_OBJECTS", &spec.options.objects),
    ] {
        variables.extend(value.iter().map(|value| (name.to_owned(), value.to_string())));
    }
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

/// What the job has listed so far.
#[derive(Debug, Default)]
pub(crate) struct Artifacts {
    lines: usize,
    names: BTreeSet<String>,
}

impl Artifacts {
    /// What was listed since, as reports; and a word about each line that cannot be read or is one
    /// too many.
    pub(crate) fn read(&mut self, text: &str, masker: &Masker) -> (Vec<Report>, Vec<String>) {
        let (mut reports, mut wrong) = (Vec::new(), Vec::new());
        for line in text.lines().skip(self.lines) {
            self.lines += 1;
            match artifact(line, masker) {
                Some((name, _)) if self.is_too_many(&name) => wrong.push(format!(
                    "the artifact {} is not kept: a job may have {ARTIFACTS_MAX}",
                    masker.mask(&name)
                )),
                Some((name, report)) => {
                    self.names.insert(name);
                    reports.push(report);
                }
                None if line.trim().is_empty() => {}
                None => {
                    let text = format!("line {} of the list of artifacts is wrong", self.lines);
                    wrong.push(text);
                }
            }
        }
        (reports, wrong)
    }

    fn is_too_many(&self, name: &str) -> bool {
        self.names.len() >= ARTIFACTS_MAX && !self.names.contains(name)
    }
}

fn artifact(line: &str, masker: &Masker) -> Option<(String, Report)> {
    let line: Json = serde_json::from_str(line).ok()?;
    let name = line["name"].as_str()?;
    let report = Report::ArtifactUploaded {
        name: masker.mask(name),
        blob: event::BlobId::new(line["blob"].as_str()?),
        size_bytes: line["size_bytes"].as_u64()?,
        expires_at: Timestamp(line["expires_at"].as_u64()?),
    };
    Some((name.to_owned(), report))
}

#[cfg(test)]
mod tests {
    use super::*;

    // proves: conformance 237
    #[test]
    fn c237_a_job_has_five_hundred_artifacts() {
        let line = |name: usize| {
            format!("{{\"name\":\"a{name}\",\"blob\":\"00\",\"size_bytes\":1,\"expires_at\":1}}\n")
        };
        let (mut artifacts, mut text) = (Artifacts::default(), String::new());
        let mut read = |names: &[usize]| {
            text.extend(names.iter().map(|name| line(*name)));
            let (reports, wrong) = artifacts.read(&text, &Masker::new());
            (reports.len(), wrong)
        };
        assert_eq!(read(&(1..=499).collect::<Vec<_>>()), (499, Vec::new()));
        // One that is overwritten is still one.
        assert_eq!(read(&[7, 500, 8]), (3, Vec::new()));
        let refusal = "the artifact a501 is not kept: a job may have 500".to_owned();
        assert_eq!(read(&[501, 9]), (1, vec![refusal]));
    }
}
