//! What containers printed.

use serde_json::json;

use crate::client::Client;
use crate::fault::Fault;
use crate::service::Service;

impl Client {
    /// The last lines of a stream. None where there is no such stream (yet).
    ///
    /// # Errors
    /// When AWS does not give them.
    pub fn last_lines(
        &mut self,
        group: &str,
        stream: &str,
        lines: u32,
    ) -> Result<Option<Vec<String>>, Fault> {
        let body = json!({"logGroupName": group, "logStreamName": stream, "limit": lines});
        let answer = match self.call(Service::Logs, "GetLogEvents", &body) {
            Err(fault) if fault.is("ResourceNotFoundException") => return Ok(None),
            other => other?,
        };
        let events = answer["events"].as_array().into_iter().flatten();
        let lines = events.filter_map(|it| it["message"].as_str().map(str::to_owned));
        Ok(Some(lines.collect()))
    }
}
