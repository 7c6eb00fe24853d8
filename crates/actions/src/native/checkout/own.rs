//! The workflow's own repository: its objects are borrowed, its refs are named as a fetch from
//! GitHub would have named them, and its history ends where `fetch-depth` says.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use super::Request;
use crate::git::{Git, GitError};
use crate::native::step::{Failure, Step, failed_at};
use crate::native::tools::quoted;

/// Where the parts of the user's repository lie; a linked work tree keeps them apart.
pub(super) struct Source {
    /// Where commands run: the root of the work tree, or a bare repository.
    folder: PathBuf,
    objects: PathBuf,
    shallow: PathBuf,
    bare: bool,
    /// The objects of commits that were made for the run.
    private: Option<PathBuf>,
}

/// Puts objects and refs of the request into the workspace's repository.
pub(super) fn borrow(step: &mut Step, request: &mut Request, own: &Path) -> Result<(), Failure> {
    let source = Source::find(own, step.variable("LAUNCHWAY_OBJECTS").map(PathBuf::from))?;
    let refs = source.refs()?;
    let (mut commit, reference) = source.wanted(request, &refs)?;
    let head = source.git("rev-parse").args(["--verify", "--quiet", "HEAD"]).ask()?;
    let info = request.folder.join(".git/objects/info");
    fs::create_dir_all(&info).map_err(failed_at("made", &info))?;
    let alternates = info.join("alternates");
    let borrowed = std::iter::once(&source.objects).chain(&source.private);
    let borrowed: String = borrowed.map(|it| format!("{}\n", it.display())).collect();
    fs::write(&alternates, borrowed).map_err(failed_at("written", &alternates))?;
    let snapshot = step.variable("LAUNCHWAY_SNAPSHOT");
    match snapshot.filter(|_| head.as_deref() == Some(&commit)) {
        Some(made) => {
            let names = source.git("diff-tree").args(["-r", "--name-only", "-z", &commit, &made]);
            let changes = names.bytes()?.iter().filter(|byte| **byte == 0).count();
            let plural = if changes == 1 { "" } else { "s" };
            step.info(&format!(
                "{changes} uncommitted change{plural} on top of {commit} (--committed leaves them out)"
            ));
            commit = made;
            copy_lfs(request, &source)?;
        }
        None if step.switch("LAUNCHWAY_COMMITTED") || source.bare => {
            step.info(&format!("commit {commit}, without uncommitted changes"));
        }
        None => step.info(&format!("commit {commit}")),
    }
    request.reference = reference;
    request.commit = Some(commit.clone());
    let updates = updates(request, &refs, &commit);
    cut_history(request, &source, &updates, &commit)?;
    let mut lines = String::new();
    for (name, id) in &updates {
        writeln!(lines, "update {name} {id}").expect("writing to a string does not fail");
    }
    if !lines.is_empty() {
        request.git("update-ref").arg("--stdin").input(lines).run()?;
    }
    stand_in_for_origin(request, &source)
}

/// Git LFS keeps what it was given for the snapshot beside the objects.
fn copy_lfs(request: &Request, source: &Source) -> Result<(), Failure> {
    let kept = source.private.as_ref().and_then(|objects| objects.parent());
    let Some(kept) = kept.map(|store| store.join("lfs")).filter(|lfs| lfs.is_dir()) else {
        return Ok(());
    };
    copy_folder(&kept, &request.folder.join(".git/lfs"))
}

fn copy_folder(from: &Path, to: &Path) -> Result<(), Failure> {
    fs::create_dir_all(to).map_err(failed_at("made", to))?;
    for entry in fs::read_dir(from).map_err(failed_at("read", from))? {
        let from = entry.map_err(failed_at("read", from))?.path();
        let to = to.join(from.file_name().unwrap_or_default());
        if from.is_dir() {
            copy_folder(&from, &to)?;
        } else {
            fs::copy(&from, &to).map_err(failed_at("copied", &from))?;
        }
    }
    Ok(())
}

/// Later steps that fetch from the remote get the refs of this machine, without a network; what
/// they push goes where it would have gone. The workspace's objects are shown to the serving side
/// too: it must know a commit of uncommitted work to deepen the history behind it.
fn stand_in_for_origin(request: &Request, source: &Source) -> Result<(), Failure> {
    let place = source.folder.display();
    let serve = format!(
        "GIT_ALTERNATE_OBJECT_DIRECTORIES={} git-upload-pack",
        quoted(&request.folder.join(".git/objects"))
    );
    for (key, value) in [
        (format!("url.{place}.insteadOf"), request.address()),
        (format!("url.{}.pushInsteadOf", request.push_address()), request.address()),
        ("remote.origin.uploadpack".to_owned(), serve),
    ] {
        request.git("config").args([&key, &value]).run()?;
    }
    Ok(())
}

