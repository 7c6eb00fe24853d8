//! `actions/setup-python`: an interpreter of this machine, in an environment of the job's own, so
//! that `pip install` never touches the machine's packages.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::dependency_cache::{self, DependencyCache, lock_files};
use super::glob::absolute;
use super::step::{Failure, Step, failed_at};
use super::tools::{self, Tool};
use super::version::{Range, Version};
use super::{Native, NativeAction, Stage};

/// The registration.
pub(super) const PYTHON: Native = Native {
    action: NativeAction {
        name: "setup-python",
        manifest: include_str!("setup_python.yml"),
        stages: &[Stage::Main, Stage::Post],
    },
    of: "actions/setup-python",
    majors: &[4, 5, 6],
    refs: &["main"],
    commits: &[("a26af69be951a213d495a4c3e4e4022e16d87065", 5)],
    run,
};

/// What an interpreter is asked.
const QUESTION: &str = "import sys; v = sys.version_info; \
    print('%d.%d.%d%s' % (v[0], v[1], v[2], '' if v[3] == 'final' else '-' + v[3] + str(v[4])))";

fn run(step: &mut Step, stage: Stage) -> Result<(), Failure> {
    match stage {
        Stage::Pre => Ok(()),
        Stage::Main => set_up(step),
        Stage::Post => dependency_cache::save(step),
    }
}

fn set_up(step: &mut Step) -> Result<(), Failure> {
    let architecture = tools::check_architecture(step)?;
    if step.boolean("freethreaded")? {
        return Err(Failure::missing(
            "input `freethreaded` asks for an interpreter that is not looked for here",
            "run the original with --no-native",
        ));
    }
    let versions = versions(step)?;
    let found = interpreters(step);
    let mut made = None;
    // Several versions may be asked for: the last one wins `python`, the others keep their names.
    for version in &versions {
        let tool = choose(step, version, &found)?;
        let folder = environment(step, &tool)?;
        step.info(&format!(
            "Python {} from {}; packages go to {} and nowhere else",
            tool.version,
            tool.path.display(),
            folder.display()
        ));
        if step.given("update-environment").is_none_or(|text| !text.eq_ignore_ascii_case("false")) {
            export(step, &folder, &tool);
        }
        made = Some((tool, folder));
    }
    let (tool, folder) = made.expect("there is at least one version");
    step.output("python-version", &tool.version.to_string());
    step.output("python-path", &folder.join("bin/python").display().to_string());
    if step.boolean("check-latest")? {
        step.not_enforced("check-latest", "the newest on this machine is used");
    }
    pip(step, &folder)?;
    match step.given("cache") {
        Some(manager) => restore(step, &manager, &tool, &architecture),
        None => Ok(()),
    }
}

/// The versions that the inputs ask for, else `.python-version`, else any.
fn versions(step: &Step) -> Result<Vec<String>, Failure> {
    let lines = step.lines("python-version");
    let workspace = step.folder("GITHUB_WORKSPACE")?;
    if !lines.is_empty() {
        if step.given("python-version-file").is_some() {
            step.warning("Both python-version and python-version-file inputs are specified, only python-version will be used.");
        }
        return Ok(lines);
    }
    let (file, named) = match step.given("python-version-file") {
        Some(file) => (PathBuf::from(absolute(&file, &workspace, &workspace)), true),
        None => (workspace.join(".python-version"), false),
    };
    let Ok(text) = fs::read_to_string(&file) else {
        if named {
            return Err(Failure::new(format!(
                "The specified python version file at: {} doesn't exist.",
                file.display()
            )));
        }
        step.warning("Neither 'python-version' nor 'python-version-file' is given: the newest on this machine is used");
        return Ok(vec!["*".to_owned()]);
    };
    let found = match file.extension().and_then(|it| it.to_str()) {
        Some("toml") => requires_python(&text).into_iter().collect(),
        _ => text
            .lines()
            .map(|line| line.split('#').next().unwrap_or_default().trim())
            .map(|line| line.strip_prefix("python ").unwrap_or(line).trim())
            .filter(|line| line.starts_with(|it: char| it.is_ascii_digit()))
            .map(str::to_owned)
            .collect::<Vec<_>>(),
    };
    if found.is_empty() {
        return Err(Failure::new(format!("{} names no Python version", file.display())));
    }
    Ok(found)
}

