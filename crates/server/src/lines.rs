//! A log by its lines, without reading all of it: where every 256th line begins is remembered, so a
//! window costs reading at most 255 lines too many, however long the log is. Where groups begin and
//! end is remembered besides, and which lines are errors.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

/// Lines between two marks: 1,000,000 lines take 32 KB of marks.
const STRIDE: u64 = 256;
/// What is read at once.
const CHUNK_BYTES: usize = 256 << 10;
/// More of a line is cut, and said; the raw log has it.
pub(crate) const LINE_BYTES_MAX: usize = 16 << 10;
/// Groups that can be folded: 16 bytes each. What stands behind them is not folded.
const GROUPS_MAX: usize = 20_000;
/// Errors that one is led to, from each to the next.
const ERRORS_MAX: usize = 1_000;
/// As much of a line as tells whether it begins or ends a group, or is an error.
const MARK_BYTES: usize = "##[endgroup]".len();
/// Logs whose marks are remembered. The one that nobody looked at the longest goes first.
const LOGS_MAX: usize = 64;

/// A line of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// From 1.
    pub(crate) number: u64,
    /// Where it begins, in bytes.
    pub(crate) at: u64,
    pub(crate) text: String,
    /// Bytes that were cut off.
    pub(crate) cut: u64,
}

/// Lines that a `::group::` holds together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Group {
    /// The line with its title.
    pub(crate) from: u64,
    /// Its last line; none where its end was not printed yet.
    pub(crate) to: Option<u64>,
    /// Whether its last line says `##[endgroup]` and nothing else.
    pub(crate) has_end: bool,
}

/// Where lines begin.
#[derive(Debug)]
pub(crate) struct LineIndex {
    /// Where line `STRIDE * i` begins, counted from 0.
    marks: Vec<u64>,
    /// Lines that have an end.
    lines: u64,
    /// Where the last line that has no end begins.
    tail: u64,
    /// How far was read.
    read: u64,
    groups: Vec<Group>,
    errors: Vec<u64>,
    /// Lines that begin so near to the end of what was read that nobody looked yet what they are.
    unlooked: Vec<(u64, u64)>,
}

impl Default for LineIndex {
    fn default() -> LineIndex {
        LineIndex {
            marks: vec![0],
            lines: 0,
            tail: 0,
            read: 0,
            groups: Vec::new(),
            errors: Vec::new(),
            unlooked: vec![(1, 0)],
        }
    }
}

impl LineIndex {
    /// Reads what the log has grown by.
    pub(crate) fn extend(&mut self, log: &File) -> io::Result<()> {
        let mut chunk = vec![0; CHUNK_BYTES];
        self.look(log)?;
        loop {
            let read = log.read_at(&mut chunk, self.read)?;
            if read == 0 {
                return Ok(());
            }
            for at in memchr::memchr_iter(b'\n', &chunk[..read]) {
                self.lines += 1;
                self.tail = self.read + at as u64 + 1;
                if self.lines.is_multiple_of(STRIDE) {
                    self.marks.push(self.tail);
                }
                match chunk[..read].get(at + 1..at + 1 + MARK_BYTES) {
                    Some([b'#', b'#', b'[', ..]) => {
                        self.note(self.lines + 1, &chunk[at + 1..at + 1 + MARK_BYTES]);
                    }
                    Some(_) => {}
                    None => self.unlooked.push((self.lines + 1, self.tail)),
                }
            }
            self.read += read as u64;
            self.look(log)?;
        }
    }

    /// Looks at the lines that nobody looked at; one that is not long enough yet waits.
    fn look(&mut self, log: &File) -> io::Result<()> {
        let mut start = [0; MARK_BYTES];
        for (line, at) in std::mem::take(&mut self.unlooked) {
            let read = log.read_at(&mut start, at)?;
            if read < MARK_BYTES && !start[..read].contains(&b'\n') {
                self.unlooked.push((line, at));
            } else {
                self.note(line, &start[..read]);
            }
        }
        Ok(())
    }

