//! A plan, a verdict and its causes, for people.

use event::{
    Cause, DeployStepKind, DeploymentPlan, DeploymentRequest, Digest, FieldChange, GoingBack,
    ServicePlan, ShippedCommit, Undo, Verdict,
};
use views::{DeployStepView, DeploymentView, EndView};

use super::{console, inbox};
use crate::terminal::style::Style;
use crate::terminal::time::duration;

/// Hex digits of a plan's hash that people compare.
const HASH_DIGITS: usize = 12;
/// Commits that are named; a program gets all of them.
const COMMITS_NAMED: usize = 5;

/// The plan: field by field, step by step, with how each is undone.
pub(crate) fn plan(plan: &DeploymentPlan, hash: &Digest, style: Style) -> String {
    let mut text = String::new();
    for service in &plan.services {
        text += &service_lines(service, style);
    }
    for (at, step) in plan.steps().enumerate() {
        let undo = match &step.undo {
            Undo::Nothing => "nothing to undo".to_owned(),
            Undo::AskAgain { what } => format!("after going back it {what}"),
            Undo::Step { what } => format!("undone: {what}"),
            Undo::Never { why } => style.yellow(&format!("not undone: {why}")),
        };
        let number = at + 1;
        text += &format!("{number:>3}. {}  {}\n", style.bold(step.key.as_str()), step.what);
        text += &format!("     {}\n", style.dim(&undo));
    }
    for service in plan.services.iter().filter(|service| !service.steps.is_empty()) {
        text += &format!("{}: {}\n", service.service, going_back(service, style));
    }
    for service in &plan.services {
        for note in &service.notes {
            text += &format!("{}: {}\n", service.service, style.yellow(note.as_str()));
        }
    }
    let hash: String = hash.to_string().chars().take(HASH_DIGITS).collect();
    text += &format!("plan {hash}\n");
    text
}

fn service_lines(service: &ServicePlan, style: Style) -> String {
    let runs = service.running.as_ref().map_or("nothing", |it| &*it.release.version);
    if service.steps.is_empty() {
        return format!("{}: {runs} runs, and nothing differs\n", style.bold(&service.service));
    }
    let mut text = format!("{}: {runs} runs\n", style.bold(&service.service));
    for it in &service.changes {
        text += &format!("{}\n", change(it, style));
    }
    text
}

/// A field that is another.
pub(crate) fn change(change: &FieldChange, style: Style) -> String {
    let side = |value: &Option<mask::MaskedText>| {
        value.as_ref().map_or("(nothing)".to_owned(), ToString::to_string)
    };
    let (before, after) = (side(&change.before), side(&change.after));
    let (before, after) = (style.red(&before), style.green(&after));
    format!("  {}: {before} -> {after}", change.field)
}

fn going_back(service: &ServicePlan, style: Style) -> String {
    match &service.going_back {
        GoingBack::Possible { to } => {
            format!("if it fails, it goes back to {}", to.release.version)
        }
        GoingBack::FirstDeployment => {
            "if it fails, what was put there is taken away: nothing ran before".to_owned()
        }
        GoingBack::Impossible { reasons } => {
            let reasons: Vec<&str> = reasons.iter().map(mask::MaskedText::as_str).collect();
            style.red(&format!("if it fails, there is no way back: {}", reasons.join("; ")))
        }
    }
}

/// The verdict with its causes, and where to look.
pub(crate) fn verdict(view: &DeploymentView, end: &EndView, style: Style) -> String {
    let took = duration(view.request.at, end.at);
    let releases = view.request.services.iter();
    let releases = releases.map(|it| format!("{} {}", it.service, it.release.version));
    let what =
        format!("{} to {}", releases.collect::<Vec<_>>().join(", "), view.request.environment);
    let word = words(end);
    let word = match end.verdict {
        Verdict::Succeeded => style.green(&format!("✓ {word}")),
        Verdict::Cancelled | Verdict::Superseded => style.yellow(&format!("⊘ {word}")),
        Verdict::RollbackStuck => style.red(&format!("✗ {}", word.to_uppercase())),
        Verdict::Failed | Verdict::RolledBack | Verdict::Refused => style.red(&format!("✗ {word}")),
    };
    let mut text = format!("{word}: {what} (deployment {}, {took})\n", view.id);
    text += &end.cause.as_ref().map_or(String::new(), |cause| tree(cause, 1, style));
    for note in &view.notes {
        text += &format!("  note: {note}\n");
    }
    if end.verdict == Verdict::RollbackStuck {
        text += "  A person is needed: what runs there is neither the old nor the new for sure.\n";
        text += &format!("  Look: launchway status {}\n", view.request.environment);
        text += &format!("  Then: launchway rollback {}\n", view.request.environment);
    }
    if end.verdict != Verdict::Succeeded {
        text += &format!("  Every step: launchway deployments show {}\n", view.id);
    }
    text
}

