//! What a step inherits from this machine: an allow-list, so that a workflow's deploy job cannot
//! reach production with the developer's profile (design 8.8). Against accidents, not malice.

use std::collections::BTreeMap;
use std::path::Path;

/// Passed on as they are. Package managers' settings are here since they say where packages come
/// from; cloud credentials and agent sockets are not.
const PASSED_ON: &[&str] = &[
    "PATH",
    "TERM",
    "USER",
    "LOGNAME",
    "SHELL",
    "TMPDIR",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "ALL_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "all_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "CURL_CA_BUNDLE",
    "REQUESTS_CA_BUNDLE",
    "GIT_SSL_CAINFO",
    "NODE_EXTRA_CA_CERTS",
    "NIX_SSL_CERT_FILE",
    "PIP_CERT",
    "PIP_INDEX_URL",
    "PIP_EXTRA_INDEX_URL",
    "PIP_FIND_LINKS",
    "PIP_DEFAULT_TIMEOUT",
    "PIP_DISABLE_PIP_VERSION_CHECK",
    "UV_INDEX_URL",
    "UV_DEFAULT_INDEX",
    "NPM_CONFIG_REGISTRY",
    "npm_config_registry",
    "GOPROXY",
    "GOSUMDB",
    "JAVA_HOME",
    "PYENV_ROOT",
    "RUSTUP_HOME",
];

/// The same on every machine, as on GitHub's: what sorts, formats and tells the time must not tell
/// one machine from another (R-A15). A workflow's own `env` overrides them.
const ALIKE: &[(&str, &str)] = &[("LANG", "C.UTF-8"), ("TZ", "UTC")];

/// Where package managers keep what they downloaded, shared by all jobs: variable and folder.
const DOWNLOADS: &[(&str, &str)] = &[
    ("PIP_CACHE_DIR", "pip"),
    ("UV_CACHE_DIR", "uv"),
    ("npm_config_cache", "npm"),
    ("YARN_CACHE_FOLDER", "yarn"),
    ("GOMODCACHE", "go"),
];

/// Used where the worker itself has none.
const PATH_FALLBACK: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The lowest layer of every step's environment (conformance 108).
pub(crate) fn host(home: &Path, downloads: &Path) -> BTreeMap<String, String> {
    let mut env: BTreeMap<String, String> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(name, _)| PASSED_ON.contains(&&**name))
        .collect();
    env.extend(ALIKE.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    env.entry("PATH".to_owned()).or_insert_with(|| PATH_FALLBACK.to_owned());
    leave_virtual_environment(&mut env);
    // Rust's toolchains lie in the real HOME unless told otherwise.
    if !env.contains_key("RUSTUP_HOME")
        && let Some(folder) = std::env::home_dir().map(|it| it.join(".rustup"))
        && let (true, Some(text)) = (folder.is_dir(), folder.to_str())
    {
        env.insert("RUSTUP_HOME".to_owned(), text.to_owned());
    }
    for (name, folder) in DOWNLOADS {
        if let Some(folder) = downloads.join(folder).to_str() {
            env.insert((*name).to_owned(), folder.to_owned());
        }
    }
    if let Some(home) = home.to_str() {
        env.insert("HOME".to_owned(), home.to_owned());
    }
    // Without it the SDKs ask the machine's metadata service for credentials.
    env.insert("AWS_EC2_METADATA_DISABLED".to_owned(), "true".to_owned());
    env
}

/// What `deactivate` does: a job begins as a fresh log-in does, whatever the terminal of its person
/// was in the middle of.
fn leave_virtual_environment(env: &mut BTreeMap<String, String>) {
    let Some(active) = std::env::var_os("VIRTUAL_ENV").filter(|it| !it.is_empty()) else { return };
    let programs = Path::new(&active).join("bin");
    if let Some(path) = env.get_mut("PATH") {
        let kept = path.split(':').filter(|folder| Path::new(folder) != programs);
        *path = kept.collect::<Vec<_>>().join(":");
    }
}

/// Passwords in the addresses of proxies and package indexes, as written and as meant: steps get
/// them, logs must not (conformance 190).
pub(crate) fn passwords(host: &BTreeMap<String, String>) -> Vec<String> {
    let mut passwords = Vec::new();
    for value in host.values() {
        for (at, scheme) in value.match_indices("://") {
            let rest = &value[at + scheme.len()..];
            let end = rest.find(|it: char| it == '/' || it == ',' || it.is_whitespace());
            let authority = &rest[..end.unwrap_or(rest.len())];
            let user = authority.rsplit_once('@').map(|(user, _)| user);
            let Some((_, password)) = user.and_then(|user| user.split_once(':')) else { continue };
            passwords.extend([password.to_owned(), decoded(password)]);
        }
    }
    passwords
}

/// `%40` as `@`; what is no escape stays.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let digits = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match byte.filter(|_| *first == b'%') {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Lays a step's environment over the host's, with what goes before `PATH`.
pub(crate) fn lay_over(
    host: &BTreeMap<String, String>,
    step: &indexmap::IndexMap<String, String>,
    before_path: &[String],
) -> BTreeMap<String, String> {
    let mut env = host.clone();
    env.extend(step.iter().map(|(name, value)| (name.clone(), value.clone())));
    if !before_path.is_empty() {
        let path = env.get("PATH").cloned().unwrap_or_default();
        let parts = before_path.iter().cloned().chain(Some(path)).collect::<Vec<_>>();
        env.insert("PATH".to_owned(), parts.join(":"));
    }
    env
}
