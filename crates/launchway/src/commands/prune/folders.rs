//! Folders that outlived their use: logs and workspaces of runs that are over, caches, actions,
//! snapshots, downloads, tools.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use actions::Unused;
use anyhow::Context as _;
use driver::Owner;
use event::{Attempt, DeploymentId, RunEvent, RunId, Seq, StreamId};
use ports::Journal as _;

use super::{Part, Pruned, Round, is_driven};
use crate::exit::{Exit, Failure};
use crate::terminal::style::talk;

/// Removes them.
pub(super) fn prune(
    round: &Round<'_>,
    forgotten: &BTreeSet<StreamId>,
    pruned: &mut Pruned,
) -> Result<(), Failure> {
    logs(round, forgotten, pruned)?;
    workspaces(round, pruned)?;
    commands(round, pruned)?;
    owners(round)?;
    round.check_clock()?;
    let part = Part::new("caches", "unused for 7 days, or beyond 10 GB of a repository");
    unused(round, pruned, part, &actions::unused_caches(&round.state.caches(), round.started));
    let before = round.before.min(round.unused_since);
    let found = actions::unused_actions(&round.state.actions(), before, round.started);
    let part = Part::new("actions", "commits that no job used for so long");
    unused(round, pruned, part, &found);
    snapshots(round, before, pruned)?;
    shared(round, pruned)
}

/// States of work trees and test merges that no run began from for so long: a run that goes by them
/// is forgotten at the same age. What is half made was left by a command that was killed. A command
/// that is about to begin a run from one holds it.
fn snapshots(round: &Round<'_>, before: SystemTime, pruned: &mut Pruned) -> Result<(), Failure> {
    let mut part = Part::new("snapshots", "of work trees that no run began from for so long");
    for path in entries(&round.state.snapshots())? {
        let Ok(folder) = fs::File::open(&path) else { continue };
        let age = folder.metadata().and_then(|found| found.modified());
        if !age.is_ok_and(|age| age < before) || folder.try_lock().is_err() {
            continue;
        }
        // Asked while it is locked: whoever held it until now has told the journal.
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if !stores_in_use(round)?.contains(name) {
            remove(round, &path, &mut part, pruned);
        }
    }
    pruned.say(&part);
    Ok(())
}

/// The stores that runs which are not over began from.
fn stores_in_use(round: &Round<'_>) -> Result<BTreeSet<Arc<str>>, Failure> {
    let mut used = BTreeSet::new();
    for stream in open(round)? {
        let events = round.store.read(stream, Seq(0)).unwrap_or_default();
        if let Some(RunEvent::RunCreated(request)) = events.first().map(|first| &first.event) {
            used.extend(request.change.store.clone());
        }
    }
    Ok(used)
}

/// What package managers downloaded, and what set-up actions installed: nobody knows which of it a job
/// under way uses, so it stays while there is one. What one manager keeps goes as a whole: there are
/// files in it that it would miss one by one.
fn shared(round: &Round<'_>, pruned: &mut Pruned) -> Result<(), Failure> {
    let mut part = Part::new("downloads", "of package managers that no job used for so long");
    let ours = entries(&actions::downloads(&round.state.caches()))?;
    for path in ours.into_iter().chain(of_users(round, "downloads")?) {
        let is_unused = is_set_aside(&path) || last_used(&path) < round.unused_since;
        // A job makes folders that nothing may come into.
        if is_unused && weight(&path) > 0 && !is_anything_driven(round)? {
            remove_at_once(round, &path, &mut part, pruned);
        }
    }
    pruned.say(&part);
    let mut part = Part::new("tools", "that set-up actions installed");
    let ours = entries(&round.state.tools())?;
    for path in ours.into_iter().chain(of_users(round, "tools")?) {
        if !round.tools && !is_set_aside(&path) {
            continue;
        }
        if is_anything_driven(round)? {
            pruned.keep_tools();
            break;
        }
        remove_at_once(round, &path, &mut part, pruned);
    }
    if round.tools || part.count > 0 {
        pruned.say(&part);
    }
    Ok(())
}

