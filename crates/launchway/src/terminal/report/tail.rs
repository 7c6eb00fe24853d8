//! What a growing log gained since one looked last, line by line.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use event::JobKey;

/// What is read at once. A job that writes faster than people read is shown in pieces.
const CHUNK_BYTES: usize = 64 << 10;
/// A line above this is shown cut: nobody reads it whole on a terminal, and the log has it.
const LINE_BYTES_MAX: usize = 16 << 10;

/// One open log and the line it stopped in.
struct Follow {
    file: File,
    at: u64,
    part: Vec<u8>,
}

/// The logs of all jobs of a run that are being followed.
#[derive(Default)]
pub(crate) struct Tails {
    follows: BTreeMap<(u64, JobKey), Follow>,
}

impl Tails {
    /// Gives every whole line that the log at `path` has up to `end_bytes` and that was not given
    /// before. A log that cannot be read gives nothing: the run matters more than its picture.
    pub(crate) fn advance(
        &mut self,
        run: u64,
        job: &JobKey,
        path: &Path,
        end_bytes: u64,
        line: &mut dyn FnMut(&str),
    ) {
        let key = (run, job.clone());
        if !self.follows.contains_key(&key) {
            let Ok(file) = File::open(path) else { return };
            self.follows.insert(key.clone(), Follow { file, at: 0, part: Vec::new() });
        }
        let follow = self.follows.get_mut(&key).expect("it was put there");
        // The bytes are there already; what cannot be read now is read at the next report.
        let _ = follow.advance(end_bytes, line);
    }

    /// Gives what stands behind the last newline, and forgets the log.
    pub(crate) fn finish(&mut self, run: u64, job: &JobKey, line: &mut dyn FnMut(&str)) {
        if let Some(follow) = self.follows.remove(&(run, job.clone()))
            && !follow.part.is_empty()
        {
            line(&text(&follow.part));
        }
    }
}

impl Follow {
    fn advance(&mut self, end: u64, line: &mut dyn FnMut(&str)) -> std::io::Result<()> {
        self.file.seek(SeekFrom::Start(self.at))?;
        let mut chunk = vec![0; CHUNK_BYTES];
        while self.at < end {
            let wanted = usize::try_from(end - self.at).unwrap_or(CHUNK_BYTES).min(CHUNK_BYTES);
            let read = self.file.read(&mut chunk[..wanted])?;
            if read == 0 {
                break;
            }
            self.at += read as u64;
            self.take(&chunk[..read], line);
        }
        Ok(())
    }

    fn take(&mut self, bytes: &[u8], line: &mut dyn FnMut(&str)) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let room = LINE_BYTES_MAX.saturating_sub(self.part.len());
            self.part.extend_from_slice(&piece[..piece.len().min(room)]);
            if piece.ends_with(b"\n") {
                line(&text(&self.part));
                self.part.clear();
            }
        }
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim_end_matches(['\n', '\r']).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn lines_come_whole_and_once() {
        let mut log = tempfile::NamedTempFile::new().expect("temp file");
        let job = JobKey::new("test");
        let mut tails = Tails::default();
        let mut seen = Vec::new();
        let mut look = |log: &mut tempfile::NamedTempFile, text: &str| {
            log.write_all(text.as_bytes()).expect("written");
            let end = log.as_file().metadata().expect("there").len();
            tails.advance(1, &job, log.path(), end, &mut |line| seen.push(line.to_owned()));
        };
        look(&mut log, "one\ntw");
        look(&mut log, "o\r\nthree\nfo");
        tails.finish(1, &job, &mut |line| seen.push(line.to_owned()));
        assert_eq!(seen, ["one", "two", "three", "fo"]);
    }
}
