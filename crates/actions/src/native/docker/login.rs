//! `docker/login-action`: a sign-in that later steps of the job have, and nobody else. The password
//! goes to docker by its standard input.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::{Value as Json, json};

use super::{ask_command, buildx_version, config_folder, needs_buildx, program, start_failed};
use crate::native::step::{Failure, Step};
use crate::native::{Native, NativeAction, Stage, cloud};

/// The registration.
pub(crate) const LOGIN: Native = Native {
    action: NativeAction {
        name: "docker-login",
        manifest: include_str!("login.yml"),
        stages: &[Stage::Main, Stage::Post],
    },
    of: "docker/login-action",
    majors: &[1, 2, 3, 4],
    refs: &["master"],
    commits: &[
        ("465a07811f14bebb1938fbed4728c6a1ff8901fc", 2),
        ("9780b0c442fbb1117ed29e0efdff1e18412f7567", 3),
        ("74a5d142397b4f367a81961eba4e8cd7edddf772", 3),
        ("184bdaa0721073962dff0199f1fb9940f07167d1", 3),
        ("5e57cd118135c172c3672efd75eb46360885c0ef", 3),
        ("c94ce9fb468520275223c153574b00df6fe4bcc9", 3),
        ("b45d80f862d83dbcd57f89517bcf500b2ab88fb2", 4),
        ("4907a6ddec9925e35a0a9e82d7399ccc52663121", 4),
    ],
    run,
};

const DOCKER_HUB: &str = "docker.io";
/// As Docker Hub is called where buildx looks up scopes.
const DOCKER_HUB_HOST: &str = "registry-1.docker.io";

/// One sign-in that is asked for.
#[derive(Debug, PartialEq, Eq)]
struct Auth {
    registry: String,
    username: String,
    password: String,
    ecr: String,
    scope: String,
}

fn run(step: &mut Step, stage: Stage) -> Result<(), Failure> {
    match stage {
        Stage::Pre => Ok(()),
        Stage::Main => sign_in(step),
        Stage::Post => sign_out(step),
    }
}

fn sign_in(step: &mut Step) -> Result<(), Failure> {
    let logout = step.boolean("logout")?;
    let auths = wanted(step)?;
    let mut done = Vec::new();
    for auth in &auths {
        step.mask(&auth.password);
        let folder = scope_folder(step, auth)?;
        for (registry, username, password) in passwords(step, auth)? {
            login(step, &registry, &username, &password, folder.as_deref())?;
            done.push(json!({"registry": registry, "folder": folder}));
        }
    }
    if logout {
        step.save_state("registries", &Json::Array(done).to_string());
    }
    Ok(())
}

fn wanted(step: &Step) -> Result<Vec<Auth>, Failure> {
    let registry = |named: String| if named.is_empty() { DOCKER_HUB.to_owned() } else { named };
    let ecr = |said: String| if said.is_empty() { "auto".to_owned() } else { said };
    let Some(several) = step.given("registry-auth") else {
        return Ok(vec![Auth {
            registry: registry(step.input("registry")),
            username: step.input("username"),
            password: step.input("password"),
            ecr: ecr(step.input("ecr")),
            scope: step.input("scope"),
        }]);
    };
    let others = ["registry", "username", "password", "scope", "ecr"];
    if others.iter().any(|name| step.given(name).is_some()) {
        return Err(Failure::new("Cannot use registry-auth with other inputs"));
    }
    let (tree, _) = syntax::yaml::read(&syntax::Source::new("registry-auth", several));
    let list = tree.map(|tree| tree.to_json());
    let list = list.as_ref().and_then(Json::as_array).filter(|list| !list.is_empty());
    let list = list.ok_or_else(|| Failure::new("No registry to login"))?;
    let auth = |entry: &Json| {
        let text = |member: &str| match &entry[member] {
            Json::String(text) => text.clone(),
            Json::Null => String::new(),
            other => other.to_string(),
        };
        Auth {
            registry: registry(text("registry")),
            username: text("username"),
            password: text("password"),
            ecr: ecr(text("ecr")),
            scope: text("scope"),
        }
    };
    Ok(list.iter().map(auth).collect())
}

