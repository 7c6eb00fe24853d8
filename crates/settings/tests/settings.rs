//! What the reader says about `launchway.yml`.

use std::fmt::Write as _;

use expect_test::{Expect, expect};
use settings::{Settings, read};
use syntax::{Diagnostic, Source};

const WHOLE: &str = include_str!("whole.yml");

/// What is around a mistake in the tests below, so that only that is wrong.
const AROUND: &str = "
version: 1
project: planner
services: { api: { run: [python3, app.py], health: /health } }
environments: { dev: { targets: { host: 127.0.0.1:8080 } } }
";

fn said(found: &[Diagnostic]) -> String {
    let mut text = String::new();
    for it in found {
        let label = &it.labels[0];
        let place = label.source.place(label.span.start);
        let under = label.source.slice(label.span).lines().next().unwrap_or_default();
        let _ = writeln!(
            text,
            "{}:{} {under} | {}[{}]: {}",
            place.line, place.column, it.severity, it.rule, it.message
        );
        for other in &it.labels[1..] {
            let line = other.source.place(other.span.start).line;
            let _ = writeln!(text, "    line {line}: {}", other.text);
        }
        let _ = writeln!(text, "    hint: {}", it.hint.as_deref().unwrap_or_default());
    }
    text
}

/// The findings of a whole file.
fn check(text: &str, expected: Expect) {
    let (settings, found) = read(&Source::new("launchway.yml", text));
    let refused = found.iter().any(|it| it.severity == syntax::Severity::Error);
    assert_eq!(settings.is_none(), refused);
    expected.assert_eq(&said(&found));
}

/// The findings of a file that is well but for one key of the root, which takes the place of its own.
fn check_root(key: &str, expected: Expect) {
    let name = key.trim_start().split(':').next().expect("a key");
    let rest = AROUND.lines().filter(|line| !line.starts_with(&format!("{name}:")));
    let rest: Vec<&str> = rest.filter(|line| !line.is_empty()).collect();
    check(&format!("{}\n{}\n", key.trim(), rest.join("\n")), expected);
}

/// The findings of one service that runs on a host.
fn check_service(keys: &str, expected: Expect) {
    check_root(&format!("services:\n  api: {{ run: [app], health: /, {keys} }}"), expected);
}

/// The findings of one environment with a host.
fn check_environment(keys: &str, expected: Expect) {
    let text = format!(
        "groups: {{ devops: [mona, hubot], leads: [mona] }}\n{}",
        AROUND.replace("dev: { targets", &format!("dev: {{ {keys}, targets"))
    );
    check(&text, expected);
}

