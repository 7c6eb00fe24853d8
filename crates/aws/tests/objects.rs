//! Objects in a bucket over HTTP, against the model cloud: conditions, lists, and what goes wrong.

use std::path::Path;
use std::sync::Arc;

use aws::{
    Client, Endpoints, Fault, Https, PutIf, SINGLE_PUT_MAX, SignIn, Stored, Surroundings, Upload,
};
use expect_test::{Expect, expect};
use model_cloud::{Clock, Cloud, FaultKind, Front};
use sha2::{Digest as _, Sha256};

const START: u64 = 1_700_000_000_000;

struct Keys;

impl Surroundings for Keys {
    fn variable(&self, name: &str) -> Option<String> {
        match name {
            "AWS_ACCESS_KEY_ID" => Some("AKIA111122223333".to_owned()),
            "AWS_SECRET_ACCESS_KEY" => Some("s".to_owned()),
            _ => None,
        }
    }

    fn file(&self, _: &Path) -> Option<String> {
        None
    }
}

struct Bench {
    front: Front,
    client: Client,
}

fn bench() -> Bench {
    let mut cloud = Cloud::new("111122223333", "eu-central-1", START);
    cloud.add_bucket("planner");
    let front = Front::serve(cloud, Clock::Held, 0).expect("a free port");
    let client = Client::new(
        "eu-central-1",
        Endpoints::at(&front.url()),
        SignIn::new(Arc::new(Keys)),
        Box::<Https>::default(),
        Box::new(|| START),
    );
    Bench { front, client }
}

impl Bench {
    fn put(&mut self, key: &str, bytes: &[u8], condition: PutIf<'_>) -> Result<Stored, Fault> {
        self.client.put_object("planner", key, bytes, condition)
    }

    fn done(&mut self, key: &str, bytes: &[u8], condition: PutIf<'_>) -> String {
        match self.put(key, bytes, condition).expect("an answer") {
            Stored::Done(head) => head.etag,
            other => panic!("{key}: {other:?}"),
        }
    }
}

#[test]
fn what_is_there_is_not_written_over_by_who_wants_it_absent() {
    let mut bench = bench();
    let first = bench.done("a b/ä+1", b"one", PutIf::Absent);
    assert_eq!(bench.put("a b/ä+1", b"two", PutIf::Absent), Ok(Stored::NotSo));
    let read = bench.client.get_object("planner", "a b/ä+1").expect("read").expect("there");
    assert_eq!((read.bytes.as_slice(), &*read.head.etag), (b"one".as_slice(), &*first));
    assert_eq!((read.head.written_at, read.head.asked_at), (Some(START), Some(START)));
    let second = bench.done("a b/ä+1", b"two", PutIf::Is(&first));
    assert_eq!(bench.put("a b/ä+1", b"three", PutIf::Is(&first)), Ok(Stored::NotSo));
    let known = bench.client.head_object("planner", "a b/ä+1").expect("known").expect("there");
    assert_eq!((&*known.etag, known.encryption.as_deref()), (&*second, Some("AES256")));
    bench.client.delete_object("planner", "a b/ä+1").expect("removed");
    bench.client.delete_object("planner", "a b/ä+1").expect("removed already");
    assert_eq!(bench.client.get_object("planner", "a b/ä+1"), Ok(None));
    assert_eq!(bench.client.head_object("planner", "a b/ä+1"), Ok(None));
    assert_eq!(bench.put("a b/ä+1", b"four", PutIf::Is(&second)), Ok(Stored::NotSo));
}

#[test]
fn lists_go_on_behind_a_name() {
    let mut bench = bench();
    bench.front.with(|cloud| {
        for number in 0..1_500 {
            cloud.set_object("planner", &format!("log/{number:020}"), b"x");
        }
        cloud.set_object("planner", "other/ä +%", b"xy");
    });
    let list = |bench: &mut Bench, prefix, after: &str| {
        bench.client.list_objects("planner", prefix, after).expect("a list")
    };
    let page = list(&mut bench, "log/", "");
    assert_eq!((page.objects.len(), page.is_cut, page.asked_at), (1_000, true, Some(START)));
    let last = &page.objects[999].key;
    assert_eq!(last, "log/00000000000000000999");
    let page = list(&mut bench, "log/", last);
    assert_eq!((page.objects.len(), page.is_cut), (500, false));
    let page = list(&mut bench, "other/", "");
    assert_eq!((&*page.objects[0].key, page.objects[0].length), ("other/ä +%", 2));
    assert_eq!(list(&mut bench, "none/", "").objects, []);
}

#[test]
fn files_are_sent_as_they_are_read() {
    let mut bench = bench();
    let bytes: Vec<u8> = (0..3_000_000_u32).map(|it| it.to_le_bytes()[0]).collect();
    let sha256: [u8; 32] = Sha256::digest(&bytes).into();
    let mut upload = |bytes: &[u8], length: u64, sha256| {
        let mut reader = bytes;
        let upload = Upload { reader: &mut reader, length, sha256 };
        bench.client.put_file("planner", "dump", upload, PutIf::Absent)
    };
    let length = bytes.len() as u64;
    let refused = upload(&bytes, SINGLE_PUT_MAX + 1, sha256).expect_err("too long");
    assert_eq!(refused.code.as_deref(), Some("EntityTooLarge"));
    let refused = upload(&bytes, length, [7; 32]).expect_err("another sum");
    assert_eq!(refused.code.as_deref(), Some("XAmzContentSHA256Mismatch"));
    assert!(matches!(upload(&bytes, length, sha256), Ok(Stored::Done(_))));
    assert_eq!(upload(&bytes, length, sha256), Ok(Stored::NotSo));
    let mut back = Vec::new();
    let head = bench.client.get_object_into("planner", "dump", &mut back).expect("read");
    assert_eq!((head.expect("there").length, back == bytes), (Some(length), true));
    let none = bench.client.get_object_into("planner", "none", &mut back);
    assert_eq!((none, back.len() as u64), (Ok(None), length));
}

