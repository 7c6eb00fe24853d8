//! Objects in buckets: what is written under a condition, what is listed behind a name.
//!
//! As Amazon S3 documents it since August 2024: `If-None-Match: *` is 412 where there is an object,
//! `If-Match` is 412 where it is another and 404 where there is none. What was written is there for
//! whoever asks next.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::calls::Call;
use crate::cloud::Cloud;
use crate::fault::{self, FaultKind};
use crate::multipart::{self, Upload};

/// A request for an object or a bucket.
#[derive(Clone, Debug, Default)]
pub struct ObjectAsked {
    /// `GET`
    pub method: String,
    /// `/bucket/key`, as the URL has it.
    pub path: String,
    /// Behind the question mark, as the URL has it.
    pub query: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body as it came.
    pub body: Vec<u8>,
}

/// What comes back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ObjectAnswer {
    /// An answer.
    Said {
        /// The status of HTTP.
        status: u16,
        /// Its headers.
        headers: Vec<(&'static str, String)>,
        /// Its body.
        body: Vec<u8>,
    },
    /// None: the connection ends before one.
    Lost,
}

/// A bucket.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bucket {
    pub(crate) objects: BTreeMap<String, Kept>,
    pub(crate) uploads: BTreeMap<String, Upload>,
    /// How many uploads were begun.
    pub(crate) begun: u64,
    is_versioned: bool,
    /// It writes whatever the condition: a server that only speaks S3 of old.
    ignores_conditions: bool,
    /// What it keeps of names that end so is not what was written.
    spoils: Option<String>,
}

#[derive(Clone, Debug)]
pub(crate) struct Kept {
    pub(crate) bytes: Vec<u8>,
    pub(crate) etag: String,
    written_at: u64,
}

/// What a page of a list holds at the most.
const PAGE_MAX: usize = 1_000;

pub(crate) struct Refused {
    status: u16,
    code: String,
    message: String,
}

pub(crate) struct Given {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
}

pub(crate) type Said = Result<Given, Refused>;

pub(crate) fn refused(status: u16, code: &str, message: &str) -> Refused {
    Refused { status, code: code.to_owned(), message: message.to_owned() }
}

pub(crate) fn given(body: impl Into<Vec<u8>>) -> Given {
    Given { status: 200, headers: Vec::new(), body: body.into() }
}

impl ObjectAsked {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn parameter(&self, name: &str) -> Option<String> {
        let pairs = self.query.split('&').map(|it| it.split_once('=').unwrap_or((it, "")));
        pairs.filter(|(key, _)| *key == name).map(|(_, value)| decoded(value)).next()
    }

    /// As policies name it.
    fn action(&self, key: &str) -> &'static str {
        let has = |name| self.parameter(name).is_some();
        if let Some(action) = multipart::action(self) {
            return action;
        }
        match (self.method.as_str(), key.is_empty()) {
            ("GET", true) if has("versioning") => "s3:GetBucketVersioning",
            ("GET", true) if has("encryption") => "s3:GetEncryptionConfiguration",
            ("GET" | "HEAD", true) => "s3:ListBucket",
            ("GET" | "HEAD", false) => "s3:GetObject",
            ("PUT", true) => "s3:CreateBucket",
            ("PUT", false) => "s3:PutObject",
            ("DELETE", _) => "s3:DeleteObject",
            _ => "s3:Unknown",
        }
    }
}

impl Cloud {
    /// There is a bucket of that name.
    pub fn add_bucket(&mut self, name: &str) {
        self.buckets.entry(name.to_owned()).or_default();
    }

    /// A bucket of a server that does not look at conditions.
    pub fn ignore_conditions(&mut self, name: &str) {
        self.buckets.entry(name.to_owned()).or_default().ignores_conditions = true;
    }

    /// What is written over or removed is kept.
    pub fn version_bucket(&mut self, name: &str) {
        self.buckets.entry(name.to_owned()).or_default().is_versioned = true;
    }

