//! One call of the REST API.

use aws_lc_rs::rsa::KeyPair;
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Map, Value as Json, json};

use crate::fault::{self, FaultKind};
use crate::github::{Call, GitHub};
use crate::payload;

/// GitHub takes so many annotations at once.
const ANNOTATIONS_MAX: usize = 50;
/// The text of a release.
const RELEASE_CHARACTERS_MAX: usize = 125_000;
/// And a summary of this length.
const SUMMARY_BYTES_MAX: usize = 65_535;

/// A call.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// `POST`
    pub method: String,
    /// With its query.
    pub path: String,
    /// `Bearer ...`
    pub authorization: String,
    /// JSON, or nothing.
    pub body: Vec<u8>,
}

/// What is said; none where nothing is.
#[derive(Clone, Debug)]
pub struct Answer {
    /// 200
    pub status: u16,
    /// Beside the usual ones.
    pub headers: Vec<(String, String)>,
    /// JSON.
    pub body: Json,
}

enum Who {
    Person(String),
    App,
    Installation,
    /// A job, by its token.
    Job(String),
    Nobody,
}

impl Who {
    /// The name that stands at what they write.
    fn login(&self) -> &str {
        match self {
            Who::Person(login) => login,
            Who::App | Who::Installation | Who::Job(_) => "launchway[bot]",
            Who::Nobody => "ghost",
        }
    }
}

type Said = (u16, Json);

pub(crate) fn no(status: u16, message: &str) -> Said {
    (status, json!({ "message": message, "documentation_url": "https://docs.github.com/rest" }))
}

impl GitHub {
    /// Answers a call; none where the answer is lost.
    pub fn answer(&mut self, request: &Request) -> Option<Answer> {
        let fault = fault::met(&mut self.faults, &request.method, &request.path);
        let body: Json = serde_json::from_slice(&request.body).unwrap_or(Json::Null);
        let mut headers = Vec::new();
        let (status, json) = match fault {
            Some(FaultKind::CallLost) => return None,
            Some(FaultKind::Broken) => no(500, "Server Error"),
            Some(FaultKind::Limited(seconds)) => {
                headers.push(("retry-after".to_owned(), seconds.to_string()));
                no(403, "You have exceeded a secondary rate limit.")
            }
            _ => self.said(request, &body),
        };
        let (method, path) = (request.method.clone(), request.path.clone());
        self.calls.push(Call { method, path, body, status, answer: json.clone() });
        headers.push(("x-ratelimit-remaining".to_owned(), "4999".to_owned()));
        (fault != Some(FaultKind::AnswerLost)).then_some(Answer { status, headers, body: json })
    }

    fn said(&mut self, request: &Request, body: &Json) -> Said {
        let who = self.who(&request.authorization);
        let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
        let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
        match (request.method.as_str(), parts.as_slice(), who) {
            (_, _, Who::Nobody) => no(401, "Bad credentials"),
            ("GET", ["user"], Who::Person(login)) => (200, payload::user(&login)),
            ("GET", ["app"], Who::App) => (200, payload::app(&self.at())),
            ("GET", ["app", "hook", "deliveries"], Who::App) => {
                let all = self.deliveries.iter().rev().cloned().collect();
                (200, Json::Array(page(all, query)))
            }
            ("POST", ["app", "hook", "deliveries", id, "attempts"], Who::App) => {
                let id = number(id);
                let is_known = self.deliveries.iter().any(|it| it["id"] == id);
                if is_known { (202, json!({})) } else { no(404, "Not Found") }
            }
            ("GET", ["repos", owner, name, "installation"], Who::App) => {
                let known = self.repositories.contains_key(&format!("{owner}/{name}"));
                let may = self.permissions();
                match known {
                    true => (200, payload::installation(&self.at(), &may)),
                    false => no(404, "Not Found"),
                }
            }
            ("POST", ["app", "installations", "7", "access_tokens"], Who::App) => {
                self.make_token(body)
            }
            ("DELETE", ["installation", "token"], Who::Job(token)) => {
                self.job_tokens.get_mut(&token).expect("it is known").is_ended = true;
                (204, Json::Null)
            }
            (
                method,
                ["repos", owner, name, rest @ ..],
                who @ (Who::Person(_) | Who::Installation | Who::Job(_)),
            ) => {
                let name = format!("{owner}/{name}");
                if let Who::Job(token) = &who
                    && !self.job_tokens[token].may(&name, method, rest)
                {
                    return no(403, "Resource not accessible by integration");
                }
                if !self.repositories.contains_key(&name) {
                    return no(404, "Not Found");
                }
                if let Some(message) = self.not_let(&request.authorization, &who, method, rest) {
                    return no(403, message);
                }
                self.of_repository(method, &name, rest, query, body, &who)
            }
            _ => no(404, "Not Found"),
        }
    }

