//! Credentials of a checkout: in the local git configuration while they persist, gone with `post`.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::Request;
use crate::git::Git;
use crate::native::step::{Failure, Step, failed_at, random_hex};
use crate::native::tools::quoted;

/// Token and key.
pub(super) struct Credentials {
    token: Option<String>,
    pub(super) ssh_key: Option<String>,
    pub(super) ssh_user: String,
    ssh_known_hosts: Option<String>,
    ssh_strict: bool,
    pub(super) persist: bool,
}

impl Credentials {
    pub(super) fn read(step: &Step, persist: bool) -> Credentials {
        Credentials {
            token: step.given("token"),
            ssh_key: step.given("ssh-key"),
            ssh_user: step.given("ssh-user").unwrap_or_else(|| "git".to_owned()),
            ssh_known_hosts: step.given("ssh-known-hosts"),
            ssh_strict: !step.input("ssh-strict").eq_ignore_ascii_case("false"),
            persist,
        }
    }

    /// Puts them where the commands that follow find them.
    pub(super) fn set_up(&self, step: &mut Step, request: &Request) -> Result<(), Failure> {
        if let Some(key) = &self.ssh_key {
            return self.set_up_ssh(step, request, key);
        }
        let Some(token) = &self.token else { return Ok(()) };
        let basic = BASE64.encode(format!("x-access-token:{token}"));
        step.mask(&basic);
        // Through a file rather than an argument: arguments are seen by every user of the machine.
        let entry = format!(
            "[http \"{}/\"]\n\textraheader = \"AUTHORIZATION: basic {basic}\"\n",
            request.server
        );
        append_private(&request.folder.join(".git/config"), &entry)
    }

    fn set_up_ssh(&self, step: &mut Step, request: &Request, key: &str) -> Result<(), Failure> {
        let temp = step.folder("RUNNER_TEMP")?;
        let id = random_hex();
        let key_file = temp.join(&id);
        append_private(&key_file, &format!("{}\n", key.trim()))?;
        step.save_state("sshKeyPath", &key_file.display().to_string());
        let hosts_file = temp.join(format!("{id}_known_hosts"));
        let mut hosts = String::new();
        if let Some(home) = std::env::home_dir() {
            hosts = fs::read_to_string(home.join(".ssh/known_hosts")).unwrap_or_default();
        }
        if let Some(more) = &self.ssh_known_hosts {
            hosts.push_str(&format!("\n{more}\n"));
        }
        append_private(&hosts_file, &hosts)?;
        step.save_state("sshKnownHostsPath", &hosts_file.display().to_string());
        let strict =
            if self.ssh_strict { " -o StrictHostKeyChecking=yes -o CheckHostIP=no" } else { "" };
        let command = format!(
            "ssh -i {}{strict} -o UserKnownHostsFile={}",
            quoted(&key_file),
            quoted(&hosts_file)
        );
        request.git("config").args(["core.sshCommand", &command]).run()?;
        Ok(())
    }

    /// Takes them out again.
    pub(super) fn take_out(&self, request: &Request) -> Result<(), Failure> {
        clear(&request.folder);
        Ok(())
    }
}

/// The `post` stage.
pub(super) fn remove(step: &mut Step) -> Result<(), Failure> {
    let Some(folder) = step.state("repositoryPath").map(PathBuf::from) else { return Ok(()) };
    if folder.join(".git/config").exists() {
        clear(&folder);
        step.info("credentials are out of the local git configuration");
    }
    for name in ["sshKeyPath", "sshKnownHostsPath"] {
        if let Some(path) = step.state(name) {
            // The job's folder goes away in any case; the key should go now.
            drop(fs::remove_file(path));
        }
    }
    Ok(())
}

/// Removes every header and key command. Nothing to remove is no failure.
fn clear(folder: &Path) {
    let config = |arguments: &[&str]| {
        Git::configured(folder, "config", &[format!("safe.directory={}", folder.display())])
            .arg("--local")
            .args(arguments)
            .ask()
    };
    let found = config(&["--name-only", "--get-regexp", r"^http\..*\.extraheader$"]);
    for name in found.ok().flatten().unwrap_or_default().lines() {
        drop(config(&["--unset-all", name]));
    }
    drop(config(&["--unset-all", "core.sshCommand"]));
}

fn append_private(path: &Path, text: &str) -> Result<(), Failure> {
    let mut file = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(path)
        .map_err(failed_at("opened", path))?;
    file.write_all(text.as_bytes()).map_err(failed_at("written", path))
}
