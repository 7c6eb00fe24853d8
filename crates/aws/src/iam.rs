//! Roles, and keys of users.

use crate::client::Client;
use crate::fault::Fault;
use crate::service::Service;
use crate::xml::{child, children, element};

/// A stored access key of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessKey {
    /// Its name, which is no secret.
    pub id: String,
    /// When it was made, as AWS writes it: `2026-01-01T00:00:00Z`.
    pub created: String,
}

impl Client {
    /// The access keys of the user who asks.
    ///
    /// # Errors
    /// When AWS does not say.
    pub fn own_access_keys(&mut self) -> Result<Vec<AccessKey>, Fault> {
        let reply = self.ask(Service::Iam, "ListAccessKeys", &[])?;
        let list = element(&reply.body, "AccessKeyMetadata").unwrap_or_default();
        let key = |xml: &str| {
            Some(AccessKey { id: child(xml, "AccessKeyId")?, created: child(xml, "CreateDate")? })
        };
        Ok(children(list, "member").into_iter().filter_map(key).collect())
    }

    /// Whether there is a role of this name in the account.
    ///
    /// # Errors
    /// When AWS does not say.
    pub fn has_role(&mut self, name: &str) -> Result<bool, Fault> {
        match self.ask(Service::Iam, "GetRole", &[("RoleName", name)]) {
            Err(fault) if fault.is("NoSuchEntity") => Ok(false),
            other => other.map(|_| true),
        }
    }
}
