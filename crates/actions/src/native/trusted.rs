//! What a native version's code reaches, where its job is kept in: what steps do, for it works on what they wrote.
//!
//! A path that a step names may be a link, and an absolute one: into the blobs of everybody, say. So the code
//! runs within the steps' walls, and the kernel looks where paths lead. What needs more is asked of
//! [`Step::trusted`](super::step::Step::trusted): a few deeds with names that no step chooses, in blobs and caches.
//! Files are handed over open.

use std::path::PathBuf;

use sandbox::{Hands, Reach, Sandbox};
use serde_json::Value as Json;

use super::step::{Failure, failed_at};

/// The variable that names a file with what the code reaches: `{"read": [..], "change": [..]}`. None where
/// the job is not kept in.
pub const WALLS_VARIABLE: &str = "LAUNCHWAY_WALLS";

/// Does the work within those walls.
pub(super) fn within<T: Send>(
    file: Option<String>,
    work: impl FnOnce(Hands) -> Result<T, Failure> + Send,
) -> Result<T, Failure> {
    let Some(file) = file else { return work(Hands::default()) };
    let file = PathBuf::from(file);
    let text = std::fs::read_to_string(&file).map_err(failed_at("read", &file))?;
    let walls = reach(&text)
        .ok_or_else(|| Failure::new(format!("{} names no walls", file.display())))
        .and_then(|reach| Sandbox::new(&reach).map_err(|it| Failure::new(it.to_string())))?;
    walls.inside_with(work).map_err(|error| Failure::new(error.to_string()))?
}

fn reach(text: &str) -> Option<Reach> {
    let said: Json = serde_json::from_str(text).ok()?;
    let paths = |name: &str| -> Option<Vec<PathBuf>> {
        let all = said[name].as_array()?.iter();
        all.map(|it| it.as_str().map(PathBuf::from)).collect()
    };
    Some(Reach::exactly(paths("read")?, paths("change")?))
}
