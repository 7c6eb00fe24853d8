//! Where private values lie: Secrets Manager and the Parameter Store. Whether something is there is
//! asked, and where; values are read by whoever runs with them. From here they are read only where
//! the deployment itself needs one: the address of a database that it puts aside.

use std::collections::BTreeMap;

use mask::Secret;
use serde_json::{Value as Json, json};

use crate::client::Client;
use crate::ecs::read;
use crate::fault::Fault;
use crate::service::Service;

/// Names of one call.
const PARAMETERS_MAX: usize = 10;

/// A secret that Secrets Manager knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownSecret {
    /// Its whole ARN.
    pub arn: String,
    /// It is marked for deletion: nobody can read it.
    pub is_deleted: bool,
}

impl Client {
    /// A secret by its name or ARN; none where there is none. Its value is not asked for.
    ///
    /// # Errors
    /// When AWS does not say.
    pub fn describe_secret(&mut self, id: &str) -> Result<Option<KnownSecret>, Fault> {
        let body = json!({ "SecretId": id });
        let answer = match self.call(Service::SecretsManager, "DescribeSecret", &body) {
            Err(fault) if fault.is("ResourceNotFoundException") => return Ok(None),
            other => other?,
        };
        let arn = read("secretsmanager:DescribeSecret", answer["ARN"].clone())?;
        Ok(Some(KnownSecret { arn, is_deleted: !answer["DeletedDate"].is_null() }))
    }

    /// The ARNs of parameters, by the names or ARNs that were asked for; what is not there is not in
    /// it. Private values come back covered, and none is kept.
    ///
    /// # Errors
    /// When AWS does not say.
    pub fn parameters(&mut self, ids: &[&str]) -> Result<BTreeMap<String, String>, Fault> {
        let mut found = BTreeMap::new();
        for page in ids.chunks(PARAMETERS_MAX) {
            let body = json!({"Names": page, "WithDecryption": false});
            let answer = self.call(Service::Ssm, "GetParameters", &body)?;
            let all = answer["Parameters"].as_array().map_or(&[][..], Vec::as_slice);
            for id in page {
                let is_it = |it: &&Json| it["Name"] == **id || it["ARN"] == **id;
                // One of another account is asked for by its ARN, and named without.
                let arn = all.iter().find(is_it).and_then(|it| it["ARN"].as_str());
                if let Some(arn) = arn {
                    found.insert((*id).to_owned(), arn.to_owned());
                }
            }
        }
        Ok(found)
    }

    /// The value of a secret, or of one key of the JSON that it holds; none where there is none.
    ///
    /// # Errors
    /// When AWS does not give it.
    pub fn secret_value(&mut self, id: &str, key: Option<&str>) -> Result<Option<Secret>, Fault> {
        let body = json!({ "SecretId": id });
        let answer = match self.call(Service::SecretsManager, "GetSecretValue", &body) {
            Err(fault) if fault.is("ResourceNotFoundException") => return Ok(None),
            other => other?,
        };
        let Some(text) = answer["SecretString"].as_str() else { return Ok(None) };
        let Some(key) = key else { return Ok(Some(Secret::new(text))) };
        let whole: Json = serde_json::from_str(text).unwrap_or_default();
        Ok(whole[key].as_str().map(Secret::new))
    }

    /// The value of a parameter; none where there is none.
    ///
    /// # Errors
    /// When AWS does not give it.
    pub fn parameter_value(&mut self, name: &str) -> Result<Option<Secret>, Fault> {
        let body = json!({"Names": [name], "WithDecryption": true});
        let answer = self.call(Service::Ssm, "GetParameters", &body)?;
        Ok(answer["Parameters"][0]["Value"].as_str().map(Secret::new))
    }
}