    /// Of names that end so one bit is another when they are kept.
    pub fn spoil_bucket(&mut self, name: &str, end: &str) {
        self.buckets.entry(name.to_owned()).or_default().spoils = Some(end.to_owned());
    }

    /// The names in a bucket.
    pub fn object_names(&self, bucket: &str) -> Vec<String> {
        let bucket = self.buckets.get(bucket);
        bucket.map_or(Vec::new(), |it| it.objects.keys().cloned().collect())
    }

    /// The bytes of an object.
    pub fn object_bytes(&self, bucket: &str, key: &str) -> Option<Vec<u8>> {
        Some(self.buckets.get(bucket)?.objects.get(key)?.bytes.clone())
    }

    /// An object is another, by a hand that asks nobody.
    pub fn set_object(&mut self, bucket: &str, key: &str, bytes: &[u8]) {
        let now = self.now;
        let bucket = self.buckets.entry(bucket.to_owned()).or_default();
        bucket.objects.insert(key.to_owned(), Kept::new(bytes, now));
    }

    /// An object is gone, by a hand that asks nobody.
    pub fn lose_object(&mut self, bucket: &str, key: &str) {
        if let Some(bucket) = self.buckets.get_mut(bucket) {
            bucket.objects.remove(key);
        }
    }

    /// Answers a request for an object or a bucket.
    pub fn object(&mut self, asked: &ObjectAsked) -> ObjectAnswer {
        let path = decoded(&asked.path);
        let (bucket, key) = path.trim_start_matches('/').split_once('/').unwrap_or((&path, ""));
        let (bucket, key) = (bucket.trim_start_matches('/').to_owned(), key.to_owned());
        let action = asked.action(&key);
        let fault = fault::meets(&mut self.faults, action);
        let (done, said) = match &fault {
            Some(FaultKind::LostBefore) => (false, Ok(given(""))),
            Some(FaultKind::Throttled) => {
                (false, Err(refused(503, "SlowDown", "Please reduce your request rate.")))
            }
            Some(FaultKind::ServerError) => (false, Err(internal())),
            Some(FaultKind::Denied) => (false, Err(denied())),
            Some(FaultKind::Refused(code, said)) => {
                let status = if code == "ConditionalRequestConflict" { 409 } else { 400 };
                (false, Err(refused(status, code, said)))
            }
            None | Some(FaultKind::LostAfter | FaultKind::ErrorAfter) => {
                let said = match self.needs(action) {
                    Err(_) => Err(denied()),
                    Ok(()) => self.operate_on_object(asked, &bucket, &key),
                };
                (said.is_ok(), said)
            }
        };
        let said = if fault == Some(FaultKind::ErrorAfter) { Err(internal()) } else { said };
        let lost = matches!(fault, Some(FaultKind::LostBefore | FaultKind::LostAfter));
        let request_id = self.names.letters();
        self.note(Call {
            at: self.now,
            action: action.to_owned(),
            request: json!({"Bucket": bucket, "Key": key}),
            done,
            outcome: match &said {
                _ if lost => "lost".to_owned(),
                Ok(_) => "ok".to_owned(),
                Err(refused) => refused.code.clone(),
            },
            request_id: request_id.clone(),
            user_agent: asked.header("user-agent").unwrap_or_default().to_owned(),
        });
        if lost { ObjectAnswer::Lost } else { self.put_into_words(asked, said, request_id) }
    }

    fn put_into_words(&self, asked: &ObjectAsked, said: Said, request_id: String) -> ObjectAnswer {
        let Given { status, mut headers, mut body } = said.unwrap_or_else(|refused| {
            let Refused { status, code, message } = refused;
            let xml = format!(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code>\
                 <Message>{}</Message><RequestId>{request_id}</RequestId></Error>",
                marked(&message)
            );
            let headers = vec![("Content-Type", "application/xml".to_owned())];
            Given { status, headers, body: xml.into_bytes() }
        });
        if asked.method == "HEAD" {
            headers.push(("Content-Length", body.len().to_string()));
            body.clear();
        }
        headers.push(("x-amz-request-id", request_id));
        headers.push(("Date", http_date(self.now)));
        ObjectAnswer::Said { status, headers, body }
    }

