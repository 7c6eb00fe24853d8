//! Roles.

use crate::client::Client;
use crate::fault::Fault;
use crate::service::Service;

impl Client {
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
