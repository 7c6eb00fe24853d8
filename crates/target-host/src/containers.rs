//! A release that is an image: what its containers are called, how they are marked, what they get.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::Path;

use serde_json::{Value as Json, json};
use sha2::{Digest as _, Sha256};

use crate::wanted::{InstanceName, Set};
use docker::Engine;

/// The label that says whose a container is: the folder of its target.
pub(crate) const FOLDER: &str = "launchway.folder";
const SERVICE: &str = "launchway.service";
const DEPLOYMENT: &str = "launchway.deployment";
const INSTANCE: &str = "launchway.instance";
const PORT: &str = "launchway.port";
const TASK: &str = "launchway.task";

/// What an engine keeps of a container's output; all of it goes into our log at once.
const LOG_BYTES: &str = "10m";
/// Digits that tell one folder's containers from another's.
const FOLDER_DIGITS: usize = 8;

/// An image, and the engine that has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Image {
    pub(crate) location: String,
    pub(crate) digest: String,
    pub(crate) engine: Engine,
}

impl Image {
    /// The image of a set; none where it is a bundle.
    ///
    /// # Errors
    /// When nothing says where its engine is.
    pub(crate) fn of(set: &Set) -> Result<Option<Image>, String> {
        let Some(location) = set.location() else { return Ok(None) };
        let engine = Engine::of(set.config.container().socket.as_deref())?;
        let digest = set.release.digest.to_string();
        Ok(Some(Image { location: location.to_owned(), digest, engine }))
    }

    /// As the engine knows it: by its digest, whatever its tags say.
    pub(crate) fn reference(&self) -> String {
        format!("{}@{}", self.location, self.digest)
    }

    /// The digest's digits alone.
    pub(crate) fn hex(&self) -> &str {
        self.digest.trim_start_matches("sha256:")
    }
}

/// What an engine needs to make a container.
#[derive(Clone, Debug)]
pub(crate) struct Made {
    /// The same for the same instance, so that there are never two of it.
    pub(crate) name: String,
    pub(crate) body: Json,
}

fn name(folder: &Path, rest: &str) -> String {
    use std::os::unix::ffi::OsStrExt as _;
    let digest = Sha256::digest(folder.as_os_str().as_bytes());
    let digits = digest.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
    format!("launchway-{}-{rest}", &digits[..FOLDER_DIGITS])
}

/// The name of an instance's container.
pub(crate) fn instance_name(folder: &Path, service: &str, instance: &InstanceName) -> String {
    name(folder, &format!("{service}-{instance}"))
}

/// The container of an instance, that is reached at a port of this machine.
pub(crate) fn instance(
    folder: &Path,
    (service, instance): (&str, &InstanceName),
    (set, image): (&Set, &Image),
    private: &BTreeMap<String, String>,
    port: u16,
) -> Made {
    let container = set.config.container();
    let inside = container.port;
    let mut env = variables(set, service, private);
    env.insert("PORT".to_owned(), inside.to_string());
    env.insert("HOST".to_owned(), Ipv4Addr::UNSPECIFIED.to_string());
    env.insert("LAUNCHWAY_INSTANCE".to_owned(), instance.to_string());
    let mut body = body(folder, service, (set, image), &env);
    body["Labels"][DEPLOYMENT] = instance.set.as_str().into();
    body["Labels"][INSTANCE] = instance.to_string().into();
    body["Labels"][PORT] = port.to_string().into();
    let inside = format!("{inside}/tcp");
    body["ExposedPorts"] = json!({ inside.as_str(): {} });
    let outside =
        json!([{ "HostIp": Ipv4Addr::LOCALHOST.to_string(), "HostPort": port.to_string() }]);
    body["HostConfig"]["PortBindings"] = json!({ inside: outside });
    if !container.command.is_empty() {
        body["Cmd"] = json!(container.command);
    }
    Made { name: instance_name(folder, service, instance), body }
}

/// The container of a command that is run once.
pub(crate) fn task(
    folder: &Path,
    (service, task): (&str, &str),
    (set, image): (&Set, &Image),
    private: &BTreeMap<String, String>,
    run: &[String],
) -> Made {
    let env = variables(set, service, private);
    let mut body = body(folder, service, (set, image), &env);
    body["Labels"][TASK] = task.into();
    body["Cmd"] = json!(run);
    Made { name: name(folder, &format!("task-{task}")), body }
}

/// Nothing of our own environment: an image brings what it needs.
fn variables(
    set: &Set,
    service: &str,
    private: &BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    let mut env = set.config.env.clone();
    env.extend(private.clone());
    env.insert("LAUNCHWAY_SERVICE".to_owned(), service.to_owned());
    env.insert("LAUNCHWAY_RELEASE".to_owned(), set.release.version.to_string());
    env.insert("LAUNCHWAY_DIGEST".to_owned(), set.release.digest.to_string());
    if let Some(commit) = &set.release.commit {
        env.insert("LAUNCHWAY_COMMIT".to_owned(), commit.to_string());
    }
    env
}

fn body(
    folder: &Path,
    service: &str,
    (set, image): (&Set, &Image),
    env: &BTreeMap<String, String>,
) -> Json {
    let env: Vec<String> = env.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let mut labels = set.config.container().labels;
    labels.insert(FOLDER.to_owned(), folder.display().to_string());
    labels.insert(SERVICE.to_owned(), service.to_owned());
    labels.insert("launchway.version".to_owned(), set.release.version.to_string());
    let mut body = json!({
        "Image": image.reference(),
        "Env": env,
        "Labels": labels,
        "HostConfig": {
            // Whether it is started again is the supervisor's to say.
            "RestartPolicy": { "Name": "no" },
            // One that can be read, whatever the engine does with others' output.
            "LogConfig": {
                "Type": "json-file", "Config": { "max-size": LOG_BYTES, "max-file": "2" },
            },
            "ExtraHosts": ["host.docker.internal:host-gateway"],
        },
    });
    if let Some(user) = &set.config.user {
        body["User"] = user.as_str().into();
    }
    if let Some(bytes) = set.config.memory_bytes {
        body["HostConfig"]["Memory"] = bytes.into();
        // Without swap beside it: a limit that can be passed is none.
        body["HostConfig"]["MemorySwap"] = bytes.into();
    }
    body
}

/// Which instance a container is, and its port, by its labels.
pub(crate) fn instance_of(labels: &[(String, String)]) -> Option<((String, InstanceName), u16)> {
    let label = |name: &str| {
        labels.iter().find(|(label, _)| label == name).map(|(_, value)| value.as_str())
    };
    let name = label(INSTANCE)?.parse().ok()?;
    Some(((label(SERVICE)?.to_owned(), name), label(PORT)?.parse().ok()?))
}

/// Which command that is run once a container is; none where it is an instance.
pub(crate) fn task_of(labels: &[(String, String)]) -> Option<&str> {
    labels.iter().find(|(label, _)| label == TASK).map(|(_, value)| value.as_str())
}
