//! Finding and reading `launchway.yml`, and the `.env` files it names.

use std::path::{Path, PathBuf};

use settings::dotenv::{self, EnvFile};
use settings::{FILE, Settings};
use syntax::{Diagnostic, Severity};

use crate::exit::{Exit, Failure};
use crate::running::files;
use crate::terminal::diagnostics;
use crate::terminal::style::{Style, talk};

/// The settings and the folder that paths in them begin at.
#[derive(Clone)]
pub(crate) struct Found {
    pub(crate) settings: Settings,
    pub(crate) root: PathBuf,
    /// The file itself.
    pub(crate) file: PathBuf,
}

/// Reads the settings of this repository, or the given file. Mistakes are told, and refuse it.
pub(crate) fn load(given: Option<&Path>) -> Result<Found, Failure> {
    let path = match given {
        Some(path) => path.to_path_buf(),
        None => locate()?,
    };
    let source = files::read(&path, &files::shown(&path))?;
    let (settings, found) = settings::read(&source);
    for finding in found.iter().filter(|it| it.severity == Severity::Error) {
        talk(&diagnostics::human(finding, Style::stderr()));
    }
    let settings = settings.ok_or_else(|| {
        Failure::new(Exit::Refused, format!("{} has mistakes", source.name()))
            .hint("`launchway check` shows them, and what else there is to say")
    })?;
    Ok(Found { settings, root: folder(&path), file: path })
}

/// The settings of this repository, where there are any.
pub(crate) fn load_if_there() -> Result<Option<Found>, Failure> {
    match locate() {
        Ok(path) => load(Some(&path)).map(Some),
        Err(_) => Ok(None),
    }
}

/// Reads a `.env` file; none where there is no such file.
pub(crate) fn read_env(path: &Path) -> Result<Option<(EnvFile, Vec<Diagnostic>)>, Failure> {
    if !path.exists() {
        return Ok(None);
    }
    let shown = files::shown(path);
    let source = files::read(path, &shown)?;
    Ok(Some(dotenv::read(&shown, source.text())))
}

/// The folder a file lies in.
pub(crate) fn folder(path: &Path) -> PathBuf {
    path.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_path_buf()
}

/// From here upwards, no further than the repository reaches.
fn locate() -> Result<PathBuf, Failure> {
    let here = std::env::current_dir()
        .map_err(|error| Failure::caused(Exit::Missing, anyhow::Error::from(error)))?;
    for folder in here.ancestors() {
        if folder.join(FILE).is_file() {
            return Ok(folder.join(FILE));
        }
        if folder.join(".git").exists() {
            break;
        }
    }
    Err(Failure::new(Exit::Usage, format!("there is no {FILE} in this repository"))
        .hint("docs/settings.md says what it holds; or name a file with --file"))
}
