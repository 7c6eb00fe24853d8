//! What only a database has: it goes away and comes back, and others are there, too.

use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

use event::{Digest, RunId, Seq, Timestamp};
use expect_test::{Expect, expect};
use ports::Journal as _;
use store::{Database, Presence, Store, StoreError, Taken, TakenWebhook, Webhooks, attach};

use crate::cluster::{Cluster, client};
use crate::engines::Home;
use crate::{NOW, ready, run, story};

/// Each of four callers appends so many events, and takes a tenth as many runs.
const APPENDS: u64 = 250;
const CALLERS: u64 = 4;

/// Appends from several threads while `trouble` hears of every acknowledgement; then everything that
/// was acknowledged is there once.
fn check_nothing_is_lost(home: &Home, trouble: impl FnOnce(Receiver<()>) + Send) {
    let store = home.open_durably();
    let (told, heard) = channel();
    let runs = std::thread::scope(|scope| {
        scope.spawn(|| trouble(heard));
        let callers: Vec<_> = (1..=CALLERS)
            .map(|caller| {
                let (store, told) = (&store, told.clone());
                scope.spawn(move || append_and_count(store, caller, &told))
            })
            .collect();
        drop(told);
        let runs = callers.into_iter().flat_map(|it| it.join().expect("it appends"));
        runs.collect::<Vec<RunId>>()
    });
    let verified = store.verify().unwrap();
    assert_eq!((verified.streams, verified.events), (CALLERS, CALLERS * APPENDS));
    for caller in 1..=CALLERS {
        for (index, envelope) in store.read(run(caller), Seq(0)).unwrap().iter().enumerate() {
            assert_eq!(envelope.event, ready(&format!("{caller} {index}")));
        }
    }
    // Whatever was retried took no number twice, and none for nobody.
    let mut runs: Vec<u64> = runs.into_iter().map(|it| it.0).collect();
    runs.sort_unstable();
    assert_eq!(runs, (1..=CALLERS * APPENDS / 10).collect::<Vec<_>>());
}

fn append_and_count(store: &Store, caller: u64, told: &Sender<()>) -> Vec<RunId> {
    let mut runs = Vec::new();
    for seq in 0..APPENDS {
        let event = [ready(&format!("{caller} {seq}"))];
        assert_eq!(store.append(run(caller), Seq(seq), NOW, &event).unwrap(), Seq(seq + 1));
        if seq % 10 == 0 {
            runs.push(store.allocate_run("octo/a", "ci.yml").unwrap().0);
        }
        // Whoever makes trouble may have ended.
        let _gone = told.send(());
    }
    runs
}

/// After how many acknowledgements there is trouble: whatever, and the same each time.
fn moments(count: usize) -> impl Iterator<Item = usize> {
    let mut state = 2_463_534_242_u32;
    std::iter::repeat_with(move || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        (state % 23) as usize + 1
    })
    .take(count)
}

#[test]
fn connections_that_are_cut_lose_nothing_and_double_nothing() {
    let url = Cluster::of_all().schema();
    let home = Home::in_database(format!("{url}&application_name=victim"));
    let mut killer = client(&url);
    let mut killed = 0;
    check_nothing_is_lost(&home, |heard| {
        for moment in moments(60) {
            if heard.iter().take(moment).count() < moment {
                break;
            }
            let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                       WHERE application_name = 'victim'";
            killed += killer.query(cut, &[]).expect("it may").len();
        }
    });
    assert!(killed > 20, "{killed} connections were cut");
}

#[test]
fn a_server_that_crashes_loses_nothing_and_doubles_nothing() {
    let cluster = Cluster::start();
    let home = Home::in_database(cluster.schema());
    check_nothing_is_lost(&home, |heard| {
        for moment in moments(6) {
            if heard.iter().take(moment * 5).count() < moment * 5 {
                break;
            }
            cluster.crash();
            cluster.begin_again();
        }
    });
}

