//! A bucket of S3 as the place where dumps are kept.

use std::io::Write;

use aws::{Client, Fault, PutIf, Stored};

use crate::body::Dump;
use crate::bucket::{Bucket, Seen};
use crate::dump::{Wrong, wrong};

pub(crate) struct Objects {
    client: Client,
    bucket: String,
}

impl Objects {
    /// With credentials of another account than the settings want, nothing is asked for.
    pub(crate) fn open(mut client: Client, dump: &Dump) -> Result<Objects, Wrong> {
        let account = client.caller_identity()?.account;
        if let Some(expected) = dump.account.as_ref().filter(|it| **it != account) {
            return Err(wrong(format!(
                "the credentials are of the AWS account {account}, and the settings want \
                 {expected}: sign in to that one, or correct `account`"
            )));
        }
        Ok(Objects { client, bucket: dump.bucket.clone() })
    }
}

impl Bucket for Objects {
    fn head(&mut self, key: &str) -> Result<Option<Seen>, Fault> {
        let head = self.client.head_object(&self.bucket, key)?;
        Ok(head.map(|it| Seen { bytes: it.length.unwrap_or(0), etag: it.etag }))
    }

    fn get(&mut self, key: &str) -> Result<Option<Vec<u8>>, Fault> {
        Ok(self.client.get_object(&self.bucket, key)?.map(|it| it.bytes))
    }

    fn read(&mut self, key: &str, into: &mut dyn Write) -> Result<bool, Fault> {
        Ok(self.client.get_object_into(&self.bucket, key, into)?.is_some())
    }

    fn write(&mut self, key: &str, bytes: &[u8]) -> Result<(), Fault> {
        match self.client.put_object(&self.bucket, key, bytes, PutIf::Always)? {
            Stored::Done(_) => Ok(()),
            // Another writer in the same moment: it is asked again.
            Stored::NotSo | Stored::Busy => Err(Fault {
                kind: aws::FaultKind::Server,
                action: "s3:PutObject".to_owned(),
                code: None,
                message: "another writer was at it in the same moment".to_owned(),
                request_id: None,
                resources: Box::default(),
            }),
        }
    }

    fn begin(&mut self, key: &str) -> Result<String, Fault> {
        self.client.begin_upload(&self.bucket, key)
    }

    fn part(
        &mut self,
        key: &str,
        upload: &str,
        number: u32,
        bytes: &[u8],
    ) -> Result<String, Fault> {
        self.client.upload_part((&self.bucket, key), upload, number, bytes)
    }

    fn complete(&mut self, key: &str, upload: &str, parts: &[String]) -> Result<(), Fault> {
        self.client.complete_upload((&self.bucket, key), upload, parts)
    }

    fn abort(&mut self, key: &str, upload: &str) -> Result<(), Fault> {
        self.client.abort_upload(&self.bucket, key, upload)
    }

    fn uploads(&mut self, key: &str) -> Result<Vec<String>, Fault> {
        let all = self.client.list_uploads(&self.bucket, key)?;
        Ok(all.into_iter().filter(|(name, _)| name == key).map(|(_, upload)| upload).collect())
    }
}
