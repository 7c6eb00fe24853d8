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
    doubt: Doubt,
}

/// When there is reason to look.
struct Doubt {
    removed: watch::Receiver<u64>,
    /// Something was removed since the last look.
    is_told: bool,
    /// When is looked again at the latest.
    again: Instant,
}

impl Doubt {
    /// They were found before anybody listened to what is removed: the first look is due at once.
    fn new(removed: watch::Receiver<u64>) -> Doubt {
        Doubt { removed, is_told: false, again: Instant::now() }
    }

    async fn arises(&mut self) {
        tokio::select! {
            _ = self.removed.changed() => self.is_told = true,
            () = sleep_until(self.again) => {}
        }
    }

    /// Whether to look now. Whatever is removed from here on is reason to look once more.
    fn is_due(&mut self) -> bool {
        self.is_told |= self.removed.has_changed().unwrap_or(false);
        if !self.is_told && Instant::now() < self.again {
            return false;
        }
        self.removed.mark_unchanged();
        self.is_told = false;
        true
    }
}

impl Standing {
    pub(crate) fn of(app: &Shared, who: &Who) -> Standing {
        let doubt = Doubt::new(app.hub.removals());
        Standing { app: Shared::clone(app), who: who.clone(), doubt }
    }

    /// Comes back when there is reason to look.
    pub(crate) async fn doubted(&mut self) {
        self.doubt.arises().await;
    }

    /// Whether they still may be here. Looks only where there is reason to.
    pub(crate) async fn stands(&mut self) -> bool {
        if !self.doubt.is_due() {
            return true;
        }
        let (app, who) = (Shared::clone(&self.app), self.who.clone());
        let stands =
            blocking(move || Ok(app.access.stands(&who.token, who.is_session, app.now())?));
        // Of whom it cannot be known nothing is shown: they come again, and are told why.
        let stands = stands.await.unwrap_or(false);
        self.doubt.again = again(&self.app, &self.who);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_look_is_due_at_once_and_then_where_there_is_reason() {
        let removals = watch::Sender::new(0);
        // Between being let in and the first look: nobody listened yet.
        removals.send_modify(|count| *count += 1);
        let mut doubt = Doubt::new(removals.subscribe());
        assert!(doubt.is_due());
        doubt.again = Instant::now() + TRUSTED;
        assert!(!doubt.is_due());
        removals.send_modify(|count| *count += 1);
        assert!(doubt.is_due() && !doubt.is_due());
        doubt.again = Instant::now();
        assert!(doubt.is_due());
    }
}
