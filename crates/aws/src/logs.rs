//! What containers printed.

use serde_json::json;

use crate::client::Client;
use crate::fault::Fault;
use crate::service::Service;

/// The most lines of one answer.
const LINES_MAX: u32 = 10_000;

/// Which lines of a stream.
#[derive(Clone, Copy, Debug)]
pub enum LinesFrom<'a> {
    /// So many of the last.
    Last(u32),
    /// What came behind a token that an earlier answer had.
    Behind(&'a str),
}

impl Client {
    /// Whether there is a group of this name.
    ///
    /// # Errors
    /// When AWS does not say.
    pub fn has_log_group(&mut self, name: &str) -> Result<bool, Fault> {
        let mut token = None;
        // Others may begin with its name, and come before it.
        loop {
            let mut body = json!({ "logGroupNamePrefix": name });
            if let Some(token) = &token {
                body["nextToken"] = json!(token);
            }
            let answer = self.call(Service::Logs, "DescribeLogGroups", &body)?;
            let mut found = answer["logGroups"].as_array().into_iter().flatten();
            if found.any(|it| it["logGroupName"] == name) {
                return Ok(true);
            }
            match answer["nextToken"].as_str() {
                Some(next) => token = Some(next.to_owned()),
                None => return Ok(false),
            }
        }
    }

    /// The last lines of a stream, or those behind a token; and the token behind them. None where
    /// there is no such stream (yet).
    ///
    /// # Errors
    /// When AWS does not give them.
    pub fn lines(
        &mut self,
        (group, stream): (&str, &str),
        from: LinesFrom<'_>,
    ) -> Result<Option<(Vec<String>, String)>, Fault> {
        let mut body = json!({"logGroupName": group, "logStreamName": stream});
        match from {
            LinesFrom::Last(count) => body["limit"] = count.clamp(1, LINES_MAX).into(),
            LinesFrom::Behind(token) => {
                body["nextToken"] = token.into();
                body["startFromHead"] = true.into();
            }
        }
        let answer = match self.call(Service::Logs, "GetLogEvents", &body) {
            Err(fault) if fault.is("ResourceNotFoundException") => return Ok(None),
            other => other?,
        };
        let events = answer["events"].as_array().into_iter().flatten();
        let lines = events.filter_map(|it| it["message"].as_str().map(str::to_owned));
        let token = answer["nextForwardToken"].as_str().unwrap_or_default().to_owned();
        Ok(Some((lines.collect(), token)))
    }

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
