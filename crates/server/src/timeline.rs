//! Deployments over time, a lane for each environment, with incidents as bands behind them. The same
//! stands in words, with links, in the list below the picture and on the page of incidents.

use std::fmt::Write as _;

use event::Timestamp;

use crate::ansi::attribute;

/// Heights, in pixels: text keeps its size however wide the page is. Along the picture all is in
/// hundredths of a percent.
const LANE: usize = 46;
/// What stands above a lane's line: its name.
const NAME: usize = 18;
const FOOT: usize = 24;
/// Of ten thousand; what is left on either side is half a sign.
const INNER: u64 = 9_600;
const SIDE: u64 = 200;
/// Lanes that are drawn: those of the newest deployments.
const LANES_MAX: usize = 12;
/// A band is seen, however short it is in this span.
const BAND_MIN: u64 = 60;

/// A deployment on its lane.
pub(crate) struct Mark {
    pub(crate) lane: String,
    pub(crate) at: Timestamp,
    pub(crate) sign: &'static str,
    pub(crate) is_bad: bool,
    pub(crate) told: String,
}

/// A time in which users met an incident.
pub(crate) struct Band {
    pub(crate) lane: String,
    pub(crate) since: Timestamp,
    pub(crate) until: Timestamp,
    pub(crate) told: String,
}

/// The picture from the oldest mark until now; none where nothing was deployed. Lanes in the order of
/// the marks. `day` names a moment.
pub(crate) fn drawn(
    marks: &[Mark],
    bands: &[Band],
    now: Timestamp,
    day: &dyn Fn(Timestamp) -> String,
) -> Option<String> {
    let since = marks.iter().map(|it| it.at).min()?;
    let mut lanes: Vec<&str> = Vec::new();
    for mark in marks {
        if !lanes.contains(&mark.lane.as_str()) && lanes.len() < LANES_MAX {
            lanes.push(&mark.lane);
        }
    }
    let span = now.0.saturating_sub(since.0).max(1);
    let x = |at: Timestamp| {
        let of = at.0.clamp(since.0, since.0 + span) - since.0;
        let place = u128::from(of) * u128::from(INNER) / u128::from(span);
        SIDE + u64::try_from(place).unwrap_or(INNER)
    };
    let total = lanes.len() * LANE + FOOT;
    let mut svg = format!(
        "<svg class=\"timeline\" role=\"img\" aria-label=\"Deployments over time, with \
         incidents as bands\" width=\"100%\" height=\"{total}\">"
    );
    for (at, lane) in lanes.iter().enumerate() {
        let (top, line) = (at * LANE, at * LANE + NAME + 14);
        let _ = write!(svg, "<text class=\"label\" x=\"0\" y=\"{}\">", top + NAME - 3);
        attribute(lane, &mut svg);
        let _ = write!(
            svg,
            "</text><line class=\"axis\" x1=\"0\" x2=\"100%\" y1=\"{line}\" y2=\"{line}\"/>"
        );
        // Names of environments are the same in any case.
        let is_here = |it: &&Band| it.lane.eq_ignore_ascii_case(lane) && it.until >= since;
        for band in bands.iter().filter(is_here) {
            let from = x(band.since);
            let width = percent((x(band.until) - from).max(BAND_MIN));
            group(&mut svg, &band.told);
            let _ = write!(
                svg,
                "<rect class=\"band\" x=\"{}\" y=\"{}\" width=\"{width}\" height=\"20\"/></g>",
                percent(from),
                line - 10
            );
        }
        for mark in marks.iter().filter(|it| it.lane == *lane) {
            let class = if mark.is_bad { "sign" } else { "sign good" };
            group(&mut svg, &mark.told);
            let _ = write!(
                svg,
                "<text class=\"{class}\" x=\"{}\" y=\"{}\">{}</text></g>",
                percent(x(mark.at)),
                line + 5,
                mark.sign
            );
        }
    }
    let _ = write!(svg, "<text class=\"label\" x=\"0\" y=\"{}\">", total - 5);
    attribute(&day(since), &mut svg);
    let _ = write!(svg, "</text><text class=\"label end\" x=\"100%\" y=\"{}\">now", total - 5);
    svg.push_str("</text></svg>");
    Some(svg)
}

/// Of ten thousand, as SVG has it.
fn percent(of: u64) -> String {
    format!("{}.{:02}%", of / 100, of % 100)
}

/// Opened; whoever calls it shuts it.
fn group(svg: &mut String, told: &str) {
    svg.push_str("<g><title>");
    attribute(told, svg);
    svg.push_str("</title>");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(lane: &str, at: u64) -> Mark {
        Mark {
            lane: lane.to_owned(),
            at: Timestamp(at),
            sign: "✓",
            is_bad: false,
            told: "<b>".to_owned(),
        }
    }

    fn band(lane: &str, since: u64, until: u64) -> Band {
        Band {
            lane: lane.to_owned(),
            since: Timestamp(since),
            until: Timestamp(until),
            told: "it \"broke\"".to_owned(),
        }
    }

    fn check(marks: &[Mark], bands: &[Band]) -> Option<String> {
        drawn(marks, bands, Timestamp(1_000), &|at| at.to_string())
    }

    #[test]
    fn nothing_is_drawn_of_nothing_and_text_of_others_is_text() {
        assert_eq!(check(&[], &[band("a", 1, 2)]), None);
        let svg = check(&[mark("<i>", 0)], &[band("<i>", 0, 1)]).unwrap();
        assert!(svg.contains("&lt;i&gt;") && svg.contains("&lt;b&gt;"), "{svg}");
        assert!(svg.contains("broke"), "{svg}");
        // A tag would end the drawing.
        let svg = check(&[mark("a\u{202e}b", 0)], &[]).unwrap();
        assert!(svg.contains(">aU+202Eb</text>"), "{svg}");
    }

    #[test]
    fn a_band_lies_on_its_lane_in_the_span_that_is_shown() {
        let marks = [mark("a", 500), mark("b", 900)];
        let bands =
            [band("A", 500, 1_000), band("b", 950, 950), band("a", 1, 2), band("c", 1, 999)];
        let svg = check(&marks, &bands).unwrap();
        assert_eq!(svg.matches("class=\"band\"").count(), 2);
        assert!(svg.contains("x=\"2.00%\" y=\"22\" width=\"96.00%\""), "{svg}");
        assert!(svg.contains(&format!("width=\"{}\"", percent(BAND_MIN))), "{svg}");
    }

    #[test]
    fn so_many_lanes_are_drawn_and_no_more() {
        let marks: Vec<Mark> = (0..40).map(|at| mark(&format!("lane {at}"), at)).collect();
        let svg = check(&marks, &[]).unwrap();
        assert_eq!(svg.matches("class=\"axis\"").count(), LANES_MAX);
    }
}
