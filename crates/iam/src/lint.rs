//! What is wrong with a policy that is there.

use serde_json::Value as Json;

use crate::document::{Written, conditions, does, fits, statements, texts};
use crate::judge::{Token, judge};
use crate::trust::{Trust, host};

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    /// It works, and is more than is needed.
    Warning,
    /// It does not work, or lets strangers in.
    Error,
}

/// Something that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How much it matters.
    pub weight: Weight,
    /// What.
    pub said: String,
    /// What to do.
    pub remedy: String,
}

fn finding(weight: Weight, said: impl Into<String>, remedy: impl Into<String>) -> Finding {
    Finding { weight, said: said.into(), remedy: remedy.into() }
}

/// What is wrong with a role's trust, for tokens as `wanted` describes them.
pub fn lint_trust(document: &Json, wanted: &Trust) -> Vec<Finding> {
    let mut found = Vec::new();
    let tokens: Vec<Token> = wanted
        .subjects
        .iter()
        .filter(|it| !it.contains('*'))
        .map(|subject| Token {
            issuer: wanted.issuer.clone(),
            subject: subject.clone(),
            audience: wanted.audience.clone(),
        })
        .collect();
    for token in &tokens {
        let judgement = judge(document, &wanted.account, token);
        if !judgement.given {
            let said = format!("the role is not given: {}", judgement.reasons.join("; "));
            found.push(finding(Weight::Error, said, format!("allow the sub `{}`", token.subject)));
        }
    }
    for statement in statements(document) {
        if statement["Effect"] == "Allow" && does(statement, "sts:AssumeRoleWithWebIdentity") {
            too_much(statement, wanted, &mut found);
        }
    }
    found.dedup();
    found
}

/// What lets others in.
fn too_much(statement: &Json, wanted: &Trust, found: &mut Vec<Finding>) {
    let principal = &statement["Principal"];
    if principal == "*" || texts(&principal["Federated"]).contains(&"*") {
        let remedy = format!("name the provider: {}", wanted.provider());
        found.push(finding(
            Weight::Error,
            "every identity provider of the world is trusted",
            remedy,
        ));
    }
    let all = conditions(statement);
    let of = |claim: &str| {
        let key = format!("{}:{claim}", host(&wanted.issuer));
        all.iter().filter(move |it| it.key.eq_ignore_ascii_case(&key)).collect::<Vec<_>>()
    };
    if !of("aud").iter().any(|it| is_positive(it)) {
        let said = "aud is not asked for: a token that was made for somebody else is taken";
        let remedy = format!("StringEquals {}:aud {}", host(&wanted.issuer), wanted.audience);
        found.push(finding(Weight::Warning, said, remedy));
    }
    let subjects = of("sub");
    let asking: Vec<_> = subjects.iter().filter(|it| is_positive(it)).collect();
    if asking.is_empty() {
        let said = "sub is not asked for: every repository of the issuer is trusted";
        let remedy = format!("allow `{}` only", wanted.subjects.join("`, `"));
        found.push(finding(Weight::Error, said, remedy));
    }
    for condition in &all {
        never_asks(condition, found);
    }
    // Conditions are all asked for: the narrowest of them counts.
    let broad: Vec<Option<Finding>> =
        asking.iter().map(|it| it.values.iter().find_map(|value| broad(it, value))).collect();
    if !broad.is_empty()
        && let Some(all) = broad.into_iter().collect::<Option<Vec<Finding>>>()
    {
        found.extend(all.into_iter().next());
    }
}

/// It lets only some in.
fn is_positive(condition: &Written<'_>) -> bool {
    condition.operator.starts_with("String")
        && !condition.operator.contains("Not")
        && !condition.if_exists
        && !condition.for_all
}

fn never_asks(condition: &Written<'_>, found: &mut Vec<Finding>) {
    let Written { key, operator, .. } = condition;
    if condition.for_all {
        let said = format!("ForAllValues is true of a token that says nothing under {key}");
        found.push(finding(Weight::Error, said, format!("plain {operator}")));
    }
    if condition.if_exists {
        let said = format!("IfExists is true of a token that says nothing under {key}");
        found.push(finding(Weight::Error, said, format!("plain {operator}")));
    }
    for value in &condition.values {
        if operator.ends_with("Equals") && value.contains('*') {
            let said = format!("`{value}` under {operator} fits a star only: it has no wildcards");
            found.push(finding(Weight::Error, said, "StringLike, or the whole text"));
        }
    }
}