fn words(end: &EndView) -> String {
    use event::By;
    let word = match end.verdict {
        Verdict::RolledBack => "rolled back",
        Verdict::RollbackStuck => "rollback stuck",
        other => other.as_str(),
    };
    let more = match (end.unchanged, end.vacuous, end.by) {
        (true, ..) => ", nothing had to be changed",
        (_, true, _) => ", and nothing runs: the wanted number of instances is 0",
        (_, _, By::Platform) => " by the platform",
        _ => "",
    };
    format!("{word}{more}")
}

/// A cause and what it came from, with what shows it.
pub(crate) fn tree(cause: &Cause, depth: usize, style: Style) -> String {
    let indent = "  ".repeat(depth);
    let mut text = format!("{indent}{}\n", cause.message);
    for evidence in &cause.evidence {
        for line in evidence.text.as_str().lines() {
            text += &format!("{indent}  {}\n", style.dim(&format!("| {line}")));
        }
    }
    for cause in &cause.because {
        text += &tree(cause, depth + 1, style);
    }
    text
}

/// One deployment: what was wanted, the plan's steps with what became of them, the verdict.
pub(crate) fn page(view: &DeploymentView, style: Style) -> String {
    let request = &view.request;
    let mut text = format!(
        "{} {} to {}, {} by {}\n",
        style.bold(&format!("deployment {}", view.id)),
        request.kind.as_str(),
        request.environment,
        crate::terminal::time::moment(request.at),
        request.by.name,
    );
    if let Some(reason) = &request.reason {
        text += &format!("reason: {reason}\n");
    }
    text += &commits(request);
    for owner in &view.owners[1.min(view.owners.len())..] {
        let at = crate::terminal::time::moment(owner.at);
        text += &format!("taken over by {} at {at}\n", owner.owner);
    }
    match (&view.plan, view.steps.iter().any(|step| step.forward.is_some())) {
        (Some((it, hash)), false) => text += &plan(it, hash, style),
        (Some((it, _)), true) => {
            it.services.iter().for_each(|service| text += &service_lines(service, style));
            view.steps.iter().for_each(|step| text += &step_line(step, style));
        }
        (None, _) => {}
    }
    for line in console::lines(&console::pages(view)) {
        text += &format!("{}\n", style.dim(&line));
    }
    text += &agreed(view, style);
    for gate in view.gates.iter().filter(|gate| gate.opened_at.is_none()) {
        text += &format!("waits until {}\n", gate.what);
    }
    match &view.ended {
        Some(end) => text += &verdict(view, end, style),
        None => text += &format!("{}\n", style.yellow(view.standing())),
    }
    text
}

/// The commits that are new there, the newest named.
fn commits(request: &DeploymentRequest) -> String {
    let short = |it: &ShippedCommit| it.commit.chars().take(HASH_DIGITS).collect::<String>();
    let named: Vec<String> = request.commits.iter().take(COMMITS_NAMED).map(short).collect();
    match request.commits.len() {
        0 => String::new(),
        1 => format!("ships 1 commit: {}\n", named.join(", ")),
        count if count == named.len() => format!("ships {count} commits: {}\n", named.join(", ")),
        count => format!("ships {count} commits: {}, ...\n", named.join(", ")),
    }
}

