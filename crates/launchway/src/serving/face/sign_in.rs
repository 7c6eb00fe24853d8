//! People sign in by a provider: what its claims give them here.
//!
//! Three things are kept apart. Who somebody is, the provider says. What they may, the administrator says,
//! by claims. Who may agree to what, `launchway.yml` says at the tip of the default branch, by logins; so
//! which claim is a login has to be said, and nothing is guessed: people choose much of what a provider
//! says of them.

use std::path::Path;

use event::{Digest, Timestamp};
use mask::Secret;
use server::{ComeBack, Grant, NotSignedIn, Scope, Sent, SignIn};
use sign_in::{Claims, Provider, Rule, Settings, SettingsError, SignInError, given};

use crate::cli::SignInArgs;
use crate::exit::{Exit, Failure};
use crate::serving::repositories;

/// What providers say of people without being asked for more: their names.
const ASKS: [&str; 2] = ["profile", "email"];
/// What people are called where nobody said which claim is their login; the first that is there.
const NAMES: [&str; 3] = ["preferred_username", "email", "name"];
/// Longer is no name.
const NAME_CHARS_MAX: usize = 100;
/// A secret is a line.
const SECRET_BYTES_MAX: usize = 4096;
/// Providers at which everybody has an account.
const EVERYBODYS: [&str; 5] = [
    "https://accounts.google.com",
    "https://appleid.apple.com",
    "https://gitlab.com",
    "https://login.microsoftonline.com/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0",
    "https://www.facebook.com",
];

/// The provider, and what it means here.
pub(crate) struct SignsIn {
    provider: Provider,
    person: Option<String>,
    rules: Vec<Rule<Grant>>,
    digest: Digest,
}

impl SignsIn {
    /// As the command line says; none where it says none. Browsers come back to the server at this address.
    pub(crate) fn of(args: &SignInArgs, reached: &str) -> Result<Option<SignsIn>, Failure> {
        let secret = args.sign_in_secret_file.as_deref().map(secret).transpose()?;
        SignsIn::with(args, reached, secret)
    }

    /// Whether the command line says what can be meant. The file with the secret is not looked at: it may be
    /// another's to read.
    pub(crate) fn check(args: &SignInArgs) -> Result<(), Failure> {
        SignsIn::with(args, "", None).map(drop)
    }

    fn with(
        args: &SignInArgs,
        reached: &str,
        secret: Option<Secret>,
    ) -> Result<Option<SignsIn>, Failure> {
        let (Some(issuer), Some(client)) = (&args.issuer, &args.client) else { return Ok(None) };
        let usage = |message: String| Failure::new(Exit::Usage, message);
        let rules = args.sign_in_allow.iter().map(|it| rule(it)).collect::<Result<Vec<_>, _>>()?;
        if rules.is_empty() && EVERYBODYS.contains(&issuer.trim_end_matches('/')) {
            let message = format!("everybody has an account at {issuer}, so everybody could read");
            return Err(Failure::new(Exit::Forbidden, message).hint(
                "say who may: --sign-in-allow hd=example.com:read, or email=mona@example.com:read",
            ));
        }
        let asks = ASKS.map(str::to_owned).into_iter().chain(args.sign_in_ask.iter().cloned());
        let claims = rules.iter().map(|it| it.claim.clone()).chain(args.sign_in_person.clone());
        // Kept as its digest alone.
        let told = format!(
            "{issuer:?} {client:?} {:?} {:?} {:?} {:?}",
            args.sign_in_person,
            args.sign_in_allow,
            args.sign_in_ask,
            secret.as_ref().map(Secret::expose)
        );
        let settings = Settings {
            issuer: issuer.clone(),
            client: client.clone(),
            secret,
            asks: asks.collect(),
            claims: claims.collect(),
            back: format!("{reached}/sign-in/return"),
        };
        let provider = Provider::new(settings).map_err(|error| match error {
            SettingsError::Issuer => usage(format!("--sign-in-issuer {issuer}: {error}")),
            SettingsError::Client => usage(format!("--sign-in-client {client}: {error}")),
        })?;
        let (person, digest) = (args.sign_in_person.clone(), Digest::of(told.as_bytes()));
        Ok(Some(SignsIn { provider, person, rules, digest }))
    }

    /// Repositories that rules name and that are not connected, each with what may be meant: who is bound to
    /// one sees nothing until it is.
    pub(crate) fn unconnected(&self, connected: &[String]) -> Vec<String> {
        let mut notes = Vec::new();
        for name in self.rules.iter().filter_map(|it| it.gives.repository.as_ref()) {
            if connected.contains(name) {
                continue;
            }
            let meant = connected.iter().find(|it| it.eq_ignore_ascii_case(name));
            let meant = meant.map(|it| format!("; {it} is")).unwrap_or_default();
            let note = format!("note: --sign-in-allow: no repository {name} is connected{meant}");
            if !notes.contains(&note) {
                notes.push(note);
            }
        }
        notes
    }

