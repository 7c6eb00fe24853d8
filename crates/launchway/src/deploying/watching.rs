//! Alarms that must not go off, and texts that must not be printed, for services on this machine:
//! looked at behind verification, for a while. What instances printed since they started counts, too.
//!
//! On ECS the target itself watches; this machine's knows nothing of clouds.

use std::collections::BTreeMap;
use std::time::Duration;

use aws::{Alarm, Client, Fault};
use event::{
    Cause, CauseCode, DeployStepKey, DeployStepKind, DeploymentRequest, EvidenceKind, PlannedStep,
    Timestamp, Undo, Way,
};
use iam::Statement;
use mask::MaskedText;
use ports::{Order, Performer, Progress};
use serde_json::{Value as Json, json};
use settings::ServiceInEnvironment;

use super::targets::{self, Site};
use super::{cloud, steps};
use crate::exit::{Exit, Failure};
use crate::settings_file::Found;
use crate::state::StateFolder;

/// Two periods of a usual alarm.
const WITH_ALARMS: Duration = Duration::from_mins(2);
/// What is printed is there at once; what serves longer than this is baked.
const TEXTS_ALONE: Duration = Duration::from_secs(10);
/// What the step may take beyond: calls that fail.
const SLACK: Duration = Duration::from_mins(2);
/// How often is looked.
const LOOK: Duration = Duration::from_secs(1);
/// How often CloudWatch is asked.
const ASK_MS: u64 = 10_000;
/// So many lines of each instance are looked through.
const LINES_MAX: usize = 10_000;

/// What the body says.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Watch {
    region: String,
    account: Option<String>,
    alarms: Vec<String>,
    texts: Vec<String>,
    for_ms: u64,
}

impl Watch {
    fn body(&self) -> Json {
        let Watch { region, account, alarms, texts, for_ms } = self;
        json!({"watch_step": {
            "region": region, "account": account, "alarms": alarms, "texts": texts, "for_ms": for_ms,
        }})
    }

    fn read(body: &Json) -> Option<Watch> {
        let step = body.get("watch_step")?;
        let list = |key: &str| -> Option<Vec<String>> {
            let words = step[key].as_array()?.iter();
            words.map(|it| it.as_str().map(str::to_owned)).collect()
        };
        Some(Watch {
            region: step["region"].as_str()?.to_owned(),
            account: step["account"].as_str().map(str::to_owned),
            alarms: list("alarms")?,
            texts: list("texts")?,
            for_ms: step["for_ms"].as_u64()?,
        })
    }
}

/// Whether a step is one of these.
pub(super) fn is_watched(step: &PlannedStep) -> bool {
    step.body.get("watch_step").is_some()
}

/// The step behind verification. Whoever goes back, or mends, does it because of an alarm that is on:
/// then alarms are left out.
pub(super) fn step(
    service: &ServiceInEnvironment,
    with_alarms: bool,
) -> Result<Option<PlannedStep>, Failure> {
    if !matches!(service.target, settings::Target::Host(_)) {
        return Ok(None);
    }
    let texts = |all: &[settings::Text]| all.iter().map(|it| it.value.to_string()).collect();
    let alarms: Vec<String> = if with_alarms { texts(&service.verify.alarms) } else { Vec::new() };
    let texts: Vec<String> = texts(&service.verify.logs);
    let (what, time) = match (&alarms[..], &texts[..]) {
        ([], []) => return Ok(None),
        ([], _) => ("watches what is printed".to_owned(), TEXTS_ALONE),
        (alarms, []) => (format!("watches that {} stay quiet", alarms.join(", ")), WITH_ALARMS),
        (alarms, _) => {
            let alarms = alarms.join(", ");
            (format!("watches that {alarms} stay quiet, and what is printed"), WITH_ALARMS)
        }
    };
    let region = match alarms.is_empty() {
        true => String::new(),
        false => steps::region(service, &format!("the alarm {}", alarms[0]))?,
    };
    let calls: &[&str] = if alarms.is_empty() {
        &["host:Look"]
    } else {
        &["cloudwatch:DescribeAlarms", "host:Look", "sts:GetCallerIdentity"]
    };
    let account = service.environment.account.as_ref().map(|it| it.value.to_string());
    let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let watch = Watch { region, account, alarms, texts, for_ms: ms(time) };
    Ok(Some(PlannedStep {
        key: DeployStepKey::new(&service.service.name.value, "watch"),
        kind: DeployStepKind::Bake,
        what: MaskedText::without_secrets(format!("{what}, for {} s", time.as_secs())),
        calls: calls.iter().map(|it| (*it).into()).collect(),
        undo: Undo::Nothing,
        within_ms: ms(time + SLACK),
        body: watch.body(),
    }))
}

