//! The machine at its door: inputs, a line each, and the events that follow.

use deployment::{Command, Input, Looked, News, State, Told, check, decide, evolve, pending};
use event::{
    Actor, Cause, CauseCode, DeployStepKey, DeployStepKind, DeploymentEvent, DeploymentKind,
    DeploymentRequest, Fact as _, Fence, FieldChange, GateDemand, GateKey, GoingBack, KnownRelease,
    OnCancel, PassedRule, PlannedStep, Protection, Release, Rules, ServicePlan, ServiceRequest,
    Timestamp, Undo, Way,
};
use expect_test::{Expect, expect};
use mask::MaskedText;
use serde_json::{Value as Json, json};

fn text(text: &str) -> MaskedText {
    MaskedText::without_secrets(text)
}

fn person(name: &str) -> Actor {
    Actor { name: text(name), proof: "local".into(), source: None, address: None }
}

fn release(version: &str) -> Release {
    let digest = format!("sha256:{version}").into();
    Release { version: version.into(), digest, location: None, commit: None }
}

fn known(version: &str) -> KnownRelease {
    KnownRelease { release: release(version), handle: Json::Null, adopted: false }
}

fn step(name: &str, kind: DeployStepKind, undo: Undo) -> PlannedStep {
    PlannedStep {
        key: DeployStepKey::new("api", name),
        kind,
        what: text(name),
        calls: Vec::new(),
        undo,
        within_ms: 10_000,
        body: Json::Null,
    }
}

fn undone() -> Undo {
    Undo::Step { what: text("it is taken back") }
}

/// The story of one service: migrate, health around prepare, apply.
struct Story {
    state: State,
    now: u64,
    told: String,
}

impl Story {
    fn new(gates: Vec<GateDemand>, on_cancel: OnCancel) -> Story {
        Story::under(DeploymentKind::Release, None, gates, on_cancel)
    }

    fn of(kind: DeploymentKind, gates: Vec<GateDemand>, on_cancel: OnCancel) -> Story {
        Story::under(kind, None, gates, on_cancel)
    }

    fn under(
        kind: DeploymentKind,
        protection: Option<Box<Protection>>,
        gates: Vec<GateDemand>,
        on_cancel: OnCancel,
    ) -> Story {
        let never = Undo::Never { why: text("data cannot be taken back") };
        let again = Undo::AskAgain { what: text("health of what ran before") };
        let service = ServiceRequest {
            service: "api".into(),
            release: release("2.0"),
            restores: None,
            last_good: Some(known("1.0")),
            target: "host".into(),
            config: Json::Null,
            around: vec![
                step("health", DeployStepKind::Verify, again),
                step("migrate", DeployStepKind::Migrate, never),
            ],
        };
        let request = DeploymentRequest {
            project: "planner".into(),
            environment: "production".into(),
            kind,
            by: person("octocat"),
            reason: None,
            services: vec![service],
            gates,
            force: false,
            commits: Vec::new(),
            planned: true,
            on_cancel,
            protection,
            job: None,
            at: Timestamp(0),
        };
        let mut story = Story { state: State::new(), now: 0, told: String::new() };
        story.input(Input::Request(Box::new(request)));
        story.own(1);
        story
    }

    fn own(&mut self, fence: u64) {
        self.tell(Fence(fence), Input::Own { owner: text("laptop") });
    }

    fn input(&mut self, input: Input) {
        self.tell(self.state.fence(), input);
    }

    fn tell(&mut self, fence: Fence, input: Input) {
        let mut inputs = vec![input];
        while let Some(input) = inputs.pop() {
            let again = Told { fence, at: Timestamp(self.now), input };
            match decide(&self.state, again) {
                Ok(events) => {
                    let moved = !events.is_empty();
                    for event in events {
                        evolve(&mut self.state, &event).expect("what was decided is legal");
                        check(&self.state).expect("the invariants hold");
                        self.told.push_str(&format!("{}\n", words(&event)));
                    }
                    if moved && self.state.ended().is_none() {
                        inputs.push(Input::Advance);
                    }
                }
                Err(refusal) => self.told.push_str(&format!("refused: {refusal}\n")),
            }
        }
    }

