//! A manifest: the list of what an image is made of, or of images for several platforms.

use serde_json::Value as Json;
use sha2::{Digest as _, Sha256};

/// A manifest as a registry keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// `application/vnd.oci.image.manifest.v1+json`
    pub media_type: String,
    /// Its bytes; its digest is over exactly these.
    pub bytes: Vec<u8>,
    /// `sha256:...`
    pub digest: String,
}

/// Bytes that a manifest names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blob {
    /// `sha256:...`
    pub digest: String,
    /// How many there are.
    pub size_bytes: u64,
}

/// What is asked for: every form in which images are kept today.
pub(crate) const ACCEPT: &[&str] = &[
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
];

/// The digest of bytes, as registries write it.
pub(crate) fn digest_of(bytes: &[u8]) -> String {
    let hash = Sha256::digest(bytes);
    hash.iter().fold("sha256:".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}

impl Manifest {
    /// The manifest that these bytes are.
    pub(crate) fn new(bytes: Vec<u8>, content_type: Option<&str>) -> Manifest {
        let json: Json = serde_json::from_slice(&bytes).unwrap_or_default();
        let said = json["mediaType"].as_str().or(content_type).unwrap_or(ACCEPT[2]);
        let media_type = said.split(';').next().unwrap_or(said).trim().to_owned();
        Manifest { media_type, digest: digest_of(&bytes), bytes }
    }

    fn json(&self) -> Json {
        serde_json::from_slice(&self.bytes).unwrap_or_default()
    }

    /// The digest of the image's own description: what docker calls the image's id.
    pub fn config(&self) -> Option<Blob> {
        blob(&self.json()["config"])
    }

    /// Everything of an image that is no manifest: its description, then its layers. Layers that lie
    /// elsewhere by their nature (`urls`) are not part of it.
    pub fn blobs(&self) -> Vec<Blob> {
        let json = self.json();
        let layers = json["layers"].as_array().into_iter().flatten();
        let own = layers.filter(|it| it["urls"].is_null());
        std::iter::once(&json["config"]).chain(own).filter_map(blob).collect()
    }

    /// The digests of the manifests that it lists, where it is a list.
    pub fn children(&self) -> Vec<String> {
        let json = self.json();
        let children = json["manifests"].as_array().into_iter().flatten();
        children.filter_map(|it| it["digest"].as_str().map(str::to_owned)).collect()
    }

    /// The bytes of all that it names.
    pub fn size_bytes(&self) -> u64 {
        self.blobs().iter().map(|it| it.size_bytes).sum()
    }
}

fn blob(json: &Json) -> Option<Blob> {
    let size_bytes = json["size"].as_u64().unwrap_or(0);
    Some(Blob { digest: json["digest"].as_str()?.to_owned(), size_bytes })
}
