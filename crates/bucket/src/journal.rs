//! The log: read behind what was read last, appended to at its end.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};

use aws::Stored;
use event::{
    DeploymentId, Digest, Envelope, Fact, IncidentId, ReleaseEvent, ReleaseId, ReleaseRecord, Seq,
    StreamId, Timestamp, chain,
};
use ports::{Journal, JournalError};
use serde_json::json;
use store::{Cursor, Store};

use crate::entry::{self, AppendForm, ENTRY_BYTES_MAX, Entry, FORMAT, PlaceForm, Unread};
use crate::error::BucketError;
use crate::objects::{Objects, OnlyAbsent};
use crate::place::Held;

/// How often an append is put behind somebody else's: each time somebody got on.
const BEHIND_OTHERS_MAX: usize = 100;
/// The folder of entries.
const LOG: &str = "log";
/// What says what this is.
const ABOUT: &str = "journal.json";

/// Who this is.
#[derive(Clone, Debug)]
pub struct Identity {
    /// For people: `ana on laptop, process 12`.
    pub owner: String,
    /// The same for every process that has this state folder, and for no other.
    pub machine: String,
}

/// A journal in a bucket, with the copy of it on this machine.
pub struct Shared {
    pub(crate) objects: Objects,
    pub(crate) copy: Arc<Store>,
    pub(crate) who: Identity,
    pub(crate) held: Held,
    /// One at a time reads or appends; others of this process would only conflict.
    turn: Mutex<BTreeMap<StreamId, Seq>>,
    /// Says that this bucket was seen to heed conditions.
    heeds: PathBuf,
    clock: Box<dyn Fn() -> Timestamp + Send + Sync>,
}

/// What became of an entry that was to be written.
enum Put {
    Ours(String),
    Theirs,
}

/// What an entry is made of, once it is known behind which it stands.
struct Draft {
    place: Option<PlaceForm>,
    append: Option<AppendForm>,
}

impl Shared {
    /// The journal that these objects are. `heeds` is a file of this machine that remembers that the
    /// bucket heeds conditions. Nothing is asked yet.
    pub fn new(
        objects: Objects,
        copy: Arc<Store>,
        who: Identity,
        heeds: PathBuf,
        clock: impl Fn() -> Timestamp + Send + Sync + 'static,
    ) -> Shared {
        Shared {
            objects,
            copy,
            who,
            held: Held::default(),
            turn: Mutex::new(BTreeMap::new()),
            heeds,
            clock: Box::new(clock),
        }
    }

    /// The copy, as far as it was read.
    pub fn copy(&self) -> &Arc<Store> {
        &self.copy
    }

    /// The objects.
    pub fn objects(&self) -> &Objects {
        &self.objects
    }

    /// When the bucket answered last.
    pub fn as_of(&self) -> Option<Timestamp> {
        self.copy.cursor().ok()?.looked_at
    }

    /// Reads what is new: one list behind what was read last, and each new entry once.
    ///
    /// # Errors
    /// When the bucket does not answer, or what lies there does not fit.
    pub fn refresh(&self) -> Result<(), BucketError> {
        let _turn = self.turn();
        self.read_new()
    }

    /// Sees to it that the bucket heeds conditions; asked once for each copy.
    ///
    /// # Errors
    /// When it does not, or does not answer.
    pub fn must_heed(&self) -> Result<(), BucketError> {
        if self.heeds.exists() {
            return Ok(());
        }
        let about = |id: &str| {
            let text = json!({"format": FORMAT, "what": "the journal of launchway", "id": id});
            format!("{text:#}\n").into_bytes()
        };
        let put = |bytes: &[u8]| self.objects.put(ABOUT, bytes, OnlyAbsent::Yes);
        // Where it is there already, that this one is refused is all the proof there can be.
        let first = put(&about(&entry::unique()))?;
        let refused = match first {
            Stored::NotSo => true,
            Stored::Done(_) | Stored::Busy => put(&about(&entry::unique()))? == Stored::NotSo,
        };
        if !refused {
            return Err(BucketError::Unconditional { place: self.place_text() });
        }
        // If it cannot be kept it is asked again.
        let _ = std::fs::write(&self.heeds, "");
        Ok(())
    }

