//! What a job takes is limited. A folder stands in for the cgroup that the kernel keeps (the tier `cgroups` of
//! `sandbox` has that): a step writes into it what the kernel would.

use expect_test::{Expect, expect};
use protocol::JobLimits;

use crate::harness::start;

fn check(cgroup: bool, script: &str, expect: &Expect) {
    let workflow = format!(
        "on: push\njobs: {{ job: {{ runs-on: ubuntu-latest, steps: [{{ run: '{script}' }}, {{ run: exit 1, if: always() }}] }} }}"
    );
    let running = start(&workflow, |spec| {
        let folder = std::path::Path::new(&*spec.paths.job).with_file_name("cgroup");
        std::fs::create_dir_all(folder.join("launchway")).expect("made");
        spec.options.limits = JobLimits {
            memory_bytes: Some(64 << 20),
            cpu_thousandths: Some(500),
            processes: Some(64),
            cgroup: cgroup.then(|| folder.to_string_lossy().into()),
        };
        spec.contexts.insert("vars".to_owned(), serde_json::json!({ "CGROUP": folder }));
    });
    let told = running.finish();
    expect.assert_eq(&told.told());
    let text = |file: &str| {
        let found = std::fs::read_dir(told.folder.path().join("cgroup")).expect("a folder");
        let names = found.flatten().map(|it| it.path()).filter(|it| !it.ends_with("launchway"));
        names.map(|it| std::fs::read_to_string(it.join(file)).expect(file)).collect::<String>()
    };
    if cgroup {
        // A folder with files stays; the kernel's has none and goes.
        let kept = ["memory.max", "cpu.max", "pids.max", "cgroup.procs"].map(text);
        assert_eq!(kept, ["67108864", "50000 100000", "64", "0"]);
    }
}

#[test]
fn a_job_that_had_too_much_says_so_once() {
    let events = "cd ${{ vars.CGROUP }}/job-*; echo oom_kill 3 > memory.events; exit 137";
    let words = expect![[r#"
        Error  the job's processes had more than 64 MiB of memory together, and were ended: that is what a job may have on this machine
        Error  Process completed with exit code 137.
        __run: failure -> failure
        Error  Process completed with exit code 1.
        __run_2: failure -> failure
        job: failure UserFailure
    "#]];
    check(true, events, &words);
    let words = expect![[r#"
        Error  the job had 64 processes and threads, and could not begin more: that is what a job may have on this machine
        Error  Process completed with exit code 2.
        __run: failure -> failure
        Error  Process completed with exit code 1.
        __run_2: failure -> failure
        job: failure UserFailure
    "#]];
    check(true, "cd ${{ vars.CGROUP }}/job-*; echo max 1 > pids.events; exit 2", &words);
}

#[test]
fn what_cannot_be_limited_is_not_begun() {
    let words = expect![[r#"
        Error  this machine limits what jobs take, and can do so for jobs in containers alone: whoever started it was told why (docs/runners.md)
        __setup: failure -> failure
        job: failure InfraFailure
    "#]];
    check(false, "echo begun", &words);
}
