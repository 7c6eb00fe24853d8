//! Registries of images: signing in, the repositories there are, and what a scan found.

use std::collections::BTreeMap;

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

/// A repository of images.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EcrRepository {
    /// `111122223333.dkr.ecr.eu-central-1.amazonaws.com/planner`
    pub uri: String,
    /// The account that it is in.
    pub account: String,
}

/// What is known of an image's scan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EcrScan {
    /// AWS's word: `COMPLETE`, `IN_PROGRESS`, `UNSUPPORTED_IMAGE`.
    pub status: String,
    /// AWS's sentence.
    pub description: String,
    /// How many findings of each severity.
    pub counts: BTreeMap<String, u64>,
    /// The findings of the first page: severity, name, package where it says so.
    pub findings: Vec<EcrFinding>,
}

/// Something that a scan found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EcrFinding {
    /// `CRITICAL`
    pub severity: String,
    /// `CVE-2026-0001`
    pub name: String,
    /// `openssl 3.0.1`, where it says so.
    pub package: Option<String>,
    /// The version without it, where it says so.
    pub fixed_in: Option<String>,
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

    /// A repository by its name; none where there is none.
    ///
    /// # Errors
    /// When AWS does not say.
    pub fn ecr_repository(&mut self, name: &str) -> Result<Option<EcrRepository>, Fault> {
        let body = json!({ "repositoryNames": [name] });
        let answer = match self.call(Service::Ecr, "DescribeRepositories", &body) {
            Err(fault) if fault.is("RepositoryNotFoundException") => return Ok(None),
            other => other?,
        };
        Ok(repository(&answer["repositories"][0]))
    }

    /// Whether there is an image in a repository of an account, by its digest or tag.
    ///
    /// # Errors
    /// When AWS does not say.
    pub fn has_image(
        &mut self,
        (account, repository): (&str, &str),
        image: &str,
    ) -> Result<bool, Fault> {
        let key = if image.contains(':') { "imageDigest" } else { "imageTag" };
        let body = json!({"registryId": account, "repositoryName": repository,
            "imageIds": [{key: image}]});
        let answer = match self.call(Service::Ecr, "BatchGetImage", &body) {
            Err(fault) if fault.is("RepositoryNotFoundException") => return Ok(false),
            other => other?,
        };
        Ok(answer["images"].as_array().is_some_and(|it| !it.is_empty()))
    }

    /// Makes a repository: a tag of it names one image for good, but for those that are meant to
    /// move; what is pushed is scanned.
    ///
    /// # Errors
    /// When AWS does not make it.
    pub fn create_ecr_repository(&mut self, name: &str) -> Result<EcrRepository, Fault> {
        let moving = ["latest", "*-latest"];
        let moving = moving.map(|it| json!({"filterType": "WILDCARD", "filter": it}));
        let body = json!({
            "repositoryName": name,
            "imageTagMutability": "IMMUTABLE_WITH_EXCLUSION",
            "imageTagMutabilityExclusionFilters": moving,
            "imageScanningConfiguration": {"scanOnPush": true},
        });
        let answer = self.call(Service::Ecr, "CreateRepository", &body)?;
        repository(&answer["repository"])
            .ok_or_else(|| without(Service::Ecr, "CreateRepository", "repository"))
    }

    /// Asks for a scan of an image. One that is scanned by itself, or was within the last day, needs
    /// none: that is no fault.
    ///
    /// # Errors
    /// When AWS does not take it.
    pub fn start_image_scan(&mut self, repository: &str, digest: &str) -> Result<(), Fault> {
        let body = json!({"repositoryName": repository, "imageId": {"imageDigest": digest}});
        match self.call(Service::Ecr, "StartImageScan", &body) {
            // Enhanced scanning begins by itself (ValidationException); one a day is the limit.
            Err(fault) if fault.is("ValidationException") || fault.is("LimitExceededException") => {
                Ok(())
            }
            other => other.map(|_| ()),
        }
    }

    /// What is known of an image's scan; none where there was none.
    ///
    /// # Errors
    /// When AWS does not say.
    pub fn image_scan(&mut self, repository: &str, digest: &str) -> Result<Option<EcrScan>, Fault> {
        let body = json!({"repositoryName": repository, "imageId": {"imageDigest": digest}});
        let answer = match self.call(Service::Ecr, "DescribeImageScanFindings", &body) {
            Err(fault) if fault.is("ScanNotFoundException") => return Ok(None),
            other => other?,
        };
        let status = &answer["imageScanStatus"];
        let text = |key: &str| status[key].as_str().unwrap_or_default().to_owned();
        let counts = answer["imageScanFindings"]["findingSeverityCounts"].as_object();
        let counts = counts.into_iter().flatten();
        let basic = answer["imageScanFindings"]["findings"].as_array().into_iter().flatten();
        let enhanced = &answer["imageScanFindings"]["enhancedFindings"];
        let enhanced = enhanced.as_array().into_iter().flatten().filter_map(enhanced_finding);
        Ok(Some(EcrScan {
            status: text("status"),
            description: text("description"),
            counts: counts.filter_map(|(key, it)| Some((key.clone(), it.as_u64()?))).collect(),
            findings: basic.filter_map(basic_finding).chain(enhanced).collect(),
        }))
    }
}

fn repository(json: &Json) -> Option<EcrRepository> {
    Some(EcrRepository {
        uri: json["repositoryUri"].as_str()?.to_owned(),
        account: json["registryId"].as_str().unwrap_or_default().to_owned(),
    })
}

fn basic_finding(json: &Json) -> Option<EcrFinding> {
    let attributes = json["attributes"].as_array().into_iter().flatten();
    let attribute = |key: &str| {
        attributes.clone().find(|it| it["key"] == key).and_then(|it| it["value"].as_str())
    };
    let package = attribute("package_name");
    let version = attribute("package_version").unwrap_or_default();
    Some(EcrFinding {
        severity: json["severity"].as_str()?.to_owned(),
        name: json["name"].as_str()?.to_owned(),
        package: package.map(|name| format!("{name} {version}").trim().to_owned()),
        fixed_in: None,
    })
}

fn enhanced_finding(json: &Json) -> Option<EcrFinding> {
    let details = &json["packageVulnerabilityDetails"];
    let package = &details["vulnerablePackages"][0];
    let name = package["name"].as_str();
    let version = package["version"].as_str().unwrap_or_default();
    Some(EcrFinding {
        severity: json["severity"].as_str()?.to_owned(),
        name: details["vulnerabilityId"].as_str().or(json["title"].as_str())?.to_owned(),
        package: name.map(|name| format!("{name} {version}").trim().to_owned()),
        fixed_in: package["fixedInVersion"].as_str().map(str::to_owned),
    })
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
    without(service, "GetAuthorizationToken", "authorization token")
}

fn without(service: Service, operation: &str, what: &str) -> Fault {
    Fault {
        kind: FaultKind::Unreadable,
        action: format!("{}:{operation}", service.as_str()),
        code: None,
        message: format!("the answer has no {what}"),
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
