//! What is connected, with all that is kept of each: for commands on the machine, and for the API.

use serde_json::{Value as Json, json};

use crate::exit::Failure;
use crate::serving::arriving::following;
use crate::serving::data::DataFolder;
use crate::serving::repositories::{self, Connected};

/// A line for each, as `launchway repositories list --format json` writes it.
pub(crate) fn described(data: &DataFolder) -> Result<Vec<Json>, Failure> {
    Ok(repositories::all(data)?.iter().map(|it| line(data, it)).collect())
}

fn line(data: &DataFolder, it: &Connected) -> Json {
    let no_tip = matches!(it.tip(), Ok(None)).then(|| it.no_tip());
    json!({
        "name": it.name, "path": it.path.display().to_string(),
        "default_branch": it.branch().ok().flatten(),
        "rules": it.rules,
        "environments": it.environments, "labels": it.labels,
        "github": it.github, "followed": it.followed, "incidents": it.incidents,
        "trouble": trouble(data, it), "no_tip": no_tip,
    })
}

/// Why one elsewhere cannot be looked at now.
fn trouble(data: &DataFolder, connected: &Connected) -> Option<String> {
    let followed = connected.followed.as_ref()?;
    following::trouble(data, &connected.name, followed).ok().flatten()
}
