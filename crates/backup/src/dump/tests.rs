//! A real PostgreSQL, and a bucket in memory in which everything can go wrong: killed before and after
//! every call, spoiled by somebody, refused.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use aws::FaultKind;
use expect_test::{Expect, expect};
use mask::Secret;
use serde_json::json;

use super::*;
use crate::bucket::Seen;

/// Parts of the tests: a dump has several.
const PART: u64 = 4096;

const TABLES: &str = "
create table tasks (id int primary key, text text);
insert into tasks select n, md5(n::text) from generate_series(1, 900) n;
create table empty (id int);
create view open_tasks as select * from tasks;
create function f() returns text language sql as $$ select 'COPY tasks FROM stdin;' $$;
";

/// A server, with a database of its own for whoever asks.
struct Server {
    _running: services::Running,
    url: String,
}

impl Server {
    fn start() -> Server {
        let service = json!({"image": "postgres", "ports": ["5432"],
            "env": {"POSTGRES_PASSWORD": "hunter22", "POSTGRES_DB": "planner"}});
        let plan = services::plan("db", &service).expect("it can be had").expect("an image");
        let mut environment = services::Environment {
            tracking: &[],
            is_cancelled: &|| false,
            say: &mut |_| {},
            start: &Command::spawn,
        };
        let running = services::start(vec![plan], &mut environment).expect("it starts");
        let port = running.context()["db"]["ports"]["5432"].as_str().expect("a port").to_owned();
        let url = format!("postgresql://postgres:hunter22@127.0.0.1:{port}/planner");
        let server = Server { _running: running, url };
        server.ask(TABLES);
        server
    }

    fn address(&self) -> Address {
        Address::read(&Secret::new(self.url.as_str())).expect("it is one")
    }

    fn ask(&self, statement: &str) -> String {
        let programs = Programs::find().expect("they are installed");
        programs.ask(&self.address(), statement, &Limits::short()).expect("it answers")
    }
}

/// What somebody does to it.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kill {
    Never,
    /// Before the call of this number.
    Before(usize),
    /// It is done, and nobody hears of it.
    After(usize),
    /// It is done, nobody hears of it, and everybody goes on.
    Lost(usize),
}

/// A bucket in memory.
#[derive(Default)]
struct Memory {
    objects: BTreeMap<String, Vec<u8>>,
    uploads: BTreeMap<String, (String, BTreeMap<u32, Vec<u8>>)>,
    begun: u32,
    /// Parts and objects that were written.
    written: usize,
}

struct Shelf<'a> {
    memory: &'a RefCell<Memory>,
    kill: Kill,
    calls: usize,
}

fn fault(kind: FaultKind, code: &str) -> Fault {
    Fault {
        kind,
        action: "s3:Call".to_owned(),
        code: Some(code.to_owned()),
        message: "it says".to_owned(),
        request_id: None,
        resources: Box::default(),
    }
}

impl Shelf<'_> {
    fn call<T>(&mut self, done: impl FnOnce(&mut Memory) -> Result<T, Fault>) -> Result<T, Fault> {
        self.calls += 1;
        let killed = || Err(fault(FaultKind::Refused, "Killed"));
        match self.kill {
            Kill::Before(at) if self.calls >= at => killed(),
            Kill::After(at) if self.calls > at => killed(),
            Kill::After(at) if self.calls == at => {
                let _ = done(&mut self.memory.borrow_mut());
                killed()
            }
            Kill::Lost(at) if self.calls == at => {
                let _ = done(&mut self.memory.borrow_mut());
                Err(fault(FaultKind::Unanswered, "Lost"))
            }
            _ => done(&mut self.memory.borrow_mut()),
        }
    }
}

