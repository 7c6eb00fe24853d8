//! A deployment inside a job of GitHub Actions: the plan as a group, what went wrong as annotations,
//! the verdict as the job's summary and as outputs of the step.

use std::fmt::Write as _;

use event::{Cause, DeploymentEvent, Verdict, Way};
use views::{DeploymentView, EndView};

use super::{live, show};
use crate::terminal::github::{Level, annotation, group, inert, output, summary};
use crate::terminal::style::{Style, out};
use crate::terminal::time::duration;

/// Digits of a plan's hash that people compare.
const HASH_DIGITS: usize = 12;

/// What happened, as lines that the runner reads.
pub(super) fn tell(view: &DeploymentView, event: &DeploymentEvent) {
    use DeploymentEvent as E;
    match event {
        E::DeploymentRequested(request) => {
            out(&inert(&format!("deployment {} to {}", view.id, request.environment)));
        }
        E::DeploymentPlanned { plan, hash, .. } => {
            let digits: String = hash.to_string().chars().take(HASH_DIGITS).collect();
            group(&format!("Plan {digits}"), &show::plan(plan, hash, Style::plain()));
        }
        E::GateWaiting { gate, what, .. } => {
            out(&annotation(Level::Notice, gate.as_str(), &format!("waits until {what}")));
        }
        E::GateOpened { gate, .. } => out(&inert(&format!("✓ {gate}"))),
        E::StepDone { step, way, at, .. } => {
            let took = live::took(view, step, *way, *at);
            let sign = if *way == Way::Forward { "✓" } else { "↩" };
            out(&inert(&format!("{sign} {step} ({took})")));
        }
        E::StepFailed { step, way, cause, .. } => {
            let way = if *way == Way::Back { "could not be undone: " } else { "" };
            let message = format!("{way}{}", show::tree(cause, 0, Style::plain()).trim());
            out(&annotation(Level::Error, step.as_str(), &message));
        }
        E::DeploymentNoted { text, .. } => {
            out(&annotation(Level::Notice, &view.request.environment, text.as_str()));
        }
        E::TurnedBack { cause, .. } => {
            out(&annotation(Level::Warning, "going back", cause.message.as_str()));
        }
        E::CancelWanted { by, .. } => out(&inert(&format!("{} wants it to end", by.name))),
        E::GateSigned { gate, by, proof: Some(_), .. } => {
            out(&inert(&format!("✓ {} agrees at {gate}", by.name)));
        }
        E::GateRejected { gate, by, .. } => {
            let message = format!("{} says no", by.name);
            out(&annotation(Level::Error, gate.as_str(), &message));
        }
        E::ApprovalRefused { why, .. } => {
            out(&annotation(Level::Warning, "an approval does not count", why.as_str()));
        }
        E::RulePassed { rule, what, .. } => {
            out(&annotation(Level::Warning, &format!("{rule} passed"), what.as_str()));
        }
        E::DeploymentOwned { .. }
        | E::RulesConfirmed { .. }
        | E::GateSigned { .. }
        | E::StepIntended { .. }
        | E::DeploymentCompleted { .. } => {}
    }
}

/// How it ended: on the run's page, in the summary, and for the steps behind.
pub(super) fn told(view: &DeploymentView, end: &EndView) {
    let level = match end.verdict {
        Verdict::Succeeded => Level::Notice,
        Verdict::Cancelled | Verdict::Superseded => Level::Warning,
        _ => Level::Error,
    };
    let text = show::verdict(view, end, Style::plain());
    let first = text.lines().next().unwrap_or_default();
    out(&annotation(level, &view.request.environment, first));
    text.lines().skip(1).for_each(|line| out(&inert(line)));
    summary(&page(view, end));
    output("deployment", &view.id.to_string());
    output("verdict", end.verdict.as_str());
    for service in &view.request.services {
        output(&format!("digest-{}", service.service), &service.release.digest);
        output(&format!("version-{}", service.service), &service.release.version);
    }
}

/// Markdown for the job's page. What others wrote stands in code: it is no markup.
fn page(view: &DeploymentView, end: &EndView) -> String {
    let took = duration(view.request.at, end.at);
    let sign = if end.verdict == Verdict::Succeeded { "✅" } else { "❌" };
    let mut text = format!(
        "### {sign} {} to {}: {} ({took})\n\n| service | version | digest |\n|---|---|---|\n",
        view.request.kind.as_str(),
        code(&view.request.environment),
        end.verdict.as_str().replace('_', " "),
    );
    for service in &view.request.services {
        let release = &service.release;
        let _ = writeln!(
            text,
            "| {} | {} | {} |",
            code(&service.service),
            code(&release.version),
            code(&release.digest)
        );
    }
    if let Some(cause) = &end.cause {
        text += "\n";
        causes(cause, 0, &mut text);
    }
    if !view.steps.is_empty() {
        text += "\n| step | forward | back |\n|---|---|---|\n";
    }
    for step in &view.steps {
        let deed = |deed: &Option<views::DeedView>| match deed {
            None => String::new(),
            Some(deed) if deed.cause.is_some() => "failed".to_owned(),
            Some(deed) => deed
                .over_at
                .map_or_else(|| "under way".to_owned(), |over| duration(deed.since, over)),
        };
        let (forward, back) = (deed(&step.forward), deed(&step.back));
        let _ = writeln!(text, "| {} | {forward} | {back} |", code(step.key.as_str()));
    }
    text
}

fn causes(cause: &Cause, depth: usize, text: &mut String) {
    let _ = writeln!(text, "{}- {}", "  ".repeat(depth), code(cause.message.as_str()));
    cause.because.iter().for_each(|it| causes(it, depth + 1, text));
}

/// Text as code in one line of Markdown, whatever is in it.
fn code(text: &str) -> String {
    let line: Vec<&str> = text.split_whitespace().collect();
    let line = line.join(" ").replace('|', "\\|");
    if line.is_empty() {
        return String::new();
    }
    // A fence is longer than any inside.
    let longest = line.split(|it| it != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    if longest == 0 { format!("{fence}{line}{fence}") } else { format!("{fence} {line} {fence}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_others_is_no_markup() {
        for (text, expected) in [
            ("a <b>", "`a <b>`"),
            ("a\n# b", "`a # b`"),
            ("a`b``c", "``` a`b``c ```"),
            ("a|b", "`a\\|b`"),
            ("", ""),
        ] {
            assert_eq!(code(text), expected);
        }
    }
}
