//! `launchway deployments watch`: follows a deployment that another process drives.

use std::time::Duration;

use driver::Place;
use event::{Seq, StreamId};
use ports::Journal as _;
use views::DeploymentView;

use crate::cli::Format;
use crate::deploying::book::Book;
use crate::deploying::drive::told;
use crate::deploying::live::Live;
use crate::exit::{Exit, Failure, Outcome};
use crate::state::StateFolder;
use crate::terminal::style::talk;

/// How soon the journal is looked at again: people do not notice less.
const LOOK: Duration = Duration::from_millis(300);

pub(super) fn run(
    book: &Book,
    state: &StateFolder,
    view: &DeploymentView,
    format: Format,
) -> Outcome {
    let ledger = book.store.ledger();
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
        let holder = Place::holder(&state.places(), &book.project, &view.request.environment);
        is_attended = holder.map_err(|error| Failure::caused(Exit::Missing, error))?.is_some();
        std::thread::sleep(LOOK);
    }
}
