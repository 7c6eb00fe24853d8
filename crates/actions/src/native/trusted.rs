//! What a native version's code reaches, where its job is kept in: what steps do, for it works on what they wrote.
//!
//! A path that a step names may be a link, and an absolute one: into the blobs of everybody, say. So the code
//! runs within the steps' walls, and the kernel looks where paths lead. What needs more is asked of
//! [`Step::trusted`](super::step::Step::trusted): a few deeds with names that no step chooses, in blobs and caches.
//! Files are handed over open.

use std::path::PathBuf;

use sandbox::{Hands, Reach, Sandbox, User};
use serde_json::Value as Json;

use super::step::{Failure, failed_at};

/// The variable that names a file with what the code reaches, and whose it is, where that is another user's than
/// ours: `{"read": [..], "change": [..], "user": [20001, 20001]}`. None where the job is not kept in.
pub const WALLS_VARIABLE: &str = "LAUNCHWAY_WALLS";

/// Does the work within those walls, in the workspace.
pub(super) fn within<T: Send>(
    file: Option<String>,
    workspace: Option<String>,
    work: impl FnOnce(Hands) -> Result<T, Failure> + Send,
) -> Result<T, Failure> {
    let Some(file) = file else { return work(Hands::default()) };
    let file = PathBuf::from(file);
    let text = std::fs::read_to_string(&file).map_err(failed_at("read", &file))?;
    let (reach, user) =
        read(&text).ok_or_else(|| Failure::new(format!("{} names no walls", file.display())))?;
    let mut walls = Sandbox::new(&reach).map_err(|it| Failure::new(it.to_string()))?;
    if let Some(user) = user {
        walls = walls.of(user);
    }
    let work = move |hands| {
        // Only its user may go there.
        if let (Some(_), Some(workspace)) = (user, workspace.map(PathBuf::from)) {
            std::env::set_current_dir(&workspace).map_err(failed_at("entered", &workspace))?;
        }
        work(hands)
    };
    walls.inside_with(work).map_err(|error| Failure::new(error.to_string()))?
}

fn read(text: &str) -> Option<(Reach, Option<User>)> {
    let said: Json = serde_json::from_str(text).ok()?;
    let paths = |name: &str| -> Option<Vec<PathBuf>> {
        let all = said[name].as_array()?.iter();
        all.map(|it| it.as_str().map(PathBuf::from)).collect()
    };
    let number = |it: &Json| u32::try_from(it.as_u64()?).ok();
    let user = match &said["user"] {
        Json::Null => None,
        user => Some(User::new(number(&user[0])?, number(&user[1])?)?),
    };
    Some((Reach::exactly(paths("read")?, paths("change")?), user))
}
