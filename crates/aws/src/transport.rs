//! How a request gets there.

use std::io::{Read, Write};
use std::time::Duration;

use crate::local::{Method, Question};

/// A request that is ready to be sent; all are POST.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WireRequest {
    /// Where to.
    pub url: String,
    /// Its headers, names in lower case. What signs it is among them: not for logs.
    pub headers: Vec<(&'static str, String)>,
    /// Its body.
    pub body: String,
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The status of HTTP.
    pub status: u16,
    /// `x-amzn-RequestId`.
    pub request_id: Option<String>,
    /// The body.
    pub body: String,
}

/// No answer came; whether the request was done is not known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{host} did not answer: {why}")]
pub struct Unanswered {
    /// Who was asked.
    pub host: String,
    /// What happened, without anything of the request.
    pub why: String,
}

/// How a request gets there.
pub trait Transport {
    /// Sends it and waits for the answer, for seconds at the most.
    ///
    /// # Errors
    /// When no answer comes.
    fn send(&mut self, request: &WireRequest) -> Result<Reply, Unanswered>;

    /// Sends a request for an object and waits for the answer. Where it goes well and there is
    /// somewhere to write to, the body goes there and not into the reply.
    ///
    /// # Errors
    /// When no answer comes, or it ends early.
    fn exchange(
        &mut self,
        request: &ObjectRequest,
        body: ObjectBody<'_>,
        into: Option<&mut dyn Write>,
    ) -> Result<ObjectReply, Unanswered> {
        let (_, _) = (body, into);
        let host = host_of(&request.url).to_owned();
        Err(Unanswered { host, why: "nobody keeps objects here".to_owned() })
    }
}

/// A request for an object or a bucket, ready to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectRequest {
    /// How.
    pub method: ObjectMethod,
    /// Which, with its query.
    pub url: String,
    /// Its headers, names in lower case. What signs it is among them: not for logs.
    pub headers: Vec<(&'static str, String)>,
}

/// How an object is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ObjectMethod {
    /// Its bytes.
    Get,
    /// Only what is known of it.
    Head,
    /// It is written.
    Put,
    /// Something is begun or ended: an upload in parts.
    Post,
    /// It is removed.
    Delete,
}

impl ObjectMethod {
    /// As HTTP has it.
    pub fn as_str(self) -> &'static str {
        match self {
            ObjectMethod::Get => "GET",
            ObjectMethod::Head => "HEAD",
            ObjectMethod::Put => "PUT",
            ObjectMethod::Post => "POST",
            ObjectMethod::Delete => "DELETE",
        }
    }
}

/// What is sent along.
pub enum ObjectBody<'a> {
    /// Bytes, which may be none.
    Bytes(&'a [u8]),
    /// So many bytes of a reader, with their SHA-256 in hex: it is signed before they are read.
    Reader {
        /// Where they come from.
        reader: &'a mut dyn Read,
        /// How many.
        length: u64,
        /// Their SHA-256.
        sha256: &'a str,
    },
}

impl ObjectBody<'_> {
    pub(crate) fn sha256(&self) -> String {
        match self {
            ObjectBody::Bytes(bytes) => crate::signature::hashed(bytes),
            ObjectBody::Reader { sha256, .. } => (*sha256).to_owned(),
        }
    }

    fn len(&self) -> u64 {
        match self {
            ObjectBody::Bytes(bytes) => bytes.len() as u64,
            ObjectBody::Reader { length, .. } => *length,
        }
    }
}

/// What came back of a request for an object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObjectReply {
    /// The status of HTTP.
    pub status: u16,
    /// Its headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// Its body; empty where it went elsewhere.
    pub body: Vec<u8>,
}

impl ObjectReply {
    /// A header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// What it says, where that is text for people and programs.
    pub(crate) fn text(&self) -> std::borrow::Cow<'_, str> {
        match self.status {
            200..=299 => "".into(),
            _ => String::from_utf8_lossy(&self.body),
        }
    }
}

/// Whoever waits for AWS holds up a deployment's loop: a call that takes longer is worth a new one.
const WITHIN: Duration = Duration::from_secs(15);
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// DescribeTaskDefinition answers with 64 KB at the most; a page of tasks with less than this.
const REPLY_MAX: u64 = 16 << 20;

/// An object that moves more slowly is given up: its connection is as good as gone.
const SLOWEST_BYTES_PER_S: u64 = 128 << 10;
/// An object that is written elsewhere, not held in memory: as much as one has room for.
const OBJECT_MAX: u64 = 5 << 40;

/// Where a machine, a task or a pod asks for its own.
const LINK_LOCAL: &[&str] = &["169.254.", "[fd00:ec2::"];

/// HTTP over TLS, by the certificates that this machine trusts. `HTTPS_PROXY` is heard.
pub struct Https {
    agent: ureq::Agent,
    direct: ureq::Agent,
}

impl Default for Https {
    fn default() -> Https {
        Https::with(None)
    }
}

impl Https {
    /// By this proxy, whatever the environment says; none where that is no address.
    pub fn by_proxy(address: &str) -> Option<Https> {
        ureq::Proxy::new(address).ok().map(|proxy| Https::with(Some(proxy)))
    }

    fn with(proxy: Option<ureq::Proxy>) -> Https {
        let config =
            || https::config().timeout_global(Some(WITHIN)).timeout_connect(Some(CONNECT_WITHIN));
        let direct = config().proxy(None).build().new_agent();
        let agent = match proxy {
            Some(proxy) => config().proxy(Some(proxy)),
            None => config(),
        };
        Https { agent: agent.build().new_agent(), direct }
    }
}