/// What the users of a server's jobs have in a folder of this name, as far as whoever asks may look there.
fn of_users(round: &Round<'_>, name: &str) -> Result<Vec<PathBuf>, Failure> {
    let mut found = Vec::new();
    for user in entries(&round.state.users())? {
        let folder = user.join(name);
        match fs::read_dir(&folder) {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => talk(&format!(
                "note: {} stays: it is another user's; run prune as the server runs",
                folder.display()
            )),
            _ => found.extend(entries(&folder)?),
        }
    }
    Ok(found)
}

fn is_anything_driven(round: &Round<'_>) -> Result<bool, Failure> {
    for stream in open(round)? {
        if is_driven(round.state, stream)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The newest time at which a file below was read or written, or a folder changed. Where the disk
/// notes no reading, what was written long ago goes, and is downloaded again.
fn last_used(path: &Path) -> SystemTime {
    let Ok(found) = fs::symlink_metadata(path) else { return SystemTime::UNIX_EPOCH };
    let written = found.modified().unwrap_or(SystemTime::UNIX_EPOCH);
    if !found.is_dir() {
        // To look at a folder is to read it, so for those it says nothing.
        return found.accessed().map_or(written, |read| read.max(written));
    }
    let below = fs::read_dir(path).into_iter().flatten().flatten();
    below.map(|entry| last_used(&entry.path())).fold(written, SystemTime::max)
}

/// What is being removed bears this name, so that no job that begins meanwhile finds half of it.
const SET_ASIDE: &str = ".going-";

fn is_set_aside(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(SET_ASIDE))
}

fn remove_at_once(round: &Round<'_>, path: &Path, part: &mut Part, pruned: &mut Pruned) {
    if round.dry_run || is_set_aside(path) {
        return remove(round, path, part, pruned);
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let aside = path.with_file_name(format!("{SET_ASIDE}{}-{name}", std::process::id()));
    match fs::rename(path, &aside).with_context(|| format!("cannot move {}", path.display())) {
        Ok(()) => remove(round, &aside, part, pruned),
        Err(error) => pruned.failed(error),
    }
}

fn unused(round: &Round<'_>, pruned: &mut Pruned, mut part: Part, found: &[Unused]) {
    for it in found {
        let removed = if round.dry_run { Ok(true) } else { it.remove() };
        match removed.with_context(|| format!("cannot remove {}", it.path.display())) {
            Ok(true) => part.add(it.size_bytes),
            Ok(false) => {}
            Err(error) => pruned.failed(error),
        }
    }
    pruned.say(&part);
}

/// Growing logs whose run was forgotten, or that belong to no run of this journal. A run is in the
/// journal before its first log is made: what is listed first and not known then is nobody's.
fn logs(
    round: &Round<'_>,
    forgotten: &BTreeSet<StreamId>,
    pruned: &mut Pruned,
) -> Result<(), Failure> {
    let mut part = Part::new("logs", "of lost jobs of these runs, and times of lines");
    let folder = round.state.logs();
    let mut found = Vec::new();
    for (run, path) in numbered(&folder)? {
        for (attempt, path) in numbered(&path)? {
            found.push((StreamId::Run(RunId(run), Attempt(attempt)), path));
        }
    }
    let missing = |error| Failure::caused(Exit::Missing, error);
    let mut known = open(round)?;
    known.extend(round.store.ended_streams().map_err(missing)?.into_iter().map(|(it, _)| it));
    for (stream, path) in found {
        if !known.contains(&stream) || forgotten.contains(&stream) {
            remove(round, &path, &mut part, pruned);
            // The run's folder goes with its last attempt.
            drop(path.parent().map(fs::remove_dir));
        }
    }
    pruned.say(&part);
    Ok(())
}

/// What jobs left of their folders: a worker removes its own, save what it has no right to.
fn workspaces(round: &Round<'_>, pruned: &mut Pruned) -> Result<(), Failure> {
    let mut part = Part::new("workspaces", "of jobs that are over");
    let found = entries(&round.state.jobs())?;
    let open = open(round)?;
    for path in found {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let numbers = name.split_once('.').map(|(run, attempt)| (run.parse(), attempt.parse()));
        let Some((Ok(run), Ok(attempt))) = numbers else { continue };
        let stream = StreamId::Run(RunId(run), Attempt(attempt));
        if open.contains(&stream) {
            continue;
        }
        // Its last event is written before its driver is done.
        match Owner::claim(&round.state.owners(), stream) {
            Ok(Some(_alone)) => remove(round, &path, &mut part, pruned),
            Ok(None) => {}
            Err(error) => pruned.failed(anyhow::Error::new(error)),
        }
    }
    pruned.say(&part);
    Ok(())
}

/// What commands of deployments left that are over: their output. The deployments themselves stay, all
/// of them: they are what is known of production, and weigh a few kilobytes each.
fn commands(round: &Round<'_>, pruned: &mut Pruned) -> Result<(), Failure> {
    let mut part = Part::new("commands", "of deployments that are over");
    // Listed before it is asked who is open: what is begun since is not among them.
    let found = entries(&round.state.deployments())?;
    let ledger = round.store.ledger();
    let open = ledger.open_streams().map_err(|error| Failure::caused(Exit::Missing, error))?;
    for path in found {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let id = name.split('-').next().and_then(|id| id.parse().ok());
        let is_open = id.is_some_and(|id| open.contains(&StreamId::Deployment(DeploymentId(id))));
        let age = fs::metadata(&path).and_then(|it| it.modified());
        if !is_open && age.is_ok_and(|age| age < round.unused_since) {
            remove(round, &path, &mut part, pruned);
        }
    }
    pruned.say(&part);
    Ok(())
}

/// Locks that killed commands left: whoever takes one and lets it go removes its file.
fn owners(round: &Round<'_>) -> Result<(), Failure> {
    let found = entries(&round.state.owners())?;
    let open = open(round)?;
    for path in found {
        let name = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
        let numbers = name.split_once('-').map(|(run, attempt)| (run.parse(), attempt.parse()));
        let Some((Ok(run), Ok(attempt))) = numbers else { continue };
        let stream = StreamId::Run(RunId(run), Attempt(attempt));
        if !round.dry_run && !open.contains(&stream) {
            // One that cannot be told is told where it matters.
            drop(Owner::claim(&round.state.owners(), stream));
        }
    }
    Ok(())
}

fn open(round: &Round<'_>) -> Result<BTreeSet<StreamId>, Failure> {
    let open = round.store.open_streams();
    Ok(open.map_err(|error| Failure::caused(Exit::Missing, error))?.into_iter().collect())
}

fn remove(round: &Round<'_>, path: &Path, part: &mut Part, pruned: &mut Pruned) {
    let size_bytes = weight(path);
    let removed = if round.dry_run { Ok(()) } else { remove_all(path) };
    match removed.with_context(|| format!("cannot remove {}", path.display())) {
        Ok(()) => part.add(size_bytes),
        Err(error) => pruned.failed(error),
    }
}

/// Removes a folder; those in it that nobody may write to (Go keeps its modules so) are made writable.
fn remove_all(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            make_writable(path)?;
            fs::remove_dir_all(path)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

/// Folders only, and never through a link.
fn make_writable(folder: &Path) -> io::Result<()> {
    fs::set_permissions(folder, fs::Permissions::from_mode(0o700))?;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            make_writable(&entry.path())?;
        }
    }
    Ok(())
}

/// The bytes of all files below; what cannot be looked at weighs nothing.
fn weight(path: &Path) -> u64 {
    let Ok(metadata) = fs::symlink_metadata(path) else { return 0 };
    if !metadata.is_dir() {
        return metadata.len();
    }
    fs::read_dir(path).into_iter().flatten().flatten().map(|entry| weight(&entry.path())).sum()
}

/// Entries that are called by a number.
fn numbered(folder: &Path) -> Result<Vec<(u64, PathBuf)>, Failure> {
    let number = |path: &PathBuf| path.file_name()?.to_str()?.parse().ok();
    Ok(entries(folder)?.into_iter().filter_map(|path| Some((number(&path)?, path))).collect())
}

/// What lies in a folder; nothing where there is none.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries,
    };
    let paths = entries.and_then(|entries| entries.map(|it| it.map(|it| it.path())).collect());
    paths.map_err(|error| {
        let context = format!("cannot list {}", folder.display());
        Failure::caused(Exit::Missing, anyhow::Error::from(error).context(context))
    })
}