/// `requires-python` of a project, or Poetry's `python`.
fn requires_python(text: &str) -> Option<String> {
    text.lines().find_map(|line| {
        let (key, value) = line.split_once('=')?;
        let known = matches!(key.trim(), "requires-python" | "python");
        let value = value.split('#').next().unwrap_or_default().trim();
        known.then(|| value.trim_matches(['"', '\'']).replace("!=", "").to_owned())
    })
}

fn interpreters(step: &Step) -> Vec<Tool> {
    let mut files = Vec::new();
    for cache in tools::tool_caches(step) {
        files.extend(tools::under(&cache, "Python/*/*/bin/python3"));
        files.extend(tools::under(&cache, "uv/*/bin/python3"));
    }
    for home in tools::homes(step) {
        files.extend(tools::under(&home, ".pyenv/versions/*/bin/python3"));
        files.extend(tools::under(&home, ".local/share/uv/python/*/bin/python3"));
        files.extend(tools::under(&home, ".asdf/installs/python/*/bin/python3"));
    }
    if let Some(root) = step.variable("PYENV_ROOT") {
        files.extend(tools::under(Path::new(&root), "versions/*/bin/python3"));
    }
    // The job's home is its own: a shim on PATH tells where the user's pyenv lies.
    for folder in std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()) {
        if let Some(root) = folder.parent().filter(|_| folder.ends_with("shims")) {
            files.extend(tools::under(root, "versions/*/bin/python3"));
        }
    }
    for name in
        std::iter::once("python3".to_owned()).chain((6..30).map(|minor| format!("python3.{minor}")))
    {
        files.extend(tools::on_path(&name));
    }
    tools::ask(files, &["-I", "-c", QUESTION], |text| Version::parse(text.trim()))
}

fn choose(step: &Step, wanted: &str, found: &[Tool]) -> Result<Tool, Failure> {
    let lower = wanted.to_lowercase();
    if lower.starts_with("pypy") || lower.starts_with("graalpy") {
        return Err(Failure::missing(
            format!("{wanted} is not looked for: the native version knows CPython only"),
            "run the original with --no-native",
        ));
    }
    let development = wanted.strip_suffix("-dev");
    let text = development.unwrap_or(wanted);
    let range = Range::parse(text)
        .ok_or_else(|| Failure::new(format!("`{wanted}` is not a Python version or range")))?;
    let prereleases = development.is_some() || step.boolean("allow-prereleases")?;
    if let Some(tool) = tools::newest(found, &range, prereleases) {
        return Ok(tool);
    }
    if let Some(tool) = by_uv(step, text, &range)? {
        return Ok(tool);
    }
    let trap = match text {
        "3.1" | "3.2" => {
            return Err(Failure::missing(
                format!("Python {text} is not on this machine ({})", tools::listed(found)),
                format!(
                    "YAML reads an unquoted {text}0 as {text}: write python-version: '{text}0'"
                ),
            ));
        }
        other => other,
    };
    Err(Failure::missing(
        format!("Python {trap} is not on this machine ({})", tools::listed(found)),
        format!(
            "install it: uv python install {trap}, or pyenv install {trap}, or your system's package"
        ),
    ))
}