impl Bucket for Shelf<'_> {
    fn head(&mut self, key: &str) -> Result<Option<Seen>, Fault> {
        self.call(|memory| {
            let seen =
                |it: &Vec<u8>| Seen { bytes: it.len() as u64, etag: hex(&Sha256::digest(it)) };
            Ok(memory.objects.get(key).map(seen))
        })
    }

    fn get(&mut self, key: &str) -> Result<Option<Vec<u8>>, Fault> {
        self.call(|memory| Ok(memory.objects.get(key).cloned()))
    }

    fn read(&mut self, key: &str, into: &mut dyn std::io::Write) -> Result<bool, Fault> {
        self.call(|memory| match memory.objects.get(key) {
            None => Ok(false),
            Some(bytes) => {
                into.write_all(bytes).expect("it takes all");
                Ok(true)
            }
        })
    }

    fn write(&mut self, key: &str, bytes: &[u8]) -> Result<(), Fault> {
        self.call(|memory| {
            memory.written += 1;
            memory.objects.insert(key.to_owned(), bytes.to_vec());
            Ok(())
        })
    }

    fn begin(&mut self, key: &str) -> Result<String, Fault> {
        self.call(|memory| {
            memory.begun += 1;
            let upload = memory.begun.to_string();
            memory.uploads.insert(upload.clone(), (key.to_owned(), BTreeMap::new()));
            Ok(upload)
        })
    }

    fn part(&mut self, _: &str, upload: &str, number: u32, bytes: &[u8]) -> Result<String, Fault> {
        self.call(|memory| {
            memory.written += 1;
            let gone = fault(FaultKind::Refused, "NoSuchUpload");
            let (_, parts) = memory.uploads.get_mut(upload).ok_or(gone)?;
            parts.insert(number, bytes.to_vec());
            Ok(number.to_string())
        })
    }

    fn complete(&mut self, key: &str, upload: &str, parts: &[String]) -> Result<(), Fault> {
        self.call(|memory| {
            let gone = fault(FaultKind::Refused, "NoSuchUpload");
            let (_, there) = memory.uploads.remove(upload).ok_or(gone)?;
            assert_eq!(there.keys().map(u32::to_string).collect::<Vec<_>>(), parts);
            memory.objects.insert(key.to_owned(), there.into_values().flatten().collect());
            Ok(())
        })
    }

    fn abort(&mut self, _: &str, upload: &str) -> Result<(), Fault> {
        self.call(|memory| {
            memory.uploads.remove(upload);
            Ok(())
        })
    }

    fn uploads(&mut self, key: &str) -> Result<Vec<String>, Fault> {
        self.call(|memory| {
            let own = memory.uploads.iter().filter(|it| it.1.0 == key);
            Ok(own.map(|it| it.0.clone()).collect())
        })
    }
}

const OBJECT: &str = "launchway-planner-staging-12-1700000000000.dump";
const KEY: &str = "dumps/launchway-planner-staging-12-1700000000000.dump";
const NOTE: &str = "dumps/launchway-planner-staging-12-1700000000000.dump.json";

struct Bench {
    server: Server,
    dump: Dump,
    programs: Programs,
    limits: Limits,
}

impl Bench {
    fn new() -> Bench {
        let dump = Dump {
            name: "planner-staging".to_owned(),
            url: "local:DATABASE_URL".to_owned(),
            bucket: "backups".to_owned(),
            prefix: "dumps/".to_owned(),
            region: "eu-central-1".to_owned(),
            account: None,
            scratch: None,
        };
        let limits = Limits {
            until: Instant::now() + Duration::from_mins(5),
            is_stopped: Arc::new(AtomicBool::new(false)),
        };
        let programs = Programs::find().expect("they are installed");
        Bench { server: Server::start(), dump, programs, limits }
    }

    /// How it ends, and how many calls were made.
    fn run(&self, memory: &RefCell<Memory>, kill: Kill) -> (Result<Kept, Wrong>, usize) {
        self.run_at(&self.server.address(), None, memory, kill)
    }

    fn run_at(
        &self,
        address: &Address,
        scratch: Option<&Address>,
        memory: &RefCell<Memory>,
        kill: Kill,
    ) -> (Result<Kept, Wrong>, usize) {
        let job = Job {
            dump: &self.dump,
            object: OBJECT,
            deployment: "12",
            address,
            scratch,
            programs: &self.programs,
            limits: &self.limits,
            say: &|_| {},
            part_bytes_min: PART,
            pause: Duration::ZERO,
        };
        let mut shelf = Shelf { memory, kill, calls: 0 };
        (job.run(&mut shelf), shelf.calls)
    }

    /// Why it fails.
    fn check(&self, memory: &RefCell<Memory>, expect: &Expect) {
        let ended = self.run(memory, Kill::Never).0;
        let told = match ended {
            Ok(kept) => format!("{kept:?}"),
            Err(Wrong::Passing(cause)) => format!("passing {}", tell(&cause)),
            Err(Wrong::Final(cause)) => tell(&cause),
        };
        expect.assert_eq(&told);
    }
}

fn tell(cause: &Cause) -> String {
    let because = cause.because.iter().map(|it| format!(" < {}", tell(it)));
    format!("{}{}", cause.message, because.collect::<String>())
}

