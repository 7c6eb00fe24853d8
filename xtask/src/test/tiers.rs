//! The tiers of tests: what each needs, and what is run.

/// A group of tests that need the same things.
pub(super) struct Tier {
    pub(super) name: &'static str,
    /// What must be there.
    pub(super) needs: &'static [Need],
    /// What is run, in this order.
    pub(super) steps: &'static [Step],
    /// Whether it runs without being asked for.
    pub(super) usual: bool,
}

/// A program that must answer, with the Debian package that brings it.
pub(super) struct Need {
    pub(super) name: &'static str,
    pub(super) program: &'static str,
    pub(super) args: &'static [&'static str],
    pub(super) package: &'static str,
}

/// One command: words between blanks, started in the repository's root. `{target}` is cargo's folder.
pub(super) enum Step {
    /// `cargo test`, which counts by itself.
    Tests(&'static str),
    /// Any other program: one test, passed where it succeeds.
    One(&'static str),
    /// Makes the others possible. It counts only where it fails; the tier ends there.
    Ready(&'static str),
}

/// A program that says which version it is.
const fn program(name: &'static str, package: &'static str) -> Need {
    Need { name, program: name, args: &["--version"], package }
}

const GIT: Need = program("git", "git");
const BASH: Need = program("bash", "bash");
/// It has no `--version`; asked for what it does not know it says how it is used.
const SSH_KEYGEN: Need = Need {
    name: "ssh-keygen",
    program: "sh",
    args: &["-c", "command -v ssh-keygen"],
    package: "openssh-client",
};
const PERL: Need = program("perl", "perl");
/// Workflows say `shell: python`.
const PYTHON: Need = program("python", "python-is-python3");
const PYTHON_3_11: Need = program("python3.11", "python3.11-venv");
const NODE: Need = program("node", "nodejs");
const NODE_20: Need = Need {
    name: "node 20",
    program: "sh",
    args: &["-c", "node --version | grep '^v20[.]'"],
    package: "nodejs",
};
const NPM: Need = program("npm", "npm");
/// Debian keeps the server's programs off the PATH.
const POSTGRES: Need = Need {
    name: "postgres",
    program: "sh",
    args: &["-c", "command -v postgres || ls /usr/lib/postgresql/*/bin/postgres"],
    package: "postgresql",
};
const REDIS: Need = program("redis-server", "redis-server");

/// Debian's, headless.
const CHROMIUM: Need = program("chromium", "chromium");
const CURL: Need = program("curl", "curl");
const DOCKER: Need = program("docker", "docker.io");
const DOCKERD: Need = program("dockerd", "docker.io");
const REGISTRY: Need = program("docker-registry", "docker-registry");
/// A daemon of containers gets a bridge of its own.
const IP: Need = Need { name: "ip", program: "ip", args: &["-V"], package: "iproute2" };
const CPIO: Need = program("cpio", "cpio");
/// It calculates a machine, where nobody gives one.
const QEMU: Need = program("qemu-system-x86_64", "qemu-system-x86");
const STRIP: Need = program("strip", "binutils");
/// Images of the tests hold nothing else; it must not need a library.
const BUSYBOX: Need =
    Need { name: "busybox", program: "busybox", args: &["true"], package: "busybox-static" };
/// The base image that the seeds name is made of Debian's packages.
const MMDEBSTRAP: Need = program("mmdebstrap", "mmdebstrap");

/// What the server of the tier `ministack` needs; its client, too.
pub(super) const MINISTACK: &str = concat!(
    "{target}/ministack/bin/pip install --quiet --disable-pip-version-check ",
    "ministack==1.5.33 docker==7.2.0 cryptography==50.0.2 botocore==1.43.106"
);

/// What drives Chromium, and what looks whether everybody can use a page.
pub(super) const BROWSER: &str = concat!(
    "npm install --silent --no-audit --no-fund --prefix {target}/browser ",
    "playwright-core@1.65.1 axe-core@4.14.1"
);

/// What makes requests up from a document of OpenAPI.
const SCHEMATHESIS: &str = concat!(
    "{target}/schemathesis/bin/pip install --quiet --disable-pip-version-check ",
    "schemathesis==4.32.5"
);

/// A server of S3.
const MOTO: &str =
    "{target}/moto/bin/pip install --quiet --disable-pip-version-check moto[server,s3]==5.2.5";

/// The features of launchway's tests that need real parts. Each tier names them all and chooses its tests
/// by name: the binary is built once for them, not once for each.
macro_rules! real {
    () => {
        "examples,docker,ministack,postgres,smtp,browser,schemathesis,sign-in,machine"
    };
}

/// The same, for whoever starts that binary elsewhere.
pub(crate) const REAL: &str = real!();

pub(super) const TIERS: &[Tier] = &[
    Tier {
        name: "crates",
        needs: &[GIT, BASH, PERL, PYTHON, NODE, SSH_KEYGEN],
        steps: &[Step::Tests("cargo test --workspace --quiet --no-fail-fast")],
        usual: true,
    },
    // Ours against GitHub's own packages, on what is generated from seeds: docs/differences.md says
    // where they may differ. The registry is asked.
    Tier {
        name: "differential",
        needs: &[NODE, NPM],
        steps: &[
            Step::Ready("mkdir -p {target}/differential"),
            Step::Ready("cp -rT crates/expr/differential {target}/differential/expr"),
            Step::Ready("npm ci --silent --prefix {target}/differential/expr"),
            Step::One(
                "cargo run --quiet -p expr --example differential -- {target}/differential/expr 20000",
            ),
            Step::Ready("cp -rT crates/workflow/differential {target}/differential/workflow"),
            Step::Ready("npm install --silent --prefix {target}/differential/workflow"),
            Step::Ready("cargo build --quiet -p workflow --example verdicts"),
            Step::One(concat!(
                "node --import {target}/differential/workflow/json.js ",
                "{target}/differential/workflow/compare.js {target}/debug/examples/verdicts ",
                "docs/differences.md 1 4000 {target}/differential/mutants-1"
            )),
            Step::One(concat!(
                "node --import {target}/differential/workflow/json.js ",
                "{target}/differential/workflow/compare.js {target}/debug/examples/verdicts ",
                "docs/differences.md 2 4000 {target}/differential/mutants-2"
            )),
            Step::One(concat!(
                "node --import {target}/differential/workflow/json.js ",
                "{target}/differential/workflow/compare.js {target}/debug/examples/verdicts ",
                "docs/differences.md 3 4000 {target}/differential/mutants-3"
            )),
            Step::One(concat!(
                "node --import {target}/differential/workflow/json.js ",
                "{target}/differential/workflow/compare.js {target}/debug/examples/verdicts ",
                "docs/differences.md 4 4000 {target}/differential/mutants-4"
            )),
        ],
        usual: true,
    },
    // The model cloud against botocore, AWS's own client: its models judge every answer, its waiters
    // run on it. The registry is asked.
    Tier {
        name: "contract",
        needs: &[PYTHON_3_11],
        steps: &[
            Step::Ready("python3.11 -m venv {target}/contract"),
            Step::Ready(
                "{target}/contract/bin/pip install --quiet --disable-pip-version-check botocore==1.43.106",
            ),
            Step::Ready("cargo build --quiet -p model-cloud --example serve"),
            Step::One(
                "{target}/contract/bin/python crates/model-cloud/contract/check.py {target}/debug/examples/serve",
            ),
        ],
        usual: true,
    },
    // What we say to GitHub, and what the model of it says, against GitHub's own schemas; its own
    // examples of webhooks are read, and libsodium opens what we seal. The registries are asked.
    Tier {
        name: "github",
        needs: &[GIT, NODE, NPM, PYTHON_3_11],
        steps: &[
            Step::Ready("mkdir -p {target}/github"),
            Step::Ready("cp -rT crates/forge/contract {target}/github"),
            Step::Ready("npm install --silent --prefix {target}/github"),
            // What jobs send by themselves is sent by the action.
            Step::Ready("cargo build --quiet -p actions --example native"),
            Step::Ready("cargo build --quiet -p forge --example contract"),
            Step::One("node {target}/github/check.js {target}/debug/examples/contract"),
            Step::Ready("python3.11 -m venv {target}/libsodium"),
            Step::Ready(
                "{target}/libsodium/bin/pip install --quiet --disable-pip-version-check pynacl==1.6.2",
            ),
            Step::Ready("cargo build --quiet -p forge --example sealed"),
            Step::One(concat!(
                "{target}/libsodium/bin/python crates/forge/contract/open.py ",
                "{target}/debug/examples/sealed"
            )),
        ],
        usual: true,
    },
    // The examples with PyPI, npm, PostgreSQL and Redis.
    Tier {
        name: "examples",
        needs: &[GIT, BASH, NODE_20, NPM, PYTHON_3_11, POSTGRES, REDIS],
        steps: &[Step::Tests(concat!(
            "cargo test --quiet -p launchway --features ",
            real!(),
            " --test e2e examples::"
        ))],
        usual: true,
    },
    // Real databases: migrations, dumps in a bucket. The registry of Python is asked.
    Tier {
        name: "postgres",
        needs: &[GIT, PYTHON_3_11, POSTGRES],
        steps: &[
            Step::Ready("python3.11 -m venv {target}/moto"),
            Step::Ready(MOTO),
            Step::Tests("cargo test --quiet -p backup --features postgres"),
            // The contract of the store, on the other engine.
            Step::Tests("cargo test --quiet -p store --features postgres --test door postgres"),
            Step::Tests(concat!(
                "cargo test --quiet -p launchway --features ",
                real!(),
                " --test e2e databases::"
            )),
        ],
        usual: true,
    },
    // Email, to a server of SMTP. The registry of Python is asked.
    Tier {
        name: "smtp",
        needs: &[GIT, PYTHON_3_11],
        steps: &[
            Step::Ready("python3.11 -m venv {target}/smtp"),
            Step::Ready(
                "{target}/smtp/bin/pip install --quiet --disable-pip-version-check aiosmtpd==1.4.6",
            ),
            Step::Tests(concat!(
                "cargo test --quiet -p launchway --features ",
                real!(),
                " --test e2e mail::"
            )),
        ],
        usual: true,
    },
    // People sign in by a provider of OpenID Connect. The registry of npm is asked.
    Tier {
        name: "sign-in",
        needs: &[GIT, BASH, NODE, NPM, CHROMIUM],
        steps: &[
            Step::Ready("mkdir -p {target}/oidc {target}/browser"),
            Step::Ready(BROWSER),
            Step::Ready(
                "npm install --silent --no-audit --no-fund --prefix {target}/oidc oidc-provider@9.13.3",
            ),
            Step::Tests(concat!(
                "cargo test --quiet -p launchway --features ",
                real!(),
                " --test e2e sign_in::real"
            )),
        ],
        usual: true,
    },
    // Docker's actions with a real docker, which is started where none answers.
    Tier {
        name: "docker",
        needs: &[
            GIT,
            DOCKER,
            DOCKERD,
            REGISTRY,
            BUSYBOX,
            CURL,
            PYTHON_3_11,
            MMDEBSTRAP,
            IP,
            POSTGRES,
        ],
        steps: &[
            // The seeds' workflows call AWS's own command line.
            Step::Ready("python3.11 -m venv {target}/seeds"),
            Step::Ready(
                "{target}/seeds/bin/pip install --quiet --disable-pip-version-check awscli==1.45.11",
            ),
            Step::Ready(concat!(
                "mmdebstrap --quiet --variant=extract ",
                "--include=dash,coreutils,python3-minimal,python3-pip,python3-idna,python-is-python3 ",
                "bookworm {target}/seeds/python.tar"
            )),
            Step::Ready(concat!("cargo build --quiet -p launchway --features ", real!())),
            Step::Ready("cargo xtask image --parts --binary {target}/debug/launchway"),
            Step::Tests("cargo test --quiet -p actions --features docker docker::"),
            // Jobs find docker at its usual place only.
            Step::Tests(concat!(
                "cargo test --quiet -p launchway --features ",
                real!(),
                " --test e2e -- ",
                "seeds:: build:: contained:: containers:: corrected:: image:: own_workflows:: walkthroughs::"
            )),
            Step::Tests("cargo test --quiet -p registry --features docker --test real"),
            // A daemon of their own, with a bridge of its own.
            Step::Tests("cargo test --quiet -p target-host --features docker --test docker"),
            Step::Tests(
                "cargo test --quiet -p target-host --features docker --test load containers",
            ),
        ],
        usual: true,
    },
    // The real binary against a server that speaks AWS's API and runs containers. The registry of
    // Python is asked.
    Tier {
        name: "ministack",
        needs: &[GIT, PYTHON_3_11, DOCKER, DOCKERD, BUSYBOX],
        steps: &[
            Step::Ready("python3.11 -m venv {target}/ministack"),
            Step::Ready(MINISTACK),
            // They mostly wait.
            Step::Tests(concat!(
                "cargo test --quiet -p launchway --features ",
                real!(),
                " --test ministack ",
                "-- --test-threads 8"
            )),
        ],
        usual: true,
    },
    // DORA's five figures, calculated a second time, in another language, from generated histories.
    Tier {
        name: "numbers",
        needs: &[PYTHON_3_11],
        steps: &[
            Step::Ready("cargo build --quiet -p figures --example dora"),
            Step::One(
                "python3.11 crates/figures/differential/dora.py {target}/debug/examples/dora 150",
            ),
            Step::One(
                "python3.11 crates/figures/differential/jobs.py {target}/debug/examples/dora 150",
            ),
        ],
        usual: true,
    },
    // The shared journal against a server of S3 that is not ours. The registry of Python is asked.
    Tier {
        name: "moto",
        needs: &[PYTHON_3_11],
        steps: &[
            Step::Ready("python3.11 -m venv {target}/moto"),
            Step::Ready(MOTO),
            Step::Tests("cargo test --quiet -p bucket --features moto --test moto"),
        ],
        usual: true,
    },
    // The server's API against its own document, by a program that makes requests up. The registry of Python
    // is asked.
    Tier {
        name: "api",
        needs: &[GIT, BASH, PYTHON_3_11],
        steps: &[
            Step::Ready("python3.11 -m venv {target}/schemathesis"),
            Step::Ready(SCHEMATHESIS),
            Step::Tests(concat!(
                "cargo test --quiet -p launchway --features ",
                real!(),
                " --test e2e examined::"
            )),
        ],
        usual: true,
    },
    // Every page of the server in a real browser. The registry of npm is asked.
    Tier {
        name: "browser",
        needs: &[GIT, BASH, NODE, NPM, CHROMIUM],
        steps: &[
            Step::Ready("mkdir -p {target}/browser"),
            Step::Ready(BROWSER),
            Step::Tests(concat!(
                "cargo test --quiet -p launchway --features ",
                real!(),
                " --test e2e browser::"
            )),
        ],
        usual: true,
    },
    // Limits of jobs as systemd and the kernel keep them, on a machine that is the tests' own.
    Tier {
        name: "machine",
        needs: &[GIT, MMDEBSTRAP, CPIO, QEMU, STRIP],
        steps: &[Step::Tests("cargo xtask machine")],
        usual: true,
    },
    // A hundred kills; minutes.
    Tier {
        name: "soak",
        needs: &[
            GIT,
            BASH,
            PYTHON_3_11,
            POSTGRES,
            DOCKER,
            DOCKERD,
            BUSYBOX,
            REGISTRY,
            IP,
            NODE,
            NPM,
            CHROMIUM,
        ],
        steps: &[
            Step::Tests(
                "cargo test --quiet -p launchway --features soak,postgres --test e2e -- soak:: webhooks:: --nocapture --test-threads 1",
            ),
            // A log of a million lines, in a real browser.
            Step::Ready("mkdir -p {target}/browser"),
            Step::Ready(BROWSER),
            Step::Tests(
                "cargo test --quiet -p launchway --features soak,browser --test e2e -- browser::a_million --nocapture",
            ),
            Step::Ready("cargo build --quiet -p figures --example dora"),
            Step::One(
                "python3.11 crates/figures/differential/dora.py {target}/debug/examples/dora 1000 1000",
            ),
            Step::One(
                "python3.11 crates/figures/differential/jobs.py {target}/debug/examples/dora 1000 1000",
            ),
            // What a server holds when nothing happens does not grow with what is past.
            // Of what people run: the code alone of a build without optimisation is more than is allowed.
            Step::Ready("cargo build --quiet --release -p launchway"),
            Step::Ready("cargo build --quiet -p figures --example fill"),
            Step::One(concat!(
                "python3.11 crates/figures/differential/idle.py {target}/release/launchway ",
                "{target}/debug/examples/fill 10000 1000000"
            )),
            Step::One(concat!(
                "python3.11 crates/figures/differential/idle.py --postgresql ",
                "{target}/release/launchway {target}/debug/examples/fill 10000 1000000"
            )),
            // The whole load on a service while it is replaced.
            Step::Tests(
                "cargo test --quiet -p target-host --features soak,docker --test load -- --nocapture",
            ),
            Step::Ready("python3.11 -m venv {target}/ministack"),
            Step::Ready(MINISTACK),
            Step::Tests(concat!(
                "cargo test --quiet -p launchway --features soak,ministack --test ministack ",
                "kills:: -- --nocapture"
            )),
        ],
        usual: false,
    },
];
