//! The groups that `secrets setup` asks for by name, and what their values look like. A shape is a
//! slip of the fingers caught, not a proof: nobody is asked whether a key works.

use crate::cli::SecretGroup;

/// A secret that teams have, with what it looks like.
pub(super) struct Usual {
    pub(super) name: &'static str,
    pub(super) what: &'static str,
    is_right: fn(&str) -> bool,
    looks: &'static str,
}

impl Usual {
    /// What it should look like, where it does not.
    pub(super) fn complaint(&self, value: &str) -> Option<&'static str> {
        (!(self.is_right)(value)).then_some(self.looks)
    }
}

/// A line without blanks at its ends.
fn is_line(value: &str) -> bool {
    !value.contains(char::is_control) && value.trim() == value
}

fn is_long(value: &str) -> bool {
    is_line(value) && value.chars().count() >= 32
}

fn is_access_key(value: &str) -> bool {
    let is_upper = |it: u8| it.is_ascii_uppercase() || it.is_ascii_digit();
    (value.starts_with("AKIA") || value.starts_with("ASIA"))
        && value.len() == 20
        && value.bytes().all(is_upper)
}

fn is_secret_key(value: &str) -> bool {
    value.len() == 40 && value.bytes().all(|it| it.is_ascii_alphanumeric() || b"/+=".contains(&it))
}

fn is_account(value: &str) -> bool {
    value.len() == 12 && value.bytes().all(|it| it.is_ascii_digit())
}

fn is_identifier(value: &str) -> bool {
    let is_letter = |it: u8| it.is_ascii_alphanumeric() || b"_-$".contains(&it);
    (1..=63).contains(&value.len()) && value.bytes().all(is_letter)
}

fn is_bucket(value: &str) -> bool {
    let is_letter = |it: u8| it.is_ascii_lowercase() || it.is_ascii_digit() || b".-".contains(&it);
    let name = value.strip_prefix("s3://").unwrap_or(value);
    let name = name.split('/').next().unwrap_or_default();
    (3..=63).contains(&name.len()) && name.bytes().all(is_letter)
}

fn is_slack(value: &str) -> bool {
    is_line(value) && value.starts_with("https://hooks.slack.com/") && value.len() > 40
}

fn is_dsn(value: &str) -> bool {
    let rest = value.strip_prefix("https://").and_then(|it| it.split_once('@'));
    is_line(value)
        && rest.is_some_and(|(key, place)| {
            let project = place.rsplit('/').next().unwrap_or_default();
            !key.is_empty() && !project.is_empty() && project.bytes().all(|it| it.is_ascii_digit())
        })
}

fn is_password(value: &str) -> bool {
    is_line(value) && value.chars().count() >= 8
}

const AWS: &[Usual] = &[
    Usual {
        name: "AWS_ACCESS_KEY_ID",
        what: "an access key of a role or user that deploys; a role by OIDC needs none",
        is_right: is_access_key,
        looks: "it has 20 letters and begins with AKIA or ASIA",
    },
    Usual {
        name: "AWS_SECRET_ACCESS_KEY",
        what: "the key's secret",
        is_right: is_secret_key,
        looks: "it has 40 letters, digits, / and +",
    },
    Usual {
        name: "AWS_ACCOUNT_ID",
        what: "the account that is deployed to",
        is_right: is_account,
        looks: "it has 12 digits",
    },
];

const DATABASE: &[Usual] = &[
    Usual {
        name: "DB_USERNAME",
        what: "who signs in to the database",
        is_right: is_identifier,
        looks: "it is a name of letters, digits, _ and -",
    },
    Usual {
        name: "DB_PASSWORD",
        what: "with what",
        is_right: is_password,
        looks: "it is one line of 8 characters at least",
    },
    Usual {
        name: "DB_NAME",
        what: "to which database",
        is_right: is_identifier,
        looks: "it is a name of letters, digits, _ and -",
    },
];

const APPLICATION: &[Usual] = &[
    Usual {
        name: "DJANGO_SECRET_KEY",
        what: "what Django signs with",
        is_right: is_long,
        looks: "it is one line of 32 characters at least",
    },
    Usual {
        name: "JWT_SECRET_KEY",
        what: "what tokens of the application are signed with",
        is_right: is_long,
        looks: "it is one line of 32 characters at least",
    },
];

const BACKUP: &[Usual] = &[Usual {
    name: "BACKUP_S3_BUCKET",
    what: "where backups go",
    is_right: is_bucket,
    looks: "it is a bucket's name: small letters, digits, dots and dashes",
}];

const MONITORING: &[Usual] = &[
    Usual {
        name: "SLACK_WEBHOOK",
        what: "where messages go",
        is_right: is_slack,
        looks: "it begins with https://hooks.slack.com/",
    },
    Usual {
        name: "SENTRY_DSN",
        what: "where errors are sent",
        is_right: is_dsn,
        looks: "it is https://KEY@HOST/PROJECT",
    },
];

/// The secrets of a group.
pub(super) fn of(group: SecretGroup) -> &'static [Usual] {
    match group {
        SecretGroup::Aws => AWS,
        SecretGroup::Database => DATABASE,
        SecretGroup::Application => APPLICATION,
        SecretGroup::Backup => BACKUP,
        SecretGroup::Monitoring => MONITORING,
    }
}

/// What a value should look like, where its name is one of these.
pub(super) fn usual(name: &str) -> Option<&'static Usual> {
    SecretGroup::ALL.into_iter().flat_map(of).find(|it| it.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_look_like_what_they_are() {
        let check = |name: &str, value: &str, is_right: bool| {
            let found = usual(name).expect("a usual secret").complaint(value);
            assert_eq!(found.is_none(), is_right, "{name}: {value}");
        };
        // The access key of AWS's own examples.
        check("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE", true);
        check("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE ", false);
        check("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", true);
        check("AWS_SECRET_ACCESS_KEY", "AKIAIOSFODNN7EXAMPLE", false);
        check("AWS_ACCOUNT_ID", "111122223333", true);
        check("AWS_ACCOUNT_ID", "1111-2222-3333", false);
        check("DB_NAME", "planner", true);
        check("DB_NAME", "planner;", false);
        check("DB_PASSWORD", "short", false);
        check("JWT_SECRET_KEY", &"x".repeat(31), false);
        check("JWT_SECRET_KEY", &"x".repeat(32), true);
        check("BACKUP_S3_BUCKET", "s3://planner-backups/daily", true);
        check("BACKUP_S3_BUCKET", "Planner", false);
        check("SLACK_WEBHOOK", "http://hooks.slack.com/services/T0/B0/0123456789", false);
        check("SENTRY_DSN", "https://0123@o1.ingest.sentry.io/42", true);
        check("SENTRY_DSN", "https://o1.ingest.sentry.io/42", false);
    }
}
