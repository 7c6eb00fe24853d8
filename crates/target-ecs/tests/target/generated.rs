//! Deployments that a seed makes up: images that behave in every way, calls that go wrong, people who
//! interfere. Each comes to an end, and no step makes a call that its plan does not name.
//!
//! `LAUNCHWAY_GENERATED` is how many, `LAUNCHWAY_GENERATED_SEED` from which.

use std::collections::BTreeMap;

use event::DeploymentEvent;
use model_cloud::{Fault, FaultKind, Health, Image, Rollback};
use serde_json::json;

use crate::world::{GOOD, NEW, Script, ask, play, script};

/// How many.
const COUNT: u64 = 1000;

struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % limit
    }

    fn one<T: Clone>(&mut self, of: &[T]) -> T {
        let at = usize::try_from(self.below(of.len() as u64)).expect("a short list");
        of[at].clone()
    }

    fn often(&mut self, times: u64, in_all: u64) -> bool {
        self.below(in_all) < times
    }
}

const ACTIONS: &[&str] = &[
    "*",
    "ecs:DescribeServiceRevisions",
    "ecs:DescribeServices",
    "ecs:DescribeTaskDefinition",
    "ecs:DescribeTasks",
    "ecs:ListServiceDeployments",
    "ecs:ListTaskDefinitions",
    "ecs:ListTasks",
    "ecs:RegisterTaskDefinition",
    "ecs:RunTask",
    "ecs:StopServiceDeployment",
    "ecs:StopTask",
    "ecs:UpdateService",
    "logs:GetLogEvents",
    "sts:GetCallerIdentity",
];

fn image(random: &mut Random) -> Image {
    let after = random.below(30_000);
    match random.below(6) {
        0 => Image::missing(),
        1 => Image::exits(after, i64::try_from(random.below(4)).expect("small")),
        2 => Image::with_health(Health::Never),
        3 => Image::with_health(Health::After(after)),
        _ => Image::good(),
    }
}

fn made_up(random: &mut Random) -> (Script, Vec<Fault>) {
    let (new, migration) = (image(random), image(random));
    let (lag, room) = (random.below(4) * 1500, !random.often(1, 20));
    let rollback = random.one(&[Rollback::NewDeployment, Rollback::SameDeployment]);
    let mut script = script(move |cloud| {
        cloud.script(NEW, new.clone());
        cloud.script_command(NEW, &["alembic", "upgrade"], migration.clone());
        cloud.lag(lag);
        cloud.rolls_back_with(rollback);
        cloud.set_room("c", room);
    });
    if random.often(1, 2) {
        script = script.with_breaker(random.often(2, 3));
    }
    if random.often(1, 3) {
        script = script.with_health_check();
    }
    script.desired = random.below(5);
    script.migrates = random.often(1, 3);
    script.force = random.often(1, 10);
    script.config = json!({"within_ms": 60_000 + random.below(600_000)});
    if random.often(1, 6) {
        let image = random.one(&[GOOD, "repo@sha256:other"]);
        script = script.at(random.below(120), move |cloud| {
            // What goes wrong for us may go wrong for them.
            let app = json!({"name": "app", "image": image, "memory": 128});
            let theirs = json!({"family": "api", "containerDefinitions": [app]});
            let theirs = ask(cloud, "RegisterTaskDefinition", &theirs);
            if let Some(arn) = theirs["taskDefinition"]["taskDefinitionArn"].as_str() {
                let body = json!({"cluster": "c", "service": "api", "taskDefinition": arn});
                ask(cloud, "UpdateService", &body);
            }
        });
    }
    if random.often(1, 10) {
        script = script.at(random.below(120), |cloud| {
            ask(
                cloud,
                "UpdateService",
                &json!({"cluster": "c", "service": "api", "desiredCount": 0}),
            );
        });
    }
    let kinds = [
        FaultKind::Throttled,
        FaultKind::ServerError,
        FaultKind::LostBefore,
        FaultKind::LostAfter,
        FaultKind::ErrorAfter,
        FaultKind::Denied,
    ];
    let faults = (0..random.below(4)).map(|_| Fault {
        action: random.one(ACTIONS).to_owned(),
        after: u32::try_from(random.below(6)).expect("small"),
        times: u32::try_from(1 + random.below(3)).expect("small"),
        kind: random.one(&kinds),
    });
    let faults = faults.collect();
    (script, faults)
}

#[test]
fn calls_are_those_of_the_plan_whatever_happens() {
    let number = |name: &str| std::env::var(name).ok().and_then(|it| it.parse::<u64>().ok());
    let count = number("LAUNCHWAY_GENERATED").unwrap_or(COUNT);
    let from = number("LAUNCHWAY_GENERATED_SEED").unwrap_or(0);
    let mut verdicts: BTreeMap<String, u64> = BTreeMap::new();
    for seed in from..from + count {
        let (script, faults) = made_up(&mut Random(seed));
        let end = play(&script, faults);
        assert!(end.unplanned.is_empty(), "seed {seed}: {:?} is not planned", end.unplanned);
        let over = end.events.iter().find_map(|it| match it {
            DeploymentEvent::DeploymentCompleted { verdict, .. } => Some(format!("{verdict:?}")),
            _ => None,
        });
        let over = over.unwrap_or_else(|| panic!("seed {seed}: it does not end: {}", end.tell()));
        *verdicts.entry(over).or_default() += 1;
    }
    // Every kind of end is among them.
    if count >= COUNT {
        assert!(verdicts.len() >= 6, "{verdicts:?}");
    }
}
