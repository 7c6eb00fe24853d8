//! `launchway deployments`: look at deployments, and do something about them.

mod watch;

use event::DeploymentId;
use mask::MaskedText;
use views::DeploymentView;

use super::history;
use crate::cli::{AtServer, DeploymentRef, DeploymentsCommand, Format};
use crate::deploying::book::Book;
use crate::deploying::drive::{Driver, HeldBy, told};
use crate::deploying::stop::{self, Stop, Wish};
use crate::deploying::{machine, person, show};
use crate::distant::{Client, Where};
use crate::exit::{Exit, Failure, Outcome};
use crate::settings_file::{Found, load};
use crate::state::StateFolder;
use crate::terminal::style::{Style, out, talk};

pub(crate) fn run(command: &DeploymentsCommand, state: &StateFolder) -> Outcome {
    match command {
        DeploymentsCommand::List(args) => history::run(args, state),
        DeploymentsCommand::Show { deployment, at } => {
            let view = match &at.server {
                Some(url) => {
                    let of = Where { project: at.project.as_deref(), environment: None };
                    Client::of(url)?.deployment(of, deployment.id)?
                }
                None => find(deployment, state)?.3,
            };
            out(&match deployment.settings.format {
                Format::Json => machine::page(&view),
                Format::Human | Format::Github => {
                    show::page(&view, Style::stdout()).trim_end().to_owned()
                }
            });
            Ok(Exit::Done)
        }
        DeploymentsCommand::Watch { deployment, at } => {
            let format = deployment.settings.format;
            if let Some(url) = &at.server {
                let client = Client::of(url)?;
                let of = Where { project: at.project.as_deref(), environment: None };
                let view = client.deployment(of, deployment.id)?;
                return watch::at_server(&client, view.id, format);
            }
            let (_, book, state, view) = find(deployment, state)?;
            watch::run(&book, &state, &view, format)
        }
        DeploymentsCommand::Cancel {
            deployment,
            reason,
            at: AtServer { server: Some(url), project },
        } => {
            let of = Where { project: project.as_deref(), environment: None };
            cancel_at((url, of), deployment, reason.as_deref())
        }
        DeploymentsCommand::Cancel { deployment, reason, .. } => {
            let (found, book, state, view) = find(deployment, state)?;
            let format = deployment.settings.format;
            let driver = Driver::new((&book, &state), &found, format);
            cancel(&driver, &view, reason.as_deref())
        }
        DeploymentsCommand::Resume { deployment, at: AtServer { server: Some(url), project } } => {
            let of = Where { project: project.as_deref(), environment: None };
            let view = Client::of(url)?.deployment(of, deployment.id)?;
            Err(not_resumed(&view, url)?)
        }
        DeploymentsCommand::Resume { deployment: which, .. } => {
            let (found, book, state, view) = find(which, state)?;
            let view = match which.id {
                None => newest_open(&book, view)?,
                Some(_) => view,
            };
            refuse_over(&view)?;
            let format = which.settings.format;
            let driver = Driver::new((&book, &state), &found, format);
            let _place = driver.take(&view.request.environment)?;
            driver.resume(&view, None)
        }
    }
}

fn find(
    which: &DeploymentRef,
    state: &StateFolder,
) -> Result<(Found, Book, StateFolder, DeploymentView), Failure> {
    let found = load(which.settings.file.as_deref())?;
    let (book, state) = Book::of(&found, state)?;
    let view = book.find(which.id)?;
    Ok((found, book, state, view))
}

/// The newest that is open, where nobody named one.
fn newest_open(book: &Book, newest: DeploymentView) -> Result<DeploymentView, Failure> {
    if newest.ended.is_none() {
        return Ok(newest);
    }
    let open = book.newest(None, 100)?.into_iter().find(|view| view.ended.is_none());
    open.ok_or_else(|| Failure::new(Exit::Usage, "every deployment is over"))
}

fn refuse_over(view: &DeploymentView) -> Result<(), Failure> {
    match &view.ended {
        None => Ok(()),
        Some(end) => {
            let message = format!("deployment {} is over: {}", view.id, end.verdict);
            Err(Failure::new(Exit::Usage, message))
        }
    }
}

/// The process that drives it is told, and stops as it would at Ctrl-C; where nobody does, it is ended here.
fn cancel(driver: &Driver<'_>, view: &DeploymentView, reason: Option<&str>) -> Outcome {
    refuse_over(view)?;
    let environment = &view.request.environment;
    let stop = Stop { by: person(), reason: reason.map(MaskedText::without_secrets) };
    loop {
        match driver.holder(environment)? {
            Some(HeldBy::Here) => match stop::tell((driver.book, driver.state), view, &stop)? {
                Wish::Kept => {
                    told_to_stop(view.id, "");
                    return Ok(Exit::Done);
                }
                Wish::TooLate(why) => return Err(Failure::new(Exit::Usage, why)),
                // It is ended here, or told to whoever took it meanwhile.
                Wish::Undriven => {}
            },
            Some(HeldBy::Elsewhere(holder)) => {
                let message = format!("deployment {} is driven by {}", view.id, holder.owner);
                return Err(Failure::new(Exit::Forbidden, message).hint(
                    "it is cancelled there; what nobody drives any more is cancelled anywhere",
                ));
            }
            None => {
                let _place = driver.take(environment)?;
                return driver.resume(view, Some(stop.input()));
            }
        }
    }
}

fn told_to_stop(id: DeploymentId, at: &str) {
    talk(&format!(
        "deployment {id} is told to stop; launchway deployments watch {id}{at} shows how"
    ));
}

/// The same at a server, which tells whoever drives it, and ends what nobody drives and changed nothing.
fn cancel_at((url, of): (&str, Where<'_>), which: &DeploymentRef, reason: Option<&str>) -> Outcome {
    let client = Client::of(url)?;
    let id = client.deployment(of, which.id)?.id;
    if client.cancel_deployment(id, reason)? {
        told_to_stop(id, &format!(" --server {url}"));
        return Ok(Exit::Done);
    }
    Ok(told(&client.deployment(of, Some(id.0))?, which.settings.format))
}

/// Why a server does not go on with a deployment, and who does.
fn not_resumed(view: &DeploymentView, url: &str) -> Result<Failure, Failure> {
    refuse_over(view)?;
    let (id, environment) = (view.id, &view.request.environment);
    let message = format!(
        "a server goes on with no deployment: it has neither the settings of {} nor what signs in to its targets",
        view.request.project
    );
    let failure = Failure::new(Exit::Usage, message)
        .hint(format!(
            "in a clone of the project, on the server's machine: launchway deployments resume {id} --state DIR, with the server's folder"
        ))
        .hint(format!("the next deployment to {environment} finishes it first, too"));
    Ok(match view.steps.iter().any(|it| it.forward.is_some()) {
        true => failure,
        false => failure.hint(format!(
            "it changed nothing yet: launchway deployments cancel {id} --server {url} ends it"
        )),
    })
}
