//! The job's log file: masked bytes as they came, and beside it the times of its lines.
//!
//! GitHub puts a time before each line; at a gigabyte of output that would double the work. Here
//! `<log>.times` holds records of sixteen bytes, two little-endian numbers: a length of the log
//! and the milliseconds since 1970 when it had that length. A line has the time of the last record
//! at or before its first byte.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

use event::LogRange;

use crate::control;

/// Bytes kept back before they are written: few calls, and little memory.
const BUFFER_BYTES: usize = 64 << 10;

/// How long bytes may be kept back: what a person watches feels live, and a process that prints
/// a line at a time does not cost a write for each.
const FLUSH_EVERY: Duration = Duration::from_millis(50);

/// The finest time a line is given.
const TIMES_EVERY_MS: u64 = 10;

/// The log of a job.
#[derive(Debug)]
pub(crate) struct Log {
    file: File,
    times: File,
    times_buffer: Vec<u8>,
    times_last: Option<u64>,
    buffer: Vec<u8>,
    written: u64,
    lines: u64,
    flushed: Instant,
}

impl Log {
    /// Begins a log that is empty.
    pub(crate) fn create(path: &Path) -> io::Result<Log> {
        let mut times = path.as_os_str().to_owned();
        times.push(".times");
        Ok(Log {
            file: File::create(path)?,
            times: File::create(times)?,
            times_buffer: Vec::new(),
            times_last: None,
            buffer: Vec::with_capacity(2 * BUFFER_BYTES),
            written: 0,
            lines: 0,
            flushed: Instant::now(),
        })
    }

    /// Where masked bytes go; call [`Log::wrote`] behind it.
    pub(crate) fn buffer(&mut self) -> &mut Vec<u8> {
        let now_ms = control::now().0;
        if self.times_last.is_none_or(|last| now_ms >= last + TIMES_EVERY_MS) {
            self.times_last = Some(now_ms);
            let length = self.length();
            self.times_buffer.extend_from_slice(&length.to_le_bytes());
            self.times_buffer.extend_from_slice(&now_ms.to_le_bytes());
        }
        &mut self.buffer
    }

    /// Says how many lines ended in what was added, and writes once enough has come together.
    pub(crate) fn wrote(&mut self, lines: u64) -> io::Result<()> {
        self.lines += lines;
        if self.buffer.len() >= BUFFER_BYTES { self.flush() } else { Ok(()) }
    }

    /// Its length, with what is not written yet.
    pub(crate) fn length(&self) -> u64 {
        self.written + self.buffer.len() as u64
    }

    /// An empty range at the end: where a step's lines begin.
    pub(crate) fn begin(&self) -> LogRange {
        LogRange { start_bytes: self.length(), end_bytes: self.length(), lines: self.lines }
    }

    /// The lines since `begin`.
    pub(crate) fn range(&self, begin: LogRange) -> LogRange {
        LogRange {
            start_bytes: begin.start_bytes,
            end_bytes: self.length(),
            lines: self.lines - begin.lines,
        }
    }

    /// When it wants to be flushed; none when there is nothing to write.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        (!self.buffer.is_empty()).then(|| self.flushed + FLUSH_EVERY)
    }

    /// Writes what was kept back.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        if !self.buffer.is_empty() {
            self.file.write_all(&self.buffer)?;
            self.written += self.buffer.len() as u64;
            self.buffer.clear();
        }
        if !self.times_buffer.is_empty() {
            self.times.write_all(&self.times_buffer)?;
            self.times_buffer.clear();
        }
        self.flushed = Instant::now();
        Ok(())
    }
}
