//! Jobs behind walls: what a job does everywhere works, what belongs to the server and to others is out of
//! reach, and only an administrator takes the walls down.

use tempfile::NamedTempFile;

use crate::harness::{Place, wait_until};
use crate::serving::Serving;

/// Each attack is a line; a line that gets through says so.
const ATTACKS: &str = r#"
on: push
jobs:
  attacks:
    runs-on: [self-hosted, linux]
    steps:
      - uses: actions/checkout@v4
        with: { fetch-depth: 0 }
      - name: what a job does everywhere
        run: |
          git log --oneline | grep -q .
          git fetch -q origin main
          echo fine > "$RUNNER_TEMP/x" && mktemp -d > /dev/null
          echo "$HOME" | grep -q home && echo key > ~/.npmrc
          echo fine >> "$GITHUB_STEP_SUMMARY"
      - uses: actions/upload-artifact@v4
        with: { name: log, path: .github }
      - name: attacks
        run: |
          set +e
          through() { "$@" > /dev/null 2>&1 && echo "THROUGH $*" | tee -a $MARKS/through; }
          through ls "$DATA"
          through ls "$DATA/tokens"
          through cat "$DATA/journal.db"
          through find "$DATA/vault" -type f
          through find "$DATA/blobs" -type f
          through sh -c 'echo x > "$DATA/inbox/push"'
          through sh -c 'echo x >> ../../../reports.jsonl'
          through sh -c 'echo "exit 0" > "$BARE/hooks/pre-receive"'
          through git -C "$BARE" update-ref refs/heads/evil HEAD
          through sh -c 'echo x > "$BARE/refs/heads/main"'
          through cat "$PLACE/credentials"
          through ls "$PLACE"
          through cat "$SHARED"
          through sudo -n true
          through kill -0 $PPID
          for pid in $(pgrep -f 'launchway (serve|worker)'); do
            through kill -0 "$pid"
            through cat "/proc/$pid/environ"
            through ls "/proc/$pid/cwd/"
            through readlink "/proc/$pid/fd/1"
          done
          echo tried > $MARKS/tried
    env:
      DATA: $DATA
      BARE: $BARE
      PLACE: $PLACE
      SHARED: $SHARED
"#;

/// Also what somebody else on the machine left where everybody writes.
fn serving(more: &[&str]) -> (Serving, NamedTempFile) {
    let serving = Serving::with("on: workflow_dispatch\njobs: {}\n", more);
    let shared = NamedTempFile::new_in("/dev/shm").expect("a file of ours");
    std::fs::write(shared.path(), "hunter2").expect("a file of ours");
    let path = |name: &str| serving.place.path(name).display().to_string();
    let workflow = ATTACKS
        .replace("$MARKS", &path("marks"))
        .replace(": $DATA", &format!(": {}", path("data")))
        .replace(": $BARE", &format!(": {}", path("app.git")))
        .replace(": $PLACE", &format!(": {}", path("secret")))
        .replace(": $SHARED", &format!(": {}", shared.path().display()));
    serving.place.write(".github/workflows/ci.yml", &workflow);
    let secret = serving.place.path("secret");
    std::fs::create_dir_all(&secret).expect("a folder of ours");
    std::fs::write(secret.join("credentials"), "hunter2").expect("a file of ours");
    serving.place.commit();
    (serving, shared)
}

#[test]
fn nothing_of_the_server_is_within_a_jobs_reach() {
    let (serving, _shared) = serving(&[]);
    let pushed = serving.push();
    assert_eq!(pushed.exit, 0, "{}", pushed.stderr);
    let run = serving.ended("1");
    let log = serving.get("/api/v1/runs/1/jobs/attacks/log").text;
    assert_eq!(run["conclusion"], "success", "{log}");
    assert_eq!(serving.mark("tried"), "tried\n", "{log}");
    assert_eq!(serving.mark("through"), "", "{log}");
}

/// The same attacks where an administrator trusts the label: they would get through, so the test above can
/// fail. Code from outside stays kept in there, too (`github::`).
#[test]
fn a_trusted_label_has_no_walls() {
    let (serving, _shared) = serving(&["--trusted-label", "Self-Hosted"]);
    assert_eq!(serving.push().exit, 0);
    serving.ended("1");
    let through = serving.mark("through");
    for attack in ["journal.db", "refs/heads/evil", "credentials", "/dev/shm", "kill -0"] {
        assert!(through.contains(attack), "{attack}: {through}");
    }
}

