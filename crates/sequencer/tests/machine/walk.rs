//! Jobs made by chance with ends made by chance; what must hold for every one of them.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use sequencer::{Effects, Exit, Owed};

use crate::harness::{ALL_WELL, Script, plan, play, show_end};

/// Jobs that are tried. Each is a few microseconds of pure work.
const JOBS: u64 = 1_000;

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

/// What the walk knows about the background of a job that it made.
#[derive(Default)]
struct Aside {
    steps: Vec<String>,
    /// `wait` and `cancel`: which it is, and whom it names; nobody is everybody.
    controls: BTreeMap<String, (&'static str, Vec<String>)>,
}

/// Steps that go into the background, and some that wait for them.
fn background(chance: &mut Chance, yaml: &mut String, keys: &mut Vec<String>, aside: &mut Aside) {
    for number in 0..chance.below(5) {
        let id = format!("b{number}");
        let condition = chance.one_of(&["", "", ", if: always()", ", if: failure()"]);
        let body = chance.one_of(&["run: z", "uses: octo/node@v1", "uses: octo/outer@v1"]);
        let forgiving = chance.one_of(&["", "", ", continue-on-error: true"]);
        let _ = match chance.below(4) {
            0 => {
                let step = format!("{{ id: {id}, {body}{condition}{forgiving} }}");
                let wait = format!("__parallel{}", suffix(aside));
                aside.controls.insert(wait, ("wait", vec![id.clone()]));
                writeln!(yaml, "      - parallel: [{step}]")
            }
            _ => writeln!(
                yaml,
                "      - {{ id: {id}, {body}{condition}{forgiving}, background: true }}"
            ),
        };
        keys.push(id.clone());
        aside.steps.push(id);
        // Those of `parallel` cannot be named.
        let named = |id: &&String| !is_grouped(yaml, id);
        let named: Vec<String> = aside.steps.iter().filter(named).cloned().collect();
        let count = named.len() as u64;
        let target = (count > 0).then(|| named[chance.below(count) as usize].clone());
        let control = format!("c{number}");
        let (kind, targets) = match (chance.below(5), target) {
            (0, Some(target)) => ("wait", vec![target]),
            (1, Some(target)) => ("cancel", vec![target]),
            (2, _) => ("wait-all", Vec::new()),
            _ => continue,
        };
        let named = targets.first().map_or("true", String::as_str);
        let _ = writeln!(yaml, "      - {{ id: {control}, {kind}: {named}{forgiving} }}");
        keys.push(control.clone());
        aside.controls.insert(control, (kind, targets));
    }
    aside.controls.insert("__implicit_wait_all".to_owned(), ("wait-all", Vec::new()));
}

fn is_grouped(yaml: &str, id: &str) -> bool {
    yaml.contains(&format!("parallel: [{{ id: {id},"))
}

/// What a second and third `parallel` have behind their name.
fn suffix(aside: &Aside) -> String {
    let count = aside.controls.keys().filter(|key| key.starts_with("__parallel")).count();
    if count == 0 { String::new() } else { format!("_{}", count + 1) }
}

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

// proves: conformance 88, 89, 107, 130, 141, 147, 149
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
    let mut aside = Aside::default();
    let mut job = String::from("    steps:\n");
    background(chance, &mut job, &mut keys, &mut aside);
    job += &steps(chance, 6, false, &mut keys);
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
    let other = RefCell::new(Chance(seed.wrapping_mul(0xD134_2543_DE82_EF95) | 1));
    let first = |owed: &[Owed]| other.borrow_mut().below(owed.len() as u64) as usize;
    let script = Script { ends: &ends, cancel_at, first: &first, ..ALL_WELL };
    let (told, end) = play(&plan, &script);
    let told = format!("{told}{}\n", show_end(&end));
    let fail = |what: &str| panic!("seed {seed}: {what}\n{job}{outer}{node}\n{told}");
    hold(&told, &job, &aside, fail);
    told
}

/// What a job told about its background so far.
#[derive(Default)]
struct Known<'a> {
    /// How each ended, for those around it.
    ended: BTreeMap<&'a str, &'a str>,
    begun: BTreeSet<&'a str>,
    seen: BTreeSet<&'a str>,
    /// Whether one that failed was seen by `cancel` first.
    failed_late: bool,
}

