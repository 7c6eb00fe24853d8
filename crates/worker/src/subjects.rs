//! What the steps of a job say they made (conformance 185): read from the file behind
//! `GITHUB_ARTIFACTS`, given back to later steps in the one behind `GITHUB_ARTIFACTS_LIST`.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::Path;

use commands::file_command::{
    ARTIFACTS_FILE_LIMIT, ArtifactEntry, ArtifactError, ArtifactKind, ArtifactSubject,
    ArtifactSubjects, decode, parse_artifacts,
};
use sha2::{Digest as _, Sha256};

use crate::container::Mounts;

/// Bytes of a file that are read at a time.
const CHUNK_BYTES: usize = 64 << 10;

/// Takes what a step declared. The answer is the line that its log gets, if any; a mistake fails
/// the step, and what stands in a file before a line that cannot be read is not taken.
pub(crate) fn declare(
    bytes: &[u8],
    places: (&Path, Option<&Mounts>),
    subjects: &mut ArtifactSubjects,
) -> Result<Option<String>, String> {
    let size = bytes.len() as u64;
    if size > ARTIFACTS_FILE_LIMIT {
        return Err(format!(
            "$GITHUB_ARTIFACTS file exceeds the maximum size of {} KiB (got {} KiB).",
            ARTIFACTS_FILE_LIMIT / 1024,
            size / 1024
        ));
    }
    let declared = read(&decode(bytes), places).map_err(|error| error.to_string())?;
    let mut fresh = 0;
    for (line, subject) in declared {
        let is_new = subjects.declare(line, subject).map_err(|error| error.to_string())?;
        fresh += usize::from(is_new);
    }
    Ok((fresh > 0).then(|| {
        let total = subjects.len();
        format!("Captured {fresh} artifact subject(s) from this step (job total: {total}).")
    }))
}

fn read(
    text: &str,
    places: (&Path, Option<&Mounts>),
) -> Result<Vec<(usize, ArtifactSubject)>, ArtifactError> {
    let entries = parse_artifacts(text)?.into_iter().map(|(line, entry)| match entry {
        ArtifactEntry::Oci(subject) => Ok((line, subject)),
        ArtifactEntry::File(path) => match file(&path, places) {
            Ok(subject) => Ok((line, subject)),
            Err(reason) => Err(ArtifactError::new(line, reason)),
        },
    });
    entries.collect()
}

/// A file under the last part of its name; of a job in a container, as that sees it.
fn file(
    path: &str,
    (workspace, inside): (&Path, Option<&Mounts>),
) -> Result<ArtifactSubject, String> {
    let place = match inside.filter(|_| path.starts_with('/')) {
        Some(mounts) => mounts
            .here(path)
            .ok_or_else(|| format!("file '{path}' is in the job's container alone"))?,
        None => workspace.join(path),
    };
    let metadata = match fs::metadata(&place) {
        Ok(metadata) => metadata,
        Err(_) if Path::new(path).is_absolute() => {
            return Err(format!("file '{path}' does not exist"));
        }
        Err(_) => {
            return Err(format!(
                "file '{path}' does not exist (relative paths are resolved against the workspace \
                 root '{}')",
                workspace.display()
            ));
        }
    };
    if metadata.is_dir() {
        return Err(format!("'{path}' is a directory, not a regular file"));
    }
    // A pipe would be waited for.
    if !metadata.is_file() {
        return Err(format!("'{path}' is not a regular file"));
    }
    let digest = digest(&place).map_err(|error| format!("file '{path}': {error}"))?;
    let name = place.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Ok(ArtifactSubject { name, digest: format!("sha256:{digest}"), kind: ArtifactKind::File })
}

fn digest(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut hasher = Sha256::new();
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        match file.read(&mut chunk)? {
            0 => break,
            count => hasher.update(&chunk[..count]),
        }
    }
    Ok(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}
