//! Who may take roles: their trust, and the identity providers that an account knows.

use serde_json::Value as Json;

use crate::client::{Client, unreadable};
use crate::fault::Fault;
use crate::service::Service;
use crate::xml::{element, elements, text};

impl Client {
    /// The trust policy of a role of the caller's account; none where there is no such role.
    ///
    /// # Errors
    /// When AWS does not say.
    pub fn trust_of_role(&mut self, name: &str) -> Result<Option<Json>, Fault> {
        let reply = match self.ask(Service::Iam, "GetRole", &[("RoleName", name)]) {
            Err(fault) if fault.is("NoSuchEntity") => return Ok(None),
            other => other?,
        };
        let document = text(&reply.body, "AssumeRolePolicyDocument");
        let document = document.and_then(|it| serde_json::from_str(&decoded(&it)).ok());
        document.map(Some).ok_or_else(|| unreadable("iam:GetRole", &reply))
    }

    /// For whom tokens of an identity provider are taken; none where the account does not know it.
    ///
    /// # Errors
    /// When AWS does not say.
    pub fn audiences_of_provider(&mut self, arn: &str) -> Result<Option<Vec<String>>, Fault> {
        let members = [("OpenIDConnectProviderArn", arn)];
        let reply = match self.ask(Service::Iam, "GetOpenIDConnectProvider", &members) {
            Err(fault) if fault.is("NoSuchEntity") => return Ok(None),
            other => other?,
        };
        let list = element(&reply.body, "ClientIDList").unwrap_or_default();
        Ok(Some(elements(list, "member").into_iter().map(str::to_owned).collect()))
    }
}

/// IAM writes documents as parts of URLs are written.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, behind)) = rest.split_first() {
        let digits = behind.get(..2).filter(|_| first == b'%');
        let byte = digits.and_then(|it| u8::from_str_radix(std::str::from_utf8(it).ok()?, 16).ok());
        bytes.push(byte.unwrap_or(first));
        rest = if byte.is_some() { &behind[2..] } else { behind };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::decoded;

    #[test]
    fn documents_are_decoded() {
        assert_eq!(decoded("%7B%22a%22%3A%20%22%C3%A9%22%7D"), "{\"a\": \"é\"}");
        assert_eq!(decoded("100% {\"a\": \"%zz\"}%"), "100% {\"a\": \"%zz\"}%");
    }
}
