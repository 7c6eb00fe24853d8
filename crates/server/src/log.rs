//! A job's log, for pages and for the API: opened where it lies, read by the line.

use std::fmt::Write as _;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;

use event::{Conclusion, Status};
use memchr::memmem;
use views::{JobView, RunView, StepView};

use crate::ansi::{self, Kind};
use crate::app::App;
use crate::lines::{Line, Tail};
use crate::problem::Problem;
use crate::words::grouped;

/// Lines of one page.
pub(crate) const PAGE_LINES: u64 = 500;
/// Lines that one request may ask for.
pub(crate) const WINDOW_LINES_MAX: u64 = 2_000;
/// Lines before one that was asked for, so that it does not stand at the very top.
const LEAD_LINES: u64 = 20;
/// Lines that a search shows; all are counted.
const HITS_MAX: usize = 200;
/// What a search reads at once.
const SEARCH_BYTES: usize = 1 << 20;

/// An open log.
pub(crate) struct JobLog {
    /// What its marks are remembered by.
    name: PathBuf,
    pub(crate) file: File,
    pub(crate) tail: Tail,
}

/// The blob of what ended, the growing file of what runs; none where nothing was written, or it is
/// gone. `aside` is the number of a background step, which has a log of its own.
pub(crate) fn open(app: &App, view: &RunView, job: &JobView, aside: Option<u32>) -> Option<JobLog> {
    let step: Option<(u32, &StepView)> = match aside {
        Some(number) => {
            let mut steps = (1..).zip(job.steps.iter().filter(|step| step.background));
            Some(steps.find(|(it, _)| *it == number)?)
        }
        None => None,
    };
    if let Some(blob) = step.map_or(job.log.as_ref(), |(_, step)| step.own_log.as_ref()) {
        let file = app.store.blobs().get(blob).ok()?;
        return Some(JobLog { name: PathBuf::from(blob.to_string()), file, tail: Tail::Counts });
    }
    let header = &view.header;
    let path = app.store.logs().path(header.run, header.attempt, &job.key, job.fence?);
    let path = step.map_or(path.clone(), |(number, _)| protocol::own_log(&path, number));
    let file = File::open(&path).ok()?;
    let tail = if job.status == Status::InProgress { Tail::Waits } else { Tail::Counts };
    Some(JobLog { name: path, file, tail })
}

impl JobLog {
    /// How many lines there are.
    pub(crate) fn total(&self, app: &App) -> io::Result<u64> {
        app.indexes.of(&self.name, &self.file, |index| Ok(index.lines(self.tail)))
    }

    /// Some of them.
    pub(crate) fn window(&self, app: &App, from: u64, count: u64) -> io::Result<Vec<Line>> {
        let count = count.min(WINDOW_LINES_MAX);
        app.indexes
            .of(&self.name, &self.file, |index| index.window(&self.file, from, count, self.tail))
    }

    /// The line at a place in bytes.
    pub(crate) fn line_at(&self, app: &App, byte: u64) -> io::Result<u64> {
        app.indexes.of(&self.name, &self.file, |index| index.line_at(&self.file, byte))
    }

    /// The lines that hold a text, the first of them shown, all counted.
    pub(crate) fn search(&self, app: &App, text: &str) -> io::Result<(Vec<Line>, u64)> {
        let numbers = search(&self.file, text)?;
        let mut lines = Vec::new();
        for number in numbers.iter().take(HITS_MAX) {
            lines.extend(self.window(app, *number, 1)?);
        }
        Ok((lines, numbers.len() as u64))
    }
}

/// The numbers of the lines that hold a text.
fn search(file: &File, text: &str) -> io::Result<Vec<u64>> {
    let finder = memmem::Finder::new(text.as_bytes());
    let mut numbers = Vec::new();
    let (mut at, mut line) = (0_u64, 1_u64);
    let mut held: Vec<u8> = Vec::new();
    loop {
        let begin = held.len();
        held.resize(begin + SEARCH_BYTES, 0);
        let read = file.read_at(&mut held[begin..], at)?;
        held.truncate(begin + read);
        at += read as u64;
        // Up to the last whole line; at the end, and in a line without one, all there is.
        let whole = match memchr::memrchr(b'\n', &held) {
            Some(end) if read > 0 => end + 1,
            None if read > 0 && held.len() < 4 * SEARCH_BYTES => 0,
            _ => held.len(),
        };
        let mut counted = 0;
        for hit in finder.find_iter(&held[..whole]) {
            line += memchr::memchr_iter(b'\n', &held[counted..hit]).count() as u64;
            counted = hit;
            if numbers.last() != Some(&line) {
                numbers.push(line);
            }
        }
        line += memchr::memchr_iter(b'\n', &held[counted..whole]).count() as u64;
        held.drain(..whole);
        if read == 0 {
            return Ok(numbers);
        }
    }
}

