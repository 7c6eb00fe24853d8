//! Another attempt of a run: which results it takes over (conformance 38).
//!
//! The new stream tells all of it itself: jobs that are not run again are declared, planned and
//! carried there, so that its fold needs no other stream.

use std::collections::BTreeSet;
use std::sync::Arc;

use event::{Conclusion, DeclaredJob, JobDefinition, JobKey, RunEvent, Timestamp};

use super::Refusal;
use crate::limits::ATTEMPTS_MAX;
use crate::state::{Node, NodeId, Phase, Run, Scope, ScopeId};

/// What of a run is to run again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rerun {
    /// Everything.
    All,
    /// What did not succeed, and what needs that.
    Failed,
    /// One job, and what needs it.
    Job(JobKey),
}

/// The events that a new attempt begins with, behind its `RunCreated`; none where all runs again.
///
/// # Errors
/// When the run has not ended, has no such job, had enough attempts, or has nothing to run again.
pub fn carry(before: &Run, rerun: &Rerun, at: Timestamp) -> Result<Vec<RunEvent>, Refusal> {
    if before.conclusion.is_none() {
        return Err(Refusal::Workflow("the run has not ended yet".to_owned()));
    }
    if before.request.attempt.0 >= ATTEMPTS_MAX {
        let message = format!("the run has been run again {} times", ATTEMPTS_MAX - 1);
        return Err(Refusal::Workflow(message));
    }
    let mut carrying = Carrying { before, rerun, at, again: BTreeSet::new(), events: Vec::new() };
    match rerun {
        Rerun::All => return Ok(Vec::new()),
        Rerun::Failed => {}
        Rerun::Job(key) => {
            let stream = event::StreamId::Run(before.request.run, before.request.attempt);
            let unknown = Refusal::UnknownJob { stream, job: key.clone() };
            carrying.mark_with_above(*before.index.get(key).ok_or(unknown)?);
        }
    }
    if !carrying.mark(ScopeId::ROOT) {
        return Err(Refusal::Workflow("no job of the run failed: nothing to run again".to_owned()));
    }
    carrying.scope(ScopeId::ROOT);
    Ok(carrying.events)
}

struct Carrying<'b> {
    before: &'b Run,
    rerun: &'b Rerun,
    at: Timestamp,
    /// Nodes that run again, as a whole or in parts.
    again: BTreeSet<NodeId>,
    events: Vec<RunEvent>,
}

