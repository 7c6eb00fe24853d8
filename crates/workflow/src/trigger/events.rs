//! The table of events: which keys each takes and which activity types it has (conformance 19, 20).

/// What is known about one event.
pub(super) struct EventFacts {
    pub(super) name: &'static str,
    /// The keys of its mapping; empty where it takes none.
    pub(super) keys: &'static [&'static str],
    /// The closed set of its activity types; empty where they are free text or there are none.
    pub(super) types: &'static [&'static str],
}

const TYPES: &[&str] = &["types"];
const PULL_REQUEST_KEYS: &[&str] =
    &["types", "branches", "branches-ignore", "paths", "paths-ignore"];
const PULL_REQUEST_TYPES: &[&str] = &[
    "assigned",
    "unassigned",
    "labeled",
    "unlabeled",
    "opened",
    "edited",
    "closed",
    "reopened",
    "synchronize",
    "converted_to_draft",
    "locked",
    "unlocked",
    "enqueued",
    "dequeued",
    "milestoned",
    "demilestoned",
    "ready_for_review",
    "review_requested",
    "review_request_removed",
    "auto_merge_enabled",
    "auto_merge_disabled",
    "stacked",
];
const CREATED_EDITED_DELETED: &[&str] = &["created", "edited", "deleted"];

const fn event(
    name: &'static str,
    keys: &'static [&'static str],
    types: &'static [&'static str],
) -> EventFacts {
    EventFacts { name, keys, types }
}

/// Every event, by name.
pub(super) const EVENTS: &[EventFacts] = &[
    event("branch_protection_rule", TYPES, CREATED_EDITED_DELETED),
    event("check_run", TYPES, &["completed", "created", "rerequested", "requested_action"]),
    event("check_suite", TYPES, &["completed"]),
    event("create", &[], &[]),
    event("delete", &[], &[]),
    event("deployment", &[], &[]),
    event("deployment_status", &[], &[]),
    event(
        "discussion",
        TYPES,
        &[
            "created",
            "edited",
            "deleted",
            "transferred",
            "pinned",
            "unpinned",
            "labeled",
            "unlabeled",
            "locked",
            "unlocked",
            "category_changed",
            "answered",
            "unanswered",
        ],
    ),
    event("discussion_comment", TYPES, CREATED_EDITED_DELETED),
    event("fork", &[], &[]),
    event("gollum", &[], &[]),
    event("image_version", &["types", "names", "versions"], &["created", "ready", "deleted"]),
    event("issue_comment", TYPES, CREATED_EDITED_DELETED),
    event(
        "issues",
        TYPES,
        &[
            "opened",
            "edited",
            "deleted",
            "transferred",
            "pinned",
            "unpinned",
            "closed",
            "reopened",
            "assigned",
            "unassigned",
            "labeled",
            "unlabeled",
            "locked",
            "unlocked",
            "milestoned",
            "demilestoned",
            "field_added",
            "field_removed",
            "typed",
            "untyped",
        ],
    ),
    event("label", TYPES, CREATED_EDITED_DELETED),
    event("merge_group", &["types", "branches", "branches-ignore"], &["checks_requested"]),
    event("milestone", TYPES, &["created", "closed", "opened", "edited", "deleted"]),
    event("page_build", &[], &[]),
    event("project", TYPES, &["created", "closed", "reopened", "edited", "deleted"]),
    event("project_card", TYPES, &["created", "moved", "converted", "edited", "deleted"]),
    event("project_column", TYPES, &["created", "updated", "moved", "deleted"]),
    event("public", &[], &[]),
    event("pull_request", PULL_REQUEST_KEYS, PULL_REQUEST_TYPES),
    event("pull_request_comment", TYPES, CREATED_EDITED_DELETED),
    event("pull_request_review", TYPES, &["submitted", "edited", "dismissed"]),
    event("pull_request_review_comment", TYPES, CREATED_EDITED_DELETED),
    event("pull_request_target", PULL_REQUEST_KEYS, PULL_REQUEST_TYPES),
    event(
        "push",
        &["branches", "branches-ignore", "tags", "tags-ignore", "paths", "paths-ignore"],
        &[],
    ),
    event("registry_package", TYPES, &["published", "updated"]),
    event(
        "release",
        TYPES,
        &["published", "unpublished", "created", "edited", "deleted", "prereleased", "released"],
    ),
    event("repository_dispatch", TYPES, &[]),
    event("schedule", &[], &[]),
    event("status", &[], &[]),
    event("watch", TYPES, &["started"]),
    event("workflow_call", &["inputs", "secrets", "outputs"], &[]),
    event("workflow_dispatch", &["inputs"], &[]),
    event(
        "workflow_run",
        &["types", "workflows", "branches", "branches-ignore"],
        &["requested", "completed", "in_progress"],
    ),
];

/// The types that count where a workflow names none: all, save for these two (conformance 20).
pub(super) fn default_types(event: &str) -> Option<&'static [&'static str]> {
    matches!(event, "pull_request" | "pull_request_target").then_some(&[
        "opened",
        "synchronize",
        "reopened",
    ])
}
