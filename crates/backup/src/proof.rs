//! An archive is read back, whole: its digest, its table of contents, every row in it.
//!
//! ```text
//!   the bucket ──▶ bytes ──┬──▶ SHA-256, size        is it what was sent?
//!                          ├──▶ pg_restore --list    what is in it
//!                          └──▶ pg_restore --data-only ──▶ rows, counted
//! ```
//!
//! The second program reads every block of data to its end, as a restore would: what is cut off or
//! changed does not come through it.

use std::io::{Read as _, Write};
use std::process::ChildStdout;
use std::thread::JoinHandle;

use sha2::{Digest as _, Sha256};

use crate::postgres::{Limits, Programs, Running, Spoiled};

/// Bytes of a program's output that are looked at at once.
const PIECE_BYTES: usize = 256 << 10;

/// What was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Contents {
    pub(crate) sha256: String,
    pub(crate) bytes: u64,
    /// Entries of the table of contents.
    pub(crate) entries: u64,
    /// Tables with data of their own.
    pub(crate) tables: u64,
    pub(crate) rows: u64,
}

/// Why an archive is not what it should be.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unproven {
    /// The bucket does not give it.
    #[error("{0}")]
    Unread(Box<aws::Fault>),
    /// It is not there.
    #[error("it is not there")]
    Gone,
    /// There is nothing in it.
    #[error("it is empty")]
    Empty,
    /// Those are other bytes.
    #[error(
        "it has {found_bytes} bytes with the digest {found}, and {sent_bytes} with {sent} were sent"
    )]
    Other { found: String, found_bytes: u64, sent: String, sent_bytes: u64 },
    /// PostgreSQL cannot read it.
    #[error("{0}")]
    Unreadable(#[from] Spoiled),
    /// It holds less than its own list says, or than the database has.
    #[error("{found} tables of {wanted} have their data in it")]
    Less { found: u64, wanted: u64 },
}

/// What is expected of it: what was sent.
pub(crate) struct Sent<'a> {
    pub(crate) sha256: &'a str,
    pub(crate) bytes: u64,
    /// Whether the database had any table.
    pub(crate) has_tables: bool,
}

/// Reads it to its end. `give` writes its bytes, from where they are kept; false where they are not.
pub(crate) fn prove(
    programs: &Programs,
    give: &mut dyn FnMut(&mut dyn Write) -> Result<bool, aws::Fault>,
    sent: &Sent<'_>,
    limits: &Limits,
) -> Result<Contents, Unproven> {
    let mut list = programs.command("pg_restore");
    list.arg("--list");
    let mut list = Running::start(list, None, limits)?;
    let listed = in_thread(list.output(), Listed::default());
    let mut whole = programs.command("pg_restore");
    whole.args(["--data-only", "--file=-"]);
    let mut whole = Running::start(whole, None, limits)?;
    let counted = in_thread(whole.output(), Counted::default());
    let mut reader = Reader { digest: Sha256::new(), bytes: 0, list, whole, limits };
    if !give(&mut reader).map_err(|it| Unproven::Unread(Box::new(it)))? {
        return Err(Unproven::Gone);
    }
    let Reader { digest, bytes, list, whole, .. } = reader;
    let sha256 = crate::words::hex(&digest.finalize());
    if bytes == 0 {
        return Err(Unproven::Empty);
    }
    if sha256 != sent.sha256 || bytes != sent.bytes {
        let (sent, sent_bytes) = (sent.sha256.to_owned(), sent.bytes);
        return Err(Unproven::Other { found: sha256, found_bytes: bytes, sent, sent_bytes });
    }
    list.end(None)?;
    whole.end(None)?;
    let listed = listed.join().expect("counting does not panic");
    let Counted { tables, rows, .. } = counted.join().expect("counting does not panic");
    if tables != listed.tables {
        return Err(Unproven::Less { found: tables, wanted: listed.tables });
    }
    if sent.has_tables && tables == 0 {
        return Err(Unproven::Less { found: 0, wanted: 1 });
    }
    Ok(Contents { sha256, bytes, entries: listed.entries, tables, rows })
}

/// Passes an archive on to whoever reads it.
struct Reader<'a> {
    digest: Sha256,
    bytes: u64,
    list: Running,
    whole: Running,
    limits: &'a Limits,
}

