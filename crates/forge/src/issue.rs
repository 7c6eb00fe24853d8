//! Issues, as far as they are incidents: an issue with a label is one while it is open and has it.

use event::{Severity, ShippedBy, Timestamp};
use serde_json::Value as Json;
use views::moment_of;

use crate::said::text;

/// Labels that are looked at; GitHub lets an issue have a hundred.
const LABELS_MAX: usize = 200;
/// Characters of a title that are taken; GitHub takes 256.
const TITLE_CHARS_MAX: usize = 256;
/// Bytes of a body that are looked through for what it names.
const BODY_BYTES_MAX: usize = 64 << 10;

/// What is done to an issue that may make an incident of it, or end one.
const ACTIONS: [&str; 7] =
    ["opened", "labeled", "unlabeled", "reopened", "closed", "deleted", "transferred"];

/// What a webhook says about an issue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issue {
    /// What was done to it: `labeled`, `closed`.
    pub action: String,
    /// Its number.
    pub number: u64,
    /// Its title.
    pub title: String,
    /// Where it is looked at; none where that is no address of the web.
    pub url: Option<String>,
    /// The labels that it has now.
    pub labels: Vec<String>,
    /// The label that it was given, or that was taken away.
    pub label: Option<String>,
    /// Whether it is open now.
    pub is_open: bool,
    /// What its text names as what brought it, in a line of its own: `Deployment: 41`, or `Run: 12.1` of jobs.
    pub shipped: Option<ShippedBy>,
    /// What GitHub calls here whoever wrote that text: `MEMBER`, `NONE`.
    pub association: String,
    /// Who did it.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

/// What an issue says about an incident.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssueIncident {
    /// What it is known by: `github:octo/app#12`.
    pub key: String,
    /// What happened.
    pub told: IssueTold,
    /// How bad it is, where a label says so: `critical`, or `severity: critical`.
    pub severity: Severity,
}

/// What happened to an incident that is an issue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IssueTold {
    /// It is one, from now on or still.
    Is,
    /// It is over: somebody closed it.
    Closed,
    /// It is not there any more: somebody deleted it, or moved it to another repository.
    Gone,
    /// It is none any more: the label was taken away.
    Unlabeled,
}

impl Issue {
    /// What it says about an incident, where issues with this label are some; none where nothing.
    pub fn incident(&self, repository: &str, label: &str) -> Option<IssueIncident> {
        // GitHub has no two labels that differ in capitals alone.
        let is_it = |it: &str| it.to_lowercase() == label.to_lowercase();
        let has = self.labels.iter().any(|it| is_it(it));
        // Another label on an issue that has this one says nothing new: somebody may have ended it.
        let is_about_it = self.label.as_deref().is_some_and(is_it);
        let told = match self.action.as_str() {
            "opened" | "reopened" if has && self.is_open => IssueTold::Is,
            "labeled" if is_about_it && has && self.is_open => IssueTold::Is,
            "closed" if has => IssueTold::Closed,
            "deleted" | "transferred" if has => IssueTold::Gone,
            "unlabeled" if is_about_it => IssueTold::Unlabeled,
            _ => return None,
        };
        Some(IssueIncident { key: self.key(repository), told, severity: self.severity() })
    }

    /// What an incident that it is would be known by: `github:octo/app#12`.
    pub fn key(&self, repository: &str) -> String {
        format!("github:{}#{}", repository.to_lowercase(), self.number)
    }

    /// Whether whoever wrote it belongs there: strangers open issues too, and write what they like.
    pub fn is_of_the_house(&self) -> bool {
        matches!(&*self.association, "OWNER" | "MEMBER" | "COLLABORATOR")
    }

    fn severity(&self) -> Severity {
        let of = |label: &String| {
            let label = label.to_lowercase();
            let word = label.strip_prefix("severity").unwrap_or(&label);
            Severity::parse(word.trim_start_matches([':', '/', '-', ' ']))
        };
        self.labels.iter().filter_map(of).max().unwrap_or(Severity::Major)
    }
}

