//! What would be done, step by step, and what each step must know to be done or undone by somebody
//! who knows nothing else.

use std::collections::BTreeMap;
use std::sync::Arc;

use event::{
    Cause, CauseCode, DeployStepKey, DeployStepKind, FieldChange, GoingBack, KnownRelease,
    PlannedStep, Undo,
};
use mask::MaskedText;
use ports::Proposal;
use serde::{Deserialize, Serialize};

use crate::config::Strategy;
use crate::wanted::Set;

/// Unpacking a large release from a slow disk.
const PREPARE_MS: u64 = 600_000;
/// Bringing a large image over a slow line.
const BRING_MS: u64 = 1_800_000;
/// Route files, signals and looks: what a step takes beside what it waits for.
const MARGIN_MS: u64 = 60_000;
/// Hexadecimal digits of a digest that people are shown.
const DIGITS_SHOWN: usize = 12;

/// All that a plan rests on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Seen {
    /// What gets requests.
    pub(super) running: Option<Former>,
    /// Why the address could not be listened on.
    pub(super) listen_problem: Option<String>,
    /// Why the release could not be started: its bundle or its image is not to be had, or something
    /// else that it needs.
    pub(super) bundle_problem: Option<String>,
    /// Why what runs could not be started again.
    pub(super) way_back: Option<String>,
    /// Private variables whose value is another than the one that what runs was given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) private: Vec<String>,
    /// Why private variables cannot be given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) private_problem: Option<Cause>,
}

/// What ran before.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Former {
    pub(super) key: String,
    pub(super) set: Set,
}

/// What a step of ours needs to know.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct StepBody {
    /// What shall run. Its key is the deployment.
    pub(super) to: Set,
    /// What ran before.
    pub(super) from: Option<Former>,
    /// How long both are kept.
    #[serde(default)]
    pub(super) bake_ms: u64,
}

/// The body of a step that runs a command once: of `migrate` steps around the change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskBody {
    /// The program and its arguments, run in the new release with the service's variables.
    pub run: Vec<String>,
}

pub(super) fn propose(
    service: &str,
    set: &Set,
    seen: Seen,
    running: Option<&KnownRelease>,
    barred: Option<String>,
) -> Result<Proposal, Cause> {
    if let Some(problem) = seen.private_problem {
        let what = format!("{service} cannot be given its private variables");
        let cause = Cause::new(CauseCode::TargetRefused, MaskedText::without_secrets(what));
        return Err(cause.because(problem));
    }
    let refusals = [&seen.bundle_problem, &seen.listen_problem];
    if let Some(problem) = refusals.into_iter().flatten().next() {
        let listen = set.config.listen;
        let what = if seen.bundle_problem.is_some() {
            format!("release {} cannot be started here: {problem}", set.release.version)
        } else {
            format!("{service} cannot listen on {listen}: {problem}")
        };
        return Err(Cause::new(CauseCode::TargetRefused, MaskedText::without_secrets(what)));
    }
    let going_back = match running {
        None => GoingBack::FirstDeployment,
        Some(to) => {
            let version = &to.release.version;
            let lost = seen
                .way_back
                .map(|problem| format!("release {version} could not be started again: {problem}"));
            let reasons: Vec<MaskedText> =
                lost.into_iter().chain(barred).map(MaskedText::without_secrets).collect();
            match reasons.is_empty() {
                true => GoingBack::Possible { to: Box::new(to.clone()) },
                false => GoingBack::Impossible { reasons },
            }
        }
    };
    let mut changes = changes(seen.running.as_ref().map(|former| &former.set), set);
    changes.extend(seen.private.iter().map(|name| private_change(name)));
    let steps = Steps { service, to: set, from: seen.running };
    Ok(Proposal { changes, steps: steps.all(), going_back, notes: Vec::new() })
}

struct Steps<'a> {
    service: &'a str,
    to: &'a Set,
    from: Option<Former>,
}

