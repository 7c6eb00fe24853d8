//! Who may take a role: tokens of one issuer, about one repository and one environment.

use serde_json::{Value as Json, json};

use crate::policy::{Condition, conditions};

/// A role's trust in tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trust {
    /// The account of the role.
    pub account: String,
    /// `https://token.actions.githubusercontent.com`
    pub issuer: String,
    /// Whom tokens are for.
    pub audience: String,
    /// Whom they may be about: every form in which the same is said.
    pub subjects: Vec<String>,
}

/// An issuer as IAM names it: without its scheme.
pub(crate) fn host(issuer: &str) -> &str {
    issuer.split_once("://").map_or(issuer, |(_, host)| host).trim_end_matches('/')
}

/// The provider of an issuer, as an account knows it.
pub(crate) fn provider(account: &str, issuer: &str) -> String {
    format!("arn:aws:iam::{account}:oidc-provider/{}", host(issuer))
}

impl Trust {
    /// The provider that IAM must know in the role's account.
    pub fn provider(&self) -> String {
        provider(&self.account, &self.issuer)
    }

    /// As AWS has it. A subject with a number that is not known has `*` in its place.
    pub fn json(&self) -> Json {
        let host = host(&self.issuer);
        let (exact, like): (Vec<_>, Vec<_>) =
            self.subjects.iter().cloned().partition(|it| !it.contains('*'));
        let audience = Condition::one("StringEquals", &format!("{host}:aud"), &self.audience);
        let statement = |name: &str, operator: &str, subjects: Vec<String>| {
            let key = format!("{host}:sub");
            let subject = Condition { operator: operator.to_owned(), key, values: subjects };
            json!({
                "Sid": name, "Effect": "Allow",
                "Principal": {"Federated": self.provider()},
                "Action": "sts:AssumeRoleWithWebIdentity",
                "Condition": conditions(&[audience.clone(), subject]),
            })
        };
        let mut statements = Vec::new();
        if !exact.is_empty() {
            statements.push(statement("Subject", "StringEquals", exact));
        }
        if !like.is_empty() {
            statements.push(statement("SubjectWithNumbers", "StringLike", like));
        }
        json!({"Version": "2012-10-17", "Statement": statements})
    }
}
