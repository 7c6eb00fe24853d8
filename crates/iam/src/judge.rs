//! Whether a role is given for a token, and if not, why not.

use serde_json::Value as Json;

use crate::document::{Written, conditions, does, fits, statements, texts};
use crate::trust::{host, provider};

/// What a role's trust sees of a token. Other claims it cannot ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Who issued it.
    pub issuer: String,
    /// Whom it is about.
    pub subject: String,
    /// Whom it is for.
    pub audience: String,
}

/// A judgement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// The role is given.
    pub given: bool,
    /// Why not, a sentence each; of the statement that fits best.
    pub reasons: Vec<String>,
}

const ACTION: &str = "sts:AssumeRoleWithWebIdentity";

/// Judges a token by the trust of a role of this account.
pub fn judge(trust: &Json, account: &str, token: &Token) -> Judgement {
    let mut given = false;
    let mut nearest: Option<Vec<String>> = None;
    for statement in statements(trust) {
        let reasons = against(statement, account, token);
        match statement["Effect"].as_str() {
            Some("Deny") if reasons.is_empty() => {
                let reasons = vec![format!("the policy denies `{}`", token.subject)];
                return Judgement { given: false, reasons };
            }
            Some("Allow") if reasons.is_empty() => given = true,
            Some("Allow") if nearest.as_ref().is_none_or(|it| reasons.len() < it.len()) => {
                nearest = Some(reasons);
            }
            _ => {}
        }
    }
    let none = || vec!["the policy allows nothing".to_owned()];
    let reasons = if given { Vec::new() } else { nearest.unwrap_or_else(none) };
    Judgement { given, reasons }
}

/// What of a statement does not fit.
fn against(statement: &Json, account: &str, token: &Token) -> Vec<String> {
    let mut reasons = Vec::new();
    if !does(statement, ACTION) {
        reasons.push(format!("the policy is not about {ACTION}"));
    }
    let wanted = provider(account, &token.issuer);
    let principal = &statement["Principal"];
    let named = texts(&principal["Federated"]);
    if principal != "*" && !named.contains(&wanted.as_str()) {
        let named = if named.is_empty() { "no provider".to_owned() } else { named.join(", ") };
        reasons.push(format!("the token is of {}, the policy trusts {named}", token.issuer));
    }
    for condition in conditions(statement) {
        if !holds(&condition, token) {
            reasons.push(reason(&condition, token));
        }
    }
    reasons
}

/// What a token says under a condition's key. Keys are alike in any letters.
fn said<'a>(key: &str, token: &'a Token) -> Option<&'a str> {
    let (issuer, claim) = key.rsplit_once(':')?;
    if !issuer.eq_ignore_ascii_case(host(&token.issuer)) {
        return None;
    }
    match claim.to_ascii_lowercase().as_str() {
        "sub" => Some(&token.subject),
        "aud" => Some(&token.audience),
        _ => None,
    }
}

fn holds(condition: &Written<'_>, token: &Token) -> bool {
    let said = said(condition.key, token);
    if condition.operator == "Null" {
        let wants_none = condition.values.contains(&"true");
        return said.is_none() == wants_none;
    }
    let is_not = condition.operator.contains("Not");
    let Some(said) = said else {
        return condition.if_exists || condition.for_all || is_not;
    };
    let any = |fits: &dyn Fn(&str) -> bool| condition.values.iter().any(|it| fits(it));
    match condition.operator {
        "StringEquals" => any(&|it| it == said),
        "StringNotEquals" => !any(&|it| it == said),
        "StringEqualsIgnoreCase" => any(&|it| it.eq_ignore_ascii_case(said)),
        "StringNotEqualsIgnoreCase" => !any(&|it| it.eq_ignore_ascii_case(said)),
        "StringLike" => any(&|it| fits(it, said)),
        "StringNotLike" => !any(&|it| fits(it, said)),
        // Nothing else compares texts.
        _ => false,
    }
}

fn reason(condition: &Written<'_>, token: &Token) -> String {
    let Written { operator, key, values, .. } = condition;
    let wanted: Vec<String> = values.iter().map(|it| format!("`{it}`")).collect();
    let wanted = wanted.join(" or ");
    let claim = key.rsplit_once(':').map_or(*key, |(_, claim)| claim);
    let Some(said) = said(key, token) else {
        return format!("the policy asks for {key}, of which the token says nothing");
    };
    let not = if operator.contains("Not") { "anything but " } else { "" };
    let mut words = format!("{claim} was `{said}`, the policy wants {not}{wanted} ({operator})");
    if values.iter().any(|it| it.contains(":ref:")) && said.contains(":environment:") {
        words += ": a job that names an environment never has a branch in its sub";
    } else if operator == &"StringEquals" && values.iter().any(|it| it.contains('*')) {
        words += ": StringEquals knows no wildcards, StringLike does";
    } else if values.iter().any(|it| it.eq_ignore_ascii_case(said)) {
        words += ": letters count, capital or small";
    } else if values.iter().any(|it| numbers_apart(it, said)) {
        words += ": GitHub puts numbers behind owner and repository since 2026-07-15";
    }
    words
}

/// The same but for the numbers behind owner and repository.
fn numbers_apart(one: &str, other: &str) -> bool {
    let plain = |it: &str| {
        let parts = it.split_inclusive(['/', ':']);
        let plain = parts.map(|part| match part.split_once('@') {
            Some((name, rest)) => {
                let number = rest.trim_end_matches(['/', ':']);
                let is_number = number.bytes().all(|it| it.is_ascii_digit());
                if is_number { format!("{name}{}", &rest[number.len()..]) } else { part.to_owned() }
            }
            None => part.to_owned(),
        });
        plain.collect::<String>()
    };
    one != other && plain(one) == plain(other)
}
