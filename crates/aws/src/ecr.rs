//! Signing in to registries of images.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mask::Secret;
use serde_json::{Value as Json, json};

use crate::client::Client;
use crate::fault::{Fault, FaultKind};
use crate::service::Service;

/// What a registry takes, for twelve hours.
#[derive(Clone, Debug)]
pub struct RegistryLogin {
    /// `https://111122223333.dkr.ecr.eu-central-1.amazonaws.com`
    pub registry: String,
    /// Who signs in.
    pub username: String,
    /// With what.
    pub password: Secret,
}

/// Where public images are; the answer does not say.
const PUBLIC_REGISTRY: &str = "public.ecr.aws";

impl Client {
    /// Sign-ins to the registries of accounts, or of the caller's own.
    ///
    /// # Errors
    /// When AWS does not give one.
    pub fn registry_logins(&mut self, accounts: &[String]) -> Result<Vec<RegistryLogin>, Fault> {
        let body = if accounts.is_empty() { json!({}) } else { json!({ "registryIds": accounts }) };
        let answer = self.call(Service::Ecr, "GetAuthorizationToken", &body)?;
        let each = answer["authorizationData"].as_array().into_iter().flatten();
        let logins: Option<Vec<_>> =
            each.map(|data| login(data, data["proxyEndpoint"].as_str()?)).collect();
        logins.filter(|it| !it.is_empty()).ok_or_else(|| no_token(Service::Ecr))
    }

    /// A sign-in to the registry of public images, which only `us-east-1` gives.
    ///
    /// # Errors
    /// When AWS does not give one.
    pub fn public_registry_login(&mut self) -> Result<RegistryLogin, Fault> {
        let answer = self.call(Service::EcrPublic, "GetAuthorizationToken", &json!({}))?;
        login(&answer["authorizationData"], PUBLIC_REGISTRY)
            .ok_or_else(|| no_token(Service::EcrPublic))
    }
}

/// A token is `AWS:password` in base64.
fn login(data: &Json, registry: &str) -> Option<RegistryLogin> {
    let token = STANDARD.decode(data["authorizationToken"].as_str()?).ok()?;
    let token = String::from_utf8(token).ok()?;
    let (username, password) = token.split_once(':')?;
    Some(RegistryLogin {
        registry: registry.to_owned(),
        username: username.to_owned(),
        password: Secret::new(password),
    })
}

fn no_token(service: Service) -> Fault {
    Fault {
        kind: FaultKind::Unreadable,
        action: format!("{}:GetAuthorizationToken", service.as_str()),
        code: None,
        message: "the answer has no authorization token".to_owned(),
        request_id: None,
        resources: Box::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_holds_a_name_and_a_password() {
        let data = json!({"authorizationToken": STANDARD.encode("AWS:a:b")});
        let login = login(&data, "r").expect("a token");
        assert_eq!((&*login.username, login.password.expose()), ("AWS", "a:b"));
        assert!(super::login(&json!({"authorizationToken": "?"}), "r").is_none());
    }
}
