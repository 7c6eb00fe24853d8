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

/// Layers of an image, and images of a list: docker makes 127 layers at the most.
const NAMED_MAX: usize = 1_000;
/// Bytes of one layer. The registries that say a limit say less.
const BLOB_BYTES_MAX: u64 = 1 << 40;
/// Lists in lists: an image in a list of platforms is one deep.
pub(crate) const LISTS_MAX: u32 = 4;
/// Hex digits of SHA-256.
const DIGEST_DIGITS: usize = 64;

/// Why bytes are no manifest that can be worked with.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoManifest {
    /// They are no JSON object.
    #[error("it is no JSON object")]
    NoJson,
    /// Of a form that is kept no more, or is not known.
    #[error("its form is not known: schemaVersion is {0}, not 2")]
    Form(String),
    /// It names something by what is no digest.
    #[error("it names something by what is no digest of SHA-256")]
    NoDigest,
    /// It is a list in a list in a list.
    #[error("it is a list in more than {LISTS_MAX} others")]
    TooDeep,
    /// It names more than anybody has.
    #[error("it names {count} things, which are more than {NAMED_MAX}")]
    TooMany {
        /// How many.
        count: usize,
    },
    /// Something that it names would be larger than anything is.
    #[error("it names something of {bytes} bytes, which are more than {BLOB_BYTES_MAX}")]
    TooLarge {
        /// How many bytes.
        bytes: u64,
    },
}

impl Manifest {
    /// The manifest that these bytes are. What it names, it names by digests: they become parts of
    /// addresses.
    ///
    /// # Errors
    /// When it is none.
    pub fn read(bytes: Vec<u8>, content_type: Option<&str>) -> Result<Manifest, NoManifest> {
        let json: Json = serde_json::from_slice(&bytes).map_err(|_| NoManifest::NoJson)?;
        if !json.is_object() {
            return Err(NoManifest::NoJson);
        }
        if json["schemaVersion"] != 2 {
            return Err(NoManifest::Form(json["schemaVersion"].to_string()));
        }
        let list = |key: &str| json[key].as_array().map_or(&[][..], Vec::as_slice);
        let count = list("layers").len().max(list("manifests").len());
        if count > NAMED_MAX {
            return Err(NoManifest::TooMany { count });
        }
        let config = json.get("config").filter(|it| !it.is_null());
        for named in config.into_iter().chain(list("layers")).chain(list("manifests")) {
            if !named["digest"].as_str().is_some_and(is_digest) {
                return Err(NoManifest::NoDigest);
            }
            let bytes = named["size"].as_u64().unwrap_or(0);
            if bytes > BLOB_BYTES_MAX {
                return Err(NoManifest::TooLarge { bytes });
            }
        }
        let said = json["mediaType"].as_str().or(content_type).unwrap_or(ACCEPT[2]);
        let media_type = said.split(';').next().unwrap_or(said).trim().to_owned();
        Ok(Manifest { media_type, digest: digest_of(&bytes), bytes })
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

fn is_digest(text: &str) -> bool {
    let hex = text.strip_prefix("sha256:").unwrap_or_default();
    let is_hex = |it: u8| it.is_ascii_digit() || (b'a'..=b'f').contains(&it);
    hex.len() == DIGEST_DIGITS && hex.bytes().all(is_hex)
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(text: &str, expect: &Expect) {
        let text = text.replace("DIGEST", &format!("sha256:{}", "a".repeat(DIGEST_DIGITS)));
        let said = match Manifest::read(text.into_bytes(), Some("application/json; charset=utf-8"))
        {
            Ok(it) => format!(
                "{}, {} blobs, {} bytes, {} children",
                it.media_type,
                it.blobs().len(),
                it.size_bytes(),
                it.children().len()
            ),
            Err(error) => error.to_string(),
        };
        expect.assert_eq(&said);
    }

    #[test]
    fn what_a_manifest_names_are_digests() {
        check(
            r#"{"schemaVersion": 2, "config": {"digest": "DIGEST", "size": 2},
                "layers": [{"digest": "DIGEST", "size": 3}, {"digest": "DIGEST", "urls": ["x"]}]}"#,
            &expect!["application/json, 2 blobs, 5 bytes, 0 children"],
        );
        check(
            r#"{"schemaVersion": 2, "mediaType": "an/index", "manifests": [{"digest": "DIGEST"}]}"#,
            &expect!["an/index, 0 blobs, 0 bytes, 1 children"],
        );
        check("hello", &expect!["it is no JSON object"]);
        check("[]", &expect!["it is no JSON object"]);
        check(
            r#"{"schemaVersion": 1}"#,
            &expect!["its form is not known: schemaVersion is 1, not 2"],
        );
        check(
            r#"{"schemaVersion": 2, "layers": [{"digest": "../../v2/other/blobs/x"}]}"#,
            &expect!["it names something by what is no digest of SHA-256"],
        );
        check(
            r#"{"schemaVersion": 2, "manifests": [{"size": 1}]}"#,
            &expect!["it names something by what is no digest of SHA-256"],
        );
        check(
            r#"{"schemaVersion": 2, "layers": [{"digest": "DIGEST", "size": 18446744073709551615}]}"#,
            &expect![
                "it names something of 18446744073709551615 bytes, which are more than 1099511627776"
            ],
        );
    }
}
