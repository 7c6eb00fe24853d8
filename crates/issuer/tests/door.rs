//! Tokens as somebody meets them who knows nothing but the published files.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use expect_test::{Expect, expect};
use issuer::{Bearers, Claims, IssuerError, Keys, Place, Subject, discovery};
use serde_json::Value as Json;

const NOW: u64 = 1_700_000_000;
const HOUR: u64 = 3600;

fn subject(place: Place) -> Subject {
    Subject {
        owner: "planner-team".to_owned(),
        owner_id: None,
        repository: "planner".to_owned(),
        repository_id: None,
        place,
    }
}

fn claims(subject: Subject) -> Claims {
    Claims {
        issuer: "https://tokens.example.com".to_owned(),
        audience: "sts.amazonaws.com".to_owned(),
        subject,
        is_by_number: true,
        commit: Some("a1b2c3".to_owned()),
        actor: "mona".to_owned(),
        run: "12".to_owned(),
        more: Vec::new(),
    }
}

fn for_production() -> Claims {
    claims(subject(Place::Environment("production".to_owned())))
}

fn decoded(part: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(part).expect("it is base64")
}

/// The claims of a token that a published key has signed.
fn proven(token: &str, key_set: &Json) -> Option<Json> {
    let (said, signature) = token.rsplit_once('.')?;
    let (head, payload) = said.split_once('.')?;
    let head: Json = serde_json::from_slice(&decoded(head)).ok()?;
    let keys = key_set["keys"].as_array()?;
    let key = keys.iter().find(|it| it["kid"] == head["kid"])?;
    let number = |name: &str| decoded(key[name].as_str().unwrap_or_default());
    let key = RsaPublicKeyComponents { n: number("n"), e: number("e") };
    key.verify(&RSA_PKCS1_2048_8192_SHA256, said.as_bytes(), &decoded(signature)).ok()?;
    serde_json::from_slice(&decoded(payload)).ok()
}

