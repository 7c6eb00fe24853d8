//! Signing with the person's own SSH key, by ssh-keygen: no private key and no passphrase passes
//! through here. A public key will do where an agent holds the private one.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::exit::{Exit, Failure};

/// Keys that are tried where nobody names one, in ssh's own order.
const USUAL: &[&str] = &["id_ed25519", "id_ecdsa", "id_ed25519_sk", "id_ecdsa_sk", "id_rsa"];

/// Signs a text, and gives the signature as ssh-keygen writes it.
pub(crate) fn sign(
    namespace: &'static str,
    text: &str,
    key: Option<&Path>,
) -> Result<String, Failure> {
    let (key, _written) = match key {
        Some(key) if key.is_file() => (key.to_path_buf(), None),
        Some(key) => {
            return Err(Failure::new(Exit::Usage, format!("there is no key {}", key.display())));
        }
        None => usual()?,
    };
    let mut child = Command::new("ssh-keygen")
        .args(["-Y", "sign", "-q", "-n", namespace, "-f"])
        .arg(&key)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| {
            let error = anyhow::Error::new(error).context("ssh-keygen could not be started");
            Failure::caused(Exit::Missing, error)
                .hint("install it (Debian: apt-get install openssh-client)")
        })?;
    let mut input = child.stdin.take().expect("it was asked for");
    // That it ended already is said by its exit code.
    let _ = input.write_all(text.as_bytes());
    drop(input);
    let output = child.wait_with_output();
    let output = output.map_err(|error| Failure::caused(Exit::Missing, error))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let said = said.lines().map(str::trim).find(|line| !line.is_empty());
        let said = said.unwrap_or("it said nothing").to_owned();
        let message = format!("{} signed nothing: {said}", key.display());
        return Err(Failure::new(Exit::Missing, message).hint(
            "name the key: --key FILE; a public key will do where an agent holds the other",
        ));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

type Chosen = (PathBuf, Option<tempfile::NamedTempFile>);

/// The key that git signs with, where it signs by SSH; else the first of ssh's usual ones.
fn usual() -> Result<Chosen, Failure> {
    if git(&["config", "gpg.format"]).is_some_and(|format| format == "ssh")
        && let Some(key) = git(&["config", "--type=path", "user.signingkey"])
    {
        let literal = key.strip_prefix("key::").unwrap_or(&key);
        if literal.starts_with("ssh-")
            || literal.starts_with("ecdsa-")
            || literal.starts_with("sk-")
        {
            let written = tempfile::Builder::new().suffix(".pub").tempfile();
            let mut written = written.map_err(|error| Failure::caused(Exit::Missing, error))?;
            let wrote = writeln!(written, "{literal}");
            wrote.map_err(|error| Failure::caused(Exit::Missing, error))?;
            return Ok((written.path().to_path_buf(), Some(written)));
        }
        return Ok((PathBuf::from(key), None));
    }
    let folder = std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".ssh"));
    let both = USUAL.iter().flat_map(|name| [(*name).to_owned(), format!("{name}.pub")]);
    let found =
        folder.and_then(|folder| both.map(|name| folder.join(name)).find(|it| it.is_file()));
    match found {
        Some(key) => Ok((key, None)),
        None => Err(Failure::new(Exit::Missing, "there is no SSH key to sign with")
            .hint("name one: --key FILE; make one: ssh-keygen -t ed25519")),
    }
}

fn git(args: &[&str]) -> Option<String> {
    let output = Command::new("git").args(args).stderr(Stdio::null()).output().ok()?;
    let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    (output.status.success() && !said.is_empty()).then_some(said)
}
