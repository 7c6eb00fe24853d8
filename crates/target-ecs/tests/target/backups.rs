//! Snapshots before a release: taken before anything changes, and what becomes of it when none can
//! be had.

use backup::{Rds, Restore};
use expect_test::{Expect, expect};
use model_cloud::{Cloud, Fault, FaultKind, Image, Request};

use crate::world::{NEW, Script, play, script};

pub(crate) fn database(is_cluster: bool) -> Rds {
    let account = Some("111122223333".to_owned());
    Rds {
        database: "planner-db".to_owned(),
        is_cluster,
        region: "eu-central-1".to_owned(),
        account,
    }
}

/// With a database, and more of the cloud.
fn with(is_cluster: bool, more: impl Fn(&mut Cloud) + 'static) -> Script {
    let mut script = script(move |cloud| {
        cloud.add_database("planner-db", is_cluster);
        cloud.script_command(NEW, &["alembic", "upgrade"], Image::exits(8000, 0));
        more(cloud);
    });
    script.migrates = true;
    script.backup = Some(database(is_cluster));
    script
}

fn check(script: &Script, expect: &Expect) {
    let end = play(script, Vec::new());
    assert!(end.unplanned.is_empty(), "{:?}", end.unplanned);
    expect.assert_eq(&end.tell());
}

#[test]
fn a_snapshot_is_taken_before_anything_changes() {
    for is_cluster in [false, true] {
        let end = play(&with(is_cluster, |_| {}), Vec::new());
        assert!(end.unplanned.is_empty(), "{:?}", end.unplanned);
        let cloud = end.cloud.borrow();
        let order = cloud.calls()[end.set_up_calls..].iter().filter(|it| it.done);
        let order = order
            .map(|it| it.action.clone())
            .filter(|it| ["Create", "RunTask", "Update"].iter().any(|word| it.contains(word)));
        let (create, word) = match is_cluster {
            true => ("rds:CreateDBClusterSnapshot", "cluster-snapshot"),
            false => ("rds:CreateDBSnapshot", "snapshot"),
        };
        assert_eq!(order.collect::<Vec<_>>(), [create, "ecs:RunTask", "ecs:UpdateService"]);
        let [only] = cloud.snapshots()[..] else { panic!("{:?}", cloud.snapshots()) };
        assert!(only.starts_with("launchway-planner-db-12-17000001"), "{only}");
        let journal = serde_json::to_string(&end.events).expect("events are JSON");
        let arn = format!("arn:aws:rds:eu-central-1:111122223333:{word}:{only}");
        assert!(journal.contains(&arn), "its ARN is kept");
    }
}

