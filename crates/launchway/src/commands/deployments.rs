//! `launchway deployments`: look at deployments, and do something about them.

mod watch;

use deployment::Input;
use mask::MaskedText;
use rustix::process::{Pid, Signal, kill_process};
use views::DeploymentView;

use super::history;
use crate::cli::{DeploymentRef, DeploymentsCommand, Format};
use crate::deploying::book::Book;
use crate::deploying::drive::{Driver, HeldBy};
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
        DeploymentsCommand::Cancel { deployment, reason } => {
            let (found, book, state, view) = find(deployment, state)?;
            let format = deployment.settings.format;
            let driver = Driver { book: &book, state: &state, found: &found, format };
            cancel(&driver, &view, reason.as_deref())
        }
        DeploymentsCommand::Resume(which) => {
            let (found, book, state, view) = find(which, state)?;
            let view = match which.id {
                None => newest_open(&book, view)?,
                Some(_) => view,
            };
            refuse_over(&view)?;
            let format = which.settings.format;
            let driver = Driver { book: &book, state: &state, found: &found, format };
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

/// The process that drives it is told, as Ctrl-C would tell it; where nobody does, it is ended here.
fn cancel(driver: &Driver<'_>, view: &DeploymentView, reason: Option<&str>) -> Outcome {
    refuse_over(view)?;
    let environment = &view.request.environment;
    let pid = match driver.holder(environment)? {
        Some(HeldBy::Process(pid)) => pid,
        Some(HeldBy::Elsewhere(holder)) => {
            let message = format!("deployment {} is driven by {}", view.id, holder.owner);
            return Err(Failure::new(Exit::Forbidden, message)
                .hint("it is cancelled there; what nobody drives any more is cancelled anywhere"));
        }
        None => {
            let _place = driver.take(environment)?;
            let reason = reason.map(MaskedText::without_secrets);
            return driver.resume(view, Some(Input::Cancel { by: person(), reason }));
        }
    };
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    match pid.map(|pid| kill_process(pid, Signal::INT)) {
        Some(Ok(())) => {
            let id = view.id;
            talk(&format!(
                "deployment {id} is told to stop; launchway deployments watch {id} shows how"
            ));
            Ok(Exit::Done)
        }
        _ => Err(Failure::new(Exit::Forbidden, "the process that drives it cannot be told")
            .hint("it belongs to somebody else, or just ended")),
    }
}
