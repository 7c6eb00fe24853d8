//! What somebody took out of a journal's file by hand, and that proving makes nothing.

use event::{AuditRecord, Seq};
use expect_test::{Expect, expect};
use mask::MaskedText;
use ports::Journal as _;
use store::{Store, Trail};

use crate::engines::Home;
use crate::{NOW, completed, ready, run, story};

/// Two runs, one of them over, and four records of who did what; the last three stand at the end.
fn filled(home: &Home) {
    let store = home.open();
    record(&store, "token.create");
    for number in 1..=2 {
        let (id, _) = store.allocate_run("octo/app", "ci.yml").expect("a number");
        assert_eq!(id.0, number);
        store.append(run(number), Seq(0), NOW, &[ready("a"), ready("b")]).expect("appended");
    }
    store.append(run(1), Seq(2), NOW, &[completed()]).expect("appended");
    for action in ["secret.set", "secret.remove", "token.revoke"] {
        record(&store, action);
    }
}

fn record(store: &Store, action: &str) {
    let record = AuditRecord {
        actor: None,
        token: None,
        action: action.into(),
        object: MaskedText::without_secrets("octo/app"),
        reason: None,
        source: "command".into(),
        address: None,
        refused: None,
        at: NOW,
    };
    store.record(record).expect("recorded");
}

/// What the proof says of a copy after somebody ran `sql` in it.
fn check(sql: &str, expected: &Expect) {
    let home = Home::sqlite();
    filled(&home);
    let file = rusqlite::Connection::open(home.path().join("journal.db")).expect("it is there");
    file.execute_batch("PRAGMA foreign_keys = off").expect("it runs");
    file.execute_batch(sql).expect(sql);
    drop(file);
    let trail = Trail::open(home.path()).expect("it is a journal");
    let found = trail.verify(None).map(|it| it.events).map_err(|error| story(&error, home.path()));
    expected.assert_eq(&format!("{found:?}"));
}

#[test]
fn what_was_taken_out_is_found() {
    check("SELECT 1", &expect!["Ok(9)"]);
    // The end of one stream, whose row is set back: positions go on behind it.
    check(
        "DELETE FROM event WHERE position IN (8, 9);
         UPDATE stream SET seq = 2, digest = (SELECT digest FROM event WHERE position = 7) WHERE name = 'audit';
         DELETE FROM event WHERE position = 6;
         UPDATE stream SET seq = 2, digest = (SELECT digest FROM event WHERE position = 3) WHERE name = 'run/1/1'",
        &expect![[r#"Err("events were taken out: none stands at position 6, the next one at 7")"#]],
    );
    // The end of the journal.
    check(
        "DELETE FROM event WHERE position >= 7;
         UPDATE stream SET seq = 1, digest = (SELECT digest FROM event WHERE position = 1) WHERE name = 'audit'",
        &expect![[r#"Err("the journal's end is missing: its last event stands at 6, positions were given up to 9")"#]],
    );
    // A whole stream, with its row and without.
    check(
        "DELETE FROM event WHERE stream = (SELECT id FROM stream WHERE name = 'audit');
         DELETE FROM stream WHERE name = 'audit'",
        &expect![[r#"Err("a stream was taken out: none has the number 1")"#]],
    );
    check(
        "DELETE FROM event WHERE stream = (SELECT id FROM stream WHERE name = 'audit')",
        &expect![[
            r#"Err("the chain of audit is broken at event 1: events at the end are missing")"#
        ]],
    );
    check(
        "DELETE FROM stream WHERE name = 'run/2/1'",
        &expect![[
            r#"Err("the event at position 4 belongs to no stream: its stream was taken out")"#
        ]],
    );
    check(
        "DELETE FROM event WHERE stream = (SELECT id FROM stream WHERE name = 'run/2/1');
         DELETE FROM stream WHERE name = 'run/2/1'; DELETE FROM run WHERE id = 2",
        &expect![[r#"Err("events were taken out: none stands at position 4, the next one at 6")"#]],
    );
    check(
        "DELETE FROM run WHERE id = 1",
        &expect![[r#"Err("runs were taken out: 1 are there, numbered up to 2")"#]],
    );
    // A decision that looks as if it was pruned; and one event of a run that may be.
    check(
        "UPDATE event SET payload = NULL WHERE position = 8; UPDATE stream SET forgotten = 1 WHERE name = 'audit'",
        &expect![[
            r#"Err("the chain of audit is broken at event 1: its stream was pruned, and its payload was not")"#
        ]],
    );
    check(
        "UPDATE event SET payload = NULL WHERE stream = 1; UPDATE stream SET forgotten = 1, open = 0 WHERE name = 'audit'",
        &expect![[
            r#"Err("the chain of audit is broken at event 1: its payload was deleted, and such a stream is never pruned")"#
        ]],
    );
    check(
        "UPDATE event SET payload = NULL WHERE position = 3; UPDATE stream SET forgotten = 1 WHERE name = 'run/1/1'",
        &expect![[
            r#"Err("the chain of run/1/1 is broken at event 1: its stream was pruned, and its payload was not")"#
        ]],
    );
    check(
        "UPDATE event SET payload = NULL WHERE position IN (4, 5); UPDATE stream SET forgotten = 1 WHERE name = 'run/2/1'",
        &expect![[
            r#"Err("the chain of run/2/1 is broken at event 1: its payload was deleted, and such a stream is never pruned")"#
        ]],
    );
}

#[test]
fn where_there_is_no_journal_none_is_made() {
    let folder = tempfile::tempdir().expect("a folder");
    let said = || match Trail::open(folder.path()) {
        Ok(_) => "opened".to_owned(),
        Err(error) => story(&error, folder.path()),
    };
    let names = || std::fs::read_dir(folder.path()).expect("a folder").count();
    expect!["there is no journal: FOLDER/journal.db is not there, or is empty"].assert_eq(&said());
    assert_eq!(names(), 0);
    std::fs::write(folder.path().join("journal.db"), "").expect("written");
    expect!["there is no journal: FOLDER/journal.db is not there, or is empty"].assert_eq(&said());
    assert_eq!(names(), 1);
}
