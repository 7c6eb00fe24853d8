//! Signing in: which credentials there are, in the order in which AWS's own tools look for them.
//!
//! Keys in the environment; a role by a token file named in the environment; a profile with its
//! keys, its role by a token file, or its role by another profile's; the role of a task. The settings
//! of an environment may name the profile, the role of the machine, or a role: that is assumed by a
//! token (our own issuer's, a file's, that of a job of GitHub Actions), else on top of whatever was
//! found.

use std::path::PathBuf;
use std::sync::Arc;

use mask::Secret;

use crate::client::{Client, unreadable};
use crate::credentials::Credentials;
use crate::fault::{Fault, FaultKind};
use crate::instance;
use crate::local::{Question, nobody};
use crate::profile::Profiles;
use crate::service::Service;
use crate::token::{Issue, TokenSource, told};
use crate::transport::{Reply, Unanswered};
use crate::xml::element;

/// What signing in reads: the environment, files, and who stands beside us.
pub trait Surroundings: Send + Sync {
    /// A variable of the environment.
    fn variable(&self, name: &str) -> Option<String>;
    /// The text of a file; none where there is none.
    fn file(&self, path: &std::path::Path) -> Option<String>;
    /// Asks who hands out credentials or tokens here. Nobody does, unless this is done.
    ///
    /// # Errors
    /// When no answer comes.
    fn ask(&self, question: &Question) -> Result<Reply, Unanswered> {
        nobody(question)
    }
}

/// A role that is assumed on top.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assume {
    /// Its ARN.
    pub role: String,
    /// How the session is called, before the deployment: `launchway-planner-staging`. CloudTrail
    /// keeps it as `launchway-planner-staging-12`.
    pub session: String,
    /// How long the session is good for.
    pub seconds: u64,
}

/// How credentials are come by.
#[derive(Clone)]
pub struct SignIn {
    surroundings: Arc<dyn Surroundings>,
    profile: Option<String>,
    assume: Option<Assume>,
    issuer: Option<Arc<dyn Issue>>,
    /// By the role of the machine or task, whatever the environment says.
    instance: bool,
}

/// Why there are no credentials.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignInError {
    /// Nowhere.
    #[error(
        "there are no AWS credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, or AWS_ROLE_ARN with AWS_WEB_IDENTITY_TOKEN_FILE"
    )]
    None,
    /// The profile is not in the files.
    #[error("there is no AWS profile `{0}`")]
    NoProfile(String),
    /// The profile signs in by a way that is not known here.
    #[error(
        "the AWS profile `{profile}` signs in by `{way}`, which Launchway does not do; run `eval \"$(aws configure export-credentials --profile {profile} --format env)\"` before"
    )]
    Unknown {
        /// Which profile.
        profile: String,
        /// Its key.
        way: String,
    },
    /// A profile with half of a way.
    #[error("the AWS profile `{0}` has no credentials")]
    Empty(String),
    /// Profiles that name one another.
    #[error("the AWS profile `{0}` is its own source")]
    Circle(String),
    /// The file with the token is not there.
    #[error("the token file {} cannot be read", .0.display())]
    NoToken(PathBuf),
    /// The job's runner gave none.
    #[error(
        "the runner of this job gave no token: {0}; the job needs `permissions: {{ id-token: write }}`"
    )]
    NoJobToken(String),
    /// Our own issuer gave none.
    #[error("there is no token of our own: {0}")]
    NoOwnToken(String),
    /// Neither task nor machine gave any.
    #[error("there are no credentials of a role of this machine: {0}")]
    NoInstance(String),
}

/// Ways that a profile may sign in and that are not done here.
const UNKNOWN_WAYS: &[&str] =
    &["credential_process", "login_session", "sso_session", "sso_start_url"];
/// Profiles name sources at most so deep.
const SOURCES_MAX: usize = 5;

/// What a profile, or the environment, comes down to.
enum Way {
    Keys(Credentials),
    Token {
        role: String,
        from: TokenSource,
        session: Option<String>,
    },
    /// The role of the task or machine.
    Instance,
}

impl SignIn {
    /// Signs in with what is found around.
    pub fn new(surroundings: Arc<dyn Surroundings>) -> SignIn {
        SignIn { surroundings, profile: None, assume: None, issuer: None, instance: false }
    }

    /// By this profile, whatever the environment says.
    pub fn with_profile(mut self, name: &str) -> SignIn {
        self.profile = Some(name.to_owned());
        self
    }

    /// By the role of the task or machine, whatever the environment says.
    pub fn of_this_machine(mut self) -> SignIn {
        self.instance = true;
        self
    }

    /// A role that is assumed is given for a token of this issuer, whatever the environment says.
    pub fn with_issuer(mut self, issuer: Arc<dyn Issue>) -> SignIn {
        self.issuer = Some(issuer);
        self
    }

    /// And takes a role on top of it.
    pub fn assuming(mut self, assume: Assume) -> SignIn {
        self.assume = Some(assume);
        self
    }

