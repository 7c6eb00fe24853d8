//! Keeps the numbers up with the journal, beside everything else: a batch at a time, and then a pause,
//! so that nobody who runs or looks waits for it.

use std::sync::Arc;
use std::time::Duration;

use crate::app::{App, Shared, blocking};
use crate::problem::Problem;
use crate::serve::told;

/// Changes come in swarms; the numbers are not in such a hurry.
const PAUSE: Duration = Duration::from_secs(2);
/// A disk that does not answer is not asked, and told of, at every change.
const PAUSE_AFTER_FAULT: Duration = Duration::from_secs(60);

/// Events that whoever looks takes in first: as many as no one notices. Behind more, what is known is shown.
const EVENTS_OF_A_LOOK_MAX: u64 = 1_000;

/// How many events are not counted yet. A page that follows is asked for as soon as something happens, and the next
/// time when the next thing does: the few events since then are taken in first. Where few are left, whoever else
/// takes them in has few to hold the file for. A disk that is full makes the numbers late and no page a fault;
/// [`keep_up`] tells of it.
pub(crate) fn behind(app: &App) -> Result<u64, Problem> {
    let caught = app.figures.caught(&app.store)?;
    let behind = caught.newest - caught.position;
    if behind == 0 || behind > EVENTS_OF_A_LOOK_MAX {
        return Ok(behind);
    }
    let caught = app.figures.catch_up(&app.store, &mut |_| false);
    Ok(caught.map_or(behind, |it| it.newest.saturating_sub(it.position)))
}

/// Takes in what ends, until the server does.
pub(crate) async fn keep_up(app: Shared) {
    let (mut changes, mut stop) = (app.hub.subscribe(), app.stop.clone());
    let again = Arc::clone(&app);
    let looked = blocking(move || Ok(again.figures.look_again(&again.store)?));
    // What is wrong with it was told.
    let _ = looked.await;
    loop {
        let (app, is_over) = (Arc::clone(&app), stop.clone());
        let caught = blocking(move || {
            let goes_on = &mut |_| !*is_over.borrow();
            Ok(app.figures.catch_up(&app.store, goes_on)?)
        });
        let pause = if caught.await.is_ok() { PAUSE } else { PAUSE_AFTER_FAULT };
        let next = async {
            tokio::time::sleep(pause).await;
            changes.changed().await.is_ok()
        };
        let goes_on = tokio::select! {
            goes_on = next => goes_on,
            () = told(&mut stop) => false,
        };
        if !goes_on {
            return;
        }
    }
}
