//! Caches on this machine, with GitHub's rules (conformance 203): entries never change, a key is
//! found in the scope of the own ref first, then of the base branch, then of the default branch.
//!
//! ```text
//! <caches>/<owner>/<repo>/<scope>/<version>/<digest of key>/   key, entry.tar.zst, digest, writer, used
//! ```
//!
//! Files are kept relative to workspace or home where they lie there: both differ from job to job.

mod whole;
mod writer;

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Write as _};
use std::path::{Component, Path, PathBuf};

use sandbox::Hands;
use serde_json::Value as Json;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use self::whole::{DIGEST, Digesting, is_whole};
use self::writer::{WRITER, Writer};
use super::glob::{Patterns, Search};
use super::room;
use super::step::{Failure, Step, failed_at, hex};
use crate::unused::{folders, remove_at_once};

/// The longest key (conformance 203).
const KEY_CHARACTERS_MAX: usize = 512;
/// The most keys of one look-up (conformance 203).
const KEYS_MAX: usize = 10;
/// zstd's default: small enough, and as fast as the disk.
const COMPRESSION_LEVEL: i32 = 3;

/// What an entry holds, in its folder.
const ARCHIVE: &str = "entry.tar.zst";

/// The caches of one repository, as one step sees them.
pub(super) struct Caches {
    folder: PathBuf,
    workspace: PathBuf,
    home: PathBuf,
    /// Where entries are looked for, in order; the first is where they are saved.
    scopes: Vec<String>,
    /// Which job this is, where that is known.
    writer: Option<Writer>,
    /// Who reaches the caches; what is packed and unpacked is a step's.
    hands: Hands,
}

/// An entry that was found.
pub(super) struct Entry {
    pub(super) key: String,
    folder: PathBuf,
}

/// What became of a save.
pub(super) enum Saved {
    /// It is there now.
    Stored { size_bytes: u64 },
    /// The key was taken: entries never change.
    Exists,
    /// The paths name nothing.
    Nothing,
}

impl Caches {
    pub(super) fn open(step: &Step) -> Result<Caches, Failure> {
        let repository =
            step.variable("GITHUB_REPOSITORY").unwrap_or_else(|| "local/local".to_owned());
        let mut folder = step.folder("LAUNCHWAY_CACHES")?;
        for part in repository.to_lowercase().split('/') {
            folder.push(file_name(part));
        }
        let own = step.variable("GITHUB_REF").unwrap_or_else(|| "refs/heads/main".to_owned());
        let mut scopes = vec![own];
        let base = step.variable("GITHUB_BASE_REF").map(|name| format!("refs/heads/{name}"));
        let default = default_branch(step).map(|name| format!("refs/heads/{name}"));
        for scope in [base, default].into_iter().flatten() {
            if !scopes.contains(&scope) {
                scopes.push(scope);
            }
        }
        Ok(Caches {
            folder,
            workspace: step.folder("GITHUB_WORKSPACE")?,
            home: step.folder("HOME")?,
            scopes,
            writer: step.variable("LAUNCHWAY_LEASE").and_then(|it| Writer::read(&it)),
            hands: step.hands.clone(),
        })
    }

    /// The best entry: in each scope the exact key, then every restore key as a prefix, newest first.
    pub(super) fn find(
        &self,
        paths: &[String],
        key: &str,
        restore_keys: &[String],
    ) -> Result<Option<Entry>, Failure> {
        check_keys(key, restore_keys)?;
        let version = version(paths);
        let folders = self.scopes.iter().map(|it| self.folder.join(file_name(it)).join(&version));
        let folders: Vec<PathBuf> = folders.collect();
        let (key, restore_keys) = (key.to_owned(), restore_keys.to_vec());
        Ok(self.hands.have(move || folders.iter().find_map(|it| best(it, &key, &restore_keys))))
    }

    /// Takes an entry that could not be unpacked out of the way of a new one, if its bytes are not those that were
    /// saved.
    pub(super) fn discard_spoiled(&self, entry: Entry) {
        // One that cannot be removed is found, and told, again.
        let discard = move || (!is_whole(&entry.folder)).then(|| remove_at_once(&entry.folder));
        drop(self.hands.have(discard));
    }

    /// Who saved an entry, where that is known.
    pub(super) fn writer(&self, entry: &Entry) -> Option<Writer> {
        let folder = entry.folder.clone();
        self.hands.have(move || Writer::of(&folder))
    }

