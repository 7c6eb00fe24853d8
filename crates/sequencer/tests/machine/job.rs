//! Jobs with scripted ends: which deeds come in which order, and what is concluded.

use expect_test::{Expect, expect};
use indexmap::IndexMap;
use sequencer::{Effects, Exit};

use crate::harness::{ALL_WELL, Script, plan, play, show_end};

struct Case<'a> {
    job: &'a str,
    actions: &'a [(&'a str, &'a str)],
    local: &'a [(&'a str, &'a str)],
    ends: &'a [(&'a str, Exit, Effects)],
    cancel_at: Option<&'a str>,
}

const PLAIN: Case<'_> = Case { job: "", actions: &[], local: &[], ends: &[], cancel_at: None };

fn check(case: &Case<'_>, expected: Expect) {
    let plan = plan(case.job, case.actions);
    plan.check().expect("a job that can run");
    let script =
        Script { ends: case.ends, cancel_at: case.cancel_at, local: case.local, ..ALL_WELL };
    let (told, end) = play(&plan, &script);
    expected.assert_eq(&format!("{told}{}\n", show_end(&end)));
}

fn fails(key: &str) -> (&str, Exit, Effects) {
    (key, Exit::Code(1), Effects::default())
}

fn texts(pairs: &[(&str, &str)]) -> IndexMap<String, String> {
    pairs.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
}

