//! The journal's payloads and names, whatever lies on the disk.

use event::{DecodeError, Digest, Fact, RunEvent, StreamId};

/// An input is the payload of an event; as text, the name of a stream or a digest.
pub fn check(input: &[u8]) {
    match RunEvent::decode(input) {
        Ok(event) => check_event(&event),
        Err(DecodeError::UnknownKind { kind }) => {
            assert!(!RunEvent::KINDS.contains(&kind.as_str()), "{kind} is known");
        }
        Err(DecodeError::Unreadable { kind, .. }) => {
            assert!(RunEvent::KINDS.contains(&kind.as_str()), "{kind} is not known");
        }
        Err(DecodeError::NoEvent { .. }) => {}
    }
    let text = String::from_utf8_lossy(input);
    if let Ok(stream) = text.parse::<StreamId>() {
        assert_eq!(stream.to_string(), text, "one stream has one name");
    }
    if let Ok(digest) = text.parse::<Digest>() {
        assert_eq!(digest.to_string(), text, "one digest has one text");
    }
}

/// An event that was read is written and read the same for ever.
fn check_event(event: &RunEvent) {
    assert!(RunEvent::KINDS.contains(&event.kind()));
    let written = event.encode();
    let again = RunEvent::decode(written.as_bytes()).expect("an event that was written");
    assert_eq!(*event, again);
    assert_eq!(written, again.encode());
}
