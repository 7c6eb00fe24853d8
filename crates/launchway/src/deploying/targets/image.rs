//! Which image is meant, where one is named.

use event::Release;
use settings::{RunsAs, ServiceInEnvironment};

use super::Shipped;
use crate::exit::{Exit, Failure};

/// A digest of an image: `sha256:` and so many digits of hex.
const DIGEST_DIGITS: usize = 64;

/// Whether releases of it are images.
pub(crate) fn is_image(resolved: &ServiceInEnvironment) -> bool {
    match &resolved.target {
        settings::Target::Ecs(_) | settings::Target::Kubernetes(_) => true,
        settings::Target::Host(host) => host.runs_as == RunsAs::Container,
    }
}

/// The image that was named, by its digest: a tag may be another image tomorrow.
pub(super) fn release(
    resolved: &ServiceInEnvironment,
    shipped: &Shipped<'_>,
) -> Result<Release, Failure> {
    let name = &resolved.service.name.value;
    let usage = |message: String| {
        Failure::new(Exit::Usage, message).hint(format!(
            "--image {name}=REPOSITORY@sha256:..., as the registry says after a push"
        ))
    };
    let image = shipped.image.ok_or_else(|| usage(format!("which image is {name}?")))?;
    let (location, digest) = match image.split_once('@') {
        Some((location, digest)) => (Some(location), digest),
        None => (None, image),
    };
    let hex = digest.strip_prefix("sha256:").unwrap_or_default();
    let is_hex = |it: u8| it.is_ascii_digit() || (b'a'..=b'f').contains(&it);
    if hex.len() != DIGEST_DIGITS || !hex.bytes().all(is_hex) || location == Some("") {
        return Err(usage(format!("{image} names no image by its digest")));
    }
    // Beside a digest a tag says nothing.
    let untagged = |it: &str| match it.rsplit_once(':') {
        Some((location, tag)) if !tag.contains('/') => location.to_owned(),
        _ => it.to_owned(),
    };
    Ok(Release {
        version: shipped.version.into(),
        digest: digest.into(),
        location: location.map(|it| untagged(it).into()),
        commit: shipped.commit.map(Into::into),
    })
}