    /// Whether the bucket heeds conditions, as far as that can be told without writing anything new:
    /// none where nothing of a journal lies there yet.
    ///
    /// # Errors
    /// When the bucket does not answer.
    pub fn heeds(&self) -> Result<Option<bool>, BucketError> {
        // A list: of an object that is not there S3 says that it may not be read.
        if !self.heeds.exists() && self.objects.list(ABOUT, "")?.objects.is_empty() {
            return Ok(None);
        }
        match self.must_heed() {
            Ok(()) => Ok(Some(true)),
            Err(BucketError::Unconditional { .. }) => Ok(Some(false)),
            Err(other) => Err(other),
        }
    }

    /// The next deployment to an environment: its number is nobody else's.
    ///
    /// # Errors
    /// When the bucket does not take it.
    pub fn allocate_deployment(
        &self,
        project: &Arc<str>,
        environment: &Arc<str>,
    ) -> Result<DeploymentId, BucketError> {
        self.must_heed()?;
        let _turn = self.turn();
        let mut id = DeploymentId(0);
        self.write(|copy, _| {
            id = DeploymentId(copy.newest_deployment().map_err(BucketError::copy)? + 1);
            Ok(Draft {
                place: self.held.place_of(project, environment),
                append: Some(AppendForm {
                    stream: StreamId::Deployment(id).to_string(),
                    filed: Some((Arc::clone(project), Arc::clone(environment))),
                    after: 0,
                    at: (self.clock)().0,
                    chain: Digest::ZERO.to_string(),
                    ends: false,
                    events: Vec::new(),
                }),
            })
        })?;
        Ok(id)
    }

    /// The number of the incident that is known by this key, a new one where none is.
    ///
    /// # Errors
    /// When the bucket does not take it.
    pub fn allocate_incident(
        &self,
        project: &Arc<str>,
        key: Option<&str>,
    ) -> Result<IncidentId, BucketError> {
        self.must_heed()?;
        let _turn = self.turn();
        let known = |copy: &Store| match key {
            Some(key) => copy.incident_with(key).map_err(BucketError::copy),
            None => Ok(None),
        };
        self.read_new()?;
        if let Some(known) = known(&self.copy)? {
            return Ok(known);
        }
        let mut id = IncidentId(0);
        self.write(|copy, _| {
            // Somebody else may be faster between the look and the writing: then nothing is added.
            if let Some(known) = known(copy)? {
                id = known;
                return Ok(Draft { place: None, append: None });
            }
            id = IncidentId(copy.newest_incident().map_err(BucketError::copy)? + 1);
            Ok(Draft {
                place: None,
                append: Some(AppendForm {
                    stream: StreamId::Incident(id).to_string(),
                    filed: Some((Arc::clone(project), key.unwrap_or_default().into())),
                    after: 0,
                    at: (self.clock)().0,
                    chain: Digest::ZERO.to_string(),
                    ends: false,
                    events: Vec::new(),
                }),
            })
        })?;
        Ok(id)
    }

    /// Writes down that a release came to a repository, in a stream of its own.
    ///
    /// # Errors
    /// When the bucket does not take it.
    pub fn record_release(&self, record: ReleaseRecord) -> Result<ReleaseId, BucketError> {
        self.must_heed()?;
        let _turn = self.turn();
        let (project, service) = (Arc::clone(&record.project), Arc::clone(&record.service));
        let at = record.at;
        let events = [ReleaseEvent::ReleaseRecorded(Box::new(record))];
        let mut id = ReleaseId(0);
        self.write(|copy, _| {
            id = ReleaseId(copy.newest_release().map_err(BucketError::copy)? + 1);
            let head = (Seq(0), Digest::ZERO);
            let mut append = append_form(StreamId::Release(id), head, at, &events);
            append.filed = Some((Arc::clone(&project), Arc::clone(&service)));
            Ok(Draft { place: None, append: Some(append) })
        })?;
        Ok(id)
    }

    /// Writes down that the right to an environment is ours from here on.
    pub(crate) fn write_place(&self, place: &PlaceForm) -> Result<(), BucketError> {
        let _turn = self.turn();
        self.write(|copy, _| {
            let before = copy.shared_place(&place.project, &place.environment);
            match before.map_err(BucketError::copy)? {
                Some(it) if it.fence >= place.fence => Err(BucketError::TakenOver {
                    environment: place.environment.to_string(),
                    owner: it.owner.to_string(),
                }),
                _ => Ok(Draft { place: Some(place.clone()), append: None }),
            }
        })
    }

    pub(crate) fn place_text(&self) -> String {
        self.objects.located().to_string()
    }

