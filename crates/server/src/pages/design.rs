//! The design system, on one page: everything that other pages are made of.

use askama::Template;
use axum::Extension;
use event::{Conclusion, Status};

use super::{Frame, Page, shown};
use crate::guard::Who;
use crate::words::State;

#[derive(Template)]
#[template(path = "design.html")]
struct DesignPage {
    frame: Frame,
    states: Vec<State>,
    colours: [(&'static str, &'static str); 12],
}

/// The page.
pub(crate) async fn design(Extension(who): Extension<Who>) -> Page {
    let of = |conclusion, status| State::of(conclusion, status);
    let ended = |conclusion| of(Some(conclusion), Status::Completed);
    let states = vec![
        ended(Conclusion::Success),
        ended(Conclusion::Failure),
        ended(Conclusion::TimedOut),
        ended(Conclusion::Cancelled),
        ended(Conclusion::Skipped),
        of(None, Status::InProgress),
        of(None, Status::Queued),
        of(None, Status::Waiting),
        State::LOST,
        State::INTERRUPTED,
        State::UNATTENDED,
        State::of_deployment("rolled_back"),
        State::of_deployment("rollback_stuck"),
    ];
    let colours = [
        ("ground", "the page"),
        ("raised", "what stands on it"),
        ("sunk", "what lies in it"),
        ("line", "lines"),
        ("text", "text"),
        ("faint", "what is said besides"),
        ("link", "links"),
        ("good", "went well"),
        ("bad", "went wrong"),
        ("runs", "goes on"),
        ("waits", "waits"),
        ("off", "is over, and neither"),
    ];
    shown(&DesignPage { frame: Frame::new(Some(&who), ""), states, colours })
}