/// Before anything begins every alarm is there, and none is on: it could not go off, and nobody would
/// know.
pub(super) fn look(
    request: &DeploymentRequest,
    site: Site<'_>,
    found: &Found,
) -> Result<(), Failure> {
    let around = request.services.iter().flat_map(|it| &it.around);
    for watch in around.filter_map(|it| Watch::read(&it.body)) {
        if watch.alarms.is_empty() {
            continue;
        }
        let mut client = cloud::client(&watch.region, cloud::sign_in(site, Some(found))?);
        let missing = |fault: Fault| {
            let message = format!("the alarms of the settings cannot be looked at: {fault}");
            Failure::new(Exit::Missing, message)
                .hint(format!("allow {}, or take `verify.alarms` out", fault.action))
        };
        guard(&mut client, &watch).map_err(missing)?.map_err(|it| {
            Failure::new(Exit::Forbidden, it).hint("sign in to that one, or correct `account`")
        })?;
        let seen = client.alarms(&watch.alarms).map_err(missing)?;
        for name in &watch.alarms {
            match seen.iter().find(|it| it.name == *name) {
                None => {
                    return Err(Failure::new(Exit::Missing, format!("there is no alarm {name}"))
                        .hint("make it, or correct `verify.alarms`"));
                }
                Some(alarm) if alarm.state == ON => {
                    let message = format!("the alarm {name} is on already: {}", alarm.reason);
                    return Err(Failure::new(Exit::Forbidden, message)
                        .hint("see to that first; --hotfix and `rollback` do not look at alarms"));
                }
                Some(_) => {}
            }
        }
    }
    Ok(())
}

/// What a role must be allowed to watch alarms; on ECS its own rights have it.
pub(super) fn permissions(service: &ServiceInEnvironment) -> Option<Statement> {
    let is_here = matches!(service.target, settings::Target::Host(_));
    (is_here && !service.verify.alarms.is_empty()).then(|| Statement {
        name: "Alarms".to_owned(),
        actions: vec!["cloudwatch:DescribeAlarms".to_owned()],
        resources: vec!["*".to_owned()],
        conditions: Vec::new(),
    })
}

const ON: &str = "ALARM";

/// The account is the one that is meant, or what is wrong.
fn guard(client: &mut Client, watch: &Watch) -> Result<Result<(), String>, Fault> {
    let Some(wanted) = &watch.account else { return Ok(Ok(())) };
    let account = client.caller_identity()?.account;
    Ok(match account == *wanted {
        true => Ok(()),
        false => Err(format!(
            "the credentials are of the AWS account {account}, and the settings want {wanted}"
        )),
    })
}

/// Does these steps.
pub(super) struct Watching {
    found: Option<Found>,
    state: StateFolder,
    project: String,
    environment: String,
    clients: BTreeMap<String, Client>,
    /// When CloudWatch was asked last, by step.
    asked: BTreeMap<String, Timestamp>,
}

impl Watching {
    pub(super) fn new(site: Site<'_>, found: Option<&Found>) -> Watching {
        Watching {
            found: found.cloned(),
            state: site.state.clone(),
            project: site.project.to_owned(),
            environment: site.environment.to_owned(),
            clients: BTreeMap::new(),
            asked: BTreeMap::new(),
        }
    }

    /// The first alarm that went off.
    fn alarm(&mut self, order: &Order<'_>, watch: &Watch) -> Result<Option<Alarm>, Stop> {
        let site =
            Site { state: &self.state, project: &self.project, environment: &self.environment };
        if !self.clients.contains_key(&watch.region) {
            let sign_in = cloud::sign_in(site, self.found.as_ref());
            let sign_in = sign_in.map_err(|it| Stop::Over(unavailable(&it)))?;
            let mut client = cloud::client(&watch.region, sign_in);
            client.call_as(format!("launchway/{}", order.deployment));
            guard(&mut client, watch)?.map_err(|it| {
                Stop::Over(Cause::new(CauseCode::TargetRefused, MaskedText::without_secrets(it)))
            })?;
            self.clients.insert(watch.region.clone(), client);
        }
        let client = self.clients.get_mut(&watch.region).expect("it was just put there");
        Ok(client.alarms(&watch.alarms)?.into_iter().find(|it| it.state == ON))
    }