/// uv fetches interpreters, where it is installed and the network may be used.
fn by_uv(step: &Step, wanted: &str, range: &Range) -> Result<Option<Tool>, Failure> {
    let plain = wanted.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let Some(uv) = tools::on_path("uv").into_iter().next() else { return Ok(None) };
    if step.switch("LAUNCHWAY_OFFLINE") || !plain {
        return Ok(None);
    }
    let folder = step.folder("LAUNCHWAY_TOOLS")?.join("uv");
    step.info(&format!("uv installs Python {wanted}"));
    let status = Command::new(uv)
        .args(["python", "install", wanted])
        .env("UV_PYTHON_INSTALL_DIR", &folder)
        .stdin(Stdio::null())
        .status();
    if !status.is_ok_and(|status| status.success()) {
        step.warning(&format!("uv could not install Python {wanted}"));
        return Ok(None);
    }
    let found =
        tools::ask(tools::under(&folder, "*/bin/python3"), &["-I", "-c", QUESTION], |text| {
            Version::parse(text.trim())
        });
    Ok(tools::newest(&found, range, false))
}

/// A fresh environment. Making pip takes seconds, so that is done once for each interpreter, in the
/// tool cache; the job's own gets links to its files.
fn environment(step: &Step, tool: &Tool) -> Result<PathBuf, Failure> {
    let folder = step.folder("RUNNER_TEMP")?.join(format!("python-{}", tool.version));
    if folder.join("bin/python").exists() {
        return Ok(folder);
    }
    let template = template(step, tool)?;
    venv(&tool.path, &folder, &["--without-pip"])?;
    let library = format!("lib/python{}.{}/site-packages", tool.version.major, tool.version.minor);
    copy_tree(&template.join(&library), &folder.join(&library))?;
    let python = folder.join("bin/python");
    // `sh` starts it: a `#!` line breaks at blanks and at 127 bytes.
    let script = format!(
        "#!/bin/sh\n'''exec' {} \"$0\" \"$@\"\n' '''\nimport sys\nfrom pip._internal.cli.main import main\nsys.exit(main())\n",
        tools::quoted(&python)
    );
    let minor = format!("pip{}.{}", tool.version.major, tool.version.minor);
    for name in ["pip", "pip3", &minor] {
        tools::write_script(&folder.join("bin").join(name), &script)?;
    }
    Ok(folder)
}

fn template(step: &Step, tool: &Tool) -> Result<PathBuf, Failure> {
    let real = fs::canonicalize(&tool.path).map_err(failed_at("read", &tool.path))?;
    let place = super::step::hex(&<sha2::Sha256 as sha2::Digest>::digest(
        real.as_os_str().as_encoded_bytes(),
    ));
    let folder = step.folder("LAUNCHWAY_TOOLS")?.join("launchway-venv");
    let template = folder.join(format!("{}-{}", tool.version, &place[..12]));
    if template.is_dir() {
        return Ok(template);
    }
    fs::create_dir_all(&folder).map_err(failed_at("made", &folder))?;
    let scratch = tempfile::Builder::new()
        .prefix(".half-")
        .tempdir_in(&folder)
        .map_err(failed_at("made", &folder))?;
    venv(&tool.path, scratch.path(), &[])?;
    match fs::rename(scratch.path(), &template) {
        Ok(()) => drop(scratch.keep()),
        Err(_) if template.is_dir() => {}
        Err(error) => return Err(failed_at("written", &template)(error)),
    }
    Ok(template)
}

fn venv(python: &Path, folder: &Path, more: &[&str]) -> Result<(), Failure> {
    let output = Command::new(python)
        .args(["-I", "-m", "venv"])
        .args(more)
        .arg(folder)
        .stdin(Stdio::null())
        .output()
        .map_err(failed_at("started", python))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    let last =
        said.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or_default().to_owned();
    Err(Failure::missing(
        format!("{} cannot make an environment: {last}", python.display()),
        "its venv and ensurepip modules are needed (Debian: apt-get install python3-venv)",
    ))
}

