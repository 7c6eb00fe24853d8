//! A repository that is not on this machine, or is found through a mirror.

use std::collections::BTreeMap;

use super::Request;
use crate::git::{GitError, Trouble};
use crate::mirror::{Mirrors, Origin};
use crate::native::step::{Failure, Step};

/// How often the host is asked.
const TRIES_MAX: u32 = 3;

/// Fetches what the request names, with the refs that `git checkout` will want.
pub(super) fn fetch(step: &mut Step, request: &mut Request) -> Result<(), Failure> {
    let origin = origin(step, request)?;
    if step.switch("LAUNCHWAY_OFFLINE") && !origin.local {
        return Err(Failure::missing(
            format!(
                "{}/{} would be fetched, and --offline forbids it",
                request.owner, request.repo
            ),
            format!(
                "run without --offline, or name a folder that has it as a mirror ({}/{}=FOLDER)",
                request.owner, request.repo
            ),
        ));
    }
    if origin.address != request.address() && origin.rule.is_some() {
        // The remote keeps its name; what goes to it goes to the mirror, in later steps too.
        let key = format!("url.{}.insteadOf", origin.address);
        request.git("config").args([&key, &request.address()]).run()?;
        step.info(&format!("fetching from the mirror {}", origin.address));
    }
    if let Some(folder) = &request.borrow_from {
        borrow(step, request, folder);
    }
    if request.reference.is_none() && request.commit.is_none() {
        request.reference = Some(default_branch(request)?);
    }
    let mut fetch = request.depth_arguments();
    if let Some(filter) = request.filter.as_deref() {
        fetch.push(format!("--filter={filter}"));
    } else if !request.sparse.is_empty() {
        fetch.push("--filter=blob:none".to_owned());
    }
    with_retry(step, || {
        request
            .git("fetch")
            .args(["--quiet", "--prune", "--no-recurse-submodules"])
            .args(&fetch)
            .arg("origin")
            .args(request.refspecs())
            .run()
    })
    .map_err(|error| unreachable_hint(error, request))
}

fn origin(step: &Step, request: &Request) -> Result<Origin, Failure> {
    let rules = match step.variable("LAUNCHWAY_MIRRORS") {
        None => BTreeMap::new(),
        Some(text) => serde_json::from_str::<BTreeMap<String, String>>(&text).map_err(|error| {
            Failure::new(format!("LAUNCHWAY_MIRRORS is not a JSON object: {error}"))
        })?,
    };
    Ok(Mirrors::new(rules).with_host(&request.server).origin(&request.owner, &request.repo))
}

fn borrow(step: &Step, request: &Request, folder: &std::path::Path) {
    let objects = folder.join("objects");
    if !objects.is_dir() {
        step.info(&format!("{} is not there: nothing is borrowed from it", folder.display()));
        return;
    }
    let file = request.folder.join(".git/objects/info/alternates");
    let written = std::fs::create_dir_all(request.folder.join(".git/objects/info"))
        .and_then(|()| std::fs::write(&file, format!("{}\n", objects.display())));
    if let Err(error) = written {
        step.warning(&format!("{} could not be written: {error}", file.display()));
    }
}

fn default_branch(request: &Request) -> Result<String, Failure> {
    let answer = request.git("ls-remote").args(["--quiet", "--symref", "origin", "HEAD"]).text();
    let answer = answer.map_err(|error| unreachable_hint(error, request))?;
    answer
        .lines()
        .find_map(|line| line.strip_prefix("ref: ")?.strip_suffix("\tHEAD").map(str::to_owned))
        .ok_or_else(|| {
            Failure::new(format!("{}/{} has no default branch", request.owner, request.repo))
        })
}

fn with_retry(step: &Step, attempt: impl Fn() -> Result<(), GitError>) -> Result<(), GitError> {
    let mut pause = std::time::Duration::from_millis(400);
    for tried in 1..TRIES_MAX {
        match attempt() {
            Err(error) if error.trouble() == Trouble::Network => {
                step.info(&format!("try {tried} of {TRIES_MAX}: {error}"));
                std::thread::sleep(pause);
                pause *= 3;
            }
            answer => return answer,
        }
    }
    attempt()
}

fn unreachable_hint(error: GitError, request: &Request) -> Failure {
    let name = format!("{}/{}", request.owner, request.repo);
    match error.trouble() {
        Trouble::Network => Failure::missing(
            error.to_string(),
            format!(
                "check the network, or name another place as a mirror ({name}=FOLDER or =https://host)"
            ),
        ),
        Trouble::Denied | Trouble::Missing => Failure::new(error.to_string())
            .hint(format!("{name} may be private: give the step a `token` that reads it")),
        Trouble::NoCommit | Trouble::Other => error.into(),
    }
}

impl Request {
    fn depth_arguments(&self) -> Vec<String> {
        let shallow = self.folder.join(".git/shallow").exists();
        let mut arguments = Vec::new();
        if self.depth > 0 {
            arguments.push(format!("--depth={}", self.depth));
        } else if shallow {
            arguments.push("--unshallow".to_owned());
        }
        if self.depth > 0 && self.tags {
            arguments.push("--tags".to_owned());
        } else {
            arguments.push("--no-tags".to_owned());
        }
        arguments
    }

    /// What is fetched, and the refs it is put under.
    fn refspecs(&self) -> Vec<String> {
        const HISTORY: [&str; 2] =
            ["+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*"];
        let reference = self.reference.as_deref();
        let pull = reference.and_then(|name| name.strip_prefix("refs/pull/"));
        if self.depth == 0 {
            let mut all = HISTORY.map(str::to_owned).to_vec();
            if let (Some(pull), Some(name)) = (pull, reference) {
                let what = self.commit.as_deref().unwrap_or(name);
                all.push(format!("+{what}:refs/remotes/pull/{pull}"));
            } else if let Some(commit) = self.commit.as_ref().filter(|_| reference.is_none()) {
                all.push(commit.clone());
            }
            return all;
        }
        let Some(name) = reference else { return self.commit.clone().into_iter().collect() };
        let what = self.commit.as_deref().unwrap_or(name);
        if let Some(branch) = name.strip_prefix("refs/heads/") {
            vec![format!("+{what}:refs/remotes/origin/{branch}")]
        } else if let Some(pull) = pull {
            vec![format!("+{what}:refs/remotes/pull/{pull}")]
        } else if name.starts_with("refs/") {
            vec![format!("+{what}:{name}")]
        } else {
            // A branch or a tag: the pattern fits both and none, where the bare name would fail.
            vec![
                format!("+refs/heads/{name}*:refs/remotes/origin/{name}*"),
                format!("+refs/tags/{name}*:refs/tags/{name}*"),
            ]
        }
    }
}
