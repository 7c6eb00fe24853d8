//! The discovery document: where a provider is asked for what, and whether it does what is needed.

use serde_json::Value as Json;
use ureq::http::Uri;

use crate::Wrong;

/// A longer address is none that a browser is sent to.
const URL_BYTES_MAX: usize = 2_000;
/// A longer list is none of what a provider can do.
const LIST_MAX: usize = 100;

/// What a provider says of itself, as far as it is needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Discovery {
    /// Where a browser is sent.
    pub(crate) authorization: String,
    /// Where a code is good for a token.
    pub(crate) token: String,
    /// Where its keys are.
    pub(crate) keys: String,
    /// Where it says more of who signed in.
    pub(crate) userinfo: Option<String>,
    /// A secret goes into the body, and not into a header.
    pub(crate) secret_in_body: bool,
    /// It says with every answer who it is (RFC 9207).
    pub(crate) names_itself: bool,
}

impl Discovery {
    /// Reads the document that was found at an issuer.
    ///
    /// # Errors
    /// When it is of another issuer, or such a sign-in is not possible there.
    pub fn read(issuer: &str, text: &[u8]) -> Result<Discovery, Wrong> {
        let document: Json =
            serde_json::from_slice(text).map_err(|_| Wrong::new("its discovery is no JSON"))?;
        let named = document["issuer"].as_str().unwrap_or_default();
        if named != issuer {
            let named: String = named.chars().filter(|it| !it.is_control()).take(200).collect();
            return Err(Wrong(format!(
                "its discovery is of the issuer `{named}`, and not of `{issuer}`"
            )));
        }
        let methods = list(&document, "token_endpoint_auth_methods_supported")?;
        let has = |name: &str| methods.as_ref().is_none_or(|it| it.contains(&name));
        let offers = |key: &str, any: &[&str]| -> Result<(), Wrong> {
            let Some(offered) = list(&document, key)? else { return Ok(()) };
            if any.iter().any(|it| offered.contains(it)) {
                return Ok(());
            }
            Err(Wrong(format!("its {key} has none of {}", any.join(", "))))
        };
        offers("response_types_supported", &["code"])?;
        offers("code_challenge_methods_supported", &["S256"])?;
        offers("id_token_signing_alg_values_supported", &["RS256", "ES256"])?;
        Ok(Discovery {
            authorization: needed(&document, issuer, "authorization_endpoint")?,
            token: needed(&document, issuer, "token_endpoint")?,
            keys: needed(&document, issuer, "jwks_uri")?,
            userinfo: endpoint(&document, issuer, "userinfo_endpoint")?,
            // What nobody says is that it takes the header.
            secret_in_body: !has("client_secret_basic") && has("client_secret_post"),
            names_itself: document["authorization_response_iss_parameter_supported"] == true,
        })
    }
}

fn list<'d>(document: &'d Json, key: &str) -> Result<Option<Vec<&'d str>>, Wrong> {
    let value = &document[key];
    if value.is_null() {
        return Ok(None);
    }
    let all = value.as_array().filter(|all| all.len() <= LIST_MAX);
    let all = all.ok_or_else(|| Wrong(format!("its {key} is no list, or a very long one")))?;
    Ok(Some(all.iter().filter_map(Json::as_str).collect()))
}

fn needed(document: &Json, issuer: &str, key: &str) -> Result<String, Wrong> {
    endpoint(document, issuer, key)?.ok_or_else(|| Wrong(format!("its discovery has no {key}")))
}

fn endpoint(document: &Json, issuer: &str, key: &str) -> Result<Option<String>, Wrong> {
    let value = &document[key];
    if value.is_null() {
        return Ok(None);
    }
    let url = value.as_str().filter(|url| is_usable(url, issuer));
    let wrong = || Wrong(format!("its {key} is no address of https that can be used"));
    url.map(|it| Some(it.to_owned())).ok_or_else(wrong)
}

/// Whether an address may be asked, or a browser be sent there: encrypted, as the issuer is. One on this
/// machine without encryption speaks for itself alone.
fn is_usable(url: &str, issuer: &str) -> bool {
    let plain = |it: &str| {
        it.len() <= URL_BYTES_MAX
            && it.bytes().all(|it| it.is_ascii_graphic())
            && !it.contains(['#', '@', '\\', '"', '<', '>'])
    };
    let (Ok(parsed), true) = (url.parse::<Uri>(), plain(url)) else { return false };
    match parsed.scheme_str() {
        Some("https") => parsed.host().is_some_and(|it| !it.is_empty()),
        Some("http") => {
            let own = issuer.parse::<Uri>().ok();
            let own = own.filter(|it| it.scheme_str() == Some("http"));
            own.is_some_and(|it| it.authority() == parsed.authority()) && https::is_here(url)
        }
        _ => false,
    }
}
