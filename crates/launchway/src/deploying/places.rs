//! Where a release goes is a rule too: an environment without reviewers whose target the commit that
//! ships points at production would be a way round those who guard production.

use event::ServiceRequest;
use settings::Settings;

use super::rules::{Ruling, Where};
use crate::exit::{Exit, Failure};
use crate::settings_file::Found;

/// Refuses targets, accounts and credentials that are not those of the rules.
pub(crate) fn must_be_as_ruled(
    found: &Found,
    ruling: &Ruling,
    environment: &str,
    services: &[ServiceRequest],
) -> Result<(), Failure> {
    let other = |what: String| {
        let branch = &ruling.rules.branch;
        Failure::new(Exit::Forbidden, format!("{what} another than on {branch}"))
            .hint("where releases go is decided there: merge it first")
    };
    if ruling.settings.project.value != found.settings.project.value {
        return Err(other("the project is".to_owned()));
    }
    let asks = |settings: &Settings| {
        let credentials = settings.journal_credentials.as_ref().map(|it| format!("{it:?}"));
        (settings.journal.value.clone(), credentials)
    };
    if asks(&ruling.settings) != asks(&found.settings) {
        return Err(other("the journal is".to_owned()));
    }
    for service in services {
        let name = &service.service;
        let (ruled, own) = (&ruling.settings, &found.settings);
        let (Some(ruled), Some(own)) =
            (place(ruled, environment, name), place(own, environment, name))
        else {
            return Err(other(format!("{name} of {environment} is")));
        };
        if ruled != own {
            return Err(other(format!("the target of {name} in {environment} is")));
        }
    }
    Ok(())
}

/// Why a journal that cannot be opened is none of this project's, where the rules know another.
pub(crate) fn other_journal(found: &Found) -> Option<Failure> {
    let environment = found.settings.environments.first()?.name.value.clone();
    let ruling = Where { file: found.file.clone(), environment }.read().ok()?;
    let is_other = ruling.settings.journal.value != found.settings.journal.value;
    (ruling.guards() && is_other).then(|| {
        let branch = &ruling.rules.branch;
        Failure::new(Exit::Forbidden, format!("the journal is another than on {branch}"))
            .hint("where deployments are written down is decided there: merge it first")
    })
}

/// Keys of a target that say how, not where.
const HOW: &[&str] = &["instances", "drain", "as", "port", "memory"];

/// Where a service runs in an environment, and as whom it is reached; none where it is not known.
fn place(settings: &Settings, environment: &str, service: &str) -> Option<Vec<(String, String)>> {
    let of_service = settings.in_force(environment, service).ok()?.into_iter();
    let of_all = settings.in_force_for_all(environment).ok()?.into_iter();
    let is_where = |key: &str| {
        let (first, last) = (key.split('.').next(), key.rsplit('.').next());
        matches!(first, Some("targets" | "target" | "region" | "account" | "credentials"))
            && !last.is_some_and(|last| HOW.contains(&last))
    };
    let rows = of_service.chain(of_all).filter(|row| is_where(&row.key));
    Some(rows.map(|row| (row.key, row.value)).collect())
}
