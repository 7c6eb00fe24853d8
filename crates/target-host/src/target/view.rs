//! A service for people: what runs, what it counts.

use std::io;
use std::net::SocketAddr;

use event::Release;
use serde::Serialize;

use crate::folder::{self, Folder};
use crate::wanted::{InstanceState, State, Wanted};

/// A service on this machine, as it is now.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ServiceView {
    /// Where it listens.
    pub listen: Vec<SocketAddr>,
    /// The supervisor lives.
    pub is_supervised: bool,
    /// The proxy answers.
    pub is_reachable: bool,
    /// Its instances.
    pub instances: Vec<InstanceView>,
}

impl ServiceView {
    /// The same for people: how many are well, and a line for each that is not quite.
    pub(super) fn lines(&self) -> Vec<String> {
        let live: Vec<&InstanceView> = self.instances.iter().filter(|it| it.is_live).collect();
        let well = live.iter().filter(|it| it.is_healthy).count();
        let (requests, failed) =
            live.iter().fold((0, 0), |(all, bad), it| (all + it.requests, bad + it.failed));
        let mut lines = vec![format!(
            "{well} of {} instances healthy; requests: {requests}, not answered: {failed}",
            live.len()
        )];
        if !self.is_supervised {
            lines.push("no supervisor lives: what ends is not started again".to_owned());
        }
        if !self.is_reachable {
            lines.push("the proxy does not answer".to_owned());
        }
        lines.extend(self.instances.iter().filter_map(InstanceView::line));
        lines
    }
}

impl InstanceView {
    /// What is not as it usually is with it; none where nothing is.
    fn line(&self) -> Option<String> {
        let mut said = Vec::new();
        if self.pid.is_none() {
            said.push("does not run".to_owned());
        } else if !self.is_healthy {
            let probe = self.probe.as_ref().map_or(String::new(), |it| format!(": {it}"));
            said.push(format!("is not healthy{probe}"));
        }
        if !self.is_live {
            said.push("gets no requests".to_owned());
        }
        if self.restarts > 0 {
            let ended =
                self.ended.as_ref().map_or(String::new(), |it| format!(", last ended {it}"));
            let times =
                if self.restarts == 1 { "once" } else { &format!("{} times", self.restarts) };
            said.push(format!("was started again {times}{ended}"));
        }
        (!said.is_empty()).then(|| format!("instance {} {}", self.name, said.join(", ")))
    }
}

/// One instance.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct InstanceView {
    /// Its name.
    pub name: String,
    /// Its release.
    pub release: Option<Release>,
    /// Its process; none while it does not run.
    pub pid: Option<i32>,
    /// Its container, where it is one.
    pub container: Option<String>,
    /// Where it listens.
    pub port: u16,
    /// Since when it runs, in milliseconds since 1970.
    pub started_ms: u64,
    /// Every answer to a probe is good.
    pub is_healthy: bool,
    /// What the last probe saw, where that was not good.
    pub probe: Option<String>,
    /// How often it was started again.
    pub restarts: u32,
    /// How it ended last.
    pub ended: Option<String>,
    /// It gets requests.
    pub is_live: bool,
    /// Under way now.
    pub in_flight: u64,
    /// Requests since the proxy started.
    pub requests: u64,
    /// Those it did not answer.
    pub failed: u64,
}

/// Looks at a service; none where there is none of this name.
///
/// # Errors
/// When the folder cannot be read.
pub fn view(folder: &Folder, service: &str) -> io::Result<Option<ServiceView>> {
    let Some(wanted) = folder::read::<Wanted>(&folder.wanted_of(service))? else {
        return Ok(None);
    };
    let state: State = folder::read(&folder.state())?.unwrap_or_default();
    let route = proxy::read(folder.path(), service).map_err(io::Error::other)?;
    let status = proxy::ask(folder.path()).ok();
    let fronts = route.map(|route| route.fronts).unwrap_or_default();
    let instances = state.services.get(service).into_iter().flatten().map(|(name, state)| {
        let text = name.to_string();
        let is_here = |backend: &proxy::Backend| backend.instance == text;
        let counts = status
            .iter()
            .flat_map(|status| &status.backends)
            .find(|counts| counts.service == service && counts.instance == text);
        InstanceView {
            release: wanted.sets.get(&name.set).map(|set| set.release.clone()),
            pid: pid(state),
            container: state.container.as_ref().map(|it| it.id.clone()),
            port: state.port,
            started_ms: state.started_ms,
            is_healthy: state.healthy_since_ms.is_some(),
            probe: state.waits.clone().or_else(|| state.probe.clone()),
            restarts: state.restarts,
            ended: state.ended.map(|ended| ended.to_string()),
            is_live: fronts.first().is_some_and(|front| front.backends.iter().any(is_here)),
            in_flight: counts.map_or(0, |counts| counts.in_flight + counts.upgraded),
            requests: counts.map_or(0, |counts| counts.requests),
            failed: counts.map_or(0, |counts| counts.failed),
            name: text,
        }
    });
    Ok(Some(ServiceView {
        listen: fronts.iter().map(|front| front.listen).collect(),
        is_supervised: folder::is_locked(&folder.supervisor_lock()),
        is_reachable: status.is_some(),
        instances: instances.collect(),
    }))
}

fn pid(state: &InstanceState) -> Option<i32> {
    let of_container = || state.container.as_ref().map(|it| it.pid).filter(|pid| *pid != 0);
    state.process.map(|process| process.pid).or_else(of_container)
}
