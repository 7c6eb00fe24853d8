//! Packing: which files, in which order, with which bytes.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Component, Path, PathBuf};

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use ignore::WalkBuilder;
use sha2::{Digest as _, Sha256};
use tar::{EntryType, Header};

use super::{BundleError, ENTRIES_MAX, PATH_BYTES_MAX};

/// What becomes a bundle.
#[derive(Clone, Debug)]
pub struct PackOptions {
    /// The folder.
    pub folder: PathBuf,
    /// What of it: globs against paths in it; a folder that is matched comes with all in it.
    pub include: Vec<String>,
    /// What of that not. What git ignores never is.
    pub exclude: Vec<String>,
    /// Bytes that it may have.
    pub limit_bytes: u64,
}

/// A bundle that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packed {
    /// `sha256:...`
    pub digest: String,
    /// Where it lies.
    pub path: PathBuf,
    /// Files and links in it.
    pub entries: u64,
    /// Its size.
    pub bytes: u64,
}

/// Packs a folder into `into`, under the name of its digest.
///
/// # Errors
/// When files cannot be read, cannot be in a bundle, or are too many.
pub fn pack(options: &PackOptions, into: &Path) -> Result<Packed, BundleError> {
    let paths = chosen(options)?;
    if paths.is_empty() {
        return Err(BundleError::Empty);
    }
    let io = |action| move |source| BundleError::File { action, path: into.to_owned(), source };
    fs::create_dir_all(into).map_err(io("make the folder"))?;
    let file =
        tempfile::Builder::new().prefix(".packing-").tempfile_in(into).map_err(io("write into"))?;
    let writer = Hashing {
        inner: BufWriter::new(file),
        hash: Sha256::new(),
        bytes: 0,
        limit: options.limit_bytes,
    };
    let mut archive = tar::Builder::new(writer);
    for path in &paths {
        append(&mut archive, &options.folder, path).map_err(|error| limited(error, options))?;
    }
    let mut writer = archive
        .into_inner()
        .map_err(io("finish a bundle in"))
        .map_err(|error| limited(error, options))?;
    writer.flush().map_err(io("write into"))?;
    let Hashing { inner, hash, bytes, .. } = writer;
    let hex = crate::bundle::unpack::to_hex(&hash.finalize());
    let file = inner.into_inner().map_err(|error| io("write into")(error.into_error()))?;
    file.as_file().sync_all().map_err(io("write into"))?;
    let path = into.join(format!("{hex}.tar"));
    let persisted = file.persist(&path).map_err(|error| io("keep a bundle in")(error.error))?;
    let readable = std::os::unix::fs::PermissionsExt::from_mode(0o444);
    persisted.set_permissions(readable).map_err(io("keep a bundle in"))?;
    let entries = paths.len() as u64;
    Ok(Packed { digest: format!("sha256:{hex}"), path, entries, bytes })
}

/// A limit that was met while writing is told as one.
fn limited(error: BundleError, options: &PackOptions) -> BundleError {
    match error {
        BundleError::File { source, .. } if source.kind() == io::ErrorKind::FileTooLarge => {
            BundleError::TooLarge { limit: options.limit_bytes, unit: "bytes" }
        }
        error => error,
    }
}

/// The paths that belong to it, sorted by their bytes.
fn chosen(options: &PackOptions) -> Result<Vec<PathBuf>, BundleError> {
    let include = globs(&options.include)?;
    let exclude = globs(&options.exclude)?;
    let walk = WalkBuilder::new(&options.folder)
        .hidden(false)
        .ignore(false)
        // A person's own ignore file must not change what others would build.
        .git_global(false)
        .require_git(false)
        .filter_entry(|entry| entry.file_name() != ".git")
        .build();
    let mut paths = Vec::new();
    for entry in walk {
        let entry = entry.map_err(BundleError::Walk)?;
        let Ok(path) = entry.path().strip_prefix(&options.folder) else { continue };
        if entry.file_type().is_none_or(|kind| kind.is_dir())
            || !matched(&include, path)
            || matched(&exclude, path)
        {
            continue;
        }
        if path.as_os_str().len() as u64 > PATH_BYTES_MAX {
            return Err(BundleError::Unfit { path: path.to_owned(), why: "its path is too long" });
        }
        paths.push(path.to_owned());
        if paths.len() as u64 > ENTRIES_MAX {
            return Err(BundleError::TooLarge { limit: ENTRIES_MAX, unit: "files" });
        }
    }
    paths.sort_by(|a, b| a.as_os_str().as_bytes().cmp(b.as_os_str().as_bytes()));
    Ok(paths)
}

