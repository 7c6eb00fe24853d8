//! A server whose journal is in a real PostgreSQL: pushes, kill -9, connections that are cut, a second
//! server, and the commands that are given its folder.

use std::path::Path;
use std::process::Command;

use expect_test::expect;

use crate::harness::{Place, text, wait_until};
use crate::postgres::{Database, PASSWORD};
use crate::serve::LONG;
use crate::serving::Serving;

/// The line that names the database, in a file, as whoever sets up a server writes it.
fn address(folder: &Path, database: &Database) -> String {
    let file = folder.join("address");
    std::fs::write(&file, database.plain_url()).expect("a file of ours");
    file.display().to_string()
}

fn cut(database: &Database) {
    database.ask(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'launchway'",
    );
}

/// Whether anything in a folder holds what lets into the database.
fn shown_in(folder: &Path) -> String {
    let output = Command::new("grep").args(["-rl", PASSWORD]).arg(folder).output();
    text(&output.expect("grep starts").stdout)
}

#[test]
fn a_server_with_its_journal_in_postgresql_loses_nothing() {
    let database = Database::start();
    let named = tempfile::tempdir().unwrap();
    let address = address(named.path(), &database);
    // A folder that its jobs are given; the file in it that lets into the database is not given with it.
    let given = named.path().display().to_string();
    std::fs::write(named.path().join("beside"), "beside it").unwrap();
    let looks = format!("env; cat {given}/beside {address} || true");
    let more = ["--database-file", &address, "--sandbox-read", &given];
    let mut serving = Serving::with(&LONG.replace("echo it holds on", &looks), &more);
    let data = serving.place.path("data");
    assert!(!data.join("journal.db").exists());
    serving.push();
    wait_until("the long job", || serving.mark("long") == "x\n");

    // Another folder on the same database: it has a server.
    let other = Place::with(&[]);
    let folder = other.path("data").display().to_string();
    let refused = other.run(&["serve", "--data", &folder, "--database-file", &address]);
    let said = refused.stderr.replace(&data.display().to_string(), "DATA");
    // Root is told of its jobs before.
    let said = said.lines().filter(|line| !line.starts_with("note: "));
    let said = said.map(|line| format!("{line}\n")).collect::<String>();
    let said: String = said.chars().filter(|it| !it.is_ascii_digit()).collect();
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let host: String = host.chars().filter(|it| !it.is_ascii_digit()).collect();
    assert_eq!(refused.exit, 4);
    expect![[r#"
        error: a server runs on the database postgres://postgres@...:/planner already: HOST:DATA, heard  s ago
        hint: end that one, or give this one a database of its own; one that was killed is thought dead when it was not heard for  s
    "#]]
    .assert_eq(&said.replace(&format!("{host}:DATA"), "HOST:DATA"));

    serving.kill();
    serving.place.write("other.txt", "x");
    serving.place.commit();
    serving.push();
    serving.restart();
    wait_until("the long job of the next run", || serving.mark("long") == "x\nx\n");
    // The database lets go of everybody, in the middle of both.
    cut(&database);
    assert_eq!(serving.get("/readyz").text, "ready\n");
    serving.leave("go");
    cut(&database);
    for run in ["1", "2"] {
        assert_eq!(serving.ended(run)["conclusion"], "success");
    }
    assert_eq!((serving.mark("first"), serving.mark("after")), ("x\nx\n".into(), "x\nx\n".into()));
    let log = serving.get("/api/v1/runs/1/jobs/long/log").text;
    assert!(log.contains("GITHUB_RUN_ID=1") && log.contains("beside it"), "{log}");
    assert!(log.contains("address: Permission denied") && !log.contains(PASSWORD), "{log}");

    // A copy, and another server of it, in a database of its own.
    let copy = serving.place.path("copy").display().to_string();
    let made = serving.command(&["serve", "backup", &copy]);
    assert_eq!(made.exit, 0, "{}", made.stderr);
    database.ask("CREATE DATABASE copied");
    let elsewhere = named.path().join("elsewhere");
    std::fs::write(&elsewhere, database.plain_url().replace("/planner", "/copied")).unwrap();
    let elsewhere = elsewhere.display().to_string();
    let restore = |folder: &str, address: &str| {
        let folder = serving.place.path(folder).display().to_string();
        let words = ["serve", "restore", &copy, "--data", &folder, "--database-file", address];
        serving.place.run(&words)
    };
    let refused = restore("over", &address);
    assert_eq!(refused.exit, 4, "{}", refused.stderr);
    assert!(refused.stderr.contains("the database is not empty"), "{}", refused.stderr);
    let restored = restore("restored", &elsewhere);
    assert!(restored.stdout.contains("every one proven"), "{}", restored.stderr);
    let state = serving.place.path("restored").display().to_string();
    let listed = serving.place.run(&["runs", "list", "--all", "--state", &state]);
    assert_eq!(listed.stdout.lines().filter(|it| it.contains("success")).count(), 2);
    assert_eq!(shown_in(Path::new(&copy)), "");

    // Commands find the journal by the folder.
    let verified = serving.command(&["audit", "verify"]);
    assert!(verified.stdout.contains("stand in their chains, unaltered"), "{}", verified.stderr);
    let state = data.display().to_string();
    let listed = serving.place.run(&["runs", "list", "--all", "--state", &state]);
    assert_eq!(listed.stdout.lines().filter(|it| it.contains("success")).count(), 2);
    let gone = serving.place.run(&["prune", "--days", "0", "--state", &state]);
    assert_eq!(gone.exit, 0, "{}", gone.stderr);
    assert_eq!(shown_in(&data), "");
    serving.end();
    // Given back: nobody waits for it to be forgotten.
    let holder = database.ask("SELECT holder IS NULL FROM launchway");
    assert_eq!(holder, "t");
}

#[test]
fn a_database_that_does_not_let_in_is_said_without_what_lets_in() {
    let database = Database::start();
    let named = tempfile::tempdir().unwrap();
    let file = named.path().join("address");
    let wrong = database.plain_url().replace(PASSWORD, "wrong-hunter33");
    std::fs::write(&file, &wrong).unwrap();
    let place = Place::with(&[]);
    let data = place.path("data").display().to_string();
    let (file, url) = (file.display().to_string(), database.plain_url());
    let mut told = String::new();
    for more in [["--database-file", &file], ["--database", &url]] {
        let said = place.run(&[&["serve", "--data", &data][..], &more].concat());
        told += &format!("exit {}\n{}", said.exit, said.stderr);
    }
    let port = url.rsplit(':').next().unwrap().split('/').next().unwrap();
    assert!(!told.contains(PASSWORD) && !told.contains("hunter33"), "{told}");
    expect![[r#"
        exit 5
        error: the database postgres://postgres@127.0.0.1:PORT/planner does not let us in
          because: FATAL: password authentication failed for user "postgres"
        hint: the password comes from LAUNCHWAY_DATABASE_URL, --database-file, PGPASSWORD, or ~/.pgpass that only you may read; its user must own the database or its schema
        exit 4
        error: --database has a password in it, which everybody on this machine can read
        hint: say it without: --database 'postgres://postgres@127.0.0.1:PORT/planner'
        hint: the password is read from LAUNCHWAY_DATABASE_URL, a file named with --database-file, PGPASSWORD or ~/.pgpass; the one that was just shown is to be changed
    "#]].assert_eq(&told.replace(port, "PORT"));
    assert!(!place.path("data/database.json").exists());
}
