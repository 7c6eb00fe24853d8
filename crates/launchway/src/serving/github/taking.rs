//! Webhooks: taken when they come, acted upon in their order.
//!
//! Taking is proving and writing down, nothing else; GitHub waits for it. Acting asks GitHub for the
//! commits and hands the event to the intake. What cannot be had now is tried again; the others do
//! not wait for it.

use std::path::Path;
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use event::{Asked, Timestamp};
use forge::{Proven, PullRequest, Said};
use repository::{About, Access, Mirror, RefUpdate, Repository, RepositoryError, TriggeringEvent};
use server::{Received, Refused, Webhook, Why};
use store::{StoreError, Taken, TakenWebhook, Webhooks};

use super::looking::{self, Looked, Move, When};
use super::turns::{Turn, Turns};
use super::{Link, Links, failed, issues};
use crate::exit::{Exit, Failure};
use crate::serving::hook::{Answer, Pushed};
use crate::serving::intake::{Event, Intake};
use crate::serving::moment;
use crate::serving::repositories::{self, Connected, Forks, OnGitHub};
use crate::terminal::style::talk;
use crate::terminal::time::now;

/// What waits is looked at so often where nothing new comes.
const LOOK: Duration = Duration::from_secs(1);
/// What failed is given up when it came so long ago: GitHub delivers it again for three days.
const PATIENCE_MS: u64 = 3 * 24 * 60 * 60 * 1000;
/// GitHub merges a pull request in passing, moments after it tells of it. What is not merged by then
/// conflicts.
const MERGE_TRIES: u32 = 6;

/// Webhooks on their way.
pub(crate) struct Taking {
    pub(crate) links: Arc<Links>,
    intake: Arc<Intake>,
    webhooks: Webhooks,
    pub(super) looked: Looked,
    came: (Mutex<bool>, Condvar),
}

/// What became of one.
enum Acted {
    Done,
    /// Once more, later.
    Later,
    /// It is the end of what is not known here: once more where that comes behind it.
    Early,
}

/// It may name paths, and nobody has signed in: said here, not there.
fn missing(failure: Failure) -> Refused {
    if !store::is_away(failure.error.as_ref()) {
        talk(&format!("warning: {:#}", failure.error));
    }
    Refused::new(Why::Missing, "the server cannot take this now; its own output says why")
}

impl Taking {
    pub(crate) fn new(intake: Arc<Intake>, links: Arc<Links>) -> Result<Taking, Failure> {
        let webhooks = Webhooks::open(intake.data.state.root())
            .map_err(|error| Failure::caused(Exit::Missing, error))?;
        let looked = Looked::of(intake.data.clone());
        Ok(Taking { links, intake, webhooks, looked, came: Default::default() })
    }

    /// How GitHub is reached, and what proves what it tells.
    pub(crate) fn link(&self) -> Result<Link, Refused> {
        let unknown = || Refused::new(Why::NotFound, "no GitHub is connected to this server");
        self.links.get().map_err(missing)?.ok_or_else(unknown)
    }

    /// Proves a webhook and writes it down.
    pub(crate) fn take(&self, webhook: &Webhook<'_>) -> Result<Received, Refused> {
        let link = self.link()?;
        let heads = forge::Heads {
            event: webhook.event,
            delivery: webhook.delivery,
            signature: webhook.signature,
            content_type: webhook.content_type,
        };
        let at = now();
        let proven = forge::prove(&link.webhook_secret, heads, webhook.body, at);
        let proven = proven.map_err(|not| {
            let why = if not == forge::NotTaken::Unproven { Why::Unproven } else { Why::Input };
            Refused::new(why, not.to_string())
        })?;
        if proven.event == "ping" {
            return Ok(Received::Ignored);
        }
        let Some((name, said)) = forge::read(&proven) else {
            return Err(Refused::new(Why::Input, "this is nothing that GitHub says"));
        };
        let known = repositories::on_github(&self.intake.data, &name).map_err(missing)?;
        let is_wanted = known.as_ref().is_some_and(|(connected, _)| match &said {
            Said::Nothing { .. } => false,
            // Only where somebody said which label makes an incident.
            Said::Issue(issue) => issues::incident(connected, issue).is_some(),
            _ => true,
        });
        if !is_wanted {
            return Ok(Received::Ignored);
        }
        let new = TakenWebhook {
            id: proven.id,
            digest: proven.digest,
            event: proven.event,
            at,
            body: webhook.body.to_vec(),
        };
        let taken = self.webhooks.take(new);
        let taken = taken.map_err(|error| missing(Failure::caused(Exit::Missing, error)))?;
        if taken == Taken::Known {
            return Ok(Received::Known);
        }
        self.wake();
        Ok(Received::New)
    }

