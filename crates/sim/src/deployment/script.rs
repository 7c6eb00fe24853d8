//! What goes wrong in a story, and what people do in it.

use event::{
    Actor, DeployStepKey, DeployStepKind, DeploymentKind, DeploymentRequest, GateDemand,
    KnownRelease, OnCancel, PassedRule, PlannedStep, Protection, Release, Rules, ServiceRequest,
    Timestamp, Undo, Way,
};
use mask::MaskedText;
use serde_json::json;

/// When every story begins.
pub(crate) const BEGIN: Timestamp = Timestamp(1_000_000);
/// The time of every step, in milliseconds.
pub(crate) const WITHIN_MS: u64 = 60_000;

/// What happens when a step is carried on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// It fails before it did anything.
    Fails,
    /// It did it, and says that it failed.
    FailsDone,
    /// It did it, and never says so.
    Hangs,
    /// Nobody answers so often, then all is well.
    Unreachable(u32),
    /// Somebody else took its place.
    Superseded,
    /// The platform put back what ran before.
    WentBack,
    /// Nothing runs of it.
    Vacuous,
}

/// Somebody changes a service behind the deployment's back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drift {
    /// Which.
    pub service: &'static str,
    /// Once the journal holds so many events.
    pub events: usize,
}

/// Somebody wants it to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cancel {
    /// Once the journal holds so many events, ownerships not counted.
    pub events: usize,
    /// What that means behind the first change.
    pub on_cancel: OnCancel,
}

/// What has to open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Gates {
    /// Nothing.
    #[default]
    None,
    /// Two people of a group, five minutes, and a word.
    All,
    /// The same, and somebody says no.
    Rejected,
}

/// What reading the rules once more gives, behind the gates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reread {
    /// They are what they were.
    #[default]
    Same,
    /// They are others.
    Other,
    /// They cannot be read so often.
    Unread(u32),
    /// They are what they were, and what people signed has expired meanwhile.
    Late,
}

/// One story.
#[derive(Clone, Debug, Default)]
pub struct Script {
    /// What goes wrong at which step, forward or back.
    pub troubles: Vec<(DeployStepKey, Way, Trouble)>,
    /// Somebody interferes.
    pub drift: Option<Drift>,
    /// Somebody cancels.
    pub cancel: Option<Cancel>,
    /// What has to open.
    pub gates: Gates,
    /// What the rules are by then.
    pub rules: Reread,
    /// Nothing runs before.
    pub first: bool,
    /// What is wanted runs already.
    pub same: bool,
    /// It is forced.
    pub force: bool,
    /// Going back would be impossible.
    pub no_way_back: bool,
    /// The target cannot be looked at so often.
    pub unseen: u32,
}

fn text(text: &str) -> MaskedText {
    MaskedText::without_secrets(text)
}

/// The services of every story, in order.
pub(crate) const SERVICES: [&str; 2] = ["api", "web"];

/// A release by its version.
pub(crate) fn release(version: &str) -> Release {
    Release {
        version: version.into(),
        digest: format!("sha256:{version}").into(),
        location: None,
        commit: None,
    }
}

/// What ran here once.
pub(crate) fn known(version: &str) -> KnownRelease {
    KnownRelease { release: release(version), handle: json!({ "is": version }), adopted: false }
}

/// A step of a service.
pub(crate) fn step(service: &str, name: &str, kind: DeployStepKind, undo: Undo) -> PlannedStep {
    PlannedStep {
        key: DeployStepKey::new(service, name),
        kind,
        what: text(name),
        calls: vec![name.into()],
        undo,
        within_ms: WITHIN_MS,
        body: json!(null),
    }
}

/// Undone by a step.
pub(crate) fn undone() -> Undo {
    Undo::Step { what: text("it is taken back") }
}

fn around(service: &str) -> Vec<PlannedStep> {
    use DeployStepKind::{Backup, Bake, Migrate, Verify};
    let never = Undo::Never { why: text("data cannot be taken back") };
    let again = Undo::AskAgain { what: text("health of what ran before") };
    vec![
        step(service, "backup", Backup, Undo::Nothing),
        step(service, "migrate", Migrate, never),
        step(service, "health", Verify, again),
        step(service, "smoke", Verify, Undo::Nothing),
        step(service, "bake", Bake, Undo::Nothing),
    ]
}

impl Script {
    /// What is asked for.
    pub(crate) fn request(&self) -> DeploymentRequest {
        let wanted = if self.same { "1.0" } else { "2.0" };
        let service = |name: &&str| ServiceRequest {
            service: (*name).into(),
            release: release(wanted),
            restores: None,
            last_good: (!self.first).then(|| known("1.0")),
            target: "fake".into(),
            config: json!({ "no_way_back": self.no_way_back }),
            around: around(name),
        };
        DeploymentRequest {
            project: "planner".into(),
            environment: "production".into(),
            kind: DeploymentKind::Release,
            by: person("octocat"),
            reason: None,
            services: SERVICES.iter().map(service).collect(),
            gates: self.gates(),
            force: self.force,
            commits: Vec::new(),
            planned: true,
            on_cancel: self.cancel.map_or(OnCancel::Back, |cancel| cancel.on_cancel),
            protection: (self.gates != Gates::None).then(|| Box::new(protection())),
            job: None,
            at: BEGIN,
        }
    }

