//! A webhook whose turn it is: what it says is asked of GitHub, becomes an event, and goes to the intake.

use std::path::Path;

use event::{Asked, Timestamp};
use forge::{Proven, PullRequest, Said};
use repository::{About, Access, Mirror, RefUpdate, Repository, RepositoryError, TriggeringEvent};

use super::Taking;
use crate::exit::{Exit, Failure};
use crate::serving::arriving::hook::{Answer, Pushed};
use crate::serving::github::looking::{Move, When};
use crate::serving::github::{Link, failed, issues, mirror};
use crate::serving::intake::Event;
use crate::serving::intake::moment;
use crate::serving::repositories::{Connected, Forks, OnGitHub};
use crate::terminal::time::now;

/// GitHub merges a pull request in passing, moments after it tells of it. What is not merged by then
/// conflicts.
const MERGE_TRIES: u32 = 6;

/// What became of one.
pub(super) enum Became {
    Done,
    /// Once more, later.
    Later,
    /// It is the end of what is not known here: once more where that comes behind it.
    Early,
}

/// A webhook that is acted upon.
pub(super) struct Told<'t> {
    pub(super) taking: &'t Taking,
    pub(super) proven: &'t Proven,
    pub(super) at: Timestamp,
    /// What its order and its answer are called.
    pub(super) id: &'t str,
    pub(super) times: u32,
    /// How it came here, where a look found it.
    pub(super) found: Option<Asked>,
}

/// Where it runs, and as what.
struct Standing {
    commit: String,
    git_ref: String,
    about: About,
    only: Option<String>,
}

