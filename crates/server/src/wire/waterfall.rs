//! Where the time of a run went, in numbers: what its page and a terminal draw.

use event::Timestamp;
use serde_json::{Map, Value as Json, json};
use views::{PartKind, RunView, WaterfallRow};

/// The waterfall, up to `now` where the run goes on.
pub(super) fn waterfall(view: &RunView, now: Timestamp) -> Json {
    let it = view.waterfall(now);
    json!({
        "since_ms": it.since, "until_ms": it.until,
        "waited_ms": it.waited.map_or(0, |waited| waited.time_ms()),
        "critical": it.critical,
        "jobs": it.rows.iter().map(row).collect::<Vec<_>>(),
        "left_out": it.left_out,
    })
}

fn row(row: &WaterfallRow) -> Json {
    let parts = row
        .parts
        .iter()
        .map(|it| json!({ "part": name(it.kind), "since_ms": it.since, "until_ms": it.until }));
    let times = row.times_ms.iter().map(|(kind, ms)| (name(*kind).to_owned(), json!(ms)));
    json!({
        "job": row.job, "legs": row.legs, "critical": row.is_critical,
        "parts": parts.collect::<Vec<_>>(), "times_ms": times.collect::<Map<_, _>>(),
    })
}

fn name(kind: PartKind) -> &'static str {
    match kind {
        PartKind::Gate => "gate",
        PartKind::Lost => "lost",
        PartKind::Queue => "queue",
        PartKind::SetUp => "set_up",
        PartKind::Steps => "steps",
    }
}
