//! Gates of environments: what holds of what people said.

use std::sync::Arc;

use event::{
    Actor, Attempt, Digest, GateDemand, JobGate, JobKey, RunEvent, RunId, StreamId, Terms,
    Timestamp,
};
use scheduler::{Answer, GateRead, Input, Said};

use crate::harness::{World, request, text};

const WORKFLOW: &str = "
on: push
jobs:
  ship: { runs-on: ubuntu-latest, environment: production, steps: [{ run: make }] }
";
const STREAM: StreamId = StreamId::Run(RunId(1), Attempt(1));

/// Two of three have to agree.
fn rules(named: &str) -> JobGate {
    let digest = Digest::of(named.as_bytes());
    let members = ["hubot", "mona", "octavia"].map(Arc::from).to_vec();
    JobGate {
        environment: "production".into(),
        rules: event::Rules {
            source: text("octo/planner"),
            branch: "main".into(),
            commit: "c0ffee".into(),
            digest,
        },
        demands: vec![GateDemand::Approval { group: "devops".into(), count: 2, members }],
        asked_by: vec!["octocat".into()],
        what: digest,
        rules_ask_people: true,
        opens_at: None,
        shut: None,
        waits_for_runs: false,
    }
}

/// Each word is somebody who agrees to the first rules, `rules=NAME` what is read, or `gone`: nobody can read
/// them. Gives what stands in the journal of it, a word each.
fn check(script: &str, expect: &str) {
    let mut world = World::new();
    let terms = Terms { gated: true, ..Terms::default() };
    world.create(event::RunRequest { terms, ..request(1, WORKFLOW, &[]) }, Vec::new());
    let job = JobKey::new("ship");
    for (at, word) in script.split_whitespace().enumerate() {
        let at = Timestamp(1_000 * (at as u64 + 1));
        let read = match word.split_once('=') {
            Some((_, named)) => Some(GateRead::Ask(Box::new(rules(named)))),
            None if word == "gone" => {
                let shut = Some(text("nobody can read them"));
                let opens_at = Some(Timestamp(at.0 + 60_000));
                let gone = JobGate { demands: Vec::new(), opens_at, shut, ..rules("none") };
                Some(GateRead::Unreadable(Box::new(gone)))
            }
            None => None,
        };
        world.input(match read {
            Some(read) => Input::GateRead { stream: STREAM, job: job.clone(), read, at },
            None => {
                let by =
                    Actor { name: text(word), proof: "token".into(), source: None, address: None };
                let gate = rules("one").demands[0].key();
                let (what, id) = (Digest::of(b"one"), word.into());
                let answer = Answer { id, gate, by, what, said: Said::Yes, reason: None };
                Input::Answer { stream: STREAM, job: job.clone(), answer, at }
            }
        });
    }
    let word = |event: &RunEvent| match event {
        RunEvent::JobGated { gate, .. } if gate.shut.is_some() => Some("shut"),
        RunEvent::JobGated { .. } => Some("asked"),
        RunEvent::JobApproved { .. } => Some("agreed"),
        RunEvent::JobApprovalRefused { .. } => Some("refused"),
        RunEvent::JobGateOpened { .. } => Some("opened"),
        _ => None,
    };
    let found: Vec<_> = world.journal.iter().filter_map(|(_, event)| word(event)).collect();
    assert_eq!(found.join(" "), expect, "{script}");
}

#[test]
fn what_was_agreed_to_outlives_a_moment_in_which_nobody_can_read_the_rules() {
    check("rules=one mona hubot rules=one", "asked agreed agreed opened");
    check("rules=one mona gone rules=one hubot rules=one", "asked agreed shut asked agreed opened");
    // Who answers meanwhile agrees to what they were shown; it opens when the rules are read.
    check("rules=one mona gone hubot rules=one", "asked agreed shut agreed asked opened");
    // What is looked at before its time and is as it was, is not written down.
    check("rules=one mona gone hubot gone", "asked agreed shut agreed");
    // Where the rules say something else, it is void.
    check("rules=one mona gone rules=two hubot rules=two", "asked agreed shut asked refused");
    // Where nothing was read yet, there is nothing to agree to, and nothing opens.
    check("gone mona gone", "shut refused");
    check("gone rules=one mona hubot rules=one", "shut asked agreed agreed opened");
}
