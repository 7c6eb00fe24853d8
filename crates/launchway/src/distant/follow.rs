//! Following a run or a deployment of a server: events as they are sent, whoever restarts the server in between.

use std::io::{BufRead as _, BufReader};
use std::time::{Duration, Instant};

use event::{DeploymentEvent, DeploymentId, RunEvent, RunId};
use serde::de::DeserializeOwned;
use server::StoredEvent;

use super::{Client, TOKEN};
use crate::exit::{Exit, Failure};

/// How long it may be away while it is followed: it is being restarted.
const AWAY_MAX: Duration = Duration::from_secs(60);
/// How often is looked whether it is back.
const LOOK: Duration = Duration::from_millis(500);

impl Client {
    /// Follows a run until it ends.
    pub(crate) fn follow(
        &self,
        name: &str,
        told: &mut dyn FnMut(RunId, &RunEvent),
    ) -> Result<(), Failure> {
        let mut view: Option<RunId> = None;
        self.streamed(&format!("/api/v1/runs/{name}/events/stream"), &mut |event| {
            if let RunEvent::RunCreated(request) = event {
                view = Some(request.run);
            }
            if let Some(run) = view {
                told(run, event);
            }
        })
    }

    /// Follows a deployment until it ends.
    pub(crate) fn follow_deployment(
        &self,
        id: DeploymentId,
        told: &mut dyn FnMut(&DeploymentEvent),
    ) -> Result<(), Failure> {
        self.streamed(&format!("/api/v1/deployments/{id}/events/stream"), told)
    }

    /// Events that are sent at a path, until the server says that they are over.
    fn streamed<E: DeserializeOwned>(
        &self,
        path: &str,
        told: &mut dyn FnMut(&E),
    ) -> Result<(), Failure> {
        let (mut seen, mut was_cut) = (0, false);
        loop {
            let body = match self.send(&format!("{path}?after={seen}")) {
                Ok(body) => body,
                // It is being restarted, for a moment.
                Err(failure) if was_cut && failure.exit == Exit::Missing => {
                    if self.is_gone() {
                        return Err(failure);
                    }
                    continue;
                }
                Err(failure) => return Err(failure),
            };
            was_cut = true;
            for line in BufReader::new(body.into_reader()).lines() {
                let Ok(line) = line else { break };
                if line == "event: end" {
                    return Ok(());
                }
                if line == "event: signed-out" {
                    let message = "the server shows nothing more to this token";
                    let hint = format!("{TOKEN} was revoked, or has expired");
                    return Err(Failure::new(Exit::Forbidden, message).hint(hint));
                }
                let Some(data) = line.strip_prefix("data: {").map(|rest| format!("{{{rest}"))
                else {
                    continue;
                };
                let stored: StoredEvent<E> = serde_json::from_str(&data).map_err(unknown)?;
                seen = stored.seq.0;
                told(&stored.event);
            }
        }
    }

    /// Whether nobody answers for a whole minute.
    fn is_gone(&self) -> bool {
        let until = Instant::now() + AWAY_MAX;
        while Instant::now() < until {
            if self.agent.get(format!("{}/healthz", self.url)).call().is_ok() {
                return false;
            }
            std::thread::sleep(LOOK);
        }
        true
    }
}

fn unknown(error: serde_json::Error) -> Failure {
    let context = "an event that this version does not know";
    Failure::caused(Exit::Missing, anyhow::Error::new(error).context(context))
}
