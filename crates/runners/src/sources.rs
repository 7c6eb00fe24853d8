//! The commits of a job's repository, from the server's repository to the runner's copy of it.
//!
//! A runner keeps a bare repository for each that it had jobs of. What it lacks comes as one pack, over
//! the connection that is there anyway: a fetch of git's own would need a second way in, with a token
//! that opens repositories. Branches and tags are those of the server at the moment of the fetch, so a
//! checkout with all history finds on the runner what it would find on the server. The run's own commit
//! may be one that no branch leads to (the test merge of a pull request): it is kept by a ref of ours.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use event::Digest;
use protocol::{HeldLease, PIECE_BYTES_MAX, RunnerJob, ToRunner, write_frame};

use crate::fleet::Link;

/// The largest pack that is sent: more than the largest repositories that people build from.
const PACK_BYTES_MAX: u64 = 32 << 30;
/// Tips that a runner names; git needs a few, and the newest are enough.
const TIPS: usize = 10_000;
/// Of what git says when it fails.
const ERROR_CHARS: usize = 300;
/// In a runner's copy: the digest of the branches and tags it has.
const REFS_FILE: &str = "launchway-refs";

/// Why commits cannot be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SourcesError {
    /// Git could not be started, or its pipes failed.
    #[error("cannot run git {0}: {1}")]
    Start(&'static str, #[source] io::Error),
    /// It said no.
    #[error("git {0} failed: {1}")]
    Git(&'static str, String),
    /// Its pack is too large.
    #[error("the pack has more than {PACK_BYTES_MAX} bytes")]
    Long,
    /// A name that is none.
    #[error("`{0}` is no repository's name")]
    Name(String),
    /// The server has them not.
    #[error("{0}")]
    Missing(String),
    /// The connection was cut.
    #[error("the connection was cut")]
    Cut,
}

/// Branches and tags of a repository.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Refs {
    pub(crate) head: Option<String>,
    pub(crate) refs: Vec<(String, String)>,
}

impl Refs {
    /// Those of a repository on this machine.
    pub(crate) fn of(repository: &Path) -> Result<Refs, SourcesError> {
        let wanted = ["refs/heads", "refs/remotes/origin", "refs/tags"];
        let mut git = git(repository, "for-each-ref");
        let text = said(git.arg("--format=%(objectname) %(refname)").args(wanted), "for-each-ref")?;
        let parse = |line: &str| {
            let (id, name) = line.split_once(' ')?;
            Some((name.to_owned(), id.to_owned()))
        };
        let head =
            said(self::git(repository, "symbolic-ref").args(["--quiet", "HEAD"]), "symbolic-ref");
        let head = head.ok().map(|it| it.trim().to_owned());
        Ok(Refs { head, refs: text.lines().filter_map(parse).collect() })
    }

    pub(crate) fn digest(&self) -> String {
        let mut text = format!("{}\n", self.head.as_deref().unwrap_or_default());
        for (name, id) in &self.refs {
            writeln!(text, "{id} {name}").expect("a String takes everything");
        }
        Digest::of(text.as_bytes()).to_string()
    }
}

/// A git command in a repository, which nothing of the environment leads to another.
fn git(repository: &Path, command: &str) -> Command {
    let mut git = Command::new("git");
    for name in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY"] {
        git.env_remove(name);
    }
    git.arg("-C").arg(repository).arg(command).stdin(Stdio::null()).stderr(Stdio::piped());
    git
}

/// What a command prints.
fn said(command: &mut Command, name: &'static str) -> Result<String, SourcesError> {
    let output = command.output().map_err(|error| SourcesError::Start(name, error))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(SourcesError::Git(name, shortened(&output.stderr)))
}

/// The same with something to read.
fn told(command: &mut Command, name: &'static str, input: &[u8]) -> Result<String, SourcesError> {
    let failed = |error| SourcesError::Start(name, error);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().map_err(failed)?;
    let mut stdin = child.stdin.take().expect("it was asked for");
    let input = input.to_owned();
    // Beside the reading: each side may fill its pipe.
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output().map_err(failed)?;
    // One that reads no further says why.
    let _ = writer.join();
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(SourcesError::Git(name, shortened(&output.stderr)))
}

fn shortened(text: &[u8]) -> String {
    String::from_utf8_lossy(text).trim().chars().take(ERROR_CHARS).collect()
}

