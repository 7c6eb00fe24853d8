//! What a file costs while it is read. A test of its own process: it looks at what that took at the most.
#![cfg(target_os = "linux")]

use reports::{Report, read};

/// What this process took at the most, in KiB.
#[expect(clippy::disallowed_methods, reason = "no other way to ask Linux")]
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux has one");
    let line = status.lines().find_map(|it| it.strip_prefix("VmHWM:"));
    let number = line.and_then(|it| it.split_whitespace().next()?.parse().ok());
    number.expect("Linux tells it")
}

#[test]
fn a_scan_that_is_nothing_but_lists_costs_no_more_than_its_text() {
    let check = |what: &str, result: &dyn Fn(usize) -> String| {
        let one = result(4_000);
        let results = vec![one; 100].join(",");
        let text = format!(r#"{{"version":"2.1.0","runs":[{{"results":[{results}]}}]}}"#);
        let before = peak();
        let Some(Report::Scan(scan)) = read(text.as_bytes()) else { panic!("it is a scan") };
        assert_eq!((scan.findings.len(), scan.is_cut), (100, false), "{what}");
        let more = (peak() - before) * 1024;
        assert!(more < 8 << 20, "{what}: {more} bytes for a text of {}", text.len());
    };
    for list in ["locations", "suppressions"] {
        check(list, &|count| format!(r#"{{"{list}":[{}]}}"#, vec!["{}"; count].join(",")));
    }
    for map in ["partialFingerprints", "fingerprints"] {
        let entry = |at: usize| format!(r#""{at}":"""#);
        let entries = |count: usize| (0..count).map(entry).collect::<Vec<_>>().join(",");
        check(map, &|count| format!(r#"{{"{map}":{{{}}}}}"#, entries(count)));
    }
}
