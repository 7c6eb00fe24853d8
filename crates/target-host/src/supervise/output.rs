//! What a container prints, as its engine gives it, put into the log of its instance: where
//! processes print to by themselves.
//!
//! Beside the log lies how far it was copied: the time of the last line, and how many lines had that
//! time. Killed between the two, a line may stand in the log twice; none is missing.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;

/// Read at once.
pub(crate) const PIECE_BYTES: usize = 64 << 10;
/// Before each line: where it was printed to, and its length.
const HEAD_BYTES: usize = 8;

/// Up to where a container's output was copied.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Reached {
    seconds: u64,
    nanos: u32,
    /// Lines of that very time.
    lines: u64,
}

/// The log of one container.
pub(crate) struct Output {
    log: File,
    cursor: File,
    id: String,
    reached: Reached,
    /// Lines of the time that was reached which come once more.
    again: u64,
    since: Reached,
    /// Half a line's worth.
    rest: Vec<u8>,
}

impl Output {
    pub(crate) fn open(path: &Path, id: &str) -> io::Result<Output> {
        let (log, _) = crate::processes::output(path)?;
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let mut cursor = options.open(path.with_extension("copied"))?;
        let mut text = String::new();
        cursor.read_to_string(&mut text)?;
        // One of another container says nothing about this one.
        let reached = reached(&text, id).unwrap_or_default();
        let (again, since) = (reached.lines, reached.clone());
        Ok(Output { log, cursor, id: id.to_owned(), reached, again, since, rest: Vec::new() })
    }

    /// From when on the engine is asked.
    pub(crate) fn since(&self) -> String {
        format!("{}.{:09}", self.reached.seconds, self.reached.nanos)
    }

    /// Takes what came.
    pub(crate) fn take(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.rest.extend_from_slice(bytes);
        let (mut at, mut out) = (0, Vec::new());
        while let Some(head) = self.rest.get(at..at + HEAD_BYTES) {
            let length = u32::from_be_bytes([head[4], head[5], head[6], head[7]]) as usize;
            let Some(line) = self.rest.get(at + HEAD_BYTES..at + HEAD_BYTES + length) else {
                break;
            };
            at += HEAD_BYTES + length;
            let (time, line) = timed(line);
            if let Some((seconds, nanos)) = time {
                if (seconds, nanos) < (self.since.seconds, self.since.nanos) {
                    continue;
                }
                if (seconds, nanos) == (self.since.seconds, self.since.nanos) && self.again > 0 {
                    self.again -= 1;
                    continue;
                }
                let is_same = (seconds, nanos) == (self.reached.seconds, self.reached.nanos);
                let lines = if is_same { self.reached.lines + 1 } else { 1 };
                self.reached = Reached { seconds, nanos, lines };
            }
            out.extend_from_slice(line);
        }
        self.rest.drain(..at);
        if out.is_empty() {
            return Ok(());
        }
        self.log.write_all(&out)?;
        let Reached { seconds, nanos, lines } = &self.reached;
        let text = format!("{} {seconds} {nanos:09} {lines:010}\n", self.id);
        self.cursor.write_all_at(text.as_bytes(), 0)?;
        self.cursor.set_len(text.len() as u64)
    }
}

fn reached(text: &str, id: &str) -> Option<Reached> {
    let mut words = text.split_ascii_whitespace();
    if words.next()? != id {
        return None;
    }
    let (seconds, nanos) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    Some(Reached { seconds, nanos, lines: words.next()?.parse().ok()? })
}

/// A line's time, and the line.
fn timed(line: &[u8]) -> (Option<(u64, u32)>, &[u8]) {
    let Some(end) = line.iter().position(|byte| *byte == b' ') else { return (None, line) };
    match std::str::from_utf8(&line[..end]).ok().and_then(time) {
        Some(time) => (Some(time), &line[end + 1..]),
        None => (None, line),
    }
}

/// Seconds since 1970 and nanoseconds of `2026-11-21T14:18:19.132609372Z`, or with a zone.
fn time(text: &str) -> Option<(u64, u32)> {
    let (date, rest) = text.split_once('T')?;
    let mut date = date.split('-').map(|it| it.parse::<i64>().ok());
    let (year, month, day) = (date.next()??, date.next()??, date.next()??);
    let zone = rest.find(['Z', '+', '-'])?;
    let (clock, zone) = rest.split_at(zone);
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    let mut clock = clock.split(':').map(|it| it.parse::<i64>().ok());
    let (hour, minute, second) = (clock.next()??, clock.next()??, clock.next()??);
    let digits = fraction.get(..fraction.len().min(9))?;
    let nanos: u32 = format!("{digits:0<9}").parse().ok()?;
    let beside = match zone.split_at_checked(1)? {
        ("Z", _) => 0,
        (sign, zone) => {
            let (hours, minutes) = zone.split_once(':')?;
            let seconds = hours.parse::<i64>().ok()? * 3600 + minutes.parse::<i64>().ok()? * 60;
            if sign == "+" { seconds } else { -seconds }
        }
    };
    // Years begin in March here, so that the day that is not always there comes last.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day;
    let since_1970 = days - 719_469;
    let seconds = since_1970 * 86_400 + hour * 3600 + minute * 60 + second - beside;
    Some((u64::try_from(seconds).ok()?, nanos))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(text: &str) -> Vec<u8> {
        let length = u32::try_from(text.len()).expect("short");
        let mut frame = vec![1, 0, 0, 0];
        frame.extend(length.to_be_bytes());
        frame.extend(text.as_bytes());
        frame
    }

    #[test]
    fn times_are_read_as_engines_write_them() {
        assert_eq!(time("1970-01-01T00:00:00Z"), Some((0, 0)));
        assert_eq!(time("2024-02-29T12:00:01.5Z"), Some((1_709_208_001, 500_000_000)));
        let odd = Some((1_795_270_699, 132_609_372));
        assert_eq!(time("2026-11-21T14:18:19.132609372Z"), odd);
        assert_eq!(time("2026-11-21T15:18:19.132609372+01:00"), odd);
        for none in ["", "T", "2026-11-21", "2026-11-21T14:18Z", "hello"] {
            assert_eq!(time(none), None, "{none}");
        }
    }

    #[test]
    fn what_was_copied_is_not_copied_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("7.0.log");
        let all = [
            "2026-11-21T14:18:19.1Z one\n",
            "2026-11-21T14:18:19.2Z two\n",
            "2026-11-21T14:18:19.2Z two again\n",
            "2026-11-21T14:18:19.3Z three\n",
        ];
        let bytes: Vec<u8> = all.iter().flat_map(|it| frame(it)).collect();
        let read = || std::fs::read_to_string(&path).expect("a log");
        let mut output = Output::open(&path, "a").expect("a log");
        assert_eq!(output.since(), "0.000000000");
        // Cut within the third line.
        let cut = frame(all[0]).len() + frame(all[1]).len() + 11;
        output.take(&bytes[..cut]).expect("room");
        assert_eq!(read(), "one\ntwo\n");
        let mut output = Output::open(&path, "a").expect("a log");
        assert_eq!(output.since(), "1795270699.200000000");
        for byte in bytes.chunks(7) {
            output.take(byte).expect("room");
        }
        assert_eq!(read(), "one\ntwo\ntwo again\nthree\n");
        // Another container of the same instance begins anew.
        let mut output = Output::open(&path, "b").expect("a log");
        output.take(&frame("2026-11-21T14:18:19.1Z hello\n")).expect("room");
        assert_eq!(read(), "one\ntwo\ntwo again\nthree\nhello\n");
    }
}
