//! What was pushed is not lost to a bad moment: a journal that is locked, an inbox that takes nothing, a hook
//! that did not run.

use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, Stdio};

use crate::harness::wait_until;
use crate::serving::Serving;

const HI: &str = "
on: push
jobs: { hi: { runs-on: ubuntu-latest, steps: [{ run: 'echo x >> $MARKS/hi' }] } }
";

/// Holds the journal until its input ends.
const HOLD: &str = "
import sqlite3, sys
journal = sqlite3.connect(sys.argv[1], isolation_level=None)
journal.execute('BEGIN IMMEDIATE')
print('held', flush=True)
sys.stdin.read()
";

fn hold(serving: &Serving) -> Child {
    let journal = serving.place.path("data/journal.db");
    let mut command = serving.place.program("python3");
    let command = command.args(["-c", HOLD]).arg(journal);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("python starts");
    let mut line = String::new();
    let said = child.stdout.take().expect("a pipe");
    BufReader::new(said).read_line(&mut line).expect("a line");
    assert_eq!(line, "held\n");
    child
}

impl Serving {
    fn inbox(&self) -> usize {
        std::fs::read_dir(self.place.path("data/inbox")).map_or(0, Iterator::count)
    }

    pub(crate) fn said(&self) -> String {
        std::fs::read_to_string(self.place.path("said")).expect("what it said")
    }

    fn mode(&self, name: &str) -> u32 {
        let found = std::fs::metadata(self.place.path("data").join(name)).expect("it is there");
        found.permissions().mode() & 0o777
    }
}

#[test]
fn a_push_waits_for_a_journal_that_is_locked() {
    let serving = Serving::of(HI);
    let mut held = hold(&serving);
    let pushed = serving.push();
    assert_eq!(pushed.exit, 0, "{}", pushed.stderr);
    wait_until("that it waits", || {
        serving.said().contains("waits in the inbox, and is tried again")
    });
    assert_eq!(serving.inbox(), 1);
    let got = serving.get("/readyz");
    let why = "the journal takes no write: another process has locked it\n";
    assert_eq!((got.status, &*got.text), (503, why));
    drop(held.stdin.take());
    held.wait().expect("it was started");
    wait_until("its run", || serving.get("/api/v1/runs/1").status == 200);
    assert_eq!(serving.ended("1")["conclusion"], "success");
    wait_until("its end", || serving.inbox() == 0);
    assert_eq!(serving.said().matches("is tried again").count(), 1, "{}", serving.said());
    wait_until("readiness", || serving.get("/readyz").status == 200);
    serving.end();
}

#[test]
fn what_no_word_can_be_left_of_is_refused_and_what_came_without_is_found() {
    let mut serving = Serving::of(HI);
    assert_eq!(serving.mode(""), 0o700);
    serving.stop();
    // An inbox that takes nothing: git moves no ref.
    let inbox = serving.place.path("data/inbox");
    std::fs::remove_dir_all(&inbox).expect("a folder of ours");
    std::fs::write(&inbox, "").expect("a file of ours");
    let pushed = serving.push();
    assert_ne!(pushed.exit, 0);
    let why = "error: the push is refused: no word of it can be left for the server";
    assert!(pushed.stderr.contains(why), "{}", pushed.stderr);
    assert!(pushed.stderr.contains("can be written to"), "{}", pushed.stderr);
    std::fs::remove_file(&inbox).expect("a file of ours");
    let bare = serving.place.path("app.git").display().to_string();
    let git = |args: &[&str]| serving.place.git(&[&["-C", &bare], args].concat());
    // A hook that does not run.
    git(&["config", "core.hooksPath", "/nowhere"]);
    assert_eq!(serving.push().exit, 0);
    git(&["config", "--unset", "core.hooksPath"]);
    // What jobs were given is nobody else's.
    let open = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(serving.place.path("data"), open).expect("a folder of ours");
    serving.restart();
    assert_eq!(serving.ended("1")["conclusion"], "success");
    let said = serving.said();
    assert!(said.contains("octo/app: refs/heads/main was pushed, and nobody was told"), "{said}");
    assert!(said.contains("was open to other users of this machine (mode 755)"), "{said}");
    // The folder, and what lies in it.
    let modes = ["", "logs", "journal.db"].map(|name| serving.mode(name));
    assert_eq!(modes, [0o700, 0o700, 0o600]);
    // Once, whoever starts again.
    serving.stop();
    serving.restart();
    serving.place.commit();
    assert_eq!(serving.push().exit, 0);
    serving.ended("2");
    assert_eq!(serving.mark("hi"), "x\nx\n");
    serving.end();
}
