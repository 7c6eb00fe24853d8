//! What is recorded of an image that was built: its names, how large it is, how long it took.
//!
//! How large the files of an image are, the engine says, and the worker asks it. Of an image that a builder pushed
//! and the engine does not have, the registry's manifest says how large the packed layers are: another number, and
//! marked as such. What neither knows has no size. A build fails for none of this.

use serde_json::{Value as Json, json};

use super::ask;
use super::build::{Build, Built};
use super::plain::repository_of;
use crate::native::step::Step;

/// Platforms of one image that are recorded; each is an image of its own.
const PLATFORMS_MAX: usize = 10;

/// An image of one platform in a registry.
#[derive(Debug, Default, PartialEq, Eq)]
struct Packed {
    platform: Option<String>,
    size_bytes: Option<u64>,
}

/// Records what was built.
pub(super) fn record(step: &Step, build: &Build, built: &Built) {
    let Some(image) = built.image.as_ref().or(built.unnamed.as_ref()) else { return };
    let took = u64::try_from(built.took.as_millis()).ok();
    let digest = built.digest.as_ref().filter(|it| *it != image);
    if ask(&["image", "inspect", "--format", "{{.Id}}", image]).is_ok_and(|said| said.ok) {
        step.built_image(&json!({
            "names": build.tags, "in_engine": image, "digest": digest, "build_ms": took,
        }));
        return;
    }
    let mut packed = in_registry(build, built);
    if packed.is_empty() {
        step.info(
            "how large the image is, is not recorded: docker does not have it, and no registry tells. `load: true` gives it to docker",
        );
        packed.push(Packed { platform: one(&build.platforms), size_bytes: None });
    }
    for it in packed {
        step.built_image(&json!({
            "names": build.tags, "digest": built.digest, "platform": it.platform,
            "size_bytes": it.size_bytes, "size_of": "compressed", "build_ms": took,
        }));
    }
}

/// What a registry says of what was pushed, platform by platform; nothing where it was not, or none answers.
fn in_registry(build: &Build, built: &Built) -> Vec<Packed> {
    let (Some(tag), Some(digest)) = (build.tags.first(), &built.digest) else { return Vec::new() };
    let name = repository_of(tag);
    let manifest = |digest: &str| {
        let of = format!("{name}@{digest}");
        let said = ask(&["buildx", "imagetools", "inspect", "--raw", &of]).ok()?;
        serde_json::from_str::<Json>(&said.out).ok().filter(|_| said.ok)
    };
    let Some(top) = manifest(digest) else { return Vec::new() };
    if let Some(size_bytes) = packed_bytes(&top) {
        return vec![Packed { platform: one(&build.platforms), size_bytes: Some(size_bytes) }];
    }
    let of_platform = |(platform, digest): (String, String)| {
        let size_bytes = packed_bytes(&manifest(&digest)?)?;
        Some(Packed { platform: Some(platform), size_bytes: Some(size_bytes) })
    };
    platforms(&top).into_iter().filter_map(of_platform).collect()
}

/// The only one.
fn one(platforms: &[String]) -> Option<String> {
    match platforms {
        [one] => Some(one.clone()),
        _ => None,
    }
}

/// What a machine fetches that has nothing of the image; none where this is not the manifest of one.
fn packed_bytes(manifest: &Json) -> Option<u64> {
    let layers = manifest["layers"].as_array()?.iter().map(|it| it["size"].as_u64());
    let all = layers.chain([manifest["config"]["size"].as_u64()]);
    all.collect::<Option<Vec<u64>>>().map(|all| all.into_iter().fold(0, u64::saturating_add))
}

/// The images of an index, each by its platform; what says how they were built is none.
fn platforms(index: &Json) -> Vec<(String, String)> {
    let image = |it: &Json| {
        let part = |name: &str| it["platform"][name].as_str();
        let (os, architecture) = (part("os")?, part("architecture")?);
        let variant = part("variant").map(|it| format!("/{it}")).unwrap_or_default();
        let is_image = (os, architecture) != ("unknown", "unknown");
        let digest = it["digest"].as_str().filter(|_| is_image)?;
        Some((format!("{os}/{architecture}{variant}"), digest.to_owned()))
    };
    let all = index["manifests"].as_array().into_iter().flatten();
    all.filter_map(image).take(PLATFORMS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_says_what_is_fetched_and_an_index_of_what() {
        let manifest =
            json!({ "config": { "size": 5 }, "layers": [{ "size": 30 }, { "size": 7 }] });
        assert_eq!(packed_bytes(&manifest), Some(42));
        let image =
            |digest: &str, platform: Json| json!({ "digest": digest, "platform": platform });
        let index = json!({ "manifests": [
            image("a", json!({ "os": "linux", "architecture": "amd64" })),
            image("b", json!({ "os": "linux", "architecture": "arm64", "variant": "v8" })),
            image("c", json!({ "os": "unknown", "architecture": "unknown" })),
        ] });
        assert_eq!(packed_bytes(&index), None);
        let of = |name: &str, digest: &str| (name.to_owned(), digest.to_owned());
        assert_eq!(platforms(&index), [of("linux/amd64", "a"), of("linux/arm64/v8", "b")]);
    }
}
