//! Sending email, by SMTP.

use std::net::{IpAddr, SocketAddr, TcpStream};
use std::time::Duration;

use https::Guard;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::{SmtpTransport, Transport as _};
use mask::Secret;
use outbox::{Failed, Fault};

use crate::guard::resolve;
use crate::message::Message;
use crate::text;

/// How long each word of the conversation may take.
const WITHIN: Duration = Duration::from_secs(15);

/// A mail server, and as whom it is spoken to.
#[derive(Clone, Debug)]
pub struct MailServer {
    /// Its name.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// What keeps others from reading it on its way.
    pub encryption: Encryption,
    /// Who sends.
    pub from: String,
    /// As whom it is signed in, and where the password lies.
    pub sign_in: Option<(String, String)>,
}

/// What keeps others from reading mail on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encryption {
    /// TLS behind the first words; refused where the server has none.
    StartTls,
    /// TLS from the first byte.
    Tls,
    /// Nothing: in a network that is trusted wholly.
    None,
}

/// One email.
pub(crate) struct Letter<'l> {
    pub(crate) to: &'l str,
    pub(crate) message: &'l Message,
    /// The same on every retry: mail servers and readers know one they have by it.
    pub(crate) key: &'l str,
}

/// Sends it.
pub(crate) fn send(
    guard: &Guard,
    server: &MailServer,
    password: Option<&Secret>,
    letter: &Letter<'_>,
) -> Result<String, Failed> {
    let refused = |why: String| Failed::new(Fault::Refused, why);
    if server.encryption == Encryption::None && !guard.allows(&server.host) {
        return Err(refused(format!(
            "nothing encrypts what goes to {0}; allow it by its name: `private_receivers` of launchway.yml, or `serve --private-receiver`",
            server.host
        )));
    }
    let id = message_id(letter.key, &server.from);
    let email = compose(server, letter, &id)?;
    let address = reachable(&resolve(guard, &server.host, server.port)?, &server.host)?;
    let tls = match server.encryption {
        Encryption::None => Tls::None,
        other => {
            let parameters = TlsParameters::new(server.host.clone())
                .map_err(|_| refused(format!("{} is no name of a server", server.host)))?;
            match other {
                Encryption::Tls => Tls::Wrapper(parameters),
                _ => Tls::Required(parameters),
            }
        }
    };
    // By the address that was looked at; what the certificate is of is the name.
    let mut transport = SmtpTransport::builder_dangerous(address.to_string())
        .port(server.port)
        .tls(tls)
        .timeout(Some(WITHIN));
    if let (Some((user, _)), Some(password)) = (&server.sign_in, password) {
        let password = password.expose().to_owned();
        transport = transport.credentials(Credentials::new(user.clone(), password));
    }
    match transport.build().send(&email) {
        Ok(_) => Ok(id),
        Err(error) => Err(fault(&error, &server.host)),
    }
}

/// The first address that answers, of those that were looked at.
fn reachable(addresses: &[SocketAddr], host: &str) -> Result<IpAddr, Failed> {
    let found = addresses.iter().find(|it| TcpStream::connect_timeout(it, WITHIN).is_ok());
    let none = || Failed::new(Fault::Down, format!("{host} refuses connections"));
    found.map(SocketAddr::ip).ok_or_else(none)
}

fn compose(server: &MailServer, letter: &Letter<'_>, id: &str) -> Result<lettre::Message, Failed> {
    let address = |text: &str| {
        text.parse()
            .map_err(|_| Failed::new(Fault::Refused, format!("{text} is no address of email")))
    };
    let message = letter.message;
    let built = lettre::Message::builder()
        .from(address(&server.from)?)
        .to(address(letter.to)?)
        .subject(message.title.clone())
        .message_id(Some(id.to_owned()))
        // Nobody's answering machine answers to it (RFC 3834).
        .raw_header(raw("Auto-Submitted", "auto-generated"))
        .raw_header(raw("X-Launchway-Occasion", message.occasion.as_str()))
        .header(ContentType::TEXT_PLAIN)
        .body(text::email(message));
    built.map_err(|_| Failed::new(Fault::Refused, "it cannot be written as an email"))
}

fn raw(name: &'static str, value: &str) -> HeaderValue {
    HeaderValue::new(HeaderName::new_from_ascii_str(name), value.to_owned())
}

fn message_id(key: &str, from: &str) -> String {
    let digest = event::Digest::of(key.as_bytes()).to_string();
    let digest: String = digest.chars().filter(char::is_ascii_alphanumeric).take(40).collect();
    let domain = from.rsplit_once('@').map_or("launchway.invalid", |(_, domain)| domain);
    format!("<{digest}@{}>", domain.trim_end_matches('>'))
}

fn fault(error: &lettre::transport::smtp::Error, host: &str) -> Failed {
    let code = error.status().map(|it| format!(" ({it})")).unwrap_or_default();
    if error.is_permanent() {
        return Failed::new(Fault::Refused, format!("{host} does not take it{code}"));
    }
    if error.is_transient() {
        return Failed::new(Fault::Down, format!("{host} does not take it now{code}"));
    }
    if error.is_tls() || is_certificate(error) {
        return Failed::new(Fault::Down, format!("{host} does not prove who it is (TLS)"));
    }
    if error.is_client() {
        // Such as: STARTTLS is wanted, and it has none.
        return Failed::new(
            Fault::Refused,
            format!("{host} cannot do what is asked of it: encryption, or the way to sign in"),
        );
    }
    Failed::new(Fault::Unknown, format!("the connection to {host} failed or broke off"))
}

/// A handshake behind STARTTLS that fails comes as trouble of the connection; nothing was sent then.
fn is_certificate(error: &lettre::transport::smtp::Error) -> bool {
    let mut source = std::error::Error::source(error);
    while let Some(it) = source {
        if it.to_string().contains("certificate") {
            return true;
        }
        source = it.source();
    }
    false
}
