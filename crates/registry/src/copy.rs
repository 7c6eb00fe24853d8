//! Copying an image from one repository to another, byte for byte: the same digest elsewhere.
//!
//! Blobs go first, manifests after what they name, so that nobody ever finds half an image. What is
//! there already is not sent again, so a copy that was cut off is simply made once more.

use std::io::Read;

use sha2::{Digest as _, Sha256};
use ureq::SendBody;

use crate::manifest::{Blob, LISTS_MAX, Manifest, NoManifest};
use crate::registry::{Call, Registry, RegistryError, header};

/// What was done for a copy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Copied {
    /// Blobs that were sent.
    pub sent: u64,
    /// Blobs that the registry took from another of its repositories.
    pub mounted: u64,
    /// Blobs that were there.
    pub there: u64,
    /// Bytes that were sent.
    pub sent_bytes: u64,
}

/// Copies the image of this digest, and every image that it lists.
///
/// # Errors
/// When one of the registries does not do its part.
pub fn copy(
    from: (&mut Registry, &str),
    to: (&mut Registry, &str),
    digest: &str,
) -> Result<(Manifest, Copied), RegistryError> {
    let mut work =
        Work { from: from.0, source: from.1, to: to.0, goal: to.1, copied: Copied::default() };
    let manifest = work.manifest(digest, 0)?;
    Ok((manifest, work.copied))
}

struct Work<'a> {
    from: &'a mut Registry,
    source: &'a str,
    to: &'a mut Registry,
    goal: &'a str,
    copied: Copied,
}

impl Work<'_> {
    fn manifest(&mut self, digest: &str, depth: u32) -> Result<Manifest, RegistryError> {
        if depth > LISTS_MAX {
            return Err(RegistryError::NoManifest {
                host: self.from.host().to_owned(),
                what: format!("{}@{digest}", self.source),
                why: NoManifest::TooDeep,
            });
        }
        let manifest = self.from.manifest(self.source, digest)?;
        let manifest = manifest.ok_or_else(|| RegistryError::Absent {
            host: self.from.host().to_owned(),
            what: format!("{}@{digest}", self.source),
            why: "it names nothing there".to_owned(),
        })?;
        for child in manifest.children() {
            self.manifest(&child, depth + 1)?;
        }
        for blob in manifest.blobs() {
            self.blob(&blob)?;
        }
        if self.to.manifest(self.goal, digest)?.is_none() {
            self.to.tag(self.goal, &manifest, digest)?;
        }
        Ok(manifest)
    }

    fn blob(&mut self, blob: &Blob) -> Result<(), RegistryError> {
        let digest = &blob.digest;
        if self.is_there(digest)? {
            self.copied.there += 1;
            return Ok(());
        }
        let scope = format!("repository:{}:pull,push", self.goal);
        let what = format!("push to {}", self.goal);
        // A registry may take it from a repository of its own; one that does not begins an upload.
        let path = if self.from.host() == self.to.host() {
            format!("{}/blobs/uploads/?mount={digest}&from={}", self.goal, self.source)
        } else {
            format!("{}/blobs/uploads/", self.goal)
        };
        let begin = Call { method: "POST", path: &path, headers: &[], what: &what, scope: &scope };
        let begun = self.to.call(&begin, || "")?;
        if begun.status() == 201 {
            self.copied.mounted += 1;
            return Ok(());
        }
        let host = self.to.host().to_owned();
        let place = |answer: &_| {
            header(answer, "location").ok_or_else(|| RegistryError::Refused {
                host: host.clone(),
                what: what.clone(),
                why: "it does not say where to".to_owned(),
            })
        };
        let location = place(&begun)?;
        let (mut body, length) = self.from.blob(self.source, digest)?;
        let length = length.unwrap_or(blob.size_bytes).to_string();
        let headers =
            [("content-type", "application/octet-stream"), ("content-length", length.as_str())];
        let mut reader = Hashing { inner: body.as_reader(), hash: Sha256::new(), count: 0 };
        let send = Call {
            method: "PATCH",
            path: &location,
            headers: &headers,
            what: &what,
            scope: &scope,
        };
        let sent = self.to.send_once(&send, SendBody::from_reader(&mut reader))?;
        let location = place(&sent)?;
        let (found, count) = (reader.digest(), reader.count);
        if found != *digest {
            let host = self.from.host().to_owned();
            return Err(RegistryError::Altered { host, wanted: digest.clone(), found });
        }
        let joint = if location.contains('?') { '&' } else { '?' };
        let path = format!("{location}{joint}digest={digest}");
        let finish = Call { method: "PUT", path: &path, headers: &[], what: &what, scope: &scope };
        self.to.call(&finish, || "")?;
        self.copied.sent += 1;
        self.copied.sent_bytes += count;
        Ok(())
    }

    fn is_there(&mut self, digest: &str) -> Result<bool, RegistryError> {
        let call = Call {
            method: "HEAD",
            path: &format!("{}/blobs/{digest}", self.goal),
            headers: &[],
            what: &format!("read {}", self.goal),
            scope: &format!("repository:{}:pull,push", self.goal),
        };
        match self.to.call(&call, || ()) {
            Ok(_) => Ok(true),
            Err(RegistryError::Absent { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// Counts and hashes what passes.
struct Hashing<R> {
    inner: R,
    hash: Sha256,
    count: u64,
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let count = self.inner.read(into)?;
        self.hash.update(&into[..count]);
        self.count += count as u64;
        Ok(count)
    }
}

impl<R> Hashing<R> {
    fn digest(&self) -> String {
        let hash = self.hash.clone().finalize();
        hash.iter().fold("sha256:".to_owned(), |text, byte| format!("{text}{byte:02x}"))
    }
}
