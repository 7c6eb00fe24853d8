//! Answers that get lost, at every call: the end is the same, and nothing is done twice.

use model_cloud::{Cloud, Fault, FaultKind, Health, Image};

use crate::world::{NEW, Script, play, script};

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
