//! Whether images are in their registry: those of ECR can be asked for.

use aws::{Client, Fault};

/// Digits of an account.
const ACCOUNT_DIGITS: usize = 12;

/// An image in a repository of ECR.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct InRegistry<'a> {
    account: &'a str,
    region: &'a str,
    repository: &'a str,
    /// Its digest, else its tag.
    image: &'a str,
}

impl<'a> InRegistry<'a> {
    /// Of an image as a task definition names it; none where it is in no private registry of AWS.
    pub(crate) fn of(image: &'a str) -> Option<InRegistry<'a>> {
        let (host, path) = image.split_once('/')?;
        let mut parts = host.split('.');
        let (account, dkr, ecr, region) =
            (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let is_account =
            account.len() == ACCOUNT_DIGITS && account.bytes().all(|it| it.is_ascii_digit());
        if !is_account || (dkr, ecr, parts.next()?) != ("dkr", "ecr", "amazonaws") {
            return None;
        }
        let (name, digest) = match path.split_once('@') {
            Some((name, digest)) => (name, Some(digest)),
            None => (path, None),
        };
        // Beside a digest a tag says nothing.
        let (repository, tag) = name.rsplit_once(':').unwrap_or((name, "latest"));
        Some(InRegistry { account, region, repository, image: digest.unwrap_or(tag) })
    }
}

/// Asks for it.
pub(crate) fn is_there(client: &mut Client, at: &InRegistry<'_>) -> Result<bool, Fault> {
    client.in_region(at.region, |it| it.has_image((at.account, at.repository), at.image))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_of_ecr_are_told_from_others() {
        let host = "111122223333.dkr.ecr.eu-central-1.amazonaws.com";
        let read = |path: &str| {
            let image = format!("{host}/{path}");
            let at = InRegistry::of(&image).expect("it is one");
            assert_eq!((at.account, at.region), ("111122223333", "eu-central-1"));
            format!("{} {}", at.repository, at.image)
        };
        assert_eq!(read("planner/api:v1"), "planner/api v1");
        assert_eq!(read("planner"), "planner latest");
        assert_eq!(read("planner:v1@sha256:1"), "planner sha256:1");
        for other in ["nginx", "public.ecr.aws/nginx/nginx:1", "ghcr.io/a/b@sha256:1"] {
            assert_eq!(InRegistry::of(other), None, "{other}");
        }
    }
}
