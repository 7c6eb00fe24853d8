//! Whether the kernel ended a container for want of memory.
//!
//! The engine hears that by another way than the end, and keeps with the container only what came first. Where
//! the end came first, its events still say it, a moment later.

use std::io::Read as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value as Json, json};

use crate::engine::{Engine, EngineError};
use crate::wire::{Call, escaped};

/// What the first process ends with that was killed.
const KILLED: i64 = 137;
/// The engine ends its answer by itself; one that does not is not waited for.
const SILENCE_MAX: Duration = Duration::from_secs(10);
/// So much later than the end its reason may be heard, on a busy machine.
const REASON_WITHIN: Duration = Duration::from_secs(1);

impl Engine {
    /// Of a container that ended, as `inspect` tells of it.
    pub(crate) fn was_out_of_memory(&self, found: &Json) -> bool {
        let state = &found["State"];
        if state["OOMKilled"].as_bool().unwrap_or(false) {
            return true;
        }
        let is_limited = found["HostConfig"]["Memory"].as_i64().is_some_and(|it| it > 0);
        let is_killed = state["ExitCode"].as_i64() == Some(KILLED);
        let id = found["Id"].as_str().unwrap_or_default();
        // Without its events nothing is known but that it was killed.
        is_limited && is_killed && self.says_out_of_memory(id).unwrap_or(false)
    }

    /// All that is past is looked through, and what comes within the time.
    fn says_out_of_memory(&self, id: &str) -> Result<bool, EngineError> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let until = (now + REASON_WITHIN).as_secs_f64();
        let filters = json!({ "container": [id], "event": ["oom"] }).to_string();
        let path = format!("/events?since=0&until={until:.3}&filters={}", escaped(&filters));
        let silence = Some(SILENCE_MAX);
        let call = Call { method: "GET", path: &path, headers: &[], body: None, silence };
        let mut first = [0];
        let said = self.ask(&call)?.body.read(&mut first);
        Ok(said.is_ok_and(|read| read > 0))
    }
}
