//! The message that each kind of broken state folder gets.

use std::fs::{self, File};
use std::os::unix::fs::{FileExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use event::Seq;
use expect_test::{Expect, expect};
use ports::Journal as _;
use store::Store;

use crate::{NOW, ready, run, story};

/// Says what opening the store gives.
fn opened(folder: &Path) -> String {
    match Store::open(folder) {
        Ok(_) => "it opened".to_owned(),
        Err(error) => {
            let hint = error.hint().map(|hint| format!("\nhint: {hint}")).unwrap_or_default();
            story(&error, folder) + &hint
        }
    }
}

/// Fills a folder, lets `breaking` at it, and opens it again.
fn check(breaking: fn(&Path), expected: &Expect) {
    let folder = tempfile::tempdir().expect("a folder");
    {
        let store = Store::open(folder.path()).expect("a new store opens");
        for number in 1..200 {
            store.append(run(number), Seq(0), NOW, &[ready("a")]).expect("appended");
        }
    }
    breaking(folder.path());
    expected.assert_eq(&opened(folder.path()));
}

#[test]
fn a_broken_folder_says_what_where_and_what_to_do() {
    check(|_| (), &expect!["it opened"]);
    check(
        |folder| {
            fs::remove_dir_all(folder).expect("removed");
            fs::write(folder, "").expect("written");
        },
        &expect![[r#"
            FOLDER is not a folder
            hint: give a folder with --state"#]],
    );
    check(
        |folder| {
            fs::write(folder.join("journal.db"), "not a database".repeat(99)).expect("written");
        },
        &expect![[r#"
            FOLDER/journal.db is damaged
              because: file is not a database
              because: Error code 26: file is not a database
            hint: put the folder aside or restore it from a backup; a new one is made by itself"#]],
    );
    check(
        |folder| {
            fs::remove_dir_all(folder.join("blobs")).expect("removed");
            fs::write(folder.join("blobs"), "").expect("written");
        },
        &expect![[r#"
            FOLDER/blobs/temporary is not a folder
            hint: give a folder with --state"#]],
    );
    check(
        |folder| {
            let database = rusqlite::Connection::open(folder.join("journal.db")).expect("it opens");
            database.pragma_update(None, "user_version", 99).expect("it is set");
        },
        &expect![[r#"
            FOLDER/journal.db has schema 99, this version knows schemas up to 7
            hint: use the launchway that wrote it or a newer one, or another folder with --state"#]],
    );
}

#[test]
fn a_damaged_page_is_told() {
    let folder = tempfile::tempdir().unwrap();
    {
        let store = Store::open(folder.path()).unwrap();
        for number in 1..200 {
            store.append(run(number), Seq(0), NOW, &[ready("a")]).unwrap();
        }
    }
    let file = File::options().write(true).open(folder.path().join("journal.db")).unwrap();
    for page in roots(&folder.path().join("journal.db")) {
        file.write_all_at(&[0xff; 64], (page - 1) * 4096).unwrap();
    }
    let store = Store::open(folder.path()).unwrap();
    let refused = store.append(run(1), Seq(1), NOW, &[ready("b")]).unwrap_err();
    expect![[r#"
        cannot append to run/1/1
          because: FOLDER/journal.db is damaged
          because: database disk image is malformed
          because: Error code 11: database disk image is malformed"#]]
    .assert_eq(&story(&refused, folder.path()));
    let refused = store.read(run(1), Seq(0)).unwrap_err();
    expect![[r#"
        cannot read run/1/1
          because: FOLDER/journal.db is damaged
          because: database disk image is malformed
          because: Error code 11: database disk image is malformed"#]]
    .assert_eq(&story(&refused, folder.path()));
    let refused = store.verify().unwrap_err();
    expect![[r#"
        cannot read the journal
          because: FOLDER/journal.db is damaged
          because: database disk image is malformed
          because: Error code 11: database disk image is malformed"#]]
    .assert_eq(&story(&refused, folder.path()));
}

/// Where streams and events begin; the schema itself stays whole.
fn roots(path: &std::path::Path) -> Vec<u64> {
    let database = rusqlite::Connection::open(path).expect("it opens");
    let mut statement = database
        .prepare("SELECT rootpage FROM sqlite_schema WHERE tbl_name IN ('stream', 'event')")
        .expect("it is a statement");
    let found = statement.query_map([], |row| row.get::<_, i64>(0)).expect("it answers");
    found.map(|it| it.expect("a number").cast_unsigned()).collect()
}

/// The folder that a child opens.
const FOLDER: &str = "STORE_TEST_READ_ONLY";

/// `nobody`, for whom permissions hold, where this process is root.
const NOBODY: u32 = 65_534;

/// Opens the folder in a child that permissions hold for, and gives what it says.
fn opened_by_a_user(binary: &Path, folder: &Path) -> String {
    let mut command = Command::new(binary);
    command
        .args(["--exact", "errors::a_folder_without_permission_is_told", "--nocapture"])
        .env(FOLDER, folder);
    if rustix::process::geteuid().is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    let output = command.output().expect("the copy starts");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let said = text.split("<<").nth(1).unwrap_or_else(|| panic!("nothing said: {text}"));
    said.split(">>").next().expect("split gives one").to_owned()
}

#[test]
fn a_folder_without_permission_is_told() {
    if let Some(folder) = std::env::var_os(FOLDER) {
        use std::io::Write as _;
        let said = format!("<<{}>>", opened(Path::new(&folder)));
        return std::io::stdout().write_all(said.as_bytes()).unwrap();
    }
    let folder = tempfile::tempdir().unwrap();
    let mode = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode));
    // Where `nobody` can reach it.
    mode(folder.path(), 0o755).unwrap();
    let binary = folder.path().join("binary");
    fs::copy(std::env::current_exe().unwrap(), &binary).unwrap();
    mode(&binary, 0o755).unwrap();

    let state = folder.path().join("state");
    drop(Store::open(&state).unwrap());
    for (path, bits) in [("", 0o555), ("journal.db", 0o444), ("lock", 0o444)] {
        mode(&state.join(path), bits).unwrap();
    }
    expect![[r#"
        FOLDER/lock cannot be written to
          because: Permission denied (os error 13)
        hint: make it writable for this user, or give another folder with --state"#]]
    .assert_eq(&opened_by_a_user(&binary, &state));
    mode(&state.join("lock"), 0o666).unwrap();
    expect![[r#"
        FOLDER/journal.db cannot be written to
          because: attempt to write a readonly database
          because: Error code 1544: attempt to write a readonly database
        hint: make it writable for this user, or give another folder with --state"#]]
    .assert_eq(&opened_by_a_user(&binary, &state));
    mode(folder.path(), 0o555).unwrap();
    expect![[r#"
        FOLDER cannot be written to
          because: Permission denied (os error 13)
        hint: make it writable for this user, or give another folder with --state"#]]
    .assert_eq(&opened_by_a_user(&binary, &folder.path().join("new")));
    mode(folder.path(), 0o755).unwrap();
    mode(&state, 0o755).unwrap();
}
