//! The folders of a job whose processes are another user's than the worker's (`protocol::JobUser`).
//!
//! What is the job's is his. The way there leads through the folder of the server or the runner, which he may pass and
//! not list; whatever lies beside the way is closed to him, and to whoever else is nobody there. That is looked
//! after before each job: a folder may be new, or from before anybody was told to run jobs as another user.
//!
//! ```text
//!   the server's folder    passed                         jobs/ATTEMPT/JOB   passed
//!     actions              read                             work temp home     his
//!     mirrors/REPOSITORY   passed, then read                reports, sockets   closed
//!     users/NUMBER         passed; his tools, his downloads
//!     all else             closed
//! ```
//!
//! Nobody but root changes a folder on the way, so none of these names leads elsewhere.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};

use protocol::{JobSpec, JobUser};

use crate::setup::SetupError;
use crate::walls::{JOB_FOLDERS, PRIVATE, TOOLCHAINS, git_folder};

/// Whoever lives here decides himself who may come: processes that are deployed to this machine may have users of
/// their own.
const OTHERS: [&str; 1] = ["host"];

/// Makes the folders that the job may change, for whoever its processes are.
pub(crate) fn make_folders(spec: &JobSpec) -> Result<(), SetupError> {
    let walls = spec.options.walls.as_ref();
    let user = walls.and_then(|walls| walls.user.as_ref());
    let paths = &spec.paths;
    let job = Path::new(&*paths.job);
    let own = JOB_FOLDERS.map(|name| job.join(name));
    let shared = [&paths.tools, &paths.downloads].map(|path| PathBuf::from(&**path));
    // Whoever has no walls makes what he shares when he needs it.
    for folder in own.iter().chain(shared.iter().filter(|_| walls.is_some())) {
        let made =
            fs::create_dir_all(folder).and_then(|()| user.map_or(Ok(()), |it| give(folder, it)));
        made.map_err(|source| failed("cannot make the folder", folder, source))?;
    }
    if walls.is_some() {
        // What is laid into them later is to be within reach of those whose it is.
        for folder in [&paths.actions, &paths.caches].map(|path| Path::new(&**path)) {
            fs::create_dir_all(folder)
                .map_err(|source| failed("cannot make the folder", folder, source))?;
        }
    }
    let Some((walls, user)) = walls.zip(user) else { return Ok(()) };
    let ways = Ways { roots: walls.hidden.iter().map(|it| Path::new(&**it)).collect(), user };
    let read = [Some(&paths.actions), Some(&paths.repository), spec.options.objects.as_ref()];
    for path in shared.iter().map(PathBuf::as_path).chain([job]) {
        ways.lead_to(path)?;
    }
    // Nobody else goes there.
    ways.open(job, |_| 0o710)?;
    // He comes to what lies there by the places that it is laid over.
    let private = job.join(PRIVATE);
    let made = DirBuilder::new().recursive(true).mode(0o700).create(&private);
    made.map_err(|source| failed("cannot make the folder", &private, source))?;
    for path in read.into_iter().flatten() {
        let path = Path::new(&**path);
        if ways.lead_to(path)? {
            ways.show(path)?;
        }
    }
    for root in &ways.roots {
        ways.close_beside(root, &OTHERS)?;
    }
    ways.close_beside(job, &JOB_FOLDERS)
}

/// What he finds different from us: by himself, within the job's walls.
pub(crate) fn furnish(
    user: &JobUser,
    repository: &Path,
    home: &Path,
    env: &mut BTreeMap<String, String>,
) -> Result<(), SetupError> {
    for name in ["USER", "LOGNAME"] {
        env.insert(name.to_owned(), user.name.to_string());
    }
    // Toolchains in a home that is closed to him are none.
    let is_there =
        |name: &str, path: &String| !TOOLCHAINS.contains(&name) || Path::new(path).is_dir();
    env.retain(|name, path| is_there(name, path));
    let folder = git_folder(repository);
    let asked = File::open(folder.join("HEAD")).map_err(|error| error.kind());
    if asked.is_err_and(|kind| kind == ErrorKind::PermissionDenied) {
        let folder = folder.display();
        return Err(SetupError::Refused(format!(
            "jobs run as the user {} here, who cannot read the repository {folder}: have him (chmod -R o+rX \
             {folder}), and let him pass the folders around it (docs/sandbox.md)",
            user.name
        )));
    }
    // git asks whose a repository is before it serves from it, and this is not his. It asks where the settings
    // of a person lie; what a step sets lies beside.
    let file = home.join(".config/git/config");
    let trusted = [repository, &folder].map(|it| format!("\tdirectory = {}\n", quoted(it)));
    let written = fs::create_dir_all(file.parent().expect("it lies in a folder"))
        .and_then(|()| fs::write(&file, format!("[safe]\n{}", trusted.concat())));
    written.map_err(|source| failed("cannot write", &file, source))
}

