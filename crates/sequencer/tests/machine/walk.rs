//! Jobs made by chance with ends made by chance; what must hold for every one of them.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use sequencer::{Effects, Exit};

use crate::harness::{Script, plan, play, show_end};

/// Jobs that are tried. Each is a few microseconds of pure work.
const JOBS: u64 = 2_000;

const NODE: &str = "
name: node
runs: { using: node24, main: main.js, pre: pre.js, post: post.js, post-if: CONDITION }
";

/// Marsaglia's xorshift: the same jobs on every machine.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }

    fn one_of<T: Copy>(&mut self, values: &[T]) -> T {
        let index = self.below(values.len() as u64);
        values[usize::try_from(index).expect("an index")]
    }
}

const CONDITIONS: &[&str] = &["", "always()", "failure()", "cancelled()", "success()", "true"];

/// A list of steps; every id is unique in the job.
fn steps(chance: &mut Chance, indent: usize, in_composite: bool, keys: &mut Vec<String>) -> String {
    let mut yaml = String::new();
    for number in 0..=chance.below(4) {
        let id = format!("s{number}");
        let body = match chance.below(if in_composite { 2 } else { 4 }) {
            0 => "run: x, shell: bash",
            1 => "uses: octo/node@v1",
            2 => "uses: octo/outer@v1",
            _ => "run: y",
        };
        let condition = chance.one_of(CONDITIONS);
        let condition =
            if condition.is_empty() { String::new() } else { format!(", if: {condition}") };
        let forgiving = if chance.below(4) == 0 { ", continue-on-error: true" } else { "" };
        let _ = writeln!(yaml, "{:indent$}- {{ id: {id}, {body}{condition}{forgiving} }}", "");
        keys.push(id);
    }
    yaml
}

// proves: conformance 88, 89, 107, 130, 147, 149
#[test]
fn c147_what_holds_for_every_job() {
    let mut shapes = BTreeSet::new();
    for seed in 1..=JOBS {
        let mut chance = Chance(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let told = walk(&mut chance, seed);
        shapes.insert(told);
    }
    // The walk is worth nothing if it tries the same over and over.
    assert!(shapes.len() as u64 > JOBS / 2, "only {} different courses", shapes.len());
}

fn walk(chance: &mut Chance, seed: u64) -> String {
    let mut keys = Vec::new();
    let mut inner = Vec::new();
    let outer = format!(
        "name: outer\nruns:\n  using: composite\n  steps:\n{}",
        steps(chance, 4, true, &mut inner)
    );
    let job = format!("    steps:\n{}", steps(chance, 6, false, &mut keys));
    let node = NODE.replace("CONDITION", chance.one_of(&["always()", "success()", "failure()"]));
    let all: Vec<String> = keys
        .iter()
        .flat_map(|key| {
            inner.iter().map(move |inner| format!("{key}/{inner}")).chain([key.clone()])
        })
        .flat_map(|key| [format!("pre:{key}"), format!("post:{key}"), key])
        .collect();
    let mut ends = Vec::new();
    for key in &all {
        if chance.below(6) == 0 {
            ends.push((key.as_str(), Exit::Code(1), Effects::default()));
        }
    }
    let cancel_at = (chance.below(4) == 0).then(|| {
        let index = chance.below(all.len() as u64);
        all[usize::try_from(index).expect("an index")].as_str()
    });
    let plan = plan(&job, &[("octo/node@v1", &node), ("octo/outer@v1", &outer)]);
    let (told, end) = play(&plan, &Script { ends: &ends, cancel_at, local: &[] });
    let told = format!("{told}{}\n", show_end(&end));
    let fail = |what: &str| panic!("seed {seed}: {what}\n{job}{outer}{node}\n{told}");
    hold(&told, &job, fail);
    told
}

/// The invariants, on the lines that a job told.
fn hold(told: &str, job: &str, fail: impl Fn(&str)) {
    let mut open: Vec<&str> = Vec::new();
    let mut ended = BTreeSet::new();
    let mut begun = Vec::new();
    let mut posts = Vec::new();
    let (mut failed, mut cancelled) = (false, false);
    for line in told.lines() {
        let (key, rest) = line.rsplit_once(": ").unwrap_or((line, ""));
        let outcome = rest.split(" -> ").last().unwrap_or("");
        if line == "cancelled" {
            cancelled = true;
        } else if let Some(deed) = line.strip_prefix("do ") {
            let key = deed.rsplit_once(": ").map_or(deed, |(key, _)| key);
            let key = key.split(": ").next().unwrap_or(key);
            if open.last() != Some(&key) {
                fail(&format!("{key} runs without having begun"));
            }
            let (stage, main) = key.split_once(':').unwrap_or(("main", key));
            match stage {
                "post" => posts.push(main),
                _ if !begun.contains(&main) && deed.contains("node24") => begun.push(main),
                _ => {}
            }
            if stage == "main" && (failed || cancelled) && !main.contains('/') {
                let step = job.lines().find(|line| line.contains(&format!("id: {main},")));
                let asks = |step: &str| {
                    ["always()", "failure()", "cancelled()"].iter().any(|it| step.contains(it))
                };
                if !step.is_some_and(asks) {
                    fail(&format!("{key} runs after a failure that its condition excludes"));
                }
            }
        } else if ["success", "failure", "skipped", "cancelled"].contains(&outcome) && key != "job"
        {
            if open.pop() != Some(key) {
                fail(&format!("{key} ends out of turn"));
            }
            if !ended.insert(key) {
                fail(&format!("{key} ends twice"));
            }
            failed |= outcome == "failure" && (!key.contains('/') || key.contains(':'));
        } else if !line.ends_with('{') && key != "job" && !line.starts_with("runs on") {
            let key = line.split(": ").next().unwrap_or(line);
            open.push(key);
        }
    }
    if !open.is_empty() {
        fail("something begun has not ended");
    }
    begun.reverse();
    let in_order = posts
        .iter()
        .try_fold(begun.iter(), |mut rest, post| rest.any(|begun| begun == post).then_some(rest));
    if in_order.is_none() {
        fail("post stages do not come last in, first out");
    }
    let expected = match (cancelled, failed) {
        (true, _) => "job: cancelled",
        (false, true) => "job: failure",
        (false, false) => "job: success",
    };
    if !told.trim_end().ends_with(expected) {
        fail(&format!("expected {expected}"));
    }
}
