//! What others were sent, and what they are owed, newest first.

use askama::Template;
use axum::Extension;
use axum::extract::{Query, State};
use serde::Deserialize;
use store::{Delivery, DeliveryState, TroubledReceiver, WantedDeliveries};

use super::{Frame, Page, shown};
use crate::app::{Shared, blocking};
use crate::guard::Who;
use crate::words::{Moment, State as Standing};

/// Messages on a page.
const ROWS: usize = 50;

#[derive(Template)]
#[template(path = "messages.html")]
struct MessagesPage {
    frame: Frame,
    is_undelivered: bool,
    troubled: Vec<Trouble>,
    rows: Vec<Line>,
    older: Option<String>,
}

struct Trouble {
    receiver: String,
    failures: u32,
    note: String,
    until: Option<Moment>,
}

struct Line {
    state: Standing,
    number: u64,
    about: String,
    receiver: String,
    note: String,
    tries: String,
    at: Moment,
}

/// Which messages are shown.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Wanted {
    before: Option<u64>,
    /// `undelivered`
    only: Option<String>,
}

/// The page.
pub(crate) async fn messages(
    State(app): State<Shared>,
    Extension(who): Extension<Who>,
    Query(wanted): Query<Wanted>,
) -> Page {
    let page = blocking(move || {
        let is_undelivered = wanted.only.as_deref() == Some("undelivered");
        let asked = WantedDeliveries {
            before: wanted.before,
            consumer: None,
            is_undelivered,
            limit: ROWS + 1,
        };
        let mut found = app.store.deliveries(&asked)?;
        let is_more = found.len() > ROWS;
        found.truncate(ROWS);
        let only = if is_undelivered { "&only=undelivered" } else { "" };
        let last = found.last().filter(|_| is_more);
        let now = app.now();
        let trouble = |it: TroubledReceiver| Trouble {
            receiver: it.receiver,
            failures: it.health.failures,
            note: it.health.note,
            until: (it.health.shut_until > now).then(|| Moment::of(it.health.shut_until)),
        };
        Ok(MessagesPage {
            frame: Frame::new(Some(&who), "messages").live("/live/runs".to_owned()),
            is_undelivered,
            troubled: app.store.troubled_receivers()?.into_iter().map(trouble).collect(),
            older: last.map(|it| format!("/messages?before={}{only}", it.id)),
            rows: found.into_iter().map(Line::of).collect(),
        })
    });
    shown(&page.await?)
}

impl Line {
    fn of(it: Delivery) -> Line {
        let (class, sign, word) = match it.state {
            DeliveryState::Delivered => ("good", "✓", "delivered"),
            DeliveryState::GivenUp => ("bad", "✗", "given up"),
            DeliveryState::Superseded => ("off", "–", "superseded"),
            DeliveryState::UnderWay => ("runs", "●", "under way"),
            DeliveryState::Waiting => ("waits", "○", "waiting"),
        };
        let tries = match it.attempts {
            0 => "not tried yet".to_owned(),
            1 => "1 try".to_owned(),
            more => format!("{more} tries"),
        };
        Line {
            state: Standing { class, sign, word },
            number: it.id,
            about: it.about,
            receiver: it.receiver,
            note: it.note.unwrap_or_default(),
            tries,
            at: Moment::of(it.settled_at.unwrap_or(it.owed_at)),
        }
    }
}
