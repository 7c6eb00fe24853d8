//! Whether somebody who was let in still may be here: for answers that outlive their request.
//!
//! A request is let in once (`guard.rs`); what it follows may go on for hours. Whoever holds such an
//! answer open doubts at once when a token or a session was removed, when theirs ends by itself, and
//! after a while in any case; only then is the disk asked.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use crate::app::{App, Shared, blocking};
use crate::guard::Who;

/// So long nobody is asked again whom nothing speaks against.
pub(crate) const TRUSTED: Duration = Duration::from_secs(15);
/// Said to who is let in no longer.
pub(crate) const OVER: &str = "This session or token is good no longer: sign in again.";

/// Somebody who was let in.
pub(crate) struct Standing {
    app: Shared,
    who: Who,
    removed: watch::Receiver<u64>,
    /// Something was removed since the last look.
    is_told: bool,
    /// When is looked again at the latest.
    again: Instant,
}

impl Standing {
    pub(crate) fn of(app: &Shared, who: &Who) -> Standing {
        let removed = app.hub.removals();
        let (again, app, who) = (again(app, who), Shared::clone(app), who.clone());
        Standing { app, who, removed, is_told: false, again }
    }

    /// Comes back when there is reason to look.
    pub(crate) async fn doubted(&mut self) {
        tokio::select! {
            _ = self.removed.changed() => self.is_told = true,
            () = sleep_until(self.again) => {}
        }
    }

    /// Whether they still may be here. Looks only where there is reason to.
    pub(crate) async fn stands(&mut self) -> bool {
        self.is_told |= self.removed.has_changed().unwrap_or(false);
        if !self.is_told && Instant::now() < self.again {
            return true;
        }
        self.removed.mark_unchanged();
        self.is_told = false;
        let (app, who) = (Shared::clone(&self.app), self.who.clone());
        let stands =
            blocking(move || Ok(app.access.stands(&who.token, who.is_session, app.now())?));
        // Of whom it cannot be known nothing is shown: they come again, and are told why.
        let stands = stands.await.unwrap_or(false);
        self.again = again(&self.app, &self.who);
        stands
    }

    /// Comes back when they may be here no longer.
    pub(crate) async fn over(mut self) {
        while self.stands().await {
            self.doubted().await;
        }
    }
}

/// After a while, and when the token or the session ends by itself.
fn again(app: &App, who: &Who) -> Instant {
    let left = Duration::from_millis(who.token.expires_at.0.saturating_sub(app.now().0));
    Instant::now() + TRUSTED.min(left)
}