fn check_fault(kind: FaultKind, expect: &Expect) {
    let mut bench = bench();
    bench.front.with(|cloud| {
        cloud.inject(model_cloud::Fault::first("s3:PutObject", 1, kind));
    });
    let host = bench.front.address().to_string();
    let text = match bench.put("a", b"one", PutIf::Absent) {
        Ok(stored) => format!("{stored:?}"),
        Err(fault) => format!("{:?} {fault}", fault.kind).replace(&host, "HOST"),
    };
    let is_there = bench.front.with(|cloud| cloud.object_bytes("planner", "a").is_some());
    expect.assert_eq(&format!("{text} | there: {is_there}"));
}

#[test]
fn what_went_wrong_is_said() {
    check_fault(
        FaultKind::Throttled,
        &expect![
            "Throttled s3:PutObject: SlowDown: Please reduce your request rate. | there: false"
        ],
    );
    check_fault(
        FaultKind::ServerError,
        &expect![
            "Server s3:PutObject: InternalError: We encountered an internal error. Please try again. | there: false"
        ],
    );
    check_fault(
        FaultKind::ErrorAfter,
        &expect![
            "Server s3:PutObject: InternalError: We encountered an internal error. Please try again. | there: true"
        ],
    );
    check_fault(
        FaultKind::LostBefore,
        &expect![
            "Unanswered s3:PutObject: HOST did not answer: io: Peer disconnected | there: false"
        ],
    );
    check_fault(
        FaultKind::LostAfter,
        &expect![
            "Unanswered s3:PutObject: HOST did not answer: io: Peer disconnected | there: true"
        ],
    );
    check_fault(
        FaultKind::Denied,
        &expect!["Denied s3:PutObject: AccessDenied: Access Denied | there: false"],
    );
    let conflict = "ConditionalRequestConflict".to_owned();
    check_fault(
        FaultKind::Refused(conflict, "Please retry.".to_owned()),
        &expect!["Busy | there: false"],
    );
}

#[test]
fn a_bucket_says_what_is_set_for_it() {
    let mut bench = bench();
    let state = bench.client.bucket_state("planner").expect("it says");
    assert_eq!((state.versioned, state.encryption.as_deref()), (Some(false), Some("AES256")));
    bench.front.with(|cloud| {
        cloud.version_bucket("planner");
        cloud.inject(model_cloud::Fault::first(
            "s3:GetEncryptionConfiguration",
            1,
            FaultKind::Denied,
        ));
    });
    let state = bench.client.bucket_state("planner").expect("it says");
    assert_eq!((state.versioned, state.encryption), (Some(true), None));
    let fault = bench.client.bucket_state("none").expect_err("there is none");
    assert_eq!(
        fault.to_string(),
        "s3:GetBucketVersioning: NoSuchBucket: The specified bucket does not exist"
    );
    let fault = bench.client.get_object("none", "a").expect_err("there is none");
    assert!(fault.is("NoSuchBucket"), "{fault}");
    let fault = bench.client.list_objects("none", "", "").expect_err("there is none");
    assert!(fault.is("NoSuchBucket"), "{fault}");
}

/// What is begun is found by its name until it is an object, or nothing.
#[test]
fn parts_become_an_object_or_nothing() {
    let mut bench = bench();
    let at = ("planner", "dumps/ä 1.dump");
    let large = vec![7; usize::try_from(aws::PART_BYTES_MIN).expect("it is small")];
    let first = bench.client.begin_upload(at.0, at.1).expect("begun");
    let second = bench.client.begin_upload(at.0, at.1).expect("begun");
    let open = bench.client.list_uploads(at.0, "dumps/").expect("a list");
    let own = |it: &String| (at.1.to_owned(), it.clone());
    assert_eq!(open, [own(&first), own(&second)]);
    let parts = [&large[..], b"end"];
    let parts = [1, 2].map(|number: u32| {
        let bytes = parts[usize::try_from(number).expect("it is small") - 1];
        bench.client.upload_part(at, &first, number, bytes).expect("taken")
    });
    assert_eq!(bench.client.get_object(at.0, at.1), Ok(None), "parts are no object");
    bench.client.complete_upload(at, &first, &parts).expect("done");
    let object = bench.client.get_object(at.0, at.1).expect("read").expect("there");
    assert_eq!(object.bytes, [&large[..], b"end"].concat());
    let again = bench.client.complete_upload(at, &first, &parts).expect_err("it is over");
    assert!(again.is("NoSuchUpload"), "{again}");
    let small = bench.client.upload_part(at, &second, 1, b"small").expect("taken");
    let last = bench.client.upload_part(at, &second, 2, b"end").expect("taken");
    let refused = bench.client.complete_upload(at, &second, &[small, last]).expect_err("small");
    assert!(refused.is("EntityTooSmall"), "{refused}");
    bench.client.abort_upload(at.0, at.1, &second).expect("gone");
    bench.client.abort_upload(at.0, at.1, &second).expect("gone already");
    assert_eq!(bench.client.list_uploads(at.0, "").expect("a list"), []);
    let gone = bench.client.upload_part(at, &second, 3, b"more").expect_err("it is over");
    assert!(gone.is("NoSuchUpload"), "{gone}");
}
