//! Calls, signed and sent, one at a time.

use serde_json::Value as Json;

use crate::credentials::Credentials;
use crate::fault::{Fault, FaultKind};
use crate::sign_in::SignIn;
use crate::signature::{self, Signing};
use crate::transport::{Reply, Transport, WireRequest, host_of};

/// Who tells the time: milliseconds since 1970.
type Clock = Box<dyn Fn() -> u64>;

/// Where a service is, where not at its usual place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Endpoints {
    /// For all (`AWS_ENDPOINT_URL`).
    pub all: Option<String>,
    /// For ECS (`AWS_ENDPOINT_URL_ECS`).
    pub ecs: Option<String>,
    /// For sign-in (`AWS_ENDPOINT_URL_STS`).
    pub sts: Option<String>,
    /// For logs (`AWS_ENDPOINT_URL_CLOUDWATCH_LOGS`).
    pub logs: Option<String>,
    /// For registries of images (`AWS_ENDPOINT_URL_ECR`).
    pub ecr: Option<String>,
}

/// A service, as signatures name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Service {
    Ecs,
    Sts,
    Logs,
    Ecr,
    EcrPublic,
}

impl Service {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Service::Ecs => "ecs",
            Service::Sts => "sts",
            Service::Logs => "logs",
            Service::Ecr => "ecr",
            Service::EcrPublic => "ecr-public",
        }
    }

    fn target(self) -> &'static str {
        match self {
            Service::Ecs => "AmazonEC2ContainerServiceV20141113",
            Service::Logs => "Logs_20140328",
            Service::Ecr => "AmazonEC2ContainerRegistry_V20150921",
            Service::EcrPublic => "SpencerFrontendService",
            Service::Sts => "",
        }
    }
}

impl Endpoints {
    pub(crate) fn url(&self, service: Service, region: &str) -> String {
        let own = match service {
            Service::Ecs => &self.ecs,
            Service::Sts => &self.sts,
            Service::Logs => &self.logs,
            Service::Ecr | Service::EcrPublic => &self.ecr,
        };
        if let Some(url) = own.as_ref().or(self.all.as_ref()) {
            return format!("{}/", url.trim_end_matches('/'));
        }
        let suffix = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
        let host = match service {
            Service::Ecr => "api.ecr",
            Service::EcrPublic => "api.ecr-public",
            other => other.as_str(),
        };
        format!("https://{host}.{region}.{suffix}/")
    }
}

/// Calls AWS in one region. It knows nothing of calls before but the credentials that it signed in
/// with.
pub struct Client {
    region: String,
    endpoints: Endpoints,
    sign_in: SignIn,
    transport: Box<dyn Transport>,
    clock: Clock,
    user_agent: String,
    credentials: Option<Credentials>,
}

impl Client {
    /// A client of a region. Nothing is called yet.
    pub fn new(
        region: &str,
        endpoints: Endpoints,
        sign_in: SignIn,
        transport: Box<dyn Transport>,
        clock: Box<dyn Fn() -> u64>,
    ) -> Client {
        Client {
            region: region.to_owned(),
            endpoints,
            sign_in,
            transport,
            clock,
            user_agent: "launchway".to_owned(),
            credentials: None,
        }
    }

    /// The region.
    pub fn region(&self) -> &str {
        &self.region
    }

    /// As whom calls are made from now on: `launchway/12`. CloudTrail keeps it.
    pub fn call_as(&mut self, user_agent: String) {
        self.user_agent = user_agent;
    }

    /// A call of the JSON protocol.
    pub(crate) fn call(
        &mut self,
        service: Service,
        operation: &str,
        body: &Json,
    ) -> Result<Json, Fault> {
        let action = format!("{}:{operation}", service.as_str());
        let headers = vec![
            ("content-type", "application/x-amz-json-1.1".to_owned()),
            ("x-amz-target", format!("{}.{operation}", service.target())),
        ];
        let reply = self.signed(service, &action, headers, body.to_string())?;
        let parsed: Result<Json, _> = serde_json::from_str(&reply.body);
        match (reply.status, parsed) {
            (200, Ok(json)) => Ok(json),
            (200, Err(_)) => Err(unreadable(&action, &reply)),
            (_, parsed) => Err(json_fault(&action, &reply, &parsed.unwrap_or(Json::Null))),
        }
    }

    /// A call of the query protocol; signed, or with nothing but what it carries.
    pub(crate) fn query(
        &mut self,
        operation: &str,
        members: &[(&str, &str)],
        with: Option<Credentials>,
    ) -> Result<Reply, Fault> {
        let action = format!("sts:{operation}");
        let mut body = format!("Action={operation}&Version=2011-06-15");
        for (key, value) in members {
            body += &format!("&{key}={}", encoded(value));
        }
        let headers =
            vec![("content-type", "application/x-www-form-urlencoded; charset=utf-8".to_owned())];
        let reply = match with {
            Some(credentials) => {
                self.send(Service::Sts, &action, headers, body, Some(&credentials))?
            }
            None => self.send(Service::Sts, &action, headers, body, None)?,
        };
        if reply.status == 200 { Ok(reply) } else { Err(xml_fault(&action, &reply)) }
    }

