//! What others hand in, each once.

use event::{Digest, Timestamp};
use store::{Delivered, Deliveries, Taken};

use crate::engines::{Home, on_each_engine};

on_each_engine! {
    each_is_taken_once_by_its_id_and_by_its_words,
    what_was_acted_upon_is_known_and_waits_no_more,
}

fn one(id: &str, body: &str) -> Delivered {
    Delivered {
        id: id.to_owned(),
        digest: Some(Digest::of(body.as_bytes())),
        event: "push".to_owned(),
        at: Timestamp(1_000),
        body: body.as_bytes().to_vec(),
    }
}

fn each_is_taken_once_by_its_id_and_by_its_words(home: &Home) {
    let deliveries = Deliveries::open(home.path()).unwrap();
    assert_eq!(deliveries.take(one("a", "x")).unwrap(), Taken::New);
    assert_eq!(deliveries.take(one("a", "x")).unwrap(), Taken::Known);
    assert_eq!(deliveries.take(one("b", "x")).unwrap(), Taken::Known);
    assert_eq!(deliveries.take(one("a", "y")).unwrap(), Taken::Known);
    assert_eq!(deliveries.take(one("c", "y")).unwrap(), Taken::New);
    let alike = |id: &str| Delivered { digest: None, ..one(id, "z") };
    assert_eq!(deliveries.take(alike("d")).unwrap(), Taken::New);
    assert_eq!(deliveries.take(alike("e")).unwrap(), Taken::New);
}

fn what_was_acted_upon_is_known_and_waits_no_more(home: &Home) {
    let deliveries = Deliveries::open(home.path()).unwrap();
    for (id, body) in [("a", "x"), ("b", "y")] {
        deliveries.take(one(id, body)).unwrap();
    }
    let (first, taken) = deliveries.next(0).unwrap().unwrap();
    assert_eq!((taken.id.as_str(), &*taken.body), ("a", &b"x"[..]));
    deliveries.done("a").unwrap();
    let (second, taken) = deliveries.next(0).unwrap().unwrap();
    assert_eq!((taken.id.as_str(), second > first), ("b", true));
    assert!(deliveries.next(second).unwrap().is_none());
    drop(deliveries);
    // A new process knows all of it.
    let deliveries = Deliveries::open(home.path()).unwrap();
    assert_eq!(deliveries.take(one("a", "x")).unwrap(), Taken::Known);
    assert_eq!(deliveries.waiting().unwrap(), 1);
    // What still waits is not forgotten, however old.
    assert_eq!(deliveries.forget_before(Timestamp(2_000)).unwrap(), 1);
    assert_eq!(deliveries.take(one("a", "x")).unwrap(), Taken::New);
}
