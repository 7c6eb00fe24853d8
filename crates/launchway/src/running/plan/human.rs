//! The plan for people: jobs in the order of their needs, one line for what each asks for, and
//! below it what is known later and what this machine cannot do.

mod fold;
mod words;

use event::{JobDefinition, JobKey};
use syntax::Diagnostic;
use workflow::JobBody;

use self::fold::Paint;
use self::words::{id_of, legs, named, shared, short_name, waves, when, why_not};
use super::card::{Card, group};
use super::rehearsal::Later;
use super::{Decision, Fate, Missing, Plan, PlannedFile, PlannedRun, Rehearsed, reason};
use crate::cli::Format;
use crate::terminal::diagnostics;
use crate::terminal::plural::plural;
use crate::terminal::style::Style;

/// The widest column of names; what is longer pushes its own line to the right.
const NAME_COLUMNS_MAX: usize = 28;

/// The whole plan, line by line. `columns`: where lines are folded; none where nobody looks.
pub(crate) fn lines(plan: &Plan, columns: Option<usize>, style: Style) -> Vec<String> {
    let mut page = Page { style, columns: columns.unwrap_or(usize::MAX), lines: Vec::new() };
    page.heading(plan);
    // What runs is what was asked for; the rest stands below.
    let rank = |file: &&PlannedFile| match file.decision {
        Decision::Runs(_) => 0,
        Decision::Broken(_) => 1,
        Decision::Not(_) => 2,
    };
    let mut files: Vec<&PlannedFile> = plan.files.iter().collect();
    files.sort_by_key(rank);
    for file in files {
        page.lines.push(String::new());
        page.file(file);
    }
    page.lines
}

/// How many workflows run, do not, and are broken, in one line.
pub(crate) fn closing(plan: &Plan) -> String {
    let (mut runs, mut jobs, mut later, mut not, mut broken, mut refused) = (0, 0, 0, 0, 0, 0);
    for file in &plan.files {
        match &file.decision {
            Decision::Not(_) => not += 1,
            Decision::Broken(_) => broken += 1,
            Decision::Runs(run) => {
                runs += 1;
                refused += usize::from(is_refused(run));
                for job in &run.rehearsal.jobs {
                    match job.fate {
                        // A call is no job of its own: those of its workflow are.
                        _ if is_call(run, job) => {}
                        Fate::Runs | Fate::Fails(_) => jobs += job.legs.len().max(1),
                        Fate::Later(_) => later += 1,
                        Fate::Skipped(_) => {}
                    }
                }
            }
        }
    }
    let mut parts = Vec::new();
    if runs > 0 {
        let more = if later > 0 { format!(", {later} more decided later") } else { String::new() };
        parts.push(format!("{} with {}{more}", plural(runs, "workflow"), plural(jobs, "job")));
    } else {
        parts.push("nothing runs".to_owned());
    }
    if not > 0 {
        parts.push(format!("{not} not started"));
    }
    if broken > 0 {
        parts.push(format!("{broken} with mistakes"));
    }
    if refused > 0 {
        parts.push(format!("{refused} that cannot run on this machine"));
    }
    parts.join("; ")
}

fn is_call(run: &PlannedRun, job: &Rehearsed) -> bool {
    matches!(run.rehearsal.text(job).1.body, JobBody::Call(_))
}

/// Whether a job that may run cannot run here.
fn is_refused(run: &PlannedRun) -> bool {
    let may_run = |job: &&Rehearsed| !matches!(job.fate, Fate::Skipped(_));
    run.rehearsal.jobs.iter().filter(may_run).any(|job| run.refusals_of(job).next().is_some())
}

struct Page {
    style: Style,
    columns: usize,
    lines: Vec<String>,
}

impl Page {
    fn heading(&mut self, plan: &Plan) {
        let commit: String = plan.commit.chars().take(7).collect();
        let git_ref = ["refs/heads/", "refs/tags/"];
        let git_ref = git_ref.iter().find_map(|prefix| plan.git_ref.strip_prefix(prefix));
        let changes = match plan.uncommitted {
            0 => String::new(),
            count => format!(" with {}", plural(count, "uncommitted change")),
        };
        let rest = format!(
            "of {} at {commit}{changes}, in {}",
            git_ref.unwrap_or(&plan.git_ref),
            plan.repository
        );
        self.lines.push(format!("{} {rest}", self.style.bold(&plan.event)));
    }

