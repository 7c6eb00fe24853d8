//! Where dumps are kept: a bucket, as far as they need one.

use aws::Fault;

/// An object, as the bucket knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Its size.
    pub(crate) bytes: u64,
    /// Which version of it.
    pub(crate) etag: String,
}

/// A bucket. Every call may be made twice without harm.
pub(crate) trait Bucket {
    /// What is known of an object; none where there is none.
    ///
    /// # Errors
    /// When the bucket does not say; as of every call here.
    fn head(&mut self, key: &str) -> Result<Option<Seen>, Fault>;

    /// A small object, whole.
    ///
    /// # Errors
    /// As above.
    fn get(&mut self, key: &str) -> Result<Option<Vec<u8>>, Fault>;

    /// An object, written to somewhere as it comes; false where there is none.
    ///
    /// # Errors
    /// As above. Something of it may be written then.
    fn read(&mut self, key: &str, into: &mut dyn std::io::Write) -> Result<bool, Fault>;

    /// Writes an object, over what is there.
    ///
    /// # Errors
    /// As above.
    fn write(&mut self, key: &str, bytes: &[u8]) -> Result<(), Fault>;

    /// Begins one that is written in parts, and names the upload.
    ///
    /// # Errors
    /// As above.
    fn begin(&mut self, key: &str) -> Result<String, Fault>;

    /// A part, numbered from 1; what it is known by comes back.
    ///
    /// # Errors
    /// As above.
    fn part(&mut self, key: &str, upload: &str, number: u32, bytes: &[u8])
    -> Result<String, Fault>;

    /// All parts are there, in this order: it becomes an object.
    ///
    /// # Errors
    /// As above.
    fn complete(&mut self, key: &str, upload: &str, parts: &[String]) -> Result<(), Fault>;

    /// It will never be one. What is not there any more is as well.
    ///
    /// # Errors
    /// As above.
    fn abort(&mut self, key: &str, upload: &str) -> Result<(), Fault>;

    /// Uploads of this name that were begun and are not over.
    ///
    /// # Errors
    /// As above.
    fn uploads(&mut self, key: &str) -> Result<Vec<String>, Fault>;
}