/// Who said what to it. Signatures of the journal are verified once more.
fn agreed(view: &DeploymentView, style: Style) -> String {
    let mut text = String::new();
    for (rule, what) in &view.passed {
        text += &style.yellow(&format!("passed: {rule} ({what})"));
        text += "\n";
    }
    let word = |signature: &views::SignatureView, gate: &event::GateKey, word: &str| {
        let at = crate::terminal::time::moment(signature.at);
        let by = &signature.by.name;
        let Some(proof) = &signature.proof else { return format!("{by} {word} at {gate}, {at}\n") };
        match inbox::verified(view, gate, proof, signature.until) {
            Ok(key) => {
                let verified = style.green("verified");
                format!("{by} {word} at {gate}, {at}, {verified}: {key}\n")
            }
            Err(why) => {
                let what = format!("{by} {word} at {gate}, {at}, NOT VERIFIED: {why}");
                format!("{}\n", style.red(&what))
            }
        }
    };
    for gate in &view.gates {
        gate.signed.iter().for_each(|it| text += &word(it, &gate.gate, "agreed"));
        gate.rejected.iter().for_each(|it| text += &word(it, &gate.gate, "said no"));
    }
    for refused in &view.refused {
        let by = refused.by.as_ref().map_or("somebody", |by| by.as_str());
        let at = crate::terminal::time::moment(refused.at);
        text += &style.yellow(&format!("not counted: {by}, {at}: {}", refused.why));
        text += "\n";
    }
    text
}

/// What became of a step on the way back: what only asks is asked again.
pub(super) fn undone(kind: Option<DeployStepKind>) -> &'static str {
    if kind == Some(DeployStepKind::Verify) { "asked again: well" } else { "undone" }
}

fn step_line(step: &DeployStepView, style: Style) -> String {
    let side = |deed: &Option<views::DeedView>, done: &str| match deed {
        None => String::new(),
        Some(deed) => match (deed.over_at, &deed.cause) {
            (None, _) => "under way".to_owned(),
            (Some(at), None) => format!("{done} ({})", duration(deed.since, at)),
            (Some(_), Some(cause)) => style.red(&format!("failed: {}", cause.message)),
        },
    };
    let sign = match (&step.forward, &step.back) {
        (None, None) => style.dim("–"),
        (_, Some(back)) if back.cause.is_some() => style.red("✗"),
        (_, Some(_)) => style.yellow("↩"),
        (Some(deed), None) if deed.is_done() => style.green("✓"),
        (Some(deed), None) if deed.cause.is_some() => style.red("✗"),
        (Some(_), None) => style.cyan("…"),
    };
    let (forward, back) = (side(&step.forward, "done"), side(&step.back, undone(Some(step.kind))));
    let both: Vec<String> = [forward, back].into_iter().filter(|it| !it.is_empty()).collect();
    format!("{sign} {}  {}  {}\n", step.key, step.what, both.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each verdict has a page for people.
    #[test]
    fn every_verdict_has_its_page() {
        use Verdict::{
            Cancelled, Failed, Refused, RollbackStuck, RolledBack, Succeeded, Superseded,
        };
        let all = [Succeeded, Failed, RolledBack, RollbackStuck, Superseded, Cancelled, Refused];
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/verdicts");
        for verdict in all {
            let page = format!("{folder}/{}.md", verdict.as_str().replace('_', "-"));
            let text =
                std::fs::read_to_string(&page).unwrap_or_else(|error| panic!("{page}: {error}"));
            let title = text.lines().next().unwrap_or_default().to_lowercase();
            assert_eq!(title, format!("# {}", verdict.as_str().replace('_', " ")));
        }
        assert_eq!(std::fs::read_dir(folder).expect("the pages").count(), all.len());
    }

    /// What troubleshooting promises was provoked: the test that each row names is there.
    #[test]
    fn every_row_of_troubleshooting_names_its_test() {
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
        let page = std::fs::read_to_string(format!("{root}/docs/troubleshooting.md"));
        let page = page.expect("the page");
        let rows = page.lines().filter(|it| it.starts_with("| ") && !it.contains("provoked in"));
        let mut count = 0;
        for row in rows {
            let named: Vec<&str> = row.rsplit('|').nth(1).unwrap_or_default().split('`').collect();
            let [_, path, _, test, _] = named[..] else { panic!("no test: {row}") };
            let text = std::fs::read_to_string(format!("{root}/crates/{path}")).expect(path);
            assert!(text.contains(&format!("fn {test}(")), "{path} has no test {test}");
            count += 1;
        }
        assert!(count >= 25, "{count} rows");
    }
}
