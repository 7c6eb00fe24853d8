//! Images of the default branch's newest runs, for people.

use std::fmt::Write as _;

use figures::{ImageRun, ImageSeries};
use views::{decimal_size, length_in_days as length, size_change};

use crate::terminal::style::Style;
use crate::terminal::time::moment;

/// All of them, the newest run first.
pub(super) fn page(all: &[ImageSeries], style: Style) -> String {
    let mut text = String::new();
    for it in all {
        let _ = writeln!(text, "{} ({})", style.bold(&it.title()), it.place());
        for (index, run) in it.runs.iter().enumerate().rev() {
            let _ = writeln!(text, "  {}", row(run, &it.runs[..index]));
        }
    }
    if all.is_empty() {
        text.push_str("no run of a default branch built an image that is known of\n");
    }
    text
}

fn row(it: &ImageRun, before: &[ImageRun]) -> String {
    let run = format!("{}.{}", it.run, it.attempt);
    let earlier = before.iter().rev().find_map(|it| it.size_bytes);
    let size = it.size_bytes.map(|now| {
        let change = earlier.and_then(|before| size_change(now, before));
        let change = change.map(|it| format!(" ({it})")).unwrap_or_default();
        decimal_size(now) + &change
    });
    let took = it.build_ms.map(|ms| format!("built in {}", length(ms)));
    let parts: Vec<String> = [size, took].into_iter().flatten().collect();
    format!("{run:>6}  {}  {}", moment(it.completed_at_ms), parts.join(" · "))
}
