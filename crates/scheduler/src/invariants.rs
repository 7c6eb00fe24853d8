//! What must hold after every event, whatever came before. The simulator checks all of it; each has
//! a planted fault that it catches.

use std::collections::{BTreeMap, BTreeSet};

use event::StreamId;

use crate::definitions::Definitions;
use crate::evolve::{job_member, run_member};
use crate::pending::{Duty, duty, run_limit};
use crate::state::{Node, NodeId, Phase, Run, ScopeId, State, Tally};

/// A broken invariant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{invariant}: {what}")]
pub struct Broken {
    /// Its name.
    pub invariant: &'static str,
    /// Where it does not hold.
    pub what: String,
}

/// A named rule over a state.
#[derive(Clone, Copy, Debug)]
pub struct Invariant {
    /// Its name.
    pub name: &'static str,
    rule: fn(&State, &Definitions) -> Option<String>,
}

/// All of them.
pub const INVARIANTS: &[Invariant] = &[
    Invariant { name: "a job starts after its needs", rule: needs_first },
    Invariant { name: "leases are counted and their fences differ", rule: leases },
    Invariant { name: "max-parallel holds", rule: max_parallel },
    Invariant { name: "a group has one holder, and who goes ahead holds its group", rule: groups },
    Invariant { name: "a run is over when its jobs are", rule: run_ends_with_jobs },
    Invariant { name: "open jobs and results are counted", rule: counts },
    Invariant { name: "what is due is listed, and nothing else", rule: lists },
    Invariant { name: "nobody goes ahead with a gate before it", rule: gates },
    Invariant {
        name: "what is told to stop has no worker waiting for it",
        rule: stopped_not_ready,
    },
];

/// Checks them all.
///
/// # Errors
/// The first that does not hold.
pub fn check(state: &State, definitions: &Definitions) -> Result<(), Broken> {
    for Invariant { name, rule } in INVARIANTS {
        if let Some(what) = rule(state, definitions) {
            return Err(Broken { invariant: name, what });
        }
    }
    Ok(())
}

fn nodes(state: &State) -> impl Iterator<Item = (StreamId, &Run, NodeId, &Node)> {
    state.runs().flat_map(|(stream, run)| {
        let numbered = run.nodes.iter().enumerate();
        numbered.map(move |(at, node)| (stream, run, NodeId(at as u32), node))
    })
}

/// Past planning, on its own way.
fn goes_ahead(node: &Node) -> bool {
    matches!(
        node.phase,
        Phase::Ready
            | Phase::Leased(_)
            | Phase::Running(_)
            | Phase::Calling
            | Phase::Lost
            | Phase::AwaitingPerson
    )
}

fn needs_first(state: &State, _: &Definitions) -> Option<String> {
    nodes(state).find_map(|(_, run, id, node)| {
        let ahead = goes_ahead(node) || matches!(node.phase, Phase::Expanded | Phase::Free);
        let declared = run.node(run.declared(id));
        let open = declared.needs.iter().find(|need| run.node(**need).is_open())?;
        let started = ahead && run.started;
        started.then(|| {
            format!("{} is {}, {} is open", node.key, node.phase.name(), run.node(*open).key)
        })
    })
}

fn leases(state: &State, _: &Definitions) -> Option<String> {
    let leased: Vec<_> = nodes(state)
        .filter_map(|(stream, run, _, node)| node.phase.lease().map(|it| (stream, run, it.fence)))
        .collect();
    let fences: BTreeSet<_> = leased.iter().map(|(stream, _, fence)| (stream, fence)).collect();
    if leased.len() != state.leases_open || fences.len() != leased.len() {
        return Some(format!("{} leases, {} counted", leased.len(), state.leases_open));
    }
    let mut ports = BTreeMap::new();
    let mut busy = BTreeMap::new();
    for (lease, node) in nodes(state).filter_map(|(.., node)| Some((node.phase.lease()?, node))) {
        *busy.entry(lease.runner.clone()).or_default() += 1;
        for port in node.host_ports() {
            *ports.entry((lease.runner.clone(), *port)).or_default() += 1;
        }
    }
    if busy != state.busy {
        return Some(format!("machines have leases {busy:?}, counted are {:?}", state.busy));
    }
    if ports != state.ports {
        return Some(format!(
            "leased jobs have the ports {ports:?}, counted are {:?}",
            state.ports
        ));
    }
    let newer = leased.iter().find(|(_, run, fence)| *fence > run.last_fence)?;
    Some(format!("fence {} is newer than the last", newer.2))
}

fn max_parallel(state: &State, _: &Definitions) -> Option<String> {
    nodes(state).find_map(|(_, run, _, node)| {
        let legs = node.legs.as_ref()?;
        let max = legs.max_parallel?;
        let ahead = |leg: &&NodeId| goes_ahead(run.node(**leg));
        let ahead = legs.all.iter().filter(ahead).count();
        (ahead > max || legs.out.len() > max)
            .then(|| format!("{} has {ahead} legs ahead, {max} may", node.key))
    })
}

