//! What reaches an environment with a job that waits at its gate: the commits since the one that ran well there last.

use repository::{Repository, Said};
use server::{Change, Changes};

use crate::exit::Failure;
use crate::serving::data::DataFolder;
use crate::serving::drive::stood;
use crate::serving::repositories::Connected;

/// Commits that are told; of more, how many they are.
const CHANGES_MAX: usize = 50;

/// From what ran well there last, as far as jobs tell, to `commit`.
///
/// # Errors
/// When the repository cannot be asked.
pub(super) fn changes(
    data: &DataFolder,
    connected: &Connected,
    (environment, commit): (&str, &str),
) -> Result<Changes, Failure> {
    let path = &*connected.path;
    let stood = stood::commit(data, &connected.name, environment)?;
    // One that was forced away cannot be counted from.
    let since = match stood {
        Some(it) if Repository::knows(path, &it)? => Some(it),
        _ => None,
    };
    let Some(before) = since.as_deref() else {
        let (own, _) = Repository::said_between(path, None, commit, 1)?;
        return Ok(Changes { count: own.len(), commits: lines(own), ..Changes::default() });
    };
    let (said, count) = Repository::said_between(path, Some(before), commit, CHANGES_MAX)?;
    let (_, lost) = Repository::said_between(path, Some(commit), before, 0)?;
    Ok(Changes { commits: lines(said), count, lost, since })
}

fn lines(said: Vec<Said>) -> Vec<Change> {
    let line = |it: Said| Change {
        subject: it.message.lines().next().unwrap_or_default().to_owned(),
        commit: it.id,
        by: it.author,
    };
    said.into_iter().map(line).collect()
}
