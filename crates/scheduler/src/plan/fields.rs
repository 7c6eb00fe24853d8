//! The evaluated fields of a job, each with the type GitHub wants.

use event::ConcurrencyClaim;
use expr::Value;
use mask::MaskedText;
use syntax::Span;
use workflow::{Concurrency, Job, Leg, Template, TemplateError, TemplateKind, matrix};

use super::Fault;
use crate::limits::{GROUP_CHARS_MAX, TIMEOUT_MINUTES_MAX};
use expr::Contexts;

impl From<TemplateError> for Fault {
    fn from(error: TemplateError) -> Fault {
        let message = match std::error::Error::source(&error) {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        };
        Fault::at(error.span(), message)
    }
}

pub(super) fn value(template: &Template, contexts: &dyn Contexts) -> Result<Value, Fault> {
    Ok(template.evaluate(contexts)?)
}

/// A field that may be absent; null is absent.
pub(super) fn optional(
    template: Option<&Template>,
    contexts: &dyn Contexts,
) -> Result<Option<Value>, Fault> {
    let found = template.map(|template| value(template, contexts)).transpose()?;
    Ok(found.filter(|value| !matches!(value, Value::Null)))
}

/// A scalar as text; empty is absent.
pub(super) fn text(
    template: &Template,
    contexts: &dyn Contexts,
) -> Result<Option<MaskedText>, Fault> {
    match value(template, contexts)? {
        Value::Array(_) | Value::Object(_) => {
            Err(Fault::at(template.span(), "a text was expected, not a list or a mapping"))
        }
        value => {
            let text = value.to_text();
            Ok((!text.is_empty()).then(|| MaskedText::without_secrets(text)))
        }
    }
}

/// A boolean; text is none, as on GitHub (`fromJSON` makes one of it).
pub(super) fn boolean(value: Option<Value>, what: &str, span: Span) -> Result<Option<bool>, Fault> {
    match value {
        None => Ok(None),
        Some(Value::Bool(value)) => Ok(Some(value)),
        Some(other) => {
            let (kind, text) = (other.kind(), other.to_text());
            Err(Fault::at(span, format!("{what}: a boolean was expected, not {kind} '{text}'")))
        }
    }
}

/// A number; text is none, as on GitHub.
pub(super) fn number(value: Option<Value>, what: &str, span: Span) -> Result<Option<f64>, Fault> {
    match value {
        None => Ok(None),
        Some(Value::Number(number)) if number.is_finite() => Ok(Some(number)),
        Some(other) => {
            let (kind, text) = (other.kind(), other.to_text());
            Err(Fault::at(span, format!("{what}: a number was expected, not {kind} '{text}'")))
        }
    }
}

pub(super) fn flag(
    template: Option<&Template>,
    what: &str,
    contexts: &dyn Contexts,
) -> Result<Option<bool>, Fault> {
    let span = template.map(Template::span).unwrap_or_default();
    boolean(optional(template, contexts)?, what, span)
}

/// A time limit (conformance 102, 103).
pub(super) fn minutes(
    template: Option<&Template>,
    what: &'static str,
    default: f64,
    contexts: &dyn Contexts,
) -> Result<f64, Fault> {
    let span = template.map(Template::span).unwrap_or_default();
    let Some(minutes) = number(optional(template, contexts)?, what, span)? else {
        return Ok(default);
    };
    if minutes <= 0.0 {
        return Err(Fault::at(span, format!("{what}: must be more than 0, and is {minutes}")));
    }
    Ok(minutes.min(TIMEOUT_MINUTES_MAX))
}

/// Labels and group of `runs-on` (conformance 101).
pub(super) fn runs_on(
    template: &Template,
    contexts: &dyn Contexts,
) -> Result<(Vec<MaskedText>, Option<MaskedText>), Fault> {
    let value = value(template, contexts)?;
    let (labels, group) = match &value {
        Value::Object(object) => (
            object.get("labels").map(words).unwrap_or_default(),
            object.get("group").map(words).unwrap_or_default().into_iter().next(),
        ),
        other => (words(other), None),
    };
    if labels.is_empty() && group.is_none() {
        return Err(Fault::at(template.span(), "runs-on: no label is left to run on"));
    }
    Ok((labels, group))
}