    /// What is said to whoever may not keep values where a call would: an app, or a token that may do certain things.
    fn not_let(
        &self,
        authorization: &str,
        who: &Who,
        method: &str,
        rest: &[&str],
    ) -> Option<&'static str> {
        let token = authorization.strip_prefix("Bearer ").unwrap_or_default();
        let (permissions, message) = match who {
            Who::Installation => (self.permissions(), "Resource not accessible by integration"),
            Who::Person(_) => {
                let permissions = self.token_permissions.get(token)?.clone();
                (permissions, "Resource not accessible by personal access token")
            }
            _ => return None,
        };
        (!GitHub::may_keep(&permissions, method, rest)).then_some(message)
    }

    /// Somebody comments on an issue or a pull request.
    pub fn comment(&mut self, name: &str, issue: u64, login: &str, body: &Json) -> Json {
        let comment = payload::comment(self.next_id(), issue, (login, body), &self.at());
        self.repository(name).comments.push(comment.clone());
        comment
    }

    /// Whether a token lets git read a repository, or write to it.
    pub fn lets_in(&self, token: &str, name: &str, is_push: bool) -> bool {
        let of_job = || self.job_tokens.get(token).is_some_and(|it| it.may_git(name, is_push));
        self.tokens.contains_key(token)
            || self.installation_tokens.iter().any(|it| it == token)
            || of_job()
    }

    /// Whose token this is, as it stands at what they do.
    pub(crate) fn login(&self, token: &str) -> String {
        self.who(&format!("Bearer {token}")).login().to_owned()
    }

    fn who(&self, authorization: &str) -> Who {
        let Some(token) = authorization.strip_prefix("Bearer ") else { return Who::Nobody };
        if let Some(login) = self.tokens.get(token) {
            return Who::Person(login.clone());
        }
        if self.installation_tokens.iter().any(|it| it == token) {
            return Who::Installation;
        }
        if self.job_tokens.get(token).is_some_and(|it| !it.is_ended) {
            return Who::Job(token.to_owned());
        }
        if self.is_app(token) == Some(true) { Who::App } else { Who::Nobody }
    }

    /// Whether the app's key signed it, for now.
    fn is_app(&self, token: &str) -> Option<bool> {
        let (id, pem) = self.app.as_ref()?;
        let (said, signature) = token.rsplit_once('.')?;
        let text: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
        let pair = KeyPair::from_pkcs8(&STANDARD.decode(text).ok()?).ok()?;
        let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, pair.public_key().as_ref());
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        let claims = URL_SAFE_NO_PAD.decode(said.split_once('.')?.1).ok()?;
        let claims: Json = serde_json::from_slice(&claims).ok()?;
        let (from, to) = (claims["iat"].as_u64()?, claims["exp"].as_u64()?);
        let is_for_now = from <= self.now + 60 && self.now < to && to - from <= 660;
        let is_signed = key.verify(said.as_bytes(), &signature).is_ok();
        Some(claims["iss"] == *id.as_str() && is_for_now && is_signed)
    }

    fn of_repository(
        &mut self,
        method: &str,
        name: &str,
        rest: &[&str],
        query: &str,
        body: &Json,
        who: &Who,
    ) -> Said {
        match (method, rest) {
            ("GET", []) => {
                let mut repository = payload::repository(self, name);
                // Webhooks do not say those.
                repository["network_count"] = 0.into();
                repository["subscribers_count"] = 0.into();
                repository["temp_clone_token"] = "ghs_0clonesIt".into();
                (200, repository)
            }
            ("POST", ["check-runs"]) | ("PATCH", ["check-runs", _])
                if !matches!(who, Who::Installation | Who::Job(_)) =>
            {
                no(403, "You must authenticate via a GitHub App.")
            }
            ("POST", ["check-runs"]) => self.make_check(name, body),
            ("PATCH", ["check-runs", id]) => self.change_check(name, number(id), body),
            ("GET", ["check-runs", id]) => self.found(name, |it| &it.checks, number(id)),
            ("GET", ["commits", sha, "check-runs"]) => {
                let wanted = value_of(query, "check_name");
                let all =
                    self.repositories[name].checks.iter().filter(|it| it["head_sha"] == **sha);
                let all = all.filter(|it| wanted.as_ref().is_none_or(|name| it["name"] == **name));
                let all = page(all.cloned().collect(), query);
                (200, json!({ "total_count": all.len(), "check_runs": all }))
            }
            ("GET", ["releases"]) => {
                let all = self.repositories[name].releases.iter().rev().cloned().collect();
                (200, Json::Array(page(all, query)))
            }
            (_, ["releases", rest @ ..]) => self.of_releases(method, name, rest, (who, body)),
            ("GET", ["git", "ref", named]) => self.git_ref(name, named),
            (_, ["code-scanning", rest @ ..]) => self.of_scans(method, name, rest, body),
            ("GET", ["activity"]) => {
                let wanted = value_of(query, "ref");
                let all = self.repositories[name].activity.iter();
                let all = all.filter(|it| wanted.as_ref().is_none_or(|name| it["ref"] == **name));
                (200, Json::Array(page(all.cloned().collect(), query)))
            }
            ("POST", ["statuses", sha]) => {
                let status = payload::status(self.next_id(), sha, body, &self.at());
                self.repository(name).statuses.push(status.clone());
                (201, status)
            }
            ("GET", ["commits", sha, "statuses"]) => {
                let all = self.repositories[name].statuses.iter().rev();
                let all = all.filter(|it| it["sha"] == **sha).cloned().collect();
                (200, Json::Array(page(all, query)))
            }
            (_, ["issues", rest @ ..]) => self.of_issues(method, name, rest, query, (who, body)),
            (_, ["actions", "secrets" | "variables", ..] | ["environments", ..]) => {
                self.of_values(method, name, rest, query, body)
            }
            (_, ["deployments", rest @ ..]) => self.of_deployments(method, name, rest, query, body),
            _ => no(404, "Not Found"),
        }
    }

    fn of_issues(
        &mut self,
        method: &str,
        name: &str,
        rest: &[&str],
        query: &str,
        (who, body): (&Who, &Json),
    ) -> Said {
        match (method, rest) {
            ("GET", [issue, "comments"]) => {
                let all = self.repositories[name].comments.iter();
                let all = all.filter(|it| it["issue"] == number(issue)).cloned().collect();
                (200, Json::Array(page(all, query)))
            }
            ("POST", [issue, "comments"]) => {
                let login = who.login().to_owned();
                (201, self.comment(name, number(issue), &login, &body["body"]))
            }
            ("PATCH", ["comments", id]) => {
                let (at, id) = (self.at(), number(id));
                let comments = &mut self.repository(name).comments;
                let Some(comment) = comments.iter_mut().find(|it| it["id"] == id) else {
                    return no(404, "Not Found");
                };
                comment["body"] = body["body"].clone();
                comment["updated_at"] = at.into();
                (200, comment.clone())
            }
            _ => no(404, "Not Found"),
        }
    }

    fn of_deployments(
        &mut self,
        method: &str,
        name: &str,
        rest: &[&str],
        query: &str,
        body: &Json,
    ) -> Said {
        match (method, rest) {
            ("GET", []) => {
                let all = self.repositories[name].deployments.iter().rev();
                let is = |it: &&Json, key: &str| {
                    value_of(query, key).is_none_or(|wanted| it[key] == *wanted)
                };
                let all = all.filter(|it| is(it, "sha") && is(it, "environment"));
                (200, Json::Array(page(all.cloned().collect(), query)))
            }
            ("POST", []) => {
                let deployment = payload::deployment(self.next_id(), body, &self.at());
                self.repository(name).deployments.push(deployment.clone());
                (201, deployment)
            }
            ("GET", [id, "statuses"]) => {
                let all = self.repositories[name].deployment_statuses.iter().rev();
                let all = all.filter(|it| it["deployment"] == number(id)).cloned().collect();
                (200, Json::Array(page(all, query)))
            }
            ("POST", [id, "statuses"]) => {
                let made = self.next_id();
                let status = payload::deployment_status(made, number(id), body, &self.at());
                self.repository(name).deployment_statuses.push(status.clone());
                (201, status)
            }
            _ => no(404, "Not Found"),
        }
    }

    /// What a branch or tag leads to, as pushes told.
    fn git_ref(&self, name: &str, named: &str) -> Said {
        let git_ref = format!("refs/{}", named.replace("%2F", "/").replace("%2B", "+"));
        // The newest stands first.
        let mut all = self.repositories[name].activity.iter();
        let newest = all.find(|it| it["ref"] == *git_ref);
        match newest.and_then(|it| it["after"].as_str()) {
            Some(sha) if !sha.bytes().all(|it| it == b'0') => {
                (200, payload::git_ref(&self.url, name, (&git_ref, sha)))
            }
            _ => no(404, "Not Found"),
        }
    }

    fn of_releases(
        &mut self,
        method: &str,
        name: &str,
        rest: &[&str],
        (who, body): (&Who, &Json),
    ) -> Said {
        let may_write = self.permissions().get("contents").is_some_and(|it| it == "write");
        if method != "GET" && matches!(who, Who::Installation) && !may_write {
            return no(403, "Resource not accessible by integration");
        }
        let repository = &self.repositories[name];
        let said = |found: Option<&Json>| {
            found.map_or_else(|| no(404, "Not Found"), |it| (200, it.clone()))
        };
        match (method, rest) {
            // Drafts have no tag yet, whatever they say.
            ("GET", ["tags", tag]) => said(
                repository
                    .releases
                    .iter()
                    .find(|it| it["tag_name"] == *tag.replace("%2B", "+") && it["draft"] == false),
            ),
            ("GET", ["latest"]) => {
                let latest = repository.latest_release;
                said(repository.releases.iter().find(|it| it["id"].as_u64() == latest))
            }
            ("POST", []) => self.make_release(name, body, who),
            ("PATCH", [id]) => {
                let (at, id) = (self.at(), number(id));
                let all = &mut self.repository(name).releases;
                let Some(release) = all.iter_mut().find(|it| it["id"] == id) else {
                    return no(404, "Not Found");
                };
                if let Some(text) = body.get("body") {
                    release["body"] = text.clone();
                }
                release["updated_at"] = at.into();
                (200, release.clone())
            }
            _ => no(404, "Not Found"),
        }
    }

    fn make_release(&mut self, name: &str, body: &Json, who: &Who) -> Said {
        let Some(tag) = body["tag_name"].as_str() else {
            return no(422, "Invalid request. \"tag_name\" wasn't supplied.");
        };
        if body["body"].as_str().is_some_and(|it| it.chars().count() > RELEASE_CHARACTERS_MAX) {
            return no(422, "Validation Failed: body is too long (maximum is 125000 characters)");
        }
        let is_draft = body["draft"] == true;
        let is_there = |it: &Json| it["tag_name"] == *tag && it["draft"] == false;
        if !is_draft && self.repositories[name].releases.iter().any(is_there) {
            let (status, mut said) = no(422, "Validation Failed");
            said["errors"] =
                json!([{ "resource": "Release", "code": "already_exists", "field": "tag_name" }]);
            return (status, said);
        }
        let (id, at) = (self.next_id(), self.at());
        let url = format!("{}/repos/{name}", self.url);
        let release = payload::release((id, &url), body, who.login(), &at);
        let is_latest = !is_draft && body["prerelease"] != true && body["make_latest"] != "false";
        let repository = self.repository(name);
        repository.releases.push(release.clone());
        if is_latest {
            repository.latest_release = Some(id);
        }
        (201, release)
    }

    fn of_scans(&mut self, method: &str, name: &str, rest: &[&str], body: &Json) -> Said {
        match (method, rest) {
            ("POST", ["sarifs"]) => self.take_scan(name, body),
            ("GET", ["sarifs", id]) => {
                let is_there = self.repositories[name].scans.iter().any(|it| it["id"] == **id);
                let of = format!("{}/repos/{name}/code-scanning/analyses?sarif_id={id}", self.url);
                let read = json!({ "processing_status": "complete", "analyses_url": of });
                if is_there { (200, read) } else { no(404, "Not Found") }
            }
            _ => no(404, "Not Found"),
        }
    }

    /// It is read as soon as it is there: nobody waits for it.
    fn take_scan(&mut self, name: &str, body: &Json) -> Said {
        let is_commit = |it: &str| it.len() == 40 && it.bytes().all(|it| it.is_ascii_hexdigit());
        let missing = ["commit_sha", "ref", "sarif"].iter().find(|it| !body[**it].is_string());
        if let Some(missing) = missing {
            return no(422, &format!("Invalid request. \"{missing}\" wasn't supplied."));
        }
        if !body["commit_sha"].as_str().is_some_and(is_commit) {
            return no(422, "Invalid request. commit_sha does not match /^[0-9a-fA-F]+$/.");
        }
        let id = format!("{:08x}-0000-4000-8000-000000000000", self.next_id());
        let mut scan = body.clone();
        scan["id"] = id.as_str().into();
        self.repository(name).scans.push(scan);
        let url = format!("{}/repos/{name}/code-scanning/sarifs/{id}", self.url);
        (202, json!({ "id": id, "url": url }))
    }

    fn make_check(&mut self, name: &str, body: &Json) -> Said {
        if body["name"].as_str().is_none() || body["head_sha"].as_str().is_none() {
            return no(422, "Invalid request. \"name\", \"head_sha\" weren't supplied.");
        }
        let id = self.next_id();
        let check = payload::check(id, body, &self.url, name);
        self.repository(name).checks.push(check);
        self.change_check(name, id, body)
    }

    fn change_check(&mut self, name: &str, id: u64, body: &Json) -> Said {
        if let Some(refused) = refused(body) {
            return refused;
        }
        let at = self.at();
        let repository = self.repository(name);
        let Some(check) = repository.checks.iter_mut().find(|it| it["id"] == id) else {
            return no(404, "Not Found");
        };
        for key in [
            "name",
            "details_url",
            "external_id",
            "status",
            "conclusion",
            "started_at",
            "completed_at",
        ] {
            if let Some(value) = body.get(key) {
                check[key] = value.clone();
            }
        }
        if !check["conclusion"].is_null() {
            check["status"] = "completed".into();
            if check["completed_at"].is_null() {
                check["completed_at"] = at.into();
            }
        }
        if let Some(output) = body["output"].as_object() {
            for key in ["title", "summary", "text"] {
                if let Some(value) = output.get(key) {
                    check["output"][key] = value.clone();
                }
            }
            // Each call adds to them.
            let all = repository.annotations.entry(id).or_default();
            all.extend(
                output.get("annotations").and_then(Json::as_array).into_iter().flatten().cloned(),
            );
            check["output"]["annotations_count"] = all.len().into();
        }
        (if body.get("head_sha").is_some() { 201 } else { 200 }, check.clone())
    }

    fn found(
        &self,
        name: &str,
        list: impl Fn(&crate::github::Repository) -> &Vec<Json>,
        id: u64,
    ) -> Said {
        let found = list(&self.repositories[name]).iter().find(|it| it["id"] == id);
        found.map_or_else(|| no(404, "Not Found"), |it| (200, it.clone()))
    }

    fn repository(&mut self, name: &str) -> &mut crate::github::Repository {
        self.repositories.get_mut(name).expect("it was looked for")
    }

    fn at(&self) -> String {
        payload::time(self.now)
    }
}