    fn operate_on_object(&mut self, asked: &ObjectAsked, name: &str, key: &str) -> Said {
        let now = self.now;
        if asked.method == "PUT" && key.is_empty() {
            self.add_bucket(name);
            return Ok(given(""));
        }
        let Some(bucket) = self.buckets.get_mut(name) else {
            return Err(refused(404, "NoSuchBucket", "The specified bucket does not exist"));
        };
        if let Some(said) = multipart::answer(bucket, asked, (name, key), now) {
            return said;
        }
        match (asked.method.as_str(), key.is_empty()) {
            ("GET", true) => bucket.about(asked, name),
            ("HEAD", true) => Ok(given("")),
            ("GET" | "HEAD", false) => match bucket.objects.get(key) {
                Some(kept) => Ok(kept.given()),
                None => Err(refused(404, "NoSuchKey", "The specified key does not exist.")),
            },
            ("PUT", false) => bucket.write(asked, key, now),
            ("DELETE", false) => {
                bucket.objects.remove(key);
                Ok(Given { status: 204, ..given("") })
            }
            _ => Err(refused(405, "MethodNotAllowed", "The specified method is not allowed")),
        }
    }
}

impl Kept {
    pub(crate) fn new(bytes: &[u8], written_at: u64) -> Kept {
        let sum = hex(&Sha256::digest(bytes));
        Kept { bytes: bytes.to_vec(), etag: format!("\"{}\"", &sum[..32]), written_at }
    }

    fn given(&self) -> Given {
        let headers = vec![
            ("ETag", self.etag.clone()),
            ("Last-Modified", http_date(self.written_at)),
            ("x-amz-server-side-encryption", "AES256".to_owned()),
        ];
        Given { status: 200, headers, body: self.bytes.clone() }
    }
}

impl Bucket {
    fn write(&mut self, asked: &ObjectAsked, key: &str, now: u64) -> Said {
        let there = self.objects.get(key);
        let failed = || {
            let said = "At least one of the pre-conditions you specified did not hold";
            refused(412, "PreconditionFailed", said)
        };
        if !self.ignores_conditions {
            if asked.header("if-none-match") == Some("*") && there.is_some() {
                return Err(failed());
            }
            match (asked.header("if-match"), there) {
                (Some(etag), Some(kept)) if etag != kept.etag => return Err(failed()),
                (Some(_), None) => {
                    return Err(refused(404, "NoSuchKey", "The specified key does not exist."));
                }
                _ => {}
            }
        }
        let sum = Sha256::digest(&asked.body);
        if asked.header("x-amz-content-sha256").is_some_and(|it| it.len() == 64 && it != hex(&sum))
        {
            let said =
                "The provided 'x-amz-content-sha256' header does not match what was computed.";
            return Err(refused(400, "XAmzContentSHA256Mismatch", said));
        }
        if asked.header("x-amz-checksum-sha256").is_some_and(|it| it != base64(&sum)) {
            return Err(refused(400, "BadDigest", "The SHA256 you specified did not match."));
        }
        let kept = Kept::new(&asked.body, now);
        let headers = vec![("ETag", kept.etag.clone())];
        self.keep(key, kept);
        Ok(Given { headers, ..given("") })
    }

    pub(crate) fn keep(&mut self, key: &str, mut kept: Kept) {
        let middle = kept.bytes.len() / 2;
        if self.spoils.as_ref().is_some_and(|end| key.ends_with(end)) && middle > 0 {
            kept.bytes[middle] ^= 1;
        }
        self.objects.insert(key.to_owned(), kept);
    }