    /// Remembers a line that begins or ends a group, or is an error.
    fn note(&mut self, line: u64, start: &[u8]) {
        if start.starts_with(b"##[error]") && self.errors.len() < ERRORS_MAX {
            self.errors.push(line);
        }
        let begins = start.starts_with(b"##[group]");
        if !begins && !start.starts_with(b"##[endgroup]") {
            return;
        }
        // Groups do not stand in one another: one that begins ends the one before (conformance 189).
        if let Some(group) = self.groups.last_mut().filter(|group| group.to.is_none()) {
            group.to = Some(if begins { line - 1 } else { line });
            group.has_end = !begins;
        }
        if begins && self.groups.len() < GROUPS_MAX {
            self.groups.push(Group { from: line, to: None, has_end: false });
        }
    }

    /// In the order of their lines.
    pub(crate) fn groups(&self) -> &[Group] {
        &self.groups
    }

    /// The lines that are errors, the first of them.
    pub(crate) fn errors(&self) -> &[u64] {
        &self.errors
    }

    /// Lines; one that has no end yet counts where `with_tail`.
    pub(crate) fn lines(&self, tail: Tail) -> u64 {
        self.lines + u64::from(tail == Tail::Counts && self.read > self.tail)
    }

    /// The line that the byte is in, counted from 1; at the end of the log the one behind the last.
    pub(crate) fn line_at(&self, log: &File, byte: u64) -> io::Result<u64> {
        let mark = self.marks.partition_point(|mark| *mark <= byte) - 1;
        let (mut at, mut line) = (self.marks[mark], mark as u64 * STRIDE + 1);
        let end = byte.min(self.read);
        let mut chunk = vec![0; CHUNK_BYTES];
        while at < end {
            let most = usize::try_from(end - at).unwrap_or(CHUNK_BYTES).min(CHUNK_BYTES);
            let read = log.read_at(&mut chunk[..most], at)?;
            if read == 0 {
                break;
            }
            line += memchr::memchr_iter(b'\n', &chunk[..read]).count() as u64;
            at += read as u64;
        }
        Ok(line)
    }

    /// The lines with these numbers, which ascend and are there.
    pub(crate) fn pick(
        &self,
        log: &File,
        numbers: impl IntoIterator<Item = u64>,
    ) -> io::Result<Vec<Line>> {
        let mut lines = Vec::new();
        let mut reader = Reader { log, at: 0, end: self.read, held: Vec::new(), next: 0 };
        let mut number = 1;
        for wanted in numbers {
            let mark = ((wanted - 1) / STRIDE) as usize;
            let Some(begin) = self.marks.get(mark) else { break };
            // What lies between is read only where it is little.
            if mark as u64 * STRIDE + 1 > number || lines.is_empty() {
                reader = Reader { at: *begin, held: Vec::new(), next: *begin, ..reader };
                number = mark as u64 * STRIDE + 1;
            }
            while number <= wanted {
                let at = reader.next;
                let Some((bytes, cut)) = reader.line()? else { return Ok(lines) };
                if number == wanted {
                    let text = String::from_utf8_lossy(&bytes).into_owned();
                    lines.push(Line { number, at, text, cut });
                }
                number += 1;
            }
        }
        Ok(lines)
    }
}

/// Whether the last line counts although it has no end yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tail {
    /// The log grows: the line may too.
    Waits,
    /// The log is whole.
    Counts,
}

/// Reads lines of a part of a file, each up to a limit.
struct Reader<'f> {
    log: &'f File,
    at: u64,
    end: u64,
    /// What was read and not given.
    held: Vec<u8>,
    /// Where the next line begins.
    next: u64,
}

