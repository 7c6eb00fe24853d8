//! Digests of long logs, taken while they grow.
//!
//! A log of a gigabyte is a second of hashing. Done when the job has ended, that second is one that
//! everybody waits; done beside the job, nobody does.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};

use event::Digest;
use sha2::{Digest as _, Sha256};

/// Shorter logs are hashed when they have ended: that takes less time than telling a thread.
const LOG_BYTES_MIN: u64 = 1 << 20;

const CHUNK_BYTES: usize = 256 << 10;
/// Logs that are read along at a time, each an open file: of a job that was lost nobody asks for the sum. One that
/// goes on is read anew.
const GROWING_MAX: usize = 256;

/// What a file holds, as far as somebody looked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sum {
    pub(crate) digest: Digest,
    pub(crate) size_bytes: u64,
}

/// A thread that hashes what is added to logs. It starts with the first long one, and ends with this
/// value.
#[derive(Debug, Default)]
pub struct Sums {
    thread: OnceLock<Sender<Request>>,
}

#[derive(Debug)]
enum Request {
    Grown { log: PathBuf },
    Finish { log: PathBuf, reply: SyncSender<Option<Sum>> },
}

impl Sums {
    /// Says that a log has so many bytes by now.
    pub fn grown(&self, log: &Path, bytes: u64) {
        if bytes >= LOG_BYTES_MIN {
            let thread = self.thread.get_or_init(start);
            // A thread that is gone answers no question either, and the log is hashed at its end.
            let _ = thread.send(Request::Grown { log: log.to_owned() });
        }
    }

    /// The digest of a log that has ended; none where nobody looked at it while it grew, or where it
    /// could not be read.
    pub fn finish(&self, log: &Path) -> Option<Sum> {
        let (reply, answer) = sync_channel(1);
        self.thread.get()?.send(Request::Finish { log: log.to_owned(), reply }).ok()?;
        answer.recv().ok()?
    }
}

fn start() -> Sender<Request> {
    let (sender, requests) = channel();
    // Where no thread can be had the channel is closed at once.
    let _ = std::thread::Builder::new().name("sums".to_owned()).spawn(move || work(&requests));
    sender
}

fn work(requests: &Receiver<Request>) {
    let mut growing: BTreeMap<PathBuf, Growing> = BTreeMap::new();
    while let Ok(request) = requests.recv() {
        match request {
            Request::Grown { log } => {
                let known = growing.remove(&log).map_or_else(|| Growing::open(&log), Ok);
                // One that cannot be read is hashed at its end, where that is told.
                if let Ok(read) = known.and_then(Growing::read_on) {
                    if growing.len() >= GROWING_MAX {
                        growing.pop_first();
                    }
                    growing.insert(log, read);
                }
            }
            Request::Finish { log, reply } => {
                let read = growing.remove(&log).and_then(|known| known.read_on().ok());
                // Who asked may be gone.
                let _ = reply.send(read.map(Growing::sum));
            }
        }
    }
}

/// A log as far as it was read.
struct Growing {
    file: File,
    hash: Sha256,
    size_bytes: u64,
}

impl Growing {
    fn open(log: &Path) -> io::Result<Growing> {
        Ok(Growing { file: File::open(log)?, hash: Sha256::new(), size_bytes: 0 })
    }

    /// Reads to where it ends now.
    fn read_on(mut self) -> io::Result<Growing> {
        let mut chunk = vec![0; CHUNK_BYTES];
        loop {
            match self.file.read(&mut chunk) {
                Ok(0) => return Ok(self),
                Ok(read) => {
                    self.hash.update(&chunk[..read]);
                    self.size_bytes += read as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn sum(self) -> Sum {
        Sum { digest: Digest(self.hash.finalize().into()), size_bytes: self.size_bytes }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn a_log_that_grew_has_the_sum_of_all_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let mut log = File::create(&path).unwrap();
        let sums = Sums::default();
        let part = vec![b'x'; 700 << 10];
        let mut all = Vec::new();
        for _ in 0..5 {
            log.write_all(&part).unwrap();
            all.extend_from_slice(&part);
            sums.grown(&path, all.len() as u64);
        }
        log.write_all(b"and what nobody told").unwrap();
        all.extend_from_slice(b"and what nobody told");
        let expected = Sum { digest: Digest::of(&all), size_bytes: all.len() as u64 };
        assert_eq!(sums.finish(&path), Some(expected));
        assert_eq!(sums.finish(&path), None, "it is over");
    }

    #[test]
    fn logs_that_nobody_asks_for_keep_no_files_open() {
        let folder = tempfile::tempdir().unwrap();
        let sums = Sums::default();
        let path = |number: usize| folder.path().join(format!("{number:04}"));
        for number in 0..GROWING_MAX + 50 {
            std::fs::write(path(number), number.to_string()).unwrap();
            sums.grown(&path(number), LOG_BYTES_MIN);
        }
        let open = || {
            let files = std::fs::read_dir("/proc/self/fd").unwrap().flatten();
            let links = files.filter_map(|it| std::fs::read_link(it.path()).ok());
            links.filter(|it| it.starts_with(folder.path())).count()
        };
        // The newest is asked for last, so all were heard by then.
        let last = GROWING_MAX + 49;
        let expected = Sum {
            digest: Digest::of(last.to_string().as_bytes()),
            size_bytes: last.to_string().len() as u64,
        };
        assert_eq!(sums.finish(&path(last)), Some(expected));
        assert_eq!(open(), GROWING_MAX - 1);
        assert_eq!(sums.finish(&path(0)), None, "it is hashed at its end");
    }

    #[test]
    fn short_logs_and_those_that_are_gone_have_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        std::fs::write(&path, "short").unwrap();
        let sums = Sums::default();
        sums.grown(&path, 5);
        assert_eq!(sums.finish(&path), None);
        sums.grown(&folder.path().join("gone"), LOG_BYTES_MIN);
        assert_eq!(sums.finish(&folder.path().join("gone")), None);
    }
}
