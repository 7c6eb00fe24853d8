//! What others hand in, each once.

use event::{Digest, Timestamp};
use store::{Taken, TakenWebhook, Webhooks};

use crate::engines::{Home, on_each_engine};

on_each_engine! {
    each_is_taken_once_by_its_id_and_by_its_words,
    what_was_acted_upon_is_known_and_waits_no_more,
}

fn one(id: &str, body: &str) -> TakenWebhook {
    TakenWebhook {
        id: id.to_owned(),
        digest: Some(Digest::of(body.as_bytes())),
        event: "push".to_owned(),
        at: Timestamp(1_000),
        body: body.as_bytes().to_vec(),
    }
}

fn each_is_taken_once_by_its_id_and_by_its_words(home: &Home) {
    let webhooks = Webhooks::open(home.path()).unwrap();
    assert_eq!(webhooks.take(one("a", "x")).unwrap(), Taken::New);
    assert_eq!(webhooks.take(one("a", "x")).unwrap(), Taken::Known);
    assert_eq!(webhooks.take(one("b", "x")).unwrap(), Taken::Known);
    assert_eq!(webhooks.take(one("a", "y")).unwrap(), Taken::Known);
    assert_eq!(webhooks.take(one("c", "y")).unwrap(), Taken::New);
    let alike = |id: &str| TakenWebhook { digest: None, ..one(id, "z") };
    assert_eq!(webhooks.take(alike("d")).unwrap(), Taken::New);
    assert_eq!(webhooks.take(alike("e")).unwrap(), Taken::New);
}

fn what_was_acted_upon_is_known_and_waits_no_more(home: &Home) {
    let webhooks = Webhooks::open(home.path()).unwrap();
    for (id, body) in [("a", "x"), ("b", "y")] {
        webhooks.take(one(id, body)).unwrap();
    }
    let places = webhooks.places(0).unwrap();
    let [(first, a), (second, b)] = &places[..] else { panic!("{places:?}") };
    assert_eq!((a.as_str(), b.as_str(), second > first), ("a", "b", true));
    let taken = webhooks.at(*first).unwrap().unwrap();
    assert_eq!((taken.id.as_str(), &*taken.body), ("a", &b"x"[..]));
    webhooks.done("a").unwrap();
    assert_eq!(webhooks.at(*first).unwrap(), None);
    assert_eq!(webhooks.places(0).unwrap(), places[1..]);
    assert_eq!(webhooks.places(*second).unwrap(), []);
    drop(webhooks);
    // A new process knows all of it.
    let webhooks = Webhooks::open(home.path()).unwrap();
    assert_eq!(webhooks.take(one("a", "x")).unwrap(), Taken::Known);
    assert_eq!(webhooks.waiting().unwrap(), 1);
    // What still waits is not forgotten, however old.
    assert_eq!(webhooks.forget_before(Timestamp(2_000)).unwrap(), 1);
    assert_eq!(webhooks.take(one("a", "x")).unwrap(), Taken::New);
}
