//! Limits at their edges: the last value that is taken, the first that is not.

use expr::Value;
use serde_json::json;
use syntax::{Severity, Source};
use workflow::JobBody;
use workflow::matrix::expand;

/// The first error of a workflow with these lines, if there is one.
fn error(lines: &str) -> Option<String> {
    let (_, diagnostics) = workflow::read(&Source::new("file.yml", lines));
    diagnostics.into_iter().find(|it| it.severity == Severity::Error).map(|it| it.message)
}

fn dispatch(inputs: usize) -> String {
    let inputs: String = (0..inputs).map(|it| format!("      i{it}:\n")).collect();
    format!("on:\n  workflow_dispatch:\n    inputs:\n{inputs}jobs: {{a: {{runs-on: x}}}}\n")
}

// proves: conformance 238, 26
#[test]
fn c238_inputs_of_a_dispatch() {
    assert_eq!(error(&dispatch(25)), None);
    assert_eq!(error(&dispatch(26)).as_deref(), Some("more than 25 inputs"));
}

// proves: conformance 225, 94
#[test]
fn c225_legs_of_a_matrix() {
    let legs = |rows: usize, columns: usize| {
        let numbers = |count: usize| (0..count).collect::<Vec<_>>();
        let matrix = json!({"row": numbers(rows), "column": numbers(columns)});
        expand(&Value::from_json(&matrix)).map(|legs| legs.len())
    };
    assert_eq!(legs(16, 16), Ok(256));
    assert_eq!(
        legs(257, 1).map_err(|it| it.to_string()),
        Err("the matrix makes more than 256 jobs".to_owned())
    );
    // What `include` appends counts, what `exclude` takes away does not.
    let matrix = |include: usize, exclude: usize| {
        let vector: Vec<usize> = (0..256 + exclude).collect();
        let drop: Vec<_> = (0..exclude).map(|it| json!({"v": it})).collect();
        let add: Vec<_> = (0..include).map(|it| json!({"v": format!("more {it}")})).collect();
        let matrix = json!({"v": vector, "include": add, "exclude": drop});
        expand(&Value::from_json(&matrix)).map(|legs| legs.len())
    };
    assert_eq!(matrix(0, 3), Ok(256));
    assert!(matrix(1, 3).is_err());
    assert!(matrix(1, 0).is_err());
}

// proves: conformance 40, 239
#[test]
fn c239_the_length_of_a_groups_name() {
    let text = |length: usize, job: &str| {
        format!(
            "on: push\njobs:\n  a:\n    runs-on: x\n    {job}concurrency: {}\n",
            "é".repeat(length)
        )
    };
    assert_eq!(error(&text(400, "")), None);
    let said = "a concurrency group has at most 400 characters";
    assert_eq!(error(&text(401, "")).as_deref(), Some(said));
    let root = text(401, "").replace("    concurrency", "concurrency");
    assert_eq!(error(&root).as_deref(), Some(said));
}

// proves: conformance 240
#[test]
fn c240_expressions_inside_a_file() {
    let condition =
        |text: &str| format!("on: push\njobs:\n  a:\n    runs-on: x\n    if: \"{text}\"\n");
    let long = |length: usize| format!("'{}' == ''", "x".repeat(length - 8));
    assert_eq!(error(&condition(&long(20_900))), None);
    let said = error(&condition(&long(21_001))).expect("it is too long");
    assert!(said.starts_with("Exceeded max expression length 21000"), "{said}");
    let deep = |levels: usize| format!("always() && {}1", "!".repeat(levels));
    assert_eq!(error(&condition(&deep(48))), None);
    let said = error(&condition(&deep(50))).expect("it is too deep");
    assert!(said.starts_with("Exceeded max expression depth 50"), "{said}");
}

// proves: conformance 241, 8
#[test]
fn c241_the_size_of_a_file() {
    let text = "on: push\njobs: {a: {runs-on: x}}\n#";
    let file = |bytes: usize| format!("{text}{}", "x".repeat(bytes - text.len()));
    assert_eq!(error(&file(500 * 1024)), None);
    assert_eq!(error(&file(1024 * 1024)), None);
    let said = error(&file(1024 * 1024 + 1));
    assert_eq!(said.as_deref(), Some("the file is larger than 1048576 bytes"));
}

