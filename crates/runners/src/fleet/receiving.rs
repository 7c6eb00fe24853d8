//! What a runner sends besides reports: pieces of logs at their offset, pieces of blobs until their
//! digest is right.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;

use event::BlobId;
use protocol::{HeldLease, LogName, PIECE_BYTES_MAX, Piece, ToRunner, write_frame};
use store::Blobs;

use super::{Fleet, Link};

/// An artifact may be as large as GitHub's; a log of a step is shorter.
const BLOB_BYTES_MAX: u64 = 16 << 30;
/// The longest log: more than a disk's worth in a day would be a fault.
const LOG_BYTES_MAX: u64 = 64 << 30;
/// Blobs of one runner that are on their way at a time: one for each of its jobs.
const BLOBS_AT_ONCE: usize = 256;

/// The bytes of one connection.
pub(super) struct Receiving<'f> {
    fleet: &'f Fleet,
    /// Blobs on their way, with how much of each is there.
    growing: BTreeMap<(HeldLease, BlobId), Growing>,
}

/// What does not come to its end is sent again from its beginning. Until then the file has no name, so that nothing is
/// left of it whenever this process is killed.
struct Growing {
    file: File,
    length: u64,
}

impl Fleet {
    fn log_path(&self, lease: &HeldLease, log: LogName) -> PathBuf {
        let path = self.store.logs().path(lease.run, lease.attempt, &lease.job, lease.fence);
        let mut name = path.into_os_string();
        name.push(log.suffix());
        name.into()
    }

    /// How much of each file of a job's log is there.
    pub(super) fn log_lengths(&self, lease: &HeldLease) -> Vec<(LogName, u64)> {
        let path = self.log_path(lease, LogName { own: None, times: false });
        files(&path)
    }
}

/// The files of a log, with their lengths.
pub(crate) fn files(log: &std::path::Path) -> Vec<(LogName, u64)> {
    let (Some(folder), Some(name)) = (log.parent(), log.file_name().and_then(|it| it.to_str()))
    else {
        return Vec::new();
    };
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let file = |entry: fs::DirEntry| {
        let own = entry.file_name();
        let log = LogName::of_suffix(own.to_str()?.strip_prefix(name)?)?;
        Some((log, entry.metadata().ok()?.len()))
    };
    let mut found: Vec<_> = entries.filter_map(file).collect();
    found.sort_unstable();
    found
}

