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
            VaultError::Damaged { why, .. } => format!("damaged: {why}"),
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
    for path in [vault.file(), vault.key_file().path, vault.folder.join("vault.lock")] {
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
    fs::write(vault.key_file().path, [7; KEY_LEN]).expect("a file of ours");
    check(&vault, None, &expect!["TOKEN does not open"]);
}

#[test]
fn what_is_no_vault_is_said_and_not_repeated() {
    let (_folder, vault) = vault();
    put(&vault, None, "TOKEN", "value");
    for (text, expect) in [
        ("hunter2", expect!["damaged: line 1, column 1"]),
        (r#"{"version": 2, "entries": []}"#, expect!["damaged: a newer Launchway wrote it (2)"]),
        (
            r#"{"version": 1, "entries": [{"secret": "hunter2"}]}"#,
            expect!["damaged: line 1, column 48"],
        ),
    ] {
        fs::write(vault.file(), text).expect("a file of ours");
        check(&vault, None, &expect);
    }
}
