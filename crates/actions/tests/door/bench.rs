//! A workspace, repositories in temporary folders, and native actions as child processes.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A machine in a folder.
pub(crate) struct Bench {
    root: tempfile::TempDir,
    variables: BTreeMap<String, String>,
}

/// What a native action did.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) log: String,
    pub(crate) outputs: BTreeMap<String, String>,
    pub(crate) env: BTreeMap<String, String>,
    pub(crate) path: Vec<String>,
    pub(crate) state: BTreeMap<String, String>,
}

impl Bench {
    pub(crate) fn new() -> Bench {
        let root = tempfile::tempdir().expect("a temporary folder");
        for name in ["work", "temp", "home", "blobs", "caches", "tools", "user"] {
            fs::create_dir(root.path().join(name)).expect("a folder");
        }
        let at = |name: &str| root.path().join(name).display().to_string();
        let variables = [
            ("GITHUB_WORKSPACE", at("work")),
            ("RUNNER_TEMP", at("temp")),
            ("RUNNER_TOOL_CACHE", at("tools")),
            ("RUNNER_OS", "Linux".to_owned()),
            ("RUNNER_ARCH", "X64".to_owned()),
            ("HOME", at("home")),
            ("GITHUB_REPOSITORY", "octo/app".to_owned()),
            ("GITHUB_SERVER_URL", "https://github.com".to_owned()),
            ("GITHUB_REF", "refs/heads/main".to_owned()),
            ("GITHUB_RUN_ID", "7".to_owned()),
            ("LAUNCHWAY_BLOBS", at("blobs")),
            ("LAUNCHWAY_CACHES", at("caches")),
            ("LAUNCHWAY_TOOLS", at("tools")),
            ("LAUNCHWAY_OFFLINE", "1".to_owned()),
            ("LAUNCHWAY_ARTIFACTS_FILE", at("uploaded.jsonl")),
            ("LAUNCHWAY_IMAGES_FILE", at("images.jsonl")),
            ("LAUNCHWAY_RUN_ARTIFACTS", at("artifacts.jsonl")),
        ];
        let variables = variables.into_iter().map(|(name, value)| (name.to_owned(), value));
        Bench { variables: variables.collect(), root }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    pub(crate) fn set(&mut self, name: &str, value: impl Into<String>) {
        self.variables.insert(name.to_owned(), value.into());
    }

    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, text).expect("a file");
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// The user's repository with three commits on main, an annotated tag on the second.
    pub(crate) fn user_repository(&mut self) {
        self.git("user", &["init", "-q", "-b", "main"]);
        for (number, name) in [(1, "one"), (2, "two"), (3, "three")] {
            self.write(&format!("user/{name}.txt"), format!("{number}\n"));
            self.git("user", &["add", "-A"]);
            self.git("user", &["commit", "-q", "-m", name]);
            if number == 2 {
                self.git("user", &["tag", "-a", "v1.0", "-m", "first"]);
            }
        }
        let user = self.path("user").display().to_string();
        self.set("LAUNCHWAY_REPOSITORY", user);
        let head = self.git("user", &["rev-parse", "HEAD"]);
        self.set("GITHUB_SHA", head);
    }

    /// Commits the work tree beside the user's repository, as is done when a run begins.
    pub(crate) fn snapshot(&mut self, folder: &str) {
        let (work, store) = (self.path(folder), self.path("private"));
        let objects = store.join("objects");
        let git = |line: &str| {
            let output = std::process::Command::new("git")
                .args(["-c", "user.name=Mona", "-c", "user.email=mona@example.com"])
                .args(line.split(' '))
                .current_dir(&work)
                .env("GIT_INDEX_FILE", store.join("index"))
                .env("GIT_OBJECT_DIRECTORY", &objects)
                .env("GIT_AUTHOR_DATE", "2026-03-01T12:00:00Z")
                .env("GIT_COMMITTER_DATE", "2026-03-01T12:00:00Z")
                .output()
                .expect("git starts");
            assert!(output.status.success(), "git {line}: {output:?}");
            String::from_utf8_lossy(&output.stdout).trim().to_owned()
        };
        let user =
            self.git(folder, &["rev-parse", "--path-format=absolute", "--git-path", "objects"]);
        std::fs::create_dir_all(objects.join("info")).expect("a folder");
        std::fs::write(objects.join("info/alternates"), user + "\n").expect("a file");
        git("add --all");
        let tree = git("write-tree");
        let commit = git(&format!("commit-tree {tree} -p HEAD -m snapshot"));
        self.set("LAUNCHWAY_SNAPSHOT", commit);
        self.set("LAUNCHWAY_OBJECTS", objects.display().to_string());
    }

