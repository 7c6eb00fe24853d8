//! The engine itself: images and containers.

use std::io::{self, BufReader, Read};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value as Json, json};

use crate::heed::{Heeding, Wait, is_stopped};
use crate::wanted::Login;
use crate::wire::{Answer, Call, ask, ask_by, escaped};

/// Where Docker listens, unless somebody says otherwise.
pub(crate) const SOCKET: &str = "/var/run/docker.sock";
/// An engine answers at once, but for starting and ending containers on a busy machine.
const SILENCE_MAX: Duration = Duration::from_secs(60);
/// Between two lines about a pull: an engine says something while it waits for a registry, too.
const PULL_SILENCE_MAX: Duration = Duration::from_secs(300);

/// Why the engine did not do what it should.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// Nobody listens.
    #[error("docker does not answer at {}: {why}", socket.display())]
    Unanswered {
        /// Where.
        socket: PathBuf,
        /// Why.
        why: String,
    },
    /// Its socket is not for us.
    #[error("{} may not be used by this user", .0.display())]
    Closed(PathBuf),
    /// It said no.
    #[error("docker says: {message}")]
    Said {
        /// The status of HTTP.
        status: u16,
        /// In its own words.
        message: String,
    },
    /// Whoever asked was told to stop, and waits no more.
    #[error("told to stop")]
    Stopped,
}

impl EngineError {
    /// What was asked for is not there.
    pub fn is_absent(&self) -> bool {
        matches!(self, EngineError::Said { status: 404, .. })
    }

    /// Asking again may help.
    pub fn is_passing(&self) -> bool {
        matches!(self, EngineError::Unanswered { .. })
    }
}

/// The engine behind a socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Engine {
    socket: PathBuf,
}

/// Names and values.
pub type Labels = Vec<(String, String)>;

/// A container, as the engine knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Container {
    /// Its id.
    pub id: String,
    /// Its labels.
    pub labels: Labels,
    /// How far it is.
    pub standing: Standing,
    /// Its first process, as the engine sees it.
    pub pid: i32,
}

/// What programs of a container find there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Surroundings {
    /// Their environment.
    pub env: Labels,
    /// They are root's, where nobody says otherwise.
    pub is_roots: bool,
}

/// How far a container is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It was never started.
    Made,
    /// It runs.
    Runs,
    /// It ended.
    Over(Over),
}

/// How a container ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Over {
    /// The exit code of its first process.
    pub code: i32,
    /// The kernel ended it for want of memory.
    pub out_of_memory: bool,
    /// What the engine says where the program could not be started.
    pub error: Option<String>,
}

/// The standard input of a container, open ([`Engine::hold`]).
#[derive(Debug)]
pub struct Held(
    #[expect(dead_code, reason = "it is open for as long as it is there")] BufReader<UnixStream>,
);

fn pull_path((location, digest): (&str, &str)) -> String {
    format!("/images/create?fromImage={}&tag={}", escaped(location), escaped(digest))
}

fn pull_call<'a>(path: &'a str, headers: &'a [(&'a str, &'a str)]) -> Call<'a> {
    Call { method: "POST", path, headers, body: None, silence: Some(PULL_SILENCE_MAX) }
}

impl Engine {
    /// Where one is to be asked: what was said when the service was planned, else what `DOCKER_HOST`
    /// says, else the usual place.
    ///
    /// # Errors
    /// When `DOCKER_HOST` is another machine.
    pub fn of(said: Option<&Path>) -> Result<Engine, String> {
        let variable = std::env::var("DOCKER_HOST").unwrap_or_default();
        let socket = match (said, &*variable) {
            (Some(said), _) => said.to_owned(),
            (None, "") => PathBuf::from(SOCKET),
            (None, host) => host.strip_prefix("unix://").map(PathBuf::from).ok_or_else(|| {
                format!(
                    "DOCKER_HOST is {host}: containers run on this machine, by a socket: unset \
                     it, or unix:///PATH"
                )
            })?,
        };
        Ok(Engine { socket })
    }

    /// The one behind this socket.
    pub fn at(socket: PathBuf) -> Engine {
        Engine { socket }
    }

