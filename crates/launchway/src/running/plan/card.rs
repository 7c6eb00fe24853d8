//! What a job asks for, as far as it is known.

use std::collections::BTreeMap;

use event::{ConcurrencyClaim, JobDefinition};
use expr::Value;
use workflow::{JobBody, Step, StepBody, Template};

use super::foresight::Foresight;
use super::{Rehearsal, Rehearsed};
use crate::terminal::plural::plural;

/// GitHub's limit for a job where none is written; it is not worth a word.
const TIMEOUT_MINUTES: f64 = 360.0;

/// What one job, or one leg, asks for. What is known later is left out.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Card {
    pub(crate) labels: Vec<String>,
    pub(crate) runner_group: Option<String>,
    pub(crate) environment: Option<String>,
    pub(crate) container: Option<String>,
    /// Name and image.
    pub(crate) services: Vec<(String, String)>,
    pub(crate) concurrency: Option<ConcurrencyClaim>,
    pub(crate) permissions: BTreeMap<String, String>,
    /// Whether a file says what the token may do.
    pub(crate) writes_permissions: bool,
    pub(crate) timeout_minutes: Option<f64>,
    pub(crate) continue_on_error: bool,
    /// Steps with those inside `parallel`; none for a job that calls a workflow.
    pub(crate) steps: Option<usize>,
    /// The workflow that it calls.
    pub(crate) calls: Option<String>,
}

impl Card {
    /// Of a job, or of a leg of it.
    pub(crate) fn of(rehearsal: &Rehearsal, job: &Rehearsed, leg: Option<&JobDefinition>) -> Card {
        let (workflow, text) = rehearsal.text(job);
        let is_later = |field: &str| job.later.iter().any(|later| later.field == field);
        let mut card = Card::default();
        let writes_permissions = text.permissions.is_some() || workflow.permissions.is_some();
        match &text.body {
            JobBody::Call(call) => card.calls = Some(call.uses.to_string()),
            JobBody::Steps(body) => {
                card.steps = Some(count(&body.steps));
                let foresight = rehearsal.foresight(job, leg);
                if !is_later("container") {
                    card.container = body.container.as_ref().and_then(|it| image(it, &foresight));
                }
                if !is_later("services") {
                    card.services = body
                        .services
                        .as_ref()
                        .map(|it| services(it, &foresight))
                        .unwrap_or_default();
                }
            }
        }
        let Some(leg) = leg else { return card };
        let text = |text: &mask::MaskedText| text.as_str().to_owned();
        card.permissions = leg.permissions.clone();
        card.writes_permissions = writes_permissions;
        card.continue_on_error = leg.continue_on_error && !is_later("continue-on-error");
        card.concurrency = leg.concurrency.clone().filter(|_| !is_later("concurrency"));
        card.environment = leg.environment.as_ref().map(text).filter(|_| !is_later("environment"));
        if let Some(runner) = &leg.runner {
            if !is_later("runs-on") {
                card.labels = runner.labels.iter().map(text).collect();
                card.runner_group = runner.group.as_ref().map(text);
            }
            card.timeout_minutes =
                Some(runner.timeout_minutes).filter(|_| !is_later("timeout-minutes"));
        }
        card
    }

    /// The card in words, a piece for each thing it asks for.
    pub(crate) fn pieces(&self) -> Vec<String> {
        let mut pieces = Vec::new();
        if !self.labels.is_empty() {
            pieces.push(self.labels.join(" + "));
        }
        pieces.extend(self.runner_group.iter().map(|group| format!("runner group {group}")));
        pieces.extend(self.calls.iter().map(|uses| format!("calls {uses}")));
        pieces.extend(self.steps.map(|steps| plural(steps, "step")));
        pieces.extend(self.container.iter().map(|image| format!("in {image}")));
        if !self.services.is_empty() {
            let named = self.services.iter().map(|(name, image)| {
                if image.starts_with(&**name) { image.clone() } else { format!("{name} ({image})") }
            });
            pieces.push(format!("with {}", named.collect::<Vec<_>>().join(", ")));
        }
        pieces.extend(self.environment.iter().map(|name| format!("environment {name}")));
        pieces.extend(self.concurrency.iter().map(group));
        if self.writes_permissions && self.calls.is_none() {
            let scopes = self.permissions.iter().map(|(scope, access)| format!("{scope} {access}"));
            let scopes = scopes.collect::<Vec<_>>().join(", ");
            let may = if scopes.is_empty() { "nothing".to_owned() } else { scopes };
            pieces.push(format!("token: {may}"));
        }
        let limit = self.timeout_minutes.filter(|minutes| *minutes != TIMEOUT_MINUTES);
        pieces.extend(limit.map(|minutes| format!("{minutes} min at most")));
        if self.continue_on_error {
            pieces.push("may fail".to_owned());
        }
        pieces
    }
}

/// A concurrency group in words.
pub(crate) fn group(claim: &ConcurrencyClaim) -> String {
    let how = match (claim.cancel_in_progress, claim.queue_max) {
        (true, _) => ", ends the one before",
        (false, true) => ", all wait in line",
        (false, false) => "",
    };
    format!("one at a time in the group {}{how}", claim.group)
}

fn count(steps: &[Step]) -> usize {
    let of = |step: &Step| match &step.body {
        StepBody::Parallel(steps) => count(steps),
        _ => 1,
    };
    steps.iter().map(of).sum()
}

fn image(template: &Template, foresight: &Foresight) -> Option<String> {
    image_of(&template.evaluate(foresight).ok()?)
}

/// A text, or the `image` of a mapping; an empty one is none.
fn image_of(value: &Value) -> Option<String> {
    let text = match value {
        Value::Object(object) => object.get("image")?.to_text(),
        value => value.to_text(),
    };
    (!text.is_empty()).then(|| text.to_string())
}

fn services(template: &Template, foresight: &Foresight) -> Vec<(String, String)> {
    let Ok(Value::Object(services)) = template.evaluate(foresight) else { return Vec::new() };
    let named =
        services.iter().filter_map(|(name, service)| Some((name.to_owned(), image_of(service)?)));
    named.collect()
}