/// Backing up itself, the database is waited for.
#[test]
fn a_database_that_is_busy_is_waited_for() {
    let busy = with(false, |cloud| cloud.set_database_status("planner-db", "backing-up"));
    let busy = busy.at(300, |cloud| cloud.set_database_status("planner-db", "available"));
    check(
        &busy,
        &expect![[r#"
        succeeded by launchway after 451 s
        CreateDBSnapshot 1, RegisterTaskDefinition 1, RunTask 1, UpdateService 1 | api:2 2/2
    "#]],
    );
}

#[test]
fn a_snapshot_that_cannot_be_had_keeps_everything_as_it_is() {
    check(
        &with(false, |cloud| cloud.snapshots_take(60_000, true)),
        &expect![[r#"
            failed by launchway: BackupFailed > TargetRefused after 60 s
            - the backup of planner-db failed: nothing that runs was changed
            - the snapshot launchway-planner-db-12-1700000120000 is failed: RDS's events of planner-db say why (`aws rds describe-events --source-identifier launchway-planner-db-12-1700000120000`)
            CreateDBSnapshot 1, RegisterTaskDefinition 1 | api:1 2/2
        "#]],
    );
    check(
        &with(true, |cloud| cloud.set_snapshot_quota(0)),
        &expect![[r#"
            failed by launchway: BackupFailed > TargetRefused > TargetRefused after 0 s
            - the backup of planner-db failed: nothing that runs was changed
            - the account has as many snapshots as it may: delete old ones, or ask AWS for more
            - AWS refused rds:CreateDBClusterSnapshot: Cannot create more than the allowed number of manual snapshots.
              Platform: rds:CreateDBClusterSnapshot: SnapshotQuotaExceeded: Cannot create more than the allowed number of manual snapshots. (request ID)
            RegisterTaskDefinition 1 | api:1 2/2
        "#]],
    );
    check(
        &with(false, |cloud| cloud.set_database_status("planner-db", "stopped")),
        &expect![[r#"
            failed by launchway: BackupFailed > TargetRefused after 0 s
            - the backup of planner-db failed: nothing that runs was changed
            - planner-db is stopped, and RDS takes snapshots of what is available: start it, or mend it
            RegisterTaskDefinition 1 | api:1 2/2
        "#]],
    );
    check(
        &with(false, |cloud| {
            cloud.inject(Fault::first("rds:CreateDBSnapshot", 1, FaultKind::Denied));
        }),
        &expect![[r#"
            failed by launchway: BackupFailed > TargetRefused after 0 s
            - the backup of planner-db failed: nothing that runs was changed
            - these credentials may not rds:CreateDBSnapshot: User: arn:aws:iam::111122223333:user/deployer is not authorized to perform: rds:CreateDBSnapshot because no identity-based policy allows the rds:CreateDBSnapshot action
              Platform: rds:CreateDBSnapshot: AccessDeniedException: User: arn:aws:iam::111122223333:user/deployer is not authorized to perform: rds:CreateDBSnapshot because no identity-based policy allows the rds:CreateDBSnapshot action (request ID)
            RegisterTaskDefinition 1 | api:1 2/2
        "#]],
    );
    let mut other = with(false, |_| {});
    other.backup = Some(Rds { database: "other-db".to_owned(), ..database(false) });
    check(
        &other,
        &expect![[r#"
            failed by launchway: BackupFailed > TargetRefused after 0 s
            - the backup of other-db failed: nothing that runs was changed
            - there is no database other-db in eu-central-1: correct `backup.rds`
            RegisterTaskDefinition 1 | api:1 2/2
        "#]],
    );
    let mut other = with(false, |_| {});
    other.backup = Some(Rds { account: Some("999900001111".to_owned()), ..database(false) });
    check(
        &other,
        &expect![[r#"
            failed by launchway: BackupFailed > TargetRefused after 0 s
            - the backup of planner-db failed: nothing that runs was changed
            - the credentials are of the AWS account 111122223333, and the settings want 999900001111: sign in to that one, or correct `account`
            RegisterTaskDefinition 1 | api:1 2/2
        "#]],
    );
}

#[test]
fn a_snapshot_that_takes_too_long_keeps_everything_as_it_is() {
    check(
        &with(false, |cloud| cloud.snapshots_take(7_200_000, false)),
        &expect![[r#"
        failed by launchway: TimedOut after 3600 s
        - api/backup was not over within 60 min
        CreateDBSnapshot 1, RegisterTaskDefinition 1 | api:1 2/2
    "#]],
    );
}

#[test]
fn too_many_calls_are_waited_out() {
    let throttled = |cloud: &mut Cloud| {
        cloud.inject(Fault::first("rds:CreateDBSnapshot", 3, FaultKind::Throttled));
        cloud.inject(Fault::first("rds:DescribeDBSnapshots", 2, FaultKind::ServerError));
    };
    check(
        &with(false, throttled),
        &expect![[r#"
        succeeded by launchway after 201 s
        CreateDBSnapshot 1, RegisterTaskDefinition 1, RunTask 1, UpdateService 1 | api:2 2/2
    "#]],
    );
}

/// A deployment that only restores: its one step is the backup's.
fn restoring(set_up: impl Fn(&mut Cloud) + 'static, new: &str) -> Script {
    let mut script = script(move |cloud| {
        cloud.add_database("planner-db", false);
        ask_rds(
            cloud,
            "CreateDBSnapshot",
            &[("DBSnapshotIdentifier", "launchway-1"), ("DBInstanceIdentifier", "planner-db")],
        );
        let to = cloud.now() + 300_000;
        cloud.advance(to);
        set_up(cloud);
    });
    // What runs stays what it is.
    script.restores = Some("arn:aws:ecs:eu-central-1:111122223333:task-definition/api:1".into());
    let snapshot = "launchway-1".to_owned();
    script.restore = Some(Restore { of: database(false), snapshot, new: new.to_owned() });
    script
}

fn ask_rds(cloud: &mut Cloud, operation: &str, members: &[(&str, &str)]) {
    let members = members.iter().map(|(key, value)| format!("&{key}={value}"));
    let body = format!("Action={operation}&Version=2014-10-31{}", members.collect::<String>());
    let key = "AWS4-HMAC-SHA256 Credential=AKIA111122223333/20261121/eu-central-1/rds/aws4_request";
    let authorization = format!("{key}, SignedHeaders=host, Signature=0");
    cloud.answer(&Request { body, authorization, ..Request::default() });
}

#[test]
fn a_snapshot_becomes_a_new_database_and_the_old_one_stays() {
    let script = || restoring(|_| {}, "planner-db-new");
    check(
        &script(),
        &expect![[r#"
        succeeded by launchway after 120 s
        RestoreDBInstanceFromDBSnapshot 1 | api:1 2/2
    "#]],
    );
    let whole = play(&script(), Vec::new());
    assert_eq!(whole.cloud.borrow().databases(), ["planner-db", "planner-db-new"]);
    // Whichever answer gets lost: one database.
    let calls = whole.cloud.borrow().calls().len() - whole.set_up_calls;
    for kind in [FaultKind::LostBefore, FaultKind::LostAfter, FaultKind::ErrorAfter] {
        for after in 0..u32::try_from(calls).expect("few") {
            let fault = Fault { after, ..Fault::first("*", 1, kind.clone()) };
            let end = play(&script(), vec![fault]);
            assert_eq!(end.verdict(), whole.verdict(), "{kind:?} at call {after}");
            let cloud = end.cloud.borrow();
            assert_eq!(cloud.databases().len(), 2);
            assert_eq!(cloud.done("rds:RestoreDBInstanceFromDBSnapshot"), 1);
        }
    }
}

#[test]
fn nothing_is_restored_over_what_is_there() {
    check(
        &restoring(|_| {}, "planner-db"),
        &expect![[r#"
        failed by launchway: BackupFailed > TargetRefused after 0 s
        - the backup of planner-db failed: nothing that runs was changed
        - planner-db is the one that runs: name another
         | api:1 2/2
    "#]],
    );
    let taken = |cloud: &mut Cloud| cloud.add_database("planner-two", false);
    check(
        &restoring(taken, "planner-two"),
        &expect![[r#"
        failed by launchway: BackupFailed > TargetRefused after 0 s
        - the backup of planner-db failed: nothing that runs was changed
        - planner-two is there already, and not from here: name another
         | api:1 2/2
    "#]],
    );
}

#[test]
fn a_database_that_is_gone_is_restored_all_the_same() {
    let gone = |cloud: &mut Cloud| cloud.delete_database("planner-db");
    check(
        &restoring(gone, "planner-db-new"),
        &expect![[r#"
        succeeded by launchway after 120 s
        RestoreDBInstanceFromDBSnapshot 1 | api:1 2/2
    "#]],
    );
}
