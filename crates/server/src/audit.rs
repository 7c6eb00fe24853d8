//! Decisions, newest first or in their order, with a filter; and writing down what is no run's and no deployment's.

use std::net::IpAddr;

use event::{Actor, AuditRecord, StreamId};
use mask::MaskedText;
use views::{AuditLine, DECISIONS};

use crate::app::App;
use crate::engine::{Refused, Why};
use crate::guard::Who;
use crate::problem::Problem;
use crate::reason::Reason;

/// Decisions that one answer gives.
pub(crate) const LINES_MAX: usize = 200;
/// Events that are looked through for one answer; the next one goes on there.
const SEARCHED_MAX: usize = 20_000;

/// Which decisions.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wanted {
    /// Only before this place in the journal.
    pub(crate) before: Option<u64>,
    /// Only behind this one, the oldest first; then `before` says nothing.
    pub(crate) after: Option<u64>,
    /// Only by whom the name has this in it.
    pub(crate) actor: String,
    /// Only what begins so: `gate`, `secret.set`.
    pub(crate) action: String,
    /// Only what has this in it.
    pub(crate) object: String,
    /// Only what was refused.
    pub(crate) refused: bool,
}

/// Some decisions, and where the next ones begin.
pub(crate) struct Found {
    pub(crate) lines: Vec<Decision>,
    pub(crate) next: Option<u64>,
}

/// One of them.
pub(crate) struct Decision {
    /// Its place in the journal.
    pub(crate) position: u64,
    /// Whose history it is part of.
    pub(crate) stream: StreamId,
    pub(crate) line: AuditLine,
}

/// Looks for decisions.
pub(crate) fn find(app: &App, wanted: &Wanted, limit: usize) -> Result<Found, Problem> {
    let mut lines = Vec::new();
    let mut place = wanted.after.or(wanted.before);
    let mut searched = 0;
    loop {
        let part = match wanted.after {
            Some(_) => {
                app.store.decisions_after(place.unwrap_or_default(), DECISIONS, LINES_MAX)?
            }
            None => app.store.decisions(place, DECISIONS, LINES_MAX)?,
        };
        let Some(last) = part.last() else { return Ok(Found { lines, next: None }) };
        searched += part.len();
        place = Some(last.position);
        for it in part {
            let Ok(stream) = it.stream.parse::<StreamId>() else { continue };
            let Some(line) = AuditLine::of(stream, it.at, &it.payload) else { continue };
            if !wanted.has(&line) {
                continue;
            }
            lines.push(Decision { position: it.position, stream, line });
            if lines.len() == limit {
                return Ok(Found { lines, next: Some(it.position) });
            }
        }
        if searched >= SEARCHED_MAX {
            return Ok(Found { lines, next: place });
        }
    }
}

impl Wanted {
    fn has(&self, line: &AuditLine) -> bool {
        let has = |text: &str, part: &str| text.to_lowercase().contains(&part.to_lowercase());
        has(&line.actor, &self.actor)
            && line.action.starts_with(self.action.as_str())
            && has(&line.object, &self.object)
            && (!self.refused || line.is_refused)
    }
}

/// Writes down what somebody did, or tried to.
pub(crate) fn record(
    app: &App,
    who: &Who,
    (action, object): (&str, String),
    (reason, refused): (&Reason, Option<String>),
) -> Result<(), Problem> {
    let text = |text: String| MaskedText::without_secrets(text);
    let record = AuditRecord {
        // The record itself says by which way.
        actor: Some(Actor { source: None, address: None, ..who.actor() }),
        token: Some(who.token.id.as_str().into()),
        action: action.into(),
        object: text(object),
        reason: reason.text(),
        source: who.source().into(),
        address: who.address(),
        refused: refused.map(text),
        at: app.now(),
    };
    app.store.record(record).map_err(|error| Problem::missing(&error)).map(drop)
}

/// The same for whoever finds out what it is done to, and does it behind that.
pub(crate) fn recorder<'r>(
    app: &'r App,
    who: &'r Who,
    (action, reason): (&'r str, &'r Reason),
    object: impl Fn(&str) -> String + 'r,
) -> impl Fn(&str) -> Result<(), Refused> + 'r {
    move |name| {
        let recorded = record(app, who, (action, object(name)), (reason, None));
        recorded.map_err(|problem| Refused::new(Why::Missing, problem.detail))
    }
}

/// Writes down that somebody was not let in. Anybody can try, so no more than a number of them; those
/// take nobody's place who was let in.
pub(crate) fn not_let_in(
    app: &App,
    address: IpAddr,
    (name, object): (Option<String>, String),
    why: &str,
) {
    if !app.counts.strangers.may_write_down(app.now()) {
        return;
    }
    let text = |text: String| MaskedText::without_secrets(text);
    let record = AuditRecord {
        actor: name.map(|name| Actor {
            name: text(name),
            proof: "oidc".into(),
            source: None,
            address: None,
        }),
        token: None,
        action: "session.begin".into(),
        object: text(object),
        reason: None,
        source: "page".into(),
        address: Some(address.to_string().into()),
        refused: Some(text(why.to_owned())),
        at: app.now(),
    };
    if let Err(error) = app.store.record(record) {
        crate::say(&format!("warning: {error}"));
    }
}
