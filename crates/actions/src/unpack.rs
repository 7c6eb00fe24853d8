//! An artifact's archive, unpacked into a folder that it cannot leave.
//!
//! Archives are made by steps, so nothing in them is believed: names that lead out of the folder are
//! refused, links are written as the plain files that they are in an archive, and modes lose what
//! gives rights to others.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use zip::ZipArchive;

/// The bits of a file's mode that are kept.
const MODE_MASK: u32 = 0o777;

/// What happens to files that are there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// They are replaced, as `actions/download-artifact` does.
    Replace,
    /// Nothing is unpacked at all, as `gh run download` does.
    Refuse,
}

/// Why an archive was not unpacked.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// It is no archive, or a broken one.
    #[error("the archive cannot be read")]
    Archive(#[source] zip::result::ZipError),
    /// A name leads out of the folder.
    #[error("its entry '{0}' leads out of the folder")]
    Outside(String),
    /// A file is there already.
    #[error("'{0}' is there already")]
    Exists(PathBuf),
    /// The disk.
    #[error("'{path}' cannot be written")]
    Write {
        /// Which file or folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// Unpacks an archive and says how many files it had. What can be refused is refused before the
/// first file is written.
pub fn unpack_artifact(
    archive: File,
    folder: &Path,
    existing: Existing,
) -> Result<usize, UnpackError> {
    let mut archive = ZipArchive::new(io::BufReader::new(archive)).map_err(UnpackError::Archive)?;
    let mut targets = Vec::new();
    for index in 0..archive.len() {
        let entry = archive.by_index(index).map_err(UnpackError::Archive)?;
        let inside = entry.enclosed_name().filter(|inside| inside.components().next().is_some());
        let Some(inside) = inside else {
            let name = entry.name().map_err(UnpackError::Archive)?;
            return Err(UnpackError::Outside(name.escape_debug().to_string()));
        };
        let target = folder.join(inside);
        if existing == Existing::Refuse && !entry.is_dir() && fs::symlink_metadata(&target).is_ok()
        {
            return Err(UnpackError::Exists(target));
        }
        targets.push(target);
    }
    make(folder)?;
    let mut files = 0;
    for (index, target) in targets.iter().enumerate() {
        let mut entry = archive.by_index(index).map_err(UnpackError::Archive)?;
        if entry.is_dir() {
            make(target)?;
            continue;
        }
        make(target.parent().expect("a file lies in a folder"))?;
        let mode = entry.unix_mode();
        let written = write(&mut entry, target, mode, existing);
        written.map_err(|source| UnpackError::Write { path: target.clone(), source })?;
        files += 1;
    }
    Ok(files)
}

fn make(folder: &Path) -> Result<(), UnpackError> {
    fs::create_dir_all(folder)
        .map_err(|source| UnpackError::Write { path: folder.to_owned(), source })
}

fn write(
    entry: &mut dyn io::Read,
    target: &Path,
    mode: Option<u32>,
    existing: Existing,
) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true);
    match existing {
        Existing::Replace => options.create(true).truncate(true),
        Existing::Refuse => options.create_new(true),
    };
    let mut out = options.open(target)?;
    io::copy(entry, &mut out)?;
    match mode {
        Some(mode) => out.set_permissions(fs::Permissions::from_mode(mode & MODE_MASK)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    /// An archive with entries of these names, each holding its name.
    fn archive(folder: &Path, names: &[&str]) -> File {
        let path = folder.join("archive.zip");
        let mut archive = zip::ZipWriter::new(File::create(&path).expect("a file"));
        let options = zip::write::SimpleFileOptions::default()
            .compression_method(zip::CompressionMethod::Stored)
            .unix_permissions(0o4755);
        for name in names {
            // Written as it is: the writer would mend it.
            archive.start_file(*name, options).expect("an entry");
            archive.write_all(name.as_bytes()).expect("its bytes");
        }
        archive.finish().expect("an archive");
        File::open(path).expect("it was made")
    }

    fn unpack(names: &[&str], existing: Existing) -> (tempfile::TempDir, String) {
        let folder = tempfile::tempdir().expect("a scratch folder");
        let into = folder.path().join("into");
        fs::create_dir_all(&into).expect("a folder");
        fs::write(into.join("old"), "mine").expect("a file");
        let said = match unpack_artifact(archive(folder.path(), names), &into, existing) {
            Ok(files) => format!("{files} files"),
            Err(error) => error.to_string().replace(&into.display().to_string(), "INTO"),
        };
        (folder, said)
    }

    #[test]
    fn an_archive_lands_in_its_folder() {
        let (folder, said) = unpack(&["one", "deep/er/two", "old", "/root"], Existing::Replace);
        assert_eq!(said, "4 files");
        assert!(folder.path().join("into/root").is_file());
        let read = |name: &str| fs::read_to_string(folder.path().join("into").join(name));
        assert_eq!(read("deep/er/two").expect("it is there"), "deep/er/two");
        assert_eq!(read("old").expect("it is there"), "old");
        let mode = fs::metadata(folder.path().join("into/one")).expect("there").permissions();
        assert_eq!(mode.mode() & 0o7777, 0o755);
    }

    #[test]
    fn what_is_there_is_kept_where_that_is_wanted() {
        let (folder, said) = unpack(&["one", "old"], Existing::Refuse);
        assert_eq!(said, "'INTO/old' is there already");
        let read = |name: &str| fs::read_to_string(folder.path().join("into").join(name));
        assert_eq!(read("old").expect("it is there"), "mine");
        assert!(read("one").is_err());
    }

    #[test]
    fn names_that_lead_out_are_refused_before_anything_is_written() {
        for name in ["../out", "a/../../out", "../into-too/out", ".."] {
            let (folder, said) = unpack(&["one", name], Existing::Replace);
            assert!(said.ends_with("leads out of the folder"), "{name}: {said}");
            let entries = fs::read_dir(folder.path().join("into")).expect("a folder").count();
            assert_eq!((entries, folder.path().join("out").exists()), (1, false), "{name}");
        }
    }

    #[test]
    fn what_is_no_archive_is_said_to_be_none() {
        let folder = tempfile::tempdir().expect("a scratch folder");
        let path = folder.path().join("text");
        fs::write(&path, "no zip").expect("a file");
        let file = File::open(path).expect("a file");
        let error = unpack_artifact(file, folder.path(), Existing::Replace).expect_err("refused");
        assert_eq!(error.to_string(), "the archive cannot be read");
    }
}
