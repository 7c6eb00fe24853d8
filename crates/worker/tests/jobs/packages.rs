//! What a job installs stays in the job: real package managers, on a machine whose person has an
//! interpreter, a home and secrets of their own.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use crate::harness::{Told, start_with};

/// A wheel with one module and one command, as bytes that pip takes: made by the interpreter, since
/// a zip is more than one line here.
const MAKE_WHEEL: &str = r#"
import zipfile
with zipfile.ZipFile("launchway_probe-1.0-py3-none-any.whl", "w") as wheel:
    wheel.writestr("launchway_probe.py", "def main(): print('probed')\n")
    info = "launchway_probe-1.0.dist-info/"
    wheel.writestr(info + "METADATA", "Metadata-Version: 2.1\nName: launchway-probe\nVersion: 1.0\n")
    wheel.writestr(info + "WHEEL", "Wheel-Version: 1.0\nGenerator: us\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
    wheel.writestr(info + "entry_points.txt", "[console_scripts]\nlaunchway-probe = launchway_probe:main\n")
    wheel.writestr(info + "RECORD", "")
"#;

/// A person's machine: what a test may not find changed.
struct Machine {
    folder: tempfile::TempDir,
}

impl Machine {
    /// A home with tokens in it.
    fn new() -> Machine {
        let folder = tempfile::tempdir().expect("a scratch folder");
        let path = |name: &str| folder.path().join(name);
        std::fs::create_dir_all(path("home/.cargo/registry")).expect("a home");
        for (name, text) in [
            ("home/.cargo/credentials.toml", "[registry]\ntoken = \"cio-secret\"\n"),
            ("home/.npmrc", "//registry.example.com/:_authToken=npm-secret\n"),
            ("home/.pypirc", "[pypi]\npassword = pypi-secret\n"),
        ] {
            std::fs::write(path(name), text).expect("a file");
        }
        Machine { folder }
    }

    /// And an interpreter with pip, of which every file is the person's.
    fn with_python() -> Machine {
        let machine = Machine::new();
        let made = Command::new("python3")
            .args(["-I", "-m", "venv"])
            .arg(machine.folder.path().join("python"))
            .status()
            .expect("python3 is on PATH");
        assert!(made.success());
        machine
    }

    fn run(&self, steps: &str) -> Told {
        let path = std::env::var("PATH").expect("a PATH");
        let path = format!("{}/python/bin:{path}", self.folder.path().display());
        let home = self.folder.path().join("home");
        // rustup's programs on PATH want to know where their toolchains are.
        let toolchains = std::env::var("RUSTUP_HOME").unwrap_or_else(|_| {
            let home = std::env::home_dir().expect("a home");
            home.join(".rustup").display().to_string()
        });
        let variables = [
            ("PATH", path.as_str()),
            ("HOME", home.to_str().expect("a path of ours")),
            ("RUSTUP_HOME", toolchains.as_str()),
        ];
        let workflow =
            format!("on: push\njobs:\n  job:\n    runs-on: ubuntu-latest\n    steps:\n{steps}");
        start_with(&workflow, &variables, |_| {}).finish()
    }

    /// Every file with its size, and when it or its folder changed.
    fn files(&self) -> BTreeMap<String, (u64, std::time::SystemTime)> {
        let mut found = BTreeMap::new();
        let mut folders = vec![self.folder.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(&folder).expect("a folder") {
                let path = entry.expect("an entry").path();
                // What an interpreter keeps of the sources that it read is not the job's doing.
                if path.ends_with("__pycache__") {
                    continue;
                }
                let meta = std::fs::symlink_metadata(&path).expect("it is there");
                found.insert(
                    path.display().to_string(),
                    (meta.len(), meta.modified().expect("a time")),
                );
                if meta.is_dir() && !path.join("__pycache__").exists() {
                    folders.push(path);
                }
            }
        }
        found
    }
}

#[track_caller]
fn has_lines(told: &Told, expected: &[&str]) {
    let text = told.text();
    let mut lines = text.lines();
    for wanted in expected {
        assert!(lines.any(|line| line == *wanted), "no line {wanted:?} in order in:\n{text}");
    }
}

#[test]
fn what_pip_installs_stays_in_the_job() {
    let machine = Machine::with_python();
    let before = machine.files();
    let script = format!("cat > wheel.py <<'EOF'{MAKE_WHEEL}EOF\npython wheel.py\n");
    let script: String = script.lines().map(|line| format!("          {line}\n")).collect();
    let told = machine.run(&format!(
        r#"
      - run: |
{script}
          pip install --no-index ./*.whl >installed && launchway-probe
      - run: |
          python -c 'import launchway_probe; print("python", launchway_probe.__name__)'
          python3 -c 'import launchway_probe; print("python3", launchway_probe.__name__)'
          python -m pip uninstall --yes launchway-probe >removed
          python -c 'import launchway_probe' 2>error || tail -1 error
      - name: into the person's home, which is the job's
        run: |
          python3 -m pip install --user --no-index ./*.whl >installed
          launchway-probe; python3 -c 'import launchway_probe as it; print(it.__file__)'
      - name: an environment in the workspace
        run: |
          python -m venv environment
          . environment/bin/activate
          pip install --no-index ./*.whl >installed
          python -c 'import launchway_probe as it; print(it.__file__)'
      - name: what the machine had is in sight, and stays
        run: |
          pip uninstall --yes pip 2>&1 | grep -o 'outside environment'
          python -m pip --version >version
"#
    ));
    has_lines(
        &told,
        &[
            "probed",
            "python launchway_probe",
            "python3 launchway_probe",
            "ModuleNotFoundError: No module named 'launchway_probe'",
            "probed",
        ],
    );
    let text = told.text();
    assert!(text.contains("\n/FOLDER/job/home/.local/lib/python3."), "{text}");
    assert!(text.contains("\n/FOLDER/job/work/demo/demo/environment/lib/python3."), "{text}");
    assert!(text.contains("\noutside environment\n"), "{text}");
    assert!(!text.contains("##[error]"), "{text}");
    assert_eq!(machine.files(), before);
}

#[test]
fn an_interpreter_by_its_full_name_finds_the_same_packages() {
    let machine = Machine::with_python();
    let before = machine.files();
    let told = machine.run(
        r#"
      - run: |
          version=$(python3 -c 'import sys; print("python3.%d" % sys.version_info[1])')
          for name in python python3 "$version" python3 python; do
            "$name" -c 'import sys; print(sys.prefix)'
          done
          pip --version >first; pip --version | cmp - first
          python3 -m pip --version | cmp - first
          ls "${GITHUB_WORKSPACE%/work/*}/packages"
          echo "VIRTUAL_ENV=$VIRTUAL_ENV"
"#,
    );
    has_lines(
        &told,
        &[
            "/FOLDER/job/packages/python",
            "/FOLDER/job/packages/python",
            "/FOLDER/job/packages/python",
            "/FOLDER/job/packages/python",
            "/FOLDER/job/packages/python",
            "environment.py",
            "npmrc",
            "python",
            "python.sh",
            "shims",
            "VIRTUAL_ENV=",
        ],
    );
    assert_eq!(machine.files(), before);
}

/// The machine's own, which no environment stands in front of: its names lead to one.
#[test]
fn names_of_one_interpreter_share_an_environment() {
    let machine = Machine::new();
    let told = machine.run(
        r#"
      - run: |
          version=$(python3 -c 'import sys; print("python3.%d" % sys.version_info[1])')
          command -v "$version" >/dev/null || version=python3
          "$version" -c 'import sys; print(sys.prefix)'
          hash -r
          "$version" -c 'import sys; print(sys.prefix)'
          python3 -c 'import sys; print(sys.prefix)'
          cd "${GITHUB_WORKSPACE%/work/*}/packages" && ls -d python*/
"#,
    );
    has_lines(
        &told,
        &[
            "/FOLDER/job/packages/python",
            "/FOLDER/job/packages/python",
            "/FOLDER/job/packages/python",
        ],
    );
    assert!(told.text().ends_with("\npython/\n"), "{}", told.text());
}

/// A version manager's program asks PATH for what it does not have itself, and finds ours there.
#[test]
fn a_version_manager_that_looks_on_path_ends() {
    let machine = Machine::new();
    let folder = machine.folder.path().join("python/bin");
    std::fs::create_dir_all(&folder).expect("a folder");
    for (name, script) in
        [("python3", "exec python3 \"$@\""), ("python3.29", "exec python3.29 \"$@\"")]
    {
        let script = format!("#!/bin/sh\n{script}\n");
        std::fs::write(folder.join(name), script).expect("a script");
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(folder.join(name), mode).expect("a mode");
    }
    let told = machine.run(
        r#"
      - run: |
          python3 -c 'import sys; print(sys.prefix)'
          python3 -c 'import sys; print(sys.prefix)'
          python3.29 --version 2>&1 || echo "exit $?"
"#,
    );
    has_lines(
        &told,
        &[
            "/FOLDER/job/packages/python",
            "/FOLDER/job/packages/python",
            "python3.29: command not found",
            "exit 127",
        ],
    );
}

#[test]
fn what_npm_installs_globally_stays_in_the_job() {
    let machine = Machine::new();
    let before = machine.files();
    let told = machine.run(
        r#"
      - run: |
          mkdir probe && cd probe
          echo '{"name": "launchway-probe", "version": "1.0.0", "bin": "probe.js"}' >package.json
          printf '#!/usr/bin/env node\nconsole.log("probed")\n' >probe.js
          npm pack --silent
          npm install --global --offline --silent ./launchway-probe-1.0.0.tgz
      - run: |
          launchway-probe
          npm root --global
          cat ~/.npmrc 2>/dev/null || echo "no tokens"
"#,
    );
    has_lines(&told, &["probed", "/FOLDER/job/home/.local/lib/node_modules", "no tokens"]);
    assert_eq!(machine.files(), before);
}

#[test]
fn what_cargo_and_go_install_stays_in_the_job() {
    let machine = Machine::new();
    let before = machine.files();
    let told = machine.run(
        r#"
      - run: |
          cargo init --quiet --vcs none --name launchway-probe .
          cargo install --quiet --offline --path . && launchway-probe
          echo "$CARGO_HOME"
          cat "$CARGO_HOME/credentials.toml" 2>/dev/null || echo "no credentials"
          readlink "$CARGO_HOME/registry"
      - run: |
          if command -v go >/dev/null; then go env GOPATH; else echo /FOLDER/job/home/go; fi
"#,
    );
    has_lines(
        &told,
        &[
            "Hello, world!",
            "/FOLDER/job/home/.cargo",
            "no credentials",
            "/FOLDER/caches/downloads/cargo/registry",
            "/FOLDER/job/home/go",
        ],
    );
    assert_eq!(machine.files(), before);
}

/// A terminal may be in the middle of something: a job is not.
#[test]
fn an_active_environment_is_left() {
    let folder = Path::new("/somewhere/environment");
    let path = format!("{}/bin:/usr/bin:/bin", folder.display());
    let told = start_with(
        "on: push\njobs:\n  job:\n    runs-on: ubuntu-latest\n    steps:\n      - run: echo \"$PATH|$VIRTUAL_ENV\"\n",
        &[("PATH", path.as_str()), ("VIRTUAL_ENV", "/somewhere/environment")],
        |_| {},
    )
    .finish();
    let text = told.text();
    assert!(text.contains("/home/.local/bin:/usr/bin:/bin|\n"), "{text}");
    assert!(!text.contains("/somewhere"), "{text}");
}