    /// Whether a session is begun that has a name.
    pub(crate) fn takes_a_role(&self) -> bool {
        self.assume.is_some()
    }

    /// Credentials, through calls where it needs some.
    pub(crate) fn credentials(&self, client: &mut Client) -> Result<Credentials, Fault> {
        let session = self.assume.as_ref().map_or("launchway", |it| it.session.as_str());
        let session = &named_for(session, client.called_for());
        let (way, roles) = self.way().map_err(|error| no_credentials(&error))?;
        // An hour is what AWS gives where nothing is said.
        let seconds = self.assume.as_ref().map_or(3600, |it| it.seconds).to_string();
        // A role that the token already gave is not assumed again.
        let given =
            matches!((&way, &self.assume), (Way::Token { role, .. }, Some(it)) if *role == it.role);
        let mut credentials = match way {
            Way::Keys(credentials) => credentials,
            Way::Instance => instance::credentials(&*self.surroundings)
                .map_err(|why| no_credentials(&SignInError::NoInstance(why)))?,
            Way::Token { role, from, session: own } => {
                let token = from.token(&*self.surroundings).map_err(|it| no_credentials(&it))?;
                let members = [
                    ("RoleArn", role.as_str()),
                    ("RoleSessionName", own.as_ref().unwrap_or(session)),
                    ("WebIdentityToken", token.expose()),
                    ("DurationSeconds", &seconds),
                ];
                let reply = client.query(Service::Sts, "AssumeRoleWithWebIdentity", &members, None);
                let reply = reply.map_err(|fault| explained(fault, &role, token.expose()))?;
                read("sts:AssumeRoleWithWebIdentity", &reply)?
            }
        };
        let on_top = self.assume.as_ref().filter(|_| !given).map(|it| it.role.clone());
        for role in roles.into_iter().chain(on_top) {
            let members = [
                ("RoleArn", role.as_str()),
                ("RoleSessionName", session),
                ("DurationSeconds", &seconds),
            ];
            let reply = client.query(Service::Sts, "AssumeRole", &members, Some(credentials))?;
            credentials = read("sts:AssumeRole", &reply)?;
        }
        Ok(credentials)
    }

    /// The first way in, and the roles that profiles take on top of it.
    fn way(&self) -> Result<(Way, Vec<String>), SignInError> {
        let variable = |name: &str| self.surroundings.variable(name).filter(|it| !it.is_empty());
        if self.instance {
            return Ok((Way::Instance, Vec::new()));
        }
        if let Some(name) = &self.profile {
            return self.by_profile(&self.profiles(&variable), name);
        }
        if let Some(assume) = &self.assume
            && let Some(from) = self.token_source(&variable)
        {
            return Ok((Way::Token { role: assume.role.clone(), from, session: None }, Vec::new()));
        }
        let keys = variable("AWS_ACCESS_KEY_ID").zip(variable("AWS_SECRET_ACCESS_KEY"));
        if let Some((key_id, secret)) = keys {
            let session = variable("AWS_SESSION_TOKEN").map(Secret::new);
            let credentials = Credentials { session, ..Credentials::key(&key_id, &secret) };
            return Ok((Way::Keys(credentials), Vec::new()));
        }
        let token = variable("AWS_ROLE_ARN").zip(variable("AWS_WEB_IDENTITY_TOKEN_FILE"));
        if let Some((role, file)) = token {
            let session = variable("AWS_ROLE_SESSION_NAME");
            let from = TokenSource::File(file.into());
            return Ok((Way::Token { role, from, session }, Vec::new()));
        }
        let named = variable("AWS_PROFILE").or_else(|| variable("AWS_DEFAULT_PROFILE"));
        let profiles = self.profiles(&variable);
        match named {
            Some(name) => self.by_profile(&profiles, &name),
            None if profiles.get("default").is_some() => self.by_profile(&profiles, "default"),
            // A task says where its role is. A machine is asked only where the settings say so:
            // a laptop would wait for an answer that never comes.
            None if instance::is_task(&*self.surroundings) => Ok((Way::Instance, Vec::new())),
            None => Err(SignInError::None),
        }
    }

    /// A token that a role may be given for: our own where the settings say so, else what is there.
    fn token_source(&self, variable: &dyn Fn(&str) -> Option<String>) -> Option<TokenSource> {
        if let Some(issuer) = &self.issuer {
            return Some(TokenSource::Own(Arc::clone(issuer)));
        }
        let file = variable("AWS_WEB_IDENTITY_TOKEN_FILE");
        file.map(|it| TokenSource::File(it.into())).or_else(|| TokenSource::of_job(variable))
    }

