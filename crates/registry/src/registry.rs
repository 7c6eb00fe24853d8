//! One registry: calls, signed in where it asks for that.

use std::collections::BTreeMap;
use std::io::Read;
use std::time::Duration;

use mask::Secret;
use serde_json::Value as Json;
use ureq::http::{Request, Response};
use ureq::{AsSendBody, Body};

use crate::access::{Challenge, Login};
use crate::manifest::{ACCEPT, Manifest, NoManifest};

/// A registry that does not answer a question within this does not answer.
const WITHIN: Duration = Duration::from_secs(30);
const CONNECT_WITHIN: Duration = Duration::from_secs(10);
/// A layer of gigabytes over a slow line; one that takes longer hangs.
const BLOB_WITHIN: Duration = Duration::from_secs(30 * 60);
/// The largest manifest that registries take is 4 MiB; answers of an error are shorter.
const ANSWER_BYTES_MAX: u64 = 4 << 20;
/// Storage behind a registry is one redirection away.
const REDIRECTS_MAX: u32 = 5;

/// Why a registry did not do what it should.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// No answer.
    #[error("{host} does not answer: {why}")]
    Unanswered {
        /// Which registry.
        host: String,
        /// Why.
        why: String,
    },
    /// It lets nobody in by these, or not there.
    #[error("{host} does not let us {what}: {why}")]
    Denied {
        /// Which registry.
        host: String,
        /// What was tried.
        what: String,
        /// What it said.
        why: String,
    },
    /// There is no such repository, image or blob.
    #[error("{host} has no {what}: {why}")]
    Absent {
        /// Which registry.
        host: String,
        /// What was asked for.
        what: String,
        /// What it said.
        why: String,
    },
    /// The tag names another image already, and the repository does not let it be moved.
    #[error("{host} does not move the tag {tag}: {why}")]
    Immutable {
        /// Which registry.
        host: String,
        /// Which tag.
        tag: String,
        /// What it said.
        why: String,
    },
    /// It said no, or something that is not understood.
    #[error("{host} refused to {what}: {why}")]
    Refused {
        /// Which registry.
        host: String,
        /// What was tried.
        what: String,
        /// What it said.
        why: String,
    },
    /// What came is no manifest.
    #[error("{host} gave no manifest for {what}: {why}")]
    NoManifest {
        /// Which registry.
        host: String,
        /// What was asked for.
        what: String,
        /// What is wrong with it.
        why: NoManifest,
    },
    /// What came is not what was asked for.
    #[error("{host} gave {found} for {wanted}")]
    Altered {
        /// Which registry.
        host: String,
        /// The digest that was asked for.
        wanted: String,
        /// The digest of what came.
        found: String,
    },
}

/// A registry, and what it lets us in with.
pub struct Registry {
    host: String,
    login: Option<Login>,
    agent: ureq::Agent,
    blobs: ureq::Agent,
    /// Tokens, by what they are for.
    tokens: BTreeMap<String, String>,
    /// It asked for name and password once.
    is_basic: bool,
}

/// A request that can be made again once it is known how to sign in.
pub(crate) struct Call<'a> {
    pub(crate) method: &'a str,
    /// Behind `/v2/`, or a whole address that the registry named.
    pub(crate) path: &'a str,
    pub(crate) headers: &'a [(&'a str, &'a str)],
    /// What it is about, for people: `push to planner`.
    pub(crate) what: &'a str,
    /// `repository:planner:pull,push`
    pub(crate) scope: &'a str,
}

impl Registry {
    /// A registry by its host and port.
    pub fn new(host: &str, login: Option<Login>) -> Registry {
        let (agent, blobs) = (agent(host, WITHIN), agent(host, BLOB_WITHIN));
        let tokens = BTreeMap::new();
        Registry { host: host.to_owned(), login, agent, blobs, tokens, is_basic: false }
    }

    /// Its host and port.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The manifest that a tag or a digest names; none where it names nothing there. Its bytes are
    /// hashed: they are what the digest says.
    ///
    /// # Errors
    /// When the registry does not answer, does not let us read, or gives something else.
    pub fn manifest(
        &mut self,
        repository: &str,
        reference: &str,
    ) -> Result<Option<Manifest>, RegistryError> {
        let accept = ACCEPT.join(", ");
        let call = Call {
            method: "GET",
            path: &format!("{repository}/manifests/{reference}"),
            headers: &[("accept", &accept)],
            what: &format!("read {repository}:{reference}"),
            scope: &format!("repository:{repository}:pull"),
        };
        let mut response = match self.call(&call, || ()) {
            Err(RegistryError::Absent { .. }) => return Ok(None),
            other => other?,
        };
        let content_type = header(&response, "content-type");
        let mut bytes = Vec::new();
        let mut reader = response.body_mut().as_reader().take(ANSWER_BYTES_MAX);
        reader.read_to_end(&mut bytes).map_err(|error| self.unanswered(&error))?;
        let manifest = Manifest::read(bytes, content_type.as_deref());
        let manifest = manifest.map_err(|why| RegistryError::NoManifest {
            host: self.host.clone(),
            what: format!("{repository}:{reference}"),
            why,
        })?;
        if reference.starts_with("sha256:") && manifest.digest != reference {
            let (wanted, found) = (reference.to_owned(), manifest.digest);
            return Err(RegistryError::Altered { host: self.host.clone(), wanted, found });
        }
        Ok(Some(manifest))
    }

