//! `launchway deployments watch`: follows a deployment that another process drives.

use std::time::Duration;

use event::{DeploymentId, Seq, StreamId};
use views::DeploymentView;

use crate::cli::Format;
use crate::deploying::book::Book;
use crate::deploying::drive::{holder, told};
use crate::deploying::live::Live;
use crate::distant::Client;
use crate::exit::{Exit, Failure, Outcome};
use crate::state::StateFolder;
use crate::terminal::style::talk;

/// How soon the journal is looked at again: people do not notice less.
const LOOK: Duration = Duration::from_millis(300);
/// The same for a journal in a bucket, where each look costs two calls.
const LOOK_FAR: Duration = Duration::from_secs(2);

pub(super) fn run(
    book: &Book,
    state: &StateFolder,
    view: &DeploymentView,
    format: Format,
) -> Outcome {
    let ledger = book.deployments();
    let look = if book.shared().is_some() { LOOK_FAR } else { LOOK };
    let mut live = Live::new(format);
    let mut seen = Seq(0);
    let mut is_attended = true;
    loop {
        let new = ledger.read(StreamId::Deployment(view.id), seen);
        for envelope in new.map_err(|error| Failure::caused(Exit::Missing, error))? {
            seen = envelope.seq;
            live.event(view.id, &envelope.event);
        }
        if let Some(view) = live.view().filter(|view| view.ended.is_some()) {
            return Ok(told(view, format));
        }
        if !is_attended {
            let id = view.id;
            talk(&format!("nobody drives it; launchway deployments resume {id} goes on with it"));
            return Ok(Exit::Failed);
        }
        // What was written before nobody was found is read once more.
        is_attended = holder(book, state, &view.request.environment)?.is_some();
        std::thread::sleep(look);
        book.refresh()?;
    }
}

/// The same as a server tells it, which does not know whether somebody drives it.
pub(super) fn at_server(client: &Client, id: DeploymentId, format: Format) -> Outcome {
    let mut live = Live::new(format);
    client.follow_deployment(id, &mut |event| live.event(id, event))?;
    Ok(live.view().map_or(Exit::Failed, |view| told(view, format)))
}
