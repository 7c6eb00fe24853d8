//! What lies in folders of tokens, sessions and people: a file for each, named by its id.

use std::error::Error as _;
use std::fs;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::AccessError;

/// A file of a token is a few hundred bytes.
const FILE_BYTES_MAX: u64 = 64 << 10;

/// An id is hexadecimal, so it never leaves the folder.
pub(super) fn is_id(text: &str) -> bool {
    text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

pub(super) fn failed<'p>(
    action: &'static str,
    path: &'p Path,
) -> impl Fn(io::Error) -> AccessError + 'p {
    move |source| AccessError::File { action, path: path.to_owned(), source }
}

/// Written beside and renamed: nobody reads half of it. Nobody else of this machine reads it at all.
pub(crate) fn write<T: Serialize>(folder: &Path, id: &str, it: &T) -> Result<(), AccessError> {
    fs::create_dir_all(folder).map_err(failed("make", folder))?;
    let path = folder.join(id);
    let beside = folder.join(format!("{id}.new"));
    let text = serde_json::to_vec(it).expect("it is plain data");
    let written = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&beside)
        .and_then(|mut file| file.write_all(&text).and_then(|()| file.sync_all()));
    written.map_err(failed("write", &beside))?;
    fs::rename(&beside, &path).map_err(failed("write", &path))
}

pub(super) fn read<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, AccessError> {
    let mut text = Vec::new();
    let read =
        fs::File::open(path).and_then(|file| file.take(FILE_BYTES_MAX).read_to_end(&mut text));
    match read {
        // A file that is none of ours opens nothing.
        Ok(_) => Ok(serde_json::from_slice(&text).ok()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed("read", path)(error)),
    }
}

/// What a folder's files are, those that can be read.
pub(super) struct Found<T> {
    pub(super) read: Vec<T>,
    /// How many there are besides, that nobody can read now.
    pub(super) unread: usize,
}

/// One file that cannot be read takes nothing away from the others: that is said.
pub(super) fn read_each<T: DeserializeOwned>(folder: &Path) -> Result<Found<T>, AccessError> {
    let mut found = Found { read: Vec::new(), unread: 0 };
    for path in paths(folder)? {
        match read(&path) {
            Ok(one) => found.read.extend(one),
            Err(error) => {
                found.unread += 1;
                let why = error.source().map(ToString::to_string).unwrap_or_default();
                crate::say(&format!("warning: {error}, so it is passed over: {why}"));
            }
        }
    }
    Ok(found)
}

/// All of a folder's files, each of which has to be read.
pub(crate) fn read_all<T: DeserializeOwned>(folder: &Path) -> Result<Vec<T>, AccessError> {
    let mut all = Vec::new();
    for path in paths(folder)? {
        all.extend(read(&path)?);
    }
    Ok(all)
}

fn paths(folder: &Path) -> Result<Vec<PathBuf>, AccessError> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed("list", folder)(error)),
    };
    let mut all = Vec::new();
    for entry in entries {
        let path = entry.map_err(failed("list", folder))?.path();
        if path.file_name().and_then(|name| name.to_str()).is_some_and(is_id) {
            all.push(path);
        }
    }
    Ok(all)
}

pub(crate) fn remove(path: &Path) -> Result<bool, AccessError> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(failed("remove", path)(error)),
    }
}