    /// Gives a manifest a name: a tag, or its own digest.
    ///
    /// # Errors
    /// When the registry does not take it; [`RegistryError::Immutable`] where the tag names another
    /// image for good.
    pub fn tag(
        &mut self,
        repository: &str,
        manifest: &Manifest,
        tag: &str,
    ) -> Result<(), RegistryError> {
        let call = Call {
            method: "PUT",
            path: &format!("{repository}/manifests/{tag}"),
            headers: &[("content-type", &manifest.media_type)],
            what: &format!("tag {repository}:{tag}"),
            scope: &format!("repository:{repository}:pull,push"),
        };
        match self.call(&call, || manifest.bytes.as_slice()) {
            Ok(_) => Ok(()),
            Err(RegistryError::Refused { host, why, .. }) if is_immutable(&why) => {
                // The same digest under the same tag is there already: nothing is to be done.
                let there = self.manifest(repository, tag)?;
                if there.is_some_and(|it| it.digest == manifest.digest) {
                    return Ok(());
                }
                Err(RegistryError::Immutable { host, tag: tag.to_owned(), why })
            }
            Err(error) => Err(error),
        }
    }

    /// The description of an image, by its digest.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn description(&mut self, repository: &str, digest: &str) -> Result<Json, RegistryError> {
        let mut bytes = Vec::new();
        let mut body = self.blob(repository, digest)?.0;
        let mut reader = body.as_reader().take(ANSWER_BYTES_MAX);
        reader.read_to_end(&mut bytes).map_err(|error| self.unanswered(&error))?;
        Ok(serde_json::from_slice(&bytes).unwrap_or_default())
    }

    /// The bytes of a blob, and how many there will be.
    pub(crate) fn blob(
        &mut self,
        repository: &str,
        digest: &str,
    ) -> Result<(Body, Option<u64>), RegistryError> {
        let call = Call {
            method: "GET",
            path: &format!("{repository}/blobs/{digest}"),
            headers: &[],
            what: &format!("read {repository}@{digest}"),
            scope: &format!("repository:{repository}:pull"),
        };
        let response = self.call_by(&self.blobs.clone(), &call, || ())?;
        let length = header(&response, "content-length").and_then(|it| it.parse().ok());
        Ok((response.into_body(), length))
    }

    /// Makes a call whose body is at hand as often as it is needed.
    pub(crate) fn call<B: AsSendBody>(
        &mut self,
        call: &Call<'_>,
        body: impl Fn() -> B,
    ) -> Result<Response<Body>, RegistryError> {
        self.call_by(&self.agent.clone(), call, body)
    }

    fn call_by<B: AsSendBody>(
        &mut self,
        agent: &ureq::Agent,
        call: &Call<'_>,
        body: impl Fn() -> B,
    ) -> Result<Response<Body>, RegistryError> {
        let answer = self.send(agent, call, body())?;
        if answer.status() != 401 {
            return self.judge(call, answer);
        }
        let challenge = header(&answer, "www-authenticate");
        self.sign_in(call, challenge.as_deref())?;
        let answer = self.send(agent, call, body())?;
        self.judge(call, answer)
    }

    /// A body that can be read once: the sign-in must be there already.
    pub(crate) fn send_once(
        &mut self,
        call: &Call<'_>,
        body: impl AsSendBody,
    ) -> Result<Response<Body>, RegistryError> {
        let answer = self.send(&self.blobs.clone(), call, body)?;
        self.judge(call, answer)
    }

    fn send(
        &self,
        agent: &ureq::Agent,
        call: &Call<'_>,
        body: impl AsSendBody,
    ) -> Result<Response<Body>, RegistryError> {
        let url = self.url(call.path);
        let mut request = Request::builder().method(call.method).uri(&url);
        for (key, value) in call.headers {
            request = request.header(*key, *value);
        }
        // What a registry names elsewhere gets no sign-in of ours.
        if url.starts_with(&self.base())
            && let Some(value) = self.authorization(call)
        {
            request = request.header("authorization", value);
        }
        let request = request.body(body).map_err(|error| self.unanswered(&error))?;
        agent.run(request).map_err(|error| self.unanswered(&error))
    }

    fn authorization(&self, call: &Call<'_>) -> Option<String> {
        if self.is_basic {
            return self.login.as_ref().map(Login::basic);
        }
        self.tokens.get(call.scope).map(|token| format!("Bearer {token}"))
    }

    /// Does what the registry asks for before it lets somebody in.
    fn sign_in(&mut self, call: &Call<'_>, challenge: Option<&str>) -> Result<(), RegistryError> {
        let denied = |why: &str| RegistryError::Denied {
            host: self.host.clone(),
            what: call.what.to_owned(),
            why: why.to_owned(),
        };
        let challenge = challenge.and_then(Challenge::read);
        let challenge = challenge.ok_or_else(|| denied("it does not say how to sign in"))?;
        let Some(url) = challenge.url(call.scope) else {
            if self.login.is_none() || self.is_basic {
                return Err(denied(if self.is_basic {
                    "it does not take the name and password"
                } else {
                    "nobody is signed in"
                }));
            }
            self.is_basic = true;
            return Ok(());
        };
        let mut request = self.agent.get(&url);
        if let Some(login) = &self.login {
            request = request.header("authorization", login.basic());
        }
        let mut answer = request.call().map_err(|error| self.unanswered(&error))?;
        let text = answer.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_string();
        let said: Json = serde_json::from_str(&text.unwrap_or_default()).unwrap_or_default();
        let token = said["token"].as_str().or_else(|| said["access_token"].as_str());
        match token {
            Some(token) if answer.status().is_success() => {
                self.tokens.insert(call.scope.to_owned(), token.to_owned());
                Ok(())
            }
            _ => Err(denied("it gives no token for that")),
        }
    }

    fn judge(
        &self,
        call: &Call<'_>,
        mut answer: Response<Body>,
    ) -> Result<Response<Body>, RegistryError> {
        let status = answer.status();
        if status.is_success() {
            return Ok(answer);
        }
        let text = answer.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_string();
        let why = said(&text.unwrap_or_default());
        let why = if why.is_empty() { format!("status {status}") } else { why };
        let (host, what) = (self.host.clone(), call.what.to_owned());
        Err(match status.as_u16() {
            401 | 403 => RegistryError::Denied { host, what, why },
            404 => {
                let what = what.split_once(' ').map_or(what.clone(), |(_, it)| it.to_owned());
                RegistryError::Absent { host, what, why }
            }
            429 | 500.. => RegistryError::Unanswered { host, why },
            _ => RegistryError::Refused { host, what, why },
        })
    }

    fn base(&self) -> String {
        let host = match self.host.as_str() {
            "docker.io" => "registry-1.docker.io",
            host => host,
        };
        // Docker speaks plain HTTP to registries of the own machine, too.
        let scheme = if https::is_here(host) { "http" } else { "https" };
        format!("{scheme}://{host}/")
    }

    fn url(&self, path: &str) -> String {
        if path.starts_with("http://") || path.starts_with("https://") {
            return path.to_owned();
        }
        match path.strip_prefix('/') {
            Some(path) => format!("{}{path}", self.base()),
            None => format!("{}v2/{path}", self.base()),
        }
    }

    fn unanswered(&self, why: &dyn std::fmt::Display) -> RegistryError {
        RegistryError::Unanswered { host: self.host.clone(), why: why.to_string() }
    }
}

