//! What people read in checks and comments. Names and messages are the repository's, and may be
//! anybody's: they are shown as text, never as Markdown, and never as somebody who is called.

use std::fmt::Write as _;

use event::{Conclusion, WaitReason};
use views::{JobView, RunView, length};

use crate::failed_tests::{self, FailedTest};
use crate::owed::Subject;
use crate::reported::Reported;

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
    let took = took.map(|ms| format!(" in {}", length(ms))).unwrap_or_default();
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

/// A run of a pull request's newest commit, with what its reports say.
pub type CommentedRun<'v> = (&'v RunView, Subject, Option<Reported>);

/// The comment of a pull request: its newest commit's runs. `marker` finds it again.
pub fn comment(marker: &str, runs: &[CommentedRun<'_>]) -> String {
    let mut text = format!("{marker}\n");
    if let Some((_, subject, _)) = runs.first() {
        let head: String = subject.head.chars().take(7).collect();
        let _ = writeln!(text, "**Launchway** at {head}\n\n| workflow | | |\n|---|---|---|");
    }
    for (view, subject, _) in runs.iter().take(ROWS_MAX) {
        let file = file(view);
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
    for (view, subject, reported) in runs.iter().take(ROWS_MAX) {
        let Some(line) = reported.as_ref().and_then(Reported::line) else { continue };
        let page = page(subject, view, None);
        let _ = writeln!(text, "\n{}: [{line}]({page}/tests)", plain(file(view)));
    }
    cut(&text, SUMMARY_MAX)
}

/// The name of a run's workflow file.
fn file(view: &RunView) -> &str {
    let path = &view.header.workflow_path;
    path.rsplit('/').next().unwrap_or(path)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_has_what_reports_say_below_the_runs() {
        let created = serde_json::json!({
            "type": "RunCreated", "run": 7, "attempt": 1, "run_number": 7, "carried": [],
            "repository": "octo/app", "repository_path": "/src/app",
            "workflow": { "path": ".github/workflows/ci.yml", "text": "on: push" }, "called": {},
            "title": "a change", "inputs": {}, "vars": {}, "secret_names": [], "actor": "mona",
            "event": { "name": "pull_request", "git_ref": "refs/pull/3/merge", "payload": {} },
            "change": { "commit": "01", "authored_at": 1, "committed_at": 2, "uncommitted": 0 },
            "triggering_actor": "mona", "at": 0,
        });
        let created = serde_json::from_value::<event::RunEvent>(created).unwrap();
        let view = RunView::of([&created]).unwrap();
        let url = "https://ci.example.com".to_owned();
        let subject = Subject { head: "0123456789".to_owned(), pull_request: Some(3), url };
        let reported = Reported { passed: 3, failed: 1, ..Reported::default() };
        let silent = (&view, subject.clone(), Some(Reported::default()));
        let text = comment("<!-- m -->", &[(&view, subject.clone(), Some(reported)), silent]);
        let row = "| [ci.yml (pull_request)](https://ci.example.com/runs/7.1) | runs |  |\n";
        let line = "\nci.yml: [3 passed, 1 failed](https://ci.example.com/runs/7.1/tests)\n";
        let head = "<!-- m -->\n**Launchway** at 0123456\n\n| workflow | | |\n|---|---|---|\n";
        assert_eq!(text, format!("{head}{row}{row}{line}"));
    }

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
