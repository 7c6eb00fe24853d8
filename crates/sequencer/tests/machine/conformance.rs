//! Limits of a job's machine.

use expect_test::expect;
use expr::Scope;
use sequencer::{Effects, Exit};
use serde_json::json;
use workflow::Template;

use crate::harness::{ALL_WELL, Script, plan, play, show_end};

// proves: conformance 148, 227
#[test]
fn c227_composite_actions_ten_deep() {
    for (levels, ends_well) in [(10, true), (11, false)] {
        let names: Vec<String> = (1..=levels).map(|level| format!("octo/a{level}@v1")).collect();
        let texts: Vec<String> = (1..=levels)
            .map(|level| {
                let step = match names.get(level) {
                    Some(inner) => format!("uses: {inner}"),
                    None => "{ run: deepest, shell: bash }".to_owned(),
                };
                format!("runs:\n  using: composite\n  steps:\n  - {step}\n")
            })
            .collect();
        let actions: Vec<(&str, &str)> =
            names.iter().zip(&texts).map(|(name, text)| (name.as_str(), text.as_str())).collect();
        let plan = plan("    steps:\n    - uses: octo/a1@v1\n", &actions);
        let (told, end) = play(&plan, &ALL_WELL);
        assert_eq!(told.contains("| deepest"), ends_well, "{told}");
        let expected = if ends_well { "job: success" } else { "job: failure" };
        assert_eq!(show_end(&end), expected, "{told}");
        let said = "composite actions may be nested 10 deep at most";
        assert_eq!(told.contains(said), !ends_well, "{told}");
    }
}

// proves: conformance 104
#[test]
fn c235_a_jobs_outputs_have_a_megabyte_of_utf16_together() {
    let job = "    outputs: { a: \"${{ steps.s.outputs.a }}\", b: \"${{ steps.s.outputs.b }}\" }
    steps:
    - { id: s, run: s }
";
    let plan = plan(job, &[]);
    let half = (1 << 18) - 1;
    for (letter, length, fits) in [("x", half, true), ("x", half + 1, false), ("é", half, true)] {
        let value = letter.repeat(length);
        let outputs = [("a", &value), ("b", &value)];
        let outputs = outputs.into_iter().map(|(name, it)| (name.to_owned(), it.clone()));
        let effects = Effects { outputs: outputs.collect(), ..Effects::default() };
        let ends = [("s", Exit::Code(0), effects)];
        let (told, end) = play(&plan, &Script { ends: &ends, ..ALL_WELL });
        let said = "the job's outputs are larger than 1 MB together; the largest of them is 'b'";
        assert_eq!(told.contains(said), !fits, "{letter} {length}");
        let expected = if fits { event::Conclusion::Success } else { event::Conclusion::Failure };
        assert_eq!((end.conclusion, end.outputs.len()), (expected, if fits { 2 } else { 1 }));
    }
}

/// One that expressions cannot hold (1 MB) is named too: the sum is not yet at its limit.
// proves: conformance 104
#[test]
fn c104_a_job_output_that_cannot_be_evaluated_is_named() {
    let job = "    outputs:
      small: ok
      large: \"${{ format('{0}{0}', steps.s.outputs.it) }}\"
      broken: \"${{ fromJSON(steps.s.outputs.it) }}\"
    steps:
    - { id: s, run: s }
";
    let says = |value: String| {
        let outputs = [("it".to_owned(), value)].into_iter().collect();
        let effects = Effects { outputs, ..Effects::default() };
        let ends = [("s", Exit::Code(0), effects)];
        let (told, end) = play(&plan(job, &[]), &Script { ends: &ends, ..ALL_WELL });
        assert_eq!(end.conclusion, event::Conclusion::Failure);
        let line = told.lines().find(|line| line.starts_with("Error: output "));
        line.unwrap_or_else(|| panic!("{told}")).to_owned()
    };
    expect!["Error: output 'large': the expression could not be evaluated: the maximum allowed memory size was exceeded while evaluating the following expression: format('{0}{0}', steps.s.outputs.it)"].assert_eq(&says("x".repeat(1 << 18)));
    expect!["Error: output 'broken': the expression could not be evaluated: fromJSON: a value should stand here at character 1"].assert_eq(&says("x".to_owned()));
}

/// Once, before the first step: what a step puts into the environment changes no default.
// proves: conformance 105, 109
#[test]
fn c109_defaults_are_evaluated_at_the_jobs_set_up() {
    let job = r#"    env: { AT: first }
    defaults:
      run: ${{ fromJSON(format('{{"working-directory":"{0}","shell":""}}', env.AT)) }}
    steps:
    - { id: moves, run: one }
    - { run: two }
    - { run: three, working-directory: "${{ env.NONE }}" }
"#;
    let mut plan = plan(job, &[]);
    let (workflows, _) = Template::from_json(
        &json!({ "shell": "sh", "working-directory": "of-workflow" }),
        &Scope::NOTHING,
    );
    plan.workflow_defaults = Some(workflows);
    let moved =
        Effects { env: [("AT".to_owned(), "later".to_owned())].into(), ..Effects::default() };
    let script = Script { ends: &[("moves", Exit::Code(0), moved)], ..ALL_WELL };
    let (told, _) = play(&plan, &script);
    let done: Vec<&str> = told.lines().filter(|line| line.starts_with("do ")).collect();
    expect![[r#"
        do moves: sh -e {0} in first | one AT=first
        do __run: sh -e {0} in first | two AT=later
        do __run_2: sh -e {0} in first | three AT=later"#]]
    .assert_eq(&done.join("\n"));
}

/// A default that cannot be evaluated fails the job before any step.
// proves: conformance 109
#[test]
fn c109_defaults_that_are_none() {
    let job = "    defaults: { run: \"${{ fromJSON('[1]') }}\" }\n    steps: [{ run: one }]\n";
    expect![[r#"
        Error: defaults.run: a mapping is expected
    "#]]
    .assert_eq(&play(&plan(job, &[]), &ALL_WELL).0);
}

// proves: conformance 109
#[test]
fn c109_defaults_end_where_an_action_begins() {
    let job = "    defaults: { run: { shell: sh, working-directory: sub } }
    steps:
    - { run: mine }
    - { run: own, shell: bash, working-directory: other }
    - uses: octo/a@v1
";
    let action = "runs:\n  using: composite\n  steps:\n  - { run: inner, shell: bash }\n";
    let plan = plan(job, &[("octo/a@v1", action)]);
    let (told, _) = play(&plan, &ALL_WELL);
    let done: Vec<&str> = told.lines().filter(|line| line.starts_with("do ")).collect();
    expect![[r#"
        do __run: sh -e {0} in sub | mine
        do __run_2: bash --noprofile --norc -e -o pipefail {0} in other | own
        do __octo_a/__run: bash --noprofile --norc -e -o pipefail {0} | inner"#]]
    .assert_eq(&done.join("\n"));
}
