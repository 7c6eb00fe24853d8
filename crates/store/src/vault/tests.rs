//! What is kept, for whom it opens, and what is said where it does not.

use expect_test::{Expect, expect};

use super::seal::KEY_LEN;
use super::*;

fn scope(environment: Option<&str>) -> Scope {
    Scope { repository: "octo/planner".into(), environment: environment.map(str::to_owned) }
}

fn vault() -> (tempfile::TempDir, Vault) {
    let folder = tempfile::tempdir().expect("a folder");
    let vault = Vault::in_folder(&folder.path().join("vault"));
    (folder, vault)
}

fn put(vault: &Vault, environment: Option<&str>, name: &str, value: &str) {
    let secret = Secret::new(value);
    let when = (Timestamp(1), None);
    vault.set(&scope(environment), name, Value::Secret(&secret), when).expect("it is kept");
}

fn check(vault: &Vault, environment: Option<&str>, expect: &Expect) {
    let said = match vault.secrets("octo/planner", environment) {
        Ok(secrets) => {
            let pair = |(name, value): (&String, &Secret)| format!("{name}={}", value.expose());
            secrets.iter().map(pair).collect::<Vec<_>>().join(" ")
        }
        Err(error) => match &error {
            VaultError::Sealed { name, .. } => format!("{name} does not open"),
            VaultError::Damaged { why, path } => {
                let file = path.file_name().unwrap_or_default().display();
                format!("{file} is damaged: {why}")
            }
            _ => error.to_string(),
        },
    };
    expect.assert_eq(&said);
}

#[test]
fn an_environments_own_come_first_and_nothing_stands_as_it_is() {
    let (_folder, vault) = vault();
    check(&vault, None, &expect![""]);
    put(&vault, None, "TOKEN", "for-all");
    put(&vault, Some("production"), "TOKEN", "for-production");
    put(&vault, Some("production"), "KEY", "a-key");
    check(&vault, None, &expect!["TOKEN=for-all"]);
    check(&vault, Some("Production"), &expect!["KEY=a-key TOKEN=for-production"]);
    check(&vault, Some("staging"), &expect!["TOKEN=for-all"]);
    assert!(vault.remove(&scope(Some("production")), "KEY", true).expect("it is there"));
    check(&vault, Some("production"), &expect!["TOKEN=for-production"]);
    let text = fs::read_to_string(vault.file()).expect("it was written");
    assert!(!text.contains("for-"), "{text}");
}

#[test]
fn only_the_owner_may_read() {
    use std::os::unix::fs::PermissionsExt as _;
    let (_folder, vault) = vault();
    put(&vault, None, "TOKEN", "value");
    for path in [vault.file(), vault.key_file(), vault.folder.join("vault.lock")] {
        let mode = fs::metadata(&path).expect("it is there").permissions().mode();
        assert_eq!(mode & 0o077, 0, "{}", path.display());
    }
}

#[test]
fn one_takes_over_what_was_kept_for_another_and_keeps_its_own() {
    let (_folder, vault) = vault();
    let old = |environment: Option<&str>| Scope {
        repository: "example.com/octo/planner".into(),
        environment: environment.map(str::to_owned),
    };
    let keep = |environment, name, value: &str| {
        let secret = Secret::new(value);
        let value = Value::Secret(&secret);
        vault.set(&old(environment), name, value, (Timestamp(1), None)).expect("it is kept");
    };
    keep(None, "TOKEN", "old");
    keep(None, "KEY", "a-key");
    keep(Some("production"), "TOKEN", "for-production");
    let region = Value::Variable("eu-central-1");
    vault.set(&old(None), "REGION", region, (Timestamp(1), None)).expect("it is kept");
    put(&vault, None, "TOKEN", "own");
    let taken = vault.take_over("example.com/octo/planner", "octo/planner").expect("it opens");
    let names: Vec<&str> = taken.iter().map(|it| &*it.name).collect();
    assert_eq!(names, ["KEY", "TOKEN", "REGION"]);
    check(&vault, None, &expect!["KEY=a-key TOKEN=own"]);
    check(&vault, Some("production"), &expect!["KEY=a-key TOKEN=for-production"]);
    let variables = vault.variables("octo/planner", None).expect("it opens");
    assert_eq!(variables["REGION"], "eu-central-1");
    assert!(vault.list("example.com/octo/planner").expect("it opens").is_empty());
    let taken = vault.take_over("example.com/octo/planner", "octo/planner").expect("nothing");
    assert!(taken.is_empty());
}

