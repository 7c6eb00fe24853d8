//! Webhooks: taken when they come, acted upon in their order.
//!
//! Taking is proving and writing down, nothing else; GitHub waits for it. Acting asks GitHub for the
//! commits and hands the event to the intake. What cannot be had now is tried again; the others do
//! not wait for it.

mod told;

use std::sync::mpsc::Receiver;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use event::{Asked, Timestamp};
use forge::{Proven, Said};
use repository::RefUpdate;
use server::{Received, Refused, Webhook, Why};
use store::{StoreError, Taken, TakenWebhook, Webhooks};

use self::told::{Became, Told};
use super::looking::{self, Looked};
use super::turns::{Turn, Turns};
use super::{Link, Links, issues};
use crate::exit::{Exit, Failure};
use crate::serving::intake::Intake;
use crate::serving::repositories;
use crate::terminal::style::talk;
use crate::terminal::time::now;

/// What waits is looked at so often where nothing new comes.
const LOOK: Duration = Duration::from_secs(1);
/// What failed is given up when it came so long ago: GitHub delivers it again for three days.
const PATIENCE_MS: u64 = 3 * 24 * 60 * 60 * 1000;

/// Webhooks on their way.
pub(crate) struct Taking {
    pub(crate) links: Arc<Links>,
    intake: Arc<Intake>,
    webhooks: Webhooks,
    pub(super) looked: Looked,
    came: (Mutex<bool>, Condvar),
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
            if let Err(failure) = self.go_round(&mut turns, stop)
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

    fn go_round(&self, turns: &mut Turns, stop: &Receiver<()>) -> Result<(), Failure> {
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
                self.in_turn(turns, place, &id).map_err(missing)?;
            }
        }
    }

    /// Acts upon one, where it is its turn. What waits behind another is read once, and no more until then.
    fn in_turn(&self, turns: &mut Turns, place: i64, id: &str) -> Result<(), StoreError> {
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
        let became = webhook.map_or(Became::Done, |it| self.take_up(&it, times));
        let turn = turn(Instant::now());
        let is_over = match became {
            Became::Done => true,
            Became::Early => !turns.early(turn),
            Became::Later => {
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

    fn take_up(&self, webhook: &TakenWebhook, times: u32) -> Became {
        let TakenWebhook { id, event, at, .. } = webhook;
        let proven = proven(webhook);
        let id = format!("{:015}-{id}", at.0);
        let Some((name, said)) = forge::read(&proven) else { return Became::Done };
        let is_found = looking::is_found(&webhook.id);
        let found = is_found.then(|| Asked { source: "looked".into(), ..Asked::default() });
        let told = Told { taking: self, proven: &proven, at: *at, id: &id, times, found };
        let became = match repositories::on_github(&self.intake.data, &name) {
            Ok(Some(connected)) => told.take_up(&connected, said),
            // It was taken away meanwhile.
            Ok(None) => Ok(Became::Done),
            Err(failure) => Err(failure),
        };
        let is_old = at.0 + PATIENCE_MS < now().0;
        if became.is_err() && is_old {
            // What is given up is not found anew.
            if let Err(failure) = told.settle(&name) {
                talk(&format!("warning: {name}: {:#}", failure.error));
            }
        }
        match became {
            // It is the end of none of ours.
            Ok(Became::Early) if is_old => Became::Done,
            Ok(became) => became,
            Err(failure) => {
                let ends = if is_old { "; it is given up" } else { "; it is tried again" };
                if times == 0 || is_old {
                    talk(&format!("warning: {event} of {name}: {:#}{ends}", failure.error));
                }
                if is_old { Became::Done } else { Became::Later }
            }
        }
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
