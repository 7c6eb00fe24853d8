//! HTTP, and TLS, as a caller: how everybody here begins who asks another machine.
//!
//! One provider of cryptography, the certificates that this machine trusts (`SSL_CERT_FILE` is heard),
//! and no redirect that nobody looked at. How long an answer may take is the caller's to say.

mod guard;

pub use guard::{Forbidden, Guard, is_public};

use std::io;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::BuilderVerifierExt as _;
use ureq::config::ConfigBuilder;
use ureq::tls::{RootCerts, TlsConfig, TlsProvider};
use ureq::typestate::AgentScope;

/// What a caller begins with: a status is an answer and no error, a redirect is one too.
///
/// The proxies of the environment are heard; where this machine itself is asked ([`is_here`]), set
/// `.proxy(None)`.
pub fn config() -> ConfigBuilder<AgentScope> {
    let tls = TlsConfig::builder()
        .provider(TlsProvider::Rustls)
        .root_certs(RootCerts::PlatformVerifier)
        .unversioned_rustls_crypto_provider(Arc::new(aws_lc_rs::default_provider()))
        .build();
    ureq::Agent::config_builder()
        .tls_config(tls)
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .user_agent("launchway")
}

/// TLS for what is no HTTP: whoever answers proves by a certificate who it is, to what this machine
/// trusts, or to the certificates in a file alone.
///
/// # Errors
/// When there are none.
pub fn trusted(roots: Option<&Path>) -> io::Result<ClientConfig> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?;
    let Some(path) = roots else {
        let builder = builder.with_platform_verifier().map_err(io::Error::other)?;
        return Ok(builder.with_no_client_auth());
    };
    let named = |what: String| io::Error::other(format!("{}: {what}", path.display()));
    let mut store = RootCertStore::empty();
    let found = CertificateDer::pem_file_iter(path).map_err(|it| named(it.to_string()))?;
    for certificate in found {
        let certificate = certificate.map_err(|it| named(it.to_string()))?;
        store.add(certificate).map_err(|it| named(it.to_string()))?;
    }
    if store.is_empty() {
        return Err(named("there is no certificate in it".to_owned()));
    }
    Ok(builder.with_root_certificates(store).with_no_client_auth())
}

/// What to do where [`is_untrusted`].
pub const TRUST_HINT: &str = "SSL_CERT_FILE=FILE names an authority of your own";

/// Whether it failed because nobody here knows who vouches for a certificate.
pub fn is_untrusted(error: &io::Error) -> bool {
    use rustls::{CertificateError::UnknownIssuer, Error::InvalidCertificate};
    let inner = error.get_ref().and_then(|it| it.downcast_ref::<rustls::Error>());
    matches!(inner, Some(InvalidCertificate(UnknownIssuer)))
}

/// Whether a URL, or a host with its port, is this machine: it is never behind a proxy.
pub fn is_here(url: &str) -> bool {
    let host = url.split_once("://").map_or(url, |(_, rest)| rest);
    let host = host.split('/').next().unwrap_or(host);
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or(rest),
        None => host.split(':').next().unwrap_or(host),
    };
    name == "localhost" || name.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::is_here;

    #[test]
    fn this_machine_is_known_by_its_name_not_by_how_it_begins() {
        for (url, expect) in [
            ("http://127.0.0.1:8080/health", true),
            ("http://127.8.0.1", true),
            ("https://localhost:4566", true),
            ("http://[::1]:8080/", true),
            ("localhost", true),
            ("https://localhost.example.com", false),
            ("http://127.0.0.1.example.com/", false),
            ("https://example.com/localhost", false),
            ("", false),
        ] {
            assert_eq!(is_here(url), expect, "{url}");
        }
    }
}