/// Killed before and after each call: whoever comes next ends with one proven dump and no upload, and
/// takes no second one where the first was whole.
#[test]
fn a_dump_survives_a_kill_at_every_call() {
    let bench = Bench::new();
    let memory = RefCell::default();
    let (kept, calls) = bench.run(&memory, Kill::Never);
    let Ok(Kept::Dump { sha256, bytes, rows, tables, entries, .. }) = kept else {
        panic!("{kept:?}")
    };
    assert_eq!((rows, tables), (900, 2));
    assert!(entries >= 5 && bytes > 2 * PART, "{entries} entries, {bytes} bytes");
    assert_eq!(hex(&Sha256::digest(&memory.borrow().objects[KEY])), sha256);
    assert!(calls > 10, "{calls}");
    let mut points = 0;
    for at in 1..=calls {
        for kill in [Kill::Before(at), Kill::After(at)] {
            let memory = RefCell::default();
            let first = bench.run(&memory, kill).0;
            assert!(first.is_err(), "{kill:?}");
            let was_there = memory.borrow().objects.contains_key(KEY);
            let before = memory.borrow().written;
            let (second, _) = bench.run(&memory, Kill::Never);
            let Ok(Kept::Dump { sha256, rows, .. }) = second else { panic!("{kill:?} {second:?}") };
            let memory = memory.into_inner();
            assert_eq!(rows, 900, "{kill:?}");
            assert_eq!(hex(&Sha256::digest(&memory.objects[KEY])), sha256, "{kill:?}");
            assert!(memory.uploads.is_empty(), "{kill:?}");
            assert_eq!(memory.objects.keys().collect::<Vec<_>>(), [KEY, NOTE], "{kill:?}");
            // Only the note, or nothing at all where that was written, too.
            assert!(!was_there || memory.written - before <= 1, "{kill:?}");
            points += 1;
        }
        // Nobody hears of it, and it is asked again.
        let memory = RefCell::default();
        let (ended, _) = bench.run(&memory, Kill::Lost(at));
        assert!(matches!(ended, Ok(Kept::Dump { rows: 900, .. })), "{at}: {ended:?}");
    }
    assert!(points > 20, "{points}");
}

/// What is not whole, or not what was sent, blocks; why is said.
#[test]
fn a_dump_that_is_not_what_was_sent_blocks() {
    let bench = Bench::new();
    let whole = RefCell::default();
    bench.run(&whole, Kill::Never).0.expect("it is taken");
    let Memory { objects, .. } = whole.into_inner();
    let note: Note = serde_json::from_slice(&objects[NOTE]).expect("it is one");
    // As it is when it was sent and not proven yet; `changed` is what the bucket has made of it.
    let after = |changed: &dyn Fn(&mut Vec<u8>), note: &Note| {
        let mut memory = Memory { objects: objects.clone(), ..Memory::default() };
        let note = serde_json::to_vec(&Note { proven: None, ..note.clone() }).expect("JSON");
        memory.objects.insert(NOTE.to_owned(), note);
        changed(memory.objects.get_mut(KEY).expect("it is there"));
        RefCell::new(memory)
    };
    let digests = |text: &str| text.replace(&note.sha256, "SENT");
    let check = |memory: &RefCell<Memory>, expect: &Expect| {
        let ended = bench.run(memory, Kill::Never).0;
        let Err(Wrong::Final(cause)) = ended else { panic!("{ended:?}") };
        let told = digests(&tell(&cause));
        let digest = told.split("the digest ").nth(1).and_then(|it| it.split(',').next());
        let told = digest.map_or(told.clone(), |it| told.replace(it, "FOUND"));
        expect.assert_eq(&told.replace(&note.bytes.to_string(), "N"));
    };
    // One bit, in the middle of a row.
    let flipped = after(
        &|bytes| {
            let at = bytes.len() / 2;
            bytes[at] ^= 1;
        },
        &note,
    );
    check(
        &flipped,
        &expect![
            "s3://backups/dumps/launchway-planner-staging-12-1700000000000.dump does not hold what was dumped: it has N bytes with the digest FOUND, and N with SENT were sent"
        ],
    );
    // The right digest of what is no archive to its end: whoever dumped was lied to.
    let short = |bytes: &mut Vec<u8>| bytes.truncate(bytes.len() / 2);
    let mut half = objects[KEY].clone();
    short(&mut half);
    let lied =
        Note { sha256: hex(&Sha256::digest(&half)), bytes: half.len() as u64, ..note.clone() };
    check(
        &after(&short, &lied),
        &expect![
            "s3://backups/dumps/launchway-planner-staging-12-1700000000000.dump does not hold what was dumped: pg_restore ended with 1: pg_restore: error: could not read from input file: end of file"
        ],
    );
    let lied = Note { sha256: hex(&Sha256::digest([])), bytes: 0, ..note.clone() };
    check(
        &after(&|bytes| bytes.clear(), &lied),
        &expect![
            "s3://backups/dumps/launchway-planner-staging-12-1700000000000.dump does not hold what was dumped: it is empty"
        ],
    );
    let text = b"pg_dump: error: no";
    let lied =
        Note { sha256: hex(&Sha256::digest(text)), bytes: text.len() as u64, ..note.clone() };
    check(
        &after(&|bytes| *bytes = text.to_vec(), &lied),
        &expect![
            "s3://backups/dumps/launchway-planner-staging-12-1700000000000.dump does not hold what was dumped: pg_restore ended with 1: pg_restore: error: input file does not appear to be a valid archive (too short?)"
        ],
    );
    // A whole archive of nothing, of a database that had tables.
    bench.server.ask("create database nothing template template0");
    let nothing = bench.server.address().in_database("nothing");
    let empty = RefCell::default();
    let ended = bench.run_at(&nothing, None, &empty, Kill::Never).0;
    assert!(matches!(ended, Ok(Kept::Dump { tables: 0, rows: 0, .. })), "{ended:?}");
    let empty = empty.into_inner().objects[KEY].clone();
    let lied =
        Note { sha256: hex(&Sha256::digest(&empty)), bytes: empty.len() as u64, ..note.clone() };
    check(
        &after(&|bytes| *bytes = empty.clone(), &lied),
        &expect![
            "s3://backups/dumps/launchway-planner-staging-12-1700000000000.dump does not hold what was dumped: 0 tables of 1 have their data in it"
        ],
    );
}