const NODE: &str = "
name: node
inputs:
  level: { default: \"${{ github.sha }}\" }
  two words: { default: x }
  old: { deprecationMessage: use level }
runs: { using: node24, main: main.js, pre: pre.js, post: post.js }
";

const OUTER: &str = "
name: outer
inputs:
  who: { default: nobody }
outputs:
  said: { value: \"${{ steps.say.outputs.said }}\" }
runs:
  using: composite
  steps:
    - id: say
      shell: bash
      run: echo ${{ inputs.who }}
    - uses: octo/node@v1
      with: { level: \"${{ inputs.who }}\" }
    - shell: bash
      run: echo ${{ github.action_status }} ${{ env.GLOBAL }}
    - shell: bash
      if: failure()
      run: echo inner failure, job ${{ job.status }}
";

// proves: conformance 126, 127, 130, 253
#[test]
fn c126_conditions_and_names() {
    check(
        &Case {
            job: "
    steps:
      - run: |

          echo first
      - id: two
        name: named ${{ env.X }}
        run: a
        env: { X: 1 }
      - run: b
        env: { X: \"${{ fromJSON('broken') }}\" }
      - run: c
        if: steps.two.outcome == 'failure' && failure()
      - run: d
        if: ${{ cancelled() }}
      - run: e
        if: always()
",
            ends: &[fails("two")],
            ..PLAIN
        },
        expect![[r#"
            __run: Run echo first
            do __run: bash -e {0} | 
            echo first
            __run: success
            two: named 1
            do two: bash -e {0} | a X=1
            two: failure
            __run_2: Run b
            __run_2: skipped
            __run_3: Run c
            do __run_3: bash -e {0} | c
            __run_3: success
            __run_4: Run d
            __run_4: skipped
            __run_5: Run e
            do __run_5: bash -e {0} | e
            __run_5: success
            job: failure
        "#]],
    );
}

// proves: conformance 128, 130, 107
#[test]
fn c128_continue_on_error() {
    check(
        &Case {
            job: "
    steps:
      - id: a
        run: a
        continue-on-error: ${{ 1 == 1 }}
      - run: ${{ steps.a.outcome }} ${{ steps.a.conclusion }}
",
            ends: &[fails("a")],
            ..PLAIN
        },
        expect![[r#"
            a: Run a
            do a: bash -e {0} | a
            a: failure -> success
            __run: Run failure success
            do __run: bash -e {0} | failure success
            __run: success
            job: success
        "#]],
    );
}

// proves: conformance 90
#[test]
fn c90_a_mistake_fails_the_step_it_is_in() {
    check(
        &Case {
            job: "
    steps:
      - run: ${{ fromJSON('x') }}
      - run: b
        if: always() && fromJSON('x')
      - run: c
        if: always()
        env: { X: \"${{ fromJSON('x') }}\" }
      - run: d
        if: always()
        shell: nothing
      - run: e
        if: always()
        continue-on-error: true
        timeout-minutes: ${{ fromJSON('\"soon\"') }}
",
            ..PLAIN
        },
        expect![[r#"
            __run: Run a script
            Error: the expression could not be evaluated: fromJSON: a value should stand here at character 1
            __run: failure
            __run_2: Run b
            Error: fromJSON: a value should stand here at character 1
            __run_2: failure
            __run_3: Run c
            Error: the expression could not be evaluated: fromJSON: a value should stand here at character 1
            __run_3: failure
            __run_4: Run d
            Error: invalid shell option 'nothing': it must be a known shell (bash, sh, pwsh, powershell, python) or hold '{0}'
            __run_4: failure
            __run_5: Run e
            Error: timeout-minutes: 'soon' is not a number
            __run_5: failure -> success
            job: failure
        "#]],
    );
}

// proves: conformance 108, 109, 181, 182, 257, 69, 79
#[test]
fn c108_layers_of_the_environment() {
    let set = Effects {
        env: texts(&[("A", "file"), ("N", "new")]),
        path: vec!["/one".to_owned(), "/two".to_owned(), "/one".to_owned()],
        ..Effects::default()
    };
    check(
        &Case {
            job: "
    env: { A: job, B: job }
    defaults: { run: { shell: sh, working-directory: sub } }
    steps:
      - id: set
        run: set
        env: { B: \"${{ env.A }}-step\" }
      - run: see ${{ env.A }} ${{ env.a }} ${{ env.N }}
        env: { A: own }
      - run: other
        shell: bash
        working-directory: .
",
            ends: &[("set", Exit::Code(0), set)],
            ..PLAIN
        },
        expect![[r#"
            set: Run set
            do set: sh -e {0} in sub | set A=job B=job-step
            set: success
            __run: Run see own  new
            do __run: sh -e {0} in sub | see own  new A=own B=job N=new PATH=/one:/two
            __run: success
            __run_2: Run other
            do __run_2: bash --noprofile --norc -e -o pipefail {0} in . | other A=file B=job N=new PATH=/one:/two
            __run_2: success
            job: success
        "#]],
    );
}

// proves: conformance 145, 146, 147, 183
#[test]
fn c147_pre_main_post() {
    let saved = Effects { state: texts(&[("key", "1")]), ..Effects::default() };
    check(
        &Case {
            job: "
    steps:
      - uses: octo/node@v1
        id: one
        with: { level: \"${{ env.L }}\", extra: 1, OLD: 2 }
        env: { L: high }
      - uses: octo/node@v1
        name: second
      - run: fails
        id: bad
      - uses: octo/node@v1
        id: never
",
            actions: &[("octo/node@v1", NODE)],
            ends: &[("one", Exit::Code(0), saved), fails("bad")],
            ..PLAIN
        },
        expect![[r#"
            pre:one: Pre Run octo/node@v1
            do pre:one: pre node24 /a/octo/node@v1/pre.js L=high INPUT_TWO_WORDS=x INPUT_LEVEL=high INPUT_EXTRA=1 INPUT_OLD=2
            pre:one: success
            pre:__octo_node: Pre second
            do pre:__octo_node: pre node24 /a/octo/node@v1/pre.js INPUT_LEVEL=abc INPUT_TWO_WORDS=x
            pre:__octo_node: success
            pre:never: Pre Run octo/node@v1
            do pre:never: pre node24 /a/octo/node@v1/pre.js INPUT_LEVEL=abc INPUT_TWO_WORDS=x
            pre:never: success
            one: Run octo/node@v1
            Warning: Unexpected input(s) 'extra', valid inputs are ['level', 'two words', 'old']
            Warning: Input 'OLD' has been deprecated with message: use level
            do one: main node24 /a/octo/node@v1/main.js L=high INPUT_TWO_WORDS=x INPUT_LEVEL=high INPUT_EXTRA=1 INPUT_OLD=2
            one: success
            __octo_node: second
            do __octo_node: main node24 /a/octo/node@v1/main.js INPUT_LEVEL=abc INPUT_TWO_WORDS=x
            __octo_node: success
            bad: Run fails
            do bad: bash -e {0} | fails
            bad: failure
            never: Run octo/node@v1
            never: skipped
            post:never: Post Run octo/node@v1
            do post:never: post node24 /a/octo/node@v1/post.js INPUT_LEVEL=abc INPUT_TWO_WORDS=x
            post:never: success
            post:__octo_node: Post second
            do post:__octo_node: post node24 /a/octo/node@v1/post.js INPUT_LEVEL=abc INPUT_TWO_WORDS=x
            post:__octo_node: success
            post:one: Post Run octo/node@v1
            do post:one: post node24 /a/octo/node@v1/post.js L=high INPUT_TWO_WORDS=x INPUT_LEVEL=high INPUT_EXTRA=1 INPUT_OLD=2 STATE_key=1
            post:one: success
            job: failure
        "#]],
    );
}

// proves: conformance 62, 63, 64, 89, 147, 148, 149, 152, 257, 258
#[test]
fn c148_composite() {
    let said = Effects {
        outputs: texts(&[("said", "hi")]),
        env: texts(&[("GLOBAL", "g")]),
        ..Effects::default()
    };
    check(
        &Case {
            job: "
    steps:
      - uses: octo/outer@v1
        id: call
        with: { who: world }
        env: { CALLER: mona }
      - run: ${{ steps.call.outputs.said }} ${{ steps.say.outputs.said }} ${{ env.GLOBAL }} ${{ env.CALLER }}
",
            actions: &[("octo/outer@v1", OUTER), ("octo/node@v1", NODE)],
            ends: &[("call/say", Exit::Code(0), said)],
            ..PLAIN
        },
        expect![[r#"
            pre:call/__octo_node: Pre Run octo/node@v1
            do pre:call/__octo_node: pre node24 /a/octo/node@v1/pre.js CALLER=mona INPUT_TWO_WORDS=x INPUT_LEVEL=world
            pre:call/__octo_node: success
            call: Run octo/outer@v1
            call {
            call/say: Run echo world
            do call/say: bash --noprofile --norc -e -o pipefail {0} | echo world CALLER=mona
            call/say: success
            call/__octo_node: Run octo/node@v1
            do call/__octo_node: main node24 /a/octo/node@v1/main.js GLOBAL=g CALLER=mona INPUT_TWO_WORDS=x INPUT_LEVEL=world
            call/__octo_node: success
            call/__run: Run echo success g
            do call/__run: bash --noprofile --norc -e -o pipefail {0} | echo success g GLOBAL=g CALLER=mona
            call/__run: success
            call/__run_2: Run echo inner failure, job success
            call/__run_2: skipped
            call: success
            __run: Run hi  g
            do __run: bash -e {0} | hi  g GLOBAL=g
            __run: success
            post:call/__octo_node: Post Run octo/node@v1
            do post:call/__octo_node: post node24 /a/octo/node@v1/post.js GLOBAL=g CALLER=mona INPUT_TWO_WORDS=x INPUT_LEVEL=world
            post:call/__octo_node: success
            job: success
        "#]],
    );
}

// proves: conformance 89, 148, 149
#[test]
fn c149_a_failure_inside_a_composite() {
    check(
        &Case {
            job: "
    steps:
      - uses: ./local
        id: call
        continue-on-error: true
      - run: after ${{ steps.call.outcome }}
      - uses: ./missing
      - run: always ${{ job.status }}
        if: always()
",
            local: &[("./local", OUTER)],
            actions: &[("octo/node@v1", NODE)],
            ends: &[fails("call/say")],
            ..PLAIN
        },
        expect![[r#"
            call: Run ./local
            call {
            call/say: Run echo nobody
            do call/say: bash --noprofile --norc -e -o pipefail {0} | echo nobody
            call/say: failure
            call/__octo_node: Run octo/node@v1
            call/__octo_node: skipped
            call/__run: Run echo failure
            call/__run: skipped
            call/__run_2: Run echo inner failure, job success
            do call/__run_2: bash --noprofile --norc -e -o pipefail {0} | echo inner failure, job success
            call/__run_2: success
            call: failure -> success
            __run: Run after failure
            do __run: bash -e {0} | after failure
            __run: success
            __self: Run ./missing
            Error: no action at ./missing
            __self: failure
            __run_2: Run always failure
            do __run_2: bash -e {0} | always failure
            __run_2: success
            job: failure
        "#]],
    );
}

// proves: conformance 138, 255
#[test]
fn c138_cancel() {
    check(
        &Case {
            job: "
    steps:
      - uses: octo/node@v1
        id: action
      - run: long
        id: long
      - run: plain
      - run: cleanup ${{ job.status }}
        if: cancelled()
",
            actions: &[("octo/node@v1", NODE)],
            cancel_at: Some("long"),
            ..PLAIN
        },
        expect![[r#"
            pre:action: Pre Run octo/node@v1
            do pre:action: pre node24 /a/octo/node@v1/pre.js INPUT_LEVEL=abc INPUT_TWO_WORDS=x
            pre:action: success
            action: Run octo/node@v1
            do action: main node24 /a/octo/node@v1/main.js INPUT_LEVEL=abc INPUT_TWO_WORDS=x
            action: success
            long: Run long
            do long: bash -e {0} | long
            cancelled
            long: cancelled
            __run: Run plain
            __run: skipped
            __run_2: Run cleanup cancelled
            do __run_2: bash -e {0} | cleanup cancelled
            __run_2: success
            post:action: Post Run octo/node@v1
            do post:action: post node24 /a/octo/node@v1/post.js INPUT_LEVEL=abc INPUT_TWO_WORDS=x
            post:action: success
            job: cancelled
        "#]],
    );
}

// proves: conformance 138
#[test]
fn c138_a_step_whose_condition_still_holds_runs_on() {
    check(
        &Case {
            job: "
    steps:
      - run: long
        id: long
        if: always()
      - run: plain
",
            cancel_at: Some("long"),
            ..PLAIN
        },
        expect![[r#"
            long: Run long
            do long: bash -e {0} | long
            cancelled
            runs on
            long: success
            __run: Run plain
            __run: skipped
            job: cancelled
        "#]],
    );
}

// proves: conformance 256
#[test]
fn c256_a_failed_post_step_fails_the_job() {
    check(
        &Case {
            job: "
    steps:
      - uses: octo/node@v1
        id: one
",
            actions: &[("octo/node@v1", NODE)],
            ends: &[fails("post:one")],
            ..PLAIN
        },
        expect![[r#"
            pre:one: Pre Run octo/node@v1
            do pre:one: pre node24 /a/octo/node@v1/pre.js INPUT_LEVEL=abc INPUT_TWO_WORDS=x
            pre:one: success
            one: Run octo/node@v1
            do one: main node24 /a/octo/node@v1/main.js INPUT_LEVEL=abc INPUT_TWO_WORDS=x
            one: success
            post:one: Post Run octo/node@v1
            do post:one: post node24 /a/octo/node@v1/post.js INPUT_LEVEL=abc INPUT_TWO_WORDS=x
            post:one: failure
            job: failure
        "#]],
    );
}

// proves: conformance 54, 55, 104, 251
#[test]
fn c104_outputs() {
    let set = Effects { outputs: texts(&[("flag", "false")]), ..Effects::default() };
    check(
        &Case {
            job: "
    environment: { name: test, url: \"https://${{ steps.one.outputs.flag }}\" }
    outputs:
      flag: ${{ steps.one.outputs.flag }}
      empty: ${{ steps.one.outputs.none }}
    steps:
      - id: one
        run: one
      - run: a text is true
        if: steps.one.outputs.flag
      - run: ${{ hashFiles('a', 'b') }}
",
            ends: &[("one", Exit::Code(0), set)],
            ..PLAIN
        },
        expect![[r#"
            one: Run one
            do one: bash -e {0} | one
            one: success
            __run: Run a text is true
            do __run: bash -e {0} | a text is true
            __run: success
            __run_2: Run hash of a b
            do __run_2: bash -e {0} | hash of a b
            __run_2: success
            job: success flag=false at https://false
        "#]],
    );
}

// proves: conformance 129
#[test]
fn c129_a_timeout_is_a_failure() {
    check(
        &Case {
            job: "
    steps:
      - id: slow
        run: slow
        timeout-minutes: 5
      - run: after
        if: failure()
",
            ends: &[("slow", Exit::TimedOut, Effects::default())],
            ..PLAIN
        },
        expect![[r#"
            slow: Run slow
            do slow: bash -e {0} | slow
            slow: failure
            __run: Run after
            do __run: bash -e {0} | after
            __run: success
            job: failure
        "#]],
    );
}