    fn by_profile(
        &self,
        profiles: &Profiles,
        name: &str,
    ) -> Result<(Way, Vec<String>), SignInError> {
        let mut roles = Vec::new();
        let mut current = name.to_owned();
        for _ in 0..SOURCES_MAX {
            let keys =
                profiles.get(&current).ok_or_else(|| SignInError::NoProfile(current.clone()))?;
            let get = |key: &str| keys.get(key).cloned();
            if let Some(role) = get("role_arn") {
                if let Some(file) = get("web_identity_token_file") {
                    roles.reverse();
                    let session = get("role_session_name");
                    let from = TokenSource::File(file.into());
                    return Ok((Way::Token { role, from, session }, roles));
                }
                if let Some(source) = get("credential_source") {
                    roles.push(role);
                    roles.reverse();
                    return match source.as_str() {
                        "EcsContainer" | "Ec2InstanceMetadata" => Ok((Way::Instance, roles)),
                        "Environment" => Ok((self.keys_of_environment(&current)?, roles)),
                        _ => Err(SignInError::Unknown { profile: current, way: source }),
                    };
                }
                if let Some(source) = get("source_profile") {
                    roles.push(role);
                    if source != current {
                        current = source;
                        continue;
                    }
                    // A profile that is its own source has keys and a role.
                }
            }
            if let Some((key_id, secret)) =
                get("aws_access_key_id").zip(get("aws_secret_access_key"))
            {
                let session = get("aws_session_token").map(Secret::new);
                roles.reverse();
                return Ok((
                    Way::Keys(Credentials { session, ..Credentials::key(&key_id, &secret) }),
                    roles,
                ));
            }
            let unknown = UNKNOWN_WAYS.iter().find(|way| keys.contains_key(**way));
            return Err(match unknown {
                Some(way) => SignInError::Unknown { profile: current, way: (*way).to_owned() },
                None => SignInError::Empty(current),
            });
        }
        Err(SignInError::Circle(name.to_owned()))
    }

    fn keys_of_environment(&self, profile: &str) -> Result<Way, SignInError> {
        let variable = |name: &str| self.surroundings.variable(name).filter(|it| !it.is_empty());
        let keys = variable("AWS_ACCESS_KEY_ID").zip(variable("AWS_SECRET_ACCESS_KEY"));
        let (key_id, secret) = keys.ok_or_else(|| SignInError::Empty(profile.to_owned()))?;
        let session = variable("AWS_SESSION_TOKEN").map(Secret::new);
        Ok(Way::Keys(Credentials { session, ..Credentials::key(&key_id, &secret) }))
    }

    fn profiles(&self, variable: &dyn Fn(&str) -> Option<String>) -> Profiles {
        let home = PathBuf::from(variable("HOME").unwrap_or_default());
        let text = |name: &str, usual: &str| {
            let path = variable(name).map_or_else(|| home.join(".aws").join(usual), PathBuf::from);
            self.surroundings.file(&path).unwrap_or_default()
        };
        Profiles::read(
            &text("AWS_CONFIG_FILE", "config"),
            &text("AWS_SHARED_CREDENTIALS_FILE", "credentials"),
        )
    }
}

fn no_credentials(error: &SignInError) -> Fault {
    Fault {
        kind: FaultKind::SignIn,
        action: String::new(),
        code: None,
        message: error.to_string(),
        request_id: None,
        resources: Box::default(),
    }
}

/// The longest name of a session.
const SESSION_MAX: usize = 64;

/// A session's name with the deployment that it is for.
fn named_for(session: &str, deployment: Option<&str>) -> String {
    let behind = deployment.map_or(String::new(), |it| format!("-{it}"));
    let room = SESSION_MAX.saturating_sub(behind.len());
    format!("{}{behind}", session.chars().take(room).collect::<String>())
}

/// A role that is not given for a token: what the token says is what the role's trust judges by.
fn explained(mut fault: Fault, role: &str, token: &str) -> Fault {
    if matches!(fault.kind, FaultKind::Denied | FaultKind::SignIn | FaultKind::Refused) {
        fault.message = format!("{} ({role}: {})", fault.message, told(token));
    }
    fault
}

pub(crate) fn read(action: &str, reply: &Reply) -> Result<Credentials, Fault> {
    let member = |name| element(&reply.body, name);
    let keys = member("AccessKeyId").zip(member("SecretAccessKey"));
    let rest = member("SessionToken").zip(member("Expiration"));
    let (Some((key_id, secret)), Some((session, until))) = (keys, rest) else {
        return Err(unreadable(action, reply));
    };
    let until = until.parse::<jiff::Timestamp>().map_err(|_| unreadable(action, reply))?;
    let until = u64::try_from(until.as_millisecond()).map_err(|_| unreadable(action, reply))?;
    Ok(Credentials {
        session: Some(Secret::new(session)),
        until: Some(until),
        ..Credentials::key(key_id, secret)
    })
}

#[cfg(test)]
mod tests {
    use super::named_for;

    #[test]
    fn a_session_bears_the_deployment_within_awss_limit() {
        assert_eq!(named_for("launchway-planner-staging", None), "launchway-planner-staging");
        assert_eq!(named_for("launchway-planner", Some("12")), "launchway-planner-12");
        let long = named_for(&"a".repeat(80), Some("1234"));
        assert_eq!((long.len(), long.ends_with("a-1234")), (64, true));
        assert_eq!(named_for(&"a".repeat(80), None).len(), 64);
    }
}
