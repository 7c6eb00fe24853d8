//! `GITHUB_ARTIFACTS`: what a job says it made (conformance 185).

use std::collections::BTreeMap;

use serde_json::json;

/// A step's file may have this many bytes.
pub const ARTIFACTS_FILE_LIMIT: u64 = 1024 * 1024;

/// A job may name this many.
pub const ARTIFACTS_PER_JOB: usize = 500;

/// One line of the file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ArtifactEntry {
    /// A file, whose digest is to be taken: absolute, or relative to the workspace.
    File(String),
    /// An image, or another thing in a registry, with its digest.
    Oci(ArtifactSubject),
}

/// What kind of thing it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ArtifactKind {
    /// A file; its name is the last part of its path.
    File,
    /// A thing in a registry; its name is its reference.
    Oci,
}

/// A thing with its digest.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ArtifactSubject {
    /// The name by which it is told from others.
    pub name: String,
    /// `sha256:` and lower-case hex, or `sha384:`, `sha512:`.
    pub digest: String,
    /// What kind of thing it is.
    pub kind: ArtifactKind,
}

/// What is wrong with an entry; the step fails.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("Invalid $GITHUB_ARTIFACTS entry on line {line}: {reason}")]
pub struct ArtifactError {
    line: usize,
    reason: String,
}

impl ArtifactError {
    /// For what only a disk can tell: the file is missing, or is no file.
    pub fn new(line: usize, reason: impl Into<String>) -> ArtifactError {
        ArtifactError { line, reason: reason.into() }
    }
}

/// Reads a `GITHUB_ARTIFACTS` file: its entries with their line numbers, from 1.
pub fn parse_artifacts(text: &str) -> Result<Vec<(usize, ArtifactEntry)>, ArtifactError> {
    let mut entries = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let entry = parse_entry(line).map_err(|reason| ArtifactError::new(index + 1, reason))?;
        entries.push((index + 1, entry));
    }
    Ok(entries)
}

fn parse_entry(line: &str) -> Result<ArtifactEntry, String> {
    if line.contains('=') {
        return Err("entries containing '=' are reserved and not permitted".to_owned());
    }
    match scheme(line) {
        Some(("file", path)) if path.trim().is_empty() => {
            Err("file:// entries must include a path".to_owned())
        }
        Some(("file", path)) => Ok(ArtifactEntry::File(path.to_owned())),
        Some(("oci", rest)) => {
            let parts = digest_suffix(rest).ok_or(
                "oci:// entries must include an @sha{256,384,512}:<hex> digest".to_owned(),
            )?;
            parts.subject().map(ArtifactEntry::Oci)
        }
        Some(_) => Err("unsupported URI scheme".to_owned()),
        // Without a scheme a digest must have its full length to be one: paths may hold `@`.
        None => match digest_suffix(line).map(|parts| parts.subject()) {
            Some(Ok(subject)) => Ok(ArtifactEntry::Oci(subject)),
            _ => Ok(ArtifactEntry::File(line.to_owned())),
        },
    }
}

/// The known schemes by name, others as an empty one.
fn scheme(line: &str) -> Option<(&'static str, &str)> {
    let (scheme, rest) = line.split_once("://")?;
    let letter_first = scheme.starts_with(|it: char| it.is_ascii_alphabetic());
    let legal = |it: char| it.is_ascii_alphanumeric() || "+.-".contains(it);
    if !letter_first || !scheme.chars().all(legal) {
        return None;
    }
    let known = ["file", "oci"].into_iter().find(|it| it.eq_ignore_ascii_case(scheme));
    Some((known.unwrap_or_default(), rest))
}

struct DigestParts<'a> {
    reference: &'a str,
    algorithm: &'a str,
    hex: &'a str,
    hex_length: usize,
}

fn digest_suffix(text: &str) -> Option<DigestParts<'_>> {
    let (reference, digest) = text.rsplit_once('@')?;
    let (algorithm, hex) = digest.split_once(':')?;
    let hex_length = match algorithm {
        "sha256" => 64,
        "sha384" => 96,
        "sha512" => 128,
        _ => return None,
    };
    let is_hex = !hex.is_empty() && hex.chars().all(|it| it.is_ascii_hexdigit());
    (is_hex && !reference.is_empty()).then_some(DigestParts {
        reference,
        algorithm,
        hex,
        hex_length,
    })
}

impl DigestParts<'_> {
    fn subject(&self) -> Result<ArtifactSubject, String> {
        if self.hex.len() != self.hex_length {
            return Err(format!(
                "digest '{}' must be {} hex characters, got {}",
                self.algorithm,
                self.hex_length,
                self.hex.len()
            ));
        }
        Ok(ArtifactSubject {
            name: self.reference.to_owned(),
            digest: format!("{}:{}", self.algorithm, self.hex.to_ascii_lowercase()),
            kind: ArtifactKind::Oci,
        })
    }
}

/// What a job has named so far.
#[derive(Clone, Default, Debug)]
pub struct ArtifactSubjects(BTreeMap<String, ArtifactSubject>);

impl ArtifactSubjects {
    /// Takes a subject from a line; the same one again is no mistake. Says whether it is new.
    pub fn declare(
        &mut self,
        line: usize,
        subject: ArtifactSubject,
    ) -> Result<bool, ArtifactError> {
        if let Some(known) = self.0.get(&subject.name) {
            if known.digest == subject.digest {
                return Ok(false);
            }
            let reason = format!(
                "Conflicting digest for artifact '{}': previously declared as '{}', now declared \
                 as '{}'.",
                subject.name, known.digest, subject.digest
            );
            return Err(ArtifactError { line, reason });
        }
        if self.0.len() == ARTIFACTS_PER_JOB {
            let reason = format!(
                "The job has exceeded the maximum of {ARTIFACTS_PER_JOB} declared artifacts."
            );
            return Err(ArtifactError { line, reason });
        }
        self.0.insert(subject.name.clone(), subject);
        Ok(true)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Are there none?
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What the file behind `GITHUB_ARTIFACTS_LIST` holds.
    pub fn list_json(&self) -> String {
        let kind = |it: &ArtifactSubject| match it.kind {
            ArtifactKind::File => "file",
            ArtifactKind::Oci => "oci",
        };
        let subjects: Vec<_> = self
            .0
            .values()
            .map(|it| json!({ "name": it.name, "digest": it.digest, "kind": kind(it) }))
            .collect();
        json!({ "version": 1, "subjects": subjects }).to_string()
    }
}