    fn file(&mut self, file: &PlannedFile) {
        let style = self.style;
        let title = |sign: &str| {
            let name = style.bold(&file.name);
            let path = if file.name == file.path {
                String::new()
            } else {
                format!("  {}", style.dim(&file.path))
            };
            format!("{sign} {name}{path}")
        };
        match &file.decision {
            Decision::Runs(run) => {
                self.lines.push(title(&style.green("▶")));
                self.run(run);
            }
            Decision::Not(reason) => {
                self.lines.push(title(&style.dim("–")));
                self.fold("  ", &[(format!("does not run: {reason}"), Paint::Dim)]);
            }
            Decision::Broken(found) => {
                self.lines.push(title(&style.red("✗")));
                self.lines.push(format!("  cannot run: {}", why_not(found)));
                for text in diagnostics::render(found, Format::Human, style) {
                    self.lines.extend(text.trim_end().lines().map(|line| format!("  {line}")));
                }
            }
        }
    }

    fn run(&mut self, run: &PlannedRun) {
        let request = &run.rehearsal.request;
        self.fold("  ", &[(request.title.as_str().to_owned(), Paint::Dim)]);
        match (&run.rehearsal.group_later, &request.concurrency) {
            (Some(later), _) => self.later("  ", later, &|key| key.to_string()),
            (None, Some(claim)) => self.fold("  ", &[(group(claim), Paint::Dim)]),
            (None, None) => {}
        }
        self.lines.push(String::new());
        self.scope(run, None, "  ");
        let missing = |what: &str, all: &[Missing], flag: &str| {
            let name = |it: &Missing| format!("{} ({}:{})", it.name, it.file, it.line);
            let names: Vec<String> = all.iter().map(name).collect();
            let it = if all.len() == 1 { what.to_owned() } else { format!("{what}s") };
            format!("{it} not set, so empty: {}; set with {flag}", names.join(", "))
        };
        if !run.missing_secrets.is_empty() || !run.missing_vars.is_empty() {
            self.lines.push(String::new());
        }
        if !run.missing_secrets.is_empty() {
            let text = missing("secret", &run.missing_secrets, "--secret NAME");
            self.fold("  ", &[(text, Paint::Yellow)]);
        }
        if !run.missing_vars.is_empty() {
            let text = missing("variable", &run.missing_vars, "--var NAME=VALUE");
            self.fold("  ", &[(text, Paint::Yellow)]);
        }
    }

    /// The jobs of one file, those that can run side by side together.
    fn scope(&mut self, run: &PlannedRun, parent: Option<&JobKey>, indent: &str) {
        let all = &run.rehearsal.jobs;
        let jobs: Vec<&Rehearsed> = all.iter().filter(|it| it.parent.as_ref() == parent).collect();
        let waves = waves(&jobs);
        let widest = jobs.iter().map(|job| job.id.chars().count()).max().unwrap_or(0);
        let names = widest.min(NAME_COLUMNS_MAX);
        for (number, wave) in waves.iter().enumerate() {
            if number > 0 {
                self.lines.push(format!("{indent}{}", self.style.dim("│")));
            }
            for job in wave {
                self.job(run, job, indent, names);
            }
        }
    }

    fn job(&mut self, run: &PlannedRun, job: &Rehearsed, indent: &str, names: usize) {
        let style = self.style;
        let is_refused = run.refusals_of(job).next().is_some();
        let sign = match &job.fate {
            Fate::Skipped(_) => style.dim("–"),
            _ if is_refused => style.red("✗"),
            Fate::Fails(_) => style.red("✗"),
            Fate::Runs => style.green("●"),
            Fate::Later(_) => style.yellow("○"),
        };
        let padding = " ".repeat(names.saturating_sub(job.id.chars().count()));
        let name = match job.fate {
            Fate::Skipped(_) => style.dim(&job.id),
            _ => style.bold(&job.id),
        };
        let head = format!("{indent}{sign} {name}{padding}  ");
        let hang = format!("{indent}{}", " ".repeat(names.max(job.id.chars().count()) + 4));
        let cards: Vec<Card> = match job.legs.as_slice() {
            [] => vec![Card::of(&run.rehearsal, job, None)],
            legs => legs.iter().map(|leg| Card::of(&run.rehearsal, job, Some(leg))).collect(),
        };
        let shared = shared(&cards);
        let mut words = Vec::new();
        match &job.fate {
            Fate::Skipped(why) => {
                let name = |key: &JobKey| id_of(run, key);
                words.push((format!("skipped: {}", reason(why, name)), Paint::Dim));
            }
            _ => {
                if !job.needs.is_empty() {
                    let needs: Vec<String> = job.needs.iter().map(|key| id_of(run, key)).collect();
                    words.push((format!("after {}", needs.join(", ")), Paint::Dim));
                }
                words.extend(named(job).map(|name| (format!("“{name}”"), Paint::Plain)));
                words.extend(legs(job).map(|legs| (legs, Paint::Plain)));
                words.extend(shared.iter().map(|piece| (piece.clone(), Paint::Plain)));
            }
        }
        self.fold_behind(&head, &hang, &words);
        self.below(run, job, &hang);
        self.legs(run, job, &cards, &shared, &hang);
    }

