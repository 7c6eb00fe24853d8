//! Docker itself: images of the program of these tests, containers of a house.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, OnceLock};

use super::daemon::{Daemon, run};

/// One for all tests of a program.
pub(crate) struct Real {
    pub(crate) daemon: Daemon,
    /// Digests of images, by version and what is said to the service.
    images: Mutex<BTreeMap<String, String>>,
    /// Those that the registry is said to have no more.
    gone: Mutex<BTreeSet<String>>,
}

static REAL: OnceLock<Real> = OnceLock::new();

pub(crate) fn real() -> &'static Real {
    REAL.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("docker");
        let daemon = Daemon::start(&folder, ("lwtest0", "172.31.251.1/24"));
        let real = Real { daemon, images: Mutex::default(), gone: Mutex::default() };
        real.base();
        real
    })
}

impl Real {
    /// What docker's command line says; none where it fails.
    pub(crate) fn docker(&self, words: &[&str]) -> Option<String> {
        self.daemon.docker(words)
    }

    fn build(&self, tag: &str, folder: &Path, dockerfile: &str) {
        std::fs::write(folder.join("Dockerfile"), dockerfile).expect("room");
        let folder = folder.display().to_string();
        self.docker(&["build", "--quiet", "--tag", tag, &folder]).expect("it is built");
    }

    /// The program of these tests with the libraries that it needs, and nothing else.
    fn base(&self) {
        let folder = self.daemon.scratch.path().join("base");
        let program = env!("CARGO_BIN_EXE_target-host-hands");
        std::fs::create_dir_all(folder.join("files")).expect("room");
        let stripped = folder.join("files/hands").display().to_string();
        assert!(run("strip", &["-o", &stripped, program]) || run("cp", &[program, &stripped]));
        let needs = Command::new("ldd").arg(program).output().expect("ldd is there").stdout;
        for word in String::from_utf8_lossy(&needs).split_ascii_whitespace() {
            let path = Path::new(word);
            if path.is_absolute() && path.exists() {
                let to = folder.join("files").join(word.trim_start_matches('/'));
                std::fs::create_dir_all(to.parent().expect("a folder")).expect("room");
                std::fs::copy(path, to).expect("room");
            }
        }
        let busybox = ["/bin/busybox", "/usr/bin/busybox"].map(Path::new);
        let busybox = busybox.into_iter().find(|it| it.exists()).expect("it is installed");
        std::fs::create_dir_all(folder.join("files/bin")).expect("room");
        std::fs::copy(busybox, folder.join("files/bin/sh")).expect("room");
        self.build("hands", &folder, "FROM scratch\nCOPY files /\n");
    }

    pub(crate) fn location(&self) -> String {
        format!("{}/api", self.daemon.registry.host)
    }

    /// An image in the registry, and not here; its digest.
    pub(crate) fn image(&self, version: &str, how: &[&str]) -> String {
        let mut images = self.images.lock().expect("no panic");
        let key = format!("{version} {how:?}");
        if let Some(digest) = images.get(&key) {
            return digest.clone();
        }
        let folder = self.daemon.scratch.path().join("image");
        std::fs::create_dir_all(&folder).expect("room");
        // Process 1 hears no signal that it does not handle: a shell handles it.
        let how = how.join(" ");
        let script =
            format!("trap 'kill -9 $p; exit 0' TERM; /hands service {how} & p=$!; wait $p");
        let words = serde_json::to_string(&["/bin/sh", "-c", &script]).expect("words");
        let dockerfile = format!("FROM hands\nLABEL version='{version}'\nCMD {words}\n");
        let name = format!("{}:{}", self.location(), images.len());
        self.build(&name, &folder, &dockerfile);
        self.docker(&["push", "--quiet", &name]).expect("it is pushed");
        let format = "{{index .RepoDigests 0}}";
        let reference = self.docker(&["inspect", "--format", format, &name]).expect("it is here");
        let digest = reference.split('@').nth(1).expect("a digest").to_owned();
        // From here on it is in the registry alone.
        self.docker(&["rmi", "--no-prune", "--force", &name, &reference]).expect("it was here");
        images.insert(key, digest.clone());
        digest
    }

    pub(crate) fn in_registry(&self, digest: &str) -> bool {
        let images = self.images.lock().expect("no panic");
        let is_gone = self.gone.lock().expect("no panic").contains(digest);
        !is_gone && images.values().any(|it| it == digest)
    }

    /// Neither here nor in the registry.
    pub(crate) fn lose_image(&self, digest: &str) {
        self.gone.lock().expect("no panic").insert(digest.to_owned());
        self.docker(&["rmi", "--force", &format!("{}@{digest}", self.location())]);
    }

    /// Containers of a folder, whether they run or not.
    pub(crate) fn containers(&self, folder: &Path) -> Vec<String> {
        let label = format!("label=launchway.folder={}", folder.display());
        let words = ["ps", "--all", "--quiet", "--no-trunc", "--filter", &label];
        let ids = self.docker(&words).unwrap_or_default();
        ids.lines().map(str::to_owned).collect()
    }

    pub(crate) fn pids(&self, folder: &Path) -> Vec<i32> {
        let all = self.containers(folder);
        let pid = |id: &String| self.docker(&["inspect", "--format", "{{.State.Pid}}", id]);
        all.iter().filter_map(|it| pid(it)?.parse().ok()).filter(|it| *it != 0).collect()
    }

    pub(crate) fn clear(&self, folder: &Path) {
        for id in self.containers(folder) {
            self.docker(&["rm", "--force", &id]);
        }
    }
}
