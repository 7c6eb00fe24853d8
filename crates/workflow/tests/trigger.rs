//! `on` at the door: what it may say, and which events it lets through.

mod door;

use expect_test::{Expect, expect};
use syntax::Source;
use workflow::{ChangedFiles, TriggerEvent, Verdict};

fn file(on: &str) -> std::sync::Arc<Source> {
    Source::new("file.yml", format!("{on}\njobs: {{a: {{runs-on: x}}}}\n"))
}

#[track_caller]
fn on(text: &str, expected: Expect) {
    let source = file(text);
    let (_, diagnostics) = workflow::read(&source);
    expected.assert_eq(&door::say_all(&source, &diagnostics));
}

/// The answers for a list of events.
#[track_caller]
fn decide(text: &str, events: &[TriggerEvent<'_>], expected: Expect) {
    let source = file(text);
    let (workflow, diagnostics) = workflow::read(&source);
    assert!(diagnostics.iter().all(|it| it.severity < syntax::Severity::Error), "{diagnostics:?}");
    let triggers = workflow.expect("a workflow with a job").on;
    let mut out = String::new();
    for event in events {
        let what = [event.activity, event.git_ref, event.branch, event.workflow, event.schedule];
        let what: Vec<&str> = what.into_iter().flatten().collect();
        out.push_str(&format!("{} {} => ", event.name, what.join(" ")));
        match triggers.decide(event) {
            Verdict::Runs => out.push_str("runs\n"),
            Verdict::Not { reason, span } => {
                out.push_str(&format!("{reason} `{}`\n", source.slice(span)));
            }
        }
    }
    expected.assert_eq(&out);
}

fn push(git_ref: &str) -> TriggerEvent<'_> {
    TriggerEvent { git_ref: Some(git_ref), ..TriggerEvent::named("push") }
}

fn pull(activity: &'static str, base: &'static str) -> TriggerEvent<'static> {
    TriggerEvent {
        activity: Some(activity),
        branch: Some(base),
        ..TriggerEvent::named("pull_request")
    }
}

fn changed(files: &[String]) -> TriggerEvent<'_> {
    TriggerEvent { changed_files: ChangedFiles::Known(files), ..push("refs/heads/main") }
}

