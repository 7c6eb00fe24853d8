//! Where a secret lies. The secret itself never stands in the settings.

use std::fmt;

/// A reference to a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretReference {
    /// AWS Secrets Manager: name or ARN, and the key of its JSON where only one value is meant.
    SecretsManager {
        /// Name or ARN.
        id: String,
        /// A key of the JSON that the secret holds.
        key: Option<String>,
    },
    /// A parameter of the SSM Parameter Store: name or ARN.
    Ssm {
        /// Name or ARN.
        name: String,
    },
    /// A key of a Kubernetes Secret in the target's namespace.
    Kubernetes {
        /// The Secret.
        secret: String,
        /// The key in it.
        key: String,
    },
    /// Kept on the machine that deploys, by `launchway secrets set`.
    Local {
        /// Its name.
        name: String,
    },
    /// A file of the machine that deploys, outside of the repository as a rule.
    File {
        /// Its path.
        path: String,
    },
}

/// Parts of a Secrets Manager ARN up to its name: `arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME`.
const SECRET_ARN_PARTS: usize = 7;
/// Parts of an SSM ARN: `arn:aws:ssm:REGION:ACCOUNT:parameter/NAME`.
const PARAMETER_ARN_PARTS: usize = 6;

/// Reads a reference. The reasons never repeat the text.
pub(crate) fn parse(text: &str) -> Result<SecretReference, &'static str> {
    if text.contains(char::is_whitespace) {
        return Err("a reference holds no blank");
    }
    if text.starts_with("arn:") {
        return arn(text);
    }
    let (scheme, rest) = text.split_once(':').ok_or("it is no reference to a secret")?;
    match scheme {
        _ if rest.is_empty() => Err("it names no secret"),
        "secretsmanager" => {
            let (id, key) = match rest.split_once('#') {
                Some((id, key)) if !id.is_empty() && !key.is_empty() => (id, Some(key.to_owned())),
                Some(_) => return Err("something is missing before or behind the `#`"),
                None => (rest, None),
            };
            if id.starts_with("arn:") {
                return Err("an ARN stands by itself, without `secretsmanager:`");
            }
            Ok(SecretReference::SecretsManager { id: id.to_owned(), key })
        }
        "ssm" => Ok(SecretReference::Ssm { name: rest.to_owned() }),
        "kubernetes" => match rest.split_once('/') {
            Some((secret, key)) if !secret.is_empty() && !key.is_empty() => {
                Ok(SecretReference::Kubernetes { secret: secret.to_owned(), key: key.to_owned() })
            }
            _ => Err("it names a Secret and a key with `/` between them"),
        },
        "local" if is_name(rest) => Ok(SecretReference::Local { name: rest.to_uppercase() }),
        "local" => Err("a name is letters, digits and _, not a digit first"),
        "file" => Ok(SecretReference::File { path: rest.to_owned() }),
        _ => Err("it is no reference to a secret"),
    }
}

fn is_name(text: &str) -> bool {
    let letters = text.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'_');
    letters && !text.starts_with(|it: char| it.is_ascii_digit())
}

impl fmt::Display for SecretReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SecretReference::SecretsManager { id, key: None } => write!(f, "secretsmanager:{id}"),
            SecretReference::SecretsManager { id, key: Some(key) } => {
                write!(f, "secretsmanager:{id}#{key}")
            }
            SecretReference::Ssm { name } => write!(f, "ssm:{name}"),
            SecretReference::Kubernetes { secret, key } => write!(f, "kubernetes:{secret}/{key}"),
            SecretReference::Local { name } => write!(f, "local:{name}"),
            SecretReference::File { path } => write!(f, "file:{path}"),
        }
    }
}

/// ECS writes the key of the JSON behind the ARN: `...:secret:NAME:KEY::`.
fn arn(text: &str) -> Result<SecretReference, &'static str> {
    let parts: Vec<&str> = text.split(':').collect();
    match parts.get(2) {
        Some(&"secretsmanager") => {
            let whole = parts.len() >= SECRET_ARN_PARTS
                && parts[5] == "secret"
                && !parts[SECRET_ARN_PARTS - 1].is_empty();
            if !whole {
                return Err("this ARN names no secret");
            }
            let key = parts.get(SECRET_ARN_PARTS).filter(|key| !key.is_empty());
            let id = parts[..SECRET_ARN_PARTS].join(":");
            Ok(SecretReference::SecretsManager { id, key: key.map(|key| (*key).to_owned()) })
        }
        Some(&"ssm") if parts.len() == PARAMETER_ARN_PARTS => {
            let name = parts[PARAMETER_ARN_PARTS - 1].strip_prefix("parameter/");
            if name.is_none_or(str::is_empty) {
                return Err("this ARN names no parameter");
            }
            Ok(SecretReference::Ssm { name: text.to_owned() })
        }
        _ => Err("this ARN names no secret and no parameter"),
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(text: &str, expected: Expect) {
        expected.assert_eq(&format!("{:?}", parse(text)));
    }

    #[test]
    fn where_it_lies_is_told_by_scheme_or_arn() {
        check(
            "secretsmanager:planner/db#url",
            expect![[r#"Ok(SecretsManager { id: "planner/db", key: Some("url") })"#]],
        );
        check("ssm:/planner/token", expect![[r#"Ok(Ssm { name: "/planner/token" })"#]]);
        check(
            "arn:aws:secretsmanager:eu-central-1:111122223333:secret:db-AbCdEf:url::",
            expect![[
                r#"Ok(SecretsManager { id: "arn:aws:secretsmanager:eu-central-1:111122223333:secret:db-AbCdEf", key: Some("url") })"#
            ]],
        );
        check(
            "arn:aws:ssm:eu-central-1:111122223333:parameter/planner/token",
            expect![[
                r#"Ok(Ssm { name: "arn:aws:ssm:eu-central-1:111122223333:parameter/planner/token" })"#
            ]],
        );
        check(
            "kubernetes:planner/token",
            expect![[r#"Ok(Kubernetes { secret: "planner", key: "token" })"#]],
        );
        check("local:db_url", expect![[r#"Ok(Local { name: "DB_URL" })"#]]);
        check("local:1", expect![[r#"Err("a name is letters, digits and _, not a digit first")"#]]);
        check("file:/etc/planner/token", expect![[r#"Ok(File { path: "/etc/planner/token" })"#]]);
    }

    #[test]
    fn the_secret_itself_is_no_reference_and_is_not_repeated() {
        check("hunter2", expect![[r#"Err("it is no reference to a secret")"#]]);
        check(
            "https://hooks.example.com/T0/B0",
            expect![[r#"Err("it is no reference to a secret")"#]],
        );
        check(
            "arn:aws:s3:::bucket",
            expect![[r#"Err("this ARN names no secret and no parameter")"#]],
        );
        check(
            "secretsmanager:db#",
            expect![[r#"Err("something is missing before or behind the `#`")"#]],
        );
    }
}