#[test]
fn while_it_is_away_that_is_said_and_afterwards_it_is_there() {
    let cluster = Cluster::start();
    let home = Home::in_database(cluster.schema());
    let store = home.open();
    let webhooks = Webhooks::open(home.path()).unwrap();
    let said = Arc::new(Mutex::new(Vec::new()));
    let says = Arc::clone(&said);
    store.tell_of_absence(move |presence| {
        says.lock().unwrap().push(match presence {
            Presence::Away(error) => format!("away: {}", store::is_away(error)),
            Presence::Back { .. } => "back".to_owned(),
        });
    });
    let one = |id: &str| TakenWebhook {
        id: id.to_owned(),
        digest: Some(Digest::of(id.as_bytes())),
        event: "push".to_owned(),
        at: Timestamp(1),
        body: b"{}".to_vec(),
    };
    assert_eq!(webhooks.take(one("a")).unwrap(), Taken::New);
    cluster.crash();
    assert!(matches!(store.newest_position(), Err(StoreError::Away { .. })));
    // As the crates above have it: inside of an error of theirs.
    assert!(store::is_away(&store.read(run(1), Seq(0)).unwrap_err()));
    assert!(matches!(webhooks.waiting(), Err(StoreError::Away { .. })));
    // Who waits outside is told, and comes again.
    assert!(matches!(webhooks.take(one("b")), Err(StoreError::Away { .. })));
    assert!(matches!(Store::open(home.path()), Err(StoreError::Away { .. })));
    std::thread::scope(|scope| {
        let appended = scope.spawn(|| store.append(run(1), Seq(0), NOW, &[ready("a")]));
        cluster.begin_again();
        assert_eq!(appended.join().unwrap().unwrap(), Seq(1));
    });
    assert_eq!(store.read(run(1), Seq(0)).unwrap().len(), 1);
    assert_eq!(webhooks.take(one("b")).unwrap(), Taken::New);
    assert_eq!(webhooks.take(one("a")).unwrap(), Taken::Known);
    assert_eq!(webhooks.waiting().unwrap(), 2);
    // However many asked meanwhile.
    assert_eq!(*said.lock().unwrap(), ["away: true", "back"]);
}

#[test]
fn a_standby_is_as_good_as_away() {
    let cluster = Cluster::start();
    let url = cluster.schema();
    let home = Home::in_database(url.clone());
    let store = home.open();
    let said = Arc::new(Mutex::new(0));
    let says = Arc::clone(&said);
    store.tell_of_absence(move |_| *says.lock().unwrap() += 1);
    // What a standby says to everybody who comes.
    let reading = "ALTER ROLE CURRENT_USER SET default_transaction_read_only = on";
    crate::cluster::client(&url).batch_execute(reading).unwrap();
    cluster.crash();
    cluster.begin_again();
    for _ in 0..3 {
        let error = store.newest_position().unwrap_err();
        let said = story(&error, home.path());
        assert!(said.contains("database does not allow writes"), "{said}");
        assert!(matches!(error, StoreError::Away { .. }));
    }
    // It did not come back in between, each time that it let somebody in.
    assert_eq!(*said.lock().unwrap(), 1);
}

#[test]
fn one_server_has_it() {
    let url = Cluster::of_all().schema();
    let (first, second) = (Home::in_database(url.clone()), Home::in_database(url));
    let (store, other) = (first.open(), second.open());
    store.claim("one:/srv/a").unwrap();
    store.renew().unwrap();
    let refused = other.claim("two:/srv/b").unwrap_err();
    assert!(matches!(&refused, StoreError::Served { by, .. } if by == "one:/srv/a"));
    // Commands beside a server write, too.
    other.append(run(1), Seq(0), NOW, &[ready("a")]).unwrap();
    // The very same, started again after it was killed, goes on at once.
    let again = first.open();
    again.claim("one:/srv/a").unwrap();
    assert!(matches!(store.renew(), Err(StoreError::TakenOver { .. })));
    again.append(run(1), Seq(1), NOW, &[ready("b")]).unwrap();
    // One that was silent for too long.
    first.alter("UPDATE launchway SET heard_at = heard_at - interval '30 seconds'");
    other.claim("two:/srv/b").unwrap();
    let refused = again.append(run(1), Seq(2), NOW, &[ready("c")]).unwrap_err();
    let said = story(&refused, first.path());
    assert!(said.contains("another server has the database"), "{said}");
    again.release().unwrap();
    assert!(store.claim("one:/srv/a").is_err(), "what is another's is not given back");
    other.append(run(1), Seq(2), NOW, &[ready("c")]).unwrap();
    other.release().unwrap();
    store.claim("one:/srv/a").unwrap();
    assert_eq!(store.verify().unwrap().events, 3);
}

