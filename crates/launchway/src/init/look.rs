//! The services of a repository: folders with a Dockerfile, or with a program that listens.

use std::path::{Path, PathBuf};

use serde_json::Value as Json;

/// Folders that hold what others made.
const PASSED_OVER: &[&str] =
    &["node_modules", "target", "dist", "build", "venv", "__pycache__", "vendor", "coverage"];
/// How deep services are looked for: `services/api`.
const DEPTH_MAX: usize = 2;
/// Sources of one service that are read: what is asked stands in the first ones.
const SOURCES_MAX: usize = 400;
/// A source that is longer was not written by a person.
const SOURCE_BYTES_MAX: u64 = 256 << 10;
/// Paths that people ask for health, the likeliest first.
const HEALTH_PATHS: &[&str] = &[
    "/health",
    "/healthz",
    "/v1/healthz",
    "/api/health",
    "/v1/health",
    "/health/live",
    "/ping",
    "/status",
];
/// Where files of variables lie, one for each environment.
const VARIABLES: &[&str] = &["ci-cd/environments", "environments", "settings", "config", "env"];
/// Environments as people call them, the lowest first.
const ENVIRONMENTS: &[&str] = &["dev", "development", "test", "staging", "prod", "production"];
/// Where Terraform is read.
const TERRAFORM: &[&str] = &["terraform", "infra/terraform", "infrastructure", "infra"];
/// What the examples of `.env` files are called.
const EXAMPLES: &[&str] = &[".env.example", "example.env", ".env.sample", ".env.template"];

/// What names the packages of Python, in the order they are brought.
const REQUIREMENTS: &[&str] = &["requirements.txt", "requirements-dev.txt", "pyproject.toml"];

/// A service, as far as a folder shows it.
#[derive(Clone, Debug, Default)]
pub(crate) struct SeenService {
    pub(crate) name: String,
    /// `.` for the root.
    pub(crate) folder: String,
    pub(crate) dockerfile: Option<String>,
    /// The last stage's name, where there are several.
    pub(crate) run: Option<Run>,
    pub(crate) health: Option<String>,
    pub(crate) migrate: Option<Vec<String>>,
    /// The example of its `.env` file.
    pub(crate) example: Option<String>,
    pub(crate) tests: Option<Tests>,
}

/// How a service is tested.
#[derive(Clone, Debug)]
pub(crate) struct Tests {
    pub(crate) language: Language,
    /// From bringing what it needs to the tests, in the service's folder.
    pub(crate) commands: Vec<String>,
    /// What its requirements name.
    pub(crate) postgres: bool,
    pub(crate) redis: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Language {
    Python,
    Node,
}

/// Files of variables, one for each environment.
#[derive(Clone, Debug)]
pub(crate) struct Variables {
    /// As the settings have it: `ci-cd/environments/{env}.env`.
    pub(crate) pattern: String,
    pub(crate) environments: Vec<String>,
}

/// The first folder with files of variables that are called as environments are.
pub(crate) fn variables(root: &Path) -> Option<Variables> {
    VARIABLES.iter().find_map(|folder| {
        let is_there = |name: &&&str| root.join(folder).join(format!("{name}.env")).is_file();
        let environments: Vec<String> =
            ENVIRONMENTS.iter().filter(is_there).map(|it| (*it).to_owned()).collect();
        let pattern = format!("{folder}/{{env}}.env");
        (!environments.is_empty()).then_some(Variables { pattern, environments })
    })
}

/// The folder that Terraform reads, where there is one.
pub(crate) fn terraform(root: &Path) -> Option<String> {
    let is_read = |folder: &&&str| {
        below(&root.join(folder)).iter().any(|it| it.extension().is_some_and(|it| it == "tf"))
    };
    TERRAFORM.iter().find(is_read).map(|it| (*it).to_owned())
}

/// How it is started.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    pub(crate) words: Vec<String>,
    /// Where that comes from.
    pub(crate) because: String,
    /// Nothing says so.
    pub(crate) guessed: bool,
}

