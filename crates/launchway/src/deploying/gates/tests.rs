//! The rules of an environment at their door: settings, who asks, and what has to open.

use expect_test::{Expect, expect};

use super::*;

const HEAD: &str = "version: 1\nproject: planner\ngroups: { devops: [mona, hubot], leads: [lena, mona] }\nservices: { api: { run: [app] } }\nenvironments:\n  production:\n    targets: { host: 127.0.0.1:8080 }\n";
const KEYS: &str = "\
mona,mona@example.com ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEYPKvrVQsuzSOF3ydj9G28wOr1Yi1Nk6/b7BAONuNIN
hubot ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPwbDe6vbcMIBbyALyuaE0aYS83WL7RkpEMdYICZHAnj
lena ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIC7LlZM4yBKGUDbERx18vzLRXV64HyzaKX7xE7qBlDHh
";

fn settings(environment: &str) -> settings::Settings {
    let source = syntax::Source::new("launchway.yml", format!("{HEAD}{environment}"));
    let (settings, found) = settings::read(&source);
    settings.unwrap_or_else(|| panic!("{found:?}"))
}

/// The same on the default branch and in what ships.
fn check(environment: &str, change: impl FnOnce(&mut Attempt<'_>), expect: &Expect) {
    check_both(environment, environment, change, expect);
}

/// The same, asked for and written by these.
fn check_people(
    people: &People<'_>,
    environment: &str,
    change: impl FnOnce(&mut Attempt<'_>),
    expect: &Expect,
) {
    check_all((environment, environment), people, change, expect);
}

fn check_both(ruled: &str, shipped: &str, change: impl FnOnce(&mut Attempt<'_>), expect: &Expect) {
    check_all((ruled, shipped), &People::default(), change, expect);
}

/// A terminal, the branch main, and Monday noon in UTC.
fn check_all(
    (ruled, shipped): (&str, &str),
    people: &People<'_>,
    change: impl FnOnce(&mut Attempt<'_>),
    expect: &Expect,
) {
    let (root, file) = (".".into(), "launchway.yml".into());
    let found = Found { settings: settings(shipped), root, file };
    let ruling = Ruling::testing(settings(ruled), KEYS, "production");
    let tags = ["v1.2.0".to_owned()];
    let mut attempt = Attempt {
        hotfix: false,
        restores: false,
        spared: false,
        word: "yes",
        agreed: Agreement { terminal: true, ..Agreement::default() },
        branch: Some("main"),
        tags: &tags,
        people,
        now: "2026-11-23T12:00:00Z".parse().expect("a moment"),
    };
    change(&mut attempt);
    let environment = found.settings.environment("production").expect("it is there");
    let said = match of(&found, environment, &ruling, &attempt) {
        Ok(opening) if opening.passed.is_empty() => format!("{:?}", opening.gates),
        Ok(opening) => {
            let passed = opening.passed.iter().map(|it| format!("{}: {}", it.rule, it.what));
            format!("{:?}, passed {:?}", opening.gates, passed.collect::<Vec<_>>())
        }
        Err(failure) => {
            let hints = failure.hints.iter().map(|it| format!("\n  {it}"));
            let hints: String = hints.filter(|it| it.contains(" of ")).collect();
            format!("{:?}: {}{hints}", failure.exit, failure.error)
        }
    };
    expect.assert_eq(&said);
}

#[test]
fn a_person_agrees_below_level_5() {
    check("", |_| {}, &expect![[r#"[Confirm { word: "yes" }]"#]]);
    check("", |it| it.agreed.yes = true, &expect!["[]"]);
    check(
        "",
        |it| it.agreed.terminal = false,
        &expect![
            "Forbidden: production has the level 4: a person starts every deployment, and there is no terminal"
        ],
    );
    check("    level: 5\n", |it| it.agreed.terminal = false, &expect!["[]"]);
    check(
        "    level: 3\n",
        |it| it.agreed.yes = true,
        &expect!["Forbidden: production has the level 3: nothing is deployed there"],
    );
    check("    level: 3\n", |it| (it.agreed.yes, it.restores) = (true, true), &expect!["[]"]);
    let word = "    protect: { confirm: DEPLOY, wait: 5m }\n";
    check(
        word,
        |it| it.agreed.yes = true,
        &expect![[r#"[Confirm { word: "DEPLOY" }, Wait { milliseconds: 300000 }]"#]],
    );
    check(
        word,
        |it| (it.word, it.restores, it.spared) = (GOING_BACK, true, true),
        &expect![[r#"[Confirm { word: "ROLLBACK" }], passed ["wait: 5m after the request"]"#]],
    );
    check(
        word,
        |it| it.hotfix = true,
        &expect![[r#"[Confirm { word: "DEPLOY" }], passed ["wait: 5m after the request"]"#]],
    );
    check(
        word,
        |it| (it.agreed.yes, it.agreed.terminal) = (true, false),
        &expect![
            "Forbidden: production wants a person who types DEPLOY, and there is no terminal to type it at"
        ],
    );
    let elsewhere = |word: &'static str| {
        move |it: &mut Attempt<'_>| {
            it.agreed = Agreement { word: Some(word), ..Agreement::default() }
        }
    };
    check(
        word,
        elsewhere("DEPLOY"),
        &expect![[r#"[Confirm { word: "DEPLOY" }, Wait { milliseconds: 300000 }]"#]],
    );
    check(
        word,
        elsewhere("deploy"),
        &expect!["Forbidden: production wants DEPLOY, and --confirm says deploy"],
    );
    check("", elsewhere("yes"), &expect![[r#"[Confirm { word: "yes" }]"#]]);
}

#[test]
fn branches_tags_windows_and_freezes_are_looked_at() {
    let branches = "    protect: { branches: [release/*], tags: [v2.*] }\n";
    check(
        branches,
        |it| it.agreed.yes = true,
        &expect![
            "Forbidden: production takes only release/*, or commits tagged v2.*; this is main"
        ],
    );
    check(branches, |it| (it.agreed.yes, it.branch) = (true, Some("release/2")), &expect!["[]"]);
    check(branches, |it| (it.agreed.yes, it.restores) = (true, true), &expect!["[]"]);
    let tags = "    protect: { tags: ['v1.*'] }\n";
    check(tags, |it| it.agreed.yes = true, &expect!["[]"]);
    check(
        tags,
        |it| (it.agreed.yes, it.tags) = (true, &[]),
        &expect!["Forbidden: production takes only commits tagged v1.*"],
    );
    let window =
        "    protect: { windows: [{ days: [mon], from: '11:00', to: '14:00', zone: UTC }] }\n";
    check(window, |it| it.agreed.yes = true, &expect!["[]"]);
    let other =
        "    protect: { windows: [{ days: [tue], from: '11:00', to: '14:00', zone: UTC }] }\n";
    check(
        other,
        |it| it.agreed.yes = true,
        &expect!["Forbidden: production is deployed to tue 11:00 to 14:00 in UTC, and not now"],
    );
    check(
        other,
        |it| (it.agreed.yes, it.hotfix) = (true, true),
        &expect![[r#"[], passed ["windows: it is outside of every window"]"#]],
    );
    let freeze = "    protect: { freezes: [{ from: 2026-11-01T00:00:00Z, to: 2026-12-01T00:00:00Z, reason: sale }] }\n";
    check(
        freeze,
        |it| it.agreed.yes = true,
        &expect!["Forbidden: production is frozen until 2026-12-01T00:00:00Z: sale"],
    );
}

#[test]
fn the_rules_of_the_default_branch_hold_and_what_ships_may_only_ask_for_more() {
    let reviewers = "    protect: { reviewers: { devops: 1 } }\n";
    // Taken out by the commit that ships.
    check_both(
        reviewers,
        "",
        |it| it.agreed.yes = true,
        &expect![[r#"[Approval { group: "devops", count: 1, members: ["mona", "hubot"] }]"#]],
    );
    // Asked for by it.
    check_both(
        "",
        reviewers,
        |it| it.agreed.yes = true,
        &expect![[r#"[Approval { group: "devops", count: 1, members: ["mona", "hubot"] }]"#]],
    );
    let two = "    protect: { reviewers: { devops: 2, leads: 1 } }\n";
    check_both(
        reviewers,
        two,
        |it| it.agreed.yes = true,
        &expect![[
            r#"[Approval { group: "devops", count: 2, members: ["mona", "hubot"] }, Approval { group: "leads", count: 1, members: ["lena", "mona"] }]"#
        ]],
    );
    check_both(
        "    level: 4\n",
        "    level: 5\n",
        |it| it.agreed.terminal = false,
        &expect![
            "Forbidden: production has the level 4: a person starts every deployment, and there is no terminal"
        ],
    );
    check_both(
        "    level: 5\n",
        "    level: 3\n",
        |it| it.agreed.terminal = false,
        &expect!["Forbidden: production has the level 3: nothing is deployed there"],
    );
    let both = ("    protect: { confirm: DEPLOY, wait: 5m }\n", "    protect: { wait: 9m }\n");
    check_both(
        both.0,
        both.1,
        |_| {},
        &expect![[r#"[Confirm { word: "DEPLOY" }, Wait { milliseconds: 540000 }]"#]],
    );
    let branches = ("    protect: { branches: [main] }\n", "    protect: { branches: ['**'] }\n");
    check_both(
        branches.0,
        branches.1,
        |it| it.branch = Some("evil"),
        &expect!["Forbidden: production takes only main; this is evil"],
    );
}

#[test]
fn who_asked_and_who_wrote_it_are_left_out() {
    let signers = approval::Signers::read(KEYS).expect("keys");
    let mona = signers.called("mona").expect("she is there").clone();
    let requester = People { requester: Some(&mona), authors: &[] };
    let reviewers = "    protect: { reviewers: { devops: 1, leads: 1 } }\n";
    check_people(
        &requester,
        reviewers,
        |it| it.agreed.yes = true,
        &expect![[
            r#"[Approval { group: "devops", count: 1, members: ["hubot"] }, Approval { group: "leads", count: 1, members: ["lena"] }]"#
        ]],
    );
    let authors = ["Lena".to_owned(), "12345+hubot@users.noreply.github.com".to_owned()];
    let authors = People { requester: Some(&mona), authors: &authors };
    check_people(
        &authors,
        reviewers,
        |it| it.agreed.yes = true,
        &expect![[r#"
        Forbidden: production wants the agreement of 1 of devops and 1 of leads, and too few of them may agree to this one
          mona of devops: they asked for it
          hubot of devops: they wrote a commit of it
          lena of leads: they wrote a commit of it
          mona of leads: they asked for it"#]],
    );
    // Going back restores what was agreed to; leaving nothing running does not.
    check(
        reviewers,
        |it| (it.agreed.yes, it.restores, it.spared) = (true, true, true),
        &expect![[
            r#"[], passed ["reviewers: 1 of devops, 1 of leads: it brings nothing that did not run well there"]"#
        ]],
    );
    check(
        reviewers,
        |it| (it.agreed.yes, it.restores) = (true, true),
        &expect![[
            r#"[Approval { group: "devops", count: 1, members: ["mona", "hubot"] }, Approval { group: "leads", count: 1, members: ["lena", "mona"] }]"#
        ]],
    );
    // An urgent repair passes the clock, and nobody's agreement.
    check(
        reviewers,
        |it| (it.agreed.yes, it.hotfix) = (true, true),
        &expect![[
            r#"[Approval { group: "devops", count: 1, members: ["mona", "hubot"] }, Approval { group: "leads", count: 1, members: ["lena", "mona"] }]"#
        ]],
    );
}

/// Each key of `protect`, and what else holds a deployment up, has its page.
#[test]
fn every_gate_has_its_page() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/gates");
    let overview = std::fs::read_to_string(format!("{folder}/README.md")).expect("the overview");
    let schema = settings::schema();
    let protect = &schema["$defs"]["protect"]["properties"];
    let keys: Vec<&String> = protect.as_object().expect("a shape").keys().collect();
    assert!(keys.len() > 5, "{keys:?}");
    for key in keys {
        assert!(overview.contains(&format!("`protect.{key}`")), "{key} has no page");
    }
    for entry in std::fs::read_dir(folder).expect("the pages").flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        assert!(name == "README.md" || overview.contains(&format!("]({name})")), "{name}");
    }
}

/// What is protected is written down where others see it; what runs here is nobody else's.
#[test]
fn what_is_protected_wants_a_journal_that_others_see() {
    let check = |journal: &str, targets: &str, protect: &str, restores: bool, expect: &Expect| {
        let text = format!(
            "version: 1\nproject: planner\n{journal}services: {{ api: {{ run: [app], bundle: {{ path: . }} }} }}\n\
             environments:\n  production:\n    level: 5\n    region: eu-central-1\n    targets: {targets}\n{protect}"
        );
        let read = || {
            let (settings, found) = settings::read(&syntax::Source::new("launchway.yml", &*text));
            settings.unwrap_or_else(|| panic!("{found:?}"))
        };
        let found = Found { settings: read(), root: ".".into(), file: "launchway.yml".into() };
        let ruling = Ruling::testing(read(), KEYS, "production");
        let environment = found.settings.environment("production").expect("it is there");
        let people = People::default();
        let attempt = Attempt {
            hotfix: false,
            restores,
            spared: false,
            word: "yes",
            agreed: Agreement { terminal: true, ..Agreement::default() },
            branch: None,
            tags: &[],
            people: &people,
            now: "2026-11-23T12:00:00Z".parse().expect("a moment"),
        };
        let said = must_be_written_down(&found, environment, &ruling, &attempt);
        let said = said.map_or_else(
            |it| format!("{:?}: {} | {}", it.exit, it.error, it.hints.join(" | ")),
            |()| "open".to_owned(),
        );
        expect.assert_eq(&said);
    };
    let (ecs, host) = ("{ ecs: { cluster: c, service: s } }", "{ host: '127.0.0.1:8080' }");
    let (word, none) = ("    protect: { confirm: DEPLOY }\n", "");
    let (local, bucket) = ("journal: local\n", "journal: s3://planner/journal\n");
    check(local, ecs, none, false, &expect![["open"]]);
    check(
        "",
        ecs,
        word,
        false,
        &expect![
            "Forbidden: production is protected, and its journal lies on this machine alone: who deploys from another one would not hear of it | share it: `journal: s3://BUCKET/PREFIX`, docs/shared-journal.md | or say that no other machine deploys: `journal: alone`"
        ],
    );
    check(
        local,
        ecs,
        word,
        false,
        &expect![
            "Forbidden: production is protected, and its journal lies on this machine alone: who deploys from another one would not hear of it | share it: `journal: s3://BUCKET/PREFIX`, docs/shared-journal.md | or say that no other machine deploys: `journal: alone`"
        ],
    );
    check(local, ecs, word, true, &expect![["open"]]);
    check(local, host, word, false, &expect![["open"]]);
    check("journal: alone\n", ecs, word, false, &expect![["open"]]);
    check(bucket, ecs, word, false, &expect![["open"]]);
    check(
        bucket,
        host,
        none,
        false,
        &expect![
            "Forbidden: api of production runs on this machine, and the journal is shared: on another machine it would not be there | keep what runs here in settings of its own, with `journal: local`"
        ],
    );
    check(
        "journal: https://launchway.example.com\n",
        ecs,
        none,
        false,
        &expect![
            "Missing: production wants a server's journal, which this version cannot do | a bucket does without a server: docs/shared-journal.md"
        ],
    );
}

/// Where nobody starts it, only pushes of that branch are deployed; a person is not bound by it.
#[test]
fn what_is_deployed_by_itself() {
    let alone = |branch: Option<&'static str>| {
        move |attempt: &mut Attempt<'_>| {
            attempt.agreed = Agreement::default();
            attempt.branch = branch;
        }
    };
    let on = "    level: 5\n    deploy: { on: develop }\n";
    check(on, alone(Some("develop")), &expect!["[]"]);
    check(
        on,
        alone(Some("main")),
        &expect!["Forbidden: production is deployed to by itself from develop; this is main"],
    );
    check(
        on,
        alone(None),
        &expect!["Forbidden: production is deployed to by itself from develop; this is no branch"],
    );
    check(on, |it| it.agreed = Agreement { yes: true, ..Agreement::default() }, &expect!["[]"]);
    check(on, |_| {}, &expect!["[]"]);
    // Who goes back was let in before, and says so.
    check(
        on,
        |it| (it.restores, it.agreed.yes, it.agreed.terminal) = (true, true, false),
        &expect!["[]"],
    );
    let pattern = "    level: 5\n    deploy: { on: { branch: 'release/**' } }\n";
    check(pattern, alone(Some("release/1/2")), &expect!["[]"]);
    check(
        pattern,
        alone(Some("main")),
        &expect!["Forbidden: production is deployed to by itself from release/**; this is main"],
    );
    // The commit that ships may not widen it.
    check_both(
        on,
        "    level: 5\n",
        alone(Some("main")),
        &expect!["Forbidden: production is deployed to by itself from develop; this is main"],
    );
    check_both(
        "    level: 5\n",
        on,
        alone(Some("main")),
        &expect!["Forbidden: production is deployed to by itself from develop; this is main"],
    );
    check(
        "    level: 5\n    deploy: { on: { branch: '[a' } }\n",
        alone(Some("a")),
        &expect![[r#"
        Refused: `deploy.on`: [a: `[` is not closed
          patterns are those of a workflow's `branches` and `paths`"#]],
    );
}

/// When the clock lets something through that wants to go at a moment, and why not before.
fn check_opens(protect: &str, from: &str, expect: &Expect) {
    let settings = settings(&format!("    protect: {{ {protect} }}\n"));
    let environment = settings.environment("production").expect("it is there");
    let from = from.parse().expect("a moment");
    expect.assert_eq(&match opens("production", &environment.protect, from) {
        Ok(None) => "at once".to_owned(),
        Ok(Some((at, why))) => format!("{at}: {why}"),
        Err(failure) => format!("{:?}: {}", failure.exit, failure.error),
    });
}

#[test]
fn a_freeze_ends_by_the_clock() {
    check_opens("", "2026-11-23T12:00:00Z", &expect!["at once"]);
    let sale = "{ from: 2026-11-23T00:00:00Z, to: 2026-11-30T00:00:00Z, reason: the sale }";
    let one = format!("freezes: [{sale}]");
    let until = expect!["2026-11-30T00:00:00Z: production is frozen: the sale"];
    check_opens(&one, "2026-11-22T23:59:59Z", &expect!["at once"]);
    check_opens(&one, "2026-11-23T00:00:00Z", &until);
    check_opens(&one, "2026-11-29T23:59:59.999Z", &until);
    check_opens(&one, "2026-11-30T00:00:00Z", &expect!["at once"]);
    // What begins where another one ends goes on with it, in whichever order they are written.
    let two = format!(
        "freezes: [{{ from: 2026-11-30T00:00:00Z, to: 2026-12-01T00:00:00Z, reason: stocktaking }}, {sale}]"
    );
    check_opens(
        &two,
        "2026-11-23T12:00:00Z",
        &expect!["2026-12-01T00:00:00Z: production is frozen: the sale"],
    );
    let window = "windows: [{ days: [mon, tue], from: '09:00', to: '16:00', zone: UTC }]";
    check_opens(
        &format!("{one}, {window}"),
        "2026-11-23T12:00:00Z",
        &expect!["2026-11-30T09:00:00Z: production is frozen: the sale"],
    );
    // However often a freeze takes the only day of the week, the day comes.
    let mondays = ["11-23", "11-30", "12-07", "12-14"].map(|day| {
        format!("{{ from: 2026-{day}T00:00:00Z, to: 2026-{day}T23:00:00Z, reason: the sale }}")
    });
    check_opens(
        &format!(
            "freezes: [{}], windows: [{{ days: [mon], from: '09:00', to: '16:00', zone: UTC }}]",
            mondays.join(", ")
        ),
        "2026-11-20T12:00:00Z",
        &expect![
            "2026-12-21T09:00:00Z: production is deployed to mon 09:00 to 16:00 in UTC, and not now"
        ],
    );
}

#[test]
fn a_window_comes_by_the_clock_of_its_zone() {
    let weekdays = "windows: [{ days: [mon, thu], from: '09:00', to: '16:00', zone: UTC }]";
    let check = |from: &str, expect: &Expect| check_opens(weekdays, from, expect);
    check(
        "2026-11-23T08:59:59.5Z",
        &expect![
            "2026-11-23T09:00:00Z: production is deployed to mon, thu 09:00 to 16:00 in UTC, and not now"
        ],
    );
    check("2026-11-23T09:00:00Z", &expect!["at once"]);
    check("2026-11-23T15:59:59Z", &expect!["at once"]);
    check(
        "2026-11-23T16:00:00Z",
        &expect![
            "2026-11-26T09:00:00Z: production is deployed to mon, thu 09:00 to 16:00 in UTC, and not now"
        ],
    );
    check(
        "2026-11-27T12:00:30Z",
        &expect![
            "2026-11-30T09:00:00Z: production is deployed to mon, thu 09:00 to 16:00 in UTC, and not now"
        ],
    );
    // The earlier of two.
    check_opens(
        "windows: [{ days: [tue], from: '08:00', to: '09:00', zone: UTC }, { days: [mon], from: '22:00', to: '23:00', zone: America/New_York }]",
        "2026-11-23T12:00:00Z",
        &expect![
            "2026-11-24T03:00:00Z: production is deployed to tue 08:00 to 09:00 in UTC; mon 22:00 to 23:00 in America/New_York, and not now"
        ],
    );
    // Berlin goes to summer time on 29 March 2026, and back on 25 October.
    let nine = "windows: [{ days: [sun], from: '09:00', to: '10:00', zone: Europe/Berlin }]";
    check_opens(
        nine,
        "2026-03-28T12:00:00Z",
        &expect![
            "2026-03-29T07:00:00Z: production is deployed to sun 09:00 to 10:00 in Europe/Berlin, and not now"
        ],
    );
    check_opens(
        nine,
        "2026-10-24T12:00:00Z",
        &expect![
            "2026-10-25T08:00:00Z: production is deployed to sun 09:00 to 10:00 in Europe/Berlin, and not now"
        ],
    );
    // On that Sunday there is no half past two: the next one has it.
    check_opens(
        "windows: [{ days: [sun], from: '02:00', to: '03:00', zone: Europe/Berlin }]",
        "2026-03-23T12:00:00Z",
        &expect![
            "2026-04-05T00:00:00Z: production is deployed to sun 02:00 to 03:00 in Europe/Berlin, and not now"
        ],
    );
}
