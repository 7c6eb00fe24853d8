//! What a workflow says of a container, as the engine is told (conformance 155, 159).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use serde_json::{Value as Json, json};

use crate::flags::{self, FlagError, at, push};

/// A container, as a workflow wants it.
#[derive(Clone, Debug, PartialEq)]
pub struct Wanted {
    /// The image, with its tag or digest.
    pub image: String,
    /// What the engine is told when it makes the container; whoever makes it adds to that.
    pub body: Json,
    /// Who may pull the image.
    pub login: Option<Login>,
    /// `--name`
    pub name: Option<String>,
    /// What reaches beyond the container, in words: flags and volumes.
    pub beyond: Vec<String>,
}

/// Who may pull an image.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    /// The name.
    pub username: String,
    /// A secret.
    pub password: String,
}

impl Login {
    /// As a header of the API.
    pub(crate) fn header(&self) -> String {
        let pair = json!({ "username": self.username, "password": self.password });
        URL_SAFE.encode(pair.to_string())
    }
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Login").field("username", &self.username).finish_non_exhaustive()
    }
}

/// Why what was written is no container.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WantedError {
    /// A key that nobody knows.
    #[error("unexpected key `{0}`")]
    Key(String),
    /// A value that makes no sense, in words.
    #[error("{0}")]
    Value(String),
    /// Its options.
    #[error("options")]
    Options(#[from] FlagError),
}

/// The engine's own limit is 255 for a name, with a tag of 128 and a digest.
const NAME_BYTES_MAX: usize = 512;

/// Of a job's `container` and of a service alike; the last two are a service's.
const KEYS: &[&str] =
    &["image", "credentials", "env", "ports", "volumes", "options", "entrypoint", "command"];

/// Whether a value has a shape.
type IsFit = fn(&Json) -> bool;

/// What expressions may have made of a key, and what it has to be.
const SHAPES: [(&str, IsFit, &str); 7] = [
    ("credentials", Json::is_object, "a mapping"),
    ("env", Json::is_object, "a mapping"),
    ("ports", Json::is_array, "a list"),
    ("volumes", Json::is_array, "a list"),
    ("options", Json::is_string, "a text"),
    ("entrypoint", Json::is_string, "a text"),
    ("command", Json::is_string, "a text"),
];

/// Reads what was evaluated: the name of an image, or an object. None: an empty image, which means no
/// container.
///
/// # Errors
/// What is wrong with it.
pub fn wanted(written: &Json) -> Result<Option<Wanted>, WantedError> {
    let image = written.as_str().or_else(|| written["image"].as_str()).unwrap_or_default().trim();
    let name = image.strip_prefix("docker://").unwrap_or(image);
    if name.is_empty() && !image.is_empty() {
        return Err(WantedError::Value(format!("`{image}` names no image")));
    }
    if name.is_empty() {
        return Ok(None);
    }
    if !is_name(name) {
        return Err(WantedError::Value(format!("`{image}` names no image")));
    }
    for key in written.as_object().into_iter().flat_map(|fields| fields.keys()) {
        if !KEYS.contains(&&**key) {
            return Err(WantedError::Key(key.clone()));
        }
    }
    for (key, is_fit, shape) in SHAPES {
        if !written[key].is_null() && !is_fit(&written[key]) {
            return Err(WantedError::Value(format!("`{key}` is {shape}")));
        }
    }
    let mut body = json!({ "Image": name });
    for (name, value) in written["env"].as_object().into_iter().flatten() {
        push(&mut body, "/Env", format!("{name}={}", text(value)).into());
    }
    let mut beyond = Vec::new();
    for volume in written["volumes"].as_array().into_iter().flatten() {
        flags::volume(&text(volume), &mut body, &mut beyond);
    }
    for mapping in written["ports"].as_array().into_iter().flatten() {
        port(&text(mapping), &mut body)?;
    }
    for (key, place) in [("entrypoint", "/Entrypoint"), ("command", "/Cmd")] {
        if let Some(line) = written[key].as_str().filter(|line| !line.is_empty()) {
            *at(&mut body, place) = flags::split(line).map_err(WantedError::Value)?.into();
        }
    }
    let flags = flags::apply(written["options"].as_str().unwrap_or_default(), &mut body)?;
    beyond.extend(flags.beyond);
    let credentials = &written["credentials"];
    let login = credentials["username"].as_str().map(|username| Login {
        username: username.to_owned(),
        password: credentials["password"].as_str().unwrap_or_default().to_owned(),
    });
    Ok(Some(Wanted { image: name.to_owned(), body, login, name: flags.name, beyond }))
}

