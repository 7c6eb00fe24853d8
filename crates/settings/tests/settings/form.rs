//! Keys and values that are not what they can be.

use expect_test::expect;

use super::*;

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
                hint: a mapping is expected here, with the keys: version, project, journal, journal_credentials, services, order, groups, environments, notify, coverage, images, never_skip, goals, releases, mail, private_receivers
        "#]],
    );
    check(
        "version: 1",
        expect![[r#"
            1:1 version | error[settings-key]: `project` is missing in launchway.yml
                hint: add `project:`. What all of it is called; `{project}` in names.
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
fn what_says_who_approves_jobs_and_who_is_told_is_a_whole_file() {
    check(
        "version: 1\nproject: planner\ngroups: { devops: [mona, hubot], leads: [lena, ada] }\nenvironments:\n  production:\n    protect: { reviewers: { devops: 1, leads: 1 }, wait: 5m }\nnotify: [{ slack: local:SLACK_URL, on: run_failed }]\n",
        expect![""],
    );
    check(
        "version: 1\nproject: planner\nnotify: [{ slack: local:SLACK_URL, on: run_failed }]\n",
        expect![""],
    );
}

#[test]
fn keys_are_a_closed_set() {
    check_root(
        "journl: local",
        expect![[r#"
            1:1 journl | error[settings-key]: `journl` is no key of launchway.yml
                hint: did you mean `journal`? The keys here are: version, project, journal, journal_credentials, services, order, groups, environments, notify, coverage, images, never_skip, goals, releases, mail, private_receivers
        "#]],
    );
    check_root(
        "deploy_to_mars: true",
        expect![[r#"
            1:1 deploy_to_mars | error[settings-key]: `deploy_to_mars` is no key of launchway.yml
                hint: the keys here are: version, project, journal, journal_credentials, services, order, groups, environments, notify, coverage, images, never_skip, goals, releases, mail, private_receivers
        "#]],
    );
    check_service(
        "helth: /health",
        expect![[r#"
            2:33 helth | error[settings-key]: `helth` is no key of `services.api`
                hint: did you mean `health`? The keys here are: build, image, bundle, run, health, migrate, version, owns, env, settings, secrets, target, targets, strategy, verify
        "#]],
    );
    check_root(
        "services:\n  api: { run: [app], health: { path: /health } }",
        expect![[r#"
            2:32 path | error[settings-key]: `path` is no key of `services.api.health`
                hint: did you mean `paths`? The keys here are: paths, settle, within, timeout, every
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
            1:10 /var/lib/journal | error[settings-value]: '/var/lib/journal' is not `local`, `alone`, or a bucket: it is neither `local`, nor `alone`, nor s3://BUCKET/PREFIX
                hint: write `local`, `alone`, or a bucket, such as s3://bucket/prefix
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
            2:61 run | error[settings-key]: `get` and `run` exclude one another in `services.api.verify.smoke`
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

#[test]
fn a_maximum_of_images_is_a_size() {
    check_root("images: { maximum: 500MB, names: { api: 300MiB, octo/web: 1GB } }", expect![""]);
    check_root(
        "images: { maximum: 500, names: { api: large } }",
        expect![[r#"
        1:20 500 | error[settings-value]: '500' does not do here
            hint: write a size from 1B to 1024GiB with its unit (B, KB, MB, GB, KiB, MiB, GiB), such as 512MiB
        1:39 large | error[settings-value]: 'large' does not do here
            hint: write a size from 1B to 1024GiB with its unit (B, KB, MB, GB, KiB, MiB, GiB), such as 512MiB
    "#]],
    );
    check_root(
        "images: 500MB",
        expect![[r#"
        1:9 500MB | error[settings-value]: '500MB' does not do here
            hint: a mapping is expected here, with the keys: maximum, names
    "#]],
    );
}

#[test]
fn a_minimum_of_coverage_is_whole_percent() {
    check_root("coverage: { minimum: 80, flags: { api: 85, \"py3.11\": 1 } }", expect![""]);
    check_root(
        "coverage: { minimum: 101, flags: { api: 0 } }",
        expect![[r#"
        1:22 101 | error[settings-value]: '101' does not do here
            hint: write a whole number from 1 to 100
        1:41 0 | error[settings-value]: '0' does not do here
            hint: write a whole number from 1 to 100
    "#]],
    );
    check_root(
        "coverage: { minimum: 79.5, minimun: 3 }",
        expect![[r#"
            1:22 79.5 | error[settings-value]: '79.5' does not do here
                hint: write a whole number from 1 to 100
            1:28 minimun | error[settings-key]: `minimun` is no key of `coverage`
                hint: did you mean `minimum`? The keys here are: minimum, flags
        "#]],
    );
    check_root(
        "coverage: { maximum: 90, flags: { api: 85 } }",
        expect![[r#"
            1:13 maximum | error[settings-key]: `maximum` is no key of `coverage`
                hint: did you mean `minimum`? The keys here are: minimum, flags
        "#]],
    );
    check_root(
        "coverage: 80",
        expect![[r#"
        1:11 80 | error[settings-value]: '80' does not do here
            hint: a mapping is expected here, with the keys: minimum, flags
    "#]],
    );
}