/// Registry, name and password; AWS gives its own for the keys.
fn passwords(step: &Step, auth: &Auth) -> Result<Vec<(String, String, String)>, Failure> {
    let is_ecr = auth.ecr.eq_ignore_ascii_case("true")
        || (auth.ecr == "auto" && cloud::is_ecr(&auth.registry));
    if is_ecr {
        let logins = cloud::registry_logins(step, &auth.registry, &auth.username, &auth.password)?;
        logins.iter().for_each(|login| step.mask(login.password.expose()));
        let login = logins.into_iter();
        return Ok(login
            .map(|it| (it.registry, it.username, it.password.expose().to_owned()))
            .collect());
    }
    match (auth.username.is_empty(), auth.password.is_empty()) {
        (true, true) => Err(Failure::new("Username and password required")),
        (true, false) => Err(Failure::new("Username required")),
        (false, true) => Err(Failure::new("Password required")),
        (false, false) => {
            Ok(vec![(auth.registry.clone(), auth.username.clone(), auth.password.clone())])
        }
    }
}

/// Scopes are kept beside docker's own settings, where only buildx looks.
fn scope_folder(step: &Step, auth: &Auth) -> Result<Option<PathBuf>, Failure> {
    if auth.scope.is_empty() || step.switch("DOCKER_LOGIN_SCOPE_DISABLED") {
        return Ok(None);
    }
    if buildx_version()?.is_none() {
        return Err(needs_buildx("input `scope`"));
    }
    let base = match step.variable("BUILDX_CONFIG") {
        Some(folder) => PathBuf::from(folder),
        None => config_folder(step)?.join("buildx"),
    };
    let registry = if auth.registry == DOCKER_HUB { DOCKER_HUB_HOST } else { &auth.registry };
    let base = base.join("config");
    Ok(Some(if auth.scope.starts_with('@') {
        base.join(format!("{registry}{}", auth.scope))
    } else {
        base.join(registry).join(&auth.scope)
    }))
}

/// `docker login`, for a folder of settings or the job's usual ones.
pub(crate) fn login(
    step: &Step,
    registry: &str,
    username: &str,
    password: &str,
    folder: Option<&Path>,
) -> Result<(), Failure> {
    step.info(&format!("Logging into {registry}..."));
    let mut command = program(&["login", "--password-stdin", "--username", username, registry]);
    if let Some(folder) = folder {
        command.env("DOCKER_CONFIG", folder);
    }
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| start_failed(&error))?;
    let mut input = child.stdin.take().expect("it is piped");
    // Where docker is gone already, its exit says why.
    drop(input.write_all(password.as_bytes()));
    drop(input);
    let output = child.wait_with_output().map_err(|error| start_failed(&error))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(Failure::new(format!("docker login to {registry} failed: {said}")));
    }
    step.info("Login Succeeded!");
    Ok(())
}

fn sign_out(step: &Step) -> Result<(), Failure> {
    let registries = step.state("registries").unwrap_or_default();
    let registries: Json = serde_json::from_str(&registries).unwrap_or_default();
    for entry in registries.as_array().into_iter().flatten() {
        let registry = entry["registry"].as_str().unwrap_or_default();
        logout(step, registry, entry["folder"].as_str().map(Path::new))?;
    }
    Ok(())
}

/// `docker logout`; what goes wrong fails nothing any more.
pub(crate) fn logout(step: &Step, registry: &str, folder: Option<&Path>) -> Result<(), Failure> {
    let mut command = program(&["logout", registry]);
    if let Some(folder) = folder {
        command.env("DOCKER_CONFIG", folder);
    }
    let said = ask_command(&mut command)?;
    if said.ok {
        step.info(&format!("Logged out of {registry}"));
    } else {
        step.warning(&said.why());
    }
    Ok(())
}