    /// Takes a push that a look found.
    pub(super) fn found(&self, push: TakenWebhook, update: &RefUpdate) -> Result<(), Failure> {
        let name = forge::read(&proven(&push)).map(|(name, _)| name).unwrap_or_default();
        let taken = self.webhooks.take(push);
        let taken = taken.map_err(|error| Failure::caused(Exit::Missing, error))?;
        if taken == Taken::New {
            let git_ref = &update.git_ref;
            talk(&format!(
                "{name}: {git_ref} was pushed, and GitHub did not tell; it is taken now"
            ));
            self.wake();
        }
        Ok(())
    }

    fn wake(&self) {
        *self.came.0.lock().expect("nobody panics while holding it") = true;
        self.came.1.notify_all();
    }

    /// Acts until the other end of `stop` is dropped.
    pub(crate) fn run(&self, stop: &Receiver<()>) {
        let mut turns = Turns::default();
        let mut forgotten = None;
        while let Err(std::sync::mpsc::TryRecvError::Empty) = stop.try_recv() {
            if let Err(failure) = self.act_on_all(&mut turns, stop)
                && !store::is_away(failure.error.as_ref())
            {
                talk(&format!("warning: {:#}", failure.error));
            }
            let day = now().0 / (24 * 60 * 60 * 1000);
            if forgotten != Some(day) {
                forgotten = Some(day);
                let before = Timestamp(now().0.saturating_sub(forge::KEPT_MS));
                if let Err(error) = self.webhooks.forget_before(before)
                    && !store::is_away(&error)
                {
                    talk(&format!("warning: {error}"));
                }
            }
            let came = self.came.0.lock().expect("nobody panics while holding it");
            let (mut came, _) = self
                .came
                .1
                .wait_timeout_while(came, LOOK, |came| !*came)
                .expect("nobody panics while holding it");
            *came = false;
        }
    }

    fn act_on_all(&self, turns: &mut Turns, stop: &Receiver<()>) -> Result<(), Failure> {
        let mut last = 0;
        turns.begin();
        let missing = |error| Failure::caused(Exit::Missing, error);
        loop {
            let places = self.webhooks.places(last).map_err(missing)?;
            let Some((end, _)) = places.last() else { return Ok(()) };
            last = *end;
            for (place, id) in places {
                if !matches!(stop.try_recv(), Err(std::sync::mpsc::TryRecvError::Empty)) {
                    return Ok(());
                }
                self.act_in_turn(turns, place, &id).map_err(missing)?;
            }
        }
    }

    /// Acts upon one, where it is its turn. What waits behind another is read once, and no more until then.
    fn act_in_turn(&self, turns: &mut Turns, place: i64, id: &str) -> Result<(), StoreError> {
        let mut webhook = None;
        let about = match turns.known(id) {
            Some(about) => about,
            None => {
                webhook = self.webhooks.at(place)?;
                webhook.as_ref().and_then(about)
            }
        };
        let turn = |now| Turn { id, about: about.as_deref(), now };
        let Some(times) = turns.times(turn(Instant::now())) else { return Ok(()) };
        if webhook.is_none() {
            webhook = self.webhooks.at(place)?;
        }
        let acted = webhook.map_or(Acted::Done, |it| self.act(&it, times));
        let turn = turn(Instant::now());
        let is_over = match acted {
            Acted::Done => true,
            Acted::Early => !turns.early(turn),
            Acted::Later => {
                turns.later(turn);
                false
            }
        };
        if is_over {
            self.webhooks.done(id)?;
            turns.done(turn);
        }
        Ok(())
    }

