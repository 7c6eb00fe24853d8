//! What docker is signed in to: its settings, and the programs that keep its passwords.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mask::Secret;
use serde_json::Value as Json;

use crate::access::Login;

/// Where docker keeps its settings: `DOCKER_CONFIG`, else `.docker` at home.
pub fn docker_folder() -> Option<PathBuf> {
    let variable = |name: &str| std::env::var_os(name).filter(|it| !it.is_empty());
    variable("DOCKER_CONFIG")
        .map(PathBuf::from)
        .or_else(|| variable("HOME").map(|home| PathBuf::from(home).join(".docker")))
}

/// What docker would sign in with at a registry, where it has a sign-in for it.
pub fn docker_login(folder: &Path, host: &str) -> Option<Login> {
    let text = std::fs::read_to_string(folder.join("config.json")).ok()?;
    let config: Json = serde_json::from_str(&text).ok()?;
    // Docker's own hub is filed under the address of its first API.
    let names: &[&str] = match host {
        "docker.io" | "registry-1.docker.io" => &["https://index.docker.io/v1/"],
        host => &[host],
    };
    names.iter().find_map(|name| {
        let helper = config["credHelpers"][*name].as_str();
        let helper = helper.or_else(|| config["credsStore"].as_str()).filter(|it| !it.is_empty());
        helper.and_then(|helper| by_helper(helper, name)).or_else(|| written(&config, name))
    })
}

/// A name and a password in base64.
fn written(config: &Json, name: &str) -> Option<Login> {
    let auths = config["auths"].as_object()?;
    let is_it = |key: &&String| {
        let plain = key.trim_start_matches("https://").trim_start_matches("http://");
        ***key == *name || plain.trim_end_matches('/') == name
    };
    let entry = auths.keys().find(is_it).and_then(|key| auths.get(key))?;
    let pair = STANDARD.decode(entry["auth"].as_str()?).ok()?;
    let pair = String::from_utf8(pair).ok()?;
    let (username, password) = pair.split_once(':')?;
    Some(Login { username: username.to_owned(), password: Secret::new(password) })
}

/// `docker-credential-NAME get`: the registry on its standard input, JSON on its output.
fn by_helper(helper: &str, name: &str) -> Option<Login> {
    let mut command = Command::new(format!("docker-credential-{helper}"));
    command.arg("get").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().ok()?;
    // One that does not read says why by its end.
    let written = child.stdin.take().map(|mut input| input.write_all(name.as_bytes()));
    drop(written);
    let output = child.wait_with_output().ok()?;
    let said: Json = serde_json::from_slice(&output.stdout).ok()?;
    let text = |key: &str| said[key].as_str().filter(|it| !it.is_empty());
    let (username, password) = (text("Username")?, text("Secret")?);
    Some(Login { username: username.to_owned(), password: Secret::new(password) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dockers_own_sign_ins_are_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let auth = STANDARD.encode("mona:it:self");
        let text = format!(
            r#"{{"auths":{{"localhost:5000":{{"auth":"{auth}"}},"https://index.docker.io/v1/":{{"auth":"{auth}"}},"https://ghcr.io":{{"auth":"{auth}"}},"empty.example":{{}}}}}}"#
        );
        std::fs::write(folder.path().join("config.json"), text).expect("written");
        let of = |host: &str| {
            docker_login(folder.path(), host)
                .map(|it| format!("{} {}", it.username, it.password.expose()))
        };
        for host in ["localhost:5000", "docker.io", "ghcr.io"] {
            assert_eq!(of(host).as_deref(), Some("mona it:self"), "{host}");
        }
        assert_eq!(of("empty.example"), None);
        assert_eq!(of("example.com"), None);
    }
}
