//! kill -9 at instants that a seed chooses, of real deployments. Whoever goes on with one comes to the
//! end that it has without the kill; it was registered once, the service was told once, and the
//! migration ran once.
//!
//! Each round has a service of its own; a kill in four meets the one that goes on, too. The feature
//! `soak` makes it a hundred rounds. `LAUNCHWAY_SOAK_SEED` repeats a soak, `LAUNCHWAY_SOAK_ROUNDS`
//! makes it longer. The instants are the same each time, what the machine does in them is not.

use std::process::{Child, Stdio};
use std::sync::Mutex;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value as Json;

use crate::project::{Project, Unusual, say};
use crate::server::open;

const ROUNDS: u64 = if cfg!(feature = "soak") { 100 } else { 8 };
/// They mostly wait.
const SIDE_BY_SIDE: usize = 5;
/// A deployment with a migration takes longer than this, as a rule. One that is over before its kill
/// is no round: another is begun.
const INSTANT_MS_MAX: u64 = 9_000;
/// Half of the kills come so early: the calls that change something are made in short moments.
const EARLY_MS_MAX: u64 = 1_000;

/// What all rounds together saw.
#[derive(Debug, Default)]
struct Figures {
    kills: u64,
    killed_again: u64,
    /// Nothing was asked for yet: the command was given again.
    before_it_began: u64,
    /// By the kind of the step that was under way.
    under_way: std::collections::BTreeMap<String, u64>,
    /// It was over before its kill.
    too_late: u64,
    succeeded: u64,
    rolled_back: u64,
}

/// Which end a round has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Succeeded,
    TakenBack,
}

#[test]
fn whoever_goes_on_comes_to_the_same_end_and_nothing_is_done_twice() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let clock =
        || SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |it| it.as_nanos() as u64);
    let seed = number("LAUNCHWAY_SOAK_SEED").unwrap_or_else(clock);
    let rounds = number("LAUNCHWAY_SOAK_ROUNDS").unwrap_or(ROUNDS);
    say(&format!("seed {seed}: LAUNCHWAY_SOAK_SEED={seed} repeats it"));
    let (next, figures) = (Mutex::new(0..rounds), Mutex::new(Figures::default()));
    std::thread::scope(|scope| {
        for _ in 0..SIDE_BY_SIDE {
            scope.spawn(|| {
                loop {
                    let round = next.lock().expect("nobody panics with it").next();
                    let Some(round) = round else { return };
                    let mut random = Random(seed.wrapping_add(round.wrapping_mul(0x9E37_79B9)));
                    let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                        while !one(&mut random, &figures) {}
                    }));
                    assert!(ended.is_ok(), "seed {seed}, round {round}");
                }
            });
        }
    });
    say(&format!("{:?}", figures.into_inner().expect("nobody panics with it")));
}

/// A small generator; its seed is all there is to it.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % limit
    }
}

/// One deployment, a kill or two, and all that must hold afterwards. False where no kill met it.
fn one(random: &mut Random, figures: &Mutex<Figures>) -> bool {
    let end = if random.below(4) == 0 { End::TakenBack } else { End::Succeeded };
    let version = if end == End::TakenBack { "crash" } else { "1.1" };
    let migrate = ["sh", "-c", "echo created table tasks"];
    let project = Project::new(open(), &Unusual { migrate: Some(&migrate), ..Unusual::default() });
    let image = project.server.image(version);
    let deploy = ["deploy", "staging", "--yes", "--image", &image, "--version", version];
    let mut seen = Vec::new();
    let mut args: Vec<&str> = deploy.to_vec();
    for time in 0..1 + u64::from(random.below(4) == 0) {
        let limit = if random.below(2) == 0 { EARLY_MS_MAX } else { INSTANT_MS_MAX };
        let after = Duration::from_millis(random.below(limit));
        let mut child = start(&project, &args);
        let is_over = ends_within(&mut child, after);
        child.kill().expect("it is ours");
        child.wait().expect("it was started");
        let mut figures = figures.lock().expect("nobody panics with it");
        if is_over {
            figures.too_late += 1;
            if time == 0 {
                return false;
            }
            break;
        }
        figures.kills += u64::from(time == 0);
        figures.killed_again += u64::from(time == 1);
        let under_way = under_way(&project);
        args = if under_way.is_some() { vec!["deployments", "resume"] } else { deploy.to_vec() };
        match under_way {
            Some(step) => *figures.under_way.entry(step.clone()).or_default() += 1,
            None => figures.before_it_began += 1,
        }
        seen.push(after);
    }
    if ended(&project).is_none() {
        project.run(&[&args[..], &["--format", "json"]].concat());
    }
    let verdict = ended(&project).unwrap_or_else(|| "no verdict".to_owned());
    let (wanted, revision) = match end {
        End::Succeeded => ("succeeded", 2),
        End::TakenBack => ("rolled_back", 1),
    };
    let causes = shown(&project).map(|it| it["causes"].to_string()).unwrap_or_default();
    assert_eq!(verdict, wanted, "killed after {seen:?}: {causes}");
    let there = project.there();
    let once = "RegisterTaskDefinition 1, RunTask 1, UpdateService 1";
    assert_eq!(there, format!("revision {revision}, 1 running, {once}\n"), "killed after {seen:?}");
    let mut figures = figures.lock().expect("nobody panics with it");
    match end {
        End::Succeeded => figures.succeeded += 1,
        End::TakenBack => figures.rolled_back += 1,
    }
    true
}

fn start(project: &Project, args: &[&str]) -> Child {
    let mut command = project.launchway(args);
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts")
}

/// Whether it ends by itself before its instant.
fn ends_within(child: &mut Child, instant: Duration) -> bool {
    let until = std::time::Instant::now() + instant;
    while std::time::Instant::now() < until {
        if child.try_wait().expect("it was started").is_some() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    false
}

fn shown(project: &Project) -> Option<Json> {
    let said = project.run(&["deployments", "show", "--format", "json"]);
    serde_json::from_str(&said.stdout).ok()
}

/// The verdict, where there is one.
fn ended(project: &Project) -> Option<String> {
    let shown = shown(project)?;
    shown["over_at_ms"].as_u64()?;
    shown["standing"].as_str().map(str::to_owned)
}

/// What was under way when it was killed; none where nothing had begun.
fn under_way(project: &Project) -> Option<String> {
    let shown = shown(project)?;
    let open = |way: &Json| !way.is_null() && way["over_at_ms"].is_null();
    let steps = shown["steps"].as_array().into_iter().flatten();
    let name = |it: &Json| it["step"].as_str().unwrap_or_default().to_owned();
    for step in steps {
        if open(&step["back"]) {
            return Some(format!("{} back", name(step)));
        }
        if open(&step["forward"]) {
            return Some(name(step));
        }
    }
    Some("between steps".to_owned())
}