/// Every service, and what was seen and is none.
pub(crate) fn services(root: &Path) -> (Vec<SeenService>, Vec<String>) {
    let (mut found, mut passed) = (Vec::new(), Vec::new());
    for folder in folders(root) {
        let shown = folder.strip_prefix(root).unwrap_or(&folder).display().to_string();
        let shown = if shown.is_empty() { ".".to_owned() } else { shown };
        let has = |name: &str| folder.join(name).is_file();
        let is_python = ["pyproject.toml", "requirements.txt", "manage.py"].into_iter().any(has);
        let (has_dockerfile, is_node) = (has("Dockerfile"), has("package.json"));
        if !has_dockerfile && !is_python && !is_node {
            continue;
        }
        let run = if is_python { python(&folder) } else { None };
        let run = run.or_else(|| is_node.then(|| node(&folder)).flatten());
        if run.is_none() && !has_dockerfile {
            let what = if is_python { "Python" } else { "Node" };
            passed.push(format!("{shown}: {what}, and nothing in it listens: no service"));
            continue;
        }
        // What stands in the root is the whole; parts of it count where each has its own image.
        let below_root = found.iter().any(|it: &SeenService| it.folder == ".");
        if below_root && !has_dockerfile {
            passed.push(format!("{shown}: a part of the service in the root"));
            continue;
        }
        found.push(SeenService {
            name: name(&shown, is_python),
            dockerfile: has_dockerfile.then(|| join(&shown, "Dockerfile")),
            run,
            health: health(&folder, has_dockerfile),
            migrate: has("alembic.ini").then(|| words("python3 -m alembic upgrade head")),
            example: EXAMPLES.iter().find(|it| has(it)).map(|it| join(&shown, it)),
            tests: tests(&folder),
            folder: shown,
        });
    }
    (found, passed)
}

/// How it is tested: by its tests folder and pytest, or by the script that its package names.
fn tests(folder: &Path) -> Option<Tests> {
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).ok();
    let package: Option<Json> = read("package.json").and_then(|it| serde_json::from_str(&it).ok());
    if let Some(package) = package {
        package["scripts"]["test"].as_str()?;
        let install =
            if folder.join("package-lock.json").is_file() { "npm ci" } else { "npm install" };
        let commands = [install, "npm test"].map(str::to_owned).to_vec();
        return Some(Tests { language: Language::Node, commands, postgres: false, redis: false });
    }
    let wanted: Vec<_> =
        REQUIREMENTS.iter().filter_map(|name| Some((*name, read(name)?))).collect();
    if wanted.is_empty() || !(folder.join("tests").is_dir() || folder.join("test").is_dir()) {
        return None;
    }
    let all: String = wanted.iter().map(|(_, text)| text.to_lowercase()).collect();
    let install = |name: &str| match name {
        "pyproject.toml" => "pip install -e .".to_owned(),
        _ => format!("pip install -r {name}"),
    };
    let named = |(name, _): &&(&str, String)| *name != "pyproject.toml" || wanted.len() == 1;
    let mut commands: Vec<String> = wanted.iter().filter(named).map(|it| install(it.0)).collect();
    if !all.contains("pytest") {
        commands.push("pip install pytest".to_owned());
    }
    commands.push("python -m pytest".to_owned());
    let postgres = ["psycopg", "asyncpg", "pg8000"].iter().any(|it| all.contains(it));
    Some(Tests { language: Language::Python, commands, postgres, redis: all.contains("redis") })
}

fn words(text: &str) -> Vec<String> {
    text.split(' ').map(str::to_owned).collect()
}

/// A path as the settings have it.
pub(crate) fn join(folder: &str, name: &str) -> String {
    if folder == "." { name.to_owned() } else { format!("{folder}/{name}") }
}

fn name(folder: &str, is_python: bool) -> String {
    let last = folder.rsplit('/').next().unwrap_or(folder);
    match last {
        "." if is_python => "api".to_owned(),
        "." => "web".to_owned(),
        other => plain_name(other),
    }
}

/// Letters, digits, `-` and `_`.
pub(crate) fn plain_name(text: &str) -> String {
    let plain = |it: char| if it.is_ascii_alphanumeric() || it == '_' { it } else { '-' };
    let name: String = text.chars().map(plain).take(40).collect();
    let name = name.trim_matches(['-', '_']).to_lowercase();
    if name.is_empty() { "app".to_owned() } else { name }
}

/// The root, then what is below it, in the order of their names.
fn folders(root: &Path) -> Vec<PathBuf> {
    let mut all = vec![root.to_path_buf()];
    let mut level = all.clone();
    for _ in 0..DEPTH_MAX {
        level = level.iter().flat_map(|folder| below(folder)).filter(|it| it.is_dir()).collect();
        all.extend(level.iter().cloned());
    }
    all
}

/// What is in a folder and was made by people.
fn below(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let wanted = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        !name.starts_with('.') && !PASSED_OVER.contains(&&*name) && !path.is_symlink()
    };
    let mut found: Vec<PathBuf> = entries.map(|it| it.path()).filter(wanted).collect();
    found.sort();
    found
}

