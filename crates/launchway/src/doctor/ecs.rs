//! AWS as a target: who we are there, whether that is the right account, what the role's trust says, and
//! each service as a plan would see it.

use std::time::Duration;

use aws::{AccessKey, Client, Fault, FaultKind, Https, Method, Question};
use event::KnownRelease;
use iam::{Weight, lint_trust};
use ports::Target;
use settings::{Environment, ServiceInEnvironment};
use target_ecs::{Condition, EcsConfig, Remark, network, remarks};

use super::{FORBIDDEN, Line, MISSING, State};
use crate::deploying::targets::{self, Site};
use crate::deploying::{access, cloud};
use crate::settings_file::Found;

/// A stored key that is older than this has been in too many places.
const KEY_DAYS_MAX: i64 = 90;
const DAY_S: i64 = 24 * 60 * 60;
/// How long the address of an environment may take.
const ANSWERS_WITHIN: Duration = Duration::from_secs(10);

/// What was found out of AWS so far: it is asked once for all services.
pub(super) struct Cloud<'a> {
    found: &'a Found,
    site: Site<'a>,
    environment: &'a Environment,
    target: Option<Box<dyn Target>>,
    /// Whether anybody could sign in; none before it was tried.
    signed_in: Option<bool>,
}

impl<'a> Cloud<'a> {
    pub(super) fn new(found: &'a Found, site: Site<'a>, environment: &'a Environment) -> Cloud<'a> {
        Cloud { found, site, environment, target: None, signed_in: None }
    }

    pub(super) fn look(
        &mut self,
        resolved: &ServiceInEnvironment,
        last: Option<&KnownRelease>,
    ) -> Vec<Line> {
        let mut lines = Vec::new();
        let settings::Target::Ecs(target) = &resolved.target else { return lines };
        if self.signed_in.is_none() {
            let (signed_in, said) = self.sign_in(&target.region.value);
            self.signed_in = Some(signed_in);
            lines.extend(said);
            lines.extend(self.address(resolved));
        }
        if self.signed_in == Some(true) {
            let service = self.service(resolved, last);
            lines.extend(service.into_iter().map(|it| it.of(&resolved.service.name.value)));
        }
        lines
    }

    /// As whom, and whether that is right. False where nothing else can be looked at.
    fn sign_in(&self, region: &str) -> (bool, Vec<Line>) {
        let sign_in = match cloud::sign_in(self.site, Some(self.found)) {
            Ok(sign_in) => sign_in,
            Err(failure) => {
                let line =
                    Line::new(State::Error(failure.exit), "sign-in", failure.error.to_string());
                return (false, vec![line.hint(failure.hints.join("; "))]);
            }
        };
        let mut client = cloud::client(region, sign_in);
        client.call_as("launchway/doctor".to_owned());
        let identity = match client.caller_identity() {
            Ok(identity) => identity,
            Err(fault) => {
                let mut lines = vec![self.not_signed_in(&fault)];
                // Somebody who may look at the role may be signed in beside the token.
                let mut other = cloud::client(region, cloud::as_whoever());
                other.call_as("launchway/doctor".to_owned());
                let found = self.trust(&mut other);
                lines.extend(found.into_iter().filter(|it| it.state != State::Unseen));
                return (false, lines);
            }
        };
        let mut lines = vec![Line::new(State::Fine, "sign-in", format!("as {}", identity.arn))];
        if identity.arn.contains(":user/") {
            lines.extend(self.stored_keys(&mut client));
        }
        let wanted = access::account(self.environment);
        lines.push(match wanted {
            Some(wanted) if wanted == identity.account => {
                Line::new(State::Fine, "account", format!("{wanted}, as it should be"))
            }
            Some(wanted) => {
                let said = format!(
                    "the credentials are of the AWS account {}, and the settings want {wanted}",
                    identity.account
                );
                let line = Line::new(FORBIDDEN, "account", said);
                lines.push(line.hint("sign in to that one, or correct `account`"));
                return (false, lines);
            }
            None => {
                let said = format!("nothing says that it should be {}", identity.account);
                let name = &self.environment.name.value;
                let hint =
                    format!("write `account` under environments.{name}: then no other is touched");
                Line::new(State::Warning, "account", said).hint(hint)
            }
        });
        lines.extend(self.trust(&mut client));
        (true, lines)
    }

    /// Keys that lie somewhere for as long as nobody changes them: how old they are, and the way out.
    fn stored_keys(&self, client: &mut Client) -> Vec<Line> {
        let keys = match client.own_access_keys() {
            Ok(keys) => keys,
            Err(fault) => {
                let said = format!("how old the access key is was not looked at: {fault}");
                return vec![Line::new(State::Unseen, "access key", said)];
            }
        };
        let name = &self.environment.name.value;
        let line = |key: &AccessKey| {
            let made: jiff::Timestamp = key.created.parse().ok()?;
            let days = (jiff::Timestamp::now().as_second() - made.as_second()) / DAY_S;
            let state = if days > KEY_DAYS_MAX { State::Warning } else { State::Fine };
            let said = format!("a stored key, {}, made {days} days ago", key.id);
            let hint = format!(
                "a role needs no stored key: launchway environments iam {name} writes it, and `credentials: \
                 {{ assume: ARN }}` takes it; until then make a new key and delete this one"
            );
            Some(Line::new(state, "access key", said).hint(hint))
        };
        keys.iter().filter_map(line).collect()
    }

    /// Nobody: no credentials, or a role that is not given.
    fn not_signed_in(&self, fault: &Fault) -> Line {
        let state = match fault.kind {
            FaultKind::Denied | FaultKind::Refused => FORBIDDEN,
            _ => MISSING,
        };
        let line = Line::new(state, "sign-in", fault.to_string());
        let name = &self.environment.name.value;
        match access::trust(self.found, self.environment) {
            Ok(trust) if access::role_arn(self.environment).is_some() => line.hint(format!(
                "the role's trust must take the issuer {} and the sub {}: launchway environments iam {name}",
                trust.issuer,
                trust.subjects.join(" or ")
            )),
            _ => line.hint("docs/aws-sign-in.md says which ways there are"),
        }
    }

    /// Who may take the role, where we may see that.
    fn trust(&self, client: &mut Client) -> Vec<Line> {
        let Some(role) = access::role_arn(self.environment) else { return Vec::new() };
        let Ok(wanted) = access::trust(self.found, self.environment) else { return Vec::new() };
        let name = role.rsplit('/').next().unwrap_or(role);
        let trust = match client.trust_of_role(name) {
            Ok(Some(trust)) => trust,
            Ok(None) => {
                let line = Line::new(MISSING, "role", format!("there is no role {name}"));
                return vec![line.hint("launchway environments iam --as commands writes it")];
            }
            Err(fault) => {
                let said = format!("who may take {name} was not looked at: {fault}");
                return vec![Line::new(State::Unseen, "trust", said)];
            }
        };
        let mut lines = Vec::new();
        for it in lint_trust(&trust, &wanted) {
            let state = if it.weight == Weight::Error { FORBIDDEN } else { State::Warning };
            lines.push(Line::new(state, "trust", it.said).hint(it.remedy));
        }
        if lines.is_empty() {
            let said =
                format!("{name} is given to tokens about this environment, and to no others");
            lines.push(Line::new(State::Fine, "trust", said));
        }
        lines.extend(provider(client, &wanted));
        lines
    }

    /// Whether anything answers where the environment is reached.
    fn address(&self, resolved: &ServiceInEnvironment) -> Option<Line> {
        let url = self.environment.url.as_ref()?.value.trim_end_matches('/').to_owned();
        let path = resolved.service.health.as_ref().and_then(|it| it.paths.first());
        let url = format!("{url}{}", path.map_or("/", |it| &it.value));
        let question = Question {
            method: Method::Get,
            url: url.clone(),
            headers: Vec::new(),
            within: ANSWERS_WITHIN,
        };
        Some(match Https::default().ask(&question) {
            Ok(reply) if reply.status < 400 => {
                Line::new(State::Fine, "address", format!("{url} answers with {}", reply.status))
            }
            Ok(reply) => {
                let said = format!("{url} answers with {}", reply.status);
                Line::new(State::Warning, "address", said)
                    .hint("health is asked there after a deployment: correct `url` or `health`")
            }
            Err(unanswered) => Line::new(MISSING, "address", unanswered.to_string())
                .hint("correct `url`, or let this machine reach it"),
        })
    }

    /// A service, as a plan would see it.
    fn service(
        &mut self,
        resolved: &ServiceInEnvironment,
        last: Option<&KnownRelease>,
    ) -> Vec<Line> {
        let failed = |failure: crate::exit::Failure| {
            let line = Line::new(State::Error(failure.exit), "settings", failure.error.to_string());
            vec![line.hint(failure.hints.join("; "))]
        };
        let wanted = match targets::only_look(resolved, self.found, last) {
            Ok(wanted) => wanted,
            Err(failure) => return failed(failure),
        };
        let target = match self.target.take() {
            Some(target) => Ok(target),
            None => targets::open("ecs", self.site, Some(self.found)),
        };
        let mut target = match target {
            Ok(target) => target,
            Err(failure) => return failed(failure),
        };
        let seen = target.observe(&wanted);
        self.target = Some(target);
        let seen = match seen {
            Ok(seen) => seen,
            Err(cause) => return vec![Line::new(MISSING, "service", cause.message.to_string())],
        };
        let asked = resolved.service.health.is_some();
        let mut all = remarks(&wanted, &seen, asked);
        if seen.running.is_some()
            && let Ok(config) = EcsConfig::of(&wanted)
        {
            all.extend(self.network(&config));
        }
        let line = |it: Remark| {
            let state = match it.state {
                Condition::Fine => State::Fine,
                Condition::Unseen => State::Unseen,
                Condition::Warning => State::Warning,
                Condition::Error => MISSING,
                Condition::Forbidden => FORBIDDEN,
            };
            Line::new(state, it.of, it.said).hint(it.remedy)
        };
        all.into_iter().map(line).collect()
    }

    /// Whether requests get to the tasks.
    fn network(&self, config: &EcsConfig) -> Vec<Remark> {
        let Ok(sign_in) = cloud::sign_in(self.site, Some(self.found)) else { return Vec::new() };
        let mut client = cloud::client(&config.region, sign_in);
        client.call_as("launchway/doctor".to_owned());
        network(&mut client, config).unwrap_or_else(|fault| {
            let said = format!("whether requests reach the tasks was not looked at: {fault}");
            let remedy = "let whoever asks see load balancers and security groups".to_owned();
            vec![Remark { state: Condition::Unseen, of: "network", said, remedy }]
        })
    }
}

/// Whether the account knows who gives the tokens.
fn provider(client: &mut Client, wanted: &iam::Trust) -> Option<Line> {
    let arn = wanted.provider();
    match client.audiences_of_provider(&arn) {
        Ok(Some(audiences)) if audiences.contains(&wanted.audience) => {
            Some(Line::new(State::Fine, "provider", format!("{} is known", wanted.issuer)))
        }
        Ok(Some(_)) => {
            let said = format!("{arn} does not take tokens for {}", wanted.audience);
            let hint = format!(
                "aws iam add-client-id-to-open-id-connect-provider --open-id-connect-provider-arn {arn} \
                 --client-id {}",
                wanted.audience
            );
            Some(Line::new(FORBIDDEN, "provider", said).hint(hint))
        }
        Ok(None) => {
            let said = format!("the account does not know the issuer {}", wanted.issuer);
            let hint = format!(
                "aws iam create-open-id-connect-provider --url {} --client-id-list {}",
                wanted.issuer, wanted.audience
            );
            Some(Line::new(MISSING, "provider", said).hint(hint))
        }
        Err(_) => None,
    }
}
