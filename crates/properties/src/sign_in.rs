//! What a provider of OpenID Connect says, and what a browser brings back.

use serde_json::Value as Json;
use sign_in::{Answer, Attempt, Claims, Discovery, Expected, KeySet, prove};

const ISSUER: &str = "https://login.example.com";

/// An input is what is read, by its first byte, and its text.
pub fn check(input: &[u8]) {
    let Some((first, rest)) = input.split_first() else { return };
    let text = String::from_utf8_lossy(rest);
    match first % 5 {
        0 => {
            let read = Discovery::read(ISSUER, rest);
            // Whoever may be asked is named in a document of this very issuer.
            let named = serde_json::from_slice::<Json>(rest).ok();
            let is_of_it = named.is_some_and(|it| it["issuer"] == ISSUER);
            assert!(read.is_err() || is_of_it);
        }
        1 => {
            let count = KeySet::read(rest).map_or(0, |it| it.count());
            assert!(count <= 100);
        }
        2 => nothing_is_proven(&text),
        3 => {
            if let Some(attempt) = Attempt::read(&text) {
                assert_eq!(Attempt::read(&attempt.cookie()).as_ref(), Some(&attempt));
                // No answer is right that does not know what the cookie does.
                let answer = Answer::read("code=x&state=");
                assert!(attempt.code(&answer, (ISSUER, false), 0).is_err());
            }
            let _ = Answer::read(&text);
        }
        _ => {
            let Some(claims) = serde_json::from_slice(rest).ok().and_then(Claims::of) else {
                return;
            };
            for name in ["groups", "email", "a.b.c", "sub", ""] {
                if let Some(line) = claims.line(name) {
                    assert!(!line.contains(char::is_control) && claims.line(name) == Some(line));
                }
                let _ = claims.has(name, "x");
            }
        }
    }
}

/// A token and a key set that somebody made up, between two lines: a signature of ours is never right by
/// chance, and a key of theirs is not one that we asked for.
fn nothing_is_proven(text: &str) {
    let (token, keys) = text.split_once('\n').unwrap_or((text, "{\"keys\":[]}"));
    let expected = Expected { issuer: ISSUER, client: "launchway", nonce: "", now: 1_800_000_000 };
    let Ok(keys) = KeySet::read(keys.as_bytes()) else { return };
    if let Ok(claims) = prove(token, &keys, &expected) {
        // Whoever signs with a key of their own is believed; and said all that is needed.
        assert!(!claims.subject().is_empty() && keys.count() > 0);
    }
}