    fn act(&self, webhook: &TakenWebhook, times: u32) -> Acted {
        let TakenWebhook { id, event, at, .. } = webhook;
        let proven = proven(webhook);
        let id = format!("{:015}-{id}", at.0);
        let Some((name, said)) = forge::read(&proven) else { return Acted::Done };
        let is_found = looking::is_found(&webhook.id);
        let found =
            is_found.then(|| Asked { proof: "".into(), source: "looked".into(), address: None });
        let told = Told { taking: self, proven: &proven, at: *at, id: &id, times, found };
        let acted = match repositories::on_github(&self.intake.data, &name) {
            Ok(Some(connected)) => told.act_once(&connected, said),
            // It was taken away meanwhile.
            Ok(None) => Ok(Acted::Done),
            Err(failure) => Err(failure),
        };
        let is_old = at.0 + PATIENCE_MS < now().0;
        if acted.is_err() && is_old {
            // What is given up is not found anew.
            if let Err(failure) = told.settle(&name) {
                talk(&format!("warning: {name}: {:#}", failure.error));
            }
        }
        match acted {
            // It is the end of none of ours.
            Ok(Acted::Early) if is_old => Acted::Done,
            Ok(acted) => acted,
            Err(failure) => {
                let ends = if is_old { "; it is given up" } else { "; it is tried again" };
                if times == 0 || is_old {
                    talk(&format!("warning: {event} of {name}: {:#}{ends}", failure.error));
                }
                if is_old { Acted::Done } else { Acted::Later }
            }
        }
    }
}

