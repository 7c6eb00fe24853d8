//! Shapes: what the API and the webhooks say of things.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use crate::github::{GitHub, Pull};

/// `2026-11-21T12:00:00Z`
pub(crate) fn time(seconds: u64) -> String {
    instant(seconds).to_string()
}

/// `Sat, 21 Nov 2026 12:00:00 GMT`, as a header has it.
pub(crate) fn date(seconds: u64) -> String {
    instant(seconds).strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

fn instant(seconds: u64) -> jiff::Timestamp {
    let seconds = seconds.try_into().ok();
    seconds.and_then(|it| jiff::Timestamp::from_second(it).ok()).expect("a clock of this age")
}

/// A delivery of a webhook, as the app sees it.
pub(crate) fn delivery(
    (id, guid): (u64, &str),
    (event, payload): (&str, &Json),
    status: Option<u16>,
    is_again: bool,
    at: &str,
) -> Json {
    json!({
        "id": id, "guid": guid, "delivered_at": at, "redelivery": is_again, "duration": 0.1,
        "status": if status.is_some() { "OK" } else { "failed to connect to host" },
        "status_code": status.unwrap_or(502), "event": event,
        "action": payload.get("action").cloned().unwrap_or(Json::Null), "installation_id": 7,
        "repository_id": payload["repository"]["id"], "throttled_at": null,
    })
}

/// That somebody moved a branch or a tag.
pub(crate) fn activity(
    id: u64,
    git_ref: &str,
    (before, after): (&str, &str),
    who: &str,
    at: &str,
) -> Json {
    let is_nothing = |id: &str| id.bytes().all(|it| it == b'0');
    let kind = match (is_nothing(before), is_nothing(after)) {
        (true, _) => "branch_creation",
        (_, true) => "branch_deletion",
        _ => "push",
    };
    json!({
        "id": id, "node_id": format!("PSH_{id}"), "before": before, "after": after,
        "ref": git_ref, "timestamp": at, "activity_type": kind, "actor": user(who),
    })
}

/// A person; a bot by its name.
pub(crate) fn user(login: &str) -> Json {
    // The name of a bot has letters that no address has.
    let url = format!("https://github.test/users/{}", login.replace(['[', ']'], "-"));
    let mut user = json!({
        "login": login, "id": 1, "node_id": "U_1", "gravatar_id": "",
        "type": if login.ends_with("[bot]") { "Bot" } else { "User" },
        "site_admin": false, "avatar_url": url, "html_url": url, "url": url,
    });
    for key in [
        "followers",
        "following",
        "gists",
        "starred",
        "subscriptions",
        "organizations",
        "repos",
        "events",
        "received_events",
    ] {
        user[format!("{key}_url")] = format!("{url}/{key}").into();
    }
    user
}

/// A repository.
pub(crate) fn repository(github: &GitHub, full_name: &str) -> Json {
    let known = &github.repositories[full_name];
    let (owner, name) = full_name.split_once('/').unwrap_or(("", full_name));
    let url = format!("{}/repos/{full_name}", github.url);
    let at = time(github.now);
    let mut repository = json!({
        "id": known.id, "node_id": format!("R_{}", known.id), "name": name,
        "full_name": full_name, "private": true, "owner": user(owner), "fork": false,
        "html_url": format!("{}/{full_name}", github.url), "url": url,
        "clone_url": format!("{}/{full_name}.git", github.url),
        "default_branch": known.default_branch, "description": null,
        "created_at": at, "updated_at": at, "pushed_at": at, "visibility": "private",
        "homepage": null, "language": null, "license": null, "mirror_url": null, "topics": [],
        "size": 1, "stargazers_count": 0, "watchers_count": 0, "watchers": 0, "forks_count": 0,
        "forks": 0, "open_issues_count": 0, "open_issues": 0, "has_issues": true,
        "has_projects": false, "has_downloads": false, "has_wiki": false, "has_pages": false,
        "archived": false, "disabled": false, "allow_forking": true, "is_template": false,
        "web_commit_signoff_required": false, "has_discussions": false,
        "custom_properties": {},
        "git_url": format!("git://github.test/{full_name}.git"),
        "ssh_url": format!("git@github.test:{full_name}.git"),
        "svn_url": format!("{}/{full_name}", github.url),
    });
    for kind in REPOSITORY_URLS {
        repository[format!("{kind}_url")] = format!("{url}/{kind}").into();
    }
    repository
}

/// Addresses under that of a repository.
const REPOSITORY_URLS: &[&str] = &[
    "archive",
    "assignees",
    "blobs",
    "branches",
    "collaborators",
    "comments",
    "commits",
    "compare",
    "contents",
    "contributors",
    "deployments",
    "downloads",
    "events",
    "forks",
    "git_commits",
    "git_refs",
    "git_tags",
    "hooks",
    "issue_comment",
    "issue_events",
    "issues",
    "keys",
    "labels",
    "languages",
    "merges",
    "milestones",
    "notifications",
    "pulls",
    "releases",
    "stargazers",
    "statuses",
    "subscribers",
    "subscription",
    "tags",
    "teams",
    "trees",
];

/// The app.
pub(crate) fn app(at: &str) -> Json {
    json!({
        "id": 1, "slug": "launchway", "node_id": "A_1", "name": "Launchway", "description": null,
        "owner": user("octo"), "client_id": "Iv1", "external_url": "https://ci.example.com",
        "html_url": "https://github.test/apps/launchway", "created_at": at, "updated_at": at,
        "permissions": { "checks": "write", "contents": "read" }, "events": ["push"],
    })
}

/// Where the app is installed.
pub(crate) fn installation(at: &str, permissions: &BTreeMap<String, String>) -> Json {
    let url = "https://github.test/installations/7";
    json!({
        "id": 7, "account": user("octo"), "app_id": 1, "app_slug": "launchway", "target_id": 1,
        "target_type": "Organization", "single_file_name": null, "repository_selection": "all",
        "access_tokens_url": format!("{url}/access_tokens"), "html_url": url,
        "repositories_url": format!("{url}/repositories"), "permissions": permissions,
        "events": ["push"], "created_at": at, "updated_at": at, "suspended_by": null,
        "suspended_at": null,
    })
}

/// A push of a ref.
pub(crate) fn push(
    github: &GitHub,
    name: &str,
    git_ref: &str,
    ids: (&str, &str),
    who: &str,
) -> Json {
    let (before, after) = ids;
    let is_nothing = |id: &str| id.bytes().all(|it| it == b'0');
    let mut repository = repository(github, name);
    // Seconds here, text elsewhere; so GitHub has it.
    repository["pushed_at"] = github.now.into();
    repository["created_at"] = github.now.into();
    json!({
        "ref": git_ref, "before": before, "after": after, "created": is_nothing(before),
        "deleted": is_nothing(after), "forced": false, "base_ref": null,
        "compare": format!("{}/{name}/compare/{before}...{after}", github.url),
        "commits": [], "head_commit": null, "repository": repository,
        "pusher": { "name": who, "email": null }, "sender": user(who),
    })
}

/// What happened to a pull request.
pub(crate) fn pull_request(
    github: &GitHub,
    name: &str,
    pull: &Pull,
    action: &str,
    (head, base): (&str, &str),
) -> Json {
    let at = time(github.now);
    let side = |label: &str, git_ref: &str, sha: &str, of: &str| {
        let repository =
            if github.repositories.contains_key(of) { repository(github, of) } else { Json::Null };
        json!({ "label": label, "ref": git_ref, "sha": sha, "repo": repository, "user": user("octo") })
    };
    let number = pull.number;
    let url = format!("{}/repos/{name}/pulls/{number}", github.url);
    let html = format!("{}/{name}/pull/{number}", github.url);
    let mut links = json!({});
    for link in [
        "self",
        "html",
        "issue",
        "comments",
        "review_comments",
        "review_comment",
        "commits",
        "statuses",
    ] {
        links[link] = json!({ "href": url });
    }
    let pull_request = json!({
            "id": 500 + number, "node_id": "PR_1", "number": number, "state": "open",
            "title": "A change", "body": null, "draft": false, "merged": false, "locked": false,
            "user": user(&pull.author), "author_association": pull.association,
            "created_at": at, "updated_at": at, "merge_commit_sha": null, "labels": [],
            "html_url": html, "diff_url": format!("{html}.diff"),
            "patch_url": format!("{html}.patch"), "url": url, "issue_url": url,
            "commits_url": url, "comments_url": url, "review_comments_url": url,
            "review_comment_url": url, "statuses_url": url, "_links": links,
            "closed_at": null, "merged_at": null, "assignee": null, "assignees": [],
            "requested_reviewers": [], "requested_teams": [], "milestone": null,
            "auto_merge": null, "active_lock_reason": null, "mergeable": null,
            "rebaseable": null, "mergeable_state": "unknown", "merged_by": null, "comments": 0,
            "review_comments": 0, "maintainer_can_modify": false, "commits": 1, "additions": 1,
            "deletions": 0, "changed_files": 1,
            "head": side(&pull.head_ref, &pull.head_ref, head, &pull.head_repository),
            "base": side(&pull.base_ref, &pull.base_ref, base, name),
    });
    let mut payload = json!({
        "action": action, "number": number, "pull_request": pull_request,
        "repository": repository(github, name), "sender": user(&pull.author),
    });
    if action == "synchronize" {
        payload["before"] = "0".repeat(40).into();
        payload["after"] = head.into();
    }
    payload
}

/// A release.
pub(crate) fn release((id, url): (u64, &str), body: &Json, who: &str, at: &str) -> Json {
    let own = format!("{url}/releases/{id}");
    let of = |key: &str, usual: Json| body.get(key).cloned().unwrap_or(usual);
    json!({
        "id": id, "node_id": format!("RE_{id}"), "url": own, "html_url": own,
        "assets_url": format!("{own}/assets"), "upload_url": format!("{own}/assets{{?name,label}}"),
        "tarball_url": null, "zipball_url": null, "tag_name": body["tag_name"],
        "target_commitish": of("target_commitish", "main".into()), "name": of("name", Json::Null),
        "body": of("body", Json::Null), "draft": of("draft", false.into()),
        "prerelease": of("prerelease", false.into()), "immutable": false, "created_at": at,
        "updated_at": at, "published_at": if body["draft"] == true { None } else { Some(at) },
        "author": user(who), "assets": [],
    })
}

/// A ref, as it is asked for by its name.
pub(crate) fn git_ref(url: &str, repository: &str, (name, sha): (&str, &str)) -> Json {
    let of = format!("{url}/repos/{repository}/git");
    let object = json!({ "type": "commit", "sha": sha, "url": format!("{of}/commits/{sha}") });
    json!({ "ref": name, "node_id": "REF_1", "url": format!("{of}/{name}"), "object": object })
}

/// A check that was just made; what was said of it comes after.
pub(crate) fn check(id: u64, body: &Json, url: &str, name: &str) -> Json {
    let own = format!("{url}/repos/{name}/check-runs/{id}");
    json!({
        "id": id, "node_id": format!("CR_{id}"), "name": body["name"], "head_sha": body["head_sha"],
        "external_id": null, "url": own, "html_url": own, "details_url": null,
        "status": "queued", "conclusion": null, "started_at": null, "completed_at": null,
        "output": {
            "title": null, "summary": null, "text": null, "annotations_count": 0,
            "annotations_url": format!("{own}/annotations"),
        },
        "check_suite": null, "app": null, "pull_requests": [],
    })
}

/// A status of a commit.
pub(crate) fn status(id: u64, sha: &str, body: &Json, at: &str) -> Json {
    let of = |key: &str| body.get(key).cloned().unwrap_or(Json::Null);
    json!({
        "id": id, "node_id": format!("SC_{id}"), "sha": sha, "state": of("state"),
        "context": body.get("context").cloned().unwrap_or_else(|| "default".into()),
        "description": of("description"), "target_url": of("target_url"), "avatar_url": null,
        "url": format!("https://github.test/statuses/{sha}"), "creator": null,
        "created_at": at, "updated_at": at,
    })
}

/// A comment of somebody; an app's is a bot's.
pub(crate) fn comment(id: u64, issue: u64, (login, body): (&str, &Json), at: &str) -> Json {
    let url = format!("https://github.test/issues/comments/{id}");
    let author = user(login);
    json!({
        "id": id, "node_id": format!("IC_{id}"), "issue": issue, "body": body,
        "url": url, "html_url": url, "issue_url": format!("https://github.test/issues/{issue}"),
        "user": author, "author_association": "NONE", "created_at": at,
        "updated_at": at,
    })
}

/// A deployment.
pub(crate) fn deployment(id: u64, body: &Json, at: &str) -> Json {
    let url = format!("https://github.test/deployments/{id}");
    json!({
        "id": id, "node_id": format!("D_{id}"), "sha": body["ref"], "ref": body["ref"],
        "task": body.get("task").cloned().unwrap_or_else(|| "deploy".into()),
        "payload": body.get("payload").cloned().unwrap_or_else(|| json!({})),
        "environment": body["environment"], "description": null, "creator": null,
        "created_at": at, "updated_at": at, "url": url, "statuses_url": format!("{url}/statuses"),
        "repository_url": "https://github.test/repos",
    })
}

/// A status of a deployment.
pub(crate) fn deployment_status(id: u64, deployment: u64, body: &Json, at: &str) -> Json {
    let of = |key: &str| body.get(key).cloned().unwrap_or_else(|| "".into());
    let url = format!("https://github.test/deployments/{deployment}");
    json!({
        "id": id, "node_id": format!("DS_{id}"), "deployment": deployment, "state": body["state"],
        "description": of("description"), "environment": of("environment"),
        "log_url": of("log_url"), "target_url": of("log_url"),
        "environment_url": of("environment_url"), "creator": null, "created_at": at,
        "updated_at": at, "url": format!("{url}/statuses/{id}"), "deployment_url": url,
        "repository_url": "https://github.test/repos",
    })
}

/// An environment that was just made.
pub(crate) fn environment((id, url): (u64, &str), name: &str, at: &str) -> Json {
    json!({
        "id": id, "node_id": format!("EN_{id}"), "name": name,
        "url": format!("{url}/environments/{name}"),
        "html_url": format!("{url}/deployments/activity_log?environments_filter={name}"),
        "created_at": at, "updated_at": at, "protection_rules": [],
        "deployment_branch_policy": Json::Null,
    })
}

#[cfg(test)]
mod tests {
    use super::time;

    #[test]
    fn days_are_counted_as_people_do() {
        for (seconds, expect) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_795_262_400, "2026-11-21T12:00:00Z"),
        ] {
            assert_eq!(time(seconds), expect);
        }
    }
}
