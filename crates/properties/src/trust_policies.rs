//! Trust policies of roles, whoever wrote them, and tokens judged by them.

use iam::{Token, Trust, judge, lint_policy, lint_trust};
use serde_json::{Value as Json, json};

const ISSUER: &str = "https://token.actions.githubusercontent.com";
const ACCOUNT: &str = "111122223333";

/// An input is a policy; behind the first NUL stands a token's `sub`.
pub fn check(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let (policy, subject) = text.split_once('\0').unwrap_or((&text, "repo:octo/app:environment:x"));
    let Ok(policy) = serde_json::from_str::<Json>(policy) else { return };
    let token = |subject: &str| Token {
        issuer: ISSUER.into(),
        subject: subject.into(),
        audience: "sts.amazonaws.com".into(),
    };
    let judged = judge(&policy, ACCOUNT, &token(subject));
    assert_eq!(judged.given, judged.reasons.is_empty(), "a refusal has a reason");
    let wanted = Trust {
        issuer: ISSUER.into(),
        account: ACCOUNT.into(),
        audience: "sts.amazonaws.com".into(),
        subjects: vec![subject.to_owned()],
    };
    for finding in lint_trust(&policy, &wanted) {
        assert!(!finding.said.is_empty() && !finding.remedy.is_empty(), "{finding:?}");
    }
    lint_policy(&policy, &["ecs:UpdateService"]);
    // Whatever else is allowed, what is denied without a condition is denied.
    let mut statements = match &policy["Statement"] {
        Json::Array(all) => all.clone(),
        Json::Null => Vec::new(),
        one => vec![one.clone()],
    };
    statements.push(json!({
        "Effect": "Deny", "Principal": "*", "Action": "sts:AssumeRoleWithWebIdentity",
    }));
    let denied = json!({ "Statement": statements });
    assert!(!judge(&denied, ACCOUNT, &token(subject)).given, "a denial holds");
    // What we write ourselves gives the role to whom it names, and to no other.
    if !subject.contains(['*', '?']) {
        let own = wanted.json();
        assert!(judge(&own, ACCOUNT, &token(subject)).given, "{own}");
        let other = format!("{subject}x");
        assert!(!judge(&own, ACCOUNT, &token(&other)).given, "{own}");
    }
}
