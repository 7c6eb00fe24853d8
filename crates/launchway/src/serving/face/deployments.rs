//! Deployments by `launchway deploy` in a server's journal that wait for people. The server drives none of them,
//! and judges nothing: what somebody signed is put into the deployment's inbox, as `launchway approvals approve`
//! does on the machine itself.

use std::sync::Arc;
use std::time::{Duration, Instant};

use approval::Handed;
use driver::{Deployment, Place, Taken};
use event::DeploymentId;
use serde_json::Value as Json;
use server::{HandedIn, Refused, Why};
use store::Store;
use views::DeploymentView;

use crate::commands::approvals::{Paper, is_answered, lines};
use crate::deploying::book::Book;
use crate::deploying::doors::Nobody;
use crate::deploying::drive::holder;
use crate::deploying::inbox::{self, Answer, Inbox};
use crate::deploying::owner;
use crate::deploying::stop::{self, HEARD_WITHIN, LOOK, Stop, Wish};
use crate::serving::face::refused;
use crate::state::StateFolder;
use crate::terminal::time::now;

/// Deployments that are looked through.
const LOOKED_MAX: usize = 200;
/// How long the driver's answer is waited for; reading the rules asks a remote.
const PATIENCE: Duration = Duration::from_secs(20);

fn unknown(id: DeploymentId) -> Refused {
    Refused::new(Why::NotFound, format!("there is no deployment {id}"))
}

fn book(store: &Arc<Store>, project: Arc<str>) -> Book {
    Book::of_server(Arc::clone(store), project)
}

fn view(store: &Arc<Store>, id: DeploymentId) -> Result<DeploymentView, Refused> {
    // Numbers are one for all projects.
    book(store, Arc::from("")).view(id).map_err(refused)?.ok_or_else(|| unknown(id))
}

/// Those that wait, the newest first, a line for each group.
pub(crate) fn waiting(store: &Arc<Store>) -> Result<Vec<Json>, Refused> {
    let newest = store.newest_deployments(LOOKED_MAX);
    let newest = newest.map_err(|error| Refused::new(Why::Missing, error.to_string()))?;
    // One that a newer version wrote does not hide the others.
    let views = newest.into_iter().filter_map(|id| view(store, id).ok());
    Ok(views.filter(DeploymentView::waits_for_people).flat_map(|view| lines(&view)).collect())
}

/// What is to be signed.
pub(crate) fn request(store: &Arc<Store>, id: DeploymentId) -> Result<Json, Refused> {
    let paper = Paper::of(&view(store, id)?).map_err(refused)?;
    Ok(paper.json())
}

/// Hands in what somebody signed, and waits for what whoever drives the deployment says.
pub(crate) fn hand_in(
    (store, state): (&Arc<Store>, &StateFolder),
    id: DeploymentId,
    signed: &str,
) -> Result<HandedIn, Refused> {
    let handed = Handed::read(signed);
    let handed = handed.map_err(|error| Refused::new(Why::Input, error.to_string()))?;
    let known = view(store, id)?;
    refuse_over(&known)?;
    let book = book(store, Arc::clone(&known.request.project));
    if holder(&book, state, &known.request.environment).map_err(refused)?.is_none() {
        let hint = format!(
            "in a clone of the project on the server's machine: launchway deployments resume {id}"
        );
        let message = format!("nobody drives deployment {id}, and who drives it judges");
        return Err(Refused { hint: Some(hint), ..Refused::new(Why::Conflict, message) });
    }
    let (inbox, before) = (Inbox::of(state, id), known.refused.len());
    let digest = inbox.put(&handed).map_err(refused)?;
    let until = Instant::now() + PATIENCE;
    loop {
        let now = view(store, id)?;
        if is_answered(&now, &digest, before) {
            inbox.clear(&digest);
            return told(&now, &digest);
        }
        if Instant::now() > until {
            let message = "whoever drives the deployment does not answer; it is kept for them";
            return Err(Refused::new(Why::Missing, message));
        }
        std::thread::sleep(LOOK);
    }
}

/// Has it told that somebody wants it to end: whoever drives it writes that down, with who and why. Whether somebody
/// does.
pub(crate) fn cancel(
    (store, state): (&Arc<Store>, &StateFolder),
    id: DeploymentId,
    stop: Stop,
) -> Result<bool, Refused> {
    let known = view(store, id)?;
    refuse_over(&known)?;
    let request = &known.request;
    let book = book(store, Arc::clone(&request.project));
    let until = Instant::now() + HEARD_WITHIN;
    loop {
        let place = Place::take(&state.places(), &request.project, &request.environment);
        match place.map_err(|error| Refused::new(Why::Missing, error.to_string()))? {
            Taken::Ours(_place) => return end((&book, state), id, stop).map(|()| false),
            // Somebody else asks this server for the same just now, or a command is just being begun.
            Taken::By(None) => {}
            Taken::By(Some(pid)) if pid == std::process::id() => {}
            Taken::By(Some(_)) => {
                match stop::tell((&book, state), &known, &stop).map_err(refused)? {
                    Wish::Kept => return Ok(true),
                    Wish::TooLate(why) => return Err(Refused::new(Why::Conflict, why)),
                    Wish::Undriven => {}
                }
            }
        }
        if Instant::now() > until {
            let message = format!("deployment {id} is just being begun, or gone on with");
            return Err(Refused::new(Why::Conflict, message));
        }
        std::thread::sleep(LOOK);
    }
}

/// Ends one that nobody drives. Its place is the caller's.
fn end((book, state): (&Book, &StateFolder), id: DeploymentId, stop: Stop) -> Result<(), Refused> {
    // Whoever had the place a moment ago may have ended it.
    let known = book.view(id).map_err(refused)?.ok_or_else(|| unknown(id))?;
    refuse_over(&known)?;
    if known.steps.iter().any(|it| it.forward.is_some()) {
        let message = format!(
            "nobody drives deployment {id}, and it changed something: going back needs its settings"
        );
        let hint = format!(
            "in a clone of the project on the server's machine: launchway deployments cancel {id}"
        );
        return Err(Refused { hint: Some(hint), ..Refused::new(Why::Conflict, message) });
    }
    let failed = |error: driver::DeploymentError| Refused::new(Why::Missing, error.to_string());
    let ledger = book.deployments();
    let driven = Deployment::adopt(id, owner(), now(), (ledger, Nobody, Nobody));
    driven.map_err(failed)?.hear(vec![stop.input()], now(), &mut |_| {}).map_err(failed)?;
    Inbox::of(state, id).close();
    Ok(())
}

fn refuse_over(view: &DeploymentView) -> Result<(), Refused> {
    match &view.ended {
        None => Ok(()),
        Some(end) => {
            let message = format!("deployment {} is over: {}", view.id, end.verdict);
            Err(Refused::new(Why::Conflict, message))
        }
    }
}

fn told(view: &DeploymentView, digest: &event::Digest) -> Result<HandedIn, Refused> {
    match inbox::answer(view, digest) {
        Some(Answer::Taken { by, is_open }) => {
            Ok(HandedIn::Agreed { by: by.as_str().to_owned(), is_open })
        }
        Some(Answer::Rejected) => Ok(HandedIn::Rejected),
        Some(Answer::Refused(why)) => Err(Refused {
            hint: Some("it was written down".to_owned()),
            ..Refused::new(Why::Forbidden, format!("it does not count: {why}"))
        }),
        None => {
            let message = format!("deployment {} is over: {}", view.id, view.standing());
            Err(Refused::new(Why::Conflict, message))
        }
    }
}
