//! What follows from how an attempt ended. Pure: what is random in it comes from the delivery's key.

use event::Timestamp;
use store::{Delivery, ReceiverHealth, Settled};

use crate::post::{Ended, Failed, Fault, since};

/// The first wait; each further one is twice as long.
const WAIT_FIRST_MS: u64 = 2_000;

/// No wait is longer: whoever mends a receiver should not have to wait for an hour.
pub const WAIT_MAX_MS: u64 = 15 * 60_000;

/// How long it is tried. A receiver that is away over a long weekend still gets what it is owed.
pub const GIVE_UP_MS: u64 = 72 * 3_600_000;

/// Failures in a row after which a receiver is left alone as a whole.
const FAILURES_TO_SHUT: u32 = 3;

/// A receiver that wants to be left alone for longer is asked again all the same.
const ASKED_WAIT_MAX_MS: u64 = 3_600_000;

/// What is kept of a reason.
const NOTE_CHARS_MAX: usize = 500;

/// What becomes of a delivery and of what is known of its receiver, now that an attempt has ended.
/// `delivery` is as it was before the attempt.
pub fn settled(
    delivery: &Delivery,
    health: &ReceiverHealth,
    now: Timestamp,
    ended: &Ended,
) -> (Settled, ReceiverHealth) {
    let failed = match ended {
        Ended::Arrived { remote } => {
            return (Settled::Delivered { remote: remote.clone() }, ReceiverHealth::default());
        }
        Ended::Failed(failed) => failed,
    };
    let note: String = failed.why.chars().take(NOTE_CHARS_MAX).collect();
    if failed.fault == Fault::Refused {
        // It answers; what is wrong is wrong with this one.
        return (Settled::GivenUp { note }, ReceiverHealth::default());
    }
    let health = shut(delivery, health, now, failed, &note);
    let wait_ms = wait_ms(&delivery.key, delivery.attempts).max(asked_ms(failed));
    let next_at = Timestamp(now.0 + wait_ms);
    if since(next_at, delivery.owed_at) > GIVE_UP_MS {
        let hours = GIVE_UP_MS / 3_600_000;
        return (Settled::GivenUp { note: format!("{note}; tried for {hours} hours") }, health);
    }
    let is_unsure = failed.fault == Fault::Unknown || delivery.is_unsure;
    (Settled::Again { next_at, note, is_unsure }, health)
}

/// One failure more. From the third on nothing goes there for a while; then one is tried, and where
/// that fails too, it is shut for longer.
fn shut(
    delivery: &Delivery,
    health: &ReceiverHealth,
    now: Timestamp,
    failed: &Failed,
    note: &str,
) -> ReceiverHealth {
    let failures = health.failures.saturating_add(1);
    let shut_ms = if failures < FAILURES_TO_SHUT {
        asked_ms(failed)
    } else {
        wait_ms(&delivery.receiver, failures).max(asked_ms(failed))
    };
    ReceiverHealth { failures, shut_until: Timestamp(now.0 + shut_ms), note: note.to_owned() }
}

fn asked_ms(failed: &Failed) -> u64 {
    failed.again_ms.unwrap_or(0).min(ASKED_WAIT_MAX_MS)
}

