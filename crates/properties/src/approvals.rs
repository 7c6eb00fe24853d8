//! What people hand in as their agreement, and the list of who they are, whatever stands there.

use approval::{DEPLOYMENT, Handed, Signers, Statement, verify};
use event::{DeploymentId, Digest, Timestamp};

/// An input is a list of signers; behind the first NUL stands a file that was handed in.
pub fn check(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let (list, handed) = text.split_once('\0').unwrap_or((&text, &text));
    signers(list);
    claims(handed);
    let Ok(read) = Handed::read(handed) else { return };
    assert_eq!(read.write(), handed, "it is handed on as it came");
    if verify(DEPLOYMENT, &read.text, &read.signature).is_ok() {
        let other = format!("{} ", read.text);
        assert!(verify(DEPLOYMENT, &other, &read.signature).is_err(), "over every byte");
        assert!(verify("git", &read.text, &read.signature).is_err(), "for one purpose");
    }
}

/// Nobody is two people.
fn signers(text: &str) {
    let signers = match Signers::read(text) {
        Ok(signers) => signers,
        Err(found) => return assert!(!found.is_empty(), "a refusal has its lines"),
    };
    let people = signers.people();
    for (at, person) in people.iter().enumerate() {
        assert!(!person.names.is_empty() && !person.keys.is_empty());
        for other in &people[at + 1..] {
            let shared =
                person.keys.iter().any(|key| other.keys.iter().any(|it| it.key == key.key));
            assert!(!shared, "one key, one person");
            assert!(!person.names.iter().any(|name| other.is_called(name)), "one name, one person");
        }
    }
}

/// What a text claims can be written, and is claimed again.
fn claims(text: &str) {
    let Some(claims) = Statement::claims(text) else { return };
    let statement = Statement {
        decision: claims.decision,
        reason: claims.reason,
        project: "planner",
        environment: "production",
        deployment: DeploymentId(1),
        by: "mona",
        requested_at: Timestamp(0),
        plan: Digest::of(b"plan"),
        rules: Digest::of(b"rules"),
        gate: claims.gate,
        expires: claims.expires,
    };
    let written = statement.text();
    assert!(statement.must_be(&written).is_ok(), "it is what it has to be");
    assert!(statement.must_be(&format!("{written}\n")).is_err(), "byte for byte");
}
