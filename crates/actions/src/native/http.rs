//! HTTP from inside a native version: one blocking request with a deadline.

use std::time::Duration;

/// A step waits for one answer; nobody who answers at all needs longer.
const WITHIN: Duration = Duration::from_secs(30);
const CONNECT_WITHIN: Duration = Duration::from_secs(10);
/// What is asked here answers with lines, not with files.
const ANSWER_BYTES_MAX: u64 = 4 << 20;

/// What came back.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// How long the other side wants to be left alone.
    pub(super) retry_after: Option<Duration>,
    pub(super) body: String,
}

/// No answer came. Nothing of the request is in its text: an address may be a secret.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct NoAnswer(String);

/// Whoever asks.
pub(super) struct Http {
    agent: ureq::Agent,
    /// This machine is never behind a proxy.
    direct: ureq::Agent,
}

impl Http {
    /// By the proxies of the environment, or by one that an input names.
    pub(super) fn new(proxy: Option<&str>) -> Result<Http, NoAnswer> {
        let agent = match proxy {
            Some(address) => {
                let proxy = ureq::Proxy::new(address)
                    .map_err(|_| NoAnswer("the proxy's address is not a URL".to_owned()))?;
                config().proxy(Some(proxy)).build().new_agent()
            }
            None => config().build().new_agent(),
        };
        Ok(Http { agent, direct: config().proxy(None).build().new_agent() })
    }

    /// Sends a text.
    pub(super) fn post(
        &self,
        url: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Result<Answer, NoAnswer> {
        let mut request = self.agent_for(url).post(url);
        for (key, value) in headers {
            request = request.header(*key, *value);
        }
        answer(request.send(body))
    }

    /// Asks.
    pub(super) fn get(&self, url: &str, headers: &[(&str, &str)]) -> Result<Answer, NoAnswer> {
        let mut request = self.agent_for(url).get(url);
        for (key, value) in headers {
            request = request.header(*key, *value);
        }
        answer(request.call())
    }

    fn agent_for(&self, url: &str) -> &ureq::Agent {
        if https::is_here(url) { &self.direct } else { &self.agent }
    }
}

fn config() -> ureq::config::ConfigBuilder<ureq::typestate::AgentScope> {
    https::config().timeout_global(Some(WITHIN)).timeout_connect(Some(CONNECT_WITHIN))
}

fn answer(sent: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> Result<Answer, NoAnswer> {
    let mut response = sent.map_err(|error| no_answer(&error))?;
    let header = |name| response.headers().get(name).and_then(|it| it.to_str().ok());
    let retry_after = header("retry-after").and_then(|text| text.parse().ok());
    let status = response.status().as_u16();
    let body = response.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_string();
    let body = body.map_err(|error| no_answer(&error))?;
    Ok(Answer { status, retry_after: retry_after.map(Duration::from_secs), body })
}

fn no_answer(error: &ureq::Error) -> NoAnswer {
    NoAnswer(match error {
        ureq::Error::BadUri(_) | ureq::Error::Http(_) => "the address is not a URL".to_owned(),
        other => other.to_string(),
    })
}
