//! A dump of a database of PostgreSQL, from `pg_dump` into a bucket, and read back from there.
//!
//! ```text
//!   what is there? ──▶ the dump, and its note ────────────────────────────┐
//!        │ nothing, or half of it: uploads are aborted                    │
//!        ▼                                                                ▼
//!   pg_dump ──▶ parts, hashed as they go by ──▶ the note (digest, size) ──▶ the object ──▶ proof.rs
//! ```
//!
//! **The note comes first.** How a dump ends is known when its last byte has gone by; its digest is
//! written beside it (`....dump.json`) before the bucket makes an object of the parts. So a dump that
//! is there always has its note, and whoever comes after a crash knows what it must be: it is proven,
//! and no second one is taken. A note without its dump, or parts without an end, are of one who was
//! killed: they are thrown away.
//!
//! A dump is as long as it is; what is held of it is one part.

#[cfg(all(test, feature = "postgres"))]
mod tests;

use std::io::Read as _;
use std::process::ChildStdout;
use std::time::{Duration, Instant};

use aws::Fault;
use event::{Cause, CauseCode};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::body::Dump;
use crate::bucket::Bucket;
use crate::effect::Kept;
use crate::postgres::{Address, Limits, Programs, Running, Spoiled, Survey};
use crate::proof::{self, Sent};
use crate::words::{hex, size, text};

/// The smallest part: S3 wants 5 MiB at least, and a call for each costs a moment.
pub(crate) const PART_BYTES_MIN: u64 = 8 << 20;
/// The largest part: so much is held in memory.
const PART_BYTES_MAX: u64 = 256 << 20;
/// Parts that S3 takes for one object.
const PARTS_MAX: u32 = 10_000;
/// A dump is compressed; one twice as large as its database is not expected.
const LARGER_THAN_DATABASE: u64 = 2;
/// The longest name of a database.
const NAME_BYTES_MAX: usize = 63;
/// How often a call is made that may go well later.
const TRIES: u32 = 5;
/// Between two tries, and doubled with each.
pub(crate) const PAUSE: Duration = Duration::from_millis(500);

/// What is written beside a dump.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Note {
    /// Of which deployment it is.
    pub(crate) deployment: String,
    pub(crate) sha256: String,
    pub(crate) bytes: u64,
    /// The server's version.
    pub(crate) server: String,
    /// Whether the database had any table.
    pub(crate) has_tables: bool,
    pub(crate) dumped_ms: u64,
    /// When it was read back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) proven: Option<Proven>,
}

/// What was found in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Proven {
    pub(crate) etag: String,
    pub(crate) entries: u64,
    pub(crate) tables: u64,
    pub(crate) rows: u64,
    pub(crate) proven_ms: u64,
    /// How long it took to restore it, where it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) restored_ms: Option<u64>,
}

/// A dump that is to be taken and proven, with all that it needs.
pub(crate) struct Job<'a> {
    pub(crate) dump: &'a Dump,
    /// Its name in the bucket, behind the prefix.
    pub(crate) object: &'a str,
    pub(crate) deployment: &'a str,
    pub(crate) address: &'a Address,
    /// Where it is restored once, to prove it.
    pub(crate) scratch: Option<&'a Address>,
    pub(crate) programs: &'a Programs,
    pub(crate) limits: &'a Limits,
    /// What is seen, for the live line.
    pub(crate) say: &'a dyn Fn(String),
    pub(crate) part_bytes_min: u64,
    /// Before a second try; longer before each that follows.
    pub(crate) pause: Duration,
}

/// Why there is no dump.
#[derive(Debug)]
pub(crate) enum Wrong {
    /// Somebody did not do what was asked: another try may help.
    Passing(Cause),
    /// There will be none.
    Final(Cause),
}

impl From<Fault> for Wrong {
    fn from(fault: Fault) -> Wrong {
        if fault.may_pass() || fault.kind == aws::FaultKind::SignIn {
            Wrong::Passing(fault.cause())
        } else {
            Wrong::Final(fault.cause())
        }
    }
}

