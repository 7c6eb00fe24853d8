//! Copies of a server's folder, made while it is used, and folders made of them.
//!
//! ```text
//! files (inbox, tokens, vault) ─▶ other databases ─▶ journal ─▶ what events name (blobs, logs)
//! ```
//!
//! In this order nothing is missing: an order that was taken from the inbox meanwhile is in the journal,
//! and one that is in both makes its run once; what reads the journal by a cursor has an older one; a
//! blob is there before the event that names it, and none is removed while the lock is held. A copy has
//! its name only when it is whole: until then the folder's name ends in `.partial`.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use event::Timestamp;
use serde::{Deserialize, Serialize};
use store::{Database, Store, VaultHeld, copy_database};

use super::database;
use super::standing_by;
use crate::cli::DatabaseArgs;
use crate::exit::{Exit, Failure, Outcome};
use crate::kept;
use crate::serving::data::{self, DataFolder, cannot};
use crate::serving::repositories;
use crate::state::acting;
use crate::terminal::style::{out, talk};
use crate::terminal::time::{moment, now};

/// Says that a folder is a whole copy.
const MANIFEST: &str = "backup.json";
/// Says that a folder is a copy on its way, which nobody needs any more when its process is gone.
const UNDER_WAY: &str = "backup.under-way";
const VERSION: u32 = 1;
/// What to do about a copy that is none.
const ANOTHER_COPY: &str = "restore another copy; launchway serve backup --data DIR makes one";
/// Says where copies were put.
const COPIES: &str = "copies.json";
/// Copies that are remembered: more lie nowhere at a time.
const COPIES_MAX: usize = 1_000;

/// What belongs to processes that run, to this machine, or can be made again.
const LEFT_OUT: &[&str] = &[
    "server.lock",
    "server.json",
    "lock",
    "owners",
    "groups",
    "jobs",
    "job-tokens",
    "places",
    "caches",
    "tools",
    "users",
    "actions",
    "sessions",
    "shared",
    "host",
    "demo",
    // What came since the copy was taken by its original: it is not taken once more.
    "taken",
    "followed",
    "incoming",
    "looked",
    "repositories.lock",
    COPIES,
    MANIFEST,
    UNDER_WAY,
];
/// What events name: copied behind them.
const NAMED: &[&str] = &["blobs", "logs"];
const JOURNAL: &str = "journal.db";
/// Instead of it, and of the database that the folder belongs to: what that held.
const DUMP: &str = "journal.dump";

#[derive(Serialize, Deserialize)]
struct Manifest {
    version: u32,
    at_ms: Timestamp,
    /// The journal's newest event.
    position: u64,
    /// The folder that it is a copy of; none where an older Launchway made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    root: Option<PathBuf>,
    /// How many files it has, by the name of what lies in its folder; nothing where an older Launchway made it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    files: BTreeMap<String, u64>,
}

/// Copies that were made, and are still there or on their way: whoever reads them reads the server's secrets.
#[derive(Default, Serialize, Deserialize)]
struct Copies {
    folders: Vec<PathBuf>,
}

/// Where copies of a server's folder lie, as far as they were made from it and not moved since.
pub(crate) fn copies(root: &Path) -> Vec<PathBuf> {
    let known: Copies = data::read(&root.join(COPIES)).ok().flatten().unwrap_or_default();
    known.folders.into_iter().flat_map(|it| [partial_of(&it), it]).collect()
}

/// Before anything lies there.
fn remember(root: &Path, to: &Path) -> Result<(), Failure> {
    let path = root.join(COPIES);
    let mut known = data::read::<Copies>(&path)?.unwrap_or_default();
    known.folders.retain(|it| it != to && (it.exists() || partial_of(it).exists()));
    known.folders.push(to.to_owned());
    let too_many = known.folders.len().saturating_sub(COPIES_MAX);
    known.folders.drain(..too_many);
    data::write(&path, &known)
}