impl<'a> Known<'a> {
    /// A control step ended: what it must have waited for, and what it makes of that.
    fn control(
        &mut self,
        (kind, targets): &'a (&'static str, Vec<String>),
        outcome: &str,
        is_cancelled: bool,
    ) -> Result<(), String> {
        let unseen = || self.begun.iter().copied().filter(|it| !self.seen.contains(it)).collect();
        let targets: Vec<&str> = match *kind {
            "wait-all" => unseen(),
            _ => targets.iter().map(String::as_str).collect(),
        };
        let targets: Vec<&str> = targets.into_iter().filter(|it| self.begun.contains(it)).collect();
        if let Some(open) = targets.iter().find(|it| !self.ended.contains_key(*it)) {
            return Err(format!("a control step ends before {open}"));
        }
        let has_failed = targets.iter().any(|it| self.ended[it] == "failure");
        let expected = match (*kind, has_failed) {
            ("cancel", _) | (_, false) => "success",
            (_, true) => "failure",
        };
        if outcome != expected && !(is_cancelled && outcome == "cancelled") {
            return Err(format!("a {kind} ends as {outcome}, not as {expected}"));
        }
        for it in targets {
            let is_new = self.seen.insert(it);
            self.failed_late |= is_new && *kind == "cancel" && self.ended[it] == "failure";
        }
        Ok(())
    }
}

/// The invariants, on the lines that a job told.
fn hold(told: &str, job: &str, aside: &Aside, fail: impl Fn(&str)) {
    let mut lines: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut known = Known::default();
    // Steps in the background and what is inside of them are lines of their own.
    let line_of = |key: &str| {
        let root = key.split('/').next().unwrap_or(key);
        aside.steps.iter().find(|it| *it == root).map_or("", String::as_str)
    };
    let mut ended = BTreeSet::new();
    let mut begun = Vec::new();
    let mut posts = Vec::new();
    let (mut failed, mut cancelled) = (false, false);
    for line in told.lines().filter(|line| !line.contains(" says ")) {
        let (key, rest) = line.rsplit_once(": ").unwrap_or((line, ""));
        let outcome = rest.split(" -> ").last().unwrap_or("");
        if line == "cancelled" {
            cancelled = true;
        } else if let Some(deed) = line.strip_prefix("do ") {
            let key = deed.rsplit_once(": ").map_or(deed, |(key, _)| key);
            let key = key.split(": ").next().unwrap_or(key);
            if lines.get(line_of(key)).and_then(|open| open.last()) != Some(&key) {
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
            if lines.get_mut(line_of(key)).and_then(Vec::pop) != Some(key) {
                fail(&format!("{key} ends out of turn"));
            }
            let first = rest.split(" -> ").next().unwrap_or("");
            if let Some(control) = aside.controls.get(key)
                && let Err(wrong) = known.control(control, first, cancelled)
            {
                fail(&wrong);
            }
            if line_of(key) == key {
                known.ended.insert(key, outcome);
            }
            if !ended.insert(key) {
                fail(&format!("{key} ends twice"));
            }
            let counts = !key.contains('/') && line_of(key).is_empty() || key.contains(':');
            failed |= outcome == "failure" && counts;
        } else if !line.ends_with('{') && key != "job" && !line.starts_with("runs on") {
            let key = line.split(": ").next().unwrap_or(line);
            lines.entry(line_of(key)).or_default().push(key);
            if line.ends_with("(background)") {
                known.begun.insert(key);
            }
            if let Some((post, _)) = key.split_once(':')
                && post == "post"
                && known.begun.iter().any(|it| !known.seen.contains(it))
            {
                fail(&format!("{key} begins before all of the background is seen"));
            }
        }
    }
    if lines.values().any(|open| !open.is_empty()) {
        fail("something begun has not ended");
    }
    begun.reverse();
    let in_order = posts
        .iter()
        .try_fold(begun.iter(), |mut rest, post| rest.any(|begun| begun == post).then_some(rest));
    if in_order.is_none() {
        fail("post stages do not come last in, first out");
    }
    let expected = match (cancelled, failed || known.failed_late) {
        (true, _) => "job: cancelled",
        (false, true) => "job: failure",
        (false, false) => "job: success",
    };
    if !told.trim_end().ends_with(expected) {
        fail(&format!("expected {expected}"));
    }
}
