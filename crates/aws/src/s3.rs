//! Objects in buckets: read, written under a condition, listed, removed.
//!
//! A condition is what makes a bucket more than a heap of files: `If-None-Match: *` writes only what
//! is not there, `If-Match` only over what the writer has seen.

use std::io::{Read, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::client::{Client, ObjectCall, encoded};
use crate::fault::{Fault, FaultKind};
use crate::transport::{ObjectBody, ObjectMethod, ObjectReply};
use crate::xml;

/// S3 compares what it got with this before it keeps it.
pub const CHECKSUM_HEADER: &str = "x-amz-checksum-sha256";
/// The most that S3 takes in one piece.
pub const SINGLE_PUT_MAX: u64 = 5 << 30;
/// The most names that one page of a list has.
pub const LISTED_MAX: u32 = 1_000;

/// An object's bytes and what is known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// What is known of it.
    pub head: ObjectHead,
}

/// What is known of an object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObjectHead {
    /// Which version of it, with its quotation marks: for [`PutIf::Is`].
    pub etag: String,
    /// How many bytes; none where the answer did not say.
    pub length: Option<u64>,
    /// When it was written, by the bucket's clock, in milliseconds since 1970 (whole seconds).
    pub written_at: Option<u64>,
    /// When it was asked, by the bucket's clock.
    pub asked_at: Option<u64>,
    /// How it is kept, where it is encrypted: `AES256`, `aws:kms`.
    pub encryption: Option<String>,
}

/// Under which condition an object is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PutIf<'a> {
    /// Under none.
    Always,
    /// There is none of that name.
    Absent,
    /// It is still this version: an etag.
    Is(&'a str),
}

/// What became of an object that was to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stored {
    /// It is there.
    Done(ObjectHead),
    /// The condition does not hold: nothing was written.
    NotSo,
    /// Another writer was at it in the same moment: nothing was written, and asking again may help.
    Busy,
}

/// What is written that does not lie in memory.
pub struct Upload<'a> {
    /// Where it comes from.
    pub reader: &'a mut dyn Read,
    /// How many bytes; at most [`SINGLE_PUT_MAX`].
    pub length: u64,
    /// Their SHA-256: S3 refuses what does not fit it.
    pub sha256: [u8; 32],
}

/// An object in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its whole name.
    pub key: String,
    /// How many bytes.
    pub length: u64,
    /// Which version.
    pub etag: String,
}

/// A page of a list, in the order of the names' bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListPage {
    /// What there is.
    pub objects: Vec<Listed>,
    /// Whether there is more behind the last one.
    pub is_cut: bool,
    /// When it was asked, by the bucket's clock.
    pub asked_at: Option<u64>,
}

/// What is set for a bucket; none where that may not be asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BucketState {
    /// Whether what is written over or removed is kept.
    pub versioned: Option<bool>,
    /// How objects are kept: `AES256`, `aws:kms`; empty for not encrypted.
    pub encryption: Option<String>,
}

impl Client {
    /// An object, whole, in memory; none where there is none of that name.
    ///
    /// # Errors
    /// When S3 does not give it.
    pub fn get_object(&mut self, bucket: &str, key: &str) -> Result<Option<Object>, Fault> {
        let asked = call("s3:GetObject", ObjectMethod::Get, (bucket, key));
        let reply = self.object(&asked, ObjectBody::Bytes(&[]), None)?;
        match reply.status {
            200 => Ok(Some(Object { head: head(&reply), bytes: reply.body })),
            404 if !is_no_bucket(&reply) => Ok(None),
            _ => Err(fault(&asked, &reply)),
        }
    }

    /// An object, written to where the caller says as it comes; none where there is none.
    ///
    /// # Errors
    /// When S3 does not give it whole. Something of it may be written then.
    pub fn get_object_into(
        &mut self,
        bucket: &str,
        key: &str,
        into: &mut dyn Write,
    ) -> Result<Option<ObjectHead>, Fault> {
        let asked = call("s3:GetObject", ObjectMethod::Get, (bucket, key));
        let reply = self.object(&asked, ObjectBody::Bytes(&[]), Some(into))?;
        match reply.status {
            200 => Ok(Some(head(&reply))),
            404 if !is_no_bucket(&reply) => Ok(None),
            _ => Err(fault(&asked, &reply)),
        }
    }

    /// What is known of an object; none where there is none.
    ///
    /// # Errors
    /// When S3 does not say. A bucket that is not there looks like an object that is not.
    pub fn head_object(&mut self, bucket: &str, key: &str) -> Result<Option<ObjectHead>, Fault> {
        // Policies know no action for it but that of reading.
        let asked = call("s3:GetObject", ObjectMethod::Head, (bucket, key));
        let reply = self.object(&asked, ObjectBody::Bytes(&[]), None)?;
        match reply.status {
            200 => Ok(Some(head(&reply))),
            404 => Ok(None),
            _ => Err(fault(&asked, &reply)),
        }
    }

