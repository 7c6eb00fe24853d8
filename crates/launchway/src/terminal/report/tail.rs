//! What a growing log gained since one looked last, in blocks of whole lines.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use event::JobKey;

/// What is read at once. A job that writes faster than people read is shown in pieces.
const CHUNK_BYTES: usize = 64 << 10;
/// A line above this is shown cut: nobody reads it whole on a terminal, and the log has it. No
/// shorter than a chunk, in which a line that is not too long may stand whole.
const LINE_BYTES_MAX: usize = CHUNK_BYTES;

/// One open log and the line it stopped in.
struct Follow {
    file: File,
    at: u64,
    part: Vec<u8>,
    chunk: Vec<u8>,
}

/// The logs of all jobs of a run that are being followed; with a number, those of their background
/// steps.
#[derive(Default)]
pub(crate) struct Tails {
    follows: BTreeMap<(u64, JobKey, Option<u32>), Follow>,
}

impl Tails {
    /// Gives every whole line that the log at `path` has up to `end_bytes` and that was not given
    /// before. A log that cannot be read gives nothing: the run matters more than its picture.
    pub(crate) fn advance(
        &mut self,
        (run, job, own): (u64, &JobKey, Option<u32>),
        path: &Path,
        end_bytes: u64,
        show: &mut dyn FnMut(&str),
    ) {
        let key = (run, job.clone(), own);
        if !self.follows.contains_key(&key) {
            let Ok(file) = File::open(path) else { return };
            self.follows.insert(
                key.clone(),
                Follow { file, at: 0, part: Vec::new(), chunk: vec![0; CHUNK_BYTES] },
            );
        }
        let follow = self.follows.get_mut(&key).expect("it was put there");
        // The bytes are there already; what cannot be read now is read at the next report.
        let _ = follow.advance(end_bytes, show);
    }

    /// Gives what stands behind the last newline of a job's logs, and forgets them.
    pub(crate) fn finish(&mut self, run: u64, job: &JobKey, show: &mut dyn FnMut(&str)) {
        let of_job = (run, job.clone(), None)..=(run, job.clone(), Some(u32::MAX));
        for (_, follow) in self.follows.extract_if(of_job, |_, _| true) {
            if !follow.part.is_empty() {
                show(&text(&follow.part));
            }
        }
    }
}

impl Follow {
    fn advance(&mut self, end: u64, show: &mut dyn FnMut(&str)) -> std::io::Result<()> {
        self.file.seek(SeekFrom::Start(self.at))?;
        let mut chunk = std::mem::take(&mut self.chunk);
        let outcome = self.read_to(end, &mut chunk, show);
        self.chunk = chunk;
        outcome
    }

    fn read_to(
        &mut self,
        end: u64,
        chunk: &mut [u8],
        show: &mut dyn FnMut(&str),
    ) -> std::io::Result<()> {
        while self.at < end {
            let wanted = usize::try_from(end - self.at).unwrap_or(CHUNK_BYTES).min(CHUNK_BYTES);
            let read = self.file.read(&mut chunk[..wanted])?;
            if read == 0 {
                break;
            }
            self.at += read as u64;
            self.take(&chunk[..read], show);
        }
        Ok(())
    }

    fn take(&mut self, bytes: &[u8], show: &mut dyn FnMut(&str)) {
        let Some(last_end) = memchr::memrchr(b'\n', bytes) else { return self.keep(bytes) };
        let (mut whole, rest) = bytes.split_at(last_end + 1);
        if !self.part.is_empty() {
            let first_end = memchr::memchr(b'\n', whole).expect("there is a last one");
            self.keep(&whole[..first_end]);
            self.part.push(b'\n');
            show(&text(&self.part));
            self.part.clear();
            whole = &whole[first_end + 1..];
        }
        if !whole.is_empty() {
            show(&text(whole));
        }
        self.keep(rest);
    }

    /// A line that has not ended yet.
    fn keep(&mut self, bytes: &[u8]) {
        let room = LINE_BYTES_MAX.saturating_sub(self.part.len());
        self.part.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }
}

/// Whole lines as text. Nearly all are UTF-8, and asking that first is several times as fast.
fn text(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => String::from_utf8_lossy(bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn lines_come_whole_and_once_and_not_too_long() {
        let mut log = tempfile::NamedTempFile::new().expect("temp file");
        let job = JobKey::new("test");
        let mut tails = Tails::default();
        let mut seen = Vec::new();
        let mut look = |log: &mut tempfile::NamedTempFile, text: &str| {
            log.write_all(text.as_bytes()).expect("written");
            let end = log.as_file().metadata().expect("there").len();
            let mut show = |block: &str| seen.push(block.to_owned());
            tails.advance((1, &job, None), log.path(), end, &mut show);
        };
        look(&mut log, "one\ntwo\nth");
        look(&mut log, "ree");
        look(&mut log, "\r\nfour\nfi");
        let long = "x".repeat(LINE_BYTES_MAX);
        look(&mut log, &format!("ve\n{long}xyz"));
        look(&mut log, "xyz\n");
        look(&mut log, "end");
        tails.finish(1, &job, &mut |block| seen.push(block.to_owned()));
        let cut = format!("{long}\n");
        assert_eq!(seen, ["one\ntwo\n", "three\r\n", "four\n", "five\n", &cut, "end"]);
    }
}