#[test]
fn a_value_opens_under_its_own_name_alone() {
    let (_folder, vault) = vault();
    put(&vault, None, "TOKEN", "value");
    let text = fs::read_to_string(vault.file()).expect("it was written");
    fs::write(vault.file(), text.replace("TOKEN", "OTHER")).expect("a file of ours");
    check(&vault, None, &expect!["OTHER does not open"]);
    fs::write(
        vault.file(),
        text.replace("octo/planner\"", "octo/planner\", \"environment\": \"x\""),
    )
    .expect("a file of ours");
    check(&vault, Some("x"), &expect!["TOKEN does not open"]);
    fs::write(vault.file(), &text).expect("a file of ours");
    check(&vault, None, &expect!["TOKEN=value"]);
    fs::write(vault.key_file(), [7; KEY_LEN]).expect("a file of ours");
    check(&vault, None, &expect!["TOKEN does not open"]);
}

#[test]
fn what_is_no_vault_is_said_and_not_repeated() {
    let (_folder, vault) = vault();
    put(&vault, None, "TOKEN", "value");
    for (text, expect) in [
        ("hunter2", expect!["vault.json is damaged: line 1, column 1"]),
        (
            r#"{"version": 3, "entries": [], "more": 1}"#,
            expect!["vault.json is damaged: a newer Launchway wrote it (3)"],
        ),
        (
            r#"{"version": 1, "entries": [{"secret": "hunter2"}]}"#,
            expect!["vault.json is damaged: line 1, column 48"],
        ),
    ] {
        fs::write(vault.file(), text).expect("a file of ours");
        check(&vault, None, &expect);
    }
}

/// What version 1 of the file had: values sealed by the machine's key itself.
fn put_as_before(vault: &Vault, name: &str, value: &str) {
    let keys = vault.keys().expect("something was set");
    let mut contents = vault.read().expect("it is one of ours");
    let scope = scope(None);
    let value = Stored::Sealed(keys.seal_bare(About { scope: &scope, name }, value));
    let name = name.to_owned();
    contents.entries.push(Entry {
        scope,
        name,
        value,
        set_at: Timestamp(1),
        rotate_by: None,
        set_by: None,
    });
    let mut file: serde_json::Value =
        serde_json::from_slice(&vault.text(&contents)).expect("it is JSON");
    file["version"] = 1.into();
    fs::write(vault.file(), file.to_string()).expect("a file of ours");
}

/// The file, as JSON.
fn file(vault: &Vault) -> serde_json::Value {
    let text = fs::read(vault.file()).expect("it was written");
    serde_json::from_slice(&text).expect("it is JSON")
}

fn file_with(vault: &Vault, change: impl FnOnce(&mut serde_json::Value)) {
    let mut file = file(vault);
    change(&mut file);
    fs::write(vault.file(), file.to_string()).expect("a file of ours");
}

/// `envelope` where a name's value lies in an envelope, `bare` where it does not.
fn forms(vault: &Vault) -> String {
    let file = file(vault);
    let entries = file["entries"].as_array().expect("a list");
    let form = |it: &serde_json::Value| {
        let form = if it["enveloped"].is_object() { "envelope" } else { "bare" };
        format!("{}={form}", it["name"].as_str().expect("a name"))
    };
    entries.iter().map(form).collect::<Vec<_>>().join(" ")
}

#[test]
fn what_version_1_sealed_opens_and_is_put_into_an_envelope_when_it_is_set_or_rekeyed() {
    let (_folder, vault) = vault();
    put(&vault, None, "ONE", "1");
    put_as_before(&vault, "TWO", "2");
    put_as_before(&vault, "THREE", "3");
    check(&vault, None, &expect!["ONE=1 THREE=3 TWO=2"]);
    assert_eq!(forms(&vault), "ONE=envelope TWO=bare THREE=bare");
    put(&vault, None, "TWO", "two");
    assert_eq!(forms(&vault), "ONE=envelope THREE=bare TWO=envelope");
    let rekeyed = vault.rekey().expect("it opens");
    assert_eq!(rekeyed, Some(Rekeyed { secrets: 3, was_cut_short: false }));
    assert_eq!(forms(&vault), "ONE=envelope THREE=envelope TWO=envelope");
    check(&vault, None, &expect!["ONE=1 THREE=3 TWO=two"]);
}

#[test]
fn each_value_has_a_key_of_its_own_and_a_new_one_whenever_it_is_set() {
    let (_folder, vault) = vault();
    let mut seen = std::collections::BTreeSet::new();
    for (name, value) in [("ONE", "same"), ("TWO", "same"), ("TWO", "same")] {
        put(&vault, None, name, value);
        let last = file(&vault)["entries"].as_array().expect("a list").last().cloned();
        let envelope = last.expect("it was set")["enveloped"].clone();
        for part in ["wrapped", "sealed"] {
            assert!(seen.insert(envelope[part].to_string()), "{name}: {part} was there before");
        }
    }
}