    /// Unpacks an entry.
    pub(super) fn restore(&self, entry: &Entry) -> Result<u64, Failure> {
        let archive = entry.folder.join(ARCHIVE);
        let opened = self.hands.have({
            let archive = archive.clone();
            move || File::open(archive).and_then(|file| Ok((file.metadata()?.len(), file)))
        });
        let (size, file) = opened.map_err(failed_at("read", &archive))?;
        self.unpack(file).map_err(failed_at("unpacked", &archive))?;
        // What is used stays.
        let used = entry.folder.join("used");
        drop(self.hands.have(move || fs::write(used, "")));
        Ok(size)
    }

    fn unpack(&self, archive: File) -> io::Result<()> {
        let reader = zstd::Decoder::new(BufReader::new(archive))?;
        let mut archive = tar::Archive::new(reader);
        archive.set_preserve_mtime(true);
        for entry in archive.entries()? {
            let mut entry = entry?;
            let path = entry.path()?.into_owned();
            let mut parts = path.components();
            let Some(Component::Normal(base)) = parts.next() else { continue };
            let inside = parts.as_path();
            if !inside.components().all(|part| matches!(part, Component::Normal(_))) {
                return Err(io::Error::other("an entry leads out of its folder"));
            }
            let base = match base.to_str() {
                Some("workspace") => &self.workspace,
                Some("home") => &self.home,
                _ => Path::new("/"),
            };
            let target = base.join(inside);
            if let Some(parent) = target.parent() {
                fs::create_dir_all(parent)?;
            }
            entry.set_preserve_permissions(true);
            if entry.header().entry_type().is_dir() {
                fs::create_dir_all(&target)?;
            } else {
                entry.unpack(&target)?;
            }
        }
        Ok(())
    }

    /// Saves what the paths name under the key, in the scope of the own ref.
    pub(super) fn save(&self, paths: &[String], key: &str) -> Result<Saved, Failure> {
        check_keys(key, &[])?;
        let patterns = Patterns::read(paths, &self.workspace, &self.home)?;
        // A folder is taken whole by the archive itself.
        let whole = !paths.iter().any(|path| path.starts_with('!'));
        let search = Search { descend: !whole, skip_hidden: false };
        let found = patterns.find(search)?;
        if found.is_empty() {
            return Ok(Saved::Nothing);
        }
        let folder = self.folder.join(file_name(&self.scopes[0])).join(version(paths));
        let target = folder.join(digest(key));
        let begun = self.hands.have({
            let (target, writer) = (target.clone(), self.writer.clone());
            move || begin(&folder, &target, writer.as_ref())
        });
        let Some((scratch, file)) = begun? else { return Ok(Saved::Exists) };
        let packed = self.pack(file, &found).map_err(failed_at("written", &target))?;
        let (repository, key, writer) = (self.folder.clone(), key.to_owned(), self.writer.clone());
        self.hands.have(move || {
            give_way(&target, writer.as_ref());
            let writer = writer.map(|it| it.text()).unwrap_or_default();
            let files = [("key", key), (DIGEST, packed), (WRITER, writer), ("used", String::new())];
            finish(scratch, &target, &repository, &files)
        })
    }

    /// Gives the digest of what it wrote.
    fn pack(&self, archive: File, found: &[PathBuf]) -> io::Result<String> {
        let writer = BufWriter::new(Digesting::new(archive));
        let compressed = zstd::Encoder::new(writer, COMPRESSION_LEVEL)?;
        let mut archive = tar::Builder::new(compressed);
        archive.follow_symlinks(false);
        for path in found {
            let name = self.name(path);
            if fs::symlink_metadata(path)?.is_dir() {
                archive.append_dir_all(&name, path)?;
            } else {
                archive.append_path_with_name(path, &name)?;
            }
        }
        let mut writer = archive.into_inner()?.finish()?;
        writer.flush()?;
        Ok(writer.into_inner()?.digest())
    }

    fn name(&self, path: &Path) -> PathBuf {
        for (base, folder) in [("workspace", &self.workspace), ("home", &self.home)] {
            if let Ok(inside) = path.strip_prefix(folder) {
                return Path::new(base).join(inside);
            }
        }
        Path::new("root").join(path.strip_prefix("/").unwrap_or(path))
    }
}

/// The best entry of a scope.
fn best(folder: &Path, key: &str, restore_keys: &[String]) -> Option<Entry> {
    let exact = folder.join(digest(key));
    if exact.join(ARCHIVE).is_file() {
        return Some(Entry { key: key.to_owned(), folder: exact });
    }
    // The key itself is a prefix too.
    let mut prefixes = std::iter::once(key).chain(restore_keys.iter().map(String::as_str));
    prefixes.find_map(|prefix| newest(folder, prefix))
}