    /// What somebody may; none of it where no rule is about them.
    fn grants(&self, claims: &Claims) -> Vec<Grant> {
        if self.rules.is_empty() {
            return vec![Grant { scope: Scope::Read, environment: None, repository: None }];
        }
        let mut grants: Vec<Grant> = Vec::new();
        for grant in given(&self.rules, claims) {
            if !grants.contains(grant) {
                grants.push(grant.clone());
            }
        }
        grants
    }
}

impl SignIn for SignsIn {
    fn host(&self) -> &str {
        self.provider.host()
    }

    fn rules(&self) -> Digest {
        self.digest
    }

    fn begin(&self, next: &str, now: Timestamp) -> Result<Sent, NotSignedIn> {
        let begun = self.provider.begin(next, now.0 / 1_000).map_err(|it| not_signed_in(&it))?;
        Ok(Sent { address: begun.address, cookie: begun.cookie })
    }

    fn finish(&self, cookie: &str, query: &str, now: Timestamp) -> Result<ComeBack, NotSignedIn> {
        let finished = self.provider.finish(cookie, query, now.0 / 1_000);
        let sign_in::SignedIn { claims, next } = finished.map_err(|it| not_signed_in(&it))?;
        let name = |claim: &str| {
            let text = claims.line(claim).filter(|it| it.chars().count() <= NAME_CHARS_MAX);
            text.map(str::to_owned)
        };
        let subject = claims.subject().to_owned();
        let person = self.person.as_deref().and_then(name);
        // Where a claim is the login, no other is: people choose what they are called.
        let called = match &self.person {
            Some(_) => person.clone(),
            None => NAMES.into_iter().find_map(name),
        };
        let called =
            called.unwrap_or_else(|| subject.chars().take(NAME_CHARS_MAX).collect::<String>());
        let grants = self.grants(&claims);
        if grants.is_empty() {
            let host = self.provider.host();
            let why = format!("nothing that {host} says of them lets them in here");
            return Err(NotSignedIn { why, name: Some(called), is_away: false, is_bound: true });
        }
        let issuer = self.provider.issuer().to_owned();
        Ok(ComeBack { issuer, subject, name: called, person, grants, next })
    }
}

fn not_signed_in(error: &SignInError) -> NotSignedIn {
    let (is_away, is_bound) = match error {
        SignInError::Unbound | SignInError::Random => (false, false),
        SignInError::Away(_) => (true, false),
        SignInError::Refused(_) | SignInError::Unproven(_) => (false, true),
        SignInError::Wrong(_) => (true, true),
    };
    NotSignedIn { why: error.to_string(), name: None, is_away, is_bound }
}

/// `CLAIM=VALUE:SCOPE[/OWNER/NAME][@ENVIRONMENT]`: a claim has no `=`, behind the last `:` stands a scope, and
/// no scope and no repository has an `@`.
fn rule(text: &str) -> Result<Rule<Grant>, Failure> {
    let wrong = |why: &str| {
        Failure::new(Exit::Usage, format!("--sign-in-allow {text}: {why}"))
            .hint("such as groups=backend:operate, groups=backend:operate/octo/app, or groups=leads:approve@production")
    };
    let split = text.split_once('=').and_then(|(claim, rest)| {
        let (value, gives) = rest.rsplit_once(':')?;
        Some((claim.trim(), value, gives))
    });
    let Some((claim, value, gives)) = split else {
        return Err(wrong("this is no CLAIM=VALUE:SCOPE"));
    };
    if claim.is_empty() || value.is_empty() {
        return Err(wrong("a claim has a name, and a value"));
    }
    let (scope, environment) = match gives.split_once('@') {
        Some((scope, environment)) => (scope, Some(environment)),
        None => (gives, None),
    };
    let (scope, repository) = match scope.split_once('/') {
        Some((scope, repository)) => (scope, Some(repository)),
        None => (scope, None),
    };
    if repository.is_some_and(|it| repositories::checked_name(it).is_err()) {
        let why = "a repository is OWNER/NAME, of letters, digits, dashes, dots and underscores";
        return Err(wrong(why));
    }
    let scope = match scope {
        "read" => Scope::Read,
        "approve" => Scope::Approve,
        "operate" => Scope::Operate,
        "deploy" => Scope::Deploy,
        "admin" => Scope::Admin,
        _ => return Err(wrong("a scope is read, approve, operate, deploy or admin")),
    };
    if environment.is_some_and(str::is_empty) {
        return Err(wrong("an environment has a name"));
    }
    if environment.is_some() && !matches!(scope, Scope::Approve | Scope::Deploy) {
        return Err(wrong("only approve and deploy are of an environment"));
    }
    Ok(Rule {
        claim: claim.to_owned(),
        value: value.to_owned(),
        gives: Grant {
            scope,
            environment: environment.map(str::to_owned),
            repository: repository.map(str::to_owned),
        },
    })
}