impl From<Spoiled> for Wrong {
    fn from(spoiled: Spoiled) -> Wrong {
        let code = match spoiled {
            Spoiled::Unstarted { .. } => CauseCode::Unavailable,
            Spoiled::TimeOver { .. } => CauseCode::TimedOut,
            Spoiled::Failed { .. } => CauseCode::Exited,
        };
        Wrong::Final(Cause::new(code, text(spoiled.to_string())))
    }
}

pub(crate) fn wrong(said: impl Into<String>) -> Wrong {
    Wrong::Final(Cause::new(CauseCode::TargetRefused, text(said)))
}

impl Job<'_> {
    /// Takes it and proves it, or goes on where somebody stopped.
    pub(crate) fn run(&self, bucket: &mut dyn Bucket) -> Result<Kept, Wrong> {
        let key = self.key();
        let note = match self.known(bucket)? {
            Some(note) => note,
            None => self.take(bucket)?,
        };
        let seen = self.again(|| bucket.head(&key))?;
        let seen = seen.ok_or_else(|| wrong(format!("{} is gone", self.shown())))?;
        if note.proven.as_ref().is_some_and(|it| it.etag == seen.etag) {
            return Ok(self.kept(note));
        }
        let proven = self.prove(bucket, &note, seen.etag)?;
        let note = Note { proven: Some(proven), ..note };
        self.write_note(bucket, &note)?;
        Ok(self.kept(note))
    }

    fn key(&self) -> String {
        format!("{}{}", self.dump.prefix, self.object)
    }

    fn note_key(&self) -> String {
        format!("{}.json", self.key())
    }

    fn shown(&self) -> String {
        format!("s3://{}/{}", self.dump.bucket, self.key())
    }

    /// What is there of it already, whole. Half of one is thrown away.
    fn known(&self, bucket: &mut dyn Bucket) -> Result<Option<Note>, Wrong> {
        (self.say)("looks what is there".to_owned());
        let (key, note_key) = (self.key(), self.note_key());
        let note = self.again(|| bucket.get(&note_key))?;
        let note: Option<Note> = note.and_then(|it| serde_json::from_slice(&it).ok());
        let seen = self.again(|| bucket.head(&key))?;
        match (note, seen) {
            (Some(note), Some(seen)) if note.bytes == seen.bytes => Ok(Some(note)),
            _ => {
                for upload in self.again(|| bucket.uploads(&key))? {
                    self.again(|| bucket.abort(&key, &upload))?;
                }
                Ok(None)
            }
        }
    }

    fn take(&self, bucket: &mut dyn Bucket) -> Result<Note, Wrong> {
        let began = Instant::now();
        let survey = self.programs.survey(self.address);
        let survey = survey.map_err(|it| wrong(format!("{it}: {}", it.hint())))?;
        let mut pg_dump = self.programs.command("pg_dump");
        pg_dump.args(["--format=custom", "--no-password", "--lock-wait-timeout=60s"]);
        let mut running = Running::start(pg_dump, Some(self.address), self.limits)?;
        let mut output = running.output();
        let mut upload = Upload {
            job: self,
            bucket,
            key: self.key(),
            digest: Sha256::new(),
            bytes: 0,
            begun: None,
            part: Vec::new(),
            part_bytes: part_bytes(self.part_bytes_min, survey.size_bytes),
        };
        let sent = upload.stream(&mut output).and_then(|()| {
            running.end(Some(self.address))?;
            upload.finish(&survey, began)
        });
        if sent.is_err() {
            upload.give_up();
        }
        sent
    }

    fn prove(&self, bucket: &mut dyn Bucket, note: &Note, etag: String) -> Result<Proven, Wrong> {
        (self.say)(format!("reads {} back", size(note.bytes)));
        let (key, began) = (self.key(), Instant::now());
        let sent = Sent { sha256: &note.sha256, bytes: note.bytes, has_tables: note.has_tables };
        let mut tries = 0;
        let contents = loop {
            let proven = proof::prove(
                self.programs,
                &mut |into| bucket.read(&key, into),
                &sent,
                self.limits,
            );
            match proven {
                Ok(contents) => break contents,
                Err(proof::Unproven::Unread(fault))
                    if fault.may_pass() && self.waits(&mut tries) => {}
                Err(proof::Unproven::Unread(fault)) => return Err((*fault).into()),
                Err(proof::Unproven::Unreadable(spoiled @ Spoiled::TimeOver { .. })) => {
                    return Err(spoiled.into());
                }
                Err(unproven) => {
                    return Err(wrong(format!(
                        "{} does not hold what was dumped: {unproven}",
                        self.shown()
                    )));
                }
            }
        };
        let proven_ms = elapsed_ms(began);
        let restored_ms = match self.scratch {
            None => None,
            Some(scratch) => Some(self.restore_once(bucket, scratch, contents.rows)?),
        };
        let proof::Contents { entries, tables, rows, .. } = contents;
        Ok(Proven { etag, entries, tables, rows, proven_ms, restored_ms })
    }

    /// Into a database that is thrown away; how long that took.
    fn restore_once(
        &self,
        bucket: &mut dyn Bucket,
        scratch: &Address,
        rows: u64,
    ) -> Result<u64, Wrong> {
        (self.say)("restores it once, to prove it".to_owned());
        let name = self.object.strip_suffix(".dump").unwrap_or(self.object);
        // What makes it one of its own stands at its end.
        let name = &name[name.len().saturating_sub(NAME_BYTES_MAX)..];
        let place =
            crate::load::Place { programs: self.programs, address: scratch, limits: self.limits };
        let began = Instant::now();
        let loaded = place.load(name, &mut |into| bucket.read(&self.key(), into));
        let counted = loaded.and_then(|()| place.rows(name));
        let restored_ms = elapsed_ms(began);
        place.drop_database(name);
        let found = counted.map_err(|it| it.of(&self.shown()))?;
        if let Some(found) = found.filter(|it| *it != rows) {
            let shown = self.shown();
            let said = format!("{shown} was restored with {found} rows, and {rows} are in it");
            return Err(wrong(said));
        }
        Ok(restored_ms)
    }

    fn write_note(&self, bucket: &mut dyn Bucket, note: &Note) -> Result<(), Wrong> {
        let bytes = serde_json::to_vec(note).expect("it has text keys only");
        let key = self.note_key();
        self.again(|| bucket.write(&key, &bytes))
    }

    fn kept(&self, note: Note) -> Kept {
        let Note { sha256, bytes, server, dumped_ms, proven, .. } = note;
        let proven = proven.expect("it was proven");
        Kept::Dump {
            of: self.dump.clone(),
            object: self.object.to_owned(),
            sha256,
            bytes,
            server,
            entries: proven.entries,
            tables: proven.tables,
            rows: proven.rows,
            etag: proven.etag,
            dumped_ms,
            proven_ms: proven.proven_ms,
            restored_ms: proven.restored_ms,
        }
    }

    /// A call, made again while that may help.
    fn again<T>(&self, mut call: impl FnMut() -> Result<T, Fault>) -> Result<T, Wrong> {
        let mut tries = 0;
        loop {
            match call() {
                Ok(given) => return Ok(given),
                Err(fault) if fault.may_pass() && self.waits(&mut tries) => {}
                Err(fault) => return Err(fault.into()),
            }
        }
    }

    /// A moment, and longer each time; false where it is enough.
    fn waits(&self, tries: &mut u32) -> bool {
        *tries += 1;
        if *tries >= TRIES || self.limits.are_over() {
            return false;
        }
        std::thread::sleep(self.pause * (1 << (*tries - 1)));
        true
    }
}