#[test]
fn parts_of_two_envelopes_do_not_make_one() {
    for (parts, said) in [
        (&["sealed"][..], expect!["ONE does not open"]),
        (&["wrapped"], expect!["ONE does not open"]),
        (&["wrapped", "sealed"], expect!["ONE does not open"]),
        // The machine's key is the same for both.
        (&["key"], expect!["ONE=1 TWO=2"]),
    ] {
        let (_folder, vault) = vault();
        put(&vault, None, "ONE", "1");
        put(&vault, None, "TWO", "2");
        file_with(&vault, |file| {
            for part in parts {
                let one = file["entries"][0]["enveloped"][part].take();
                file["entries"][0]["enveloped"][part] =
                    file["entries"][1]["enveloped"][part].take();
                file["entries"][1]["enveloped"][part] = one;
            }
        });
        check(&vault, None, &said);
        let is_whole = vault.secrets("octo/planner", None).is_ok();
        let keys = fs::read(vault.key_file()).expect("it is there");
        let values = fs::read(vault.file()).expect("it is there");
        assert_eq!(vault.rekey().is_ok(), is_whole, "{parts:?}");
        if !is_whole {
            assert_eq!(fs::read(vault.key_file()).expect("it is there"), keys, "{parts:?}");
            assert_eq!(fs::read(vault.file()).expect("it is there"), values, "{parts:?}");
        }
    }
}

#[test]
fn a_file_that_is_cut_or_altered_anywhere_gives_no_other_value() {
    let (_folder, vault) = vault();
    put(&vault, None, "TOKEN", "value");
    let mut opened = 0;
    for path in [vault.file(), vault.key_file()] {
        let whole = fs::read(&path).expect("it was written");
        let cut = (0..whole.len()).map(|end| whole[..end].to_vec());
        let altered = (0..whole.len()).flat_map(|at| {
            [1, 0x20, 0x80].map(|bit| {
                let mut bytes = whole.clone();
                bytes[at] ^= bit;
                bytes
            })
        });
        for bytes in cut.chain(altered) {
            fs::write(&path, &bytes).expect("a file of ours");
            let secrets = vault.secrets("octo/planner", None).unwrap_or_default();
            for (name, value) in &secrets {
                assert_eq!((name.as_str(), value.expose()), ("TOKEN", "value"));
                opened += 1;
            }
        }
        fs::write(&path, &whole).expect("a file of ours");
    }
    assert!(opened > 0, "whitespace and the time that it was set are nobody's secret");
    for (bytes, said) in [
        (
            &[7; KEY_LEN - 1][..],
            expect!["vault.key is damaged: a key has 32 bytes, and there are 2 at most"],
        ),
        (
            &[7; KEY_LEN * 3],
            expect!["vault.key is damaged: a key has 32 bytes, and there are 2 at most"],
        ),
        (&[7; KEY_LEN * 2], expect!["TOKEN does not open"]),
    ] {
        fs::write(vault.key_file(), bytes).expect("a file of ours");
        check(&vault, None, &said);
    }
}

#[test]
fn the_old_key_opens_nothing_that_was_rekeyed() {
    let (_folder, vault) = vault();
    assert_eq!(vault.rekey().expect("there is nothing"), None);
    put(&vault, None, "TOKEN", "value");
    put(&vault, Some("production"), "TOKEN", "other");
    let region = Value::Variable("eu-central-1");
    vault.set(&scope(None), "REGION", region, (Timestamp(1), None)).expect("it is kept");
    let old = fs::read(vault.key_file()).expect("it is there");
    let sealed = |vault: &Vault| file(vault)["entries"][0]["enveloped"]["sealed"].clone();
    let before = sealed(&vault);
    let rekeyed = vault.rekey().expect("it opens");
    assert_eq!(rekeyed, Some(Rekeyed { secrets: 2, was_cut_short: false }));
    assert_eq!(sealed(&vault), before, "the value stays as it is; its key is wrapped anew");
    check(&vault, Some("production"), &expect!["TOKEN=other"]);
    let new = fs::read(vault.key_file()).expect("it is there");
    assert_eq!(new.len(), KEY_LEN);
    assert_ne!(new, old);
    only_vaults_files(&vault);
    fs::write(vault.key_file(), old).expect("a file of ours");
    check(&vault, None, &expect!["TOKEN does not open"]);
}

fn only_vaults_files(vault: &Vault) {
    let listed = fs::read_dir(&vault.folder).expect("it is there");
    let mut names: Vec<_> = listed.map(|it| it.expect("it is there").file_name()).collect();
    names.sort();
    assert_eq!(names, ["vault.json", "vault.key", "vault.lock"]);
}