/// The folder of an entry that is being written, and its archive; none where the entry is there.
fn begin(
    folder: &Path,
    target: &Path,
    writer: Option<&Writer>,
) -> Result<Option<(TempDir, File)>, Failure> {
    if target.exists() && !is_outdated(target, writer) {
        return Ok(None);
    }
    let begun = fs::create_dir_all(folder).and_then(|()| {
        let scratch = tempfile::Builder::new().prefix(".half-").tempdir_in(folder)?;
        let file = File::create(scratch.path().join(ARCHIVE))?;
        Ok((scratch, file))
    });
    Ok(Some(begun.map_err(failed_at("made", folder))?))
}

/// Whether the same job saved the entry under a lease that was given up since.
fn is_outdated(target: &Path, writer: Option<&Writer>) -> bool {
    writer.zip(Writer::of(target)).is_some_and(|(writer, before)| writer.is_after(&before))
}

/// Removes an entry that is outdated: whoever unpacks it goes on with what he opened.
fn give_way(target: &Path, writer: Option<&Writer>) {
    if is_outdated(target, writer) {
        // One that stays is told of as one that exists.
        drop(remove_at_once(target));
    }
}

/// Gives the entry its name.
fn finish(
    scratch: TempDir,
    target: &Path,
    repository: &Path,
    files: &[(&str, String)],
) -> Result<Saved, Failure> {
    let archive = scratch.path().join(ARCHIVE);
    let size_bytes = fs::metadata(&archive).map_err(failed_at("read", &archive))?.len();
    for (name, text) in files {
        let file = scratch.path().join(name);
        fs::write(&file, text).map_err(failed_at("written", &file))?;
    }
    match fs::rename(scratch.path(), target) {
        Ok(()) => drop(scratch.keep()),
        // Another job was faster.
        Err(_) if target.exists() => return Ok(Saved::Exists),
        Err(error) => return Err(failed_at("written", target)(error)),
    }
    room::make(repository, target);
    Ok(Saved::Stored { size_bytes })
}

/// The digest that GitHub calls version: other paths never match.
pub(super) fn version(paths: &[String]) -> String {
    digest(&format!("{}|zstd|1", paths.join("|")))
}

/// The digest of a file set, as `hashFiles` has it: a digest of the files' digests.
pub(super) fn hash_files(files: &[PathBuf]) -> Result<String, Failure> {
    let mut all = Sha256::new();
    for file in files {
        let bytes = fs::read(file).map_err(failed_at("read", file))?;
        all.update(Sha256::digest(bytes));
    }
    Ok(hex(&all.finalize()))
}

fn check_keys(key: &str, restore_keys: &[String]) -> Result<(), Failure> {
    if restore_keys.len() + 1 > KEYS_MAX {
        return Err(Failure::new(format!(
            "Key Validation Error: Keys are limited to a maximum of {KEYS_MAX}."
        )));
    }
    for key in std::iter::once(key).chain(restore_keys.iter().map(String::as_str)) {
        if key.is_empty() {
            return Err(Failure::new("Input required and not supplied: key"));
        }
        if key.chars().count() > KEY_CHARACTERS_MAX {
            return Err(Failure::new(format!(
                "Key Validation Error: {key} cannot be larger than {KEY_CHARACTERS_MAX} characters."
            )));
        }
        if key.contains(',') {
            return Err(Failure::new(format!(
                "Key Validation Error: {key} cannot contain commas."
            )));
        }
    }
    Ok(())
}

fn newest(folder: &Path, prefix: &str) -> Option<Entry> {
    let entries = folders(folder).into_iter().filter_map(|entry| {
        let key = fs::read_to_string(entry.join("key")).ok()?;
        let made = fs::metadata(entry.join(ARCHIVE)).ok()?.modified().ok()?;
        key.starts_with(prefix).then_some((made, key, entry))
    });
    entries.max().map(|(_, key, folder)| Entry { key, folder })
}

fn default_branch(step: &Step) -> Option<String> {
    let text = fs::read_to_string(step.variable("GITHUB_EVENT_PATH")?).ok()?;
    let event = serde_json::from_str::<Json>(&text).ok()?;
    Some(event["repository"]["default_branch"].as_str()?.to_owned())
}

fn digest(text: &str) -> String {
    hex(&Sha256::digest(text.as_bytes()))
}

fn file_name(text: &str) -> String {
    text.replace('%', "%25").replace('/', "%2F")
}
