//! Programs that are on this machine: in the tool cache, on `PATH`, in version managers.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::step::{Failure, Step, failed_at};
use super::version::{Range, Version};

/// A program and its version.
#[derive(Clone, Debug)]
pub(super) struct Tool {
    pub(super) version: Version,
    pub(super) path: PathBuf,
}

/// Every file of that name on `PATH` that may be executed. The shims of version managers are left
/// out: they answer only for the version that is switched on.
pub(super) fn on_path(name: &str) -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .filter(|folder| folder.file_name() != Some(OsStr::new("shims")))
        .map(|folder| folder.join(name))
        .filter(|file| is_program(file))
        .collect()
}

/// Whether the file is there and may be executed.
pub(super) fn is_program(file: &Path) -> bool {
    fs::metadata(file).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

/// Files at `PATTERN` under a folder, where `*` stands for every entry: `versions/*/bin/python`.
pub(super) fn under(folder: &Path, pattern: &str) -> Vec<PathBuf> {
    let mut found = vec![folder.to_owned()];
    for part in pattern.split('/') {
        found = found
            .into_iter()
            .flat_map(|folder| match part {
                "*" => fs::read_dir(&folder)
                    .map(|entries| {
                        entries.filter_map(Result::ok).map(|entry| entry.path()).collect()
                    })
                    .unwrap_or_default(),
                name => vec![folder.join(name)],
            })
            .collect::<Vec<_>>();
    }
    found.retain(|file| is_program(file));
    found.sort();
    found
}

/// The homes in which version managers may lie: the user's before the job's.
pub(super) fn homes(step: &Step) -> Vec<PathBuf> {
    ["LAUNCHWAY_HOME", "HOME"]
        .into_iter()
        .filter_map(|name| step.variable(name))
        .map(PathBuf::from)
        .collect()
}

/// Folders of the tool cache, ours and the one that the job knows.
pub(super) fn tool_caches(step: &Step) -> Vec<PathBuf> {
    let mut found = ["LAUNCHWAY_TOOLS", "RUNNER_TOOL_CACHE"]
        .into_iter()
        .filter_map(|name| step.variable(name))
        .map(PathBuf::from)
        .collect::<Vec<_>>();
    found.dedup();
    found
}

/// Asks each file for its version; what cannot answer is left out. The same program behind two
/// names is asked once.
pub(super) fn ask(
    files: Vec<PathBuf>,
    arguments: &[&str],
    read: fn(&str) -> Option<Version>,
) -> Vec<Tool> {
    let mut seen = BTreeMap::new();
    for path in files {
        let real = fs::canonicalize(&path).unwrap_or_else(|_| path.clone());
        seen.entry(real).or_insert(path);
    }
    let mut found = Vec::new();
    for path in seen.into_values() {
        let output =
            Command::new(&path).args(arguments).stdin(Stdio::null()).stderr(Stdio::null()).output();
        let Ok(output) = output else { continue };
        if let Some(version) = read(&String::from_utf8_lossy(&output.stdout)) {
            found.push(Tool { version, path });
        }
    }
    found.sort_by_key(|tool| tool.version);
    found
}

/// The newest that fits.
pub(super) fn newest(tools: &[Tool], range: &Range, prereleases: bool) -> Option<Tool> {
    let fits = |tool: &&Tool| range.fits(tool.version);
    let released = tools.iter().rfind(|tool| fits(tool) && tool.version.is_release());
    let any = || tools.iter().rfind(|tool| prereleases && fits(tool));
    released.or_else(any).cloned()
}

/// What is there, for a message.
pub(super) fn listed(tools: &[Tool]) -> String {
    if tools.is_empty() {
        return "none was found".to_owned();
    }
    let all = tools.iter().map(|tool| format!("{} ({})", tool.version, tool.path.display()));
    format!("found: {}", all.collect::<Vec<_>>().join(", "))
}

/// Puts links to programs into a folder, in place of what was there.
pub(super) fn link(folder: &Path, links: &[(&str, &Path)]) -> Result<(), Failure> {
    fs::create_dir_all(folder).map_err(failed_at("made", folder))?;
    for (name, target) in links {
        let link = folder.join(name);
        if fs::symlink_metadata(&link).is_ok() {
            fs::remove_file(&link).map_err(failed_at("removed", &link))?;
        }
        symlink(target, &link).map_err(failed_at("made", &link))?;
    }
    Ok(())
}

/// Writes a script that may be executed.
pub(super) fn write_script(path: &Path, text: &str) -> Result<(), Failure> {
    if fs::symlink_metadata(path).is_ok() {
        fs::remove_file(path).map_err(failed_at("removed", path))?;
    }
    fs::write(path, text)
        .and_then(|()| fs::set_permissions(path, fs::Permissions::from_mode(0o755)))
        .map_err(failed_at("written", path))
}

/// A word for `sh`.
pub(super) fn quoted(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', r"'\''"))
}

/// Refuses another processor than this machine's.
pub(super) fn check_architecture(step: &Step) -> Result<String, Failure> {
    let own = match std::env::consts::ARCH {
        "x86_64" => "x64",
        "aarch64" => "arm64",
        other => other,
    };
    match step.given("architecture") {
        Some(wanted) if !wanted.eq_ignore_ascii_case(own) => Err(Failure::missing(
            format!("input `architecture` asks for {wanted}, this machine is {own}"),
            "take the input out, or run on such a machine",
        )),
        _ => Ok(own.to_owned()),
    }
}
