//! What git calls when somebody pushes: before, to refuse workflow files that are wrong; after, to
//! leave word for the server and tell the person which runs came of it.
//!
//! The word is a file in the server's inbox. It is on disk before the push is over, so a push that
//! comes while no server runs is taken when one does.

mod rules;

use std::io::{ErrorKind, Read, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

use event::Timestamp;
use repository::{RefUpdate, Repository, RepositoryError};
use serde::{Deserialize, Serialize};
use syntax::{Severity, Source};

use crate::cli::Format;
use crate::exit::{Exit, Failure, Outcome};
use crate::random;
use crate::running::files;
use crate::serving::data::{self, DataFolder};
use crate::serving::repositories;
use crate::state::acting;
use crate::terminal::diagnostics;
use crate::terminal::style::{Style, talk};
use crate::terminal::time::now;

/// The word of one ref has less.
const WORD_BYTES: usize = 1 << 10;
/// What git says of a push; more refs at once are not taken.
const INPUT_BYTES_MAX: u64 = 4 << 20;
/// How long whoever pushes waits to be told of the runs. The push is over whatever happens.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often is looked whether the server has answered.
const LOOK: Duration = Duration::from_millis(30);

/// Files that are looked through for those of few repositories: as many as are kept whatever their age.
const PUSHES_SEARCHED_MAX: usize = crate::serving::intake::told::NEWEST_KEPT;

/// A push, as it waits in the inbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Pushed {
    /// The bare repository.
    pub(crate) repository: std::path::PathBuf,
    pub(crate) old: String,
    pub(crate) new: String,
    pub(crate) git_ref: String,
    /// Who pushed: name and mail address, as git knows the committer of the newest commit where
    /// nobody else said who.
    pub(crate) pusher: (String, String),
    pub(crate) at: Timestamp,
    /// The event, where it is no push.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) event: Option<String>,
}

/// What became of a push.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Answer {
    pub(crate) push: Pushed,
    /// `owner/name`
    pub(crate) name: String,
    /// Runs, each with its workflow file.
    pub(crate) runs: Vec<(event::StreamId, String)>,
    pub(crate) said: Vec<String>,
    /// Whether its runs wait for somebody to let them in.
    #[serde(default)]
    pub(crate) is_held: bool,
}

/// How the server is reached, and what it was started with that commands at its folder need.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Reached {
    pub(crate) url: String,
    /// Receivers in its network that messages may go to.
    #[serde(default)]
    pub(crate) private_receivers: Vec<String>,
}

/// Git stands these in the place of other objects, so whoever pushed one would say what everybody's commits
/// are.
const REPLACING: &str = "refs/replace/";

fn updates() -> Result<Vec<RefUpdate>, Failure> {
    updates_of(std::io::stdin().lock())
}

fn updates_of(input: impl Read) -> Result<Vec<RefUpdate>, Failure> {
    let mut text = Vec::new();
    let read = input.take(INPUT_BYTES_MAX + 1).read_to_end(&mut text);
    read.map_err(|error| Failure::caused(Exit::Missing, error))?;
    if text.len() as u64 > INPUT_BYTES_MAX {
        let message = format!("refs of more than {INPUT_BYTES_MAX} bytes are pushed at once");
        return Err(Failure::new(Exit::Refused, message).hint("push fewer of them at a time"));
    }
    let mut updates = Vec::new();
    for line in String::from_utf8_lossy(&text).lines() {
        let update = RefUpdate::parse(line).ok_or_else(|| {
            Failure::new(Exit::Usage, "this is called by git, with OLD NEW REF on standard input")
        })?;
        if update.git_ref.starts_with(REPLACING) && !update.deletes() {
            let message = format!("{} would stand for another object", update.git_ref);
            return Err(Failure::new(Exit::Refused, message)
                .hint("what is run is what was committed: push a commit that changes it"));
        }
        // Branches and tags are what GitHub runs workflows for.
        let is_run = ["refs/heads/", "refs/tags/"].iter().any(|it| update.git_ref.starts_with(it));
        if is_run {
            updates.push(update);
        }
    }
    Ok(updates)
}

