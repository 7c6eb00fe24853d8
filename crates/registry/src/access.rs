//! How a registry lets somebody in: by name and password, or by a token that it names a place for.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mask::Secret;

/// A name and a password, or a token in its place.
#[derive(Clone, Debug)]
pub struct Login {
    /// Who signs in.
    pub username: String,
    /// With what.
    pub password: Secret,
}

impl Login {
    /// The header that carries it.
    pub(crate) fn basic(&self) -> String {
        let pair = format!("{}:{}", self.username, self.password.expose());
        format!("Basic {}", STANDARD.encode(pair))
    }
}

/// What a registry wants to see, as `WWW-Authenticate` says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Challenge {
    Basic,
    Bearer { realm: String, service: Option<String>, scope: Option<String> },
}

impl Challenge {
    /// None where it is of a kind that is not known.
    pub(crate) fn read(header: &str) -> Option<Challenge> {
        let (kind, rest) = header.trim().split_once(' ').unwrap_or((header.trim(), ""));
        if kind.eq_ignore_ascii_case("basic") {
            return Some(Challenge::Basic);
        }
        if !kind.eq_ignore_ascii_case("bearer") {
            return None;
        }
        let value = |name: &str| pairs(rest).into_iter().find(|(key, _)| key == name);
        let value = |name: &str| value(name).map(|(_, value)| value);
        Some(Challenge::Bearer {
            realm: value("realm")?,
            service: value("service"),
            scope: value("scope"),
        })
    }

    /// Where a token is had.
    pub(crate) fn url(&self, wanted: &str) -> Option<String> {
        let Challenge::Bearer { realm, service, scope } = self else { return None };
        let scope = scope.as_deref().unwrap_or(wanted);
        let mut url = format!(
            "{realm}{}scope={}",
            if realm.contains('?') { '&' } else { '?' },
            encoded(scope)
        );
        if let Some(service) = service {
            url += &format!("&service={}", encoded(service));
        }
        Some(url)
    }
}

/// `key="value",key="value"`; a value may hold commas.
fn pairs(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut rest = text.trim();
    while let Some((key, behind)) = rest.split_once('=') {
        let key = key.trim_matches([' ', ',']).to_ascii_lowercase();
        let (value, after) = match behind.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
            None => behind.split_once(',').unwrap_or((behind, "")),
        };
        found.push((key, value.to_owned()));
        rest = after;
    }
    found
}

fn encoded(text: &str) -> String {
    let plain = |it: u8| it.is_ascii_alphanumeric() || b"-_.~".contains(&it);
    text.bytes().fold(String::new(), |mut out, byte| {
        if plain(byte) {
            out.push(char::from(byte));
        } else {
            out += &format!("%{byte:02X}");
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_says_where_a_token_is_had() {
        let check = |header: &str, expected: Option<&str>| {
            let url = Challenge::read(header).map(|it| it.url("repository:a:pull"));
            assert_eq!(url.flatten().as_deref(), expected, "{header}");
        };
        check(
            r#"Bearer realm="https://auth.example.com/token",service="r",scope="repository:a/b:pull,push""#,
            Some("https://auth.example.com/token?scope=repository%3Aa%2Fb%3Apull%2Cpush&service=r"),
        );
        check(
            r#"bearer realm="https://a.example/t?x=1""#,
            Some("https://a.example/t?x=1&scope=repository%3Aa%3Apull"),
        );
        check(r#"Basic realm="x""#, None);
        check("Negotiate", None);
        assert_eq!(Challenge::read("Basic realm=\"x\""), Some(Challenge::Basic));
    }

    #[test]
    fn a_login_is_not_printed() {
        let login = Login { username: "AWS".into(), password: Secret::new("it") };
        assert!(!format!("{login:?}").contains("it\""), "{login:?}");
        assert_eq!(login.basic(), "Basic QVdTOml0");
    }
}
