//! What a server tells of deployments, of what runs where, and of environments.

use event::{DeploymentEvent, DeploymentId, Seq};
use serde_json::json;
use server::{
    DeploymentEvents, DeploymentList, EnvironmentList, PlaceReleases, PlaceStatus, ReleaseList,
    StatusList, StoredEvent,
};
use views::{DeploymentRow, DeploymentView};

use super::{Client, percent};
use crate::commands::nothing_went;
use crate::exit::{Exit, Failure};

/// Deployments that are asked for at once.
const PART: usize = 200;

/// Which, of all that a server knows.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Where<'w> {
    pub(crate) project: Option<&'w str>,
    pub(crate) environment: Option<&'w str>,
}

impl Where<'_> {
    /// As the end of an address that has a question already.
    fn asked(self) -> String {
        let asked = [("project", self.project), ("environment", self.environment)];
        let asked = asked.iter().filter_map(|(name, value)| Some((name, (*value)?)));
        asked.map(|(name, value)| format!("&{name}={}", percent(value))).collect()
    }
}

impl Client {
    /// The newest deployments.
    pub(crate) fn deployments(
        &self,
        of: Where<'_>,
        limit: usize,
    ) -> Result<Vec<DeploymentRow>, Failure> {
        let mut rows: Vec<DeploymentRow> = Vec::new();
        let mut before = None;
        while rows.len() < limit {
            let part = (limit - rows.len()).min(PART);
            let older = before.map(|it: DeploymentId| format!("&before={it}")).unwrap_or_default();
            let path = format!("/api/v1/deployments?limit={part}{older}{}", of.asked());
            let list: DeploymentList = self.get(&path)?;
            rows.extend(list.deployments.into_iter().map(DeploymentRow::from));
            before = list.older;
            if before.is_none() {
                break;
            }
        }
        Ok(rows)
    }

    /// One deployment, folded from its events; the newest where none is named.
    pub(crate) fn deployment(
        &self,
        of: Where<'_>,
        id: Option<u64>,
    ) -> Result<DeploymentView, Failure> {
        let id = match id {
            Some(id) => DeploymentId(id),
            None => match self.deployments(of, 1)?.first() {
                Some(newest) => newest.id,
                None => return Err(Failure::new(Exit::Usage, self.nothing_went(of)?)),
            },
        };
        let (mut events, mut after) = (Vec::new(), Seq(0));
        loop {
            let part = self.deployment_events(id, after)?;
            let Some(last) = part.last() else { break };
            after = last.seq;
            events.extend(part.into_iter().map(|it| it.event));
        }
        let unknown = || {
            Failure::new(Exit::Usage, format!("there is no deployment {id}"))
                .hint("launchway deployments list shows what there is")
        };
        let view = DeploymentView::of(id, &events).ok_or_else(unknown)?;
        match of.project {
            Some(project) if project != &*view.request.project => Err(unknown()),
            _ => Ok(view),
        }
    }

    fn deployment_events(
        &self,
        id: DeploymentId,
        after: Seq,
    ) -> Result<Vec<StoredEvent<DeploymentEvent>>, Failure> {
        let path = format!("/api/v1/deployments/{id}/events?after={after}");
        let part: DeploymentEvents = self.get(&path)?;
        Ok(part.events)
    }

    /// Has it told that somebody wants it to end. Whether somebody drives it: else it is over now.
    pub(crate) fn cancel_deployment(
        &self,
        id: DeploymentId,
        reason: Option<&str>,
    ) -> Result<bool, Failure> {
        let body = json!({ "reason": reason });
        let told = self.post(&format!("/api/v1/deployments/{id}/cancel"), None, &body)?;
        Ok(told["driven"] == true)
    }

    /// What runs where.
    pub(crate) fn status(&self, of: Where<'_>) -> Result<Vec<PlaceStatus>, Failure> {
        let list: StatusList = self.get(&format!("/api/v1/status?{}", of.asked()))?;
        Ok(list.environments)
    }

    /// That nothing is there to be told of a place, and of which places there is.
    pub(crate) fn nothing_went(&self, of: Where<'_>) -> Result<String, Failure> {
        let known = match self.status(Where { project: of.project, environment: None }) {
            // Nothing is known of that project: then of which there is.
            Ok(all) if all.is_empty() && of.project.is_some() => self.status(Where::default())?,
            Ok(all) => all,
            // More than one answer has.
            Err(failure) if failure.exit == Exit::Usage => return Ok(nothing_went(of, &[])),
            Err(failure) => return Err(failure),
        };
        let known = known.into_iter();
        let known: Vec<_> =
            known.map(|it| (it.project.to_string(), it.environment.to_string())).collect();
        Ok(nothing_went(of, &known) + &self.by_jobs(of)?)
    }

    /// That jobs of workflows shipped there, where they did: those are runs, and no deployments.
    fn by_jobs(&self, of: Where<'_>) -> Result<String, Failure> {
        let is_meant = |name: &str| of.environment.is_none_or(|it| it.eq_ignore_ascii_case(name));
        let all = self.environments()?.environments.into_iter();
        let named: Vec<String> = all
            .filter(|it| it.by_jobs.is_some() && is_meant(&it.environment))
            .map(|it| format!("{} of {}", it.environment, it.repository))
            .collect();
        if named.is_empty() {
            return Ok(String::new());
        }
        Ok(format!(
            "; jobs of workflows shipped to {}, which launchway environments --server {} shows",
            named.join(", "),
            self.url
        ))
    }

    /// What came where, and which images there are.
    pub(crate) fn releases(&self, of: Where<'_>) -> Result<Vec<PlaceReleases>, Failure> {
        let list: ReleaseList = self.get(&format!("/api/v1/releases?{}", of.asked()))?;
        Ok(list.environments)
    }

    /// Environments, with what guards them.
    pub(crate) fn environments(&self) -> Result<EnvironmentList, Failure> {
        self.get("/api/v1/environments")
    }
}
