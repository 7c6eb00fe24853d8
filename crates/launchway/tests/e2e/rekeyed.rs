//! The key of a server's secrets is changed while it serves: jobs read them all the while, whoever changes
//! it is killed, and a copy that is made meanwhile has a key that opens its values.

use std::process::{Child, Stdio};

use expect_test::expect;

use crate::harness::{Place, wait_until};
use crate::kept::given;
use crate::serving::Serving;

const WORKFLOW: &str = "
on: push
jobs:
  says:
    runs-on: ubuntu-latest
    steps:
      - run: printf %s '${{ secrets.TOK }}' | rev > \"$MARKS/$RUN\"
        env: { RUN: '${{ github.run_number }}' }
";

fn begin(place: &Place, data: &str) -> Child {
    let mut command = place.launchway(&["secrets", "rekey", "--data", data]);
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts")
}

#[test]
fn a_new_key_while_jobs_read_and_whoever_brings_it_is_killed() {
    let it = Serving::of(WORKFLOW);
    let data = it.place.path("data").display().to_string();
    let key_file = it.place.path("data/vault/vault.key");
    let key = || std::fs::read(&key_file).expect("it is there");
    let none = it.command(&["secrets", "rekey"]);
    let said = none.stderr.replace(&data, "DATA");
    assert_eq!(none.exit, 2, "{said}");
    expect![[r#"
        error: no secret was ever kept in DATA/vault
        hint: a server's are in its folder: --data DIR
    "#]]
    .assert_eq(&said);
    let set = ["secrets", "set", "TOK", "--repository", "octo/app", "--data", &data];
    assert_eq!(given(&it.place, &set, "octos-token").exit, 0);
    let first = key();
    // Killed as soon as something changed: at one of its writes, as it comes.
    for run in 1..=3 {
        let before = key();
        let mut rekey = begin(&it.place, &data);
        it.place.write("more", &run.to_string());
        it.place.commit();
        assert_eq!(it.push().exit, 0);
        wait_until("the first write", || key() != before);
        rekey.kill().expect("it is ours");
        rekey.wait().expect("it ends");
        it.ended(&run.to_string());
        assert_eq!(it.mark(&run.to_string()), "nekot-sotco");
    }
    // A copy that is made while keys come and go: a rekey proves that its key opens what it has.
    let copy = it.place.path("copy").display().to_string();
    let mut rekey = begin(&it.place, &data);
    let copied = it.command(&["serve", "backup", &copy]);
    assert_eq!(copied.exit, 0, "{}", copied.stderr);
    rekey.wait().expect("it ends");
    let proven = it.place.run(&["secrets", "rekey", "--data", &copy]);
    assert_eq!(proven.exit, 0, "{}", proven.stderr);
    let rekeyed = it.command(&["secrets", "rekey"]);
    expect![[r#"
        1 secret is kept under a new key in DATA/vault; the old one is gone from there
        copies of the folder that were made before have the old key, and the secrets of then
    "#]]
    .assert_eq(&rekeyed.stderr.replace(&data, "DATA"));
    assert_eq!(key().len(), first.len());
    let trail = it.get("/api/v1/audit?action=secret.rekey").json().to_string();
    assert!(trail.contains("secret.rekey"), "{trail}");
    // The first key opens nothing any more, and nothing is changed then.
    let new = key();
    std::fs::write(&key_file, &first).expect("a file of ours");
    let refused = it.command(&["secrets", "rekey"]);
    expect![[r#"
        error: the value of TOK, kept for octo/app, cannot be opened with DATA/vault/vault.key
        hint: the key was replaced by hand, or the value altered: set it again, or take both files from one backup
    "#]]
    .assert_eq(&refused.stderr.replace(&data, "DATA"));
    assert_eq!(key(), first);
    std::fs::write(&key_file, &new).expect("a file of ours");
    it.place.write("more", "last");
    it.place.commit();
    assert_eq!(it.push().exit, 0);
    it.ended("4");
    assert_eq!(it.mark("4"), "nekot-sotco");
    it.end();
}