impl Reader<'_> {
    fn line(&mut self) -> io::Result<Option<(Vec<u8>, u64)>> {
        let (mut line, mut cut, mut any) = (Vec::new(), 0, false);
        loop {
            if self.held.is_empty() {
                let most = usize::try_from(self.end - self.at).unwrap_or(CHUNK_BYTES);
                let mut chunk = vec![0; most.min(CHUNK_BYTES)];
                let read = self.log.read_at(&mut chunk, self.at)?;
                if read == 0 {
                    return Ok(any.then_some((line, cut)));
                }
                chunk.truncate(read);
                self.at += read as u64;
                self.held = chunk;
            }
            any = true;
            let end = memchr::memchr(b'\n', &self.held);
            let part = end.unwrap_or(self.held.len());
            let kept = part.min(LINE_BYTES_MAX.saturating_sub(line.len()));
            line.extend_from_slice(&self.held[..kept]);
            cut += (part - kept) as u64;
            match end {
                Some(end) => {
                    self.held.drain(..=end);
                    self.next += end as u64 + 1;
                    return Ok(Some((line, cut)));
                }
                None => {
                    self.next += self.held.len() as u64;
                    self.held.clear();
                }
            }
        }
    }
}

/// The marks of logs that somebody looks at.
#[derive(Debug, Default)]
pub(crate) struct Indexes {
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    indexes: BTreeMap<PathBuf, (u64, Arc<Mutex<LineIndex>>)>,
    uses: u64,
}

impl Indexes {
    /// The marks of a log, brought up to its length.
    pub(crate) fn of<T>(
        &self,
        path: &std::path::Path,
        log: &File,
        look: impl FnOnce(&LineIndex) -> io::Result<T>,
    ) -> io::Result<T> {
        let index = {
            let mut known = self.known.lock().expect("nobody panics while holding the marks");
            known.uses += 1;
            let uses = known.uses;
            let entry = known.indexes.entry(path.to_owned()).or_default();
            entry.0 = uses;
            let index = Arc::clone(&entry.1);
            if known.indexes.len() > LOGS_MAX {
                let oldest = known.indexes.iter().min_by_key(|(_, (used, _))| *used);
                let oldest = oldest.map(|(path, _)| path.clone());
                oldest.and_then(|path| known.indexes.remove(&path));
            }
            index
        };
        let mut index = index.lock().expect("nobody panics while holding the marks");
        // A job that was lost begins its log anew.
        if log.metadata()?.len() < index.read {
            *index = LineIndex::default();
        }
        index.extend(log)?;
        look(&index)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn log(text: &[u8]) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(text).unwrap();
        file
    }

    /// `count` lines from line `from` on.
    fn window(index: &LineIndex, file: &File, (from, count): (u64, u64), tail: Tail) -> Vec<Line> {
        let last = index.lines(tail).min(from.max(1) - 1 + count);
        index.pick(file, from.max(1)..=last).unwrap()
    }

    fn texts(lines: Vec<Line>) -> Vec<(u64, String)> {
        lines.into_iter().map(|line| (line.number, line.text)).collect()
    }

    #[test]
    fn windows_are_those_of_the_whole_text() {
        let all: Vec<String> =
            (1..=1000).map(|it| format!("line {it} {}", "x".repeat(it))).collect();
        let file = log((all.join("\n") + "\n").as_bytes());
        let mut index = LineIndex::default();
        index.extend(&file).unwrap();
        assert_eq!(index.lines(Tail::Waits), 1000);
        for (from, count) in [(1, 3), (255, 4), (256, 1), (257, 600), (990, 50), (1001, 5), (0, 1)]
        {
            let found = texts(window(&index, &file, (from, count), Tail::Counts));
            let first = from.max(1);
            let expected = (first..).zip(all.iter().skip(first as usize - 1).take(count as usize));
            let expected: Vec<_> = expected.map(|(number, text)| (number, text.clone())).collect();
            assert_eq!(found, expected, "{from} {count}");
        }
        let mut byte = 0;
        for (number, text) in (1..).zip(&all) {
            assert_eq!(index.line_at(&file, byte).unwrap(), number);
            byte += text.len() as u64 + 1;
        }
        assert_eq!(index.line_at(&file, byte).unwrap(), 1001);
    }

