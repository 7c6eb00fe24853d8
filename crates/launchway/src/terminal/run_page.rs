//! A run on one page of the terminal: jobs, failed steps, annotations, summaries, artifacts.

use event::{Conclusion, Status, Timestamp};
use views::{JobView, RunView, StepView, decimal_size, length};

use crate::running::standing::Standing;
use crate::terminal::report::mark;
use crate::terminal::style::{Style, plain_width};
use crate::terminal::time::moment;

/// What the page shows besides the view: where the Markdown of summaries comes from.
pub(crate) type SummaryText<'a> = dyn Fn(&event::BlobId) -> Option<String> + 'a;

/// Columns of a time, and of most states behind it.
const TIME: usize = 9;
const STATE: usize = 12;

/// The whole page, line by line.
pub(crate) fn lines(
    view: &RunView,
    standing: Standing,
    summary: &SummaryText<'_>,
    now: Timestamp,
    (columns, style): (Option<usize>, Style),
) -> Vec<String> {
    let mut lines = heading(view, standing, now, style);
    lines.push(String::new());
    lines.extend(drawn(&jobs(view, standing, now, style), columns, style));
    lines.extend(annotations(view, style));
    lines.extend(summaries(view, summary, style));
    lines.extend(artifacts(view, style));
    lines.extend(notes(view, style));
    lines
}

fn heading(view: &RunView, standing: Standing, now: Timestamp, style: Style) -> Vec<String> {
    let header = &view.header;
    let attempt =
        if header.attempt.0 > 1 { format!(", attempt {}", header.attempt) } else { String::new() };
    let time = view.duration_ms(now).map(|ms| format!(" in {}", length(ms))).unwrap_or_default();
    let state = match standing.about_run(view) {
        Some(said) => format!("{} {said}", style.yellow("?")),
        None => format!("{}{time}", state(view.conclusion, view.status, style)),
    };
    let changes = match header.uncommitted {
        0 => String::new(),
        1 => ", 1 uncommitted change".to_owned(),
        count => format!(", {count} uncommitted changes"),
    };
    let commit: String = header.commit.chars().take(7).collect();
    let git_ref = header.git_ref.strip_prefix("refs/heads/").unwrap_or(&header.git_ref);
    vec![
        format!("{} {}", style.bold(&format!("run {}{attempt}", header.run)), header.title),
        state,
        style.dim(&format!(
            "{} · {} of {git_ref} at {commit}{changes} · {} · by {}",
            header.workflow_path,
            header.event,
            moment(header.created_at),
            header.triggering_actor
        )),
    ]
}

/// A job in the list.
struct Row {
    sign: String,
    /// Indented.
    name: String,
    indent: usize,
    time: String,
    why: String,
    /// Its environment, and the steps that failed.
    below: Vec<String>,
}

fn jobs(view: &RunView, standing: Standing, now: Timestamp, style: Style) -> Vec<Row> {
    let row = |(depth, job): (usize, &JobView)| {
        let indent = 2 * depth;
        let is_told = |it: &&StepView| it.outcome == Some(Conclusion::Failure) || it.interrupted;
        let failed = job.steps.iter().filter(is_told).map(|it| step_line(it, style));
        Row {
            sign: sign(job.conclusion, job.status, style),
            name: format!("{}{}", " ".repeat(indent), job.name),
            indent,
            time: job.duration_ms(now).map(length).unwrap_or_default(),
            why: job_state(view, standing, job),
            below: place(job, style).into_iter().chain(failed).collect(),
        }
    };
    view.in_order().into_iter().map(row).collect()
}

/// The list: what has no room beside a name stands below it, and each name stands there whole, as logs are asked for
/// by it. Without columns each is one line.
fn drawn(rows: &[Row], columns: Option<usize>, style: Style) -> Vec<String> {
    let columns = columns.unwrap_or(usize::MAX);
    let room = columns.saturating_sub(4 + 2 + TIME + 2 + STATE);
    let widths = rows.iter().map(|it| plain_width(&it.name));
    let widest = widths.filter(|it| *it <= room).max().unwrap_or(0);
    let mut lines = Vec::new();
    for it in rows {
        let width = plain_width(&it.name);
        let mut line = format!("  {} {}", it.sign, it.name);
        let mut beside = widest.saturating_sub(width);
        if width > room {
            lines.push(std::mem::replace(&mut line, "    ".to_owned()));
            beside = widest;
        }
        line.push_str(&format!("{}  {:>TIME$}", " ".repeat(beside), it.time));
        let below = " ".repeat(6 + it.indent);
        if 4 + widest + 2 + TIME + 2 + plain_width(&it.why) <= columns {
            lines.push(format!("{line}  {}", style.dim(&it.why)));
        } else {
            lines.extend([line, format!("{below}{}", style.dim(&it.why))]);
        }
        lines.extend(it.below.iter().map(|line| format!("{below}{line}")));
    }
    lines
}

/// The state in a word, and the reason where there is one.
fn job_state(view: &RunView, standing: Standing, job: &JobView) -> String {
    if let (Some(Conclusion::TimedOut), Some(minutes)) = (job.conclusion, job.timeout_minutes) {
        return format!("timed out after {minutes} minutes");
    }
    if let (Some(conclusion), Some(from)) = (job.conclusion, job.carried_from) {
        return format!("{}, in attempt {from}", words(conclusion.as_str()));
    }
    standing.about_job(view, job).unwrap_or_else(|| words(job.state()))
}

