//! What reaches an environment with a job that waits at its gate: the commits since the one that ran well there last.

use repository::{Repository, Said};
use server::{Change, Changes};

use crate::exit::{Exit, Failure};
use crate::serving::data::DataFolder;
use crate::serving::drive::stood;
use crate::serving::repositories::Connected;

/// Commits that are told; of more, how many they are.
const CHANGES_MAX: usize = 50;

/// From what ran well there last, as far as jobs tell, to `commit`.
///
/// # Errors
/// When the repository cannot be asked, or does not have the commit any more.
pub(super) fn changes(
    data: &DataFolder,
    connected: &Connected,
    (environment, commit): (&str, &str),
) -> Result<Changes, Failure> {
    let path = &*connected.path;
    let stood = stood::commit(data, &connected.name, environment)?;
    if let Some(since) = stood
        && let Some(apart) = Repository::apart(path, (&since, commit), CHANGES_MAX)?
    {
        let (count, lost) = (apart.only_other, apart.only_one);
        return Ok(Changes { since: Some(since), commits: lines(apart.said), count, lost });
    }
    // One that was forced away cannot be counted from.
    let own = Repository::said_by(path, commit)?.ok_or_else(|| {
        let message = format!("{} does not have {commit} any more", connected.name);
        Failure::new(Exit::Missing, message)
    })?;
    Ok(Changes { count: 1, commits: lines(vec![own]), ..Changes::default() })
}

fn lines(said: Vec<Said>) -> Vec<Change> {
    let line = |it: Said| Change {
        subject: it.message.lines().next().unwrap_or_default().to_owned(),
        commit: it.id,
        by: it.author,
    };
    said.into_iter().map(line).collect()
}
