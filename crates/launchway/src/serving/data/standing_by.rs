//! A folder that was made of a copy stands by: its original may still serve, and what both did would be
//! done twice. It acts when somebody said that the original is gone.

use std::path::Path;

use event::Timestamp;
use serde::{Deserialize, Serialize};

use crate::exit::Failure;
use crate::serving::data::{self, DataFolder};
use crate::terminal::style::talk;
use crate::terminal::time::{moment, now};

/// In a folder that stands by.
const MARK: &str = "restored.json";

#[derive(Serialize, Deserialize)]
struct Mark {
    /// When the folder was made.
    at_ms: Timestamp,
    /// When the copy was made.
    copied_at_ms: Timestamp,
}

/// Has a folder stand by, before it has its name.
pub(crate) fn begin(folder: &Path, copied_at_ms: Timestamp) -> Result<(), Failure> {
    data::write(&folder.join(MARK), &Mark { at_ms: now(), copied_at_ms })
}

/// Lets a folder act, and writes down who said so.
pub(crate) fn take_over(data: &DataFolder, copied_at_ms: Timestamp) -> Result<(), Failure> {
    let object = format!("the folder of a copy of {}", moment(copied_at_ms));
    data.record("server.take_over", object)?;
    data::remove(&data.path(MARK))
}

/// Whether the folder stands by. One that is taken over does not any more, and that is written down.
pub(crate) fn stands_by(data: &DataFolder, is_taken_over: bool) -> Result<bool, Failure> {
    let mark: Option<Mark> = data::read(&data.path(MARK))?;
    match (mark, is_taken_over) {
        (None, true) => {
            talk("nothing is taken over: this folder does not stand by");
            Ok(false)
        }
        (None, false) => Ok(false),
        (Some(mark), true) => take_over(data, mark.copied_at_ms).map(|()| false),
        (Some(mark), false) => {
            let made = moment(mark.copied_at_ms);
            talk(&format!(
                "warning: this folder was made of a copy of {made}, and stands by: it shows what is past, and drives, sends, schedules and tells nothing"
            ));
            talk("when the original serves no more: launchway serve --take-over");
            Ok(true)
        }
    }
}