    fn propose(&mut self, running: &str) {
        let change =
            FieldChange { field: "version".into(), before: None, after: Some(text("2.0")) };
        let service = ServicePlan {
            service: "api".into(),
            seen: json!(running),
            running: Some(known(running)),
            changes: (running != "2.0").then_some(change).into_iter().collect(),
            steps: vec![
                step("prepare", DeployStepKind::Prepare, undone()),
                step("apply", DeployStepKind::Apply, undone()),
            ],
            going_back: GoingBack::Possible { to: Box::new(known(running)) },
            notes: Vec::new(),
        };
        self.input(Input::Proposed { services: vec![service] });
    }

    fn look(&mut self, running: &str) {
        let running_release = Some(known(running));
        let looked =
            Looked { service: "api".into(), seen: json!(running), running: running_release };
        self.input(Input::Looked { services: vec![looked] });
    }

    fn hear(&mut self, name: &str, way: Way, news: News) {
        self.input(Input::Heard { step: DeployStepKey::new("api", name), way, news });
    }

    fn done(&mut self, name: &str, way: Way) {
        self.hear(name, way, News::Done { effect: Json::Null, vacuous: false });
    }

    /// Up to the step behind `last`, with looks on the way.
    fn until(&mut self, last: &str) {
        self.propose("1.0");
        for name in ["prepare", "migrate", "apply", "health"] {
            if matches!(pending(&self.state), Some(Command::Look { .. })) {
                self.look("1.0");
            }
            self.done(name, Way::Forward);
            if name == last {
                break;
            }
        }
    }

    fn check(self, expect: &Expect) {
        let owed = pending(&self.state);
        let owed = owed.map(|it| format!("owed: {it:?}\n")).unwrap_or_default();
        expect.assert_eq(&format!("{}{owed}", self.told));
    }
}

fn words(event: &DeploymentEvent) -> String {
    use DeploymentEvent as E;
    let rest = match event {
        E::StepIntended { step, way, .. } | E::StepDone { step, way, .. } => {
            format!(" {step} {way:?}")
        }
        E::StepFailed { step, way, cause, .. } => format!(" {step} {way:?}: {}", cause.message),
        E::TurnedBack { cause, .. } => format!(": {}", cause.message),
        E::GateWaiting { gate, what, .. } => format!(" {gate}: {what}"),
        E::GateOpened { gate, .. } => format!(" {gate}"),
        E::GateSigned { gate, by, .. } => format!(" {gate} {}", by.name),
        E::DeploymentNoted { text, .. } => format!(": {text}"),
        E::DeploymentPlanned { plan, .. } => {
            let order: Vec<&str> = plan.order.iter().map(DeployStepKey::as_str).collect();
            format!(": {}", order.join(", "))
        }
        E::DeploymentCompleted { verdict, cause, by, unchanged, runs, .. } => {
            let why = cause.as_ref().map(|it| format!(": {}", tree(it))).unwrap_or_default();
            let unchanged = if *unchanged { ", unchanged" } else { "" };
            let runs: Vec<&str> = runs.values().map(|it| &*it.release.version).collect();
            format!(" {verdict} by {by:?}{unchanged}, runs {runs:?}{why}")
        }
        E::GateRejected { gate, by, .. } => format!(" {gate} {}", by.name),
        E::ApprovalRefused { why, .. } => format!(": {why}"),
        E::RulePassed { rule, what, .. } => format!(" {rule}: {what}"),
        E::RulesConfirmed { commit, .. } => format!(" {commit}"),
        E::DeploymentRequested(_) | E::DeploymentOwned { .. } | E::CancelWanted { .. } => {
            String::new()
        }
    };
    format!("{}{rest}", event.kind())
}

fn tree(cause: &Cause) -> String {
    let because: Vec<String> = cause.because.iter().map(tree).collect();
    let because =
        if because.is_empty() { String::new() } else { format!(" <- ({})", because.join("; ")) };
    format!("{}{because}", cause.message)
}

fn cause(message: &str) -> Cause {
    Cause::new(CauseCode::Exited, text(message))
}