// proves: conformance 15, 16
#[test]
fn c15_lengths_are_counted_in_utf16_units() {
    let script = |text: &str| {
        error(&format!("on: push\njobs: {{a: {{runs-on: x, steps: [{{run: '{text}'}}]}}}}\n"))
    };
    let too_long = Some("a script has at most 21000 characters".to_owned());
    // Two bytes and one unit each; four bytes and two units each.
    for (letter, count) in [("x", 21_000), ("é", 21_000), ("\u{1f600}", 10_500)] {
        assert_eq!(script(&letter.repeat(count)), None, "{letter}");
        assert_eq!(script(&letter.repeat(count + 1)), too_long, "{letter}");
    }
    let templated = |length: usize| script(&format!("${{{{ 1 }}}}{}", "é".repeat(length - 8)));
    assert_eq!(templated(21_000), None);
    assert_eq!(templated(21_001).as_deref(), Some("Exceeded max expression length 21000"));
}

// proves: conformance 25
#[test]
fn c25_five_minutes_between_two_starts() {
    let warns = |cron: &str| {
        let text = format!("on: {{schedule: [{{cron: '{cron}'}}]}}\njobs: {{a: {{runs-on: x}}}}\n");
        !workflow::read(&Source::new("file.yml", text)).1.is_empty()
    };
    for cron in ["*/5 * * * *", "0,5 * * * *", "58 23 * * *", "2,57 * * * *", "* 0 29 2 *"] {
        assert_eq!(warns(cron), cron.starts_with("* "), "{cron}");
    }
    for cron in ["*/4 * * * *", "0,4 * * * *", "56-59/3 * * * *", "1,57 * * * *"] {
        assert!(warns(cron), "{cron}");
    }
}

// proves: conformance 62
#[test]
fn c62_the_condition_of_an_inner_step() {
    let errors = |condition: &str| {
        let text = format!(
            "runs:\n  using: composite\n  steps:\n  - {{ run: x, shell: bash, if: \"{condition}\" }}\n"
        );
        workflow::read_action(&Source::new("action.yml", text)).1.len()
    };
    for here in ["github", "inputs", "strategy", "matrix", "steps", "job", "runner", "env"] {
        assert_eq!(errors(&format!("{here}.x")), 0, "{here}");
    }
    for not_here in ["secrets", "vars", "needs", "jobs"] {
        assert_eq!(errors(&format!("{not_here}.x")), 1, "{not_here}");
    }
    for function in ["always()", "cancelled()", "success()", "failure()", "hashFiles('a') == ''"] {
        assert_eq!(errors(function), 0, "{function}");
    }
}

// proves: conformance 13
#[test]
fn c13_thousands_of_steps_get_names_in_one_go() {
    const STEPS: usize = 10_000;
    let text = format!(
        "on: push\njobs:\n  a:\n    runs-on: x\n    steps:\n{}",
        "    - run: x\n".repeat(STEPS)
    );
    let (workflow, diagnostics) = workflow::read(&Source::new("file.yml", text));
    assert_eq!(diagnostics.len(), 0);
    let workflow = workflow.expect("a workflow without findings");
    let JobBody::Steps(body) = &workflow.jobs[0].body else { panic!("a job with steps") };
    assert_eq!(body.steps.len(), STEPS);
    assert_eq!(&*body.steps[0].key, "__run");
    assert_eq!(*body.steps[STEPS - 1].key, *format!("__run_{STEPS}"));
}

#[test]
fn an_error_behind_a_thousand_warnings_is_kept() {
    let steps = "    - {run: x, if: \"${{ github.ref }} == 'a'\"}\n".repeat(1_001);
    let fine = format!("on: push\njobs:\n  a:\n    runs-on: x\n    steps:\n{steps}");
    assert_eq!(error(&fine), None);
    assert_eq!(
        error(&format!("{fine}    - {{run: x, nope: y}}\n")).as_deref(),
        Some("Unexpected value 'nope'")
    );
}