impl Write for Reader<'_> {
    fn write(&mut self, piece: &[u8]) -> std::io::Result<usize> {
        if self.limits.are_over() {
            return Err(std::io::Error::other("its time is over"));
        }
        self.digest.update(piece);
        self.bytes += piece.len() as u64;
        // Whoever wants no more has read its part, or failed: its end says which.
        self.list.feed(piece);
        self.whole.feed(piece);
        Ok(piece.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Something that takes output piece by piece.
trait Takes: Send + 'static {
    fn take(&mut self, piece: &[u8]);
}

fn in_thread<T: Takes>(mut output: ChildStdout, mut takes: T) -> JoinHandle<T> {
    std::thread::spawn(move || {
        let mut piece = vec![0; PIECE_BYTES];
        while let Ok(count @ 1..) = output.read(&mut piece) {
            takes.take(&piece[..count]);
        }
        takes
    })
}

/// `3350; 0 16386 TABLE DATA public tasks planner`, and remarks behind a `;`.
#[derive(Default)]
struct Listed {
    rest: Vec<u8>,
    entries: u64,
    tables: u64,
}

impl Takes for Listed {
    fn take(&mut self, piece: &[u8]) {
        let mut piece = piece;
        while let Some(at) = memchr::memchr(b'\n', piece) {
            self.rest.extend_from_slice(&piece[..at]);
            piece = &piece[at + 1..];
            self.line();
            self.rest.clear();
        }
        self.rest.extend_from_slice(piece);
    }
}

impl Listed {
    fn line(&mut self) {
        let line = String::from_utf8_lossy(&self.rest);
        let Some((number, rest)) = line.split_once("; ") else { return };
        if number.is_empty() || !number.bytes().all(|it| it.is_ascii_digit()) {
            return;
        }
        self.entries += 1;
        let kind = rest.splitn(3, ' ').nth(2).unwrap_or_default();
        self.tables += u64::from(kind.starts_with("TABLE DATA "));
    }
}

/// Rows as `COPY` has them: a line for each, until one that is `\.`. A row may be as long as a
/// gigabyte: of a line no more is kept than tells what it is.
#[derive(Default)]
struct Counted {
    begin: Vec<u8>,
    end: Vec<u8>,
    is_data: bool,
    tables: u64,
    rows: u64,
}

const COPY: &[u8] = b"COPY ";
const FROM: &[u8] = b" FROM stdin;";
const OVER: &[u8] = b"\\.";

impl Takes for Counted {
    fn take(&mut self, piece: &[u8]) {
        let mut piece = piece;
        while let Some(at) = memchr::memchr(b'\n', piece) {
            self.more(&piece[..at]);
            piece = &piece[at + 1..];
            self.line();
        }
        self.more(piece);
    }
}

impl Counted {
    fn more(&mut self, of_line: &[u8]) {
        let wanted = COPY.len().saturating_sub(self.begin.len()).min(of_line.len());
        self.begin.extend_from_slice(&of_line[..wanted]);
        if of_line.len() >= FROM.len() {
            self.end.clear();
        }
        self.end.extend_from_slice(&of_line[of_line.len().saturating_sub(FROM.len())..]);
        let too_many = self.end.len().saturating_sub(FROM.len());
        self.end.drain(..too_many);
    }

    fn line(&mut self) {
        if self.is_data {
            // Nothing else has this length: `begin` has the whole of a line as short as this.
            let is_over = self.begin == OVER;
            self.is_data = !is_over;
            self.rows += u64::from(!is_over);
        } else if self.begin == COPY && self.end == FROM {
            self.is_data = true;
            self.tables += 1;
        }
        self.begin.clear();
        self.end.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// However the pipe cuts it.
    #[test]
    fn rows_are_counted_in_any_pieces() {
        let text = "SET x;\n-- Data\nCOPY public.a (id) FROM stdin;\n1\n\\.x\n\n\\.\n\n\
                    COPY public.b (id) FROM stdin;\n\\.\nCOPY no;\n";
        for size in 1..text.len() {
            let mut counted = Counted::default();
            text.as_bytes().chunks(size).for_each(|it| counted.take(it));
            assert_eq!((counted.tables, counted.rows), (2, 3), "in pieces of {size}");
        }
        let list = ";\n; Archive\n3350; 0 16386 TABLE DATA public tasks planner\n\
                    215; 1259 16386 TABLE public tasks planner\n";
        for size in 1..list.len() {
            let mut listed = Listed::default();
            list.as_bytes().chunks(size).for_each(|it| listed.take(it));
            assert_eq!((listed.tables, listed.entries), (1, 2), "in pieces of {size}");
        }
    }
}
