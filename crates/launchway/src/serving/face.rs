//! What the pages may ask for, answered by the loop, the inbox, and the data folder.

mod changes;
pub(super) mod deployments;
pub(super) mod in_force;
#[cfg(test)]
mod recorded;
pub(super) mod sign_in;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use driver::{Input, Owner};
use event::{
    Actor, CancelReason, Conclusion, DeploymentId, IncidentId, JobKey, Seq, StreamId, WaitReason,
};
use figures::Goals;
use mask::MaskedText;
use ports::Journal as _;
use scheduler::Rerun;
use serde_json::json;
use server::{
    Again, AnswerSaid, Changes, ConnectedRepository, ConsolePage, Dispatch, Engine,
    FollowedRepository, GateAnswer, GuardedEnvironment, HandedIn, HeldPush, InForce, IncidentAsk,
    KeepWish, KeptName, KnownWorkflow, LetIn, Named, Offer, Push, Reason, Received, Record,
    Refused, Runner, RunnerLink, Switched, SyncDone, SyncOrder, SyncPlan, SyncWish, Takes, Teller,
    WaitingJob, Webhook, Why, Workers,
};
use versions::{VersionList, VersionRecord};
use views::{DeploymentView, RunView};

use self::changes::Brought;
use self::in_force::Started;
use super::arriving::dispatch;
use super::arriving::following;
use super::arriving::hook;
use super::data;
use super::data::ready::Readiness;
use super::drive::gates;
use super::drive::places::{self, HERE, Link, sentence};
use super::drive::tokens::JobTokens;
use super::github::syncing;
use super::github::taking::Taking;
use super::incidents;
use super::incidents::pagerduty::Pages;
use super::intake::answers::{Keyed, order_name};
use super::intake::orders::{Order, Ordered};
use super::intake::{self, Intake};
use super::repositories::at_tips::AtTips;
use super::repositories::connections;
use super::repositories::keeping;
use super::repositories::switches;
use super::repositories::tagged;
use super::repositories::{self, Connected};
use crate::commands::look_ahead;
use crate::deploying::console;
use crate::deploying::stop::Stop;
use crate::exit::{Exit, Failure};
use crate::running::again;
use crate::running::prepare::refuse::UNKNOWN_LABEL;
use crate::state::StateFolder;
use crate::telling::ServedTests;
use crate::terminal::time::now;
use crate::{goals, kept, random};

/// What the server is to its pages.
pub(crate) struct Face {
    intake: Arc<Intake>,
    tokens: Arc<JobTokens>,
    taking: Arc<Taking>,
    tests: ServedTests,
    pages: Pages,
    /// The loop has ended, or never began.
    is_stopped: Arc<AtomicBool>,
    /// One new attempt at a time: a key is looked for before it is used.
    turn: Mutex<()>,
    readiness: Readiness,
    started: Started,
    tips: AtTips,
    brought: Brought,
}

impl Face {
    pub(crate) fn new(
        intake: Arc<Intake>,
        taking: Arc<Taking>,
        tokens: Arc<JobTokens>,
        tests: ServedTests,
        (is_stopped, started): (&Arc<AtomicBool>, Started),
    ) -> Face {
        let is_stopped = Arc::clone(is_stopped);
        let pages = Pages::of(intake.data.clone());
        Face {
            intake,
            tokens,
            taking,
            tests,
            pages,
            is_stopped,
            turn: Mutex::default(),
            readiness: Readiness::default(),
            started,
            tips: AtTips::default(),
            brought: Brought::default(),
        }
    }
}

pub(super) fn refused(failure: Failure) -> Refused {
    let why = match failure.exit {
        Exit::Usage => Why::Conflict,
        Exit::Refused => Why::Input,
        Exit::Forbidden => Why::Forbidden,
        _ => Why::Missing,
    };
    let hint = (!failure.hints.is_empty()).then(|| failure.hints.join("; "));
    Refused { why, message: format!("{:#}", failure.error), hint }
}

/// The same, of what is looked for by a name: there is none that is called so, and nothing stands in its way.
fn not_found(failure: Failure) -> Refused {
    let is_none = failure.exit == Exit::Usage;
    let refused = refused(failure);
    if is_none { Refused { why: Why::NotFound, ..refused } } else { refused }
}

/// What the server's own crate writes down, as what is done here asks for it.
fn recorded(record: Record<'_>) -> impl Fn(&str) -> Result<(), Failure> {
    move |name| record(name).map_err(|it| Failure::new(Exit::Missing, it.message))
}

