//! Labels that run without walls: whose jobs get a machine, and what is said of the others.

use event::{Actor, Digest, GateDemand, JobGate, JobKey, Rules, RunRequest, StreamId, Terms};
use expect_test::{Expect, expect};
use scheduler::{Answer, GateRead, Input, Said, TrustedLabel, Unserved, unserved};
use serde_json::json;

use crate::harness::{World, request, text};

const WORKFLOW: &str = "
on: push
jobs:
  plain: { runs-on: ubuntu-latest, steps: [{ run: make }] }
  ship: { runs-on: [self-hosted, Deploy], steps: [{ run: make }] }
  live: { runs-on: deploy, environment: production, steps: [{ run: make }] }
";

/// A push to a branch or tag of `octo/planner`, whose default branch is `main`.
fn pushed(git_ref: &str) -> RunRequest {
    let mut request = request(1, WORKFLOW, &[]);
    request.event.git_ref = git_ref.into();
    request.event.payload = json!({ "repository": { "default_branch": "main" } });
    request.terms = Terms { gated: true, ..Terms::default() };
    request
}

fn trusted(labels: &[&str]) -> Vec<TrustedLabel> {
    labels.iter().map(|it| it.parse().expect("it reads")).collect()
}

/// Who has to agree to `live`.
#[derive(Clone, Copy, PartialEq)]
enum People {
    Nobody,
    /// Rules that come with no push ask them.
    OfRules,
    /// What is to run asks them itself.
    OfTheRun,
}

/// What of `ship` and `live` begins; `live` behind its gate, at which somebody agrees where people are asked.
fn check(labels: &[&str], request: RunRequest, people: People, expect: Expect) {
    let mut world = World::new();
    world.definitions.set_trusted(trusted(labels));
    world.create(request, Vec::new());
    open(&mut world, people);
    let told = world.told();
    let mut said: Vec<String> =
        told.lines().filter_map(|it| it.strip_prefix("JobLeased ")).map(str::to_owned).collect();
    for (_, job, why) in unserved(&world.state, &world.definitions) {
        let Unserved::Untrusted(kept) = why else { panic!("{job}: {why:?}") };
        let fork = if kept.is_fork { "a fork; " } else { "" };
        said.push(format!("{job}: {}: {fork}{}", kept.label, kept.given.join("; ")));
    }
    expect.assert_eq(&said.join("\n"));
    world.check_fold();
}

fn open(world: &mut World, people: People) {
    let (stream, job) = (StreamId::Run(event::RunId(1), event::Attempt(1)), JobKey::new("live"));
    let group = GateDemand::Approval { group: "ops".into(), count: 1, members: vec!["kim".into()] };
    let rules = Rules {
        source: text("octo/planner"),
        branch: "main".into(),
        commit: "0123".into(),
        digest: Digest::ZERO,
    };
    let gate = JobGate {
        environment: "production".into(),
        rules,
        demands: if people == People::Nobody { Vec::new() } else { vec![group.clone()] },
        asked_by: Vec::new(),
        what: Digest::ZERO,
        rules_ask_people: people == People::OfRules,
        opens_at: None,
        shut: None,
        waits_for_runs: false,
    };
    let read = |world: &mut World| {
        let read = GateRead::Ask(Box::new(gate.clone()));
        let at = world.now;
        world.input(Input::GateRead { stream, job: job.clone(), read, at });
    };
    read(world);
    if people != People::Nobody {
        let answer = Answer {
            id: "1".into(),
            gate: group.key(),
            by: Actor { name: text("kim"), proof: "token".into(), source: None, address: None },
            said: Said::Yes,
            what: Digest::ZERO,
            reason: None,
        };
        let at = world.now;
        world.input(Input::Answer { stream, job: job.clone(), answer, at });
        read(world);
    }
}

