//! Writes a decision down. Decides nothing.

use std::sync::Arc;

use event::Conclusion;
use indexmap::IndexMap;

use crate::background::{Background, Control, Course, Waiting};
use crate::deed::ActionStage;
use crate::fact::{Decided, Ended, Fact};
use crate::outcome::Effects;
use crate::state::{Line, Phase, Running, State, StepResult, Task};

/// Writes `fact` into `state`.
pub fn evolve(state: &mut State, fact: Fact) {
    match fact.0 {
        Decided::Opened { env, run_defaults, pre, post, scopes } => {
            state.env = env;
            state.run_defaults = run_defaults;
            state.pre = pre;
            state.post = post;
            state.scopes = scopes;
            state.foreground.stack = vec!["".into()];
            state.phase = Phase::Pre;
        }
        Decided::Phase(phase) => {
            state.phase = phase;
            // Nobody waited for it (conformance 141).
            state.has_failed |= state.fails_at_last && phase == Phase::Post;
        }
        Decided::ActionsRead { task, actions } => {
            state.line_of_mut(&task).running = None;
            state.actions.extend(actions);
        }
        Decided::WentAside { task, name, begin } => go_aside(state, task, name, begin),
        Decided::Started(key) => state.background[&key].course = Course::Running,
        Decided::Waits(waiting) => wait(state, waiting),
        Decided::Seen { key, control } => see(state, &key, control),
        Decided::Began { task, post, .. } => {
            state.line_of_mut(&task).running = None;
            if let Some(post) = post
                && state.begun.insert(crate::step::main_key(state, &task))
            {
                state.post.push(post);
            }
        }
        Decided::Owed { task, deed, continue_on_error } => {
            state.deeds = state.deeds.max(deed.number);
            let running = Running { task: task.clone(), deed, continue_on_error };
            state.line_of_mut(&task).running = Some(running);
        }
        Decided::Entered { task, prefix, scope, .. } => {
            state.scopes.insert(prefix.clone(), *scope);
            state.line_of_mut(&task).stack.push(prefix);
        }
        Decided::Ended { task, ended, id, effects } => end(state, &task, &ended, id, effects),
        Decided::Noted { .. } | Decided::Said { .. } => {}
        Decided::Cancelled => state.is_cancelled = true,
        Decided::Completed(end) => {
            state.phase = Phase::Completed;
            state.end = Some(end);
        }
    }
}

fn end(state: &mut State, task: &Task, ended: &Ended, id: Option<Arc<str>>, effects: Effects) {
    let line = state.line_of_mut(task);
    line.running = None;
    // The scope of a composite action ends with the step that called it.
    if line.stack.last().is_some_and(|top| **top != *task.scope) && task.stage == ActionStage::Main
    {
        line.stack.pop();
    }
    match task.stage {
        ActionStage::Pre => drop(state.pre.pop()),
        ActionStage::Post => drop(state.post.pop()),
        ActionStage::Main => {}
    }
    let outputs = remember(state, task, effects);
    if task.scope.is_empty()
        && let Some(it) = state.background_of_mut(task)
    {
        it.kept.outputs = outputs;
        it.course = Course::Over(ended.clone());
        return;
    }
    state.waiting.take_if(|waiting| waiting.task == *task);
    let scope = state.scopes.get_mut(&task.scope).expect("a step's scope stays to the job's end");
    let failed = ended.conclusion == Conclusion::Failure;
    if task.stage == ActionStage::Main {
        scope.next = task.step + 1;
        scope.has_failed |= failed;
        scope.was_cancelled |= ended.conclusion == Conclusion::Cancelled;
        if let Some(id) = id {
            let result =
                StepResult { outcome: ended.outcome, conclusion: ended.conclusion, outputs };
            scope.results.insert(id, result);
        }
        // A composite's failure is its own until its step ends (conformance 149).
        state.has_failed |= failed && task.scope.is_empty();
    } else {
        // Conformance 256.
        state.has_failed |= failed;
    }
}

/// Takes over what the step changed for those behind it, and gives back its outputs. What is inside
/// of a background step stays there.
fn remember(state: &mut State, task: &Task, effects: Effects) -> IndexMap<String, String> {
    let (env, path) = match state.background_of_mut(task) {
        Some(it) => {
            it.kept.env.extend(effects.env.clone());
            it.kept.path.extend(effects.path.iter().cloned());
            (&mut it.env, &mut it.path)
        }
        None => (&mut state.env, &mut state.path),
    };
    env.extend(effects.env);
    put_before(path, effects.path);
    if !effects.state.is_empty() {
        let key = crate::step::main_key(state, task);
        state.saved.entry(key).or_default().extend(effects.state);
    }
    effects.outputs
}

/// The latest comes first; a repeat moves to the front (conformance 182).
fn put_before(path: &mut Vec<String>, entries: Vec<String>) {
    for entry in entries {
        path.retain(|known| *known != entry);
        path.insert(0, entry);
    }
}

fn go_aside(state: &mut State, task: Task, name: String, begin: Vec<Decided>) {
    for decided in &begin {
        if let Decided::Owed { deed, .. } = decided {
            state.deeds = state.deeds.max(deed.number);
        }
    }
    let scope = state.scopes.get_mut(&task.scope).expect("the job's own scope stays");
    scope.next = task.step + 1;
    let key = Arc::clone(&scope.steps[task.step].key);
    // A local action was read for it in the foreground.
    state.foreground.running = None;
    let it = Background {
        task,
        name,
        course: Course::Queued(begin),
        line: Line::default(),
        is_unwanted: false,
        env: state.env.clone(),
        path: state.path.clone(),
        kept: Effects::default(),
    };
    state.background.insert(key, it);
}

fn wait(state: &mut State, waiting: Waiting) {
    if waiting.control == Control::Cancel {
        for key in &waiting.targets {
            let it = &mut state.background[key];
            it.is_unwanted |= it.ended().is_none();
        }
    }
    state.waiting = Some(waiting);
}

fn see(state: &mut State, key: &str, control: Control) {
    let it = &mut state.background[key];
    let Course::Over(ended) = &it.course else { return };
    let ended = ended.clone();
    it.course = Course::Seen(ended.clone());
    let kept = std::mem::take(&mut it.kept);
    let task = it.task.clone();
    state.env.extend(kept.env);
    put_before(&mut state.path, kept.path);
    // Whoever waits fails with it; `cancel` does not.
    state.fails_at_last |= control == Control::Cancel && ended.conclusion == Conclusion::Failure;
    let scope = state.scopes.get_mut(&task.scope).expect("a step's scope stays to the job's end");
    if let Some(id) = &scope.steps[task.step].id {
        let (outcome, conclusion) = (ended.outcome, ended.conclusion);
        let result = StepResult { outcome, conclusion, outputs: kept.outputs };
        scope.results.insert(Arc::clone(&id.value), result);
    }
}
