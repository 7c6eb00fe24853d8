//! Workflow files at the door: what is accepted, what is refused, in which words and where.

#[path = "../door/mod.rs"]
mod door;
mod jobs;
mod root;
mod steps;

use expect_test::Expect;
use syntax::Source;

/// Findings for a whole file.
#[track_caller]
fn file(text: &str, expected: Expect) {
    let source = Source::new("file.yml", text);
    let (_, diagnostics) = workflow::read(&source);
    expected.assert_eq(&door::say_all(&source, &diagnostics));
}

/// Findings for what stands under a job with `runs-on` and one step.
#[track_caller]
fn job(lines: &str, expected: Expect) {
    let body: String = lines.lines().map(|line| format!("    {line}\n")).collect();
    file(
        &format!("on: push\njobs:\n  a:\n    runs-on: x\n    steps: [{{run: a}}]\n{body}"),
        expected,
    );
}

/// Findings for a list of steps.
#[track_caller]
fn steps(lines: &str, expected: Expect) {
    let body: String = lines.lines().map(|line| format!("      {line}\n")).collect();
    file(&format!("on: push\njobs:\n  a:\n    runs-on: x\n    steps:\n{body}"), expected);
}

/// Findings for keys at the root.
#[track_caller]
fn root(lines: &str, expected: Expect) {
    file(&format!("on: push\njobs: {{a: {{runs-on: x}}}}\n{lines}\n"), expected);
}
