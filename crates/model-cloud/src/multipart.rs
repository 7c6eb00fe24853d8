//! Uploads in parts: kept apart until somebody completes them, or for ever.
//!
//! As Amazon S3 documents them: a part of a number that is there takes its place, all but the last
//! have 5 MiB, and an upload that was completed or aborted is `NoSuchUpload`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::cloud::Cloud;
use crate::s3::{Bucket, Given, Kept, ObjectAsked, Said, encoded, given, marked, refused};

/// All parts but the last have so much.
const PART_BYTES_MIN: usize = 5 << 20;

/// An upload under way.
#[derive(Clone, Debug)]
pub(crate) struct Upload {
    key: String,
    parts: BTreeMap<u32, Kept>,
}

impl Cloud {
    /// Uploads that are neither completed nor aborted, by the names of their objects.
    pub fn open_uploads(&self, bucket: &str) -> Vec<String> {
        let uploads = self.buckets.get(bucket).into_iter().flat_map(|it| it.uploads.values());
        uploads.map(|it| it.key.clone()).collect()
    }
}

/// As policies name a call of these; none where it is another.
pub(crate) fn action(asked: &ObjectAsked) -> Option<&'static str> {
    let has = |name| asked.parameter(name).is_some();
    match asked.method.as_str() {
        "GET" if has("uploads") => Some("s3:ListBucketMultipartUploads"),
        "POST" if has("uploads") || has("uploadId") => Some("s3:PutObject"),
        "DELETE" if has("uploadId") => Some("s3:AbortMultipartUpload"),
        _ => None,
    }
}

/// An answer, where the request is about uploads.
pub(crate) fn answer(
    bucket: &mut Bucket,
    asked: &ObjectAsked,
    (name, key): (&str, &str),
    now: u64,
) -> Option<Said> {
    let id = asked.parameter("uploadId");
    let begins = asked.parameter("uploads").is_some();
    match (asked.method.as_str(), id, begins) {
        ("POST", _, true) => Some(begin(bucket, name, key, now)),
        ("GET", _, true) => Some(list(bucket, asked)),
        ("PUT", Some(id), _) => Some(part(bucket, asked, &id, now)),
        ("POST", Some(id), _) => Some(complete(bucket, asked, (key, &id), now)),
        ("DELETE", Some(id), _) => Some(match bucket.uploads.remove(&id) {
            Some(_) => Ok(Given { status: 204, ..given("") }),
            None => gone(),
        }),
        _ => None,
    }
}

fn gone() -> Said {
    let said = "The specified upload does not exist. The upload ID may be invalid, or the upload may \
                have been aborted or completed.";
    Err(refused(404, "NoSuchUpload", said))
}

fn begin(bucket: &mut Bucket, name: &str, key: &str, now: u64) -> Said {
    bucket.begun += 1;
    let id = format!("upload.{}-{now}", bucket.begun);
    bucket.uploads.insert(id.clone(), Upload { key: key.to_owned(), parts: BTreeMap::new() });
    Ok(given(format!(
        "<InitiateMultipartUploadResult><Bucket>{name}</Bucket><Key>{}</Key>\
         <UploadId>{id}</UploadId></InitiateMultipartUploadResult>",
        marked(key)
    )))
}

fn part(bucket: &mut Bucket, asked: &ObjectAsked, id: &str, now: u64) -> Said {
    let Some(upload) = bucket.uploads.get_mut(id) else { return gone() };
    let number = asked.parameter("partNumber").and_then(|it| it.parse().ok());
    let Some(number @ 1..=10_000) = number else {
        return Err(refused(400, "InvalidArgument", "Part number must be between 1 and 10000."));
    };
    let kept = Kept::new(&asked.body, now);
    let headers = vec![("ETag", kept.etag.clone())];
    upload.parts.insert(number, kept);
    Ok(Given { headers, ..given("") })
}

fn complete(bucket: &mut Bucket, asked: &ObjectAsked, (key, id): (&str, &str), now: u64) -> Said {
    let Some(upload) = bucket.uploads.get(id) else { return gone() };
    let body = String::from_utf8_lossy(&asked.body).into_owned();
    let element = |text: &str, name: &str| {
        let (_, rest) = text.split_once(&format!("<{name}>"))?;
        rest.split_once(&format!("</{name}>")).map(|it| it.0.replace("&quot;", "\""))
    };
    let mut bytes = Vec::new();
    let wanted: Vec<&str> = body.split("<Part>").skip(1).collect();
    for (at, one) in wanted.iter().enumerate() {
        let number = element(one, "PartNumber").and_then(|it| it.parse().ok()).unwrap_or(0);
        let etag = element(one, "ETag").unwrap_or_default();
        let Some(part) = upload.parts.get(&number).filter(|it| it.etag == etag) else {
            let said = "One or more of the specified parts could not be found.";
            return Err(refused(400, "InvalidPart", said));
        };
        if at + 1 < wanted.len() && part.bytes.len() < PART_BYTES_MIN {
            let said = "Your proposed upload is smaller than the minimum allowed size";
            return Err(refused(400, "EntityTooSmall", said));
        }
        bytes.extend_from_slice(&part.bytes);
    }
    let mut kept = Kept::new(&bytes, now);
    kept.etag = format!("\"{}-{}\"", kept.etag.trim_matches('"'), wanted.len());
    let etag = marked(&kept.etag);
    bucket.uploads.remove(id);
    bucket.keep(key, kept);
    Ok(given(format!(
        "<CompleteMultipartUploadResult><Key>{}</Key><ETag>{etag}</ETag>\
         </CompleteMultipartUploadResult>",
        marked(key)
    )))
}

fn list(bucket: &Bucket, asked: &ObjectAsked) -> Said {
    let prefix = asked.parameter("prefix").unwrap_or_default();
    let mut xml = "<ListMultipartUploadsResult><IsTruncated>false</IsTruncated>".to_owned();
    for (id, upload) in bucket.uploads.iter().filter(|it| it.1.key.starts_with(&prefix)) {
        let key = encoded(&upload.key);
        let _ = write!(xml, "<Upload><Key>{key}</Key><UploadId>{id}</UploadId></Upload>");
    }
    Ok(given(xml + "</ListMultipartUploadsResult>"))
}