/// Sends what a runner lacks of a job's repository. `tips` it has.
pub(crate) fn send(
    job: &RunnerJob,
    tips: Vec<String>,
    lease: &HeldLease,
    link: &dyn Link,
) -> Result<(), String> {
    pack(job, tips, lease, link).map_err(|error| error.to_string())
}

fn pack(
    job: &RunnerJob,
    tips: Vec<String>,
    lease: &HeldLease,
    link: &dyn Link,
) -> Result<(), SourcesError> {
    let repository = Path::new(&*job.spec.paths.repository);
    let refs = Refs::of(repository)?;
    let (head, list) = (refs.head.clone(), refs.refs.clone());
    link.bulk(write_frame(&ToRunner::Refs { lease: lease.clone(), head, refs: list }, b""));
    // What is not there is no help: git would refuse it.
    let asked: String = tips.iter().map(|tip| format!("{tip}\n")).collect();
    let mut looking = git(repository, "cat-file");
    let looked = told(looking.arg("--batch-check=%(objectname)"), "cat-file", asked.as_bytes())?;
    let mut wanted = format!("{}\n", job.commit);
    refs.refs.iter().for_each(|(_, id)| wanted.push_str(&format!("{id}\n")));
    let is_there = |line: &&str| !line.ends_with(" missing");
    looked.lines().filter(is_there).for_each(|id| wanted.push_str(&format!("^{id}\n")));
    let mut packing = git(repository, "pack-objects");
    packing.args(["--revs", "--stdout", "--quiet", "--thin", "--delta-base-offset"]);
    if let Some(objects) = &job.spec.options.objects {
        packing.env("GIT_ALTERNATE_OBJECT_DIRECTORIES", quoted(objects));
    }
    let failed = |error| SourcesError::Start("pack-objects", error);
    let mut child = packing.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().map_err(failed)?;
    let mut stdin = child.stdin.take().expect("it was asked for");
    let writer = std::thread::spawn(move || stdin.write_all(wanted.as_bytes()));
    let sent = send_pack(&mut child, lease, link);
    let output = child.wait_with_output().map_err(failed)?;
    let _ = writer.join();
    if !output.status.success() {
        return Err(SourcesError::Git("pack-objects", shortened(&output.stderr)));
    }
    if !sent? {
        return Ok(());
    }
    // Only now is it known to be whole.
    link.bulk(write_frame(&ToRunner::Pack { lease: lease.clone(), last: true }, b""));
    Ok(())
}

/// Sends what git writes; says whether anybody is there.
fn send_pack(child: &mut Child, lease: &HeldLease, link: &dyn Link) -> Result<bool, SourcesError> {
    let mut stdout = child.stdout.take().expect("it was asked for");
    let mut bytes = vec![0; PIECE_BYTES_MAX];
    let mut size = 0;
    loop {
        let read = stdout.read(&mut bytes).map_err(|it| SourcesError::Start("pack-objects", it))?;
        if read == 0 {
            return Ok(true);
        }
        size += read as u64;
        let message = ToRunner::Pack { lease: lease.clone(), last: false };
        if size > PACK_BYTES_MAX || !link.bulk(write_frame(&message, &bytes[..read])) {
            let _ = child.kill();
            return if size > PACK_BYTES_MAX { Err(SourcesError::Long) } else { Ok(false) };
        }
    }
}

/// A folder as git reads it in a list that `:` divides: in quotes, as a C text.
fn quoted(folder: &str) -> String {
    format!("\"{}\"", folder.replace('\\', "\\\\").replace('"', "\\\""))
}

/// The repositories that a runner keeps.
#[derive(Debug)]
pub(crate) struct Mirrors {
    folder: PathBuf,
    /// One at a time is changed by one.
    locks: Mutex<BTreeMap<Arc<str>, Arc<Mutex<()>>>>,
}

/// What comes when commits were asked for.
#[derive(Debug)]
pub(crate) enum Coming {
    Refs(Refs),
    Pack(Vec<u8>),
    Last,
    /// It does not come.
    Missing(String),
}

impl Mirrors {
    pub(crate) fn in_folder(folder: PathBuf) -> Mirrors {
        Mirrors { folder, locks: Mutex::default() }
    }

    fn path(&self, repository: &str) -> Result<PathBuf, SourcesError> {
        let is_word = |it: &str| {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
            !it.is_empty() && it.len() <= 100 && it.bytes().all(plain) && !it.starts_with('.')
        };
        match repository.split_once('/') {
            Some((owner, name)) if is_word(owner) && is_word(name) => {
                Ok(self.folder.join(owner).join(format!("{name}.git")))
            }
            _ => Err(SourcesError::Name(repository.to_owned())),
        }
    }