/// The ports of this machine that services ask for by number (`5432:5432`). What cannot be read here
/// is left to the worker, which says what is wrong with it.
pub(super) fn host_ports(services: &Template, contexts: &dyn Contexts) -> Vec<u16> {
    let ports: Vec<Value> = match services.kind() {
        TemplateKind::Mapping(entries) => {
            let ports = entries.iter().filter_map(|(_, service)| service.get("ports"));
            ports.filter_map(|ports| value(ports, contexts).ok()).collect()
        }
        _ => match value(services, contexts) {
            Ok(Value::Object(services)) => {
                let ports = services.iter().filter_map(|(_, service)| match service {
                    Value::Object(service) => service.get("ports").cloned(),
                    _ => None,
                });
                ports.collect()
            }
            _ => Vec::new(),
        },
    };
    let mut found: Vec<u16> =
        ports.iter().flat_map(words).filter_map(|text| host_port(text.as_str())).collect();
    found.sort_unstable();
    found.dedup();
    found
}

/// The port of this machine in a service's `[ADDRESS:]HOST:CONTAINER[/PROTOCOL]`; a container's port
/// alone takes whichever is free.
pub fn host_port(mapping: &str) -> Option<u16> {
    let mapping = mapping.split('/').next()?;
    let mut parts = mapping.rsplit(':');
    let _container = parts.next()?;
    parts.next()?.parse().ok()
}

fn words(value: &Value) -> Vec<MaskedText> {
    let items = match value {
        Value::Array(items) => items.iter().map(Value::to_text).collect(),
        scalar => vec![scalar.to_text()],
    };
    let said = items.into_iter().filter(|text| !text.trim().is_empty());
    said.map(MaskedText::without_secrets).collect()
}

/// A place in a concurrency group (conformance 40 to 42).
pub(crate) fn claim(
    concurrency: &Concurrency,
    contexts: &dyn Contexts,
) -> Result<ConcurrencyClaim, Fault> {
    let span = concurrency.span;
    let group = value(&concurrency.group, contexts)?;
    let written = optional(concurrency.cancel_in_progress.as_ref(), contexts)?;
    // `concurrency: ${{ .. }}` may give the whole mapping.
    let (group, cancel) = match &group {
        Value::Object(object) => {
            let group = object.get("group").map(Value::to_text).unwrap_or_default();
            (group, object.get("cancel-in-progress").cloned().or(written))
        }
        Value::Array(_) => {
            return Err(Fault::at(span, "concurrency: the group must be a text, not a list"));
        }
        scalar => (scalar.to_text(), written),
    };
    if group.is_empty() {
        return Err(Fault::at(span, "concurrency: the group is empty"));
    }
    if group.chars().count() > GROUP_CHARS_MAX {
        let message = format!("concurrency: the group has more than {GROUP_CHARS_MAX} characters");
        return Err(Fault::at(span, message));
    }
    Ok(ConcurrencyClaim {
        group: MaskedText::without_secrets(group),
        cancel_in_progress: boolean(cancel, "cancel-in-progress", span)?.unwrap_or(false),
        queue_max: concurrency.queue_max,
    })
}

/// The name that checks know (conformance 95): the values of the vectors are put behind it, unless
/// the name looks at the matrix itself.
pub(super) fn name(
    job: &Job,
    leg: &Leg,
    written: bool,
    contexts: &dyn Contexts,
) -> Result<String, Fault> {
    let evaluated = match &job.name {
        Some(template) => text(template, contexts)?,
        None => None,
    };
    let looks_at_matrix = job.name.as_ref().is_some_and(|name| {
        let references = name.expressions().into_iter().flat_map(|it| it.expr.references());
        references.into_iter().any(|it| it.context == "matrix")
    });
    let base = evaluated.as_ref().map_or(&*job.id.value, MaskedText::as_str);
    let mut leg = leg.clone();
    if looks_at_matrix || !written {
        leg.labels.clear();
    }
    Ok(matrix::leg_name(base, &leg))
}

/// Whether a condition as written asks a status function itself.
pub(super) fn asks_status(text: &str) -> bool {
    ["success(", "failure(", "always(", "cancelled("]
        .iter()
        .any(|function| text.to_ascii_lowercase().replace(' ', "").contains(function))
}