/// Before: workflow files with errors refuse the push, where it changes them, and so do rules that nobody could
/// read, and an inbox that takes no word of it. Behind this git moves the refs, and nobody takes that back.
pub(crate) fn pre_receive(data: &DataFolder, repository: &Path) -> Outcome {
    let updates = updates()?;
    prove_inbox(data, updates.len())?;
    let known = repositories::all(data)?;
    let connected = known.iter().find(|it| it.path == repository);
    let mut found = match connected {
        Some(connected) => rules::judge(connected, &updates)?,
        None => Vec::new(),
    };
    for update in updates.iter().filter(|it| !it.deletes()) {
        let nobody = (String::new(), String::new());
        let mut at = match Repository::bare(repository, &update.new, nobody) {
            // A tag of something that is no commit runs nothing.
            Err(RepositoryError::NotACommit { .. } | RepositoryError::NoCommit { .. }) => continue,
            at => at?,
        };
        if let Some(branch) = connected.and_then(|it| it.default_branch.as_ref()) {
            at.default_branch.clone_from(branch);
        }
        let Some(files) = at.workflow_files_changed(update, files::WORKFLOWS)? else { continue };
        let mut sources = Vec::new();
        for file in files.iter().filter(|file| files::is_yaml(file.path.as_ref())) {
            let source = Source::new(file.path.as_str(), &*file.text);
            match file.is_link {
                true => found.push(files::link_finding(&source)),
                false => sources.push(source),
            }
        }
        let mut errors = crate::commands::check_sources(&sources);
        errors.retain(|finding| finding.severity == Severity::Error);
        found.extend(errors);
    }
    if found.is_empty() {
        return Ok(Exit::Done);
    }
    for text in diagnostics::render(&found, Format::Human, Style::plain()) {
        talk(&text);
    }
    Err(Failure::new(Exit::Refused, "the push is refused: its files have mistakes")
        .hint("launchway check finds them before the push"))
}

/// Leaves as much as the words will be, and takes it away.
fn prove_inbox(data: &DataFolder, words: usize) -> Result<(), Failure> {
    let (inbox, root) = (data.inbox(), data.state.root());
    let prove = || -> std::io::Result<()> {
        match std::fs::create_dir(&inbox) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        let mut file = tempfile::NamedTempFile::new_in(&inbox)?;
        file.write_all(&vec![b'\n'; WORD_BYTES.saturating_mul(words)])?;
        file.as_file().sync_all()
    };
    let Err(error) = acting::once_as_owner(root, prove)? else { return Ok(()) };
    let root = root.display();
    let hint = match error.kind() {
        ErrorKind::PermissionDenied => {
            "push as the user that the server runs as: nobody else may write there".to_owned()
        }
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            format!("free some space there; launchway prune --state {root} can help")
        }
        ErrorKind::NotFound => {
            format!(
                "see that {root} is there; `launchway repositories remove` takes this hook away"
            )
        }
        _ => format!("see that {root} can be written to"),
    };
    let message = "the push is refused: no word of it can be left for the server";
    let cannot = data::cannot("write to", &inbox, error).error.context(message);
    Err(Failure::caused(Exit::Missing, cannot).hint(hint))
}

/// After: leaves word, and says what came of it.
pub(crate) fn post_receive(data: &DataFolder, repository: &Path) -> Outcome {
    let (mut waiting, mut failed) = (Vec::new(), None);
    for update in updates()?.into_iter().filter(|it| !it.deletes()) {
        // That one word cannot be left is no reason to leave none of the others.
        match leave(data, repository, update) {
            Ok(id) => waiting.push(id),
            Err(failure) => failed = Some(failure),
        }
    }
    if let Some(failure) = failed {
        return Err(failure
            .hint("the refs moved: the server finds what it was not told of at its next start"));
    }
    if waiting.is_empty() {
        return Ok(Exit::Done);
    }
    if !data.is_served() {
        talk("launchway: no server runs; it takes this push when it is started");
        return Ok(Exit::Done);
    }
    let reached = data.reached()?;
    let until = Instant::now() + PATIENCE;
    for id in waiting {
        match answer(data, &id, until)? {
            Some(answer) => say(&answer, reached.as_ref()),
            None => talk(
                "launchway: the server is busy; its page of pushes tells what became of this one",
            ),
        }
    }
    Ok(Exit::Done)
}

fn leave(data: &DataFolder, repository: &Path, update: RefUpdate) -> Result<String, Failure> {
    let id = format!("{:015}-{}", now().0, random::hex::<8>()?);
    leave_as(data, &id, repository, update)?;
    Ok(id)
}

/// Leaves word of a push under this id.
pub(crate) fn leave_as(
    data: &DataFolder,
    id: &str,
    repository: &Path,
    update: RefUpdate,
) -> Result<(), Failure> {
    let at = now();
    let nobody = (String::new(), String::new());
    let committer = Repository::bare(repository, &update.new, nobody).ok();
    let committer = committer.map(|it| it.head.committer).unwrap_or_default();
    let said = |name: &str| std::env::var(name).ok().filter(|it| !it.trim().is_empty());
    // What serves git says who was let in: gitolite, or a web server.
    let known = said("GL_USER").or_else(|| said("REMOTE_USER"));
    let pusher = known.map_or(committer, |name| (name, String::new()));
    let RefUpdate { old, new, git_ref } = update;
    let push =
        Pushed { repository: repository.to_owned(), old, new, git_ref, pusher, at, event: None };
    let path = data.inbox().join(format!("{id}.push"));
    acting::once_as_owner(data.state.root(), || data::write(&path, &push))?
}

