//! Finding workflow files: a file, a folder of them, or a repository.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use syntax::{Diagnostic, Source, Span};

use crate::exit::{Exit, Failure};

/// Where GitHub looks (conformance 1).
pub(crate) const WORKFLOWS: &str = ".github/workflows";
/// A file above this is not read at all. GitHub's limit is 500 KB; the reader has its own above
/// that; this one is against being handed a disk image.
const FILE_BYTES_MAX: u64 = 4 << 20;

/// Reads one file under the name the person will see.
pub(crate) fn read(path: &Path, shown: &str) -> Result<Arc<Source>, Failure> {
    let cannot = |error: std::io::Error| {
        let missing = error.kind() == std::io::ErrorKind::NotFound;
        let error = anyhow::Error::from(error).context(format!("cannot read {shown}"));
        Failure::caused(if missing { Exit::Usage } else { Exit::Missing }, error)
    };
    let mut bytes = Vec::new();
    // A pipe or a device tells no size, and some of them never end.
    let mut file = std::fs::File::open(path).map_err(cannot)?.take(FILE_BYTES_MAX + 1);
    file.read_to_end(&mut bytes).map_err(cannot)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        let message = format!("{shown} has more than {FILE_BYTES_MAX} bytes, and is not read");
        return Err(Failure::new(Exit::Refused, message)
            .hint("a workflow file has 500 KB at most on GitHub; is it the right file?"));
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        Failure::new(
            Exit::Refused,
            format!("{shown} is not UTF-8: byte {at} does not belong to any character"),
        )
        .hint("save it as UTF-8")
    })?;
    Ok(Source::new(shown, text))
}

/// What is wrong with a workflow file that is a symbolic link: GitHub reads it as git keeps it, as the
/// path it points to, which is no workflow. `source` has that path as its text.
pub(crate) fn link_finding(source: &Arc<Source>) -> Diagnostic {
    let span = Span::new(0, source.text().trim_end().len());
    let message = "this file is a symbolic link, which GitHub does not follow";
    let hint = "make it a file, or call the other one as a reusable workflow";
    Diagnostic::error("workflow-link", source, span, message).hint(hint)
}

/// A link as git keeps it; none for anything else.
pub(crate) fn link(path: &Path, shown: &str) -> Option<Arc<Source>> {
    let target = std::fs::read_link(path).ok()?;
    Some(Source::new(shown, format!("{}\n", target.display())))
}

/// The workflow files that `path` stands for, in the order of their names.
pub(crate) fn workflow_files(path: &Path) -> Result<Vec<PathBuf>, Failure> {
    if !path.is_dir() {
        return Ok(vec![path.to_path_buf()]);
    }
    let nested = path.join(WORKFLOWS);
    let folder = if nested.is_dir() { nested } else { path.to_path_buf() };
    let cannot = |error: std::io::Error| {
        let context = format!("cannot list {}", folder.display());
        Failure::caused(Exit::Missing, anyhow::Error::from(error).context(context))
    };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(&folder).map_err(cannot)? {
        let path = entry.map_err(cannot)?.path();
        if is_yaml(&path) && path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// `*.yml` and `*.yaml`
pub(crate) fn is_yaml(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "yml" || extension == "yaml")
}

/// Writes a file beside its place and renames it: nobody reads half of it, and it survives the loss of
/// power. Its folder is made.
pub(crate) fn write_beside(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    use std::io::Write as _;
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    let mut beside = tempfile::NamedTempFile::new_in(folder)?;
    beside.write_all(bytes)?;
    beside.as_file().sync_all()?;
    beside.persist(path).map_err(|error| error.error)?;
    Ok(())
}

/// A path as the person would write it: relative to where they stand, where that is shorter.
pub(crate) fn shown(path: &Path) -> String {
    let here = std::env::current_dir().ok();
    let relative = here.as_deref().and_then(|here| path.strip_prefix(here).ok());
    let text = relative.unwrap_or(path).display().to_string();
    text.strip_prefix("./").unwrap_or(&text).to_owned()
}
