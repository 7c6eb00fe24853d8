//! Notes of a version: the first lines of its commits. Nothing is made up: where a team writes conventional commits
//! (conventionalcommits.org) they stand in groups, elsewhere in one list, and a merged pull request stands for its
//! commits.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// Lines of notes: nobody reads more, and GitHub takes bodies of 125,000 characters.
pub const LINES_MAX: usize = 200;
/// Characters of a line.
const LINE_CHARS_MAX: usize = 200;
/// Types that say that a team writes conventional commits.
const TYPES: &[&str] = &[
    "feat", "fix", "perf", "revert", "docs", "style", "refactor", "test", "tests", "build", "ci",
    "chore", "deps",
];

/// A commit, as notes are made of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Noted {
    /// Its hash.
    pub id: String,
    /// Those of its parents.
    pub parents: Vec<String>,
    /// GitHub itself made it, by a button: what it says of its pull request is true.
    pub is_by_github: bool,
    /// All that it says.
    pub message: String,
}

/// What came with a version.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notes {
    /// In this order, none of them empty.
    pub groups: Vec<NoteGroup>,
    /// Lines that do not stand there.
    pub more: usize,
    /// Commits that came with it; of very many, at least so many.
    pub commits: usize,
}

/// Lines that belong together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoteGroup {
    /// `Fixed`; nothing where there is one list.
    pub title: String,
    /// The newest first.
    pub lines: Vec<NoteLine>,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoteLine {
    /// What the commit or the pull request says, as it was written.
    pub text: String,
    /// The commit.
    pub commit: String,
    /// The pull request that GitHub merged by it.
    pub pull_request: Option<u64>,
}

/// Where a line stands. The order is that of the notes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Group {
    Breaking,
    New,
    Fixed,
    Faster,
    Other,
}

impl Group {
    fn title(self) -> &'static str {
        match self {
            Group::Breaking => "Breaking changes",
            Group::New => "New",
            Group::Fixed => "Fixed",
            Group::Faster => "Faster",
            Group::Other => "Other changes",
        }
    }
}

impl Notes {
    /// The notes of commits, newest first, of which there may be more than these: `count` in all.
    pub fn of(commits: &[Noted], count: usize) -> Notes {
        let covered = covered(commits);
        let mut entries: Vec<Entry<'_>> = Vec::new();
        for commit in commits.iter().filter(|it| !covered.contains(&*it.id)) {
            entries.extend(Entry::of(commit));
        }
        let conventional = entries.iter().filter(|it| it.kind.is_some()).count();
        let is_grouped = conventional > 0 && conventional * 2 >= entries.len();
        let unread = count.saturating_sub(commits.len());
        let more = entries.len().saturating_sub(LINES_MAX) + unread;
        let mut groups: BTreeMap<Group, Vec<NoteLine>> = BTreeMap::new();
        for entry in entries.into_iter().take(LINES_MAX) {
            let group = if is_grouped { entry.group() } else { Group::Other };
            groups.entry(group).or_default().push(entry.line(is_grouped));
        }
        let title =
            |group: Group| if is_grouped { group.title().to_owned() } else { String::new() };
        let group = |(group, lines)| NoteGroup { title: title(group), lines };
        Notes { groups: groups.into_iter().map(group).collect(), more, commits: count }
    }
}

/// What a commit brings to the notes.
struct Entry<'c> {
    commit: &'c Noted,
    text: &'c str,
    pull_request: Option<u64>,
    /// Of a conventional one its type, and what stands behind it.
    kind: Option<(&'c str, String)>,
    is_breaking: bool,
}

