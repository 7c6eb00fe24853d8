//! `actions/checkout`: the user's own repository as it stands on this machine, others by git.
//!
//! The own repository is not copied: the workspace's repository borrows its objects, and a file
//! named `shallow` ends history where `fetch-depth` would have. Where the work tree differed from HEAD
//! when the run began, there is a commit of it in a store beside the user's repository, as there is one
//! of a pull request's test merge: every job of a run sees the same. The user's repository is never
//! written.

mod auth;
mod folder;
mod own;
mod remote;

use std::fs;
use std::path::{Path, PathBuf};

use super::step::{Failure, Step, failed_at};
use super::{Native, NativeAction, Stage};
use crate::git::Git;
use crate::lock::is_object_id;
use auth::Credentials;

/// The registration.
pub(super) const CHECKOUT: Native = Native {
    action: NativeAction {
        name: "checkout",
        manifest: include_str!("checkout.yml"),
        stages: &[Stage::Main, Stage::Post],
    },
    of: "actions/checkout",
    majors: &[2, 3, 4, 5, 6],
    refs: &["main"],
    commits: &[
        ("b4ffde65f46336ab88eb53be808477a3936bae11", 4),
        ("692973e3d937129bcbf40652eb9f2f61becf3332", 4),
        ("11bd71901bbe5b1630ceea73d27597364c9af683", 4),
        ("08eba0b27e820071cde6df949e0beb9ba4906955", 4),
        ("34e114876b0b11c390a56381ad16ebd13914f8d5", 4),
        ("08c6903cd8c0fde910a37f88322edcfb5dd907a8", 5),
        ("de0fac2e4500dabe0009e67214ff5f5447ce83dd", 6),
    ],
    run,
};

fn run(step: &mut Step, stage: Stage) -> Result<(), Failure> {
    match stage {
        Stage::Pre => Ok(()),
        Stage::Main => check_out(step),
        Stage::Post => auth::remove(step),
    }
}

/// Which submodules are wanted.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Submodules {
    None,
    Direct,
    Recursive,
}

/// What is to be checked out, and how.
struct Request {
    owner: String,
    repo: String,
    /// Where it goes.
    folder: PathBuf,
    /// A ref as in `github.ref`, or a bare branch or tag; absent for a bare commit.
    reference: Option<String>,
    commit: Option<String>,
    /// It is the workflow's own repository, and that is on this machine.
    own: Option<PathBuf>,
    server: String,
    clean: bool,
    filter: Option<String>,
    sparse: Vec<String>,
    sparse_by_folder: bool,
    /// 0 is all of it.
    depth: usize,
    tags: bool,
    borrow_from: Option<PathBuf>,
    lfs: bool,
    submodules: Submodules,
    trust_folder: bool,
    credentials: Credentials,
}

/// What `git checkout` is told.
struct Start {
    /// The branch to make, or what HEAD is detached at.
    name: String,
    /// Where a branch starts.
    from: Option<String>,
}

