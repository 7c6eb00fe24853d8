//! Answers that get lost, at every call: the end is the same, and nothing is done twice.

use std::collections::BTreeMap;

use event::{DeploymentEvent, DeploymentId, Fence, Timestamp, Undo, Way};
use model_cloud::{Cloud, Fault, FaultKind, Health, Image};
use ports::{Order, Performer as _, Progress};

use crate::world::{End, NEW, Script, play, script, target, wanted};

/// Every call, lost before and after it was done; every target knows nothing.
fn check_every_call(make: impl Fn() -> Script) {
    let whole = play(&make(), Vec::new());
    let calls = whole.cloud.borrow().calls().len() - whole.set_up_calls;
    let (verdict, runs, deeds) = (whole.verdict(), whole.runs(), whole.deeds());
    for kind in [FaultKind::LostBefore, FaultKind::LostAfter, FaultKind::ErrorAfter] {
        for after in 0..u32::try_from(calls).expect("few") {
            let fault = Fault { after, ..Fault::first("*", 1, kind.clone()) };
            let end = play(&make(), vec![fault]);
            let at = format!("{kind:?} at call {after}");
            assert_eq!(end.verdict(), verdict, "{at}");
            assert_eq!(end.runs(), runs, "{at}");
            assert!(end.unplanned.is_empty(), "{at}: {:?}", end.unplanned);
            for (deed, times) in end.deeds() {
                let once = deeds.get(&deed).copied().unwrap_or(0).max(1);
                assert!(times <= once, "{at}: {deed} {times} times");
            }
        }
    }
}

#[test]
fn a_release_with_a_migration() {
    check_every_call(|| {
        let mut script = script(|cloud: &mut Cloud| {
            cloud.script_command(NEW, &["alembic", "upgrade"], Image::exits(8000, 0));
        });
        script.migrates = true;
        script
    });
}

/// One snapshot, and before the migration, whoever is killed behind which call.
#[test]
fn a_release_with_a_backup() {
    for is_cluster in [false, true] {
        check_every_call(|| {
            let mut script = script(move |cloud: &mut Cloud| {
                cloud.add_database("planner-db", is_cluster);
                cloud.script_command(NEW, &["alembic", "upgrade"], Image::exits(8000, 0));
            });
            script.migrates = true;
            script.backup = Some(crate::backups::database(is_cluster));
            script
        });
    }
}

#[test]
fn a_release_that_is_undone() {
    check_every_call(|| script(|cloud: &mut Cloud| cloud.script(NEW, Image::missing())));
}

#[test]
fn a_release_that_ecs_undoes() {
    check_every_call(|| {
        script(|cloud: &mut Cloud| cloud.script(NEW, Image::missing())).with_breaker(true)
    });
}

#[test]
fn a_release_that_is_stopped_on_its_way() {
    check_every_call(|| {
        let never = |cloud: &mut Cloud| cloud.script(NEW, Image::with_health(Health::Never));
        let mut script = script(never).with_health_check();
        script.config = serde_json::json!({"within_ms": 60_000});
        script
    });
}

/// Gives every order of the plan once more, with what the journal says of the first time, until it
/// is over; tells how.
fn again(end: &End, way: Way) -> Vec<String> {
    let plan = end.plan().expect("there is a plan");
    let (mut effects, mut intended) = (BTreeMap::new(), BTreeMap::new());
    for event in &end.events {
        match event {
            DeploymentEvent::StepDone { step, way: Way::Forward, effect, .. } => {
                effects.insert(step.clone(), effect.clone());
            }
            DeploymentEvent::StepIntended { step, way: Way::Forward, at } => {
                intended.insert(step.clone(), *at);
            }
            _ => {}
        }
    }
    let service = wanted(&script(|_| {}));
    let mut said = Vec::new();
    for step in
        plan.steps().filter(|it| way == Way::Forward || matches!(it.undo, Undo::Step { .. }))
    {
        let began = end.cloud.borrow().now();
        let mut progress = String::new();
        for _ in 0..20 {
            let now = end.cloud.borrow().now();
            let since = if way == Way::Forward { intended[&step.key] } else { Timestamp(began) };
            let order = Order {
                deployment: DeploymentId(12),
                fence: Fence(1),
                step,
                service: &service,
                way,
                now: Timestamp(now),
                since,
                until: Timestamp(began + step.within_ms),
                before: None,
                effects: &effects,
            };
            let (word, over) = match target(&end.cloud).advance(&order) {
                Progress::Underway { .. } => ("underway", false),
                Progress::Done { .. } => ("done", true),
                Progress::WentBack(_) => ("went back", true),
                Progress::Superseded(_) => ("superseded", true),
                other => panic!("{other:?}"),
            };
            word.clone_into(&mut progress);
            if over {
                break;
            }
            end.cloud.borrow_mut().advance(now + 5000);
        }
        said.push(format!("{} {progress}", step.key));
    }
    said
}

#[test]
fn steps_that_were_done_are_done_again_by_looking() {
    let end = play(&script(|_| {}), Vec::new());
    let deeds = end.deeds();
    let done = ["api/register done", "api/update done", "api/stabilise done"];
    assert_eq!(again(&end, Way::Forward), done);
    assert_eq!((end.deeds(), end.runs()), (deeds, "api:2 2/2".to_owned()));
}

/// Whoever carries on an order of a deployment that ECS has taken back meanwhile does not start it
/// a second time.
#[test]
fn what_was_taken_back_is_not_done_again() {
    let bad = |cloud: &mut Cloud| cloud.script(NEW, Image::missing());
    let end = play(&script(bad).with_breaker(true), Vec::new());
    let deeds = end.deeds();
    let told = ["api/register done", "api/update done", "api/stabilise went back"];
    assert_eq!(again(&end, Way::Forward), told);
    assert_eq!((end.deeds(), end.runs()), (deeds, "api:1 2/2".to_owned()));
}

#[test]
fn what_was_undone_is_undone_again_by_looking() {
    for breaker in [true, false] {
        let bad = |cloud: &mut Cloud| cloud.script(NEW, Image::missing());
        let end = play(&script(bad).with_breaker(breaker), Vec::new());
        let deeds = end.deeds();
        assert_eq!(again(&end, Way::Back), ["api/update done"]);
        assert_eq!((end.deeds(), end.runs()), (deeds, "api:1 2/2".to_owned()));
    }
}