impl<'f> Receiving<'f> {
    pub(super) fn new(fleet: &'f Fleet) -> Receiving<'f> {
        Receiving { fleet, growing: BTreeMap::new() }
    }

    /// Writes a piece of a log. A hole is refused, and so is what differs from what is there.
    pub(super) fn log(
        &self,
        lease: &HeldLease,
        log: LogName,
        offset: u64,
        bytes: &[u8],
    ) -> Result<(), String> {
        let path = self.fleet.log_path(lease, log);
        let failed = |error: std::io::Error| format!("cannot write {}: {error}", path.display());
        let folder = path.parent().expect("a log lies in a folder");
        fs::create_dir_all(folder).map_err(failed)?;
        let mut options = File::options();
        let file = options.read(true).write(true).create(true).truncate(false).open(&path);
        let file = file.map_err(failed)?;
        let length = file.metadata().map_err(failed)?.len();
        if offset > length || offset.saturating_add(bytes.len() as u64) > LOG_BYTES_MAX {
            return Err(format!("a log has {length} bytes, and a piece is of byte {offset}"));
        }
        let known = ((length - offset) as usize).min(bytes.len());
        let mut there = vec![0; known];
        file.read_exact_at(&mut there, offset).map_err(failed)?;
        if there != bytes[..known] {
            return Err("a piece of a log differs from what was sent before".to_owned());
        }
        file.write_all_at(&bytes[known..], offset + known as u64).map_err(failed)
    }

    /// Takes a piece of a blob. With the last it is kept, if it is what its name says.
    pub(super) fn blob(
        &mut self,
        lease: &HeldLease,
        blob: &BlobId,
        piece: Piece,
        bytes: &[u8],
    ) -> Result<(), String> {
        let key = (lease.clone(), blob.clone());
        if piece.size > BLOB_BYTES_MAX {
            return Err(format!("a blob of {} bytes is too long", piece.size));
        }
        if piece.offset == 0 {
            let growing = self.begin()?;
            self.growing.insert(key.clone(), growing);
        }
        let growing = self.growing.get_mut(&key).filter(|it| it.length == piece.offset);
        let growing = growing.ok_or("a piece of a blob came, and another was next")?;
        let failed = |error: std::io::Error| format!("cannot write a blob: {error}");
        growing.file.write_all(bytes).map_err(failed)?;
        growing.length += bytes.len() as u64;
        if growing.length < piece.size {
            return Ok(());
        }
        let mut growing = self.growing.remove(&key).expect("it was there");
        growing.file.seek(SeekFrom::Start(0)).map_err(failed)?;
        let kept = self.fleet.store.blobs().put(&mut growing.file);
        let (kept, size) = kept.map_err(|error| error.to_string())?;
        if kept != *blob || size != piece.size {
            return Err("a blob is not what its name says".to_owned());
        }
        Ok(())
    }

    fn begin(&self) -> Result<Growing, String> {
        if self.growing.len() >= BLOBS_AT_ONCE {
            return Err("too many blobs are on their way".to_owned());
        }
        let folder = &self.fleet.incoming;
        let file = fs::create_dir_all(folder).and_then(|()| tempfile::tempfile_in(folder));
        let file = file.map_err(|error| format!("cannot write {}: {error}", folder.display()))?;
        Ok(Growing { file, length: 0 })
    }
}

/// Sends a blob to a runner.
pub(super) fn send_blob(
    blobs: &Blobs,
    lease: &HeldLease,
    blob: &BlobId,
    link: &dyn Link,
) -> Result<(), String> {
    let failed = |error: std::io::Error| error.to_string();
    let mut file = blobs.get(blob).map_err(|error| error.to_string())?;
    let size = file.metadata().map_err(failed)?.len();
    let mut bytes = vec![0; PIECE_BYTES_MAX];
    let mut offset = 0;
    loop {
        let most = bytes.len().min((size - offset) as usize);
        file.read_exact(&mut bytes[..most]).map_err(failed)?;
        let (lease, blob) = (lease.clone(), blob.clone());
        let message = ToRunner::Blob { lease, blob, piece: Piece { offset, size } };
        offset += most as u64;
        // Nobody is there any more: nobody waits for it either.
        if !link.bulk(write_frame(&message, &bytes[..most])) || offset == size {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::sync::Arc;
    use std::time::Duration;

    use event::{Attempt, Fence, JobKey, RunId, Timestamp};
    use store::Store;

    use super::*;
    use crate::fleet::{Book, FleetOptions, KnownRunner};

    /// Nobody was there before.
    struct Nobody;

    impl Book for Nobody {
        fn known(&self) -> BTreeMap<String, KnownRunner> {
            BTreeMap::new()
        }

        fn keep(&self, _: &str, _: &KnownRunner) {}
        fn forget(&self, _: &[String]) {}
        fn changed(&self, _: &Fleet) {}
        fn say(&self, _: &str) {}

        fn now(&self) -> Timestamp {
            Timestamp(0)
        }
    }

    #[test]
    fn nothing_has_a_name_before_all_of_it_is_there() {
        let folder = tempfile::tempdir().expect("a folder of ours");
        let store = Arc::new(Store::open(folder.path()).expect("a journal of ours"));
        let blob = store.blobs().put_bytes(b"ab").expect("it is kept");
        let (inputs, _heard) = std::sync::mpsc::channel();
        let incoming = folder.path().join("incoming");
        let fleet = Fleet::new(FleetOptions {
            store: Arc::clone(&store),
            incoming: incoming.clone(),
            inputs,
            book: Box::new(Nobody),
            away: Duration::from_secs(3600),
        });
        let job = JobKey::new("a");
        let lease = HeldLease { run: RunId(1), attempt: Attempt(1), job, fence: Fence(1) };
        let mut receiving = Receiving::new(&fleet);
        let mut piece =
            |offset, bytes: &[u8]| receiving.blob(&lease, &blob, Piece { offset, size: 2 }, bytes);
        assert_eq!(piece(0, b"a"), Ok(()));
        assert_eq!(fs::read_dir(&incoming).expect("it was made").count(), 0);
        assert_eq!(piece(1, b"c"), Err("a blob is not what its name says".to_owned()));
        assert_eq!(piece(1, b"b"), Err("a piece of a blob came, and another was next".to_owned()));
        assert_eq!((piece(0, b"a"), piece(1, b"b")), (Ok(()), Ok(())));
        let mut text = String::new();
        store.blobs().get(&blob).expect("it is kept").read_to_string(&mut text).expect("text");
        assert_eq!(text, "ab");
    }
}