    fn gates(&self) -> Vec<GateDemand> {
        if self.gates == Gates::None {
            return Vec::new();
        }
        let members = ["octocat", "hubot", "mona"].map(Into::into).to_vec();
        vec![
            GateDemand::Confirm { word: "DEPLOY".into() },
            GateDemand::Approval { group: "devops".into(), count: 2, members },
            GateDemand::Wait { milliseconds: 300_000 },
        ]
    }
}

/// One rule is passed, all others hold.
fn protection() -> Protection {
    let passed = PassedRule { rule: "windows".into(), what: text("mondays only") };
    Protection {
        rules: Rules {
            source: text("ssh://forge/planner"),
            branch: "main".into(),
            commit: "c0ffee".into(),
            digest: event::Digest::of(b"the rules"),
        },
        proof: None,
        passed: vec![passed],
    }
}

/// Somebody by name.
pub(crate) fn person(name: &str) -> Actor {
    Actor { name: text(name), proof: "local".into(), source: None, address: None }
}

/// Names of all steps of a service, in the plan's order, with whether they have an undo.
const STEPS: &[(&str, bool)] = &[
    ("prepare", true),
    ("backup", false),
    ("migrate", false),
    ("apply", true),
    ("stabilise", false),
    ("switch", true),
    ("health", true),
    ("smoke", false),
    ("bake", false),
    ("retire", false),
];

/// Events of a story in which nothing goes wrong, ownerships not counted.
const EVENTS: usize = 44;

/// All stories that are told in every build.
pub fn scripts() -> Vec<Script> {
    let mut scripts = vec![
        Script::default(),
        Script { first: true, ..Script::default() },
        Script { same: true, ..Script::default() },
        Script { same: true, force: true, ..Script::default() },
        Script { no_way_back: true, ..Script::default() },
        Script { no_way_back: true, force: true, ..Script::default() },
        Script { unseen: 3, ..Script::default() },
        Script { unseen: 1_000, ..Script::default() },
        Script { gates: Gates::All, ..Script::default() },
        Script { gates: Gates::Rejected, ..Script::default() },
        Script { gates: Gates::All, rules: Reread::Other, ..Script::default() },
        Script { gates: Gates::All, rules: Reread::Unread(3), ..Script::default() },
        Script { gates: Gates::All, rules: Reread::Unread(1_000), ..Script::default() },
        Script { gates: Gates::All, rules: Reread::Late, ..Script::default() },
    ];
    for service in SERVICES {
        for (name, has_undo) in STEPS {
            let key = DeployStepKey::new(service, name);
            scripts.extend(forward(&key));
            if *has_undo {
                scripts.extend(back(&key));
            }
        }
        for events in 0..EVENTS {
            let drift = Some(Drift { service, events });
            scripts.push(Script { drift, ..Script::default() });
        }
    }
    for events in 0..EVENTS {
        for on_cancel in [OnCancel::Back, OnCancel::Finish] {
            let cancel = Some(Cancel { events, on_cancel });
            scripts.push(Script { cancel, ..Script::default() });
        }
    }
    scripts
}

fn forward(key: &DeployStepKey) -> Vec<Script> {
    use Trouble::{Fails, FailsDone, Hangs, Superseded, Unreachable, Vacuous, WentBack};
    let all = [
        Fails,
        FailsDone,
        Hangs,
        Unreachable(3),
        Unreachable(u32::MAX),
        Superseded,
        WentBack,
        Vacuous,
    ];
    let story = |trouble: Trouble| Script {
        troubles: vec![(key.clone(), Way::Forward, trouble)],
        ..Script::default()
    };
    let mut stories: Vec<Script> = all.into_iter().map(story).collect();
    stories.push(Script { first: true, ..story(Fails) });
    stories
}

/// The last verification fails, and then this on the way back.
fn back(key: &DeployStepKey) -> Vec<Script> {
    use Trouble::{Fails, FailsDone, Hangs, Superseded, Unreachable, WentBack};
    let all =
        [Fails, FailsDone, Hangs, Unreachable(3), Unreachable(u32::MAX), Superseded, WentBack];
    let story = |trouble: Trouble| {
        let first = (DeployStepKey::new("web", "smoke"), Way::Forward, Fails);
        let troubles = vec![first, (key.clone(), Way::Back, trouble)];
        Script { troubles, ..Script::default() }
    };
    all.into_iter().map(story).collect()
}
