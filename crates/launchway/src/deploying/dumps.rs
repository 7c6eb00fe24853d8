//! Dumps of databases: what the settings want, what the database and the bucket say beforehand, and
//! what whoever takes one needs from outside.

use std::sync::Arc;

use aws::Client;
use backup::{Address, Body, Dump, Outside, Programs, Survey, SurveyError};
use event::{Cause, CauseCode, DeploymentRequest, PlannedStep};
use mask::{MaskedText, Secret};
use settings::{Backup, SecretReference, ServiceInEnvironment};

use super::targets::Site;
use super::{cloud, steps};
use crate::exit::{Exit, Failure};
use crate::kept;
use crate::settings_file::Found;
use crate::state::StateFolder;
use crate::terminal::failure;

/// The dump that the settings want of a service's environment.
pub(crate) fn of(service: &ServiceInEnvironment, project: &str) -> Result<Option<Dump>, Failure> {
    let environment = &service.environment;
    let Some(Backup::Dump { url, to, scratch, .. }) = &environment.backup else { return Ok(None) };
    let (bucket, prefix) = Dump::place(&to.value);
    Ok(Some(Dump {
        name: format!("{project}-{}", environment.name.value),
        url: url.value.to_string(),
        region: steps::region(service, &to.value)?,
        bucket,
        prefix,
        account: environment.account.as_ref().map(|it| it.value.to_string()),
        scratch: scratch.as_ref().map(|it| it.value.to_string()),
    }))
}

/// What whoever takes dumps needs of this machine.
pub(crate) struct Here {
    found: Option<Found>,
    state: StateFolder,
    project: String,
    environment: String,
}

impl Here {
    pub(crate) fn of(site: Site<'_>, found: Option<&Found>) -> Arc<Here> {
        Arc::new(Here {
            found: found.cloned(),
            state: site.state.clone(),
            project: site.project.to_owned(),
            environment: site.environment.to_owned(),
        })
    }

    fn site(&self) -> Site<'_> {
        let (project, environment) = (&self.project, &self.environment);
        Site { state: &self.state, project, environment }
    }

    fn client(&self, region: &str) -> Result<Client, Failure> {
        Ok(cloud::client(region, cloud::sign_in(self.site(), self.found.as_ref())?))
    }

    fn secret(&self, reference: &str, region: &str) -> Result<Secret, Failure> {
        let missing = |message: String| Failure::new(Exit::Missing, message);
        let found =
            self.found.as_ref().ok_or_else(|| missing("the settings are not here".into()))?;
        let backup = found.settings.environment(&self.environment);
        let named = match backup.and_then(|it| it.backup.as_ref()) {
            Some(Backup::Dump { url, scratch, .. }) => {
                let both = [Some(&url.value), scratch.as_ref().map(|it| &it.value)];
                both.into_iter().flatten().find(|it| it.to_string() == reference)
            }
            _ => None,
        };
        let named = named.ok_or_else(|| {
            missing(format!("`backup.dump` does not name {reference} any more"))
                .hint("name it there again, or take what it names now")
        })?;
        match named {
            SecretReference::File { path } => std::fs::read_to_string(found.root.join(path))
                .map(|text| Secret::new(text.trim_end_matches('\n')))
                .map_err(|error| missing(format!("{reference} cannot be read: {error}"))),
            SecretReference::Local { name } => {
                let vault = kept::vault(&self.state);
                let all = vault.secrets(&kept::owner(found), Some(&self.environment));
                all.map_err(kept::failed)?.get(name).cloned().ok_or_else(|| {
                    let environment = &self.environment;
                    missing(format!("the secret {name} is not kept here")).hint(format!(
                        "launchway secrets set {name} --environment {environment} keeps it"
                    ))
                })
            }
            SecretReference::SecretsManager { id, key } => {
                let value = self.client(region)?.secret_value(id, key.as_deref());
                self.of_aws(reference, value)
            }
            SecretReference::Ssm { name } => {
                let value = self.client(region)?.parameter_value(name);
                self.of_aws(reference, value)
            }
            SecretReference::Kubernetes { .. } => {
                Err(missing(format!("{reference} cannot be looked up from here by this version"))
                    .hint("keep the address in Secrets Manager, the Parameter Store, or here"))
            }
        }
    }

    fn of_aws(
        &self,
        reference: &str,
        value: Result<Option<Secret>, aws::Fault>,
    ) -> Result<Secret, Failure> {
        let value = value.map_err(|fault| Failure::caused(Exit::Missing, fault))?;
        value.ok_or_else(|| Failure::new(Exit::Missing, format!("there is nothing at {reference}")))
    }

    /// The address of a database.
    pub(crate) fn address(&self, dump: &Dump, reference: &str) -> Result<Address, Failure> {
        let secret = self.secret(reference, &dump.region)?;
        Address::read(&secret)
            .map_err(|error| Failure::new(Exit::Refused, format!("{reference}: {error}")))
    }

    /// What the server says of the database.
    pub(crate) fn survey(&self, dump: &Dump, reference: &str) -> Result<Survey, Failure> {
        let refused = |error: SurveyError| {
            let hint = error.hint();
            Failure::new(Exit::Missing, format!("{reference}: {error}")).hint(hint)
        };
        let programs = Programs::find().map_err(refused)?;
        programs.survey(&self.address(dump, reference)?).map_err(refused)
    }

    /// Whether the bucket lets itself be used.
    pub(crate) fn bucket(&self, dump: &Dump) -> Result<(), Failure> {
        let nothing = format!("{}launchway-looks", dump.prefix);
        let seen = self.client(&dump.region)?.get_object(&dump.bucket, &nothing);
        let refused = |fault: aws::Fault| {
            let message = format!("the bucket {} cannot be used: {fault}", dump.bucket);
            Failure::new(Exit::Missing, message)
                .hint("correct `backup.dump.to` and `region`, or what these credentials may")
        };
        seen.map(drop).map_err(refused)
    }
}