    /// What is asked of the bucket itself.
    fn about(&self, asked: &ObjectAsked, name: &str) -> Said {
        if asked.parameter("versioning").is_some() {
            let status = if self.is_versioned { "<Status>Enabled</Status>" } else { "" };
            return Ok(given(format!(
                "<VersioningConfiguration>{status}</VersioningConfiguration>"
            )));
        }
        if asked.parameter("encryption").is_some() {
            return Ok(given(
                "<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault>\
                 <SSEAlgorithm>AES256</SSEAlgorithm></ApplyServerSideEncryptionByDefault></Rule>\
                 </ServerSideEncryptionConfiguration>",
            ));
        }
        let prefix = asked.parameter("prefix").unwrap_or_default();
        let after = asked.parameter("start-after").unwrap_or_default();
        let most = asked.parameter("max-keys").and_then(|it| it.parse().ok()).unwrap_or(PAGE_MAX);
        let fits = |key: &&String| key.starts_with(&prefix) && **key > after;
        let mut all = self.objects.keys().filter(fits);
        let page: Vec<_> = all.by_ref().take(most.min(PAGE_MAX)).collect();
        let is_cut = all.next().is_some();
        let mut xml = format!(
            "<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Name>{name}</Name>\
             <KeyCount>{}</KeyCount><IsTruncated>{is_cut}</IsTruncated>",
            page.len()
        );
        for key in page {
            let kept = &self.objects[key];
            let _ = write!(
                xml,
                "<Contents><Key>{}</Key><ETag>{}</ETag><Size>{}</Size></Contents>",
                encoded(key),
                marked(&kept.etag),
                kept.bytes.len()
            );
        }
        Ok(given(xml + "</ListBucketResult>"))
    }
}

fn internal() -> Refused {
    refused(500, "InternalError", "We encountered an internal error. Please try again.")
}

fn denied() -> Refused {
    refused(403, "AccessDenied", "Access Denied")
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let mut group = [0; 4];
        group[1..=chunk.len()].copy_from_slice(chunk);
        let bits = u32::from_be_bytes(group);
        for at in 0..4 {
            let index = usize::try_from((bits >> (18 - 6 * at)) & 63).expect("six bits");
            text.push(if at <= chunk.len() { char::from(LETTERS[index]) } else { '=' });
        }
    }
    text
}

pub(crate) fn marked(text: &str) -> String {
    let marks = [("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("\"", "&quot;")];
    marks.iter().fold(text.to_owned(), |text, (mark, written)| text.replace(mark, written))
}

pub(crate) fn encoded(text: &str) -> String {
    let plain = |it: u8| it.is_ascii_alphanumeric() || b"-_.~/".contains(&it);
    text.bytes().fold(String::new(), |mut out, byte| {
        if plain(byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
        out
    })
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, behind @ ..] = rest {
        let pair = behind.get(..2).filter(|_| *first == b'%');
        let pair = pair.and_then(|it| u8::from_str_radix(std::str::from_utf8(it).ok()?, 16).ok());
        match pair {
            Some(byte) => {
                bytes.push(byte);
                rest = &behind[2..];
            }
            None => {
                bytes.push(*first);
                rest = behind;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// `Tue, 14 Nov 2023 22:13:20 GMT`
fn http_date(ms: u64) -> String {
    let ms = ms.try_into().ok();
    let at = ms.and_then(|it| jiff::Timestamp::from_millisecond(it).ok());
    at.expect("a clock of this age").strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_and_sums_are_those_of_the_wire() {
        assert_eq!(http_date(1_700_000_000_000), "Tue, 14 Nov 2023 22:13:20 GMT");
        assert_eq!(http_date(1_709_164_800_999), "Thu, 29 Feb 2024 00:00:00 GMT");
        assert_eq!(["Zg==", "Zm8=", "Zm9v"], [b"f".as_slice(), b"fo", b"foo"].map(base64));
        assert_eq!(decoded("/a%20b/%C3%A4%"), "/a b/ä%");
    }
}