impl Face {
    /// A connected repository. Whoever asks may not sit at the server's machine: no command there is named.
    fn connected(&self, repository: &str) -> Result<Connected, Refused> {
        let found = keeping::connected(&self.intake.data, repository);
        found.map_err(|failure| Refused { hint: None, ..not_found(failure) })
    }

    fn view(&self, stream: StreamId) -> Result<RunView, Refused> {
        let events = self.intake.store.read(stream, Seq(0));
        let events = events.map_err(|error| Refused::new(Why::Missing, error.to_string()))?;
        RunView::of(events.iter().map(|it| &it.event))
            .ok_or_else(|| Refused::new(Why::NotFound, "there is no such run"))
    }

    /// The view of a run that this server drives.
    fn driven(&self, stream: StreamId) -> Result<RunView, Refused> {
        let view = self.view(stream)?;
        let run = view.header.run;
        if let Some(conclusion) = view.conclusion {
            return Err(Refused::new(Why::Conflict, format!("run {run} is over: {conclusion}")));
        }
        if !self.intake.handle.drives(stream) {
            let message = format!("run {run} is not driven by this server");
            return Err(Refused::new(Why::Conflict, message));
        }
        Ok(view)
    }

    fn again(
        &self,
        stream: StreamId,
        which: Again,
        (by, reason): (&Actor, &Reason),
        key: Option<&str>,
    ) -> Result<StreamId, Failure> {
        // Who asks again of `runs/7` means a newer attempt by then, and the same run.
        let run = stream.as_run().map(|it| it.0);
        let asked = json!(which == Again::Failed);
        let key = key.map(|key| Keyed::of(&format!("rerun {run:?}"), key, &asked));
        self.once(key, |store, state| {
            let mut request = again::request(store, stream)?;
            let claimed = Owner::claim(&state.owners(), stream);
            // While it is held, nobody prunes what the new attempt takes over.
            let taken_from = claimed.map_err(|error| Failure::caused(Exit::Missing, error))?;
            let Some(taken_from) = taken_from else {
                let message = format!("run {} is not over", request.run);
                return Err(Failure::new(Exit::Usage, message));
            };
            let which = if which == Again::Failed { Rerun::Failed } else { Rerun::All };
            let carried = crate::commands::carried(store, stream, &which)?;
            let mut findings = Vec::new();
            let _ = look_ahead(std::slice::from_ref(&request), &request.terms, &mut findings);
            // A label that no machine has today is waited for.
            findings.retain(|it| it.rule != UNKNOWN_LABEL);
            if let Some(finding) = findings.first() {
                return Err(Failure::new(Exit::Refused, &finding.message));
            }
            let path = std::path::Path::new(&*request.repository_path);
            let identity = again::Known::of(state, path, &request.change.commit)?.identity;
            let mut secrets = std::collections::BTreeMap::new();
            if !request.terms.outside {
                kept::add_secrets(state, &identity, &mut secrets)?;
            }
            request.secret_names = secrets.into_keys().collect();
            request.triggering_actor = by.name.as_str().into();
            request.asked = Some(reason.asked(by));
            request.at = now();
            // What an earlier version took this one may refuse.
            if let Some(why) = intake::refused(&request) {
                return Err(Failure::new(Exit::Refused, why));
            }
            let attempt = store.allocate_attempt(request.run);
            request.attempt = attempt.map_err(|error| Failure::caused(Exit::Missing, error))?;
            Ok((Ordered { request, carried }, Some(taken_from)))
        })
    }

    /// Makes a run, once for a key however often it is asked. What `make` gives besides is held until
    /// the order is on disk.
    fn once(
        &self,
        key: Option<Keyed>,
        make: impl FnOnce(&store::Store, &StateFolder) -> Result<(Ordered, Option<Owner>), Failure>,
    ) -> Result<StreamId, Failure> {
        let _turn = self.turn.lock().expect("nobody panics while having the turn");
        let Intake { data, store, .. } = &*self.intake;
        if let Some(key) = &key
            && let Some(made) = key.made(data, store)?
        {
            return Ok(made);
        }
        let (ordered, held) = make(store, &data.state)?;
        let request = &ordered.request;
        let made = StreamId::Run(request.run, request.attempt);
        let id = order_name(request);
        key.map_or(Ok(()), |key| key.keep(data, made, &id))?;
        data::write(&data.order(&id), &Order { runs: vec![ordered], answer: None })?;
        drop(held);
        self.intake.carry_out(&id)?;
        Ok(made)
    }
}

