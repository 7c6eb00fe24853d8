//! A mirror that several want to bring up to date at once: a server that heard of a push, and a person.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use repository::{Access, Mirror};

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

#[test]
fn whoever_comes_while_another_fetches_waits_for_their_turn() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let (there, here) = (folder.path().join("app"), folder.path().join("mirrors/octo/app.git"));
    git(folder.path(), &["init", "--quiet", "--initial-branch=main", "app"]);
    let url = there.display().to_string();
    Mirror::open(&here, &url).expect("a mirror");
    // The other side writes down who is served when.
    let (served, served_by) = (folder.path().join("served"), folder.path().join("served-by"));
    let script = format!(
        "#!/bin/sh\necho began >> {0}\ngit upload-pack \"$@\"\necho ended >> {0}\n",
        served.display()
    );
    std::fs::write(&served_by, script).expect("a script");
    std::fs::set_permissions(&served_by, Permissions::from_mode(0o755)).expect("it is ours");
    git(&here, &["config", "remote.origin.uploadpack", &served_by.display().to_string()]);
    for round in 0..3 {
        // Every fetch has refs to write: those that two write at once are where git refuses one.
        for branch in ["main", "topic", "next"] {
            let message = format!("--message={branch} {round}");
            git(&there, &["commit", "--quiet", "--allow-empty", &message]);
            git(&there, &["branch", "--force", &format!("as/{branch}")]);
        }
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let mirror = Mirror::open(&here, &url).expect("it is there");
                    mirror.fetch(Access::default()).expect("it is brought up to date");
                });
            }
        });
        let tip = |at: &Path| git(at, &["rev-parse", "as/next"]);
        assert_eq!(tip(&here), tip(&there));
    }
    let served = std::fs::read_to_string(&served).expect("they were served");
    // A fetch asks twice: for the commits, and for the default branch.
    assert_eq!(served, "began\nended\n".repeat(3 * 4 * 2));
}
