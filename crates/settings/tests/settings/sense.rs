//! What is well formed and makes no sense: references, times, people, places.

use expect_test::expect;

use super::*;

#[test]
fn references_lead_somewhere() {
    check_root(
        "order: [apo]",
        expect![[r#"
        1:8 [apo] | error[settings-order]: `order` leaves out the service 'api'
            line 4: this one
            hint: name every service, or leave out `order`
        1:9 apo | error[settings-reference]: there is no service 'apo'
            hint: did you mean `api`?
    "#]],
    );
    check_root(
        "order: [api, api]",
        expect![[r#"
        1:14 api | error[settings-order]: 'api' stands in `order` twice
            line 1: the first time
            hint: a service ships once in a release
    "#]],
    );
    check_root(
        "services:\n  api: { run: [a], health: / }\n  auth: { run: [a], health: /, targets: { host: 127.0.0.1:9 } }\norder: [api]",
        expect![[r#"
        4:8 [api] | error[settings-order]: `order` leaves out the service 'auth'
            line 3: this one
            hint: name every service, or leave out `order`
    "#]],
    );
    check_environment(
        "deploy: { promote: staging }",
        expect![[r#"
        6:43 staging | error[settings-reference]: there is no environment 'staging'
            hint: there are: dev
    "#]],
    );
    check_environment(
        "protect: { reviewers: { devop: 1 } }",
        expect![[r#"
        6:48 devop | error[settings-reference]: there is no group 'devop'
            hint: did you mean `devops`?
    "#]],
    );
    check_environment(
        "services: { worker: { env: {} } }",
        expect![[r#"
        6:36 worker | error[settings-reference]: there is no service 'worker'
            hint: there are: api
    "#]],
    );
}

#[test]
fn releases_do_not_go_round() {
    check_environment(
        "deploy: { promote: dev }",
        expect![[r#"
        6:43 dev | error[settings-circle]: 'dev' takes its releases from itself
            hint: name the environment before it
    "#]],
    );
    check_root(
        "environments:\n  a: { deploy: { promote: b } }\n  b: { deploy: { promote: c } }\n  c: { below: a }",
        expect![[r#"
            4:15 a | error[settings-circle]: releases go round in a circle: a from b from c from a
                hint: one of them must get its releases otherwise
        "#]],
    );
}

#[test]
fn enough_people_can_approve() {
    check_environment(
        "protect: { reviewers: { devops: 3 } }",
        expect![[r#"
        6:56 3 | error[settings-quorum]: 3 of 'devops' must approve, which has 2
            line 1: who they are
            hint: add people to the group, or ask for fewer
    "#]],
    );
    check_environment(
        "protect: { reviewers: { devops: 2, leads: 1 } }",
        expect![[r#"
        6:35 reviewers | error[settings-quorum]: the groups share people, and nobody counts twice: too few are left
            hint: add people to the groups, or ask for fewer
    "#]],
    );
    check_environment(
        "protect: { reviewers: { devops: 1, leads: 1 } }",
        expect![[r#"
        6:35 reviewers | warning[settings-quorum]: nobody approves their own deployment: when hubot or mona asks for one, too few are left
            hint: add people to the groups
    "#]],
    );
    check_environment(
        "protect: { reviewers: {} }",
        expect![[r#"
        6:35 reviewers | error[settings-value]: nobody and nothing is named here
            hint: it has 1 to 16 entries
    "#]],
    );
    check_root(
        "groups: { devops: [] }",
        expect![[r#"
        1:19 [] | error[settings-value]: a list of 0 does not do here
            hint: it has 1 to 256 items
    "#]],
    );
}

#[test]
fn times_end_after_they_begin() {
    check_environment(
        "protect: { windows: [{ from: '22:00', to: '06:00', zone: UTC }] }",
        expect![[r#"
            6:66 '06:00' | error[settings-time]: this window ends before it begins
                hint: write two windows where it goes past midnight: until 24:00, and from 00:00
        "#]],
    );
    check_environment(
        "protect: { freezes: [{ from: 2027-01-01T00:00Z, to: 2026-12-01T00:00Z, reason: a }] }",
        expect![[r#"
            6:76 2026-12-01T00:00Z | error[settings-time]: this freeze ends before it begins
                hint: write the earlier time under `from`
        "#]],
    );
    check_environment(
        "protect: { freezes: [{ from: 2027-01-01, to: 2026-02-29T00:00Z, reason: a }], windows: [{ from: '9:00', to: '17:00', zone: CET }] }",
        expect![[r#"
            6:53 2027-01-01 | error[settings-value]: '2027-01-01' is not a date and time with its zone: date and time are parted by `T`
                hint: write a date and time with its zone, such as 2026-12-24T18:00:00+01:00
            6:69 2026-02-29T00:00Z | error[settings-value]: '2026-02-29T00:00Z' is not a date and time with its zone: there is no such day
                hint: write a date and time with its zone, such as 2026-12-24T18:00:00+01:00
            6:120 '9:00' | error[settings-value]: '9:00' is not a time of day: hours and minutes are from 00:00 to 24:00
                hint: write a time of day, such as "09:00"
            6:147 CET | error[settings-value]: 'CET' is not a time zone: it is no name like Europe/Berlin, no offset like +01:00, and not UTC
                hint: write a time zone, such as Europe/Berlin
        "#]],
    );
}

#[test]
fn every_service_runs_somewhere() {
    check_root(
        "environments: { dev: }",
        expect![[r#"
        1:17 dev | error[settings-target]: 'api' in 'dev' has no target
            line 4: this service
            hint: say under `targets` where it runs, with one of: ecs, host, kubernetes
    "#]],
    );
    check_root(
        "environments: { dev: { targets: { host: { drain: 1s } } } }",
        expect![[r#"
        1:35 host | error[settings-target]: 'api' in 'dev' listens nowhere
            line 4: this service
            hint: add `listen: 127.0.0.1:8080`, or another port
    "#]],
    );
    check_root(
        "services: { api: }",
        expect![[r#"
            1:13 api | error[settings-target]: 'api' in 'dev' has nothing to start
                hint: add `run: [PROGRAM, ARGUMENT]` to the service; or `build` or `image`, which run as containers
            1:13 api | warning[settings-advice]: nothing tells when 'api' in 'dev' is healthy
                hint: add `health: /path`; without it only that it listens is known
        "#]],
    );
    check_root(
        "environments: { dev: { targets: { ecs: } } }",
        expect![[r#"
        1:35 ecs | error[settings-target]: 'api' in 'dev' has no region
            line 4: this service
            hint: add `region: eu-central-1`, or another, to the environment
        1:35 ecs | error[settings-target]: 'api' in 'dev' has no cluster
            line 4: this service
            hint: add `cluster:` to `targets: ecs:`
        4:44 health | error[settings-target]: `health` of 'api' in 'dev' asks nobody
            line 1: this environment has no `url`
            hint: add `url:` to the environment
    "#]],
    );
    check_root(
        "environments: { dev: { url: 'https://a.example', targets: { host: 127.0.0.1:80, kubernetes: { context: a } } } }",
        expect![[r#"
            1:81 kubernetes | error[settings-target]: 'api' in 'dev' has the targets host and kubernetes
                line 4: this service
                hint: say which with `target:` in the service
            1:81 kubernetes | warning[settings-not-yet]: nothing acts upon `targets.kubernetes` yet
                hint: a deployment that needs it is refused
        "#]],
    );
    check_root(
        "services:\n  api: { run: [a], health: / }\n  auth: { run: [a], health: / }",
        expect![[r#"
            6:41 127.0.0.1:8080 | error[settings-listener]: 'auth' in 'dev' listens on 127.0.0.1:8080, where another service listens
                hint: give each service of an environment a port of its own, where the service stands
        "#]],
    );
    check(
        "version: 1
project: planner
services:
  api: { run: [a], health: /, targets: { host: 127.0.0.1:9 } }
  auth: { run: [a], health: /, targets: { host: 0.0.0.0:9 } }
environments: { dev: { targets: { host: { instances: 2 } } } }",
        expect![[r#"
            5:49 0.0.0.0:9 | error[settings-listener]: 'auth' in 'dev' listens on 0.0.0.0:9, where another service listens
                line 4: the other one
                hint: give each service of an environment a port of its own, where the service stands
        "#]],
    );
    check_environment(
        "strategy: canary",
        expect![[r#"
        6:34 canary | error[settings-target]: the target host has no strategy `canary`
            line 5: this service
            hint: write one of: rolling, blue_green
        6:34 canary | warning[settings-not-yet]: nothing acts upon `strategy.canary` yet
            hint: a deployment that needs it is refused
    "#]],
    );
    check_environment(
        "secrets: { A: 'kubernetes:a/b' }",
        expect![[r#"
        6:35 A | error[settings-target]: 'api' in 'dev' cannot read a secret of `kubernetes:`
            line 5: this service
            hint: keep it where the target can read it, for this environment
    "#]],
    );
}

#[test]
fn what_works_and_is_not_wise() {
    check_environment(
        "deploy: { on: main }",
        expect![[r#"
            6:34 on | note[settings-advice]: at level 4 a push only asks: a person starts the deployment
                hint: `level: 5` lets it go by itself
        "#]],
    );
    check_environment(
        "credentials: keys",
        expect![[r#"
        6:37 keys | warning[settings-advice]: access keys are good until somebody remembers them
            hint: `assume:` takes a role by a token of OIDC, and nothing is stored
    "#]],
    );
}

/// Read, typed, and refused when it is needed; never ignored.
#[test]
fn what_is_not_acted_upon_yet_is_said() {
    check_root(
        "journal: https://launchway.example.com",
        expect![[r#"
        1:10 https://launchway.example.com | warning[settings-not-yet]: no server keeps a journal yet
            hint: every deployment is refused; a bucket does without a server: s3://BUCKET/PREFIX
    "#]],
    );
    check_root(
        "environments: { dev: { url: 'https://a.example', targets: { kubernetes: { context: a } } } }",
        expect![[r#"
            1:61 kubernetes | warning[settings-not-yet]: nothing acts upon `targets.kubernetes` yet
                hint: a deployment that needs it is refused
        "#]],
    );
    let elsewhere = "url: 'https://a.example', targets: { kubernetes: { context: a } }";
    let text = AROUND.replace("targets: { host: 127.0.0.1:8080 }", elsewhere);
    let (settings, _) = read(&Source::new("launchway.yml", text));
    let resolved = settings.expect("it is well").resolve("dev", "api").expect("both are there");
    assert_eq!(resolved.not_yet[0].key, "targets.kubernetes");
}

#[test]
fn rules_for_messages_have_one_name_each_and_keys_that_mean_something_together() {
    check_root(
        "notify: [{ slack: 'local:SLACK_URL' }, { pagerduty: 'file:/run/key' }]",
        expect![[""]],
    );
    check_root(
        "notify: [{ name: a, slack: 'local:A' }, { name: a, slack: 'local:B' }]",
        expect![[r#"
            1:41 { name: a, slack: 'local:B' } | error[settings-reference]: two rules are called a
                hint: give each a `name` of its own
        "#]],
    );
    check_root(
        "notify: [{ email: team@example.com }]",
        expect![[r#"
        1:12 email | error[settings-reference]: nothing says by which server email is sent
            hint: write `mail: { host: .., from: .. }` at the root
    "#]],
    );
    check_root(
        "notify: [{ slack: 'local:A', key: 'local:B', pagerduty_url: 'https://a.example' }]",
        expect![[r#"
            1:30 key | error[settings-reference]: `key` means nothing without `webhook`
                hint: take it away
            1:46 pagerduty_url | error[settings-reference]: `pagerduty_url` means nothing without `pagerduty`
                hint: take it away
        "#]],
    );
    check_root(
        "notify: [{ slack: 'ssm:/planner/slack' }]",
        expect![[r#"
        1:19 'ssm:/planner/slack' | error[settings-value]: this is no reference to a secret: it lies on the machine that sends: local:NAME or file:PATH
            hint: write where a secret lies on the machine that sends (local:NAME, file:PATH), never the secret itself, such as local:SLACK_URL
    "#]],
    );
    check_root(
        "notify: [{ slack: 'https://hooks.example.com/services/T0/B0/secret' }]",
        expect![[r#"
            1:19 'https://hooks.example.com/services/T0/B0/secret' | error[settings-value]: this is no reference to a secret: it is no reference to a secret
                hint: write where a secret lies on the machine that sends (local:NAME, file:PATH), never the secret itself, such as local:SLACK_URL
        "#]],
    );
    check_root(
        "notify: [{ slack: 'local:A', branches: main }]",
        expect![[r#"
        1:30 branches | error[settings-reference]: `branches` chooses runs, and `on` names nothing of a run
            hint: add `run_failed` to `on`, or take `branches` away
    "#]],
    );
    check_root("notify: [{ slack: 'local:A', on: run_waiting, environments: dev }]", expect![""]);
    check_root("notify: [{ slack: 'local:A', on: tests_failing, branches: main }]", expect![""]);
    check_root(
        "notify: [{ slack: 'local:A', on: [run_failed, vulnerability_found], environments: dev }]",
        expect![[r#"
            1:69 environments | error[settings-reference]: `environments` chooses jobs, and `vulnerability_found` is of none
                hint: write it in a rule of its own, without `environments`
        "#]],
    );
    check_root(
        "mail: { host: smtp.example.com, from: ci@example.com, user: ci }",
        expect![[r#"
        1:55 user | error[settings-reference]: `user` means nothing without `password`
            hint: write both, or neither
    "#]],
    );
}

#[test]
fn goals_are_percents_and_times_and_name_files_of_workflows() {
    check_root(
        "goals: { success: 99, duration: 20m, queue: 1m, repair: 1h, workflows: { ci.yml: { duration: 15m } } }",
        expect![""],
    );
    check_root("goals: {}", expect![""]);
    check_root(
        "goals: { success: 101, duration: fast, queue: 10ms, workflows: { ci: { sucess: 90 }, a/ci.yml: {} } }",
        expect![[r#"
            1:19 101 | error[settings-value]: '101' does not do here
                hint: write a whole number from 1 to 100
            1:34 fast | error[settings-value]: 'fast' does not do here
                hint: write a length of time from 1s to 30d with its unit (ms, s, m, h, d), such as 30s or 1h30m
            1:47 10ms | error[settings-value]: '10ms' does not do here
                hint: write a length of time from 1s to 30d with its unit (ms, s, m, h, d), such as 30s or 1h30m
            1:66 ci | error[settings-key]: 'ci' is not a file of `.github/workflows`: its name ends in `.yml` or `.yaml`, and has no folder
                hint: write a file of `.github/workflows`, such as ci.yml
            1:86 a/ci.yml | error[settings-key]: 'a/ci.yml' is not a file of `.github/workflows`: its name ends in `.yml` or `.yaml`, and has no folder
                hint: write a file of `.github/workflows`, such as ci.yml
        "#]],
    );
}

#[test]
fn a_service_of_a_host_is_processes_or_containers() {
    let runs_as = |service: &str, host: &str| {
        let text = AROUND.replace("{ run: [python3, app.py], health: /health }", service);
        let text = text.replace("host: 127.0.0.1:8080", host);
        let (settings, found) = read(&Source::new("launchway.yml", text));
        let Some(settings) = settings else { return found[0].message.clone() };
        let resolved = settings.resolve("dev", "api").expect("both are there");
        let ::settings::Target::Host(host) = resolved.target else { panic!("it is a host") };
        format!("{:?} at {}", host.runs_as, host.port.value)
    };
    let listen = "host: { listen: 127.0.0.1:8080 }";
    let container = "host: { listen: 127.0.0.1:8080, as: container, port: 80, memory: 64MiB }";
    let process = "host: { listen: 127.0.0.1:8080, as: process }";
    let both = "{ run: [a], health: /, build: . }";
    for (service, host, expected) in [
        ("{ run: [a], health: / }", listen, "Process at 8080"),
        ("{ health: /, build: . }", listen, "Container at 8080"),
        ("{ health: /, image: planner }", listen, "Container at 8080"),
        (both, listen, "Process at 8080"),
        (both, container, "Container at 80"),
        ("{ health: /, build: . }", process, "'api' in 'dev' has nothing to start"),
        (
            both,
            "host: { listen: 127.0.0.1:8080, memory: 64MiB }",
            "nothing holds the processes of 'api' in 'dev' to `memory`",
        ),
        (both, "host: { listen: 127.0.0.1:8080, user: 1000:1000 }", "Process at 8080"),
    ] {
        assert_eq!(runs_as(service, host), expected, "{service} {host}");
    }
}