/// What GitHub refuses of a check.
fn refused(body: &Json) -> Option<Said> {
    let output = body["output"].as_object().cloned().unwrap_or_else(Map::new);
    let annotations = output.get("annotations").and_then(Json::as_array).map_or(0, Vec::len);
    if annotations > ANNOTATIONS_MAX {
        return Some(no(422, "Invalid request. Only 50 annotations are allowed."));
    }
    let summary = output.get("summary").and_then(Json::as_str).unwrap_or_default();
    if summary.len() > SUMMARY_BYTES_MAX {
        return Some(no(422, "Invalid request. Summary is too long."));
    }
    if !output.is_empty() && (output.get("title").is_none() || output.get("summary").is_none()) {
        return Some(no(422, "Invalid request. \"title\" and \"summary\" are needed."));
    }
    if body["status"] == "completed" && body["conclusion"].is_null() {
        return Some(no(422, "Invalid request. \"conclusion\" is needed."));
    }
    None
}

pub(crate) fn number(text: &str) -> u64 {
    text.parse().unwrap_or(0)
}

/// A value of a query, without its escapes.
pub(crate) fn value_of(query: &str, name: &str) -> Option<String> {
    let pair = query.split('&').filter_map(|it| it.split_once('='));
    let value = pair.into_iter().find(|(key, _)| *key == name)?.1;
    let mut bytes = Vec::new();
    let mut rest = value.as_bytes();
    while let [first, more @ ..] = rest {
        match (first, more) {
            (b'%', [high, low, after @ ..]) => {
                let hex = [*high, *low];
                let hex = std::str::from_utf8(&hex).ok()?;
                bytes.push(u8::from_str_radix(hex, 16).ok()?);
                rest = after;
            }
            _ => {
                bytes.push(*first);
                rest = more;
            }
        }
    }
    String::from_utf8(bytes).ok()
}

/// The page that a query asks for.
pub(crate) fn page(all: Vec<Json>, query: &str) -> Vec<Json> {
    let size = value_of(query, "per_page").map_or(30, |it| number(&it)).clamp(1, 100);
    let page = value_of(query, "page").map_or(1, |it| number(&it)).max(1);
    let skip = usize::try_from((page - 1) * size).unwrap_or(usize::MAX);
    all.into_iter().skip(skip).take(usize::try_from(size).unwrap_or(100)).collect()
}
