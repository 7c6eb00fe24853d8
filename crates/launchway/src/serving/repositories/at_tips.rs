//! The settings at the tips of default branches, each read once: what a commit holds does not change, and who looks
//! at the numbers looks every few seconds.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use settings::Settings;

use crate::exit::Failure;
use crate::serving::repositories::{Connected, settings_at};

/// Repositories whose settings are remembered, at one commit each.
const REMEMBERED_MAX: usize = 256;

/// What was read last of each repository. Settings with mistakes are read again.
#[derive(Default)]
pub(crate) struct AtTips(Mutex<BTreeMap<PathBuf, Known>>);

#[derive(Clone)]
struct Known {
    tip: String,
    settings: Option<Arc<Settings>>,
}

impl AtTips {
    /// The settings at the tip of a repository's default branch; none where there is no such file.
    pub(crate) fn of(&self, connected: &Connected) -> Result<Option<Arc<Settings>>, Failure> {
        let Some(tip) = connected.tip()? else { return Ok(None) };
        let known = self.0.lock().expect("nobody panics while holding it");
        if let Some(known) = known.get(&connected.path).filter(|it| it.tip == tip) {
            return Ok(known.settings.clone());
        }
        // Nobody else waits for this one's git.
        drop(known);
        let settings = settings_at(connected, &tip)?.map(Arc::new);
        let mut known = self.0.lock().expect("nobody panics while holding it");
        if known.len() >= REMEMBERED_MAX {
            known.clear();
        }
        known.insert(connected.path.clone(), Known { tip, settings: settings.clone() });
        Ok(settings)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;
    use std::process::Command;

    use super::*;

    fn git(folder: &Path, args: &[&str]) -> String {
        let mut git = Command::new("git");
        git.args(["-c", "user.name=mona", "-c", "user.email=mona@example.com"]);
        let said = git.arg("-C").arg(folder).args(args).output().expect("git runs");
        assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
        String::from_utf8(said.stdout).expect("text").trim().to_owned()
    }

    fn commit(folder: &Path, success: u32) {
        let text = format!("version: 1\nproject: planner\ngoals: {{ success: {success} }}\n");
        fs::write(folder.join(settings::FILE), text).expect("a file");
        git(folder, &["add", "."]);
        git(folder, &["commit", "--quiet", "-m", "goals"]);
    }

    #[test]
    fn a_commit_is_read_once_and_the_next_one_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let tree = folder.path().join("tree");
        fs::create_dir(&tree).expect("a folder");
        git(&tree, &["init", "--quiet", "--initial-branch", "main"]);
        commit(&tree, 90);
        let path = tree.join(".git");
        git(&path, &["config", "core.bare", "true"]);
        let connected = Connected { name: "octo/app".to_owned(), path, ..Connected::default() };
        let tips = AtTips::default();
        let success = || {
            let read = tips.of(&connected).map_err(|it| it.error)?;
            Ok::<_, anyhow::Error>(read.and_then(|it| it.goals.as_ref()?.success))
        };
        assert_eq!(success().expect("it is there"), Some(90));
        // What it says cannot be read from there any more.
        let blob = git(&connected.path, &["rev-parse", "HEAD:launchway.yml"]);
        let (folder, file) = blob.split_at(2);
        fs::remove_file(connected.path.join("objects").join(folder).join(file)).expect("a file");
        assert_eq!(success().expect("it is known"), Some(90));
        git(&connected.path, &["config", "core.bare", "false"]);
        commit(&tree, 80);
        git(&connected.path, &["config", "core.bare", "true"]);
        assert_eq!(success().expect("it is there"), Some(80));
    }
}