/// A line as an item of a list, with its number as a link to itself.
pub(crate) fn html(line: &Line, href: &str) -> String {
    let (kind, text) = ansi::line(&line.text);
    let mut html = String::with_capacity(text.len() + 96);
    let number = line.number;
    let class = kind.class();
    let _ = write!(html, "<li id=\"L{number}\"");
    if kind != Kind::Plain {
        let _ = write!(html, " class=\"{class}\"");
    }
    html.push_str("><a href=\"");
    ansi::escape(href, &mut html);
    let sign = if href.contains('?') { "&amp;" } else { "?" };
    let _ = write!(html, "{sign}line={number}#L{number}\">{number}</a><span>{text}");
    if line.cut > 0 {
        let _ = write!(html, "<b class=\"cut\">… {} bytes more</b>", grouped(line.cut));
    }
    html.push_str("</span></li>");
    html
}

/// Where a page of a log begins.
pub(crate) struct Asked {
    pub(crate) line: Option<u64>,
    pub(crate) from: Option<u64>,
    pub(crate) tail: bool,
}

/// The first line of the page: what was asked for, else the end of what runs, else the end of the
/// first step that failed, else the beginning.
pub(crate) fn first_line(
    app: &App,
    log: &JobLog,
    job: &JobView,
    asked: &Asked,
    total: u64,
) -> Result<u64, Problem> {
    let end = total.saturating_sub(PAGE_LINES - 1).max(1);
    if let Some(line) = asked.line {
        return Ok(line.saturating_sub(LEAD_LINES).clamp(1, total.max(1)));
    }
    if let Some(from) = asked.from {
        return Ok(from.clamp(1, total.max(1)));
    }
    if asked.tail || job.status == Status::InProgress {
        return Ok(end);
    }
    let failed = job.steps.iter().find(|step| step.conclusion == Some(Conclusion::Failure));
    let Some(range) = failed.filter(|step| !step.background).and_then(|step| step.log) else {
        return Ok(1);
    };
    let first = log.line_at(app, range.start_bytes)?;
    let last = log.line_at(app, range.end_bytes)?;
    // The whole step where it fits, else its last lines: what broke stands there.
    let lead = PAGE_LINES.saturating_sub(PAGE_LINES / 5);
    Ok(if last - first < lead { first } else { last.saturating_sub(lead).max(1) })
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn a_search_finds_every_line_once() {
        let mut file = tempfile::tempfile().unwrap();
        let mut expected = Vec::new();
        for number in 1..=200_000_u64 {
            if number % 7919 == 0 {
                expected.push(number);
                writeln!(file, "needle and needle").unwrap();
            } else {
                writeln!(file, "some hay of line {number}").unwrap();
            }
        }
        write!(file, "the last needle").unwrap();
        expected.push(200_001);
        assert_eq!(search(&file, "needle").unwrap(), expected);
        assert!(search(&file, "nothing").unwrap().is_empty());
    }

    #[test]
    fn a_line_without_an_end_is_searched_in_parts() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&vec![b'x'; 9 << 20]).unwrap();
        file.write_all(b"needle\nneedle\n").unwrap();
        assert_eq!(search(&file, "needle").unwrap(), [1, 2]);
    }

    #[test]
    fn a_line_is_escaped_and_linked() {
        let line = Line { number: 7, text: "##[error]<b>".to_owned(), cut: 3 };
        expect_test::expect![[r##"<li id="L7" class="error"><a href="/runs/1.1/jobs/a?line=7#L7">7</a><span>&lt;b&gt;<b class="cut">… 3 bytes more</b></span></li>"##]]
            .assert_eq(&html(&line, "/runs/1.1/jobs/a"));
    }
}
