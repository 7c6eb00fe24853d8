//! Unpacking: every entry is looked at as if somebody meant harm.
//!
//! Files and links only, each path plain and later than the one before it, no path through a link or
//! a file, no link that leads out. A device, a hard link, a second entry of a name: refused, and
//! nothing is left behind.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, BufReader, Read};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, symlink};
use std::path::{Component, Path, PathBuf};

use sha2::{Digest as _, Sha256};
use tar::{Archive, EntryType};

use super::pack::stays_inside;
use super::{BundleError, ENTRIES_MAX, PATH_BYTES_MAX, hex};

/// What is compared at once.
const COMPARED_BYTES: usize = 64 << 10;

/// Unpacks a bundle into `into`, which must not be there, read-only. It is there whole or not at all.
///
/// # Errors
/// When its bytes are not what `digest` says, or an entry is refused.
pub fn unpack(bundle: &Path, digest: &str, into: &Path) -> Result<u64, BundleError> {
    let parent = into.parent().unwrap_or(Path::new("."));
    let io = |action, path: &Path| {
        let path = path.to_owned();
        move |source| BundleError::File { action, path, source }
    };
    check_digest(bundle, digest)?;
    fs::create_dir_all(parent).map_err(io("make the folder", parent))?;
    let scratch = tempfile::Builder::new()
        .prefix(".unpacking-")
        .tempdir_in(parent)
        .map_err(io("write into", parent))?;
    let root = scratch.path().to_owned();
    let mut made = Made { root: root.clone(), folders: BTreeSet::new() };
    let entries = walk(bundle, &mut |path, entry| made.take(path, entry))
        .and_then(|entries| made.close().map(|()| entries))
        .inspect_err(|_| open_again(&root))?;
    // The one moment in which it comes to be. In the same folder: to move one that is closed into
    // another takes more than its owner may.
    match fs::rename(&root, into) {
        Ok(()) => {
            // It has another name now, and there is nothing to remove.
            let _ = scratch.keep();
        }
        Err(error) => {
            open_again(&root);
            // Whoever was faster put the same there.
            if !into.is_dir() {
                return Err(io("keep", into)(error));
            }
        }
    }
    Ok(entries)
}

/// Whether what was unpacked into `folder` is still what the bundle says. What a service wrote
/// beside its files does not matter.
///
/// # Errors
/// With the first file that is not.
pub fn verify(bundle: &Path, digest: &str, folder: &Path) -> Result<(), BundleError> {
    check_digest(bundle, digest)?;
    walk(bundle, &mut |path, entry| {
        let path = folder.join(path);
        if is_same(&path, entry).unwrap_or(false) {
            Ok(())
        } else {
            Err(BundleError::Altered(path))
        }
    })?;
    Ok(())
}

/// Whether a bundle's bytes are what it is named by.
pub(crate) fn check_digest(bundle: &Path, digest: &str) -> Result<(), BundleError> {
    let problem = |source| BundleError::File { action: "read", path: bundle.to_owned(), source };
    let mut file = File::open(bundle).map_err(problem)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; COMPARED_BYTES];
    loop {
        match file.read(&mut buffer).map_err(problem)? {
            0 => break,
            read => hash.update(&buffer[..read]),
        }
    }
    let found = to_hex(&hash.finalize());
    if hex(digest) == Some(&found) {
        return Ok(());
    }
    Err(BundleError::Digest { expected: digest.to_owned(), found: format!("sha256:{found}") })
}