impl Outside for Here {
    fn client(&self, region: &str) -> Result<Client, Cause> {
        Here::client(self, region).map_err(|it| cause(&it))
    }

    fn secret(&self, reference: &str, region: &str) -> Result<Secret, Cause> {
        Here::secret(self, reference, region).map_err(|it| cause(&it))
    }
}

fn cause(failure: &Failure) -> Cause {
    let code = match failure.exit {
        Exit::Missing => CauseCode::Unavailable,
        _ => CauseCode::TargetRefused,
    };
    Cause::new(code, MaskedText::without_secrets(failure::words(failure)))
}

/// Looks, before anything is begun, whether dumps can be taken: programs, database, bucket. What the
/// server says of the database is shown by the plan.
pub(super) fn look(
    request: &mut DeploymentRequest,
    site: Site<'_>,
    found: &Found,
) -> Result<(), Failure> {
    let here = Here::of(site, Some(found));
    let mut known: Option<(Dump, Survey)> = None;
    for service in &mut request.services {
        for step in &mut service.around {
            let dump = match Body::read(&step.body) {
                Ok(Body::Dump(dump)) => dump,
                Ok(Body::RestoreDump(restore)) => {
                    let address = here.address(&restore.of, &restore.of.url)?;
                    if address.database() == restore.new {
                        let message = format!("{} is the one that runs", restore.new);
                        return Err(Failure::new(Exit::Forbidden, message)
                            .hint("a backup becomes a new database: --as NAME"));
                    }
                    here.survey(&restore.of, &restore.of.url)?;
                    here.bucket(&restore.of)?;
                    continue;
                }
                _ => continue,
            };
            let survey = match known.take().filter(|it| it.0 == dump) {
                Some((_, survey)) => survey,
                None => {
                    let survey = here.survey(&dump, &dump.url)?;
                    if let Some(scratch) = &dump.scratch {
                        here.survey(&dump, scratch)?;
                    }
                    here.bucket(&dump)?;
                    survey
                }
            };
            let within = std::time::Duration::from_millis(step.within_ms);
            *step = PlannedStep { ..dump.step(&service.service, within, Some(&survey)) };
            known = Some((dump, survey));
        }
    }
    Ok(())
}
