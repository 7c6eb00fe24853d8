//! Images of containers that steps build.

use std::sync::Arc;

use mask::MaskedText;
use serde::{Deserialize, Serialize};

/// An image that a step built.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuiltImage {
    /// Its names, masked, with their tags: `ghcr.io/octo/app:v2`. None where nobody gave it one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<MaskedText>,
    /// What the engine of this machine knows it by, where it has it: `sha256:..`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<Arc<str>>,
    /// What a registry knows it by, where it was pushed: `sha256:..`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Arc<str>>,
    /// `linux/amd64`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<MaskedText>,
    /// How large it is; none where nobody could say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<ImageSize>,
    /// How long it took to build.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build_ms: Option<u64>,
}

/// How large an image is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageSize {
    /// So many bytes ...
    pub bytes: u64,
    /// ... of this.
    pub of: SizeOf,
}

/// Of what a size is. The two are never compared: one is two or three times the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SizeOf {
    /// The files of an image, as `docker images` says it.
    Unpacked,
    /// What a registry keeps of it and a machine fetches.
    Compressed,
}

impl SizeOf {
    /// The word in the journal, and for people.
    pub fn as_str(self) -> &'static str {
        match self {
            SizeOf::Unpacked => "unpacked",
            SizeOf::Compressed => "compressed",
        }
    }
}

impl BuiltImage {
    /// Its first name without a tag, by which it is known from run to run; none where it has no name.
    pub fn repository(&self) -> Option<&str> {
        self.names.first().map(|name| repository(name.as_str()))
    }
}

/// A name of an image without its tag and digest; a port is no tag.
pub fn repository(name: &str) -> &str {
    let name = name.split('@').next().unwrap_or(name);
    match name.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => repository,
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::repository;

    #[test]
    fn a_repository_is_a_name_without_its_tag() {
        for (name, expect) in [
            ("app", "app"),
            ("app:v2", "app"),
            ("octo/app:v2", "octo/app"),
            ("localhost:5000/app", "localhost:5000/app"),
            ("localhost:5000/app:v2", "localhost:5000/app"),
            ("localhost:5000/app:v2@sha256:00", "localhost:5000/app"),
        ] {
            assert_eq!(repository(name), expect);
        }
    }
}
