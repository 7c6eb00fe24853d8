//! What ran in an environment last, as far as jobs tell: the commit of the newest that ended well. It
//! says whose commits reach the environment with the next one. Where it is lost, more is asked for,
//! not less.

use event::Digest;
use serde::{Deserialize, Serialize};

use crate::exit::Failure;
use crate::serving::data::{self, DataFolder};

#[derive(Serialize, Deserialize)]
struct Stood {
    repository: String,
    environment: String,
    commit: String,
}

fn path(data: &DataFolder, repository: &str, environment: &str) -> std::path::PathBuf {
    let name = format!("{repository}\n{}", environment.to_lowercase());
    data.path("environments").join(format!("{}.json", Digest::of(name.as_bytes())))
}

/// The commit; none where nothing is known.
pub(crate) fn commit(
    data: &DataFolder,
    repository: &str,
    environment: &str,
) -> Result<Option<String>, Failure> {
    let stood: Option<Stood> = data::read(&path(data, repository, environment))?;
    Ok(stood.map(|it| it.commit))
}

/// A job of this commit ended well there.
pub(crate) fn remember(
    data: &DataFolder,
    repository: &str,
    environment: &str,
    commit: &str,
) -> Result<(), Failure> {
    let [repository, environment, commit] = [repository, environment, commit].map(str::to_owned);
    let path = path(data, &repository, &environment);
    data::write(&path, &Stood { repository, environment, commit })
}