impl Https {
    /// Asks who stands beside us. What is asked near by does not go through a proxy.
    ///
    /// # Errors
    /// When no answer comes.
    pub fn ask(&self, question: &Question) -> Result<Reply, Unanswered> {
        let host = host_of(&question.url);
        let is_near = https::is_here(host) || LINK_LOCAL.iter().any(|it| host.starts_with(it));
        let agent = if is_near { &self.direct } else { &self.agent };
        let sent = match question.method {
            Method::Get => {
                let mut get = agent.get(&question.url);
                for (key, value) in &question.headers {
                    get = get.header(*key, value);
                }
                get.config().timeout_global(Some(question.within)).build().call()
            }
            Method::Put => {
                let mut put = agent.put(&question.url);
                for (key, value) in &question.headers {
                    put = put.header(*key, value);
                }
                put.config().timeout_global(Some(question.within)).build().send_empty()
            }
        };
        let unanswered =
            |why: ureq::Error| Unanswered { host: host.to_owned(), why: why.to_string() };
        let mut response = sent.map_err(unanswered)?;
        let status = response.status().as_u16();
        let body = response.body_mut().with_config().limit(REPLY_MAX).read_to_string();
        Ok(Reply { status, request_id: None, body: body.map_err(unanswered)? })
    }
}

impl Transport for Https {
    fn send(&mut self, request: &WireRequest) -> Result<Reply, Unanswered> {
        let host = host_of(&request.url);
        let agent = if https::is_here(host) { &self.direct } else { &self.agent };
        let mut post = agent.post(&request.url);
        for (key, value) in &request.headers {
            post = post.header(*key, value);
        }
        let unanswered =
            |why: ureq::Error| Unanswered { host: host.to_owned(), why: why.to_string() };
        let mut response = post.send(&request.body).map_err(unanswered)?;
        let header = |name| response.headers().get(name).and_then(|it| it.to_str().ok());
        let request_id = header("x-amzn-requestid").map(str::to_owned);
        let status = response.status().as_u16();
        let body = response.body_mut().with_config().limit(REPLY_MAX).read_to_string();
        let body = body.map_err(unanswered)?;
        Ok(Reply { status, request_id, body })
    }

    fn exchange(
        &mut self,
        request: &ObjectRequest,
        body: ObjectBody<'_>,
        into: Option<&mut dyn Write>,
    ) -> Result<ObjectReply, Unanswered> {
        let host = host_of(&request.url);
        let unanswered = |why: String| Unanswered { host: host.to_owned(), why };
        let mut built =
            ureq::http::Request::builder().method(request.method.as_str()).uri(&request.url);
        let has_body = matches!(request.method, ObjectMethod::Put | ObjectMethod::Post);
        if has_body {
            built = built.header("content-length", body.len().to_string());
        }
        for (key, value) in &request.headers {
            built = built.header(*key, value);
        }
        let agent = if https::is_here(host) { &self.direct } else { &self.agent };
        let within = WITHIN + Duration::from_secs(body.len() / SLOWEST_BYTES_PER_S);
        let sent = match body {
            _ if !has_body => {
                let built = built.body(()).map_err(|why| unanswered(why.to_string()))?;
                agent.run(within_limit(agent, built, within, into.is_some()))
            }
            ObjectBody::Bytes(bytes) => {
                let built = built.body(bytes).map_err(|why| unanswered(why.to_string()))?;
                agent.run(within_limit(agent, built, within, false))
            }
            ObjectBody::Reader { reader, length, .. } => {
                let mut counted = reader.take(length);
                let body = ureq::SendBody::from_reader(&mut counted);
                let built = built.body(body).map_err(|why| unanswered(why.to_string()))?;
                agent.run(within_limit(agent, built, within, false))
            }
        };
        let mut response = sent.map_err(|why| unanswered(why.to_string()))?;
        let status = response.status().as_u16();
        let text = |(key, value): (&ureq::http::HeaderName, &ureq::http::HeaderValue)| {
            Some((key.as_str().to_owned(), value.to_str().ok()?.to_owned()))
        };
        let headers: Vec<_> = response.headers().iter().filter_map(text).collect();
        let body = match into {
            Some(into) if (200..300).contains(&status) => {
                let mut reader = response.body_mut().with_config().limit(OBJECT_MAX).reader();
                let copied = std::io::copy(&mut reader, into);
                copied.map_err(|why| unanswered(why.to_string()))?;
                Vec::new()
            }
            _ => {
                let read = response.body_mut().with_config().limit(REPLY_MAX).read_to_vec();
                read.map_err(|why| unanswered(why.to_string()))?
            }
        };
        Ok(ObjectReply { status, headers, body })
    }
}

/// How long one of objects may take: its size says so, and of one that is fetched nobody knows it
/// before it comes.
fn within_limit<S: ureq::AsSendBody>(
    agent: &ureq::Agent,
    request: ureq::http::Request<S>,
    within: Duration,
    is_fetched: bool,
) -> ureq::http::Request<S> {
    let config = agent.configure_request(request);
    if is_fetched {
        config.timeout_global(None).timeout_recv_response(Some(within)).build()
    } else {
        config.timeout_global(Some(within)).build()
    }
}

/// Host and port of a URL.
pub(crate) fn host_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split('/').next().unwrap_or(rest)
}
