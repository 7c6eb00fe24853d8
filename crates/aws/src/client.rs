//! Calls, signed and sent, one at a time.

use std::io::Write;

use serde_json::Value as Json;

use crate::credentials::Credentials;
use crate::fault::{Fault, FaultKind};
use crate::service::{Endpoints, Service};
use crate::sign_in::SignIn;
use crate::signature::{self, Signing};
use crate::transport::{
    ObjectBody, ObjectMethod, ObjectReply, ObjectRequest, Reply, Transport, Unanswered,
    WireRequest, host_of,
};
use crate::xml;

/// So many pages of a list are read: of tasks that is more than a cluster may have.
const PAGES_MAX: usize = 100;

/// Who tells the time: milliseconds since 1970.
type Clock = Box<dyn Fn() -> u64>;

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
        if self.user_agent != user_agent && self.sign_in.takes_a_role() {
            // The session of a role bears the name, too.
            self.credentials = None;
        }
        self.user_agent = user_agent;
    }

    /// What the caller's name has behind its slash: a deployment.
    pub(crate) fn called_for(&self) -> Option<&str> {
        self.user_agent.split_once('/').map(|(_, what)| what)
    }

    /// A call of the JSON protocol.
    pub(crate) fn call(
        &mut self,
        service: Service,
        operation: &str,
        body: &Json,
    ) -> Result<Json, Fault> {
        let action = service.action(operation);
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

    /// Every item of a list, page by page.
    pub(crate) fn pages(
        &mut self,
        service: Service,
        operation: &str,
        mut body: Json,
        items: &str,
    ) -> Result<Vec<Json>, Fault> {
        let mut all = Vec::new();
        for _ in 0..PAGES_MAX {
            let mut answer = self.call(service, operation, &body)?;
            if let Json::Array(page) = answer[items].take() {
                all.extend(page);
            }
            match answer["nextToken"].as_str() {
                Some(next) => body["nextToken"] = next.into(),
                None => break,
            }
        }
        Ok(all)
    }

    /// Calls go to another region meanwhile.
    pub fn in_region<T>(&mut self, region: &str, calls: impl FnOnce(&mut Client) -> T) -> T {
        let own = std::mem::replace(&mut self.region, region.to_owned());
        let given = calls(self);
        self.region = own;
        given
    }

    /// A call of the query protocol, signed; it answers with XML.
    pub(crate) fn ask(
        &mut self,
        service: Service,
        operation: &str,
        members: &[(&str, &str)],
    ) -> Result<Reply, Fault> {
        let credentials = self.credentials(&service.action(operation))?;
        let reply = self.query(service, operation, members, Some(credentials));
        // Credentials that ended early are not kept.
        if matches!(&reply, Err(fault) if fault.kind == FaultKind::SignIn) {
            self.credentials = None;
        }
        reply
    }

    /// A call of the query protocol; signed, or with nothing but what it carries.
    pub(crate) fn query(
        &mut self,
        service: Service,
        operation: &str,
        members: &[(&str, &str)],
        with: Option<Credentials>,
    ) -> Result<Reply, Fault> {
        let action = service.action(operation);
        let mut body = format!("Action={operation}&Version={}", service.version());
        for (key, value) in members {
            body += &format!("&{key}={}", encoded(value));
        }
        let headers =
            vec![("content-type", "application/x-www-form-urlencoded; charset=utf-8".to_owned())];
        let reply = match with {
            Some(credentials) => self.send(service, &action, headers, body, Some(&credentials))?,
            None => self.send(service, &action, headers, body, None)?,
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
            let hashed = signature::hashed(body.as_bytes());
            let signing = Signing {
                method: "POST",
                path: "/",
                query: "",
                region: service.region(&self.region),
                service: service.as_str(),
                host: host_of(&url),
                at: &at,
                headers: &headers,
                body: &hashed,
            };
            let added = signature::sign(&signing, credentials);
            headers.extend(added);
        }
        headers.push(("user-agent", self.user_agent.clone()));
        let sent = self.transport.send(&WireRequest { url, headers, body });
        sent.map_err(|why| unanswered(action, &why))
    }

    /// A request for an object, signed and sent. Credentials that ended early are not kept.
    pub(crate) fn object(
        &mut self,
        asked: &ObjectCall<'_>,
        body: ObjectBody<'_>,
        into: Option<&mut dyn Write>,
    ) -> Result<ObjectReply, Fault> {
        let credentials = self.credentials(asked.action)?;
        let (host, path) = self.endpoints.object(&self.region, asked.bucket, asked.key);
        let hashed = body.sha256();
        let mut headers = asked.headers.clone();
        headers.push(("x-amz-content-sha256", hashed.clone()));
        let at = stamp((self.clock)());
        let signing = Signing {
            method: asked.method.as_str(),
            path: &path,
            query: &asked.query,
            region: &self.region,
            service: Service::S3.as_str(),
            host: host_of(&host),
            at: &at,
            headers: &headers,
            body: &hashed,
        };
        let added = signature::sign(&signing, &credentials);
        headers.extend(added);
        headers.push(("user-agent", self.user_agent.clone()));
        let question = if asked.query.is_empty() { "" } else { "?" };
        let url = format!("{host}{path}{question}{}", asked.query);
        let request = ObjectRequest { method: asked.method, url, headers };
        let sent = self.transport.exchange(&request, body, into);
        let reply = sent.map_err(|why| unanswered(asked.action, &why))?;
        // S3 says no more than that to a HEAD.
        if reply.status == 403 || reply.text().contains("Expired") {
            self.credentials = None;
        }
        Ok(reply)
    }
}

fn unanswered(action: &str, why: &Unanswered) -> Fault {
    Fault {
        kind: FaultKind::Unanswered,
        action: action.to_owned(),
        code: None,
        message: why.to_string(),
        request_id: None,
        resources: Box::default(),
    }
}

/// A request for an object, or for a bucket where the key is empty.
pub(crate) struct ObjectCall<'a> {
    /// As policies name it: `s3:GetObject`.
    pub(crate) action: &'static str,
    pub(crate) method: ObjectMethod,
    pub(crate) bucket: &'a str,
    pub(crate) key: &'a str,
    /// Sorted by its keys, as it stands in the URL.
    pub(crate) query: String,
    pub(crate) headers: Vec<(&'static str, String)>,
}

/// `20261121T083000Z`
fn stamp(ms: u64) -> String {
    let seconds = i64::try_from(ms / 1000).unwrap_or(i64::MAX);
    let at = jiff::Timestamp::from_second(seconds).unwrap_or_default();
    at.strftime("%Y%m%dT%H%M%SZ").to_string()
}

/// As a form has it.
pub(crate) fn encoded(text: &str) -> String {
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
    let code = xml::text(&reply.body, "Code");
    Fault {
        kind: FaultKind::of(reply.status, code.as_deref().unwrap_or_default()),
        action: action.to_owned(),
        message: xml::text(&reply.body, "Message").unwrap_or("no reason was given".to_owned()),
        code,
        request_id: reply.request_id.clone(),
        resources: Box::default(),
    }
}