#[test]
fn those_that_come_first_make_one_journal() {
    let url = Cluster::of_all().schema();
    let homes: Vec<Home> = std::thread::scope(|scope| {
        let made: Vec<_> = (0..4).map(|_| scope.spawn(|| Home::in_database(url.clone()))).collect();
        made.into_iter().map(|it| it.join().expect("it is made")).collect()
    });
    for (index, home) in homes.iter().enumerate() {
        home.open().append(run(1), Seq(index as u64), NOW, &[ready("a")]).unwrap();
    }
    assert_eq!(homes[0].open().verify().unwrap().events, 4);
}

/// What attaching a folder to an address, and opening it, says.
fn check(folder: &Path, url: &str, expected: &Expect) {
    let attached = Database::parse(url).map_err(|error| error.to_string()).and_then(|database| {
        let opened = attach(folder, &database, None).and_then(|()| Store::open(folder).map(drop));
        opened.map_err(|error| {
            let hint = error.hint().map(|hint| format!("\nhint: {hint}")).unwrap_or_default();
            story(&error, folder) + &hint
        })
    });
    let said = attached.err().unwrap_or_else(|| "it opened".to_owned());
    let (place, _) = url.split_once("&options").unwrap_or((url, ""));
    let (_, socket) = place.split_once("host=").unwrap_or_default();
    let said = if socket.is_empty() { said } else { said.replace(socket, "SOCKET") };
    let words = said.split("&options=-csearch_path%3Dtest");
    let words = words.map(|it| it.trim_start_matches(|it: char| it.is_ascii_digit()));
    expected.assert_eq(&words.collect::<String>());
}