/// The issue of a payload: the first none where it is nothing that GitHub says, the second where it
/// says nothing that could be about an incident.
pub(crate) fn issue(payload: &Json) -> Option<Option<Issue>> {
    let action = text(payload, "/action")?;
    let issue = payload.get("issue")?;
    let number = issue.get("number")?.as_u64()?;
    if !ACTIONS.contains(&&*action) {
        return Some(None);
    }
    // An issue is told of when it was changed; where it was closed, that moment is its own.
    let when = match action.as_str() {
        "closed" => issue.get("closed_at").and_then(moment_of),
        "opened" => issue.get("created_at").and_then(moment_of),
        _ => None,
    };
    let at = when.or_else(|| issue.get("updated_at").and_then(moment_of))?;
    let labels = issue.get("labels").and_then(Json::as_array).map_or(&[][..], Vec::as_slice);
    let name = |label: &Json| label.get("name")?.as_str().map(str::to_owned);
    let url = text(issue, "/html_url").filter(|it| is_address(it));
    Some(Some(Issue {
        action,
        number,
        title: text(issue, "/title")?.chars().take(TITLE_CHARS_MAX).collect(),
        url,
        labels: labels.iter().take(LABELS_MAX).filter_map(name).collect(),
        label: text(payload, "/label/name"),
        is_open: issue.get("state").and_then(Json::as_str) == Some("open"),
        shipped: text(issue, "/body").and_then(|body| named(&body)),
        association: text(issue, "/author_association").unwrap_or_default(),
        by: text(payload, "/sender/login").unwrap_or_else(|| "github".to_owned()),
        at,
    }))
}

fn is_address(text: &str) -> bool {
    let is_letter = |it: u8| it.is_ascii_alphanumeric() || b"-._~:/#".contains(&it);
    (text.starts_with("https://") || text.starts_with("http://"))
        && text.len() <= 500
        && text.bytes().all(is_letter)
}

