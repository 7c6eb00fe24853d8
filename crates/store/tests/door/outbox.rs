//! What others are owed: rows, their order, and what becomes of them.

use event::Timestamp;
use store::{DeliveryState, Follow, Owed, ReceiverHealth, Settled, Store, WantedDeliveries};

use crate::engines::{Home, on_each_engine};

on_each_engine! {
    what_is_owed_is_written_once_with_the_cursor,
    an_attempt_is_known_before_and_after,
    only_the_newest_counts_where_that_is_so,
    a_receiver_that_is_shut_gets_nothing,
    what_is_settled_goes_and_its_number_is_not_given_again,
}

fn owed(key: &str, receiver: &str, lane: &str, follow: Follow) -> Owed {
    let text = str::to_owned;
    let about = format!("about {key}");
    Owed {
        key: text(key),
        receiver: text(receiver),
        lane: text(lane),
        about,
        body: text("{}"),
        follow,
    }
}

fn at(ms: u64) -> Timestamp {
    Timestamp(ms)
}

/// What can be sent, by its key.
fn due(store: &Store, now: u64) -> Vec<String> {
    let found = store.due("messages", at(now), at(0), 10).expect("it answers");
    found.into_iter().map(|it| it.key).collect()
}

fn id(store: &Store, key: &str) -> u64 {
    let wanted =
        WantedDeliveries { before: None, consumer: None, is_undelivered: false, limit: 100 };
    let all = store.deliveries(&wanted).expect("it answers");
    all.into_iter().find(|it| it.key == key).expect("it is there").id
}

fn what_is_owed_is_written_once_with_the_cursor(home: &Home) {
    let store = home.open();
    assert_eq!(store.outbox_cursor("messages").unwrap(), None);
    let some = || vec![owed("a", "r", "l", Follow::Each), owed("b", "r", "l", Follow::Each)];
    assert!(store.owe("messages", (None, 7), at(1), some()).unwrap());
    // Another process was there first.
    assert!(!store.owe("messages", (None, 9), at(1), some()).unwrap());
    // The same is owed once.
    assert!(store.owe("messages", (Some(7), 9), at(2), some()).unwrap());
    assert_eq!(store.outbox_cursor("messages").unwrap(), Some(9));
    assert_eq!(store.outbox_counts().unwrap().owed, 2);
    // In their order, one after the other.
    assert_eq!(due(&store, 5), ["a"]);
    let large = Owed { body: "x".repeat(300 << 10), ..owed("c", "r", "other", Follow::Each) };
    assert!(store.owe("messages", (Some(9), 10), at(3), vec![large]).unwrap());
    let newest = store.newest_of_lane("messages", "other").unwrap().unwrap();
    assert_eq!((newest.state, newest.body.len()), (DeliveryState::GivenUp, 0));
}

fn an_attempt_is_known_before_and_after(home: &Home) {
    let store = home.open();
    store.owe("messages", (None, 1), at(1), vec![owed("a", "r", "l", Follow::Each)]).unwrap();
    let a = id(&store, "a");
    assert!(store.begin_delivery(a, at(10), at(0)).unwrap());
    assert!(!store.begin_delivery(a, at(11), at(0)).unwrap(), "it is under way");
    assert_eq!(due(&store, 20), Vec::<String>::new());
    // The process that had it under way has ended.
    store.free_deliveries("messages").unwrap();
    assert!(store.due("messages", at(20), at(0), 1).unwrap()[0].is_unsure);
    assert!(store.begin_delivery(a, at(20), at(0)).unwrap());
    let again =
        |next| Settled::Again { next_at: at(next), note: "no".to_owned(), is_unsure: false };
    store.settle_delivery(a, at(21), again(50), None).unwrap();
    assert_eq!(store.next_due("messages").unwrap(), Some(at(50)));
    assert_eq!((due(&store, 49), due(&store, 50)), (vec![], vec!["a".to_owned()]));
    // One that began long ago was interrupted.
    assert!(store.begin_delivery(a, at(50), at(0)).unwrap());
    assert!(store.begin_delivery(a, at(90), at(60)).unwrap());
    let given_up = Settled::GivenUp { note: "never".to_owned() };
    store.settle_delivery(a, at(91), given_up, None).unwrap();
    assert_eq!(store.outbox_counts().unwrap().given_up, 1);
    assert!(store.may_retry_delivery(a).unwrap());
    assert!(store.retry_delivery(a, at(92)).unwrap());
    assert_eq!(due(&store, 92), ["a"]);
    store.begin_delivery(a, at(93), at(0)).unwrap();
    let remote = Some("4711".to_owned());
    store.settle_delivery(a, at(94), Settled::Delivered { remote }, None).unwrap();
    assert!(!store.may_retry_delivery(a).unwrap() && !store.may_retry_delivery(0).unwrap());
    assert!(!store.retry_delivery(a, at(95)).unwrap(), "it was delivered");
    assert_eq!(store.lane_remote("messages", "l").unwrap().as_deref(), Some("4711"));
    let found = store.newest_of_lane("messages", "l").unwrap().unwrap();
    assert_eq!((found.state, found.attempts), (DeliveryState::Delivered, 1));
    assert_eq!((found.owed_at, found.settled_at, found.note), (at(92), Some(at(94)), None));
    assert_eq!(store.next_due("messages").unwrap(), None);
    let delivered = store.outbox_counts().unwrap();
    assert_eq!((delivered.owed, delivered.delivered, delivered.given_up), (0, 1, 0));
}

