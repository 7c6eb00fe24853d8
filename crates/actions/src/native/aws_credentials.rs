//! `aws-actions/configure-aws-credentials`: the job is signed in to AWS, by its own token, by keys, or
//! by a role on top of what it is signed in with. Later steps have it in their environment.

mod profile;
mod tags;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use aws::{Client, Credentials, Fault, Identity, RoleRequest, TakenRole};
use mask::Secret;

use super::cloud::{self, Who};
use super::http::Http;
use super::step::{Failure, Step};
use super::{Native, NativeAction, Stage};

/// The registration.
pub(super) const CREDENTIALS: Native = Native {
    action: NativeAction {
        name: "configure-aws-credentials",
        manifest: include_str!("aws_credentials.yml"),
        stages: &[Stage::Main, Stage::Post],
    },
    of: "aws-actions/configure-aws-credentials",
    majors: &[1, 2, 3, 4, 5, 6],
    refs: &["main"],
    commits: &[
        ("67fbcbb121271f7775d2e7715933280b06314838", 1),
        ("5fd3084fc36e372ff1fff382a39b10d03659f355", 2),
        ("50ac8dd1e1b10d09dac7b8727528b91bed831ac0", 3),
        ("010d0da01d0b5a38af31e9c3470dbfdabdecca3a", 4),
        ("e3dd6a429d7300a6a4c196c26e071d42e0343502", 4),
        ("ececac1a45f3b08a01d2dd070d28d111c5fe6722", 4),
        ("b47578312673ae6fa5b5096b330d9fbac3d116df", 4),
        ("7474bc4690e29a8392af63c5b98e7449536d5c3a", 4),
        ("a03048d87541d1d9fcf2ecf528a4a65ba9bd7838", 5),
        ("00943011d9042930efac3dcd3a170e4273319bc8", 5),
        ("61815dcd50bd041e203e49132bacad1fd04d2708", 5),
        ("8df5847569e6427dd6c4fb1cf565c83acfa8afa7", 6),
        ("e6de054238d6b7531b4efff3b6587d9aade6a06c", 6),
    ],
    run,
};

/// Variables that the action sets for later steps.
const VARIABLES: [&str; 5] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_DEFAULT_REGION",
    "AWS_REGION",
];
/// Inputs that later majors also take from a variable of the same name.
const FROM_VARIABLES: &[&str] = &[
    "aws-region",
    "role-to-assume",
    "web-identity-token-file",
    "role-chaining",
    "audience",
    "mask-aws-account-id",
    "role-duration-seconds",
    "role-external-id",
    "role-session-name",
    "role-skip-session-tagging",
    "transitive-tag-keys",
    "inline-session-policy",
    "managed-session-policies",
    "output-credentials",
    "unset-current-credentials",
    "disable-retry",
    "retry-max-attempts",
    "special-characters-workaround",
    "use-existing-credentials",
    "overwrite-aws-profile",
];
const NEWEST: u32 = 6;
/// The original's first wait; it doubles.
const RETRY_MS: u64 = 25;
const COULD_NOT: &str = "Credentials could not be loaded, please check your action inputs";

fn run(step: &mut Step, stage: Stage) -> Result<(), Failure> {
    match stage {
        Stage::Pre => Ok(()),
        Stage::Main => Inputs::read(step)?.sign_in(step),
        Stage::Post => {
            if exports(step)? {
                let profile = step.given("aws-profile").map(|_| "AWS_PROFILE");
                VARIABLES.into_iter().chain(profile).for_each(|name| step.export(name, ""));
            }
            Ok(())
        }
    }
}

/// An input, or where the original looks there too the variable of its name.
fn given(step: &Step, name: &str) -> Option<String> {
    step.given(name).or_else(|| {
        let also = FROM_VARIABLES.contains(&name) && step.major(NEWEST) >= 5;
        step.variable(&name.to_uppercase().replace('-', "_")).filter(|_| also)
    })
}

fn is_on(step: &Step, name: &str, usual: bool) -> Result<bool, Failure> {
    match given(step, name).as_deref() {
        None => Ok(usual),
        Some("true" | "True" | "TRUE") => Ok(true),
        Some("false" | "False" | "FALSE") => Ok(false),
        Some(_) => Err(Failure::new(format!(
            "Input does not meet YAML 1.2 \"Core Schema\" specification: {name}"
        ))
        .hint("it must be true or false")),
    }
}

