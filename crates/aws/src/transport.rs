//! How a request gets there.

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
}

/// Whoever waits for AWS holds up a deployment's loop: a call that takes longer is worth a new one.
const WITHIN: Duration = Duration::from_secs(15);
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// DescribeTaskDefinition answers with 64 KB at the most; a page of tasks with less than this.
const REPLY_MAX: u64 = 16 << 20;

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
}

/// Host and port of a URL.
pub(crate) fn host_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split('/').next().unwrap_or(rest)
}
