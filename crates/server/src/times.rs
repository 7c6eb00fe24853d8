//! When the lines of a log were printed: a file beside it, written by the worker.
//!
//! Its records are sixteen bytes, two little-endian numbers: a length of the log, and the
//! milliseconds since 1970 when it had that length, no finer than ten. A line has the time of the
//! last record at or before its first byte.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

const RECORD_BYTES: u64 = 16;
/// Records that are read at once, for the lines of a window.
const RECORDS: usize = 256;

/// The open file.
#[derive(Debug)]
pub(crate) struct Times {
    file: File,
    records: u64,
    /// Records that were read, and the number of the first.
    held: (u64, Vec<(u64, u64)>),
}

impl Times {
    pub(crate) fn of(file: File) -> io::Result<Times> {
        let records = file.metadata()?.len() / RECORD_BYTES;
        Ok(Times { file, records, held: (0, Vec::new()) })
    }

    /// When the line was printed that begins at a byte; none where nobody wrote it down.
    pub(crate) fn at(&mut self, byte: u64) -> io::Result<Option<u64>> {
        let (mut low, mut high) = (0, self.records);
        while low < high {
            let middle = low.midpoint(high);
            if self.record(middle)?.is_some_and(|(length, _)| length <= byte) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        Ok(match low.checked_sub(1) {
            Some(at) => self.record(at)?.map(|(_, ms)| ms),
            None => None,
        })
    }

    fn record(&mut self, number: u64) -> io::Result<Option<(u64, u64)>> {
        let (first, held) = &self.held;
        if number >= *first && number - first < held.len() as u64 {
            return Ok(held.get((number - first) as usize).copied());
        }
        let first = number.saturating_sub(RECORDS as u64 / 4);
        let mut bytes = vec![0; RECORDS * RECORD_BYTES as usize];
        let read = self.file.read_at(&mut bytes, first * RECORD_BYTES)?;
        let (records, _) = bytes[..read].as_chunks::<{ RECORD_BYTES as usize }>();
        let number_at = |record: &[u8; 16], at: usize| {
            u64::from_le_bytes(record[at..at + 8].try_into().expect("eight bytes"))
        };
        let held = records.iter().map(|it| (number_at(it, 0), number_at(it, 8))).collect();
        self.held = (first, held);
        Ok(self.held.1.get((number - first) as usize).copied())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn a_line_has_the_time_of_the_last_record_before_it() {
        let mut file = tempfile::tempfile().unwrap();
        for number in 0..2_000_u64 {
            file.write_all(&(number * 10 + 5).to_le_bytes()).unwrap();
            file.write_all(&(70_000 + number).to_le_bytes()).unwrap();
        }
        // Half a record is none.
        file.write_all(b"half").unwrap();
        let mut times = Times::of(file).unwrap();
        assert_eq!(times.at(4).unwrap(), None);
        for (byte, ms) in [(5, 0), (14, 0), (15, 1), (10_005, 1_000), (7, 0), (99_999, 1_999)] {
            assert_eq!(times.at(byte).unwrap(), Some(70_000 + ms), "{byte}");
        }
        assert_eq!(Times::of(tempfile::tempfile().unwrap()).unwrap().at(0).unwrap(), None);
    }
}