/// A webhook that is acted upon.
struct Told<'t> {
    taking: &'t Taking,
    proven: &'t Proven,
    at: Timestamp,
    /// What its order and its answer are called.
    id: &'t str,
    times: u32,
    /// How it came here, where a look found it.
    found: Option<Asked>,
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
    fn act_once(&self, on: &(Connected, OnGitHub), said: Said) -> Result<Acted, Failure> {
        if let Some(acted) = self.refuse_own(&on.0, &said)? {
            return Ok(acted);
        }
        let Said::Push { git_ref, before, after } = said.clone() else {
            return self.act(on, said);
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
            return Ok(Acted::Done);
        }
        let acted = match &self.found {
            Some(found) => self.act_as_found(on, (&git_ref, &after), found)?,
            None => self.act(on, said)?,
        };
        if matches!(acted, Acted::Done) {
            let at = match self.found {
                Some(_) => When::Looked(self.at),
                None => When::Said(pushed_at),
            };
            looked.acted(name, &Move { git_ref: &git_ref, before: &before, after: &after, at })?;
        }
        Ok(acted)
    }

    /// What a job did with its own token starts nothing, or it would start itself for ever; but for the two
    /// events that are there to start something (conformance 22).
    fn refuse_own(&self, connected: &Connected, said: &Said) -> Result<Option<Acted>, Failure> {
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
        let acted = self.nothing(connected, &commit, &git_ref, BY_A_JOB)?;
        self.settle(&connected.name)?;
        Ok(Some(acted))
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
    fn settle(&self, name: &str) -> Result<(), Failure> {
        let Some((_, said)) = forge::read(self.proven) else { return Ok(()) };
        let Said::Push { git_ref, before, after } = said else { return Ok(()) };
        let at = forge::happened_at(&self.proven.event, &self.proven.payload);
        let push = Move { git_ref: &git_ref, before: &before, after: &after, at: When::Said(at) };
        self.taking.looked.acted(name, &push)
    }

    /// What is known of a push that a look found, as GitHub would have told it.
    fn act_as_found(
        &self,
        on: &(Connected, OnGitHub),
        (git_ref, after): (&str, &str),
        found: &Asked,
    ) -> Result<Acted, Failure> {
        let connected = &on.0;
        let link = self.link()?;
        let mirror = super::mirror(&link, connected)?;
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
            Err(_) => return self.act(on, said),
            Ok(there) => there,
        };
        let moved = passing(link.github.moved(&connected.name, git_ref, after))?.flatten();
        if let Some(moved) = &moved
            && self.is_by_us(&moved.sender)?
        {
            return self.nothing(connected, after, git_ref, BY_A_JOB);
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
            Some(acted) => Ok(acted),
            None => told.act(on, said),
        }
    }

    fn link(&self) -> Result<Link, Failure> {
        let link = self.taking.links.get()?;
        link.ok_or_else(|| Failure::new(Exit::Missing, "no GitHub is connected"))
    }

    fn act(&self, (connected, on): &(Connected, OnGitHub), said: Said) -> Result<Acted, Failure> {
        if let Said::Issue(issue) = &said {
            let taken = issues::take(&self.taking.intake.store, connected, issue)?;
            return Ok(if taken == issues::Took::Early { Acted::Early } else { Acted::Done });
        }
        let link = self.link()?;
        let mirror = super::mirror(&link, connected)?;
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
                    Err(acted) => return Ok(acted),
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
            Said::Issue(_) | Said::Nothing { .. } => return Ok(Acted::Done),
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
        Ok(Acted::Done)
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
    ) -> Result<Result<Standing, Acted>, Failure> {
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
            _ if self.times + 1 < MERGE_TRIES => Ok(Err(Acted::Later)),
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
    ) -> Result<Acted, Failure> {
        let answer = Answer {
            push: self.pushed(connected, commit, git_ref),
            name: connected.name.clone(),
            runs: Vec::new(),
            said: vec![format!("nothing runs: {why}")],
            is_held: false,
        };
        self.taking.intake.say(self.id, &answer)?;
        Ok(Acted::Done)
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
const BY_A_JOB: &str = "a job did it with its own GITHUB_TOKEN: only workflow_dispatch and repository_dispatch start runs then";

/// What GitHub answers; none where it will not, or has no such thing.
fn passing<T>(answered: Result<T, forge::ForgeError>) -> Result<Option<T>, Failure> {
    match answered {
        Err(error) if !error.is_passing() => Ok(None),
        answered => answered.map(Some).map_err(failed),
    }
}

fn proven(webhook: &TakenWebhook) -> Proven {
    let TakenWebhook { id, event, body, .. } = webhook;
    let payload = serde_json::from_slice(body).unwrap_or_default();
    Proven { id: id.clone(), event: event.clone(), digest: None, payload }
}

/// What a webhook is about, where those of one thing keep their order: an issue, a branch or a tag. The run of an older
/// push behind that of a newer one would cancel it, or ship over it.
fn about(webhook: &TakenWebhook) -> Option<String> {
    if !matches!(&*webhook.event, "issues" | "push") {
        return None;
    }
    match forge::read(&proven(webhook))? {
        (name, Said::Issue(issue)) => Some(issue.key(&name)),
        (name, Said::Push { git_ref, .. }) => Some(format!("{name} {git_ref}")),
        _ => None,
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_keeps_its_order_is_an_issue_a_branch_or_a_tag() {
        let check = |event: &str, more: serde_json::Value, expect: Option<&str>| {
            let mut payload = json!({ "repository": { "full_name": "octo/app" } });
            payload.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            let webhook = TakenWebhook {
                id: "1".to_owned(),
                digest: None,
                event: event.to_owned(),
                at: Timestamp(1),
                body: payload.to_string().into_bytes(),
            };
            assert_eq!(about(&webhook).as_deref(), expect, "{event}");
        };
        let push = |git_ref: &str| {
            let (before, after) = ("1".repeat(40), "2".repeat(40));
            json!({ "ref": git_ref, "before": before, "after": after, "deleted": false })
        };
        check("push", push("refs/heads/main"), Some("octo/app refs/heads/main"));
        check("push", push("refs/tags/v1"), Some("octo/app refs/tags/v1"));
        check("workflow_dispatch", json!({ "ref": "main", "workflow": "ci.yml" }), None);
        check("repository_dispatch", json!({ "action": "nightly" }), None);
        check("push", json!({}), None);
    }
}
