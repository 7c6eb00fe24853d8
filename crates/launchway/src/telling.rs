//! Telling people: the rules of `launchway.yml` as `notifier` takes them, and who sends what.
//!
//! ```text
//!   server    its runs           rules at the tip of the default branch, secrets of its own folder
//!   deploy    its deployments    rules and secrets of whoever deploys
//! ```

mod here;
mod served;

pub(crate) use here::{Told, send_due, test};
pub(crate) use served::{Served, ServedTests};

use std::sync::Arc;

use notifier::{Channel, Encryption, MailServer, Occasion, Rule};
use outbox::Clock;
use settings::{MailEncryption, SecretReference, Settings};
use syntax::Span;
use workflow::Pattern;

use crate::terminal::time::now;

/// The rules that settings have.
pub(crate) fn rules(settings: &Settings) -> Vec<Rule> {
    let mail = settings.mail.as_ref().map(server);
    settings.notify.iter().filter_map(|it| rule(it, mail.as_ref())).collect()
}

fn rule(it: &settings::Notify, mail: Option<&MailServer>) -> Option<Rule> {
    let texts = |all: &[settings::Text]| all.iter().map(|it| it.value.to_string()).collect();
    let channel = match &it.channel {
        settings::Channel::Slack(address) => Channel::Slack { address: address.value.to_string() },
        settings::Channel::Webhook { url, key } => Channel::Webhook {
            url: url.value.to_string(),
            key: key.as_ref().map(|it| it.value.to_string()),
        },
        // Settings without a mistake have a server where they have an address.
        settings::Channel::Email(to) => {
            Channel::Email { to: to.value.to_string(), server: mail?.clone() }
        }
        settings::Channel::PagerDuty { key, url } => Channel::PagerDuty {
            key: key.value.to_string(),
            url: url.as_ref().map(|it| it.value.trim_end_matches('/').to_owned()),
        },
    };
    Some(Rule {
        name: it.name.to_string(),
        channel,
        on: it.on.iter().filter_map(|it| Occasion::parse(&it.value)).collect(),
        environments: texts(&it.environments),
        branches: texts(&it.branches),
    })
}

fn server(mail: &settings::Mail) -> MailServer {
    let sign_in = mail.user.as_ref().zip(mail.password.as_ref());
    MailServer {
        host: mail.host.value.to_string(),
        port: mail.port,
        encryption: match mail.encryption {
            MailEncryption::StartTls => Encryption::StartTls,
            MailEncryption::Tls => Encryption::Tls,
            MailEncryption::None => Encryption::None,
        },
        from: mail.from.value.to_string(),
        sign_in: sign_in
            .map(|(user, password)| (user.value.to_string(), password.value.to_string())),
    }
}

/// The secrets that messages need, each with the rule that needs it.
pub(crate) fn references(settings: &Settings) -> Vec<(String, SecretReference)> {
    let of_rules = settings.notify.iter().filter_map(|it| {
        let reference = match &it.channel {
            settings::Channel::Slack(it) => &it.value,
            settings::Channel::PagerDuty { key, .. } => &key.value,
            settings::Channel::Webhook { key, .. } => &key.as_ref()?.value,
            settings::Channel::Email(_) => return None,
        };
        Some((format!("message {}", it.name), reference.clone()))
    });
    let of_mail = settings.mail.iter().filter_map(|it| it.password.as_ref());
    of_rules.chain(of_mail.map(|it| ("mail".to_owned(), it.value.clone()))).collect()
}

/// The secret that a rule refers to, of those that its settings name.
fn reference(settings: &Settings, text: &str) -> Option<SecretReference> {
    let mut all = references(settings).into_iter().map(|(_, reference)| reference);
    all.find(|it| it.to_string() == text)
}

pub(crate) fn fits(pattern: &str, branch: &str) -> bool {
    Pattern::parse(pattern, Span::default()).is_ok_and(|it| it.fits(branch))
}

fn clock() -> Clock {
    Arc::new(now)
}