impl Request {
    fn read(step: &Step) -> Result<Request, Failure> {
        let workspace = step.folder("GITHUB_WORKSPACE")?;
        let own_name = step.variable("GITHUB_REPOSITORY").unwrap_or_default();
        let name = step.given("repository").unwrap_or_else(|| own_name.clone());
        let (owner, repo) = match name.split_once('/') {
            Some((owner, repo)) if !owner.is_empty() && !repo.is_empty() && !repo.contains('/') => {
                (owner.to_owned(), repo.to_owned())
            }
            _ => {
                return Err(Failure::new(format!(
                    "Invalid repository '{name}'. Expected format {{owner}}/{{repo}}."
                )));
            }
        };
        let is_own = name.eq_ignore_ascii_case(&own_name);
        let (reference, commit) = wanted(step, is_own);
        let depth = step.input("fetch-depth");
        let depth = if depth.is_empty() { 1 } else { depth.parse::<f64>().unwrap_or(0.0) as usize };
        let server = step.given("github-server-url").or_else(|| step.variable("GITHUB_SERVER_URL"));
        let server = server.unwrap_or_else(|| crate::mirror::DEFAULT_HOST.to_owned());
        let is_true = |input: &str, default: &str| {
            let text = step.given(input).unwrap_or_else(|| default.to_owned());
            text.eq_ignore_ascii_case("true")
        };
        Ok(Request {
            folder: under(&workspace, &step.input("path"))?,
            owner,
            repo,
            reference,
            commit,
            own: step.variable("LAUNCHWAY_REPOSITORY").filter(|_| is_own).map(PathBuf::from),
            server: server.trim_end_matches('/').to_owned(),
            clean: is_true("clean", "true"),
            filter: step.given("filter"),
            sparse: step.lines("sparse-checkout"),
            sparse_by_folder: is_true("sparse-checkout-cone-mode", "true"),
            depth,
            tags: is_true("fetch-tags", "false"),
            borrow_from: step.given("reference").map(PathBuf::from),
            lfs: is_true("lfs", "false"),
            submodules: match step.input("submodules").to_lowercase().as_str() {
                "recursive" => Submodules::Recursive,
                "true" => Submodules::Direct,
                _ => Submodules::None,
            },
            trust_folder: is_true("set-safe-directory", "true"),
            credentials: Credentials::read(step, is_true("persist-credentials", "true")),
        })
    }

    /// The address that the repository has on its server, with or without SSH.
    fn address(&self) -> String {
        if self.credentials.ssh_key.is_some() {
            let host = self.server.split("://").last().unwrap_or(&self.server);
            return format!(
                "{}@{host}:{}/{}.git",
                self.credentials.ssh_user, self.owner, self.repo
            );
        }
        format!("{}/{}/{}", self.server, self.owner, self.repo)
    }

    /// The same place in other words, so that a rule for the address does not cover it.
    fn push_address(&self) -> String {
        if self.credentials.ssh_key.is_some() {
            let host = self.server.split("://").last().unwrap_or(&self.server);
            let user = &self.credentials.ssh_user;
            return format!("ssh://{user}@{host}/{}/{}.git", self.owner, self.repo);
        }
        format!("{}.git", self.address())
    }

    /// A git command in the workspace's repository.
    fn git(&self, name: &str) -> Git {
        let trust = self.trust_folder.then(|| format!("safe.directory={}", self.folder.display()));
        let settings = trust.into_iter().collect::<Vec<_>>();
        let git = Git::configured(&self.folder, name, &settings);
        // Without `lfs: true` the pointers stay, even where the filter is installed.
        if self.lfs { git } else { git.env("GIT_LFS_SKIP_SMUDGE", "1") }
    }

    /// What to check out once the refs are there.
    fn start(&self) -> Result<Start, Failure> {
        let Some(reference) = &self.reference else {
            let commit = self.commit.clone().expect("a request has a ref or a commit");
            return Ok(Start { name: commit, from: None });
        };
        let exists = |name: &str| {
            self.git("rev-parse").args(["--verify", "--quiet", name]).ask().map(|id| id.is_some())
        };
        if let Some(branch) = reference.strip_prefix("refs/heads/") {
            let from = Some(format!("refs/remotes/origin/{branch}"));
            Ok(Start { name: branch.to_owned(), from })
        } else if let Some(pull) = reference.strip_prefix("refs/pull/") {
            Ok(Start { name: format!("refs/remotes/pull/{pull}"), from: None })
        } else if reference.starts_with("refs/") {
            Ok(Start { name: reference.clone(), from: None })
        } else if exists(&format!("refs/remotes/origin/{reference}"))? {
            let from = Some(format!("refs/remotes/origin/{reference}"));
            Ok(Start { name: reference.clone(), from })
        } else if exists(&format!("refs/tags/{reference}"))? {
            Ok(Start { name: format!("refs/tags/{reference}"), from: None })
        } else {
            let message = format!("A branch or tag with the name '{reference}' could not be found");
            Err(Failure::new(message))
        }
    }
}