fn secret(path: &Path) -> Result<Secret, Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        let context = format!("cannot read --sign-in-secret-file {}", path.display());
        Failure::caused(Exit::Usage, anyhow::Error::new(error).context(context))
    })?;
    let text = text.trim();
    if text.is_empty() || text.len() > SECRET_BYTES_MAX || text.contains(char::is_control) {
        let message = format!("{} holds no secret: one line of text", path.display());
        return Err(Failure::new(Exit::Usage, message));
    }
    Ok(Secret::new(text))
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use serde_json::json;

    use super::*;

    fn signs_in(allow: &[&str]) -> Result<SignsIn, Failure> {
        let args = SignInArgs {
            issuer: Some("https://login.example.com".to_owned()),
            client: Some("launchway".to_owned()),
            sign_in_allow: allow.iter().map(|it| (*it).to_owned()).collect(),
            ..SignInArgs::default()
        };
        SignsIn::of(&args, "http://127.0.0.1:7878").map(|it| it.expect("it has an issuer"))
    }

    fn check(allow: &[&str], claims: serde_json::Value, expected: &Expect) {
        let said = match signs_in(allow) {
            Err(failure) => format!("{:#}", failure.error),
            Ok(signs_in) => {
                let claims = Claims::of(claims).expect("it is an object");
                let grants = signs_in.grants(&claims);
                grants.iter().map(Grant::words).collect::<Vec<_>>().join(", ")
            }
        };
        expected.assert_eq(&said);
    }

    #[test]
    fn claims_give_what_was_said_and_nothing_else_does() {
        let groups = || json!({ "sub": "1", "groups": ["backend", "cn=leads,ou=all"] });
        check(&[], groups(), &expect!["read"]);
        check(&["groups=backend:operate"], groups(), &expect!["operate"]);
        check(
            &[
                "groups=backend:deploy@staging",
                "groups=cn=leads,ou=all:approve@production",
                "groups=backend:deploy@staging",
            ],
            groups(),
            &expect!["deploy in staging, approve in production"],
        );
        check(
            &["groups=backend:operate/octo/app", "groups=backend:deploy/octo/api@eu/staging"],
            groups(),
            &expect!["operate for octo/app, deploy in eu/staging for octo/api"],
        );
        check(
            &["groups=Backend:operate", "groups=back:read", "team=backend:admin"],
            groups(),
            &expect![""],
        );
        let nested =
            json!({ "sub": "1", "realm_access": { "roles": ["ci"] }, "https://x.example/y": "z" });
        check(
            &["realm_access.roles=ci:operate", "https://x.example/y=z:read"],
            nested,
            &expect!["operate, read"],
        );
        // An address that nobody verified is nobody's.
        let email = |verified: serde_json::Value| json!({ "sub": "1", "email": "mona@example.com", "email_verified": verified });
        check(&["email=mona@example.com:admin"], email(json!(true)), &expect!["admin"]);
        check(&["email=mona@example.com:admin"], email(json!(false)), &expect![""]);
        check(&["email=mona@example.com:admin"], email(json!("true")), &expect![""]);
        check(
            &["email=mona@example.com:admin"],
            json!({ "sub": "1", "email": "mona@example.com" }),
            &expect![""],
        );
    }

    #[test]
    fn repositories_that_are_not_connected_are_said() {
        let allow =
            ["g=a:read", "g=a:operate/Octo/Shop", "g=b:read/octo/gone", "g=c:read/octo/gone"];
        let known = ["octo/shop".to_owned()];
        expect![[r#"
            note: --sign-in-allow: no repository Octo/Shop is connected; octo/shop is
            note: --sign-in-allow: no repository octo/gone is connected"#]]
        .assert_eq(&signs_in(&allow).unwrap().unconnected(&known).join("\n"));
        assert!(signs_in(&["g=a:operate/octo/shop"]).unwrap().unconnected(&known).is_empty());
    }

    #[test]
    fn a_rule_that_is_none_is_refused() {
        for wrong in [
            "",
            "groups",
            "groups=backend",
            "=backend:read",
            "groups=:read",
            "groups=backend:viewer",
            "groups=backend:runner",
            "groups=backend:admin@production",
            "groups=backend:approve@",
            "groups=backend:operate/app",
            "groups=backend:operate/octo/",
            "groups=backend:operate/octo/app/x",
            "groups=backend:operate/octo/*",
            "groups=backend:operate/../x",
            "groups=backend:operate/octo/a b@staging",
        ] {
            assert!(signs_in(&[wrong]).is_err(), "{wrong}");
        }
    }
}