// proves: conformance 19
#[test]
fn c19_events() {
    on("on: push", expect![[""]]);
    on("on: [push, pull_request, workflow_call]", expect![[""]]);
    on("on: {push: , status: ~, gollum: , page_build: }", expect![[""]]);
    on("on: []", expect![[""]]);
    on(
        "on: pushh",
        expect![[r#"
        1:5 `pushh` error[unexpected-key] Unexpected value 'pushh' | did you mean `push`?
    "#]],
    );
    on(
        "on: [push, nope]",
        expect![[r#"
        1:12 `nope` error[unexpected-key] Unexpected value 'nope' | this is not an event of GitHub
    "#]],
    );
    on(
        "on: {pull-request: , fork: {types: [x]}}",
        expect![[r#"
        1:6 `pull-request` error[unexpected-key] Unexpected value 'pull-request' | did you mean `pull_request`?
        1:29 `types` error[unexpected-value] A mapping was not expected | this event takes no further settings
    "#]],
    );
    on(
        "on: {push: {types: [x], branch: main}}",
        expect![[r#"
        1:13 `types` error[unexpected-key] Unexpected value 'types' | the keys here are: branches, branches-ignore, tags, tags-ignore, paths, paths-ignore
        1:25 `branch` error[unexpected-key] Unexpected value 'branch' | did you mean `branches`?
    "#]],
    );
    on("on: ${{ 'push' }}", expect![[""]]);
    on(
        "on: schedule",
        expect![[r#"
        1:5 `schedule` warning[trigger] `schedule` without a `cron` never runs | write `schedule:` with a list of `- cron: '..'`
    "#]],
    );
    on(
        "on: [[push]]",
        expect![[r#"
        1:6 `[push]` error[unexpected-value] A sequence was not expected | one value is expected here
    "#]],
    );
    on(
        "on: {push: [main]}",
        expect![[r#"
        1:12 `[main]` error[unexpected-value] A sequence was not expected | a mapping is expected here
    "#]],
    );
}

// proves: conformance 20
#[test]
fn c20_types() {
    on(
        "on: {pull_request: {types: [opened, stacked, merged]}, release: {types: publish}}",
        expect![[r#"
            1:46 `merged` error[unexpected-value] Unexpected value 'merged' | the types of pull_request are: assigned, unassigned, labeled, unlabeled, opened, edited, closed, reopened, synchronize, converted_to_draft, locked, unlocked, enqueued, dequeued, milestoned, demilestoned, ready_for_review, review_requested, review_request_removed, auto_merge_enabled, auto_merge_disabled, stacked
            1:73 `publish` error[unexpected-value] Unexpected value 'publish' | did you mean `published`?
        "#]],
    );
    on("on: {repository_dispatch: {types: [anything]}, issues: {types: typed}}", expect![[""]]);
    on(
        "on: {repository_dispatch: {types: anything}}",
        expect![[r#"
        1:35 `anything` error[unexpected-value] Unexpected value 'anything' | a list is expected here
    "#]],
    );
    decide(
        "on: {pull_request: , issues: , release: {types: [published]}, repository_dispatch: {types: [a]}}",
        &[
            pull("opened", "main"),
            pull("closed", "main"),
            TriggerEvent { activity: Some("pinned"), ..TriggerEvent::named("issues") },
            TriggerEvent { activity: Some("published"), ..TriggerEvent::named("release") },
            TriggerEvent { activity: Some("created"), ..TriggerEvent::named("release") },
            TriggerEvent { activity: Some("a"), ..TriggerEvent::named("repository_dispatch") },
            TriggerEvent { activity: Some("b"), ..TriggerEvent::named("repository_dispatch") },
            TriggerEvent::named("push"),
        ],
        expect![[r#"
            pull_request opened main => runs
            pull_request closed main => Without `types` pull_request means opened, synchronize, reopened, not closed. `pull_request`
            issues pinned => runs
            release published => runs
            release created => `types` has published, not created. `published`
            repository_dispatch a => runs
            repository_dispatch b => `types` has a, not b. `a`
            push  => It runs on pull_request, issues, release, repository_dispatch, not on push. `{pull_request: , issues: , release: {types: [published]}, repository_dispatch: {types: [a]}}`
        "#]],
    );
}

// proves: conformance 24, 28
#[test]
fn c24_workflow_run_and_images() {
    on(
        "on: {workflow_run: {types: completed}}",
        expect![[r#"
        1:6 `workflow_run` error[missing-key] Required property is missing: workflows | name the workflows whose runs start this one, such as `workflows: [CI]`
    "#]],
    );
    let run = |workflow, branch| TriggerEvent {
        workflow: Some(workflow),
        branch: Some(branch),
        activity: Some("completed"),
        ..TriggerEvent::named("workflow_run")
    };
    decide(
        "on: {workflow_run: {workflows: [CI], types: [completed], branches: [main]}}",
        &[run("CI", "main"), run("Other", "main"), run("CI", "dev")],
        expect![[r#"
            workflow_run completed main CI => runs
            workflow_run completed main Other => `workflows` has CI, not Other. `CI`
            workflow_run completed dev CI => No pattern of `branches` lets the branch dev through. `[main]`
        "#]],
    );
    let image = |name, version| TriggerEvent {
        image: Some((name, version)),
        ..TriggerEvent::named("image_version")
    };
    decide(
        "on: {image_version: {names: [a], versions: ['1']}}",
        &[image("a", "1"), image("b", "1"), image("a", "2")],
        expect![[r#"
            image_version  => runs
            image_version  => `names` has a, not b. `a`
            image_version  => `versions` has 1, not 2. `'1'`
        "#]],
    );
}

// proves: conformance 25
#[test]
fn c25_schedules() {
    on(
        "on:\n  schedule:\n  - cron: '30 5,17 * * MON-FRI'\n  - cron: '*/15 0-6/2 1 JAN-dec 0'\n  - {cron: 20/15 * * * *, timezone: Europe/Zurich}",
        expect![[""]],
    );
    on(
        "on:\n  schedule:\n  - cron: '@daily'\n  - cron: '* * * *'\n  - cron: '60 * * * *'\n  - cron: '0 0 L * *'\n  - cron: '0 0 * * 5-1'\n  - cron: '*/0 * * * *'\n  - cron: '0 0 * * 7'\n  - {timezone: UTC}\n  - {cron: '0 0 * * *', tz: x}",
        expect![[r#"
            3:11 `\'@daily\'` error[cron] Invalid cron expression: `@daily` is not a schedule here; write the five fields out | minute hour day-of-month month day-of-week, such as '30 5 * * 1-5'
            4:11 `\'* * * *\'` error[cron] Invalid cron expression: a schedule has five fields (minute, hour, day of month, month, day of week), not 4 | minute hour day-of-month month day-of-week, such as '30 5 * * 1-5'
            5:11 `\'60 * * * *\'` error[cron] Invalid cron expression: `60` is not a minute: it runs from 0 to 59 | minute hour day-of-month month day-of-week, such as '30 5 * * 1-5'
            6:11 `\'0 0 L * *\'` error[cron] Invalid cron expression: `L` is not a day of month: expected a number, a name, `*`, a range or a list | minute hour day-of-month month day-of-week, such as '30 5 * * 1-5'
            7:11 `\'0 0 * * 5-1\'` error[cron] Invalid cron expression: `5-1` is not a day of week: the range runs backwards | minute hour day-of-month month day-of-week, such as '30 5 * * 1-5'
            8:11 `\'*/0 * * * *\'` error[cron] Invalid cron expression: `*/0` is not a minute: a step is at least 1 | minute hour day-of-month month day-of-week, such as '30 5 * * 1-5'
            9:11 `\'0 0 * * 7\'` error[cron] Invalid cron expression: `7` is not a day of week: it runs from 0 to 6 | minute hour day-of-month month day-of-week, such as '30 5 * * 1-5'
            10:6 `timezone` error[missing-key] Required property is missing: cron | add `cron:`
            11:25 `tz` error[unexpected-key] Unexpected value 'tz' | the keys here are: cron, timezone
        "#]],
    );
    on(
        "on:\n  schedule:\n  - cron: '* * * * *'\n  - cron: '0,58 * * * *'",
        expect![[r#"
        3:11 `\'* * * * *\'` warning[cron] this asks for a start every 1 min, and GitHub keeps 5 min apart
        4:11 `\'0,58 * * * *\'` warning[cron] this asks for a start every 2 min, and GitHub keeps 5 min apart
    "#]],
    );
    on(
        "on: {schedule: {cron: '0 0 * * *'}}",
        expect![[r#"
        1:17 `cron` error[unexpected-value] A mapping was not expected | a list is expected here
    "#]],
    );
    let due = |text| TriggerEvent { schedule: Some(text), ..TriggerEvent::named("schedule") };
    decide(
        "on: {schedule: [{cron: '0 0 * * *'}]}",
        &[due("0 0 * * *"), due("1 0 * * *")],
        expect![[r#"
            schedule 0 0 * * * => runs
            schedule 1 0 * * * => No entry of `schedule` is '1 0 * * *'. `schedule`
        "#]],
    );
}

// proves: conformance 26
#[test]
fn c26_inputs_of_a_dispatch() {
    on(
        "on:\n  workflow_dispatch:\n    inputs:\n      a:\n      b: {type: boolean, default: true, required: true}\n      c: {type: choice, options: [x, y], default: y}\n      d: {type: environment, description: where}\n      e: {type: number, default: 5}\n      f: {default: text}",
        expect![[""]],
    );
    on(
        "on:\n  workflow_dispatch:\n    inputs:\n      b: {type: boolean, default: 'true'}\n      c: {type: choice}\n      d: {type: choice, options: [x], default: z}\n      e: {type: text, options: [a]}\n      f: {default: '${{ github.ref }}', requird: true}\n      g: {required: 'yes'}",
        expect![[r#"
            4:35 `\'true\'` error[unexpected-value] Unexpected value 'true' | write `true` or `false` without quotes, or an expression
            5:7 `c` error[trigger] Missing 'options' for choice input | add `options:` with a list
            6:48 `z` error[trigger] the default 'z' is not one of the options
            7:7 `e` error[trigger] Input type is not 'choice', but 'options' is defined | add `type: choice`
            7:17 `text` error[unexpected-value] Unexpected value 'text' | the types are: string, boolean, number, choice, environment
            8:25 `github` error[expression] Unrecognized named-value: 'github'. Located at position 1 within expression: github.ref | `github` is not available in this place; no context can be used here
            8:41 `requird` error[unexpected-key] Unexpected value 'requird' | did you mean `required`?
            9:21 `\'yes\'` error[unexpected-value] Unexpected value 'yes' | write `true` or `false`, without quotes
        "#]],
    );
    let inputs: Vec<String> = (0..26).map(|it| format!("i{it}: {{type: string}}")).collect();
    on(
        &format!("on: {{workflow_dispatch: {{inputs: {{{}}}}}}}", inputs.join(", "))
            .replace("i0: {type: string}, i1", "i0: , i1"),
        expect![[r#"
            1:34 `{i0: , i1: {type: string}, i2: {type: string}, i3: {type: string}, i4: {type: string}, i5: {type: string}, i6: {type: string}, i7: {type: string}, i8: {type: string}, i9: {type: string}, i10: {type: string}, i11: {type: string}, i12: {type: string}, i13: {type: string}, i14: {type: string}, i15: {type: string}, i16: {type: string}, i17: {type: string}, i18: {type: string}, i19: {type: string}, i20: {type: string}, i21: {type: string}, i22: {type: string}, i23: {type: string}, i24: {type: string}, i25: {type: string}}` error[trigger] more than 25 inputs
        "#]],
    );
}

// proves: conformance 60, 61, 119, 120, 123
#[test]
fn c119_what_a_called_workflow_declares() {
    on(
        "on:\n  workflow_call:\n    inputs:\n      a: {type: string, default: '${{ github.ref }}'}\n      b: {type: boolean, required: true}\n    secrets:\n      s:\n      t: {required: true, description: d}\n    outputs:\n      o: {value: '${{ jobs.a.outputs.x }}', description: d}",
        expect![[""]],
    );
    on(
        "on:\n  workflow_call:\n    inputs:\n      a: {default: x}\n      b: {type: choice}\n      c: {type: number, default: many}\n      d: {type: string, default: '${{ jobs.x }}'}\n    secrets:\n      github_token:\n      t: {require: true}\n    outputs:\n      o: {description: d}\n      p: {value: '${{ needs.a }}'}",
        expect![[r#"
            4:11 `default` error[missing-key] Required property is missing: type | add `type:`
            5:17 `choice` error[unexpected-value] Unexpected value 'choice' | the types are: string, boolean, number
            6:34 `many` error[unexpected-value] Unexpected value 'many' | write a number without quotes, or an expression
            7:39 `jobs` error[expression] Unrecognized named-value: 'jobs'. Located at position 1 within expression: jobs.x | `jobs` is not available in this place; the contexts here are: github, inputs, vars
            9:7 `github_token` error[trigger] The secret 'GITHUB_TOKEN' is always given and may not be declared | remove this entry
            10:11 `require` error[unexpected-key] Unexpected value 'require' | did you mean `required`?
            12:11 `description` error[missing-key] Required property is missing: value | add `value:`
            13:23 `needs` error[expression] Unrecognized named-value: 'needs'. Located at position 1 within expression: needs.a | `needs` is not available in this place; the contexts here are: github, inputs, vars, jobs
        "#]],
    );
}

// proves: conformance 29, 30, 31
#[test]
fn c29_patterns() {
    // pattern list, what is let through, what is not
    for (patterns, through, not) in [
        ("main", "main", "main2 a/main Main"),
        ("'*'", "main a.b", "a/b"),
        ("'**'", "main a/b a/b/c", ""),
        ("feature/*", "feature/a", "feature/a/b feature"),
        ("feature/**", "feature/a feature/a/b", "feature"),
        ("'*feature'", "feature my-feature", "feature/a"),
        ("v2*", "v2 v2.0 v2x", "v1"),
        ("'v[12].[0-9]+.[0-9]+'", "v1.10.1 v2.0.0", "v3.0.0 v1.a.0"),
        ("'*.jsx?'", "a.js a.jsx", "a.jsxx a/b.js"),
        ("'**.js'", "a.js a/b.js", "a.jsx"),
        ("'**/x'", "x a/x a/b/x", "ax"),
        ("a/**/b", "a/b a/x/b a/x/y/b", "ab a/xb"),
        ("docs/**/*.md", "docs/a.md docs/b/c.md", "a.md"),
        ("'\\*'", "*", "a"),
        ("'[CB]at'", "Cat Bat", "cat Rat"),
        ("a.b", "a.b", "axb"),
        ("[releases/**, '!releases/**-alpha']", "releases/1 releases/a/b", "releases/1-alpha"),
        ("['**', '!a', a]", "a b", ""),
        ("['!a', a]", "a", "b"),
    ] {
        let source = file(&format!("on: {{push: {{branches: {patterns}}}}}"));
        let (workflow, diagnostics) = workflow::read(&source);
        assert!(diagnostics.is_empty(), "{patterns}: {diagnostics:?}");
        let triggers = workflow.unwrap().on;
        for (names, runs) in [(through, true), (not, false)] {
            for name in names.split_whitespace() {
                let git_ref = format!("refs/heads/{name}");
                let verdict = triggers.decide(&push(&git_ref));
                assert_eq!(verdict == Verdict::Runs, runs, "{patterns} and {name}: {verdict:?}");
            }
        }
    }
    on(
        "on: {push: {branches: ['?a', '[a', '[]', '[z-a]', '[a-Z]', 'a\\', '!', 'a++'], paths: ['!x', '!y']}}",
        expect![[r#"
            1:24 `\'?a\'` error[filter] `?` repeats the character before it, but there is none
            1:30 `\'[a\'` error[filter] `[` is not closed
            1:36 `\'[]\'` error[filter] `[]` holds no character
            1:42 `\'[z-a]\'` error[filter] the range `z-a` does not run inside a-z, A-Z or 0-9
            1:51 `\'[a-Z]\'` error[filter] the range `a-Z` does not run inside a-z, A-Z or 0-9
            1:60 `\'a\\\'` error[filter] nothing follows the last `\`
            1:66 `\'!\'` error[filter] the pattern is empty
            1:71 `\'a++\'` error[filter] `+` repeats the character before it, but there is none
            1:86 `[\'!x\', \'!y\']` warning[filter] `paths` holds only patterns with `!`, so it never lets anything through | put a pattern that takes in, such as '**', before them
        "#]],
    );
}

// proves: conformance 32
#[test]
fn c32_branches_and_tags() {
    on(
        "on: {push: {branches: [a], branches-ignore: [b]}}",
        expect![[r#"
        1:45 `[b]` error[filter] `branches` and `branches-ignore` may not be used together | use `branches` alone and begin what to leave out with `!`
    "#]],
    );
    on(
        "on: {pull_request: {tags: [a]}}",
        expect![[r#"
        1:21 `tags` error[unexpected-key] Unexpected value 'tags' | the keys here are: types, branches, branches-ignore, paths, paths-ignore
    "#]],
    );
    let refs = [push("refs/heads/main"), push("refs/heads/dev"), push("refs/tags/v1")];
    decide(
        "on: {push: {branches: [main]}}",
        &refs,
        expect![[r#"
        push refs/heads/main => runs
        push refs/heads/dev => No pattern of `branches` lets the branch dev through. `[main]`
        push refs/tags/v1 => It has `branches` only, and v1 is a tag. `[main]`
    "#]],
    );
    decide(
        "on: {push: {tags: [v*]}}",
        &refs,
        expect![[r#"
        push refs/heads/main => It has `tags` only, and main is a branch. `[v*]`
        push refs/heads/dev => It has `tags` only, and dev is a branch. `[v*]`
        push refs/tags/v1 => runs
    "#]],
    );
    decide(
        "on: {push: {branches: main, tags: v*}}",
        &refs,
        expect![[r#"
        push refs/heads/main => runs
        push refs/heads/dev => No pattern of `branches` lets the branch dev through. `main`
        push refs/tags/v1 => runs
    "#]],
    );
    decide(
        "on: {push: {branches-ignore: [dev]}}",
        &refs,
        expect![[r#"
        push refs/heads/main => runs
        push refs/heads/dev => `branches-ignore` leaves out the branch dev. `[dev]`
        push refs/tags/v1 => It has `branches-ignore` only, and v1 is a tag. `[dev]`
    "#]],
    );
    decide(
        "on: {push: {tags-ignore: [v*]}}",
        &refs,
        expect![[r#"
        push refs/heads/main => It has `tags-ignore` only, and main is a branch. `[v*]`
        push refs/heads/dev => It has `tags-ignore` only, and dev is a branch. `[v*]`
        push refs/tags/v1 => `tags-ignore` leaves out the tag v1. `[v*]`
    "#]],
    );
    decide(
        "on: push",
        &refs,
        expect![[r#"
        push refs/heads/main => runs
        push refs/heads/dev => runs
        push refs/tags/v1 => runs
    "#]],
    );
}

// proves: conformance 33, 34, 35
#[test]
fn c33_paths() {
    let files = |names: &[&str]| names.iter().map(|it| (*it).to_owned()).collect::<Vec<String>>();
    let (docs, mixed, none) =
        (files(&["docs/a.md"]), files(&["docs/a.md", "src/b.rs"]), files(&[]));
    let mut many = vec!["docs/a.md".to_owned(); 300];
    many.push("src/b.rs".to_owned());
    let tag = TriggerEvent { git_ref: Some("refs/tags/v1"), ..changed(&docs) };
    let events = [
        changed(&docs),
        changed(&mixed),
        changed(&none),
        changed(&many),
        push("refs/heads/main"),
        tag,
    ];
    decide(
        "on: {push: {paths: [src/**]}}",
        &events,
        expect![[r#"
        push refs/heads/main => No changed file fits `paths`. `[src/**]`
        push refs/heads/main => runs
        push refs/heads/main => `paths` is set, and no file changed. `[src/**]`
        push refs/heads/main => No changed file fits `paths`. `[src/**]`
        push refs/heads/main => runs
        push refs/tags/v1 => runs
    "#]],
    );
    decide(
        "on: {push: {paths-ignore: [docs/**]}}",
        &events,
        expect![[r#"
        push refs/heads/main => Every changed file fits `paths-ignore`. `[docs/**]`
        push refs/heads/main => runs
        push refs/heads/main => `paths-ignore` is set, and no file changed. `[docs/**]`
        push refs/heads/main => Every changed file fits `paths-ignore`. `[docs/**]`
        push refs/heads/main => runs
        push refs/tags/v1 => runs
    "#]],
    );
    decide(
        "on: {push: {branches: [dev], paths: [docs/**]}}",
        &events[..1],
        expect![[r#"
        push refs/heads/main => No pattern of `branches` lets the branch main through. `[dev]`
    "#]],
    );
    decide(
        "on: {push: {paths: ['**', '!docs/**']}}",
        &events[..2],
        expect![[r#"
        push refs/heads/main => No changed file fits `paths`. `['**', '!docs/**']`
        push refs/heads/main => runs
    "#]],
    );
}

// proves: conformance 36
#[test]
fn c36_pull_requests_look_at_the_base() {
    decide(
        "on: {pull_request: {branches: [main]}}",
        &[pull("opened", "main"), pull("opened", "dev")],
        expect![[r#"
            pull_request opened main => runs
            pull_request opened dev => No pattern of `branches` lets the branch dev through. `[main]`
        "#]],
    );
    decide(
        "on: []",
        &[push("refs/heads/main")],
        expect![[r#"
        push refs/heads/main => It runs on nothing, not on push. `[]`
    "#]],
    );
}