    /// The first line with a text that nobody wants, in what instances of this deployment printed.
    fn printed(&self, order: &Order<'_>, watch: &Watch) -> Result<Option<Cause>, Cause> {
        let site =
            Site { state: &self.state, project: &self.project, environment: &self.environment };
        let found = self.found.as_ref().ok_or_else(|| {
            let said = MaskedText::without_secrets("the settings are not here");
            Cause::new(CauseCode::Unavailable, said)
        })?;
        let target = targets::this_machine(site, found).map_err(|it| unavailable(&it))?;
        let service = order.service.service.to_string();
        let Ok(mut logs) = target.logs(&[service], None) else { return Ok(None) };
        let lines = logs.last(LINES_MAX, false).map_err(|error| {
            Cause::new(CauseCode::Unavailable, MaskedText::without_secrets(error.to_string()))
        })?;
        let own = format!("{}.", order.deployment);
        let lines = lines.iter().filter(|it| it.instance.starts_with(&own));
        Ok(unwanted(lines.map(|it| (it.instance.as_str(), it.text.as_str())), &watch.texts))
    }
}

enum Stop {
    Fault(Fault),
    Over(Cause),
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Stop {
        Stop::Fault(fault)
    }
}

fn unavailable(failure: &Failure) -> Cause {
    let said = MaskedText::without_secrets(crate::terminal::failure::words(failure));
    Cause::new(CauseCode::Unavailable, said)
}

/// The lines are masked already.
fn unwanted<'a>(
    lines: impl Iterator<Item = (&'a str, &'a str)>,
    texts: &[String],
) -> Option<Cause> {
    let (instance, line, text) = lines.into_iter().find_map(|(instance, line)| {
        let text = texts.iter().find(|it| line.contains(it.as_str()))?;
        Some((instance, line, text))
    })?;
    let said = MaskedText::without_secrets(format!("instance {instance} printed `{text}`"));
    let cause = Cause::new(CauseCode::VerificationFailed, said);
    Some(cause.with_evidence(EvidenceKind::Log, MaskedText::without_secrets(line)))
}

impl Performer for Watching {
    fn advance(&mut self, order: &Order<'_>) -> Progress {
        if order.way == Way::Back {
            return Progress::Done { effect: Json::Null };
        }
        let text = MaskedText::without_secrets;
        let Some(watch) = Watch::read(&order.step.body) else {
            let said = format!("the body of {} is not one of watching", order.step.key);
            return Progress::Failed(Cause::new(CauseCode::Fault, text(said)));
        };
        if !watch.texts.is_empty() {
            match self.printed(order, &watch) {
                Ok(None) => {}
                Ok(Some(cause)) | Err(cause) => return Progress::Failed(cause),
            }
        }
        let held_ms = order.now.0.saturating_sub(order.since.0);
        let is_over = held_ms >= watch.for_ms;
        let key = order.step.key.to_string();
        let asked = self.asked.get(&key).copied();
        let is_due = asked.is_none_or(|it| order.now.0.saturating_sub(it.0) >= ASK_MS || is_over);
        if !watch.alarms.is_empty() && is_due {
            match self.alarm(order, &watch) {
                Ok(None) => drop(self.asked.insert(key, order.now)),
                Ok(Some(alarm)) => {
                    let said = format!("the alarm {} went off", alarm.name);
                    let cause = Cause::new(CauseCode::VerificationFailed, text(said));
                    let cause = cause.with_evidence(EvidenceKind::Platform, text(alarm.reason));
                    return Progress::Failed(cause);
                }
                Err(Stop::Over(cause)) => return Progress::Failed(cause),
                Err(Stop::Fault(fault)) if fault.may_pass() => {
                    let again_in = Duration::from_millis(ASK_MS);
                    return Progress::Unreachable { cause: fault.cause(), again_in };
                }
                Err(Stop::Fault(fault)) => return Progress::Failed(fault.cause()),
            }
        }
        if is_over {
            return Progress::Done { effect: json!({"watched_ms": held_ms}) };
        }
        let seen = format!("quiet for {} of {} s", held_ms / 1000, watch.for_ms / 1000);
        Progress::Underway { seen: text(seen), again_in: LOOK }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_body_says_is_read_back() {
        let watch = Watch {
            region: "eu-central-1".to_owned(),
            account: None,
            alarms: vec!["api-5xx".to_owned()],
            texts: vec!["panicked at".to_owned()],
            for_ms: 120_000,
        };
        assert_eq!(Watch::read(&watch.body()), Some(watch));
        assert_eq!(Watch::read(&json!({"probe": "smoke"})), None);
    }

    #[test]
    fn a_text_is_found_in_any_line() {
        let lines = [("7.0", "it starts"), ("7.1", "thread 'main' panicked at src/main.rs")];
        let texts = ["OutOfMemory".to_owned(), "panicked at".to_owned()];
        let cause = unwanted(lines.into_iter(), &texts).expect("it is there");
        assert_eq!(cause.message.as_str(), "instance 7.1 printed `panicked at`");
        assert_eq!(cause.evidence[0].text.as_str(), lines[1].1);
        assert_eq!(unwanted(lines.into_iter(), &texts[..1]), None);
    }
}