/// Copies the folder.
pub(crate) fn make(data: &DataFolder, to: &Path) -> Outcome {
    let root = data.state.root();
    let database = store::database_of(root).map_err(missing)?;
    if database.is_none() && !root.join(JOURNAL).is_file() {
        let message = format!("{} is no server's folder: it has no journal", root.display());
        return Err(Failure::new(Exit::Usage, message).hint("name it: --data DIR"));
    }
    let to = absolute(to)?;
    if to.starts_with(root) {
        let message = format!("{} lies in the folder that is copied", to.display());
        return Err(Failure::new(Exit::Usage, message));
    }
    must_be_empty(&to)?;
    // The copy is whoever's makes it; what is written into the folder is its owner's.
    let opened = acting::once_as_owner(root, || -> Result<_, Failure> {
        remember(root, &to)?;
        data.record("server.backup", to.display().to_string())?;
        let store = Store::open(root).map_err(missing)?;
        let held = store.blobs().hold().map_err(missing)?;
        Ok((store, held))
    });
    let (store, _held) = opened??;
    let partial = begin(&to)?;
    // What is appended meanwhile may be in the copy, too.
    let position = store.newest_position().map_err(missing)?;
    let is_later = |name: &str| NAMED.contains(&name) || is_database(name);
    for name in names(root)?.iter().filter(|it| !LEFT_OUT.contains(&it.as_str()) && !is_later(it)) {
        let _held = hold_vault(data, name)?;
        copy(&root.join(name), &partial.join(name))?;
    }
    for name in names(root)?.iter().filter(|it| it.ends_with(".db") && *it != JOURNAL) {
        copy_database(&root.join(name), &partial.join(name)).map_err(missing)?;
    }
    match &database {
        None => copy_database(&root.join(JOURNAL), &partial.join(JOURNAL)).map_err(missing)?,
        Some(database) => database::copy_out(database, &partial.join(DUMP))?,
    }
    for name in NAMED.iter().filter(|it| root.join(it).exists()) {
        copy(&root.join(name), &partial.join(name))?;
    }
    let at_ms = now();
    let mut files = BTreeMap::new();
    for name in names(&partial)?.into_iter().filter(|it| it != UNDER_WAY) {
        files.insert(name.clone(), files_in(&partial.join(name))?);
    }
    let manifest =
        Manifest { version: VERSION, at_ms, position, root: Some(root.to_owned()), files };
    data::write(&partial.join(MANIFEST), &manifest)?;
    finish(&partial, &to)?;
    out(&format!("copied {position} events, as of {}, to {}", moment(at_ms), to.display()));
    Ok(Exit::Done)
}

/// The key that is copied is that of the values beside it: it is changed before, or after.
fn hold_vault(data: &DataFolder, name: &str) -> Result<Option<VaultHeld>, Failure> {
    let root = data.state.root();
    if root.join(name) != data.state.vault() {
        return Ok(None);
    }
    let held = acting::once_as_owner(root, || kept::vault(&data.state).hold())?;
    held.map_err(kept::failed)
}

