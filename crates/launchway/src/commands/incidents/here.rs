//! Incidents of the journal here: what is asked for as it would be asked of a server.

use std::sync::Arc;

use event::{IncidentRole, ShippedBy};
use incident::{Opening, Wish};
use mask::MaskedText;
use repository::Repository;
use serde_json::Value as Json;
use views::IncidentView;

use crate::deploying::book::Book;
use crate::deploying::request;
use crate::exit::{Exit, Failure};
use crate::incidents::Incidents;
use crate::journal;
use crate::settings_file::Found;
use crate::state::StateFolder;

/// The journal that the settings name; this machine's where there are none, as of a repository whose jobs ship.
pub(super) struct Here {
    pub(super) incidents: Incidents,
    /// `project` of the settings, or the repository.
    project: Arc<str>,
    found: Option<Found>,
    /// `owner/name`, where there is one here.
    repository: Option<String>,
}

impl Here {
    pub(super) fn of(found: Option<Found>, state: &StateFolder) -> Result<Here, Failure> {
        let folder = found.as_ref().map_or(std::path::Path::new("."), |it| &it.root);
        let repository = Repository::discover(folder);
        let name = |it: &Repository| format!("{}/{}", it.owner, it.name);
        let Some(found) = found else {
            let repository = repository.map_err(|error| Failure::caused(Exit::Usage, error))?;
            let project: Arc<str> = name(&repository).into();
            let book = Book::of_server(Arc::new(journal::open(state)?), Arc::clone(&project));
            let repository = Some(name(&repository));
            return Ok(Here { incidents: Incidents::of(&book), project, found: None, repository });
        };
        let (book, _) = Book::of(&found, state)?;
        let incidents = Incidents::of(&book);
        // Whoever drove a deployment may have been killed before this was done.
        incidents.look_at_ends_in_passing(&book.project);
        let repository = repository.ok().as_ref().map(name);
        Ok(Here { incidents, project: book.project, found: Some(found), repository })
    }

    /// Whether an incident is looked at from here: of the project, or of the repository, whose jobs brought some before
    /// there were settings.
    pub(super) fn has(&self, project: &str) -> bool {
        project == &*self.project || self.repository.as_deref() == Some(project)
    }

    /// The newest of both names, newest first.
    pub(super) fn newest(&self, limit: usize) -> Result<Vec<IncidentView>, Failure> {
        let mut all = self.incidents.newest(Some(&self.project), limit)?;
        if let Some(repository) = self.repository.as_deref().filter(|it| *it != &*self.project) {
            all.extend(self.incidents.newest(Some(repository), limit)?);
        }
        all.sort_unstable_by_key(|it| std::cmp::Reverse(it.id));
        all.truncate(limit);
        Ok(all)
    }

    /// Refuses an environment that the settings do not have. Without settings nobody knows which there are.
    pub(super) fn knows(&self, environment: &str) -> Result<(), Failure> {
        match &self.found {
            Some(found) => request::environment(found, environment).map(drop),
            None => Ok(()),
        }
    }

    /// What was shipped; jobs of this repository are of this project.
    fn shipped(&self, by: &Json, environment: Option<&str>) -> Result<incident::Deployed, Failure> {
        let by: ShippedBy = serde_json::from_value(by.clone())
            .map_err(|error| Failure::caused(Exit::Usage, error))?;
        let is_here = |repository: &str| self.repository.as_deref() == Some(repository);
        let project_of = |repository: &str| is_here(repository).then(|| Arc::clone(&self.project));
        self.incidents.shipped(by, environment, &project_of)
    }

    /// What is asked for, about an incident in that environment.
    pub(super) fn wish(&self, asked: &Json, environment: &str) -> Result<Wish, Failure> {
        let reason = || asked["reason"].as_str().map(MaskedText::without_secrets);
        let by = &asked["deployment"];
        let role = if asked["role"] == "cause" { IncidentRole::Cause } else { IncidentRole::Fix };
        Ok(match asked["do"].as_str() {
            Some("resolve") => Wish::Resolve { reason: reason() },
            Some("reopen") => Wish::Reopen { reason: reason() },
            Some("link") => Wish::Link(self.shipped(by, Some(environment))?, role),
            _ => {
                let by = serde_json::from_value(by.clone());
                Wish::Unlink(by.map_err(|error| Failure::caused(Exit::Usage, error))?, role)
            }
        })
    }

    /// An incident that is to be opened.
    pub(super) fn opening(&self, asked: &Json) -> Result<Opening, Failure> {
        let text = |name: &str| asked[name].as_str();
        let caused_by = match &asked["caused_by"] {
            Json::Null => None,
            by => Some(self.shipped(by, text("environment"))?),
        };
        // Jobs name what they like; whether it fits them is decided with the rest.
        let by_jobs = caused_by.as_ref().is_some_and(|it| it.id.deployment().is_none());
        let environment = match (text("environment"), &caused_by) {
            (Some(name), _) => {
                if !by_jobs {
                    self.knows(name)?;
                }
                name.into()
            }
            (None, Some(deployed)) => deployed.environment.clone(),
            (None, None) => return Err(Failure::new(Exit::Usage, "where? --environment NAME")),
        };
        if let (Some(name), Some(found), false) = (text("service"), &self.found, by_jobs) {
            has_service(found, name)?;
        }
        Ok(Opening {
            project: Arc::clone(&self.project),
            environment,
            service: text("service").map(Into::into),
            title: MaskedText::without_secrets(text("title").unwrap_or_default()),
            severity: text("severity")
                .and_then(event::Severity::parse)
                .unwrap_or(event::Severity::Major),
            key: None,
            link: None,
            caused_by,
        })
    }
}

fn has_service(found: &Found, name: &str) -> Result<(), Failure> {
    let all = &found.settings.order;
    if all.iter().any(|it| *it.value == *name) {
        return Ok(());
    }
    let known: Vec<&str> = all.iter().map(|it| &*it.value).collect();
    Err(Failure::new(Exit::Usage, format!("there is no service {name}"))
        .hint(format!("there are: {}", known.join(", "))))
}