    #[test]
    fn a_log_that_grows_is_read_on() {
        let mut file = log(b"one\ntw");
        let mut index = LineIndex::default();
        index.extend(&file).unwrap();
        assert_eq!((index.lines(Tail::Waits), index.lines(Tail::Counts)), (1, 2));
        assert_eq!(texts(window(&index, &file, (2, 5), Tail::Counts)), [(2, "tw".into())]);
        assert_eq!(texts(window(&index, &file, (2, 5), Tail::Waits)), []);
        file.write_all(b"o\nthree\n").unwrap();
        index.extend(&file).unwrap();
        let found = texts(window(&index, &file, (2, 5), Tail::Waits));
        assert_eq!(found, [(2, "two".into()), (3, "three".into())]);
    }

    #[test]
    fn a_long_line_is_cut_and_the_next_is_found() {
        let file = log(&[&vec![b'x'; 1 << 20], &b"\nnext\n"[..]].concat());
        let mut index = LineIndex::default();
        index.extend(&file).unwrap();
        let lines = window(&index, &file, (1, 2), Tail::Waits);
        assert_eq!(lines[0].text.len(), LINE_BYTES_MAX);
        assert_eq!(lines[0].cut, (1 << 20) - LINE_BYTES_MAX as u64);
        assert_eq!(lines[1].text, "next");
    }

    #[test]
    fn groups_and_errors_are_known_wherever_what_is_read_ends() {
        let text = "##[group]one\na\n##[endgroup]\n\n##[group]two\n##[group]three\n##[error]b\n";
        let groups = |it: &LineIndex| {
            it.groups.iter().map(|group| (group.from, group.to)).collect::<Vec<_>>()
        };
        // All lengths of a log that grows, looked at once on the way.
        for first in 0..=text.len() {
            let mut file = log(&text.as_bytes()[..first]);
            let mut index = LineIndex::default();
            index.extend(&file).unwrap();
            file.write_all(&text.as_bytes()[first..]).unwrap();
            index.extend(&file).unwrap();
            assert_eq!(groups(&index), [(1, Some(3)), (5, Some(5)), (6, None)], "{first}");
            assert_eq!(index.errors(), [7], "{first}");
        }
        // A chunk may end anywhere in such a line.
        for more in 0..16 {
            let line = "x".repeat(CHUNK_BYTES - 1 - more);
            let file = log(format!("{line}\n##[group]far\n##[endgroup]\n").as_bytes());
            let mut index = LineIndex::default();
            index.extend(&file).unwrap();
            assert_eq!(groups(&index), [(2, Some(3))], "{more}");
        }
    }

    #[test]
    fn lines_apart_from_one_another_are_picked() {
        let all: Vec<String> = (1..=2000).map(|it| format!("line {it}")).collect();
        let file = log((all.join("\n") + "\n").as_bytes());
        let mut index = LineIndex::default();
        index.extend(&file).unwrap();
        let wanted = [1, 2, 9, 256, 257, 258, 1999, 2000];
        let found = index.pick(&file, wanted).unwrap();
        for (number, line) in wanted.into_iter().zip(&found) {
            assert_eq!(line.text, format!("line {number}"));
            assert_eq!(index.line_at(&file, line.at).unwrap(), number);
        }
        assert_eq!(found.len(), wanted.len());
    }

    #[test]
    fn an_empty_log_has_no_lines() {
        let file = log(b"");
        let mut index = LineIndex::default();
        index.extend(&file).unwrap();
        assert_eq!(window(&index, &file, (1, 10), Tail::Counts), []);
        assert_eq!(index.line_at(&file, 0).unwrap(), 1);
    }
}
