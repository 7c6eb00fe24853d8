//! Bad input, and what is said about it. The table of `docs/bad-input.md` is written by this test
//! (`UPDATE_EXPECT=1`) and compared by it: what stands there is what the binary says.
//!
//! ```text
//!   files.rs     workflow files, payloads, secrets, lock files
//!   places.rs    repositories and state folders
//!   words.rs     the command line
//!   steps.rs     what steps do to their runner
//! ```

mod files;
mod places;
mod steps;
mod words;

use std::fmt::Write as _;

use expect_test::expect_file;

use crate::harness::{Place, Said};

const ABOUT: &str = "\
# Bad input, and what Launchway says

What was tried, what is said (shortened to the lines that tell what, where and what to do), and the
[exit code](exit-codes.md). Everything under the first four headings is produced by a test with the
real binary (`crates/launchway/tests/e2e/bad_input.rs`); the last one lists what was tried by hand or is
held by tests of a part. `/home/mona/` stands for where it was tried.
";

/// What one test of the whole binary cannot do without being root, filling a disk, or waiting.
const BY_HAND: &str = "\
## Tried by hand, or held by tests of a part

| tried | what happens | exit |
|---|---|---|
| the disk is full when the command starts | `error: cannot open the journal`<br>`because: the disk of …/journal.db is full; nothing was written`<br>``hint: free some space; `launchway prune` can help`` | 5 |
| the disk gets full while a job runs | the step's own writes fail; when the journal itself cannot be written the command ends with the message above, its jobs are ended, and `launchway runs resume` goes on once there is space | 5 |
| `TMPDIR` is full, or not there | nothing: it is not used | 0 |
| a workflow file that this user may not read | `error: cannot read .github/workflows/ci.yml`<br>`because: Permission denied (os error 13)` | 5 |
| a file of the work tree that this user may not read | git's own words, and `hint: make it readable for this user, name it in .gitignore, or leave out what is not committed: --committed` | 5 |
| pipes, sockets, dangling and circular links, and names with line ends in the work tree | git leaves out what it cannot keep; the rest runs | 0 |
| a state folder on a read-only disk, or of another user | `error: cannot open the journal`<br>`because: …/lock cannot be written to`<br>`hint: make it writable for this user, or give another folder with --state` | 5 |
| a repository of another user | git's own words about `dubious ownership`, and `hint: the folder belongs to somebody else: git config --global --add safe.directory PATH` | 5 |
| a host port that is taken | `error[port-taken]: a service of the job 'a' wants port 5433 of this machine, which python3 (process 2057) has`<br>``help: stop it, or let the runner choose: `ports: [CONTAINER]` and `job.services.ID.ports` instead of 5433`` | 5 |
| a step that prints 1 GB without a newline | it takes 2 s and 23 MB of memory; the log is kept whole, a terminal shows a line of 64 KB of it | 0 |
| a step that ignores SIGINT and SIGTERM when its time is up | it is killed 10 s later, with all that it started | 1 |
| standard input, output or error closed; output cut short by `\\| head` | the run goes on to its end | 0 |
| a terminal of 20 columns | lines are cut with `…` | 0 |
| `TERM=dumb` | plain lines, nothing is drawn over | 0 |
| the clock is set back during a run | durations are never below zero; what is younger than a run under way is never pruned, give or take a day | 0 |
| `/dev/zero` as workflow file, payload or secrets file | read up to the limit of such a file, then refused | 3 |
| an artifact whose names lead out of the folder it is unpacked in | refused before anything is written (tests of `crates/actions`) | 1 |
| `launchway secrets sync github` of a clone that does not come from github.com | `error: example.com/octo/planner is no repository at https://github.com`<br>`hint: --to OWNER/NAME says which is meant; --url, at which GitHub that is not github.com` | 2 |
| `launchway secrets sync github NOTHING`, which is not kept | `error: no NOTHING is kept for github.com/octo/app`<br>`hint: launchway secrets list and launchway vars list show what is, and for which environment` | 2 |
| `launchway secrets sync github` where nobody can be asked | the list, then `error: nobody agreed to that`<br>`hint: agree with --yes` | 4 |
| the same with a token that may not | `error: api.github.com refused (403) to GET octo/app/actions/secrets: Resource not accessible by personal access token`<br>`hint: it takes, of an app or of a fine-grained token: Secrets: write, Variables: write, ...` | 4 |
| the same of a server's repository whose name another one has at GitHub by now | `error: octo/app at https://github.com is another repository by now: its number is 29, and that of the one that was connected 12`<br>`hint: --to OWNER/NAME says how the one that is meant is called now` | 3 |
| kill -9 of the command or a worker at any instant | [what survives](kill-and-resume.md) (tests of `crates/launchway/tests/e2e/kill.rs` and `soak.rs`) | |
";

