//! Steps in the background, sentence by sentence of conformance 141.

use expect_test::{Expect, expect};
use sequencer::{BACKGROUND_MAX, Effects, Exit, Owed};

use crate::harness::{ALL_WELL, Script, aside_first, own_first, plan, play, show_end};

struct Case<'a> {
    steps: &'a str,
    actions: &'a [(&'a str, &'a str)],
    script: Script<'a>,
}

fn check(case: &Case<'_>, expected: Expect) {
    let plan = plan(&format!("    steps:\n{}", case.steps), case.actions);
    plan.check().expect("a job that can run");
    let (told, end) = play(&plan, &case.script);
    expected.assert_eq(&format!("{told}{}\n", show_end(&end)));
}

fn check_steps(steps: &str, script: Script<'_>, expected: Expect) {
    check(&Case { steps, actions: &[], script }, expected);
}

fn end(key: &str, exit: Exit) -> (&str, Exit, Effects) {
    (key, exit, Effects::default())
}

/// What a step writes: an output, a variable and a path, all of its own name.
fn writes(key: &str) -> (&str, Exit, Effects) {
    let one = |name: &str| [(name.to_owned(), key.to_owned())].into_iter().collect();
    let (outputs, env) = (one("out"), one(&key.to_uppercase()));
    let path = vec![format!("/{key}")];
    (key, Exit::Code(0), Effects { outputs, env, path, ..Effects::default() })
}