fn globs(patterns: &[String]) -> Result<GlobSet, BundleError> {
    let problem = |pattern: &str| {
        let pattern = pattern.to_owned();
        move |source| BundleError::Pattern { pattern, source }
    };
    let mut set = GlobSetBuilder::new();
    for pattern in patterns {
        let plain = pattern.trim_start_matches("./").trim_end_matches('/');
        let glob = GlobBuilder::new(if plain == "." { "**" } else { plain })
            .literal_separator(true)
            .build()
            .map_err(problem(pattern))?;
        set.add(glob);
    }
    set.build().map_err(problem(&patterns.join(", ")))
}

/// Whether it or a folder above it is meant.
fn matched(globs: &GlobSet, path: &Path) -> bool {
    path.ancestors().filter(|path| *path != Path::new("")).any(|path| globs.is_match(path))
}

fn append<W: Write>(
    archive: &mut tar::Builder<W>,
    folder: &Path,
    path: &Path,
) -> Result<(), BundleError> {
    let full = folder.join(path);
    let io = |action| {
        let path = full.clone();
        move |source| BundleError::File { action, path, source }
    };
    let metadata = fs::symlink_metadata(&full).map_err(io("look at"))?;
    let mut header = Header::new_gnu();
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    if metadata.is_symlink() {
        let target = fs::read_link(&full).map_err(io("read the link"))?;
        if !stays_inside(path, &target) {
            let why = "it is a link that leads out of it, or not straight to its target";
            return Err(BundleError::Unfit { path: path.to_owned(), why });
        }
        header.set_entry_type(EntryType::Symlink);
        header.set_mode(0o777);
        header.set_size(0);
        return archive.append_link(&mut header, path, target).map_err(io("pack"));
    }
    if !metadata.is_file() {
        let why = "it is neither a file nor a link";
        return Err(BundleError::Unfit { path: path.to_owned(), why });
    }
    let file = File::open(&full).map_err(io("open"))?;
    header.set_entry_type(EntryType::Regular);
    header.set_mode(if metadata.mode() & 0o111 == 0 { 0o644 } else { 0o755 });
    header.set_size(metadata.len());
    // A file that grows meanwhile is cut, one that shrinks is found out.
    let mut bytes = io::Read::take(file, metadata.len());
    archive.append_data(&mut header, path, &mut bytes).map_err(io("pack"))?;
    if bytes.limit() != 0 {
        return Err(BundleError::Unfit { path: path.to_owned(), why: "it changed meanwhile" });
    }
    Ok(())
}

/// Whether a link at `path` leads to something in the bundle, whatever its other links are: first
/// up, and not above the top, then down. `a/../b` could lead anywhere when `a` is a link too.
pub(super) fn stays_inside(path: &Path, target: &Path) -> bool {
    let depth = path.components().count().saturating_sub(1);
    let mut up = 0;
    let mut down = 0;
    for component in target.components() {
        match component {
            Component::ParentDir if down == 0 => up += 1,
            Component::Normal(_) => down += 1,
            Component::CurDir => {}
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => return false,
        }
    }
    up <= depth && up + down > 0
}

/// Writes on, and knows what it wrote.
struct Hashing<W> {
    inner: W,
    hash: Sha256,
    bytes: u64,
    limit: u64,
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        if self.bytes.saturating_add(buffer.len() as u64) > self.limit {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let written = self.inner.write(buffer)?;
        self.hash.update(&buffer[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
