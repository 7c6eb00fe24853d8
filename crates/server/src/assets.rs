//! The files that pages are made with: in the binary, ours alone.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use event::Digest;

use crate::ansi;
use crate::problem::Problem;

static STYLE: LazyLock<String> =
    LazyLock::new(|| format!("{}{}", include_str!("../static/style.css"), ansi::palette()));
const LIVE: &str = include_str!("../static/live.js");
const MERGE: &str = include_str!("../static/merge.js");
const STREAM: &str = include_str!("../static/stream.js");
const KEYS: &str = include_str!("../static/keys.js");
const LOG: &str = include_str!("../static/log.js");
const ICON: &str = include_str!("../static/icon.svg");

/// Changes when a file does: browsers keep what they have until then.
pub(crate) static VERSION: LazyLock<String> = LazyLock::new(|| {
    let all = [STYLE.as_str(), KEYS, LIVE, MERGE, STREAM, LOG, ICON].concat();
    Digest::of(all.as_bytes()).to_string().chars().take(10).collect()
});

/// A file by its name. The version is a folder, so that one file finds another beside it; a page of
/// another version than this one's is given what there is, and does not keep it.
pub(crate) async fn file(
    Path((version, name)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let (kind, body) = match name.as_str() {
        "style.css" => ("text/css; charset=utf-8", STYLE.as_str()),
        "live.js" => ("text/javascript; charset=utf-8", LIVE),
        "merge.js" => ("text/javascript; charset=utf-8", MERGE),
        "stream.js" => ("text/javascript; charset=utf-8", STREAM),
        "keys.js" => ("text/javascript; charset=utf-8", KEYS),
        "log.js" => ("text/javascript; charset=utf-8", LOG),
        "icon.svg" => ("image/svg+xml", ICON),
        _ => return Err(Problem::not_found("There is no such file.")),
    };
    let is_this = version == *VERSION;
    let keep = if is_this { "public, max-age=31536000, immutable" } else { "no-store" };
    Ok(([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, keep)], body).into_response())
}