#[test]
fn a_token_says_what_githubs_says_and_the_published_key_proves_it() {
    let folder = tempfile::tempdir().unwrap();
    let keys = Keys::open(folder.path(), NOW).unwrap();
    let token = keys.token(&for_production(), NOW).unwrap();
    let mut said = proven(token.expose(), &keys.key_set(NOW).unwrap()).expect("it is proven");
    assert!(said["jti"].as_str().is_some_and(|it| it.len() == 22));
    said["jti"] = "ID".into();
    expect![[r#"
        {
          "iss": "https://tokens.example.com",
          "aud": "sts.amazonaws.com",
          "sub": "repo:planner-team/planner:environment:production",
          "jti": "ID",
          "iat": 1700000000,
          "nbf": 1699999940,
          "exp": 1700000300,
          "repository": "planner-team/planner",
          "repository_owner": "planner-team",
          "actor": "mona",
          "event_name": "deployment",
          "run_id": "12",
          "runner_environment": "self-hosted",
          "sha": "a1b2c3",
          "environment": "production"
        }"#]]
    .assert_eq(&serde_json::to_string_pretty(&said).unwrap());
    let document = discovery("https://tokens.example.com/");
    assert_eq!(document["jwks_uri"], "https://tokens.example.com/.well-known/jwks");
}

#[test]
fn a_word_is_opened_by_whoever_sealed_it_and_by_nobody_else() {
    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let word = Bearers::open(folder.path()).unwrap().seal("run/1/1 build 1").unwrap();
    let bearers = Bearers::open(folder.path()).unwrap();
    let about = bearers.open_word(word.expose()).unwrap();
    assert_eq!(about.as_deref(), Some("run/1/1 build 1"));
    assert_eq!(Bearers::open(other.path()).unwrap().open_word(word.expose()).unwrap(), None);
    let mode = std::fs::metadata(folder.path().join("bearers.key")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let (about, tag) = word.expose().split_once('.').unwrap();
    let changed = URL_SAFE_NO_PAD.encode("run/1/1 deploy 1");
    for wrong in
        ["", ".", "lwjob_", about, tag, &format!("lwjob_{changed}.{tag}"), &"x".repeat(9_000)]
    {
        assert_eq!(bearers.open_word(wrong).unwrap(), None, "{wrong}");
    }
}

#[test]
fn a_word_is_nobodys_once_its_key_is_withdrawn() {
    let folder = tempfile::tempdir().unwrap();
    assert!(!Bearers::replace(folder.path()).unwrap(), "where none is, none is made");
    let bearers = Bearers::open(folder.path()).unwrap();
    let word = bearers.seal("run/1/1 build 1").unwrap();
    assert!(Bearers::replace(folder.path()).unwrap());
    // Of whoever has it open, too.
    assert_eq!(bearers.open_word(word.expose()).unwrap(), None);
    let word = bearers.seal("run/1/1 deploy 1").unwrap();
    let about = Bearers::open(folder.path()).unwrap().open_word(word.expose()).unwrap();
    assert_eq!(about.as_deref(), Some("run/1/1 deploy 1"));
    let mode = std::fs::metadata(folder.path().join("bearers.key")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_key_that_is_old_is_replaced_and_signs_until_the_next_is_known() {
    let folder = tempfile::tempdir().unwrap();
    let keys = Keys::open(folder.path(), NOW).unwrap();
    assert!(!keys.rotate_older(NOW + HOUR, 30 * 24 * HOUR).unwrap());
    let then = NOW + 30 * 24 * HOUR;
    assert!(keys.rotate_older(then, 30 * 24 * HOUR).unwrap());
    assert!(!keys.rotate_older(then, 30 * 24 * HOUR).unwrap());
    let signs = |now| keys.published(now).unwrap().iter().position(|it| it.1);
    let in_a_day = then + 24 * HOUR;
    assert_eq!((signs(in_a_day - 1), signs(in_a_day)), (Some(0), Some(1)));
}

fn check_subject(place: Place, expect: &Expect) {
    let by_name = subject(place);
    let (owner_id, repository_id) = (Some("17".to_owned()), Some("42".to_owned()));
    let by_number = Subject { owner_id, repository_id, ..by_name.clone() };
    let both = [by_name.by_number(), Some(by_name.by_name()), by_number.by_number()];
    let words = both.map(|it| it.unwrap_or_else(|| "-".to_owned()));
    expect.assert_eq(&words.join(" | "));
}

#[test]
fn a_subject_has_two_forms() {
    check_subject(
        Place::Environment("production".to_owned()),
        &expect![
            "- | repo:planner-team/planner:environment:production | repo:planner-team@17/planner@42:environment:production"
        ],
    );
    check_subject(
        Place::Ref("refs/heads/main".to_owned()),
        &expect![
            "- | repo:planner-team/planner:ref:refs/heads/main | repo:planner-team@17/planner@42:ref:refs/heads/main"
        ],
    );
    check_subject(
        Place::PullRequest,
        &expect![
            "- | repo:planner-team/planner:pull_request | repo:planner-team@17/planner@42:pull_request"
        ],
    );
    check_subject(
        Place::Environment("eu:live".to_owned()),
        &expect![
            "- | repo:planner-team/planner:environment:eu%3Alive | repo:planner-team@17/planner@42:environment:eu%3Alive"
        ],
    );
}

/// A new key is published a day before it signs, the old one a day and a token's life longer.
#[test]
fn keys_take_turns_and_nobody_meets_a_token_without_its_key() {
    let folder = tempfile::tempdir().unwrap();
    let keys = Keys::open(folder.path(), NOW).unwrap();
    let count = |now| keys.published(now).unwrap().len();
    let signs = |now| {
        let all = keys.published(now).unwrap();
        all.iter().position(|(_, signs)| *signs).expect("one signs")
    };
    assert_eq!((count(NOW), signs(NOW)), (1, 0));
    keys.rotate(NOW + 10 * HOUR).unwrap();
    let first = keys.token(&for_production(), NOW + 34 * HOUR - 1).unwrap();
    assert_eq!((count(NOW + 10 * HOUR), signs(NOW + 10 * HOUR)), (2, 0));
    assert_eq!((count(NOW + 34 * HOUR), signs(NOW + 34 * HOUR)), (2, 1));
    let later = NOW + 58 * HOUR;
    assert!(proven(first.expose(), &keys.key_set(later).unwrap()).is_some());
    assert_eq!((count(later + 301), signs(later + 301)), (1, 0));
    keys.rotate(later + 301).unwrap();
    let files = std::fs::read_dir(folder.path()).unwrap().flatten();
    let private = files.filter(|it| it.path().extension().is_some_and(|it| it == "key"));
    assert_eq!(private.count(), 2, "the first key's file is gone");
}

/// Whoever was seen with a key has nothing that proves anything, in the second that it is replaced.
#[test]
fn a_key_that_was_seen_is_withdrawn_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let keys = Keys::open(folder.path(), NOW).unwrap();
    keys.rotate(NOW + HOUR).unwrap();
    let seen = keys.token(&for_production(), NOW + 2 * HOUR).unwrap();
    let before: Vec<_> = keys.published(NOW + 2 * HOUR).unwrap();
    let gone = keys.replace(NOW + 2 * HOUR).unwrap();
    assert_eq!(gone, before.into_iter().map(|(id, _)| id).collect::<Vec<_>>());
    let after = keys.published(NOW + 2 * HOUR).unwrap();
    assert!(after.len() == 1 && after[0].1 && !gone.contains(&after[0].0), "{after:?}");
    let set = keys.key_set(NOW + 2 * HOUR).unwrap();
    assert!(proven(seen.expose(), &set).is_none());
    assert!(
        proven(keys.token(&for_production(), NOW + 2 * HOUR).unwrap().expose(), &set).is_some()
    );
    let files = std::fs::read_dir(folder.path()).unwrap().flatten();
    assert_eq!(files.filter(|it| it.path().extension().is_some_and(|it| it == "key")).count(), 1);
}

#[test]
fn a_key_is_its_owners_alone_and_one_that_is_not_signs_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("issuer");
    let keys = Keys::open(&place, NOW).unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let id = keys.published(NOW).unwrap()[0].0.clone();
    let path = place.join(format!("{id}.key"));
    assert_eq!((mode(&place), mode(&path)), (0o700, 0o600));
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    let error = keys.token(&for_production(), NOW).unwrap_err();
    assert!(matches!(error, IssuerError::Open(_)), "{error}");
    assert!(!format!("{error}").contains("BEGIN"));
    // Opened again it is the same key.
    assert_eq!(Keys::open(&place, NOW + 5).unwrap().published(NOW).unwrap()[0].0, id);
}

#[test]
fn many_who_open_it_at_once_have_one_key() {
    let folder = tempfile::tempdir().unwrap();
    let ids: Vec<String> = std::thread::scope(|scope| {
        let each: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let keys = Keys::open(folder.path(), NOW).unwrap();
                    keys.published(NOW).unwrap().iter().map(|(id, _)| id.clone()).collect()
                })
            })
            .collect();
        each.into_iter().map(|it| it.join().unwrap()).collect()
    });
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
}