/// Sources below a folder, tests left out.
fn sources(folder: &Path, extensions: &[&str]) -> Vec<(PathBuf, String)> {
    let (mut found, mut open) = (Vec::new(), vec![folder.to_path_buf()]);
    while let Some(next) = open.pop() {
        for path in below(&next) {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if name.starts_with("test") || found.len() >= SOURCES_MAX {
                continue;
            }
            if path.is_dir() {
                open.push(path);
                continue;
            }
            let fits = path.extension().is_some_and(|it| extensions.iter().any(|one| it == *one));
            let is_short = path.metadata().is_ok_and(|it| it.len() <= SOURCE_BYTES_MAX);
            if fits
                && is_short
                && let Ok(text) = std::fs::read_to_string(&path)
            {
                found.push((path, text));
            }
        }
    }
    found.sort();
    found
}

/// A module that makes an application for a server.
fn python(folder: &Path) -> Option<Run> {
    let given = |words: &str, because: String| {
        let run = ["sh", "-c", words].map(str::to_owned).to_vec();
        Some(Run { words: run, because, guessed: false })
    };
    if folder.join("manage.py").is_file() {
        let words = "exec python3 manage.py runserver --noreload \"127.0.0.1:$PORT\"";
        return given(words, "manage.py, Django's own server".to_owned());
    }
    for (path, text) in sources(folder, &["py"]) {
        let is_fastapi = text.contains("FastAPI(");
        if !is_fastapi && !text.contains("Flask(") {
            continue;
        }
        let made = |line: &str| {
            let (name, _) = line.split_once('=')?;
            let name = name.split(':').next().unwrap_or(name).trim_end();
            (!name.starts_with(char::is_whitespace) && ["app", "application"].contains(&name))
                .then(|| name.to_owned())
        };
        let Some(name) = text.lines().find_map(made) else { continue };
        let path = path.strip_prefix(folder).unwrap_or(&path).with_extension("");
        let module = path.display().to_string().replace('/', ".");
        let module = module.trim_end_matches(".__init__");
        let words = if is_fastapi {
            format!("exec python3 -m uvicorn {module}:{name} --port \"$PORT\"")
        } else {
            format!("exec python3 -m flask --app {module}:{name} run --port \"$PORT\"")
        };
        let kind = if is_fastapi { "FastAPI" } else { "Flask" };
        return given(&words, format!("{kind} in {}.py", path.display()));
    }
    None
}

fn node(folder: &Path) -> Option<Run> {
    let text = std::fs::read_to_string(folder.join("package.json")).ok()?;
    let package: Json = serde_json::from_str(&text).ok()?;
    let script = |name: &str| package["scripts"][name].as_str();
    if script("start").is_some() {
        let because = "`start` of package.json; it has to listen on $PORT".to_owned();
        return Some(Run { words: words("npm start"), because, guessed: false });
    }
    script("build")?;
    let serve = "exec python3 -m http.server --bind 127.0.0.1 \"$PORT\"";
    Some(Run {
        words: ["sh", "-c", serve].map(str::to_owned).to_vec(),
        because: "package.json has no `start`: its files are served as they are".to_owned(),
        guessed: true,
    })
}

/// A path that the sources answer, or that the Dockerfile asks.
fn health(folder: &Path, has_dockerfile: bool) -> Option<String> {
    let dockerfile = if has_dockerfile {
        std::fs::read_to_string(folder.join("Dockerfile")).unwrap_or_default()
    } else {
        String::new()
    };
    let in_check = dockerfile.split("HEALTHCHECK").nth(1).unwrap_or_default();
    let by_image = HEALTH_PATHS.iter().filter(|path| {
        let ends = |rest: &str| !rest.starts_with(|it: char| it.is_alphanumeric() || it == '/');
        in_check.split(&***path).skip(1).any(ends)
    });
    if let Some(path) = by_image.max_by_key(|path| path.len()) {
        return Some((*path).to_owned());
    }
    let sources = sources(folder, &["py", "js", "ts", "go", "rb", "java", "rs"]);
    let answers = |path: &&&str| {
        let quoted = ["\"", "'", "`"].map(|quote| format!("{quote}{path}{quote}"));
        sources.iter().any(|(_, text)| quoted.iter().any(|it| text.contains(it)))
    };
    HEALTH_PATHS.iter().find(answers).map(|path| (*path).to_owned())
}