/// A profile is in the place of variables, unless both are asked for.
fn exports(step: &Step) -> Result<bool, Failure> {
    is_on(step, "output-env-credentials", step.given("aws-profile").is_none())
}

/// How the job signs in.
struct Inputs {
    region: String,
    keys: Option<Credentials>,
    role: Option<RoleRequest>,
    token_file: Option<String>,
    chaining: bool,
    skip_token: bool,
    exports: bool,
    outputs: bool,
    mask_account: bool,
    accounts: Vec<String>,
    attempts: u32,
    plain_secret: bool,
    endpoint: Option<String>,
    deadline: Option<(Instant, u64)>,
}

impl Inputs {
    fn read(step: &mut Step) -> Result<Inputs, Failure> {
        if step.given("no-proxy").is_some() {
            return Err(Failure::new("input `no-proxy` is not done here")
                .hint("set the variable NO_PROXY on the step or the job"));
        }
        let region = given(step, "aws-region")
            .ok_or_else(|| Failure::new("Input required and not supplied: aws-region"))?;
        if !region.bytes().all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || it == b'-') {
            return Err(Failure::new(format!("Region is not valid: {region}")));
        }
        let keys = keys(step)?;
        let token_file = given(step, "web-identity-token-file");
        let role = role(step, keys.as_ref(), token_file.is_some())?;
        let skip_token = is_on(step, "force-skip-oidc", false)?;
        if skip_token && role.is_some() && keys.is_none() && token_file.is_none() {
            return Err(Failure::new(
                "If 'force-skip-oidc' is true and 'role-to-assume' is set, 'aws-access-key-id' or 'web-identity-token-file' must be set",
            ));
        }
        let plain_secret = is_on(step, "special-characters-workaround", false)?;
        let once = is_on(step, "disable-retry", false)? && !plain_secret;
        let attempts = given(step, "retry-max-attempts").and_then(|it| it.parse::<u32>().ok());
        let attempts = attempts.filter(|_| !plain_secret).unwrap_or(12).max(1);
        let seconds = step.given("action-timeout-s").and_then(|it| it.parse::<u64>().ok());
        let seconds = seconds.filter(|seconds| *seconds > 0);
        let accounts = step.input("allowed-account-ids");
        let accounts = accounts.split(',').map(str::trim).filter(|it| !it.is_empty());
        Ok(Inputs {
            region,
            keys,
            role,
            token_file,
            chaining: is_on(step, "role-chaining", false)?,
            skip_token,
            exports: exports(step)?,
            outputs: is_on(step, "output-credentials", false)?,
            // Up to the third major it was hidden unless one said otherwise.
            mask_account: is_on(step, "mask-aws-account-id", step.major(NEWEST) <= 3)?,
            accounts: accounts.map(str::to_owned).collect(),
            attempts: if once { 1 } else { attempts },
            plain_secret,
            endpoint: step.given("sts-endpoint"),
            deadline: seconds.map(|it| (Instant::now() + Duration::from_secs(it), it)),
        })
    }

    fn sign_in(&self, step: &mut Step) -> Result<(), Failure> {
        let unset = is_on(step, "unset-current-credentials", false)?;
        if unset && self.exports {
            VARIABLES.iter().for_each(|name| step.export(name, ""));
        }
        if self.exports {
            step.export("AWS_DEFAULT_REGION", &self.region);
            step.export("AWS_REGION", &self.region);
        }
        let around = if unset { Who::Nobody } else { Who::Step };
        if given(step, "use-existing-credentials").is_some() {
            if self.client(step, around.clone())?.caller_identity().is_ok() {
                step.notice("Pre-existing credentials are valid. No need to generate new ones.");
                return Ok(());
            }
            step.notice("No valid credentials exist. Running as normal.");
        }
        let token = self.token(step)?;
        let source = match &self.keys {
            Some(keys) => Who::Keys(keys.clone()),
            None => around,
        };
        let mut account = None;
        if let Some(keys) = &self.keys {
            self.give(step, keys)?;
            if step.given("aws-profile").is_some() {
                profile::write(step, keys, &self.region, false)?;
            }
        }
        if token.is_none() {
            let identity = self.identity(step, source.clone())?;
            if self.role.is_none() {
                self.check_account(&identity)?;
            }
            if self.exports || self.keys.is_none() {
                self.tell(step, &identity);
            }
            account = Some(identity.account);
        }
        match self.role.clone() {
            Some(role) => self.assume(step, role, token, source, account)?,
            None => step.info("Proceeding with IAM user credentials"),
        }
        if let Some(profile) = step.given("aws-profile").filter(|_| self.exports) {
            step.export("AWS_PROFILE", &profile);
        }
        Ok(())
    }

    /// Takes the role, by the job's token or by what `source` is signed in with.
    fn assume(
        &self,
        step: &mut Step,
        mut role: RoleRequest,
        token: Option<(&'static str, Secret)>,
        source: Who,
        account: Option<String>,
    ) -> Result<(), Failure> {
        if let Some((words, token)) = token {
            role.token = Some(token);
            step.info(words);
            if step.given("custom-tags").is_some() {
                step.warning("'custom-tags' is set but will be ignored because session tags cannot be applied when using OIDC or web identity token authentication. Tags are controlled by the identity provider token claims in these authentication flows.");
            }
        } else {
            step.info("Assuming role with user credentials");
        }
        if !role.role.starts_with("arn:aws") {
            let words =
                "Source Account ID is needed if the Role Name is provided and not the Role Arn.";
            let account = account.ok_or_else(|| Failure::new(words))?;
            role.role = format!("arn:aws:iam::{account}:role/{}", role.role);
        }
        let taken = self.take(step, &role, source)?;
        step.info(&format!("Authenticated as assumedRoleId {}", taken.id));
        self.give(step, &taken.credentials)?;
        let identity = self.identity(step, Who::Keys(taken.credentials.clone()))?;
        self.check_account(&identity)?;
        if self.exports {
            self.tell(step, &identity);
        }
        if step.given("aws-profile").is_some() {
            profile::write(step, &taken.credentials, &self.region, self.keys.is_some())?;
        }
        Ok(())
    }

    /// The token that the role is taken by, and the original's word for that way.
    fn token(&self, step: &Step) -> Result<Option<(&'static str, Secret)>, Failure> {
        if self.role.is_none() || self.keys.is_some() || self.chaining {
            return Ok(None);
        }
        if let Some(file) = &self.token_file {
            let path = step.folder("GITHUB_WORKSPACE")?.join(file);
            let text = std::fs::read_to_string(&path).map_err(|_| {
                Failure::new(format!("Web identity token file does not exist: {}", path.display()))
            })?;
            return Ok(Some((
                "Assuming role with web identity token file",
                Secret::new(text.trim()),
            )));
        }
        if self.skip_token {
            return Ok(None);
        }
        let asked = step.variable("ACTIONS_ID_TOKEN_REQUEST_TOKEN");
        let Some(bearer) = asked else {
            step.info("It looks like you might be trying to authenticate with OIDC. Did you mean to set the `id-token` permission? If you are not trying to authenticate with OIDC and the action is working successfully, you can ignore this message.");
            return Ok(None);
        };
        let words = "getIDToken call failed";
        let url = step.variable("ACTIONS_ID_TOKEN_REQUEST_URL").ok_or_else(|| {
            Failure::new(format!(
                "{words}: Unable to get ACTIONS_ID_TOKEN_REQUEST_URL env variable"
            ))
        })?;
        let audience = given(step, "audience").unwrap_or_else(|| "sts.amazonaws.com".to_owned());
        let url = format!("{url}&audience={}", cloud::encoded(&audience));
        let token = self.again(step, "getIDToken", &mut || id_token(&url, &bearer))?;
        step.mask(token.expose());
        Ok(Some(("Assuming role with OIDC", token)))
    }

    fn take(&self, step: &Step, role: &RoleRequest, source: Who) -> Result<TakenRole, Failure> {
        let how = match (&role.token, &self.token_file) {
            (None, _) => "user credentials",
            (Some(_), Some(_)) => "web identity token file",
            (Some(_), None) => "OIDC",
        };
        let mut role = role.clone();
        let mut asked = 0;
        loop {
            let mut client = self.client(step, source.clone())?;
            let taken = self.again(step, "AssumeRole", &mut || {
                let taken = client.take_role(&role);
                // Tags are packed together with policies; what is only convenient is left out then.
                let taken = match taken {
                    Err(fault) if fault.is("PackedPolicyTooLarge") && role.token.is_none() => {
                        tags::drop_convenient(&mut role.tags);
                        client.take_role(&role)
                    }
                    other => other,
                };
                taken.map_err(|fault| {
                    let words = format!("Could not assume role with {how}");
                    (cloud::failed(&fault, &words), may_pass(&fault))
                })
            })?;
            asked += 1;
            let secret = taken.credentials.secret.expose();
            let is_plain = secret.bytes().all(|it| it.is_ascii_alphanumeric());
            if !self.plain_secret || is_plain {
                return Ok(taken);
            }
            if asked == SECRETS_MAX {
                return Err(Failure::new(format!(
                    "AWS gave {SECRETS_MAX} secrets, each with special characters"
                )));
            }
        }
    }

    fn identity(&self, step: &Step, who: Who) -> Result<Identity, Failure> {
        let mut client = self.client(step, who)?;
        self.again(step, "validateCredentials", &mut || {
            client.caller_identity().map_err(|fault| {
                let none = fault.kind == aws::FaultKind::SignIn && fault.code.is_none();
                let failure = if none {
                    Failure::new(format!("{COULD_NOT}: Could not load credentials from any providers"))
                        .hint("a role needs `permissions: id-token: write`, or keys: `aws-access-key-id` and `aws-secret-access-key`")
                } else {
                    cloud::failed(&fault, COULD_NOT)
                };
                (failure, may_pass(&fault))
            })
        })
    }

    fn client(&self, step: &Step, who: Who) -> Result<Client, Failure> {
        let proxy = step.given("http-proxy");
        let mut client =
            cloud::client_as(step, &self.region, who, self.endpoint.clone(), proxy.as_deref())?;
        client.call_as("configure-aws-credentials-for-github-actions".to_owned());
        Ok(client)
    }

    /// Tries until it is done, or what went wrong will not pass.
    fn again<T>(
        &self,
        step: &Step,
        label: &str,
        attempt: &mut dyn FnMut() -> Result<T, (Failure, bool)>,
    ) -> Result<T, Failure> {
        let mut tried = 0;
        loop {
            let (failure, may_pass) = match attempt() {
                Ok(done) => return Ok(done),
                Err(failed) => failed,
            };
            tried += 1;
            if let Some((_, seconds)) = self.deadline.filter(|(at, _)| Instant::now() >= *at) {
                return Err(Failure::new(format!("Action timed out after {seconds} seconds")));
            }
            if !may_pass || tried >= self.attempts {
                return Err(failure);
            }
            let wait = RETRY_MS << tried;
            step.info(&format!(
                "Retry {label}: attempt {tried} of {} failed: {}. Retrying after {wait}ms.",
                self.attempts, failure.message
            ));
            std::thread::sleep(Duration::from_millis(wait));
        }
    }

    fn check_account(&self, identity: &Identity) -> Result<(), Failure> {
        if self.accounts.is_empty() || self.accounts.contains(&identity.account) {
            return Ok(());
        }
        Err(Failure::new(format!(
            "The account ID of the provided credentials ({}) does not match any of the expected account IDs: {}",
            identity.account,
            self.accounts.join(", ")
        )))
    }

    fn tell(&self, step: &mut Step, identity: &Identity) {
        if self.mask_account {
            step.mask(&identity.account);
            step.mask(&identity.arn);
        }
        step.output("aws-account-id", &identity.account);
        step.output("authenticated-arn", &identity.arn);
    }

    /// Hides credentials, and gives them to later steps as the inputs say.
    fn give(&self, step: &mut Step, credentials: &Credentials) -> Result<(), Failure> {
        let session = credentials.session.as_ref().map(Secret::expose);
        let parts = [
            ("AWS_ACCESS_KEY_ID", Some(&*credentials.key_id)),
            ("AWS_SECRET_ACCESS_KEY", Some(credentials.secret.expose())),
            ("AWS_SESSION_TOKEN", session),
        ];
        for (name, value) in parts {
            let Some(value) = value else { continue };
            step.mask(value);
            if self.exports {
                step.export(name, value);
            }
            if self.outputs {
                step.output(&name.to_lowercase().replace('_', "-"), value);
            }
        }
        if self.exports && session.is_none() && step.variable("AWS_SESSION_TOKEN").is_some() {
            step.export("AWS_SESSION_TOKEN", "");
        }
        if let Some(until) = credentials.until.filter(|_| self.outputs) {
            let until =
                i64::try_from(until).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
            let until = until.unwrap_or_default().strftime("%Y-%m-%dT%H:%M:%S.000Z");
            // A date is written as JSON, with its quotes.
            step.output("aws-expiration", &format!("\"{until}\""));
        }
        Ok(())
    }
}

