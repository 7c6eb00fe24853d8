//! `actions/setup-node`: a Node.js of this machine, with a folder of the job's own for what
//! `npm install --global` brings.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value as Json;

use super::dependency_cache::{self, DependencyCache, lock_files};
use super::glob::absolute;
use super::step::{Failure, Step, failed_at};
use super::tools::{self, Tool};
use super::version::{Range, Version};
use super::{Native, NativeAction, Stage};

/// The registration.
pub(super) const NODE: Native = Native {
    action: NativeAction {
        name: "setup-node",
        manifest: include_str!("setup_node.yml"),
        stages: &[Stage::Main, Stage::Post],
    },
    of: "actions/setup-node",
    majors: &[3, 4, 5, 6],
    refs: &["main"],
    commits: &[("49933ea5288caeca8642d1e84afbd3f7d6820020", 4)],
    run,
};

/// Names of the lines with long support.
const LONG_TERM: &[(&str, u32)] = &[
    ("argon", 4),
    ("boron", 6),
    ("carbon", 8),
    ("dubnium", 10),
    ("erbium", 12),
    ("fermium", 14),
    ("gallium", 16),
    ("hydrogen", 18),
    ("iron", 20),
    ("jod", 22),
    ("krypton", 24),
];

fn run(step: &mut Step, stage: Stage) -> Result<(), Failure> {
    match stage {
        Stage::Pre => Ok(()),
        Stage::Main => set_up(step),
        Stage::Post => dependency_cache::save(step),
    }
}

fn set_up(step: &mut Step) -> Result<(), Failure> {
    let architecture = tools::check_architecture(step)?;
    for input in ["mirror", "mirror-token"] {
        if step.given(input).is_some() {
            step.not_enforced(input, "nothing is downloaded: Node.js is taken from this machine");
        }
    }
    if step.boolean("check-latest")? {
        step.not_enforced("check-latest", "the newest on this machine is used");
    }
    let found = installed(step);
    let wanted = wanted(step)?;
    let tool = choose(wanted.as_deref(), &found)?;
    let folder = own_folder(step, &tool)?;
    step.info(&format!(
        "Node.js {} from {}; global packages go to {} and nowhere else",
        tool.version,
        tool.path.display(),
        folder.display()
    ));
    step.add_path(&folder.join("bin"));
    step.export("NPM_CONFIG_PREFIX", &folder.display().to_string());
    step.output("node-version", &format!("v{}", tool.version));
    if let Some(registry) = step.given("registry-url") {
        registry_file(step, &registry)?;
    }
    let manager = match step.given("cache") {
        Some(manager) => Some(manager),
        None => by_package_file(step)?,
    };
    match manager {
        Some(manager) => restore(step, &manager, &architecture),
        None => Ok(()),
    }
}

fn wanted(step: &Step) -> Result<Option<String>, Failure> {
    let version = step.given("node-version").or_else(|| step.given("version"));
    let file = step.given("node-version-file");
    if let Some(version) = version {
        if file.is_some() {
            step.warning("Both node-version and node-version-file inputs are specified, only node-version will be used");
        }
        return Ok(Some(version));
    }
    let Some(file) = file else { return Ok(None) };
    let workspace = step.folder("GITHUB_WORKSPACE")?;
    let path = PathBuf::from(absolute(&file, &workspace, &workspace));
    let text = fs::read_to_string(&path).map_err(|_| {
        let path = path.display();
        Failure::new(format!("The specified node version file at: {path} does not exist"))
    })?;
    let found = match serde_json::from_str::<Json>(&text) {
        Ok(package @ Json::Object(_)) => from_package(&package),
        _ => text.lines().map(str::trim).find_map(|line| {
            let line = line.split('#').next().unwrap_or_default().trim();
            let line =
                line.strip_prefix("nodejs ").or_else(|| line.strip_prefix("node ")).unwrap_or(line);
            (!line.is_empty()).then(|| line.trim().to_owned())
        }),
    };
    found.map(Some).ok_or_else(|| {
        Failure::new(format!("Could not determine node version from {}", path.display()))
    })
}