// proves: conformance 141
#[test]
fn c141_a_background_step_runs_beside_those_behind_it() {
    check_steps(
        "
      - { id: bg, run: server, background: true }
      - run: one
      - wait: bg
      - run: two
",
        ALL_WELL,
        expect![[r#"
            bg: Run server (background)
            __run: Run one
            do bg: bash -e {0} | server
            do __run: bash -e {0} | one
            __run: success
            __wait: Wait for bg
            __wait says Waiting for: Run server
            bg: success
            __wait says Run server: success
            __wait: success
            __run_2: Run two
            do __run_2: bash -e {0} | two
            __run_2: success
            job: success
        "#]],
    );
}

// proves: conformance 141
#[test]
fn c141_what_it_wrote_is_seen_at_its_wait_and_not_before() {
    let look = "look ${{ steps.bg.outputs.out }} ${{ steps.bg.outcome }} ${{ env.BG }}";
    check_steps(
        &format!(
            "
      - {{ id: bg, run: work, background: true }}
      - run: {look}
      - wait: bg
      - run: {look}
"
        ),
        Script { ends: &[writes("bg")], first: &aside_first, ..ALL_WELL },
        expect![[r#"
            bg: Run work (background)
            __run: Run look
            do bg: bash -e {0} | work
            do __run: bash -e {0} | look
            bg: success
            __run: success
            __wait: Wait for bg
            __wait says Waiting for: Run work
            __wait says Run work: success
            __wait: success
            __run_2: Run look bg success bg
            do __run_2: bash -e {0} | look bg success bg BG=bg PATH=/bg
            __run_2: success
            job: success
        "#]],
    );
    // By name or all at once; the same by `cancel`.
    for control in ["wait: [bg]", "wait: BG", "wait-all:", "wait-all: true", "cancel: bg"] {
        let steps = format!(
            "      - {{ id: bg, run: work, background: true }}\n      - run: own\n      - {control}\n\
             \x20     - run: {look}\n"
        );
        let script = Script { ends: &[writes("bg")], first: &aside_first, ..ALL_WELL };
        let (told, _) = play(&plan(&format!("    steps:\n{steps}"), &[]), &script);
        assert!(told.contains("| look bg success bg BG=bg PATH=/bg"), "{control}: {told}");
    }
}

// proves: conformance 141
#[test]
fn c141_one_of_several_is_waited_for() {
    check_steps(
        "
      - { id: a, run: a, background: true }
      - { id: b, run: b, background: true }
      - wait: a
      - run: sees ${{ steps.a.outputs.out }}${{ steps.b.outputs.out }}
      - wait: [b, a]
      - run: sees ${{ steps.a.outputs.out }}${{ steps.b.outputs.out }}
",
        Script { ends: &[writes("a"), writes("b")], first: &aside_first, ..ALL_WELL },
        expect![[r#"
            a: Run a (background)
            b: Run b (background)
            __wait: Wait for a
            __wait says Waiting for: Run a
            do a: bash -e {0} | a
            do b: bash -e {0} | b
            a: success
            __wait says Run a: success
            __wait: success
            __run: Run sees a
            do __run: bash -e {0} | sees a A=a PATH=/a
            b: success
            __run: success
            __wait_2: Wait for b, a
            __wait_2 says Waiting for: Run b, Run a
            __wait_2 says Run b: success
            __wait_2 says Run a: success
            __wait_2: success
            __run_2: Run sees ab
            do __run_2: bash -e {0} | sees ab A=a B=b PATH=/b:/a
            __run_2: success
            job: success
        "#]],
    );
}

// proves: conformance 141
#[test]
fn c141_parallel_is_background_and_wait() {
    check_steps(
        "
      - parallel:
        - { id: a, run: a }
        - { run: b, if: failure() }
        - { name: third, run: c }
      - run: after ${{ steps.a.outputs.out }}
",
        Script { ends: &[writes("a")], ..ALL_WELL },
        expect![[r#"
            a: Run a (background)
            __run: Run b
            __run: skipped
            __run_2: third (background)
            __parallel: Wait for 3 parallel steps
            __parallel says Waiting for: Run a, third
            do a: bash -e {0} | a
            do __run_2: bash -e {0} | c
            __run_2: success
            a: success
            __parallel says Run a: success
            __parallel says third: success
            __parallel: success
            __run_3: Run after a
            do __run_3: bash -e {0} | after a A=a PATH=/a
            __run_3: success
            job: success
        "#]],
    );
}

// proves: conformance 141
#[test]
fn c141_all_are_waited_for_before_post() {
    let node = "name: n\nruns: { using: node24, main: main.js, post: post.js }\n";
    check(
        &Case {
            steps: "
      - { id: bg, uses: octo/node@v1, background: true }
      - run: own
",
            actions: &[("octo/node@v1", node)],
            script: ALL_WELL,
        },
        expect![[r#"
            bg: Run octo/node@v1 (background)
            __run: Run own
            do bg: main node24 /a/octo/node@v1/main.js
            do __run: bash -e {0} | own
            __run: success
            __implicit_wait_all: Wait for all background steps
            __implicit_wait_all says Waiting for: Run octo/node@v1
            bg: success
            __implicit_wait_all says Run octo/node@v1: success
            __implicit_wait_all: success
            post:bg: Post Run octo/node@v1
            do post:bg: post node24 /a/octo/node@v1/post.js
            post:bg: success
            job: success
        "#]],
    );
    // Who is named somewhere needs no more than that.
    check_steps(
        "
      - { id: bg, run: a, background: true }
      - cancel: bg
",
        Script { first: &own_first, ..ALL_WELL },
        expect![[r#"
            bg: Run a (background)
            __cancel: Cancel bg
            __cancel says Ending: Run a
            do bg: bash -e {0} | a
            bg: cancelled
            __cancel says Run a: cancelled
            __cancel: success
            job: success
        "#]],
    );
}

// proves: conformance 141
#[test]
fn c141_a_failure_counts_at_the_wait() {
    check_steps(
        "
      - { id: bg, run: a, background: true }
      - run: still well
      - wait: bg
      - run: not any more
      - { run: cleans up, if: failure() }
",
        Script { ends: &[end("bg", Exit::Code(1))], first: &aside_first, ..ALL_WELL },
        expect![[r#"
            bg: Run a (background)
            __run: Run still well
            do bg: bash -e {0} | a
            do __run: bash -e {0} | still well
            bg: failure
            __run: success
            __wait: Wait for bg
            __wait says Waiting for: Run a
            __wait says Run a: failure
            __wait: failure
            __run_2: Run not any more
            __run_2: skipped
            __run_3: Run cleans up
            do __run_3: bash -e {0} | cleans up
            __run_3: success
            job: failure
        "#]],
    );
    // Forgiven by the step itself, or by who waits.
    check_steps(
        "
      - { id: bg, run: a, background: true, continue-on-error: true }
      - { id: bg2, run: b, background: true }
      - wait: bg
      - { wait-all: , continue-on-error: true }
      - run: ${{ steps.bg.outcome }} ${{ steps.bg.conclusion }} ${{ steps.bg2.conclusion }}
",
        Script { ends: &[end("bg", Exit::Code(1)), end("bg2", Exit::TimedOut)], ..ALL_WELL },
        expect![[r#"
            bg: Run a (background)
            bg2: Run b (background)
            __wait: Wait for bg
            __wait says Waiting for: Run a
            do bg: bash -e {0} | a
            do bg2: bash -e {0} | b
            bg2: failure
            bg: failure -> success
            __wait says Run a: failure
            __wait: success
            __wait-all: Wait for all background steps
            __wait-all says Waiting for: Run b
            __wait-all says Run b: failure
            __wait-all: failure -> success
            __run: Run failure success failure
            do __run: bash -e {0} | failure success failure
            __run: success
            job: success
        "#]],
    );
}

// proves: conformance 141
#[test]
fn c141_who_is_cancelled_does_not_fail_the_job() {
    check_steps(
        "
      - { id: bg, run: server, background: true }
      - run: uses it
      - cancel: bg
      - run: ${{ job.status }} ${{ steps.bg.outcome }}
      - wait: bg
",
        ALL_WELL,
        expect![[r#"
            bg: Run server (background)
            __run: Run uses it
            do bg: bash -e {0} | server
            do __run: bash -e {0} | uses it
            __run: success
            __cancel: Cancel bg
            __cancel says Ending: Run server
            bg: cancelled
            __cancel says Run server: cancelled
            __cancel: success
            __run_2: Run success cancelled
            do __run_2: bash -e {0} | success cancelled
            __run_2: success
            __wait: Wait for bg
            __wait says Waiting for: Run server
            __wait says Run server: cancelled
            __wait: success
            job: success
        "#]],
    );
}

// proves: conformance 141
#[test]
fn c141_who_failed_before_the_cancel_fails_the_job() {
    check_steps(
        "
      - { id: bg, run: server, background: true }
      - run: uses it
      - cancel: bg
      - run: ${{ job.status }} ${{ steps.bg.outcome }}
",
        Script { ends: &[end("bg", Exit::Code(1))], first: &aside_first, ..ALL_WELL },
        expect![[r#"
            bg: Run server (background)
            __run: Run uses it
            do bg: bash -e {0} | server
            do __run: bash -e {0} | uses it
            bg: failure
            __run: success
            __cancel: Cancel bg
            __cancel says Ending: Run server
            __cancel says Run server: failure
            __cancel: success
            __run_2: Run success failure
            do __run_2: bash -e {0} | success failure
            __run_2: success
            job: failure
        "#]],
    );
}

// proves: conformance 141
#[test]
fn c141_control_steps_run_after_a_failure() {
    check_steps(
        "
      - { id: bg, run: a, background: true }
      - { id: bg2, run: a, background: true }
      - run: fails
      - wait: bg
      - cancel: bg2
      - wait-all:
",
        Script { ends: &[end("__run", Exit::Code(1))], ..ALL_WELL },
        expect![[r#"
            bg: Run a (background)
            bg2: Run a (background)
            __run: Run fails
            do bg: bash -e {0} | a
            do bg2: bash -e {0} | a
            do __run: bash -e {0} | fails
            __run: failure
            __wait: Wait for bg
            __wait says Waiting for: Run a
            bg2: success
            bg: success
            __wait says Run a: success
            __wait: success
            __cancel: Cancel bg2
            __cancel says Ending: Run a
            __cancel says Run a: success
            __cancel: success
            __wait-all: Wait for all background steps
            __wait-all says No step runs in the background
            __wait-all: success
            job: failure
        "#]],
    );
}

// proves: conformance 141
#[test]
fn c141_a_mistake_in_a_control_step_does_not_keep_it_from_waiting() {
    check_steps(
        "
      - { id: bg, run: a, background: true }
      - { wait: bg, name: \"${{ fromJSON('x') }}\" }
      - { run: always, if: always() }
",
        ALL_WELL,
        expect![[r#"
            bg: Run a (background)
            __wait: Wait for bg
            Error: the expression could not be evaluated: fromJSON: a value should stand here at character 1
            __wait says Waiting for: Run a
            do bg: bash -e {0} | a
            bg: success
            __wait says Run a: success
            __wait: failure
            __run: Run always
            do __run: bash -e {0} | always
            __run: success
            job: failure
        "#]],
    );
}

// proves: conformance 141
#[test]
fn c141_who_is_skipped_or_wrong_holds_nobody_up() {
    check_steps(
        "
      - { id: no, run: a, background: true, if: failure() }
      - { id: bad, run: \"${{ fromJSON('x') }}\", background: true }
      - run: own ${{ steps.no.outcome }} ${{ steps.bad.outcome }}
      - wait: [no, bad]
",
        ALL_WELL,
        expect![[r#"
            no: Run a
            no: skipped
            bad: Run bad (background)
            Error: the expression could not be evaluated: fromJSON: a value should stand here at character 1
            bad: failure
            __run: Run own skipped
            do __run: bash -e {0} | own skipped
            __run: success
            __wait: Wait for no, bad
            __wait says Waiting for: Run bad
            __wait says Run bad: failure
            __wait: failure
            job: failure
        "#]],
    );
}

const OUTER: &str = "
name: outer
outputs:
  said: { value: \"${{ steps.bg.outputs.out }}\" }
runs:
  using: composite
  steps:
    - { id: bg, shell: bash, run: one }
    - { shell: bash, run: 'two ${{ env.BG }}' }
    - { shell: bash, if: always(), run: three }
";

// proves: conformance 141
#[test]
fn c141_a_composite_action_in_the_background() {
    let mut inner = writes("bg");
    inner.0 = "outer/bg";
    check(
        &Case {
            steps: "
      - { id: outer, uses: octo/outer@v1, background: true }
      - run: own ${{ env.BG }}
      - run: own again ${{ env.BG }}
      - wait: outer
      - run: ${{ env.BG }} ${{ steps.outer.outputs.said }}
",
            actions: &[("octo/outer@v1", OUTER)],
            script: Script { ends: &[inner], first: &aside_first, ..ALL_WELL },
        },
        expect![[r#"
            outer: Run octo/outer@v1 (background)
            outer {
            outer/bg: Run one
            __run: Run own
            do outer/bg: bash --noprofile --norc -e -o pipefail {0} | one
            do __run: bash -e {0} | own
            outer/bg: success
            outer/__run: Run two bg
            do outer/__run: bash --noprofile --norc -e -o pipefail {0} | two bg BG=bg PATH=/bg
            outer/__run: success
            outer/__run_2: Run three
            do outer/__run_2: bash --noprofile --norc -e -o pipefail {0} | three BG=bg PATH=/bg
            outer/__run_2: success
            outer: success
            __run: success
            __run_2: Run own again
            do __run_2: bash -e {0} | own again
            __run_2: success
            __wait: Wait for outer
            __wait says Waiting for: Run octo/outer@v1
            __wait says Run octo/outer@v1: success
            __wait: success
            __run_3: Run bg bg
            do __run_3: bash -e {0} | bg bg BG=bg PATH=/bg
            __run_3: success
            job: success
        "#]],
    );
    // Ended with all its steps, whatever their conditions say.
    check(
        &Case {
            steps: "
      - { id: outer, uses: octo/outer@v1, background: true }
      - run: own
      - cancel: outer
",
            actions: &[("octo/outer@v1", OUTER)],
            script: ALL_WELL,
        },
        expect![[r#"
            outer: Run octo/outer@v1 (background)
            outer {
            outer/bg: Run one
            __run: Run own
            do outer/bg: bash --noprofile --norc -e -o pipefail {0} | one
            do __run: bash -e {0} | own
            __run: success
            __cancel: Cancel outer
            __cancel says Ending: Run octo/outer@v1
            outer/bg: cancelled
            outer/__run: Run two
            outer/__run: skipped
            outer/__run_2: Run three
            outer/__run_2: skipped
            outer: cancelled
            __cancel says Run octo/outer@v1: cancelled
            __cancel: success
            job: success
        "#]],
    );
}

// proves: conformance 141, 153
#[test]
fn c141_a_local_action_in_the_background_is_read_at_its_turn() {
    let local = "name: l\nruns: { using: composite, steps: [{ run: x, shell: bash }] }\n";
    check_steps(
        "
      - { id: a, uses: ./l, background: true }
      - { id: b, uses: ./none, background: true }
      - run: own
      - wait-all:
",
        Script { local: &[("./l", local)], ..ALL_WELL },
        expect![[r#"
            a: Run ./l (background)
            a {
            a/__run: Run x
            do a/__run: bash --noprofile --norc -e -o pipefail {0} | x
            b: Run ./none (background)
            Error: no action at ./none
            b: failure
            __run: Run own
            do __run: bash -e {0} | own
            __run: success
            __wait-all: Wait for all background steps
            __wait-all says Waiting for: Run ./l, Run ./none
            a/__run: success
            a: success
            __wait-all says Run ./l: success
            __wait-all says Run ./none: failure
            __wait-all: failure
            job: failure
        "#]],
    );
}

// proves: conformance 138, 141
#[test]
fn c138_a_cancelled_job_ends_background_steps_whose_condition_does_not_hold() {
    check_steps(
        "
      - { id: a, run: a, background: true }
      - { id: b, run: b, background: true, if: always() }
      - run: own
      - wait-all:
      - { run: cleans up, if: cancelled() }
",
        Script { cancel_at: Some("__run"), ..ALL_WELL },
        expect![[r#"
            a: Run a (background)
            b: Run b (background)
            __run: Run own
            do a: bash -e {0} | a
            do b: bash -e {0} | b
            do __run: bash -e {0} | own
            cancelled
            a: cancelled
            runs on
            __run: cancelled
            __wait-all: Wait for all background steps
            __wait-all says Waiting for: Run a, Run b
            b: success
            __wait-all says Run a: cancelled
            __wait-all says Run b: success
            __wait-all: cancelled
            __run_2: Run cleans up
            do __run_2: bash -e {0} | cleans up
            __run_2: success
            job: cancelled
        "#]],
    );
}

/// A job with one more background step than may run, and what it looks like behind it.
fn crowd(behind: &str) -> String {
    let one = |number| format!("      - {{ id: s{number}, run: s{number}, background: true }}\n");
    let crowd: String = (0..=BACKGROUND_MAX).map(one).collect();
    format!("    steps:\n{crowd}{behind}")
}

// proves: conformance 141, 246
#[test]
fn c246_ten_run_at_a_time_and_the_next_stands_in_line() {
    let most = std::cell::Cell::new(0);
    let count = |owed: &[Owed]| {
        most.set(most.get().max(owed.len()));
        own_first(owed)
    };
    let script = Script { first: &count, ..ALL_WELL };
    let plan = plan(&crowd("      - run: own\n"), &[]);
    let (told, end) = play(&plan, &script);
    assert_eq!(show_end(&end), "job: success");
    // The job's own step is the eleventh.
    assert_eq!((BACKGROUND_MAX, most.get()), (10, 11));
    // All begin in their order, the last once one has ended.
    let begins = |line: &&str| line.ends_with("(background)");
    let order: Vec<&str> = told.lines().filter(begins).collect();
    assert_eq!(order.len(), 11);
    let at = |text: &str| told.find(text).unwrap_or_else(|| panic!("{text}: {told}"));
    assert!(at("do s10: ") > at("s9: success"), "{told}");
}

// proves: conformance 141, 246
#[test]
fn c246_who_stands_in_line_is_decided_already_and_can_be_cancelled() {
    let job = crowd("      - { id: own, run: own }\n      - cancel: s10\n");
    let (told, end) = play(&plan(&job, &[]), &ALL_WELL);
    assert_eq!(show_end(&end), "job: success");
    assert!(!told.contains("do s10: "), "{told}");
    assert!(told.contains("s10: Run s10 (background)\ns10: cancelled\n"), "{told}");
    // At once: it needs no slot to end.
    let at = |text: &str| told.find(text).unwrap_or_else(|| panic!("{text}: {told}"));
    assert!(at("s10: cancelled") < at("s9: success"), "{told}");
    // A variable that is written while it stands in line comes too late for it.
    let job = crowd("      - { id: own, run: own }\n");
    let script = Script { ends: &[writes("own")], ..ALL_WELL };
    let (told, _) = play(&plan(&job, &[]), &script);
    assert!(told.contains("do s10: bash -e {0} | s10\n"), "{told}");
    // Nor does it begin in a job that was cancelled meanwhile.
    let job = crowd("      - { id: own, run: own }\n");
    let (told, _) = play(&plan(&job, &[]), &Script { cancel_at: Some("own"), ..ALL_WELL });
    assert!(!told.contains("do s10: ") && told.contains("s10: cancelled\n"), "{told}");
}
