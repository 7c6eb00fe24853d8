//! The folder before the checkout, and what comes behind it: Git LFS and submodules.

use std::fs;
use std::path::Path;

use super::{Request, Start, Submodules};
use crate::git::Git;
use crate::native::step::{Failure, Step, failed_at};

/// Makes the folder a repository with the right remote and without leftovers.
pub(super) fn prepare(step: &mut Step, request: &Request) -> Result<(), Failure> {
    let folder = &request.folder;
    if folder.is_file() {
        fs::remove_file(folder).map_err(failed_at("removed", folder))?;
    }
    fs::create_dir_all(folder).map_err(failed_at("made", folder))?;
    if folder.join(".git").is_dir() && same_remote(request) {
        step.info(&format!("{} is a clone of it already", folder.display()));
        return tidy_up(step, request);
    }
    empty(step, folder)?;
    initialise(request)
}

fn same_remote(request: &Request) -> bool {
    let url = request.git("config").args(["--local", "--get", "remote.origin.url"]).ask();
    url.is_ok_and(|url| url.as_deref() == Some(&request.address()))
}

/// What an earlier checkout left: branches that the new one makes again, and, with `clean`,
/// everything that is not committed.
fn tidy_up(step: &mut Step, request: &Request) -> Result<(), Failure> {
    for lock in ["index.lock", "shallow.lock"] {
        // A step that was killed leaves it; nobody else works in this folder.
        drop(fs::remove_file(request.folder.join(".git").join(lock)));
    }
    let head = request.git("rev-parse").args(["--verify", "--quiet", "HEAD"]).ask()?;
    if head.is_some() {
        request.git("checkout").args(["--quiet", "--force", "--detach"]).run()?;
    }
    let refs = request.git("for-each-ref").args([
        "--format=delete %(refname)",
        "refs/heads",
        "refs/remotes/origin",
        "refs/remotes/pull",
    ]);
    let deletions = refs.text()?;
    if !deletions.is_empty() {
        request.git("update-ref").arg("--stdin").input(deletions + "\n").run()?;
    }
    if request.clean {
        let cleaned = request.git("clean").args(["-ffdxq"]).run().is_ok()
            && (head.is_none() || request.git("reset").args(["--quiet", "--hard"]).run().is_ok());
        if !cleaned {
            step.warning("the folder could not be cleaned: it is made anew");
            empty(step, &request.folder)?;
            return initialise(request);
        }
    }
    Ok(())
}

/// The original deletes what stands in the way, so a restored cache in front of a checkout is
/// lost there as well as here.
fn empty(step: &mut Step, folder: &Path) -> Result<(), Failure> {
    let entries = fs::read_dir(folder).map_err(failed_at("read", folder))?;
    let mut told = false;
    for entry in entries {
        let path = entry.map_err(failed_at("read", folder))?.path();
        if !told {
            step.info(&format!("Deleting the contents of '{}'", folder.display()));
            told = true;
        }
        let is_folder = fs::symlink_metadata(&path).is_ok_and(|found| found.is_dir());
        let removed = if is_folder { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        removed.map_err(failed_at("removed", &path))?;
    }
    Ok(())
}

fn initialise(request: &Request) -> Result<(), Failure> {
    let mut init = request.git("init").args(["--quiet", "--template="]);
    if let Some(own) = &request.own {
        let format = Git::new(own, "rev-parse").arg("--show-object-format").text()?;
        init = init.arg(format!("--object-format={format}"));
    }
    init.run()?;
    let config = request.folder.join(".git/config");
    let entry = format!(
        "[remote \"origin\"]\n\turl = \"{}\"\n\tfetch = +refs/heads/*:refs/remotes/origin/*\n[gc]\n\tauto = 0\n",
        request.address().replace('\\', r"\\").replace('"', "\\\"")
    );
    let mut text = fs::read_to_string(&config).map_err(failed_at("read", &config))?;
    text.push_str(&entry);
    fs::write(&config, text).map_err(failed_at("written", &config))
}

/// Git LFS: one parallel fetch in front of the checkout.
pub(super) fn lfs(step: &mut Step, request: &Request, start: &Start) -> Result<(), Failure> {
    let Ok(_) = request.git("lfs").arg("version").text() else {
        return Err(Failure::missing(
            "`lfs: true` needs Git LFS, which is not installed",
            "install git-lfs (Debian: apt-get install git-lfs), or take `lfs: true` out",
        ));
    };
    request.git("lfs").args(["install", "--local"]).run()?;
    if !request.sparse.is_empty() {
        return Ok(());
    }
    let from = start.from.as_deref().unwrap_or(&start.name);
    step.info("Fetching LFS objects");
    let fetch = match &request.own {
        // The objects are on this machine: git-lfs copies them from the folder.
        Some(own) => {
            let url = format!("lfs.url=file://{}", own.display());
            Git::configured(&request.folder, "lfs", &[url])
        }
        None => request.git("lfs"),
    };
    fetch.args(["fetch", "origin", from]).run()?;
    Ok(())
}

/// Submodules, from the user's own clones of them where there are some.
pub(super) fn submodules(step: &mut Step, request: &Request) -> Result<(), Failure> {
    if request.submodules == Submodules::None || !request.folder.join(".gitmodules").exists() {
        return Ok(());
    }
    step.info("Fetching submodules");
    let recursive = (request.submodules == Submodules::Recursive).then_some("--recursive");
    request.git("submodule").arg("sync").args(recursive).run()?;
    request.git("submodule").arg("init").run()?;
    let local = local_submodules(request)?;
    for (name, _, clone) in &local {
        let url = format!("submodule.{name}.url");
        request.git("config").arg(url).arg(clone).run()?;
    }
    let mut update = request.git("submodule").args(["update", "--init", "--force"]);
    if request.depth > 0 {
        update = update.arg(format!("--depth={}", request.depth));
    }
    let updated = update.args(recursive).run();
    for (name, url, _) in &local {
        request.git("config").args([&format!("submodule.{name}.url"), url]).run()?;
    }
    updated?;
    request.git("submodule").arg("sync").args(recursive).run()?;
    Ok(())
}

/// Name, address and clone of each submodule that the user has cloned.
fn local_submodules(request: &Request) -> Result<Vec<(String, String, String)>, Failure> {
    let Some(own) = &request.own else { return Ok(Vec::new()) };
    let modules =
        Git::new(own, "rev-parse").args(["--path-format=absolute", "--git-common-dir"]).text()?;
    let urls = request.git("config").args(["--get-regexp", r"^submodule\..*\.url$"]).ask()?;
    let urls = urls.unwrap_or_default();
    let found = urls.lines().filter_map(|line| {
        let (key, url) = line.split_once(' ')?;
        let name = key.strip_prefix("submodule.")?.strip_suffix(".url")?;
        let clone = Path::new(&modules).join("modules").join(name);
        let clone = clone.join("HEAD").exists().then(|| clone.display().to_string())?;
        Some((name.to_owned(), url.to_owned(), clone))
    });
    Ok(found.collect())
}