#[test]
fn what_is_wrong_is_said_with_what_to_do() {
    let cluster = Cluster::of_all();
    let home = Home::in_database(cluster.schema());
    check(
        home.path(),
        &cluster.schema(),
        &expect![[r#"
        the database postgres://launchway@/postgres?host=SOCKET has another journal than the one that this folder belongs to
        hint: name the database that it belongs to, which database.json in the folder says; a new journal takes a new folder: --data DIR"#]],
    );
    let own = Home::sqlite();
    own.open().append(run(1), Seq(0), NOW, &[ready("a")]).unwrap();
    check(
        own.path(),
        &cluster.schema(),
        &expect![[r#"
        FOLDER/journal.db has a journal of 1 events; they would be forgotten
        hint: begin with a folder of its own: --data DIR; the old one can still be served"#]],
    );
    let empty = Home::sqlite();
    check(
        empty.path(),
        &cluster.url("nowhere"),
        &expect![[r#"
        the database postgres://launchway@/nowhere?host=SOCKET does not let us in
          because: FATAL: database "nowhere" does not exist
        hint: the password comes from LAUNCHWAY_DATABASE_URL, --database-file, PGPASSWORD, or ~/.pgpass that only you may read; its user must own the database or its schema"#]],
    );
    let stranger = cluster.url("postgres").replace("launchway@", "mona@");
    check(
        empty.path(),
        &stranger,
        &expect![[r#"
        the database postgres://mona@/postgres?host=SOCKET does not let us in
          because: FATAL: role "mona" does not exist
        hint: the password comes from LAUNCHWAY_DATABASE_URL, --database-file, PGPASSWORD, or ~/.pgpass that only you may read; its user must own the database or its schema"#]],
    );
    check(
        empty.path(),
        "postgres:///ci?host=/nowhere",
        &expect![[r#"
        the database postgres:///ci?host=SOCKET does not answer
          because: error connecting to server
          because: No such file or directory (os error 2)
        hint: start it, or see what is in between; `pg_isready` asks it as well. It was named with --database, --database-file or LAUNCHWAY_DATABASE_URL, or is remembered in database.json"#]],
    );
    check(
        empty.path(),
        "postgres://127.0.0.1:1/ci",
        &expect![[r#"
        the database postgres://127.0.0.1:1/ci does not answer
          because: error connecting to server
          because: Connection refused (os error 111)
        hint: start it, or see what is in between; `pg_isready` asks it as well. It was named with --database, --database-file or LAUNCHWAY_DATABASE_URL, or is remembered in database.json"#]],
    );
    // What is nobody's stays so.
    assert!(!empty.path().join("database.json").exists());
    let newer = cluster.schema();
    let other = Home::in_database(newer.clone());
    other.alter("UPDATE launchway SET version = 99");
    check(
        other.path(),
        &newer,
        &expect![[r#"
        postgres://launchway@/postgres?host=SOCKET has schema 99, this version knows schemas up to 3
        hint: use the launchway that wrote it or a newer one, or another folder with --state"#]],
    );
    check(empty.path(), &cluster.schema(), &expect!["it opened"]);
}

#[test]
fn a_file_names_it_and_what_lets_in_stands_there_alone() {
    let url = Cluster::of_all().schema();
    let folder = tempfile::tempdir().unwrap();
    let named = folder.path().join("address");
    std::fs::write(&named, url.replace("launchway@", "launchway:hunter22@") + "\n").unwrap();
    let database = store::database_of_file(&named).unwrap();
    assert!(database.has_password());
    let state = folder.path().join("state");
    attach(&state, &database, Some(&named)).unwrap();
    Store::open(&state).unwrap().append(run(1), Seq(0), NOW, &[ready("a")]).unwrap();
    let kept = std::fs::read_to_string(state.join("database.json")).unwrap();
    assert!(!kept.contains("hunter22"), "{kept}");
    assert_eq!(store::belongs_to(&state).unwrap(), Some(url));
    std::fs::write(&named, "postgres://hunter22@h").unwrap();
    let refused = Store::open(&state).err().unwrap();
    expect![[r#"
        FOLDER/address does not name a database
          because: it names no database"#]]
    .assert_eq(&story(&refused, folder.path()));
}

/// Outside of what the system gives away by itself, and nobody's.
fn free_port() -> u16 {
    let first = 21_000 + (std::process::id() % 8_000) as u16;
    let is_free = |port: &u16| std::net::TcpListener::bind(("127.0.0.1", *port)).is_ok();
    (first..).find(is_free).expect("there are thousands")
}

#[test]
fn what_leaves_the_machine_is_encrypted_and_the_other_side_proven() {
    let made = |name: &str| {
        let made = rcgen::generate_simple_self_signed([name.to_owned()]).expect("a certificate");
        (made.cert.pem(), made.signing_key.serialize_pem())
    };
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = made("localhost");
    let trusted = folder.path().join("trusted.pem");
    std::fs::write(&trusted, &certificate).unwrap();
    let port = free_port();
    let _cluster = Cluster::with_tls(port, &certificate, &key);
    let opened = |host: &str, more: &str| {
        let database =
            Database::parse(&format!("postgres://launchway@{host}:{port}/postgres{more}"));
        let database = database.expect("an address");
        let state = folder.path().join(format!("{host}{}", more.len()));
        attach(&state, &database, None).and_then(|()| Store::open(&state)).map_err(|error| {
            let said = story(&error, folder.path());
            said.replace(&port.to_string(), "PORT")
        })
    };
    let root = format!("sslrootcert={}", trusted.display());
    let store = opened("localhost", &format!("?sslmode=verify-full&{root}")).unwrap();
    store.append(run(1), Seq(0), NOW, &[ready("a")]).unwrap();
    assert_eq!(store.verify().unwrap().events, 1);
    let refused = |host: &str, more: &str| opened(host, more).err().expect("it is refused");
    expect![[r#"
        the certificate of the database postgres://launchway@localhost:PORT/postgres?sslmode=require cannot be proven
          because: error performing TLS handshake
          because: invalid peer certificate: UnknownIssuer"#]]
    .assert_eq(&refused("localhost", "?sslmode=require"));
    expect![[r#"
        the certificate of the database postgres://launchway@127.0.0.1:PORT/postgres?sslmode=require&sslrootcert=FOLDER/trusted.pem cannot be proven
          because: error performing TLS handshake
          because: invalid peer certificate: certificate not valid for name "127.0.0.1"; certificate is only valid for DnsName("localhost")"#]].assert_eq(&refused("127.0.0.1", &format!("?sslmode=require&{root}")));
    expect![[r#"
        the database postgres://launchway@localhost:PORT/postgres does not let us in
          because: FATAL: no pg_hba.conf entry for host "127.0.0.1", user "launchway", database "postgres", no encryption"#]].assert_eq(&refused("localhost", ""));
    expect![[r#"
        the certificate of the database postgres://launchway@localhost:PORT/postgres?sslmode=require&sslrootcert=/nowhere cannot be proven
          because: /nowhere: I/O error: No such file or directory (os error 2)"#]].assert_eq(&refused("localhost", "?sslmode=require&sslrootcert=/nowhere"));
}
