//! Who we are to AWS.

use crate::client::{Client, unreadable};
use crate::fault::Fault;
use crate::service::Service;
use crate::xml;

/// Whose credentials they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The account.
    pub account: String,
    /// The user or role.
    pub arn: String,
}

impl Client {
    /// Whose credentials calls are signed with. Needs no permission.
    ///
    /// # Errors
    /// When AWS does not say.
    pub fn caller_identity(&mut self) -> Result<Identity, Fault> {
        let action = "sts:GetCallerIdentity";
        let reply = self.ask(Service::Sts, "GetCallerIdentity", &[])?;
        let account = xml::text(&reply.body, "Account");
        let arn = xml::text(&reply.body, "Arn");
        let (Some(account), Some(arn)) = (account, arn) else {
            return Err(unreadable(action, &reply));
        };
        Ok(Identity { account, arn })
    }
}
