//! Dumps beside a deployment's loop: taken, proven and restored by a thread that says what it sees.
//!
//! Nothing is remembered of it. Whoever comes after a crash gives the same order again, and the thread
//! of theirs looks in the bucket, or on the server, how far the one before came.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::time::{Duration, Instant};

use aws::Client;
use event::{Cause, CauseCode};
use mask::Secret;
use ports::{Order, Progress};
use serde_json::{Value as Json, json};
use sha2::{Digest as _, Sha256};

use crate::body::{Dump, RestoreDump};
use crate::bucket::Bucket as _;
use crate::dump::{Job, PART_BYTES_MIN, PAUSE, Wrong, wrong};
use crate::load::{Place, Unloaded};
use crate::objects::Objects;
use crate::postgres::{Address, Limits, Programs};
use crate::words::{hex, text};

/// How often it is looked how far it is.
const LOOK: Duration = Duration::from_millis(200);
/// How long somebody who stops waits for an upload to be thrown away: what stays is found later.
const STOP_TIME_MAX: Duration = Duration::from_secs(5);
/// When it is begun anew after something did not answer.
const AGAIN: Duration = Duration::from_secs(10);

/// What dumps need and only the outside knows.
pub trait Outside: Send + Sync {
    /// A client of a region, signed in as the environment says.
    ///
    /// # Errors
    /// When nobody can sign in.
    fn client(&self, region: &str) -> Result<Client, Cause>;

    /// What lies where the settings say: the address of a database. What AWS keeps is in this region.
    ///
    /// # Errors
    /// When it cannot be read.
    fn secret(&self, reference: &str, region: &str) -> Result<Secret, Cause>;
}

/// What is to be done.
#[derive(Clone, Debug)]
pub(crate) enum Task {
    Dump(Dump),
    Restore(RestoreDump),
}

/// Does these steps.
#[derive(Default)]
pub(crate) struct Dumps {
    outside: Option<Arc<dyn Outside>>,
    working: BTreeMap<String, Working>,
}

struct Working {
    said: Receiver<Said>,
    last: String,
    is_stopped: Arc<AtomicBool>,
}

enum Said {
    Seen(String),
    Over(Result<Json, Wrong>),
}

impl Drop for Working {
    /// Nobody wants it any more: it has a moment to throw half of an upload away.
    fn drop(&mut self) {
        self.is_stopped.store(true, Ordering::Relaxed);
        let until = Instant::now() + STOP_TIME_MAX;
        let left = || until.saturating_duration_since(Instant::now());
        while self.said.recv_timeout(left()).is_ok() {}
    }
}

impl Dumps {
    pub(crate) fn new(outside: Arc<dyn Outside>) -> Dumps {
        Dumps { outside: Some(outside), working: BTreeMap::new() }
    }

    pub(crate) fn advance(&mut self, order: &Order<'_>, task: &Task) -> Progress {
        let key = order.step.key.to_string();
        if !self.working.contains_key(&key) {
            let Some(outside) = &self.outside else {
                return failed(task, because(CauseCode::Fault, "nobody was asked who takes dumps"));
            };
            self.working.insert(key.clone(), begin(Arc::clone(outside), order, task.clone()));
        }
        let working = self.working.get_mut(&key).expect("it was just put there");
        let over = loop {
            match working.said.try_recv() {
                Ok(Said::Seen(seen)) => working.last = seen,
                Ok(Said::Over(over)) => break over,
                Err(TryRecvError::Empty) => {
                    return Progress::Underway { seen: text(working.last.clone()), again_in: LOOK };
                }
                Err(TryRecvError::Disconnected) => {
                    let cause = because(CauseCode::Fault, "it ended without a word");
                    break Err(Wrong::Final(cause));
                }
            }
        };
        self.working.remove(&key);
        match over {
            Ok(effect) => Progress::Done { effect },
            Err(Wrong::Passing(cause)) => Progress::Unreachable { cause, again_in: AGAIN },
            Err(Wrong::Final(cause)) => failed(task, cause),
        }
    }
}

fn because(code: CauseCode, said: &str) -> Cause {
    Cause::new(code, text(said))
}

fn failed(task: &Task, because: Cause) -> Progress {
    let said = match task {
        Task::Dump(_) => "the backup failed: nothing that runs was changed",
        Task::Restore(_) => "the restore failed: the database that runs was not touched",
    };
    Progress::Failed(Cause::new(CauseCode::BackupFailed, text(said)).because(because))
}

fn begin(outside: Arc<dyn Outside>, order: &Order<'_>, task: Task) -> Working {
    let (sender, said) = channel();
    let is_stopped = Arc::new(AtomicBool::new(false));
    let left = Duration::from_millis(order.until.0.saturating_sub(order.now.0));
    let limits = Limits { until: Instant::now() + left, is_stopped: Arc::clone(&is_stopped) };
    let work = Work {
        outside,
        limits,
        deployment: order.deployment.to_string(),
        since: order.since.0,
        said: sender,
    };
    std::thread::spawn(move || {
        let over = match &task {
            Task::Dump(dump) => work.dump(dump),
            Task::Restore(restore) => work.restore(restore),
        };
        // Nobody may listen any more.
        let _ = work.said.send(Said::Over(over));
    });
    Working { said, last: "begins".to_owned(), is_stopped }
}