impl Told<'_> {
    /// Acts upon it, where it is no push that was told, or found, before.
    pub(super) fn take_up(
        &self,
        on: &(Connected, OnGitHub),
        said: Said,
    ) -> Result<Became, Failure> {
        if let Some(became) = self.refuse_own(&on.0, &said)? {
            return Ok(became);
        }
        let Said::Push { git_ref, before, after } = said.clone() else {
            return self.run(on, said);
        };
        let (connected, looked) = (&on.0, &self.taking.looked);
        let name = &connected.name;
        let pushed_at = forge::happened_at(&self.proven.event, &self.proven.payload);
        if self.found.is_none() {
            if looked.is_past(name, &git_ref, pushed_at)? {
                let why = "the server looked, and found this push before GitHub told of it";
                return self.nothing(connected, &after, &git_ref, why);
            }
        } else if looked.before(name, &git_ref)? == after {
            return Ok(Became::Done);
        }
        let became = match &self.found {
            Some(found) => self.run_found(on, (&git_ref, &after), found)?,
            None => self.run(on, said)?,
        };
        if matches!(became, Became::Done) {
            let at = match self.found {
                Some(_) => When::Looked(self.at),
                None => When::Said(pushed_at),
            };
            looked.settle(name, &Move { git_ref: &git_ref, before: &before, after: &after, at })?;
        }
        Ok(became)
    }

    /// What a job did with its own token starts nothing, or it would start itself for ever; but for the two
    /// events that are there to start something (conformance 22).
    fn refuse_own(&self, connected: &Connected, said: &Said) -> Result<Option<Became>, Failure> {
        let is_meant = matches!(said, Said::Dispatch { .. } | Said::RepositoryDispatch);
        let is_said = matches!(said, Said::Issue(_) | Said::Nothing { .. });
        if is_meant || is_said || !self.is_by_us(&self.proven.payload["sender"])? {
            return Ok(None);
        }
        let (commit, git_ref) = match said {
            Said::Push { git_ref, after, .. } => (after.clone(), git_ref.clone()),
            Said::PullRequest(pull) => (pull.head.clone(), pull.head_ref.clone()),
            _ => Default::default(),
        };
        let became = self.nothing(connected, &commit, &git_ref, BY_THE_APP)?;
        self.settle(&connected.name)?;
        Ok(Some(became))
    }

    /// Whether somebody is the app's own bot, in whose name jobs act.
    fn is_by_us(&self, sender: &serde_json::Value) -> Result<bool, Failure> {
        let place = self.link()?.place;
        let login = sender["login"].as_str().unwrap_or_default();
        let is_bot =
            login.strip_suffix("[bot]").is_some_and(|it| it.eq_ignore_ascii_case(&place.who));
        Ok(place.app.is_some() && is_bot && sender["type"] == "Bot")
    }

    /// Of a push, that it is over.
    pub(super) fn settle(&self, name: &str) -> Result<(), Failure> {
        let Some((_, said)) = forge::read(self.proven) else { return Ok(()) };
        let Said::Push { git_ref, before, after } = said else { return Ok(()) };
        let at = forge::happened_at(&self.proven.event, &self.proven.payload);
        let push = Move { git_ref: &git_ref, before: &before, after: &after, at: When::Said(at) };
        self.taking.looked.settle(name, &push)
    }

    /// What is known of a push that a look found, as GitHub would have told it.
    fn run_found(
        &self,
        on: &(Connected, OnGitHub),
        (git_ref, after): (&str, &str),
        found: &Asked,
    ) -> Result<Became, Failure> {
        let connected = &on.0;
        let link = self.link()?;
        let mirror = mirror(&link, connected)?;
        let before = self.taking.looked.before(&connected.name, git_ref)?;
        let update =
            RefUpdate { old: before.clone(), new: after.to_owned(), git_ref: git_ref.to_owned() };
        let said = Said::Push {
            git_ref: git_ref.to_owned(),
            before: update.old.clone(),
            after: update.new.clone(),
        };
        let there = match Repository::bare(mirror.path(), after, Default::default()) {
            // What becomes of one that cannot be read is said as of any other.
            Err(_) => return self.run(on, said),
            Ok(there) => there,
        };
        let moved = passing(link.github.moved(&connected.name, git_ref, after))?.flatten();
        if let Some(moved) = &moved
            && self.is_by_us(&moved.sender)?
        {
            return self.nothing(connected, after, git_ref, BY_THE_APP);
        }
        let who = moved.as_ref().map(|it| (it.who.clone(), String::new()));
        let at = connected.at(after, who.unwrap_or(there.head.committer))?;
        let mut payload = at.pushed(&update)?.payload;
        if let Some(about) = passing(link.github.repository_as_told(&connected.name))? {
            payload["repository"] = about;
        }
        let proof = if moved.is_some() { "github" } else { "" };
        if let Some(moved) = moved {
            payload["pusher"] = serde_json::json!({ "name": moved.who, "email": null });
            payload["sender"] = moved.sender;
        }
        let found = Asked { proof: proof.into(), ..found.clone() };
        let proven = Proven { payload, ..self.proven.clone() };
        let told = Told { proven: &proven, found: Some(found), ..*self };
        // Who pushed is known by now only.
        match told.refuse_own(connected, &said)? {
            Some(became) => Ok(became),
            None => told.run(on, said),
        }
    }

    fn link(&self) -> Result<Link, Failure> {
        let link = self.taking.links.get()?;
        link.ok_or_else(|| Failure::new(Exit::Missing, "no GitHub is connected"))
    }

    /// Starts what it asks for.
    fn run(&self, (connected, on): &(Connected, OnGitHub), said: Said) -> Result<Became, Failure> {
        if let Said::Issue(issue) = &said {
            let taken = issues::take(&self.taking.intake.store, connected, issue)?;
            return Ok(if taken == issues::Took::Early { Became::Early } else { Became::Done });
        }
        let link = self.link()?;
        let mirror = mirror(&link, connected)?;
        let (mut outside, mut is_held) = (false, false);
        let standing = match said {
            Said::Push { git_ref, before, after } => Standing {
                commit: after.clone(),
                git_ref: git_ref.clone(),
                about: About::Push(RefUpdate { old: before, new: after, git_ref }),
                only: None,
            },
            Said::PullRequest(pull) if pull.is_fork && on.forks == Forks::Never => {
                let why = "code of forks does not run here: launchway repositories add --forks ask";
                return self.nothing(connected, &pull.head, &pull.head_ref, why);
            }
            Said::PullRequest(pull) => {
                outside = pull.is_fork;
                is_held = pull.is_fork && (on.forks == Forks::Ask || pull.is_first());
                match self.pull_request(&link, &mirror, connected, &pull)? {
                    Ok(standing) => standing,
                    Err(became) => return Ok(became),
                }
            }
            Said::Dispatch { workflow, git_ref } => {
                let git_ref = whole_ref(&mirror, &git_ref)?;
                Standing { only: Some(workflow), ..named(git_ref) }
            }
            Said::RepositoryDispatch => {
                let Some(tip) = connected.tip()? else {
                    return self.nothing(connected, "", "", "it has no commit yet");
                };
                let at = Repository::bare(mirror.path(), &tip, Default::default())?;
                named(format!("refs/heads/{}", at.default_branch))
            }
            Said::Release { tag } => named(format!("refs/tags/{tag}")),
            Said::Issue(_) | Said::Nothing { .. } => return Ok(Became::Done),
        };
        let sender = self.proven.payload.pointer("/sender/login").and_then(|it| it.as_str());
        let who = (sender.unwrap_or("github").to_owned(), String::new());
        let (repository, event) = match self.read(mirror.path(), connected, &standing, who.clone())
        {
            Ok(read) => read,
            Err(failure) if moment::is_to_blame(&failure, self.at, now()) => return Err(failure),
            // However often it is tried, it cannot be read, and what came behind it is not to wait for that.
            Err(failure) => {
                let why = format!("{:#}", failure.error);
                return self.nothing(connected, &standing.commit, &standing.git_ref, &why);
            }
        };
        let mut push = self.pushed(connected, &repository.head.id.clone(), &event.git_ref);
        push.pusher = who;
        let only = standing.only;
        let found = self.found.as_ref();
        let said = found.map(|_| "GitHub did not tell of it: the server looked".to_owned());
        let asked = self.found.clone();
        let event =
            Event { connected, repository, event, push, only, outside, is_held, asked, said };
        self.taking.intake.take_event(self.id, event)?;
        Ok(Became::Done)
    }

    /// The repository at the commit that is to run, and the event.
    fn read(
        &self,
        mirror: &Path,
        connected: &Connected,
        standing: &Standing,
        who: (String, String),
    ) -> Result<(Repository, TriggeringEvent), Failure> {
        match Repository::bare(mirror, &standing.commit, who.clone()) {
            Err(RepositoryError::NoCommit { .. }) => {
                let why = "it is not there any more: another push took its place";
                return Err(Failure::new(Exit::Missing, why));
            }
            bare => drop(bare?),
        }
        let repository = connected.at(&standing.commit, who)?;
        let payload = self.proven.payload.clone();
        let event = repository.told(&self.proven.event, payload, &standing.about)?;
        Ok((repository, event))
    }

    /// Where a pull request stands; or what becomes of it for now.
    fn pull_request(
        &self,
        link: &Link,
        mirror: &Mirror,
        connected: &Connected,
        pull: &PullRequest,
    ) -> Result<Result<Standing, Became>, Failure> {
        let PullRequest { number, head, head_ref, base_ref, .. } = pull.clone();
        let header = link.github.fetch_header(&connected.name).map_err(failed)?;
        let access = Access { header: Some(header.expose()) };
        let about = About::PullRequest { number, head: head.clone(), head_ref, base_ref };
        let git_ref = format!("refs/pull/{number}/merge");
        let merge = mirror.fetch_pull_request(number, access)?;
        match merge {
            Some(merge) if merge.head == head => {
                Ok(Ok(Standing { commit: merge.commit, git_ref, about, only: None }))
            }
            // Its state of then is past, or GitHub has not merged it yet.
            _ if self.times + 1 < MERGE_TRIES => Ok(Err(Became::Later)),
            merge => {
                let why = match merge {
                    Some(_) => "a newer push to the pull request took its place",
                    None => "GitHub made no merge of it: it conflicts with its base",
                };
                self.nothing(connected, &head, &git_ref, why).map(Err)
            }
        }
    }

    fn nothing(
        &self,
        connected: &Connected,
        commit: &str,
        git_ref: &str,
        why: &str,
    ) -> Result<Became, Failure> {
        let answer = Answer {
            push: self.pushed(connected, commit, git_ref),
            name: connected.name.clone(),
            runs: Vec::new(),
            said: vec![format!("nothing runs: {why}")],
            is_held: false,
        };
        self.taking.intake.say(self.id, &answer)?;
        Ok(Became::Done)
    }

    fn pushed(&self, connected: &Connected, commit: &str, git_ref: &str) -> Pushed {
        let event = self.proven.event.as_str();
        let sender = self.proven.payload.pointer("/sender/login").and_then(|it| it.as_str());
        Pushed {
            repository: connected.path.clone(),
            old: String::new(),
            new: commit.to_owned(),
            git_ref: git_ref.to_owned(),
            pusher: (sender.unwrap_or("github").to_owned(), String::new()),
            at: self.at,
            event: (event != "push").then(|| event.to_owned()),
        }
    }
}

/// Why what a job did starts nothing.
const BY_THE_APP: &str = "the app itself did it, for a job by its GITHUB_TOKEN or for a version: only workflow_dispatch and repository_dispatch start runs then";

/// What GitHub answers; none where it will not, or has no such thing.
fn passing<T>(answered: Result<T, forge::ForgeError>) -> Result<Option<T>, Failure> {
    match answered {
        Err(error) if !error.is_passing() => Ok(None),
        answered => answered.map(Some).map_err(failed),
    }
}

/// What a branch or tag stands for.
fn named(git_ref: String) -> Standing {
    let about = About::Ref(git_ref.clone());
    Standing { commit: git_ref.clone(), git_ref, about, only: None }
}

/// A dispatch may name a branch or a tag by its short name.
fn whole_ref(mirror: &Mirror, name: &str) -> Result<String, Failure> {
    if name.starts_with("refs/") {
        return Ok(name.to_owned());
    }
    let branch = format!("refs/heads/{name}");
    let is_branch = Repository::bare(mirror.path(), &branch, Default::default()).is_ok();
    Ok(if is_branch { branch } else { format!("refs/tags/{name}") })
}