    pub(crate) fn git(&self, folder: &str, arguments: &[&str]) -> String {
        let (ok, text) = self.try_git(folder, arguments);
        assert!(ok, "git {arguments:?} in {folder}: {text}");
        text
    }

    pub(crate) fn try_git(&self, folder: &str, arguments: &[&str]) -> (bool, String) {
        let output = Command::new("git")
            .args(arguments)
            .current_dir(self.path(folder))
            .env("HOME", self.path("home"))
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .envs([("GIT_AUTHOR_NAME", "Ada"), ("GIT_AUTHOR_EMAIL", "ada@example.com")])
            .envs([("GIT_COMMITTER_NAME", "Ada"), ("GIT_COMMITTER_EMAIL", "ada@example.com")])
            .envs([
                ("GIT_AUTHOR_DATE", "2026-01-02T03:04:05Z"),
                ("GIT_COMMITTER_DATE", "2026-01-02T03:04:05Z"),
            ])
            .output()
            .expect("git");
        let text = if output.status.success() { output.stdout } else { output.stderr };
        (output.status.success(), String::from_utf8_lossy(&text).trim().to_owned())
    }

    /// Runs the main stage.
    pub(crate) fn run(&self, name: &str, inputs: &[(&str, &str)]) -> Ran {
        self.stage(name, "main", inputs, &BTreeMap::new())
    }

    /// Runs one stage with the state of an earlier one.
    pub(crate) fn stage(
        &self,
        name: &str,
        stage: &str,
        inputs: &[(&str, &str)],
        state: &BTreeMap<String, String>,
    ) -> Ran {
        let test = std::env::current_exe().expect("this test");
        let target = test.parent().and_then(Path::parent).expect("the target folder");
        let mut command = Command::new(target.join("examples/native"));
        command.args([name, stage]).current_dir(self.path("work")).env_clear();
        command.env("PATH", std::env::var_os("PATH").expect("PATH"));
        command.envs(&self.variables);
        for (input, value) in inputs {
            command.env(format!("INPUT_{}", input.to_uppercase()), value);
        }
        for (key, value) in state {
            command.env(format!("STATE_{key}"), value);
        }
        for file in
            ["GITHUB_OUTPUT", "GITHUB_ENV", "GITHUB_PATH", "GITHUB_STATE", "GITHUB_STEP_SUMMARY"]
        {
            self.write(file, "");
            command.env(file, self.path(file));
        }
        let output = command.output().expect("cargo test builds the examples");
        let mut log = String::from_utf8_lossy(&output.stdout).into_owned();
        log.push_str(&String::from_utf8_lossy(&output.stderr));
        Ran {
            code: output.status.code().expect("an exit code"),
            log,
            outputs: entries(&self.read("GITHUB_OUTPUT")),
            env: entries(&self.read("GITHUB_ENV")),
            path: self.read("GITHUB_PATH").lines().map(str::to_owned).collect(),
            state: entries(&self.read("GITHUB_STATE")),
        }
    }
}

impl Ran {
    /// Panics with the log where it failed.
    pub(crate) fn ok(self) -> Ran {
        assert_eq!(self.code, 0, "{}", self.log);
        self
    }
}

/// `NAME<<DELIMITER` blocks.
fn entries(text: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let (name, delimiter) = line.split_once("<<").expect("a block");
        let value = lines.by_ref().take_while(|line| *line != delimiter).collect::<Vec<_>>();
        found.insert(name.to_owned(), value.join("\n"));
    }
    found
}