    /// Where it listens.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    pub(crate) fn ask(&self, call: &Call<'_>) -> Result<Answer, EngineError> {
        self.heard(ask(&self.socket, call))
    }

    /// The same, by somebody who heeds more than the engine.
    pub(crate) fn ask_heeding<'a, 'w>(
        &self,
        call: &Call<'_>,
        wait: &'a mut Wait<'w>,
    ) -> Result<Answer<Heeding<'a, 'w>>, EngineError> {
        let silence = call.silence.unwrap_or(Duration::MAX);
        let stream = UnixStream::connect(&self.socket);
        let stream = stream.map(|stream| Heeding { stream, silence, wait });
        self.heard(stream.and_then(|stream| ask_by(stream, call)))
    }

    pub(crate) fn heard<S: Read>(
        &self,
        answer: io::Result<Answer<S>>,
    ) -> Result<Answer<S>, EngineError> {
        let answer = answer.map_err(|error| self.unanswered(&error))?;
        if answer.status < 400 {
            return Ok(answer);
        }
        let status = answer.status;
        let text = answer.text().map_err(|error| self.unanswered(&error))?;
        let said: Json = serde_json::from_slice(&text).unwrap_or_default();
        let message = said["message"].as_str().map_or_else(
            || String::from_utf8_lossy(&text).trim().to_owned(),
            |it| it.trim().to_owned(),
        );
        Err(EngineError::Said { status, message })
    }

    pub(crate) fn unanswered(&self, error: &io::Error) -> EngineError {
        let why = match error.kind() {
            kind if is_stopped(kind) => return EngineError::Stopped,
            io::ErrorKind::PermissionDenied => return EngineError::Closed(self.socket.clone()),
            io::ErrorKind::NotFound => "there is no such socket".to_owned(),
            io::ErrorKind::ConnectionRefused => "nobody listens".to_owned(),
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => "no answer in time".to_owned(),
            _ => error.to_string(),
        };
        EngineError::Unanswered { socket: self.socket.clone(), why }
    }

    pub(crate) fn json(
        &self,
        method: &str,
        path: &str,
        body: Option<&Json>,
    ) -> Result<Json, EngineError> {
        let silence = Some(SILENCE_MAX);
        let answer = self.ask(&Call { method, path, headers: &[], body, silence })?;
        let text = answer.text().map_err(|error| self.unanswered(&error))?;
        if text.is_empty() {
            return Ok(Json::Null);
        }
        serde_json::from_slice(&text)
            .map_err(|error| self.unanswered(&io::Error::new(io::ErrorKind::InvalidData, error)))
    }

    /// Whether it answers.
    ///
    /// # Errors
    /// Why it does not.
    pub fn look(&self) -> Result<(), EngineError> {
        let call = Call {
            method: "GET",
            path: "/_ping",
            headers: &[],
            body: None,
            silence: Some(SILENCE_MAX),
        };
        let answer = self.ask(&call)?;
        answer.text().map(drop).map_err(|error| self.unanswered(&error))
    }

    /// Whether an image is here.
    pub fn has_image(&self, image: &str) -> Result<bool, EngineError> {
        match self.json("GET", &format!("/images/{image}/json"), None) {
            Ok(_) => Ok(true),
            Err(error) if error.is_absent() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Brings an image by its name, with a tag or a digest; without either it is `latest`. Given up, the
    /// engine gives it up, too.
    ///
    /// # Errors
    /// When the engine is away, or cannot get it; when it is given up.
    pub fn pull_image(
        &self,
        image: &str,
        login: Option<&Login>,
        wait: &mut Wait<'_>,
    ) -> Result<(), EngineError> {
        let sign_in = login.map(Login::header);
        let path = pull_path(parts(image));
        let header = sign_in.as_deref().map(|it| ("X-Registry-Auth", it));
        let answer = self.ask_heeding(&pull_call(&path, header.as_slice()), wait)?;
        self.pulled(answer.body, &mut |_| {})
    }

    /// Brings an image by where it is and its digest or tag; `tell` hears how far it is.
    ///
    /// # Errors
    /// When the engine is away, or refuses it.
    pub fn pull(
        &self,
        of: (&str, &str),
        sign_in: Option<&str>,
        tell: &mut dyn FnMut(&str),
    ) -> Result<(), EngineError> {
        let path = pull_path(of);
        let header = sign_in.map(|it| ("X-Registry-Auth", it));
        let answer = self.ask(&pull_call(&path, header.as_slice()))?;
        self.pulled(answer.body, tell)
    }

    /// Hears an engine out that pulls.
    fn pulled(
        &self,
        said: impl io::BufRead,
        tell: &mut dyn FnMut(&str),
    ) -> Result<(), EngineError> {
        let (mut layers, mut there) =
            (std::collections::BTreeSet::new(), std::collections::BTreeSet::new());
        for line in said.lines() {
            let line = line.map_err(|error| self.unanswered(&error))?;
            let said: Json = serde_json::from_str(&line).unwrap_or_default();
            if let Some(message) = said["error"].as_str() {
                return Err(EngineError::Said { status: 500, message: message.trim().to_owned() });
            }
            if let (Some(layer), Some(status)) = (said["id"].as_str(), said["status"].as_str())
                && !layer.contains(':')
            {
                layers.insert(layer.to_owned());
                if matches!(status, "Pull complete" | "Already exists") {
                    there.insert(layer.to_owned());
                }
                tell(&format!("{} of {} layers are here", there.len(), layers.len()));
            }
        }
        Ok(())
    }

    /// What programs of a container find there, by its image and by how it was made.
    ///
    /// # Errors
    /// When the engine is away, or there is no such container.
    pub fn surroundings(&self, name: &str) -> Result<Surroundings, EngineError> {
        let found = self.json("GET", &format!("/containers/{name}/json"), None)?;
        let config = &found["Config"];
        let pairs = config["Env"].as_array().into_iter().flatten();
        let pairs = pairs.filter_map(|it| it.as_str()?.split_once('='));
        let env = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let user = config["User"].as_str().unwrap_or_default();
        let user = user.split_once(':').map_or(user, |(user, _)| user);
        Ok(Surroundings { env, is_roots: matches!(user, "" | "0" | "root") })
    }

    /// Holds the standard input of a container open: one that reads it ends when this is dropped, or
    /// when this process ends, however that comes about.
    ///
    /// # Errors
    /// When the engine is away, or there is no such container.
    pub fn hold(&self, name: &str) -> Result<Held, EngineError> {
        let path = format!("/containers/{name}/attach?stream=1&stdin=1");
        let call = Call { method: "POST", path: &path, headers: &[], body: None, silence: None };
        Ok(Held(self.ask(&call)?.body))
    }

    /// Takes an image away. One that a container needs stays; whether it is gone.
    ///
    /// # Errors
    /// When the engine is away, or refuses it.
    pub fn remove_image(&self, image: &str) -> Result<bool, EngineError> {
        match self.json("DELETE", &format!("/images/{image}"), None) {
            Ok(_) => Ok(true),
            Err(error) if error.is_absent() => Ok(true),
            Err(EngineError::Said { status: 409, .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Makes a container; its id. Nobody else has this name, or it is refused.
    ///
    /// # Errors
    /// When the engine is away, or refuses it.
    pub fn make(&self, name: &str, body: &Json) -> Result<String, EngineError> {
        let path = format!("/containers/create?name={}", escaped(name));
        let made = self.json("POST", &path, Some(body))?;
        Ok(made["Id"].as_str().unwrap_or_default().to_owned())
    }

    /// Starts a container.
    ///
    /// # Errors
    /// When the engine is away, or refuses it.
    pub fn start(&self, name: &str) -> Result<(), EngineError> {
        self.json("POST", &format!("/containers/{name}/start"), None).map(drop)
    }

    /// Ends a container: asked first, made to when the time is over. One that is over or gone is
    /// ended.
    ///
    /// # Errors
    /// When the engine is away, or refuses it.
    pub fn stop(&self, name: &str, within: Duration) -> Result<(), EngineError> {
        let path = format!("/containers/{name}/stop?t={}", within.as_secs());
        let silence = Some(within + SILENCE_MAX);
        let call = Call { method: "POST", path: &path, headers: &[], body: None, silence };
        match self.ask(&call) {
            Err(error) if error.is_absent() => Ok(()),
            other => other.map(drop),
        }
    }

    /// Takes a container away, whatever it does.
    ///
    /// # Errors
    /// When the engine is away, or refuses it.
    pub fn remove(&self, name: &str) -> Result<(), EngineError> {
        match self.json("DELETE", &format!("/containers/{name}?force=true&v=true"), None) {
            Err(error) if error.is_absent() => Ok(()),
            // Somebody takes it away already.
            Err(EngineError::Said { status: 409, message }) if message.contains("removal") => {
                Ok(())
            }
            other => other.map(drop),
        }
    }

    /// A container by its name or id; none where there is none.
    ///
    /// # Errors
    /// When the engine is away, or refuses it.
    pub fn container(&self, name: &str) -> Result<Option<Container>, EngineError> {
        let found = match self.json("GET", &format!("/containers/{name}/json"), None) {
            Err(error) if error.is_absent() => return Ok(None),
            other => other?,
        };
        let state = &found["State"];
        let standing = match state["Status"].as_str() {
            Some("created" | "configured" | "initialized") => Standing::Made,
            Some("exited" | "dead" | "stopped") => Standing::Over(Over {
                code: state["ExitCode"].as_i64().and_then(|it| i32::try_from(it).ok()).unwrap_or(0),
                out_of_memory: self.was_out_of_memory(&found),
                error: state["Error"].as_str().filter(|it| !it.is_empty()).map(str::to_owned),
            }),
            _ => Standing::Runs,
        };
        let pid = state["Pid"].as_i64().and_then(|it| i32::try_from(it).ok()).unwrap_or(0);
        let id = found["Id"].as_str().unwrap_or_default().to_owned();
        Ok(Some(Container { id, labels: labels(&found["Config"]["Labels"]), standing, pid }))
    }

    /// Every container that has a label of this value, running or not: its id and its labels.
    ///
    /// # Errors
    /// When the engine is away, or refuses it.
    pub fn labelled(&self, label: &str, value: &str) -> Result<Vec<(String, Labels)>, EngineError> {
        let filters = json!({ "label": [format!("{label}={value}")] }).to_string();
        let path = format!("/containers/json?all=1&filters={}", escaped(&filters));
        let found = self.json("GET", &path, None)?;
        let id = |it: &Json| it["Id"].as_str().unwrap_or_default().to_owned();
        let found = found.as_array().into_iter().flatten();
        Ok(found.map(|it| (id(it), labels(&it["Labels"]))).collect())
    }

    /// Waits until a container does not run, or the engine itself ends.
    ///
    /// # Errors
    /// When the engine is away, or refuses it.
    pub fn wait(&self, id: &str) -> Result<(), EngineError> {
        let path = format!("/containers/{id}/wait");
        let call = Call { method: "POST", path: &path, headers: &[], body: None, silence: None };
        let answer = self.ask(&call)?;
        answer.text().map(drop).map_err(|error| self.unanswered(&error))
    }

    /// What a container prints from a time on, while it does.
    ///
    /// # Errors
    /// When the engine is away, or refuses it.
    pub fn printed(&self, id: &str, since: &str) -> Result<impl Read + use<>, EngineError> {
        let path =
            format!("/containers/{id}/logs?stdout=1&stderr=1&follow=1&timestamps=1&since={since}");
        let call = Call { method: "GET", path: &path, headers: &[], body: None, silence: None };
        Ok(self.ask(&call)?.body)
    }
}

/// The name of an image, and its digest or tag.
fn parts(image: &str) -> (&str, &str) {
    let tagged = || image.rsplit_once(':').filter(|(_, tag)| !tag.contains('/'));
    image.split_once('@').or_else(tagged).unwrap_or((image, "latest"))
}

fn labels(found: &Json) -> Labels {
    let pairs = found.as_object().into_iter().flatten();
    pairs.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect()
}
