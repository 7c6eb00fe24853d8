//! `launchway pagerduty`: whose PagerDuty's services are, and what proves what it tells.

use std::path::Path;

use mask::Secret;
use serde_json::json;
use settings::Settings;

use crate::cli::{Format, PagerdutyCommand};
use crate::exit::{Exit, Failure, Outcome};
use crate::serving::data::DataFolder;
use crate::serving::incidents::in_this_journal;
use crate::serving::incidents::pagerduty::{self, Here, Services};
use crate::serving::repositories;
use crate::terminal::style::{out, talk};

/// Services that may be connected.
const SERVICES_MAX: usize = 1_000;

pub(crate) fn run(command: &PagerdutyCommand, state: Option<&Path>) -> Outcome {
    match command {
        PagerdutyCommand::Connect { services, keep_secret, data } => {
            let data = DataFolder::locate(data.data.as_deref(), state)?;
            connect(&data, &read(services)?, *keep_secret)
        }
        PagerdutyCommand::Status { format, data } => {
            status(&DataFolder::locate(data.data.as_deref(), state)?, *format)
        }
        PagerdutyCommand::Disconnect { data } => {
            disconnect(&DataFolder::locate(data.data.as_deref(), state)?)
        }
    }
}

fn read(flags: &[String]) -> Result<Services, Failure> {
    let usage = |message: String| Failure::new(Exit::Usage, message);
    if flags.len() > SERVICES_MAX {
        return Err(usage(format!("at most {SERVICES_MAX} services can be connected")));
    }
    let mut services = Services::new();
    for flag in flags {
        let pair = flag.split_once('=').filter(|(id, _)| {
            !id.is_empty() && id.bytes().all(|it| it.is_ascii_alphanumeric() || b"-_".contains(&it))
        });
        let parsed = pair.and_then(|(id, here)| Some((id, here.parse::<Here>().ok()?)));
        let Some((id, here)) = parsed else {
            let message = format!("`{flag}` is not ID=PROJECT/ENVIRONMENT[/SERVICE]");
            return Err(usage(message).hint(
                "such as PF9KMXH=planner/production/web; of a repository whose jobs ship PF9KMXH=octo/app:production",
            ));
        };
        if services.insert(id.to_owned(), here).is_some() {
            return Err(usage(format!("{id} is named twice: its incidents are of one place")));
        }
    }
    Ok(services)
}

fn connect(data: &DataFolder, services: &Services, keep_secret: bool) -> Outcome {
    check_places(data, services)?;
    let secret = if keep_secret { None } else { Some(secret()?) };
    if secret.is_none() && pagerduty::secret(data)?.is_none() {
        return Err(Failure::new(Exit::Usage, "there is no secret that could be kept")
            .hint("give it on standard input, without --keep-secret"));
    }
    pagerduty::keep(data, services, secret.as_ref())?;
    talk(&format!("incidents of {} of PagerDuty's services are incidents here", services.len()));
    let url = data.served_at()?.unwrap_or_else(|| "https://YOUR-SERVER".to_owned());
    talk(&format!("its webhook (generic, V3) goes to {url}/webhooks/pagerduty"));
    Ok(Exit::Done)
}

fn secret() -> Result<Secret, Failure> {
    let text = super::secrets::value_of("the secret of PagerDuty's webhook")?;
    if text.is_empty() || text.contains(|it: char| it.is_whitespace() || it.is_control()) {
        return Err(Failure::new(Exit::Usage, "this is no secret of a webhook of PagerDuty's")
            .hint("PagerDuty shows it once, when the webhook is made; give it on standard input"));
    }
    Ok(Secret::new(text))
}

/// A place that the settings of a repository here say does not exist is a mistake; a project that no
/// repository here has may be deployed from elsewhere.
fn check_places(data: &DataFolder, services: &Services) -> Result<(), Failure> {
    let all = repositories::all(data)?;
    // Settings that cannot be read say nothing, and are told of where they are needed.
    let settings = all.iter().filter_map(|it| repositories::settings_at_tip(it).ok().flatten());
    let known: Vec<Settings> = settings.collect();
    for here in services.values() {
        // Which environments its jobs name is theirs to say.
        if here.is_repository() {
            if !all.iter().any(|it| it.name == here.project) {
                let message = format!("no repository {} is connected to this server", here.project);
                return Err(Failure::new(Exit::Refused, message).hint(format!(
                    "{here} is {}; of a project write PROJECT/ENVIRONMENT, which has no `:`; else connect the repository first: launchway repositories add",
                    here.meaning()
                )));
            }
            continue;
        }
        let of_project = known.iter().filter(|it| *it.project.value == *here.project);
        let of_project: Vec<&Settings> = of_project.collect();
        if of_project.is_empty() {
            let project = &here.project;
            talk(&format!("note: no repository of this server has the project {project}"));
            continue;
        }
        of_project.iter().try_for_each(|it| in_this_journal(it))?;
        let is_place = |it: &&Settings| {
            let is_of = |service: &String| it.services().iter().any(|of| *of.value == **service);
            it.environment(&here.environment).is_some() && here.service.as_ref().is_none_or(is_of)
        };
        if !of_project.iter().any(is_place) {
            let message = format!("{here} is no place of the project {}", here.project);
            let hint = "its launchway.yml names the environments and services";
            return Err(Failure::new(Exit::Refused, message).hint(hint));
        }
    }
    Ok(())
}

fn status(data: &DataFolder, format: Format) -> Outcome {
    let Some(services) = pagerduty::services(data)? else {
        return Err(Failure::new(Exit::Usage, "this server is not connected to PagerDuty")
            .hint("launchway pagerduty connect does that"));
    };
    for (id, here) in &services {
        out(&match format {
            Format::Json => json!({
                "pagerduty": id, "project": here.project, "environment": here.environment,
                "service": here.service,
            })
            .to_string(),
            _ => format!("{id}  {here}  {}", here.meaning()),
        });
    }
    Ok(Exit::Done)
}

fn disconnect(data: &DataFolder) -> Outcome {
    if !pagerduty::forget(data)? {
        return Err(Failure::new(Exit::Usage, "this server is not connected to PagerDuty"));
    }
    talk("PagerDuty's webhooks are not taken any more; incidents that are here stay");
    Ok(Exit::Done)
}
