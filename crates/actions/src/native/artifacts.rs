//! What a run keeps for people and later jobs: zip files as blobs, named in a file of JSON lines.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::{Value as Json, json};

use super::blobs;
use super::step::{Failure, Step, failed_at};
use crate::unpack::{Existing, unpack_artifact};

/// What artifact names may not hold (conformance 207).
const FORBIDDEN: [char; 11] = ['"', ':', '<', '>', '|', '*', '?', '\r', '\n', '\\', '/'];

/// How long an artifact is kept where nobody says; GitHub's default.
const RETENTION_DAYS: i64 = 90;

/// Names the list of what the run's finished jobs kept.
const OF_THE_RUN: &str = "LAUNCHWAY_RUN_ARTIFACTS";

/// An artifact of this run.
pub(super) struct Artifact {
    pub(super) name: String,
    pub(super) blob: String,
    /// An attempt before this one uploaded it: to be downloaded, and replaced by a new one.
    is_earlier: bool,
}

impl Artifact {
    /// The number that outputs carry: made from the digest, so the same everywhere.
    pub(super) fn id(&self) -> u64 {
        let digits = self.blob.get(..10).unwrap_or("0");
        u64::from_str_radix(digits, 16).unwrap_or_default()
    }
}

/// Refuses a name that GitHub would refuse.
pub(super) fn check_name(name: &str) -> Result<(), Failure> {
    if name.is_empty() {
        return Err(Failure::new("an artifact needs a name"));
    }
    let Some(forbidden) = name.chars().find(|it| FORBIDDEN.contains(it)) else { return Ok(()) };
    Err(Failure::new(format!(
        "The artifact name is not valid: {name}. Contains the following character: {}",
        forbidden.escape_default()
    )))
}

/// The artifacts of the run, by name: those of finished jobs and those of this one.
pub(super) fn of_run(step: &Step) -> Result<BTreeMap<String, Artifact>, Failure> {
    let mut found = BTreeMap::new();
    for variable in [OF_THE_RUN, "LAUNCHWAY_ARTIFACTS_FILE"] {
        let Some(path) = step.variable(variable) else { continue };
        let file = PathBuf::from(&path);
        // The one is the run's, the other the job's, where steps may write.
        let read = match variable {
            OF_THE_RUN => step.trusted(move || fs::read_to_string(file)),
            _ => fs::read_to_string(file),
        };
        let text = match read {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(failed_at("read", Path::new(&path))(error)),
        };
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            let entry = serde_json::from_str::<Json>(line)
                .map_err(|error| Failure::new(format!("a line of {path} is not JSON: {error}")))?;
            let field = |name: &str| entry[name].as_str().unwrap_or_default().to_owned();
            let is_earlier = entry["earlier"].as_bool().unwrap_or_default();
            let artifact = Artifact { name: field("name"), blob: field("blob"), is_earlier };
            found.insert(artifact.name.clone(), artifact);
        }
    }
    Ok(found)
}

/// Those whose names are taken: what an earlier attempt uploaded, a re-run uploads again.
pub(super) fn of_attempt(step: &Step) -> Result<BTreeMap<String, Artifact>, Failure> {
    let mut found = of_run(step)?;
    found.retain(|_, artifact| !artifact.is_earlier);
    Ok(found)
}

/// Packs files and names them. `retention_days` 0 is the default.
pub(super) fn keep(
    step: &Step,
    name: &str,
    files: &[(String, PathBuf)],
    level: Option<i64>,
    retention_days: i64,
) -> Result<(Artifact, u64), Failure> {
    let files = regular(step, files)?;
    let store = step.folder("LAUNCHWAY_BLOBS")?;
    let (file, archive) = step.trusted({
        let store = store.clone();
        move || blobs::begin(&store)
    })?;
    pack(&file, &files, level)
        .map_err(|error| Failure::new(format!("the artifact could not be packed: {error}")))?;
    let stored = step.trusted(move || blobs::adopt(&store, archive))?;
    let days = if retention_days > 0 { retention_days } else { RETENTION_DAYS };
    let expires_at = jiff::Timestamp::now().as_millisecond() + days * 24 * 3_600_000;
    let line = json!({
        "name": name,
        "blob": stored.id,
        "size_bytes": stored.size_bytes,
        "expires_at": expires_at,
    });
    let list = step.folder("LAUNCHWAY_ARTIFACTS_FILE")?;
    OpenOptions::new()
        .append(true)
        .create(true)
        .open(&list)
        .and_then(|mut file| file.write_all(format!("{line}\n").as_bytes()))
        .map_err(failed_at("written", &list))?;
    let artifact = Artifact { name: name.to_owned(), blob: stored.id, is_earlier: false };
    Ok((artifact, stored.size_bytes))
}

/// Those that have bytes. A pipe would be waited for until the job's time is up.
fn regular<'f>(
    step: &Step,
    files: &'f [(String, PathBuf)],
) -> Result<Vec<&'f (String, PathBuf)>, Failure> {
    let mut regular = Vec::new();
    for file in files {
        let (name, path) = file;
        if fs::metadata(path).map_err(failed_at("read", path))?.is_file() {
            regular.push(file);
        } else {
            step.warning(&format!("{name} is a pipe, socket or device, and is left out"));
        }
    }
    Ok(regular)
}

fn pack(
    file: &File,
    files: &[&(String, PathBuf)],
    level: Option<i64>,
) -> zip::result::ZipResult<()> {
    let mut archive = zip::ZipWriter::new(io::BufWriter::new(file.try_clone()?));
    for (name, path) in files {
        let meta = fs::metadata(path)?;
        let stored = level == Some(0);
        let method =
            if stored { zip::CompressionMethod::Stored } else { zip::CompressionMethod::Deflated };
        let options = zip::write::SimpleFileOptions::default()
            .compression_method(method)
            .compression_level(level.filter(|_| !stored))
            .large_file(meta.len() >= u64::from(u32::MAX))
            .unix_permissions(meta.permissions().mode() & 0o777);
        archive.start_file(name.as_str(), options)?;
        io::copy(&mut File::open(path)?, &mut archive)?;
    }
    archive.finish()?.flush()?;
    Ok(())
}

/// Unpacks an artifact into a folder. Names that would leave the folder are refused.
pub(super) fn unpack(step: &Step, artifact: &Artifact, folder: &Path) -> Result<usize, Failure> {
    let (store, blob) = (step.folder("LAUNCHWAY_BLOBS")?, artifact.blob.clone());
    let file = step.trusted(move || {
        let path = blobs::find(&store, &blob)?;
        File::open(&path).map_err(failed_at("read", &path))
    })?;
    unpack_artifact(file, folder, Existing::Replace).map_err(|error| {
        let cause = std::error::Error::source(&error);
        let cause = cause.map(|cause| format!(": {cause}")).unwrap_or_default();
        Failure::new(format!("artifact {} could not be unpacked: {error}{cause}", artifact.name))
    })
}