/// Twice as long each time, up to a bound, and up to a quarter shorter: those that failed together
/// do not all come back together.
fn wait_ms(key: &str, attempts: u32) -> u64 {
    let full = WAIT_FIRST_MS.saturating_mul(1 << attempts.min(20)).min(WAIT_MAX_MS);
    // FNV-1a, to spread; nothing depends on what it gives.
    let spread = key.bytes().chain([attempts as u8]).fold(0xcbf2_9ce4_8422_2325_u64, |hash, it| {
        (hash ^ u64::from(it)).wrapping_mul(0x0100_0000_01b3)
    });
    full - spread % (full / 4)
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use store::DeliveryState;

    use super::*;

    fn delivery(attempts: u32) -> Delivery {
        Delivery {
            id: 1,
            key: "run/1/1#9".to_owned(),
            consumer: "messages".to_owned(),
            receiver: "slack team".to_owned(),
            lane: "run/1/1".to_owned(),
            about: "run 1 failed".to_owned(),
            body: String::new(),
            owed_at: Timestamp(0),
            attempts,
            is_unsure: false,
            state: DeliveryState::UnderWay,
            next_at: Timestamp(0),
            settled_at: None,
            note: None,
            remote: None,
        }
    }

    fn story(now: u64, attempts: u32, failures: u32, ended: Ended, expected: Expect) {
        let health = ReceiverHealth { failures, ..ReceiverHealth::default() };
        let (settled, health) = settled(&delivery(attempts), &health, Timestamp(now), &ended);
        let shut_ms = health.shut_until.0.saturating_sub(now);
        expected.assert_eq(&format!(
            "{settled:?}; {} failures, shut for {shut_ms} ms",
            health.failures
        ));
    }

    fn failed(fault: Fault) -> Ended {
        Ended::Failed(Failed::new(fault, "503 Service Unavailable"))
    }

    #[test]
    fn what_arrived_is_delivered_and_its_receiver_is_well() {
        let ended = Ended::Arrived { remote: Some("check 7".to_owned()) };
        story(
            5_000,
            3,
            9,
            ended,
            expect![[r#"Delivered { remote: Some("check 7") }; 0 failures, shut for 0 ms"#]],
        );
    }

    #[test]
    fn what_is_refused_is_given_up_at_once() {
        story(
            5_000,
            0,
            2,
            failed(Fault::Refused),
            expect![[r#"GivenUp { note: "503 Service Unavailable" }; 0 failures, shut for 0 ms"#]],
        );
    }

    #[test]
    fn waits_grow_up_to_a_bound_and_the_third_failure_shuts_the_receiver() {
        story(
            0,
            0,
            0,
            failed(Fault::Down),
            expect![[
                r#"Again { next_at: Timestamp(1874), note: "503 Service Unavailable", is_unsure: false }; 1 failures, shut for 0 ms"#
            ]],
        );
        story(
            0,
            1,
            1,
            failed(Fault::Down),
            expect![[
                r#"Again { next_at: Timestamp(3163), note: "503 Service Unavailable", is_unsure: false }; 2 failures, shut for 0 ms"#
            ]],
        );
        story(
            0,
            2,
            2,
            failed(Fault::Down),
            expect![[
                r#"Again { next_at: Timestamp(7796), note: "503 Service Unavailable", is_unsure: false }; 3 failures, shut for 15555 ms"#
            ]],
        );
        story(
            0,
            9,
            9,
            failed(Fault::Down),
            expect![[
                r#"Again { next_at: Timestamp(894475), note: "503 Service Unavailable", is_unsure: false }; 10 failures, shut for 708454 ms"#
            ]],
        );
        story(
            0,
            u32::MAX,
            u32::MAX,
            failed(Fault::Down),
            expect![[
                r#"Again { next_at: Timestamp(845853), note: "503 Service Unavailable", is_unsure: false }; 4294967295 failures, shut for 844463 ms"#
            ]],
        );
    }

    #[test]
    fn nobody_knows_is_written_down() {
        story(
            0,
            0,
            0,
            failed(Fault::Unknown),
            expect![[
                r#"Again { next_at: Timestamp(1874), note: "503 Service Unavailable", is_unsure: true }; 1 failures, shut for 0 ms"#
            ]],
        );
    }

    #[test]
    fn a_receiver_that_wants_to_be_left_alone_is_up_to_an_hour() {
        let asked = |ms| {
            let failed = Failed::new(Fault::Down, "429 Too Many Requests");
            Ended::Failed(Failed { again_ms: Some(ms), ..failed })
        };
        story(
            0,
            0,
            0,
            asked(30_000),
            expect![[
                r#"Again { next_at: Timestamp(30000), note: "429 Too Many Requests", is_unsure: false }; 1 failures, shut for 30000 ms"#
            ]],
        );
        story(
            0,
            0,
            0,
            asked(u64::MAX),
            expect![[
                r#"Again { next_at: Timestamp(3600000), note: "429 Too Many Requests", is_unsure: false }; 1 failures, shut for 3600000 ms"#
            ]],
        );
    }

    #[test]
    fn after_three_days_it_is_given_up_and_says_so() {
        story(
            GIVE_UP_MS - 1_000,
            300,
            9,
            failed(Fault::Down),
            expect![[
                r#"GivenUp { note: "503 Service Unavailable; tried for 72 hours" }; 10 failures, shut for 708454 ms"#
            ]],
        );
    }
}
