//! Where package managers put what a job installs: folders of the job, never the user's own.
//!
//! `HOME` alone does not do it. pip installs into the interpreter that it is called with, npm beside
//! the program `node`, gem into Ruby's own folder, corepack beside itself. So:
//!
//! - Python: names on `PATH` that stand for an interpreter or pip (`shims`) lead to an environment
//!   of the job's own, made when the first of them is called. It is a plain virtual environment that
//!   sees the machine's packages too. Settings of pip would not do: `PIP_USER` and its like reach
//!   into virtual environments, which refuse it.
//! - npm, gem and cargo are told by variables; Go and pipx obey `HOME`.
//! - cargo's home is the job's own, since the user's holds tokens of registries; the folders of
//!   downloaded crates in it are Launchway's, shared by all jobs.
//!
//! This is against accidents, not malice (design 8.8): `docs/local-safety.md` says what is left.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use crate::process::find_program;

/// Interpreters and pips by name; those with a minor version come on top.
const PYTHONS: [&str; 4] = ["python", "python3", "pip", "pip3"];

/// Minor versions of Python that are looked for: nothing older makes environments as we need them.
const PYTHON_MINORS: std::ops::Range<u32> = 6..30;

/// Answers for every name in [`PYTHONS`].
const PYTHON_SHIM: &str = include_str!("packages/python.sh");

/// Makes the environment, run by the interpreter that it is for.
const PYTHON_ENVIRONMENT: &str = include_str!("packages/environment.py");

/// What cargo keeps of the registries, shared between jobs, with the locks that keep jobs apart and
/// the record of what was used when.
const CARGO_FOLDERS: [&str; 2] = ["registry", "git"];
const CARGO_FILES: [&str; 3] = [".package-cache", ".package-cache-mutate", ".global-cache"];

/// The folders that this is about.
pub(crate) struct Places<'a> {
    /// A folder of the job's for this alone: its steps may change what lies there.
    pub(crate) own: &'a Path,
    /// `HOME`
    pub(crate) home: &'a Path,
    /// Downloads that jobs share.
    pub(crate) downloads: &'a Path,
}

/// Makes what is needed, and says so in the environment that every step begins with.
pub(crate) fn settle(places: &Places<'_>, env: &mut BTreeMap<String, String>) -> io::Result<()> {
    let path = env.get("PATH").cloned().unwrap_or_default();
    let shims = places.own.join("shims");
    fs::create_dir_all(&shims)?;
    let mut before_path = Vec::new();
    if python(places, &shims, &path)? {
        before_path.push(places.own.join("python/bin"));
    }
    before_path.push(shims.clone());
    let has = |name: &str| find_program(name, &path, Path::new("/"));
    before_path.push(places.home.join(".local/bin"));
    if let Some(corepack) = has("corepack") {
        // It writes `yarn` and `pnpm` beside the name that it was called by.
        symlink(corepack, shims.join("corepack"))?;
    }
    if has("npm").is_some() {
        // A file and no variable: nvm refuses to work beside a variable.
        let settings = places.own.join("npmrc");
        let prefix = places.home.join(".local");
        fs::write(&settings, format!("prefix={}\n", prefix.display()))?;
        put(env, "NPM_CONFIG_GLOBALCONFIG", &settings);
        put(env, "YARN_PREFIX", &prefix);
    }
    if has("gem").is_some() {
        let gems = places.home.join(".gem");
        before_path.push(gems.join("bin"));
        put(env, "GEM_HOME", &gems);
    }
    if has("cargo").is_some() {
        before_path.push(cargo(places, env)?);
    }
    let parts = before_path.iter().filter_map(|it| it.to_str()).chain([path.as_str()]);
    let path = parts.collect::<Vec<_>>().join(":");
    env.insert("PATH".to_owned(), path);
    Ok(())
}

fn put(env: &mut BTreeMap<String, String>, name: &str, value: &Path) {
    if let Some(value) = value.to_str() {
        env.insert(name.to_owned(), value.to_owned());
    }
}

/// Names that lead to the job's own environment, for those that this machine has; whether it has
/// any.
fn python(places: &Places<'_>, shims: &Path, path: &str) -> io::Result<bool> {
    let mut names: Vec<String> = PYTHONS.iter().map(|it| (*it).to_owned()).collect();
    for minor in PYTHON_MINORS {
        names.extend([format!("python3.{minor}"), format!("pip3.{minor}")]);
    }
    let is_there = |name: &String| find_program(name, path, Path::new("/")).is_some();
    names.retain(is_there);
    if names.is_empty() {
        return Ok(false);
    }
    let script = places.own.join("python.sh");
    let own = places.own.to_str().unwrap_or_default();
    let quoted = format!("'{}'", own.replace('\'', r"'\''"));
    fs::write(&script, PYTHON_SHIM.replace("@OWN@", &quoted))?;
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755))?;
    fs::write(places.own.join("environment.py"), PYTHON_ENVIRONMENT)?;
    names.iter().try_for_each(|name| symlink("../python.sh", shims.join(name)))?;
    Ok(true)
}

/// A home of its own; the answer is where `cargo install` puts programs.
fn cargo(places: &Places<'_>, env: &mut BTreeMap<String, String>) -> io::Result<PathBuf> {
    let (own, shared) = (places.home.join(".cargo"), places.downloads.join("cargo"));
    fs::create_dir_all(&own)?;
    for name in CARGO_FOLDERS {
        fs::create_dir_all(shared.join(name))?;
        symlink(shared.join(name), own.join(name))?;
    }
    for name in CARGO_FILES {
        symlink(shared.join(name), own.join(name))?;
    }
    put(env, "CARGO_HOME", &own);
    Ok(own.join("bin"))
}
