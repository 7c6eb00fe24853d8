//! The delivery workflows of the seed documents as they were written: here they end as
//! `docs/seeds.md` says that they end on GitHub, and say why.

use std::path::Path;

use expect_test::{Expect, expect};

use crate::harness::{Place, Said};

/// A repository with one of the seeds' workflows.
fn seed(name: &str) -> Place {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/seeds");
    let text = std::fs::read_to_string(examples.join(name)).expect("a seed");
    Place::with(&[(".github/workflows/seed.yml", &text)])
}

/// Whether the log has a line with this text.
fn says(said: &Said, text: &str) -> bool {
    said.of("log").iter().any(|line| line["text"].as_str().is_some_and(|it| it.contains(text)))
}

/// The job that signs in has no `id-token: write`.
fn check_sign_in(name: &str, args: &[&str], expect: Expect) {
    let place = seed(name);
    let said = place.json(&[&["run"], args, &["-W", ".github/workflows/seed.yml"]].concat());
    expect.assert_eq(&said.verdict());
    for words in [
        "Did you mean to set the `id-token` permission?",
        "Could not load credentials from any providers",
    ] {
        assert!(says(&said, words), "{words}: {}", said.stdout);
    }
}

#[test]
fn s0_deploy_fails_at_its_sign_in() {
    check_sign_in(
        "s0-deploy.yml",
        &["workflow_dispatch", "--input", "confirm=DEPLOY", "--environment", "production"],
        expect![[r#"
            deploy: failure
              Configure AWS credentials (OIDC): failure, failure
              Login to Amazon ECR: skipped, skipped
              Build Docker image: skipped, skipped
              Push to ECR: skipped, skipped
              Update ECS task definition: skipped, skipped
              Deploy to ECS: skipped, skipped
              Verify deployment: skipped, skipped
            .github/workflows/seed.yml failure
            exit 1
        "#]],
    );
}

#[test]
fn s0_rollback_fails_at_its_sign_in() {
    let inputs = ["--input", "confirm=ROLLBACK", "--input", "task_revision=7"];
    check_sign_in(
        "s0-rollback.yml",
        &[&["workflow_dispatch"][..], &inputs].concat(),
        expect![[r#"
            rollback: failure
              Configure AWS credentials: failure, failure
              Rollback ECS service: skipped, skipped
              Wait for stability: skipped, skipped
              Verify health: skipped, skipped
            .github/workflows/seed.yml failure
            exit 1
        "#]],
    );
}

#[test]
fn s4_deploy_fails_at_its_sign_in() {
    let role = "AWS_DEPLOYER_ROLE_ARN=arn:aws:iam::111122223333:role/deployer";
    check_sign_in(
        "s4-deploy.yml",
        &["workflow_dispatch", "--input", "environment=dev", "--environment", "dev", "--var", role],
        expect![[r#"
            deploy: failure
              Configure AWS credentials: failure, failure
              Build, tag, and push image to Amazon ECR: skipped, skipped
              Login to Amazon ECR: skipped, skipped
              Push image: skipped, skipped
              Download current task definition: skipped, skipped
              Fill in the new image ID: skipped, skipped
              Deploy Amazon ECS task definition: skipped, skipped
            .github/workflows/seed.yml failure
            exit 1
        "#]],
    );
}

/// Jobs find docker at its usual place only: there it is, or it is started for the tests.
#[cfg(feature = "docker")]
pub(crate) fn need_docker() {
    use std::sync::Once;

    use crate::daemon;

    // Two that begin at once would take the socket and the data from each other, and neither would answer again.
    static READY: Once = Once::new();
    READY.call_once(|| {
        let at = |name: &str| Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let (pid, log) = (at("dockerd.pid"), at("dockerd.log"));
        // It answers until it is gone: whoever took it for another's would lose it in the middle of a build.
        daemon::the_one_before_ends(&pid);
        let answers = || daemon::run("docker", &["version"]);
        if answers() {
            return;
        }
        let file = pid.display().to_string();
        let words = ["--bridge", "none", "--iptables=false", "--pidfile", &file];
        daemon::start_dockerd(&words, &pid, &log, answers);
    });
}

/// Its build is good, its image is nowhere, and its last step hides that.
#[cfg(feature = "docker")]
#[test]
fn s0_build_is_green_though_its_image_is_not_there() {
    need_docker();
    let place = seed("s0-build.yml");
    let busybox = ["/bin/busybox", "/usr/bin/busybox"].map(Path::new);
    let busybox = busybox.into_iter().find(|path| path.exists()).expect("busybox is installed");
    std::fs::copy(busybox, place.repository().join("busybox")).expect("a copy");
    place.write("requirements.txt", "fastapi\n");
    place.commit();
    place.git(&["checkout", "--quiet", "-b", "change"]);
    place
        .write("Dockerfile", "FROM scratch\nCOPY busybox /busybox\nCMD [\"/busybox\", \"true\"]\n");
    place.commit();
    let said = place.json(&["run", "pull_request", "-W", ".github/workflows/seed.yml"]);
    expect![[r#"
        build: success
        .github/workflows/seed.yml success
        exit 0
    "#]]
    .assert_eq(&said.verdict());
    for words in [
        "docker has no image of it",
        "Unable to find image 'sandbox-broker-api:test' locally",
        "Built successfully",
    ] {
        assert!(says(&said, words), "{words}: {}", said.stdout);
    }
}

/// The image that S0 builds upon: whoever has it keeps it, else it is made of Debian's packages for
/// as long as the test lasts. The tier puts them there.
#[cfg(feature = "docker")]
struct BaseImage {
    is_ours: bool,
}

#[cfg(feature = "docker")]
impl BaseImage {
    const NAME: &str = "python:3.11-slim";

    fn ready() -> BaseImage {
        let is_ours = !docker(&["image", "inspect", BaseImage::NAME]);
        if is_ours {
            let target = Path::new(env!("CARGO_BIN_EXE_launchway")).ancestors().nth(2);
            let archive = target.expect("a target folder").join("seeds/python.tar");
            let archive = archive.display().to_string();
            let path = "ENV PATH=/usr/local/bin:/usr/bin:/bin";
            let pip = "ENV PIP_BREAK_SYSTEM_PACKAGES=1";
            let args = ["import", "--change", path, "--change", pip, &archive, BaseImage::NAME];
            assert!(docker(&args), "{archive} is no image: the tier `docker` makes it");
        }
        BaseImage { is_ours }
    }
}

#[cfg(feature = "docker")]
impl Drop for BaseImage {
    fn drop(&mut self) {
        docker(&["image", "rm", "sandbox-broker-api:mended"]);
        if self.is_ours {
            docker(&["image", "rm", BaseImage::NAME]);
        }
    }
}

#[cfg(feature = "docker")]
fn docker(args: &[&str]) -> bool {
    let mut command = std::process::Command::new("docker");
    command.args(args).output().expect("docker is installed").status.success()
}

/// Mended, it fails where the image cannot start, and shows what the image says where it can.
#[cfg(feature = "docker")]
#[test]
fn s0_build_mended_starts_the_image_that_it_built() {
    need_docker();
    let _base = BaseImage::ready();
    let place = seed("s0-build.yml");
    let said = place.run(&["init", "--yes"]);
    assert_eq!(said.exit, 0, "{}{}", said.stdout, said.stderr);
    // Another test counts on it that no image is called as the seed calls it.
    let path = place.repository().join(".github/workflows/seed.yml");
    let mended = std::fs::read_to_string(path).expect("it is there");
    let mended = mended.replace("sandbox-broker-api:test", "sandbox-broker-api:mended");
    place.write(".github/workflows/seed.yml", &mended);
    place.write("requirements.txt", "idna\n");
    place.commit();
    place.git(&["checkout", "--quiet", "-b", "change"]);
    place.write("app/__main__.py", "import sys\nprint('broker', *sys.argv[1:])\n");
    let dockerfile = |last: &str| {
        format!(
            "FROM python:3.11-slim\nWORKDIR /app\nCOPY requirements.txt .\n\
            RUN pip install --no-cache-dir -r requirements.txt\nCOPY app app\n{last}\n"
        )
    };
    let check = |last: &str, expect: Expect| {
        place.write("Dockerfile", &dockerfile(last));
        place.commit();
        let said = place.json(&["run", "pull_request", "-W", ".github/workflows/seed.yml"]);
        expect.assert_eq(&said.verdict());
        said
    };
    let said = check(
        "ENTRYPOINT [\"python\", \"-m\", \"app\"]",
        expect![[r#"
        build: success
        .github/workflows/seed.yml success
        exit 0
    "#]],
    );
    assert!(says(&said, "broker --version"), "{}", said.stdout);
    let said = check(
        "CMD [\"python\", \"-m\", \"app\"]",
        expect![[r#"
        build: failure
          Test image: failure, failure
        .github/workflows/seed.yml failure
        exit 1
    "#]],
    );
    assert!(says(&said, "executable file not found"), "{}", said.stdout);
}