impl<'c> Entry<'c> {
    /// None of a merge that only brings branches together.
    fn of(commit: &'c Noted) -> Option<Entry<'c>> {
        let mut lines = commit.message.lines().map(str::trim).filter(|it| !it.is_empty());
        let subject = lines.next().unwrap_or("(no words)");
        let (text, number) = match merged(subject) {
            // Behind such a subject stands the title of the pull request.
            Some(number) if commit.parents.len() > 1 => {
                (lines.next().unwrap_or(subject), Some(number))
            }
            _ if commit.parents.len() > 1 => return None,
            _ => match squashed(subject) {
                Some((text, number)) if commit.is_by_github => (text, Some(number)),
                _ => (subject, None),
            },
        };
        let pull_request = number.filter(|_| commit.is_by_github);
        let parsed = conventional(text);
        let is_breaking = parsed.as_ref().is_some_and(|it| it.2)
            || commit.message.lines().any(|it| {
                it.starts_with("BREAKING CHANGE: ") || it.starts_with("BREAKING-CHANGE: ")
            });
        let kind = parsed.map(|(kind, text, _)| (kind, text));
        Some(Entry { commit, text, pull_request, kind, is_breaking })
    }

    fn group(&self) -> Group {
        match &self.kind {
            _ if self.is_breaking => Group::Breaking,
            Some(("feat", _)) => Group::New,
            Some(("fix", _)) => Group::Fixed,
            Some(("perf", _)) => Group::Faster,
            _ => Group::Other,
        }
    }

    fn line(self, is_grouped: bool) -> NoteLine {
        let says_type = self.group() == Group::Other;
        let text = match self.kind {
            // What the group's title says already is not said again.
            Some((_, text)) if is_grouped && !says_type => text,
            _ => self.text.to_owned(),
        };
        let (commit, pull_request) = (self.commit.id.clone(), self.pull_request);
        NoteLine { text: cut(&text), commit, pull_request }
    }
}

/// The pull request of `Merge pull request #12 from octo/branch`.
fn merged(subject: &str) -> Option<u64> {
    let rest = subject.strip_prefix("Merge pull request #")?;
    rest.split_once(" from ")?.0.parse().ok()
}

/// The pull request of `Say hello (#12)`.
fn squashed(subject: &str) -> Option<(&str, u64)> {
    let (text, number) = subject.strip_suffix(')')?.rsplit_once(" (#")?;
    Some((text, number.parse().ok()?))
}

/// `fix(api)!: say no` as its type, `api: say no`, and whether it breaks something.
fn conventional(subject: &str) -> Option<(&str, String, bool)> {
    let (head, text) = subject.split_once(": ")?;
    let (head, is_breaking) = match head.strip_suffix('!') {
        Some(head) => (head, true),
        None => (head, false),
    };
    let (kind, scope) = match head.strip_suffix(')').and_then(|it| it.split_once('(')) {
        Some((kind, scope)) => (kind, Some(scope)),
        None => (head, None),
    };
    let known = TYPES.iter().find(|it| it.eq_ignore_ascii_case(kind))?;
    let text = match scope {
        Some(scope) => format!("{scope}: {text}"),
        None => text.to_owned(),
    };
    Some((known, text, is_breaking))
}

/// The commits that a merged pull request stands for: what its branch had, and what it was merged into had not.
fn covered(commits: &[Noted]) -> BTreeSet<&str> {
    let known: BTreeMap<&str, &Noted> = commits.iter().map(|it| (&*it.id, it)).collect();
    let reached = |from: &str| {
        let mut reached = BTreeSet::new();
        let mut next: Vec<&Noted> = known.get(from).copied().into_iter().collect();
        while let Some(it) = next.pop() {
            if reached.insert(&*it.id) {
                next.extend(it.parents.iter().filter_map(|id| known.get(&**id).copied()));
            }
        }
        reached
    };
    let mut covered = BTreeSet::new();
    for commit in commits {
        let is_merge = commit.message.lines().next().is_some_and(|it| merged(it.trim()).is_some());
        if let ([into, branch], true) = (&commit.parents[..], is_merge) {
            let before = reached(into);
            covered.extend(reached(branch).difference(&before).copied());
        }
    }
    covered
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(LINE_CHARS_MAX) {
        Some((at, _)) => format!("{}...", &text[..at]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    /// `id parents [by GitHub] | message`, newest first.
    fn check(commits: &[&str], count: usize, expect: &Expect) {
        let commits: Vec<Noted> = commits
            .iter()
            .map(|it| {
                let (head, message) = it.split_once(" | ").unwrap();
                let mut words = head.split(' ');
                let id = words.next().unwrap().to_owned();
                let mut parents: Vec<String> = words.map(str::to_owned).collect();
                let is_by_github = parents.last().is_some_and(|it| it == "github");
                parents.retain(|it| it != "github");
                Noted { id, parents, is_by_github, message: message.to_owned() }
            })
            .collect();
        let notes = Notes::of(&commits, count);
        let mut text = String::new();
        for group in &notes.groups {
            text.push_str(&format!("[{}]\n", group.title));
            for line in &group.lines {
                let number = line.pull_request.map(|it| format!(" (#{it})")).unwrap_or_default();
                text.push_str(&format!("{}{number} {}\n", line.text, line.commit));
            }
        }
        text.push_str(&format!("{} commits, {} more\n", notes.commits, notes.more));
        expect.assert_eq(&text);
    }

    #[test]
    fn a_plain_list_where_nobody_writes_types() {
        check(
            &[],
            0,
            &expect![[r#"
            0 commits, 0 more
        "#]],
        );
        check(
            &["c b | Say hello\n\nwith words", "b a | fix: one of three", "a | \n\nBegin"],
            3,
            &expect![[r#"
                []
                Say hello c
                fix: one of three b
                Begin a
                3 commits, 0 more
            "#]],
        );
    }

    #[test]
    fn groups_where_a_team_writes_types() {
        check(
            &[
                "g f | feat(api)!: no more v1",
                "f e | Fix: say no",
                "e d | feat: say hello",
                "d c | chore: tidy",
                "c b | perf(db): an index",
                "b a | fix: x\n\nBREAKING CHANGE: it is y",
                "a | wip",
            ],
            1_000,
            &expect![[r#"
                [Breaking changes]
                api: no more v1 g
                x b
                [New]
                say hello e
                [Fixed]
                say no f
                [Faster]
                db: an index c
                [Other changes]
                chore: tidy d
                wip a
                1000 commits, 993 more
            "#]],
        );
    }

    #[test]
    fn a_pull_request_stands_for_its_commits() {
        check(
            &[
                "m c f github | Merge pull request #7 from octo/hello\n\nSay hello",
                "f e | wip 2",
                "e b | wip 1",
                "c b github | Say no (#6)",
                "n b x | Merge branch 'main' into hello",
                "b a | Copied from elsewhere (#99)",
                "a z | Merge pull request #5 from them",
            ],
            7,
            &expect![[r#"
                []
                Say hello (#7) m
                Say no (#6) c
                Copied from elsewhere (#99) b
                Merge pull request #5 from them a
                7 commits, 0 more
            "#]],
        );
        // Somebody else's merge is named by its title, and links nothing.
        check(
            &[
                "m a f | Merge pull request #7 from octo/hello\n\nSay hello",
                "f a | wip",
                "a | Begin",
            ],
            3,
            &expect![[r#"
                []
                Say hello m
                Begin a
                3 commits, 0 more
            "#]],
        );
    }

    #[test]
    fn there_is_a_limit_and_what_is_left_out_is_counted() {
        let many: Vec<Noted> = (0..LINES_MAX + 30)
            .map(|at| Noted { id: at.to_string(), message: "x".repeat(500), ..Noted::default() })
            .collect();
        let notes = Notes::of(&many, many.len() + 70);
        assert_eq!((notes.groups[0].lines.len(), notes.more), (LINES_MAX, 100));
        assert_eq!(notes.groups[0].lines[0].text.len(), LINE_CHARS_MAX + 3);
    }
}
