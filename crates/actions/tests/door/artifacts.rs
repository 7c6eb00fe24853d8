//! `actions/upload-artifact` and `actions/download-artifact`, from job to job.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::bench::{Bench, Ran};

/// The files below a folder, in order.
fn tree(bench: &Bench, folder: &str) -> Vec<String> {
    fn walk(root: &Path, folder: &Path, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                walk(root, &path, found);
            } else {
                found.push(path.strip_prefix(root).expect("below").display().to_string());
            }
        }
    }
    let (root, mut found) = (bench.path(folder), Vec::new());
    walk(&root, &root, &mut found);
    found.sort();
    found
}

/// A build's results.
fn built() -> Bench {
    let bench = Bench::new();
    for name in ["dist/a.txt", "dist/sub/b.txt", "dist/.hidden", "dist/x.log", "logs/c.log"] {
        bench.write(&format!("work/{name}"), name);
    }
    bench
}

/// Uploads, downloads in the next job, gives the files.
fn through(bench: &Bench, path: &str) -> Vec<String> {
    bench.run("upload-artifact", &[("name", path_name(path).as_str()), ("path", path)]).ok();
    let folder = format!("work/got-{}", path_name(path));
    let name = path_name(path);
    let target = format!("got-{name}");
    bench.run("download-artifact", &[("name", name.as_str()), ("path", target.as_str())]).ok();
    tree(bench, &folder)
}

fn path_name(path: &str) -> String {
    path.chars().map(|it| if it.is_alphanumeric() { it } else { '_' }).collect()
}

#[test]
fn the_layout_starts_at_the_common_ancestor() {
    let bench = built();
    for (path, expected) in [
        ("dist", "a.txt sub/b.txt x.log"),
        ("dist/", "a.txt sub/b.txt x.log"),
        ("dist/a.txt", "a.txt"),
        ("dist/**/*.txt", "a.txt sub/b.txt"),
        ("dist\n!dist/**/*.log", "a.txt sub/b.txt"),
        ("dist\n!dist/sub", "a.txt x.log"),
        ("dist\nlogs", "dist/a.txt dist/sub/b.txt dist/x.log logs/c.log"),
        ("dist/sub/b.txt\nlogs/*.log", "dist/sub/b.txt logs/c.log"),
    ] {
        assert_eq!(through(&bench, path).join(" "), expected, "{path}");
    }
}