    /// Credentials that hold now.
    pub(crate) fn credentials(&mut self, action: &str) -> Result<Credentials, Fault> {
        let now = (self.clock)();
        if let Some(held) = self.credentials.as_ref().filter(|it| it.hold_at(now)) {
            return Ok(held.clone());
        }
        let sign_in = self.sign_in.clone();
        let found = sign_in.credentials(self).map_err(|fault| Fault {
            action: if fault.action.is_empty() { action.to_owned() } else { fault.action.clone() },
            ..fault
        })?;
        self.credentials = Some(found.clone());
        Ok(found)
    }

    fn signed(
        &mut self,
        service: Service,
        action: &str,
        headers: Vec<(&'static str, String)>,
        body: String,
    ) -> Result<Reply, Fault> {
        let credentials = self.credentials(action)?;
        let reply = self.send(service, action, headers, body, Some(&credentials));
        // Credentials that ended early are not kept.
        if matches!(&reply, Ok(it) if it.status == 400 && it.body.contains("Expired")) {
            self.credentials = None;
        }
        reply
    }

    fn send(
        &mut self,
        service: Service,
        action: &str,
        mut headers: Vec<(&'static str, String)>,
        body: String,
        credentials: Option<&Credentials>,
    ) -> Result<Reply, Fault> {
        let url = self.endpoints.url(service, &self.region);
        if let Some(credentials) = credentials {
            let at = stamp((self.clock)());
            let signing = Signing {
                region: &self.region,
                service: service.as_str(),
                host: host_of(&url),
                at: &at,
                headers: &headers,
                body: &body,
            };
            let added = signature::sign(&signing, credentials);
            headers.extend(added);
        }
        headers.push(("user-agent", self.user_agent.clone()));
        let sent = self.transport.send(&WireRequest { url, headers, body });
        sent.map_err(|unanswered| Fault {
            kind: FaultKind::Unanswered,
            action: action.to_owned(),
            code: None,
            message: unanswered.to_string(),
            request_id: None,
            resources: Box::default(),
        })
    }
}

/// `20261121T083000Z`
fn stamp(ms: u64) -> String {
    let seconds = i64::try_from(ms / 1000).unwrap_or(i64::MAX);
    let at = jiff::Timestamp::from_second(seconds).unwrap_or_default();
    at.strftime("%Y%m%dT%H%M%SZ").to_string()
}

/// As a form has it.
fn encoded(text: &str) -> String {
    let plain = |it: u8| it.is_ascii_alphanumeric() || b"-_.~".contains(&it);
    text.bytes().fold(String::new(), |mut out, byte| {
        if plain(byte) {
            out.push(char::from(byte));
        } else {
            out += &format!("%{byte:02X}");
        }
        out
    })
}

pub(crate) fn unreadable(action: &str, reply: &Reply) -> Fault {
    Fault {
        kind: FaultKind::Unreadable,
        action: action.to_owned(),
        code: None,
        message: "the answer is not what the API's model says".to_owned(),
        request_id: reply.request_id.clone(),
        resources: Box::default(),
    }
}

fn json_fault(action: &str, reply: &Reply, body: &Json) -> Fault {
    let text = |keys: &[&str]| keys.iter().find_map(|key| body.get(*key)?.as_str());
    // `__type` may have a namespace before it.
    let code = text(&["__type", "code"]).map(|it| it.rsplit('#').next().unwrap_or(it).to_owned());
    let message = text(&["message", "Message"]).unwrap_or("no reason was given").to_owned();
    let resources = body["resourceIds"].as_array().into_iter().flatten();
    Fault {
        kind: FaultKind::of(reply.status, code.as_deref().unwrap_or_default()),
        action: action.to_owned(),
        code,
        message,
        request_id: reply.request_id.clone(),
        resources: resources.filter_map(|it| it.as_str().map(str::to_owned)).collect(),
    }
}

fn xml_fault(action: &str, reply: &Reply) -> Fault {
    let code = element(&reply.body, "Code").map(str::to_owned);
    Fault {
        kind: FaultKind::of(reply.status, code.as_deref().unwrap_or_default()),
        action: action.to_owned(),
        message: element(&reply.body, "Message").unwrap_or("no reason was given").to_owned(),
        code,
        request_id: reply.request_id.clone(),
        resources: Box::default(),
    }
}

/// What stands in the first element of a name. Enough for STS: its values hold no markup, and what
/// they escape (`&amp;` in a message) is for people.
pub(crate) fn element<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    rest.split_once(&format!("</{name}>")).map(|(value, _)| value)
}