fn whole() -> Settings {
    let (settings, found) = read(&Source::new("launchway.yml", WHOLE));
    // What this version does not act upon, and nothing else.
    expect![[r#"
        42:15 on | warning[settings-not-yet]: nothing acts upon `deploy.on` yet
            hint: a deployment that needs it is refused
        49:15 on | warning[settings-not-yet]: nothing acts upon `deploy.on` yet
            hint: a deployment that needs it is refused
    "#]]
    .assert_eq(&said(&found));
    settings.expect("nothing is wrong with it")
}

#[test]
fn a_whole_file_is_typed() {
    let settings = whole();
    expect![[r#"
        "planner"
        Bucket(
            "s3://planner-deployments/journal",
        )
        [
            "auth",
            "api",
        ]"#]]
    .assert_eq(&format!("{:#?}\n{:#?}\n{:#?}", settings.project, settings.journal, settings.order));
    expect![[r#"
        Environment {
            name: "production",
            level: 4,
            url: Some(
                "https://planner.example.com",
            ),
            deploy: Some(
                Promote(
                    "staging",
                ),
            ),
            region: Some(
                "eu-central-1",
            ),
            account: Some(
                "444455556666",
            ),
            credentials: Some(
                Assume(
                    Assume {
                        role: "arn:aws:iam::444455556666:role/deployer",
                        session: 7200s,
                        issuer: None,
                    },
                ),
            ),
            registry: None,
            scan: None,
            protect: Protect {
                reviewers: [
                    Quorum {
                        group: "devops",
                        count: 1,
                    },
                    Quorum {
                        group: "leads",
                        count: 1,
                    },
                ],
                authors: false,
                wait: Some(
                    300s,
                ),
                branches: [
                    "main",
                ],
                tags: [
                    "v*.*.*",
                ],
                confirm: Some(
                    "DEPLOY",
                ),
                windows: [
                    Window {
                        days: [
                            Monday,
                            Tuesday,
                            Wednesday,
                            Thursday,
                        ],
                        from_minute: 540,
                        to_minute: 960,
                        zone: "Europe/Berlin",
                    },
                ],
                freezes: [
                    Freeze {
                        from_s: 1797721200,
                        to_s: 1798930800,
                        reason: "holidays",
                    },
                ],
                checks: [
                    "test",
                    "lint",
                ],
            },
            backup: Some(
                RdsInstance {
                    id: "planner-db",
                    within: 7200s,
                },
            ),
            on_cancel: Back,
            below: Some(
                "staging",
            ),
        }
    "#]]
    .assert_debug_eq(settings.environment("production").expect("it is there"));
}

#[test]
fn a_service_in_an_environment_is_all_that_a_deployment_needs() {
    let settings = whole();
    expect![[r#"
        Ok(
            ServiceInEnvironment {
                project: "planner",
                environment: Environment {
                    name: "dev",
                    level: 5,
                    url: None,
                    deploy: Some(
                        On {
                            branch: "develop",
                            paths: [],
                        },
                    ),
                    region: None,
                    account: None,
                    credentials: None,
                    registry: None,
                    scan: None,
                    protect: Protect {
                        reviewers: [],
                        authors: false,
                        wait: None,
                        branches: [],
                        tags: [],
                        confirm: None,
                        windows: [],
                        freezes: [],
                        checks: [],
                    },
                    backup: None,
                    on_cancel: Back,
                    below: None,
                },
                service: Service {
                    name: "api",
                    build: Some(
                        Build {
                            context: "backend",
                            dockerfile: Some(
                                "backend/Dockerfile",
                            ),
                            target: Some(
                                "production",
                            ),
                            platform: LinuxAmd64,
                            args: [
                                Variable {
                                    name: "PYTHON",
                                    value: "3.12",
                                },
                            ],
                        },
                    ),
                    image: "planner-dev",
                    bundle: Bundle {
                        path: "backend",
                        include: [
                            "**",
                        ],
                        exclude: [
                            "tests/**",
                        ],
                        limit_bytes: 200000000,
                    },
                    run: [
                        "python3",
                        "app.py",
                    ],
                    health: Some(
                        Health {
                            paths: [
                                "/health",
                                "/v1/healthz",
                            ],
                            settle: 30s,
                            within: 300s,
                            timeout: 5s,
                            every: 1s,
                        },
                    ),
                    migrate: Some(
                        Migrate {
                            run: [
                                "alembic",
                                "upgrade",
                                "head",
                            ],
                            timeout: 600s,
                            compatible: true,
                        },
                    ),
                    version: Some(
                        VersionAt {
                            path: "/version",
                            field: "build.sha",
                        },
                    ),
                    owns: [
                        Image,
                        Environment,
                    ],
                    env: [
                        Variable {
                            name: "LOG_LEVEL",
                            value: "info",
                        },
                        Variable {
                            name: "WORKERS",
                            value: "2",
                        },
                        Variable {
                            name: "DEBUG",
                            value: "false",
                        },
                    ],
                    settings: [
                        "settings/dev.env",
                    ],
                    secrets: [],
                },
                target: Host(
                    Host {
                        span: Span {
                            start: 1224,
                            end: 1240,
                        },
                        listen: 127.0.0.1:8080,
                        instances: 2,
                        drain: 10s,
                        user: None,
                        memory_bytes: None,
                    },
                ),
                strategy: Rolling,
                verify: Verify {
                    smoke: [
                        Smoke {
                            kind: Get {
                                path: "/api/tasks",
                                status: 200,
                                contains: None,
                            },
                            within: 300ms,
                        },
                        Smoke {
                            kind: Run {
                                run: [
                                    "pytest",
                                    "tests/smoke",
                                ],
                            },
                            within: 300s,
                        },
                    ],
                    headers: [
                        "strict-transport-security",
                    ],
                    alarms: [],
                    logs: [
                        "Traceback",
                    ],
                    budget: None,
                },
                not_yet: [
                    NotYet {
                        key: "deploy.on",
                        span: Span {
                            start: 1189,
                            end: 1191,
                        },
                    },
                ],
            },
        )
    "#]]
    .assert_debug_eq(&settings.resolve("dev", "api"));
    let production = settings.resolve("production", "api").expect("both are there");
    expect![[r#"
        Ecs(Ecs { span: Span { start: 2490, end: 2521 }, region: "eu-central-1", cluster: "production-cluster", service: "api", container: None, within: 1800s })
        BlueGreen { bake: 900s }
        [Variable { name: "LOG_LEVEL", value: "info" }, Variable { name: "WORKERS", value: "8" }, Variable { name: "DEBUG", value: "false" }]
        Some(Health { paths: ["/health"], settle: 30s, within: 600s, timeout: 5s, every: 1s })
        "planner-production""#]].assert_eq(&format!(
        "{:?}\n{:?}\n{:?}\n{:?}\n{:?}",
        production.target,
        production.strategy,
        production.service.env,
        production.service.health,
        production.service.image,
    ));
    let error = settings.resolve("prod", "api").expect_err("there is none");
    assert_eq!(
        format!("{error}; {}", error.hint()),
        "there is no environment prod; there are: dev, staging, production"
    );
    let error = settings.resolve("dev", "apo").expect_err("there is none");
    assert_eq!(format!("{error}; {}", error.hint()), "there is no service apo; did you mean api?");
}

#[test]
fn what_is_in_force_says_where_it_comes_from() {
    let settings = whole();
    let mut text = String::new();
    let rows = settings.in_force("production", "api").expect("both are there");
    let all = settings.in_force_for_all("production").expect("it is there");
    for row in rows.iter().chain(&all) {
        let line = row.span.map(|span| settings.source().place(span.start).line);
        let from = line.map_or("default".to_owned(), |line| format!("line {line}"));
        let _ = writeln!(text, "{} = {}  ({from})", row.key, row.value);
    }
    expect![[r#"
        build.context = backend  (line 13)
        build.dockerfile = backend/Dockerfile  (line 14)
        build.target = production  (line 15)
        build.platform = linux/amd64  (default)
        build.args.PYTHON = 3.12  (line 16)
        image = planner-production  (line 17)
        bundle.path = backend  (line 18)
        bundle.include = [**]  (default)
        bundle.exclude = [tests/**]  (line 18)
        bundle.limit = 200MB  (line 18)
        run = [python3, app.py]  (line 19)
        health.paths = [/health]  (line 76)
        health.settle = 30s  (line 20)
        health.within = 10m  (line 76)
        health.timeout = 5s  (default)
        health.every = 1s  (default)
        migrate.run = [alembic, upgrade, head]  (line 21)
        migrate.timeout = 10m  (default)
        migrate.compatible = true  (default)
        version.path = /version  (line 22)
        version.field = build.sha  (line 22)
        owns = [image, environment]  (line 23)
        env.LOG_LEVEL = info  (line 24)
        env.WORKERS = 8  (line 76)
        env.DEBUG = false  (line 24)
        settings = [settings/production.env]  (line 25)
        secrets.DATABASE_URL = ssm:/planner/production/database  (line 59)
        targets.ecs.cluster = production-cluster  (line 74)
        targets.ecs.service = api  (default)
        targets.ecs.within = 30m  (default)
        strategy.blue_green.bake = 15m  (line 70)
        verify.smoke = [{ get: /api/tasks, status: 200, within: 300ms }, { run: [pytest, tests/smoke], within: 5m }]  (line 28)
        verify.headers = [strict-transport-security]  (line 30)
        verify.alarms = [api-5xx, auth-5xx]  (line 72)
        verify.logs = [Traceback]  (line 31)
        level = 4  (default)
        url = https://planner.example.com  (line 56)
        deploy.promote = staging  (line 57)
        region = eu-central-1  (line 54)
        account = 444455556666  (line 55)
        credentials.assume.role = arn:aws:iam::444455556666:role/deployer  (line 58)
        credentials.assume.session = 2h  (line 58)
        protect.reviewers.devops = 1  (line 61)
        protect.reviewers.leads = 1  (line 61)
        protect.authors = false  (default)
        protect.wait = 5m  (line 62)
        protect.branches = [main]  (line 63)
        protect.tags = [v*.*.*]  (line 64)
        protect.confirm = DEPLOY  (line 65)
        protect.windows = [{ days: [mon, tue, wed, thu], from: 09:00, to: 16:00, zone: Europe/Berlin }]  (line 67)
        protect.freezes = [{ from: 2026-12-20T00:00+01:00, to: 2027-01-03T00:00+01:00, reason: holidays }]  (line 69)
        protect.checks = [test, lint]  (line 66)
        backup.rds.instance = planner-db  (line 71)
        backup.rds.within = 2h  (default)
        on_cancel = back  (line 73)
    "#]].assert_eq(&text);
}

#[test]
fn too_little_is_there() {
    check(
        "",
        expect![[r#"
        1:1  | error[settings-key]: the file is empty
            hint: it needs at least `version: 1`, `project`, `services` and `environments`
    "#]],
    );
    check(
        "- a",
        expect![[r#"
        1:1 - a | error[settings-value]: a list does not belong here
            hint: a mapping is expected here, with the keys: version, project, journal, services, order, groups, environments, notify
    "#]],
    );
    check(
        "version: 1",
        expect![[r#"
        1:1 version | error[settings-key]: `project` is missing in launchway.yml
            hint: add `project:`. What all of it is called; `{project}` in names.
        1:1 version | error[settings-key]: `services` is missing in launchway.yml
            hint: add `services:`. What is deployed, by name.
        1:1 version | error[settings-key]: `environments` is missing in launchway.yml
            hint: add `environments:`. Where it is deployed to, by name.
    "#]],
    );
    check(
        "version: 2\nproject: a\nservices:\nenvironments: {}",
        expect![[r#"
            1:10 2 | error[settings-value]: '2' does not do here
                hint: write 1
            3:1 services | error[settings-value]: nothing is written here
                hint: a mapping is expected here, each key a name of letters, digits, `-` and `_`
            4:1 environments | error[settings-value]: nobody and nothing is named here
                hint: it has 1 to 32 entries
        "#]],
    );
}

#[test]
fn keys_are_a_closed_set() {
    check_root(
        "journl: local",
        expect![[r#"
        1:1 journl | error[settings-key]: `journl` is no key of launchway.yml
            hint: did you mean `journal`?
    "#]],
    );
    check_root(
        "deploy_to_mars: true",
        expect![[r#"
        1:1 deploy_to_mars | error[settings-key]: `deploy_to_mars` is no key of launchway.yml
            hint: the keys here are: version, project, journal, services, order, groups, environments, notify
    "#]],
    );
    check_service(
        "helth: /health",
        expect![[r#"
        2:33 helth | error[settings-key]: `helth` is no key of service
            hint: did you mean `health`?
    "#]],
    );
    check_root(
        "services:\n  api: { run: [app], health: { path: /health } }",
        expect![[r#"
            2:32 path | error[settings-key]: `path` is no key of health
                hint: did you mean `paths`?
        "#]],
    );
}

#[test]
fn values_are_of_their_kind() {
    check_root(
        "project: [a, b]",
        expect![[r#"
        1:10 [a, b] | error[settings-value]: a list does not belong here
            hint: write a name of letters, digits, `-` and `_`, such as api
    "#]],
    );
    check_root(
        "project: -planner",
        expect![[r#"
        1:10 -planner | error[settings-value]: '-planner' is not a name of letters, digits, `-` and `_`: a name has letters, digits, `-` and `_`, and begins with a letter or digit
            hint: write a name of letters, digits, `-` and `_`, such as api
    "#]],
    );
    check_root(
        "journal: /var/lib/journal",
        expect![[r#"
        1:10 /var/lib/journal | error[settings-value]: '/var/lib/journal' is not `local`, a bucket, or a server: it is neither `local`, nor s3://BUCKET/PREFIX, nor https://SERVER
            hint: write `local`, a bucket, or a server, such as s3://bucket/prefix
    "#]],
    );
    check_root(
        "services:\n  my service: { run: [app], health: / }",
        expect![[r#"
        2:3 my service | error[settings-key]: 'my service' is not a name of letters, digits, `-` and `_`: a name has letters, digits, `-` and `_`, and begins with a letter or digit
            hint: write a name of letters, digits, `-` and `_`, such as api
    "#]],
    );
    check_root(
        "services:\n  api: { run: python3 app.py, health: / }",
        expect![[r#"
        2:15 python3 app.py | error[settings-value]: 'python3 app.py' does not do here
            hint: write a list, such as [python3, app.py]
    "#]],
    );
    check_service(
        "build: { platform: linux/amd46 }",
        expect![[r#"
        2:52 linux/amd46 | error[settings-value]: 'linux/amd46' does not do here
            hint: did you mean `linux/amd64`?
    "#]],
    );
    check_service(
        "build: { context: ../secret }",
        expect![[r#"
        2:51 ../secret | error[settings-value]: '../secret' is not a path inside the repository: `..` may lead out of the repository
            hint: write a path inside the repository, such as backend
    "#]],
    );
    check_service(
        "migrate: { run: [a], timeout: 10 }",
        expect![[r#"
        2:63 10 | error[settings-value]: '10' does not do here
            hint: write a length of time from 1s to 1d with its unit (ms, s, m, h, d), such as 30s or 1h30m
    "#]],
    );
    check_service(
        "migrate: { run: [a], timeout: 5d }",
        expect![[r#"
        2:63 5d | error[settings-value]: '5d' does not do here
            hint: write a length of time from 1s to 1d with its unit (ms, s, m, h, d), such as 30s or 1h30m
    "#]],
    );
    check_service(
        "bundle: { limit: 1.5GB }",
        expect![[r#"
        2:50 1.5GB | error[settings-value]: '1.5GB' does not do here
            hint: write a size from 1B to 64GiB with its unit (B, KB, MB, GB, KiB, MiB, GiB), such as 512MiB
    "#]],
    );
    check_service(
        "owns: everything",
        expect![[r#"
        2:39 everything | error[settings-value]: 'everything' does not do here
            hint: write one of: image, environment, secrets, command
    "#]],
    );
    check_service(
        "env: { 1A: b }",
        expect![[r#"
        2:40 1A | error[settings-key]: '1A' is not the name of a variable: it has letters, digits and `_`, and begins with no digit
            hint: write the name of a variable, such as LOG_LEVEL
    "#]],
    );
    check_service(
        "version: { path: version }",
        expect![[r#"
        2:50 version | error[settings-value]: 'version' is not the path of an address: it does not begin with `/`, or holds a blank
            hint: write the path of an address, such as /health
    "#]],
    );
    check_service(
        "verify: { smoke: [{ status: 200 }] }",
        expect![[r#"
        2:53 status | error[settings-key]: this smoke test does not say what it is
            hint: write one of: get, run
    "#]],
    );
    check_service(
        "verify: { smoke: [{ get: /, run: [a] }] }",
        expect![[r#"
        2:61 run | error[settings-key]: `get` and `run` exclude one another in smoke test
            hint: write one of: get, run
    "#]],
    );
    check_environment(
        "level: 6",
        expect![[r#"
        6:31 6 | error[settings-value]: '6' does not do here
            hint: write a whole number from 0 to 5
    "#]],
    );
    check_environment(
        "account: 1111",
        expect![[r#"
        6:33 1111 | error[settings-value]: '1111' is not an account's 12 digits: an account has 12 digits
            hint: write an account's 12 digits, such as "111122223333"
    "#]],
    );
    check_environment(
        "url: staging.example.com",
        expect![[r#"
        6:29 staging.example.com | error[settings-value]: 'staging.example.com' is not an address of http or https: it does not begin with https:// or http://
            hint: write an address of http or https, such as https://staging.example.com
    "#]],
    );
    check_environment(
        "credentials: assume",
        expect![[r#"
        6:37 assume | error[settings-value]: 'assume' does not do here
            hint: write one of instance, keys; or a mapping with one of the keys: assume, profile, instance, keys
    "#]],
    );
    check_environment(
        "credentials: { assume: deployer }",
        expect![[r#"
        6:47 deployer | error[settings-value]: 'deployer' is not the ARN of a role: an ARN has six parts with `:` between them
            hint: write the ARN of a role, such as arn:aws:iam::111122223333:role/deployer-staging
    "#]],
    );
    check_environment(
        "strategy: big_bang",
        expect![[r#"
        6:34 big_bang | error[settings-value]: 'big_bang' does not do here
            hint: write one of rolling, blue_green, canary; or a mapping with one of the keys: rolling, blue_green, canary
    "#]],
    );
}

#[test]
fn names_have_known_gaps() {
    check_service(
        "image: '{project}-{enviroment}'",
        expect![[r#"
        2:40 '{project}-{enviroment}' | error[settings-value]: '{project}-{enviroment}' is not the name of a repository of images, without registry and tag: there is no `{enviroment}`; there are {env}, {project}, {service}
            hint: write the name of a repository of images, without registry and tag, such as {project}-{service}
    "#]],
    );
    check_service(
        "image: 'planner-{env'",
        expect![[r#"
        2:40 'planner-{env' | error[settings-value]: 'planner-{env' is not the name of a repository of images, without registry and tag: a `{` is never closed
            hint: write the name of a repository of images, without registry and tag, such as {project}-{service}
    "#]],
    );
    check_service(
        "settings: 'settings/{stage}.env'",
        expect![[r#"
        2:43 'settings/{stage}.env' | error[settings-value]: 'settings/{stage}.env' is not a path inside the repository: there is no `{stage}`; there are {env}, {project}, {service}
            hint: write a path inside the repository, such as settings/{env}.env
    "#]],
    );
}

/// What somebody wrote in place of a reference may be the secret.
#[test]
fn a_secret_is_referred_to_and_never_repeated() {
    let text = "secrets: { TOKEN: hunter2 }";
    let (_, found) =
        read(&Source::new("launchway.yml", AROUND.replace("run:", &format!("{text}, run:"))));
    assert!(found.iter().all(|it| !format!("{}{:?}", it.message, it.hint).contains("hunter2")));
    check_service(
        "secrets: { TOKEN: [a] }",
        expect![[r#"
            2:51 [a] | error[settings-value]: this is no reference to a secret
                hint: write a reference to a secret (secretsmanager:NAME, ssm:NAME, an ARN of either, kubernetes:SECRET/KEY, local:NAME, file:PATH), never the secret itself, such as ssm:/planner/token
        "#]],
    );
    check_service(
        "env: { TOKEN: a }, secrets: { TOKEN: 'ssm:/token' }",
        expect![[r#"
        2:40 TOKEN | error[settings-variable]: 'api' in 'dev' gets TOKEN twice
            line 2: as a secret
            hint: leave it in one of `env` and `secrets`
    "#]],
    );
}

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
            hint: add `run: [PROGRAM, ARGUMENT]` to the service: a host runs processes
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
            6:34 on | warning[settings-not-yet]: nothing acts upon `deploy.on` yet
                hint: a deployment that needs it is refused
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
        "notify: [{ email: team@example.com }]",
        expect![[r#"
        1:1 notify | warning[settings-not-yet]: nothing acts upon `notify` yet
            hint: a deployment that needs it is refused
    "#]],
    );
    check_root(
        "environments: { dev: { url: 'https://a.example', targets: { kubernetes: { context: a } } } }",
        expect![[r#"
            1:61 kubernetes | warning[settings-not-yet]: nothing acts upon `targets.kubernetes` yet
                hint: a deployment that needs it is refused
        "#]],
    );
    let text =
        AROUND.replace("host: 127.0.0.1:8080", "host: { listen: 127.0.0.1:8080, user: planner }");
    let (settings, _) = read(&Source::new("launchway.yml", text));
    let resolved = settings.expect("it is well").resolve("dev", "api").expect("both are there");
    assert_eq!(resolved.not_yet[0].key, "targets.host.user");
}

/// Every service is looked at in every environment: neither may be without end.
#[test]
fn hostile_files_are_ended() {
    let services: String = (0..65).map(|it| format!("  s{it}:\n")).collect();
    check_root(
        &format!("services:\n{services}"),
        expect![[r#"
        2:3 s0: | error[settings-value]: 65 entries are too many
            hint: it has 1 to 64 entries
    "#]],
    );
    let mistakes: String = (0..2_000).map(|it| format!("k{it}: 1\n")).collect();
    let (settings, found) = read(&Source::new("launchway.yml", mistakes));
    assert_eq!((settings.is_none(), found.len()), (true, 1_000));
    check_root(
        &format!("project: {}", "a".repeat(64)),
        expect![[r#"
        1:10 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa | error[settings-value]: 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa…' is not a name of letters, digits, `-` and `_`: a name has at most 63 characters
            hint: write a name of letters, digits, `-` and `_`, such as api
    "#]],
    );
}

#[test]
fn a_registry_is_a_host_and_what_stands_before_its_repositories() {
    for good in ["ghcr.io/planner", "localhost:5000", "registry.example.com:8443/a/b", "localhost"]
    {
        let (settings, found) = read(&Source::new(
            "launchway.yml",
            AROUND.replace("dev: { targets", &format!("dev: {{ registry: '{good}', targets")),
        ));
        assert!(settings.is_some(), "{good}: {found:?}");
    }
    check_environment(
        "registry: planner/api",
        expect![[r#"
        6:34 planner/api | error[settings-value]: 'planner/api' is not a registry of images, with what stands before its repositories: it begins with a host: a name with a `.`, `localhost`, or one with a port
            hint: write a registry of images, with what stands before its repositories, such as ghcr.io/planner
    "#]],
    );
    check_environment(
        "registry: 'https://ghcr.io'",
        expect![[r#"
        6:34 'https://ghcr.io' | error[settings-value]: 'https://ghcr.io' is not a registry of images, with what stands before its repositories: it is written without https://
            hint: write a registry of images, with what stands before its repositories, such as ghcr.io/planner
    "#]],
    );
    check_environment(
        "scan: { refuse: bad }",
        expect![[r#"
        6:40 bad | error[settings-value]: 'bad' does not do here
            hint: write one of: critical, high, medium, low
    "#]],
    );
}
