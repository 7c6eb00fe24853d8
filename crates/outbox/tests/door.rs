//! The courier at its door, against a receiver with a memory and a store on disk.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use event::{Attempt, Conclusion, RunEvent, RunId, Seq, StreamId, Timestamp};
use expect_test::{Expect, expect};
use outbox::{Clock, Courier, Failed, Fault, Look, Post, Trouble};
use ports::Journal as _;
use store::{
    BODY_BYTES_MAX, Delivery, DeliveryState, Follow, Happened, Owed, Store, WantedDeliveries,
};

/// What the receiver does with the next delivery.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Mood {
    Takes,
    IsDown,
    /// Takes it, and the answer is lost.
    TakesUnheard,
    Refuses,
    /// Takes it, and the sender is killed before it hears so.
    TakesAndSenderDies,
    /// The sender is killed before it was sent.
    SenderDies,
}

/// A receiver with a memory, and a consumer that owes it the begin and the end of each run.
struct World {
    moods: Mutex<Vec<Mood>>,
    taken: Mutex<Vec<String>>,
    can_be_asked: bool,
    follow: Follow,
    body_bytes: usize,
}

impl World {
    fn new(can_be_asked: bool) -> World {
        World {
            moods: Mutex::default(),
            taken: Mutex::default(),
            can_be_asked,
            follow: Follow::Each,
            body_bytes: 2,
        }
    }

    fn taken(&self) -> Vec<String> {
        self.taken.lock().expect("nobody panics while holding it").clone()
    }
}

impl Post for World {
    fn consumer(&self) -> &str {
        "messages"
    }

    fn owed(&self, happened: &Happened) -> Result<Vec<Owed>, Trouble> {
        let kind = happened.kind.as_deref().unwrap_or_default();
        if !matches!(kind, "RunStarted" | "RunCompleted") {
            return Ok(Vec::new());
        }
        Ok(vec![Owed {
            key: format!("{}#{}", happened.stream, happened.seq),
            receiver: "team".to_owned(),
            lane: happened.stream.clone(),
            about: format!("{kind} of {}", happened.stream),
            body: "x".repeat(self.body_bytes),
            follow: self.follow,
        }])
    }

    fn look(&self, delivery: &Delivery) -> Look {
        if !self.can_be_asked {
            return Look::CannotTell;
        }
        match self.taken().contains(&delivery.key) {
            true => Look::Arrived { remote: None },
            false => Look::NotThere,
        }
    }

    fn send(&self, delivery: &Delivery) -> Result<Option<String>, Failed> {
        let mood =
            self.moods.lock().expect("nobody panics while holding it").pop().unwrap_or(Mood::Takes);
        let take = || {
            self.taken.lock().expect("nobody panics while holding it").push(delivery.key.clone());
        };
        match mood {
            Mood::Takes => {
                take();
                Ok(Some(format!("id of {}", delivery.key)))
            }
            Mood::IsDown => Err(Failed::new(Fault::Down, "connection refused")),
            Mood::TakesUnheard => {
                take();
                Err(Failed::new(Fault::Unknown, "no answer within 10 s"))
            }
            Mood::Refuses => Err(Failed::new(Fault::Refused, "404 Not Found")),
            Mood::TakesAndSenderDies => {
                take();
                resume_unwind(Box::new("killed"))
            }
            Mood::SenderDies => resume_unwind(Box::new("killed")),
        }
    }
}

/// A store, a time that only tests move, and what the courier said.
struct Place {
    folder: tempfile::TempDir,
    now: Arc<AtomicU64>,
    said: Arc<Mutex<Vec<String>>>,
}

impl Place {
    fn new() -> Place {
        Place {
            folder: tempfile::tempdir().expect("it works"),
            now: Arc::new(AtomicU64::new(1_000_000)),
            said: Arc::default(),
        }
    }

    fn store(&self) -> Arc<Store> {
        Arc::new(Store::open(self.folder.path()).expect("it works"))
    }

    /// A process that sends.
    fn courier(&self, store: &Arc<Store>, world: &Arc<World>) -> Courier {
        let now = Arc::clone(&self.now);
        let clock: Clock = Arc::new(move || Timestamp(now.load(Ordering::Relaxed)));
        let said = Arc::clone(&self.said);
        let say = move |line: &str| {
            said.lock().expect("nobody panics while holding it").push(line.to_owned());
        };
        Courier::new(Arc::clone(store), Arc::clone(world) as Arc<dyn Post>, clock, say)
    }

    fn later(&self, ms: u64) {
        self.now.fetch_add(ms, Ordering::Relaxed);
    }

