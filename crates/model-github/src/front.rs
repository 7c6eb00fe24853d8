//! A local port: the API, git, and the webhooks that follow from both.

#![expect(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "the shell around the pure model: it has the sockets, the processes and the clock"
)]

use std::collections::BTreeMap;
use std::io::{self, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::hmac;
use base64::Engine as _;
use serde_json::Value as Json;

use crate::answer::Request;
use crate::github::{GitHub, Hook, Pull};
use crate::http::{self, Asked};
use crate::payload;

/// A commit that is none.
const NOTHING: &str = "0000000000000000000000000000000000000000";

/// A webhook that was sent.
#[derive(Clone, Debug)]
pub struct Sent {
    /// `X-GitHub-Delivery`
    pub id: String,
    /// `push`
    pub event: String,
    /// What it says.
    pub body: String,
    /// What was answered; none where nothing was.
    pub status: Option<u16>,
}

/// GitHub on a local port. It serves until the process ends.
#[derive(Clone)]
pub struct Front {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    folder: PathBuf,
    github: Mutex<GitHub>,
    sent: Mutex<Vec<Sent>>,
}

impl Front {
    /// Serves on `127.0.0.1`, with repositories in a folder.
    ///
    /// # Errors
    /// When the port or the folder cannot be had.
    pub fn serve(mut github: GitHub, folder: &Path) -> io::Result<Front> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let address = listener.local_addr()?;
        github.url = format!("http://{address}");
        for name in github.repositories.keys() {
            let path = folder.join(format!("{name}.git"));
            std::fs::create_dir_all(&path)?;
            git(&path, &["init", "--quiet", "--bare", "--initial-branch", "main"])?;
            git(&path, &["config", "http.receivepack", "true"])?;
        }
        let shared = Shared {
            folder: folder.to_owned(),
            github: Mutex::new(github),
            sent: Mutex::default(),
        };
        let front = Front { address, shared: Arc::new(shared) };
        let served = front.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let served = served.clone();
                // A client that goes away in the middle is no news.
                std::thread::spawn(move || served.converse(&stream));
            }
        });
        Ok(front)
    }

    /// Where it is.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where a repository lies.
    pub fn path(&self, name: &str) -> PathBuf {
        self.shared.folder.join(format!("{name}.git"))
    }

    /// What there is.
    pub fn with<R>(&self, look: impl FnOnce(&mut GitHub) -> R) -> R {
        look(&mut self.github())
    }

    /// The webhooks that were sent, oldest first.
    pub fn sent(&self) -> Vec<Sent> {
        self.sent_list().clone()
    }

    /// Sends one again, as it was; what is answered now.
    pub fn redeliver(&self, id: &str) -> Option<u16> {
        let sent = self.sent_list().iter().find(|it| it.id == id).cloned()?;
        let status = self.post(&sent.id, &sent.event, &sent.body);
        self.note((&sent.id, true), &sent.event, &sent.body, status);
        status
    }

    /// Writes down what became of a delivery.
    fn note(&self, (guid, is_again): (&str, bool), event: &str, body: &str, status: Option<u16>) {
        let payload: Json = serde_json::from_str(body).unwrap_or_default();
        self.with(|github| {
            let (id, at) = (github.next_id(), payload::time(github.now));
            let made = payload::delivery((id, guid), (event, &payload), status, is_again, &at);
            github.deliveries.push(made);
        });
    }

    /// Tells the webhook something; what is answered.
    pub fn tell(&self, event: &str, payload: &Json) -> Option<u16> {
        let number = self.with(GitHub::next_id);
        let id = format!("72d3162e-cc78-11e3-81ab-{number:012x}");
        let body = payload.to_string();
        let (event, at) = (event.to_owned(), self.sent_list().len());
        let sent = Sent { id: id.clone(), event: event.clone(), body: body.clone(), status: None };
        self.sent_list().push(sent);
        let is_lost = self.with(|github| {
            let is_lost = github.webhooks_lost > 0;
            github.webhooks_lost = github.webhooks_lost.saturating_sub(1);
            is_lost
        });
        let status = if is_lost { None } else { self.post(&id, &event, &body) };
        self.note((&id, false), &event, &body, status);
        self.sent_list()[at].status = status;
        status
    }

    /// Tells that a ref is at another commit; what is answered.
    pub fn tell_push(&self, name: &str, git_ref: &str, ids: (&str, &str)) -> Option<u16> {
        self.tell_push_of(name, git_ref, ids, "mona")
    }

    fn tell_push_of(&self, name: &str, git_ref: &str, ids: (&str, &str), who: &str) -> Option<u16> {
        let payload = self.with(|github| {
            let (id, at) = (github.next_id(), payload::time(github.now));
            if let Some(repository) = github.repositories.get_mut(name) {
                repository.activity.insert(0, payload::activity(id, git_ref, ids, who, &at));
            }
            payload::push(github, name, git_ref, ids, who)
        });
        self.tell("push", &payload)
    }

    /// Opens a pull request, and tells of it.
    ///
    /// # Errors
    /// When git says no.
    pub fn open(&self, name: &str, pull: Pull) -> io::Result<()> {
        self.with(|github| {
            let repository = github.repositories.get_mut(name).expect("it was added");
            repository.pulls.push(pull.clone());
        });
        self.merge(name, &pull)?;
        self.tell_of(name, &pull, "opened")
    }

    /// Tells of a pull request, as it is.
    ///
    /// # Errors
    /// When git says no.
    pub fn tell_of(&self, name: &str, pull: &Pull, action: &str) -> io::Result<()> {
        let path = self.path(name);
        let head = git(&path, &["rev-parse", &format!("refs/pull/{}/head", pull.number)])?;
        let base = git(&path, &["rev-parse", &format!("refs/heads/{}", pull.base_ref)])?;
        let payload =
            self.with(|github| payload::pull_request(github, name, pull, action, (&head, &base)));
        self.tell("pull_request", &payload);
        Ok(())
    }

    /// The payload that every event of a repository begins with, and more.
    pub fn payload(&self, name: &str, more: Json) -> Json {
        self.with(|github| {
            let mut payload = more;
            payload["repository"] = payload::repository(github, name);
            payload["sender"] = payload::user("mona");
            payload
        })
    }

    /// A pull request's branch, and what it would be merged; no merge where it conflicts.
    fn merge(&self, name: &str, pull: &Pull) -> io::Result<()> {
        let path = self.path(name);
        let number = pull.number;
        let from = self.path(&pull.head_repository).display().to_string();
        let (head, merge) =
            (format!("refs/pull/{number}/head"), format!("refs/pull/{number}/merge"));
        git(&path, &["fetch", "--quiet", &from, &format!("+refs/heads/{}:{head}", pull.head_ref)])?;
        let base = format!("refs/heads/{}", pull.base_ref);
        let Ok(tree) = git(&path, &["merge-tree", "--write-tree", &base, &head]) else {
            git(&path, &["update-ref", "-d", &merge])?;
            return Ok(());
        };
        let message = format!("Merge pull request {number}");
        let commit = git(&path, &["commit-tree", &tree, "-p", &base, "-p", &head, "-m", &message])?;
        git(&path, &["update-ref", &merge, &commit]).map(drop)
    }

    fn post(&self, id: &str, event: &str, body: &str) -> Option<u16> {
        let hook = self.with(|github| github.hook.clone())?;
        let Hook { url, secret } = hook;
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        let tag = hmac::sign(&key, body.as_bytes());
        let hex: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        let signature = format!("sha256={hex}");
        let headers = [
            ("User-Agent", "GitHub-Hookshot/044aadd"),
            ("Content-Type", "application/json"),
            ("X-GitHub-Event", event),
            ("X-GitHub-Delivery", id),
            ("X-Hub-Signature-256", &signature),
        ];
        http::post(&url, &headers, body.as_bytes()).ok()
    }

    fn github(&self) -> MutexGuard<'_, GitHub> {
        // A test that died while it looked left it whole.
        let mut github = self.shared.github.lock().unwrap_or_else(PoisonError::into_inner);
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        github.now = now.map_or(0, |it| it.as_secs()) + github.ahead_seconds;
        github
    }

    fn sent_list(&self) -> MutexGuard<'_, Vec<Sent>> {
        self.shared.sent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn converse(&self, stream: &TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let mut reader = BufReader::new(stream);
        while let Some(asked) = http::read(&mut reader)? {
            if asked.path.contains(".git/") {
                self.git(&asked, stream)?;
                continue;
            }
            let request = Request {
                method: asked.method.clone(),
                // A GitHub of one's own has its API there.
                path: asked.path.strip_prefix("/api/v3").unwrap_or(&asked.path).to_owned(),
                authorization: asked.header("authorization").to_owned(),
                body: asked.body,
            };
            let Some(answer) = self.github().answer(&request) else {
                return stream.shutdown(std::net::Shutdown::Both);
            };
            let mut headers = answer.headers;
            headers.push(("Date".to_owned(), payload::date(self.github().now)));
            headers.push(("Content-Type".to_owned(), "application/json".to_owned()));
            let status = format!("{} Said", answer.status);
            http::write(stream, &status, &headers, answer.body.to_string().as_bytes())?;
            if answer.status == 202 {
                self.deliver_again(&request.path);
            }
            let is_draft = answer.body["draft"] == true;
            if answer.status == 201 && request.path.ends_with("/releases") && !is_draft {
                self.released(&request.path, &answer.body)?;
            }
        }
        Ok(())
    }

    /// A release has a tag, and both are told.
    fn released(&self, path: &str, release: &Json) -> io::Result<()> {
        let name = path.trim_start_matches("/repos/").trim_end_matches("/releases").to_owned();
        let text = |key: &str| release[key].as_str().unwrap_or_default().to_owned();
        let (folder, who) = (self.path(&name), release["author"].clone());
        let git_ref = format!("refs/tags/{}", text("tag_name"));
        if !refs(&folder)?.contains_key(&git_ref) {
            git(&folder, &["update-ref", &git_ref, &text("target_commitish")])?;
            let now = git(&folder, &["rev-parse", &git_ref])?;
            let login = who["login"].as_str().unwrap_or_default();
            self.tell_push_of(&name, &git_ref, (NOTHING, &now), login);
        }
        let mut told = release.clone();
        // GitHub's schemas of webhooks do not have those.
        for key in ["immutable", "updated_at"] {
            told.as_object_mut().and_then(|it| it.remove(key));
        }
        let more = serde_json::json!({ "action": "published", "release": told });
        let mut payload = self.payload(&name, more);
        payload["sender"] = who;
        self.tell("release", &payload);
        Ok(())
    }

    /// What was asked for by `/app/hook/deliveries/ID/attempts`.
    fn deliver_again(&self, path: &str) {
        let id = path.strip_prefix("/app/hook/deliveries/").and_then(|it| it.split('/').next());
        let Some(id) = id.and_then(|it| it.parse::<u64>().ok()) else { return };
        let guid = self.with(|github| {
            let known = github.deliveries.iter().find(|it| it["id"] == id)?;
            known["guid"].as_str().map(str::to_owned)
        });
        if let Some(guid) = guid {
            let front = self.clone();
            // Whoever asked for it does not wait for it.
            std::thread::spawn(move || front.redeliver(&guid));
        }
    }

    /// git's own server, for who shows a token.
    fn git(&self, asked: &Asked, stream: &TcpStream) -> io::Result<()> {
        // Actions write `basic`.
        let token = asked.header("authorization").split_once(' ');
        let token = token.filter(|(kind, _)| kind.eq_ignore_ascii_case("basic"));
        let token =
            token.and_then(|(_, it)| base64::engine::general_purpose::STANDARD.decode(it).ok());
        let token = token.and_then(|it| String::from_utf8(it).ok()).unwrap_or_default();
        let token = token.split_once(':').map_or("", |(_, token)| token);
        let (path, query) = asked.path.split_once('?').unwrap_or((&asked.path, ""));
        let name = path.split(".git/").next().unwrap_or_default().trim_matches('/').to_owned();
        let is_push = path.ends_with("/git-receive-pack") || query == "service=git-receive-pack";
        if !self.with(|github| github.lets_in(token, &name, is_push)) {
            let headers = [("WWW-Authenticate".to_owned(), "Basic realm=\"GitHub\"".to_owned())];
            return http::write(stream, "401 Unauthorized", &headers, b"");
        }
        let who = self.with(|github| github.login(token));
        let is_push = path.ends_with("/git-receive-pack");
        let before = if is_push { refs(&self.path(&name))? } else { BTreeMap::new() };
        let mut backend = Command::new("git")
            .arg("http-backend")
            .env("GIT_PROJECT_ROOT", &self.shared.folder)
            .env("GIT_HTTP_EXPORT_ALL", "1")
            .env("PATH_INFO", path)
            .env("QUERY_STRING", query)
            .env("REQUEST_METHOD", &asked.method)
            .env("REMOTE_USER", &who)
            .env("CONTENT_TYPE", asked.header("content-type"))
            .env("CONTENT_LENGTH", asked.body.len().to_string())
            .env("HTTP_CONTENT_ENCODING", asked.header("content-encoding"))
            .env("GIT_PROTOCOL", asked.header("git-protocol"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut input = backend.stdin.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let body = asked.body.clone();
        let writer = std::thread::spawn(move || input.write_all(&body));
        let output = backend.wait_with_output()?.stdout;
        let _ = writer.join();
        let end = output.windows(4).position(|it| it == b"\r\n\r\n").unwrap_or(output.len());
        let head = String::from_utf8_lossy(&output[..end]).into_owned();
        let mut headers = Vec::new();
        let mut status = "200 OK".to_owned();
        for (key, value) in head.lines().filter_map(|line| line.split_once(": ")) {
            if key == "Status" {
                status = value.to_owned();
            } else {
                headers.push((key.to_owned(), value.to_owned()));
            }
        }
        let body = output.get(end + 4..).unwrap_or_default();
        // Who pushed is told when everybody else was: what comes next comes after it.
        if is_push {
            self.pushed(&name, &before, &who)?;
        }
        http::write(stream, &status, &headers, body)
    }

    /// Tells of what a push changed.
    fn pushed(&self, name: &str, before: &BTreeMap<String, String>, who: &str) -> io::Result<()> {
        let after = refs(&self.path(name))?;
        let mut names: Vec<&String> = before.keys().chain(after.keys()).collect();
        names.sort();
        names.dedup();
        for git_ref in names {
            let of = |refs: &BTreeMap<String, String>| {
                refs.get(git_ref).cloned().unwrap_or_else(|| NOTHING.to_owned())
            };
            let (old, new) = (of(before), of(&after));
            if old == new || git_ref.starts_with("refs/pull/") {
                continue;
            }
            self.tell_push_of(name, git_ref, (&old, &new), who);
            let branch = git_ref.strip_prefix("refs/heads/").unwrap_or_default().to_owned();
            let pulls = self.with(|github| {
                let all = github.repositories.iter();
                let all = all.flat_map(|(of, it)| {
                    it.pulls.iter().map(move |pull| (of.clone(), pull.clone()))
                });
                all.collect::<Vec<_>>()
            });
            for (of, pull) in pulls {
                let is_head = pull.head_repository == name && pull.head_ref == branch;
                if is_head || (of == name && pull.base_ref == branch) {
                    self.merge(&of, &pull)?;
                }
                if is_head {
                    self.tell_of(&of, &pull, "synchronize")?;
                }
            }
        }
        Ok(())
    }
}

fn refs(path: &Path) -> io::Result<BTreeMap<String, String>> {
    let text = git(path, &["for-each-ref", "--format=%(refname) %(objectname)"])?;
    let line = |line: &str| line.split_once(' ').map(|(name, id)| (name.to_owned(), id.to_owned()));
    Ok(text.lines().filter_map(line).collect())
}

fn git(path: &Path, args: &[&str]) -> io::Result<String> {
    let output = Command::new("git")
        .args(["-c", "user.name=GitHub", "-c", "user.email=noreply@github.test"])
        .args(args)
        .current_dir(path)
        .stdin(Stdio::null())
        .output()?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(io::Error::other(format!("git {args:?}: {said}")));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