impl Engine for Face {
    fn id_token(&self, bearer: &str, audience: Option<&str>) -> Result<String, Refused> {
        self.tokens.token(bearer, audience)
    }

    fn github_token(&self, bearer: &str) -> Result<serde_json::Value, Refused> {
        self.tokens.github_token(bearer)
    }

    fn oidc_discovery(&self) -> serde_json::Value {
        self.tokens.discovery()
    }

    fn oidc_keys(&self) -> Result<serde_json::Value, Refused> {
        self.tokens.key_set()
    }

    fn is_attended(&self, stream: StreamId) -> bool {
        if self.intake.handle.drives(stream) {
            return true;
        }
        let owners = self.intake.data.state.owners();
        // Where it cannot be told, what the journal says stands.
        Owner::holder(&owners, stream).map_or(true, |holder| holder.is_some())
    }

    fn console(&self, view: &DeploymentView) -> Vec<ConsolePage> {
        console::pages(view)
    }

    fn workers(&self) -> Workers {
        let (busy, ready) = self.intake.handle.load();
        Workers { width: self.intake.handle.width(), busy, ready }
    }

    fn runners(&self) -> Vec<Runner> {
        places::lines(&self.intake.handle)
    }

    fn driven(&self) -> Vec<StreamId> {
        self.intake.handle.driving()
    }

    fn serve_runner(&self, name: &str, repositories: &[String], link: RunnerLink) {
        if name == HERE {
            return;
        }
        let link: Arc<dyn runners::Link> = Arc::new(Link(link));
        self.intake.handle.fleet().serve(name, repositories, &link);
    }

    fn queue(&self) -> Vec<WaitingJob> {
        let queue = self.intake.handle.queue().into_iter();
        let waiting =
            queue.map(|(stream, job, why)| WaitingJob { stream, job, why: sentence(&why) });
        waiting.collect()
    }

    fn waits(&self, stream: StreamId) -> BTreeMap<JobKey, String> {
        let waiting = self.intake.handle.waits(stream).into_iter();
        waiting.map(|(job, why)| (job, sentence(&why))).collect()
    }

    fn set_runner(&self, name: &str, takes: Takes, record: Record<'_>) -> Result<(), Refused> {
        let handle = &self.intake.handle;
        let fleet = handle.fleet();
        handle.places().set(fleet, name, takes, &recorded(record)).map_err(refused)?;
        handle.send(Input::Places(handle.places().all(fleet).map_err(refused)?));
        Ok(())
    }

    fn cancel(&self, stream: StreamId, by: &Actor, reason: &Reason) -> Result<(), Refused> {
        self.driven(stream)?;
        let asked = Some(reason.asked(by));
        let reason = CancelReason::Person { by: by.name.clone(), asked };
        self.intake.handle.send(Input::Cancel { stream: Some(stream), job: None, reason });
        Ok(())
    }

    fn rerun(
        &self,
        stream: StreamId,
        which: Again,
        by: &Actor,
        reason: &Reason,
        key: Option<&str>,
    ) -> Result<StreamId, Refused> {
        let view = self.view(stream)?;
        let failed = |it: &views::JobView| {
            !matches!(it.conclusion, Some(Conclusion::Success | Conclusion::Skipped))
        };
        if which == Again::Failed && view.conclusion.is_some() && !view.jobs.iter().any(failed) {
            return Err(Refused::new(Why::Conflict, "no job of it failed"));
        }
        if view.conclusion.is_some() {
            self.intake.handle.let_go(stream);
        }
        self.again(stream, which, (by, reason), key).map_err(refused)
    }

    fn resume(&self, stream: StreamId, by: &Actor, reason: &Reason) -> Result<(), Refused> {
        let view = self.driven(stream)?;
        let waits = |it: &views::JobView| matches!(it.waiting, Some(WaitReason::Person { .. }));
        if !view.jobs.iter().any(waits) {
            let message = "no job of it waits for a person";
            return Err(Refused::new(Why::Conflict, message));
        }
        let (by, asked) = (by.name.clone(), Some(reason.asked(by)));
        self.intake.handle.send(Input::Resume { stream, job: None, by, asked });
        Ok(())
    }

    fn in_force(&self) -> Result<InForce, Refused> {
        in_force::read(&self.started, &self.intake.data).map_err(refused)
    }