/// What a text names in a line of its own: `Deployment: #41`, `Run: 12.1`.
fn named(body: &str) -> Option<ShippedBy> {
    let end = body.floor_char_boundary(BODY_BYTES_MAX);
    body[..end].lines().find_map(|line| {
        let (name, value) = line.trim().split_once(':')?;
        let by: ShippedBy =
            value.trim().trim_start_matches('#').trim_start_matches('0').parse().ok()?;
        let word = if by.deployment().is_some() { "deployment" } else { "run" };
        name.trim().eq_ignore_ascii_case(word).then_some(by)
    })
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use serde_json::json;

    use super::*;

    fn payload(action: &str, labels: &[&str], state: &str) -> Json {
        let labels: Vec<Json> = labels.iter().map(|name| json!({ "name": name })).collect();
        json!({
            "action": action, "sender": { "login": "mona" }, "label": { "name": "Incident" },
            "issue": {
                "number": 12, "title": "checkout answers 500", "state": state, "labels": labels,
                "html_url": "https://github.com/octo/app/issues/12",
                "body": "It is broken.\r\n\r\n deployment: #41\r\n",
                "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:10:00Z",
                "closed_at": "2026-01-01T00:05:00Z",
            },
        })
    }

    fn check(payload: &Json, expected: &Expect) {
        let found = match issue(payload) {
            None => "nothing that GitHub says".to_owned(),
            Some(None) => "about no incident".to_owned(),
            Some(Some(issue)) => match issue.incident("Octo/App", "incident") {
                None => "no incident".to_owned(),
                Some(it) => format!(
                    "{} {:?} {} at {}, by {}, of {:?}",
                    it.key, it.told, it.severity, issue.at, issue.by, issue.shipped
                ),
            },
        };
        expected.assert_eq(&found);
    }

    #[test]
    fn an_issue_is_one_while_it_is_open_and_has_the_label() {
        let both = ["INCIDENT", "severity: critical"];
        check(
            &payload("opened", &both, "open"),
            &expect![
                "github:octo/app#12 Is critical at 1767225600000, by mona, of Some(Deployment(DeploymentId(41)))"
            ],
        );
        check(
            &payload("labeled", &["incident", "minor"], "open"),
            &expect![
                "github:octo/app#12 Is minor at 1767226200000, by mona, of Some(Deployment(DeploymentId(41)))"
            ],
        );
        check(
            &payload("closed", &both, "closed"),
            &expect![
                "github:octo/app#12 Closed critical at 1767225900000, by mona, of Some(Deployment(DeploymentId(41)))"
            ],
        );
        check(
            &payload("reopened", &both, "open"),
            &expect![
                "github:octo/app#12 Is critical at 1767226200000, by mona, of Some(Deployment(DeploymentId(41)))"
            ],
        );
        check(
            &payload("unlabeled", &[], "open"),
            &expect![
                "github:octo/app#12 Unlabeled major at 1767226200000, by mona, of Some(Deployment(DeploymentId(41)))"
            ],
        );
    }

    #[test]
    fn another_label_says_nothing_of_an_incident() {
        for action in ["labeled", "unlabeled"] {
            let mut other = payload(action, &["incident", "minor"], "open");
            other["label"] = json!({ "name": "minor" });
            check(&other, &expect!["no incident"]);
        }
    }

    #[test]
    fn one_that_is_not_there_any_more_is_over() {
        for action in ["deleted", "transferred"] {
            check(
                &payload(action, &["incident"], "open"),
                &expect![
                    "github:octo/app#12 Gone major at 1767226200000, by mona, of Some(Deployment(DeploymentId(41)))"
                ],
            );
        }
    }

    #[test]
    fn others_are_none() {
        check(&payload("labeled", &["incident"], "closed"), &expect!["no incident"]);
        check(&payload("opened", &["bug"], "open"), &expect!["no incident"]);
        check(&payload("closed", &["bug"], "closed"), &expect!["no incident"]);
        check(&payload("assigned", &["incident"], "open"), &expect!["about no incident"]);
        check(&json!({ "action": "opened" }), &expect!["nothing that GitHub says"]);
        check(
            &json!({ "action": "opened", "issue": { "number": -1 } }),
            &expect!["nothing that GitHub says"],
        );
    }

    #[test]
    fn only_who_belongs_there_is_of_the_house() {
        let check = |association: Json, expected: bool| {
            let mut payload = payload("opened", &["incident"], "open");
            payload["issue"]["author_association"] = association;
            let issue = issue(&payload).flatten().expect("an issue");
            assert_eq!(issue.is_of_the_house(), expected, "{payload}");
        };
        for of_the_house in ["OWNER", "MEMBER", "COLLABORATOR"] {
            check(json!(of_the_house), true);
        }
        for other in ["CONTRIBUTOR", "FIRST_TIMER", "MANNEQUIN", "NONE", "member", ""] {
            check(json!(other), false);
        }
        check(Json::Null, false);
    }

    #[test]
    fn what_brought_it_is_named_in_a_line_of_its_own() {
        let named = |text: &str| named(text).map(ShippedBy::named);
        let is = |text: &str| Some(text.to_owned());
        assert_eq!(named("Deployment: #41"), is("deployment 41"));
        assert_eq!(named("Run: 12.1"), is("run 12.1"));
        assert_eq!(named("Deployment: 041"), is("deployment 41"));
        assert_eq!(named("Deployment: 0"), None);
        assert_eq!(named("a deployment: 41"), None);
        assert_eq!(named("run: 12"), None);
        assert_eq!(named("deployment: 12.1"), None);
        assert_eq!(named("deployment: 4x\ndeployment: 42"), is("deployment 42"));
        assert_eq!(named("deployment: 99999999999999999999999"), None);
        assert_eq!(named("ä".repeat(BODY_BYTES_MAX).as_str()), None);
    }
}