/// So often a secret is asked for until it is plain; most are not.
const SECRETS_MAX: u32 = 500;

/// What passes, and what AWS says of an identity provider that it could not reach in time.
fn may_pass(fault: &Fault) -> bool {
    fault.may_pass() || fault.is("IDPCommunicationError")
}

fn id_token(url: &str, bearer: &str) -> Result<Secret, (Failure, bool)> {
    let failed = |why: String| Failure::new(format!("getIDToken call failed: {why}"));
    let http = Http::new(None).map_err(|error| (failed(error.to_string()), false))?;
    let bearer = format!("Bearer {bearer}");
    let answer = http
        .get(url, &[("authorization", &bearer), ("accept", "application/json; api-version=2.0")])
        .map_err(|error| (failed(error.to_string()), true))?;
    if answer.status != 200 {
        return Err((
            failed(format!("the token's issuer answered with {}", answer.status)),
            answer.status >= 500,
        ));
    }
    let said: serde_json::Value = serde_json::from_str(&answer.body).unwrap_or_default();
    let token = said["value"].as_str().map(Secret::new);
    token.ok_or_else(|| (failed("Response json body do not have ID Token field".to_owned()), false))
}

fn keys(step: &Step) -> Result<Option<Credentials>, Failure> {
    let Some(id) = step.given("aws-access-key-id") else { return Ok(None) };
    let secret = step.given("aws-secret-access-key").ok_or_else(|| {
        Failure::new("'aws-secret-access-key' must be provided if 'aws-access-key-id' is provided")
    })?;
    let session = step.given("aws-session-token").map(Secret::new);
    Ok(Some(Credentials { session, ..Credentials::key(&id, &secret) }))
}