/// A ref of the user's repository.
struct Ref {
    name: String,
    id: String,
    /// The commit, where the id is a tag object.
    commit: String,
}

impl Source {
    fn find(own: &Path, private: Option<PathBuf>) -> Result<Source, Failure> {
        let answer = Git::new(own, "rev-parse")
            .args(["--is-bare-repository", "--path-format=absolute", "--absolute-git-dir"])
            .args(["--git-path", "objects", "--git-path", "shallow"])
            .text()
            .map_err(|error| match error {
                GitError::Failed { message, .. } if message.contains("dubious ownership") => {
                    Failure::new(format!("{} belongs to another user", own.display()))
                        .hint("git config --global --add safe.directory PATH")
                }
                error => error.into(),
            })?;
        let lines = answer.lines().collect::<Vec<_>>();
        let [bare, git_dir, objects, shallow] = lines.as_slice() else {
            return Err(Failure::new(format!("{} is not understood by git", own.display())));
        };
        let bare = *bare == "true";
        let folder = if bare {
            PathBuf::from(git_dir)
        } else {
            PathBuf::from(Git::new(own, "rev-parse").arg("--show-toplevel").text()?)
        };
        Ok(Source {
            folder,
            objects: PathBuf::from(objects),
            shallow: PathBuf::from(shallow),
            bare,
            private,
        })
    }

    /// A git command that sees the commits made for the run too.
    fn git(&self, name: &str) -> Git {
        let git = Git::new(&self.folder, name);
        match &self.private {
            Some(objects) => git.env("GIT_ALTERNATE_OBJECT_DIRECTORIES", listed(objects)),
            None => git,
        }
    }

    fn refs(&self) -> Result<Vec<Ref>, Failure> {
        let text = Git::new(&self.folder, "for-each-ref")
            .arg("--format=%(objectname) %(*objectname) %(refname)")
            .args(["refs/heads", "refs/remotes/origin", "refs/tags"])
            .text()?;
        let parse = |line: &str| {
            let (id, rest) = line.split_once(' ')?;
            let (peeled, name) = rest.split_once(' ')?;
            let commit = if peeled.is_empty() { id } else { peeled };
            Some(Ref { name: name.to_owned(), id: id.to_owned(), commit: commit.to_owned() })
        };
        Ok(text.lines().filter_map(parse).collect())
    }

    /// The commit that is asked for, and the ref under its full name.
    fn wanted(&self, request: &Request, refs: &[Ref]) -> Result<(String, Option<String>), Failure> {
        if let Some(commit) = &request.commit {
            let name = format!("{commit}^{{commit}}");
            let found = self.git("rev-parse").args(["--verify", "--quiet", &name]).ask()?;
            let found = found.ok_or_else(|| {
                Failure::new(format!("commit {commit} is not in {}", self.folder.display()))
                    .hint("fetch it first: git fetch origin")
            })?;
            return Ok((found, request.reference.clone()));
        }
        let wanted = request.reference.clone().unwrap_or_else(|| "HEAD".to_owned());
        let short = wanted.strip_prefix("refs/heads/").unwrap_or(&wanted);
        let find = |name: &str| refs.iter().find(|it| it.name == name).map(|it| it.commit.clone());
        let branch = || {
            find(&format!("refs/heads/{short}"))
                .or_else(|| find(&format!("refs/remotes/origin/{short}")))
                .map(|commit| (commit, Some(format!("refs/heads/{short}"))))
        };
        let tag = || {
            let name = if wanted.starts_with("refs/tags/") {
                wanted.clone()
            } else {
                format!("refs/tags/{wanted}")
            };
            find(&name).map(|commit| (commit, Some(name)))
        };
        branch().or_else(tag).ok_or_else(|| {
            Failure::new(format!(
                "A branch or tag with the name '{wanted}' could not be found in {}",
                self.folder.display()
            ))
            .hint("fetch it first: git fetch origin")
        })
    }
}

