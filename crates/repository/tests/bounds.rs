//! What binds a run of a bare repository: rules of the tip, pins of its own commit, and neither guessed.

use std::path::Path;
use std::process::Command;

use repository::{Bounds, RepositoryError};

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
