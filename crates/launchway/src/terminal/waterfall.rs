//! Where the time of a run went, as bars of a terminal: what the run's page draws, in as many columns as there are.

use event::{Conclusion, Timestamp};
use views::{Part, PartKind, RunView, Waterfall, WaterfallRow, length};

use crate::terminal::report::screen::cut;
use crate::terminal::style::{Style, plain_width};

/// Columns where standard output is no terminal.
const COLUMNS: usize = 80;
/// More columns say no more.
const COLUMNS_MAX: usize = 140;
/// A bar of fewer columns says nothing: then numbers alone do.
const BAR_MIN: usize = 10;
/// A wait that is shorter is no wait to anybody.
const WAIT_TOLD_MS: u64 = 1_000;
/// Above the numbers.
const TITLES: [&str; 2] = ["waited", "worked"];
/// As far as rows are indented.
const DEPTH_MAX: usize = 4;

/// What waits is light, and what works is dark: colour is not all that says which is which.
const SIGNS: [(PartKind, char, &str); 5] = [
    (PartKind::Gate, '·', "gate"),
    (PartKind::Queue, '░', "queue"),
    (PartKind::SetUp, '▒', "set-up"),
    (PartKind::Steps, '█', "steps"),
    (PartKind::Lost, '×', "lost"),
];

/// A line before it is drawn.
struct Line<'w> {
    name: String,
    is_critical: bool,
    is_bad: bool,
    /// It is legs, or jobs of a called workflow.
    is_many: bool,
    parts: &'w [Part],
    /// How long it waited, and worked: of legs together.
    times_ms: [u64; 2],
}

/// The lines; none where one job alone took time, and waited for nothing.
pub(crate) fn lines(
    view: &RunView,
    now: Timestamp,
    columns: Option<usize>,
    style: Style,
) -> Vec<String> {
    let waterfall = view.waterfall(now);
    let run = waterfall.waited.filter(|it| it.time_ms() >= WAIT_TOLD_MS);
    let lines: Vec<Line<'_>> = run
        .iter()
        .map(of_run)
        .chain(waterfall.rows.iter().filter_map(|row| of_job(view, &waterfall, row)))
        .collect();
    if lines.len() < 2 && lines.iter().all(|it| it.times_ms[0] < WAIT_TOLD_MS) {
        return Vec::new();
    }
    let columns = columns.unwrap_or(COLUMNS).min(COLUMNS_MAX);
    let sizes = Sizes::of(&lines, columns);
    let mut told = vec![String::new(), style.bold("Where the time went")];
    told.push(heading(&waterfall, &sizes, style));
    told.extend(lines.iter().map(|it| line(it, &waterfall, &sizes, style)));
    if waterfall.left_out > 0 {
        told.push(format!("    and {} more", waterfall.left_out));
    }
    told.push(style.dim(&legend(view, &lines, &sizes)));
    told.iter().map(|it| fitting(it, columns)).collect()
}

fn of_run(waited: &Part) -> Line<'_> {
    Line {
        name: "the run itself".to_owned(),
        is_critical: false,
        is_bad: false,
        is_many: false,
        parts: std::slice::from_ref(waited),
        times_ms: [waited.time_ms(), 0],
    }
}

fn of_job<'w>(view: &RunView, waterfall: &Waterfall, row: &'w WaterfallRow) -> Option<Line<'w>> {
    let job = view.job(&row.job)?;
    let legs = if row.legs > 0 { format!(" ×{}", row.legs) } else { String::new() };
    let sum = |kinds: &[PartKind]| kinds.iter().filter_map(|kind| row.time_ms(*kind)).sum();
    Some(Line {
        name: format!("{}{}{legs}", "  ".repeat(row.depth.min(DEPTH_MAX)), job.name),
        is_critical: row.is_critical && waterfall.rows.len() > 1,
        is_bad: matches!(job.conclusion, Some(Conclusion::Failure | Conclusion::TimedOut)),
        is_many: row.legs > 1,
        parts: &row.parts,
        times_ms: [
            sum(&[PartKind::Gate, PartKind::Queue, PartKind::Lost]),
            sum(&[PartKind::SetUp, PartKind::Steps]),
        ],
    })
}

/// How the columns are shared.
struct Sizes {
    name: usize,
    number: usize,
    /// None where there is no room for one.
    bar: Option<usize>,
}

