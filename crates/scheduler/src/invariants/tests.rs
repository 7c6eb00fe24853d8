//! For each invariant a planted fault that it catches, and catches by name.

use std::collections::BTreeMap;

use event::{
    Attempt, Change, ConcurrencyClaim, DeclaredJob, EventRef, JobDefinition, JobKey, RunEvent,
    RunId, RunRequest, RunnerDemand, Selection, StreamId, Terms, Timestamp, WorkflowFile,
};
use mask::MaskedText;
use serde_json::json;

use super::{INVARIANTS, check};
use crate::definitions::Definitions;
use crate::state::{NodeId, Phase, State};
use crate::{Input, decide, evolve};

const STREAM: StreamId = StreamId::Run(RunId(1), Attempt(1));
const AT: Timestamp = Timestamp(1);

fn text(text: &str) -> MaskedText {
    MaskedText::without_secrets(text)
}

fn planned(id: &str, leg: Option<u32>, group: Option<&str>) -> RunEvent {
    let key = leg.map_or(id.to_owned(), |leg| format!("{id} ({})", leg + 1));
    RunEvent::JobPlanned(Box::new(JobDefinition {
        key: JobKey::new(key),
        id: id.into(),
        name: text(id),
        parent: None,
        file: None,
        needs: Vec::new(),
        matrix: json!(null),
        index: leg.unwrap_or(0),
        total: 2,
        fail_fast: true,
        max_parallel: leg.map(|_| 1),
        queued_at: AT,
        concurrency: group.map(|group| ConcurrencyClaim {
            group: text(group),
            cancel_in_progress: false,
            queue_max: false,
        }),
        continue_on_error: false,
        environment: None,
        permissions: BTreeMap::new(),
        runner: Some(RunnerDemand {
            labels: Vec::new(),
            group: None,
            timeout_minutes: 1.0,
            cancel_timeout_minutes: 1.0,
            host_ports: Vec::new(),
            reads_secrets: false,
        }),
        call: None,
    }))
}

/// `a` holds a group and is leased; `m` is a matrix with one leg out and one parked; `b` needs `a`.
fn state() -> State {
    let declared = |id: &str, needs: &[&str]| DeclaredJob {
        key: JobKey::new(id),
        id: id.into(),
        needs: needs.iter().map(|need| JobKey::new(*need)).collect(),
    };
    let file = WorkflowFile { path: "ci.yml".into(), text: "".into() };
    let request = RunRequest {
        run: RunId(1),
        attempt: Attempt(1),
        run_number: 1,
        carried: Vec::new(),
        repository: "octo/planner".into(),
        repository_path: "".into(),
        workflow: file,
        called: BTreeMap::new(),
        title: text("t"),
        event: EventRef {
            name: "push".into(),
            git_ref: "refs/heads/main".into(),
            payload: json!({}),
        },
        change: Change {
            commit: "".into(),
            authored_at: AT,
            committed_at: AT,
            uncommitted: 0,
            snapshot: None,
            store: None,
            branched_at: None,
        },
        concurrency: None,
        selection: Selection::default(),
        terms: Terms::default(),
        inputs: json!(null),
        vars: json!(null),
        secret_names: Vec::new(),
        actor: "".into(),
        triggering_actor: "".into(),
        asked: None,
        at: AT,
    };
    let jobs = vec![declared("a", &[]), declared("m", &[]), declared("b", &["a"])];
    let ready = |job: &str| RunEvent::JobReady { job: JobKey::new(job), at: AT };
    let events = [
        RunEvent::RunCreated(Box::new(request)),
        RunEvent::JobsDeclared { parent: None, file: None, jobs },
        RunEvent::RunStarted { at: AT },
        planned("a", None, Some("g")),
        planned("m", Some(0), None),
        planned("m", Some(1), None),
        RunEvent::JobExpanded {
            job: JobKey::new("m"),
            children: vec![JobKey::new("m (1)"), JobKey::new("m (2)")],
        },
        ready("a"),
        ready("m (1)"),
    ];
    let mut state = State::new();
    for event in events {
        evolve(&mut state, STREAM, &event).expect("a legal story");
    }
    let lease = Input::Lease { width: 1, tracking: "t".into(), at: AT };
    for (stream, event) in decide(&state, &Definitions::new(), lease).expect("a free worker") {
        evolve(&mut state, stream, &event).expect("a legal story");
    }
    state
}

fn node(state: &mut State, number: u32, change: impl FnOnce(&mut crate::state::Node)) {
    let run = state.runs.get_mut(&STREAM).expect("made above");
    change(run.node_mut(NodeId(number)));
}

#[test]
fn each_planted_fault_is_caught_by_name() {
    assert_eq!(check(&state(), &Definitions::new()), Ok(()));
    type Plant = fn(&mut State);
    let plants: [(&str, Plant); 9] = [
        ("a job starts after its needs", |state| {
            node(state, 2, |node| node.phase = Phase::Ready);
        }),
        ("leases are counted and their fences differ", |state| state.leases_open = 0),
        ("max-parallel holds", |state| {
            node(state, 4, |node| node.phase = Phase::Lost);
        }),
        ("a group has one holder, and who goes ahead holds its group", |state| {
            state.groups = Default::default();
        }),
        ("a run is over when its jobs are", |state| {
            let run = state.runs.get_mut(&STREAM).expect("made above");
            run.conclusion = Some(event::Conclusion::Success);
            // Else the lists would be out of step as well, and be checked later.
        }),
        ("open jobs and results are counted", |state| {
            node(state, 2, |node| node.needs_open = 0);
        }),
        ("what is due is listed, and nothing else", |state| {
            state.owed.ready.clear();
        }),
        ("nobody goes ahead with a gate before it", |state| {
            let rules = event::Rules {
                source: MaskedText::without_secrets("octo/app"),
                branch: "main".into(),
                commit: "c0ffee".into(),
                digest: event::Digest::ZERO,
            };
            let asked = event::JobGate {
                environment: "production".into(),
                rules,
                demands: Vec::new(),
                asked_by: Vec::new(),
                what: event::Digest::ZERO,
                rules_ask_people: true,
                opens_at: None,
                shut: None,
                waits_for_runs: false,
            };
            node(state, 3, |node| node.gate = Some(Box::new(crate::gate::Gate::new(asked))));
        }),
        ("what is told to stop has no worker waiting for it", |state| {
            // Listed where it must not be, and not where it should: only the last rule is asked.
            node(state, 3, |node| {
                node.cancel = Some(event::CancelReason::CommandGone);
            });
        }),
    ];
    for ((name, plant), invariant) in plants.iter().zip(INVARIANTS) {
        assert_eq!(*name, invariant.name, "a plant for each, in order");
        let mut planted = state();
        plant(&mut planted);
        let found = (invariant.rule)(&planted, &Definitions::new());
        assert!(found.is_some(), "`{name}` lets its fault through");
    }
}