/// The environment that it names, and where that is reached.
fn place(job: &JobView, style: Style) -> Option<String> {
    let name = job.named_environment()?;
    let url = job.environment_url.as_ref().map(|url| format!(", {url}")).unwrap_or_default();
    Some(style.dim(&format!("environment {name}{url}")))
}

fn step_line(step: &StepView, style: Style) -> String {
    let aside = if step.background { " (background)" } else { "" };
    if step.interrupted {
        return format!(
            "{} {}{aside} was interrupted: nobody knows how far it came",
            style.yellow("?"),
            step.name
        );
    }
    let tolerated = step.conclusion == Some(Conclusion::Success);
    let note = if tolerated { " (continue-on-error)" } else { "" };
    format!("{} {}{aside}{note}", mark(Conclusion::Failure, style), step.name)
}

fn annotations(view: &RunView, style: Style) -> Vec<String> {
    let mut lines = Vec::new();
    for job in &view.jobs {
        for found in &job.annotations {
            let annotation = &found.annotation;
            let level = match annotation.level {
                event::AnnotationLevel::Error => style.red("error"),
                event::AnnotationLevel::Warning => style.yellow("warning"),
                event::AnnotationLevel::Notice => style.cyan("notice"),
            };
            let place = match (&annotation.file, annotation.line) {
                (Some(file), Some(line)) => format!(" {file}:{line}"),
                (Some(file), None) => format!(" {file}"),
                _ => String::new(),
            };
            let title =
                annotation.title.as_ref().map(|title| format!("{title}: ")).unwrap_or_default();
            lines.push(format!(
                "  {level} {}{place}: {title}{}",
                style.dim(job.name.as_str()),
                annotation.message
            ));
        }
    }
    titled("Annotations", lines, style)
}

fn summaries(view: &RunView, text: &SummaryText<'_>, style: Style) -> Vec<String> {
    let mut lines = Vec::new();
    for job in &view.jobs {
        for summary in &job.summaries {
            let Some(markdown) = text(&summary.blob) else { continue };
            lines.push(format!("  {}", style.dim(job.name.as_str())));
            lines.extend(markdown.lines().map(|line| format!("    {line}")));
        }
    }
    titled("Summaries", lines, style)
}

fn artifacts(view: &RunView, style: Style) -> Vec<String> {
    let line = |(name, artifact): (&mask::MaskedText, &views::ArtifactView)| {
        let attempt = match artifact.attempt {
            here if here == view.header.attempt => String::new(),
            earlier => format!(", of attempt {earlier}"),
        };
        format!(
            "  {name}  {}",
            style.dim(&format!("{}{attempt}", decimal_size(artifact.size_bytes)))
        )
    };
    titled("Artifacts", view.artifacts.iter().map(line).collect(), style)
}

fn notes(view: &RunView, style: Style) -> Vec<String> {
    let lines = view.notes.iter().map(|note| format!("  {}", note.note)).collect();
    titled("Not enforced", lines, style)
}

fn titled(title: &str, lines: Vec<String>, style: Style) -> Vec<String> {
    if lines.is_empty() {
        return lines;
    }
    let mut block = vec![String::new(), style.bold(title)];
    block.extend(lines);
    block
}

/// A word of the journal as people write it: `in progress`, `timed out`.
pub(crate) fn words(word: &str) -> String {
    word.replace('_', " ")
}

/// The sign for a job or run, with or without an end.
pub(crate) fn sign(conclusion: Option<Conclusion>, status: Status, style: Style) -> String {
    match (conclusion, status) {
        (Some(conclusion), _) => mark(conclusion, style),
        (None, Status::InProgress) => style.cyan("●"),
        (None, Status::Queued) => style.yellow("○"),
        (None, _) => style.dim("·"),
    }
}

fn state(conclusion: Option<Conclusion>, status: Status, style: Style) -> String {
    let word = conclusion.map_or(status.as_str(), Conclusion::as_str);
    format!("{} {}", sign(conclusion, status, style), words(word))
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    #[test]
    fn a_list_of_jobs_has_its_columns_however_long_a_name_is() {
        let rows = [("lint", "success"), ("build of the planner, all of it", "success")];
        let rows = rows.into_iter().chain([("test", "waits for a runner with a label")]);
        let rows: Vec<Row> = rows
            .map(|(name, why)| Row {
                sign: "+".to_owned(),
                name: name.to_owned(),
                indent: 0,
                time: "5.0 s".to_owned(),
                why: why.to_owned(),
                below: Vec::new(),
            })
            .collect();
        let check = |columns: Option<usize>, expect: Expect| {
            let lines = drawn(&rows, columns, Style::plain());
            let is_within =
                lines.iter().all(|it| columns.is_none_or(|most| plain_width(it) <= most));
            assert!(is_within, "{columns:?}: {lines:#?}");
            let list: String = lines.iter().map(|it| format!("{it}\n")).collect();
            expect.assert_eq(&format!("jobs\n{list}"));
        };
        check(
            None,
            expect![[r#"
            jobs
              + lint                                 5.0 s  success
              + build of the planner, all of it      5.0 s  success
              + test                                 5.0 s  waits for a runner with a label
        "#]],
        );
        check(
            Some(80),
            expect![[r#"
            jobs
              + lint                                 5.0 s  success
              + build of the planner, all of it      5.0 s  success
              + test                                 5.0 s  waits for a runner with a label
        "#]],
        );
        check(
            Some(50),
            expect![[r#"
            jobs
              + lint      5.0 s  success
              + build of the planner, all of it
                          5.0 s  success
              + test      5.0 s
                  waits for a runner with a label
        "#]],
        );
    }
}