impl Sizes {
    fn of(lines: &[Line<'_>], columns: usize) -> Sizes {
        let numbers = lines.iter().flat_map(|it| it.times_ms).map(number);
        let numbers = numbers.map(|it| plain_width(&it)).chain(TITLES.map(str::len));
        let number = numbers.max().unwrap_or(0);
        let widest = lines.iter().map(|it| plain_width(&it.name)).max().unwrap_or(0);
        // `  ◆ name  bar  waited  worked`
        let room = columns.saturating_sub(4 + 2 + 2 * (2 + number));
        // A name has two parts in five of it at most.
        let name = widest.min((room * 2 / 5).max(BAR_MIN));
        let bar = room.saturating_sub(name);
        match bar >= BAR_MIN {
            true => Sizes { name, number, bar: Some(bar) },
            false => Sizes { name: widest.min(room.max(BAR_MIN)), number, bar: None },
        }
    }

    /// A line of these parts.
    fn line(&self, name: &str, bar: Option<String>, numbers: [String; 2]) -> String {
        let padding = " ".repeat(self.name.saturating_sub(plain_width(name)));
        let bar = bar.map(|it| format!("  {it}")).unwrap_or_default();
        let [waited, worked] = numbers.map(|it| format!("{it:>width$}", width = self.number));
        format!("{name}{padding}{bar}  {waited}  {worked}")
    }
}

fn heading(waterfall: &Waterfall, sizes: &Sizes, style: Style) -> String {
    let length = length(waterfall.until.0 - waterfall.since.0);
    let bar = sizes.bar.map(|bar| format!("0{length:>width$}", width = bar.saturating_sub(1)));
    let told = sizes.line("", bar, TITLES.map(str::to_owned));
    style.dim(&format!("    {told}"))
}

fn line(it: &Line<'_>, waterfall: &Waterfall, sizes: &Sizes, style: Style) -> String {
    let name = fitting(&it.name, sizes.name);
    let bar = sizes.bar.map(|bar| drawn(it, waterfall, bar, style));
    let mark = if it.is_critical { style.bold("◆") } else { " ".to_owned() };
    format!("  {mark} {}", sizes.line(&name, bar, it.times_ms.map(number)))
}

fn number(ms: u64) -> String {
    if ms == 0 { "–".to_owned() } else { length(ms) }
}

/// The bar, in columns: each shows what took most of its time.
fn cells(parts: &[Part], waterfall: &Waterfall, columns: usize) -> Vec<Option<PartKind>> {
    let whole = u128::from(waterfall.until.0.saturating_sub(waterfall.since.0).max(1));
    let edge = |column: usize| {
        let ms = whole * column as u128 / columns as u128;
        waterfall.since.0.saturating_add(u64::try_from(ms).unwrap_or(u64::MAX))
    };
    let within = |part: &Part, (since, until): (u64, u64)| {
        part.until.0.min(until).saturating_sub(part.since.0.max(since))
    };
    let cell = |column: usize| {
        let span = (edge(column), edge(column + 1));
        let most = parts.iter().map(|it| (within(it, span), it.kind)).max();
        most.filter(|(ms, _)| *ms > 0).map(|(_, kind)| kind)
    };
    let mut cells: Vec<Option<PartKind>> = (0..columns).map(cell).collect();
    // What took next to no time is seen all the same.
    if let (Some(first), true) = (parts.first(), cells.iter().all(Option::is_none)) {
        let at = u128::from(first.since.0.saturating_sub(waterfall.since.0));
        let at = usize::try_from(at * columns as u128 / whole).unwrap_or(columns);
        cells[at.min(columns - 1)] = parts.iter().map(|it| it.kind).max();
    }
    cells
}

fn drawn(it: &Line<'_>, waterfall: &Waterfall, columns: usize, style: Style) -> String {
    let cells = cells(it.parts, waterfall, columns);
    let mut drawn = String::new();
    for same in cells.chunk_by(|one, next| one == next) {
        let Some(kind) = same[0] else {
            drawn.push_str(&" ".repeat(same.len()));
            continue;
        };
        let sign = SIGNS.iter().find(|(of, ..)| *of == kind).map_or(' ', |(_, sign, _)| *sign);
        let text = sign.to_string().repeat(same.len());
        drawn.push_str(&match kind {
            PartKind::Queue => style.yellow(&text),
            PartKind::Lost => style.red(&text),
            PartKind::Steps if it.is_bad => style.red(&text),
            PartKind::Steps => style.cyan(&text),
            PartKind::Gate | PartKind::SetUp => style.dim(&text),
        });
    }
    drawn
}

fn legend(view: &RunView, lines: &[Line<'_>], sizes: &Sizes) -> String {
    let is_there = |kind: PartKind| {
        sizes.bar.is_some() && lines.iter().flat_map(|it| it.parts).any(|part| part.kind == kind)
    };
    let signs = SIGNS.iter().filter(|(kind, ..)| is_there(*kind));
    let mut told: Vec<String> = signs.map(|(_, sign, name)| format!("{sign} {name}")).collect();
    if lines.iter().any(|it| it.is_critical) {
        let so_far = if view.conclusion.is_none() { " so far" } else { "" };
        told.insert(0, format!("◆ critical path{so_far}"));
    }
    if lines.iter().any(|it| it.is_many) {
        told.push("×N: numbers of all together".to_owned());
    }
    format!("    {}", told.join("  "))
}

/// What has room in so many columns; what ends colours is for those that have some.
fn fitting(text: &str, columns: usize) -> String {
    let cut = cut(text, columns);
    match text.contains('\x1b') {
        true => cut,
        false => cut.trim_end_matches("\x1b[0m").to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use event::{Fact as _, RunEvent};
    use expect_test::{Expect, expect};
    use serde_json::{Value as Json, json};

    use super::*;

    /// `name ready leased over`, a line for each job, each needing the one before; in seconds.
    fn view(script: &str) -> RunView {
        let mut events = vec![json!({ "type": "RunCreated", "run": 12, "attempt": 1,
            "run_number": 7, "carried": [], "repository": "octo/planner",
            "repository_path": "/src/planner",
            "workflow": { "path": ".github/workflows/ci.yml", "text": "on: push" },
            "called": {}, "title": "Tidy the shelves",
            "event": { "name": "push", "git_ref": "refs/heads/main", "payload": {} },
            "change": { "commit": "0123456789abcdef0123456789abcdef01234567", "authored_at": 1,
                "committed_at": 2, "uncommitted": 0 },
            "inputs": {}, "vars": {}, "secret_names": [], "actor": "octocat",
            "triggering_actor": "octocat", "at": 0 })];
        let mut needs: Vec<&str> = Vec::new();
        for line in script.lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            let [name, ready, leased, over] = words.as_slice() else { panic!("four words") };
            let at = |seconds: &str| seconds.parse::<u64>().expect("seconds") * 1000;
            events.extend([
                json!({ "type": "JobPlanned", "key": name, "id": name, "name": name,
                    "parent": null, "file": null, "needs": needs, "matrix": null, "index": 0,
                    "total": 1, "fail_fast": true, "max_parallel": null, "queued_at": at(ready) }),
                json!({ "type": "JobReady", "job": name, "at": at(ready) }),
                json!({ "type": "JobLeased", "job": name, "fence": 1, "tracking_id": "t",
                    "at": at(leased) }),
                json!({ "type": "StepStarted", "job": name, "fence": 1, "step": "0", "name": "0",
                    "background": false, "at": at(leased) }),
                json!({ "type": "JobCompleted", "job": name, "fence": 1, "conclusion": "success",
                    "exit": "none", "outputs": {}, "log": null, "environment_url": null,
                    "at": at(over) }),
            ]);
            needs = vec![name];
        }
        events.push(json!({ "type": "RunStarted", "at": 0 }));
        let decode = |it: &Json| RunEvent::decode(it.to_string().as_bytes()).expect("an event");
        let events: Vec<RunEvent> = events.iter().map(decode).collect();
        RunView::of(&events).expect("it begins with RunCreated")
    }

    #[test]
    fn bars_are_as_wide_as_the_terminal() {
        let check = |script: &str, columns: usize, expect: Expect| {
            let lines = lines(&view(script), Timestamp(0), Some(columns), Style::plain());
            let is_within = lines.iter().all(|line| plain_width(line) <= columns);
            assert!(is_within, "{columns}: {lines:#?}");
            expect.assert_eq(&lines.iter().map(|line| format!("{line}\n")).collect::<String>());
        };
        let script = "lint 0 0 5\nbuild-of-the-planner 5 10 40\ntest 40 40 100";
        check(
            script,
            60,
            expect![[r#"

            Where the time went
                              0       1 min 40 s      waited      worked
              ◆ lint          █                            –       5.0 s
              ◆ build-of-th…  ░░██████                 5.0 s      30.0 s
              ◆ test                 ███████████           –  1 min 00 s
                ◆ critical path so far  ░ queue  █ steps
        "#]],
        );
        check(
            script,
            40,
            expect![[r#"

            Where the time went
                                waited      worked
              ◆ lint                 –       5.0 s
              ◆ build-of-…       5.0 s      30.0 s
              ◆ test                 –  1 min 00 s
                ◆ critical path so far
        "#]],
        );
        check(
            script,
            24,
            expect![[r#"

            Where the time went
                                wai…
              ◆ lint               …
              ◆ build-of-…       5.…
              ◆ test               …
                ◆ critical path so …
        "#]],
        );
        // One job that waited for nothing says no more than the list of jobs.
        check("lint 0 0 5", 60, expect![[""]]);
        check(
            "lint 0 3 5",
            60,
            expect![[r#"

            Where the time went
                      0                            5.0 s  waited  worked
                lint  ░░░░░░░░░░░░░░░░░░░░██████████████   3.0 s   2.0 s
                ░ queue  █ steps
        "#]],
        );
    }
}
