//! What the settings are once they are read, service by service and environment by environment.

use expect_test::expect;

use super::*;

#[test]
fn a_whole_file_is_well_but_for_what_nothing_acts_upon_yet() {
    check(WHOLE, expect![""]);
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
                        runs_as: Process,
                        port: 8080,
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
                not_yet: [],
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
