//! What GitHub could not tell us, asked of it: webhooks that it could not hand in, and who moved a
//! branch.

use std::collections::BTreeMap;

use event::Timestamp;
use serde_json::Value as Json;
use views::moment_of;

use crate::api::{Answered, ForgeError, GitHub, Method};

/// Pages of deliveries that are read at a time, a hundred each.
const PAGES_MAX: usize = 50;
/// Of one webhook GitHub is asked for so many deliveries; who refuses it so often does not want it.
const TIMES_MAX: usize = 5;
/// So many are asked for at a time: they come at once.
const AGAIN_MAX: usize = 50;
/// What webhooks say of a repository, beside addresses (GitHub's schemas of webhooks, `repository`).
#[rustfmt::skip]
const TOLD: &[&str] = &[
    "id", "node_id", "name", "full_name", "private", "owner", "description", "fork", "url",
    "created_at", "updated_at", "pushed_at", "homepage", "size", "stargazers_count",
    "watchers_count", "language", "has_issues", "has_projects", "has_downloads", "has_wiki",
    "has_pages", "has_discussions", "forks_count", "archived", "disabled", "open_issues_count",
    "license", "allow_forking", "is_template", "web_commit_signoff_required", "topics",
    "visibility", "forks", "open_issues", "watchers", "default_branch", "custom_properties",
];
/// One that failed a moment ago may be under way again.
const SETTLED_MS: u64 = 5_000;

/// What was done about webhooks that did not come in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Again {
    /// So many come again.
    pub count: usize,
    /// There are more, and later.
    pub is_more: bool,
}

/// Who moved a branch or a tag, as GitHub remembers it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    /// `mona`
    pub who: String,
    /// The whole account, as webhooks have it.
    pub sender: Json,
    /// The commit before; zeros where it is new.
    pub before: String,
}

impl GitHub {
    /// Has webhooks delivered again that the app could not hand in since then: nobody answered, or what answered
    /// failed. What somebody refused is not asked for, and what GitHub does not repeat is passed over. Gives none
    /// where we are no app.
    ///
    /// # Errors
    /// When it cannot be asked, or says no.
    pub fn deliver_missed(
        &self,
        since: Timestamp,
        now: Timestamp,
    ) -> Result<Option<Again>, ForgeError> {
        let mut all = Vec::new();
        let mut cursor = String::new();
        for _ in 0..PAGES_MAX {
            let path = format!("/app/hook/deliveries?per_page=100{cursor}");
            let what = "list the deliveries of the app's webhook";
            let Some(Answered { json, next, .. }) = self.as_app(Method::Get, &path, None, what)?
            else {
                return Ok(None);
            };
            let list = json.as_array().ok_or_else(|| self.unreadable(what))?;
            let is_new = |it: &&Json| at(it).is_some_and(|at| at >= since);
            let new = list.iter().filter(is_new).cloned().collect::<Vec<_>>();
            let are_all_new = new.len() == list.len();
            all.extend(new);
            match next {
                Some(next) if are_all_new => cursor = format!("&cursor={next}"),
                _ => break,
            }
        }
        let missed = missed(&all, now);
        let mut again = Again { count: 0, is_more: missed.len() > AGAIN_MAX };
        for id in missed.iter().take(AGAIN_MAX) {
            let path = format!("/app/hook/deliveries/{id}/attempts");
            match self.as_app(Method::Post, &path, None, "deliver a webhook again") {
                Ok(_) => again.count += 1,
                Err(error) if error.is_passing() => return Err(error),
                // It is too old by now, say: those behind it are not.
                Err(_) => {}
            }
        }
        Ok(Some(again))
    }

    /// A repository as webhooks have it: what is asked for has more, a token to clone it by among that.
    ///
    /// # Errors
    /// When it cannot be asked, or says no.
    pub fn repository_as_told(&self, repository: &str) -> Result<Json, ForgeError> {
        let mut json = self.ask(Method::Get, repository, "", None)?.json;
        if let Some(about) = json.as_object_mut() {
            about.retain(|key, _| TOLD.contains(&key.as_str()) || key.ends_with("_url"));
        }
        Ok(json)
    }

