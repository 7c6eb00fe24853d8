//! A token for one job: of one repository, with what the job is granted and no more, ended when the job is.

use std::collections::BTreeMap;

use event::Timestamp;
use mask::Secret;
use serde_json::{Map, Value as Json, json};
use views::moment_of;

use crate::api::{ForgeError, GitHub, Method};

/// What an app may do is looked at again after so long: people change it.
const KNOWN_SECONDS: u64 = 300;

/// Scopes of workflows that an installation's token may have, by the names that GitHub's API has for them. Those
/// that are not here are none of such a token: `id-token` is the server's to give, `models` and others are GitHub's.
const SCOPES: &[(&str, &str)] = &[
    ("actions", "actions"),
    ("attestations", "attestations"),
    ("checks", "checks"),
    ("contents", "contents"),
    ("deployments", "deployments"),
    ("discussions", "discussions"),
    ("issues", "issues"),
    ("packages", "packages"),
    ("pages", "pages"),
    ("pull-requests", "pull_requests"),
    ("repository-projects", "repository_projects"),
    ("security-events", "security_events"),
    ("statuses", "statuses"),
    ("vulnerability-alerts", "vulnerability_alerts"),
];

/// A token of a job.
#[derive(Clone, Debug)]
pub struct JobToken {
    /// What lets it in.
    pub token: Secret,
    /// When it ends by itself: an hour after it was made.
    pub until: Timestamp,
    /// What the job is granted and the app may not do there: `packages: read`.
    pub left_out: Vec<String>,
}

impl GitHub {
    /// A token of one repository, for a job that is granted this: scope to `read` or `write`. None where we are no
    /// app, or nothing is left of it that the app may do.
    ///
    /// # Errors
    /// When it cannot be asked, or says no.
    pub fn job_token(
        &self,
        repository: &str,
        granted: &BTreeMap<String, String>,
    ) -> Result<Option<JobToken>, ForgeError> {
        let Some(installation) = self.may(repository, KNOWN_SECONDS)? else { return Ok(None) };
        let (permissions, left_out) = least(granted, &installation.permissions);
        // Nothing said would be everything given.
        if permissions.is_empty() {
            return Ok(None);
        }
        let name = repository.split_once('/').map_or(repository, |(_, name)| name);
        let body = json!({ "repositories": [name], "permissions": permissions });
        let path = format!("/app/installations/{}/access_tokens", installation.id);
        let what = "make a token for a job";
        let Some(made) = self.as_app(Method::Post, &path, Some(&body), what)? else {
            return Ok(None);
        };
        let token = made.json["token"].as_str().ok_or_else(|| self.unreadable(what))?;
        let until = moment_of(&made.json["expires_at"]).ok_or_else(|| self.unreadable(what))?;
        Ok(Some(JobToken { token: Secret::new(token), until, left_out }))
    }

    /// Ends a token of a job; one that has ended is as good.
    ///
    /// # Errors
    /// When it cannot be asked.
    pub fn end_job_token(&self, token: &Secret) -> Result<(), ForgeError> {
        match self.call(Method::Delete, "/installation/token", None, token, "end a token") {
            Ok(_) | Err(ForgeError::Denied { .. } | ForgeError::Absent { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// What is granted and allowed, as GitHub calls it; and what is granted alone.
fn least(
    granted: &BTreeMap<String, String>,
    allowed: &BTreeMap<String, String>,
) -> (Map<String, Json>, Vec<String>) {
    let (mut both, mut left_out) = (Map::new(), Vec::new());
    for (scope, access) in granted {
        let Some((_, name)) = SCOPES.iter().find(|(known, _)| known == scope) else { continue };
        let most = allowed.get(*name).map(String::as_str);
        let given = match (access.as_str(), most) {
            ("write", Some("write" | "admin")) => Some("write"),
            ("read" | "write", Some("read" | "write" | "admin")) => Some("read"),
            _ => None,
        };
        if given != Some(access) && access != "none" {
            left_out.push(format!("{scope}: {access}"));
        }
        both.extend(given.map(|it| ((*name).to_owned(), it.into())));
    }
    (both, left_out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_may_do_what_the_job_and_the_app_may() {
        let pairs = |text: &str| -> BTreeMap<String, String> {
            let pairs = text.split(", ").filter_map(|it| it.split_once(": "));
            pairs.map(|(scope, access)| (scope.to_owned(), access.to_owned())).collect()
        };
        let check = |granted: &str, allowed: &str, expect: &str, left_out: &str| {
            let (both, left) = least(&pairs(granted), &pairs(allowed));
            let both: Vec<String> = both
                .iter()
                .map(|(name, it)| format!("{name}: {}", it.as_str().unwrap_or_default()))
                .collect();
            assert_eq!((&*both.join(", "), &*left.join(", ")), (expect, left_out), "{granted}");
        };
        let app = "contents: write, issues: read, pull_requests: write, metadata: read";
        check("contents: read", app, "contents: read", "");
        check(
            "contents: write, issues: write",
            app,
            "contents: write, issues: read",
            "issues: write",
        );
        check("pull-requests: write", app, "pull_requests: write", "");
        check("packages: read", app, "", "packages: read");
        check("contents: none, id-token: write, models: read", app, "", "");
        check("metadata: write, administration: write", app, "", "");
        check("", app, "", "");
    }
}
