//! Who we are to AWS.

use crate::client::{Client, element, unreadable};
use crate::fault::Fault;

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
        let credentials = self.credentials(action)?;
        let reply = self.query("GetCallerIdentity", &[], Some(credentials))?;
        let account = element(&reply.body, "Account");
        let arn = element(&reply.body, "Arn");
        let (Some(account), Some(arn)) = (account, arn) else {
            return Err(unreadable(action, &reply));
        };
        Ok(Identity { account: account.to_owned(), arn: arn.to_owned() })
    }
}