/// A folder that jobs are given, in which the server's administrator keeps what was given to the server as well.
#[test]
fn what_the_server_was_given_in_confidence_is_not_given_on() {
    let place = Place::with(&[]);
    let given = place.path("given");
    std::fs::create_dir_all(given.join("credentials")).expect("folders of ours");
    for name in ["toolchain", "credentials/smtp", "pgpass.1"] {
        std::fs::write(given.join(name), "hunter2").expect("a file of ours");
    }
    std::os::unix::fs::symlink("pgpass.1", given.join("pgpass")).expect("a link of ours");
    let variables = vec![
        ("CREDENTIALS_DIRECTORY", given.join("credentials")),
        ("PGPASSFILE", given.join("pgpass")),
        // It is not there yet.
        ("AWS_WEB_IDENTITY_TOKEN_FILE", given.join("later")),
    ];
    let shown = given.display().to_string();
    let workflow = format!(
        "on: push\njobs:\n  look:\n    runs-on: ubuntu-latest\n    steps:\n      - run: |\n          cd {shown}\n          \
         touch $MARKS/began\n          until test -e $MARKS/go; do sleep 0.05; done\n          \
         for it in toolchain credentials/smtp pgpass pgpass.1 later copy/backup.json; do\n            \
         cat $it > /dev/null 2>&1 && echo $it >> $MARKS/read\n          done; true\n"
    );
    let more = ["--sandbox-read", &shown];
    let serving = Serving::within(place, &workflow, &more, variables);
    let copied = serving.command(&["serve", "backup", &given.join("copy").display().to_string()]);
    assert_eq!(copied.exit, 0, "{}", copied.stderr);
    assert!(given.join("copy/backup.json").exists(), "it would be there to be read");
    assert_eq!(serving.push().exit, 0);
    wait_until("the job", || serving.place.path("marks/began").exists());
    // Whoever changes a secret renames the next one to its place.
    for (name, place) in [("next", "pgpass.1"), ("next", "later")] {
        std::fs::write(given.join(name), "hunter2").expect("a file of ours");
        std::fs::rename(given.join(name), given.join(place)).expect("renamed");
    }
    serving.leave("go");
    let run = serving.ended("1");
    let log = serving.get("/api/v1/runs/1/jobs/look/log").text;
    assert_eq!(run["conclusion"], "success", "{log}");
    assert_eq!(serving.mark("read"), "toolchain\n", "{log}");
}

#[test]
fn on_a_laptop_whoever_runs_asks_for_walls() {
    let place = Place::with(&[(
        ".github/workflows/ci.yml",
        "on: push\njobs:\n  look:\n    runs-on: ubuntu-latest\n    steps:\n      - run: cat \"$SECRET\"\n    env:\n      SECRET: $PLACE\n",
    )]);
    std::fs::write(place.path("key"), "hunter2").expect("a file of ours");
    let file = ".github/workflows/ci.yml";
    let text = std::fs::read_to_string(place.repository().join(file)).expect("just written");
    place.write(file, &text.replace("$PLACE", &place.path("key").display().to_string()));
    place.commit();
    let free = place.run(&["run", "--executor", "host"]);
    assert_eq!(free.exit, 0, "{}{}", free.stdout, free.stderr);
    let kept_in = place.run(&["run", "--executor", "sandbox"]);
    assert_eq!(kept_in.exit, 1, "{}{}", kept_in.stdout, kept_in.stderr);
    assert!(!kept_in.stdout.contains("hunter2"), "{}", kept_in.stdout);
    // Whoever runs it again is bound by what was agreed to.
    let again = place.run(&["runs", "rerun", "--failed"]);
    assert_eq!(again.exit, 1, "{}{}", again.stdout, again.stderr);
    assert!(!again.stdout.contains("hunter2"), "{}", again.stdout);
}

#[test]
fn what_is_opened_to_jobs_is_there_and_not_the_servers_own() {
    let place = Place::with(&[]);
    let data = place.path("data");
    std::fs::create_dir_all(data.join("tools")).expect("folders of ours");
    let check = |flag: &str, path: &std::path::Path, expected: &str| {
        let (data, path) = (data.display().to_string(), path.display().to_string());
        let said = place.run(&["serve", "--data", &data, flag, &path]);
        assert_eq!(said.exit, 2, "{}", said.stderr);
        assert!(said.stderr.contains(&format!("{flag} {path}: {expected}")), "{}", said.stderr);
    };
    check("--sandbox-read", std::path::Path::new("/nowhere/tools"), "it is not there");
    // Tokens, keys and the journal would be among what jobs read.
    check("--sandbox-read", data.parent().expect("a folder"), "jobs would reach");
    check("--sandbox-write", &data.join("tools"), "jobs would reach");
}

#[test]
fn a_trusted_label_that_nothing_guards_is_said_as_long_as_it_is_so() {
    let workflow = "on: push\njobs: { a: { runs-on: ubuntu-latest, steps: [{ run: 'true' }] } }\n";
    let label = ["--label", "deploy", "--trusted-label", "deploy=octo/app:environment:production"];
    let serving = Serving::with(workflow, &label);
    serving.push();
    let warned = || {
        let page = serving.get("/settings").text;
        ["no job of octo/app runs in production", "no rule guards production of octo/app"]
            .map(|said| page.contains(said))
    };
    assert_eq!(warned(), [true, false]);
    let bare = serving.place.path("app.git").display().to_string();
    let add = ["repositories", "add", &bare, "--name", "octo/app", "--environment", "production"];
    assert_eq!(serving.command(&add).exit, 0);
    assert_eq!(warned(), [false, true]);
    let rules = serving.place.path("rules.yml");
    let text = "version: 1\nproject: planner\nenvironments: { production: { protect: { branches: [main] } } }\n";
    std::fs::write(&rules, text).expect("a file of ours");
    let rules = rules.display().to_string();
    let protect = serving.command(&["repositories", "protect", "octo/app", "--rules", &rules]);
    assert_eq!(protect.exit, 0, "{}", protect.stderr);
    assert_eq!(warned(), [false, false]);
    serving.end();
}
