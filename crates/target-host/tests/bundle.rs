//! Bundles at the crate's door: what goes in, that the same comes out, and what is refused.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use expect_test::{Expect, expect};
use target_host::{PackOptions, Packed, pack, unpack, verify};

struct Scratch(tempfile::TempDir);

impl Scratch {
    fn new() -> Scratch {
        Scratch(tempfile::tempdir().expect("a folder"))
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, text).expect("a file");
    }

    fn options(&self) -> PackOptions {
        PackOptions {
            folder: self.path("source"),
            include: vec!["**".to_owned()],
            exclude: Vec::new(),
            limit_bytes: 1 << 20,
        }
    }

    fn pack(&self) -> Packed {
        pack(&self.options(), &self.path("bundles")).expect("it can be packed")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What was unpacked is closed, and only root may remove what is.
        let _ = std::process::Command::new("chmod").args(["-R", "u+w"]).arg(self.0.path()).status();
    }
}

fn list(bundle: &Path) -> String {
    let mut archive = tar::Archive::new(fs::File::open(bundle).expect("a bundle"));
    let mut text = String::new();
    for entry in archive.entries().expect("a tar") {
        let entry = entry.expect("an entry");
        let header = entry.header();
        let link = entry.link_name().expect("a link").map(|it| format!(" -> {}", it.display()));
        text += &format!(
            "{:o} {}:{} {} {}{}\n",
            header.mode().expect("a mode"),
            header.uid().expect("an owner"),
            header.gid().expect("a group"),
            header.mtime().expect("a time"),
            entry.path().expect("a path").display(),
            link.unwrap_or_default(),
        );
    }
    text
}

fn check(change: impl Fn(&Scratch, &mut PackOptions), expected: Expect) {
    let scratch = Scratch::new();
    scratch.write("source/app.py", "print()");
    scratch.write("source/lib/deep/er.py", "");
    let mut options = scratch.options();
    change(&scratch, &mut options);
    match pack(&options, &scratch.path("bundles")) {
        Ok(packed) => expected.assert_eq(&list(&packed.path)),
        Err(error) => expected.assert_eq(&error.to_string()),
    }
}