    fn repositories(&self) -> Result<Vec<ConnectedRepository>, Refused> {
        let known = repositories::all(&self.intake.data).map_err(refused)?;
        let elsewhere = |it: &repositories::Connected| {
            let Some(followed) = &it.followed else { return Ok(None) };
            let trouble =
                following::trouble(&self.intake.data, &it.name, followed).map_err(refused)?;
            // Where it lies here is nothing to who may look.
            let path = it.path.display().to_string();
            let root = self.intake.data.state.root().display().to_string();
            let trouble = trouble.map(|why| why.replace(&path, &it.name));
            let trouble = trouble.map(|why| why.replace(&root, "the server's folder"));
            let (url, every_seconds) = (followed.url.clone(), followed.every_seconds);
            Ok(Some(FollowedRepository { url, every_seconds, trouble }))
        };
        let line = |it: repositories::Connected| {
            Ok(ConnectedRepository {
                elsewhere: elsewhere(&it)?,
                switched_off: switches::off(&self.intake.data, &it.name).map_err(refused)?,
                name: it.name,
                path: it.path.display().to_string(),
                environments: it.environments,
            })
        };
        known.into_iter().map(line).collect()
    }

    fn pushes(&self, limit: usize, wanted: &dyn Fn(&str) -> bool) -> Result<Vec<Push>, Refused> {
        hook::newest(&self.intake.data, limit, wanted).map_err(refused)
    }

    fn held(&self) -> Result<Vec<HeldPush>, Refused> {
        repositories::held(&self.intake.data).map_err(refused)
    }

    fn let_in(&self, id: &str, by: &str, record: Record<'_>) -> Result<LetIn, Refused> {
        let _turn = self.turn.lock().expect("nobody panics while having the turn");
        let let_in = repositories::let_in(&self.intake.data, id, by, &recorded(record));
        let let_in = let_in.map_err(refused)?;
        let_in.ok_or_else(|| Refused::new(Why::NotFound, "nothing waits that is called so"))
    }

    fn versions(&self, repository: &str) -> Result<VersionList, Refused> {
        let connected = self.connected(repository)?;
        tagged::list(&self.intake.data, &self.intake.store, &connected).map_err(refused)
    }

    fn version(&self, repository: &str, tag: &str) -> Result<VersionRecord, Refused> {
        let connected = self.connected(repository)?;
        let found = tagged::show(&self.intake.data, &self.intake.store, (&connected, tag));
        let none = || Refused::new(Why::NotFound, tagged::no_such(repository, tag));
        found.map_err(refused)?.ok_or_else(none)
    }

    fn offer(&self, repository: &str, git_ref: Option<&str>) -> Result<Offer, Refused> {
        dispatch::offer(&self.intake, repository, git_ref)
    }

    fn dispatch(
        &self,
        wanted: &Dispatch,
        by: &Actor,
        key: Option<&str>,
    ) -> Result<StreamId, Refused> {
        let Dispatch { repository, git_ref, workflow, inputs, .. } = wanted;
        let asked = json!([git_ref, workflow, inputs]);
        let key = key.map(|key| Keyed::of(&format!("dispatch {repository}"), key, &asked));
        let made = self.once(key, |_, _| Ok((dispatch::ordered(&self.intake, wanted, by)?, None)));
        made.map_err(refused)
    }

    fn answer(&self, answer: &GateAnswer) -> Result<(), Refused> {
        let GateAnswer { stream, job, gate, what, said, reason, by } = answer.clone();
        self.driven(stream)?;
        let id = random::hex::<16>().map_err(refused)?;
        let text = |text: String| MaskedText::without_secrets(text);
        let answer = scheduler::Answer {
            id: id.into(),
            gate,
            by,
            what,
            said: match said {
                AnswerSaid::Approve => scheduler::Said::Yes,
                AnswerSaid::Reject => scheduler::Said::No,
                AnswerSaid::Confirm(word) => scheduler::Said::Word(word.into()),
            },
            reason: reason.map(text),
        };
        match self.intake.handle.answer(stream, job, answer).map_err(refused)? {
            None => Ok(()),
            Some(why) => Err(Refused::new(Why::Forbidden, why.as_str())),
        }
    }

    fn changes(
        &self,
        repository: &str,
        environment: &str,
        commit: &str,
    ) -> Result<Changes, Refused> {
        let connected = self.connected(repository)?;
        self.brought.of(&self.intake.data, &connected, (environment, commit)).map_err(refused)
    }

    fn waiting_deployments(&self) -> Result<Vec<serde_json::Value>, Refused> {
        deployments::waiting(&self.intake.store)
    }

