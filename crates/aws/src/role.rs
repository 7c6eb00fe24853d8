//! Taking a role: every member that STS has for it.

use mask::Secret;

use crate::client::{Client, unreadable};
use crate::credentials::Credentials;
use crate::fault::Fault;
use crate::service::Service;
use crate::sign_in::read;
use crate::xml::element;

/// A role that is asked for, with everything that may go with it.
#[derive(Clone, Debug, Default)]
pub struct RoleRequest {
    /// Its ARN.
    pub role: String,
    /// The session's name.
    pub session: String,
    /// How long it is good for.
    pub seconds: u64,
    /// A word that the role's trust asks for.
    pub external_id: Option<String>,
    /// A policy that narrows it, as JSON.
    pub policy: Option<String>,
    /// Policies that narrow it, by their ARNs.
    pub policies: Vec<String>,
    /// Tags of the session.
    pub tags: Vec<(String, String)>,
    /// Keys of tags that go on to the next role.
    pub transitive: Vec<String>,
    /// The token of an identity provider; then nothing else proves who asks, and no tags are sent.
    pub token: Option<Secret>,
}

/// A role that was given.
#[derive(Clone, Debug)]
pub struct TakenRole {
    /// What calls are signed with.
    pub credentials: Credentials,
    /// `AROA...:session`
    pub id: String,
}

impl Client {
    /// Takes a role; without a token as whoever the client is signed in as.
    ///
    /// # Errors
    /// When AWS does not give it, or the client cannot sign in.
    pub fn take_role(&mut self, request: &RoleRequest) -> Result<TakenRole, Fault> {
        let operation = match request.token {
            Some(_) => "AssumeRoleWithWebIdentity",
            None => "AssumeRole",
        };
        let action = format!("sts:{operation}");
        let with = match request.token {
            Some(_) => None,
            None => Some(self.credentials(&action)?),
        };
        let members = members(request);
        let members: Vec<(&str, &str)> =
            members.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        let reply = self.query(Service::Sts, operation, &members, with)?;
        let credentials = read(&action, &reply)?;
        let id =
            element(&reply.body, "AssumedRoleId").ok_or_else(|| unreadable(&action, &reply))?;
        Ok(TakenRole { credentials, id: id.to_owned() })
    }
}

fn members(request: &RoleRequest) -> Vec<(String, String)> {
    let mut members = vec![
        ("RoleArn".to_owned(), request.role.clone()),
        ("RoleSessionName".to_owned(), request.session.clone()),
        ("DurationSeconds".to_owned(), request.seconds.to_string()),
    ];
    let mut add = |key: String, value: &str| members.push((key, value.to_owned()));
    if let Some(id) = &request.external_id
        && request.token.is_none()
    {
        add("ExternalId".to_owned(), id);
    }
    if let Some(policy) = &request.policy {
        add("Policy".to_owned(), policy);
    }
    for (number, arn) in (1..).zip(&request.policies) {
        add(format!("PolicyArns.member.{number}.arn"), arn);
    }
    match &request.token {
        Some(token) => add("WebIdentityToken".to_owned(), token.expose()),
        None => {
            for (number, (key, value)) in (1..).zip(&request.tags) {
                add(format!("Tags.member.{number}.Key"), key);
                add(format!("Tags.member.{number}.Value"), value);
            }
            for (number, key) in (1..).zip(&request.transitive) {
                add(format!("TransitiveTagKeys.member.{number}"), key);
            }
        }
    }
    members
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(token: Option<&str>) -> String {
        let request = RoleRequest {
            role: "arn".to_owned(),
            session: "GitHubActions".to_owned(),
            seconds: 3600,
            external_id: Some("id".to_owned()),
            policy: Some("{}".to_owned()),
            policies: vec!["one".to_owned(), "two".to_owned()],
            tags: vec![("GitHub".to_owned(), "Actions".to_owned())],
            transitive: vec!["GitHub".to_owned()],
            token: token.map(Secret::new),
        };
        let members = members(&request).into_iter().map(|(key, value)| format!("{key}={value}"));
        members.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_role_is_asked_for_with_all_that_goes_with_it() {
        let common = "RoleArn=arn RoleSessionName=GitHubActions DurationSeconds=3600";
        let policies = "Policy={} PolicyArns.member.1.arn=one PolicyArns.member.2.arn=two";
        let tags = "Tags.member.1.Key=GitHub Tags.member.1.Value=Actions TransitiveTagKeys.member.1=GitHub";
        assert_eq!(sent(None), format!("{common} ExternalId=id {policies} {tags}"));
        assert_eq!(sent(Some("t")), format!("{common} {policies} WebIdentityToken=t"));
    }
}