/// Unbound, it is for what somebody looked at: the default branch, and what people agreed to.
#[test]
fn a_trusted_label_is_for_what_is_guarded() {
    check(
        &["deploy"],
        pushed("refs/heads/main"),
        People::Nobody,
        expect![[r#"
        plain
        ship
        live"#]],
    );
    for git_ref in ["refs/heads/work", "refs/heads/main2", "refs/tags/main", "refs/pull/1/merge"] {
        check(
            &["deploy"],
            pushed(git_ref),
            People::Nobody,
            expect![[r#"
            plain
            ship: Deploy: the default branch, and jobs that people agreed to at a gate
            live: deploy: the default branch, and jobs that people agreed to at a gate"#]],
        );
    }
    check(
        &["deploy"],
        pushed("refs/heads/work"),
        People::OfRules,
        expect![[r#"
        plain
        live
        ship: Deploy: the default branch, and jobs that people agreed to at a gate"#]],
    );
    // A branch that brings its own reviewers vouches for itself.
    check(
        &["deploy"],
        pushed("refs/heads/work"),
        People::OfTheRun,
        expect![[r#"
        plain
        ship: Deploy: the default branch, and jobs that people agreed to at a gate
        live: deploy: the default branch, and jobs that people agreed to at a gate"#]],
    );
    let mut nameless = pushed("refs/heads/main");
    nameless.event.payload = json!({});
    check(
        &["deploy"],
        nameless,
        People::Nobody,
        expect![[r#"
        plain
        ship: Deploy: the default branch, and jobs that people agreed to at a gate
        live: deploy: the default branch, and jobs that people agreed to at a gate"#]],
    );
    let mut pull = pushed("refs/heads/main");
    pull.event.name = "pull_request_target".into();
    check(
        &["deploy"],
        pull,
        People::Nobody,
        expect![[r#"
        plain
        ship: Deploy: the default branch, and jobs that people agreed to at a gate
        live: deploy: the default branch, and jobs that people agreed to at a gate"#]],
    );
}

#[test]
fn it_may_be_bound_to_repositories_branches_tags_and_environments() {
    let work = || pushed("refs/heads/release/1");
    check(
        &["deploy=octo/planner"],
        pushed("refs/heads/main"),
        People::Nobody,
        expect![[r#"
        plain
        ship
        live"#]],
    );
    check(
        &["deploy=octo/planner-2:everything"],
        pushed("refs/heads/main"),
        People::OfRules,
        expect![[r#"
        plain
        ship: Deploy: 
        live: deploy: "#]],
    );
    check(
        &["deploy=octo/planner:branch:release/*"],
        work(),
        People::Nobody,
        expect![[r#"
        plain
        ship
        live"#]],
    );
    check(
        &["deploy=octo/planner:branch:release/*"],
        pushed("refs/heads/main"),
        People::Nobody,
        expect![[r#"
        plain
        ship: Deploy: the branches release/*
        live: deploy: the branches release/*"#]],
    );
    check(
        &["deploy=octo/planner:tag:v*"],
        pushed("refs/tags/v1"),
        People::Nobody,
        expect![[r#"
        plain
        ship
        live"#]],
    );
    check(
        &["deploy=octo/planner:tag:v*"],
        pushed("refs/heads/v1"),
        People::Nobody,
        expect![[r#"
        plain
        ship: Deploy: the tags v*
        live: deploy: the tags v*"#]],
    );
    check(
        &["deploy=octo/planner:environment:Production"],
        work(),
        People::Nobody,
        expect![[r#"
        plain
        live
        ship: Deploy: the environment Production"#]],
    );
    check(
        &[
            "deploy=octo/planner:tag:v*",
            "deploy=octo/planner:branch:release/*",
            "deploy=octo/other",
        ],
        pushed("refs/heads/main"),
        People::Nobody,
        expect![[r#"
            plain
            ship: Deploy: the tags v*; the branches release/*
            live: deploy: the tags v*; the branches release/*"#]],
    );
    check(
        &["deploy=octo/planner:everything"],
        work(),
        People::Nobody,
        expect![[r#"
        plain
        ship
        live"#]],
    );
    check(
        &["deploy=everything"],
        work(),
        People::Nobody,
        expect![[r#"
        plain
        ship
        live"#]],
    );
    // One label does not stand for the other.
    check(
        &["deploy", "self-hosted=octo/other"],
        pushed("refs/heads/main"),
        People::Nobody,
        expect![[r#"
        plain
        live
        ship: self-hosted: "#]],
    );
}

/// Code of forks has no label but those that everybody has, and is kept in there by whoever starts it.
#[test]
fn code_of_a_fork_has_none_that_is_bound() {
    let forked = || {
        let mut request = pushed("refs/heads/main");
        request.terms = Terms { outside: true, ..Terms::default() };
        request
    };
    check(
        &["deploy"],
        forked(),
        People::Nobody,
        expect![[r#"
        plain
        ship: Deploy: a fork; the default branch, and jobs that people agreed to at a gate
        live: deploy: a fork; the default branch, and jobs that people agreed to at a gate"#]],
    );
    check(
        &["deploy=octo/planner:environment:production"],
        forked(),
        People::Nobody,
        expect![[r#"
        plain
        ship: Deploy: a fork; the environment production
        live: deploy: a fork; the environment production"#]],
    );
    check(
        &["deploy=everything"],
        forked(),
        People::Nobody,
        expect![[r#"
        plain
        ship
        live"#]],
    );
}