fn answer(data: &DataFolder, id: &str, until: Instant) -> Result<Option<Answer>, Failure> {
    let path = data.told(id);
    loop {
        if let Some(answer) = data::read(&path)? {
            return Ok(Some(answer));
        }
        if Instant::now() >= until || !data.is_served() {
            return Ok(None);
        }
        std::thread::sleep(LOOK);
    }
}

/// The newest pushes to repositories that are wanted, newest first.
pub(crate) fn newest(
    data: &DataFolder,
    limit: usize,
    wanted: &dyn Fn(&str) -> bool,
) -> Result<Vec<server::Push>, Failure> {
    let folder = data.pushes();
    let names = data::list(&folder, ".json")?;
    let mut pushes = Vec::new();
    for name in names.iter().rev().take(PUSHES_SEARCHED_MAX) {
        if pushes.len() >= limit {
            break;
        }
        let answer: Option<Answer> = data::read(&folder.join(format!("{name}.json")))?;
        let answer = answer.filter(|it| wanted(&it.name));
        pushes.extend(answer.map(|answer| server::Push {
            repository: answer.name,
            git_ref: answer.push.git_ref,
            commit: answer.push.new,
            pusher: answer.push.pusher.0,
            at: answer.push.at,
            runs: answer.runs,
            said: answer.said,
        }));
    }
    Ok(pushes)
}

fn say(answer: &Answer, reached: Option<&Reached>) {
    for (stream, workflow) in &answer.runs {
        let Some((run, attempt)) = stream.as_run() else { continue };
        let page =
            reached.map(|it| format!("  {}/runs/{run}.{attempt}", it.url)).unwrap_or_default();
        talk(&format!("launchway: run {run}  {workflow}{page}"));
    }
    for line in answer.said.iter().flat_map(|text| text.lines()) {
        talk(&format!("launchway: {line}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_git_says_is_taken_whole_or_not_at_all() {
        let (zero, commit) = ("0".repeat(40), "c".repeat(40));
        let check = |input: String, expect: Result<&[&str], &str>| {
            let found = updates_of(input.as_bytes());
            let found: Result<Vec<&str>, String> = match &found {
                Ok(all) => Ok(all.iter().map(|it| it.git_ref.as_str()).collect()),
                Err(failure) => Err(failure.error.to_string()),
            };
            assert_eq!(found.as_deref().map_err(String::as_str), expect);
        };
        let line = |name: &str| format!("{zero} {commit} {name}\n");
        check(line("refs/heads/main") + &line("refs/notes/x"), Ok(&["refs/heads/main"]));
        check(String::new(), Ok(&[]));
        let usage = "this is called by git, with OLD NEW REF on standard input";
        check("main".to_owned(), Err(usage));
        let replaces = format!("refs/replace/{commit}");
        let said = format!("{replaces} would stand for another object");
        check(line("refs/heads/main") + &line(&replaces), Err(&said));
        check(format!("{commit} {zero} {replaces}\n"), Ok(&[]));
        // What would be cut off could be the branch that the rules stand on.
        let many = line("refs/x/y").repeat(50_000) + &line("refs/heads/main");
        check(many, Err("refs of more than 4194304 bytes are pushed at once"));
    }

    #[test]
    fn pushes_of_others_take_nobodys_place() {
        let folder = tempfile::tempdir().unwrap();
        let data = DataFolder::locate(Some(folder.path()), None).unwrap();
        std::fs::create_dir_all(data.pushes()).unwrap();
        let push = |at: u64, name: &str| {
            let push = Pushed {
                repository: "/srv/git/x.git".into(),
                old: String::new(),
                new: format!("{at}"),
                git_ref: "refs/heads/main".to_owned(),
                pusher: (String::new(), String::new()),
                at: Timestamp(at),
                event: None,
            };
            let (name, runs, said) = (name.to_owned(), Vec::new(), Vec::new());
            let answer = Answer { push, name, runs, said, is_held: false };
            data::write(&data.pushes().join(format!("{at:015}-0.json")), &answer).unwrap();
        };
        push(1, "octo/app");
        (2..60).for_each(|at| push(at, "octo/busy"));
        let check = |limit: usize, wanted: &dyn Fn(&str) -> bool, expect: &[&str]| {
            let found = newest(&data, limit, wanted).unwrap();
            let found: Vec<&str> = found.iter().map(|it| it.commit.as_str()).collect();
            assert_eq!(found, expect);
        };
        check(50, &|name| name == "octo/app", &["1"]);
        check(2, &|_| true, &["59", "58"]);
        check(2, &|_| false, &[]);
    }
}