/// A folder as git reads it in a list that `:` divides: in quotes, as a C text.
fn listed(folder: &Path) -> String {
    let text = folder.display().to_string();
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// The refs that a fetch would have left in the workspace.
fn updates(request: &Request, refs: &[Ref], commit: &str) -> BTreeMap<String, String> {
    let mut updates = BTreeMap::new();
    if request.depth == 0 {
        // What the remote is known to have goes before what only this machine has.
        for prefix in ["refs/heads/", "refs/remotes/origin/"] {
            for it in refs.iter().filter(|it| it.name.starts_with(prefix)) {
                let branch = &it.name[prefix.len()..];
                if branch != "HEAD" {
                    updates.insert(format!("refs/remotes/origin/{branch}"), it.id.clone());
                }
            }
        }
    }
    if request.depth == 0 || request.tags {
        for it in refs.iter().filter(|it| it.name.starts_with("refs/tags/")) {
            updates.insert(it.name.clone(), it.id.clone());
        }
    }
    let Some(reference) = &request.reference else { return updates };
    let name = if let Some(branch) = reference.strip_prefix("refs/heads/") {
        format!("refs/remotes/origin/{branch}")
    } else if let Some(pull) = reference.strip_prefix("refs/pull/") {
        format!("refs/remotes/pull/{pull}")
    } else {
        reference.clone()
    };
    // With all history an annotated tag keeps its object, as it does there.
    if request.depth > 0 || !name.starts_with("refs/tags/") {
        updates.insert(name, commit.to_owned());
    }
    updates
}

/// Writes the file that ends history: the commits at the edge, which git then takes for roots.
fn cut_history(
    request: &Request,
    source: &Source,
    updates: &BTreeMap<String, String>,
    commit: &str,
) -> Result<(), Failure> {
    let mut edge = BTreeSet::new();
    // Where the user's own clone ends, ours ends too.
    if let Ok(text) = fs::read_to_string(&source.shallow) {
        edge.extend(text.lines().map(str::to_owned));
    }
    if request.depth > 0 {
        let mut tips = updates.values().cloned().collect::<BTreeSet<_>>();
        tips.insert(commit.to_owned());
        edge.extend(edge_at(request, tips)?);
    }
    let file = request.folder.join(".git/shallow");
    if edge.is_empty() {
        // From an earlier checkout that was not whole.
        drop(fs::remove_file(&file));
        return Ok(());
    }
    let text = edge.into_iter().collect::<Vec<_>>().join("\n") + "\n";
    fs::write(&file, text).map_err(failed_at("written", &file))
}

/// The commits `depth` steps down from the tips that have parents. One git answers for all of them.
fn edge_at(request: &Request, tips: BTreeSet<String>) -> Result<Vec<String>, Failure> {
    let mut child = request
        .git("cat-file")
        .arg("--batch")
        .into_command()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(GitError::Start)?;
    let mut questions = child.stdin.take().expect("stdin was asked for as a pipe");
    let mut answers = BufReader::new(child.stdout.take().expect("stdout was asked for as a pipe"));
    let mut seen = tips.clone();
    let mut level = tips;
    let mut edge = Vec::new();
    for step in 1..=request.depth {
        let mut below = BTreeSet::new();
        for id in &level {
            let parents = parents(&mut questions, &mut answers, id)
                .map_err(|error| Failure::new(format!("commit {id} could not be read: {error}")))?;
            if step == request.depth && !parents.is_empty() {
                edge.push(id.clone());
            }
            below.extend(parents.into_iter().filter(|parent| !seen.contains(parent)));
        }
        seen.extend(below.iter().cloned());
        level = below;
        if level.is_empty() {
            break;
        }
    }
    drop(questions);
    child.wait().map_err(GitError::Start)?;
    Ok(edge)
}

fn parents(
    questions: &mut impl Write,
    answers: &mut impl BufRead,
    id: &str,
) -> std::io::Result<Vec<String>> {
    // The peeled form: a tip may be a tag object.
    writeln!(questions, "{id}^{{commit}}")?;
    questions.flush()?;
    let mut header = String::new();
    answers.read_line(&mut header)?;
    let size = header.trim_end().rsplit(' ').next().and_then(|size| size.parse::<u64>().ok());
    let Some(size) = size else { return Ok(Vec::new()) };
    let mut body = Vec::new();
    answers.take(size + 1).read_to_end(&mut body)?;
    let text = String::from_utf8_lossy(&body);
    let head = text.lines().take_while(|line| !line.is_empty());
    Ok(head.filter_map(|line| line.strip_prefix("parent ")).map(str::to_owned).collect())
}
