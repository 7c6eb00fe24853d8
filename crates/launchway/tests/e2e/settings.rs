//! `launchway.yml` and `.env` files, as people meet them.

use expect_test::{Expect, expect};

use crate::harness::{Place, Said};

const SETTINGS: &str = "\
version: 1
project: planner
services:
  api:
    run: [python3, app.py]
    health: { paths: /health, settle: 2s }
    settings: settings/{env}.env
environments:
  dev:
    targets: { host: { listen: 127.0.0.1:8080 } }
    env: { LEVEL: debug }
  staging:
    targets: { host: { listen: 127.0.0.1:8081, instances: 2 } }
    strategy: blue_green
";

fn place() -> Place {
    Place::with(&[
        ("launchway.yml", SETTINGS),
        ("settings/dev.env", "TOKEN=hunter2\nLEVEL=info\n"),
        ("settings/example.env", "TOKEN=changeme\nLEVEL=\nDATABASE=\n"),
    ])
}

fn check(said: &Said, exit: i32, expected: Expect) {
    assert_eq!(said.exit, exit, "{}", said.stderr);
    assert!(!format!("{}{}", said.stdout, said.stderr).contains("hunter2"));
    expected.assert_eq(&format!("{}{}", said.stdout, said.stderr));
}

#[test]
fn check_reads_settings_and_the_env_files_that_they_name() {
    let place = place();
    check(
        &place.run(&["check", "--notes"]),
        3,
        expect![[r#"
        error[env-missing]: `DATABASE` is missing
         --> settings/dev.env:2:1
          |
        2 | LEVEL=****
          | ^^^^^
          |
         ::: settings/example.env:3:1
          |
        3 | DATABASE=
          | -------- the example has it
          |
          = help: add `DATABASE=`, or make it a comment in the example if it may be missing

        note[env-file]: settings/staging.env is not here, and was not checked
         --> launchway.yml:7:15
          |
        7 |     settings: settings/{env}.env
          |               ^^^^^^^^^^^^^^^^^^
          |
          = help: it has an example; a deployment from here needs the file itself

        1 error, 1 note in 3 files
    "#]],
    );
    check(
        &place.run(&["check", "settings/dev.env", "--format", "github"]),
        3,
        expect![[r#"
        ::error file=settings/dev.env,line=2,endLine=2,col=1,title=env-missing::`DATABASE` is missing%0Aadd `DATABASE=`, or make it a comment in the example if it may be missing
    "#]],
    );
    place.write("settings/dev.env", "TOKEN='a b\nDATABASE=hunter2\n");
    check(
        &place.run(&["check", "launchway.yml", "--format", "json"]),
        3,
        expect![[r#"
            {"file":"settings/dev.env","line":1,"column":7,"end_line":1,"end_column":11,"severity":"error","rule":"env-syntax","message":"this quote is never closed","hint":"close it, or leave it out"}
            {"file":"launchway.yml","line":7,"column":15,"end_line":7,"end_column":33,"severity":"note","rule":"env-file","message":"settings/staging.env is not here, and was not checked","hint":"it has an example; a deployment from here needs the file itself"}
        "#]],
    );
    place.write("launchway.yml", &SETTINGS.replace("health:", "helth:"));
    check(
        &place.run(&["check"]),
        3,
        expect![[r#"
            error[settings-key]: `helth` is no key of `services.api`
             --> launchway.yml:6:5
              |
            6 |     helth: { paths: /health, settle: 2s }
              |     ^^^^^
              |
              = help: did you mean `health`? The keys here are: build, image, bundle, run, health, migrate, version, owns, env, settings, secrets, target, targets, strategy, verify

            1 error in 1 file
        "#]],
    );
}

#[test]
fn show_says_what_is_in_force_and_where_it_comes_from() {
    let place = place();
    check(
        &place.run(&["settings", "show", "staging"]),
        0,
        expect![[r#"
            staging
              level      4     default
              on_cancel  back  default
            api in staging
              image                     planner-api             default
              run                       [python3, app.py]       launchway.yml:5
              health.paths              [/health]               launchway.yml:6
              health.settle             2s                      launchway.yml:6
              health.within             5m                      default
              health.timeout            5s                      default
              health.every              1s                      default
              owns                      [image]                 default
              settings                  [settings/staging.env]  launchway.yml:7
              targets.host.listen       127.0.0.1:8081          launchway.yml:13
              targets.host.instances    2                       launchway.yml:13
              targets.host.drain        30s                     default
              targets.host.port         8080                    default
              strategy                  blue_green              launchway.yml:14
              strategy.blue_green.bake  10m                     default
            settings/staging.env is not here: what it says is not shown
        "#]],
    );
    check(
        &place.run(&["settings", "show", "dev"]),
        0,
        expect![[r#"
            dev
              level      4     default
              on_cancel  back  default
            api in dev
              image                   planner-api         default
              run                     [python3, app.py]   launchway.yml:5
              health.paths            [/health]           launchway.yml:6
              health.settle           2s                  launchway.yml:6
              health.within           5m                  default
              health.timeout          5s                  default
              health.every            1s                  default
              owns                    [image]             default
              env.LEVEL               debug               launchway.yml:11
              settings                [settings/dev.env]  launchway.yml:7
              targets.host.listen     127.0.0.1:8080      launchway.yml:10
              targets.host.instances  1                   default
              targets.host.drain      30s                 default
              targets.host.port       8080                default
              strategy                rolling             default
              env.TOKEN               ***                 settings/dev.env:1
        "#]],
    );
    check(
        &place.run(&["settings", "show", "prod"]),
        2,
        expect![[r#"
        error: there is no environment prod
        hint: there are: dev, staging
    "#]],
    );
    place.write("launchway.yml", &SETTINGS.replace("2s", "2"));
    check(
        &place.run(&["settings", "show"]),
        3,
        expect![[r#"
        error[settings-value]: '2' does not do here
         --> launchway.yml:6:39
          |
        6 |     health: { paths: /health, settle: 2 }
          |                                       ^
          |
          = help: write a length of time from 0s to 1d with its unit (ms, s, m, h, d), such as 30s or 1h30m

        error: launchway.yml has mistakes
        hint: `launchway check` shows them, and what else there is to say
    "#]],
    );
    std::fs::remove_file(place.repository().join("launchway.yml")).expect("ours");
    check(
        &place.run(&["settings", "show"]),
        2,
        expect![[r#"
        error: there is no launchway.yml in this repository
        hint: docs/settings.md says what it holds; or name a file with --file
    "#]],
    );
}

#[test]
fn the_schema_is_one_json_document() {
    let said = place().run(&["settings", "schema"]);
    let schema: serde_json::Value = serde_json::from_str(&said.stdout).expect("JSON");
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    assert_eq!(schema["required"], serde_json::json!(["version", "project"]));
}

#[test]
fn nothing_is_deployed_from_where_no_service_is_named() {
    let text =
        "version: 1\nproject: planner\nenvironments: { production: { protect: { wait: 5m } } }\n";
    let place = Place::with(&[("launchway.yml", text)]);
    check(
        &place.run(&["check", "launchway.yml"]),
        0,
        expect![[r#"
        nothing to say about 1 file
    "#]],
    );
    check(
        &place.run(&["deploy", "production", "--yes"]),
        2,
        expect![[r#"
        error: launchway.yml names no services: nothing is deployed from here
        hint: add `services:`, or let a job of a workflow deploy: docs/settings.md
    "#]],
    );
    check(
        &place.run(&["environments"]),
        0,
        expect![[r#"
        production
          level 4: a person starts every deployment
          5m after the request
    "#]],
    );
}
