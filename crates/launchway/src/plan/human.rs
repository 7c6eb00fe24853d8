//! The plan for people: jobs in the order of their needs, one line for what each asks for, and
//! below it what is known later and what this machine cannot do.

use event::{JobDefinition, JobKey};
use syntax::Diagnostic;
use workflow::JobBody;

use super::card::{Card, group, plural};
use super::rehearsal::Later;
use super::{Decision, Fate, Missing, Plan, PlannedFile, PlannedRun, Rehearsed, reason};
use crate::cli::Format;
use crate::exit::{Exit, exit_of_findings};
use crate::terminal::diagnostics;
use crate::terminal::style::{Style, plain_width};

/// The widest column of names; what is longer pushes its own line to the right.
const NAME_COLUMNS_MAX: usize = 28;
/// The fewest columns that words are folded into.
const FOLD_COLUMNS_MIN: usize = 24;

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

/// What keeps a file from running at all.
fn why_not(found: &[Diagnostic]) -> &'static str {
    match exit_of_findings(found.iter()) {
        Exit::Refused => "it has mistakes",
        _ => "what it calls cannot be had",
    }
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

    /// Words behind an indent.
    fn fold(&mut self, indent: &str, pieces: &[(String, Paint)]) {
        self.fold_behind(indent, &format!("{indent}  "), pieces);
    }

    /// Pieces with dots between them, folded where the line ends.
    fn fold_behind(&mut self, head: &str, hang: &str, pieces: &[(String, Paint)]) {
        let room = self.columns.max(plain_width(hang) + FOLD_COLUMNS_MIN);
        let mut line = Line::new(head, self.style);
        for (at, (piece, paint)) in pieces.iter().enumerate() {
            if at > 0 && !line.is_fresh {
                // A dot stays at the end of its line, not alone at the start of the next.
                line.push(" ·", Paint::Dim);
            }
            for word in piece.split(' ') {
                if !line.is_fresh && line.used + 1 + word.chars().count() > room {
                    let full = std::mem::replace(&mut line, Line::new(hang, self.style));
                    self.lines.push(full.end());
                }
                let gap = if line.is_fresh { "" } else { " " };
                line.push(&format!("{gap}{word}"), *paint);
                line.is_fresh = false;
            }
        }
        self.lines.push(line.end());
    }
}

/// A line on its way: text of one look is painted at once.
struct Line {
    style: Style,
    text: String,
    open: (String, Paint),
    used: usize,
    /// Nothing stands in it but its indent.
    is_fresh: bool,
}

impl Line {
    fn new(indent: &str, style: Style) -> Line {
        let open = (String::new(), Paint::Plain);
        Line { style, text: indent.to_owned(), open, used: plain_width(indent), is_fresh: true }
    }

    fn push(&mut self, text: &str, paint: Paint) {
        if self.open.1 != paint {
            self.flush();
            self.open.1 = paint;
        }
        self.open.0 += text;
        self.used += text.chars().count();
    }

    fn flush(&mut self) {
        let text = std::mem::take(&mut self.open.0);
        if !text.is_empty() {
            self.text += &self.open.1.on(self.style, &text);
        }
    }

    fn end(mut self) -> String {
        self.flush();
        self.text.trim_end().to_owned()
    }
}

/// How words look.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Paint {
    Plain,
    Dim,
    Yellow,
    Red,
}

impl Paint {
    fn on(self, style: Style, text: &str) -> String {
        match self {
            Paint::Plain => text.to_owned(),
            Paint::Dim => style.dim(text),
            Paint::Yellow => style.yellow(text),
            Paint::Red => style.red(text),
        }
    }
}

/// Jobs by how many stand before them: those of one wave may run side by side.
fn waves<'j>(jobs: &[&'j Rehearsed]) -> Vec<Vec<&'j Rehearsed>> {
    let mut waves: Vec<Vec<&Rehearsed>> = Vec::new();
    let mut left: Vec<&Rehearsed> = jobs.to_vec();
    let mut placed: Vec<&JobKey> = Vec::new();
    while !left.is_empty() {
        let (ready, later): (Vec<_>, Vec<_>) =
            left.into_iter().partition(|job| job.needs.iter().all(|need| placed.contains(&need)));
        // The reader of workflows refuses circles, so each round places a job.
        placed.extend(ready.iter().map(|job| &job.key));
        if ready.is_empty() {
            waves.push(later);
            return waves;
        }
        waves.push(ready);
        left = later;
    }
    waves
}

