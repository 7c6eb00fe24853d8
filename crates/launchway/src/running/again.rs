//! Going on with a run, or running it once more: what the journal does not keep is asked for again.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use event::{RunRequest, StreamId, Terms};
use mask::Secret;
use protocol::JobOptions;
use repository::{Bounds, HeldStore, PrivateStore, Repository, RepositoryError};
use store::Store;

use crate::cli::AgainArgs;
use crate::exit::{Exit, Failure};
use crate::kept;
use crate::running::engine::{Engine, LOCK_FILE};
use crate::running::files::write_beside;
use crate::running::given;
use crate::running::levels::Levels;
use crate::running::walls::{KeptIn, limits};
use crate::serving::repositories::default_branch::pinned;
use crate::serving::repositories::keeping;
use crate::state::StateFolder;

/// The request that a stream begins with.
pub(crate) fn request(store: &Store, stream: StreamId) -> Result<RunRequest, Failure> {
    match crate::journal::events(store, stream)?.into_iter().next() {
        Some(event::RunEvent::RunCreated(request)) => Ok(*request),
        _ => Err(Failure::new(Exit::Fault, format!("{stream} does not begin with RunCreated"))),
    }
}

/// An engine for the run of `request`, with the secrets it had.
pub(crate) fn engine(
    state: &StateFolder,
    store: Arc<Store>,
    request: &RunRequest,
    args: &AgainArgs,
) -> Result<Engine, Failure> {
    let mut secrets = given::secrets(&args.secrets, args.secret_file.as_deref())?;
    let path = PathBuf::from(&*request.repository_path);
    let Known { identity, levels, lock_file } = Known::of(state, &path, &request.change.commit)?;
    if !request.terms.outside {
        kept::add_secrets(state, &identity, &mut secrets)?;
    }
    check_secrets(request, &secrets)?;
    let terms = terms(args)?;
    let has_images = !request.terms.and(&terms).images.is_empty();
    Ok(Engine {
        state: state.clone(),
        store,
        secrets,
        options: JobOptions {
            offline: args.offline,
            committed: request.terms.committed,
            ..JobOptions::default()
        },
        terms,
        // Whoever serves says who else.
        kept_in: KeptIn {
            secret: args.secret_file.iter().cloned().collect(),
            limits: limits::claimed(&args.limits, has_images)?,
            ..KeptIn::default()
        },
        levels,
        lock_file,
        repository: path,
        identity,
        width: crate::running::engine::processors(),
    })
}

/// What is known of the repository that a run is of.
pub(crate) struct Known {
    pub(crate) identity: String,
    pub(crate) levels: Levels,
    pub(crate) lock_file: PathBuf,
}

impl Known {
    /// Of a work tree what stands in it; of a bare repository what is committed: levels at the tip of
    /// the default branch, so that no branch raises its own, the lock file at the run's commit. Values are
    /// kept for it under the name that it is connected under.
    pub(crate) fn of(state: &StateFolder, path: &Path, commit: &str) -> Result<Known, Failure> {
        let branch = pinned(state, path)?;
        let of_tip = (branch.as_deref(), settings::FILE);
        let bounds = match Bounds::of(path, (commit, LOCK_FILE), of_tip) {
            // Of a repository that is gone nothing is kept.
            Err(RepositoryError::NoFolder { .. }) => None,
            bounds => bounds?,
        };
        let Some(bounds) = bounds else {
            let identity = Repository::discover(path).map(|it| it.identity).unwrap_or_default();
            let lock_file = path.join(LOCK_FILE);
            return Ok(Known { identity, levels: Levels::of(path), lock_file });
        };
        let lock_file = state.root().join("locks").join(commit).join(LOCK_FILE);
        if let Some(text) = bounds.of_commit
            && !lock_file.exists()
        {
            write_beside(&lock_file, text.as_bytes())
                .map_err(|error| Failure::caused(Exit::Missing, error))?;
        }
        let levels = Levels::of_text(bounds.of_tip.as_deref());
        // For one that is connected no more nothing is kept.
        let identity = keeping::owner(state, path)?.unwrap_or_default();
        Ok(Known { identity, levels, lock_file })
    }
}

/// What a run was made from besides the repository has to be there still, and stays from now on.
pub(crate) fn hold_store(
    state: &StateFolder,
    request: &RunRequest,
) -> Result<Option<HeldStore>, Failure> {
    let Some(name) = &request.change.store else { return Ok(None) };
    if let Some(held) = PrivateStore::hold(&state.snapshots(), name)? {
        return Ok(Some(held));
    }
    let message = format!("the files that run {} was made from are not kept any more", request.run);
    Err(Failure::new(Exit::Missing, message).hint("launchway run makes a new run of what is there"))
}

/// What is agreed to now, on top of what the run's request keeps.
pub(crate) fn terms(args: &AgainArgs) -> Result<Terms, Failure> {
    given::terms(&args.environments, &args.labels, false)
}

/// The journal keeps the names of a run's secrets, never a value: they are needed again, or the run
/// would go on with empty ones.
fn check_secrets(request: &RunRequest, given: &BTreeMap<String, Secret>) -> Result<(), Failure> {
    let missing: Vec<&str> = request
        .secret_names
        .iter()
        .filter(|name| !given.contains_key(*name))
        .map(String::as_str)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let flags: Vec<String> = missing.iter().map(|name| format!("--secret {name}")).collect();
    Err(Failure::new(
        Exit::Usage,
        format!("the run had secrets that are needed again: {}", missing.join(", ")),
    )
    .hint(format!("{}  (each is taken from the environment, or asked for)", flags.join(" "))))
}