fn elapsed_ms(began: Instant) -> u64 {
    u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// Parts of one size, as large as a dump of this database may need them.
fn part_bytes(min: u64, database_bytes: u64) -> usize {
    let needed = database_bytes.saturating_mul(LARGER_THAN_DATABASE) / u64::from(PARTS_MAX);
    let bytes = needed.clamp(min, PART_BYTES_MAX.max(min));
    usize::try_from(bytes).expect("it is small")
}

/// A dump on its way into the bucket.
struct Upload<'a, 'b> {
    job: &'a Job<'a>,
    bucket: &'b mut dyn Bucket,
    key: String,
    digest: Sha256,
    bytes: u64,
    /// What the bucket calls it, and the parts that are there.
    begun: Option<(String, Vec<String>)>,
    part: Vec<u8>,
    part_bytes: usize,
}

impl Upload<'_, '_> {
    /// Every byte, part after part; the last part stays here.
    fn stream(&mut self, output: &mut ChildStdout) -> Result<(), Wrong> {
        self.part.reserve_exact(self.part_bytes);
        loop {
            let left = self.part_bytes - self.part.len();
            let read = output.take(left as u64).read_to_end(&mut self.part);
            let count = read.map_err(|it| wrong(format!("pg_dump cannot be read: {it}")))?;
            let from = self.part.len() - count;
            self.digest.update(&self.part[from..]);
            self.bytes += count as u64;
            if count < left {
                return Ok(());
            }
            self.send()?;
            (self.job.say)(format!("{} are in the bucket", size(self.bytes)));
        }
    }

    fn send(&mut self) -> Result<(), Wrong> {
        let Upload { job, bucket, key, begun, part, .. } = self;
        if begun.is_none() {
            *begun = Some((job.again(|| bucket.begin(key))?, Vec::new()));
        }
        let (upload, parts) = begun.as_mut().expect("it was just begun");
        let number = u32::try_from(parts.len() + 1).unwrap_or(u32::MAX);
        if number > PARTS_MAX {
            return Err(wrong(format!(
                "the dump is larger than {PARTS_MAX} parts of {}, and the bucket takes no more",
                size(part.len() as u64)
            )));
        }
        let sent = job.again(|| bucket.part(key, upload, number, part))?;
        parts.push(sent);
        part.clear();
        Ok(())
    }

    /// The end of `pg_dump` was well.
    fn finish(&mut self, survey: &Survey, began: Instant) -> Result<Note, Wrong> {
        if self.bytes == 0 {
            return Err(wrong("pg_dump ended well and wrote nothing"));
        }
        if self.begun.is_some() && !self.part.is_empty() {
            self.send()?;
        }
        let note = Note {
            deployment: self.job.deployment.to_owned(),
            sha256: hex(&self.digest.clone().finalize()),
            bytes: self.bytes,
            server: survey.version.clone(),
            has_tables: survey.tables > 0,
            dumped_ms: elapsed_ms(began),
            proven: None,
        };
        self.job.write_note(self.bucket, &note)?;
        let Upload { job, bucket, key, begun, part, .. } = self;
        match begun {
            None => job.again(|| bucket.write(key, part))?,
            Some((upload, parts)) => {
                let mut tried = false;
                job.again(|| match bucket.complete(key, upload, parts) {
                    // The answer to the try before was lost, and it is an object by now.
                    Err(fault) if tried && fault.is("NoSuchUpload") => match bucket.head(key)? {
                        Some(_) => Ok(()),
                        None => Err(fault),
                    },
                    other => {
                        tried = true;
                        other
                    }
                })?;
            }
        }
        *begun = None;
        Ok(note)
    }

    /// It will be no object. Where not even that can be said, whoever comes next finds it.
    fn give_up(&mut self) {
        if let Some((upload, _)) = self.begun.take() {
            let _ = self.bucket.abort(&self.key, &upload);
        }
    }
}
