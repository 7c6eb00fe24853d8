//! `cargo xtask image`: a container image of the server, from Debian's packages and the binary.
//!
//! Nobody else's image stands below it: what is in it, Debian signed or we built. The parts lie in
//! `target/image`, so whoever wants to look at them can.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

use crate::shell::{self, root, target};

/// The release of Debian that it is made of: the binary needs its C library, or a newer one.
const SUITE: &str = "bookworm";
/// What the server calls: git for repositories, certificates for everybody it asks, curl to be asked
/// whether it is well; `ps` for people who look in.
const PACKAGES: &str = "--include=ca-certificates,curl,git,procps";
/// Texts for people do not go into it.
const LEFT_OUT: [&str; 3] = ["/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*"];
/// Made when all packages are there: a user without rights, and the two folders that are its own.
const HOOKS: [&str; 4] = [
    r#"echo launchway:x:10001:10001::/home/launchway:/bin/bash >> "$1/etc/passwd""#,
    r#"echo launchway:x:10001: >> "$1/etc/group""#,
    r#"install -d -o 10001 -g 10001 "$1/home/launchway" "$1/srv/launchway" "$1/srv/git""#,
    r#"rm -rf "$1"/var/lib/apt/lists/* "$1"/var/cache/apt/*"#,
];

/// `--tag NAME`, `--binary FILE`, `--parts`: what it is built of, and no more.
pub(crate) fn make(args: &[&str]) -> Result<()> {
    let (mut tag, mut binary, mut is_built) = ("launchway:latest", None, true);
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let mut value = || args.next().with_context(|| format!("{arg} wants a value"));
        match *arg {
            "--tag" => tag = value()?,
            "--binary" => binary = Some(PathBuf::from(value()?)),
            "--parts" => is_built = false,
            _ => bail!("image knows --tag NAME, --binary FILE and --parts, not {arg}"),
        }
    }
    let binary = binary.map_or_else(build, Ok)?;
    let folder = target().join("image");
    fs::create_dir_all(&folder)?;
    fs::copy(&binary, folder.join("launchway"))
        .with_context(|| format!("cannot copy {}", binary.display()))?;
    fs::copy(root().join("image/Dockerfile"), folder.join("Dockerfile"))?;
    packages(&folder.join("root.tar"))?;
    if !is_built {
        return Ok(());
    }
    let folder = folder.to_string_lossy().into_owned();
    shell::run("docker", &["build", "--quiet", "--tag", tag, &folder])?;
    // A binary that was built on a newer system finds that out here, and not on somebody's server.
    shell::run("docker", &["run", "--rm", tag, "--version"])
}

fn build() -> Result<PathBuf> {
    shell::run("cargo", &["build", "--release", "--locked", "--package=launchway"])?;
    Ok(target().join("release/launchway"))
}

/// Debian's packages as one file, signatures looked at.
fn packages(file: &Path) -> Result<()> {
    let name = file.to_string_lossy().into_owned();
    let unfinished = format!("{name}.partial.tar");
    let left_out = LEFT_OUT.map(|paths| format!("--dpkgopt=path-exclude={paths}"));
    let hooks = HOOKS.map(|hook| format!("--customize-hook={hook}"));
    let mut args = vec!["--quiet", "--variant=essential", PACKAGES];
    args.extend(left_out.iter().chain(&hooks).map(String::as_str));
    args.extend([SUITE, &unfinished]);
    shell::run("mmdebstrap", &args)
        .context("Debian's package mmdebstrap makes the image's root")?;
    ensure!(fs::metadata(&unfinished)?.len() > 0, "{unfinished} is empty");
    Ok(fs::rename(&unfinished, file)?)
}
