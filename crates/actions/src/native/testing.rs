//! Readers that nobody outside needs, for whoever tries them with bytes of any kind.

use std::path::Path;

use super::version::{Range, Version};
use crate::lock::{Lock, LockError};

/// What a lock file says, written anew.
pub fn lock_again(text: &str) -> Result<String, LockError> {
    Ok(Lock::of_text(Path::new("actions.lock"), text)?.render())
}

/// Whether a version fits a range, both as npm writes them. None where one of them cannot be read.
pub fn version_fits(range: &str, version: &str) -> Option<bool> {
    let version = Version::parse(version)?;
    Some(Range::parse(range)?.fits(version))
}