    /// What is known later, and what is wrong.
    fn below(&mut self, run: &PlannedRun, job: &Rehearsed, hang: &str) {
        let name = |key: &JobKey| id_of(run, key);
        if let Fate::Later(after) = &job.fate {
            let (_, text) = run.rehearsal.text(job);
            let written = text.condition.as_ref().map_or("success()", |it| &*it.text.value);
            let when = when(after.iter().map(name));
            self.fold(hang, &[(format!("if: {written}"), Paint::Yellow), (when, Paint::Dim)]);
        }
        if let Fate::Fails(message) = &job.fate {
            self.fold(hang, &[(format!("would fail: {message}"), Paint::Red)]);
        }
        for later in &job.later {
            self.later(hang, later, &name);
        }
        if matches!(job.fate, Fate::Skipped(_)) {
            return;
        }
        for matter in run.matters_of(job) {
            self.fold(hang, &[(matter, Paint::Yellow)]);
        }
        let refusals: Vec<Diagnostic> = run.refusals_of(job).cloned().collect();
        for refusal in refusals {
            let place = refusal.labels.first().map(|label| {
                let place = label.source.place(label.span.start);
                format!(" ({}:{})", label.source.name(), place.line)
            });
            let text = format!("refused: {}{}", refusal.message, place.unwrap_or_default());
            self.fold(hang, &[(text, Paint::Red)]);
            if let Some(hint) = &refusal.hint {
                self.fold(hang, &[(format!("hint: {hint}"), Paint::Plain)]);
            }
        }
    }

    fn later(&mut self, hang: &str, later: &Later, name: &dyn Fn(&JobKey) -> String) {
        let written = later.written.split_whitespace().collect::<Vec<_>>().join(" ");
        let when = when(later.after.iter().map(name));
        let text = format!("{}: {written}", later.field);
        self.fold(hang, &[(text, Paint::Yellow), (when, Paint::Dim)]);
    }

    /// The legs of a matrix by name, each with what the others do not ask for; and what is called.
    fn legs(
        &mut self,
        run: &PlannedRun,
        job: &Rehearsed,
        cards: &[Card],
        shared: &[String],
        hang: &str,
    ) {
        let inner = |leg: &JobDefinition| {
            run.rehearsal.jobs.iter().any(|it| it.parent.as_ref() == Some(&leg.key))
        };
        for (at, (leg, card)) in job.legs.iter().zip(cards).enumerate() {
            let is_last = at + 1 == job.legs.len();
            if job.is_matrix {
                let branch = self.style.dim(if is_last { "└" } else { "├" });
                let own = card.pieces().into_iter().filter(|piece| !shared.contains(piece));
                let own: Vec<(String, Paint)> = own.map(|piece| (piece, Paint::Dim)).collect();
                let gap = if own.is_empty() { "" } else { "  " };
                let head = format!("{hang}{branch} {}{gap}", short_name(run, leg));
                self.fold_behind(&head, &format!("{hang}    "), &own);
            }
            if inner(leg) {
                let deeper = if job.is_matrix {
                    let rail = if is_last { " ".to_owned() } else { self.style.dim("│") };
                    format!("{hang}{rail} ")
                } else {
                    hang.to_owned()
                };
                self.scope(run, Some(&leg.key), &deeper);
            }
        }
    }
}