    /// Who brought a branch or a tag to a commit, where GitHub remembers it: the newest who did.
    ///
    /// # Errors
    /// When it cannot be asked, or says no.
    pub fn moved(
        &self,
        repository: &str,
        git_ref: &str,
        commit: &str,
    ) -> Result<Option<Moved>, ForgeError> {
        let escaped = git_ref.bytes().map(|it| match it {
            it if it.is_ascii_alphanumeric() => char::from(it).to_string(),
            it => format!("%{it:02X}"),
        });
        let path = format!("/activity?ref={}&per_page=100", escaped.collect::<String>());
        let json = self.ask(Method::Get, repository, &path, None)?.json;
        let is_it = |it: &&Json| it["after"] == *commit && it["ref"] == *git_ref;
        let found = json.as_array().into_iter().flatten().find(is_it);
        Ok(found.and_then(|it| {
            let who = it["actor"]["login"].as_str()?.to_owned();
            let before = it["before"].as_str()?.to_owned();
            Some(Moved { who, sender: it["actor"].clone(), before })
        }))
    }
}

fn at(delivery: &Json) -> Option<Timestamp> {
    moment_of(&delivery["delivered_at"])
}

/// The deliveries to be made again: of each webhook the newest, where that failed and none came in. Oldest first.
fn missed(all: &[Json], now: Timestamp) -> Vec<u64> {
    let mut of: BTreeMap<&str, Vec<&Json>> = BTreeMap::new();
    for it in all {
        let Some(guid) = it["guid"].as_str() else { continue };
        of.entry(guid).or_default().push(it);
    }
    // Nobody answered, or what stands before us did: whoever took it, or would not, says so below 500.
    let has_failed = |it: &&Json| it["status_code"].as_u64().is_none_or(|it| it == 0 || it >= 500);
    let newest = of.values().filter_map(|tries| {
        let newest = tries.iter().max_by_key(|it| (at(it), it["id"].as_u64()))?;
        let is_settled = at(newest)?.0 + SETTLED_MS <= now.0;
        let is_missed = tries.iter().all(has_failed) && tries.len() < TIMES_MAX;
        (is_missed && is_settled).then_some((at(newest)?, newest["id"].as_u64()?))
    });
    let mut newest: Vec<_> = newest.collect();
    newest.sort_unstable();
    newest.into_iter().map(|(_, id)| id).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_nobody_took_is_asked_for_again_and_not_for_ever() {
        // id, webhook, minutes after noon, what was answered
        let check = |all: &[(u64, &str, u64, Option<u64>)], expect: &[u64]| {
            let all = all.iter().map(|(id, guid, minute, status)| {
                let at = format!("2026-11-21T12:{minute:02}:00Z");
                json!({ "id": id, "guid": guid, "delivered_at": at, "status_code": status })
            });
            let now = Timestamp(1_795_262_400_000 + 30 * 60_000);
            assert_eq!(missed(&all.collect::<Vec<_>>(), now), expect);
        };
        check(&[(1, "a", 1, Some(202)), (2, "b", 2, Some(200))], &[]);
        check(&[(2, "b", 2, Some(502)), (1, "a", 1, Some(0)), (3, "c", 3, None)], &[1, 2, 3]);
        // It came in the second time; or was refused.
        check(&[(1, "a", 1, Some(0)), (2, "a", 2, Some(202))], &[]);
        check(&[(1, "a", 1, Some(401)), (2, "b", 2, Some(0)), (3, "b", 3, Some(422))], &[]);
        // Once for each webhook, and not while it may be under way.
        check(&[(1, "a", 1, Some(0)), (2, "a", 2, Some(0))], &[2]);
        check(&[(1, "a", 30, Some(0))], &[]);
        let often: Vec<_> = (1..=5).map(|id| (id, "a", id, Some(0))).collect();
        check(&often, &[]);
        check(&often[..4], &[4]);
    }
}