    /// Writes an object.
    ///
    /// # Errors
    /// When S3 does not take it. Where no answer came, it may be there all the same.
    pub fn put_object(
        &mut self,
        bucket: &str,
        key: &str,
        bytes: &[u8],
        condition: PutIf<'_>,
    ) -> Result<Stored, Fault> {
        let mut asked = call("s3:PutObject", ObjectMethod::Put, (bucket, key));
        let sum = <sha2::Sha256 as sha2::Digest>::digest(bytes);
        asked.headers = put_headers(&sum, condition);
        let reply = self.object(&asked, ObjectBody::Bytes(bytes), None)?;
        stored(&asked, &reply)
    }

    /// Writes an object that does not lie in memory, in one piece.
    ///
    /// # Errors
    /// When S3 does not take it, and where it is longer than one piece may be.
    pub fn put_file(
        &mut self,
        bucket: &str,
        key: &str,
        upload: Upload<'_>,
        condition: PutIf<'_>,
    ) -> Result<Stored, Fault> {
        let mut asked = call("s3:PutObject", ObjectMethod::Put, (bucket, key));
        let Upload { reader, length, sha256 } = upload;
        if length > SINGLE_PUT_MAX {
            let message = format!("{length} bytes are more than one piece may have");
            return Err(said(&asked, FaultKind::Refused, "EntityTooLarge", message));
        }
        asked.headers = put_headers(&sha256, condition);
        let hex: String = sha256.iter().map(|byte| format!("{byte:02x}")).collect();
        let body = ObjectBody::Reader { reader, length, sha256: &hex };
        let reply = self.object(&asked, body, None)?;
        stored(&asked, &reply)
    }

    /// Removes an object. One that is not there is removed already.
    ///
    /// # Errors
    /// When S3 does not do it.
    pub fn delete_object(&mut self, bucket: &str, key: &str) -> Result<(), Fault> {
        let asked = call("s3:DeleteObject", ObjectMethod::Delete, (bucket, key));
        let reply = self.object(&asked, ObjectBody::Bytes(&[]), None)?;
        match reply.status {
            200 | 204 => Ok(()),
            404 if !is_no_bucket(&reply) => Ok(()),
            _ => Err(fault(&asked, &reply)),
        }
    }

    /// One page of the objects whose names begin so, behind a name.
    ///
    /// # Errors
    /// When S3 does not list them.
    pub fn list_objects(
        &mut self,
        bucket: &str,
        prefix: &str,
        after: &str,
    ) -> Result<ListPage, Fault> {
        let mut asked = call("s3:ListBucket", ObjectMethod::Get, (bucket, ""));
        // Names of any byte come back whole.
        let mut query = format!("encoding-type=url&list-type=2&max-keys={LISTED_MAX}");
        query += &format!("&prefix={}", encoded(prefix));
        if !after.is_empty() {
            query += &format!("&start-after={}", encoded(after));
        }
        asked.query = query;
        let reply = self.object(&asked, ObjectBody::Bytes(&[]), None)?;
        if reply.status != 200 {
            return Err(fault(&asked, &reply));
        }
        let unread = || {
            let message = "the answer is not what the API's model says".to_owned();
            said(&asked, FaultKind::Unreadable, "", message)
        };
        let text = std::str::from_utf8(&reply.body).map_err(|_| unread())?;
        if !text.contains("<ListBucketResult") {
            return Err(unread());
        }
        let objects = xml::elements(text, "Contents").into_iter().map(listed);
        let objects: Option<Vec<_>> = objects.collect();
        Ok(ListPage {
            objects: objects.ok_or_else(unread)?,
            is_cut: xml::text(text, "IsTruncated").as_deref() == Some("true"),
            asked_at: date(&reply, "date"),
        })
    }

    /// What is set for a bucket, as far as that may be asked.
    ///
    /// # Errors
    /// When S3 does not answer, or there is no such bucket.
    pub fn bucket_state(&mut self, bucket: &str) -> Result<BucketState, Fault> {
        let mut set = |action, query: &str| {
            let mut asked = call(action, ObjectMethod::Get, (bucket, ""));
            asked.query = format!("{query}=");
            let reply = self.object(&asked, ObjectBody::Bytes(&[]), None)?;
            match reply.status {
                200 => Ok(Some(String::from_utf8_lossy(&reply.body).into_owned())),
                404 if is_no_bucket(&reply) => Err(fault(&asked, &reply)),
                // Nothing is set, or it may not be asked.
                404 => Ok(Some(String::new())),
                403 | 405 | 501 => Ok(None),
                _ => Err(fault(&asked, &reply)),
            }
        };
        let versioning = set("s3:GetBucketVersioning", "versioning")?;
        let encryption = set("s3:GetEncryptionConfiguration", "encryption")?;
        Ok(BucketState {
            versioned: versioning.map(|it| xml::text(&it, "Status").as_deref() == Some("Enabled")),
            encryption: encryption.map(|it| xml::text(&it, "SSEAlgorithm").unwrap_or_default()),
        })
    }
}