fn from_package(package: &Json) -> Option<String> {
    let runtime = &package["devEngines"]["runtime"];
    let runtimes = runtime.as_array().cloned().unwrap_or_else(|| vec![runtime.clone()]);
    let declared = runtimes.iter().find(|it| it["name"] == "node").map(|it| &it["version"]);
    [Some(&package["volta"]["node"]), declared, Some(&package["engines"]["node"])]
        .into_iter()
        .flatten()
        .find_map(|version| version.as_str().map(str::to_owned))
}

fn installed(step: &Step) -> Vec<Tool> {
    let mut files = Vec::new();
    for cache in tools::tool_caches(step) {
        files.extend(tools::under(&cache, "node/*/*/bin/node"));
    }
    for home in tools::homes(step) {
        for place in [
            ".nvm/versions/node/*/bin/node",
            ".volta/tools/image/node/*/bin/node",
            ".local/share/fnm/node-versions/*/installation/bin/node",
            ".asdf/installs/nodejs/*/bin/node",
            ".nodenv/versions/*/bin/node",
        ] {
            files.extend(tools::under(&home, place));
        }
    }
    if let Some(nvm) = step.variable("NVM_DIR") {
        files.extend(tools::under(Path::new(&nvm), "versions/node/*/bin/node"));
    }
    files.extend(tools::on_path("node"));
    tools::ask(files, &["--version"], |text| Version::parse(text.trim()))
}

fn choose(wanted: Option<&str>, found: &[Tool]) -> Result<Tool, Failure> {
    let text = wanted.unwrap_or("*");
    let lower = text.to_lowercase();
    let tool = if let Some(line) = lower.strip_prefix("lts/") {
        let major = LONG_TERM.iter().find(|(name, _)| *name == line).map(|(_, major)| *major);
        let fits = |tool: &&Tool| match major {
            Some(major) => tool.version.major == major,
            // Lines with long support have even numbers.
            None => tool.version.major.is_multiple_of(2),
        };
        if major.is_none() && line != "*" && !line.starts_with('-') {
            return Err(Failure::new(format!("there is no long-term line `{text}`")));
        }
        found.iter().rfind(fits).cloned()
    } else if matches!(lower.as_str(), "latest" | "node" | "current" | "*" | "") {
        found.last().cloned()
    } else {
        let range = Range::parse(text)
            .ok_or_else(|| Failure::new(format!("`{text}` is not a Node.js version or range")))?;
        tools::newest(found, &range, false)
    };
    tool.ok_or_else(|| {
        Failure::missing(
            format!("Node.js {text} is not on this machine ({})", tools::listed(found)),
            format!("install it: nvm install {text}, fnm install {text}, or your system's package"),
        )
    })
}

/// Links to the programs, so that what else lies beside them does not come in front on `PATH`.
fn own_folder(step: &Step, tool: &Tool) -> Result<PathBuf, Failure> {
    let folder = step.folder("RUNNER_TEMP")?.join(format!("node-{}", tool.version));
    let beside = tool.path.parent().expect("a program lies in a folder");
    let programs = ["node", "npm", "npx", "corepack"].map(|name| (name, beside.join(name)));
    let there = programs.iter().filter(|(_, path)| tools::is_program(path));
    let links = there.map(|(name, path)| (*name, path.as_path())).collect::<Vec<_>>();
    tools::link(&folder.join("bin"), &links)?;
    Ok(folder)
}