/// A value of the head.
pub(crate) fn header(response: &Response<Body>, name: &str) -> Option<String> {
    response.headers().get(name).and_then(|it| it.to_str().ok()).map(str::to_owned)
}

/// `[{"code": "TAG_INVALID", "message": "..."}]` as a sentence.
fn said(text: &str) -> String {
    let json: Json = serde_json::from_str(text).unwrap_or_default();
    let errors = json["errors"].as_array().into_iter().flatten();
    let each = errors.map(|error| {
        let part = |key: &str| error[key].as_str().unwrap_or_default();
        let detail = error["detail"].as_str().unwrap_or_default();
        [part("code"), part("message"), detail]
            .into_iter()
            .filter(|it| !it.is_empty())
            .collect::<Vec<_>>()
            .join(": ")
    });
    each.collect::<Vec<_>>().join("; ")
}

/// ECR says so by one of these; registries have no word of their own for it.
fn is_immutable(why: &str) -> bool {
    let why = why.to_ascii_lowercase();
    why.contains("immutable") || why.contains("tag_invalid") || why.contains("already exists")
}

fn agent(host: &str, within: Duration) -> ureq::Agent {
    let config = https::config()
        .timeout_global(Some(within))
        .timeout_connect(Some(CONNECT_WITHIN))
        // A sign-in is never carried along.
        .max_redirects(REDIRECTS_MAX);
    let config = if https::is_here(host) { config.proxy(None) } else { config };
    config.build().new_agent()
}

/// A login and what came of it are in no text.
impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let signed_in = self.login.as_ref().map(|it| &it.username);
        f.debug_struct("Registry").field("host", &self.host).field("as", &signed_in).finish()
    }
}

// The type of passwords, so that a change of it is seen here.
const _: fn(&Login) -> &Secret = |login| &login.password;
