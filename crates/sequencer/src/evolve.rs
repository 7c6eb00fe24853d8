//! Writes a decision down. Decides nothing.

use event::Conclusion;
use indexmap::IndexMap;

use crate::deed::ActionStage;
use crate::fact::{Decided, Ended, Fact};
use crate::outcome::Effects;
use crate::state::{Phase, Running, State, StepResult, Task};

/// Writes `fact` into `state`.
pub fn evolve(state: &mut State, fact: Fact) {
    match fact.0 {
        Decided::Opened { env, pre, post, scopes } => {
            state.env = env;
            state.pre = pre;
            state.post = post;
            state.scopes = scopes;
            state.stack = vec!["".into()];
            state.phase = Phase::Pre;
        }
        Decided::Phase(phase) => state.phase = phase,
        Decided::ActionsRead(actions) => {
            state.running = None;
            state.actions.extend(actions);
        }
        Decided::Began { task, post, .. } => {
            state.running = None;
            if let Some(post) = post
                && state.begun.insert(crate::step::main_key(state, &task))
            {
                state.post.push(post);
            }
        }
        Decided::Owed { task, deed, continue_on_error } => {
            state.deeds = deed.number;
            state.running = Some(Running { task, deed, continue_on_error });
        }
        Decided::Entered { prefix, scope, .. } => {
            state.scopes.insert(prefix.clone(), *scope);
            state.stack.push(prefix);
        }
        Decided::Ended { task, ended, id, effects } => end(state, &task, &ended, id, effects),
        Decided::Noted { .. } => {}
        Decided::Cancelled => state.is_cancelled = true,
        Decided::Completed(end) => {
            state.phase = Phase::Completed;
            state.end = Some(end);
        }
    }
}

fn end(
    state: &mut State,
    task: &Task,
    ended: &Ended,
    id: Option<std::sync::Arc<str>>,
    effects: Effects,
) {
    state.running = None;
    // The scope of a composite action ends with the step that called it.
    if state.stack.last().is_some_and(|top| **top != *task.scope)
        && task.stage == ActionStage::Main
        && state.stack.len() > 1
    {
        state.stack.pop();
    }
    match task.stage {
        ActionStage::Pre => drop(state.pre.pop()),
        ActionStage::Post => drop(state.post.pop()),
        ActionStage::Main => {}
    }
    let outputs = remember(state, task, effects);
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

/// Takes over what the step changed for those behind it, and gives back its outputs.
fn remember(state: &mut State, task: &Task, effects: Effects) -> IndexMap<String, String> {
    state.env.extend(effects.env);
    for entry in effects.path {
        // The latest comes first; a repeat moves to the front (conformance 182).
        state.path.retain(|known| *known != entry);
        state.path.insert(0, entry);
    }
    if !effects.state.is_empty() {
        let key = crate::step::main_key(state, task);
        state.saved.entry(key).or_default().extend(effects.state);
    }
    effects.outputs
}