/// A task, with all that it needs.
struct Work {
    outside: Arc<dyn Outside>,
    limits: Limits,
    deployment: String,
    since: u64,
    said: Sender<Said>,
}

impl Work {
    fn say(&self, seen: String) {
        let _ = self.said.send(Said::Seen(seen));
    }

    fn address(&self, of: &Dump, reference: &str) -> Result<Address, Wrong> {
        let secret = self.outside.secret(reference, &of.region).map_err(Wrong::Final)?;
        Address::read(&secret).map_err(|error| wrong(format!("{reference}: {error}")))
    }

    fn objects(&self, dump: &Dump) -> Result<Objects, Wrong> {
        let mut client = self.outside.client(&dump.region).map_err(Wrong::Final)?;
        client.call_as(format!("launchway/{}", self.deployment));
        Objects::open(client, dump)
    }

    /// The same for the same order, whoever carries it on.
    fn dump(&self, dump: &Dump) -> Result<Json, Wrong> {
        let object = format!("launchway-{}-{}-{}.dump", dump.name, self.deployment, self.since);
        let programs = programs()?;
        let address = self.address(dump, &dump.url)?;
        let scratch = dump.scratch.as_ref().map(|it| self.address(dump, it)).transpose()?;
        let mut objects = self.objects(dump)?;
        let job = Job {
            dump,
            object: &object,
            deployment: &self.deployment,
            address: &address,
            scratch: scratch.as_ref(),
            programs: &programs,
            limits: &self.limits,
            say: &|seen| self.say(seen),
            part_bytes_min: PART_BYTES_MIN,
            pause: PAUSE,
        };
        job.run(&mut objects).map(|kept| json!(kept))
    }

    /// Under a name that nobody else has until everything is in it; then it gets its own.
    fn restore(&self, restore: &RestoreDump) -> Result<Json, Wrong> {
        let RestoreDump { of, object, sha256, rows, new, .. } = restore;
        let programs = programs()?;
        let address = self.address(of, &of.url)?;
        let place = Place { programs: &programs, address: &address, limits: &self.limits };
        if *new == address.database() {
            return Err(wrong(format!("{new} is the one that runs: name another")));
        }
        let own = format!("restored by launchway, deployment {}-{}", self.deployment, self.since);
        match place.comment(new)? {
            Some(comment) if comment == own => return Ok(restored(restore)),
            Some(_) => {
                let said = format!("{new} is there already, and not from here: name another");
                return Err(wrong(said));
            }
            None => {}
        }
        let half = format!("launchway_restore_{}_{}", self.deployment, self.since);
        let mut objects = self.objects(of)?;
        self.say(format!("{object} becomes {new}"));
        let shown = format!("s3://{}/{}{object}", of.bucket, of.prefix);
        let (key, mut digest) = (format!("{}{object}", of.prefix), Sha256::new());
        let loaded = place.load(&half, &mut |into| {
            // Another try may begin with the first byte again.
            digest = Sha256::new();
            objects.read(&key, &mut Hashed { into, digest: &mut digest })
        });
        let is_it = hex(&digest.finalize()) == *sha256;
        let found = loaded.and_then(|()| place.rows(&half));
        let over = match found {
            // What is not the same is not worth PostgreSQL's own words for it.
            Ok(_) | Err(Unloaded::Spoiled(_)) if !is_it => {
                Err(wrong(format!("{shown} is not what was put aside: its digest is another")))
            }
            Ok(Some(found)) if found != *rows => {
                Err(wrong(format!("{found} rows came out of {shown}, and {rows} were in it")))
            }
            Ok(_) => Ok(()),
            Err(unloaded) => Err(unloaded.of(&shown)),
        };
        over.inspect_err(|_| place.drop_database(&half))?;
        place.finish(&half, &own, new)?;
        Ok(restored(restore))
    }
}

/// Hashes what goes by.
struct Hashed<'a> {
    into: &'a mut dyn Write,
    digest: &'a mut Sha256,
}

impl Write for Hashed<'_> {
    fn write(&mut self, piece: &[u8]) -> std::io::Result<usize> {
        self.digest.update(piece);
        self.into.write_all(piece)?;
        Ok(piece.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.into.flush()
    }
}

fn restored(restore: &RestoreDump) -> Json {
    json!({"restored": restore.new, "rows": restore.rows})
}

fn programs() -> Result<Programs, Wrong> {
    Programs::find().map_err(|error| {
        let said = format!("{error}: {}", error.hint());
        Wrong::Final(Cause::new(CauseCode::Unavailable, text(said)))
    })
}
