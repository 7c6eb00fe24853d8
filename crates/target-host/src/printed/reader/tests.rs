//! Both logs of an instance, while they are written and moved.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;

use super::*;

struct Scratch(tempfile::TempDir);

impl Scratch {
    fn new() -> Scratch {
        Scratch(tempfile::tempdir().expect("a folder"))
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("7.0.log")
    }

    fn before(&self, text: &str) {
        std::fs::write(self.path().with_extension("log.1"), text).expect("room");
    }

    fn print(&self, text: &str) {
        let mut options = OpenOptions::new();
        let log = options.append(true).create(true).open(self.path());
        log.expect("a log").write_all(text.as_bytes()).expect("room");
    }

    /// What the supervisor does with a log that is too large.
    fn moves(&self, bytes: usize) {
        let text = std::fs::read_to_string(self.path()).expect("a log");
        self.before(&text[..bytes]);
        std::fs::write(self.path(), &text[bytes..]).expect("room");
    }

    fn reader(&self) -> Reader {
        let mut masker = Masker::new();
        masker.add("open sesame");
        Reader::new(self.path(), masker)
    }
}

fn last(reader: &mut Reader, lines: usize) -> String {
    let mut out = Vec::new();
    reader.last(lines, &mut out).expect("a log");
    out.join("|")
}

fn more(reader: &mut Reader) -> String {
    let mut out = Vec::new();
    reader.more(&mut out).expect("a log");
    out.join("|")
}

#[test]
fn the_last_lines_come_from_both_logs() {
    let scratch = Scratch::new();
    scratch.print("c2\nd\ne\n");
    let check = |lines, expect: &str| assert_eq!(last(&mut scratch.reader(), lines), expect);
    check(0, "");
    check(2, "d|e");
    check(9, "c2|d|e");
    // A line was cut where blocks end; the first one's beginning is long gone.
    scratch.before("half\nb\nc1");
    check(3, "c1c2|d|e");
    check(4, "b|c1c2|d|e");
    check(9, "b|c1c2|d|e");
    scratch.print("f");
    check(2, "e");
}

#[test]
fn nothing_is_lost_or_told_twice_while_logs_are_moved() {
    let scratch = Scratch::new();
    scratch.print("a\nb\n");
    let mut reader = scratch.reader();
    assert_eq!(last(&mut reader, 1), "b");
    scratch.print("c\nd");
    assert_eq!(more(&mut reader), "c");
    scratch.moves(5);
    assert_eq!(more(&mut reader), "");
    scratch.print("d\ne\n");
    assert_eq!(more(&mut reader), "dd|e");
    // Moved before it was read.
    scratch.print("f\ng\n");
    scratch.moves(8);
    scratch.print("h\n");
    assert_eq!(more(&mut reader), "f|g|h");
    assert_eq!(more(&mut reader), "");
    let mut out = Vec::new();
    scratch.print("end");
    reader.more(&mut out).expect("a log");
    reader.finish(&mut out);
    assert_eq!(out, ["end"]);
}

#[test]
fn a_secret_is_hidden_also_where_it_comes_in_pieces() {
    let scratch = Scratch::new();
    scratch.print("say open ");
    let mut reader = scratch.reader();
    assert_eq!(last(&mut reader, 5), "");
    scratch.print("sesame now\n");
    assert_eq!(more(&mut reader), "say *** now");
    let long = "x".repeat(LINE_BYTES_MAX - 5);
    scratch.print(&format!("{long}open sesame\n"));
    assert!(!more(&mut reader).contains("sesame"));
}

#[test]
fn a_log_that_is_not_there_is_an_error() {
    let mut reader = Reader::new(Path::new("/nowhere/7.0.log").to_owned(), Masker::new());
    assert!(reader.more(&mut Vec::new()).is_err());
}
