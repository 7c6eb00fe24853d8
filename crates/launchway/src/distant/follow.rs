//! Following a run or a deployment of a server: events as they are sent, whoever restarts the server in between.

use std::io::{BufRead as _, BufReader};
use std::time::{Duration, Instant};

use event::{DeploymentEvent, DeploymentId, RunEvent, RunId};
use serde::de::DeserializeOwned;
use server::StoredEvent;
use ureq::Body;

use super::{Client, TOKEN};
use crate::exit::{Exit, Failure};

/// While it is followed it may be away, or send nothing, not even that the connection lives, for so long: it is being
/// restarted.
const PATIENCE: Patience = Patience {
    silent_max: Duration::from_secs(60),
    pause_min: Duration::from_millis(500),
    pause_max: Duration::from_secs(8),
};

/// How often a server is asked again that stopped sending, and for how long.
#[derive(Clone, Copy)]
pub(super) struct Patience {
    pub(super) silent_max: Duration,
    pub(super) pause_min: Duration,
    pub(super) pause_max: Duration,
}

/// What is known of a server that may have stopped sending.
pub(super) struct Silence {
    patience: Patience,
    heard: Instant,
    pause: Duration,
}

impl Silence {
    pub(super) fn since(heard: Instant, patience: Patience) -> Silence {
        Silence { patience, heard, pause: patience.pause_min }
    }

    /// How long to wait before it is asked again; none: it was silent for too long.
    pub(super) fn pause(&mut self, now: Instant) -> Option<Duration> {
        let left = self.patience.silent_max.saturating_sub(now.duration_since(self.heard));
        let pause = self.pause.min(left);
        self.pause = (self.pause * 2).min(self.patience.pause_max);
        (!pause.is_zero()).then_some(pause)
    }
}

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
        self.streamed_with(PATIENCE, path, told)
    }

    pub(super) fn streamed_with<E: DeserializeOwned>(
        &self,
        patience: Patience,
        path: &str,
        told: &mut dyn FnMut(&E),
    ) -> Result<(), Failure> {
        let mut seen = 0;
        let mut body = self.send(&format!("{path}?after={seen}"))?;
        let mut silence = Silence::since(Instant::now(), patience);
        loop {
            for line in BufReader::new(body.into_reader()).lines() {
                let Ok(line) = line else { break };
                // Events, and signs of life.
                if [":", "id:", "event:", "data:"].iter().any(|it| line.starts_with(it)) {
                    silence = Silence::since(Instant::now(), patience);
                }
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
            body = self.again(&format!("{path}?after={seen}"), &mut silence)?;
        }
    }

    /// Asks again, until it answers or was silent for too long.
    fn again(&self, path: &str, silence: &mut Silence) -> Result<Body, Failure> {
        let message = format!("the server {} ends what it sends, again and again", self.url);
        let mut last = Failure::new(Exit::Missing, message);
        while let Some(pause) = silence.pause(Instant::now()) {
            std::thread::sleep(pause);
            match self.ready().and_then(|()| self.send(path)) {
                // It is being restarted, or its database is away.
                Err(failure) if failure.exit == Exit::Missing => last = failure,
                answer => return answer,
            }
        }
        let seconds = silence.patience.silent_max.as_secs();
        Err(last.hint(format!(
            "nothing was heard of it for {seconds} s; what runs there goes on: watch it again when the server is back"
        )))
    }

    /// Whether it can take work; what answers otherwise may stand before it.
    fn ready(&self) -> Result<(), Failure> {
        let answer = self.agent.get(format!("{}/readyz", self.url)).call();
        let mut answer = answer.map_err(|error| self.unreachable(error))?;
        if answer.status() != 503 {
            return Ok(());
        }
        let why = answer.body_mut().read_to_string().unwrap_or_default();
        let why = why.lines().next().unwrap_or_default();
        Err(Failure::new(Exit::Missing, format!("the server {} is not ready: {why}", self.url)))
    }
}

fn unknown(error: serde_json::Error) -> Failure {
    let context = "an event that this version does not know";
    Failure::caused(Exit::Missing, anyhow::Error::new(error).context(context))
}
