//! Small words for people.

use mask::MaskedText;

/// Our own words, and what stands in settings and in AWS's own descriptions.
pub(crate) fn text(said: impl Into<String>) -> MaskedText {
    MaskedText::without_secrets(said.into())
}

/// `app:12` of a task definition's ARN; the id of a task's.
pub(crate) fn short(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}

/// Family and revision of a task definition's ARN.
pub(crate) fn revision(arn: &str) -> Option<(&str, u64)> {
    let (family, revision) = short(arn).split_once(':')?;
    Some((family, revision.parse().ok()?))
}