fn role(
    step: &Step,
    keys: Option<&Credentials>,
    has_file: bool,
) -> Result<Option<RoleRequest>, Failure> {
    let Some(role) = given(step, "role-to-assume") else { return Ok(None) };
    let session = given(step, "role-session-name").unwrap_or_else(|| "GitHubActions".to_owned());
    let length = session.chars().count();
    if !(2..=64).contains(&length) {
        return Err(Failure::new(format!(
            "Role session name must be between 2 and 64 characters, got {length}: '{session}'"
        )));
    }
    if !session.chars().all(|it| it.is_ascii_alphanumeric() || "_+=,.@-".contains(it)) {
        return Err(Failure::new(format!(
            "Role session name is not valid: '{session}'. Must satisfy regular expression pattern: [\\w+=,.@-]*"
        )));
    }
    // The first two majors held a role for as long as a job may run, where keys took it.
    let long =
        step.major(NEWEST) <= 2 && !has_file && keys.is_some_and(|keys| keys.session.is_none());
    let seconds = given(step, "role-duration-seconds").and_then(|it| it.parse().ok());
    let lines = |name: &str| -> Vec<String> {
        let text = given(step, name).unwrap_or_default();
        text.lines().map(str::trim).filter(|it| !it.is_empty()).map(str::to_owned).collect()
    };
    let tags = if is_on(step, "role-skip-session-tagging", false)? {
        Vec::new()
    } else {
        tags::of_session(step, step.major(NEWEST) >= 6)?
    };
    let mut transitive = lines("transitive-tag-keys");
    transitive.retain(|key| tags.iter().any(|(tag, _)| tag == key));
    Ok(Some(RoleRequest {
        role,
        session,
        seconds: seconds.unwrap_or(if long { 21_600 } else { 3_600 }),
        external_id: given(step, "role-external-id"),
        policy: given(step, "inline-session-policy"),
        policies: lines("managed-session-policies"),
        tags,
        transitive,
        token: None,
    }))
}

/// Where AWS's own tools look for a file.
fn file_of(step: &Step, variable: &str, usual: &str) -> Result<PathBuf, Failure> {
    match step.variable(variable) {
        Some(path) => Ok(PathBuf::from(path)),
        None => Ok(step.folder("HOME")?.join(".aws").join(usual)),
    }
}