    fn turn(&self) -> MutexGuard<'_, BTreeMap<StreamId, Seq>> {
        self.turn.lock().expect("nobody panics while reading or appending")
    }

    fn damaged(&self, what: String) -> BucketError {
        BucketError::Damaged { place: self.place_text(), what }
    }

    fn unread(&self, number: u64, unread: Unread) -> BucketError {
        let place = self.place_text();
        let of = |what: String| format!("entry {number}: {what}");
        match unread {
            Unread::Newer(what) => BucketError::Newer { place, what: of(what) },
            Unread::Damaged(what) => BucketError::Damaged { place, what: of(what) },
        }
    }

    fn cursor(&self) -> Result<Cursor, BucketError> {
        self.copy.cursor().map_err(BucketError::copy)
    }

    /// Reads what is new. The last entry that was read is listed once more: where another lies in its
    /// stead, the copy is of another journal.
    fn read_new(&self) -> Result<(), BucketError> {
        let known = self.cursor()?;
        let mut after = match known.number {
            0 | 1 => String::new(),
            number => entry::name(LOG, number - 1),
        };
        let mut expected = known.number.max(1);
        loop {
            let page = self.objects.list(&format!("{LOG}/"), &after)?;
            let mut new = Vec::new();
            for object in &page.objects {
                let Some(number) = entry::number(&object.key) else { continue };
                if number != expected {
                    let last = number - 1;
                    let missing = if last == expected {
                        format!("entry {last} is")
                    } else {
                        format!("the entries {expected} to {last} are")
                    };
                    return Err(self.damaged(format!("{missing} gone")));
                }
                expected += 1;
                if number == known.number {
                    self.must_be_known(&known, object)?;
                } else {
                    new.push((number, object.key.clone()));
                }
            }
            self.take_in_all(&new)?;
            after = match page.objects.last() {
                Some(last) if page.is_cut => last.key.clone(),
                _ => break,
            };
        }
        if expected <= known.number {
            let what = format!("entry {} is gone, which was read before", known.number);
            return Err(self.damaged(what));
        }
        self.copy.looked((self.clock)()).map_err(BucketError::copy)
    }

    /// Whether what was read last still lies there.
    fn must_be_known(&self, known: &Cursor, object: &aws::Listed) -> Result<(), BucketError> {
        if object.etag == known.version {
            return Ok(());
        }
        // A copy of the same bytes has another version.
        let read = self.objects.get(&object.key)?;
        if read.is_some_and(|it| Digest::of(&it.bytes) == known.digest) {
            return Ok(());
        }
        let number = known.number;
        Err(self.damaged(format!("entry {number} is another than was read before")))
    }

    fn take_in_all(&self, new: &[(u64, String)]) -> Result<(), BucketError> {
        let names: Vec<String> = new.iter().map(|(_, name)| name.clone()).collect();
        for ((number, _), object) in new.iter().zip(self.objects.get_all(&names)?) {
            let object = object.ok_or_else(|| self.damaged(format!("entry {number} is gone")))?;
            self.take_in(*number, &object.bytes, object.head.etag)?;
        }
        Ok(())
    }

    fn take_in(&self, number: u64, bytes: &[u8], version: String) -> Result<(), BucketError> {
        let entry = Entry::read(bytes).map_err(|it| self.unread(number, it))?;
        if entry.number != number {
            let what = format!("entry {number} says that it is entry {}", entry.number);
            return Err(self.damaged(what));
        }
        let named = (Digest::of(bytes), version);
        let taken = entry.taken_in(named, (self.clock)()).map_err(|it| self.unread(number, it))?;
        self.copy.take_in(taken).map_err(|error| match error {
            JournalError::Unreadable(what) => self.damaged(what),
            other => BucketError::Copy(other),
        })
    }

    /// Writes an entry behind the last one; where others were faster, behind theirs, made anew.
    fn write(
        &self,
        mut draft: impl FnMut(&Store, &Cursor) -> Result<Draft, BucketError>,
    ) -> Result<(), BucketError> {
        for _ in 0..BEHIND_OTHERS_MAX {
            let cursor = self.cursor()?;
            let Draft { place, append } = draft(&self.copy, &cursor)?;
            let entry = Entry {
                format: FORMAT,
                number: cursor.number + 1,
                previous: cursor.digest.to_string(),
                id: entry::unique(),
                by: self.who.owner.clone(),
                place,
                append,
            };
            let bytes = entry.write();
            if bytes.len() > ENTRY_BYTES_MAX {
                return Err(self.damaged(format!("an entry of {} bytes is too long", bytes.len())));
            }
            match self.put(&entry::name(LOG, entry.number), &bytes)? {
                Put::Ours(version) => return self.take_in(entry.number, &bytes, version),
                Put::Theirs => self.read_new()?,
            }
        }
        Err(BucketError::Crowded { place: self.place_text() })
    }

    /// Writes bytes of ours where nothing is. An answer that was lost is found out: what lies there
    /// are our own bytes, or somebody else's.
    fn put(&self, name: &str, bytes: &[u8]) -> Result<Put, BucketError> {
        match self.objects.put(name, bytes, OnlyAbsent::Yes)? {
            Stored::Done(head) => Ok(Put::Ours(head.etag)),
            Stored::NotSo | Stored::Busy => match self.objects.get(name)? {
                Some(object) if object.bytes == bytes => Ok(Put::Ours(object.head.etag)),
                _ => Ok(Put::Theirs),
            },
        }
    }

    /// What is appended to is understood: behind an event of a newer version nothing is decided.
    fn must_be_understood<E: Fact>(
        &self,
        seen: &mut BTreeMap<StreamId, Seq>,
        stream: StreamId,
    ) -> Result<(), JournalError> {
        let after = seen.get(&stream).copied().unwrap_or_default();
        if let Some(last) = self.copy.events::<E>(stream, after)?.last() {
            seen.insert(stream, last.seq);
        }
        Ok(())
    }

    fn at(&self, stream: StreamId, expected: Seq) -> Result<(Seq, Digest), JournalError> {
        let head = || self.copy.head(stream).map_err(BucketError::copy);
        let (mut found, mut digest) = head()?;
        if found < expected {
            self.read_new()?;
            (found, digest) = head()?;
        }
        if found != expected {
            return Err(JournalError::Conflict { stream, expected, found });
        }
        Ok((found, digest))
    }
}