/// Makes a folder of a copy.
pub(crate) fn restore(
    data: &DataFolder,
    from: &Path,
    is_taken_over: bool,
    args: &DatabaseArgs,
) -> Outcome {
    let manifest: Option<Manifest> = data::read(&from.join(MANIFEST))?;
    let Some(manifest) = manifest else {
        let message = format!("{} is no whole copy of a server's folder", from.display());
        return Err(
            Failure::new(Exit::Usage, message).hint("launchway serve backup --data DIR makes one")
        );
    };
    if manifest.version > VERSION {
        let message = format!("{} was made by a newer version", from.display());
        return Err(Failure::new(Exit::Refused, message));
    }
    must_be_whole(from, &manifest)?;
    let database = wanted(from, args)?;
    let to = data.state.root().to_path_buf();
    must_be_empty(&to)?;
    let partial = begin(&to)?;
    for name in names(from)?.iter().filter(|it| ![MANIFEST, DUMP].contains(&it.as_str())) {
        copy(&from.join(name), &partial.join(name))?;
    }
    if let Some((database, file)) = &database {
        database::copy_in(database, &from.join(DUMP))?;
        // That it is the journal which the folder belonged to is proven here.
        store::attach(&partial, database, file.as_deref()).map_err(missing)?;
    }
    let proven = prove(&partial, from, &manifest)?;
    let copy = DataFolder::of(Some(&partial), None)?;
    repositories::relocate(&copy, manifest.root.as_deref(), &to)?;
    copy.record("server.restore", format!("a copy of {}", moment(manifest.at_ms)))?;
    match is_taken_over {
        true => standing_by::take_over(&copy, manifest.at_ms)?,
        false => standing_by::begin(&partial, manifest.at_ms)?,
    }
    finish(&partial, &to)?;
    out(&format!(
        "{} has the server of {}: {} events, every one proven",
        to.display(),
        moment(manifest.at_ms),
        proven
    ));
    if !is_taken_over {
        talk(
            "it stands by: it acts when launchway serve --take-over says that the original serves no more",
        );
    }
    talk(
        "hooks of its repositories name the folder that they were connected with: launchway repositories add writes them again",
    );
    Ok(Exit::Done)
}

/// Refuses a copy of which something was removed since. What came to it harms nobody.
fn must_be_whole(from: &Path, manifest: &Manifest) -> Result<(), Failure> {
    let lacks = |what: String| {
        let message = format!("the copy in {} is not whole: {what}", from.display());
        Err(Failure::new(Exit::Refused, message).hint(ANOTHER_COPY))
    };
    if !from.join(JOURNAL).is_file() && !from.join(DUMP).is_file() {
        return lacks(format!("it has no journal ({JOURNAL})"));
    }
    for (name, expected) in &manifest.files {
        match files_in(&from.join(name))? {
            0 if !from.join(name).exists() => return lacks(format!("{name} is missing")),
            found if found < *expected => {
                return lacks(format!("{name} has {found} of {expected} files"));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Proves the journal, and that it goes as far as it did when it was copied; how many events it has.
fn prove(partial: &Path, from: &Path, manifest: &Manifest) -> Result<u64, Failure> {
    let failed = |error: anyhow::Error, what: &str| {
        let context = format!("the copy in {} {what}", from.display());
        let mut failure = Failure::caused(Exit::Refused, error.context(context));
        // What the journal's error advises is for a folder that is served.
        failure.hints.clear();
        failure.hint(ANOTHER_COPY)
    };
    let is_damaged = |error: store::StoreError| failed(error.into(), "is damaged");
    let copied = Store::open(partial).map_err(is_damaged)?;
    let proven = copied.verify().map_err(|error| failed(error.into(), "was altered"))?;
    let newest = copied.newest_position().map_err(is_damaged)?;
    if newest < manifest.position {
        let message = format!(
            "the journal of the copy in {} ends at event {newest}, and was copied at {}",
            from.display(),
            manifest.position
        );
        return Err(Failure::new(Exit::Refused, message).hint(ANOTHER_COPY));
    }
    Ok(proven.events)
}

/// The database that gets the copy's journal; none where that is a file of the folder.
fn wanted(
    from: &Path,
    args: &DatabaseArgs,
) -> Result<Option<(Database, Option<PathBuf>)>, Failure> {
    if from.join(DUMP).is_file() {
        if let Some(wanted) = database::wanted(args)? {
            return Ok(Some(wanted));
        }
        let message = format!("the journal in {} is that of a database", from.display());
        return Err(Failure::new(Exit::Usage, message)
            .hint("name an empty one: --database postgres://USER@HOST/DATABASE"));
    }
    if args.url.is_some() || args.file.is_some() {
        let message = format!("the journal in {} is a file, and stays one", from.display());
        return Err(Failure::new(Exit::Usage, message).hint("leave --database out"));
    }
    Ok(None)
}

fn missing<E: Into<anyhow::Error>>(error: E) -> Failure {
    Failure::caused(Exit::Missing, error)
}

fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    std::path::absolute(path).map_err(|error| cannot("find", path, error))
}

fn is_database(name: &str) -> bool {
    [".db", ".db-wal", ".db-shm"].iter().any(|ending| name.ends_with(ending))
}

fn must_be_empty(folder: &Path) -> Result<(), Failure> {
    let is_empty = match fs::read_dir(folder) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) if error.kind() == ErrorKind::NotFound => true,
        Err(error) => return Err(cannot("look at", folder, error)),
    };
    if is_empty {
        return Ok(());
    }
    let message = format!("{} is not empty; nothing is written over", folder.display());
    Err(Failure::new(Exit::Forbidden, message).hint("name a folder that is not there yet"))
}

/// The folder that is filled, before it has its name. What a killed process left there goes away.
fn begin(to: &Path) -> Result<PathBuf, Failure> {
    let partial = partial_of(to);
    if partial.exists() {
        // One that is empty was made by somebody who was killed before the mark.
        if !partial.join(UNDER_WAY).exists() && !names(&partial)?.is_empty() {
            let message = format!("{} is in the way", partial.display());
            return Err(Failure::new(Exit::Forbidden, message).hint("move it away"));
        }
        fs::remove_dir_all(&partial).map_err(|error| cannot("remove", &partial, error))?;
    }
    fs::create_dir_all(&partial).map_err(|error| cannot("make", &partial, error))?;
    // Whoever may read it may read the secrets.
    let only_ours = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    fs::set_permissions(&partial, only_ours).map_err(|error| cannot("close", &partial, error))?;
    let mark = partial.join(UNDER_WAY);
    File::create(&mark).map_err(|error| cannot("write", &mark, error))?;
    Ok(partial)
}

fn partial_of(to: &Path) -> PathBuf {
    let mut name = to.as_os_str().to_owned();
    name.push(".partial");
    PathBuf::from(name)
}

/// Everything is on the disk before it has its name.
fn finish(partial: &Path, to: &Path) -> Result<(), Failure> {
    data::remove(&partial.join(UNDER_WAY))?;
    let folder = File::open(partial).map_err(|error| cannot("open", partial, error))?;
    rustix::fs::syncfs(&folder).map_err(|error| cannot("write", partial, error.into()))?;
    fs::rename(partial, to).map_err(|error| cannot("name", to, error))
}

fn names(folder: &Path) -> Result<Vec<String>, Failure> {
    let failed = |error| cannot("list", folder, error);
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        // Nothing of ours has another one.
        names.extend(name.to_str().map(str::to_owned));
    }
    // Of a mirror the refs come before what they name: it may be fetched into meanwhile.
    names.sort_by_key(|name| (name == "objects", name.clone()));
    Ok(names)
}

