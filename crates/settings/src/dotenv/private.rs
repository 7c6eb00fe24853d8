//! Whether a variable looks private: by what it is called, or by what stands in it. Used where a value
//! would go somewhere that many can read.

/// What a name ends with that is a secret's.
const NAMES: &[&str] =
    &["APIKEY", "CREDENTIALS", "PASSPHRASE", "PASSWD", "PASSWORD", "SECRET", "TOKEN"];
/// What stands before `_KEY` in names of keys that are secret.
const KEYS: &[&str] =
    &["ACCESS", "API", "AUTH", "ENCRYPTION", "MASTER", "PRIVATE", "SECRET", "SIGNING"];
/// What tokens of well-known issuers begin with.
const BEGINNINGS: &[&str] = &[
    "ghp_",
    "gho_",
    "ghs_",
    "ghu_",
    "github_pat_",
    "glpat-",
    "xoxb-",
    "xoxp-",
    "sk_live_",
    "rk_live_",
    "https://hooks.slack.com/services/",
];
/// Letters of the id of an access key of AWS.
const KEY_ID: usize = 20;
/// The shortest token of three parts that is taken for one.
const TOKEN_MIN: usize = 40;

/// Whether it does. An empty value never does, nor a switch or a number: `TOKEN=` says that there is
/// none.
pub(super) fn looks_private(name: &str, value: &str) -> bool {
    let is_plain = value.is_empty()
        || value.parse::<f64>().is_ok()
        || ["true", "false", "yes", "no", "on", "off"]
            .iter()
            .any(|it| value.eq_ignore_ascii_case(it));
    !is_plain && (by_name(name) || by_value(value))
}

fn by_name(name: &str) -> bool {
    let upper = name.to_ascii_uppercase();
    let mut words = upper.rsplit('_');
    match (words.next(), words.next()) {
        (Some("KEY"), Some(before)) => KEYS.contains(&before),
        (Some(last), _) => NAMES.contains(&last),
        (None, _) => false,
    }
}

fn by_value(value: &str) -> bool {
    let lower = value.to_ascii_lowercase();
    has_password(value)
        || lower.contains("password=")
        || (value.contains("-----BEGIN") && value.contains("PRIVATE KEY"))
        || BEGINNINGS.iter().any(|it| value.starts_with(it))
        || is_key_id(value)
        || is_token(value)
}

/// `postgres://planner:hunter2@db/planner`
fn has_password(value: &str) -> bool {
    let Some((_, rest)) = value.split_once("://") else { return false };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    let Some((user, _)) = authority.rsplit_once('@') else { return false };
    user.split_once(':').is_some_and(|(_, password)| !password.is_empty())
}

fn is_key_id(value: &str) -> bool {
    let begins = value.starts_with("AKIA") || value.starts_with("ASIA");
    begins && value.len() == KEY_ID && value.bytes().all(|it| it.is_ascii_alphanumeric())
}

/// A signed token: three parts, the first a header in base64.
fn is_token(value: &str) -> bool {
    value.starts_with("eyJ") && value.len() >= TOKEN_MIN && value.split('.').count() == 3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_values_tell() {
        let private = [
            ("DB_PASSWORD", "hunter2"),
            ("api_token", "abc"),
            ("STRIPE_SECRET_KEY", "x"),
            ("DATABASE_URL", "postgres://planner:hunter2@db:5432/planner"),
            ("DSN", "host=db user=planner password=hunter2"),
            ("HOOK", "https://hooks.slack.com/services/T0/B0/x"),
            ("CI", "ghp_0123456789"),
            ("ID", "AKIAIOSFODNN7EXAMPLE"),
            ("CERT", "-----BEGIN RSA PRIVATE KEY-----\nx"),
        ];
        for (name, value) in private {
            assert!(looks_private(name, value), "{name}={value}");
        }
        let plain = [
            ("LEVEL", "info"),
            ("TOKEN", ""),
            ("REQUIRE_PASSWORD", "true"),
            ("MAX_TOKEN", "4096"),
            ("TOKEN_TTL", "15m"),
            ("SECRET_NAME", "planner/db"),
            ("PRIMARY_KEY", "id"),
            ("DATABASE_URL", "postgres://planner@db/planner"),
            ("SITE", "https://example.com/a:b@c"),
            ("AWS_REGION", "eu-central-1"),
        ];
        for (name, value) in plain {
            assert!(!looks_private(name, value), "{name}={value}");
        }
    }
}