fn groups(state: &State, _: &Definitions) -> Option<String> {
    let unheld = nodes(state).find_map(|(stream, run, id, node)| {
        let (group, member) = job_member(stream, run, id, node)?;
        let holds = state.groups.get(&group).is_some_and(|it| it.holder() == Some(member));
        (goes_ahead(node) && !holds).then(|| format!("{} goes ahead without its group", node.key))
    });
    let run = state.runs().find_map(|(stream, run)| {
        let (group, member) = run_member(stream, run)?;
        let holds = state.groups.get(&group).is_some_and(|it| it.holder() == Some(member));
        let open = run.started && run.conclusion.is_none();
        (open != holds).then(|| format!("run {stream}: started {open}, holds {holds}"))
    });
    let stale = state.groups.all().find_map(|(name, group)| {
        let holder = group.holder()?;
        if group.holders.len() > 1 {
            return Some(format!("{name:?} has {} holders", group.holders.len()));
        }
        let run = state.run(holder.stream)?;
        let open = match holder.job {
            None => run.conclusion.is_none(),
            Some(id) => run.node(id).is_open(),
        };
        (!open).then(|| format!("{name:?} is held by who has ended"))
    });
    unheld.or(run).or(stale)
}

fn run_ends_with_jobs(state: &State, _: &Definitions) -> Option<String> {
    state.runs().find_map(|(stream, run)| {
        let open = run.nodes.iter().any(Node::is_open);
        let owed = state.owed.ends.contains(&stream);
        match run.conclusion {
            Some(_) if open && run.started => Some(format!("run {stream} is over, a job is open")),
            None if run.started && !open && !owed => {
                Some(format!("run {stream} is not over, and no job is open"))
            }
            _ => None,
        }
    })
}

fn counts(state: &State, _: &Definitions) -> Option<String> {
    let recount = |run: &Run, ids: &[NodeId]| {
        let mut tally = Tally::default();
        let mut open = 0;
        for id in ids {
            match &run.node(*id).ended {
                Some(ended) => tally.count(ended.result),
                None => open += 1,
            }
        }
        (open, tally)
    };
    state.runs().find_map(|(stream, run)| {
        let scope = run.scopes.iter().enumerate().find_map(|(at, scope)| {
            let counted = (scope.open, scope.tally);
            (counted != recount(run, &scope.nodes))
                .then(|| format!("scope {at} of run {stream}: {counted:?}"))
        });
        let legs = run.nodes.iter().find_map(|node| {
            let legs = node.legs.as_ref()?;
            let counted = (legs.open, legs.tally);
            (counted != recount(run, &legs.all)).then(|| format!("{}: {counted:?}", node.key))
        });
        let needs = run.nodes.iter().find_map(|node| {
            let open = node.needs.iter().filter(|need| run.node(**need).is_open()).count();
            (open != node.needs_open).then(|| format!("{}: {} needs", node.key, node.needs_open))
        });
        let matrices = run.nodes.iter().filter(|node| node.legs.is_some()).count();
        let matrices = (matrices != run.matrices)
            .then(|| format!("run {stream} has {matrices} matrices, {} counted", run.matrices));
        scope.or(legs).or(needs).or(matrices)
    })
}

fn lists(state: &State, _: &Definitions) -> Option<String> {
    let owed = &state.owed;
    let mut listed = 0;
    for (stream, run, id, node) in nodes(state) {
        let at = (stream, id);
        let is_there = match duty(run, node) {
            Duty::None => continue,
            Duty::Loss => owed.losses.contains(&at),
            Duty::Stop => owed.stops.contains(&at),
            Duty::Settle => owed.settles.contains(&at),
            Duty::Trip => owed.trips.contains(&at),
            Duty::Plan => owed.plans.contains(&at),
            Duty::ReadGate => owed.gates.contains(&at),
            Duty::OpenGate(then) => owed.gate_times.contains(&(then, stream, id)),
            Duty::Unpark => owed.unparks.contains(&at),
            Duty::Free => owed.frees.contains(&at),
            Duty::Call => owed.calls.contains(&at),
            Duty::Ready(since) => owed.ready.contains(&(since, stream, id)),
        };
        listed += 1;
        if !is_there {
            return Some(format!("{} of run {stream} is not listed", node.key));
        }
    }
    let sets = [
        &owed.losses,
        &owed.stops,
        &owed.settles,
        &owed.trips,
        &owed.plans,
        &owed.gates,
        &owed.unparks,
        &owed.frees,
        &owed.calls,
    ];
    let entries =
        sets.iter().map(|set| set.len()).sum::<usize>() + owed.ready.len() + owed.gate_times.len();
    let leased = nodes(state).filter(|it| matches!(it.3.phase, Phase::Leased(_))).count();
    if entries != listed || leased != owed.leased.len() {
        return Some(format!("{entries} entries for {listed} duties"));
    }
    let young = state.runs().filter(|(_, run)| run.conclusion.is_none() && run.cancel.is_none());
    let limits = young.map(|(stream, run)| (run_limit(run), stream)).collect::<BTreeSet<_>>();
    if limits != owed.run_limits {
        return Some(format!("{} limits of runs, not {}", owed.run_limits.len(), limits.len()));
    }
    let overdue = owed.ends.iter().find(|stream| {
        state.run(**stream).is_none_or(|run| {
            let open = run.started && run.scope(ScopeId::ROOT).open > 0;
            run.conclusion.is_some() || open
        })
    })?;
    Some(format!("run {overdue} is not at its end"))
}

fn gates(state: &State, _: &Definitions) -> Option<String> {
    nodes(state).find_map(|(.., node)| {
        let is_ahead = node.phase != Phase::Gated && node.phase != Phase::Ended;
        (is_ahead && node.gate.is_some()).then(|| {
            format!("{} is {} behind a gate that did not open", node.key, node.phase.name())
        })
    })
}

fn stopped_not_ready(state: &State, _: &Definitions) -> Option<String> {
    let mut ready = state.owed.ready.iter();
    ready.find_map(|(_, stream, id)| {
        let node = state.node(*stream, *id);
        node.cancel.is_some().then(|| format!("{} is to stop, and may start", node.key))
    })
}

#[cfg(test)]
mod tests;
