//! A deployment while it goes: a line a step with its time, and on a terminal what is seen meanwhile.

use std::io::{IsTerminal as _, Write as _};

use event::{DeployStepKey, DeploymentEvent, DeploymentId, Way};
use mask::MaskedText;
use views::DeploymentView;

use super::{machine, show, workflow};
use crate::cli::Format;
use crate::terminal::style::{Style, out, talk};
use crate::terminal::time::duration;

/// Columns of the line that is drawn over: no terminal is narrower.
const COLUMNS: usize = 78;

/// The line on a terminal that is drawn over: what is seen of the step under way.
pub(crate) struct Drawn {
    stands: Option<String>,
    is_terminal: bool,
}

impl Drawn {
    pub(crate) fn new(format: Format) -> Drawn {
        let is_dumb = std::env::var_os("TERM").is_some_and(|it| it == "dumb");
        let is_terminal = std::io::stderr().is_terminal() && !is_dumb && format == Format::Human;
        Drawn { stands: None, is_terminal }
    }

    /// How far a step is.
    pub(crate) fn progress(&mut self, step: &DeployStepKey, way: Way, seen: &MaskedText) {
        if !self.is_terminal {
            return;
        }
        let way = if way == Way::Back { "back: " } else { "" };
        let seen = seen.as_str().lines().next().unwrap_or_default();
        let line: String = format!("… {way}{step}  {seen}").chars().take(COLUMNS).collect();
        if self.stands.as_ref() != Some(&line) {
            let _ = write!(std::io::stderr().lock(), "\r\x1b[K{line}");
            self.stands = Some(line);
        }
    }

    /// Takes it away: a line that stays comes next.
    pub(crate) fn clear(&mut self) {
        if self.stands.take().is_some() {
            let _ = write!(std::io::stderr().lock(), "\r\x1b[K");
        }
    }
}

/// Shows what happens.
pub(crate) struct Live {
    format: Format,
    view: Option<DeploymentView>,
    drawn: Drawn,
}

impl Live {
    pub(crate) fn new(format: Format) -> Live {
        Live { format, view: None, drawn: Drawn::new(format) }
    }

    /// The deployment so far.
    pub(crate) fn view(&self) -> Option<&DeploymentView> {
        self.view.as_ref()
    }

    /// What was there before: folded, and not told again.
    pub(crate) fn past(&mut self, id: DeploymentId, events: &[DeploymentEvent]) {
        self.view = DeploymentView::of(id, events);
    }

    /// Something happened; it is in the journal.
    pub(crate) fn event(&mut self, id: DeploymentId, event: &DeploymentEvent) {
        match &mut self.view {
            Some(view) => view.take(event),
            None => self.view = DeploymentView::of(id, std::slice::from_ref(event)),
        }
        let Some(view) = &self.view else { return };
        let lines = match self.format {
            Format::Json => machine::lines(view, event),
            Format::Github => return workflow::tell(view, event),
            Format::Human => human(view, event),
        };
        self.drawn.clear();
        for line in lines {
            match self.format {
                Format::Json | Format::Github => out(&line),
                Format::Human => talk(&line),
            }
        }
    }

    /// How far a step is.
    pub(crate) fn progress(&mut self, step: &DeployStepKey, way: Way, seen: &MaskedText) {
        self.drawn.progress(step, way, seen);
    }
}

fn human(view: &DeploymentView, event: &DeploymentEvent) -> Vec<String> {
    use DeploymentEvent as E;
    let style = Style::stderr();
    match event {
        E::DeploymentRequested(request) => {
            vec![format!("deployment {} to {}", view.id, request.environment)]
        }
        E::DeploymentPlanned { plan, hash, .. } => {
            vec![show::plan(plan, hash, style).trim_end().to_owned()]
        }
        E::GateWaiting { what, .. } => vec![format!("waits until {what}")],
        E::GateOpened { gate, .. } => vec![format!("{} {gate}", style.green("✓"))],
        E::StepDone { step, way, at, .. } => {
            let took = took(view, step, *way, *at);
            let line = match way {
                Way::Forward => format!("{} {step} ({took})", style.green("✓")),
                Way::Back => {
                    let kind = view.steps.iter().find(|it| it.key == *step).map(|it| it.kind);
                    format!("{} {step} {} ({took})", style.yellow("↩"), show::undone(kind))
                }
            };
            vec![line]
        }
        E::StepFailed { step, way, cause, at } => {
            let took = took(view, step, *way, *at);
            let way = if *way == Way::Back { " could not be undone" } else { "" };
            let line = format!("{} {step}{way} ({took}): {}", style.red("✗"), cause.message);
            vec![line]
        }
        E::DeploymentNoted { text, .. } => vec![format!("note: {text}")],
        E::TurnedBack { cause, .. } => {
            vec![style.yellow(&format!("going back: {}", cause.message))]
        }
        E::CancelWanted { by, .. } => vec![format!("{} wants it to end", by.name)],
        E::GateSigned { gate, by, proof: Some(_), .. } => {
            vec![format!("{} {} agrees at {gate}", style.green("✓"), by.name)]
        }
        E::GateRejected { gate, by, .. } => {
            vec![format!("{} {} says no at {gate}", style.red("✗"), by.name)]
        }
        E::ApprovalRefused { by, why, .. } => {
            let who = by.as_ref().map_or("somebody", |by| by.as_str());
            vec![style.yellow(&format!("not counted: {who} tried to agree: {why}"))]
        }
        E::RulePassed { rule, what, .. } => {
            vec![style.yellow(&format!("passed: {rule} ({what})"))]
        }
        E::DeploymentOwned { .. }
        | E::GateSigned { .. }
        | E::RulesConfirmed { .. }
        | E::StepIntended { .. }
        | E::DeploymentCompleted { .. } => Vec::new(),
    }
}

pub(super) fn took(
    view: &DeploymentView,
    key: &DeployStepKey,
    way: Way,
    at: event::Timestamp,
) -> String {
    let step = view.steps.iter().find(|step| step.key == *key);
    let deed = step.and_then(|step| match way {
        Way::Forward => step.forward.as_ref(),
        Way::Back => step.back.as_ref(),
    });
    deed.map_or_else(String::new, |deed| duration(deed.since, at))
}
