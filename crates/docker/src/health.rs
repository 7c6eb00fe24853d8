//! When a container is ready to be used (conformance 160): where it has a health check, when that is
//! content; else when it runs.

use std::io::Read;
use std::time::Duration;

use serde_json::{Value as Json, json};

use crate::engine::{Engine, EngineError};
use crate::heed::{Wait, is_stopped};
use crate::wire::{Call, escaped};

/// A check that says nothing for so long says nothing.
const CHECK_MAX: Duration = Duration::from_secs(300);

/// What is shown of the log of a container that never became ready.
const LOG_LINES: usize = 50;

/// How the wait for a container ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// It may be used.
    Ready,
    /// It ended, or its check says that something is wrong.
    Wrong {
        /// Which, in words.
        why: String,
        /// What it printed last.
        said: String,
    },
}

impl Engine {
    /// Waits until a container is ready, or never will be: each look follows something that happened.
    ///
    /// # Errors
    /// When the engine is away; when it is given up.
    pub fn await_health(&self, id: &str, wait: &mut Wait<'_>) -> Result<Health, EngineError> {
        let filters = json!({ "container": [id], "event": ["health_status", "die"] }).to_string();
        let path = format!("/events?filters={}", escaped(&filters));
        let silence = Some(CHECK_MAX);
        let call = Call { method: "GET", path: &path, headers: &[], body: None, silence };
        let events = self.ask_heeding(&call, wait)?.body;
        let mut events = serde_json::Deserializer::from_reader(events).into_iter::<Json>();
        loop {
            if let Some(health) = self.health(id)? {
                return Ok(health);
            }
            let event = events.next();
            if let Some(Err(error)) = &event
                && error.io_error_kind().is_some_and(is_stopped)
            {
                return Err(EngineError::Stopped);
            }
            if event.is_none_or(|event| event.is_err()) {
                let seconds = CHECK_MAX.as_secs();
                let why =
                    format!("was not ready, and nothing was heard of it for {seconds} seconds");
                return Ok(Health::Wrong { why, said: self.last_said(id)? });
            }
        }
    }

    /// What is known now; none where its check has not come to an end.
    fn health(&self, id: &str) -> Result<Option<Health>, EngineError> {
        let found = self.json("GET", &format!("/containers/{id}/json"), None)?;
        let state = &found["State"];
        let why = match (state["Running"].as_bool(), state["Health"]["Status"].as_str()) {
            (Some(true), Some("starting")) => return Ok(None),
            (Some(true), Some("unhealthy")) => "is unhealthy, says its check".to_owned(),
            (Some(true), _) => return Ok(Some(Health::Ready)),
            _ => format!("ended with exit code {}", state["ExitCode"]),
        };
        Ok(Some(Health::Wrong { why, said: self.last_said(id)? }))
    }

    fn last_said(&self, id: &str) -> Result<String, EngineError> {
        let path = format!("/containers/{id}/logs?stdout=1&stderr=1&tail={LOG_LINES}");
        let call = Call { method: "GET", path: &path, headers: &[], body: None, silence: None };
        let bytes = self.ask(&call)?.text().map_err(|error| self.unanswered(&error))?;
        let mut text = Vec::new();
        let mut rest = &*bytes;
        let mut head = [0; 8];
        while rest.read_exact(&mut head).is_ok() {
            let length = u32::from_be_bytes([head[4], head[5], head[6], head[7]]) as usize;
            let (part, after) = rest.split_at(length.min(rest.len()));
            text.extend_from_slice(part);
            rest = after;
        }
        Ok(String::from_utf8_lossy(&text).into_owned())
    }

    /// The ports of a container that are ports of this machine, by their number inside.
    ///
    /// # Errors
    /// When the engine is away, or there is no such container.
    pub fn ports(&self, id: &str) -> Result<Vec<(u16, u16)>, EngineError> {
        let found = self.json("GET", &format!("/containers/{id}/json"), None)?;
        let bound = found["NetworkSettings"]["Ports"].as_object().into_iter().flatten();
        Ok(bound
            .filter_map(|(inside, outside)| {
                let inside = inside.split('/').next()?.parse().ok()?;
                Some((inside, outside[0]["HostPort"].as_str()?.parse().ok()?))
            })
            .collect())
    }
}
