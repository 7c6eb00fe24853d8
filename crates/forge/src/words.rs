//! What people read in checks and comments. Names and messages are the repository's, and may be
//! anybody's: they are shown as text, never as Markdown, and never as somebody who is called.

use std::fmt::Write as _;

use event::{Conclusion, WaitReason};
use views::{JobView, RunView};

use crate::failed_tests::{self, FailedTest};
use crate::owed::Subject;

/// GitHub's limits, in bytes.
pub(crate) const DESCRIPTION_MAX: usize = 140;
pub(crate) const TITLE_MAX: usize = 255;
pub(crate) const MESSAGE_MAX: usize = 60 << 10;
const SUMMARY_MAX: usize = 60 << 10;
/// Rows of a comment: more than that nobody reads.
const ROWS_MAX: usize = 50;

/// `ci / build (push)`: the file, the job and the event tell one check of a commit from another.
pub(crate) fn name(view: &RunView, job: &JobView) -> String {
    let path = &view.header.workflow_path;
    let file = path.rsplit('/').next().unwrap_or(path);
    let file = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
    format!("{file} / {} ({})", job.name, view.header.event)
}

/// Where a run, or a job of it, is shown.
pub(crate) fn page(subject: &Subject, view: &RunView, job: Option<&JobView>) -> String {
    let (run, attempt) = (view.header.run, view.header.attempt);
    let mut page = format!("{}/runs/{run}.{attempt}", subject.url);
    if let Some(job) = job {
        page.push_str("/jobs/");
        for byte in job.key.to_string().bytes() {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => {
                    page.push(char::from(byte));
                }
                _ => {
                    let _ = write!(page, "%{byte:02X}");
                }
            }
        }
    }
    page
}

/// How a job stands, in a line.
pub(crate) fn title(job: &JobView) -> String {
    let took = job.started_at.zip(job.completed_at).map(|(from, to)| to.0.saturating_sub(from.0));
    let took = took.map(|ms| format!(" in {}", duration(ms))).unwrap_or_default();
    match job.conclusion {
        Some(Conclusion::Success) => format!("succeeded{took}"),
        Some(Conclusion::Failure) => match job.steps.iter().find(|step| failed(step.conclusion)) {
            Some(step) => format!("failed{took}, in: {}", step.name),
            None => format!("failed{took}"),
        },
        Some(Conclusion::Cancelled) => "was cancelled".to_owned(),
        Some(Conclusion::TimedOut) => format!("took too long{took}"),
        Some(Conclusion::Skipped) => "did not run".to_owned(),
        None => match &job.waiting {
            Some(WaitReason::Concurrency { holder, .. }) => format!("waits for {holder}"),
            Some(WaitReason::Person { .. }) => "was lost, and waits for a person".to_owned(),
            Some(_) => "waits; its page says for what".to_owned(),
            None if job.started_at.is_some() => "runs".to_owned(),
            None => "waits for its turn".to_owned(),
        },
    }
}

fn failed(conclusion: Option<Conclusion>) -> bool {
    matches!(conclusion, Some(Conclusion::Failure | Conclusion::TimedOut))
}

/// The steps of a job, and where its log is.
pub(crate) fn summary(
    view: &RunView,
    job: &JobView,
    (subject, tests, unlisted): (&Subject, &[&FailedTest], u64),
) -> String {
    let mut text = format!("[Log and details]({})\n", page(subject, view, Some(job)));
    let tests_page = format!("{}/tests", page(subject, view, None));
    text.push_str(&failed_tests::summary(tests, unlisted, &tests_page));
    if !job.steps.is_empty() && job.conclusion.is_some() {
        text.push_str("\n| step | |\n|---|---|\n");
        for step in &job.steps {
            let end = step.conclusion.map_or("interrupted", Conclusion::as_str);
            let _ = writeln!(text, "| {} | {end} |", plain(step.name.as_str()));
        }
    }
    cut(&text, SUMMARY_MAX)
}

/// The comment of a pull request: its newest commit's runs. `marker` finds it again.
pub fn comment(marker: &str, runs: &[(&RunView, Subject)]) -> String {
    let mut text = format!("{marker}\n");
    if let Some((_, subject)) = runs.first() {
        let head: String = subject.head.chars().take(7).collect();
        let _ = writeln!(text, "**Launchway** at {head}\n\n| workflow | | |\n|---|---|---|");
    }
    for (view, subject) in runs.iter().take(ROWS_MAX) {
        let path = &view.header.workflow_path;
        let file = path.rsplit('/').next().unwrap_or(path);
        let state = view.conclusion.map_or("runs", Conclusion::as_str);
        let failed: Vec<String> = view
            .jobs
            .iter()
            .filter(|job| job.children.is_empty() && failed(job.conclusion))
            .map(|job| {
                format!("[{}]({})", plain(job.name.as_str()), page(subject, view, Some(job)))
            })
            .collect();
        let link = page(subject, view, None);
        let event = &view.header.event;
        let _ = writeln!(
            text,
            "| [{} ({event})]({link}) | {state} | {} |",
            plain(file),
            failed.join(", ")
        );
    }
    cut(&text, SUMMARY_MAX)
}

/// By what the comment of a pull request is known.
pub fn comment_marker(repository: &str, number: u64) -> String {
    format!("<!-- launchway:{repository}#{number} -->")
}

/// Text that is text in Markdown: no link, no person who is called, no cell that ends.
pub(crate) fn plain(text: &str) -> String {
    let mut plain = String::new();
    for it in text.chars() {
        match it {
            '\n' | '\r' | '\t' => plain.push(' '),
            '@' | '#' => {
                plain.push(it);
                // Nobody is called, nothing is linked, by a name that is broken.
                plain.push_str("<!-- -->");
            }
            '<' => plain.push_str("&lt;"),
            '&' => plain.push_str("&amp;"),
            it if it.is_ascii_punctuation() && !"-_.,:;/()".contains(it) => {
                plain.push('\\');
                plain.push(it);
            }
            it if it.is_control() => {}
            it if views::steers(it) => plain.push_str(&views::number_of(it)),
            it => plain.push(it),
        }
    }
    plain
}

/// At most so many bytes, at the end of a letter.
pub(crate) fn cut(text: &str, max: usize) -> String {
    if text.len() <= max {
        return text.to_owned();
    }
    let end = (0..=max - 3).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    format!("{}...", &text[..end])
}

fn duration(ms: u64) -> String {
    let seconds = ms / 1000;
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_call_nobody_and_link_nothing() {
        assert_eq!(plain("ci.yml"), "ci.yml");
        assert_eq!(
            plain("@octo [x](y) | <b>\n#1"),
            "@<!-- -->octo \\[x\\](y) \\| &lt;b\\> #<!-- -->1"
        );
        assert_eq!(cut("äöü", 5), "ä...");
        assert_eq!(cut("abc", 3), "abc");
    }
}
