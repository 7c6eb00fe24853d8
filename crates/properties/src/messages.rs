//! What driver and worker say to each other, whatever comes over the socket.

use protocol::{FromWorker, ToWorker};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// An input is lines, each a message of either side.
pub fn check(input: &[u8]) {
    for line in input.split(|&byte| byte == b'\n') {
        check_line::<FromWorker>(line);
        check_line::<ToWorker>(line);
    }
}

/// A message that was understood is one line, and is understood the same.
fn check_line<M: Serialize + DeserializeOwned>(line: &[u8]) {
    let Ok(message) = serde_json::from_slice::<M>(line) else { return };
    let written = serde_json::to_string(&message).expect("a message has text keys only");
    assert!(!written.contains('\n'), "a message is one line");
    let again: M = serde_json::from_str(&written).expect("a message that was written");
    let again = serde_json::to_string(&again).expect("a message has text keys only");
    assert_eq!(written, again);
}