/// Which ref and commit the inputs ask for.
fn wanted(step: &Step, is_own: bool) -> (Option<String>, Option<String>) {
    match step.given("ref") {
        Some(text) if is_object_id(&text) => (None, Some(text.to_ascii_lowercase())),
        Some(text) => (Some(text), None),
        None if is_own => {
            let reference = step.variable("GITHUB_REF").map(|name| {
                // Some events carry only the branch.
                if name.starts_with("refs/") { name } else { format!("refs/heads/{name}") }
            });
            (reference, step.variable("GITHUB_SHA"))
        }
        None => (None, None),
    }
}

/// The folder under the workspace. `..` may not lead out of it.
fn under(workspace: &Path, path: &str) -> Result<PathBuf, Failure> {
    let mut folder = workspace.to_owned();
    for part in Path::new(path).components() {
        match part {
            std::path::Component::Normal(name) => folder.push(name),
            std::path::Component::ParentDir => {
                folder.pop();
            }
            std::path::Component::RootDir => folder = PathBuf::from("/"),
            std::path::Component::CurDir | std::path::Component::Prefix(_) => {}
        }
    }
    if folder.starts_with(workspace) {
        return Ok(folder);
    }
    Err(Failure::new(format!(
        "Repository path '{}' is not under '{}'",
        folder.display(),
        workspace.display()
    )))
}

fn check_out(step: &mut Step) -> Result<(), Failure> {
    let mut request = Request::read(step)?;
    step.info(&format!("Syncing repository: {}/{}", request.owner, request.repo));
    say_what_differs(step, &request)?;
    folder::prepare(step, &request)?;
    step.save_state("repositoryPath", &request.folder.display().to_string());
    request.credentials.set_up(step, &request)?;
    let outcome = fill(step, &mut request);
    if outcome.is_err() || !request.credentials.persist {
        request.credentials.take_out(&request)?;
    }
    outcome?;
    let commit = request.git("log").args(["-1", "--format=%H"]).text()?;
    step.output("ref", request.reference.as_deref().unwrap_or_default());
    step.output("commit", &commit);
    step.info(&format!("{commit} is checked out in {}", request.folder.display()));
    Ok(())
}

/// Gets the objects and refs, then the files.
fn fill(step: &mut Step, request: &mut Request) -> Result<(), Failure> {
    match request.own.clone() {
        Some(source) => own::borrow(step, request, &source)?,
        None => remote::fetch(step, request)?,
    }
    let start = request.start()?;
    if request.lfs {
        folder::lfs(step, request, &start)?;
    }
    if !request.sparse.is_empty() {
        set_sparse(request)?;
    }
    let checkout = request.git("checkout").args(["--quiet", "--force"]);
    match &start.from {
        Some(from) => checkout.args(["-B", &start.name, from]).run()?,
        None => checkout.args(["--detach", &start.name]).run()?,
    }
    folder::submodules(step, request)?;
    Ok(())
}

fn set_sparse(request: &Request) -> Result<(), Failure> {
    if request.sparse_by_folder {
        request.git("sparse-checkout").args(["set", "--cone"]).args(&request.sparse).run()?;
        return Ok(());
    }
    request.git("config").args(["core.sparseCheckout", "true"]).run()?;
    let file = request.folder.join(".git/info/sparse-checkout");
    fs::create_dir_all(request.folder.join(".git/info")).map_err(failed_at("made", &file))?;
    fs::write(&file, request.sparse.join("\n") + "\n").map_err(failed_at("written", &file))
}

/// Inputs that cannot mean here what they mean on GitHub, said aloud.
fn say_what_differs(step: &Step, request: &Request) -> Result<(), Failure> {
    if request.own.is_some() {
        if let Some(filter) = &request.filter {
            let reason = format!("`{filter}` would save a download; the objects are here already");
            step.not_enforced("filter", &reason);
        }
        if request.borrow_from.is_some() {
            step.not_enforced("reference", "the objects are borrowed from your own repository");
        }
    }
    if step.given("show-progress").is_some_and(|text| text != "true") {
        step.debug("show-progress: no progress is shown in any case");
    }
    if step.given("allow-unsafe-pr-checkout").is_some_and(|text| text != "false") {
        let reason = "code of forks is not told apart on this machine";
        step.not_enforced("allow-unsafe-pr-checkout", reason);
    }
    Ok(())
}