/// As git reads a value.
fn quoted(path: &Path) -> String {
    let text = path.to_string_lossy().replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{text}\"")
}

/// A folder is his; whoever is in a container of the job's may read it as before.
fn give(folder: &Path, user: &JobUser) -> io::Result<()> {
    let found = fs::symlink_metadata(folder)?;
    if !found.is_dir() {
        return Err(io::Error::other("it is no folder"));
    }
    if (found.uid(), found.gid()) != (user.id, user.group) {
        chown(folder, Some(user.id), Some(user.group))?;
        fs::set_permissions(folder, Permissions::from_mode(0o755))?;
    }
    Ok(())
}

/// Through folders of ours.
struct Ways<'w> {
    roots: Vec<&'w Path>,
    user: &'w JobUser,
}

impl Ways<'_> {
    /// Lets him pass each folder of ours on the way; whether there is one.
    fn lead_to(&self, path: &Path) -> Result<bool, SetupError> {
        let Some(root) = self.roots.iter().find(|root| path.starts_with(root)) else {
            return Ok(false);
        };
        let mut around = path.ancestors().skip(1).take_while(|it| it.starts_with(root));
        around.try_for_each(|folder| self.pass(folder))?;
        Ok(true)
    }

    /// He may come through. Others may where they could.
    fn pass(&self, folder: &Path) -> Result<(), SetupError> {
        self.open(folder, |mode| mode & 0o711 | 0o010)
    }

    /// He may list it, too.
    fn show(&self, folder: &Path) -> Result<(), SetupError> {
        self.open(folder, |mode| mode | 0o050)
    }

    fn open(&self, folder: &Path, mode: impl Fn(u32) -> u32) -> Result<(), SetupError> {
        let open = || {
            let found = fs::metadata(folder)?;
            if found.gid() != self.user.group {
                chown(folder, None, Some(self.user.group))?;
            }
            change(folder, found.mode(), mode(found.mode() & 0o777))
        };
        open().map_err(|source| failed("cannot let the jobs' user into", folder, source))
    }

    /// Takes what lies in a folder of ours from whoever is neither its owner nor of its group, but for what he was let
    /// into, which is his group's, and for what is named.
    fn close_beside(&self, folder: &Path, but: &[&str]) -> Result<(), SetupError> {
        let close = || {
            for entry in fs::read_dir(folder)? {
                let entry = entry?;
                if but.iter().any(|it| entry.file_name() == **it) {
                    continue;
                }
                // Not where a link leads.
                let found = match entry.metadata() {
                    Err(error) if error.kind() == ErrorKind::NotFound => continue,
                    found => found?,
                };
                if found.is_symlink() || found.gid() == self.user.group {
                    continue;
                }
                match change(&entry.path(), found.mode(), found.mode() & 0o770) {
                    Err(error) if error.kind() == ErrorKind::NotFound => {}
                    changed => changed?,
                }
            }
            Ok(())
        };
        close()
            .map_err(|source| failed("cannot close to the jobs' user what lies in", folder, source))
    }
}

fn change(path: &Path, before: u32, mode: u32) -> io::Result<()> {
    if before & 0o777 == mode {
        return Ok(());
    }
    fs::set_permissions(path, Permissions::from_mode(mode))
}

fn failed(action: &'static str, path: &Path, source: io::Error) -> SetupError {
    SetupError::Folder { action, path: path.to_owned(), source }
}