    fn now(&self) -> u64 {
        self.now.load(Ordering::Relaxed)
    }
}

fn started() -> RunEvent {
    RunEvent::RunStarted { at: Timestamp(1) }
}

fn completed() -> RunEvent {
    RunEvent::RunCompleted { conclusion: Conclusion::Failure, at: Timestamp(2) }
}

fn run(store: &Store, number: u64, events: &[RunEvent]) {
    let stream = StreamId::Run(RunId(number), Attempt(1));
    store.append(stream, Seq(0), Timestamp(1), events).expect("it works");
}

fn all(store: &Store) -> Vec<Delivery> {
    let wanted =
        WantedDeliveries { before: None, consumer: None, is_undelivered: false, limit: 1_000 };
    store.deliveries(&wanted).expect("it works")
}

fn rows(store: &Store, expected: Expect) {
    let line = |it: &Delivery| {
        let note = it.note.as_ref().map(|note| format!(" ({note})")).unwrap_or_default();
        let unsure = if it.is_unsure { " unsure" } else { "" };
        format!("{} {} after {}{unsure}{note}\n", it.key, it.state.as_str(), it.attempts)
    };
    expected.assert_eq(&all(store).iter().rev().map(line).collect::<String>());
}

#[test]
fn what_happened_before_is_not_told_and_what_happens_is_in_order() {
    let (place, world) = (Place::new(), Arc::new(World::new(false)));
    let store = place.store();
    run(&store, 1, &[started(), completed()]);
    let courier = place.courier(&store, &world);
    courier.begin().unwrap();
    run(&store, 2, &[started(), completed()]);
    let round = courier.round().unwrap();
    assert_eq!((round.attempts, round.arrived), (2, 2));
    assert_eq!(world.taken(), ["run/2/1#1", "run/2/1#2"]);
    assert_eq!(courier.round().unwrap().attempts, 0, "each is sent once");
    rows(
        &store,
        expect![[r#"
        run/2/1#1 delivered after 1
        run/2/1#2 delivered after 1
    "#]],
    );
    let remote = store.lane_remote("messages", "run/2/1").unwrap();
    assert_eq!(remote.as_deref(), Some("id of run/2/1#2"));
}

/// Whoever cannot tell what ends owe, for one reason in each of so many repositories.
struct Gone(u64);

impl Post for Gone {
    fn consumer(&self) -> &str {
        "messages"
    }

    fn owed(&self, happened: &Happened) -> Result<Vec<Owed>, Trouble> {
        if happened.kind.as_deref() != Some("RunCompleted") {
            return Ok(Vec::new());
        }
        Err(Trouble::Unreadable(format!("there is no /srv/{}.git", happened.position / 2 % self.0)))
    }

    fn send(&self, _: &Delivery) -> Result<Option<String>, Failed> {
        unreachable!("nothing is owed")
    }
}

#[test]
fn why_nobody_is_told_is_said_once_for_each_reason_and_for_few_of_them() {
    let check = |repositories: u64, runs: u64, expected: Expect| {
        let place = Place::new();
        let store = place.store();
        let (said, clock): (_, Clock) = (Arc::clone(&place.said), Arc::new(|| Timestamp(1)));
        let say = move |line: &str| {
            said.lock().expect("nobody panics while holding it").push(line.to_owned());
        };
        let courier = Courier::new(Arc::clone(&store), Arc::new(Gone(repositories)), clock, say);
        courier.begin().unwrap();
        (1..=runs).for_each(|number| run(&store, number, &[started(), completed()]));
        courier.round().unwrap();
        courier.round().unwrap();
        expected.assert_eq(&place.said.lock().unwrap().join("\n"));
    };
    check(1, 1, expect!["warning: nobody is told of event 2 of run/1/1: there is no /srv/0.git"]);
    check(
        1,
        2,
        expect![[r#"
        warning: nobody is told of event 2 of run/1/1: there is no /srv/0.git
        warning: nobody is told of one more event, for the same reason"#]],
    );
    check(
        2,
        100,
        expect![[r#"
        warning: nobody is told of event 2 of run/1/1: there is no /srv/1.git
        warning: nobody is told of event 2 of run/2/1: there is no /srv/0.git
        warning: nobody is told of 98 more events, for such reasons"#]],
    );
    check(
        100,
        100,
        expect![[r#"
        warning: nobody is told of event 2 of run/1/1: there is no /srv/1.git
        warning: nobody is told of event 2 of run/2/1: there is no /srv/2.git
        warning: nobody is told of event 2 of run/3/1: there is no /srv/3.git
        warning: nobody is told of event 2 of run/4/1: there is no /srv/4.git
        warning: nobody is told of event 2 of run/5/1: there is no /srv/5.git
        warning: nobody is told of event 2 of run/6/1: there is no /srv/6.git
        warning: nobody is told of event 2 of run/7/1: there is no /srv/7.git
        warning: nobody is told of event 2 of run/8/1: there is no /srv/8.git
        warning: nobody is told of event 2 of run/9/1: there is no /srv/9.git
        warning: nobody is told of event 2 of run/10/1: there is no /srv/10.git
        warning: nobody is told of event 2 of run/11/1: there is no /srv/11.git
        warning: nobody is told of event 2 of run/12/1: there is no /srv/12.git
        warning: nobody is told of event 2 of run/13/1: there is no /srv/13.git
        warning: nobody is told of event 2 of run/14/1: there is no /srv/14.git
        warning: nobody is told of event 2 of run/15/1: there is no /srv/15.git
        warning: nobody is told of event 2 of run/16/1: there is no /srv/16.git
        warning: nobody is told of 84 more events, for such reasons"#]],
    );
}

#[test]
fn a_receiver_that_is_down_is_left_alone_and_gets_all_of_it_later() {
    let (place, world) = (Place::new(), Arc::new(World::new(false)));
    let store = place.store();
    let courier = place.courier(&store, &world);
    courier.begin().unwrap();
    *world.moods.lock().unwrap() = vec![Mood::IsDown; 3];
    for number in 1..=5 {
        run(&store, number, &[completed()]);
    }
    // Three were tried, then nothing goes there: the fourth would have been taken.
    assert_eq!(courier.round().unwrap().attempts, 3);
    assert_eq!(courier.round().unwrap().attempts, 0);
    rows(
        &store,
        expect![[r#"
        run/1/1#1 waiting after 1 (connection refused)
        run/2/1#1 waiting after 1 (connection refused)
        run/3/1#1 waiting after 1 (connection refused)
        run/4/1#1 waiting after 0
        run/5/1#1 waiting after 0
    "#]],
    );
    let troubled = store.troubled_receivers().unwrap();
    assert_eq!((troubled.len(), troubled[0].health.failures), (1, 3));
    let next = store.next_due("messages").unwrap().unwrap();
    assert!(next.0 > place.now(), "nobody is asked before");
    place.later(60_000);
    assert_eq!(courier.round().unwrap().arrived, 5);
    assert!(store.troubled_receivers().unwrap().is_empty());
    expect![[r#"
        warning: team does not take RunCompleted of run/1/1, tried again: connection refused
        team answers again"#]]
    .assert_eq(&place.said.lock().unwrap().join("\n"));
}

#[test]
fn what_is_refused_or_too_large_is_given_up_and_can_be_asked_for_again() {
    let (place, mut world) = (Place::new(), World::new(false));
    *world.moods.get_mut().unwrap() = vec![Mood::Takes, Mood::Refuses];
    let world = Arc::new(world);
    let store = place.store();
    let courier = place.courier(&store, &world);
    courier.begin().unwrap();
    run(&store, 1, &[completed()]);
    assert_eq!(courier.round().unwrap().arrived, 0);
    rows(
        &store,
        expect![[r#"
        run/1/1#1 given_up after 1 (404 Not Found)
    "#]],
    );
    place.later(1);
    assert!(store.retry_delivery(all(&store)[0].id, Timestamp(place.now())).unwrap());
    assert_eq!(courier.round().unwrap().arrived, 1);
    assert!(!store.retry_delivery(all(&store)[0].id, Timestamp(place.now())).unwrap());
    let mut large = World::new(false);
    large.body_bytes = BODY_BYTES_MAX + 1;
    run(&store, 2, &[completed()]);
    place.courier(&store, &Arc::new(large)).round().unwrap();
    rows(
        &store,
        expect![[r#"
        run/1/1#1 delivered after 1
        run/2/1#1 given_up after 0 (it has more than 262144 bytes)
    "#]],
    );
}

#[test]
fn of_a_lane_whose_newest_counts_what_was_not_sent_is_not_sent_any_more() {
    let (place, mut world) = (Place::new(), World::new(false));
    world.follow = Follow::Newest;
    let world = Arc::new(world);
    let store = place.store();
    let courier = place.courier(&store, &world);
    courier.begin().unwrap();
    run(&store, 1, &[started(), completed()]);
    courier.round().unwrap();
    assert_eq!(world.taken(), ["run/1/1#2"]);
    rows(
        &store,
        expect![[r#"
        run/1/1#1 superseded after 0
        run/1/1#2 delivered after 1
    "#]],
    );
}

#[test]
fn who_was_killed_between_sending_and_noting_looks_first() {
    for (can_be_asked, mood, taken) in [
        (true, Mood::TakesAndSenderDies, 1),
        (true, Mood::SenderDies, 1),
        (true, Mood::TakesUnheard, 1),
        // Nobody can know: once more, under the same key.
        (false, Mood::TakesAndSenderDies, 2),
        (false, Mood::SenderDies, 1),
    ] {
        let (place, mut world) = (Place::new(), World::new(can_be_asked));
        *world.moods.get_mut().unwrap() = vec![mood];
        let world = Arc::new(world);
        {
            let store = place.store();
            let courier = place.courier(&store, &world);
            courier.begin().unwrap();
            run(&store, 1, &[completed()]);
            let _ = catch_unwind(AssertUnwindSafe(|| courier.round().unwrap()));
        }
        let store = place.store();
        let courier = place.courier(&store, &world);
        assert!(all(&store)[0].is_unsure);
        place.later(3_000);
        if mood != Mood::TakesUnheard {
            assert_eq!(courier.round().unwrap().attempts, 0, "another process may have it");
        }
        courier.is_alone().unwrap();
        assert_eq!(courier.round().unwrap().arrived, 1);
        assert_eq!(world.taken().len(), taken, "{can_be_asked} {mood:?}");
        assert_eq!(all(&store)[0].state, DeliveryState::Delivered);
    }
}

/// Whatever breaks: nothing is lost, lanes keep their order, and a receiver that can be asked has
/// each once. One that cannot has one more only where an answer was lost.
#[test]
fn whatever_breaks_nothing_is_lost_and_nothing_is_doubled_that_need_not_be() {
    for seed in 1..=24_u64 {
        let mut dice = seed;
        let mut roll = |sides: u64| {
            dice = dice
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (dice >> 33) % sides
        };
        let can_be_asked = roll(2) == 0;
        let (place, world) = (Place::new(), Arc::new(World::new(can_be_asked)));
        let store = place.store();
        place.courier(&store, &world).begin().unwrap();
        let (mut runs, mut unheard) = (0, 0);
        for act in 0..25 {
            let courier = place.courier(&store, &world);
            courier.is_alone().unwrap();
            for _ in 0..roll(3) {
                runs += 1;
                run(&store, runs, &[started(), completed()]);
            }
            // The second act heals, and demands an end.
            let moods = if act > 15 { 0 } else { roll(6) };
            let moods: Vec<Mood> = (0..moods)
                .map(|_| match roll(5) {
                    0 => Mood::IsDown,
                    1 => Mood::TakesUnheard,
                    2 => Mood::TakesAndSenderDies,
                    3 => Mood::SenderDies,
                    _ => Mood::Takes,
                })
                .collect();
            *world.moods.lock().unwrap() = moods.clone();
            let _ = catch_unwind(AssertUnwindSafe(|| courier.round().unwrap()));
            let left = world.moods.lock().unwrap().len();
            let is_unheard =
                |it: &&Mood| matches!(it, Mood::TakesUnheard | Mood::TakesAndSenderDies);
            unheard += moods[left..].iter().filter(is_unheard).count();
            place.later(roll(outbox::WAIT_MAX_MS * 2));
        }
        let courier = place.courier(&store, &world);
        courier.is_alone().unwrap();
        place.later(outbox::WAIT_MAX_MS);
        courier.round().unwrap();
        let mut times: BTreeMap<String, usize> = BTreeMap::new();
        for key in world.taken() {
            *times.entry(key).or_default() += 1;
        }
        assert_eq!(times.len() as u64, 2 * runs, "seed {seed}: none is lost");
        let doubled: usize = times.values().map(|times| times - 1).sum();
        assert!(
            doubled <= if can_be_asked { 0 } else { unheard },
            "seed {seed}: {doubled} doubled"
        );
        for number in 1..=runs {
            let lane = format!("run/{number}/1#");
            let mut of_lane: Vec<String> =
                world.taken().into_iter().filter(|it| it.starts_with(&lane)).collect();
            of_lane.dedup();
            assert_eq!(of_lane, [format!("{lane}1"), format!("{lane}2")], "seed {seed}: in order");
        }
        assert!(all(&store).iter().all(|it| it.state == DeliveryState::Delivered), "seed {seed}");
    }
}
