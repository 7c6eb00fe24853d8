//! What a server and its runners say to each other, whatever comes over the connection.

use protocol::{FromRunner, Limited, LogName, ToRunner, read_frame, write_frame};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// An input is a frame of either side, and the end of the name of a log's file.
pub fn check(input: &[u8]) {
    check_frame::<FromRunner>(input);
    check_frame::<ToRunner>(input);
    if let Ok(text) = std::str::from_utf8(input)
        && let Some(name) = LogName::of_suffix(text)
    {
        assert_eq!(name.suffix(), text, "a file has one name");
        assert!(!text.contains(['/', '\0']), "a log stays in its folder");
    }
}

/// A frame that was understood is understood the same when it is written again, with the same bytes.
fn check_frame<M: Serialize + DeserializeOwned + Limited>(frame: &[u8]) {
    let Ok((message, bytes)) = read_frame::<M>(frame) else { return };
    let written = write_frame(&message, bytes);
    let (again, behind) = read_frame::<M>(&written).expect("a frame that was written");
    assert_eq!(behind, bytes);
    assert_eq!(write_frame(&again, behind), written);
}