/// Rows under one heading.
pub(super) struct Section {
    title: &'static str,
    rows: String,
}

impl Section {
    pub(super) fn new(title: &'static str) -> Section {
        Section { title, rows: String::new() }
    }

    /// What was tried in a place, and what was said.
    pub(super) fn row(&mut self, tried: &str, place: &Place, said: &Said) {
        let told = told(place, said);
        assert!(!told.is_empty(), "{tried}: nothing is said\n{}{}", said.stdout, said.stderr);
        assert!(said.exit != 70 && said.exit != 101, "{tried}: a fault of ours: {told:?}");
        let cells: Vec<String> = told.iter().map(|line| cell(line)).collect();
        writeln!(self.rows, "| {tried} | {} | {} |", cells.join("<br>"), said.exit)
            .expect("a String takes everything");
    }

    /// A repository with this one workflow, run.
    pub(super) fn workflow(&mut self, tried: &str, text: &str) {
        let place = Place::workflow(text);
        self.row(tried, &place, &place.run(&["run"]));
    }
}

/// A line as code in a table.
fn cell(line: &str) -> String {
    let fence = if line.contains('`') { "``" } else { "`" };
    let space = if line.contains('`') { " " } else { "" };
    format!("{fence}{space}{}{space}{fence}", line.replace('|', "\\|"))
}

/// How long a line of the table may be.
const LINE_CHARACTERS_MAX: usize = 220;
/// Lines of one answer; what more there is says the same about other places.
const LINES_MAX: usize = 4;

/// The lines that tell what, where and what to do, each once.
fn told(place: &Place, said: &Said) -> Vec<String> {
    let folder = place.path("").display().to_string();
    let mut told: Vec<String> = Vec::new();
    for line in said.stderr.lines().chain(said.stdout.lines()) {
        let line = line.split_once(" | ").map_or(line, |(_, printed)| printed).trim();
        let line = line.strip_prefix("= ").unwrap_or(line);
        let is_telling = ["error", "hint:", "because:", "help:", "-->", "##[error]", "warning"];
        let is_loss = line.contains(" lost: ");
        if !is_loss && !is_telling.iter().any(|begin| line.starts_with(begin)) {
            continue;
        }
        let line = line.replace(&folder, "/home/mona/").replace("##[error]", "error: ");
        let line = without_digests(&line);
        let short: String = line.chars().take(LINE_CHARACTERS_MAX).collect();
        let short = if short.len() < line.len() { short + "…" } else { short };
        // The page at the end says once more what a step's log said.
        let is_said = told.iter().any(|it| {
            let message = it.strip_prefix("error: ");
            message.is_some_and(|it| short.starts_with("error ") && short.ends_with(it))
        });
        if !is_said && !told.contains(&short) && told.len() < LINES_MAX {
            told.push(short);
        }
    }
    told
}

/// Digests are long, and those of archives are others each time.
fn without_digests(line: &str) -> String {
    let is_digest = |word: &str| word.len() == 64 && word.bytes().all(|it| it.is_ascii_hexdigit());
    let words = line.split_inclusive(|it: char| !it.is_ascii_alphanumeric());
    let word = |word: &str| match word.get(..64).filter(|digest| is_digest(digest)) {
        Some(_) => format!("…{}", &word[64..]),
        None => word.to_owned(),
    };
    words.map(word).collect()
}

#[test]
fn what_is_said_about_bad_input_stands_in_the_docs() {
    let sections = std::thread::scope(|scope| {
        let parts: [fn() -> Section; 4] =
            [files::section, places::section, words::section, steps::section];
        parts.map(|part| scope.spawn(part)).map(|part| part.join().expect("a section"))
    });
    let mut page = ABOUT.to_owned();
    for section in sections {
        let head = "| tried | said | exit |\n|---|---|---|\n";
        write!(page, "\n## {}\n\n{head}{}", section.title, section.rows).expect("a String");
    }
    page.push('\n');
    page.push_str(BY_HAND);
    expect_file!["../../../../docs/bad-input.md"].assert_eq(&page);
}
