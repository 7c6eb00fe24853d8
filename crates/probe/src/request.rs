//! One request and what came back, as evidence.

use std::time::{Duration, Instant};

use ureq::typestate::WithoutBody;

use crate::body::Answer;

/// Bytes of a body that are looked at: a health page, not a download.
const BODY_BYTES_MAX: u64 = 256 << 10;
/// Characters of an answer that are shown as evidence.
const SHOWN_MAX: usize = 300;

/// What came back.
#[derive(Clone, Debug)]
pub(crate) struct Got {
    pub(crate) url: String,
    pub(crate) status: u16,
    pub(crate) headers: Vec<String>,
    pub(crate) body: String,
    pub(crate) took: Duration,
}

impl Got {
    /// For people: `GET /health: 503 after 12 ms: database down`.
    pub(crate) fn words(&self) -> String {
        let shown: String = self.body.chars().take(SHOWN_MAX).collect();
        let shown = shown.trim();
        let colon = if shown.is_empty() { "" } else { ": " };
        format!(
            "GET {}: {} after {} ms{colon}{shown}",
            self.url,
            self.status,
            self.took.as_millis()
        )
    }

    /// What is wrong with it; none where it is as wanted.
    pub(crate) fn fault(&self, wanted: &Answer) -> Option<String> {
        let is_status = match wanted.status {
            Some(status) => self.status == status,
            None => (200..300).contains(&self.status),
        };
        let contains = wanted.contains.as_ref();
        let lacks = contains.filter(|text| !self.body.contains(text.as_str()));
        match (is_status, lacks) {
            (false, _) => Some(self.words()),
            (true, Some(text)) => Some(format!("{}, without `{text}`", self.words())),
            (true, None) => None,
        }
    }
}

/// Whoever asks. Every request has a connection of its own: an old one may lead to what ran before.
#[derive(Clone)]
pub(crate) struct Asker {
    agent: ureq::Agent,
    direct: ureq::Agent,
}

impl Asker {
    pub(crate) fn new() -> Asker {
        let config = || https::config().user_agent("launchway-probe").max_idle_connections(0);
        let agent = config().build().new_agent();
        Asker { agent, direct: config().proxy(None).build().new_agent() }
    }

    /// Asks, following no redirects: a path that answers with one says so.
    pub(crate) fn get(&self, url: &str, timeout: Duration) -> Result<Got, String> {
        let agent = if https::is_here(url) { &self.direct } else { &self.agent };
        got(agent.get(url).config().timeout_global(Some(timeout)).build(), url)
    }
}

fn got(request: ureq::RequestBuilder<WithoutBody>, url: &str) -> Result<Got, String> {
    let began = Instant::now();
    let failed = |error: ureq::Error| format!("GET {url}: {error}");
    let mut response = request.call().map_err(failed)?;
    let headers = response.headers().keys().map(|name| name.as_str().to_owned()).collect();
    let body = response.body_mut().with_config().limit(BODY_BYTES_MAX).read_to_vec();
    let body = body.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).map_err(failed)?;
    let status = response.status().as_u16();
    Ok(Got { url: url.to_owned(), status, headers, body, took: began.elapsed() })
}

/// A path behind an address, with one slash between them.
pub(crate) fn join(url: &str, path: &str) -> String {
    format!("{}/{}", url.trim_end_matches('/'), path.trim_start_matches('/'))
}