pub(crate) fn to_hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// One entry that passed.
enum Entry<'a> {
    File { bytes: &'a mut dyn Read, may_run: bool },
    Link { target: &'a Path },
}

type Take<'a> = &'a mut dyn FnMut(&Path, Entry<'_>) -> Result<(), BundleError>;

/// Looks at every entry and gives those that pass.
fn walk(bundle: &Path, take: Take<'_>) -> Result<u64, BundleError> {
    let problem = |source| BundleError::File { action: "read", path: bundle.to_owned(), source };
    let file = File::open(bundle).map_err(problem)?;
    let mut archive = Archive::new(BufReader::new(file));
    let mut order = Order::default();
    let (mut long_path, mut long_link) = (None, None);
    // Raw: the library would read a long name of any length into memory.
    let entries = archive.entries().map_err(unreadable)?.raw(true);
    for entry in entries {
        let mut entry = entry.map_err(unreadable)?;
        let header = entry.header().clone();
        match header.entry_type() {
            EntryType::GNULongName => long_path = Some(long(&mut entry)?),
            EntryType::GNULongLink => long_link = Some(long(&mut entry)?),
            EntryType::Regular => {
                let path = long_path.take().unwrap_or_else(|| entry.path_bytes().into_owned());
                let path = order.next(&path)?;
                let mode = header.mode().map_err(unreadable)?;
                take(&path, Entry::File { bytes: &mut entry, may_run: mode & 0o111 != 0 })?;
            }
            EntryType::Symlink => {
                let path = long_path.take().unwrap_or_else(|| entry.path_bytes().into_owned());
                let path = order.next(&path)?;
                let short = || header.link_name_bytes().unwrap_or_default().into_owned();
                let target = long_link.take().unwrap_or_else(short);
                let target = Path::new(OsStr::from_bytes(&target));
                if target.as_os_str().as_bytes().contains(&0) || !stays_inside(&path, target) {
                    return Err(hostile(&path, "is a link that leads out"));
                }
                take(&path, Entry::Link { target })?;
            }
            _ => {
                let path = PathBuf::from(OsStr::from_bytes(&entry.path_bytes()));
                return Err(hostile(&path, "is neither a file nor a link"));
            }
        }
    }
    Ok(order.count)
}

fn unreadable(error: io::Error) -> BundleError {
    BundleError::Hostile(format!("it is no bundle: {error}"))
}

fn hostile(path: &Path, why: &str) -> BundleError {
    BundleError::Hostile(format!("{} {why}", path.display()))
}

/// A path that did not fit into its header, ended by a zero.
fn long(entry: &mut impl Read) -> Result<Vec<u8>, BundleError> {
    let mut name = Vec::new();
    entry.take(PATH_BYTES_MAX + 2).read_to_end(&mut name).map_err(unreadable)?;
    if name.len() as u64 > PATH_BYTES_MAX + 1 {
        return Err(BundleError::Hostile("a path is too long".to_owned()));
    }
    if name.last() == Some(&0) {
        name.pop();
    }
    Ok(name)
}

/// Paths as they come: sorted, so none comes twice and whatever stands in another's way came first.
#[derive(Default)]
struct Order {
    last: Option<PathBuf>,
    leaves: BTreeSet<PathBuf>,
    count: u64,
}

impl Order {
    fn next(&mut self, bytes: &[u8]) -> Result<PathBuf, BundleError> {
        let path = PathBuf::from(OsStr::from_bytes(bytes));
        let is_plain = !bytes.is_empty()
            && !bytes.contains(&0)
            && path.components().all(|component| matches!(component, Component::Normal(_)))
            // `a//b`, `a/.` and `a/` say the same as other paths do.
            && path.components().collect::<PathBuf>().as_os_str() == path.as_os_str();
        if !is_plain || bytes.len() as u64 > PATH_BYTES_MAX {
            return Err(hostile(&path, "is no plain path"));
        }
        if self.last.as_ref().is_some_and(|last| last.as_os_str().as_bytes() >= bytes) {
            return Err(hostile(&path, "is out of order"));
        }
        if path.ancestors().skip(1).any(|above| self.leaves.contains(above)) {
            return Err(hostile(&path, "goes through something that is no folder"));
        }
        self.count += 1;
        if self.count > ENTRIES_MAX {
            return Err(BundleError::TooLarge { limit: ENTRIES_MAX, unit: "files" });
        }
        self.leaves.insert(path.clone());
        self.last = Some(path.clone());
        Ok(path)
    }
}

/// What was made so far.
struct Made {
    root: PathBuf,
    folders: BTreeSet<PathBuf>,
}

impl Made {
    fn take(&mut self, path: &Path, entry: Entry<'_>) -> Result<(), BundleError> {
        let full = self.root.join(path);
        let io = |source| BundleError::File { action: "unpack", path: full.clone(), source };
        for above in path.ancestors().skip(1).filter(|above| *above != Path::new("")) {
            if self.folders.insert(above.to_owned()) {
                fs::create_dir_all(self.root.join(above)).map_err(io)?;
            }
        }
        match entry {
            Entry::File { bytes, may_run } => {
                let mode = if may_run { 0o555 } else { 0o444 };
                let mut options = OpenOptions::new();
                let mut file =
                    options.write(true).create_new(true).mode(0o600).open(&full).map_err(io)?;
                io::copy(bytes, &mut file).map_err(io)?;
                file.set_permissions(Permissions::from_mode(mode)).map_err(io)
            }
            Entry::Link { target } => symlink(target, &full).map_err(io),
        }
    }

    /// From now on nobody writes there, the deepest folder first.
    fn close(&self) -> Result<(), BundleError> {
        let below = self.folders.iter().rev().map(|folder| self.root.join(folder));
        for folder in below.chain([self.root.clone()]) {
            fs::set_permissions(&folder, Permissions::from_mode(0o555))
                .map_err(|source| BundleError::File { action: "close", path: folder, source })?;
        }
        Ok(())
    }
}

/// Removes what was unpacked.
pub(crate) fn remove(folder: &Path) -> io::Result<()> {
    open_again(folder);
    fs::remove_dir_all(folder)
}

/// Lets a folder that was closed be removed.
fn open_again(folder: &Path) {
    let Ok(metadata) = fs::symlink_metadata(folder) else { return };
    if !metadata.is_dir() {
        return;
    }
    let _ = fs::set_permissions(folder, Permissions::from_mode(0o700));
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        open_again(&entry.path());
    }
}

fn is_same(path: &Path, entry: Entry<'_>) -> io::Result<bool> {
    let metadata = fs::symlink_metadata(path)?;
    match entry {
        Entry::Link { target } => Ok(metadata.is_symlink() && fs::read_link(path)? == target),
        Entry::File { bytes, may_run } => {
            if !metadata.is_file() || (metadata.mode() & 0o111 != 0) != may_run {
                return Ok(false);
            }
            let mut file = BufReader::new(File::open(path)?);
            let (mut theirs, mut ours) = (vec![0; COMPARED_BYTES], vec![0; COMPARED_BYTES]);
            loop {
                let read = bytes.read(&mut theirs)?;
                if read == 0 {
                    return Ok(file.read(&mut ours)? == 0);
                }
                if file.read_exact(&mut ours[..read]).is_err() || ours[..read] != theirs[..read] {
                    return Ok(false);
                }
            }
        }
    }
}