#[test]
fn permissions_hidden_files_and_levels() {
    let bench = built();
    let script = bench.path("work/dist/a.txt");
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).expect("chmod");
    let inputs = [
        ("name", "all"),
        ("path", "dist"),
        ("include-hidden-files", "true"),
        ("compression-level", "0"),
    ];
    let ran = bench.run("upload-artifact", &inputs).ok();
    assert_eq!(ran.outputs["artifact-digest"].len(), 64);
    bench.run("download-artifact", &[("name", "all"), ("path", "out")]).ok();
    assert_eq!(tree(&bench, "work/out").join(" "), ".hidden a.txt sub/b.txt x.log");
    let mode =
        std::fs::metadata(bench.path("work/out/a.txt")).expect("a file").permissions().mode();
    assert_eq!(mode & 0o777, 0o755);
    let line = bench.read("uploaded.jsonl");
    assert!(line.starts_with(r#"{"name":"all","blob":""#), "{line}");
    assert!(line.contains(r#""expires_at":"#));
}

#[test]
fn nothing_found_is_what_the_input_says() {
    let bench = built();
    let run = |answer: &str| {
        bench.run("upload-artifact", &[("path", "nowhere"), ("if-no-files-found", answer)])
    };
    let says = |ran: &Ran, text: &str| assert!(ran.log.contains(text), "{}", ran.log);
    let warned = run("warn");
    assert_eq!(warned.code, 0);
    says(&warned, "::warning::No files were found with the provided path: nowhere.");
    assert_eq!(run("ignore").code, 0);
    assert_eq!(run("error").code, 1);
    assert!(!bench.path("uploaded.jsonl").exists());
}

/// A pipe that nobody writes to would be waited for until the job's time is up.
#[test]
fn what_has_no_bytes_is_left_out() {
    let bench = built();
    let socket = bench.path("work/dist/socket");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).expect("a short path");
    let ran = bench.run("upload-artifact", &[("name", "one"), ("path", "dist")]).ok();
    assert!(ran.log.contains("socket is a pipe, socket or device, and is left out"), "{}", ran.log);
}

// proves: conformance 207
#[test]
fn names_are_checked_and_unique() {
    let bench = built();
    let upload = |name: &str, more: &[(&str, &str)]| {
        let inputs = [&[("name", name), ("path", "dist")], more].concat();
        bench.run("upload-artifact", &inputs)
    };
    for name in ["a/b", "a:b", "a*", "a?", "a|b", "a\"b", "a<b", "a>b", "a\\b", "a\rb"] {
        let ran = upload(name, &[]);
        assert_eq!(ran.code, 1, "{name}");
        assert!(ran.log.contains("The artifact name is not valid"), "{}", ran.log);
    }
    assert_eq!(upload("one", &[]).code, 0);
    let twice = upload("one", &[]);
    assert_eq!(twice.code, 1);
    assert!(twice.log.contains("409"), "{}", twice.log);
    assert_eq!(upload("one", &[("overwrite", "true")]).code, 0);
}

#[test]
fn a_new_attempt_uploads_under_the_names_of_the_one_before() {
    let bench = built();
    let upload = |path: &str, job: &str| {
        let inputs = [("name", "report"), ("path", path)];
        let ran = bench.run("upload-artifact", &inputs);
        assert_eq!(ran.code, i32::from(job == "again"), "{job}: {}", ran.log);
    };
    upload("dist/a.txt", "of attempt 1");
    let line = bench.read("uploaded.jsonl");
    let earlier = line.trim_end().replace('}', ",\"earlier\":true}\n");
    bench.write("artifacts.jsonl", earlier);
    std::fs::remove_file(bench.path("uploaded.jsonl")).expect("a list");
    // Until attempt 2 has its own there is the one of attempt 1.
    let got = |folder: &str| {
        bench.run("download-artifact", &[("name", "report"), ("path", folder)]).ok();
        tree(&bench, &format!("work/{folder}")).join(" ")
    };
    assert_eq!(got("before"), "a.txt");
    upload("dist/x.log", "of attempt 2");
    assert_eq!(got("after"), "x.log");
    upload("dist/x.log", "again");
}

#[test]
fn all_artifacts_go_into_folders_or_together() {
    let mut bench = built();
    for (name, path) in [("bin-1", "dist/a.txt"), ("bin-2", "dist/x.log"), ("docs", "logs")] {
        bench.run("upload-artifact", &[("name", name), ("path", path)]).ok();
    }
    // What another job uploaded comes in the run's list.
    std::fs::rename(bench.path("uploaded.jsonl"), bench.path("artifacts.jsonl")).expect("a list");
    bench.run("download-artifact", &[("path", "all")]).ok();
    assert_eq!(tree(&bench, "work/all").join(" "), "bin-1/a.txt bin-2/x.log docs/c.log");
    bench.run("download-artifact", &[("path", "some"), ("pattern", "bin-*")]).ok();
    assert_eq!(tree(&bench, "work/some").join(" "), "bin-1/a.txt bin-2/x.log");
    let merged = [("path", "merged"), ("pattern", "bin-*"), ("merge-multiple", "true")];
    bench.run("download-artifact", &merged).ok();
    assert_eq!(tree(&bench, "work/merged").join(" "), "a.txt x.log");
    let ran = bench.run("download-artifact", &[("name", "none")]);
    assert_eq!(ran.code, 1);
    assert!(ran.log.contains("hint: this run has: bin-1, bin-2, docs"), "{}", ran.log);
    bench.set("GITHUB_REPOSITORY", "octo/app");
    let other = [("name", "docs"), ("github-token", "t"), ("run-id", "99")];
    assert_eq!(bench.run("download-artifact", &other).code, 5);
}
