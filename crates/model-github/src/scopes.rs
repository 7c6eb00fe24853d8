//! What a token of a job may do: which permission a call takes, and whether it has it.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use crate::github::{GitHub, JobToken};

/// The permissions that do, each, for a call of a repository; none where it is not known.
fn needed(rest: &[&str]) -> &'static [&'static str] {
    match rest {
        [] => &["metadata"],
        ["check-runs", ..] | ["commits", _, "check-runs"] => &["checks"],
        ["statuses", ..] | ["commits", _, "statuses"] => &["statuses"],
        ["issues", ..] => &["issues", "pull_requests"],
        ["deployments", ..] => &["deployments"],
        ["releases", ..] | ["activity"] | ["git", "ref", ..] => &["contents"],
        ["code-scanning", ..] => &["security_events"],
        ["actions", "secrets", ..] => &["secrets"],
        ["actions", "variables", ..] => &["actions_variables"],
        ["environments", _, "secrets" | "variables", ..] => &["environments"],
        _ => &[],
    }
}

impl JobToken {
    /// Whether it may make a call of a repository.
    pub(crate) fn may(&self, name: &str, method: &str, rest: &[&str]) -> bool {
        let needed = needed(rest);
        let is_reading = method == "GET" && !self.permissions.is_empty();
        let has = |scope: &&str| self.has(scope, method != "GET");
        let is_said = rest.is_empty() && is_reading;
        self.is_of(name) && (is_said || needed.iter().any(has))
    }

    /// Whether it lets git read, or write.
    pub(crate) fn may_git(&self, name: &str, is_push: bool) -> bool {
        self.is_of(name) && self.has("contents", is_push)
    }

    fn is_of(&self, name: &str) -> bool {
        !self.is_ended && self.repository.eq_ignore_ascii_case(name)
    }

    fn has(&self, scope: &str, to_write: bool) -> bool {
        let access = self.permissions.get(scope).map(String::as_str);
        access == Some("write") || (!to_write && access == Some("read"))
    }
}

impl GitHub {
    /// A token as the body of a call asks for it: of all repositories with all permissions, or of one with less.
    pub(crate) fn make_token(&mut self, body: &Json) -> (u16, Json) {
        let token = format!("ghs_{}", self.next_id());
        let expires_at = crate::payload::time(self.now + 3600);
        let most = self.permissions();
        let wanted = body["permissions"].as_object();
        let wanted: Option<BTreeMap<String, String>> = wanted.map(|it| {
            let pairs = it.iter().filter_map(|(name, access)| Some((name, access.as_str()?)));
            pairs.map(|(name, access)| (name.clone(), access.to_owned())).collect()
        });
        let is_granted = |(name, access): (&String, &String)| {
            let most = most.get(name).map(String::as_str);
            most == Some("write") || most == Some(&**access)
        };
        if wanted.as_ref().is_some_and(|it| !it.iter().all(is_granted)) {
            let message = "The permissions requested are not granted to this installation.";
            return (422, json!({ "message": message }));
        }
        let of = body["repositories"].as_array().and_then(|it| it.first()?.as_str());
        if let Some(short) = of {
            // The app is installed by the one account.
            let name = format!("octo/{short}");
            let Some(repository) = self.repositories.contains_key(&name).then_some(name) else {
                let message = "There is at least one repository that does not exist";
                return (422, json!({ "message": message }));
            };
            let permissions = wanted.clone().unwrap_or_else(|| most.clone());
            let made = JobToken { repository, permissions, is_ended: false };
            self.job_tokens.insert(token.clone(), made);
        } else {
            self.installation_tokens.push(token.clone());
        }
        let permissions = wanted.unwrap_or(most);
        let made = json!({ "token": token, "expires_at": expires_at, "permissions": permissions });
        (201, made)
    }
}
