//! Incidents on the terminal, from their JSON: the same whether it is a server's or this machine's.

use event::{ShippedBy, Timestamp};
use serde::Deserialize as _;
use serde_json::Value as Json;
use views::length;

use crate::terminal::style::{Style, one_line};
use crate::terminal::time::{moment, now};

/// One line of a list.
pub(super) fn row(it: &Json, style: Style) -> String {
    let service = it["service"].as_str().map(|name| format!(" {}", one_line(name)));
    format!(
        "{} {:>5}  {}  {}{}  {}  {}{}  {}",
        sign(it, style),
        it["incident"].to_string(),
        at(&it["opened_at_ms"]),
        text(&it["environment"]),
        service.unwrap_or_default(),
        text(&it["severity"]),
        took(it),
        linked(it),
        text(&it["title"]),
    )
}

/// All of one.
pub(super) fn page(it: &Json, style: Style) -> String {
    let of =
        it["service"].as_str().map(|name| format!("{} of ", one_line(name))).unwrap_or_default();
    let head = format!(
        "{} {} {} incident in {} ({of}{}), told by {}\n{}\n",
        sign(it, style),
        style.bold(&format!("incident {}", it["incident"])),
        text(&it["severity"]),
        text(&it["environment"]),
        text(&it["project"]),
        text(&it["source"]),
        text(&it["title"]),
    );
    let mut page = head;
    if let Some(link) = it["link"].as_str() {
        page += &format!("{}\n", one_line(link));
    }
    for span in it["spans"].as_array().into_iter().flatten() {
        let because = |key: &str| {
            span[key]
                .as_str()
                .map(|why| format!(", because: {}", one_line(why)))
                .unwrap_or_default()
        };
        let (since, by) = (at(&span["since_ms"]), text(&span["by"]["name"]));
        page += &format!("since {since}, says {by}{}\n", because("reason"));
        if !span["resolved_at_ms"].is_null() {
            let (until, by) = (at(&span["resolved_at_ms"]), text(&span["resolved_by"]["name"]));
            page += &format!("until {until}, says {by}{}\n", because("resolved_because"));
        }
    }
    page += &format!("{}\n", took(it));
    match named(&it["caused_by"]) {
        Some(cause) => page += &format!("brought by {cause}\n"),
        None => page += "what brought it is not known: no failure is counted\n",
    }
    for fix in it["fixed_by"].as_array().into_iter().flatten().filter_map(named) {
        page += &format!("{fix} was made to end it\n");
    }
    page
}

fn is_open(it: &Json) -> bool {
    it["resolved_at_ms"].is_null()
}

fn sign(it: &Json, style: Style) -> String {
    if is_open(it) { style.red("●") } else { style.green("✓") }
}

/// How long users met it, all times together.
fn took(it: &Json) -> String {
    let spans = it["spans"].as_array().into_iter().flatten();
    let ms: u64 = spans
        .map(|span| {
            let until = span["resolved_at_ms"].as_u64().unwrap_or_else(|| now().0);
            until.saturating_sub(span["since_ms"].as_u64().unwrap_or(until))
        })
        .sum();
    let length = length(ms);
    if is_open(it) { format!("open for {length}") } else { format!("over after {length}") }
}

/// A deployment, or the run whose jobs it was.
fn named(by: &Json) -> Option<String> {
    ShippedBy::deserialize(by).ok().map(ShippedBy::named)
}

fn linked(it: &Json) -> String {
    named(&it["caused_by"]).map(|cause| format!("  by {cause}")).unwrap_or_default()
}

fn at(ms: &Json) -> String {
    ms.as_u64().map(|ms| moment(Timestamp(ms))).unwrap_or_default()
}

fn text(value: &Json) -> String {
    one_line(value.as_str().unwrap_or_default())
}