impl Carrying<'_> {
    fn scope_of(&self, id: ScopeId) -> &Scope {
        self.before.scope(id)
    }

    /// The job a person named, and those it is part of.
    fn mark_with_above(&mut self, id: NodeId) {
        self.again.insert(id);
        let node = self.before.node(id);
        let above = node.matrix.or(self.scope_of(node.scope).caller);
        if let Some(above) = above {
            self.mark_with_above(above);
        }
    }

    /// Marks what runs again in a scope; says whether anything does.
    fn mark(&mut self, scope: ScopeId) -> bool {
        for id in self.scope_of(scope).nodes.clone() {
            self.mark_node(id);
        }
        // Needs come before their dependents in no particular order, so marks are pushed on.
        let mut open: Vec<NodeId> = self
            .scope_of(scope)
            .nodes
            .iter()
            .filter(|it| self.again.contains(it))
            .copied()
            .collect();
        while let Some(id) = open.pop() {
            for dependent in self.before.node(id).dependents.clone() {
                if self.again.insert(dependent) {
                    open.push(dependent);
                }
            }
        }
        self.scope_of(scope).nodes.iter().any(|it| self.again.contains(it))
    }

    fn mark_node(&mut self, id: NodeId) {
        let node = self.before.node(id);
        let legs = node.legs.as_ref().map(|legs| legs.all.clone()).unwrap_or_default();
        let calls = node.calls;
        let mut again = self.again.contains(&id);
        for leg in &legs {
            self.mark_node(*leg);
            again |= self.again.contains(leg);
        }
        if let Some(scope) = calls {
            again |= self.mark(scope);
        }
        let node = self.before.node(id);
        let leaf = legs.is_empty() && calls.is_none();
        if leaf && *self.rerun == Rerun::Failed {
            again |= !ended_well(node);
        }
        if again {
            self.again.insert(id);
        }
    }

    /// Whether the needs of a node are all carried: then its plan still holds.
    fn keeps_its_plan(&self, node: &Node) -> bool {
        node.needs.iter().all(|need| !self.again.contains(need))
    }

    fn scope(&mut self, scope: ScopeId) {
        let entry = self.scope_of(scope);
        let parent = entry.caller.map(|caller| self.before.node(caller).key.clone());
        let file = entry.file.clone();
        let nodes = entry.nodes.clone();
        let declared = |id: &NodeId| {
            let node = self.before.node(*id);
            let key = |need: &NodeId| self.before.node(*need).key.clone();
            let needs = node.needs.iter().map(key).collect();
            DeclaredJob { key: node.key.clone(), id: Arc::clone(&node.id), needs }
        };
        let jobs = nodes.iter().map(declared).collect();
        self.events.push(RunEvent::JobsDeclared { parent, file, jobs });
        for id in nodes {
            self.node(id);
        }
    }

    fn node(&mut self, id: NodeId) {
        let node = self.before.node(id);
        let again = self.again.contains(&id);
        if !again && node.legs.is_none() && node.calls.is_none() {
            self.plan(node);
            self.carried(node);
        } else if !again || self.is_in_parts(node) {
            self.parts(node);
        }
    }

    /// A matrix or a call of which only some jobs run again.
    fn is_in_parts(&self, node: &Node) -> bool {
        let below = node.legs.is_some() || node.calls.is_some();
        below && self.keeps_its_plan(self.before.node(self.declared(node)))
    }

    fn declared(&self, node: &Node) -> NodeId {
        node.matrix.unwrap_or(self.before.index[&node.key])
    }

    fn parts(&mut self, node: &Node) {
        if let Some(legs) = &node.legs {
            let legs = legs.all.clone();
            for leg in &legs {
                self.plan(self.before.node(*leg));
            }
            let children = legs.iter().map(|it| self.before.node(*it).key.clone()).collect();
            self.events.push(RunEvent::JobExpanded { job: node.key.clone(), children });
            for leg in legs {
                let leg = self.before.node(leg);
                if leg.calls.is_some() {
                    self.open_call(leg);
                } else if !self.again.contains(&self.before.index[&leg.key]) {
                    self.carried(leg);
                }
            }
        } else if node.calls.is_some() {
            self.plan(node);
            self.open_call(node);
        }
    }

    fn open_call(&mut self, node: &Node) {
        self.events.push(RunEvent::JobReady { job: node.key.clone(), at: self.at });
        self.scope(node.calls.expect("only what called is opened"));
    }

    /// The plan of a node, where it had one; without its group, which has moved on.
    fn plan(&mut self, node: &Node) {
        if let Some(definition) = &node.definition {
            let keeps_group =
                self.again.contains(&self.before.index[&node.key]) && node.calls.is_none();
            let concurrency = definition.concurrency.clone().filter(|_| keeps_group);
            let queued_at = self.at;
            let definition =
                JobDefinition { concurrency, queued_at, ..definition.as_ref().clone() };
            self.events.push(RunEvent::JobPlanned(Box::new(definition)));
        }
    }

    fn carried(&mut self, node: &Node) {
        let Some(ended) = &node.ended else { return };
        self.events.push(RunEvent::JobCarried {
            job: node.key.clone(),
            conclusion: ended.conclusion,
            outputs: ended.outputs.as_ref().clone(),
            from: node.carried_from.unwrap_or(self.before.request.attempt),
        });
    }
}

fn ended_well(node: &Node) -> bool {
    let ended = node.phase == Phase::Ended;
    let conclusion = node.ended.as_ref().map(|ended| ended.conclusion);
    ended && matches!(conclusion, Some(Conclusion::Success | Conclusion::Skipped))
}
