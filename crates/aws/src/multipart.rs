//! Objects that are written in parts, because nobody knows their length before they end.
//!
//! ```text
//!   CreateMultipartUpload ──▶ UploadPart, again and again ──▶ CompleteMultipartUpload: an object
//!                                                        └──▶ AbortMultipartUpload: nothing
//! ```
//!
//! An upload that is neither completed nor aborted is kept, and paid for: whoever begins one sees to
//! its end, or finds it again by the name of the object.

use crate::client::{Client, encoded};
use crate::fault::{Fault, FaultKind};
use crate::s3::{call, decoded, fault, is_no_bucket, said};
use crate::transport::{ObjectBody, ObjectMethod};
use crate::xml;

/// The fewest bytes of a part that is not the last.
pub const PART_BYTES_MIN: u64 = 5 << 20;
/// The most parts of an object.
pub const PARTS_MAX: u32 = 10_000;
/// Pages of uploads that are read: more under one name is not of us.
const PAGES_MAX: usize = 100;

impl Client {
    /// Begins an object; what the upload is called comes back.
    ///
    /// # Errors
    /// When S3 does not begin it. Where no answer came, it may be begun all the same.
    pub fn begin_upload(&mut self, bucket: &str, key: &str) -> Result<String, Fault> {
        let mut asked = call("s3:PutObject", ObjectMethod::Post, (bucket, key));
        asked.query = "uploads=".to_owned();
        let reply = self.object(&asked, ObjectBody::Bytes(&[]), None)?;
        if reply.status != 200 {
            return Err(fault(&asked, &reply));
        }
        let text = String::from_utf8_lossy(&reply.body);
        xml::text(&text, "UploadId").filter(|it| !it.is_empty()).ok_or_else(|| {
            let message = "the answer names no upload".to_owned();
            said(&asked, FaultKind::Unreadable, "", message)
        })
    }

    /// Writes a part, numbered from 1, over what is there of that number; its etag comes back. All
    /// parts but the last have [`PART_BYTES_MIN`] at least.
    ///
    /// # Errors
    /// When S3 does not take it: whole, or not at all.
    pub fn upload_part(
        &mut self,
        (bucket, key): (&str, &str),
        upload: &str,
        number: u32,
        bytes: &[u8],
    ) -> Result<String, Fault> {
        let mut asked = call("s3:PutObject", ObjectMethod::Put, (bucket, key));
        asked.query = format!("partNumber={number}&uploadId={}", encoded(upload));
        let reply = self.object(&asked, ObjectBody::Bytes(bytes), None)?;
        match (reply.status, reply.header("etag")) {
            (200, Some(etag)) => Ok(etag.to_owned()),
            (200, None) => {
                let message = "the answer has no etag".to_owned();
                Err(said(&asked, FaultKind::Unreadable, "", message))
            }
            _ => Err(fault(&asked, &reply)),
        }
    }

    /// All parts are there, in this order: they become the object.
    ///
    /// # Errors
    /// When S3 does not do it. Where no answer came, it may be done all the same; asked again S3 says
    /// `NoSuchUpload` then.
    pub fn complete_upload(
        &mut self,
        (bucket, key): (&str, &str),
        upload: &str,
        etags: &[String],
    ) -> Result<(), Fault> {
        let mut asked = call("s3:PutObject", ObjectMethod::Post, (bucket, key));
        asked.query = format!("uploadId={}", encoded(upload));
        let parts: String = (1_u32..)
            .zip(etags)
            .map(|(number, etag)| {
                let etag = etag.replace('"', "&quot;");
                format!("<Part><ETag>{etag}</ETag><PartNumber>{number}</PartNumber></Part>")
            })
            .collect();
        let body = format!(
            "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">{parts}\
             </CompleteMultipartUpload>"
        );
        let reply = self.object(&asked, ObjectBody::Bytes(body.as_bytes()), None)?;
        if reply.status != 200 {
            return Err(fault(&asked, &reply));
        }
        // It may take minutes: S3 says 200 at once, and what became of it when it is over.
        let text = String::from_utf8_lossy(&reply.body);
        match xml::element(&text, "Code") {
            Some(code) if text.contains("<Error>") => {
                let message = xml::text(&text, "Message").unwrap_or_default();
                Err(said(&asked, FaultKind::of(500, code), code, message))
            }
            _ if text.contains("<CompleteMultipartUploadResult") => Ok(()),
            _ => {
                let message = "the answer is not what the API's model says".to_owned();
                Err(said(&asked, FaultKind::Unreadable, "", message))
            }
        }
    }

    /// What was begun will be no object, and its parts go. One that is not there has gone already.
    ///
    /// # Errors
    /// When S3 does not do it.
    pub fn abort_upload(&mut self, bucket: &str, key: &str, upload: &str) -> Result<(), Fault> {
        let mut asked = call("s3:AbortMultipartUpload", ObjectMethod::Delete, (bucket, key));
        asked.query = format!("uploadId={}", encoded(upload));
        let reply = self.object(&asked, ObjectBody::Bytes(&[]), None)?;
        match reply.status {
            200 | 204 => Ok(()),
            404 if !is_no_bucket(&reply) => Ok(()),
            _ => Err(fault(&asked, &reply)),
        }
    }

    /// Uploads of objects whose names begin so, as `(name, upload)`.
    ///
    /// # Errors
    /// When S3 does not list them.
    pub fn list_uploads(
        &mut self,
        bucket: &str,
        prefix: &str,
    ) -> Result<Vec<(String, String)>, Fault> {
        let mut all = Vec::new();
        let (mut after_key, mut after_upload) = (String::new(), String::new());
        for _ in 0..PAGES_MAX {
            let mut asked = call("s3:ListBucketMultipartUploads", ObjectMethod::Get, (bucket, ""));
            let behind = if after_key.is_empty() {
                String::new()
            } else {
                format!("&key-marker={}", encoded(&after_key))
            };
            let upload = if after_upload.is_empty() {
                String::new()
            } else {
                format!("&upload-id-marker={}", encoded(&after_upload))
            };
            let prefix = encoded(prefix);
            asked.query = format!("encoding-type=url{behind}&prefix={prefix}{upload}&uploads=");
            let reply = self.object(&asked, ObjectBody::Bytes(&[]), None)?;
            if reply.status != 200 {
                return Err(fault(&asked, &reply));
            }
            let text = String::from_utf8_lossy(&reply.body);
            for one in xml::elements(&text, "Upload") {
                let key = xml::text(one, "Key").and_then(|it| decoded(&it));
                all.extend(key.zip(xml::text(one, "UploadId")));
            }
            let next = xml::text(&text, "NextKeyMarker").and_then(|it| decoded(&it));
            let is_cut = xml::text(&text, "IsTruncated").as_deref() == Some("true");
            match next {
                Some(next) if is_cut && !next.is_empty() => after_key = next,
                _ => break,
            }
            after_upload = xml::text(&text, "NextUploadIdMarker").unwrap_or_default();
        }
        Ok(all)
    }
}