/// How somebody dies who replaces a file.
#[derive(Clone, Copy, Debug)]
enum Death {
    /// Before anything was written.
    Before,
    /// With a part of it beside.
    HalfWay,
    /// When the file has its name.
    Behind,
}

/// Rekeys, and dies at this write.
fn rekey_and_die(vault: &Vault, at: usize, death: Death) -> bool {
    let mut written = 0;
    let killed = || VaultError::Io { path: "killed".into(), source: io::Error::other("killed") };
    let rekeyed = vault.rekey_by(&mut |path, bytes| {
        written += 1;
        if written <= at {
            return vault.replace(path, bytes);
        }
        match death {
            Death::Before => {}
            Death::HalfWay => {
                fs::write(path.with_added_extension("new"), &bytes[..bytes.len() / 2])
                    .expect("a file of ours");
            }
            Death::Behind => vault.replace(path, bytes)?,
        }
        Err(killed())
    });
    rekeyed.is_err()
}

#[test]
fn whoever_dies_at_any_write_of_a_rekey_loses_nothing() {
    let deaths = [Death::Before, Death::HalfWay, Death::Behind];
    let firsts = (0..3).flat_map(|at| deaths.map(|death| (at, death)));
    // One that was cut short has two writes more. None of the second: it is not killed.
    let seconds = || std::iter::once(None).chain((0..5).map(Some));
    for (first, second) in firsts.flat_map(|first| seconds().map(move |it| (first, it))) {
        let (_folder, vault) = vault();
        put(&vault, None, "ONE", "1");
        put_as_before(&vault, "TWO", "2");
        let old = fs::read(vault.key_file()).expect("it is there");
        assert!(rekey_and_die(&vault, first.0, first.1));
        check(&vault, None, &expect!["ONE=1 TWO=2"]);
        put(&vault, None, "THREE", "3");
        check(&vault, None, &expect!["ONE=1 THREE=3 TWO=2"]);
        if let Some(at) = second {
            rekey_and_die(&vault, at, Death::HalfWay);
        }
        check(&vault, None, &expect!["ONE=1 THREE=3 TWO=2"]);
        let is_cut = fs::read(vault.key_file()).expect("it is there").len() > KEY_LEN;
        let rekeyed = vault.rekey().expect("it opens").expect("something is kept");
        assert_eq!(rekeyed, Rekeyed { secrets: 3, was_cut_short: is_cut });
        check(&vault, None, &expect!["ONE=1 THREE=3 TWO=2"]);
        let new = fs::read(vault.key_file()).expect("it is there");
        assert_eq!(new.len(), KEY_LEN, "{first:?} {second:?}");
        assert_ne!(new, old);
        only_vaults_files(&vault);
    }
}

#[test]
fn others_read_and_set_while_it_is_rekeyed() {
    let (_folder, vault) = vault();
    put(&vault, None, "ONE", "1");
    let is_over = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|threads| {
        for _ in 0..2 {
            threads.spawn(|| {
                while !is_over.load(std::sync::atomic::Ordering::Acquire) {
                    let secrets = vault.secrets("octo/planner", None).expect("it opens");
                    assert_eq!(secrets["ONE"].expose(), "1");
                }
            });
        }
        threads.spawn(|| {
            for round in 0..20 {
                put(&vault, None, &format!("N{round}"), "value");
            }
        });
        for _ in 0..40 {
            vault.rekey().expect("it opens");
        }
        is_over.store(true, std::sync::atomic::Ordering::Release);
    });
    vault.rekey().expect("it opens");
    assert_eq!(vault.secrets("octo/planner", None).expect("it opens").len(), 21);
}

#[test]
fn who_holds_the_vault_has_a_key_that_opens_the_values() {
    let (_folder, vault) = vault();
    assert!(vault.hold().expect("there is nothing").is_none());
    put(&vault, None, "TOKEN", "value");
    let held = vault.hold().expect("it can be locked").expect("it is there");
    let values = fs::read(vault.file()).expect("it is there");
    std::thread::scope(|threads| {
        let rekey = threads.spawn(|| vault.rekey().expect("it opens"));
        let key = fs::read(vault.key_file()).expect("it is there");
        let copy = tempfile::tempdir().expect("a folder");
        fs::write(copy.path().join("vault.json"), &values).expect("a file of ours");
        fs::write(copy.path().join("vault.key"), &key).expect("a file of ours");
        check(&Vault::in_folder(copy.path()), None, &expect!["TOKEN=value"]);
        drop(held);
        rekey.join().expect("it ends");
    });
    check(&vault, None, &expect!["TOKEN=value"]);
}
