//! How much is kept, and for how long.

use std::fs::{self, File};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use crate::bench::Bench;

const DAY: Duration = Duration::from_secs(24 * 3600);

fn save(bench: &Bench, key: &str) {
    bench.run("cache-save", &[("path", "deps"), ("key", key)]).ok();
}

fn has(bench: &Bench, key: &str) -> bool {
    let inputs = [("path", "deps"), ("key", key), ("lookup-only", "true")];
    bench.run("cache-restore", &inputs).ok().outputs.get("cache-hit").is_some_and(|it| it == "true")
}

/// The folder of an entry.
fn entry(bench: &Bench, key: &str) -> PathBuf {
    fn search(folder: PathBuf, key: &str) -> Option<PathBuf> {
        if fs::read_to_string(folder.join("key")).is_ok_and(|it| it == key) {
            return Some(folder);
        }
        let folders = fs::read_dir(folder).ok()?.filter_map(Result::ok).map(|it| it.path());
        folders.filter(|it| it.is_dir()).find_map(|it| search(it, key))
    }
    search(bench.path("caches"), key).expect("it was saved")
}

fn used(bench: &Bench, key: &str, ago: Duration) {
    let file = File::options().write(true).open(entry(bench, key).join("used")).expect("a file");
    file.set_modified(SystemTime::now() - ago).expect("the time can be set");
}

// proves: conformance 203, 236
#[test]
fn c236_a_cache_that_nobody_used_for_a_week_goes() {
    let bench = Bench::new();
    bench.write("work/deps/a", "1");
    save(&bench, "old");
    save(&bench, "young");
    used(&bench, "old", DAY * 7 + Duration::from_secs(60));
    used(&bench, "young", DAY * 7 - Duration::from_secs(60));
    save(&bench, "new");
    assert_eq!(["old", "young", "new"].map(|key| has(&bench, key)), [false, true, true]);
}

// proves: conformance 203, 236
#[test]
fn c236_ten_gigabytes_and_the_least_used_go_first() {
    let bench = Bench::new();
    bench.write("work/deps/a", "1");
    for (hours, key) in [(3, "first"), (2, "second"), (1, "third")] {
        save(&bench, key);
        used(&bench, key, Duration::from_secs(hours * 3600));
        // Nothing is written: the file system keeps the hole.
        let archive = entry(&bench, key).join("entry.tar.zst");
        let archive = File::options().write(true).open(archive).expect("a file");
        archive.set_len(4 << 30).expect("a file with a hole");
    }
    save(&bench, "new");
    let kept = ["first", "second", "third", "new"].map(|key| has(&bench, key));
    assert_eq!(kept, [false, true, true, true]);
}

// proves: conformance 203, 236
#[test]
fn c236_keys_of_512_characters_ten_of_them() {
    let bench = Bench::new();
    let restore = |key: &str, others: usize| {
        let others: Vec<String> = (0..others).map(|it| format!("k{it}")).collect();
        let inputs = [("path", "deps"), ("key", key), ("restore-keys", &others.join("\n"))];
        bench.run("cache-restore", &inputs).code
    };
    assert_eq!((restore(&"k".repeat(512), 9), restore(&"k".repeat(513), 0)), (0, 1));
    assert_eq!((restore("k", 10), restore("a,b", 0)), (1, 1));
}

// proves: conformance 237
#[test]
fn c237_how_long_an_artifact_is_kept() {
    let days = |inputs: &[(&str, &str)]| {
        let bench = Bench::new();
        bench.write("work/a", "1");
        let inputs = [&[("name", "one"), ("path", "a")], inputs].concat();
        let ran = bench.run("upload-artifact", &inputs);
        if ran.code != 0 {
            return None;
        }
        let line: serde_json::Value =
            serde_json::from_str(&bench.read("uploaded.jsonl")).expect("one line of JSON");
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970");
        let left = line["expires_at"].as_u64().expect("a time") - now.as_millis() as u64;
        Some((left as f64 / DAY.as_millis() as f64).round() as u64)
    };
    assert_eq!(days(&[]), Some(90));
    for (written, kept) in [("0", Some(90)), ("1", Some(1)), ("400", Some(400))] {
        assert_eq!(days(&[("retention-days", written)]), kept, "{written}");
    }
    for wrong in ["401", "-1", "soon"] {
        assert_eq!(days(&[("retention-days", wrong)]), None, "{wrong}");
    }
}

// proves: conformance 203
#[test]
fn c203_of_several_entries_the_newest_is_taken() {
    let bench = Bench::new();
    bench.write("work/deps/a", "1");
    for (hours, key) in [(1, "k-b"), (3, "k-a"), (2, "k-c")] {
        save(&bench, key);
        let archive = entry(&bench, key).join("entry.tar.zst");
        let archive = File::options().write(true).open(archive).expect("a file");
        let made = SystemTime::now() - Duration::from_secs(hours * 3600);
        archive.set_modified(made).expect("the time can be set");
    }
    let matched = |key: &str, others: &str| {
        let inputs = [("path", "deps"), ("key", key), ("restore-keys", others)];
        let ran = bench.run("cache-restore", &inputs).ok();
        ran.outputs.get("cache-matched-key").cloned().unwrap_or_default()
    };
    assert_eq!(matched("k-c", "k-"), "k-c");
    assert_eq!(matched("k-d", "k-"), "k-b");
    // In the order of the keys, whatever their age.
    assert_eq!(matched("k-d", "none-\nk-a\nk-"), "k-a");
    assert_eq!(matched("k-d", "none-"), "");
}
