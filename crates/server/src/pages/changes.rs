//! What reaches an environment, above the gates of the job that brings it.

use crate::app::App;
use crate::approvals::Waiting;
use crate::engine::{Change, Changes, Refused};

/// So many stand there at once; of more, behind a click, so that what is to be answered is near.
const SHOWN_AT_ONCE: usize = 5;

/// The section.
pub(super) struct Brought {
    /// `3 commits since 1a2b3c4`
    pub(super) title: String,
    /// What else is to be known.
    pub(super) notes: Vec<String>,
    pub(super) rows: Vec<ChangeRow>,
    pub(super) is_open: bool,
}

/// A commit.
pub(super) struct ChangeRow {
    pub(super) commit: String,
    pub(super) subject: String,
    pub(super) by: String,
}

impl Brought {
    /// Of a job that still waits.
    pub(super) fn of(app: &App, waiting: &Waiting) -> Option<Brought> {
        // Who waits for an answer gets it although a repository cannot be read.
        let words = |it: Result<Changes, Refused>| match it {
            Ok(it) => Brought::told(&it),
            Err(_) => Brought::unknown(),
        };
        waiting.brings(app).map(words)
    }

    /// Why is for whoever looks after the server: it names paths of this machine.
    fn unknown() -> Brought {
        let title = "It cannot be told: its commit is gone, or the repository cannot be read";
        Brought { title: title.to_owned(), notes: Vec::new(), rows: Vec::new(), is_open: true }
    }

    fn told(it: &Changes) -> Brought {
        let title = match &it.since {
            None => "What ran there before is not known".to_owned(),
            Some(since) if it.count == 0 && it.lost == 0 => {
                format!("{} runs there already", short(since))
            }
            Some(since) if it.count == 0 => format!("Nothing new since {}", short(since)),
            Some(since) => format!("{} since {}", commits(it.count), short(since)),
        };
        let mut notes = Vec::new();
        if it.lost > 0 {
            notes.push(format!("It takes back {} of what runs there now.", commits(it.lost)));
        }
        let more = it.count.saturating_sub(it.commits.len());
        if more > 0 {
            notes.push(format!("The newest {}; {more} more are older.", it.commits.len()));
        }
        let row = |it: &Change| ChangeRow {
            commit: short(&it.commit),
            subject: it.subject.clone(),
            by: it.by.clone(),
        };
        let is_open = it.commits.len() <= SHOWN_AT_ONCE;
        Brought { title, notes, rows: it.commits.iter().map(row).collect(), is_open }
    }
}

fn commits(count: usize) -> String {
    if count == 1 { "1 commit".to_owned() } else { format!("{count} commits") }
}

fn short(commit: &str) -> String {
    commit.chars().take(7).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(since: Option<&str>, (count, lost): (usize, usize), expect: &str) {
        let commit =
            Change { commit: "b".repeat(40), subject: "mends it".into(), by: "Mona".into() };
        let commits = vec![commit; count.min(2)];
        let told = Changes { since: since.map(str::to_owned), commits, count, lost };
        let Brought { title, notes, .. } = Brought::told(&told);
        assert_eq!([&[title][..], &notes].concat().join(" | "), expect);
    }

    #[test]
    fn what_a_job_brings_in_words() {
        let before = "a".repeat(40);
        let before = Some(&*before);
        check(None, (1, 0), "What ran there before is not known");
        check(before, (0, 0), "aaaaaaa runs there already");
        check(before, (1, 0), "1 commit since aaaaaaa");
        check(before, (7, 0), "7 commits since aaaaaaa | The newest 2; 5 more are older.");
        check(
            before,
            (0, 3),
            "Nothing new since aaaaaaa | It takes back 3 commits of what runs there now.",
        );
        check(
            before,
            (2, 1),
            "2 commits since aaaaaaa | It takes back 1 commit of what runs there now.",
        );
    }
}