fn append_form<E: Fact>(
    stream: StreamId,
    (after, mut digest): (Seq, Digest),
    at: Timestamp,
    events: &[E],
) -> AppendForm {
    let texts: Vec<String> = events.iter().map(Fact::encode).collect();
    let mut seq = after;
    for text in &texts {
        seq = Seq(seq.0 + 1);
        digest = chain(&digest, stream, seq, at, &Digest::of(text.as_bytes()));
    }
    AppendForm {
        stream: stream.to_string(),
        filed: None,
        after: after.0,
        at: at.0,
        chain: digest.to_string(),
        ends: events.iter().any(Fact::ends_stream),
        events: texts,
    }
}

/// Reads are of the copy: [`Shared::refresh`] says when it is brought up to date.
impl<E: Fact + Send + Sync> Journal<E> for Shared {
    fn append(
        &self,
        stream: StreamId,
        expected: Seq,
        at: Timestamp,
        events: &[E],
    ) -> Result<Seq, JournalError> {
        self.must_heed()?;
        let mut turn = self.turn();
        let stands = self.at(stream, expected);
        if let (Err(_), Some(place)) = (&stands, self.held.place(stream)) {
            // Why it has moved on says more than that it has.
            self.must_be_ours(&place)?;
        }
        stands?;
        self.must_be_understood::<E>(&mut turn, stream)?;
        if events.is_empty() {
            return Ok(expected);
        }
        let mut conflict = None;
        let written = self.write(|copy, _| {
            let place = self.held.place(stream);
            if let Some(place) = &place {
                self.must_be_ours(place)?;
            }
            let head = copy.head(stream).map_err(BucketError::copy)?;
            if head.0 != expected {
                conflict = Some(head.0);
                return Err(BucketError::Crowded { place: self.place_text() });
            }
            Ok(Draft { place, append: Some(append_form(stream, head, at, events)) })
        });
        match (written, conflict) {
            (_, Some(found)) => Err(JournalError::Conflict { stream, expected, found }),
            (Err(error), None) => Err(error.into()),
            (Ok(()), None) => Ok(Seq(expected.0 + events.len() as u64)),
        }
    }

    fn read(&self, stream: StreamId, after: Seq) -> Result<Vec<Envelope<E>>, JournalError> {
        self.copy.events(stream, after)
    }

    fn open_streams(&self) -> Result<Vec<StreamId>, JournalError> {
        self.copy.open_of::<E>()
    }
}
