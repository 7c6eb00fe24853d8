//! The background: how steps go there, begin there, and are waited for (conformance 141).

use std::sync::Arc;

use event::Conclusion;
use workflow::{Step, StepBody};

use super::{Decision, forgiven, still_holds};
use crate::background::{Background, Control, Course, Waiting, worst};
use crate::deed::DeedBody;
use crate::evaluate::Wrong;
use crate::fact::{Decided, Fact};
use crate::outcome::Effects;
use crate::state::Task;
use crate::step::{Stand, stage_key};

impl<'a> Decision<'a> {
    /// What was just decided about a background step becomes how it begins once a slot is free. One
    /// that is skipped ends where it stands, and its action is read there.
    pub(super) fn put_aside(&mut self, task: &Task) {
        let stays = |fact: &Fact| match &fact.0 {
            Decided::Owed { deed, .. } => matches!(deed.body, DeedBody::ReadAction { .. }),
            Decided::Ended { ended, .. } => ended.outcome == Conclusion::Skipped,
            _ => false,
        };
        if !self.state.goes_aside(task) || self.facts.iter().any(stays) {
            return;
        }
        let begin: Vec<Decided> = self.facts.drain(..).map(|fact| fact.0).collect();
        let name = begin.iter().find_map(|decided| match decided {
            Decided::Began { name, .. } => Some(name.clone()),
            _ => None,
        });
        let name = name.expect("what is neither skipped nor read begins");
        self.decide(Decided::WentAside { task: task.clone(), name, begin });
    }

    /// A slot is free, or it is to end before it had one.
    pub(super) fn start(&mut self, key: &Arc<str>) {
        let it = &self.state.background[key];
        let Course::Queued(begin) = &it.course else { return };
        self.decide(Decided::Started(Arc::clone(key)));
        let is_cancelled =
            self.state.is_cancelled && !still_holds(self.state, self.plan, self.world, &it.task);
        if !it.is_unwanted && !is_cancelled {
            begin.iter().cloned().for_each(|decided| self.decide(decided));
            return;
        }
        self.decide(Decided::Began {
            task: it.task.clone(),
            key: stage_key(self.state, &it.task),
            name: it.name.clone(),
            post: None,
            is_background: true,
        });
        let cancelled = Conclusion::Cancelled;
        self.ended(&it.task, cancelled, cancelled, Effects::default());
    }

    /// What a control step does, and to which of the steps that went into the background: one that
    /// was skipped did not. None for other steps.
    pub(super) fn control(&self, step: &Step) -> Option<(Control, Vec<Arc<str>>)> {
        let background = &self.state.background;
        let named =
            |id: &Arc<str>| background.keys().find(|key| key.eq_ignore_ascii_case(id)).cloned();
        Some(match &step.body {
            StepBody::Wait(ids) => {
                (Control::Wait, ids.iter().filter_map(|id| named(&id.value)).collect())
            }
            StepBody::WaitAll => {
                let unseen = |it: &Background| !matches!(it.course, Course::Seen(_));
                let keys =
                    background.iter().filter(|(_, it)| unseen(it)).map(|(key, _)| key.clone());
                (Control::Wait, keys.collect())
            }
            StepBody::Cancel(id) => (Control::Cancel, named(&id.value).into_iter().collect()),
            StepBody::Run { .. } | StepBody::Uses { .. } | StepBody::Parallel(_) => return None,
        })
    }

    /// A control step begins. It has no `if`, and waits whatever happened before; a mistake in its
    /// own words fails it afterwards.
    pub(super) fn wait(&mut self, stand: &Stand<'a>, control: Control, targets: Vec<Arc<str>>) {
        let env = stand.env_around();
        let evaluated =
            stand.name(&env).and_then(|name| Ok((name, stand.continue_on_error(&env)?)));
        let (name, continue_on_error, wrong) = match evaluated {
            Ok((name, continue_on_error)) => (name, continue_on_error, None),
            Err(Wrong(message)) => (stand.fallback_name(), false, Some(message)),
        };
        let task = stand.task.clone();
        let key = stage_key(self.state, &task);
        self.decide(Decided::Began {
            task: task.clone(),
            key: key.clone(),
            name,
            post: None,
            is_background: false,
        });
        let is_wrong = wrong.is_some();
        if let Some(message) = wrong {
            self.note(Some(&task), event::AnnotationLevel::Error, message);
        }
        let names: Vec<&str> =
            targets.iter().map(|key| self.state.background[key].name.as_str()).collect();
        let line = match (control, names.as_slice()) {
            (_, []) => "No step runs in the background".to_owned(),
            (Control::Wait, names) => format!("Waiting for: {}", names.join(", ")),
            (Control::Cancel, names) => format!("Ending: {}", names.join(", ")),
        };
        self.decide(Decided::Said { key, line });
        let waiting = Waiting { task, control, targets, continue_on_error, is_wrong };
        self.decide(Decided::Waits(waiting));
    }

    /// The steps that it waited for are over.
    pub(super) fn finish_waiting(&mut self, waiting: &Waiting) {
        let key = stage_key(self.state, &waiting.task);
        let targets = || waiting.targets.iter().map(|key| (key, &self.state.background[key]));
        let mut facts = Vec::new();
        for (target, it) in targets() {
            let outcome = it.ended().map_or("", |ended| ended.outcome.as_str());
            let line = format!("{}: {outcome}", it.name);
            facts.push(Decided::Said { key: key.clone(), line });
            facts.push(Decided::Seen { key: Arc::clone(target), control: waiting.control });
        }
        let outcome = match waiting.control {
            _ if waiting.is_wrong => Conclusion::Failure,
            Control::Wait => worst(targets().map(|(_, it)| it)),
            Control::Cancel => Conclusion::Success,
        };
        facts.into_iter().for_each(|decided| self.decide(decided));
        let conclusion = forgiven(outcome, waiting.continue_on_error);
        self.ended(&waiting.task, outcome, conclusion, Effects::default());
    }
}
