//! Tags, and the commits between two of them.

use std::path::Path;

use event::Timestamp;

use crate::RepositoryError;
use crate::discover::Repository;
use crate::git::git_clean;

/// What one commit says is read up to here: nobody writes more, and whoever pushes could.
const MESSAGE_BYTES_MAX: usize = 16 << 10;
/// Between the parts of what git says of a tag: none can have it.
const BREAK: char = '\u{1f}';

/// A tag that leads to a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tagged {
    /// `v1.2.3`
    pub tag: String,
    /// The commit, whether or not the tag is an object of its own.
    pub commit: String,
    /// Who made it, where it is.
    pub by: Option<String>,
    /// When it was made; of a tag that is none of its own when its commit was.
    pub at: Timestamp,
}

/// A commit, with all that it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// Its hash.
    pub id: String,
    /// Those of its parents.
    pub parents: Vec<String>,
    /// Who wrote it.
    pub author: String,
    /// Who committed it: name and address.
    pub committer: (String, String),
    /// All that it says.
    pub message: String,
}

/// What two commits have that the other has not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Apart {
    /// What only the second has, newest first, the newest few.
    pub said: Vec<Said>,
    /// How many only the first has.
    pub only_one: usize,
    /// How many only the second has.
    pub only_other: usize,
}

impl Repository {
    /// The tags of a repository that lead to commits.
    ///
    /// # Errors
    /// When git cannot be asked.
    pub fn tagged(path: &Path) -> Result<Vec<Tagged>, RepositoryError> {
        tags(path, &[])
    }

    /// Those that lead to this commit.
    ///
    /// # Errors
    /// When git cannot be asked.
    pub fn tagged_at(path: &Path, commit: &str) -> Result<Vec<Tagged>, RepositoryError> {
        // Whoever gives a hash gives no option; and what is not here has no tags.
        if !is_there(path, commit)? {
            return Ok(Vec::new());
        }
        tags(path, &[&format!("--points-at={commit}")])
    }

    /// Those that lead to this commit or one before it.
    ///
    /// # Errors
    /// When git cannot be asked.
    pub fn tagged_before(path: &Path, commit: &str) -> Result<Vec<Tagged>, RepositoryError> {
        if !is_there(path, commit)? {
            return Ok(Vec::new());
        }
        tags(path, &[&format!("--merged={commit}")])
    }

    /// The commits that lead to one and not to another, newest first, at most `max`; and how many there are in all.
    ///
    /// # Errors
    /// When git cannot be asked.
    pub fn said_between(
        path: &Path,
        since: Option<&str>,
        until: &str,
        max: usize,
    ) -> Result<(Vec<Said>, usize), RepositoryError> {
        if !is_there(path, until)? {
            return Ok((Vec::new(), 0));
        }
        let range = match since {
            Some(since) if is_there(path, since)? => format!("{since}..{until}"),
            _ => until.to_owned(),
        };
        let count = git_clean(path, &["rev-list", "--count", &range, "--"], &[])?.done()?;
        Ok((listed(path, &range, max)?, count.trim().parse().unwrap_or(max)))
    }

    /// What a commit says alone; none where it is not there.
    ///
    /// # Errors
    /// When git cannot be asked.
    pub fn said_by(path: &Path, commit: &str) -> Result<Option<Said>, RepositoryError> {
        let known = is_there(path, commit)?;
        Ok(if known { listed(path, commit, 1)?.into_iter().next() } else { None })
    }

    /// Two commits apart: what only the second has, newest first, at most `max`; how many those are, and how many
    /// only the first has. None where one of them is not there.
    ///
    /// # Errors
    /// When git cannot be asked.
    pub fn apart(
        path: &Path,
        (one, other): (&str, &str),
        max: usize,
    ) -> Result<Option<Apart>, RepositoryError> {
        if !is_there(path, one)? || !is_there(path, other)? {
            return Ok(None);
        }
        let both = format!("{one}...{other}");
        let args = ["rev-list", "--left-right", "--count", &both, "--"];
        let counts = git_clean(path, &args, &[])?.done()?;
        let mut counts = counts.split_whitespace().map(|it| it.parse().unwrap_or(0));
        let (only_one, only_other) = (counts.next().unwrap_or(0), counts.next().unwrap_or(0));
        let said = listed(path, &format!("{one}..{other}"), max)?;
        Ok(Some(Apart { said, only_one, only_other }))
    }
}

/// The commits of a range, newest first.
fn listed(path: &Path, range: &str, max: usize) -> Result<Vec<Said>, RepositoryError> {
    let limit = format!("--max-count={max}");
    let format = "--format=%H%n%P%n%an%n%cn%n%ce%n%B";
    let args = ["log", "-z", "--topo-order", "--no-show-signature", format, &limit, range, "--"];
    let listed = git_clean(path, &args, &[])?.done()?;
    Ok(listed.split_terminator('\0').filter_map(said).collect())
}

fn is_there(path: &Path, commit: &str) -> Result<bool, RepositoryError> {
    if commit.is_empty() || !commit.bytes().all(|it| it.is_ascii_hexdigit()) {
        return Ok(false);
    }
    let name = format!("{commit}^{{commit}}");
    Ok(git_clean(path, &["cat-file", "-e", &name], &[])?.done().is_ok())
}

fn tags(path: &Path, which: &[&str]) -> Result<Vec<Tagged>, RepositoryError> {
    let parts = [
        "%(refname:lstrip=2)",
        "%(objecttype)",
        "%(objectname)",
        "%(*objecttype)",
        "%(*objectname)",
        "%(creatordate:unix)",
        "%(taggername)",
    ];
    let format = format!("--format={}", parts.join(&BREAK.to_string()));
    let args = [&["for-each-ref", &format][..], which, &["refs/tags/"]].concat();
    let listed = git_clean(path, &args, &[])?.done()?;
    Ok(listed.lines().filter_map(tag).collect())
}

fn tag(line: &str) -> Option<Tagged> {
    let parts: Vec<&str> = line.splitn(7, BREAK).collect();
    let [tag, kind, id, inner_kind, inner_id, at_s, by] = parts[..] else { return None };
    let commit = match (kind, inner_kind) {
        ("commit", _) => id,
        ("tag", "commit") => inner_id,
        _ => return None,
    };
    let by = Some(by.trim()).filter(|it| !it.is_empty()).map(str::to_owned);
    let at = Timestamp(at_s.parse::<u64>().unwrap_or(0).saturating_mul(1000));
    Some(Tagged { tag: tag.to_owned(), commit: commit.to_owned(), by, at })
}

fn said(text: &str) -> Option<Said> {
    let mut parts = text.splitn(6, '\n');
    let (id, parents) = (parts.next()?.trim(), parts.next()?);
    let author = parts.next()?.to_owned();
    let committer = (parts.next()?.to_owned(), parts.next()?.to_owned());
    let mut message = parts.next().unwrap_or_default().to_owned();
    if message.len() > MESSAGE_BYTES_MAX {
        let end = (0..=MESSAGE_BYTES_MAX).rev().find(|at| message.is_char_boundary(*at));
        message.truncate(end.unwrap_or(0));
    }
    let parents = parents.split(' ').filter(|it| !it.is_empty()).map(str::to_owned).collect();
    Some(Said { id: id.to_owned(), parents, author, committer, message })
}