/// `.npmrc` for a registry, with the token left to the environment.
fn registry_file(step: &mut Step, registry: &str) -> Result<(), Failure> {
    let registry =
        if registry.ends_with('/') { registry.to_owned() } else { format!("{registry}/") };
    let Some((_, place)) = registry.split_once(':') else {
        return Err(Failure::new(format!(
            "input `registry-url` is `{registry}`: it must be a URL"
        )));
    };
    let owner = step.variable("GITHUB_REPOSITORY_OWNER");
    let scope =
        step.given("scope").or_else(|| owner.filter(|_| registry.contains("npm.pkg.github.com")));
    let scope = scope
        .map(|scope| format!("@{}:", scope.trim_start_matches('@').to_lowercase()))
        .unwrap_or_default();
    let file = step.folder("RUNNER_TEMP")?.join(".npmrc");
    let line = format!("{scope}registry");
    let before = fs::read_to_string(&file).unwrap_or_default();
    let kept = before.lines().filter(|it| !it.to_lowercase().starts_with(&line));
    let mut text = kept.map(|line| format!("{line}\n")).collect::<String>();
    text.push_str(&format!("{place}:_authToken=${{NODE_AUTH_TOKEN}}\n{line}={registry}\n"));
    if step.boolean("always-auth")? {
        text.push_str("always-auth=true\n");
    }
    fs::write(&file, text).map_err(failed_at("written", &file))?;
    step.export("NPM_CONFIG_USERCONFIG", &file.display().to_string());
    // npm complains about a variable in the file that is not set.
    let token =
        step.variable("NODE_AUTH_TOKEN").unwrap_or_else(|| "XXXXX-XXXXX-XXXXX-XXXXX".to_owned());
    step.export("NODE_AUTH_TOKEN", &token);
    Ok(())
}

/// From v5 on a project that names npm as its package manager is cached without being asked.
fn by_package_file(step: &Step) -> Result<Option<String>, Failure> {
    if step.major(6) < 5 || step.input("package-manager-cache").eq_ignore_ascii_case("false") {
        return Ok(None);
    }
    let file = step.folder("GITHUB_WORKSPACE")?.join("package.json");
    let Ok(text) = fs::read_to_string(file) else { return Ok(None) };
    let Ok(package) = serde_json::from_str::<Json>(&text) else { return Ok(None) };
    let named = package["packageManager"].as_str().is_some_and(|name| name.starts_with("npm@"))
        || package["devEngines"]["packageManager"]["name"] == "npm";
    Ok(named.then(|| "npm".to_owned()))
}

fn restore(step: &mut Step, manager: &str, architecture: &str) -> Result<(), Failure> {
    let (folders, names): (&[&str], &[&str]) = match manager {
        "npm" => (&["~/.npm"], &["package-lock.json", "npm-shrinkwrap.json", "yarn.lock"]),
        "yarn" => (&["~/.cache/yarn", "~/.yarn/berry/cache"], &["yarn.lock"]),
        "pnpm" => (&["~/.local/share/pnpm/store"], &["pnpm-lock.yaml"]),
        other => return Err(Failure::new(format!("Caching for '{other}' is not supported"))),
    };
    let mut folders = folders.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
    let variable = if manager == "yarn" { "YARN_CACHE_FOLDER" } else { "NPM_CONFIG_CACHE" };
    if let Some(folder) = step.variable(variable).filter(|_| manager != "pnpm") {
        folders = vec![folder];
    }
    let given = step.lines("cache-dependency-path");
    let workspace = step.folder("GITHUB_WORKSPACE")?;
    let files = if given.is_empty() {
        names
            .iter()
            .map(|name| workspace.join(name))
            .find(|file| file.is_file())
            .into_iter()
            .collect()
    } else {
        lock_files(step, &given)?
    };
    if files.is_empty() {
        if !given.is_empty() {
            return Err(Failure::new(
                "Some specified paths were not resolved, unable to cache dependencies.",
            ));
        }
        return Err(Failure::new(format!(
            "Dependencies lock file is not found in {}. Supported file patterns: {}",
            workspace.display(),
            names.join(",")
        )));
    }
    let system = step.variable("RUNNER_OS").unwrap_or_else(|| "Linux".to_owned());
    let prefix = format!("node-cache-{system}-{architecture}-{manager}");
    DependencyCache { folders, prefix, older_serves: false }.restore(step, &files)
}
