//! What the settings say of a service's place.

use std::collections::BTreeMap;

use event::{Cause, CauseCode, ServiceRequest};
use serde::{Deserialize, Serialize};

use crate::words::text;

/// `ServiceRequest::config` of the target `ecs`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EcsConfig {
    /// Its region.
    pub region: String,
    /// The cluster.
    pub cluster: String,
    /// The service.
    pub service: String,
    /// The container whose image is changed; the only one where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    /// The account it is in. With credentials of another one, nothing is touched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// When it must be stable, forward and back.
    pub within_ms: u64,
    /// Variables of the container that the settings own: they are these. Others stay as they are.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub environment: BTreeMap<String, String>,
    /// Variables beside those whose values stand in files only, and nowhere here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub private: Vec<String>,
    /// Variables whose values lie elsewhere; ECS hands them to the container.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub secrets: BTreeMap<String, Reference>,
    /// The command of the container, where the settings own it; empty is the image's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<Vec<String>>,
    /// Why the release before could not run any more behind the steps of this one: a migration that
    /// it does not work with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub no_way_back: Option<String>,
    /// CloudWatch alarms that must not go off.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alarms: Vec<String>,
    /// Texts that must not be printed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub texts: Vec<String>,
    /// So many tasks, and nothing else of it is changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instances: Option<u32>,
    /// Though it is scaled by itself.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub even_if_scaled: bool,
    /// All variables are the settings': others go.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub owns_environment: bool,
    /// All references to secrets are the settings': others go.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub owns_secrets: bool,
}

/// Where a secret lies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "in", rename_all = "snake_case", deny_unknown_fields)]
pub enum Reference {
    /// In Secrets Manager.
    SecretsManager {
        /// Its name or ARN.
        id: String,
        /// A key of the JSON that it holds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<String>,
    },
    /// In the Parameter Store.
    Ssm {
        /// Its name or ARN.
        name: String,
    },
}

impl EcsConfig {
    /// Of a request.
    ///
    /// # Errors
    /// When it is not what the binary should have written.
    pub fn of(wanted: &ServiceRequest) -> Result<EcsConfig, Cause> {
        serde_json::from_value(wanted.config.clone()).map_err(|error| {
            let said =
                format!("the configuration of {} is not one of ECS: {error}", wanted.service);
            Cause::new(CauseCode::Fault, text(said))
        })
    }
}
