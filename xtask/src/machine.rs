//! `cargo xtask machine`: tests that want a machine of their own, which systemd looks after and whose kernel counts
//! by cgroup v2. Whatever runs them has neither to give; QEMU calculates such a machine, slowly, with no right of
//! anybody's.
//!
//! ```text
//!   target/machine/packages.tar   Debian's: systemd, a kernel, git, shells
//!   target/machine/root/          those, with the tests and the binary at the paths that they have here
//!   target/machine/root.cpio      the same as the machine takes it, into its memory: it has no disk
//! ```

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde_json::Value as Json;

use crate::shell::{self, command, root, target, watch};
use crate::test::REAL;

/// The first release whose systemd knows `DelegateSubgroup=`. Its C library takes programs of older ones.
const SUITE: &str = "trixie";
/// What it is of, and what the tests' workflows call.
const PACKAGES: &str =
    "--include=systemd-sysv,linux-image-cloud-amd64,bash,dash,coreutils,util-linux,sed,git";
/// The machine's memory, its root among it.
const MEMORY_MIB: &str = "3072";
/// A machine that hangs is ended.
const SECONDS_MAX: &str = "600";
/// Said last, behind it how the tests ended.
const ENDED: &str = "the tests ended with ";

/// Started by systemd when the machine is up; what it prints goes to the serial line.
const UNIT: &str = "\
[Unit]
Description=the tests
SuccessAction=poweroff-force
FailureAction=poweroff-force
[Service]
Type=oneshot
Environment=HOME=/root
ExecStart=/bin/bash /tests.sh
StandardOutput=file:/dev/ttyS0
StandardError=inherit
";

/// Builds the tests and the machine, and starts it.
pub(crate) fn run() -> Result<()> {
    let folder = target().join("machine");
    let machine = folder.join("root");
    fs::create_dir_all(&folder)?;
    unpacked(&folder, &machine)?;
    let bounds = ["-p", "sandbox", "--features", "cgroups", "--test", "bounds"];
    let bounds = built(&machine, &bounds, "bounds")?;
    let e2e = ["-p", "launchway", "--features", REAL, "--test", "e2e"];
    let e2e = built(&machine, &e2e, "e2e")?;
    let script = format!(
        "failed=0\n\
         systemd-run --quiet --scope -p Delegate=yes {bounds} || failed=1\n\
         {e2e} bounded:: --test-threads 1 || failed=1\n\
         echo \"{ENDED}$failed\"\n",
        bounds = bounds.display(),
        e2e = e2e.display(),
    );
    fs::write(machine.join("tests.sh"), script)?;
    fs::write(machine.join("etc/systemd/system/tests.service"), UNIT)?;
    start(&folder)
}

/// The machine's root as Debian's packages have it, its kernel beside it.
fn unpacked(folder: &Path, machine: &Path) -> Result<()> {
    let packages = folder.join("packages.tar");
    let (name, into) = (packages.display().to_string(), machine.display().to_string());
    if machine.exists() {
        fs::remove_dir_all(machine)?;
    }
    fs::create_dir_all(machine)?;
    shell::run("mmdebstrap", &["--quiet", "--variant=extract", PACKAGES, SUITE, &name])?;
    shell::run("tar", &["-C", &into, "-xf", &name])?;
    let boot = fs::read_dir(machine.join("boot"))?.flatten().map(|it| it.path());
    let is_kernel = |it: &PathBuf| {
        it.file_name().is_some_and(|it| it.as_encoded_bytes().starts_with(b"vmlinuz"))
    };
    let kernel = boot.into_iter().find(is_kernel).context("the packages have no kernel")?;
    fs::rename(kernel, folder.join("kernel"))?;
    // What the kernel needs here is in it, and the rest would fill the machine's memory.
    fs::remove_dir_all(machine.join("usr/lib/modules"))?;
    fs::remove_dir_all(machine.join("boot"))?;
    std::os::unix::fs::symlink("usr/lib/systemd/systemd", machine.join("init"))?;
    // Whoever starts it does not ask it who it is.
    fs::write(machine.join("etc/machine-id"), "0123456789abcdef0123456789abcdef\n")?;
    for empty in [root().join("crates"), target().join("tmp")] {
        fs::create_dir_all(machine.join(inside(&empty)?))?;
    }
    Ok(())
}

/// Builds a test, puts it and the binaries that it starts into the machine, and gives its path there.
fn built(machine: &Path, words: &[&str], test: &str) -> Result<PathBuf> {
    let args = [&["test", "--quiet", "--no-run", "--message-format", "json"], words].concat();
    let output = command("cargo", &args).stderr(std::process::Stdio::inherit()).output()?;
    ensure!(output.status.success(), "cargo {} failed", args.join(" "));
    let mut found = None;
    for line in String::from_utf8(output.stdout)?.lines() {
        let message: Json = serde_json::from_str(line)?;
        let Some(program) = message["executable"].as_str().map(PathBuf::from) else { continue };
        let there = machine.join(inside(&program)?);
        fs::create_dir_all(there.parent().context("it lies in a folder")?)?;
        // Names of functions stay, lines go: they are most of a program, which has to go through memory.
        let (from, to) = (program.display().to_string(), there.display().to_string());
        shell::run("strip", &["--strip-debug", "-o", &to, &from])?;
        if message["target"]["name"] == test {
            found = Some(program);
        }
    }
    found.with_context(|| format!("cargo built no test {test}"))
}

/// A path of here as it is below the machine's root.
fn inside(path: &Path) -> Result<&Path> {
    path.strip_prefix("/").with_context(|| format!("{} is not absolute", path.display()))
}

/// Starts the machine, shows what it prints, and looks at its last word.
fn start(folder: &Path) -> Result<()> {
    let pack =
        "cd root && find . -print0 | cpio --quiet --null --create --format newc > ../root.cpio";
    let mut packed = command("sh", &["-ec", pack]);
    ensure!(packed.current_dir(folder).status()?.success(), "cpio cannot pack the machine's root");
    let mut machine = command("timeout", &[SECONDS_MAX, "qemu-system-x86_64"]);
    machine
        .args(["-machine", "q35", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2"])
        .args(["-m", MEMORY_MIB, "-nic", "none", "-display", "none", "-monitor", "none"])
        .args(["-serial", "stdio", "-no-reboot", "-kernel", "kernel", "-initrd", "root.cpio"])
        .args(["-append", "console=ttyS0 loglevel=1 panic=-1 systemd.unit=tests.service systemd.firstboot=no systemd.show_status=no systemd.mask=tmp.mount"])
        .current_dir(folder);
    let mut ended = String::new();
    watch(machine, |line| {
        if let Some(how) = line.trim_end().strip_prefix(ENDED) {
            ended = how.to_owned();
        }
    })?;
    ensure!(!ended.is_empty(), "the machine ended, or had to be ended, before its tests had");
    ensure!(ended == "0", "tests failed on the machine");
    Ok(())
}