/// Whom a pattern of a sub lets in besides.
fn broad(condition: &Written<'_>, value: &str) -> Option<Finding> {
    if !condition.operator.ends_with("Like") || !value.contains(['*', '?']) {
        return None;
    }
    let strangers = "repo:stranger/repository:ref:refs/heads/main";
    if fits(value, strangers) {
        let said = format!("`{value}` trusts every repository of the issuer");
        return Some(finding(Weight::Error, said, "name owner and repository"));
    }
    // What has a star in owner or repository trusts those that are called alike.
    let mut parts = value.strip_prefix("repo:").unwrap_or(value).splitn(2, ':');
    let (repository, place) = (parts.next().unwrap_or_default(), parts.next());
    let (owner, name) = repository.split_once('/').unwrap_or((repository, "*"));
    let named = |it: &str| {
        // A number that is not known may be any.
        let it =
            it.split_once("@*").map_or(it, |(name, rest)| if rest.is_empty() { name } else { it });
        !it.contains(['*', '?'])
    };
    if !named(owner) {
        let said = format!("`{value}` trusts other owners, too: anybody may take a name like it");
        return Some(finding(Weight::Error, said, "name the owner"));
    }
    if !named(name) {
        let said = format!("`{value}` trusts every repository of {owner} that is called alike");
        return Some(finding(Weight::Warning, said, "name the repository"));
    }
    match place {
        Some(place) if place.starts_with("environment:") && !place.contains(['*', '?']) => None,
        Some(place) if place.starts_with("ref:refs/heads/") && !place.contains(['*', '?']) => None,
        _ => {
            let said = format!(
                "`{value}` trusts every branch, tag and pull request: whoever may push one may deploy"
            );
            let remedy = "`:environment:NAME`, whose rules say who may deploy";
            Some(finding(Weight::Warning, said, remedy))
        }
    }
}

/// Actions that change something, and should be allowed for one place only.
const CHANGES: &[&str] = &["ecs:UpdateService", "ecs:RunTask", "ecs:StopTask", "iam:PassRole"];

/// What is wrong with what a role may do, where these actions are needed.
pub fn lint_policy(document: &Json, needed: &[&str]) -> Vec<Finding> {
    let mut found = Vec::new();
    let allows: Vec<&Json> =
        statements(document).into_iter().filter(|it| it["Effect"] == "Allow").collect();
    for action in needed {
        if !allows.iter().any(|it| does(it, action)) {
            let said = format!("{action} is not allowed");
            found.push(finding(Weight::Error, said, format!("add it: {}", purpose(action))));
        }
    }
    for statement in statements(document) {
        if statement["Effect"] == "Deny" {
            for action in needed.iter().filter(|it| does(statement, it)) {
                let said = format!("a statement denies {action}, at least for some resources");
                found.push(finding(Weight::Warning, said, "see that it is not about these"));
            }
        }
    }
    for statement in allows {
        for action in texts(&statement["Action"]) {
            if action == "*" || action.ends_with(":*") {
                let said = format!("`{action}` allows more than deployments need");
                found.push(finding(Weight::Warning, said, "name the actions"));
            }
        }
        if statement.get("NotAction").is_some() {
            let said = "NotAction allows whatever AWS invents next";
            found.push(finding(Weight::Warning, said, "name the actions"));
        }
        let everywhere = texts(&statement["Resource"]).contains(&"*");
        let conditions = conditions(statement);
        for action in CHANGES.iter().filter(|it| everywhere && does(statement, it)) {
            let is_narrowed = |it: &Written<'_>| it.key.eq_ignore_ascii_case("ecs:cluster");
            if *action == "iam:PassRole" || !conditions.iter().any(is_narrowed) {
                let said = format!("{action} is allowed for every resource");
                found.push(finding(Weight::Warning, said, "name the resources"));
            }
        }
        let passed = |it: &Written<'_>| it.key.eq_ignore_ascii_case("iam:PassedToService");
        if does(statement, "iam:PassRole") && !conditions.iter().any(passed) {
            let said = "iam:PassRole is allowed towards every service";
            let remedy = "StringEquals iam:PassedToService ecs-tasks.amazonaws.com";
            found.push(finding(Weight::Warning, said, remedy));
        }
    }
    found
}

fn purpose(action: &str) -> &'static str {
    match action {
        "iam:PassRole" => "registering a task definition passes its roles on",
        "ecs:TagResource" => "revisions are found again by their tags",
        "logs:GetLogEvents" => "without it the last lines are not shown",
        "ecs:StopServiceDeployment" => "without it the way back takes longer",
        _ => "deployments call it",
    }
}