/// What all legs ask for, in the words of the first.
fn shared(cards: &[Card]) -> Vec<String> {
    let all: Vec<Vec<String>> = cards.iter().map(Card::pieces).collect();
    let Some((first, rest)) = all.split_first() else { return Vec::new() };
    let in_all = |piece: &&String| rest.iter().all(|pieces| pieces.contains(piece));
    first.iter().filter(in_all).cloned().collect()
}

/// A name that says more than the id, of a job without a matrix.
fn named(job: &Rehearsed) -> Option<&str> {
    let [leg] = job.legs.as_slice() else { return None };
    if job.is_matrix || job.later.iter().any(|later| later.field == "name") {
        return None;
    }
    let name = leg.name.as_str();
    let own = name.rsplit(" / ").next().unwrap_or(name);
    (own != &*job.id).then_some(own)
}

fn legs(job: &Rehearsed) -> Option<String> {
    let leg = job.legs.first().filter(|_| job.is_matrix)?;
    let at_a_time = leg.max_parallel.map(|max| format!(", {max} at a time")).unwrap_or_default();
    let others = if leg.fail_fast { "" } else { ", a failed one ends no other" };
    Some(format!("{}{at_a_time}{others}", plural(job.legs.len(), "leg")))
}

/// A leg's name without those of the jobs that call it.
fn short_name(run: &PlannedRun, leg: &JobDefinition) -> String {
    let callers = run.rehearsal.jobs.iter().flat_map(|job| &job.legs);
    let parent = leg.parent.as_ref().and_then(|key| callers.into_iter().find(|it| it.key == *key));
    let name = leg.name.as_str();
    let prefix = parent.map(|parent| format!("{} / ", parent.name)).unwrap_or_default();
    name.strip_prefix(&prefix).unwrap_or(name).to_owned()
}

/// A job by its id in its own file.
fn id_of(run: &PlannedRun, key: &JobKey) -> String {
    let found = run.rehearsal.job(key);
    found.map_or_else(|| key.to_string(), |job| job.id.to_string())
}

/// `decided when a and b have ended`
fn when(names: impl Iterator<Item = String>) -> String {
    let names: Vec<String> = names.collect();
    match names.as_slice() {
        [] => "decided when the run begins".to_owned(),
        [one] => format!("decided when {one} has ended"),
        [all @ .., last] => format!("decided when {} and {last} have ended", all.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    fn folded(columns: usize, style: Style, pieces: &[(&str, Paint)]) -> String {
        let mut page = Page { style, columns, lines: Vec::new() };
        let pieces: Vec<(String, Paint)> =
            pieces.iter().map(|(text, paint)| ((*text).to_owned(), *paint)).collect();
        page.fold_behind("* job  ", "       ", &pieces);
        page.lines.join("\n")
    }

    #[test]
    fn lines_are_folded_behind_the_name() {
        let pieces = [
            ("after lint, test", Paint::Dim),
            ("ubuntu-latest", Paint::Plain),
            ("2 steps", Paint::Plain),
        ];
        expect!["* job  after lint, test · ubuntu-latest · 2 steps"].assert_eq(&folded(
            200,
            Style::plain(),
            &pieces,
        ));
        expect![[r#"
              * job  after lint, test ·
                     ubuntu-latest · 2 steps"#]]
        .assert_eq(&folded(36, Style::plain(), &pieces));
        // A terminal can be too narrow for anything; words stay whole.
        expect![[r#"
              * job  after lint, test ·
                     ubuntu-latest · 2 steps"#]]
        .assert_eq(&folded(1, Style::plain(), &pieces));
    }

    #[test]
    fn nothing_to_say_is_the_name_alone() {
        expect!["* job"].assert_eq(&folded(80, Style::plain(), &[]));
    }
}