    fn approval_request(&self, id: DeploymentId) -> Result<serde_json::Value, Refused> {
        deployments::request(&self.intake.store, id)
    }

    fn hand_in(&self, id: DeploymentId, signed: &str) -> Result<HandedIn, Refused> {
        deployments::hand_in((&self.intake.store, &self.intake.data.state), id, signed)
    }

    fn cancel_deployment(
        &self,
        id: DeploymentId,
        by: &Actor,
        reason: Option<&str>,
    ) -> Result<bool, Refused> {
        let reason = reason.map(MaskedText::without_secrets);
        let stop = Stop { by: by.clone(), reason };
        deployments::cancel((&self.intake.store, &self.intake.data.state), id, stop)
    }

    fn environments(&self, repository: &str) -> Result<Vec<GuardedEnvironment>, Refused> {
        gates::environments(&self.intake.data, repository).map_err(refused)
    }

    fn goals(&self, repository: &str) -> Result<Goals, String> {
        let Ok(connected) = self.connected(repository) else { return Ok(Goals::default()) };
        let settings = self.tips.of(&connected).map_err(|it| format!("{:#}", it.error))?;
        Ok(settings.as_deref().map(goals::of).unwrap_or_default())
    }

    fn kept(&self, repository: &str) -> Result<Vec<KeptName>, Refused> {
        self.connected(repository)?;
        keeping::list(&self.intake.data, repository).map_err(refused)
    }

    fn named(&self, repository: &str) -> Result<Named, Refused> {
        self.connected(repository)?;
        keeping::named_values(&self.intake.data, repository).map_err(refused)
    }

    fn keep(&self, wish: &KeepWish, record: Record<'_>) -> Result<(), Refused> {
        self.connected(&wish.repository)?;
        keeping::change(&self.intake.data, wish, &recorded(record)).map_err(refused)
    }

    fn plan_sync(&self, repository: &str, wish: &SyncWish) -> Result<SyncPlan, Refused> {
        self.connected(repository)?;
        syncing::plan(&self.intake.data, repository, wish).map_err(refused)
    }

    fn sync(
        &self,
        repository: &str,
        order: &SyncOrder,
        record: &dyn Fn(&str, String) -> Result<(), Refused>,
    ) -> Result<SyncDone, Refused> {
        self.connected(repository)?;
        let record = |action: &str, object: String| {
            record(action, object).map_err(|it| Failure::new(Exit::Missing, it.message))
        };
        syncing::put(&self.intake.data, repository, order, &record).map_err(refused)
    }

    fn workflows(&self, repository: &str) -> Result<Vec<KnownWorkflow>, Refused> {
        self.connected(repository)?;
        switches::list(&self.intake.data, repository).map_err(refused)
    }

    fn switch_workflow(
        &self,
        repository: &str,
        workflow: &str,
        is_on: bool,
        record: Record<'_>,
    ) -> Result<Switched, Refused> {
        self.connected(repository)?;
        let _turn = self.turn.lock().expect("nobody panics while having the turn");
        let record = recorded(record);
        let switched = switches::switch(&self.intake.data, repository, workflow, is_on, &record);
        switched.map_err(not_found)
    }

    fn connections(&self) -> Result<Vec<serde_json::Value>, Refused> {
        connections::described(&self.intake.data).map_err(refused)
    }

    fn test_rule(&self, repository: &str, rule: &str) -> Result<(), Refused> {
        let connected = self.connected(repository)?;
        self.tests.send(&connected, rule).map_err(refused)
    }

    fn incident(&self, ask: &IncidentAsk) -> Result<IncidentId, Refused> {
        incidents::done(&self.intake, ask)
    }

    fn hears(&self, teller: Teller) -> Result<(), Refused> {
        match teller {
            Teller::GitHub => self.taking.link().map(drop),
            Teller::PagerDuty => self.pages.connected().map(drop),
        }
    }

    fn webhook(&self, webhook: &Webhook<'_>) -> Result<Received, Refused> {
        match webhook.teller {
            Teller::GitHub => self.taking.take(webhook),
            Teller::PagerDuty => self.pages.take(&self.intake, webhook),
        }
    }

    fn is_unready(&self) -> Option<String> {
        let is_stopped = self.is_stopped.load(Ordering::Relaxed);
        if is_stopped {
            return Some("the loop that drives runs has ended".to_owned());
        }
        self.readiness.trouble(&self.intake.data, &self.intake.store)
    }
}