fn only_the_newest_counts_where_that_is_so(home: &Home) {
    let store = home.open();
    let newest = |key: &str| vec![owed(key, "r", "l", Follow::Newest)];
    store.owe("messages", (None, 1), at(1), newest("a")).unwrap();
    store.owe("messages", (Some(1), 2), at(2), newest("b")).unwrap();
    assert_eq!(due(&store, 5), ["b"]);
    let first = store.deliveries(&WantedDeliveries {
        before: Some(id(&store, "b")),
        consumer: Some("messages".to_owned()),
        is_undelivered: false,
        limit: 5,
    });
    assert_eq!(first.unwrap()[0].state, DeliveryState::Superseded);
    // One that is under way may have arrived.
    store.begin_delivery(id(&store, "b"), at(5), at(0)).unwrap();
    store.owe("messages", (Some(2), 3), at(6), newest("c")).unwrap();
    let wanted = WantedDeliveries { before: None, consumer: None, is_undelivered: true, limit: 10 };
    let states: Vec<_> =
        store.deliveries(&wanted).unwrap().into_iter().map(|it| (it.key, it.state)).collect();
    assert_eq!(
        states,
        [("c".to_owned(), DeliveryState::Waiting), ("b".to_owned(), DeliveryState::UnderWay)]
    );
}

fn a_receiver_that_is_shut_gets_nothing(home: &Home) {
    let store = home.open();
    let some = vec![owed("a", "down", "1", Follow::Each), owed("b", "up", "2", Follow::Each)];
    store.owe("messages", (None, 1), at(1), some).unwrap();
    let a = id(&store, "a");
    store.begin_delivery(a, at(2), at(0)).unwrap();
    let health =
        ReceiverHealth { failures: 3, shut_until: at(100), note: "no \0 route".to_owned() };
    let again = Settled::Again { next_at: at(3), note: "no".to_owned(), is_unsure: true };
    store.settle_delivery(a, at(3), again, Some(health)).unwrap();
    assert_eq!(store.receiver_health("messages", "down").unwrap().failures, 3);
    assert_eq!(store.troubled_receivers().unwrap().len(), 1);
    assert_eq!(due(&store, 50), ["b"]);
    assert!(!store.begin_delivery(a, at(50), at(0)).unwrap());
    assert_eq!(store.next_due("messages").unwrap(), Some(at(1)));
    // Whoever asks for it knows that it answers again.
    assert!(store.retry_delivery(a, at(60)).unwrap());
    assert_eq!(due(&store, 60), ["a", "b"]);
    store.begin_delivery(a, at(61), at(0)).unwrap();
    let health = Some(ReceiverHealth::default());
    store.settle_delivery(a, at(62), Settled::Delivered { remote: None }, health).unwrap();
    assert_eq!(store.troubled_receivers().unwrap(), []);
}

fn what_is_settled_goes_and_its_number_is_not_given_again(home: &Home) {
    let store = home.open();
    store.owe("messages", (None, 1), at(1), vec![owed("a", "r", "l", Follow::Each)]).unwrap();
    let a = id(&store, "a");
    store.begin_delivery(a, at(2), at(0)).unwrap();
    store.settle_delivery(a, at(3), Settled::Delivered { remote: None }, None).unwrap();
    store.forget_deliveries(at(3)).unwrap();
    assert_eq!(store.outbox_counts().unwrap().delivered, 1);
    store.forget_deliveries(at(4)).unwrap();
    assert_eq!(store.outbox_counts().unwrap().delivered, 0);
    store.owe("messages", (Some(1), 2), at(5), vec![owed("b", "r", "l", Follow::Each)]).unwrap();
    assert!(id(&store, "b") > a);
}
