//! Files of figures that an older version made.

use expect_test::expect;
use serde_json::json;

use crate::journal::Journal;

#[test]
fn deployments_of_before_are_of_the_jobs_that_ran_meanwhile() {
    let mut journal = Journal::of("");
    // Nothing said then which job it was.
    journal.deployed(10, json!({}), false);
    journal.line("push main c1: production=success");
    let only_command =
        "production api: 1 deployed, failed 0/1, rework 0\n  deployment/1 release succeeded of 1\n";
    let both = journal.told();
    assert!(both.len() > only_command.len(), "{both}");
    let raw = rusqlite::Connection::open(journal.folder.path().join("figures.db")).unwrap();
    raw.execute_batch(
        "UPDATE jobs_since SET at = (SELECT max(finished_at) FROM shipment);
         DELETE FROM shipment; DELETE FROM brought; UPDATE cursor SET position = 0",
    )
    .unwrap();
    drop(raw);
    assert_eq!(journal.told(), only_command);
}

#[test]
fn what_an_older_version_counted_stays_and_jobs_come_to_it() {
    let journal = Journal::of(
        "push main c1: production=success
         push main c2: production=success",
    );
    let raw = rusqlite::Connection::open(journal.folder.path().join("figures.db"));
    let raw = raw.expect("a file of ours");
    let newest = journal.store.newest_position().expect("a journal of ours");
    for sql in [
        include_str!("../../src/schema/v1.sql"),
        include_str!("../../src/schema/v2.sql"),
        include_str!("../../src/schema/v3.sql"),
        // The journal has nothing of it any more.
        "INSERT INTO shipment VALUES (7, 'api', 'planner', 'production', 'release', 1, 'succeeded', '1.7',
           'sha256:7', NULL, 0, 3600000, 3600000, 3600000, 7200000, 4);
         INSERT INTO shipped VALUES (7, 'api', 'c7', 1800000);
         INSERT INTO brought VALUES ('planner', 'production', 'api', 'c7', 7);
         PRAGMA user_version = 3;",
        &format!("UPDATE cursor SET position = {newest}"),
    ] {
        raw.execute_batch(sql).expect("a file of ours");
    }
    expect![[r#"
        production api: 1 deployed, failed 0/1, rework 0
          deployment/7 release succeeded of 1.7 +c7 1.5h
        production deploy.yml: 2 deployed, failed 0/2, rework 0
          run/1/1 release succeeded of c1
          run/2/1 release succeeded of c2 +c2 2.75h
    "#]]
    .assert_eq(&journal.told());
}

#[test]
fn what_a_file_of_before_says_of_jobs_is_counted_anew_and_stays_where_the_journal_forgot_it() {
    let journal = Journal::of(
        "push main c1: production=success
         push main c2: production=success production=failure
         again 2: production=carried production=success",
    );
    let raw = rusqlite::Connection::open(journal.folder.path().join("figures.db"));
    let raw = raw.expect("a file of ours");
    let newest = journal.store.newest_position().expect("a journal of ours");
    for sql in [
        include_str!("../../src/schema/v1.sql"),
        include_str!("../../src/schema/v2.sql"),
        include_str!("../../src/schema/v3.sql"),
        include_str!("../../src/schema/v4.sql"),
        include_str!("../../src/schema/v5.sql"),
        // The second one was wrong, and the journal has nothing of the other any more.
        "INSERT INTO shipment (stream, environment, service, project, is_by_jobs, kind, planned, verdict,
           version, digest, made_from, is_first, requested_at, finished_at, reached_at, last_seq)
         SELECT stream, 'production', '.github/workflows/deploy.yml', 'octo/app', 1, 'release', 1,
           'succeeded', commit_id, commit_id, commit_id, 0, at, at, at, 9
         FROM (SELECT 'run/2/1' AS stream, 'c0' AS commit_id, 72000000 AS at
               UNION ALL SELECT 'run/77/1', 'c77', 3600000);
         INSERT INTO brought (project, environment, service, commit_id, stream)
         VALUES ('octo/app', 'production', '.github/workflows/deploy.yml', 'c0', 'run/2/1');
         PRAGMA user_version = 5;",
        &format!("UPDATE cursor SET position = {newest}"),
    ] {
        raw.execute_batch(sql).expect("a file of ours");
    }
    expect![[r#"
        production deploy.yml: 3 deployed, failed 0/3, rework 0
          run/77/1 release succeeded of c77
          run/1/1 release succeeded of c1 +c1 2.75h
          run/2/2 release succeeded of c2 +c2 12.75h
          in doubt: 2.1 failed
    "#]]
    .assert_eq(&journal.told());
}
