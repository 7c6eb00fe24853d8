//! One log, with the one before it: where its last lines begin, and what came since.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

use mask::{Masker, StreamMasker};
use rustix::fs::{FlockOperation, flock};

use crate::folder::Lock;
use crate::supervise::LOG_INTERVAL;

/// Read at once.
const PIECE_BYTES: usize = 64 << 10;
/// A longer line is shown in pieces.
const LINE_BYTES_MAX: usize = 1 << 20;

/// One log, read up to somewhere.
pub(super) struct Reader {
    path: PathBuf,
    masker: Masker,
    stream: StreamMasker,
    /// Masked, and its end has not come yet.
    line: Vec<u8>,
    /// Half a line, of which the first half was never read, is not shown: it may be half a secret.
    is_within: bool,
    position: u64,
    before: Option<Before>,
    looked: Option<Instant>,
}

/// The log before, as it was: another one says that something was moved there.
type Before = (SystemTime, u64);

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Reader").field(&self.path).finish()
    }
}

impl Reader {
    pub(super) fn new(path: PathBuf, masker: Masker) -> Reader {
        Reader {
            path,
            masker,
            stream: StreamMasker::new(),
            line: Vec::new(),
            is_within: false,
            position: 0,
            before: None,
            looked: None,
        }
    }

    /// When something was printed last.
    pub(super) fn written(&self) -> Option<SystemTime> {
        std::fs::metadata(&self.path).ok()?.modified().ok()
    }

    /// The last lines; from here on [`Reader::more`] goes on.
    pub(super) fn last(&mut self, lines: usize, out: &mut Vec<String>) -> io::Result<()> {
        let log = self.open()?;
        let all = log.before_bytes() + log.bytes;
        let start = log.start_of(lines)?;
        self.read(&log, start..all, out)?;
        self.stands_at(&log);
        Ok(())
    }

    /// What came since.
    pub(super) fn more(&mut self, out: &mut Vec<String>) -> io::Result<()> {
        let log = self.open()?;
        let moved = log.before_bytes();
        let was_moved = self.looked.is_some() && log.before_is() != self.before;
        // Where something may have been moved twice, nobody knows where we stood.
        let is_lost =
            self.looked.is_some_and(|at| at.elapsed() >= LOG_INTERVAL.saturating_sub(SLACK));
        let from = match (was_moved, is_lost) {
            (false, _) => moved + self.position,
            (true, false) => self.position,
            (true, true) => {
                self.stream = StreamMasker::new();
                self.line.clear();
                self.is_within = true;
                moved
            }
        };
        self.read(&log, from..moved + log.bytes, out)?;
        self.stands_at(&log);
        Ok(())
    }

    /// Nothing more is awaited: what stands behind the last end of a line is a line.
    pub(super) fn finish(&mut self, out: &mut Vec<String>) {
        let mut masked = Vec::new();
        self.stream.finish(&self.masker, &mut masked);
        self.take(&masked, out);
        if !self.line.is_empty() && !self.is_within {
            out.push(text(&std::mem::take(&mut self.line)));
        }
    }

    fn stands_at(&mut self, log: &Joined) {
        self.position = log.bytes;
        self.before = log.before_is();
        self.looked = Some(Instant::now());
    }

    fn read(
        &mut self,
        log: &Joined,
        range: std::ops::Range<u64>,
        out: &mut Vec<String>,
    ) -> io::Result<()> {
        let mut piece = vec![0; PIECE_BYTES];
        let mut at = range.start;
        while at < range.end {
            let left = usize::try_from(range.end - at).unwrap_or(usize::MAX);
            let count = log.read_at(&mut piece[..left.min(PIECE_BYTES)], at)?;
            if count == 0 {
                break;
            }
            at += count as u64;
            let mut masked = Vec::new();
            self.stream.push(&self.masker, &piece[..count], &mut masked);
            self.take(&masked, out);
        }
        Ok(())
    }

    fn take(&mut self, masked: &[u8], out: &mut Vec<String>) {
        for part in masked.split_inclusive(|byte| *byte == b'\n') {
            let (part, is_whole) = part.strip_suffix(b"\n").map_or((part, false), |it| (it, true));
            if self.is_within {
                self.is_within = !is_whole;
                continue;
            }
            self.line.extend_from_slice(part);
            if is_whole || self.line.len() >= LINE_BYTES_MAX {
                out.push(text(&std::mem::take(&mut self.line)));
            }
        }
    }

    fn open(&self) -> io::Result<Joined> {
        let log = File::open(&self.path)?;
        flock(&log, FlockOperation::LockShared)?;
        let log = Lock(log);
        let bytes = log.0.metadata()?.len();
        let before = match File::open(self.path.with_extension("log.1")) {
            Ok(file) => {
                let data = file.metadata()?;
                Some((file, (data.modified()?, data.len())))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        Ok(Joined { before, log, bytes })
    }
}

/// How much sooner than after one interval a second move can come.
const SLACK: Duration = Duration::from_secs(1);

/// Both logs as one text that nobody moves.
struct Joined {
    before: Option<(File, Before)>,
    log: Lock,
    bytes: u64,
}

impl Joined {
    fn before_is(&self) -> Option<Before> {
        self.before.as_ref().map(|(_, before)| *before)
    }

    fn before_bytes(&self) -> u64 {
        self.before_is().map_or(0, |(_, bytes)| bytes)
    }

    fn read_at(&self, piece: &mut [u8], at: u64) -> io::Result<usize> {
        let before = self.before_bytes();
        match &self.before {
            Some((file, _)) if at < before => {
                let left = usize::try_from(before - at).unwrap_or(usize::MAX).min(piece.len());
                file.read_at(&mut piece[..left], at)
            }
            _ => self.log.0.read_at(piece, at - before),
        }
    }

    /// Where the last lines begin.
    fn start_of(&self, lines: usize) -> io::Result<u64> {
        let all = self.before_bytes() + self.bytes;
        let mut piece = vec![0; PIECE_BYTES];
        let (mut end, mut found) = (all, 0);
        let mut first = None;
        while end > 0 {
            // Never across the border: one read gives one file's bytes.
            let before = self.before_bytes();
            let floor = if end > before { before } else { 0 };
            let start = end.saturating_sub(PIECE_BYTES as u64).max(floor);
            let length = usize::try_from(end - start).expect("a piece");
            let mut read = 0;
            while read < length {
                match self.read_at(&mut piece[read..length], start + read as u64)? {
                    0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                    count => read += count,
                }
            }
            for (index, _) in piece[..length].iter().enumerate().rev().filter(|it| *it.1 == b'\n') {
                let behind = start + index as u64 + 1;
                first = Some(behind);
                // An end of a line at the very end begins none.
                found += usize::from(behind < all);
                if found >= lines && behind < all || lines == 0 {
                    return Ok(if lines == 0 { all } else { behind });
                }
            }
            end = start;
        }
        match (lines, &self.before) {
            (0, _) => Ok(all),
            // What was moved there begins anywhere in a line.
            (_, Some(_)) => Ok(first.unwrap_or(all)),
            (_, None) => Ok(0),
        }
    }
}

fn text(line: &[u8]) -> String {
    String::from_utf8_lossy(line).into_owned()
}

#[cfg(test)]
mod tests;
