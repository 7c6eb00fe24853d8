//! Keeps the numbers up with the journal, beside everything else: a batch at a time, and then a pause,
//! so that nobody who runs or looks waits for it.

use std::sync::Arc;
use std::time::Duration;

use crate::app::{Shared, blocking};
use crate::serve::told;

/// Changes come in swarms; the numbers are not in such a hurry.
const PAUSE: Duration = Duration::from_secs(2);
/// A disk that does not answer is not asked, and told of, at every change.
const PAUSE_AFTER_FAULT: Duration = Duration::from_secs(60);

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