/// Links where the disk can, copies elsewhere. pip replaces files by name, so the originals stay.
fn copy_tree(from: &Path, to: &Path) -> Result<(), Failure> {
    fs::create_dir_all(to).map_err(failed_at("made", to))?;
    for entry in fs::read_dir(from).map_err(failed_at("read", from))? {
        let source = entry.map_err(failed_at("read", from))?.path();
        let target = to.join(source.file_name().expect("an entry has a name"));
        if source.is_dir() {
            copy_tree(&source, &target)?;
        } else if fs::hard_link(&source, &target).is_err() {
            fs::copy(&source, &target).map_err(failed_at("written", &target))?;
        }
    }
    Ok(())
}

fn export(step: &mut Step, folder: &Path, tool: &Tool) {
    let place = folder.display().to_string();
    for name in ["pythonLocation", "Python_ROOT_DIR", "Python2_ROOT_DIR", "Python3_ROOT_DIR"] {
        step.export(name, &place);
    }
    let real = fs::canonicalize(&tool.path).unwrap_or_else(|_| tool.path.clone());
    if let Some(prefix) = real.parent().and_then(Path::parent) {
        step.export("PKG_CONFIG_PATH", &prefix.join("lib/pkgconfig").display().to_string());
        // The system's own libraries need no path, and a path to them would go before others.
        if prefix != Path::new("/usr") {
            let before = step.variable("LD_LIBRARY_PATH").map(|path| format!(":{path}"));
            let library = prefix.join("lib").display().to_string();
            step.export("LD_LIBRARY_PATH", &(library + &before.unwrap_or_default()));
        }
    }
    step.add_path(&folder.join("bin"));
}

/// The inputs that change or use pip.
fn pip(step: &mut Step, folder: &Path) -> Result<(), Failure> {
    let mut wanted = Vec::new();
    if let Some(version) = step.given("pip-version") {
        wanted.push(vec![format!("pip=={version}")]);
    }
    if let Some(packages) = step.given("pip-install") {
        wanted.push(packages.split_whitespace().map(str::to_owned).collect());
    }
    for arguments in wanted {
        let python = folder.join("bin/python");
        let status = Command::new(&python)
            .args(["-m", "pip", "install"])
            .args(&arguments)
            .stdin(Stdio::null())
            .status()
            .map_err(failed_at("started", &python))?;
        if !status.success() {
            return Err(Failure::new(format!("pip install {} failed", arguments.join(" "))));
        }
    }
    Ok(())
}

fn restore(step: &mut Step, manager: &str, tool: &Tool, architecture: &str) -> Result<(), Failure> {
    let (folders, patterns, suffix): (Vec<String>, &[&str], &str) = match manager {
        "pip" => {
            let folder =
                step.variable("PIP_CACHE_DIR").unwrap_or_else(|| "~/.cache/pip".to_owned());
            (vec![folder], &["**/requirements.txt", "**/pyproject.toml"], "pip")
        }
        "pipenv" => (vec!["~/.local/share/virtualenvs".to_owned()], &["**/Pipfile.lock"], "pipenv"),
        "poetry" => (vec!["~/.cache/pypoetry".to_owned()], &["**/poetry.lock"], "poetry-v2"),
        other => return Err(Failure::new(format!("Caching for '{other}' is not supported"))),
    };
    let given = step.lines("cache-dependency-path");
    let files = if given.is_empty() {
        // The first of the usual files that is there at all.
        let mut files = Vec::new();
        for pattern in patterns {
            if files.is_empty() {
                files = lock_files(step, &[(*pattern).to_owned()])?;
            }
        }
        files
    } else {
        lock_files(step, &given)?
    };
    if files.is_empty() {
        let looked = if given.is_empty() { patterns.join(" or ") } else { given.join(",") };
        let workspace = step.required("GITHUB_WORKSPACE")?;
        return Err(Failure::new(format!(
            "No file in {workspace} matched to [{looked}], make sure you have checked out the target repository"
        )));
    }
    let system = step.variable("RUNNER_OS").unwrap_or_else(|| "Linux".to_owned());
    let prefix = format!("setup-python-{system}-{architecture}-python-{}-{suffix}", tool.version);
    DependencyCache { folders, prefix, older_serves: manager == "pip" }.restore(step, &files)
}