    /// Has the commits of a job here, and says where. `ask` says what is there already, and where what
    /// comes is heard.
    pub(crate) fn have(
        &self,
        job: &RunnerJob,
        ask: &mut dyn FnMut(Vec<String>),
        coming: &mut dyn FnMut() -> Option<Coming>,
    ) -> Result<PathBuf, SourcesError> {
        let path = self.path(&job.repository)?;
        let mut locks = self.locks.lock().expect("nobody panics while holding the locks");
        let lock = Arc::clone(locks.entry(Arc::clone(&job.repository)).or_default());
        drop(locks);
        let _one = lock.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if !path.join("HEAD").exists() {
            std::fs::create_dir_all(&path).map_err(|error| SourcesError::Start("init", error))?;
            said(git(&path, "init").args(["--quiet", "--bare"]), "init")?;
        }
        let refs = std::fs::read_to_string(path.join(REFS_FILE)).unwrap_or_default();
        let commit = format!("{}^{{commit}}", job.commit);
        if *refs == *job.refs
            && said(git(&path, "cat-file").args(["-e", &commit]), "cat-file").is_ok()
        {
            return Ok(path);
        }
        let mut listing = git(&path, "for-each-ref");
        listing.args(["--sort=-creatordate", "--format=%(objectname)"]);
        listing.arg(format!("--count={TIPS}"));
        let tips = said(&mut listing, "for-each-ref")?;
        ask(tips.lines().map(str::to_owned).collect());
        let refs = fetch(&path, coming)?;
        update(&path, &refs, &job.commit)?;
        let kept = std::fs::write(path.join(REFS_FILE), refs.digest());
        kept.map_err(|error| SourcesError::Start("update-ref", error))?;
        // Every fetch is a pack; git puts them together when they are many.
        said(git(&path, "gc").args(["--auto", "--quiet"]), "gc")?;
        Ok(path)
    }
}

/// Hears a pack to its end.
fn fetch(path: &Path, coming: &mut dyn FnMut() -> Option<Coming>) -> Result<Refs, SourcesError> {
    let failed = |error| SourcesError::Start("index-pack", error);
    let mut indexing = git(path, "index-pack");
    indexing.args(["--stdin", "--fix-thin"]).stdin(Stdio::piped()).stdout(Stdio::null());
    let mut child = indexing.spawn().map_err(failed)?;
    let mut stdin = child.stdin.take().expect("it was asked for");
    let mut refs = Refs::default();
    let came = loop {
        match coming() {
            Some(Coming::Refs(it)) => refs = it,
            Some(Coming::Pack(bytes)) => {
                if stdin.write_all(&bytes).is_err() {
                    // It says why.
                    break Ok(());
                }
            }
            Some(Coming::Last) => break Ok(()),
            Some(Coming::Missing(reason)) => break Err(SourcesError::Missing(reason)),
            None => break Err(SourcesError::Cut),
        }
    };
    if came.is_err() {
        let _ = child.kill();
    }
    drop(stdin);
    let output = child.wait_with_output().map_err(failed)?;
    came?;
    if !output.status.success() {
        return Err(SourcesError::Git("index-pack", shortened(&output.stderr)));
    }
    Ok(refs)
}

/// Has branches and tags say what the server's say.
fn update(path: &Path, refs: &Refs, commit: &str) -> Result<(), SourcesError> {
    let before = Refs::of(path)?;
    let now: BTreeMap<&str, &str> = refs.refs.iter().map(|it| (&*it.0, &*it.1)).collect();
    let mut lines = String::new();
    for (name, _) in before.refs.iter().filter(|(name, _)| !now.contains_key(name.as_str())) {
        lines.push_str(&format!("delete {name}\n"));
    }
    for (name, id) in now {
        lines.push_str(&format!("update {name} {id}\n"));
    }
    lines.push_str(&format!("update refs/launchway/{commit} {commit}\n"));
    told(git(path, "update-ref").arg("--stdin"), "update-ref", lines.as_bytes())?;
    if let Some(head) = refs.head.as_deref().filter(|it| it.starts_with("refs/heads/")) {
        said(git(path, "symbolic-ref").args(["HEAD", head]), "symbolic-ref")?;
    }
    Ok(())
}