impl Steps<'_> {
    fn all(&self) -> Vec<PlannedStep> {
        let version = &self.to.release.version;
        let count = plural(self.to.config.instances);
        let back = match &self.from {
            Some(from) => format!("{} gets the requests again", from.set.release.version),
            None => "what was started is ended, and nothing listens any more".to_owned(),
        };
        let ready = millis(self.to.config.within()) + millis(self.to.config.settle());
        let before = self.from.as_ref().map(|from| &from.set.config);
        let ready_before =
            before.map_or(0, |config| millis(config.within()) + millis(config.settle()));
        let drain = self.to.config.drain_ms.max(before.map_or(0, |config| config.drain_ms));
        let each = u64::from(self.to.config.instances.max(before.map_or(1, |it| it.instances)));
        let (begin, within) = match self.to.location() {
            Some(location) => (format!("bring the image of {version} from {location}"), BRING_MS),
            None => (format!("unpack {version}"), PREPARE_MS),
        };
        let prepare = self.step(DeployStepKind::Prepare, &begin, within, 0, None);
        let retire = |what: &str| {
            let mut step = self.step(DeployStepKind::Retire, what, drain + MARGIN_MS, 0, None);
            let why = "what is retired is not needed to go back";
            step.undo = Undo::Never { why: MaskedText::without_secrets(why) };
            step
        };
        let stabilise =
            |what: &str| self.step(DeployStepKind::Stabilise, what, ready + MARGIN_MS, 0, None);
        match self.to.config.strategy {
            Strategy::Rolling => {
                let within = each * (ready.max(ready_before) + drain + MARGIN_MS);
                let what = format!("replace {count} by {version}, one after the other");
                vec![
                    prepare,
                    self.step(DeployStepKind::Apply, &what, within, 0, Some(&back)),
                    stabilise(&format!("see that {version} stays healthy")),
                    retire("remove releases that are not needed any more"),
                ]
            }
            Strategy::BlueGreen { bake_ms } => {
                let begin = format!("start {count} of {version} beside what runs");
                let stop = format!("{version} is ended");
                let within = drain + MARGIN_MS;
                let mut steps = vec![
                    prepare,
                    self.step(DeployStepKind::Apply, &begin, within, 0, Some(&stop)),
                    stabilise(&format!("wait until {version} is healthy")),
                    self.step(
                        DeployStepKind::Switch,
                        &format!("send every request to {version}"),
                        ready_before + MARGIN_MS,
                        0,
                        Some(&back),
                    ),
                ];
                if bake_ms > 0 {
                    let what = format!("watch {version}, what ran before still beside it");
                    let within = bake_ms + MARGIN_MS;
                    steps.push(self.step(DeployStepKind::Bake, &what, within, bake_ms, None));
                }
                steps.push(retire("end what ran before, and remove releases not needed any more"));
                steps
            }
        }
    }

    fn step(
        &self,
        kind: DeployStepKind,
        what: &str,
        within_ms: u64,
        bake_ms: u64,
        back: Option<&str>,
    ) -> PlannedStep {
        let calls: &[&str] = match kind {
            DeployStepKind::Prepare if self.to.location().is_some() => &["docker:Pull"],
            DeployStepKind::Prepare => &["host:Unpack"],
            DeployStepKind::Apply => &["host:Start", "host:Route", "host:Stop"],
            DeployStepKind::Switch => &["host:Start", "host:Route"],
            DeployStepKind::Retire => &["host:Route", "host:Stop", "host:Remove"],
            _ => &["host:Look"],
        };
        let body = StepBody { to: self.to.clone(), from: self.from.clone(), bake_ms };
        PlannedStep {
            key: DeployStepKey::new(self.service, kind.as_str()),
            kind,
            what: MaskedText::without_secrets(what),
            calls: calls.iter().map(|call| Arc::from(*call)).collect(),
            undo: back.map_or(Undo::Nothing, |what| Undo::Step {
                what: MaskedText::without_secrets(what),
            }),
            within_ms,
            body: serde_json::to_value(body).expect("a body has text keys only"),
        }
    }
}

fn millis(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX / 1024)
}

fn plural(count: u32) -> String {
    if count == 1 { "1 instance".to_owned() } else { format!("{count} instances") }
}

/// What differs, field by field. Of private variables the names alone.
fn changes(before: Option<&Set>, after: &Set) -> Vec<FieldChange> {
    let before = before.map(fields).unwrap_or_default();
    let after = fields(after);
    let mut names: Vec<&String> = before.keys().chain(after.keys()).collect();
    names.sort();
    names.dedup();
    let changed = names.into_iter().filter(|name| before.get(*name) != after.get(*name));
    changed
        .map(|name| FieldChange {
            field: name.as_str().into(),
            before: before.get(name).map(|it| MaskedText::without_secrets(it.as_str())),
            after: after.get(name).map(|it| MaskedText::without_secrets(it.as_str())),
        })
        .collect()
}

/// In the largest unit that leaves no rest.
fn size(bytes: u64) -> String {
    let units = [("GiB", 30), ("MiB", 20), ("KiB", 10)];
    let unit = units.into_iter().find(|(_, bits)| bytes.is_multiple_of(1 << bits));
    unit.map_or_else(
        || format!("{bytes} bytes"),
        |(unit, bits)| format!("{} {unit}", bytes >> bits),
    )
}

/// The name stays, the value is another. Neither is shown.
fn private_change(name: &str) -> FieldChange {
    let shown = |text: &str| Some(MaskedText::without_secrets(text));
    let (before, after) = (shown("(private)"), shown("(another private value)"));
    FieldChange { field: format!("env.{name}").into(), before, after }
}

fn fields(set: &Set) -> BTreeMap<String, String> {
    let Set { release, config } = set;
    let digits = release.digest.trim_start_matches("sha256:");
    let digits = digits.get(..DIGITS_SHOWN).unwrap_or(digits);
    let mut fields = BTreeMap::from([
        ("drain".to_owned(), format!("{} ms", config.drain_ms)),
        ("instances".to_owned(), config.instances.to_string()),
        ("listen".to_owned(), config.listen.to_string()),
        ("release".to_owned(), format!("{} ({digits})", release.version)),
    ]);
    let mut add = |name: &str, value: Option<String>| {
        fields.extend(value.map(|value| (name.to_owned(), value)));
    };
    match set.location() {
        Some(location) => {
            let container = config.container();
            add("as", Some("container".to_owned()));
            add("image", Some(format!("{location}@sha256:{digits}")));
            add("port", Some(container.port.to_string()));
            add("command", Some(container.command.join(" ")).filter(|it| !it.is_empty()));
        }
        None => add("run", Some(config.run.join(" "))),
    }
    add("memory", config.memory_bytes.map(size));
    add("test_listen", config.test_listen.map(|listen| listen.to_string()));
    add("user", config.user.clone());
    add("health", config.health.as_ref().map(|health| health.paths.join(" ")));
    for (name, value) in &config.env {
        add(&format!("env.{name}"), Some(value.clone()));
    }
    for name in &config.private {
        add(&format!("env.{name}"), Some("(private)".to_owned()));
    }
    fields
}
