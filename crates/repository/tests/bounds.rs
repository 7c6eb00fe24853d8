//! What binds a run of a bare repository: rules of the tip, pins of its own commit, and neither guessed.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use repository::{Bounds, ChangedFiles, RefUpdate, Repository, RepositoryError};

const PINS: &str = ".launchway/actions.lock";
const RULES: &str = "launchway.yml";

fn git(folder: &Path, args: &[&str]) -> String {
    let done = Command::new("git")
        .args(["-c", "user.name=Ada Example", "-c", "user.email=ada@example.com"])
        .args(args)
        .current_dir(folder)
        .output()
        .expect("git starts");
    assert!(done.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8_lossy(&done.stdout).trim().to_owned()
}

/// A clone and what it is pushed to.
struct Sample(tempfile::TempDir);

impl Sample {
    fn new() -> Sample {
        let folder = tempfile::tempdir().expect("a scratch folder");
        git(folder.path(), &["init", "--quiet", "--bare", "--initial-branch=main", "app.git"]);
        git(folder.path(), &["clone", "--quiet", "app.git", "app"]);
        Sample(folder)
    }

    /// Commits these rules and pins, and pushes them to a branch.
    fn push(&self, branch: &str, rules: &str, pins: &str) -> String {
        let clone = self.0.path().join("app");
        std::fs::create_dir_all(clone.join(".launchway")).expect("a folder");
        std::fs::write(clone.join(RULES), rules).expect("a file");
        std::fs::write(clone.join(PINS), pins).expect("a file");
        git(&clone, &["add", "."]);
        git(&clone, &["commit", "--quiet", "--message=more"]);
        git(&clone, &["push", "--quiet", "origin", &format!("HEAD:{branch}")]);
        git(&clone, &["rev-parse", "HEAD"])
    }

    fn bare(&self) -> std::path::PathBuf {
        self.0.path().join("app.git")
    }

    fn check(&self, commit: &str, pins: Option<&str>, rules: Option<&str>) {
        let bounds = Bounds::of(&self.bare(), (commit, PINS), (None, RULES));
        let bounds = bounds.expect("git answers").expect("it is bare");
        assert_eq!((bounds.of_commit.as_deref(), bounds.of_tip.as_deref()), (pins, rules));
    }
}

#[test]
fn pins_are_of_the_commit_and_rules_of_the_tip() {
    let sample = Sample::new();
    let work = sample.push("work", "level: 5\n", "a\n");
    // The default branch is not there yet.
    sample.check(&work, Some("a\n"), None);
    let main = sample.push("main", "level: 1\n", "b\n");
    sample.check(&work, Some("a\n"), Some("level: 1\n"));
    sample.check(&main, Some("b\n"), Some("level: 1\n"));
}

#[test]
fn a_tag_of_a_file_or_a_folder_is_not_taken_for_a_repository_without_commits() {
    let sample = Sample::new();
    let commit = sample.push("main", "level: 1\n", "a\n");
    let check = |at: &str, expect: &str| {
        let bare = Repository::bare(&sample.bare(), at, Default::default());
        let said = bare.map(|it| it.head.id).unwrap_or_else(|error| error.to_string());
        assert_eq!(said, expect);
    };
    let tagged = |name: &str, of: &str| {
        git(&sample.bare(), &["tag", "--annotate", "--message=it", name, &format!("{commit}{of}")]);
    };
    tagged("whole", "");
    tagged("rules", ":launchway.yml");
    tagged("folder", "^{tree}");
    check("refs/tags/whole", &commit);
    check("refs/tags/rules", "refs/tags/rules leads to a blob, not to a commit");
    check("refs/tags/folder", "refs/tags/folder leads to a tree, not to a commit");
    let none = format!("the repository at {} has no commit yet", sample.bare().display());
    check("refs/tags/gone", &none);
    check("--help", &none);
}

#[test]
fn what_cannot_be_read_is_not_taken_for_nothing() {
    let sample = Sample::new();
    let commit = sample.push("main", "level: 1\n", "a\n");
    let of = |commit: &str| Bounds::of(&sample.bare(), (commit, PINS), (None, RULES));
    let gone = "0123456789012345678901234567890123456789";
    assert!(matches!(of(gone), Err(RepositoryError::NoCommit { .. })));
    // The tip's tree is broken.
    let tree = git(&sample.bare(), &["rev-parse", &format!("{commit}^{{tree}}")]);
    let object = sample.bare().join("objects").join(&tree[..2]).join(&tree[2..]);
    std::fs::remove_file(object).expect("pushed objects are loose");
    assert!(matches!(of(&commit), Err(RepositoryError::NoCommit { .. })));
    let outside = Bounds::of(sample.0.path(), (&commit, PINS), (None, RULES));
    assert!(matches!(outside, Ok(None)));
}

fn nobody() -> (String, String) {
    (String::new(), String::new())
}

#[test]
fn a_file_that_cannot_be_read_is_not_one_that_is_not_there() {
    let sample = Sample::new();
    let commit = sample.push("main", "level: 1\n", "a\n");
    let at = Repository::bare(&sample.bare(), &commit, nobody()).expect("a commit");
    assert_eq!(at.committed_file(RULES).expect("git answers").as_deref(), Some("level: 1\n"));
    assert_eq!(at.committed_file("other.yml").expect("git answers"), None);
    let object = git(&sample.bare(), &["rev-parse", &format!("{commit}:{RULES}")]);
    let object = sample.bare().join("objects").join(&object[..2]).join(&object[2..]);
    std::fs::remove_file(object).expect("pushed objects are loose");
    assert!(matches!(at.committed_file(RULES), Err(RepositoryError::Git(_))));
}

#[test]
fn no_pushed_ref_stands_for_another_object() {
    let sample = Sample::new();
    let strict = sample.push("main", "strict\n", "a\n");
    let loose = sample.push("mine", "loose\n", "a\n");
    git(&sample.bare(), &["update-ref", &format!("refs/replace/{strict}"), &loose]);
    sample.check(&strict, Some("a\n"), Some("strict\n"));
    let at = Repository::bare(&sample.bare(), &strict, nobody()).expect("a commit");
    assert_eq!(at.committed_file(RULES).expect("git answers").as_deref(), Some("strict\n"));
}

#[test]
fn what_is_pushed_may_be_longer_than_what_is_read() {
    let sample = Sample::new();
    let long = "a".repeat((4 << 20) + 1);
    let commit = sample.push("main", &long, "a\n");
    let said = "launchway.yml has more than 4194304 bytes: it is not read";
    let of = Bounds::of(&sample.bare(), (&commit, PINS), (None, RULES));
    assert_eq!(of.expect_err("it is too long").to_string(), said);
    let at = Repository::bare(&sample.bare(), &commit, nobody()).expect("a commit");
    assert_eq!(at.committed_file(RULES).expect_err("it is too long").to_string(), said);
}

/// A commit of a dozen objects that has 10^10 files: each folder holds ten times the one before.
fn tree_without_end(bare: &Path) -> String {
    let blob = git(bare, &["hash-object", "-w", "--stdin"]);
    let entries = |kind: &str, object: &str| {
        (0..10).map(|at| format!("{kind} {object}\t{at}\n")).collect::<String>()
    };
    let mut tree = entries("100644 blob", &blob);
    for _ in 0..9 {
        let made = tree_of(bare, &tree);
        tree = entries("040000 tree", &made);
    }
    let tree = tree_of(bare, &tree);
    git(bare, &["commit-tree", &tree, "-m", "all of it"])
}

fn tree_of(bare: &Path, entries: &str) -> String {
    let mut making = Command::new("git")
        .arg("mktree")
        .current_dir(bare)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("git starts");
    making.stdin.take().expect("a pipe").write_all(entries.as_bytes()).expect("git reads");
    let made = making.wait_with_output().expect("git ends");
    String::from_utf8(made.stdout).expect("a hash").trim().to_owned()
}

#[test]
fn a_commit_with_more_files_than_anybody_can_list_is_a_push_like_any_other() {
    let sample = Sample::new();
    let commit = tree_without_end(&sample.bare());
    let at = Repository::bare(&sample.bare(), &commit, nobody()).expect("a commit");
    let (old, new, git_ref) = ("0".repeat(40), commit.clone(), "refs/heads/main".to_owned());
    let pushed = at.pushed(&RefUpdate { old, new, git_ref }).expect("it is a push");
    let ChangedFiles::Files(files) = pushed.changed else { panic!("the first are known") };
    assert_eq!((files.len(), files[0].as_str()), (300, "0/0/0/0/0/0/0/0/0/0"));
    let names = Repository::names_at(&sample.bare(), &commit).expect("git answers");
    assert_eq!(names.map(|it| it.len()), Some(200_000));
}