/// Files of a folder and all below, or 1; 0 where nothing lies there.
fn files_in(path: &Path) -> Result<u64, Failure> {
    let kind = match fs::symlink_metadata(path) {
        Ok(found) => found.file_type(),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(cannot("look at", path, error)),
    };
    if !kind.is_dir() {
        return Ok(1);
    }
    names(path)?.iter().try_fold(0, |sum, name| Ok(sum + files_in(&path.join(name))?))
}

/// Copies a file or a folder. What goes away meanwhile is passed over: it was taken, and is elsewhere.
fn copy(from: &Path, to: &Path) -> Result<(), Failure> {
    let kind = match fs::symlink_metadata(from) {
        Ok(found) => found.file_type(),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(cannot("look at", from, error)),
    };
    let copied = if kind.is_dir() {
        fs::create_dir_all(to).map_err(|error| cannot("make", to, error))?;
        let mode = fs::metadata(from).map(|it| it.permissions());
        for name in names(from)? {
            copy(&from.join(&name), &to.join(&name))?;
        }
        mode.and_then(|mode| fs::set_permissions(to, mode))
    } else if kind.is_file() {
        fs::copy(from, to).map(drop)
    } else {
        // A socket of a process that runs, a link that somebody made: none of it is the server's.
        Ok(())
    };
    match copied {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(cannot("copy", from, error)),
        _ => Ok(()),
    }
}