pub(crate) fn call<'a>(
    action: &'static str,
    method: ObjectMethod,
    (bucket, key): (&'a str, &'a str),
) -> ObjectCall<'a> {
    ObjectCall { action, method, bucket, key, query: String::new(), headers: Vec::new() }
}

fn put_headers(sum: &[u8], condition: PutIf<'_>) -> Vec<(&'static str, String)> {
    let mut headers = vec![(CHECKSUM_HEADER, STANDARD.encode(sum))];
    match condition {
        PutIf::Always => {}
        PutIf::Absent => headers.push(("if-none-match", "*".to_owned())),
        PutIf::Is(etag) => headers.push(("if-match", etag.to_owned())),
    }
    headers
}

fn stored(asked: &ObjectCall<'_>, reply: &ObjectReply) -> Result<Stored, Fault> {
    match reply.status {
        200 => Ok(Stored::Done(head(reply))),
        412 => Ok(Stored::NotSo),
        409 => Ok(Stored::Busy),
        // `If-Match` where there is none of that name any more.
        404 if !is_no_bucket(reply) => Ok(Stored::NotSo),
        _ => Err(fault(asked, reply)),
    }
}

fn head(reply: &ObjectReply) -> ObjectHead {
    ObjectHead {
        etag: reply.header("etag").unwrap_or_default().to_owned(),
        length: reply.header("content-length").and_then(|it| it.parse().ok()),
        written_at: date(reply, "last-modified"),
        asked_at: date(reply, "date"),
        encryption: reply.header("x-amz-server-side-encryption").map(str::to_owned),
    }
}

/// `Sat, 21 Nov 2026 08:30:00 GMT`
fn date(reply: &ObjectReply, name: &str) -> Option<u64> {
    let parsed = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(reply.header(name)?);
    u64::try_from(parsed.ok()?.as_millisecond()).ok()
}

fn listed(xml: &str) -> Option<Listed> {
    Some(Listed {
        key: decoded(&xml::text(xml, "Key")?)?,
        length: xml::text(xml, "Size")?.parse().ok()?,
        etag: xml::text(xml, "ETag").unwrap_or_default(),
    })
}

/// A name out of a list: as a URL has it, a blank as `+`.
pub(crate) fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'%' => {
                let pair = [rest.next()?, rest.next()?];
                bytes.push(u8::from_str_radix(std::str::from_utf8(&pair).ok()?, 16).ok()?);
            }
            b'+' => bytes.push(b' '),
            other => bytes.push(other),
        }
    }
    String::from_utf8(bytes).ok()
}

pub(crate) fn is_no_bucket(reply: &ObjectReply) -> bool {
    reply.text().contains("<Code>NoSuchBucket</Code>")
}

pub(crate) fn fault(asked: &ObjectCall<'_>, reply: &ObjectReply) -> Fault {
    let text = reply.text();
    let code = xml::text(&text, "Code");
    // A HEAD has no body to say it in.
    let code = code.or_else(|| (reply.status == 403).then(|| "AccessDenied".to_owned()));
    let elsewhere = reply.header("x-amz-bucket-region").map(str::to_owned);
    let elsewhere = elsewhere.or_else(|| xml::text(&text, "Region"));
    let elsewhere = elsewhere.filter(|_| matches!(reply.status, 301 | 307 | 400));
    let message = match &elsewhere {
        Some(region) => format!("the bucket {} is in the region {region}", asked.bucket),
        None => xml::text(&text, "Message")
            .unwrap_or_else(|| format!("it answered with the status {}", reply.status)),
    };
    let kind = FaultKind::of(reply.status, code.as_deref().unwrap_or_default());
    Fault {
        request_id: reply.header("x-amz-request-id").map(str::to_owned),
        // Whoever gets this may ask there.
        resources: elsewhere.into_iter().collect(),
        ..said(asked, kind, code.as_deref().unwrap_or_default(), message)
    }
}

pub(crate) fn said(asked: &ObjectCall<'_>, kind: FaultKind, code: &str, message: String) -> Fault {
    Fault {
        kind,
        action: asked.action.to_owned(),
        code: Some(code.to_owned()).filter(|it| !it.is_empty()),
        message,
        request_id: None,
        resources: Box::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_lists_are_read_back() {
        assert_eq!(decoded("a%2Fb+c%C3%A4").as_deref(), Some("a/b cä"));
        assert_eq!((decoded("%2"), decoded("%zz"), decoded("%FF")), (None, None, None));
    }

    #[test]
    fn the_buckets_clock_is_read() {
        let headers = vec![("date".to_owned(), "Tue, 14 Nov 2023 22:13:20 GMT".to_owned())];
        let reply = ObjectReply { status: 200, headers, body: Vec::new() };
        assert_eq!(date(&reply, "date"), Some(1_700_000_000_000));
        assert_eq!(date(&reply, "last-modified"), None);
    }
}