#[test]
fn files_are_sorted_and_have_no_owner_and_no_time() {
    check(
        |scratch, _| {
            scratch.write("source/run.sh", "#!/bin/sh");
            let executable = fs::Permissions::from_mode(0o4711);
            fs::set_permissions(scratch.path("source/run.sh"), executable).expect("a file");
            symlink("../app.py", scratch.path("source/lib/app")).expect("a link");
            scratch.write("source/.hidden", "");
            fs::create_dir(scratch.path("source/empty")).expect("a folder");
        },
        expect![[r"
            644 0:0 0 .hidden
            644 0:0 0 app.py
            777 0:0 0 lib/app -> ../app.py
            644 0:0 0 lib/deep/er.py
            755 0:0 0 run.sh
        "]],
    );
}

#[test]
fn what_git_ignores_and_what_is_excluded_stays_out() {
    check(
        |scratch, options| {
            scratch.write("source/.gitignore", "*.log\n/target\n");
            scratch.write("source/a.log", "");
            scratch.write("source/target/x", "");
            scratch.write("source/.git/config", "");
            scratch.write("source/docs/a/b.md", "");
            options.exclude = vec!["docs".to_owned(), "**/*.py".to_owned()];
        },
        expect![[r"
            644 0:0 0 .gitignore
        "]],
    );
    check(
        |_, options| options.include = vec!["lib/".to_owned()],
        expect![[r"
            644 0:0 0 lib/deep/er.py
        "]],
    );
}

#[test]
fn what_cannot_be_in_a_bundle_is_refused() {
    check(
        |scratch, _| symlink("/etc/passwd", scratch.path("source/l")).expect("a link"),
        expect![
            "l cannot be in a bundle: it is a link that leads out of it, or not straight to its target"
        ],
    );
    check(
        |scratch, _| symlink("lib/../../x", scratch.path("source/l")).expect("a link"),
        expect![
            "l cannot be in a bundle: it is a link that leads out of it, or not straight to its target"
        ],
    );
    check(
        |scratch, _| {
            let socket = scratch.path("source/s");
            std::os::unix::net::UnixListener::bind(socket).expect("a socket");
        },
        expect!["s cannot be in a bundle: it is neither a file nor a link"],
    );
    check(|_, options| options.limit_bytes = 2000, expect!["the bundle is larger than 2000 bytes"]);
    check(
        |_, options| options.include = vec!["nothing".to_owned()],
        expect!["no file is left for the bundle"],
    );
    check(
        |_, options| options.include = vec!["a[".to_owned()],
        expect!["the pattern `a[` cannot be read"],
    );
}

#[test]
fn the_same_files_are_the_same_bundle() {
    let digest = |scratch: &Scratch, order: [&str; 3]| {
        for name in order {
            scratch.write(&format!("source/{name}"), name);
        }
        scratch.pack().digest
    };
    let (one, other) = (Scratch::new(), Scratch::new());
    let first = digest(&one, ["a", "b/c", "b.x"]);
    assert_eq!(first, digest(&other, ["b.x", "b/c", "a"]));
    fs::set_permissions(one.path("source/a"), fs::Permissions::from_mode(0o600)).expect("a file");
    assert_eq!(first, one.pack().digest, "only whether it may be run counts");
    one.write("source/a", "changed");
    assert_ne!(first, one.pack().digest);
}

#[test]
fn what_was_unpacked_is_known_to_be_whole() {
    let scratch = Scratch::new();
    scratch.write("source/a/b", "text");
    let long = format!("source/{}/{}", "x".repeat(120), "y".repeat(120));
    scratch.write(&long, "long");
    symlink("a/b", scratch.path("source/l")).expect("a link");
    let packed = scratch.pack();
    let into = scratch.path("releases/one");
    assert_eq!(unpack(&packed.path, &packed.digest, &into).expect("it can be unpacked"), 3);
    assert_eq!(fs::read_to_string(into.join("l")).expect("a link"), "text");
    assert_eq!(fs::metadata(into.join("a")).expect("a folder").permissions().mode() & 0o777, 0o555);
    verify(&packed.path, &packed.digest, &into).expect("it is whole");
    assert_eq!(unpack(&packed.path, &packed.digest, &into).expect("it is there already"), 3);

    let folder = into.join("a");
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).expect("a folder");
    fs::write(folder.join("cache"), "").expect("a file");
    verify(&packed.path, &packed.digest, &into)
        .expect("what a service wrote beside does not matter");
    fs::remove_file(folder.join("b")).expect("a file");
    fs::write(folder.join("b"), "TEXT").expect("a file");
    let altered = verify(&packed.path, &packed.digest, &into).expect_err("it was changed");
    assert!(altered.to_string().ends_with("a/b is not as it was unpacked"), "{altered}");

    let wrong = format!("sha256:{}", "0".repeat(64));
    let refused = unpack(&packed.path, &wrong, &scratch.path("other")).expect_err("a lie");
    assert_eq!(refused.to_string(), format!("the bundle is {}, not {wrong}", packed.digest));
    assert!(!scratch.path("other").exists());
}

/// Unpacks a seed of the fuzzer by its own digest.
fn seed(name: &str) -> String {
    use sha2::{Digest as _, Sha256};
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/bundles");
    let bundle = corpus.join(name);
    let bytes = fs::read(&bundle).expect("a seed");
    let hex: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    let scratch = Scratch::new();
    match unpack(&bundle, &format!("sha256:{hex}"), &scratch.path("into")) {
        Ok(entries) => format!("{name}: {entries} entries\n"),
        Err(error) => {
            assert_eq!(fs::read_dir(scratch.0.path()).expect("a folder").count(), 0);
            format!("{name}: {error}\n")
        }
    }
}

#[test]
fn what_means_harm_is_refused_and_leaves_nothing() {
    let names = [
        "absolute",
        "device",
        "folder",
        "hard_link",
        "leads_out",
        "link_absolute",
        "link_leads_out",
        "link_zigzag",
        "links",
        "no_bundle",
        "order",
        "pax",
        "pipe",
        "plain",
        "through_file",
        "through_link",
        "twice",
    ];
    let told: String = names.into_iter().map(seed).collect();
    expect![[r#"
        absolute: the bundle cannot be unpacked: /a is no plain path
        device: the bundle cannot be unpacked: a is neither a file nor a link
        folder: the bundle cannot be unpacked: a/ is neither a file nor a link
        hard_link: the bundle cannot be unpacked: b is neither a file nor a link
        leads_out: the bundle cannot be unpacked: ../a is no plain path
        link_absolute: the bundle cannot be unpacked: a is a link that leads out
        link_leads_out: the bundle cannot be unpacked: a is a link that leads out
        link_zigzag: the bundle cannot be unpacked: a is a link that leads out
        links: 3 entries
        no_bundle: the bundle cannot be unpacked: it is no bundle: failed to read entire block
        order: the bundle cannot be unpacked: a is out of order
        pax: the bundle cannot be unpacked: ././@PaxHeader is neither a file nor a link
        pipe: the bundle cannot be unpacked: a is neither a file nor a link
        plain: 2 entries
        through_file: the bundle cannot be unpacked: a/x goes through something that is no folder
        through_link: the bundle cannot be unpacked: a/x goes through something that is no folder
        twice: the bundle cannot be unpacked: a is out of order
    "#]]
    .assert_eq(&told);
}