/// What a name of an image is made of. It stands in paths that the engine is asked for: nothing in it may
/// lead elsewhere.
fn is_name(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || "._:/@-".contains(c);
    let parts = name.split('/').all(|part| !matches!(part, "" | "." | ".."));
    name.chars().all(fits) && parts && name.len() <= NAME_BYTES_MAX
}

/// `80`, `8080:80`, `53:53/udp`, `127.0.0.1:8080:80`
fn port(text: &str, body: &mut Json) -> Result<(), WantedError> {
    let bad = || {
        WantedError::Value(format!(
            "`{text}` is no port mapping; write HOST:CONTAINER, for example 8080:80"
        ))
    };
    let (ports, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    if !matches!(protocol, "tcp" | "udp" | "sctp") {
        return Err(bad());
    }
    let mut parts = ports.rsplitn(3, ':');
    let inside: u16 = parts.next().and_then(|it| it.parse().ok()).ok_or_else(bad)?;
    let outside = parts.next().filter(|it| !it.is_empty());
    if outside.is_some_and(|it| it.parse::<u16>().is_err()) {
        return Err(bad());
    }
    let inside = format!("{inside}/{protocol}");
    at(body, "/ExposedPorts")[&inside] = json!({});
    let binding =
        json!({ "HostIp": parts.next().unwrap_or(""), "HostPort": outside.unwrap_or("") });
    let bindings = &mut at(body, "/HostConfig/PortBindings")[&inside];
    match bindings.as_array_mut() {
        Some(list) => list.push(binding),
        None => *bindings = json!([binding]),
    }
    Ok(())
}

fn text(value: &Json) -> String {
    match value {
        Json::String(text) => text.clone(),
        Json::Null => String::new(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(written: &Json, expected: &Expect) {
        let shown = match wanted(written) {
            Ok(None) => "none".to_owned(),
            Ok(Some(it)) => format!("{} {} {:?} {:?}", it.image, it.body, it.login, it.beyond),
            Err(WantedError::Options(error)) => format!("error: options: {error}"),
            Err(error) => format!("error: {error}"),
        };
        expected.assert_eq(&shown);
    }

    // proves: conformance 155
    #[test]
    fn c155_forms_of_a_container() {
        check(&json!("node:20"), &expect![[r#"node:20 {"Image":"node:20"} None []"#]]);
        check(&json!("docker://alpine"), &expect![[r#"alpine {"Image":"alpine"} None []"#]]);
        check(&json!(""), &expect!["none"]);
        check(&json!({ "image": "" }), &expect!["none"]);
        check(&json!("docker://"), &expect!["error: `docker://` names no image"]);
        check(
            &json!({ "image": "ghcr.io/octo/build:1", "env": { "A": 1, "B": "x y" }, "ports": [80, "8443:443"],
                "volumes": ["data:/data", "/cache"], "options": "--cpus 1",
                "credentials": { "username": "octo", "password": "hunter22" } }),
            &expect![[
                r#"ghcr.io/octo/build:1 {"Image":"ghcr.io/octo/build:1","Env":["A=1","B=x y"],"HostConfig":{"Binds":["data:/data"],"PortBindings":{"80/tcp":[{"HostIp":"","HostPort":""}],"443/tcp":[{"HostIp":"","HostPort":"8443"}]},"NanoCpus":1000000000},"Volumes":{"/cache":{}},"ExposedPorts":{"80/tcp":{},"443/tcp":{}}} Some(Login { username: "octo", .. }) ["the volume data:/data"]"#
            ]],
        );
        for name in
            ["a b", "x/json HTTP/1.1\r\n\r\nPOST /containers", "a?b=c", "../a", "a//b", "a%2e"]
        {
            let said = wanted(&json!(name)).expect_err("it leads elsewhere").to_string();
            assert_eq!(said, format!("`{name}` names no image"));
        }
        check(&json!({ "image": "a", "env": [1] }), &expect!["error: `env` is a mapping"]);
        check(&json!({ "image": "a", "port": 1 }), &expect!["error: unexpected key `port`"]);
        check(
            &json!({ "image": "a", "ports": ["80:http"] }),
            &expect![
                "error: `80:http` is no port mapping; write HOST:CONTAINER, for example 8080:80"
            ],
        );
    }
}