#[test]
fn all_goes_well() {
    let mut story = Story::new(Vec::new(), OnCancel::Back);
    story.until("health");
    story.look("2.0");
    story.check(&expect![[r#"
        DeploymentRequested
        DeploymentOwned
        DeploymentPlanned: api/prepare, api/migrate, api/apply, api/health
        StepIntended api/prepare Forward
        StepDone api/prepare Forward
        StepIntended api/migrate Forward
        StepDone api/migrate Forward
        StepIntended api/apply Forward
        StepDone api/apply Forward
        StepIntended api/health Forward
        StepDone api/health Forward
        DeploymentCompleted succeeded by Launchway, runs ["2.0"]
    "#]]);
}

#[test]
fn what_runs_already_is_left() {
    let mut story = Story::new(Vec::new(), OnCancel::Back);
    story.propose("2.0");
    story.check(&expect![[r#"
        DeploymentRequested
        DeploymentOwned
        DeploymentPlanned: 
        DeploymentCompleted succeeded by Launchway, unchanged, runs ["2.0"]
    "#]]);
}

/// A command beside what runs: of the target's own change only what the command needs, and a failure
/// is none of what runs.
#[test]
fn a_task_leaves_what_runs() {
    let task = |heard: News| {
        let mut story = Story::of(DeploymentKind::Task, Vec::new(), OnCancel::Back);
        story.propose("1.0");
        story.look("1.0");
        story.done("prepare", Way::Forward);
        story.look("1.0");
        story.hear("migrate", Way::Forward, heard);
        story
    };
    let mut done = task(News::Done { effect: Json::Null, vacuous: false });
    done.done("health", Way::Forward);
    done.look("2.0");
    done.check(&expect![[r#"
        DeploymentRequested
        DeploymentOwned
        DeploymentPlanned: api/prepare, api/migrate, api/health
        StepIntended api/prepare Forward
        StepDone api/prepare Forward
        StepIntended api/migrate Forward
        StepDone api/migrate Forward
        StepIntended api/health Forward
        StepDone api/health Forward
        DeploymentCompleted succeeded by Launchway, runs ["2.0"]
    "#]]);
    let mut failed = task(News::Failed(cause("exit code 3")));
    failed.done("prepare", Way::Back);
    failed.done("health", Way::Back);
    failed.check(&expect![[r#"
        DeploymentRequested
        DeploymentOwned
        DeploymentPlanned: api/prepare, api/migrate, api/health
        StepIntended api/prepare Forward
        StepDone api/prepare Forward
        StepIntended api/migrate Forward
        StepFailed api/migrate Forward: exit code 3
        TurnedBack: exit code 3
        DeploymentNoted: api/migrate stays: data cannot be taken back
        StepIntended api/prepare Back
        StepDone api/prepare Back
        DeploymentCompleted failed by Launchway, runs []: exit code 3
        refused: the deployment is over: anything does not fit
    "#]]);
}

#[test]
fn what_fails_goes_back_and_is_asked_again() {
    let mut story = Story::new(Vec::new(), OnCancel::Back);
    story.until("apply");
    story.hear("health", Way::Forward, News::Failed(cause("/health says 500")));
    for name in ["apply", "prepare", "health"] {
        story.done(name, Way::Back);
    }
    story.check(&expect![[r#"
        DeploymentRequested
        DeploymentOwned
        DeploymentPlanned: api/prepare, api/migrate, api/apply, api/health
        StepIntended api/prepare Forward
        StepDone api/prepare Forward
        StepIntended api/migrate Forward
        StepDone api/migrate Forward
        StepIntended api/apply Forward
        StepDone api/apply Forward
        StepIntended api/health Forward
        StepFailed api/health Forward: /health says 500
        TurnedBack: /health says 500
        DeploymentNoted: api/migrate stays: data cannot be taken back
        StepIntended api/apply Back
        StepDone api/apply Back
        StepIntended api/prepare Back
        StepDone api/prepare Back
        StepIntended api/health Back
        StepDone api/health Back
        DeploymentCompleted rolled_back by Launchway, runs []: /health says 500
    "#]]);
}

#[test]
fn an_undo_that_fails_shouts() {
    let mut story = Story::new(Vec::new(), OnCancel::Back);
    story.until("apply");
    story.hear("health", Way::Forward, News::Failed(cause("/health says 500")));
    story.hear("apply", Way::Back, News::Failed(cause("the old one does not start")));
    story.check(&expect![[r#"
        DeploymentRequested
        DeploymentOwned
        DeploymentPlanned: api/prepare, api/migrate, api/apply, api/health
        StepIntended api/prepare Forward
        StepDone api/prepare Forward
        StepIntended api/migrate Forward
        StepDone api/migrate Forward
        StepIntended api/apply Forward
        StepDone api/apply Forward
        StepIntended api/health Forward
        StepFailed api/health Forward: /health says 500
        TurnedBack: /health says 500
        DeploymentNoted: api/migrate stays: data cannot be taken back
        StepIntended api/apply Back
        StepFailed api/apply Back: the old one does not start
        DeploymentCompleted rollback_stuck by Launchway, runs []: going back failed at api/apply <- (the old one does not start; /health says 500)
    "#]]);
}

#[test]
fn a_cancel_waits_for_a_migration_and_not_for_more() {
    let mut story = Story::new(Vec::new(), OnCancel::Back);
    story.until("prepare");
    story.look("1.0");
    story.input(Input::Cancel { by: person("octocat"), reason: Some(text("wrong version")) });
    story.done("migrate", Way::Forward);
    story.done("prepare", Way::Back);
    story.check(&expect![[r#"
        DeploymentRequested
        DeploymentOwned
        DeploymentPlanned: api/prepare, api/migrate, api/apply, api/health
        StepIntended api/prepare Forward
        StepDone api/prepare Forward
        StepIntended api/migrate Forward
        CancelWanted
        StepDone api/migrate Forward
        TurnedBack: octocat wanted it to end: wrong version
        DeploymentNoted: api/migrate stays: data cannot be taken back
        StepIntended api/prepare Back
        StepDone api/prepare Back
        DeploymentCompleted rolled_back by Person, runs []: octocat wanted it to end: wrong version
    "#]]);
}

#[test]
fn a_cancel_before_the_first_change_changes_nothing() {
    let mut story = Story::new(Vec::new(), OnCancel::Finish);
    story.propose("1.0");
    story.look("1.0");
    story.input(Input::Cancel { by: person("octocat"), reason: None });
    story.check(&expect![[r#"
        DeploymentRequested
        DeploymentOwned
        DeploymentPlanned: api/prepare, api/migrate, api/apply, api/health
        StepIntended api/prepare Forward
        CancelWanted
        TurnedBack: octocat wanted it to end
        StepIntended api/prepare Back
        owed: Carry { step: DeployStepKey("api/prepare"), way: Back }
    "#]]);
}

#[test]
fn drift_is_refused() {
    let mut story = Story::new(Vec::new(), OnCancel::Back);
    story.propose("1.0");
    story.look("1.1");
    story.check(&expect![[r#"
        DeploymentRequested
        DeploymentOwned
        DeploymentPlanned: api/prepare, api/migrate, api/apply, api/health
        DeploymentCompleted refused by Launchway, runs []: api was changed by somebody since the plan was made
    "#]]);
}

#[test]
fn drift_behind_the_preparation_takes_it_back() {
    let mut story = Story::new(Vec::new(), OnCancel::Back);
    story.until("prepare");
    story.look("1.1");
    story.done("prepare", Way::Back);
    story.check(&expect![[r#"
        DeploymentRequested
        DeploymentOwned
        DeploymentPlanned: api/prepare, api/migrate, api/apply, api/health
        StepIntended api/prepare Forward
        StepDone api/prepare Forward
        TurnedBack: api was changed by somebody since the plan was made
        StepIntended api/prepare Back
        StepDone api/prepare Back
        DeploymentCompleted refused by Launchway, runs []: api was changed by somebody since the plan was made
    "#]]);
}

#[test]
fn time_runs_while_somebody_looks() {
    let mut story = Story::new(Vec::new(), OnCancel::Back);
    story.propose("1.0");
    story.look("1.0");
    story.now = 9_999;
    story.hear("prepare", Way::Forward, News::Underway);
    story.now = 3_600_000;
    story.own(2);
    story.hear("prepare", Way::Forward, News::Underway);
    story.now += 10_000;
    story.hear("prepare", Way::Forward, News::Unreachable(cause("no answer")));
    story.done("prepare", Way::Back);
    story.check(&expect![[r#"
        DeploymentRequested
        DeploymentOwned
        DeploymentPlanned: api/prepare, api/migrate, api/apply, api/health
        StepIntended api/prepare Forward
        DeploymentOwned
        StepFailed api/prepare Forward: api/prepare was not over within 10 s
        TurnedBack: api/prepare was not over within 10 s
        StepIntended api/prepare Back
        StepDone api/prepare Back
        DeploymentCompleted failed by Launchway, runs []: api/prepare was not over within 10 s <- (no answer)
    "#]]);
}

#[test]
fn an_old_owner_is_not_heard() {
    let mut story = Story::new(Vec::new(), OnCancel::Back);
    story.own(2);
    story.tell(Fence(1), Input::Cancel { by: person("octocat"), reason: None });
    story.own(2);
    story.check(&expect![[r#"
        DeploymentRequested
        DeploymentOwned
        DeploymentOwned
        refused: the deployment is owned under fence 2, this came under 1
        refused: the deployment is planning: an owner does not fit
        owed: Propose
    "#]]);
}

#[test]
fn gates_open_for_this_plan_and_for_who_may() {
    let members = vec!["octocat".into(), "hubot".into(), "mona".into()];
    let gates = vec![
        GateDemand::Approval { group: "devops".into(), count: 2, members },
        GateDemand::Confirm { word: "DEPLOY".into() },
        GateDemand::Wait { milliseconds: 300_000 },
    ];
    let mut story = Story::new(gates, OnCancel::Back);
    story.propose("1.0");
    let (_, plan) = story.state.plan().expect("a plan");
    let gate = GateKey::new("approval/devops");
    for name in ["octocat", "stranger", "hubot", "hubot", "mona"] {
        story.input(Input::Sign {
            gate: gate.clone(),
            by: person(name),
            plan,
            proof: None,
            until: None,
        });
    }
    for (word, name) in [("deploy", "octocat"), ("DEPLOY", "mona"), ("DEPLOY", "octocat")] {
        story.input(Input::Confirm { word: word.into(), by: person(name), plan });
    }
    let other = event::Digest::of(b"another plan");
    story.input(Input::Sign { gate, by: person("mona"), plan: other, proof: None, until: None });
    story.now = 299_999;
    story.input(Input::Advance);
    story.now = 300_000;
    story.input(Input::Advance);
    story.check(&expect![[r#"
        DeploymentRequested
        DeploymentOwned
        DeploymentPlanned: api/prepare, api/migrate, api/apply, api/health
        GateWaiting approval/devops: 2 of devops (octocat, hubot, mona) agree to the plan
        GateWaiting confirm: the person who started it types DEPLOY
        GateWaiting wait: 300 s have passed since it was requested
        refused: octocat may not: they requested the deployment
        refused: stranger may not: they are not of devops, or not for this deployment
        GateSigned approval/devops hubot
        refused: hubot may not: they agreed already
        GateSigned approval/devops mona
        GateOpened approval/devops
        refused: the word is `DEPLOY`
        refused: mona may not: another person started it
        GateSigned confirm octocat
        GateOpened confirm
        refused: the plan is d6460e02017ab64335144e19dd3719a81e2babff83b5557273f2aa229d2ea5c9, not 77ddfb898d260e3b10990dcc3789ea8bd9a7aba33680543f531dc7d842f55b79
        GateOpened wait
        owed: Look { services: ["api"] }
    "#]]);
}

/// A deployment that two groups have to agree to, under rules; one rule is passed.
fn two_groups() -> Story {
    let group = |name: &str, members: &[&str]| GateDemand::Approval {
        group: name.into(),
        count: 1,
        members: members.iter().map(|it| (*it).into()).collect(),
    };
    let gates = vec![group("devops", &["hubot", "mona"]), group("leads", &["mona", "lena"])];
    let rules = Rules {
        source: text("a remote"),
        branch: "main".into(),
        commit: "c0ffee".into(),
        digest: event::Digest::ZERO,
    };
    let passed = vec![PassedRule { rule: "windows".into(), what: text("mondays only") }];
    let protection = Some(Box::new(Protection { rules, proof: None, passed }));
    let mut story = Story::under(DeploymentKind::Release, protection, gates, OnCancel::Back);
    story.propose("1.0");
    story
}

fn sign(story: &mut Story, group: &str, name: &str, until: u64) {
    let (_, plan) = story.state.plan().expect("a plan");
    let gate = GateKey::new(format!("approval/{group}"));
    let until = Some(Timestamp(until));
    story.input(Input::Sign { gate, by: person(name), plan, proof: None, until });
}

#[test]
fn nobody_counts_for_two_groups_and_what_expired_counts_for_none() {
    let mut story = two_groups();
    sign(&mut story, "devops", "hubot", 0);
    sign(&mut story, "devops", "mona", 100);
    sign(&mut story, "leads", "mona", 100);
    sign(&mut story, "leads", "lena", 100);
    story.check(&expect![[r#"
        DeploymentRequested
        DeploymentOwned
        RulePassed windows: mondays only
        DeploymentPlanned: api/prepare, api/migrate, api/apply, api/health
        GateWaiting approval/devops: 1 of devops (hubot, mona) agree to the plan
        GateWaiting approval/leads: 1 of leads (mona, lena) agree to the plan
        refused: hubot may not: what they signed has expired
        GateSigned approval/devops mona
        GateOpened approval/devops
        refused: mona may not: they agreed for another group, and nobody counts twice
        GateSigned approval/leads lena
        GateOpened approval/leads
        owed: ReadRules
    "#]]);
}

#[test]
fn the_rules_are_read_again_before_anything_begins() {
    let agreed = || {
        let mut story = two_groups();
        sign(&mut story, "devops", "hubot", 100);
        sign(&mut story, "leads", "mona", 1_000);
        story
    };
    let mut story = agreed();
    story.input(Input::RulesHold { commit: "c0ffee".into() });
    // Whoever goes on with it has not read them.
    story.own(2);
    story.check(&expect![[r#"
        DeploymentRequested
        DeploymentOwned
        RulePassed windows: mondays only
        DeploymentPlanned: api/prepare, api/migrate, api/apply, api/health
        GateWaiting approval/devops: 1 of devops (hubot, mona) agree to the plan
        GateWaiting approval/leads: 1 of leads (mona, lena) agree to the plan
        GateSigned approval/devops hubot
        GateOpened approval/devops
        GateSigned approval/leads mona
        GateOpened approval/leads
        RulesConfirmed c0ffee
        DeploymentOwned
        owed: ReadRules
    "#]]);

    let mut story = agreed();
    story.now = 100;
    story.input(Input::RulesHold { commit: "c0ffee".into() });
    story.check(&expect![[r#"
        DeploymentRequested
        DeploymentOwned
        RulePassed windows: mondays only
        DeploymentPlanned: api/prepare, api/migrate, api/apply, api/health
        GateWaiting approval/devops: 1 of devops (hubot, mona) agree to the plan
        GateWaiting approval/leads: 1 of leads (mona, lena) agree to the plan
        GateSigned approval/devops hubot
        GateOpened approval/devops
        GateSigned approval/leads mona
        GateOpened approval/leads
        DeploymentCompleted refused by Launchway, runs []: what was signed at approval/devops expired before anything could begin
    "#]]);

    let mut story = agreed();
    let cause = Cause::new(CauseCode::GateShut, text("the rules are others by now"));
    story.input(Input::RulesForbid { cause });
    story.check(&expect![[r#"
        DeploymentRequested
        DeploymentOwned
        RulePassed windows: mondays only
        DeploymentPlanned: api/prepare, api/migrate, api/apply, api/health
        GateWaiting approval/devops: 1 of devops (hubot, mona) agree to the plan
        GateWaiting approval/leads: 1 of leads (mona, lena) agree to the plan
        GateSigned approval/devops hubot
        GateOpened approval/devops
        GateSigned approval/leads mona
        GateOpened approval/leads
        DeploymentCompleted refused by Launchway, runs []: the rules are others by now
    "#]]);
}

#[test]
fn who_says_no_ends_it_and_who_tries_later_is_written_down() {
    let mut story = two_groups();
    let gate = GateKey::new("approval/leads");
    let reason = Some(text("not on a friday"));
    story.input(Input::Reject { gate: gate.clone(), by: person("hubot"), reason, proof: None });
    let reason = Some(text("not on a friday"));
    story.input(Input::Reject { gate: gate.clone(), by: person("lena"), reason, proof: None });
    let refuse = |why: &str| Input::Refuse {
        gate: Some(gate.clone()),
        by: Some(text("mona")),
        key: None,
        handed: None,
        why: text(why),
    };
    for _ in 0..201 {
        story.input(refuse("it is over"));
    }
    let lines: Vec<&str> = story.told.lines().collect();
    let tried = lines.iter().filter(|line| line.starts_with("ApprovalRefused")).count();
    assert_eq!((tried, story.state.ended().is_some()), (200, true));
    story.told = [&lines[3..8], &lines[lines.len() - 1..]].concat().join("\n");
    story.check(&expect![[r#"
        DeploymentPlanned: api/prepare, api/migrate, api/apply, api/health
        GateWaiting approval/devops: 1 of devops (hubot, mona) agree to the plan
        GateWaiting approval/leads: 1 of leads (mona, lena) agree to the plan
        refused: hubot may not: they are not of leads
        GateRejected approval/leads lena
        refused: the deployment is over: one more refused approval does not fit"#]]);
}