/// The database, its server, our programs: what goes wrong with them is said without the address.
#[test]
fn what_cannot_be_dumped_is_said_without_the_address() {
    let bench = Bench::new();
    let survey = bench.programs.survey(&bench.server.address()).expect("it answers");
    assert_eq!(survey.tables, 2);
    assert!(survey.size_bytes > 1 << 20, "{survey:?}");
    let check = |from: &str, to: &str, expect: &Expect| {
        let url = bench.server.url.replace(from, to);
        let address = Address::read(&Secret::new(url)).expect("it is one");
        let error = bench.programs.survey(&address).expect_err("it is another");
        let told = format!("{error}\nhint: {}", error.hint());
        // Why a name is not known depends on the machine.
        let told = told.split(" to address").next().unwrap_or_default();
        expect.assert_eq(told);
    };
    check(
        "hunter22",
        "wrong-password",
        &expect![[r#"
            the database does not answer: psql ended with 2: psql: error: the connection failed: FATAL:  password authentication failed for user "***"
            hint: correct what the secret says, or let this machine reach the database; where only AWS reaches it, take a snapshot: `backup: { rds: NAME }`"#]],
    );
    check(
        "/planner",
        "/planned",
        &expect![[r#"
            the database does not answer: psql ended with 2: psql: error: the connection failed: FATAL:  database "***" does not exist
            hint: correct what the secret says, or let this machine reach the database; where only AWS reaches it, take a snapshot: `backup: { rds: NAME }`"#]],
    );
    check(
        "127.0.0.1",
        "nobody.invalid",
        &expect![[
            r#"the database does not answer: psql ended with 2: psql: error: could not translate host name "***""#
        ]],
    );
    // A table that its owner alone may read.
    bench.server.ask("create role reader login password 'reading1'");
    let url = bench.server.url.replace("postgres:hunter22", "reader:reading1");
    let reader = Address::read(&Secret::new(url)).expect("it is one");
    let memory = RefCell::default();
    let ended = bench.run_at(&reader, None, &memory, Kill::Never).0;
    let Err(Wrong::Final(cause)) = ended else { panic!("{ended:?}") };
    expect![[r#"
        pg_dump ended with 1: pg_dump: error: query failed: ERROR:  permission denied for table tasks
        pg_dump: detail: Query was: LOCK TABLE public.tasks IN ACCESS SHARE MODE"#]].assert_eq(&tell(&cause));
    let memory = memory.into_inner();
    assert!(memory.objects.is_empty() && memory.uploads.is_empty());
    // Somebody holds a table, and its time is over.
    let mut holder = bench.programs.command("psql");
    let hold = "begin; lock table tasks in access exclusive mode; select pg_sleep(60)";
    holder.args(["--no-psqlrc", "--command", hold]);
    let holder = Running::start(holder, Some(&bench.server.address()), &bench.limits);
    let _holder = holder.expect("it starts");
    let held = "select count(*) from pg_locks where mode = 'AccessExclusiveLock' and granted";
    let held_by = |it: &Bench| it.server.ask(held).trim() == "1";
    while !held_by(&bench) {}
    let until = Instant::now() + Duration::from_millis(300);
    let short = Bench { limits: Limits { until, ..bench.limits.clone() }, ..bench };
    short.check(&RefCell::default(), &expect!["pg_dump was ended: its time was over"]);
}

/// Restored once beside, counted, thrown away.
#[test]
fn a_dump_is_restored_once_where_that_is_wanted() {
    let bench = Bench::new();
    let address = bench.server.address();
    let memory = RefCell::default();
    let (kept, _) = bench.run_at(&address, Some(&address), &memory, Kill::Never);
    let Ok(Kept::Dump { restored_ms: Some(_), .. }) = kept else { panic!("{kept:?}") };
    let databases =
        bench.server.ask("select datname from pg_database where not datistemplate order by 1");
    assert_eq!(databases, "planner\npostgres\n");
}
